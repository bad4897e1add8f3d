/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One operation on a tree, as numbers and paths: so that it can be made in two
 * places, written down, read back, and left out.
 *
 * A place is what one process has of one of the two trees: its root, a working
 * directory, descriptors and file handles, which the operations open, use and
 * close by number.
 */
#ifndef VENEER_TESTS_TREEOP_H
#define VENEER_TESTS_TREEOP_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>

#define TREEOP_PATH 80
#define TREEOP_SLOTS 5
#define TREEOP_HANDLES 3
#define TREEOP_BUF (1 << 16)

enum treeop_kind {
	T_OPEN, T_CLOSE, T_MKDIR, T_MKNOD, T_SYMLINK, T_LINK, T_UNLINK, T_RMDIR,
	T_RENAME, T_TMPFILE, T_CHDIR, T_CHMOD, T_CHOWN, T_TRUNCATE, T_UTIMENS,
	T_SETXATTR, T_GETXATTR, T_REMOVEXATTR, T_LISTXATTR, T_ACL, T_READLINK,
	T_LIST, T_STATX, T_ACCESS, T_HANDLE, T_BYHANDLE, T_READ, T_WRITE, T_WRITE_ON,
	T_FTRUNCATE, T_FALLOCATE, T_COPY, T_SEEK, T_SYNC, T_WRITE_PATH,
	T_ONE_KINDS,
	/* These are about the whole world, and not done by treeop_do(). */
	T_CHECK = T_ONE_KINDS, T_DROP, T_REMOUNT, T_DEEPEN,
	T_KINDS
};

extern const char *const treeop_name[T_KINDS];

/* In x: paths begin in the working directory. */
#define T_RELATIVE	(1u << 29)
/* In x, of what is about an object: the object a slot is open on; else of the
 * path: what a symbolic link leads to. */
#define T_BY_SLOT	(1u << 28)
#define T_FOLLOW	(1u << 27)
/* In x: what it did is looked at closely. */
#define T_LOOK		(1u << 26)

struct treeop {
	int kind;
	unsigned int actor, slot, x, y, len;
	long long off;
	char a[TREEOP_PATH], b[TREEOP_PATH];	/* may be empty */
};

/* What an operation found out, besides what it returned. */
struct treeop_out {
	long ret;
	int err;
	bool loose;	/* the place may fail where the other one does not */
	size_t len;
	unsigned char buf[TREEOP_BUF];
};

struct treeop_handle {
	struct file_handle fh;
	unsigned char space[MAX_HANDLE_SZ];
};

struct place {
	const char *path;	/* of the root */
	int root;
	int cwd;		/* -1: the root */
	int fd[TREEOP_SLOTS];
	struct treeop_handle handle[TREEOP_HANDLES];
	/* Listings leave out two-letter names that do not end so; 0: none. */
	char digit;
};

/* 0, or -1 with errno. */
int place_open(struct place *p, const char *path);
/* Closes what holds the place busy; the handles stay. */
void place_close(struct place *p);
/* Goes to where the operation's paths begin. */
int place_enter(const struct place *p, const struct treeop *op);

void treeop_do(struct place *p, const struct treeop *op, struct treeop_out *out);
void treeop_print(FILE *to, const struct treeop *op);
bool treeop_parse(const char *line, struct treeop *op);
unsigned int treeop_rename_flags(const struct treeop *op);

/* What treeop.c, treeattr.c and treedata.c share. */
void treeop_put(struct treeop_out *out, const void *p, ssize_t n);
long treeop_attr(struct place *p, const struct treeop *op, struct treeop_out *out);
long treeop_data(struct place *p, const struct treeop *op, struct treeop_out *out);

#endif
