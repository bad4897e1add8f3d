/* SPDX-License-Identifier: GPL-2.0-only */
/* Regular files of a mount, and what directories share with them. */
#ifndef VENEER_FILE_H
#define VENEER_FILE_H

#include <linux/fs.h>

#include "mount.h"

struct fileattr;

extern const struct inode_operations veneer_file_inode_operations;
extern const struct file_operations veneer_file_operations;
extern const struct address_space_operations veneer_address_operations;

unsigned int veneer_real_flags(unsigned int flags);
int veneer_file_adopt(struct file *file, struct file *real);
void veneer_file_drop(struct file *file);
int veneer_sync_status(struct veneer_mount *m);

int veneer_fileattr_get(struct dentry *dentry, struct fileattr *fa);
int veneer_fileattr_set(struct mnt_idmap *idmap, struct dentry *dentry,
			struct fileattr *fa);

#endif
