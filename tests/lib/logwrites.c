// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dm.h"
#include "logwrites.h"

#define LOG_MAGIC 0x6a736677736872ULL

struct log_super {
	uint64_t magic, version, nr_entries;
	uint32_t sectorsize;
};

struct log_header {
	uint64_t sector, nr_sectors, flags, data_len;
};

int record_start(const char *name, const char *disk, const char *log,
		 unsigned long long size, char path[64])
{
	struct dm_part part = { .sectors = size / SECTOR, .target = "log-writes" };
	int err;

	snprintf(part.args, sizeof(part.args), "%.50s %.50s", disk, log);
	if (dm_create(name, path))
		return -1;
	if (!dm_load(name, &part, 1) && !dm_resume(name))
		return 0;
	err = errno;
	dm_remove(name);
	errno = err;
	return -1;
}

int record_mark(const char *name, unsigned int mark)
{
	char text[32];

	snprintf(text, sizeof(text), "mark %u", mark);
	return dm_message(name, text);
}

/*
 * The target notes a write when a flush that it was finished for is finished, and a
 * write belongs to the first flush that is sent. When two flushes are under way at
 * once and the second returns first, its caller's writes are durable and not noted.
 */
int record_settle(const char *name)
{
	return dm_suspend(name) ?: dm_resume(name);
}

int record_stop(const char *name)
{
	return dm_remove(name);
}

long log_read(int fd, struct log_entry **entry)
{
	unsigned long long at = SECTOR;
	struct log_super super;
	union {
		struct log_header h;
		char room[SECTOR];
	} u;
	long n = 0;

	if (pread(fd, &super, sizeof(super), 0) != sizeof(super) ||
	    super.magic != LOG_MAGIC || super.sectorsize != SECTOR) {
		errno = EUCLEAN;
		return -1;
	}
	*entry = calloc(super.nr_entries, sizeof(**entry));
	for (; *entry && n < (long)super.nr_entries; n++) {
		struct log_entry *e = &(*entry)[n];

		if (pread(fd, &u, SECTOR, at) != SECTOR)
			break;
		e->flags = u.h.flags;
		e->to = u.h.sector * SECTOR;
		e->from = at + SECTOR;
		e->len = u.h.nr_sectors * SECTOR;
		at = e->from;
		if (e->flags & LOG_MARK)
			e->mark = strtoul(u.room + sizeof(u.h), NULL, 10);
		if (!(e->flags & LOG_DISCARD))
			at += e->len;
	}
	return *entry ? n : -1;
}

int log_apply(int log, const struct log_entry *e, int disk)
{
	static char buf[1 << 20];

	if (e->flags & LOG_MARK)
		return 0;
	if (e->flags & LOG_DISCARD)
		return fallocate(disk, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, e->to, e->len);
	for (unsigned long long done = 0; done < e->len; ) {
		size_t want = e->len - done < sizeof(buf) ? e->len - done : sizeof(buf);
		ssize_t n = pread(log, buf, want, e->from + done);

		if (n <= 0 || pwrite(disk, buf, n, e->to + done) != n)
			return -1;
		done += n;
	}
	return 0;
}
