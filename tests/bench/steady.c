// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reading and writing, from the page cache, a file of which every eighth block was
 * changed: in Veneer a split file, in overlayfs a copied one.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "random.h"
#include "world.h"

#define BLOCK 4096
#define BLOCKS 4096
#define SIZE ((size_t)BLOCK * BLOCKS)

static char buf[1 << 20];

static const struct job {
	const char *name;
	size_t len;		/* of one call */
	bool random;
	unsigned int writes;	/* of eight calls */
	unsigned int grain;	/* offsets are multiples of so many calls */
} job[] = {
	{ "read 4 KiB, random", BLOCK, true, 0, 1 },
	{ "read 4 KiB, sequential", BLOCK, false, 0, 1 },
	{ "read 128 KiB", 32 * BLOCK, false, 0, 1 },
	{ "read 1 MiB", 256 * BLOCK, false, 0, 1 },
	/* Only blocks that are there, up to here. */
	{ "overwrite 4 KiB, random", BLOCK, true, 8, 8 },
	{ "read and overwrite, 5 to 3", BLOCK, true, 3, 8 },
	/* The first round of these puts all there. */
	{ "overwrite 128 KiB", 32 * BLOCK, false, 8, 1 },
	{ "overwrite 1 MiB", 256 * BLOCK, false, 8, 1 },
};
#define JOBS (sizeof(job) / sizeof(*job))

/* The last block is never written: the file stays split. */
static const size_t end = SIZE - BLOCK;

static uint64_t run(const struct job *j, const char *path)
{
	const unsigned int calls = end / j->len;
	const bool writes = j->writes;
	struct rng r = rng_seed(3);
	uint64_t start;
	int fd = open(path, (writes ? O_RDWR : O_RDONLY) | O_CLOEXEC);

	if (fd < 0)
		die("open", path);
	start = now();
	for (unsigned int i = 0; i < calls; i++) {
		unsigned int n = j->random ? rng_under(&r, calls) : i;
		off_t off = (off_t)(n - n % j->grain) * j->len;
		ssize_t ret;

		if (i % 8 < j->writes)
			ret = pwrite(fd, buf, j->len, off);
		else
			ret = pread(fd, buf, j->len, off);
		if (ret != (ssize_t)j->len)
			die("read or write", path);
	}
	start = now() - start;
	if (writes)
		MUST(fsync(fd), "sync", path);
	close(fd);
	return start / calls;
}

static void change_part(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		die("open", path);
	for (off_t off = 0; off < (off_t)end; off += 8 * BLOCK)
		if (pwrite(fd, buf, BLOCK, off) != BLOCK)
			die("write", path);
	MUST(fsync(fd), "sync", path);
	close(fd);
}

void bench_steady(void)
{
	static uint64_t best[JOBS][SYSTEMS];
	const char *layer = strdup(join(work_dir, "layer"));

	make_dir(layer);
	make_dir(system_root(PLAIN));
	make_file(file_name(layer, 0), SIZE, SIZE);
	make_file(file_name(system_root(PLAIN), 0), SIZE, SIZE);
	for (int system = 0; system < STACKED; system++)
		mount_image(system, &layer, 1, system_name[system]);
	sync();
	for (int system = 0; system < SYSTEMS; system++)
		change_part(file_name(system_root(system), 0));
	/* The first round is not counted. */
	for (size_t n = 0; n < JOBS; n++)
		for (unsigned int r = 0; r <= rounds; r++)
			for (int i = 0; i < SYSTEMS; i++) {
				int system = take_turns(i, r);
				uint64_t t = run(&job[n], file_name(system_root(system), 0));

				if (r && (!best[n][system] || t < best[n][system]))
					best[n][system] = t;
			}
	printf("\nA file of 16 MiB with every eighth block changed, warm, ns a call, best of %u\n",
	       rounds);
	printf("%-26s %10s %10s %10s %8s\n", "", "veneer", "overlay", "plain", "ratio");
	for (size_t n = 0; n < JOBS; n++)
		printf("%-26s %10llu %10llu %10llu %8.3f\n", job[n].name,
		       (unsigned long long)best[n][VENEER],
		       (unsigned long long)best[n][OVERLAY],
		       (unsigned long long)best[n][PLAIN],
		       (double)best[n][VENEER] / (best[n][OVERLAY] ?: 1));
	for (int system = 0; system < STACKED; system++)
		unmount_image(system_name[system]);
	if (remove_tree(layer) || remove_tree(system_root(PLAIN)))
		exit(1);
	free((void *)layer);
}
