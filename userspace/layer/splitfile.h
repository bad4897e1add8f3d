/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Split files as they are on the disk: the record of one and its block map, as
 * module/format.h has them, read and written without the module.
 */
#ifndef VENEER_SPLITFILE_H
#define VENEER_SPLITFILE_H

#include <endian.h>
#include <stdint.h>

#include "base/fault.h"
#include "layer/marks.h"

enum { SPLIT_UUID_NAME = 37 };

/*
 * The record of the regular file @node (O_PATH is enough), to be freed. 1; 0: it
 * has none; -1 with errno set.
 */
int split_record(int node, struct veneer_split_disk **record, size_t *size);

/* What is wrong with a record, in words; NULL: nothing. */
const char *split_record_problem(struct veneer_split_disk *record, size_t size);

/* The name of its map in the folder of the maps. */
void split_map_name(const __u8 uuid[16], char name[SPLIT_UUID_NAME]);

/* The folder of the maps of an upper, or layer. -1 with errno set. */
int split_maps(int tree);

/*
 * The map of a file whose record is good and says that there is one. What is
 * wrong with it; else NULL, with the number of @blocks, and their @bits unless
 * that is NULL, to be freed. A map that was never saved has no bit set.
 */
const char *split_map_read(int maps, const struct veneer_split_disk *record,
			   unsigned char **bits, uint64_t *blocks);

/* How many blocks hold so many bytes. */
uint64_t split_blocks(uint64_t bytes, unsigned shift);

static inline bool split_bit(const unsigned char *bits, uint64_t block)
{
	return bits[block / 8] & 1 << block % 8;
}

/* What there is to say of a new split file. */
struct split_new {
	uint64_t below_size;
	unsigned shift;
	const char *path;		/* below, from the stack's root, without a slash */
	const unsigned char *bits;	/* NULL: no map, all data is below */
};

/* Makes the regular file @fd in the layer @tree a split file. */
int split_make(int tree, int fd, const struct split_new *split, struct fault *fault);

#endif
