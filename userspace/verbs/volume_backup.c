// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer volume backup */
#include "base/interrupt.h"
#include "layer/tarfile.h"
#include "store/volume.h"
#include "verbs/verb.h"

static int run(int argc, char **argv, struct fault *fault)
{
	static const char *const known[] = { NULL };
	AUTO_STORE store = STORE_INIT;
	AUTO_FD data = -1;

	if (verb_switches(argc, argv, known, fault) < 0)
		return -1;
	if (argc - optind != 2)
		return verb_misused(&verb_volume_backup, fault);
	interrupt_catch();
	if (store_open(&store, STORE_CHANGE, fault) < 0)
		return -1;
	data = volume_open(&store, argv[optind], fault);
	if (data < 0 || store_access(&store, STORE_FREE, fault) < 0)
		return -1;
	return tarfile_write(argv[optind + 1], data, fault);
}

const struct verb verb_volume_backup = {
	.name = "volume backup",
	.usage = "VOLUME TAR",
	.summary = "write what is in a volume as a tar",
	.help =
"TAR is made, completely or not at all; \"-\" is standard output. Any tar reads it.\n"
"Of a file that is being written, any mix of old and new may be in it.\n",
	.run = run,
};
