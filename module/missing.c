// SPDX-License-Identifier: GPL-2.0-only
/*
 * Missing: blocks that a split file has below only, and how they get up.
 *
 * A layer may be a filesystem that a user serves, and answers when he likes.  So
 * it is read, and asked for its holes, with no lock held that write-back takes.
 * Then veneer_inode.io_lock is taken, and what is still missing is written to the
 * upper and marked.  What is below has not changed meanwhile, and how much of it
 * shows has not either: whoever cuts a file off holds i_rwsem, and waits for
 * pages that are being written back.  Whoever brings a block up holds one of the
 * two.
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>

#include "apart.h"
#include "chain.h"
#include "compat.h"
#include "inode.h"
#include "missing.h"
#include "save.h"
#include "served.h"
#include "split.h"
#include "writer.h"

/* What is read at once, if a block is not larger. */
#define CHUNK		SZ_256K

/* What is cloned or marked in one step, without a look at signals. */
#define DATA_STEP	((loff_t)1 << 40)

static int write_all(struct file *file, const void *buf, size_t len, loff_t pos)
{
	while (len) {
		ssize_t ret = veneer_own_write(file, buf, len, &pos);

		if (ret <= 0)
			return ret ? : -EIO;
		buf += ret;
		len -= ret;
	}
	return 0;
}

/**
 * veneer_mark_blocks - blocks are the upper's from now on
 * @inode: a split file, its io_lock held
 * @split: its state
 * @first: the first block
 * @last: the last one
 */
int veneer_mark_blocks(struct inode *inode, struct veneer_split *split,
		       u64 first, u64 last)
{
	u64 fresh;
	int err;

	lockdep_assert_held(&veneer_inode(inode)->io_lock);
	err = veneer_blockmap_set(&split->map, first, last, &fresh);
	if (fresh)
		veneer_save_later(inode);
	return err;
}

/*
 * What one chunk of below is copied by.
 * buf: the bytes
 * pos: where they begin: where a block does
 * end: where they end: where a block does, or below
 */
struct chunk {
	void	*buf;
	loff_t	pos;
	loff_t	end;
};

/* Writes and marks those blocks of a chunk that are still missing. */
static int put_chunk(struct inode *inode, struct veneer_split *split,
		     struct file *inner, const struct chunk *chunk)
{
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	const u8 shift = split->record.block_shift;
	const u64 last = (chunk->end - 1) >> shift;
	loff_t pos = chunk->pos, to;
	int err = 0;

	lockdep_assert_held(&veneer_inode(inode)->io_lock);
	for (; pos < chunk->end && !err; pos = to) {
		const u64 block = pos >> shift;
		u64 next;
		bool there = veneer_blockmap_run(&split->map, block, last,
						 &next);

		to = min_t(u64, next << shift, chunk->end);
		if (there)
			continue;
		err = write_all(inner, chunk->buf + (pos - chunk->pos),
				to - pos, pos);
		if (!err)
			err = veneer_mark_blocks(inode, split, block, next - 1);
		if (!err) {
			veneer_count(m, bytes_copied, to - pos);
			veneer_count(m, blocks_copied, next - block);
		}
	}
	return err;
}

/* The upper's file, and memory for at most @len bytes; or a negative error. */
static int begin_copy(struct inode *inode, loff_t len, struct file **inner,
		      void **buf)
{
	*buf = kvmalloc(len, GFP_KERNEL);
	if (!*buf)
		return -ENOMEM;
	*inner = veneer_inner_get_to_write(inode);
	if (!IS_ERR(*inner))
		return 0;
	kvfree(*buf);
	return PTR_ERR(*inner);
}

static void end_copy(struct file *inner, void *buf)
{
	fput(inner);
	kvfree(buf);
}

/* Bytes of a page of the mount's own; false when it has none. */
static bool read_cached(struct address_space *mapping, void *buf, size_t len,
			loff_t pos)
{
	struct folio *folio = filemap_get_folio(mapping, pos >> PAGE_SHIFT);
	bool there;

	if (IS_ERR(folio))
		return false;
	there = folio_test_uptodate(folio);
	if (there)
		memcpy_from_folio(buf, folio, offset_in_folio(folio, pos), len);
	folio_put(folio);
	return there;
}

/*
 * What shows of a chunk that is missing: pages of the mount's own first.  To
 * write one back never takes the layer: see veneer_cache_block().
 */
static int read_chunk(struct inode *inode, const struct chunk *chunk)
{
	struct veneer_chain *chain = veneer_inode_chain(inode);
	struct address_space *mapping = inode->i_mapping;
	loff_t pos = chunk->pos;
	int err = 0;

	if (!mapping->nrpages)
		return veneer_chain_read(chain, chunk->buf, chunk->end - pos,
					 pos);
	while (pos < chunk->end && !err) {
		void *to = chunk->buf + (pos - chunk->pos);
		size_t len = min_t(loff_t, PAGE_SIZE - offset_in_page(pos),
				   chunk->end - pos);

		if (!read_cached(mapping, to, len, pos))
			err = veneer_chain_read(chain, to, len, pos);
		pos += len;
	}
	return err;
}

/* Copies the blocks of one chunk, at most, from below. */
static int copy_chunk(struct inode *inode, struct veneer_split *split,
		      loff_t pos, loff_t end)
{
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	struct chunk chunk = { .pos = pos, .end = end };
	struct file *inner;
	int err;

	err = begin_copy(inode, end - pos, &inner, &chunk.buf);
	if (err)
		return err;
	{
		CLASS(veneer_cred, cred)(veneer_writer_cred(m));

		err = read_chunk(inode, &chunk);
		if (!err) {
			mutex_lock(&veneer_inode(inode)->io_lock);
			err = put_chunk(inode, split, inner, &chunk);
			mutex_unlock(&veneer_inode(inode)->io_lock);
		}
	}
	end_copy(inner, chunk.buf);
	return err;
}

/* Copies one block from below if it is missing. */
static int bring_block(struct inode *inode, struct veneer_split *split,
		       u64 block)
{
	const u8 shift = split->record.block_shift;
	const loff_t start = (loff_t)block << shift;

	if (veneer_blockmap_test(&split->map, block))
		return 0;
	return copy_chunk(inode, split, start,
			  min_t(u64, (u64)start + (1ULL << shift),
				veneer_below_size(split)));
}

/**
 * veneer_bring_edges - copy the blocks from below that a change touches in part
 * @inode: a split file; its i_rwsem is held for writing, or the page that is to
 *	be written is under writeback
 * @split: its state
 * @pos: where the change begins
 * @len: how many bytes it is
 */
int veneer_bring_edges(struct inode *inode, struct veneer_split *split,
		       loff_t pos, loff_t len)
{
	const loff_t below_size = veneer_below_size(split);
	const u8 shift = split->record.block_shift;
	const loff_t mask = (1LL << shift) - 1;
	const loff_t end = pos + len;
	int err = 0;

	/* Below has no use any more, and what has no bit may have data since. */
	if (veneer_is_whole(inode) || pos >= below_size || !len)
		return 0;
	if (pos & mask)
		err = bring_block(inode, split, pos >> shift);
	if (!err && (end & mask) && end < below_size)
		err = bring_block(inode, split, (end - 1) >> shift);
	return err;
}

/**
 * veneer_split_edges - a range of the upper is about to be changed
 * @inode: the file, its i_rwsem held for writing
 * @pos: where it begins
 * @len: how many bytes; any number, since nothing is reserved for them
 *
 * As veneer_split_begin(), with veneer_split_cover() to follow.
 */
int veneer_split_edges(struct inode *inode, loff_t pos, loff_t len)
{
	struct veneer_split *split = veneer_inode_split(inode);

	return split ? veneer_bring_edges(inode, split, pos, len) : 0;
}

/*
 * Where blocks that are missing can be shared on the disk, copying them is not
 * needed.  Returns 1 when they are.
 */
static int clone_blocks(struct inode *inode, struct veneer_split *split,
			loff_t pos, loff_t end)
{
	struct veneer_chain *chain = veneer_inode_chain(inode);
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	const u8 shift = split->record.block_shift;
	struct file *inner, *from;
	unsigned int link;
	loff_t run, ret = 0;
	u64 next;
	int err = 0;

	inner = veneer_inner_get_to_write(inode);
	if (IS_ERR(inner))
		return 0;
	link = veneer_chain_source(chain, pos, end - pos, &run);
	from = veneer_chain_file(chain, link);
	if (run != end - pos || IS_ERR(from) ||
	    file_inode(from)->i_sb != file_inode(inner)->i_sb ||
	    !inner->f_op->remap_file_range)
		goto out;

	/* The layer is of the upper's filesystem, and nobody else's. */
	mutex_lock(&veneer_inode(inode)->io_lock);
	if (!veneer_blockmap_run(&split->map, pos >> shift, (end - 1) >> shift,
				 &next) && next > (end - 1) >> shift) {
		CLASS(veneer_cred, cred)(veneer_writer_cred(m));

		ret = vfs_clone_file_range(from, pos, inner, pos, run, 0);
	}
	if (ret == end - pos)
		err = veneer_mark_blocks(inode, split, pos >> shift,
					 (end - 1) >> shift);
	mutex_unlock(&veneer_inode(inode)->io_lock);
out:
	if (!IS_ERR(from))
		fput(from);
	fput(inner);
	return err ? : ret == end - pos;
}

/*
 * Where does a hole that begins at @pos end?  @pos itself when there is none.
 * What follows the file's end is none: to read it there may be an error.
 */
static loff_t hole_end(struct file *file, loff_t pos, loff_t end)
{
	loff_t data = vfs_llseek(file, pos, SEEK_DATA);

	end = min(end, i_size_read(file_inode(file)));
	if (data == -ENXIO)
		return max(end, pos);
	return data < 0 ? pos : clamp(data, pos, max(end, pos));
}

/* Where do bytes that begin at @pos, and are no hole, end? */
static loff_t data_end(struct file *file, loff_t pos, loff_t end)
{
	loff_t hole = vfs_llseek(file, pos, SEEK_HOLE);

	return hole <= pos ? end : min(hole, end);
}

/*
 * Are the blocks from @pos on a hole below, and in the upper, too?  Then it is
 * the same to every reader whose they are, and they need no bit.
 *
 * @pos: where a block begins
 * @end: how far to look; receives where the answer ceases to hold, which is
 *	where a block ends, or as it was
 */
static bool is_common_hole(struct inode *inode, struct veneer_split *split,
			   loff_t pos, loff_t *end)
{
	struct veneer_chain *chain = veneer_inode_chain(inode);
	const loff_t block = 1LL << split->record.block_shift;
	struct file *inner, *from;
	loff_t run, below, upper;
	unsigned int link;

	link = veneer_chain_source(chain, pos, *end - pos, &run);
	from = veneer_chain_file(chain, link);
	if (IS_ERR(from)) {
		*end = pos + min(*end - pos, block);
		return false;
	}
	/* Nor is he asked who may not answer, while pages cannot be written back. */
	if (READ_ONCE(veneer_inode(inode)->past_cache) &&
	    veneer_is_served(from->f_path.mnt)) {
		fput(from);
		run = round_up(min(run, DATA_STEP), block);
		*end = pos + min(*end - pos, run);
		return false;
	}
	inner = veneer_inner_get(inode);
	if (IS_ERR(inner)) {
		fput(from);
		*end = pos + min(*end - pos, block);
		return false;
	}

	run += pos;
	below = hole_end(from, pos, run);
	upper = hole_end(inner, pos, run);
	if (min(below, upper) - pos >= block) {
		*end = round_down(min(below, upper), block);
		fput(inner);
		fput(from);
		return true;
	}
	below = below > pos ? pos : data_end(from, pos, run);
	upper = upper > pos ? pos : data_end(inner, pos, run);
	fput(from);
	fput(inner);
	/* In steps, since a filesystem may know of no holes. */
	run = max(below, upper) - pos;
	run = round_up(clamp(run, 1, DATA_STEP), block);
	*end = pos + min(run, *end - pos);
	return false;
}

/**
 * veneer_split_refill - give blocks below's bytes once more
 * @inode: the file, its i_rwsem held for writing, and its io_lock
 * @pos: where they begin; moves on, maybe not all the way
 * @end: where they end, at most where below does
 *
 * For blocks that are in the map, but of which the upper has no data: after it
 * failed to store some.  So they cannot be told from others as they are missing,
 * and below is read with the lock held.
 */
int veneer_split_refill(struct inode *inode, loff_t *pos, loff_t end)
{
	struct veneer_split *split = veneer_inode_split(inode);
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	struct file *inner;
	loff_t hole = end;
	void *buf;
	int err;

	lockdep_assert_held(&veneer_inode(inode)->io_lock);
	if (is_common_hole(inode, split, *pos, &hole)) {
		*pos = hole;
		return 0;
	}
	end = *pos + min(end - *pos, (loff_t)CHUNK);
	err = begin_copy(inode, end - *pos, &inner, &buf);
	if (err)
		return err;
	{
		CLASS(veneer_cred, cred)(veneer_writer_cred(m));

		err = veneer_chain_read(veneer_inode_chain(inode), buf,
					end - *pos, *pos);
		if (!err)
			err = write_all(inner, buf, end - *pos, *pos);
	}
	end_copy(inner, buf);
	if (err)
		return err;
	veneer_count(m, bytes_copied, end - *pos);
	*pos = end;
	return 0;
}

/* What a step through a range finds.  The next one may find more. */
enum step {
	STEP_ON,		/* nothing */
	STEP_FOUND,		/* something */
	STEP_END,		/* nothing, up to the end of the range */
};

/*
 * The next blocks from *@pos up to @end that are not in the map and may have
 * bytes, from there on up to *@to.
 *
 * Return: what of &enum step it is; *@pos has moved.
 */
static enum step next_missing(struct inode *inode, struct veneer_split *split,
			      loff_t *pos, loff_t end, loff_t *to)
{
	const u8 shift = split->record.block_shift;
	u64 first, next;

	end = min_t(loff_t, end, veneer_below_size(split));
	if (*pos >= end)
		return STEP_END;
	first = *pos >> shift;
	if (veneer_blockmap_run(&split->map, first, (end - 1) >> shift, &next)) {
		*pos = min_t(u64, next << shift, end);
		return STEP_ON;
	}
	*pos = (loff_t)first << shift;
	*to = min_t(u64, next << shift, veneer_below_size(split));
	if (is_common_hole(inode, split, *pos, to)) {
		*pos = *to;
		return STEP_ON;
	}
	return STEP_FOUND;
}

/* Copies some blocks from below; holes as holes.  STEP_END, or 0, or an error. */
static int fill_some(struct inode *inode, struct veneer_split *split,
		     loff_t *pos, loff_t end)
{
	const u8 shift = split->record.block_shift;
	loff_t to;
	int ret = next_missing(inode, split, pos, end, &to);

	if (ret != STEP_FOUND)
		return ret;
	ret = clone_blocks(inode, split, *pos, to);
	if (!ret) {
		to = *pos + min(to - *pos,
				max_t(loff_t, CHUNK, 1LL << shift));
		ret = copy_chunk(inode, split, *pos, to);
	}
	*pos = to;
	return min(ret, 0);
}

/* Marks some blocks that the upper has.  STEP_END, or 0, or an error. */
static int cover_some(struct inode *inode, struct veneer_split *split,
		      loff_t *pos, loff_t end)
{
	const u8 shift = split->record.block_shift;
	loff_t to;
	int ret = next_missing(inode, split, pos, end, &to);

	if (ret != STEP_FOUND)
		return ret;
	mutex_lock(&veneer_inode(inode)->io_lock);
	ret = veneer_mark_blocks(inode, split, *pos >> shift,
				 (to - 1) >> shift);
	mutex_unlock(&veneer_inode(inode)->io_lock);
	*pos = to;
	return ret;
}

typedef int some_fn(struct inode *inode, struct veneer_split *split,
		    loff_t *pos, loff_t end);

static int step_by_step(struct inode *inode, some_fn *some, loff_t pos,
			loff_t end)
{
	struct veneer_split *split = veneer_inode_split(inode);
	int ret = 0;

	while (!ret) {
		if (fatal_signal_pending(current))
			return -EINTR;
		ret = some(inode, split, &pos, end);
		cond_resched();
	}
	return min(ret, 0);
}

/**
 * veneer_split_cover - a range of the upper has been changed
 * @inode: the file, its i_rwsem held for writing
 * @pos: where it begins
 * @len: how many bytes; any number
 *
 * Marks the blocks in which the upper differs from below: those that are a hole
 * in both may stay below.  So the map grows with the bytes below, of which
 * there are no more than somebody has stored, and not with @len.
 *
 * Return: 0 or a negative error, and then some of the blocks still show what is
 * below; %-EINTR for a fatal signal.
 */
int veneer_split_cover(struct inode *inode, loff_t pos, loff_t len)
{
	return veneer_inode_split(inode) && !veneer_is_whole(inode) ?
	       step_by_step(inode, cover_some, pos, pos + len) : 0;
}

/**
 * veneer_split_fill - copy blocks that are still below
 * @inode: the file, its i_rwsem held for writing
 * @pos: where the range begins
 * @len: how many bytes
 *
 * Stopped by a fatal signal; what is copied then stays.
 */
int veneer_split_fill(struct inode *inode, loff_t pos, loff_t len)
{
	struct veneer_split *split = veneer_inode_split(inode);
	int err;

	if (!split || veneer_is_whole(inode))
		return 0;
	err = step_by_step(inode, fill_some, pos, pos + len);
	if (err || pos)
		return err;
	mutex_lock(&veneer_inode(inode)->io_lock);
	if (len >= split->record.below_size)
		WRITE_ONCE(split->filled, true);
	mutex_unlock(&veneer_inode(inode)->io_lock);
	return 0;
}
