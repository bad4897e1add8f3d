// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer stat, veneer map: what the module knows, by its ioctls. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "module/uapi/veneer.h"
#include "store/container.h"
#include "verbs/verb.h"

enum { RANGES = 256 };

/* A mounted container by its name, or any path. */
static int open_target(const char *word, struct fault *fault)
{
	AUTO_FREE char *path = NULL;
	int fd;

	if (!strchr(word, '/') && store_exists()) {
		AUTO_STORE store = STORE_INIT;
		AUTO_FREE char *id = NULL;
		struct fault unknown = { 0 };

		if (store_open(&store, STORE_LOOK, fault) < 0)
			return -1;
		id = container_find(&store, word, &unknown);
		fault_clear(&unknown);
		path = id ? store_path(&store, STORE_CONTAINER, id, "root") : NULL;
	}
	fd = open(path ? path : word, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? fault_errno(fault, EXIT_SYSTEM, errno, "cannot open \"%s\"", word) : fd;
}

static int ioctl_failed(const char *word, struct fault *fault)
{
	int error = errno;

	fault_errno(fault, error == EPERM ? EXIT_USAGE : EXIT_SYSTEM, error,
		    "cannot ask about \"%s\"", word);
	if (error == ENOTTY)
		fault_advise(fault, "it is not on a mount of the veneer filesystem, or the module is older than this program");
	return -1;
}

static const struct counter {
	const char *name, *text;
	size_t offset;
} counters[] = {
	{ "lookups", "names looked up", offsetof(struct veneer_counters, lookups) },
	{ "copied_up", "objects that got an upper", offsetof(struct veneer_counters, copied_up) },
	{ "files_split", "files that became split", offsetof(struct veneer_counters, files_split) },
	{ "files_whole", "files that became whole", offsetof(struct veneer_counters, files_whole) },
	{ "blocks_copied", "blocks filled from below", offsetof(struct veneer_counters, blocks_copied) },
	{ "bytes_copied", "bytes copied from below", offsetof(struct veneer_counters, bytes_copied) },
	{ "bytes_shared", "bytes left below", offsetof(struct veneer_counters, bytes_shared) },
	{ "map_flushes", "block maps written", offsetof(struct veneer_counters, map_flushes) },
	{ "map_bits", "bits written with them", offsetof(struct veneer_counters, map_bits) },
};

static int run_stat(int argc, char **argv, struct fault *fault)
{
	static const char *const known[] = { "json", NULL };
	int switches = verb_switches(argc, argv, known, fault);
	struct veneer_counters values = { .size = sizeof(values) };
	AUTO_JSON *json = json_object();
	AUTO_FD fd = -1;

	if (switches < 0)
		return -1;
	if (argc - optind != 1)
		return verb_misused(&verb_stat, fault);
	fd = open_target(argv[optind], fault);
	if (fd < 0)
		return -1;
	if (ioctl(fd, VENEER_IOC_COUNTERS, &values) < 0)
		return ioctl_failed(argv[optind], fault);
	for (size_t i = 0; i < sizeof(counters) / sizeof(*counters); i++) {
		__u64 value;

		memcpy(&value, (char *)&values + counters[i].offset, sizeof(value));
		if (switches && json_set(json, counters[i].name, json_integer(value), fault) < 0)
			return -1;
		if (!switches)
			printf("%-26s %20llu\n", counters[i].text, (unsigned long long)value);
	}
	if (!switches)
		return 0;
	if (json_set(json, "read_only", json_boolean(values.flags & VENEER_COUNTERS_READONLY), fault) < 0 ||
	    json_set(json, "volatile", json_boolean(values.flags & VENEER_COUNTERS_VOLATILE), fault) < 0)
		return -1;
	return json_print(json, fault);
}

const struct verb verb_stat = {
	.name = "stat",
	.usage = "[--json] CONTAINER | PATH",
	.summary = "the module's counters of a mount",
	.help =
"Of a mounted container, or of the mount that PATH is on. They count from the first\n"
"mount of its upper on.\n\n"
"  --json   for a script\n",
	.run = run_stat,
};

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
		if (ioctl(fd, VENEER_IOC_MAP, map) < 0)
			return ioctl_failed(name, fault);
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

static int run_map(int argc, char **argv, struct fault *fault)
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
	.run = run_map,
};
