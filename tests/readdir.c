// SPDX-License-Identifier: GPL-2.0-or-later
/* Listing directories: merged, without doubles, seekable while they change. */
#include "testing.h"

#include <dirent.h>
#include <sys/syscall.h>

#define NAMES 80

WORLD_FIXTURE(readdir);

FIXTURE_SETUP(readdir)
{
	struct world *w = &self->w;
	char path[32];

	OK(world_begin(w, variant->where));
	OK(put_dir(w, "d", 0755));
	OK(put_dir(w, "d/empty", 0755));
	for (int i = 0; i < NAMES; i++) {
		snprintf(path, sizeof(path), "d/name%03d", i);
		if (i % 10 == 3)
			OK(put_dir(w, path, 0755));
		else if (i % 10 == 4)
			OK(put_symlink(w, path, "x"));
		else if (i % 10 == 5)
			OK(put_node(w, path, S_IFIFO | 0644, 0));
		else
			OK(put_text(w, path, path));
	}
	/* Names that both levels have, and names that are hidden. */
	if (variant->where == IN_LOWER || variant->where == MERGED) {
		const char *over = variant->where == MERGED ? w->upper : w->layer[0];
		const char *under = w->layer[w->nlayers - 1];

		for (int i = 0; i < 10; i++) {
			snprintf(path, sizeof(path), "d/both%d", i);
			OK(write_text(join(under, path), "under"));
			OK(write_text(join(over, path), "over"));
			OK(write_text(join(w->plain, path), "over"));
			snprintf(path, sizeof(path), "d/hidden%d", i);
			OK(write_text(join(under, path), "hidden"));
			OK(make_whiteout(join(over, path)));
		}
	}
	OK(world_mount(w));
}

WORLD_TEARDOWN(readdir)

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All names, sorted, each followed by a slash. */
static char *names_at(int at, const char *path)
{
	static char *name[20000];
	int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;
	size_t n = 0, len = 0;
	char *all, *p;

	if (!dir)
		return NULL;
	while (n < 20000 && (de = readdir(dir))) {
		name[n] = strdup(de->d_name);
		len += strlen(name[n++]) + 1;
	}
	closedir(dir);
	qsort(name, n, sizeof(*name), by_name);
	all = p = malloc(len + 1);
	*all = 0;
	for (size_t i = 0; i < n; i++) {
		p = stpcpy(stpcpy(p, name[i]), "/");
		free(name[i]);
	}
	return all;
}

/* Listed the same, byte for byte, dots and doubles included. */
#define SAME_NAMES(path) do {						\
	char *__a = names_at(w->mfd, path);				\
	char *__b = names_at(w->pfd, path);				\
	ASSERT_NE(NULL, __a);						\
	ASSERT_NE(NULL, __b);						\
	EXPECT_STREQ(__b, __a);						\
	free(__a);							\
	free(__b);							\
} while (0)

TEST_F(readdir, names)
{
	struct world *w = &self->w;

	SAME_NAMES(".");
	SAME_NAMES("d");
	SAME_NAMES("d/empty");
	SAME_NAMES("d/name003");
}

TEST_F(readdir, after_changes)
{
	struct world *w = &self->w;

	SAME_NAMES("d");
	BOTH_OK(mkdirat(at, "d/new", 0700));
	BOTH_OK(unlinkat(at, "d/name000", 0));
	BOTH_OK(unlinkat(at, "d/name001", 0));
	SAME_NAMES("d");
	SAME_NAMES("d/new");
	BOTH_OK(symlinkat("again", at, "d/name000"));
	BOTH_OK(renameat(at, "d/name002", at, "d/moved"));
	BOTH_OK(renameat(at, "d/name003", at, "d/movedir"));
	BOTH_OK(renameat(at, "d/name010", at, "d/name011"));
	SAME_NAMES("d");
	SAME_NAMES("d/movedir");
	BOTH_OK(unlinkat(at, "d/name013", AT_REMOVEDIR));
	BOTH_OK(mkdirat(at, "d/name013", 0700));
	SAME_NAMES("d/name013");
	SAME_NAMES("d");
}

/* What is removed while it is listed is not listed twice, the rest not less. */
TEST_F(readdir, remove_all)
{
	struct world *w = &self->w;
	struct dirent *de;
	int fd, n = 0;
	DIR *dir;

	fd = OK(openat(w->mfd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	dir = fdopendir(fd);
	ASSERT_NE(NULL, dir);
	while ((de = readdir(dir))) {
		if (de->d_name[0] == '.')
			continue;
		n++;
		BOTH_OK(unlinkat(at, join("d", de->d_name),
				 de->d_type == DT_DIR ? AT_REMOVEDIR : 0));
	}
	closedir(dir);
	CHECK(n >= NAMES, "only %d were listed", n);
	SAME_NAMES("d");
	BOTH_OK(unlinkat(at, "d", AT_REMOVEDIR));
}

/*
 * telldir's places stay good: from each of them the same names follow, in the
 * same stream and in another, although names come and go that are not those.
 */
TEST_F(readdir, seek)
{
	struct world *w = &self->w;
	static char name[2 * NAMES][256];
	static long place[2 * NAMES];
	struct dirent *de;
	int n = 0;
	DIR *dir;

	dir = opendir(M("d"));
	ASSERT_NE(NULL, dir);
	while (n < 2 * NAMES && (place[n] = telldir(dir), de = readdir(dir)))
		strcpy(name[n++], de->d_name);
	for (int i = n - 1; i >= 0; i -= 7) {
		seekdir(dir, place[i]);
		de = readdir(dir);
		ASSERT_NE(NULL, de);
		EXPECT_STREQ(name[i], de->d_name);
		if (i + 1 < n) {
			de = readdir(dir);
			ASSERT_NE(NULL, de);
			EXPECT_STREQ(name[i + 1], de->d_name);
		}
	}
	/* The end is the end. */
	seekdir(dir, place[n]);
	CHECK(!readdir(dir), "names after the end");
	rewinddir(dir);
	de = readdir(dir);
	ASSERT_NE(NULL, de);
	EXPECT_STREQ(name[0], de->d_name);
	closedir(dir);
}

/*
 * A name that is there from the first readdir to the last is listed exactly
 * once, whatever else comes and goes in between, here between any two names.
 */
TEST_F(readdir, seek_with_changes)
{
	struct world *w = &self->w;
	static int seen[NAMES];
	struct dirent *de;
	char path[32];
	long place;
	int i, n = 0;
	DIR *dir;

	dir = opendir(M("d"));
	ASSERT_NE(NULL, dir);
	for (;;) {
		place = telldir(dir);
		seekdir(dir, place);
		de = readdir(dir);
		if (!de)
			break;
		if (sscanf(de->d_name, "name%d", &i) == 1)
			seen[i]++;
		/* Even ones stay; every second step, an odd one goes. */
		if (n < NAMES / 2) {
			int odd = NAMES - 1 - 2 * n;

			snprintf(path, sizeof(path), "d/new%d", n);
			BOTH_OK(symlinkat("x", at, path));
			snprintf(path, sizeof(path), "d/name%03d", odd);
			BOTH_OK(unlinkat(at, path, odd % 10 == 3 ? AT_REMOVEDIR : 0));
		}
		n++;
		ASSERT_LT(n, 10 * NAMES);
	}
	closedir(dir);
	for (i = 0; i < NAMES; i += 2)
		CHECK(seen[i] == 1, "name%03d was listed %d times", i, seen[i]);
	for (i = 1; i < NAMES; i += 2)
		CHECK(seen[i] <= 1, "name%03d was listed %d times", i, seen[i]);
	SAME_NAMES("d");
}

/* A stream that was opened before a change and rewound shows the change. */
TEST_F(readdir, rewind)
{
	struct world *w = &self->w;
	bool made = false, gone = true;
	struct dirent *de;
	DIR *dir;

	dir = opendir(M("d"));
	ASSERT_NE(NULL, dir);
	while (readdir(dir))
		;
	BOTH_OK(mkdirat(at, "d/made", 0755));
	BOTH_OK(unlinkat(at, "d/name006", 0));
	rewinddir(dir);
	while ((de = readdir(dir))) {
		made |= !strcmp(de->d_name, "made");
		gone &= !!strcmp(de->d_name, "name006");
	}
	closedir(dir);
	CHECK(made, "the new name is not listed");
	CHECK(gone, "the removed name is listed");
}

/* The end can be asked for, too; there is nothing there, and a way back. */
TEST_F(readdir, seek_to_end)
{
	struct world *w = &self->w;
	char buf[4096];
	off_t end;
	int fd;

	fd = OK(openat(w->mfd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	end = OK(lseek(fd, 0, SEEK_END));
	EXPECT_GT(end, 0);
	EXPECT_EQ(end, lseek(fd, 0, SEEK_CUR));
	EXPECT_EQ(0, syscall(SYS_getdents64, fd, buf, sizeof(buf)));
	FAILS(EINVAL, lseek(fd, 1, SEEK_END));
	EXPECT_EQ(end, lseek(fd, 0, SEEK_CUR));
	EXPECT_EQ(0, lseek(fd, 0, SEEK_SET));
	EXPECT_GT(syscall(SYS_getdents64, fd, buf, sizeof(buf)), 0);
	close(fd);
}

/* A buffer that holds one name at a time, and one that holds none. */
TEST_F(readdir, small_buffer)
{
	struct world *w = &self->w;
	char buf[64];
	int fd, n = 0;
	long ret;

	fd = OK(openat(w->mfd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	FAILS(EINVAL, syscall(SYS_getdents64, fd, buf, 8));
	while ((ret = OK(syscall(SYS_getdents64, fd, buf, 40))) > 0)
		for (char *p = buf; p < buf + ret; n++)
			p += *(unsigned short *)(p + 16);
	EXPECT_GE(n, NAMES + 3);
	EXPECT_LE(n, NAMES + 13);
	close(fd);
}

TEST_F(readdir, dots)
{
	struct world *w = &self->w;
	struct stat st, up;
	struct dirent *de;
	int found = 0;
	DIR *dir;

	OK(stat(M("d/empty"), &st));
	OK(stat(M("d"), &up));
	dir = opendir(M("d/empty"));
	ASSERT_NE(NULL, dir);
	while ((de = readdir(dir))) {
		ino_t ino = strcmp(de->d_name, ".") ? up.st_ino : st.st_ino;

		found++;
		EXPECT_EQ(DT_DIR, de->d_type);
		if (world_is_overlay())
			continue;	/* it lists the real ones here */
		EXPECT_EQ(ino, de->d_ino);
	}
	EXPECT_EQ(2, found);
	closedir(dir);
}

/* A removed directory that is still open is empty, and takes nothing. */
TEST_F(readdir, removed)
{
	struct world *w = &self->w;
	int fd, pfd, n = 0;
	DIR *dir;

	fd = OK(openat(w->mfd, "d/empty", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	pfd = OK(openat(w->pfd, "d/empty", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	BOTH_OK(unlinkat(at, "d/empty", AT_REMOVEDIR));
	dir = fdopendir(dup(fd));
	ASSERT_NE(NULL, dir);
	while (readdir(dir))
		n++;
	CHECK(n <= 2, "%d names in a removed directory", n);
	closedir(dir);
	BOTH_FAIL(ENOENT, mkdirat(at == w->mfd ? fd : pfd, "x", 0755));
	BOTH_FAIL(ENOENT, openat(at == w->mfd ? fd : pfd, "x", O_CREAT | O_RDWR, 0644));
	close(fd);
	close(pfd);
}

FIXTURE(many)
{
	struct world w;
};

FIXTURE_VARIANT(many)
{
	enum where where;
	bool from_mount;
};

FIXTURE_VARIANT_ADD(many, layer) { .where = IN_LAYER };
FIXTURE_VARIANT_ADD(many, merged) { .where = MERGED };
FIXTURE_VARIANT_ADD(many, upper) { .where = IN_UPPER };
FIXTURE_VARIANT_ADD(many, made) { .where = IN_LAYER, .from_mount = true };

#define MANY 3000

FIXTURE_SETUP(many)
{
	struct world *w = &self->w;
	char path[64];

	OK(world_begin(w, variant->where));
	w->no_compare = true;
	OK(put_dir(w, "big", 0755));
	for (int i = 0; i < MANY && !variant->from_mount; i++) {
		const char *root = variant->where == IN_UPPER ||
			(variant->where == MERGED && i % 2) ? w->upper : w->layer[0];

		snprintf(path, sizeof(path), "big/a.name.of.some.length.%d", i);
		OK(mknod(join(root, path), S_IFREG | 0644, 0));
	}
	OK(world_mount(w));
	for (int i = 0; i < MANY && variant->from_mount; i++) {
		snprintf(path, sizeof(path), "big/a.name.of.some.length.%d", i);
		OK(mknod(M(path), S_IFREG | 0644, 0));
	}
}

WORLD_TEARDOWN(many)

static int count_names(struct world *w, char *seen)
{
	DIR *dir = opendir(M("big"));
	struct dirent *de;
	int i, n = 0;

	memset(seen, 0, MANY);
	if (!dir)
		return -1;
	while ((de = readdir(dir)))
		if (sscanf(de->d_name, "a.name.of.some.length.%d", &i) == 1) {
			n++;
			seen[i]++;
		}
	closedir(dir);
	return n;
}

TEST_F(many, names)
{
	static char seen[MANY];
	struct world *w = &self->w;
	char path[64];

	for (int round = 0; round < 3; round++) {
		EXPECT_EQ(MANY, count_names(w, seen));
		for (int i = 0; i < MANY; i++)
			CHECK(seen[i] == 1, "name %d was listed %d times", i, seen[i]);
		if (round == 0)
			OK(world_remount(w));
		else
			OK(drop_caches());
	}
	/* Every third goes. */
	for (int i = 0; i < MANY; i += 3) {
		snprintf(path, sizeof(path), "big/a.name.of.some.length.%d", i);
		OK(unlinkat(w->mfd, path, 0));
	}
	EXPECT_EQ(MANY - (MANY + 2) / 3, count_names(w, seen));
	OK(world_remount(w));
	EXPECT_EQ(MANY - (MANY + 2) / 3, count_names(w, seen));
	for (int i = 0; i < MANY; i++)
		CHECK(seen[i] == !!(i % 3), "name %d was listed %d times", i, seen[i]);
}

TEST_HARNESS_MAIN
