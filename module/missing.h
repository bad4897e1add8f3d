/* SPDX-License-Identifier: GPL-2.0-only */
/* Missing: blocks that a split file has below only, and how they get up. */
#ifndef VENEER_MISSING_H
#define VENEER_MISSING_H

#include <linux/fs.h>

#include "split.h"

int veneer_mark_blocks(struct inode *inode, struct veneer_split *split,
		       u64 first, u64 last);
int veneer_bring_edges(struct inode *inode, struct veneer_split *split,
		       loff_t pos, loff_t len);

#endif
