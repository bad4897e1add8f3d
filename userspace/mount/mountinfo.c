// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of mounts; see mountinfo.h. */
#include "mount/mountinfo.h"

struct libmnt_table *mountinfo_read(struct fault *fault)
{
	struct libmnt_table *table = mnt_new_table_from_file("/proc/self/mountinfo");

	if (!table)
		fault_set(fault, EXIT_SYSTEM, "cannot read /proc/self/mountinfo");
	return table;
}

struct libmnt_fs *mountinfo_find(struct libmnt_table *table, const char *target)
{
	return mnt_table_find_target(table, target, MNT_ITER_BACKWARD);
}
