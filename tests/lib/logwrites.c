// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/falloc.h>
#include <linux/loop.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "logwrites.h"

#define SECTOR 512
#define LOG_MAGIC 0x6a736677736872ULL

struct log_super {
	uint64_t magic, version, nr_entries;
	uint32_t sectorsize;
};

struct log_header {
	uint64_t sector, nr_sectors, flags, data_len;
};

int loop_attach(int fd, char path[64])
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), loop, n;

	if (control < 0)
		return -1;
	for (int try = 0; try < 10; try++) {
		n = ioctl(control, LOOP_CTL_GET_FREE);
		if (n < 0)
			break;
		snprintf(path, 64, "/dev/loop%d", n);
		loop = open(path, O_RDWR | O_CLOEXEC);
		if (loop < 0)
			break;
		if (!ioctl(loop, LOOP_SET_FD, fd)) {
			close(loop);
			close(control);
			return n;
		}
		close(loop);
	}
	n = errno;
	close(control);
	errno = n;
	return -1;
}

void loop_detach(const char *path)
{
	int loop = open(path, O_RDWR | O_CLOEXEC);

	if (loop < 0)
		return;
	ioctl(loop, LOOP_CLR_FD);
	close(loop);
}

/* One request to the device mapper about the device of that name. */
static int dm(unsigned long request, const char *name, unsigned int flags,
	      const char *target, unsigned long long sectors, const char *text,
	      unsigned long long *dev)
{
	static union {
		struct dm_ioctl io;
		char room[4096];
	} u;
	int fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC), ret;
	char *at = u.room + sizeof(u.io);

	if (fd < 0)
		return -1;
	memset(&u, 0, sizeof(u));
	u.io.version[0] = DM_VERSION_MAJOR;
	u.io.data_size = sizeof(u);
	u.io.data_start = sizeof(u.io);
	u.io.flags = flags;
	snprintf(u.io.name, sizeof(u.io.name), "%s", name);
	if (request == DM_TABLE_LOAD) {
		struct dm_target_spec *spec = (void *)at;

		u.io.target_count = 1;
		spec->length = sectors;
		snprintf(spec->target_type, sizeof(spec->target_type), "%s", target);
		snprintf(at + sizeof(*spec), 1024, "%s", text);
	} else if (request == DM_TARGET_MSG) {
		snprintf(at + sizeof(struct dm_target_msg), 1024, "%s", text);
	}
	ret = ioctl(fd, request, &u);
	if (dev)
		*dev = u.io.dev;
	close(fd);
	return ret;
}

int record_start(const char *name, const char *disk, const char *log,
		 unsigned long long size, char path[64])
{
	unsigned long long dev;
	char table[200];
	int err;

	snprintf(table, sizeof(table), "%s %s", disk, log);
	if (dm(DM_DEV_CREATE, name, 0, NULL, 0, NULL, &dev))
		return -1;
	if (!dm(DM_TABLE_LOAD, name, 0, "log-writes", size / SECTOR, table, NULL) &&
	    !dm(DM_DEV_SUSPEND, name, 0, NULL, 0, NULL, NULL)) {
		snprintf(path, 64, "/dev/dm-%u", minor(dev));
		return 0;
	}
	/* What it says of a target that it does not know. */
	err = errno == EINVAL ? ENOENT : errno;
	dm(DM_DEV_REMOVE, name, 0, NULL, 0, NULL, NULL);
	errno = err;
	return -1;
}

int record_mark(const char *name, unsigned int mark)
{
	char text[32];

	snprintf(text, sizeof(text), "mark %u", mark);
	return dm(DM_TARGET_MSG, name, 0, NULL, 0, text, NULL);
}

/*
 * The target notes a write when a flush that it was finished for is finished, and a
 * write belongs to the first flush that is sent. When two flushes are under way at
 * once and the second returns first, its caller's writes are durable and not noted.
 */
int record_settle(const char *name)
{
	int ret = dm(DM_DEV_SUSPEND, name, DM_SUSPEND_FLAG | DM_SKIP_LOCKFS_FLAG | DM_NOFLUSH_FLAG,
		     NULL, 0, NULL, NULL);

	return ret ?: dm(DM_DEV_SUSPEND, name, 0, NULL, 0, NULL, NULL);
}

int record_stop(const char *name)
{
	return dm(DM_DEV_REMOVE, name, 0, NULL, 0, NULL, NULL);
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
