/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walking in a tree whose names come from outside: every lookup starts at the
 * tree's root, and neither "..", nor a symbolic link, nor a mount leads out of it.
 */
#ifndef VENEER_TREE_H
#define VENEER_TREE_H

#include "base/fault.h"

/* Open a directory of the tree (O_PATH); "" is the root. -1 with errno set. */
int tree_open_directory(int root, const char *path);

/* Told of each directory that tree_open_parent() had to make. */
typedef int tree_made_fn(void *context, const char *path, struct fault *fault);

/*
 * Open the directory that holds @path and say which name in it is meant.
 * Directories that are missing are made, as root:root 0755.
 */
int tree_open_parent(int root, const char *path, const char **name,
		     tree_made_fn *made, void *context, struct fault *fault);

/* Remove a name and everything below it. -1 with errno set. */
int tree_remove(int directory, const char *name);

/* Remove everything below @root. -1 with errno set. */
int tree_clear(int root);

#endif
