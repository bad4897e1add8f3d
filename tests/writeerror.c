// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A disk fails in the background. Every descriptor that was open is told, as on the
 * filesystem itself, which is on the same disk; what was reported as durable is there
 * afterwards, and what failed is old or new, never other bytes.
 */
#include "testing.h"

#include <dirent.h>

#include "baddisk.h"

#define SIZE (1 << 20)
#define BLOCK 4096
#define AT (8 * BLOCK)

FIXTURE(writeerror) {
	struct world w;
	struct baddisk disk;
	char plain[WORLD_PATH];		/* on the same disk, without any stacking */
};

FIXTURE_VARIANT(writeerror) {
	bool flakey;
};

FIXTURE_VARIANT_ADD(writeerror, flakey) { .flakey = true };
FIXTURE_VARIANT_ADD(writeerror, error) { .flakey = false };

FIXTURE_SETUP(writeerror)
{
	struct world *w = &self->w;

	OK(world_begin(w, IN_LAYER));
	w->no_compare = true;
	if (baddisk_start(&self->disk, w->root, variant->flakey)) {
		if (errno != ENOENT && errno != ENODEV)
			OK(-1);
		SKIP(return, "%s", errno == ENOENT ? "this kernel has no target that fails" :
		     "a disk is ext4's or xfs's");
	}
	strcpy(w->upper, join(self->disk.mnt, "upper"));
	strcpy(w->work, join(self->disk.mnt, "work"));
	strcpy(self->plain, join(self->disk.mnt, "plain"));
	OK(mkdir(w->upper, 0755));
	OK(mkdir(w->work, 0755));
	OK(mkdir(self->plain, 0755));
	OK(put_pattern(w, "split", SIZE, 1));
}

FIXTURE_TEARDOWN(writeerror)
{
	world_umount(&self->w);
	CHECK(!baddisk_end(&self->disk), "the disk is still in use");
	FINISH(&self->w);
}

static int store_block(int fd, char byte, off_t at)
{
	char block[BLOCK];

	memset(block, byte, BLOCK);
	return pwrite(fd, block, BLOCK, at) == BLOCK ? 0 : -1;
}

static int store(int fd, char byte)
{
	return store_block(fd, byte, AT);
}

/* How a file is written, and what then makes the disk fail in the background. */
enum how { BY_WRITE, BY_MAP, NR_HOW };
enum what { BY_SYNC, BY_RANGE, BY_OTHER, NR_WHAT };

/* What each descriptor was told: of those open before, and of one opened after. */
#define TOLD 10
static const char *const told_names[TOLD] = {
	"fsync of the writer", "its fsync again", "fsync of another", "its fsync again",
	"fsync of one opened later", "its syncfs", "msync", "close of the writer",
	"fsync when all is well", "its fsync again",
};

static int told(long ret)
{
	return ret == -1 ? errno : 0;
}

static int background(const char *real, int other, enum what what)
{
	int fd, ret;

	switch (what) {
	case BY_SYNC:
		sync();
		return 0;
	case BY_RANGE:
		/* Of the real file, without a word to anybody who has it open. */
		fd = open(real, O_RDONLY | O_CLOEXEC);
		ret = sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
		usleep(60000);
		close(fd);
		return ret;
	default:
		fsync(other);
		return 0;
	}
}

static int one_error(struct baddisk *d, const char *path, const char *real, enum how how,
		     enum what what, bool mended, int got[TOLD])
{
	int fd = open(path, O_RDWR | O_CLOEXEC), second, third, later, n = 0;
	char *map;

	if (fd < 0 || store(fd, 'A') || fsync(fd))
		return -1;
	second = open(path, O_RDWR | O_CLOEXEC);
	third = open(path, O_RDWR | O_CLOEXEC);
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (second < 0 || third < 0 || map == MAP_FAILED)
		return -1;
	if (baddisk_fail(d, real))
		return -1;
	if (how == BY_MAP)
		memset(map + AT, 'B', BLOCK);
	else if (store(fd, 'B'))
		return -1;
	/* A mapping's pages first go into the upper's cache. */
	if (how == BY_MAP && what == BY_RANGE)
		sync_file_range(third, 0, 0, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
	if (background(real, third, what) || (mended && baddisk_mend(d)))
		return -1;
	later = open(path, O_RDWR | O_CLOEXEC);
	got[n++] = told(fsync(fd));
	got[n++] = told(fsync(fd));
	got[n++] = told(fsync(second));
	got[n++] = told(fsync(second));
	got[n++] = told(fsync(later));
	got[n++] = told(syncfs(later));
	got[n++] = told(msync(map, SIZE, MS_SYNC));
	if (!mended && baddisk_mend(d))
		return -1;
	munmap(map, SIZE);
	got[n++] = told(close(fd));
	got[n++] = told(fsync(second));
	got[n++] = told(fsync(second));
	close(second);
	close(third);
	close(later);
	return 0;
}

/* The blocks but one are the layer's, and that one is old or new. */
static void check_bytes(struct __test_metadata *_metadata, const char *path, char must)
{
	static unsigned char want[SIZE], got[SIZE];
	int fd = OK(open(path, O_RDONLY | O_CLOEXEC));

	fill_pattern(want, SIZE, 0, 1);
	CHECK(pread(fd, got, SIZE, 0) == SIZE, "%s: %s", path, strerror(errno));
	close(fd);
	if (got[AT] != 'B' || must)
		memset(want + AT, must ?: 'A', BLOCK);
	else
		memset(want + AT, 'B', BLOCK);
	for (int i = 0; i < SIZE; i++)
		if (got[i] != want[i]) {
			CHECK(0, "%s: byte %d is %02x, not %02x", path, i, got[i], want[i]);
			return;
		}
}

static void every_descriptor(struct __test_metadata *_metadata, FIXTURE_DATA(writeerror) *self,
			     const char *name)
{
	struct world *w = &self->w;

	for (enum how how = 0; how < NR_HOW; how++) {
		for (int i = 0; i < 2 * NR_WHAT; i++) {
			enum what what = i / 2;
			bool mended = i & 1;
			int plain[TOLD] = { }, got[TOLD] = { }, fd;
			char *real = strdup(join(self->plain, name));

			OK(one_error(&self->disk, real, real, how, what, mended, plain));
			CHECK(plain[0] || plain[2], "%d %d %d: plain is told nothing", how, what,
			      mended);
			OK(one_error(&self->disk, M(name), U(name), how, what, mended, got));
			/*
			 * Told too often is a nuisance, told too seldom is a loss; and
			 * at last it is over.
			 */
			for (int n = 0; n < TOLD; n++) {
				if (got[n] == plain[n] || (!plain[n] && n != TOLD - 1))
					continue;
				CHECK(0, "%s, %d %d %d: %s: %s, plain: %s", name, how, what, mended,
				      told_names[n], err_name(got[n]), err_name(plain[n]));
			}
			free(real);
			/* What did not get there may be old, until it is written again. */
			CHECK(!drop_caches(), "");
			check_bytes(_metadata, M(name), 0);
			fd = OK(open(M(name), O_RDWR | O_CLOEXEC));
			OK(store(fd, 'C'));
			OK(fsync(fd));
			close(fd);
			check_bytes(_metadata, M(name), 'C');
		}
	}
	OK(world_umount(w));
	OK(baddisk_remount(&self->disk));
	OK(world_mount(w));
	check_bytes(_metadata, M(name), 'C');
}

/* A copy in the plain directory, of what the layer has. */
static void put_plain(struct __test_metadata *_metadata, FIXTURE_DATA(writeerror) *self,
		      const char *name)
{
	static unsigned char bytes[SIZE];

	fill_pattern(bytes, SIZE, 0, 1);
	OK(write_file(join(self->plain, name), bytes, SIZE));
}

TEST_F(writeerror, split)
{
	put_plain(_metadata, self, "split");
	OK(world_mount(&self->w));
	every_descriptor(_metadata, self, "split");
}

TEST_F(writeerror, whole)
{
	static unsigned char bytes[SIZE];

	put_plain(_metadata, self, "whole");
	OK(world_mount(&self->w));
	fill_pattern(bytes, SIZE, 0, 1);
	OK(write_file(join(self->w.mnt, "whole"), bytes, SIZE));
	every_descriptor(_metadata, self, "whole");
}

/* The only block map that there is. */
static int find_map(struct world *w, char path[PATH_MAX])
{
	DIR *dir = opendir(U(".veneer/map"));
	struct dirent *de;
	int n = 0;

	while (dir && (de = readdir(dir)))
		if (de->d_name[0] != '.') {
			snprintf(path, PATH_MAX, "%s/%s", U(".veneer/map"), de->d_name);
			n++;
		}
	if (dir)
		closedir(dir);
	return n == 1 ? 0 : -1;
}

/* The data is there, and the disk has no room for what says so. */
TEST_F(writeerror, map)
{
	struct world *w = &self->w;
	char path[PATH_MAX], got[BLOCK], block[BLOCK];
	int fd, second;

	OK(world_mount(w));
	fd = OK(open(M("split"), O_RDWR | O_CLOEXEC));
	second = OK(open(M("split"), O_RDWR | O_CLOEXEC));
	OK(store(fd, 'A'));
	OK(fsync(fd));
	OK(find_map(w, path));
	OK(baddisk_fail(&self->disk, path));
	OK(store_block(fd, 'B', 3 * AT));
	sync();
	FAILS(EIO, fsync(fd));
	FAILS(EIO, fsync(second));
	OK(baddisk_mend(&self->disk));
	fsync(fd);
	OK(fsync(fd));
	/* Of what failed while it looked away. */
	fsync(second);
	OK(fsync(second));
	close(fd);
	close(second);
	OK(world_umount(w));
	OK(baddisk_remount(&self->disk));
	OK(world_mount(w));
	fd = OK(open(M("split"), O_RDONLY | O_CLOEXEC));
	memset(block, 'A', BLOCK);
	CHECK(pread(fd, got, BLOCK, AT) == BLOCK && !memcmp(got, block, BLOCK), "%x", got[0]);
	memset(block, 'B', BLOCK);
	CHECK(pread(fd, got, BLOCK, 3 * AT) == BLOCK && !memcmp(got, block, BLOCK), "%x", got[0]);
	close(fd);
}

TEST_HARNESS_MAIN
