// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regular files of a mount.
 *
 * An open file keeps the real files that it has needed so far, one for each
 * place that bytes come from, and hands every request on to the one that
 * veneer_source() names at that moment: so a descriptor that was opened
 * before a copy-up sees what is written after it.
 */
#include <linux/backing-file.h>
#include <linux/cred.h>
#include <linux/fadvise.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/slab.h>

#include "acl.h"
#include "attr.h"
#include "chain.h"
#include "compat.h"
#include "control.h"
#include "copyup.h"
#include "file.h"
#include "fileattr.h"
#include "inode.h"
#include "io.h"
#include "pagecache.h"
#include "range.h"
#include "real.h"
#include "served.h"
#include "source.h"
#include "split.h"
#include "times.h"
#include "wberr.h"
#include "xattr.h"

/**
 * veneer_real_flags - the flags to open a real file with
 * @flags: the flags that the mount's file was opened with
 *
 * Its atime is moved by the mount's rules, and events are told of the mount's
 * file alone.
 */
unsigned int veneer_real_flags(unsigned int flags)
{
	flags &= ~(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC);
	return flags | O_NOATIME | __FMODE_NONOTIFY;
}

/*
 * What an open file of the mount can when the real file can that it begins with.
 * So open(2) and fcntl(2) refuse O_DIRECT where that one does.
 */
#define OF_REAL	(FMODE_NOWAIT | FMODE_CAN_ODIRECT)

static struct file *open_real(const struct file *file, unsigned int where)
{
	const struct inode *inode = file_inode(file);
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	unsigned int flags = veneer_real_flags(file->f_flags);
	struct path path;
	int err;

	CLASS(veneer_cred, cred)(m->cred);
	if (m->options.is_volatile)
		flags &= ~(__O_SYNC | O_DSYNC);
	if (where == VENEER_FROM_UPPER) {
		path = veneer_upper_path(m, veneer_upper(inode));
	} else {
		struct veneer_chain *chain = veneer_inode_chain(inode);

		if (IS_ERR(chain))
			return ERR_CAST(chain);
		veneer_chain_path(chain, where - VENEER_FROM_LINK(0), &path);
		/* A layer is only ever read. */
		flags &= ~(O_ACCMODE | O_APPEND);
	}

	err = veneer_real_may_open(&path, S_IFREG, flags);
	if (err)
		return ERR_PTR(err);
	if (!inode_owner_or_capable(mnt_idmap(path.mnt), d_inode(path.dentry)))
		flags &= ~O_NOATIME;
	return backing_file_open(file, flags, &path, current_cred());
}

/* F_SETFL was used on the mount's file: do the same to the real one. */
static int change_flags(struct file *real, unsigned int flags)
{
	int err;

	flags &= VENEER_SETFL_MASK;
	if ((flags & O_DIRECT) && !(real->f_mode & FMODE_CAN_ODIRECT))
		return -EINVAL;
	if (real->f_op->check_flags) {
		err = real->f_op->check_flags(flags);
		if (err)
			return err;
	}

	spin_lock(&real->f_lock);
	real->f_flags = (real->f_flags & ~VENEER_SETFL_MASK) | flags;
	real->f_iocb_flags = iocb_flags(real);
	spin_unlock(&real->f_lock);
	return 0;
}

/**
 * veneer_real_file_ready - veneer_real_file(), when it is not as it has to be
 * @file: the mount's file
 * @where: the place, from veneer_source()
 *
 * Return: as for veneer_real_file().
 */
struct file *veneer_real_file_ready(const struct file *file,
				    unsigned int where)
{
	struct veneer_file *vf = file->private_data;
	unsigned int flags = file->f_flags;
	struct file *real;
	int err;

	/* Pairs with the cmpxchg() of whoever opened it. */
	real = smp_load_acquire(&vf->real[where]);
	if (!real) {
		struct file *other;

		real = open_real(file, where);
		if (IS_ERR(real))
			return real;
		other = cmpxchg(&vf->real[where], NULL, real);
		if (!other)
			return real;
		fput(real);
		real = other;
	}

	if (where != VENEER_FROM_UPPER)
		flags &= ~O_APPEND;
	if (unlikely((real->f_flags ^ flags) & VENEER_SETFL_MASK)) {
		err = change_flags(real, flags);
		if (err)
			return ERR_PTR(err);
	}
	return real;
}

/**
 * veneer_real_file_nowait - the real file for a place, if that needs no waiting
 * @file: the mount's file
 * @where: the place, from veneer_source()
 *
 * Return: as for veneer_real_file(); %-EAGAIN when it is not open yet, or does
 * not know IOCB_NOWAIT.
 */
struct file *veneer_real_file_nowait(const struct file *file,
				     unsigned int where)
{
	const struct veneer_file *vf = file->private_data;
	/* Pairs with the cmpxchg() of whoever opened it. */
	const struct file *real = smp_load_acquire(&vf->real[where]);

	if (!real || !(real->f_mode & FMODE_NOWAIT))
		return ERR_PTR(-EAGAIN);
	return veneer_real_file(file, where);
}

/**
 * veneer_real_file_to_write - the real file to change
 * @file: the mount's file
 *
 * Sees that the file is split or whole, waiting as long as it takes.
 */
struct file *veneer_real_file_to_write(const struct file *file)
{
	int err = veneer_copy_up_data(file_dentry(file));

	return err ? ERR_PTR(err) : veneer_real_file(file, VENEER_FROM_UPPER);
}

static struct veneer_file *file_alloc(unsigned int nr)
{
	struct veneer_file *vf;

	vf = kzalloc(struct_size(vf, real, nr), GFP_KERNEL);
	if (vf)
		vf->nr = nr;
	return vf;
}

/**
 * veneer_file_adopt - a file is open, with this real file in the upper
 * @file: the mount's file
 * @real: the real file; a reference that is taken over on success
 */
int veneer_file_adopt(struct file *file, struct file *real)
{
	struct veneer_file *vf = file_alloc(1);

	if (!vf)
		return -ENOMEM;
	vf->real[VENEER_FROM_UPPER] = real;
	file->private_data = vf;
	file->f_mode |= real->f_mode & OF_REAL;
	return 0;
}

/**
 * veneer_file_drop - give the real files back
 * @file: the mount's file
 */
void veneer_file_drop(struct file *file)
{
	struct veneer_file *vf = file->private_data;

	for (unsigned int i = 0; i < vf->nr; i++) {
		if (vf->real[i])
			fput(vf->real[i]);
	}
	kfree(vf);
	file->private_data = NULL;
}

/**
 * veneer_data_ready - see that it is known where a file's bytes are
 * @inode: a regular file of a mount
 *
 * Return: how many places they can be in, for veneer_real_file(); or a
 * negative error.
 */
int veneer_data_ready(struct inode *inode)
{
	struct veneer_inode *vi = veneer_inode(inode);
	struct veneer_chain *chain;
	int err = 0;

	if (veneer_is_whole(inode))
		return 1;
	if (vi->has_map && !veneer_inode_split(inode)) {
		CLASS(veneer_cred, cred)(veneer_cred(inode->i_sb));

		if (mutex_lock_killable(&vi->lock))
			return -EINTR;
		if (!vi->split)
			err = veneer_split_load(inode);
		mutex_unlock(&vi->lock);
		if (err)
			return err;
	}
	chain = veneer_inode_chain(inode);
	return IS_ERR(chain) ? PTR_ERR(chain) :
			       VENEER_FROM_LINK(chain->nr);
}

static int veneer_open(struct inode *inode, struct file *file)
{
	int err, places = veneer_data_ready(inode);
	struct veneer_file *vf;
	struct file *real;

	if (places < 0)
		return places;
	err = veneer_served_open(inode, file);
	if (err)
		return err;
	vf = file_alloc(places);
	if (!vf)
		return -ENOMEM;
	file->private_data = vf;

	/* They have done their work and mean nothing to a real file. */
	file->f_flags &= ~(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC);
	real = veneer_real_file(file, veneer_source(inode, 0, 1).where);
	if (IS_ERR(real)) {
		veneer_file_drop(file);
		return PTR_ERR(real);
	}
	file->f_mode |= real->f_mode & OF_REAL;
	return 0;
}

static int veneer_release(struct inode *inode, struct file *file)
{
	veneer_file_drop(file);
	return 0;
}

/**
 * veneer_sync_status - is there anything to sync?
 * @m: the mount
 *
 * Return: 1 when there is; 0 when not; a negative error on a volatile mount
 * whose upper has failed to write something since it was mounted.
 */
int veneer_sync_status(struct veneer_mount *m)
{
	if (!m->upper)
		return 0;
	if (!m->options.is_volatile)
		return 1;
	return errseq_check(&m->upper->mnt_sb->s_wb_err, m->wb_err);
}

/* Not what has come up meanwhile. */
static void now_synced(struct inode *inode, enum veneer_unsynced what)
{
	cmpxchg(&veneer_inode(inode)->unsynced, what, VENEER_SYNCED);
}

/**
 * veneer_sync_upper - make a file of the upper durable
 * @inode: the file
 * @real: the upper's file
 * @start: where the range begins
 * @end: its last byte
 * @datasync: the data, and what it takes to find it again
 *
 * The first time after a copy-up, that includes the name that it got by a
 * rename, and that the record of where its data was is gone: to the upper's
 * filesystem, both are metadata.
 */
int veneer_sync_upper(struct inode *inode, struct file *real, loff_t start,
		      loff_t end, int datasync)
{
	enum veneer_unsynced what = READ_ONCE(veneer_inode(inode)->unsynced);
	int err;

	CLASS(veneer_cred, cred)(veneer_cred(inode->i_sb));
	if (what == VENEER_SYNCED)
		return veneer_wberr_fsync(inode, real, start, end, datasync);
	err = veneer_wberr_fsync(inode, real, 0, LLONG_MAX, 0);
	if (!err)
		now_synced(inode, what);
	return err;
}

/**
 * veneer_sync_name - see that nothing is left that fdatasync(2) leaves out
 * @inode: a file of the upper, about to be changed by something that makes no
 *	more than its data durable
 * @real: the upper's file
 */
int veneer_sync_name(struct inode *inode, struct file *real)
{
	if (veneer_mount(inode->i_sb)->options.is_volatile ||
	    READ_ONCE(veneer_inode(inode)->unsynced) == VENEER_SYNCED)
		return 0;
	return veneer_sync_upper(inode, real, 0, 0, 1);
}

/**
 * veneer_sync_written - make durable what was written, if that was asked for
 * @file: a file of a mount, maybe one with O_DSYNC
 * @pos: where it was written to
 * @len: how much, more than 0
 *
 * For calls that write to the upper's file, which does then what it has to, but
 * knows of no map, record or name.
 */
int veneer_sync_written(struct file *file, loff_t pos, loff_t len)
{
	if (!(file->f_flags & O_DSYNC) && !IS_SYNC(file_inode(file)))
		return 0;
	return vfs_fsync_range(file, pos, pos + len - 1,
			       !(file->f_flags & __O_SYNC));
}

/* A file whose map is saved has nothing to do here but to sync its upper. */
static int sync_file(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct inode *inode = file_inode(file);
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	enum veneer_unsynced what;
	struct file *real;
	int err;

	err = veneer_sync_status(m);
	if (err <= 0 || !veneer_upper(inode))
		return min(err, 0);

	real = veneer_real_file(file, VENEER_FROM_UPPER);
	if (IS_ERR(real))
		return PTR_ERR(real);
	what = READ_ONCE(veneer_inode(inode)->unsynced);
	err = veneer_split_fsync(inode, real);
	if (err > 0)
		now_synced(inode, what);
	if (err)
		return min(err, 0);

	return veneer_sync_upper(inode, real, start, end, datasync);
}

/*
 * What is in the mount's page cache goes to the upper, and from there to the
 * disk.  All of it is tried before the caller is told what has failed, so that
 * he is not told of it twice.
 */
static int veneer_fsync(struct file *file, loff_t start, loff_t end,
			int datasync)
{
	int cache_err = file_write_and_wait_range(file, start, end);
	int err = sync_file(file, start, end, datasync);

	return veneer_wberr_tell(file, cache_err ? : err);
}

static int veneer_fadvise(struct file *file, loff_t offset, loff_t len,
			  int advice)
{
	struct inode *inode = file_inode(file);
	struct file *real;

	/* It is about one of them: the one that a reader begins with. */
	real = veneer_real_file(file, veneer_source(inode, offset, 1).where);
	if (IS_ERR(real))
		return PTR_ERR(real);

	CLASS(veneer_cred, cred)(veneer_cred(inode->i_sb));
	return vfs_fadvise(real, offset, len, advice);
}

static int veneer_flush(struct file *file, fl_owner_t id)
{
	struct veneer_file *vf = file->private_data;
	int err = 0;

	CLASS(veneer_cred, cred)(veneer_cred(file_inode(file)->i_sb));
	for (unsigned int i = 0; i < vf->nr && !err; i++) {
		/* Pairs with the cmpxchg() of whoever opened it. */
		struct file *real = smp_load_acquire(&vf->real[i]);

		if (real && real->f_op->flush)
			err = real->f_op->flush(real, id);
	}
	return err;
}

const struct inode_operations veneer_file_inode_operations = {
	.permission	= veneer_permission,
	.getattr	= veneer_getattr,
	.setattr	= veneer_setattr,
	.listxattr	= veneer_listxattr,
	.get_inode_acl	= veneer_get_inode_acl,
	.get_acl	= veneer_get_acl,
	.set_acl	= veneer_set_acl,
	.update_time	= veneer_update_time,
	.fiemap		= veneer_fiemap,
	.fileattr_get	= veneer_fileattr_get,
	.fileattr_set	= veneer_fileattr_set,
};

const struct file_operations veneer_file_operations = {
	.open			= veneer_open,
	.release		= veneer_release,
	.llseek			= veneer_llseek,
	.read_iter		= veneer_read_iter,
	.write_iter		= veneer_write_iter,
	.splice_read		= veneer_splice_read,
	.splice_write		= veneer_splice_write,
	.fsync			= veneer_fsync,
	.flush			= veneer_flush,
	.mmap			= veneer_mmap,
	.fallocate		= veneer_fallocate,
	.fadvise		= veneer_fadvise,
	.copy_file_range	= veneer_copy_file_range,
	.remap_file_range	= veneer_remap_file_range,
	.unlocked_ioctl		= veneer_ioctl,
	.compat_ioctl		= compat_ptr_ioctl,
};
