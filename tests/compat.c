// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What no program may be able to tell from ext4: one short test for what
 * Documentation/compatibility.rst says and no other program shows on both file
 * systems. Nothing is skipped on overlayfs, for that is how it is known what it
 * does; VENEER_TEST_OVERLAY=defaults mounts it without redirect_dir and metacopy.
 */
#include "testing.h"

#include <dirent.h>
#include <linux/capability.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <linux/stat.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/quota.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/xattr.h>

#define BIG (200 << 10)

WORLD_FIXTURE(compat);

FIXTURE_SETUP(compat)
{
	struct world *w = &self->w;

	OK(world_begin(w, variant->where));
	w->no_compare = true;
	w->no_defaults = !strcmp(getenv("VENEER_TEST_OVERLAY") ?: "", "defaults");
	OK(put_dir(w, "d", 0755));
	OK(put_text(w, "d/small", "a few bytes\n"));
	OK(put_pattern(w, "d/big", BIG, 1));
	OK(put_dir(w, "d/sub", 0755));
	OK(put_text(w, "d/sub/x", "x"));
	OK(put_dir(w, "open", 0777));
	OK(put_mode(w, "open", 01777));
}

WORLD_TEARDOWN(compat)

/* A read-only shared mapping shows what is written later. */
TEST_F(compat, shared_mapping)
{
	struct world *w = &self->w;
	int fd;
	char *p;

	OK(world_mount(w));
	fd = OK(openat(w->mfd, "d/big", O_RDONLY | O_CLOEXEC));
	p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	CHECK(p[0] == p[0], "");
	close(fd);
	fd = OK(openat(w->mfd, "d/big", O_WRONLY | O_CLOEXEC));
	EXPECT_EQ(3, pwrite(fd, "NEW", 3, 0));
	close(fd);
	CHECK(!memcmp(p, "NEW", 3), "the mapping shows old bytes");
	munmap(p, 4096);
}

static pid_t start(const char *program)
{
	pid_t pid = fork();
	int pipes[2];

	if (pid)
		return pid;
	/* Ends with the test. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!pipe(pipes))
		dup2(pipes[0], 0);
	execl(program, program, "1000", NULL);
	_exit(127);
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int executes(const char *program)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		execl(program, program, "0", NULL);
		_exit(errno);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ?
	       WEXITSTATUS(status) : -1;
}

static int put_program(struct world *w, const char *name)
{
	static char data[4 << 20];
	int fd = open("/bin/sleep", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, data, sizeof(data));

	close(fd);
	/* So that it is more than is copied whole. */
	if (n < 128 << 10)
		n = 128 << 10;
	return put_file(w, name, 0755, data, n);
}

static int truncate_same(const char *path)
{
	struct stat st;

	return stat(path, &st) ?: truncate(path, st.st_size);
}

static void wait_for_exec(pid_t pid, const char *program)
{
	char link[64], exe[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	for (int i = 0; i < 1000; i++) {
		n = readlink(link, exe, sizeof(exe) - 1);
		if (n > 0 && (exe[n] = 0, !strcmp(exe, program)))
			return;
		usleep(10000);
	}
}

/* A program that runs cannot be written, one that is written cannot be run. */
TEST_F(compat, text_busy)
{
	struct world *w = &self->w;
	pid_t m, p;
	int fd;

	OK(put_program(w, "prog"));
	OK(world_mount(w));
	for (int i = 0; i < 2; i++) {
		m = OK(start(M("prog")));
		p = OK(start(join(w->plain, "prog")));
		wait_for_exec(m, M("prog"));
		wait_for_exec(p, join(w->plain, "prog"));
		BOTH_FAIL(ETXTBSY, openat(at, "prog", O_WRONLY));
		BOTH_FAIL(ETXTBSY, openat(at, "prog", O_RDWR | O_TRUNC));
		BOTH_FAIL(ETXTBSY, truncate_same(P("prog")));
		BOTH_OK(fchmodat(at, "prog", 0700 + i, 0));
		stop(m);
		stop(p);
		/* Then in the upper, split. */
		fd = OK(openat(w->mfd, "prog", O_RDWR | O_CLOEXEC));
		EXPECT_EQ(ETXTBSY, executes(M("prog")));
		EXPECT_EQ(1, pwrite(fd, "", 1, (128 << 10) - 1));
		EXPECT_EQ(ETXTBSY, executes(M("prog")));
		close(fd);
		EXPECT_EQ(0, executes(M("prog")));
	}
}

/* Is it a line of /proc/self/maps? */
static bool is_mapped(const char *path)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[PATH_MAX + 128];
	bool found = false;

	while (f && fgets(line, sizeof(line), f)) {
		char *p = strchr(line, '/');

		line[strcspn(line, "\n")] = 0;
		found |= p && !strcmp(p, path);
	}
	if (f)
		fclose(f);
	return found;
}

/* /proc shows paths of the mount, whatever is behind them. */
TEST_F(compat, proc_paths)
{
	struct world *w = &self->w;
	char link[64], path[PATH_MAX];
	pid_t pid;

	OK(put_program(w, "prog"));
	OK(world_mount(w));
	for (int i = 0; i < 2; i++) {
		int fd = OK(openat(w->mfd, "d/big", O_RDWR | O_CLOEXEC));
		struct stat a, b;
		ssize_t n;

		for (int flags = 0; flags < 3; flags++) {
			void *p = mmap(NULL, 4096, flags == 2 ? PROT_READ | PROT_WRITE : PROT_READ,
				       flags ? MAP_SHARED : MAP_PRIVATE, fd, 0);

			ASSERT_NE(MAP_FAILED, p);
			CHECK(is_mapped(M("d/big")), "mapping %d", flags);
			munmap(p, 4096);
		}
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = OK(readlink(link, path, sizeof(path) - 1));
		path[n] = 0;
		EXPECT_STREQ(M("d/big"), path);
		OK(stat(link, &a));
		OK(stat(M("d/big"), &b));
		EXPECT_EQ(a.st_ino, b.st_ino);
		EXPECT_EQ(a.st_dev, b.st_dev);
		pid = OK(start(M("prog")));
		wait_for_exec(pid, M("prog"));
		snprintf(link, sizeof(link), "/proc/%d/exe", pid);
		n = OK(readlink(link, path, sizeof(path) - 1));
		path[n] = 0;
		EXPECT_STREQ(M("prog"), path);
		OK(stat(link, &a));
		OK(stat(M("prog"), &b));
		EXPECT_EQ(a.st_ino, b.st_ino);
		EXPECT_EQ(a.st_dev, b.st_dev);
		stop(pid);
		/* And once more with blocks in the upper. */
		EXPECT_EQ(3, pwrite(fd, "NEW", 3, 5000));
		close(fd);
	}
}

/* One mount, one st_dev, one mount id; the numbers stay. */
TEST_F(compat, identity)
{
	struct world *w = &self->w;
	static const char * const names[] = { ".", "d", "d/small", "d/big", "d/sub", "d/sub/x" };
	struct statx before[ARRAY_SIZE(names)], now;

	/* What was put there would not move along. */
	if (variant->where == IN_UPPER || variant->where == MERGED)
		SKIP(return, "only of layers");
	OK(world_upper_on(w, "tmpfs", ""));
	w->option[WORLD_OPTIONS - 1][0] = NULL;
	OK(world_mount(w));
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < ARRAY_SIZE(names); i++) {
			struct statx *x = round ? &now : &before[i];

			OK(statx(w->mfd, names[i], 0, STATX_BASIC_STATS | STATX_MNT_ID, x));
			CHECK(x->stx_mask & STATX_MNT_ID, "no mount id");
			CHECK(x->stx_mnt_id == before[0].stx_mnt_id || round == 2, "%s: mount id", names[i]);
			CHECK(x->stx_dev_minor == before[0].stx_dev_minor || round == 2,
			      "%s: another device", names[i]);
			CHECK(x->stx_ino == before[i].stx_ino, "%s: another number", names[i]);
		}
		if (round == 1)
			OK(world_remount(w));
		if (round)
			continue;
		OK(fchmodat(w->mfd, "d/small", 0600, 0));
		OK(fchmodat(w->mfd, "d/sub/x", 0600, 0));
		OK(truncate(M("d/big"), 100000));
	}
	OK(world_umount(w));
}

/* A directory of a layer is renamed, and found again. */
TEST_F(compat, rename_directory)
{
	struct world *w = &self->w;

	OK(world_mount(w));
	for (int i = 0; i < 2; i++) {
		OK(renameat(w->mfd, i ? "e" : "d", w->mfd, i ? "d" : "e"));
		OK(renameat(w->mfd, i ? "d/sub2" : "e/sub", w->mfd, i ? "d/sub" : "e/sub2"));
		OK(world_remount(w));
	}
	EXPECT_EQ(0, same_bytes(M("d/sub/x"), "x", 1));
}

/* Paths that are too long to be noted: it works, or says EXDEV and mv(1) copies. */
TEST_F(compat, rename_long_paths)
{
	struct world *w = &self->w;
	char name[252];
	int fd[2], next;
	const char *roots[2] = { w->layer[w->nlayers - 1], w->plain };
	int depth = 16, err;

	if (variant->where != IN_LAYER)
		SKIP(return, "once is enough");
	/* Together longer than an attribute of ext4. */
	memset(name, 'n', 251);
	name[251] = 0;
	for (int i = 0; i < 2; i++) {
		int at = OK(open(roots[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC));

		for (int j = 0; j < depth; j++) {
			OK(mkdirat(at, name, 0755));
			next = OK(openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
			close(at);
			at = next;
		}
		OK(mkdirat(at, "leaf", 0755));
		OK(mkdirat(at, "leaf/inside", 0755));
		close(at);
	}
	OK(world_mount(w));
	OPEN_BOTH(fd, ".", O_RDONLY | O_DIRECTORY);
	for (int j = 0; j < depth; j++)
		for (int i = 0; i < 2; i++) {
			next = OK(openat(fd[i], name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
			close(fd[i]);
			fd[i] = next;
		}
	/* Beside itself, and back. */
	BOTH_OK(renameat(F(fd), "leaf", F(fd), "moved"));
	BOTH_OK(faccessat(F(fd), "moved/inside", F_OK, 0));
	BOTH_FAIL(ENOENT, faccessat(F(fd), "leaf", F_OK, 0));
	BOTH_OK(renameat(F(fd), "moved", F(fd), "leaf"));
	BOTH_OK(renameat(F(fd), "leaf", F(fd), "again"));
	/* Elsewhere. */
	err = renameat(fd[0], "again", w->mfd, "up") ? errno : 0;
	CHECK(err == 0 || err == EXDEV, "%s", err_name(err));
	CHECK(!faccessat(err ? fd[0] : w->mfd, err ? "again/inside" : "up/inside", F_OK, 0),
	      "it is lost");
	CLOSE_BOTH(fd);
}

/* The names of a file of a layer are one file after a write. */
TEST_F(compat, hard_links)
{
	struct world *w = &self->w;
	struct stat st;

	if (variant->where != IN_LAYER)
		SKIP(return, "once is enough");
	OK(linkat(AT_FDCWD, L("d/small"), AT_FDCWD, L("d/sub/other"), 0));
	OK(world_mount(w));
	OK(write_text(M("d/small"), "written"));
	EXPECT_EQ(0, same_bytes(M("d/sub/other"), "written", 7));
	OK(stat(M("d/sub/other"), &st));
	EXPECT_EQ(2, st.st_nlink);
	OK(world_remount(w));
	EXPECT_EQ(0, same_bytes(M("d/sub/other"), "written", 7));
}

/* d_ino is st_ino, whichever layer an object is in. */
TEST_F(compat, listed_numbers)
{
	struct world *w = &self->w;

	OK(world_mount(w));
	OK(fchmodat(w->mfd, "d/small", 0600, 0));
	OK(mkdirat(w->mfd, "d/new", 0755));
	EXPECT_EQ(0, tree_compare(w->mnt, TREE_CHECK, w->mnt, 0));
	OK(world_remount(w));
	EXPECT_EQ(0, tree_compare(w->mnt, TREE_CHECK, w->mnt, 0));
}

/* A handle leads to the file after it was copied up. */
TEST_F(compat, handles)
{
	struct world *w = &self->w;
	struct {
		struct file_handle fh;
		char data[MAX_HANDLE_SZ];
	} h = { .fh.handle_bytes = MAX_HANDLE_SZ };
	int id, fd;
	char c;

	OK(world_mount(w));
	OK(name_to_handle_at(w->mfd, "d/big", &h.fh, &id, 0));
	OK(truncate(M("d/big"), 100));
	fd = OK(open_by_handle_at(w->mfd, &h.fh, O_RDONLY | O_CLOEXEC));
	EXPECT_EQ(0, pread(fd, &c, 1, 100));
	close(fd);
	OK(drop_caches());
	fd = OK(open_by_handle_at(w->mfd, &h.fh, O_RDONLY | O_CLOEXEC));
	EXPECT_EQ(0, pread(fd, &c, 1, 100));
	close(fd);
}

/* The device that overlayfs takes for a deleted name. */
TEST_F(compat, device_zero)
{
	struct world *w = &self->w;
	struct stat st;

	OK(world_mount(w));
	BOTH_OK(mknodat(at, "d/dev", S_IFCHR | 0600, makedev(0, 0)));
	BOTH_OK(renameat2(at, "d/small", at, "d/moved", RENAME_WHITEOUT));
	OK(fstatat(w->mfd, "d/dev", &st, 0));
	CHECK(S_ISCHR(st.st_mode), "mode %o", st.st_mode);
	OK(fstatat(w->mfd, "d/small", &st, 0));
	CHECK(S_ISCHR(st.st_mode), "mode %o", st.st_mode);
}

/* A place in a directory is that place, whatever comes and goes beside it. */
TEST_F(compat, telldir)
{
	struct world *w = &self->w;
	char path[64], next[256];
	struct dirent *de;
	long place;
	DIR *dir;

	for (int i = 0; i < 40; i++) {
		snprintf(path, sizeof(path), "d/name%02d", i);
		OK(put_text(w, path, ""));
	}
	OK(world_mount(w));
	dir = opendir(M("d"));
	ASSERT_NE(NULL, dir);
	for (int i = 0; i < 20; i++)
		ASSERT_NE(NULL, readdir(dir));
	place = telldir(dir);
	de = readdir(dir);
	ASSERT_NE(NULL, de);
	strcpy(next, de->d_name);
	seekdir(dir, 0);
	for (int i = 0; i < 10; i++) {
		de = readdir(dir);
		ASSERT_NE(NULL, de);
		if (!strncmp(de->d_name, "name", 4))
			OK(unlinkat(w->mfd, join("d", de->d_name), 0));
	}
	for (int i = 0; i < 10; i++) {
		snprintf(path, sizeof(path), "d/another%d", i);
		OK(write_text(M(path), ""));
	}
	seekdir(dir, place);
	de = readdir(dir);
	ASSERT_NE(NULL, de);
	EXPECT_STREQ(next, de->d_name);
	closedir(dir);
}

static volatile sig_atomic_t signals;

static void count_signal(int sig)
{
	signals++;
}

/* What one process can write: the value, and how often it was told. */
static int limited(const char *path, off_t at, size_t len)
{
	static char data[16384];
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret;

	signals = 0;
	ret = fd < 0 ? -1 : pwrite(fd, data, len, at);
	ret = ret < 0 ? -errno : ret;
	close(fd);
	return ret * 10 + signals;
}

static int limited_size(const char *path, off_t size)
{
	signals = 0;
	return (truncate(path, size) ? -errno : 0) * 10 + signals;
}

/* ulimit -f */
TEST_F(compat, size_limit)
{
	struct world *w = &self->w;
	struct rlimit limit = { 8192, 8192 };

	OK(world_mount(w));
	CHECK(!IN_CHILD({
		/* overlayfs goes on for ever. */
		alarm(20);
		signal(SIGXFSZ, count_signal);
		OK(setrlimit(RLIMIT_FSIZE, &limit));
		SAME(limited(P("d/big"), 0, 100));
		SAME(limited(P("d/big"), 8000, 1000));
		SAME(limited(P("d/big"), 8192, 1000));
		SAME(limited(P("d/big"), 100000, 1));
		SAME(limited(P("d/small"), 8000, 1000));
		SAME(limited(P("d/small"), 9000, 1));
		SAME(limited_size(P("d/small"), 8192));
		SAME(limited_size(P("d/small"), 8193));
		SAME(limited_size(P("d/big"), BIG + 1));
		SAME(limited_size(P("d/big"), 100));
		_exit(_metadata->exit_code);
	}), "under a limit");
	EXPECT_EQ(0, tree_compare(w->mnt, 0, w->plain, 0));
}

static int limited_store(const char *path, off_t at)
{
	int fd = open(path, O_RDWR | O_CLOEXEC), ret = -1;
	char *map = mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	signals = 0;
	if (map != MAP_FAILED) {
		memcpy(map + at, "stored", 6);
		ret = msync(map, BIG, MS_SYNC);
		munmap(map, BIG);
	}
	ret = ret ? -errno : fsync(fd) ? -errno : 0;
	close(fd);
	return ret * 10 + signals;
}

static int limited_call(const char *path, int mode, off_t at, off_t len)
{
	int fd = open(path, O_RDWR | O_CLOEXEC), ret;

	signals = 0;
	ret = fallocate(fd, mode | FALLOC_FL_KEEP_SIZE, at, len) ? -errno : 0;
	ret = ret ?: fdatasync(fd) ? -errno : 0;
	close(fd);
	return ret * 10 + signals;
}

/*
 * It is about what is written by the caller, not about what that makes us write:
 * the rest of a block, a block map, a page that was there.
 */
TEST_F(compat, size_limit_inside)
{
	struct world *w = &self->w;
	static const rlim_t limits[] = { 5000, 4096, 0 };

	if (!VENEER_ONLY("has no split files"))
		return;
	OK(world_mount(w));
	for (int i = 0; i < 3; i++) {
		CHECK(!IN_CHILD({
			struct rlimit limit = { limits[i], limits[i] };
			off_t from = i * 65536;

			signal(SIGXFSZ, count_signal);
			OK(setrlimit(RLIMIT_FSIZE, &limit));
			SAME(limited(P("d/big"), 4000, 500));
			SAME(limited(P("d/big"), 4900, 200));
			SAME(limited_store(P("d/big"), from + 20000));
			SAME(limited_call(P("d/big"), FALLOC_FL_PUNCH_HOLE, from + 30000, 3000));
			SAME(limited_call(P("d/big"), FALLOC_FL_ZERO_RANGE, from + 40000, 9000));
			sync();
			EXPECT_EQ(0, signals);
			SAME(limited_size(P("d/big"), BIG - 10000 * i - 100));
			SAME(limited_store(P("d/big"), from + 50000));
			_exit(_metadata->exit_code);
		}), "under a limit of %d", (int)limits[i]);
		SAME_TREES(w);
	}
	OK(world_remount(w));
}

/* As far as the file system below goes, and no further. */
TEST_F(compat, huge_files)
{
	struct world *w = &self->w;
	static const off_t sizes[] = {
		1LL << 40, 1LL << 43, (1LL << 44) - 4096, (1LL << 44) - 4095, 1LL << 44,
		1LL << 60, 0x7ffffffffffff000, 0x7fffffffffffffff,
	};
	struct stat m, p;
	int fd[2];

	OK(world_mount(w));
	OPEN_BOTH(fd, "d/big", O_RDWR);
	for (int i = 0; i < ARRAY_SIZE(sizes); i++) {
		SAME(ftruncate(F(fd), sizes[i]));
		SAME(pwrite(F(fd), "end", 3, sizes[i] - 3));
		SAME(lseek(F(fd), 0, SEEK_END));
		OK(fstat(fd[0], &m));
		OK(fstat(fd[1], &p));
		EXPECT_EQ(p.st_size, m.st_size);
		EXPECT_EQ(p.st_blocks * 512 < 1 << 20, m.st_blocks * 512 < 1 << 20);
	}
	BOTH_OK(ftruncate(F(fd), 1000));
	CLOSE_BOTH(fd);
}

/* What a change of data or owner takes away, by whom. */
#define MODES 4
static const mode_t modes[MODES] = { 06777, 04777, 02767, 02777 };

static int privileged(int at, const char *name, int what)
{
	int fd = what == 5 ? -1 : openat(at, name, O_RDWR | O_CLOEXEC | (what == 1 ? O_TRUNC : 0));
	int ret = 0;
	char *p;

	switch (what) {
	case 0:
		ret = write(fd, "x", 1) == 1 ? 0 : -1;
		break;
	case 2:
		ret = ftruncate(fd, 5);
		break;
	case 3:
		ret = fallocate(fd, 0, 0, 300000);
		break;
	case 4:
		p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (p == MAP_FAILED)
			ret = -1;
		else
			*p = 'x';
		munmap(p, 4096);
		break;
	case 5:
		ret = fchownat(at, name, -1, getegid(), 0);
		break;
	case 6:
		ret = fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, 4096);
		break;
	case 7:
		ret = copy_file_range(fd, NULL, fd, &(loff_t){ 10 }, 5, 0) == 5 ? 0 : -1;
		break;
	default:
		ret = write(fd, "", 0);
		break;
	}
	if (fd >= 0)
		close(fd);
	return ret;
}

#define WHATS 9

TEST_F(compat, privileges)
{
	struct world *w = &self->w;
	static const uid_t users[] = { 0, 1000, 2000 };
	/* Read /bin/ping's kind: cap_net_raw=ep. */
	static const struct vfs_cap_data caps = {
		.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
		.data[0].permitted = 1 << CAP_NET_RAW,
	};
	char name[64];

#define EACH_FILE							\
	for (int u = 0; u < ARRAY_SIZE(users); u++)			\
		for (int m = 0; m < MODES; m++)				\
			for (int i = 0; i < WHATS; i++)			\
				if (snprintf(name, sizeof(name), "open/%d.%d.%d", u, m, i))

	EACH_FILE {
		OK(put_file(w, name, 0777, "a few bytes, no more than this\n", 31));
		OK(put_owner(w, name, 1000, 1000));
		OK(put_mode(w, name, modes[m]));
		OK(put_xattr(w, name, "security.capability", &caps,
			     XATTR_CAPS_SZ_2));
	}
	OK(world_mount(w));
	EACH_FILE {
		CHECK(!IN_CHILD({
			if (users[u] && setresgid(users[u], users[u], users[u]))
				_exit(1);
			if (users[u] && setresuid(users[u], users[u], users[u]))
				_exit(1);
			BOTH(privileged(at, name, i));
			_exit(_metadata->exit_code);
		}), "%s", name);
	}
	EACH_FILE {
		struct stat a, b;
		ssize_t ca = getxattr(M(name), "security.capability", NULL, 0);
		ssize_t cb = getxattr(join(w->plain, name), "security.capability", NULL, 0);

		OK(stat(M(name), &a));
		OK(stat(join(w->plain, name), &b));
		CHECK(a.st_mode == b.st_mode && a.st_gid == b.st_gid,
		      "%s: mode %o in the mount, %o on a plain directory", name, a.st_mode, b.st_mode);
		/* A store to a mapping takes it away here, as a write does. */
		CHECK(ca == cb || (i == 4 && ca < 0), "%s: a capability of %zd bytes in the mount, %zd on a plain directory",
		      name, ca, cb);
	}
}

/* Quotas of the upper: charged to the owner, and kept. */
TEST_F(compat, quota)
{
	struct world *w = &self->w;
	struct dqblk q = { .dqb_valid = QIF_LIMITS, .dqb_bhardlimit = 40 };
	int disk, fd, err;

	if (variant->where != IN_LAYER)
		SKIP(return, "once is enough");
	OK(put_owner(w, "d", 1000, 1000));
	OK(put_owner(w, "d/big", 1000, 1000));
	if (world_upper_on(w, "tmpfs", "usrquota"))
		SKIP(return, "no quotas on tmpfs");
	OK(world_mount(w));
	disk = OK(open(join(w->root, "disk"), O_RDONLY | O_CLOEXEC));
	OK(syscall(SYS_quotactl_fd, disk, QCMD(Q_SETQUOTA, USRQUOTA), 1000, &q));
	/* By root, and yet the owner's. */
	fd = OK(openat(w->mfd, "d/big", O_RDWR | O_CLOEXEC));
	EXPECT_EQ(4096, pwrite(fd, join(w->root, ""), 4096, 0));
	close(fd);
	OK(syscall(SYS_quotactl_fd, disk, QCMD(Q_GETQUOTA, USRQUOTA), 1000, &q));
	CHECK(q.dqb_curspace >= 4096, "charged %lld bytes", (long long)q.dqb_curspace);
	/* Past the limit, by the owner. */
	err = IN_CHILD({
		static char data[65536];

		if (setresuid(1000, 1000, 1000))
			_exit(1);
		fd = openat(w->mfd, "d/new", O_WRONLY | O_CREAT, 0644);
		errno = 0;
		if (fd < 0 || write(fd, data, 65536) == 65536 || errno)
			_exit(errno);
		_exit(write(fd, data, 65536) < 0 ? errno : 0);
	});
	CHECK(err == EDQUOT, "%s", err_name(err));
	close(disk);
	OK(world_umount(w));
}

TEST_HARNESS_MAIN
