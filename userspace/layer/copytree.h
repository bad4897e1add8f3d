/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A copy of a tree with all that belongs to it: owners, modes, times, xattrs
 * (those of the filesystem's own, too), hard links, devices, holes. Data is
 * shared with the original where the filesystem can.
 */
#ifndef VENEER_COPYTREE_H
#define VENEER_COPYTREE_H

#include <stdint.h>

#include "base/fault.h"

struct copied {
	uint64_t bytes;		/* of data, holes not counted */
	unsigned long entries;
};

/* @to is an empty directory; it becomes like @from itself. */
int copytree(int from, int to, struct copied *copied, struct fault *fault);

/* Owner, mode, times and xattrs of what @from is open on for what @to is open on. */
int copy_attributes(int from, int to, struct fault *fault);

#endif
