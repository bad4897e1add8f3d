// SPDX-License-Identifier: GPL-2.0-or-later
/* The operations on names. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "treeop.h"
#include "world.h"

const char *const treeop_name[T_KINDS] = {
	"open", "close", "mkdir", "mknod", "symlink", "link", "unlink", "rmdir",
	"rename", "tmpfile", "chdir", "chmod", "chown", "truncate", "utimens",
	"setxattr", "getxattr", "removexattr", "listxattr", "acl", "readlink",
	"list", "statx", "access", "handle", "byhandle", "read", "write", "write_on",
	"ftruncate", "fallocate", "copy", "seek", "sync", "write_path",
	"check", "drop", "remount", "deepen",
};

int place_open(struct place *p, const char *path)
{
	*p = (struct place) { .path = path, .cwd = -1, .digit = p->digit };
	for (int i = 0; i < TREEOP_SLOTS; i++)
		p->fd[i] = -1;
	p->root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return p->root < 0 ? -1 : 0;
}

static void let_go(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void place_close(struct place *p)
{
	for (int i = 0; i < TREEOP_SLOTS; i++)
		let_go(&p->fd[i]);
	let_go(&p->cwd);
	let_go(&p->root);
}

int place_enter(const struct place *p, const struct treeop *op)
{
	return fchdir(op->x & T_RELATIVE && p->cwd >= 0 ? p->cwd : p->root);
}

void treeop_print(FILE *to, const struct treeop *op)
{
	fprintf(to, "op %u %s %s %s %u %#x %#x %u %lld\n", op->actor, treeop_name[op->kind],
		*op->a ? op->a : "-", *op->b ? op->b : "-", op->slot, op->x, op->y, op->len,
		op->off);
}

bool treeop_parse(const char *line, struct treeop *op)
{
	char name[32];

	*op = (struct treeop) { };
	if (sscanf(line, "op %u %31s %79s %79s %u %x %x %u %lld", &op->actor, name, op->a,
		   op->b, &op->slot, &op->x, &op->y, &op->len, &op->off) != 9)
		return false;
	if (!strcmp(op->a, "-"))
		*op->a = 0;
	if (!strcmp(op->b, "-"))
		*op->b = 0;
	while (op->kind < T_KINDS && strcmp(treeop_name[op->kind], name))
		op->kind++;
	return op->kind < T_KINDS && op->slot < TREEOP_SLOTS && op->len <= TREEOP_BUF &&
		op->off >= 0;
}

void treeop_put(struct treeop_out *out, const void *p, ssize_t n)
{
	if (n <= 0)
		return;
	if ((size_t)n > sizeof(out->buf) - out->len)
		n = sizeof(out->buf) - out->len;
	memcpy(out->buf + out->len, p, n);
	out->len += n;
}

/* A symbolic link that was moved leads out of the tree: both would make one file there. */
static bool leads_out(const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH };
	int fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	if (fd >= 0)
		close(fd);
	return fd < 0 && errno == EXDEV;
}

static long do_open(struct place *p, const struct treeop *op)
{
	static const int access[] = { O_RDONLY, O_RDONLY, O_RDWR, O_RDWR, O_RDWR, O_WRONLY };
	static const int more[] = {
		0, 0, 0, 0, 0, 0, O_CREAT, O_CREAT, O_CREAT, O_CREAT, O_CREAT | O_EXCL,
		O_CREAT | O_TRUNC, O_TRUNC, O_TRUNC, O_APPEND, O_APPEND | O_CREAT,
		O_DIRECTORY, O_DIRECTORY, O_PATH, O_PATH | O_NOFOLLOW, O_NOFOLLOW,
		O_NOFOLLOW | O_CREAT, O_NOATIME, O_SYNC, O_DSYNC | O_CREAT,
		O_PATH | O_DIRECTORY, O_CREAT | O_DIRECTORY, O_EXCL,
	};
	int flags = access[op->x % 6] | more[op->x / 8 % ARRAY_SIZE(more)];
	int *fd = &p->fd[op->slot];

	let_go(fd);
	if ((flags & O_CREAT) && leads_out(op->a)) {
		errno = EXDEV;
		return -1;
	}
	*fd = open(op->a, flags | O_CLOEXEC | O_NONBLOCK, op->y & 07777);
	return *fd < 0 ? -1 : 0;
}

static long do_mknod(const struct treeop *op)
{
	static const struct {
		mode_t type;
		unsigned int dev;	/* 0x103: /dev/null; others: none */
	} node[] = {
		{ S_IFIFO, 0 }, { S_IFIFO, 0 }, { S_IFSOCK, 0 }, { S_IFREG, 0 }, { 0, 0 },
		{ S_IFCHR, 0 }, { S_IFCHR, 1 }, { S_IFCHR, 0x103 },
		{ S_IFBLK, 0xf007 }, { S_IFDIR, 0 },
	};
	int n = op->x % ARRAY_SIZE(node);

	return mknod(op->a, node[n].type | (op->y & 07777), node[n].dev);
}

static const char *proc_fd(int fd)
{
	static char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}

static long do_link(struct place *p, const struct treeop *op)
{
	if (!(op->x & T_BY_SLOT))
		return linkat(AT_FDCWD, op->a, AT_FDCWD, op->b,
			      op->x & T_FOLLOW ? AT_SYMLINK_FOLLOW : 0);
	if (p->fd[op->slot] < 0) {
		errno = EBADF;
		return -1;
	}
	if (op->x & 1)
		return linkat(p->fd[op->slot], "", AT_FDCWD, op->b, AT_EMPTY_PATH);
	return linkat(AT_FDCWD, proc_fd(p->fd[op->slot]), AT_FDCWD, op->b, AT_SYMLINK_FOLLOW);
}

unsigned int treeop_rename_flags(const struct treeop *op)
{
	static const unsigned int flags[] = {
		0, 0, 0, 0, 0, RENAME_NOREPLACE, RENAME_NOREPLACE, RENAME_EXCHANGE,
		RENAME_EXCHANGE, RENAME_EXCHANGE, RENAME_WHITEOUT,
		RENAME_WHITEOUT | RENAME_NOREPLACE, RENAME_EXCHANGE | RENAME_NOREPLACE,
	};

	return flags[op->x % ARRAY_SIZE(flags)] &
		(world_whiteouts_inherit() ? ~0U : ~(unsigned int)RENAME_WHITEOUT);
}

/* In the directory a; a name comes by T_LINK. */
static long do_tmpfile(struct place *p, const struct treeop *op)
{
	int *fd = &p->fd[op->slot];

	let_go(fd);
	*fd = open(op->a, O_TMPFILE | (op->x & 1 ? O_RDWR : O_WRONLY) | O_CLOEXEC |
		   (op->x % 7 ? 0 : O_EXCL), op->y & 07777);
	return *fd < 0 ? -1 : 0;
}

static long do_chdir(struct place *p, const struct treeop *op)
{
	let_go(&p->cwd);
	p->cwd = open(op->a, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return p->cwd < 0 ? -1 : 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names and types. In the order of the names: a filesystem has its own. */
static long do_list(struct place *p, const struct treeop *op, struct treeop_out *out)
{
	int fd = op->x & T_BY_SLOT ? fcntl(p->fd[op->slot], F_DUPFD_CLOEXEC, 0) :
		open(op->a, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	char *name[512], line[300];
	struct dirent *de;
	int n = 0, err;

	if (!dir) {
		err = errno;
		let_go(&fd);
		errno = err;
		return -1;
	}
	rewinddir(dir);
	errno = 0;
	while (n < 512 && (de = readdir(dir))) {
		if (p->digit && strlen(de->d_name) == 2 && de->d_name[0] != '.' &&
		    de->d_name[1] != p->digit)
			continue;
		snprintf(line, sizeof(line), "%s:%d ", de->d_name, de->d_type);
		name[n++] = strdup(line);
	}
	err = errno;
	/* Where a listing ends is a number of the filesystem's own; read(2) looks at it. */
	rewinddir(dir);
	closedir(dir);
	qsort(name, n, sizeof(*name), by_name);
	for (int i = 0; i < n; i++) {
		treeop_put(out, name[i], strlen(name[i]));
		free(name[i]);
	}
	errno = err;
	return err ? -1 : n;
}

static long do_readlink(const struct treeop *op, struct treeop_out *out)
{
	char buf[300];
	long ret = readlink(op->a, buf, op->x & 1 ? sizeof(buf) : 2);

	treeop_put(out, buf, ret);
	return ret;
}

static long do_handle(struct place *p, const struct treeop *op)
{
	struct treeop_handle *h = &p->handle[op->y % TREEOP_HANDLES];
	int mount_id;

	*h = (struct treeop_handle) { .fh.handle_bytes = MAX_HANDLE_SZ };
	if (!name_to_handle_at(AT_FDCWD, op->a, &h->fh, &mount_id,
			       op->x & T_FOLLOW ? AT_SYMLINK_FOLLOW : 0))
		return 0;
	h->fh.handle_bytes = 0;
	return -1;
}

static long do_byhandle(struct place *p, const struct treeop *op, struct treeop_out *out)
{
	static const int flags[] = { O_RDONLY, O_RDWR, O_WRONLY, O_PATH, O_PATH | O_NOFOLLOW };
	struct treeop_handle *h = &p->handle[op->y % TREEOP_HANDLES];
	int *fd = &p->fd[op->slot];

	if (!h->fh.handle_bytes)
		return 0;
	let_go(fd);
	*fd = open_by_handle_at(p->root, &h->fh, flags[op->x % ARRAY_SIZE(flags)] | O_CLOEXEC |
				O_NONBLOCK);
	/*
	 * A handle of what is under a directory that a layer has renamed may be
	 * stale, and some of an object without a name: see the design notes.
	 */
	out->loose = *fd < 0 && errno == ESTALE;
	return *fd < 0 ? -1 : 0;
}

static long do_one(struct place *p, const struct treeop *op, struct treeop_out *out)
{
	int fd;

	if (place_enter(p, op))
		return -1;
	switch (op->kind) {
	case T_OPEN:
		return do_open(p, op);
	case T_CLOSE:
		fd = p->fd[op->slot];
		p->fd[op->slot] = -1;
		return close(fd);
	case T_MKDIR:
		return mkdir(op->a, op->y & 07777);
	case T_MKNOD:
		return do_mknod(op);
	case T_SYMLINK:
		return symlink(op->b, op->a);
	case T_LINK:
		return do_link(p, op);
	case T_UNLINK:
		return unlink(op->a);
	case T_RMDIR:
		return rmdir(op->a);
	case T_RENAME:
		return renameat2(AT_FDCWD, op->a, AT_FDCWD, op->b, treeop_rename_flags(op));
	case T_TMPFILE:
		return do_tmpfile(p, op);
	case T_CHDIR:
		return do_chdir(p, op);
	case T_LIST:
		return do_list(p, op, out);
	case T_READLINK:
		return do_readlink(op, out);
	case T_HANDLE:
		return do_handle(p, op);
	case T_BYHANDLE:
		return do_byhandle(p, op, out);
	case T_CHMOD: case T_CHOWN: case T_UTIMENS: case T_SETXATTR: case T_GETXATTR:
	case T_REMOVEXATTR: case T_LISTXATTR: case T_ACL: case T_STATX: case T_ACCESS:
		return treeop_attr(p, op, out);
	default:
		return treeop_data(p, op, out);
	}
}

void treeop_do(struct place *p, const struct treeop *op, struct treeop_out *out)
{
	out->len = 0;
	out->loose = false;
	errno = 0;
	out->ret = do_one(p, op, out);
	out->err = out->ret == -1 ? errno : 0;
}
