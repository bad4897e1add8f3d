/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing a file of a layer that replaces one below at the same path: blocks that
 * are equal are not written. If that saves enough the file becomes a split file,
 * else what was left out is filled in.
 */
#ifndef VENEER_DELTA_H
#define VENEER_DELTA_H

#include "layer/chain.h"

/* When a file is stored as a difference. */
struct delta_policy {
	uint64_t split;		/* so many bytes have to be saved by a split file ... */
	uint64_t piece;		/* ... and so many for each piece of it that differs */
	uint64_t same;		/* so many by a file that is equal: it needs no map */
};

struct delta {
	const struct delta_policy *policy;
	struct chain chain;	/* what is below */
	int tree, fd;		/* the layer, and the file in it; the caller's */
	const char *path;	/* the caller's */
	unsigned shift;
	uint64_t size, old_size;
	uint64_t below_size;	/* so much of what is below can show */
	uint64_t comparable;	/* bytes in blocks that can be equal */
	unsigned char *bits;
	unsigned char *bytes, *old;	/* a piece of the file, from @at on */
	uint64_t at;		/* all before it is done */
	size_t length;
	uint64_t saved;		/* bytes that were not written */
	uint64_t pieces;	/* runs of blocks that differ */
	bool in_piece;		/* the last block did */
	bool plain;		/* it has been filled in: no comparing any more */
};

/* 1: there is a file at @path below to compare with; 0: there is not; -1. */
int delta_begin(struct delta *delta, struct below *below, const char *path, uint64_t size,
		struct fault *fault);

/* The next bytes; what is left out are zeros. */
int delta_put(struct delta *delta, const void *bytes, size_t length, uint64_t at,
	      struct fault *fault);

/* All bytes are there. @saved: how many of them are below only. */
int delta_end(struct delta *delta, uint64_t *saved, struct fault *fault);

void delta_free(struct delta *delta);		/* for CLEANUP(), too */

#endif
