/* SPDX-License-Identifier: GPL-2.0-only */
/* POSIX ACLs of a mount's objects. */
#ifndef VENEER_ACL_H
#define VENEER_ACL_H

#include <linux/posix_acl.h>

struct posix_acl *veneer_real_acl(const struct path *path, const char *name);
struct posix_acl *veneer_get_inode_acl(struct inode *inode, int type, bool rcu);
struct posix_acl *veneer_get_acl(struct mnt_idmap *idmap, struct dentry *dentry,
				 int type);
int veneer_set_acl(struct mnt_idmap *idmap, struct dentry *dentry,
		   struct posix_acl *acl, int type);

#endif
