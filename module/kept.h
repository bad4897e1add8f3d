/* SPDX-License-Identifier: GPL-2.0-only */
/* Kept: the few real files that stay open, to be used again. */
#ifndef VENEER_KEPT_H
#define VENEER_KEPT_H

#include <linux/fs.h>

/**
 * struct veneer_kept - where a file is kept, a part of whatever uses it
 * @file: the file, or %NULL; a reference.  Written under the table's lock, and
 *	read under RCU
 * @used: it was asked for since the table last looked for one to close.  No
 *	more than a hint, without a lock
 *
 * All zeros to begin with.  The owner calls veneer_kept_drop() before it goes.
 */
struct veneer_kept {
	struct file __rcu	*file;
	bool			used;
};

struct file *veneer_kept_get(struct veneer_kept *kept);
struct file *veneer_kept_add(struct veneer_kept *kept,
			     const struct super_block *sb, struct file *file);
void veneer_kept_drop(struct veneer_kept *kept);
unsigned int veneer_kept_count(void);
void veneer_kept_settle(const struct super_block *sb);

int veneer_kept_init(void);
void veneer_kept_exit(void);

#endif
