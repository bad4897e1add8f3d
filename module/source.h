/* SPDX-License-Identifier: GPL-2.0-only */
/* Source: where the bytes of a regular file come from. */
#ifndef VENEER_SOURCE_H
#define VENEER_SOURCE_H

#include <linux/fs.h>

/**
 * enum veneer_where - the places that bytes come from
 * @VENEER_FROM_BELOW: the file of a layer
 * @VENEER_FROM_UPPER: the file of the upper
 */
enum veneer_where {
	VENEER_FROM_BELOW,
	VENEER_FROM_UPPER,
	VENEER_NR_WHERE,
};

/**
 * struct veneer_run - a run of bytes from one place
 * @where: the place, where they have the same offset
 * @len: how far the run reaches; beyond the end of the file for the last one
 */
struct veneer_run {
	enum veneer_where	where;
	loff_t			len;
};

struct veneer_run veneer_source(const struct inode *inode, loff_t pos);

#endif
