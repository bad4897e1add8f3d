// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * st_blocks: what is stored of a file counts, wherever it is.  A program that
 * archives believes it, and so does one that adds up what a tree takes.
 */
#include "testing.h"

#include <dirent.h>
#include <linux/fs.h>

#define BIG (1 << 20)

PLAIN_FIXTURE(blocks);

FIXTURE_SETUP(blocks)
{
	struct world *w = &self->w;

	OK(world_begin(w, IN_LAYER));
	OK(put_dir(w, "d", 0755));
	OK(put_text(w, "d/hole", ""));
	OK(truncate(L("d/hole"), BIG));
	OK(truncate(join(w->plain, "d/hole"), BIG));
	OK(put_pattern(w, "d/full", BIG, 1));
	OK(put_text(w, "d/some", "at the start\n"));
	for (int i = 0; i < 2; i++) {
		const char *path = join(i ? w->plain : w->layer[0], "d/some");

		OK(truncate(path, BIG));
		OK(store_at(path, "in the middle", 13, BIG / 2));
	}
	OK(world_mount(w));
}

WORLD_TEARDOWN(blocks)

static long blocks(const char *path)
{
	struct stat st;

	return stat(path, &st) ? -1 : (long)st.st_blocks;
}

/*
 * What "tar -S" puts into an archive: it asks for the blocks first, and then for
 * the data. 0 if that is what the file holds.
 */
static int archived(const char *path)
{
	static char is[BIG], got[BIG];
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret = -1;
	off_t at = 0, end;
	struct stat st;

	memset(got, 0, sizeof(got));
	if (fd < 0 || fstat(fd, &st))
		goto out;
	if (st.st_blocks * 512 >= st.st_size) {
		ret = 0;
		goto out;
	}
	while (st.st_blocks && (at = lseek(fd, at, SEEK_DATA)) >= 0) {
		end = lseek(fd, at, SEEK_HOLE);
		if (end <= at || pread(fd, got + at, end - at, at) != end - at)
			goto out;
		at = end;
	}
	if (pread(fd, is, sizeof(is), 0) == st.st_size)
		ret = !!memcmp(is, got, st.st_size);
out:
	close(fd);
	return ret;
}

static long disk_usage(const char *root)
{
	DIR *dir = opendir(root);
	struct dirent *de;
	long sum = 0;

	while (dir && (de = readdir(dir)))
		if (de->d_type == DT_REG)
			sum += blocks(join(root, de->d_name));
	if (dir)
		closedir(dir);
	return sum;
}

static const char *const file[] = { "d/hole", "d/full", "d/some" };

#define ARCHIVED(w) do {						\
	for (size_t __i = 0; __i < ARRAY_SIZE(file); __i++) {		\
		int __a = archived(join((w)->mnt, file[__i]));		\
		CHECK(!__a, "%s, %s of %ld blocks: %s", __func__,	\
		      file[__i], blocks(join((w)->mnt, file[__i])),	\
		      __a < 0 ? "cannot be archived" : "other bytes are archived"); \
	}								\
} while (0)

static int write_durably(int at, const char *path, const char *text, off_t off)
{
	int len = strlen(text), fd = openat(at, path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || pwrite(fd, text, len, off) != len || fsync(fd))
		return -1;
	return close(fd);
}

/* In the upper, and in every layer that this was the upper of. */
#define COUNTS(w, rel) do {						\
	long __sum = blocks(join((w)->upper, rel)), __n;		\
	if (__sum < 0)							\
		__sum = 0;						\
	for (int __l = 0; __l < (w)->nlayers; __l++) {			\
		long __b = blocks(join((w)->layer[__l], rel));		\
		__sum += __b > 0 ? __b : 0;				\
	}								\
	__n = blocks(join((w)->mnt, rel));				\
	CHECK(__n == __sum, "%s: %ld blocks, %ld are stored", rel, __n, __sum); \
} while (0)

/* Written, committed, written again, five deep. */
TEST_F(blocks, chain)
{
	struct world *w = &self->w;
	char text[32];

	if (world_is_overlay())
		SKIP(return, "overlayfs: has no split files");
	ARCHIVED(w);
	for (int i = 0; i < 5; i++) {
		snprintf(text, sizeof(text), "written %d", i);
		for (size_t f = 0; f < ARRAY_SIZE(file); f++) {
			BOTH_OK(write_durably(at, file[f], text, 70000 * (i + 1)));
			COUNTS(w, file[f]);
		}
		ARCHIVED(w);
		OK(world_remount(w));
		ARCHIVED(w);
		for (size_t f = 0; f < ARRAY_SIZE(file); f++)
			COUNTS(w, file[f]);
		OK(world_deepen(w));
		ARCHIVED(w);
		for (size_t f = 0; f < ARRAY_SIZE(file); f++)
			COUNTS(w, file[f]);
		CHECK(disk_usage(M("d")) >= disk_usage(join(w->plain, "d")),
		      "%ld blocks, %ld on a plain directory",
		      disk_usage(M("d")), disk_usage(join(w->plain, "d")));
	}
}

/* Changed metadata is no data, over one layer or over several. */
TEST_F(blocks, metadata)
{
	struct world *w = &self->w;
	long n[ARRAY_SIZE(file)];

	for (int i = 0; i < 3; i++) {
		for (size_t f = 0; f < ARRAY_SIZE(file); f++) {
			n[f] = blocks(M(file[f]));
			BOTH_OK(fchmodat(at, file[f], 0600 + i, 0));
			CHECK(blocks(M(file[f])) == n[f], "%s: %ld blocks, were %ld",
			      file[f], blocks(M(file[f])), n[f]);
		}
		ARCHIVED(w);
		OK(world_remount(w));
		for (size_t f = 0; f < ARRAY_SIZE(file); f++)
			EXPECT_EQ(n[f], blocks(M(file[f])));
		if (world_is_overlay())
			break;
		if (i == 1)
			BOTH_OK(write_durably(at, "d/hole", "data", 123456));
		OK(world_deepen(w));
		for (size_t f = i == 1; f < ARRAY_SIZE(file); f++)
			EXPECT_EQ(n[f], blocks(M(file[f])));
		ARCHIVED(w);
	}
}

/* What was stored through a mapping, and is not in the upper yet. */
TEST_F(blocks, mapping)
{
	struct world *w = &self->w;

	for (int i = 0; i < 2; i++) {
		const char *path = join(i ? w->plain : w->mnt, "d/hole");
		int fd = OK(open(path, O_RDWR | O_CLOEXEC));
		char *map = mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		ASSERT_NE(MAP_FAILED, map);
		EXPECT_EQ(0, blocks(path));
		memcpy(map + 200000, "stored", 6);
		CHECK(blocks(path) > 0, "%s has no blocks", path);
		EXPECT_EQ(0, archived(path));
		OK(fsync(fd));
		CHECK(blocks(path) > 0, "%s has no blocks", path);
		munmap(map, BIG);
		close(fd);
	}
}

/* What was cut off takes no room that is this file's. */
TEST_F(blocks, cut)
{
	struct world *w = &self->w;

	for (int i = 0; i < 2; i++) {
		BOTH_OK(truncate(P("d/full"), BIG / 4));
		CHECK(blocks(M("d/full")) * 512 <= BIG / 2, "%ld blocks of %d bytes",
		      blocks(M("d/full")), BIG / 4);
		ARCHIVED(w);
		if (!i)
			OK(world_remount(w));
	}
	BOTH_OK(truncate(P("d/full"), 0));
	EXPECT_EQ(0, archived(M("d/full")));
	CHECK(blocks(M("d/full")) <= 8, "%ld blocks of nothing", blocks(M("d/full")));
}

/* However it is asked, and when it is not asked at all. */
TEST_F(blocks, statx)
{
	struct world *w = &self->w;
	static const int flags[] = { 0, AT_STATX_FORCE_SYNC, AT_STATX_DONT_SYNC };
	struct statx stx;

	BOTH_OK(write_durably(at, "d/hole", "data", 123456));
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		OK(statx(w->mfd, "d/hole", flags[i], STATX_BLOCKS, &stx));
		CHECK(stx.stx_mask & STATX_BLOCKS, "flags %x", flags[i]);
		EXPECT_EQ(blocks(M("d/hole")), (long)stx.stx_blocks);
		OK(statx(w->mfd, "d/hole", flags[i], STATX_SIZE, &stx));
		EXPECT_EQ(BIG, (long)stx.stx_size);
	}
}

TEST_HARNESS_MAIN
