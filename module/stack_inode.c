// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is in a stack: its inodes, and finding names in its directories.
 *
 * A stack's inode never changes once it can be found; what is worked out
 * later (a directory's listing, where a file's data is) is worked out once.
 */
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/slab.h>

#include "chain.h"
#include "compat.h"
#include "links_record.h"
#include "marks.h"
#include "stack.h"
#include "stack_inode.h"
#include "stack_links.h"

/**
 * struct veneer_stack_inode - an object of a stack
 * @objects: the objects of layers behind it, top first; never empty, fixed
 *	before the inode can be found, dropped at eviction
 * @lock: held while @listing or @chain is worked out.  The last lock of all:
 *	under it only layers are read
 * @listing: of a directory: its names.  Set once under @lock, read without;
 *	lives as long as the inode
 * @key: of an object with several names: its inode in @key_layer, for the inode
 *	hash; %NULL for any other.  Never followed; fixed before the inode can be
 *	found
 * @key_layer: which layer that is
 * @chain: of a regular file: where its bytes are.  Set once under @lock, read
 *	without; %NULL until asked for; freed with the inode
 * @vfs_inode: the inode
 */
struct veneer_stack_inode {
	struct veneer_merge	objects;
	struct mutex		lock;		/* as said above */
	struct veneer_listing	*listing;
	struct veneer_chain	*chain;
	const struct inode	*key;
	unsigned int		key_layer;
	struct inode		vfs_inode;
};

static struct kmem_cache *stack_inode_cache;

static struct veneer_stack_inode *stack_inode(const struct inode *inode)
{
	return container_of(inode, struct veneer_stack_inode, vfs_inode);
}

static const struct veneer_at *top_object(const struct dentry *below)
{
	return &stack_inode(d_inode(below))->objects.at[0];
}

static void at_path(const struct super_block *sb, const struct veneer_at *at,
		    struct path *path)
{
	path->mnt = veneer_stack(sb)->layers[at->layer];
	path->dentry = at->dentry;
}

static struct dentry *stack_lookup(struct inode *dir, struct dentry *dentry,
				   unsigned int flags)
{
	const struct veneer_merge *parent = &stack_inode(dir)->objects;
	struct veneer_merge merge = {};
	struct inode *inode = NULL;
	int err;

	err = veneer_merge_lookup(veneer_stack(dir->i_sb), parent->at,
				  parent->nr, dentry->d_name.name, &merge);
	if (!err)
		err = veneer_stack_links_apply(veneer_stack(dir->i_sb), 0,
					       &merge);
	if (!err && merge.nr)
		inode = veneer_stack_new_inode(dir->i_sb, &merge);
	veneer_merge_free(&merge);
	return err ? ERR_PTR(err) : d_splice_alias(inode, dentry);
}

/* Only mounts look here, and they check the real objects themselves. */
static int stack_permission(struct mnt_idmap *idmap, struct inode *inode,
			    int mask)
{
	return 0;
}

static const struct inode_operations stack_dir_operations = {
	.lookup		= stack_lookup,
	.permission	= stack_permission,
};

static const struct inode_operations stack_file_operations = {
	.permission	= stack_permission,
};

/*
 * A mount's directory lock is held over the stack's, and the stack's over a
 * layer's, which may be another mount of ours: one class for each depth.
 */
static void annotate_locks(struct veneer_stack_inode *si)
{
#ifdef CONFIG_LOCKDEP
	static struct lock_class_key rwsem_key[FILESYSTEM_MAX_STACK_DEPTH];
	static struct lock_class_key lock_key[FILESYSTEM_MAX_STACK_DEPTH];
	int depth = si->vfs_inode.i_sb->s_stack_depth - 1;

	lockdep_set_class(&si->vfs_inode.i_rwsem, &rwsem_key[depth]);
	lockdep_set_class(&si->lock, &lock_key[depth]);
#endif
}

/* Is it this object of this layer? */
static int object_test(struct inode *inode, void *key)
{
	const struct veneer_at *at = &((struct veneer_merge *)key)->at[0];
	const struct veneer_stack_inode *si = stack_inode(inode);

	return si->key == d_inode(at->dentry) && si->key_layer == at->layer;
}

static int object_set(struct inode *inode, void *key)
{
	const struct veneer_at *at = &((struct veneer_merge *)key)->at[0];

	stack_inode(inode)->key = d_inode(at->dentry);
	stack_inode(inode)->key_layer = at->layer;
	return 0;
}

/* How many names an object shows, if that is not what its layer counts. */
static int count_names(const struct super_block *sb, const struct veneer_at *at,
		       unsigned int *nlink)
{
	struct veneer_links links;
	struct path path;
	int ret;

	at_path(sb, at, &path);
	ret = veneer_links_get(&path, veneer_stack(sb)->userxattr, &links, NULL);
	if (ret > 0)
		*nlink = veneer_links_count(&links, *nlink);
	return min(ret, 0);
}

/* What an upper that became a layer says of an object's protection. */
static int read_prot(const struct super_block *sb, const struct veneer_at *at)
{
	const struct inode *top = d_inode(at->dentry);
	struct path path;

	if (!S_ISDIR(top->i_mode) && !S_ISREG(top->i_mode))
		return 0;
	at_path(sb, at, &path);
	return veneer_prot_get(&path, veneer_stack(sb)->userxattr);
}

/* Takes the merge over. */
static void inode_fill(struct inode *inode, struct veneer_merge *merge,
		       unsigned int nlink, unsigned int prot)
{
	struct veneer_stack_inode *si = stack_inode(inode);
	const struct veneer_at *at = &merge->at[0];
	const struct inode *top = d_inode(at->dentry);

	inode->i_ino = veneer_stack_map_ino(veneer_stack(inode->i_sb),
					    at->layer, top->i_ino);
	inode->i_mode = top->i_mode;
	set_nlink(inode, nlink);
	inode->i_flags |= S_PRIVATE | S_NOATIME | S_NOCMTIME | prot;
	inode->i_op = S_ISDIR(top->i_mode) ? &stack_dir_operations :
					     &stack_file_operations;
	si->objects = *merge;
	*merge = (struct veneer_merge) {};
	annotate_locks(si);
}

/* The names of one object of one layer share an inode. */
static struct inode *linked_inode(struct super_block *sb,
				  struct veneer_merge *merge,
				  unsigned int nlink, unsigned int prot)
{
	unsigned long hash = (unsigned long)d_inode(merge->at[0].dentry);
	struct inode *inode;
	int err;

	err = count_names(sb, &merge->at[0], &nlink);
	if (err)
		return ERR_PTR(err);
	inode = iget5_locked(sb, hash, object_test, object_set, merge);
	if (!inode)
		return ERR_PTR(-ENOMEM);
	if (inode->i_state & I_NEW) {
		inode_fill(inode, merge, nlink, prot);
		unlock_new_inode(inode);
	}
	return inode;
}

/**
 * veneer_stack_new_inode - find or make the inode for an object
 * @sb: the stack
 * @merge: the objects of layers behind it; may be taken over and left empty
 *
 * Only an object with several names can have one already.
 */
struct inode *veneer_stack_new_inode(struct super_block *sb,
				     struct veneer_merge *merge)
{
	const struct inode *top = d_inode(merge->at[0].dentry);
	unsigned int nlink = top->i_nlink;
	int prot = read_prot(sb, &merge->at[0]);
	struct inode *inode;

	if (prot < 0)
		return ERR_PTR(prot);
	if (!S_ISDIR(top->i_mode) && (nlink > 1 || merge->linked))
		return linked_inode(sb, merge, nlink, prot);

	inode = new_inode(sb);
	if (!inode)
		return ERR_PTR(-ENOMEM);
	inode_fill(inode, merge, nlink, prot);
	return inode;
}

struct inode *veneer_stack_alloc_inode(struct super_block *sb)
{
	struct veneer_stack_inode *si =
		alloc_inode_sb(sb, stack_inode_cache, GFP_KERNEL);

	if (!si)
		return NULL;
	si->objects = (struct veneer_merge) {};
	si->listing = NULL;
	si->chain = NULL;
	si->key = NULL;
	mutex_init(&si->lock);
	return &si->vfs_inode;
}

void veneer_stack_free_inode(struct inode *inode)
{
	mutex_destroy(&stack_inode(inode)->lock);
	kmem_cache_free(stack_inode_cache, stack_inode(inode));
}

void veneer_stack_evict_inode(struct inode *inode)
{
	struct veneer_stack_inode *si = stack_inode(inode);

	truncate_inode_pages_final(&inode->i_data);
	clear_inode(inode);
	veneer_listing_free(si->listing);
	veneer_chain_free(si->chain);
	veneer_merge_free(&si->objects);
}

/**
 * veneer_stack_find - find a name in a directory of a stack
 * @dir: the directory
 * @name: the name
 *
 * Return: the object with a reference, %NULL when there is none, or an
 * ERR_PTR().
 */
struct dentry *veneer_stack_find(struct dentry *dir, const char *name)
{
	struct dentry *found = veneer_lookup_unlocked(&nop_mnt_idmap, name, dir);

	if (!IS_ERR(found) && d_is_negative(found)) {
		dput(found);
		return NULL;
	}
	return found;
}

/**
 * veneer_stack_walk - find an object of a stack by its path
 * @root: the root of the stack
 * @path: the path from there; symbolic links are not followed
 *
 * Return: the object with a reference, %NULL when there is none, or an
 * ERR_PTR().
 */
struct dentry *veneer_stack_walk(struct dentry *root, const char *path)
{
	struct dentry *at = dget(root);
	char *copy, *rest, *name;

	copy = kstrdup(path, GFP_KERNEL);
	if (!copy) {
		dput(at);
		return ERR_PTR(-ENOMEM);
	}

	rest = copy;
	while ((name = strsep(&rest, "/")) && !IS_ERR_OR_NULL(at)) {
		struct dentry *next = NULL;

		if (!*name)
			continue;
		if (!strcmp(name, ".") || !strcmp(name, ".."))
			next = ERR_PTR(-EUCLEAN);
		else if (d_can_lookup(at))
			next = veneer_stack_find(at, name);
		dput(at);
		at = next;
	}
	kfree(copy);
	return at;
}

/**
 * veneer_stack_real - the object of a layer that gives the metadata
 * @below: an object of a stack
 * @real: receives the path; no references: it lives as long as @below
 */
void veneer_stack_real(const struct dentry *below, struct path *real)
{
	at_path(below->d_sb, top_object(below), real);
}

/**
 * veneer_stack_place - the same, and which layer it is in
 * @below: an object of a stack
 * @real: receives the path; no references: it lives as long as @below
 */
unsigned int veneer_stack_place(const struct dentry *below, struct path *real)
{
	veneer_stack_real(below, real);
	return top_object(below)->layer;
}

/**
 * veneer_stack_ino - the inode number that mounts show
 * @below: an object of a stack
 */
u64 veneer_stack_ino(const struct dentry *below)
{
	return d_inode(below)->i_ino;
}

/**
 * veneer_stack_is_merged - does this directory come from several layers?
 * @below: an object of a stack
 */
bool veneer_stack_is_merged(const struct dentry *below)
{
	return stack_inode(d_inode(below))->objects.nr > 1;
}

/**
 * veneer_stack_is_linked - may this object have several names?
 * @below: an object of a stack
 *
 * If so, all of them share its inode.
 */
bool veneer_stack_is_linked(const struct dentry *below)
{
	return stack_inode(d_inode(below))->key;
}

/**
 * veneer_stack_nlink - how many names an object has
 * @below: an object of a stack
 *
 * Those of its layer, and of the layers under it when it was copied up from
 * there.  Fixed as long as @below lives.
 */
unsigned int veneer_stack_nlink(const struct dentry *below)
{
	return d_inode(below)->i_nlink;
}

/**
 * veneer_stack_prot - is an object marked as immutable, or append-only?
 * @below: an object of a stack
 *
 * Return: S_IMMUTABLE and S_APPEND; what the layer's own inode has comes to it.
 */
unsigned int veneer_stack_prot(const struct dentry *below)
{
	return d_inode(below)->i_flags & (S_IMMUTABLE | S_APPEND);
}

/**
 * veneer_stack_listing - the names of a directory
 * @below: a directory of a stack
 *
 * Return: the listing, which lives as long as @below; or an ERR_PTR().
 */
const struct veneer_listing *veneer_stack_listing(struct dentry *below)
{
	struct veneer_stack_inode *si = stack_inode(d_inode(below));
	struct veneer_listing *listing;

	/* Pairs with the release below. */
	listing = smp_load_acquire(&si->listing);
	if (listing)
		return listing;

	if (mutex_lock_killable(&si->lock))
		return ERR_PTR(-EINTR);
	listing = si->listing;
	if (!listing) {
		listing = veneer_listing_make(veneer_stack(below->d_sb),
					      si->objects.at, si->objects.nr,
					      IS_ROOT(below));
		if (!IS_ERR(listing)) {
			/* Pairs with the acquire above. */
			smp_store_release(&si->listing, listing);
		}
	}
	mutex_unlock(&si->lock);
	return listing;
}

/**
 * veneer_stack_objects - the objects of layers behind an object
 * @below: an object of a stack
 *
 * Return: those objects, which live as long as @below.
 */
const struct veneer_merge *veneer_stack_objects(const struct dentry *below)
{
	return &stack_inode(d_inode(below))->objects;
}

/**
 * veneer_stack_chain - the files that have a file's bytes
 * @below: a regular file of a stack
 *
 * Return: the chain, which lives as long as @below; or an ERR_PTR().  What
 * went wrong is tried again by the next caller.
 */
struct veneer_chain *veneer_stack_chain(struct dentry *below)
{
	struct veneer_stack_inode *si = stack_inode(d_inode(below));
	struct veneer_chain *chain;

	/* Pairs with the release below. */
	chain = smp_load_acquire(&si->chain);
	if (chain)
		return chain;

	if (mutex_lock_killable(&si->lock))
		return ERR_PTR(-EINTR);
	chain = si->chain;
	if (!chain) {
		CLASS(veneer_cred, cred)(veneer_stack(below->d_sb)->cred);

		chain = veneer_chain_make(below);
		if (!IS_ERR(chain)) {
			/* Pairs with the acquire above. */
			smp_store_release(&si->chain, chain);
		}
	}
	mutex_unlock(&si->lock);
	return chain;
}

static void stack_inode_init_once(void *inode)
{
	inode_init_once(&((struct veneer_stack_inode *)inode)->vfs_inode);
}

int veneer_stack_init(void)
{
	stack_inode_cache =
		kmem_cache_create("veneer_stack_inode",
				  sizeof(struct veneer_stack_inode), 0,
				  SLAB_RECLAIM_ACCOUNT | SLAB_ACCOUNT,
				  stack_inode_init_once);
	return stack_inode_cache ? 0 : -ENOMEM;
}

void veneer_stack_exit(void)
{
	/* Inodes are freed after a grace period. */
	rcu_barrier();
	kmem_cache_destroy(stack_inode_cache);
}
