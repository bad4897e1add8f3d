/* SPDX-License-Identifier: GPL-2.0-only */
/* Real: how the module opens real objects, of layers and of the upper. */
#ifndef VENEER_REAL_H
#define VENEER_REAL_H

#include <linux/fs.h>
#include <linux/path.h>

struct dentry *veneer_real_find(const struct vfsmount *mnt, struct dentry *dir,
				const char *name, umode_t type);
int veneer_real_may_open(const struct path *path, umode_t type, int flags);
struct file *veneer_real_open(const struct path *path, umode_t type, int flags);

#endif
