/* SPDX-License-Identifier: GPL-2.0-only */
/* Attributes of an object of a mount. */
#ifndef VENEER_ATTR_H
#define VENEER_ATTR_H

#include <linux/fs.h>

int veneer_permission(struct mnt_idmap *idmap, struct inode *inode, int mask);
int veneer_getattr(struct mnt_idmap *idmap, const struct path *path,
		   struct kstat *stat, u32 request_mask, unsigned int flags);
int veneer_setattr(struct mnt_idmap *idmap, struct dentry *dentry,
		   struct iattr *attr);

#endif
