// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer mount */
#include <stdio.h>
#include <string.h>

#include "fsmount.h"
#include "verb.h"

static int run(int argc, char **argv, struct fault *fault)
{
	static const struct option long_options[] = {
		{ "lower", required_argument, NULL, 'l' },
		{ "upper", required_argument, NULL, 'u' },
		{ "work", required_argument, NULL, 'w' },
		{ "options", required_argument, NULL, 'o' },
		{ "read-only", no_argument, NULL, 'r' },
		{ "volatile", no_argument, NULL, 'V' },
		{ "type", required_argument, NULL, 't' },
		{ 0 },
	};
	CLEANUP(options_free) struct mount_options options = { 0 };
	const char *type = fsmount_type();
	bool upper = false, work = false;
	int option, result = 0;

	while ((option = verb_option(argc, argv, ":o:r", long_options, fault)) != -1) {
		switch (option) {
		case 'l':
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
		case 't':
			type = optarg;
			break;
		default:
			return -1;
		}
		if (result < 0)
			return -1;
	}
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
	.usage = "[OPTION...] --lower DIR... [--upper DIR --work DIR] TARGET",
	.summary = "mount an image of layers",
	.help =
"  --lower DIR         a layer; once per layer, topmost first\n"
"  --upper DIR         the directory that takes what is written; without it the\n"
"                      mount is the image, read-only\n"
"  --work DIR          an empty directory on the filesystem of the upper\n"
"  -r, --read-only     mount read-only\n"
"  --volatile          do not make the upper durable: faster, gone after a crash\n"
"  -o, --options LIST  options as for mount(8), separated by commas\n",
	.run = run,
};
