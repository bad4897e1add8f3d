// SPDX-License-Identifier: GPL-2.0-or-later
/* Copying trees; see copytree.h. */
#include "layer/copytree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

#include "base/files.h"
#include "base/interrupt.h"
#include "layer/name.h"
#include "layer/tree.h"
#include "layer/walk.h"
#include "layer/xattrs.h"

struct copy {
	int to;
	struct copied *copied;
	struct link_table links;
	/*
	 * Making names in a directory changes its times, and its default ACL would
	 * be handed down to them: attributes of directories come last.
	 */
	char **directories;
	size_t count;
};

static void free_copy(struct copy *copy)
{
	for (size_t i = 0; i < copy->count; i++)
		free(copy->directories[i]);
	free(copy->directories);
	link_table_free(&copy->links);
}

static int copy_xattrs(int from, int to, struct fault *fault)
{
	char from_path[FD_PATH_SIZE], to_path[FD_PATH_SIZE];
	AUTO_FREE char *names = NULL;
	ssize_t size;

	/* Through /proc the link itself is reached, which is open with O_PATH. */
	snprintf(from_path, sizeof(from_path), "/proc/self/fd/%d", from);
	snprintf(to_path, sizeof(to_path), "/proc/self/fd/%d", to);
	size = xattrs_list(from_path, &names, fault);
	if (size < 0)
		return -1;
	for (char *name = names; name && name < names + size; name += strlen(name) + 1) {
		AUTO_FREE char *value = NULL;
		size_t length;
		int found = xattrs_read(from_path, name, &value, &length, fault);

		if (found < 0)
			return -1;
		if (found && setxattr(to_path, name, value, length, 0) < 0 &&
		    strcmp(name, "security.selinux"))
			return fault_errno(fault, EXIT_SYSTEM, errno,
					   "cannot copy the xattr \"%s\"", name);
	}
	return 0;
}

int copy_attributes(int from, int to, struct fault *fault)
{
	char path[FD_PATH_SIZE];
	struct timespec times[2];
	struct stat status;

	if (fstatat(from, "", &status, AT_EMPTY_PATH) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot look at it");
	if (fchownat(to, "", status.st_uid, status.st_gid, AT_EMPTY_PATH) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot set the owner");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", to);
	if (!S_ISLNK(status.st_mode) && chmod(path, status.st_mode & 07777) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot set the mode");
	/* Behind the owner, who takes capabilities away, and the mode, an ACL's mask. */
	if (copy_xattrs(from, to, fault) < 0)
		return -1;
	times[0] = status.st_atim;
	times[1] = status.st_mtim;
	if (utimensat(to, "", times, AT_EMPTY_PATH) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot set the times");
	return 0;
}

static int copy_range(int from, int to, off_t at, off_t end, struct copied *copied,
		      struct fault *fault)
{
	AUTO_FREE char *bytes = malloc(1 << 18);

	if (!bytes)
		return fault_no_memory(fault);
	while (at < end) {
		size_t want = end - at < 1 << 18 ? end - at : 1 << 18;
		ssize_t got;

		if (interrupted(fault))
			return -1;
		got = pread(from, bytes, want, at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fault_errno(fault, EXIT_SYSTEM, errno, "cannot read it");
		if (!got)
			break;
		if (write_all_at(to, bytes, got, at) < 0)
			return fault_errno(fault, EXIT_SYSTEM, errno, "cannot write its copy");
		at += got;
		copied->bytes += got;
	}
	return 0;
}

static int copy_data(int from, int to, off_t size, struct copied *copied,
		     struct fault *fault)
{
	off_t at = 0, end;

	if (!ioctl(to, FICLONE, from))
		return 0;
	while (at < size && (at = lseek(from, at, SEEK_DATA)) >= 0) {
		end = lseek(from, at, SEEK_HOLE);
		if (end < 0)
			return fault_errno(fault, EXIT_SYSTEM, errno, "cannot read it");
		if (copy_range(from, to, at, end, copied, fault) < 0)
			return -1;
		at = end;
	}
	if (at < 0 && errno != ENXIO)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot read it");
	if (ftruncate(to, size) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot give its copy its size");
	return 0;
}

static int copy_file(int directory, const char *name, const struct visit *visit,
		     struct copied *copied, struct fault *fault)
{
	char path[FD_PATH_SIZE];
	AUTO_FD from = -1, to = -1;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", visit->node);
	from = open(path, O_RDONLY | O_CLOEXEC | O_NOATIME);
	if (from < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot open it");
	to = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (to < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot make its copy");
	if (copy_data(from, to, visit->status.st_size, copied, fault) < 0)
		return -1;
	return copy_attributes(visit->node, to, fault);
}

static int copy_other(int directory, const char *name, const struct visit *visit,
		      struct fault *fault)
{
	char target[PATH_MAX + 1];
	AUTO_FD to = -1;
	ssize_t length;
	int result;

	if (S_ISLNK(visit->status.st_mode)) {
		length = readlinkat(visit->node, "", target, PATH_MAX);
		target[length < 0 ? 0 : length] = '\0';
		result = length < 0 ? -1 : symlinkat(target, directory, name);
	} else if (S_ISDIR(visit->status.st_mode)) {
		result = mkdirat(directory, name, 0700);
	} else {
		result = mknodat(directory, name, visit->status.st_mode & (S_IFMT | 0700),
				 visit->status.st_rdev);
	}
	if (result < 0 ||
	    (to = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC)) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot make its copy");
	return S_ISDIR(visit->status.st_mode) ? 0 : copy_attributes(visit->node, to, fault);
}

static int note_directory(struct copy *copy, const struct visit *visit, struct fault *fault)
{
	char **grown = copy->directories;
	char *path = strdup(visit->path);

	if (!(copy->count & (copy->count - 1)))
		grown = reallocarray(grown, copy->count ? 2 * copy->count : 1, sizeof(*grown));
	if (grown)
		copy->directories = grown;
	if (!grown || !path) {
		free(path);
		return fault_no_memory(fault);
	}
	grown[copy->count++] = path;
	return 0;
}

static int copy_node(void *context, const struct visit *visit, struct fault *fault)
{
	struct copy *copy = context;
	const char *name, *seen;
	size_t parent_length;
	AUTO_FREE char *parent = NULL;
	AUTO_FD directory = -1;

	copy->copied->entries++;
	if (!*visit->path)
		return note_directory(copy, visit, fault);
	name = name_last(visit->path, &parent_length);
	parent = strndup(visit->path, parent_length);
	if (!parent)
		return fault_no_memory(fault);
	directory = tree_open_directory(copy->to, parent);
	if (directory < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot open the copy's directory");
	seen = link_table_seen(&copy->links, visit, fault);
	if (fault->text)
		return -1;
	if (seen) {
		if (linkat(copy->to, seen, directory, name, 0) < 0)
			return fault_errno(fault, EXIT_SYSTEM, errno, "cannot link its copy");
		return 0;
	}
	if (S_ISREG(visit->status.st_mode))
		return copy_file(directory, name, visit, copy->copied, fault);
	if (copy_other(directory, name, visit, fault) < 0)
		return -1;
	return S_ISDIR(visit->status.st_mode) ? note_directory(copy, visit, fault) : 0;
}

int copytree(int from, int to, struct copied *copied, struct fault *fault)
{
	CLEANUP(free_copy) struct copy copy = { .to = to, .copied = copied };

	if (walk(from, copy_node, &copy, fault) < 0)
		return -1;
	for (size_t i = copy.count; i-- > 0;) {
		AUTO_FD source = tree_open_directory(from, copy.directories[i]);
		AUTO_FD directory = tree_open_directory(to, copy.directories[i]);

		if (source < 0 || directory < 0)
			return fault_errno(fault, EXIT_SYSTEM, errno, "cannot open \"%s\" again",
					   copy.directories[i]);
		if (copy_attributes(source, directory, fault) < 0)
			return fault_wrap(fault, "\"%s\"", copy.directories[i]);
	}
	return 0;
}
