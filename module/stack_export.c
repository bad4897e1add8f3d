// SPDX-License-Identifier: GPL-2.0-only
/* File handles of a stack: its objects found by what is in the layers. */
#include <linux/exportfs.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/slab.h>

#include "stack.h"
#include "stack_inode.h"
#include "stack_renames.h"

/**
 * veneer_stack_can_decode - can objects of all layers be found by handles?
 * @sb: the stack
 */
bool veneer_stack_can_decode(const struct super_block *sb)
{
	const struct veneer_stack *stack = veneer_stack(sb);

	for (unsigned int i = 0; i < stack->nr_layers; i++) {
		if (!exportfs_can_decode_fh(stack->layers[i]->mnt_sb->s_export_op))
			return false;
	}
	return true;
}

/* Is this object under the same path in its layer? */
static bool is_straight(const struct dentry *below)
{
	const struct veneer_stack *stack = veneer_stack(below->d_sb);
	bool same = true;
	struct dentry *at;
	struct path real;
	unsigned int layer;

	layer = veneer_stack_place(below, &real);
	at = real.dentry;

	/* A stack's names are fixed; a layer's should be, but may not be trusted. */
	rcu_read_lock();
	while (same && !IS_ROOT(below) && !IS_ROOT(at)) {
		struct name_snapshot name;

		take_dentry_name_snapshot(&name, at);
		same = name.name.len == below->d_name.len &&
		       !memcmp(name.name.name, below->d_name.name,
			       name.name.len);
		release_dentry_name_snapshot(&name);
		below = below->d_parent;
		at = READ_ONCE(at->d_parent);
	}
	same = same && IS_ROOT(below) &&
	       at == stack->layers[layer]->mnt_root;
	rcu_read_unlock();
	return same;
}

/**
 * veneer_stack_can_find - does the handle of the layer's object lead to this?
 * @below: an object of a stack
 *
 * Of one with several names only under the path that it has in its layer.
 */
bool veneer_stack_can_find(const struct dentry *below)
{
	return !veneer_stack_is_linked(below) || is_straight(below);
}

static int in_layer(void *root, struct dentry *dentry)
{
	return is_subdir(dentry, root);
}

/* Makes sure that what was found, if anything, is what was meant. */
static struct dentry *check(struct dentry *found, const struct dentry *real)
{
	struct path path;

	if (IS_ERR_OR_NULL(found))
		return found ? : ERR_PTR(-ESTALE);
	veneer_stack_real(found, &path);
	if (d_inode(path.dentry) == d_inode(real))
		return found;
	dput(found);
	return ERR_PTR(-ESTALE);
}

/**
 * veneer_path_from - the path of a real object, or of one of the stack
 * @dentry: the object, at or under @root
 * @root: where the path begins
 * @buf: room for it, 2 * PATH_MAX
 *
 * Return: the path, within @buf; or an ERR_PTR().
 */
char *veneer_path_from(const struct dentry *dentry, const struct dentry *root,
		       char *buf)
{
	char *path = dentry_path_raw(dentry, buf, PATH_MAX);
	char *skip = dentry_path_raw(root, buf + PATH_MAX, PATH_MAX);

	if (IS_ERR(path) || IS_ERR(skip))
		return IS_ERR(path) ? path : skip;
	/* Both are from the root of the filesystem. */
	if (strcmp(skip, "/"))
		path += min(strlen(skip), strlen(path));
	return path;
}

/* Finds an object of a layer by its path there, or by the stack's for that. */
static struct dentry *find(struct super_block *sb, unsigned int layer,
			   struct dentry *real)
{
	struct dentry *root = veneer_stack(sb)->layers[layer]->mnt_root;
	struct dentry *found = ERR_PTR(-ESTALE);
	char *buf, *path;

	buf = kmalloc(2 * PATH_MAX, GFP_KERNEL);
	if (!buf)
		return ERR_PTR(-ENOMEM);
	path = veneer_path_from(real, root, buf);
	if (IS_ERR(path))
		goto out;

	found = check(veneer_stack_walk(sb->s_root, path), real);
	if (found == ERR_PTR(-ESTALE))
		found = check(veneer_stack_renames_walk(sb, layer, real, path),
			      real);
out:
	kfree(buf);
	return found;
}

/**
 * veneer_stack_decode - find an object by the handle of a layer's
 * @sb: the stack
 * @layer: which layer
 * @fh: the handle
 * @words: its length
 * @type: its type
 *
 * Runs with the mounter's credentials.
 *
 * Return: the object with a reference, or an ERR_PTR(); %-ESTALE when the
 * layer's object is not in it any more, or is not what its path leads to.
 */
struct dentry *veneer_stack_decode(struct super_block *sb, unsigned int layer,
				   u32 *fh, int words, int type)
{
	const struct veneer_stack *stack = veneer_stack(sb);
	struct dentry *real, *found;

	if (layer >= stack->nr_layers)
		return ERR_PTR(-ESTALE);
	real = exportfs_decode_fh(stack->layers[layer], (struct fid *)fh, words,
				  type, in_layer,
				  stack->layers[layer]->mnt_root);
	if (IS_ERR_OR_NULL(real))
		return real ? : ERR_PTR(-ESTALE);

	found = find(sb, layer, real);
	dput(real);
	return found;
}
