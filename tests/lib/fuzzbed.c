// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "fuzzbed.h"
#include "world.h"

static int cannot(const char *what, const char *path)
{
	int err = errno;

	printf("# fuzz: cannot %s %s: %s\n", what, path, strerror(err));
	errno = err;
	return -1;
}

static int make_dir(char *path, const char *root, const char *name)
{
	snprintf(path, 256, "%s/%s", root, name);
	return mkdir(path, 0755) ? cannot("make", path) : 0;
}

/* Files that fit in a few blocks, larger ones, and at times a huge sparse one. */
static long long random_size(struct rng *r, unsigned int file, bool huge)
{
	long long size;

	switch (file) {
	case 0:
		size = rng_under(r, 40000);
		break;
	case 1:
		size = 30000 + rng_under(r, 500000);
		break;
	case 2:
		size = (1 << 20) + rng_under(r, 3 << 20);
		break;
	default:
		if (huge)
			size = (1LL << 30) + rng_under(r, 1 << 30) * 500LL;
		else
			size = rng_under(r, 300000);
	}
	/* Often whole blocks. */
	return rng_under(r, 3) ? size : size - size % DATA_PAGE;
}

static int fill_file(struct fuzz_bed *b, const char *path, unsigned int file,
		     unsigned int salt, bool holes)
{
	static char buf[1 << 16];
	long long size = b->size[file];
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0 || ftruncate(fd, size))
		return cannot("make", path);
	for (long long off = 0; off < size; off += sizeof(buf)) {
		size_t len = size - off < (long long)sizeof(buf) ? size - off : (long long)sizeof(buf);

		/* Of a huge one, a little at the places where things happen. */
		if (size > BED_LARGE) {
			if (off / (long long)sizeof(buf) >= BED_HOT)
				break;
			fill_pattern(buf, len, 0, salt);
			if (pwrite(fd, buf, 20000, b->hot[file][off / sizeof(buf)] + 5000) < 0)
				return cannot("write", path);
			continue;
		}
		if (holes && (off / sizeof(buf)) % 3 == 1)
			continue;
		fill_pattern(buf, len, off, salt);
		if (pwrite(fd, buf, len, off) != (ssize_t)len)
			return cannot("write", path);
	}
	return close(fd) ? cannot("close", path) : 0;
}

/* A program that stays one, whatever is written behind its end. */
static int copy_program(const char *to)
{
	static char buf[1 << 18];
	int in = open("/bin/true", O_RDONLY | O_CLOEXEC), out;
	ssize_t n = in < 0 ? -1 : read(in, buf, sizeof(buf));

	out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	if (n <= 0 || out < 0 || write(out, buf, n) != n || ftruncate(out, 1 << 20))
		return cannot("make", to);
	close(in);
	return close(out);
}

static void seal(struct fuzz_bed *b)
{
	struct stat st;
	char name[8];

	for (unsigned int f = 0; f < DATA_FILES; f++) {
		snprintf(name, sizeof(name), "f%u", f);
		b->made[0][f] = (struct timespec) { };
		if (!stat(join(b->layer[0], name), &st))
			b->made[0][f] = st.st_mtim;
	}
}

int bed_begin(struct fuzz_bed *b, const char *root, unsigned long long seed)
{
	struct rng r = rng_seed(seed);
	static const char *const blocksize[] = { NULL, NULL, "16384", "65536" };
	static const char *const whole_limit[] = { NULL, "0", "0", "20000" };
	bool huge = rng_under(&r, 5) == 0;
	char name[8];

	memset(b, 0, sizeof(*b));
	snprintf(b->root, sizeof(b->root), "%s", root);
	if (!world_is_overlay()) {
		b->blocksize = blocksize[rng_under(&r, 4)];
		b->whole_limit = whole_limit[rng_under(&r, 4)];
	}
	umask(022);
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return cannot("get a mount namespace for", root);
	if ((mkdir(root, 0755) && errno != EEXIST) ||
	    make_dir(b->layer[b->layers++], root, "layer0") ||
	    make_dir(b->mnt, root, "mnt") || make_dir(b->mnt2, root, "mnt2") ||
	    make_dir(b->plain, root, "plain"))
		return -1;
	for (unsigned int f = 0; f < DATA_FILES; f++) {
		unsigned int salt = rng_under(&r, 1 << 16), holes = rng_under(&r, 4) == 0;

		b->size[f] = random_size(&r, f, huge);
		/* The first is at the start, the last at the end. */
		for (int h = 1; h < BED_HOT && b->size[f] > BED_LARGE; h++)
			b->hot[f][h] = h == BED_HOT - 1 ? b->size[f] - 100000 :
				(long long)(b->size[f] / 1000 * rng_under(&r, 990));
		snprintf(name, sizeof(name), "f%u", f);
		if (fill_file(b, join(b->layer[0], name), f, salt, holes) ||
		    fill_file(b, join(b->plain, name), f, salt, holes))
			return -1;
	}
	if (copy_program(join(b->layer[0], "prog")) || copy_program(join(b->plain, "prog")))
		return -1;
	seal(b);
	if (make_dir(b->upper, root, "upper0") || make_dir(b->work, root, "work0"))
		return -1;
	b->uppers = 1;
	if (view_open(&b->view[0], b->mnt) || view_open(&b->view[1], b->plain))
		return cannot("get a ring for", root);
	b->view[1].plain = true;
	return bed_mount(b);
}

static int mount_at(struct fuzz_bed *b, const char *at)
{
	const char *option[BED_LAYERS + 6][2] = { { "source", "fuzz" } };
	static char log[2048];
	int n = 1, fd;

	for (int i = 0; i < b->layers; i++) {
		option[n][0] = "lowerdir+";
		option[n++][1] = b->layer[i];
	}
	option[n][0] = "upperdir";
	option[n++][1] = b->upper;
	option[n][0] = "workdir";
	option[n++][1] = b->work;
	if (b->blocksize) {
		option[n][0] = "blocksize";
		option[n++][1] = b->blocksize;
	}
	if (b->whole_limit) {
		option[n][0] = "whole_limit";
		option[n++][1] = b->whole_limit;
	}
	fd = fs_mount(world_fstype(), option, 0, at, log, sizeof(log));
	if (fd < 0) {
		errno = -fd;
		cannot("mount", at);
		printf("# the kernel said: %s\n", log);
		return -1;
	}
	close(fd);
	return 0;
}

int bed_mount(struct fuzz_bed *b)
{
	if (mount_at(b, b->mnt))
		return -1;
	b->mounted = true;
	return 0;
}

int bed_second(struct fuzz_bed *b)
{
	if (b->second)
		return 0;
	if (mount_at(b, b->mnt2))
		return -1;
	b->second = true;
	b->view[0].second = b->mnt2;
	return 0;
}

int bed_umount(struct fuzz_bed *b)
{
	view_let_go(&b->view[0]);
	view_let_go(&b->view[1]);
	b->view[0].second = NULL;
	/* io_uring lets go of a request's file after it has told of its end. */
	if (b->second && umount_patiently(b->mnt2))
		return cannot("unmount", b->mnt2);
	b->second = false;
	if (b->mounted && umount_patiently(b->mnt))
		return cannot("unmount", b->mnt);
	b->mounted = false;
	return 0;
}

/* Names of a hard link in a layer part at the first write: not what is tested here. */
static bool linked(const struct fuzz_bed *b)
{
	struct stat st;

	for (unsigned int f = 0; f < DATA_FILES; f++)
		if (!stat(view_path(&b->view[1], f, 0), &st) && st.st_nlink > 1)
			return true;
	return false;
}

int bed_deepen(struct fuzz_bed *b)
{
	char name[16];

	if (b->layers == BED_LAYERS || linked(b))
		return 0;
	if (bed_umount(b))
		return -1;
	memmove(b->layer[1], b->layer[0], sizeof(b->layer[0]) * b->layers);
	memmove(b->made[1], b->made[0], sizeof(b->made[0]) * b->layers);
	b->layers++;
	memcpy(b->layer[0], b->upper, sizeof(b->upper));
	seal(b);
	snprintf(name, sizeof(name), "upper%d", b->uppers);
	if (make_dir(b->upper, b->root, name))
		return -1;
	snprintf(name, sizeof(name), "work%d", b->uppers++);
	if (make_dir(b->work, b->root, name))
		return -1;
	return bed_mount(b);
}

int bed_end(struct fuzz_bed *b)
{
	int ret = bed_umount(b);
	struct stat st;
	char name[8];

	for (int i = 0; i < b->layers; i++)
		for (unsigned int f = 0; f < DATA_FILES; f++) {
			snprintf(name, sizeof(name), "f%u", f);
			if (!b->made[i][f].tv_sec || stat(join(b->layer[i], name), &st))
				continue;
			if (st.st_mtim.tv_sec == b->made[i][f].tv_sec &&
			    st.st_mtim.tv_nsec == b->made[i][f].tv_nsec)
				continue;
			printf("# fuzz: %s/%s was changed\n", b->layer[i], name);
			ret = -1;
		}
	view_close(&b->view[0]);
	view_close(&b->view[1]);
	return ret;
}

static int compare_range(int mount, int plain, long long from, long long to,
			 const char *name, const char *how)
{
	static unsigned char buf[2][1 << 18];

	for (long long off = from; off < to; off += sizeof(buf[0])) {
		size_t want = to - off < (long long)sizeof(buf[0]) ? to - off :
			(long long)sizeof(buf[0]);
		ssize_t n[2] = { pread(mount, buf[0], want, off), pread(plain, buf[1], want, off) };
		size_t i = 0;

		if (n[0] != n[1]) {
			printf("# %s %s: %zd bytes at %lld, plain has %zd (%s)\n", name, how,
			       n[0], off, n[1], n[0] < 0 ? strerror(errno) : "-");
			return 1;
		}
		if (n[0] <= 0)
			return 0;
		if (!memcmp(buf[0], buf[1], n[0]))
			continue;
		while (buf[0][i] == buf[1][i])
			i++;
		printf("# %s %s: at %lld (block %lld + %lld) %02x %02x %02x %02x, plain has %02x %02x %02x %02x\n",
		       name, how, off + (long long)i, (off + (long long)i) / DATA_PAGE,
		       (off + (long long)i) % DATA_PAGE, buf[0][i], buf[0][i + 1],
		       buf[0][i + 2], buf[0][i + 3], buf[1][i], buf[1][i + 1], buf[1][i + 2],
		       buf[1][i + 3]);
		return 1;
	}
	return 0;
}

int bed_compare_fds(struct fuzz_bed *b, unsigned int file, int mount, int plain, const char *how)
{
	struct stat st[2];
	char name[8];
	long long end;

	snprintf(name, sizeof(name), "f%u", file);
	if (fstat(mount, &st[0]) || fstat(plain, &st[1])) {
		printf("# %s %s: %s\n", name, how, strerror(errno));
		return 1;
	}
	if (st[0].st_size != st[1].st_size) {
		printf("# %s %s: %lld bytes, plain has %lld\n", name, how,
		       (long long)st[0].st_size, (long long)st[1].st_size);
		return 1;
	}
	end = st[0].st_size;
	if (end <= BED_LARGE)
		return compare_range(mount, plain, 0, end, name, how);
	for (int h = 0; h < BED_HOT; h++)
		if (compare_range(mount, plain, b->hot[file][h], b->hot[file][h] + (1 << 19),
				  name, how))
			return 1;
	return compare_range(mount, plain, end - (1 << 18), end, name, how);
}

int bed_compare(struct fuzz_bed *b)
{
	int bad = 0;

	for (unsigned int f = 0; f < DATA_FILES; f++)
		for (unsigned int alt = 0; alt < 2; alt++) {
			unsigned int x = alt << 20;
			int fd[2], err[2];

			for (int i = 0; i < 2; i++) {
				fd[i] = open(view_path(&b->view[i], f, x), O_RDONLY | O_CLOEXEC);
				err[i] = fd[i] < 0 ? errno : 0;
			}
			if (err[0] != err[1]) {
				printf("# f%u: open says %s, on plain %s\n", f,
				       strerror(err[0]), strerror(err[1]));
				bad++;
			} else if (!err[0]) {
				bad += bed_compare_fds(b, f, fd[0], fd[1], "read anew");
				bad += check_seek(fd[0], 0) ? 1 : 0;
			}
			for (int i = 0; i < 2; i++)
				if (fd[i] >= 0)
					close(fd[i]);
		}
	/* And what old descriptors see, of files without a name too. */
	for (int s = 0; s < DATA_SLOTS; s++) {
		int *fd[2] = { &b->view[0].fd[s], &b->view[1].fd[s] };
		int flags = *fd[1] < 0 ? O_WRONLY : fcntl(*fd[1], F_GETFL);

		if ((flags & O_ACCMODE) == O_WRONLY || flags & O_DIRECT || *fd[0] < 0)
			continue;
		bad += bed_compare_fds(b, b->view[1].of[s], *fd[0], *fd[1],
				       "through a descriptor kept open");
	}
	return bad;
}
