/* SPDX-License-Identifier: GPL-2.0-only */
/* File handles: objects of a mount found again without their names. */
#ifndef VENEER_EXPORT_H
#define VENEER_EXPORT_H

#include <linux/fs.h>

void veneer_export_init(struct super_block *sb);

#endif
