/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mount: an upper over a stack; what a container sees.
 *
 * Lock order, the outermost first.  A lock is taken with any number of those
 * above it held, and none of those below:
 *
 *   s_umount of a mount
 *     veneer_mount.save_lock
 *       s_umount of the upper's filesystem
 *       veneer_split.flush_lock
 *     sb_writers of a mount
 *       i_rwsem of the mount's directories, as the VFS orders them
 *         i_rwsem of a mount's file
 *           veneer_split.flush_lock
 *             veneer_inode.lock: one at a time
 *               veneer_links_index.lock
 *               veneer_inode.io_lock
 *                 sb_writers of the upper's filesystem
 *                   s_vfs_rename_mutex of the upper's filesystem
 *                     i_rwsem of the upper's directories and files: work/
 *                     first
 *               veneer_stack_renames.lock: with none of the above
 *               i_rwsem of a directory of the stack
 *                 veneer_stack_inode.lock, veneer_stack_links.lock: not both
 *                   i_rwsem of a directory of a layer
 *
 * A page fault takes, under mmap_lock: the invalidate lock of a mount's file,
 * a folio's lock.  To read a page, or ahead, both are held over the same two of
 * a real file, as a fault in that file takes them; under these, no other lock of
 * the upper is taken.  For writing, the first is held over zapping and forgetting
 * pages only.  mmap(2) takes veneer_inode.map_lock under mmap_lock, and nothing
 * under that.
 *
 * kept.c's table_lock, a spinlock, is taken under any of these, and in memory
 * reclaim; nothing but a workqueue's locks is taken under it.  The files of that
 * table are closed with no lock held; but by whoever lets an inode go, or has
 * saved it, with the locks that this takes.
 *
 * mmap_lock is taken under i_rwsem of a mount's file and of its directories
 * (a copy to or from user memory faults), so nothing under mmap_lock may take
 * those.  The copy-up that the first store to a mapping can need takes locks of
 * the upper that others hold over mmap_lock; see veneer_copy_up_from_mmap().
 *
 * Who can make whom wait.  Write-back, and with it everybody's sync, takes
 * save_lock, flush_lock, io_lock and the upper's i_rwsem, and waits for
 * veneer_inode.past_cache.  None of these may be held over a copy from or to a
 * user's memory, or while a pipe is empty: that lasts for as long as its owner
 * likes.  So the upper is called with page faults off where its filesystem
 * would copy with its i_rwsem held, and memory that is not there is waited for
 * outside.  That does not keep a direct request from mmap_lock, which is held
 * for as long: its memory is pinned before any of these locks is taken.  See
 * io.c, splice.c, and range.c for FIEMAP.  What waits for such
 * memory, or for a pipe, holds i_rwsem of the mount's own file at most, which
 * write-back does not take.  Nor may any of them be held over a call to a layer,
 * which may be of a filesystem that a user serves: see missing.c.  And where the
 * upper is of one, a mount has nothing to write back: see served.c.
 */
#ifndef VENEER_MOUNT_H
#define VENEER_MOUNT_H

#include <linux/errseq.h>
#include <linux/fs.h>
#include <linux/llist.h>
#include <linux/mount.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "links.h"
#include "options.h"
#include "stack.h"
#include "stats.h"
#include "tunables.h"

#define VENEER_SUPER_MAGIC	0x764e4552	/* "vNER" */

/**
 * struct veneer_mount - a mount, the s_fs_info of its superblock
 * @cred: the mounter's credentials, a reference.  Every look at a real object
 *	is made with them
 * @writer_cred: the same without what a disk keeps for the mounter, a reference;
 *	see writer.c.  %NULL on a mount without an upper
 * @stack: the stack, an active reference
 * @upper: private clone of the mount that the upper is on, rooted at the
 *	upper; %NULL on a mount without one
 * @work: the directory "work" in the given workdir, a reference: where an
 *	object is made before it gets its name
 * @workdir: the given workdir, a reference
 * @upper_claimed: @upper's root is marked as in use by us
 * @work_claimed: @workdir is
 * @served: the upper is of a filesystem that a user may serve, FUSE: see served.c
 * @upper_fsid: number of the upper's filesystem, for veneer_map_ino()
 * @nr_fs: how many filesystems its objects are on, for veneer_show_ino()
 * @temp_id: makes names in @work
 * @wb_err: the state of the write-back errors of the upper's filesystem: on a
 *	volatile mount when it was mounted; on any other, as far as they were
 *	taken over to the mount's superblock.  Under @unsaved_lock then
 * @namelen: longest name
 * @read_only: the superblock's being read-only was asked of it, and not of a
 *	vfsmount, which then would be so by itself.  Under s_umount, held for
 *	writing
 * @links: objects with several names below that are in the upper
 * @strays: by the number of an object of the upper: how many of its links are in
 *	work/ and could not be removed, which the next mount will.  They are no
 *	names.  An entry changes under its inode's veneer_inode.lock
 * @unsaved_lock: protects @unsaved, @saving and @wb_err; nothing but an inode's i_lock is taken
 *	under it
 * @unsaved: split files that may have something that the disk does not know of,
 *	by veneer_split.unsaved; no references.  A sync looks nowhere else:
 *	what makes veneer_split_unsaved() true calls veneer_save_later(), too
 * @saving: those of @unsaved that are being saved; to save files is to move them
 *	all here, under @save_lock, so that what is added meanwhile is for later
 * @save_lock: held while files of @unsaved are saved together, so that a sync
 *	waits for those that the background has begun with
 * @save_work: saves in the background; stopped before the mount's inodes go
 * @saver: who saves files of @unsaved together.  Under @save_lock; read without
 *	it by veneer_must_not_wait(), which asks for the caller
 * @save_queue: what that is queued to, and @orphans_work; %NULL until the mount
 *	can have inodes
 * @orphans: block maps that are to be removed; see evict.c
 * @orphans_work: removes them; ends before @upper goes
 * @options: what it was mounted with
 * @tunables: numbers that decide how it copies
 * @rcu: frees it
 * @live: in the list of mounts that are made, under its lock; see super.c
 * @sb: the mount's superblock.  Others find it as long as it is in that list
 * @stats: what has happened in it
 *
 * Fixed before the superblock can be found, but for @temp_id, @links, @strays,
 * @unsaved, @saving, @saver, @orphans, @wb_err, @read_only, @tunables, @live and
 * @stats; lives until
 * after the superblock's last inode is gone, and then for a grace period, with
 * @cred, which permission is asked with in a walk by RCU.
 */
struct veneer_mount {
	const struct cred	*cred;
	const struct cred	*writer_cred;
	struct super_block	*stack;
	struct vfsmount		*upper;
	struct dentry		*work;
	struct dentry		*workdir;
	bool			upper_claimed;
	bool			work_claimed;
	bool			served;
	unsigned int		upper_fsid;
	unsigned int		nr_fs;
	atomic_t		temp_id;
	errseq_t		wb_err;
	long			namelen;
	bool			read_only;
	struct veneer_links_index links;
	struct xarray		strays;
	spinlock_t		unsaved_lock;	/* as said above */
	struct list_head	unsaved;
	struct list_head	saving;
	struct mutex		save_lock;	/* as said above */
	struct work_struct	save_work;
	struct task_struct	*saver;
	struct workqueue_struct	*save_queue;
	struct llist_head	orphans;
	struct work_struct	orphans_work;
	struct veneer_options	options;
	struct veneer_tunables_mem	tunables;
	struct rcu_head		rcu;
	struct list_head	live;
	struct super_block	*sb;
	/* Not in a cache line with what every operation reads. */
	struct veneer_stats	stats ____cacheline_aligned_in_smp;
};

static inline struct veneer_mount *veneer_mount(const struct super_block *sb)
{
	return sb->s_fs_info;
}

static inline const struct cred *veneer_cred(const struct super_block *sb)
{
	return veneer_mount(sb)->cred;
}

static inline struct mnt_idmap *veneer_upper_idmap(const struct veneer_mount *m)
{
	return mnt_idmap(m->upper);
}

static inline struct path veneer_upper_path(const struct veneer_mount *m,
					    struct dentry *upper)
{
	return (struct path) { .mnt = m->upper, .dentry = upper };
}

/**
 * veneer_block_shift - log2 of the block size for a file that is to be split
 * @m: the mount
 */
static inline unsigned int veneer_block_shift(const struct veneer_mount *m)
{
	return READ_ONCE(m->tunables.block_shift);
}

/**
 * veneer_whole_limit - the size up to which a file is copied whole, as was asked
 * for
 * @m: the mount
 */
static inline loff_t veneer_whole_limit(const struct veneer_mount *m)
{
	return atomic64_read(&m->tunables.whole_limit);
}

/**
 * veneer_copies_whole - is a file of this size copied whole?
 * @m: the mount
 * @size: the size
 */
static inline bool veneer_copies_whole(const struct veneer_mount *m, loff_t size)
{
	return m->served || size <= veneer_whole_limit(m);
}

/**
 * veneer_must_not_wait - does the caller write back for others?
 * @m: the mount
 *
 * For anybody's sync, or nobody: then he does not wait for whoever has a lease on
 * a file of the upper, which its owner may keep for as long as lease-break-time.
 */
static inline bool veneer_must_not_wait(const struct veneer_mount *m)
{
	/* When it is being unmounted there is no next time. */
	if (m->sb && !atomic_read(&m->sb->s_active))
		return false;
	return (current->flags & PF_KTHREAD) || READ_ONCE(m->saver) == current;
}

extern struct file_system_type veneer_fs_type;

unsigned int veneer_mount_count(void);
int veneer_get_tree(struct fs_context *fc);
struct super_block *veneer_live_mount(const struct dentry *root);
void veneer_kill_sb(struct super_block *sb);

#endif
