// SPDX-License-Identifier: GPL-2.0-or-later
/* How far it is, on the terminal; see progress.h. */
#include "verbs/progress.h"

#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "base/human.h"

static struct {
	const char *label;
	int fd;
	double begin, next;
	off_t size;
} progress = { .fd = -1 };

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

void progress_begin(const char *label, int fd)
{
	struct stat status;

	progress.label = label;
	progress.fd = fd;
	progress.size = !fstat(fd, &status) && S_ISREG(status.st_mode) ? status.st_size : 0;
	progress.begin = progress.next = now();
}

void progress_step(const struct unpack *unpack)
{
	char done[SIZE_TEXT], total[SIZE_TEXT], rate[SIZE_TEXT];
	double time = now(), seconds = time - progress.begin;
	off_t at;

	(void)unpack;
	if (progress.fd < 0 || time < progress.next || seconds < 0.2)
		return;
	progress.next = time + 0.2;
	at = lseek(progress.fd, 0, SEEK_CUR);
	if (at <= 0)
		return;
	human_size(at, done);
	human_size(progress.size, total);
	human_size(at / seconds, rate);
	if (progress.size)
		fprintf(stderr, "\r%.19s: %s of %s, %s/s, %.0f s left\033[K", progress.label,
			done, total, rate, (progress.size - at) * seconds / at);
	else
		fprintf(stderr, "\r%.19s: %s, %s/s\033[K", progress.label, done, rate);
}

void progress_end(void)
{
	if (progress.fd >= 0)
		fprintf(stderr, "\r\033[K");
	progress.fd = -1;
}
