// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What comes from outside, as a fuzzer sees it: the first byte says what the rest
 * is taken for. Works in the directory FUZZ_DIR, whose neighbours have to stay as
 * they are.
 *
 *   t  the tar of a layer       i  the archive of an image
 *   j  a configuration, as the only one of a "docker save" directory
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "../../userspace/import.h"
#include "../../userspace/plan.h"
#include "../../userspace/tree.h"

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
	else
		image(archive);
	/* Whatever was made, it was made inside, and can be removed. */
	if (tree_clear(work) < 0)
		abort();
	return 0;
}
