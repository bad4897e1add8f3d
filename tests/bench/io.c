// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reading, writing and mapping a file of the layer and one that is all in the
 * upper, from the page cache: what the file system itself costs.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"
#include "random.h"
#include "world.h"

#define BLOCK 4096
#define BLOCKS 4096

enum { UNTOUCHED, WHOLE, STATES };
static const char *const state_name[STATES] = { "untouched", "whole" };

static char buf[BLOCK];

static uint64_t rw(const char *path, int flags, bool random, bool do_write)
{
	struct rng r = rng_seed(1);
	uint64_t start;
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		die("open", path);
	start = now();
	for (unsigned int i = 0; i < BLOCKS; i++) {
		off_t off = (off_t)(random ? rng_under(&r, BLOCKS) : i) * BLOCK;
		ssize_t n = do_write ? pwrite(fd, buf, BLOCK, off) :
				       pread(fd, buf, BLOCK, off);

		if (n != BLOCK)
			die(do_write ? "write" : "read", path);
	}
	start = now() - start;
	if (do_write)
		MUST(fsync(fd), "sync", path);
	close(fd);
	return start / BLOCKS;
}

static uint64_t read_seq(const char *path)
{
	return rw(path, O_RDONLY, false, false);
}

static uint64_t read_random(const char *path)
{
	return rw(path, O_RDONLY, true, false);
}

static uint64_t write_seq(const char *path)
{
	return rw(path, O_WRONLY, false, true);
}

static uint64_t write_random(const char *path)
{
	return rw(path, O_WRONLY, true, true);
}

/* One fault for each page; not around it. */
static uint64_t map(const char *path, int prot, int flags, bool do_write)
{
	int fd = open(path, (do_write && flags == MAP_SHARED ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	volatile char *p;
	uint64_t start;

	if (fd < 0)
		die("open", path);
	start = now();
	p = mmap(NULL, (size_t)BLOCKS * BLOCK, prot, flags, fd, 0);
	if (p == MAP_FAILED)
		die("map", path);
	madvise((void *)p, (size_t)BLOCKS * BLOCK, MADV_RANDOM);
	for (unsigned int i = 0; i < BLOCKS; i++) {
		if (do_write)
			p[(size_t)i * BLOCK] = 1;
		else
			(void)p[(size_t)i * BLOCK];
	}
	munmap((void *)p, (size_t)BLOCKS * BLOCK);
	start = now() - start;
	if (do_write)
		MUST(fsync(fd), "sync", path);
	close(fd);
	return start / BLOCKS;
}

static uint64_t map_private(const char *path)
{
	return map(path, PROT_READ, MAP_PRIVATE, false);
}

static uint64_t map_shared(const char *path)
{
	return map(path, PROT_READ, MAP_SHARED, false);
}

static uint64_t map_write(const char *path)
{
	return map(path, PROT_READ | PROT_WRITE, MAP_SHARED, true);
}

static uint64_t open_close(const char *path)
{
	uint64_t start = now();

	for (unsigned int i = 0; i < BLOCKS; i++) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			die("open", path);
		close(fd);
	}
	return (now() - start) / BLOCKS;
}

static uint64_t stat_it(const char *path)
{
	struct stat st;
	uint64_t start = now();

	for (unsigned int i = 0; i < BLOCKS; i++)
		MUST(stat(path, &st), "stat", path);
	return (now() - start) / BLOCKS;
}

static const struct {
	const char *name;
	uint64_t (*fn)(const char *path);
	bool changes;	/* not of an untouched file */
} job[] = {
	{ "read 4 KiB, sequential", read_seq, false },
	{ "read 4 KiB, random", read_random, false },
	{ "write 4 KiB, sequential", write_seq, true },
	{ "write 4 KiB, random", write_random, true },
	{ "map, private, per page", map_private, false },
	{ "map, shared, per page", map_shared, false },
	{ "map, shared and written", map_write, true },
	{ "open and close", open_close, false },
	{ "stat", stat_it, false },
};
#define JOBS (sizeof(job) / sizeof(*job))

static void fill_file(const char *path)
{
	size_t size = (size_t)BLOCKS * BLOCK;
	char *all = malloc(size);

	if (!all)
		die("fill", path);
	fill_pattern(all, size, 0, 1);
	if (write_file(path, all, size))
		exit(1);
	free(all);
}

/*
 * Where in memory an inode and its pages happen to lie says several percent,
 * and nothing else moves them: so in each round they lie somewhere else.  The
 * best of a round is what they cost there, and the median of those counts.
 */
static void new_places(void)
{
	drop_caches();
	for (int system = 0; system < SYSTEMS; system++)
		for (int state = 0; state < STATES; state++)
			read_seq(join(system_root(system), state_name[state]));
}

void bench_io(void)
{
	uint64_t (*took)[STATES][SYSTEMS][rounds] = calloc(JOBS, sizeof(*took));
	const char *layers[1];

	if (!took)
		die("measure", "files");
	layers[0] = strdup(join(work_dir, "layer"));
	make_dir(layers[0]);
	make_dir(system_root(PLAIN));
	for (int state = 0; state < STATES; state++) {
		fill_file(join(layers[0], state_name[state]));
		fill_file(join(system_root(PLAIN), state_name[state]));
	}
	sync();
	for (int system = 0; system < STACKED; system++) {
		mount_image(system, layers, 1, system_name[system]);
		write_seq(join(image_root(system_name[system]), state_name[WHOLE]));
	}
	for (unsigned int r = 0; r < rounds; r++) {
		new_places();
		for (unsigned int j = 0; j < JOBS; j++) {
			/* What the last job wrote is not written back in this one. */
			sync();
			for (int state = 0; state < STATES; state++)
				for (int n = 0; n < ORDERS * SYSTEMS; n++) {
					int system = take_turns(n % SYSTEMS, n / SYSTEMS);
					const char *path = join(system_root(system), state_name[state]);
					uint64_t t, *best = &took[j][state][system][r];

					if (job[j].changes && state == UNTOUCHED)
						continue;
					t = job[j].fn(path);
					if (!*best || t < *best)
						*best = t;
				}
		}
	}
	printf("\nFiles of %u MiB, from the page cache, ns each, best of %u, median of %u\n",
	       BLOCKS / 256, ORDERS, rounds);
	printf("%-26s %-10s %10s %10s %10s %8s\n", "", "", "veneer", "overlay", "plain",
	       "ratio");
	for (unsigned int j = 0; j < JOBS; j++)
		for (int state = 0; state < STATES; state++) {
			uint64_t all[SYSTEMS];

			for (int system = 0; system < SYSTEMS; system++)
				all[system] = median(took[j][state][system], rounds);
			if (!all[VENEER])
				continue;
			printf("%-26s %-10s %10llu %10llu %10llu %8.3f\n", job[j].name,
			       state_name[state], (unsigned long long)all[VENEER],
			       (unsigned long long)all[OVERLAY],
			       (unsigned long long)all[PLAIN],
			       (double)all[VENEER] / (all[OVERLAY] ?: 1));
		}
	for (int system = 0; system < STACKED; system++)
		unmount_image(system_name[system]);
	if (remove_tree(layers[0]) || remove_tree(system_root(PLAIN)))
		exit(1);
	free(took);
	free((void *)layers[0]);
}
