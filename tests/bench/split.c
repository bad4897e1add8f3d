// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Changing a few bytes of a large file of an image: what the first write costs, in
 * time and on the disk; what sixteen containers that do so cost in memory; and what
 * it costs to map it afterwards.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "bench.h"
#include "world.h"

#define BLOCK 4096

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
		if (!(count & 1u << n))
			continue;
		for (unsigned int r = 0; r < rounds; r++)
			for (int s = 0; s < 2; s++)
				for (int i = 0; i < STACKED; i++) {
					int system = (i + r) % STACKED;
					uint64_t *b = &best[n][s][system], t;

					/* A copy of a gigabyte takes no less the next time. */
					if (r && system == OVERLAY && file[n].data > 16 * MIB)
						continue;
					t = one_first_write(system, layer, n, s, &grown[n][system]);
					if (!*b || t < *b)
						*b = t;
				}
		for (int system = 0; system < STACKED && n; system++)
			next[n][system] = second_growth(system, layer, n);
	}
	printf("\nThe first write of 4 KiB to a file of the layer, cold, us; the best of %u\n"
	       "(overlay's above 16 MiB: of one)\n", rounds);
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

#define CROWD 16
#define CROWD_SIZE (64 * MIB)

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

#define MAPPED_SIZE (64 * MIB)

/* Every page of a mapping is looked at, one after the other, or a byte of it stored. */
static void map_all(const char *path, bool store)
{
	int fd = open(path, (store ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	volatile char *p;

	if (fd < 0)
		die("open", path);
	p = mmap(NULL, MAPPED_SIZE, store ? PROT_READ | PROT_WRITE : PROT_READ,
		 store ? MAP_SHARED : MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		die("map", path);
	for (unsigned long long at = 0; at < MAPPED_SIZE; at += BLOCK) {
		if (store)
			p[at] = at / BLOCK;
		else
			p[at];
	}
	if (store && msync((void *)p, MAPPED_SIZE, MS_SYNC))
		die("write", path);
	munmap((void *)p, MAPPED_SIZE);
	close(fd);
}

static void bench_mapped(void)
{
	enum { COLD, AGAIN, STORED, STEPS };
	static const char *const step[] = {
		"cold, ms", "again, ms", "stored to and synced, ms",
	};
	long reads[STEPS][STACKED];
	uint64_t time[STEPS][STACKED];
	const char *layer = strdup(join(work_dir, "layer"));

	make_dir(layer);
	make_file(file_name(layer, 0), MAPPED_SIZE, MAPPED_SIZE);
	for (int system = 0; system < STACKED; system++) {
		const char *path;

		mount_image(system, &layer, 1, "mapped");
		path = file_name(image_root("mapped"), 0);
		first_write(path, MAPPED_SIZE, true);
		sync();
		drop_caches();
		for (int i = 0; i < STEPS; i++) {
			reads[i][system] = disk_reads(layer);
			time[i][system] = now();
			map_all(path, i == STORED);
			time[i][system] = now() - time[i][system];
			reads[i][system] = disk_reads(layer) - reads[i][system];
		}
		unmount_image("mapped");
	}
	printf("\nA file of %llu MiB, 4 KiB of it changed, mapped and read\n",
	       MAPPED_SIZE / MIB);
	printf("%-26s %12s %12s %10s\n", "", "veneer", "overlay", "ratio");
	for (int i = 0; i < STEPS; i++) {
		printf("%-26s %12.1f %12.1f %10.3f\n", step[i], time[i][VENEER] / 1e6,
		       time[i][OVERLAY] / 1e6,
		       (double)time[i][VENEER] / (time[i][OVERLAY] ?: 1));
		printf("%-26s %12ld %12ld\n", "  reads of the disk", reads[i][VENEER],
		       reads[i][OVERLAY]);
	}
	if (remove_tree(layer))
		exit(1);
	free((void *)layer);
}

void bench_split(void)
{
	bench_first();
	bench_crowd();
	bench_mapped();
}
