/* SPDX-License-Identifier: GPL-2.0-only */
/* Record: what a file says of where its data is. */
#ifndef VENEER_RECORD_H
#define VENEER_RECORD_H

#include <linux/fs.h>
#include <linux/path.h>
#include <linux/uuid.h>

#include "format.h"

/**
 * struct veneer_record - a split record in memory
 * @below_size: bytes of the file below that are visible
 * @flags: VENEER_SPLIT_* bits
 * @block_shift: log2 of the map's block size, 0 without a map
 * @uuid: the map's name, zero without a map
 * @path: path of the file below from the stack's root; owned by whoever has
 *	the record, for kfree()
 */
struct veneer_record {
	u64	below_size;
	u32	flags;
	u8	block_shift;
	uuid_t	uuid;
	char	*path;
};

int veneer_record_get(const struct path *path, bool userxattr,
		      struct veneer_record *record);
int veneer_record_set(const struct path *path, bool userxattr,
		      const struct veneer_record *record);
int veneer_record_remove(const struct path *path, bool userxattr);

#endif
