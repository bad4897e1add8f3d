// SPDX-License-Identifier: GPL-2.0-only
/*
 * Project ids: of objects that move between work/ and the upper.
 *
 * A directory can hand its project on to what is made in it, and then takes in
 * by a rename only what has the same project.  What is made in work/ for such a
 * directory has that of work/: it is given the one that it would have if it had
 * been made there.
 */
#include <linux/cred.h>
#include <linux/fs.h>
/* Needs what that declares. */
#include <linux/fileattr.h>
#include <linux/quota.h>
#include <linux/sched/task.h>

#include "compat.h"
#include "project.h"

/* As asked for by FS_IOC_FSSETXATTR, all but the project as it is. */
static int set_project(const struct veneer_mount *m, struct dentry *object,
		       const struct fileattr *old, u32 projid)
{
	struct fileattr new;
	u32 flags = old->fsx_xflags;

	if (d_is_dir(object))
		flags |= FS_XFLAG_PROJINHERIT;
	fileattr_fill_xflags(&new, flags);
	new.fsx_extsize = old->fsx_extsize;
	new.fsx_cowextsize = old->fsx_cowextsize;
	new.fsx_projid = projid;
	return vfs_fileattr_set(veneer_upper_idmap(m), object, &new);
}

/* Has @dir a project to hand on that @object lacks? */
static bool lacks_project(struct dentry *object, struct dentry *dir,
			  struct fileattr *old, u32 *projid)
{
	struct fileattr from = { .fsx_valid = true };

	if (!(dir->d_sb->s_quota_types & QTYPE_MASK_PRJ) ||
	    vfs_fileattr_get(dir, &from) || vfs_fileattr_get(object, old))
		return false;
	*projid = from.fsx_projid;
	return (from.fsx_xflags & FS_XFLAG_PROJINHERIT) &&
	       from.fsx_projid != old->fsx_projid;
}

/**
 * veneer_project_adopt - give a new object the project of where it is to be
 * @m: the mount
 * @temp: an object of work/ that we have made
 * @dir: a directory of the upper that did not take it in
 *
 * To be called when a rename failed with %-EXDEV, without locks.  In a user
 * namespace nobody may change a project; but what is made in a directory gets it
 * without being asked, and this does no more.
 *
 * Return: 0, and the rename can be tried again; or %-EXDEV.
 */
int veneer_project_adopt(const struct veneer_mount *m, struct dentry *temp,
			 struct dentry *dir)
{
	struct fileattr old = { .fsx_valid = true };
	struct cred *kernel;
	u32 projid;
	int err;

	if (!lacks_project(temp, dir, &old, &projid))
		return -EXDEV;
	kernel = prepare_kernel_cred(&init_task);
	if (!kernel)
		return -EXDEV;
	{
		CLASS(veneer_cred, cred)(kernel);

		err = set_project(m, temp, &old, projid);
	}
	put_cred(kernel);
	return err ? -EXDEV : 0;
}

/**
 * veneer_project_give_up - let an object that is about to go into work/
 * @m: the mount
 * @upper: the object of the upper
 *
 * The same, where work/ is the directory.  The object has an owner, who may see
 * it by another name: the project of such a one stays, and the right to change
 * it is the mounter's.
 */
int veneer_project_give_up(const struct veneer_mount *m, struct dentry *upper)
{
	struct fileattr old = { .fsx_valid = true };
	u32 projid;

	if (!d_is_dir(upper) && d_inode(upper)->i_nlink > 1)
		return -EXDEV;
	if (!lacks_project(upper, m->work, &old, &projid))
		return -EXDEV;
	return set_project(m, upper, &old, projid) ? -EXDEV : 0;
}
