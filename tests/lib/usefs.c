// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "usefs.h"
#include "veneer.h"
#include "watch.h"

#define OBJECTS 300
#define PATH 300
#define FDS 6
#define LARGEST (1 << 20)	/* what may be written of, at once */

static struct rng *r;
static char object[OBJECTS][PATH];
static int objects;
static int fd[FDS];
static unsigned char buf[1 << 16] __attribute__((aligned(4096)));
static bool loud;

static unsigned int under(unsigned int n)
{
	return rng_under(r, n);
}

#define PICK(list) ((list)[under(sizeof(list) / sizeof(*(list)))])
#define DO(call, text) do {						\
	long __r = CALL(#call, text, call);				\
	if (loud)							\
		printf("#   %.60s on %s: %ld %s\n", #call, text, __r,	\
		       __r < 0 ? strerror(errno) : "");			\
} while (0)

static void look_at(const char *path, int depth)
{
	char child[PATH + 260];
	struct dirent *de;
	struct stat st;
	int at, n = 0;
	DIR *dir;

	if (objects == OBJECTS || strlen(path) >= PATH)
		return;
	strcpy(object[objects++], *path ? path : "/");
	if (CALL("lstat", path, lstat(*path ? path : "/", &st)) || !S_ISDIR(st.st_mode) ||
	    depth == 8)
		return;
	at = CALL("open a directory", path,
		  open(*path ? path : "/", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
	dir = at < 0 ? NULL : fdopendir(at);
	while (dir && n++ < 80 && (de = (void *)CALL("readdir", path, readdir(dir)))) {
		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		snprintf(child, sizeof(child), "%s/%s", path, de->d_name);
		look_at(child, depth + 1);
	}
	if (dir)
		closedir(dir);
}

static const char *some(void)
{
	return object[under(objects)];
}

/* One that is likely not there: in one of the directories. */
static const char *new_name(void)
{
	static const char *const name[] = {
		"n0", "n1", "n2", "a0", "a1", "b0", "c1", "d2", ".veneer", "#1", "work", ".wh.a0",
	};
	static char path[PATH + 20];
	struct stat st;
	const char *at = some();

	if (lstat(at, &st) || !S_ISDIR(st.st_mode)) {
		strcpy(path, at);
		*(strrchr(path, '/') + 1) = 0;
	} else {
		snprintf(path, sizeof(path), "%.290s/", at);
	}
	strncat(path, PICK(name), 16);
	return path;
}

static long long some_offset(void)
{
	static const long long odd[] = {
		0, 1, 4095, 4096, 4097, 65536, 100000, 1 << 20, 1LL << 31, 1LL << 40, 1LL << 44,
		0x7ffffffffffff000LL, 0x7fffffffffffffffLL,
	};

	return under(3) ? under(200000) : PICK(odd);
}

static void attributes_of(const char *path)
{
	static const char *const name[] = {
		"user.veneer.split", "user.overlay.redirect", "trusted.veneer.split", "user.one",
		"security.capability", "system.posix_acl_access", "user.overlay.metacopy",
	};
	const char *which = PICK(name);

	switch (under(6)) {
	case 0: case 1:
		DO(llistxattr(path, (char *)buf, under(2) ? sizeof(buf) : under(40)), path);
		break;
	case 2: case 3:
		DO(lgetxattr(path, which, buf, under(2) ? sizeof(buf) : under(40)), path);
		break;
	case 4:
		DO(lsetxattr(path, which, buf, under(60), 0), path);
		break;
	case 5:
		DO(lremovexattr(path, which), path);
		break;
	}
}

static void look(const char *path)
{
	struct stat st;
	struct statx x;
	struct statfs fs;
	struct {
		struct file_handle fh;
		unsigned char space[MAX_HANDLE_SZ];
	} h = { .fh.handle_bytes = MAX_HANDLE_SZ };
	static const int flags[] = {
		AT_STATX_FORCE_SYNC, AT_STATX_DONT_SYNC, AT_SYMLINK_NOFOLLOW, AT_NO_AUTOMOUNT,
	};
	int id, at;

	switch (under(8)) {
	case 0:
		DO(lstat(path, &st), path);
		break;
	case 1:
		DO(stat(path, &st), path);
		break;
	case 2:
		DO(statx(AT_FDCWD, path, PICK(flags), STATX_ALL, &x), path);
		break;
	case 3:
		DO(readlink(path, (char *)buf, sizeof(buf)), path);
		break;
	case 4:
		DO(access(path, under(8)), path);
		break;
	case 5:
		DO(statfs(path, &fs), path);
		break;
	case 6: case 7:
		DO(name_to_handle_at(AT_FDCWD, path, &h.fh, &id, 0), path);
		if (under(8) == 0)
			h.space[under(h.fh.handle_bytes ?: 1)] ^= 1 << under(8);
		at = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		DO(open_by_handle_at(at, &h.fh, O_PATH), path);
		close(at);
		break;
	}
}

static void name(const char *path)
{
	static const unsigned int how[] = {
		0, 0, 0, RENAME_EXCHANGE, RENAME_WHITEOUT, RENAME_NOREPLACE, 8,
	};
	static const mode_t kind[] = {
		S_IFIFO | 0644, S_IFCHR | 0644, S_IFSOCK | 0600, S_IFREG | 0600,
	};
	const char *to = under(2) ? new_name() : some();
	struct timespec ts[2] = { { under(1 << 30), under(1000) }, { under(1 << 30), 0 } };

	switch (under(14)) {
	case 0: case 1:
		DO(renameat2(AT_FDCWD, path, AT_FDCWD, to, PICK(how)), path);
		break;
	case 2: case 3:
		DO(link(path, to), path);
		break;
	case 4:
		DO(unlink(path), path);
		break;
	case 5:
		DO(rmdir(path), path);
		break;
	case 6:
		DO(mkdir(to, 0755), to);
		break;
	case 7:
		DO(symlink(path, to), to);
		break;
	case 8:
		DO(mknod(to, PICK(kind), 0), to);
		break;
	case 9: case 10:
		DO(chmod(path, 0600 + under(0200)), path);
		break;
	case 11:
		DO(lchown(path, under(2) ? 0 : (uid_t)-1, under(3) ? 0 : 1), path);
		break;
	case 12:
		DO(utimensat(AT_FDCWD, path, under(2) ? ts : NULL, AT_SYMLINK_NOFOLLOW), path);
		break;
	case 13:
		attributes_of(path);
		break;
	}
}

static void open_one(const char *path)
{
	static const int how[] = {
		O_RDONLY, O_RDONLY, O_RDWR, O_RDWR, O_RDWR, O_WRONLY, O_RDWR | O_TRUNC,
		O_RDWR | O_DIRECT, O_RDONLY | O_DIRECT, O_RDWR | O_SYNC, O_WRONLY | O_APPEND,
		O_RDONLY | O_NOATIME, O_PATH, O_RDWR | O_CREAT, O_RDWR | O_TMPFILE,
		O_RDONLY | O_DIRECTORY,
	};
	int slot = under(FDS), flags = PICK(how);

	if (fd[slot] >= 0)
		DO(close(fd[slot]), path);
	fd[slot] = CALL("open", path, open(path, flags | O_NONBLOCK | O_CLOEXEC, 0644));
	if (loud)
		printf("#   open %s %o: %s\n", path, flags, fd[slot] < 0 ? strerror(errno) : "");
}

static sigjmp_buf out;

static void on_bus(int sig)
{
	siglongjmp(out, 1);
}

/* Volatile: not what the compiler thinks it is after the jump. */
static void map(int f, const char *text)
{
	static unsigned char *volatile p;
	static volatile size_t size;
	static volatile bool write;
	static const int sync[] = { MS_SYNC, MS_ASYNC, MS_INVALIDATE };
	static const int advice[] = {
		MADV_DONTNEED, MADV_WILLNEED, MADV_REMOVE, MADV_POPULATE_WRITE, MADV_PAGEOUT,
	};
	off_t off = (under(3) ? under(40) : some_offset() >> 12) * 4096LL;

	size = 4096 * (1 + under(8));
	write = under(2);
	p = (void *)CALL("mmap", text, mmap(NULL, size, PROT_READ | (write ? PROT_WRITE : 0),
					    under(4) ? MAP_SHARED : MAP_PRIVATE, f, off));
	if (p == MAP_FAILED)
		return;
	if (!sigsetjmp(out, 1)) {
		signal(SIGBUS, on_bus);
		watch_begin("a fault", text);
		for (size_t at = 0; at < size; at += 4096) {
			if (write)
				p[at + under(4096)] = 'm';
			else
				buf[0] += p[at];
		}
	}
	watch_end();
	if (under(2))
		CALL("msync", text, msync(p, size, PICK(sync)));
	if (under(4) == 0)
		CALL("madvise", text, madvise(p, size, PICK(advice)));
	CALL("munmap", text, munmap(p, size));
}

static void read_it(int f, const char *text)
{
	struct iovec v = { buf, under(sizeof(buf)) };
	off_t off = some_offset();
	int pipes[2];

	switch (under(8)) {
	case 0: case 1: case 2:
		DO(pread(f, buf, under(sizeof(buf)), off), text);
		break;
	case 3:
		DO(lseek(f, off, under(2) ? SEEK_DATA : SEEK_HOLE), text);
		break;
	case 4:
		DO(posix_fadvise(f, off, under(2) ? 0 : 1 << 20, PICK(((int []) {
			POSIX_FADV_WILLNEED, POSIX_FADV_DONTNEED, POSIX_FADV_NOREUSE }))), text);
		break;
	case 5:
		DO(preadv2(f, &v, 1, off, PICK(((int []) { RWF_NOWAIT, RWF_HIPRI, 0 }))), text);
		break;
	case 6:
		if (pipe2(pipes, O_NONBLOCK | O_CLOEXEC))
			break;
		DO(splice(f, &off, pipes[1], NULL, 30000, SPLICE_F_NONBLOCK), text);
		close(pipes[0]);
		close(pipes[1]);
		break;
	case 7:
		DO(readahead(f, off, 1 << 20), text);
		break;
	}
}

static void write_it(int f, const char *text)
{
	static const int mode[] = {
		0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE, FALLOC_FL_UNSHARE_RANGE,
	};
	struct iovec v = { buf, under(9000) };
	off_t off = some_offset(), from = some_offset();
	int m = PICK(mode);

	switch (under(9)) {
	case 0: case 1: case 2:
		DO(pwrite(f, buf, under(9000), off), text);
		break;
	case 3:
		DO(ftruncate(f, off), text);
		break;
	case 4:
		/* Only what makes holes may be of any length: the disk is small. */
		DO(fallocate(f, m, off, m & FALLOC_FL_PUNCH_HOLE && under(2) ? some_offset() + 1 :
			     1 + under(100000)), text);
		break;
	case 5:
		DO(copy_file_range(fd[under(FDS)], &from, f, &off, under(100000), 0), text);
		break;
	case 6:
		DO(sendfile(f, fd[under(FDS)], &from, under(60000)), text);
		break;
	case 7:
		DO(pwritev2(f, &v, 1, off, PICK(((int []) { RWF_NOWAIT, RWF_APPEND, RWF_DSYNC }))),
		   text);
		break;
	case 8:
		DO(write(f, buf, under(5000)), text);
		break;
	}
}

static void sync_it(int f, const char *text)
{
	switch (under(5)) {
	case 0: case 1:
		DO(fsync(f), text);
		break;
	case 2:
		DO(fdatasync(f), text);
		break;
	case 3:
		DO(sync_file_range(f, 0, 0, under(8)), text);
		break;
	case 4:
		DO(syncfs(f), text);
		break;
	}
}

static void control(int f, const char *text)
{
	struct veneer_range range[8];
	struct veneer_map map = { .size = sizeof(map), .nr = 1 + under(8),
				  .ranges = (uintptr_t)range, .start = some_offset() };
	struct veneer_counters counters = { .size = sizeof(counters) };
	struct veneer_stack_info info = { .size = sizeof(info) };
	struct veneer_tunables tunables = { .size = sizeof(tunables), .block_shift = 12 + under(10),
					    .whole_limit = under(LARGEST) };
	struct {
		struct fiemap map;
		struct fiemap_extent extent[4];
	} fiemap = { .map = { .fm_length = FIEMAP_MAX_OFFSET, .fm_extent_count = 4,
			      .fm_flags = under(4) ? 0 : FIEMAP_FLAG_SYNC } };
	struct fsxattr fsx;
	struct stat st;
	static const int some_flags[] = { 0, FS_NODUMP_FL, FS_NOATIME_FL, FS_SYNC_FL };
	int flags = PICK(some_flags);

	switch (under(13)) {
	case 0: case 1: case 2:
		DO(ioctl(f, VENEER_IOC_MAP, &map), text);
		break;
	case 3:
		/* What is large takes its time by right. */
		if (!fstat(f, &st) && st.st_size <= 8 * LARGEST)
			DO(ioctl(f, VENEER_IOC_MAKE_WHOLE), text);
		break;
	case 4:
		DO(ioctl(f, VENEER_IOC_COUNTERS, &counters), text);
		break;
	case 5:
		DO(ioctl(f, VENEER_IOC_STACK_INFO, &info), text);
		break;
	case 6:
		DO(ioctl(f, VENEER_IOC_SET_TUNABLES, &tunables), text);
		break;
	case 7:
		DO(ioctl(f, FS_IOC_FIEMAP, &fiemap), text);
		break;
	case 8:
		DO(ioctl(f, FS_IOC_GETFLAGS, &flags), text);
		break;
	case 9:
		DO(ioctl(f, FS_IOC_SETFLAGS, &flags), text);
		break;
	case 10:
		DO(ioctl(f, FS_IOC_FSGETXATTR, &fsx), text);
		break;
	case 11:
		DO(ioctl(f, FICLONE, fd[under(FDS)]), text);
		break;
	case 12:
		DO(fchmod(f, 0600 + under(0200)), text);
		break;
	}
}

static void use_fd(void)
{
	char text[16];
	int slot = under(FDS), f = fd[slot];

	snprintf(text, sizeof(text), "descriptor %d", slot);
	switch (under(9)) {
	case 0: case 1:
		read_it(f, text);
		break;
	case 2: case 3: case 4:
		write_it(f, text);
		break;
	case 5:
		map(f, text);
		break;
	case 6:
		control(f, text);
		break;
	case 7:
		sync_it(f, text);
		break;
	case 8:
		DO(linkat(f, "", AT_FDCWD, new_name(), AT_EMPTY_PATH), text);
		break;
	}
}

void usefs(struct rng *rng, unsigned int calls, bool verbose)
{
	r = rng;
	loud = verbose;
	for (int i = 0; i < FDS; i++)
		fd[i] = -1;
	objects = 0;
	look_at("", 0);
	/* Each of them once, and then at random. */
	for (int i = 0; i < objects; i++) {
		look(object[i]);
		attributes_of(object[i]);
		open_one(object[i]);
		use_fd();
	}
	for (unsigned int i = 0; i < calls; i++) {
		switch (under(8)) {
		case 0:
			look(some());
			break;
		case 1:
			attributes_of(some());
			break;
		case 2: case 3:
			name(some());
			break;
		case 4: case 5:
			open_one(some());
			/* fall through */
		default:
			use_fd();
			break;
		}
		if (i % 50 == 49) {
			objects = 0;
			look_at("", 0);
		}
	}
	for (int i = 0; i < FDS; i++)
		if (fd[i] >= 0)
			DO(close(fd[i]), "the end");
}
