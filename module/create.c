// SPDX-License-Identifier: GPL-2.0-only
/* Names made: create, mkdir, mknod, symlink, link, O_TMPFILE. */
#include <linux/backing-file.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <linux/security.h>

#include "compat.h"
#include "copyup.h"
#include "dir.h"
#include "file.h"
#include "inode.h"
#include "links.h"
#include "marks.h"
#include "namei.h"
#include "upper.h"
#include "writer.h"

/**
 * veneer_mark_impure - a name here shows what its upper's own does not
 * @dir: a directory of a mount that has an upper
 *
 * Runs with the mounter's credentials and write access to the upper.
 */
int veneer_mark_impure(struct inode *dir)
{
	struct veneer_mount *m = veneer_mount(dir->i_sb);
	const struct path path = veneer_upper_path(m, veneer_upper(dir));
	int err;

	if (READ_ONCE(veneer_inode(dir)->impure))
		return 0;
	err = veneer_mark_change(&path, m->options.userxattr,
				 VENEER_MARK_IMPURE, "y", 1);
	if (!err)
		WRITE_ONCE(veneer_inode(dir)->impure, true);
	return err;
}

/**
 * veneer_mark_impure_for - the same, if it is so of this object
 * @dir: a directory of a mount that has an upper
 * @inode: what is to get a name there by being copied up
 *
 * To a mount, a name that is below as well is always one to look at.  To a stack
 * that has the upper as a layer it is not.
 */
int veneer_mark_impure_for(struct inode *dir, const struct inode *inode)
{
	if (!S_ISCHR(inode->i_mode) || inode->i_rdev != WHITEOUT_DEV)
		return 0;
	return veneer_mark_impure(dir);
}

static int set_mode(struct veneer_mount *m, struct dentry *upper, umode_t mode)
{
	struct iattr attr = { .ia_valid = ATTR_MODE, .ia_mode = mode };
	int err;

	inode_lock(d_inode(upper));
	err = notify_change(veneer_upper_idmap(m), upper, &attr, NULL);
	inode_unlock(d_inode(upper));
	return err;
}

static int set_acls(struct veneer_mount *m, struct dentry *upper,
		    struct posix_acl *access, struct posix_acl *def)
{
	struct mnt_idmap *idmap = veneer_upper_idmap(m);
	int err = 0;

	if (access)
		err = vfs_set_acl(idmap, upper, XATTR_NAME_POSIX_ACL_ACCESS,
				  access);
	if (!err && def)
		err = vfs_set_acl(idmap, upper, XATTR_NAME_POSIX_ACL_DEFAULT,
				  def);
	return err == -EOPNOTSUPP ? 0 : err;
}

/*
 * Makes an object in work/ that is to be in a directory of the mount.  What that
 * would have passed on, we do: its default ACL and its group.
 */
static struct dentry *make_temp(struct veneer_mount *m, struct inode *dir,
				const struct veneer_new *new)
{
	struct posix_acl *access = NULL, *def = NULL;
	struct veneer_new with_mode = *new;
	struct dentry *temp;
	int err = 0;

	if (!new->hardlink && !S_ISLNK(new->mode)) {
		err = posix_acl_create(dir, &with_mode.mode, &def, &access);
		if (err)
			return ERR_PTR(err);
	}

	temp = veneer_temp_make(m, &with_mode);
	if (IS_ERR(temp))
		goto out;

	if (!new->hardlink && !S_ISLNK(new->mode) &&
	    d_inode(temp)->i_mode != with_mode.mode)
		err = set_mode(m, temp, with_mode.mode);
	if (!err)
		err = set_acls(m, temp, access, def);
	if (err) {
		veneer_temp_discard(m, temp);
		dput(temp);
		temp = ERR_PTR(err);
	}
out:
	posix_acl_release(access);
	posix_acl_release(def);
	return temp;
}

/* Makes an object and puts it over the whiteout at its name. */
static struct dentry *make_over_whiteout(struct veneer_mount *m,
					 struct inode *dir, const char *name,
					 const struct veneer_new *new)
{
	struct dentry *temp = make_temp(m, dir, new);
	struct path path;
	int err = 0;

	if (IS_ERR(temp))
		return temp;

	path = veneer_upper_path(m, temp);
	if (S_ISDIR(new->mode))
		err = veneer_mark_set(&path, m->options.userxattr,
				      VENEER_MARK_OPAQUE, "y", 1);
	if (!err)
		err = veneer_temp_install(m, temp, veneer_upper(dir), name);
	if (err) {
		/*
		 * What has lost its only name can get no other one: an object
		 * from O_TMPFILE keeps this one until the next mount.
		 */
		if (!new->hardlink || d_inode(temp)->i_nlink > 1)
			veneer_temp_discard(m, temp);
		dput(temp);
		temp = ERR_PTR(err);
	}
	return temp;
}

static struct dentry *make_named(struct veneer_mount *m, struct inode *dir,
				 const char *name, const struct veneer_new *new)
{
	struct dentry *upper;

	upper = veneer_upper_make(m, veneer_upper(dir), name, new);
	/* The caller knows that the name is free: so this is a whiteout. */
	if (upper == ERR_PTR(-EEXIST))
		upper = make_over_whiteout(m, dir, name, new);
	return upper;
}

/*
 * Makes a user's own character device 0:0, to be installed or discarded.  One in
 * the upper would be a whiteout, so it is an empty file with a mark; never seen
 * without that, hence by way of work/.
 */
static struct dentry *make_cdev0_temp(struct veneer_mount *m, struct inode *dir,
				      umode_t mode)
{
	const struct veneer_new new = { .mode = S_IFREG | (mode & ~S_IFMT) };
	struct dentry *temp = make_temp(m, dir, &new);
	struct path path;
	int err;

	if (IS_ERR(temp))
		return temp;

	path = veneer_upper_path(m, temp);
	err = veneer_mark_set(&path, m->options.userxattr, VENEER_MARK_CDEV0,
			      "y", 1);
	if (!err)
		err = veneer_mark_impure(dir);
	if (err) {
		veneer_temp_discard(m, temp);
		dput(temp);
		return ERR_PTR(err);
	}
	return temp;
}

static struct dentry *make_cdev0(struct veneer_mount *m, struct inode *dir,
				 const char *name, umode_t mode)
{
	struct dentry *temp = make_cdev0_temp(m, dir, mode);
	int err;

	if (IS_ERR(temp))
		return temp;
	err = veneer_temp_install(m, temp, veneer_upper(dir), name);
	if (err) {
		veneer_temp_discard(m, temp);
		dput(temp);
		return ERR_PTR(err);
	}
	return temp;
}

/*
 * The mounter's credentials, but the new object is to belong to whom the
 * mount's rules say.
 */
static const struct cred *creator_cred(struct dentry *dentry,
				       const struct inode *inode)
{
	const struct cred *caller = current_cred();
	struct cred *cred;
	int err;

	CLASS(veneer_cred, mounter)(veneer_cred(inode->i_sb));
	cred = prepare_creds();
	if (!cred)
		return ERR_PTR(-ENOMEM);

	cred->fsuid = inode->i_uid;
	cred->fsgid = inode->i_gid;
	err = security_dentry_create_files_as(dentry, inode->i_mode,
					      &dentry->d_name, caller, cred);
	if (err) {
		put_cred(cred);
		return ERR_PTR(err);
	}
	return cred;
}

static struct inode *new_inode_for(struct mnt_idmap *idmap, struct inode *dir,
				   umode_t mode)
{
	struct inode *inode = new_inode(dir->i_sb);

	if (inode)
		inode_init_owner(idmap, inode, dir, mode);
	return inode;
}

/**
 * veneer_cdev0_make - make what RENAME_WHITEOUT leaves, without a name
 * @idmap: the id mapping that the mount was reached through
 * @dir: the directory of the mount that it is for; has an upper, locked
 * @dentry: the name that it is for
 *
 * It belongs to the caller.  Runs with the caller's credentials and write
 * access to the upper.
 *
 * Return: the object in work/, to be installed or discarded; or an ERR_PTR().
 */
struct dentry *veneer_cdev0_make(struct mnt_idmap *idmap, struct inode *dir,
				 struct dentry *dentry)
{
	struct inode *inode = new_inode_for(idmap, dir, S_IFCHR | WHITEOUT_MODE);
	struct dentry *temp;
	const struct cred *cred;

	if (!inode)
		return ERR_PTR(-ENOMEM);
	cred = creator_cred(dentry, inode);
	iput(inode);
	if (IS_ERR(cred))
		return ERR_CAST(cred);
	{
		CLASS(veneer_cred, old)(cred);

		temp = make_cdev0_temp(veneer_mount(dir->i_sb), dir,
				       WHITEOUT_MODE);
	}
	put_cred(cred);
	return temp;
}

/* Makes the mount's inode for a new object; takes @upper over. */
static struct inode *adopt(struct inode *fresh, struct dentry *upper, bool cdev0)
{
	struct super_block *sb = fresh->i_sb;
	struct veneer_found found = {
		.upper	= upper,
		.whole	= true,
		.cdev0	= cdev0,
		.ino	= veneer_upper_ino(veneer_mount(sb), upper),
	};
	struct inode *inode = veneer_inode_get(sb, fresh, &found);

	if (inode != fresh)
		iput(fresh);
	return inode;
}

static void note_name(struct inode *dir, const struct dentry *dentry,
		      const struct inode *inode)
{
	veneer_names_set(dir, dentry->d_name.name, dentry->d_name.len,
			 inode->i_ino, fs_umode_to_dtype(inode->i_mode));
	veneer_copyattr(dir);
}

static int create(struct mnt_idmap *idmap, struct inode *dir,
		  struct dentry *dentry, struct veneer_new *new)
{
	struct veneer_mount *m = veneer_mount(dir->i_sb);
	const bool cdev0 = S_ISCHR(new->mode) && new->rdev == WHITEOUT_DEV;
	const char *name = dentry->d_name.name;
	struct dentry *upper;
	const struct cred *cred;
	struct inode *inode;
	int err;

	if (veneer_is_reserved(dir, dentry))
		return -EPERM;
	err = veneer_copy_up(dentry->d_parent);
	if (err)
		return err;

	inode = new_inode_for(idmap, dir, new->mode);
	if (!inode)
		return -ENOMEM;
	new->mode = inode->i_mode;

	cred = creator_cred(dentry, inode);
	err = PTR_ERR_OR_ZERO(cred);
	if (!err) {
		err = mnt_want_write(m->upper);
		if (err)
			put_cred(cred);
	}
	if (err) {
		iput(inode);
		return err;
	}

	{
		CLASS(veneer_cred, old)(cred);

		upper = cdev0 ? make_cdev0(m, dir, name, new->mode) :
				make_named(m, dir, name, new);
	}
	mnt_drop_write(m->upper);
	put_cred(cred);
	if (IS_ERR(upper)) {
		iput(inode);
		return PTR_ERR(upper);
	}

	inode = adopt(inode, upper, cdev0);
	if (IS_ERR(inode))
		return PTR_ERR(inode);
	note_name(dir, dentry, inode);
	d_instantiate(dentry, inode);
	return 0;
}

int veneer_create(struct mnt_idmap *idmap, struct inode *dir,
		  struct dentry *dentry, umode_t mode, bool excl)
{
	struct veneer_new new = { .mode = (mode & ~S_IFMT) | S_IFREG };

	return create(idmap, dir, dentry, &new);
}

int veneer_mkdir(struct mnt_idmap *idmap, struct inode *dir,
		 struct dentry *dentry, umode_t mode)
{
	struct veneer_new new = { .mode = (mode & ~S_IFMT) | S_IFDIR };

	return create(idmap, dir, dentry, &new);
}

int veneer_mknod(struct mnt_idmap *idmap, struct inode *dir,
		 struct dentry *dentry, umode_t mode, dev_t rdev)
{
	struct veneer_new new = { .mode = mode, .rdev = rdev };

	return create(idmap, dir, dentry, &new);
}

int veneer_symlink(struct mnt_idmap *idmap, struct inode *dir,
		   struct dentry *dentry, const char *link)
{
	struct veneer_new new = { .mode = S_IFLNK | 0777, .link = link };

	return create(idmap, dir, dentry, &new);
}

int veneer_link(struct dentry *old, struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = d_inode(old);
	struct veneer_mount *m = veneer_mount(dir->i_sb);
	struct dentry *upper;
	unsigned int nlink;
	int err;

	if (veneer_is_reserved(dir, dentry))
		return -EPERM;
	err = veneer_copy_up(old);
	if (!err)
		err = veneer_copy_up(dentry->d_parent);
	if (err)
		return err;

	/* Its link count must not change in the midst of another change. */
	if (mutex_lock_killable(&veneer_inode(inode)->lock))
		return -EINTR;
	err = mnt_want_write(m->upper);
	if (err) {
		mutex_unlock(&veneer_inode(inode)->lock);
		return err;
	}

	{
		const struct veneer_new new = { .hardlink = veneer_upper(inode),
						.mode = inode->i_mode };
		CLASS(veneer_cred, cred)(veneer_writer_cred(m));

		if (veneer_has_origin(inode) || S_ISCHR(inode->i_mode))
			err = veneer_mark_impure(dir);
		if (!err && veneer_inode(inode)->links)
			err = veneer_links_settle(inode);
		nlink = veneer_upper_nlink(inode);
		upper = err ? ERR_PTR(err) :
			make_named(m, dir, dentry->d_name.name, &new);
		veneer_count_stray(inode, nlink + !IS_ERR(upper));
	}
	mnt_drop_write(m->upper);
	mutex_unlock(&veneer_inode(inode)->lock);
	if (IS_ERR(upper))
		return PTR_ERR(upper);

	dput(upper);
	veneer_copyattr(inode);
	note_name(dir, dentry, inode);
	ihold(inode);
	d_instantiate(dentry, inode);
	return 0;
}

/* The real file is open already; finish_open() needs an opener all the same. */
static int nothing_to_open(struct inode *inode, struct file *file)
{
	return 0;
}

static int open_tmpfile(struct veneer_mount *m, struct inode *dir,
			struct file *file, struct inode *fresh)
{
	const struct path parent = veneer_upper_path(m, veneer_upper(dir));
	struct dentry *dentry = file->f_path.dentry;
	const struct cred *cred;
	struct inode *inode;
	struct file *real;
	int err;

	cred = creator_cred(dentry, fresh);
	if (IS_ERR(cred))
		return PTR_ERR(cred);
	{
		CLASS(veneer_cred, old)(cred);

		real = backing_tmpfile_open(file, veneer_real_flags(file->f_flags),
					    &parent, fresh->i_mode,
					    current_cred());
	}
	put_cred(cred);
	if (IS_ERR(real))
		return PTR_ERR(real);

	err = veneer_file_adopt(file, real);
	if (err) {
		fput(real);
		return err;
	}

	ihold(fresh);
	inode = adopt(fresh, dget(real->f_path.dentry), false);
	if (IS_ERR(inode)) {
		veneer_file_drop(file);
		return PTR_ERR(inode);
	}
	/* No name yet, as the real one has none: the count came from there. */
	d_mark_tmpfile(file, inode);
	d_instantiate(dentry, inode);
	return 0;
}

int veneer_tmpfile(struct mnt_idmap *idmap, struct inode *dir,
		   struct file *file, umode_t mode)
{
	struct veneer_mount *m = veneer_mount(dir->i_sb);
	struct dentry *dentry = file->f_path.dentry;
	struct inode *inode;
	int err;

	err = veneer_copy_up(dentry->d_parent);
	if (err)
		return err;
	err = mnt_want_write(m->upper);
	if (err)
		return err;

	inode = new_inode_for(idmap, dir, (mode & ~S_IFMT) | S_IFREG);
	if (!inode) {
		err = -ENOMEM;
	} else {
		err = open_tmpfile(m, dir, file, inode);
		iput(inode);
	}
	mnt_drop_write(m->upper);
	if (err)
		return err;

	err = finish_open(file, dentry, nothing_to_open);
	/* Only of an open file is it released. */
	if (!(file->f_mode & FMODE_OPENED))
		veneer_file_drop(file);
	return err;
}
