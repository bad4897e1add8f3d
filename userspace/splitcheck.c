// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Records and block maps, as module/format.h has them and the module reads them;
 * see splitcheck.h.
 */
#include "splitcheck.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/types.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <zlib.h>

#include "../module/format.h"
#include "walk.h"

#define RECORD_XATTR "trusted.veneer.split"
#define MAP_DIRECTORY VENEER_DIR_NAME "/" VENEER_MAP_DIR_NAME

enum { UUID_NAME = 37, RECORD_MAX = 65536 };

struct job {
	int maps;			/* the folder of the maps; -1: there is none */
	splitcheck_fn *tell;
	void *context;
	unsigned long *files;
	char (*used)[UUID_NAME];	/* names of the maps that files have */
	size_t used_count;
};

static void free_job(struct job *job)
{
	cleanup_fd(&job->maps);
	free(job->used);
}

/* The kernel's crc32_le(~0, ...): not inverted at the end, as zlib's is. */
static uint32_t kernel_crc(const void *bytes, size_t size)
{
	return ~(uint32_t)crc32(0, bytes, size);
}

static void name_of(const __u8 uuid[16], char name[UUID_NAME])
{
	char *to = name;

	for (int i = 0; i < 16; i++)
		to += sprintf(to, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
}

static const char *record_problem(struct veneer_split_disk *record, size_t size)
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

static uint64_t blocks_of(uint64_t bytes, unsigned shift)
{
	return (bytes >> shift) + !!(bytes & ((1ULL << shift) - 1));
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
	    blocks < blocks_of(le64toh(record->below_size), shift))
		return "its block map has too few or too many blocks";
	if ((uint64_t)size != (1ULL << shift) + (blocks + 63) / 64 * 8)
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
		if (last[(bit - first) / 8] & 1 << (bit - first) % 8)
			return "its block map has bits past its end";
	}
	return NULL;
}

static const char *map_problem(const struct job *job, const struct veneer_split_disk *record,
			       const char *name)
{
	AUTO_FD fd = job->maps < 0 ? -1 :
		openat(job->maps, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct veneer_map_disk map;
	const char *problem;
	struct stat status;

	if (fd < 0 && (job->maps < 0 || errno == ENOENT))
		return le32toh(record->flags) & VENEER_SPLIT_SAVED ? "its block map is missing" : NULL;
	if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		return "its block map cannot be read";
	if (pread(fd, &map, sizeof(map), 0) != sizeof(map))
		return "its block map has the wrong length";
	problem = header_problem(&map, record, status.st_size);
	return problem ? problem : tail_problem(fd, le64toh(map.nr_blocks), status.st_size);
}

static int note_used(struct job *job, const char *name, struct fault *fault)
{
	void *grown = reallocarray(job->used, job->used_count + 1, sizeof(*job->used));

	if (!grown)
		return fault_no_memory(fault);
	job->used = grown;
	strcpy(job->used[job->used_count++], name);
	return 0;
}

static int check_file(void *context, const struct visit *visit, struct fault *fault)
{
	struct job *job = context;
	AUTO_FREE struct veneer_split_disk *record = NULL;
	char path[FD_PATH_SIZE], name[UUID_NAME];
	const char *problem;
	ssize_t size;

	if (!strcmp(visit->path, VENEER_DIR_NAME))
		return 1;
	if (!S_ISREG(visit->status.st_mode))
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", visit->node);
	record = malloc(RECORD_MAX);
	if (!record)
		return fault_no_memory(fault);
	size = getxattr(path, RECORD_XATTR, record, RECORD_MAX);
	if (size < 0 && (errno == ENODATA || errno == EOPNOTSUPP))
		return 0;
	if (size < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot read its split record");
	++*job->files;
	problem = record_problem(record, size);
	if (!problem && le32toh(record->flags) & VENEER_SPLIT_MAP) {
		name_of(record->uuid, name);
		problem = map_problem(job, record, name);
		if (note_used(job, name, fault) < 0)
			return -1;
	}
	return problem ? job->tell(job->context, visit->path, problem, fault) : 0;
}

static bool is_used(const struct job *job, const char *name)
{
	for (size_t i = 0; i < job->used_count; i++) {
		if (!strcmp(job->used[i], name))
			return true;
	}
	return false;
}

static int check_map(void *context, const struct visit *visit, struct fault *fault)
{
	struct job *job = context;
	AUTO_FREE char *path = NULL;

	if (!*visit->path || is_used(job, visit->path))
		return 0;
	if (asprintf(&path, MAP_DIRECTORY "/%s", visit->path) < 0) {
		path = NULL;
		return fault_no_memory(fault);
	}
	return job->tell(job->context, path, "no file has this block map", fault);
}

int splitcheck(int upper, splitcheck_fn *tell, void *context, unsigned long *files,
	       struct fault *fault)
{
	CLEANUP(free_job) struct job job = {
		.maps = openat(upper, MAP_DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW),
		.tell = tell, .context = context, .files = files,
	};

	if (walk(upper, check_file, &job, fault) < 0)
		return -1;
	return job.maps < 0 ? 0 : walk(job.maps, check_map, &job, fault);
}
