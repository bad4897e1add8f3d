// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer run */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "mount/runtime.h"
#include "store/container.h"
#include "store/image.h"
#include "verbs/create.h"
#include "verbs/verb.h"

struct run {
	const char *word;		/* a container's name, or an image's */
	struct container_spec spec;
	struct runtime_command command;
	const char *runtime;
	bool remove;
};

/* The container's id; made of the image if there is none so called. To be freed. */
static char *find_or_create(struct store *store, struct run *run, struct fault *fault)
{
	AUTO_STAGING staging = STAGING_INIT;
	struct fault unknown = { 0 };
	char id[ID_SIZE];
	char *found = run->spec.name ? NULL : container_find(store, run->word, &unknown);

	fault_clear(&unknown);
	if (found)
		return found;
	run->spec.image = run->word;
	if (staging_begin(&staging, store, fault) < 0 ||
	    container_create(&staging, &run->spec, id, fault) < 0 ||
	    store_finish(store, fault) < 0)
		return NULL;
	return strdup(id);
}

/* What the container runs in, with the store unlocked meanwhile. */
static int execute(struct store *store, const char *id, struct run *run, int *status,
		   struct fault *fault)
{
	AUTO_JSON *facts = store_facts(store, STORE_CONTAINER, id, fault);
	AUTO_JSON *config = facts ? image_config(store, json_text(facts, "image"), fault) : NULL;
	AUTO_FREE char *root = NULL;
	int mounted = config ? container_mounted(store, id, fault) : -1, result;

	if (mounted < 0 || container_mount(store, id, &root, fault) < 0 ||
	    store_access(store, STORE_FREE, fault) < 0)
		return -1;
	run->command.root = root;
	run->command.hostname = json_text(facts, "name");
	run->command.config = json_object_get(config, "config");
	result = runtime_run(run->runtime, id, &run->command, status, fault);
	if (mounted && !run->remove)
		return result;
	/* What failed before must not be hidden by what fails now. */
	if (result < 0) {
		struct fault later = { 0 };

		if (store_access(store, STORE_CHANGE, &later) < 0 ||
		    container_unmount(store, id, false, &later) < 0)
			fault_report(&later);
		fault_clear(&later);
		return result;
	}
	if (store_access(store, STORE_CHANGE, fault) < 0)
		return -1;
	return container_unmount(store, id, false, fault);
}

static int run_container(struct run *run, int *status, struct fault *fault)
{
	AUTO_STORE store = STORE_INIT;
	AUTO_STAGING staging = STAGING_INIT;
	AUTO_FREE char *id = NULL;

	if (store_open(&store, STORE_CHANGE, fault) < 0)
		return -1;
	id = find_or_create(&store, run, fault);
	if (!id || execute(&store, id, run, status, fault) < 0)
		return -1;
	if (!run->remove)
		return 0;
	if (staging_begin(&staging, &store, fault) < 0 ||
	    container_remove(&staging, id, false, fault) < 0)
		return -1;
	return store_finish(&store, fault);
}

static int run(int argc, char **argv, struct fault *fault)
{
	static const struct option options[] = {
		{ "name", required_argument, NULL, 'n' },
		{ "volume", required_argument, NULL, 'v' },
		{ "size", required_argument, NULL, 's' },
		{ "rm", no_argument, NULL, 'R' },
		{ "runtime", required_argument, NULL, 'r' },
		{ 0 },
	};
	const struct config *config = config_get(fault);
	AUTO_JSON *volumes = json_array();
	struct run run = { .spec.volumes = volumes };
	int option, status = 0;

	if (!config)
		return -1;
	run.runtime = config->runtime;
	/* "+": what follows the container belongs to the command. */
	while ((option = verb_option(argc, argv, "+:n:v:", options, fault)) != -1) {
		if (option == '?' ||
		    (option == 'v' && create_add_volume(volumes, optarg, fault) < 0))
			return -1;
		if (option == 's' && config_size(optarg, &run.spec.size_limit) < 0)
			return fault_set(fault, EXIT_USAGE,
					 "--size: \"%s\" is not a size like 500M or 2G", optarg);
		if (option == 'n')
			run.spec.name = optarg;
		if (option == 'r')
			run.runtime = optarg;
		run.remove |= option == 'R';
	}
	if (argc == optind)
		return verb_misused(&verb_run, fault);
	run.word = argv[optind];
	run.command.argv = argv + optind + 1;
	if (run_container(&run, &status, fault) < 0)
		return -1;
	return status;
}

const struct verb verb_run = {
	.name = "run",
	.usage = "[OPTION...] CONTAINER | IMAGE [COMMAND [ARGUMENT...]]",
	.summary = "start a command in a container",
	.help =
"Mounts the container if it is not mounted, and unmounts it then. With an image, a\n"
"container is made first. Without COMMAND the image says what to start. Exits as\n"
"the command does; 128 and the signal's number if one ended it.\n\n"
"  --rm                              remove the container at the end\n"
"  --runtime NAME                    unshare (default): a chroot with namespaces of its\n"
"                                    own for mounts, processes, its name and IPC; or\n"
"                                    the name of an OCI runtime, like crun\n"
"  -n, --name NAME                   as for veneer create, of an image\n"
"  -v, --volume [VOLUME:]/PATH[:ro]  the same\n"
"  --size SIZE                       the same\n",
	.run = run,
};
