/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Renames of a stack: directories that have another path in a layer than in the
 * stack, since a layer above has renamed them.
 */
#ifndef VENEER_STACK_RENAMES_H
#define VENEER_STACK_RENAMES_H

#include <linux/fs.h>

struct veneer_stack_renames;

struct veneer_stack_renames *veneer_stack_renames_alloc(void);
void veneer_stack_renames_free(struct veneer_stack_renames *renames);
struct dentry *veneer_stack_renames_walk(struct super_block *sb,
					 unsigned int layer,
					 struct dentry *real, const char *path);

#endif
