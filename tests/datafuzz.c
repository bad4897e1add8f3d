// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Random operations on the data of files: in a mount, on files that were in a
 * layer, and on plain files with the same content. What every call returns must
 * be the same, and what the files hold, through descriptors and mappings kept
 * open, through a second mount, after a remount, and when the upper has become a
 * layer under another one.
 *
 *	-s SEED  -n ROUNDS  -t SECONDS	   which rounds, and for how long
 *	-l OPS				   how long a round is
 *	-r FILE				   the round that is in the file
 *	-k				   go on after a failure
 *
 * or VENEER_FUZZ_SEED and VENEER_FUZZ_SECONDS. A seed of 0 is a new one.
 *
 * A round that fails is made again with fewer operations, as long as it still
 * fails; what is left is printed, to be put into a file for -r.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuzzbed.h"
#include "kselftest.h"
#include "shrink.h"
#include "world.h"

#define MAX_OPS 4096
#define HANG 120	/* seconds in which an operation ends */

/* Shared with the process that makes the round. */
struct round {
	unsigned long long seed;
	unsigned int planned, count, done;
	unsigned long long ops;	/* those of crowds, too */
	struct op op[MAX_OPS];
};

static struct round *shared;
static char root[256];
static struct op_out *out;	/* two */

/* How often each kind comes. */
static const unsigned char weight[OP_KINDS] = {
	[OP_OPEN] = 40, [OP_CLOSE] = 6, [OP_PREAD] = 30, [OP_READ] = 8, [OP_PWRITE] = 50,
	[OP_WRITE] = 14, [OP_TRUNCATE] = 3, [OP_FTRUNCATE] = 10, [OP_FALLOCATE] = 16,
	[OP_SEEK] = 8, [OP_FIEMAP] = 4, [OP_AIO] = 12, [OP_URING] = 12,
	[OP_SPLICE_IN] = 6, [OP_SPLICE_OUT] = 6, [OP_SENDFILE] = 6, [OP_COPY] = 10,
	[OP_CLONE] = 4, [OP_DEDUPE] = 2, [OP_MMAP] = 24, [OP_MUNMAP] = 4, [OP_LOAD] = 24,
	[OP_STORE] = 24, [OP_MSYNC] = 6, [OP_MADVISE] = 8, [OP_MLOCK] = 2,
	[OP_MPROTECT] = 3, [OP_MREMAP] = 2, [OP_MAP_WRITE] = 4, [OP_MAP_READ] = 4,
	[OP_SYNC] = 8, [OP_ADVISE] = 6, [OP_META] = 4, [OP_STAT] = 3, [OP_RENAME] = 2,
	[OP_LINK] = 1, [OP_UNLINK] = 1, [OP_EXEC] = 1, [OP_CROWD] = 2, [OP_CHECK] = 4,
	[OP_DROP] = 4, [OP_REMOUNT] = 3, [OP_READONLY] = 1, [OP_FREEZE] = 1,
	[OP_SECOND] = 3, [OP_DEEPEN] = 2, [OP_WHOLE] = 2,
};

/* A place in a file: near its ends and the edges of blocks more than elsewhere. */
static long long random_place(struct fuzz_bed *b, struct rng *r, unsigned int file)
{
	long long size = 0, off;
	struct stat st;

	if (!stat(view_path(&b->view[1], file, 0), &st))
		size = st.st_size;
	if (size > BED_LARGE) {
		off = b->hot[file][rng_under(r, BED_HOT)] + rng_under(r, 1 << 17);
	} else {
		switch (rng_under(r, 8)) {
		case 0:
			off = size - 20 + rng_under(r, 40);
			break;
		case 1:
			off = size + rng_under(r, 30000);
			break;
		case 2:
			off = rng_under(r, 30000);
			break;
		default:
			off = size ? rng_under(r, size) : 0;
		}
	}
	switch (rng_under(r, 4)) {
	case 0:
		off -= off % DATA_PAGE;
		break;
	case 1:
		off += 3 - off % DATA_PAGE - (int)rng_under(r, 7);
	}
	if (off > 6 << 20 && size <= BED_LARGE)
		off %= 6 << 20;
	return off < 0 ? 0 : off;
}

static struct op random_op(struct fuzz_bed *b, struct rng *r)
{
	struct op op = {
		.kind = rng_weighted(r, weight, OP_KINDS), .slot = rng_under(r, DATA_SLOTS),
		.file = rng_under(r, DATA_FILES),
	};
	unsigned int file = op.file;

	op.x = rng_under(r, 1u << 30) & ~(1u << 20);
	/* The second name of a file is seldom there. */
	if (rng_under(r, 12) == 0)
		op.x |= 1u << 20;
	/* A clock tick each: not too often. */
	if (rng_under(r, 40) == 0)
		op.x |= OP_TIMED;
	/* A place in the file that it will be about. */
	if (op.kind >= OP_MUNMAP && op.kind <= OP_MREMAP)
		file = b->view[1].map[op.slot % DATA_MAPS].of;
	else if (op.kind != OP_OPEN && op.kind != OP_TRUNCATE && op.kind != OP_CROWD &&
		 op.kind != OP_META)
		file = b->view[1].of[op.slot];
	op.off = random_place(b, r, file);
	op.off2 = random_place(b, r, b->view[1].of[op.x % DATA_SLOTS]);
	if (op.kind == OP_MAP_WRITE || op.kind == OP_MAP_READ)
		op.off2 = random_place(b, r, file);
	switch (rng_under(r, 6)) {
	case 0:
		op.len = rng_under(r, 100);
		break;
	case 1:
		op.len = rng_under(r, DATA_BUF);
		break;
	case 2:
		op.len = DATA_PAGE * (1 + rng_under(r, 8));
		break;
	default:
		op.len = rng_under(r, 3 * DATA_PAGE);
	}
	return op;
}

static bool moved(struct timespec a, struct timespec b)
{
	return a.tv_sec != b.tv_sec || a.tv_nsec != b.tv_nsec;
}

/* The file that an operation may change, or -1. */
static int target(const struct view *v, const struct op *op)
{
	switch (op->kind) {
	case OP_PWRITE: case OP_WRITE: case OP_FTRUNCATE: case OP_FALLOCATE: case OP_AIO:
	case OP_URING: case OP_SPLICE_IN: case OP_COPY: case OP_SENDFILE:
		return v->fd[op->slot];
	case OP_STORE:
		return v->map[op->slot % DATA_MAPS].addr && v->map[op->slot % DATA_MAPS].shared ?
			v->map[op->slot % DATA_MAPS].fd : -1;
	}
	return -1;
}

/* A mode that cannot be, asked for with a range that cannot: either may be said. */
static bool same_error(const struct op *op)
{
	if (op->kind != OP_FALLOCATE)
		return out[0].err == out[1].err;
	return out[0].err == out[1].err || (out[0].err == EINVAL && out[1].err == EOPNOTSUPP);
}

/* The same in both places: 0, or the number of differences. */
static int both(struct fuzz_bed *b, const struct op *op)
{
	struct stat before[2] = { }, after[2] = { };
	int fd[2] = { -1, -1 }, bad = 0;

	if (op->x & OP_TIMED)
		for (int i = 0; i < 2; i++) {
			fd[i] = target(&b->view[i], op);
			if (fd[i] >= 0 && fstat(fd[i], &before[i]))
				fd[i] = -1;
		}
	if (fd[0] >= 0 && fd[1] >= 0)
		usleep(25000);
	for (int i = 0; i < 2; i++)
		do_op(&b->view[i], op, &out[i]);
	if (!out[0].loose && (out[0].ret != out[1].ret || !same_error(op))) {
		printf("# returned %ld (%s), on plain %ld (%s)\n", out[0].ret,
		       strerror(out[0].err), out[1].ret, strerror(out[1].err));
		bad++;
	}
	if (!bad && out[0].ret == out[1].ret &&
	    (out[0].len != out[1].len || 
	     memcmp(out[0].buf, out[1].buf, out[0].len))) {
		size_t i = 0;

		while (i < out[0].len && i < out[1].len && out[0].buf[i] == out[1].buf[i])
			i++;
		printf("# found other bytes: at %zu of %zu %02x, on plain %zu %02x\n", i,
		       out[0].len, out[0].buf[i], out[1].len, out[1].buf[i]);
		bad++;
	}
	/* Of a call that failed, xfs moves them, and others do not. */
	if (fd[0] < 0 || fd[1] < 0 || out[0].ret < 0 || fstat(fd[0], &after[0]) ||
	    fstat(fd[1], &after[1]))
		return bad;
	for (int time = 0; time < 2; time++) {
		bool m[2];

		for (int i = 0; i < 2; i++)
			m[i] = time ? moved(before[i].st_ctim, after[i].st_ctim) :
				moved(before[i].st_mtim, after[i].st_mtim);
		/* A page that is written already need not move it again. */
		if (m[0] == m[1] || (m[0] && op->kind == OP_STORE))
			continue;
		printf("# %s %s, on plain it %s\n", time ? "ctime" : "mtime",
		       m[0] ? "moved" : "did not move", m[1] ? "did" : "did not");
		bad++;
	}
	return bad;
}

/* One of a crowd: a process that writes its own stripes of a file, and no other. */
struct member {
	struct fuzz_bed *b;
	unsigned int file, id, of, stripe;
	long long from, size;	/* the part of the file that all are at */
	int fd[2][2];		/* view, buffered or direct */
	unsigned char *map[2];
	bool direct;		/* whole blocks, and no stores through mappings */
	aio_context_t aio[2];
};

static int member_write(struct member *m, int view, const unsigned char *buf, size_t len,
			long long off, unsigned int how)
{
	int fd = m->fd[view][m->direct && how & 1];
	struct view *v = &m->b->view[view];
	ssize_t n;

	if (!m->direct && how % 3 == 0) {
		memcpy(m->map[view] + off - m->from, buf, len);
		return how % 5 ? 0 : msync(m->map[view], m->size, MS_SYNC);
	}
	if (how % 7 == 0 && v->has_ring) {
		struct io_uring_sqe sqe = { .opcode = IORING_OP_WRITE, .fd = fd, .off = off,
					    .addr = (unsigned long)buf, .len = len };

		n = uring_do(&v->ring, &sqe);
	} else if (how % 11 == 0 && !(fcntl(fd, F_GETFL) & O_DIRECT)) {
		loff_t at = off;

		if (write(v->pipe[1], buf, len) != (ssize_t)len)
			return -1;
		n = splice(v->pipe[0], NULL, fd, &at, len, 0);
	} else {
		n = pwrite(fd, buf, len, off);
	}
	if (n != (ssize_t)len) {
		printf("# a write of %zu at %lld: %zd, %s\n", len, off, n, strerror(errno));
		return -1;
	}
	return how % 13 ? 0 : fdatasync(fd);
}

static int member_look(struct member *m, size_t len, long long off, unsigned int how)
{
	static unsigned char buf[2][1 << 16] __attribute__((aligned(DATA_PAGE)));

	for (int i = 0; i < 2; i++) {
		if (!m->direct && how & 1)
			memcpy(buf[i], m->map[i] + off - m->from, len);
		else if (pread(m->fd[i][m->direct && how & 2], buf[i], len, off) != (ssize_t)len)
			return -1;
	}
	if (!memcmp(buf[0], buf[1], len))
		return 0;
	for (size_t i = 0; i < len; i++)
		if (buf[0][i] != buf[1][i]) {
			printf("# process %u of %u, its own byte at %lld (stripe %u) is %02x, not %02x\n",
			       m->id, m->of, off + (long long)i, m->stripe, buf[0][i], buf[1][i]);
			break;
		}
	return -1;
}

static int member_run(struct member *m, struct rng *r)
{
	static unsigned char buf[1 << 16] __attribute__((aligned(DATA_PAGE)));
	unsigned int stripes = m->size / m->stripe, steps = 20 + rng_under(r, 40);

	/* Their own: a view's ring and pipe are shared by all who were forked. */
	for (int i = 0; i < 2; i++) {
		struct view *v = &m->b->view[i];

		v->has_ring = !uring_open(&v->ring);
		if (pipe2(v->pipe, O_CLOEXEC))
			return 1;
	}
	for (unsigned int s = 0; s < steps; s++) {
		unsigned int n = rng_under(r, (stripes - m->id + m->of - 1) / m->of) * m->of + m->id;
		size_t at = m->direct ? 0 : rng_under(r, m->stripe);
		size_t len = m->direct ? m->stripe : 1 + rng_under(r, m->stripe - at);
		long long off = m->from + (long long)n * m->stripe + at;
		unsigned int how = rng_under(r, 1 << 20);

		__atomic_add_fetch(&shared->ops, 1, __ATOMIC_RELAXED);
		if (rng_under(r, 3) == 0) {
			if (member_look(m, len, off, how))
				return 1;
			continue;
		}
		fill_pattern(buf, len, off, how);
		for (int i = 0; i < 2; i++)
			if (member_write(m, i, buf, len, off, how))
				return 1;
		if (rng_under(r, 16) == 0)
			posix_fadvise(m->fd[0][0], 0, 0, POSIX_FADV_DONTNEED);
		if (!m->direct && rng_under(r, 16) == 0)
			madvise(m->map[0], m->size, MADV_DONTNEED);
	}
	/* All of its own, once more. */
	for (unsigned int n = m->id; n < stripes; n += m->of)
		if (member_look(m, m->stripe, m->from + (long long)n * m->stripe, n))
			return 1;
	return 0;
}

static int crowd(struct fuzz_bed *b, const struct op *op)
{
	struct rng r = rng_seed(op->x);
	struct member m = { .b = b, .file = op->file, .of = 2 + rng_under(&r, 2),
			    .direct = rng_under(&r, 3) == 0 };
	int bad = 0, status;
	struct stat st;
	pid_t pid[4];

	m.stripe = m.direct ? DATA_PAGE * (1 + rng_under(&r, 2)) : 200 + rng_under(&r, 6000);
	if (stat(view_path(&b->view[1], op->file, 0), &st) || st.st_size < 3 * DATA_PAGE)
		return 0;
	m.from = op->off < st.st_size ? op->off - op->off % DATA_PAGE : 0;
	m.size = st.st_size - m.from;
	if (m.size > 300000)
		m.size = 300000;
	if (m.size / m.stripe < (int)m.of)
		return 0;
	for (int i = 0; i < 2; i++) {
		const char *path = view_path(&b->view[i], op->file, op->x & OP_THROUGH_SECOND);

		m.fd[i][0] = open(path, O_RDWR | O_CLOEXEC);
		m.fd[i][1] = m.direct ? open(path, O_RDWR | O_DIRECT | O_CLOEXEC) : -1;
		if (m.fd[i][0] < 0 || (m.direct && m.fd[i][1] < 0)) {
			printf("# cannot open %s: %s\n", path, strerror(errno));
			return 1;
		}
		m.map[i] = mmap(NULL, m.size, m.direct ? PROT_READ : PROT_READ | PROT_WRITE,
				MAP_SHARED, m.fd[i][0], m.from);
		if (m.map[i] == MAP_FAILED) {
			printf("# cannot map %s: %s\n", path, strerror(errno));
			return 1;
		}
	}
	for (unsigned int i = 0; i < m.of; i++) {
		struct rng own = rng_seed(op->x * 4ULL + i);

		fflush(NULL);
		m.id = i;
		pid[i] = fork();
		if (!pid[i])
			_exit(member_run(&m, &own) ? 1 : fflush(NULL));
	}
	for (unsigned int i = 0; i < m.of; i++)
		if (waitpid(pid[i], &status, 0) != pid[i] || status) {
			printf("# process %u of a crowd on f%u: status %x\n", i, op->file, status);
			bad++;
		}
	bad += bed_compare_fds(b, op->file, m.fd[0][0], m.fd[1][0], "after a crowd");
	for (int i = 0; i < 2; i++) {
		munmap(m.map[i], m.size);
		close(m.fd[i][0]);
		if (m.fd[i][1] >= 0)
			close(m.fd[i][1]);
	}
	return bad;
}

/* Read-only and back; with a file open for writing, it is busy. */
static int readonly(struct fuzz_bed *b)
{
	view_let_go(&b->view[0]);
	view_let_go(&b->view[1]);
	if (mount(NULL, b->mnt, NULL, MS_REMOUNT | MS_RDONLY, NULL)) {
		printf("# cannot make it read-only: %s\n", strerror(errno));
		return 1;
	}
	if (bed_compare(b))
		return 1;
	if (mount(NULL, b->mnt, NULL, MS_REMOUNT, NULL)) {
		printf("# cannot make it writable again: %s\n", strerror(errno));
		return 1;
	}
	return 0;
}

static int freeze(struct fuzz_bed *b)
{
	int fd = open(b->mnt, O_RDONLY | O_CLOEXEC), bad = 0;

	if (!ioctl(fd, FIFREEZE, 0)) {
		bad = bed_compare(b);
		if (ioctl(fd, FITHAW, 0))
			bad++;
	} else if (errno != EOPNOTSUPP) {
		printf("# cannot freeze it: %s\n", strerror(errno));
		bad++;
	}
	close(fd);
	return bad;
}

static int one(struct fuzz_bed *b, const struct op *op)
{
	switch (op->kind) {
	case OP_CROWD:
		return crowd(b, op);
	case OP_CHECK:
		return bed_compare(b);
	case OP_DROP:
		return drop_caches();
	case OP_REMOUNT:
		return bed_umount(b) || bed_mount(b) || bed_compare(b);
	case OP_READONLY:
		return readonly(b);
	case OP_FREEZE:
		return freeze(b);
	case OP_SECOND:
		return bed_second(b) || bed_compare(b);
	case OP_DEEPEN:
		return bed_deepen(b) || bed_compare(b);
	}
	return both(b, op);
}

/* The operations of a round: made up now, or those that are in it already. */
static int play(struct round *round)
{
	struct rng r = rng_seed(round->seed * 2 + 1);
	bool make_up = !round->count;
	static struct fuzz_bed b;
	int bad;

	if (bed_begin(&b, root, round->seed))
		return 2;
	for (round->done = 0; round->done < (make_up ? round->planned : round->count);
	     round->done++) {
		struct op *op = &round->op[round->done];

		if (make_up) {
			*op = random_op(&b, &r);
			round->count = round->done + 1;
		}
		alarm(HANG);
		bad = one(&b, op);
		__atomic_add_fetch(&shared->ops, 1, __ATOMIC_RELAXED);
		if (bad) {
			printf("# in operation %u: ", round->done);
			print_op(stdout, op);
			fflush(stdout);
			return 1;
		}
	}
	bad = bed_compare(&b);
	if (!bad && (bed_umount(&b) || drop_caches() || bed_mount(&b)))
		bad = 1;
	if (!bad)
		bad = bed_compare(&b);
	if (bed_end(&b))
		bad = 1;
	fflush(stdout);
	return bad != 0;
}

/* The round, in a process and a mount namespace of its own: 0 when it went well. */
static int run_round(struct round *round, bool quiet)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		if (quiet && !freopen("/dev/null", "w", stdout))
			_exit(3);
		setpgid(0, 0);
		_exit(play(round));
	}
	while (waitpid(pid, &status, 0) != pid)
		;
	kill(-pid, SIGKILL);	/* what is left of a crowd */
	if (remove_tree(root))
		return -1;
	if (WIFSIGNALED(status) && !quiet) {
		printf("# killed by signal %d (%s) in operation %u: ", WTERMSIG(status),
		       strsignal(WTERMSIG(status)), round->done);
		print_op(stdout, &round->op[round->done]);
	}
	return status;
}

static void print_round(const struct round *round)
{
	printf("# put this into a file, without the \"# \", and give it to -r:\n");
	printf("# seed %llu\n", round->seed);
	for (unsigned int i = 0; i < round->count; i++) {
		printf("# ");
		print_op(stdout, &round->op[i]);
	}
	fflush(stdout);
}

static bool fails(void *round)
{
	return run_round(round, true);
}

static int read_round(const char *path, struct round *round)
{
	FILE *f = fopen(path, "r");
	char line[256];

	if (!f) {
		fprintf(stderr, "datafuzz: cannot open %s: %s\n", path, strerror(errno));
		return -1;
	}
	while (fgets(line, sizeof(line), f)) {
		const char *p = line + strspn(line, "# ");

		if (sscanf(p, "seed %llu", &round->seed) == 1 || *p == '\n')
			continue;
		if (round->count == MAX_OPS || !parse_op(p, &round->op[round->count])) {
			fprintf(stderr, "datafuzz: %s: not an operation: %s", path, line);
			fclose(f);
			return -1;
		}
		round->count++;
	}
	fclose(f);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned long long seed = strtoull(getenv("VENEER_FUZZ_SEED") ?: "0", NULL, 0);
	unsigned int seconds = atoi(getenv("VENEER_FUZZ_SECONDS") ?: "40");
	unsigned int rounds = 0, length = 120, done = 0, failed = 0;
	const char *replay = NULL;
	bool go_on = false;
	time_t end;
	int opt;

	while ((opt = getopt(argc, argv, "s:n:t:l:r:k")) != -1) {
		switch (opt) {
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'n':
			rounds = atoi(optarg);
			break;
		case 't':
			seconds = atoi(optarg);
			break;
		case 'l':
			length = atoi(optarg);
			break;
		case 'r':
			replay = optarg;
			break;
		case 'k':
			go_on = true;
			break;
		default:
			fprintf(stderr, "usage: datafuzz [-s SEED] [-n ROUNDS] [-t SECONDS] [-l OPS] [-r FILE] [-k]\n");
			return 2;
		}
	}
	if (!seed)
		seed = (unsigned long long)time(NULL) * 1000;
	setvbuf(stdout, NULL, _IOLBF, 0);
	ksft_print_header();
	ksft_set_plan(1);
	out = calloc(2, sizeof(*out));
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (!out || shared == MAP_FAILED || (mkdir(world_dir(), 0755) && errno != EEXIST))
		ksft_exit_fail_msg("no memory, or no %s\n", world_dir());
	snprintf(root, sizeof(root), "%s/fuzz.%d", world_dir(), getpid());
	if (replay) {
		if (read_round(replay, shared))
			return 2;
		opt = run_round(shared, false);
		ksft_test_result(!opt, "the round in %s\n", replay);
		ksft_finished();
	}
	printf("# seed %llu, %u seconds\n", seed, seconds);
	end = time(NULL) + seconds;
	for (; rounds ? done < rounds : time(NULL) < end; done++) {
		shared->seed = seed + done;
		shared->planned = length < MAX_OPS ? length : MAX_OPS;
		shared->count = 0;
		if (!run_round(shared, false))
			continue;
		failed++;
		printf("# the round with -s %llu -n 1 failed, after %u operations\n",
		       seed + done, shared->done);
		if (shared->done < shared->count)
			shared->count = shared->done + 1;
		shrink(shared->op, sizeof(*shared->op), &shared->count, 60, fails, shared);
		print_round(shared);
		run_round(shared, false);
		if (!go_on)
			break;
	}
	ksft_test_result(!failed, "%u rounds from seed %llu, %llu operations\n", done, seed,
			 shared->ops);
	ksft_finished();
}
