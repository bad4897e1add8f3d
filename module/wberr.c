// SPDX-License-Identifier: GPL-2.0-only
/*
 * Write-back errors: whoever has a file of a mount open is told of them.
 *
 * An object of the upper fails to be written at any time, and any open file may
 * be the one that learns of it: the module's own, in the background, one of
 * somebody who looks past the mount, or none.  So the mount's inode follows the
 * errors of the upper's mapping itself, and takes each over to its own mapping.
 * From there, every open file of the mount is told once, as on any filesystem.
 * The files of the upper that the module has open are never asked.
 */
#include <linux/fs.h>
#include <linux/pagemap.h>

#include "inode.h"
#include "mount.h"
#include "split.h"
#include "wberr.h"

static struct address_space *upper_mapping(const struct dentry *upper)
{
	return d_inode(upper)->i_mapping;
}

/**
 * veneer_wberr_begin - follow the errors of an object of the upper
 * @inode: the mount's inode, which nobody has seen with an upper yet
 * @upper: the object
 */
void veneer_wberr_begin(struct inode *inode, const struct dentry *upper)
{
	veneer_inode(inode)->wb_err =
		errseq_sample(&upper_mapping(upper)->wb_err);
}

/* Data that a block map speaks of may not be on the disk. */
static void data_is_doubtful(struct inode *inode)
{
	struct veneer_split *split = veneer_inode_split(inode);

	lockdep_assert_held(&inode->i_lock);
	if (split)
		WRITE_ONCE(split->doubtful, true);
}

/**
 * veneer_wberr_take - take an error of the upper's over
 * @inode: an object of a mount
 *
 * Afterwards veneer_split.doubtful is true if a block map must not be saved
 * before its data was written once more.
 *
 * Return: the error, which all open files of the mount's inode are told of; 0
 * when there was none since the last call.
 */
int veneer_wberr_take(struct inode *inode)
{
	struct veneer_inode *vi = veneer_inode(inode);
	struct dentry *upper = veneer_upper(inode);
	int err;

	if (!upper)
		return 0;
	if (!errseq_check(&upper_mapping(upper)->wb_err,
			  READ_ONCE(vi->wb_err)))
		return 0;
	spin_lock(&inode->i_lock);
	err = errseq_check_and_advance(&upper_mapping(upper)->wb_err,
				       &vi->wb_err);
	if (err)
		data_is_doubtful(inode);
	spin_unlock(&inode->i_lock);
	/*
	 * Not mapping_set_error(), by which the next read that writes pages back
	 * would fail; and the superblock follows that of the upper.
	 */
	filemap_set_wb_err(inode->i_mapping, err);
	return err;
}

/**
 * veneer_wberr_set - something of the module's own could not be written
 * @inode: the object that it is about
 * @err: why
 */
void veneer_wberr_set(struct inode *inode, int err)
{
	/* These say that it was not tried, and it will be. */
	if (!err || err == -ENOMEM || err == -EINTR || err == -ERESTARTSYS ||
	    err == -EAGAIN)
		return;
	filemap_set_wb_err(inode->i_mapping, err);
	errseq_set(&inode->i_sb->s_wb_err, err);
}

/**
 * veneer_wberr_synced - data was made durable, or was not
 * @inode: the object
 * @err: what the upper says of it
 *
 * Return: @err, or an error that was found besides.
 */
int veneer_wberr_synced(struct inode *inode, int err)
{
	int taken = veneer_wberr_take(inode);

	if (!err || taken)
		return err ? : taken;
	/* Not every filesystem tells of its errors by the mapping. */
	spin_lock(&inode->i_lock);
	data_is_doubtful(inode);
	spin_unlock(&inode->i_lock);
	veneer_wberr_set(inode, err);
	return err;
}

/**
 * veneer_wberr_skip - a real file is not to tell of what has failed until now
 * @real: the upper's file, of which veneer_wberr_take() was asked before
 *
 * Or else the next fsync of it would seem to have failed, to somebody.
 */
void veneer_wberr_skip(struct file *real)
{
	int __maybe_unused told = file_check_and_advance_wb_err(real);
}

/**
 * veneer_wberr_fsync - make an object of the upper durable
 * @inode: the mount's inode
 * @real: the upper's file
 * @start: where the range begins
 * @end: its last byte
 * @datasync: the data, and what it takes to find it again
 *
 * Return: an error of this call alone; what failed before is taken over, and is
 * for veneer_wberr_tell().
 */
int veneer_wberr_fsync(struct inode *inode, struct file *real, loff_t start,
		       loff_t end, int datasync)
{
	veneer_wberr_take(inode);
	veneer_wberr_skip(real);
	return veneer_wberr_synced(inode, vfs_fsync_range(real, start, end,
							  datasync));
}

/**
 * veneer_wberr_tell - tell the user of an open file what has failed
 * @file: a file of a mount
 * @err: what he is told if there is nothing older, or 0
 *
 * Return: the error, or 0.  He is not told of it again.
 */
int veneer_wberr_tell(struct file *file, int err)
{
	int told;

	veneer_wberr_take(file_inode(file));
	told = file_check_and_advance_wb_err(file);
	return told ? : err;
}

/**
 * veneer_wberr_take_super - take an error of the upper's filesystem over
 * @sb: a mount that has an upper and is not volatile
 *
 * As on the filesystem itself, syncfs(2) tells of errors whoever's file it was.
 */
void veneer_wberr_take_super(struct super_block *sb)
{
	struct veneer_mount *m = veneer_mount(sb);
	int err;

	spin_lock(&m->unsaved_lock);
	err = errseq_check_and_advance(&m->upper->mnt_sb->s_wb_err,
				       &m->wb_err);
	spin_unlock(&m->unsaved_lock);
	if (err)
		errseq_set(&sb->s_wb_err, err);
}
