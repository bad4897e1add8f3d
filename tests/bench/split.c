// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Changing a few bytes of a large file of an image: what the first write costs, in
 * time and on the disk; what the file costs after that; what sixteen containers
 * that do so cost in memory.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "bench.h"
#include "random.h"
#include "world.h"

#define BLOCK 4096
#define MIB (1ULL << 20)

static const struct {
	const char *name;
	unsigned long long size, data;	/* what of it is no hole */
} file[] = {
	{ "1 MiB", 1 * MIB, 1 * MIB },
	{ "16 MiB", 16 * MIB, 16 * MIB },
	{ "256 MiB", 256 * MIB, 256 * MIB },
	{ "1 GiB", 1024 * MIB, 1024 * MIB },
	{ "1 TiB, sparse", 1024 * 1024 * MIB, 1 * MIB },
};
#define FILES (sizeof(file) / sizeof(*file))

static char buf[1 << 20];

static const char *file_name(const char *root, unsigned int n)
{
	char rel[16];

	snprintf(rel, sizeof(rel), "file%u", n);
	return join(root, rel);
}

static void make_file(const char *path, unsigned long long size, unsigned long long data)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0)
		die("make", path);
	for (unsigned long long off = 0; off < data; off += sizeof(buf)) {
		/* Another page every time: nothing below can share them. */
		for (size_t i = 0; i < sizeof(buf); i += BLOCK)
			memset(buf + i, (off + i) / BLOCK * 7 + 1, BLOCK);
		if (pwrite(fd, buf, sizeof(buf), off) != sizeof(buf))
			die("write", path);
	}
	MUST(ftruncate(fd, size), "extend", path);
	MUST(fsync(fd), "sync", path);
	close(fd);
}

/* The blocks of all that is under a path, in KiB, each file once. */
static unsigned long long used(int at, const char *name)
{
	unsigned long long sum = 0;
	struct dirent *de;
	struct stat st;
	DIR *dir;
	int fd;

	MUST(fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW), "stat", name);
	sum = st.st_blocks / 2;
	if (!S_ISDIR(st.st_mode))
		return sum;
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		die("list", name);
	while ((de = readdir(dir)))
		if (strcmp(de->d_name, ".") && strcmp(de->d_name, ".."))
			sum += used(fd, de->d_name);
	closedir(dir);
	return sum;
}

/* Opens, writes one block in the middle, closes; the time of it all, in ns. */
static uint64_t first_write(const char *path, unsigned long long size, bool sync_it)
{
	uint64_t start;
	int fd;

	memset(buf, 'n', BLOCK);
	start = now();
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		die("open", path);
	if (pwrite(fd, buf, BLOCK, size / 2) != BLOCK)
		die("write", path);
	if (sync_it)
		MUST(fsync(fd), "sync", path);
	close(fd);
	return now() - start;
}

static uint64_t one_first_write(int system, const char *layer, unsigned int n, bool sync_it,
				unsigned long long *grown)
{
	const char *name = "first";
	const char *upper = join(join(work_dir, name), "upper");
	uint64_t time;

	mount_image(system, &layer, 1, name);
	sync();
	drop_caches();
	*grown = used(AT_FDCWD, upper);
	time = first_write(file_name(image_root(name), n), file[n].size, sync_it);
	sync();
	*grown = used(AT_FDCWD, upper) - *grown;
	unmount_image(name);
	return time;
}

/* With a file of the same size changed before in this upper: without directories. */
static unsigned long long second_growth(int system, const char *layer, unsigned int n)
{
	const char *name = "second";
	const char *upper = join(join(work_dir, name), "upper");
	unsigned long long grown;

	mount_image(system, &layer, 1, name);
	first_write(file_name(image_root(name), 0), file[0].size, true);
	sync();
	grown = used(AT_FDCWD, upper);
	first_write(file_name(image_root(name), n), file[n].size, false);
	sync();
	grown = used(AT_FDCWD, upper) - grown;
	unmount_image(name);
	return grown;
}

static void bench_first(void)
{
	static uint64_t best[FILES][2][STACKED];
	static unsigned long long grown[FILES][STACKED], next[FILES][STACKED];
	const char *layer = strdup(join(work_dir, "layer"));
	struct statvfs sv;
	unsigned int count = 0;

	make_dir(layer);
	for (unsigned int n = 0; n < FILES; n++) {
		/* The layer's copy and overlayfs's. */
		MUST(statvfs(layer, &sv), "look at", layer);
		if ((unsigned long long)sv.f_bavail * sv.f_frsize < 5 * file[n].data / 2) {
			printf("(no room for the file of %s)\n", file[n].name);
			continue;
		}
		make_file(file_name(layer, n), file[n].size, file[n].data);
		count |= 1u << n;
	}
	for (unsigned int n = 0; n < FILES; n++) {
		/* A copy of a gigabyte takes no less the next time. */
		unsigned int times = file[n].data > 16 * MIB ? 1 : rounds;

		if (!(count & 1u << n))
			continue;
		for (unsigned int r = 0; r < times; r++)
			for (int s = 0; s < 2; s++)
				for (int i = 0; i < STACKED; i++) {
					int system = (i + r) % STACKED;
					uint64_t *b = &best[n][s][system], t;

					t = one_first_write(system, layer, n, s, &grown[n][system]);
					if (!*b || t < *b)
						*b = t;
				}
		for (int system = 0; system < STACKED && n; system++)
			next[n][system] = second_growth(system, layer, n);
	}
	printf("\nThe first write of 4 KiB to a file of the layer, cold, us\n");
	printf("%-16s %-7s %12s %12s %10s %12s %12s %12s\n", "", "", "veneer", "overlay",
	       "ratio", "to 1 MiB", "KiB veneer", "KiB overlay");
	for (unsigned int n = 0; n < FILES; n++)
		for (int s = 0; s < 2; s++) {
			uint64_t *b = best[n][s];

			if (!b[VENEER])
				continue;
			printf("%-16s %-7s %12.1f %12.1f %10.5f %12.3f", s ? "" : file[n].name,
			       s ? "fsync" : "", b[VENEER] / 1e3, b[OVERLAY] / 1e3,
			       (double)b[VENEER] / (b[OVERLAY] ?: 1),
			       (double)b[VENEER] / (best[0][s][VENEER] ?: 1));
			if (!s)
				printf(" %12llu %12llu", grown[n][VENEER], grown[n][OVERLAY]);
			else if (n)
				printf(" %12llu %12llu  (not the first of its upper)",
				       next[n][VENEER], next[n][OVERLAY]);
			printf("\n");
		}
	if (remove_tree(layer))
		exit(1);
	free((void *)layer);
}

#define STEADY_BLOCKS 4096

enum { READ_RANDOM, READ_SEQUENTIAL, OVERWRITE, STEADY_JOBS };
static const char *const steady_name[STEADY_JOBS] = {
	"read 4 KiB, random", "read 4 KiB, sequential", "overwrite what is there",
};

/* Where every eighth block was changed, or all of ext4's own file. */
static uint64_t steady(int job, const char *path)
{
	struct rng r = rng_seed(3);
	uint64_t start;
	int fd = open(path, (job == OVERWRITE ? O_WRONLY : O_RDONLY) | O_CLOEXEC);

	if (fd < 0)
		die("open", path);
	start = now();
	for (unsigned int i = 0; i < STEADY_BLOCKS; i++) {
		unsigned int block = job == READ_SEQUENTIAL ? i : rng_under(&r, STEADY_BLOCKS);
		ssize_t n;

		if (job == OVERWRITE)
			n = pwrite(fd, buf, BLOCK, (off_t)(block & ~7u) * BLOCK);
		else
			n = pread(fd, buf, BLOCK, (off_t)block * BLOCK);
		if (n != BLOCK)
			die("read or write", path);
	}
	start = now() - start;
	if (job == OVERWRITE)
		MUST(fsync(fd), "sync", path);
	close(fd);
	return start / STEADY_BLOCKS;
}

static void bench_steady(void)
{
	static uint64_t best[STEADY_JOBS][SYSTEMS];
	const char *layer = strdup(join(work_dir, "layer")), *root[SYSTEMS];

	make_dir(layer);
	make_dir(join(work_dir, "plain"));
	make_file(file_name(layer, 0), STEADY_BLOCKS * BLOCK, STEADY_BLOCKS * BLOCK);
	root[PLAIN] = strdup(join(work_dir, "plain"));
	make_file(file_name(root[PLAIN], 0), STEADY_BLOCKS * BLOCK, STEADY_BLOCKS * BLOCK);
	for (int system = 0; system < STACKED; system++) {
		mount_image(system, &layer, 1, system_name[system]);
		root[system] = strdup(image_root(system_name[system]));
	}
	for (int system = 0; system < SYSTEMS; system++) {
		const char *path = file_name(root[system], 0);
		int fd = open(path, O_WRONLY | O_CLOEXEC);

		for (unsigned int block = 0; block < STEADY_BLOCKS; block += 8)
			if (pwrite(fd, buf, BLOCK, (off_t)block * BLOCK) != BLOCK)
				die("write", path);
		MUST(fsync(fd), "sync", path);
		close(fd);
	}
	/* The first round is not counted. */
	for (unsigned int r = 0; r <= rounds; r++)
		for (int job = 0; job < STEADY_JOBS; job++)
			for (int i = 0; i < SYSTEMS; i++) {
				int system = (i + r) % SYSTEMS;
				uint64_t t = steady(job, file_name(root[system], 0));

				if (r && (!best[job][system] || t < best[job][system]))
					best[job][system] = t;
			}
	printf("\nA file of 16 MiB with every eighth block changed, warm, ns each, best of %u\n",
	       rounds);
	printf("%-26s %10s %10s %10s %8s\n", "", "veneer", "overlay", "plain", "ratio");
	for (int job = 0; job < STEADY_JOBS; job++)
		printf("%-26s %10llu %10llu %10llu %8.3f\n", steady_name[job],
		       (unsigned long long)best[job][VENEER],
		       (unsigned long long)best[job][OVERLAY],
		       (unsigned long long)best[job][PLAIN],
		       (double)best[job][VENEER] / (best[job][OVERLAY] ?: 1));
	for (int system = 0; system < STACKED; system++)
		unmount_image(system_name[system]);
	if (remove_tree(layer) || remove_tree(root[PLAIN]))
		exit(1);
	free((void *)layer);
}

#define CROWD 16
#define CROWD_SIZE (64 * MIB)

static unsigned long long cached_kib(void)
{
	unsigned long long kib;
	char text[4096], *at;

	if (read_text("/proc/meminfo", text, sizeof(text)) < 0)
		die("read", "/proc/meminfo");
	at = strstr(text, "\nCached:");
	if (!at || sscanf(at, "\nCached: %llu", &kib) != 1)
		die("understand", "/proc/meminfo");
	return kib;
}

static void bench_crowd(void)
{
	unsigned long long cache[STACKED], disk[STACKED] = { };
	const char *layer = strdup(join(work_dir, "layer"));
	char name[16];

	make_dir(layer);
	make_file(file_name(layer, 0), CROWD_SIZE, CROWD_SIZE);
	for (int system = 0; system < STACKED; system++) {
		unsigned long long before;

		sync();
		drop_caches();
		before = cached_kib();
		for (unsigned int i = 0; i < CROWD; i++) {
			const char *path;
			ssize_t n;
			int fd;

			snprintf(name, sizeof(name), "crowd%u", i);
			mount_image(system, &layer, 1, name);
			path = file_name(image_root(name), 0);
			fd = open(path, O_RDWR | O_CLOEXEC);
			if (fd < 0 || pwrite(fd, buf, BLOCK, i * MIB) != BLOCK)
				die("write", path);
			for (off_t off = 0; (n = pread(fd, buf, sizeof(buf), off)) > 0; off += n)
				;
			close(fd);
		}
		sync();
		cache[system] = cached_kib() - before;
		for (unsigned int i = 0; i < CROWD; i++) {
			snprintf(name, sizeof(name), "crowd%u", i);
			disk[system] += used(AT_FDCWD, join(join(work_dir, name), "upper"));
			unmount_image(name);
		}
	}
	printf("\n%d mounts that each change 4 KiB of a file of %llu MiB and read it all, KiB\n", CROWD,
	       CROWD_SIZE / MIB);
	printf("%-26s %12s %12s\n", "", "veneer", "overlay");
	printf("%-26s %12llu %12llu\n", "page cache grew by", cache[VENEER], cache[OVERLAY]);
	printf("%-26s %12llu %12llu\n", "in the uppers", disk[VENEER], disk[OVERLAY]);
	if (remove_tree(layer))
		exit(1);
	free((void *)layer);
}

void bench_split(void)
{
	bench_first();
	bench_crowd();
	bench_steady();
}
