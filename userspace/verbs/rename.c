// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer rename */
#include "store/container.h"
#include "verbs/verb.h"

static int run(int argc, char **argv, struct fault *fault)
{
	static const char *const known[] = { NULL };
	AUTO_STORE store = STORE_INIT;
	AUTO_FREE char *id = NULL;

	if (verb_switches(argc, argv, known, fault) < 0)
		return -1;
	if (argc - optind != 2)
		return verb_misused(&verb_rename, fault);
	if (store_open(&store, STORE_CHANGE, fault) < 0)
		return -1;
	id = container_find(&store, argv[optind], fault);
	if (!id || container_rename(&store, id, argv[optind + 1], fault) < 0)
		return -1;
	return store_finish(&store, fault);
}

const struct verb verb_rename = {
	.name = "rename",
	.usage = "CONTAINER NAME",
	.summary = "give a container another name",
	.help = "It stays mounted if it is.\n",
	.run = run,
};
