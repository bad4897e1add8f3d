/* SPDX-License-Identifier: GPL-2.0-only */
/* Hard links of a mount: objects with several names below stay one object. */
#ifndef VENEER_LINKS_H
#define VENEER_LINKS_H

#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/path.h>
#include <linux/rbtree.h>

#include "links_record.h"

struct veneer_mount;

/**
 * struct veneer_links_index - which objects below have an entry in the upper
 * @lock: protects the rest.  See mount.h for its place
 * @ready: @tree has every entry
 * @tree: the entries, by the inode number that the object has below
 * @dir: the folder ".veneer/links", a reference; %NULL until it is needed.  Set
 *	once; read without a lock by who knows an object that is in it
 */
struct veneer_links_index {
	struct mutex	lock;		/* as said above */
	bool		ready;
	struct rb_root	tree;
	struct dentry	*dir;
};

void veneer_links_init(struct veneer_links_index *index, int depth);
void veneer_links_destroy(struct veneer_links_index *index);

bool veneer_links_wanted(const struct veneer_mount *m,
			 const struct dentry *below);
int veneer_links_lookup(struct veneer_mount *m, struct path *upper,
			struct dentry **below, struct veneer_links **links);
int veneer_links_find(struct veneer_mount *m, struct dentry *below,
		      struct path *upper, struct veneer_links **links);

int veneer_links_is_entry(struct veneer_mount *m, const struct dentry *upper);

struct veneer_links *veneer_links_new(struct veneer_mount *m,
				      const struct path *temp,
				      struct dentry *below);
int veneer_links_install(struct veneer_mount *m, struct dentry *temp,
			 struct dentry *below, const struct veneer_links *links);
int veneer_links_add_name(struct dentry *dentry);
int veneer_links_copy_up(struct dentry *dentry);
int veneer_links_settle(struct inode *inode);
void veneer_links_lost_name(struct inode *inode);

#endif
