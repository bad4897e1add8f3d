// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copy-up: from "below" to "in the upper".
 *
 * Metadata alone never copies data: the upper then holds a file of the right
 * size without any, and a record that says which file below has it.  The
 * first change to the data makes it split, which copies none either; or, when
 * the file is small, whole, and then the record goes.
 *
 * Either way the object is complete, and durable where data was copied,
 * before it gets its name or loses its record: what is interrupted, by a
 * signal or by a power cut, leaves nothing that can be seen.  A truncation is
 * made of it by then, too, since what it cuts off is not copied.
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/sched/signal.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/xattr.h>

#include "apart.h"
#include "chain.h"
#include "compat.h"
#include "copydata.h"
#include "copyup.h"
#include "fileattr.h"
#include "inode.h"
#include "links.h"
#include "log.h"
#include "marks.h"
#include "namei.h"
#include "record.h"
#include "split.h"
#include "times.h"
#include "upper.h"
#include "writer.h"
#include "xattr.h"

/**
 * struct truncation - what the first change to a file's data is
 * @attr: the change, as the upper is to be told of it; its size counts
 * @made: it was made with the copy-up
 */
struct truncation {
	const struct iattr	*attr;
	bool			made;
};

/**
 * struct copy_up - one copy-up
 * @m: the mount
 * @dentry: the object
 * @inode: its inode
 * @data: it is to be split or whole afterwards
 * @cut: what is to become of the data; or %NULL, and all of it is wanted
 * @cancel: set when nobody waits for the outcome any more; or %NULL
 * @stat: the object's attributes below
 * @from: the real object below
 * @keeps_ino: its inode number is recorded
 * @links: its record, if it has several names below; owned until the inode has
 *	it
 * @split: the state of a file that becomes split; owned until it is attached
 */
struct copy_up {
	struct veneer_mount	*m;
	struct dentry		*dentry;
	struct inode		*inode;
	bool			data;
	struct truncation	*cut;
	const bool		*cancel;
	struct kstat		stat;
	struct path		from;
	bool			keeps_ino;
	struct veneer_links	*links;
	struct veneer_split	*split;
};

static bool copied_up(const struct inode *inode, bool data)
{
	if (data && S_ISREG(inode->i_mode))
		return veneer_is_whole(inode) || veneer_inode_split(inode);
	return veneer_upper(inode);
}

/* How many bytes of data will still be wanted. */
static loff_t keep(const struct copy_up *c)
{
	return c->cut ? c->cut->attr->ia_size : MAX_LFS_FILESIZE;
}

static int set_size(struct veneer_mount *m, struct dentry *upper, loff_t size)
{
	struct iattr attr = {
		.ia_valid	= ATTR_SIZE,
		.ia_size	= size,
	};
	int err;

	inode_lock(d_inode(upper));
	err = notify_change(veneer_upper_idmap(m), upper, &attr, NULL);
	inode_unlock(d_inode(upper));
	return err;
}

static int set_times(struct veneer_mount *m, struct dentry *upper,
		     const struct kstat *stat)
{
	struct iattr attr = {
		.ia_valid = ATTR_ATIME | ATTR_MTIME | ATTR_ATIME_SET |
			    ATTR_MTIME_SET,
		.ia_atime = stat->atime,
		.ia_mtime = stat->mtime,
	};
	int err;

	inode_lock(d_inode(upper));
	err = notify_change(veneer_upper_idmap(m), upper, &attr, NULL);
	inode_unlock(d_inode(upper));
	return err;
}

static int set_owner_and_mode(struct veneer_mount *m, struct dentry *upper,
			      const struct kstat *stat)
{
	struct iattr owner = {
		.ia_valid	= ATTR_UID | ATTR_GID,
		.ia_vfsuid	= VFSUIDT_INIT(stat->uid),
		.ia_vfsgid	= VFSGIDT_INIT(stat->gid),
	};
	struct iattr mode = {
		.ia_valid	= ATTR_MODE,
		.ia_mode	= stat->mode,
	};
	int err;

	inode_lock(d_inode(upper));
	err = notify_change(veneer_upper_idmap(m), upper, &owner, NULL);
	if (!err && !d_is_symlink(upper))
		err = notify_change(veneer_upper_idmap(m), upper, &mode, NULL);
	inode_unlock(d_inode(upper));
	return err;
}

static int copy_data(const struct copy_up *c, struct dentry *upper, loff_t len)
{
	struct veneer_chain *from;

	if (!len)
		return 0;
	from = veneer_inode_chain(c->inode);
	return IS_ERR(from) ? PTR_ERR(from) :
			      veneer_copy_data(c->m, from, upper, len, c->cancel);
}

/* Says where the data is, instead of copying it. */
static int record_below(struct copy_up *c, const struct path *to, loff_t size)
{
	const bool userxattr = c->m->options.userxattr;
	struct veneer_record record = { .below_size = size };
	struct veneer_split *split;
	int err;

	if (!c->data) {
		record.path = veneer_below_path(c->inode);
		if (IS_ERR(record.path))
			return PTR_ERR(record.path);
		err = veneer_record_set(to, userxattr, &record);
		kfree(record.path);
		return err;
	}

	split = veneer_split_new(c->inode, size);
	if (IS_ERR(split))
		return PTR_ERR(split);
	err = veneer_record_set(to, userxattr, &split->record);
	if (err)
		veneer_split_free(split);
	else
		c->split = split;
	return err;
}

/* Copying a small file costs less than keeping track of its blocks. */
static bool is_small(const struct copy_up *c, loff_t size)
{
	return veneer_copies_whole(c->m, size);
}

/*
 * Puts the data, or the record of where it is, into a new file.  *@whole tells
 * which.
 */
static int fill_file(struct copy_up *c, struct dentry *temp, bool *whole)
{
	const struct path to = veneer_upper_path(c->m, temp);
	loff_t size = c->stat.size;
	int err;

	if (c->data)
		size = min(size, keep(c));
	*whole = !size || (c->data && is_small(c, size));
	if (!size)
		return 0;

	err = mnt_want_write(c->m->upper);
	if (err)
		return err;
	err = set_size(c->m, temp, size);
	if (!err && !*whole) {
		err = record_below(c, &to, size);
		/* A path may be too long for an attribute: copy after all. */
		if (err == -ENOSPC || err == -E2BIG || err == -ERANGE ||
		    err == -ENAMETOOLONG) {
			*whole = true;
			err = veneer_mark_remove(&to, c->m->options.userxattr,
						 VENEER_MARK_METACOPY);
		}
	}
	mnt_drop_write(c->m->upper);
	if (err || !*whole)
		return err;
	return copy_data(c, temp, size);
}

/* So that the object goes on showing the inode number that it had. */
static int record_ino(struct copy_up *c, const struct path *to, bool linked)
{
	int err;

	/* Names that part here cannot go on sharing a number. */
	if (!S_ISDIR(c->stat.mode) && !linked &&
	    veneer_stack_nlink(veneer_inode(c->inode)->below) > 1)
		return 0;

	err = veneer_origin_set(to, c->m->options.userxattr,
				veneer_show_ino(c->m->nr_fs, c->inode->i_ino));
	/* Symbolic links and special files may not have attributes at all. */
	if ((err == -EPERM || err == -EOPNOTSUPP) &&
	    !S_ISREG(c->stat.mode) && !S_ISDIR(c->stat.mode))
		return 0;
	c->keeps_ino = !err;
	return err;
}

/* Everything but data and name. */
static int fill_metadata(struct copy_up *c, struct dentry *temp)
{
	struct dentry *below = veneer_inode(c->inode)->below;
	const struct path to = veneer_upper_path(c->m, temp);
	const bool userxattr = c->m->options.userxattr;
	const bool linked = veneer_links_wanted(c->m, below);
	int err;

	err = veneer_copy_xattrs(c->inode->i_sb, &c->from, &to);
	if (!err)
		err = set_owner_and_mode(c->m, temp, &c->stat);
	if (!err)
		err = veneer_fileattr_copy(c->inode, &c->from, &to);
	if (!err)
		err = record_ino(c, &to, linked);
	if (!err && S_ISREG(c->stat.mode) && S_ISCHR(c->inode->i_mode))
		err = veneer_mark_set(&to, userxattr, VENEER_MARK_CDEV0, "y", 1);
	if (!err && linked) {
		c->links = veneer_links_new(c->m, &to, below);
		if (IS_ERR(c->links)) {
			err = PTR_ERR(c->links);
			c->links = NULL;
		}
	}
	if (!err)
		err = set_times(c->m, temp, &c->stat);
	return err;
}

/*
 * The object never had more data than the truncation leaves.  If that were to fail
 * once there is a name, the rest would be gone all the same.
 */
static int truncate_unseen(struct copy_up *c, struct dentry *temp)
{
	struct iattr attr;
	int err;

	if (!c->data || keep(c) >= c->stat.size)
		return 0;
	attr = *c->cut->attr;
	inode_lock(d_inode(temp));
	err = notify_change(veneer_upper_idmap(c->m), temp, &attr, NULL);
	inode_unlock(d_inode(temp));
	c->cut->made = !err;
	return err;
}

static struct dentry *make_temp(struct copy_up *c)
{
	struct veneer_new new = { .mode = c->stat.mode, .rdev = c->stat.rdev };
	DEFINE_DELAYED_CALL(done);
	struct cred *cred = NULL;
	struct dentry *temp;
	int err;

	if (S_ISLNK(new.mode)) {
		new.link = vfs_get_link(c->from.dentry, &done);
		if (IS_ERR(new.link))
			return ERR_CAST(new.link);
	}
	/* Nobody but us while it is being filled. */
	if (S_ISREG(new.mode) || S_ISDIR(new.mode))
		new.mode &= S_IFMT | 0700;

	err = security_inode_copy_up(c->dentry, &cred);
	if (err < 0) {
		temp = ERR_PTR(err);
	} else {
		const struct cred *old_cred = override_creds(cred ? : current_cred());

		temp = veneer_temp_make(c->m, &new);
		revert_creds(old_cred);
	}
	if (cred)
		put_cred(cred);
	do_delayed_call(&done);
	return temp;
}

/* Gives the object its name; the directory's times do not tell. */
static int install(struct copy_up *c, struct dentry *temp)
{
	struct dentry *parent = dget_parent(c->dentry);
	int err = veneer_mark_impure_for(d_inode(parent), c->inode);

	if (!err)
		err = veneer_temp_install_unseen(c->m, temp,
						 veneer_upper(d_inode(parent)),
						 c->dentry->d_name.name);
	dput(parent);
	return err;
}

/*
 * So far nothing about the object has changed; what does move ctime is still to
 * come.  In a user namespace a layer can be of a filesystem whose ctimes its
 * owner makes up: those are not for a file of the upper to have.
 */
static void keep_ctime(struct copy_up *c, struct dentry *upper)
{
	if (c->inode->i_sb->s_user_ns != &init_user_ns ||
	    (c->cut && c->cut->made))
		return;
	inode_lock(d_inode(upper));
	veneer_ctime_put_back(d_inode(upper), c->stat.ctime);
	inode_unlock(d_inode(upper));
}

static void now_whole(struct copy_up *c)
{
	veneer_inode_set_whole(c->inode);
	veneer_count(c->m, files_whole, 1);
}

static void now_split(struct copy_up *c)
{
	veneer_split_attach(c->inode, c->split);
	veneer_count(c->m, files_split, 1);
	veneer_count(c->m, bytes_shared, c->split->record.below_size);
	c->split = NULL;
}

/*
 * Can the upper say who it belongs to, and the mounter's namespace?  Who is not
 * known there must not be the owner of something that the mounter has made.
 */
static bool ids_are_known(const struct copy_up *c)
{
	struct user_namespace *fs_ns = c->m->upper->mnt_sb->s_user_ns;
	struct user_namespace *ns = c->m->cred->user_ns;
	struct mnt_idmap *idmap = veneer_upper_idmap(c->m);

	return kuid_has_mapping(ns, c->stat.uid) &&
	       kgid_has_mapping(ns, c->stat.gid) &&
	       vfsuid_has_fsmapping(idmap, fs_ns, VFSUIDT_INIT(c->stat.uid)) &&
	       vfsgid_has_fsmapping(idmap, fs_ns, VFSGIDT_INIT(c->stat.gid));
}

/* From below to an object in the upper, with data if that was asked for. */
static int copy_up_object(struct copy_up *c)
{
	struct veneer_inode *vi = veneer_inode(c->inode);
	struct dentry *temp;
	bool whole = false;
	int err;

	c->from = vi->below_real;
	err = vfs_getattr(&c->from, &c->stat, STATX_BASIC_STATS,
			  AT_STATX_SYNC_AS_STAT);
	if (err)
		return err;
	if (!ids_are_known(c))
		return -EOVERFLOW;
	veneer_times_fill(c->inode, &c->stat);

	err = mnt_want_write(c->m->upper);
	if (err)
		return err;
	temp = make_temp(c);
	mnt_drop_write(c->m->upper);
	if (IS_ERR(temp))
		return PTR_ERR(temp);

	if (S_ISREG(c->stat.mode))
		err = fill_file(c, temp, &whole);

	/* The temporary object must go even when the upper turned read-only. */
	if (mnt_want_write(c->m->upper)) {
		dput(temp);
		return -EROFS;
	}
	if (!err)
		err = fill_metadata(c, temp);
	if (!err)
		err = truncate_unseen(c, temp);
	if (!err && c->links)
		err = veneer_links_install(c->m, temp, vi->below, c->links);
	else if (!err && !vi->nameless)
		err = install(c, temp);
	if (err || vi->nameless)
		veneer_temp_discard(c->m, temp);
	if (!err)
		keep_ctime(c, temp);
	mnt_drop_write(c->m->upper);
	if (err) {
		if (c->cut)
			c->cut->made = false;
		kfree(c->links);
		dput(temp);
		return err;
	}

	vi->links = c->links;
	veneer_fileattr_copied(c->inode);
	/*
	 * Before anybody can make pages dirty: what one behind the new end would
	 * write makes the upper longer again, and nobody cuts it once more.
	 */
	if (c->cut && c->cut->made) {
		spin_lock(&c->inode->i_lock);
		i_size_write(c->inode, keep(c));
		spin_unlock(&c->inode->i_lock);
	}
	/* The number that it will be found to have from now on. */
	if (!c->keeps_ino && !vi->nameless)
		c->inode->i_ino = veneer_upper_ino(c->m, temp);
	WRITE_ONCE(vi->unsynced,
		   vi->nameless ? VENEER_SYNCED : VENEER_UNSYNCED_NAME);
	veneer_inode_set_upper(c->inode, temp);
	if (whole)
		now_whole(c);
	else if (c->split)
		now_split(c);
	/* For whoever looks at the upper itself; the mount needs no name there. */
	if (vi->links && !mnt_want_write(c->m->upper)) {
		veneer_links_add_name(c->dentry);
		mnt_drop_write(c->m->upper);
	}
	veneer_copyattr(c->inode);
	return 0;
}

/* From a file that has only metadata in the upper to one that is split. */
static int split_contents(struct copy_up *c, const struct path *path)
{
	int err = mnt_want_write(c->m->upper);

	if (err)
		return err;
	err = record_below(c, path, i_size_read(d_inode(path->dentry)));
	mnt_drop_write(c->m->upper);
	if (!err)
		now_split(c);
	return err;
}

/* The data counts from now on; on the disk, when the record is gone there, too. */
static void record_gone(struct copy_up *c)
{
	WRITE_ONCE(veneer_inode(c->inode)->unsynced, VENEER_UNSYNCED_DATA);
	now_whole(c);
	veneer_copyattr(c->inode);
}

/* From a file that has only metadata in the upper to one that has all. */
static int copy_up_contents(struct copy_up *c)
{
	struct dentry *upper = veneer_upper(c->inode);
	const struct path path = veneer_upper_path(c->m, upper);
	size_t caps_size = 0;
	void *caps;
	int err;

	if (!is_small(c, i_size_read(d_inode(upper))))
		return split_contents(c, &path);

	/* Writing data takes file capabilities away; a copy-up must not. */
	caps = veneer_getxattr_alloc(&path, XATTR_NAME_CAPS, &caps_size);
	if (caps == ERR_PTR(-ENOMEM))
		return -ENOMEM;

	err = vfs_getattr(&path, &c->stat, STATX_BASIC_STATS,
			  AT_STATX_SYNC_AS_STAT);
	if (err)
		goto out;

	err = copy_data(c, upper, c->stat.size);
	if (err)
		goto out;

	err = mnt_want_write(c->m->upper);
	if (err)
		goto out;
	if (caps_size)
		err = vfs_setxattr(veneer_upper_idmap(c->m), upper,
				   XATTR_NAME_CAPS, caps, caps_size, 0);
	if (!err)
		err = set_times(c->m, upper, &c->stat);
	/*
	 * The record goes last.  As long as it is there the file reads from
	 * below, which says the same.
	 */
	if (!err)
		err = veneer_record_remove(&path, c->m->options.userxattr);
	mnt_drop_write(c->m->upper);
	if (!err)
		record_gone(c);
out:
	if (!IS_ERR(caps))
		kvfree(caps);
	return err;
}

/* Of a file whose data is lost: it is about to be empty, so that is no loss. */
static int mend(struct copy_up *c)
{
	struct dentry *upper = veneer_upper(c->inode);
	const struct path path = veneer_upper_path(c->m, upper);
	int err = mnt_want_write(c->m->upper);

	if (err)
		return err;
	err = set_size(c->m, upper, 0);
	if (!err)
		err = veneer_record_remove(&path, c->m->options.userxattr);
	mnt_drop_write(c->m->upper);
	if (!err)
		record_gone(c);
	return err;
}

/* From a file in the upper that says where its data is to one to change. */
static int change_data(struct copy_up *c)
{
	int err = PTR_ERR_OR_ZERO(veneer_inode_chain(c->inode));

	if (!err && veneer_inode(c->inode)->has_map)
		err = veneer_split_load(c->inode);
	else if (!err)
		err = copy_up_contents(c);
	if (!keep(c) && (err == -EIO || err == -EUCLEAN))
		err = mend(c);
	return err;
}

static int copy_up_one(struct dentry *dentry, bool data, struct truncation *cut,
		       const bool *cancel)
{
	struct inode *inode = d_inode(dentry);
	struct veneer_inode *vi = veneer_inode(inode);
	struct copy_up c = {
		.m	= veneer_mount(inode->i_sb),
		.dentry	= dentry,
		.inode	= inode,
		.data	= data && S_ISREG(inode->i_mode),
		.cut	= cut,
		.cancel	= cancel,
	};
	int err = 0;

	if (mutex_lock_killable(&vi->lock))
		return -EINTR;
	if (!copied_up(inode, data)) {
		CLASS(veneer_cred, cred)(veneer_writer_cred(c.m));

		/* Now, since it reads: not with write access to the upper. */
		if (c.data && keep(&c))
			err = PTR_ERR_OR_ZERO(veneer_inode_chain(inode));
		if (!err && !vi->upper)
			err = copy_up_object(&c);
		/* Above, too long a path may have done both. */
		if (!err && !copied_up(inode, data))
			err = change_data(&c);
		veneer_split_free(c.split);
	}
	mutex_unlock(&vi->lock);
	return err;
}

/* The topmost directory over @dentry that is not in the upper; or @dentry. */
static struct dentry *first_missing(struct dentry *dentry)
{
	struct dentry *first = dget(dentry);

	for (;;) {
		struct dentry *parent = dget_parent(first);

		if (parent == first || veneer_upper(d_inode(parent))) {
			dput(parent);
			return first;
		}
		dput(first);
		first = parent;
	}
}

static int copy_up_here(struct dentry *dentry, bool data,
			struct truncation *cut, const bool *cancel)
{
	struct inode *inode = d_inode(dentry);
	int err = 0;

	if (!veneer_mount(inode->i_sb)->upper)
		return -EROFS;

	while (!err && !copied_up(inode, data)) {
		struct dentry *first = NULL;

		/* An object without a name needs no directory either. */
		if (!veneer_upper(inode) &&
		    !READ_ONCE(veneer_inode(inode)->nameless))
			first = first_missing(dentry);
		if (first && first != dentry)
			err = copy_up_one(first, false, NULL, cancel);
		else
			err = copy_up_one(dentry, data, cut, cancel);
		dput(first);
	}
	return err;
}

/* A copy-up that another thread makes. */
struct copy_args {
	struct dentry		*dentry;
	bool			data;
	struct truncation	*cut;
	bool			cancel;
};

static long copy_apart(void *arg)
{
	const struct copy_args *args = arg;

	return copy_up_here(args->dentry, args->data, args->cut,
			    &args->cancel);
}

static int copy_up_elsewhere(struct dentry *dentry, bool data,
			     struct truncation *cut)
{
	struct copy_args args = { .dentry = dentry, .data = data, .cut = cut };
	const struct veneer_mount *m = veneer_mount(dentry->d_sb);

	if (!m->upper)
		return -EROFS;
	return veneer_apart_killable(m->upper, copy_apart, &args, &args.cancel);
}

/*
 * The caller's limit for the size of a file (ulimit -f) is for what he writes,
 * not for what is there; a worker has none.
 */
static int copy_up(struct dentry *dentry, bool data, struct truncation *cut)
{
	const struct inode *inode = d_inode(dentry);

	if (copied_up(inode, data))
		return 0;
	if (S_ISREG(inode->i_mode) &&
	    i_size_read(inode) > (u64)rlimit(RLIMIT_FSIZE))
		return copy_up_elsewhere(dentry, data, cut);
	return copy_up_here(dentry, data, cut, NULL);
}

/**
 * veneer_copy_up - see that an object is in the upper, if only its metadata
 * @dentry: the object
 *
 * Must not be called with write access to the upper's mount.
 */
int veneer_copy_up(struct dentry *dentry)
{
	return copy_up(dentry, false, NULL);
}

/**
 * veneer_copy_up_data - see that an object is in the upper, its data ready to
 * be changed: split or whole
 * @dentry: the object
 *
 * Must not be called with write access to the upper's mount.
 */
int veneer_copy_up_data(struct dentry *dentry)
{
	return copy_up(dentry, true, NULL);
}

/**
 * veneer_copy_up_truncate - veneer_copy_up_data(), of a file that gets another
 * size next
 * @dentry: a regular file, its i_rwsem held for writing
 * @attr: the change, as notify_change() of the upper's file is to have it
 *
 * What a truncation cuts off is not copied.  Then the change is made with the
 * copy-up: all of it, or nothing.
 *
 * Return: 1 when the change is made; 0 when it is still to be made; or a
 * negative error, and no byte of the file has gone.
 */
int veneer_copy_up_truncate(struct dentry *dentry, const struct iattr *attr)
{
	struct truncation cut = { .attr = attr };

	return copy_up(dentry, true, &cut) ? : cut.made;
}

/**
 * veneer_copy_up_from_mmap - veneer_copy_up_data(), with mmap_lock held
 * @dentry: a regular file, a mapping of which is about to be written
 *
 * The copy takes i_rwsem of objects in the upper, which is ordered before
 * mmap_lock: a write to a file faults.  It is safe to wait for it here since
 * none of those objects is one that a fault is waited for under: the new file
 * has no other user, and the directories of the upper are only read into
 * memory of the kernel.  (By us: a thread of the same process that lists the
 * upper itself at that moment, past the mount, could deadlock with it.  Nobody
 * is to touch an upper that is mounted.)  Lockdep cannot tell one file of the upper from
 * another, so the copy is made by a worker, which has no mmap_lock.
 */
int veneer_copy_up_from_mmap(struct dentry *dentry)
{
	if (copied_up(d_inode(dentry), true))
		return 0;
	return copy_up_elsewhere(dentry, true, NULL);
}
