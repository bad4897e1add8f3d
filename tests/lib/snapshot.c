// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "snapshot.h"

#define BLOCK 4096
#define MOST_BLOCKS 1000	/* of a file that are read */
#define MOST_DEPTH 40

static uint64_t hash(uint64_t h, const void *data, size_t n)
{
	const unsigned char *p = data;

	while (n--)
		h = (h ^ *p++) * 0x100000001b3ULL;
	return h;
}

/* Zeros are as good as a hole: a fault makes the one from the other, on tmpfs. */
static uint64_t hash_data(const char *path)
{
	static const unsigned char zeros[BLOCK];
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	unsigned char buf[BLOCK];
	uint64_t h = 1;
	off_t at = 0;
	ssize_t n;

	for (int left = MOST_BLOCKS; fd >= 0 && left--; at += BLOCK) {
		at = lseek(fd, at, SEEK_DATA);
		if (at < 0)
			break;
		at -= at % BLOCK;
		n = pread(fd, buf, BLOCK, at);
		if (n <= 0)
			break;
		if (!memcmp(buf, zeros, n))
			continue;
		h = hash(hash(h, &at, sizeof(at)), buf, n);
	}
	if (fd >= 0)
		close(fd);
	return h;
}

/* In whatever order they are listed. */
static uint64_t hash_xattrs(const char *path)
{
	static char list[1 << 16], value[1 << 16];
	ssize_t n = llistxattr(path, list, sizeof(list));
	uint64_t sum = 0;

	for (char *p = list; n > 0 && p < list + n; p += strlen(p) + 1) {
		ssize_t len = lgetxattr(path, p, value, sizeof(value));

		sum += hash(hash(1, p, strlen(p)), value, len < 0 ? 0 : len);
	}
	return sum;
}

static int add(struct snapshot *s, const char *path, int depth)
{
	struct snapshot_entry *e;
	char child[4096], to[4096];
	struct dirent *de;
	ssize_t n;
	int ret = 0;
	DIR *dir;

	if (s->count == s->room) {
		s->room = s->room ? 2 * s->room : 64;
		e = realloc(s->entry, s->room * sizeof(*e));
		if (!e)
			return -1;
		s->entry = e;
	}
	e = &s->entry[s->count];
	*e = (struct snapshot_entry) { .path = strdup(path) };
	if (!e->path || lstat(path, &e->st)) {
		printf("# snapshot: %s: %s\n", path, strerror(errno));
		free(e->path);
		return -1;
	}
	s->count++;
	e->xattrs = hash_xattrs(path);
	if (S_ISREG(e->st.st_mode))
		e->data = hash_data(path);
	if (S_ISLNK(e->st.st_mode)) {
		n = readlink(path, to, sizeof(to));
		e->data = hash(1, to, n < 0 ? 0 : n);
	}
	if (!S_ISDIR(e->st.st_mode) || depth == MOST_DEPTH)
		return 0;
	dir = opendir(path);
	while (dir && !ret && (de = readdir(dir))) {
		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		if (snprintf(child, sizeof(child), "%s/%s", path, de->d_name) <
		    (int)sizeof(child))
			ret = add(s, child, depth + 1);
	}
	if (dir)
		closedir(dir);
	return ret;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct snapshot_entry *)a)->path,
		      ((const struct snapshot_entry *)b)->path);
}

int snapshot_take(struct snapshot *s, const char *root)
{
	int ret = add(s, root, 0);

	qsort(s->entry, s->count, sizeof(*s->entry), by_path);
	return ret;
}

void snapshot_skip_shared(struct snapshot *s, const struct snapshot *other)
{
	for (size_t i = 0; i < s->count; i++) {
		struct snapshot_entry *e = &s->entry[i];

		if (S_ISDIR(e->st.st_mode) || e->st.st_nlink < 2)
			continue;
		for (size_t j = 0; j < other->count && !e->skip; j++)
			e->skip = other->entry[j].st.st_ino == e->st.st_ino &&
				other->entry[j].st.st_dev == e->st.st_dev;
	}
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* What is different about an object, or NULL. */
static const char *difference(const struct snapshot_entry *a, const struct snapshot_entry *b)
{
	const struct stat *s = &a->st, *t = &b->st;

	if (a->skip)
		return NULL;
	if (s->st_ino != t->st_ino || (s->st_mode ^ t->st_mode) & S_IFMT)
		return "another object";
	if (s->st_size != t->st_size && !S_ISDIR(s->st_mode))
		return "its size";
	if (a->data != b->data)
		return "its data";
	if (a->xattrs != b->xattrs)
		return "its attributes";
	if (s->st_mode != t->st_mode)
		return "its mode";
	if (s->st_uid != t->st_uid || s->st_gid != t->st_gid)
		return "its owner";
	if (s->st_rdev != t->st_rdev)
		return "its device";
	if (!same_time(s->st_mtim, t->st_mtim))
		return "its mtime";
	if (a->loose)
		return NULL;
	if (s->st_nlink != t->st_nlink)
		return "its link count";
	if (!same_time(s->st_atim, t->st_atim))
		return "its atime";
	if (!same_time(s->st_ctim, t->st_ctim))
		return "its ctime";
	return NULL;
}

int snapshot_compare(const struct snapshot *before, const struct snapshot *now)
{
	size_t i = 0, j = 0;
	int bad = 0;

	while (i < before->count || j < now->count) {
		const struct snapshot_entry *a = &before->entry[i], *b = &now->entry[j];
		int cmp = i == before->count ? 1 : j == now->count ? -1 :
			strcmp(a->path, b->path);
		const char *what = cmp ? NULL : difference(a, b);

		if (cmp < 0)
			printf("# changed outside: %s is gone\n", a->path);
		if (cmp > 0)
			printf("# changed outside: %s is new\n", b->path);
		if (what)
			printf("# changed outside: %s: %s\n", a->path, what);
		bad += cmp || what;
		i += cmp <= 0;
		j += cmp >= 0;
	}
	fflush(stdout);
	return bad;
}

void snapshot_free(struct snapshot *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->entry[i].path);
	free(s->entry);
	*s = (struct snapshot) { };
}
