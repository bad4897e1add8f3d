/* SPDX-License-Identifier: GPL-2.0-only */
/* Stack descriptors: open files that keep a stack, and what is known of it. */
#ifndef VENEER_STACK_FD_H
#define VENEER_STACK_FD_H

#include <linux/fs.h>

struct fs_context;
struct veneer_options;

struct super_block *veneer_stack_of_file(const struct file *file);
int veneer_stack_file_layers(struct fs_context *fc,
			     struct veneer_options *options);

int veneer_ioctl_stack_open(void __user *arg);
int veneer_ioctl_stack_info(struct super_block *stack, void __user *arg);
int veneer_ioctl_stack_list(void __user *arg);

#endif
