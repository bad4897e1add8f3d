// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer image tag */
#include "store/image.h"
#include "verbs/verb.h"

static int run(int argc, char **argv, struct fault *fault)
{
	static const char *const known[] = { NULL };
	AUTO_STORE store = STORE_INIT;
	AUTO_STAGING staging = STAGING_INIT;
	AUTO_FREE char *id = NULL;

	if (verb_switches(argc, argv, known, fault) < 0)
		return -1;
	if (argc - optind != 2)
		return verb_misused(&verb_image_tag, fault);
	if (store_open(&store, STORE_CHANGE, fault) < 0)
		return -1;
	id = image_find(&store, argv[optind], fault);
	if (!id || staging_begin(&staging, &store, fault) < 0 ||
	    image_tag(&store, &staging, id, argv[optind + 1], fault) < 0)
		return -1;
	return store_finish(&store, fault);
}

const struct verb verb_image_tag = {
	.name = "image tag",
	.usage = "IMAGE NAME",
	.summary = "give an image a name",
	.help = "NAME is taken from the image that had it. Without a tag it gets \":latest\".\n",
	.run = run,
};
