// SPDX-License-Identifier: GPL-2.0-or-later
/* Mappings: private, shared, written, executed, and what they share. */
#include "testing.h"
#include "program.h"

#include <signal.h>

#define PAGE 4096
#define BIG (64 * PAGE)

WORLD_FIXTURE(mmap);

FIXTURE_SETUP(mmap)
{
	struct world *w = &self->w;

	OK(world_begin(w, variant->where));
	OK(put_dir(w, "d", 0755));
	OK(put_pattern(w, "d/big", BIG, 1));
	OK(put_pattern(w, "d/odd", 5 * PAGE + 100, 2));
	OK(put_program(w, "d/program"));
	OK(world_mount(w));
}

WORLD_TEARDOWN(mmap)

static bool from_layer(struct world *w, const char *path)
{
	return exists(join(w->layer[w->nlayers - 1], path));
}

#define MAP(size, prot, flags, fd) ({					\
	char *__a = mmap(NULL, size, prot, flags, fd, 0);		\
	if (__a == MAP_FAILED)						\
		__FAIL(1, "mmap: %s", err_name(errno));			\
	__a;								\
})

static char want[BIG + PAGE];

static void pattern(size_t size, unsigned int seed)
{
	memset(want, 0, sizeof(want));
	fill_pattern(want, size, 0, seed);
}

TEST_F(mmap, read)
{
	struct world *w = &self->w;
	static const int flags[] = { MAP_PRIVATE, MAP_SHARED };
	char *p;
	int fd;

	pattern(5 * PAGE + 100, 2);
	for (int i = 0; i < 2; i++) {
		fd = OK(openat(w->mfd, "d/odd", O_RDONLY | O_CLOEXEC));
		p = MAP(6 * PAGE, PROT_READ, flags[i], fd);
		close(fd);
		/* Beyond the end of the file the last page is zero. */
		CHECK(!memcmp(p, want, 6 * PAGE), "mapping %d", i);
		OK(munmap(p, 6 * PAGE));
	}
	CHECK(from_layer(w, "d/odd") == !exists(U("d/odd")), "mapping copied up");
}

/*
 * The last page of a file, in a part of the address space that has no page table yet:
 * 6.12.117 maps around a fault only where there is one, or the file goes on.
 */
TEST_F(mmap, last_page_alone)
{
	struct world *w = &self->w;
	static const int flags[] = { MAP_PRIVATE, MAP_SHARED };
	const size_t far = 2 << 20;
	char *p, *at;
	int fd;

	pattern(5 * PAGE + 100, 2);
	fd = OK(openat(w->mfd, "d/odd", O_RDONLY | O_CLOEXEC));
	for (int i = 0; i < 2; i++) {
		p = mmap(NULL, 4 * far, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		ASSERT_NE(p, MAP_FAILED);
		at = (char *)(((uintptr_t)p + 2 * far) & ~(far - 1));
		at = mmap(at, PAGE, PROT_READ, flags[i] | MAP_FIXED, fd, 5 * PAGE);
		ASSERT_NE(at, MAP_FAILED);
		CHECK(!memcmp(at, want + 5 * PAGE, PAGE), "mapping %d", i);
		/* It shows a later write all the same. */
		if (flags[i] == MAP_SHARED) {
			int at_both[] = { w->mfd, w->pfd };

			for (int j = 0; j < 2; j++) {
				int out = OK(openat(at_both[j], "d/odd", O_WRONLY | O_CLOEXEC));

				EXPECT_EQ(5, OK(pwrite(out, "later", 5, 5 * PAGE + 20)));
				close(out);
			}
			CHECK(!memcmp(at + 20, "later", 5), "a later write");
		}
		OK(munmap(p, 4 * far));
	}
	close(fd);
}

/* A split file is read ahead, too: not with a request for every page. */
TEST_F(mmap, read_ahead)
{
	struct world *w = &self->w;
	long reads[2], sum[2] = { };
	int both[2], fd;
	char *p;

	if (disk_reads(w->plain) < 0)
		SKIP(return, "the file system below has no disk");
	OPEN_BOTH(both, "d/big", O_RDWR);
	SAME(pwrite(F(both), "x", 1, 9 * PAGE));
	CLOSE_BOTH(both);
	OK(syncfs(w->pfd));
	OK(world_remount(w));
	for (int i = 0; i < 2; i++) {
		OK(drop_caches());
		fd = OK(openat(i ? w->pfd : w->mfd, "d/big", O_RDONLY | O_CLOEXEC));
		p = MAP(BIG, PROT_READ, MAP_PRIVATE, fd);
		reads[i] = disk_reads(w->plain);
		for (int at = 0; at < BIG; at += PAGE)
			sum[i] += p[at];
		reads[i] = disk_reads(w->plain) - reads[i];
		munmap(p, BIG);
		close(fd);
	}
	EXPECT_EQ(sum[0], sum[1]);
	CHECK(reads[0] <= reads[1] + 10, "%ld reads, on the plain directory %ld", reads[0],
	      reads[1]);
}

TEST_F(mmap, private_write)
{
	struct world *w = &self->w;
	char *p;
	int fd;

	fd = OK(openat(w->mfd, "d/big", O_RDONLY | O_CLOEXEC));
	p = MAP(BIG, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
	memset(p, 'p', BIG);
	OK(munmap(p, BIG));
	close(fd);
	pattern(BIG, 1);
	EXPECT_EQ(0, same_bytes(M("d/big"), want, BIG));
	CHECK(from_layer(w, "d/big") == !exists(U("d/big")),
	      "a private mapping copied up");
	/* Of a writable descriptor as well. */
	fd = OK(openat(w->mfd, "d/big", O_RDWR | O_CLOEXEC));
	p = MAP(BIG, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
	p[0] = 'p';
	OK(munmap(p, BIG));
	close(fd);
	EXPECT_EQ(0, same_bytes(M("d/big"), want, BIG));
}

TEST_F(mmap, shared_write)
{
	struct world *w = &self->w;
	struct stat before, after;
	char *p, *q, buf[16];
	int fd, other;

	other = OK(openat(w->mfd, "d/big", O_RDONLY | O_CLOEXEC));
	fd = OK(openat(w->mfd, "d/big", O_RDWR | O_CLOEXEC));
	OK(fstat(fd, &before));
	p = MAP(BIG, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	q = MAP(BIG, PROT_READ, MAP_SHARED, fd);
	memcpy(p + 5000, "through the map", 15);
	CHECK(!memcmp(q + 5000, "through the map", 15), "another mapping");
	EXPECT_EQ(15, OK(pread(fd, buf, 15, 5000)));
	CHECK(!memcmp(buf, "through the map", 15), "its own descriptor");
	EXPECT_EQ(15, OK(pread(other, buf, 15, 5000)));
	CHECK(!memcmp(buf, "through the map", 15), "a descriptor from before");
	/* And the other way. */
	EXPECT_EQ(7, OK(pwrite(fd, "written", 7, 20000)));
	CHECK(!memcmp(p + 20000, "written", 7), "a write is not in the mapping");
	OK(msync(p, BIG, MS_SYNC));
	OK(munmap(p, BIG));
	OK(munmap(q, BIG));
	close(fd);
	close(other);
	OK(fstatat(w->mfd, "d/big", &after, 0));
	CHECK(after.st_mtim.tv_sec > before.st_mtim.tv_sec, "mtime stayed");
	pattern(BIG, 1);
	memcpy(want + 5000, "through the map", 15);
	memcpy(want + 20000, "written", 7);
	EXPECT_EQ(0, same_bytes(M("d/big"), want, BIG));
	OK(write_file(join(w->plain, "d/big"), want, BIG));
}

/* Without msync; the last reference goes with the mapping. */
TEST_F(mmap, shared_write_unmap)
{
	struct world *w = &self->w;
	char *p;
	int fd;

	fd = OK(openat(w->mfd, "d/odd", O_RDWR | O_CLOEXEC));
	p = MAP(6 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	close(fd);
	memcpy(p, "start", 5);
	memcpy(p + 5 * PAGE + 90, "beyond the end of it", 20);
	OK(munmap(p, 6 * PAGE));
	pattern(5 * PAGE + 100, 2);
	memcpy(want, "start", 5);
	memcpy(want + 5 * PAGE + 90, "beyond the", 10);
	EXPECT_EQ(0, same_bytes(M("d/odd"), want, 5 * PAGE + 100));
	OK(world_remount(w));
	OK(drop_caches());
	EXPECT_EQ(0, same_bytes(M("d/odd"), want, 5 * PAGE + 100));
	OK(write_file(join(w->plain, "d/odd"), want, 5 * PAGE + 100));
}

/* A mapping that is writable, made readable first. */
TEST_F(mmap, mprotect)
{
	struct world *w = &self->w;
	char *p;
	int fd;

	fd = OK(openat(w->mfd, "d/big", O_RDONLY | O_CLOEXEC));
	p = MAP(BIG, PROT_READ, MAP_SHARED, fd);
	FAILS(EACCES, mprotect(p, PAGE, PROT_READ | PROT_WRITE));
	OK(munmap(p, BIG));
	FAILS(EACCES, (long)mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	close(fd);
	fd = OK(openat(w->mfd, "d/big", O_RDWR | O_CLOEXEC));
	p = MAP(BIG, PROT_READ, MAP_SHARED, fd);
	OK(mprotect(p, BIG, PROT_READ | PROT_WRITE));
	p[100] = '!';
	OK(munmap(p, BIG));
	close(fd);
	pattern(BIG, 1);
	want[100] = '!';
	EXPECT_EQ(0, same_bytes(M("d/big"), want, BIG));
	OK(write_file(join(w->plain, "d/big"), want, BIG));
	fd = OK(openat(w->mfd, "d/odd", O_WRONLY | O_CLOEXEC));
	FAILS(EACCES, (long)mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0));
	close(fd);
}

/* Two processes that map the same file see each other. */
TEST_F(mmap, between_processes)
{
	struct world *w = &self->w;
	volatile char *p;
	int fd;

	fd = OK(openat(w->mfd, "d/big", O_RDWR | O_CLOEXEC));
	p = MAP(BIG, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	close(fd);
	CHECK(!IN_CHILD({
		int f = open(M("d/big"), O_RDWR);
		char *q = mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);

		if (q == MAP_FAILED)
			_exit(1);
		q[PAGE] = 'c';
	}), "the other process");
	EXPECT_EQ('c', p[PAGE]);
	p[0] = 'p';
	OK(munmap((void *)p, BIG));
	pattern(BIG, 1);
	want[PAGE] = 'c';
	want[0] = 'p';
	EXPECT_EQ(0, same_bytes(M("d/big"), want, BIG));
	OK(write_file(join(w->plain, "d/big"), want, BIG));
}

/* A truncate under a mapping: SIGBUS beyond, and nothing comes back. */
TEST_F(mmap, truncate_under)
{
	struct world *w = &self->w;
	char *p;
	int fd;

	fd = OK(openat(w->mfd, "d/big", O_RDWR | O_CLOEXEC));
	p = MAP(BIG, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	p[10 * PAGE] = 'x';
	BOTH_OK(truncate(P("d/big"), 5 * PAGE + 10));
	CHECK(p[5 * PAGE + 10] == 0, "bytes after the end are still there");
	fflush(NULL);
	if (!fork()) {
		signal(SIGBUS, SIG_DFL);
		*(volatile char *)(p + 10 * PAGE);
		_exit(0);
	} else {
		int status;

		OK(wait(&status));
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS,
		      "no SIGBUS: status %x", status);
	}
	BOTH_OK(truncate(P("d/big"), BIG));
	CHECK(p[10 * PAGE] == 0, "cut bytes came back");
	OK(munmap(p, BIG));
	close(fd);
}

TEST_F(mmap, execute)
{
	struct world *w = &self->w;

	EXPECT_EQ(42, program_run(M("d/program")));
	CHECK(from_layer(w, "d/program") == !exists(U("d/program")),
	      "executing copied up");
	BOTH_OK(fchmodat(at, "d/program", 0700, 0));
	EXPECT_EQ(42, program_run(M("d/program")));
	BOTH_OK(truncate(P("d/program"), 1 << 22));
	EXPECT_EQ(42, program_run(M("d/program")));
	OK(world_remount(w));
	EXPECT_EQ(42, program_run(M("d/program")));
	BOTH_OK(fchmodat(at, "d/program", 0600, 0));
	EXPECT_EQ(1, program_run(M("d/program")));
}

/* A program that runs goes on when its file is written or replaced. */
TEST_F(mmap, execute_replaced)
{
	struct world *w = &self->w;
	int fd, n;

	n = OK(openat(w->mfd, "d/new", O_CREAT | O_RDWR | O_CLOEXEC, 0755));
	fd = OK(openat(w->mfd, "d/program", O_RDONLY | O_CLOEXEC));
	OK(copy_file_range(fd, NULL, n, NULL, 1 << 24, 0));
	close(n);
	close(fd);
	EXPECT_EQ(42, program_run(M("d/new")));
	OK(renameat(w->mfd, "d/new", w->mfd, "d/program"));
	EXPECT_EQ(42, program_run(M("d/program")));
	OK(renameat(w->mfd, "d/program", w->mfd, "program"));
	EXPECT_EQ(42, program_run(M("program")));
	OK(renameat(w->mfd, "program", w->mfd, "d/program"));
}

/* Resident pages are those of the layer's own file, not copies. */
TEST_F(mmap, shares_pages)
{
	struct world *w = &self->w;
	unsigned char in[64] = { };
	const char *real;
	char *p, sum = 0;
	int fd;

	if (!from_layer(w, "d/big"))
		SKIP(return, "not in a layer");
	real = join(w->layer[w->nlayers - 1], "d/big");
	fd = OK(open(real, O_RDONLY | O_NOATIME | O_CLOEXEC));
	OK(fsync(fd));
	OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	p = MAP(BIG, PROT_READ, MAP_SHARED, fd);
	OK(mincore(p, BIG, in));
	for (int i = 0; i < 64; i++)
		sum += in[i] & 1;
	if (sum)
		SKIP(munmap(p, BIG); close(fd); return,
		     "the file system below keeps its pages");
	EXPECT_EQ(0, same_bytes(M("d/big"), (pattern(BIG, 1), want), BIG));
	OK(mincore(p, BIG, in));
	for (int i = 0; i < 64; i++)
		CHECK(in[i] & 1, "page %d was read into another cache", i);
	OK(munmap(p, BIG));
	close(fd);
}

/* A mapping of a file whose upper has no room for it to come there. */
PLAIN_FIXTURE(full);

FIXTURE_SETUP(full)
{
	struct world *w = &self->w;

	OK(world_begin(w, IN_LAYER));
	OK(put_pattern(w, "big", BIG, 1));
	OK(world_upper_on(w, "tmpfs", "size=256k,nr_inodes=100,mode=755"));
	OK(world_mount(w));
}

WORLD_TEARDOWN(full)

TEST_F(full, failed_truncation)
{
	struct world *w = &self->w;
	const size_t cut = 2 * PAGE + 1808;
	int fd = OK(openat(w->mfd, "big", O_RDWR | O_CLOEXEC)), out, n = 0;
	char *p = MAP(BIG, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	char name[32];

	pattern(BIG, 1);
	CHECK(!memcmp(p, want, BIG), "before");
	do {
		snprintf(name, sizeof(name), "../full%d", n++);
	} while (!mknod(U(name), S_IFREG | 0600, 0) && n < 200);
	FAILS(ENOSPC, ftruncate(fd, cut));
	CHECK(!memcmp(p, want, BIG), "the mapping has lost bytes");
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "../full%d", i);
		unlink(U(name));
	}
	p[2 * PAGE] = want[2 * PAGE] = 'A';
	OK(msync(p, BIG, MS_SYNC));
	munmap(p, BIG);
	close(fd);
	CHECK(!same_bytes(M("big"), want, BIG), "after a store");
	out = OK(openat(w->pfd, "big", O_WRONLY | O_CLOEXEC));
	EXPECT_EQ(1, pwrite(out, "A", 1, 2 * PAGE));
	close(out);
}

TEST_HARNESS_MAIN
