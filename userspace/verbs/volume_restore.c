// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer volume restore */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/interrupt.h"
#include "layer/import.h"
#include "verbs/verb.h"
#include "verbs/volume_create.h"

static int fill_from_tar(int data, void *context, struct fault *fault)
{
	const struct import_how how = { .plain = true };
	struct import_result result;

	return import_into(*(int *)context, data, &how, &result, fault);
}

static int run(int argc, char **argv, struct fault *fault)
{
	static const char *const known[] = { NULL };
	struct volume_spec spec = { .fill = fill_from_tar };
	AUTO_FD archive = -1;

	if (verb_switches(argc, argv, known, fault) < 0)
		return -1;
	if (argc - optind != 2)
		return verb_misused(&verb_volume_restore, fault);
	interrupt_catch();
	archive = strcmp(argv[optind + 1], "-") ?
		open(argv[optind + 1], O_RDONLY | O_CLOEXEC | O_NOCTTY) :
		fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	if (archive < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot open \"%s\"", argv[optind + 1]);
	spec.name = argv[optind];
	spec.context = &archive;
	if (volume_create_print(&spec, fault) < 0)
		return fault_wrap(fault, "cannot restore \"%s\"", argv[optind + 1]);
	return 0;
}

const struct verb verb_volume_restore = {
	.name = "volume restore",
	.usage = "VOLUME TAR",
	.summary = "make a volume of what is in a tar",
	.help =
"The volume must not be there yet; it appears with all of its data or not at all.\n"
"TAR may be compressed; \"-\" is standard input.\n",
	.run = run,
};
