// SPDX-License-Identifier: GPL-2.0-only
/* Names removed: unlink and rmdir. */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/namei.h>

#include "compat.h"
#include "copyup.h"
#include "dir.h"
#include "inode.h"
#include "links.h"
#include "namei.h"
#include "upper.h"

/*
 * The object that the upper has at this name: %NULL for none.  A name of the
 * mount is in the upper when its inode is, but for what was done to the upper
 * behind our back.
 */
static struct dentry *upper_at_name(struct veneer_mount *m, struct inode *dir,
				    const struct dentry *dentry)
{
	struct dentry *expected = veneer_upper(d_inode(dentry));
	struct dentry *upper;

	if (!expected)
		return NULL;

	upper = veneer_lookup_unlocked(veneer_upper_idmap(m),
				       dentry->d_name.name, veneer_upper(dir));
	if (!IS_ERR(upper) && d_inode(upper) != d_inode(expected)) {
		dput(upper);
		return ERR_PTR(-ESTALE);
	}
	return upper;
}

/* Removes an object whose name nothing below has. */
static int remove_plain(struct veneer_mount *m, struct inode *dir,
			struct dentry *upper)
{
	struct mnt_idmap *idmap = veneer_upper_idmap(m);
	struct dentry *upper_dir = veneer_upper(dir);
	int err;

	inode_lock_nested(d_inode(upper_dir), I_MUTEX_PARENT);
	if (upper->d_parent != upper_dir || d_unhashed(upper))
		err = -ESTALE;
	else if (d_is_dir(upper))
		err = vfs_rmdir(idmap, d_inode(upper_dir), upper);
	else
		err = vfs_unlink(idmap, d_inode(upper_dir), upper, NULL);
	inode_unlock(d_inode(upper_dir));
	return err;
}

static int remove_upper(struct veneer_mount *m, struct inode *dir,
			struct dentry *upper, bool whiteout)
{
	int err;

	if (!whiteout) {
		err = remove_plain(m, dir, upper);
		/* To us it is empty: so what is in it are whiteouts. */
		if (err != -ENOTEMPTY && err != -EEXIST)
			return err;
	}
	err = veneer_temp_take(m, upper, whiteout);
	if (!err)
		veneer_temp_discard(m, upper);
	return err;
}

static int remove_name(struct veneer_mount *m, struct inode *dir,
		       const struct dentry *dentry, bool *whiteout)
{
	struct inode *inode = d_inode(dentry);
	struct dentry *upper, *below;
	unsigned int nlink;
	int err;

	below = veneer_find_below(dir, dentry);
	if (IS_ERR(below))
		return PTR_ERR(below);
	*whiteout = below;
	dput(below);

	upper = upper_at_name(m, dir, dentry);
	if (IS_ERR(upper))
		return PTR_ERR(upper);
	if (!upper)
		return veneer_upper_whiteout(m, veneer_upper(dir),
					     dentry->d_name.name);
	if (d_is_dir(upper)) {
		err = remove_upper(m, dir, upper, *whiteout);
	} else {
		nlink = veneer_upper_nlink(inode);
		err = remove_upper(m, dir, upper, *whiteout);
		if (!err)
			veneer_count_stray(inode, nlink - 1);
	}
	dput(upper);
	return err;
}

static int remove(struct inode *dir, struct dentry *dentry)
{
	struct veneer_mount *m = veneer_mount(dir->i_sb);
	struct inode *inode = d_inode(dentry);
	bool whiteout;
	int err;

	err = veneer_copy_up(dentry->d_parent);
	if (!err)
		err = veneer_links_copy_up(dentry);
	if (err)
		return err;

	/* Either a copy-up of @inode sees that its name is gone, or we see it. */
	if (mutex_lock_killable(&veneer_inode(inode)->lock))
		return -EINTR;
	err = mnt_want_write(m->upper);
	if (!err) {
		CLASS(veneer_cred, cred)(m->cred);

		if (veneer_inode(inode)->links)
			err = veneer_links_settle(inode);
		if (!err)
			err = remove_name(m, dir, dentry, &whiteout);
		if (!err && veneer_inode(inode)->links)
			veneer_links_lost_name(inode);
		mnt_drop_write(m->upper);
	}
	if (!err && !veneer_upper(inode))
		veneer_inode(inode)->nameless = true;
	mutex_unlock(&veneer_inode(inode)->lock);
	if (err)
		return err;

	if (whiteout)
		veneer_names_hide(dir, dentry->d_name.name, dentry->d_name.len);
	else
		veneer_names_drop(dir, dentry->d_name.name, dentry->d_name.len);
	veneer_inode_lost_name(inode);
	veneer_copyattr(dir);
	return 0;
}

int veneer_unlink(struct inode *dir, struct dentry *dentry)
{
	return remove(dir, dentry);
}

int veneer_rmdir(struct inode *dir, struct dentry *dentry)
{
	int err = veneer_dir_check_empty(d_inode(dentry));

	return err ? err : remove(dir, dentry);
}
