// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "baddisk.h"
#include "dm.h"
#include "world.h"

#define DISK_SIZE (400ULL << 20)	/* xfs makes none under 300 MiB */
#define EXTENTS 32

static const char *const dm_name = "veneer-baddisk";

static int make_fs(const char *fs, const char *image)
{
	const char *const ext4[] = {
		"mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1,lazy_journal_init=1", image, NULL,
	};
	const char *const xfs[] = { "mkfs.xfs", "-q", "-f", image, NULL };
	const char *const *argv = !strcmp(fs, "xfs") ? xfs : ext4;
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, 1);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) == pid && !status)
		return 0;
	errno = ENODEV;
	return -1;
}

/* The device's table: the loop device, of which some parts fail. */
static int set_table(struct baddisk *d, const unsigned long long (*bad)[2], unsigned int nr)
{
	static struct dm_part part[2 * EXTENTS + 1];
	unsigned long long at = 0, end = DISK_SIZE / SECTOR;
	unsigned int n = 0;

	for (unsigned int i = 0; i <= nr; i++) {
		unsigned long long start = i < nr ? bad[i][0] : end;

		if (start > at) {
			part[n] = (struct dm_part) { at, start - at, "linear", "" };
			snprintf(part[n++].args, sizeof(part->args), "%s %llu", d->loop, at);
		}
		if (i == nr)
			break;
		part[n] = (struct dm_part) { start, bad[i][1], "error", "" };
		if (d->flakey) {
			strcpy(part[n].target, "flakey");
			snprintf(part[n].args, sizeof(part->args), "%s %llu 0 1000 1 error_writes",
				 d->loop, start);
		}
		n++;
		at = start + bad[i][1];
	}
	if (dm_load(dm_name, part, n))
		return -1;
	return (d->mapped ? dm_suspend(dm_name) : 0) ?: dm_resume(dm_name);
}

/* A table of what is to fail, which the next one takes the place of. */
static int have_target(const struct baddisk *d)
{
	struct dm_part part = { 0, DISK_SIZE / SECTOR, "error", "" };

	if (d->flakey) {
		strcpy(part.target, "flakey");
		snprintf(part.args, sizeof(part.args), "%s 0 1000 0 0", d->loop);
	}
	return dm_load(dm_name, &part, 1);
}

static int mount_disk(struct baddisk *d)
{
	/* Blocks that are written again stay where they are. */
	return mount(d->device, d->mnt, d->fs, 0, strcmp(d->fs, "xfs") ? "" : "nouuid");
}

int baddisk_start(struct baddisk *d, const char *dir, bool flakey)
{
	struct statfs st;
	int fd, err;

	memset(d, 0, sizeof(*d));
	d->flakey = flakey;
	if (statfs(dir, &st))
		return -1;
	d->fs = st.f_type == XFS_SUPER_MAGIC ? "xfs" : "ext4";
	if (st.f_type != XFS_SUPER_MAGIC && st.f_type != EXT4_SUPER_MAGIC) {
		errno = ENODEV;
		return -1;
	}
	load_module("loop");
	load_module("dm-mod");
	if (flakey)
		load_module("dm-flakey");
	if (access("/dev/mapper/control", F_OK)) {
		errno = ENOENT;
		return -1;
	}
	snprintf(d->mnt, sizeof(d->mnt), "%s/disk", dir);
	snprintf(d->image, sizeof(d->image), "/dev/shm/baddisk.%d", getpid());
	if (mkdir(d->mnt, 0755) && errno != EEXIST)
		return -1;
	fd = open(d->image, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, DISK_SIZE) || make_fs(d->fs, d->image) ||
	    loop_attach(fd, d->loop) < 0) {
		err = errno;
		close(fd);
		baddisk_end(d);
		errno = err;
		return -1;
	}
	close(fd);
	/* What a test that was killed has left. */
	dm_remove(dm_name);
	if (dm_create(dm_name, d->device)) {
		err = errno;
		baddisk_end(d);
		errno = err;
		return -1;
	}
	if (have_target(d) || set_table(d, NULL, 0)) {
		err = errno;
		dm_remove(dm_name);
		baddisk_end(d);
		errno = err;
		return -1;
	}
	d->mapped = true;
	if (mount_disk(d)) {
		err = errno;
		baddisk_end(d);
		errno = err;
		return -1;
	}
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const unsigned long long *x = a, *y = b;

	return x[0] < y[0] ? -1 : x[0] > y[0];
}

/* Where the file is on the disk; how many parts, or -1. */
static int find_extents(const char *path, unsigned long long (*part)[2], unsigned int room)
{
	union {
		struct fiemap map;
		char room[sizeof(struct fiemap) + EXTENTS * sizeof(struct fiemap_extent)];
	} u = { .map = { .fm_length = FIEMAP_MAX_OFFSET, .fm_flags = FIEMAP_FLAG_SYNC,
			 .fm_extent_count = EXTENTS } };
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret;
	unsigned int n = 0;

	if (fd < 0)
		return -1;
	ret = ioctl(fd, FS_IOC_FIEMAP, &u);
	close(fd);
	if (ret)
		return -1;
	for (unsigned int i = 0; i < u.map.fm_mapped_extents; i++) {
		const struct fiemap_extent *e = &u.map.fm_extents[i];

		if (e->fe_flags & (FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DATA_INLINE))
			continue;
		if (n == room) {
			errno = E2BIG;
			return -1;
		}
		part[n][0] = e->fe_physical / SECTOR;
		part[n++][1] = e->fe_length / SECTOR;
	}
	return n;
}

int baddisk_fail(struct baddisk *d, const char *path)
{
	unsigned long long part[EXTENTS][2];
	int n = find_extents(path, part, EXTENTS);

	if (n < 0)
		return -1;
	if (!n) {
		errno = ENODATA;
		return -1;
	}
	qsort(part, n, sizeof(*part), by_start);
	return set_table(d, part, n);
}

int baddisk_mend(struct baddisk *d)
{
	return set_table(d, NULL, 0);
}

int baddisk_remount(struct baddisk *d)
{
	return umount_patiently(d->mnt) ?: mount_disk(d);
}

int baddisk_end(struct baddisk *d)
{
	int ret = 0;

	if (d->mapped) {
		baddisk_mend(d);
		if (umount_patiently(d->mnt) && errno != EINVAL) {
			umount2(d->mnt, MNT_DETACH);
			ret = -1;
		}
		for (int i = 0; i < 100 && dm_remove(dm_name); i++)
			usleep(20000);
		d->mapped = false;
	}
	if (*d->loop)
		loop_detach(d->loop);
	unlink(d->image);
	return ret;
}
