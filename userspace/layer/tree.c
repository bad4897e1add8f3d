// SPDX-License-Identifier: GPL-2.0-or-later
/* Confined lookups and removal; see tree.h. */
#include "layer/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/files.h"
#include "layer/name.h"

int tree_open_directory(int root, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};

	return syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof(how));
}

static int make_directory(int root, const char *path, struct fault *fault)
{
	size_t parent_length;
	const char *name = name_last(path, &parent_length);
	AUTO_FREE char *parent = strndup(path, parent_length);
	AUTO_FD directory = -1;

	if (!parent)
		return fault_no_memory(fault);
	directory = tree_open_directory(root, parent);
	/* The second call undoes what a set-group-id parent hands down. */
	if (directory < 0 || mkdirat(directory, name, 0755) < 0 ||
	    fchmodat(directory, name, 0755, 0) < 0 ||
	    fchownat(directory, name, 0, 0, AT_SYMLINK_NOFOLLOW) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno,
				   "cannot make the directory \"%s\"", path);
	return 0;
}

/* Make every component of @path that is missing. */
static int make_path(int root, const char *path, tree_made_fn *made, void *context,
		     struct fault *fault)
{
	AUTO_FREE char *prefix = strdup(path);
	char *end = prefix;

	if (!prefix)
		return fault_no_memory(fault);
	for (;;) {
		AUTO_FD there = -1;
		char saved;

		end += strcspn(end, "/");
		saved = *end;
		*end = '\0';
		there = tree_open_directory(root, prefix);
		if (there < 0) {
			/* The caller tells why anything else cannot be opened. */
			if (errno != ENOENT)
				return 0;
			if (make_directory(root, prefix, fault) < 0 ||
			    made(context, prefix, fault) < 0)
				return -1;
		}
		*end = saved;
		if (!saved)
			return 0;
		end++;
	}
}

int tree_open_parent(int root, const char *path, const char **name,
		     tree_made_fn *made, void *context, struct fault *fault)
{
	size_t parent_length;
	AUTO_FREE char *parent = NULL;
	int directory;

	*name = name_last(path, &parent_length);
	parent = strndup(path, parent_length);
	if (!parent)
		return fault_no_memory(fault);
	directory = tree_open_directory(root, parent);
	if (directory < 0 && errno == ENOENT) {
		if (make_path(root, parent, made, context, fault) < 0)
			return -1;
		directory = tree_open_directory(root, parent);
	}
	if (directory >= 0)
		return directory;
	if (errno == ELOOP)
		return fault_set(fault, EXIT_ARCHIVE,
				 "the name leads through a symbolic link of the layer");
	/* With O_DIRECTORY, a link as the last component is "not a directory". */
	if (errno == ENOTDIR)
		return fault_set(fault, EXIT_ARCHIVE,
				 "the name leads through something that is not a directory in the layer (a file, or a symbolic link)");
	if (errno == ENAMETOOLONG)
		return fault_errno(fault, EXIT_ARCHIVE, errno, "the name cannot be used");
	return fault_errno(fault, EXIT_SYSTEM, errno, "cannot open the directory \"%s\"",
			   parent);
}

/* Open @path below @directory for reading its names. NULL with errno set. */
static DIR *open_stream(int directory, const char *path)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};

	return names_open(syscall(SYS_openat2, directory, path, &how, sizeof(how)));
}

/*
 * Remove what is in the directory @path, except for subdirectories with
 * something in them: the first of those is appended to @path. Returns 1 then,
 * 0 when the directory is empty, -1 with errno set.
 */
static int remove_names(int directory, char *path)
{
	CLEANUP(cleanup_dir) DIR *stream = open_stream(directory, path);
	size_t length = strlen(path);
	const char *name;

	if (!stream)
		return -1;
	while ((name = names_next(stream))) {
		if (!unlinkat(dirfd(stream), name, 0))
			continue;
		if (errno != EISDIR)
			return -1;
		if (!unlinkat(dirfd(stream), name, AT_REMOVEDIR))
			continue;
		if (errno != ENOTEMPTY)
			return -1;
		if (length + 1 + strlen(name) >= PATH_MAX) {
			errno = ENAMETOOLONG;
			return -1;
		}
		path[length] = '/';
		strcpy(path + length + 1, name);
		return 1;
	}
	return errno ? -1 : 0;
}

/*
 * Not recursive: an archive can nest directories deeper than there are
 * descriptors. The path always fits, since every name was made through one.
 */
int tree_remove(int directory, const char *name)
{
	char path[PATH_MAX];

	if (!unlinkat(directory, name, 0))
		return 0;
	if (errno != EISDIR)
		return -1;
	strcpy(path, name);
	for (;;) {
		int deeper = remove_names(directory, path);
		char *slash;

		if (deeper < 0)
			return -1;
		if (deeper)
			continue;
		if (unlinkat(directory, path, AT_REMOVEDIR) < 0)
			return -1;
		slash = strrchr(path, '/');
		if (!slash)
			return 0;
		*slash = '\0';
	}
}

int tree_clear(int root)
{
	CLEANUP(cleanup_dir) DIR *stream = open_stream(root, ".");
	const char *name;

	if (!stream)
		return -1;
	while ((name = names_next(stream))) {
		if (tree_remove(root, name) < 0)
			return -1;
	}
	return errno ? -1 : 0;
}
