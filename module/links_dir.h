/* SPDX-License-Identifier: GPL-2.0-only */
/* The folder ".veneer/links" of a layer or of the upper, read. */
#ifndef VENEER_LINKS_DIR_H
#define VENEER_LINKS_DIR_H

#include <linux/path.h>

/**
 * veneer_links_fn_t - what is done with each entry
 * @arg: the caller's
 * @entry: the entry, for the time of the call
 * @id: its name
 *
 * Return: 0 or a negative error, which ends it.
 */
typedef int (*veneer_links_fn_t)(void *arg, const struct path *entry, u64 id);

struct dentry *veneer_links_dir(const struct path *root);
int veneer_links_each(const struct path *dir, veneer_links_fn_t fn, void *arg);

#endif
