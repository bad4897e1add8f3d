// SPDX-License-Identifier: GPL-2.0-only
/*
 * Renames of a stack: directories that have another path in a layer than in the
 * stack, since a layer above has renamed them.
 *
 * A renamed directory says where it goes on below; nothing below says by which
 * name it goes on above.  Who asks has a file handle of what is under it, and
 * that is rare.  So a table is made, once for each stack and not before it is
 * needed: of every directory of a layer that is part of a directory of the stack
 * under another name.  What is under one of these has the same names as in its
 * layer, up to the next of these.  How many there are is for whoever made the
 * layers to say, so the table is as large as they are many.
 *
 * Only a layer that has others under it can rename a directory of theirs, and
 * has all directories over its name, too.  So those of the stack that the
 * lowest layer alone has are not looked at: of an image, most.
 */
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/mount.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "listing.h"
#include "stack.h"
#include "stack_inode.h"
#include "stack_renames.h"

/**
 * struct stack_rename - one directory of a layer that was renamed
 * @node: in veneer_stack_renames.found, then in its table
 * @from: the directory; a reference, so that its inode stays what it is
 * @path: where it is in the stack
 */
struct stack_rename {
	struct hlist_node	node;
	struct veneer_at	from;
	char			path[];
};

/**
 * struct veneer_stack_renames - the table of a stack
 * @lock: held while the table is made; under it directories of the stack are
 *	read, and no handle is decoded
 * @ready: the table is complete, but for directories that could not be read
 *	when it was made.  Set once under @lock, read without
 * @found: those that are not in the table yet.  Under @lock
 * @nr: how many.  Under @lock
 * @table: the table, by the inode of the directory; never changes once @ready
 * @bits: log2 of its size, likewise
 */
struct veneer_stack_renames {
	struct mutex		lock;	/* as said above */
	bool			ready;
	struct hlist_head	found;
	unsigned int		nr;
	struct hlist_head	*table;
	unsigned int		bits;
};

/* A directory of the stack that is yet to be read; a reference. */
struct todo {
	struct list_head	node;
	struct dentry		*dir;
};

/**
 * veneer_stack_renames_alloc - make an empty table
 */
struct veneer_stack_renames *veneer_stack_renames_alloc(void)
{
	struct veneer_stack_renames *renames =
		kzalloc(sizeof(*renames), GFP_KERNEL);

	if (!renames)
		return NULL;
	mutex_init(&renames->lock);
	return renames;
}

static void drop(struct stack_rename *rename)
{
	hlist_del(&rename->node);
	dput(rename->from.dentry);
	kfree(rename);
}

static void drop_all(struct hlist_head *list)
{
	struct stack_rename *rename;
	struct hlist_node *next;

	hlist_for_each_entry_safe(rename, next, list, node)
		drop(rename);
}

/**
 * veneer_stack_renames_free - forget a table
 * @renames: the table, or %NULL
 */
void veneer_stack_renames_free(struct veneer_stack_renames *renames)
{
	if (!renames)
		return;
	for (u32 i = 0; renames->table && i < BIT(renames->bits); i++)
		drop_all(&renames->table[i]);
	kvfree(renames->table);
	mutex_destroy(&renames->lock);
	kfree(renames);
}

static struct hlist_head *bucket(const struct veneer_stack_renames *renames,
				 const struct inode *inode)
{
	u32 hash = veneer_name_hash((const char *)&inode, sizeof(inode));

	return &renames->table[hash & (BIT(renames->bits) - 1)];
}

static const struct stack_rename *find(const struct veneer_stack_renames *renames,
				       unsigned int layer,
				       const struct inode *inode)
{
	const struct stack_rename *rename;

	hlist_for_each_entry(rename, bucket(renames, inode), node) {
		if (rename->from.layer == layer &&
		    d_inode(rename->from.dentry) == inode)
			return rename;
	}
	return NULL;
}

/*
 * Makes the table of what was found.  Redirects may lead to one directory from
 * many: of those the one that was found last counts, and the others would make a
 * bucket long.
 */
static int make_table(struct veneer_stack_renames *renames)
{
	const unsigned int nr = max(renames->nr, 1U);
	struct stack_rename *rename;
	struct hlist_node *next;

	/* In steps: sparse has no patience for one macro in another. */
	renames->bits = order_base_2(nr);
	if (renames->bits > 31)
		renames->bits = 31;
	renames->table = kvcalloc(BIT(renames->bits), sizeof(*renames->table),
				  GFP_KERNEL_ACCOUNT);
	if (!renames->table)
		return -ENOMEM;
	hlist_for_each_entry_safe(rename, next, &renames->found, node) {
		struct inode *inode = d_inode(rename->from.dentry);

		if (find(renames, rename->from.layer, inode)) {
			drop(rename);
		} else {
			hlist_del(&rename->node);
			hlist_add_head(&rename->node, bucket(renames, inode));
		}
		cond_resched();
	}
	return 0;
}

static int add(struct veneer_stack_renames *renames,
	       const struct veneer_at *from, const char *path)
{
	const size_t size = strlen(path) + 1;
	struct stack_rename *rename;

	rename = kmalloc(struct_size(rename, path, size), GFP_KERNEL_ACCOUNT);
	if (!rename)
		return -ENOMEM;
	rename->from = (struct veneer_at) { dget(from->dentry), from->layer };
	memcpy(rename->path, path, size);
	hlist_add_head(&rename->node, &renames->found);
	renames->nr++;
	return 0;
}

/*
 * Has this part of a directory of the stack the same name in its layer, under a
 * part of the same parent?  A layer should not change, but may not be trusted.
 */
static bool is_renamed(const struct dentry *dir, const struct veneer_at *part)
{
	const struct veneer_merge *parent = veneer_stack_objects(dir->d_parent);
	struct name_snapshot name;
	bool same;

	take_dentry_name_snapshot(&name, part->dentry);
	same = name.name.len == dir->d_name.len &&
	       !memcmp(name.name.name, dir->d_name.name, name.name.len);
	release_dentry_name_snapshot(&name);

	for (unsigned int i = 0; same && i < parent->nr; i++) {
		if (parent->at[i].layer == part->layer)
			return READ_ONCE(part->dentry->d_parent) !=
			       parent->at[i].dentry;
	}
	return true;
}

static int add_renamed(struct veneer_stack_renames *renames,
		       struct dentry *dir, char *buf)
{
	const struct veneer_merge *parts = veneer_stack_objects(dir);
	char *path = NULL;
	int err = 0;

	for (unsigned int i = 0; i < parts->nr && !err; i++) {
		if (!is_renamed(dir, &parts->at[i]))
			continue;
		if (!path)
			path = dentry_path_raw(dir, buf, PATH_MAX);
		/* What has no path cannot be reached by one. */
		if (!IS_ERR(path))
			err = add(renames, &parts->at[i], path);
	}
	return err;
}

static int add_todo(struct list_head *list, struct dentry *dir)
{
	struct todo *todo = kmalloc(sizeof(*todo), GFP_KERNEL_ACCOUNT);

	if (!todo)
		return -ENOMEM;
	todo->dir = dget(dir);
	/* The last one first: so there are never many. */
	list_add(&todo->node, list);
	return 0;
}

static void drop_todo(struct todo *todo)
{
	list_del(&todo->node);
	dput(todo->dir);
	kfree(todo);
}

static bool ends_it(int err)
{
	return err == -ENOMEM || err == -EINTR;
}

/* What is damaged is left out: nothing can be found in it by names, either. */
static int read_dir(struct veneer_stack_renames *renames, struct dentry *dir,
		    struct list_head *list, char *buf)
{
	const unsigned int lowest = veneer_stack(dir->d_sb)->nr_layers - 1;
	const struct veneer_listing *listing = veneer_stack_listing(dir);
	int err = 0;

	if (IS_ERR(listing))
		return ends_it(PTR_ERR(listing)) ? PTR_ERR(listing) : 0;

	for (unsigned int i = 0; i < listing->nr && !err; i++) {
		const struct veneer_name *name = listing->names[i];
		struct dentry *child;

		if (name->type != DT_DIR || name->layer == lowest)
			continue;
		child = veneer_stack_find(dir, name->name);
		if (IS_ERR_OR_NULL(child)) {
			if (ends_it(PTR_ERR_OR_ZERO(child)))
				err = PTR_ERR(child);
			continue;
		}
		if (d_can_lookup(child)) {
			err = add_renamed(renames, child, buf);
			if (!err)
				err = add_todo(list, child);
		}
		dput(child);
	}
	return err;
}

static int load(struct super_block *sb, struct veneer_stack_renames *renames)
{
	struct todo *todo, *next;
	LIST_HEAD(list);
	char *buf;
	int err;

	buf = kmalloc(PATH_MAX, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	err = add_todo(&list, sb->s_root);
	while (!err && !list_empty(&list)) {
		todo = list_first_entry(&list, struct todo, node);
		err = read_dir(renames, todo->dir, &list, buf);
		drop_todo(todo);
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	list_for_each_entry_safe(todo, next, &list, node)
		drop_todo(todo);
	kfree(buf);
	return err;
}

/* Makes the table, if need be. */
static int prepare(struct super_block *sb)
{
	struct veneer_stack_renames *renames = veneer_stack(sb)->renames;
	int err = 0;

	/* Pairs with the release below. */
	if (smp_load_acquire(&renames->ready))
		return 0;
	if (mutex_lock_killable(&renames->lock))
		return -EINTR;
	if (!renames->ready) {
		err = load(sb, renames);
		if (!err)
			err = make_table(renames);
		drop_all(&renames->found);
		renames->nr = 0;
		if (!err) {
			/* Pairs with the acquire above. */
			smp_store_release(&renames->ready, true);
		}
	}
	mutex_unlock(&renames->lock);
	return err;
}

/**
 * veneer_stack_renames_walk - find an object under a renamed directory
 * @sb: the stack
 * @layer: the layer that the object is in
 * @real: the object there
 * @path: its path from the layer's root
 *
 * Runs with the mounter's credentials, without any lock.
 *
 * Return: what the stack has where the object should be, with a reference, or
 * an ERR_PTR(); %-ESTALE when there is nothing.  The caller looks whether it is
 * the object.
 */
struct dentry *veneer_stack_renames_walk(struct super_block *sb,
					 unsigned int layer,
					 struct dentry *real, const char *path)
{
	const struct stack_rename *rename;
	const char *rest = path + strlen(path);
	struct dentry *at, *found;
	char *whole;
	int err;

	err = prepare(sb);
	if (err)
		return ERR_PTR(err);

	/* The nearest one is what counts. */
	at = dget(real);
	while (!(rename = find(veneer_stack(sb)->renames, layer, d_inode(at))) &&
	       rest > path) {
		struct dentry *parent = dget_parent(at);

		dput(at);
		at = parent;
		while (rest > path && *--rest != '/')
			;
	}
	dput(at);
	if (!rename)
		return ERR_PTR(-ESTALE);

	whole = kasprintf(GFP_KERNEL, "%s%s", rename->path, rest);
	if (!whole)
		return ERR_PTR(-ENOMEM);
	found = veneer_stack_walk(sb->s_root, whole);
	kfree(whole);
	return found ? : ERR_PTR(-ESTALE);
}
