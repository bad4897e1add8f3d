// SPDX-License-Identifier: GPL-2.0-only
/*
 * POSIX ACLs of a mount's objects: the real object's, with the ids that the
 * real mount's mapping gives them.
 */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>

#include "acl.h"
#include "attr.h"
#include "compat.h"
#include "copyup.h"
#include "inode.h"
#include "writer.h"

/* A copy of @acl as it looks through @path's mount.  Gives @acl back. */
static struct posix_acl *map_ids(const struct path *path, struct posix_acl *acl)
{
	struct user_namespace *fs_ns = i_user_ns(d_inode(path->dentry));
	struct mnt_idmap *idmap = mnt_idmap(path->mnt);
	struct posix_acl *mapped = posix_acl_clone(acl, GFP_KERNEL);

	posix_acl_release(acl);
	if (!mapped)
		return ERR_PTR(-ENOMEM);

	for (unsigned int i = 0; i < mapped->a_count; i++) {
		struct posix_acl_entry *e = &mapped->a_entries[i];

		if (e->e_tag == ACL_USER)
			e->e_uid = vfsuid_into_kuid(make_vfsuid(idmap, fs_ns,
								e->e_uid));
		else if (e->e_tag == ACL_GROUP)
			e->e_gid = vfsgid_into_kgid(make_vfsgid(idmap, fs_ns,
								e->e_gid));
	}
	return mapped;
}

/**
 * veneer_real_acl - read a real object's ACL
 * @path: the object
 * @name: name of the ACL's extended attribute
 *
 * Return: the ACL, for the caller to release; %NULL for none; or an ERR_PTR().
 */
struct posix_acl *veneer_real_acl(const struct path *path, const char *name)
{
	struct posix_acl *acl = vfs_get_acl(mnt_idmap(path->mnt), path->dentry,
					    name);

	if (acl == ERR_PTR(-ENODATA) || acl == ERR_PTR(-EOPNOTSUPP))
		return NULL;
	if (IS_ERR_OR_NULL(acl) || !is_idmapped_mnt(path->mnt))
		return acl;
	return map_ids(path, acl);
}

/**
 * veneer_get_inode_acl - the ACL for a permission check
 * @inode: the object
 * @type: which ACL
 * @rcu: must not sleep
 */
struct posix_acl *veneer_get_inode_acl(struct inode *inode, int type, bool rcu)
{
	struct inode *real_inode;
	struct posix_acl *acl;
	struct path real;

	veneer_inode_real(inode, &real);
	real_inode = d_inode_rcu(real.dentry);
	if (!real_inode || !IS_POSIXACL(real_inode))
		return NULL;

	if (rcu) {
		/* Mapping allocates. */
		if (is_idmapped_mnt(real.mnt))
			return ERR_PTR(-ECHILD);
		return get_cached_acl_rcu(real_inode, type);
	}

	CLASS(veneer_cred, cred)(veneer_cred(inode->i_sb));
	acl = get_inode_acl(real_inode, type);
	if (IS_ERR_OR_NULL(acl) || !is_idmapped_mnt(real.mnt))
		return acl;
	return map_ids(&real, acl);
}

/**
 * veneer_get_acl - the ACL for a user who asks for it
 * @idmap: the id mapping that the mount was reached through
 * @dentry: the object
 * @type: which ACL
 */
struct posix_acl *veneer_get_acl(struct mnt_idmap *idmap, struct dentry *dentry,
				 int type)
{
	struct inode *inode = d_inode(dentry);
	struct path real;

	CLASS(veneer_cred, cred)(veneer_cred(inode->i_sb));
	veneer_inode_real(inode, &real);
	return veneer_real_acl(&real, posix_acl_xattr_name(type));
}

/* Taking away an ACL that is not there must not copy the object up. */
static bool acl_is_missing(struct dentry *dentry, int type)
{
	struct posix_acl *acl = veneer_get_acl(&nop_mnt_idmap, dentry, type);

	if (IS_ERR(acl))
		return false;
	posix_acl_release(acl);
	return !acl;
}

static int set_on_upper(struct inode *inode, struct posix_acl *acl, int type)
{
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	struct mnt_idmap *idmap = veneer_upper_idmap(m);
	struct dentry *upper = veneer_upper(inode);
	const char *name = posix_acl_xattr_name(type);
	int err;

	err = mnt_want_write(m->upper);
	if (err)
		return err;
	{
		CLASS(veneer_cred, cred)(veneer_writer_cred(m));

		if (acl)
			err = vfs_set_acl(idmap, upper, name, acl);
		else
			err = vfs_remove_acl(idmap, upper, name);
	}
	mnt_drop_write(m->upper);
	/* The mode may have changed with it. */
	if (!err)
		veneer_copyattr(inode);
	return err;
}

/**
 * veneer_set_acl - set or remove an ACL
 * @idmap: the id mapping that the mount was reached through
 * @dentry: the object
 * @acl: the ACL, or %NULL
 * @type: which ACL
 */
int veneer_set_acl(struct mnt_idmap *idmap, struct dentry *dentry,
		   struct posix_acl *acl, int type)
{
	struct inode *inode = d_inode(dentry);
	struct iattr attr = { .ia_valid = ATTR_MODE };
	struct path real;
	int err;

	veneer_inode_real(inode, &real);
	if (!IS_POSIXACL(d_inode(real.dentry)))
		return -EOPNOTSUPP;
	if (type == ACL_TYPE_DEFAULT && !S_ISDIR(inode->i_mode))
		return acl ? -EACCES : 0;
	if (!inode_owner_or_capable(idmap, inode))
		return -EPERM;
	if (!acl && !veneer_upper(inode) && acl_is_missing(dentry, type))
		return 0;

	err = veneer_copy_up(dentry);
	/*
	 * When it sets one, the upper will check for the setgid bit with the
	 * mounter's credentials; this is the check with the caller's.
	 */
	if (!err && acl && type == ACL_TYPE_ACCESS && (inode->i_mode & S_ISGID) &&
	    !in_group_or_capable(idmap, inode,
				 i_gid_into_vfsgid(idmap, inode))) {
		attr.ia_mode = inode->i_mode & ~S_ISGID;
		err = veneer_setattr(idmap, dentry, &attr);
	}
	return err ? err : set_on_upper(inode, acl, type);
}
