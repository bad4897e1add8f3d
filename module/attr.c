// SPDX-License-Identifier: GPL-2.0-only
/* Attributes of an object of a mount: who may what, asking for them, changing them. */
#include <linux/blk_types.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/pagemap.h>

#include "attr.h"
#include "chain.h"
#include "compat.h"
#include "copyup.h"
#include "inode.h"
#include "mount.h"
#include "pagecache.h"
#include "range.h"
#include "split.h"
#include "times.h"
#include "writer.h"

/**
 * veneer_permission - may the caller do this?
 * @idmap: the id mapping that the mount was reached through
 * @inode: the object
 * @mask: MAY_* bits
 *
 * Asked twice: the caller's credentials against what the mount shows, and the
 * mounter's against the real object.
 */
int veneer_permission(struct mnt_idmap *idmap, struct inode *inode, int mask)
{
	const struct cred *old_cred;
	struct inode *real_inode;
	struct path real;
	int err;

	veneer_inode_real(inode, &real);
	real_inode = d_inode_rcu(real.dentry);
	if (!real_inode)
		return -ECHILD;

	err = generic_permission(idmap, inode, mask);
	if (err)
		return err;

	/* A layer is never written: what is needed is to be able to copy. */
	if ((mask & MAY_WRITE) && !veneer_upper(inode) &&
	    !special_file(real_inode->i_mode)) {
		mask &= ~(MAY_WRITE | MAY_APPEND);
		mask |= MAY_READ;
	}

	old_cred = override_creds(veneer_cred(inode->i_sb));
	err = inode_permission(mnt_idmap(real.mnt), real_inode, mask);
	revert_creds(old_cred);
	return err;
}

/*
 * A page that is not yet in the upper is to get a block there, as on a filesystem
 * that allocates late.  Who finds no blocks takes the file for a hole.
 */
static u64 late_blocks(const struct inode *inode)
{
	return mapping_tagged(inode->i_mapping, PAGECACHE_TAG_DIRTY) ||
	       mapping_tagged(inode->i_mapping, PAGECACHE_TAG_WRITEBACK) ?
	       PAGE_SIZE / SECTOR_SIZE : 0;
}

/*
 * What is stored of a regular file counts, wherever it is: @stat is of the real
 * file that has the metadata, which is in the upper if @upper.  A file there has
 * data only if it is split; what the marks of any other take is not the user's.
 * Most files of layers have all of their data, as their size shows.
 */
static int count_blocks(const struct inode *inode, struct kstat *stat,
			bool upper, unsigned int flags)
{
	const loff_t size = i_size_read(inode);
	struct veneer_chain *chain;
	u64 blocks = 0;
	int err;

	if (veneer_is_whole(inode))
		goto out;
	if (!upper && stat->blocks >= DIV_ROUND_UP_ULL(size, SECTOR_SIZE))
		return 0;

	chain = veneer_inode_chain(inode);
	err = PTR_ERR_OR_ZERO(chain);
	if (!err)
		err = veneer_chain_blocks(chain, size, flags, &blocks);
	if (err) {
		/* stat(2) goes on when there is no data; open(2) is what fails. */
		return err == -EIO || err == -EUCLEAN || err == -EACCES ?
		       0 : err;
	}
	if (upper &&
	    (veneer_inode_split(inode) || veneer_inode(inode)->has_map))
		blocks += stat->blocks;
	stat->blocks = blocks;
out:
	if (!stat->blocks)
		stat->blocks = late_blocks(inode);
	return 0;
}

int veneer_getattr(struct mnt_idmap *idmap, const struct path *path,
		   struct kstat *stat, u32 request_mask, unsigned int flags)
{
	struct inode *inode = d_inode(path->dentry);
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	struct path real;
	int err;

	CLASS(veneer_cred, cred)(m->cred);
	veneer_inode_real(inode, &real);
	err = vfs_getattr(&real, stat, request_mask,
			  flags & AT_STATX_SYNC_TYPE);
	if (err)
		return err;

	veneer_times_fill(inode, stat);
	generic_fill_statx_attr(inode, stat);
	stat->uid = vfsuid_into_kuid(i_uid_into_vfsuid(idmap, inode));
	stat->gid = vfsgid_into_kgid(i_gid_into_vfsgid(idmap, inode));
	stat->dev = inode->i_sb->s_dev;
	stat->ino = inode->i_ino;
	stat->nlink = inode->i_nlink;
	stat->mode = (stat->mode & ~S_IFMT) | (inode->i_mode & S_IFMT);
	stat->rdev = inode->i_rdev;

	if (S_ISREG(inode->i_mode) && (request_mask & STATX_BLOCKS))
		err = count_blocks(inode, stat, real.mnt == m->upper, flags);
	return err;
}

/* Hands the change on to the upper. */
static int setattr_upper(struct inode *inode, struct iattr *attr)
{
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	struct dentry *upper = veneer_upper(inode);
	int err;

	err = mnt_want_write(m->upper);
	if (err)
		return err;

	/* The mode has the type that the mount shows. */
	attr->ia_mode = (attr->ia_mode & ~S_IFMT) |
			(d_inode(upper)->i_mode & S_IFMT);

	if (attr->ia_valid & ATTR_SIZE)
		err = get_write_access(d_inode(upper));
	if (!err) {
		CLASS(veneer_cred, cred)(veneer_writer_cred(m));

		inode_lock(d_inode(upper));
		err = notify_change(veneer_upper_idmap(m), upper, attr, NULL);
		if (!err)
			veneer_copyattr(inode);
		inode_unlock(d_inode(upper));
		if (attr->ia_valid & ATTR_SIZE)
			put_write_access(d_inode(upper));
	}
	mnt_drop_write(m->upper);
	return err;
}

/* Makes the upper's file shorter or longer, of whatever kind it is. */
static int resize_upper(struct inode *inode, struct iattr *attr)
{
	const loff_t size = attr->ia_size;
	int err = veneer_split_cut_begin(inode, size);

	if (err)
		return err;
	veneer_cache_hold(inode, size);
	err = setattr_upper(inode, attr);
	/* Not before below ends there, too: what fills a block asks for that. */
	err = veneer_split_cut_end(inode, size, err);
	veneer_cache_release(inode);
	return err;
}

/*
 * Changes the size of a file whose bytes may be in two places, and in the
 * page cache of its mappings.
 */
static int set_size(struct dentry *dentry, struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	const loff_t old_size = i_size_read(inode);
	int err;

	veneer_cache_prepare_resize(inode, attr->ia_size);
	err = veneer_copy_up_truncate(dentry, attr);
	/*
	 * A split file on an upper that must have no maps to be saved.  One of which
	 * nothing is left is whole below.
	 */
	if (!err && attr->ia_size && veneer_mount(inode->i_sb)->served)
		err = veneer_make_whole_locked(inode);
	if (!err)
		err = resize_upper(inode, attr);
	else
		err = min(err, 0);
	if (err)
		veneer_copyattr(inode);
	/*
	 * After the upper: what has failed to go must still be there.  And without
	 * its locks: a fault that waits for a layer holds what this waits for.
	 */
	veneer_cache_cut(inode, old_size);
	if (!err && veneer_split_is_complete(inode))
		err = veneer_split_flush(inode, NULL);
	return err;
}

int veneer_setattr(struct mnt_idmap *idmap, struct dentry *dentry,
		   struct iattr *attr)
{
	struct user_namespace *fs_ns = i_user_ns(d_inode(dentry));
	int err = setattr_prepare(idmap, dentry, attr);

	if (err)
		return err;

	/* Ids as the caller's mount maps them mean nothing to the upper's. */
	if (attr->ia_valid & ATTR_UID)
		attr->ia_vfsuid = VFSUIDT_INIT(from_vfsuid(idmap, fs_ns,
							   attr->ia_vfsuid));
	if (attr->ia_valid & ATTR_GID)
		attr->ia_vfsgid = VFSGIDT_INIT(from_vfsgid(idmap, fs_ns,
							   attr->ia_vfsgid));

	/* The file of the mount means nothing to the upper, nor how it opens. */
	attr->ia_valid &= ~(ATTR_FILE | ATTR_OPEN);
	/* What is to go is gone from the mode, as the caller's rights have it. */
	if (attr->ia_valid & ATTR_MODE)
		attr->ia_valid &= ~(ATTR_KILL_SUID | ATTR_KILL_SGID);

	if (attr->ia_valid & ATTR_SIZE) {
		/*
		 * The copy-up may leave nothing to cut off, and then not every
		 * filesystem moves the times.
		 */
		if (attr->ia_size != i_size_read(d_inode(dentry)))
			attr->ia_valid |= ATTR_MTIME | ATTR_CTIME;
		return set_size(dentry, attr);
	}
	err = veneer_copy_up(dentry);
	if (err)
		return err;
	/*
	 * Not every filesystem lets bytes be written without moving it.  What
	 * cannot be written now is told to who syncs.
	 */
	if (attr->ia_valid & ATTR_MTIME)
		veneer_cache_write_back(d_inode(dentry), 0, LLONG_MAX, false);
	return setattr_upper(d_inode(dentry), attr);
}
