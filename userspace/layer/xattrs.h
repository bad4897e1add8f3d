/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading the xattrs of a node. */
#ifndef VENEER_XATTRS_H
#define VENEER_XATTRS_H

#include <sys/types.h>

#include "base/fault.h"

/*
 * @path reaches the node itself: "/proc/self/fd/N" does so for a symbolic link, too,
 * that is open with O_PATH, which the calls for xattrs do not take.
 */

/* All names, one behind the other, to be freed, and their size; -1 with @fault set. */
ssize_t xattrs_list(const char *path, char **names, struct fault *fault);

/* 1, and the value, to be freed; 0, it is not there any more; -1 with @fault set. */
int xattrs_read(const char *path, const char *name, char **value, size_t *size,
		struct fault *fault);

#endif
