/* SPDX-License-Identifier: GPL-2.0-only */
/* Ranges: allocating, punching, copying, sharing and asking after them. */
#ifndef VENEER_RANGE_H
#define VENEER_RANGE_H

#include <linux/fs.h>

loff_t veneer_llseek(struct file *file, loff_t offset, int whence);
long veneer_fallocate(struct file *file, int mode, loff_t offset, loff_t len);
ssize_t veneer_copy_file_range(struct file *in, loff_t pos_in,
			       struct file *out, loff_t pos_out, size_t len,
			       unsigned int flags);
loff_t veneer_remap_file_range(struct file *in, loff_t pos_in,
			       struct file *out, loff_t pos_out, loff_t len,
			       unsigned int flags);
int veneer_fiemap(struct inode *inode, struct fiemap_extent_info *info,
		  u64 start, u64 len);
int veneer_make_whole_locked(struct inode *inode);
int veneer_make_whole(struct file *file);

#endif
