/* SPDX-License-Identifier: GPL-2.0-only */
/* What chattr(1) sets on files and directories of a mount. */
#ifndef VENEER_FILEATTR_H
#define VENEER_FILEATTR_H

#include <linux/fs.h>
#include <linux/path.h>

struct fileattr;

int veneer_fileattr_get(struct dentry *dentry, struct fileattr *fa);
int veneer_fileattr_set(struct mnt_idmap *idmap, struct dentry *dentry,
			struct fileattr *fa);
int veneer_fileattr_copy(const struct inode *inode, const struct path *from,
			 const struct path *to);
void veneer_fileattr_copied(struct inode *inode);

#endif
