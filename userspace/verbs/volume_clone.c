// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer volume clone */
#include "base/interrupt.h"
#include "layer/copytree.h"
#include "verbs/verb.h"
#include "verbs/volume_create.h"

static int fill_from_volume(int data, void *context, struct fault *fault)
{
	struct copied copied = { 0 };

	return copytree(*(int *)context, data, &copied, fault);
}

static int run(int argc, char **argv, struct fault *fault)
{
	static const char *const known[] = { NULL };
	struct volume_spec spec = { .fill = fill_from_volume };
	AUTO_FD data = -1;

	if (verb_switches(argc, argv, known, fault) < 0)
		return -1;
	if (argc - optind != 2)
		return verb_misused(&verb_volume_clone, fault);
	interrupt_catch();
	{
		AUTO_STORE store = STORE_INIT;

		if (store_open(&store, STORE_CHANGE, fault) < 0)
			return -1;
		data = volume_open(&store, argv[optind], fault);
		if (data < 0)
			return -1;
	}
	spec.name = argv[optind + 1];
	spec.context = &data;
	return volume_create_print(&spec, fault);
}

const struct verb verb_volume_clone = {
	.name = "volume clone",
	.usage = "VOLUME NAME",
	.summary = "make a volume with the same data",
	.help =
"The copy shares its blocks with the original where the filesystem can (xfs,\n"
"btrfs). It is kept in a directory, whatever the original is kept in.\n",
	.run = run,
};
