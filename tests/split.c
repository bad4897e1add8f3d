// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Split files: what the upper holds after a few bytes of a large file were
 * changed, what that costs on the disk, and when a file is whole.
 */
#include "testing.h"

#include <dirent.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "veneer.h"

#define BIG (8 << 20)
#define SPLIT_XATTR "trusted.veneer.split"

FIXTURE(split) {
	struct world w;
};

FIXTURE_SETUP(split)
{
	struct world *w = &self->w;

	if (world_is_overlay())
		SKIP(return, "overlayfs has no split files");
	OK(world_begin(w, IN_LAYER));
	OK(put_pattern(w, "big", BIG, 1));
	OK(put_pattern(w, "odd", BIG / 4 + 123, 2));
	OK(put_text(w, "sparse", ""));
	OK(truncate(L("sparse"), BIG / 4));
	OK(truncate(join(w->plain, "sparse"), BIG / 4));
	OK(world_mount(w));
}

FIXTURE_TEARDOWN(split)
{
	if (!world_is_overlay())
		FINISH(&self->w);
}

static bool is_split(struct world *w, const char *path)
{
	return getxattr(U(path), SPLIT_XATTR, NULL, 0) > 0;
}

/* How many block maps the upper has. */
static int maps(struct world *w)
{
	DIR *dir = opendir(U(".veneer/map"));
	struct dirent *de;
	int n = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -1;
	while ((de = readdir(dir)))
		n += de->d_name[0] != '.';
	closedir(dir);
	return n;
}

/* KiB that a tree takes on the disk. */
static long used(const char *path)
{
	char child[PATH_MAX];
	struct dirent *de;
	struct stat st;
	long sum;
	DIR *dir;

	if (lstat(path, &st))
		return 0;
	sum = st.st_blocks / 2;
	dir = S_ISDIR(st.st_mode) ? opendir(path) : NULL;
	while (dir && (de = readdir(dir))) {
		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		snprintf(child, sizeof(child), "%s/%s", path, de->d_name);
		sum += used(child);
	}
	if (dir)
		closedir(dir);
	return sum;
}

static int write_in(int at, const char *path, const char *text, off_t off)
{
	int len = strlen(text), fd = openat(at, path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || pwrite(fd, text, len, off) != len || fsync(fd))
		return -1;
	return close(fd);
}

static int write_both(struct world *w, const char *path, const char *text, off_t off)
{
	return write_in(w->mfd, path, text, off) || write_in(w->pfd, path, text, off) ? -1 : 0;
}

TEST_F(split, first_write)
{
	struct world *w = &self->w;
	long before, first, second;
	struct stat st;

	sync();
	before = used(w->upper);
	OK(write_both(w, "big", "changed", BIG / 2 - 3));
	CHECK(is_split(w, "big"), "no record");
	EXPECT_EQ(1, maps(w));
	sync();
	first = used(w->upper) - before;
	/* Two blocks here: the write lies on the edge of them. */
	CHECK(first <= 28, "%ld KiB for the first", first);
	OK(write_both(w, "odd", "x", 5000));
	sync();
	second = used(w->upper) - before - first;
	CHECK(second <= 16, "%ld KiB for the second", second);
	EXPECT_EQ(2, maps(w));
	OK(stat(U("big"), &st));
	EXPECT_EQ(BIG, st.st_size);
	/* And so it stays, with a second write and a remount. */
	OK(write_both(w, "big", "again", BIG / 2));
	OK(world_remount(w));
	CHECK(is_split(w, "big"), "no record after a remount");
	SAME_TREES(w);
}

/* Its name is Veneer's own: a mount neither shows it nor takes it. */
TEST_F(split, hidden)
{
	struct world *w = &self->w;
	char list[4096];
	ssize_t n;
	int fd;

	OK(write_both(w, "big", "changed", 0));
	fd = OK(openat(w->mfd, "big", O_RDWR | O_CLOEXEC));
	FAILS(ENODATA, fgetxattr(fd, SPLIT_XATTR, NULL, 0));
	n = OK(flistxattr(fd, list, sizeof(list)));
	CHECK(!memmem(list, n, "veneer", 6) && !memmem(list, n, "overlay", 7), "a mark shows");
	close(fd);
	FAILS(ENOENT, faccessat(w->mfd, ".veneer", F_OK, 0));
	FAILS(EPERM, mkdirat(w->mfd, ".veneer", 0755));
}

TEST_F(split, below_until_written)
{
	struct world *w = &self->w;
	int fd[2];

	BOTH_OK(fchmodat(at, "big", 0600, 0));
	OPEN_BOTH(fd, "big", O_RDWR);
	BOTH_OK(pwrite(F(fd), "", 0, 100));
	EXPECT_EQ(0, maps(w));
	BOTH_OK(fsync(F(fd)));
	CLOSE_BOTH(fd);
	EXPECT_EQ(0, maps(w));
}

TEST_F(split, whole_with_the_last_block)
{
	static char buf[1 << 16];
	struct world *w = &self->w;
	int fd[2];

	OK(write_both(w, "odd", "x", 5000));
	CHECK(is_split(w, "odd"), "no record");
	OPEN_BOTH(fd, "odd", O_RDWR);
	memset(buf, 'w', sizeof(buf));
	for (off_t off = 0; off < BIG / 4 + 123; off += sizeof(buf)) {
		size_t len = BIG / 4 + 123 - off < (off_t)sizeof(buf) ?
			BIG / 4 + 123 - off : (off_t)sizeof(buf);

		BOTH_OK(pwrite(F(fd), buf, len, off));
	}
	BOTH_OK(fsync(F(fd)));
	CLOSE_BOTH(fd);
	SAME_TREES(w);
	OK(world_remount(w));
	CHECK(!is_split(w, "odd"), "the record is still there");
	EXPECT_EQ(0, maps(w));
}

TEST_F(split, whole_on_request)
{
	struct world *w = &self->w;
	int fd;

	OK(write_both(w, "big", "changed", 12345));
	fd = OK(openat(w->mfd, "big", O_RDONLY | O_CLOEXEC));
	FAILS(EBADF, ioctl(fd, VENEER_IOC_MAKE_WHOLE));
	close(fd);
	fd = OK(openat(w->mfd, "big", O_RDWR | O_CLOEXEC));
	OK(ioctl(fd, VENEER_IOC_MAKE_WHOLE));
	OK(ioctl(fd, VENEER_IOC_MAKE_WHOLE));
	OK(fsync(fd));
	close(fd);
	CHECK(!is_split(w, "big"), "the record is still there");
	EXPECT_EQ(0, maps(w));
	SAME_TREES(w);
}

/* What was a hole below when the file got whole, and is written then, stays. */
TEST_F(split, whole_with_holes)
{
	struct world *w = &self->w;
	struct stat st;
	int fd[2];

	OPEN_BOTH(fd, "sparse", O_RDWR);
	OK(ioctl(fd[0], VENEER_IOC_MAKE_WHOLE));
	for (int i = 0; i < 2; i++) {
		int f = fd[i];
		char bytes[8192];

		fill_pattern(bytes, sizeof(bytes), 0, 5);
		OK(pwrite(f, bytes, sizeof(bytes), 5 * 4096));
		OK(pwrite(f, bytes, sizeof(bytes), 50 * 4096));
		OK(pwrite(f, bytes, sizeof(bytes), 100 * 4096));
		OK(pwrite(f, bytes, sizeof(bytes), 150 * 4096));
		OK(fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 5 * 4096 + 2048, 1024));
		if (fallocate(f, FALLOC_FL_ZERO_RANGE, 50 * 4096 + 2048, 1024))
			CHECK(errno == EOPNOTSUPP, "ZERO_RANGE: %s", err_name(errno));
		OK(pwrite(f, "copied", 6, 0));
		OK(copy_file_range(f, &(off64_t){ 0 }, f, &(off64_t){ 100 * 4096 + 100 }, 6, 0));
		if (fallocate(f, FALLOC_FL_UNSHARE_RANGE, 0, 200 * 4096))
			CHECK(errno == EOPNOTSUPP, "UNSHARE_RANGE: %s", err_name(errno));
		OK(ftruncate(f, 151 * 4096 + 100));
		OK(pwrite(f, "end", 3, 151 * 4096 + 90));
		OK(fsync(f));
	}
	OK(fstat(fd[0], &st));
	EXPECT_EQ(151 * 4096 + 100, st.st_size);
	close(fd[0]);
	close(fd[1]);
	SAME_TREES(w);
}

/* A map goes with its file. */
TEST_F(split, removed)
{
	struct world *w = &self->w;
	int fd[2];

	OK(write_both(w, "big", "changed", 12345));
	OK(write_both(w, "odd", "changed", 12345));
	EXPECT_EQ(2, maps(w));
	OPEN_BOTH(fd, "big", O_RDWR);
	BOTH_OK(unlinkat(at, "big", 0));
	BOTH_OK(renameat(at, "odd", at, "other"));
	/* It is a file as long as it is open. */
	BOTH_OK(pwrite(F(fd), "more", 4, BIG - 2));
	BOTH_OK(fsync(F(fd)));
	CLOSE_BOTH(fd);
	OK(world_remount(w));
	SAME_TREES(w);
	EXPECT_EQ(1, maps(w));
	BOTH_OK(unlinkat(at, "other", 0));
	OK(world_remount(w));
	EXPECT_EQ(0, maps(w));
}

/* What was cut off does not come back, whatever happens in between. */
TEST_F(split, cut)
{
	struct world *w = &self->w;
	static const off_t size[] = { BIG / 2 + 77, BIG / 2, 4095, 4097, 1, 0 };

	for (size_t i = 0; i < ARRAY_SIZE(size); i++) {
		BOTH_OK(truncate(P("big"), size[i]));
		if (i & 1)
			OK(world_remount(w));
		BOTH_OK(truncate(P("big"), BIG));
		SAME_TREES(w);
		OK(write_both(w, "big", "after", BIG / 4 + i * 4096));
		SAME_TREES(w);
	}
	BOTH_OK(truncate(P("odd"), 0));
	BOTH_OK(truncate(P("odd"), BIG / 4));
}

TEST_F(split, holes)
{
	struct world *w = &self->w;
	static char buf[65536], zero[65536];
	int fd[2];

	OPEN_BOTH(fd, "big", O_RDWR);
	BOTH_OK(fallocate(F(fd), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100000, 70000));
	OK(pread(fd[0], buf, sizeof(buf), 102400));
	CHECK(!memcmp(buf, zero, sizeof(buf)), "below shows through a hole");
	BOTH_OK(fsync(F(fd)));
	CLOSE_BOTH(fd);
	SAME_TREES(w);
	OK(world_remount(w));
	SAME_TREES(w);
}

/* An upper with split files under another one, three times. */
TEST_F(split, chain)
{
	struct world *w = &self->w;

	for (int depth = 1; depth < WORLD_LAYERS; depth++) {
		OK(write_both(w, "big", "layer", depth * 100000));
		OK(world_deepen(w));
		SAME_TREES(w);
	}
	OK(write_both(w, "big", "top", 50));
	CHECK(is_split(w, "big"), "copied whole");
	SAME_TREES(w);
}

/* O_DIRECT over the end of what is below a layer's split file, and of the file. */
TEST_F(split, chain_read_directly)
{
	static char buf[2][4 * 4096] __attribute__((aligned(4096)));
	struct world *w = &self->w;
	const off_t end = BIG / 4 + 123, at = end & ~4095;
	int fd, plain;

	OK(write_both(w, "odd", "split", 100));
	BOTH_OK(truncate(P("odd"), end + 20));
	OK(world_deepen(w));
	fd = openat(w->mfd, "odd", O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		SKIP(return, "no O_DIRECT here");
	plain = OK(openat(w->pfd, "odd", O_RDONLY | O_CLOEXEC));
	for (int back = 0; back < 2; back++) {
		off_t from = at - back * 4096;
		ssize_t len = end + 20 - from;

		EXPECT_EQ(len, OK(pread(fd, buf[0], sizeof(buf[0]), from)));
		EXPECT_EQ(len, OK(pread(plain, buf[1], sizeof(buf[1]), from)));
		CHECK(!memcmp(buf[0], buf[1], len), "other bytes, from %lld", (long long)from);
	}
	close(fd);
	close(plain);
	SAME_TREES(w);
}

static pid_t fsync_apart(int fd)
{
	pid_t pid = fork();

	if (!pid)
		_exit(fsync(fd) ? 1 : 0);
	return pid;
}

/*
 * Two of them at once: the second finds that the first is about to save the map,
 * and must not return before it is saved. The frozen disk stops the first.
 */
TEST_F(split, fsync_waits_for_fsync)
{
	struct world *w = &self->w;
	int disk = OK(open(w->upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	int fd = OK(openat(w->mfd, "big", O_RDWR | O_CLOEXEC));
	pid_t pid[2] = { };
	int status;

	EXPECT_EQ(1, pwrite(fd, "x", 1, BIG / 2));
	if (ioctl(disk, FIFREEZE, 0)) {
		close(fd);
		close(disk);
		w->no_compare = true;
		SKIP(return, "what is below cannot be frozen");
	}
	for (int i = 0; i < 2; i++) {
		pid[i] = fsync_apart(fd);
		usleep(200000);
	}
	for (int i = 0; i < 2; i++)
		if (!waitpid(pid[i], &status, WNOHANG))
			pid[i] = -pid[i];
	ioctl(disk, FITHAW, 0);
	for (int i = 0; i < 2; i++) {
		CHECK(pid[i] < 0, "fsync number %d has returned", i + 1);
		if (pid[i] < 0) {
			OK(waitpid(-pid[i], &status, 0));
			EXPECT_EQ(0, status);
		}
	}
	EXPECT_EQ(1, maps(w));
	w->no_compare = true;
	close(fd);
	close(disk);
}

/* overlayfs must not take a file with holes for one with zeros. */
TEST_F(split, overlayfs_refuses)
{
	struct world *w = &self->w;
	const char *option[][2] = {
		{ "source", "none" }, { "lowerdir", w->layer[0] }, { "upperdir", w->upper },
		{ "workdir", w->work }, { },
	};
	char buf[8];
	int fd;

	OK(write_both(w, "big", "changed", 0));
	OK(world_umount(w));
	fd = fs_mount("overlay", option, 0, w->mnt, w->log, sizeof(w->log));
	if (fd == -ENODEV) {
		OK(world_mount(w));
		SKIP(return, "no overlayfs in this kernel");
	}
	if (fd >= 0) {
		close(fd);
		fd = open(M("big"), O_RDONLY | O_CLOEXEC);
		CHECK(fd < 0 || read(fd, buf, 8) < 0, "overlayfs reads it");
		if (fd >= 0)
			close(fd);
		OK(umount2(w->mnt, 0));
	}
	OK(world_mount(w));
}

/* What a mount has not saved is saved also by a process that ends, its last user. */
TEST_F(split, last_user_ends)
{
	struct world *w = &self->w;
	int ready[2], go[2], status = -1;
	pid_t child;
	char byte;

	OK(pipe2(ready, O_CLOEXEC));
	OK(pipe2(go, O_CLOEXEC));
	fflush(NULL);
	child = fork();
	if (!child) {
		/* A copy of the mount; and when it is the only one: */
		close(w->mfd);
		if (unshare(CLONE_NEWNS) || write(ready[1], "", 1) != 1 ||
		    read(go[0], &byte, 1) != 1)
			_exit(1);
		_exit(pwrite(open(M("big"), O_WRONLY | O_CLOEXEC), "changed", 7, BIG / 2) != 7);
	}
	EXPECT_EQ(1, read(ready[0], &byte, 1));
	OK(world_umount(w));
	EXPECT_EQ(1, write(go[1], "", 1));
	EXPECT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(1, maps(w));
	OK(world_mount(w));
	OK(write_in(w->pfd, "big", "changed", BIG / 2));
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(go[i]);
	}
}

TEST_HARNESS_MAIN
