// SPDX-License-Identifier: GPL-2.0-only
/*
 * Split: a regular file with some blocks in the upper and the rest below.
 *
 * How blocks get into the upper.  A block that is written in part is filled
 * from below first, and its bit set: that changes nothing for a reader.  A
 * block that is written all over gets its bit when its new bytes are there.
 * Saving the bits is in flush.c.
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
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "apart.h"
#include "chain.h"
#include "compat.h"
#include "inode.h"
#include "log.h"
#include "mapfile.h"
#include "real.h"
#include "save.h"
#include "split.h"
#include "writer.h"

#define FILL_CHUNK	SZ_256K

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
	file = veneer_real_open(&path, S_IFREG, flags);
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

/* Copies bytes from below to the same place in the upper; io_lock is held. */
static int copy_from_below(struct inode *inode, loff_t pos, loff_t end)
{
	struct veneer_chain *chain = veneer_inode_chain(inode);
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	const size_t room = min(end - pos, (loff_t)FILL_CHUNK);
	struct file *inner;
	void *buf;
	int err = 0;

	buf = kvmalloc(room, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	inner = veneer_inner_get_to_write(inode);
	if (IS_ERR(inner)) {
		kvfree(buf);
		return PTR_ERR(inner);
	}

	CLASS(veneer_cred, cred)(veneer_writer_cred(m));
	while (pos < end && !err) {
		size_t len = min(end - pos, (loff_t)room);

		err = veneer_chain_read(chain, buf, len, pos);
		if (!err)
			err = write_all(inner, buf, len, pos);
		if (!err)
			veneer_count(m, bytes_copied, len);
		pos += len;
	}
	fput(inner);
	kvfree(buf);
	return err;
}

static void set_blocks(struct inode *inode, struct veneer_split *split,
		       u64 first, u64 last)
{
	if (veneer_blockmap_set(&split->map, first, last))
		veneer_save_later(inode);
}

/* Fills one block from below if it is not there; io_lock is held. */
static int fill_block(struct inode *inode, struct veneer_split *split, u64 block)
{
	const u8 shift = split->record.block_shift;
	const loff_t start = (loff_t)block << shift;
	int err;

	if (veneer_blockmap_test(&split->map, block))
		return 0;
	err = copy_from_below(inode, start,
			      min_t(loff_t, start + (1LL << shift),
				    split->record.below_size));
	if (!err) {
		set_blocks(inode, split, block, block);
		veneer_count(veneer_mount(inode->i_sb), blocks_copied, 1);
	}
	return err;
}

static int split_begin(struct inode *inode, struct veneer_split *split,
		       loff_t pos, loff_t len)
{
	const loff_t below_size = split->record.below_size;
	const u8 shift = split->record.block_shift;
	const loff_t mask = (1LL << shift) - 1;
	const loff_t end = pos + len;
	u64 first, last;
	int err;

	if (pos >= below_size || !len)
		return 0;
	first = pos >> shift;
	last = (min(end, below_size) - 1) >> shift;
	err = veneer_blockmap_reserve(&split->map, first, last);
	if (!err && (pos & mask))
		err = fill_block(inode, split, first);
	if (!err && (end & mask) && end < below_size)
		err = fill_block(inode, split, last);
	return err;
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
	int err;

	if (!split)
		return 0;
	mutex_lock(&veneer_inode(inode)->io_lock);
	err = split_begin(inode, split, pos, len);
	mutex_unlock(&veneer_inode(inode)->io_lock);
	return err;
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

	if (!split || end >= veneer_below_size(split))
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
	const loff_t mask = (1LL << shift) - 1;
	loff_t end = pos + done;
	int err;

	if (done <= 0 || pos >= below_size)
		return done;

	/* Stopped within a block that was to be written all over? */
	if (done < len && (end & mask) && end < below_size &&
	    !veneer_blockmap_test(&split->map, end >> shift)) {
		err = copy_from_below(inode, end,
				      min(below_size, (end | mask) + 1));
		if (err)
			end = round_down(end, mask + 1);
		if (end <= pos)
			return err;
	}
	set_blocks(inode, split, pos >> shift,
		   (min(end, below_size) - 1) >> shift);
	return end - pos;
}

/**
 * veneer_split_end - bytes of the upper have been written
 * @inode: the file, its i_rwsem held for writing
 * @pos: as for veneer_split_begin()
 * @len: likewise
 * @done: how many of them were written, or a negative error
 *
 * Return: how many of them count as written, or a negative error.
 */
ssize_t veneer_split_end(struct inode *inode, loff_t pos, loff_t len,
			 ssize_t done)
{
	struct veneer_split *split = veneer_inode_split(inode);

	if (!split || done <= 0)
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
 * Return: a negative error, or else something positive.
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
		return PTR_ERR(inner);
	bvec_set_folio(&bvec, folio, len, 0);
	iov_iter_bvec(&iter, ITER_SOURCE, &bvec, 1, len);

	mutex_lock(&vi->io_lock);
	ret = split ? split_begin(inode, split, pos, len) : 0;
	if (!ret) {
		while (iov_iter_count(&iter)) {
			ret = veneer_own_write_iter(inner, &iter, &at);
			if (ret <= 0)
				break;
		}
		if (!ret)
			ret = -EIO;
		if (split && at > pos) {
			ssize_t done = split_end(inode, split, pos, len,
						 at - pos);

			if (done < 0)
				ret = done;
		}
	}
	mutex_unlock(&vi->io_lock);
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

/* Where the blocks can be shared on the disk, copying them is not needed. */
static bool clone_blocks(struct inode *inode, loff_t pos, loff_t end)
{
	struct veneer_chain *chain = veneer_inode_chain(inode);
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	struct file *inner, *from;
	unsigned int link;
	loff_t run, ret = 0;

	inner = veneer_inner_get_to_write(inode);
	if (IS_ERR(inner))
		return false;
	link = veneer_chain_source(chain, pos, end - pos, &run);
	from = veneer_chain_file(chain, link);
	if (run == end - pos && !IS_ERR(from) &&
	    file_inode(from)->i_sb == file_inode(inner)->i_sb &&
	    inner->f_op->remap_file_range) {
		CLASS(veneer_cred, cred)(veneer_writer_cred(m));

		ret = vfs_clone_file_range(from, pos, inner, pos, run, 0);
	}
	if (!IS_ERR(from))
		fput(from);
	fput(inner);
	return ret == end - pos;
}

/* Where does a hole that begins at @pos end?  @pos itself when there is none. */
static loff_t hole_end(struct file *file, loff_t pos, loff_t end)
{
	loff_t data = vfs_llseek(file, pos, SEEK_DATA);

	if (data == -ENXIO)
		return end;
	return data < 0 ? pos : min(data, end);
}

/*
 * Whole blocks that are a hole below, and in the upper, too: they need only be
 * marked.  How far do they reach from @pos?
 */
static loff_t common_hole(struct inode *inode, struct veneer_split *split,
			  loff_t pos, loff_t end)
{
	struct veneer_chain *chain = veneer_inode_chain(inode);
	struct file *inner, *from;
	unsigned int link;
	loff_t run;

	link = veneer_chain_source(chain, pos, end - pos, &run);
	from = veneer_chain_file(chain, link);
	if (IS_ERR(from))
		return pos;
	end = hole_end(from, pos, pos + run);
	fput(from);
	inner = veneer_inner_get(inode);
	if (IS_ERR(inner))
		return pos;
	if (end > pos)
		end = hole_end(inner, pos, end);
	fput(inner);
	return max_t(loff_t, pos, round_down(end,
					     1LL << split->record.block_shift));
}

/**
 * veneer_split_refill - give blocks below's bytes once more
 * @inode: the file, its i_rwsem held for writing, and its io_lock
 * @pos: where they begin; moves on, maybe not all the way
 * @end: where they end, at most where below does
 *
 * For blocks that are in the map, but of which the upper has no data.
 */
int veneer_split_refill(struct inode *inode, loff_t *pos, loff_t end)
{
	struct veneer_split *split = veneer_inode_split(inode);
	loff_t hole = common_hole(inode, split, *pos, end);
	int err;

	if (hole > *pos) {
		*pos = hole;
		return 0;
	}
	end = min(end, *pos + FILL_CHUNK);
	err = copy_from_below(inode, *pos, end);
	if (!err)
		*pos = end;
	return err;
}

/* Fills blocks from below, up to FILL_CHUNK bytes of them; holes as holes. */
static int fill_some(struct inode *inode, struct veneer_split *split,
		     loff_t *pos, loff_t end)
{
	const u8 shift = split->record.block_shift;
	u64 first, next;
	loff_t from, to, hole;
	int err = 0;

	end = min_t(loff_t, end, split->record.below_size);
	if (*pos >= end)
		return 0;
	first = *pos >> shift;
	if (veneer_blockmap_run(&split->map, first, (end - 1) >> shift, &next)) {
		*pos = next << shift;
		return 1;
	}
	from = (loff_t)first << shift;
	to = min_t(loff_t, next << shift, split->record.below_size);
	hole = common_hole(inode, split, from, to);
	if (hole > from) {
		to = hole;
		err = veneer_blockmap_reserve(&split->map, first,
					      (to - 1) >> shift);
	} else if (!clone_blocks(inode, from, to)) {
		to = min(to, from + max_t(loff_t, FILL_CHUNK, 1LL << shift));
		err = veneer_blockmap_reserve(&split->map, first,
					      (to - 1) >> shift);
		if (!err)
			err = copy_from_below(inode, from, to);
		if (!err)
			veneer_count(veneer_mount(inode->i_sb), blocks_copied,
				     ((to - 1) >> shift) - first + 1);
	} else {
		err = veneer_blockmap_reserve(&split->map, first,
					      (to - 1) >> shift);
	}
	if (err)
		return err;
	set_blocks(inode, split, first, (to - 1) >> shift);
	*pos = to;
	return 1;
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
	const loff_t end = pos + len;
	int ret = 1;

	if (!split)
		return 0;
	while (ret > 0) {
		if (fatal_signal_pending(current))
			return -EINTR;
		mutex_lock(&veneer_inode(inode)->io_lock);
		ret = fill_some(inode, split, &pos, end);
		mutex_unlock(&veneer_inode(inode)->io_lock);
		cond_resched();
	}
	return ret;
}
