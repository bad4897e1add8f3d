// SPDX-License-Identifier: GPL-2.0-only
/* Block map: which blocks of a split file are in its layer, in memory. */
#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "blockmap.h"

#define CHUNK_DIRTY	XA_MARK_0

/* What veneer_blockmap.full has of a run. */
#define FULL_SAVED	xa_mk_value(0)
#define FULL_DIRTY	xa_mk_value(1)

/* So many pieces are looked at for one answer: a reader cannot be stopped. */
#define RUN_PIECES	1024

const u8 veneer_full_piece[VENEER_CHUNK_BYTES] = {
	[0 ... VENEER_CHUNK_BYTES - 1] = 0xff
};

/**
 * veneer_blockmap_init - begin a map without any bit set
 * @map: the map
 * @nr: how many bits it has
 */
void veneer_blockmap_init(struct veneer_blockmap *map, u64 nr)
{
	xa_init_flags(&map->chunks, XA_FLAGS_ACCOUNT);
	mt_init_flags(&map->full, MT_FLAGS_USE_RCU);
	map->nr = nr;
	map->set = 0;
	map->full_dirty = 0;
}

/**
 * veneer_blockmap_free - give the map's memory back
 * @map: the map
 */
void veneer_blockmap_free(struct veneer_blockmap *map)
{
	unsigned long index;
	void *chunk;

	xa_for_each(&map->chunks, index, chunk)
		kfree(chunk);
	xa_destroy(&map->chunks);
	mtree_destroy(&map->full);
}

static noinline void *tree_find(struct veneer_blockmap *map,
				unsigned long first, unsigned long last,
				unsigned long *from, unsigned long *to)
{
	MA_STATE(mas, &map->full, first, first);
	void *entry;

	rcu_read_lock();
	entry = mas_find(&mas, last);
	rcu_read_unlock();
	*from = mas.index;
	*to = mas.last;
	return entry;
}

/*
 * The first run of full pieces that reaches into @first to @last, or %NULL; it
 * may reach further at both ends, as @from and @to say.
 */
static void *full_find(struct veneer_blockmap *map, unsigned long first,
		       unsigned long last, unsigned long *from,
		       unsigned long *to)
{
	/* As in most maps. */
	if (mtree_empty(&map->full))
		return NULL;
	return tree_find(map, first, last, from, to);
}

static bool is_full(struct veneer_blockmap *map, unsigned long index)
{
	unsigned long from, to;

	return full_find(map, index, index, &from, &to);
}

/* Pieces from @first to @last are full, as @entry says. */
static int full_store(struct veneer_blockmap *map, unsigned long first,
		      unsigned long last, void *entry)
{
	unsigned long from, to;

	if (first && full_find(map, first - 1, first - 1, &from, &to) == entry)
		first = from;
	if (full_find(map, last + 1, last + 1, &from, &to) == entry)
		last = to;
	return mtree_store_range(&map->full, first, last, entry,
				 GFP_KERNEL_ACCOUNT);
}

/* The chunk, made if need be. */
static void *chunk_get(struct veneer_blockmap *map, unsigned long index)
{
	void *chunk = xa_load(&map->chunks, index);
	void *other;

	if (chunk)
		return chunk;
	chunk = kzalloc(VENEER_CHUNK_BYTES, GFP_KERNEL_ACCOUNT);
	if (!chunk)
		return NULL;
	other = xa_cmpxchg(&map->chunks, index, NULL, chunk,
			   GFP_KERNEL_ACCOUNT);
	if (!other)
		return chunk;
	kfree(chunk);
	return xa_is_err(other) ? NULL : other;
}

/**
 * veneer_blockmap_put - take a piece of a map over from the disk
 * @map: a map that nobody else uses yet
 * @index: which piece
 * @bytes: VENEER_CHUNK_BYTES of it
 *
 * Return: 0; %-ENOMEM; %-EUCLEAN when bits past the end of the map are set.
 */
int veneer_blockmap_put(struct veneer_blockmap *map, unsigned long index,
			const void *bytes)
{
	const u64 first = (u64)index << VENEER_CHUNK_SHIFT;
	void *chunk;

	if (!memchr_inv(bytes, 0, VENEER_CHUNK_BYTES))
		return 0;
	if (first >= map->nr)
		return -EUCLEAN;
	if (map->nr - first < VENEER_CHUNK_BITS &&
	    find_next_bit_le(bytes, VENEER_CHUNK_BITS, map->nr - first) <
	    VENEER_CHUNK_BITS)
		return -EUCLEAN;

	if (!memcmp(bytes, veneer_full_piece, VENEER_CHUNK_BYTES)) {
		map->set += VENEER_CHUNK_BITS;
		return full_store(map, index, index, FULL_SAVED);
	}
	chunk = chunk_get(map, index);
	if (!chunk)
		return -ENOMEM;
	memcpy(chunk, bytes, VENEER_CHUNK_BYTES);
	map->set += bitmap_weight(chunk, VENEER_CHUNK_BITS);
	return 0;
}

/**
 * veneer_blockmap_reserve - see to it that bits can be set without fail
 * @map: the map; no lock is needed
 * @first: the first bit
 * @last: the last one
 *
 * Only for the length of one piece or less.  More is not worth memory: how
 * much will be set is not known, and what gets a piece's bits all at once is
 * as a rule a user's number.
 */
int veneer_blockmap_reserve(struct veneer_blockmap *map, u64 first, u64 last)
{
	unsigned long index = first >> VENEER_CHUNK_SHIFT;

	last = min(last, first + VENEER_CHUNK_BITS - 1);
	for (; index <= last >> VENEER_CHUNK_SHIFT; index++) {
		if (!is_full(map, index) && !chunk_get(map, index))
			return -ENOMEM;
	}
	return 0;
}

/* Sets bits of one chunk; how many of them were not set? */
static unsigned long chunk_set(void *chunk, unsigned long first,
			       unsigned long last)
{
	unsigned long nr = 0;

	if (first == 0 && last == VENEER_CHUNK_BITS - 1) {
		nr = VENEER_CHUNK_BITS - bitmap_weight(chunk, VENEER_CHUNK_BITS);
		memset(chunk, 0xff, VENEER_CHUNK_BYTES);
		return nr;
	}
	for (unsigned long bit = first; bit <= last; bit++) {
		if (!test_bit_le(bit, chunk)) {
			set_bit_le(bit, chunk);
			nr++;
		}
	}
	return nr;
}

/* Sets bits of one piece, in memory of its own. */
static int piece_set(struct veneer_blockmap *map, unsigned long index,
		     unsigned long first, unsigned long last, u64 *fresh)
{
	unsigned long nr;
	void *chunk;

	if (is_full(map, index))
		return 0;
	chunk = chunk_get(map, index);
	if (!chunk)
		return -ENOMEM;
	nr = chunk_set(chunk, first, last);
	if (nr)
		xa_set_mark(&map->chunks, index, CHUNK_DIRTY);
	*fresh += nr;
	return 0;
}

/* Sets all bits of pieces that have no memory; some may be full already. */
static int full_set(struct veneer_blockmap *map, unsigned long first,
		    unsigned long last, u64 *fresh)
{
	while (first <= last) {
		unsigned long from = last + 1, to = last, nr;
		int err;

		if (!full_find(map, first, last, &from, &to))
			from = last + 1;
		if (from > first) {
			nr = from - first;
			err = full_store(map, first, from - 1, FULL_DIRTY);
			if (err)
				return err;
			WRITE_ONCE(map->full_dirty, map->full_dirty + nr);
			*fresh += (u64)nr << VENEER_CHUNK_SHIFT;
		}
		if (from > last)
			break;
		first = to + 1;
		cond_resched();
	}
	return 0;
}

/* Sets all bits of pieces. */
static int pieces_set(struct veneer_blockmap *map, unsigned long first,
		      unsigned long last, u64 *fresh)
{
	int err = 0;

	while (first <= last && !err) {
		unsigned long index = first;
		const bool has_memory = xa_find(&map->chunks, &index, last,
						XA_PRESENT);

		if (!has_memory)
			return full_set(map, first, last, fresh);
		if (index > first)
			err = full_set(map, first, index - 1, fresh);
		if (!err)
			err = piece_set(map, index, 0, VENEER_CHUNK_BITS - 1,
					fresh);
		first = index + 1;
		cond_resched();
	}
	return err;
}

/**
 * veneer_blockmap_set - set bits
 * @map: the map; its owner's lock is held
 * @first: the first bit
 * @last: the last one
 * @fresh: receives how many of the bits were not set before
 *
 * What is behind the blocks must be there before.
 *
 * Return: 0; or %-ENOMEM, which cannot be for what is reserved, and then any
 * of the bits may have been set.
 */
int veneer_blockmap_set(struct veneer_blockmap *map, u64 first, u64 last,
			u64 *fresh)
{
	const u64 mask = VENEER_CHUNK_BITS - 1;
	int err = 0;

	*fresh = 0;
	/* Pairs with the barrier in veneer_blockmap_run(). */
	smp_wmb();
	while (first <= last && !err) {
		u64 end = min(last, first | mask);

		if (end - first == mask) {
			end = ((last + 1) & ~mask) - 1;
			err = pieces_set(map, first >> VENEER_CHUNK_SHIFT,
					 end >> VENEER_CHUNK_SHIFT, fresh);
		} else {
			err = piece_set(map, first >> VENEER_CHUNK_SHIFT,
					first & mask, end & mask, fresh);
		}
		first = end + 1;
	}
	WRITE_ONCE(map->set, map->set + *fresh);
	return err;
}

/**
 * veneer_blockmap_test - is a block in the layer?
 * @map: the map
 * @bit: the block
 */
bool veneer_blockmap_test(struct veneer_blockmap *map, u64 bit)
{
	u64 next;

	return veneer_blockmap_run(map, bit, bit, &next);
}

/* Where do bits from @bit on, up to @last, cease to be clear? */
static u64 clear_run(struct veneer_blockmap *map, u64 bit, u64 last)
{
	unsigned long index = bit >> VENEER_CHUNK_SHIFT;
	unsigned long end = last >> VENEER_CHUNK_SHIFT;
	unsigned long start = bit & (VENEER_CHUNK_BITS - 1);
	unsigned int pieces = RUN_PIECES;
	unsigned long from, to;
	void *chunk;

	if (bit > last)
		return bit;
	if (full_find(map, index, end, &from, &to)) {
		if (from <= index)
			return bit;
		last = min(last, ((u64)from << VENEER_CHUNK_SHIFT) - 1);
		end = last >> VENEER_CHUNK_SHIFT;
	}
	xa_for_each_range(&map->chunks, index, chunk, index, end) {
		u64 base = (u64)index << VENEER_CHUNK_SHIFT;

		if (base > bit)
			start = 0;
		start = find_next_bit_le(chunk, VENEER_CHUNK_BITS, start);
		if (start < VENEER_CHUNK_BITS)
			return min(base + start, last + 1);
		start = 0;
		if (!--pieces)
			return min(base + VENEER_CHUNK_BITS, last + 1);
	}
	return last + 1;
}

/* Where do bits from @bit on cease to be set?  It tells of one piece, or run. */
static u64 set_run(struct veneer_blockmap *map, u64 bit)
{
	const unsigned long index = bit >> VENEER_CHUNK_SHIFT;
	const unsigned long start = bit & (VENEER_CHUNK_BITS - 1);
	void *chunk = xa_load(&map->chunks, index);
	unsigned long end, from, to;

	if (chunk) {
		end = find_next_zero_bit_le(chunk, VENEER_CHUNK_BITS, start);
		if (end > start)
			return bit - start + end;
	}
	if (full_find(map, index, index, &from, &to))
		return (u64)(to + 1) << VENEER_CHUNK_SHIFT;
	return bit;
}

/**
 * veneer_blockmap_run - a run of blocks that are, or are not, in the layer
 * @map: the map
 * @first: the first block
 * @last: do not look further than this one
 * @next: receives the block after the run, which may go on there; at least
 *	@first + 1, at most @last + 1
 *
 * Return: whether the blocks are in the layer.
 */
bool veneer_blockmap_run(struct veneer_blockmap *map, u64 first,
			 u64 last, u64 *next)
{
	unsigned int pieces = RUN_PIECES;
	u64 bit = set_run(map, first);

	/* What was clear may be set by now. */
	if (bit == first) {
		*next = clear_run(map, first + 1, last);
		return false;
	}

	while (bit <= last && !(bit & (VENEER_CHUNK_BITS - 1)) && --pieces) {
		u64 end = set_run(map, bit);

		if (end == bit)
			break;
		bit = end;
	}
	*next = min(bit, last + 1);
	/* Whoever sees the bit sees the block; see veneer_blockmap_set(). */
	smp_rmb();
	return true;
}

/**
 * veneer_blockmap_dirty - has the map changed since it was saved?
 * @map: the map
 */
bool veneer_blockmap_dirty(struct veneer_blockmap *map)
{
	return xa_marked(&map->chunks, CHUNK_DIRTY) ||
	       READ_ONCE(map->full_dirty);
}

/* The first full pieces from @index on that are not saved; how many? */
static unsigned long full_dirty(struct veneer_blockmap *map,
				unsigned long *index)
{
	MA_STATE(mas, &map->full, *index, *index);
	unsigned long nr = 0;
	void *entry;

	if (!map->full_dirty)
		return 0;
	rcu_read_lock();
	mas_for_each(&mas, entry, ULONG_MAX) {
		if (entry == FULL_DIRTY) {
			*index = max(*index, mas.index);
			nr = mas.last - *index + 1;
			break;
		}
	}
	rcu_read_unlock();
	return nr;
}

/**
 * veneer_blockmap_copy_dirty - pieces that are to be saved
 * @map: the map; its owner's lock is held
 * @index: look from this piece on; receives which one it is
 * @most: no more pieces than so many
 * @bytes: receives a copy of it, if it is only one
 *
 * Return: how many pieces it are, which count as changed until
 * veneer_blockmap_saved().  All of more than one have all their bits.
 */
unsigned long veneer_blockmap_copy_dirty(struct veneer_blockmap *map,
					 unsigned long *index,
					 unsigned long most, void *bytes)
{
	unsigned long full_index = *index;
	unsigned long nr = full_dirty(map, &full_index);
	void *chunk = xa_find(&map->chunks, index, ULONG_MAX, CHUNK_DIRTY);

	if (chunk && (!nr || *index < full_index)) {
		memcpy(bytes, chunk, VENEER_CHUNK_BYTES);
		return 1;
	}
	if (nr) {
		*index = full_index;
		memset(bytes, 0xff, VENEER_CHUNK_BYTES);
	}
	return min(nr, most);
}

/**
 * veneer_blockmap_saved - pieces have been saved
 * @map: the map; its owner's lock is held
 * @index: the first of them
 * @nr: how many, from veneer_blockmap_copy_dirty()
 * @bytes: what the disk has of it now, if not more
 *
 * Return: 0; or %-ENOMEM, and then they still count as changed.
 */
int veneer_blockmap_saved(struct veneer_blockmap *map, unsigned long index,
			  unsigned long nr, const void *bytes)
{
	unsigned long from, to;
	int err;

	if (nr == 1) {
		void *chunk = xa_load(&map->chunks, index);

		if (chunk && !memcmp(chunk, bytes, VENEER_CHUNK_BYTES))
			xa_clear_mark(&map->chunks, index, CHUNK_DIRTY);
	}
	if (full_find(map, index, index, &from, &to) != FULL_DIRTY)
		return 0;
	err = full_store(map, index, index + nr - 1, FULL_SAVED);
	if (!err)
		WRITE_ONCE(map->full_dirty, map->full_dirty - nr);
	return err;
}
