/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing a tar that any tool reads (pax, numeric owners, xattrs as
 * SCHILY.xattr), the same bytes for the same tree.
 */
#ifndef VENEER_TARWRITE_H
#define VENEER_TARWRITE_H

#include <stdint.h>

#include "layer/chain.h"
#include "layer/digest.h"
#include "layer/walk.h"

struct tarwrite;

/* @digest, which may be NULL, sees every byte. @fd -1: nothing but the digest. */
struct tarwrite *tarwrite_open(int fd, struct digest *digest, struct fault *fault);

/*
 * One node as @visit->path. Its data comes from @data; NULL: from the
 * node itself. A second name becomes a hard link.
 */
int tarwrite_node(struct tarwrite *tar, const struct visit *visit,
		  const struct chain *data, struct fault *fault);

/* A part of a file. */
struct extent {
	uint64_t at, end;
};

/*
 * One node as it is in its layer, with the filesystem's own xattrs, and of a file
 * just these parts, one after the other. It is no archive that anybody unpacks.
 */
int tarwrite_raw(struct tarwrite *tar, const struct visit *visit, const struct extent *extents,
		 size_t count, struct fault *fault);

/* An empty file: the mark of a deletion. */
int tarwrite_mark(struct tarwrite *tar, const char *path, struct fault *fault);

/* The end of the archive. */
int tarwrite_finish(struct tarwrite *tar, struct fault *fault);

uint64_t tarwrite_bytes(const struct tarwrite *tar);

void tarwrite_close(struct tarwrite *tar);

static inline void cleanup_tarwrite(struct tarwrite **tar)
{
	tarwrite_close(*tar);
}

/* A whole tree, nothing in it meaning anything. */
int tarwrite_tree(int root, int fd, struct fault *fault);

#endif
