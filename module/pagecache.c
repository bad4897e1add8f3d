// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page cache: the mount's own pages of a file.
 *
 * A mapping of a split file, and a writable shared mapping of a file that is
 * not whole, is served from the mount inode's own page cache.  Folios are
 * filled from wherever the bytes are, and written back into the upper.
 *
 * As long as a file has such mappings, read(2) and write(2) use those pages,
 * too, and the file behaves like one of any filesystem.  As long as it has
 * none, they go past the page cache to the real files; pages that are left in
 * it are written back first, and forgotten before a write.  A mapping may still
 * come in the middle of such a write; see veneer_past_cache_begin().
 *
 * A page fault comes here with mmap_lock held, and that is taken under i_rwsem
 * of any real file: a write faults.  So nothing on the way of a fault may wait
 * for one, nor for a lock that is held while waiting for one.  Hence the real
 * files are read by way of their page caches, see fill.c, and the invalidate lock
 * is never held over what is done to the upper.
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <linux/wait_bit.h>
#include <linux/writeback.h>

#include "compat.h"
#include "fill.h"
#include "inode.h"
#include "log.h"
#include "pagecache.h"
#include "source.h"
#include "split.h"
#include "writer.h"

/* No memory; killed; or somebody else has a lease on the upper's file. */
static bool is_passing(ssize_t err)
{
	return err == -ENOMEM || err == -EINTR || err == -ERESTARTSYS ||
	       err == -EBUSY;
}

/* Fails with -EAGAIN when the file is being changed past the cache. */
static int write_folio(struct inode *inode, struct folio *folio,
		       struct writeback_control *wbc)
{
	const struct veneer_inode *vi = veneer_inode(inode);
	const loff_t pos = folio_pos(folio);
	ssize_t ret = 0;
	loff_t size;

	folio_start_writeback(folio);
	/* Pairs with veneer_cache_hold(), which waits for pages written back. */
	smp_mb();
	size = i_size_read(inode);
	if (READ_ONCE(vi->past_cache)) {
		folio_redirty_for_writepage(wbc, folio);
		ret = -EAGAIN;
	}
	folio_unlock(folio);
	/* Or cut off, and about to be thrown away. */
	if (ret || pos >= size) {
		folio_end_writeback(folio);
		return ret;
	}
	ret = veneer_split_write_folio(inode, folio,
				       min_t(loff_t, PAGE_SIZE, size - pos));
	/*
	 * Who waits for this tries again, or is told alone: then nothing is lost.
	 */
	if (ret < 0 && !is_passing(ret))
		mapping_set_error(inode->i_mapping, ret);
	/* A sync of all files hears of nothing else. */
	if (is_passing(ret) && wbc->for_sync)
		errseq_set(&inode->i_sb->s_wb_err, ret);
	/* There will be memory, or room, again: whoever syncs then has it written. */
	if (is_passing(ret) || ret == -ENOSPC || ret == -EDQUOT)
		folio_redirty_for_writepage(wbc, folio);
	folio_end_writeback(folio);
	return min(ret, 0);
}

/* Returns whether pages were left out, because the file was being changed. */
static bool write_folios(struct address_space *mapping,
			 struct writeback_control *wbc, int *error)
{
	struct folio *folio = NULL;
	bool left = false;

	while ((folio = writeback_iter(mapping, wbc, folio, error))) {
		*error = write_folio(mapping->host, folio, wbc);
		if (*error == -EAGAIN) {
			left = true;
			*error = 0;
		}
	}
	return left;
}

/*
 * Writing to the upper makes pages dirty there, and may have to wait for those:
 * never for ours, which would be to wait for oneself.
 */
static int writepages(struct address_space *mapping,
		      struct writeback_control *wbc)
{
	struct veneer_inode *vi = veneer_inode(mapping->host);
	const unsigned int throttle = current->flags & PF_LOCAL_THROTTLE;
	const unsigned int nofs = memalloc_nofs_save();
	int error = 0;

	current->flags |= PF_LOCAL_THROTTLE;
	while (write_folios(mapping, wbc, &error) &&
	       wbc->sync_mode == WB_SYNC_ALL && !error)
		wait_var_event(&vi->past_cache, !READ_ONCE(vi->past_cache));
	if (!throttle)
		current->flags &= ~PF_LOCAL_THROTTLE;
	memalloc_nofs_restore(nofs);
	return error;
}

const struct address_space_operations veneer_address_operations = {
	.read_folio		= veneer_read_folio,
	.readahead		= veneer_readahead,
	.writepages		= writepages,
	.dirty_folio		= filemap_dirty_folio,
	.migrate_folio		= filemap_migrate_folio,
	.error_remove_folio	= generic_error_remove_folio,
};

/**
 * veneer_cache_write_pages - veneer_cache_write_back(), when there are pages
 * @inode: a regular file
 * @pos: where the range begins
 * @len: how many bytes
 * @nowait: fail with %-EAGAIN rather than wait
 */
int veneer_cache_write_pages(struct inode *inode, loff_t pos, loff_t len,
			     bool nowait)
{
	struct address_space *mapping = inode->i_mapping;
	loff_t end;

	if (pos < 0)
		return 0;
	if (check_add_overflow(pos, len - 1, &end))
		end = LLONG_MAX;
	if (nowait)
		return filemap_range_needs_writeback(mapping, pos, end) ?
		       -EAGAIN : 0;
	return filemap_write_and_wait_range(mapping, pos, end);
}

/* Zeros what mappings may have written past the end of the file. */
static void zero_tail(struct address_space *mapping, loff_t size)
{
	const size_t offset = offset_in_page(size);
	struct folio *folio;

	if (!offset || !mapping->nrpages)
		return;
	folio = filemap_lock_folio(mapping, size >> PAGE_SHIFT);
	if (IS_ERR(folio))
		return;
	folio_zero_range(folio, offset, PAGE_SIZE - offset);
	flush_dcache_folio(folio);
	folio_unlock(folio);
	folio_put(folio);
}

/* Holds the pages of a block, with their bytes; returns how many, or an error. */
static int hold_pages(struct address_space *mapping, pgoff_t first, int nr,
		      struct folio **folios)
{
	for (int i = 0; i < nr; i++) {
		folios[i] = read_cache_folio(mapping, first + i, NULL, NULL);
		if (IS_ERR(folios[i])) {
			int err = PTR_ERR(folios[i]);

			while (i--)
				folio_put(folios[i]);
			return err;
		}
	}
	return nr;
}

static void dirty_pages(struct address_space *mapping, int nr,
			struct folio **folios)
{
	for (int i = 0; i < nr; i++) {
		folio_lock(folios[i]);
		if (folios[i]->mapping == mapping)
			folio_mark_dirty(folios[i]);
		folio_unlock(folios[i]);
		folio_put(folios[i]);
	}
}

/**
 * veneer_cache_block - before a page gets dirty, see to the rest of its block
 * @inode: a split file
 * @pos: where the page begins
 *
 * When a block that is missing is larger than a page, it is filled before one of
 * its pages is written back, and everybody's sync waits for that.  It must not
 * wait for a layer: so all of the block is brought into the mount's page cache
 * now, and made dirty, to stay until then.
 */
int veneer_cache_block(struct inode *inode, loff_t pos)
{
	struct veneer_split *split = veneer_inode_split(inode);
	struct address_space *mapping = inode->i_mapping;
	struct folio **folios;
	loff_t block, end;
	pgoff_t first;
	int nr;

	if (!split || split->record.block_shift <= PAGE_SHIFT)
		return 0;
	block = 1LL << split->record.block_shift;
	end = min3(round_down(pos, block) + block, veneer_below_size(split),
		   i_size_read(inode));
	if (pos >= end || veneer_blockmap_test(&split->map,
					       pos >> split->record.block_shift))
		return 0;
	first = round_down(pos, block) >> PAGE_SHIFT;
	nr = DIV_ROUND_UP(end, PAGE_SIZE) - first;
	folios = kcalloc(nr, sizeof(*folios), GFP_KERNEL);
	if (!folios)
		return -ENOMEM;
	filemap_invalidate_lock_shared(mapping);
	nr = hold_pages(mapping, first, nr, folios);
	if (nr > 0)
		dirty_pages(mapping, nr, folios);
	filemap_invalidate_unlock_shared(mapping);
	kfree(folios);
	return min(nr, 0);
}

/* The page of the mount's page cache to write to, locked. */
static struct folio *folio_to_write(struct inode *inode, loff_t pos, size_t len)
{
	struct address_space *mapping = inode->i_mapping;
	struct folio *folio;
	int err;

	err = veneer_cache_block(inode, round_down(pos, PAGE_SIZE));
	if (err)
		return ERR_PTR(err);
	folio = __filemap_get_folio(mapping, pos >> PAGE_SHIFT, FGP_WRITEBEGIN,
				    mapping_gfp_mask(mapping));
	if (IS_ERR(folio))
		return folio;
	if (!folio_test_uptodate(folio) && len < PAGE_SIZE)
		err = veneer_fill_folio(inode, folio);
	if (!err)
		err = veneer_split_reserve(inode, folio_pos(folio), PAGE_SIZE);
	if (!err)
		return folio;
	folio_unlock(folio);
	folio_put(folio);
	return ERR_PTR(err);
}

/*
 * Writes what is in one page; 0 when the caller's memory must be faulted in.
 * A page with bytes past the end of the file is not dirty yet, but in @beyond.
 */
static ssize_t write_page(struct inode *inode, struct iov_iter *iter,
			  loff_t pos, size_t len, struct folio_batch *beyond)
{
	struct folio *folio = folio_to_write(inode, pos, len);
	size_t copied;

	if (IS_ERR(folio))
		return PTR_ERR(folio);
	folio_wait_stable(folio);
	copied = copy_folio_from_iter_atomic(folio, offset_in_page(pos), len,
					     iter);
	if (copied < len && !folio_test_uptodate(folio)) {
		iov_iter_revert(iter, copied);
		copied = 0;
	}
	if (copied) {
		flush_dcache_folio(folio);
		folio_mark_uptodate(folio);
		if (pos + copied > i_size_read(inode)) {
			folio_get(folio);
			folio_batch_add(beyond, folio);
		} else {
			folio_mark_dirty(folio);
		}
	}
	folio_unlock(folio);
	folio_put(folio);
	return copied;
}

static int set_upper_size(struct inode *inode, loff_t size)
{
	const struct path path = veneer_upper_path(veneer_mount(inode->i_sb),
						   veneer_upper(inode));
	int err;

	CLASS(veneer_cred, cred)(veneer_cred(inode->i_sb));
	err = vfs_truncate(&path, size);
	veneer_copyattr(inode);
	return err;
}

/*
 * Writes what was copied past the end of the file to the upper, which makes the
 * file longer with the bytes in it: whoever reads up to the end, here or there,
 * meets no zeros that nobody wrote.  Until then, references keep the pages.
 * *@pos moves on.
 */
static int extend(struct inode *inode, struct folio_batch *beyond, loff_t *pos,
		  loff_t end)
{
	struct address_space *mapping = inode->i_mapping;
	ssize_t ret = 0;

	if (!folio_batch_count(beyond))
		return 0;
	for (unsigned int i = 0; i < folio_batch_count(beyond); i++) {
		struct folio *folio = beyond->folios[i];
		const loff_t start = folio_pos(folio);
		const loff_t stop = min_t(loff_t, start + PAGE_SIZE, end);

		if (ret >= 0)
			ret = veneer_split_write_folio(inode, folio,
						       stop - start);
		if (ret >= 0)
			*pos = stop;
		/* That part of it may be older than the error. */
		if (ret < 0 && start < i_size_read(inode)) {
			folio_lock(folio);
			folio_mark_dirty(folio);
			folio_unlock(folio);
		}
	}
	folio_batch_release(beyond);
	veneer_copyattr(inode);
	if (ret >= 0)
		return 0;
	/* Nor may the rest show when the file gets longer some day. */
	filemap_invalidate_lock(mapping);
	truncate_pagecache(inode, i_size_read(inode));
	filemap_invalidate_unlock(mapping);
	return ret;
}

/* Copies to pages.  *@pos moves on, as far as the file has them. */
static int copy_to_pages(struct inode *inode, struct iov_iter *iter,
			 loff_t *pos)
{
	struct folio_batch beyond;
	loff_t at = *pos;
	ssize_t ret = 0;
	int err;

	folio_batch_init(&beyond);
	while (iov_iter_count(iter)) {
		size_t len = min(iov_iter_count(iter),
				 PAGE_SIZE - offset_in_page(at));

		if (fatal_signal_pending(current)) {
			ret = -EINTR;
			break;
		}
		if (fault_in_iov_iter_readable(iter, len) == len) {
			ret = -EFAULT;
			break;
		}
		ret = write_page(inode, iter, at, len, &beyond);
		if (ret < 0)
			break;
		at += ret;
		ret = 0;
		if (!folio_batch_count(&beyond))
			*pos = at;
		else if (!folio_batch_space(&beyond))
			ret = extend(inode, &beyond, pos, at);
		if (ret)
			break;
		balance_dirty_pages_ratelimited(inode->i_mapping);
	}
	err = extend(inode, &beyond, pos, at);
	return err ? : ret;
}

/**
 * veneer_cache_write - write to the mount's page cache
 * @iocb: the request, checked; its position moves on
 * @iter: the bytes
 *
 * The file is split or whole, and its i_rwsem held for writing.  Moves no
 * timestamp.  The bytes are in the upper, or have failed to get there, when
 * this returns: a full disk is told to who fills it.
 *
 * Return: how many were written, or a negative error.
 */
ssize_t veneer_cache_write(struct kiocb *iocb, struct iov_iter *iter)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct address_space *mapping = inode->i_mapping;
	const loff_t old_size = i_size_read(inode);
	const loff_t start = iocb->ki_pos;
	loff_t pos = start, size;
	ssize_t ret;

	veneer_note_writer(inode);
	if (start + iov_iter_count(iter) > old_size)
		zero_tail(mapping, old_size);
	ret = copy_to_pages(inode, iter, &pos);
	if (pos > start) {
		ret = filemap_write_and_wait_range(mapping, start, pos - 1);
		if (ret)
			pos = start;
	}
	size = pos > start ? max(old_size, pos) : old_size;
	if (i_size_read(inode) > size) {
		const loff_t reached = i_size_read(inode);

		veneer_cache_hold(inode, size);
		set_upper_size(inode, size);
		veneer_cache_release(inode);
		veneer_cache_cut(inode, reached);
	}
	iocb->ki_pos = pos;
	return pos > start ? pos - start : ret;
}

/* One try of drop_all(). */
static bool try_drop(struct inode *inode, loff_t pos, loff_t end, int *err)
{
	struct address_space *mapping = inode->i_mapping;
	bool done;

	*err = filemap_write_and_wait_range(mapping, pos, end);
	if (*err)
		return true;
	filemap_invalidate_lock(mapping);
	/* Now no page can become dirty by a mapping. */
	done = !filemap_range_needs_writeback(mapping, pos, end);
	if (done) {
		veneer_lent_zap(inode, pos >> PAGE_SHIFT, end >> PAGE_SHIFT);
		*err = invalidate_inode_pages2_range(mapping, pos >> PAGE_SHIFT,
						     end >> PAGE_SHIFT);
	}
	filemap_invalidate_unlock(mapping);
	return done;
}

/* Writes all cached pages back and forgets them. */
static int drop_all(struct inode *inode)
{
	int err = 0;

	if (!inode->i_mapping->nrpages)
		return 0;
	while (!try_drop(inode, 0, LLONG_MAX, &err)) {
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	return err;
}

/**
 * veneer_past_cache_prepare - write back and forget the mount's pages
 * @inode: the file, its i_rwsem held for writing
 *
 * Mappings do not show a layer's pages any more.  A page may come again at once.
 */
int veneer_past_cache_prepare(struct inode *inode)
{
	veneer_lent_recall(inode);
	return drop_all(inode);
}

/**
 * veneer_past_cache_try - veneer_past_cache_begin(), if no page is cached
 * @inode: the file, prepared
 *
 * Waits for nothing.
 */
bool veneer_past_cache_try(struct inode *inode)
{
	struct veneer_inode *vi = veneer_inode(inode);

	WRITE_ONCE(vi->past_cache, true);
	/* Whoever makes a page dirty after this is not written back. */
	smp_mb();
	if (!inode->i_mapping->nrpages)
		return true;
	WRITE_ONCE(vi->past_cache, false);
	wake_up_var(&vi->past_cache);
	return false;
}

/**
 * veneer_past_cache_begin - the upper is about to be changed past the mount's
 * page cache
 * @inode: the file, its i_rwsem held for writing
 *
 * Afterwards no page is cached, mappings do not show a layer's pages any more,
 * and a page that comes will not be written back before
 * veneer_past_cache_end(), which must be called after success.
 *
 * Everybody's sync waits for that.  So what is done in between must not wait
 * for what a user can hold up: not for his memory, nor a pipe, nor a layer,
 * which may be of a filesystem that he serves.
 */
int veneer_past_cache_begin(struct inode *inode)
{
	for (;;) {
		int err = veneer_past_cache_prepare(inode);

		if (err)
			return err;
		if (veneer_past_cache_try(inode))
			return 0;
		/* Whoever has it mapped may bring pages for ever. */
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
}

/* Gives one cached page the bytes that the upper has. */
static void refresh_folio(struct inode *inode, struct folio *folio, loff_t pos,
			  loff_t end)
{
	const loff_t start = folio_pos(folio);
	void *page;
	int err = 0;

	pos = max(pos, start);
	end = min_t(loff_t, end, start + PAGE_SIZE);
	page = kmap_local_folio(folio, 0);
	while (pos < end && !err) {
		struct veneer_run run = veneer_source(inode, pos, end - pos);

		/* What is below has not changed. */
		if (run.where == VENEER_FROM_UPPER)
			err = veneer_fill_run(inode, &run,
					      page + (pos - start), pos);
		pos += run.len;
	}
	kunmap_local(page);
	flush_dcache_folio(folio);
	if (err)
		veneer_err_ratelimited("%pd2: a mapping shows old bytes (error %d)\n",
				       veneer_upper(inode), err);
}

static void refresh(struct inode *inode, loff_t pos, loff_t end)
{
	struct address_space *mapping = inode->i_mapping;
	pgoff_t first = pos >> PAGE_SHIFT;
	struct folio_batch batch;

	if (pos >= end)
		return;
	CLASS(veneer_cred, cred)(veneer_cred(inode->i_sb));
	folio_batch_init(&batch);
	while (filemap_get_folios(mapping, &first, (end - 1) >> PAGE_SHIFT,
				  &batch)) {
		for (unsigned int i = 0; i < folio_batch_count(&batch); i++) {
			struct folio *folio = batch.folios[i];

			folio_lock(folio);
			if (folio->mapping == mapping &&
			    folio_test_uptodate(folio))
				refresh_folio(inode, folio, pos, end);
			folio_unlock(folio);
		}
		folio_batch_release(&batch);
		cond_resched();
	}
}

/**
 * veneer_past_cache_end - the upper has been changed
 * @inode: as for veneer_past_cache_begin()
 * @old_size: the file's size before
 * @pos: where the changed bytes begin
 * @len: how many they are; not positive for none
 *
 * Pages that came in the meantime, and may have been written to by mappings,
 * get those bytes.
 */
void veneer_past_cache_end(struct inode *inode, loff_t old_size, loff_t pos,
			   loff_t len)
{
	struct veneer_inode *vi = veneer_inode(inode);
	loff_t end;

	if (inode->i_mapping->nrpages && len > 0) {
		if (check_add_overflow(pos, len, &end))
			end = LLONG_MAX;
		if (i_size_read(inode) > old_size)
			zero_tail(inode->i_mapping, old_size);
		refresh(inode, pos, end);
	}
	WRITE_ONCE(vi->past_cache, false);
	wake_up_var(&vi->past_cache);
}

/**
 * veneer_cache_hold - the upper is about to get another size
 * @inode: the file, its i_rwsem held for writing
 * @size: its new size
 *
 * Nothing behind it is being written back, which would make the upper longer
 * again, nor will be before veneer_cache_release().  What is done in between is
 * what veneer_past_cache_begin() says of that.
 */
void veneer_cache_hold(struct inode *inode, loff_t size)
{
	struct address_space *mapping = inode->i_mapping;
	struct veneer_split *split = veneer_inode_split(inode);
	loff_t block = PAGE_SIZE;

	if (split)
		block = max(block, 1LL << split->record.block_shift);
	WRITE_ONCE(veneer_inode(inode)->past_cache, true);
	/* Pairs with write_folio(). */
	smp_mb();
	/* With a page, the rest of its block may be written. */
	if (mapping->nrpages)
		filemap_fdatawait_range_keep_errors(mapping,
						    round_down(size, block),
						    LLONG_MAX);
}

/**
 * veneer_cache_release - the upper has got another size, or has not
 * @inode: as for veneer_cache_hold(); it says which size the upper has
 */
void veneer_cache_release(struct inode *inode)
{
	WRITE_ONCE(veneer_inode(inode)->past_cache, false);
	wake_up_var(&veneer_inode(inode)->past_cache);
}

/**
 * veneer_cache_prepare_resize - a file may get another size
 * @inode: the file, its i_rwsem held for writing
 * @size: its new size
 *
 * Should it then not, nothing is to be done.
 */
void veneer_cache_prepare_resize(struct inode *inode, loff_t size)
{
	veneer_lent_recall(inode);
	if (size > i_size_read(inode))
		zero_tail(inode->i_mapping, i_size_read(inode));
}

/**
 * veneer_cache_cut - forget the pages behind the end of the file
 * @inode: the file, its i_rwsem held for writing; it says where that is
 * @old_size: where it was
 *
 * Only when the upper is shorter, for good: pages may be all that has the bytes.
 */
void veneer_cache_cut(struct inode *inode, loff_t old_size)
{
	struct address_space *mapping = inode->i_mapping;
	const loff_t size = i_size_read(inode);

	if (size >= old_size || !mapping->nrpages)
		return;
	filemap_invalidate_lock(mapping);
	veneer_lent_zap(inode, size >> PAGE_SHIFT, ULONG_MAX);
	truncate_setsize(inode, size);
	filemap_invalidate_unlock(mapping);
}
