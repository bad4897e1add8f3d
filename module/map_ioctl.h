/* SPDX-License-Identifier: GPL-2.0-only */
/* VENEER_IOC_MAP and VENEER_IOC_MAKE_WHOLE: one file's data, seen from outside. */
#ifndef VENEER_MAP_IOCTL_H
#define VENEER_MAP_IOCTL_H

#include <linux/fs.h>

int veneer_ioctl_map(struct file *file, void __user *arg);
int veneer_ioctl_make_whole(struct file *file);

#endif
