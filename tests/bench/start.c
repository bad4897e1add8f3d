// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Starting a container: its directories, its mount, and its first process, until
 * that has said a word. All of them go on running until the last has started, so
 * the last ones start beside all others.
 *
 * By the helper (create, mount, and a chroot) as a person would, and by the system
 * calls alone, which overlayfs can do as well; and by copying the whole image.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "world.h"

#define SOME 100		/* the first and the last ones are looked at apart */
#define COPIES 10		/* a copy costs what it costs */
#define DIRS 64
#define FILES 32		/* in each, of 4 KiB: an image of 2,048 files, 8 MiB */

static const unsigned int sizes[] = { 1, 64 };
#define SIZES (sizeof(sizes) / sizeof(*sizes))

enum { BY_HELPER, BY_MOUNT, BY_OVERLAY, BY_COPY, WAYS };
static const char *const way_name[WAYS] = {
	"veneer create, veneer mount", "veneer, by system calls",
	"overlayfs, by system calls", "a full copy",
};

unsigned int containers = 1000;

static char *layer[64];
static const char *helper, *store;
static int said[2], hold[2];	/* what all first processes write to, and wait for */

static void make_block(const char *path)
{
	static char block[4096];
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);

	if (fd < 0 || write(fd, block, sizeof(block)) != sizeof(block))
		die("write", path);
	close(fd);
}

/* Waits for a program; the first line of what it wrote goes into line, if not NULL. */
static void command(const char *const argv[], char line[PATH])
{
	char text[PATH];
	int out[2], status;
	ssize_t n = 0, got;
	pid_t pid;

	MUST(pipe2(out, O_CLOEXEC), "make", "a pipe");
	pid = fork();
	MUST(pid, "fork for", argv[0]);
	if (!pid) {
		dup2(out[1], 1);
		execvp(argv[0], (char **)argv);
		_exit(127);
	}
	close(out[1]);
	while (n < PATH - 1 && (got = read(out[0], text + n, PATH - 1 - n)) > 0)
		n += got;
	text[n] = 0;
	text[strcspn(text, "\n")] = 0;
	if (line)
		strcpy(line, text);
	close(out[0]);
	MUST(waitpid(pid, &status, 0), "wait for", argv[0]);
	if (status) {
		fprintf(stderr, "bench: %s %s: status %#x\n", argv[0], argv[1], status);
		exit(1);
	}
}

#define RUN(line, ...) command((const char *const[]){ __VA_ARGS__, NULL }, line)
#define HELPER(line, ...) RUN(line, helper, "--root", store, __VA_ARGS__)

/* A container's first process; returns when it has written. */
static void first_process(const char *root)
{
	pid_t pid = fork();
	char byte;

	MUST(pid, "fork for", root);
	if (!pid) {
		dup2(hold[0], 0);
		dup2(said[1], 1);
		if (!chroot(root) && !chdir("/"))
			execl("/bin/busybox", "sh", "-c", "echo; read nothing", NULL);
		_exit(127);
	}
	if (read(said[0], &byte, 1) != 1)
		die("start a process in", root);
}

static void end_processes(void)
{
	close(hold[1]);
	while (wait(NULL) > 0)
		;
	close(hold[0]);
}

static const char *container_name(unsigned int n)
{
	static char name[32];

	snprintf(name, sizeof(name), "container.%u", n);
	return name;
}

static uint64_t start(int way, unsigned int layers, unsigned int n)
{
	const char *name = container_name(n), *image = layers == 1 ? "few" : "many";
	char root[PATH];
	uint64_t begin = now();

	switch (way) {
	case BY_HELPER:
		HELPER(NULL, "create", "-q", "--name", name, image);
		HELPER(root, "mount", name);
		break;
	case BY_MOUNT:
	case BY_OVERLAY:
		mount_image(way == BY_MOUNT ? VENEER : OVERLAY, (void *)layer, layers, name);
		snprintf(root, sizeof(root), "%s", image_root(name));
		break;
	default:
		snprintf(root, sizeof(root), "%s", join(work_dir, name));
		make_dir(root);
		for (unsigned int i = layers; i--;)
			RUN(NULL, "cp", "-a", "-T", layer[i], root);
	}
	first_process(root);
	return now() - begin;
}

static void end(int way, unsigned int n)
{
	const char *name = container_name(n);

	switch (way) {
	case BY_HELPER:
		HELPER(NULL, "rm", "--force", name);
		break;
	case BY_MOUNT:
	case BY_OVERLAY:
		unmount_image(name);
		break;
	default:
		if (remove_tree(join(work_dir, name)))
			exit(1);
	}
}

static void measure(int way, unsigned int layers)
{
	unsigned int n = way == BY_COPY && containers > COPIES ? COPIES : containers;
	unsigned int some = n < 2 * SOME ? n / 2 : SOME;
	uint64_t *took = calloc(n, sizeof(*took));
	double first, last, all;

	MUST(pipe2(said, O_CLOEXEC), "make", "a pipe");
	MUST(pipe2(hold, O_CLOEXEC), "make", "a pipe");
	for (unsigned int i = 0; i < n; i++) {
		took[i] = start(way, layers, i);
		if (!((i + 1) % SOME) && i + 1 < n)
			fprintf(stderr, "bench: %s, layers: %u: %u of %u run\n",
				way_name[way], layers, i + 1, n);
	}
	end_processes();
	close(said[0]);
	close(said[1]);
	for (unsigned int i = 0; i < n; i++)
		end(way, i);
	first = median(took, some) / 1e6;
	last = median(took + n - some, some) / 1e6;
	all = median(took, n) / 1e6;
	printf("%-30s %7u %7u %10.2f %10.2f %10.2f %10.2f %8.3f\n", way_name[way], layers, n,
	       all, took[n - 1] / 1e6, first, last, last / first);
	free(took);
}

/* An image in the store: one layer, and one more for each commit. */
static void import(void)
{
	const char *tar = join(work_dir, "image.tar");
	char root[PATH], path[PATH + 32];

	RUN(NULL, "tar", "-c", "-C", layer[0], "-f", tar, ".");
	HELPER(NULL, "image", "import", "-q", "--name", "few", tar);
	HELPER(NULL, "image", "tag", "few", "many");
	for (unsigned int i = 1; i < sizes[SIZES - 1]; i++) {
		HELPER(NULL, "create", "-q", "--name", "maker", "many");
		HELPER(root, "mount", "maker");
		snprintf(path, sizeof(path), "%s/layer.%u", root, i);
		make_block(path);
		HELPER(NULL, "commit", "maker", "many");
		HELPER(NULL, "rm", "--force", "maker");
	}
	unlink(tar);
}

static void make_image(const char *root, unsigned int layers)
{
	const char *bottom;

	make_layers(root, layer, layers, DIRS, FILES, make_block);
	bottom = layer[layers - 1];
	make_dir(join(bottom, "bin"));
	RUN(NULL, "cp", "/bin/busybox", join(bottom, "bin/busybox"));
}

void bench_start(void)
{
	struct rlimit many = { .rlim_cur = 4096, .rlim_max = 4096 };

	setrlimit(RLIMIT_NOFILE, &many);
	setenv("VENEER_CONF", "/dev/null", 1);
	helper = getenv("VENEER");
	if (!helper)
		helper = "userspace/build/veneer";
	store = strdup(join(work_dir, "store"));
	printf("\nStarting containers, which go on running: milliseconds\n");
	printf("%-30s %7s %7s %10s %10s %10s %10s %8s\n", "", "layers", "number", "median",
	       "worst", "the first", "the last", "ratio");
	for (unsigned int s = 0; s < SIZES; s++) {
		const char *root = strdup(join(work_dir, "image"));

		make_image(root, sizes[s]);
		if (!s)
			import();
		for (int way = 0; way < WAYS; way++)
			measure(way, sizes[s]);
		for (unsigned int i = 0; i < sizes[s]; i++)
			free(layer[i]);
		if (remove_tree(root))
			exit(1);
		free((void *)root);
	}
}
