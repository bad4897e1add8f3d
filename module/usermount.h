/* SPDX-License-Identifier: GPL-2.0-only */
/* Mounts by ordinary users: only where the administrator has allowed them. */
#ifndef VENEER_USERMOUNT_H
#define VENEER_USERMOUNT_H

#include <linux/types.h>

struct fs_context;

bool veneer_user_mounts(void);
int veneer_usermount_check(struct fs_context *fc);

#endif
