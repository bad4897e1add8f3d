/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stack: an ordered list of read-only layers, merged; an image.
 *
 * A stack is a superblock of a file system type of its own that nobody can
 * mount: its dentries and inodes remember, for every mount that uses the same
 * layers, what stands behind each name.  Nothing here writes, and no data
 * passes through: a mount asks for the real path of an object and opens that.
 */
#ifndef VENEER_STACK_H
#define VENEER_STACK_H

#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/path.h>

#include "listing.h"

struct veneer_chain;
struct veneer_stack_renames;

/**
 * struct veneer_stack_key - what a layer is known by
 * @root: its directory
 * @idmap: the id mapping that it is seen through
 *
 * No references: the mount that asks for the stack has them while the stack is
 * looked for, veneer_stack.layers afterwards.
 */
struct veneer_stack_key {
	const struct dentry	*root;
	const struct mnt_idmap	*idmap;
};

/**
 * struct veneer_stack - a stack, the s_fs_info of its superblock
 * @cred: the mounter's credentials; a reference.  Equal for every mount that
 *	shares the stack
 * @userxattr: marks are in the user namespace
 * @nr_keys: how many layers it was asked for with
 * @keys: those, top first
 * @depth: how many stacking filesystems there are at and under this one
 * @nr_layers: how many of the layers count: one with an opaque root is the last
 * @nr_fs: number of different filesystems that they are on
 * @fs_dev: the device number of each of those
 * @layers: the layers, top first: each a private clone of the mount it was
 *	found on, rooted at the layer, read-only, no atime
 * @fsid: of each layer: which of the stack's filesystems it is on
 * @links: the table of hard links across layers, made when it is needed
 * @renames: the table of directories that layers have renamed, likewise
 * @id: number of the stack, used once
 * @mounts: how many mounts use it, for information only
 * @pins: how many open descriptors keep it, likewise
 * @live: in the list of stacks that are made, under its lock; see stack.c
 *
 * @cred to @keys are fixed before the superblock can be found by another mount,
 * the rest but the counts before another mount can use it.  All of it lives
 * until the superblock dies.
 */
struct veneer_stack {
	const struct cred	*cred;
	bool			userxattr;
	unsigned int		nr_keys;
	struct veneer_stack_key	*keys;
	int			depth;
	unsigned int		nr_layers;
	unsigned int		nr_fs;
	dev_t			*fs_dev;
	struct vfsmount		**layers;
	unsigned int		*fsid;
	struct veneer_stack_links *links;
	struct veneer_stack_renames *renames;
	u64			id;
	atomic_t		mounts;
	atomic_t		pins;
	struct list_head	live;
};

static inline const struct veneer_stack *veneer_stack(const struct super_block *sb)
{
	return sb->s_fs_info;
}

struct super_block *veneer_stack_get(struct fs_context *fc,
				     const struct path *layers, unsigned int nr,
				     bool userxattr);
struct super_block *veneer_stack_hold(struct super_block *sb);
void veneer_stack_put(struct super_block *sb);
bool veneer_stack_may_use(const struct super_block *sb, const struct cred *cred);
void veneer_stack_count_mounts(struct super_block *sb, int n);
void veneer_stack_count_pins(struct super_block *sb, int n);
void veneer_stack_for_each(void (*fn)(const struct veneer_stack *stack,
				      void *arg), void *arg);
unsigned int veneer_stack_count(void);

unsigned int veneer_stack_fsid(const struct veneer_stack *stack, dev_t dev);
u64 veneer_stack_map_ino(const struct veneer_stack *stack, unsigned int layer,
			 u64 ino);

struct dentry *veneer_stack_find(struct dentry *dir, const char *name);
struct dentry *veneer_stack_walk(struct dentry *root, const char *path);

void veneer_stack_real(const struct dentry *below, struct path *real);
unsigned int veneer_stack_place(const struct dentry *below, struct path *real);
struct veneer_chain *veneer_stack_chain(struct dentry *below);
u64 veneer_stack_ino(const struct dentry *below);
bool veneer_stack_is_merged(const struct dentry *below);
bool veneer_stack_is_linked(const struct dentry *below);
unsigned int veneer_stack_nlink(const struct dentry *below);
unsigned int veneer_stack_prot(const struct dentry *below);
const struct veneer_listing *veneer_stack_listing(struct dentry *below);

char *veneer_path_from(const struct dentry *dentry, const struct dentry *root,
		       char *buf);
bool veneer_stack_can_decode(const struct super_block *sb);
bool veneer_stack_can_find(const struct dentry *below);
struct dentry *veneer_stack_decode(struct super_block *sb, unsigned int layer,
				   u32 *fh, int words, int type);

int veneer_stack_init(void);
void veneer_stack_exit(void);

#endif
