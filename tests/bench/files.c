// SPDX-License-Identifier: GPL-2.0-or-later
/* Files to measure with, and what they take on the disk. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"
#include "world.h"

#define BLOCK 4096

static char buf[1 << 20];

const char *file_name(const char *root, unsigned int n)
{
	char rel[16];

	snprintf(rel, sizeof(rel), "file%u", n);
	return join(root, rel);
}

void make_file(const char *path, unsigned long long size, unsigned long long data)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0)
		die("make", path);
	for (unsigned long long off = 0; off < data; off += sizeof(buf)) {
		/* Another page every time: nothing below can share them. */
		for (size_t i = 0; i < sizeof(buf); i += BLOCK)
			memset(buf + i, (off + i) / BLOCK * 7 + 1, BLOCK);
		size_t len = data - off < sizeof(buf) ? data - off : sizeof(buf);

		if (pwrite(fd, buf, len, off) != (ssize_t)len)
			die("write", path);
	}
	MUST(ftruncate(fd, size), "extend", path);
	close(fd);
}

void make_layers(const char *root, char **layer, unsigned int layers, unsigned int dirs,
		 unsigned int files, void (*make)(const char *path))
{
	char rel[64];

	make_dir(root);
	for (unsigned int i = 0; i < layers; i++) {
		snprintf(rel, sizeof(rel), "%u", i);
		layer[i] = strdup(join(root, rel));
		make_dir(layer[i]);
	}
	for (unsigned int d = 0; d < dirs; d++) {
		for (unsigned int f = 0; f < files; f++) {
			const char *in = layer[(d * 31 + f * 7) % layers];

			snprintf(rel, sizeof(rel), "directory.%u", d);
			mkdir(join(in, rel), 0755);
			snprintf(rel, sizeof(rel), "directory.%u/some.file.%u", d, f);
			make(join(in, rel));
		}
	}
}

unsigned long long used(int at, const char *name)
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

unsigned long long cached_kib(void)
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
