// SPDX-License-Identifier: GPL-2.0-or-later
/* Bind mounts inside of a container; see attach.h. */
#include "mount/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/*
 * Look up a path as a process with @root for its root would. Links may lead
 * anywhere in there, and nowhere else, even while someone changes them.
 */
int attach_open(int root, const char *path, int flags)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};

	return syscall(SYS_openat2, root, path, &how, sizeof(how));
}

static int open_root(const char *target, struct fault *fault)
{
	AUTO_FD root = open(target, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statx status;

	if (root < 0 || statx(root, "", AT_EMPTY_PATH, STATX_TYPE, &status) < 0)
		return fault_errno(fault, EXIT_MOUNT, errno, "cannot open \"%s\"", target);
	/* Else a slip would make directories in a layer, or anywhere on the host. */
	if (!(status.stx_attributes & STATX_ATTR_MOUNT_ROOT)) {
		fault_set(fault, EXIT_MOUNT, "nothing is mounted on \"%s\"", target);
		return fault_advise(fault, "mount the container's image there first");
	}
	return take_fd(&root);
}

/* Make @path, of the source's kind, in the directory before it. */
static int make_last(int root, const char *parent, const char *name, bool directory)
{
	AUTO_FD at = attach_open(root, *parent ? parent : "/", O_PATH | O_DIRECTORY);
	AUTO_FD file = -1;

	if (at < 0)
		return -1;
	if (directory)
		return mkdirat(at, name, 0755);
	file = openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	return file < 0 ? -1 : 0;
}

/* Open @path inside; what is missing of it is made. */
static int open_place(int root, const char *path, bool directory, struct fault *fault)
{
	AUTO_FREE char *prefix = strdup(path);
	char *end = prefix;
	int place = -1;

	if (!prefix)
		return fault_no_memory(fault);
	while (*end == '/')
		end++;
	while (*end) {
		char *name = end;
		AUTO_FREE char *parent = NULL;
		char saved;
		bool last;

		end += strcspn(end, "/");
		last = !end[strspn(end, "/")];
		saved = *end;
		*end = '\0';
		if (place >= 0)
			close(place);
		place = attach_open(root, prefix, O_PATH);
		if (place < 0 && errno == ENOENT && strcmp(name, "..")) {
			parent = strndup(prefix, name - prefix);
			if (!parent)
				return fault_no_memory(fault);
			/* Someone in the container may have been faster. */
			if (!make_last(root, parent, name, directory || !last) ||
			    errno == EEXIST)
				place = attach_open(root, prefix, O_PATH);
		}
		if (place < 0)
			return fault_errno(fault, EXIT_MOUNT, errno,
					   "cannot make \"%s\" inside", prefix);
		*end = saved;
		end += strspn(end, "/");
	}
	if (place < 0)
		return fault_set(fault, EXIT_USAGE,
				 "a volume cannot be attached at the container's root itself");
	return place;
}

/* A copy of the source's mount that belongs to nobody yet. */
static int clone_source(const char *source, bool read_only, bool *directory,
			struct fault *fault)
{
	AUTO_FD tree = open_tree(AT_FDCWD, source,
				 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	/*
	 * Private: else unmounting what is mounted below the source's copy would
	 * unmount it at the source, too.
	 */
	struct mount_attr attr = {
		.attr_set = read_only ? MOUNT_ATTR_RDONLY : 0,
		.propagation = MS_PRIVATE,
	};
	struct stat status;

	if (tree < 0 || fstat(tree, &status) < 0)
		return fault_errno(fault, errno == EPERM ? EXIT_USAGE : EXIT_MOUNT, errno,
				   "cannot take the volume \"%s\"", source);
	*directory = S_ISDIR(status.st_mode);
	if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return fault_errno(fault, EXIT_MOUNT, errno,
				   "cannot make the volume \"%s\" %s", source,
				   read_only ? "private and read-only" : "private");
	return take_fd(&tree);
}

int attach_inside(const char *source, int root, const char *path, bool read_only,
		  struct fault *fault)
{
	AUTO_FD tree = -1, place = -1;
	bool directory = false;
	struct stat there;

	tree = clone_source(source, read_only, &directory, fault);
	if (tree < 0)
		return -1;
	place = open_place(root, path, directory, fault);
	if (place < 0)
		return -1;
	if (fstat(place, &there) < 0 || S_ISDIR(there.st_mode) != directory)
		return fault_set(fault, EXIT_MOUNT,
				 "a directory and a file cannot cover each other");
	if (move_mount(tree, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return fault_errno(fault, EXIT_MOUNT, errno, "cannot mount it there");
	return 0;
}

int attach(const char *source, const char *target, const char *path, bool read_only,
	   struct fault *fault)
{
	AUTO_FD root = open_root(target, fault);

	return root < 0 ? -1 : attach_inside(source, root, path, read_only, fault);
}
