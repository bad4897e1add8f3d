// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files that have several names in a layer: one file, whatever is done through
 * whichever name. (Links that are made in the mount: see link.c.)
 */
#include "testing.h"

#include <dirent.h>
#include <sys/xattr.h>

#define NAMES 3

static const char *const name[NAMES] = { "d/a", "d/b", "e/f/c" };

FIXTURE(hardlink) {
	struct world w;
};

FIXTURE_VARIANT(hardlink) {
	enum where where;
};

FIXTURE_VARIANT_ADD(hardlink, layer) { .where = IN_LAYER };
FIXTURE_VARIANT_ADD(hardlink, lower) { .where = IN_LOWER };

static int put_link(struct world *w, const char *from, const char *to)
{
	const char *layer = w->layer[w->nlayers - 1];

	return link(join(layer, from), join(layer, to)) ||
	       link(join(w->plain, from), join(w->plain, to)) ? -1 : 0;
}

FIXTURE_SETUP(hardlink)
{
	struct world *w = &self->w;

	/* With index=on it gets some of this right. */
	if (world_is_overlay())
		w->option[0][0] = "index", w->option[0][1] = "on";
	OK(world_begin(w, variant->where));
	OK(put_dir(w, "d", 0755));
	OK(put_dir(w, "e", 0755));
	OK(put_dir(w, "e/f", 0755));
	OK(put_dir(w, "other", 0755));
	OK(put_text(w, name[0], "one file\n"));
	for (int i = 1; i < NAMES; i++)
		OK(put_link(w, name[0], name[i]));
	OK(put_text(w, "d/single", "single\n"));
	OK(put_text(w, "d/x", "x and y\n"));
	OK(put_link(w, "d/x", "other/y"));
	OK(put_node(w, "d/fifo1", S_IFIFO | 0644, 0));
	OK(put_link(w, "d/fifo1", "other/fifo2"));
	OK(world_mount(w));
}

WORLD_TEARDOWN(hardlink)

/* These are one file with so many names in all. */
#define ONE_FILE(nlink, ...) do {					\
	const char *const __n[] = { __VA_ARGS__ };			\
	struct stat __a, __b;						\
	OK(fstatat(w->mfd, __n[0], &__a, AT_SYMLINK_NOFOLLOW));		\
	for (size_t __i = 0; __i < ARRAY_SIZE(__n); __i++) {		\
		OK(fstatat(w->mfd, __n[__i], &__b, AT_SYMLINK_NOFOLLOW));	\
		CHECK(__b.st_ino == __a.st_ino, "%s is another file than %s",	\
		      __n[__i], __n[0]);				\
		CHECK(__b.st_nlink == (nlink), "%s: %u names, not %u",	\
		      __n[__i], (unsigned int)__b.st_nlink, nlink);	\
	}								\
} while (0)

#define ALL_NAMES name[0], name[1], name[2]

static int entries(struct world *w)
{
	DIR *dir = opendir(U(".veneer/links"));
	int n = 0;

	if (!dir)
		return 0;
	for (struct dirent *de; (de = readdir(dir));)
		n += de->d_name[0] != '.';
	closedir(dir);
	return n;
}

TEST_F(hardlink, untouched)
{
	struct world *w = &self->w;

	for (int i = 0; i < 2; i++) {
		ONE_FILE(3, ALL_NAMES);
		ONE_FILE(2, "d/x", "other/y");
		ONE_FILE(2, "d/fifo1", "other/fifo2");
		OK(world_remount(w));
	}
	CHECK(entries(w) == 0, "looking made an entry");
}

/* Written through one name, read through all. */
TEST_F(hardlink, write)
{
	struct world *w = &self->w;
	char text[16];

	for (int i = 0; i < NAMES; i++) {
		snprintf(text, sizeof(text), "by name %d\n", i);
		BOTH_OK(write_text(P(name[i]), text));
		for (int round = 0; round < 3; round++) {
			ONE_FILE(3, ALL_NAMES);
			for (int j = 0; j < NAMES; j++)
				CHECK(!same_bytes(M(name[j]), text, strlen(text)),
				      "%s after a write to %s", name[j], name[i]);
			SAME_TREES(w);
			if (round == 0)
				OK(drop_caches());
			else if (round == 1)
				OK(world_remount(w));
		}
	}
	CHECK(world_is_overlay() || entries(w) == 1, "%d entries", entries(w));
}

/* What Veneer keeps in the upper is no change to the root. */
TEST_F(hardlink, root_mtime)
{
	struct world *w = &self->w;
	struct stat a, b;

	OK(fstatat(w->mfd, ".", &a, 0));
	BOTH_OK(write_text(P(name[0]), "written\n"));
	OK(fstatat(w->mfd, ".", &b, 0));
	EXPECT_EQ(a.st_mtim.tv_sec, b.st_mtim.tv_sec);
	EXPECT_EQ(a.st_mtim.tv_nsec, b.st_mtim.tv_nsec);
}

TEST_F(hardlink, metadata)
{
	struct world *w = &self->w;
	struct stat before, after;

	OK(fstatat(w->mfd, name[0], &before, 0));
	BOTH_OK(fchmodat(at, name[1], 0640, 0));
	BOTH_OK(fchownat(at, name[2], 5, 6, 0));
	BOTH_OK(setxattr(P(name[0]), "user.test", "value", 5, 0));
	BOTH_OK(fchmodat(at, "d/fifo1", 0600, 0));
	SAME_TREES(w);
	for (int i = 0; i < 3; i++) {
		ONE_FILE(3, ALL_NAMES);
		ONE_FILE(2, "d/fifo1", "other/fifo2");
		OK(fstatat(w->mfd, name[2], &after, 0));
		EXPECT_EQ(before.st_ino, after.st_ino);
		EXPECT_EQ(0640, after.st_mode & 07777);
		EXPECT_EQ(5, after.st_uid);
		if (i == 0)
			OK(drop_caches());
		else
			OK(world_remount(w));
	}
	/* The data was not copied for any of it, and now is. */
	BOTH_OK(write_text(P(name[2]), "new text\n"));
	SAME_TREES(w);
}

/* One name after the other goes; the rest stays, and counts right. */
TEST_F(hardlink, unlink)
{
	struct world *w = &self->w;

	BOTH_OK(unlinkat(at, name[1], 0));
	ONE_FILE(2, name[0], name[2]);
	SAME_TREES(w);
	OK(world_remount(w));
	ONE_FILE(2, name[0], name[2]);
	BOTH_OK(write_text(P(name[2]), "written\n"));
	SAME_TREES(w);
	BOTH_OK(unlinkat(at, name[0], 0));
	ONE_FILE(1, name[2]);
	OK(world_remount(w));
	ONE_FILE(1, name[2]);
	SAME_TREES(w);
	BOTH_OK(unlinkat(at, name[2], 0));
	BOTH_OK(unlinkat(at, "d/fifo1", 0));
	ONE_FILE(1, "other/fifo2");
	BOTH_OK(unlinkat(at, "other/fifo2", 0));
	SAME_TREES(w);
	CHECK(entries(w) == 0, "%d entries left without a name", entries(w));
	/* Names made anew have nothing to do with it. */
	BOTH_OK(write_text(P(name[0]), "another\n"));
	BOTH_OK(write_text(P(name[1]), "a third\n"));
	ONE_FILE(1, name[0]);
	ONE_FILE(1, name[1]);
}

TEST_F(hardlink, unlink_written)
{
	struct world *w = &self->w;

	for (int i = 0; i < NAMES; i++) {
		BOTH_OK(write_text(P(name[i]), "changed\n"));
		BOTH_OK(unlinkat(at, name[i], 0));
		if (i < NAMES - 1)
			ONE_FILE(NAMES - 1 - i, name[NAMES - 1]);
		SAME_TREES(w);
	}
	CHECK(entries(w) == 0, "%d entries left without a name", entries(w));
}

TEST_F(hardlink, unlink_open)
{
	struct world *w = &self->w;
	struct stat st;
	char buf[16];
	int fd;

	fd = OK(openat(w->mfd, name[0], O_RDWR | O_CLOEXEC));
	for (int i = 0; i < NAMES; i++) {
		BOTH_OK(unlinkat(at, name[i], 0));
		OK(fstat(fd, &st));
		EXPECT_EQ(NAMES - 1 - i, st.st_nlink);
	}
	EXPECT_EQ(3, OK(pwrite(fd, "ONE", 3, 0)));
	EXPECT_EQ(9, OK(pread(fd, buf, sizeof(buf), 0)));
	EXPECT_EQ(0, memcmp(buf, "ONE file\n", 9));
	FAILS(ENOENT, linkat(fd, "", w->mfd, "again", AT_EMPTY_PATH));
	close(fd);
	CHECK(entries(w) == 0, "%d entries left without a name", entries(w));
}

/* A descriptor of one name sees what is written by another. */
TEST_F(hardlink, open_before)
{
	struct world *w = &self->w;
	struct stat st;
	char buf[16];
	int fd;

	fd = OK(openat(w->mfd, name[0], O_RDONLY | O_CLOEXEC));
	BOTH_OK(write_text(P(name[2]), "by another\n"));
	EXPECT_EQ(11, OK(pread(fd, buf, sizeof(buf), 0)));
	EXPECT_EQ(0, memcmp(buf, "by another\n", 11));
	BOTH_OK(fchmodat(at, name[1], 0600, 0));
	OK(fstat(fd, &st));
	EXPECT_EQ(0600, st.st_mode & 07777);
	close(fd);
}

TEST_F(hardlink, rename)
{
	struct world *w = &self->w;

	BOTH_OK(renameat(at, name[1], at, "other/moved"));
	for (int i = 0; i < 2; i++) {
		ONE_FILE(3, name[0], "other/moved", name[2]);
		SAME_TREES(w);
		OK(world_remount(w));
	}
	BOTH_OK(write_text(P("other/moved"), "moved\n"));
	BOTH_OK(renameat(at, "e", at, "other/e"));
	ONE_FILE(3, name[0], "other/moved", "other/e/f/c");
	BOTH_OK(renameat(at, "other/e/f/c", at, "d/b"));
	ONE_FILE(3, name[0], "other/moved", "d/b");
	/* Two names of one file: nothing happens. */
	BOTH_OK(renameat(at, "d/b", at, name[0]));
	ONE_FILE(3, name[0], "other/moved", "d/b");
	BOTH_OK(renameat(at, "d/x", at, "other/y"));
	ONE_FILE(2, "d/x", "other/y");
	SAME_TREES(w);
}

TEST_F(hardlink, rename_over)
{
	struct world *w = &self->w;

	BOTH_OK(renameat(at, "d/single", at, name[0]));
	ONE_FILE(2, name[1], name[2]);
	SAME_TREES(w);
	OK(world_remount(w));
	SAME_TREES(w);
	BOTH_OK(renameat(at, "d/x", at, name[1]));
	ONE_FILE(1, name[2]);
	ONE_FILE(2, name[1], "other/y");
	SAME_TREES(w);
	BOTH_OK(renameat(at, "other/y", at, name[2]));
	ONE_FILE(2, name[1], name[2]);
	CHECK(world_is_overlay() || entries(w) == 1, "%d entries", entries(w));
}

TEST_F(hardlink, exchange)
{
	struct world *w = &self->w;

	BOTH_OK(renameat2(at, name[0], at, "other/y", RENAME_EXCHANGE));
	for (int i = 0; i < 2; i++) {
		ONE_FILE(3, "other/y", name[1], name[2]);
		ONE_FILE(2, "d/x", name[0]);
		SAME_TREES(w);
		OK(world_remount(w));
	}
	BOTH_OK(renameat2(at, name[1], at, name[2], RENAME_EXCHANGE));
	BOTH_OK(renameat2(at, name[2], at, "d", RENAME_EXCHANGE));
	ONE_FILE(3, "d", "other/y", "e/f/c/b");
}

TEST_F(hardlink, new_link)
{
	struct world *w = &self->w;

	BOTH_OK(linkat(at, name[1], at, "other/new", 0));
	ONE_FILE(4, ALL_NAMES, "other/new");
	SAME_TREES(w);
	OK(world_remount(w));
	BOTH_OK(linkat(at, "other/new", at, "newer", 0));
	BOTH_OK(unlinkat(at, name[0], 0));
	BOTH_OK(linkat(at, name[2], at, name[0], 0));
	ONE_FILE(5, ALL_NAMES, "other/new", "newer");
	SAME_TREES(w);
}

/* Removing a directory with some of the names in it. */
TEST_F(hardlink, directory_goes)
{
	struct world *w = &self->w;

	BOTH_OK(unlinkat(at, name[2], 0));
	BOTH_OK(unlinkat(at, "e/f", AT_REMOVEDIR));
	BOTH_OK(unlinkat(at, "e", AT_REMOVEDIR));
	ONE_FILE(2, name[0], name[1]);
	BOTH_OK(mkdirat(at, "e", 0755));
	BOTH_OK(linkat(at, name[0], at, "e/back", 0));
	ONE_FILE(3, name[0], name[1], "e/back");
}

TEST_F(hardlink, upper_becomes_layer)
{
	struct world *w = &self->w;
	struct stat st;

	if (world_is_overlay())
		SKIP(return, "overlayfs has no index in a layer");
	BOTH_OK(write_text(P(name[1]), "in the first\n"));
	BOTH_OK(fchmodat(at, "d/x", 0600, 0));
	BOTH_OK(linkat(at, name[1], at, "other/new", 0));
	OK(world_deepen(w));
	ONE_FILE(4, ALL_NAMES, "other/new");
	ONE_FILE(2, "d/x", "other/y");
	SAME_TREES(w);
	/* Each layer's own name is written by another name now. */
	BOTH_OK(write_text(P(name[2]), "in the second\n"));
	BOTH_OK(unlinkat(at, "other/y", 0));
	ONE_FILE(4, ALL_NAMES, "other/new");
	ONE_FILE(1, "d/x");
	SAME_TREES(w);
	OK(world_remount(w));
	SAME_TREES(w);
	BOTH_OK(unlinkat(at, name[1], 0));
	OK(world_deepen(w));
	ONE_FILE(3, name[0], name[2], "other/new");
	ONE_FILE(1, "d/x");
	SAME_TREES(w);
	BOTH_OK(fchownat(at, name[0], 9, 9, 0));
	BOTH_OK(write_text(P("d/x"), "alone\n"));
	OK(fstatat(w->mfd, name[2], &st, 0));
	EXPECT_EQ(9, st.st_uid);
	OK(world_remount(w));
	ONE_FILE(3, name[0], name[2], "other/new");
	BOTH_OK(unlinkat(at, name[0], 0));
	BOTH_OK(unlinkat(at, name[2], 0));
	BOTH_OK(unlinkat(at, "other/new", 0));
	CHECK(entries(w) == 0, "%d entries left without a name", entries(w));
}

/* The upper has none of the names: only the entry, by which they stay together. */
TEST_F(hardlink, nameless_becomes_layer)
{
	struct world *w = &self->w;

	BOTH_OK(unlinkat(at, name[1], 0));
	OK(world_deepen(w));
	ONE_FILE(2, name[0], name[2]);
	SAME_TREES(w);
	BOTH_OK(write_text(P(name[2]), "written\n"));
	ONE_FILE(2, name[0], name[2]);
	SAME_TREES(w);
	OK(world_remount(w));
	ONE_FILE(2, name[0], name[2]);
	BOTH_OK(unlinkat(at, name[0], 0));
	OK(world_deepen(w));
	ONE_FILE(1, name[2]);
	SAME_TREES(w);
}

/* What a crash can leave: the entry without the name that it was made for. */
TEST_F(hardlink, name_not_made)
{
	struct world *w = &self->w;

	if (world_is_overlay())
		SKIP(return, "about Veneer's own files");
	BOTH_OK(write_text(P(name[1]), "written\n"));
	OK(world_umount(w));
	OK(unlink(U(name[1])));
	OK(world_mount(w));
	/* The record says that the link was made, so one name is missing. */
	ONE_FILE(2, ALL_NAMES);
	EXPECT_EQ(0, same_bytes(M(name[1]), "written\n", 8));
	EXPECT_EQ(0, same_bytes(M(name[0]), "written\n", 8));
	w->no_compare = true;
}

/* ... and the entry of a file whose last name is gone. */
TEST_F(hardlink, entry_left_over)
{
	struct world *w = &self->w;
	struct dirent *de;
	char path[PATH_MAX] = "";
	DIR *dir;

	if (world_is_overlay())
		SKIP(return, "about Veneer's own files");
	BOTH_OK(renameat(at, name[0], at, "one"));
	BOTH_OK(renameat(at, name[1], at, "two"));
	BOTH_OK(renameat(at, name[2], at, "three"));
	dir = opendir(U(".veneer/links"));
	ASSERT_NE(NULL, dir);
	while ((de = readdir(dir)))
		if (de->d_name[0] != '.')
			snprintf(path, sizeof(path), "%s/%s", U(".veneer/links"),
				 de->d_name);
	closedir(dir);
	OK(world_umount(w));
	OK(unlink(U("one")));
	OK(unlink(U("two")));
	OK(unlink(U("three")));
	OK(unlinkat(w->pfd, "one", 0));
	OK(unlinkat(w->pfd, "two", 0));
	OK(unlinkat(w->pfd, "three", 0));
	OK(world_mount(w));
	SAME_TREES(w);
	/* The next one that is made clears it away. */
	CHECK(exists(path), "the test has not made what it is about");
	BOTH_OK(fchmodat(at, "d/x", 0600, 0));
	CHECK(!exists(path), "still there");
	CHECK(entries(w) == 1, "%d entries", entries(w));
}

/* A copy of an upper by a tool that does not keep hard links. */
TEST_F(hardlink, copied_apart)
{
	struct world *w = &self->w;
	struct stat st;

	if (world_is_overlay())
		SKIP(return, "about Veneer's own files");
	BOTH_OK(write_text(P(name[1]), "written\n"));
	OK(world_umount(w));
	OK(rename(U(name[1]), U("d/tmp")));
	OK(write_text(U(name[1]), "copied\n"));
	OK(unlink(U("d/tmp")));
	OK(world_mount(w));
	EXPECT_EQ(0, same_bytes(M(name[1]), "copied\n", 7));
	OK(fstatat(w->mfd, name[1], &st, 0));
	EXPECT_EQ(1, st.st_nlink);
	OK(fstatat(w->mfd, name[0], &st, 0));
	OK(unlinkat(w->mfd, name[1], 0));
	OK(unlinkat(w->mfd, name[0], 0));
	w->no_compare = true;
}

/* Without an upper. */
TEST_F(hardlink, read_only)
{
	struct world *w = &self->w;

	OK(world_umount(w));
	w->no_upper = true;
	w->option[0][0] = NULL;
	OK(world_mount(w));
	ONE_FILE(3, ALL_NAMES);
	FAILS(EROFS, fchmodat(w->mfd, name[0], 0600, 0));
}

/* Two processes at once, by different names. */
TEST_F(hardlink, at_once)
{
	struct world *w = &self->w;
	pid_t child[NAMES];
	struct stat st;
	int status;

	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < NAMES; i++) {
			fflush(NULL);
			child[i] = fork();
			if (!child[i])
				_exit(fchmodat(w->mfd, name[i], 0600 + i, 0) ||
				      write_text(M(name[i]), "the same\n"));
		}
		for (int i = 0; i < NAMES; i++) {
			OK(waitpid(child[i], &status, 0));
			EXPECT_EQ(0, status);
		}
		ONE_FILE(3, ALL_NAMES);
		CHECK(world_is_overlay() || entries(w) == 1, "%d entries",
		      entries(w));
		/* Once more from the start, with cold caches in every other round. */
		OK(world_umount(w));
		OK(remove_tree(w->upper));
		OK(mkdir(w->upper, 0755));
		if (round & 1)
			OK(drop_caches());
		OK(world_mount(w));
	}
	OK(fstatat(w->mfd, name[0], &st, 0));
	EXPECT_EQ(0644, st.st_mode & 07777);
}

/*
 * Symbolic links. Whoever reads one by the first name moves the atime of both,
 * which the world takes for a change of the layer: so it is in the future.
 */
PLAIN_FIXTURE(hardlink_symlink);

FIXTURE_SETUP(hardlink_symlink)
{
	const struct timespec times[2] = { { 2000000000, 0 }, { 1000000000, 0 } };
	struct world *w = &self->w;

	OK(world_begin(w, IN_LAYER));
	w->keep_times = true;
	OK(put_symlink(w, "one", "target"));
	OK(put_link(w, "one", "two"));
	OK(utimensat(AT_FDCWD, L("one"), times, AT_SYMLINK_NOFOLLOW));
	OK(utimensat(w->pfd, "one", times, AT_SYMLINK_NOFOLLOW));
	OK(world_mount(w));
}

WORLD_TEARDOWN(hardlink_symlink)

TEST_F(hardlink_symlink, all)
{
	struct world *w = &self->w;

	if (world_is_overlay())
		SKIP(return, "overlayfs parts them when index is off");
	ONE_FILE(2, "one", "two");
	BOTH_OK(fchownat(at, "two", 7, 8, AT_SYMLINK_NOFOLLOW));
	ONE_FILE(2, "one", "two");
	SAME_TREES(w);
	OK(world_remount(w));
	BOTH_OK(renameat(at, "one", at, "three"));
	ONE_FILE(2, "three", "two");
	SAME_TREES(w);
	BOTH_OK(unlinkat(at, "two", 0));
	ONE_FILE(1, "three");
}

TEST_HARNESS_MAIN
