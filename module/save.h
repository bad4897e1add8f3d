/* SPDX-License-Identifier: GPL-2.0-only */
/* Save: the block maps of all files of a mount at once. */
#ifndef VENEER_SAVE_H
#define VENEER_SAVE_H

#include <linux/fs.h>

#include "mount.h"

void veneer_save_later(struct inode *inode);
void veneer_save_forget(struct inode *inode);
int veneer_save_all(struct veneer_mount *m, bool all);
void veneer_save_soon(struct veneer_mount *m);
void veneer_save_init(struct veneer_mount *m);
int veneer_save_start(struct veneer_mount *m, unsigned int nr);
void veneer_save_exit(struct veneer_mount *m);
void veneer_save_stop(struct veneer_mount *m);

#endif
