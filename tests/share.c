// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What mounts share: one stack for the same layers, one superblock for the same
 * upper, one copy in memory of what nobody changed.
 */
#include "testing.h"

#include <linux/magic.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

FIXTURE(share)
{
	struct world w;
	char upper[2][WORLD_PATH + 32], work[2][WORLD_PATH + 32], mnt[2][WORLD_PATH + 32];
};

FIXTURE_SETUP(share)
{
	struct world *w = &self->w;

	OK(world_begin(w, IN_LOWER));
	for (int i = 0; i < 2; i++) {
		sprintf(self->upper[i], "%s/upper.%d", w->root, i);
		sprintf(self->work[i], "%s/work.%d", w->root, i);
		sprintf(self->mnt[i], "%s/mnt.%d", w->root, i);
		OK(mkdir(self->upper[i], 0755));
		OK(mkdir(self->work[i], 0755));
		OK(mkdir(self->mnt[i], 0755));
	}
	OK(put_dir(w, "d", 0755));
	OK(put_text(w, "d/file", "a file\n"));
	OK(put_pattern(w, "d/big", 1 << 20, 1));
	w->no_compare = true;
	OK(world_seal(w));
}

FIXTURE_TEARDOWN(share)
{
	for (int i = 0; i < 2; i++)
		while (!umount2(self->mnt[i], MNT_DETACH))
			;
	FINISH(&self->w);
}

/* Mounts the world's layers with an upper (or none) at target. */
static int mount_over(struct world *w, const char *upper, const char *work,
		      const char *target, unsigned int attr, bool upside_down)
{
	const char *option[16][2] = { { "source", "share" } };
	int fd, n = 1;

	for (int i = 0; i < w->nlayers; i++) {
		option[n][0] = "lowerdir+";
		option[n++][1] = w->layer[upside_down ? w->nlayers - 1 - i : i];
	}
	if (upper) {
		option[n][0] = "upperdir";
		option[n++][1] = upper;
		option[n][0] = "workdir";
		option[n++][1] = work;
	}
	if (world_is_overlay() && upper) {
		option[n][0] = "redirect_dir";
		option[n++][1] = "on";
	}
	fd = fs_mount(world_fstype(), option, attr, target, w->log, sizeof(w->log));
	if (fd < 0) {
		errno = -fd;
		return -1;
	}
	return close(fd);
}

#define MOUNT(i) mount_over(w, self->upper[i], self->work[i], self->mnt[i], 0, false)

static long stacks(void)
{
	char buf[32];

	if (read_text("/sys/fs/veneer/stacks", buf, sizeof(buf)) <= 0)
		return -1;
	return atol(buf);
}

TEST_F(share, one_stack)
{
	struct world *w = &self->w;
	long before;

	if (world_is_overlay())
		SKIP(return, "overlayfs: has no stacks");
	before = OK(stacks());
	OK(MOUNT(0));
	EXPECT_EQ(before + 1, stacks());
	OK(MOUNT(1));
	EXPECT_EQ(before + 1, stacks());
	/* The layers alone, read-only: the same stack. */
	OK(mount_over(w, NULL, NULL, w->mnt, 0, false));
	EXPECT_EQ(before + 1, stacks());
	OK(umount2(w->mnt, 0));
	/* Another order is another image. */
	OK(mount_over(w, NULL, NULL, w->mnt, 0, true));
	EXPECT_EQ(before + 2, stacks());
	OK(umount2(w->mnt, 0));
	EXPECT_EQ(before + 1, stacks());
	OK(umount2(self->mnt[0], 0));
	EXPECT_EQ(before + 1, stacks());
	OK(umount2(self->mnt[1], 0));
	EXPECT_EQ(before, stacks());
}

/* What one container writes the other one never sees. */
TEST_F(share, apart)
{
	struct world *w = &self->w;
	struct stat a, b;

	OK(MOUNT(0));
	OK(MOUNT(1));
	OK(stat(join(self->mnt[0], "d/file"), &a));
	OK(stat(join(self->mnt[1], "d/file"), &b));
	CHECK(a.st_dev != b.st_dev, "two mounts, one st_dev");
	OK(write_text(join(self->mnt[0], "d/file"), "changed by the first"));
	OK(unlink(join(self->mnt[0], "d/big")));
	OK(mkdir(join(self->mnt[0], "d/big"), 0755));
	OK(rename(join(self->mnt[0], "d"), join(self->mnt[0], "e")));
	EXPECT_EQ(0, same_bytes(join(self->mnt[1], "d/file"), "a file\n", 7));
	EXPECT_EQ(0, tree_compare(self->mnt[1], TREE_CHECK | (w->tree_flags & TREE_NODINO),
				  w->plain, 0));
	OK(write_text(join(self->mnt[1], "d/file"), "by the second"));
	EXPECT_EQ(0, same_bytes(join(self->mnt[0], "e/file"), "changed by the first", 20));
	OK(umount2(self->mnt[0], 0));
	EXPECT_EQ(0, same_bytes(join(self->mnt[1], "d/file"), "by the second", 13));
}

/* The pages that the first mount read are there for the second one. */
TEST_F(share, page_cache)
{
	struct world *w = &self->w;
	unsigned char in[256] = { };
	static char want[1 << 20];
	int fd, old = 0;
	struct statfs sf;
	char *p;

	OK(statfs(w->layer[1], &sf));
	if (sf.f_type == TMPFS_MAGIC)
		SKIP(return, "tmpfs keeps its pages, and lends none to a shared mapping");
	fill_pattern(want, sizeof(want), 0, 1);
	OK(MOUNT(0));
	OK(MOUNT(1));
	fd = OK(open(join(w->layer[1], "d/big"), O_RDONLY | O_NOATIME | O_CLOEXEC));
	OK(fsync(fd));
	OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	close(fd);
	fd = OK(open(join(self->mnt[1], "d/big"), O_RDONLY | O_CLOEXEC));
	p = mmap(NULL, 1 << 20, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	OK(mincore(p, 1 << 20, in));
	for (int i = 0; i < 256; i++)
		old += in[i] & 1;
	if (old)
		SKIP(munmap(p, 1 << 20); close(fd); return,
		     "the file system below keeps its pages");
	EXPECT_EQ(0, same_bytes(join(self->mnt[0], "d/big"), want, sizeof(want)));
	OK(mincore(p, 1 << 20, in));
	for (int i = 0; i < 256; i++)
		CHECK(in[i] & 1, "page %d is not shared", i);
	OK(munmap(p, 1 << 20));
	close(fd);
}

/* The same upper with the same layers: one file system, mounted twice. */
TEST_F(share, one_upper)
{
	struct world *w = &self->w;
	struct stat a, b;

	if (world_is_overlay())
		SKIP(return, "overlayfs: two superblocks, not coherent");
	OK(MOUNT(0));
	OK(mount_over(w, self->upper[0], self->work[0], self->mnt[1], 0, false));
	OK(stat(self->mnt[0], &a));
	OK(stat(self->mnt[1], &b));
	EXPECT_EQ(a.st_dev, b.st_dev);
	EXPECT_EQ(a.st_ino, b.st_ino);
	OK(write_text(join(self->mnt[0], "d/file"), "seen in both"));
	EXPECT_EQ(0, same_bytes(join(self->mnt[1], "d/file"), "seen in both", 12));
	OK(unlink(join(self->mnt[1], "d/big")));
	FAILS(ENOENT, access(join(self->mnt[0], "d/big"), F_OK));
	/* The first goes, the second goes on. */
	OK(umount2(self->mnt[0], 0));
	EXPECT_EQ(0, same_bytes(join(self->mnt[1], "d/file"), "seen in both", 12));
	OK(mkdir(join(self->mnt[1], "new"), 0755));
	OK(umount2(self->mnt[1], 0));
	OK(MOUNT(0));
	EXPECT_EQ(0, same_bytes(join(self->mnt[0], "d/file"), "seen in both", 12));
}

/* Read-only is the second mount's own affair, whichever comes first. */
TEST_F(share, read_only_second)
{
	struct world *w = &self->w;
	struct stat a, b;

	if (world_is_overlay())
		SKIP(return, "overlayfs: two superblocks");
	for (int first = 0; first < 2; first++) {
		OK(mount_over(w, self->upper[0], self->work[0], self->mnt[0],
			      first ? MOUNT_ATTR_RDONLY : 0, false));
		OK(mount_over(w, self->upper[0], self->work[0], self->mnt[1],
			      first ? 0 : MOUNT_ATTR_RDONLY, false));
		OK(stat(self->mnt[0], &a));
		OK(stat(self->mnt[1], &b));
		EXPECT_EQ(a.st_dev, b.st_dev);
		OK(write_text(join(self->mnt[first], "d/file"), "written"));
		FAILS(EROFS, mkdir(join(self->mnt[!first], "x"), 0755));
		FAILS(EROFS, truncate(join(self->mnt[!first], "d/file"), 0));
		EXPECT_EQ(0, same_bytes(join(self->mnt[!first], "d/file"), "written", 7));
		OK(umount2(self->mnt[0], 0));
		OK(umount2(self->mnt[1], 0));
	}
}

/* As mount(2) does it, with "ro" as a flag of the call: what runtimes do. */
TEST_F(share, read_only_second_mount2)
{
	struct world *w = &self->w;
	char data[4 * WORLD_PATH + 200];

	if (world_is_overlay())
		SKIP(return, "overlayfs: two superblocks");
	snprintf(data, sizeof(data), "lowerdir=%s:%s,upperdir=%s,workdir=%s",
		 w->layer[0], w->layer[1], self->upper[0], self->work[0]);
	OK(mount("share", self->mnt[0], world_fstype(), 0, data));
	OK(mount("share", self->mnt[1], world_fstype(), MS_RDONLY, data));
	OK(write_text(join(self->mnt[0], "d/file"), "written"));
	FAILS(EROFS, mkdir(join(self->mnt[1], "x"), 0755));
	EXPECT_EQ(0, same_bytes(join(self->mnt[1], "d/file"), "written", 7));
	OK(umount2(self->mnt[1], 0));
	OK(write_text(join(self->mnt[0], "d/file"), "still written"));
}

/* In use with other layers, or half in use: refused. */
TEST_F(share, busy)
{
	struct world *w = &self->w;

	if (world_is_overlay())
		SKIP(return, "overlayfs: only warns without index=on");
	OK(MOUNT(0));
	FAILS(EBUSY, mount_over(w, self->upper[0], self->work[0], self->mnt[1], 0, true));
	CHECK(strstr(w->log, "upperdir") && strstr(w->log, self->upper[0]),
	      "the log says: %s", w->log);
	FAILS(EBUSY, mount_over(w, self->upper[1], self->work[0], self->mnt[1], 0, false));
	CHECK(strstr(w->log, "workdir") && strstr(w->log, self->work[0]),
	      "the log says: %s", w->log);
	FAILS(EBUSY, mount_over(w, self->upper[0], self->work[1], self->mnt[1], 0, false));
	CHECK(strstr(w->log, "upperdir") || strstr(w->log, "workdir"),
	      "the log says: %s", w->log);
	/* A lazy unmount keeps it busy for as long as somebody is inside. */
	{
		int fd = OK(open(join(self->mnt[0], "d/file"), O_RDONLY | O_CLOEXEC));

		OK(umount2(self->mnt[0], MNT_DETACH));
		FAILS(EBUSY, mount_over(w, self->upper[0], self->work[0],
					self->mnt[1], 0, true));
		close(fd);
	}
	OK(mount_over(w, self->upper[0], self->work[0], self->mnt[1], 0, true));
}

/* Mounted and unmounted by several at once: each sees its files, always. */
TEST_F(share, mounted_at_once)
{
	struct world *w = &self->w;
	pid_t pid[4];
	int status;

	for (int i = 0; i < 4; i++) {
		fflush(NULL);
		pid[i] = OK(fork());
		if (pid[i])
			continue;
		for (int n = 0; n < 25; n++) {
			/* Two with one upper, one with the other, one without. */
			const char *upper = i == 3 ? NULL : self->upper[i == 2];
			char mnt[WORLD_PATH + 32];

			/* overlayfs wants one mount for each upper. */
			if (world_is_overlay() && i == 1)
				upper = NULL;
			sprintf(mnt, "%s/at%d", w->root, i);
			mkdir(mnt, 0755);
			if (mount_over(w, upper, self->work[i == 2], mnt, 0, false)) {
				printf("# %d, %d: %s %s\n", i, n, err_name(errno), w->log);
				fflush(stdout);
				_exit(1);
			}
			if (same_bytes(join(mnt, "d/file"), "a file\n", 7))
				_exit(2);
			if (upper && (mkdir(join(mnt, "made"), 0755) && errno != EEXIST))
				_exit(3);
			if (umount2(mnt, 0))
				_exit(4);
		}
		_exit(0);
	}
	for (int i = 0; i < 4; i++) {
		OK(waitpid(pid[i], &status, 0));
		CHECK(!status, "process %d: %x", i, status);
	}
	if (VENEER_ONLY("has no stacks"))
		EXPECT_EQ(0, stacks());
}

/* A live mount's upper as somebody else's layer: accepted, and readable. */
TEST_F(share, upper_as_layer)
{
	struct world *w = &self->w;
	const char *option[][2] = {
		{ "source", "share" }, { "lowerdir+", self->upper[0] },
		{ "lowerdir+", w->layer[0] }, { "lowerdir+", w->layer[1] },
		{ "upperdir", self->upper[1] }, { "workdir", self->work[1] }, { }
	};
	int fd;

	OK(MOUNT(0));
	OK(write_text(join(self->mnt[0], "d/file"), "committed"));
	fd = fs_mount(world_fstype(), option, 0, self->mnt[1], w->log, sizeof(w->log));
	CHECK(fd >= 0, "%s: %s", err_name(-fd), w->log);
	if (fd < 0)
		return;
	close(fd);
	EXPECT_EQ(0, same_bytes(join(self->mnt[1], "d/file"), "committed", 9));
}

/* The layers are held by the mount: what became of their paths is no matter. */
TEST_F(share, layers_are_held)
{
	struct world *w = &self->w;
	char moved[WORLD_PATH + 16];

	snprintf(moved, sizeof(moved), "%s/moved", w->root);
	OK(mount(w->layer[1], w->mnt, NULL, MS_BIND, NULL));
	{
		const char *option[][2] = {
			{ "source", "share" }, { "lowerdir+", w->layer[0] },
			{ "lowerdir+", w->mnt }, { "upperdir", self->upper[0] },
			{ "workdir", self->work[0] }, { }
		};
		int fd = fs_mount(world_fstype(), option, 0, self->mnt[0], w->log,
				  sizeof(w->log));

		CHECK(fd >= 0, "%s: %s", err_name(-fd), w->log);
		close(fd);
	}
	OK(umount2(w->mnt, 0));
	OK(rename(w->layer[1], moved));
	EXPECT_EQ(0, same_bytes(join(self->mnt[0], "d/file"), "a file\n", 7));
	OK(drop_caches());
	EXPECT_EQ(0, same_bytes(join(self->mnt[0], "d/file"), "a file\n", 7));
	OK(rename(moved, w->layer[1]));
	/* The root's ctime has moved with it. */
	tree_free(&w->sealed[1]);
}

TEST_HARNESS_MAIN
