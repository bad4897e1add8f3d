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

/* What is cloned or marked in one step, without a look at signals. */
#define DATA_STEP	((loff_t)1 << 40)

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

static int set_blocks(struct inode *inode, struct veneer_split *split,
		      u64 first, u64 last)
{
	u64 fresh;
	int err = veneer_blockmap_set(&split->map, first, last, &fresh);

	if (fresh)
		veneer_save_later(inode);
	return err;
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
			      min_t(u64, (u64)start + (1ULL << shift),
				    split->record.below_size));
	if (!err)
		err = set_blocks(inode, split, block, block);
	if (!err)
		veneer_count(veneer_mount(inode->i_sb), blocks_copied, 1);
	return err;
}

/* Fills what a change from @pos on touches in part; io_lock is held. */
static int fill_edges(struct inode *inode, struct veneer_split *split,
		      loff_t pos, loff_t len)
{
	const loff_t below_size = split->record.below_size;
	const u8 shift = split->record.block_shift;
	const loff_t mask = (1LL << shift) - 1;
	const loff_t end = pos + len;
	int err = 0;

	if (pos >= below_size || !len)
		return 0;
	if (pos & mask)
		err = fill_block(inode, split, pos >> shift);
	if (!err && (end & mask) && end < below_size)
		err = fill_block(inode, split, (end - 1) >> shift);
	return err;
}

static int split_begin(struct inode *inode, struct veneer_split *split,
		       loff_t pos, loff_t len)
{
	int err = veneer_split_reserve(inode, pos, len);

	return err ? : fill_edges(inode, split, pos, len);
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
	int err;

	if (!split)
		return 0;
	mutex_lock(&veneer_inode(inode)->io_lock);
	err = fill_edges(inode, split, pos, len);
	mutex_unlock(&veneer_inode(inode)->io_lock);
	return err;
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
				      min_t(u64, below_size,
					    (u64)(end | mask) + 1));
		if (err)
			end = round_down(end, mask + 1);
		if (end <= pos)
			return err;
	}
	err = set_blocks(inode, split, pos >> shift,
			 (min(end, below_size) - 1) >> shift);
	return err ? : end - pos;
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
 * For blocks that are in the map, but of which the upper has no data.
 */
int veneer_split_refill(struct inode *inode, loff_t *pos, loff_t end)
{
	struct veneer_split *split = veneer_inode_split(inode);
	loff_t hole = end;
	int err;

	if (is_common_hole(inode, split, *pos, &hole)) {
		*pos = hole;
		return 0;
	}
	end = *pos + min(end - *pos, (loff_t)FILL_CHUNK);
	err = copy_from_below(inode, *pos, end);
	if (!err)
		*pos = end;
	return err;
}

/* What a step through a range finds.  The next one may find more. */
enum step {
	STEP_ON,		/* nothing */
	STEP_FOUND,		/* something */
	STEP_END,		/* nothing, up to the end of the range */
};

/*
 * The next blocks from *@pos up to @end that are not in the map and may have
 * bytes, from there on up to *@to; io_lock is held.
 *
 * Return: what of &enum step it is; *@pos has moved.
 */
static enum step next_missing(struct inode *inode, struct veneer_split *split,
			      loff_t *pos, loff_t end, loff_t *to)
{
	const u8 shift = split->record.block_shift;
	u64 first, next;

	end = min_t(loff_t, end, split->record.below_size);
	if (*pos >= end)
		return STEP_END;
	first = *pos >> shift;
	if (veneer_blockmap_run(&split->map, first, (end - 1) >> shift, &next)) {
		*pos = min_t(u64, next << shift, end);
		return STEP_ON;
	}
	*pos = (loff_t)first << shift;
	*to = min_t(u64, next << shift, split->record.below_size);
	if (is_common_hole(inode, split, *pos, to)) {
		*pos = *to;
		return STEP_ON;
	}
	return STEP_FOUND;
}

/* Fills some blocks from below; holes as holes.  STEP_END, or 0, or an error. */
static int fill_some(struct inode *inode, struct veneer_split *split,
		     loff_t *pos, loff_t end)
{
	const u8 shift = split->record.block_shift;
	loff_t to;
	int ret = next_missing(inode, split, pos, end, &to);

	if (ret != STEP_FOUND)
		return ret;
	ret = 0;
	if (!clone_blocks(inode, *pos, to)) {
		to = *pos + min(to - *pos,
				max_t(loff_t, FILL_CHUNK, 1LL << shift));
		ret = copy_from_below(inode, *pos, to);
		if (!ret)
			veneer_count(veneer_mount(inode->i_sb), blocks_copied,
				     ((to - 1) >> shift) - (*pos >> shift) + 1);
	}
	if (!ret)
		ret = set_blocks(inode, split, *pos >> shift,
				 (to - 1) >> shift);
	*pos = to;
	return ret;
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
	ret = set_blocks(inode, split, *pos >> shift, (to - 1) >> shift);
	*pos = to;
	return ret;
}

typedef int some_fn(struct inode *inode, struct veneer_split *split,
		    loff_t *pos, loff_t end);

/*
 * Goes through a range in steps, with io_lock held for one at a time: write-back
 * waits for it.
 */
static int step_by_step(struct inode *inode, some_fn *some, loff_t pos,
			loff_t end)
{
	struct veneer_split *split = veneer_inode_split(inode);
	int ret = 0;

	while (!ret) {
		if (fatal_signal_pending(current))
			return -EINTR;
		mutex_lock(&veneer_inode(inode)->io_lock);
		ret = some(inode, split, &pos, end);
		mutex_unlock(&veneer_inode(inode)->io_lock);
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
	return veneer_inode_split(inode) ?
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

	if (!split)
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
