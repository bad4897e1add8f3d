// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What comes from outside, as a fuzzer sees it: the first byte says what the rest
 * is taken for. Works in the directory FUZZ_DIR, whose neighbours have to stay as
 * they are.
 *
 *   t  the tar of a layer       i  the archive of an image
 *   d  the tar of a layer over those in FUZZ_BELOW (the lowest first, with ":"
 *      between), stored as differences: every file has to read as it does where
 *      there is nothing below
 *   j  a configuration, as the only one of a "docker save" directory
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "layer/import.h"
#include "layer/splitcheck.h"
#include "layer/tree.h"
#include "layer/walk.h"
#include "store/plan.h"

static int work = -1;

static int as_file(const uint8_t *bytes, size_t size)
{
	int fd = memfd_create("input", MFD_CLOEXEC);

	if (fd < 0 || write(fd, bytes, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) < 0)
		abort();
	return fd;
}

static void layer(int archive)
{
	const struct unpack_limits limits = { 1 << 24, 1000, 10 };
	const struct import_how how = { .limits = &limits };
	struct import_result result;
	struct fault fault = { 0 };

	import_into(archive, work, &how, &result, &fault);
	fault_clear(&fault);
}

static struct below below;

static void open_below(void)
{
	char *list = getenv("FUZZ_BELOW"), *rest = NULL;
	struct fault fault = { 0 };

	for (char *path = list ? strtok_r(list, ":", &rest) : NULL; path;
	     path = strtok_r(NULL, ":", &rest)) {
		if (below_add(&below, open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), &fault) < 0 ||
		    below.layers[below.count - 1].tree < 0) {
			fprintf(stderr, "fuzz: FUZZ_BELOW: cannot open %s\n", path);
			abort();
		}
	}
}

static int make_directory(const char *name)
{
	int fd = mkdirat(work, name, 0755) < 0 ? -1 :
		openat(work, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		abort();
	return fd;
}

/* A file that was unpacked over nothing, and the same one over the layers below. */
static int compare_file(void *context, const struct visit *visit, struct fault *fault)
{
	static char one[1 << 16], other[1 << 16];
	CLEANUP(chain_close) struct chain chain = { 0 };
	int over = *(int *)context;
	AUTO_FD plain = -1, node = -1;
	char path[FD_PATH_SIZE];

	if (!S_ISREG(visit->status.st_mode))
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", visit->node);
	plain = open(path, O_RDONLY | O_CLOEXEC);
	node = openat(over, visit->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (plain < 0 || node < 0 ||
	    chain_open(&chain, &below, over, below.count, node, fault) <= 0)
		abort();
	for (off_t at = 0; at <= visit->status.st_size; at += sizeof(one)) {
		ssize_t got = pread(plain, one, sizeof(one), at);

		/* A sparse file of any size is read at its ends only. */
		if (got < 0 || chain_read(&chain, other, sizeof(other), at) != got ||
		    memcmp(one, other, got))
			abort();
		if (at == 1 << 20 && visit->status.st_size > 2 << 20)
			at = (visit->status.st_size - (1 << 20)) & ~0xffff;
	}
	return 0;
}

static int nobody_tells(void *context, const char *path, const char *problem,
			struct fault *fault)
{
	(void)context;
	(void)fault;
	fprintf(stderr, "fuzz: %s: %s\n", path, problem);
	abort();
}

static void differences(int archive)
{
	const struct unpack_limits limits = { 1 << 24, 1000, 10 };
	const struct delta_policy all = { .split = 1, .piece = 1, .same = 1 };
	const struct import_how plainly = { .limits = &limits };
	const struct import_how over = { .limits = &limits, .below = &below, .deltas = &all };
	AUTO_FD first = make_directory("first"), second = make_directory("second");
	struct import_result result;
	struct fault fault = { 0 };
	unsigned long files = 0;
	int one, other;

	one = import_into(archive, first, &plainly, &result, &fault);
	fault_clear(&fault);
	if (lseek(archive, 0, SEEK_SET) < 0)
		abort();
	other = import_into(archive, second, &over, &result, &fault);
	if (one != other) {
		fprintf(stderr, "fuzz: %d without, %d with layers below: %s\n", one, other,
			fault.text ? fault.text : "");
		abort();
	}
	fault_clear(&fault);
	if (!one && (walk(first, compare_file, &second, &fault) < 0 ||
		     splitcheck(second, nobody_tells, NULL, &files, &fault) < 0))
		abort();
}

static const struct plan_choice choice = {
	.source = "fuzz", .os = "linux", .architecture = "amd64",
};

static void image(int archive)
{
	CLEANUP(blobs_close) struct blobs blobs = BLOBS_INIT;
	CLEANUP(plans_free) struct plans plans = { 0 };
	struct fault fault = { 0 };

	if (!blobs_from_archive(&blobs, archive, work, &fault))
		plans_read(&plans, &blobs, &choice, &fault);
	fault_clear(&fault);
}

static void config(const uint8_t *bytes, size_t size)
{
	CLEANUP(plans_free) struct plans plans = { 0 };
	struct fault fault = { 0 };
	AUTO_JSON *json = jsonfile_parse((const char *)bytes, size, &fault);

	if (json)
		plans_from_config(&plans, json, &fault);
	fault_clear(&fault);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	AUTO_FD archive = -1;

	if (work < 0) {
		const char *directory = getenv("FUZZ_DIR");

		umask(0);
		work = directory ? open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
		if (work < 0) {
			fprintf(stderr, "fuzz: FUZZ_DIR has to be a directory\n");
			abort();
		}
		open_below();
	}
	if (!size)
		return 0;
	if (*bytes == 'j') {
		config(bytes + 1, size - 1);
		return 0;
	}
	archive = as_file(bytes + 1, size - 1);
	if (*bytes == 't')
		layer(archive);
	else if (*bytes == 'd')
		differences(archive);
	else
		image(archive);
	/* Whatever was made, it was made inside, and can be removed. */
	if (tree_clear(work) < 0)
		abort();
	return 0;
}
