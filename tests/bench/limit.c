// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Copied whole or split? What the first write, its fsync, the space in the upper and
 * reading cost, by the size of the file; on a filesystem that can, a clone, too.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "bench.h"
#include "random.h"
#include "world.h"

#define BLOCK 4096
#define FILES 16	/* of each size: one alone says little of space */
#define READS 4096

enum { SPLIT, WHOLE, WAYS };
static const char *const limit[WAYS] = { "0", "1T" };

struct cost {
	uint64_t write, fsync, cold, read;	/* ns */
	unsigned long long space;		/* KiB, of all files */
};

static char buf[1 << 20];

static void keep(uint64_t *best, uint64_t value)
{
	if (!*best || value < *best)
		*best = value;
}

static int open_it(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		die("open", path);
	return fd;
}

static void write_block(int fd, const char *path, unsigned long long off)
{
	if (pwrite(fd, buf, BLOCK, off / BLOCK * BLOCK) != BLOCK)
		die("write", path);
}

/* The first write, without and with the sync; half of the files each. */
static void write_all(const char *root, unsigned long long size, unsigned int files,
		      struct cost *c)
{
	uint64_t took[2] = { };

	for (unsigned int n = 0; n < files; n++) {
		const char *path = file_name(root, n);
		uint64_t start = now();
		int fd = open_it(path, O_WRONLY);

		write_block(fd, path, size / 2);
		if (n % 2)
			MUST(fsync(fd), "sync", path);
		close(fd);
		took[n % 2] += now() - start;
	}
	keep(&c->write, took[0] / (files / 2));
	keep(&c->fsync, took[1] / (files / 2));
}

/* Reads all files from the disk, all of each. */
static uint64_t read_cold(const char *root, unsigned int files)
{
	uint64_t start;

	drop_caches();
	start = now();
	for (unsigned int n = 0; n < files; n++) {
		const char *path = file_name(root, n);
		int fd = open_it(path, O_RDONLY);
		ssize_t got;

		while ((got = read(fd, buf, sizeof(buf))) > 0)
			;
		MUST(got, "read", path);
		close(fd);
	}
	return (now() - start) / files;
}

/* 4 KiB at a time, from the page cache. */
static uint64_t read_warm(const char *root, unsigned long long size)
{
	const char *path = file_name(root, 0);
	struct rng r = rng_seed(4);
	int fd = open_it(path, O_RDONLY);
	uint64_t start;

	while (read(fd, buf, sizeof(buf)) > 0)
		;
	start = now();
	for (unsigned int i = 0; i < READS; i++)
		if (pread(fd, buf, BLOCK, (off_t)rng_under(&r, size / BLOCK) * BLOCK) != BLOCK)
			die("read", path);
	start = (now() - start) / READS;
	close(fd);
	return start;
}

static void measure(int system, int way, const char *layer, unsigned long long size,
		    struct cost *c)
{
	const char *name = "limit", *upper = strdup(join(join(work_dir, name), "upper"));
	const char *root;

	mount_limit(system, &layer, 1, name, system == VENEER ? limit[way] : NULL);
	root = strdup(image_root(name));
	/* The directories for maps are made once in an upper. */
	if (system == VENEER) {
		const char *path = file_name(root, FILES);
		int fd = open_it(path, O_WRONLY);

		write_block(fd, path, 0);
		MUST(fsync(fd), "sync", path);
		close(fd);
	}
	sync();
	c->space = used(AT_FDCWD, upper);
	drop_caches();
	write_all(root, size, FILES, c);
	sync();
	c->space = used(AT_FDCWD, upper) - c->space;
	keep(&c->cold, read_cold(root, FILES));
	keep(&c->read, read_warm(root, size));
	unmount_image(name);
	free((void *)upper);
	free((void *)root);
}

static void print_cost(const char *what, const char *who, const struct cost *c)
{
	printf("%-10s %-14s %12.0f %12.0f %12.1f %12.0f %12llu\n", what, who, c->write / 1e3,
	       c->fsync / 1e3, (double)c->space / FILES, c->cold / 1e3,
	       (unsigned long long)c->read);
}

void bench_limit(void)
{
	static const unsigned int kib[] = { 4, 8, 16, 32, 64, 128, 256, 512, 1024 };
	const char *layer = strdup(join(work_dir, "layer"));

	printf("\nThe first write of 4 KiB, by the size of the file, best of %u\n", rounds);
	printf("%-10s %-14s %12s %12s %12s %12s %12s\n", "", "", "write, us", "+ fsync, us",
	       "upper, KiB", "cold read,us", "warm 4K, ns");
	for (size_t k = 0; k < sizeof(kib) / sizeof(*kib); k++) {
		const unsigned long long size = kib[k] << 10;
		struct cost cost[WAYS + 1] = { };
		char text[16];

		make_dir(layer);
		for (unsigned int n = 0; n < FILES; n++)
			make_file(file_name(layer, n), size, size);
		make_file(file_name(layer, FILES), 2 * BLOCK, 2 * BLOCK);
		for (unsigned int r = 0; r < rounds; r++)
			for (int i = 0; i <= WAYS; i++) {
				int way = (i + r) % (WAYS + 1);

				measure(way == WAYS ? OVERLAY : VENEER, way, layer, size,
					&cost[way]);
			}
		snprintf(text, sizeof(text), "%u KiB", kib[k]);
		print_cost(text, "split", &cost[SPLIT]);
		print_cost("", "whole", &cost[WHOLE]);
		print_cost("", "overlayfs", &cost[WAYS]);
		if (remove_tree(layer))
			exit(1);
	}
	free((void *)layer);
}

static unsigned long long free_kib(void)
{
	struct statvfs sv;

	MUST(statvfs(work_dir, &sv), "look at", work_dir);
	return (unsigned long long)sv.f_bfree * sv.f_frsize / 1024;
}

/* One file that every mount changes and reads: what all of them cost. */
static void crowd(const char *layer, unsigned long long mib, unsigned int mounts, int way)
{
	unsigned long long cache, space;
	uint64_t start, write = 0, fsync_time = 0;
	char name[16];

	for (unsigned int i = 0; i < mounts; i++) {
		snprintf(name, sizeof(name), "crowd%u", i);
		mount_limit(VENEER, &layer, 1, name, limit[way]);
	}
	sync();
	drop_caches();
	cache = cached_kib();
	space = free_kib();
	for (unsigned int i = 0; i < mounts; i++) {
		const char *path;
		int fd;

		snprintf(name, sizeof(name), "crowd%u", i);
		path = file_name(image_root(name), 0);
		start = now();
		fd = open_it(path, O_RDWR);
		write_block(fd, path, i * (mib * MIB / mounts));
		keep(&write, now() - start);
		start = now();
		MUST(fsync(fd), "sync", path);
		keep(&fsync_time, now() - start);
		while (read(fd, buf, sizeof(buf)) > 0)
			;
		close(fd);
	}
	sync();
	cache = cached_kib() - cache;
	space -= free_kib();
	printf("%6llu MiB %4u %-8s %12.0f %12.0f %16llu %12llu\n", mib, mounts,
	       way == SPLIT ? "split" : "whole", write / 1e3, fsync_time / 1e3, cache, space);
	for (unsigned int i = 0; i < mounts; i++) {
		snprintf(name, sizeof(name), "crowd%u", i);
		unmount_image(name);
	}
}

/* Where the filesystem can, whole is a clone. */
void bench_clone(void)
{
	/* All that a clone has in the page cache must fit into memory. */
	static const struct {
		unsigned long long mib;
		unsigned int mounts;
	} size[] = { { 1, 16 }, { 64, 16 }, { 1024, 2 } };
	const char *layer = strdup(join(work_dir, "layer"));

	printf("\nMounts that each write 4 KiB and read it all: copied whole (cloned) or split\n");
	printf("%10s %4s %-8s %12s %12s %16s %12s\n", "", "", "", "write, us", "fsync, us",
	       "page cache, KiB", "disk, KiB");
	for (size_t i = 0; i < sizeof(size) / sizeof(*size); i++) {
		make_dir(layer);
		make_file(file_name(layer, 0), size[i].mib * MIB, size[i].mib * MIB);
		for (int way = 0; way < WAYS; way++)
			crowd(layer, size[i].mib, size[i].mounts, way);
		if (remove_tree(layer))
			exit(1);
	}
	free((void *)layer);
}
