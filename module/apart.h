/* SPDX-License-Identifier: GPL-2.0-only */
/* Apart: what must be done, whatever the caller may do. */
#ifndef VENEER_APART_H
#define VENEER_APART_H

#include <linux/types.h>

struct file;
struct iov_iter;
struct path;
struct veneer_mount;
struct vfsmount;

long veneer_apart_killable(const struct vfsmount *upper,
			   long (*fn)(void *arg), void *arg, bool *cancel);
long veneer_apart(const struct vfsmount *upper, long (*fn)(void *arg),
		  void *arg);
int veneer_apart_init(struct veneer_mount *m, unsigned int nr);
void veneer_apart_exit(struct veneer_mount *m);
ssize_t veneer_own_write_iter(struct file *file, struct iov_iter *iter,
			      loff_t *pos);
ssize_t veneer_own_write(struct file *file, const void *buf, size_t len,
			 loff_t *pos);
int veneer_own_truncate(const struct path *path, loff_t size);

#endif
