/* SPDX-License-Identifier: GPL-2.0-only */
/* Source: where the bytes of a regular file come from. */
#ifndef VENEER_SOURCE_H
#define VENEER_SOURCE_H

#include <linux/fs.h>

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

struct veneer_run veneer_source(const struct inode *inode, loff_t pos,
				loff_t want);

#endif
