/* SPDX-License-Identifier: GPL-2.0-only */
/* Tunables: numbers that decide how a mount copies, changed while it lives. */
#ifndef VENEER_TUNABLES_H
#define VENEER_TUNABLES_H

#include <linux/atomic.h>
#include <linux/mm.h>
#include <linux/sizes.h>

/* The block size of a map: a block must be in the page cache as a whole. */
#define VENEER_MIN_BLOCK_SHIFT	max(12, PAGE_SHIFT)
#define VENEER_MAX_BLOCK_SHIFT	21

#define VENEER_DEFAULT_WHOLE_LIMIT	SZ_64K

/**
 * struct veneer_tunables_mem - the tunables of a mount
 * @block_shift: log2 of the block size of files that are split from now on
 * @whole_limit: files up to so many bytes are copied whole, not split
 *
 * Read and set at any time without a lock; a file that is just being copied up
 * may still go by the old number.
 */
struct veneer_tunables_mem {
	unsigned int	block_shift;
	atomic64_t	whole_limit;
};

static inline bool veneer_block_shift_ok(unsigned int shift)
{
	return shift >= VENEER_MIN_BLOCK_SHIFT &&
	       shift <= VENEER_MAX_BLOCK_SHIFT;
}

static inline bool veneer_whole_limit_ok(u64 limit)
{
	return limit <= MAX_LFS_FILESIZE;
}

#endif
