// SPDX-License-Identifier: GPL-2.0-or-later
/* Trees that are changed in every way that a mount could stumble over. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "markval.h"
#include "marksgen.h"

static unsigned int under(struct marksgen *g, unsigned int n)
{
	return rng_under(&g->r, n);
}

/* Whatever is tried may fail. */
static void try(long result)
{
}

#define PICK(g, list) ((list)[under(g, sizeof(list) / sizeof(*(list)))])

static void say(const struct marksgen *g, const char *what, const char *a, const char *b)
{
	if (!g->verbose)
		return;
	printf("#   %s %s %s\n", what, a, b);
	fflush(stdout);
}

/* One that is there, most likely. */
static const char *some_path(struct marksgen *g)
{
	return g->paths ? g->path[under(g, g->paths)] : "/upper";
}

static const char *some_uuid(struct marksgen *g)
{
	if (!g->uuids || under(g, 8) == 0)
		return "01234567-89ab-4cde-8f01-23456789abcd";
	return g->uuid[under(g, g->uuids)];
}

/* A tree's root: the upper's, mostly. */
static const char *some_root(struct marksgen *g, char *buf)
{
	if (g->spare_layers || under(g, 3))
		return "/upper";
	sprintf(buf, "/layer%u", under(g, g->layers));
	return buf;
}

/* A name that is ours, or the workdir's. */
static void our_name(struct marksgen *g, char *path)
{
	char root[24];
	const char *at = some_root(g, root);

	switch (under(g, 11)) {
	case 0:
		sprintf(path, "%s/.veneer", at);
		break;
	case 1:
		sprintf(path, "%s/.veneer/map", at);
		break;
	case 2: case 3: case 4:
		sprintf(path, "%s/.veneer/map/%s", at, some_uuid(g));
		break;
	case 5:
		sprintf(path, "%s/.veneer/links", at);
		break;
	case 6: case 7:
		sprintf(path, "%s/.veneer/links/%016llx", at,
			g->ids ? g->id[under(g, g->ids)] : under(g, 4));
		break;
	case 8:
		strcpy(path, "/work/work");
		break;
	case 9:
		sprintf(path, "/work/work/#%x", under(g, 12));
		break;
	case 10:
		strcpy(path, under(g, 2) ? "/work/work/incompat" :
		       "/work/work/incompat/volatile");
		break;
	}
}

static void some_name(struct marksgen *g, char *path)
{
	if (under(g, 3)) {
		our_name(g, path);
	} else if (under(g, 3)) {
		strcpy(path, some_path(g));
	} else {
		const char *at = some_path(g);

		snprintf(path, MARKS_PATH, "%.250s/%c%u", at, "abcdn"[under(g, 5)], under(g, 3));
	}
}

static bool is_root(const char *path)
{
	return !strchr(path + 1, '/');
}

/* Makes room: what is there goes out of the way, with all that is in it. */
static void put_away(struct marksgen *g, const char *path)
{
	char to[64];

	if (is_root(path))
		return;
	sprintf(to, "/spare/away%u", under(g, 1000));
	if (rename(path, to) && errno != ENOENT)
		unlink(path);
}

/* Not a file of another user's that has a name elsewhere: there, nothing may change. */
static bool ours(const struct marksgen *g, const char *path)
{
	struct stat st;

	return !lstat(path, &st) &&
		(S_ISDIR(st.st_mode) || st.st_nlink == 1 || st.st_uid == g->uid);
}

static void give(const struct marksgen *g, const char *path)
{
	if (g->privileged && ours(g, path))
		try(lchown(path, g->uid, g->uid));
}

/* A new file, or none: what is there may be a device. */
static void fill(const char *path, size_t size, unsigned char c, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	char buf[4096];

	if (fd < 0)
		return;
	memset(buf, c, sizeof(buf));
	for (size_t n; size; size -= n) {
		n = size < sizeof(buf) ? size : sizeof(buf);
		if (write(fd, buf, n) != (ssize_t)n)
			break;
	}
	fchmod(fd, mode);
	close(fd);
}

static void make_socket(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	if (strlen(path) < sizeof(a.sun_path)) {
		strcpy(a.sun_path, path);
		try(bind(fd, (struct sockaddr *)&a, sizeof(a)));
	}
	close(fd);
}

static const long long size_of_sparse[] = {
	1, 4095, 4096, 4097, 1 << 20, 1LL << 31, 1LL << 32, (1LL << 44) - 4096, 1LL << 44,
	0x7fffffffffffffffLL, 0x7fffffffffff0000LL,
};

enum kind {
	EMPTY, SMALL, SPARSE, EXECUTABLE, UNREADABLE, DIRECTORY, FULL_DIR, CLOSED_DIR, DEEP_DIR,
	LINK_ROOT, LINK_UP, LINK_SELF, LINK_OUT, LINK_ANY, FIFO, SOCKET, WHITEOUT, NULL_DEV,
	DISK, HARD_LINK, OTHERS_FILE, KINDS
};

static void make_dir(struct marksgen *g, const char *path, mode_t mode, int with)
{
	char in[MARKS_PATH + 16];

	if (mkdir(path, 0755))
		return;
	for (int i = 0; i < with; i++) {
		snprintf(in, sizeof(in), "%s/%c%d", path, "abcd"[i % 4], i / 4);
		if (i % 4 == 3)
			mkdir(in, 0755);
		else
			fill(in, i * 50, 'i', 0644);
		give(g, in);
	}
	chmod(path, mode);
}

static void make_deep(struct marksgen *g, const char *path)
{
	char in[MARKS_PATH + 64];
	size_t n = snprintf(in, sizeof(in), "%s", path);

	for (int i = 0; i < 12 && !mkdir(in, 0755); i++) {
		give(g, in);
		n += sprintf(in + n, "/d");
	}
}

/* An object, or what stands in /spare for it, where this may not be made. */
static void make(struct marksgen *g, enum kind kind, const char *path)
{
	static const char *const spare[] = {
		[WHITEOUT] = "/spare/whiteout", [NULL_DEV] = "/spare/null",
		[DISK] = "/spare/disk", [OTHERS_FILE] = "/spare/others",
	};
	static const mode_t closed[] = { 0, 0111, 0444, 0500, 01777, 02777 };
	char name[64];
	dev_t dev = 0;

	switch (kind) {
	case EMPTY:
		fill(path, 0, 0, 0644);
		break;
	case SMALL:
		fill(path, 1 + under(g, 9000), 's', 0644);
		break;
	case SPARSE:
		fill(path, 0, 0, 0644);
		if (!ours(g, path))
			break;
		try(truncate(path, PICK(g, size_of_sparse)));
		break;
	case EXECUTABLE:
		fill(path, 40, 'e', under(g, 2) ? 0755 : 04755);
		break;
	case UNREADABLE:
		fill(path, 4096, 'u', 0);
		break;
	case DIRECTORY:
		make_dir(g, path, 0755, 0);
		break;
	case FULL_DIR:
		make_dir(g, path, 0755, 2 + under(g, 20));
		break;
	case CLOSED_DIR:
		make_dir(g, path, PICK(g, closed), 3);
		break;
	case DEEP_DIR:
		make_deep(g, path);
		break;
	case LINK_ROOT:
		try(symlink("/", path));
		break;
	case LINK_UP:
		try(symlink(PICK(g, ((const char *[]) { "..", "../..", ".", "../../else" })), path));
		break;
	case LINK_SELF:
		try(symlink(strrchr(path, '/') + 1, path));
		break;
	case LINK_OUT:
		try(symlink(g->outside, path));
		break;
	case LINK_ANY:
		try(symlink(some_path(g), path));
		break;
	case FIFO:
		mkfifo(path, 0666);
		break;
	case SOCKET:
		make_socket(path);
		break;
	case HARD_LINK:
		try(link(some_path(g), path));
		break;
	case NULL_DEV:
		dev = makedev(1, 3);
		/* fall through */
	case WHITEOUT:
		if (mknod(path, S_IFCHR | 0666, dev))
			try(link(spare[kind], path));
		break;
	case DISK:
		if (!g->disk || mknod(path, S_IFBLK | 0600, g->disk))
			try(link(spare[kind], path));
		break;
	case OTHERS_FILE:
		/* One of another user's, as a link: made by him who may, once. */
		sprintf(name, "%s%u", spare[kind], under(g, 6));
		if (link(name, path))
			try(rename(name, path));
		return;
	case KINDS:
		break;
	}
	give(g, path);
}

static void put(struct marksgen *g)
{
	static const unsigned char weight[KINDS] = {
		[EMPTY] = 3, [SMALL] = 3, [SPARSE] = 4, [EXECUTABLE] = 3, [UNREADABLE] = 2,
		[DIRECTORY] = 4, [FULL_DIR] = 4, [CLOSED_DIR] = 3, [DEEP_DIR] = 2,
		[LINK_ROOT] = 1, [LINK_UP] = 2, [LINK_SELF] = 1, [LINK_OUT] = 3, [LINK_ANY] = 3,
		[FIFO] = 4, [SOCKET] = 2, [WHITEOUT] = 4, [NULL_DEV] = 2, [DISK] = 4,
		[HARD_LINK] = 6, [OTHERS_FILE] = 6,
	};
	static const char *const kind_name[KINDS] = {
		"empty", "small", "sparse", "executable", "unreadable", "directory", "full dir",
		"closed dir", "deep dir", "link to root", "link up", "link to itself", "link out",
		"link", "fifo", "socket", "whiteout", "null", "disk", "hard link", "others file",
	};
	enum kind kind = rng_weighted(&g->r, weight, KINDS);
	char path[MARKS_PATH], parent[MARKS_PATH];

	some_name(g, path);
	if (is_root(path))
		return;
	say(g, "put", kind_name[kind], path);
	if (under(g, 8))
		put_away(g, path);
	/* What leads there, or not. */
	strcpy(parent, path);
	*strrchr(parent, '/') = 0;
	if (!is_root(parent) && under(g, 4) && !mkdir(parent, 0755))
		give(g, parent);
	make(g, kind, path);
}

static void mark_context(struct marksgen *g, struct markval *v)
{
	*v = (struct markval) { .r = &g->r };
	v->paths = (const char (*)[MARKVAL_PATH])g->path;
	v->nr_paths = g->paths;
	v->uuid = some_uuid(g);
	v->id = g->ids && under(g, 4) ? g->id[under(g, g->ids)] : under(g, 3);
}

static const char *mark_name(struct marksgen *g, enum markval_mark mark)
{
	/* In the other namespace it means nothing. */
	return markval_name(mark, under(g, 16) ? g->trusted : !g->trusted);
}

static void mark(struct marksgen *g)
{
	enum markval_mark which = under(g, MARKVAL_MARKS);
	const char *path = some_path(g), *name = mark_name(g, which);
	static unsigned char value[MARKVAL_SIZE];
	struct markval v;
	size_t n;

	/* The two that say most, and only of files. */
	if (under(g, 3) == 0)
		which = under(g, 2) ? MARKVAL_SPLIT : MARKVAL_LINKS;
	name = mark_name(g, which);
	mark_context(g, &v);
	n = markval_make(&v, which, value);
	say(g, "mark", name, path);
	if (!ours(g, path) || lsetxattr(path, name, value, n, 0))
		return;
	/* A record goes with its map, sometimes: one that fits. */
	if (which == MARKVAL_SPLIT && under(g, 2)) {
		char map[MARKS_PATH];
		const char *end = strchr(path + 1, '/');

		snprintf(map, sizeof(map), "%.*s/.veneer", (int)(end ? end - path : 0), path);
		if (!mkdir(map, 0755))
			give(g, map);
		strcat(map, "/map");
		if (!mkdir(map, 0755))
			give(g, map);
		snprintf(map + strlen(map), 40, "/%s", v.uuid);
		if (ours(g, map) || access(map, F_OK))
			markval_make_map(&v, map);
		give(g, map);
	}
}

static void copy_mark(struct marksgen *g)
{
	const char *from = some_path(g), *to = some_path(g);
	const char *name = mark_name(g, under(g, MARKVAL_MARKS));
	static unsigned char value[MARKVAL_SIZE];
	ssize_t n = lgetxattr(from, name, value, sizeof(value));

	if (n < 0 || !ours(g, to))
		return;
	say(g, "copy mark", name, to);
	try(lsetxattr(to, name, value, n, 0));
}

static void damage_mark(struct marksgen *g)
{
	static unsigned char value[MARKVAL_SIZE];
	ssize_t n = -1;

	for (int tries = 0; tries < 20 && n < 0; tries++) {
		enum markval_mark which = under(g, MARKVAL_MARKS);
		const char *path = some_path(g), *name = markval_name(which, g->trusted);
		struct markval v;

		n = lgetxattr(path, name, value, sizeof(value));
		if (n < 0 || !ours(g, path))
			continue;
		say(g, "damage mark", name, path);
		mark_context(g, &v);
		n = markval_damage(&v, which, value, n);
		try(under(g, 10) == 0 ? lremovexattr(path, name) :
		    lsetxattr(path, name, value, n, 0));
	}
}

static void damage_map(struct marksgen *g)
{
	char root[24], path[MARKS_PATH];
	struct markval v;

	snprintf(path, sizeof(path), "%s/.veneer/map/%s", some_root(g, root), some_uuid(g));
	say(g, "damage map", path, "");
	mark_context(g, &v);
	if (ours(g, path))
		markval_damage_map(&v, path);
}

static void resize(struct marksgen *g)
{
	const char *path = some_path(g);
	struct stat st;

	if (lstat(path, &st) || !S_ISREG(st.st_mode) || !ours(g, path))
		return;
	say(g, "resize", path, "");
	try(truncate(path, under(g, 2) ? PICK(g, size_of_sparse) :
		     (long long)under(g, st.st_size < 1 << 28 ? 2 * st.st_size + 1 : 99999)));
}

static void chattr(struct marksgen *g, const char *path)
{
	int flags = under(g, 2) ? FS_IMMUTABLE_FL : FS_APPEND_FL, fd;
	struct stat st;

	/* The roots must stay what can be renamed. */
	if (is_root(path) || lstat(path, &st) ||
	    (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
		return;
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return;
	try(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	close(fd);
}

static void attributes(struct marksgen *g)
{
	static const mode_t mode[] = {
		0, 0111, 0400, 0444, 0500, 0555, 0600, 0644, 0755, 0777, 01777, 02755, 04755, 06777,
	};
	const char *path = some_path(g);
	struct stat st;

	if (lstat(path, &st) || !ours(g, path))
		return;
	say(g, "attributes of", path, "");
	if (g->privileged && under(g, 3) == 0) {
		uid_t uid = PICK(g, ((uid_t []) { 0, 1001, 1000, 100000, 65534 }));

		try(lchown(path, uid, under(g, 2) ? uid : g->uid));
	} else if (g->privileged && under(g, 8) == 0) {
		chattr(g, path);
	} else if (!S_ISLNK(st.st_mode)) {
		chmod(path, PICK(g, mode));
	}
}

static void move(struct marksgen *g)
{
	const char *from = some_path(g);
	char to[MARKS_PATH];

	some_name(g, to);
	if (is_root(from) || is_root(to))
		return;
	say(g, "move", from, to);
	if (under(g, 3) == 0 && !renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE))
		return;
	put_away(g, to);
	try(rename(from, to));
}

static void hard_link(struct marksgen *g)
{
	const char *from = some_path(g);
	char to[MARKS_PATH];

	some_name(g, to);
	if (is_root(to))
		return;
	say(g, "link", from, to);
	put_away(g, to);
	try(link(from, to));
}

void marksgen_change(struct marksgen *g)
{
	static void (*const change[])(struct marksgen *) = {
		put, mark, copy_mark, damage_mark, damage_map, resize, attributes, move, hard_link,
	};
	static const unsigned char weight[] = { 12, 14, 3, 6, 6, 3, 4, 4, 5 };

	if (under(g, 30) == 0) {
		const char *path = some_path(g);

		say(g, "remove", path, "");
		put_away(g, path);
	} else {
		change[rng_weighted(&g->r, weight, sizeof(weight))](g);
	}
	g->changes++;
}

void marksgen_spare(struct marksgen *g)
{
	make(g, WHITEOUT, "/spare/whiteout");
	make(g, NULL_DEV, "/spare/null");
	if (g->disk)
		make(g, DISK, "/spare/disk");
}

/* Some of the names are in several layers, and some in the upper. */
static void fill_tree(struct marksgen *g, const char *root, int much)
{
	static const char *const dir[] = { "", "/a0", "/b0", "/a0/c0", "/a0/c0/d0" };
	char path[MARKS_PATH];

	for (size_t i = 0; i < sizeof(dir) / sizeof(*dir); i++) {
		snprintf(path, sizeof(path), "%s%s", root, dir[i]);
		if (i && under(g, 4) == 0)
			break;
		if (!mkdir(path, 0755))
			give(g, path);
		for (int n = under(g, much); n > 0; n--) {
			snprintf(path, sizeof(path), "%s%s/%c%u", root, dir[i], "abcd"[under(g, 4)],
				 1 + under(g, 2));
			if (under(g, 6) == 0)
				make(g, under(g, KINDS), path);
			else if (under(g, 6) == 0)
				make(g, HARD_LINK, path);
			else
				fill(path, under(g, 2) ? under(g, 200000) : under(g, 300),
				     'A' + under(g, 26), 0644);
			give(g, path);
			if (g->paths < MARKS_PATHS)
				strcpy(g->path[g->paths++], path);
		}
	}
}

void marksgen_begin(struct marksgen *g)
{
	char root[24];

	for (int i = g->layers - 1; i >= 0; i--) {
		snprintf(root, sizeof(root), "/layer%d", i);
		g->paths = 0;
		fill_tree(g, root, 6);
	}
	if (under(g, 2)) {
		g->paths = 0;
		fill_tree(g, "/upper", 3);
	}
}

static void found(struct marksgen *g, const char *path)
{
	const char *name = strrchr(path, '/') + 1;
	static unsigned char value[MARKVAL_SIZE];
	ssize_t n;

	if (g->paths < MARKS_PATHS && strlen(path) < MARKS_PATH)
		strcpy(g->path[g->paths++], path);
	n = lgetxattr(path, markval_name(MARKVAL_SPLIT, g->trusted), value, sizeof(value));
	if (n >= MARKVAL_SPLIT_SIZE && g->uuids < MARKS_IDS)
		markval_uuid_text(value, g->uuid[g->uuids++]);
	if (strstr(path, "/.veneer/links/") && strlen(name) == 16 && g->ids < MARKS_IDS)
		g->id[g->ids++] = strtoull(name, NULL, 16);
}

static void look_at(struct marksgen *g, const char *path, int depth)
{
	char child[MARKS_PATH + 260], last[MARKS_PATH + 260] = "";
	struct dirent *de;
	struct stat st;
	int fd, n = 0;
	DIR *dir;

	if (lstat(path, &st))
		return;
	found(g, path);
	/* Names of ours come as often as all others of a tree together. */
	for (int i = 0; strstr(path, "/.veneer") && i < 3; i++)
		found(g, path);
	if (!S_ISDIR(st.st_mode) || depth == 9)
		return;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	while (dir && n++ < 60 && (de = readdir(dir))) {
		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		snprintf(child, sizeof(child), "%s/%s", path, de->d_name);
		if (!strcmp(child, last))
			break;
		strcpy(last, child);
		look_at(g, child, depth + 1);
	}
	if (dir)
		closedir(dir);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

void marksgen_look(struct marksgen *g)
{
	char root[24];

	g->paths = 0;
	g->uuids = 0;
	g->ids = 0;
	look_at(g, "/upper", 0);
	look_at(g, "/work", 0);
	/* A look moves atimes. */
	for (int i = 0; i < g->layers && !g->spare_layers; i++) {
		snprintf(root, sizeof(root), "/layer%d", i);
		look_at(g, root, 0);
	}
	/* In whatever order the filesystem lists them. */
	qsort(g->path, g->paths, sizeof(*g->path), by_text);
	qsort(g->uuid, g->uuids, sizeof(*g->uuid), by_text);
}
