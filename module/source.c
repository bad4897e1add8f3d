// SPDX-License-Identifier: GPL-2.0-only
/* Source: where the bytes of a regular file come from. */
#include "inode.h"
#include "source.h"

/**
 * veneer_source - where do the bytes at this offset come from?
 * @inode: a regular file of a mount
 * @pos: the offset
 *
 * The one place that knows; everything that reads, maps, seeks or copies asks
 * here.  The answer can change from "below" to "upper" at any time, never
 * back; the bytes below stay what they were.
 */
struct veneer_run veneer_source(const struct inode *inode, loff_t pos)
{
	return (struct veneer_run) {
		.where	= veneer_is_whole(inode) ? VENEER_FROM_UPPER :
						   VENEER_FROM_BELOW,
		.len	= MAX_LFS_FILESIZE - pos,
	};
}
