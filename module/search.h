/* SPDX-License-Identifier: GPL-2.0-only */
/* Search: objects of a mount that are not where they were below. */
#ifndef VENEER_SEARCH_H
#define VENEER_SEARCH_H

#include <linux/fs.h>

struct inode *veneer_search_cached(struct super_block *sb,
				   const struct dentry *below);
struct dentry *veneer_search(struct super_block *sb, u64 ino);
struct dentry *veneer_search_below(struct super_block *sb,
				   struct dentry *below);

#endif
