// SPDX-License-Identifier: GPL-2.0-or-later
/* Records and block maps; see splitfile.h. */
#include "layer/splitfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <zlib.h>

#include "base/files.h"

enum { RECORD_MAX = 65536, MAP_CHUNK = 4096 };

/* The kernel's crc32_le(~0, ...): not inverted at the end, as zlib's is. */
static uint32_t kernel_crc(const void *bytes, size_t size)
{
	return ~(uint32_t)crc32(0, bytes, size);
}

int split_record(int node, struct veneer_split_disk **record, size_t *size)
{
	char path[FD_PATH_SIZE];
	ssize_t got;

	*record = NULL;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", node);
	/* Nearly no file has one: ask before there is room for it. */
	got = getxattr(path, SPLIT_XATTR, NULL, 0);
	if (got < 0)
		return errno == ENODATA || errno == EOPNOTSUPP ? 0 : -1;
	*record = malloc(RECORD_MAX);
	if (!*record)
		return -1;
	got = getxattr(path, SPLIT_XATTR, *record, RECORD_MAX);
	if (got < 0) {
		free(*record);
		*record = NULL;
		return -1;
	}
	*size = got;
	return 1;
}

void split_map_name(const __u8 uuid[16], char name[SPLIT_UUID_NAME])
{
	char *to = name;

	for (int i = 0; i < 16; i++)
		to += sprintf(to, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
}

int split_maps(int tree)
{
	return openat(tree, MAP_DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

const char *split_record_problem(struct veneer_split_disk *record, size_t size)
{
	uint32_t crc, flags;

	if (size < sizeof(*record) || le32toh(record->magic) != VENEER_SPLIT_MAGIC)
		return "its split record is not one";
	if (record->version != VENEER_SPLIT_VERSION)
		return "its split record is of another version";
	crc = le32toh(record->crc);
	record->crc = 0;
	if (kernel_crc(record, size) != crc)
		return "its split record has a wrong checksum";
	flags = le32toh(record->flags);
	if (flags & ~VENEER_SPLIT_FLAGS)
		return "its split record uses features that this program does not know";
	if (le32toh(record->path_len) != size - sizeof(*record) || record->path[0] != '/' ||
	    memchr(record->path, 0, size - sizeof(*record)) ||
	    le64toh(record->below_size) > INT64_MAX)
		return "its split record is damaged";
	if (flags & VENEER_SPLIT_MAP ?
	    record->block_shift < VENEER_BLOCK_SHIFT_MIN ||
	    record->block_shift > VENEER_BLOCK_SHIFT_MAX :
	    flags || record->block_shift)
		return "its split record is damaged";
	return NULL;
}

uint64_t split_blocks(uint64_t bytes, unsigned shift)
{
	return (bytes >> shift) + !!(bytes & ((1ULL << shift) - 1));
}

static size_t bitmap_bytes(uint64_t blocks)
{
	return (blocks + 63) / 64 * 8;
}

static const char *header_problem(struct veneer_map_disk *map,
				  const struct veneer_split_disk *record, off_t size)
{
	const unsigned shift = record->block_shift;
	uint64_t blocks = le64toh(map->nr_blocks);
	uint32_t crc = le32toh(map->crc);

	map->crc = 0;
	if (le32toh(map->magic) != VENEER_MAP_MAGIC)
		return "its block map is not one";
	if (map->version != VENEER_MAP_VERSION || map->flags)
		return "its block map is of another version";
	if (kernel_crc(map, sizeof(*map)) != crc)
		return "its block map has a wrong checksum";
	if (memcmp(map->uuid, record->uuid, 16) || map->block_shift != shift)
		return "its block map belongs to another file";
	if (blocks > (uint64_t)INT64_MAX >> shift ||
	    blocks < split_blocks(le64toh(record->below_size), shift))
		return "its block map has too few or too many blocks";
	if ((uint64_t)size != (1ULL << shift) + bitmap_bytes(blocks))
		return "its block map has the wrong length";
	return NULL;
}

/* Bits past the end can only be in the last eight bytes. */
static const char *tail_problem(int fd, uint64_t blocks, off_t size)
{
	unsigned char last[8];
	uint64_t first = blocks / 64 * 64;

	if (!(blocks % 64))
		return NULL;
	if (pread(fd, last, sizeof(last), size - 8) != sizeof(last))
		return "its block map cannot be read";
	for (uint64_t bit = blocks; bit < first + 64; bit++) {
		if (split_bit(last, bit - first))
			return "its block map has bits past its end";
	}
	return NULL;
}

static unsigned char *read_bits(int fd, unsigned shift, uint64_t blocks)
{
	size_t size = bitmap_bytes(blocks), at = 0;
	unsigned char *bits = malloc(size ? size : 1);

	while (bits && at < size) {
		ssize_t got = pread(fd, bits + at, size - at, ((off_t)1 << shift) + at);

		if (!got || (got < 0 && errno != EINTR)) {
			free(bits);
			return NULL;
		}
		at += got > 0 ? got : 0;
	}
	return bits;
}

/* A file that has been split and was never saved has changed nothing yet. */
static const char *empty_map(const struct veneer_split_disk *record, unsigned char **bits,
			     uint64_t *blocks)
{
	if (le32toh(record->flags) & VENEER_SPLIT_SAVED)
		return "its block map is missing";
	*blocks = split_blocks(le64toh(record->below_size), record->block_shift);
	if (bits && !(*bits = calloc(1, bitmap_bytes(*blocks) + 1)))
		return "there is not enough memory for its block map";
	return NULL;
}

const char *split_map_read(int maps, const struct veneer_split_disk *record,
			   unsigned char **bits, uint64_t *blocks)
{
	char name[SPLIT_UUID_NAME];
	struct veneer_map_disk map;
	const char *problem;
	struct stat status;
	AUTO_FD fd = -1;

	split_map_name(record->uuid, name);
	fd = maps < 0 ? -1 : openat(maps, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 && (maps < 0 || errno == ENOENT))
		return empty_map(record, bits, blocks);
	if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		return "its block map cannot be read";
	if (pread(fd, &map, sizeof(map), 0) != sizeof(map))
		return "its block map has the wrong length";
	problem = header_problem(&map, record, status.st_size);
	if (!problem)
		problem = tail_problem(fd, le64toh(map.nr_blocks), status.st_size);
	if (problem)
		return problem;
	*blocks = le64toh(map.nr_blocks);
	if (bits && !(*bits = read_bits(fd, record->block_shift, *blocks)))
		return "its block map cannot be read";
	return NULL;
}

/* Made as the module makes it, but with times that do not tell when. */
static int make_maps(int tree)
{
	static const struct timespec times[2] = { { 0, 0 }, { 0, 0 } };
	static const char *const names[] = { VENEER_DIR_NAME, MAP_DIRECTORY };

	for (size_t i = 0; i < 2; i++) {
		if (mkdirat(tree, names[i], 0700) < 0) {
			if (errno != EEXIST)
				return -1;
		} else if (fchownat(tree, names[i], 0, 0, AT_SYMLINK_NOFOLLOW) < 0 ||
			   fchmodat(tree, names[i], 0700, 0) < 0 ||
			   utimensat(tree, names[i], times, AT_SYMLINK_NOFOLLOW) < 0) {
			return -1;
		}
	}
	return split_maps(tree);
}

static int write_map(int fd, const struct split_new *split, const struct veneer_map_disk *map)
{
	size_t size = bitmap_bytes(le64toh(map->nr_blocks));
	off_t start = (off_t)1 << split->shift;

	if (write_all_at(fd, map, sizeof(*map), 0) < 0 ||
	    ftruncate(fd, start + size) < 0)
		return -1;
	/* Sparse where nothing is set. */
	for (size_t at = 0; at < size; at += MAP_CHUNK) {
		size_t length = size - at < MAP_CHUNK ? size - at : MAP_CHUNK;

		if (!all_zero(split->bits + at, length) &&
		    write_all_at(fd, split->bits + at, length, start + at) < 0)
			return -1;
	}
	return 0;
}

static int make_map(int tree, const struct split_new *split, __u8 uuid[16], struct fault *fault)
{
	static const struct timespec times[2] = { { 0, 0 }, { 0, 0 } };
	struct veneer_map_disk map = {
		.magic = htole32(VENEER_MAP_MAGIC), .version = VENEER_MAP_VERSION,
		.block_shift = split->shift,
		.nr_blocks = htole64(split_blocks(split->below_size, split->shift)),
	};
	AUTO_FD maps = make_maps(tree), fd = -1;
	char name[SPLIT_UUID_NAME];

	if (getrandom(uuid, 16, 0) != 16)
		return fault_errno(fault, EXIT_SYSTEM, errno, "no random number");
	uuid[6] = (uuid[6] & 0x0f) | 0x40;
	uuid[8] = (uuid[8] & 0x3f) | 0x80;
	memcpy(map.uuid, uuid, 16);
	map.crc = htole32(kernel_crc(&map, sizeof(map)));
	split_map_name(uuid, name);
	fd = maps < 0 ? -1 : openat(maps, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write_map(fd, split, &map) < 0 || futimens(fd, times) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot write its block map");
	return 0;
}

int split_make(int tree, int fd, const struct split_new *split, struct fault *fault)
{
	size_t length = strlen(split->path) + 1;
	size_t size = sizeof(struct veneer_split_disk) + length;
	AUTO_FREE struct veneer_split_disk *record = calloc(1, size + 1);

	if (!record)
		return fault_no_memory(fault);
	record->magic = htole32(VENEER_SPLIT_MAGIC);
	record->version = VENEER_SPLIT_VERSION;
	record->below_size = htole64(split->below_size);
	record->path_len = htole32(length);
	record->path[0] = '/';
	memcpy(record->path + 1, split->path, length - 1);
	if (split->bits) {
		record->block_shift = split->shift;
		record->flags = htole32(VENEER_SPLIT_MAP | VENEER_SPLIT_SAVED);
		if (make_map(tree, split, record->uuid, fault) < 0)
			return -1;
	}
	record->crc = htole32(kernel_crc(record, size));
	/* The first makes overlayfs refuse the file. */
	if (fsetxattr(fd, METACOPY_XATTR, "", 0, 0) < 0 ||
	    fsetxattr(fd, SPLIT_XATTR, record, size, 0) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot write its split record");
	return 0;
}
