// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer image rm */
#include <stdio.h>

#include "store/image.h"
#include "verbs/verb.h"

static int remove_one(const char *word, bool quiet, struct fault *fault)
{
	AUTO_STORE store = STORE_INIT;
	AUTO_STAGING staging = STAGING_INIT;
	struct image_removal removal = { 0 };
	AUTO_FREE char *id = NULL;

	if (store_open(&store, STORE_CHANGE, fault) < 0 ||
	    staging_begin(&staging, &store, fault) < 0)
		return -1;
	if (image_remove(&store, &staging, word, &removal, fault) < 0) {
		free(removal.id);
		return -1;
	}
	id = removal.id;
	/* Nobody has to wait while what was removed is deleted. */
	if (store_finish(&store, fault) < 0 || store_access(&store, STORE_FREE, fault) < 0)
		return -1;
	if (quiet)
		return 0;
	if (removal.image_gone)
		printf("Removed image %.12s and %lu of its layers\n", id, removal.layers);
	else
		printf("Removed the name \"%s\" of image %.12s\n", word, id);
	return 0;
}

static int run(int argc, char **argv, struct fault *fault)
{
	static const char *const known[] = { "quiet", NULL };
	int switches = verb_switches(argc, argv, known, fault);

	if (switches < 0)
		return -1;
	if (argc - optind < 1)
		return verb_misused(&verb_image_rm, fault);
	for (int i = optind; i < argc; i++) {
		if (remove_one(argv[i], switches, fault) < 0)
			return -1;
	}
	return 0;
}

const struct verb verb_image_rm = {
	.name = "image rm",
	.usage = "[--quiet] IMAGE...",
	.summary = "remove a name of an image, and with the last one the image",
	.help =
"Layers go with the last image or container that uses them. An image that a\n"
"container uses is not removed.\n",
	.run = run,
};
