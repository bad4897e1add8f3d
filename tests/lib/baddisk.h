/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk that fails at the blocks of some files when it is told, so that data fails
 * and the filesystem goes on. It is a file, in memory, behind a loop device and the
 * device mapper; a filesystem of the kind that the test runs on is on it.
 */
#ifndef VENEER_TESTS_BADDISK_H
#define VENEER_TESTS_BADDISK_H

#include <stdbool.h>

struct baddisk {
	const char *fs;		/* ext4 or xfs */
	char image[256];
	char mnt[256];
	char loop[64], device[64];
	bool mapped;		/* the device is there */
	bool flakey;		/* what fails is dm-flakey's, not dm-error's */
};

/*
 * Makes it, under dir, and mounts it at dir/disk. 0, or -1 with errno: ENOENT when
 * the kernel has no such target, ENODEV when it cannot be that filesystem's.
 */
int baddisk_start(struct baddisk *d, const char *dir, bool flakey);
/*
 * Writes to what the file has on the disk fail, from now on. With dm-flakey each flush
 * of the disk's cache does, too; with dm-error that is fine, and the reads fail.
 */
int baddisk_fail(struct baddisk *d, const char *path);
/* It works again. */
int baddisk_mend(struct baddisk *d);
/* Unmounts and mounts: what was not written is gone. */
int baddisk_remount(struct baddisk *d);
int baddisk_end(struct baddisk *d);

#endif
