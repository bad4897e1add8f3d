// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who can make whom wait: what one process holds up, with a pipe that stays empty or
 * with memory that does not come, must not keep anybody's sync from ending. And the
 * way that memory which is not there takes writes the same bytes.
 */
#include "testing.h"

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>

#define PAGE 4096
#define PAGES 64
#define SIZE (PAGES * PAGE)
/* Of what must not be waited for; an emulated guest takes its time. */
#define LIMIT_MS 10000

FIXTURE(waits)
{
	struct world w;
	pid_t held;
};

FIXTURE_SETUP(waits)
{
	struct world *w = &self->w;

	self->held = 0;
	OK(world_begin(w, IN_LAYER));
	OK(put_pattern(w, "file", SIZE, 1));
	OK(world_mount(w));
}

FIXTURE_TEARDOWN(waits)
{
	if (self->held > 0) {
		kill(self->held, SIGKILL);
		waitpid(self->held, NULL, 0);
	}
	FINISH(&self->w);
}

static bool ends(pid_t pid, int *status)
{
	for (int i = 0; i < LIMIT_MS / 10; i++) {
		pid_t got = waitpid(pid, status, WNOHANG);

		if (got)
			return got == pid;
		usleep(10000);
	}
	return false;
}

/* Memory that nobody ever brings in, after one page that is there; or NULL. */
static char *no_memory(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	char *p;

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api))
		return NULL;
	p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	p[0] = 'm';
	reg.range.start = (uintptr_t)p;
	reg.range.len = SIZE;
	return ioctl(fd, UFFDIO_REGISTER, &reg) ? NULL : p;
}

static void hold_splice(int fd, char *mem)
{
	loff_t off = 2 * PAGE;
	int p[2];

	if (!pipe(p))
		splice(p[0], NULL, fd, &off, PAGE, 0);
}

static void hold_write(int fd, char *mem)
{
	pwrite(fd, mem + PAGE, PAGE, 2 * PAGE);
}

/* What is there goes into a block that was to be written all over. */
static void hold_write_half(int fd, char *mem)
{
	pwrite(fd, mem + PAGE - 100, PAGE, 2 * PAGE);
}

static void hold_read(int fd, char *mem)
{
	pread(fd, mem + PAGE, PAGE, 2 * PAGE);
}

static void hold_fiemap(int fd, char *mem)
{
	struct fiemap *map = (void *)(mem + PAGE - sizeof(*map));

	*map = (struct fiemap) { .fm_length = SIZE, .fm_extent_count = 10 };
	ioctl(fd, FS_IOC_FIEMAP, map);
}

/* A process that is held up; 0 when it was not. */
static pid_t hold(struct world *w, void (*fn)(int fd, char *mem), bool memory)
{
	char *mem = memory ? no_memory() : NULL;
	int ready[2], status;
	char c;
	pid_t pid;

	if ((memory && !mem) || pipe(ready))
		return 0;
	fflush(NULL);
	pid = fork();
	if (!pid) {
		int fd = openat(w->mfd, "file", O_RDWR);

		/* The registration is not inherited. */
		mem = memory ? no_memory() : NULL;
		if (fd < 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		fn(fd, mem);
		_exit(0);
	}
	close(ready[1]);
	if (pid > 0 && read(ready[0], &c, 1) == 1)
		usleep(300000);
	close(ready[0]);
	return pid > 0 && !waitpid(pid, &status, WNOHANG) ? pid : 0;
}

static int see(struct world *w, off_t off)
{
	int fd = openat(w->mfd, "file", O_RDONLY | O_CLOEXEC);
	char c;

	if (fd < 0 || pread(fd, &c, 1, off) != 1)
		return -1;
	close(fd);
	return c;
}

/* Starts what must end all the same. */
#define IN_TIME(...) ({							\
	int __status = -1;						\
	pid_t __pid;							\
	fflush(NULL);							\
	__pid = fork();							\
	if (!__pid) {							\
		__VA_ARGS__;						\
		_exit(0);						\
	}								\
	CHECK(ends(__pid, &__status), "waits: %.60s", #__VA_ARGS__);	\
	CHECK(!__status, "fails: %.60s", #__VA_ARGS__);			\
})

/* Split, and with some of its blocks there. */
static int split_file(struct __test_metadata *_metadata, struct world *w)
{
	int fd[2];

	OPEN_BOTH(fd, "file", O_RDWR);
	SAME(pwrite(F(fd), "z", 1, 2 * PAGE + 100));
	SAME(pwrite(F(fd), "z", 1, 20 * PAGE));
	close(fd[1]);
	return fd[0];
}

static void nobody_waits(struct __test_metadata *_metadata, struct world *w,
			 void (*fn)(int fd, char *mem), bool memory, pid_t *held)
{
	int fd = split_file(_metadata, w);
	char *m;

	*held = hold(w, fn, memory);
	if (!*held) {
		close(fd);
		SKIP(return, "nothing to hold this up with");
	}
	m = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, m);
	m[0] = 'A';
	m[2 * PAGE + PAGE - 1] = 'B';
	IN_TIME(sync());
	IN_TIME(if (fsync(fd)) _exit(1));
	IN_TIME(if (see(w, 0) != 'A') _exit(1));
	m[1] = 'C';
	IN_TIME(if (msync(m, SIZE, MS_SYNC)) _exit(1));
	m[10 * PAGE] = 'D';
	munmap(m, SIZE);
	IN_TIME(if (syncfs(w->mfd)) _exit(1));
	IN_TIME(if (see(w, 10 * PAGE) != 'D') _exit(1));
	IN_TIME(if (see(w, 3 * PAGE - 1) != 'B') _exit(1));
	close(fd);

	kill(*held, SIGKILL);
	waitpid(*held, NULL, 0);
	*held = 0;
	EXPECT_EQ('A', see(w, 0));
	EXPECT_EQ('B', see(w, 3 * PAGE - 1));
	EXPECT_EQ('C', see(w, 1));
	w->no_compare = true;
}

TEST_F(waits, empty_pipe)
{
	nobody_waits(_metadata, &self->w, hold_splice, false, &self->held);
}

TEST_F(waits, write_from_nowhere)
{
	nobody_waits(_metadata, &self->w, hold_write, true, &self->held);
}

TEST_F(waits, write_from_half_nowhere)
{
	nobody_waits(_metadata, &self->w, hold_write_half, true, &self->held);
}

TEST_F(waits, read_to_nowhere)
{
	nobody_waits(_metadata, &self->w, hold_read, true, &self->held);
}

TEST_F(waits, fiemap_to_nowhere)
{
	nobody_waits(_metadata, &self->w, hold_fiemap, true, &self->held);
}

/* Without a mapping: there is a map to be saved. */
TEST_F(waits, sync_of_a_new_map)
{
	struct world *w = &self->w;

	close(split_file(_metadata, w));
	self->held = hold(w, hold_write, true);
	if (!self->held)
		SKIP(return, "no userfaultfd");
	IN_TIME(sync());
	w->no_compare = true;
}

TEST_F(waits, unmounted)
{
	struct world *w = &self->w;
	int fd = split_file(_metadata, w);
	char *m = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	ASSERT_NE(MAP_FAILED, m);
	self->held = hold(w, hold_splice, false);
	ASSERT_NE(0, self->held);
	m[0] = 'A';
	close(w->mfd);
	w->mfd = -1;
	IN_TIME(if (umount2(w->mnt, MNT_DETACH)) _exit(1));
	w->mounted = false;
	m[1] = 'B';
	IN_TIME(sync());
	IN_TIME(if (fsync(fd)) _exit(1));
	munmap(m, SIZE);
	close(fd);
	IN_TIME(sync());
	kill(self->held, SIGKILL);
	waitpid(self->held, NULL, 0);
	self->held = 0;
	EXPECT_EQ(0, umount_patiently(w->mnt) && errno != EINVAL);
}

/* What comes out of the pipe later is written, and the mapping shows it. */
TEST_F(waits, pipe_filled_later)
{
	struct world *w = &self->w;
	int fd = split_file(_metadata, w), p[2], out;
	char *m = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	pid_t pid;
	int status;

	ASSERT_NE(MAP_FAILED, m);
	OK(pipe2(p, O_CLOEXEC));
	fflush(NULL);
	pid = fork();
	if (!pid) {
		loff_t off = 2 * PAGE + 10;

		_exit(splice(p[0], NULL, fd, &off, 3 * PAGE, 0) != 5);
	}
	usleep(200000);
	m[2 * PAGE] = 'A';
	m[2 * PAGE + 11] = 'x';
	m[2 * PAGE + 20] = 'C';
	IN_TIME(sync());
	EXPECT_EQ(5, write(p[1], "hello", 5));
	CHECK(ends(pid, &status) && !status, "splice");
	CHECK(!memcmp(m + 2 * PAGE + 10, "hello", 5), "the mapping does not show it");
	EXPECT_EQ('A', m[2 * PAGE]);
	EXPECT_EQ('C', m[2 * PAGE + 20]);
	munmap(m, SIZE);
	EXPECT_EQ('C', see(w, 2 * PAGE + 20));
	EXPECT_EQ('h', see(w, 2 * PAGE + 10));
	close(fd);
	out = OK(openat(w->pfd, "file", O_WRONLY | O_CLOEXEC));
	EXPECT_EQ(5, OK(pwrite(out, "hello", 5, 2 * PAGE + 10)));
	EXPECT_EQ(1, OK(pwrite(out, "A", 1, 2 * PAGE)));
	EXPECT_EQ(1, OK(pwrite(out, "C", 1, 2 * PAGE + 20)));
	close(out);
}

/* A pipe with buffers of any size, into blocks that are there and into others. */
TEST_F(waits, pieces_of_a_pipe)
{
	struct world *w = &self->w;
	static const size_t sizes[] = { 1, 100, PAGE - 101, PAGE, 3 * PAGE + 7, 11 };
	static char buf[4 * PAGE];
	int fd[2], p[2];
	loff_t off;

	fill_pattern(buf, sizeof(buf), 0, 9);
	close(split_file(_metadata, w));
	OPEN_BOTH(fd, "file", O_RDWR);
	OK(pipe2(p, O_CLOEXEC));
	for (int round = 0; round < 2; round++) {
		loff_t start = 5 * PAGE + round * 333;

		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			size_t size = sizes[i];

			SAME(({
				size_t left = size;
				ssize_t n = 1;

				write(p[1], buf, size / 2);
				write(p[1], buf + size / 2, size - size / 2);
				off = start;
				while (left && n > 0) {
					n = splice(p[0], NULL, F(fd), &off, left, 0);
					left -= n > 0 ? n : 0;
				}
				off;
			}));
			start = off;
		}
	}
	/* The end of the file, and a pipe that nobody writes any more. */
	SAME(({ off = SIZE - 3; write(p[1], "beyond", 6);
		splice(p[0], NULL, F(fd), &off, 6, 0); }));
	SAME(({ off = SIZE; splice(p[0], NULL, F(fd), &off, 6, SPLICE_F_NONBLOCK); }));
	close(p[1]);
	SAME(({ off = SIZE; splice(p[0], NULL, F(fd), &off, 6, 0); }));
	close(p[0]);
	CLOSE_BOTH(fd);
}

static char *cold_map(int fd, size_t size)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Memory that comes when it is touched, with a hole behind it. */
TEST_F(waits, cold_memory)
{
	struct world *w = &self->w;
	int source = OK(openat(w->pfd, "source", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
	static char pattern[8 * PAGE];
	char *p, *q;
	int fd[2];

	fill_pattern(pattern, sizeof(pattern), 0, 7);
	EXPECT_EQ((long)sizeof(pattern), OK(write(source, pattern, sizeof(pattern))));
	OK(unlinkat(w->pfd, "source", 0));
	close(split_file(_metadata, w));
	OPEN_BOTH(fd, "file", O_RDWR);
	SAME(({ p = cold_map(source, 8 * PAGE); pwrite(F(fd), p + 77, 5 * PAGE, 4 * PAGE); }));
	SAME(({ p = cold_map(source, 8 * PAGE); pwrite(F(fd), p, 8 * PAGE, 30 * PAGE + 9); }));
	SAME(({ p = cold_map(source, 8 * PAGE); *(volatile char *)(p + PAGE);
		pwrite(F(fd), p + PAGE, 3 * PAGE, 50 * PAGE); }));
	/* Up to where there is no memory: into a block that is not there, and one that is. */
	SAME(({ p = cold_map(source, 2 * PAGE); munmap(p + PAGE, PAGE);
		pwrite(F(fd), p + PAGE - 100, 300, 60 * PAGE); }));
	SAME(({ p = cold_map(source, 2 * PAGE); munmap(p + PAGE, PAGE);
		pwrite(F(fd), p + PAGE - 100, 300, 20 * PAGE + 10); }));
	SAME(({ p = cold_map(source, 2 * PAGE); munmap(p + PAGE, PAGE);
		pwrite(F(fd), p + PAGE - 100, PAGE, 61 * PAGE); }));
	BOTH_FAIL(EFAULT, pwrite(F(fd), p + PAGE, PAGE, 62 * PAGE));
	/* And reading. */
	p = cold_map(source, 8 * PAGE);
	q = cold_map(source, 8 * PAGE);
	SAME(pread(F(fd), (at == w->pfd ? p : q) + 3, 7 * PAGE, 31 * PAGE));
	CHECK(!memcmp(p, q, 8 * PAGE), "read");
	munmap(p + 5 * PAGE, PAGE);
	munmap(q + 5 * PAGE, PAGE);
	SAME(pread(F(fd), at == w->pfd ? p : q, 7 * PAGE, 31 * PAGE));
	CHECK(!memcmp(p, q, 5 * PAGE), "read a part");
	BOTH_FAIL(EFAULT, pread(F(fd), p + 5 * PAGE, PAGE, 31 * PAGE));
	/* Up to the end. */
	SAME(pread(F(fd), at == w->pfd ? p : q, 4 * PAGE, SIZE - 100));
	CHECK(!memcmp(p, q, 5 * PAGE), "read the end");
	close(source);
	CLOSE_BOTH(fd);
}

/* Directly from memory that a child shares: it must be unshared to be pinned. */
TEST_F(waits, direct_from_shared_memory)
{
	struct world *w = &self->w;
	char *p = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *q = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd[2];
	pid_t pid;

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_NE(MAP_FAILED, q);
	close(split_file(_metadata, w));
	fd[0] = openat(w->mfd, "file", O_RDWR | O_DIRECT | O_CLOEXEC);
	fd[1] = openat(w->pfd, "file", O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd[0] < 0 || fd[1] < 0)
		SKIP(return, "the file system below has no O_DIRECT");
	fill_pattern(p, 8 * PAGE, 0, 5);
	fill_pattern(q, 8 * PAGE, 0, 6);
	pid = fork();
	if (!pid) {
		pause();
		_exit(0);
	}
	SAME(pwrite(F(fd), p, 3 * PAGE, 40 * PAGE));
	SAME(pread(F(fd), at == w->pfd ? p : q, 8 * PAGE, 38 * PAGE));
	CHECK(!memcmp(p, q, 8 * PAGE), "read");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	/* And from and to memory that was never there. */
	SAME(({ char *z = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		pwrite(F(fd), z, 2 * PAGE, 50 * PAGE); }));
	SAME(({ char *z = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		pread(F(fd), z, 2 * PAGE, 40 * PAGE) == 2 * PAGE ? z[5000] : -1; }));
	CLOSE_BOTH(fd);
}

TEST_HARNESS_MAIN
