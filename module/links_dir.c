// SPDX-License-Identifier: GPL-2.0-only
/* The folder ".veneer/links" of a layer or of the upper, read. */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat.h"
#include "format.h"
#include "links_dir.h"
#include "links_record.h"
#include "real.h"

/**
 * veneer_links_dir - find the folder
 * @root: the root of a layer or of the upper
 *
 * Return: the folder with a reference, %NULL when there is none, or an
 * ERR_PTR().
 */
struct dentry *veneer_links_dir(const struct path *root)
{
	static const char * const names[] = {
		VENEER_DIR_NAME, VENEER_LINKS_DIR_NAME,
	};
	struct dentry *dir = dget(root->dentry);

	for (int i = 0; i < ARRAY_SIZE(names); i++) {
		struct dentry *next =
			veneer_lookup_unlocked(mnt_idmap(root->mnt), names[i],
					       dir);

		dput(dir);
		if (IS_ERR(next))
			return next;
		/* Whatever else is there was not made by us. */
		if (d_is_negative(next) || !d_can_lookup(next)) {
			dput(next);
			return NULL;
		}
		dir = next;
	}
	return dir;
}

/* The numbers of all entries. */
struct id_list {
	struct dir_context	ctx;
	u64			*id;
	size_t			nr;
	size_t			room;
	unsigned int		seen;
	int			err;
};

static bool list_actor(struct dir_context *ctx, const char *name, int len,
		       loff_t offset, u64 ino, unsigned int type)
{
	struct id_list *list = container_of(ctx, struct id_list, ctx);
	char digits[VENEER_LINKS_NAME_LEN];
	u64 id;

	/* A directory of a filesystem that is served may never end. */
	if (fatal_signal_pending(current)) {
		list->err = -EINTR;
		return false;
	}
	list->seen++;
	if (len != VENEER_LINKS_NAME_LEN - 1)
		return true;
	memcpy(digits, name, len);
	digits[len] = '\0';
	if (kstrtou64(digits, 16, &id))
		return true;

	if (list->nr == list->room) {
		size_t room = list->room ? 2 * list->room : 64;
		u64 *ids = kvrealloc(list->id, room * sizeof(*ids),
				     GFP_KERNEL_ACCOUNT);

		if (!ids) {
			list->err = -ENOMEM;
			return false;
		}
		list->id = ids;
		list->room = room;
	}
	list->id[list->nr++] = id;
	return true;
}

static int list_ids(const struct path *dir, struct id_list *list)
{
	struct file *file = veneer_real_open(dir, S_IFDIR, O_RDONLY);
	int err;

	if (IS_ERR(file))
		return PTR_ERR(file);
	do {
		list->seen = 0;
		err = iterate_dir(file, &list->ctx);
		if (!err)
			err = list->err;
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	} while (!err && list->seen);
	fput(file);
	return err;
}

/**
 * veneer_links_each - do something with each entry
 * @dir: the folder
 * @fn: what to do
 * @arg: handed on to @fn
 *
 * Runs with the mounter's credentials.
 */
int veneer_links_each(const struct path *dir, veneer_links_fn_t fn, void *arg)
{
	struct id_list list = { .ctx.actor = list_actor };
	int err = list_ids(dir, &list);

	for (size_t i = 0; i < list.nr && !err; i++) {
		struct path entry = { .mnt = dir->mnt };
		char name[VENEER_LINKS_NAME_LEN];

		veneer_links_name(list.id[i], name);
		entry.dentry = veneer_lookup_unlocked(mnt_idmap(dir->mnt), name,
						      dir->dentry);
		if (IS_ERR(entry.dentry)) {
			err = PTR_ERR(entry.dentry);
			break;
		}
		if (d_is_positive(entry.dentry) && !d_is_dir(entry.dentry))
			err = fn(arg, &entry, list.id[i]);
		dput(entry.dentry);
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	kvfree(list.id);
	return err;
}
