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

/* Read by the peer: what Veneer wrote is what overlayfs understands. */
TEST_F(marks, peer)
{
	struct world *w = &self->w;
	char lower[1024];
	const char *opt[16][2] = { { "source", "peer" } };
	int fd, n = 1;

	if (world_is_overlay() || is_user(variant->prefix))
		SKIP(w->no_compare = true; return, "nothing to compare");
	OK(mkdir(LOW("a"), 0755));
	OK(mkdir(LOW("a/sub"), 0755));
	OK(write_text(LOW("a/file"), "file"));
	OK(write_text(LOW("a/gone"), "gone"));
	OK(write_text(LOW("top"), "top"));
	OK(mkdir(LOW("again"), 0755));
	OK(write_text(LOW("again/old"), "old"));
	w->no_compare = true;
	OK(world_mount(w));
	OK(renameat(w->mfd, "a", w->mfd, "b"));
	OK(unlinkat(w->mfd, "b/gone", 0));
	OK(write_text(M("top"), "changed"));
	OK(unlinkat(w->mfd, "again/old", 0));
	OK(unlinkat(w->mfd, "again", AT_REMOVEDIR));
	OK(mkdirat(w->mfd, "again", 0700));
	OK(symlinkat("x", w->mfd, "b/sub/link"));
	/* Into plain, as the mount shows it, for the comparison. */
	OK(mkdir(PLAIN("b"), 0755));
	OK(mkdir(PLAIN("b/sub"), 0755));
	OK(write_text(PLAIN("b/file"), "file"));
	OK(write_text(PLAIN("top"), "changed"));
	OK(mkdir(PLAIN("again"), 0700));
	OK(symlink("x", PLAIN("b/sub/link")));
	SAME_TREES(w);
	OK(world_umount(w));
	for (int i = 0; i < w->nlayers; i++) {
		opt[n][0] = "lowerdir+";
		opt[n++][1] = w->layer[i];
	}
	opt[n][0] = "upperdir";
	opt[n++][1] = w->upper;
	snprintf(lower, sizeof(lower), "%s/peerwork", w->root);
	OK(mkdir(lower, 0755));
	opt[n][0] = "workdir";
	opt[n++][1] = lower;
	opt[n][0] = "redirect_dir";
	opt[n++][1] = "on";
	fd = fs_mount("overlay", opt, 0, w->mnt, w->log, sizeof(w->log));
	if (fd == -ENODEV)
		SKIP(return, "this kernel has no overlayfs");
	CHECK(fd >= 0, "overlayfs does not mount it: %s %s", err_name(-fd), w->log);
	if (fd >= 0) {
		close(fd);
		w->mounted = true;
		/* It shows Veneer's own xattrs, which mean nothing to it. */
		CHECK(!tree_compare(w->mnt, TREE_NOXATTR, w->plain, TREE_NOXATTR),
		      "overlayfs shows another tree");
		OK(umount(w->mnt));
		w->mounted = false;
	}
	OK(world_mount(w));
}

/* Metadata alone was changed: overlayfs must refuse the data, not show zeros. */
TEST_F(marks, peer_refuses)
{
	struct world *w = &self->w;
	const char *opt[16][2] = { { "source", "peer" } };
	char work[WORLD_PATH + 16], buf[16];
	int fd, f, n = 1;

	if (world_is_overlay() || is_user(variant->prefix))
		SKIP(w->no_compare = true; return, "nothing to compare");
	OK(put_pattern(w, "file", 200000, 1));
	w->no_compare = true;
	OK(world_mount(w));
	OK(fchmodat(w->mfd, "file", 0600, 0));
	OK(world_umount(w));
	for (int i = 0; i < w->nlayers; i++) {
		opt[n][0] = "lowerdir+";
		opt[n++][1] = w->layer[i];
	}
	opt[n][0] = "upperdir";
	opt[n++][1] = w->upper;
	snprintf(work, sizeof(work), "%s/peerwork", w->root);
	OK(mkdir(work, 0755));
	opt[n][0] = "workdir";
	opt[n++][1] = work;
	opt[n][0] = "metacopy";
	opt[n++][1] = "off";
	fd = fs_mount("overlay", opt, 0, w->mnt, w->log, sizeof(w->log));
	if (fd == -ENODEV)
		SKIP(return, "this kernel has no overlayfs");
	CHECK(fd >= 0, "overlayfs does not mount it: %s", err_name(-fd));
	if (fd >= 0) {
		close(fd);
		f = open(M("file"), O_RDONLY);
		CHECK(f < 0 || read(f, buf, 16) < 0, "overlayfs shows data");
		if (f >= 0)
			close(f);
		OK(umount(w->mnt));
	}
	OK(world_mount(w));
}

TEST_HARNESS_MAIN
