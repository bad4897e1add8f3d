// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rewrite: data of a split file that may have failed to get to the disk.
 *
 * A filesystem that could not write a page takes it for clean, says once that
 * there was an error, and not where.  The next fsync succeeds.  To save the bits
 * of the blocks then would be to say for ever that the file has bytes that the
 * disk does not have.  So after an error all blocks whose bits were not saved are
 * written again before they are: those that are cached, with what is cached.  Of
 * the others, what the upper's filesystem says is data has come to the disk; what
 * it says is a hole was thrown away unwritten, or is a hole, and gets below's
 * bytes, as if the write had not been.  That is what the error was told for: a
 * block is new or old, and never something else.
 */
#include <linux/fs.h>
#include <linux/pagemap.h>
#include <linux/pagevec.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "apart.h"
#include "blockmap.h"
#include "inode.h"
#include "mapfile.h"
#include "rewrite.h"
#include "split.h"
#include "wberr.h"

#define REWRITE_CHUNK	(64 << 10)

/* Where do cached pages end, or begin, that are, or are not, at @pos? */
static bool cached(struct address_space *mapping, loff_t pos, loff_t *end)
{
	pgoff_t index = pos >> PAGE_SHIFT;
	struct folio_batch batch;
	bool found = false;
	loff_t first, last;

	folio_batch_init(&batch);
	if (!filemap_get_folios(mapping, &index, (*end - 1) >> PAGE_SHIFT,
				&batch))
		return false;
	first = folio_pos(batch.folios[0]);
	last = first + folio_size(batch.folios[0]);
	folio_batch_release(&batch);
	if (first <= pos) {
		found = true;
		first = last;
	}
	*end = min(*end, max(first, pos + 1));
	return found;
}

/* Writes what the upper's file has there, once more. */
static int write_again(struct file *inner, void *buf, loff_t *pos, loff_t end)
{
	const size_t len = min_t(loff_t, end - *pos, REWRITE_CHUNK);
	loff_t from = *pos, to = *pos;
	ssize_t ret;

	ret = kernel_read(inner, buf, len, &from);
	if (ret > 0)
		ret = veneer_own_write(inner, buf, ret, &to);
	if (ret <= 0)
		return ret ? : -EIO;
	*pos = to;
	return 0;
}

/*
 * Not cached: data is there, of a hole that is not certain.  Who serves the upper
 * may say that the file goes on before where it was asked about.
 */
static int refill(struct inode *inode, struct file *inner, loff_t *pos,
		  loff_t end)
{
	loff_t data = vfs_llseek(inner, *pos, SEEK_DATA);

	if (data == *pos) {
		loff_t hole = vfs_llseek(inner, *pos, SEEK_HOLE);

		if (hole <= *pos)
			return hole < 0 ? hole : -EIO;
		*pos = min(hole, end);
		return 0;
	}
	if (data < *pos && data != -ENXIO)
		return data < 0 ? data : -EIO;
	return veneer_split_refill(inode, pos,
				   data < 0 ? end : min(data, end));
}

static int rewrite_range(struct inode *inode, struct file *inner, void *buf,
			 loff_t pos, loff_t end)
{
	struct veneer_inode *vi = veneer_inode(inode);
	int err = 0;

	end = min(end, i_size_read(file_inode(inner)));
	while (pos < end && !err) {
		loff_t stop = end;

		if (fatal_signal_pending(current))
			return -EINTR;
		mutex_lock(&vi->io_lock);
		if (cached(inner->f_mapping, pos, &stop))
			err = write_again(inner, buf, &pos, stop);
		else
			err = refill(inode, inner, &pos, stop);
		mutex_unlock(&vi->io_lock);
		cond_resched();
	}
	return err;
}

/* All blocks that are in @map and not in @saved. */
static int rewrite_unsaved(struct inode *inode, struct file *inner, void *buf,
			   struct veneer_blockmap *map,
			   struct veneer_blockmap *saved)
{
	struct veneer_split *split = veneer_inode_split(inode);
	const u8 shift = split->record.block_shift;
	const u64 nr = min(DIV_ROUND_UP_ULL(veneer_below_size(split),
					    1ULL << shift), map->nr);
	u64 next;
	int err = 0;

	for (u64 block = 0; block < nr && !err; block = next) {
		if (!veneer_blockmap_run(map, block, nr - 1, &next))
			continue;
		if (saved->nr > block &&
		    veneer_blockmap_run(saved, block,
					min(next, saved->nr) - 1, &next))
			continue;
		err = rewrite_range(inode, inner, buf, block << shift,
				    min_t(loff_t, next << shift,
					  veneer_below_size(split)));
	}
	return err;
}

static void set_doubtful(struct inode *inode, bool doubtful)
{
	/* As veneer_wberr_take() sets it. */
	spin_lock(&inode->i_lock);
	WRITE_ONCE(veneer_inode_split(inode)->doubtful, doubtful);
	spin_unlock(&inode->i_lock);
}

static int rewrite(struct inode *inode, struct file *inner,
		   struct veneer_blockmap *saved)
{
	struct veneer_split *split = veneer_inode_split(inode);
	void *buf = kvmalloc(REWRITE_CHUNK, GFP_KERNEL);
	int err;

	if (!buf)
		return -ENOMEM;
	/*
	 * Nobody is between a write and the setting of its bits: i_rwsem is held,
	 * and so is the lock of those who write pages of mappings.  What fails from
	 * now on is set again.
	 */
	mutex_lock(&veneer_inode(inode)->io_lock);
	set_doubtful(inode, false);
	mutex_unlock(&veneer_inode(inode)->io_lock);
	err = rewrite_unsaved(inode, inner, buf, &split->map, saved);
	if (err)
		set_doubtful(inode, true);
	kvfree(buf);
	return err;
}

/**
 * veneer_rewrite - write again what may not be on the disk, if there was an error
 * @inode: a split file, its flush_lock held
 * @inner: the upper's file
 *
 * Runs with the mounter's credentials.  i_rwsem is only tried: it comes before
 * flush_lock, the caller may have it, and somebody else may have it for as long
 * as a user likes.
 *
 * Return: 0, and bits may be saved once data is durable; or a negative error.
 */
int veneer_rewrite(struct inode *inode, struct file *inner)
{
	struct veneer_split *split = veneer_inode_split(inode);
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	const struct path root = veneer_upper_path(m, m->upper->mnt_root);
	struct veneer_blockmap saved;
	int err;

	lockdep_assert_held(&split->flush_lock);
	if (m->options.is_volatile)
		return 0;
	veneer_wberr_take(inode);
	if (!READ_ONCE(split->doubtful))
		return 0;
	if (!inode_trylock(inode))
		return -EIO;
	err = veneer_mapfile_load(&root, veneer_upper(inode), &split->record,
				  &saved, NULL);
	if (!err) {
		err = rewrite(inode, inner, &saved);
		veneer_blockmap_free(&saved);
	}
	inode_unlock(inode);
	return err;
}
