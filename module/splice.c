// SPDX-License-Identifier: GPL-2.0-only
/*
 * Splice: from a pipe into a file of a mount.
 *
 * What is in a pipe may be there today, next year, or when a filesystem that a
 * user serves has answered.  So a file that may have pages of its own is written
 * past them one buffer of the pipe at a time, and only once that is there: then
 * the pipe is locked, which has to come after the freeze protection of the
 * upper's filesystem, as it does where that is spliced into.  What takes that
 * itself, writing back and filling, is done with the pipe unlocked.
 */
#include <linux/backing-file.h>
#include <linux/bvec.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/pagemap.h>
#include <linux/pipe_fs_i.h>
#include <linux/sched/signal.h>
#include <linux/splice.h>
#include <linux/uio.h>

#include "compat.h"
#include "file.h"
#include "inode.h"
#include "io.h"
#include "pagecache.h"
#include "source.h"
#include "split.h"
#include "writer.h"

/*
 * What the pipe's buffer is for.
 * inode: the mount's file
 * real: the upper's
 * len: how many bytes are prepared for, from a block's beginning or within it
 * exact: they are a block, which must be filled first if they do not come at once
 * begun: the cache is passed by, and has to be told of the end
 * busy: it had pages
 * less: there are less bytes, or less are taken: how many
 */
struct from_pipe {
	struct inode	*inode;
	struct file	*real;
	size_t		len;
	bool		exact;
	bool		begun;
	bool		busy;
	size_t		less;
};

/* Returns 0, with nothing taken, when something has to be done before. */
static int write_buffer(struct pipe_inode_info *pipe, struct pipe_buffer *buf,
			struct splice_desc *sd)
{
	struct from_pipe *from = sd->u.data;
	struct iov_iter iter;
	struct bio_vec bvec;
	struct kiocb kiocb;
	int ret;

	if (from->exact && sd->len < from->len) {
		from->less = sd->len;
		return 0;
	}
	from->busy = !veneer_past_cache_try(from->inode);
	if (from->busy)
		return 0;
	from->begun = true;

	bvec_set_page(&bvec, buf->page, sd->len, buf->offset);
	iov_iter_bvec(&iter, ITER_SOURCE, &bvec, 1, sd->len);
	init_sync_kiocb(&kiocb, from->real);
	kiocb.ki_pos = sd->pos;
	ret = from->real->f_op->write_iter(&kiocb, &iter);
	/*
	 * What it stopped within is to be filled first: and should that fail, the
	 * pipe still has the bytes.
	 */
	if (ret > 0 && ret < sd->len &&
	    !veneer_split_complete_part(from->inode, sd->pos, ret)) {
		from->less = ret;
		return 0;
	}
	/* The next buffer may have to be waited for. */
	if (ret > 0)
		sd->total_len = ret;
	return ret;
}

/* Takes one buffer, which may have to be waited for. */
static ssize_t take_buffer(struct pipe_inode_info *pipe, struct from_pipe *from,
			   loff_t pos, unsigned int flags)
{
	struct splice_desc sd = {
		.total_len	= from->len,
		.flags		= flags,
		.pos		= pos,
		.u.data		= from,
	};
	ssize_t ret;

	CLASS(veneer_cred, cred)(veneer_writer_cred(veneer_mount(from->inode->i_sb)));
	file_start_write(from->real);
	pipe_lock(pipe);
	ret = __splice_from_pipe(pipe, &sd, write_buffer);
	pipe_unlock(pipe);
	file_end_write(from->real);
	return ret;
}

/* Up to a block's end; of a file without blocks, up to a page's. */
static size_t to_block_end(const struct inode *inode, loff_t pos, size_t len)
{
	const struct veneer_split *split = veneer_inode_split(inode);
	loff_t block = PAGE_SIZE;

	if (split)
		block = 1LL << split->record.block_shift;
	return min_t(u64, len, block - (pos & (block - 1)));
}

/* Writes one buffer of the pipe, or as much of it as is of one block. */
static ssize_t splice_part(struct pipe_inode_info *pipe, struct inode *inode,
			   struct file *real, loff_t pos, size_t len,
			   unsigned int flags)
{
	const loff_t old_size = i_size_read(inode);
	struct from_pipe from = {
		.inode	= inode,
		.real	= real,
		.len	= to_block_end(inode, pos, len),
	};
	ssize_t ret;

	for (;;) {
		const struct veneer_run run = veneer_source(inode, pos,
							    from.len);
		const bool there = run.where == VENEER_FROM_UPPER &&
				   run.len >= from.len;

		ret = there ? 0 : veneer_split_begin(inode, pos, from.len);
		from.exact = veneer_source(inode, pos, 1).where !=
			     VENEER_FROM_UPPER;
		if (!ret)
			ret = veneer_past_cache_prepare(inode);
		if (ret)
			return ret;
		from.busy = false;
		ret = take_buffer(pipe, &from, pos, flags);
		if (from.begun) {
			if (!there)
				ret = veneer_split_end(inode, pos, from.len,
						       ret);
			veneer_copyattr(inode);
			veneer_past_cache_end(inode, old_size, pos, ret);
			if (!from.less)
				return ret;
			from.begun = false;
		}
		if (!from.busy && !from.less)
			return ret;
		if (from.less)
			from.len = from.less;
		from.less = 0;
		if (fatal_signal_pending(current))
			return -EINTR;
	}
}

static ssize_t splice_parts(struct pipe_inode_info *pipe, struct inode *inode,
			    struct file *real, loff_t pos, size_t len,
			    unsigned int flags)
{
	ssize_t done = 0, ret = 0;

	while (len) {
		ret = splice_part(pipe, inode, real, pos, len, flags);
		if (ret <= 0)
			break;
		done += ret;
		pos += ret;
		len -= ret;
		/* What has come is an answer. */
		flags |= SPLICE_F_NONBLOCK;
	}
	return done ? : ret;
}

static ssize_t splice_locked(struct pipe_inode_info *pipe, struct file *file,
			     struct file *real, loff_t *ppos, size_t len,
			     unsigned int flags)
{
	struct inode *inode = file_inode(file);
	struct backing_file_ctx ctx = veneer_write_ctx(file);
	const loff_t pos = *ppos;
	ssize_t ret;

	veneer_copyattr(inode);
	/* No page of its own can come: the upper's filesystem does it all. */
	if (veneer_is_whole(inode) && !veneer_is_cached(inode) &&
	    !inode->i_mapping->nrpages) {
		ret = backing_file_splice_write(pipe, real, ppos, len, flags,
						&ctx);
	} else if (!real->f_op->write_iter) {
		ret = -EINVAL;
	} else {
		ret = file_remove_privs(file);
		if (!ret)
			ret = splice_parts(pipe, inode, real, pos,
					   min_t(u64, len,
						 MAX_LFS_FILESIZE - pos),
					   flags);
	}
	if (ret <= 0)
		return ret;
	*ppos = pos + ret;
	if (veneer_split_is_complete(inode))
		veneer_split_flush(inode, NULL);
	return veneer_sync_written(file, pos, ret) ? : ret;
}

ssize_t veneer_splice_write(struct pipe_inode_info *pipe, struct file *file,
			    loff_t *ppos, size_t len, unsigned int flags)
{
	struct inode *inode = file_inode(file);
	struct file *real = veneer_real_file_to_write(file);
	ssize_t ret;

	if (IS_ERR(real))
		return PTR_ERR(real);
	inode_lock(inode);
	ret = splice_locked(pipe, file, real, ppos, len, flags);
	inode_unlock(inode);
	return ret;
}
