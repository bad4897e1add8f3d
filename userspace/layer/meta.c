// SPDX-License-Identifier: GPL-2.0-or-later
/* Owner, mode, times, xattrs; see meta.h. */
#include "layer/meta.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "layer/acl.h"
#include "layer/marks.h"
#include "layer/xattrs.h"

static int copy_xattr(struct xattr *xattr, const char *name, const void *value,
		      size_t size, struct fault *fault)
{
	xattr->name = strdup(name);
	xattr->value = malloc(size ? size : 1);
	if (!xattr->name || !xattr->value)
		return fault_no_memory(fault);
	if (size)
		memcpy(xattr->value, value, size);
	xattr->size = size;
	return 0;
}

static int read_xattr(struct meta *meta, const char *name, const void *value,
		      size_t size, struct fault *fault)
{
	if (is_mark_name(name))
		return fault_set(fault, EXIT_ARCHIVE,
				 "the xattr \"%s\" belongs to the filesystem; an archive must not set it",
				 name);
	if ((!strcmp(name, ACL_ACCESS) || !strcmp(name, ACL_DEFAULT)) &&
	    !acl_plausible(value, size))
		return fault_set(fault, EXIT_ARCHIVE, "the xattr \"%s\" is not an ACL", name);
	if (!strcmp(name, ACL_ACCESS)) {
		meta_free_xattr(&meta->acl_access);
		return copy_xattr(&meta->acl_access, name, value, size, fault);
	}
	if (!strcmp(name, ACL_DEFAULT)) {
		meta_free_xattr(&meta->acl_default);
		return copy_xattr(&meta->acl_default, name, value, size, fault);
	}
	return copy_xattr(&meta->xattrs[meta->xattr_count++], name, value, size, fault);
}

static int read_xattrs(struct archive_entry *entry, struct meta *meta,
		       struct fault *fault)
{
	int count = archive_entry_xattr_reset(entry);
	const char *name;
	const void *value;
	size_t size;

	if (count <= 0)
		return 0;
	meta->xattrs = calloc(count, sizeof(*meta->xattrs));
	if (!meta->xattrs)
		return fault_no_memory(fault);
	while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
		if (read_xattr(meta, name, value, size, fault) < 0)
			return -1;
	}
	return 0;
}

static int read_owner(struct archive_entry *entry, struct meta *meta,
		      struct fault *fault)
{
	int64_t uid = archive_entry_uid(entry);
	int64_t gid = archive_entry_gid(entry);

	/* The largest number means "nobody named" to chown(2). */
	if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
		return fault_set(fault, EXIT_ARCHIVE,
				 "the owner %lld:%lld is not a user and group number",
				 (long long)uid, (long long)gid);
	meta->uid = uid;
	meta->gid = gid;
	return 0;
}

static void read_times(struct archive_entry *entry, struct meta *meta)
{
	struct timespec *access = &meta->times[0];
	struct timespec *modified = &meta->times[1];

	modified->tv_sec = archive_entry_mtime(entry);
	modified->tv_nsec = archive_entry_mtime_nsec(entry);
	*access = *modified;
	if (archive_entry_atime_is_set(entry)) {
		access->tv_sec = archive_entry_atime(entry);
		access->tv_nsec = archive_entry_atime_nsec(entry);
	}
}

int meta_read(struct archive_entry *entry, struct meta *meta, struct fault *fault)
{
	meta->type = archive_entry_filetype(entry);
	meta->mode = archive_entry_perm(entry);
	read_times(entry, meta);
	if (read_owner(entry, meta, fault) < 0 || read_xattrs(entry, meta, fault) < 0)
		return -1;
	/* A symbolic link has no ACL; some tools write one all the same. */
	if (meta->type == S_IFLNK)
		return 0;
	return acl_read(entry, &meta->acl_access, &meta->acl_default, fault);
}

void meta_free_xattr(struct xattr *xattr)
{
	free(xattr->name);
	free(xattr->value);
	*xattr = (struct xattr){ 0 };
}

void meta_free(struct meta *meta)
{
	for (size_t i = 0; i < meta->xattr_count; i++)
		meta_free_xattr(&meta->xattrs[i]);
	free(meta->xattrs);
	meta_free_xattr(&meta->acl_access);
	meta_free_xattr(&meta->acl_default);
}

/*
 * A path to exactly the node that @fd is open on, a symbolic link included.
 * The calls for xattrs have no form that takes an O_PATH descriptor.
 */
static const char *fd_path(char buffer[FD_PATH_SIZE], int fd)
{
	snprintf(buffer, FD_PATH_SIZE, "/proc/self/fd/%d", fd);
	return buffer;
}

static int xattr_of_node(const char *path, const char *name, struct meta *meta,
			 struct fault *fault)
{
	AUTO_FREE char *value = NULL;
	size_t size;
	int found = xattrs_read(path, name, &value, &size, fault);

	return found <= 0 ? found : read_xattr(meta, name, value, size, fault);
}

int meta_of_node(int fd, struct meta *meta, struct fault *fault)
{
	char path[FD_PATH_SIZE];
	AUTO_FREE char *names = NULL;
	ssize_t size = xattrs_list(fd_path(path, fd), &names, fault);
	struct stat status;

	if (size < 0)
		return -1;
	if (fstatat(fd, "", &status, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot look at it");
	meta->type = status.st_mode & S_IFMT;
	meta->mode = status.st_mode & 07777;
	meta->uid = status.st_uid;
	meta->gid = status.st_gid;
	/* Who looked at it last is not a fact of a layer. */
	meta->times[0] = status.st_mtim;
	meta->times[1] = status.st_mtim;
	meta->xattrs = calloc(size + 1, sizeof(*meta->xattrs));
	if (!meta->xattrs)
		return fault_no_memory(fault);
	for (char *name = names; name && name < names + size; name += strlen(name) + 1) {
		/* A security module gives its label to every node. */
		if (!is_mark_name(name) && strcmp(name, "security.selinux") &&
		    xattr_of_node(path, name, meta, fault) < 0)
			return -1;
	}
	return 0;
}

int meta_set_xattr(int fd, const struct xattr *xattr, struct fault *fault)
{
	char path[FD_PATH_SIZE];

	if (!setxattr(fd_path(path, fd), xattr->name, xattr->value, xattr->size, 0))
		return 0;
	if (errno == EOPNOTSUPP)
		return fault_set(fault, EXIT_SYSTEM,
				 "cannot set the xattr \"%s\": the filesystem here does not support it",
				 xattr->name);
	return fault_errno(fault, errno == EPERM || errno == EINVAL ?
			   EXIT_ARCHIVE : EXIT_SYSTEM, errno,
			   "cannot set the xattr \"%s\"", xattr->name);
}

int meta_apply(int fd, const struct meta *meta, struct fault *fault)
{
	char path[FD_PATH_SIZE];

	/* The owner first: changing it takes away capabilities and setuid. */
	if (fchownat(fd, "", meta->uid, meta->gid, AT_EMPTY_PATH) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot set the owner %u:%u",
				   meta->uid, meta->gid);
	for (size_t i = 0; i < meta->xattr_count; i++) {
		if (meta_set_xattr(fd, &meta->xattrs[i], fault) < 0)
			return -1;
	}
	if (meta->type != S_IFLNK && chmod(fd_path(path, fd), meta->mode) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot set the mode %04o",
				   meta->mode);
	/* An ACL's mask is the group's bits in the mode: the ACL has the last word. */
	if (meta->acl_access.name && meta_set_xattr(fd, &meta->acl_access, fault) < 0)
		return -1;
	if (utimensat(fd, "", meta->times, AT_EMPTY_PATH) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot set the times");
	return 0;
}

int meta_clear_xattrs(int fd, struct fault *fault)
{
	char path[FD_PATH_SIZE];
	AUTO_FREE char *names = NULL;
	ssize_t size = xattrs_list(fd_path(path, fd), &names, fault);

	if (size < 0)
		return -1;
	for (char *name = names; name && name < names + size; name += strlen(name) + 1) {
		/* A security module gives its label to every node; it stays. */
		if (!strcmp(name, "security.selinux"))
			continue;
		if (removexattr(path, name) < 0 && errno != ENODATA)
			return fault_errno(fault, EXIT_SYSTEM, errno,
					   "cannot remove the xattr \"%s\"", name);
	}
	return 0;
}
