// SPDX-License-Identifier: GPL-2.0-only
/*
 * Flush: how block maps and records get to the disk.
 *
 * The order that makes a power cut harmless: take a copy of the bits, make the
 * upper's data durable, write the bits, make the map durable.  So a bit on the
 * disk always has its data on the disk; a block whose bit was lost shows
 * below's bytes, as if the write had not reached the disk.  A map without bits
 * may be there any time.
 *
 * Truncation has an order, too.  The record says first, and durably, that the
 * file is being cut; then the upper shrinks; then the record forgets it.  A
 * mount that finds a record of the first kind finishes the cut.
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat.h"
#include "flush.h"
#include "inode.h"
#include "log.h"
#include "mapfile.h"
#include "marks.h"
#include "real.h"
#include "rewrite.h"
#include "save.h"
#include "split.h"
#include "wberr.h"

/**
 * veneer_pieces_free - forget copies of pieces
 * @pieces: may be %NULL
 */
void veneer_pieces_free(struct veneer_pieces *pieces)
{
	for (unsigned int i = 0; pieces && i < pieces->nr; i++)
		kfree(pieces->bytes[i]);
	kfree(pieces);
}

/**
 * veneer_pieces_copy - copy pieces of a map that are to be saved
 * @inode: the file
 * @split: its state, flush_lock held
 *
 * Return: the copies, maybe of not all of them and of none when none has
 * changed; %NULL without memory.
 */
struct veneer_pieces *veneer_pieces_copy(struct inode *inode,
					 struct veneer_split *split)
{
	struct veneer_pieces *pieces = kzalloc(sizeof(*pieces), GFP_KERNEL);
	unsigned long index = 0, room = VENEER_FULL_PIECES;

	if (!pieces)
		return NULL;
	mutex_lock(&veneer_inode(inode)->io_lock);
	while (pieces->nr < VENEER_PIECES && room) {
		void *bytes = kmalloc(VENEER_CHUNK_BYTES, GFP_KERNEL);
		unsigned long times = 0;

		if (bytes)
			times = veneer_blockmap_copy_dirty(&split->map, &index,
							   room, bytes);
		if (!times) {
			kfree(bytes);
			break;
		}
		pieces->bytes[pieces->nr] = bytes;
		pieces->times[pieces->nr] = times;
		pieces->index[pieces->nr++] = index;
		index += times;
		room -= times;
	}
	mutex_unlock(&veneer_inode(inode)->io_lock);
	if (!pieces->nr && veneer_blockmap_dirty(&split->map)) {
		veneer_pieces_free(pieces);
		return NULL;
	}
	return pieces;
}

/* Writes @bytes as each of the pieces that an entry stands for. */
static int write_entry(struct file *file, struct veneer_split *split,
		       const struct veneer_pieces *pieces, unsigned int i,
		       const void *bytes)
{
	int err = 0;

	for (unsigned long n = 0; n < pieces->times[i] && !err; n++) {
		err = veneer_mapfile_write(file, split->record.block_shift,
					   &split->map, pieces->index[i] + n,
					   bytes);
		cond_resched();
	}
	return err;
}

/**
 * veneer_pieces_write - write pieces of a map, not durably
 * @file: the map's file
 * @split: the split state, flush_lock held
 * @pieces: the pieces, whose data is durable
 */
int veneer_pieces_write(struct file *file, struct veneer_split *split,
			const struct veneer_pieces *pieces)
{
	int err = 0;

	for (unsigned int i = 0; i < pieces->nr && !err; i++)
		err = write_entry(file, split, pieces, i, pieces->bytes[i]);
	return err;
}

static int sync_data(struct inode *inode, struct file *real)
{
	if (veneer_mount(inode->i_sb)->options.is_volatile)
		return 0;
	return veneer_wberr_fsync(inode, real, 0, LLONG_MAX, 0);
}

static int sync_map(struct veneer_mount *m, struct file *map, int datasync)
{
	return m->options.is_volatile ? 0 : vfs_fsync(map, datasync);
}

static int set_record(struct inode *inode, const struct veneer_record *record)
{
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	const struct path path = veneer_upper_path(m, veneer_upper(inode));
	int err = mnt_want_write(m->upper);

	if (err)
		return err;
	err = veneer_record_set(&path, m->options.userxattr, record);
	mnt_drop_write(m->upper);
	return err;
}

/**
 * veneer_pieces_saved - pieces of a map are durable
 * @inode: the file
 * @split: its state, flush_lock held, not finished
 * @pieces: the pieces
 *
 * Runs with the mounter's credentials.
 */
int veneer_pieces_saved(struct inode *inode, struct veneer_split *split,
			const struct veneer_pieces *pieces)
{
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	struct veneer_record record = split->record;
	int err = 0;

	/*
	 * A map that is not there was never saved, until here.  Nobody waits
	 * for this on the disk: a map that is there counts all the same.
	 */
	if (!(record.flags & VENEER_SPLIT_SAVED)) {
		record.flags |= VENEER_SPLIT_SAVED;
		err = set_record(inode, &record);
		if (err)
			return err;
		split->record.flags = record.flags;
	}
	split->saves++;
	veneer_count(m, map_flushes, 1);
	mutex_lock(&veneer_inode(inode)->io_lock);
	for (unsigned int i = 0; i < pieces->nr && !err; i++) {
		err = veneer_blockmap_saved(&split->map, pieces->index[i],
					    pieces->times[i], pieces->bytes[i]);
		veneer_count(m, map_bits, pieces->times[i] *
			     memweight(pieces->bytes[i], VENEER_CHUNK_BYTES));
	}
	mutex_unlock(&veneer_inode(inode)->io_lock);
	return err;
}

/* The pieces' places in a new map, without a bit. */
static int write_places(struct file *map, struct veneer_split *split,
			const struct veneer_pieces *pieces)
{
	void *zeros = kzalloc(VENEER_CHUNK_BYTES, GFP_KERNEL);
	int err = zeros ? 0 : -ENOMEM;

	for (unsigned int i = 0; i < pieces->nr && !err; i++)
		err = write_entry(map, split, pieces, i, zeros);
	kfree(zeros);
	return err;
}

/*
 * The map to save pieces in.  A new one gets its name at once, and not before it
 * is at the disk, so that whatever makes the name durable has that, too: the
 * commit for the data, which then is the only one.
 */
static int get_map(struct veneer_mount *m, struct veneer_split *split,
		   const struct veneer_pieces *pieces, struct file **map)
{
	struct dentry *temp;
	int err = veneer_mapfile_get(m, split, &temp, map);

	if (err || !temp)
		return err;
	err = write_places(*map, split, pieces);
	if (!err && !m->options.is_volatile)
		err = filemap_write_and_wait((*map)->f_mapping);
	if (err)
		veneer_mapfile_discard(m, temp);
	else
		err = veneer_mapfile_install(m, split, temp);
	split->saves += !err;
	if (err) {
		__fput_sync(*map);
		*map = NULL;
	}
	return err;
}

/*
 * The second step for a map that was never saved: it is to be found from then on.
 * One whose header may not be on the disk is made once more.
 */
static int sync_name(struct veneer_mount *m, struct veneer_split *split,
		     struct file *map)
{
	int err;

	if (split->record.flags & VENEER_SPLIT_SAVED)
		return 0;
	err = sync_map(m, map, 0);
	if (err && !veneer_mapfile_remove(m, &split->record))
		veneer_mapfile_forget(split);
	return err;
}

/* Writes pieces of the map, and makes them durable. */
static int save_pieces(struct inode *inode, struct veneer_split *split,
		       const struct veneer_pieces *pieces, struct file *map)
{
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	int err = veneer_pieces_write(map, split, pieces);

	/* All but the bits is durable. */
	if (!err)
		err = sync_map(m, map, 1);
	return err ? : veneer_pieces_saved(inode, split, pieces);
}

/* All blocks are there, durably: the record and the map have no use any more. */
static int finish(struct inode *inode, struct veneer_split *split,
		  struct file *inner)
{
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	const struct path path = veneer_upper_path(m, veneer_upper(inode));
	int err;

	err = mnt_want_write(m->upper);
	if (err)
		return err;
	err = veneer_record_remove(&path, m->options.userxattr);
	mnt_drop_write(m->upper);
	/* The record without its map would be an error. */
	if (!err)
		err = sync_data(inode, inner);
	if (err)
		return err;

	split->finished = true;
	mutex_lock(&veneer_inode(inode)->lock);
	veneer_inode_set_whole(inode);
	veneer_count(m, files_whole, 1);
	mutex_unlock(&veneer_inode(inode)->lock);
	/* A map that nobody names is a small loss. */
	err = veneer_mapfile_remove(m, &split->record);
	if (err)
		veneer_err_ratelimited("%pd2: cannot remove block map %pU (error %d)\n",
				       path.dentry, &split->record.uuid, err);
	veneer_mapfile_forget(split);
	return 0;
}

static bool is_complete(struct veneer_split *split)
{
	u64 nr = DIV_ROUND_UP_ULL(veneer_below_size(split),
				  1ULL << split->record.block_shift);
	u64 next = 0;

	if (READ_ONCE(split->filled))
		return true;
	if (READ_ONCE(split->map.set) < nr)
		return false;
	while (next < nr) {
		if (!veneer_blockmap_run(&split->map, next, nr - 1, &next))
			return false;
	}
	return true;
}

/**
 * veneer_split_is_complete - has a split file got its last block?
 * @inode: a regular file
 */
bool veneer_split_is_complete(const struct inode *inode)
{
	struct veneer_split *split = veneer_inode_split(inode);

	return split && !veneer_is_whole(inode) && is_complete(split);
}

/**
 * veneer_split_unsaved - does the disk not know of all blocks yet?
 * @inode: an object of a mount
 */
bool veneer_split_unsaved(const struct inode *inode)
{
	struct veneer_split *split = veneer_inode_split(inode);

	return split && !veneer_is_whole(inode) &&
	       (veneer_blockmap_dirty(&split->map) ||
		READ_ONCE(split->stale) || is_complete(split));
}

/*
 * Says on disk that a cut is over, one way or the other: a mount that still
 * finds it there would finish it, and cut off what was written since.  The size
 * that the upper has must be durable.
 */
static int settle_cut(struct inode *inode, struct veneer_split *split)
{
	int err = set_record(inode, &split->record);

	WRITE_ONCE(split->stale, err);
	if (err)
		veneer_save_later(inode);
	return err;
}

static int settle_durably(struct inode *inode, struct veneer_split *split,
			  struct file *inner)
{
	int err = settle_cut(inode, split);

	if (!err)
		err = sync_data(inode, inner);
	WRITE_ONCE(split->stale, err);
	return err;
}

/*
 * The third and fourth step.  When they fail nothing is lost yet, and they will be
 * tried again; but nobody is to think that all was well.
 */
static int flush_map(struct inode *inode, struct veneer_split *split,
		     struct file *inner, const struct veneer_pieces *pieces,
		     struct file *map, bool complete)
{
	int err = 0;

	if (split->stale && !complete)
		err = settle_durably(inode, split, inner);
	if (!err && complete)
		err = finish(inode, split, inner);
	else if (!err && !VENEER_BREAK_ORDER && map)
		err = save_pieces(inode, split, pieces, map);
	veneer_wberr_set(inode, err);
	return err;
}

static int flush_once(struct inode *inode, struct veneer_split *split,
		      struct file *inner, struct file *real)
{
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	struct veneer_pieces *pieces = veneer_pieces_copy(inode, split);
	bool complete = is_complete(split);
	struct file *map = NULL;
	int err, map_err = 0;

	if (!pieces)
		return -ENOMEM;
	/* Under way while the map is made. */
	if (!m->options.is_volatile)
		filemap_flush(real->f_mapping);
	if (pieces->nr && !complete)
		map_err = get_map(m, split, pieces, &map);
	if (VENEER_BREAK_ORDER && map)
		map_err = save_pieces(inode, split, pieces, map);

	/* Data whose map cannot be saved is worth having all the same. */
	err = sync_data(inode, real);
	if (!err && map)
		map_err = map_err ? : sync_name(m, split, map);
	if (!err) {
		err = map_err;
		veneer_wberr_set(inode, err);
	}
	/* An error of before that nobody had looked for. */
	if (!err && READ_ONCE(split->doubtful))
		err = -EIO;
	if (!err)
		err = flush_map(inode, split, inner, pieces, map, complete);
	if (map)
		__fput_sync(map);
	veneer_pieces_free(pieces);
	return err;
}

/**
 * veneer_split_fsync - make durable what was written to a split file
 * @inode: a regular file
 * @real: a file of the upper to make the data durable with, so that whoever
 *	has it open is told of errors; or %NULL
 *
 * Does nothing, and does not make data durable, when the map is saved.
 *
 * Return: 1 when all data and metadata of the upper's file, as they were at the
 * call, have been made durable, with the map; 0 when the map was saved already;
 * or a negative error, and then the inode is dirty.
 */
int veneer_split_fsync(struct inode *inode, struct file *real)
{
	struct veneer_split *split = veneer_inode_split(inode);
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	struct file *inner;
	bool synced = false;
	int err = 0;

	if (!veneer_split_unsaved(inode))
		return 0;
	inner = veneer_inner_get(inode);
	if (IS_ERR(inner))
		return PTR_ERR(inner);
	{
		CLASS(veneer_cred, cred)(m->cred);

		mutex_lock(&split->flush_lock);
		while (!err && !split->finished && veneer_split_unsaved(inode)) {
			err = veneer_rewrite(inode, inner);
			if (!err)
				err = flush_once(inode, split, inner,
						 real ? : inner);
			synced = true;
			/* A map that is long is saved in many steps. */
			if (!err && real && fatal_signal_pending(current))
				err = -EINTR;
		}
		mutex_unlock(&split->flush_lock);
	}
	fput(inner);
	if (err)
		veneer_flush_failed(inode, err);
	/* The caller may hold what veneer_rewrite() needs. */
	if (err && real && READ_ONCE(split->doubtful))
		veneer_save_soon(m);
	return err ? : synced;
}

/**
 * veneer_split_flush - save what the disk does not know of a file's blocks
 * @inode: a regular file
 * @real: as for veneer_split_fsync(), which this does
 *
 * Return: 0 or a negative error, and then the inode is dirty.
 */
int veneer_split_flush(struct inode *inode, struct file *real)
{
	return min(veneer_split_fsync(inode, real), 0);
}

/**
 * veneer_flush_failed - a map could not be saved: try again later
 * @inode: the file
 * @err: why
 */
void veneer_flush_failed(struct inode *inode, int err)
{
	veneer_save_later(inode);
	veneer_err_ratelimited("%pd2: cannot save its block map (error %d); what was written since is lost if the machine stops now\n",
			       veneer_upper(inode), err);
}

/**
 * veneer_split_cut_begin - the upper of a split file is about to shrink
 * @inode: the file, its i_rwsem held for writing
 * @size: the new size
 *
 * After success veneer_split_cut_end() must be called.
 */
int veneer_split_cut_begin(struct inode *inode, loff_t size)
{
	struct veneer_split *split = veneer_inode_split(inode);
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	struct veneer_record record;
	struct file *inner;
	int err;

	if (!split)
		return 0;
	mutex_lock(&split->flush_lock);
	if (split->finished || size >= split->record.below_size)
		return 0;

	record = split->record;
	record.below_size = size;
	record.flags |= VENEER_SPLIT_CUT;
	inner = veneer_inner_get(inode);
	err = PTR_ERR_OR_ZERO(inner);
	if (!err) {
		CLASS(veneer_cred, cred)(m->cred);

		err = set_record(inode, &record);
		if (!err)
			err = sync_data(inode, inner);
		if (err)
			settle_cut(inode, split);
		fput(inner);
	}
	if (err)
		mutex_unlock(&split->flush_lock);
	return err;
}

/**
 * veneer_split_cut_end - the upper of a split file has shrunk, or has not
 * @inode: as for veneer_split_cut_begin()
 * @size: likewise
 * @err: why it has not, or 0
 *
 * Return: @err, or another negative error.
 */
int veneer_split_cut_end(struct inode *inode, loff_t size, int err)
{
	struct veneer_split *split = veneer_inode_split(inode);
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	struct file *inner;

	if (!split)
		return err;
	if (split->finished || size >= split->record.below_size)
		goto out;
	if (err) {
		CLASS(veneer_cred, cred)(m->cred);

		settle_cut(inode, split);
		goto out;
	}

	/* A reader finds the end of the file before it finds this. */
	mutex_lock(&veneer_inode(inode)->io_lock);
	WRITE_ONCE(split->record.below_size, size);
	mutex_unlock(&veneer_inode(inode)->io_lock);

	inner = veneer_inner_get(inode);
	err = PTR_ERR_OR_ZERO(inner);
	if (!err) {
		CLASS(veneer_cred, cred)(m->cred);

		err = sync_data(inode, inner);
		if (!err)
			err = settle_cut(inode, split);
		fput(inner);
	}
	/* It has been cut all the same; the next flush says that it is over. */
	if (err) {
		WRITE_ONCE(split->stale, true);
		veneer_save_later(inode);
	}
out:
	mutex_unlock(&split->flush_lock);
	return err;
}

/**
 * veneer_split_finish_cut - finish a truncation that a power cut interrupted
 * @m: the mount
 * @upper: the file, which nobody else can have open
 *
 * Runs with the mounter's credentials.
 */
int veneer_split_finish_cut(struct veneer_mount *m, struct dentry *upper)
{
	const struct path path = veneer_upper_path(m, upper);
	const bool userxattr = m->options.userxattr;
	struct veneer_record record;
	struct iattr attr = { .ia_valid = ATTR_SIZE };
	struct file *file;
	int ret;

	ret = veneer_record_get(&path, userxattr, &record);
	if (ret <= 0)
		return ret;
	if (!(record.flags & VENEER_SPLIT_CUT)) {
		kfree(record.path);
		return 0;
	}

	ret = mnt_want_write(m->upper);
	if (ret)
		goto out;
	file = veneer_real_open(&path, S_IFREG, O_RDWR);
	ret = PTR_ERR_OR_ZERO(file);
	if (!ret) {
		attr.ia_size = record.below_size;
		inode_lock(d_inode(upper));
		ret = notify_change(veneer_upper_idmap(m), upper, &attr, NULL);
		inode_unlock(d_inode(upper));
		if (!ret)
			ret = sync_map(m, file, 0);
		record.flags &= ~VENEER_SPLIT_CUT;
		if (!ret)
			ret = veneer_record_set(&path, userxattr, &record);
		__fput_sync(file);
	}
	mnt_drop_write(m->upper);
out:
	kfree(record.path);
	return ret;
}
