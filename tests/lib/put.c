// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Filling a world: put_*() make an object in the layer or upper where the
 * world's objects live, and the same in the plain directory.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "world.h"

const char marks_prefix[] = "trusted.overlay.";

static int cannot(const char *what, const char *path)
{
	int err = errno;

	printf("# world: cannot %s %s: %s\n", what, path, strerror(err));
	errno = err;
	return -1;
}

bool exists(const char *path)
{
	struct stat st;

	return !lstat(path, &st);
}

int make_whiteout(const char *path)
{
	if (mknod(path, S_IFCHR, makedev(0, 0)))
		return cannot("make the whiteout", path);
	return 0;
}

int make_opaque(const char *path)
{
	if (setxattr(path, "trusted.overlay.opaque", "y", 1, 0))
		return cannot("make opaque", path);
	return 0;
}

int write_file(const char *path, const void *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	const char *p = data;
	ssize_t n;

	if (fd < 0)
		return cannot("make", path);
	while (size) {
		n = write(fd, p, size);
		if (n <= 0) {
			cannot("write", path);
			close(fd);
			return -1;
		}
		p += n;
		size -= n;
	}
	return close(fd) ? cannot("close", path) : 0;
}

int store_at(const char *path, const void *data, size_t size, off_t off)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return cannot("open", path);
	n = pwrite(fd, data, size, off);
	return close(fd) || n != (ssize_t)size ? cannot("write", path) : 0;
}

int write_text(const char *path, const char *text)
{
	return write_file(path, text, strlen(text));
}

ssize_t read_text(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 0;

	if (fd < 0)
		return -1;
	while (len + 1 < size && (n = read(fd, buf + len, size - 1 - len)) > 0)
		len += n;
	close(fd);
	buf[len] = 0;
	return n < 0 ? -1 : (ssize_t)len;
}

int same_bytes(const char *path, const void *data, size_t size)
{
	static unsigned char buf[1 << 16];
	const unsigned char *p = data;
	size_t done = 0;
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return cannot("open", path);
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < n; i++, done++) {
			if (done < size && buf[i] == p[done])
				continue;
			if (done == size)
				printf("# %s: longer than %zu bytes\n", path, size);
			else
				printf("# %s: byte %zu is %02x, not %02x\n", path,
				       done, buf[i], p[done]);
			close(fd);
			return 1;
		}
	}
	close(fd);
	if (n < 0)
		return cannot("read", path);
	if (done == size)
		return 0;
	printf("# %s: %zu bytes, not %zu\n", path, done, size);
	return 1;
}

/* Eight bytes that begin at a multiple of eight are the same four twice. */
void fill_pattern(void *buf, size_t size, off_t offset, unsigned seed)
{
	unsigned char *p = buf;

	for (size_t i = 0; i < size; ) {
		unsigned long long at = offset + i;
		unsigned long long x = (at >> 3) + 1 + ((at >> 12) + seed) * 0x9e3779b9ULL;
		unsigned char eight[8];
		size_t skip = at & 7, n = 8 - skip;

		x ^= x >> 15;
		x *= 0x2545f4914f6cdd1dULL;
		for (int byte = 0; byte < 8; byte++)
			eight[byte] = x >> (32 + (byte & 3) * 8);
		if (n > size - i)
			n = size - i;
		memcpy(p + i, eight + skip, n);
		i += n;
	}
}

/* Does one thing with the object's path under every root that is to have it. */
typedef int (*put_fn)(const char *path, const void *arg);

static int put_in(const char *root, const char *rel, put_fn fn, const void *arg)
{
	const char *path = join(root, rel);

	return fn(path, arg) ? cannot("make", path) : 0;
}

static const char *home(struct world *w)
{
	switch (w->where) {
	case IN_LAYER:
		return w->layer[0];
	case IN_LOWER:
		return w->layer[1];
	case IN_UPPER:
		return w->upper;
	case MERGED:
		return w->turn++ & 1 ? w->upper : w->layer[0];
	}
	abort();
}

static int put(struct world *w, const char *rel, put_fn fn, const void *arg)
{
	return put_in(home(w), rel, fn, arg) ?: put_in(w->plain, rel, fn, arg);
}

static int on_all(struct world *w, const char *rel, put_fn fn, const void *arg)
{
	for (int i = 0; i < w->nlayers; i++)
		if (exists(join(w->layer[i], rel)) &&
		    put_in(w->layer[i], rel, fn, arg))
			return -1;
	if (exists(join(w->upper, rel)) && put_in(w->upper, rel, fn, arg))
		return -1;
	return put_in(w->plain, rel, fn, arg);
}

static int do_dir(const char *path, const void *arg)
{
	const mode_t *mode = arg;

	return mkdir(path, *mode) || chmod(path, *mode);
}

int put_dir(struct world *w, const char *path, mode_t mode)
{
	bool layers = w->where != IN_UPPER;
	bool upper = w->where == IN_UPPER || w->where == MERGED;

	for (int i = 0; layers && i < w->nlayers; i++)
		if (put_in(w->layer[i], path, do_dir, &mode))
			return -1;
	if (upper && put_in(w->upper, path, do_dir, &mode))
		return -1;
	return put_in(w->plain, path, do_dir, &mode);
}

struct content {
	const void *data;
	size_t size;
	mode_t mode;
};

static int do_file(const char *path, const void *arg)
{
	const struct content *c = arg;

	return write_file(path, c->data, c->size) || chmod(path, c->mode);
}

int put_file(struct world *w, const char *path, mode_t mode,
	     const void *data, size_t size)
{
	struct content c = { data, size, mode };

	return put(w, path, do_file, &c);
}

int put_text(struct world *w, const char *path, const char *text)
{
	return put_file(w, path, 0644, text, strlen(text));
}

int put_pattern(struct world *w, const char *path, size_t size, unsigned seed)
{
	void *buf = malloc(size);
	int ret;

	if (!buf)
		return cannot("fill", path);
	fill_pattern(buf, size, 0, seed);
	ret = put_file(w, path, 0644, buf, size);
	free(buf);
	return ret;
}

static int do_symlink(const char *path, const void *arg)
{
	return symlink(arg, path);
}

int put_symlink(struct world *w, const char *path, const char *target)
{
	return put(w, path, do_symlink, target);
}

struct node {
	mode_t mode;
	dev_t dev;
};

static int do_node(const char *path, const void *arg)
{
	const struct node *n = arg;

	return mknod(path, n->mode, n->dev) || chmod(path, n->mode & 07777);
}

int put_node(struct world *w, const char *path, mode_t mode, dev_t dev)
{
	struct node n = { mode, dev };

	return put(w, path, do_node, &n);
}

struct xattr {
	const char *name;
	const void *value;
	size_t size;
};

static int do_xattr(const char *path, const void *arg)
{
	const struct xattr *x = arg;

	return lsetxattr(path, x->name, x->value, x->size, 0);
}

int put_xattr(struct world *w, const char *path, const char *name,
	      const void *value, size_t size)
{
	struct xattr x = { name, value, size };

	return on_all(w, path, do_xattr, &x);
}

struct owner {
	uid_t uid;
	gid_t gid;
};

static int do_owner(const char *path, const void *arg)
{
	const struct owner *o = arg;

	return lchown(path, o->uid, o->gid);
}

int put_owner(struct world *w, const char *path, uid_t uid, gid_t gid)
{
	struct owner o = { uid, gid };

	return on_all(w, path, do_owner, &o);
}

static int do_mode(const char *path, const void *arg)
{
	const mode_t *mode = arg;

	return chmod(path, *mode);
}

int put_mode(struct world *w, const char *path, mode_t mode)
{
	return on_all(w, path, do_mode, &mode);
}
