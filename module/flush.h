/* SPDX-License-Identifier: GPL-2.0-only */
/* Flush: how block maps and records get to the disk. */
#ifndef VENEER_FLUSH_H
#define VENEER_FLUSH_H

#include <linux/fs.h>

struct veneer_split;

/* Built so, the power-cut test must fail. */
#ifdef VENEER_TEST_BREAK_ORDER
#define VENEER_BREAK_ORDER	true
#else
#define VENEER_BREAK_ORDER	false
#endif

#define VENEER_PIECES	64

/* Of pieces that have all their bits, so many are saved at most: 32 MiB. */
#define VENEER_FULL_PIECES	8192

/**
 * struct veneer_pieces - copies of pieces of a map that are saved together
 * @nr: how many entries there are
 * @index: which piece each is; the first one, if it is several
 * @times: how many pieces it is.  Several have all their bits
 * @bytes: VENEER_CHUNK_BYTES of each of them
 */
struct veneer_pieces {
	unsigned int	nr;
	unsigned long	index[VENEER_PIECES];
	unsigned long	times[VENEER_PIECES];
	void		*bytes[VENEER_PIECES];
};

struct veneer_pieces *veneer_pieces_copy(struct inode *inode,
					 struct veneer_split *split);
void veneer_pieces_free(struct veneer_pieces *pieces);
int veneer_pieces_write(struct file *file, struct veneer_split *split,
			const struct veneer_pieces *pieces);
int veneer_pieces_saved(struct inode *inode, struct veneer_split *split,
			const struct veneer_pieces *pieces);
void veneer_flush_failed(struct inode *inode, int err);

#endif
