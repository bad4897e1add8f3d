// SPDX-License-Identifier: GPL-2.0-or-later
/* O_TMPFILE: files without a name, and giving them one. */
#include "testing.h"

#include <sys/xattr.h>

WORLD_FIXTURE(tmpfile);

FIXTURE_SETUP(tmpfile)
{
	struct world *w = &self->w;

	OK(world_begin(w, variant->where));
	OK(put_dir(w, "d", 0755));
	OK(put_dir(w, "d/sub", 0755));
	OK(put_dir(w, "d/setgid", 0755));
	OK(put_owner(w, "d/setgid", 12, 3400));
	OK(put_mode(w, "d/setgid", 02775));
	OK(put_text(w, "d/file", "a file\n"));
	OK(put_text(w, "d/gone", "will be\n"));
	OK(world_mount(w));
}

WORLD_TEARDOWN(tmpfile)

static int names(const char *path)
{
	struct tree t;
	int n;

	if (tree_scan(&t, path, 0))
		return -1;
	n = t.count;
	tree_free(&t);
	return n;
}

TEST_F(tmpfile, nameless)
{
	struct world *w = &self->w;
	int before = names(w->mnt);
	struct stat st;
	char buf[16];
	int fd;

	fd = OK(openat(w->mfd, "d", O_TMPFILE | O_RDWR | O_CLOEXEC, 0640));
	OK(fstat(fd, &st));
	EXPECT_EQ(0, st.st_nlink);
	EXPECT_EQ(S_IFREG | 0640, st.st_mode);
	EXPECT_EQ(5, OK(write(fd, "hello", 5)));
	EXPECT_EQ(5, OK(pread(fd, buf, sizeof(buf), 0)));
	EXPECT_EQ(0, memcmp(buf, "hello", 5));
	OK(ftruncate(fd, 3));
	OK(fsetxattr(fd, "user.x", "y", 1, 0));
	OK(fchmod(fd, 0600));
	OK(fsync(fd));
	EXPECT_EQ(before, names(w->mnt));
	close(fd);
	EXPECT_EQ(before, names(w->mnt));
}

static int make(int at, const char *dir, const char *name, int flags, mode_t mode)
{
	char proc[64];
	int fd, ret;

	fd = openat(at, dir, O_TMPFILE | O_RDWR | O_CLOEXEC | flags, mode);
	if (fd < 0)
		return -1;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if (write(fd, "content", 7) != 7 ||
	    fsetxattr(fd, "user.kept", "yes", 3, 0))
		ret = -1;
	else
		ret = linkat(AT_FDCWD, proc, at, name, AT_SYMLINK_FOLLOW);
	close(fd);
	return ret;
}

TEST_F(tmpfile, named)
{
	struct world *w = &self->w;
	struct stat st;

	BOTH_OK(make(at, "d", "d/new", 0, 0644));
	BOTH_OK(make(at, "d", "d/sub/new", 0, 0600));
	BOTH_OK(make(at, "d/setgid", "d/setgid/new", 0, 0666));
	BOTH_OK(make(at, ".", "new", 0, 04711));
	BOTH_FAIL(EEXIST, make(at, "d", "d/file", 0, 0644));
	BOTH_FAIL(ENOENT, make(at, "d", "d/exclusive", O_EXCL, 0644));
	BOTH_FAIL(ENOENT, make(at, "none", "d/x", 0, 0644));
	BOTH_FAIL(ENOTDIR, make(at, "d/file", "d/x", 0, 0644));
	OK(fstatat(w->mfd, "d/new", &st, 0));
	EXPECT_EQ(1, st.st_nlink);
	umask(077);
	BOTH_OK(make(at, "d", "d/masked", 0, 0666));
	umask(022);
}

TEST_F(tmpfile, over_whiteout)
{
	struct world *w = &self->w;

	BOTH_OK(unlinkat(at, "d/gone", 0));
	BOTH_OK(make(at, "d/sub", "d/gone", 0, 0644));
	EXPECT_EQ(0, same_bytes(M("d/gone"), "content", 7));
	SAME_TREES(w);
	OK(world_remount(w));
	EXPECT_EQ(0, same_bytes(M("d/gone"), "content", 7));
}

/* The file's inode number is the same nameless and named. */
TEST_F(tmpfile, ino)
{
	struct world *w = &self->w;
	struct stat a, b;
	char proc[64];
	int fd;

	fd = OK(openat(w->mfd, "d", O_TMPFILE | O_RDWR | O_CLOEXEC, 0640));
	OK(fstat(fd, &a));
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	OK(linkat(AT_FDCWD, proc, w->mfd, "d/new", AT_SYMLINK_FOLLOW));
	OK(linkat(AT_FDCWD, proc, w->mfd, "d/sub/new", AT_SYMLINK_FOLLOW));
	OK(fstatat(w->mfd, "d/sub/new", &b, 0));
	EXPECT_EQ(a.st_ino, b.st_ino);
	EXPECT_EQ(a.st_dev, b.st_dev);
	EXPECT_EQ(2, b.st_nlink);
	close(fd);
	OK(unlinkat(w->mfd, "d/new", 0));
	OK(unlinkat(w->mfd, "d/sub/new", 0));
}

TEST_HARNESS_MAIN
