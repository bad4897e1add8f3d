/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Upper: making, naming and removing real objects in the upper and in work/.
 */
#ifndef VENEER_UPPER_H
#define VENEER_UPPER_H

#include <linux/fs.h>

#include "mount.h"

/**
 * struct veneer_new - an object to make
 * @mode: type and permissions
 * @rdev: device number of a device node
 * @link: target of a symbolic link
 * @hardlink: an object of the upper that gets another name, or %NULL
 */
struct veneer_new {
	umode_t		mode;
	dev_t		rdev;
	const char	*link;
	struct dentry	*hardlink;
};

struct dentry *veneer_upper_make(struct veneer_mount *m, struct dentry *dir,
				 const char *name, const struct veneer_new *new);
struct dentry *veneer_upper_make_unseen(struct veneer_mount *m,
					struct dentry *dir, const char *name,
					const struct veneer_new *new);
int veneer_upper_whiteout(struct veneer_mount *m, struct dentry *dir,
			  const char *name);

struct dentry *veneer_temp_make(struct veneer_mount *m,
				const struct veneer_new *new);
int veneer_temp_install(struct veneer_mount *m, struct dentry *temp,
			struct dentry *dir, const char *name);
int veneer_temp_install_unseen(struct veneer_mount *m, struct dentry *temp,
			       struct dentry *dir, const char *name);
int veneer_temp_exchange(struct veneer_mount *m, struct dentry *temp,
			 struct dentry *upper);
int veneer_temp_take(struct veneer_mount *m, struct dentry *upper,
		     bool whiteout);
void veneer_temp_discard(struct veneer_mount *m, struct dentry *temp);
int veneer_upper_empty(struct veneer_mount *m, struct dentry *dir);
int veneer_work_remove(struct veneer_mount *m, struct dentry *parent,
		       const char *name, int depth);

#endif
