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
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "server.h"
#include "serverops.h"
#include "world.h"

static void nap(void)
{
	nanosleep(&(struct timespec) { .tv_nsec = 10000000 }, NULL);
}

int server_allow(void)
{
	if (!server_is_built_in()) {
		errno = ENOSYS;
		return -1;
	}
	load_module("fuse");
	return chmod("/dev/fuse", 0666);
}

int server_start(struct server *s, const char *dir, const char *mnt)
{
	char options[64];
	int fd, root;

	memset(s, 0, sizeof(*s));
	if (!server_is_built_in()) {
		errno = ENOSYS;
		return -1;
	}
	load_module("fuse");
	fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		if (errno == ENOENT || errno == ENXIO)
			errno = ENODEV;
		return -1;
	}
	root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	s->shared = mmap(NULL, sizeof(*s->shared), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	snprintf(s->mnt, sizeof(s->mnt), "%s", mnt);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	if (root < 0 || s->shared == MAP_FAILED ||
	    mount("server", mnt, "fuse", MS_NOSUID | MS_NODEV, options)) {
		int err = errno;

		close(fd);
		close(root);
		errno = err;
		return -1;
	}
	fflush(NULL);
	s->pid = fork();
	if (!s->pid)
		_exit(server_serve(fd, root, s->shared));
	close(fd);
	close(root);
	return s->pid < 0 ? -1 : 0;
}

unsigned int server_rule(struct server *s, const struct server_rule *rule)
{
	struct server_shared *shared = s->shared;
	unsigned int n = atomic_load(&shared->nr);

	if (n == SERVER_RULES) {
		printf("# server: no room for one more rule\n");
		return n - 1;
	}
	shared->entry[n].rule = *rule;
	atomic_store(&shared->entry[n].seen, 0);
	atomic_store(&shared->entry[n].met, 0);
	atomic_store(&shared->nr, n + 1);
	return n;
}

unsigned int server_met(struct server *s, unsigned int rule)
{
	return atomic_load(&s->shared->entry[rule].met);
}

int server_wait(struct server *s, unsigned int rule, unsigned int times)
{
	for (int i = 0; i < 3000; i++) {
		if (server_met(s, rule) >= times)
			return 0;
		nap();
	}
	errno = ETIMEDOUT;
	return -1;
}

void server_honest(struct server *s)
{
	atomic_store(&s->shared->nr, 0);
	server_let_go(s->shared);
}

void server_kill(struct server *s)
{
	if (s->pid <= 0)
		return;
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	s->pid = 0;
}

int server_end(struct server *s)
{
	int err = 0;

	if (!s->shared)
		return 0;
	if (s->pid > 0)
		server_honest(s);
	if (umount2(s->mnt, 0)) {
		err = errno;
		umount2(s->mnt, MNT_DETACH);
	}
	server_kill(s);
	munmap(s->shared, sizeof(*s->shared));
	s->shared = NULL;
	errno = err;
	return err ? -1 : 0;
}
