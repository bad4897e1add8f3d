// SPDX-License-Identifier: GPL-2.0-only
/* Inodes of a mount: made, kept in step with the real ones, let go. */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/posix_acl.h>
#include <linux/slab.h>

#include "acl.h"
#include "attr.h"
#include "chain.h"
#include "compat.h"
#include "dir.h"
#include "evict.h"
#include "file.h"
#include "inode.h"
#include "links.h"
#include "log.h"
#include "namei.h"
#include "pagecache.h"
#include "save.h"
#include "split.h"
#include "times.h"
#include "wberr.h"
#include "xattr.h"

/* What chattr(1) has set on the real object. */
#define COPIED_FLAGS	(S_SYNC | S_IMMUTABLE | S_APPEND | S_NOATIME)

static struct kmem_cache *inode_cache;

static const char *veneer_get_link(struct dentry *dentry, struct inode *inode,
				   struct delayed_call *done)
{
	struct path real;

	if (!dentry)
		return ERR_PTR(-ECHILD);

	CLASS(veneer_cred, cred)(veneer_cred(inode->i_sb));
	veneer_inode_real(inode, &real);
	return vfs_get_link(real.dentry, done);
}

static const struct inode_operations veneer_symlink_operations = {
	.get_link	= veneer_get_link,
	.permission	= veneer_permission,
	.getattr	= veneer_getattr,
	.setattr	= veneer_setattr,
	.listxattr	= veneer_listxattr,
	.update_time	= veneer_update_time,
};

static const struct inode_operations veneer_special_operations = {
	.permission	= veneer_permission,
	.getattr	= veneer_getattr,
	.setattr	= veneer_setattr,
	.listxattr	= veneer_listxattr,
	.get_inode_acl	= veneer_get_inode_acl,
	.get_acl	= veneer_get_acl,
	.set_acl	= veneer_set_acl,
	.update_time	= veneer_update_time,
};

/**
 * veneer_inode_real - the real object that has the metadata
 * @inode: an object of a mount
 * @real: receives the path; no references: it lives as long as @inode, or as
 *	an RCU read section
 */
void veneer_inode_real(const struct inode *inode, struct path *real)
{
	struct dentry *upper = veneer_upper(inode);

	if (upper)
		*real = veneer_upper_path(veneer_mount(inode->i_sb), upper);
	else
		*real = veneer_inode(inode)->below_real;
}

/* The uppermost file of a layer that has data of a file that is not whole. */
static int below_data(const struct inode *inode, struct path *data)
{
	struct veneer_chain *chain = veneer_inode_chain(inode);

	if (IS_ERR(chain))
		return PTR_ERR(chain);
	veneer_chain_path(chain, 0, data);
	return 0;
}

/**
 * veneer_inode_chain_first - veneer_inode_chain(), when it is not known yet
 * @inode: a regular file of a mount that is not whole, or was not
 */
struct veneer_chain *veneer_inode_chain_first(const struct inode *inode)
{
	struct veneer_inode *vi = veneer_inode(inode);
	struct veneer_chain *chain;

	if (vi->data_err)
		return ERR_PTR(vi->data_err);
	chain = veneer_stack_chain(vi->below);
	if (!IS_ERR(chain)) {
		/* Pairs with veneer_inode_chain(). */
		smp_store_release(&vi->chain, chain);
	}
	return chain;
}

/**
 * veneer_inode_data - the real file that has the data
 * @inode: a regular file of a mount
 * @data: receives the path; no references: it lives as long as @inode
 *
 * Return: 0 or a negative error.
 */
int veneer_inode_data(const struct inode *inode, struct path *data)
{
	if (veneer_is_whole(inode)) {
		*data = veneer_upper_path(veneer_mount(inode->i_sb),
					  veneer_upper(inode));
		return 0;
	}
	return below_data(inode, data);
}

/**
 * veneer_upper_nlink - how many names an object has in the upper
 * @inode: an object of a mount that has an upper, no directory; its lock or
 *	i_lock held
 */
unsigned int veneer_upper_nlink(const struct inode *inode)
{
	const struct inode *real = d_inode(veneer_inode(inode)->upper);
	struct xarray *strays = &veneer_mount(inode->i_sb)->strays;
	unsigned long stray = xa_to_value(xa_load(strays, real->i_ino));

	return real->i_nlink - min_t(unsigned long, real->i_nlink, stray);
}

/**
 * veneer_count_stray - after the number of an object's names has changed
 * @inode: an object of a mount that has an upper, no directory; its lock held
 * @nlink: what veneer_upper_nlink() is to be now
 *
 * A name that was to go, or did not get where it was to be, may be in work/
 * still, when removing it has failed.
 */
void veneer_count_stray(const struct inode *inode, unsigned int nlink)
{
	const struct inode *real = d_inode(veneer_inode(inode)->upper);
	struct xarray *strays = &veneer_mount(inode->i_sb)->strays;

	lockdep_assert_held(&veneer_inode(inode)->lock);
	/* Without memory for it, the object has a name more than it shows. */
	if (nlink < real->i_nlink)
		xa_store(strays, real->i_ino,
			 xa_mk_value(real->i_nlink - nlink), GFP_KERNEL);
}

static unsigned int shown_nlink(const struct inode *inode,
				const struct inode *real)
{
	const struct veneer_inode *vi = veneer_inode(inode);

	/* A name that went away before the copy-up is counted here only. */
	if (vi->nameless || IS_DEADDIR(inode))
		return inode->i_nlink;
	/* Counting the subdirectories would mean reading them all. */
	if (S_ISDIR(inode->i_mode) && vi->below &&
	    (vi->upper || veneer_stack_is_merged(vi->below)))
		return 1;
	if (vi->links)
		return veneer_links_count(vi->links, veneer_upper_nlink(inode));
	if (!S_ISDIR(inode->i_mode) && !vi->upper)
		return veneer_stack_nlink(vi->below);
	return S_ISDIR(inode->i_mode) ? real->i_nlink :
					veneer_upper_nlink(inode);
}

/**
 * veneer_copyattr - bring an inode in step with the real one
 * @inode: an object of a mount
 *
 * The type stays: a stand-in for a character device 0:0 is really a file.
 * Whoever comes last has read last, too: i_lock is held over both.
 */
void veneer_copyattr(struct inode *inode)
{
	struct mnt_idmap *idmap;
	struct inode *real;
	struct path path;

	veneer_inode_real(inode, &path);
	real = d_inode(path.dentry);
	idmap = mnt_idmap(path.mnt);

	spin_lock(&inode->i_lock);
	inode->i_uid = vfsuid_into_kuid(i_uid_into_vfsuid(idmap, real));
	inode->i_gid = vfsgid_into_kgid(i_gid_into_vfsgid(idmap, real));
	inode->i_mode = (inode->i_mode & S_IFMT) | (real->i_mode & ~S_IFMT);
	veneer_times_copy(inode, real);
	i_size_write(inode, i_size_read(real));
	inode_set_flags(inode, (real->i_flags & COPIED_FLAGS) |
			veneer_inode(inode)->prot, COPIED_FLAGS);
	set_nlink(inode, shown_nlink(inode, real));
	spin_unlock(&inode->i_lock);
}

/**
 * veneer_inode_lost_name - count a removed name
 * @inode: an object of a mount
 */
void veneer_inode_lost_name(struct inode *inode)
{
	if (S_ISDIR(inode->i_mode))
		clear_nlink(inode);
	else if (veneer_upper(inode))
		veneer_copyattr(inode);
	else if (inode->i_nlink)
		drop_nlink(inode);
	veneer_times_changed(inode);
}

/**
 * veneer_has_origin - does this object show a number that it had below?
 * @inode: an object of a mount that has an upper
 */
bool veneer_has_origin(const struct inode *inode)
{
	return inode->i_ino !=
	       veneer_upper_ino(veneer_mount(inode->i_sb), veneer_upper(inode));
}

/* One class for each depth: a layer may be a mount of ours too. */
static void annotate_locks(struct inode *inode)
{
#ifdef CONFIG_LOCKDEP
	static struct lock_class_key dir_key[FILESYSTEM_MAX_STACK_DEPTH];
	static struct lock_class_key file_key[FILESYSTEM_MAX_STACK_DEPTH];
	static struct lock_class_key lock_key[FILESYSTEM_MAX_STACK_DEPTH];
	static struct lock_class_key io_key[FILESYSTEM_MAX_STACK_DEPTH];
	static struct lock_class_key map_key[FILESYSTEM_MAX_STACK_DEPTH];
	static struct lock_class_key cache_key[FILESYSTEM_MAX_STACK_DEPTH];
	int depth = inode->i_sb->s_stack_depth - 1;

	lockdep_set_class(&inode->i_rwsem, S_ISDIR(inode->i_mode) ?
			  &dir_key[depth] : &file_key[depth]);
	lockdep_set_class(&veneer_inode(inode)->lock, &lock_key[depth]);
	lockdep_set_class(&veneer_inode(inode)->io_lock, &io_key[depth]);
	lockdep_set_class(&veneer_inode(inode)->map_lock, &map_key[depth]);
	lockdep_set_class(&inode->i_mapping->invalidate_lock,
			  &cache_key[depth]);
#endif
}

static int key_test(struct inode *inode, void *key)
{
	return veneer_inode(inode)->key == key;
}

static int key_set(struct inode *inode, void *key)
{
	veneer_inode(inode)->key = key;
	return 0;
}

static void inode_fill(struct inode *inode, const struct veneer_found *found)
{
	struct veneer_inode *vi = veneer_inode(inode);
	const struct inode *real;
	struct path path;

	vi->upper = found->upper;
	vi->below = found->below;
	vi->links = found->links;
	vi->whole = found->whole;
	vi->has_map = found->has_map;
	vi->data_err = found->data_err;
	if (found->upper)
		veneer_wberr_begin(inode, found->upper);
	vi->prot = found->upper ? found->prot : veneer_stack_prot(found->below);
	if (found->below)
		veneer_stack_real(found->below, &vi->below_real);

	veneer_inode_real(inode, &path);
	real = d_inode(path.dentry);
	inode->i_ino = found->ino;
	inode->i_mode = found->cdev0 ? S_IFCHR : real->i_mode;
	inode->i_rdev = found->cdev0 ? WHITEOUT_DEV : real->i_rdev;
	veneer_copyattr(inode);
	annotate_locks(inode);
	inode->i_acl = ACL_DONT_CACHE;
	inode->i_default_acl = ACL_DONT_CACHE;

	switch (inode->i_mode & S_IFMT) {
	case S_IFREG:
		inode->i_op = &veneer_file_inode_operations;
		inode->i_fop = &veneer_file_operations;
		inode->i_mapping->a_ops = &veneer_address_operations;
		break;
	case S_IFDIR:
		inode->i_op = &veneer_dir_inode_operations;
		inode->i_fop = &veneer_dir_operations;
		break;
	case S_IFLNK:
		inode->i_op = &veneer_symlink_operations;
		break;
	default:
		inode->i_op = &veneer_special_operations;
		init_special_inode(inode, inode->i_mode, inode->i_rdev);
		break;
	}
}

/*
 * By what an object is found.  One whose names below stay together is, and
 * stays, the stack's inode; any other has one name as long as it is below.
 */
static void *found_key(const struct super_block *sb,
		       const struct veneer_found *found)
{
	if (found->links)
		return d_inode(found->below);
	if (found->upper)
		return d_inode(found->upper);
	if (d_is_dir(found->below) ||
	    veneer_links_wanted(veneer_mount(sb), found->below))
		return d_inode(found->below);
	return found->below;
}

/*
 * A file whose upper is still too long is not shown as long as nothing may be
 * written, and remembered no longer than that.
 */
static int finish_cut(struct super_block *sb, struct veneer_found *found)
{
	int err;

	if (sb_rdonly(sb)) {
		veneer_err_ratelimited("%pd2: a truncation was interrupted; mount it read-write once to finish it\n",
				       found->upper);
		return -EROFS;
	}
	err = veneer_split_finish_cut(veneer_mount(sb), found->upper);
	if (!err)
		return 0;
	veneer_err_ratelimited("%pd2: cannot finish an interrupted truncation (error %d); the file cannot be read\n",
			       found->upper, err);
	found->data_err = err == -EUCLEAN ? err : -EIO;
	return 0;
}

/**
 * veneer_inode_get - find or make the inode of an object
 * @sb: the mount
 * @fresh: an inode to use when there is none yet, or %NULL to have one made;
 *	stays the caller's when another one is returned
 * @found: what the object is.  Its references are taken over, also on errors
 *
 * Return: the inode with a reference, or an ERR_PTR().
 */
struct inode *veneer_inode_get(struct super_block *sb, struct inode *fresh,
			       struct veneer_found *found)
{
	void *key = found_key(sb, found);
	unsigned long hash = (unsigned long)key;
	struct inode *inode;
	int err = -ENOMEM;

	if (fresh)
		inode = inode_insert5(fresh, hash, key_test, key_set, key);
	else
		inode = iget5_locked(sb, hash, key_test, key_set, key);

	if (inode && (inode->i_state & I_NEW)) {
		/* Nobody copies it up before we are done. */
		err = found->complete ? found->complete(sb, found) : 0;
		/* Nobody can have it open: the one time to do this. */
		if (!err && found->cut)
			err = finish_cut(sb, found);
		if (!err) {
			inode_fill(inode, found);
			unlock_new_inode(inode);
			return inode;
		}
		iget_failed(inode);
		inode = NULL;
	}
	dput(found->upper);
	dput(found->below);
	kfree(found->links);
	return inode ? inode : ERR_PTR(err);
}

/**
 * veneer_inode_find - an inode that is in use
 * @sb: the mount
 * @upper: an object of the upper's filesystem, or %NULL
 * @below: without @upper: an object of the stack
 *
 * Return: its inode in the mount, with a reference; %NULL when nobody uses it.
 */
struct inode *veneer_inode_find(struct super_block *sb, struct dentry *upper,
				struct dentry *below)
{
	const struct veneer_found found = { .upper = upper, .below = below };
	void *key = found_key(sb, &found);

	return ilookup5(sb, (unsigned long)key, key_test, key);
}

/**
 * veneer_inode_set_upper - the object now has an upper
 * @inode: the object, its lock held
 * @upper: the object in the upper; a reference that is taken over
 *
 * From now on it is found by @upper's inode.  That nobody looks for it in
 * between is sure: the one name that @upper has is in use by our caller, and
 * is found in the dcache.  An object with several names goes on being found by
 * the stack's inode.
 */
void veneer_inode_set_upper(struct inode *inode, struct dentry *upper)
{
	struct veneer_inode *vi = veneer_inode(inode);

	lockdep_assert_held(&vi->lock);
	veneer_wberr_begin(inode, upper);
	if (vi->links) {
		/* Whoever sees the upper also sees the record. */
		smp_store_release(&vi->upper, upper);
		return;
	}
	vi->key = d_inode(upper);
	remove_inode_hash(inode);
	/* Whoever sees the upper also sees what it points to. */
	smp_store_release(&vi->upper, upper);
	veneer_count(veneer_mount(inode->i_sb), copied_up, 1);
	__insert_inode_hash(inode, (unsigned long)vi->key);
}

struct inode *veneer_alloc_inode(struct super_block *sb)
{
	struct veneer_inode *vi = alloc_inode_sb(sb, inode_cache, GFP_KERNEL);

	if (!vi)
		return NULL;
	vi->upper = NULL;
	vi->below = NULL;
	vi->below_real = (struct path) {};
	vi->whole = false;
	vi->has_map = false;
	vi->split = NULL;
	vi->chain = NULL;
	vi->inner = (struct veneer_kept) {};
	vi->unsynced = VENEER_SYNCED;
	atomic_set(&vi->own_maps, 0);
	atomic_set(&vi->lent_maps, 0);
	vi->recalled = false;
	vi->past_cache = false;
	vi->data_err = 0;
	vi->own_times = 0;
	vi->prot = 0;
	vi->nameless = false;
	vi->impure = false;
	vi->emptied = false;
	vi->names = NULL;
	vi->links = NULL;
	vi->key = NULL;
	mutex_init(&vi->lock);
	mutex_init(&vi->io_lock);
	mutex_init(&vi->map_lock);
	return &vi->vfs_inode;
}

/**
 * veneer_drop_inode - is an inode that nobody uses to be forgotten at once?
 * @inode: the inode, its i_lock held
 *
 * The real one is cached well enough; but what is not yet on the disk must
 * not be forgotten.
 */
int veneer_drop_inode(struct inode *inode)
{
	return generic_drop_inode(inode) || !(inode->i_state & I_DIRTY_ALL);
}

void veneer_evict_inode(struct inode *inode)
{
	truncate_inode_pages_final(&inode->i_data);
	clear_inode(inode);
	if (!S_ISREG(inode->i_mode))
		return;
	veneer_save_forget(inode);
	veneer_inner_drop(inode);
	veneer_map_evict(inode);
}

/**
 * veneer_write_inode - save what the disk does not know of a file
 * @inode: the file, which is no longer dirty
 * @wbc: why
 *
 * The others of the mount's files that have something to be saved are saved
 * with it: a sync does that at its end, in veneer_sync_fs(), and the background
 * soon.  Not here, where giving up the last reference to another inode could
 * wait for whoever writes that one.
 */
int veneer_write_inode(struct inode *inode, struct writeback_control *wbc)
{
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	int err = 0;

	if (!S_ISREG(inode->i_mode))
		return 0;
	/* Somebody waits for this inode alone; or a sync does nothing. */
	if ((wbc->sync_mode == WB_SYNC_ALL && !wbc->for_sync) ||
	    m->options.is_volatile) {
		err = veneer_split_flush(inode, NULL);
	} else if (veneer_split_unsaved(inode)) {
		if (!wbc->for_sync)
			veneer_save_soon(m);
		mark_inode_dirty_sync(inode);
	}
	if (!err && !veneer_split_unsaved(inode) &&
	    !(inode->i_state & I_DIRTY_PAGES))
		veneer_inner_drop(inode);
	return err;
}

/* After eviction: RCU path walk may still look at @upper's dentry. */
void veneer_destroy_inode(struct inode *inode)
{
	struct veneer_inode *vi = veneer_inode(inode);

	veneer_names_free(vi->names);
	kfree(vi->links);
	veneer_split_free(vi->split);
	dput(vi->upper);
	dput(vi->below);
}

void veneer_free_inode(struct inode *inode)
{
	mutex_destroy(&veneer_inode(inode)->lock);
	mutex_destroy(&veneer_inode(inode)->io_lock);
	mutex_destroy(&veneer_inode(inode)->map_lock);
	kmem_cache_free(inode_cache, veneer_inode(inode));
}

static void inode_init_slab(void *inode)
{
	inode_init_once(&((struct veneer_inode *)inode)->vfs_inode);
}

int veneer_inode_init(void)
{
	inode_cache = kmem_cache_create("veneer_inode",
					sizeof(struct veneer_inode), 0,
					SLAB_RECLAIM_ACCOUNT | SLAB_ACCOUNT,
					inode_init_slab);
	return inode_cache ? 0 : -ENOMEM;
}

void veneer_inode_exit(void)
{
	/* Inodes are freed after a grace period. */
	rcu_barrier();
	kmem_cache_destroy(inode_cache);
}
