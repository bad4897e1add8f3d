// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kept: the few real files that stay open, to be used again.
 *
 * The module opens a file to fill a page or a block, and may want it again for
 * the next one.  So it is kept, in a table that has room for so many and no more,
 * for all mounts together; a file that has not been used for the longest time
 * makes room.  One that finds no room is closed after use.
 *
 * To close a file can take locks of its filesystem, and can wait for whoever
 * serves that.  So no file is closed where a lock matters: a work item does it,
 * one for each place in the table, and the place is free again when it is done.
 * Who never answers so takes up places, and keeps nobody waiting.  Memory reclaim
 * only ever sets such a work going.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/shrinker.h>
#include <linux/spinlock.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>

#include "kept.h"

#define NR_PLACES	64
/* So many are to be free, or on their way to be: then nobody waits for one. */
#define NR_SPARE	8

/*
 * A place in the table.
 * file: the file that it holds, a reference; %NULL when it is free
 * owner: who keeps it; %NULL when the place is free, or its file being closed
 * sb: the mount or the stack that the owner belongs to, to be compared only
 * close: closes the file
 *
 * All but @close under table_lock; @sb is read without it.
 */
struct place {
	struct file		*file;
	struct veneer_kept	*owner;
	const struct super_block *sb;
	struct work_struct	close;
};

/*
 * Protects the table and veneer_kept.file.  Nothing is done under it that sleeps
 * or takes another lock but a workqueue's; taken in memory reclaim.
 */
static DEFINE_SPINLOCK(table_lock);
static struct place places[NR_PLACES];
/* How many have an owner, and how many hold a file. */
static unsigned int nr_kept, nr_held;
/* Where the next search for one to close begins. */
static unsigned int hand;

static struct workqueue_struct *closers;
static struct shrinker *shrinker;

static void close_worker(struct work_struct *work)
{
	struct place *place = container_of(work, struct place, close);

	/* Its own until @file is %NULL. */
	__fput_sync(place->file);
	spin_lock(&table_lock);
	place->file = NULL;
	WRITE_ONCE(place->sb, NULL);
	nr_held--;
	spin_unlock(&table_lock);
	/* Pairs with the one in wait_var_event(). */
	smp_mb();
	wake_up_var(&place->sb);
}

/* The owner has it no longer; the file is still to be closed. */
static void take_from_owner(struct place *place)
{
	lockdep_assert_held(&table_lock);
	RCU_INIT_POINTER(place->owner->file, NULL);
	place->owner = NULL;
	nr_kept--;
}

/* Closes up to @nr files that were not used lately; returns how many. */
static unsigned int make_room(unsigned int nr)
{
	unsigned int done = 0;

	lockdep_assert_held(&table_lock);
	/* The second time around, none has been used since the first. */
	for (unsigned int i = 0; i < 2 * NR_PLACES && done < nr; i++) {
		struct place *place = &places[hand++ % NR_PLACES];

		if (!place->owner)
			continue;
		if (READ_ONCE(place->owner->used)) {
			WRITE_ONCE(place->owner->used, false);
			continue;
		}
		take_from_owner(place);
		queue_work(closers, &place->close);
		done++;
	}
	return done;
}

static struct place *free_place(void)
{
	lockdep_assert_held(&table_lock);
	for (unsigned int i = 0; i < NR_PLACES; i++) {
		if (!places[i].file)
			return &places[i];
	}
	return NULL;
}

/* Its owner's; there is one. */
static struct place *place_of(const struct veneer_kept *kept)
{
	lockdep_assert_held(&table_lock);
	for (unsigned int i = 0; i < NR_PLACES; i++) {
		if (places[i].owner == kept)
			return &places[i];
	}
	return NULL;
}

/**
 * veneer_kept_get - the file that is kept
 * @kept: where
 *
 * Return: the file with a reference, for fput(); or %NULL.
 */
struct file *veneer_kept_get(struct veneer_kept *kept)
{
	struct file *file;

	rcu_read_lock();
	file = get_file_rcu(&kept->file);
	rcu_read_unlock();
	if (file && !READ_ONCE(kept->used))
		WRITE_ONCE(kept->used, true);
	return file;
}

/**
 * veneer_kept_add - keep a file that was opened, if there is room
 * @kept: where
 * @sb: the mount or the stack that this belongs to
 * @file: the file, a reference that is taken over
 *
 * Return: the file to use, with a reference, for fput(): another one, when that
 * was kept in the meantime.
 */
struct file *veneer_kept_add(struct veneer_kept *kept,
			     const struct super_block *sb, struct file *file)
{
	struct file *other;
	struct place *place;

	spin_lock(&table_lock);
	other = rcu_dereference_protected(kept->file,
					  lockdep_is_held(&table_lock));
	if (other) {
		get_file(other);
	} else {
		place = free_place();
		if (place) {
			place->file = get_file(file);
			place->owner = kept;
			WRITE_ONCE(place->sb, sb);
			WRITE_ONCE(kept->used, true);
			rcu_assign_pointer(kept->file, file);
			nr_kept++;
			nr_held++;
		}
		if (nr_held > NR_PLACES - NR_SPARE &&
		    nr_kept > NR_PLACES - 2 * NR_SPARE)
			make_room(NR_SPARE);
	}
	spin_unlock(&table_lock);
	if (!other)
		return file;
	fput(file);
	return other;
}

/**
 * veneer_kept_drop - close the file until it is needed again
 * @kept: where
 *
 * The caller sees to it that nobody adds one meanwhile, if none is to be there
 * afterwards.  It is closed when this returns, if nobody uses it; but when
 * memory is being reclaimed, soon.
 */
void veneer_kept_drop(struct veneer_kept *kept)
{
	struct place *place = NULL;

	if (!rcu_access_pointer(kept->file))
		return;
	spin_lock(&table_lock);
	if (rcu_access_pointer(kept->file)) {
		place = place_of(kept);
		take_from_owner(place);
		if (current->flags & PF_MEMALLOC) {
			queue_work(closers, &place->close);
			place = NULL;
		}
	}
	spin_unlock(&table_lock);
	if (place)
		close_worker(&place->close);
}

/**
 * veneer_kept_count - how many files are kept, or about to be closed
 */
unsigned int veneer_kept_count(void)
{
	return READ_ONCE(nr_held);
}

/**
 * veneer_kept_settle - wait until what was kept for a superblock is closed
 * @sb: the mount or the stack, which has no inodes any more
 *
 * Nobody else's files are waited for.
 */
void veneer_kept_settle(const struct super_block *sb)
{
	for (unsigned int i = 0; i < NR_PLACES; i++)
		wait_var_event(&places[i].sb, READ_ONCE(places[i].sb) != sb);
}

static unsigned long count_kept(struct shrinker *s, struct shrink_control *sc)
{
	return READ_ONCE(nr_kept) ? : SHRINK_EMPTY;
}

static unsigned long scan_kept(struct shrinker *s, struct shrink_control *sc)
{
	unsigned long done;

	spin_lock(&table_lock);
	done = make_room(sc->nr_to_scan);
	spin_unlock(&table_lock);
	return done;
}

int veneer_kept_init(void)
{
	for (unsigned int i = 0; i < NR_PLACES; i++)
		INIT_WORK(&places[i].close, close_worker);
	/* One that hangs must not keep the others from being closed. */
	closers = alloc_workqueue("veneer_close", WQ_UNBOUND, NR_PLACES);
	if (!closers)
		return -ENOMEM;
	shrinker = shrinker_alloc(0, "veneer-kept");
	if (!shrinker) {
		destroy_workqueue(closers);
		return -ENOMEM;
	}
	shrinker->count_objects = count_kept;
	shrinker->scan_objects = scan_kept;
	shrinker_register(shrinker);
	return 0;
}

void veneer_kept_exit(void)
{
	shrinker_free(shrinker);
	destroy_workqueue(closers);
}
