/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk whose writes and flushes are recorded by the kernel's log-writes target,
 * and what was recorded: Documentation/admin-guide/device-mapper/log-writes.rst in
 * the kernel's source. Disk and log are files, through loop devices.
 */
#ifndef VENEER_TESTS_LOGWRITES_H
#define VENEER_TESTS_LOGWRITES_H

#include <stddef.h>

/* 0, or -1 with errno: ENOENT when the kernel has no such target. */
int record_start(const char *name, const char *disk, const char *log,
		 unsigned long long size, char path[64]);
int record_mark(const char *name, unsigned int mark);
/* Waits until what was sent to the disk is finished, and noted. 0, or -1 with errno. */
int record_settle(const char *name);
int record_stop(const char *name);

enum { LOG_FLUSH = 1, LOG_FUA = 2, LOG_DISCARD = 4, LOG_MARK = 8 };

struct log_entry {
	unsigned long long to, from, len;	/* bytes, on the disk and in the log */
	unsigned int flags;
	unsigned int mark;
};

/* All entries, in a new array; the number, or -1. */
long log_read(int fd, struct log_entry **entry);
/* Makes the entry's write to a file that stands for the disk. */
int log_apply(int log, const struct log_entry *e, int disk);

#endif
