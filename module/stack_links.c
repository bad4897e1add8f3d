// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hard links of a stack: a layer that was an upper may hold an object of which
 * the layers under it have other names.
 *
 * Such a layer's folder ".veneer/links" has an entry for each of these objects,
 * with the path of one of the names below.  From all of them a table is made,
 * once for each stack and not before it is needed: which object of a layer is
 * to be replaced by which entry of a layer above it.
 */
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/rbtree.h>
#include <linux/slab.h>

#include "links_dir.h"
#include "links_record.h"
#include "log.h"
#include "stack.h"
#include "stack_links.h"

/**
 * struct stack_link - one object that is replaced
 * @node: in veneer_stack_links.tree, by layer and inode number
 * @from: the object; a reference, so that its inode stays what it is
 * @to: the entry that replaces it; @to.dentry is a reference
 */
struct stack_link {
	struct rb_node		node;
	struct veneer_at	from;
	struct veneer_at	to;
};

/**
 * struct veneer_stack_links - the table of a stack
 * @lock: held while the table is made; under it layers are read
 * @ready: the table is complete.  Set once under @lock, read without
 * @tree: the table; never changes once @ready
 */
struct veneer_stack_links {
	struct mutex	lock;		/* as said above */
	bool		ready;
	struct rb_root	tree;
};

/* What is being read while the table is made. */
struct load {
	const struct veneer_stack	*stack;
	unsigned int			layer;
};

/**
 * veneer_stack_links_alloc - make an empty table
 * @depth: how many stacking filesystems there are at and under the stack: one
 *	class of locks for each, since a layer may be on another mount
 */
struct veneer_stack_links *veneer_stack_links_alloc(int depth)
{
	struct veneer_stack_links *links = kzalloc(sizeof(*links), GFP_KERNEL);

	if (!links)
		return NULL;
	mutex_init(&links->lock);
#ifdef CONFIG_LOCKDEP
	static struct lock_class_key key[FILESYSTEM_MAX_STACK_DEPTH];

	lockdep_set_class(&links->lock, &key[depth - 1]);
#endif
	return links;
}

static void clear_tree(struct veneer_stack_links *links)
{
	struct stack_link *link, *next;

	rbtree_postorder_for_each_entry_safe(link, next, &links->tree, node) {
		dput(link->from.dentry);
		dput(link->to.dentry);
		kfree(link);
	}
	links->tree = RB_ROOT;
}

/**
 * veneer_stack_links_free - forget a table
 * @links: the table, or %NULL
 */
void veneer_stack_links_free(struct veneer_stack_links *links)
{
	if (!links)
		return;
	clear_tree(links);
	mutex_destroy(&links->lock);
	kfree(links);
}

static int link_cmp(const struct stack_link *link, unsigned int layer, u64 ino)
{
	u64 has = d_inode(link->from.dentry)->i_ino;

	if (link->from.layer != layer)
		return link->from.layer < layer ? -1 : 1;
	return has == ino ? 0 : has < ino ? -1 : 1;
}

static const struct stack_link *find(const struct veneer_stack_links *links,
				     unsigned int layer, u64 ino)
{
	struct rb_node *node = links->tree.rb_node;

	while (node) {
		const struct stack_link *link =
			rb_entry(node, struct stack_link, node);
		int cmp = link_cmp(link, layer, ino);

		if (!cmp)
			return link;
		node = cmp < 0 ? node->rb_right : node->rb_left;
	}
	return NULL;
}

/* Takes over nothing.  Of two entries for one object the first counts. */
static int add(struct veneer_stack_links *links, const struct veneer_at *from,
	       struct dentry *to, unsigned int layer)
{
	struct rb_node **at = &links->tree.rb_node, *parent = NULL;
	struct stack_link *link;

	while (*at) {
		int cmp;

		parent = *at;
		cmp = link_cmp(rb_entry(parent, struct stack_link, node),
			       from->layer, d_inode(from->dentry)->i_ino);
		if (!cmp)
			return 0;
		at = cmp < 0 ? &parent->rb_right : &parent->rb_left;
	}

	link = kmalloc(sizeof(*link), GFP_KERNEL_ACCOUNT);
	if (!link)
		return -ENOMEM;
	link->from = (struct veneer_at) { dget(from->dentry), from->layer };
	link->to = (struct veneer_at) { dget(to), layer };
	rb_link_node(&link->node, parent, at);
	rb_insert_color(&link->node, &links->tree);
	return 0;
}

/* Goes on to the objects that replace the one that was found. */
static void replace(const struct veneer_stack_links *links, unsigned int from,
		    struct veneer_merge *merge)
{
	struct veneer_at *at = &merge->at[0];
	const struct stack_link *link;

	for (;;) {
		link = find(links, at->layer, d_inode(at->dentry)->i_ino);
		if (!link || d_inode(link->from.dentry) != d_inode(at->dentry) ||
		    link->to.layer < from)
			return;
		dput(at->dentry);
		at->dentry = dget(link->to.dentry);
		at->layer = link->to.layer;
		merge->linked = true;
	}
}

static bool has_links(const struct veneer_merge *merge)
{
	return merge->nr && !d_is_dir(merge->at[0].dentry) &&
	       d_inode(merge->at[0].dentry)->i_nlink > 1;
}

static int load_entry(void *arg, const struct path *entry, u64 id)
{
	const struct load *load = arg;
	struct veneer_stack_links *table = load->stack->links;
	struct veneer_merge below = {};
	struct veneer_links links;
	char *path = NULL;
	int err;

	err = veneer_links_get(entry, load->stack->userxattr, &links, &path);
	if (err <= 0)
		return err;

	/* An entry that something else was put at stands for nothing. */
	if (links.id == id)
		err = veneer_merge_walk(load->stack, load->layer + 1, path,
					&below);
	if (err >= 0 && has_links(&below)) {
		replace(table, load->layer + 1, &below);
		if (!((d_inode(below.at[0].dentry)->i_mode ^
		       d_inode(entry->dentry)->i_mode) & S_IFMT))
			err = add(table, &below.at[0], entry->dentry,
				  load->layer);
	}
	veneer_merge_free(&below);
	kfree(path);
	return min(err, 0);
}

/* From the bottom up: what an entry's path leads to is decided under it. */
static int load_all(const struct veneer_stack *stack)
{
	struct load load = { .stack = stack, .layer = stack->nr_layers };
	int err = 0;

	while (load.layer-- && !err) {
		struct path dir = { .mnt = stack->layers[load.layer] };

		dir.dentry = dir.mnt->mnt_root;
		dir.dentry = veneer_links_dir(&dir);
		if (IS_ERR(dir.dentry))
			return PTR_ERR(dir.dentry);
		if (dir.dentry)
			err = veneer_links_each(&dir, load_entry, &load);
		dput(dir.dentry);
	}
	return err;
}

/**
 * veneer_stack_links_prepare - make the table, if need be
 * @stack: the stack
 *
 * Runs with the mounter's credentials.
 */
int veneer_stack_links_prepare(const struct veneer_stack *stack)
{
	struct veneer_stack_links *links = stack->links;
	int err = 0;

	/* Pairs with the release below. */
	if (smp_load_acquire(&links->ready))
		return 0;
	if (mutex_lock_killable(&links->lock))
		return -EINTR;
	if (!links->ready) {
		err = load_all(stack);
		if (err)
			clear_tree(links);
		else
			/* Pairs with the acquire above. */
			smp_store_release(&links->ready, true);
	}
	mutex_unlock(&links->lock);
	return err;
}

/**
 * veneer_stack_links_apply - go on to what replaces an object
 * @stack: the stack
 * @from: the first layer that counts
 * @merge: what was found under a name in the layers from @from on; changed to
 *	what a layer above it has in its place
 *
 * Runs with the mounter's credentials.
 */
int veneer_stack_links_apply(const struct veneer_stack *stack,
			     unsigned int from, struct veneer_merge *merge)
{
	int err;

	if (!has_links(merge) || merge->at[0].layer <= from)
		return 0;
	err = veneer_stack_links_prepare(stack);
	if (!err)
		replace(stack->links, from, merge);
	return err;
}

/**
 * veneer_stack_links_ino - the full inode number of an object of a layer
 * @stack: the stack, its table prepared
 * @layer: the layer that the object is in
 * @ino: its inode number there
 *
 * The number of what replaces the object, if something does.
 */
u64 veneer_stack_links_ino(const struct veneer_stack *stack,
			   unsigned int layer, u64 ino)
{
	const struct stack_link *link;

	while ((link = find(stack->links, layer, ino))) {
		layer = link->to.layer;
		ino = d_inode(link->to.dentry)->i_ino;
	}
	return veneer_stack_map_ino(stack, layer, ino);
}
