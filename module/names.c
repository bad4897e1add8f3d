// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names: what the upper has to say about the names of a directory.
 *
 * The stack's listing never changes, so a directory of a mount is that plus
 * this: which of its names are hidden or are another object now, and which
 * names there are besides.  Read from the upper once, and then kept up with
 * every change, so that no later reader pays for it again.
 */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat.h"
#include "format.h"
#include "inode.h"
#include "marks.h"
#include "names.h"
#include "real.h"

static int entry_cmp(const struct veneer_names_entry *entry, u32 hash,
		     const char *name, unsigned int len)
{
	if (entry->hash != hash)
		return entry->hash < hash ? -1 : 1;
	if (entry->len != len)
		return entry->len < len ? -1 : 1;
	return memcmp(entry->name, name, len);
}

/**
 * veneer_names_find - find a name
 * @names: the names
 * @hash: veneer_name_hash() of the name
 * @name: the name
 * @len: its length
 *
 * Return: the entry, or %NULL.
 */
struct veneer_names_entry *veneer_names_find(const struct veneer_names *names,
					     u32 hash, const char *name,
					     unsigned int len)
{
	struct rb_node *node = names->tree.rb_node;

	while (node) {
		struct veneer_names_entry *entry =
			rb_entry(node, struct veneer_names_entry, node);
		int cmp = entry_cmp(entry, hash, name, len);

		if (!cmp)
			return entry;
		node = cmp < 0 ? node->rb_right : node->rb_left;
	}
	return NULL;
}

static void tree_insert(struct veneer_names *names,
			struct veneer_names_entry *new)
{
	struct rb_node **link = &names->tree.rb_node, *parent = NULL;

	while (*link) {
		struct veneer_names_entry *entry =
			rb_entry(*link, struct veneer_names_entry, node);

		parent = *link;
		link = entry_cmp(entry, new->hash, new->name, new->len) < 0 ?
		       &parent->rb_right : &parent->rb_left;
	}
	rb_link_node(&new->node, parent, link);
	rb_insert_color(&new->node, &names->tree);
}

/* Adds a name that is not there; it is neither hidden nor has it a number. */
static struct veneer_names_entry *
names_add(struct veneer_names *names, const struct veneer_listing *listing,
	  const char *name, unsigned int len)
{
	struct veneer_names_entry *entry =
		kmalloc(struct_size(entry, name, len + 1),
			GFP_KERNEL_ACCOUNT);

	if (!entry)
		return NULL;

	entry->ino = 0;
	entry->index = VENEER_NAME_BELOW;
	entry->hash = veneer_name_hash(name, len);
	entry->len = len;
	entry->type = DT_UNKNOWN;
	entry->hidden = false;
	entry->look = false;
	memcpy(entry->name, name, len);
	entry->name[len] = '\0';

	if (!listing || veneer_listing_find(listing, name, len) < 0) {
		entry->index = names->next;
		if (xa_err(xa_store(&names->extra, entry->index, entry,
				    GFP_KERNEL_ACCOUNT))) {
			kfree(entry);
			return NULL;
		}
		names->next++;
		names->nr_extra++;
	}
	tree_insert(names, entry);
	return entry;
}

static void names_remove(struct veneer_names *names,
			 struct veneer_names_entry *entry)
{
	if (entry->index != VENEER_NAME_BELOW) {
		xa_erase(&names->extra, entry->index);
		names->nr_extra--;
	}
	if (entry->hidden)
		names->nr_hidden--;
	rb_erase(&entry->node, &names->tree);
	kfree(entry);
}

static void names_set_hidden(struct veneer_names *names,
			     struct veneer_names_entry *entry, bool hidden)
{
	names->nr_hidden += hidden - entry->hidden;
	entry->hidden = hidden;
}

/**
 * veneer_names_free - forget the names
 * @names: may be %NULL
 */
void veneer_names_free(struct veneer_names *names)
{
	struct veneer_names_entry *entry, *next;

	if (!names)
		return;
	rbtree_postorder_for_each_entry_safe(entry, next, &names->tree, node)
		kfree(entry);
	xa_destroy(&names->extra);
	kfree(names);
}

/* One pass over the upper's directory. */
struct read_ctx {
	struct dir_context	ctx;
	struct veneer_names	*names;
	const struct veneer_listing *listing;
	const struct veneer_mount *m;
	bool			is_root;
	bool			impure;
	unsigned int		seen;
	int			err;
};

static bool read_actor(struct dir_context *ctx, const char *name, int len,
		       loff_t offset, u64 ino, unsigned int type)
{
	struct read_ctx *rc = container_of(ctx, struct read_ctx, ctx);
	struct veneer_names_entry *entry;

	/* A directory of a filesystem that is served may never end. */
	if (fatal_signal_pending(current)) {
		rc->err = -EINTR;
		return false;
	}
	rc->seen++;
	if ((len == 1 && name[0] == '.') ||
	    (len == 2 && name[0] == '.' && name[1] == '.') ||
	    (rc->is_root && len == strlen(VENEER_DIR_NAME) &&
	     !memcmp(name, VENEER_DIR_NAME, len)))
		return true;
	/* Nor need it tell each name once only. */
	if (veneer_names_find(rc->names, veneer_name_hash(name, len), name,
			      len))
		return true;

	entry = names_add(rc->names, rc->listing, name, len);
	if (!entry) {
		rc->err = -ENOMEM;
		return false;
	}
	entry->ino = veneer_show_ino(rc->m->nr_fs,
				     veneer_map_ino(rc->m->upper_fsid, ino));
	entry->type = type;
	/* What covers something below may show a number that it had there. */
	entry->look = rc->impure || entry->index == VENEER_NAME_BELOW ||
		      type == DT_CHR || type == DT_UNKNOWN;
	return true;
}

static int look_up_entry(struct veneer_mount *m, struct dentry *dir,
			 struct veneer_names *names,
			 struct veneer_names_entry *entry)
{
	const bool userxattr = m->options.userxattr;
	struct path path = { .mnt = m->upper };
	int ret = 1;
	u64 ino;

	path.dentry = veneer_lookup_unlocked(veneer_upper_idmap(m), entry->name,
					     dir);
	if (IS_ERR(path.dentry))
		return PTR_ERR(path.dentry);

	entry->look = false;
	if (d_is_positive(path.dentry))
		ret = veneer_is_whiteout(&path, userxattr);
	if (ret > 0) {
		if (entry->index == VENEER_NAME_BELOW)
			names_set_hidden(names, entry, true);
		else
			names_remove(names, entry);
	} else if (!ret) {
		entry->type = fs_umode_to_dtype(d_inode(path.dentry)->i_mode);
		ret = veneer_is_cdev0(&path, userxattr);
		if (ret > 0)
			entry->type = DT_CHR;
		if (ret >= 0)
			ret = veneer_origin_get(&path, userxattr, &ino);
		if (ret > 0)
			entry->ino = veneer_show_ino(m->nr_fs, ino);
		/* As in a lookup: the number is all that is wrong. */
		if (ret == -EUCLEAN)
			ret = 0;
	}
	dput(path.dentry);
	return min(ret, 0);
}

static int names_read(struct inode *dir, struct veneer_names *names,
		      const struct veneer_listing *listing)
{
	struct veneer_mount *m = veneer_mount(dir->i_sb);
	const struct path path = veneer_upper_path(m, veneer_upper(dir));
	struct read_ctx rc = {
		.ctx.actor	= read_actor,
		.names		= names,
		.listing	= listing,
		.m		= m,
		.is_root	= dir == d_inode(dir->i_sb->s_root),
	};
	struct rb_node *node, *next;
	struct file *file;
	ssize_t impure;
	int err;

	impure = veneer_mark_get(&path, m->options.userxattr,
				 VENEER_MARK_IMPURE, NULL, 0);
	if (impure < 0)
		return impure;
	rc.impure = impure;

	file = veneer_real_open(&path, S_IFDIR, O_RDONLY);
	if (IS_ERR(file))
		return PTR_ERR(file);
	do {
		rc.seen = 0;
		err = iterate_dir(file, &rc.ctx);
		if (!err)
			err = rc.err;
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	} while (!err && rc.seen);
	fput(file);

	for (node = rb_first(&names->tree); node && !err; node = next) {
		struct veneer_names_entry *entry =
			rb_entry(node, struct veneer_names_entry, node);

		next = rb_next(node);
		if (entry->look)
			err = look_up_entry(m, path.dentry, names, entry);
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	return err;
}

/**
 * veneer_names_get - the upper's names of a directory, read if need be
 * @dir: a directory of a mount that has an upper; locked, if only for reading
 * @listing: the stack's names, or %NULL
 *
 * Runs with the mounter's credentials.
 *
 * Return: the names, or an ERR_PTR().
 */
struct veneer_names *veneer_names_get(struct inode *dir,
				      const struct veneer_listing *listing)
{
	struct veneer_inode *vi = veneer_inode(dir);
	struct veneer_names *names;
	int err;

	/* Pairs with the release below. */
	names = smp_load_acquire(&vi->names);
	if (names)
		return names;
	if (mutex_lock_killable(&vi->lock))
		return ERR_PTR(-EINTR);

	names = vi->names;
	if (names)
		goto out;

	names = kzalloc(sizeof(*names), GFP_KERNEL_ACCOUNT);
	if (!names) {
		names = ERR_PTR(-ENOMEM);
		goto out;
	}
	names->tree = RB_ROOT;
	xa_init_flags(&names->extra, XA_FLAGS_ACCOUNT);
	err = names_read(dir, names, listing);
	if (err) {
		veneer_names_free(names);
		names = ERR_PTR(err);
	} else {
		/* Pairs with the acquire above. */
		smp_store_release(&vi->names, names);
	}
out:
	mutex_unlock(&vi->lock);
	return names;
}

/*
 * The entry of a name that changes, made if need be.  Names that nobody has
 * read are not kept up; without memory they are forgotten, and read again.
 */
static struct veneer_names_entry *entry_to_change(struct inode *dir,
						  const char *name,
						  unsigned int len)
{
	struct veneer_inode *vi = veneer_inode(dir);
	const struct veneer_listing *listing = NULL;
	struct veneer_names_entry *entry;

	if (!vi->names)
		return NULL;
	entry = veneer_names_find(vi->names, veneer_name_hash(name, len),
				  name, len);
	if (entry)
		return entry;

	/* It was made before the names were, so it is there. */
	if (veneer_dir_below(dir))
		listing = veneer_stack_listing(veneer_dir_below(dir));
	if (!IS_ERR(listing))
		entry = names_add(vi->names, listing, name, len);
	if (!entry) {
		veneer_names_free(vi->names);
		vi->names = NULL;
	}
	return entry;
}

/**
 * veneer_names_set - a name now is an object of the upper
 * @dir: the directory, locked for writing
 * @name: the name
 * @len: its length
 * @ino: the inode number that the mount shows
 * @type: the DT_* type that it shows
 */
void veneer_names_set(struct inode *dir, const char *name, unsigned int len,
		      u64 ino, unsigned int type)
{
	struct veneer_names_entry *entry = entry_to_change(dir, name, len);

	if (!entry)
		return;
	entry->ino = ino;
	entry->type = type;
	names_set_hidden(veneer_inode(dir)->names, entry, false);
}

/**
 * veneer_names_hide - a name that the stack has no longer shows
 * @dir: the directory, locked for writing
 * @name: the name
 * @len: its length
 */
void veneer_names_hide(struct inode *dir, const char *name, unsigned int len)
{
	struct veneer_names_entry *entry = entry_to_change(dir, name, len);

	if (entry)
		names_set_hidden(veneer_inode(dir)->names, entry, true);
}

/**
 * veneer_names_drop - a name that the stack does not have is gone
 * @dir: the directory, locked for writing
 * @name: the name
 * @len: its length
 */
void veneer_names_drop(struct inode *dir, const char *name, unsigned int len)
{
	struct veneer_names *names = veneer_inode(dir)->names;
	struct veneer_names_entry *entry;

	if (!names)
		return;
	entry = veneer_names_find(names, veneer_name_hash(name, len), name,
				  len);
	if (entry)
		names_remove(names, entry);
}
