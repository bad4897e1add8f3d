// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hard links of a mount: objects with several names below stay one object.
 *
 * An object with several names below is copied up into an entry of the folder
 * ".veneer/links", under a number.  It carries a record of one of its names
 * below, by which it is found for all of them: the stack has one inode for all
 * names of an object.  A name that is changed itself (renamed, removed) first
 * becomes a name in the upper, too.
 *
 * How many names there are is the object's own link count, less the entry, and
 * the number that are still below.  The first is kept by the upper's
 * filesystem; the second changes only when a name is added to the upper, which
 * is made one step by a record that says what counts before and after it.  So
 * no crash leaves a wrong count.
 *
 * Callers run with the mounter's credentials.
 */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/random.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat.h"
#include "copyup.h"
#include "format.h"
#include "inode.h"
#include "links.h"
#include "links_dir.h"
#include "log.h"
#include "mount.h"
#include "namei.h"
#include "upper.h"

/**
 * struct entry - one entry, as far as it takes to find it
 * @node: in veneer_links_index.tree
 * @ino: inode number that the object has below; 0 for an entry that a crash
 *	has left without any name
 * @id: its name
 */
struct entry {
	struct rb_node	node;
	u64		ino;
	u64		id;
};

/**
 * veneer_links_init - begin with nothing
 * @index: what to begin
 * @depth: how many stacking filesystems there are at and under the mount: one
 *	class of locks for each, since an upper may be on another mount
 */
void veneer_links_init(struct veneer_links_index *index, int depth)
{
	mutex_init(&index->lock);
#ifdef CONFIG_LOCKDEP
	static struct lock_class_key key[FILESYSTEM_MAX_STACK_DEPTH];

	lockdep_set_class(&index->lock, &key[depth - 1]);
#endif
}

static void clear_tree(struct veneer_links_index *index)
{
	struct entry *entry, *next;

	rbtree_postorder_for_each_entry_safe(entry, next, &index->tree, node)
		kfree(entry);
	index->tree = RB_ROOT;
}

/**
 * veneer_links_destroy - forget everything
 * @index: what to forget
 */
void veneer_links_destroy(struct veneer_links_index *index)
{
	clear_tree(index);
	dput(index->dir);
	index->dir = NULL;
}

static void insert(struct veneer_links_index *index, struct entry *new)
{
	struct rb_node **at = &index->tree.rb_node, *parent = NULL;

	while (*at) {
		parent = *at;
		at = new->ino < rb_entry(parent, struct entry, node)->ino ?
		     &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&new->node, parent, at);
	rb_insert_color(&new->node, &index->tree);
}

/* The first of the entries with this number; they are neighbours. */
static struct entry *first_entry(const struct veneer_links_index *index, u64 ino)
{
	struct rb_node *node = index->tree.rb_node;
	struct entry *found = NULL;

	while (node) {
		struct entry *entry = rb_entry(node, struct entry, node);

		if (entry->ino == ino)
			found = entry;
		node = entry->ino < ino ? node->rb_right : node->rb_left;
	}
	return found;
}

static struct entry *next_entry(struct entry *entry)
{
	struct rb_node *node = rb_next(&entry->node);
	struct entry *next = node ? rb_entry(node, struct entry, node) : NULL;

	return next && next->ino == entry->ino ? next : NULL;
}

/**
 * veneer_links_wanted - do the names of this object stay together?
 * @m: the mount
 * @below: an object of its stack
 *
 * All that have several names do, if they can carry a record: user.*
 * attributes are for regular files only.
 */
bool veneer_links_wanted(const struct veneer_mount *m,
			 const struct dentry *below)
{
	return !d_is_dir(below) && veneer_stack_nlink(below) > 1 &&
	       (!m->options.userxattr || d_is_reg(below));
}

/* Finds the folder, if it is there. */
static int find_dir(struct veneer_mount *m)
{
	const struct path root = veneer_upper_path(m, m->upper->mnt_root);
	struct dentry *dir;

	if (m->links.dir)
		return 0;
	dir = veneer_links_dir(&root);
	if (IS_ERR(dir))
		return PTR_ERR(dir);
	m->links.dir = dir;
	return 0;
}

static struct dentry *make_dir_at(struct veneer_mount *m, struct dentry *parent,
				  const char *name)
{
	const struct veneer_new new = { .mode = S_IFDIR | 0700 };
	struct dentry *dir = veneer_upper_make_unseen(m, parent, name, &new);

	if (dir != ERR_PTR(-EEXIST))
		return dir;
	dir = veneer_lookup_unlocked(veneer_upper_idmap(m), name, parent);
	if (!IS_ERR(dir) && !d_can_lookup(dir)) {
		veneer_err_ratelimited("%pd2 is in the way; remove it\n", dir);
		dput(dir);
		return ERR_PTR(-ENOTDIR);
	}
	return dir;
}

static int make_dir(struct veneer_mount *m)
{
	struct dentry *own, *dir;

	if (m->links.dir)
		return 0;
	own = make_dir_at(m, m->upper->mnt_root, VENEER_DIR_NAME);
	if (IS_ERR(own))
		return PTR_ERR(own);
	dir = make_dir_at(m, own, VENEER_LINKS_DIR_NAME);
	dput(own);
	if (IS_ERR(dir))
		return PTR_ERR(dir);
	m->links.dir = dir;
	return 0;
}

/*
 * Where an object's record leads: to an object of the stack that still has
 * several names, or to %NULL.
 */
static struct dentry *follow(struct veneer_mount *m, const struct path *upper,
			     const char *path)
{
	struct dentry *below = veneer_stack_walk(m->stack->s_root, path);

	if (below == ERR_PTR(-EUCLEAN))
		return NULL;
	if (IS_ERR_OR_NULL(below))
		return below;
	if (veneer_links_wanted(m, below) &&
	    d_inode(below)->i_mode >> 12 == d_inode(upper->dentry)->i_mode >> 12)
		return below;
	dput(below);
	return NULL;
}

/*
 * Reads the record of an object of the upper, and finds what it stands for:
 * both outcomes are %NULL without a record that leads somewhere.
 */
static int read_record(struct veneer_mount *m, const struct path *upper,
		       struct veneer_links *links, struct dentry **below)
{
	char *path = NULL;
	int err;

	*below = NULL;
	err = veneer_links_get(upper, m->options.userxattr, links, &path);
	if (err > 0) {
		*below = follow(m, upper, path);
		err = PTR_ERR_OR_ZERO(*below);
		if (err)
			*below = NULL;
	}
	kfree(path);
	return min(err, 0);
}

static int load_entry(void *arg, const struct path *path, u64 id)
{
	struct veneer_mount *m = arg;
	const unsigned int nlink = d_inode(path->dentry)->i_nlink;
	struct veneer_links links;
	struct dentry *below;
	struct entry *entry;
	int err;

	err = read_record(m, path, &links, &below);
	if (err || !below)
		return err;
	if (links.id != id) {
		dput(below);
		return 0;
	}

	entry = kmalloc(sizeof(*entry), GFP_KERNEL_ACCOUNT);
	if (entry) {
		entry->id = id;
		entry->ino = veneer_links_count(&links, nlink) ?
			     veneer_stack_ino(below) : 0;
		insert(&m->links, entry);
	}
	dput(below);
	return entry ? 0 : -ENOMEM;
}

/* Reads the folder, the first time that it matters. */
static int load(struct veneer_mount *m)
{
	struct path dir = { .mnt = m->upper };
	int err;

	if (m->links.ready)
		return 0;
	err = find_dir(m);
	dir.dentry = m->links.dir;
	if (!err && dir.dentry)
		err = veneer_links_each(&dir, load_entry, m);
	if (err)
		clear_tree(&m->links);
	else
		m->links.ready = true;
	return err;
}

static struct dentry *entry_dentry(struct veneer_mount *m, u64 id)
{
	char name[VENEER_LINKS_NAME_LEN];

	veneer_links_name(id, name);
	return veneer_lookup_unlocked(veneer_upper_idmap(m), name, m->links.dir);
}

/**
 * veneer_links_lookup - is this a name of an object that has more of them below?
 * @m: the mount
 * @upper: the object that the upper has under the name, no directory; its
 *	dentry, a reference, is changed to that of the entry if so
 * @below: what was found of it in the stack, or %NULL; a reference, changed
 *	likewise
 * @links: receives the record, for kfree()
 *
 * Return: 1, 0, or a negative error.
 */
int veneer_links_lookup(struct veneer_mount *m, struct path *upper,
			struct dentry **below, struct veneer_links **links)
{
	struct dentry *under, *entry = NULL;
	struct veneer_links record;
	int err;

	err = read_record(m, upper, &record, &under);
	if (err || !under)
		return err;

	err = mutex_lock_killable(&m->links.lock);
	if (!err) {
		err = find_dir(m);
		if (!err && m->links.dir) {
			entry = entry_dentry(m, record.id);
			err = PTR_ERR_OR_ZERO(entry);
		}
		mutex_unlock(&m->links.lock);
	}
	if (err) {
		dput(under);
		return err;
	}

	/* A copy of an upper may have lost what its names had in common. */
	if (!entry || d_inode(entry) != d_inode(upper->dentry) ||
	    (*below && d_inode(*below) != d_inode(under)))
		goto none;
	*links = kmemdup(&record, sizeof(record), GFP_KERNEL);
	if (!*links) {
		err = -ENOMEM;
		goto none;
	}
	dput(*below);
	*below = under;
	dput(upper->dentry);
	upper->dentry = entry;
	return 1;
none:
	dput(under);
	dput(entry);
	return err;
}

/**
 * veneer_links_find - has this object been copied up through another name?
 * @m: the mount, which has an upper
 * @below: an object of the stack that is wanted
 * @upper: receives the entry; its dentry is a reference
 * @links: receives the record, for kfree()
 *
 * The answer stays true only while nobody can copy the object up: while its
 * inode is new, for instance.
 *
 * Return: 1, 0, or a negative error.
 */
int veneer_links_find(struct veneer_mount *m, struct dentry *below,
		      struct path *upper, struct veneer_links **links)
{
	struct veneer_links record;
	struct entry *entry;
	int err;

	if (mutex_lock_killable(&m->links.lock))
		return -EINTR;
	err = load(m);
	entry = err ? NULL : first_entry(&m->links, veneer_stack_ino(below));
	for (; entry && !err; entry = next_entry(entry)) {
		struct path path = { .mnt = m->upper };
		struct dentry *under = NULL;

		/* As many as somebody has put there. */
		if (fatal_signal_pending(current)) {
			err = -EINTR;
			break;
		}
		path.dentry = entry_dentry(m, entry->id);
		if (IS_ERR(path.dentry)) {
			err = PTR_ERR(path.dentry);
			break;
		}
		if (d_is_positive(path.dentry))
			err = read_record(m, &path, &record, &under);
		/* A number may mean two objects, on very large filesystems. */
		if (under && d_inode(under) == d_inode(below)) {
			dput(under);
			*links = kmemdup(&record, sizeof(record), GFP_KERNEL);
			if (!*links) {
				dput(path.dentry);
				err = -ENOMEM;
			} else {
				*upper = path;
				err = 1;
			}
			break;
		}
		dput(under);
		dput(path.dentry);
	}
	mutex_unlock(&m->links.lock);
	return err;
}

/**
 * veneer_links_is_entry - is this an entry, rather than an object's own name?
 * @m: the mount, which has an upper
 * @upper: an object of the upper
 *
 * Return: 1, 0, or %-EINTR.
 */
int veneer_links_is_entry(struct veneer_mount *m, const struct dentry *upper)
{
	int is_entry;

	if (d_is_dir(upper))
		return 0;
	if (mutex_lock_killable(&m->links.lock))
		return -EINTR;
	is_entry = !find_dir(m) && m->links.dir &&
		   READ_ONCE(upper->d_parent) == m->links.dir;
	mutex_unlock(&m->links.lock);
	return is_entry;
}

static char *path_below(struct dentry *below, char **buf)
{
	char *path;

	*buf = kmalloc(PATH_MAX, GFP_KERNEL);
	if (!*buf)
		return ERR_PTR(-ENOMEM);
	path = dentry_path_raw(below, *buf, PATH_MAX);
	if (IS_ERR(path))
		kfree(*buf);
	return path;
}

/**
 * veneer_links_new - give a new object of work/ its record
 * @m: the mount; its upper can be written
 * @temp: the object
 * @below: the object of the stack that it is copied from
 *
 * Return: the record, for kfree(); or an ERR_PTR().
 */
struct veneer_links *veneer_links_new(struct veneer_mount *m,
				      const struct path *temp,
				      struct dentry *below)
{
	struct veneer_links *links;
	char *path, *buf;
	int err;

	links = kmalloc(sizeof(*links), GFP_KERNEL_ACCOUNT);
	if (!links)
		return ERR_PTR(-ENOMEM);
	links->id = get_random_u64();
	links->nlink = 1;
	links->left = veneer_stack_nlink(below);
	links->left_else = links->left;

	path = path_below(below, &buf);
	err = PTR_ERR_OR_ZERO(path);
	if (!err) {
		err = veneer_links_set(temp, m->options.userxattr, links, path);
		kfree(buf);
	}
	/* What the filesystem says of a value that is too long for it. */
	if (err == -E2BIG || err == -ERANGE)
		err = -ENAMETOOLONG;
	if (!err)
		return links;
	kfree(links);
	return ERR_PTR(err);
}

/* The folder has been found: it is there, or @dentry would not be in it. */
static void remove_entry(struct veneer_mount *m, struct dentry *dentry)
{
	struct dentry *dir = READ_ONCE(m->links.dir);
	int err = -ESTALE;

	/* With a single reference it would lose its inode, which may be open. */
	dget(dentry);
	inode_lock_nested(d_inode(dir), I_MUTEX_PARENT);
	if (dentry->d_parent == dir && !d_unhashed(dentry))
		err = vfs_unlink(veneer_upper_idmap(m), d_inode(dir), dentry,
				 NULL);
	inode_unlock(d_inode(dir));
	dput(dentry);
	if (err)
		veneer_err_ratelimited("cannot remove %pd2 (error %d); a later mount will\n",
				       dentry, err);
}

/* Removes what a crash has left without a name. */
static void sweep(struct veneer_mount *m)
{
	struct entry *entry;

	while ((entry = first_entry(&m->links, 0))) {
		struct dentry *dentry = entry_dentry(m, entry->id);

		if (!IS_ERR(dentry)) {
			if (d_is_positive(dentry))
				remove_entry(m, dentry);
			dput(dentry);
		}
		rb_erase(&entry->node, &m->links.tree);
		kfree(entry);
	}
}

/**
 * veneer_links_install - make an object of work/ an entry
 * @m: the mount; its upper can be written
 * @temp: the object; no longer in work/ on success
 * @below: the object of the stack that it is copied from
 * @links: from veneer_links_new()
 */
int veneer_links_install(struct veneer_mount *m, struct dentry *temp,
			 struct dentry *below, const struct veneer_links *links)
{
	char name[VENEER_LINKS_NAME_LEN];
	struct entry *entry;
	int err;

	entry = kmalloc(sizeof(*entry), GFP_KERNEL_ACCOUNT);
	if (!entry)
		return -ENOMEM;
	entry->id = links->id;
	entry->ino = veneer_stack_ino(below);
	veneer_links_name(links->id, name);

	err = mutex_lock_killable(&m->links.lock);
	if (!err) {
		err = load(m);
		if (!err)
			err = make_dir(m);
		if (!err) {
			sweep(m);
			err = veneer_temp_install(m, temp, m->links.dir, name);
		}
		if (!err)
			insert(&m->links, entry);
		mutex_unlock(&m->links.lock);
	}
	if (err)
		kfree(entry);
	return err;
}

/* Writes a record anew, with other counts, and keeps to it from now on. */
static int change_counts(struct inode *inode, const struct veneer_links *links)
{
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	const struct path upper = veneer_upper_path(m, veneer_upper(inode));
	struct veneer_links old;
	char *below = NULL;
	int err;

	err = veneer_links_get(&upper, m->options.userxattr, &old, &below);
	if (!err)
		err = -ESTALE;
	if (err > 0)
		err = veneer_links_set(&upper, m->options.userxattr, links,
				       below);
	kfree(below);
	if (err)
		return err;

	spin_lock(&inode->i_lock);
	*veneer_inode(inode)->links = *links;
	spin_unlock(&inode->i_lock);
	return 0;
}

/**
 * veneer_links_settle - before an object's own link count changes
 * @inode: an object with a record, its lock held; the upper can be written
 *
 * Makes sure that what it has below does not change along.
 */
int veneer_links_settle(struct inode *inode)
{
	struct veneer_links links = *veneer_inode(inode)->links;

	lockdep_assert_held(&veneer_inode(inode)->lock);
	if (links.left == links.left_else)
		return 0;
	links.left = veneer_links_left(&links, veneer_upper_nlink(inode));
	links.left_else = links.left;
	return change_counts(inode, &links);
}

static int link_into(struct veneer_mount *m, struct inode *inode,
		     struct dentry *dir, const char *name)
{
	const struct veneer_new new = { .hardlink = veneer_upper(inode) };
	struct veneer_links links, settled;
	struct dentry *made;
	int err;

	err = veneer_links_settle(inode);
	if (err)
		return err;

	settled = *veneer_inode(inode)->links;
	links = settled;
	links.nlink = veneer_upper_nlink(inode);
	if (links.left_else)
		links.left_else--;
	err = change_counts(inode, &links);
	if (err)
		return err;

	made = veneer_upper_make_unseen(m, dir, name, &new);
	if (IS_ERR(made)) {
		/* Should this fail, too: the next change settles it. */
		change_counts(inode, &settled);
		return PTR_ERR(made);
	}
	dput(made);
	veneer_links_settle(inode);
	return 0;
}

/**
 * veneer_links_add_name - see that a name of an object is in the upper
 * @dentry: a name of an object with a record, its lock held; the directory has
 *	an upper, which can be written
 */
int veneer_links_add_name(struct dentry *dentry)
{
	struct inode *inode = d_inode(dentry);
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	struct dentry *parent = dget_parent(dentry);
	struct dentry *dir = veneer_upper(d_inode(parent));
	struct dentry *there;
	struct name_snapshot name;
	int err = 0;

	lockdep_assert_held(&veneer_inode(inode)->lock);
	take_dentry_name_snapshot(&name, dentry);
	there = veneer_lookup_unlocked(veneer_upper_idmap(m), name.name.name,
				       dir);
	if (IS_ERR(there))
		err = PTR_ERR(there);
	else if (d_is_negative(there))
		err = veneer_mark_impure_for(d_inode(parent), inode) ? :
		      link_into(m, inode, dir, name.name.name);
	else if (d_inode(there) != d_inode(veneer_upper(inode)))
		err = -ESTALE;
	if (!IS_ERR(there))
		dput(there);
	release_dentry_name_snapshot(&name);
	dput(parent);
	return err;
}

/**
 * veneer_links_copy_up - before a name of an object is changed
 * @dentry: a name, its directory locked
 *
 * Does nothing for an object whose names do not stay together, or that has
 * none below.  Must not be called with write access to the upper's mount.
 */
int veneer_links_copy_up(struct dentry *dentry)
{
	struct inode *inode = d_inode(dentry);
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	struct veneer_inode *vi = veneer_inode(inode);
	int err;

	if (S_ISDIR(inode->i_mode) || !vi->below ||
	    !veneer_links_wanted(m, vi->below))
		return 0;
	err = veneer_copy_up(dentry);
	/* One that was copied up apart from its other names has no record. */
	if (err || !vi->links)
		return err;
	err = veneer_copy_up(dentry->d_parent);
	if (err)
		return err;

	if (mutex_lock_killable(&vi->lock))
		return -EINTR;
	err = mnt_want_write(m->upper);
	if (!err) {
		CLASS(veneer_cred, cred)(m->cred);

		err = veneer_links_add_name(dentry);
		mnt_drop_write(m->upper);
	}
	mutex_unlock(&vi->lock);
	return err;
}

/**
 * veneer_links_lost_name - after a name of an object was removed
 * @inode: an object with a record, its lock held; the upper can be written
 *
 * When it was the last one the entry goes, too.
 */
void veneer_links_lost_name(struct inode *inode)
{
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	struct dentry *upper = veneer_upper(inode);
	const struct dentry *below = veneer_inode(inode)->below;
	const struct veneer_links *links = veneer_inode(inode)->links;
	struct entry *entry;

	lockdep_assert_held(&veneer_inode(inode)->lock);
	if (veneer_links_count(links, veneer_upper_nlink(inode)))
		return;

	remove_entry(m, upper);
	/* To remember one that is gone does no harm. */
	if (mutex_lock_killable(&m->links.lock))
		return;
	entry = m->links.ready ? first_entry(&m->links, veneer_stack_ino(below)) :
			   NULL;
	while (entry && entry->id != links->id)
		entry = next_entry(entry);
	if (entry) {
		rb_erase(&entry->node, &m->links.tree);
		kfree(entry);
	}
	mutex_unlock(&m->links.lock);
}
