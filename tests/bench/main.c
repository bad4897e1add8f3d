// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "world.h"

const char *const system_name[SYSTEMS] = { "veneer", "overlay", "plain" };
char work_dir[PATH];
unsigned int rounds = 3;

uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

void die(const char *what, const char *path)
{
	int err = errno;

	fprintf(stderr, "bench: cannot %s %s: %s\n", what, path, strerror(err));
	exit(1);
}

int take_turns(int i, unsigned int round)
{
	int turn = (i + round / 2) % SYSTEMS;

	return round % 2 ? turn : SYSTEMS - 1 - turn;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

uint64_t median(uint64_t *figure, unsigned int n)
{
	qsort(figure, n, sizeof(*figure), by_value);
	return figure[n / 2];
}

void make_dir(const char *path)
{
	if (mkdir(path, 0755))
		die("make", path);
}

const char *image_root(const char *name)
{
	return join(join(work_dir, name), "mnt");
}

const char *system_root(int system)
{
	return system == PLAIN ? join(work_dir, "plain") : image_root(system_name[system]);
}

/* Mounts with these options, of which there are n, and a new upper. */
static uint64_t mount_with(int system, const char *option[][2], unsigned int n,
			   const char *name)
{
	char log[1024];
	const char *root = join(work_dir, name);
	uint64_t start;
	int fd;

	make_dir(root);
	make_dir(join(root, "mnt"));
	make_dir(join(root, "upper"));
	make_dir(join(root, "work"));
	option[n][0] = "source";
	option[n++][1] = "bench";
	option[n][0] = "upperdir";
	option[n++][1] = join(root, "upper");
	option[n][0] = "workdir";
	option[n++][1] = join(root, "work");
	option[n][0] = NULL;
	start = now();
	fd = fs_mount(system_name[system], option, 0, join(root, "mnt"), log,
		      sizeof(log));
	start = now() - start;
	if (fd < 0) {
		errno = -fd;
		fprintf(stderr, "%s", log);
		die("mount", system_name[system]);
	}
	close(fd);
	return start;
}

uint64_t mount_image(int system, const char *const *layer, unsigned int layers,
		     const char *name)
{
	return mount_limit(system, layer, layers, name, NULL);
}

uint64_t mount_limit(int system, const char *const *layer, unsigned int layers,
		     const char *name, const char *whole_limit)
{
	static const char *option[600][2];
	unsigned int n = 0;

	if (whole_limit) {
		option[n][0] = "whole_limit";
		option[n++][1] = whole_limit;
	}
	for (unsigned int i = 0; i < layers; i++) {
		option[n][0] = "lowerdir+";
		option[n++][1] = layer[i];
	}
	return mount_with(system, option, n, name);
}

uint64_t mount_stack(int stack, const char *name)
{
	const char *option[8][2];
	char number[16];

	snprintf(number, sizeof(number), "%d", stack);
	option[0][0] = "stack";
	option[0][1] = number;
	return mount_with(VENEER, option, 1, name);
}

uint64_t unmount_only(const char *name)
{
	uint64_t start = now();

	MUST(umount2(image_root(name), 0), "unmount", image_root(name));
	return now() - start;
}

void unmount_image(const char *name)
{
	unmount_only(name);
	if (remove_tree(join(work_dir, name)))
		exit(1);
}

int main(int argc, char **argv)
{
	static const struct {
		char option;
		void (*run)(void);
		const char *what;
		bool patience;	/* only when it is asked for */
	} part[] = {
		{ 'w', bench_walk, "mounts and walks", false },
		{ 'i', bench_io, "reads, writes, maps", false },
		{ 's', bench_split, "first writes, sixteen mounts that make one each, a mapping after it", false },
		{ 'p', bench_steady, "reads and writes of a file that is changed in part", false },
		{ 'y', bench_sync, "syncs of many files that were changed in part", true },
		{ 'l', bench_limit, "files of all sizes, copied whole and split", true },
		{ 'k', bench_clone, "files copied whole, which can be a clone, and split", true },
		{ 'c', bench_start, "starting containers, of which -n says how many", true },
	};
	const size_t parts = sizeof(part) / sizeof(*part);
	unsigned int chosen = 0;
	int opt;

	while ((opt = getopt(argc, argv, "r:n:wispylkc")) != -1) {
		if (opt == 'r')
			rounds = atoi(optarg);
		if (opt == 'n')
			containers = atoi(optarg);
		for (size_t i = 0; i < parts; i++)
			if (opt == part[i].option)
				chosen |= 1u << i;
		if (opt == '?') {
			fprintf(stderr, "usage: bench [-r ROUNDS] [-n CONTAINERS] [-w] [-i] [-s] [-p] [-y] [-l] [-k] [-c]\n");
			for (size_t i = 0; i < parts; i++)
				fprintf(stderr, "  -%c  only %s\n", part[i].option, part[i].what);
			return 2;
		}
	}
	if (!rounds)
		rounds = 1;
	if (!containers)
		containers = 1;
	snprintf(work_dir, sizeof(work_dir), "%s/bench.%d", world_dir(), getpid());
	make_dir(work_dir);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < parts; i++)
		if (chosen ? chosen & 1u << i : !part[i].patience)
			part[i].run();
	return remove_tree(work_dir) ? 1 : 0;
}
