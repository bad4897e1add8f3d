// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer volume attach */
#include <string.h>

#include "mount/attach.h"
#include "store/container.h"
#include "store/volume.h"
#include "verbs/verb.h"

/*
 * Where a volume or a container is that is named without a slash; NULL without a
 * fault if there is none of the name.
 */
static char *find_path(const char *word, bool volume, struct fault *fault)
{
	AUTO_STORE store = STORE_INIT;
	AUTO_FREE char *id = NULL;
	struct fault unknown = { 0 };

	if (strchr(word, '/') || !store_exists())
		return NULL;
	if (store_open(&store, STORE_CHANGE, fault) < 0)
		return NULL;
	if (volume) {
		char *data = NULL;

		if (!volume_check(&store, word, &unknown))
			data = volume_use(&store, word, fault);
		fault_clear(&unknown);
		return data;
	}
	id = container_find(&store, word, &unknown);
	fault_clear(&unknown);
	return id ? store_path(&store, STORE_CONTAINER, id, "root") : NULL;
}

static int run(int argc, char **argv, struct fault *fault)
{
	static const struct option options[] = {
		{ "read-only", no_argument, NULL, 'r' },
		{ 0 },
	};
	AUTO_FREE char *source = NULL, *target = NULL;
	bool read_only = false;
	int option;

	while ((option = verb_option(argc, argv, ":r", options, fault)) != -1) {
		if (option == '?')
			return -1;
		read_only = true;
	}
	if (argc - optind != 3)
		return verb_misused(&verb_volume_attach, fault);
	source = find_path(argv[optind], true, fault);
	target = fault->text ? NULL : find_path(argv[optind + 1], false, fault);
	if (fault->text)
		return -1;
	if (attach(source ? source : argv[optind], target ? target : argv[optind + 1],
		   argv[optind + 2], read_only, fault) < 0)
		return fault_wrap(fault, "cannot attach \"%s\" at \"%s\" in \"%s\"",
				  argv[optind], argv[optind + 2], argv[optind + 1]);
	return 0;
}

const struct verb verb_volume_attach = {
	.name = "volume attach",
	.usage = "[--read-only] SOURCE TARGET PATH",
	.summary = "add a volume to a mounted container",
	.help =
"SOURCE, a volume or a directory or a file, becomes visible at PATH inside of a\n"
"mounted container, or of what is mounted on the directory TARGET. PATH is looked up as a process in the container would; what is missing\n"
"of it is made.\n\n"
"  -r, --read-only   the container cannot write to it\n",
	.run = run,
};
