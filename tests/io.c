// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The other ways to read and write: O_DIRECT, AIO, io_uring, splice, sendfile,
 * copy_file_range, clones, loop devices, swap.
 */
#include "testing.h"

#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "dm.h"
#include "uring.h"

#define BIG (1 << 20)

WORLD_FIXTURE(io);

FIXTURE_SETUP(io)
{
	struct world *w = &self->w;

	OK(world_begin(w, variant->where));
	OK(put_dir(w, "d", 0755));
	OK(put_pattern(w, "d/big", BIG, 1));
	OK(put_pattern(w, "d/big2", BIG + 77, 2));
	OK(put_text(w, "d/small", "a small file\n"));
	OK(world_mount(w));
}

WORLD_TEARDOWN(io)

static void *aligned(size_t size)
{
	void *p = NULL;

	if (posix_memalign(&p, 4096, size))
		abort();
	memset(p, 0, size);
	return p;
}

TEST_F(io, direct)
{
	struct world *w = &self->w;
	char *buf[2] = { aligned(65536), aligned(65536) };
	int fd[2];

	fd[1] = openat(w->pfd, "d/big", O_RDWR | O_DIRECT | O_CLOEXEC);
	fd[0] = openat(w->mfd, "d/big", O_RDWR | O_DIRECT | O_CLOEXEC);
	CHECK((fd[0] < 0) == (fd[1] < 0), "O_DIRECT opens only one of the two");
	if (fd[1] < 0)
		SKIP(return, "the file system below has no O_DIRECT");
	SAME(pread(F(fd), buf[at == w->pfd], 65536, 4096));
	CHECK(!memcmp(buf[0], buf[1], 65536), "read");
	SAME(pread(F(fd), buf[at == w->pfd], 65536, BIG - 4096));
	BOTH(pread(F(fd), buf[at == w->pfd] + 1, 4096, 4096));
	memset(buf[0], 'd', 65536);
	SAME(pwrite(F(fd), buf[0], 65536, 8192));
	SAME(pwrite(F(fd), buf[0], 4096, BIG));
	BOTH(pwrite(F(fd), buf[0], 100, 7));
	/* Buffered and direct agree. */
	SAME(pread(F(fd), buf[at == w->pfd], 65536, 0));
	CHECK(!memcmp(buf[0], buf[1], 65536), "read again");
	CLOSE_BOTH(fd);
	SAME_TREES(w);
	OPEN_BOTH(fd, "d/big2", O_RDWR);
	BOTH_OK(fcntl(F(fd), F_SETFL, O_DIRECT));
	SAME(pread(F(fd), buf[at == w->pfd], 65536, 0));
	CHECK(!memcmp(buf[0], buf[1], 65536), "read with F_SETFL");
	CLOSE_BOTH(fd);
	free(buf[0]);
	free(buf[1]);
}

static long aio(int fd, int op, void *buf, size_t len, off_t off)
{
	aio_context_t ctx = 0;
	struct iocb cb = {
		.aio_lio_opcode = op, .aio_fildes = fd,
		.aio_buf = (unsigned long)buf, .aio_nbytes = len,
		.aio_offset = off,
	};
	struct iocb *list[] = { &cb };
	struct io_event ev = { };
	long ret;

	if (syscall(SYS_io_setup, 4, &ctx))
		return -1;
	ret = syscall(SYS_io_submit, ctx, 1, list);
	if (ret == 1)
		ret = syscall(SYS_io_getevents, ctx, 1, 1, &ev, NULL) == 1 ?
			(long)ev.res : -1;
	else
		ev.res = -errno;
	syscall(SYS_io_destroy, ctx);
	if (ret < 0) {
		errno = -(int)ev.res;
		return -1;
	}
	return ret;
}

TEST_F(io, aio)
{
	struct world *w = &self->w;
	char *buf[2] = { aligned(65536), aligned(65536) };
	static const int flags[] = { 0, O_DIRECT };
	int fd[2];

	if (syscall(SYS_io_destroy, 0) && errno == ENOSYS)
		SKIP(return, "the kernel has no AIO");
	for (int i = 0; i < 2; i++) {
		fd[1] = openat(w->pfd, i ? "d/big2" : "d/big", O_RDWR | flags[i]);
		if (fd[1] < 0)
			continue;
		fd[0] = OK(openat(w->mfd, i ? "d/big2" : "d/big", O_RDWR | flags[i]));
		SAME(aio(F(fd), IOCB_CMD_PREAD, buf[at == w->pfd], 65536, 8192));
		CHECK(!memcmp(buf[0], buf[1], 65536), "read");
		memset(buf[0], 'a' + i, 8192);
		memcpy(buf[1], buf[0], 8192);
		SAME(aio(F(fd), IOCB_CMD_PWRITE, buf[0], 8192, 4096));
		SAME(aio(F(fd), IOCB_CMD_PREAD, buf[at == w->pfd], 65536, 0));
		CHECK(!memcmp(buf[0], buf[1], 65536), "read again");
		BOTH(aio(F(fd), IOCB_CMD_FSYNC, NULL, 0, 0));
		BOTH(aio(F(fd), IOCB_CMD_FDSYNC, NULL, 0, 0));
		BOTH_FAIL(EINVAL, aio(F(fd), 77, NULL, 0, 0));
		CLOSE_BOTH(fd);
	}
	OPEN_BOTH(fd, "d/small", O_RDONLY);
	BOTH_FAIL(EBADF, aio(F(fd), IOCB_CMD_PWRITE, buf[0], 1, 0));
	CLOSE_BOTH(fd);
	free(buf[0]);
	free(buf[1]);
}

static long ring(struct uring *u, int fd, int op, void *buf, size_t len,
		 off_t off, int flags)
{
	struct io_uring_sqe sqe = {
		.opcode = op, .fd = fd, .addr = (unsigned long)buf,
		.len = len, .off = off, .flags = flags,
	};
	int ret = uring_do(u, &sqe);

	if (ret >= 0)
		return ret;
	errno = -ret;
	return -1;
}

TEST_F(io, uring)
{
	struct world *w = &self->w;
	char *buf[2] = { aligned(65536), aligned(65536) };
	struct uring u;
	int fd[2];

	if (uring_open(&u))
		SKIP(return, "no io_uring: %s", strerror(errno));
	for (int i = 0; i < 4; i++) {
		int flags = i & 1 ? IOSQE_ASYNC : 0;
		const char *name = i & 2 ? "d/big2" : "d/big";

		OPEN_BOTH(fd, name, O_RDWR);
		SAME(ring(&u, F(fd), IORING_OP_READ, buf[at == w->pfd], 65536,
			  BIG - 100 * 70, flags));
		CHECK(!memcmp(buf[0], buf[1], 65536), "read, round %d", i);
		memset(buf[0], 'u' + i, 10000);
		memcpy(buf[1], buf[0], 10000);
		SAME(ring(&u, F(fd), IORING_OP_WRITE, buf[0], 10000,
			  5000 + i * 20000, flags));
		SAME(ring(&u, F(fd), IORING_OP_WRITE, buf[0], 100, BIG + 1000, flags));
		SAME(ring(&u, F(fd), IORING_OP_READ, buf[at == w->pfd], 65536, 0, flags));
		CHECK(!memcmp(buf[0], buf[1], 65536), "read again, round %d", i);
		SAME(ring(&u, F(fd), IORING_OP_FSYNC, NULL, 0, 0, flags));
		SAME(ring(&u, F(fd), IORING_OP_READV,
			  &(struct iovec) { buf[at == w->pfd], 777 }, 1, 333, flags));
		CLOSE_BOTH(fd);
	}
	OPEN_BOTH(fd, "d/small", O_RDONLY);
	BOTH_FAIL(EBADF, ring(&u, F(fd), IORING_OP_WRITE, buf[0], 1, 0, 0));
	CLOSE_BOTH(fd);
	uring_close(&u);
	free(buf[0]);
	free(buf[1]);
}

/* Memory of which only the first page is there. */
static char *half_there(size_t size)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		abort();
	*(volatile char *)p = 'x';
	return p;
}

TEST_F(io, direct_half_there)
{
	struct world *w = &self->w;
	char *buf[2], *bytes = aligned(65536);
	int fd[2];

	if (syscall(SYS_io_destroy, 0) && errno == ENOSYS)
		SKIP(return, "the kernel has no AIO");
	fd[1] = openat(w->pfd, "d/big", O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd[1] < 0)
		SKIP(return, "the file system below has no O_DIRECT");
	fd[0] = OK(openat(w->mfd, "d/big", O_RDWR | O_DIRECT | O_CLOEXEC));
	memset(bytes, 'b', 65536);
	SAME(pwrite(F(fd), bytes, 65536, 65536));

	buf[0] = half_there(65536);
	buf[1] = half_there(65536);
	SAME(aio(F(fd), IOCB_CMD_PREAD, buf[at == w->pfd], 65536, 65536));
	CHECK(!memcmp(buf[0], buf[1], 65536), "read");
	OK(munmap(buf[0], 65536));
	OK(munmap(buf[1], 65536));

	buf[0] = half_there(65536);
	buf[1] = half_there(65536);
	SAME(aio(F(fd), IOCB_CMD_PWRITE, buf[at == w->pfd], 65536, 98304));
	OK(munmap(buf[0], 65536));
	OK(munmap(buf[1], 65536));

	/* The end of the memory within what is asked for. */
	buf[0] = half_there(65536);
	buf[1] = half_there(65536);
	OK(munmap(buf[0] + 16384, 49152));
	OK(munmap(buf[1] + 16384, 49152));
	BOTH_FAIL(EFAULT, pread(F(fd), buf[0] + 16384, 4096, 65536));
	OK(munmap(buf[0], 16384));
	OK(munmap(buf[1], 16384));
	CLOSE_BOTH(fd);
	free(bytes);
}

/* Reads the rest of a pipe that holds n bytes. */
static long drain(int fd, char *buf, long n)
{
	long done = 0, ret = 1;

	while (done < n && (ret = read(fd, buf + done, n - done)) > 0)
		done += ret;
	return ret < 0 ? -1 : done;
}

TEST_F(io, splice)
{
	struct world *w = &self->w;
	static char buf[2][65536];
	int fd[2], p[2];
	off_t off;

	OK(pipe(p));
	OPEN_BOTH(fd, "d/big", O_RDWR);
	SAME(({ off = 5000; splice(F(fd), &off, p[1], NULL, 40000, 0); }) == 40000 ?
	     drain(p[0], buf[at == w->pfd], 40000) : -1);
	CHECK(!memcmp(buf[0], buf[1], 40000), "out of the file");
	/* Into the file, for the first time. */
	SAME(({ off = 100000; write(p[1], "spliced in", 10);
		splice(p[0], NULL, F(fd), &off, 10, 0); }));
	SAME(({ off = BIG; write(p[1], "appended", 8);
		splice(p[0], NULL, F(fd), &off, 8, SPLICE_F_MOVE); }));
	SAME(({ off = 99990; splice(F(fd), &off, p[1], NULL, 100, 0); }) == 100 ?
	     drain(p[0], buf[at == w->pfd], 100) : -1);
	CHECK(!memcmp(buf[0], buf[1], 100), "out of the changed file");
	CLOSE_BOTH(fd);
	OPEN_BOTH(fd, "d/small", O_RDONLY);
	BOTH_FAIL(EBADF, splice(p[0], NULL, F(fd), NULL, 8, 0));
	CLOSE_BOTH(fd);
	close(p[0]);
	close(p[1]);
}

TEST_F(io, sendfile)
{
	struct world *w = &self->w;
	int in_fd[2], out[2];
	off_t off;

	OPEN_BOTH(in_fd, "d/big", O_RDONLY);
	OPEN_BOTH(out, "d/big2", O_RDWR);
	SAME(({ off = 333; sendfile(F(out), F(in_fd), &off, 50000); }));
	SAME(sendfile(F(out), F(in_fd), NULL, 100));
	SAME(lseek(F(in_fd), 0, SEEK_CUR));
	/* Into a new file, all of it. */
	CLOSE_BOTH(out);
	out[0] = OK(openat(w->mfd, "d/new", O_CREAT | O_RDWR | O_CLOEXEC, 0644));
	out[1] = OK(openat(w->pfd, "d/new", O_CREAT | O_RDWR | O_CLOEXEC, 0644));
	SAME(({ off = 0; sendfile(F(out), F(in_fd), &off, 2 * BIG); }));
	CLOSE_BOTH(out);
	CLOSE_BOTH(in_fd);
}

TEST_F(io, copy_file_range)
{
	struct world *w = &self->w;
	int from[2], to[2], cross;
	off_t a, b;

	OPEN_BOTH(from, "d/big", O_RDWR);
	OPEN_BOTH(to, "d/big2", O_RDWR);
	SAME(({ a = 4096; b = 8192; copy_file_range(F(from), &a, F(to), &b, 65536, 0); }));
	SAME(({ a = 77; b = 99; copy_file_range(F(from), &a, F(to), &b, 5000, 0); }));
	SAME(({ a = BIG - 10; b = 0; copy_file_range(F(from), &a, F(to), &b, 5000, 0); }));
	SAME(({ a = BIG + 10; b = 0; copy_file_range(F(from), &a, F(to), &b, 5000, 0); }));
	/* Within one file, over its own end, and over itself. */
	SAME(({ a = 0; b = 2 * BIG; copy_file_range(F(to), &a, F(to), &b, 5000, 0); }));
	SAME(({ a = 0; b = 100; copy_file_range(F(to), &a, F(to), &b, 5000, 0); }));
	SAME_TREES(w);
	CLOSE_BOTH(to);
	/* From the mount to the disk below it and back. */
	cross = OK(openat(w->pfd, "cross", O_CREAT | O_RDWR | O_CLOEXEC, 0644));
	a = b = 0;
	CHECK(copy_file_range(from[0], &a, cross, &b, 100000, 0) > 0 ||
	      errno == EXDEV, "%s", err_name(errno));
	a = b = 0;
	CHECK(copy_file_range(cross, &a, from[0], &b, b + 1, 0) >= 0 ||
	      errno == EXDEV, "%s", err_name(errno));
	close(cross);
	OK(unlinkat(w->pfd, "cross", 0));
	CLOSE_BOTH(from);
}

/* A call may copy less than it is told. */
static ssize_t copy_all(int from, off_t a, int to, off_t b, size_t len)
{
	size_t done = 0;
	ssize_t n = 0;

	while (done < len && (n = copy_file_range(from, &a, to, &b, len - done, 0)) > 0)
		done += n;
	return n < 0 ? n : (ssize_t)done;
}

/* To a file that takes nothing but sectors, over where the layer's bytes end. */
TEST_F(io, copy_to_direct)
{
	struct world *w = &self->w;
	int from[2], to[2];
	off_t off;

	OPEN_BOTH(from, "d/big2", O_RDWR);
	OPEN_BOTH(to, "d/big", O_RDWR);
	if (fcntl(to[1], F_SETFL, O_DIRECT))
		SKIP(return, "the file system below has no O_DIRECT");
	OK(fcntl(to[0], F_SETFL, O_DIRECT));
	SAME(pwrite(F(from), "changed", 7, BIG - 5000));
	SAME(pwrite(F(from), "changed", 7, BIG + 20000));
	SAME(copy_all(F(from), BIG - 8192, F(to), 4096, 16384));
	SAME(({ lseek(F(to), 65536, SEEK_SET); off = BIG - 8192;
		sendfile(F(to), F(from), &off, 16384); }));
	SAME(copy_all(F(from), BIG, F(to), 8192, 4096));
	CLOSE_BOTH(to);
	CLOSE_BOTH(from);
}

/* Pages of a file that the disk does not have, from offset on; or -1. */
static long long unwritten(int fd, uint64_t offset, uint64_t len)
{
	struct {
		uint64_t offset, len;
	} range = { offset, len };
	struct {
		uint64_t cached, dirty, writeback, evicted, recently_evicted;
	} said;

	if (syscall(451 /* cachestat */, fd, &range, &said, 0))
		return -1;
	return said.dirty + said.writeback;
}

/* What the mount options say of all writes. */
TEST_F(io, option_sync)
{
	struct world *w = &self->w;
	static const char *const files[] = { "d/big", "d/small" };
	int fd, real;

	w->no_compare = true;
	OK(world_umount(w));
	w->option[0][0] = "sync";
	OK(world_mount(w));
	for (int i = 0; i < 2; i++) {
		if (i) {
			/* Or said later. */
			OK(world_umount(w));
			w->option[0][0] = NULL;
			OK(world_mount(w));
			OK(mount(NULL, w->mnt, NULL, MS_REMOUNT | MS_SYNCHRONOUS, NULL));
		}
		/* So that there is something that a write can leave unwritten. */
		fd = OK(openat(w->pfd, files[i], O_WRONLY | O_CLOEXEC));
		OK(pwrite(fd, "x", 1, 5000));
		if (unwritten(fd, 4096, 4096) < 0)
			SKIP(return, "the kernel has no cachestat");
		if (!unwritten(fd, 4096, 4096))
			SKIP(return, "the file system below is nowhere but in memory");
		OK(fsync(fd));
		EXPECT_EQ(0, unwritten(fd, 4096, 4096));
		close(fd);

		fd = OK(openat(w->mfd, files[i], O_WRONLY | O_CLOEXEC));
		OK(pwrite(fd, "x", 1, 5000));
		real = OK(open(join(w->upper, files[i]), O_RDONLY | O_CLOEXEC));
		EXPECT_EQ(0, unwritten(real, 4096, 4096));
		/* Again, when it is all there. */
		OK(pwrite(fd, "y", 1, 5001));
		EXPECT_EQ(0, unwritten(real, 4096, 4096));
		close(real);
		close(fd);
	}
}

/* Clones work where the file system below has them. */
TEST_F(io, clone)
{
	struct world *w = &self->w;
	int from[2], to[2];

	OPEN_BOTH(from, "d/big", O_RDONLY);
	OPEN_BOTH(to, "d/small", O_RDWR);
	BOTH(ioctl(F(to), FICLONE, F(from)));
	BOTH(ioctl(F(to), FICLONERANGE, &(struct file_clone_range) {
		.src_fd = F(from), .src_offset = 4096, .src_length = 8192,
		.dest_offset = 65536 }));
	CLOSE_BOTH(from);
	CLOSE_BOTH(to);
	OPEN_BOTH(from, "d/big2", O_RDWR);
	OPEN_BOTH(to, "d/small", O_RDONLY);
	BOTH_FAIL(EBADF, ioctl(F(to), FICLONE, F(from)));
	CLOSE_BOTH(from);
	CLOSE_BOTH(to);
}

/* Freezes a filesystem, and thaws it; false when that does not come to an end. */
static bool freeze(struct __test_metadata *_metadata, const char *path)
{
	pid_t pid;

	fflush(NULL);
	pid = OK(fork());
	if (!pid) {
		int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (!ioctl(fd, FIFREEZE, 0))
			ioctl(fd, FITHAW, 0);
		_exit(0);
	}
	for (int i = 0; i < 200; i++) {
		if (waitpid(pid, NULL, WNOHANG))
			return true;
		usleep(100000);
	}
	return false;
}

/* A disk in a file: what is written to it is in the file, and the reverse. */
static void loop(struct __test_metadata *_metadata, struct world *w, unsigned long direct)
{
	char *buf[2] = { aligned(65536), aligned(65536) };
	uint64_t zeros[2] = { 65536, 16384 }, gone[2] = { 262144, 131072 };
	char path[2][64] = { };
	int fd[2], disk[2], past[2];

	OPEN_BOTH(fd, "d/big", O_RDWR);
	for (int i = 0; i < 2; i++) {
		OK(loop_attach(fd[i], path[i]));
		disk[i] = OK(open(path[i], O_RDWR | O_CLOEXEC));
		past[i] = OK(open(path[i], O_RDWR | O_DIRECT | O_CLOEXEC));
	}
	BOTH(ioctl(F(disk), LOOP_SET_DIRECT_IO, direct));
	SAME(pread(F(disk), buf[at == w->pfd], 65536, 32768));
	CHECK(!memcmp(buf[0], buf[1], 65536), "read");
	memset(buf[0], 'l', 65536);
	SAME(pwrite(F(disk), buf[0], 65536, 8192 + (direct << 17)));
	SAME(pwrite(F(disk), buf[0], 512, BIG - 512));
	BOTH_OK(fsync(F(disk)));
	BOTH(ioctl(F(disk), BLKZEROOUT, zeros));
	BOTH(ioctl(F(disk), BLKDISCARD, gone));
	SAME(pread(F(fd), buf[at == w->pfd], 65536, 40960));
	CHECK(!memcmp(buf[0], buf[1], 65536), "read of the file");
	/* Many, since one may be over before anybody has to wait for it. */
	for (int n = 0; n < 100; n++)
		SAME(pwrite(F(past), buf[0], 4096, 4096 * (n % 20)));
	for (int i = 0; i < 2; i++) {
		OK(close(disk[i]));
		OK(close(past[i]));
		loop_detach(path[i]);
	}
	CLOSE_BOTH(fd);
	SAME_TREES(w);
	OK(world_remount(w));
	SAME_TREES(w);
	free(buf[0]);
	free(buf[1]);
}

TEST_F(io, loop)
{
	load_module("loop");
	if (access("/dev/loop-control", F_OK))
		SKIP(return, "this kernel has no loop devices");
	loop(_metadata, &self->w, 0);
	loop(_metadata, &self->w, 1);
	/* All those writes have an end, for the upper's filesystem, too. */
	CHECK(freeze(_metadata, self->w.upper), "the upper can no longer be frozen");
}

/* Swap goes to a disk past the filesystem: to no file of the mount, and that is said. */
TEST_F(io, swap)
{
	struct world *w = &self->w;
	struct { uint32_t version, last, bad; } header = { 1, BIG / 4096 - 1, 0 };
	int fd[2];

	OPEN_BOTH(fd, "d/big", O_RDWR);
	BOTH_OK(fchmod(F(fd), 0600));
	SAME(pwrite(F(fd), &header, sizeof(header), 1024));
	SAME(pwrite(F(fd), "SWAPSPACE2", 10, 4096 - 10));
	BOTH_OK(fsync(F(fd)));
	EXPECT_EQ(-1, swapon(M("d/big"), 0));
	EXPECT_EQ(EINVAL, errno);
	SAME(pwrite(F(fd), "still a file", 12, 4096));
	CLOSE_BOTH(fd);
	BOTH_OK(renameat(at, "d/big", at, "big"));
	SAME_TREES(w);
}

/* A layer whose filesystem has no O_DIRECT: nor has the mount's file. */
PLAIN_FIXTURE(io_indirect);

FIXTURE_SETUP(io_indirect)
{
	struct world *w = &self->w;

	OK(world_begin(w, IN_LAYER));
	w->no_compare = true;
	OK(mount("layer", w->layer[0], "ramfs", 0, NULL));
	OK(write_text(L("file"), "no O_DIRECT\n"));
	OK(world_mount(w));
}

WORLD_TEARDOWN(io_indirect)

TEST_F(io_indirect, refused)
{
	struct world *w = &self->w;
	char text[] = "no O_DIRECT\n", *buf = aligned(8192);
	int fd, flags, plain;

	FAILS(EINVAL, openat(w->mfd, "file", O_RDONLY | O_DIRECT | O_CLOEXEC));
	fd = OK(openat(w->mfd, "file", O_RDONLY | O_CLOEXEC));
	FAILS(EINVAL, fcntl(fd, F_SETFL, O_DIRECT));
	EXPECT_EQ(strlen(text), OK(read(fd, buf, 4096)));
	CHECK(!memcmp(buf, text, strlen(text)), "other bytes");
	close(fd);

	/* Once it is copied up it is the upper that can, or not. */
	OK(store_at(M("file"), "NO", 2, 0));
	plain = open(join(w->upper, "probe"), O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);
	fd = OK(openat(w->mfd, "file", O_RDWR | O_CLOEXEC));
	flags = fcntl(fd, F_SETFL, O_DIRECT);
	CHECK((flags < 0) == (plain < 0), "after the copy-up: %d, in the upper: %d", flags, plain);
	memcpy(text, "NO", 2);
	EXPECT_EQ(strlen(text), OK(pread(fd, buf, 4096, 0)));
	CHECK(!memcmp(buf, text, strlen(text)), "other bytes after the copy-up");
	if (!flags) {
		memset(buf, 'd', 4096);
		EXPECT_EQ(4096, OK(pwrite(fd, buf, 4096, 4096)));
		EXPECT_EQ(4096, OK(pread(fd, buf + 4096, 4096, 4096)));
		CHECK(!memcmp(buf, buf + 4096, 4096), "what was written is read");
	}
	close(fd);
	if (plain >= 0)
		close(plain);
	free(buf);
}

TEST_HARNESS_MAIN
