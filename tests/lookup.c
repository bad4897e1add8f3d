// SPDX-License-Identifier: GPL-2.0-or-later
/* Finding names: what is in a layer, in the upper, hidden, gone, or below. */
#include "testing.h"

#include <sys/xattr.h>

WORLD_FIXTURE(lookup);

FIXTURE_SETUP(lookup)
{
	struct world *w = &self->w;

	OK(world_begin(w, variant->where));
	OK(put_dir(w, "d", 0755));
	OK(put_dir(w, "d/e", 0700));
	OK(put_dir(w, "d/e/f", 0711));
	OK(put_dir(w, "d/empty", 0755));
	for (int i = 0; i < 20; i++) {
		char path[32];

		snprintf(path, sizeof(path), "d/e/file%d", i);
		OK(put_text(w, path, path));
	}
	OK(put_text(w, "top", "at the top\n"));
	OK(put_symlink(w, "d/link", "e/f"));
	OK(put_symlink(w, "abs", "/dev/null"));
	OK(put_symlink(w, "loop", "loop"));
	OK(put_symlink(w, "out", "../outside"));
	OK(world_mount(w));
}

WORLD_TEARDOWN(lookup)

static int kind(int at, const char *path)
{
	struct stat st;

	return fstatat(at, path, &st, AT_SYMLINK_NOFOLLOW) ? -1 : (int)st.st_mode;
}

TEST_F(lookup, names)
{
	struct world *w = &self->w;

	SAME(kind(at, "."));
	SAME(kind(at, "d"));
	SAME(kind(at, "d/e/f"));
	SAME(kind(at, "d/e/file7"));
	SAME(kind(at, "d/link"));
	SAME(kind(at, "d/link/"));
	SAME(kind(at, "d/link/../file3"));
	SAME(kind(at, "d/e/f/../../../top"));
	SAME(kind(at, "abs"));
	BOTH_FAIL(ENOENT, kind(at, "d/e/file20"));
	BOTH_FAIL(ENOENT, kind(at, "d/e/no/file"));
	BOTH_FAIL(ENOENT, kind(at, ""));
	BOTH_FAIL(ENOTDIR, kind(at, "top/"));
	BOTH_FAIL(ENOTDIR, kind(at, "top/x"));
	BOTH_FAIL(ELOOP, kind(at, "loop/"));
	BOTH_FAIL(ELOOP, openat(at, "loop", O_RDONLY));
	BOTH_FAIL(ENOENT, openat(at, "out", O_RDONLY));
	/* A name that is missing, asked for again and again, and then made. */
	for (int i = 0; i < 3; i++)
		BOTH_FAIL(ENOENT, kind(at, "d/e/later"));
	BOTH_OK(mkdirat(at, "d/e/later", 0700));
	SAME(kind(at, "d/e/later"));
}

TEST_F(lookup, dotdot)
{
	struct world *w = &self->w;
	struct stat root, up;

	OK(fstat(w->mfd, &root));
	OK(fstatat(w->mfd, "d/e/f/../../..", &up, 0));
	EXPECT_EQ(root.st_ino, up.st_ino);
	EXPECT_EQ(root.st_dev, up.st_dev);
	OK(fstatat(w->mfd, "d/link/../..", &up, 0));
	CHECK(up.st_ino != root.st_ino, "a link's .. is its target's parent");
}

TEST_F(lookup, path_of_a_descriptor)
{
	struct world *w = &self->w;
	char proc[64], path[PATH_MAX] = "";
	int fd;

	fd = OK(openat(w->mfd, "d/e/file3", O_RDONLY | O_CLOEXEC));
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	OK(readlink(proc, path, sizeof(path) - 1));
	EXPECT_STREQ(M("d/e/file3"), path);
	close(fd);
}

/* The folder for Veneer's own files is in the root, and is not there. */
TEST_F(lookup, own_folder)
{
	struct world *w = &self->w;

	if (world_is_overlay())
		SKIP(return, "overlayfs: has no such folder");
	OK(world_umount(w));
	OK(mkdir(U(".veneer"), 0755) && errno != EEXIST ? -1 : 0);
	OK(write_text(U(".veneer/x"), "x"));
	/* A committed upper is a layer and has one, too. */
	OK(mkdir(L(".veneer"), 0755));
	OK(write_text(L(".veneer/y"), "y"));
	for (int i = 0; i < w->nlayers; i++)
		tree_free(&w->sealed[i]);
	OK(world_mount(w));
	for (int round = 0; round < 2; round++) {
		SAME_TREES(w);
		FAILS(ENOENT, kind(w->mfd, ".veneer"));
		FAILS(ENOENT, kind(w->mfd, ".veneer/x"));
		FAILS(ENOENT, kind(w->mfd, "d/../.veneer/y"));
		FAILS(ENOENT, openat(w->mfd, ".veneer", O_RDONLY));
		FAILS(EPERM, openat(w->mfd, ".veneer", O_RDWR | O_CREAT, 0600));
		FAILS(EPERM, mkdirat(w->mfd, ".veneer", 0755));
		FAILS(EPERM, symlinkat("x", w->mfd, ".veneer"));
		FAILS(EPERM, mknodat(w->mfd, ".veneer", S_IFIFO | 0600, 0));
		FAILS(EPERM, linkat(w->mfd, "top", w->mfd, ".veneer", 0));
		FAILS(EPERM, renameat(w->mfd, "top", w->mfd, ".veneer"));
		FAILS(EPERM, renameat(w->mfd, "d", w->mfd, ".veneer"));
		FAILS(ENOENT, renameat(w->mfd, ".veneer", w->mfd, "x"));
		FAILS(ENOENT, unlinkat(w->mfd, ".veneer", AT_REMOVEDIR));
		OK(world_remount(w));
	}
	/* Anywhere else, and with other letters, it is a name as any other. */
	BOTH_OK(mkdirat(at, "d/.veneer", 0755));
	BOTH_OK(mkdirat(at, ".veneer2", 0755));
	BOTH_OK(mkdirat(at, ".Veneer", 0755));
	CHECK(exists(U(".veneer/x")), "it was touched");
}

/* Hundreds of threads ask for the same names while the caches are dropped. */
TEST_F(lookup, at_once)
{
	struct world *w = &self->w;
	pid_t child[4];

	for (int c = 0; c < 4; c++) {
		fflush(NULL);
		child[c] = OK(fork());
		if (child[c])
			continue;
		for (int i = 0; i < 400; i++) {
			char path[32];

			snprintf(path, sizeof(path), "d/e/file%d", (i * 7 + c) % 20);
			if (kind(w->mfd, path) < 0)
				_exit(1);
			snprintf(path, sizeof(path), "d/e/none%d", i % 20);
			if (kind(w->mfd, path) >= 0)
				_exit(2);
			if (c == 0 && i % 100 == 0 && drop_caches())
				_exit(3);
		}
		_exit(0);
	}
	for (int c = 0; c < 4; c++) {
		int status;

		OK(waitpid(child[c], &status, 0));
		CHECK(status == 0, "child %d: %x", c, status);
	}
}

/* Layers that hide, cover and extend each other; the mount is the same tree. */
FIXTURE(layers)
{
	struct world w;
};

FIXTURE_VARIANT(layers)
{
	bool upper;	/* the top one is the upper, else a third layer */
};

FIXTURE_VARIANT_ADD(layers, stacked) { };
FIXTURE_VARIANT_ADD(layers, upper) { .upper = true };

FIXTURE_SETUP(layers)
{
	struct world *w = &self->w;

	OK(world_begin(w, IN_LOWER));
	if (!variant->upper)
		OK(world_add_layer(w));
}

WORLD_TEARDOWN(layers)

/* The i-th from the top: the upper counts as the first where there is one. */
static const char *level(struct world *w, int i, const char *rel)
{
	if (w->nlayers == 2)
		return i == 0 ? U(rel) : join(w->layer[i - 1], rel);
	return join(w->layer[i], rel);
}

#define L0(rel) level(w, 0, rel)
#define L1(rel) level(w, 1, rel)
#define L2(rel) level(w, 2, rel)
#define PLAIN(rel) join(w->plain, rel)

TEST_F(layers, cover)
{
	struct world *w = &self->w;

	/* In all three: the top one is seen, whatever its type. */
	OK(write_text(L2("file"), "bottom"));
	OK(write_text(L1("file"), "middle"));
	OK(write_text(L0("file"), "top"));
	OK(write_text(PLAIN("file"), "top"));
	/* A file over a directory over a file. */
	OK(write_text(L2("fdf"), "bottom"));
	OK(mkdir(L1("fdf"), 0755));
	OK(write_text(L1("fdf/x"), "x"));
	OK(write_text(L0("fdf"), "top"));
	OK(write_text(PLAIN("fdf"), "top"));
	/* A directory over a file over a directory: the lowest is not merged. */
	OK(mkdir(L2("dfd"), 0755));
	OK(write_text(L2("dfd/hidden"), "hidden"));
	OK(write_text(L1("dfd"), "file"));
	OK(mkdir(L0("dfd"), 0700));
	OK(write_text(L0("dfd/seen"), "seen"));
	OK(mkdir(PLAIN("dfd"), 0700));
	OK(write_text(PLAIN("dfd/seen"), "seen"));
	/* A symlink to a directory over a directory is a symlink. */
	OK(mkdir(L1("sym"), 0755));
	OK(write_text(L1("sym/x"), "x"));
	OK(symlink("dfd", L0("sym")));
	OK(symlink("dfd", PLAIN("sym")));
	OK(world_mount(w));
	SAME_TREES(w);
	FAILS(ENOENT, kind(w->mfd, "dfd/hidden"));
	FAILS(ENOTDIR, kind(w->mfd, "fdf/x"));
	SAME(kind(at, "sym/seen"));
	FAILS(ENOENT, kind(w->mfd, "sym/x"));
}

TEST_F(layers, merge)
{
	struct world *w = &self->w;

	OK(mkdir(L2("d"), 0755));
	OK(mkdir(L1("d"), 0700));
	OK(mkdir(L0("d"), 0711));
	OK(mkdir(PLAIN("d"), 0711));
	OK(write_text(L2("d/2"), "2"));
	OK(write_text(L1("d/1"), "1"));
	OK(write_text(L0("d/0"), "0"));
	for (int i = 0; i < 3; i++) {
		char path[] = { 'd', '/', '0' + i, 0 };

		OK(write_text(PLAIN(path), path + 2));
	}
	/* Not in the middle. */
	OK(mkdir(L2("d/gap"), 0755));
	OK(write_text(L2("d/gap/low"), "low"));
	OK(mkdir(L0("d/gap"), 0750));
	OK(write_text(L0("d/gap/high"), "high"));
	OK(mkdir(PLAIN("d/gap"), 0750));
	OK(write_text(PLAIN("d/gap/low"), "low"));
	OK(write_text(PLAIN("d/gap/high"), "high"));
	OK(setxattr(L2("d"), "user.lowest", "x", 1, 0));
	OK(setxattr(L0("d"), "user.top", "y", 1, 0));
	OK(setxattr(PLAIN("d"), "user.top", "y", 1, 0));
	OK(world_mount(w));
	SAME_TREES(w);
}

TEST_F(layers, whiteout)
{
	struct world *w = &self->w;

	/* Whiteouts hide, also over several layers and over nothing at all. */
	OK(write_text(L2("gone"), "gone"));
	OK(make_whiteout(L0("gone")));
	OK(write_text(L2("gone1"), "gone"));
	OK(make_whiteout(L1("gone1")));
	OK(mkdir(L2("dir"), 0755));
	OK(write_text(L2("dir/x"), "x"));
	OK(make_whiteout(L0("dir")));
	OK(make_whiteout(L0("nothing")));
	OK(make_whiteout(L2("lowest")));
	/* Hidden and there again, without what was hidden. */
	OK(mkdir(L2("again"), 0755));
	OK(write_text(L2("again/old"), "old"));
	OK(make_whiteout(L1("again")));
	OK(mkdir(L0("again"), 0700));
	OK(write_text(L0("again/new"), "new"));
	OK(mkdir(PLAIN("again"), 0700));
	OK(write_text(PLAIN("again/new"), "new"));
	/* A directory all of whose names are hidden. */
	OK(mkdir(L2("hollow"), 0755));
	OK(write_text(L2("hollow/x"), "x"));
	OK(mkdir(L1("hollow"), 0755));
	OK(make_whiteout(L1("hollow/x")));
	OK(mkdir(PLAIN("hollow"), 0755));
	OK(world_mount(w));
	SAME_TREES(w);
	FAILS(ENOENT, kind(w->mfd, "gone"));
	FAILS(ENOENT, kind(w->mfd, "gone1"));
	FAILS(ENOENT, kind(w->mfd, "dir"));
	FAILS(ENOENT, kind(w->mfd, "dir/x"));
	FAILS(ENOENT, kind(w->mfd, "nothing"));
	FAILS(ENOENT, kind(w->mfd, "lowest"));
	FAILS(ENOENT, kind(w->mfd, "again/old"));
	FAILS(ENOENT, openat(w->mfd, "hollow/x", O_RDONLY));
	BOTH_FAIL(ENOENT, unlinkat(at, "gone", 0));
	BOTH_OK(unlinkat(at, "hollow", AT_REMOVEDIR));
	BOTH_OK(mkdirat(at, "dir", 0700));
	BOTH_OK(symlinkat("x", at, "gone1"));
}

TEST_F(layers, opaque)
{
	struct world *w = &self->w;

	OK(mkdir(L2("d"), 0755));
	OK(write_text(L2("d/lowest"), "lowest"));
	OK(mkdir(L1("d"), 0755));
	OK(make_opaque(L1("d")));
	OK(write_text(L1("d/middle"), "middle"));
	OK(mkdir(L0("d"), 0700));
	OK(write_text(L0("d/top"), "top"));
	OK(mkdir(PLAIN("d"), 0700));
	OK(write_text(PLAIN("d/middle"), "middle"));
	OK(write_text(PLAIN("d/top"), "top"));
	OK(mkdir(L1("o"), 0755));
	OK(write_text(L1("o/hidden"), "hidden"));
	OK(mkdir(L0("o"), 0755));
	OK(make_opaque(L0("o")));
	OK(mkdir(PLAIN("o"), 0755));
	/* What is under an opaque directory is not merged either. */
	OK(mkdir(L2("d/sub"), 0755));
	OK(write_text(L2("d/sub/deep"), "deep"));
	OK(mkdir(L0("d/sub"), 0755));
	OK(mkdir(PLAIN("d/sub"), 0755));
	/* Only "y" is opaque. */
	OK(mkdir(L1("n"), 0755));
	OK(write_text(L1("n/seen"), "seen"));
	OK(mkdir(L0("n"), 0755));
	OK(setxattr(L0("n"), "trusted.overlay.opaque", "n", 1, 0));
	OK(mkdir(PLAIN("n"), 0755));
	OK(write_text(PLAIN("n/seen"), "seen"));
	OK(world_mount(w));
	SAME_TREES(w);
	FAILS(ENOENT, kind(w->mfd, "d/lowest"));
	FAILS(ENOENT, kind(w->mfd, "d/sub/deep"));
	BOTH_OK(unlinkat(at, "o", AT_REMOVEDIR));
}

TEST_HARNESS_MAIN
