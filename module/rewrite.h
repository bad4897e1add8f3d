/* SPDX-License-Identifier: GPL-2.0-only */
/* Rewrite: data of a split file that may have failed to get to the disk. */
#ifndef VENEER_REWRITE_H
#define VENEER_REWRITE_H

#include <linux/fs.h>

int veneer_rewrite(struct inode *inode, struct file *inner);

#endif
