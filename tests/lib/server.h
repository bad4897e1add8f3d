/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A filesystem that its server can lie about: FUSE, served by a child of the test,
 * on libfuse's low level. It shows a directory as it is, but for the requests that
 * a rule is made for: those fail, are answered late or never, or with what is not
 * true.
 *
 * Nothing is cached: the kernel asks for every name and every attribute again.
 */
#ifndef VENEER_TESTS_SERVER_H
#define VENEER_TESTS_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

#define SERVER_RULES 16

/* Requests that a rule is about. */
enum {
	ON_LOOKUP = 1 << 0,
	ON_GETATTR = 1 << 1,	/* and what else is answered with attributes */
	ON_SETATTR = 1 << 2,
	ON_MAKE = 1 << 3,	/* mknod, mkdir, symlink, link */
	ON_REMOVE = 1 << 4,	/* unlink, rmdir */
	ON_RENAME = 1 << 5,
	ON_OPEN = 1 << 6,
	ON_READ = 1 << 7,
	ON_WRITE = 1 << 8,
	ON_FLUSH = 1 << 9,
	ON_FSYNC = 1 << 10,	/* of directories, too */
	ON_READDIR = 1 << 11,
	ON_STATFS = 1 << 12,
	ON_GETXATTR = 1 << 13,	/* and listxattr */
	ON_SETXATTR = 1 << 14,	/* and removexattr */
	ON_FALLOCATE = 1 << 15,
	ON_READLINK = 1 << 16,
	ON_ATTR = ON_LOOKUP | ON_GETATTR,
	ON_ALL = (1 << 17) - 1,
};

/* What is not true in the answer. */
enum {
	LIE_TYPE = 1 << 0,	/* of ON_ATTR: it is of this type, and this device */
	LIE_SIZE = 1 << 1,
	LIE_INO = 1 << 2,
	LIE_NLINK = 1 << 3,
	LIE_OWNER = 1 << 4,	/* mode is 0777 */
	LIE_SHORT = 1 << 5,	/* of ON_READ: half of it; of ON_WRITE: half is taken */
	LIE_GARBAGE = 1 << 6,	/* of ON_READ: 0xa5 in every byte; ON_GETXATTR, too */
	LIE_LENGTH = 1 << 7,	/* of ON_GETXATTR: it is as long as size says */
	LIE_ENDLESS = 1 << 8,	/* of ON_READDIR: there is always one more */
	LIE_AWAY = 1 << 9,	/* first the object is moved to NAME.away */
};

struct server_rule {
	unsigned int on;
	const char *path;	/* fnmatch(3), from the server's root; a constant */
	unsigned int skip;	/* so many requests are answered well first */
	unsigned int times;	/* then so many are met; 0: all that come */

	int err;		/* the answer is this, and nothing is done */
	unsigned int late;	/* the answer takes so many milliseconds */
	bool never;		/* there is none, until server_release() */
	unsigned int lie;
	mode_t type;
	dev_t device;
	long long size, ino;
	unsigned int nlink;
};

struct server_shared;

struct server {
	pid_t pid;
	char mnt[256];
	struct server_shared *shared;
};

/*
 * Mounts it at mnt, as this process may. 0, or -1 with errno: ENODEV where the
 * kernel has no FUSE, ENOSYS where the test was built without libfuse.
 */
int server_start(struct server *s, const char *dir, const char *mnt);
/* Counts from the call. Returns the rule's number. */
unsigned int server_rule(struct server *s, const struct server_rule *rule);
#define RULE(s, ...) server_rule(s, &(struct server_rule) { __VA_ARGS__ })
/* How many requests a rule was applied to. */
unsigned int server_met(struct server *s, unsigned int rule);
/* Waits for seconds until it was applied to that many. 0, or -1. */
int server_wait(struct server *s, unsigned int rule, unsigned int times);
/* From now on all is answered well; who waits for an answer gets it. */
void server_honest(struct server *s);
/* The server dies: whatever is asked fails, ENOTCONN or ECONNABORTED. */
void server_kill(struct server *s);
/* Unmounts it, if need be lazily, and ends the server. */
int server_end(struct server *s);

/* Opens /dev/fuse for everybody, as it is on most hosts; by root. */
int server_allow(void);

#endif
