// SPDX-License-Identifier: GPL-2.0-only
/*
 * What chattr(1) sets on files and directories of a mount.
 *
 * That something is immutable or append-only is a mark in the upper, and not
 * the flag of the real object: from that the mount itself would be kept, which
 * has to give the object its name, and to copy up what is in a directory.  The
 * mark is overlayfs's.  The VFS obeys the flags of the mount's own inode.  All
 * other flags are those of the real object, and some are copied up with it.
 */
#include <linux/cred.h>
#include <linux/fs.h>
/* Needs what that declares. */
#include <linux/fileattr.h>
#include <linux/mount.h>
#include <linux/security.h>

#include "compat.h"
#include "copyup.h"
#include "fileattr.h"
#include "inode.h"
#include "marks.h"
#include "real.h"

#define PROT	(S_IMMUTABLE | S_APPEND)

/*
 * Wishes of a user, which follow an object into the upper.  How the layer's
 * filesystem stores it (extents, compression, checksums) does not, and a
 * project is for whoever accounts for the upper to give.
 */
#define COPIED_FL	(FS_SYNC_FL | FS_DIRSYNC_FL | FS_NOATIME_FL | FS_NODUMP_FL)

static void set_prot(struct inode *inode, unsigned int prot)
{
	spin_lock(&inode->i_lock);
	veneer_inode(inode)->prot = prot;
	spin_unlock(&inode->i_lock);
}

/*
 * For a file that is open, fileattr_get() and fileattr_set() stand for an ioctl(2)
 * on the real object, which a security module has a say in.  It has been asked
 * about the caller and the mount's object; this asks about the mounter.
 */
static int may_ioctl(const struct path *real, const struct fileattr *fa, bool set)
{
	const umode_t type = d_inode(real->dentry)->i_mode & S_IFMT;
	struct file *file;
	unsigned int cmd;
	int err;

	/* Nothing else can be opened to do an ioctl() on it. */
	if (type != S_IFREG && type != S_IFDIR)
		return 0;
	file = veneer_real_open(real, type, O_RDONLY);
	if (IS_ERR(file))
		return PTR_ERR(file);
	if (set)
		cmd = fa->fsx_valid ? FS_IOC_FSSETXATTR : FS_IOC_SETFLAGS;
	else
		cmd = fa->fsx_valid ? FS_IOC_FSGETXATTR : FS_IOC_GETFLAGS;
	err = security_file_ioctl(file, cmd, 0);
	fput(file);
	return err;
}

int veneer_fileattr_get(struct dentry *dentry, struct fileattr *fa)
{
	struct inode *inode = d_inode(dentry);
	struct path real;
	int err;

	CLASS(veneer_cred, cred)(veneer_cred(dentry->d_sb));
	veneer_inode_real(inode, &real);
	err = may_ioctl(&real, fa, false);
	if (!err)
		err = vfs_fileattr_get(real.dentry, fa);
	if (err)
		return err;
	if (inode->i_flags & S_IMMUTABLE) {
		fa->flags |= FS_IMMUTABLE_FL;
		fa->fsx_xflags |= FS_XFLAG_IMMUTABLE;
	}
	if (inode->i_flags & S_APPEND) {
		fa->flags |= FS_APPEND_FL;
		fa->fsx_xflags |= FS_XFLAG_APPEND;
	}
	return 0;
}

/* Runs with the mounter's credentials and write access to the upper. */
static int set_on_upper(struct inode *inode, struct fileattr *fa)
{
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	const struct path path = veneer_upper_path(m, veneer_upper(inode));
	unsigned int prot = 0;
	int err;

	if (fa->flags & FS_IMMUTABLE_FL)
		prot |= S_IMMUTABLE;
	if (fa->flags & FS_APPEND_FL)
		prot |= S_APPEND;
	fa->flags &= ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
	fa->fsx_xflags &= ~(FS_XFLAG_IMMUTABLE | FS_XFLAG_APPEND);

	err = may_ioctl(&path, fa, true);
	/* This may refuse a flag, and takes those away that we do not set. */
	if (!err)
		err = vfs_fileattr_set(veneer_upper_idmap(m), path.dentry, fa);
	if (err || prot == veneer_inode(inode)->prot)
		return err;
	err = veneer_prot_set(&path, m->options.userxattr, prot);
	if (!err)
		set_prot(inode, prot);
	return err;
}

int veneer_fileattr_set(struct mnt_idmap *idmap, struct dentry *dentry,
			struct fileattr *fa)
{
	struct inode *inode = d_inode(dentry);
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	int err;

	err = veneer_copy_up(dentry);
	if (err)
		return err;
	err = mnt_want_write(m->upper);
	if (err)
		return err;
	{
		CLASS(veneer_cred, cred)(m->cred);

		err = set_on_upper(inode, fa);
	}
	mnt_drop_write(m->upper);
	veneer_copyattr(inode);
	return err;
}

/* What to do without: the one has no such flags, or the other does not. */
static bool has_none(int err)
{
	return err == -ENOIOCTLCMD || err == -ENOTTY || err == -EOPNOTSUPP ||
	       err == -EINVAL;
}

/**
 * veneer_fileattr_copy - copy the flags that follow an object into the upper
 * @inode: the object of the mount, not yet in the upper
 * @from: the real object below
 * @to: the new one
 *
 * Runs with the mounter's credentials.
 */
int veneer_fileattr_copy(const struct inode *inode, const struct path *from,
			 const struct path *to)
{
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	struct fileattr old = { .flags_valid = true };
	struct fileattr new = { .flags_valid = true };
	int err;

	if (!S_ISREG(inode->i_mode) && !S_ISDIR(inode->i_mode))
		return 0;
	if (inode->i_flags & PROT) {
		err = veneer_prot_set(to, m->options.userxattr,
				      inode->i_flags & PROT);
		if (err)
			return err;
	}

	err = vfs_fileattr_get(from->dentry, &old);
	if (!err && !(old.flags & COPIED_FL))
		return 0;
	if (!err)
		err = vfs_fileattr_get(to->dentry, &new);
	if (!err) {
		new.flags |= old.flags & COPIED_FL;
		new.fsx_xflags |= old.fsx_xflags &
				  (FS_XFLAG_SYNC | FS_XFLAG_NOATIME |
				   FS_XFLAG_NODUMP);
		err = vfs_fileattr_set(mnt_idmap(to->mnt), to->dentry, &new);
	}
	return has_none(err) ? 0 : err;
}

/**
 * veneer_fileattr_copied - the flags are marked in the upper now
 * @inode: the object, its lock held
 */
void veneer_fileattr_copied(struct inode *inode)
{
	set_prot(inode, inode->i_flags & PROT);
}
