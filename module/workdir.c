// SPDX-License-Identifier: GPL-2.0-only
/*
 * The upper and its workdir: checked, claimed and made ready for a mount.
 *
 * Inside the given workdir we keep a directory "work", as overlayfs does, and
 * by the same rules, so that each of the two understands what the other left.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>

#include "compat.h"
#include "log.h"
#include "marks.h"
#include "upper.h"
#include "workdir.h"

#define WORK_NAME	"work"
/* work/incompat/volatile, and what overlayfs may have left in work/. */
#define WORK_DEPTH	3

static bool overlap(struct dentry *a, struct dentry *b)
{
	return a->d_sb == b->d_sb && (is_subdir(a, b) || is_subdir(b, a));
}

/**
 * veneer_workdir_check - can these directories be used together?
 * @fc: the context, for messages
 * @options: what was asked for, with an upper
 */
int veneer_workdir_check(struct fs_context *fc,
			 const struct veneer_options *options)
{
	struct dentry *upper = options->upper.dentry;
	struct dentry *work = options->work.dentry;
	int err;

	/* To mount is to keep everybody else from mounting it. */
	err = inode_permission(mnt_idmap(options->upper.mnt), d_inode(upper),
			       MAY_WRITE | MAY_EXEC);
	if (err) {
		veneer_fc_err(fc, "upperdir: you may not write to '%s' (error %d)",
			      options->upper_name, err);
		return err;
	}
	if (options->upper.mnt != options->work.mnt) {
		veneer_fc_err(fc, "workdir: '%s' is not on the same mount as upperdir '%s'",
			      options->work_name, options->upper_name);
		return -EINVAL;
	}
	if (overlap(upper, work)) {
		veneer_fc_err(fc, "workdir: '%s' and upperdir '%s' are one within the other; they must be apart",
			      options->work_name, options->upper_name);
		return -EINVAL;
	}

	for (unsigned int i = 0; i < options->nr_layers; i++) {
		struct dentry *layer = options->layers[i].dentry;

		if (!layer)
			continue;
		if (overlap(layer, upper)) {
			veneer_fc_err(fc, "upperdir: '%s' and layer '%s' are one within the other",
				      options->upper_name,
				      options->layer_names[i]);
			return -ELOOP;
		}
		if (overlap(layer, work)) {
			veneer_fc_err(fc, "workdir: '%s' and layer '%s' are one within the other",
				      options->work_name,
				      options->layer_names[i]);
			return -ELOOP;
		}
	}
	return 0;
}

/*
 * Writes back the mount whose upper this is.  One of somebody else's, whom the
 * mounter has no say over, is none of his business.
 */
static int flush_upper(const struct fs_context *fc, const struct dentry *root)
{
	struct super_block *sb = veneer_live_mount(root);
	int err = 0;

	if (!sb)
		return 0;
	CLASS(veneer_cred, cred)(fc->cred);
	if (ns_capable_noaudit(sb->s_user_ns, CAP_SYS_ADMIN)) {
		down_read(&sb->s_umount);
		err = sync_filesystem(sb);
		up_read(&sb->s_umount);
	}
	deactivate_super(sb);
	return err;
}

/**
 * veneer_flush_live_layers - see that layers which are somebody's upper are
 * up to date on the disk, and warn of them
 * @fc: the context, for messages
 * @options: what was asked for
 *
 * One that was just committed, say, and whose lazy unmount is not over: what
 * its mount knows of it has to be there for whoever reads the layer.
 */
int veneer_flush_live_layers(struct fs_context *fc,
			     const struct veneer_options *options)
{
	for (unsigned int i = 0; i < options->nr_layers; i++) {
		const struct dentry *root = options->layers[i].dentry;
		int err;

		if (!root || !(d_inode(root)->i_state & I_OVL_INUSE))
			continue;

		veneer_warn("layer '%s' is the upperdir or workdir of a live mount; what changes there may or may not be seen\n",
			    options->layer_names[i]);
		err = flush_upper(fc, root);
		if (err) {
			veneer_fc_err(fc, "lowerdir: layer '%s' is the upper of a live mount, which cannot be written back: error %d; unmount it first",
				      options->layer_names[i], err);
			return err;
		}
	}
	return 0;
}

/*
 * The flag is overlayfs's, for this very purpose: so neither of us mounts what
 * the other has mounted.
 */
static bool claim(struct dentry *dentry)
{
	struct inode *inode = d_inode(dentry);
	bool claimed = false;

	spin_lock(&inode->i_lock);
	if (!(inode->i_state & I_OVL_INUSE)) {
		inode->i_state |= I_OVL_INUSE;
		claimed = true;
	}
	spin_unlock(&inode->i_lock);
	return claimed;
}

static void unclaim(struct dentry *dentry)
{
	struct inode *inode = d_inode(dentry);

	spin_lock(&inode->i_lock);
	inode->i_state &= ~I_OVL_INUSE;
	spin_unlock(&inode->i_lock);
}

/**
 * veneer_unclaim - others may use the upper and the workdir
 * @m: the mount; nothing happens when it does not hold them
 */
void veneer_unclaim(struct veneer_mount *m)
{
	if (m->upper_claimed)
		unclaim(m->upper->mnt_root);
	if (m->work_claimed)
		unclaim(m->workdir);
	m->upper_claimed = false;
	m->work_claimed = false;
}

static int claim_both(struct fs_context *fc, struct veneer_mount *m)
{
	m->upper_claimed = claim(m->upper->mnt_root);
	if (!m->upper_claimed) {
		veneer_fc_err(fc, "upperdir: '%s' is in use as upperdir or workdir of another mount; unmount that first",
			      m->options.upper_name);
		return -EBUSY;
	}
	m->work_claimed = claim(m->workdir);
	if (!m->work_claimed) {
		veneer_fc_err(fc, "workdir: '%s' is in use as upperdir or workdir of another mount; unmount that first",
			      m->options.work_name);
		return -EBUSY;
	}
	return 0;
}

/*
 * A volatile mount leaves work/incompat/volatile, and takes it away in no way
 * but by hand: its upper may have lost anything.
 */
static int check_incompat(struct fs_context *fc, struct veneer_mount *m)
{
	struct mnt_idmap *idmap = veneer_upper_idmap(m);
	static const char * const names[] = { WORK_NAME, "incompat", "volatile" };
	struct dentry *dir = dget(m->workdir);
	int err = 0;

	for (int i = 0; i < ARRAY_SIZE(names) && !err; i++) {
		struct dentry *next = veneer_lookup_unlocked(idmap, names[i],
							     dir);

		dput(dir);
		if (IS_ERR(next))
			return PTR_ERR(next);
		dir = next;
		if (d_is_negative(dir) || !d_can_lookup(dir))
			break;
		if (i == ARRAY_SIZE(names) - 1) {
			veneer_fc_err(fc, "workdir: '%s' is of a volatile mount, which may have lost data; if that does not matter, remove '%s/work/incompat'",
				      m->options.work_name,
				      m->options.work_name);
			err = -EINVAL;
		}
	}
	dput(dir);
	return err;
}

/* A new directory has an ACL only where its parent has a default one. */
static int remove_acl(struct mnt_idmap *idmap, struct dentry *dentry,
		      const char *name)
{
	struct posix_acl *acl = vfs_get_acl(idmap, dentry, name);
	int err = PTR_ERR_OR_ZERO(acl);

	if (!err) {
		posix_acl_release(acl);
		err = vfs_remove_acl(idmap, dentry, name);
	}
	return err == -ENODATA || err == -EOPNOTSUPP ? 0 : err;
}

/* Makes work/, empty. */
static int make_work(struct veneer_mount *m)
{
	const struct veneer_new new = { .mode = S_IFDIR };
	struct mnt_idmap *idmap = veneer_upper_idmap(m);
	struct iattr attr = { .ia_valid = ATTR_MODE, .ia_mode = S_IFDIR };
	struct dentry *work;
	int err;

	work = veneer_upper_make(m, m->workdir, WORK_NAME, &new);
	if (work == ERR_PTR(-EEXIST)) {
		err = veneer_work_remove(m, m->workdir, WORK_NAME, WORK_DEPTH);
		if (err)
			return err;
		work = veneer_upper_make(m, m->workdir, WORK_NAME, &new);
	}
	if (IS_ERR(work))
		return PTR_ERR(work);
	m->work = work;

	/* What is made in here must not inherit anything. */
	err = remove_acl(idmap, work, XATTR_NAME_POSIX_ACL_DEFAULT);
	if (!err)
		err = remove_acl(idmap, work, XATTR_NAME_POSIX_ACL_ACCESS);
	if (err || d_inode(work)->i_mode == S_IFDIR)
		return err;
	inode_lock(d_inode(work));
	err = notify_change(idmap, work, &attr, NULL);
	inode_unlock(d_inode(work));
	return err;
}

static int failed(struct fs_context *fc, const struct veneer_mount *m,
		  const char *what, int err)
{
	veneer_fc_err(fc, "workdir: cannot %s in '%s/work' (error %d)", what,
		      m->options.work_name, err);
	return err;
}

/* Does the upper's filesystem do what every change relies on? */
static int check_features(struct fs_context *fc, struct veneer_mount *m)
{
	const struct veneer_new new = { .mode = S_IFREG };
	const struct path work = veneer_upper_path(m, m->work);
	struct dentry *temp, *left;
	char name[NAME_MAX + 1];
	int err;

	err = veneer_mark_set(&work, m->options.userxattr, VENEER_MARK_IMPURE,
			      "y", 1);
	if (err == -EOPNOTSUPP || err == -EPERM) {
		veneer_fc_err(fc, "upperdir: the filesystem of '%s' cannot hold %s attributes (error %d); choose a directory on ext4, xfs or tmpfs",
			      m->options.upper_name,
			      m->options.userxattr ? "user.*" : "trusted.*",
			      err);
		return err == -EOPNOTSUPP ? -EINVAL : err;
	}
	if (err)
		return failed(fc, m, "set an attribute", err);

	temp = veneer_temp_make(m, &new);
	if (IS_ERR(temp))
		return failed(fc, m, "make a file", PTR_ERR(temp));
	strscpy(name, temp->d_name.name, sizeof(name));

	err = veneer_temp_take(m, temp, true);
	/* What filesystems say to flags that they do not know. */
	if (err == -EINVAL || err == -EOPNOTSUPP) {
		veneer_fc_err(fc, "upperdir: the filesystem of '%s' cannot leave a whiteout when it renames (error %d); choose a directory on ext4, xfs or tmpfs",
			      m->options.upper_name, err);
		err = -EINVAL;
	} else if (err) {
		failed(fc, m, "rename", err);
	} else {
		left = veneer_lookup_unlocked(veneer_upper_idmap(m), name,
					      m->work);
		if (!IS_ERR(left)) {
			if (d_is_positive(left))
				veneer_temp_discard(m, left);
			dput(left);
		}
	}
	veneer_temp_discard(m, temp);
	dput(temp);
	return err;
}

static int mark_volatile(struct veneer_mount *m)
{
	const struct veneer_new new = { .mode = S_IFDIR | 0700 };
	struct dentry *incompat, *mark;

	incompat = veneer_upper_make(m, m->work, "incompat", &new);
	if (IS_ERR(incompat))
		return PTR_ERR(incompat);
	mark = veneer_upper_make(m, incompat, "volatile", &new);
	dput(incompat);
	if (IS_ERR(mark))
		return PTR_ERR(mark);
	dput(mark);
	return 0;
}

/**
 * veneer_workdir_prepare - take the upper and the workdir into use
 * @fc: the context, for messages
 * @m: the mount
 *
 * Runs with the mounter's credentials.
 */
int veneer_workdir_prepare(struct fs_context *fc, struct veneer_mount *m)
{
	int err = claim_both(fc, m);

	if (!err)
		err = check_incompat(fc, m);
	if (err)
		return err;

	err = mnt_want_write(m->upper);
	if (err)
		return err;
	err = make_work(m);
	if (err)
		veneer_fc_err(fc, "workdir: cannot make '%s/work' anew (error %d); is it empty and writable?",
			      m->options.work_name, err);
	if (!err)
		err = check_features(fc, m);
	if (!err && m->options.is_volatile)
		err = mark_volatile(m);
	mnt_drop_write(m->upper);
	return err;
}
