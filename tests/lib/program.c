// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

void __attribute__((noinline, noclone)) program_leave(void)
{
	_exit(PROGRAM_RAN);
}

static void __attribute__((constructor)) leave_when_told(void)
{
	if (getenv("VENEER_TEST_LEAVE"))
		program_leave();
}

int put_program(struct world *w, const char *path)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), ret;
	struct stat st;
	void *p;

	if (fd < 0 || fstat(fd, &st))
		return -1;
	p = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return -1;
	ret = put_file(w, path, 0755, p, st.st_size);
	munmap(p, st.st_size);
	return ret;
}

int program_run(const char *path)
{
	char *argv[] = { (char *)path, NULL };
	char *envp[] = { "VENEER_TEST_LEAVE=1", NULL };
	pid_t pid;
	int status;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		execve(path, argv, envp);
		_exit(errno == ETXTBSY ? 26 : 1);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
