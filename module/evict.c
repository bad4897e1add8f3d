// SPDX-License-Identifier: GPL-2.0-only
/*
 * Evict: block maps of files that have no name any more.
 *
 * A file's map goes when the last user of a file without a name has let go of it.
 * That is the one who removed or closed it, who may wait for the upper.  But if
 * the name was taken away behind our back, it can be anybody who needs memory:
 * he must take no lock of a filesystem.  And if a user may serve the upper, it is
 * he who unmounts, with s_umount held, which everybody's sync takes.  For both the
 * map is removed by the mount's worker, at the latest when that is ended: after
 * s_umount was let go of.
 */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/llist.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "evict.h"
#include "inode.h"
#include "log.h"
#include "mapfile.h"
#include "record.h"
#include "split.h"

/*
 * A map to be removed.
 * upper: the file that it belonged to; a reference
 * uuid: its name, if @known: else the file's record says it
 */
struct orphan {
	struct llist_node	node;
	struct dentry		*upper;
	uuid_t			uuid;
	bool			known;
};

/* Runs with the mounter's credentials. */
static int remove_orphan(struct veneer_mount *m, const struct orphan *orphan)
{
	const struct path path = veneer_upper_path(m, orphan->upper);
	struct veneer_record record = { .uuid = orphan->uuid };
	int ret = 1;

	if (!orphan->known)
		ret = veneer_record_get(&path, m->options.userxattr, &record);
	if (ret > 0)
		ret = veneer_mapfile_remove(m, &record);
	kfree(record.path);
	return min(ret, 0);
}

static void left_behind(const struct dentry *upper)
{
	veneer_err_ratelimited("%pd2: a block map without a file is left in .veneer\n",
			       upper);
}

static void orphans_worker(struct work_struct *work)
{
	struct veneer_mount *m = container_of(work, struct veneer_mount,
					      orphans_work);
	struct orphan *orphan, *next;

	CLASS(veneer_cred, cred)(m->cred);
	llist_for_each_entry_safe(orphan, next, llist_del_all(&m->orphans),
				  node) {
		if (remove_orphan(m, orphan))
			left_behind(orphan->upper);
		dput(orphan->upper);
		kfree(orphan);
		cond_resched();
	}
}

/**
 * veneer_orphans_init - a mount is being made
 * @m: the mount
 */
void veneer_orphans_init(struct veneer_mount *m)
{
	init_llist_head(&m->orphans);
	INIT_WORK(&m->orphans_work, orphans_worker);
}

static bool remove_later(struct veneer_mount *m, const struct orphan *orphan)
{
	struct orphan *copy = kmemdup(orphan, sizeof(*orphan),
				      GFP_NOWAIT | __GFP_NOWARN);

	if (!copy)
		return false;
	dget(copy->upper);
	if (llist_add(&copy->node, &m->orphans))
		queue_work(m->save_queue, &m->orphans_work);
	return true;
}

/**
 * veneer_map_evict - a file is forgotten
 * @inode: a regular file
 *
 * Without a name, its map goes, too.
 */
void veneer_map_evict(struct inode *inode)
{
	const struct veneer_split *split = veneer_inode_split(inode);
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	struct orphan orphan = { .upper = veneer_upper(inode) };
	bool done;

	if (!orphan.upper || d_inode(orphan.upper)->i_nlink)
		return;
	/* Without a split state, it was never opened. */
	if (split ? split->finished : !veneer_inode(inode)->has_map)
		return;
	if (split) {
		orphan.uuid = split->record.uuid;
		orphan.known = true;
	}

	if (current->flags & PF_MEMALLOC || m->served) {
		done = remove_later(m, &orphan);
	} else {
		CLASS(veneer_cred, cred)(m->cred);

		done = !remove_orphan(m, &orphan);
	}
	if (!done)
		left_behind(orphan.upper);
}
