// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs a command and kills it, with SIGKILL, where it is about to make its Nth
 * system call that could change anything outside of it: between two of those,
 * all moments are the same to whoever comes after.
 *
 *   killer N COMMAND [ARGUMENT...]
 *
 * With KILLER_NAMES in the environment it counts only calls that make, rename or
 * remove a name.
 *
 * Exits with 99 when it was killed, else as the command did. Without ever being
 * killed (N 0) it prints on stderr how many such calls there were.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* Those that change nothing for anybody else. All others count. */
static int is_harmless(const struct user_regs_struct *registers)
{
	switch (registers->orig_rax) {
	case SYS_openat:
		return !(registers->rdx & (O_CREAT | O_TRUNC));
	case SYS_open:
		return !(registers->rsi & (O_CREAT | O_TRUNC));
	case SYS_read: case SYS_pread64: case SYS_readv: case SYS_lseek: case SYS_close:
	case SYS_fstat: case SYS_stat: case SYS_lstat: case SYS_newfstatat: case SYS_statx:
	case SYS_access: case SYS_faccessat: case SYS_faccessat2: case SYS_readlink:
	case SYS_readlinkat: case SYS_getdents64: case SYS_getcwd: case SYS_statfs:
	case SYS_fstatfs: case SYS_openat2: case SYS_getxattr: case SYS_listxattr:
	case SYS_mmap: case SYS_munmap: case SYS_mprotect: case SYS_madvise: case SYS_brk:
	case SYS_mremap: case SYS_arch_prctl: case SYS_prlimit64: case SYS_set_tid_address:
	case SYS_set_robust_list: case SYS_rseq: case SYS_getrandom: case SYS_rt_sigaction:
	case SYS_rt_sigprocmask: case SYS_getpid: case SYS_getuid: case SYS_geteuid:
	case SYS_getgid: case SYS_getegid: case SYS_uname: case SYS_futex: case SYS_umask:
	case SYS_clock_gettime: case SYS_gettimeofday: case SYS_execve: case SYS_ioctl:
	case SYS_exit_group: case SYS_sysinfo: case SYS_sched_getaffinity:
		return 1;
	default:
		return 0;
	}
}

static int is_about_names(const struct user_regs_struct *registers)
{
	switch (registers->orig_rax) {
	case SYS_openat:
		return !!(registers->rdx & O_CREAT);
	case SYS_mkdir: case SYS_mkdirat: case SYS_rename: case SYS_renameat:
	case SYS_renameat2: case SYS_unlink: case SYS_unlinkat: case SYS_rmdir:
	case SYS_link: case SYS_linkat: case SYS_symlink: case SYS_symlinkat:
	case SYS_mknod: case SYS_mknodat:
		return 1;
	default:
		return 0;
	}
}

int main(int argc, char **argv)
{
	unsigned long wanted, seen = 0;
	int status, entering = 1, names = getenv("KILLER_NAMES") != NULL;
	pid_t child;

	if (argc < 3) {
		fprintf(stderr, "usage: killer N COMMAND [ARGUMENT...]\n");
		return 2;
	}
	wanted = strtoul(argv[1], NULL, 10);
	child = fork();
	if (!child) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execvp(argv[2], argv + 2);
		perror(argv[2]);
		_exit(2);
	}
	if (waitpid(child, &status, 0) < 0 || !WIFSTOPPED(status))
		return 2;
	ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	for (;;) {
		struct user_regs_struct registers;
		int signal = 0;

		ptrace(PTRACE_SYSCALL, child, NULL, signal);
		if (waitpid(child, &status, 0) < 0)
			return 2;
		if (WIFEXITED(status)) {
			if (!wanted)
				fprintf(stderr, "%lu\n", seen);
			return WEXITSTATUS(status);
		}
		if (WIFSIGNALED(status))
			return WTERMSIG(status) == SIGKILL ? 99 : 2;
		if (WSTOPSIG(status) != (SIGTRAP | 0x80))
			continue;
		if (entering && !ptrace(PTRACE_GETREGS, child, NULL, &registers) &&
		    (names ? is_about_names(&registers) : !is_harmless(&registers)) &&
		    ++seen == wanted)
			kill(child, SIGKILL);
		entering = !entering;
	}
}
