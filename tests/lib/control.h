/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Talking to the module: its ioctls, for C; and what C++ makes of their header. */
#ifndef VENEER_TESTS_CONTROL_H
#define VENEER_TESTS_CONTROL_H

#include <sys/ioctl.h>

#include "veneer.h"

/* Opens /dev/veneer; -1 with a line printed when it cannot. */
int control_open(void);

/*
 * A stack's descriptor for these directories, top first; -1 with errno set.
 * Closes what it opens to get there.
 */
int stack_open(int dev, const char *const *layers, unsigned int nr,
	       unsigned int flags);

/* The number of a stack, from its descriptor or from a file of a mount. */
long stack_id(int fd);

/* What C++ says that one of the header's structs is, in bytes. */
enum cxx_struct {
	CXX_VERSION, CXX_STACK_OPEN, CXX_STACK_INFO, CXX_STACK_LIST,
	CXX_COUNTERS, CXX_RANGE, CXX_MAP, CXX_TUNABLES, CXX_STRUCTS
};

#ifdef __cplusplus
extern "C"
#endif
unsigned int cxx_size(enum cxx_struct which);

#endif
