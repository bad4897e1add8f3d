// SPDX-License-Identifier: GPL-2.0-only
/*
 * Split: a regular file with some blocks in the upper and the rest below.
 *
 * How blocks get into the upper.  A block that is written in part is filled
 * from below first, and its bit set: that changes nothing for a reader; see
 * missing.c.  A block that is written all over gets its bit when its new bytes
 * are there.  Saving the bits is in flush.c.
 *
 * Everything here but veneer_split_load() runs with any credentials and
 * changes to the mounter's where it matters.
 */
#include <linux/bvec.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "apart.h"
#include "compat.h"
#include "inode.h"
#include "log.h"
#include "mapfile.h"
#include "missing.h"
#include "real.h"
#include "save.h"
#include "split.h"
#include "writer.h"

static struct veneer_split *split_alloc(void)
{
	struct veneer_split *split = kzalloc(sizeof(*split),
					     GFP_KERNEL_ACCOUNT);

	if (split) {
		veneer_blockmap_init(&split->map, 0);
		mutex_init(&split->flush_lock);
		INIT_LIST_HEAD(&split->unsaved);
	}
	return split;
}

/**
 * veneer_split_free - forget a split state
 * @split: may be %NULL
 */
void veneer_split_free(struct veneer_split *split)
{
	if (!split)
		return;
	veneer_blockmap_free(&split->map);
	iput(split->map_inode);
	mutex_destroy(&split->flush_lock);
	kfree(split->record.path);
	kfree(split);
}

/**
 * veneer_below_path - the path of the file below, for a record
 * @inode: a file of a mount
 *
 * Return: the path from the root of the stack, for kfree(); or an ERR_PTR().
 */
char *veneer_below_path(const struct inode *inode)
{
	char *buf, *path;

	buf = kmalloc(PATH_MAX, GFP_KERNEL);
	if (!buf)
		return ERR_PTR(-ENOMEM);
	path = dentry_path_raw(veneer_inode(inode)->below, buf, PATH_MAX);
	if (!IS_ERR(path))
		path = kstrdup(path, GFP_KERNEL) ? : ERR_PTR(-ENOMEM);
	kfree(buf);
	return path;
}

/**
 * veneer_split_new - the split state of a file that has no block yet
 * @inode: the file, which is below
 * @below_size: how much of it is to show
 *
 * What is below has been found before, by veneer_inode_chain().
 *
 * Return: the state, for veneer_split_attach() or veneer_split_free(); or an
 * ERR_PTR().
 */
struct veneer_split *veneer_split_new(const struct inode *inode,
				      loff_t below_size)
{
	const struct veneer_mount *m = veneer_mount(inode->i_sb);
	const u8 shift = veneer_block_shift(m);
	struct veneer_split *split;
	int err;

	split = split_alloc();
	if (!split)
		return ERR_PTR(-ENOMEM);
	veneer_blockmap_init(&split->map,
			     DIV_ROUND_UP_ULL(below_size, 1ULL << shift));
	split->record.below_size = below_size;
	split->record.flags = VENEER_SPLIT_MAP;
	split->record.block_shift = shift;
	generate_random_uuid(split->record.uuid.b);

	split->record.path = veneer_below_path(inode);
	err = PTR_ERR_OR_ZERO(split->record.path);
	if (err) {
		split->record.path = NULL;
		veneer_split_free(split);
		return ERR_PTR(err);
	}
	return split;
}

/* One class for each depth: the upper may be on a mount of ours. */
static void annotate_lock(const struct inode *inode, struct veneer_split *split)
{
#ifdef CONFIG_LOCKDEP
	static struct lock_class_key key[FILESYSTEM_MAX_STACK_DEPTH];

	lockdep_set_class(&split->flush_lock,
			  &key[inode->i_sb->s_stack_depth - 1]);
#endif
}

/**
 * veneer_split_attach - a file is split from now on
 * @inode: the file, its lock held
 * @split: its state, taken over
 */
void veneer_split_attach(struct inode *inode, struct veneer_split *split)
{
	struct veneer_inode *vi = veneer_inode(inode);

	lockdep_assert_held(&vi->lock);
	annotate_lock(inode, split);
	split->inode = inode;
	/* Pairs with veneer_inode_split(). */
	smp_store_release(&vi->split, split);
}

/**
 * veneer_split_load - read the split state of a file from the disk
 * @inode: the file, its lock held; its record is known to have a map
 *
 * Runs with the mounter's credentials.
 */
int veneer_split_load(struct inode *inode)
{
	struct veneer_inode *vi = veneer_inode(inode);
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	const struct path root = veneer_upper_path(m, m->upper->mnt_root);
	const struct path path = veneer_upper_path(m, vi->upper);
	struct veneer_split *split;
	int ret;

	ret = PTR_ERR_OR_ZERO(veneer_inode_chain(inode));
	if (ret)
		return ret;
	split = split_alloc();
	if (!split)
		return -ENOMEM;

	ret = veneer_record_get(&path, m->options.userxattr, &split->record);
	/* It was there when the name was looked up. */
	if (!ret || (ret > 0 && !(split->record.flags & VENEER_SPLIT_MAP)))
		ret = -ESTALE;
	if (ret > 0)
		ret = veneer_mapfile_load(&root, vi->upper, &split->record,
					  &split->map, &split->map_inode);
	if (ret < 0) {
		veneer_split_free(split);
		return ret;
	}
	veneer_split_attach(inode, split);
	return 0;
}

/* It cannot be opened to write: reading it is another matter. */
static bool may_yet_read(const struct file *file)
{
	return file == ERR_PTR(-EROFS) || file == ERR_PTR(-EACCES) ||
	       file == ERR_PTR(-EPERM) || file == ERR_PTR(-ETXTBSY);
}

static struct file *inner_open(struct inode *inode, int flags)
{
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	const struct path path = veneer_upper_path(m, veneer_upper(inode));
	struct file *file;

	CLASS(veneer_cred, cred)(m->cred);
	file = veneer_real_open(&path, S_IFREG,
				veneer_must_not_wait(m) ? flags | O_NONBLOCK :
							  flags);
	/* What we move does not count as a change. */
	if (!IS_ERR(file))
		file->f_mode |= FMODE_NOCMTIME;
	return file;
}

/**
 * veneer_inner_get_to_write - the upper's file, for the kernel itself to write
 * @inode: a file that has an upper
 *
 * Writing through it moves no timestamp.
 *
 * Return: the file with a reference, for fput(); or an ERR_PTR().
 */
struct file *veneer_inner_get_to_write(struct inode *inode)
{
	struct veneer_kept *kept = &veneer_inode(inode)->inner;
	struct file *file = veneer_kept_get(kept);

	if (file)
		return file;
	file = inner_open(inode, O_RDWR);
	return IS_ERR(file) ? file : veneer_kept_add(kept, inode->i_sb, file);
}

/**
 * veneer_inner_get - the upper's file, for the kernel itself to read and sync
 * @inode: a file that has an upper
 *
 * Return: the file with a reference, for fput(); or an ERR_PTR().
 */
struct file *veneer_inner_get(struct inode *inode)
{
	struct file *file = veneer_inner_get_to_write(inode);

	/* Not kept: it may soon be writable again. */
	if (may_yet_read(file))
		file = inner_open(inode, O_RDONLY);
	return file;
}

/**
 * veneer_inner_drop - close the upper's file until it is needed again
 * @inode: a regular file
 *
 * An open one would keep the upper's filesystem from being made read-only.
 */
void veneer_inner_drop(struct inode *inode)
{
	veneer_kept_drop(&veneer_inode(inode)->inner);
}

static int split_begin(struct inode *inode, struct veneer_split *split,
		       loff_t pos, loff_t len)
{
	int err = veneer_split_reserve(inode, pos, len);

	return err ? : veneer_bring_edges(inode, split, pos, len);
}

/**
 * veneer_split_begin - bytes of the upper are about to be written
 * @inode: the file, its i_rwsem held for writing
 * @pos: where they begin
 * @len: how many
 *
 * Fills what will be written in part.  Nothing to do for a file that is whole.
 */
int veneer_split_begin(struct inode *inode, loff_t pos, loff_t len)
{
	struct veneer_split *split = veneer_inode_split(inode);

	return split ? split_begin(inode, split, pos, len) : 0;
}

/**
 * veneer_split_complete_part - what of a write that stopped early can count
 * @inode: the file, its i_rwsem held for writing
 * @pos: where the bytes begin
 * @done: how many of them were written
 *
 * Return: how many bytes there are up to a place behind which nothing has to be
 * filled from below.  That can be 0: then it helps to begin again with @done
 * bytes, of which veneer_split_begin() knows.
 */
ssize_t veneer_split_complete_part(struct inode *inode, loff_t pos,
				   ssize_t done)
{
	struct veneer_split *split = veneer_inode_split(inode);
	const loff_t end = pos + done;
	u8 shift;

	if (!split || veneer_is_whole(inode) ||
	    end >= veneer_below_size(split))
		return done;
	shift = split->record.block_shift;
	if (!(end & ((1LL << shift) - 1)) ||
	    veneer_blockmap_test(&split->map, end >> shift))
		return done;
	return max_t(loff_t, round_down(end, 1LL << shift) - pos, 0);
}

static ssize_t split_end(struct inode *inode, struct veneer_split *split,
			 loff_t pos, loff_t len, ssize_t done)
{
	const loff_t below_size = split->record.below_size;
	const u8 shift = split->record.block_shift;
	int err;

	if (done <= 0 || pos >= below_size)
		return done;
	/* What it stopped within is not filled here: that may take long. */
	if (done < len)
		done = veneer_split_complete_part(inode, pos, done);
	if (!done)
		return 0;
	err = veneer_mark_blocks(inode, split, pos >> shift,
				 (min(pos + done, below_size) - 1) >> shift);
	return err ? : done;
}

/**
 * veneer_split_end - bytes of the upper have been written
 * @inode: the file, its i_rwsem held for writing
 * @pos: as for veneer_split_begin()
 * @len: likewise
 * @done: how many of them were written, or a negative error
 *
 * Return: how many of them count as written, or a negative error.  With 0 for
 * some that were written, it helps to begin again with those: see
 * veneer_split_complete_part().
 */
ssize_t veneer_split_end(struct inode *inode, loff_t pos, loff_t len,
			 ssize_t done)
{
	struct veneer_split *split = veneer_inode_split(inode);

	if (!split || done <= 0 || veneer_is_whole(inode))
		return done;
	mutex_lock(&veneer_inode(inode)->io_lock);
	done = split_end(inode, split, pos, len, done);
	mutex_unlock(&veneer_inode(inode)->io_lock);
	return done;
}

/**
 * veneer_split_write_folio - write a folio of the mount's page cache to the upper
 * @inode: the file, which has an upper
 * @folio: the folio, under writeback or beyond the end of the file
 * @len: how much of it is within the file, or will be
 *
 * Return: a negative error, or else something positive.  %-EBUSY when somebody
 * has a lease on the upper's file, and the caller must not wait for him.
 */
ssize_t veneer_split_write_folio(struct inode *inode, struct folio *folio,
				 size_t len)
{
	struct veneer_split *split = veneer_inode_split(inode);
	struct veneer_inode *vi = veneer_inode(inode);
	const loff_t pos = folio_pos(folio);
	struct file *inner;
	struct bio_vec bvec;
	struct iov_iter iter;
	loff_t at = pos;
	ssize_t ret;

	CLASS(veneer_cred, cred)(veneer_pages_cred(inode));
	inner = veneer_inner_get_to_write(inode);
	if (IS_ERR(inner))
		return inner == ERR_PTR(-EAGAIN) ? -EBUSY : PTR_ERR(inner);
	bvec_set_folio(&bvec, folio, len, 0);
	iov_iter_bvec(&iter, ITER_SOURCE, &bvec, 1, len);

	ret = split ? split_begin(inode, split, pos, len) : 0;
	if (ret)
		goto out;
	mutex_lock(&vi->io_lock);
	while (iov_iter_count(&iter)) {
		ret = veneer_own_write_iter(inner, &iter, &at);
		if (ret <= 0)
			break;
	}
	if (!ret)
		ret = -EIO;
	if (split && at > pos) {
		ssize_t done = split_end(inode, split, pos, len, at - pos);

		if (done < 0)
			ret = done;
	}
	mutex_unlock(&vi->io_lock);
out:
	fput(inner);
	return ret;
}

/**
 * veneer_split_reserve - see to it that blocks can be marked later
 * @inode: the file
 * @pos: where they begin
 * @len: how many bytes
 */
int veneer_split_reserve(struct inode *inode, loff_t pos, loff_t len)
{
	struct veneer_split *split = veneer_inode_split(inode);
	loff_t below_size, end;

	if (!split)
		return 0;
	below_size = veneer_below_size(split);
	if (pos >= below_size)
		return 0;
	end = min(pos + len, below_size);
	return veneer_blockmap_reserve(&split->map,
				       pos >> split->record.block_shift,
				       (end - 1) >> split->record.block_shift);
}

