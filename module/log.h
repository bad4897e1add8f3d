/* SPDX-License-Identifier: GPL-2.0-only */
/* Lines in the kernel log: always with our name, never as many as events. */
#ifndef VENEER_LOG_H
#define VENEER_LOG_H

#include <linux/fs_context.h>
#include <linux/printk.h>

#define veneer_err_ratelimited(fmt, ...) \
	pr_err_ratelimited("veneer: " fmt, ##__VA_ARGS__)
#define veneer_warn(fmt, ...) \
	pr_warn("veneer: " fmt, ##__VA_ARGS__)

__printf(2, 3)
void veneer_fc_err(struct fs_context *fc, const char *fmt, ...);

#endif
