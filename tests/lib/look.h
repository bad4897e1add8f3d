/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an operation on a tree did to the objects that it was about, seen from
 * outside: looked at before and after it, in two places that must agree.
 */
#ifndef VENEER_TESTS_LOOK_H
#define VENEER_TESTS_LOOK_H

#include "treeop.h"

enum look_at {
	LOOK_A, LOOK_B, LOOK_TARGET, LOOK_SLOT, LOOK_OTHER, LOOK_PARENT_A, LOOK_PARENT_B,
	LOOKS
};

struct look {
	int err;	/* nothing there, and why */
	struct stat st;
};

struct looks {
	struct timespec start;	/* the filesystem's clock, before the operation */
	struct look before[LOOKS], after[LOOKS];
	char *xattrs;	/* of LOOK_A, after it */
};

/* Others work in the same directories: parents, and times of directories, are left out. */
#define LOOK_SHARED	(1u << 0)
/* The filesystems move atime by the same rules. */
#define LOOK_ATIME	(1u << 1)

/* Needs a process that may see everything. */
void look_before(struct looks *l, const struct place *p, const struct treeop *op);
/* After a rename that failed, in which the times of directories have moved. */
void look_undo(const struct looks *l, const struct place *p, const struct treeop *op);
void look_after(struct looks *l, const struct place *p, const struct treeop *op);
/* The number of differences, each printed. */
int look_compare(struct looks *mount, struct looks *plain, const struct treeop *op,
		 bool failed, unsigned int flags);

#endif
