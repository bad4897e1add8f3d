// SPDX-License-Identifier: GPL-2.0-only
/*
 * Upper: making, naming and removing real objects in the upper and in work/.
 *
 * An object that needs more than one step is made in work/ and gets its name
 * by one rename, so that nothing half made is ever seen, not even after a
 * power cut.  What is left in work/ is removed by the next mount.
 *
 * Callers run with the mounter's credentials and hold write access to the
 * upper's mount.
 */
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat.h"
#include "log.h"
#include "marks.h"
#include "project.h"
#include "real.h"
#include "times.h"
#include "upper.h"

#define TEMP_NAME_LEN	16

/* Makes an object at a negative dentry; its directory is locked. */
static int make_at(struct veneer_mount *m, struct inode *dir,
		   struct dentry *dentry, const struct veneer_new *new)
{
	struct mnt_idmap *idmap = veneer_upper_idmap(m);

	if (new->hardlink)
		return vfs_link(new->hardlink, idmap, dir, dentry, NULL);

	switch (new->mode & S_IFMT) {
	case S_IFREG:
		return vfs_create(idmap, dir, dentry, new->mode, true);
	case S_IFDIR:
		return vfs_mkdir(idmap, dir, dentry, new->mode);
	case S_IFLNK:
		return vfs_symlink(idmap, dir, dentry, new->link);
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		return vfs_mknod(idmap, dir, dentry, new->mode, new->rdev);
	default:
		return -EINVAL;
	}
}

static bool is_as_asked(const struct dentry *dentry, const struct veneer_new *new)
{
	if (new->hardlink)
		return d_inode(dentry) == d_inode(new->hardlink);
	if (S_ISDIR(new->mode))
		return d_can_lookup(dentry);
	return !((d_inode(dentry)->i_mode ^ new->mode) & S_IFMT);
}

/* The same at a name of a locked directory. */
static struct dentry *make_named(struct veneer_mount *m, struct dentry *dir,
				 const char *name, const struct veneer_new *new)
{
	struct dentry *dentry;
	int err = 0;

	dentry = veneer_lookup_locked(veneer_upper_idmap(m), name, dir);
	if (IS_ERR(dentry))
		return dentry;
	if (d_is_positive(dentry))
		err = -EEXIST;
	else
		err = make_at(m, d_inode(dir), dentry, new);

	/* Some filesystems leave a new directory to be looked up. */
	if (!err && (d_is_negative(dentry) || d_unhashed(dentry))) {
		dput(dentry);
		dentry = veneer_lookup_locked(veneer_upper_idmap(m), name, dir);
		if (IS_ERR(dentry))
			return dentry;
		if (d_is_negative(dentry))
			err = -EIO;
	}
	/* Who serves the upper may say that something else was made. */
	if (!err && !is_as_asked(dentry, new))
		err = -EIO;
	if (!err)
		return dentry;
	dput(dentry);
	return ERR_PTR(err);
}

/**
 * veneer_upper_make - make an object under its own name
 * @m: the mount
 * @dir: a directory of the upper, not locked
 * @name: the name
 * @new: what to make
 *
 * Return: the object with a reference; %-EEXIST when the name is taken, by a
 * whiteout for instance; or another ERR_PTR().
 */
struct dentry *veneer_upper_make(struct veneer_mount *m, struct dentry *dir,
				 const char *name, const struct veneer_new *new)
{
	struct dentry *dentry;

	inode_lock_nested(d_inode(dir), I_MUTEX_PARENT);
	dentry = make_named(m, dir, name, new);
	inode_unlock(d_inode(dir));
	return dentry;
}

/*
 * Whatever else moves the times of a directory of the upper holds its lock: put
 * back before that is given up, they do not tell of what was done under it.
 * Of ia_ctime notify_change() knows nothing.
 */
static struct iattr times_of(struct dentry *dir)
{
	return (struct iattr) {
		.ia_valid = ATTR_ATIME | ATTR_MTIME | ATTR_ATIME_SET |
			    ATTR_MTIME_SET,
		.ia_atime = inode_get_atime(d_inode(dir)),
		.ia_mtime = inode_get_mtime(d_inode(dir)),
		.ia_ctime = inode_get_ctime(d_inode(dir)),
	};
}

/* What was done is done; a wrong time would be no reason to fail. */
static void put_times_back(struct veneer_mount *m, struct dentry *dir,
			   struct iattr *times)
{
	const struct timespec64 ctime = times->ia_ctime;

	notify_change(veneer_upper_idmap(m), dir, times, NULL);
	veneer_ctime_put_back(d_inode(dir), ctime);
}

/**
 * veneer_upper_make_unseen - make an object that is no change to users
 * @m: the mount
 * @dir: a directory of the upper, not locked
 * @name: the name
 * @new: what to make
 *
 * As veneer_upper_make(), but the directory's times do not tell.
 */
struct dentry *veneer_upper_make_unseen(struct veneer_mount *m,
					struct dentry *dir, const char *name,
					const struct veneer_new *new)
{
	struct dentry *dentry;
	struct iattr times;

	inode_lock_nested(d_inode(dir), I_MUTEX_PARENT);
	times = times_of(dir);
	dentry = make_named(m, dir, name, new);
	if (!IS_ERR(dentry))
		put_times_back(m, dir, &times);
	inode_unlock(d_inode(dir));
	return dentry;
}

/**
 * veneer_upper_whiteout - make a whiteout at a name that the upper lacks
 * @m: the mount
 * @dir: a directory of the upper, not locked
 * @name: the name
 */
int veneer_upper_whiteout(struct veneer_mount *m, struct dentry *dir,
			  const char *name)
{
	const struct veneer_new new = {
		.mode = S_IFCHR | WHITEOUT_MODE,
		.rdev = WHITEOUT_DEV,
	};
	struct dentry *dentry = veneer_upper_make(m, dir, name, &new);

	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	dput(dentry);
	return 0;
}

static void temp_name(struct veneer_mount *m, char name[TEMP_NAME_LEN])
{
	snprintf(name, TEMP_NAME_LEN, "#%x", atomic_inc_return(&m->temp_id));
}

/**
 * veneer_temp_make - make an object in work/
 * @m: the mount
 * @new: what to make
 *
 * Return: the object with a reference, to be installed or discarded; or an
 * ERR_PTR().
 */
struct dentry *veneer_temp_make(struct veneer_mount *m,
				const struct veneer_new *new)
{
	char name[TEMP_NAME_LEN];
	struct dentry *temp;

	/* A name may be taken: by something that could not be removed. */
	for (int tries = 0; tries < 100; tries++) {
		temp_name(m, name);
		temp = veneer_upper_make(m, m->work, name, new);
		if (temp != ERR_PTR(-EEXIST))
			break;
	}
	return temp;
}

static int rename_locked(struct veneer_mount *m, struct dentry *old,
			 struct dentry *new, unsigned int flags)
{
	struct renamedata rd = {
		.old_mnt_idmap	= veneer_upper_idmap(m),
		.old_dir	= d_inode(old->d_parent),
		.old_dentry	= old,
		.new_mnt_idmap	= veneer_upper_idmap(m),
		.new_dir	= d_inode(new->d_parent),
		.new_dentry	= new,
		.flags		= flags,
	};

	return vfs_rename(&rd);
}

/* Locks work/ and @dir; @temp must still be in work/. */
static int lock_work_and(struct veneer_mount *m, struct dentry *temp,
			 struct dentry *dir)
{
	struct dentry *trap = lock_rename(m->work, dir);

	if (IS_ERR(trap))
		return PTR_ERR(trap);
	if (trap || (temp && (temp->d_parent != m->work || d_unhashed(temp)))) {
		unlock_rename(m->work, dir);
		return -ESTALE;
	}
	return 0;
}

static int install_once(struct veneer_mount *m, struct dentry *temp,
			struct dentry *dir, const char *name, bool unseen)
{
	struct dentry *target;
	struct iattr times;
	struct path path;
	bool exchange;
	int err;

	err = lock_work_and(m, temp, dir);
	if (err)
		return err;

	times = times_of(dir);
	target = veneer_lookup_locked(veneer_upper_idmap(m), name, dir);
	if (IS_ERR(target)) {
		unlock_rename(m->work, dir);
		return PTR_ERR(target);
	}

	/* A directory cannot replace a whiteout, but can change places. */
	exchange = d_is_positive(target) && d_is_dir(temp);
	if (d_is_positive(target)) {
		path = veneer_upper_path(m, target);
		err = veneer_is_whiteout(&path, m->options.userxattr);
		err = err ? min(err, 0) : -ESTALE;
	}
	if (!err)
		err = rename_locked(m, temp, target,
				    exchange ? RENAME_EXCHANGE : 0);
	if (!err && unseen)
		put_times_back(m, dir, &times);
	unlock_rename(m->work, dir);

	if (!err && exchange)
		veneer_temp_discard(m, target);
	dput(target);
	return err;
}

static int install(struct veneer_mount *m, struct dentry *temp,
		   struct dentry *dir, const char *name, bool unseen)
{
	int err = install_once(m, temp, dir, name, unseen);

	if (err == -EXDEV && !veneer_project_adopt(m, temp, dir))
		err = install_once(m, temp, dir, name, unseen);
	return err;
}

/**
 * veneer_temp_install - give an object of work/ its name
 * @m: the mount
 * @temp: the object
 * @dir: a directory of the upper, not locked
 * @name: the name, which is free or has a whiteout
 *
 * Return: 0, and the object is no longer in work/; or a negative error,
 * %-ESTALE when something is there that was made behind our back.
 */
int veneer_temp_install(struct veneer_mount *m, struct dentry *temp,
			struct dentry *dir, const char *name)
{
	return install(m, temp, dir, name, false);
}

/**
 * veneer_temp_install_unseen - the same, for what is no change to users
 * @m: the mount
 * @temp: the object
 * @dir: a directory of the upper, not locked; its times do not tell
 * @name: the name, which is free
 */
int veneer_temp_install_unseen(struct veneer_mount *m, struct dentry *temp,
			       struct dentry *dir, const char *name)
{
	return install(m, temp, dir, name, true);
}

static int exchange_once(struct veneer_mount *m, struct dentry *temp,
			 struct dentry *upper, struct dentry *dir)
{
	int err = lock_work_and(m, temp, dir);

	if (err)
		return err;
	if (upper->d_parent != dir || d_unhashed(upper))
		err = -ESTALE;
	else
		err = rename_locked(m, temp, upper, RENAME_EXCHANGE);
	unlock_rename(m->work, dir);
	return err;
}

/**
 * veneer_temp_exchange - let an object of work/ and one of the upper change
 * places
 * @m: the mount
 * @temp: the object in work/
 * @upper: the object in the upper
 */
int veneer_temp_exchange(struct veneer_mount *m, struct dentry *temp,
			 struct dentry *upper)
{
	struct dentry *dir = dget_parent(upper);
	int err = exchange_once(m, temp, upper, dir);

	if (err == -EXDEV && !veneer_project_adopt(m, temp, dir))
		err = exchange_once(m, temp, upper, dir);
	dput(dir);
	return err;
}

static int take_once(struct veneer_mount *m, struct dentry *upper,
		     struct dentry *dir, bool whiteout)
{
	char name[TEMP_NAME_LEN];
	struct dentry *target;
	int err;

	err = lock_work_and(m, NULL, dir);
	if (err)
		return err;

	temp_name(m, name);
	target = veneer_lookup_locked(veneer_upper_idmap(m), name, m->work);
	if (IS_ERR(target)) {
		err = PTR_ERR(target);
	} else {
		if (upper->d_parent != dir || d_unhashed(upper))
			err = -ESTALE;
		else
			err = rename_locked(m, upper, target,
					    RENAME_NOREPLACE |
					    (whiteout ? RENAME_WHITEOUT : 0));
		dput(target);
	}
	unlock_rename(m->work, dir);
	return err;
}

/**
 * veneer_temp_take - move an object of the upper into work/, to be discarded
 * @m: the mount
 * @upper: the object
 * @whiteout: leave a whiteout at its name
 */
int veneer_temp_take(struct veneer_mount *m, struct dentry *upper, bool whiteout)
{
	struct dentry *dir = dget_parent(upper);
	int err = take_once(m, upper, dir, whiteout);

	if (err == -EXDEV && !veneer_project_give_up(m, upper))
		err = take_once(m, upper, dir, whiteout);
	dput(dir);
	return err;
}

/* Collects names of a directory, a batch at a time. */
struct name_batch {
	struct dir_context	ctx;
	unsigned int		nr;
	char			*name[64];
	int			err;
};

static bool batch_actor(struct dir_context *ctx, const char *name, int len,
			loff_t offset, u64 ino, unsigned int type)
{
	struct name_batch *batch = container_of(ctx, struct name_batch, ctx);

	if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')))
		return true;
	if (batch->nr == ARRAY_SIZE(batch->name))
		return false;

	batch->name[batch->nr] = kmemdup_nul(name, len, GFP_KERNEL);
	if (!batch->name[batch->nr]) {
		batch->err = -ENOMEM;
		return false;
	}
	batch->nr++;
	return true;
}

/* Removes everything in a directory; 0 means that it found nothing more. */
static int empty_batch(struct veneer_mount *m, struct dentry *dir, int depth)
{
	const struct path path = veneer_upper_path(m, dir);
	struct name_batch *batch;
	struct file *file;
	int err;

	batch = kzalloc(sizeof(*batch), GFP_KERNEL);
	if (!batch)
		return -ENOMEM;

	batch->ctx.actor = batch_actor;
	file = veneer_real_open(&path, S_IFDIR, O_RDONLY);
	err = PTR_ERR_OR_ZERO(file);
	if (!err) {
		err = iterate_dir(file, &batch->ctx);
		fput(file);
	}
	if (!err)
		err = batch->err;
	if (!err)
		err = batch->nr;

	for (unsigned int i = 0; i < batch->nr; i++) {
		int ret = err < 0 ? 0 : veneer_work_remove(m, dir,
							   batch->name[i],
							   depth);

		if (ret)
			err = ret;
		kfree(batch->name[i]);
	}
	kfree(batch);
	return err;
}

static int empty_dir(struct veneer_mount *m, struct dentry *dir, int depth)
{
	int err;

	do {
		err = empty_batch(m, dir, depth);
		if (err > 0 && fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	} while (err > 0);
	return err;
}

/**
 * veneer_upper_empty - remove everything in a directory of the upper
 * @m: the mount
 * @dir: the directory, not locked, which has no others in it
 */
int veneer_upper_empty(struct veneer_mount *m, struct dentry *dir)
{
	return empty_dir(m, dir, 0);
}

/**
 * veneer_work_remove - remove an object in work/ with all that is in it
 * @m: the mount
 * @parent: a directory in work/, or work/ itself, not locked
 * @name: the object's name
 * @depth: how many levels of directories may be in it
 */
int veneer_work_remove(struct veneer_mount *m, struct dentry *parent,
		       const char *name, int depth)
{
	struct mnt_idmap *idmap = veneer_upper_idmap(m);
	struct dentry *dentry;
	int err = 0;

	dentry = veneer_lookup_unlocked(idmap, name, parent);
	if (IS_ERR(dentry))
		return PTR_ERR(dentry);

	if (d_is_dir(dentry) && depth)
		err = empty_dir(m, dentry, depth - 1);

	if (!err && d_is_positive(dentry)) {
		inode_lock_nested(d_inode(parent), I_MUTEX_PARENT);
		if (dentry->d_parent != parent || d_unhashed(dentry))
			err = -ESTALE;
		else if (d_is_dir(dentry))
			err = vfs_rmdir(idmap, d_inode(parent), dentry);
		else
			err = vfs_unlink(idmap, d_inode(parent), dentry, NULL);
		inode_unlock(d_inode(parent));
	}
	dput(dentry);
	return err;
}

/**
 * veneer_temp_discard - remove an object of work/
 * @m: the mount
 * @temp: the object; a directory may hold whiteouts
 *
 * A failure loses space until the next mount, and nothing else.
 */
void veneer_temp_discard(struct veneer_mount *m, struct dentry *temp)
{
	char name[TEMP_NAME_LEN];
	int err = -ESTALE;

	/* Only we rename in work/, and this one is in nobody else's hands. */
	if (temp->d_parent == m->work && temp->d_name.len < TEMP_NAME_LEN) {
		strscpy(name, temp->d_name.name, TEMP_NAME_LEN);
		err = veneer_work_remove(m, m->work, name, 1);
	}
	if (err)
		veneer_err_ratelimited("cannot remove %pd2 (error %d); the next mount will\n",
				       temp, err);
}
