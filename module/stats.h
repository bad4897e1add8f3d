/* SPDX-License-Identifier: GPL-2.0-only */
/* Stats: what has happened in a mount, counted. */
#ifndef VENEER_STATS_H
#define VENEER_STATS_H

#include <linux/atomic.h>

/**
 * struct veneer_stats - counters of a mount
 * @lookups: names asked of the upper and the stack
 * @copied_up: objects that got an upper
 * @files_split: files that became split
 * @files_whole: files that became whole
 * @blocks_copied: blocks filled from below
 * @bytes_copied: bytes of those blocks, and of files copied whole
 * @bytes_shared: bytes that were left below by files that became split
 * @map_flushes: block maps written
 * @map_bits: bits that were set in what was written of them
 *
 * They only grow.  Plain atomics: each event costs far more than they do, and
 * a host has thousands of mounts, for each of which counters of every
 * processor would be kept.
 */
struct veneer_stats {
	atomic64_t	lookups;
	atomic64_t	copied_up;
	atomic64_t	files_split;
	atomic64_t	files_whole;
	atomic64_t	blocks_copied;
	atomic64_t	bytes_copied;
	atomic64_t	bytes_shared;
	atomic64_t	map_flushes;
	atomic64_t	map_bits;
};

/**
 * veneer_count - count something
 * @m: the mount, a struct veneer_mount
 * @field: the counter, a field of struct veneer_stats
 * @n: how many
 */
#define veneer_count(m, field, n) atomic64_add(n, &(m)->stats.field)

#endif
