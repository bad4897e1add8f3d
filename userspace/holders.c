// SPDX-License-Identifier: GPL-2.0-or-later
/* Who keeps a mount busy; see holders.h. */
#include "holders.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { NAMED_MAX = 5 };

static void cleanup_dir(DIR **stream)
{
	if (*stream)
		closedir(*stream);
}

static bool mount_of(int directory, const char *name, uint64_t *id)
{
	struct statx status;

	/* Not following an automount, nor asking a server that may be gone. */
	if (statx(directory, name, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_MNT_ID,
		  &status) < 0 || !(status.stx_mask & STATX_MNT_ID))
		return false;
	*id = status.stx_mnt_id;
	return true;
}

static bool link_leads_to(int process, const char *name, uint64_t mount)
{
	uint64_t id;

	return mount_of(process, name, &id) && id == mount;
}

static bool any_link_leads_to(int process, const char *directory, uint64_t mount)
{
	AUTO_FD fd = openat(process, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(cleanup_dir) DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!stream)
		return false;
	fd = -1;
	while ((entry = readdir(stream))) {
		if (*entry->d_name != '.' &&
		    link_leads_to(dirfd(stream), entry->d_name, mount))
			return true;
	}
	return false;
}

static const char *use_of(int process, uint64_t mount)
{
	if (link_leads_to(process, "root", mount))
		return "has its root there";
	if (link_leads_to(process, "cwd", mount))
		return "works there";
	if (link_leads_to(process, "exe", mount))
		return "is a program from there";
	if (any_link_leads_to(process, "fd", mount))
		return "has a file open there";
	if (any_link_leads_to(process, "map_files", mount))
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

void holders_name(const char *target, struct fault *fault)
{
	CLEANUP(cleanup_dir) DIR *processes = opendir("/proc");
	struct dirent *entry;
	uint64_t mount;
	int named = 0;

	if (!processes || !mount_of(AT_FDCWD, target, &mount))
		return;
	while (named < NAMED_MAX && (entry = readdir(processes))) {
		AUTO_FD process = -1;
		const char *use;
		char name[64];

		if (!isdigit((unsigned char)*entry->d_name))
			continue;
		process = openat(dirfd(processes), entry->d_name,
				 O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		use = process < 0 ? NULL : use_of(process, mount);
		if (!use)
			continue;
		read_name(process, name, sizeof(name));
		fault_advise(fault, "process %s (%s) %s", entry->d_name, name, use);
		named++;
	}
}
