// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Calls with arguments that make no sense, or nearly some: what configures a mount
 * (fsopen, fsconfig, fsmount, fspick, mount, open_tree, move_mount, mount_setattr) in
 * any order, every ioctl of the control device, of a stack's descriptor and of files,
 * with any struct, size, pointer and descriptor; by root and by uid 1000. No call may
 * take long, and the kernel must complain of nothing.
 *
 *	-s SEED				which calls
 *	-n ROUNDS, or else -t SECONDS	how many
 *	-k				go on after a failure
 *	-v				say what is done
 *
 * or VENEER_FUZZ_SEED and VENEER_FUZZ_SECONDS. A seed of 0 is a new one; "-s THAT -n 1"
 * makes a round again.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kselftest.h"
#include "random.h"
#include "veneer.h"
#include "watch.h"
#include "world.h"

#define USER 1000
#define FDS 4	/* of each kind */
#define CALLS 400	/* in a round */
#define DEFAULT_ROUNDS 40
#define ROUND 120	/* seconds */

/* As of Linux 6.6; the C library's headers may be older. */
#define CREATE_EXCL 8

static struct watch *watch;
static char root[256];
static struct rng r;
/* What a descriptor is of: a call gets one that it is for, most times. */
enum kind { CONTEXT, MOUNT, FILES, STACK, KINDS };
static int fd[KINDS][FDS];
static int device;
static bool verbose;
/* Pages with a hole after them: a struct at the end of the first reaches into it. */
static unsigned char *page;

static unsigned int under(unsigned int n)
{
	return rng_under(&r, n);
}

#define PICK(list) ((list)[under(sizeof(list) / sizeof(*(list)))])
#define DO(name, text, call) ({						\
	long __r = CALL(name, text, call);				\
	if (verbose)							\
		printf("#   %s %.100s: %ld %s\n", name, text, __r,	\
		       __r < 0 ? strerror(errno) : "");			\
	__r;								\
})

static const char *at(const char *rel)
{
	return join(root, rel);
}

/* Keeps a descriptor for later calls, in the place of another one. */
static void keep(enum kind kind, long new)
{
	int *slot = &fd[kind][under(FDS)];

	if (new < 0)
		return;
	if (*slot >= 0)
		close(*slot);
	*slot = new;
}

/* The first of them that is open, from somewhere on. */
static int some_fd(enum kind kind)
{
	static const int odd[] = { -1, AT_FDCWD, 1000, 0x7fffffff };

	if (under(12) == 0)
		kind = under(KINDS);
	for (int i = under(FDS), tries = FDS; under(16) && tries--; i = (i + 1) % FDS)
		if (fd[kind][i] >= 0)
			return fd[kind][i];
	return PICK(odd);
}

static const char *some_path(void)
{
	static const char *const path[] = {
		"layer0", "layer1", "layer0/d", "layer0/file", "upper", "work", "upper2", "work2",
		"mnt", "mnt/d", "none", "", "list", "layer0/link",
	};
	static const char *const odd[] = { "/", "/proc/self", "/dev/null", "/proc", "." };

	return under(8) ? at(PICK(path)) : PICK(odd);
}

static const char *some_key(void)
{
	static const char *const key[] = {
		"lowerdir", "lowerdir", "lowerdir+", "lowerdir+", "lowerfile", "stack", "upperdir",
		"upperdir", "workdir", "workdir", "volatile", "userxattr", "blocksize", "whole_limit",
		"source", "ro", "rw", "sync", "redirect_dir", "index", "xino", "metacopy", "", "x",
	};

	return PICK(key);
}

/* What such a key may have, most times. */
static const char *some_value(const char *key)
{
	static const char *const odd[] = {
		"", "0", "-1", "1", "4096", "4k", "2M", "4M", "18446744073709551616", "8E",
		"9223372036854775807",
		"0x", "on", "off", "y", "a:b", ":", "::", "\\", "a\\", "\\:", "%s%n", "\n",
	};
	static char text[70000];
	size_t n = 0;

	if (under(4) == 0)
		return PICK(odd);
	if (strstr(key, "dir") || !strcmp(key, "lowerfile")) {
		for (int i = under(8) ? 1 + under(3) : under(200); i > 0; i--)
			n += sprintf(text + n, "%s%.300s", n ? ":" : "", some_path());
		text[n] = 0;
		return text;
	}
	if (under(6) == 0) {
		n = under(66000);
		memset(text, 'a' + under(26), n);
		text[n] = 0;
		return text;
	}
	snprintf(text, sizeof(text), "%d", under(2) ? some_fd(STACK) : (int)under(1 << 24));
	return text;
}

static void config(int f)
{
	const char *key = some_key(), *value = some_value(key);

	switch (under(10)) {
	case 0:
		DO("fsconfig flag", key, fsconfig(f, FSCONFIG_SET_FLAG, key, NULL, 0));
		break;
	case 1:
		DO("fsconfig binary", key, fsconfig(f, FSCONFIG_SET_BINARY, key, value, under(300)));
		break;
	case 2:
		DO("fsconfig path", key, fsconfig(f, FSCONFIG_SET_PATH, key, some_path(), AT_FDCWD));
		break;
	case 3:
		DO("fsconfig fd", key, fsconfig(f, FSCONFIG_SET_FD, key, NULL,
						some_fd(strcmp(key, "stack") ? FILES : STACK)));
		break;
	case 4: case 5:
		DO("fsconfig create", "", fsconfig(f, under(4) ? FSCONFIG_CMD_CREATE :
						   CREATE_EXCL, NULL, NULL, 0));
		break;
	case 6:
		DO("fsconfig reconfigure", "", fsconfig(f, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
		break;
	default:
		DO("fsconfig string", key, fsconfig(f, FSCONFIG_SET_STRING, key, value, 0));
		break;
	}
}

static void mount_by_string(void)
{
	static char options[8000];
	size_t n = 0;

	for (int i = under(6); i > 0 && n < 3000; i--) {
		const char *key = some_key();

		n += snprintf(options + n, 2000, "%s%s=%.1500s", n ? "," : "", key, some_value(key));
	}
	options[n] = 0;
	DO("mount", options, mount("none", at(under(4) ? "mnt" : "mnt2"), "veneer",
				   PICK(((unsigned long []) { 0, 0, MS_RDONLY, MS_REMOUNT,
					MS_REMOUNT | MS_RDONLY, MS_REMOUNT | MS_BIND, MS_SILENT,
					MS_SYNCHRONOUS, MS_NOATIME })), options));
}

/* The way that leads to a mount, so that some of the rest has one. */
static void mount_well(void)
{
	int f = DO("fsopen", "", fsopen("veneer", FSOPEN_CLOEXEC));

	if (f < 0)
		return;
	fsconfig(f, FSCONFIG_SET_STRING, "lowerdir+", at("layer0"), 0);
	if (under(2))
		fsconfig(f, FSCONFIG_SET_STRING, "lowerdir+", at("layer1"), 0);
	if (under(4)) {
		const char *two = under(4) ? "" : "2";
		char name[16];

		snprintf(name, sizeof(name), "upper%s", two);
		fsconfig(f, FSCONFIG_SET_STRING, "upperdir", at(name), 0);
		snprintf(name, sizeof(name), "work%s", two);
		fsconfig(f, FSCONFIG_SET_STRING, "workdir", at(name), 0);
	}
	for (int i = under(3) ? 0 : 2; i > 0; i--)
		config(f);
	if (under(4) == 0)
		fsconfig(f, FSCONFIG_SET_FD, "stack", NULL, some_fd(STACK));
	DO("fsconfig create", "all well", fsconfig(f, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	if (under(2)) {
		int m = DO("fsmount", "all well", fsmount(f, FSMOUNT_CLOEXEC, 0));

		DO("move_mount", "all well", move_mount(m, "", AT_FDCWD, at("mnt"),
							MOVE_MOUNT_F_EMPTY_PATH));
		keep(MOUNT, m);
	}
	keep(CONTEXT, f);
}

static void mounts(void)
{
	struct mount_attr attr = {
		.attr_set = under(2) ? MOUNT_ATTR_RDONLY : MOUNT_ATTR_NOATIME | under(1 << 7),
		.attr_clr = under(2) ? 0 : MOUNT_ATTR_RDONLY,
		.propagation = under(4) ? 0 : MS_PRIVATE, .userns_fd = some_fd(FILES),
	};
	int f = some_fd(CONTEXT), m = some_fd(MOUNT);

	if (under(6) == 0)
		attr.attr_set |= MOUNT_ATTR_IDMAP;
	switch (under(12)) {
	case 0:
		keep(CONTEXT, DO("fsopen", "", fsopen("veneer", under(4) ? FSOPEN_CLOEXEC : under(8))));
		break;
	case 1: case 2: case 3:
		config(f);
		break;
	case 4:
		keep(MOUNT, DO("fsmount", "", fsmount(f, FSMOUNT_CLOEXEC, under(2) ? 0 : under(256))));
		break;
	case 5:
		DO("move_mount", "", move_mount(m, "", AT_FDCWD, at(under(3) ? "mnt" : "mnt2"),
						MOVE_MOUNT_F_EMPTY_PATH));
		break;
	case 6:
		/* Of nothing else: it would be changed for all. */
		keep(CONTEXT, DO("fspick", "", fspick(AT_FDCWD, at("mnt"), FSPICK_CLOEXEC)));
		break;
	case 7:
		/*
		 * Of the test's own trees: MNT_FORCE of a clone is for its whole
		 * filesystem, and a root that comes by network would be gone.
		 */
		keep(MOUNT, DO("open_tree", "", open_tree(AT_FDCWD, at(under(4) ? "mnt" : "layer0"),
							  under(4) ? OPEN_TREE_CLONE : 0)));
		break;
	case 8:
		DO("mount_setattr", "", mount_setattr(m, "", AT_EMPTY_PATH, &attr,
						      under(4) ? sizeof(attr) : under(80)));
		break;
	case 9:
		mount_by_string();
		break;
	case 10:
		DO("umount", "", umount2(at(under(2) ? "mnt" : "mnt2"), PICK(((int []) { 0,
			MNT_DETACH, MNT_EXPIRE, MNT_FORCE, UMOUNT_NOFOLLOW }))));
		break;
	case 11:
		mount_well();
		break;
	}
}

static void *some_pointer(size_t size)
{
	void *const odd[] = { NULL, (void *)1, (void *)-1L, page, page + 4096, (void *)(1UL << 62) };

	if (under(6) == 0)
		return PICK(odd);
	/* Right before the hole, or across its edge. */
	if (under(6) == 0)
		return page + 4096 - under(size + 8);
	return page;
}

static uint64_t some_number(void)
{
	static const uint64_t odd[] = {
		0, 1, 2, 7, 8, 9, 255, 4096, 4097, 0x7fffffff, 0x80000000, 0xffffffff, 1ULL << 32,
		0x7fffffffffffffffULL, 1ULL << 63, ~0ULL,
	};

	return under(2) ? PICK(odd) : under(64);
}

/* Something in the page that could be the struct of any of the ioctls. */
static void *some_struct(unsigned long nr)
{
	static const struct {
		unsigned long nr;
		uint32_t size;
	} is[] = {
		{ VENEER_IOC_VERSION, sizeof(struct veneer_version) },
		{ VENEER_IOC_STACK_OPEN, sizeof(struct veneer_stack_open) },
		{ VENEER_IOC_STACK_INFO, sizeof(struct veneer_stack_info) },
		{ VENEER_IOC_STACK_LIST, sizeof(struct veneer_stack_list) },
		{ VENEER_IOC_COUNTERS, sizeof(struct veneer_counters) },
		{ VENEER_IOC_MAP, sizeof(struct veneer_map) },
		{ VENEER_IOC_GET_TUNABLES, sizeof(struct veneer_tunables) },
		{ VENEER_IOC_SET_TUNABLES, sizeof(struct veneer_tunables) },
	};
	int32_t *fds = (void *)(page + 2048);
	uint64_t *word = (void *)page;
	uint32_t size = 8 * under(12);
	void *at_edge;

	for (size_t i = 0; i < sizeof(is) / sizeof(*is); i++)
		if (is[i].nr == nr && under(6))
			size = is[i].size;
	memset(page, 0, 4096);
	for (int i = under(3) ? 0 : under(6); i >= 0; i--)
		word[under(12)] = some_number();
	for (int i = 0; i < 64; i++)
		fds[i] = some_fd(FILES);
	if (nr == VENEER_IOC_STACK_OPEN && under(6)) {
		struct veneer_stack_open *open = (void *)page;

		*open = (struct veneer_stack_open) {
			.flags = under(4) ? 0 : under(4), .fds = (uintptr_t)some_pointer(4),
			.nr = under(4) ? 1 + under(4) : some_number() };
		if (under(3))
			open->fds = (uintptr_t)fds;
	} else if (nr == VENEER_IOC_STACK_LIST && under(6)) {
		*(struct veneer_stack_list *)page = (struct veneer_stack_list) {
			.nr = some_number(), .stacks = (uintptr_t)some_pointer(64),
			.entry_size = under(3) ? sizeof(struct veneer_stack_info) : some_number() };
	} else if (nr == VENEER_IOC_MAP && under(6)) {
		*(struct veneer_map *)page = (struct veneer_map) {
			.nr = some_number(), .ranges = (uintptr_t)some_pointer(64),
			.start = some_number() };
	}
	/* Like any other caller's, most times. */
	*(uint32_t *)page = under(8) ? size : some_number();
	if (under(5))
		return page;
	/* Its last bytes are where none may be read. */
	at_edge = page + 4096 - (size > 8 && size < 4096 ? size : 16) + (under(2) ? 8 : 0);
	memmove(at_edge, page, page + 4096 - (unsigned char *)at_edge);
	return under(8) ? at_edge : some_pointer(64);
}

static void control(void)
{
	static const unsigned long nr[] = {
		VENEER_IOC_VERSION, VENEER_IOC_STACK_OPEN, VENEER_IOC_STACK_OPEN,
		VENEER_IOC_STACK_INFO,
		VENEER_IOC_STACK_LIST, VENEER_IOC_COUNTERS, VENEER_IOC_MAP, VENEER_IOC_MAKE_WHOLE,
		VENEER_IOC_GET_TUNABLES, VENEER_IOC_SET_TUNABLES, _IO('V', 0x69), _IO('V', 0x5f),
		_IOWR('V', 0x65, struct veneer_map), FS_IOC_GETFLAGS, FS_IOC_FSGETXATTR, FIGETBSZ,
	};
	unsigned long which = PICK(nr);
	int f = some_fd(under(3) ? FILES : STACK);
	void *arg = some_struct(which);
	char text[32];
	long ret;

	/* Root's alone: for the user it is -1. */
	if (under(2) || which == VENEER_IOC_STACK_OPEN)
		f = device;
	snprintf(text, sizeof(text), "%#lx", which);
	ret = DO("ioctl", text, ioctl(f, which, arg));
	if (ret > 2 && which == VENEER_IOC_STACK_OPEN)
		keep(STACK, ret);
}

static void files(void)
{
	static const char *const name[] = {
		"mnt/file", "mnt/d", "mnt/d/in", "mnt", "mnt/link", "mnt/big",
	};
	char buf[5000];

	switch (under(6)) {
	case 0: case 1: case 2:
		keep(FILES, DO("open", "", open(at(PICK(name)), PICK(((int []) { O_RDONLY, O_RDWR, O_PATH,
			O_RDONLY | O_DIRECTORY })) | O_NONBLOCK | O_CLOEXEC)));
		break;
	case 3:
		memset(buf, 'w', sizeof(buf));
		DO("pwrite", "", pwrite(some_fd(FILES), buf, under(sizeof(buf)), under(400000)));
		break;
	case 4:
		DO("read", "", read(some_fd(FILES), buf, sizeof(buf)));
		break;
	case 5:
		keep(FILES, DO("open a directory", "", open(some_path(), O_PATH | O_CLOEXEC)));
		break;
	}
}

static int enter(bool user)
{
	if (!user)
		return unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	if (setgroups(0, NULL) || setresgid(USER, USER, USER) || setresuid(USER, USER, USER))
		return -1;
	prctl(PR_SET_DUMPABLE, 1);
	return unshare(CLONE_NEWUSER | CLONE_NEWNS) ||
		write_text("/proc/self/setgroups", "deny") ||
		write_text("/proc/self/uid_map", "0 1000 1") ||
		write_text("/proc/self/gid_map", "0 1000 1");
}

static int calls(unsigned long long seed)
{
	bool user;

	setpgid(0, 0);
	r = rng_seed(seed);
	user = under(2);
	watch_use(watch, 0);
	page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED || munmap(page + 4096, 4096) || enter(user))
		return 1;
	memset(fd, -1, sizeof(fd));
	device = open("/dev/veneer", O_RDWR | O_CLOEXEC);
	mount_well();
	for (int i = 0; i < CALLS; i++) {
		switch (under(4)) {
		case 0: case 1:
			mounts();
			break;
		case 2:
			control();
			break;
		case 3:
			files();
			break;
		}
	}
	fflush(NULL);
	return 0;
}

static int begin(void)
{
	static const char *const dir[] = {
		"", "layer0", "layer0/d", "layer1", "layer1/d", "upper", "work", "upper2", "work2",
		"mnt", "mnt2",
	};
	static const char *const file[] = { "layer0/file", "layer0/d/in", "layer1/big" };

	for (size_t i = 0; i < sizeof(dir) / sizeof(*dir); i++)
		if (mkdir(at(dir[i]), 0755) || chown(at(dir[i]), USER, USER))
			return -1;
	for (size_t i = 0; i < sizeof(file) / sizeof(*file); i++)
		if (write_text(at(file[i]), "a file\n") || chown(at(file[i]), USER, USER) ||
		    truncate(at(file[i]), 30000 + 200000 * i))
			return -1;
	if (symlink("..", at("layer0/link")))
		return -1;
	return write_text(at("list"), at("layer0"));
}

static int play(unsigned long long seed)
{
	int bad, status;
	pid_t pid;

	watch->slow = 0;
	watch->slot[0].since = 0;
	if (begin()) {
		printf("# cannot begin in %s: %s\n", root, strerror(errno));
		return 1;
	}
	fflush(NULL);
	pid = fork();
	if (!pid)
		_exit(calls(seed));
	setpgid(pid, pid);
	status = watch_wait(watch, pid, ROUND);
	if (status == -2)
		return -2;
	bad = status || watch->slow;
	if (status)
		printf("# who calls ended with %d\n", status);
	/* What the process held goes in the background. */
	for (int i = 0; i < 100 && rmdir(at("mnt")); i++)
		usleep(10000);
	return remove_tree(root) || bad;
}

int main(int argc, char **argv)
{
	static const char switch_file[] = "/sys/module/veneer/parameters/user_mounts";
	unsigned long long seed = strtoull(getenv("VENEER_FUZZ_SEED") ?: "0", NULL, 0);
	unsigned int seconds = atoi(getenv("VENEER_FUZZ_SECONDS") ?: "30");
	unsigned int most = ~0u, done = 0, failed = 0;
	bool go_on = false, by_count = false;
	int opt, bad = 0, kmsg;
	time_t end;

	while ((opt = getopt(argc, argv, "s:n:t:kv")) != -1) {
		switch (opt) {
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'n':
			most = atoi(optarg);
			by_count = true;
			break;
		case 't':
			seconds = atoi(optarg);
			break;
		case 'k':
			go_on = true;
			break;
		case 'v':
			verbose = true;
			break;
		default:
			fprintf(stderr, "usage: callfuzz [-s SEED] [-n ROUNDS | -t SECONDS] [-k] [-v]\n");
			return 2;
		}
	}
	if (seed && argc == 1)
		most = DEFAULT_ROUNDS;
	if (!seed)
		seed = (unsigned long long)time(NULL) * 1000;
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	ksft_print_header();
	ksft_set_plan(1);
	if (world_is_overlay())
		ksft_exit_skip("the calls are Veneer's\n");
	watch = watch_new(3);
	if (mkdir(world_dir(), 0755) && errno != EEXIST)
		ksft_exit_fail_msg("cannot make %s: %s\n", world_dir(), strerror(errno));
	snprintf(root, sizeof(root), "%s/calls.%d", world_dir(), getpid());
	/* Off by default. */
	if (exists(switch_file) && write_text(switch_file, "Y"))
		ksft_exit_fail_msg("user_mounts cannot be turned on: %s\n", strerror(errno));
	kmsg = kmsg_open();
	printf("# seed %llu\n", seed);
	end = time(NULL) + seconds;
	while (done < most && (by_count || time(NULL) < end)) {
		kmsg_say("callfuzz", seed + done);
		bad = play(seed + done++);
		if (bad != -2 && kmsg >= 0 && kmsg_complaints(kmsg))
			bad = 1;
		if (bad)
			printf("# failed: seed %llu\n", seed + done - 1);
		failed += !!bad;
		if (bad == -2 || (bad && !go_on))
			break;
	}
	ksft_test_result(!failed, "%u rounds from seed %llu, %lu calls, %u failed\n", done, seed,
			 watch_calls(watch), failed);
	ksft_finished();
}
