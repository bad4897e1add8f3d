// SPDX-License-Identifier: GPL-2.0-only
/*
 * mmap: which pages a mapping of a file is served from.
 *
 *   file is...   private or      shared, read-only   shared, can be
 *                executable                          written
 *   below        the layer's     lent                own
 *   split        own             own                 own
 *   whole        the upper's     the upper's         the upper's
 *
 * "Own" is the mount inode's page cache; see pagecache.c.  A whole file is
 * mapped so, too, as long as an older mapping of it is.
 *
 * "Lent" is the layer's page cache for as long as the file is below, so that
 * containers share it, and the own one after the first write, so that the
 * mapping shows it.  Such a mapping is one of the layer's file, found by its
 * i_mmap, with vm_operations of ours.  What follows from that:
 *
 * - Before the first change, veneer_lent_recall() sets veneer_inode.recalled
 *   and zaps all mappings of the layer's file, holding the invalidate lock for
 *   writing.  A fault that hands out a page of the layer makes the page
 *   table entry itself, with that lock held for reading, so none is made
 *   afterwards.
 * - Folios of our own that such a mapping maps cannot be found by the reverse
 *   map.  So they are not reclaimed while mapped, and before one of them is
 *   taken out of the page cache, veneer_lent_zap() zaps it in the layer's
 *   mapping, with the folio locked: a fault returns with the folio locked, and
 *   has made its entry before anybody else can lock it.  Such a mapping may have
 *   some before the first change, too, where a page of the layer cannot be had.
 * - When small pages of the layer's file are made a huge one, the kernel frees
 *   the page tables of its mappings, which must then map nothing else.  So no
 *   page is lent where that can happen; see how_to_share().
 */
#include <linux/backing-file.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/refcount.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>

#include "chain.h"
#include "compat.h"
#include "copyup.h"
#include "file.h"
#include "inode.h"
#include "io.h"
#include "pagecache.h"
#include "source.h"
#include "split.h"
#include "writer.h"

/* A page may go between its coming and its being mapped. */
#define LENT_TRIES	3

/**
 * struct lent - a mapping of a layer's file, its vm_private_data
 * @users: how many areas share it: they are split and copied
 * @file: the mount's file; a reference
 * @real_ops: the layer's filesystem's
 */
struct lent {
	refcount_t				users;
	struct file				*file;
	const struct vm_operations_struct	*real_ops;
};

static struct address_space *layer_mapping(const struct inode *inode)
{
	struct veneer_chain *chain = veneer_inode_chain(inode);
	struct path path;

	veneer_chain_path(chain, 0, &path);
	return d_inode(path.dentry)->i_mapping;
}

/**
 * veneer_lent_recall - mappings must not show a layer's pages any more
 * @inode: a regular file that is about to be changed
 */
void veneer_lent_recall(struct inode *inode)
{
	struct veneer_inode *vi = veneer_inode(inode);

	if (READ_ONCE(vi->recalled) || !atomic_read(&vi->lent_maps))
		return;
	filemap_invalidate_lock(inode->i_mapping);
	if (!vi->recalled) {
		WRITE_ONCE(vi->recalled, true);
		unmap_mapping_range(layer_mapping(inode), 0, 0, 0);
	}
	filemap_invalidate_unlock(inode->i_mapping);
}

/**
 * veneer_lent_zap - cached pages are about to be forgotten
 * @inode: the file, its invalidate lock held for writing
 * @first: the first page's index
 * @last: the last one's
 */
void veneer_lent_zap(struct inode *inode, pgoff_t first, pgoff_t last)
{
	struct address_space *mapping = inode->i_mapping;
	struct folio_batch batch;

	if (!atomic_read(&veneer_inode(inode)->lent_maps))
		return;
	folio_batch_init(&batch);
	while (filemap_get_folios(mapping, &first, last, &batch)) {
		for (unsigned int i = 0; i < folio_batch_count(&batch); i++) {
			struct folio *folio = batch.folios[i];

			folio_lock(folio);
			if (folio->mapping == mapping)
				unmap_mapping_pages(layer_mapping(inode),
						    folio->index, 1, false);
			folio_unlock(folio);
		}
		folio_batch_release(&batch);
		cond_resched();
	}
}

/* A page of our own, for a mapping that is one of the layer's file. */
static vm_fault_t lent_own_fault(struct vm_fault *vmf, struct file *file)
{
	struct inode *inode = file_inode(file);
	struct address_space *mapping = inode->i_mapping;
	vm_fault_t ret = VM_FAULT_SIGBUS;
	struct folio *folio;

	filemap_invalidate_lock_shared(mapping);
	if (vmf->pgoff >= DIV_ROUND_UP(i_size_read(inode), PAGE_SIZE))
		goto out;
	folio = read_cache_folio(mapping, vmf->pgoff, NULL, file);
	if (IS_ERR(folio)) {
		if (folio == ERR_PTR(-ENOMEM))
			ret = VM_FAULT_OOM;
		goto out;
	}
	folio_lock(folio);
	if (folio->mapping == mapping) {
		vmf->page = folio_page(folio, 0);
		ret = VM_FAULT_LOCKED;
	} else {
		folio_unlock(folio);
		folio_put(folio);
		ret = VM_FAULT_NOPAGE;
	}
out:
	filemap_invalidate_unlock_shared(mapping);
	return ret;
}

static vm_fault_t lent_fault(struct vm_fault *vmf)
{
	const struct lent *lent = vmf->vma->vm_private_data;
	struct inode *inode = file_inode(lent->file);
	struct veneer_inode *vi = veneer_inode(inode);
	vm_fault_t ret, major = 0;

	for (int i = 0; i < LENT_TRIES; i++) {
		if (READ_ONCE(vi->recalled))
			return lent_own_fault(vmf, lent->file);

		/* This brings the page into the layer's page cache... */
		ret = lent->real_ops->fault(vmf);
		if (ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY |
			   VM_FAULT_DONE_COW))
			return ret;
		major |= ret & VM_FAULT_MAJOR;
		if (ret & VM_FAULT_LOCKED)
			unlock_page(vmf->page);
		put_page(vmf->page);
		vmf->page = NULL;

		/* ...and this maps it, if it may still be. */
		ret = 0;
		filemap_invalidate_lock_shared(inode->i_mapping);
		if (!vi->recalled)
			ret = lent->real_ops->map_pages(vmf, vmf->pgoff,
							vmf->pgoff);
		filemap_invalidate_unlock_shared(inode->i_mapping);
		if (ret & VM_FAULT_NOPAGE)
			return VM_FAULT_NOPAGE | major;
	}
	/*
	 * map_pages() may decline for ever: that of 6.12.117 makes no page
	 * table for the last page of a file.  A page of our own always does.
	 */
	return lent_own_fault(vmf, lent->file) | major;
}

/* Pages around a fault; called in a place where one cannot sleep. */
static vm_fault_t lent_map_pages(struct vm_fault *vmf, pgoff_t start,
				 pgoff_t end)
{
	const struct lent *lent = vmf->vma->vm_private_data;
	struct inode *inode = file_inode(lent->file);
	vm_fault_t ret = 0;

	if (!filemap_invalidate_trylock_shared(inode->i_mapping))
		return 0;
	if (!veneer_inode(inode)->recalled)
		ret = lent->real_ops->map_pages(vmf, start, end);
	filemap_invalidate_unlock_shared(inode->i_mapping);
	return ret;
}

static void lent_open(struct vm_area_struct *vma)
{
	struct lent *lent = vma->vm_private_data;

	refcount_inc(&lent->users);
}

static void lent_close(struct vm_area_struct *vma)
{
	struct lent *lent = vma->vm_private_data;
	struct veneer_inode *vi;

	if (!refcount_dec_and_test(&lent->users))
		return;
	vi = veneer_inode(file_inode(lent->file));
	atomic_dec(&vi->lent_maps);
	atomic_dec(&vi->own_maps);
	fput(lent->file);
	kfree(lent);
}

static const struct vm_operations_struct lent_vm_ops = {
	.open		= lent_open,
	.close		= lent_close,
	.fault		= lent_fault,
	.map_pages	= lent_map_pages,
};

static int mmap_real(struct file *file, struct vm_area_struct *vma,
		     unsigned int where)
{
	struct backing_file_ctx ctx = veneer_file_ctx(file);
	struct file *real = veneer_real_file(file, where);

	return IS_ERR(real) ? PTR_ERR(real) :
			      backing_file_mmap(real, vma, &ctx);
}

static int mmap_lent(struct file *file, struct vm_area_struct *vma)
{
	struct veneer_inode *vi = veneer_inode(file_inode(file));
	struct lent *lent = kzalloc(sizeof(*lent), GFP_KERNEL);
	int err;

	if (!lent) {
		atomic_dec(&vi->own_maps);
		return -ENOMEM;
	}
	err = mmap_real(file, vma, VENEER_FROM_LINK(0));
	/* A filesystem with ways of its own, that may use its own memory. */
	if (err || !vma->vm_ops || !vma->vm_ops->fault ||
	    !vma->vm_ops->map_pages || vma->vm_ops->close ||
	    vma->vm_private_data) {
		kfree(lent);
		atomic_dec(&vi->own_maps);
		return err;
	}
	refcount_set(&lent->users, 1);
	lent->file = get_file(file);
	lent->real_ops = vma->vm_ops;
	atomic_inc(&vi->lent_maps);
	vma->vm_private_data = lent;
	vma->vm_ops = &lent_vm_ops;
	return 0;
}

/* The upper's times move as those of any file that is written by a mapping. */
static int move_times(struct file *file)
{
	struct inode *inode = file_inode(file);
	struct file *real = veneer_real_file(file, VENEER_FROM_UPPER);
	struct super_block *upper_sb;
	int err;

	if (IS_ERR(real))
		return PTR_ERR(real);
	upper_sb = file_inode(real)->i_sb;
	sb_start_pagefault(upper_sb);
	{
		CLASS(veneer_cred, cred)(veneer_cred(inode->i_sb));

		err = file_update_time(real);
	}
	sb_end_pagefault(upper_sb);
	/* Not the size: that may be about to change. */
	inode_set_mtime_to_ts(inode, inode_get_mtime(file_inode(real)));
	inode_set_ctime_to_ts(inode, inode_get_ctime(file_inode(real)));
	return err;
}

static vm_fault_t own_page_mkwrite(struct vm_fault *vmf)
{
	struct file *file = vmf->vma->vm_file;
	struct inode *inode = file_inode(file);
	struct address_space *mapping = inode->i_mapping;
	struct folio *folio = page_folio(vmf->page);
	vm_fault_t ret = VM_FAULT_LOCKED;
	int err;

	sb_start_pagefault(inode->i_sb);
	veneer_note_writer(inode);
	err = veneer_copy_up_from_mmap(file_dentry(file));
	if (!err)
		err = move_times(file);
	if (!err)
		err = veneer_split_reserve(inode, folio_pos(folio), PAGE_SIZE);
	if (!err)
		err = veneer_cache_block(inode, folio_pos(folio));
	if (err) {
		ret = vmf_error(err);
		goto out;
	}
	veneer_lent_recall(inode);

	filemap_invalidate_lock_shared(mapping);
	folio_lock(folio);
	if (folio->mapping != mapping ||
	    folio_pos(folio) >= i_size_read(inode)) {
		folio_unlock(folio);
		ret = VM_FAULT_NOPAGE;
	} else {
		folio_mark_dirty(folio);
		folio_wait_stable(folio);
	}
	filemap_invalidate_unlock_shared(mapping);
out:
	sb_end_pagefault(inode->i_sb);
	return ret;
}

static void own_open(struct vm_area_struct *vma)
{
	atomic_inc(&veneer_inode(file_inode(vma->vm_file))->own_maps);
}

static void own_close(struct vm_area_struct *vma)
{
	atomic_dec(&veneer_inode(file_inode(vma->vm_file))->own_maps);
}

static const struct vm_operations_struct own_vm_ops = {
	.open		= own_open,
	.close		= own_close,
	.fault		= filemap_fault,
	.map_pages	= filemap_map_pages,
	.page_mkwrite	= own_page_mkwrite,
};

/*
 * No security module is asked about the real file, as backing_file_mmap() does:
 * it is not mapped.  Its bytes are read into pages of ours, as by read(2), by a
 * file that the mounter could open; and what the caller may do with the mount's
 * file was asked before.  See the threat model.
 */
static int mmap_own(struct file *file, struct vm_area_struct *vma)
{
	struct backing_file_ctx ctx = veneer_file_ctx(file);

	vma->vm_ops = &own_vm_ops;
	ctx.accessed(file);
	return 0;
}

static int sync_name(struct file *file)
{
	struct file *real = veneer_real_file(file, VENEER_FROM_UPPER);

	return IS_ERR(real) ? PTR_ERR(real) :
			      veneer_sync_name(file_inode(file), real);
}

static bool may_be_own(const struct inode *inode)
{
	/* Pages that an older mapping left may have bytes that are not written. */
	return !veneer_is_whole(inode) ||
	       atomic_read(&veneer_inode(inode)->own_maps) ||
	       inode->i_mapping->nrpages;
}

/*
 * Must this mapping be one of our own pages, or may it become one?  Then it is
 * counted.  The counter is raised before the state is looked at, and whoever
 * changes the state does it the other way round, so that one of the two sees
 * the other; and for a file that is whole this is decided with the lock held,
 * so that it has mappings of one kind only.
 */
static bool count_own(struct inode *inode)
{
	struct veneer_inode *vi = veneer_inode(inode);
	bool own;

	mutex_lock(&vi->map_lock);
	own = may_be_own(inode);
	if (own) {
		atomic_inc(&vi->own_maps);
		/* Pairs with the one in veneer_is_cached(). */
		smp_mb__after_atomic();
	}
	mutex_unlock(&vi->map_lock);
	return own;
}

enum share { SHARE_LENT, SHARE_OWN, SHARE_LAYER };

/*
 * Which pages is a read-only shared mapping of a file below served from?  Not
 * lent ones, where the filesystem has ways of its own, or where small pages can
 * become huge ones: on tmpfs, and, if the kernel is made so, in any file that
 * is executable somewhere.  In the latter case sharing large files wins over
 * showing later writes.
 */
static enum share how_to_share(const struct inode *inode)
{
	struct address_space *mapping = layer_mapping(inode);
	const struct super_block *sb = mapping->host->i_sb;

	if (veneer_mount(inode->i_sb)->served)
		return SHARE_LAYER;
	if (sb->s_stack_depth || shmem_mapping(mapping))
		return SHARE_OWN;
	if (IS_ENABLED(CONFIG_READ_ONLY_THP_FOR_FS) &&
	    i_size_read(mapping->host) >= PMD_SIZE)
		return SHARE_LAYER;
	return SHARE_LENT;
}

/**
 * veneer_mapped_file - whose pages does a private mapping show?
 * @inode: a regular file of a mount
 * @real: receives the path of the real file; no references: it lives as long
 *	as @inode
 *
 * Who looks for the mappings of a program (probes in it) must know that file.
 * Takes the locks of an open(2), if the file was never opened.
 *
 * Return: false if they are the mount's own, or nobody can say.
 */
bool veneer_mapped_file(struct inode *inode, struct path *real)
{
	struct veneer_chain *chain;

	if (!may_be_own(inode)) {
		veneer_inode_real(inode, real);
		return true;
	}
	if (veneer_data_ready(inode) < 0 || veneer_is_whole(inode) ||
	    veneer_inode_split(inode))
		return false;
	chain = veneer_inode_chain(inode);
	if (IS_ERR(chain) || chain->nr > 1)
		return false;
	veneer_chain_path(chain, 0, real);
	return true;
}

int veneer_mmap(struct file *file, struct vm_area_struct *vma)
{
	/* VM_SHARED is not set where the file is not open for writing. */
	const bool shared = vma->vm_flags & VM_MAYSHARE;
	struct inode *inode = file_inode(file);
	struct veneer_inode *vi = veneer_inode(inode);
	enum share share = SHARE_LAYER;
	struct veneer_chain *chain;
	int err = 0;

	/* No page of our own is ever dirty there: see served.c. */
	if (shared && (vma->vm_flags & VM_MAYWRITE) &&
	    veneer_mount(inode->i_sb)->served && !veneer_is_whole(inode))
		return -ENODEV;
	if ((veneer_mount(inode->i_sb)->served && veneer_is_whole(inode)) ||
	    !count_own(inode)) {
		/* msync(2) does not come to us. */
		if (shared && (vma->vm_flags & VM_MAYWRITE))
			err = sync_name(file);
		return err ? : mmap_real(file, vma, VENEER_FROM_UPPER);
	}
	if (veneer_is_whole(inode) || veneer_inode_split(inode) ||
	    (shared && (vma->vm_flags & VM_MAYWRITE)))
		return mmap_own(file, vma);

	chain = veneer_inode_chain(inode);
	if (IS_ERR(chain)) {
		atomic_dec(&vi->own_maps);
		return PTR_ERR(chain);
	}
	if (shared)
		share = how_to_share(inode);
	if (chain->nr > 1 || share == SHARE_OWN)
		return mmap_own(file, vma);
	if (share == SHARE_LENT)
		return mmap_lent(file, vma);
	err = mmap_real(file, vma, VENEER_FROM_LINK(0));
	atomic_dec(&vi->own_maps);
	return err;
}
