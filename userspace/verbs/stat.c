// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer stat */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "module/uapi/veneer.h"
#include "store/container.h"
#include "verbs/ask.h"
#include "verbs/verb.h"

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

static int run(int argc, char **argv, struct fault *fault)
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
	if (ask(fd, VENEER_IOC_COUNTERS, &values, argv[optind], fault) < 0)
		return -1;
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
	.run = run,
};
