/* SPDX-License-Identifier: GPL-2.0-only */
/* What is in a stack: its inodes, and finding names in its directories. */
#ifndef VENEER_STACK_INODE_H
#define VENEER_STACK_INODE_H

#include <linux/fs.h>

#include "merge.h"

struct inode *veneer_stack_new_inode(struct super_block *sb,
				     struct veneer_merge *merge);
struct inode *veneer_stack_alloc_inode(struct super_block *sb);
void veneer_stack_free_inode(struct inode *inode);
void veneer_stack_evict_inode(struct inode *inode);
const struct veneer_merge *veneer_stack_objects(const struct dentry *below);

#endif
