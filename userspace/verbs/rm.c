// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer rm */
#include <stdio.h>

#include "store/container.h"
#include "verbs/verb.h"

static int remove_one(const char *word, bool force, bool quiet, struct fault *fault)
{
	AUTO_STORE store = STORE_INIT;
	AUTO_STAGING staging = STAGING_INIT;
	AUTO_FREE char *id = NULL;

	if (store_open(&store, STORE_CHANGE, fault) < 0)
		return -1;
	id = container_find(&store, word, fault);
	if (!id || staging_begin(&staging, &store, fault) < 0 ||
	    container_remove(&staging, id, force, fault) < 0 ||
	    store_finish(&store, fault) < 0 || store_access(&store, STORE_FREE, fault) < 0)
		return -1;
	if (!quiet)
		printf("Removed container %s\n", word);
	return 0;
}

static int run(int argc, char **argv, struct fault *fault)
{
	static const char *const known[] = { "force", "quiet", NULL };
	int switches = verb_switches(argc, argv, known, fault);

	if (switches < 0)
		return -1;
	if (argc == optind)
		return verb_misused(&verb_rm, fault);
	for (int i = optind; i < argc; i++) {
		if (remove_one(argv[i], switches & 1, switches & 2, fault) < 0)
			return -1;
	}
	return 0;
}

const struct verb verb_rm = {
	.name = "rm",
	.usage = "[--force] [--quiet] CONTAINER...",
	.summary = "remove a container and what it has written",
	.help =
"Its volumes stay, anonymous ones too; see volume prune.\n\n"
"  -f, --force   also when it is mounted\n"
"  -q, --quiet   print nothing\n",
	.run = run,
};
