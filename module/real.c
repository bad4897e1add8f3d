// SPDX-License-Identifier: GPL-2.0-only
/*
 * Real: how the module opens real objects, of layers and of the upper.
 *
 * To open a dentry is to trust whoever made what is there.  The walk of a path
 * asks first what kind of object it is and whether the caller may; nothing does
 * that for a dentry.  So here is asked what a walk would ask, with the mounter's
 * credentials, and more: what is not of the kind that is wanted is not opened at
 * all, since to open a device or a FIFO may do something, or never return.
 */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/mount.h>

#include "compat.h"
#include "log.h"
#include "real.h"

static int wrong_type(const struct dentry *dentry, umode_t type)
{
	veneer_err_ratelimited("%pd2 is not a %s; it is not opened\n", dentry,
			       S_ISDIR(type) ? "directory" : "regular file");
	return -EUCLEAN;
}

/**
 * veneer_real_find - find an object that has one of our own names
 * @mnt: the mount that it is on
 * @dir: the directory, a positive dentry, not locked
 * @name: the name
 * @type: what it has to be: %S_IFREG or %S_IFDIR
 *
 * Runs with the mounter's credentials.
 *
 * Return: the object with a reference; %NULL when there is none; %-EUCLEAN with
 * a line in the log when it, or @dir, is something else; or another ERR_PTR().
 */
struct dentry *veneer_real_find(const struct vfsmount *mnt, struct dentry *dir,
				const char *name, umode_t type)
{
	struct dentry *found;
	bool fits;

	if (!d_can_lookup(dir))
		return ERR_PTR(wrong_type(dir, S_IFDIR));
	found = veneer_lookup_unlocked(mnt_idmap(mnt), name, dir);
	if (IS_ERR(found))
		return found;
	if (d_is_negative(found)) {
		dput(found);
		return NULL;
	}
	fits = S_ISDIR(type) ? d_can_lookup(found) : d_is_reg(found);
	if (!fits) {
		int err = wrong_type(found, type);

		dput(found);
		return ERR_PTR(err);
	}
	return found;
}

/**
 * veneer_real_may_open - may the mounter open a real object?
 * @path: the object
 * @type: what it has to be: %S_IFREG or %S_IFDIR
 * @flags: as for open(2)
 *
 * Runs with the mounter's credentials.
 *
 * Return: 0; %-EUCLEAN with a line in the log when it is something else; or
 * another negative error.
 */
int veneer_real_may_open(const struct path *path, umode_t type, int flags)
{
	struct inode *inode = d_inode(path->dentry);
	int acc_mode = ACC_MODE(flags) | MAY_OPEN;
	int err;

	if (!inode)
		return -ENOENT;
	if ((inode->i_mode & S_IFMT) != type)
		return wrong_type(path->dentry, type);
	if (flags & O_APPEND)
		acc_mode |= MAY_APPEND;
	err = inode_permission(mnt_idmap(path->mnt), inode, acc_mode);
	if (!err && IS_APPEND(inode) && (acc_mode & MAY_WRITE) &&
	    !(flags & O_APPEND))
		err = -EPERM;
	return err;
}

/**
 * veneer_real_open - open a real object for the module itself
 * @path: the object
 * @type: what it has to be: %S_IFREG or %S_IFDIR
 * @flags: %O_RDONLY, %O_WRONLY or %O_RDWR; and %O_NONBLOCK for %-EAGAIN if a
 *	lease is in the way, which is broken then, but not waited for
 *
 * Runs with the mounter's credentials.  Nobody is told of it, nor of what is
 * read and written through the file: who listens to an object and has a say in
 * its use would have to be waited for, in a page fault or in writeback.  Its
 * atime stays, where the mounter may say so.
 *
 * The file has no descriptor, and does not count as one of those that the
 * system has open: data that is on its way to the disk must not be lost
 * because others have opened many.
 *
 * Return: the file, for fput(); or as for veneer_real_may_open() an ERR_PTR().
 */
struct file *veneer_real_open(const struct path *path, umode_t type, int flags)
{
	int err = veneer_real_may_open(path, type, flags);
	struct file *file;

	if (err)
		return ERR_PTR(err);
	flags |= O_LARGEFILE | __FMODE_NONOTIFY;
	if (S_ISDIR(type))
		flags |= O_DIRECTORY;
	if (inode_owner_or_capable(mnt_idmap(path->mnt), d_inode(path->dentry)))
		flags |= O_NOATIME;
	file = kernel_file_open(path, flags, current_cred());
	/* That was for the open. */
	if (!IS_ERR(file))
		file->f_flags &= ~O_NONBLOCK;
	return file;
}
