// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Records and block maps that are damaged, of another version, or gone: an error
 * and a line in the log that names the file, and never other bytes.
 */
#include "testing.h"

#include <dirent.h>
#include <endian.h>
#include <stdint.h>
#include <sys/xattr.h>

#define SIZE (4 << 20)
#define BLOCK 4096
#define SPLIT_XATTR "trusted.veneer.split"

/* Where things are: Documentation/on-disk-format.rst. */
enum {
	RECORD_VERSION = 4, RECORD_SHIFT = 5, RECORD_FLAGS = 8, RECORD_CRC = 12,
	RECORD_UUID = 24, RECORD_PATH = 48,
	MAP_MAGIC = 0, MAP_VERSION = 4, MAP_SHIFT = 5, MAP_CRC = 12, MAP_BLOCKS = 16,
	MAP_UUID = 24, MAP_HEADER = 40,
};

FIXTURE(damage) {
	struct world w;
	int kmsg;
	char map[PATH_MAX];
	unsigned char record[512], saved[512];
	ssize_t record_size;
	unsigned char bits[1 << 16], saved_bits[1 << 16];
	ssize_t map_size;
};

/* The map that the upper has. */
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
	return n;
}

FIXTURE_SETUP(damage)
{
	struct world *w = &self->w;
	int fd;

	if (world_is_overlay())
		SKIP(return, "overlayfs has no block maps");
	OK(world_begin(w, IN_LAYER));
	OK(put_pattern(w, "file", SIZE, 1));
	OK(put_text(w, "other", "another file\n"));
	w->no_compare = true;
	OK(world_mount(w));
	for (int i = 0; i < 2; i++) {
		fd = OK(openat(i ? w->pfd : w->mfd, "file", O_WRONLY | O_CLOEXEC));
		OK(pwrite(fd, "changed", 7, SIZE / 2));
		OK(fsync(fd));
		close(fd);
	}
	OK(world_umount(w));
	self->record_size = OK(getxattr(U("file"), SPLIT_XATTR, self->record, 512));
	memcpy(self->saved, self->record, 512);
	ASSERT_EQ(1, find_map(w, self->map));
	fd = OK(open(self->map, O_RDONLY | O_CLOEXEC));
	self->map_size = OK(read(fd, self->bits, sizeof(self->bits)));
	close(fd);
	ASSERT_LT(BLOCK, self->map_size);
	memcpy(self->saved_bits, self->bits, sizeof(self->bits));
	self->kmsg = OK(open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
}

FIXTURE_TEARDOWN(damage)
{
	if (world_is_overlay())
		return;
	close(self->kmsg);
	FINISH(&self->w);
}

static uint32_t crc32(const unsigned char *p, size_t n)
{
	uint32_t crc = ~0u;

	while (n--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
	}
	return crc;
}

static void sign(unsigned char *p, size_t n, int at)
{
	uint32_t crc;

	memset(p + at, 0, 4);
	crc = htole32(crc32(p, n));
	memcpy(p + at, &crc, 4);
}

/* Is there a line about the file since the last look? */
static bool logged(int kmsg, const char *name)
{
	char line[2048];
	bool found = false;
	ssize_t n;

	while ((n = read(kmsg, line, sizeof(line) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		if (n < 0)
			continue;
		line[n] = 0;
		found |= strstr(line, "veneer") && strstr(line, name);
	}
	return found;
}

/* Puts the record and map there, as they are now, with these lengths. */
static int put_damage(struct __test_metadata *_metadata, FIXTURE_DATA(damage) *self,
		      ssize_t record, ssize_t map)
{
	struct world *w = &self->w;

	if (setxattr(U("file"), SPLIT_XATTR, self->record, record, 0))
		return -1;
	if (map < 0)
		return unlink(self->map) && errno != ENOENT ? -1 : 0;
	return write_file(self->map, self->bits, map);
}

/*
 * With that, the file gives one of the two errors and a line in the log, the other
 * file nothing; and all is well when it has been mended.
 */
static void refused(struct __test_metadata *_metadata, FIXTURE_DATA(damage) *self,
		    const char *what, ssize_t record, ssize_t map)
{
	struct world *w = &self->w;
	char buf[32];
	int fd, err = 0;

	OK(put_damage(_metadata, self, record, map));
	OK(world_mount(w));
	logged(self->kmsg, "file");
	fd = openat(w->mfd, "file", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || pread(fd, buf, 16, SIZE / 2) < 0)
		err = errno;
	CHECK(err == EIO || err == EUCLEAN, "%s: %s", what, err_name(err));
	CHECK(logged(self->kmsg, "file"), "%s: no line in the log names the file", what);
	if (fd >= 0)
		close(fd);
	CHECK(read_text(M("other"), buf, sizeof(buf)) == 13, "%s: another file", what);
	OK(world_umount(w));

	memcpy(self->record, self->saved, sizeof(self->record));
	memcpy(self->bits, self->saved_bits, sizeof(self->bits));
	OK(put_damage(_metadata, self, self->record_size, self->map_size));
	OK(world_mount(w));
	CHECK(!tree_compare(w->mnt, 0, w->plain, 0), "%s: when mended", what);
	OK(world_umount(w));
}

#define REFUSED(what, record, map) refused(_metadata, self, what, record, map)

TEST_F(damage, record)
{
	self->record[RECORD_UUID + 1] ^= 1;
	REFUSED("a bit has changed", self->record_size, self->map_size);
	self->record[RECORD_VERSION]++;
	sign(self->record, self->record_size, RECORD_CRC);
	REFUSED("another version", self->record_size, self->map_size);
	self->record[RECORD_FLAGS + 3] |= 0x40;
	sign(self->record, self->record_size, RECORD_CRC);
	REFUSED("an unknown flag", self->record_size, self->map_size);
	REFUSED("a short record", 30, self->map_size);
	self->record[RECORD_SHIFT] = 40;
	sign(self->record, self->record_size, RECORD_CRC);
	REFUSED("a block size that cannot be", self->record_size, self->map_size);
}

TEST_F(damage, path)
{
	ASSERT_EQ('/', self->record[RECORD_PATH]);
	self->record[RECORD_PATH + 1] = 'X';
	sign(self->record, self->record_size, RECORD_CRC);
	REFUSED("nothing below", self->record_size, self->map_size);
}

TEST_F(damage, map)
{
	REFUSED("no map", self->record_size, -1);
	REFUSED("an empty map", self->record_size, 0);
	REFUSED("a map without bits", self->record_size, BLOCK);
	REFUSED("a map that ends early", self->record_size, self->map_size - 8);
}

TEST_F(damage, map_header)
{
	self->bits[MAP_MAGIC] ^= 1;
	sign(self->bits, MAP_HEADER, MAP_CRC);
	REFUSED("no map at all", self->record_size, self->map_size);
	self->bits[MAP_VERSION]++;
	sign(self->bits, MAP_HEADER, MAP_CRC);
	REFUSED("a map of another version", self->record_size, self->map_size);
	self->bits[MAP_BLOCKS] ^= 1;
	REFUSED("a wrong checksum", self->record_size, self->map_size);
	self->bits[MAP_UUID] ^= 1;
	sign(self->bits, MAP_HEADER, MAP_CRC);
	REFUSED("another file's map", self->record_size, self->map_size);
	self->bits[MAP_SHIFT]++;
	sign(self->bits, MAP_HEADER, MAP_CRC);
	REFUSED("another block size", self->record_size, self->map_size);
}

TEST_F(damage, bits_past_the_end)
{
	uint64_t blocks;

	/* One bit fewer than the map has room for: the last one is set. */
	blocks = (self->map_size - BLOCK) * 8 - 1;
	self->bits[self->map_size - 1] |= 0x80;
	blocks = htole64(blocks);
	memcpy(self->bits + MAP_BLOCKS, &blocks, 8);
	sign(self->bits, MAP_HEADER, MAP_CRC);
	REFUSED("bits past the end", self->record_size, self->map_size);
}

TEST_HARNESS_MAIN
