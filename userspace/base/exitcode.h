/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exit codes. The first ones are those of mount(8); veneer(8) documents them. */
#ifndef VENEER_EXITCODE_H
#define VENEER_EXITCODE_H

enum exit_code {
	EXIT_OK = 0,
	EXIT_USAGE = 1,		/* wrong call, no object of that name, not permitted */
	EXIT_SYSTEM = 2,	/* no memory, no space, I/O error, file is in the way */
	EXIT_USED = 3,		/* the object is in use, or its name is taken */
	EXIT_BUG = 4,		/* this program is wrong */
	EXIT_DAMAGED = 5,	/* check found something */
	EXIT_INTERRUPTED = 8,	/* a signal asked to stop */
	EXIT_MOUNT = 32,	/* mount, attach or unmount failed */
	EXIT_ARCHIVE = 65,	/* an archive is damaged, or holds what is refused */
};

#endif
