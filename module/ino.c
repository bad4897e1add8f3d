// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inode numbers: those of several filesystems as the numbers of one mount.
 *
 * There are two steps.  Each object of a stack or an upper has a full number,
 * which says its filesystem and depends on nothing else; that is what a stack
 * knows and the disk has.  A mount shows another one, which fits into 32 bits
 * whenever the object's own number is small: programs that have no room for
 * more fail on every other.
 */
#include <linux/bitops.h>
#include <linux/bits.h>

#include "ino.h"

/* Where a full number has its filesystem. */
#define FSID_SHIFT	48
/* What everybody has room for. */
#define NARROW_BITS	32

/**
 * veneer_map_ino - the full inode number of an object
 * @fsid: the filesystem that the object is on
 * @ino: its inode number there
 *
 * The first filesystem's are what they are there.
 */
u64 veneer_map_ino(unsigned int fsid, u64 ino)
{
	return ino ^ ((u64)fsid << FSID_SHIFT);
}

/**
 * veneer_show_ino - the inode number that a mount shows
 * @nr_fs: how many filesystems the mount's objects are on
 * @ino: the full number
 *
 * The 32-bit numbers are cut into equal shares, as many as there are filesystems
 * or a few more.  Each share but the first changes places with the full numbers of
 * its filesystem that are as small as the first share's.  Nothing else moves.  So
 * no two numbers become one, whatever they are, and who calls this twice has what
 * he began with.
 *
 * Return: the number to show; of a number that is shown, the full one.
 */
u64 veneer_show_ino(unsigned int nr_fs, u64 ino)
{
	const unsigned int share_bits = NARROW_BITS - fls(nr_fs - 1);
	const bool narrow = ino < BIT_ULL(NARROW_BITS);
	const unsigned int shift = narrow ? share_bits : FSID_SHIFT;
	const u64 fsid = ino >> shift;
	const u64 rest = ino ^ (fsid << shift);

	if (!fsid || fsid >= nr_fs || rest >= BIT_ULL(share_bits))
		return ino;
	return fsid << (narrow ? FSID_SHIFT : share_bits) | rest;
}
