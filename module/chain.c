// SPDX-License-Identifier: GPL-2.0-only
/* Chain: the real files that a stack's regular file has its bytes in. */
#include <linux/blk_types.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "chain.h"
#include "compat.h"
#include "log.h"
#include "mapfile.h"
#include "marks.h"
#include "real.h"
#include "record.h"
#include "stack.h"
#include "stack_links.h"
#include "stack_inode.h"

/* More than there can be layers would be a loop. */
#define MAX_LINKS	4096

static void at_path(const struct super_block *sb, const struct veneer_at *at,
		    struct path *path)
{
	path->mnt = veneer_stack(sb)->layers[at->layer];
	path->dentry = at->dentry;
}

/*
 * An overlayfs upper with "metacopy=on" that became a layer: the data is in a
 * layer under it, at the redirect's path or at the same name.
 */
static int follow_metacopy(const struct super_block *sb,
			   const struct dentry *below,
			   const struct veneer_at *at,
			   struct veneer_merge *out)
{
	const struct veneer_stack *stack = veneer_stack(sb);
	const struct veneer_merge *parent;
	const char *name = below->d_name.name;
	struct path path;
	unsigned int skip;
	char *redirect;
	int err;

	at_path(sb, at, &path);
	redirect = veneer_redirect_get(&path, stack->userxattr);
	if (IS_ERR(redirect))
		return PTR_ERR(redirect);
	if (redirect && *redirect == '/') {
		err = veneer_merge_walk(stack, at->layer + 1, redirect, out);
		kvfree(redirect);
		return err ? : veneer_stack_links_apply(stack, at->layer + 1,
							out);
	}
	if (redirect)
		name = redirect;

	/* A stack's dentries never move. */
	parent = veneer_stack_objects(below->d_parent);
	for (skip = 0; skip < parent->nr; skip++) {
		if (parent->at[skip].layer > at->layer)
			break;
	}
	err = veneer_merge_lookup(stack, parent->at + skip, parent->nr - skip,
				  name, out);
	kvfree(redirect);
	return err ? : veneer_stack_links_apply(stack, at->layer + 1, out);
}

/* Fills the link of a file that has a record; @next is what it names. */
static int follow_record(struct dentry *below, struct veneer_link *link,
			 const struct path *path,
			 const struct veneer_record *record,
			 struct veneer_merge *next)
{
	const struct veneer_stack *stack = veneer_stack(below->d_sb);
	const struct path root = {
		.mnt	= path->mnt,
		.dentry	= path->mnt->mnt_root,
	};
	int err;

	if (record->flags & VENEER_SPLIT_CUT) {
		veneer_err_ratelimited("%pd2: a truncation was interrupted; mount its layer as an upperdir once to finish it\n",
				       below);
		return -EUCLEAN;
	}
	err = veneer_merge_walk(stack, link->at.layer + 1, record->path, next);
	if (!err)
		err = veneer_stack_links_apply(stack, link->at.layer + 1, next);
	if (err || !(record->flags & VENEER_SPLIT_MAP))
		return err;

	link->map = kzalloc(sizeof(*link->map), GFP_KERNEL_ACCOUNT);
	if (!link->map)
		return -ENOMEM;
	err = veneer_mapfile_load(&root, below, record, link->map, NULL);
	if (err) {
		kfree(link->map);
		link->map = NULL;
		return err;
	}
	link->below_size = record->below_size;
	link->block_shift = record->block_shift;
	return 0;
}

/*
 * Fills the rest of a link whose file is known.
 *
 * Return: 1 when there is a next one, in @next; 0 when this is the last; or a
 * negative error.
 */
static int fill_link(struct dentry *below, struct veneer_link *link,
		     struct veneer_merge *next)
{
	const struct veneer_stack *stack = veneer_stack(below->d_sb);
	struct veneer_record record;
	struct path path;
	int ret;

	at_path(below->d_sb, &link->at, &path);
	ret = veneer_record_get(&path, stack->userxattr, &record);
	if (ret < 0)
		return ret;
	if (ret) {
		ret = follow_record(below, link, &path, &record, next);
		kfree(record.path);
		return ret ? : 1;
	}

	ret = veneer_is_metacopy(&path, stack->userxattr);
	if (ret <= 0)
		return ret;
	ret = follow_metacopy(below->d_sb, below, &link->at, next);
	return ret ? : 1;
}

static int next_object(const struct dentry *below, struct veneer_merge *next,
		       struct veneer_at *at)
{
	if (!next->nr || !d_is_reg(next->at[0].dentry)) {
		veneer_err_ratelimited("%pd2: the file below that holds its data is gone\n",
				       below);
		return -EIO;
	}
	*at = next->at[0];
	dget(at->dentry);
	return 0;
}

static struct veneer_chain *chain_grow(struct veneer_chain *chain)
{
	const unsigned int nr = chain ? chain->nr : 0;
	struct veneer_chain *grown;

	grown = krealloc(chain, struct_size(grown, link, nr + 1),
			 GFP_KERNEL_ACCOUNT);
	if (grown) {
		grown->link[nr] = (struct veneer_link) {};
		grown->nr = nr + 1;
	}
	return grown;
}

/**
 * veneer_chain_make - find the files that have a file's bytes
 * @below: a regular file of a stack
 *
 * Return: the chain, for veneer_chain_free(); or an ERR_PTR().
 */
struct veneer_chain *veneer_chain_make(struct dentry *below)
{
	struct veneer_at at = veneer_stack_objects(below)->at[0];
	struct veneer_chain *chain = NULL;
	int ret = 1;

	dget(at.dentry);
	for (unsigned int steps = 0; ret > 0; steps++) {
		struct veneer_merge next = {};
		struct veneer_chain *grown;
		struct veneer_link *link;

		/* A link that had no data of its own is used again. */
		grown = !chain || chain->link[chain->nr - 1].map ?
			chain_grow(chain) : chain;
		if (!grown) {
			dput(at.dentry);
			veneer_chain_free(chain);
			return ERR_PTR(-ENOMEM);
		}
		chain = grown;
		chain->sb = below->d_sb;
		link = &chain->link[chain->nr - 1];
		dput(link->at.dentry);
		link->at = at;
		if (fatal_signal_pending(current))
			ret = -EINTR;
		else
			ret = steps < MAX_LINKS ?
			      fill_link(below, link, &next) : -ELOOP;
		if (ret > 0)
			ret = next_object(below, &next, &at) ? : 1;
		veneer_merge_free(&next);
	}
	if (ret) {
		veneer_chain_free(chain);
		return ERR_PTR(ret);
	}
	return chain;
}

/**
 * veneer_chain_free - close and forget the files
 * @chain: may be %NULL
 */
void veneer_chain_free(struct veneer_chain *chain)
{
	if (!chain)
		return;
	for (unsigned int i = 0; i < chain->nr; i++) {
		struct veneer_link *link = &chain->link[i];

		veneer_kept_drop(&link->kept);
		if (link->map)
			veneer_blockmap_free(link->map);
		kfree(link->map);
		dput(link->at.dentry);
	}
	kfree(chain);
}

/**
 * veneer_chain_source - which file of a chain has the byte at this offset?
 * @chain: the chain
 * @pos: the offset
 * @want: how many bytes are of interest; not 0
 * @len: receives how far the run reaches, at most @want
 *
 * Return: the index of the link.
 */
unsigned int veneer_chain_source(struct veneer_chain *chain, loff_t pos,
				 loff_t want, loff_t *len)
{
	unsigned int i;

	for (i = 0; i < chain->nr - 1; i++) {
		struct veneer_link *link = &chain->link[i];
		const u8 shift = link->block_shift;
		u64 next;
		bool here;

		if (pos >= link->below_size)
			break;
		want = min(want, link->below_size - pos);
		here = veneer_blockmap_run(link->map, pos >> shift,
					   (pos + want - 1) >> shift, &next);
		want = min_t(u64, want, (next << shift) - pos);
		if (here)
			break;
	}
	*len = want;
	return i;
}

/**
 * veneer_chain_path - the path of a file of a chain
 * @chain: the chain
 * @link: which one
 * @path: receives the path; no references: it lives as long as the chain
 */
void veneer_chain_path(struct veneer_chain *chain, unsigned int link,
		       struct path *path)
{
	at_path(chain->sb, &chain->link[link].at, path);
}

/**
 * veneer_chain_blocks - how much the files of a chain take on their disks
 * @chain: the chain
 * @size: how many bytes of it can be seen: a file that has more of them counts
 *	for no more than that
 * @flags: AT_STATX_* bits of how to ask
 * @blocks: receives the number of 512-byte blocks
 *
 * Runs with the mounter's credentials.
 *
 * Return: 0 or a negative error.
 */
int veneer_chain_blocks(struct veneer_chain *chain, loff_t size,
			unsigned int flags, u64 *blocks)
{
	*blocks = 0;
	for (unsigned int i = 0; i < chain->nr; i++) {
		const struct inode *inode = d_inode(chain->link[i].at.dentry);
		struct kstat stat;
		struct path path;
		int err;

		veneer_chain_path(chain, i, &path);
		err = vfs_getattr(&path, &stat, STATX_BLOCKS,
				  flags & AT_STATX_SYNC_TYPE);
		if (err)
			return err;
		if (size < i_size_read(inode))
			stat.blocks = min_t(u64, stat.blocks,
					    round_up((u64)size, i_blocksize(inode)) >>
					    SECTOR_SHIFT);
		*blocks += stat.blocks;
	}
	return 0;
}

/**
 * veneer_chain_file - a file of a chain, to be read by the kernel itself
 * @chain: the chain
 * @link: which one
 *
 * Return: the file with a reference, for fput(); or an ERR_PTR().
 */
struct file *veneer_chain_file(struct veneer_chain *chain, unsigned int link)
{
	struct veneer_link *l = &chain->link[link];
	struct file *file;
	struct path path;

	file = veneer_kept_get(&l->kept);
	if (file)
		return file;

	at_path(chain->sb, &l->at, &path);
	{
		CLASS(veneer_cred, cred)(veneer_stack(chain->sb)->cred);

		file = veneer_real_open(&path, S_IFREG, O_RDONLY);
	}
	if (IS_ERR(file))
		return file;
	return veneer_kept_add(&l->kept, chain->sb, file);
}

/**
 * veneer_chain_read - read bytes of a stack's file
 * @chain: its chain
 * @buf: where to
 * @len: how many; all of them must be there
 * @pos: from where
 *
 * Return: 0 or a negative error; %-EIO when a file is shorter than it was.
 */
int veneer_chain_read(struct veneer_chain *chain, void *buf, size_t len,
		      loff_t pos)
{
	while (len) {
		loff_t run;
		unsigned int link = veneer_chain_source(chain, pos, len, &run);
		struct file *file = veneer_chain_file(chain, link);
		ssize_t ret;

		if (IS_ERR(file))
			return PTR_ERR(file);
		ret = kernel_read(file, buf, run, &pos);
		if (!ret) {
			veneer_err_ratelimited("%pD2: ends early; was a layer changed?\n",
					       file);
			ret = -EIO;
		}
		fput(file);
		if (ret < 0)
			return ret;
		buf += ret;
		len -= ret;
	}
	return 0;
}
