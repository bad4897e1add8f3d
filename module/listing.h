/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Listing: the names of one merged directory of a stack, read once from the
 * layers and never changed.
 */
#ifndef VENEER_LISTING_H
#define VENEER_LISTING_H

#include <linux/types.h>

#include "merge.h"

/**
 * struct veneer_name - one name
 * @ino: full inode number, see ino.c
 * @hash: veneer_name_hash() of the name
 * @layer: the layer that it comes from
 * @len: length of @name
 * @type: DT_* type
 * @look: only while the listing is made: must be looked up
 * @gone: only while the listing is made: is a whiteout
 * @name: the name, with a zero byte
 */
struct veneer_name {
	u64		ino;
	u32		hash;
	unsigned int	layer;
	u16		len;
	u8		type;
	bool		look;
	bool		gone;
	char		name[];
};

/**
 * struct veneer_listing - the names of a directory, in a fixed order
 * @nr: how many names
 * @room: how many fit into @names
 * @names: the names; an index into this is a stable position
 * @table: open hash table over @names, each slot an index plus one
 * @table_bits: log2 of the table's size
 * @chunks: the memory that the names are in
 */
struct veneer_listing {
	unsigned int		nr;
	unsigned int		room;
	struct veneer_name	**names;
	u32			*table;
	unsigned int		table_bits;
	struct veneer_chunk	*chunks;
};

void veneer_name_hash_init(void);
u32 veneer_name_hash(const char *name, unsigned int len);
struct veneer_listing *veneer_listing_make(const struct veneer_stack *stack,
					   const struct veneer_at *at,
					   unsigned int nr, bool is_root);
void veneer_listing_free(struct veneer_listing *listing);
int veneer_listing_find(const struct veneer_listing *listing,
			const char *name, unsigned int len);

#endif
