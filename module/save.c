// SPDX-License-Identifier: GPL-2.0-only
/*
 * Save: the block maps of all files of a mount at once.
 *
 * The order is that of flush.c: copies of the bits are taken, the data is made
 * durable, the bits are written, the maps are made durable.  Each step is taken
 * for many files before the next one, so what a disk needs for a step, a commit of
 * its journal and a flush of its cache, is needed once and not for every file.
 *
 * No lock of a file is held from one step to the next.  A file whose map
 * somebody else has saved in between is left to veneer_split_flush(), which
 * also does what is rare: files that have become whole, and maps with very many
 * changes.
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "apart.h"
#include "compat.h"
#include "flush.h"
#include "inode.h"
#include "mapfile.h"
#include "save.h"
#include "split.h"
#include "wberr.h"

/* Files of a round: each takes some KiB and two open files until its end. */
#define ROUND	512

/* So many are worth the sync of all that the upper's filesystem has. */
#define MANY	8

/*
 * A file of a round.
 * inode: a reference
 * inner: the upper's file; a reference
 * map: the map's file; a reference, %NULL before it is open
 * temp: the map, as long as it has no name; a reference, or %NULL
 * pieces: what is to be saved of the map
 * saves: veneer_split.saves when the copies were taken
 * err: the first error; then it takes no part any more
 * told: that was one of the data, and all who have the file open are told
 * left: it takes no part any more, and veneer_split_flush() does it
 */
struct member {
	struct list_head	node;
	struct inode		*inode;
	struct file		*inner;
	struct file		*map;
	struct dentry		*temp;
	struct veneer_pieces	*pieces;
	unsigned long		saves;
	int			err;
	bool			told;
	bool			left;
};

/*
 * A round.
 * all: durable is what the whole filesystem of the upper has, since that was
 *	asked for, too
 */
struct round {
	struct veneer_mount	*m;
	struct list_head	members;
	unsigned int		nr;
	bool			all;
};

static bool takes_part(const struct member *member)
{
	return !member->err && !member->left;
}

/* The next one that takes part; the first one after %NULL. */
static struct member *next_part(struct round *round, struct member *member)
{
	member = list_prepare_entry(member, &round->members, node);
	list_for_each_entry_continue(member, &round->members, node) {
		if (takes_part(member))
			return member;
	}
	return NULL;
}

/**
 * veneer_save_later - a file has something that the disk does not know of
 * @inode: the file
 */
void veneer_save_later(struct inode *inode)
{
	struct veneer_split *split = veneer_inode_split(inode);
	struct veneer_mount *m = veneer_mount(inode->i_sb);

	/* Nothing is lost then: see served.c. */
	if (m->served)
		return;
	mark_inode_dirty_sync(inode);
	/* Who takes it off the list looks at the map afterwards. */
	if (!list_empty_careful(&split->unsaved))
		return;
	spin_lock(&m->unsaved_lock);
	if (list_empty(&split->unsaved))
		list_add_tail(&split->unsaved, &m->unsaved);
	spin_unlock(&m->unsaved_lock);
}

/**
 * veneer_save_forget - an inode is about to go
 * @inode: the inode
 */
void veneer_save_forget(struct inode *inode)
{
	struct veneer_split *split = veneer_inode_split(inode);
	struct veneer_mount *m = veneer_mount(inode->i_sb);

	if (!split)
		return;
	spin_lock(&m->unsaved_lock);
	list_del_init(&split->unsaved);
	spin_unlock(&m->unsaved_lock);
}

/* A file of those that are being saved; a reference, or %NULL. */
static struct inode *next_unsaved(struct veneer_mount *m)
{
	struct inode *inode = NULL;

	spin_lock(&m->unsaved_lock);
	while (!inode && !list_empty(&m->saving)) {
		struct veneer_split *split;

		split = list_first_entry(&m->saving, struct veneer_split,
					 unsaved);
		list_del_init(&split->unsaved);
		inode = igrab(split->inode);
	}
	spin_unlock(&m->unsaved_lock);
	return inode;
}

static void copy_member(struct veneer_mount *m, struct member *member)
{
	struct inode *inode = member->inode;
	struct veneer_split *split = veneer_inode_split(inode);

	member->inner = veneer_inner_get(inode);
	if (IS_ERR(member->inner)) {
		member->err = PTR_ERR(member->inner);
		member->inner = NULL;
		return;
	}
	veneer_wberr_take(inode);
	mutex_lock(&split->flush_lock);
	member->left = split->finished || READ_ONCE(split->doubtful) ||
		       veneer_split_is_complete(inode);
	if (!member->left) {
		member->saves = split->saves;
		member->pieces = veneer_pieces_copy(inode, split);
		if (!member->pieces)
			member->err = -ENOMEM;
		else if (!member->pieces->nr)
			member->left = true;
		else
			member->err = veneer_mapfile_get(m, split,
							 &member->temp,
							 &member->map);
	}
	mutex_unlock(&split->flush_lock);
}

/* The first step. */
static void copy_bits(struct round *round)
{
	struct inode *inode;

	while (round->nr < ROUND && (inode = next_unsaved(round->m))) {
		struct member *member;

		if (!veneer_split_unsaved(inode)) {
			iput(inode);
			continue;
		}
		member = kzalloc(sizeof(*member), GFP_KERNEL | __GFP_NOFAIL);
		member->inode = inode;
		list_add_tail(&member->node, &round->members);
		round->nr++;
		copy_member(round->m, member);
		cond_resched();
	}
}

/*
 * All of the upper's filesystem.  xfs leaves it in the disk's cache when its log
 * is clean, as after blocks were overwritten; to fsync one file flushes that.
 * What has failed of that file alone is not for the others: *@own.
 */
static int sync_upper(struct veneer_mount *m, struct file *one, int *own)
{
	struct super_block *sb = m->upper->mnt_sb;
	int err;

	down_read(&sb->s_umount);
	err = sync_filesystem(sb);
	up_read(&sb->s_umount);
	*own = file_check_and_advance_wb_err(one);
	return err ? : vfs_fsync(one, 1);
}

/* What a sync of the filesystem has to say of a map. */
static int map_written(const struct member *member)
{
	return file_check_and_advance_wb_err(member->map);
}

/* The second step, with the headers of new maps. */
static void sync_data(struct round *round)
{
	struct member *member = next_part(round, NULL);
	int err, own;

	if (!member)
		return;
	if (round->all) {
		/* Data has its errors from the upper's mapping: @own, too. */
		err = sync_upper(round->m, member->inner, &own);
		for (; member; member = next_part(round, member)) {
			member->err = veneer_wberr_synced(member->inode, err);
			member->told = member->err;
			if (!member->err && member->temp)
				member->err = map_written(member);
		}
		return;
	}

	/* Under way all at once, and waited for one after the other. */
	for (; member; member = next_part(round, member)) {
		filemap_flush(member->inner->f_mapping);
		if (member->temp)
			filemap_flush(member->map->f_mapping);
	}
	/* What is at the disk by then needs no commit of its own. */
	while ((member = next_part(round, member))) {
		if (member->temp)
			filemap_write_and_wait(member->map->f_mapping);
	}
	while ((member = next_part(round, member))) {
		member->err = veneer_wberr_fsync(member->inode, member->inner,
						 0, LLONG_MAX, 0);
		member->told = member->err;
		if (!member->err && member->temp)
			member->err = vfs_fsync(member->map, 0);
	}
}

static void write_map(struct veneer_mount *m, struct member *member)
{
	struct veneer_split *split = veneer_inode_split(member->inode);

	mutex_lock(&split->flush_lock);
	if (split->finished || split->saves != member->saves ||
	    READ_ONCE(split->doubtful)) {
		member->left = true;
	} else if (member->temp) {
		member->err = veneer_mapfile_install(m, split, member->temp);
		member->temp = NULL;
		split->saves += !member->err;
	}
	if (takes_part(member))
		member->err = veneer_pieces_write(member->map, split,
						  member->pieces);
	mutex_unlock(&split->flush_lock);
}

/* The third step. */
static void write_maps(struct round *round)
{
	struct member *member = NULL;

	while ((member = next_part(round, member))) {
		write_map(round->m, member);
		cond_resched();
	}
}

/* The fourth step. */
static void sync_maps(struct round *round)
{
	struct member *member = next_part(round, NULL);
	int err, own;

	if (!member)
		return;
	if (round->all) {
		err = sync_upper(round->m, member->map, &own);
		member->err = own;
		for (; member; member = next_part(round, member))
			member->err = member->err ? : map_written(member) ? :
				      err;
		return;
	}
	for (; member; member = next_part(round, member))
		filemap_flush(member->map->f_mapping);
	while ((member = next_part(round, member)))
		member->err = vfs_fsync(member->map, 0);
}

/* And that is noted.  What was added to a map in between stays to be saved. */
static void note_saved(struct round *round)
{
	struct member *member = NULL;

	while ((member = next_part(round, member))) {
		struct veneer_split *split = veneer_inode_split(member->inode);

		mutex_lock(&split->flush_lock);
		/* An fsync that failed has removed it: what is in it is unsaved. */
		if (split->map_inode != file_inode(member->map))
			member->left = true;
		else if (!split->finished)
			member->err = veneer_pieces_saved(member->inode, split,
							  member->pieces);
		mutex_unlock(&split->flush_lock);
	}
}

static void close_files(struct veneer_mount *m, struct member *member)
{
	if (member->temp)
		veneer_mapfile_discard(m, member->temp);
	if (member->map)
		__fput_sync(member->map);
	if (member->inner)
		__fput_sync(member->inner);
	veneer_pieces_free(member->pieces);
}

/* Those that are left, and what has failed.  Returns the first error. */
static int finish_round(struct round *round)
{
	struct member *member, *next;
	int err = 0;

	list_for_each_entry_safe(member, next, &round->members, node) {
		struct inode *inode = member->inode;

		close_files(round->m, member);
		/* Somebody has a lease: it is broken, and there is a next time. */
		if (member->err && !member->told && member->err != -EAGAIN)
			veneer_wberr_set(inode, member->err);
		if (member->err)
			veneer_flush_failed(inode, member->err);
		else if (veneer_split_unsaved(inode))
			member->err = veneer_split_flush(inode, NULL);
		/* Clean as it is, it need not stay in memory. */
		if (!member->err)
			sync_inode_metadata(inode, 0);
		err = err ? : member->err;
		list_del(&member->node);
		kfree(member);
		iput(inode);
		cond_resched();
	}
	return err;
}

static int save_round(struct veneer_mount *m, bool all)
{
	struct round round = {
		.m		= m,
		.members	= LIST_HEAD_INIT(round.members),
	};

	copy_bits(&round);
	round.all = all && round.nr >= MANY;
	if (!VENEER_BREAK_ORDER)
		sync_data(&round);
	write_maps(&round);
	sync_maps(&round);
	note_saved(&round);
	if (VENEER_BREAK_ORDER)
		sync_data(&round);
	return finish_round(&round);
}

/*
 * Whoever writes meanwhile puts files on the list: also those that are taken off
 * here, which would be in one round twice, and the rounds would have no end.
 */
static bool begin_to_save(struct veneer_mount *m)
{
	bool any;

	spin_lock(&m->unsaved_lock);
	list_splice_tail_init(&m->unsaved, &m->saving);
	any = !list_empty(&m->saving);
	spin_unlock(&m->unsaved_lock);
	return any;
}

static int save_all(struct veneer_mount *m, bool all)
{
	bool more;
	int err = 0;

	CLASS(veneer_cred, cred)(m->cred);
	mutex_lock(&m->save_lock);
	WRITE_ONCE(m->saver, current);
	more = begin_to_save(m);
	while (more) {
		int round_err = save_round(m, all);

		err = err ? : round_err;
		spin_lock(&m->unsaved_lock);
		more = !list_empty(&m->saving);
		spin_unlock(&m->unsaved_lock);
	}
	WRITE_ONCE(m->saver, NULL);
	mutex_unlock(&m->save_lock);
	return err;
}

struct save_args {
	struct veneer_mount	*m;
	bool			all;
};

static long save_apart(void *arg)
{
	const struct save_args *args = arg;

	return save_all(args->m, args->all);
}

/**
 * veneer_save_all - save the maps of all files of a mount
 * @m: the mount, which has an upper and is not volatile
 * @all: all that the upper's filesystem has is to be durable, too
 *
 * The last user of a mount may be a process that ends.  That has no umask any
 * more, for which a filesystem asks when something is made in it.
 */
int veneer_save_all(struct veneer_mount *m, bool all)
{
	struct save_args args = { .m = m, .all = all };

	return current->fs ? save_all(m, all) :
			     veneer_apart(m->upper, save_apart, &args);
}

static void save_worker(struct work_struct *work)
{
	save_all(container_of(work, struct veneer_mount, save_work), false);
}

/**
 * veneer_save_soon - save the maps of all files of a mount in the background
 * @m: the mount
 */
void veneer_save_soon(struct veneer_mount *m)
{
	if (m->save_queue)
		queue_work(m->save_queue, &m->save_work);
}

/* One class for each depth: the upper may be on a mount of ours. */
static void annotate_lock(struct veneer_mount *m)
{
#ifdef CONFIG_LOCKDEP
	static struct lock_class_key key[FILESYSTEM_MAX_STACK_DEPTH + 1];

	if (m->upper)
		lockdep_set_class(&m->save_lock,
				  &key[m->upper->mnt_sb->s_stack_depth]);
#endif
}

/**
 * veneer_save_init - a mount is being made
 * @m: the mount, whose upper is known
 */
void veneer_save_init(struct veneer_mount *m)
{
	spin_lock_init(&m->unsaved_lock);
	INIT_LIST_HEAD(&m->unsaved);
	INIT_LIST_HEAD(&m->saving);
	mutex_init(&m->save_lock);
	annotate_lock(m);
	INIT_WORK(&m->save_work, save_worker);
}

/**
 * veneer_save_start - from now on files can be saved in the background
 * @m: the mount, with an upper
 * @nr: its number, for the worker's name
 *
 * A queue for each mount: the upper may be a filesystem that a user serves, and
 * does not answer.  With a rescuer, since what is saved then need not stay in
 * memory.
 */
int veneer_save_start(struct veneer_mount *m, unsigned int nr)
{
	m->save_queue = alloc_workqueue("veneer-save-%u",
					WQ_UNBOUND | WQ_MEM_RECLAIM, 1, nr);
	return m->save_queue ? 0 : -ENOMEM;
}

/**
 * veneer_save_stop - nothing is saved in the background any more
 * @m: the mount
 *
 * Whoever does so holds inodes.
 */
void veneer_save_stop(struct veneer_mount *m)
{
	disable_work_sync(&m->save_work);
}

/**
 * veneer_save_exit - a mount that nobody uses any more goes
 * @m: the mount, maybe one that was never begun
 */
void veneer_save_exit(struct veneer_mount *m)
{
	if (m->save_queue)
		destroy_workqueue(m->save_queue);
}
