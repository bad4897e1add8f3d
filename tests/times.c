// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which timestamps of which objects every operation moves: the same in the
 * mount as on a plain directory.
 *
 * Each operation has a directory of its own, so that it meets objects that
 * nothing has copied up before. What is watched is held by descriptors, which
 * follow it wherever it is moved.
 */
#include "testing.h"

#include <dirent.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <time.h>

/* More than is copied whole. */
#define BIG (72 << 10)

/* Objects of each directory before, and names that may be there afterwards. */
static const char * const objects[] = { ".", "f", "big", "g", "s", "d", "d/x", "e", "p" };
static const char * const made[] = { "n", "e/d", "d/f" };

static int with_file(int at, const char *name, int flags, int (*what)(int fd))
{
	int fd = openat(at, name, flags | O_CLOEXEC, 0644);
	int ret = fd < 0 ? -1 : what(fd);
	int err = errno;

	if (fd >= 0)
		close(fd);
	errno = err;
	return ret;
}

static int do_nothing(int fd) { return 0; }
static int do_read(int fd) { char c[10]; return read(fd, c, 10) == 10 ? 0 : -1; }
static int do_read_nothing(int fd) { return read(fd, NULL, 0); }
static int do_read_end(int fd) { char c; return pread(fd, &c, 1, 1 << 20); }
static int do_write(int fd) { return write(fd, "new", 3) == 3 ? 0 : -1; }
static int do_write_nothing(int fd) { return write(fd, "", 0); }
static int do_write_middle(int fd) { return pwrite(fd, "new", 3, BIG / 2) == 3 ? 0 : -1; }
static int do_same_size(int fd) { struct stat st; return fstat(fd, &st) ?: ftruncate(fd, st.st_size); }
static int do_sync(int fd) { return fsync(fd); }

static int do_map(int fd, int prot, int flags)
{
	volatile char *p = mmap(NULL, 4096, prot, flags, fd, 0);
	char c;

	if (p == MAP_FAILED)
		return -1;
	c = *p;
	if (prot & PROT_WRITE)
		*p = c + 1;
	if ((prot & PROT_WRITE) && (flags & MAP_SHARED) &&
	    msync((void *)p, 4096, MS_SYNC))
		return -1;
	return munmap((void *)p, 4096);
}

static int do_map_private(int fd) { return do_map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE); }
static int do_map_read(int fd) { return do_map(fd, PROT_READ, MAP_SHARED); }
static int do_map_write(int fd) { return do_map(fd, PROT_READ | PROT_WRITE, MAP_SHARED); }

static int do_list(int fd)
{
	char buf[4096];
	ssize_t n;

	while ((n = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0)
		;
	return n;
}

static int do_nodump(int fd)
{
	int flags;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags))
		return -1;
	flags |= FS_NODUMP_FL;
	return ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

static int do_fallocate(int fd) { return fallocate(fd, 0, 0, BIG + 4096); }
static int do_keep_size(int fd) { return fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, BIG + 4096); }
static int do_punch(int fd) { return fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 4096, 4096); }
static int do_pipe(int fd) { char c; return write(fd, "x", 1) == 1 && read(fd, &c, 1) == 1 ? 0 : -1; }
static int do_pipe_write(int fd) { return write(fd, "x", 1) == 1 ? 0 : -1; }

static int do_splice(int fd)
{
	int pipes[2], ret;

	if (pipe(pipes))
		return -1;
	ret = splice(fd, NULL, pipes[1], NULL, 100, 0) == 100 ? 0 : -1;
	close(pipes[0]);
	close(pipes[1]);
	return ret;
}

static int copy(int at, const char *from, const char *to,
		ssize_t (*how)(int in, int out))
{
	int in = openat(at, from, O_RDONLY | O_CLOEXEC);
	int out = openat(at, to, O_WRONLY | O_CLOEXEC);
	int ret = in < 0 || out < 0 ? -1 : how(in, out) == 100 ? 0 : -1;

	close(in);
	close(out);
	return ret;
}

static ssize_t by_sendfile(int in, int out) { return sendfile(out, in, NULL, 100); }
static ssize_t by_copy(int in, int out) { return copy_file_range(in, NULL, out, NULL, 100, 0); }

/* Extended attributes by way of /proc: there is no setxattrat() to count on. */
static const char *by_fd(int at, const char *name)
{
	static char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", at, name);
	return path;
}

#define FILE_OP(name, file, flags, what) \
	static int op_##name(int at) { return with_file(at, file, flags, what); }
#define CALL_OP(name, call) \
	static int op_##name(int at) { return call; }

#define NOW &(struct timespec [2]) { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_NOW } }[0]
#define OMIT &(struct timespec [2]) { { .tv_nsec = UTIME_OMIT }, { .tv_nsec = UTIME_OMIT } }[0]

/* FILE(name, file, open flags, what is done with the descriptor) and CALL(name, call) */
#define OPS(FILE, CALL) \
	FILE(open, "f", O_RDONLY, do_nothing) \
	FILE(open_to_write, "f", O_RDWR, do_nothing) \
	FILE(open_creating, "f", O_RDWR | O_CREAT, do_nothing) \
	FILE(open_truncating, "f", O_WRONLY | O_TRUNC, do_nothing) \
	FILE(open_exclusively, "f", O_WRONLY | O_CREAT | O_EXCL, do_nothing) \
	FILE(read, "f", O_RDONLY, do_read) \
	FILE(read_big, "big", O_RDWR, do_read) \
	FILE(read_nothing, "f", O_RDONLY, do_read_nothing) \
	FILE(read_end, "f", O_RDONLY, do_read_end) \
	FILE(read_noatime, "f", O_RDONLY | O_NOATIME, do_read) \
	FILE(splice, "f", O_RDONLY, do_splice) \
	FILE(map_private, "f", O_RDONLY, do_map_private) \
	FILE(map_read, "f", O_RDONLY, do_map_read) \
	FILE(map_write, "f", O_RDWR, do_map_write) \
	FILE(map_write_big, "big", O_RDWR, do_map_write) \
	FILE(list, "d", O_RDONLY | O_DIRECTORY, do_list) \
	FILE(follow, "s", O_RDONLY, do_nothing) \
	CALL(readlink, readlinkat(at, "s", (char [10]) { }, 10) < 0 ? -1 : 0) \
	CALL(sendfile, copy(at, "f", "g", by_sendfile)) \
	CALL(copy_range, copy(at, "f", "big", by_copy)) \
	FILE(write, "f", O_WRONLY, do_write) \
	FILE(write_big, "big", O_WRONLY, do_write_middle) \
	FILE(write_nothing, "f", O_WRONLY, do_write_nothing) \
	FILE(append, "big", O_WRONLY | O_APPEND, do_write) \
	FILE(same_size, "f", O_WRONLY, do_same_size) \
	FILE(sync, "f", O_WRONLY, do_sync) \
	FILE(fallocate, "big", O_WRONLY, do_fallocate) \
	FILE(keep_size, "big", O_WRONLY, do_keep_size) \
	FILE(punch, "big", O_WRONLY, do_punch) \
	FILE(nodump, "f", O_RDONLY, do_nodump) \
	FILE(nodump_dir, "d", O_RDONLY | O_DIRECTORY, do_nodump) \
	FILE(pipe, "p", O_RDWR, do_pipe) \
	FILE(pipe_write, "p", O_RDWR, do_pipe_write) \
	FILE(create, "n", O_WRONLY | O_CREAT | O_EXCL, do_nothing) \
	FILE(tmpfile, "d", O_WRONLY | O_TMPFILE, do_write) \
	CALL(truncate, with_file(at, "big", O_WRONLY, do_nothing) ?: truncate(by_fd(at, "big"), 5000)) \
	CALL(truncate_longer, truncate(by_fd(at, "f"), 5000)) \
	CALL(truncate_same, truncate(by_fd(at, "f"), 1000)) \
	CALL(chmod, fchmodat(at, "f", 0600, 0)) \
	CALL(chmod_same, fchmodat(at, "f", 0644, 0)) \
	CALL(chmod_dir, fchmodat(at, "d", 0700, 0)) \
	CALL(chmod_below, fchmodat(at, "d/x", 0600, 0)) \
	CALL(chown, fchownat(at, "f", 1, 2, 0)) \
	CALL(chown_nothing, fchownat(at, "f", -1, -1, 0)) \
	CALL(chown_link, fchownat(at, "s", 1, 2, AT_SYMLINK_NOFOLLOW)) \
	CALL(utimens, utimensat(at, "f", NOW, 0)) \
	CALL(utimens_omitted, utimensat(at, "f", OMIT, 0)) \
	CALL(utimens_link, utimensat(at, "s", NOW, AT_SYMLINK_NOFOLLOW)) \
	CALL(setxattr, setxattr(by_fd(at, "f"), "user.x", "1", 1, 0)) \
	CALL(setxattr_dir, setxattr(by_fd(at, "d"), "user.x", "1", 1, 0)) \
	CALL(removexattr, removexattr(by_fd(at, "g"), "user.there")) \
	CALL(removexattr_none, removexattr(by_fd(at, "f"), "user.none")) \
	CALL(getxattr, getxattr(by_fd(at, "g"), "user.there", NULL, 0) < 0 ? -1 : 0) \
	CALL(link, linkat(at, "f", at, "n", 0)) \
	CALL(link_across, linkat(at, "f", at, "d/f", 0)) \
	CALL(link_refused, linkat(at, "f", at, "g", 0)) \
	CALL(rename, renameat(at, "f", at, "n")) \
	CALL(rename_over, renameat(at, "f", at, "g")) \
	CALL(rename_across, renameat(at, "f", at, "d/f")) \
	CALL(rename_same, renameat(at, "f", at, "f")) \
	CALL(rename_dir, renameat(at, "d", at, "n")) \
	CALL(rename_dir_across, renameat(at, "d", at, "e/d")) \
	CALL(rename_dir_over, renameat(at, "d", at, "e")) \
	CALL(rename_refused, renameat(at, "e", at, "d")) \
	CALL(exchange, renameat2(at, "f", at, "d/x", RENAME_EXCHANGE)) \
	CALL(exchange_dirs, renameat2(at, "d", at, "e", RENAME_EXCHANGE)) \
	CALL(unlink, unlinkat(at, "f", 0)) \
	CALL(unlink_link, unlinkat(at, "s", 0)) \
	CALL(unlink_below, unlinkat(at, "d/x", 0)) \
	CALL(rmdir, unlinkat(at, "e", AT_REMOVEDIR)) \
	CALL(rmdir_refused, unlinkat(at, "d", AT_REMOVEDIR)) \
	CALL(mkdir, mkdirat(at, "n", 0755)) \
	CALL(mkdir_below, mkdirat(at, "e/d", 0755)) \
	CALL(mknod, mknodat(at, "n", S_IFIFO | 0644, 0)) \
	CALL(symlink, symlinkat("f", at, "n")) \
	CALL(unlink_create, unlinkat(at, "f", 0) ?: mkdirat(at, "f", 0755))

OPS(FILE_OP, CALL_OP)

static const struct op {
	const char *name;
	int (*run)(int at);
} ops[] = {
#define FILE_ENTRY(name, ...) { #name, op_##name },
#define CALL_ENTRY(name, ...) { #name, op_##name },
	OPS(FILE_ENTRY, CALL_ENTRY)
};

FIXTURE(times) {
	struct world w;
};

FIXTURE_VARIANT(times) {
	enum where where;
	unsigned long option;
};

FIXTURE_VARIANT_ADD(times, layer) { .where = IN_LAYER };
FIXTURE_VARIANT_ADD(times, merged) { .where = MERGED };
FIXTURE_VARIANT_ADD(times, strict) { .where = MERGED, .option = MS_STRICTATIME };
FIXTURE_VARIANT_ADD(times, none) { .where = MERGED, .option = MS_NOATIME };

/* The options are about reading, which comes first. */
static int count(unsigned long option)
{
	int n = 0;

	while (n < ARRAY_SIZE(ops) && (!option || strcmp(ops[n].name, "write")))
		n++;
	return n;
}

/* The same option for the mount and for a second view of the plain directory. */
static int with_option(struct world *w, unsigned long flag)
{
	int plain, mnt;

	if (mount(w->plain, w->plain, NULL, MS_BIND, NULL) ||
	    mount(NULL, w->plain, NULL, MS_BIND | MS_REMOUNT | flag, NULL) ||
	    mount(NULL, w->mnt, NULL, MS_BIND | MS_REMOUNT | flag, NULL))
		return -1;
	plain = open(w->plain, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mnt = open(w->mnt, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	close(w->pfd);
	close(w->mfd);
	w->pfd = plain;
	w->mfd = mnt;
	return plain < 0 || mnt < 0 ? -1 : 0;
}

FIXTURE_SETUP(times)
{
	struct world *w = &self->w;
	struct statfs fs;
	char path[64];

	OK(world_begin(w, variant->where));
	OK(statfs(w->plain, &fs));
	if (fs.f_type != EXT4_SUPER_MAGIC) {
		CHECK(!world_end(w), "");
		SKIP(return, "the measure is ext4: others have ways of their own");
	}
	for (int i = 0; i < count(variant->option); i++) {
		const char *dir = ops[i].name;

#define IN_DIR(name) (snprintf(path, sizeof(path), "%s/" name, dir), path)
		OK(put_dir(w, dir, 0755));
		OK(put_pattern(w, IN_DIR("f"), 1000, 1));
		OK(put_pattern(w, IN_DIR("g"), 1000, 2));
		OK(put_xattr(w, path, "user.there", "1", 1));
		OK(put_pattern(w, IN_DIR("big"), BIG, 3));
		OK(put_symlink(w, IN_DIR("s"), "f"));
		OK(put_dir(w, IN_DIR("d"), 0755));
		OK(put_text(w, IN_DIR("d/x"), "x"));
		OK(put_dir(w, IN_DIR("e"), 0755));
		OK(put_node(w, IN_DIR("p"), S_IFIFO | 0644, 0));
	}
	/* The differences would be times again. */
	w->no_compare = true;
	OK(world_mount(w));
	if (variant->option)
		OK(with_option(w, variant->option));
}

FIXTURE_TEARDOWN(times)
{
	if (!*self->w.root || !exists(self->w.root))
		return;
	if (variant->option)
		umount2(self->w.plain, MNT_DETACH);
	FINISH(&self->w);
}

/* One side of a comparison. */
struct side {
	int at;
	int fd[ARRAY_SIZE(objects)];
	int result;
	struct stat object[ARRAY_SIZE(objects)], made[ARRAY_SIZE(made)];
};

static bool watch(struct side *s, int root, const char *dir)
{
	s->at = openat(root, dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < ARRAY_SIZE(objects); i++)
		s->fd[i] = openat(s->at, objects[i], O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return s->at >= 0;
}

static void run(struct side *s, const struct op *op)
{
	s->result = op->run(s->at) ? errno : 0;
	for (int i = 0; i < ARRAY_SIZE(objects); i++)
		if (fstat(s->fd[i], &s->object[i]))
			s->object[i] = (struct stat) { };
	for (int i = 0; i < ARRAY_SIZE(made); i++)
		if (fstatat(s->at, made[i], &s->made[i], AT_SYMLINK_NOFOLLOW))
			s->made[i] = (struct stat) { };
	for (int i = 0; i < ARRAY_SIZE(objects); i++)
		close(s->fd[i]);
	close(s->at);
}

static bool since(const struct timespec *ts, const struct timespec *begin)
{
	return ts->tv_sec > begin->tv_sec ||
	       (ts->tv_sec == begin->tv_sec && ts->tv_nsec >= begin->tv_nsec);
}

static void moved(char text[4], const struct stat *st, const struct timespec *begin)
{
	char *p = text;

	if (since(&st->st_atim, begin))
		*p++ = 'a';
	if (since(&st->st_mtim, begin))
		*p++ = 'm';
	if (since(&st->st_ctim, begin))
		*p++ = 'c';
	*p = 0;
}

static void compare(struct __test_metadata *_metadata, const struct op *op,
		    const char *name, const struct stat *m, const struct stat *p,
		    const struct timespec *begin)
{
	char mount[4], plain[4];

	moved(mount, m, begin);
	moved(plain, p, begin);
	CHECK(!strcmp(mount, plain), "%s: of %s moved \"%s\" in the mount, \"%s\" on a plain directory",
	      op->name, name, mount, plain);
}

TEST_F(times, moved)
{
	struct world *w = &self->w;

	for (int i = 0; i < count(variant->option); i++) {
		struct side mount, plain;
		struct timespec begin;

		OK(watch(&mount, w->mfd, ops[i].name) ? 0 : -1);
		OK(watch(&plain, w->pfd, ops[i].name) ? 0 : -1);
		/* More than a tick, by which the kernel counts. */
		usleep(21000);
		OK(clock_gettime(CLOCK_REALTIME_COARSE, &begin));
		run(&mount, &ops[i]);
		run(&plain, &ops[i]);
		CHECK(mount.result == plain.result, "%s: %s in the mount, %s on a plain directory",
		      ops[i].name, err_name(mount.result), err_name(plain.result));
		for (int j = 0; j < ARRAY_SIZE(objects); j++)
			compare(_metadata, &ops[i], objects[j], &mount.object[j],
				&plain.object[j], &begin);
		for (int j = 0; j < ARRAY_SIZE(made); j++)
			compare(_metadata, &ops[i], made[j], &mount.made[j],
				&plain.made[j], &begin);
	}
}

WORLD_FIXTURE(atime);

FIXTURE_SETUP(atime)
{
	struct world *w = &self->w;

	OK(world_begin(w, variant->where));
	OK(put_text(w, "f", "ten letters"));
	OK(world_mount(w));
}

WORLD_TEARDOWN(atime)

/* What a read has moved stays with the object when it is copied up. */
TEST_F(atime, across_copy_up)
{
	struct world *w = &self->w;
	struct stat before, after;
	struct timespec begin;

	usleep(21000);
	OK(clock_gettime(CLOCK_REALTIME_COARSE, &begin));
	OK(with_file(w->mfd, "f", O_RDONLY, do_read));
	OK(fstatat(w->mfd, "f", &before, 0));
	CHECK(since(&before.st_atim, &begin), "a read left atime alone");
	OK(fchmodat(w->mfd, "f", 0600, 0));
	OK(fstatat(w->mfd, "f", &after, 0));
	EXPECT_EQ(before.st_atim.tv_sec, after.st_atim.tv_sec);
	EXPECT_EQ(before.st_atim.tv_nsec, after.st_atim.tv_nsec);
	EXPECT_EQ(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
	OK(world_remount(w));
	OK(fstatat(w->mfd, "f", &after, 0));
	EXPECT_EQ(before.st_atim.tv_sec, after.st_atim.tv_sec);
	w->no_compare = true;
}

WORLD_FIXTURE(saved);

FIXTURE_SETUP(saved)
{
	struct world *w = &self->w;

	OK(world_begin(w, variant->where));
	OK(put_pattern(w, "big", BIG, 1));
	OK(put_dir(w, "d", 0755));
	OK(put_dir(w, "d/e", 0755));
	OK(put_pattern(w, "d/e/f", BIG, 2));
	OK(world_mount(w));
}

WORLD_TEARDOWN(saved)

#define SAME_TIMES(before, after, when) do {						\
	CHECK(!memcmp(&(before).st_ctim, &(after).st_ctim, sizeof(struct timespec)),	\
	      "ctime moved %s", when);							\
	CHECK(!memcmp(&(before).st_mtim, &(after).st_mtim, sizeof(struct timespec)),	\
	      "mtime moved %s", when);							\
} while (0)

/* What @call does to the file shows in no time; they are left in @before. */
#define MOVES_NO_TIME(fd, before, call, when) do {	\
	struct stat __after;				\
							\
	OK(fstat(fd, &(before)));			\
	usleep(21000);					\
	OK(call);					\
	OK(fstat(fd, &__after));			\
	SAME_TIMES(before, __after, when);		\
} while (0)

/*
 * A program takes a file for changed whose ctime is another. That what was written
 * gets to the disk, at once or later, is no change.
 */
TEST_F(saved, changes_no_time)
{
	struct world *w = &self->w;
	struct stat before, after;
	int fd;

	fd = OK(openat(w->mfd, "big", O_RDWR | O_CLOEXEC));
	OK(do_write_middle(fd));
	MOVES_NO_TIME(fd, before, fsync(fd), "by fsync");
	OK(do_write(fd));
	MOVES_NO_TIME(fd, before, syncfs(fd), "by syncfs");
	OK(close(fd));
	OK(world_remount(w));
	OK(fstatat(w->mfd, "big", &after, 0));
	SAME_TIMES(before, after, "by a remount");
	w->no_compare = true;
}

/* Nor is that a file has become whole by the last of its pages. */
TEST_F(saved, changes_no_time_when_whole)
{
	struct world *w = &self->w;
	struct stat before, after;
	struct statfs fs;
	char *p;
	int fd;

	OK(statfs(w->plain, &fs));
	if (fs.f_type == TMPFS_MAGIC)
		SKIP(return, "tmpfs moves times at any write, also at one that nobody is to see");
	fd = OK(openat(w->mfd, "big", O_RDWR | O_CLOEXEC));
	p = mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(p, MAP_FAILED);
	memset(p, 'n', BIG);
	MOVES_NO_TIME(fd, before, msync(p, BIG, MS_SYNC) ?: fsync(fd), "by msync");
	OK(munmap(p, BIG));
	OK(close(fd));
	OK(world_remount(w));
	OK(fstatat(w->mfd, "big", &after, 0));
	SAME_TIMES(before, after, "by a remount");
	w->no_compare = true;
}

/* Nor do the directories that were copied up for a file in them tell. */
TEST_F(saved, changes_no_time_of_directories)
{
	static const char * const dirs[] = { ".", "d", "d/e" };
	struct stat before[ARRAY_SIZE(dirs)], after;
	struct world *w = &self->w;

	for (int i = 0; i < ARRAY_SIZE(dirs); i++)
		OK(fstatat(w->mfd, dirs[i], &before[i], 0));
	usleep(21000);
	OK(fchmodat(w->mfd, "d/e/f", 0600, 0));
	OK(with_file(w->mfd, "d/e/f", O_RDWR, do_write_middle));
	for (int i = 0; i < ARRAY_SIZE(dirs); i++) {
		OK(fstatat(w->mfd, dirs[i], &after, 0));
		SAME_TIMES(before[i], after, dirs[i]);
	}
	OK(world_remount(w));
	for (int i = 0; i < ARRAY_SIZE(dirs); i++) {
		OK(fstatat(w->mfd, dirs[i], &after, 0));
		SAME_TIMES(before[i], after, "after a remount");
	}
	w->no_compare = true;
}

TEST_HARNESS_MAIN
