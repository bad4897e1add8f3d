/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of the store's layers that have the same content: where the filesystem can
 * they share it. Each layer lists its files in "contents" beside its tree, by size
 * and checksum; a list only says where to look, the filesystem compares the bytes.
 */
#ifndef VENEER_TWINS_H
#define VENEER_TWINS_H

#include <stdint.h>
#include <stdio.h>

#include "store/store.h"

#define CONTENTS "contents"

struct twins {
	struct store *store;
	struct staging *staging;
	bool possible;		/* the filesystem shares blocks, or so it said */
	void *tree;		/* of what there is */
	FILE *list;		/* of the layer that is being made; NULL */
	const char *prefix;	/* where its tree is, from the store's root */
};

/* Reads the lists of all layers, if the filesystem of @staging can share at all. */
int twins_open(struct twins *twins, struct store *store, struct staging *staging,
	       struct fault *fault);

/* The next files are those of a layer whose directory is @object, in staging. */
int twins_begin_layer(struct twins *twins, int object, const char *id, struct fault *fault);
int twins_end_layer(struct twins *twins, struct fault *fault);

/*
 * The file @fd, all of which is its own, is @path of the layer. Returns how many
 * bytes of it are shared with another now, or -1: an unpack_share_fn.
 */
int64_t twins_share(void *twins, int fd, const char *path, uint64_t size,
		    uint32_t checksum, struct fault *fault);

void twins_close(struct twins *twins);		/* for CLEANUP(), too */

#endif
