/* SPDX-License-Identifier: GPL-2.0-only */
/* Directories of a mount, read. */
#ifndef VENEER_DIR_H
#define VENEER_DIR_H

#include <linux/fs.h>

#include "names.h"

extern const struct file_operations veneer_dir_operations;

int veneer_dir_halves(struct inode *dir, const struct veneer_listing **listing,
		      struct veneer_names **names);
int veneer_dir_check_empty(struct inode *dir);

#endif
