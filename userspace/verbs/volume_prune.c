// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer volume prune */
#include <stdio.h>

#include "base/human.h"
#include "store/volume.h"
#include "verbs/verb.h"

static const char unused[] =
	"SELECT name FROM volumes WHERE NOT EXISTS"
	" (SELECT 1 FROM container_volumes WHERE volume = name) ORDER BY name";

static int prune(bool ask, bool quiet, struct fault *fault)
{
	AUTO_STORE store = STORE_INIT;
	AUTO_STAGING staging = STAGING_INIT;
	AUTO_JSON *names = NULL;
	json_t *name;
	size_t i;

	if (store_open(&store, STORE_CHANGE, fault) < 0)
		return -1;
	names = db_texts(store.db, fault, unused, "");
	if (!names)
		return -1;
	if (!json_array_size(names)) {
		if (!quiet)
			printf("No volume is unused\n");
		return 0;
	}
	if (ask) {
		json_array_foreach(names, i, name)
			fprintf(stderr, "%s\n", json_string_value(name));
		if (!human_agrees("No container has these volumes. Remove them and all that is in them?")) {
			fault_set(fault, EXIT_USAGE, "nothing was removed");
			return fault_advise(fault, "without a terminal, say --force");
		}
	}
	if (staging_begin(&staging, &store, fault) < 0)
		return -1;
	json_array_foreach(names, i, name) {
		if (volume_remove(&staging, json_string_value(name), fault) < 0)
			return -1;
		if (!quiet)
			printf("Removed volume %s\n", json_string_value(name));
	}
	return store_finish(&store, fault) < 0 ? -1 : store_access(&store, STORE_FREE, fault);
}

static int run(int argc, char **argv, struct fault *fault)
{
	static const char *const known[] = { "force", "quiet", NULL };
	int switches = verb_switches(argc, argv, known, fault);

	if (switches < 0)
		return -1;
	if (argc != optind)
		return verb_misused(&verb_volume_prune, fault);
	return prune(!(switches & 1), switches & 2, fault);
}

const struct verb verb_volume_prune = {
	.name = "volume prune",
	.usage = "[--force] [--quiet]",
	.summary = "remove the volumes that no container has",
	.help =
"Shows them and asks.\n\n"
"  -f, --force   do not ask\n"
"  -q, --quiet   do not say what was removed\n",
	.run = run,
};
