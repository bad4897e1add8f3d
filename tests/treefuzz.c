// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Random operations on a whole tree, by several users: in a mount over random
 * layers, and on a plain directory that holds the same. What every call returns
 * must be the same, what it does to the objects that it is about, and so must the
 * trees, before and after a remount, and when the upper has become a layer under
 * another one.
 *
 *	-s SEED				which operations
 *	-n OPS, or else -t SECONDS	how many
 *	-l OPS				how many in a round, which begins anew
 *	-m turns|apart			one mode only
 *	-r FILE				the round that is in the file
 *	-o FILE				where a failing round is written
 *	-w SECONDS			how long to look for a shorter one that fails
 *	-k				go on after a failure
 *
 * or VENEER_FUZZ_SEED and VENEER_FUZZ_SECONDS. A seed of 0 is a new one.
 *
 * Every user is a process. They take turns, in an order that hangs on the seed
 * alone, all on the same names; or they run at the same time, and then each is at
 * names of its own, some of them in directories that all work in: so the outcome
 * does not hang on who is first.
 *
 * A round that fails is made again with fewer operations, as long as it still fails;
 * what is left is printed, and written to a file for -r.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "actor.h"
#include "kselftest.h"
#include "layers.h"
#include "look.h"
#include "shrink.h"
#include "treegen.h"
#include "treeop.h"
#include "world.h"

#define MAX_OPS 8192
#define DEFAULT_OPS 2900	/* without an argument, of a given seed */
#define HANG 240	/* seconds in which an operation ends */
#define TURN 6		/* operations that are one actor's turn, at most */
#define APART 200	/* operations that are made at the same time */
#define REPORT 50000	/* operations after which a long run says how far it is */

enum mode { TURNS, APART_MODE, MODES };

static const char *const mode_name[MODES] = { "turns", "apart" };

/* Shared by all processes of a round. */
struct round {
	unsigned long long seed;
	enum mode mode;
	unsigned int planned, count, done;
	unsigned long long ops;	/* of all rounds */
	struct treeop op[MAX_OPS];
};

static struct round *shared;

/* What the coordinator asks of an actor. */
struct order {
	enum { RUN, LEAVE, ENTER } what;
	unsigned int from, to;
};

struct fuzz {
	struct world w;
	struct round *round;
	struct actor actor[ACTORS];
	pid_t pid[ACTORS];
	int to[ACTORS], from[ACTORS];
	const char *option[2];	/* blocksize, whole_limit */
};

static bool same_error(const struct treeop *op, int a, int b)
{
	if (a == b)
		return true;
	/* POSIX lets a file system choose between these two. */
	if ((op->kind == T_RENAME || op->kind == T_RMDIR) &&
	    (a == EEXIST || a == ENOTEMPTY) && (b == EEXIST || b == ENOTEMPTY))
		return true;
	/* A mode that cannot be, asked for with a range that cannot. */
	return op->kind == T_FALLOCATE && a == EINVAL && b == EOPNOTSUPP;
}

static void print_text(const char *where, const struct treeop_out *out)
{
	printf("#   %s: %zu bytes ", where, out->len);
	for (size_t i = 0; i < out->len && i < 200; i++)
		putchar(out->buf[i] >= ' ' && out->buf[i] < 127 ? out->buf[i] : '.');
	putchar('\n');
}

/* One operation in both places: 0, or the number of differences. */
static int both(struct fuzz *f, struct place place[2], const struct actor *actor,
		const struct treeop *op)
{
	static struct treeop_out out[2];
	unsigned int flags = LOOK_ATIME | (f->round->mode == TURNS ? 0 : LOOK_SHARED);
	const bool look = op->x & T_LOOK || op->kind == T_RENAME;
	struct looks looks[2] = { };
	int bad = 0;

	for (int i = 0; i < 2 && look; i++)
		look_before(&looks[i], &place[i], op);
	privileged(actor, false);
	for (int i = 0; i < 2; i++)
		treeop_do(&place[i], op, &out[i]);
	privileged(actor, true);
	/* Of all filesystems, ext4 has made the whiteout before it says that it cannot. */
	if (op->kind == T_RENAME && out[1].ret && treeop_rename_flags(op) & RENAME_WHITEOUT)
		look_undo(&looks[1], &place[1], op);
	for (int i = 0; i < 2 && look; i++)
		look_after(&looks[i], &place[i], op);
	__atomic_add_fetch(&f->round->ops, 1, __ATOMIC_RELAXED);
	/*
	 * What could not be opened in one of the places is of no use in the other,
	 * if it could be opened there.
	 */
	if (out[0].loose && out[0].ret < 0 &&
	    (out[1].ret >= 0 || out[1].err != out[0].err)) {
		if (place[1].fd[op->slot] >= 0)
			close(place[1].fd[op->slot]);
		place[1].fd[op->slot] = -1;
		for (int i = 0; i < 2; i++)
			free(looks[i].xattrs);
		return 0;
	}
	if (out[0].ret != out[1].ret || !same_error(op, out[0].err, out[1].err)) {
		printf("# returned %ld (%s), on plain %ld (%s)\n", out[0].ret,
		       strerror(out[0].err), out[1].ret, strerror(out[1].err));
		bad++;
	} else if (out[0].len != out[1].len || memcmp(out[0].buf, out[1].buf, out[0].len)) {
		printf("# found something else\n");
		print_text("the mount", &out[0]);
		print_text("plain", &out[1]);
		bad++;
	}
	if (look)
		bad += look_compare(&looks[0], &looks[1], op, out[1].ret < 0, flags);
	return bad;
}

/* An actor's life: orders come, and answers go: the operation that failed, or -1. */
static int serve(struct fuzz *f, unsigned int id, int in, int out)
{
	const struct actor *actor = &f->actor[id];
	struct round *round = f->round;
	struct place place[2] = { };
	struct order order;
	long answer;

	if (round->mode == APART_MODE)
		place[0].digit = place[1].digit = '0' + id;
	if (become(actor))
		return 1;
	privileged(actor, true);
	while (read(in, &order, sizeof(order)) == sizeof(order)) {
		answer = -1;
		alarm(HANG);
		switch (order.what) {
		case ENTER:
			if (place_open(&place[0], f->w.mnt) || place_open(&place[1], f->w.plain))
				return 1;
			break;
		case LEAVE:
			if (chdir("/"))
				return 1;
			place_close(&place[0]);
			place_close(&place[1]);
			break;
		case RUN:
			for (unsigned int i = order.from; i < order.to && answer < 0; i++) {
				struct treeop *op = &round->op[i];

				if (op->actor != id || op->kind >= T_ONE_KINDS ||
				    !both(f, place, actor, op))
					continue;
				answer = i;
				printf("# in operation %u, by %s (umask %03o): ", i, actor->name,
				       actor->umask);
				treeop_print(stdout, op);
			}
			break;
		}
		alarm(0);
		fflush(stdout);
		if (write(out, &answer, sizeof(answer)) != sizeof(answer))
			return 1;
	}
	return 0;
}

static int start_actors(struct fuzz *f)
{
	for (unsigned int i = 0; i < ACTORS; i++) {
		int to[2], from[2];

		if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
			return -1;
		fflush(NULL);
		f->pid[i] = fork();
		if (f->pid[i] < 0)
			return -1;
		if (!f->pid[i]) {
			/* Not the others' ends, or nobody sees them closed. */
			for (unsigned int j = 0; j < i; j++) {
				close(f->to[j]);
				close(f->from[j]);
			}
			close(to[1]);
			close(from[0]);
			close(f->w.mfd);
			_exit(serve(f, i, to[0], from[1]));
		}
		close(to[0]);
		close(from[1]);
		f->to[i] = to[1];
		f->from[i] = from[0];
	}
	return 0;
}

/* Gives an order to one actor or, with -1, to all at once: 0 when all went well. */
static int tell(struct fuzz *f, int who, struct order order)
{
	long answer;
	int bad = 0;

	for (int i = 0; i < ACTORS; i++)
		if ((who < 0 || who == i) &&
		    write(f->to[i], &order, sizeof(order)) != sizeof(order))
			return -1;
	for (int i = 0; i < ACTORS; i++) {
		if (who >= 0 && who != i)
			continue;
		if (read(f->from[i], &answer, sizeof(answer)) != sizeof(answer)) {
			printf("# the process of %s is gone\n", f->actor[i].name);
			return -1;
		}
		if (answer < 0)
			continue;
		if (!bad++ || answer < f->round->done)
			f->round->done = answer;
	}
	return bad;
}

#define CHECK_FLAGS (TREE_NLINK | TREE_SETTIMES)

static int compare_trees(struct fuzz *f, const char *when)
{
	struct tree m = { }, p = { };
	int bad = -1;

	if (!tree_scan(&m, f->w.mnt, TREE_CHECK | CHECK_FLAGS) &&
	    !tree_scan(&p, f->w.plain, CHECK_FLAGS))
		bad = tree_diff(&m, "the mount", &p, "plain") || m.problems ||
			tree_diff_links(&m, "the mount", &p, "plain");
	if (bad)
		printf("# the trees differ %s\n", when);
	tree_free(&m);
	tree_free(&p);
	return bad;
}

/* Whatever is done to the mount as a whole, it shows the same afterwards. */
static int whole(struct fuzz *f, int kind)
{
	struct tree before = { }, after = { };
	int bad;

	if (kind == T_CHECK)
		return compare_trees(f, "now");
	if (kind == T_DROP)
		return drop_caches();
	if (kind == T_DEEPEN && f->w.nlayers == WORLD_LAYERS)
		return 0;
	bad = tell(f, -1, (struct order) { .what = LEAVE }) ||
		compare_trees(f, "before a remount") ||
		tree_scan(&before, f->w.mnt, CHECK_FLAGS) ||
		(kind == T_DEEPEN ? world_deepen(&f->w) : world_remount(&f->w)) ||
		compare_trees(f, kind == T_DEEPEN ? "after the upper became a layer" :
			      "after a remount") ||
		tree_scan(&after, f->w.mnt, CHECK_FLAGS) ||
		/* Over other layers it is another filesystem. */
		(kind == T_REMOUNT && tree_diff_numbers(&before, &after)) ||
		tell(f, -1, (struct order) { .what = ENTER });
	tree_free(&before);
	tree_free(&after);
	return bad;
}

/* One operation, or as many as are made at the same time. */
static int step(struct fuzz *f)
{
	struct round *round = f->round;
	struct treeop *op = &round->op[round->done];
	struct order order = { RUN, round->done, round->done + 1 };

	if (op->kind >= T_ONE_KINDS) {
		int bad = whole(f, op->kind);

		if (bad) {
			printf("# in operation %u: ", round->done);
			treeop_print(stdout, op);
		} else {
			round->done++;
		}
		return bad;
	}
	while (order.to < round->count && round->op[order.to].kind < T_ONE_KINDS &&
	       (round->mode == APART_MODE || round->op[order.to].actor == op->actor))
		order.to++;
	if (tell(f, round->mode == APART_MODE ? -1 : (int)op->actor, order))
		return 1;
	round->done = order.to;
	return 0;
}

static int begin(struct fuzz *f, struct rng *r)
{
	static const char *const blocksize[] = { NULL, NULL, "16384", "65536" };
	static const char *const whole_limit[] = { NULL, "0", "0", "20000" };
	struct world *w = &f->w;
	unsigned int layers = 1 + rng_under(r, 3);

	choose_actors(r, f->actor);
	if (world_begin(w, IN_LOWER))
		return -1;
	/*
	 * Without atime, but what utimensat(2) sets: reading a file of a layer does
	 * not move it, which reading the same file of a plain directory would.
	 */
	w->attr = MOUNT_ATTR_NOATIME;
	if (mount(w->plain, w->plain, NULL, MS_BIND, NULL) ||
	    mount(NULL, w->plain, NULL, MS_BIND | MS_REMOUNT | MS_NOATIME, NULL)) {
		printf("# cannot mount %s on itself: %s\n", w->plain, strerror(errno));
		return -1;
	}
	while (w->nlayers < (int)layers)
		if (world_add_layer(w))
			return -1;
	w->option[0][1] = blocksize[rng_under(r, 4)];
	w->option[0][0] = w->option[0][1] ? "blocksize" : NULL;
	w->option[1][1] = whole_limit[rng_under(r, 4)];
	w->option[1][0] = w->option[1][1] ? "whole_limit" : NULL;
	if (random_layers(w, r, 40 + rng_under(r, 80), rng_under(r, 4)) || world_mount(w) ||
	    chmod(w->root, 0755))
		return -1;
	return start_actors(f) ?: tell(f, -1, (struct order) { .what = ENTER });
}

/* Operations for one actor, or for all to make at the same time. */
static void make_up_turn(struct fuzz *f, struct rng *r)
{
	const bool apart = f->round->mode == APART_MODE;
	unsigned int n = apart ? APART : 1 + rng_under(r, TURN);
	unsigned int actor = treegen_actor(r);

	while (n-- && f->round->count < f->round->planned) {
		treegen(&f->round->op[f->round->count++], r, actor, f->w.plain, apart);
		if (apart)
			actor = treegen_actor(r);
	}
}

/* The operations of a round: made up now, or those that are in it already. */
static int play(struct round *round)
{
	static struct fuzz f;
	struct rng r = rng_seed(round->seed * 2 + 1);
	bool make_up = !round->count;
	int bad;

	f.round = round;
	round->done = 0;
	if (begin(&f, &r) || compare_trees(&f, "at the start"))
		return 2;
	r = rng_seed(round->seed * 2);
	while (round->done < (make_up ? round->planned : round->count)) {
		if (make_up && round->done == round->count)
			make_up_turn(&f, &r);
		alarm(HANG);
		if (step(&f))
			return fflush(stdout), 1;
	}
	bad = whole(&f, T_REMOUNT) || tell(&f, -1, (struct order) { .what = LEAVE });
	for (int i = 0; i < ACTORS; i++) {
		int status;

		close(f.to[i]);
		close(f.from[i]);
		if (waitpid(f.pid[i], &status, 0) != f.pid[i] || status)
			bad = 1;
	}
	if (umount2(f.w.plain, MNT_DETACH) || world_end(&f.w))
		bad = 1;
	fflush(stdout);
	return bad != 0;
}

/* The round, in a process and a mount namespace of its own: 0 when it went well. */
static int run_round(struct round *round, bool quiet)
{
	char root[300];
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
	kill(-pid, SIGKILL);	/* the actors, if it did not end well */
	snprintf(root, sizeof(root), "%s/world.%d", world_dir(), pid);
	if (exists(root) && remove_tree(root))
		return -1;
	if (WIFSIGNALED(status) && !quiet)
		printf("# killed by signal %d (%s) in operation %u\n", WTERMSIG(status),
		       strsignal(WTERMSIG(status)), round->done);
	return status;
}

static bool fails(void *round)
{
	return run_round(round, true);
}

static void print_round(FILE *to, const char *prefix, const struct round *round)
{
	fprintf(to, "%sseed %llu %s\n", prefix, round->seed, mode_name[round->mode]);
	for (unsigned int i = 0; i < round->count; i++) {
		fputs(prefix, to);
		treeop_print(to, &round->op[i]);
	}
	fflush(to);
}

static void write_round(const char *path, const struct round *round)
{
	FILE *f = fopen(path, "w");

	if (!f) {
		printf("# cannot write %s: %s\n", path, strerror(errno));
		return;
	}
	print_round(f, "", round);
	fclose(f);
	printf("# written to %s\n", path);
}

/* Makes the round shorter and says what is left of it. */
static void reduce(struct round *round, unsigned int seconds, const char *output)
{
	unsigned long long ops = round->ops;

	printf("# the round of seed %llu, %s, failed after %u operations\n", round->seed,
	       mode_name[round->mode], round->done);
	if (round->done < round->count)
		round->count = round->done + 1;
	shrink(round->op, sizeof(*round->op), &round->count, seconds, fails, round);
	round->ops = ops;
	printf("# put this into a file, without the \"# \", and give it to -r:\n");
	print_round(stdout, "# ", round);
	if (output)
		write_round(output, round);
	run_round(round, false);
}

static bool parse_mode(const char *name, enum mode *mode)
{
	for (*mode = 0; *mode < MODES; ++*mode)
		if (!strcmp(mode_name[*mode], name))
			return true;
	return false;
}

static int read_round(const char *path, struct round *round)
{
	FILE *f = fopen(path, "r");
	char line[400], mode[16];

	if (!f) {
		fprintf(stderr, "treefuzz: cannot open %s: %s\n", path, strerror(errno));
		return -1;
	}
	while (fgets(line, sizeof(line), f)) {
		const char *p = line + strspn(line, "# ");

		if (*p == '\n' || (sscanf(p, "seed %llu %15s", &round->seed, mode) == 2 &&
				   parse_mode(mode, &round->mode)))
			continue;
		if (round->count == MAX_OPS || !treeop_parse(p, &round->op[round->count])) {
			fprintf(stderr, "treefuzz: %s: not an operation: %s", path, line);
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
	unsigned int seconds = atoi(getenv("VENEER_FUZZ_SECONDS") ?: "30");
	unsigned long long ops = 0, most = ~0ULL, report = REPORT;
	unsigned int length = 1500, patience = 90, done = 0, failed = 0;
	const char *replay = NULL, *output = NULL;
	enum mode only = MODES;
	bool go_on = false;
	time_t end;
	int opt;

	while ((opt = getopt(argc, argv, "s:n:t:l:m:r:o:w:k")) != -1) {
		switch (opt) {
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'n':
			ops = strtoull(optarg, NULL, 0);
			break;
		case 't':
			seconds = atoi(optarg);
			break;
		case 'l':
			length = atoi(optarg);
			break;
		case 'm':
			if (parse_mode(optarg, &only))
				break;
			/* fall through */
		default:
			fprintf(stderr, "usage: treefuzz [-s SEED] [-n OPS | -t SECONDS] [-l OPS] [-m turns|apart] [-r FILE] [-o FILE] [-w SECONDS] [-k]\n");
			return 2;
		case 'r':
			replay = optarg;
			break;
		case 'o':
			output = optarg;
			break;
		case 'w':
			patience = atoi(optarg);
			break;
		case 'k':
			go_on = true;
			break;
		}
	}
	if (seed && argc == 1)
		most = DEFAULT_OPS;
	if (!seed)
		seed = (unsigned long long)time(NULL) * 1000;
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);	/* of fifos that nobody reads */
	ksft_print_header();
	ksft_set_plan(1);
	if (world_is_overlay())
		ksft_exit_skip("overlayfs is not like a plain filesystem\n");
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (shared == MAP_FAILED)
		ksft_exit_fail_msg("no memory\n");
	if (replay) {
		if (read_round(replay, shared))
			return 2;
		opt = run_round(shared, false);
		if (opt && output)
			reduce(shared, patience, output);
		ksft_test_result(!opt, "the round in %s\n", replay);
		ksft_finished();
	}
	if (ops)
		printf("# seed %llu, %llu operations\n", seed, ops);
	else
		printf("# seed %llu, %u seconds\n", seed, seconds);
	end = time(NULL) + seconds;
	/* Of a seed that is given, the same rounds on a fast machine, as far as it gets. */
	for (; ops ? shared->ops < ops : time(NULL) < end && shared->ops < most; done++) {
		shared->seed = seed + done;
		shared->mode = only != MODES ? only : (seed + done) % 4 ? TURNS : APART_MODE;
		shared->planned = length < MAX_OPS ? length : MAX_OPS;
		shared->count = 0;
		for (; ops && shared->ops >= report; report += REPORT)
			printf("# %llu operations\n", report);
		if (!run_round(shared, false))
			continue;
		failed++;
		reduce(shared, patience, output);
		if (!go_on)
			break;
	}
	ksft_test_result(!failed, "%u rounds from seed %llu, %llu operations\n", done, seed,
			 shared->ops);
	ksft_finished();
}
