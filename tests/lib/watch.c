// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "watch.h"
#include "world.h"

static struct watch *watch;
static struct watch_slot *mine;
static uint64_t cpu_begin;

static uint64_t clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

struct watch *watch_new(double bound)
{
	struct watch *w = mmap(NULL, sizeof(*w), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (w == MAP_FAILED)
		return NULL;
	w->bound = bound;
	return w;
}

void watch_use(struct watch *w, unsigned int slot)
{
	watch = w;
	mine = &w->slot[slot];
	mine->since = 0;
}

void watch_begin(const char *name, const char *text)
{
	if (!mine)
		return;
	mine->name = name;
	strncpy(mine->text, text, sizeof(mine->text) - 1);
	cpu_begin = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	__atomic_store_n(&mine->since, clock_ns(CLOCK_MONOTONIC), __ATOMIC_RELEASE);
}

/*
 * Time of the processor only: waiting is what the other process looks for, and a busy
 * machine is nobody's fault.
 */
void watch_end(void)
{
	int err = errno;
	double took;

	if (!mine)
		return;
	took = (clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_begin) / 1e9;
	__atomic_store_n(&mine->since, 0, __ATOMIC_RELEASE);
	mine->calls++;
	if (took > watch->worst) {
		watch->worst = took;
		watch->worst_name = mine->name;
	}
	if (took > watch->bound) {
		watch->slow++;
		printf("# %s of '%s' took %.1f s of the processor\n", mine->name, mine->text,
		       took);
		fflush(stdout);
	}
	errno = err;
}

unsigned long watch_calls(const struct watch *w)
{
	unsigned long n = 0;

	for (int i = 0; i < WATCH_SLOTS; i++)
		n += w->slot[i].calls;
	return n;
}

/* The slots whose call has been made for longer than so many seconds. */
static int late(const struct watch *w, double seconds)
{
	int n = 0;

	for (int i = 0; i < WATCH_SLOTS; i++) {
		const struct watch_slot *s = &w->slot[i];
		uint64_t since = __atomic_load_n(&s->since, __ATOMIC_ACQUIRE);
		double took = since ? (clock_ns(CLOCK_MONOTONIC) - since) / 1e9 : 0;

		if (took <= seconds)
			continue;
		printf("# %s of '%s' has not ended after %.1f s\n", s->name, s->text, took);
		n++;
	}
	return n;
}

static bool ended(pid_t pid, int *status, double seconds)
{
	uint64_t end = clock_ns(CLOCK_MONOTONIC) + seconds * 1e9;

	do {
		if (waitpid(pid, status, WNOHANG) == pid)
			return true;
		usleep(3000);
	} while (clock_ns(CLOCK_MONOTONIC) < end);
	return false;
}

int watch_wait(struct watch *w, pid_t pid, unsigned int seconds)
{
	/* What waits for nothing but the processor may be one of many. */
	const double patience = 10 * w->bound;
	uint64_t begin = clock_ns(CLOCK_MONOTONIC);
	int status;

	while (!ended(pid, &status, 0.2)) {
		if (!late(w, patience) &&
		    clock_ns(CLOCK_MONOTONIC) - begin < seconds * 1000000000ULL)
			continue;
		printf("# killed after %.0f s\n", (clock_ns(CLOCK_MONOTONIC) - begin) / 1e9);
		fflush(stdout);
		kill(-pid, SIGKILL);
		if (ended(pid, &status, patience))
			return -1;
		printf("# it cannot be killed\n");
		fflush(stdout);
		if (write_text("/proc/sysrq-trigger", "w"))
			printf("# and its stack is not to be had\n");
		return -2;
	}
	kill(-pid, SIGKILL);
	return status;
}

int kmsg_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0 && lseek(fd, 0, SEEK_END) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* What tests/bed looks for in the whole of a guest's log. */
static bool complains(const char *line)
{
	static const char *const what[] = {
		"BUG:", "BUG ", "kernel BUG", "WARNING:", "Oops", "Call Trace", "KASAN", "UBSAN",
		"general protection", "Bad page", "bad page", "refcount_t:",
		"locking dependency", "lock state", "held lock", "suspicious RCU",
		"sleeping function", "scheduling while atomic", "corruption",
		"blocked for more than", "Busy inodes after unmount", "ODEBUG",
		"EXT4-fs error", "Internal error",
	};

	for (size_t i = 0; i < sizeof(what) / sizeof(*what); i++)
		if (strstr(line, what[i]))
			return true;
	return false;
}

void kmsg_say(const char *program, unsigned long long seed)
{
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	char line[80];
	int n = snprintf(line, sizeof(line), "%s: seed %llu\n", program, seed);

	if (fd < 0)
		return;
	if (write(fd, line, n) != n)
		printf("# /dev/kmsg: %s\n", strerror(errno));
	close(fd);
}

int kmsg_complaints(int fd)
{
	char line[2048], *text, *end;
	int n = 0, more = 0;
	ssize_t len;

	while ((len = read(fd, line, sizeof(line) - 1)) > 0 || (len < 0 && errno == EPIPE)) {
		if (len < 0)
			continue;
		line[len] = 0;
		text = strchr(line, ';') ?: line;
		end = strchr(text, '\n');
		if (end)
			*end = 0;
		if (complains(text)) {
			n++;
			more = 40;
		}
		/* The stack comes after it. */
		if (more-- > 0)
			printf("# kernel: %s\n", text + (*text == ';'));
	}
	fflush(stdout);
	return n;
}
