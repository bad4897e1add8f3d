// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer commit */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/interrupt.h"
#include "layer/copytree.h"
#include "store/container.h"
#include "store/image.h"
#include "store/layertar.h"
#include "verbs/verb.h"

struct commit {
	const char *name;		/* of the image; NULL */
	const char *message;
	bool quiet;
};

/* A copy of the upper in staging/"layer"/tree. */
static int copy_upper(struct staging *staging, const char *id, struct copied *copied,
		      struct fault *fault)
{
	AUTO_FD object = store_object(staging->store, STORE_CONTAINER, id, fault);
	AUTO_FD upper = object < 0 ? -1 : openat(object, "upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_FD root = object < 0 ? -1 : openat(object, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_FD layer = -1, tree = -1;

	if (upper < 0 || root < 0)
		return object < 0 ? -1 : fault_errno(fault, EXIT_SYSTEM, errno, "its upper");
	/* If it is mounted: what it has not written yet. */
	if (syncfs(root) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot write it to the disk");
	if (mkdirat(staging->fd, "layer", 0711) < 0 ||
	    (layer = openat(staging->fd, "layer", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 ||
	    mkdirat(layer, "tree", 0755) < 0 ||
	    (tree = openat(layer, "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot make a layer");
	return copytree(upper, tree, copied, fault);
}

/* What the layer is in an image: its digest, from which its id follows. */
static int identify(struct staging *staging, const json_t *layers, struct plan_layer *layer,
		    bool *of_difference, struct fault *fault)
{
	AUTO_FREE char *path = NULL;
	size_t count = json_array_size(layers);

	if (asprintf(&path, "%s/staging/%s/layer/tree", staging->store->path, staging->name) < 0) {
		path = NULL;
		return fault_no_memory(fault);
	}
	if (layertar_identify(staging->store, path, layers, count, layer->diff_id, of_difference,
			      fault) < 0)
		return -1;
	return plan_chain(layer->id, json_string_value(json_array_get(layers, count - 1)),
			  layer->diff_id, fault);
}

static int write_facts(struct staging *staging, const json_t *layers,
		       const struct plan_layer *layer, bool of_difference,
		       const struct copied *copied, struct fault *fault)
{
	AUTO_FD object = openat(staging->fd, "layer", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_JSON *facts = NULL;
	char now[TIME_SIZE];

	store_now(now);
	facts = json_pack("{s:i, s:s, s:s, s:s, s:b, s:I, s:I, s:s}", "version", 1, "id", layer->id,
			  "parent", json_string_value(json_array_get(layers, json_array_size(layers) - 1)),
			  "diff_id", layer->diff_id, "diff_id_of_difference",
			  of_difference, "bytes", (json_int_t)copied->bytes,
			  "entries", (json_int_t)copied->entries, "imported", now);
	if (!facts)
		return fault_no_memory(fault);
	if (object < 0 || jsonfile_write(object, FACTS, facts, fault) < 0)
		return fault->text ? -1 : fault_errno(fault, EXIT_SYSTEM, errno, "the layer");
	/* image_import_staged() looks for it by its id. */
	if (renameat(staging->fd, "layer", staging->fd, layer->id) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot name the layer");
	return 0;
}

/* The configuration of the container's image, with one layer more. */
static json_t *new_config(struct store *store, const json_t *facts,
			  const struct plan_layer *layer, const char *message,
			  struct fault *fault)
{
	AUTO_JSON *config = image_config(store, json_text(facts, "image"), fault);
	json_t *history, *result;
	char now[TIME_SIZE];

	if (!config)
		return NULL;
	store_now(now);
	history = json_object_get(config, "history");
	if (!json_is_array(history)) {
		history = json_array();
		if (json_set(config, "history", history, fault) < 0)
			return NULL;
	}
	json_array_append_new(json_object_get(json_object_get(config, "rootfs"), "diff_ids"),
			      json_string(layer->diff_id));
	json_array_append_new(history, json_pack("{s:s, s:s, s:s*}", "created", now,
						 "created_by", "veneer commit",
						 "comment", message));
	if (json_set(config, "created", json_string(now), fault) < 0)
		return NULL;
	result = config;
	config = NULL;
	return result;
}

static int import(struct staging *staging, const json_t *config, const char *name,
		  char id[ID_SIZE], struct fault *fault)
{
	const struct image_import how = { .name = name };
	CLEANUP(plans_free) struct plans plans = { 0 };

	if (plans_from_config(&plans, config, fault) < 0)
		return -1;
	strcpy(id, plans.plans[0].id);
	return image_import_staged(staging, &plans.plans[0], &how, fault);
}

static int commit(const char *word, const struct commit *how, struct fault *fault)
{
	AUTO_STORE store = STORE_INIT;
	AUTO_STAGING staging = STAGING_INIT;
	AUTO_FREE char *id = NULL;
	AUTO_JSON *facts = NULL, *config = NULL;
	struct copied copied = { 0 };
	struct plan_layer layer = { 0 };
	char image[ID_SIZE];
	bool of_difference = false;
	const json_t *layers;

	/* Held all the time: nobody is to remove the container or its layers. */
	if (store_open(&store, STORE_CHANGE, fault) < 0)
		return -1;
	id = container_find(&store, word, fault);
	facts = id ? store_facts(&store, STORE_CONTAINER, id, fault) : NULL;
	if (!facts || staging_begin(&staging, &store, fault) < 0)
		return -1;
	layers = json_object_get(facts, "layers");
	if (copy_upper(&staging, id, &copied, fault) < 0 ||
	    identify(&staging, layers, &layer, &of_difference, fault) < 0 ||
	    write_facts(&staging, layers, &layer, of_difference, &copied, fault) < 0)
		return fault_wrap(fault, "cannot commit \"%s\"", word);
	config = new_config(&store, facts, &layer, how->message, fault);
	if (!config || import(&staging, config, how->name, image, fault) < 0)
		return -1;
	printf("%s\n", image);
	return 0;
}

static int run(int argc, char **argv, struct fault *fault)
{
	static const struct option options[] = {
		{ "message", required_argument, NULL, 'm' },
		{ 0 },
	};
	struct commit how = { 0 };
	int option;

	while ((option = verb_option(argc, argv, ":m:", options, fault)) != -1) {
		if (option == '?')
			return -1;
		how.message = optarg;
	}
	if (argc - optind < 1 || argc - optind > 2)
		return verb_misused(&verb_commit, fault);
	how.name = argc - optind == 2 ? argv[optind + 1] : NULL;
	interrupt_catch();
	return commit(argv[optind], &how, fault);
}

const struct verb verb_commit = {
	.name = "commit",
	.usage = "[--message TEXT] CONTAINER [NAME]",
	.summary = "make an image of a container",
	.help =
"What the container has written becomes one more layer over those of its image.\n"
"Prints the new image's id. What is in volumes is not part of it. Of a file that a\n"
"program is writing meanwhile, any mix of old and new may become part of it.\n\n"
"  -m, --message TEXT   for veneer image history\n",
	.run = run,
};
