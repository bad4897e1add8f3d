// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Images of few and of many layers: mounted, mounted again with another upper,
 * and walked. All have the same 4,096 files in 64 directories; in an image of
 * many layers each directory is spread over many of them.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"
#include "control.h"
#include "world.h"

#define DIRS 64
#define FILES 64
#define NAMES (DIRS + DIRS * FILES)

static const unsigned int sizes[] = { 1, 16, 64, 256 };
#define SIZES (sizeof(sizes) / sizeof(*sizes))

enum {
	MOUNT_1, WALK_1, MISSING_1, MOUNT_2, WALK_2, AGAIN_2, MISSING_2,
	/* Nothing mounted, but Veneer's stack kept by a descriptor. */
	KEPT_MOUNT, KEPT_WALK, KEPT_BY_FD, MEASURES
};
static const char *const measure_name[MEASURES] = {
	"first mount, us", "first walk, ns/name", "missing names, ns each",
	"second mount, us", "second mount's walk, ns/name",
	"and once more, ns/name", "the same missing names, ns",
	"first mount, stack kept, us", "its walk, ns/name",
	"mount by descriptor, us",
};

static char *layer[256];
static int dev;		/* /dev/veneer */

static void make_empty(const char *path)
{
	MUST(mknod(path, S_IFREG | 0644, 0), "make", path);
}

/* Lists everything and stats every name; how many there were. */
static unsigned int walk(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	unsigned int count = 0;
	struct dirent *de;
	struct stat st;

	if (!dir)
		die("walk", name);
	while ((de = readdir(dir))) {
		if (de->d_name[0] == '.')
			continue;
		MUST(fstatat(fd, de->d_name, &st, AT_SYMLINK_NOFOLLOW), "stat",
		     de->d_name);
		count++;
		if (S_ISDIR(st.st_mode))
			count += walk(fd, de->d_name);
	}
	closedir(dir);
	return count;
}

static uint64_t timed_walk(const char *root)
{
	uint64_t start = now();
	unsigned int n = walk(AT_FDCWD, root);

	start = now() - start;
	if (n != NAMES) {
		fprintf(stderr, "bench: %s has %u names, not %u\n", root, n, NAMES);
		exit(1);
	}
	return start / NAMES;
}

static uint64_t missing(const char *root)
{
	char rel[64];
	struct stat st;
	uint64_t start;
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	start = now();
	for (unsigned int d = 0; d < DIRS; d++)
		for (unsigned int f = 0; f < 8; f++) {
			snprintf(rel, sizeof(rel), "directory.%u/not.there.%u", d, f);
			if (!fstatat(fd, rel, &st, 0))
				die("miss", rel);
		}
	start = now() - start;
	close(fd);
	return start / (DIRS * 8);
}

static void keep_best(uint64_t *best, uint64_t value)
{
	if (!*best || value < *best)
		*best = value;
}

static void measure(int system, unsigned int layers, uint64_t best[MEASURES])
{
	int stack = -1;

	keep_best(&best[MOUNT_1], mount_image(system, (void *)layer, layers, "one") / 1000);
	keep_best(&best[WALK_1], timed_walk(image_root("one")));
	keep_best(&best[MISSING_1], missing(image_root("one")));
	keep_best(&best[MOUNT_2], mount_image(system, (void *)layer, layers, "two") / 1000);
	keep_best(&best[WALK_2], timed_walk(image_root("two")));
	keep_best(&best[AGAIN_2], timed_walk(image_root("two")));
	keep_best(&best[MISSING_2], missing(image_root("two")));
	unmount_image("two");
	if (system == VENEER)
		stack = stack_open(dev, (void *)layer, layers, 0);
	unmount_image("one");
	if (system != VENEER)
		return;

	if (stack < 0)
		die("keep the stack of", layer[0]);
	keep_best(&best[KEPT_MOUNT], mount_image(system, (void *)layer, layers, "three") / 1000);
	keep_best(&best[KEPT_WALK], timed_walk(image_root("three")));
	unmount_image("three");
	keep_best(&best[KEPT_BY_FD], mount_stack(stack, "three") / 1000);
	unmount_image("three");
	close(stack);
}

void bench_walk(void)
{
	static uint64_t best[SIZES][STACKED][MEASURES];

	dev = control_open();
	if (dev < 0)
		exit(1);
	for (unsigned int s = 0; s < SIZES; s++) {
		const char *root = strdup(join(work_dir, "image"));

		make_layers(root, layer, sizes[s], DIRS, FILES, make_empty);
		/*
		 * Once without counting: then the layers are cached for both,
		 * the names too that they do not have.
		 */
		for (int system = 0; system < STACKED; system++)
			measure(system, sizes[s], (uint64_t [MEASURES]) { });
		for (unsigned int r = 0; r < rounds; r++)
			for (int system = 0; system < STACKED; system++)
				measure(system, sizes[s], best[s][system]);
		for (unsigned int i = 0; i < sizes[s]; i++)
			free(layer[i]);
		if (remove_tree(root))
			exit(1);
		free((void *)root);
	}
	printf("\nMounts and walks: %u names, best of %u\n", NAMES, rounds);
	printf("%-30s %7s %12s %12s %8s %14s\n", "", "layers", "veneer", "overlay",
	       "ratio", "to 1 layer");
	for (int m = 0; m < MEASURES; m++)
		for (unsigned int s = 0; s < SIZES; s++) {
			uint64_t *v = best[s][VENEER], *o = best[s][OVERLAY];

			printf("%-30s %7u %12llu ", s ? "" : measure_name[m],
			       sizes[s], (unsigned long long)v[m]);
			if (o[m])
				printf("%12llu %8.3f", (unsigned long long)o[m],
				       (double)v[m] / o[m]);
			else
				printf("%12s %8s", "-", "-");
			printf(" %14.3f\n", (double)v[m] / (best[0][VENEER][m] ?: 1));
		}
	close(dev);
}
