/* SPDX-License-Identifier: GPL-2.0-only */
/* Regular files of a mount, and what directories share with them. */
#ifndef VENEER_FILE_H
#define VENEER_FILE_H

#include <linux/fs.h>

#include "mount.h"

extern const struct inode_operations veneer_file_inode_operations;
extern const struct file_operations veneer_file_operations;

/**
 * struct veneer_file - an open file, in its private_data
 * @nr: how many places its bytes can come from
 * @real: the real files, by veneer_run.where, each %NULL until it is needed; a
 *	reference, set once by cmpxchg, dropped at release
 *
 * FMODE_NOWAIT of the mount's file is that of the real one that was opened
 * first.  The others are asked for it one by one: veneer_real_file_nowait().
 */
struct veneer_file {
	unsigned int	nr;
	struct file	*real[] __counted_by(nr);
};

/* What fcntl(F_SETFL) can change after open. */
#define VENEER_SETFL_MASK	(O_APPEND | O_NONBLOCK | O_NDELAY | O_DIRECT)

unsigned int veneer_real_flags(unsigned int flags);
int veneer_file_adopt(struct file *file, struct file *real);
void veneer_file_drop(struct file *file);
struct file *veneer_real_file_ready(const struct file *file,
				    unsigned int where);
struct file *veneer_real_file_nowait(const struct file *file,
				     unsigned int where);
struct file *veneer_real_file_to_write(const struct file *file);
int veneer_data_ready(struct inode *inode);
int veneer_sync_upper(struct inode *inode, struct file *real, loff_t start,
		      loff_t end, int datasync);
int veneer_sync_name(struct inode *inode, struct file *real);
int veneer_sync_written(struct file *file, loff_t pos, loff_t len);
int veneer_sync_status(struct veneer_mount *m);

/**
 * veneer_real_file - the real file for a place
 * @file: the mount's file
 * @where: the place, from veneer_source()
 *
 * Return: the real file, which lives as long as @file and is not to be put; or
 * an ERR_PTR().
 */
static inline struct file *veneer_real_file(const struct file *file,
					    unsigned int where)
{
	const struct veneer_file *vf = file->private_data;
	/* Pairs with the cmpxchg() of whoever opened it. */
	struct file *real = smp_load_acquire(&vf->real[where]);

	if (likely(real) &&
	    likely(!((real->f_flags ^ file->f_flags) & VENEER_SETFL_MASK)))
		return real;
	return veneer_real_file_ready(file, where);
}

#endif
