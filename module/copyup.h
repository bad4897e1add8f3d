/* SPDX-License-Identifier: GPL-2.0-only */
/* Copy-up: from "below" to "in the upper". */
#ifndef VENEER_COPYUP_H
#define VENEER_COPYUP_H

#include <linux/fs.h>

int veneer_copy_up(struct dentry *dentry);
int veneer_copy_up_data(struct dentry *dentry);
int veneer_copy_up_truncate(struct dentry *dentry, const struct iattr *attr);
int veneer_copy_up_from_mmap(struct dentry *dentry);

#endif
