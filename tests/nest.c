// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mounts whose layers are in another mount of the same kind, or in one of overlayfs:
 * a container that builds containers.
 */
#include "testing.h"

#include <sys/sysmacros.h>
#include <sys/xattr.h>

FIXTURE(nest)
{
	struct world w;
	char inner[WORLD_PATH + 16];
	char upper[WORLD_PATH + 16];	/* for a second mount, beside the first */
	char work[WORLD_PATH + 16];
};

/* The outer mount has all that the inner one is made of, but for its upper. */
FIXTURE_SETUP(nest)
{
	struct world *w = &self->w;

	OK(world_begin(w, IN_LOWER));
	snprintf(self->inner, sizeof(self->inner), "%s/inner", w->root);
	OK(mkdir(self->inner, 0755));
	snprintf(self->upper, sizeof(self->upper), "%s/upper2", w->root);
	OK(mkdir(self->upper, 0755));
	snprintf(self->work, sizeof(self->work), "%s/work2", w->root);
	OK(mkdir(self->work, 0755));
	OK(put_dir(w, "low", 0755));
	OK(put_dir(w, "low/d", 0755));
	OK(put_pattern(w, "low/d/file", 100000, 1));
	OK(put_text(w, "low/d/gone", "gone"));
	OK(put_dir(w, "low/renamed", 0755));
	OK(put_text(w, "low/renamed/inside", "inside"));
	OK(put_dir(w, "high", 0755));
	OK(put_dir(w, "high/d", 0755));
	OK(put_text(w, "high/d/new", "new"));
	w->no_compare = true;
	OK(world_mount(w));
}

FIXTURE_TEARDOWN(nest)
{
	umount2(self->inner, MNT_DETACH);
	FINISH(&self->w);
}

/* The two layers are in the directory that is called outer. */
static int mount_inner(struct world *w, const char *type, const char *outer,
		       const char *target, const char *upper, const char *work)
{
	char high[PATH_MAX], low[PATH_MAX];
	const char *option[][2] = {
		{ "source", "inner" }, { "lowerdir+", high }, { "lowerdir+", low },
		{ upper ? "upperdir" : NULL, upper }, { "workdir", work },
		{ !strcmp(type, "overlay") ? "redirect_dir" : NULL, "on" }, { }
	};
	int fd;

	strcpy(high, join(outer, "high"));
	strcpy(low, join(outer, "low"));
	fd = fs_mount(type, option, 0, target, w->log, sizeof(w->log));
	if (fd < 0) {
		errno = -fd;
		return -1;
	}
	return close(fd);
}

#define I(rel) join(self->inner, rel)

TEST_F(nest, read_only)
{
	struct world *w = &self->w;

	OK(mount_inner(w, world_fstype(), w->mnt, self->inner, NULL, NULL));
	EXPECT_EQ(0, same_bytes(I("d/new"), "new", 3));
	EXPECT_EQ(0, same_bytes(I("renamed/inside"), "inside", 6));
	EXPECT_EQ(0, tree_compare(self->inner, TREE_CHECK | (w->tree_flags & TREE_NODINO),
				  self->inner, 0));
	FAILS(EROFS, unlink(I("d/gone")));
	OK(umount(self->inner));
}

/* An upper beside the outer mount; changes, and back again after a remount. */
TEST_F(nest, writable)
{
	struct world *w = &self->w;

	for (int round = 0; round < 2; round++) {
		CHECK(!mount_inner(w, world_fstype(), w->mnt, self->inner,
				   self->upper, self->work), "%s: %s",
		      err_name(errno), w->log);
		if (!round) {
			OK(unlink(I("d/gone")));
			OK(rename(I("renamed"), I("d/moved")));
			OK(chmod(I("d/file"), 0600));
			OK(write_text(I("d/new"), "changed"));
		}
		FAILS(ENOENT, access(I("d/gone"), F_OK));
		EXPECT_EQ(0, same_bytes(I("d/moved/inside"), "inside", 6));
		EXPECT_EQ(0, same_bytes(I("d/new"), "changed", 7));
		/* The outer mount has not changed. */
		EXPECT_EQ(0, same_bytes(M("low/d/gone"), "gone", 4));
		EXPECT_EQ(0, same_bytes(M("high/d/new"), "new", 3));
		OK(umount(self->inner));
	}
}

/* Marks that a builder writes inside the outer mount are the inner one's. */
TEST_F(nest, marks_inside)
{
	struct world *w = &self->w;

	OK(setxattr(M("high/d"), "trusted.overlay.opaque", "y", 1, 0));
	OK(mkdir(M("high/alias"), 0755));
	OK(setxattr(M("high/alias"), "trusted.overlay.redirect", "/renamed", 8, 0));
	OK(mount_inner(w, world_fstype(), w->mnt, self->inner, NULL, NULL));
	FAILS(ENOENT, access(I("d/file"), F_OK));
	EXPECT_EQ(0, same_bytes(I("d/new"), "new", 3));
	EXPECT_EQ(0, same_bytes(I("alias/inside"), "inside", 6));
	OK(umount(self->inner));
	/* And they say nothing to the outer one, after its remount either. */
	OK(world_remount(w));
	EXPECT_EQ(0, same_bytes(M("low/d/gone"), "gone", 4));
	EXPECT_EQ(1, getxattr(M("high/d"), "trusted.overlay.opaque", NULL, 0));
}

/* A whiteout made inside the outer mount: a device there, a whiteout here. */
TEST_F(nest, whiteout_inside)
{
	struct world *w = &self->w;
	struct stat st;

	if (world_is_overlay())
		SKIP(return, "overlayfs: takes no device 0:0");
	OK(mknod(M("high/d/gone"), S_IFCHR | 0600, makedev(0, 0)));
	OK(lstat(M("high/d/gone"), &st));
	CHECK(S_ISCHR(st.st_mode), "mode %o", st.st_mode);
	OK(mount_inner(w, world_fstype(), w->mnt, self->inner, NULL, NULL));
	FAILS(ENOENT, access(I("d/gone"), F_OK));
	OK(umount(self->inner));
}

/* overlayfs over this one, as a builder in a container would. */
TEST_F(nest, overlayfs_on_top)
{
	struct world *w = &self->w;

	if (world_is_overlay())
		SKIP(return, "nothing new");
	if (mount_inner(w, "overlay", w->mnt, self->inner, self->upper, self->work)) {
		CHECK(errno == ENODEV, "%s: %s", err_name(errno), w->log);
		SKIP(return, "this kernel has no overlayfs");
	}
	EXPECT_EQ(0, same_bytes(I("d/new"), "new", 3));
	OK(write_text(I("d/new"), "changed"));
	OK(unlink(I("d/gone")));
	OK(rename(I("renamed"), I("moved")));
	EXPECT_EQ(0, same_bytes(I("moved/inside"), "inside", 6));
	EXPECT_EQ(0, same_bytes(M("high/d/new"), "new", 3));
	OK(umount(self->inner));
}

/*
 * The same layers in overlayfs, with an upper on a plain filesystem, as in a
 * container whose own root is overlayfs and which has a volume for the uppers.
 */
FIXTURE(on_overlayfs)
{
	struct world w;
	char outer[WORLD_PATH + 16];
	char over[WORLD_PATH + 16];	/* the upper and the workdir of the outer mount */
	char under[WORLD_PATH + 16];
};

FIXTURE_SETUP(on_overlayfs)
{
	struct world *w = &self->w;
	const char *option[][2] = {
		{ "source", "outer" }, { "lowerdir+", w->layer[0] },
		{ "upperdir", self->over }, { "workdir", self->under }, { }
	};
	int fd;

	OK(world_begin(w, IN_LAYER));
	snprintf(self->outer, sizeof(self->outer), "%s/outer", w->root);
	snprintf(self->over, sizeof(self->over), "%s/over", w->root);
	snprintf(self->under, sizeof(self->under), "%s/under", w->root);
	OK(mkdir(self->outer, 0755));
	OK(mkdir(self->over, 0755));
	OK(mkdir(self->under, 0755));
	OK(put_dir(w, "low", 0755));
	OK(put_pattern(w, "low/file", 400000, 1));
	OK(put_text(w, "low/gone", "gone"));
	OK(put_dir(w, "low/hidden", 0755));
	OK(put_text(w, "low/hidden/inside", "inside"));
	OK(put_dir(w, "low/renamed", 0755));
	OK(put_text(w, "low/renamed/inside", "inside"));
	OK(put_dir(w, "high", 0755));
	OK(put_dir(w, "high/hidden", 0755));
	w->no_compare = true;
	fd = fs_mount("overlay", option, 0, self->outer, w->log, sizeof(w->log));
	if (fd == -ENODEV)
		SKIP(return, "this kernel has no overlayfs");
	CHECK(fd >= 0, "%s: %s", err_name(-fd), w->log);
	close(fd);
}

FIXTURE_TEARDOWN(on_overlayfs)
{
	umount2(self->w.mnt, MNT_DETACH);
	umount2(self->outer, MNT_DETACH);
	FINISH(&self->w);
}

#define O(rel) join(self->outer, rel)

TEST_F(on_overlayfs, layers)
{
	struct world *w = &self->w;
	char expect[400000];
	struct stat before, st;

	if (world_is_overlay())
		SKIP(return, "redirects are off by default, and so are numbers");
	/* What a builder writes there: overlayfs escapes it, and shows it as it is. */
	OK(setxattr(O("high/hidden"), "trusted.overlay.opaque", "y", 1, 0));
	OK(mkdir(O("high/alias"), 0755));
	OK(setxattr(O("high/alias"), "trusted.overlay.redirect", "/renamed", 8, 0));
	OK(store_at(O("low/file"), "outer", 5, 8192));

	fill_pattern(expect, sizeof(expect), 0, 1);
	memcpy(expect + 8192, "outer", 5);
	for (int round = 0; round < 3; round++) {
		CHECK(!mount_inner(w, world_fstype(), self->outer, w->mnt, w->upper,
				   w->work), "%s: %s",
		      err_name(errno), w->log);
		OK(stat(M("file"), &st));
		if (!round) {
			before = st;
			EXPECT_EQ(0, same_bytes(M("file"), expect, sizeof(expect)));
			OK(store_at(M("file"), "inner", 5, 200000));
			memcpy(expect + 200000, "inner", 5);
			OK(unlink(M("gone")));
			OK(rename(M("alias"), M("moved")));
		}
		CHECK(st.st_ino == before.st_ino, "round %d: number %lu, was %lu", round,
		      st.st_ino, before.st_ino);
		EXPECT_EQ(0, same_bytes(M("file"), expect, sizeof(expect)));
		FAILS(ENOENT, access(M("gone"), F_OK));
		FAILS(ENOENT, access(M("hidden/inside"), F_OK));
		FAILS(ENOENT, access(M("alias"), F_OK));
		EXPECT_EQ(0, same_bytes(M("moved/inside"), "inside", 6));
		EXPECT_EQ(0, tree_compare(w->mnt, TREE_CHECK, w->mnt, 0));
		OK(umount(w->mnt));
		/* A block was written there, not the file. */
		OK(stat(U("file"), &st));
		CHECK(st.st_blocks * 512 < 100000, "%ld bytes", st.st_blocks * 512);
	}
	/* And the outer mount has not changed. */
	fill_pattern(expect, sizeof(expect), 0, 1);
	memcpy(expect + 8192, "outer", 5);
	EXPECT_EQ(0, same_bytes(O("low/file"), expect, sizeof(expect)));
	EXPECT_EQ(0, same_bytes(O("low/gone"), "gone", 4));
	OK(umount(self->outer));
}

/* overlayfs takes no flags to a rename but those of rename(2), not even from us. */
TEST_F(on_overlayfs, upper)
{
	struct world *w = &self->w;
	char upper[PATH_MAX], work[PATH_MAX];

	OK(mkdir(O("upper"), 0755));
	OK(mkdir(O("work"), 0755));
	strcpy(upper, O("upper"));
	strcpy(work, O("work"));
	FAILS(EINVAL, mount_inner(w, world_fstype(), self->outer, w->mnt, upper,
				  work));
	if (!world_is_overlay())
		CHECK(strstr(w->log, upper) && strstr(w->log, "choose"), "said: %s", w->log);
	OK(umount(self->outer));
}

/* A mount over itself has to end: the depth of stacks is bounded. */
TEST_F(nest, too_deep)
{
	struct world *w = &self->w;
	char mnt[4][WORLD_PATH + 16];
	int depth, err = 0;

	for (depth = 0; depth < 4; depth++) {
		const char *below = depth ? mnt[depth - 1] : w->mnt;
		char high[PATH_MAX], low[PATH_MAX];
		const char *option[][2] = {
			{ "source", "deep" }, { "lowerdir+", high },
			{ "lowerdir+", low }, { }
		};
		int fd;

		snprintf(mnt[depth], sizeof(mnt[depth]), "%s/deep%d", w->root, depth);
		OK(mkdir(mnt[depth], 0755));
		strcpy(high, depth ? join(below, "d") : join(below, "high"));
		strcpy(low, depth ? below : join(below, "low"));
		fd = fs_mount(world_fstype(), option, 0, mnt[depth], w->log,
			      sizeof(w->log));
		if (fd < 0) {
			err = -fd;
			break;
		}
		close(fd);
	}
	CHECK(err == EINVAL || err == ELOOP, "at depth %d: %s", depth, err_name(err));
	if (!world_is_overlay())
		CHECK(*w->log, "no word about it");
	while (depth--)
		OK(umount(mnt[depth]));
}

TEST_HARNESS_MAIN
