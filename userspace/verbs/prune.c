// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer prune */
#include <stdio.h>

#include "store/image.h"
#include "verbs/verb.h"

static int run(int argc, char **argv, struct fault *fault)
{
	static const char *const known[] = { "quiet", NULL };
	int switches = verb_switches(argc, argv, known, fault);
	AUTO_STORE store = STORE_INIT;
	AUTO_STAGING staging = STAGING_INIT;
	unsigned long layers, leftovers;

	if (switches < 0)
		return -1;
	if (argc != optind)
		return verb_misused(&verb_prune, fault);
	if (store_open(&store, STORE_CHANGE, fault) < 0 ||
	    store_leftovers(&store, true, &leftovers, fault) < 0 ||
	    staging_begin(&staging, &store, fault) < 0 ||
	    image_prune_layers(&store, &staging, &layers, fault) < 0 ||
	    store_finish(&store, fault) < 0 || store_access(&store, STORE_FREE, fault) < 0)
		return -1;
	if (!switches)
		printf("Removed %lu unused layers and %lu leftovers\n", layers, leftovers);
	return 0;
}

const struct verb verb_prune = {
	.name = "prune",
	.usage = "[--quiet]",
	.summary = "remove layers that nothing uses, and leftovers",
	.help =
"Images, containers and volumes stay; see image rm, rm and volume prune.\n",
	.run = run,
};
