// SPDX-License-Identifier: GPL-2.0-or-later
/* Who keeps mounts busy; see holders.h. */
#include "mount/holders.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/files.h"

enum { NAMED_MAX = 5 };

struct mounts {
	const int *ids;
	size_t count;
};

/* Whether the link @name in a directory of /proc leads to one of the mounts. */
static bool link_leads_to(int directory, const char *name, const struct mounts *mounts)
{
	struct statx status;

	/* Not waking an automount, nor asking a server that may be gone. */
	if (statx(directory, name, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_MNT_ID,
		  &status) < 0 || !(status.stx_mask & STATX_MNT_ID))
		return false;
	for (size_t i = 0; i < mounts->count; i++) {
		if (status.stx_mnt_id == (uint64_t)mounts->ids[i])
			return true;
	}
	return false;
}

static bool any_link_leads_to(int process, const char *directory, const struct mounts *mounts)
{
	CLEANUP(cleanup_dir) DIR *stream =
		names_open(openat(process, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	const char *name;

	if (!stream)
		return false;
	while ((name = names_next(stream))) {
		if (link_leads_to(dirfd(stream), name, mounts))
			return true;
	}
	return false;
}

static const char *use_of(int process, const struct mounts *mounts)
{
	if (link_leads_to(process, "root", mounts))
		return "has its root there";
	if (link_leads_to(process, "cwd", mounts))
		return "works there";
	if (link_leads_to(process, "exe", mounts))
		return "is a program from there";
	if (any_link_leads_to(process, "fd", mounts))
		return "has a file open there";
	if (any_link_leads_to(process, "map_files", mounts))
		return "maps a file from there";
	return NULL;
}

static void read_name(int process, char *name, size_t size)
{
	AUTO_FD fd = openat(process, "comm", O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : read(fd, name, size - 1);

	name[length > 0 ? length : 0] = '\0';
	name[strcspn(name, "\n")] = '\0';
	for (char *c = name; *c; c++) {
		if (!isprint((unsigned char)*c))
			*c = '?';
	}
}

int holders_name(const int *ids, size_t count, struct fault *fault)
{
	CLEANUP(cleanup_dir) DIR *processes = opendir("/proc");
	const struct mounts mounts = { ids, count };
	const char *number;
	int named = 0;

	while (processes && named < NAMED_MAX && (number = names_next(processes))) {
		AUTO_FD process = -1;
		const char *use;
		char name[64];

		if (!isdigit((unsigned char)*number))
			continue;
		process = openat(dirfd(processes), number, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		use = process < 0 ? NULL : use_of(process, &mounts);
		if (!use)
			continue;
		read_name(process, name, sizeof(name));
		fault_advise(fault, "process %s (%s) %s", number, name, use);
		named++;
	}
	return named;
}
