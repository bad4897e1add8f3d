/* SPDX-License-Identifier: GPL-2.0-only */
/* Block map: which blocks of a split file are in its layer, in memory. */
#ifndef VENEER_BLOCKMAP_H
#define VENEER_BLOCKMAP_H

#include <linux/bits.h>
#include <linux/maple_tree.h>
#include <linux/types.h>
#include <linux/xarray.h>

/* What one allocation holds, and one piece of the file on disk. */
#define VENEER_CHUNK_SHIFT	15
#define VENEER_CHUNK_BITS	BIT(VENEER_CHUNK_SHIFT)
#define VENEER_CHUNK_BYTES	(VENEER_CHUNK_BITS / 8)

/**
 * struct veneer_blockmap - a block map
 * @chunks: pieces of the bitmap, in the order of bytes and bits that they
 *	have on disk.  One that is there stays until the map is freed, so
 *	readers need no lock.  Those that changed since they were saved carry a
 *	mark
 * @full: runs of pieces that have all their bits and no memory of their own,
 *	each with whether it is saved.  A run next to another of its kind is
 *	merged with it.  Readers are under RCU
 * @nr: how many bits there are; fixed
 * @set: how many of them are set.  Written like the bits
 * @full_dirty: how many pieces of @full are not saved.  Written like the bits
 *
 * A bit is set if it is in a piece of either kind, so that the memory follows
 * the runs of bits and not their number: a piece that gets all its bits at once
 * needs none.  A piece is in both only if memory was made for it, which stays
 * without a bit, while it got into @full.
 *
 * Bits only ever go from 0 to 1.  Whoever sets them holds a lock of the map's
 * owner; readers hold none.
 */
struct veneer_blockmap {
	struct xarray		chunks;
	struct maple_tree	full;
	u64			nr;
	u64			set;
	unsigned long		full_dirty;
};

/* VENEER_CHUNK_BYTES of a piece that has all its bits. */
extern const u8 veneer_full_piece[];

void veneer_blockmap_init(struct veneer_blockmap *map, u64 nr);
void veneer_blockmap_free(struct veneer_blockmap *map);
int veneer_blockmap_put(struct veneer_blockmap *map, unsigned long index,
			const void *bytes);
int veneer_blockmap_reserve(struct veneer_blockmap *map, u64 first, u64 last);
int veneer_blockmap_set(struct veneer_blockmap *map, u64 first, u64 last,
			u64 *fresh);
bool veneer_blockmap_test(struct veneer_blockmap *map, u64 bit);
bool veneer_blockmap_run(struct veneer_blockmap *map, u64 first,
			 u64 last, u64 *next);

bool veneer_blockmap_dirty(struct veneer_blockmap *map);
unsigned long veneer_blockmap_copy_dirty(struct veneer_blockmap *map,
					 unsigned long *index,
					 unsigned long most, void *bytes);
int veneer_blockmap_saved(struct veneer_blockmap *map, unsigned long index,
			  unsigned long nr, const void *bytes);

#endif
