// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer volume create */
#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "verbs/verb.h"
#include "verbs/volume_create.h"

int volume_create_print(const struct volume_spec *spec, struct fault *fault)
{
	AUTO_STORE store = STORE_INIT;
	AUTO_STAGING staging = STAGING_INIT;
	AUTO_FREE char *name = NULL;

	if (store_open(&store, STORE_CHANGE, fault) < 0 ||
	    staging_begin(&staging, &store, fault) < 0 ||
	    volume_create(&staging, spec, &name, fault) < 0 || store_finish(&store, fault) < 0)
		return -1;
	printf("%s\n", name);
	return 0;
}

/* "KEY=VALUE" for a plug-in. */
static int add_option(json_t *options, char *text, struct fault *fault)
{
	char *value = strchr(text, '=');

	if (!value)
		return fault_set(fault, EXIT_USAGE, "--opt: \"%s\" is not of the form KEY=VALUE",
				 text);
	*value++ = '\0';
	return json_set(options, text, json_string(value), fault);
}

static int run(int argc, char **argv, struct fault *fault)
{
	static const struct option options[] = {
		{ "backend", required_argument, NULL, 'b' },
		{ "size", required_argument, NULL, 's' },
		{ "opt", required_argument, NULL, 'o' },
		{ 0 },
	};
	AUTO_JSON *plugin = json_object();
	struct volume_spec spec = { .options = plugin };
	int option;

	while ((option = verb_option(argc, argv, ":b:s:o:", options, fault)) != -1) {
		switch (option) {
		case 'b':
			spec.backend = optarg;
			break;
		case 's':
			if (config_size(optarg, &spec.size) < 0)
				return fault_set(fault, EXIT_USAGE,
						 "--size: \"%s\" is not a size like 500M or 2G",
						 optarg);
			break;
		case 'o':
			if (add_option(plugin, optarg, fault) < 0)
				return -1;
			break;
		default:
			return -1;
		}
	}
	if (argc - optind > 1)
		return verb_misused(&verb_volume_create, fault);
	spec.name = argc > optind ? argv[optind] : NULL;
	return volume_create_print(&spec, fault);
}

const struct verb verb_volume_create = {
	.name = "volume create",
	.usage = "[OPTION...] [NAME]",
	.summary = "make a volume",
	.help =
"Prints its name; without NAME it is one by chance.\n\n"
"  -b, --backend KIND   directory (default), tmpfs (gone when the machine stops),\n"
"                       loop (a filesystem in a file, with a limit), or the name of\n"
"                       an executable, see veneer-volume-plugin(7)\n"
"  -s, --size SIZE      the limit for tmpfs and loop: 500M, 2G\n"
"  -o, --opt KEY=VALUE  for such an executable; repeat for more\n",
	.run = run,
};
