// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mounts whose layers are in another mount of the same kind: a container that
 * builds containers.
 */
#include "testing.h"

#include <sys/sysmacros.h>
#include <sys/xattr.h>

FIXTURE(nest)
{
	struct world w;
	char inner[WORLD_PATH + 16];
};

/* The outer mount has all that the inner one is made of, but for its upper. */
FIXTURE_SETUP(nest)
{
	struct world *w = &self->w;

	OK(world_begin(w, IN_LOWER));
	snprintf(self->inner, sizeof(self->inner), "%s/inner", w->root);
	OK(mkdir(self->inner, 0755));
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

static int mount_inner(struct world *w, const char *type, const char *target,
		       const char *upper, const char *work)
{
	char high[PATH_MAX], low[PATH_MAX];
	const char *option[][2] = {
		{ "source", "inner" }, { "lowerdir+", high }, { "lowerdir+", low },
		{ upper ? "upperdir" : NULL, upper }, { "workdir", work },
		{ !strcmp(type, "overlay") ? "redirect_dir" : NULL, "on" }, { }
	};
	int fd;

	strcpy(high, M("high"));
	strcpy(low, M("low"));
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

	OK(mount_inner(w, world_fstype(), self->inner, NULL, NULL));
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
	char upper[WORLD_PATH + 16], work[WORLD_PATH + 16];

	snprintf(upper, sizeof(upper), "%s/upper2", w->root);
	snprintf(work, sizeof(work), "%s/work2", w->root);
	OK(mkdir(upper, 0755));
	OK(mkdir(work, 0755));
	for (int round = 0; round < 2; round++) {
		CHECK(!mount_inner(w, world_fstype(), self->inner, upper, work), "%s: %s",
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
	OK(mount_inner(w, world_fstype(), self->inner, NULL, NULL));
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
	OK(mount_inner(w, world_fstype(), self->inner, NULL, NULL));
	FAILS(ENOENT, access(I("d/gone"), F_OK));
	OK(umount(self->inner));
}

/* overlayfs over this one, as a builder in a container would. */
TEST_F(nest, overlayfs_on_top)
{
	struct world *w = &self->w;
	char upper[WORLD_PATH + 16], work[WORLD_PATH + 16];

	if (world_is_overlay())
		SKIP(return, "nothing new");
	snprintf(upper, sizeof(upper), "%s/upper2", w->root);
	snprintf(work, sizeof(work), "%s/work2", w->root);
	OK(mkdir(upper, 0755));
	OK(mkdir(work, 0755));
	if (mount_inner(w, "overlay", self->inner, upper, work)) {
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
