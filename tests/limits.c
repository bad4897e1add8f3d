// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * As many names, as many links and as long names as the filesystem below takes.
 * VENEER_LIMITS=all makes 100,000 names and 65,000 links, which takes minutes in a
 * guest; by default there are a fiftieth of them.
 */
#include "testing.h"

#include <dirent.h>

#define PART (getenv("VENEER_LIMITS") ? 1 : 50)
#define MANY_NAMES (100000 / PART)
#define MANY_LINKS (65000 / PART)
#define NAME_LEN 255

FIXTURE(limits) {
	struct world w;
	char long_name[3][NAME_LEN + 1], too_long[NAME_LEN + 2];
};

FIXTURE_SETUP(limits)
{
	struct world *w = &self->w;

	for (int i = 0; i < 3; i++) {
		memset(self->long_name[i], 'a' + i, NAME_LEN);
		self->long_name[i][NAME_LEN] = 0;
	}
	memset(self->too_long, 'x', NAME_LEN + 1);
	self->too_long[NAME_LEN + 1] = 0;
	OK(world_begin(w, IN_LOWER));
	OK(put_dir(w, "d", 0755));
	OK(put_text(w, "file", "linked\n"));
	OK(put_text(w, self->long_name[0], "long\n"));
}

WORLD_TEARDOWN(limits)

static int make_names(const char *dir, int from, int to)
{
	char name[16];
	int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), ret = at < 0 ? -1 : 0;

	for (int i = from; i < to && !ret; i++) {
		snprintf(name, sizeof(name), "name%06d", i);
		ret = mknodat(at, name, S_IFREG | 0644, 0);
	}
	if (at >= 0)
		close(at);
	return ret;
}

/* Reads a directory, and removes each name as it comes if asked; how many it read. */
static long read_names(const char *path, bool remove)
{
	DIR *dir = opendir(path);
	struct dirent *de;
	long n = 0;

	while (dir && (de = readdir(dir)))
		if (de->d_name[0] == 'n' && ++n && remove &&
		    unlinkat(dirfd(dir), de->d_name, 0))
			return closedir(dir), -1;
	if (!dir || closedir(dir))
		return -1;
	return n;
}

/* A third of them below, a third in the upper from the beginning, the rest new. */
TEST_F(limits, names)
{
	const int third = MANY_NAMES / 3;
	struct world *w = &self->w;

	OK(make_names(L("d"), 0, third));
	OK(mkdir(U("d"), 0755));
	OK(make_names(U("d"), third, 2 * third));
	OK(make_names(join(w->plain, "d"), 0, 2 * third));
	w->keep_times = true;
	OK(world_mount(w));
	BOTH_OK(make_names(P("d"), 2 * third, MANY_NAMES));
	BOTH_FAIL(EEXIST, make_names(P("d"), third - 1, third));
	EXPECT_EQ(MANY_NAMES, SAME(read_names(P("d"), false)));
	OK(world_remount(w));
	EXPECT_EQ(MANY_NAMES, SAME(read_names(P("d"), true)));
	EXPECT_EQ(0, SAME(read_names(P("d"), false)));
	BOTH_OK(make_names(P("d"), 0, 10));
	BOTH_FAIL(ENOTEMPTY, unlinkat(at, "d", AT_REMOVEDIR));
	EXPECT_EQ(10, SAME(read_names(P("d"), true)));
	BOTH_OK(unlinkat(at, "d", AT_REMOVEDIR));
}

static long make_links(int at)
{
	char name[24];

	for (int i = 0; i < MANY_LINKS + 10; i++) {
		snprintf(name, sizeof(name), "d/link%05d", i);
		if (linkat(at, "file", at, name, 0))
			return errno == EMLINK ? i : -1;
	}
	return MANY_LINKS + 10;
}

TEST_F(limits, links)
{
	struct world *w = &self->w;
	struct stat st;
	long n;

	OK(world_mount(w));
	n = SAME(make_links(at));
	CHECK(n >= MANY_LINKS - 1, "%ld links", n);
	OK(fstatat(w->mfd, "d/link00000", &st, 0));
	EXPECT_EQ(n + 1, st.st_nlink);
	/* One goes, so one can come. */
	BOTH_OK(unlinkat(at, "d/link00007", 0));
	BOTH_OK(linkat(at, "d/link00008", at, "one more", 0));
	OK(fstatat(w->mfd, "one more", &st, 0));
	EXPECT_EQ(n + 1, st.st_nlink);
}

TEST_F(limits, long_names)
{
	const char *a = self->long_name[0], *b = self->long_name[1], *c = self->long_name[2];
	const char *x = self->too_long;
	struct world *w = &self->w;

	OK(world_mount(w));
	BOTH_OK(write_text(P(a), "written\n"));
	BOTH_OK(renameat(at, a, at, b));
	BOTH_OK(linkat(at, b, at, a, 0));
	BOTH_OK(mkdirat(at, c, 0755));
	BOTH_OK(unlinkat(at, a, 0));
	BOTH_OK(renameat(at, "d", at, a));
	BOTH_OK(symlinkat("file", at, join(a, b)));
	BOTH_FAIL(ENAMETOOLONG, openat(at, x, O_RDONLY));
	BOTH_FAIL(ENAMETOOLONG, openat(at, x, O_RDWR | O_CREAT, 0644));
	BOTH_FAIL(ENAMETOOLONG, mkdirat(at, x, 0755));
	BOTH_FAIL(ENAMETOOLONG, symlinkat("file", at, x));
	BOTH_FAIL(ENAMETOOLONG, mknodat(at, x, S_IFIFO | 0644, 0));
	BOTH_FAIL(ENAMETOOLONG, linkat(at, "file", at, x, 0));
	BOTH_FAIL(ENAMETOOLONG, renameat(at, "file", at, x));
	BOTH_FAIL(ENAMETOOLONG, renameat(at, a, at, x));
	BOTH_FAIL(ENAMETOOLONG, unlinkat(at, x, 0));
	BOTH_FAIL(ENAMETOOLONG, unlinkat(at, x, AT_REMOVEDIR));
}

TEST_HARNESS_MAIN
