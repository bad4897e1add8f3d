// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer volume rm */
#include <stdio.h>

#include "store/volume.h"
#include "verbs/verb.h"

static int remove_one(const char *name, struct fault *fault)
{
	AUTO_STORE store = STORE_INIT;
	AUTO_STAGING staging = STAGING_INIT;

	if (store_open(&store, STORE_CHANGE, fault) < 0 ||
	    staging_begin(&staging, &store, fault) < 0 ||
	    volume_remove(&staging, name, fault) < 0 || store_finish(&store, fault) < 0)
		return -1;
	return store_access(&store, STORE_FREE, fault);
}

static int run(int argc, char **argv, struct fault *fault)
{
	static const char *const known[] = { "quiet", NULL };
	int switches = verb_switches(argc, argv, known, fault);

	if (switches < 0)
		return -1;
	if (argc == optind)
		return verb_misused(&verb_volume_rm, fault);
	for (int i = optind; i < argc; i++) {
		if (remove_one(argv[i], fault) < 0)
			return -1;
		if (!switches)
			printf("Removed volume %s\n", argv[i]);
	}
	return 0;
}

const struct verb verb_volume_rm = {
	.name = "volume rm",
	.usage = "[--quiet] VOLUME...",
	.summary = "remove a volume and what is in it",
	.help = "One that a container has, mounted or not, is not removed.\n",
	.run = run,
};
