// SPDX-License-Identifier: GPL-2.0-only
/*
 * Served: uppers of filesystems that a user may serve.
 *
 * Who serves an upper by FUSE decides when what is written to it is answered.
 * FUSE itself therefore keeps everybody's sync(2) from waiting for its files.  What
 * a mount has to write back itself, pages of mappings and block maps, would be
 * waited for: by sync(2), by a flusher, by who unmounts and holds s_umount, which
 * sync(2) takes.  So on such an upper a mount has nothing to write back, as
 * overlayfs has not:
 *
 * - a file that is opened for writing, or cut, is made whole first, and a copy-up
 *   of data copies all of it, in the time of who asks for it;
 * - mappings of a whole file are the upper's, even if others of it are of the
 *   mount's own pages still, or a layer's; those do not show later stores;
 * - write(2) goes to the upper, never to pages of our own;
 * - what a split file that is being made whole has gained is not saved in the
 *   background: its blocks are the same as below.
 */
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/string.h>

#include "copyup.h"
#include "inode.h"
#include "range.h"
#include "served.h"

/**
 * veneer_is_served - may a user serve this upper, or layer?
 * @mnt: its mount, rooted there
 *
 * Also by way of other filesystems that are stacked on his: a directory does not
 * tell what all of these have under them, so any that a user has mounted counts.
 * What a host serves to a guest by virtiofs is no user's.
 */
bool veneer_is_served(const struct vfsmount *mnt)
{
	const struct super_block *sb = mnt->mnt_sb;

	if (sb->s_stack_depth && sb->s_user_ns != &init_user_ns)
		return true;
	sb = d_real(mnt->mnt_root, D_REAL_METADATA)->d_sb;
	return sb->s_magic == FUSE_SUPER_MAGIC &&
	       strcmp(sb->s_type->name, "virtiofs");
}

/**
 * veneer_served_open - a file is being opened
 * @inode: the file, of which is known where its bytes are
 * @file: what it is opened as
 *
 * Return: 0, and on a mount of which veneer_is_served() is true the file is
 * whole, if it is to be written and not cut; or a negative error.
 */
int veneer_served_open(struct inode *inode, struct file *file)
{
	int err;

	if (!veneer_mount(inode->i_sb)->served || veneer_is_whole(inode) ||
	    !(file->f_mode & FMODE_WRITE))
		return 0;
	/* It is cut next, which makes it whole: what would be copied is to go. */
	if (file->f_flags & O_TRUNC)
		return 0;
	err = veneer_copy_up_data(file_dentry(file));
	if (err || veneer_is_whole(inode))
		return err;
	inode_lock(inode);
	err = veneer_make_whole_locked(inode);
	inode_unlock(inode);
	return err;
}
