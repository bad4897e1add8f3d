// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer volume inspect */
#include "store/volume.h"
#include "verbs/verb.h"

static int run(int argc, char **argv, struct fault *fault)
{
	static const char *const known[] = { NULL };
	AUTO_STORE store = STORE_INIT;
	AUTO_JSON *facts = NULL;

	if (verb_switches(argc, argv, known, fault) < 0)
		return -1;
	if (argc - optind != 1)
		return verb_misused(&verb_volume_inspect, fault);
	if (store_open(&store, STORE_LOOK, fault) < 0 ||
	    volume_check(&store, argv[optind], fault) < 0)
		return -1;
	facts = volume_describe(&store, argv[optind], fault);
	return facts ? json_print(facts, fault) : -1;
}

const struct verb verb_volume_inspect = {
	.name = "volume inspect",
	.usage = "VOLUME",
	.summary = "all that is known of a volume, as JSON",
	.help = "",
	.run = run,
};
