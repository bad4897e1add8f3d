/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All that can be seen of a tree, to find whether anything about it has changed:
 * names, bytes, attributes, times. Of any tree: what is no plain file is not opened,
 * and of a sparse file of any size only the data is read.
 */
#ifndef VENEER_TESTS_SNAPSHOT_H
#define VENEER_TESTS_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct snapshot_entry {
	char *path;
	struct stat st;
	uint64_t data, xattrs;
	/* Another tree has names of it, too: its data, but no number of names and no
	 * times but mtime. */
	bool loose;
	/* Nothing about it counts. */
	bool skip;
};

struct snapshot {
	struct snapshot_entry *entry;
	size_t count, room;
};

/* Adds the tree; 0, or -1. Reading must not move times: on a mount with noatime. */
int snapshot_take(struct snapshot *s, const char *root);
/* Whatever other has a name of, too, is not looked at. */
void snapshot_skip_shared(struct snapshot *s, const struct snapshot *other);
/* How many differences, each printed. */
int snapshot_compare(const struct snapshot *before, const struct snapshot *now);
void snapshot_free(struct snapshot *s);

#endif
