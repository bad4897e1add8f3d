// SPDX-License-Identifier: GPL-2.0-or-later
/* Where a layer's file has its bytes; see chain.h. */
#include "layer/chain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "layer/marks.h"
#include "layer/splitfile.h"

/* Opens @node as one more link. */
static struct chain_link *add_link(struct chain *chain, int node, struct fault *fault)
{
	struct chain_link *grown = reallocarray(chain->links, chain->count + 1, sizeof(*grown));
	char path[FD_PATH_SIZE];
	int fd;

	if (!grown) {
		fault_no_memory(fault);
		return NULL;
	}
	chain->links = grown;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", node);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOATIME | O_NONBLOCK);
	if (fd < 0) {
		fault_errno(fault, EXIT_SYSTEM, errno, "cannot open a file of a layer");
		return NULL;
	}
	grown[chain->count] = (struct chain_link){ .fd = fd };
	return &grown[chain->count++];
}

/* What is below a file whose record is @record. 1, 0, -1 as chain_open(). */
static int follow(struct chain *chain, struct below *below, int tree, size_t under, int node,
		  const struct veneer_split_disk *record, struct below_found *found,
		  struct fault *fault)
{
	AUTO_FREE char *path = strndup((const char *)record->path + 1,
				       le32toh(record->path_len) - 1);
	AUTO_FD maps = split_maps(tree);
	struct chain_link *link;
	const char *problem;

	if (!path)
		return fault_no_memory(fault);
	/* The module finishes a truncation that was interrupted; here it is as below. */
	if (le32toh(record->flags) & VENEER_SPLIT_CUT)
		return 0;
	if (le32toh(record->flags) & VENEER_SPLIT_MAP) {
		link = add_link(chain, node, fault);
		if (!link)
			return -1;
		link->below_size = le64toh(record->below_size);
		link->shift = record->block_shift;
		problem = split_map_read(maps, record, &link->bits, &link->blocks);
		if (problem)
			return fault_set(fault, EXIT_SYSTEM, "%s; see veneer check", problem);
	}
	return below_find(below, under, path, found, fault);
}

int chain_open(struct chain *chain, struct below *below, int tree, size_t under, int node,
	       struct fault *fault)
{
	AUTO_FD at = fcntl(node, F_DUPFD_CLOEXEC, 0);

	for (;;) {
		AUTO_FREE struct veneer_split_disk *record = NULL;
		struct below_found found = { .node = -1 };
		const char *problem;
		size_t size;
		int result = at < 0 ? -1 : split_record(at, &record, &size);

		if (result < 0)
			return fault_errno(fault, EXIT_SYSTEM, errno, "cannot read its split record");
		if (!result && has_mark(at, METACOPY_XATTR))
			return 0;
		if (!result)
			return add_link(chain, at, fault) ? 1 : -1;
		problem = split_record_problem(record, size);
		if (problem)
			return fault_set(fault, EXIT_SYSTEM, "%s; see veneer check", problem);
		result = follow(chain, below, tree, under, at, record, &found, fault);
		cleanup_fd(&at);
		at = found.node;
		if (result <= 0)
			return result;
		if (!S_ISREG(found.status.st_mode))
			return 0;
		tree = below->layers[found.layer].tree;
		under = found.layer;
	}
}

void chain_close(struct chain *chain)
{
	for (size_t i = 0; i < chain->count; i++) {
		cleanup_fd(&chain->links[i].fd);
		free(chain->links[i].bits);
	}
	free(chain->links);
	*chain = (struct chain){ 0 };
}

size_t chain_source(const struct chain *chain, off_t at, off_t *end)
{
	size_t i;

	for (i = 0; i + 1 < chain->count; i++) {
		const struct chain_link *link = &chain->links[i];
		uint64_t block = (uint64_t)at >> link->shift, last;
		bool here;

		if ((uint64_t)at >= link->below_size)
			break;
		if ((uint64_t)*end > link->below_size)
			*end = link->below_size;
		last = (uint64_t)(*end - 1) >> link->shift;
		here = split_bit(link->bits, block);
		while (block < last && split_bit(link->bits, block + 1) == here)
			block++;
		if (block < last)
			*end = (off_t)((block + 1) << link->shift);
		if (here)
			break;
	}
	return i;
}

ssize_t chain_read(const struct chain *chain, void *buffer, size_t size, off_t at)
{
	size_t done = 0;

	while (done < size) {
		off_t end = at + (size - done);
		const struct chain_link *link = &chain->links[chain_source(chain, at, &end)];
		ssize_t got = pread(link->fd, (char *)buffer + done, end - at, at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (!got)
			break;
		done += got;
		at += got;
	}
	return done;
}

off_t chain_zeros(const struct chain *chain, off_t at, off_t end)
{
	while (at < end) {
		off_t run = end, data;
		int fd = chain->links[chain_source(chain, at, &run)].fd;

		data = lseek(fd, at, SEEK_DATA);
		if (data < 0 && errno != ENXIO)
			return at;
		if (data >= 0 && data < run)
			return data;
		at = run;
	}
	return end;
}
