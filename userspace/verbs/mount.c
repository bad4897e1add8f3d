// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer mount */
#include <stdio.h>
#include <string.h>

#include "mount/fsmount.h"
#include "store/container.h"
#include "verbs/verb.h"

static int mount_container(const char *word, struct fault *fault)
{
	AUTO_STORE store = STORE_INIT;
	AUTO_FREE char *id = NULL, *path = NULL;

	if (store_open(&store, STORE_CHANGE, fault) < 0)
		return -1;
	id = container_find(&store, word, fault);
	if (!id || container_mount(&store, id, &path, fault) < 0)
		return -1;
	printf("%s\n", path);
	return 0;
}

/* What a reboot unmounted. One that fails is told of, and the others come back. */
static int mount_all(struct fault *fault)
{
	AUTO_STORE store = STORE_INIT;
	AUTO_QUERY *rows = NULL;
	int more, code = 0;

	if (store_open(&store, STORE_CHANGE, fault) < 0)
		return -1;
	rows = db_query(store.db, fault, "SELECT id, name FROM containers ORDER BY created", "");
	more = rows ? 1 : -1;
	while (more > 0 && (more = db_row(store.db, rows, fault)) > 0) {
		AUTO_FREE char *path = NULL;
		struct fault one = { 0 };

		if (!container_wants_mount(&store, db_column(rows, 0)))
			continue;
		if (!container_mount(&store, db_column(rows, 0), &path, &one)) {
			printf("%s %s\n", db_column(rows, 1), path);
			continue;
		}
		code = fault_report(&one);
		fault_clear(&one);
	}
	return more < 0 ? -1 : code;
}

static int run(int argc, char **argv, struct fault *fault)
{
	static const struct option long_options[] = {
		{ "lower", required_argument, NULL, 'l' },
		{ "upper", required_argument, NULL, 'u' },
		{ "work", required_argument, NULL, 'w' },
		{ "options", required_argument, NULL, 'o' },
		{ "read-only", no_argument, NULL, 'r' },
		{ "volatile", no_argument, NULL, 'V' },
		{ "all", no_argument, NULL, 'a' },
		{ "type", required_argument, NULL, 't' },
		{ 0 },
	};
	CLEANUP(options_free) struct mount_options options = { 0 };
	const char *type = fsmount_type();
	bool upper = false, work = false, all = false, layers = false;
	int option, result = 0;

	while ((option = verb_option(argc, argv, ":o:r", long_options, fault)) != -1) {
		switch (option) {
		case 'l':
			layers = true;
			result = options_add(&options, "lowerdir+", optarg, fault);
			break;
		case 'u':
			upper = true;
			result = options_add(&options, "upperdir", optarg, fault);
			break;
		case 'w':
			work = true;
			result = options_add(&options, "workdir", optarg, fault);
			break;
		case 'o':
			result = options_parse(&options, optarg, fault);
			break;
		case 'r':
			options.read_only = true;
			break;
		case 'V':
			result = options_add(&options, "volatile", NULL, fault);
			break;
		case 'a':
			all = true;
			break;
		case 't':
			type = optarg;
			break;
		default:
			return -1;
		}
		if (result < 0)
			return -1;
	}
	if (all && argc == optind)
		return mount_all(fault);
	/* A path has a slash; options that make a mount are for a path. */
	if (argc - optind == 1 && !layers && !options.parameter_count &&
	    !strchr(argv[optind], '/'))
		return mount_container(argv[optind], fault);
	if (argc - optind != 1)
		return verb_misused(&verb_mount, fault);
	if (upper != work)
		return fault_set(fault, EXIT_USAGE,
				 "--upper and --work go together; --work is an empty directory on the same filesystem");
	if (options.remount || options.bind)
		return fault_set(fault, EXIT_USAGE,
				 "-o remount and -o bind are for mount(8), not for veneer mount");
	return fsmount_new(type, type, argv[optind], &options, (struct fsmount_flags){ 0 },
			   fault);
}

const struct verb verb_mount = {
	.name = "mount",
	.usage = "CONTAINER | --all | [OPTION...] --lower DIR... [--upper DIR --work DIR] TARGET",
	.summary = "mount a container, or layers",
	.help =
"A container is mounted with its volumes, and where that is printed.\n\n"
"  --all               every container that was mounted when the machine went down\n\n"
"Layers are mounted on the directory TARGET:\n\n"
"  --lower DIR         a layer; once per layer, topmost first\n"
"  --upper DIR         the directory that takes what is written; without it the\n"
"                      mount is the image, read-only\n"
"  --work DIR          an empty directory on the filesystem of the upper\n"
"  -r, --read-only     mount read-only\n"
"  --volatile          do not make the upper durable: faster, gone after a crash\n"
"  -o, --options LIST  options as for mount(8), separated by commas\n",
	.run = run,
};
