// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is on the disk: whiteouts, opaque directories and redirects, read in
 * every form that overlayfs writes, and written so that others can read them.
 */
#include "testing.h"

#include <dirent.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

FIXTURE(marks)
{
	struct world w;
};

FIXTURE_VARIANT(marks)
{
	bool in_upper;		/* the marks are in the upper, not in a layer */
	const char *prefix;	/* of the names of the marks */
};

FIXTURE_VARIANT_ADD(marks, layer) { .prefix = "trusted.overlay." };
FIXTURE_VARIANT_ADD(marks, upper) { .in_upper = true, .prefix = "trusted.overlay." };
FIXTURE_VARIANT_ADD(marks, user_layer) { .prefix = "user.overlay." };
FIXTURE_VARIANT_ADD(marks, user_upper) { .in_upper = true, .prefix = "user.overlay." };

static bool is_user(const char *prefix)
{
	return prefix[0] == 'u';
}

FIXTURE_SETUP(marks)
{
	struct world *w = &self->w;

	OK(world_begin(w, variant->in_upper ? IN_LAYER : IN_LOWER));
	if (is_user(variant->prefix)) {
		w->option[0][0] = "userxattr";
		/* These two need trusted marks on overlayfs. */
		if (world_is_overlay())
			w->no_defaults = true;
	}
}

WORLD_TEARDOWN(marks)

/* The level that has the marks, and the one under it. */
#define HIGH(rel) (variant->in_upper ? U(rel) : L(rel))
#define LOW(rel) join(w->layer[w->nlayers - 1], rel)
#define PLAIN(rel) join(w->plain, rel)

#define MARK(path, name, value) do {					\
	char __n[128];							\
	snprintf(__n, sizeof(__n), "%s%s", variant->prefix, name);	\
	OK(setxattr(path, __n, value, strlen(value), 0));		\
} while (0)

TEST_F(marks, whiteout_device)
{
	struct world *w = &self->w;

	OK(write_text(LOW("gone"), "x"));
	OK(make_whiteout(HIGH("gone")));
	OK(mkdir(LOW("d"), 0755));
	OK(mkdir(HIGH("d"), 0755));
	OK(mkdir(PLAIN("d"), 0755));
	OK(write_text(LOW("d/gone"), "x"));
	OK(make_whiteout(HIGH("d/gone")));
	OK(mkdir(LOW("d/gonedir"), 0755));
	OK(make_whiteout(HIGH("d/gonedir")));
	/* Another device is a device. */
	OK(mknod(HIGH("d/dev"), S_IFCHR | 0600, makedev(0, 1)));
	OK(mknod(PLAIN("d/dev"), S_IFCHR | 0600, makedev(0, 1)));
	OK(mknod(HIGH("d/blk"), S_IFBLK | 0600, makedev(0, 0)));
	OK(mknod(PLAIN("d/blk"), S_IFBLK | 0600, makedev(0, 0)));
	OK(world_mount(w));
	SAME_TREES(w);
	FAILS(ENOENT, openat(w->mfd, "gone", O_RDONLY));
	FAILS(ENOENT, openat(w->mfd, "d/gonedir", O_RDONLY));
	BOTH_OK(mkdirat(at, "gone", 0700));
	BOTH_OK(symlinkat("x", at, "d/gone"));
	BOTH_OK(unlinkat(at, "d/gone", 0));
}

/* An empty file with the mark, in a directory that says that it has such. */
TEST_F(marks, whiteout_xattr)
{
	struct world *w = &self->w;

	if (world_is_overlay() && variant->in_upper)
		SKIP(w->no_compare = true; return,
		     "overlayfs: lists such whiteouts of the upper");
	OK(mkdir(LOW("d"), 0755));
	OK(mkdir(HIGH("d"), 0755));
	OK(mkdir(PLAIN("d"), 0755));
	MARK(HIGH("d"), "opaque", "x");
	/* Any value, the empty one too, which is what image tools write. */
	OK(write_text(LOW("d/empty"), "x"));
	OK(write_text(HIGH("d/empty"), ""));
	MARK(HIGH("d/empty"), "whiteout", "");
	OK(write_text(LOW("d/yes"), "x"));
	OK(write_text(HIGH("d/yes"), ""));
	MARK(HIGH("d/yes"), "whiteout", "y");
	OK(write_text(LOW("d/kept"), "kept"));
	OK(write_text(PLAIN("d/kept"), "kept"));
	/* A file with content is a file. */
	OK(write_text(HIGH("d/file"), "content"));
	OK(write_text(PLAIN("d/file"), "content"));
	OK(world_mount(w));
	SAME_TREES(w);
	FAILS(ENOENT, openat(w->mfd, "d/empty", O_RDONLY));
	FAILS(ENOENT, openat(w->mfd, "d/yes", O_RDONLY));
	BOTH_OK(mknodat(at, "d/yes", S_IFREG | 0600, 0));
	BOTH_OK(mkdirat(at, "d/empty", 0700));
	SAME_TREES(w);
	OK(world_remount(w));
	SAME_TREES(w);
	BOTH_OK(unlinkat(at, "d/yes", 0));
	BOTH_OK(unlinkat(at, "d/kept", 0));
	BOTH_OK(unlinkat(at, "d/file", 0));
	BOTH_OK(unlinkat(at, "d/empty", AT_REMOVEDIR));
	if (VENEER_ONLY("takes such whiteouts for names when it removes"))
		BOTH_OK(unlinkat(at, "d", AT_REMOVEDIR));
}

TEST_F(marks, opaque)
{
	struct world *w = &self->w;
	const char *other = is_user(variant->prefix) ?
		"trusted.overlay.opaque" : "user.overlay.opaque";

	OK(mkdir(LOW("d"), 0755));
	OK(write_text(LOW("d/hidden"), "x"));
	OK(mkdir(HIGH("d"), 0711));
	OK(write_text(HIGH("d/seen"), "seen"));
	MARK(HIGH("d"), "opaque", "y");
	OK(mkdir(PLAIN("d"), 0711));
	OK(write_text(PLAIN("d/seen"), "seen"));
	/* Marks of the other namespace say nothing. */
	OK(mkdir(LOW("e"), 0755));
	OK(write_text(LOW("e/seen"), "seen"));
	OK(mkdir(HIGH("e"), 0755));
	OK(setxattr(HIGH("e"), other, "y", 1, 0));
	OK(mkdir(PLAIN("e"), 0755));
	OK(write_text(PLAIN("e/seen"), "seen"));
	OK(world_mount(w));
	w->tree_flags |= TREE_NOXATTR;
	SAME_TREES(w);
	FAILS(ENOENT, openat(w->mfd, "d/hidden", O_RDONLY));
}

/* Absolute: from the root; relative: in the same directory. */
TEST_F(marks, redirect)
{
	struct world *w = &self->w;

	if (world_is_overlay() && is_user(variant->prefix))
		SKIP(w->no_compare = true; return,
		     "overlayfs: follows no redirects with userxattr");
	OK(mkdir(LOW("a"), 0755));
	OK(mkdir(LOW("a/old"), 0755));
	OK(write_text(LOW("a/old/low"), "low"));
	OK(mkdir(LOW("a/old/sub"), 0755));
	OK(write_text(LOW("a/old/sub/deep"), "deep"));
	OK(mkdir(LOW("b"), 0755));
	OK(mkdir(LOW("b/from"), 0755));
	OK(write_text(LOW("b/from/x"), "x"));
	/* a/old moved to new, b/from renamed to b/to. */
	OK(mkdir(HIGH("a"), 0755));
	OK(make_whiteout(HIGH("a/old")));
	OK(mkdir(HIGH("new"), 0700));
	OK(write_text(HIGH("new/high"), "high"));
	MARK(HIGH("new"), "redirect", "/a/old");
	OK(mkdir(HIGH("b"), 0755));
	OK(make_whiteout(HIGH("b/from")));
	OK(mkdir(HIGH("b/to"), 0755));
	MARK(HIGH("b/to"), "redirect", "from");
	/* What it must look like. */
	OK(mkdir(PLAIN("a"), 0755));
	OK(mkdir(PLAIN("new"), 0700));
	OK(write_text(PLAIN("new/high"), "high"));
	OK(write_text(PLAIN("new/low"), "low"));
	OK(mkdir(PLAIN("new/sub"), 0755));
	OK(write_text(PLAIN("new/sub/deep"), "deep"));
	OK(mkdir(PLAIN("b"), 0755));
	OK(mkdir(PLAIN("b/to"), 0755));
	OK(write_text(PLAIN("b/to/x"), "x"));
	OK(world_mount(w));
	SAME_TREES(w);
	BOTH_OK(unlinkat(at, "new/low", 0));
	BOTH_OK(renameat(at, "new", at, "b/newer"));
	BOTH_OK(renameat(at, "b/to", at, "to"));
	SAME_TREES(w);
	OK(world_remount(w));
	SAME_TREES(w);
	BOTH_OK(mkdirat(at, "a/old", 0700));
	BOTH_OK(mkdirat(at, "new", 0700));
}

/* A redirect that leads out, or nowhere, is an error, never another tree. */
TEST_F(marks, bad_redirect)
{
	struct world *w = &self->w;
	static const char *const bad[] = { "../a", "/../../etc", "a/b", "/a//b/", "/" };
	char name[16];

	OK(mkdir(LOW("a"), 0755));
	OK(mkdir(LOW("a/b"), 0755));
	OK(write_text(LOW("a/b/c"), "c"));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(name, sizeof(name), "bad%zu", i);
		OK(mkdir(HIGH(name), 0755));
		MARK(HIGH(name), "redirect", bad[i]);
	}
	w->no_compare = true;
	OK(world_mount(w));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct dirent *de;
		DIR *dir;

		snprintf(name, sizeof(name), "bad%zu", i);
		/* Opened or not, it shows nothing of other directories. */
		dir = opendir(M(name));
		while (dir && (de = readdir(dir)))
			CHECK(de->d_name[0] == '.' || !strcmp(bad[i], "/a//b/") ||
			      !strcmp(bad[i], "/"),
			      "redirect to '%s' shows %s", bad[i], de->d_name);
		if (dir)
			closedir(dir);
	}
}

static bool has(const char *path, const char *name, const char *value)
{
	char buf[256];
	ssize_t n = lgetxattr(path, name, buf, sizeof(buf));

	return n == (ssize_t)strlen(value) && !memcmp(buf, value, n);
}

/* What the mount writes, seen in the upper. */
TEST_F(marks, written)
{
	struct world *w = &self->w;
	char opaque[64];
	struct stat st;

	snprintf(opaque, sizeof(opaque), "%sopaque", variant->prefix);
	OK(mkdir(LOW("d"), 0755));
	OK(mkdir(PLAIN("d"), 0755));
	OK(write_text(LOW("file"), "x"));
	OK(world_mount(w));
	/* A removed file, and a removed directory: a whiteout each. */
	OK(unlinkat(w->mfd, "file", 0));
	OK(lstat(U("file"), &st));
	CHECK(S_ISCHR(st.st_mode) && st.st_rdev == 0, "mode %o", st.st_mode);
	BOTH_OK(unlinkat(at, "d", AT_REMOVEDIR));
	OK(lstat(U("d"), &st));
	CHECK(S_ISCHR(st.st_mode) && st.st_rdev == 0, "mode %o", st.st_mode);
	/* A directory in its place: opaque. */
	BOTH_OK(mkdirat(at, "d", 0700));
	CHECK(has(U("d"), opaque, "y"), "not opaque");
	/* A new directory over nothing needs no mark. */
	BOTH_OK(mkdirat(at, "new", 0700));
	OK(lstat(U("new"), &st));
	w->tree_flags |= TREE_NOXATTR;
}

TEST_F(marks, renamed_directory)
{
	struct world *w = &self->w;
	char redirect[64], target[256] = "";
	struct stat st;

	if (world_is_overlay() && is_user(variant->prefix))
		SKIP(w->no_compare = true; return,
		     "overlayfs: writes no redirects with userxattr");
	snprintf(redirect, sizeof(redirect), "%sredirect", variant->prefix);
	OK(mkdir(LOW("a"), 0755));
	OK(mkdir(LOW("a/b"), 0755));
	OK(write_text(LOW("a/b/c"), "c"));
	OK(mkdir(PLAIN("a"), 0755));
	OK(mkdir(PLAIN("a/b"), 0755));
	OK(write_text(PLAIN("a/b/c"), "c"));
	OK(world_mount(w));
	BOTH_OK(renameat(at, "a/b", at, "moved"));
	OK(lstat(U("a/b"), &st));
	CHECK(S_ISCHR(st.st_mode) && st.st_rdev == 0, "mode %o", st.st_mode);
	OK(getxattr(U("moved"), redirect, target, sizeof(target) - 1));
	EXPECT_STREQ("/a/b", target);
	CHECK(!exists(U("moved/c")), "the rename copied what is inside");
}

/* A record of ours that is damaged: an error, never zeros, never a guess. */
TEST_F(marks, damaged_record)
{
	struct world *w = &self->w;
	char name[64], record[512], bad[512];
	ssize_t n;

	if (world_is_overlay())
		SKIP(w->no_compare = true; return, "overlayfs: knows no such record");
	snprintf(name, sizeof(name), "%sveneer.split",
		 is_user(variant->prefix) ? "user." : "trusted.");
	w->no_compare = true;
	for (int i = 0; i < 10; i++) {
		char file[8];

		snprintf(file, sizeof(file), "f%d", i);
		OK(write_text(LOW(file), "some text that is below"));
	}
	OK(world_mount(w));
	for (int i = 0; i < 10; i++) {
		char file[8];

		snprintf(file, sizeof(file), "f%d", i);
		OK(fchmodat(w->mfd, file, 0600, 0));
	}
	OK(world_umount(w));
	n = OK(getxattr(U("f0"), name, record, sizeof(record)));
	/* Cut short, empty, other bytes at places all over it, another size. */
	for (int i = 0; i < 10; i++) {
		char file[8];
		ssize_t len = n;

		snprintf(file, sizeof(file), "f%d", i);
		OK(getxattr(U(file), name, bad, sizeof(bad)));
		if (i == 1)
			len = n / 2;
		else if (i == 2)
			len = 1;
		else if (i == 3)
			memset(bad + n, 'x', ++len - n);
		else if (i > 3)
			bad[(i - 4) * (n - 1) / 5] ^= 0x40;
		OK(setxattr(U(file), name, bad, len, 0));
	}
	OK(world_mount(w));
	EXPECT_EQ(0, same_bytes(M("f0"), "some text that is below", 23));
	for (int i = 1; i < 10; i++) {
		char file[8], buf[32];
		int fd;

		snprintf(file, sizeof(file), "f%d", i);
		errno = 0;
		fd = openat(w->mfd, file, O_RDONLY | O_CLOEXEC);
		CHECK(fd < 0 && (errno == EIO || errno == EUCLEAN),
		      "%s: %s", file, err_name(errno));
		if (fd >= 0) {
			CHECK(read(fd, buf, sizeof(buf)) < 0, "%s can be read", file);
			close(fd);
		}
	}
	/* What cannot be opened can be looked at and removed. */
	for (int i = 1; i < 10; i++) {
		char file[8];

		snprintf(file, sizeof(file), "f%d", i);
		CHECK(exists(M(file)), "%s: %s", file, err_name(errno));
		CHECK(!unlinkat(w->mfd, file, 0), "%s: %s", file, err_name(errno));
	}
}

/* overlayfs's mark of a file without data: what there is of it is no content. */
TEST_F(marks, metacopy)
{
	struct world *w = &self->w;
	int fd;

	if (world_is_overlay())
		SKIP(w->no_compare = true; return, "overlayfs: its own business");
	w->no_compare = true;
	OK(write_text(LOW("file"), "the data that is meant"));
	OK(write_text(HIGH("file"), ""));
	OK(truncate(HIGH("file"), 22));
	MARK(HIGH("file"), "metacopy", "");
	OK(world_mount(w));
	fd = openat(w->mfd, "file", O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		CHECK(errno == EIO || errno == EUCLEAN || errno == EOPNOTSUPP, "%s",
		      err_name(errno));
	} else {
		char buf[32];
		ssize_t n = read(fd, buf, sizeof(buf));

		CHECK(n < 0 || (n == 22 && !memcmp(buf, "the data that is meant", 22)),
		      "%zd bytes that are not the file's", n);
		close(fd);
	}
	/* Nor can a part of it be written: the rest would be zeros. */
	fd = openat(w->mfd, "file", O_RDWR | O_CLOEXEC);
	if (fd >= 0 && pwrite(fd, "T", 1, 0) == 1)
		CHECK(!same_bytes(M("file"), "The data that is meant", 22), "zeros");
	if (fd >= 0)
		close(fd);
}

/* The file below is gone, or is no longer a file: an error, too. */
TEST_F(marks, record_without_file)
{
	struct world *w = &self->w;

	if (world_is_overlay())
		SKIP(w->no_compare = true; return, "overlayfs: knows no such record");
	w->no_compare = true;
	OK(write_text(LOW("gone"), "gone"));
	OK(write_text(LOW("dir"), "dir"));
	OK(world_mount(w));
	OK(fchmodat(w->mfd, "gone", 0600, 0));
	OK(fchmodat(w->mfd, "dir", 0600, 0));
	OK(world_umount(w));
	OK(unlink(LOW("gone")));
	OK(unlink(LOW("dir")));
	OK(mkdir(LOW("dir"), 0755));
	for (int i = 0; i < w->nlayers; i++)
		tree_free(&w->sealed[i]);
	OK(world_mount(w));
	CHECK(openat(w->mfd, "gone", O_RDONLY) < 0 && (errno == EIO || errno == EUCLEAN),
	      "%s", err_name(errno));
	CHECK(openat(w->mfd, "dir", O_RDONLY) < 0 && (errno == EIO || errno == EUCLEAN),
	      "%s", err_name(errno));
	CHECK(openat(w->mfd, "gone", O_RDWR) < 0 && (errno == EIO || errno == EUCLEAN),
	      "%s", err_name(errno));
}

TEST_HARNESS_MAIN
