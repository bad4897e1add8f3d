/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is mounted where, in this mount namespace. */
#ifndef VENEER_MOUNTINFO_H
#define VENEER_MOUNTINFO_H

#include <libmount.h>

#include "base/fault.h"

static inline void cleanup_table(struct libmnt_table **table)
{
	mnt_unref_table(*table);
}

/* NULL with @fault set if it cannot be read. */
struct libmnt_table *mountinfo_read(struct fault *fault);

/*
 * What shows on @target, a path without symbolic links: of several mounts on top
 * of each other, the last. NULL if nothing is mounted there.
 */
struct libmnt_fs *mountinfo_find(struct libmnt_table *table, const char *target);

#endif
