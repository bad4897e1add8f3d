// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userns.h"
#include "world.h"

#define PARAMETER "/sys/module/veneer/parameters/user_mounts"

static int write_map(pid_t pid, const char *file, const char *text)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	return write_text(path, text);
}

int userns_enter(uid_t base)
{
	char map[64];
	int ready[2], status;
	pid_t parent = getpid(), child;

	snprintf(map, sizeof(map), "0 %u %d\n", base, USERNS_IDS);
	if (pipe(ready))
		return -1;
	fflush(NULL);
	child = fork();
	if (!child) {
		char c;

		_exit(read(ready[0], &c, 1) != 1 ||
		      write_map(parent, "uid_map", map) ||
		      write_map(parent, "gid_map", map));
	}
	if (unshare(CLONE_NEWUSER) || write(ready[1], "", 1) != 1 ||
	    waitpid(child, &status, 0) != child || status)
		return -1;
	close(ready[0]);
	close(ready[1]);
	return setresgid(0, 0, 0) || setresuid(0, 0, 0) || unshare(CLONE_NEWNS) ||
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ? -1 : 0;
}

int userns_allow_mounts(bool yes)
{
	if (world_is_overlay() || !exists(PARAMETER))
		return 0;
	return store_at(PARAMETER, yes ? "Y" : "N", 1, 0);
}
