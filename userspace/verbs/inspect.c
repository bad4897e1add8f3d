// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer inspect */
#include "store/container.h"
#include "verbs/verb.h"

static int run(int argc, char **argv, struct fault *fault)
{
	static const char *const known[] = { NULL };
	AUTO_STORE store = STORE_INIT;
	AUTO_FREE char *id = NULL;
	AUTO_JSON *facts = NULL;

	if (verb_switches(argc, argv, known, fault) < 0)
		return -1;
	if (argc - optind != 1)
		return verb_misused(&verb_inspect, fault);
	if (store_open(&store, STORE_LOOK, fault) < 0)
		return -1;
	id = container_find(&store, argv[optind], fault);
	facts = id ? container_describe(&store, id, fault) : NULL;
	return facts ? json_print(facts, fault) : -1;
}

const struct verb verb_inspect = {
	.name = "inspect",
	.usage = "CONTAINER",
	.summary = "all that is known of a container, as JSON",
	.help = "CONTAINER is a name, an id or the beginning of one.\n",
	.run = run,
};
