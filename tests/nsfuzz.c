// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Random operations by two processes at once, in a mount over random layers and
 * on a plain directory that holds the same: every call must end the same way,
 * and so must the two trees, before and after a remount.
 *
 *	NSFUZZ_SEED	which run (default 1; "time" for a new one)
 *	NSFUZZ_OPS	how many operations by each process (default 10000)
 *	NSFUZZ_LINKS	0: the layers hold no hard links (default 1)
 *
 * A process only touches names that end in its own digit, some of them in
 * directories that both work in: so the outcome does not hang on who is first.
 */
#include "testing.h"

#include <dirent.h>
#include <linux/falloc.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>

#include "layers.h"

#define OPEN_FILES 6
#define GIVE_UP 5

FIXTURE(nsfuzz)
{
	struct world w;
	unsigned int seed, ops;
};

FIXTURE_SETUP(nsfuzz)
{
	const char *seed = getenv("NSFUZZ_SEED") ?: "1";
	const char *ops = getenv("NSFUZZ_OPS") ?: "10000";
	const char *links = getenv("NSFUZZ_LINKS") ?: "1";
	struct world *w = &self->w;
	struct rng r;

	self->seed = !strcmp(seed, "time") ? time(NULL) : strtoul(seed, NULL, 10);
	self->ops = strtoul(ops, NULL, 10);
	printf("# NSFUZZ_SEED=%u NSFUZZ_OPS=%u\n", self->seed, self->ops);
	fflush(stdout);
	r = rng_seed(self->seed * 4);
	OK(world_begin(w, IN_LOWER));
	OK(world_add_layer(w));
	OK(random_layers(w, &r, 150, atoi(links)));
	OK(world_mount(w));
}

WORLD_TEARDOWN(nsfuzz)

struct fuzz {
	struct world *w;
	struct rng r;
	int owner;
	unsigned int failed;
	int fd[OPEN_FILES][2];
	struct stat st[2];
	char text[8192];	/* what the operation was */
};

/*
 * One operation, with all that is random about it; do_op() makes it twice. What
 * it returns and what it leaves in `out` must not differ.
 */
struct op {
	int kind, flag;
	unsigned int n, m;
	char a[RANDOM_PATH], b[RANDOM_PATH], name[3];
};

enum {
	CREATE, MKDIR, RMDIR, UNLINK, RENAME, LINK, SYMLINK, MKNOD, CHMOD, CHOWN,
	UTIMENS, TRUNCATE, WRITE, APPEND, SETXATTR, REMOVEXATTR, READLINK, STAT,
	LIST, TMPFILE, PUNCH, READ, OPEN, FD_WRITE, FD_READ, FD_TRUNCATE, FD_META,
	FD_STAT, FD_LINK, FD_CLOSE, KINDS
};

static const char *const kind_name[KINDS] = {
	"create", "mkdir", "rmdir", "unlink", "rename", "link", "symlink", "mknod",
	"chmod", "chown", "utimens", "truncate", "write", "append", "setxattr",
	"removexattr", "readlink", "stat", "list", "tmpfile", "punch", "read",
	"open", "fd_write", "fd_read", "fd_truncate", "fd_meta", "fd_stat",
	"fd_link", "fd_close",
};

/* How often each comes, in parts of the sum. */
static const unsigned char weight[KINDS] = {
	10, 9, 6, 9, 16, 5, 4, 3, 4, 3, 2, 4, 6, 3, 4, 2, 2, 4, 3, 2, 2, 5,
	4, 3, 3, 2, 2, 2, 1, 2,
};

/* What an operation found out, besides what it returned. */
struct out {
	size_t len;
	unsigned char buf[20000];
};

static void put_out(struct out *out, const void *p, size_t n)
{
	if (n > sizeof(out->buf) - out->len)
		n = sizeof(out->buf) - out->len;
	memcpy(out->buf + out->len, p, n);
	out->len += n;
}

static void put_stat(struct out *out, const struct stat *st)
{
	char line[128];

	put_out(out, line, snprintf(line, sizeof(line),
		"mode %o owner %u:%u size %lld nlink %u dev %lx", st->st_mode,
		st->st_uid, st->st_gid,
		S_ISDIR(st->st_mode) ? 0LL : (long long)st->st_size,
		S_ISDIR(st->st_mode) ? 0 : (unsigned int)st->st_nlink,
		(long)st->st_rdev));
}

static int write_at(int at, const struct op *op, int flags)
{
	char buf[3000];
	int fd = openat(at, op->a, flags | O_CLOEXEC | O_NONBLOCK, 0600 + op->m % 0100);
	int ret;

	if (fd < 0)
		return -1;
	fill_pattern(buf, op->n % sizeof(buf), 0, op->m);
	ret = flags & O_APPEND ? write(fd, buf, op->n % sizeof(buf)) :
		pwrite(fd, buf, op->n % sizeof(buf), op->m % 30000);
	close(fd);
	return ret;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names and types, but not of those that the other process comes and goes with. */
static int list_at(int at, const struct op *op, int owner, struct out *out)
{
	int fd = openat(at, op->a, O_RDONLY | O_DIRECTORY | O_CLOEXEC), n = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	char *name[256], line[300];
	struct dirent *de;

	if (!dir)
		return -1;
	while (n < 256 && (de = readdir(dir))) {
		size_t len = strlen(de->d_name);

		if (len == 2 && de->d_name[1] == '0' + !owner)
			continue;
		snprintf(line, sizeof(line), "%s:%d ", de->d_name, de->d_type);
		name[n++] = strdup(line);
	}
	closedir(dir);
	qsort(name, n, sizeof(*name), by_name);
	for (int i = 0; i < n; i++) {
		put_out(out, name[i], strlen(name[i]));
		free(name[i]);
	}
	return n;
}

static int tmpfile_at(int at, const struct op *op)
{
	char dir[RANDOM_PATH], proc[32];
	int fd, ret;

	strcpy(dir, op->a);
	*strrchr(dir, '/') = 0;
	fd = openat(at, dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0640);
	if (fd < 0)
		return -1;
	if (write(fd, "nameless", 8) != 8)
		abort();
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	ret = linkat(AT_FDCWD, proc, at, op->b, AT_SYMLINK_FOLLOW);
	close(fd);
	return ret;
}

/* Operations on a file that was opened some time ago. */
static int do_fd(const struct op *op, int fd, int at, struct out *out)
{
	char buf[5000], proc[32];
	struct stat st;
	int ret;

	if (fd < 0)
		return 0;
	switch (op->kind) {
	case FD_WRITE:
		fill_pattern(buf, op->n % 2000, 0, op->m);
		return pwrite(fd, buf, op->n % 2000, op->m % 30000);
	case FD_READ:
		ret = pread(fd, buf, sizeof(buf), op->m % 10000);
		if (ret > 0)
			put_out(out, buf, ret);
		return ret;
	case FD_TRUNCATE:
		return ftruncate(fd, op->m % 20000);
	case FD_META:
		if (op->n % 3 == 0)
			return fchmod(fd, 0600 + op->m % 0100);
		if (op->n % 3 == 1)
			return fchown(fd, op->m % 5, op->m % 7);
		return fsetxattr(fd, "user.fd", "value", op->m % 6, 0);
	case FD_STAT:
		ret = fstat(fd, &st);
		/* overlayfs: the link count of the layer's file. */
		if (world_is_overlay())
			st.st_nlink = 0;
		if (!ret)
			put_stat(out, &st);
		return ret;
	case FD_LINK:
		snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
		return linkat(AT_FDCWD, proc, at, op->b, AT_SYMLINK_FOLLOW);
	}
	abort();
}

static int do_op(struct fuzz *f, const struct op *op, int side, struct out *out)
{
	int at = side ? f->w->pfd : f->w->mfd, fd, ret;
	const char *in = side ? f->w->plain : f->w->mnt;
	struct timespec ts[2] = { { op->n, op->m }, { op->m, op->n } };
	int *held = &f->fd[op->n % OPEN_FILES][side];
	char buf[5000];
	struct stat st;

	errno = 0;
	switch (op->kind) {
	case CREATE: {
		static const int how[] = { O_EXCL, O_TRUNC, 0 };

		return write_at(at, op, O_CREAT | O_WRONLY | how[op->flag % 3]);
	}
	case MKDIR:
		return mkdirat(at, op->a, 0700 + op->m % 0100);
	case RMDIR:
		return unlinkat(at, op->a, AT_REMOVEDIR);
	case UNLINK:
		return unlinkat(at, op->a, 0);
	case RENAME:
		return renameat2(at, op->a, at, op->b, op->flag);
	case LINK:
		return linkat(at, op->a, at, op->b, op->m & 1 ? AT_SYMLINK_FOLLOW : 0);
	case SYMLINK:
		return symlinkat(op->name, at, op->a);
	case MKNOD:
		if (op->m % 4 == 0)
			return mknodat(at, op->a, S_IFCHR | 0600, op->n % 3);
		return mknodat(at, op->a, S_IFIFO | 0640, 0);
	case CHMOD:
		return fchmodat(at, op->a, 0600 + op->m % 0200, 0);
	case CHOWN:
		return fchownat(at, op->a, op->n % 5, op->m % 7,
				op->flag & 1 ? AT_SYMLINK_NOFOLLOW : 0);
	case UTIMENS:
		return utimensat(at, op->a, ts, AT_SYMLINK_NOFOLLOW);
	case TRUNCATE:
		return truncate(join(in, op->a), op->m % 40000);
	case WRITE:
		return write_at(at, op, O_RDWR);
	case APPEND:
		return write_at(at, op, O_RDWR | O_APPEND);
	case SETXATTR:
		return setxattr(join(in, op->a), op->n & 1 ? "user.one" : "trusted.two",
				"value", op->m % 6, op->flag % 3);
	case REMOVEXATTR:
		return removexattr(join(in, op->a), op->n & 1 ? "user.one" : "user.layer");
	case READLINK:
		ret = readlinkat(at, op->a, buf, sizeof(buf));
		if (ret > 0)
			put_out(out, buf, ret);
		return ret;
	case STAT:
		ret = fstatat(at, op->a, &st, op->m & 1 ? AT_SYMLINK_NOFOLLOW : 0);
		if (!ret)
			put_stat(out, &st);
		return ret;
	case LIST:
		return list_at(at, op, f->owner, out);
	case TMPFILE:
		return tmpfile_at(at, op);
	case PUNCH:
		fd = openat(at, op->a, O_RDWR | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0)
			return -1;
		ret = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				op->n % 20000, 1 + op->m % 9000);
		close(fd);
		return ret;
	case READ:
		fd = openat(at, op->a, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0)
			return -1;
		ret = pread(fd, buf, sizeof(buf), op->m % 3000);
		if (ret > 0)
			put_out(out, buf, ret);
		close(fd);
		return ret;
	case OPEN:
		if (*held >= 0)
			close(*held);
		*held = openat(at, op->a, (op->flag & 1 ? O_RDWR : O_RDONLY) |
			       O_CLOEXEC | O_NONBLOCK);
		return *held < 0 ? -1 : 0;
	case FD_CLOSE:
		ret = *held < 0 ? 0 : close(*held);
		*held = -1;
		return ret;
	}
	return do_fd(op, *held, at, out);
}

static struct op random_op(struct fuzz *f)
{
	static const int rename_flags[] = {
		0, 0, 0, 0, RENAME_NOREPLACE, RENAME_NOREPLACE, RENAME_EXCHANGE,
		RENAME_EXCHANGE, RENAME_WHITEOUT, RENAME_WHITEOUT | RENAME_NOREPLACE,
	};
	struct rng *r = &f->r;
	struct op op = { .kind = rng_weighted(r, weight, KINDS) };

	random_path(r, f->owner, op.a);
	random_path(r, f->owner, op.b);
	random_name(r, f->owner, op.name);
	op.n = rng_under(r, 1 << 29);
	op.m = rng_under(r, 1 << 29);
	op.flag = rng_under(r, 1 << 20);
	/* overlayfs takes no RENAME_WHITEOUT and no device 0:0. */
	if (op.kind == RENAME)
		op.flag = rename_flags[op.flag % (world_is_overlay() ||
						  !world_whiteouts_inherit() ? 8 : 10)];
	if (op.kind == MKNOD && world_is_overlay())
		op.m |= 1;
	return op;
}

static bool same_error(const struct op *op, int a, int b)
{
	if (a == b)
		return true;
	/* POSIX lets a file system choose between these two. */
	return (op->kind == RENAME || op->kind == RMDIR) &&
		(a == EEXIST || a == ENOTEMPTY) && (b == EEXIST || b == ENOTEMPTY);
}

static void compare(struct fuzz *f, unsigned int step, const struct op *op)
{
	static struct out out[2];
	int ret[2], err[2];

	for (int side = 0; side < 2; side++) {
		out[side].len = 0;
		ret[side] = do_op(f, op, side, &out[side]);
		err[side] = ret[side] < 0 ? errno : 0;
	}
	if (same_error(op, err[0], err[1]) && (ret[0] < 0) == (ret[1] < 0) &&
	    (ret[0] == ret[1]) && out[0].len == out[1].len &&
	    !memcmp(out[0].buf, out[1].buf, out[0].len))
		return;
	f->failed++;
	printf("# process %d, step %u: %s %s %s flag %d n %u m %u\n", f->owner, step,
	       kind_name[op->kind], op->a, op->b, op->flag, op->n, op->m);
	printf("#   mount: %d (%s) %zu bytes  %.60s\n", ret[0], err_name(err[0]),
	       out[0].len, op->kind == STAT || op->kind == FD_STAT || op->kind == LIST ?
	       (char *)out[0].buf : "");
	printf("#   plain: %d (%s) %zu bytes  %.60s\n", ret[1], err_name(err[1]),
	       out[1].len, op->kind == STAT || op->kind == FD_STAT || op->kind == LIST ?
	       (char *)out[1].buf : "");
	fflush(stdout);
}

static int run(struct world *w, unsigned int seed, int owner, unsigned int ops)
{
	struct fuzz f = { .w = w, .r = rng_seed(seed * 4 + owner + 1), .owner = owner };

	for (int i = 0; i < OPEN_FILES; i++)
		f.fd[i][0] = f.fd[i][1] = -1;
	for (unsigned int i = 0; i < ops && f.failed < GIVE_UP; i++) {
		struct op op = random_op(&f);

		compare(&f, i, &op);
		if (owner == 0 && i % 2000 == 1999 && drop_caches())
			return 1;
	}
	return f.failed != 0;
}

TEST_F(nsfuzz, two_processes)
{
	struct world *w = &self->w;

	SAME_TREES(w);
	/* The second half on what the first one left on the disk. */
	for (int half = 0; half < 2; half++) {
		pid_t pid[2];
		int status;

		for (int i = 0; i < 2; i++) {
			fflush(NULL);
			pid[i] = OK(fork());
			if (!pid[i])
				_exit(run(w, self->seed + half * 1000003, i,
					  (self->ops + 1) / 2));
		}
		for (int i = 0; i < 2; i++) {
			OK(waitpid(pid[i], &status, 0));
			CHECK(!status, "process %d: status %x, NSFUZZ_SEED=%u", i,
			      status, self->seed);
		}
		SAME_TREES(w);
		OK(world_remount(w));
		SAME_TREES(w);
	}
}

/*
 * Everybody on the same names: what each call says hangs on who was first, but
 * it is never one of the errors that mean that something is wrong, and what is
 * there in the end is there after a remount.
 */
static bool acceptable(int err)
{
	switch (err) {
	case 0: case ENOENT: case EEXIST: case ENOTDIR: case EISDIR: case EINVAL:
	case ENOTEMPTY: case ELOOP: case ENODATA: case ENXIO: case EPERM: case EBADF:
	case EBUSY: case EMLINK: case ETXTBSY: case ESPIPE: case EOPNOTSUPP:
	case ENAMETOOLONG: case EAGAIN: case ENODEV: case EACCES:
		return true;
	}
	return false;
}

static int run_free(struct world *w, unsigned int seed, int id, unsigned int ops)
{
	struct fuzz f = { .w = w, .r = rng_seed(seed * 4 + 100 + id) };
	static struct out out;

	for (int i = 0; i < OPEN_FILES; i++)
		f.fd[i][0] = -1;
	for (unsigned int i = 0; i < ops && f.failed < GIVE_UP; i++) {
		struct op op = random_op(&f);
		int ret;

		out.len = 0;
		ret = do_op(&f, &op, 0, &out);
		if (ret >= 0 || acceptable(errno))
			continue;
		f.failed++;
		printf("# process %d, step %u: %s %s %s: %s\n", id, i,
		       kind_name[op.kind], op.a, op.b, err_name(errno));
		fflush(stdout);
	}
	return f.failed != 0;
}

TEST_F(nsfuzz, free_for_all)
{
	struct world *w = &self->w;
	struct tree before = { }, after = { };
	pid_t pid[4];
	int status;

	w->no_compare = true;
	for (int half = 0; half < 2; half++) {
		for (int i = 0; i < 4; i++) {
			fflush(NULL);
			pid[i] = OK(fork());
			if (!pid[i])
				_exit(run_free(w, self->seed + half * 1000003, i,
					       (self->ops + 3) / 4));
		}
		for (int i = 0; i < 4; i++) {
			OK(waitpid(pid[i], &status, 0));
			CHECK(!status, "process %d: status %x, NSFUZZ_SEED=%u", i,
			      status, self->seed);
		}
		OK(tree_scan(&before, w->mnt, TREE_CHECK | TREE_NLINK | TREE_MTIME |
			     w->tree_flags));
		CHECK(!before.problems, "see above");
		OK(world_remount(w));
		OK(tree_scan(&after, w->mnt, TREE_CHECK | TREE_NLINK | TREE_MTIME |
			     w->tree_flags));
		CHECK(!tree_diff(&before, "the mount", &after, "a new mount"),
		      "NSFUZZ_SEED=%u", self->seed);
		tree_free(&before);
		tree_free(&after);
	}
}

TEST_HARNESS_MAIN
