// SPDX-License-Identifier: GPL-2.0-only
/*
 * Times: which timestamps an object of a mount shows, and where they move.
 *
 * Those of an object in the upper are the upper's.  Those of an object that is
 * only below are the layer's, which do not move: a read's atime, and the little
 * else that changes without a copy-up, is kept in the mount's inode.  A copy-up
 * takes it along; if there is none, it is forgotten with the inode.
 */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/mount.h>

#include "inode.h"
#include "times.h"

#define CHANGED	(S_MTIME | S_CTIME)

/**
 * veneer_times_copy - bring timestamps in step with the real object's
 * @inode: an object of a mount, its i_lock held
 * @real: the real object's inode
 */
void veneer_times_copy(struct inode *inode, const struct inode *real)
{
	const unsigned int own = veneer_upper(inode) ? 0 :
				 veneer_inode(inode)->own_times;

	if (!(own & S_ATIME))
		inode_set_atime_to_ts(inode, inode_get_atime(real));
	if (!(own & S_MTIME))
		inode_set_mtime_to_ts(inode, inode_get_mtime(real));
	if (!(own & S_CTIME))
		inode_set_ctime_to_ts(inode, inode_get_ctime(real));
}

/**
 * veneer_times_fill - add to the real object's attributes what the layer lacks
 * @inode: an object of a mount
 * @stat: attributes of the real object
 */
void veneer_times_fill(struct inode *inode, struct kstat *stat)
{
	const struct veneer_inode *vi = veneer_inode(inode);

	if (veneer_upper(inode) || !READ_ONCE(vi->own_times))
		return;
	spin_lock(&inode->i_lock);
	if (vi->own_times & S_ATIME)
		stat->atime = inode_get_atime(inode);
	if (vi->own_times & S_MTIME)
		stat->mtime = inode_get_mtime(inode);
	if (vi->own_times & S_CTIME)
		stat->ctime = inode_get_ctime(inode);
	spin_unlock(&inode->i_lock);
}

static void move_own(struct inode *inode, int flags)
{
	spin_lock(&inode->i_lock);
	/* It moves both of these for either. */
	if (flags & CHANGED)
		flags |= CHANGED;
	veneer_inode(inode)->own_times |= flags & (S_ATIME | CHANGED);
	inode_update_timestamps(inode, flags);
	spin_unlock(&inode->i_lock);
}

/**
 * veneer_times_changed - an object has changed: its ctime moves
 * @inode: an object of a mount; if it is in the upper, the change was made there
 */
void veneer_times_changed(struct inode *inode)
{
	spin_lock(&inode->i_lock);
	if (!veneer_upper(inode))
		veneer_inode(inode)->own_times |= S_CTIME;
	inode_set_ctime_current(inode);
	spin_unlock(&inode->i_lock);
}

/* Never waits for a frozen upper: a pipe may be locked. */
static int move_upper(struct inode *inode, const struct path *upper, int flags)
{
	struct inode *real = d_inode(upper->dentry);
	int err = 0;

	/*
	 * The mount's rules are kept, but the disk may have no atime at all, or be
	 * a server that moves times itself: an inode that its filesystem never makes
	 * dirty, FUSE's directories and pipes, cannot be written back, either.
	 */
	if (IS_NOATIME(real))
		flags &= ~S_ATIME;
	if (IS_NOCMTIME(real))
		flags &= ~CHANGED;
	if (!flags || !sb_start_write_trylock(real->i_sb))
		return 0;
	if (!__mnt_is_readonly(upper->mnt))
		err = inode_update_time(real, flags);
	sb_end_write(real->i_sb);
	return err;
}

/**
 * veneer_update_time - move timestamps
 * @inode: the object
 * @flags: S_* bits of the timestamps that move
 *
 * Of a regular file and a directory only atime comes here: every other one
 * moves where the change is made.  A pipe's move when it is written to.
 */
int veneer_update_time(struct inode *inode, int flags)
{
	struct dentry *upper = veneer_upper(inode);
	struct path path;
	int err;

	if (!special_file(inode->i_mode))
		flags &= S_ATIME;
	if (!flags)
		return 0;
	if (!upper) {
		move_own(inode, flags);
		return 0;
	}

	path = veneer_upper_path(veneer_mount(inode->i_sb), upper);
	err = move_upper(inode, &path, flags);
	spin_lock(&inode->i_lock);
	veneer_times_copy(inode, d_inode(upper));
	spin_unlock(&inode->i_lock);
	return err;
}

/**
 * veneer_ctime_put_back - let something that was done not tell
 * @real: an object of the upper, locked since before it was done, so that
 *	nobody else's change is hidden with it; the caller has write access
 * @ctime: what ctime was before
 *
 * For xfs, what is on the disk may be the other one when the power is cut
 * before the inode is written back.  Where a server moves ctime, it tells; see
 * move_upper().
 */
void veneer_ctime_put_back(struct inode *real, struct timespec64 ctime)
{
	if (IS_NOCMTIME(real))
		return;
	inode_set_ctime_to_ts(real, ctime);
	mark_inode_dirty_sync(real);
}
