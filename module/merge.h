/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Merge: which objects of which layers stand behind one name.  The only code
 * that walks layers; its results are kept by the stack.
 */
#ifndef VENEER_MERGE_H
#define VENEER_MERGE_H

#include <linux/path.h>

struct veneer_stack;

/**
 * struct veneer_at - an object in a layer
 * @dentry: the object; a reference
 * @layer: the layer's index in the stack, 0 on top
 */
struct veneer_at {
	struct dentry	*dentry;
	unsigned int	layer;
};

/**
 * struct veneer_merge - the objects behind one name, top first
 * @at: the objects; a directory may have several, anything else has one
 * @nr: how many there are; 0 when the name does not exist
 * @room: how many fit
 * @linked: it was found by a name of another layer than its own, in which it may
 *	have none
 *
 * Starts as all zero, owned by whoever declares it; veneer_merge_free() ends
 * it.
 */
struct veneer_merge {
	struct veneer_at	*at;
	unsigned int		nr;
	unsigned int		room;
	bool			linked;
};

int veneer_merge_roots(const struct veneer_stack *stack, unsigned int from,
		       struct veneer_merge *out);
int veneer_merge_lookup(const struct veneer_stack *stack,
			const struct veneer_at *in, unsigned int nr,
			const char *name, struct veneer_merge *out);
int veneer_merge_walk(const struct veneer_stack *stack, unsigned int from,
		      const char *path, struct veneer_merge *out);
void veneer_merge_free(struct veneer_merge *merge);

#endif
