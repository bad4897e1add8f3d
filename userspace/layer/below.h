/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the layers below one show, looked up without a mount: for an import, which
 * needs none, and for reading split files where the module is not loaded.
 *
 * It understands whiteouts and opaque directories. What only an upper that became
 * a layer can have, renamed directories and entries of hard links, it does not
 * follow: there it says that it cannot tell.
 */
#ifndef VENEER_BELOW_H
#define VENEER_BELOW_H

#include <sys/stat.h>

#include "base/fault.h"

struct below_layer {
	int tree;		/* O_PATH or not */
	bool has_links;		/* it has entries of hard links */
};

/* A directory in all the layers that have part of it. */
struct below_directory {
	char *path;
	size_t under;		/* looked up among the layers under this number */
	struct below_part {
		size_t layer;
		int fd;
	} *parts;
	size_t count;
	bool clear;		/* it can tell */
};

struct below {
	struct below_layer *layers;	/* the lowest first */
	size_t count;
	struct below_directory last;	/* the directory looked into last */
};

struct below_found {
	size_t layer;
	int node;		/* O_PATH, the caller's */
	struct stat status;
};

/* One more layer, over those that were added. Takes @tree. */
int below_add(struct below *below, int tree, struct fault *fault);

/* So many layers may take more descriptors than a process is given at first. */
void below_reserve(size_t layers);

/*
 * What @path is in the merge of the layers with numbers less than @under. 1; 0:
 * there is nothing, or it cannot tell; -1 with @fault set.
 */
int below_find(struct below *below, size_t under, const char *path,
	       struct below_found *found, struct fault *fault);

void below_free(struct below *below);		/* for CLEANUP(), too */

#endif
