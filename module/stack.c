// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stack: an ordered list of read-only layers, merged; an image.
 *
 * This file makes the superblocks, shares them and takes them down.  What is
 * in one is in stack_inode.c.
 */
#include <linux/cred.h>
#include <linux/fs_context.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/statfs.h>

#include "compat.h"
#include "ino.h"
#include "kept.h"
#include "log.h"
#include "marks.h"
#include "stack.h"
#include "stack_inode.h"
#include "stack_links.h"
#include "stack_renames.h"

static atomic_t nr_stacks = ATOMIC_INIT(0);

/*
 * The stacks that are made, by veneer_stack.live.  Those that are being made have
 * their superblock locked for as long as it takes to look at the layers.
 */
static LIST_HEAD(live_stacks);
static DEFINE_MUTEX(live_lock);
static atomic64_t last_id = ATOMIC64_INIT(0);

/**
 * veneer_stack_count - how many stacks there are
 */
unsigned int veneer_stack_count(void)
{
	return atomic_read(&nr_stacks);
}

/**
 * veneer_stack_fsid - which of a stack's filesystems this is
 * @stack: the stack
 * @dev: device number of the filesystem
 *
 * Return: its number, or the first unused one when no layer is there.
 */
unsigned int veneer_stack_fsid(const struct veneer_stack *stack, dev_t dev)
{
	unsigned int i;

	for (i = 0; i < stack->nr_fs; i++) {
		if (stack->fs_dev[i] == dev)
			break;
	}
	return i;
}

/**
 * veneer_stack_map_ino - the full inode number of an object of a layer
 * @stack: the stack
 * @layer: the layer that the object is in
 * @ino: its inode number there
 */
u64 veneer_stack_map_ino(const struct veneer_stack *stack, unsigned int layer,
			 u64 ino)
{
	return veneer_map_ino(stack->fsid[layer], ino);
}

static void live_add(struct veneer_stack *stack)
{
	mutex_lock(&live_lock);
	list_add_tail(&stack->live, &live_stacks);
	mutex_unlock(&live_lock);
}

static void live_remove(struct veneer_stack *stack)
{
	mutex_lock(&live_lock);
	list_del_init(&stack->live);
	mutex_unlock(&live_lock);
}

static void stack_free(struct veneer_stack *stack)
{
	if (!stack)
		return;

	veneer_stack_renames_free(stack->renames);
	veneer_stack_links_free(stack->links);
	if (stack->layers)
		kern_unmount_array(stack->layers, stack->nr_layers);
	kvfree(stack->layers);
	kvfree(stack->fsid);
	kvfree(stack->fs_dev);
	kvfree(stack->keys);
	put_cred(stack->cred);
	kfree(stack);
}

/**
 * struct stack_request - what a mount asks for, the fs_private of a context
 * @fc: the mount's context, for messages
 * @layers: the layers' directories, top first
 * @nr: how many
 */
struct stack_request {
	struct fs_context	*fc;
	const struct path	*layers;
	unsigned int		nr;
};

/* As much of a stack as it takes to find out whether there is one already. */
static struct veneer_stack *stack_alloc(const struct stack_request *req,
					bool userxattr)
{
	struct veneer_stack *stack = kzalloc(sizeof(*stack), GFP_KERNEL);

	if (!stack)
		return NULL;

	stack->cred = get_cred(req->fc->cred);
	stack->userxattr = userxattr;
	stack->nr_keys = req->nr;
	INIT_LIST_HEAD(&stack->live);
	stack->keys = kvcalloc(req->nr, sizeof(*stack->keys), GFP_KERNEL);
	if (!stack->keys) {
		stack_free(stack);
		return NULL;
	}
	for (unsigned int i = 0; i < req->nr; i++) {
		stack->keys[i].root = req->layers[i].dentry;
		stack->keys[i].idmap = mnt_idmap(req->layers[i].mnt);
	}
	return stack;
}

static int stack_add_layer(const struct stack_request *req,
			   struct veneer_stack *stack, const struct path *path)
{
	const unsigned int nr = stack->nr_layers;
	struct vfsmount *mnt;
	struct kstat stat;
	unsigned int fsid;
	int err;

	err = vfs_getattr(path, &stat, STATX_INO, AT_STATX_SYNC_AS_STAT);
	if (err) {
		veneer_fc_err(req->fc, "lowerdir: cannot stat layer %u (%pd): error %d",
			      nr + 1, path->dentry, err);
		return err;
	}

	mnt = clone_private_mount(path);
	if (IS_ERR(mnt)) {
		veneer_fc_err(req->fc, "lowerdir: cannot clone the mount of layer %u (%pd): error %ld",
			      nr + 1, path->dentry, PTR_ERR(mnt));
		return PTR_ERR(mnt);
	}

	/* Nobody else has this mount yet, so its flags are ours to set. */
	mnt->mnt_flags |= MNT_READONLY | MNT_NOATIME;
	fsid = veneer_stack_fsid(stack, stat.dev);
	if (fsid == stack->nr_fs)
		stack->fs_dev[stack->nr_fs++] = stat.dev;
	stack->layers[nr] = mnt;
	stack->fsid[nr] = fsid;
	stack->depth = max(stack->depth, mnt->mnt_sb->s_stack_depth + 1);
	stack->nr_layers++;
	return 0;
}

/* Takes the layers into use. */
static int stack_add_layers(const struct stack_request *req,
			    struct veneer_stack *stack)
{
	int ret;

	stack->layers = kvcalloc(req->nr, sizeof(*stack->layers), GFP_KERNEL);
	stack->fsid = kvcalloc(req->nr, sizeof(*stack->fsid), GFP_KERNEL);
	stack->fs_dev = kvcalloc(req->nr, sizeof(*stack->fs_dev), GFP_KERNEL);
	if (!stack->layers || !stack->fsid || !stack->fs_dev)
		return -ENOMEM;

	for (unsigned int i = 0; i < req->nr; i++) {
		ret = stack_add_layer(req, stack, &req->layers[i]);
		if (!ret)
			ret = veneer_opaque_mark(&req->layers[i],
						 stack->userxattr);
		if (ret < 0)
			return ret;
		/* A layer may replace everything under it. */
		if (ret == 'y')
			break;
	}

	if (stack->depth > FILESYSTEM_MAX_STACK_DEPTH) {
		veneer_fc_err(req->fc, "lowerdir: a layer is on a filesystem that is stacked %d deep already",
			      FILESYSTEM_MAX_STACK_DEPTH);
		return -ELOOP;
	}

	stack->links = veneer_stack_links_alloc(stack->depth);
	stack->renames = veneer_stack_renames_alloc();
	return stack->links && stack->renames ? 0 : -ENOMEM;
}

/* Would these two see the same of every layer? */
static bool same_cred(const struct cred *a, const struct cred *b)
{
	u32 secid_a = 0, secid_b = 0;

	if (a == b)
		return true;
	security_cred_getsecid(a, &secid_a);
	security_cred_getsecid(b, &secid_b);
	return a->user_ns == b->user_ns && !cred_fscmp(a, b) &&
	       secid_a == secid_b &&
	       !memcmp(&a->cap_effective, &b->cap_effective,
		       sizeof(a->cap_effective));
}

static int stack_is_same(struct super_block *sb, struct fs_context *fc)
{
	const struct veneer_stack *a = sb->s_fs_info, *b = fc->s_fs_info;

	if (a->nr_keys != b->nr_keys || a->userxattr != b->userxattr ||
	    !same_cred(a->cred, b->cred))
		return false;

	for (unsigned int i = 0; i < a->nr_keys; i++) {
		if (a->keys[i].root != b->keys[i].root ||
		    a->keys[i].idmap != b->keys[i].idmap)
			return false;
	}
	return true;
}

static const struct super_operations stack_super_operations = {
	.alloc_inode	= veneer_stack_alloc_inode,
	.free_inode	= veneer_stack_free_inode,
	.drop_inode	= generic_delete_inode,
	.evict_inode	= veneer_stack_evict_inode,
	.statfs		= simple_statfs,
};

static int stack_fill_super(struct super_block *sb,
			    const struct stack_request *req)
{
	struct veneer_stack *stack = sb->s_fs_info;
	struct veneer_merge roots = {};
	struct inode *root;
	int err;

	stack->id = atomic64_inc_return(&last_id);
	CLASS(veneer_cred, cred)(stack->cred);
	err = stack_add_layers(req, stack);
	if (err)
		return err;

	sb->s_flags |= SB_RDONLY | SB_NOATIME;
	sb->s_maxbytes = MAX_LFS_FILESIZE;
	sb->s_stack_depth = stack->depth;
	sb->s_time_gran = 1;

	err = veneer_merge_roots(stack, 0, &roots);
	if (!err) {
		root = veneer_stack_new_inode(sb, &roots);
		err = PTR_ERR_OR_ZERO(root);
	}
	if (!err) {
		sb->s_root = d_make_root(root);
		err = sb->s_root ? 0 : -ENOMEM;
	}
	veneer_merge_free(&roots);
	return err;
}

static int stack_get_tree(struct fs_context *fc)
{
	struct super_block *sb;
	int err;

	sb = sget_fc(fc, stack_is_same, set_anon_super_fc);
	if (IS_ERR(sb))
		return PTR_ERR(sb);

	if (!sb->s_root) {
		sb->s_op = &stack_super_operations;
		atomic_inc(&nr_stacks);
		err = stack_fill_super(sb, fc->fs_private);
		if (err) {
			deactivate_locked_super(sb);
			return err;
		}
		sb->s_flags |= SB_ACTIVE;
		live_add(sb->s_fs_info);
	}
	fc->root = dget(sb->s_root);
	return 0;
}

static void stack_free_fc(struct fs_context *fc)
{
	stack_free(fc->s_fs_info);
}

static const struct fs_context_operations stack_context_operations = {
	.free		= stack_free_fc,
	.get_tree	= stack_get_tree,
};

static int stack_init_fs_context(struct fs_context *fc)
{
	fc->ops = &stack_context_operations;
	return 0;
}

static void stack_kill_sb(struct super_block *sb)
{
	struct veneer_stack *stack = sb->s_fs_info;

	live_remove(stack);
	/* Until this returns, stack_is_same() may still look at @stack. */
	kill_anon_super(sb);
	veneer_kept_settle(sb);
	stack_free(stack);
	atomic_dec(&nr_stacks);
}

/* Not registered: only veneer_stack_get() makes superblocks of it. */
static struct file_system_type stack_fs_type = {
	.owner			= THIS_MODULE,
	.name			= "veneer_stack",
	/* Whether it may be made is decided about the mount that wants it. */
	.fs_flags		= FS_USERNS_MOUNT,
	.init_fs_context	= stack_init_fs_context,
	.kill_sb		= stack_kill_sb,
};

/**
 * veneer_stack_get - find or make the stack of some layers
 * @fc: the context of the mount that wants it, which gives the credentials
 *	and takes the messages
 * @layers: the layers' directories, top first
 * @nr: how many
 * @userxattr: marks are in the user namespace
 *
 * Return: the stack's superblock with an active reference, for
 * veneer_stack_put(); or an ERR_PTR().
 */
struct super_block *veneer_stack_get(struct fs_context *fc,
				     const struct path *layers, unsigned int nr,
				     bool userxattr)
{
	struct stack_request req = { .fc = fc, .layers = layers, .nr = nr };
	struct veneer_stack *stack;
	struct super_block *sb;
	struct fs_context *sfc;
	int err;

	stack = stack_alloc(&req, userxattr);
	if (!stack)
		return ERR_PTR(-ENOMEM);

	{
		/* It belongs to the same user namespace as the mount. */
		CLASS(veneer_cred, cred)(fc->cred);

		sfc = fs_context_for_mount(&stack_fs_type,
					   SB_RDONLY | SB_NOATIME);
	}
	if (IS_ERR(sfc)) {
		stack_free(stack);
		return ERR_CAST(sfc);
	}

	sfc->fs_private = &req;
	sfc->s_fs_info = stack;
	err = vfs_get_tree(sfc);
	if (err) {
		put_fs_context(sfc);
		return ERR_PTR(err);
	}

	/* The context gives its reference up; keep one. */
	sb = sfc->root->d_sb;
	atomic_inc(&sb->s_active);
	up_write(&sb->s_umount);
	put_fs_context(sfc);
	return sb;
}

/**
 * veneer_stack_put - give a stack back
 * @sb: from veneer_stack_get(); may be %NULL
 */
void veneer_stack_put(struct super_block *sb)
{
	if (sb)
		deactivate_super(sb);
}

/**
 * veneer_stack_hold - take one more reference
 * @sb: a stack that the caller has an active reference of
 *
 * Return: @sb, for veneer_stack_put().
 */
struct super_block *veneer_stack_hold(struct super_block *sb)
{
	atomic_inc(&sb->s_active);
	return sb;
}

/**
 * veneer_stack_may_use - would this mounter have got this very stack?
 * @sb: the stack
 * @cred: the mounter's credentials
 */
bool veneer_stack_may_use(const struct super_block *sb, const struct cred *cred)
{
	return same_cred(veneer_stack(sb)->cred, cred);
}

/**
 * veneer_stack_count_mounts - more mounts use it, or fewer
 * @sb: the stack
 * @n: how many more
 */
void veneer_stack_count_mounts(struct super_block *sb, int n)
{
	struct veneer_stack *stack = sb->s_fs_info;

	atomic_add(n, &stack->mounts);
}

/**
 * veneer_stack_count_pins - more descriptors keep it, or fewer
 * @sb: the stack
 * @n: how many more
 */
void veneer_stack_count_pins(struct super_block *sb, int n)
{
	struct veneer_stack *stack = sb->s_fs_info;

	atomic_add(n, &stack->pins);
}

/**
 * veneer_stack_for_each - call a function for every stack
 * @fn: the function; must not wait for anything but memory
 * @arg: its second argument
 */
void veneer_stack_for_each(void (*fn)(const struct veneer_stack *stack,
				      void *arg), void *arg)
{
	const struct veneer_stack *stack;

	mutex_lock(&live_lock);
	list_for_each_entry(stack, &live_stacks, live)
		fn(stack, arg);
	mutex_unlock(&live_lock);
}

