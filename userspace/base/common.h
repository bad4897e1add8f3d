/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scope-bound resources: what a function opens is closed when it returns. */
#ifndef VENEER_COMMON_H
#define VENEER_COMMON_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLEANUP(fn) __attribute__((cleanup(fn)))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

static inline void cleanup_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_dir(DIR **stream)
{
	if (*stream)
		closedir(*stream);
}

#define AUTO_FD CLEANUP(cleanup_fd) int
#define AUTO_FREE CLEANUP(cleanup_free)

/* Hand a descriptor or a pointer to the caller; the local no longer owns it. */
static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static inline char *take_string(char **string)
{
	char *taken = *string;

	*string = NULL;
	return taken;
}

static inline bool all_zero(const unsigned char *bytes, size_t size)
{
	return !size || (!*bytes && !memcmp(bytes, bytes + 1, size - 1));
}

/* Room for "/proc/self/fd/N". */
#define FD_PATH_SIZE 32

#endif
