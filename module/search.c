// SPDX-License-Identifier: GPL-2.0-only
/*
 * Search: objects of a mount that are not where they were below.
 *
 * Nothing on the disk leads from an object of a layer to the place that it was
 * moved to, since next to nobody asks.  Who does has a file handle.  Such an
 * object is in the upper, and in its directory's list of names with the number
 * that it always had: so it is enough to read the directories of the upper, of
 * which a mount has few, and whose names stay in memory.
 *
 * Callers run with the mounter's credentials.
 */
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/namei.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat.h"
#include "dir.h"
#include "inode.h"
#include "search.h"

/**
 * struct search - what is looked for, and where not yet
 * @ino: numbers, the ones that are worth most first
 * @nr: how many are still worth looking for: those before the one that was
 *	found
 * @found: what shows that number; a reference, or %NULL
 * @dirs: directories to be read, struct place
 */
struct search {
	const u64		*ino;
	unsigned int		nr;
	struct dentry		*found;
	struct list_head	dirs;
};

/*
 * A directory to be read, or a name in one to be looked up.
 * dir: a reference, or %NULL
 */
struct place {
	struct list_head	node;
	struct dentry		*dir;
	char			name[];
};

static int add_place(struct list_head *list, struct dentry *dir,
		     const char *name)
{
	const size_t size = strlen(name) + 1;
	struct place *place;

	place = kmalloc(struct_size(place, name, size), GFP_KERNEL_ACCOUNT);
	if (!place)
		return -ENOMEM;
	place->dir = dget(dir);
	memcpy(place->name, name, size);
	/* The last one first: so there are never many. */
	list_add(&place->node, list);
	return 0;
}

static void drop_place(struct place *place)
{
	list_del(&place->node);
	dput(place->dir);
	kfree(place);
}

static void drop_places(struct list_head *list)
{
	struct place *place, *next;

	list_for_each_entry_safe(place, next, list, node)
		drop_place(place);
}

static int find_ino(const struct search *search, u64 ino)
{
	for (unsigned int i = 0; i < search->nr; i++) {
		if (search->ino[i] == ino)
			return i;
	}
	return -1;
}

/*
 * The names that may be it, or lead to it.  A directory that was copied up since
 * the upper's names were read is known by the stack's name only.
 */
static int list_names(const struct search *search, struct inode *dir,
		      struct list_head *list)
{
	const struct veneer_listing *listing;
	struct veneer_names *names;
	struct rb_node *node;
	int err;

	inode_lock_shared(dir);
	err = veneer_dir_halves(dir, &listing, &names);
	node = err ? NULL : rb_first(&names->tree);
	for (; node && !err; node = rb_next(node)) {
		const struct veneer_names_entry *entry =
			rb_entry(node, struct veneer_names_entry, node);

		if (!entry->hidden && (entry->type == DT_DIR ||
				       find_ino(search, entry->ino) >= 0))
			err = add_place(list, NULL, entry->name);
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
	}
	for (unsigned int i = 0; !err && listing && i < listing->nr; i++) {
		const struct veneer_name *name = listing->names[i];

		if (name->type == DT_DIR &&
		    !veneer_names_find(names, name->hash, name->name,
				       name->len))
			err = add_place(list, NULL, name->name);
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
	}
	inode_unlock_shared(dir);
	return err;
}

static bool is_in_upper(const struct inode *dir, const char *name)
{
	const struct veneer_mount *m = veneer_mount(dir->i_sb);
	struct dentry *upper;
	bool is_there;

	upper = veneer_lookup_unlocked(veneer_upper_idmap(m), name,
				       veneer_upper(dir));
	is_there = !IS_ERR(upper) && d_is_positive(upper);
	if (!IS_ERR(upper))
		dput(upper);
	return is_there;
}

/* A name of a directory; %NULL when it is of no use, or damaged. */
static struct dentry *look_up(struct dentry *dir, const char *name)
{
	struct dentry *dentry;

	if (!is_in_upper(d_inode(dir), name))
		return NULL;
	dentry = veneer_lookup_unlocked(&nop_mnt_idmap, name, dir);
	if (IS_ERR(dentry))
		return PTR_ERR(dentry) == -ENOMEM ? dentry : NULL;
	if (d_is_positive(dentry))
		return dentry;
	dput(dentry);
	return NULL;
}

static int look_at(struct search *search, struct dentry *dentry)
{
	const struct inode *inode = d_inode(dentry);
	int at = find_ino(search, inode->i_ino);

	if (at >= 0) {
		dput(search->found);
		search->found = dget(dentry);
		search->nr = at;
	}
	if (search->nr && d_can_lookup(dentry) && veneer_upper(inode))
		return add_place(&search->dirs, dentry, "");
	return 0;
}

static int read_dir(struct search *search, struct dentry *dir)
{
	struct place *place, *next;
	LIST_HEAD(names);
	int err;

	err = list_names(search, d_inode(dir), &names);
	/* What is damaged, or gone by now, does not lead to it. */
	if (err != -ENOMEM && err != -EINTR)
		err = 0;
	list_for_each_entry_safe(place, next, &names, node) {
		struct dentry *dentry;

		if (err || !search->nr)
			break;
		dentry = look_up(dir, place->name);
		drop_place(place);
		if (IS_ERR(dentry)) {
			err = PTR_ERR(dentry);
		} else if (dentry) {
			err = look_at(search, dentry);
			dput(dentry);
		}
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	drop_places(&names);
	return err;
}

/* The best that there is, in @search; or an error. */
static int run(struct super_block *sb, struct search *search)
{
	int err;

	INIT_LIST_HEAD(&search->dirs);
	err = veneer_upper(d_inode(sb->s_root)) ?
	      add_place(&search->dirs, sb->s_root, "") : 0;
	while (!err && search->nr && !list_empty(&search->dirs)) {
		struct place *place = list_first_entry(&search->dirs,
						       struct place, node);
		struct dentry *dir = dget(place->dir);

		drop_place(place);
		err = read_dir(search, dir);
		dput(dir);
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	drop_places(&search->dirs);
	if (err) {
		dput(search->found);
		search->found = NULL;
	}
	return err;
}

/**
 * veneer_search - find an object of the upper by its number
 * @sb: the mount
 * @ino: the inode number that it shows
 *
 * Return: one of its names, with a reference; or an ERR_PTR(), of %-ESTALE
 * when there is none.
 */
struct dentry *veneer_search(struct super_block *sb, u64 ino)
{
	struct search search = { .ino = &ino, .nr = 1 };
	int err = run(sb, &search);

	return err ? ERR_PTR(err) : search.found ? : ERR_PTR(-ESTALE);
}

/* Goes on from a directory by the names that lead on below. */
static struct dentry *go_on(struct dentry *at, struct dentry **chain,
			    unsigned int nr)
{
	while (nr-- && !IS_ERR(at)) {
		struct dentry *next = ERR_PTR(-ESTALE);

		if (d_can_lookup(at))
			next = veneer_lookup_unlocked(&nop_mnt_idmap,
						      chain[nr]->d_name.name,
						      at);
		dput(at);
		at = next;
	}
	if (!IS_ERR(at) &&
	    (d_is_negative(at) ||
	     d_inode(at)->i_ino !=
	     veneer_below_ino(veneer_mount(at->d_sb), chain[0]))) {
		dput(at);
		at = ERR_PTR(-ESTALE);
	}
	return at;
}

/**
 * veneer_search_cached - an inode that is in use, by the object that it was
 * @sb: the mount
 * @below: the object of the stack
 *
 * Once it is copied up, what finds an inode is the object in the upper; from
 * what is below nothing leads to it.
 *
 * Return: the inode with a reference, or %NULL.
 */
struct inode *veneer_search_cached(struct super_block *sb,
				   const struct dentry *below)
{
	struct inode *inode, *found = NULL, *held = NULL;

	spin_lock(&sb->s_inode_list_lock);
	list_for_each_entry(inode, &sb->s_inodes, i_sb_list) {
		if (READ_ONCE(veneer_inode(inode)->below) == below) {
			found = igrab(inode);
			if (found)
				break;
		}
		if (!need_resched() || !igrab(inode))
			continue;
		/* It keeps the place in the list. */
		spin_unlock(&sb->s_inode_list_lock);
		iput(held);
		held = inode;
		cond_resched();
		spin_lock(&sb->s_inode_list_lock);
	}
	spin_unlock(&sb->s_inode_list_lock);
	iput(held);
	return found;
}

/**
 * veneer_search_below - find where an object of the stack shows
 * @sb: the mount
 * @below: the object, which does not show under the names that it has below
 *
 * It, or a directory over it, was moved.
 *
 * Return: as for veneer_search().
 */
struct dentry *veneer_search_below(struct super_block *sb,
				   struct dentry *below)
{
	const struct veneer_mount *m = veneer_mount(sb);
	struct dentry *root = m->stack->s_root;
	struct dentry *found = ERR_PTR(-ENOMEM), *at, **chain;
	struct search search = {};
	unsigned int nr = 0;
	u64 *ino;

	if (below == root)
		return ERR_PTR(-ESTALE);
	/* Nothing in a stack is ever moved, and @below holds all that is over it. */
	for (at = below; at != root; at = at->d_parent)
		nr++;
	chain = kvmalloc_array(nr, sizeof(*chain), GFP_KERNEL_ACCOUNT);
	ino = kvmalloc_array(nr, sizeof(*ino), GFP_KERNEL_ACCOUNT);
	if (!chain || !ino)
		goto out;
	for (at = below; at != root; at = at->d_parent) {
		chain[search.nr] = at;
		ino[search.nr++] = veneer_below_ino(m, at);
	}

	search.ino = ino;
	found = ERR_PTR(run(sb, &search));
	if (!IS_ERR(found))
		found = search.found ? go_on(search.found, chain, search.nr) :
				       ERR_PTR(-ESTALE);
out:
	kvfree(chain);
	kvfree(ino);
	return found;
}
