// SPDX-License-Identifier: GPL-2.0-or-later
/* Equal files share their blocks; see twins.h. */
#include "store/twins.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <search.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/files.h"

/* Less than a block is not shared, and what one block saves is hardly worth a search. */
enum { SMALLEST = 8192, PIECE = 16 << 20 };

struct twin {
	uint64_t size;
	uint32_t checksum;
	char path[];		/* from the store's root */
};

static int compare(const void *a, const void *b)
{
	const struct twin *left = a, *right = b;

	if (left->size != right->size)
		return left->size < right->size ? -1 : 1;
	return left->checksum < right->checksum ? -1 : left->checksum > right->checksum;
}

/* The first of several equal ones is enough. */
static int add(struct twins *twins, const char *prefix, const char *path, uint64_t size,
	       uint32_t checksum, struct fault *fault)
{
	struct twin *twin = malloc(sizeof(*twin) + strlen(prefix) + strlen(path) + 2), **found;

	if (!twin)
		return fault_no_memory(fault);
	twin->size = size;
	twin->checksum = checksum;
	sprintf(twin->path, "%s/%s", prefix, path);
	found = tsearch(twin, &twins->tree, compare);
	if (!found || *found != twin)
		free(twin);
	return found ? 0 : fault_no_memory(fault);
}

static int read_list(struct twins *twins, const char *id, struct fault *fault)
{
	AUTO_FREE char *entry = NULL, *prefix = NULL;
	AUTO_FREE char *path = store_path(twins->store, STORE_LAYER, id, CONTENTS);
	size_t room = 0;
	FILE *list;
	int fd, result = 0;

	if (!path || asprintf(&prefix, "layers/%s/tree", id) < 0) {
		prefix = NULL;
		return fault_no_memory(fault);
	}
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	list = fd < 0 ? NULL : fdopen(fd, "r");
	/* One that has none, or has gone, has nothing to offer. */
	if (!list)
		return 0;
	while (!result && getdelim(&entry, &room, '\0', list) > 0) {
		unsigned long long size;
		unsigned checksum;
		int at = 0;

		if (sscanf(entry, "%llx %x %n", &size, &checksum, &at) == 2 && at)
			result = add(twins, prefix, entry + at, size, checksum, fault);
	}
	fclose(list);
	return result;
}

/* Whether a file can be cloned here is found out by cloning one. */
static bool can_share(int directory)
{
	AUTO_FD one = openat(directory, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	AUTO_FD other = openat(directory, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	static const char block[4096];

	return one >= 0 && other >= 0 && !write_all(one, block, sizeof(block)) &&
	       !ioctl(other, FICLONE, one);
}

int twins_open(struct twins *twins, struct store *store, struct staging *staging,
	       struct fault *fault)
{
	CLEANUP(cleanup_dir) DIR *stream =
		names_open(openat(store->kinds[STORE_LAYER], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	const char *name;

	twins->store = store;
	twins->staging = staging;
	if (!stream)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot read \"layers\"");
	twins->possible = can_share(staging->fd);
	while (twins->possible && (name = names_next(stream))) {
		if (*name != '.' && read_list(twins, name, fault) < 0)
			return -1;
	}
	return 0;
}

int twins_begin_layer(struct twins *twins, int object, const char *id, struct fault *fault)
{
	char *prefix;
	int fd;

	if (!twins->possible)
		return 0;
	fd = openat(object, CONTENTS, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	twins->list = fd < 0 ? NULL : fdopen(fd, "w");
	if (asprintf(&prefix, "staging/%s/%s/tree", twins->staging->name, id) < 0)
		prefix = NULL;
	twins->prefix = prefix;
	return twins->list && prefix ? 0 :
		fault_errno(fault, EXIT_SYSTEM, errno, "cannot make the list of a layer's files");
}

int twins_end_layer(struct twins *twins, struct fault *fault)
{
	FILE *list = twins->list;

	twins->list = NULL;
	free((char *)twins->prefix);
	twins->prefix = NULL;
	if (!list)
		return 0;
	return fclose(list) ? fault_errno(fault, EXIT_SYSTEM, errno,
					  "cannot write the list of a layer's files") : 0;
}

void twins_close(struct twins *twins)
{
	if (twins->list)
		fclose(twins->list);
	free((char *)twins->prefix);
	tdestroy(twins->tree, free);
}

static int open_twin(const struct twins *twins, const struct twin *twin)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOATIME | O_NONBLOCK,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};

	return syscall(SYS_openat2, twins->store->root, twin->path, &how, sizeof(how));
}

/* How much of @fd has the same bytes, and shares them from now on. */
static uint64_t dedupe(int from, int fd, uint64_t size)
{
	struct {
		struct file_dedupe_range range;
		struct file_dedupe_range_info info;
	} request;
	uint64_t at = 0;

	while (at < size) {
		request.range = (struct file_dedupe_range){
			.src_offset = at, .dest_count = 1,
			.src_length = size - at < PIECE ? size - at : PIECE,
		};
		request.info = (struct file_dedupe_range_info){ .dest_fd = fd, .dest_offset = at };
		if (ioctl(from, FIDEDUPERANGE, &request) < 0 ||
		    request.info.status != FILE_DEDUPE_RANGE_SAME || !request.info.bytes_deduped)
			break;
		at += request.info.bytes_deduped;
	}
	return at;
}

int64_t twins_share(void *context, int fd, const char *path, uint64_t size,
		    uint32_t checksum, struct fault *fault)
{
	struct twins *twins = context;
	const struct twin wanted = { .size = size, .checksum = checksum };
	struct twin **found;
	uint64_t shared = 0;

	if (!twins->list || size < SMALLEST)
		return 0;
	found = tfind(&wanted, &twins->tree, compare);
	if (found) {
		AUTO_FD from = open_twin(twins, *found);
		struct stat status;

		if (from >= 0 && !fstat(from, &status) && S_ISREG(status.st_mode))
			shared = dedupe(from, fd, size);
	}
	if (fprintf(twins->list, "%llx %x %s%c", (unsigned long long)size, checksum, path, 0) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot write the list of a layer's files");
	if (!found && add(twins, twins->prefix, path, size, checksum, fault) < 0)
		return -1;
	return shared;
}
