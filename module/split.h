/* SPDX-License-Identifier: GPL-2.0-only */
/* Split: a regular file with some blocks in the upper and the rest below. */
#ifndef VENEER_SPLIT_H
#define VENEER_SPLIT_H

#include <linux/fs.h>

#include "blockmap.h"
#include "mount.h"
#include "record.h"

/**
 * struct veneer_split - the split state of a file, whose veneer_inode_chain()
 * is known as long as it has one
 * @flush_lock: held while the map is saved, and by whatever else changes the
 *	record on disk.  See mount.h for its place
 * @record: what the record on disk says; under @flush_lock, but for what is
 *	fixed: @record.block_shift, @record.uuid and @record.path.
 *	@record.below_size is written under veneer_inode.io_lock, too, and read
 *	without a lock by veneer_below_size()
 * @map: the block map.  Bits are set under veneer_inode.io_lock
 * @map_inode: the object that the map is in; a reference, so that no other can
 *	be taken for it, %NULL as long as there is none.  It was read, or made by
 *	us: whatever else has the map's name later is not written.  Fixed once
 *	attached, but for veneer_mapfile_install() and veneer_mapfile_forget(),
 *	under @flush_lock; put with the state
 * @filled: every block that is not in @map is a hole, below and in the upper:
 *	what is below has no use any more.  Stays true, for what is written
 *	gets into the map.  Written under veneer_inode.io_lock, read without
 * @finished: the record is gone: the file is whole.  Under @flush_lock
 * @stale: the record on disk says that the file is being cut, which is over.
 *	Under @flush_lock; read without it by veneer_split_unsaved()
 * @doubtful: data of the upper may have failed to get to the disk, and no bit may
 *	be saved before what is there is written again: see rewrite.c.  Set under
 *	i_lock; put back under that and @flush_lock; read without
 * @saves: how often the map's file was made, or pieces of it were saved.  Under
 *	@flush_lock
 * @inode: the file; fixed once attached
 * @unsaved: in veneer_mount.unsaved, or empty; under veneer_mount.unsaved_lock
 *
 * Attached to an inode once, and freed with it: also a file that has become
 * whole keeps it, since readers take no lock.
 */
struct veneer_split {
	struct mutex		flush_lock;	/* as said above */
	struct veneer_record	record;
	struct veneer_blockmap	map;
	struct inode		*map_inode;
	bool			filled;
	bool			finished;
	bool			stale;
	bool			doubtful;
	unsigned long		saves;
	struct inode		*inode;
	struct list_head	unsaved;
};

static inline loff_t veneer_below_size(const struct veneer_split *split)
{
	return READ_ONCE(split->record.below_size);
}

char *veneer_below_path(const struct inode *inode);
struct veneer_split *veneer_split_new(const struct inode *inode,
				      loff_t below_size);
int veneer_split_load(struct inode *inode);
void veneer_split_attach(struct inode *inode, struct veneer_split *split);
void veneer_split_free(struct veneer_split *split);
int veneer_split_finish_cut(struct veneer_mount *m, struct dentry *upper);

struct file *veneer_inner_get(struct inode *inode);
struct file *veneer_inner_get_to_write(struct inode *inode);
void veneer_inner_drop(struct inode *inode);

int veneer_split_begin(struct inode *inode, loff_t pos, loff_t len);
ssize_t veneer_split_complete_part(struct inode *inode, loff_t pos,
				   ssize_t done);
ssize_t veneer_split_end(struct inode *inode, loff_t pos, loff_t len,
			 ssize_t done);
int veneer_split_edges(struct inode *inode, loff_t pos, loff_t len);
int veneer_split_cover(struct inode *inode, loff_t pos, loff_t len);
ssize_t veneer_split_write_folio(struct inode *inode, struct folio *folio,
				 size_t len);
int veneer_split_reserve(struct inode *inode, loff_t pos, loff_t len);
int veneer_split_fill(struct inode *inode, loff_t pos, loff_t len);
int veneer_split_refill(struct inode *inode, loff_t *pos, loff_t end);

bool veneer_split_is_complete(const struct inode *inode);
bool veneer_split_unsaved(const struct inode *inode);
int veneer_split_fsync(struct inode *inode, struct file *real);
int veneer_split_flush(struct inode *inode, struct file *real);

int veneer_split_cut_begin(struct inode *inode, loff_t size);
int veneer_split_cut_end(struct inode *inode, loff_t size, int err);

#endif
