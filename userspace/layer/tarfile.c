// SPDX-License-Identifier: GPL-2.0-or-later
/* Writing a tree into a file; see tarfile.h. */
#include "layer/tarfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "layer/tarwrite.h"

int tarfile_write(const char *name, int tree, struct fault *fault)
{
	AUTO_FREE char *next = NULL;
	AUTO_FD fd = -1;

	if (!strcmp(name, "-")) {
		if (isatty(STDOUT_FILENO))
			return fault_set(fault, EXIT_USAGE,
					 "standard output is a terminal; pipe it into a file or a program");
		return tarwrite_tree(tree, STDOUT_FILENO, fault);
	}
	if (asprintf(&next, "%s.tmp-%d", name, getpid()) < 0) {
		next = NULL;
		return fault_no_memory(fault);
	}
	fd = open(next, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot make \"%s\"", next);
	if (tarwrite_tree(tree, fd, fault) < 0 ||
	    (fsync(fd) < 0 && fault_errno(fault, EXIT_SYSTEM, errno, "cannot write \"%s\"", name)) ||
	    (renameat2(AT_FDCWD, next, AT_FDCWD, name, RENAME_NOREPLACE) < 0 &&
	     fault_errno(fault, EXIT_SYSTEM, errno, "cannot make \"%s\"", name))) {
		unlink(next);
		return -1;
	}
	return 0;
}
