/* SPDX-License-Identifier: GPL-2.0-only */
/* Map file: a block map on disk. */
#ifndef VENEER_MAPFILE_H
#define VENEER_MAPFILE_H

#include <linux/path.h>

#include "blockmap.h"
#include "mount.h"
#include "record.h"

struct veneer_split;

int veneer_mapfile_load(const struct path *root, const struct dentry *user,
			const struct veneer_record *record,
			struct veneer_blockmap *map, struct inode **object);
int veneer_mapfile_get(struct veneer_mount *m, const struct veneer_split *split,
		       struct dentry **temp, struct file **map);
void veneer_mapfile_discard(struct veneer_mount *m, struct dentry *temp);
int veneer_mapfile_install(struct veneer_mount *m, struct veneer_split *split,
			   struct dentry *temp);
int veneer_mapfile_write(struct file *file, u8 block_shift,
			 struct veneer_blockmap *map,
			 unsigned long index, const void *bytes);
int veneer_mapfile_remove(struct veneer_mount *m,
			  const struct veneer_record *record);
void veneer_mapfile_forget(struct veneer_split *split);

#endif
