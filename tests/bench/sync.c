// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Making many files durable at once that were changed a little: syncfs(2), and the
 * unmount, of a thousand of them.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "world.h"

#define FILES 1000
#define SIZE (128 << 10)	/* more than what is copied whole */
#define BLOCK 4096

enum { SYNCFS_FIRST, SYNCFS_AGAIN, FSYNC_EACH, UNMOUNT, MEASURES };
static const char *const measure_name[MEASURES] = {
	"syncfs after the first writes", "syncfs after more writes",
	"fsync of each after more writes", "unmount after more writes",
};

static void change_all(const char *root, off_t off, bool sync_each)
{
	static char buf[BLOCK];

	for (unsigned int n = 0; n < FILES; n++) {
		const char *path = file_name(root, n);
		int fd = open(path, O_WRONLY | O_CLOEXEC);

		if (fd < 0)
			die("open", path);
		if (pwrite(fd, buf, BLOCK, off) != BLOCK)
			die("write", path);
		if (sync_each)
			MUST(fsync(fd), "sync", path);
		close(fd);
	}
}

static uint64_t timed_syncfs(const char *root)
{
	uint64_t start = now();
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		die("open", root);
	MUST(syncfs(fd), "sync", root);
	close(fd);
	return now() - start;
}

static void keep(uint64_t *best, uint64_t value)
{
	if (!*best || value < *best)
		*best = value;
}

static void measure(int system, const char *layer, uint64_t best[MEASURES])
{
	const char *name = "sync", *root;
	uint64_t start;

	mount_image(system, &layer, 1, name);
	root = strdup(image_root(name));
	sync();
	change_all(root, 0, false);
	keep(&best[SYNCFS_FIRST], timed_syncfs(root));
	change_all(root, 2 * BLOCK, false);
	keep(&best[SYNCFS_AGAIN], timed_syncfs(root));
	start = now();
	change_all(root, 4 * BLOCK, true);
	keep(&best[FSYNC_EACH], now() - start);
	change_all(root, 6 * BLOCK, false);
	keep(&best[UNMOUNT], unmount_only(name));
	if (remove_tree(join(work_dir, name)))
		exit(1);
	free((void *)root);
}

void bench_sync(void)
{
	static uint64_t best[STACKED][MEASURES];
	const char *layer = strdup(join(work_dir, "layer"));

	make_dir(layer);
	for (unsigned int n = 0; n < FILES; n++)
		make_file(file_name(layer, n), SIZE, SIZE);
	for (unsigned int r = 0; r < rounds; r++)
		for (int i = 0; i < STACKED; i++)
			measure((i + r) % STACKED, layer, best[(i + r) % STACKED]);
	printf("\n%d files of %d KiB, 4 KiB written to each, ms, best of %u\n", FILES, SIZE >> 10,
	       rounds);
	printf("%-32s %10s %10s %8s\n", "", "veneer", "overlay", "ratio");
	for (int m = 0; m < MEASURES; m++)
		printf("%-32s %10.1f %10.1f %8.3f\n", measure_name[m], best[VENEER][m] / 1e6,
		       best[OVERLAY][m] / 1e6,
		       (double)best[VENEER][m] / (best[OVERLAY][m] ?: 1));
	if (remove_tree(layer))
		exit(1);
	free((void *)layer);
}
