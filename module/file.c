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
#include <linux/falloc.h>
#include <linux/file.h>
#include <linux/fileattr.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mount.h>
#include <linux/slab.h>
#include <linux/splice.h>

#include "acl.h"
#include "compat.h"
#include "copyup.h"
#include "file.h"
#include "inode.h"
#include "source.h"
#include "xattr.h"

/**
 * struct veneer_file - an open file, in its private_data
 * @real: the real files, each %NULL until it is needed; a reference, set once
 *	by cmpxchg, dropped at release
 */
struct veneer_file {
	struct file	*real[VENEER_NR_WHERE];
};

/* What fcntl(F_SETFL) can change after open. */
#define SETFL_MASK	(O_APPEND | O_NONBLOCK | O_NDELAY | O_DIRECT)

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

static struct file *open_real(const struct file *file, enum veneer_where where)
{
	const struct inode *inode = file_inode(file);
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	unsigned int flags = veneer_real_flags(file->f_flags);
	int acc_mode;
	struct path path;
	int err = 0;

	CLASS(veneer_cred, cred)(m->cred);
	if (m->options.is_volatile)
		flags &= ~(__O_SYNC | O_DSYNC);
	if (where == VENEER_FROM_UPPER) {
		path = veneer_upper_path(m, veneer_upper(inode));
	} else {
		err = veneer_inode_below_data(inode, &path);
		/* A layer is only ever read. */
		flags &= ~(O_ACCMODE | O_APPEND);
	}
	if (err)
		return ERR_PTR(err);

	acc_mode = ACC_MODE(flags) | MAY_OPEN;
	if (flags & O_APPEND)
		acc_mode |= MAY_APPEND;
	err = inode_permission(mnt_idmap(path.mnt), d_inode(path.dentry),
			       acc_mode);
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

	flags &= SETFL_MASK;
	if ((flags & O_DIRECT) && !(real->f_mode & FMODE_CAN_ODIRECT))
		return -EINVAL;
	if (real->f_op->check_flags) {
		err = real->f_op->check_flags(flags);
		if (err)
			return err;
	}

	spin_lock(&real->f_lock);
	real->f_flags = (real->f_flags & ~SETFL_MASK) | flags;
	real->f_iocb_flags = iocb_flags(real);
	spin_unlock(&real->f_lock);
	return 0;
}

/*
 * The real file for a place.  Lives as long as @file; the caller must not put
 * it.
 */
static struct file *real_file(const struct file *file, enum veneer_where where)
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

	if (where == VENEER_FROM_BELOW)
		flags &= ~O_APPEND;
	if (unlikely((real->f_flags ^ flags) & SETFL_MASK)) {
		err = change_flags(real, flags);
		if (err)
			return ERR_PTR(err);
	}
	return real;
}

/* The real file that has the byte at @pos. */
static struct file *real_file_at(const struct file *file, loff_t pos)
{
	return real_file(file, veneer_source(file_inode(file), pos).where);
}

/* The real file to change.  Copies the data up, waiting as long as it takes. */
static struct file *real_file_to_write(const struct file *file)
{
	int err = veneer_copy_up_data(file_dentry(file), MAX_LFS_FILESIZE);

	return err ? ERR_PTR(err) : real_file(file, VENEER_FROM_UPPER);
}

/**
 * veneer_file_adopt - a file is open, with this real file in the upper
 * @file: the mount's file
 * @real: the real file; a reference that is taken over on success
 */
int veneer_file_adopt(struct file *file, struct file *real)
{
	struct veneer_file *vf = kzalloc(sizeof(*vf), GFP_KERNEL);

	if (!vf)
		return -ENOMEM;
	vf->real[VENEER_FROM_UPPER] = real;
	file->private_data = vf;
	return 0;
}

/**
 * veneer_file_drop - give the real files back
 * @file: the mount's file
 */
void veneer_file_drop(struct file *file)
{
	struct veneer_file *vf = file->private_data;

	for (int i = 0; i < VENEER_NR_WHERE; i++) {
		if (vf->real[i])
			fput(vf->real[i]);
	}
	kfree(vf);
	file->private_data = NULL;
}

static int veneer_open(struct inode *inode, struct file *file)
{
	struct veneer_file *vf = kzalloc(sizeof(*vf), GFP_KERNEL);
	struct file *real;

	if (!vf)
		return -ENOMEM;
	file->private_data = vf;

	/* They have done their work and mean nothing to a real file. */
	file->f_flags &= ~(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC);
	real = real_file_at(file, 0);
	if (IS_ERR(real)) {
		veneer_file_drop(file);
		return PTR_ERR(real);
	}
	return 0;
}

static int veneer_release(struct inode *inode, struct file *file)
{
	veneer_file_drop(file);
	return 0;
}

static void accessed(struct file *file)
{
	struct inode *inode = file_inode(file);
	struct dentry *upper = veneer_upper(inode);

	if (file->f_flags & O_NOATIME || !upper)
		return;

	/* relatime compares with these; a mapping may have moved the real ones. */
	inode_set_mtime_to_ts(inode, inode_get_mtime(d_inode(upper)));
	inode_set_ctime_to_ts(inode, inode_get_ctime(d_inode(upper)));
	touch_atime(&file->f_path);
}

static void end_write(struct file *file, loff_t pos, ssize_t ret)
{
	veneer_copyattr(file_inode(file));
}

static struct backing_file_ctx file_ctx(struct file *file)
{
	return (struct backing_file_ctx) {
		.cred		= veneer_cred(file_inode(file)->i_sb),
		.user_file	= file,
		.accessed	= accessed,
		.end_write	= end_write,
	};
}

static loff_t veneer_llseek(struct file *file, loff_t offset, int whence)
{
	struct inode *inode = file_inode(file);
	struct file *real;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return generic_file_llseek(file, offset, whence);

	real = real_file_at(file, max(offset, 0));
	if (IS_ERR(real))
		return PTR_ERR(real);

	inode_lock(inode);
	{
		CLASS(veneer_cred, cred)(veneer_cred(inode->i_sb));

		offset = vfs_llseek(real, offset, whence);
	}
	inode_unlock(inode);
	return offset < 0 ? offset :
			    vfs_setpos(file, offset, inode->i_sb->s_maxbytes);
}

static ssize_t veneer_read_iter(struct kiocb *iocb, struct iov_iter *iter)
{
	struct file *file = iocb->ki_filp;
	struct backing_file_ctx ctx = file_ctx(file);
	struct file *real;

	if (!iov_iter_count(iter))
		return 0;

	real = real_file_at(file, iocb->ki_pos);
	if (IS_ERR(real))
		return PTR_ERR(real);
	return backing_file_read_iter(real, iter, iocb, iocb->ki_flags, &ctx);
}

static ssize_t veneer_write_iter(struct kiocb *iocb, struct iov_iter *iter)
{
	struct file *file = iocb->ki_filp;
	struct inode *inode = file_inode(file);
	struct backing_file_ctx ctx = file_ctx(file);
	int flags = iocb->ki_flags;
	struct file *real;
	ssize_t ret;

	if (!iov_iter_count(iter))
		return 0;

	if (!(iocb->ki_flags & IOCB_NOWAIT)) {
		real = real_file_to_write(file);
		inode_lock(inode);
	} else {
		if (!veneer_is_whole(inode))
			return -EAGAIN;
		real = real_file(file, VENEER_FROM_UPPER);
		if (!inode_trylock(inode))
			return -EAGAIN;
	}

	ret = PTR_ERR_OR_ZERO(real);
	if (!ret) {
		if (veneer_mount(inode->i_sb)->options.is_volatile)
			flags &= ~(IOCB_DSYNC | IOCB_SYNC);
		/* For file_remove_privs(). */
		veneer_copyattr(inode);
		ret = backing_file_write_iter(real, iter, iocb, flags, &ctx);
	}
	inode_unlock(inode);
	return ret;
}

static ssize_t veneer_splice_read(struct file *file, loff_t *ppos,
				  struct pipe_inode_info *pipe, size_t len,
				  unsigned int flags)
{
	struct backing_file_ctx ctx = file_ctx(file);
	struct file *real = real_file_at(file, *ppos);

	if (IS_ERR(real))
		return PTR_ERR(real);
	return backing_file_splice_read(real, ppos, pipe, len, flags, &ctx);
}

static ssize_t veneer_splice_write(struct pipe_inode_info *pipe,
				   struct file *file, loff_t *ppos, size_t len,
				   unsigned int flags)
{
	struct inode *inode = file_inode(file);
	struct backing_file_ctx ctx = file_ctx(file);
	struct file *real = real_file_to_write(file);
	ssize_t ret;

	if (IS_ERR(real))
		return PTR_ERR(real);

	inode_lock(inode);
	veneer_copyattr(inode);
	ret = backing_file_splice_write(pipe, real, ppos, len, flags, &ctx);
	inode_unlock(inode);
	return ret;
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

static int veneer_fsync(struct file *file, loff_t start, loff_t end,
			int datasync)
{
	struct inode *inode = file_inode(file);
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	struct file *real;
	int err;

	err = veneer_sync_status(m);
	if (err <= 0 || !veneer_upper(inode))
		return min(err, 0);

	real = real_file(file, VENEER_FROM_UPPER);
	if (IS_ERR(real))
		return PTR_ERR(real);

	CLASS(veneer_cred, cred)(m->cred);
	return vfs_fsync_range(real, start, end, datasync);
}

/*
 * A mapping is of one real file for as long as it lives, so one that can be
 * written is of the upper's from the start.
 */
static int veneer_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct backing_file_ctx ctx = file_ctx(file);
	struct file *real;
	int err;

	if ((vma->vm_flags & VM_SHARED) && (vma->vm_flags & VM_MAYWRITE)) {
		err = veneer_copy_up_from_mmap(file_dentry(file));
		if (err)
			return err;
	}
	real = real_file_at(file, (loff_t)vma->vm_pgoff << PAGE_SHIFT);
	if (IS_ERR(real))
		return PTR_ERR(real);
	return backing_file_mmap(real, vma, &ctx);
}

static long veneer_fallocate(struct file *file, int mode, loff_t offset,
			     loff_t len)
{
	struct inode *inode = file_inode(file);
	struct file *real = real_file_to_write(file);
	int err;

	if (IS_ERR(real))
		return PTR_ERR(real);

	inode_lock(inode);
	veneer_copyattr(inode);
	err = file_remove_privs(file);
	if (!err) {
		CLASS(veneer_cred, cred)(veneer_cred(inode->i_sb));

		err = vfs_fallocate(real, mode, offset, len);
		veneer_copyattr(inode);
	}
	inode_unlock(inode);
	return err;
}

static int veneer_fadvise(struct file *file, loff_t offset, loff_t len,
			  int advice)
{
	struct file *real = real_file_at(file, offset);

	if (IS_ERR(real))
		return PTR_ERR(real);

	CLASS(veneer_cred, cred)(veneer_cred(file_inode(file)->i_sb));
	return vfs_fadvise(real, offset, len, advice);
}

static ssize_t veneer_copy_file_range(struct file *in, loff_t pos_in,
				      struct file *out, loff_t pos_out,
				      size_t len, unsigned int flags)
{
	struct inode *inode = file_inode(out);
	struct file *real_out = real_file_to_write(out);
	struct file *real_in;
	ssize_t ret;

	if (IS_ERR(real_out))
		return PTR_ERR(real_out);
	real_in = real_file_at(in, pos_in);
	if (IS_ERR(real_in))
		return PTR_ERR(real_in);

	inode_lock(inode);
	veneer_copyattr(inode);
	ret = file_remove_privs(out);
	if (!ret) {
		CLASS(veneer_cred, cred)(veneer_cred(inode->i_sb));

		ret = vfs_copy_file_range(real_in, pos_in, real_out, pos_out,
					  len, flags);
		veneer_copyattr(inode);
	}
	inode_unlock(inode);
	return ret;
}

static loff_t veneer_remap_file_range(struct file *in, loff_t pos_in,
				      struct file *out, loff_t pos_out,
				      loff_t len, unsigned int flags)
{
	struct inode *inode = file_inode(out);
	struct file *real_in, *real_out;
	loff_t ret;

	if (flags & ~(REMAP_FILE_DEDUP | REMAP_FILE_ADVISORY))
		return -EINVAL;

	/* To copy a file up so that it can share blocks would be no gain. */
	if ((flags & REMAP_FILE_DEDUP) && (!veneer_is_whole(inode) ||
					   !veneer_is_whole(file_inode(in))))
		return -EPERM;

	real_out = real_file_to_write(out);
	if (IS_ERR(real_out))
		return PTR_ERR(real_out);
	real_in = real_file_at(in, pos_in);
	if (IS_ERR(real_in))
		return PTR_ERR(real_in);

	inode_lock(inode);
	veneer_copyattr(inode);
	ret = flags & REMAP_FILE_DEDUP ? 0 : file_remove_privs(out);
	if (!ret) {
		CLASS(veneer_cred, cred)(veneer_cred(inode->i_sb));

		if (flags & REMAP_FILE_DEDUP)
			ret = vfs_dedupe_file_range_one(real_in, pos_in,
							real_out, pos_out, len,
							flags);
		else
			ret = vfs_clone_file_range(real_in, pos_in, real_out,
						   pos_out, len, flags);
		veneer_copyattr(inode);
	}
	inode_unlock(inode);
	return ret;
}

static int veneer_flush(struct file *file, fl_owner_t id)
{
	struct veneer_file *vf = file->private_data;
	int err = 0;

	CLASS(veneer_cred, cred)(veneer_cred(file_inode(file)->i_sb));
	for (int i = 0; i < VENEER_NR_WHERE && !err; i++) {
		/* Pairs with the cmpxchg() of whoever opened it. */
		struct file *real = smp_load_acquire(&vf->real[i]);

		if (real && real->f_op->flush)
			err = real->f_op->flush(real, id);
	}
	return err;
}

static int veneer_fiemap(struct inode *inode, struct fiemap_extent_info *info,
			 u64 start, u64 len)
{
	struct inode *real;
	struct path path;
	int err;

	CLASS(veneer_cred, cred)(veneer_cred(inode->i_sb));
	err = veneer_inode_data(inode, &path);
	if (err)
		return err;
	real = d_inode(path.dentry);
	return real->i_op->fiemap ? real->i_op->fiemap(real, info, start, len) :
				    -EOPNOTSUPP;
}

int veneer_fileattr_get(struct dentry *dentry, struct fileattr *fa)
{
	struct path real;

	CLASS(veneer_cred, cred)(veneer_cred(dentry->d_sb));
	veneer_inode_real(d_inode(dentry), &real);
	return vfs_fileattr_get(real.dentry, fa);
}

int veneer_fileattr_set(struct mnt_idmap *idmap, struct dentry *dentry,
			struct fileattr *fa)
{
	struct inode *inode = d_inode(dentry);
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	int err;

	err = veneer_copy_up(dentry);
	if (err)
		return err;
	err = mnt_want_write(m->upper);
	if (err)
		return err;
	{
		CLASS(veneer_cred, cred)(m->cred);

		err = vfs_fileattr_set(veneer_upper_idmap(m),
				       veneer_upper(inode), fa);
	}
	mnt_drop_write(m->upper);
	veneer_copyattr(inode);
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
};

/* No page is ever in here; this says that O_DIRECT may be tried. */
const struct address_space_operations veneer_address_operations = {
	.direct_IO	= noop_direct_IO,
};
