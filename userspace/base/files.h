/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writing all of something, and the names in a directory. */
#ifndef VENEER_FILES_H
#define VENEER_FILES_H

#include "base/common.h"

/*
 * Neither a signal nor a short write is the end of it: whatever comes after one says
 * why. -1 with errno set.
 */
int write_all(int fd, const void *bytes, size_t length);
int write_all_at(int fd, const void *bytes, size_t length, off_t at);

/* Takes @fd, a directory, to read its names; -1: it could not be opened. NULL with errno set. */
DIR *names_open(int fd);

/*
 * The next name, but for "." and "..", valid until the next call. NULL: errno is 0 at
 * the end, and else says why there are no more.
 */
const char *names_next(DIR *stream);

#endif
