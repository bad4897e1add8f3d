// SPDX-License-Identifier: GPL-2.0-or-later
/* Marks of the filesystem; see marks.h. */
#include "layer/marks.h"

#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

/* Its size, with as much of the value as fits; -1: it is not there. */
static ssize_t get_mark(int node, const char *name, char *value, size_t room)
{
	char path[FD_PATH_SIZE];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", node);
	return getxattr(path, name, value, room);
}

bool has_mark(int node, const char *name)
{
	return get_mark(node, name, NULL, 0) >= 0;
}

bool is_opaque(int node)
{
	char value[8];

	return get_mark(node, OPAQUE_XATTR, value, sizeof(value)) == 1 && *value == 'y';
}

bool is_whiteout(int node, const struct stat *status)
{
	if (S_ISCHR(status->st_mode))
		return status->st_rdev == makedev(0, 0);
	return S_ISREG(status->st_mode) && !status->st_size && has_mark(node, WHITEOUT_XATTR);
}

bool is_partial(int node)
{
	return has_mark(node, SPLIT_XATTR) || has_mark(node, METACOPY_XATTR);
}

bool is_mark_name(const char *name)
{
	static const char *const starts[] = {
		TRUSTED_OVERLAY, TRUSTED_OWN, "user." VENEER_XATTR_OVERLAY, "user." VENEER_XATTR_OWN,
	};

	for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++) {
		if (!strncmp(name, starts[i], strlen(starts[i])))
			return true;
	}
	return false;
}
