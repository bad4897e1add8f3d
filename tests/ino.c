// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Inode numbers: one st_dev for the mount, st_ino that stays with an object
 * whatever happens to it, and no number twice.
 */
#include "testing.h"

#include <dirent.h>
#include <stdint.h>
#include <sys/sysmacros.h>

WORLD_FIXTURE(ino);

#define FILES 40

static const char *const name[] = {
	".", "d", "d/sub", "d/file", "d/link", "d/fifo", "d/sub/inside", "top",
};

FIXTURE_SETUP(ino)
{
	struct world *w = &self->w;
	char path[32];

	OK(world_begin(w, variant->where));
	OK(put_dir(w, "d", 0755));
	OK(put_dir(w, "d/sub", 0755));
	OK(put_text(w, "d/file", "a file\n"));
	OK(put_symlink(w, "d/link", "file"));
	OK(put_node(w, "d/fifo", S_IFIFO | 0644, 0));
	OK(put_text(w, "d/sub/inside", "inside\n"));
	OK(put_text(w, "top", "top\n"));
	OK(put_dir(w, "many", 0755));
	for (int i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "many/%d", i);
		OK(put_text(w, path, path));
	}
	OK(world_mount(w));
}

WORLD_TEARDOWN(ino)

static ino_t number(struct world *w, const char *path)
{
	struct stat st;

	return fstatat(w->mfd, path, &st, AT_SYMLINK_NOFOLLOW) ? 0 : st.st_ino;
}

/* The same object: the number, and where it is, must not have changed. */
#define STILL(ino, path) do {						\
	ino_t __n = number(w, path);					\
	CHECK(__n == (ino), "%s: %lu, was %lu", path, (long)__n, (long)(ino)); \
} while (0)

TEST_F(ino, copy_up)
{
	struct world *w = &self->w;
	ino_t was[ARRAY_SIZE(name)];

	for (size_t i = 0; i < ARRAY_SIZE(name); i++)
		was[i] = number(w, name[i]);
	for (size_t i = 0; i < ARRAY_SIZE(name); i++) {
		BOTH_OK(fchownat(at, name[i], 3, 4, AT_SYMLINK_NOFOLLOW));
		STILL(was[i], name[i]);
	}
	BOTH_OK(write_text(P("d/file"), "changed"));
	BOTH_OK(write_text(P("d/sub/inside"), "changed"));
	for (size_t i = 0; i < ARRAY_SIZE(name); i++)
		STILL(was[i], name[i]);
	OK(drop_caches());
	for (size_t i = 0; i < ARRAY_SIZE(name); i++)
		STILL(was[i], name[i]);
	OK(world_remount(w));
	for (size_t i = 0; i < ARRAY_SIZE(name); i++)
		STILL(was[i], name[i]);
	SAME_TREES(w);
}

TEST_F(ino, rename)
{
	struct world *w = &self->w;
	ino_t file = number(w, "d/file"), sub = number(w, "d/sub");
	ino_t inside = number(w, "d/sub/inside"), link = number(w, "d/link");

	BOTH_OK(renameat(at, "d/file", at, "moved"));
	BOTH_OK(renameat(at, "d/sub", at, "sub"));
	BOTH_OK(renameat(at, "d/link", at, "sub/link"));
	for (int i = 0; i < 3; i++) {
		STILL(file, "moved");
		STILL(sub, "sub");
		STILL(inside, "sub/inside");
		STILL(link, "sub/link");
		if (i == 0)
			OK(drop_caches());
		else
			OK(world_remount(w));
	}
	BOTH_OK(linkat(at, "moved", at, "linked", 0));
	STILL(file, "linked");
	/* Another object at the old name has another number. */
	BOTH_OK(mknodat(at, "d/file", S_IFREG | 0644, 0));
	CHECK(number(w, "d/file") != file, "two objects, one number");
}

TEST_F(ino, made)
{
	struct world *w = &self->w;
	ino_t dir, file;

	BOTH_OK(mkdirat(at, "d/newdir", 0755));
	BOTH_OK(mknodat(at, "d/newdir/file", S_IFREG | 0644, 0));
	dir = number(w, "d/newdir");
	file = number(w, "d/newdir/file");
	OK(world_remount(w));
	STILL(dir, "d/newdir");
	STILL(file, "d/newdir/file");
}

/* By descriptor, by path, by statx and by readdir it is one number. */
TEST_F(ino, everywhere)
{
	struct world *w = &self->w;

	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(name); i++) {
			ino_t ino = number(w, name[i]);
			struct statx stx;
			struct stat st;
			int fd;

			OK(statx(w->mfd, name[i], AT_SYMLINK_NOFOLLOW, STATX_INO, &stx));
			EXPECT_EQ(ino, stx.stx_ino);
			fd = OK(openat(w->mfd, name[i], O_PATH | O_NOFOLLOW | O_CLOEXEC));
			OK(fstat(fd, &st));
			EXPECT_EQ(ino, st.st_ino);
			close(fd);
			BOTH_OK(fchownat(at, name[i], 3, 4, AT_SYMLINK_NOFOLLOW));
		}
	}
}

/* A file that is open shows the number it had, in /proc too. */
TEST_F(ino, open_across)
{
	struct world *w = &self->w;
	struct stat a, b;
	int fd;

	fd = OK(openat(w->mfd, "d/file", O_RDONLY | O_CLOEXEC));
	OK(fstat(fd, &a));
	BOTH_OK(write_text(P("d/file"), "changed"));
	OK(fstat(fd, &b));
	EXPECT_EQ(a.st_ino, b.st_ino);
	EXPECT_EQ(a.st_dev, b.st_dev);
	close(fd);
}

static int collect(const char *root, ino_t *out, int n, int room, dev_t dev)
{
	DIR *dir = opendir(root);
	struct dirent *de;

	while (dir && n >= 0 && n < room && (de = readdir(dir))) {
		const char *path = join(root, de->d_name);
		struct stat st;

		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		/* Where another filesystem is mounted d_ino is what it covers. */
		if (lstat(path, &st) || st.st_dev != dev ||
		    de->d_ino != st.st_ino)
			n = -1;
		else
			out[n++] = st.st_ino;
		if (n >= 0 && S_ISDIR(st.st_mode)) {
			char child[PATH_MAX];

			snprintf(child, sizeof(child), "%s", path);
			n = collect(child, out, n, room, dev);
		}
	}
	if (dir)
		closedir(dir);
	return n;
}

static int by_number(const void *a, const void *b)
{
	ino_t x = *(const ino_t *)a, y = *(const ino_t *)b;

	return x < y ? -1 : x > y;
}

TEST_F(ino, unique)
{
	struct world *w = &self->w;
	static ino_t all[1000];
	struct stat st;
	char path[32];
	int n;

	/* Some copied up, some made, some as they were. */
	for (int i = 0; i < FILES; i += 3) {
		snprintf(path, sizeof(path), "many/%d", i);
		BOTH_OK(write_text(P(path), "changed"));
		snprintf(path, sizeof(path), "many/new%d", i);
		BOTH_OK(mknodat(at, path, S_IFREG | 0644, 0));
	}
	OK(stat(w->mnt, &st));
	for (int round = 0; round < 2; round++) {
		n = collect(w->mnt, all, 0, ARRAY_SIZE(all), st.st_dev);
		ASSERT_GT(n, FILES);
		qsort(all, n, sizeof(*all), by_number);
		for (int i = 1; i < n; i++)
			CHECK(all[i] != all[i - 1], "%lu twice", (long)all[i]);
		OK(world_remount(w));
		OK(stat(w->mnt, &st));
	}
}

/*
 * Layers on other file systems than the upper's: numbers of both ranges, and
 * still one device and no number twice.
 */
FIXTURE(far)
{
	struct world w;
};

FIXTURE_SETUP(far)
{
	struct world *w = &self->w;
	char path[64];

	OK(world_begin(w, IN_LOWER));
	/* Each layer a tmpfs: their numbers are small and collide for sure. */
	for (int i = 0; i < 2; i++)
		OK(mount("none", w->layer[i], "tmpfs", 0, "mode=755"));
	OK(put_dir(w, "d", 0755));
	for (int i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "d/low%d", i);
		OK(put_text(w, path, path));
		snprintf(path, sizeof(path), "d/high%d", i);
		OK(write_text(L(path), path));
		OK(write_text(join(w->plain, path), path));
	}
	if (world_is_overlay())
		w->option[0][0] = "xino", w->option[0][1] = "on";
	OK(world_mount(w));
}

WORLD_TEARDOWN(far)

TEST_F(far, numbers)
{
	struct world *w = &self->w;
	static ino_t all[1000];
	ino_t low = number(w, "d/low3"), high = number(w, "d/high3");
	struct stat st;
	int n;

	BOTH_OK(write_text(P("d/low3"), "changed"));
	BOTH_OK(fchmodat(at, "d/high3", 0600, 0));
	BOTH_OK(renameat(at, "d", at, "e"));
	BOTH_OK(mkdirat(at, "e/made", 0755));
	for (int round = 0; round < 2; round++) {
		STILL(low, "e/low3");
		STILL(high, "e/high3");
		OK(stat(w->mnt, &st));
		n = collect(w->mnt, all, 0, ARRAY_SIZE(all), st.st_dev);
		CHECK(n == 2 * FILES + 2, "%d objects on the mount's device", n);
		qsort(all, n > 0 ? n : 0, sizeof(*all), by_number);
		for (int i = 1; i < n; i++)
			CHECK(all[i] != all[i - 1], "%lu twice", (long)all[i]);
		CHECK(n < 1 || world_is_overlay() || all[n - 1] <= UINT32_MAX,
		      "%lu has no room in 32 bits", (long)all[n - 1]);
		OK(world_remount(w));
	}
}

/*
 * The upper on another filesystem than the layer: what is small there is small
 * here, as a program with 32 bits for it fails on the rest.
 */
FIXTURE(elsewhere)
{
	struct world w;
};

FIXTURE_SETUP(elsewhere)
{
	struct world *w = &self->w;
	char path[64];

	if (world_is_overlay())
		SKIP(return, "overlayfs has numbers beyond 32 bits or several devices");
	OK(world_begin(w, IN_LAYER));
	w->no_compare = true;
	OK(world_upper_on(w, "tmpfs", NULL));
	OK(put_dir(w, "d", 0755));
	OK(put_dir(w, "d/sub", 0755));
	for (int i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "d/%d", i);
		OK(put_text(w, path, path));
	}
	OK(link(L("d/0"), L("d/sub/link")));
	OK(world_mount(w));
}

FIXTURE_TEARDOWN(elsewhere)
{
	if (!world_is_overlay())
		FINISH(&self->w);
}

TEST_F(elsewhere, narrow)
{
	struct world *w = &self->w;
	ino_t first = number(w, "d/0"), sub = number(w, "d/sub");
	ino_t dir = number(w, "d"), made = 0;
	static ino_t all[1000];
	char path[64];
	int n;

	/* Changed, made, moved, with a second name, with another type. */
	for (int i = 1; i < FILES; i += 3) {
		snprintf(path, sizeof(path), "d/%d", i);
		OK(fchmodat(w->mfd, path, 0600, 0));
		snprintf(path, sizeof(path), "d/new%d", i);
		OK(mknodat(w->mfd, path, S_IFREG | 0644, 0));
	}
	OK(mkdirat(w->mfd, "d/made", 0755));
	OK(symlinkat("to", w->mfd, "d/made/symlink"));
	OK(mknodat(w->mfd, "d/made/fifo", S_IFIFO | 0644, 0));
	OK(renameat(w->mfd, "d/sub", w->mfd, "d/made/sub"));
	OK(renameat(w->mfd, "d/2", w->mfd, "moved"));
	OK(write_text(M("d/0"), "changed\n"));
	made = number(w, "d/made");
	for (int round = 0; round < 3; round++) {
		struct stat st;

		STILL(first, "d/0");
		STILL(first, "d/made/sub/link");
		STILL(sub, "d/made/sub");
		STILL(dir, "d");
		STILL(made, "d/made");
		OK(stat(w->mnt, &st));
		CHECK(st.st_ino <= UINT32_MAX, "the root's %lu", (long)st.st_ino);
		OK(unlinkat(w->mfd, "d/made/sub/link", 0));
		n = collect(w->mnt, all, 0, ARRAY_SIZE(all), st.st_dev);
		CHECK(n > FILES, "%d objects whose d_ino is st_ino", n);
		qsort(all, n > 0 ? n : 0, sizeof(*all), by_number);
		for (int i = 1; i < n; i++)
			CHECK(all[i] != all[i - 1], "%lu twice", (long)all[i]);
		CHECK(n < 1 || all[n - 1] <= UINT32_MAX,
		      "%lu has no room in 32 bits", (long)all[n - 1]);
		OK(linkat(w->mfd, "d/0", w->mfd, "d/made/sub/link", 0));
		if (round)
			OK(world_remount(w));
		else
			OK(drop_caches());
	}
}

TEST_HARNESS_MAIN
