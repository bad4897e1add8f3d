// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer export */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/interrupt.h"
#include "layer/tarfile.h"
#include "store/container.h"
#include "store/view.h"
#include "verbs/verb.h"

static int run(int argc, char **argv, struct fault *fault)
{
	static const char *const known[] = { NULL };
	AUTO_STORE store = STORE_INIT;
	AUTO_FREE char *id = NULL;
	AUTO_JSON *facts = NULL;
	AUTO_FD view = -1;

	if (verb_switches(argc, argv, known, fault) < 0)
		return -1;
	if (argc - optind != 2)
		return verb_misused(&verb_export, fault);
	interrupt_catch();
	if (store_open(&store, STORE_LOOK, fault) < 0)
		return -1;
	id = container_find(&store, argv[optind], fault);
	facts = id ? store_facts(&store, STORE_CONTAINER, id, fault) : NULL;
	view = facts ? view_container(&store, id, facts, fault) : -1;
	if (view < 0 || store_access(&store, STORE_FREE, fault) < 0)
		return -1;
	return tarfile_write(argv[optind + 1], view, fault);
}

const struct verb verb_export = {
	.name = "export",
	.usage = "CONTAINER TAR",
	.summary = "write a container's tree as a tar",
	.help =
"TAR is made, completely or not at all; \"-\" is standard output. What is in volumes\n"
"is not part of it.\n",
	.run = run,
};
