// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tree.h"

#define LIST_MAX 65536

struct scan {
	struct tree *tree;
	const char *root;
	unsigned int flags;
	dev_t dev;
};

/* The description of one object while it grows. */
struct text {
	char *buf;
	size_t len;
	size_t room;
};

static void __attribute__((format(printf, 2, 3)))
say(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (t->len + n + 1 > t->room) {
		t->room = (t->len + n + 1) * 2;
		t->buf = realloc(t->buf, t->room);
		if (!t->buf)
			abort();
	}
	va_start(ap, fmt);
	t->len += vsnprintf(t->buf + t->len, t->room - t->len, fmt, ap);
	va_end(ap);
}

/* Eight bytes at a time: an emulated processor goes through megabytes here. */
static uint64_t hash(uint64_t h, const unsigned char *p, size_t n)
{
	uint64_t word;

	for (; n >= sizeof(word); n -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		h = (h ^ word) * 0x100000001b3ULL;
		h ^= h >> 29;
	}
	while (n--)
		h = (h ^ *p++) * 0x100000001b3ULL;
	return h;
}

#define HASH_START 0xcbf29ce484222325ULL

static int cannot(const char *what, const char *path)
{
	printf("# cannot %s %s: %s\n", what, path, strerror(errno));
	return -1;
}

static int say_content(struct text *t, const char *path)
{
	static unsigned char buf[1 << 16];
	uint64_t h = HASH_START;
	size_t have = 0;
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC);
	if (fd < 0)
		return cannot("open", path);
	/* In the same steps, however much a read returns. */
	while ((n = read(fd, buf + have, sizeof(buf) - have)) > 0) {
		have += n;
		if (have == sizeof(buf)) {
			h = hash(h, buf, have);
			have = 0;
		}
	}
	close(fd);
	if (n < 0)
		return cannot("read", path);
	h = hash(h, buf, have);
	say(t, " data %016llx", (unsigned long long)h);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int say_xattrs(struct text *t, const char *path)
{
	char *name[1024];
	char *list, *value;
	ssize_t len, n;
	size_t count = 0;
	int ret = -1;

	list = malloc(2 * LIST_MAX);
	if (!list)
		return cannot("list the xattrs of", path);
	value = list + LIST_MAX;
	len = llistxattr(path, list, LIST_MAX);
	if (len < 0) {
		cannot("list the xattrs of", path);
		goto out;
	}
	for (char *p = list; p < list + len && count < 1024; p += strlen(p) + 1)
		name[count++] = p;
	qsort(name, count, sizeof(*name), by_name);
	for (size_t i = 0; i < count; i++) {
		n = lgetxattr(path, name[i], value, LIST_MAX);
		if (n < 0) {
			/* Listed and yet not there: that is a difference. */
			say(t, " %s: %s", name[i], strerrorname_np(errno));
			continue;
		}
		say(t, " %s=%zd:%016llx", name[i], n,
		    (unsigned long long)hash(HASH_START, (void *)value, n));
	}
	ret = 0;
out:
	free(list);
	return ret;
}

char *tree_xattrs(const char *path)
{
	struct text text = { };

	say(&text, "%s", "");
	if (!say_xattrs(&text, path))
		return text.buf;
	free(text.buf);
	return NULL;
}

static int read_link(const char *path, char target[PATH_MAX + 1])
{
	ssize_t n = readlink(path, target, PATH_MAX);

	if (n < 0)
		return cannot("read the link", path);
	target[n] = 0;
	return 0;
}

/*
 * Reads a link and undoes the new atime, so that the next reader of it leaves
 * a trace. st is as it is after that.
 */
static int seal_link(const char *path, char target[PATH_MAX + 1],
		     struct stat *st)
{
	struct timespec ts[2] = { st->st_atim, { .tv_nsec = UTIME_OMIT } };

	if (read_link(path, target))
		return -1;
	if (utimensat(AT_FDCWD, path, ts, AT_SYMLINK_NOFOLLOW) ||
	    lstat(path, st))
		return cannot("seal", path);
	return 0;
}

static const char *type_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG: return "file";
	case S_IFDIR: return "dir";
	case S_IFLNK: return "link";
	case S_IFCHR: return "chr";
	case S_IFBLK: return "blk";
	case S_IFIFO: return "fifo";
	case S_IFSOCK: return "sock";
	}
	return "unknown";
}

static void say_stat(struct text *t, const struct stat *st, unsigned int flags)
{
	bool dir = S_ISDIR(st->st_mode);

	say(t, "%s %04o %u:%u", type_name(st->st_mode), st->st_mode & 07777,
	    st->st_uid, st->st_gid);
	if (S_ISREG(st->st_mode) || S_ISLNK(st->st_mode))
		say(t, " size %lld", (long long)st->st_size);
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		say(t, " dev %u:%u", major(st->st_rdev), minor(st->st_rdev));
	if ((flags & TREE_NLINK) && !dir)
		say(t, " nlink %u", (unsigned int)st->st_nlink);
	if (flags & (dir ? TREE_DIRTIME : TREE_MTIME))
		say(t, " mtime %lld.%09ld", (long long)st->st_mtim.tv_sec,
		    st->st_mtim.tv_nsec);
	/* Those that moved later hold what the clock said. */
	if ((flags & TREE_SETTIMES) && st->st_mtim.tv_sec < TREE_LONG_AGO)
		say(t, " mtime %lld.%09ld", (long long)st->st_mtim.tv_sec,
		    st->st_mtim.tv_nsec);
	if ((flags & TREE_SETTIMES) && !dir && st->st_atim.tv_sec < TREE_LONG_AGO)
		say(t, " atime %lld.%09ld", (long long)st->st_atim.tv_sec,
		    st->st_atim.tv_nsec);
	/* Not the blocks: xfs takes back when it likes what it has set aside. */
	if (flags & TREE_SEAL)
		say(t, " ino %llu", (unsigned long long)st->st_ino);
	/* Of a link with several names: each would show what the one before has left. */
	if ((flags & TREE_SEAL) && !(S_ISLNK(st->st_mode) && st->st_nlink > 1))
		say(t, " atime %lld.%09ld ctime %lld.%09ld",
		    (long long)st->st_atim.tv_sec, st->st_atim.tv_nsec,
		    (long long)st->st_ctim.tv_sec, st->st_ctim.tv_nsec);
}

static int add(struct scan *s, const char *rel, struct stat *st)
{
	struct tree *tree = s->tree;
	struct text text = { };
	char path[PATH_MAX], target[PATH_MAX + 1];
	bool link, sealing;
	int err = 0;

	snprintf(path, sizeof(path), "%s/%s", s->root, rel);
	if (lstat(path, st))
		return cannot("stat", path);
	link = S_ISLNK(st->st_mode);
	sealing = link && (s->flags & TREE_SEALING);
	if (sealing && seal_link(path, target, st))
		return -1;
	say_stat(&text, st, s->flags);
	if (link && !sealing)
		err = read_link(path, target);
	if (link && !err)
		say(&text, " -> %s", target);
	if (!err && S_ISREG(st->st_mode))
		err = say_content(&text, path);
	if (!err && !(s->flags & TREE_NOXATTR))
		err = say_xattrs(&text, path);
	if (err) {
		free(text.buf);
		return err;
	}
	if (tree->count == tree->room) {
		tree->room = tree->room ? 2 * tree->room : 64;
		tree->entry = realloc(tree->entry,
				      tree->room * sizeof(*tree->entry));
		if (!tree->entry)
			abort();
	}
	tree->entry[tree->count].path = strdup(rel);
	tree->entry[tree->count].ino = st->st_ino;
	tree->entry[tree->count++].desc = text.buf;
	return 0;
}

static void __attribute__((format(printf, 2, 3)))
problem(struct scan *s, const char *fmt, ...)
{
	va_list ap;

	if (s->tree->problems++ >= 20)
		return;
	va_start(ap, fmt);
	printf("# ");
	vprintf(fmt, ap);
	printf("\n");
	va_end(ap);
}

static void check_entry(struct scan *s, const char *rel,
			const struct dirent *de, const struct stat *st)
{
	if (!(s->flags & TREE_CHECK))
		return;
	if (de->d_type != IFTODT(st->st_mode))
		problem(s, "%s/%s: d_type %u, stat says %s", s->root, rel,
			de->d_type, type_name(st->st_mode));
	if (de->d_ino != st->st_ino && !(s->flags & TREE_NODINO))
		problem(s, "%s/%s: d_ino %llu, st_ino %llu", s->root, rel,
			(unsigned long long)de->d_ino,
			(unsigned long long)st->st_ino);
	if (st->st_dev != s->dev)
		problem(s, "%s/%s: st_dev %u:%u, the root has %u:%u", s->root,
			rel, major(st->st_dev), minor(st->st_dev),
			major(s->dev), minor(s->dev));
}

static int scan_dir(struct scan *s, const char *rel)
{
	char path[PATH_MAX], child[PATH_MAX];
	struct dirent *de;
	struct stat st;
	int fd, ret = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%s", s->root, rel);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOATIME | O_CLOEXEC);
	if (fd < 0)
		return cannot("open", path);
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return cannot("read", path);
	}
	while (!ret && (errno = 0, de = readdir(dir))) {
		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		if (snprintf(child, sizeof(child), "%s%s%s", rel,
			     *rel ? "/" : "", de->d_name) >= (int)sizeof(child)) {
			errno = ENAMETOOLONG;
			ret = cannot("walk", path);
			break;
		}
		ret = add(s, child, &st);
		if (ret)
			break;
		check_entry(s, child, de, &st);
		if (S_ISDIR(st.st_mode))
			ret = scan_dir(s, child);
	}
	if (!ret && errno)
		ret = cannot("read", path);
	closedir(dir);
	return ret;
}

static int by_path(const void *a, const void *b)
{
	const struct tree_entry *x = a, *y = b;

	return strcmp(x->path, y->path);
}

int tree_scan(struct tree *t, const char *root, unsigned int flags)
{
	struct scan s = { .tree = t, .root = root, .flags = flags };
	struct stat st;
	int ret;

	*t = (struct tree) { };
	ret = add(&s, "", &st);
	if (ret)
		return ret;
	s.dev = st.st_dev;
	ret = scan_dir(&s, "");
	qsort(t->entry, t->count, sizeof(*t->entry), by_path);
	for (size_t i = 1; i < t->count; i++)
		if (!strcmp(t->entry[i - 1].path, t->entry[i].path))
			problem(&s, "%s/%s is listed twice", root,
				t->entry[i].path);
	return ret;
}

void tree_free(struct tree *t)
{
	for (size_t i = 0; i < t->count; i++) {
		free(t->entry[i].path);
		free(t->entry[i].desc);
	}
	free(t->entry);
	*t = (struct tree) { };
}

size_t tree_diff(const struct tree *a, const char *name_a,
		 const struct tree *b, const char *name_b)
{
	size_t i = 0, j = 0, diffs = 0;

	while (i < a->count || j < b->count) {
		const struct tree_entry *x = i < a->count ? &a->entry[i] : NULL;
		const struct tree_entry *y = j < b->count ? &b->entry[j] : NULL;
		int order = !x ? 1 : !y ? -1 : strcmp(x->path, y->path);

		i += order <= 0;
		j += order >= 0;
		if (!order && !strcmp(x->desc, y->desc))
			continue;
		if (++diffs > 20)
			continue;
		if (order < 0)
			printf("# only %s has %s: %s\n", name_a, x->path, x->desc);
		else if (order > 0)
			printf("# only %s has %s: %s\n", name_b, y->path, y->desc);
		else
			printf("# %s differs:\n#   %s: %s\n#   %s: %s\n", x->path,
			       name_a, x->desc, name_b, y->desc);
	}
	if (diffs > 20)
		printf("# and %zu more differences\n", diffs - 20);
	return diffs;
}

/* For each entry, the first one that is a name of the same object. */
static size_t *first_names(const struct tree *t)
{
	size_t *first = calloc(t->count + 1, sizeof(*first));

	if (!first)
		abort();
	for (size_t i = 0; i < t->count; i++) {
		first[i] = i;
		for (size_t j = 0; j < i && first[i] == i; j++)
			if (t->entry[j].ino == t->entry[i].ino)
				first[i] = j;
	}
	return first;
}

size_t tree_diff_links(struct tree *a, const char *name_a, struct tree *b,
		       const char *name_b)
{
	size_t *x = first_names(a), *y = first_names(b), diffs = 0;

	for (size_t i = 0; i < a->count && i < b->count; i++) {
		if (x[i] == y[i])
			continue;
		diffs++;
		printf("# %s is %s in %s, and %s in %s\n", a->entry[i].path,
		       x[i] == i ? "another object" : a->entry[x[i]].path, name_a,
		       y[i] == i ? "another object" : b->entry[y[i]].path, name_b);
	}
	free(x);
	free(y);
	return diffs;
}

size_t tree_diff_numbers(const struct tree *a, const struct tree *b)
{
	size_t diffs = 0;

	for (size_t i = 0; i < a->count && i < b->count; i++) {
		if (a->entry[i].ino == b->entry[i].ino)
			continue;
		if (diffs++ < 20)
			printf("# %s is %llu, and was %llu\n", a->entry[i].path,
			       (unsigned long long)b->entry[i].ino,
			       (unsigned long long)a->entry[i].ino);
	}
	return diffs;
}

int tree_compare(const char *a, unsigned int flags_a, const char *b,
		 unsigned int flags_b)
{
	struct tree ta = { }, tb = { };
	int ret = -1;

	if (!tree_scan(&ta, a, flags_a) && !tree_scan(&tb, b, flags_b))
		ret = tree_diff(&ta, a, &tb, b) || ta.problems || tb.problems;
	fflush(stdout);
	tree_free(&ta);
	tree_free(&tb);
	return ret;
}
