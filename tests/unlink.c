// SPDX-License-Identifier: GPL-2.0-or-later
/* Removing names, and making them again where something lies below. */
#include "testing.h"

#include <sys/sysmacros.h>

WORLD_FIXTURE(unlink);

FIXTURE_SETUP(unlink)
{
	struct world *w = &self->w;

	OK(world_begin(w, variant->where));
	OK(put_dir(w, "d", 0755));
	OK(put_dir(w, "d/full", 0755));
	OK(put_text(w, "d/full/one", "1"));
	OK(put_text(w, "d/full/two", "2"));
	OK(put_dir(w, "d/full/three", 0755));
	OK(put_dir(w, "d/empty", 0755));
	OK(put_text(w, "d/file", "a file\n"));
	OK(put_text(w, "top", "at the top\n"));
	OK(put_symlink(w, "d/link", "full"));
	OK(put_node(w, "d/fifo", S_IFIFO | 0644, 0));
	OK(put_node(w, "d/chr", S_IFCHR | 0644, makedev(1, 3)));
	OK(world_mount(w));
}

WORLD_TEARDOWN(unlink)

TEST_F(unlink, kinds)
{
	struct world *w = &self->w;

	BOTH_OK(unlinkat(at, "d/file", 0));
	BOTH_OK(unlinkat(at, "d/link", 0));
	BOTH_OK(unlinkat(at, "d/fifo", 0));
	BOTH_OK(unlinkat(at, "d/chr", 0));
	BOTH_OK(unlinkat(at, "top", 0));
	BOTH_OK(unlinkat(at, "d/empty", AT_REMOVEDIR));
	BOTH_FAIL(ENOENT, faccessat(at, "d/file", F_OK, 0));
	BOTH_FAIL(ENOENT, unlinkat(at, "d/file", 0));
	BOTH_FAIL(ENOENT, unlinkat(at, "d/empty", AT_REMOVEDIR));
	BOTH_FAIL(ENOENT, unlinkat(at, "d/none", 0));
}

TEST_F(unlink, refused)
{
	struct world *w = &self->w;

	BOTH_FAIL(EISDIR, unlinkat(at, "d/full", 0));
	BOTH_FAIL(ENOTDIR, unlinkat(at, "d/file", AT_REMOVEDIR));
	BOTH_FAIL(ENOTDIR, unlinkat(at, "d/link", AT_REMOVEDIR));
	BOTH_FAIL(ENOTEMPTY, unlinkat(at, "d/full", AT_REMOVEDIR));
	BOTH_FAIL(ENOTEMPTY, unlinkat(at, "d", AT_REMOVEDIR));
	BOTH_FAIL(EINVAL, unlinkat(at, "d/full/.", AT_REMOVEDIR));
	BOTH_FAIL(ENOTEMPTY, unlinkat(at, "d/full/..", AT_REMOVEDIR));
	FAILS(EBUSY, rmdir(w->mnt));
}

TEST_F(unlink, whole_tree)
{
	struct world *w = &self->w;

	BOTH_OK(unlinkat(at, "d/full/one", 0));
	BOTH_FAIL(ENOTEMPTY, unlinkat(at, "d/full", AT_REMOVEDIR));
	BOTH_OK(unlinkat(at, "d/full/two", 0));
	BOTH_OK(unlinkat(at, "d/full/three", AT_REMOVEDIR));
	/* Whiteouts are all that is left of it: empty, then. */
	BOTH_OK(unlinkat(at, "d/full", AT_REMOVEDIR));
	BOTH_FAIL(ENOENT, faccessat(at, "d/full/one", F_OK, 0));
}

/* Emptied, remounted, and only then removed. */
TEST_F(unlink, empty_after_remount)
{
	struct world *w = &self->w;

	BOTH_OK(unlinkat(at, "d/full/one", 0));
	BOTH_OK(unlinkat(at, "d/full/two", 0));
	BOTH_OK(unlinkat(at, "d/full/three", AT_REMOVEDIR));
	OK(world_remount(w));
	SAME_TREES(w);
	BOTH_OK(unlinkat(at, "d/full", AT_REMOVEDIR));
	OK(world_remount(w));
	BOTH_OK(mkdirat(at, "d/full", 0700));
	SAME_TREES(w);
}

TEST_F(unlink, again)
{
	struct world *w = &self->w;

	for (int i = 0; i < 4; i++) {
		BOTH_OK(unlinkat(at, "d/file", 0));
		BOTH_FAIL(ENOENT, openat(at, "d/file", O_RDONLY));
		BOTH_OK(mknodat(at, "d/file", S_IFREG | (0600 + i), 0));
		BOTH_FAIL(EEXIST, mknodat(at, "d/file", S_IFREG | 0600, 0));
		if (i == 1)
			OK(world_remount(w));
		if (i == 2)
			OK(drop_caches());
	}
}

/* What takes a removed name's place has another type. */
TEST_F(unlink, other_type)
{
	struct world *w = &self->w;

	BOTH_OK(unlinkat(at, "d/file", 0));
	BOTH_OK(mkdirat(at, "d/file", 0700));
	BOTH_OK(mkdirat(at, "d/file/dir", 0700));
	BOTH_OK(unlinkat(at, "d/empty", AT_REMOVEDIR));
	BOTH_OK(symlinkat("x", at, "d/empty"));
	BOTH_OK(unlinkat(at, "d/link", 0));
	BOTH_OK(mknodat(at, "d/link", S_IFIFO | 0600, 0));
	BOTH_OK(unlinkat(at, "d/fifo", 0));
	BOTH_OK(mknodat(at, "d/fifo", S_IFREG | 0600, 0));
	SAME_TREES(w);
	OK(world_remount(w));
	BOTH_OK(unlinkat(at, "d/file/dir", AT_REMOVEDIR));
	BOTH_OK(unlinkat(at, "d/file", AT_REMOVEDIR));
	BOTH_OK(unlinkat(at, "d/empty", 0));
	BOTH_OK(mkdirat(at, "d/empty", 0711));
}

/* A directory made where one was removed does not show the old names. */
TEST_F(unlink, opaque_again)
{
	struct world *w = &self->w;

	BOTH_OK(unlinkat(at, "d/full/one", 0));
	BOTH_OK(unlinkat(at, "d/full/two", 0));
	BOTH_OK(unlinkat(at, "d/full/three", AT_REMOVEDIR));
	BOTH_OK(unlinkat(at, "d/full", AT_REMOVEDIR));
	BOTH_OK(mkdirat(at, "d/full", 0750));
	BOTH_FAIL(ENOENT, faccessat(at, "d/full/one", F_OK, 0));
	BOTH_OK(mkdirat(at, "d/full/one", 0750));
	SAME_TREES(w);
	OK(world_remount(w));
	BOTH_FAIL(ENOENT, faccessat(at, "d/full/two", F_OK, 0));
	BOTH_OK(unlinkat(at, "d/full/one", AT_REMOVEDIR));
	BOTH_OK(unlinkat(at, "d/full", AT_REMOVEDIR));
}

/* An open file lives on without its name. */
TEST_F(unlink, open_file)
{
	struct world *w = &self->w;
	struct stat st;
	char buf[32];
	int fd, wfd;

	fd = OK(openat(w->mfd, "d/file", O_RDONLY | O_CLOEXEC));
	wfd = OK(openat(w->mfd, "d/full/one", O_RDWR | O_CLOEXEC));
	BOTH_OK(unlinkat(at, "d/file", 0));
	BOTH_OK(unlinkat(at, "d/full/one", 0));
	EXPECT_EQ(7, OK(read(fd, buf, sizeof(buf))));
	EXPECT_EQ(0, memcmp(buf, "a file\n", 7));
	OK(fstat(fd, &st));
	if (VENEER_ONLY("shows the layer's link count"))
		EXPECT_EQ(0, st.st_nlink);
	EXPECT_EQ(1, OK(pwrite(wfd, "X", 1, 5)));
	EXPECT_EQ(6, OK(pread(wfd, buf, sizeof(buf), 0)));
	EXPECT_EQ(0, memcmp(buf, "1\0\0\0\0X", 6));
	OK(fchmod(wfd, 0600));
	OK(fstat(wfd, &st));
	EXPECT_EQ(0600, st.st_mode & 07777);
	EXPECT_EQ(0, st.st_nlink);
	EXPECT_EQ(6, st.st_size);
	close(fd);
	close(wfd);
}

/* And can even be written for the first time when the name is gone. */
TEST_F(unlink, write_after)
{
	struct world *w = &self->w;
	struct stat st;
	char buf[32];
	int fd;

	fd = OK(openat(w->mfd, "d/file", O_RDWR | O_CLOEXEC));
	BOTH_OK(unlinkat(at, "d/file", 0));
	BOTH_OK(mknodat(at, "d/file", S_IFREG | 0644, 0));
	EXPECT_EQ(3, OK(pwrite(fd, "new", 3, 2)));
	EXPECT_EQ(7, OK(pread(fd, buf, sizeof(buf), 0)));
	EXPECT_EQ(0, memcmp(buf, "a newe\n", 7));
	OK(ftruncate(fd, 100));
	OK(fstat(fd, &st));
	EXPECT_EQ(100, st.st_size);
	OK(fsync(fd));
	close(fd);
	/* The one that has the name now was not touched. */
	OK(fstatat(w->mfd, "d/file", &st, 0));
	EXPECT_EQ(0, st.st_size);
}

/* In a directory that has been removed nothing can be made. */
TEST_F(unlink, dead_directory)
{
	struct world *w = &self->w;
	int fd, pfd;

	fd = OK(openat(w->mfd, "d/empty", O_PATH | O_DIRECTORY | O_CLOEXEC));
	pfd = OK(openat(w->pfd, "d/empty", O_PATH | O_DIRECTORY | O_CLOEXEC));
	BOTH_OK(unlinkat(at, "d/empty", AT_REMOVEDIR));
	BOTH_OK(mkdirat(at, "d/empty", 0700));
	BOTH_FAIL(ENOENT, mkdirat(at == w->mfd ? fd : pfd, "x", 0700));
	BOTH_FAIL(ENOENT, symlinkat("x", at == w->mfd ? fd : pfd, "x"));
	BOTH_FAIL(ENOENT, faccessat(at == w->mfd ? fd : pfd, "x", F_OK, 0));
	close(fd);
	close(pfd);
}

TEST_F(unlink, sticky)
{
	struct world *w = &self->w;

	BOTH_OK(fchmodat(at, "d", 01777, 0));
	CHECK(!IN_CHILD({
		if (setresuid(77, 77, 77))
			_exit(1);
		BOTH_FAIL(EPERM, unlinkat(at, "d/file", 0));
		BOTH_FAIL(EPERM, unlinkat(at, "d/empty", AT_REMOVEDIR));
		BOTH_FAIL(EPERM, renameat(at, "d/file", at, "d/mine"));
		BOTH_FAIL(EACCES, unlinkat(at, "d/full/one", 0));
		BOTH_OK(mkdirat(at, "d/mine", 0700));
		BOTH_OK(unlinkat(at, "d/mine", AT_REMOVEDIR));
		if (_metadata->exit_code)
			_exit(2);
	}), "as another user");
}

/* On disk: a name of the layer needs a whiteout, one of the upper does not. */
TEST_F(unlink, leaves_what_it_must)
{
	struct world *w = &self->w;
	struct stat st;

	BOTH_OK(mkdirat(at, "d/new", 0700));
	BOTH_OK(mknodat(at, "d/newfile", S_IFREG | 0600, 0));
	BOTH_OK(unlinkat(at, "d/file", 0));
	BOTH_OK(unlinkat(at, "d/new", AT_REMOVEDIR));
	BOTH_OK(unlinkat(at, "d/newfile", 0));
	OK(world_umount(w));
	CHECK(!exists(U("d/new")), "a whiteout over nothing");
	CHECK(!exists(U("d/newfile")), "a whiteout over nothing");
	if (exists(L("d/file")) || (w->nlayers > 1 &&
				    exists(join(w->layer[1], "d/file")))) {
		OK(lstat(U("d/file"), &st));
		CHECK(S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0),
		      "mode %o, not a whiteout", st.st_mode);
	} else {
		CHECK(!exists(U("d/file")), "a whiteout over nothing");
	}
	OK(world_mount(w));
}

TEST_HARNESS_MAIN
