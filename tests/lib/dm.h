/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device mapper, and loop devices under it. The targets are described in
 * Documentation/admin-guide/device-mapper of the kernel's source.
 */
#ifndef VENEER_TESTS_DM_H
#define VENEER_TESTS_DM_H

#define SECTOR 512

/* A loop device of this file; its number, or -1 with errno. */
int loop_attach(int fd, char path[64]);
void loop_detach(const char *path);

/* A part of a table; sectors of the device. */
struct dm_part {
	unsigned long long start, sectors;
	char target[16];
	char args[104];
};

/* All of these return 0, or -1 with errno set. */

/* An empty device of that name; path is where it is. */
int dm_create(const char *name, char path[64]);
/* The table that the next dm_resume() gives it. ENOENT: there is no such target. */
int dm_load(const char *name, const struct dm_part *part, unsigned int nr);
/* Waits until what was sent is finished; what comes now waits. */
int dm_suspend(const char *name);
int dm_resume(const char *name);
int dm_message(const char *name, const char *text);
int dm_remove(const char *name);

#endif
