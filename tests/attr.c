// SPDX-License-Identifier: GPL-2.0-or-later
/* Owner, mode, times, statx, statfs: changed without copying any data. */
#include "testing.h"

#include <linux/magic.h>
#include <sys/ioctl.h>
#include <linux/fs.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <time.h>

#define BIG (1 << 20)

WORLD_FIXTURE(attr);

FIXTURE_SETUP(attr)
{
	struct world *w = &self->w;

	OK(world_begin(w, variant->where));
	OK(put_dir(w, "d", 0755));
	OK(put_dir(w, "d/sub", 0750));
	OK(put_pattern(w, "d/big", BIG, 1));
	OK(put_text(w, "d/file", "a file\n"));
	OK(put_text(w, "d/suid", "program\n"));
	OK(put_mode(w, "d/suid", 06755));
	OK(put_symlink(w, "d/link", "file"));
	OK(put_symlink(w, "d/link2", "file"));
	OK(put_node(w, "d/fifo", S_IFIFO | 0644, 0));
	OK(put_node(w, "d/chr", S_IFCHR | 0644, makedev(1, 3)));
	w->tree_flags |= TREE_MTIME | TREE_DIRTIME;
	OK(world_mount(w));
}

WORLD_TEARDOWN(attr)

static const struct timespec long_ago[2] = { { 123456789, 987654321 },
					     { 234567890, 123456789 } };

/* Whether the file's data is a copy in the upper. */
static bool copied(struct world *w, const char *path)
{
	struct stat st;

	if (lstat(U(path), &st))
		return false;
	return st.st_blocks * 512 >= st.st_size;
}

static bool from_layer(struct world *w, const char *path)
{
	return exists(join(w->layer[w->nlayers - 1], path));
}

/* Directories' mtimes are those of when a test works: not compared. */
#define LOOSE_DIRTIME(w) ((w)->tree_flags &= ~TREE_DIRTIME)

TEST_F(attr, chmod)
{
	struct world *w = &self->w;

	BOTH_OK(fchmodat(at, "d/big", 0600, 0));
	BOTH_OK(fchmodat(at, "d/file", 07777, 0));
	BOTH_OK(fchmodat(at, "d/sub", 03711, 0));
	BOTH_OK(fchmodat(at, "d/fifo", 0, 0));
	BOTH_OK(fchmodat(at, "d/chr", 0666, 0));
	BOTH_OK(fchmodat(at, "d/link2", 0640, 0));
	BOTH_OK(fchmodat(at, ".", 0711, 0));
	BOTH_FAIL(ENOENT, fchmodat(at, "d/none", 0600, 0));
	if (from_layer(w, "d/big"))
		CHECK(!copied(w, "d/big"), "chmod copied the data");
	/* Again, now that it is in the upper. */
	BOTH_OK(fchmodat(at, "d/big", 0644, 0));
	BOTH_OK(fchmodat(at, "d/sub", 0700, 0));
	SAME_TREES(w);
	OK(world_remount(w));
	if (from_layer(w, "d/big"))
		CHECK(!copied(w, "d/big"), "the remount copied the data");
	BOTH_OK(fchmodat(at, "d/big", 0444, 0));
}

TEST_F(attr, chown)
{
	struct world *w = &self->w;

	BOTH_OK(fchownat(at, "d/big", 1000, 2000, 0));
	BOTH_OK(fchownat(at, "d/file", 1000, -1, 0));
	BOTH_OK(fchownat(at, "d/file", -1, 4000000, 0));
	BOTH_OK(fchownat(at, "d/sub", 7, 8, 0));
	BOTH_OK(fchownat(at, "d/link", 9, 10, AT_SYMLINK_NOFOLLOW));
	BOTH_OK(fchownat(at, "d/link2", 11, 12, 0));
	BOTH_OK(fchownat(at, "d/fifo", 13, 14, 0));
	BOTH_OK(fchownat(at, "d/suid", 15, 16, 0));
	BOTH_OK(fchownat(at, ".", 17, 18, 0));
	if (from_layer(w, "d/big"))
		CHECK(!copied(w, "d/big"), "chown copied the data");
}

TEST_F(attr, utimens)
{
	struct world *w = &self->w;
	struct timespec omit_a[2] = { { .tv_nsec = UTIME_OMIT }, long_ago[1] };
	struct timespec omit_m[2] = { long_ago[1], { .tv_nsec = UTIME_OMIT } };
	struct stat st;

	BOTH_OK(utimensat(at, "d/big", long_ago, 0));
	BOTH_OK(utimensat(at, "d/file", omit_a, 0));
	BOTH_OK(utimensat(at, "d/suid", omit_m, 0));
	BOTH_OK(utimensat(at, "d/link", long_ago, AT_SYMLINK_NOFOLLOW));
	BOTH_OK(utimensat(at, "d/fifo", long_ago, 0));
	BOTH_OK(utimensat(at, "d/sub", long_ago, 0));
	OK(fstatat(w->mfd, "d/big", &st, 0));
	EXPECT_EQ(long_ago[0].tv_sec, st.st_atim.tv_sec);
	EXPECT_EQ(long_ago[0].tv_nsec, st.st_atim.tv_nsec);
	EXPECT_EQ(long_ago[1].tv_sec, st.st_mtim.tv_sec);
	EXPECT_EQ(long_ago[1].tv_nsec, st.st_mtim.tv_nsec);
	if (from_layer(w, "d/big"))
		CHECK(!copied(w, "d/big"), "utimensat copied the data");
	BOTH_FAIL(EINVAL, utimensat(at, "d/file", &(struct timespec [2]) {
		{ .tv_nsec = 2000000000 } }[0], 0));
}

/* Through a descriptor that was opened before anything was in the upper. */
TEST_F(attr, by_descriptor)
{
	struct world *w = &self->w;
	int fd[2], dir[2];
	struct stat st;

	fd[0] = OK(openat(w->mfd, "d/big", O_RDONLY | O_CLOEXEC));
	fd[1] = OK(openat(w->pfd, "d/big", O_RDONLY | O_CLOEXEC));
	dir[0] = OK(openat(w->mfd, "d/sub", O_RDONLY | O_CLOEXEC));
	dir[1] = OK(openat(w->pfd, "d/sub", O_RDONLY | O_CLOEXEC));
	BOTH_OK(fchmod(fd[at == w->pfd], 0604));
	BOTH_OK(fchown(fd[at == w->pfd], 5, 6));
	BOTH_OK(futimens(fd[at == w->pfd], long_ago));
	BOTH_OK(fchmod(dir[at == w->pfd], 0711));
	BOTH_OK(fchown(dir[at == w->pfd], 5, 6));
	OK(fstat(fd[0], &st));
	EXPECT_EQ(0604, st.st_mode & 07777);
	EXPECT_EQ(5, st.st_uid);
	EXPECT_EQ(long_ago[1].tv_sec, st.st_mtim.tv_sec);
	for (int i = 0; i < 2; i++) {
		close(fd[i]);
		close(dir[i]);
	}
}

/* ctime moves with every change, mtime with none of them. */
TEST_F(attr, ctime)
{
	struct world *w = &self->w;
	struct stat a, b;

	OK(fstatat(w->mfd, "d/big", &a, 0));
	usleep(20000);
	BOTH_OK(fchmodat(at, "d/big", 0600, 0));
	OK(fstatat(w->mfd, "d/big", &b, 0));
	CHECK(b.st_ctim.tv_sec > a.st_ctim.tv_sec ||
	      (b.st_ctim.tv_sec == a.st_ctim.tv_sec &&
	       b.st_ctim.tv_nsec > a.st_ctim.tv_nsec), "ctime stayed");
	EXPECT_EQ(a.st_mtim.tv_sec, b.st_mtim.tv_sec);
	EXPECT_EQ(a.st_mtim.tv_nsec, b.st_mtim.tv_nsec);
	EXPECT_EQ(a.st_size, b.st_size);
}

/* Every write moves mtime, also the first, which copies. */
TEST_F(attr, mtime)
{
	struct world *w = &self->w;
	struct timespec now;
	struct stat st;
	int fd;

	OK(clock_gettime(CLOCK_REALTIME_COARSE, &now));
	fd = OK(openat(w->mfd, "d/big", O_WRONLY | O_CLOEXEC));
	OK(fstat(fd, &st));
	CHECK(st.st_mtim.tv_sec < now.tv_sec - 1000, "opening moved mtime");
	EXPECT_EQ(1, OK(write(fd, "x", 1)));
	OK(fstat(fd, &st));
	CHECK(st.st_mtim.tv_sec >= now.tv_sec, "a write left mtime alone");
	OK(fstatat(w->mfd, "d/big", &st, 0));
	CHECK(st.st_mtim.tv_sec >= now.tv_sec, "a write left mtime alone");
	close(fd);
	OK(truncate(M("d/file"), 3));
	OK(fstatat(w->mfd, "d/file", &st, 0));
	CHECK(st.st_mtim.tv_sec >= now.tv_sec, "a truncate left mtime alone");
	OK(mkdirat(w->mfd, "d/sub/new", 0755));
	OK(fstatat(w->mfd, "d/sub", &st, 0));
	CHECK(st.st_mtim.tv_sec >= now.tv_sec, "mkdir left mtime alone");
	OK(unlinkat(w->mfd, "d/fifo", 0));
	OK(fstatat(w->mfd, "d", &st, 0));
	CHECK(st.st_mtim.tv_sec >= now.tv_sec, "unlink left mtime alone");
	w->no_compare = true;
}

/* A copied-up directory keeps its mtime until a name comes or goes. */
TEST_F(attr, parent_mtime_at_copy_up)
{
	struct world *w = &self->w;
	struct stat a, b;

	OK(fstatat(w->mfd, "d", &a, 0));
	BOTH_OK(fchmodat(at, "d/big", 0600, 0));
	BOTH_OK(fchmodat(at, "d/sub", 0700, 0));
	OK(fstatat(w->mfd, "d", &b, 0));
	EXPECT_EQ(a.st_mtim.tv_sec, b.st_mtim.tv_sec);
	EXPECT_EQ(a.st_mtim.tv_nsec, b.st_mtim.tv_nsec);
}

/* What Veneer keeps in the upper is no change to the root. */
TEST_F(attr, root_mtime_at_split)
{
	struct world *w = &self->w;
	struct stat a, b;
	int fd;

	OK(fstatat(w->mfd, ".", &a, 0));
	fd = OK(openat(w->mfd, "d/big", O_WRONLY | O_CLOEXEC));
	EXPECT_EQ(1, OK(write(fd, "x", 1)));
	OK(fsync(fd));
	close(fd);
	OK(fstatat(w->mfd, ".", &b, 0));
	EXPECT_EQ(a.st_mtim.tv_sec, b.st_mtim.tv_sec);
	EXPECT_EQ(a.st_mtim.tv_nsec, b.st_mtim.tv_nsec);
	w->no_compare = true;
}

TEST_F(attr, statx)
{
	struct world *w = &self->w;
	struct statx x, y;

	for (int i = 0; i < 2; i++) {
		OK(statx(w->mfd, "d/big", 0, STATX_BASIC_STATS | STATX_BTIME, &x));
		OK(statx(w->pfd, "d/big", 0, STATX_BASIC_STATS | STATX_BTIME, &y));
		EXPECT_EQ(STATX_BASIC_STATS, x.stx_mask & STATX_BASIC_STATS);
		EXPECT_EQ(y.stx_size, x.stx_size);
		EXPECT_EQ(y.stx_mode, x.stx_mode);
		EXPECT_EQ(y.stx_nlink, x.stx_nlink);
		EXPECT_EQ(y.stx_blocks, x.stx_blocks);
		EXPECT_EQ(y.stx_blksize, x.stx_blksize);
		EXPECT_EQ(y.stx_mtime.tv_nsec, x.stx_mtime.tv_nsec);
		OK(statx(w->mfd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &x));
		CHECK(x.stx_attributes & STATX_ATTR_MOUNT_ROOT, "not a root");
		/* Once more with changed metadata and the data where it was. */
		BOTH_OK(fchmodat(at, "d/big", 0640, 0));
	}
	OK(statx(w->mfd, "d/file", AT_STATX_FORCE_SYNC, STATX_ALL, &x));
	OK(statx(w->mfd, "d/file", AT_STATX_DONT_SYNC, STATX_ALL, &x));
}

TEST_F(attr, statfs)
{
	struct world *w = &self->w;
	struct statfs m, p, l;

	OK(statfs(w->mnt, &m));
	OK(statfs(w->plain, &p));
	OK(statfs(M("d/big"), &l));
	EXPECT_EQ(p.f_bsize, m.f_bsize);
	EXPECT_EQ(p.f_blocks, m.f_blocks);
	EXPECT_EQ(p.f_namelen, m.f_namelen);
	EXPECT_EQ(m.f_type, l.f_type);
	EXPECT_EQ(0, memcmp(&m.f_fsid, &l.f_fsid, sizeof(m.f_fsid)));
	CHECK(m.f_type != p.f_type, "the type is that of the file system below");
	CHECK((m.f_type == OVERLAYFS_SUPER_MAGIC) == world_is_overlay(),
	      "type %lx", (long)m.f_type);
}

TEST_F(attr, suid)
{
	struct world *w = &self->w;
	struct stat st;
	int fd;

	LOOSE_DIRTIME(w);
	/* Writes before it: that there was nothing to take may be remembered. */
	BOTH_OK(fchmodat(at, "d/suid", 0777, 0));
	for (int i = 0; i < 3; i++)
		BOTH_OK(write_text(P("d/suid"), "nothing yet"));
	BOTH_OK(fchmodat(at, "d/suid", 06777, 0));
	CHECK(!IN_CHILD({
		if (setresuid(77, 77, 77))
			_exit(1);
		fd = openat(w->mfd, "d/suid", O_WRONLY);
		if (fd < 0 || write(fd, "x", 1) != 1)
			_exit(2);
		close(fd);
		fd = openat(w->pfd, "d/suid", O_WRONLY);
		if (fd < 0 || write(fd, "x", 1) != 1)
			_exit(3);
	}), "writing as another user");
	OK(fstatat(w->mfd, "d/suid", &st, 0));
	CHECK(!(st.st_mode & 06000), "a write left mode %o", st.st_mode);
	w->tree_flags &= ~TREE_MTIME;
}

TEST_F(attr, chown_drops_suid)
{
	struct world *w = &self->w;
	struct stat st;

	BOTH_OK(fchownat(at, "d/suid", 15, 16, 0));
	OK(fstatat(w->mfd, "d/suid", &st, 0));
	CHECK(!(st.st_mode & 06000), "mode %o", st.st_mode);
}

TEST_F(attr, truncate_by_path)
{
	struct world *w = &self->w;

	w->tree_flags &= ~TREE_MTIME;
	BOTH_OK(truncate(P("d/big"), 5000));
	BOTH_OK(truncate(P("d/big"), 1 << 18));
	BOTH_OK(truncate(P("d/file"), 0));
	BOTH_FAIL(EISDIR, truncate(P("d/sub"), 0));
	BOTH_FAIL(EINVAL, truncate(P("d/big"), -1));
	BOTH_FAIL(EINVAL, truncate(P("d/fifo"), 0));
	BOTH_FAIL(ENOENT, truncate(P("d/none"), 0));
}

/* chattr +i and +a on objects of the mount. */
TEST_F(attr, inode_flags)
{
	struct world *w = &self->w;
	int fd, flags, old;

	/* overlayfs counts a copy of the data after the metadata as a write. */
	if (world_is_overlay())
		w->tree_flags &= ~TREE_MTIME;
	fd = OK(openat(w->pfd, "d/file", O_RDONLY | O_CLOEXEC));
	if (ioctl(fd, FS_IOC_GETFLAGS, &old)) {
		close(fd);
		SKIP(return, "the file system below has no inode flags");
	}
	close(fd);
	fd = OK(openat(w->mfd, "d/file", O_RDONLY | O_CLOEXEC));
	OK(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	flags |= FS_IMMUTABLE_FL;
	OK(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	FAILS(EPERM, openat(w->mfd, "d/file", O_WRONLY));
	FAILS(EPERM, fchmodat(w->mfd, "d/file", 0600, 0));
	FAILS(EPERM, unlinkat(w->mfd, "d/file", 0));
	FAILS(EPERM, renameat(w->mfd, "d/file", w->mfd, "d/x"));
	OK(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	CHECK(flags & FS_IMMUTABLE_FL, "flags %x", flags);
	flags &= ~FS_IMMUTABLE_FL;
	OK(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	close(fd);
	fd = OK(openat(w->mfd, "d/file", O_WRONLY | O_CLOEXEC));
	close(fd);
}

TEST_HARNESS_MAIN
