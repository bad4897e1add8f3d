// SPDX-License-Identifier: GPL-2.0-or-later
/* Reading the xattrs of a node; see xattrs.h. */
#include "layer/xattrs.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/xattr.h>

#include "base/common.h"

ssize_t xattrs_list(const char *path, char **names, struct fault *fault)
{
	ssize_t size = listxattr(path, NULL, 0);

	*names = NULL;
	if (size > 0) {
		*names = malloc(size);
		if (!*names)
			return fault_no_memory(fault);
		size = listxattr(path, *names, size);
	}
	if (size < 0)
		return errno == EOPNOTSUPP ? 0 :
			fault_errno(fault, EXIT_SYSTEM, errno, "cannot list the xattrs");
	return size;
}

int xattrs_read(const char *path, const char *name, char **value, size_t *size,
		struct fault *fault)
{
	ssize_t got = getxattr(path, name, NULL, 0);

	*value = got < 0 ? NULL : malloc(got + 1);
	if (got >= 0 && !*value)
		return fault_no_memory(fault);
	if (got >= 0)
		got = getxattr(path, name, *value, got);
	if (got < 0)
		return errno == ENODATA ? 0 :
			fault_errno(fault, EXIT_SYSTEM, errno, "cannot read the xattr \"%s\"", name);
	*size = got;
	return 1;
}
