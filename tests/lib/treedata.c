// SPDX-License-Identifier: GPL-2.0-or-later
/* The operations on the data of files. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataop.h"
#include "kselftest.h"
#include "treeop.h"
#include "world.h"

static unsigned char data[TREEOP_BUF];

static size_t fill(const struct treeop *op)
{
	fill_pattern(data, op->len, op->off, op->y);
	return op->len;
}

/*
 * The times of a pipe of a layer move in memory only: they may be forgotten. So
 * nothing is written to one.
 */
static bool is_pipe(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISFIFO(st.st_mode);
}

static long do_read(int fd, const struct treeop *op, struct treeop_out *out)
{
	long n;

	if (op->x & 1)
		n = pread(fd, data, op->len, op->off);
	else
		n = read(fd, data, op->len);
	treeop_put(out, data, n);
	return n;
}

/* Without a slot: opened for it and closed again, as a shell's >> does. */
static long do_write_path(const struct treeop *op)
{
	int fd = open(op->a, (op->x & 1 ? O_WRONLY | O_APPEND : O_RDWR) | O_NONBLOCK | O_CLOEXEC);
	int err;
	long n;

	if (fd < 0)
		return -1;
	if (is_pipe(fd))
		n = 0;
	else
		n = op->x & 1 ? write(fd, data, fill(op)) :
			pwrite(fd, data, fill(op), op->off);
	err = errno;
	close(fd);
	errno = err;
	return n;
}

static long do_write_on(int fd, const struct treeop *op, struct treeop_out *out)
{
	off_t off = op->off;
	long n;

	if (op->x & 1 && lseek(fd, off, SEEK_SET) < 0)
		return -1;
	n = write(fd, data, fill(op));
	/* The position of a pipe is of no use, and may be asked for all the same. */
	if (n >= 0) {
		off = lseek(fd, 0, SEEK_CUR);
		treeop_put(out, &off, sizeof(off));
	}
	return n;
}

static long do_copy(int from, int to, const struct treeop *op)
{
	loff_t in = op->y % 100000, off = op->off;
	long done = 0, n = 0;

	/* How much it does at a time is the filesystem's choice. */
	while (done < (long)op->len) {
		n = copy_file_range(from, &in, to, &off, op->len - done, 0);
		if (n <= 0)
			break;
		done += n;
	}
	return done ?: n;
}

static long do_fallocate(int fd, const struct treeop *op)
{
	static const int mode[] = {
		0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_COLLAPSE_RANGE,
		FALLOC_FL_INSERT_RANGE,
	};
	int m = mode[op->x % ARRAY_SIZE(mode)];
	off_t off = op->off, len = op->len;
	struct stat st;

	/*
	 * Those two move blocks. Where they cannot, ext4 has moved the times and taken
	 * setuid away before it says so: no other filesystem does, so it is not asked.
	 */
	if (m & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE)) {
		off -= off % DATA_PAGE;
		len -= len % DATA_PAGE;
		if (fstat(fd, &st) ||
		    off + (m & FALLOC_FL_COLLAPSE_RANGE ? len : 0) >= st.st_size)
			return 0;
	}
	return fallocate(fd, m, off, len);
}

long treeop_data(struct place *p, const struct treeop *op, struct treeop_out *out)
{
	int fd = p->fd[op->slot];

	switch (op->kind) {
	case T_TRUNCATE:
		return truncate(op->a, op->off);
	case T_WRITE_PATH:
		return do_write_path(op);
	}
	if (fd < 0) {
		errno = EBADF;
		return -1;
	}
	if ((op->kind == T_WRITE_ON || op->kind == T_COPY) && is_pipe(fd))
		return 0;
	switch (op->kind) {
	case T_READ:
		return do_read(fd, op, out);
	case T_WRITE:
		return pwrite(fd, data, fill(op), op->off);
	case T_WRITE_ON:
		return do_write_on(fd, op, out);
	case T_FTRUNCATE:
		return ftruncate(fd, op->off);
	case T_FALLOCATE:
		return do_fallocate(fd, op);
	case T_COPY:
		return do_copy(p->fd[op->x % TREEOP_SLOTS], fd, op);
	case T_SEEK: {
		struct stat st;

		/* Where data is said to be need not be the same; what it means must. */
		if (fstat(fd, &st) || !S_ISREG(st.st_mode))
			return 0;
		return check_seek(fd, op->off);
	}
	case T_SYNC:
		return op->x & 1 ? fsync(fd) : fdatasync(fd);
	}
	abort();
}
