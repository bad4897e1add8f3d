// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names renamed.
 *
 * What makes this more than a rename in the upper is that the stack stays
 * where it is: a directory that has a lower part takes along where that is
 * (a redirect), one that has none must not get the lower part of its new name
 * (opaque), and the old name must not show what is below it (a whiteout).
 * All marks are made before the one rename in the upper, which leaves the
 * whiteout, too: none of them changes what is seen at the old name.
 */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/slab.h>

#include "compat.h"
#include "copyup.h"
#include "dir.h"
#include "inode.h"
#include "links.h"
#include "marks.h"
#include "namei.h"
#include "upper.h"
#include "writer.h"

/**
 * struct side - one end of a rename
 * @dir: the directory
 * @dentry: the name
 * @inode: what is there, or %NULL
 * @shines: the stack has something under this name
 */
struct side {
	struct inode	*dir;
	struct dentry	*dentry;
	struct inode	*inode;
	bool		shines;
};

static int ask_below(struct side *side)
{
	struct dentry *below = veneer_find_below(side->dir, side->dentry);

	if (IS_ERR(below))
		return PTR_ERR(below);
	side->shines = below;
	dput(below);
	return 0;
}

/* Is the lower part beside where a name in @dir has its own? */
static bool is_beside(const struct dentry *below, const struct inode *dir)
{
	const struct dentry *there = veneer_dir_below(dir);

	return there && d_inode(below->d_parent) == d_inode(there);
}

/* ext4 has one word for an attribute that is too long and for a full disk. */
static bool is_too_long(const struct veneer_mount *m, int err, const char *path)
{
	if (err == -ENOSPC)
		return strlen(path) > m->upper->mnt_sb->s_blocksize / 2;
	return err == -ENAMETOOLONG || err == -E2BIG || err == -ERANGE;
}

/*
 * A path that the upper cannot keep is not needed where a name will do.  If
 * that will not either, the user has to copy: mv(1) does, for this error.
 */
static int set_redirect(struct veneer_mount *m, struct inode *inode,
			const struct inode *dir)
{
	const struct path path = veneer_upper_path(m, veneer_upper(inode));
	const struct dentry *below = veneer_inode(inode)->below;
	char *buf, *to;
	int err;

	buf = kmalloc(PATH_MAX, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;

	to = dentry_path_raw(below, buf, PATH_MAX);
	err = PTR_ERR_OR_ZERO(to);
	if (!err)
		err = veneer_mark_set(&path, m->options.userxattr,
				      VENEER_MARK_REDIRECT, to, strlen(to));
	if (is_too_long(m, err, to)) {
		err = -EXDEV;
		if (is_beside(below, dir))
			err = veneer_mark_set(&path, m->options.userxattr,
					      VENEER_MARK_REDIRECT,
					      below->d_name.name,
					      below->d_name.len);
	}
	kfree(buf);
	return err;
}

/* Makes ready what is at @from for being at @to. */
static int prepare_move(struct veneer_mount *m, const struct side *from,
			const struct side *to)
{
	struct inode *inode = from->inode;
	struct path path;
	int err = 0;

	if (veneer_has_origin(inode) ||
	    (S_ISCHR(inode->i_mode) && inode->i_rdev == WHITEOUT_DEV))
		err = veneer_mark_impure(to->dir);
	if (err || !S_ISDIR(inode->i_mode))
		return err;

	if (veneer_dir_below(inode))
		return set_redirect(m, inode, to->dir);
	if (!to->shines)
		return 0;
	path = veneer_upper_path(m, veneer_upper(inode));
	return veneer_mark_set(&path, m->options.userxattr, VENEER_MARK_OPAQUE,
			       "y", 1);
}

/*
 * A directory that is empty to us may hold whiteouts in the upper.  Removes them,
 * for a rename to replace it.  It is opaque before, on the disk and to us, so that
 * it is empty at any moment, and as it was should the rename then fail.
 */
static int clear_whiteouts(struct veneer_mount *m, struct inode *inode)
{
	struct veneer_inode *vi = veneer_inode(inode);
	struct dentry *upper = veneer_upper(inode);
	const struct path path = veneer_upper_path(m, upper);
	int err;

	err = veneer_mark_set(&path, m->options.userxattr, VENEER_MARK_OPAQUE,
			      "y", 1);
	if (err)
		return err;
	vi->emptied = true;
	/* They were read together with what is below. */
	veneer_names_free(vi->names);
	vi->names = NULL;
	return veneer_upper_empty(m, upper);
}

static int check_target(const struct side *old, const struct side *new)
{
	if (!new->inode || !S_ISDIR(new->inode->i_mode))
		return 0;
	return veneer_dir_check_empty(new->inode);
}

/* The rename itself, with both directories of the upper locked. */
static int rename_upper(struct veneer_mount *m, const struct side *old,
			const struct side *new, unsigned int flags,
			struct dentry *trap, struct dentry **left)
{
	struct mnt_idmap *idmap = veneer_upper_idmap(m);
	struct renamedata rd = {
		.old_mnt_idmap	= idmap,
		.old_dir	= d_inode(veneer_upper(old->dir)),
		.new_mnt_idmap	= idmap,
		.new_dir	= d_inode(veneer_upper(new->dir)),
	};
	bool over_whiteout;
	int err = -ESTALE;

	rd.old_dentry = veneer_lookup_locked(idmap, old->dentry->d_name.name,
					     veneer_upper(old->dir));
	if (IS_ERR(rd.old_dentry))
		return PTR_ERR(rd.old_dentry);
	rd.new_dentry = veneer_lookup_locked(idmap, new->dentry->d_name.name,
					     veneer_upper(new->dir));
	if (IS_ERR(rd.new_dentry)) {
		dput(rd.old_dentry);
		return PTR_ERR(rd.new_dentry);
	}

	if (rd.old_dentry == trap || rd.new_dentry == trap ||
	    d_inode(rd.old_dentry) != d_inode(veneer_upper(old->inode)) ||
	    ((flags & RENAME_EXCHANGE) &&
	     d_inode(rd.new_dentry) != d_inode(veneer_upper(new->inode))))
		goto out;

	/*
	 * A directory cannot replace a whiteout, but can change places with
	 * it; it is then where one may be wanted anyway.
	 */
	over_whiteout = d_is_dir(rd.old_dentry) &&
			d_is_positive(rd.new_dentry) &&
			!d_is_dir(rd.new_dentry);
	if ((flags & RENAME_EXCHANGE) || over_whiteout)
		rd.flags = RENAME_EXCHANGE;
	else if (old->shines)
		rd.flags = RENAME_WHITEOUT;

	err = vfs_rename(&rd);
	if (!err && over_whiteout && !(flags & RENAME_EXCHANGE) &&
	    !old->shines)
		*left = dget(rd.new_dentry);
out:
	dput(rd.old_dentry);
	dput(rd.new_dentry);
	return err;
}

static int rename_real(struct veneer_mount *m, const struct side *old,
		       const struct side *new, unsigned int flags)
{
	struct dentry *old_dir = veneer_upper(old->dir);
	struct dentry *new_dir = veneer_upper(new->dir);
	struct dentry *trap, *left = NULL;
	int err;

	trap = lock_rename(new_dir, old_dir);
	if (IS_ERR(trap))
		return PTR_ERR(trap);
	err = rename_upper(m, old, new, flags, trap, &left);
	/* A whiteout that hides nothing. */
	if (left)
		vfs_unlink(veneer_upper_idmap(m), d_inode(old_dir), left, NULL);
	unlock_rename(new_dir, old_dir);
	dput(left);
	return err;
}

static int prepare_and_rename(struct veneer_mount *m, struct side *old,
			      struct side *new, unsigned int flags)
{
	const bool exchange = flags & RENAME_EXCHANGE;
	int err;

	err = ask_below(old);
	if (!err)
		err = ask_below(new);
	if (!err)
		err = prepare_move(m, old, new);
	if (!err && exchange)
		err = prepare_move(m, new, old);
	if (!err)
		err = rename_real(m, old, new, flags);
	/* POSIX allows both; xfs says the second. */
	if ((err != -ENOTEMPTY && err != -EEXIST) || exchange)
		return err;

	/* It was empty when we looked: so what is in it are whiteouts. */
	err = clear_whiteouts(m, new->inode);
	return err ? : rename_real(m, old, new, flags);
}

/* Brings the caches of names in step with what was done. */
static void note_names(const struct side *old, const struct side *new,
		       unsigned int flags)
{
	const struct qstr *on = &old->dentry->d_name, *nn = &new->dentry->d_name;

	veneer_names_set(new->dir, nn->name, nn->len, old->inode->i_ino,
			 fs_umode_to_dtype(old->inode->i_mode));
	if (flags & RENAME_EXCHANGE)
		veneer_names_set(old->dir, on->name, on->len,
				 new->inode->i_ino,
				 fs_umode_to_dtype(new->inode->i_mode));
	else if (old->shines)
		veneer_names_hide(old->dir, on->name, on->len);
	else
		veneer_names_drop(old->dir, on->name, on->len);

	veneer_copyattr(old->inode);
	veneer_copyattr(old->dir);
	veneer_copyattr(new->dir);
	if (new->inode && (flags & RENAME_EXCHANGE))
		veneer_copyattr(new->inode);
	else if (new->inode)
		veneer_inode_lost_name(new->inode);
}

/*
 * What the caller calls a whiteout is an object like any other to us, which is
 * put at the old name when the rename is done.  Should this fail, the rename is
 * taken back, unless it has replaced something.
 */
static int leave_cdev0(struct veneer_mount *m, const struct side *old,
		       const struct side *new, struct dentry *cdev0)
{
	const struct side from = {
		.dir	= new->dir,
		.dentry	= new->dentry,
		.inode	= old->inode,
		.shines	= new->shines,
	};
	const struct side to = { .dir = old->dir, .dentry = old->dentry };
	int err = veneer_temp_install(m, cdev0, veneer_upper(old->dir),
				      old->dentry->d_name.name);

	if (!err)
		return 0;
	if (!new->inode && !rename_real(m, &from, &to, 0))
		return err;
	/* The dcache must learn of what was done. */
	d_drop(old->dentry);
	d_drop(new->dentry);
	note_names(old, new, 0);
	return err;
}

/* With @cdev0, a new object or %NULL, left at the old name. */
static int rename_all(struct veneer_mount *m, struct side *old,
		      struct side *new, unsigned int flags,
		      struct dentry *cdev0)
{
	const struct qstr *name = &old->dentry->d_name;
	int err;

	err = prepare_and_rename(m, old, new, flags);
	if (!err && cdev0)
		err = leave_cdev0(m, old, new, cdev0);
	if (err)
		return err;
	note_names(old, new, flags);
	if (cdev0)
		veneer_names_set(old->dir, name->name, name->len,
				 veneer_upper_ino(m, cdev0), DT_CHR);
	return 0;
}

int veneer_rename(struct mnt_idmap *idmap, struct inode *old_dir,
		  struct dentry *old_dentry, struct inode *new_dir,
		  struct dentry *new_dentry, unsigned int flags)
{
	struct veneer_mount *m = veneer_mount(old_dir->i_sb);
	struct side old = { old_dir, old_dentry, d_inode(old_dentry) };
	struct side new = { new_dir, new_dentry, d_inode(new_dentry) };
	const bool exchange = flags & RENAME_EXCHANGE;
	/* What is replaced may be being copied up, to the name it loses. */
	struct mutex *victim = NULL;
	struct dentry *cdev0 = NULL;
	int err;

	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	if (veneer_is_reserved(old_dir, old_dentry) ||
	    veneer_is_reserved(new_dir, new_dentry))
		return -EPERM;

	err = exchange ? 0 : check_target(&old, &new);
	if (!err)
		err = veneer_copy_up(old_dentry);
	if (!err)
		err = veneer_links_copy_up(old_dentry);
	if (!err)
		err = veneer_copy_up(new_dentry->d_parent);
	if (!err && exchange)
		err = veneer_copy_up(new_dentry);
	if (!err && new.inode)
		err = veneer_links_copy_up(new_dentry);
	if (err)
		return err;

	if (new.inode && !exchange) {
		victim = &veneer_inode(new.inode)->lock;
		if (mutex_lock_killable(victim))
			return -EINTR;
	}
	err = mnt_want_write(m->upper);
	if (!err) {
		/* Before the rename, while all can be given up. */
		if (flags & RENAME_WHITEOUT)
			cdev0 = veneer_cdev0_make(idmap, old_dir, old_dentry);

		CLASS(veneer_cred, cred)(veneer_writer_cred(m));

		err = PTR_ERR_OR_ZERO(cdev0);
		if (!err && victim && veneer_inode(new.inode)->links)
			err = veneer_links_settle(new.inode);
		if (!err)
			err = rename_all(m, &old, &new, flags, cdev0);
		if (!err && victim && veneer_inode(new.inode)->links)
			veneer_links_lost_name(new.inode);
		if (err && !IS_ERR_OR_NULL(cdev0))
			veneer_temp_discard(m, cdev0);
		mnt_drop_write(m->upper);
	}
	if (!IS_ERR(cdev0))
		dput(cdev0);
	if (!err && victim && !veneer_upper(new.inode))
		veneer_inode(new.inode)->nameless = true;
	if (victim)
		mutex_unlock(victim);
	return err;
}
