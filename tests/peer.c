// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * overlayfs and Veneer on the same disk: what one left, the other reads, or
 * refuses; neither shows something else.
 */
#include "testing.h"

#include <sys/sysmacros.h>
#include <sys/xattr.h>

FIXTURE(peer)
{
	struct world w;
	char work[WORLD_PATH + 16];	/* the other one's workdir */
};

FIXTURE_SETUP(peer)
{
	struct world *w = &self->w;

	OK(world_begin(w, IN_LOWER));
	snprintf(self->work, sizeof(self->work), "%s/work2", w->root);
	OK(mkdir(self->work, 0755));
	OK(put_dir(w, "a", 0755));
	OK(put_dir(w, "a/sub", 0755));
	OK(put_text(w, "a/sub/deep", "deep"));
	OK(put_text(w, "a/file", "file"));
	OK(put_text(w, "a/gone", "gone"));
	OK(put_dir(w, "again", 0755));
	OK(put_text(w, "again/old", "old"));
	OK(put_pattern(w, "big", 200000, 1));
	OK(put_pattern(w, "meta", 200000, 2));
	OK(put_symlink(w, "link", "big"));
	OK(put_node(w, "fifo", S_IFIFO | 0644, 0));
	w->no_compare = true;
	OK(world_seal(w));
}

WORLD_TEARDOWN(peer)

/* Mounts the world with a type and one more option; 1 where there is none. */
static int mount_as(struct world *w, const char *type, const char *work,
		    const char *key, const char *value)
{
	const char *option[][2] = {
		{ "source", "peer" }, { "lowerdir+", w->layer[0] },
		{ "lowerdir+", w->layer[1] }, { "upperdir", w->upper },
		{ "workdir", work }, { key, value }, { }
	};
	int fd = fs_mount(type, option, 0, w->mnt, w->log, sizeof(w->log));

	if (fd == -ENODEV)
		return 1;
	if (fd < 0) {
		printf("# %s: %s\n", type, w->log);
		errno = -fd;
		return -1;
	}
	close(fd);
	w->mfd = open(w->mnt, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return w->mfd < 0 ? -1 : 0;
}

static int unmount(struct world *w)
{
	close(w->mfd);
	w->mfd = -1;
	return umount2(w->mnt, 0);
}

#define MOUNT_AS(...) do {						\
	int __r = OK(mount_as(w, __VA_ARGS__));				\
	if (__r)							\
		SKIP(return, "this kernel has not both file systems");	\
} while (0)

/* A container's life, in whichever mount there is, and on plain. */
#define LIFE() do {							\
	BOTH_OK(renameat(at, "a", at, "b"));				\
	BOTH_OK(unlinkat(at, "b/gone", 0));				\
	BOTH_OK(write_text(P("big"), "changed"));			\
	BOTH_OK(unlinkat(at, "again/old", 0));				\
	BOTH_OK(unlinkat(at, "again", AT_REMOVEDIR));			\
	BOTH_OK(mkdirat(at, "again", 0700));				\
	BOTH_OK(mkdirat(at, "again/new", 0711));			\
	BOTH_OK(symlinkat("x", at, "b/sub/link"));			\
	BOTH_OK(renameat(at, "b/sub", at, "again/moved"));		\
	BOTH_OK(mkdirat(at, "a", 0755));				\
	BOTH_OK(fchownat(at, "link", 5, 6, AT_SYMLINK_NOFOLLOW));	\
	BOTH_OK(fchmodat(at, "fifo", 0600, 0));				\
	BOTH_OK(linkat(at, "b/file", at, "linked", 0));			\
	BOTH_OK(setxattr(P("b/file"), "user.x", "y", 1, 0));		\
} while (0)

#define AS_PLAIN(flags)							\
	CHECK(!tree_compare(w->mnt, flags, w->plain, TREE_NLINK | (flags)),	\
	      "not the same tree")

TEST_F(peer, overlayfs_then_veneer)
{
	struct world *w = &self->w;

	MOUNT_AS("overlay", self->work, "redirect_dir", "on");
	LIFE();
	AS_PLAIN(TREE_NLINK);
	OK(unmount(w));
	MOUNT_AS("veneer", w->work, NULL, NULL);
	AS_PLAIN(TREE_NLINK | TREE_CHECK);
	BOTH_OK(renameat(at, "again/moved", at, "a/back"));
	BOTH_OK(unlinkat(at, "b/file", 0));
	BOTH_OK(mkdirat(at, "again/old", 0700));
	AS_PLAIN(TREE_NLINK | TREE_CHECK);
	OK(unmount(w));
}

TEST_F(peer, veneer_then_overlayfs)
{
	struct world *w = &self->w;

	MOUNT_AS("veneer", w->work, NULL, NULL);
	LIFE();
	/* Files whose metadata alone has changed are not for overlayfs. */
	BOTH_OK(write_text(P("b/file"), "whole"));
	AS_PLAIN(TREE_NLINK | TREE_CHECK);
	OK(unmount(w));
	/* It shows Veneer's own xattrs, which mean nothing to it. */
	MOUNT_AS("overlay", self->work, "redirect_dir", "on");
	AS_PLAIN(TREE_NLINK | TREE_NOXATTR);
	OK(unmount(w));
}

/* With one workdir for both, and back again. */
TEST_F(peer, in_turns)
{
	struct world *w = &self->w;

	for (int i = 0; i < 4; i++) {
		char name[16];

		if (i & 1)
			MOUNT_AS("veneer", w->work, NULL, NULL);
		else
			MOUNT_AS("overlay", w->work, "redirect_dir", "on");
		if (!i)
			LIFE();
		snprintf(name, sizeof(name), "b/round%d", i);
		BOTH_OK(mkdirat(at, name, 0755));
		/* To another name and back, by turns. */
		BOTH_OK(renameat(at, i & 1 ? "moved" : "again",
				 at, i & 1 ? "again" : "moved"));
		if (i & 1)
			AS_PLAIN(TREE_NLINK);
		else
			AS_PLAIN(TREE_NLINK | TREE_NOXATTR);
		OK(unmount(w));
	}
}

/* What overlayfs keeps of a file's metadata alone: data or an error, no zeros. */
TEST_F(peer, metacopy_of_overlayfs)
{
	struct world *w = &self->w;
	char buf[16], want[16];
	int fd;

	MOUNT_AS("overlay", self->work, "metacopy", "on");
	OK(fchmodat(w->mfd, "meta", 0600, 0));
	OK(unmount(w));
	OK(getxattr(U("meta"), "trusted.overlay.metacopy", NULL, 0));
	MOUNT_AS("veneer", w->work, NULL, NULL);
	fill_pattern(want, sizeof(want), 0, 2);
	fd = openat(w->mfd, "meta", O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		ssize_t n = read(fd, buf, sizeof(buf));

		CHECK(n < 0 || (n == 16 && !memcmp(buf, want, 16)),
		      "%zd bytes that are not the file's", n);
		close(fd);
	} else {
		CHECK(errno == EIO || errno == EUCLEAN || errno == EOPNOTSUPP,
		      "%s", err_name(errno));
	}
	OK(unmount(w));
}

/* And the other way: overlayfs must refuse the data. */
TEST_F(peer, metadata_of_veneer)
{
	struct world *w = &self->w;
	char buf[16];
	int fd;

	MOUNT_AS("veneer", w->work, NULL, NULL);
	OK(fchmodat(w->mfd, "meta", 0600, 0));
	OK(unmount(w));
	MOUNT_AS("overlay", self->work, "metacopy", "off");
	fd = openat(w->mfd, "meta", O_RDONLY | O_CLOEXEC);
	CHECK(fd < 0 || read(fd, buf, 16) < 0, "overlayfs shows data");
	if (fd >= 0)
		close(fd);
	OK(unmount(w));
}

/* Neither takes what the other one has mounted. */
TEST_F(peer, in_use)
{
	struct world *w = &self->w;
	const char *option[][2] = {
		{ "source", "peer" }, { "lowerdir+", w->layer[0] },
		{ "lowerdir+", w->layer[1] }, { "upperdir", w->upper },
		{ "workdir", self->work }, { NULL, "on" }, { }
	};
	int fd;

	MOUNT_AS("veneer", w->work, NULL, NULL);
	option[5][0] = "index";
	fd = fs_mount("overlay", option, 0, NULL, w->log, sizeof(w->log));
	CHECK(fd == -EBUSY || fd == -ENODEV, "overlayfs: %s", err_name(-fd));
	OK(unmount(w));
	MOUNT_AS("overlay", w->work, "index", "on");
	option[5][0] = NULL;
	fd = fs_mount("veneer", option, 0, NULL, w->log, sizeof(w->log));
	CHECK(fd == -EBUSY, "veneer: %s", err_name(-fd));
	OK(unmount(w));
}

TEST_HARNESS_MAIN
