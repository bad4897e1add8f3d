// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer create */
#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "store/container.h"
#include "verbs/create.h"
#include "verbs/verb.h"

int create_add_volume(json_t *volumes, const char *text, struct fault *fault)
{
	AUTO_FREE char *copy = strdup(text);
	const char *name = "", *path = copy;
	bool read_only = false;
	char *colon;

	if (!copy)
		return fault_no_memory(fault);
	colon = strrchr(copy, ':');
	if (colon && (!strcmp(colon, ":ro") || !strcmp(colon, ":rw"))) {
		read_only = colon[2] == 'o';
		*colon = '\0';
	}
	colon = strchr(copy, ':');
	if (colon) {
		*colon = '\0';
		name = copy;
		path = colon + 1;
	}
	if (*path != '/' || !path[strspn(path, "/")] || (colon && !*name)) {
		fault_set(fault, EXIT_USAGE, "--volume: \"%s\" is not of the form [VOLUME:]/PATH[:ro]",
			  text);
		return fault_advise(fault, "a directory of the host is attached with veneer volume attach");
	}
	return json_array_append_new(volumes,
				     json_pack("{s:s, s:s, s:b}", "volume", name, "path", path,
					       "read_only", read_only)) ?
		fault_set(fault, EXIT_USAGE, "--volume: \"%s\" is not UTF-8", text) : 0;
}

static int create(const struct container_spec *spec, bool quiet, struct fault *fault)
{
	AUTO_STORE store = STORE_INIT;
	AUTO_STAGING staging = STAGING_INIT;
	AUTO_JSON *facts = NULL;
	char id[ID_SIZE];

	if (store_open(&store, STORE_CHANGE, fault) < 0 ||
	    staging_begin(&staging, &store, fault) < 0 ||
	    container_create(&staging, spec, id, fault) < 0 || store_finish(&store, fault) < 0)
		return -1;
	facts = store_facts(&store, STORE_CONTAINER, id, fault);
	if (!facts)
		return -1;
	printf("%s\n", quiet ? id : json_text(facts, "name"));
	return 0;
}

static int run(int argc, char **argv, struct fault *fault)
{
	static const struct option options[] = {
		{ "name", required_argument, NULL, 'n' },
		{ "volume", required_argument, NULL, 'v' },
		{ "size", required_argument, NULL, 's' },
		{ "quiet", no_argument, NULL, 'q' },
		{ 0 },
	};
	AUTO_JSON *volumes = json_array();
	struct container_spec spec = { .volumes = volumes };
	bool quiet = false;
	int option;

	while ((option = verb_option(argc, argv, ":n:v:q", options, fault)) != -1) {
		switch (option) {
		case 'n':
			spec.name = optarg;
			break;
		case 'v':
			if (create_add_volume(volumes, optarg, fault) < 0)
				return -1;
			break;
		case 's':
			if (config_size(optarg, &spec.size_limit) < 0 || !spec.size_limit)
				return fault_set(fault, EXIT_USAGE,
						 "--size: \"%s\" is not a size like 500M or 2G",
						 optarg);
			break;
		case 'q':
			quiet = true;
			break;
		default:
			return -1;
		}
	}
	if (argc - optind != 1)
		return verb_misused(&verb_create, fault);
	spec.image = argv[optind];
	return create(&spec, quiet, fault);
}

const struct verb verb_create = {
	.name = "create",
	.usage = "[OPTION...] IMAGE",
	.summary = "make a container of an image",
	.help =
"Prints the container's name. It is mounted by veneer mount or veneer run.\n\n"
"  -n, --name NAME                   its name (default: one by chance)\n"
"  -v, --volume [VOLUME:]/PATH[:ro]  attach a volume whenever it is mounted; once per\n"
"                                    volume. One that is not there is made; without\n"
"                                    VOLUME it is a new one with a name by chance\n"
"  --size SIZE                       the most that the container may write, by project\n"
"                                    quota: 500M, 2G\n"
"  -q, --quiet                       print its id instead\n",
	.run = run,
};
