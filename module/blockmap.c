// SPDX-License-Identifier: GPL-2.0-only
/* Block map: which blocks of a split file are in its layer, in memory. */
#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "blockmap.h"

#define CHUNK_DIRTY	XA_MARK_0

/**
 * veneer_blockmap_init - begin a map without any bit set
 * @map: the map
 * @nr: how many bits it has
 */
void veneer_blockmap_init(struct veneer_blockmap *map, u64 nr)
{
	xa_init(&map->chunks);
	map->nr = nr;
	map->set = 0;
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
 */
int veneer_blockmap_reserve(struct veneer_blockmap *map, u64 first, u64 last)
{
	for (u64 i = first >> VENEER_CHUNK_SHIFT;
	     i <= last >> VENEER_CHUNK_SHIFT; i++) {
		if (!chunk_get(map, i))
			return -ENOMEM;
		cond_resched();
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

/**
 * veneer_blockmap_set - set bits
 * @map: the map; its owner's lock is held
 * @first: the first bit, reserved
 * @last: the last one
 *
 * What is behind the blocks must be there before.
 *
 * Return: how many of the bits were not set.
 */
u64 veneer_blockmap_set(struct veneer_blockmap *map, u64 first, u64 last)
{
	u64 nr = 0;

	/* Pairs with the barrier in veneer_blockmap_run(). */
	smp_wmb();
	while (first <= last) {
		unsigned long index = first >> VENEER_CHUNK_SHIFT;
		u64 end = min(last, first | (VENEER_CHUNK_BITS - 1));
		unsigned long fresh;

		fresh = chunk_set(xa_load(&map->chunks, index),
				  first & (VENEER_CHUNK_BITS - 1),
				  end & (VENEER_CHUNK_BITS - 1));
		if (fresh)
			xa_set_mark(&map->chunks, index, CHUNK_DIRTY);
		nr += fresh;
		first = end + 1;
		cond_resched();
	}
	WRITE_ONCE(map->set, map->set + nr);
	return nr;
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
	unsigned long start = bit & (VENEER_CHUNK_BITS - 1);
	void *chunk;

	xa_for_each_range(&map->chunks, index, chunk, index,
			  last >> VENEER_CHUNK_SHIFT) {
		u64 base = (u64)index << VENEER_CHUNK_SHIFT;

		if (base > bit)
			start = 0;
		start = find_next_bit_le(chunk, VENEER_CHUNK_BITS, start);
		if (start < VENEER_CHUNK_BITS)
			return min(base + start, last + 1);
		start = 0;
	}
	return last + 1;
}

/**
 * veneer_blockmap_run - a run of blocks that are, or are not, in the layer
 * @map: the map
 * @first: the first block
 * @last: do not look further than this one
 * @next: receives the block after the run; at most @last + 1
 *
 * Return: whether the blocks are in the layer.
 */
bool veneer_blockmap_run(struct veneer_blockmap *map, u64 first,
			 u64 last, u64 *next)
{
	void *chunk = xa_load(&map->chunks, first >> VENEER_CHUNK_SHIFT);
	u64 bit = first;

	if (!chunk || !test_bit_le(first & (VENEER_CHUNK_BITS - 1), chunk)) {
		*next = clear_run(map, first, last);
		return false;
	}

	while (chunk && bit <= last) {
		u64 base = round_down(bit, VENEER_CHUNK_BITS);
		unsigned long end = find_next_zero_bit_le(chunk,
							  VENEER_CHUNK_BITS,
							  bit - base);

		bit = base + end;
		if (end < VENEER_CHUNK_BITS)
			break;
		chunk = xa_load(&map->chunks, bit >> VENEER_CHUNK_SHIFT);
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
	return xa_marked(&map->chunks, CHUNK_DIRTY);
}

/**
 * veneer_blockmap_copy_dirty - a piece that is to be saved
 * @map: the map; its owner's lock is held
 * @index: look from this piece on; receives which one it is
 * @bytes: receives a copy of it
 *
 * Return: 1, and the piece counts as changed until veneer_blockmap_saved(); 0
 * when there is none.
 */
int veneer_blockmap_copy_dirty(struct veneer_blockmap *map,
			       unsigned long *index, void *bytes)
{
	void *chunk = xa_find(&map->chunks, index, ULONG_MAX, CHUNK_DIRTY);

	if (!chunk)
		return 0;
	memcpy(bytes, chunk, VENEER_CHUNK_BYTES);
	return 1;
}

/**
 * veneer_blockmap_saved - a piece has been saved
 * @map: the map; its owner's lock is held
 * @index: the piece
 * @bytes: what the disk has of it now, if not more
 */
void veneer_blockmap_saved(struct veneer_blockmap *map, unsigned long index,
			   const void *bytes)
{
	if (!memcmp(xa_load(&map->chunks, index), bytes, VENEER_CHUNK_BYTES))
		xa_clear_mark(&map->chunks, index, CHUNK_DIRTY);
}
