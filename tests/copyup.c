// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Copy-up: at once or not at all, whoever else is there, whatever goes wrong;
 * and the layers stay as they are, which every world checks at its end.
 */
#include "testing.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define MIB (1 << 20)

FIXTURE(copyup)
{
	struct world w;
};

FIXTURE_VARIANT(copyup)
{
	enum where where;
};

FIXTURE_VARIANT_ADD(copyup, layer) { .where = IN_LAYER };
FIXTURE_VARIANT_ADD(copyup, lower) { .where = IN_LOWER };

FIXTURE_SETUP(copyup)
{
	struct world *w = &self->w;

	OK(world_begin(w, variant->where));
}

WORLD_TEARDOWN(copyup)

static const struct timespec old[2] = { { 1234, 5678 }, { 234567890, 123456789 } };

/* All that a file has goes up with it, whatever the first change is. */
TEST_F(copyup, keeps_everything)
{
	struct world *w = &self->w;

	OK(put_dir(w, "d", 0751));
	OK(put_owner(w, "d", 5, 6));
	OK(put_xattr(w, "d", "user.d", "on the directory", 16));
	OK(put_xattr(w, "d", "trusted.d", "on the directory", 16));
	for (int i = 0; i < 8; i++) {
		char name[16];

		snprintf(name, sizeof(name), "d/f%d", i);
		OK(put_pattern(w, name, 70000 + i, i));
		OK(put_owner(w, name, 1000 + i, 2000 + i));
		OK(put_mode(w, name, 04750));
		OK(put_xattr(w, name, "user.x", "value", 5));
		OK(put_xattr(w, name, "user.empty", "", 0));
		OK(put_xattr(w, name, "security.x", "value", 5));
	}
	w->tree_flags |= TREE_MTIME | TREE_DIRTIME;
	OK(world_mount(w));
	BOTH_OK(fchmodat(at, "d/f0", 04751, 0));
	BOTH_OK(fchownat(at, "d/f1", 7, -1, 0));
	BOTH_OK(utimensat(at, "d/f2", old, 0));
	BOTH_OK(setxattr(P("d/f3"), "user.new", "x", 1, 0));
	BOTH_OK(removexattr(P("d/f4"), "user.x"));
	SAME_TREES(w);
	w->tree_flags &= ~TREE_DIRTIME;
	BOTH_OK(linkat(at, "d/f5", at, "d/l5", 0));
	BOTH_OK(renameat(at, "d/f6", at, "d/m6"));
	SAME_TREES(w);
	w->tree_flags &= ~TREE_MTIME;
	BOTH_OK(truncate(P("d/f7"), 100));
	for (int i = 0; i < 5; i++) {
		char name[16];

		snprintf(name, sizeof(name), "d/f%d", i);
		BOTH_OK(truncate(P(name), 50000));
	}
}

/* Every directory on the way up is copied with its metadata. */
TEST_F(copyup, parents)
{
	struct world *w = &self->w;

	OK(put_dir(w, "a", 0701));
	OK(put_dir(w, "a/b", 02770));
	OK(put_owner(w, "a/b", 7, 8));
	OK(put_mode(w, "a/b", 02770));
	OK(put_dir(w, "a/b/c", 01777));
	OK(put_mode(w, "a/b/c", 01777));
	OK(put_xattr(w, "a/b/c", "user.x", "y", 1));
	OK(put_dir(w, "a/b/c/e", 0700));
	OK(put_text(w, "a/b/c/e/file", "deep down\n"));
	w->tree_flags |= TREE_MTIME | TREE_DIRTIME;
	OK(world_mount(w));
	BOTH_OK(fchmodat(at, "a/b/c/e/file", 0600, 0));
	CHECK(exists(U("a/b/c/e/file")), "not in the upper");
}

/* One write by each of many processes, all at once, to one file and to many. */
#define WORKERS 6
#define FILES 12

static int worker(struct world *w, int id)
{
	char name[32], c = 'A' + id;

	for (int i = 0; i < FILES; i++) {
		int fd;

		snprintf(name, sizeof(name), "d/sub%d/file%d", i % 3, i);
		if (id & 1 && fchmodat(w->mfd, name, 0644, 0))
			return 1;
		fd = openat(w->mfd, name, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			return 2;
		if (pwrite(fd, &c, 1, 1000 * id) != 1)
			return 3;
		close(fd);
		snprintf(name, sizeof(name), "d/sub%d/new%d.%d", i % 3, i, id);
		if (mknodat(w->mfd, name, S_IFREG | 0644, 0))
			return 4;
	}
	return 0;
}

TEST_F(copyup, at_once)
{
	struct world *w = &self->w;
	pid_t pid[WORKERS];
	char name[32];

	OK(put_dir(w, "d", 0755));
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "d/sub%d", i);
		OK(put_dir(w, name, 0755));
	}
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "d/sub%d/file%d", i % 3, i);
		OK(put_pattern(w, name, 300000, i));
	}
	OK(world_mount(w));
	for (int id = 0; id < WORKERS; id++) {
		fflush(NULL);
		pid[id] = OK(fork());
		if (!pid[id])
			_exit(worker(w, id));
	}
	for (int id = 0; id < WORKERS; id++) {
		int status;

		OK(waitpid(pid[id], &status, 0));
		CHECK(!status, "worker %d: %x", id, status);
	}
	/* Nobody's write was lost to another one's copy. */
	for (int i = 0; i < FILES; i++) {
		int fd;

		snprintf(name, sizeof(name), "d/sub%d/file%d", i % 3, i);
		fd = OK(openat(w->pfd, name, O_WRONLY | O_CLOEXEC));
		for (int id = 0; id < WORKERS; id++) {
			char c = 'A' + id;

			OK(pwrite(fd, &c, 1, 1000 * id));
		}
		close(fd);
		for (int id = 0; id < WORKERS; id++) {
			char made[32];

			snprintf(made, sizeof(made), "d/sub%d/new%d.%d", i % 3, i, id);
			OK(mknodat(w->pfd, made, S_IFREG | 0644, 0));
		}
	}
}

/* Threads that write different parts of one file with one descriptor each. */
struct part {
	struct world *w;
	int id;
	int err;
};

static void *write_part(void *arg)
{
	struct part *p = arg;
	char buf[512];
	int fd;

	memset(buf, 'a' + p->id, sizeof(buf));
	fd = openat(p->w->mfd, "big", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || pwrite(fd, buf, sizeof(buf), p->id * (MIB / 2) + 77) != sizeof(buf))
		p->err = errno ?: EIO;
	close(fd);
	return NULL;
}

TEST_F(copyup, threads)
{
	struct world *w = &self->w;
	struct part part[8];
	pthread_t thread[8];

	OK(put_pattern(w, "big", 4 * MIB, 3));
	OK(world_mount(w));
	for (int i = 0; i < 8; i++) {
		part[i] = (struct part) { w, i, 0 };
		OK(-pthread_create(&thread[i], NULL, write_part, &part[i]));
	}
	for (int i = 0; i < 8; i++) {
		pthread_join(thread[i], NULL);
		CHECK(!part[i].err, "thread %d: %s", i, err_name(part[i].err));
	}
	for (int i = 0; i < 8; i++) {
		char buf[512];
		int fd = OK(openat(w->pfd, "big", O_WRONLY | O_CLOEXEC));

		memset(buf, 'a' + i, sizeof(buf));
		OK(pwrite(fd, buf, sizeof(buf), i * (MIB / 2) + 77));
		close(fd);
	}
}

/* Files of any size are copied, not split. */
static void copy_whole(struct world *w)
{
	if (!world_is_overlay()) {
		w->option[0][0] = "whole_limit";
		w->option[0][1] = "1073741824";
	}
}

/*
 * Killed in the middle of the copy, at ever later moments, until one gets
 * through: before that the file is the old one, after it the new one.
 */
TEST_F(copyup, killed)
{
	struct world *w = &self->w;
	const size_t size = 48 * MIB;
	int finished = 0, interrupted = 0, in_work;
	struct tree t;
	char *buf;

	buf = malloc(size);
	fill_pattern(buf, size, 0, 4);
	OK(write_file(join(w->layer[w->nlayers - 1], "big"), buf, size));
	OK(write_text(join(w->plain, "big"), ""));
	w->no_compare = true;
	copy_whole(w);
	OK(world_mount(w));
	for (useconds_t us = 200; !finished && us < 60000000; us *= 2) {
		pid_t pid;
		int status;

		fflush(NULL);
		pid = OK(fork());
		if (!pid) {
			int fd = openat(w->mfd, "big", O_WRONLY);

			if (fd >= 0 && pwrite(fd, "CHANGED", 7, 5) == 7)
				_exit(0);
			_exit(1);
		}
		usleep(us);
		kill(pid, SIGKILL);
		OK(waitpid(pid, &status, 0));
		if (WIFEXITED(status))
			CHECK(!WEXITSTATUS(status), "the write failed");
		else
			interrupted++;
		/* Old or new, and nothing else. */
		{
			char now[7];
			int fd = OK(openat(w->mfd, "big", O_RDONLY | O_CLOEXEC));

			EXPECT_EQ(7, OK(pread(fd, now, 7, 5)));
			close(fd);
			finished = !memcmp(now, "CHANGED", 7);
		}
		if (finished)
			memcpy(buf + 5, "CHANGED", 7);
		CHECK(!same_bytes(M("big"), buf, size), "killed after %u us", us);
		/* Killed between the copy and the write, it is in the upper. */
		if (exists(U("big")))
			CHECK(!same_bytes(U("big"), buf, size),
			      "a part of it is in the upper");
	}
	CHECK(finished, "the copy was never done");
	OK(world_remount(w));
	EXPECT_EQ(0, same_bytes(M("big"), buf, size));
	OK(tree_scan(&t, w->work, TREE_NOXATTR));
	in_work = t.count;
	tree_free(&t);
	CHECK(in_work <= 3, "%d objects are left in the workdir", in_work);
	printf("# interrupted %d times\n", interrupted);
	free(buf);
}

/* No room: ENOSPC, the file as it was, and a second try when there is room. */
TEST_F(copyup, no_space)
{
	struct world *w = &self->w;
	int fd, ballast;

	OK(put_dir(w, "d", 0755));
	OK(put_pattern(w, "d/big", 3 * MIB, 5));
	OK(put_text(w, "d/small", "small\n"));
	OK(world_upper_on(w, "tmpfs", "size=4m,mode=755"));
	copy_whole(w);
	OK(world_mount(w));
	ballast = OK(openat(w->mfd, "ballast", O_CREAT | O_RDWR | O_CLOEXEC, 0644));
	OK(fallocate(ballast, 0, 0, 2 * MIB));
	fd = openat(w->mfd, "d/big", O_RDWR | O_CLOEXEC);
	if (fd >= 0) {
		FAILS(ENOSPC, pwrite(fd, "x", 1, 100));
		close(fd);
	} else {
		CHECK(errno == ENOSPC, "%s", err_name(errno));
	}
	FAILS(ENOSPC, truncate(M("d/big"), 3 * MIB - 5));
	OK(ftruncate(ballast, 0));
	close(ballast);
	OK(unlinkat(w->mfd, "ballast", 0));
	SAME_TREES(w);
	BOTH_OK(truncate(P("d/big"), 3 * MIB - 5));
	BOTH_OK(write_text(P("d/small"), "changed"));
}

/* The same of a file whose metadata is in the upper: a truncate that fails. */
TEST_F(copyup, no_space_to_truncate)
{
	struct world *w = &self->w;
	int ballast;

	OK(put_dir(w, "d", 0755));
	OK(put_pattern(w, "d/big", 3 * MIB, 5));
	OK(world_upper_on(w, "tmpfs", "size=4m,mode=755"));
	copy_whole(w);
	OK(world_mount(w));
	BOTH_OK(fchmodat(at, "d/big", 0640, 0));
	ballast = OK(openat(w->mfd, "ballast", O_CREAT | O_RDWR | O_CLOEXEC, 0644));
	OK(fallocate(ballast, 0, 0, 2 * MIB));
	FAILS(ENOSPC, truncate(M("d/big"), 3 * MIB - 5));
	OK(ftruncate(ballast, 0));
	close(ballast);
	OK(unlinkat(w->mfd, "ballast", 0));
	SAME_TREES(w);
	BOTH_OK(truncate(P("d/big"), 3 * MIB - 5));
}

/* Stores to a mapping that find no room are kept, and written when there is some. */
TEST_F(copyup, no_space_for_stores)
{
	struct world *w = &self->w;
	int fd, ballast;
	char *p, byte;

	if (world_is_overlay())
		SKIP(return, "it copies the file before there is a mapping");
	OK(put_pattern(w, "big", MIB, 5));
	OK(world_upper_on(w, "tmpfs", "size=4m,mode=755"));
	w->option[0][0] = "whole_limit";
	w->option[0][1] = "0";
	OK(world_mount(w));
	fd = OK(openat(w->mfd, "big", O_RDWR | O_CLOEXEC));
	p = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED, "mmap: %s", err_name(errno));
	ballast = OK(openat(w->mfd, "ballast", O_CREAT | O_RDWR | O_CLOEXEC, 0644));
	OK(fallocate(ballast, 0, 0, 3 * MIB + MIB / 2));
	for (int at = 0; at < MIB; at += 4096)
		p[at] = at / 4096;
	FAILS(ENOSPC, msync(p, MIB, MS_SYNC));
	for (int at = 0; at < MIB; at += 4096) {
		EXPECT_EQ(1, pread(fd, &byte, 1, at));
		CHECK(byte == (char)(at / 4096) && p[at] == byte, "page %d is lost", at / 4096);
	}
	OK(ftruncate(ballast, 0));
	close(ballast);
	OK(unlinkat(w->mfd, "ballast", 0));
	OK(msync(p, MIB, MS_SYNC));
	OK(munmap(p, MIB));
	close(fd);
	OK(world_remount(w));
	OK(drop_caches());
	fd = OK(openat(w->pfd, "big", O_RDWR | O_CLOEXEC));
	for (int at = 0; at < MIB; at += 4096) {
		byte = at / 4096;
		EXPECT_EQ(1, pwrite(fd, &byte, 1, at));
	}
	close(fd);
}

/* Without any room at all, metadata changes fail and change nothing. */
TEST_F(copyup, no_inodes)
{
	struct world *w = &self->w;
	char name[16];
	int n;

	OK(put_dir(w, "d", 0755));
	OK(put_text(w, "d/small", "small\n"));
	OK(world_upper_on(w, "tmpfs", "nr_inodes=24,mode=755"));
	OK(world_mount(w));
	for (n = 0; n < 100; n++) {
		snprintf(name, sizeof(name), "f%d", n);
		if (mknodat(w->mfd, name, S_IFREG | 0644, 0))
			break;
	}
	CHECK(n < 100, "there is room for ever");
	FAILS(ENOSPC, fchmodat(w->mfd, "d/small", 0600, 0));
	FAILS(ENOSPC, write_text(M("d/small"), "x"));
	FAILS(ENOSPC, mkdirat(w->mfd, "d/new", 0700));
	while (n--) {
		snprintf(name, sizeof(name), "f%d", n);
		OK(unlinkat(w->mfd, name, 0));
	}
	SAME_TREES(w);
	BOTH_OK(fchmodat(at, "d/small", 0600, 0));
	BOTH_OK(mkdirat(at, "d/new", 0700));
}

/* An empty file, one byte, a page more or less: nothing is special. */
TEST_F(copyup, sizes)
{
	static const size_t size[] = { 0, 1, 4095, 4096, 4097, 65536, MIB - 1, MIB,
				       MIB + 1, 3 * MIB + 5 };
	struct world *w = &self->w;
	char name[32];

	for (size_t i = 0; i < ARRAY_SIZE(size); i++) {
		snprintf(name, sizeof(name), "f%zu", size[i]);
		OK(put_pattern(w, name, size[i], i));
	}
	OK(world_mount(w));
	for (size_t i = 0; i < ARRAY_SIZE(size); i++) {
		int fd[2];

		snprintf(name, sizeof(name), "f%zu", size[i]);
		OPEN_BOTH(fd, name, O_RDWR);
		SAME(pwrite(F(fd), "end", 3, size[i]));
		CLOSE_BOTH(fd);
	}
}

/* A file in the upper is never copied again, nor is what was replaced. */
TEST_F(copyup, once)
{
	struct world *w = &self->w;
	struct stat a, b;

	OK(put_pattern(w, "big", MIB, 1));
	OK(world_mount(w));
	BOTH_OK(truncate(P("big"), MIB - 1));
	OK(lstat(U("big"), &a));
	BOTH_OK(fchmodat(at, "big", 0600, 0));
	BOTH_OK(truncate(P("big"), MIB - 2));
	OK(world_remount(w));
	BOTH_OK(truncate(P("big"), MIB - 3));
	OK(lstat(U("big"), &b));
	EXPECT_EQ(a.st_ino, b.st_ino);
}

TEST_HARNESS_MAIN
