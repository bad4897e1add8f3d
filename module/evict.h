/* SPDX-License-Identifier: GPL-2.0-only */
/* Evict: block maps of files that have no name any more. */
#ifndef VENEER_EVICT_H
#define VENEER_EVICT_H

#include <linux/fs.h>

#include "mount.h"

void veneer_orphans_init(struct veneer_mount *m);
void veneer_map_evict(struct inode *inode);

#endif
