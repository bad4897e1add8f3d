// SPDX-License-Identifier: GPL-2.0-or-later
/* Files as differences; see delta.h. */
#include "layer/delta.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "base/interrupt.h"
#include "layer/splitfile.h"

/* A piece is compared at once: a multiple of every block size that is used here. */
enum { PIECE = 1 << 18 };

int delta_begin(struct delta *delta, struct below *below, const char *path, uint64_t size,
		struct fault *fault)
{
	struct below_found found = { .node = -1 };
	int result = below_find(below, below->count, path, &found, fault);
	AUTO_FD node = found.node;
	long page = sysconf(_SC_PAGESIZE);

	if (result <= 0)
		return result;
	if (!S_ISREG(found.status.st_mode) || (uint64_t)found.status.st_size < delta->policy->same ||
	    size < delta->policy->same)
		return 0;
	result = chain_open(&delta->chain, below, below->layers[found.layer].tree,
			    found.layer, node, fault);
	if (result <= 0)
		return result;
	delta->path = path;
	delta->size = size;
	delta->old_size = found.status.st_size;
	/* Blocks that are not whole pages could not be shared in the page cache. */
	delta->shift = VENEER_BLOCK_SHIFT_MIN;
	while (1L << delta->shift < page)
		delta->shift++;
	delta->below_size = size < delta->old_size ? size : delta->old_size;
	delta->comparable = delta->below_size;
	/* In the block where the old file ends, what follows is in no block below. */
	if (size > delta->old_size)
		delta->comparable &= ~((1ULL << delta->shift) - 1);
	delta->bits = calloc(1, split_blocks(delta->below_size, delta->shift) / 8 + 9);
	delta->bytes = malloc(PIECE);
	delta->old = malloc(PIECE);
	if (!delta->bits || !delta->bytes || !delta->old)
		return fault_no_memory(fault);
	return 1;
}

void delta_free(struct delta *delta)
{
	chain_close(&delta->chain);
	free(delta->bits);
	free(delta->bytes);
	free(delta->old);
}

static int put(int fd, const unsigned char *bytes, size_t length, off_t at, struct fault *fault)
{
	return write_all_at(fd, bytes, length, at) < 0 ?
		fault_errno(fault, EXIT_SYSTEM, errno, "cannot write it") : 0;
}

static void set_bit(struct delta *delta, uint64_t at)
{
	uint64_t block = at >> delta->shift;

	if (at >= delta->below_size)
		return;
	delta->bits[block / 8] |= 1 << block % 8;
	delta->pieces += !delta->in_piece;
	delta->in_piece = true;
}

/* Compares the piece that was gathered and writes what differs. */
static int flush(struct delta *delta, struct fault *fault)
{
	const size_t block = 1U << delta->shift;
	uint64_t left = delta->at < delta->comparable ? delta->comparable - delta->at : 0;
	size_t comparable = left < delta->length ? left : delta->length;
	size_t run = 0;		/* up to here nothing waits to be written */
	ssize_t got = 0;

	if (comparable) {
		got = chain_read(&delta->chain, delta->old, comparable, delta->at);
		if (got < 0)
			return fault_errno(fault, EXIT_SYSTEM, errno, "cannot read the file below");
	}
	for (size_t i = 0; i < delta->length; i += block) {
		size_t length = delta->length - i < block ? delta->length - i : block;
		bool same = i + length <= (size_t)got &&
			!memcmp(delta->bytes + i, delta->old + i, length);

		if (same) {
			delta->saved += length;
			delta->in_piece = false;
		} else {
			set_bit(delta, delta->at + i);
		}
		if (!same && !all_zero(delta->bytes + i, length))
			continue;
		/* What comes before is written; this block is below, or a hole. */
		if (put(delta->fd, delta->bytes + run, i - run, delta->at + run, fault) < 0)
			return -1;
		run = i + length;
	}
	if (run < delta->length &&
	    put(delta->fd, delta->bytes + run, delta->length - run, delta->at + run, fault) < 0)
		return -1;
	delta->at += delta->length;
	delta->length = 0;
	return 0;
}

static int gather(struct delta *delta, const unsigned char *bytes, size_t length,
		  struct fault *fault)
{
	while (length) {
		size_t some = PIECE - delta->length;

		if (some > length)
			some = length;
		if (bytes)
			memcpy(delta->bytes + delta->length, bytes, some);
		else
			memset(delta->bytes + delta->length, 0, some);
		delta->length += some;
		bytes = bytes ? bytes + some : NULL;
		length -= some;
		if (delta->length == PIECE && flush(delta, fault) < 0)
			return -1;
	}
	return 0;
}

/*
 * Zeros up to @end that the archive left out. They cost nothing where there are
 * none but zeros below, too: a hole can be any size.
 */
static int skip(struct delta *delta, uint64_t end, struct fault *fault)
{
	const uint64_t mask = (1ULL << delta->shift) - 1;

	while (delta->at + delta->length < end) {
		uint64_t at = delta->at + delta->length, stop = end, zeros;

		if (interrupted(fault))
			return -1;
		/* The rest of a block that was begun. */
		if (at & mask) {
			stop = (at | mask) + 1 < end ? (at | mask) + 1 : end;
			if (gather(delta, NULL, stop - at, fault) < 0)
				return -1;
			continue;
		}
		if (delta->length && flush(delta, fault) < 0)
			return -1;
		if (at >= delta->comparable) {
			set_bit(delta, at);
			if ((end & ~mask) > at)
				delta->at = end & ~mask;
			else if (gather(delta, NULL, end - at, fault) < 0)
				return -1;
			continue;
		}
		if (stop > delta->comparable)
			stop = delta->comparable;
		zeros = chain_zeros(&delta->chain, at, stop);
		zeros = zeros == delta->comparable ? zeros : zeros & ~mask;
		delta->in_piece &= zeros <= at;
		if (zeros > at)
			delta->at = zeros;
		else if (gather(delta, NULL, end - at < mask + 1 ? end - at : mask + 1, fault) < 0)
			return -1;
	}
	return 0;
}

/* Bytes from below become the file's own: shared on the disk where that can be. */
static int copy_up(struct delta *delta, off_t at, off_t end, struct fault *fault)
{
	while (at < end) {
		off_t run = end, from = at, to = at;
		const struct chain_link *link;
		ssize_t done;

		if (interrupted(fault))
			return -1;
		at = chain_zeros(&delta->chain, at, end);
		if (at == end)
			break;
		from = to = at;
		link = &delta->chain.links[chain_source(&delta->chain, at, &run)];
		done = copy_file_range(link->fd, &from, delta->fd, &to, run - at, 0);
		if (done <= 0) {
			size_t length = run - at < PIECE ? run - at : PIECE;

			done = pread(link->fd, delta->old, length, at);
			if (done <= 0)
				return fault_errno(fault, EXIT_SYSTEM, done ? errno : EIO,
						   "cannot read the file below");
			if (put(delta->fd, delta->old, done, at, fault) < 0)
				return -1;
		}
		at += done;
	}
	return 0;
}

/* Ends the comparing: all that was not written is. */
static int fill_in(struct delta *delta, struct fault *fault)
{
	uint64_t end, at = 0;

	if (flush(delta, fault) < 0)
		return -1;
	end = delta->at < delta->comparable ? delta->at : delta->comparable;
	while (at < end) {
		uint64_t stop = at;

		while (stop < end && !split_bit(delta->bits, stop >> delta->shift))
			stop += 1ULL << delta->shift;
		if (stop > end)
			stop = end;
		if (stop > at && copy_up(delta, at, stop, fault) < 0)
			return -1;
		at = stop + (1ULL << delta->shift);
	}
	delta->plain = true;
	delta->saved = 0;
	return 0;
}

int delta_put(struct delta *delta, const void *bytes, size_t length, uint64_t at,
	      struct fault *fault)
{
	/* Parts in another order than that of the file: nobody writes such archives. */
	if (!delta->plain && at < delta->at + delta->length && fill_in(delta, fault) < 0)
		return -1;
	if (delta->plain)
		return put(delta->fd, bytes, length, at, fault);
	if (skip(delta, at, fault) < 0)
		return -1;
	return gather(delta, bytes, length, fault);
}

int delta_end(struct delta *delta, uint64_t *saved, struct fault *fault)
{
	struct split_new split = {
		.shift = delta->shift, .path = delta->path, .bits = delta->bits,
	};
	bool same, enough;

	*saved = 0;
	if (!delta->plain && (skip(delta, delta->size, fault) < 0 || flush(delta, fault) < 0))
		return -1;
	split.below_size = delta->below_size;
	same = !delta->pieces && delta->size == delta->old_size;
	enough = same ? delta->saved >= delta->policy->same :
		delta->saved >= delta->policy->split &&
		delta->saved / delta->policy->piece >= delta->pieces;
	if (same)
		split.bits = NULL;
	if (!delta->plain && !enough && fill_in(delta, fault) < 0)
		return -1;
	if (ftruncate(delta->fd, delta->size) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot give it its size of %llu bytes",
				   (unsigned long long)delta->size);
	if (delta->plain)
		return 0;
	*saved = delta->saved;
	return split_make(delta->tree, delta->fd, &split, fault);
}
