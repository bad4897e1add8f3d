// SPDX-License-Identifier: GPL-2.0-only
/* Superblocks of mounts: made, shared, synced, taken down. */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/slab.h>
#include <linux/statfs.h>

#include "apart.h"
#include "compat.h"
#include "evict.h"
#include "export.h"
#include "file.h"
#include "inode.h"
#include "kept.h"
#include "log.h"
#include "mount.h"
#include "namei.h"
#include "pagecache.h"
#include "save.h"
#include "served.h"
#include "stack_fd.h"
#include "usermount.h"
#include "wberr.h"
#include "workdir.h"
#include "writer.h"
#include "xattr.h"

static atomic_t nr_mounts = ATOMIC_INIT(0);

/*
 * The mounts that have been made, by veneer_mount.live.  The superblocks' own list
 * has those that are being made, too, locked for as long as that takes: and a
 * filesystem that a user serves takes as long as he likes.
 */
static LIST_HEAD(live_mounts);
static DEFINE_MUTEX(live_lock);

/**
 * veneer_mount_count - how many mounts there are, each counted once however
 * often it is mounted
 */
unsigned int veneer_mount_count(void)
{
	return atomic_read(&nr_mounts);
}

/**
 * veneer_live_mount - find the mount that an upper belongs to
 * @root: the root of the upper
 *
 * Return: its superblock with an active reference, for deactivate_super(); or
 * %NULL.
 */
struct super_block *veneer_live_mount(const struct dentry *root)
{
	struct super_block *found = NULL;
	struct veneer_mount *m;

	mutex_lock(&live_lock);
	list_for_each_entry(m, &live_mounts, live) {
		if (m->upper && m->upper->mnt_root == root &&
		    atomic_inc_not_zero(&m->sb->s_active)) {
			found = m->sb;
			break;
		}
	}
	mutex_unlock(&live_lock);
	return found;
}

static void live_add(struct super_block *sb)
{
	struct veneer_mount *m = veneer_mount(sb);

	m->sb = sb;
	mutex_lock(&live_lock);
	list_add(&m->live, &live_mounts);
	mutex_unlock(&live_lock);
}

static void live_remove(struct veneer_mount *m)
{
	mutex_lock(&live_lock);
	list_del_init(&m->live);
	mutex_unlock(&live_lock);
}

static struct dentry *veneer_d_real(struct dentry *dentry, enum d_real_type type)
{
	struct inode *inode = d_inode(dentry);
	struct path path;

	if (!inode || (!S_ISREG(inode->i_mode) && type == D_REAL_DATA))
		return dentry;
	if (type == D_REAL_DATA) {
		if (!veneer_mapped_file(inode, &path))
			return dentry;
	} else {
		veneer_inode_real(inode, &path);
	}
	return d_real(path.dentry, type);
}

static const struct dentry_operations veneer_dentry_operations = {
	.d_real		= veneer_d_real,
};

/* A walk by RCU has asked veneer_permission(), with the credentials. */
static void mount_free_rcu(struct rcu_head *rcu)
{
	struct veneer_mount *m = container_of(rcu, struct veneer_mount, rcu);

	put_cred(m->writer_cred);
	put_cred(m->cred);
	kfree(m);
}

static void mount_free(struct veneer_mount *m)
{
	if (!m)
		return;
	veneer_unclaim(m);
	veneer_save_exit(m);
	veneer_apart_exit(m);
	veneer_links_destroy(&m->links);
	xa_destroy(&m->strays);
	dput(m->work);
	dput(m->workdir);
	if (m->upper)
		kern_unmount(m->upper);
	if (m->stack)
		veneer_stack_count_mounts(m->stack, -1);
	veneer_stack_put(m->stack);
	veneer_options_free(&m->options);
	call_rcu(&m->rcu, mount_free_rcu);
}

static void veneer_put_super(struct super_block *sb)
{
	/* Whoever waits for this superblock to die may want the same upper. */
	veneer_unclaim(veneer_mount(sb));
}

/**
 * veneer_kill_sb - the last user of a mount is gone
 * @sb: the mount
 */
void veneer_kill_sb(struct super_block *sb)
{
	struct veneer_mount *m = veneer_mount(sb);

	live_remove(m);
	veneer_save_stop(m);
	/* Until this returns, same_upper() may still look at @m. */
	kill_anon_super(sb);
	veneer_kept_settle(sb);
	mount_free(m);
	atomic_dec(&nr_mounts);
}

static int veneer_statfs(struct dentry *dentry, struct kstatfs *buf)
{
	struct path real;
	int err;

	CLASS(veneer_cred, cred)(veneer_cred(dentry->d_sb));
	veneer_inode_real(d_inode(dentry->d_sb->s_root), &real);
	err = vfs_statfs(&real, buf);
	if (!err) {
		buf->f_type = VENEER_SUPER_MAGIC;
		buf->f_namelen = veneer_mount(dentry->d_sb)->namelen;
		buf->f_fsid = u64_to_fsid(huge_encode_dev(dentry->d_sb->s_dev));
	}
	return err;
}

/* All that a mount could have to sync is in its upper's filesystem. */
static int veneer_sync_fs(struct super_block *sb, int wait)
{
	struct veneer_mount *m = veneer_mount(sb);
	struct super_block *upper_sb;
	int err = veneer_sync_status(m), save_err;

	/* The first of two calls; the upper's filesystem makes both itself. */
	if (err <= 0 || !wait)
		return min(err, 0);

	save_err = veneer_save_all(m, true);
	upper_sb = m->upper->mnt_sb;
	down_read(&upper_sb->s_umount);
	err = sync_filesystem(upper_sb);
	up_read(&upper_sb->s_umount);
	veneer_wberr_take_super(sb);
	return save_err ? : err;
}

static const struct super_operations veneer_super_operations = {
	.alloc_inode	= veneer_alloc_inode,
	.free_inode	= veneer_free_inode,
	.destroy_inode	= veneer_destroy_inode,
	.drop_inode	= veneer_drop_inode,
	.evict_inode	= veneer_evict_inode,
	.write_inode	= veneer_write_inode,
	.put_super	= veneer_put_super,
	.statfs		= veneer_statfs,
	.sync_fs	= veneer_sync_fs,
	.show_options	= veneer_show_options,
};

static int set_namelen(struct veneer_mount *m, const struct path *path)
{
	struct kstatfs statfs;
	int err = vfs_statfs(path, &statfs);

	if (!err)
		m->namelen = max(m->namelen, statfs.f_namelen);
	return err;
}

static int take_upper(struct fs_context *fc, struct veneer_mount *m,
		      const struct veneer_options *options)
{
	struct kstat stat;
	int err;

	if (__mnt_is_readonly(options->upper.mnt)) {
		veneer_fc_err(fc, "upperdir: '%s' is on a read-only mount; leave it out to mount the layers alone",
			      options->upper_name);
		return -EROFS;
	}

	m->upper = clone_private_mount(&options->upper);
	if (IS_ERR(m->upper)) {
		err = PTR_ERR(m->upper);
		m->upper = NULL;
		veneer_fc_err(fc, "upperdir: cannot clone the mount of '%s': error %d",
			      options->upper_name, err);
		return err;
	}
	/*
	 * atime follows the rules of our mount, which veneer_update_time() keeps.
	 * Nothing else moves it, least of all where a handle that was made up has
	 * directories read that are not in the upper.
	 */
	m->upper->mnt_flags |= MNT_NOATIME | MNT_NODIRATIME;
	m->workdir = dget(options->work.dentry);
	m->served = veneer_is_served(m->upper);

	err = veneer_writer_init(m);
	if (err)
		return err;
	err = vfs_getattr(&options->upper, &stat, STATX_INO,
			  AT_STATX_SYNC_AS_STAT);
	if (err)
		return err;
	m->upper_fsid = veneer_stack_fsid(veneer_stack(m->stack), stat.dev);
	m->nr_fs = max(m->nr_fs, m->upper_fsid + 1);
	return set_namelen(m, &options->upper);
}

static struct veneer_mount *mount_alloc(struct fs_context *fc)
{
	struct veneer_options *options = fc->fs_private;
	struct veneer_mount *m = kzalloc(sizeof(*m), GFP_KERNEL);
	struct super_block *stack;
	int err;

	if (!m)
		return ERR_PTR(-ENOMEM);

	xa_init(&m->strays);
	INIT_LIST_HEAD(&m->live);
	m->cred = veneer_mounter_cred(fc);
	if (!m->cred) {
		kfree(m);
		return ERR_PTR(-ENOMEM);
	}
	m->tunables.block_shift = VENEER_MIN_BLOCK_SHIFT;
	atomic64_set(&m->tunables.whole_limit, VENEER_DEFAULT_WHOLE_LIMIT);
	veneer_set_tunables(m, options);
	if (options->stack_file)
		stack = veneer_stack_hold(veneer_stack_of_file(options->stack_file));
	else
		stack = veneer_stack_get(fc, options->layers,
					 options->nr_layers,
					 options->userxattr);
	err = PTR_ERR_OR_ZERO(stack);
	if (!err) {
		m->stack = stack;
		m->nr_fs = veneer_stack(stack)->nr_fs;
		veneer_stack_count_mounts(stack, 1);
		if (options->upper.dentry)
			err = take_upper(fc, m, options);
		else
			err = set_namelen(m, &options->layers[0]);
	}
	if (err) {
		mount_free(m);
		return ERR_PTR(err);
	}

	/* mount(2) says it of the vfsmount as well. */
	m->read_only = fc->sb_flags & SB_RDONLY && !fc->oldapi;
	veneer_save_init(m);
	veneer_orphans_init(m);
	if (m->upper)
		m->wb_err = errseq_sample(&m->upper->mnt_sb->s_wb_err);
	veneer_options_put_paths(options);
	m->options = *options;
	*options = (struct veneer_options) {};
	return m;
}

static int veneer_fill_super(struct super_block *sb, struct fs_context *fc)
{
	struct veneer_mount *m = veneer_mount(sb);
	struct inode *root;
	int err;

	sb->s_magic = VENEER_SUPER_MAGIC;
	sb->s_op = &veneer_super_operations;
	sb->s_d_op = &veneer_dentry_operations;
	sb->s_xattr = veneer_xattr_handlers;
	sb->s_flags |= SB_POSIXACL;
	sb->s_iflags |= SB_I_EVM_HMAC_UNSUPPORTED;
	sb->s_time_gran = 1;
	sb->s_maxbytes = MAX_LFS_FILESIZE;
	sb->s_blocksize = PAGE_SIZE;
	sb->s_blocksize_bits = PAGE_SHIFT;
	sb->s_stack_depth = m->stack->s_stack_depth;

	/* Pages of mappings are read ahead; they and block maps are written back. */
	err = super_setup_bdi(sb);
	if (err)
		return err;

	if (m->upper) {
		const struct super_block *upper_sb = m->upper->mnt_sb;

		/* Who has set it is the only one to give privileges to files. */
		sb->s_flags |= upper_sb->s_flags & SB_NOSEC;
		sb->s_maxbytes = upper_sb->s_maxbytes;
		sb->s_blocksize = upper_sb->s_blocksize;
		sb->s_blocksize_bits = upper_sb->s_blocksize_bits;
		sb->s_time_gran = upper_sb->s_time_gran;
		sb->s_time_min = upper_sb->s_time_min;
		sb->s_time_max = upper_sb->s_time_max;
		sb->s_stack_depth = max(sb->s_stack_depth,
					upper_sb->s_stack_depth + 1);
		if (sb->s_stack_depth > FILESYSTEM_MAX_STACK_DEPTH) {
			veneer_fc_err(fc, "upperdir: '%s' is on a filesystem that is stacked %d deep already",
				      m->options.upper_name,
				      FILESYSTEM_MAX_STACK_DEPTH);
			return -ELOOP;
		}

		/* sync(2) comes to the upper's filesystem by itself. */
		if (m->served)
			sb->s_iflags |= SB_I_SKIP_SYNC;
		err = veneer_save_start(m, MINOR(sb->s_dev));
		if (!err)
			err = veneer_apart_init(m, MINOR(sb->s_dev));
		if (err)
			return err;

		CLASS(veneer_cred, cred)(m->cred);
		err = veneer_workdir_prepare(fc, m);
		if (err)
			return err;
	} else {
		sb->s_iflags |= SB_I_SKIP_SYNC;
		sb->s_flags |= SB_RDONLY;
	}

	veneer_export_init(sb);
	veneer_links_init(&m->links, sb->s_stack_depth);
	err = veneer_root_inode(sb, &root);
	if (err)
		return err;
	sb->s_root = d_make_root(root);
	return sb->s_root ? 0 : -ENOMEM;
}

/* Is this the superblock of the upper that is asked for? */
static int same_upper(struct super_block *sb, struct fs_context *fc)
{
	const struct veneer_mount *a = sb->s_fs_info, *b = fc->s_fs_info;

	return a->upper && b->upper && a->upper->mnt_root == b->upper->mnt_root;
}

static int check_shared(struct fs_context *fc, const struct super_block *sb,
			const struct veneer_mount *m)
{
	const struct veneer_mount *live = veneer_mount(sb);

	if (!veneer_stack_may_use(live->stack, fc->cred)) {
		veneer_fc_err(fc, "upperdir: '%s' is mounted already, by a mounter with other credentials; unmount it first",
			      m->options.upper_name);
		return -EBUSY;
	}
	if (mnt_idmap(live->upper) != mnt_idmap(m->upper)) {
		veneer_fc_err(fc, "upperdir: '%s' is mounted already, through another id mapping; unmount it first",
			      m->options.upper_name);
		return -EBUSY;
	}
	if (live->stack != m->stack) {
		veneer_fc_err(fc, "upperdir: '%s' is mounted already, with other layers; unmount it first",
			      m->options.upper_name);
		return -EBUSY;
	}
	if (live->workdir != m->workdir) {
		veneer_fc_err(fc, "workdir: upperdir '%s' is mounted already, with workdir '%s'",
			      m->options.upper_name, live->options.work_name);
		return -EBUSY;
	}
	if (sb_rdonly(sb) && live->read_only && !(fc->sb_flags & SB_RDONLY)) {
		veneer_fc_err(fc, "upperdir: '%s' is mounted already, as a filesystem that is read-only; remount that read-write, or mount this with ro",
			      m->options.upper_name);
		return -EBUSY;
	}
	return 0;
}

static int check_options(struct fs_context *fc)
{
	struct veneer_options *o = fc->fs_private;
	int err;

	err = veneer_usermount_check(fc);
	if (err)
		return err;
	if (o->stack_file) {
		err = veneer_stack_file_layers(fc, o);
		if (err)
			return err;
	}
	if (!o->nr_layers) {
		veneer_fc_err(fc, "lowerdir: no layer given; at least one is needed");
		return -EINVAL;
	}
	if (o->upper_name && !o->work_name) {
		veneer_fc_err(fc, "workdir: missing; with upperdir '%s' an empty directory on the same filesystem is needed",
			      o->upper_name);
		return -EINVAL;
	}
	if (o->work_name && !o->upper_name) {
		infofc(fc, "workdir: '%s' has no use without upperdir",
		       o->work_name);
		path_put(&o->work);
		o->work = (struct path) {};
		kfree(o->work_name);
		o->work_name = NULL;
	}
	err = veneer_flush_live_layers(fc, o);
	if (err)
		return err;
	return o->upper_name ? veneer_workdir_check(fc, o) : 0;
}

/**
 * veneer_get_tree - make a mount, or find the one of the same upper
 * @fc: the context
 */
int veneer_get_tree(struct fs_context *fc)
{
	struct super_block *sb;
	struct veneer_mount *m;
	int err;

	err = check_options(fc);
	if (err)
		return err;
	m = mount_alloc(fc);
	if (IS_ERR(m))
		return PTR_ERR(m);

	fc->s_fs_info = m;
	sb = sget_fc(fc, same_upper, set_anon_super_fc);
	if (IS_ERR(sb)) {
		fc->s_fs_info = NULL;
		mount_free(m);
		return PTR_ERR(sb);
	}

	if (sb->s_root) {
		fc->s_fs_info = NULL;
		err = check_shared(fc, sb, m);
		mount_free(m);
		/* Each vfsmount that was asked to be read-only is. */
		if (!err && !(fc->sb_flags & SB_RDONLY))
			sb->s_flags &= ~SB_RDONLY;
	} else {
		atomic_inc(&nr_mounts);
		err = veneer_fill_super(sb, fc);
		if (!err) {
			sb->s_flags |= SB_ACTIVE;
			live_add(sb);
		}
	}
	if (err) {
		deactivate_locked_super(sb);
		return err;
	}
	fc->root = dget(sb->s_root);
	return 0;
}
