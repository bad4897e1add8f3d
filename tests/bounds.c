// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Bounds: what a user's number costs.  The size of a file, a redirect on a
 * redirect, names that were chosen: none of them may take memory or time out
 * of proportion, and what takes long ends with a fatal signal.
 */
#include "testing.h"

#include <dirent.h>
#include <linux/falloc.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <time.h>

#include "control.h"

#define BLOCK 4096L
#define MIB (1L << 20)
#define GIB (1L << 30)

/* So long may a call of these tests take, which do next to nothing. */
#define SOON_MS 5000
/* And so long a killed process. */
#define KILLED_MS 1000

PLAIN_FIXTURE(bounds);

FIXTURE_SETUP(bounds)
{
	OK(world_begin(&self->w, IN_LAYER));
	self->w.no_compare = true;
	self->w.keep_times = true;
}

WORLD_TEARDOWN(bounds)

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* Memory that could be had, in KiB. */
static long available(void)
{
	char line[128];
	long kib = 0;
	FILE *f = fopen("/proc/meminfo", "re");

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "MemAvailable: %ld", &kib);
	if (f)
		fclose(f);
	return kib;
}

static bool wait_ms(pid_t pid, int *status, int ms)
{
	int fd = syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	bool ended = poll(&p, 1, ms) == 1;

	close(fd);
	return ended && waitpid(pid, status, 0) == pid;
}

/* Runs code in a child, which must end soon, and at once when it is killed. */
#define SOON(what, ...) do {						\
	int __s = 0;							\
	pid_t __c;							\
	fflush(NULL);							\
	__c = OK(fork());						\
	if (!__c) {							\
		__VA_ARGS__;						\
		_exit(_metadata->exit_code != KSFT_PASS);		\
	}								\
	if (!wait_ms(__c, &__s, SOON_MS)) {				\
		kill(__c, SIGKILL);					\
		CHECK(false, "%s takes long", what);			\
		CHECK(wait_ms(__c, &__s, KILLED_MS),			\
		      "%s cannot be killed", what);			\
	} else {							\
		CHECK(!__s, "%s: status %x", what, __s);		\
	}								\
} while (0)

/* A file that is as large as the filesystem lets it be, and of one hole. */
static off_t put_huge(const char *path)
{
	static const off_t sizes[] = {
		INT64_MAX, INT64_MAX - 4095, (1L << 44) - BLOCK, (1L << 43),
	};
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	off_t size = 0;

	for (int i = 0; fd >= 0 && !size && i < 4; i++)
		if (!ftruncate(fd, sizes[i]))
			size = sizes[i];
	if (fd >= 0)
		close(fd);
	return size;
}

/*
 * Huge files are in a layer that the world does not know: to be sure that a
 * layer does not change, it reads all that is in it.
 */
#define H(rel) join(join(w->root, "huge"), rel)

static int mount_huge(struct world *w)
{
	char options[4 * WORLD_PATH];

	snprintf(options, sizeof(options),
		 "lowerdir=%s/huge,upperdir=%s,workdir=%s", w->root, w->upper,
		 w->work);
	return mount("veneer", w->mnt, world_fstype(), 0, options);
}

static int remount_huge(struct world *w)
{
	return umount(w->mnt) ?: mount_huge(w);
}

static off_t data_at(const char *path, off_t from)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t at = lseek(fd, from, SEEK_DATA);

	close(fd);
	return at;
}

static int byte_at(const char *path, off_t at)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned char c;
	int ret = pread(fd, &c, 1, at) == 1 ? c : -1;

	close(fd);
	return ret;
}

static long supported(int fd, int mode, off_t at, off_t len)
{
	long ret = fallocate(fd, mode, at, len);

	return ret && errno == EOPNOTSUPP ? 0 : ret;
}

TEST_F(bounds, hole_in_a_huge_file)
{
	struct world *w = &self->w;
	off_t size, last;
	long before, less;

	if (world_is_overlay())
		SKIP(return, "overlayfs copies files");
	OK(mkdir(H(""), 0755));
	size = OK(put_huge(H("f")) ?: -1);
	last = (size - 1) & -BLOCK;
	OK(store_at(H("f"), "below", 5, GIB));
	OK(store_at(H("f"), "kept", 4, 3 * GIB));
	OK(store_at(H("f"), "end", 1, size - 1));
	OK(mount_huge(w));

	before = available();
	SOON("to punch", {
		int fd = OK(open(M("f"), O_RDWR));

		OK(pwrite(fd, "x", 1, 0));
		OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			     2 * GIB));
		OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			     4 * GIB, size - 4 * GIB));
		/* Where it can, this takes room for what it zeroes. */
		OK(supported(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
			     5 * GIB, 64 * MIB));
		OK(fsync(fd));
	});
	less = before - available();
	CHECK(less < 32 * 1024, "%ld KiB of memory less", less);
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(0, byte_at(M("f"), 0));
		EXPECT_EQ(0, byte_at(M("f"), GIB));
		EXPECT_EQ('k', byte_at(M("f"), 3 * GIB));
		EXPECT_EQ(0, byte_at(M("f"), 2 * GIB));
		EXPECT_EQ(0, byte_at(M("f"), size / 2));
		EXPECT_EQ(0, byte_at(M("f"), size - 1));
		EXPECT_EQ(3 * GIB, data_at(M("f"), GIB));
		SOON("to seek", data_at(M("f"), 4 * GIB));
		OK(store_at(M("f"), "new", 3, last - 2 * BLOCK));
		EXPECT_EQ('n', byte_at(M("f"), last - 2 * BLOCK));
		OK(remount_huge(w));
	}
	OK(umount(w->mnt));
}

TEST_F(bounds, whole_of_a_huge_file)
{
	struct world *w = &self->w;
	long before, less;
	off_t size;

	if (world_is_overlay())
		SKIP(return, "overlayfs copies files");
	OK(mkdir(H(""), 0755));
	size = OK(put_huge(H("f")) ?: -1);
	OK(store_at(H("f"), "below", 5, GIB));
	OK(mount_huge(w));
	OK(store_at(M("f"), "x", 1, 0));

	before = available();
	SOON("to make it whole", {
		int fd = OK(open(M("f"), O_RDWR));

		OK(ioctl(fd, VENEER_IOC_MAKE_WHOLE));
	});
	less = before - available();
	CHECK(less < 32 * 1024, "%ld KiB of memory less", less);
	EXPECT_EQ('x', byte_at(U("f"), 0));
	EXPECT_EQ('b', byte_at(U("f"), GIB));
	FAILS(ENODATA, getxattr(U("f"), "trusted.veneer.split", NULL, 0));
	EXPECT_EQ('b', byte_at(M("f"), GIB));
	EXPECT_EQ(0, byte_at(M("f"), size - 1));
	OK(umount(w->mnt));
}

TEST_F(bounds, splice_of_any_length)
{
	struct world *w = &self->w;
	long before, less;
	off_t size;

	if (world_is_overlay())
		SKIP(return, "overlayfs copies files");
	OK(mkdir(H(""), 0755));
	size = OK(put_huge(H("f")) ?: -1);
	OK(mount_huge(w));
	OK(store_at(M("f"), "x", 1, 0));

	before = available();
	SOON("to splice", {
		int fd = OK(open(M("f"), O_RDWR));
		loff_t at = BLOCK;
		int p[2];

		OK(pipe(p));
		OK(write(p[1], "spliced", 7));
		close(p[1]);
		OK(splice(p[0], NULL, fd, &at, (size - 2 * BLOCK) & -BLOCK, 0));
	});
	less = before - available();
	CHECK(less < 32 * 1024, "%ld KiB of memory less", less);
	EXPECT_EQ('s', byte_at(M("f"), BLOCK));
	OK(umount(w->mnt));
}

/* Where there are bytes below, a hole is the upper's, in a map of one run. */
TEST_F(bounds, hole_over_much_data)
{
	const off_t size = 300 * MIB;
	struct world *w = &self->w;
	char *buf = malloc(MIB);
	int fd;

	if (world_is_overlay())
		SKIP(return, "overlayfs copies files");
	if (available() < 2 * size / 1024)
		SKIP(return, "not enough memory");
	memset(buf, 'b', MIB);
	fd = OK(open(L("f"), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
	for (off_t at = 0; at < size; at += MIB)
		EXPECT_EQ(MIB, pwrite(fd, buf, MIB, at));
	close(fd);
	free(buf);
	OK(world_mount(w));
	fd = OK(open(M("f"), O_RDWR | O_CLOEXEC));
	OK(pwrite(fd, "x", 1, 10 * BLOCK + 7));
	OK(pwrite(fd, "y", 1, 290 * MIB));
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, BLOCK / 2,
		     280 * MIB));
	OK(pwrite(fd, "z", 1, 200 * MIB));
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ('b', byte_at(M("f"), BLOCK / 2 - 1));
		EXPECT_EQ(0, byte_at(M("f"), BLOCK / 2));
		EXPECT_EQ(0, byte_at(M("f"), 10 * BLOCK + 7));
		EXPECT_EQ(0, byte_at(M("f"), 128 * MIB));
		EXPECT_EQ(0, byte_at(M("f"), 128 * MIB - 1));
		EXPECT_EQ(0, byte_at(M("f"), 256 * MIB));
		EXPECT_EQ('z', byte_at(M("f"), 200 * MIB));
		EXPECT_EQ(0, byte_at(M("f"), 280 * MIB + BLOCK / 2 - 1));
		EXPECT_EQ('b', byte_at(M("f"), 280 * MIB + BLOCK / 2));
		EXPECT_EQ('y', byte_at(M("f"), 290 * MIB));
		EXPECT_EQ('b', byte_at(M("f"), size - 1));
		if (!i) {
			OK(fsync(fd));
			close(fd);
		}
		OK(world_remount(w));
		if (i)
			continue;
		/* The rest of it, so that it becomes whole. */
		fd = OK(open(M("f"), O_RDWR | O_CLOEXEC));
		OK(ioctl(fd, VENEER_IOC_MAKE_WHOLE));
		close(fd);
		FAILS(ENODATA, getxattr(U("f"), "trusted.veneer.split", NULL, 0));
	}
}

#define LEVELS 8
#define DEPTH 16

/* Each directory of a path has a redirect to all of the path. */
TEST_F(bounds, nested_redirects)
{
	struct world *w = &self->w;
	char path[2 * DEPTH + 1] = "";

	for (int i = 0; i < DEPTH; i++)
		strcat(path, "/d");
	while (w->nlayers < LEVELS)
		OK(world_add_layer(w));
	for (int l = 0; l < LEVELS; l++) {
		char at[WORLD_PATH + 4 * DEPTH];

		strcpy(at, w->layer[l]);
		for (int i = 0; i <= DEPTH; i++) {
			strcat(at, "/d");
			OK(mkdir(at, 0755));
			if (l < LEVELS - 1)
				OK(setxattr(at, "trusted.overlay.redirect",
					    path, strlen(path), 0));
		}
	}
	OK(world_mount(w));
	SOON("to look a redirected directory up", {
		struct stat st;

		OK(stat(M("d"), &st));
	});
	SOON("to look along redirected directories", {
		struct stat st;

		OK(stat(join(w->mnt, path + 1), &st));
	});
}

/* A redirect that makes the path of the layer under it longer, time and again. */
TEST_F(bounds, growing_redirects)
{
	struct world *w = &self->w;
	char path[2048] = "";

	for (int i = 0; i < 1000; i++)
		strcat(path, "/d");
	while (w->nlayers < LEVELS)
		OK(world_add_layer(w));
	for (int l = 0; l < LEVELS; l++) {
		int fd = OK(open(w->layer[l], O_DIRECTORY | O_CLOEXEC));

		for (int i = 0; i < 64; i++) {
			int next;

			OK(mkdirat(fd, "d", 0755));
			next = OK(openat(fd, "d", O_DIRECTORY | O_CLOEXEC));
			close(fd);
			fd = next;
			OK(fsetxattr(fd, "trusted.overlay.redirect", path,
				     strlen(path), 0));
		}
		close(fd);
	}
	OK(world_mount(w));
	SOON("to look along paths that grow", {
		struct stat st;

		CHECK(stat(M("d"), &st), "it leads nowhere");
	});
}

static uint64_t rol64(uint64_t v, int by)
{
	return v << by | v >> (64 - by);
}

/*
 * The kernel's full_name_hash() of names of 15 bytes, without a salt, where it
 * hashes words: names for which it is always the same, by solving it for the
 * second word.
 */
static bool colliding_name(uint64_t first, char name[16])
{
	const uint64_t golden = 0x61C8864680B583EBull;
	uint64_t x = first, y = first, inverse = golden, second;

	x = rol64(x, 12) + y;
	y = rol64(y, 45) * 9;
	/* ... of an odd number, by Newton. */
	for (int i = 0; i < 6; i++)
		inverse *= 2 - golden * inverse;
	second = x ^ (y ^ 0x1234567890abcdefull) * inverse;
	memcpy(name, &first, 8);
	memcpy(name + 8, &second, 8);
	return !name[15] && strlen(name) == 15 && !strchr(name, '/');
}

/* Makes empty files of colliding names, or of such that differ by chance. */
static int make_names(const char *dir, int nr, bool collide)
{
	int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	uint64_t seed = 1;
	char name[16];

	for (int i = 0; at >= 0 && i < nr; i++) {
		do {
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		} while (!colliding_name(seed ^ seed >> 32, name));
		if (!collide)
			name[9] = 1 + i % 46, name[10] = 'a' + i / 46 % 26;
		if (mknodat(at, name, S_IFREG | 0644, 0) && errno != EEXIST)
			return -1;
	}
	return close(at);
}

static double read_names(const char *path, int *nr)
{
	double begun = now();
	DIR *dir = opendir(path);

	*nr = 0;
	while (dir && readdir(dir))
		++*nr;
	if (dir)
		closedir(dir);
	return now() - begun;
}

#define NAMES 12000

TEST_F(bounds, names_that_collide)
{
	struct world *w = &self->w;
	double best[2] = { 1000, 1000 };
	int nr[2];

	OK(mkdir(H(""), 0755));
	OK(mkdir(H("plain"), 0755));
	OK(mkdir(H("chosen"), 0755));
	OK(make_names(H("plain"), NAMES, false));
	OK(make_names(H("chosen"), NAMES, true));
	OK(mount_huge(w));
	/* A guest may have to wait for its processor: the best of many. */
	for (int i = 0; i < 5; i++) {
		for (int chosen = 0; chosen < 2; chosen++) {
			double took = read_names(M(chosen ? "chosen" : "plain"),
						 &nr[chosen]);

			if (took < best[chosen])
				best[chosen] = took;
		}
		OK(remount_huge(w));
	}
	OK(umount(w->mnt));
	EXPECT_EQ(NAMES + 2, nr[1]);
	CHECK(best[1] < 3 * best[0] + 0.02, "%.3f s and not %.3f s", best[1],
	      best[0]);
}

TEST_HARNESS_MAIN
