// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "layers.h"

static const char *const fixed[] = { "p0", "p1", "s", "s/x", "s/x/y" };

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
	strcpy(path, base < 3 ? fixed[owner] : fixed[base - 1]);
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

/* Makes the parents of path in the layer, looking as the merged ones do. */
static int make_parents(struct world *w, const char *layer, const char *path)
{
	char part[RANDOM_PATH], value[8];
	struct stat st;
	ssize_t n;

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
		/* The one xattr that a generated directory may have. */
		n = getxattr(join(w->plain, part), "user.layer", value, sizeof(value));
		if (chmod(dir, st.st_mode & 07777) ||
		    (n >= 0 && setxattr(dir, "user.layer", value, n, 0)))
			return cannot("make", dir);
	}
	return 0;
}

static int fill(struct rng *r, const char *path, unsigned int salt)
{
	static char buf[20000];
	size_t size = rng_under(r, 4) ? rng_under(r, 200) : rng_under(r, sizeof(buf));

	fill_pattern(buf, size, 0, salt);
	return write_file(path, buf, size);
}

/* One object of a random type at the same place in layer and plain. */
static int make_object(struct world *w, struct rng *r, const char *layer,
		       const char *path)
{
	const char *to[2] = { join(layer, path), join(w->plain, path) };
	unsigned int kind = rng_under(r, 10), mode = 0600 + rng_under(r, 0100);
	struct rng same;
	char name[3];

	random_name(r, path[strlen(path) - 1] - '0', name);
	same = *r;
	for (int i = 0; i < 2; i++) {
		struct rng fill_rng = same;
		int err;

		if (kind < 5)
			err = fill(&fill_rng, to[i], mode) ||
				chmod(to[i], mode);
		else if (kind < 8)
			err = mkdir(to[i], 0700) || chmod(to[i], 0700 + (mode & 077));
		else if (kind < 9)
			err = symlink(name, to[i]);
		else
			err = mknod(to[i], S_IFIFO | 0600, 0) || chmod(to[i], mode);
		if (!err && kind < 8 && mode & 1)
			err = setxattr(to[i], "user.layer", "value", mode & 3, 0);
		if (err)
			return cannot("make", to[i]);
	}
	return 0;
}

static int edit(struct world *w, struct rng *r, const char *layer, bool hard_links)
{
	static char last[2][RANDOM_PATH];
	char path[RANDOM_PATH], other[RANDOM_PATH];
	int owner = rng_under(r, 2);
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
		if (mkdir(in_layer, 0755) || chmod(in_layer, 0751) ||
		    make_opaque(in_layer))
			return cannot("make", in_layer);
		if (remove_tree(in_plain) || mkdir(in_plain, 0755) ||
		    chmod(in_plain, 0751))
			return cannot("make", in_plain);
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

int random_layers(struct world *w, struct rng *r, int edits, bool hard_links)
{
	for (int layer = w->nlayers - 1; layer >= 0; layer--) {
		for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++) {
			/* The ones that everybody works in are in every layer. */
			if (mkdir(join(w->layer[layer], fixed[i]), 0755) ||
			    (layer == w->nlayers - 1 &&
			     mkdir(join(w->plain, fixed[i]), 0755)))
				return cannot("make", fixed[i]);
		}
		for (int i = 0; i < edits; i++)
			if (edit(w, r, w->layer[layer], hard_links && !layer))
				return -1;
	}
	return 0;
}
