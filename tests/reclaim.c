// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory is short all the time: files are written, mapped, saved and forgotten
 * while pages, names and inodes are taken away. Nothing is lost, and nobody is
 * killed who does not take the memory.
 *
 * It does so anywhere, in a memory cgroup of its own. In a guest that has little memory
 * altogether, with VENEER_LITTLE_MEMORY set (check starts one), the kernel lacks it.
 */
#include "testing.h"

#include <linux/magic.h>
#include <signal.h>
#include <sys/vfs.h>

#define FILES 36
#define SIZE (600 << 10)
#define BLOCK 4096
#define OPEN 12		/* files that are open and mapped at a time */
#define ROUNDS 2
#define TAKEN 2000	/* pages that are taken away at least */
#define LIMIT "14M"

static const char cgroup[] = "/sys/fs/cgroup/veneer-reclaim";

PLAIN_FIXTURE(reclaim);

static const char *name_of(int file)
{
	static char name[8][16];
	static int n;
	char *p = name[n++ % 8];

	snprintf(p, 16, "d/f%d", file);
	return p;
}

static int cgroup_write(const char *file, const char *text)
{
	return store_at(join(cgroup, file), text, strlen(text), 0);
}

/* Is there one that keeps to the limit now? */
static bool begin_cgroup(void)
{
	static const char control[] = "/sys/fs/cgroup/cgroup.subtree_control";

	if (exists(control))
		store_at(control, "+memory", 7, 0);
	/* What a run that was killed has left. */
	rmdir(cgroup);
	return !mkdir(cgroup, 0755) && exists(join(cgroup, "memory.max")) &&
		!cgroup_write("memory.max", LIMIT);
}

FIXTURE_SETUP(reclaim)
{
	struct world *w = &self->w;

	OK(world_begin(w, IN_LAYER));
	w->no_compare = true;	/* done here */
	OK(put_dir(w, "d", 0755));
	for (int i = 0; i < FILES; i++)
		OK(put_pattern(w, name_of(i), SIZE, i));
	OK(world_mount(w));
}

WORLD_TEARDOWN(reclaim)

/* A process that takes names, inodes and pages away until it is killed. */
static pid_t start_forgetting(void)
{
	pid_t pid = fork();

	while (!pid) {
		drop_caches();
		usleep(20000);
	}
	return pid;
}

/* What is not anybody's file, and cannot be taken away. */
static pid_t start_hog(size_t size)
{
	pid_t pid = fork();
	char *p;

	if (pid)
		return pid;
	write_text("/proc/self/oom_score_adj", "1000");
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (;;) {
		memset(p, 1, size);
		usleep(20000);
	}
}

static void stop(pid_t pid)
{
	/* For kill(2), -1 is everybody. */
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* The bytes of a block are its file's, its place's and its round's. */
static unsigned int salt(int file, int round)
{
	return 1000 + file + round * 100;
}

/*
 * One step with one file: stores through the mapping or writes, in the mount and in
 * the plain directory the same.
 */
static int step(const char *root, int fd, char *map, int file, int round)
{
	static unsigned char block[BLOCK];

	for (int i = (file + round) % 3; i < SIZE / BLOCK; i += 5) {
		fill_pattern(block, BLOCK, i * BLOCK, salt(file, round));
		if ((i + file) & 1)
			memcpy(map + i * BLOCK, block, BLOCK);
		else if (pwrite(fd, block, BLOCK, i * BLOCK) != BLOCK)
			return -1;
	}
	switch ((file + round) % 6) {
	case 0:
		return fsync(fd);
	case 1:
		return msync(map, SIZE, MS_SYNC);
	case 2:
		return ftruncate(fd, SIZE - 5000) || ftruncate(fd, SIZE);
	case 3:
		return syncfs(fd);
	}
	return 0;
}

static int work_in(const char *root, int rounds)
{
	struct {
		int fd;
		char *map;
	} open_now[OPEN] = { };
	int ret = 0;

	for (int n = 0; n < FILES * rounds && !ret; n++) {
		int file = n * 7 % FILES, slot = n % OPEN;

		if (open_now[slot].map) {
			munmap(open_now[slot].map, SIZE);
			ret = close(open_now[slot].fd);
		}
		open_now[slot].fd = open(join(root, name_of(file)), O_RDWR | O_CLOEXEC);
		open_now[slot].map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
					  open_now[slot].fd, 0);
		if (open_now[slot].map == MAP_FAILED)
			return -1;
		ret = ret ?: step(root, open_now[slot].fd, open_now[slot].map, file, n / FILES);
	}
	return ret;
}

/* 0, or in how many bytes the mount's file differs from the plain one. */
static int same_files(struct world *w, int file)
{
	static unsigned char a[SIZE], b[SIZE];
	int fd[2] = { open(M(name_of(file)), O_RDONLY | O_CLOEXEC),
		      open(join(w->plain, name_of(file)), O_RDONLY | O_CLOEXEC) }, n = 0;

	if (pread(fd[0], a, SIZE, 0) != SIZE || pread(fd[1], b, SIZE, 0) != SIZE)
		n = -1;
	for (int i = 0; i < SIZE && n >= 0; i++)
		n += a[i] != b[i];
	close(fd[0]);
	close(fd[1]);
	return n;
}

static void all_same(struct __test_metadata *_metadata, struct world *w)
{
	CHECK(!drop_caches(), "");
	for (int i = 0; i < FILES; i++) {
		int n = same_files(w, i);

		CHECK(!n, "%s: %d bytes", name_of(i), n);
	}
}

/* A counter of a file of such lines, or 0. */
static long counter(const char *path, const char *name)
{
	char text[16384], key[64];
	const char *at;

	if (read_text(path, text, sizeof(text)) < 0)
		return 0;
	snprintf(key, sizeof(key), "\n%s ", name);
	at = strstr(text, key);
	return at ? atol(at + strlen(key)) : 0;
}

/* Who takes pages away, and how many he did, or who was killed for want of them. */
struct taken {
	long scanned, stolen, killed;
};

static struct taken taken(bool limited)
{
	static const char vmstat[] = "/proc/vmstat";
	const char *stat = join(cgroup, "memory.stat");

	if (limited)
		return (struct taken) {
			counter(stat, "pgscan"), counter(stat, "pgsteal"),
			counter(join(cgroup, "memory.events"), "oom_kill"),
		};
	return (struct taken) {
		counter(vmstat, "pgscan_kswapd") + counter(vmstat, "pgscan_direct"),
		counter(vmstat, "pgsteal_kswapd") + counter(vmstat, "pgsteal_direct"),
		counter(vmstat, "oom_kill"),
	};
}

static bool is_tmpfs(const char *path)
{
	struct statfs st;

	return !statfs(path, &st) && st.f_type == TMPFS_MAGIC;
}

static int work_and_look(struct world *w, int rounds)
{
	int ret = work_in(w->mnt, rounds);

	for (int i = 0; i < FILES && !ret; i++)
		ret = same_files(w, i);
	return ret;
}

TEST_F(reclaim, little_memory)
{
	bool limited = !getenv("VENEER_LITTLE_MEMORY");
	struct world *w = &self->w;
	struct taken before, after;

	if (is_tmpfs(w->root))
		SKIP(return, "nothing can be taken away from a tmpfs");
	if (limited && !begin_cgroup())
		SKIP(return, "no memory cgroup");
	CHECK(!IN_CHILD(_exit(work_in(w->plain, ROUNDS) != 0)), "");
	before = taken(limited);
	CHECK(!IN_CHILD(
		pid_t hog;
		int ret;

		if (limited && cgroup_write("cgroup.procs", "0"))
			_exit(2);
		hog = start_hog(4 << 20);
		ret = work_and_look(w, ROUNDS);
		stop(hog);
		_exit(ret != 0);
	), "");
	after = taken(limited);
	TH_LOG("%ld pages looked at, %ld taken away", after.scanned - before.scanned,
	       after.stolen - before.stolen);
	CHECK(after.stolen - before.stolen >= TAKEN, "memory was not short");
	CHECK(after.killed == before.killed, "%ld killed", after.killed - before.killed);
	if (limited)
		OK(rmdir(cgroup));
	all_same(_metadata, w);
}

TEST_F(reclaim, all_is_forgotten)
{
	struct world *w = &self->w;
	pid_t forget;

	CHECK(!IN_CHILD(_exit(work_in(w->plain, 1) != 0)), "");
	fflush(NULL);
	forget = start_forgetting();
	CHECK(!IN_CHILD(_exit(work_and_look(w, 1) != 0)), "");
	stop(forget);
	all_same(_metadata, w);
}

TEST_HARNESS_MAIN
