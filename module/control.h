/* SPDX-License-Identifier: GPL-2.0-only */
/* Control: /dev/veneer, and the ioctls of a mount's files; see uapi/veneer.h. */
#ifndef VENEER_CONTROL_H
#define VENEER_CONTROL_H

#include <linux/fs.h>

#define VENEER_MODULE_VERSION	"0.1.0"

long veneer_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
long veneer_ioctl_on_stack(struct file *file, unsigned int cmd,
			   unsigned long arg);

int veneer_struct_size_ok(u32 size);
int veneer_struct_in(void *k, size_t known, const void __user *arg, u32 *size);
int veneer_struct_out(void __user *arg, u32 size, const void *k, size_t known);

int veneer_control_init(void);
void veneer_control_exit(void);

#endif
