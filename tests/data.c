// SPDX-License-Identifier: GPL-2.0-or-later
/* What regular files hold: read, written, cut, extended, with holes. */
#include "testing.h"

#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/uio.h>

#define BIG (3 * (1 << 20) + 123)
#define HOLEY (8 << 20)

WORLD_FIXTURE(data);

/* Data at 1 MiB and at 5 MiB + 4 KiB, the rest is a hole. */
static int make_holey(const char *path)
{
	static char buf[65536];
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	fill_pattern(buf, sizeof(buf), 0, 9);
	if (fd < 0 || ftruncate(fd, HOLEY) ||
	    pwrite(fd, buf, sizeof(buf), 1 << 20) != sizeof(buf) ||
	    pwrite(fd, buf, 8192, (5 << 20) + 4096) != 8192)
		return -1;
	return close(fd);
}

FIXTURE_SETUP(data)
{
	struct world *w = &self->w;

	OK(world_begin(w, variant->where));
	OK(put_dir(w, "d", 0755));
	OK(put_pattern(w, "d/big", BIG, 1));
	OK(put_text(w, "d/small", "a small file\n"));
	OK(put_text(w, "d/empty", ""));
	OK(put_file(w, "d/holey", 0644, "", 0));
	for (int i = 0; i < w->nlayers; i++)
		if (exists(join(w->layer[i], "d/holey")))
			OK(make_holey(join(w->layer[i], "d/holey")));
	if (exists(U("d/holey")))
		OK(make_holey(U("d/holey")));
	OK(make_holey(join(w->plain, "d/holey")));
	OK(world_mount(w));
}

WORLD_TEARDOWN(data)

static bool from_layer(struct world *w, const char *path)
{
	return exists(join(w->layer[w->nlayers - 1], path));
}

TEST_F(data, read)
{
	struct world *w = &self->w;
	static char buf[2][65536];
	void *nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd[2];

	OPEN_BOTH(fd, "d/big", O_RDONLY);
	for (off_t off = 0; off < BIG + 70000; off += 65521) {
		memset(buf, 0xee, sizeof(buf));
		SAME(pread(F(fd), buf[at == w->pfd], sizeof(buf[0]), off));
		CHECK(!memcmp(buf[0], buf[1], sizeof(buf[0])), "at %ld", off);
	}
	SAME(read(F(fd), buf[at == w->pfd], 100));
	SAME(lseek(F(fd), 0, SEEK_CUR));
	SAME(lseek(F(fd), -10, SEEK_END));
	SAME(read(F(fd), buf[at == w->pfd], 100));
	SAME(read(F(fd), buf[at == w->pfd], 100));
	BOTH_FAIL(EINVAL, lseek(F(fd), -1, SEEK_SET));
	BOTH_FAIL(EBADF, write(F(fd), "x", 1));
	BOTH_FAIL(EFAULT, pread(F(fd), nowhere, 100, 0));
	SAME(preadv2(F(fd), &(struct iovec) { buf[at == w->pfd], 100 }, 1, 5000, 0));
	CHECK(!memcmp(buf[0], buf[1], 100), "preadv2");
	CLOSE_BOTH(fd);
	CHECK(from_layer(w, "d/big") == !exists(U("d/big")), "reading copied up");
}

/* Opening for write, in any way but O_TRUNC, copies nothing. */
TEST_F(data, open_copies_nothing)
{
	struct world *w = &self->w;
	static const int flags[] = { O_WRONLY, O_RDWR, O_RDWR | O_APPEND, O_RDWR | O_SYNC,
				     O_RDWR | O_CREAT };
	char buf[16];
	int fd;

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		fd = OK(openat(w->mfd, "d/big", flags[i] | O_CLOEXEC, 0644));
		if ((flags[i] & O_ACCMODE) == O_RDWR)
			EXPECT_EQ(16, OK(pread(fd, buf, 16, 0)));
		close(fd);
	}
	if (VENEER_ONLY("copies at open") && from_layer(w, "d/big"))
		CHECK(!exists(U("d/big")), "opening copied up");
}

TEST_F(data, first_write)
{
	struct world *w = &self->w;
	int fd[2];

	OPEN_BOTH(fd, "d/big", O_RDWR);
	BOTH_OK(pwrite(F(fd), "changed", 7, BIG / 2));
	CHECK(exists(U("d/big")), "nothing in the upper");
	SAME_TREES(w);
	BOTH_OK(pwrite(F(fd), "again", 5, 0));
	BOTH_OK(pwrite(F(fd), "end", 3, BIG - 1));
	BOTH_OK(fsync(F(fd)));
	CLOSE_BOTH(fd);
	SAME_TREES(w);
	OK(world_remount(w));
	OPEN_BOTH(fd, "d/big", O_WRONLY);
	BOTH_OK(pwrite(F(fd), "more", 4, 4093));
	CLOSE_BOTH(fd);
}

/* A descriptor opened before the first write sees what is written after. */
TEST_F(data, reader_from_before)
{
	struct world *w = &self->w;
	char buf[16];
	int r, before, after;

	r = OK(openat(w->mfd, "d/big", O_RDONLY | O_CLOEXEC));
	before = OK(openat(w->mfd, "d/big", O_RDWR | O_CLOEXEC));
	EXPECT_EQ(16, OK(pread(r, buf, 16, 100)));
	after = OK(openat(w->mfd, "d/big", O_WRONLY | O_CLOEXEC));
	EXPECT_EQ(7, OK(pwrite(after, "changed", 7, 100)));
	EXPECT_EQ(16, OK(pread(r, buf, 16, 100)));
	CHECK(!memcmp(buf, "changed", 7), "an old descriptor reads old bytes");
	EXPECT_EQ(16, OK(pread(before, buf, 16, 100)));
	CHECK(!memcmp(buf, "changed", 7), "a writer's descriptor reads old bytes");
	/* A write through the old writer, read through the old reader. */
	EXPECT_EQ(3, OK(pwrite(before, "two", 3, 200)));
	EXPECT_EQ(16, OK(pread(r, buf, 16, 200)));
	CHECK(!memcmp(buf, "two", 3), "an old descriptor reads old bytes");
	OK(ftruncate(after, 150));
	EXPECT_EQ(0, OK(pread(r, buf, 16, 200)));
	EXPECT_EQ(150, OK(lseek(r, 0, SEEK_END)));
	close(r);
	close(before);
	close(after);
	w->no_compare = true;
}

TEST_F(data, append)
{
	struct world *w = &self->w;
	int fd[2];

	OPEN_BOTH(fd, "d/small", O_WRONLY | O_APPEND);
	BOTH_OK(write(F(fd), "one\n", 4));
	BOTH_OK(pwrite(F(fd), "two\n", 4, 0));
	SAME(lseek(F(fd), 0, SEEK_CUR));
	CLOSE_BOTH(fd);
	OPEN_BOTH(fd, "d/big", O_RDWR);
	BOTH_OK(fcntl(F(fd), F_SETFL, O_APPEND));
	SAME(fcntl(F(fd), F_GETFL));
	BOTH_OK(write(F(fd), "appended", 8));
	BOTH_OK(fcntl(F(fd), F_SETFL, 0));
	BOTH_OK(write(F(fd), "at its place", 12));
	BOTH_OK(pwritev2(F(fd), &(struct iovec) { "flag", 4 }, 1, 0, RWF_APPEND));
	CLOSE_BOTH(fd);
}

TEST_F(data, truncate_at_open)
{
	struct world *w = &self->w;
	struct stat st;
	int fd[2];

	OPEN_BOTH(fd, "d/big", O_WRONLY | O_TRUNC);
	OK(fstatat(w->mfd, "d/big", &st, 0));
	EXPECT_EQ(0, st.st_size);
	BOTH_OK(write(F(fd), "short", 5));
	CLOSE_BOTH(fd);
	OPEN_BOTH(fd, "d/small", O_RDONLY | O_TRUNC);
	CLOSE_BOTH(fd);
	OPEN_BOTH(fd, "d/empty", O_RDWR | O_TRUNC);
	BOTH_OK(write(F(fd), "no longer", 9));
	CLOSE_BOTH(fd);
}

TEST_F(data, truncate)
{
	struct world *w = &self->w;
	int fd[2];

	OPEN_BOTH(fd, "d/big", O_RDWR);
	BOTH_OK(ftruncate(F(fd), 100000));
	SAME_TREES(w);
	/* What was cut off does not come back. */
	BOTH_OK(ftruncate(F(fd), BIG));
	SAME_TREES(w);
	BOTH_OK(pwrite(F(fd), "x", 1, 2 * BIG));
	BOTH_OK(ftruncate(F(fd), 5001));
	BOTH_OK(ftruncate(F(fd), 9000));
	CLOSE_BOTH(fd);
	OPEN_BOTH(fd, "d/small", O_RDONLY);
	BOTH_FAIL(EINVAL, ftruncate(F(fd), 3));
	CLOSE_BOTH(fd);
	BOTH_OK(truncate(P("d/small"), 3));
	BOTH_OK(truncate(P("d/empty"), 1 << 20));
	BOTH_OK(truncate(P("d/holey"), 3 << 20));
}

TEST_F(data, fallocate)
{
	struct world *w = &self->w;
	int fd[2];

	OPEN_BOTH(fd, "d/big", O_RDWR);
	BOTH(fallocate(F(fd), 0, BIG - 5000, 10000));
	BOTH(fallocate(F(fd), FALLOC_FL_KEEP_SIZE, BIG + 5000, 100000));
	SAME_TREES(w);
	BOTH(fallocate(F(fd), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4000, 100000));
	SAME_TREES(w);
	BOTH(fallocate(F(fd), FALLOC_FL_ZERO_RANGE, 200000, 300001));
	BOTH(fallocate(F(fd), FALLOC_FL_COLLAPSE_RANGE, 8192, 4096));
	BOTH(fallocate(F(fd), FALLOC_FL_INSERT_RANGE, 65536, 8192));
	BOTH_FAIL(EINVAL, fallocate(F(fd), 0, -1, 10));
	BOTH(fallocate(F(fd), 0x8000, 0, 10));
	CLOSE_BOTH(fd);
	OPEN_BOTH(fd, "d/small", O_RDWR);
	BOTH(fallocate(F(fd), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2, 3));
	BOTH(fallocate(F(fd), 0, 0, 100));
	CLOSE_BOTH(fd);
	OPEN_BOTH(fd, "d/empty", O_RDONLY);
	BOTH_FAIL(EBADF, fallocate(F(fd), 0, 0, 10));
	CLOSE_BOTH(fd);
}

/* The bytes that SEEK_DATA says are data; -1 when that is not the truth. */
static off_t data_bytes(int fd)
{
	static char buf[65536], zero[65536];
	off_t data = 0, end = 0, sum = 0;
	ssize_t n;

	while (end < HOLEY) {
		data = lseek(fd, end, SEEK_DATA);
		if (data < 0 && errno != ENXIO)
			return -1;
		if (data < 0)
			data = HOLEY;
		/* What is passed over must read as zeros. */
		for (; end < data; end += n) {
			n = pread(fd, buf, end + (off_t)sizeof(buf) > data ?
				  data - end : (off_t)sizeof(buf), end);
			if (n <= 0 || memcmp(buf, zero, n))
				return -1;
		}
		if (end == HOLEY)
			break;
		end = lseek(fd, data, SEEK_HOLE);
		if (end <= data)
			return -1;
		sum += end - data;
	}
	return sum;
}

/* Where data and holes are, before and after the file has been copied. */
TEST_F(data, holes)
{
	struct world *w = &self->w;
	struct stat st;
	off_t m, p;
	int fd[2];

	if (world_is_overlay() && from_layer(w, "d/holey"))
		SKIP(return, "overlayfs: copies small holes as data");
	OPEN_BOTH(fd, "d/holey", O_RDWR);
	for (off_t off = 0; off <= HOLEY; off += 517 * 1024) {
		SAME(lseek(F(fd), off, SEEK_DATA));
		SAME(lseek(F(fd), off, SEEK_HOLE));
	}
	BOTH_FAIL(ENXIO, lseek(F(fd), HOLEY, SEEK_DATA));
	BOTH_FAIL(ENXIO, lseek(F(fd), HOLEY + 1, SEEK_HOLE));
	/* Into data that is there: no new block, and yet a copy. */
	BOTH_OK(pwrite(F(fd), "x", 1, (1 << 20) + 50));
	BOTH_OK(fsync(F(fd)));
	m = data_bytes(fd[0]);
	p = data_bytes(fd[1]);
	CHECK(p > 0, "the file system below has no holes");
	CHECK(m > 0, "a hole with data in it, or no data");
	CHECK(m <= p + 65536, "%ld bytes of data, a plain file has %ld",
	      (long)m, (long)p);
	OK(lstat(U("d/holey"), &st));
	CHECK(st.st_blocks * 512 < HOLEY / 4, "the copy has %ld blocks",
	      (long)st.st_blocks);
	CLOSE_BOTH(fd);
}

TEST_F(data, seek_ends)
{
	struct world *w = &self->w;
	int fd[2];

	OPEN_BOTH(fd, "d/big", O_RDONLY);
	SAME(lseek(F(fd), 100, SEEK_DATA));
	SAME(lseek(F(fd), 100, SEEK_HOLE));
	SAME(lseek(F(fd), 0, SEEK_END));
	SAME(lseek(F(fd), 10, SEEK_CUR));
	BOTH_FAIL(EINVAL, lseek(F(fd), 0, 77));
	CLOSE_BOTH(fd);
	OPEN_BOTH(fd, "d/empty", O_RDONLY);
	BOTH_FAIL(ENXIO, lseek(F(fd), 0, SEEK_DATA));
	BOTH_FAIL(ENXIO, lseek(F(fd), 0, SEEK_HOLE));
	CLOSE_BOTH(fd);
}

/* Two descriptors share an offset only where they are one open file. */
TEST_F(data, offsets)
{
	struct world *w = &self->w;
	char buf[8];
	int a[2], b[2], c[2];

	OPEN_BOTH(a, "d/small", O_RDWR);
	OPEN_BOTH(b, "d/small", O_RDWR);
	c[0] = OK(dup(a[0]));
	c[1] = OK(dup(a[1]));
	SAME(read(F(a), buf, 5));
	SAME(lseek(F(c), 0, SEEK_CUR));
	SAME(lseek(F(b), 0, SEEK_CUR));
	BOTH_OK(write(F(c), "XYZ", 3));
	SAME(lseek(F(a), 0, SEEK_CUR));
	SAME(read(F(b), buf, 8));
	CLOSE_BOTH(a);
	CLOSE_BOTH(b);
	CLOSE_BOTH(c);
}

TEST_F(data, vectors)
{
	struct world *w = &self->w;
	char a[10], b[4000], c[1];
	struct iovec iov[3] = { { a, 10 }, { b, 4000 }, { c, 1 } };
	int fd[2];

	OPEN_BOTH(fd, "d/big", O_RDWR);
	SAME(readv(F(fd), iov, 3));
	memset(b, 'v', sizeof(b));
	BOTH_OK(pwritev(F(fd), iov, 3, 4090));
	BOTH_OK(writev(F(fd), iov, 3));
	SAME(lseek(F(fd), 0, SEEK_CUR));
	/* Not every file system can say whether it would have to wait. */
	CHECK(preadv2(fd[0], iov, 3, 0, RWF_NOWAIT) >= 0 ||
	      errno == EOPNOTSUPP || errno == EAGAIN, "%s", err_name(errno));
	BOTH_OK(pwritev2(F(fd), iov, 3, 77777, RWF_DSYNC));
	BOTH_FAIL(EOPNOTSUPP, preadv2(F(fd), iov, 3, 0, 1 << 29));
	CLOSE_BOTH(fd);
}

static int fill_at(const char *path, off_t off, size_t len)
{
	static char data[BIG];

	fill_pattern(data, len, off, 7);
	return store_at(path, data, len, off);
}

/* What was read before is read without waiting, and is the same. */
#define SAME_AT_ONCE(fd) do {						\
	SAME(pread(F(fd), buf[at == w->pfd], BIG, 0));			\
	memset(buf, 0, sizeof(buf));					\
	for (int __i = 0; __i < 2; __i++)				\
		iov[__i] = (struct iovec) { buf[__i], BIG };		\
	SAME(preadv2(F(fd), &iov[at == w->pfd], 1, 0, RWF_NOWAIT));	\
	CHECK(!memcmp(buf[0], buf[1], BIG), "other bytes");		\
	SAME(preadv2(F(fd), &iov[at == w->pfd], 1, BIG, RWF_NOWAIT));	\
} while (0)

TEST_F(data, without_waiting)
{
	struct world *w = &self->w;
	static char buf[2][BIG];
	struct iovec iov[2];
	int fd[2];
	char *map;

	OPEN_BOTH(fd, "d/big", O_RDONLY);
	SAME_AT_ONCE(fd);
	BOTH_OK(fill_at(P("d/big"), 10, 5000));
	SAME_AT_ONCE(fd);
	BOTH_OK(fill_at(P("d/big"), BIG / 2 - 1, 8200));
	SAME_AT_ONCE(fd);

	/* While the mount has a page cache of its own for it. */
	CLOSE_BOTH(fd);
	OPEN_BOTH(fd, "d/big", O_RDWR);
	map = mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_SHARED, fd[0], 0);
	ASSERT_NE(MAP_FAILED, map);
	map[BIG / 3] ^= 1;
	map[BIG / 3] ^= 1;
	SAME_AT_ONCE(fd);
	OK(munmap(map, BIG));
	SAME_AT_ONCE(fd);

	BOTH_OK(fill_at(P("d/big"), 0, BIG));
	SAME_AT_ONCE(fd);
	CLOSE_BOTH(fd);

	/* With cold caches there may be nothing to be had, which is no error. */
	OK(drop_caches());
	OPEN_BOTH(fd, "d/big", O_RDWR);
	for (int i = 0; i < 2; i++)
		CHECK(preadv2(fd[i], &iov[i], 1, 0, RWF_NOWAIT) >= 0 || errno == EAGAIN ||
		      errno == EOPNOTSUPP, "%s", err_name(errno));
	/* Who waited has what was asked for. */
	SAME_AT_ONCE(fd);
	CLOSE_BOTH(fd);
}

TEST_F(data, limits)
{
	struct world *w = &self->w;
	struct rlimit rl = { 1 << 20, RLIM_INFINITY };
	int fd[2];

	signal(SIGXFSZ, SIG_IGN);
	OPEN_BOTH(fd, "d/small", O_RDWR);
	OK(setrlimit(RLIMIT_FSIZE, &rl));
	BOTH_FAIL(EFBIG, pwrite(F(fd), "x", 1, 1 << 20));
	BOTH_FAIL(EFBIG, ftruncate(F(fd), (1 << 20) + 1));
	SAME(pwrite(F(fd), "xy", 2, (1 << 20) - 1));
	rl.rlim_cur = RLIM_INFINITY;
	OK(setrlimit(RLIMIT_FSIZE, &rl));
	BOTH_FAIL(EINVAL, pwrite(F(fd), "x", 1, -1));
	BOTH(pwrite(F(fd), "x", 1, 0x7ffffffffffffffeLL));
	BOTH_OK(ftruncate(F(fd), 100));
	CLOSE_BOTH(fd);
}

TEST_F(data, sync_calls)
{
	struct world *w = &self->w;
	int fd[2], dir[2];

	OPEN_BOTH(fd, "d/big", O_RDWR);
	OPEN_BOTH(dir, "d", O_RDONLY | O_DIRECTORY);
	BOTH_OK(fsync(F(fd)));
	BOTH_OK(fdatasync(F(fd)));
	BOTH_OK(fsync(F(dir)));
	BOTH_OK(pwrite(F(fd), "x", 1, 1000));
	BOTH(sync_file_range(F(fd), 0, 4096, SYNC_FILE_RANGE_WRITE));
	BOTH_OK(fdatasync(F(fd)));
	BOTH_OK(fsync(F(dir)));
	BOTH_OK(syncfs(F(fd)));
	BOTH_OK(posix_fadvise(F(fd), 0, 0, POSIX_FADV_WILLNEED));
	BOTH_OK(posix_fadvise(F(fd), 0, 0, POSIX_FADV_DONTNEED));
	BOTH_OK(readahead(F(fd), 0, 65536));
	CLOSE_BOTH(fd);
	CLOSE_BOTH(dir);
}

TEST_F(data, ioctls)
{
	struct world *w = &self->w;
	int fd[2], n;

	OPEN_BOTH(fd, "d/small", O_RDWR);
	SAME(ioctl(F(fd), FIONREAD, &n) ?: n);
	BOTH_FAIL(ENOTTY, ioctl(F(fd), 0x12345678, &n));
	CLOSE_BOTH(fd);
}

/* Opened again through /proc, with other rights, it is the same file. */
TEST_F(data, reopen)
{
	struct world *w = &self->w;
	char proc[64], buf[8];
	int r, path, wr;

	r = OK(openat(w->mfd, "d/big", O_RDONLY | O_CLOEXEC));
	path = OK(openat(w->mfd, "d/big", O_PATH | O_CLOEXEC));
	BOTH_OK(renameat(at, "d/big", at, "d/moved"));
	for (int i = 0; i < 2; i++) {
		snprintf(proc, sizeof(proc), "/proc/self/fd/%d", i ? path : r);
		wr = OK(open(proc, O_RDWR | O_CLOEXEC));
		EXPECT_EQ(7, OK(pwrite(wr, i ? "by path" : "by file", 7, 5000)));
		EXPECT_EQ(7, OK(pread(r, buf, 7, 5000)));
		CHECK(!memcmp(buf, i ? "by path" : "by file", 7), "round %d", i);
		close(wr);
	}
	close(r);
	close(path);
	wr = OK(openat(w->pfd, "d/moved", O_WRONLY | O_CLOEXEC));
	OK(pwrite(wr, "by path", 7, 5000));
	close(wr);
}

/* Where the bytes are on the disk; the number of extents is the disk's affair. */
static int extents(int fd)
{
	union {
		struct fiemap map;
		char room[sizeof(struct fiemap) + 32 * sizeof(struct fiemap_extent)];
	} u = { .map = { .fm_length = FIEMAP_MAX_OFFSET, .fm_flags = FIEMAP_FLAG_SYNC,
			 .fm_extent_count = 32 } };

	return ioctl(fd, FS_IOC_FIEMAP, &u.map) ? -1 : !!u.map.fm_mapped_extents;
}

/* Only asks how many, of what may not be there. */
static int count_extents(int fd, unsigned long long start, unsigned long long len,
			 unsigned int flags)
{
	struct fiemap map = { .fm_start = start, .fm_length = len, .fm_flags = flags };

	return ioctl(fd, FS_IOC_FIEMAP, &map) ? -1 : 0;
}

/* Room that was made past the end is found there, and is not endless. */
static int finds_room(int fd, unsigned long long start)
{
	union {
		struct fiemap map;
		char room[sizeof(struct fiemap) + 32 * sizeof(struct fiemap_extent)];
	} u = { .map = { .fm_start = start, .fm_length = -1ULL, .fm_extent_count = 32 } };

	if (ioctl(fd, FS_IOC_FIEMAP, &u.map))
		return -1;
	for (unsigned int i = 0; i < u.map.fm_mapped_extents; i++)
		if (u.map.fm_extents[i].fe_length > 1 << 30)
			return 2;
	return !!u.map.fm_mapped_extents;
}

TEST_F(data, fiemap)
{
	static const char *const name[] = { "d/big", "d/holey", "d/empty" };
	static const struct {
		unsigned long long start, len;
		unsigned int flags;
	} range[] = {
		{ 0, 0, 0 }, { 4096, 0, 0 }, { BIG * 2, 0, 0 }, { BIG * 2, 4096, 0 },
		{ BIG * 2, 4096, 1 << 20 }, { 0, 4096, 1 << 20 }, { 0, -1ULL, 0 },
		{ 1, -1ULL, 0 }, { 1ULL << 62, 4096, 0 }, { 1ULL << 63, 4096, 0 },
		{ -1ULL, 1, 0 }, { 0, 4096, FIEMAP_FLAG_CACHE },
		{ BIG * 2, 4096, FIEMAP_FLAG_CACHE },
	};
	struct world *w = &self->w;
	int fd[2];

	for (size_t i = 0; i < ARRAY_SIZE(name); i++) {
		OPEN_BOTH(fd, name[i], O_RDWR);
		for (size_t k = 0; k < ARRAY_SIZE(range); k++)
			SAME(count_extents(F(fd), range[k].start, range[k].len, range[k].flags));
		SAME(extents(F(fd)));
		BOTH_OK(pwrite(F(fd), "x", 1, 100));
		SAME(extents(F(fd)));
		for (size_t k = 0; k < ARRAY_SIZE(range); k++)
			SAME(count_extents(F(fd), range[k].start, range[k].len, range[k].flags));
		BOTH_OK(fallocate(F(fd), FALLOC_FL_KEEP_SIZE, 1 << 26, 65536));
		SAME(finds_room(F(fd), 1 << 26));
		CLOSE_BOTH(fd);
	}
}

/* Random calls on one file of each kind, always the same as on plain files. */
TEST_F(data, random)
{
	static const char *const name[] = { "d/big", "d/small", "d/empty", "d/holey" };
	struct world *w = &self->w;
	static char buf[2][70000];
	unsigned int seed = 20 + variant->where;
	int fd[4][2];

	for (int i = 0; i < 4; i++)
		OPEN_BOTH(fd[i], name[i], O_RDWR);
	for (int i = 0; i < 600; i++) {
		int *f = fd[rand_r(&seed) % 4];
		off_t off = rand_r(&seed) % (4 << 20);
		size_t len = rand_r(&seed) % 70000;

		switch (rand_r(&seed) % 8) {
		case 0: case 1: case 2:
			fill_pattern(buf[0], len, off, i);
			SAME(pwrite(F(f), buf[0], len, off));
			break;
		case 3: case 4: case 5:
			memset(buf, 0, sizeof(buf));
			SAME(pread(F(f), buf[at == w->pfd], len, off));
			CHECK(!memcmp(buf[0], buf[1], len), "step %d", i);
			break;
		case 6:
			BOTH_OK(ftruncate(F(f), off));
			break;
		case 7:
			BOTH(fallocate(F(f), FALLOC_FL_PUNCH_HOLE |
				       FALLOC_FL_KEEP_SIZE, off, len + 1));
			break;
		}
	}
	for (int i = 0; i < 4; i++)
		CLOSE_BOTH(fd[i]);
}

TEST_HARNESS_MAIN
