/* SPDX-License-Identifier: GPL-2.0-only */
/* Timestamps of a mount's objects. */
#ifndef VENEER_TIMES_H
#define VENEER_TIMES_H

#include <linux/fs.h>

void veneer_times_copy(struct inode *inode, const struct inode *real);
void veneer_times_fill(struct inode *inode, struct kstat *stat);
void veneer_times_changed(struct inode *inode);
int veneer_update_time(struct inode *inode, int flags);
void veneer_ctime_put_back(struct inode *real, struct timespec64 ctime);

#endif
