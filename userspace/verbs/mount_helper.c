// SPDX-License-Identifier: GPL-2.0-or-later
/* mount.veneer: the program that mount(8) runs for "-t veneer". */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mount/fsmount.h"
#include "verbs/verb.h"

/* "veneer", or "veneer.ANYTHING" as mount(8) writes a type with a subtype. */
static bool is_own_type(const char *type)
{
	return !strncmp(type, "veneer", 6) && (!type[6] || type[6] == '.');
}

int mount_helper(int argc, char **argv, struct fault *fault)
{
	static const struct option long_options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	CLEANUP(options_free) struct mount_options options = { 0 };
	struct fsmount_flags flags = { 0 };
	const char *source, *target;
	int option;

	while ((option = verb_option(argc, argv, ":fnsvrwo:t:hV", long_options, fault)) != -1) {
		switch (option) {
		case 'f':
			flags.fake = true;
			break;
		case 'n':	/* there is no /etc/mtab to leave alone */
			break;
		case 's':
			flags.sloppy = true;
			break;
		case 'v':
			flags.verbose = true;
			break;
		case 'r':
			options.read_only = true;
			break;
		case 'w':
			options.read_write = true;
			break;
		case 'o':
			if (options_parse(&options, optarg, fault) < 0)
				return -1;
			break;
		case 't':
			if (!is_own_type(optarg))
				return fault_set(fault, EXIT_USAGE,
						 "the type \"%s\" is not veneer", optarg);
			break;
		case 'h':
			printf("Usage: mount.veneer SOURCE TARGET [-fnsv] [-o OPTIONS] [-t TYPE]\n\n"
			       "Called by mount(8). See mount.veneer(8).\n");
			return 0;
		case 'V':
			printf("mount.veneer %s\n", VENEER_VERSION);
			return 0;
		default:
			return -1;
		}
	}
	if (argc - optind != 2)
		return fault_set(fault, EXIT_USAGE,
				 "usage: mount.veneer SOURCE TARGET [-fnsv] [-o OPTIONS] [-t TYPE]");
	source = argv[optind];
	target = argv[optind + 1];
	if (options.remount)
		return fsmount_remount(target, &options, flags, fault);
	if (options.bind)
		return fault_set(fault, EXIT_USAGE, "-o bind needs no type; call mount --bind");
	return fsmount_new(fsmount_type(), source, target, &options, flags, fault);
}
