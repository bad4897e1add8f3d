// SPDX-License-Identifier: GPL-2.0-or-later
/* Starting commands, by unshare(2) or an OCI runtime; see runtime.h. */
#include "mount/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "base/command.h"

#define STANDARD_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct process {
	char **argv;
	char **env;
	const char *directory;
	unsigned uid, gid;
};

static void free_process(struct process *process)
{
	free(process->argv);
	free(process->env);
}

static size_t append(char **to, size_t at, const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (text)
			to[at++] = (char *)text;
	}
	return at;
}

static int prepare_argv(struct process *process, const struct runtime_command *command,
			struct fault *fault)
{
	const json_t *entry = json_object_get(command->config, "Entrypoint");
	const json_t *standard = json_object_get(command->config, "Cmd");
	size_t given = 0, count = 0;

	while (command->argv[given])
		given++;
	process->argv = calloc(json_array_size(entry) + json_array_size(standard) + given + 1,
			       sizeof(*process->argv));
	if (!process->argv)
		return fault_no_memory(fault);
	/* A command that is named replaces all that the image says. */
	if (!given) {
		count = append(process->argv, 0, entry);
		count = append(process->argv, count, standard);
	}
	for (size_t i = 0; i < given; i++)
		process->argv[count++] = command->argv[i];
	if (count)
		return 0;
	return fault_set(fault, EXIT_USAGE,
			 "the image does not say what to start; name a command");
}

static int prepare(struct process *process, const struct runtime_command *command,
		   struct fault *fault)
{
	const json_t *env = json_object_get(command->config, "Env");
	const char *user = json_text(command->config, "User");
	bool path = false;
	size_t count;
	char *end;

	if (prepare_argv(process, command, fault) < 0)
		return -1;
	process->env = calloc(json_array_size(env) + 4, sizeof(*process->env));
	if (!process->env)
		return fault_no_memory(fault);
	count = append(process->env, 0, env);
	for (size_t i = 0; i < count; i++)
		path |= !strncmp(process->env[i], "PATH=", 5);
	if (!path)
		process->env[count++] = STANDARD_PATH;
	if (getenv("TERM"))
		process->env[count++] = getenv("TERM") - strlen("TERM=");
	process->directory = json_text(command->config, "WorkingDir");
	if (*process->directory != '/')
		process->directory = "/";
	if (!*user || !strcmp(user, "root"))
		return 0;
	process->uid = strtoul(user, &end, 10);
	process->gid = process->uid;
	if (end != user && *end == ':')
		process->gid = strtoul(end + 1, &end, 10);
	if (end == user || *end)
		return fault_set(fault, EXIT_USAGE,
				 "the image's user \"%s\" is not a number; an OCI runtime may know it: --runtime crun",
				 user);
	return 0;
}

static int make_devices(void)
{
	static const struct {
		const char *path;
		unsigned minor;
	} devices[] = {
		{ "/dev/null", 3 }, { "/dev/zero", 5 }, { "/dev/full", 7 },
		{ "/dev/random", 8 }, { "/dev/urandom", 9 },
	};

	for (size_t i = 0; i < sizeof(devices) / sizeof(*devices); i++) {
		if (mknod(devices[i].path, S_IFCHR | 0666, makedev(1, devices[i].minor)) < 0)
			return -1;
	}
	return symlink("/proc/self/fd", "/dev/fd") < 0 ? -1 : 0;
}

/* Behind chroot(2): what belongs into every container. Places that lack are made. */
static int mount_inside(void)
{
	if ((mkdir("/proc", 0555) < 0 && errno != EEXIST) ||
	    (mkdir("/dev", 0755) < 0 && errno != EEXIST) ||
	    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0 ||
	    mount("tmpfs", "/dev", "tmpfs", MS_NOSUID, "mode=0755,size=64k") < 0)
		return -1;
	return make_devices();
}

static int enter(const struct process *process, const struct runtime_command *command)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    sethostname(command->hostname, strnlen(command->hostname, 63)) < 0 ||
	    chdir(command->root) < 0 || chroot(".") < 0 || mount_inside() < 0 ||
	    chdir(process->directory) < 0 || setgroups(0, NULL) < 0 ||
	    setgid(process->gid) < 0 || setuid(process->uid) < 0)
		return -1;
	umask(022);
	environ = process->env;
	execvp(process->argv[0], process->argv);
	return -1;
}

static int shell_status(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* In a child: the namespaces are its own. Its child is the command. */
static void run_child(const struct process *process, const struct runtime_command *command)
{
	pid_t child;
	int status;

	if (unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC) < 0) {
		notice("cannot make namespaces: %s", strerror(errno));
		_exit(126);
	}
	child = fork();
	if (child < 0)
		_exit(126);
	if (!child) {
		enter(process, command);
		notice("cannot start \"%s\": %s", process->argv[0], strerror(errno));
		_exit(errno == ENOENT ? 127 : 126);
	}
	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			_exit(126);
	}
	_exit(shell_status(status));
}

static int run_unshare(const struct process *process, const struct runtime_command *command,
		       int *status, struct fault *fault)
{
	pid_t child = fork();
	int result;

	if (child < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot start a process");
	if (!child)
		run_child(process, command);
	/* A terminal's interrupt is for the command; this ends after it. */
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	while (waitpid(child, &result, 0) < 0) {
		if (errno != EINTR)
			return fault_errno(fault, EXIT_SYSTEM, errno, "cannot wait for it");
	}
	*status = shell_status(result);
	return 0;
}

static json_t *strings(char **list)
{
	json_t *array = json_array();

	for (; array && *list; list++)
		json_array_append_new(array, json_string(*list));
	return array;
}

static json_t *oci_config(const struct process *process, const struct runtime_command *command)
{
	return json_pack("{s:s, s:{s:s, s:b}, s:{s:b, s:{s:i, s:i}, s:o, s:o, s:s}, s:s,"
			 " s:[{s:s, s:s, s:s}, {s:s, s:s, s:s, s:[s, s, s]}, {s:s, s:s, s:s, s:[s, s, s, s]}],"
			 " s:{s:[{s:s}, {s:s}, {s:s}, {s:s}]}}",
			 "ociVersion", "1.0.2",
			 "root", "path", command->root, "readonly", 0,
			 "process", "terminal", 0, "user", "uid", process->uid, "gid", process->gid,
			 "args", strings(process->argv), "env", strings(process->env),
			 "cwd", process->directory,
			 "hostname", command->hostname,
			 "mounts", "destination", "/proc", "type", "proc", "source", "proc",
			 "destination", "/dev", "type", "tmpfs", "source", "tmpfs",
			 "options", "nosuid", "mode=755", "size=65536k",
			 "destination", "/dev/pts", "type", "devpts", "source", "devpts",
			 "options", "nosuid", "noexec", "newinstance", "mode=0620",
			 "linux", "namespaces", "type", "pid", "type", "mount", "type", "uts",
			 "type", "ipc");
}

static int run_oci(const char *runtime, const char *id, const struct process *process,
		   const struct runtime_command *command, int *status, struct fault *fault)
{
	char bundle[] = "/run/veneer-XXXXXX", name[32];
	AUTO_JSON *config = oci_config(process, command);
	const char *const argv[] = { runtime, "run", "--bundle", bundle, name, NULL };
	AUTO_FD directory = -1;
	int result;

	if (!config)
		return fault_set(fault, EXIT_USAGE, "what is to be started is not UTF-8");
	if (!mkdtemp(bundle))
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot make \"%s\"", bundle);
	snprintf(name, sizeof(name), "veneer-%.12s", id);
	directory = open(bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	result = directory < 0 ? fault_errno(fault, EXIT_SYSTEM, errno, "\"%s\"", bundle) :
		jsonfile_write(directory, "config.json", config, fault);
	if (!result)
		result = command_pass(argv, status, fault);
	unlinkat(directory, "config.json", 0);
	rmdir(bundle);
	return result;
}

int runtime_run(const char *runtime, const char *id, const struct runtime_command *command,
		int *status, struct fault *fault)
{
	CLEANUP(free_process) struct process process = { 0 };

	if (prepare(&process, command, fault) < 0)
		return -1;
	/* The child must not print again what waits to be printed. */
	fflush(stdout);
	if (!strcmp(runtime, "unshare"))
		return run_unshare(&process, command, status, fault);
	return run_oci(runtime, id, &process, command, status, fault);
}
