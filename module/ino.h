/* SPDX-License-Identifier: GPL-2.0-only */
/* Inode numbers: those of several filesystems as the numbers of one mount. */
#ifndef VENEER_INO_H
#define VENEER_INO_H

#include <linux/types.h>

u64 veneer_map_ino(unsigned int fsid, u64 ino);
u64 veneer_show_ino(unsigned int nr_fs, u64 ino);

#endif
