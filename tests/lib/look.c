// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "look.h"
#include "tree.h"

static const char *const look_name[LOOKS] = {
	"a", "b", "what a leads to", "what the slot has", "what the other slot has",
	"a's parent", "b's parent",
};

static void at_path(struct look *l, const char *path, int flags)
{
	l->err = !*path ? ENOENT : fstatat(AT_FDCWD, path, &l->st, flags) ? errno : 0;
}

static const char *parent_of(const char *path)
{
	static char parent[TREEOP_PATH];
	char *slash;

	snprintf(parent, sizeof(parent), "%s", path);
	slash = strrchr(parent, '/');
	if (slash)
		*slash = 0;
	else
		strcpy(parent, *path ? "." : "");
	return parent;
}

static void at_fd(struct look *l, int fd)
{
	l->err = fd < 0 ? EBADF : fstat(fd, &l->st) ? errno : 0;
}

static void look(struct look *l, const struct place *p, const struct treeop *op)
{
	if (place_enter(p, op)) {
		for (int i = 0; i < LOOKS; i++)
			l[i].err = errno;
		return;
	}
	at_path(&l[LOOK_A], op->a, AT_SYMLINK_NOFOLLOW);
	at_path(&l[LOOK_B], op->b, AT_SYMLINK_NOFOLLOW);
	l[LOOK_TARGET] = l[LOOK_A];
	if (!l[LOOK_A].err && S_ISLNK(l[LOOK_A].st.st_mode))
		at_path(&l[LOOK_TARGET], op->a, 0);
	at_fd(&l[LOOK_SLOT], p->fd[op->slot]);
	at_fd(&l[LOOK_OTHER], op->kind == T_COPY ? p->fd[op->x % TREEOP_SLOTS] : -1);
	at_path(&l[LOOK_PARENT_A], parent_of(op->a), 0);
	at_path(&l[LOOK_PARENT_B], parent_of(op->b), 0);
}

void look_before(struct looks *l, const struct place *p, const struct treeop *op)
{
	look(l->before, p, op);
	clock_gettime(CLOCK_REALTIME_COARSE, &l->start);
}

void look_undo(const struct looks *l, const struct place *p, const struct treeop *op)
{
	struct timespec ts[2] = { { .tv_nsec = UTIME_OMIT } };

	for (int i = LOOK_PARENT_A; i <= LOOK_PARENT_B && !place_enter(p, op); i++) {
		ts[1] = l->before[i].st.st_mtim;
		if (!l->before[i].err)
			utimensat(AT_FDCWD, parent_of(i == LOOK_PARENT_A ? op->a : op->b), ts, 0);
	}
}

void look_after(struct looks *l, const struct place *p, const struct treeop *op)
{
	look(l->after, p, op);
	l->xattrs = NULL;
	/* Costly; after what is about them always, else now and then. */
	if (!l->after[LOOK_A].err && ((op->kind >= T_SETXATTR && op->kind <= T_ACL) ||
				      (op->y & 7) == 0))
		l->xattrs = tree_xattrs(op->a);
}

static bool earlier(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/* The same object as it was before; NULL if nothing that was looked at was it. */
static const struct look *same_before(const struct looks *l, int which)
{
	for (int i = 0; i < LOOKS; i++)
		if (!l->before[i].err && l->before[i].st.st_ino == l->after[which].st.st_ino)
			return &l->before[i];
	return NULL;
}

enum { MTIME, CTIME, ATIME };

static const struct timespec *time_of(const struct stat *st, int time)
{
	return time == MTIME ? &st->st_mtim : time == CTIME ? &st->st_ctim : &st->st_atim;
}

/* Whether a time moved: yes, no, or that it cannot be told. */
enum { STAYED, MOVED, UNCLEAR };

static int moved(const struct looks *l, int which, int time)
{
	const struct look *before = same_before(l, which);
	const struct timespec *old, *new = time_of(&l->after[which].st, time);

	if (!before)
		return earlier(new, &l->start) ? STAYED : UNCLEAR;
	old = time_of(&before->st, time);
	/* It was moved in the same tick of the clock that the operation fell into. */
	if (!earlier(old, &l->start))
		return UNCLEAR;
	return old->tv_sec != new->tv_sec || old->tv_nsec != new->tv_nsec ? MOVED : STAYED;
}

static int compare_time(struct looks *l, int which, int time, bool failed)
{
	static const char *const name[] = { "mtime", "ctime", "atime" };
	static const char *const says[] = { "stayed", "moved", "is unclear" };
	const struct timespec *now[2];
	int m[2];

	for (int i = 0; i < 2; i++) {
		m[i] = moved(&l[i], which, time);
		now[i] = time_of(&l[i].after[which].st, time);
	}
	/* Times that were set are long ago, and equal to the nanosecond. */
	if (time != CTIME && (now[0]->tv_sec < TREE_LONG_AGO || now[1]->tv_sec < TREE_LONG_AGO) &&
	    (earlier(now[0], now[1]) || earlier(now[1], now[0]))) {
		printf("# %s of %s is %lld.%09ld, on plain %lld.%09ld\n", name[time],
		       look_name[which], (long long)now[0]->tv_sec, now[0]->tv_nsec,
		       (long long)now[1]->tv_sec, now[1]->tv_nsec);
		return 1;
	}
	if (m[0] == m[1] || m[0] == UNCLEAR || m[1] == UNCLEAR)
		return 0;
	/*
	 * Nobody can keep ctime back when an object is copied up. And ext4 makes a
	 * rename's whiteout before it finds that the rename cannot be.
	 */
	if (time == CTIME && (m[0] == MOVED || failed))
		return 0;
	printf("# %s of %s %s, on plain it %s%s\n", name[time], look_name[which], says[m[0]],
	       says[m[1]], failed ? " (of a call that failed)" : "");
	return 1;
}

static int compare_one(struct looks *l, int which, bool failed, unsigned int flags)
{
	const struct look *m = &l[0].after[which], *p = &l[1].after[which];
	bool dir = !p->err && S_ISDIR(p->st.st_mode);
	int bad = 0;

	if (m->err != p->err) {
		printf("# %s: %s, on plain %s\n", look_name[which], strerror(m->err),
		       strerror(p->err));
		return 1;
	}
	if (m->err)
		return 0;
	/* Size and link count of a directory: every filesystem has its own idea. */
	if (m->st.st_mode != p->st.st_mode || m->st.st_uid != p->st.st_uid ||
	    m->st.st_gid != p->st.st_gid || m->st.st_rdev != p->st.st_rdev ||
	    (!dir && (m->st.st_size != p->st.st_size || m->st.st_nlink != p->st.st_nlink))) {
		for (int i = 0; i < 2; i++) {
			const struct stat *st = &l[i].after[which].st;

			printf("# %s %s: mode %o owner %u:%u dev %lx size %lld nlink %u\n",
			       look_name[which], i ? "on plain" : "in the mount", st->st_mode,
			       st->st_uid, st->st_gid, (long)st->st_rdev,
			       (long long)st->st_size, (unsigned int)st->st_nlink);
		}
		bad++;
	}
	/* Others may have made something in it meanwhile, in one of the two. */
	if (dir && (flags & LOOK_SHARED))
		return bad;
	bad += compare_time(l, which, MTIME, failed) + compare_time(l, which, CTIME, failed);
	/* To find what a handle means, directories of the upper are read. */
	if ((flags & LOOK_ATIME) && !dir)
		bad += compare_time(l, which, ATIME, failed);
	return bad;
}

/* Two that are one object on plain are one in the mount, and the other way around. */
static int compare_numbers(struct looks *l)
{
	struct look *all[2][2 * LOOKS];

	for (int s = 0; s < 2; s++)
		for (int i = 0; i < LOOKS; i++) {
			all[s][i] = &l[s].before[i];
			all[s][LOOKS + i] = &l[s].after[i];
		}
	for (int i = 0; i < 2 * LOOKS; i++)
		for (int j = 0; j < i; j++) {
			bool same[2];

			if (all[0][i]->err || all[0][j]->err || all[1][i]->err || all[1][j]->err)
				continue;
			/* One without a name may be gone now, and its number a new one's. */
			if (i >= LOOKS && j < LOOKS && !all[1][j]->st.st_nlink)
				continue;
			for (int s = 0; s < 2; s++)
				same[s] = all[s][i]->st.st_ino == all[s][j]->st.st_ino &&
					all[s][i]->st.st_dev == all[s][j]->st.st_dev;
			if (same[0] == same[1])
				continue;
			printf("# %s %s and %s %s are %s (%llu, %llu), on plain %s (%llu, %llu)\n",
			       look_name[j % LOOKS], j < LOOKS ? "before" : "after",
			       look_name[i % LOOKS], i < LOOKS ? "before" : "after",
			       same[0] ? "one object" : "two",
			       (unsigned long long)all[0][j]->st.st_ino,
			       (unsigned long long)all[0][i]->st.st_ino,
			       same[1] ? "one" : "two",
			       (unsigned long long)all[1][j]->st.st_ino,
			       (unsigned long long)all[1][i]->st.st_ino);
			return 1;
		}
	return 0;
}

int look_compare(struct looks *mount, struct looks *plain, const struct treeop *op,
		 bool failed, unsigned int flags)
{
	struct looks l[2] = { *mount, *plain };
	int bad = 0;

	for (int i = 0; i < (flags & LOOK_SHARED ? LOOK_PARENT_A : LOOKS); i++)
		bad += compare_one(l, i, failed, flags);
	bad += compare_numbers(l);
	if (mount->xattrs && plain->xattrs && strcmp(mount->xattrs, plain->xattrs)) {
		printf("# xattrs of a:%s\n#   on plain:%s\n", mount->xattrs, plain->xattrs);
		bad++;
	}
	free(mount->xattrs);
	free(plain->xattrs);
	mount->xattrs = plain->xattrs = NULL;
	return bad;
}
