/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A visit to everything in a tree: the root first ("" is its path), then each
 * directory with all that is in it, names in the order of their bytes.
 * Neither a symbolic link nor a mount leads out of it.
 */
#ifndef VENEER_WALK_H
#define VENEER_WALK_H

#include <sys/stat.h>

#include "base/fault.h"

struct visit {
	const char *path;	/* from the root */
	int node;		/* O_PATH descriptor of it */
	struct stat status;
};

/* 0; 1: do not go into this directory; -1 with @fault set. */
typedef int visit_fn(void *context, const struct visit *visit, struct fault *fault);

int walk(int root, visit_fn *each, void *context, struct fault *fault);

/* Which path a file with several names was seen at first. */
struct link_table {
	void *tree;
};

/* NULL when it is seen for the first time, which is noted as @path. */
const char *link_table_seen(struct link_table *table, const struct visit *visit,
			    struct fault *fault);
void link_table_free(struct link_table *table);		/* for CLEANUP(), too */

#endif
