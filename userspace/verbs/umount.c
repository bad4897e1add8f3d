// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer umount */
#include <string.h>

#include "mount/unmount.h"
#include "store/container.h"
#include "verbs/verb.h"

/* 1: done; 0: there is no such container; -1. */
static int unmount_container(const char *word, bool lazy, struct fault *fault)
{
	AUTO_STORE store = STORE_INIT;
	AUTO_FREE char *id = NULL;
	struct fault unknown = { 0 };

	if (!store_exists())
		return 0;
	if (store_open(&store, STORE_CHANGE, fault) < 0)
		return -1;
	id = container_find(&store, word, &unknown);
	fault_clear(&unknown);
	if (!id)
		return 0;
	return container_unmount(&store, id, lazy, fault) < 0 ? -1 : 1;
}

static int run(int argc, char **argv, struct fault *fault)
{
	static const struct option options[] = {
		{ "lazy", no_argument, NULL, 'l' },
		{ 0 },
	};
	bool lazy = false;
	int option;

	while ((option = verb_option(argc, argv, ":l", options, fault)) != -1) {
		if (option == '?')
			return -1;
		lazy = true;
	}
	if (argc - optind != 1)
		return verb_misused(&verb_umount, fault);
	/* A path has a slash, or is one because no container is called so. */
	if (!strchr(argv[optind], '/')) {
		int found = unmount_container(argv[optind], lazy, fault);

		if (found)
			return found < 0 ? -1 : 0;
	}
	return unmount(argv[optind], lazy, fault);
}

const struct verb verb_umount = {
	.name = "umount",
	.usage = "[--lazy] CONTAINER | TARGET",
	.summary = "unmount a container and its volumes",
	.help =
"Unmounts a container, or what is mounted on the directory TARGET, and everything\n"
"mounted inside of it.\n\n"
"  -l, --lazy   take it out of sight now, and let it go when nothing uses it any more\n",
	.run = run,
};
