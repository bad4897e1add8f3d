/* SPDX-License-Identifier: GPL-2.0-only */
/* Write-back errors: whoever has a file of a mount open is told of them. */
#ifndef VENEER_WBERR_H
#define VENEER_WBERR_H

#include <linux/fs.h>

void veneer_wberr_begin(struct inode *inode, const struct dentry *upper);
int veneer_wberr_take(struct inode *inode);
void veneer_wberr_set(struct inode *inode, int err);
void veneer_wberr_skip(struct file *real);
int veneer_wberr_fsync(struct inode *inode, struct file *real, loff_t start,
		       loff_t end, int datasync);
int veneer_wberr_synced(struct inode *inode, int err);
int veneer_wberr_tell(struct file *file, int err);
void veneer_wberr_take_super(struct super_block *sb);

#endif
