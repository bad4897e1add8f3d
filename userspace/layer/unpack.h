/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Turn the entries of an archive, one by one, into the nodes of a layer. */
#ifndef VENEER_UNPACK_H
#define VENEER_UNPACK_H

#include <stdint.h>

#include "layer/delta.h"
#include "layer/late.h"

struct archive;
struct archive_entry;

/*
 * Told of each file that is complete and has all of its bytes itself. Returns how many
 * of them are shared with an equal file now, or -1.
 */
typedef int64_t unpack_share_fn(void *context, int fd, const char *path, uint64_t size,
				uint32_t checksum, struct fault *fault);

/* More than this is refused: an archive of a few bytes can ask for any amount. */
struct unpack_limits {
	uint64_t bytes;			/* of files, holes counted */
	uint64_t entries;
	uint64_t devices;
};

struct unpack {
	int root;			/* the layer's root, the caller's */
	struct late late;
	unsigned long entries;		/* seen in the archive */
	uint64_t bytes;			/* of content, of regular files */
	const struct unpack_limits *limits;	/* NULL: none */
	uint64_t apparent;		/* bytes of files, holes counted */
	uint64_t devices;
	/* What the layer is over; NULL: files are not compared, directories not like those. */
	struct below *below;
	const struct delta_policy *deltas;	/* NULL: every file is stored whole */
	unpack_share_fn *share;		/* NULL: there is nobody to share with */
	void *share_context;
	uint64_t shared;		/* bytes of content that take no space here */
	unsigned long splits;		/* files that are stored as differences */
	bool replaced;			/* an entry took the place of an earlier one */
	bool plain;			/* not a layer: names of marks are just names */
	bool has_root;			/* the archive described the root itself */
	/* Called often; says how far it is. May be NULL. */
	void (*progress)(const struct unpack *unpack);
};

/* @archive stands behind the header of @entry. */
int unpack_entry(struct unpack *unpack, struct archive *archive,
		 struct archive_entry *entry, struct fault *fault);

/* After the last entry. */
int unpack_finish(struct unpack *unpack, struct fault *fault);

/* For CLEANUP(), too. */
void unpack_free(struct unpack *unpack);

#endif
