// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "dm.h"

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

/* What goes to the kernel, and comes back. */
static union {
	struct dm_ioctl io;
	char room[16384];
} message;

static char *const payload = message.room + sizeof(message.io);

static void prepare(const char *name, unsigned int flags)
{
	memset(&message, 0, sizeof(message));
	message.io.version[0] = DM_VERSION_MAJOR;
	message.io.data_size = sizeof(message);
	message.io.data_start = sizeof(message.io);
	message.io.flags = flags;
	snprintf(message.io.name, sizeof(message.io.name), "%s", name);
}

static int request(unsigned long what)
{
	int fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC), ret, err;

	if (fd < 0)
		return -1;
	ret = ioctl(fd, what, &message);
	err = errno;
	close(fd);
	errno = err;
	return ret;
}

int dm_create(const char *name, char path[64])
{
	prepare(name, 0);
	if (request(DM_DEV_CREATE))
		return -1;
	snprintf(path, 64, "/dev/dm-%u", minor(message.io.dev));
	return 0;
}

int dm_load(const char *name, const struct dm_part *part, unsigned int nr)
{
	char *at = payload;

	prepare(name, 0);
	message.io.target_count = nr;
	for (unsigned int i = 0; i < nr; i++) {
		struct dm_target_spec *spec = (void *)at;
		unsigned int size = sizeof(*spec) + sizeof(part->args);

		if (at + size > message.room + sizeof(message)) {
			errno = E2BIG;
			return -1;
		}
		spec->sector_start = part[i].start;
		spec->length = part[i].sectors;
		spec->next = size;
		strcpy(spec->target_type, part[i].target);
		strcpy(at + sizeof(*spec), part[i].args);
		at += size;
	}
	if (!request(DM_TABLE_LOAD))
		return 0;
	/* What it says of a target that it does not know. */
	if (errno == EINVAL)
		errno = ENOENT;
	return -1;
}

int dm_suspend(const char *name)
{
	prepare(name, DM_SUSPEND_FLAG | DM_SKIP_LOCKFS_FLAG | DM_NOFLUSH_FLAG);
	return request(DM_DEV_SUSPEND);
}

int dm_resume(const char *name)
{
	prepare(name, 0);
	return request(DM_DEV_SUSPEND);
}

int dm_message(const char *name, const char *text)
{
	prepare(name, 0);
	snprintf(payload + sizeof(struct dm_target_msg), 1024, "%s", text);
	return request(DM_TARGET_MSG);
}

int dm_remove(const char *name)
{
	prepare(name, 0);
	return request(DM_DEV_REMOVE);
}
