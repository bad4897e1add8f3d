/* SPDX-License-Identifier: GPL-2.0-only */
/* Served: uppers of filesystems that a user may serve. */
#ifndef VENEER_SERVED_H
#define VENEER_SERVED_H

#include <linux/fs.h>

#include "mount.h"

bool veneer_is_served(const struct vfsmount *mnt);
int veneer_served_open(struct inode *inode, struct file *file);

#endif
