// SPDX-License-Identifier: GPL-2.0-or-later
/* The operations on attributes: of a path, or of what a slot is open on. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "kselftest.h"
#include "treeop.h"
#include "world.h"

/* Names of every kind; some look like the marks that Veneer and overlayfs leave. */
static const char *const xattr_name[] = {
	"user.one", "user.one", "user.layer", "user.layer", "user.veneer.origin",
	"user.overlay.whiteout", "trusted.two", "trusted.two", "trusted.overlay.opaque",
	"trusted.overlay.redirect", "trusted.overlay.overlay.opaque",
	"trusted.veneer.split", "trusted.veneer.veneer.links", "security.capability",
	"security.three", "system.posix_acl_access", "system.posix_acl_default",
	"user.", "bogus.name",
};

static const char *name_of(const struct treeop *op)
{
	return xattr_name[op->y % ARRAY_SIZE(xattr_name)];
}

static long do_chmod(const struct treeop *op, int fd)
{
	mode_t mode = op->y & 07777;

	if (op->x & T_BY_SLOT)
		return fchmod(fd, mode);
	/* Of links it is refused, as of any other filesystem. */
	return fchmodat(AT_FDCWD, op->a, mode, op->x % 16 ? 0 : AT_SYMLINK_NOFOLLOW);
}

static long do_chown(const struct treeop *op, int fd)
{
	static const int id[] = { -1, 0, 1000, 1001, 1002, 1003 };
	uid_t uid = id[op->y % 6];
	gid_t gid = id[op->y / 6 % 6];

	if (op->x & T_BY_SLOT)
		return fchownat(fd, "", uid, gid, AT_EMPTY_PATH);
	return fchownat(AT_FDCWD, op->a, uid, gid, op->x & T_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW);
}

/* Times that are set are long ago: whatever moves later is told from them. */
static long do_utimens(const struct treeop *op, int fd)
{
	static const long special[] = { 0, 0, 0, 0, UTIME_NOW, UTIME_OMIT, UTIME_OMIT };
	struct timespec ts[2];
	int n[2] = { op->y % 7, op->y / 7 % 7 };

	for (int i = 0; i < 2; i++)
		ts[i] = (struct timespec) {
			1000000000 + (op->y >> (6 * i)) % 100000,
			special[n[i]] ?: (long)(op->y % 1000000000) };
	/* Both of one kind, mostly: only that is allowed to others than the owner. */
	if (op->x % 4 == 0)
		return op->x & T_BY_SLOT ? futimens(fd, NULL) :
			utimensat(AT_FDCWD, op->a, NULL, op->x & T_FOLLOW ? 0 :
				  AT_SYMLINK_NOFOLLOW);
	if (op->x & T_BY_SLOT)
		return utimensat(fd, "", ts, AT_EMPTY_PATH);
	return utimensat(AT_FDCWD, op->a, ts, op->x & T_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW);
}

static long set(const struct treeop *op, int fd, const char *name, const void *value,
		size_t size, int flags)
{
	if (op->x & T_BY_SLOT)
		return fsetxattr(fd, name, value, size, flags);
	return (op->x & T_FOLLOW ? setxattr : lsetxattr)(op->a, name, value, size, flags);
}

static long do_setxattr(const struct treeop *op, int fd)
{
	static const int flags[] = { 0, 0, XATTR_CREATE, XATTR_REPLACE };
	/* Capabilities of a file: version 2, a few of the old ones, not effective. */
	unsigned int cap[5] = { 0x02000000, op->len & 0xff, 0, 0, 0 };
	unsigned char value[64];

	if (!strcmp(name_of(op), "security.capability") && op->x % 8)
		return set(op, fd, name_of(op), cap, sizeof(cap), flags[op->x / 8 % 4]);
	fill_pattern(value, sizeof(value), 0, op->len);
	return set(op, fd, name_of(op), value, op->len % sizeof(value), flags[op->x / 8 % 4]);
}

static long do_getxattr(const struct treeop *op, int fd, struct treeop_out *out)
{
	static const size_t room[] = { 256, 256, 256, 0, 8 };
	size_t size = room[op->x % 5];
	char value[256];
	long ret;

	if (op->x & T_BY_SLOT)
		ret = fgetxattr(fd, name_of(op), value, size);
	else
		ret = (op->x & T_FOLLOW ? getxattr : lgetxattr)(op->a, name_of(op), value, size);
	if (size)
		treeop_put(out, value, ret);
	return ret;
}

static long do_removexattr(const struct treeop *op, int fd)
{
	if (op->x & T_BY_SLOT)
		return fremovexattr(fd, name_of(op));
	return (op->x & T_FOLLOW ? removexattr : lremovexattr)(op->a, name_of(op));
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static long do_listxattr(const struct treeop *op, int fd, struct treeop_out *out)
{
	size_t size = op->x % 8 ? 4096 : op->x % 16 ? 20 : 0;
	char list[4096], *name[64];
	int n = 0;
	long ret;

	if (op->x & T_BY_SLOT)
		ret = flistxattr(fd, list, size);
	else
		ret = (op->x & T_FOLLOW ? listxattr : llistxattr)(op->a, list, size);
	if (ret < 0 || !size)
		return ret;
	for (char *p = list; p < list + ret && n < 64; p += strlen(p) + 1)
		name[n++] = p;
	qsort(name, n, sizeof(*name), by_name);
	for (int i = 0; i < n; i++)
		treeop_put(out, name[i], strlen(name[i]) + 1);
	return ret;
}

/* Lists with and without named users, groups and a mask, and a few that are wrong. */
static long do_acl(const struct treeop *op, int fd)
{
	struct {
		struct posix_acl_xattr_header header;
		struct posix_acl_xattr_entry entry[8];
	} acl = { .header.a_version = POSIX_ACL_XATTR_VERSION };
	const char *name = op->x & 1 ? "system.posix_acl_default" : "system.posix_acl_access";
	unsigned int perm = op->y;
	int n = 0;

#define ENTRY(tag, id) do {							\
	acl.entry[n++] = (struct posix_acl_xattr_entry) { tag, perm & 7, id };	\
	perm = perm >> 3 | perm << 29;						\
} while (0)
	ENTRY(ACL_USER_OBJ, ACL_UNDEFINED_ID);
	if (op->x & 2)
		ENTRY(ACL_USER, 1000 + op->len % 2);
	if (op->x & 4)
		ENTRY(ACL_USER, 1002 + op->len % 2);
	ENTRY(ACL_GROUP_OBJ, ACL_UNDEFINED_ID);
	if (op->x & 8)
		ENTRY(ACL_GROUP, 1000 + op->len % 4);
	/* One with named users and no mask is wrong. */
	if (op->x & 14 && op->x / 16 % 16)
		ENTRY(ACL_MASK, ACL_UNDEFINED_ID);
	ENTRY(ACL_OTHER, ACL_UNDEFINED_ID);
#undef ENTRY
	return set(op, fd, name, &acl, sizeof(acl.header) + n * sizeof(acl.entry[0]),
		   op->x / 256 % 8 ? 0 : XATTR_CREATE);
}

static long do_statx(const struct treeop *op, int fd, struct treeop_out *out)
{
	struct statx st;
	char line[200];
	bool dir;
	long ret;

	if (op->x & T_BY_SLOT)
		ret = statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st);
	else
		ret = statx(AT_FDCWD, op->a, op->x & T_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW,
			    STATX_BASIC_STATS, &st);
	if (ret)
		return ret;
	/*
	 * Not of directories: size and link count, which every filesystem has its
	 * own idea of. Not at all: blocks, since files of layers are not copied.
	 */
	dir = S_ISDIR(st.stx_mode);
	treeop_put(out, line, snprintf(line, sizeof(line),
		"mode %o owner %u:%u size %llu nlink %u dev %u:%u attributes %llx",
		st.stx_mode, st.stx_uid, st.stx_gid, dir ? 0 : st.stx_size,
		dir ? 0 : st.stx_nlink, st.stx_rdev_major, st.stx_rdev_minor,
		st.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND |
				     STATX_ATTR_NODUMP)));
	return 0;
}

long treeop_attr(struct place *p, const struct treeop *op, struct treeop_out *out)
{
	static const int access_mode[] = { R_OK, W_OK, X_OK, R_OK | W_OK, F_OK };
	int fd = p->fd[op->slot];

	if (op->x & T_BY_SLOT && fd < 0) {
		errno = EBADF;
		return -1;
	}
	switch (op->kind) {
	case T_CHMOD:
		return do_chmod(op, fd);
	case T_CHOWN:
		return do_chown(op, fd);
	case T_UTIMENS:
		return do_utimens(op, fd);
	case T_SETXATTR:
		return do_setxattr(op, fd);
	case T_GETXATTR:
		return do_getxattr(op, fd, out);
	case T_REMOVEXATTR:
		return do_removexattr(op, fd);
	case T_LISTXATTR:
		return do_listxattr(op, fd, out);
	case T_ACL:
		return do_acl(op, fd);
	case T_STATX:
		return do_statx(op, fd, out);
	case T_ACCESS:
		return faccessat(AT_FDCWD, op->a, access_mode[op->x % 5],
				 op->x & T_FOLLOW ? AT_EACCESS : 0);
	}
	abort();
}
