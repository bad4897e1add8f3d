// SPDX-License-Identifier: GPL-2.0-or-later
/* Space that trees take; see usage.h. */
#include "layer/usage.h"

#include <errno.h>
#include <fcntl.h>

#include "layer/walk.h"

struct sum {
	struct link_table links;
	uint64_t bytes;
};

static void free_sum(struct sum *sum)
{
	link_table_free(&sum->links);
}

static int add(void *context, const struct visit *visit, struct fault *fault)
{
	struct sum *sum = context;

	if (!link_table_seen(&sum->links, visit, fault))
		sum->bytes += (uint64_t)visit->status.st_blocks * 512;
	return fault->text ? -1 : 0;
}

int usage_of_path(const char *path, uint64_t *bytes, struct fault *fault)
{
	CLEANUP(free_sum) struct sum sum = { 0 };
	AUTO_FD root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot open \"%s\"", path);
	if (walk(root, add, &sum, fault) < 0)
		return fault_wrap(fault, "\"%s\"", path);
	*bytes = sum.bytes;
	return 0;
}
