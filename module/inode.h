/* SPDX-License-Identifier: GPL-2.0-only */
/* Inodes of a mount. */
#ifndef VENEER_INODE_H
#define VENEER_INODE_H

#include <linux/fs.h>
#include <linux/path.h>
#include <linux/writeback.h>

#include "ino.h"
#include "kept.h"
#include "mount.h"

struct veneer_chain;
struct veneer_names;
struct veneer_split;

/**
 * enum veneer_unsynced - what fdatasync(2) of a file of the upper leaves out
 * @VENEER_SYNCED: nothing
 * @VENEER_UNSYNCED_NAME: that the file is in the upper
 * @VENEER_UNSYNCED_DATA: that its data is, too, and no record says otherwise
 */
enum veneer_unsynced {
	VENEER_SYNCED,
	VENEER_UNSYNCED_NAME,
	VENEER_UNSYNCED_DATA,
};

/**
 * struct veneer_inode - an object of a mount
 * @upper: the object in the upper; a reference, %NULL before the copy-up.  Set
 *	once, under @lock, and read without it by veneer_upper()
 * @below: the object in the stack; a reference, %NULL when there is none.
 *	Fixed; dropped with the inode, when that has left the superblock's list:
 *	veneer_search_cached() compares it with that list locked only.  Only for
 *	a directory that merges and for a file whose data or metadata was below
 *	when the inode was made
 * @below_real: the object of a layer that stands for @below's metadata.  No
 *	references: it lives as long as @below
 * @lock: taken to copy up this inode or to take its only name away, so that
 *	one of the two sees what the other did.  See mount.h for its place
 * @whole: of a regular file: all data is in the upper.  Only ever becomes
 *	true, under @lock; read without it by veneer_is_whole()
 * @has_map: of a regular file: its record has a block map, and @split is to be
 *	read from the disk.  Fixed
 * @split: of a regular file: its split state, %NULL before it has one.  Set
 *	once, under @lock, and read without it by veneer_inode_split(); freed
 *	with the inode
 * @chain: of a regular file: @below's chain, so that a read need not go there to
 *	find it; %NULL before it is known.  Set without a lock, by whoever asks
 *	first, and only ever to the same
 * @io_lock: of a regular file: held while blocks are filled and bits set, so
 *	that nobody fills a block that somebody else has written.  See mount.h
 *	for its place
 * @map_lock: of a regular file: held by mmap(2) while it decides.  That comes
 *	with mmap_lock, so no I/O is done under it
 * @inner: of a regular file: the upper's file, open for the module's own
 *	reading and writing, as long as it is
 * @wb_err: of an object with an upper: the state of the upper's write-back errors,
 *	as far as they were taken over to @vfs_inode's mapping.  Under i_lock
 * @unsynced: of a regular file: what may not be on the disk yet, and making its
 *	data durable would not change that.  Set under @lock; put back to
 *	%VENEER_SYNCED without it, by cmpxchg, if it still is what it was before
 *	the file was synced
 * @own_maps: of a regular file: how many mappings are served from the inode's
 *	own page cache, or will be after the first change
 * @past_cache: of a regular file: it is being changed past the mount's page
 *	cache, and none of its pages may be written back.  Under i_rwsem, held
 *	for writing; read without it by writeback, which waits for it to end
 * @use_reserve: of a regular file: who last made pages of it dirty may use what
 *	the disk keeps for the mounter, so writing them back may, too
 * @lent_maps: of a regular file: how many of those map the layer's file until
 *	then; see mmap.c
 * @recalled: of a regular file: they do so no longer.  Written under the
 *	mapping's invalidate lock, held for writing
 * @data_err: of a regular file that is not @whole: why its data cannot be had,
 *	as a negative error; 0 when it can.  Fixed
 * @own_times: of an object that is only below: S_* bits of the timestamps that
 *	have moved since, and are @vfs_inode's alone.  Under i_lock
 * @prot: S_IMMUTABLE and S_APPEND, as marked in the upper, or below if there is
 *	no upper.  Written under i_lock
 * @nameless: the name was removed before there was an upper; a copy-up then
 *	makes an object without a name.  Under @lock
 * @impure: of a directory: the upper is known to carry the impure mark.  Once
 *	it does, it stays so; whoever does not know it yet sets it again
 * @emptied: of a directory: the upper was made opaque after the inode was made, so
 *	that what is @below does not show.  Set once, under i_rwsem, held for
 *	writing
 * @names: of a directory with an upper: its names there, see dir.c
 * @links: of an object that has several names below and is in the upper: its
 *	record, owned.  Set before @upper, under @lock; its counts change under
 *	@lock and i_lock
 * @key: which object this is, for the inode hash: the upper's inode or the
 *	stack's.  Never followed.  Changes once, at copy-up, under @lock; not
 *	when there are @links
 * @vfs_inode: the inode
 */
struct veneer_inode {
	struct dentry		*upper;
	struct dentry		*below;
	struct path		below_real;
	struct mutex		lock;		/* as said above */
	bool			whole;
	bool			has_map;
	struct veneer_split	*split;
	struct veneer_chain	*chain;
	struct mutex		io_lock;	/* as said above */
	struct mutex		map_lock;	/* as said above */
	struct veneer_kept	inner;
	errseq_t		wb_err;
	enum veneer_unsynced	unsynced;
	atomic_t		own_maps;
	bool			past_cache;
	bool			use_reserve;
	atomic_t		lent_maps;
	bool			recalled;
	int			data_err;
	unsigned int		own_times;
	unsigned int		prot;
	bool			nameless;
	bool			impure;
	bool			emptied;
	struct veneer_names	*names;
	struct veneer_links	*links;
	const void		*key;
	struct inode		vfs_inode;
};

static inline struct veneer_inode *veneer_inode(const struct inode *inode)
{
	return container_of(inode, struct veneer_inode, vfs_inode);
}

/**
 * veneer_upper - the object in the upper, or %NULL
 * @inode: an object of a mount
 *
 * The dentry lives as long as the inode, or as an RCU read section in which it
 * was read.
 */
static inline struct dentry *veneer_upper(const struct inode *inode)
{
	/* Pairs with veneer_inode_set_upper(). */
	return smp_load_acquire(&veneer_inode(inode)->upper);
}

/**
 * veneer_dir_below - the directory of the stack whose names show, or %NULL
 * @dir: a directory of a mount, locked
 */
static inline struct dentry *veneer_dir_below(const struct inode *dir)
{
	const struct veneer_inode *vi = veneer_inode(dir);

	return vi->emptied ? NULL : vi->below;
}

/**
 * veneer_inode_split - the split state of a file, or %NULL
 * @inode: an object of a mount
 *
 * Also a file that has become whole has one.  It lives as long as the inode.
 */
static inline struct veneer_split *veneer_inode_split(const struct inode *inode)
{
	/* Pairs with veneer_split_attach(). */
	return smp_load_acquire(&veneer_inode(inode)->split);
}

struct veneer_chain *veneer_inode_chain_first(const struct inode *inode);

/**
 * veneer_inode_chain - the files of layers that have the data
 * @inode: a regular file of a mount that is not whole, or was not
 *
 * Return: the chain, which lives as long as @inode; or an ERR_PTR().
 */
static inline struct veneer_chain *veneer_inode_chain(const struct inode *inode)
{
	struct veneer_chain *chain;

	/* Pairs with veneer_inode_chain_first(). */
	chain = smp_load_acquire(&veneer_inode(inode)->chain);
	return chain ? : veneer_inode_chain_first(inode);
}

static inline bool veneer_is_whole(const struct inode *inode)
{
	/* Pairs with veneer_inode_set_whole(). */
	return smp_load_acquire(&veneer_inode(inode)->whole);
}

static inline void veneer_inode_set_whole(struct inode *inode)
{
	/* Whoever sees it also sees the upper. */
	smp_store_release(&veneer_inode(inode)->whole, true);
}

/**
 * struct veneer_found - what a lookup found, to make an inode of
 * @upper: the object in the upper; a reference that is taken over, or %NULL
 * @below: the object in the stack; likewise
 * @links: the object's record, if it has several names below; taken over
 * @complete: called before the inode can be used when it is a new one without
 *	an upper, to find that if another name has brought it; or %NULL
 * @ino: the inode number to show, see ino.c
 * @whole: of a regular file: all data is in the upper
 * @has_map: of one that is not: there is a block map
 * @cut: of one that is not: a truncation was interrupted
 * @data_err: of one that is not: why its data cannot be had, or 0
 * @cdev0: the object is the stand-in for a character device 0:0
 * @prot: of one with an upper: S_IMMUTABLE and S_APPEND, as marked there
 */
struct veneer_found {
	struct dentry	*upper;
	struct dentry	*below;
	struct veneer_links *links;
	int		(*complete)(struct super_block *sb,
				    struct veneer_found *found);
	u64		ino;
	bool		whole;
	bool		has_map;
	bool		cut;
	int		data_err;
	bool		cdev0;
	unsigned int	prot;
};

/**
 * veneer_upper_ino - the inode number that a mount shows of an object
 * @m: the mount
 * @upper: an object of the upper that has no other number recorded
 */
static inline u64 veneer_upper_ino(const struct veneer_mount *m,
				   const struct dentry *upper)
{
	return veneer_show_ino(m->nr_fs,
			       veneer_map_ino(m->upper_fsid,
					      d_inode(upper)->i_ino));
}

/**
 * veneer_below_ino - the inode number that a mount shows of an object
 * @m: the mount
 * @below: the object, in the stack
 */
static inline u64 veneer_below_ino(const struct veneer_mount *m,
				   const struct dentry *below)
{
	return veneer_show_ino(m->nr_fs, veneer_stack_ino(below));
}

struct inode *veneer_inode_get(struct super_block *sb, struct inode *fresh,
			       struct veneer_found *found);
struct inode *veneer_inode_find(struct super_block *sb, struct dentry *upper,
				struct dentry *below);
void veneer_inode_set_upper(struct inode *inode, struct dentry *upper);
void veneer_inode_real(const struct inode *inode, struct path *real);
int veneer_inode_data(const struct inode *inode, struct path *data);
unsigned int veneer_upper_nlink(const struct inode *inode);
void veneer_count_stray(const struct inode *inode, unsigned int nlink);
void veneer_copyattr(struct inode *inode);
void veneer_inode_lost_name(struct inode *inode);
bool veneer_has_origin(const struct inode *inode);

struct inode *veneer_alloc_inode(struct super_block *sb);
void veneer_free_inode(struct inode *inode);
void veneer_destroy_inode(struct inode *inode);
int veneer_drop_inode(struct inode *inode);
void veneer_evict_inode(struct inode *inode);
int veneer_write_inode(struct inode *inode, struct writeback_control *wbc);

int veneer_inode_init(void);
void veneer_inode_exit(void);

#endif
