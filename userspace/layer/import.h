/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Import a layer: an archive becomes a directory, completely or not at all. */
#ifndef VENEER_IMPORT_H
#define VENEER_IMPORT_H

#include "layer/digest.h"
#include "layer/unpack.h"

struct import_result {
	unsigned long entries;
	uint64_t bytes;			/* of content, of regular files */
	uint64_t archive_bytes;		/* of the archive, not compressed */
	unsigned long whiteouts;
	unsigned long opaque;
	uint64_t shared;		/* bytes of content that take no space here */
	unsigned long splits;		/* files that are stored as differences */
	unsigned long implied;		/* directories that no entry describes */
	char diff_id[DIGEST_TEXT_SIZE];	/* of the archive, not compressed */
};

struct import_how {
	const struct unpack_limits *limits;	/* NULL: none */
	void (*progress)(const struct unpack *unpack);	/* may be NULL */
	struct below *below;	/* what the layer is over; may be NULL */
	const struct delta_policy *deltas;	/* NULL: every file is stored whole */
	unpack_share_fn *share;	/* NULL: there is nobody to share with */
	void *share_context;
	bool plain;		/* not a layer: names of marks are just names */
};

/* @archive is open for reading; @directory is made. */
int import_layer(int archive, const char *directory, const struct import_how *how,
		 struct import_result *result, struct fault *fault);

/* The same into the empty directory @root, which the caller makes durable. */
int import_into(int archive, int root, const struct import_how *how,
		struct import_result *result, struct fault *fault);

#endif
