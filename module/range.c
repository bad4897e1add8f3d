// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ranges: allocating, punching, copying, sharing and asking after them.
 *
 * What changes a range of a split file is what the upper does with it, between
 * veneer_split_begin(), which fills the blocks that are touched in part, and
 * veneer_split_end(), which sets the bits: a hole in a block that is the
 * upper's is a hole.
 */
#include <linux/cred.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mount.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/splice.h>
#include <linux/uaccess.h>
#include <linux/xattr.h>

#include "chain.h"
#include "compat.h"
#include "copyup.h"
#include "file.h"
#include "fill.h"
#include "inode.h"
#include "pagecache.h"
#include "range.h"
#include "source.h"
#include "split.h"
#include "writer.h"
#include "xattr.h"

/* How many extents are told to memory of the caller that was waited for... */
#define FAULT_IN_EXTENTS	1024U
/* ...and how often without one more of them. */
#define FAULT_TRIES		3

/* SEEK_DATA or SEEK_HOLE within one run; its end when there is none. */
static loff_t seek_run(struct file *file, const struct veneer_run *run,
		       loff_t pos, int whence)
{
	struct file *real = veneer_real_file(file, run->where);
	loff_t found;

	if (IS_ERR(real))
		return PTR_ERR(real);
	found = vfs_llseek(real, pos, whence);
	/* It ends before the mount's does: a hole follows. */
	if (found == -ENXIO)
		return whence == SEEK_HOLE ? pos : pos + run->len;
	if (found < 0)
		return found;
	return clamp(found, pos, pos + run->len);
}

static bool ends_in_page(loff_t end, loff_t pos)
{
	return offset_in_page(end) && pos >> PAGE_SHIFT == end >> PAGE_SHIFT;
}

/*
 * The page with the end of what is below has bytes from two places.  It counts
 * as data, since no filesystem has a hole of less than a block.
 */
static bool is_mixed(const struct inode *inode, loff_t pos)
{
	const struct veneer_split *split = veneer_inode_split(inode);
	const struct veneer_chain *chain;

	if (veneer_is_whole(inode))
		return false;
	if (split && ends_in_page(veneer_below_size(split), pos))
		return true;
	chain = veneer_inode_chain(inode);
	if (IS_ERR(chain))
		return false;
	for (unsigned int i = 0; i < chain->nr - 1; i++) {
		if (ends_in_page(chain->link[i].below_size, pos))
			return true;
	}
	return false;
}

static loff_t seek_runs(struct file *file, loff_t pos, int whence)
{
	struct inode *inode = file_inode(file);
	const loff_t size = i_size_read(inode);

	if (pos < 0 || pos >= size)
		return -ENXIO;
	while (pos < size) {
		struct veneer_run run = veneer_source(inode, pos, size - pos);
		loff_t found = seek_run(file, &run, pos, whence);

		if (found >= 0 && whence == SEEK_HOLE &&
		    is_mixed(inode, found)) {
			pos = round_down(found, PAGE_SIZE) + PAGE_SIZE;
			continue;
		}
		if (found < 0 || found < pos + run.len)
			return found;
		pos += run.len;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return whence == SEEK_HOLE ? size : -ENXIO;
}

loff_t veneer_llseek(struct file *file, loff_t offset, int whence)
{
	struct inode *inode = file_inode(file);
	int err;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return generic_file_llseek(file, offset, whence);

	err = veneer_cache_write_back(inode, 0, LLONG_MAX, false);
	if (err)
		return err;
	inode_lock(inode);
	{
		CLASS(veneer_cred, cred)(veneer_cred(inode->i_sb));

		offset = seek_runs(file, offset, whence);
	}
	inode_unlock(inode);
	return offset < 0 ? offset :
			    vfs_setpos(file, offset, inode->i_sb->s_maxbytes);
}

/* What a copy takes away or moves, and an ordinary write would have to. */
struct kept {
	void			*caps;
	size_t			caps_size;
	struct timespec64	mtime;
};

static int keep(const struct path *path, struct kept *kept)
{
	kept->mtime = inode_get_mtime(d_inode(path->dentry));
	kept->caps_size = 0;
	kept->caps = veneer_getxattr_alloc(path, XATTR_NAME_CAPS,
					   &kept->caps_size);
	return kept->caps == ERR_PTR(-ENOMEM) ? -ENOMEM : 0;
}

static void give_back(struct veneer_mount *m, struct dentry *upper,
		      struct kept *kept)
{
	struct timespec64 mtime = inode_get_mtime(d_inode(upper));
	struct iattr attr = {
		.ia_valid = ATTR_MTIME | ATTR_MTIME_SET,
		.ia_mtime = kept->mtime,
	};

	if (!mnt_want_write(m->upper)) {
		if (!IS_ERR(kept->caps))
			vfs_setxattr(veneer_upper_idmap(m), upper,
				     XATTR_NAME_CAPS, kept->caps,
				     kept->caps_size, 0);
		/* tmpfs moves it, whatever the file says. */
		if (!timespec64_equal(&mtime, &kept->mtime)) {
			inode_lock(d_inode(upper));
			notify_change(veneer_upper_idmap(m), upper, &attr,
				      NULL);
			inode_unlock(d_inode(upper));
		}
		mnt_drop_write(m->upper);
	}
	if (!IS_ERR(kept->caps))
		kvfree(kept->caps);
}

/**
 * veneer_make_whole_locked - copy all blocks of a file that are still below
 * @inode: the file, which has an upper; its i_rwsem held for writing
 *
 * And durably: afterwards the upper alone has the file.
 */
int veneer_make_whole_locked(struct inode *inode)
{
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	struct dentry *upper = veneer_upper(inode);
	const struct path path = veneer_upper_path(m, upper);
	struct kept kept;
	int err;

	if (veneer_is_whole(inode))
		return 0;

	CLASS(veneer_cred, cred)(veneer_writer_cred(m));
	err = keep(&path, &kept);
	if (err)
		return err;
	err = veneer_split_fill(inode, 0, i_size_read(inode));
	give_back(m, upper, &kept);
	return err ? : veneer_split_flush(inode, NULL);
}

/**
 * veneer_make_whole - copy what of a file is still below
 * @file: a regular file of a mount, open for writing
 */
int veneer_make_whole(struct file *file)
{
	struct inode *inode = file_inode(file);
	int err = veneer_copy_up_data(file_dentry(file));

	if (err)
		return err;
	inode_lock(inode);
	err = veneer_make_whole_locked(inode);
	inode_unlock(inode);
	return err;
}

/* What the upper would refuse, before the file is made whole for it. */
static int check_shift(struct inode *inode, int mode, loff_t offset, loff_t len)
{
	const struct inode *upper = d_inode(veneer_upper(inode));
	const loff_t size = i_size_read(inode);

	if (!IS_ALIGNED(offset | len, i_blocksize(upper)))
		return -EINVAL;
	if (mode & FALLOC_FL_COLLAPSE_RANGE)
		return offset + len >= size ? -EINVAL : 0;
	if (len > inode->i_sb->s_maxbytes - size)
		return -EFBIG;
	return offset >= size ? -EINVAL : 0;
}

/* What has to be done for the split state before the upper's turn. */
static int before_fallocate(struct inode *inode, int mode, loff_t offset,
			    loff_t len)
{
	if (mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE)) {
		int err = check_shift(inode, mode, offset, len);

		return err ? : veneer_make_whole_locked(inode);
	}
	if (mode & FALLOC_FL_UNSHARE_RANGE)
		return veneer_split_fill(inode, offset, len);
	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		return veneer_split_edges(inode, offset, len);
	return 0;
}

/* How far do other bytes than before show from the offset on, afterwards? */
static loff_t changed_bytes(int mode, loff_t len)
{
	if (mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE))
		return LLONG_MAX;
	return mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE) ? len : 0;
}

/* Where below has bytes, the upper's hole is to be seen. */
static int after_fallocate(struct inode *inode, int mode, loff_t offset,
			   loff_t len)
{
	if (!(mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)))
		return 0;
	return veneer_split_cover(inode, offset, len);
}

static int fallocate_locked(struct file *file, struct file *real, int mode,
			    loff_t offset, loff_t len)
{
	struct inode *inode = file_inode(file);
	loff_t old_size;
	int err;

	veneer_copyattr(inode);
	err = file_remove_privs(file);
	if (err)
		return err;
	old_size = i_size_read(inode);
	/* From a layer, which may take its time: not past the cache. */
	err = before_fallocate(inode, mode, offset, len);
	if (!err)
		err = veneer_past_cache_begin(inode);
	if (err)
		return err;
	{
		CLASS(veneer_cred, cred)(veneer_writer_cred(veneer_mount(inode->i_sb)));

		err = vfs_fallocate(real, mode, offset, len);
	}
	if (!err)
		err = after_fallocate(inode, mode, offset, len);
	veneer_copyattr(inode);
	veneer_past_cache_end(inode, old_size, offset,
			      changed_bytes(mode, len));
	if (!err && veneer_split_is_complete(inode))
		err = veneer_split_flush(inode, NULL);
	return err ? : veneer_sync_written(file, offset, len);
}

long veneer_fallocate(struct file *file, int mode, loff_t offset, loff_t len)
{
	struct inode *inode = file_inode(file);
	struct file *real = veneer_real_file_to_write(file);
	int err;

	if (IS_ERR(real))
		return PTR_ERR(real);
	inode_lock(inode);
	err = fallocate_locked(file, real, mode, offset, len);
	inode_unlock(inode);
	return err;
}

/* Copies what is in one run of the source; *@len is cut to that. */
static ssize_t copy_run(struct file *in, loff_t pos_in, struct file *out,
			struct file *real_out, loff_t pos_out, size_t *len)
{
	struct veneer_run run = veneer_source(file_inode(in), pos_in, *len);
	struct inode *inode = file_inode(out);
	struct file *real_in = veneer_real_file(in, run.where);
	const loff_t old_size = i_size_read(inode);
	ssize_t ret, reached;

	if (IS_ERR(real_in))
		return PTR_ERR(real_in);
	/* It would be read past the cache, and may take its time to answer. */
	if (file_inode(real_in)->i_sb != file_inode(real_out)->i_sb)
		return -EXDEV;
	*len = run.len;
	ret = veneer_split_begin(inode, pos_out, run.len);
	if (!ret)
		ret = veneer_past_cache_begin(inode);
	if (ret)
		return ret;
	{
		CLASS(veneer_cred, cred)(veneer_writer_cred(veneer_mount(inode->i_sb)));

		ret = vfs_copy_file_range(real_in, pos_in, real_out, pos_out,
					  run.len, 0);
	}
	reached = max(ret, 0);
	ret = veneer_split_end(inode, pos_out, run.len, ret);
	veneer_copyattr(inode);
	veneer_past_cache_end(inode, old_size, pos_out, ret);
	/* The one block that it is about is filled first, then. */
	if (!ret && reached) {
		*len = reached;
		ret = copy_run(in, pos_in, out, real_out, pos_out, len);
	}
	return ret;
}

static ssize_t copy_runs(struct file *in, loff_t pos_in, struct file *out,
			 struct file *real_out, loff_t pos_out, size_t len)
{
	ssize_t done = 0, ret;

	ret = file_remove_privs(out);
	if (ret)
		return ret;
	while (done < len) {
		size_t part = len - done;

		ret = copy_run(in, pos_in + done, out, real_out,
			       pos_out + done, &part);
		if (ret <= 0)
			break;
		done += ret;
		if (ret < part || fatal_signal_pending(current))
			break;
		cond_resched();
	}
	return done ? : ret;
}

/* Not possible between these two real files; another way may be. */
static bool cannot_copy(ssize_t ret)
{
	return ret == -EXDEV || ret == -EOPNOTSUPP || ret == -EINVAL;
}

ssize_t veneer_copy_file_range(struct file *in, loff_t pos_in,
			       struct file *out, loff_t pos_out, size_t len,
			       unsigned int flags)
{
	struct inode *inode = file_inode(out);
	struct file *real_out = veneer_real_file_to_write(out);
	ssize_t ret;

	if (IS_ERR(real_out))
		return PTR_ERR(real_out);
	ret = veneer_cache_write_back(file_inode(in), pos_in, len, false);
	if (ret)
		return ret;

	inode_lock(inode);
	veneer_copyattr(inode);
	if (veneer_is_cached(inode) || inode->i_mapping->nrpages ||
	    atomic_read(&veneer_inode(inode)->lent_maps))
		ret = -EOPNOTSUPP;
	else
		ret = copy_runs(in, pos_in, out, real_out, pos_out, len);
	inode_unlock(inode);
	if (cannot_copy(ret))
		return splice_copy_file_range(in, pos_in, out, pos_out, len);
	if (ret <= 0)
		return ret;
	file_accessed(in);
	if (veneer_split_is_complete(inode))
		veneer_split_flush(inode, NULL);
	return veneer_sync_written(out, pos_out, ret) ? : ret;
}

/* Can all of it be shared with the upper's filesystem? */
static int check_remap(struct file *in, loff_t pos, loff_t len,
		       const struct file *real_out)
{
	while (len > 0) {
		struct veneer_run run = veneer_source(file_inode(in), pos, len);
		struct file *real = veneer_real_file(in, run.where);

		if (IS_ERR(real))
			return PTR_ERR(real);
		if (file_inode(real)->i_sb != file_inode(real_out)->i_sb)
			return -EXDEV;
		if (!real->f_op->remap_file_range)
			return -EOPNOTSUPP;
		pos += run.len;
		len -= run.len;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/* A block that has bytes from two places is copied. */
static loff_t copy_block(struct file *in, loff_t pos_in, struct inode *inode,
			 loff_t pos_out, size_t len)
{
	struct file *inner = veneer_inner_get_to_write(inode);
	loff_t pos = pos_out;
	ssize_t ret = -ENOMEM;
	void *buf;

	if (IS_ERR(inner))
		return PTR_ERR(inner);
	buf = kvmalloc(len, GFP_KERNEL);
	if (buf)
		ret = veneer_read_bytes(file_inode(in), buf, len, pos_in);
	if (ret > 0) {
		CLASS(veneer_cred, cred)(veneer_writer_cred(veneer_mount(inode->i_sb)));

		ret = kernel_write(inner, buf, ret, &pos);
	}
	kvfree(buf);
	fput(inner);
	return ret;
}

/* Shares what can be of one run, of whose blocks all but the last are whole. */
static loff_t clone_run(struct file *in, loff_t pos_in, struct file *out,
			struct file *real_out, loff_t pos_out, loff_t len,
			unsigned int flags)
{
	struct veneer_run run = veneer_source(file_inode(in), pos_in, len);
	struct file *real = veneer_real_file(in, run.where);
	struct inode *inode = file_inode(out);
	const loff_t block = inode->i_sb->s_blocksize;
	loff_t ret, part = run.len;

	if (IS_ERR(real))
		return PTR_ERR(real);
	if ((part & (block - 1)) &&
	    (part < len || pos_in + part != i_size_read(file_inode(real))))
		part = round_down(part, block);
	if (!part)
		run.len = min(len, block);
	else
		run.len = part;

	if (!part) {
		ret = veneer_split_begin(inode, pos_out, run.len);
		if (!ret)
			ret = copy_block(in, pos_in, inode, pos_out, run.len);
		return veneer_split_end(inode, pos_out, run.len, ret);
	}
	ret = veneer_split_edges(inode, pos_out, part);
	if (!ret) {
		CLASS(veneer_cred, cred)(veneer_writer_cred(veneer_mount(inode->i_sb)));

		ret = vfs_clone_file_range(real, pos_in, real_out, pos_out,
					   part, flags);
	}
	/* What it stopped within was not filled, and stays below. */
	if (ret > 0 && ret < part)
		ret = veneer_split_complete_part(inode, pos_out, ret);
	if (ret > 0)
		ret = veneer_split_cover(inode, pos_out, ret) ? : ret;
	return ret;
}

static loff_t clone_runs(struct file *in, loff_t pos_in, struct file *out,
			 struct file *real_out, loff_t pos_out, loff_t len,
			 unsigned int flags)
{
	struct inode *inode = file_inode(out);
	const loff_t old_size = i_size_read(inode);
	loff_t done = 0, ret;

	ret = check_remap(in, pos_in, len, real_out);
	/* From a layer, which may take its time: not past the cache. */
	if (!ret)
		ret = veneer_split_edges(inode, pos_out, len);
	if (!ret)
		ret = veneer_past_cache_begin(inode);
	if (ret)
		return ret;
	while (done < len) {
		ret = clone_run(in, pos_in + done, out, real_out,
				pos_out + done, len - done, flags);
		if (ret <= 0)
			break;
		done += ret;
		if (fatal_signal_pending(current))
			break;
		cond_resched();
	}
	veneer_copyattr(inode);
	veneer_past_cache_end(inode, old_size, pos_out, done);
	return done ? : ret;
}

static loff_t dedupe(struct file *in, loff_t pos_in, struct file *out,
		     loff_t pos_out, loff_t len, unsigned int flags)
{
	struct file *real_in = veneer_real_file(in, VENEER_FROM_UPPER);
	struct file *real_out = veneer_real_file(out, VENEER_FROM_UPPER);

	if (IS_ERR(real_in))
		return PTR_ERR(real_in);
	if (IS_ERR(real_out))
		return PTR_ERR(real_out);

	CLASS(veneer_cred, cred)(veneer_cred(file_inode(out)->i_sb));
	return vfs_dedupe_file_range_one(real_in, pos_in, real_out, pos_out,
					 len, flags);
}

loff_t veneer_remap_file_range(struct file *in, loff_t pos_in,
			       struct file *out, loff_t pos_out, loff_t len,
			       unsigned int flags)
{
	struct inode *inode = file_inode(out);
	struct file *real_out;
	loff_t ret;

	if (flags & ~(REMAP_FILE_DEDUP | REMAP_FILE_ADVISORY))
		return -EINVAL;
	ret = veneer_cache_write_back(file_inode(in), 0, LLONG_MAX, false);
	if (ret)
		return ret;

	if (flags & REMAP_FILE_DEDUP) {
		/* To copy a file up so that it can share blocks: no gain. */
		if (!veneer_is_whole(inode) ||
		    !veneer_is_whole(file_inode(in)))
			return -EPERM;
		return dedupe(in, pos_in, out, pos_out, len, flags);
	}

	real_out = veneer_real_file_to_write(out);
	if (IS_ERR(real_out))
		return PTR_ERR(real_out);
	if (!real_out->f_op->remap_file_range)
		return -EOPNOTSUPP;
	inode_lock(inode);
	veneer_copyattr(inode);
	ret = generic_remap_file_range_prep(in, pos_in, out, pos_out, &len,
					    flags);
	if (!ret && len)
		ret = file_remove_privs(out);
	if (!ret && len) {
		ret = clone_runs(in, pos_in, out, real_out, pos_out, len,
				 flags);
	}
	inode_unlock(inode);
	if (ret <= 0)
		return ret;
	if (veneer_split_is_complete(inode))
		veneer_split_flush(inode, NULL);
	return veneer_sync_written(out, pos_out, ret) ? : ret;
}

/*
 * Brings extents that a real file has told into the shape that the mount's
 * has: cut to the run, the last one only in the last run, below's shared.
 */
static int fix_extents(struct fiemap_extent_info *info, unsigned int first,
		       u64 start, u64 end, bool below, bool last)
{
	for (unsigned int i = first; i < info->fi_extents_mapped; i++) {
		struct fiemap_extent __user *user = info->fi_extents_start + i;
		struct fiemap_extent e;
		u64 cut;

		if (copy_from_user(&e, user, sizeof(e)))
			return -EFAULT;
		if (e.fe_logical < start) {
			cut = start - e.fe_logical;
			e.fe_logical += cut;
			e.fe_physical += cut;
			e.fe_length -= cut;
		}
		if (e.fe_logical + e.fe_length > end)
			e.fe_length = end - e.fe_logical;
		if (!last)
			e.fe_flags &= ~FIEMAP_EXTENT_LAST;
		if (below)
			e.fe_flags |= FIEMAP_EXTENT_SHARED;
		if (copy_to_user(user, &e, sizeof(e)))
			return -EFAULT;
	}
	return 0;
}

static struct inode *real_inode(const struct inode *inode, unsigned int where)
{
	struct path path;

	if (where == VENEER_FROM_UPPER)
		return d_inode(veneer_upper(inode));
	veneer_chain_path(veneer_inode_chain(inode),
			  where - VENEER_FROM_LINK(0), &path);
	return d_inode(path.dentry);
}

/*
 * A filesystem copies to the caller's memory with the locks of its file held.
 * Write-back wants those of the upper's: memory that is not there fails, and is
 * waited for outside.
 */
static int fiemap_real(struct inode *real, struct fiemap_extent_info *info,
		       u64 start, u64 len)
{
	const unsigned int first = info->fi_extents_mapped;
	const u32 flags = info->fi_flags;
	unsigned int reached = first;
	int err;

	for (unsigned int tries = 0; ; tries++) {
		size_t room;

		pagefault_disable();
		err = real->i_op->fiemap(real, info, start, len);
		pagefault_enable();
		if (err != -EFAULT)
			return err;
		if (info->fi_extents_mapped > reached)
			tries = 0;
		reached = max(reached, info->fi_extents_mapped);
		room = min_t(size_t, FAULT_IN_EXTENTS,
			     info->fi_extents_max - reached) *
		       sizeof(struct fiemap_extent);
		if (tries == FAULT_TRIES ||
		    fault_in_writeable((char __user *)(info->fi_extents_start +
						       reached), room) == room)
			return err;
		if (fatal_signal_pending(current))
			return -EINTR;
		/* From the beginning: where it was is known to it alone. */
		info->fi_extents_mapped = first;
		info->fi_flags = flags;
	}
}

static int fiemap_run(struct inode *inode, struct fiemap_extent_info *info,
		      const struct veneer_run *run, u64 start, bool last)
{
	const unsigned int first = info->fi_extents_mapped;
	struct inode *real = real_inode(inode, run->where);
	int err;

	if (!real->i_op->fiemap)
		return -EOPNOTSUPP;
	err = fiemap_real(real, info, start, run->len);
	if (err || !info->fi_extents_max)
		return err;
	return fix_extents(info, first, start, start + run->len,
			   run->where != VENEER_FROM_UPPER, last);
}

int veneer_fiemap(struct inode *inode, struct fiemap_extent_info *info,
		  u64 start, u64 len)
{
	const loff_t size = i_size_read(inode);
	const u32 flags = info->fi_flags;
	int err = veneer_data_ready(inode);
	u64 end;

	if (err < 0)
		return err;
	err = veneer_cache_write_back(inode, 0, LLONG_MAX, false);
	if (err)
		return err;

	CLASS(veneer_cred, cred)(veneer_cred(inode->i_sb));
	/* Nothing to be put together: what is wrong with it, one real file knows. */
	if (veneer_is_whole(inode) || start >= size || !len) {
		struct inode *real =
			real_inode(inode, veneer_source(inode, size, 1).where);

		return real->i_op->fiemap ?
		       fiemap_real(real, info, start, len) : -EOPNOTSUPP;
	}

	end = start + min_t(u64, len, MAX_LFS_FILESIZE - start);
	end = min_t(u64, end, size);
	while (start < end && !err) {
		struct veneer_run run = veneer_source(inode, start,
						      end - start);
		const bool last = start + run.len >= size;

		/* The real one may have taken flags off that it knows. */
		info->fi_flags = flags;
		err = fiemap_run(inode, info, &run, start, last);
		start += run.len;
		if (info->fi_extents_max &&
		    info->fi_extents_mapped == info->fi_extents_max)
			return err;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return err;
}
