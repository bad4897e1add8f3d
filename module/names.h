/* SPDX-License-Identifier: GPL-2.0-only */
/* Names: what the upper has to say about the names of a directory. */
#ifndef VENEER_NAMES_H
#define VENEER_NAMES_H

#include <linux/fs.h>
#include <linux/rbtree.h>
#include <linux/xarray.h>

struct veneer_listing;

/**
 * struct veneer_names - the upper's names of a directory
 * @tree: every name, a struct veneer_names_entry, by hash and name
 * @extra: those that the stack does not have, by the order they came in
 * @next: the next index in @extra.  Only ever grows, so that an index is a
 *	stable position while names come and go
 * @nr_extra: how many are in @extra
 * @nr_hidden: how many of the stack's names are hidden
 *
 * Made under veneer_inode.lock by the first who reads the directory, with
 * i_rwsem held for reading; then kept up by those who change it, who hold
 * i_rwsem for writing.  Lives as long as the inode.
 */
struct veneer_names {
	struct rb_root	tree;
	struct xarray	extra;
	unsigned long	next;
	unsigned int	nr_extra;
	unsigned int	nr_hidden;
};

/**
 * struct veneer_names_entry - one name of the upper
 * @node: in veneer_names.tree
 * @ino: inode number that the mount shows
 * @index: in veneer_names.extra, or %VENEER_NAME_BELOW
 * @hash: veneer_name_hash() of the name
 * @len: length of @name
 * @type: DT_* type
 * @hidden: the stack's name of this kind does not show
 * @look: only while the names are read: must be looked up
 * @name: the name, with a zero byte
 */
struct veneer_names_entry {
	struct rb_node	node;
	u64		ino;
	unsigned long	index;
	u32		hash;
	u16		len;
	u8		type;
	bool		hidden;
	bool		look;
	char		name[];
};

#define VENEER_NAME_BELOW	ULONG_MAX

struct veneer_names *veneer_names_get(struct inode *dir,
				      const struct veneer_listing *listing);
struct veneer_names_entry *veneer_names_find(const struct veneer_names *names,
					     u32 hash, const char *name,
					     unsigned int len);
void veneer_names_set(struct inode *dir, const char *name, unsigned int len,
		      u64 ino, unsigned int type);
void veneer_names_hide(struct inode *dir, const char *name, unsigned int len);
void veneer_names_drop(struct inode *dir, const char *name, unsigned int len);
void veneer_names_free(struct veneer_names *names);

#endif
