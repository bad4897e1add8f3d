/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A directory or file of the host, visible at a path in a container. */
#ifndef VENEER_ATTACH_H
#define VENEER_ATTACH_H

#include "base/fault.h"

/* @target has something mounted on it. */
int attach(const char *source, const char *target, const char *path, bool read_only,
	   struct fault *fault);

/* @root is open on the root of what is mounted. */
int attach_inside(const char *source, int root, const char *path, bool read_only,
		  struct fault *fault);

/* @path as a process whose root is @root would find it; @flags as for open(2). */
int attach_open(int root, const char *path, int flags);

#endif
