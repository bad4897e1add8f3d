/* SPDX-License-Identifier: GPL-2.0-only */
/* Page cache: mappings of files whose bytes are in more than one place. */
#ifndef VENEER_PAGECACHE_H
#define VENEER_PAGECACHE_H

#include <linux/fs.h>
#include <linux/pagemap.h>

#include "inode.h"

extern const struct address_space_operations veneer_address_operations;

/**
 * veneer_is_cached - do mappings of a file use the mount's page cache?
 * @inode: a regular file
 *
 * As long as they do, that is where the file is read and written; but for uppers
 * that a user may serve, see served.c.
 */
static inline bool veneer_is_cached(const struct inode *inode)
{
	const struct veneer_inode *vi = veneer_inode(inode);

	/* Pairs with the barrier in veneer_mmap(). */
	smp_mb();
	return atomic_read(&vi->own_maps) >
	       (READ_ONCE(vi->recalled) ? 0 : atomic_read(&vi->lent_maps)) &&
	       !veneer_mount(inode->i_sb)->served;
}

int veneer_mmap(struct file *file, struct vm_area_struct *vma);
bool veneer_mapped_file(struct inode *inode, struct path *real);

int veneer_cache_write_pages(struct inode *inode, loff_t pos, loff_t len,
			     bool nowait);

/**
 * veneer_cache_write_back - let the real files have what mappings have written
 * @inode: a regular file
 * @pos: where the range begins
 * @len: how many bytes
 * @nowait: fail with %-EAGAIN rather than wait
 */
static inline int veneer_cache_write_back(struct inode *inode, loff_t pos,
					  loff_t len, bool nowait)
{
	return inode->i_mapping->nrpages ?
	       veneer_cache_write_pages(inode, pos, len, nowait) : 0;
}

ssize_t veneer_cache_write(struct kiocb *iocb, struct iov_iter *iter);
int veneer_cache_block(struct inode *inode, loff_t pos);
int veneer_past_cache_prepare(struct inode *inode);
bool veneer_past_cache_try(struct inode *inode);
int veneer_past_cache_begin(struct inode *inode);
void veneer_past_cache_end(struct inode *inode, loff_t old_size, loff_t pos,
			   loff_t len);
void veneer_cache_prepare_resize(struct inode *inode, loff_t size);
void veneer_cache_hold(struct inode *inode, loff_t size);
void veneer_cache_release(struct inode *inode);
void veneer_cache_cut(struct inode *inode, loff_t old_size);

/* Of mmap.c, for pagecache.c */
void veneer_lent_recall(struct inode *inode);
void veneer_lent_zap(struct inode *inode, pgoff_t first, pgoff_t last);

#endif
