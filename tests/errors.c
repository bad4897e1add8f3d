// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Write-back errors: a disk that fails in the background. Whoever had the file open
 * is told, once, as on the filesystem of the upper itself; and the file then has its
 * old bytes or its new ones, and no others.
 */
#include "testing.h"

#include <sched.h>
#include <time.h>

#include "dm.h"

#define BLOCK 4096
#define BLOCKS 64
#define OLD 'x'
#define NEW 'B'

static int write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -1;
	ret = write(fd, text, strlen(text)) < 0 ? -1 : 0;
	close(fd);
	return ret;
}

static int fault(const char *what, const char *text)
{
	return write_to(join("/sys/kernel/debug/fail_make_request", what), text);
}

static int faults_left(void)
{
	char buf[32] = "";

	read_text("/sys/kernel/debug/fail_make_request/times", buf, sizeof(buf));
	return atoi(buf);
}

static void nap(int ms)
{
	const struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&t, NULL);
}

static int command(const char *const argv[])
{
	return IN_CHILD({
		int null = open("/dev/null", O_RDWR);

		dup2(null, 1);
		dup2(null, 2);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	});
}

/* A filesystem on a disk of its own, with everything on it. */
FIXTURE(disk) {
	char root[WORLD_PATH];	/* where it is mounted */
	char image[WORLD_PATH + 8];
	char loop[64];
	char mnt[WORLD_PATH + 8];	/* what is mounted on it */
	int attached, mounted, stacked;
	char back[16], expire[16];
};

FIXTURE_VARIANT(disk) {
	const char *fs;
	bool plain;		/* no mount: what the filesystem itself does */
};

FIXTURE_VARIANT_ADD(disk, ext4) { .fs = "ext4" };
FIXTURE_VARIANT_ADD(disk, xfs) { .fs = "xfs" };
FIXTURE_VARIANT_ADD(disk, ext4_itself) { .fs = "ext4", .plain = true };

#define D(rel) join(self->root, rel)
#define F_PATH join(self->mnt, "f")

static int stack(const char *root, const char *mnt)
{
	char lower[PATH_MAX], upper[PATH_MAX], work[PATH_MAX], log[256];
	const char *const option[][2] = {
		{ "lowerdir", lower }, { "upperdir", upper }, { "workdir", work }, { NULL, NULL } };

	snprintf(lower, PATH_MAX, "%s/lower", root);
	snprintf(upper, PATH_MAX, "%s/upper", root);
	snprintf(work, PATH_MAX, "%s/work", root);
	return fs_mount(world_fstype(), option, 0, mnt, log, sizeof(log));
}

static int put_old(const char *path)
{
	char block[BLOCK];
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644), ret = 0;

	memset(block, OLD, BLOCK);
	for (int i = 0; i < BLOCKS && fd >= 0; i++)
		ret |= pwrite(fd, block, BLOCK, i * BLOCK) != BLOCK;
	if (fd < 0 || ret || fsync(fd))
		return -1;
	return close(fd);
}

FIXTURE_SETUP(disk)
{
	const char *const ext4[] = { "mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0",
				     self->image, NULL };
	const char *const xfs[] = { "mkfs.xfs", "-q", "-f", self->image, NULL };
	char fail[64];
	int fd, n;

	unshare(CLONE_NEWNS);
	mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	if (world_is_overlay())
		SKIP(return, "what overlayfs tells is no measure");
	if (!exists("/sys/kernel/debug/fail_make_request/times"))
		SKIP(return, "this kernel cannot make requests fail");
	load_module("loop");
	snprintf(self->root, sizeof(self->root), "%s/errors.%d", world_dir(), getpid());
	snprintf(self->image, sizeof(self->image), "%s.disk", self->root);
	snprintf(self->mnt, sizeof(self->mnt), "%s/mnt", self->root);
	OK(mkdir(self->root, 0755));
	fd = OK(open(self->image, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	OK(ftruncate(fd, 320LL << 20));
	ASSERT_EQ(0, command(strcmp(variant->fs, "xfs") ? ext4 : xfs));
	n = OK(loop_attach(fd, self->loop));
	self->attached = 1;
	close(fd);
	/* A journal that cannot be written would be another story. */
	OK(mount(self->loop, self->root, variant->fs, 0,
		 strcmp(variant->fs, "xfs") ? "commit=100" : NULL));
	self->mounted = 1;
	OK(mkdir(D("lower"), 0755));
	OK(mkdir(D("upper"), 0755));
	OK(mkdir(D("work"), 0755));
	OK(mkdir(D("mnt"), 0755));
	OK(put_old(D(variant->plain ? "mnt/f" : "lower/f")));
	sync();
	if (!variant->plain) {
		ASSERT_LE(0, fd = stack(self->root, self->mnt));
		close(fd);
		self->stacked = 1;
	}

	fault("probability", "100");
	fault("interval", "1");
	fault("space", "0");
	fault("verbose", "0");
	fault("times", "0");
	snprintf(fail, sizeof(fail), "/sys/block/loop%d/make-it-fail", n);
	OK(write_to(fail, "1"));
	read_text("/proc/sys/vm/dirty_writeback_centisecs", self->back, sizeof(self->back));
	read_text("/proc/sys/vm/dirty_expire_centisecs", self->expire, sizeof(self->expire));
}

FIXTURE_TEARDOWN(disk)
{
	fault("times", "0");
	fault("probability", "0");
	if (self->back[0]) {
		write_to("/proc/sys/vm/dirty_writeback_centisecs", self->back);
		write_to("/proc/sys/vm/dirty_expire_centisecs", self->expire);
	}
	if (self->stacked)
		CHECK(!umount2(self->mnt, 0), "%s", strerror(errno));
	if (self->mounted)
		CHECK(!umount2(self->root, 0), "%s", strerror(errno));
	if (self->attached)
		loop_detach(self->loop);
	unlink(self->image);
	rmdir(self->root);
}

/* The next requests to the disk fail; waits until they have, in the background. */
static int fail_in_background(int times)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", times);
	if (fault("times", text) || write_to("/proc/sys/vm/dirty_expire_centisecs", "1"))
		return -1;
	/* Each change of it wakes who writes in the background; then it may try again. */
	for (int i = 0, more = 6; i < 1000 && more; i++) {
		if (write_to("/proc/sys/vm/dirty_writeback_centisecs", i % 2 ? "2" : "3"))
			return -1;
		nap(50);
		more -= !faults_left();
	}
	return faults_left();
}

static int put_block(int fd, int nr, int byte)
{
	char block[BLOCK];

	memset(block, byte, BLOCK);
	return pwrite(fd, block, BLOCK, nr * BLOCK) == BLOCK ? 0 : -1;
}

/* What one block has: its byte, or 0x100 when it is not the same all over. */
static int get_block(const char *path, int nr)
{
	unsigned char block[BLOCK];
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -1;
	ret = pread(fd, block, BLOCK, nr * BLOCK) == BLOCK ? block[0] : -1;
	close(fd);
	return ret >= 0 && memcmp(block, block + 1, BLOCK - 1) ? 0x100 : ret;
}

#define EIO_ONCE(fd) do {					\
	FAILS(EIO, fsync(fd));					\
	CHECK(!fsync(fd), "told twice: %s", strerror(errno));	\
} while (0)

/* All blocks have old or new bytes: now, with cold caches, after a remount. */
#define OLD_OR_NEW() do {						\
	for (int __turn = 0; __turn < (variant->plain ? 0 : 3); __turn++) {	\
		if (__turn == 1)					\
			drop_caches();					\
		if (__turn == 2) {					\
			self->stacked = 0;				\
			OK(umount2(self->mnt, 0));			\
			drop_caches();					\
			ASSERT_LE(0, fd = stack(self->root, self->mnt));	\
			close(fd);					\
			self->stacked = 1;				\
		}							\
		for (int __i = 0; __i < BLOCKS; __i++) {		\
			int __b = get_block(F_PATH, __i);		\
			CHECK(__b == OLD || __b == NEW,			\
			      "block %d has %#x (turn %d)", __i, __b, __turn);	\
		}							\
	}								\
} while (0)

/* A descriptor that wrote, one that did not, one from before the copy-up. */
TEST_F(disk, all_descriptors)
{
	int below = OK(open(F_PATH, O_RDONLY | O_CLOEXEC));
	int writer = OK(open(F_PATH, O_RDWR | O_CLOEXEC)), other, late, fd;

	OK(put_block(writer, 8, NEW));
	OK(fsync(writer));
	sync();
	other = OK(open(F_PATH, O_RDWR | O_CLOEXEC));
	OK(put_block(writer, 9, NEW));
	ASSERT_EQ(0, fail_in_background(1));
	EIO_ONCE(other);
	late = OK(open(F_PATH, O_RDONLY | O_CLOEXEC));
	CHECK(!fsync(late), "opened after it was told");
	EIO_ONCE(writer);
	EIO_ONCE(below);
	close(below);
	close(writer);
	close(other);
	close(late);
	OLD_OR_NEW();
}

/* Errors are told also when somebody else has seen them in the upper's file. */
TEST_F(disk, seen_in_the_upper)
{
	int writer = OK(open(F_PATH, O_RDWR | O_CLOEXEC)), other, direct, fd;

	if (variant->plain)
		SKIP(goto out, "there is no upper");
	OK(put_block(writer, 8, NEW));
	OK(fsync(writer));
	sync();
	other = OK(open(F_PATH, O_RDWR | O_CLOEXEC));
	direct = OK(open(D("upper/f"), O_RDONLY | O_CLOEXEC));
	OK(put_block(writer, 8, NEW));
	OK(put_block(writer, 9, NEW));
	fault("times", "1");
	FAILS(EIO, fsync(direct));
	close(direct);
	EIO_ONCE(writer);
	EIO_ONCE(other);
	close(other);
	close(writer);
	OLD_OR_NEW();
	return;
out:
	close(writer);
}

/* syncfs(2) tells, too. */
TEST_F(disk, syncfs)
{
	int root = OK(open(self->mnt, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	int writer = OK(open(F_PATH, O_RDWR | O_CLOEXEC)), fd;

	OK(put_block(writer, 8, NEW));
	OK(fsync(writer));
	sync();
	OK(syncfs(root));
	for (int i = 10; i < 20; i++)
		OK(put_block(writer, i, NEW));
	ASSERT_EQ(0, fail_in_background(1));
	FAILS(EIO, syncfs(root));
	OK(syncfs(root));
	EIO_ONCE(writer);
	OK(syncfs(root));
	close(writer);
	close(root);
	OLD_OR_NEW();
}

/* What is done to the file afterwards is not what failed, and does not hide it. */
TEST_F(disk, other_calls_between)
{
	int writer = OK(open(F_PATH, O_RDWR | O_CLOEXEC)), fd;

	OK(put_block(writer, 8, NEW));
	OK(fsync(writer));
	sync();
	OK(put_block(writer, 9, NEW));
	ASSERT_EQ(0, fail_in_background(1));
	OK(put_block(writer, 10, NEW));
	OK(fchmod(writer, 0640));
	OK(truncate(F_PATH, (BLOCKS - 1) * BLOCK));
	OK(truncate(F_PATH, BLOCKS * BLOCK));
	OK(put_block(writer, BLOCKS - 1, NEW));
	EIO_ONCE(writer);
	close(writer);
	OLD_OR_NEW();
}

/* Pages of a mapping. */
TEST_F(disk, mapping)
{
	int writer = OK(open(F_PATH, O_RDWR | O_CLOEXEC)), other, fd;
	char *map;

	OK(put_block(writer, 8, NEW));
	OK(fsync(writer));
	sync();
	other = OK(open(F_PATH, O_RDONLY | O_CLOEXEC));
	map = mmap(NULL, BLOCKS * BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, writer, 0);
	ASSERT_NE(MAP_FAILED, map);
	memset(map + 20 * BLOCK, NEW, BLOCK);
	ASSERT_EQ(0, fail_in_background(1));
	EIO_ONCE(other);
	FAILS(EIO, msync(map, BLOCKS * BLOCK, MS_SYNC));
	OK(msync(map, BLOCKS * BLOCK, MS_SYNC));
	munmap(map, BLOCKS * BLOCK);
	close(other);
	close(writer);
	OLD_OR_NEW();
}

TEST_HARNESS_MAIN
