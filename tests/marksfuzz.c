// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mounts of uppers, workdirs and layers that somebody has made up: by uid 1000 in a
 * user namespace, or by root over what uid 1000 has made. Each object is looked at,
 * changed and synced; every call must end soon, the kernel complain of nothing, and
 * nothing change outside of the upper and the workdir.
 *
 *	-s SEED			which rounds
 *	-n ROUNDS, or else -t SECONDS	how many
 *	-b SECONDS		how long a call may take of the processor (default 3, as it
 *				may be emulated, by a busy machine); ten times as long
 *				by the clock
 *	-k			go on after a failure
 *	-v			say what is done
 *
 * or VENEER_FUZZ_SEED and VENEER_FUZZ_SECONDS. A seed of 0 is a new one. A round that
 * fails is named: "-s THAT -n 1" is the same round, but for those in which somebody
 * changes the trees while they are mounted.
 *
 *	$VENEER_TEST_DIR/marks.PID/
 *		user/		layer0/ ... upper/ work/ spare/: uid 1000's, all of it
 *		else/		what is not his: must stay as it is
 *		mnt/		the mount
 *		view/		all of this again, on a mount that moves no atime
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/fs.h>
#include <linux/loop.h>
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
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "kselftest.h"
#include "marksgen.h"
#include "markval.h"
#include "snapshot.h"
#include "usefs.h"
#include "watch.h"
#include "world.h"

#define USER 1000
#define LAYERS 5
#define DEFAULT_ROUNDS 60	/* without an argument, of a given seed */
#define PHASE 40		/* as many times as long as a call may a mount be used */
#define REPORT 60		/* seconds after which a long run says how far it is */

enum { SLOT_MOUNTER, SLOT_USER, SLOT_OTHER_USER, SLOT_CHANGER };

/* Shared by all processes. */
struct shared {
	bool stop;	/* whoever changes what is mounted */
	unsigned long mounts, refused, changes;
};

static struct watch *watch;
static struct shared *shared;
static char root[256];
static char disk_path[32];
static dev_t disk;
static int kmsg = -1;
static bool verbose;

/* What is decided once for a round. */
struct round {
	struct rng r;
	unsigned long long seed;
	bool by_root;		/* who mounts */
	bool live;		/* the trees change while they are mounted */
	bool live_layers;	/* the layers, too */
	int layers;
};

static const char *at(const char *rel)
{
	return join(root, rel);
}

static const char *const others[] = {
	"else/secret", "else/readonly", "else/neighbour", "else/private", "else/map600",
	"else/map644",
};

/* Of the last two, the module could take the content for one of its maps. */
static int make_others(void)
{
	static const struct {
		mode_t mode;
		uid_t uid;
	} is[] = {
		{ 0600, 0 }, { 0444, 0 }, { 0644, 1001 }, { 0600, 1001 }, { 0600, 0 }, { 0644, 1001 },
	};
	struct rng r = rng_seed(1);

	if (mkdir(at("else"), 0755))
		return -1;
	for (int i = 0; i < 6; i++) {
		const char *path = at(others[i]);
		struct markval v = { .r = &r, .uuid = "01234567-89ab-4cde-8f01-23456789abcd",
				     .shift = 12, .below_size = 100000 };

		if (i < 4 && write_text(path, "not to be read or changed\n"))
			return -1;
		if (i >= 4)
			markval_make_map(&v, path);
		if (chown(path, is[i].uid, is[i].uid) || chmod(path, is[i].mode))
			return -1;
	}
	return 0;
}

/* A disk that nobody may write to, if there can be one. */
static void make_disk(void)
{
	int control, file = -1, loop = -1, n;
	struct stat st;

	load_module("loop");
	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	n = control < 0 ? -1 : ioctl(control, LOOP_CTL_GET_FREE);
	if (n >= 0 && !write_text(at("disk"), "a disk\n") && !truncate(at("disk"), 1 << 20)) {
		snprintf(disk_path, sizeof(disk_path), "/dev/loop%d", n);
		file = open(at("disk"), O_RDWR | O_CLOEXEC);
		loop = open(disk_path, O_RDWR | O_CLOEXEC);
	}
	if (loop >= 0 && file >= 0 && !ioctl(loop, LOOP_SET_FD, file) && !fstat(loop, &st))
		disk = st.st_rdev;
	else
		printf("# there is no block device here: %s\n", strerror(errno));
	if (loop >= 0)
		close(loop);
	if (file >= 0)
		close(file);
	if (control >= 0)
		close(control);
}

static int disk_changed(void)
{
	static unsigned char buf[1 << 16];
	int fd = disk ? open(disk_path, O_RDONLY | O_CLOEXEC) : -1, bad = 0;
	ssize_t n;

	if (fd < 0)
		return 0;
	n = read(fd, buf, sizeof(buf));
	if (n < 7 || memcmp(buf, "a disk\n", 7))
		bad = 1;
	for (ssize_t i = 7; i < n; i++)
		bad |= buf[i];
	close(fd);
	if (bad)
		printf("# changed outside: the disk\n");
	return bad;
}

static void drop_disk(void)
{
	int fd = disk ? open(disk_path, O_RDWR | O_CLOEXEC) : -1;

	if (fd >= 0 && ioctl(fd, LOOP_CLR_FD))
		printf("# cannot let go of %s: %s\n", disk_path, strerror(errno));
	if (fd >= 0)
		close(fd);
	disk = 0;
}

static int bed_begin(void)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -1;
	if (mkdir(world_dir(), 0755) && errno != EEXIST)
		return -1;
	snprintf(root, sizeof(root), "%s/marks.%d", world_dir(), getpid());
	umask(0);
	if (mkdir(root, 0755) || mkdir(at("view"), 0755) || mkdir(at("mnt"), 0755) ||
	    make_others())
		return -1;
	make_disk();
	return mount(root, at("view"), NULL, MS_BIND, NULL) ||
		mount(NULL, at("view"), NULL, MS_BIND | MS_REMOUNT | MS_NOATIME, NULL) ? -1 : 0;
}

static int bed_end(void)
{
	drop_disk();
	return umount2(at("view"), 0) || remove_tree(root) ? -1 : 0;
}

/* Flags that would keep the tree from being removed. */
static void unflag(const char *path, int depth)
{
	char child[4096];
	struct dirent *de;
	struct stat st;
	int fd, flags = 0;
	DIR *dir;

	if (lstat(path, &st) || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
		return;
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return;
	if (!ioctl(fd, FS_IOC_GETFLAGS, &flags) && flags & (FS_IMMUTABLE_FL | FS_APPEND_FL)) {
		flags &= ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
		if (ioctl(fd, FS_IOC_SETFLAGS, &flags))
			printf("# cannot clear the flags of %s\n", path);
	}
	dir = S_ISDIR(st.st_mode) && depth < 40 ? fdopendir(fd) : NULL;
	while (dir && (de = readdir(dir))) {
		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		snprintf(child, sizeof(child), "%s/%s", path, de->d_name);
		unflag(child, depth + 1);
	}
	if (dir)
		closedir(dir);
	else
		close(fd);
}

static int trees_begin(const struct round *round)
{
	static const char *const dir[] = { "user", "user/upper", "user/work", "user/spare" };
	char name[32];

	for (int i = 0; i < 4; i++)
		if (mkdir(at(dir[i]), 0755) || chown(at(dir[i]), USER, USER))
			return -1;
	for (int i = 0; i < round->layers; i++) {
		snprintf(name, sizeof(name), "user/layer%d", i);
		if (mkdir(at(name), 0755) || chown(at(name), USER, USER))
			return -1;
	}
	/* An image that root mounts is not on the disk that others' files are on. */
	for (int i = 0; i < 6 && !round->by_root; i++) {
		snprintf(name, sizeof(name), "user/spare/others%d", i);
		if (link(at(others[i]), at(name)))
			return -1;
	}
	return 0;
}

static int trees_end(void)
{
	unflag(at("user"), 0);
	return remove_tree(at("user"));
}

static struct marksgen *gen(struct round *round)
{
	static struct marksgen g;
	static char outside[300];

	snprintf(outside, sizeof(outside), "%s/else/secret", root);
	g = (struct marksgen) {
		.r = rng_seed(rng_under(&round->r, 1u << 31)), .trusted = round->by_root,
		.privileged = true, .layers = round->layers, .uid = USER, .disk = disk,
		.outside = outside, .verbose = verbose,
	};
	return &g;
}

static bool confine(const char *where)
{
	return chroot(where) || chdir("/");
}

/* Changes that are made while nothing is mounted. */
static int change(struct round *round, bool begin, unsigned int changes)
{
	struct marksgen *g = gen(round);
	int status = -1;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		if (confine(at("user")))
			_exit(1);
		if (begin) {
			marksgen_spare(g);
			marksgen_begin(g);
		}
		for (unsigned int i = 0; i < changes; i++) {
			if (i % 8 == 0)
				marksgen_look(g);
			marksgen_change(g);
		}
		shared->changes += g->changes;
		_exit(0);
	}
	if (pid > 0 && waitpid(pid, &status, 0) == pid && !status)
		return 0;
	printf("# who changes the trees ended with %d\n", status);
	return -1;
}

static int drop_rights(void)
{
	return setgroups(0, NULL) || setresgid(USER, USER, USER) ||
		setresuid(USER, USER, USER) ? -1 : 0;
}

/* Nothing stays in memory for long, as long as it is mounted. */
static void forget_live(void)
{
	while (!__atomic_load_n(&shared->stop, __ATOMIC_ACQUIRE) && !drop_caches())
		usleep(20000);
	_exit(0);
}

/* Changes the upper and the workdir, or all, as long as they are mounted. */
static void change_live(struct round *round)
{
	struct marksgen *g = gen(round);

	g->spare_layers = !round->live_layers;
	g->privileged = false;
	watch_use(watch, SLOT_CHANGER);
	if (confine(at("user")) || drop_rights())
		_exit(1);
	while (!__atomic_load_n(&shared->stop, __ATOMIC_ACQUIRE)) {
		marksgen_look(g);
		for (int i = 0; i < 6; i++) {
			watch_begin("a change", "the trees");
			marksgen_change(g);
			watch_end();
		}
		usleep(rng_under(&g->r, 3000));
	}
	shared->changes += g->changes;
	_exit(0);
}

/* Root of a user namespace in which nobody else is anybody. */
static int enter_userns(void)
{
	if (drop_rights())
		return -1;
	prctl(PR_SET_DUMPABLE, 1);
	return unshare(CLONE_NEWUSER | CLONE_NEWNS) ||
		write_text("/proc/self/setgroups", "deny") ||
		write_text("/proc/self/uid_map", "0 1000 1") ||
		write_text("/proc/self/gid_map", "0 1000 1") ? -1 : 0;
}

static int do_mount(struct round *round)
{
	static const char *const blocksize[] = { NULL, NULL, NULL, "4096", "65536", "2M" };
	static const char *const whole_limit[] = { NULL, "0", "0", "100000", "1M" };
	const char *option[LAYERS + 8][2] = { };
	char layer[LAYERS][300], name[32], log[1024] = "";
	int n = 0, fd;

	/* What a volatile one has left would keep all others from being made. */
	if (rng_under(&round->r, 4))
		rmdir(at("user/work/work/incompat/volatile"));
	for (int i = 0; i < round->layers; i++) {
		snprintf(name, sizeof(name), "user/layer%d", i);
		snprintf(layer[i], sizeof(layer[i]), "%s", at(name));
		option[n][0] = "lowerdir+";
		option[n++][1] = layer[i];
	}
	if (rng_under(&round->r, 12)) {
		option[n][0] = "upperdir";
		option[n++][1] = at("user/upper");
		option[n][0] = "workdir";
		option[n++][1] = at("user/work");
		option[n][1] = blocksize[rng_under(&round->r, 6)];
		option[n][0] = option[n][1] ? "blocksize" : NULL;
		n += !!option[n][0];
		option[n][1] = whole_limit[rng_under(&round->r, 5)];
		option[n][0] = option[n][1] ? "whole_limit" : NULL;
		n += !!option[n][0];
		if (rng_under(&round->r, 12) == 0)
			option[n++][0] = "volatile";
	}
	fd = CALL("mount", "the mount", fs_mount("veneer", option, MOUNT_ATTR_NODEV, at("mnt"), log,
						 sizeof(log)));
	if (fd < 0) {
		shared->refused++;
		if (verbose)
			printf("#   no mount: %s %s\n", strerror(-fd), log);
		return -1;
	}
	close(fd);
	shared->mounts++;
	return 0;
}

static pid_t start_user(struct round *round, int slot)
{
	bool other = round->by_root && rng_under(&round->r, 3) == 0;
	struct rng r = rng_seed(rng_under(&round->r, 1u << 31));
	unsigned int calls = 40 + rng_under(&round->r, 160);
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid)
		return pid;
	watch_use(watch, slot);
	if (confine(at("mnt")) || (other && drop_rights()))
		_exit(1);
	usefs(&r, calls, verbose);
	fflush(NULL);
	_exit(0);
}

static bool ended_well(pid_t pid, const char *who)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return false;
	if (!WIFSIGNALED(status))
		return true;
	printf("# %s was killed by signal %d (%s)\n", who, WTERMSIG(status),
	       strsignal(WTERMSIG(status)));
	return false;
}

/* The life of who mounts: 0 when it went well. */
static int mounter(struct round *round)
{
	int times = 1 + rng_under(&round->r, 2), bad = 0, fd;
	pid_t changer = -1, forgetter = -1, user[2] = { -1, -1 };

	setpgid(0, 0);
	watch_use(watch, SLOT_MOUNTER);
	shared->stop = false;
	if (round->live) {
		fflush(NULL);
		changer = fork();
		if (!changer)
			change_live(round);
		forgetter = rng_under(&round->r, 2) ? fork() : -1;
		if (!forgetter)
			forget_live();
	}
	if (round->by_root ? unshare(CLONE_NEWNS) : enter_userns()) {
		printf("# cannot make a namespace: %s\n", strerror(errno));
		return 1;
	}
	while (times-- && !do_mount(round)) {
		for (int i = 0; i < 2; i++)
			user[i] = !i || rng_under(&round->r, 4) == 0 ?
				start_user(round, SLOT_USER + i) : -1;
		for (int i = 0; i < 2; i++)
			if (user[i] > 0 && !ended_well(user[i], "who uses it"))
				bad = 1;
		fd = open(at("mnt"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0) {
			CALL("syncfs", "the mount", syncfs(fd));
			close(fd);
		}
		if (CALL("umount", "the mount", umount2(at("mnt"), 0))) {
			printf("# cannot unmount: %s\n", strerror(errno));
			umount2(at("mnt"), MNT_DETACH);
			bad = 1;
		}
	}
	__atomic_store_n(&shared->stop, true, __ATOMIC_RELEASE);
	if (changer > 0 && !ended_well(changer, "who changes it"))
		bad = 1;
	if (forgetter > 0 && !ended_well(forgetter, "who drops caches"))
		bad = 1;
	fflush(NULL);
	return bad;
}

/* All that must not change; what the upper has a name of, too, is left out. */
static int look_outside(const struct round *round, struct snapshot *s)
{
	struct snapshot upper = { };
	char name[32];
	int ret = 0;

	for (int i = 0; i < round->layers && !round->live_layers; i++) {
		snprintf(name, sizeof(name), "view/user/layer%d", i);
		ret |= snapshot_take(s, at(name));
	}
	ret |= snapshot_take(&upper, at("view/user/upper"));
	ret |= snapshot_take(&upper, at("view/user/work"));
	ret |= snapshot_take(&upper, at("view/user/spare"));
	snapshot_skip_shared(s, &upper);
	snapshot_free(&upper);
	ret |= snapshot_take(s, at("view/else"));
	for (size_t i = 0; i < s->count; i++)
		if (strstr(s->entry[i].path, "/view/else/"))
			s->entry[i].loose = true;
	return ret;
}

/* Mounted and used once: 0 when it went well. */
static int phase(struct round *round)
{
	struct snapshot before = { }, after = { };
	int status, bad = 0;
	pid_t pid;

	for (int i = 0; i < WATCH_SLOTS; i++)
		watch->slot[i].since = 0;
	watch->slow = 0;
	if (look_outside(round, &before))
		return -1;
	fflush(NULL);
	pid = fork();
	if (!pid)
		_exit(mounter(round));
	/* Not to be raced for by who waits. */
	setpgid(pid, pid);
	status = watch_wait(watch, pid, PHASE * watch->bound);
	if (status)
		printf("# the mounter ended with %d\n", status);
	bad |= status || watch->slow;
	if (status == -2)
		return -2;
	if (look_outside(round, &after))
		bad = 1;
	bad |= snapshot_compare(&before, &after) || disk_changed();
	if (kmsg >= 0 && kmsg_complaints(kmsg))
		bad = 1;
	snapshot_free(&before);
	snapshot_free(&after);
	return bad;
}

/* The upper becomes the top layer. */
static int deepen(struct round *round)
{
	char from[32], to[32];

	if (round->layers == LAYERS)
		return 0;
	for (int i = round->layers; i > 0; i--) {
		snprintf(from, sizeof(from), "user/layer%d", i - 1);
		snprintf(to, sizeof(to), "user/layer%d", i);
		if (rename(at(from), at(to)))
			return -1;
	}
	round->layers++;
	unflag(at("user/upper"), 39);
	return rename(at("user/upper"), at("user/layer0")) || mkdir(at("user/upper"), 0755) ||
		chown(at("user/upper"), USER, USER) ? -1 : 0;
}

static int play(unsigned long long seed)
{
	struct round round = { .r = rng_seed(seed), .seed = seed };
	int phases, bad;

	round.layers = 1 + rng_under(&round.r, 4);
	round.by_root = rng_under(&round.r, 4) == 0;
	round.live = rng_under(&round.r, 3) == 0;
	round.live_layers = round.live && rng_under(&round.r, 3) == 0;
	phases = 2 + rng_under(&round.r, 2);
	if (verbose)
		printf("# seed %llu: %d layers, by %s%s\n", seed, round.layers,
		       round.by_root ? "root" : "uid 1000", round.live ? ", under change" : "");
	bad = trees_begin(&round) || change(&round, true, rng_under(&round.r, 3) ? 0 : 20);
	while (!bad && phases--) {
		bad = phase(&round);
		if (bad || !phases)
			break;
		if (rng_under(&round.r, 3) == 0 && deepen(&round)) {
			printf("# the upper cannot become a layer: %s\n", strerror(errno));
			bad = 1;
		}
		if (!bad)
			bad = change(&round, false, 1 + rng_under(&round.r, rng_under(&round.r, 2) ?
								 6 : 40));
		if (!bad && rng_under(&round.r, 4) == 0)
			bad = drop_caches();
	}
	if (bad)
		printf("# failed: seed %llu, %d layers, mounted by %s%s, phase %d from the end\n",
		       seed, round.layers, round.by_root ? "root" : "uid 1000",
		       round.live ? ", changed while mounted" : "", phases);
	if (bad != -2 && trees_end())
		bad = bad ?: 1;
	fflush(stdout);
	return bad;
}

static void report(unsigned int rounds)
{
	printf("# %u rounds, %lu mounts, %lu refused, %lu changes, %lu calls; the slowest, %s, took %.2f s of the processor\n",
	       rounds, shared->mounts, shared->refused, shared->changes, watch_calls(watch),
	       watch->worst_name ?: "none", watch->worst);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	unsigned long long seed = strtoull(getenv("VENEER_FUZZ_SEED") ?: "0", NULL, 0);
	unsigned int seconds = atoi(getenv("VENEER_FUZZ_SECONDS") ?: "40");
	unsigned int most = ~0u, done = 0, failed = 0;
	bool go_on = false, by_count = false;
	static const char switch_file[] = "/sys/module/veneer/parameters/user_mounts";
	double bound = 3;
	time_t end, next;
	int opt, bad = 0;

	while ((opt = getopt(argc, argv, "s:n:t:b:kv")) != -1) {
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
		case 'b':
			bound = atof(optarg);
			break;
		case 'k':
			go_on = true;
			break;
		case 'v':
			verbose = true;
			break;
		default:
			fprintf(stderr, "usage: marksfuzz [-s SEED] [-n ROUNDS | -t SECONDS] [-b SECONDS] [-k] [-v]\n");
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
		ksft_exit_skip("the marks are Veneer's\n");
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	watch = watch_new(bound);
	if (shared == MAP_FAILED || !watch || bed_begin())
		ksft_exit_fail_msg("cannot begin: %s\n", strerror(errno));
	/* Off by default. */
	if (exists(switch_file) && write_text(switch_file, "Y"))
		ksft_exit_fail_msg("user_mounts cannot be turned on: %s\n", strerror(errno));
	kmsg = kmsg_open();
	printf("# seed %llu\n", seed);
	next = time(NULL) + REPORT;
	end = time(NULL) + seconds;
	while (done < most && (by_count || time(NULL) < end)) {
		kmsg_say("marksfuzz", seed + done);
		bad = play(seed + done++);
		failed += !!bad;
		if (bad == -2 || (bad && !go_on))
			break;
		if (time(NULL) >= next) {
			report(done);
			next += REPORT;
		}
	}
	report(done);
	if (bad != -2 && bed_end())
		printf("# cannot clean up: %s\n", strerror(errno));
	/* That nothing was wrong with nothing says nothing. */
	failed += !shared->mounts;
	ksft_test_result(!failed, "%u rounds from seed %llu, %u failed\n", done, seed, failed);
	ksft_finished();
}
