/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files that a layer's regular file has its bytes in: itself, and if it is
 * split the one below it, and so on. As the module's chain, for a program.
 */
#ifndef VENEER_CHAIN_H
#define VENEER_CHAIN_H

#include <stdint.h>
#include <sys/types.h>

#include "layer/below.h"

struct chain_link {
	int fd;
	uint64_t below_size;	/* with a map: so many bytes can come from the next */
	unsigned shift;
	uint64_t blocks;
	unsigned char *bits;	/* NULL: all bytes are here */
};

struct chain {
	struct chain_link *links;	/* the uppermost first */
	size_t count;
};

/*
 * For the regular file @node of the layer @tree, which is over the layers with
 * numbers less than @under. 1; 0: it cannot tell; -1 with @fault set.
 */
int chain_open(struct chain *chain, struct below *below, int tree, size_t under, int node,
	       struct fault *fault);

/* Like pread(2), but it returns less only at the end. */
ssize_t chain_read(const struct chain *chain, void *buffer, size_t size, off_t at);

/* Which link has the byte @at; the run reaches up to *@end at most. */
size_t chain_source(const struct chain *chain, off_t at, off_t *end);

/* Up to where there is nothing but zeros, by what the filesystem says: at least @at. */
off_t chain_zeros(const struct chain *chain, off_t at, off_t end);

void chain_close(struct chain *chain);		/* for CLEANUP(), too */

#endif
