// SPDX-License-Identifier: GPL-2.0-only
/*
 * I/O: reading and writing regular files of a mount.
 *
 * A request goes to the real file that veneer_source() names; one that spans
 * several is cut into its runs.  While mappings of a file use the mount's own
 * page cache (see pagecache.c), it goes there.
 */
#include <linux/backing-file.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/bvec.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/splice.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "chain.h"
#include "compat.h"
#include "copyup.h"
#include "file.h"
#include "fill.h"
#include "inode.h"
#include "io.h"
#include "pagecache.h"
#include "source.h"
#include "split.h"
#include "writer.h"

/* How much of the caller's memory is waited for at a time. */
#define FAULT_IN	SZ_1M
/* How often, before what is read or written goes through a buffer... */
#define FAULT_TRIES	2
/* ...of so many bytes. */
#define BOUNCE		SZ_32K
/* How much of it is pinned at a time for a direct request. */
#define PINNED_PAGES	(SZ_1M / PAGE_SIZE)

static void accessed(struct file *file)
{
	struct inode *inode = file_inode(file);
	struct dentry *upper = veneer_upper(inode);

	if (file->f_flags & O_NOATIME)
		return;

	/* relatime compares with these; a mapping may have moved the real ones. */
	if (upper) {
		inode_set_mtime_to_ts(inode, inode_get_mtime(d_inode(upper)));
		inode_set_ctime_to_ts(inode, inode_get_ctime(d_inode(upper)));
	}
	touch_atime(&file->f_path);
}

static void end_write(struct file *file, loff_t pos, ssize_t ret)
{
	veneer_copyattr(file_inode(file));
}

/**
 * veneer_file_ctx - how a request is handed on to a real file
 * @file: the mount's file
 */
struct backing_file_ctx veneer_file_ctx(struct file *file)
{
	return (struct backing_file_ctx) {
		.cred		= veneer_cred(file_inode(file)->i_sb),
		.user_file	= file,
		.accessed	= accessed,
		.end_write	= end_write,
	};
}

/**
 * veneer_write_ctx - the same for a request that stores something
 * @file: the mount's file
 */
struct backing_file_ctx veneer_write_ctx(struct file *file)
{
	struct backing_file_ctx ctx = veneer_file_ctx(file);

	ctx.cred = veneer_writer_cred(veneer_mount(file_inode(file)->i_sb));
	return ctx;
}

/* Reads into a buffer what O_DIRECT cannot cut where a run ends. */
static ssize_t read_bounced(struct kiocb *iocb, struct iov_iter *iter,
			    size_t len)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	void *buf = kvmalloc(len, GFP_KERNEL);
	ssize_t ret;

	if (!buf)
		return -ENOMEM;
	ret = veneer_read_bytes(inode, buf, len, iocb->ki_pos);
	if (ret > 0) {
		ret = copy_to_iter(buf, ret, iter) ? : -EFAULT;
		if (ret > 0)
			iocb->ki_pos += ret;
	}
	kvfree(buf);
	return ret;
}

/*
 * May write-back of the mount's own pages or of a block map want the locks of
 * the upper's file, which some filesystems hold over a copy to or from the
 * caller's memory?  Then that memory is not waited for under them: how long it
 * takes to bring it in is up to its owner.
 */
static bool shares_locks(const struct inode *inode, const struct iov_iter *iter)
{
	return user_backed_iter(iter) &&
	       (!veneer_is_whole(inode) || inode->i_mapping->nrpages);
}

/* A call of the upper in which memory of the caller that is not there fails. */
static void no_faults_begin(struct iov_iter *iter)
{
	pagefault_disable();
	iter->nofault = true;
}

static void no_faults_end(struct iov_iter *iter)
{
	iter->nofault = false;
	pagefault_enable();
}

/*
 * The memory of a piece of a direct request, brought in and held before any
 * lock is taken, and only then given to the upper.
 * pages, nr: what is pinned
 * bvec, iter: the same, for the upper
 * len: how many bytes the caller's iterator has moved on by
 */
struct pinned {
	struct page	*pages[PINNED_PAGES];
	struct bio_vec	bvec[PINNED_PAGES];
	unsigned int	nr;
	struct iov_iter	iter;
	size_t		len;
};

static void unpin(struct pinned *pin, bool dirty)
{
	unpin_user_pages_dirty_lock(pin->pages, pin->nr, dirty);
	kvfree(pin);
}

/* Adds what one call gets; 0 when there is no room, or nothing left. */
static ssize_t pin_more(struct pinned *pin, struct iov_iter *iter)
{
	struct page **pages = pin->pages + pin->nr;
	size_t offset;
	ssize_t got, left;

	got = iov_iter_extract_pages(iter, &pages, iov_iter_count(iter),
				     PINNED_PAGES - pin->nr, 0, &offset);
	if (got <= 0)
		return got;
	pin->len += got;
	for (left = got; left > 0; offset = 0) {
		const size_t part = min_t(size_t, left, PAGE_SIZE - offset);

		bvec_set_page(&pin->bvec[pin->nr], pin->pages[pin->nr], part,
			      offset);
		pin->nr++;
		left -= part;
	}
	return got;
}

/* A piece that is not the last ends where a block does, if it can. */
static struct pinned *pin(const struct inode *inode, loff_t pos,
			  struct iov_iter *iter, unsigned int direction)
{
	struct pinned *pin = kvmalloc(sizeof(*pin), GFP_KERNEL);
	ssize_t got;
	size_t len;

	if (!pin)
		return ERR_PTR(-ENOMEM);
	pin->nr = 0;
	pin->len = 0;
	do {
		got = pin_more(pin, iter);
	} while (got > 0 && pin->nr < PINNED_PAGES && iov_iter_count(iter));
	if (!pin->len) {
		kvfree(pin);
		return ERR_PTR(got ? : -EFAULT);
	}
	len = pin->len;
	if (iov_iter_count(iter)) {
		const loff_t block =
			1LL << veneer_block_shift(veneer_mount(inode->i_sb));
		loff_t end = round_down(pos + (loff_t)len, block);

		if (end <= pos)
			end = round_down(pos + (loff_t)len, SZ_512);
		if (end > pos)
			len = end - pos;
	}
	iov_iter_bvec(&pin->iter, direction, pin->bvec, pin->nr, len);
	return pin;
}

/* Reads directly from the upper, always waited for here. */
static ssize_t read_pinned(struct kiocb *iocb, struct iov_iter *iter,
			   struct file *real, struct backing_file_ctx *ctx)
{
	const struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t ret, done = 0;
	struct kiocb sync;

	if (iocb->ki_flags & IOCB_NOWAIT)
		return -EAGAIN;
	init_sync_kiocb(&sync, iocb->ki_filp);
	sync.ki_flags = iocb->ki_flags;
	sync.ki_pos = iocb->ki_pos;
	do {
		struct pinned *mem = pin(inode, sync.ki_pos, iter, ITER_DEST);
		size_t len;

		ret = PTR_ERR_OR_ZERO(mem);
		if (ret)
			break;
		len = iov_iter_count(&mem->iter);
		ret = backing_file_read_iter(real, &mem->iter, &sync,
					     sync.ki_flags, ctx);
		iov_iter_revert(iter, mem->len - max(ret, 0));
		unpin(mem, true);
		if (ret > 0)
			done += ret;
		if (ret < (ssize_t)len)
			break;
		ret = -EINTR;
	} while (iov_iter_count(iter) && !fatal_signal_pending(current));
	iocb->ki_pos = sync.ki_pos;
	return done ? : ret;
}

/* Reads what there is room for in memory that is there; -EFAULT for none. */
static ssize_t read_no_faults(struct kiocb *iocb, struct iov_iter *iter,
			      size_t len, struct file *real,
			      struct backing_file_ctx *ctx)
{
	const size_t count = iov_iter_count(iter);
	size_t used;
	ssize_t ret;

	iov_iter_truncate(iter, len);
	len = iov_iter_count(iter);
	no_faults_begin(iter);
	ret = backing_file_read_iter(real, iter, iocb, iocb->ki_flags, ctx);
	no_faults_end(iter);
	/* On the way to an error it may have moved. */
	used = len - iov_iter_count(iter);
	iov_iter_revert(iter, used - max(ret, 0));
	iov_iter_reexpand(iter, count - max(ret, 0));
	return ret;
}

/*
 * Reads from the upper, piece by piece once memory of the caller had to be
 * waited for; through a buffer when it is gone again before it is used.
 */
static ssize_t read_upper(struct kiocb *iocb, struct iov_iter *iter,
			  struct file *real, struct backing_file_ctx *ctx)
{
	const struct inode *inode = file_inode(iocb->ki_filp);
	size_t part = SIZE_MAX;
	unsigned int failed = 0;
	ssize_t ret, done = 0;

	for (;;) {
		if (failed < FAULT_TRIES)
			ret = read_no_faults(iocb, iter, part, real, ctx);
		else
			ret = read_bounced(iocb, iter,
					   min_t(size_t, BOUNCE,
						 iov_iter_count(iter)));
		if (ret > 0) {
			done += ret;
			failed = 0;
		} else if (ret != -EFAULT || failed >= FAULT_TRIES) {
			break;
		}
		if (!iov_iter_count(iter) ||
		    iocb->ki_pos >= i_size_read(inode))
			break;
		ret = -EAGAIN;
		if (iocb->ki_flags & IOCB_NOWAIT)
			break;
		ret = -EINTR;
		if (fatal_signal_pending(current))
			break;
		part = min_t(size_t, FAULT_IN, iov_iter_count(iter));
		ret = -EFAULT;
		if (fault_in_iov_iter_writeable(iter, part) == part)
			break;
		failed++;
	}
	return done ? : ret;
}

static ssize_t read_run(struct kiocb *iocb, struct iov_iter *iter,
			unsigned int where, struct backing_file_ctx *ctx)
{
	struct file *real = iocb->ki_flags & IOCB_NOWAIT ?
			    veneer_real_file_nowait(iocb->ki_filp, where) :
			    veneer_real_file(iocb->ki_filp, where);

	if (IS_ERR(real))
		return PTR_ERR(real);
	if (where == VENEER_FROM_UPPER &&
	    shares_locks(file_inode(iocb->ki_filp), iter))
		return iocb->ki_flags & IOCB_DIRECT ?
		       read_pinned(iocb, iter, real, ctx) :
		       read_upper(iocb, iter, real, ctx);
	return backing_file_read_iter(real, iter, iocb, iocb->ki_flags, ctx);
}

/*
 * How much is to be read at once, given that a run of @len bytes ends before
 * the request does.  Directly only up to a block boundary; *@bounce is set
 * when the run ends within the block that it begins in.
 */
static size_t direct_part(const struct inode *inode, loff_t pos, size_t len,
			  size_t count, bool *bounce)
{
	const loff_t block = 1LL << veneer_block_shift(veneer_mount(inode->i_sb));
	const loff_t end = round_down(pos + (loff_t)len, block);

	*bounce = end <= pos;
	return *bounce ? min_t(loff_t, count, round_up(pos + len, block) - pos) :
			 end - pos;
}

/* Reads from one place after the other. */
static ssize_t read_runs(struct kiocb *iocb, struct iov_iter *iter)
{
	struct backing_file_ctx ctx = veneer_file_ctx(iocb->ki_filp);
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t ret = 0, done = 0;
	struct kiocb sync;

	/* One run after the other: the disk would have to be waited for. */
	if ((iocb->ki_flags & IOCB_NOWAIT) && (iocb->ki_flags & IOCB_DIRECT))
		return -EAGAIN;

	/* Once for all runs, at the end. */
	ctx.accessed = NULL;

	init_sync_kiocb(&sync, iocb->ki_filp);
	sync.ki_pos = iocb->ki_pos;
	sync.ki_flags = iocb->ki_flags;

	while (iov_iter_count(iter)) {
		const size_t count = iov_iter_count(iter);
		struct veneer_run run = veneer_source(inode, sync.ki_pos, count);
		size_t len = run.len;
		bool bounce = false;

		if ((sync.ki_flags & IOCB_DIRECT) && len < count)
			len = direct_part(inode, sync.ki_pos, len, count,
					  &bounce);
		if (bounce) {
			ret = read_bounced(&sync, iter, len);
		} else {
			iov_iter_truncate(iter, len);
			ret = read_run(&sync, iter, run.where, &ctx);
			iov_iter_reexpand(iter, count - max(ret, 0));
		}
		/* Bytes that can come from below are there. */
		if (!ret && run.where != VENEER_FROM_UPPER &&
		    veneer_inode_split(inode))
			ret = -EIO;
		if (ret <= 0)
			break;
		done += ret;
		if (ret < len)
			break;
	}
	iocb->ki_pos = sync.ki_pos;
	accessed(iocb->ki_filp);
	return done ? : ret;
}

/* Has the mount's page cache bytes that the real files do not have yet? */
static bool is_newer(const struct inode *inode, loff_t pos, size_t len)
{
	struct address_space *mapping = inode->i_mapping;
	loff_t end;

	if (!mapping->nrpages)
		return false;
	if (check_add_overflow(pos, (loff_t)len - 1, &end))
		end = LLONG_MAX;
	return filemap_range_needs_writeback(mapping, pos, end);
}

/* Reads from the mount's page cache. */
static ssize_t read_cached(struct kiocb *iocb, struct iov_iter *iter)
{
	ssize_t ret;

	/* Reading ahead, which that does not rule out, is done at once here. */
	if (iocb->ki_flags & IOCB_NOWAIT)
		iocb->ki_flags |= IOCB_NOIO;
	ret = filemap_read(iocb, iter, 0);
	iocb->ki_flags &= ~IOCB_NOIO;
	return ret;
}

ssize_t veneer_read_iter(struct kiocb *iocb, struct iov_iter *iter)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	const size_t count = iov_iter_count(iter);
	struct backing_file_ctx ctx;
	struct veneer_run run;
	int err;

	if (!count)
		return 0;
	/* O_DIRECT is about the disk, and has rules of its own. */
	if (veneer_is_cached(inode) && !(iocb->ki_flags & IOCB_DIRECT))
		return read_cached(iocb, iter);
	/* It may be for a pipe, which is locked: see veneer_splice_read(). */
	if (iov_iter_is_bvec(iter) && is_newer(inode, iocb->ki_pos, count))
		return read_cached(iocb, iter);
	err = veneer_cache_write_back(inode, iocb->ki_pos, count,
				      iocb->ki_flags & IOCB_NOWAIT);
	if (err)
		return err;
	run = veneer_source(inode, iocb->ki_pos, count);
	if (run.len < count)
		return read_runs(iocb, iter);
	ctx = veneer_file_ctx(iocb->ki_filp);
	return read_run(iocb, iter, run.where, &ctx);
}

/*
 * With the pipe locked, nothing can be written back: that takes the upper's
 * freeze protection, which a splice into its files holds when it locks a pipe.
 */
ssize_t veneer_splice_read(struct file *file, loff_t *ppos,
			   struct pipe_inode_info *pipe, size_t len,
			   unsigned int flags)
{
	struct backing_file_ctx ctx = veneer_file_ctx(file);
	struct inode *inode = file_inode(file);
	struct veneer_run run;
	bool bounce = false;
	struct file *real;

	if (!len)
		return 0;
	if (is_newer(inode, *ppos, len))
		return filemap_splice_read(file, ppos, pipe, len, flags);
	run = veneer_source(inode, *ppos, len);
	/* The pipe may be for O_DIRECT, too. */
	if (run.len < len) {
		run.len = direct_part(inode, *ppos, run.len, len, &bounce);
		if (bounce)
			return copy_splice_read(file, ppos, pipe, run.len,
						flags);
	}
	real = veneer_real_file(file, run.where);
	if (IS_ERR(real))
		return PTR_ERR(real);
	return backing_file_splice_read(real, ppos, pipe, run.len, flags, &ctx);
}

/* RWF_NOAPPEND: the real file would append all the same. */
static bool must_not_append(const struct kiocb *iocb)
{
	return (iocb->ki_filp->f_flags & O_APPEND) &&
	       !(iocb->ki_flags & IOCB_APPEND);
}

/* Writes to the mount's page cache. */
static ssize_t write_cached(struct kiocb *iocb, struct iov_iter *iter,
			    struct file *real)
{
	struct file *file = iocb->ki_filp;
	struct inode *inode = file_inode(file);
	ssize_t ret;

	ret = file_remove_privs(file);
	if (ret)
		return ret;
	veneer_lent_recall(inode);
	ret = veneer_cache_write(iocb, iter);
	if (ret > 0) {
		CLASS(veneer_cred, cred)(veneer_cred(inode->i_sb));

		file_update_time(real);
	}
	veneer_copyattr(inode);
	return ret;
}

/* Writes to the upper, and counts what is not to be copied from below. */
static ssize_t write_upper(struct kiocb *iocb, struct iov_iter *iter,
			   struct file *real, int flags, size_t *reached)
{
	struct backing_file_ctx ctx = veneer_write_ctx(iocb->ki_filp);
	struct inode *inode = file_inode(iocb->ki_filp);
	const bool no_faults = user_backed_iter(iter);
	const size_t len = iov_iter_count(iter);
	struct kiocb sync;
	ssize_t ret;

	init_sync_kiocb(&sync, iocb->ki_filp);
	sync.ki_pos = iocb->ki_pos;
	sync.ki_flags = iocb->ki_flags;
	if (no_faults)
		no_faults_begin(iter);
	ret = backing_file_write_iter(real, iter, &sync, flags, &ctx);
	if (no_faults)
		no_faults_end(iter);
	*reached = max(ret, 0);
	if (ret > 0 && ret < len)
		ret = veneer_split_complete_part(inode, iocb->ki_pos, ret);
	/* On the way to an error, or to the end of a part, it has moved on. */
	iov_iter_revert(iter, len - iov_iter_count(iter) - max(ret, 0));
	return ret;
}

/* Writes @len bytes, or as much of them as is in memory that is there. */
static ssize_t write_part(struct kiocb *iocb, struct iov_iter *iter, size_t len,
			  struct file *real, int flags)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	const size_t count = iov_iter_count(iter);
	const loff_t old_size = i_size_read(inode);
	const loff_t pos = iocb->ki_pos;
	struct veneer_run run;
	size_t reached = 0;
	ssize_t ret = 0;
	bool there;

	len = min(len, count);
	run = veneer_source(inode, pos, len);
	/* Then there is nothing to fill and no block to mark, now or later. */
	there = run.where == VENEER_FROM_UPPER && run.len >= len;
	/* From a layer, which may take its time: not past the cache. */
	if (!there)
		ret = veneer_split_begin(inode, pos, len);
	if (!ret)
		ret = veneer_past_cache_begin(inode);
	if (ret)
		return ret;
	iov_iter_truncate(iter, len);
	ret = write_upper(iocb, iter, real, flags, &reached);
	iov_iter_reexpand(iter, count - max(ret, 0));
	if (!there)
		ret = veneer_split_end(inode, pos, len, ret);
	if (ret > 0)
		iocb->ki_pos = pos + ret;
	veneer_past_cache_end(inode, old_size, pos, ret);
	/* The one block that it is about is filled first, then. */
	if (!ret && reached)
		ret = write_part(iocb, iter, reached, real, flags);
	return ret;
}

/* Writes through a buffer, which is filled before any lock is taken. */
static ssize_t write_bounced(struct kiocb *iocb, struct iov_iter *iter,
			     struct file *real, int flags)
{
	const size_t len = min_t(size_t, BOUNCE, iov_iter_count(iter));
	struct folio *folio = folio_alloc(GFP_KERNEL, get_order(len));
	ssize_t ret = -EFAULT;
	struct iov_iter bounce;
	struct bio_vec bvec;
	size_t copied;

	if (!folio)
		return -ENOMEM;
	copied = copy_from_iter(folio_address(folio), len, iter);
	if (copied) {
		bvec_set_folio(&bvec, folio, copied, 0);
		iov_iter_bvec(&bounce, ITER_SOURCE, &bvec, 1, copied);
		ret = write_part(iocb, &bounce, copied, real, flags);
	}
	iov_iter_revert(iter, copied - max(ret, 0));
	folio_put(folio);
	return ret;
}

/* Writes directly, from memory that is brought in before any lock is taken. */
static ssize_t write_pinned(struct kiocb *iocb, struct iov_iter *iter,
			    struct file *real, int flags)
{
	const struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t ret, done = 0;

	do {
		struct pinned *mem = pin(inode, iocb->ki_pos, iter,
					 ITER_SOURCE);
		size_t len;

		ret = PTR_ERR_OR_ZERO(mem);
		if (ret)
			break;
		len = iov_iter_count(&mem->iter);
		ret = write_part(iocb, &mem->iter, len, real, flags);
		iov_iter_revert(iter, mem->len - max(ret, 0));
		unpin(mem, false);
		if (ret > 0)
			done += ret;
		if (ret < (ssize_t)len)
			break;
		ret = -EINTR;
	} while (iov_iter_count(iter) && !fatal_signal_pending(current));
	return done ? : ret;
}

/*
 * Writes to a split file that no mapping has in the mount's page cache, piece
 * by piece once memory of the caller had to be waited for.
 */
static ssize_t write_split(struct kiocb *iocb, struct iov_iter *iter,
			   struct file *real, int flags)
{
	size_t part = SIZE_MAX;
	unsigned int failed = 0;
	ssize_t ret, done = 0;

	if ((iocb->ki_flags & IOCB_DIRECT) && user_backed_iter(iter))
		return write_pinned(iocb, iter, real, flags);
	for (;;) {
		ret = failed < FAULT_TRIES ?
		      write_part(iocb, iter, part, real, flags) :
		      write_bounced(iocb, iter, real, flags);
		if (ret > 0) {
			done += ret;
			failed = 0;
		} else if (ret != -EFAULT || failed >= FAULT_TRIES) {
			break;
		}
		if (!iov_iter_count(iter) || !user_backed_iter(iter))
			break;
		ret = -EINTR;
		if (fatal_signal_pending(current))
			break;
		part = min_t(size_t, FAULT_IN, iov_iter_count(iter));
		ret = -EFAULT;
		if (fault_in_iov_iter_readable(iter, part) == part)
			break;
		failed++;
	}
	return done ? : ret;
}

/* What is left to do for a file that is, or was, split. */
static ssize_t write_done(struct kiocb *iocb, ssize_t ret, bool cached)
{
	struct file *file = iocb->ki_filp;
	struct inode *inode = file_inode(file);
	int err = 0;

	if (ret <= 0)
		return ret;
	if (veneer_split_is_complete(inode))
		err = veneer_split_flush(inode, NULL);
	if (iocb_is_dsync(iocb) &&
	    (cached || veneer_split_unsaved(inode)))
		err = vfs_fsync_range(file, iocb->ki_pos - ret,
				      iocb->ki_pos - 1,
				      !(iocb->ki_flags & IOCB_SYNC));
	/* Only who asked for it is told that it is not on the disk. */
	return err && iocb_is_dsync(iocb) ? err : ret;
}

static ssize_t write_locked(struct kiocb *iocb, struct iov_iter *iter,
			    struct file *real)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct backing_file_ctx ctx = veneer_write_ctx(iocb->ki_filp);
	/*
	 * Without IOCB_WRITE, which loop devices do not set, a write that is not
	 * waited for has no end for the upper's filesystem: it could never be
	 * frozen again.
	 */
	int flags = iocb->ki_flags | IOCB_WRITE;
	ssize_t ret = 0;
	bool cached;

	if (veneer_mount(inode->i_sb)->options.is_volatile) {
		flags &= ~(IOCB_DSYNC | IOCB_SYNC);
	} else if (iocb_is_dsync(iocb)) {
		/* The real file knows nothing of the mount's option sync. */
		flags |= IOCB_DSYNC;
		ret = veneer_sync_name(inode, real);
	}
	if (ret)
		return ret;
	/* For file_remove_privs(), and the size to append to. */
	veneer_copyattr(inode);
	cached = veneer_is_cached(inode) || must_not_append(iocb) ||
		 atomic_read(&veneer_inode(inode)->lent_maps);
	if (veneer_mount(inode->i_sb)->served) {
		if (must_not_append(iocb))
			return -EOPNOTSUPP;
		cached = false;
	}
	if (veneer_is_whole(inode) && !cached && !inode->i_mapping->nrpages)
		return backing_file_write_iter(real, iter, iocb, flags, &ctx);

	if (iocb->ki_flags & IOCB_NOWAIT)
		return -EAGAIN;
	ret = generic_write_checks(iocb, iter);
	if (ret <= 0)
		return ret;
	if (cached)
		ret = write_cached(iocb, iter, real);
	else
		ret = write_split(iocb, iter, real, flags);
	return write_done(iocb, ret, cached);
}

ssize_t veneer_write_iter(struct kiocb *iocb, struct iov_iter *iter)
{
	struct file *file = iocb->ki_filp;
	struct inode *inode = file_inode(file);
	struct file *real;
	ssize_t ret;

	if (!iov_iter_count(iter))
		return 0;

	if (!(iocb->ki_flags & IOCB_NOWAIT)) {
		real = veneer_real_file_to_write(file);
		inode_lock(inode);
	} else {
		if (!veneer_is_whole(inode))
			return -EAGAIN;
		real = veneer_real_file_nowait(file, VENEER_FROM_UPPER);
		if (!inode_trylock(inode))
			return -EAGAIN;
	}
	ret = IS_ERR(real) ? PTR_ERR(real) : write_locked(iocb, iter, real);
	inode_unlock(inode);
	return ret;
}
