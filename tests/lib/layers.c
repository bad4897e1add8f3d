// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "layers.h"

static const struct {
	const char *path;
	uid_t owner;
	mode_t mode;
} fixed[] = {
	{ "p0", 0, 0777 }, { "p1", 1000, 0775 }, { "p2", 1001, 0777 }, { "p3", 1002, 0755 },
	{ "p4", 1003, 0770 }, { "s", 0, 0777 }, { "s/x", 0, 01777 }, { "s/x/y", 1000, 02777 },
};

void random_name(struct rng *r, int owner, char name[3])
{
	name[0] = 'a' + rng_under(r, 6);
	name[1] = '0' + owner;
	name[2] = 0;
}

void random_path(struct rng *r, int owner, char path[RANDOM_PATH])
{
	unsigned int base = rng_under(r, 6), depth = 1 + rng_under(r, 3);
	char name[3];

	/* Half of it in its own directory. */
	strcpy(path, fixed[base < 3 ? owner : RANDOM_OWNERS + (int)base - 3].path);
	while (depth--) {
		random_name(r, owner, name);
		strcat(strcat(path, "/"), name);
	}
}

static int cannot(const char *what, const char *path)
{
	int err = errno;

	printf("# layers: cannot %s %s: %s\n", what, path, strerror(err));
	errno = err;
	return -1;
}

/* Owner, mode and xattrs, ACLs among them. */
static int copy_look(const char *from, const char *to)
{
	char list[1024], value[256];
	struct stat st;
	ssize_t len, n;

	if (lstat(from, &st) || lchown(to, st.st_uid, st.st_gid) ||
	    chmod(to, st.st_mode & 07777))
		return cannot("make", to);
	len = llistxattr(from, list, sizeof(list));
	for (char *p = list; p < list + len; p += strlen(p) + 1) {
		n = lgetxattr(from, p, value, sizeof(value));
		if (n < 0 || lsetxattr(to, p, value, n, 0))
			return cannot("make", to);
	}
	return 0;
}

/* Makes the parents of path in the layer, looking as the merged ones do. */
static int make_parents(struct world *w, const char *layer, const char *path)
{
	char part[RANDOM_PATH];
	struct stat st;

	for (const char *p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
		const char *dir;

		memcpy(part, path, p - path);
		part[p - path] = 0;
		dir = join(layer, part);
		if (lstat(join(w->plain, part), &st) || !S_ISDIR(st.st_mode)) {
			errno = ENOTDIR;
			return -1;
		}
		if (mkdir(dir, 0755)) {
			if (errno != EEXIST)
				return cannot("make", dir);
			continue;
		}
		if (copy_look(join(w->plain, part), dir))
			return -1;
	}
	return 0;
}

static int fill(struct rng *r, const char *path, unsigned int salt)
{
	static char buf[150000];
	unsigned int kind = rng_under(r, 8);
	size_t size = rng_under(r, kind < 5 ? 200 : kind < 7 ? 20000 : sizeof(buf));

	fill_pattern(buf, size, 0, salt);
	return write_file(path, buf, size);
}

/* Of a new object: whose it is, what may be done to it, and now and then more. */
static int random_look(struct rng *r, const char *path)
{
	static const mode_t odd[] = { 04755, 02755, 06711, 02775, 01777, 0, 0444, 0555 };
	struct {
		struct posix_acl_xattr_header header;
		struct posix_acl_xattr_entry entry[5];
	} acl = {
		.header.a_version = POSIX_ACL_XATTR_VERSION,
		.entry = {
			{ ACL_USER_OBJ, rng_under(r, 8), ACL_UNDEFINED_ID },
			{ ACL_USER, rng_under(r, 8), 1000 + rng_under(r, 4) },
			{ ACL_GROUP_OBJ, rng_under(r, 8), ACL_UNDEFINED_ID },
			{ ACL_MASK, rng_under(r, 8), ACL_UNDEFINED_ID },
			{ ACL_OTHER, rng_under(r, 8), ACL_UNDEFINED_ID },
		},
	};
	uid_t uid = rng_under(r, 5), gid = rng_under(r, 5);
	mode_t mode = rng_under(r, 6) ? 0644 | rng_under(r, 0200) : odd[rng_under(r, 8)];
	unsigned int more = rng_under(r, 12), salt = rng_under(r, 4);
	struct stat st;

	if (lstat(path, &st) || lchown(path, uid ? 999 + uid : 0, gid ? 999 + gid : 0))
		return -1;
	if (S_ISLNK(st.st_mode))
		return 0;
	if (S_ISDIR(st.st_mode))
		mode |= rng_under(r, 4) ? 0755 : 0;
	if (chmod(path, mode))
		return -1;
	if (more == 0 && setxattr(path, "system.posix_acl_access", &acl, sizeof(acl), 0))
		return -1;
	if (more == 1 && S_ISDIR(st.st_mode) &&
	    setxattr(path, "system.posix_acl_default", &acl, sizeof(acl), 0))
		return -1;
	if (more < 4 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) &&
	    setxattr(path, "user.layer", "value", salt, 0))
		return -1;
	return 0;
}

/* One object of a random type at the same place in layer and plain. */
static int make_object(struct world *w, struct rng *r, const char *layer,
		       const char *path)
{
	const char *to[2] = { join(layer, path), join(w->plain, path) };
	unsigned int kind = rng_under(r, 10), salt = rng_under(r, 1 << 16);
	struct rng same;
	char name[3];

	random_name(r, path[strlen(path) - 1] - '0', name);
	same = *r;
	for (int i = 0; i < 2; i++) {
		int err;

		*r = same;
		if (kind < 5)
			err = fill(r, to[i], salt);
		else if (kind < 8)
			err = mkdir(to[i], 0700);
		else if (kind < 9)
			err = symlink(name, to[i]);
		else
			err = mknod(to[i], S_IFIFO | 0600, 0);
		if (err || random_look(r, to[i]))
			return cannot("make", to[i]);
	}
	return 0;
}

static int edit(struct world *w, struct rng *r, const char *layer, bool hard_links)
{
	static char last[RANDOM_OWNERS][RANDOM_PATH];
	char path[RANDOM_PATH], other[RANDOM_PATH];
	/* Half of them the first two's, so that there is some depth to it. */
	int owner = rng_under(r, rng_under(r, 2) ? 2 : RANDOM_OWNERS);
	const char *in_layer, *in_plain;
	bool seen;

	random_path(r, owner, path);
	random_path(r, owner, other);
	in_layer = join(layer, path);
	in_plain = join(w->plain, path);
	seen = exists(in_plain);
	/* A layer says one thing about a name; it may have said it already. */
	if (exists(in_layer) || make_parents(w, layer, path))
		return errno == ENOTDIR || exists(in_layer) ? 0 : -1;
	if (hard_links && !seen && rng_under(r, 3) == 0) {
		struct stat st;

		/* The last one with a name; few random paths are files. */
		if (lstat(join(layer, other), &st) || !S_ISREG(st.st_mode))
			strcpy(other, last[owner]);
		if (!lstat(join(layer, other), &st) && S_ISREG(st.st_mode) &&
		    !link(join(layer, other), in_layer))
			return link(join(w->plain, other), in_plain);
		return 0;
	}
	if (!seen) {
		if (rng_under(r, 2))
			strcpy(last[owner], path);
		return make_object(w, r, layer, path);
	}
	switch (rng_under(r, 4)) {
	case 0:
		if (make_whiteout(in_layer))
			return -1;
		return remove_tree(in_plain);
	case 1:
		if (remove_tree(in_plain) || mkdir(in_plain, 0755) || random_look(r, in_plain))
			return cannot("make", in_plain);
		if (mkdir(in_layer, 0755) || copy_look(in_plain, in_layer) ||
		    make_opaque(in_layer))
			return cannot("make", in_layer);
		return 0;
	case 2: {
		struct stat st;

		/* Something else in its place; a directory would be merged. */
		if (lstat(in_plain, &st) || S_ISDIR(st.st_mode))
			return 0;
		if (remove_tree(in_plain))
			return -1;
		return make_object(w, r, layer, path);
	}
	}
	return 0;
}

static int make_fixed(const char *root, int i)
{
	static const struct {
		struct posix_acl_xattr_header header;
		struct posix_acl_xattr_entry entry[6];
	} acl = {
		.header.a_version = POSIX_ACL_XATTR_VERSION,
		.entry = {
			{ ACL_USER_OBJ, 7, ACL_UNDEFINED_ID }, { ACL_USER, 6, 1001 },
			{ ACL_GROUP_OBJ, 5, ACL_UNDEFINED_ID }, { ACL_GROUP, 7, 1003 },
			{ ACL_MASK, 7, ACL_UNDEFINED_ID }, { ACL_OTHER, 5, ACL_UNDEFINED_ID },
		},
	};
	const char *path = join(root, fixed[i].path);

	if (mkdir(path, 0755) || chown(path, fixed[i].owner, fixed[i].owner) ||
	    chmod(path, fixed[i].mode))
		return -1;
	return fixed[i].mode & S_ISGID ?
		setxattr(path, "system.posix_acl_default", &acl, sizeof(acl), 0) : 0;
}

int random_layers(struct world *w, struct rng *r, int edits, bool hard_links)
{
	for (int layer = w->nlayers - 1; layer >= 0; layer--) {
		for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++) {
			/* The ones that everybody works in are in every layer. */
			if (make_fixed(w->layer[layer], i) ||
			    (layer == w->nlayers - 1 && make_fixed(w->plain, i)))
				return cannot("make", fixed[i].path);
		}
		for (int i = 0; i < edits; i++)
			if (edit(w, r, w->layer[layer], hard_links && !layer))
				return -1;
	}
	return 0;
}
