// SPDX-License-Identifier: GPL-2.0-or-later
/* Hard links, made in the mount to what the layers and the upper hold. */
#include "testing.h"

#include <sys/sysmacros.h>

WORLD_FIXTURE(link);

FIXTURE_SETUP(link)
{
	struct world *w = &self->w;

	OK(world_begin(w, variant->where));
	OK(put_dir(w, "d", 0755));
	OK(put_dir(w, "d/sub", 0755));
	OK(put_text(w, "d/file", "a file\n"));
	OK(put_text(w, "d/gone", "will be\n"));
	OK(put_symlink(w, "d/link", "file"));
	OK(put_node(w, "d/fifo", S_IFIFO | 0644, 0));
	OK(put_node(w, "d/chr", S_IFCHR | 0644, makedev(1, 3)));
	OK(world_mount(w));
}

WORLD_TEARDOWN(link)

TEST_F(link, kinds)
{
	struct world *w = &self->w;

	BOTH_OK(linkat(at, "d/file", at, "d/file2", 0));
	BOTH_OK(linkat(at, "d/link", at, "d/link2", 0));
	BOTH_OK(linkat(at, "d/link", at, "d/followed", AT_SYMLINK_FOLLOW));
	BOTH_OK(linkat(at, "d/fifo", at, "d/sub/fifo2", 0));
	BOTH_OK(linkat(at, "d/chr", at, "chr2", 0));
	BOTH_OK(linkat(at, "d/file2", at, "d/sub/file3", 0));
}

TEST_F(link, refused)
{
	struct world *w = &self->w;

	BOTH_FAIL(EPERM, linkat(at, "d/sub", at, "d/sub2", 0));
	BOTH_FAIL(EEXIST, linkat(at, "d/file", at, "d/gone", 0));
	BOTH_FAIL(EEXIST, linkat(at, "d/file", at, "d/sub", 0));
	BOTH_FAIL(EEXIST, linkat(at, "d/file", at, "d/file", 0));
	BOTH_FAIL(ENOENT, linkat(at, "d/none", at, "d/new", 0));
	BOTH_FAIL(ENOENT, linkat(at, "d/file", at, "d/none/new", 0));
	BOTH_FAIL(ENOTDIR, linkat(at, "d/file", at, "d/file/new", 0));
	FAILS(EXDEV, linkat(w->mfd, "d/file", w->pfd, "d/new", 0));
	FAILS(EXDEV, linkat(w->pfd, "d/file", w->mfd, "d/new", 0));
	/* Nothing was copied up for any of these. */
	if (variant->where == IN_LAYER || variant->where == IN_LOWER)
		CHECK(!exists(U("d/file")), "copied up by a refused link");
}

TEST_F(link, one_object)
{
	struct world *w = &self->w;
	struct stat a, b;
	int fd;

	BOTH_OK(linkat(at, "d/file", at, "d/sub/file2", 0));
	OK(fstatat(w->mfd, "d/file", &a, 0));
	OK(fstatat(w->mfd, "d/sub/file2", &b, 0));
	EXPECT_EQ(a.st_ino, b.st_ino);
	EXPECT_EQ(2, a.st_nlink);
	EXPECT_EQ(2, b.st_nlink);
	/* Written through one name, read through the other. */
	fd = OK(openat(w->mfd, "d/sub/file2", O_WRONLY | O_CLOEXEC));
	EXPECT_EQ(1, OK(write(fd, "A", 1)));
	close(fd);
	EXPECT_EQ(0, same_bytes(M("d/file"), "A file\n", 7));
	OK(fchmodat(w->mfd, "d/file", 0640, 0));
	OK(fstatat(w->mfd, "d/sub/file2", &b, 0));
	EXPECT_EQ(0640, b.st_mode & 07777);
	/* The same on the plain side, for the comparison at the end. */
	OK(write_text(join(w->plain, "d/file"), "A file\n"));
	OK(fchmodat(w->pfd, "d/file", 0640, 0));
}

TEST_F(link, first_name_goes)
{
	struct world *w = &self->w;
	struct stat st;

	BOTH_OK(linkat(at, "d/file", at, "d/sub/file2", 0));
	BOTH_OK(unlinkat(at, "d/file", 0));
	EXPECT_EQ(0, same_bytes(M("d/sub/file2"), "a file\n", 7));
	OK(fstatat(w->mfd, "d/sub/file2", &st, 0));
	EXPECT_EQ(1, st.st_nlink);
	SAME_TREES(w);
	OK(world_remount(w));
	SAME_TREES(w);
	BOTH_OK(linkat(at, "d/sub/file2", at, "d/file", 0));
	BOTH_OK(unlinkat(at, "d/sub/file2", 0));
}

/* Where a name of the layer was removed a link can go. */
TEST_F(link, over_whiteout)
{
	struct world *w = &self->w;

	BOTH_OK(unlinkat(at, "d/gone", 0));
	BOTH_OK(linkat(at, "d/file", at, "d/gone", 0));
	SAME_TREES(w);
	BOTH_FAIL(EEXIST, linkat(at, "d/file", at, "d/gone", 0));
	OK(world_remount(w));
	SAME_TREES(w);
	BOTH_OK(unlinkat(at, "d/gone", 0));
	BOTH_FAIL(ENOENT, faccessat(at, "d/gone", F_OK, 0));
}

TEST_F(link, by_descriptor)
{
	struct world *w = &self->w;
	char proc[64];
	int fd;

	fd = OK(openat(w->mfd, "d/file", O_RDONLY | O_CLOEXEC));
	OK(linkat(fd, "", w->mfd, "d/byfd", AT_EMPTY_PATH));
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	OK(linkat(AT_FDCWD, proc, w->mfd, "d/byproc", AT_SYMLINK_FOLLOW));
	OK(unlinkat(w->mfd, "d/byproc", 0));
	OK(unlinkat(w->mfd, "d/byfd", 0));
	/* Without a name left, no new one. */
	OK(unlinkat(w->mfd, "d/file", 0));
	FAILS(ENOENT, linkat(fd, "", w->mfd, "d/byfd", AT_EMPTY_PATH));
	close(fd);
	OK(unlinkat(w->pfd, "d/file", 0));
}

/* An object opened before the link sees what the link's name writes. */
TEST_F(link, open_before)
{
	struct world *w = &self->w;
	char buf[16];
	int fd, pfd;

	fd = OK(openat(w->mfd, "d/file", O_RDONLY | O_CLOEXEC));
	pfd = OK(openat(w->pfd, "d/file", O_RDONLY | O_CLOEXEC));
	BOTH_OK(linkat(at, "d/file", at, "d/file2", 0));
	BOTH_OK(write_text(P("d/file2"), "other text\n"));
	SAME(pread(at == w->mfd ? fd : pfd, buf, sizeof(buf), 0));
	EXPECT_EQ(11, OK(pread(fd, buf, sizeof(buf), 0)));
	EXPECT_EQ(0, memcmp(buf, "other text\n", 11));
	close(fd);
	close(pfd);
}

TEST_HARNESS_MAIN
