/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Chain: the real files that a stack's regular file has its bytes in.  A layer
 * that was an upper may have split files, and so may the one under it.
 */
#ifndef VENEER_CHAIN_H
#define VENEER_CHAIN_H

#include <linux/fs.h>

#include "blockmap.h"
#include "kept.h"
#include "merge.h"

/**
 * struct veneer_link - one file of a chain
 * @at: the file; a reference
 * @below_size: so many bytes can come from the next link
 * @block_shift: log2 of the block size of @map
 * @map: which blocks are here; bytes under @below_size whose block is not come
 *	from the next link.  %NULL when all bytes are here
 * @kept: the file, opened, as long as it is
 */
struct veneer_link {
	struct veneer_at	at;
	loff_t			below_size;
	u8			block_shift;
	struct veneer_blockmap	*map;
	struct veneer_kept	kept;
};

/**
 * struct veneer_chain - the files of a stack's regular file
 * @sb: the stack
 * @nr: how many links there are; at least one
 * @link: the links, the uppermost first; the last one has no map
 *
 * Made once per stack inode, fixed but for veneer_link.kept, and freed with
 * the inode.
 */
struct veneer_chain {
	const struct super_block	*sb;
	unsigned int			nr;
	struct veneer_link		link[];
};

struct veneer_chain *veneer_chain_make(struct dentry *below);
void veneer_chain_free(struct veneer_chain *chain);
unsigned int veneer_chain_source(struct veneer_chain *chain, loff_t pos,
				 loff_t want, loff_t *len);
void veneer_chain_path(struct veneer_chain *chain, unsigned int link,
		       struct path *path);
int veneer_chain_blocks(struct veneer_chain *chain, loff_t size,
			unsigned int flags, u64 *blocks);
struct file *veneer_chain_file(struct veneer_chain *chain, unsigned int link);
int veneer_chain_read(struct veneer_chain *chain, void *buf, size_t len,
		      loff_t pos);

#endif
