/* SPDX-License-Identifier: GPL-2.0-only */
/* Source: where the bytes of a regular file come from. */
#ifndef VENEER_SOURCE_H
#define VENEER_SOURCE_H

#include <linux/fs.h>

#include "inode.h"

/* veneer_run.where: the file of the upper; a link of the chain below. */
#define VENEER_FROM_UPPER	0
#define VENEER_FROM_LINK(n)	((n) + 1)

/**
 * struct veneer_run - a run of bytes from one place
 * @where: %VENEER_FROM_UPPER, or %VENEER_FROM_LINK of a link of the chain
 *	below.  The bytes have the same offset there
 * @len: how far the run reaches, as far as was asked for; it may go on
 */
struct veneer_run {
	unsigned int	where;
	loff_t		len;
};

struct veneer_run veneer_source_below(const struct inode *inode, loff_t pos,
				      loff_t want);

/**
 * veneer_source - where do the bytes at this offset come from?
 * @inode: a regular file of a mount that has been opened, so that its split
 *	state and its chain are known
 * @pos: the offset
 * @want: how many bytes are of interest; not 0
 *
 * The one place that knows; everything that reads, maps, seeks or copies asks
 * here.  The answer can change from "below" to "upper" at any time, never
 * back; the bytes below stay what they were.
 */
static inline struct veneer_run veneer_source(const struct inode *inode,
					      loff_t pos, loff_t want)
{
	if (veneer_is_whole(inode))
		return (struct veneer_run) {
			.where	= VENEER_FROM_UPPER,
			.len	= want,
		};
	return veneer_source_below(inode, pos, want);
}

#endif
