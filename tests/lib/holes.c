// SPDX-License-Identifier: GPL-2.0-or-later
/* Is there nothing where a file says that there is nothing? */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "dataop.h"

#define data op_data

int check_seek(int fd, off_t off)
{
	struct stat st;
	off_t end;
	int err;

	if (fstat(fd, &st))
		return -1;
	end = lseek(fd, off, SEEK_DATA);
	err = end < 0 ? errno : 0;
	if (err == EBADF)
		return -1;	/* O_PATH */
	if ((err && err != ENXIO) || (off >= st.st_size && !err) ||
	    (!err && (end < off || end >= st.st_size))) {
		printf("# SEEK_DATA from %lld of %lld: %lld, %s\n", (long long)off,
		       (long long)st.st_size, (long long)end, strerror(err));
		return -1;
	}
	if (off >= st.st_size)
		return 0;
	/* All that is passed over reads as zeros; of much, the two ends. */
	if (err)
		end = st.st_size;
	for (off_t at = off; at < end; ) {
		size_t want = end - at < DATA_BUF ? end - at : DATA_BUF;
		ssize_t n = op_direct(fd) ? -1 : pread(fd, data, want, at);

		for (ssize_t i = 0; i < n; i++)
			if (data[i]) {
				printf("# SEEK_DATA from %lld went over the byte %02x at %lld, to %lld\n",
				       (long long)off, data[i], (long long)(at + i),
				       (long long)end);
				return -1;
			}
		if (n <= 0)
			break;	/* O_WRONLY */
		at += n;
		if (end - at > 4 * DATA_BUF)
			at = end - DATA_BUF;
	}
	end = lseek(fd, off, SEEK_HOLE);
	if (end < off || end > st.st_size) {
		printf("# SEEK_HOLE from %lld of %lld: %lld\n", (long long)off,
		       (long long)st.st_size, (long long)end);
		return -1;
	}
	if (end < st.st_size && !op_direct(fd)) {
		/* Within a block: that may be all of the hole. */
		ssize_t n = pread(fd, data, 512 - end % 512, end);

		for (ssize_t i = 0; i < n; i++)
			if (data[i]) {
				printf("# SEEK_HOLE from %lld: %lld, where %02x is at %lld\n",
				       (long long)off, (long long)end, data[i],
				       (long long)(end + i));
				return -1;
			}
	}
	return 0;
}

static bool zeros(int fd, off_t from, off_t to)
{
	if (op_direct(fd))
		return true;
	while (from < to) {
		size_t want = to - from < DATA_BUF ? to - from : DATA_BUF;
		ssize_t n = pread(fd, data, want, from);

		if (n <= 0)
			return true;
		for (ssize_t i = 0; i < n; i++)
			if (data[i]) {
				printf("# no extent at %lld, which holds %02x\n",
				       (long long)(from + i), data[i]);
				return false;
			}
		from += n;
	}
	return true;
}

#define EXTENTS 64

int check_fiemap(int fd, off_t off, size_t len)
{
	union {
		struct fiemap map;
		char room[sizeof(struct fiemap) + EXTENTS * sizeof(struct fiemap_extent)];
	} u = { .map = { .fm_start = off, .fm_length = len ?: 1,
			 .fm_flags = FIEMAP_FLAG_SYNC, .fm_extent_count = EXTENTS } };
	unsigned long long end = off, stop = off + len;
	struct stat st;

	if (ioctl(fd, FS_IOC_FIEMAP, &u.map))
		return errno == EOPNOTSUPP || errno == ENOTTY ? 0 : -1;
	if (fstat(fd, &st))
		return -1;
	for (unsigned int i = 0; i < u.map.fm_mapped_extents; i++) {
		struct fiemap_extent *e = &u.map.fm_extents[i];

		if (!e->fe_length || (i && e->fe_logical < end)) {
			printf("# FIEMAP from %lld: extent %u at %llu, %llu long, after %llu\n",
			       (long long)off, i, e->fe_logical, e->fe_length, end);
			return -1;
		}
		if (e->fe_logical > end && !zeros(fd, end, e->fe_logical))
			return -1;
		/* Written in no way yet: it must read as zeros, too. */
		end = e->fe_logical + e->fe_length;
	}
	if (u.map.fm_mapped_extents == EXTENTS)
		return 0;
	if (stop > (unsigned long long)st.st_size)
		stop = st.st_size;
	return end >= stop || zeros(fd, end, stop) ? 0 : -1;
}
