// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files that the module keeps open for itself: a few, however many it has used; they
 * are closed under pressure, and when the mount goes.
 */
#include "testing.h"

#define FILES 300
#define LARGE 40
#define LARGE_SIZE (1 << 20)
/* As many as there is room for. */
#define MOST 64

PLAIN_FIXTURE(kept);

FIXTURE_SETUP(kept)
{
	struct world *w = &self->w;
	char name[32];

	OK(world_begin(w, IN_LAYER));
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "small%d", i);
		OK(put_text(w, name, "some text\n"));
	}
	for (int i = 0; i < LARGE; i++) {
		snprintf(name, sizeof(name), "large%d", i);
		OK(put_pattern(w, name, LARGE_SIZE, i));
	}
	w->option[0][0] = "whole_limit";
	w->option[0][1] = "64K";
	if (world_is_overlay())
		w->option[0][0] = NULL;
}

WORLD_TEARDOWN(kept)

static long number(const char *path)
{
	char text[64] = "";

	return read_text(path, text, sizeof(text)) < 0 ? -1 : atol(text);
}

#define OPEN_FILES number("/proc/sys/fs/file-nr")
#define KEPT number("/sys/fs/veneer/kept_files")

static const char *nth(const char *in, const char *what, int i)
{
	char name[32];

	snprintf(name, sizeof(name), "%s%d", what, i);
	return join(in, name);
}

/* Copied up whole, and changed in part: the module reads from below for both. */
static void change_all(struct __test_metadata *_metadata, struct world *w)
{
	for (int i = 0; i < FILES; i++)
		BOTH_OK(store_at(nth(in, "small", i), "other", 5, 0));
	for (int i = 0; i < LARGE; i++)
		BOTH_OK(store_at(nth(in, "large", i), "other", 5, 5000));
}

/* Pages of split files are read from both. */
static void map_all(struct __test_metadata *_metadata, struct world *w)
{
	for (int i = 0; i < LARGE; i++) {
		int fd = OK(open(nth(w->mnt, "large", i), O_RDWR | O_CLOEXEC));
		volatile char *page = mmap(NULL, LARGE_SIZE, PROT_READ, MAP_SHARED, fd, 0);

		ASSERT_NE(MAP_FAILED, page);
		CHECK(page[5000] == 'o', "");
		(void)page[100000];
		munmap((void *)page, LARGE_SIZE);
		close(fd);
	}
}

TEST_F(kept, few)
{
	struct world *w = &self->w;
	long before;

	OK(world_mount(w));
	before = OPEN_FILES;
	change_all(_metadata, w);
	map_all(_metadata, w);
	CHECK(OPEN_FILES < before + FILES / 3, "open files: %ld before, %ld now", before,
	      OPEN_FILES);
	if (!world_is_overlay()) {
		CHECK(KEPT > 0 && KEPT <= MOST, "%ld", KEPT);
		/* No other mount is there. */
		OK(world_umount(w));
		CHECK(KEPT == 0, "%ld after the unmount", KEPT);
		OK(world_mount(w));
	}
	SAME_TREES(w);
}

/* When memory is short, or said to be. */
TEST_F(kept, pressure)
{
	struct world *w = &self->w;

	if (world_is_overlay())
		SKIP(return, "overlayfs keeps none");
	OK(world_mount(w));
	change_all(_metadata, w);
	sync();
	map_all(_metadata, w);
	CHECK(KEPT > 0, "%ld", KEPT);
	/* Asked for once they count as used; closed in the background. */
	for (int i = 0; i < 100 && KEPT; i++) {
		OK(drop_caches());
		usleep(10000);
	}
	CHECK(KEPT == 0, "%ld", KEPT);
	map_all(_metadata, w);
	SAME_TREES(w);
}

TEST_HARNESS_MAIN
