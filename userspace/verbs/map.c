// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer map */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>

#include "base/jsonfile.h"
#include "module/uapi/veneer.h"
#include "verbs/ask.h"
#include "verbs/verb.h"

enum { RANGES = 256 };

static int add_range(const struct veneer_range *range, json_t *list, struct fault *fault)
{
	char layer[16] = "upper";
	json_t *one;

	if (range->layer != VENEER_RANGE_UPPER)
		snprintf(layer, sizeof(layer), "%d", range->layer);
	if (!list) {
		printf("%20llu %20llu  %s\n", (unsigned long long)range->offset,
		       (unsigned long long)range->length, layer);
		return 0;
	}
	one = json_pack("{s:I, s:I, s:o}", "offset", (json_int_t)range->offset, "length",
			(json_int_t)range->length, "layer",
			range->layer == VENEER_RANGE_UPPER ? json_string("upper") :
			json_integer(range->layer));
	return one && !json_array_append_new(list, one) ? 0 : fault_no_memory(fault);
}

/* Ask until all has been told. @map is what was said at the end. */
static int read_map(int fd, const char *name, struct veneer_map *map, json_t *list,
		    struct fault *fault)
{
	struct veneer_range ranges[RANGES];
	__u64 start = 0;

	do {
		*map = (struct veneer_map){
			.size = sizeof(*map), .nr = RANGES, .start = start,
			.ranges = (uintptr_t)ranges,
		};
		if (ask(fd, VENEER_IOC_MAP, map, name, fault) < 0)
			return -1;
		for (__u32 i = 0; i < map->nr; i++) {
			if (add_range(&ranges[i], list, fault) < 0)
				return -1;
		}
		/* A file that is being cut off, say. */
		if (map->start <= start)
			break;
		start = map->start;
	} while (start < map->file_size);
	return 0;
}

static int run(int argc, char **argv, struct fault *fault)
{
	static const char *const known[] = { "json", NULL };
	static const char *const states[] = { "below", "split", "whole" };
	int switches = verb_switches(argc, argv, known, fault);
	AUTO_JSON *list = json_array(), *json = NULL;
	struct veneer_map map;
	const char *state;
	AUTO_FD fd = -1;

	if (switches < 0)
		return -1;
	if (argc - optind != 1)
		return verb_misused(&verb_map, fault);
	fd = open(argv[optind], O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot open \"%s\"", argv[optind]);
	if (!switches)
		printf("%20s %20s  %s\n", "OFFSET", "LENGTH", "LAYER");
	if (read_map(fd, argv[optind], &map, switches ? list : NULL, fault) < 0)
		return -1;
	state = map.state < 3 ? states[map.state] : "unknown";
	if (!switches) {
		printf("%s, %llu bytes", state, (unsigned long long)map.file_size);
		if (map.block_size)
			printf(", blocks of %u", map.block_size);
		printf("\n");
		return 0;
	}
	json = json_pack("{s:s, s:I, s:I, s:i, s:O}", "state", state, "size",
			 (json_int_t)map.file_size, "below_size", (json_int_t)map.below_size,
			 "block_size", map.block_size, "ranges", list);
	return json_print(json, fault);
}

const struct verb verb_map = {
	.name = "map",
	.usage = "[--json] FILE",
	.summary = "which ranges of a file come from which layer",
	.help =
"FILE is on a mount. Layers are numbered, 0 on top; \"upper\" is what the container\n"
"has written.\n\n"
"  --json   for a script\n",
	.run = run,
};
