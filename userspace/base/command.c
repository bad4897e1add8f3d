// SPDX-License-Identifier: GPL-2.0-or-later
/* Running other programs; see command.h. */
#include "base/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/files.h"
#include "base/jsonfile.h"

extern char **environ;

static int start(const char *const argv[], int input, int output, pid_t *child,
		 struct fault *fault)
{
	posix_spawn_file_actions_t actions;
	int error;

	posix_spawn_file_actions_init(&actions);
	if (input >= 0)
		posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
	if (output >= 0)
		posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	error = posix_spawnp(child, argv[0], &actions, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (!error)
		return 0;
	return fault_errno(fault, EXIT_SYSTEM, error, "cannot run \"%s\"", argv[0]);
}

static int wait_for(pid_t child, int *status)
{
	pid_t ended;

	do {
		ended = waitpid(child, status, 0);
	} while (ended < 0 && errno == EINTR);
	return ended < 0 ? -1 : 0;
}

int command_run(const char *const argv[], struct fault *fault)
{
	pid_t child;
	int status;

	/* What it has to say on the matter goes to stderr. */
	if (start(argv, -1, STDERR_FILENO, &child, fault) < 0)
		return -1;
	if (wait_for(child, &status) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot wait for \"%s\"", argv[0]);
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	if (WIFEXITED(status))
		return fault_set(fault, EXIT_SYSTEM, "\"%s\" failed with status %d", argv[0],
				 WEXITSTATUS(status));
	return fault_set(fault, EXIT_SYSTEM, "\"%s\" was ended by signal %d", argv[0],
			 WTERMSIG(status));
}

int command_pass(const char *const argv[], int *status, struct fault *fault)
{
	pid_t child;
	int result;

	if (start(argv, -1, -1, &child, fault) < 0)
		return -1;
	if (wait_for(child, &result) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot wait for \"%s\"", argv[0]);
	*status = WIFEXITED(result) ? WEXITSTATUS(result) : 128 + WTERMSIG(result);
	return 0;
}

int command_talk(const char *const argv[], const char *input, char **output, int *status,
		 struct fault *fault)
{
	/* A file, not a pipe: neither side has to be read while the other is written. */
	AUTO_FD in = memfd_create("input", MFD_CLOEXEC);
	AUTO_FD out = memfd_create("output", MFD_CLOEXEC);
	size_t length = strlen(input);
	pid_t child;
	int result;

	*output = NULL;
	if (in < 0 || out < 0 || write_all(in, input, length) < 0 ||
	    lseek(in, 0, SEEK_SET) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot talk to \"%s\"", argv[0]);
	if (start(argv, in, out, &child, fault) < 0)
		return -1;
	if (wait_for(child, &result) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot wait for \"%s\"", argv[0]);
	*status = WIFEXITED(result) ? WEXITSTATUS(result) : 128 + WTERMSIG(result);
	if (lseek(out, 0, SEEK_SET) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot read from \"%s\"", argv[0]);
	*output = jsonfile_slurp(out, &length, fault);
	return *output ? 0 : -1;
}
