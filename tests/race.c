// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Threads that change one object of a layer at the same moment, each in its own
 * way: whoever moves it to the upper first, nothing of the others is lost.
 */
#include "testing.h"

#include <pthread.h>
#include <sys/xattr.h>

#define FILES 40
#define SIZE 50000
#define THREADS 6

FIXTURE(race)
{
	struct world w;
};

FIXTURE_VARIANT(race)
{
	enum where where;
};

FIXTURE_VARIANT_ADD(race, layer) { .where = IN_LAYER };
FIXTURE_VARIANT_ADD(race, lower) { .where = IN_LOWER };

FIXTURE_SETUP(race)
{
	struct world *w = &self->w;
	char path[32];

	OK(world_begin(w, variant->where));
	for (int i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "d%d", i);
		OK(put_dir(w, path, 0755));
		snprintf(path, sizeof(path), "d%d/file", i);
		OK(put_pattern(w, path, SIZE, i));
	}
	OK(world_mount(w));
}

WORLD_TEARDOWN(race)

struct racer {
	struct world *w;
	pthread_barrier_t *start;
	int id;
	int (*run)(struct world *w, int file, int id);
	int err, at;		/* errno of the first failure, at which file */
};

static void *race(void *arg)
{
	struct racer *r = arg;

	for (int i = 0; i < FILES; i++) {
		pthread_barrier_wait(r->start);
		errno = 0;
		if (!r->err && r->run(r->w, i, r->id)) {
			r->err = errno ?: EIO;
			r->at = i;
		}
	}
	return NULL;
}

static const char *file_path(int file)
{
	static __thread char path[32];

	snprintf(path, sizeof(path), "d%d/file", file);
	return path;
}

static int write_byte(int at, int file, int id)
{
	int fd = openat(at, file_path(file), O_WRONLY | O_CLOEXEC), ret;
	char c = 'A' + id;

	if (fd < 0)
		return -1;
	ret = pwrite(fd, &c, 1, 5000 * id + 7) == 1 ? 0 : -1;
	close(fd);
	return ret;
}

/* One by each thread; all of them commute. */
static int change(struct world *w, int file, int id)
{
	int fd, ret;
	char c;

	switch (id) {
	case 0:
		return write_byte(w->mfd, file, id);
	case 1:
		if (fchmodat(w->mfd, file_path(file), 0600, 0))
			return -1;
		return write_byte(w->mfd, file, id);
	case 2:
		return fchownat(w->mfd, file_path(file), 7, 8, 0);
	case 3: {
		char path[PATH_MAX];

		/* join() is not for threads. */
		snprintf(path, sizeof(path), "%s/%s", w->mnt, file_path(file));
		return setxattr(path, "user.race", "won", 3, 0);
	}
	case 4: {
		char to[32];

		snprintf(to, sizeof(to), "d%d/linked", file);
		return linkat(w->mfd, file_path(file), w->mfd, to, 0);
	}
	case 5:
		/* A reader sees the file whole at any moment. */
		for (int i = 0; i < 20; i++) {
			fd = openat(w->mfd, file_path(file), O_RDONLY | O_CLOEXEC);
			if (fd < 0)
				return -1;
			ret = lseek(fd, 0, SEEK_END) == SIZE &&
				pread(fd, &c, 1, SIZE - 1) == 1 ? 0 : -1;
			close(fd);
			if (ret)
				return -1;
		}
		return 0;
	}
	return -1;
}

static int run_race(struct world *w, int (*run)(struct world *w, int file, int id),
		    struct racer racer[THREADS])
{
	pthread_t thread[THREADS];
	pthread_barrier_t start;

	pthread_barrier_init(&start, NULL, THREADS);
	for (int i = 0; i < THREADS; i++) {
		racer[i] = (struct racer) { .w = w, .start = &start, .id = i, .run = run };
		if (pthread_create(&thread[i], NULL, race, &racer[i]))
			abort();
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	pthread_barrier_destroy(&start);
	return 0;
}

TEST_F(race, changes)
{
	struct world *w = &self->w;
	struct racer racer[THREADS];
	char path[32];

	run_race(w, change, racer);
	for (int i = 0; i < THREADS; i++)
		CHECK(!racer[i].err, "thread %d, file %d: %s", i, racer[i].at,
		      err_name(racer[i].err));
	/* In any order it comes to this. */
	for (int i = 0; i < FILES; i++) {
		OK(write_byte(w->pfd, i, 0));
		OK(write_byte(w->pfd, i, 1));
		OK(fchmodat(w->pfd, file_path(i), 0600, 0));
		OK(fchownat(w->pfd, file_path(i), 7, 8, 0));
		OK(setxattr(join(w->plain, file_path(i)), "user.race", "won", 3, 0));
		snprintf(path, sizeof(path), "d%d/linked", i);
		OK(linkat(w->pfd, file_path(i), w->pfd, path, 0));
	}
}

/* Exactly one of several may make, remove, or move a name. */
static int claims[FILES][THREADS];

static int claim(struct world *w, int file, int id)
{
	char to[32];
	int ret, fd;

	switch (file % 4) {
	case 0:
		ret = unlinkat(w->mfd, file_path(file), 0);
		break;
	case 1:
		snprintf(to, sizeof(to), "d%d/moved%d", file, id);
		ret = renameat(w->mfd, file_path(file), w->mfd, to);
		break;
	case 2:
		snprintf(to, sizeof(to), "d%d/new", file);
		fd = openat(w->mfd, to, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
		ret = fd < 0 ? -1 : close(fd);
		break;
	default:
		/* Of the directory itself. */
		snprintf(to, sizeof(to), "d%d", file);
		ret = renameat(w->mfd, to, w->mfd, id & 1 ? "d3/x" : "d3/y");
		if (!ret || errno == EINVAL || errno == ENOTEMPTY || errno == EEXIST)
			return 0;
		break;
	}
	claims[file][id] = !ret;
	return ret && errno != ENOENT && errno != EEXIST ? -1 : 0;
}

TEST_F(race, claims)
{
	struct world *w = &self->w;
	struct racer racer[THREADS];
	struct tree before, after;

	w->no_compare = true;
	run_race(w, claim, racer);
	for (int i = 0; i < THREADS; i++)
		CHECK(!racer[i].err, "thread %d, file %d: %s", i, racer[i].at,
		      err_name(racer[i].err));
	for (int f = 0; f < FILES; f++) {
		int won = 0;

		for (int i = 0; i < THREADS; i++)
			won += claims[f][i];
		if (f % 4 != 3)
			CHECK(won == 1, "file %d (kind %d): %d succeeded", f, f % 4, won);
	}
	OK(tree_scan(&before, w->mnt, TREE_CHECK | TREE_NLINK | w->tree_flags));
	CHECK(!before.problems, "see above");
	OK(world_remount(w));
	OK(tree_scan(&after, w->mnt, TREE_CHECK | TREE_NLINK | w->tree_flags));
	CHECK(!tree_diff(&before, "the mount", &after, "a new mount"), "");
	tree_free(&before);
	tree_free(&after);
}

/* Writes what is there already: a copy-up, and no change. */
static int rewrite(int at, const char *path, int file)
{
	int fd = openat(at, path, O_WRONLY | O_CLOEXEC), ret;
	char c[8];

	if (fd < 0)
		return -1;
	fill_pattern(c, sizeof(c), 0, file);
	ret = pwrite(fd, c, sizeof(c), 0) == sizeof(c) ? 0 : -1;
	close(fd);
	return ret;
}

/* A name that goes back and forth is never missing under both. */
static int shuttle(struct world *w, int file, int id)
{
	char away[32];
	struct stat st;

	snprintf(away, sizeof(away), "d%d/away", file);
	if (id == 0) {
		for (int i = 0; i < 10; i++)
			if (renameat2(w->mfd, file_path(file), w->mfd, away, RENAME_NOREPLACE) ||
			    renameat2(w->mfd, away, w->mfd, file_path(file), RENAME_NOREPLACE))
				return -1;
		return 0;
	}
	for (int i = 0; i < 10; i++) {
		const char *path = i & 1 ? away : file_path(file);

		if (id < 3 && fchmodat(w->mfd, path, 0640 + id, 0) && errno != ENOENT)
			return -1;
		if (id == 3 && rewrite(w->mfd, path, file) && errno != ENOENT)
			return -1;
		if (fstatat(w->mfd, path, &st, 0) && errno != ENOENT)
			return -1;
	}
	return 0;
}

TEST_F(race, shuttle)
{
	struct world *w = &self->w;
	struct racer racer[THREADS];

	run_race(w, shuttle, racer);
	for (int i = 0; i < THREADS; i++)
		CHECK(!racer[i].err, "thread %d, file %d: %s", i, racer[i].at,
		      err_name(racer[i].err));
	for (int i = 0; i < FILES; i++)
		BOTH_OK(fchmodat(at, file_path(i), 0644, 0));
}

TEST_HARNESS_MAIN
