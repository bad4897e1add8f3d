// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fill: bytes of a file, from wherever they are, for the mount's own memory.
 *
 * A page is copied from the page cache of the real file, which does not wait for
 * that file's i_rwsem: see pagecache.c.  What will be needed soon is asked for
 * all at once, so that the disk has to be waited for once.
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/pagemap.h>

#include "chain.h"
#include "compat.h"
#include "fill.h"
#include "inode.h"
#include "source.h"
#include "split.h"

/**
 * veneer_read_bytes - read bytes of a file from the real files
 * @inode: a regular file whose data is ready
 * @buf: where to
 * @len: how many
 * @pos: from where
 *
 * Pages of the mount's page cache do not count.
 *
 * Return: how many bytes there were, or a negative error.
 */
ssize_t veneer_read_bytes(struct inode *inode, void *buf, size_t len,
			  loff_t pos)
{
	const loff_t size = i_size_read(inode);
	size_t done = 0;

	/* Below, all that is asked for must be there. */
	if (pos >= size)
		return 0;
	len = min_t(loff_t, len, size - pos);

	CLASS(veneer_cred, cred)(veneer_cred(inode->i_sb));
	while (done < len) {
		struct veneer_run run = veneer_source(inode, pos, len - done);
		struct file *inner;
		ssize_t ret;

		if (run.where != VENEER_FROM_UPPER) {
			struct veneer_chain *chain = veneer_inode_chain(inode);

			ret = IS_ERR(chain) ? PTR_ERR(chain) :
			      veneer_chain_read(chain, buf + done, run.len, pos);
			if (ret)
				return ret;
			pos += run.len;
			done += run.len;
			continue;
		}
		inner = veneer_inner_get(inode);
		if (IS_ERR(inner))
			return PTR_ERR(inner);
		ret = kernel_read(inner, buf + done, run.len, &pos);
		fput(inner);
		if (ret < 0)
			return ret;
		if (!ret)
			break;
		done += ret;
	}
	return done;
}

/* Can a real file be read by way of its page cache? */
static bool has_pages(const struct address_space *mapping)
{
	return mapping->a_ops->read_folio && !IS_DAX(mapping->host);
}

/* Bytes of one page of a real file; past its end there are zeros. */
static int read_real(struct file *real, void *buf, size_t len, loff_t pos)
{
	struct address_space *mapping = real->f_mapping;
	struct folio *folio;
	ssize_t ret;

	if (!has_pages(mapping)) {
		ret = kernel_read(real, buf, len, &pos);
		if (ret < 0)
			return ret;
		memset(buf + ret, 0, len - ret);
		return 0;
	}
	/*
	 * Else a page could come between its being forgotten and the blocks'
	 * being freed, by a truncation or a hole, and show what is in them next.
	 */
	filemap_invalidate_lock_shared(mapping);
	folio = pos < i_size_read(mapping->host) ?
		read_cache_folio(mapping, pos >> PAGE_SHIFT, NULL, real) : NULL;
	filemap_invalidate_unlock_shared(mapping);
	if (!folio) {
		memset(buf, 0, len);
		return 0;
	}
	if (IS_ERR(folio))
		return PTR_ERR(folio);
	memcpy_from_folio(buf, folio, offset_in_folio(folio, pos), len);
	folio_put(folio);
	return 0;
}

/* The real file that a run is in; a reference. */
static struct file *run_file(struct inode *inode, const struct veneer_run *run)
{
	struct veneer_chain *chain;

	if (run->where == VENEER_FROM_UPPER)
		return veneer_inner_get(inode);
	chain = veneer_inode_chain(inode);
	if (IS_ERR(chain))
		return ERR_CAST(chain);
	return veneer_chain_file(chain, run->where - VENEER_FROM_LINK(0));
}

/**
 * veneer_fill_run - read bytes of one run, which is within a page
 * @inode: a regular file whose data is ready
 * @run: where they are
 * @buf: where to
 * @pos: from where
 *
 * Runs with the mounter's credentials.
 */
int veneer_fill_run(struct inode *inode, const struct veneer_run *run,
		    void *buf, loff_t pos)
{
	struct file *file = run_file(inode, run);
	int err;

	if (IS_ERR(file))
		return PTR_ERR(file);
	err = read_real(file, buf, run->len, pos);
	fput(file);
	return err;
}

/**
 * veneer_fill_folio - fill a page of the mount's page cache
 * @inode: the file
 * @folio: the page, locked
 */
int veneer_fill_folio(struct inode *inode, struct folio *folio)
{
	const loff_t size = i_size_read(inode);
	const loff_t start = folio_pos(folio);
	loff_t end = min_t(loff_t, start + PAGE_SIZE, size);
	loff_t pos = start;
	int err = 0;
	void *page;

	CLASS(veneer_cred, cred)(veneer_cred(inode->i_sb));
	page = kmap_local_folio(folio, 0);
	while (pos < end && !err) {
		struct veneer_run run = veneer_source(inode, pos, end - pos);

		err = veneer_fill_run(inode, &run, page + (pos - start), pos);
		pos += run.len;
	}
	end = max(end, start);
	if (!err)
		memset(page + (end - start), 0, PAGE_SIZE - (end - start));
	kunmap_local(page);
	if (!err) {
		flush_dcache_folio(folio);
		folio_mark_uptodate(folio);
	}
	return err;
}

int veneer_read_folio(struct file *file, struct folio *folio)
{
	int err = veneer_fill_folio(folio->mapping->host, folio);

	folio_unlock(folio);
	return err;
}

/*
 * Has the real file's page cache read what is not in it yet, under its
 * invalidate lock; waits for nothing else.
 */
static void ask_for(struct file *real, loff_t pos, size_t len)
{
	struct address_space *mapping = real->f_mapping;
	const pgoff_t first = pos >> PAGE_SHIFT;
	struct file_ra_state ra = { };

	if (!has_pages(mapping))
		return;
	file_ra_state_init(&ra, mapping);
	page_cache_sync_readahead(mapping, &ra, real, first,
				  ((pos + len - 1) >> PAGE_SHIFT) - first + 1);
}

/* The same, of whichever real files have the bytes. */
static void ask_for_range(struct inode *inode, loff_t pos, loff_t end)
{
	CLASS(veneer_cred, cred)(veneer_cred(inode->i_sb));
	while (pos < end) {
		struct veneer_run run = veneer_source(inode, pos, end - pos);
		struct file *real = run_file(inode, &run);

		/* Whoever needs the page finds out. */
		if (!IS_ERR(real)) {
			ask_for(real, pos, run.len);
			fput(real);
		}
		pos += run.len;
	}
}

void veneer_readahead(struct readahead_control *rac)
{
	struct inode *inode = rac->mapping->host;
	const loff_t pos = readahead_pos(rac);
	struct folio *folio;

	ask_for_range(inode, pos, min_t(loff_t, i_size_read(inode),
					pos + readahead_length(rac)));
	while ((folio = readahead_folio(rac))) {
		veneer_fill_folio(inode, folio);
		folio_unlock(folio);
	}
}
