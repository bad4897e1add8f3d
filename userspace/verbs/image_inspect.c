// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer image inspect */
#include "store/image.h"
#include "verbs/verb.h"

static int run(int argc, char **argv, struct fault *fault)
{
	static const char *const known[] = { NULL };
	AUTO_STORE store = STORE_INIT;
	AUTO_JSON *facts = NULL, *layers = json_array();
	AUTO_FREE char *id = NULL;
	json_t *layer;
	int64_t all, own;
	size_t i;

	if (verb_switches(argc, argv, known, fault) < 0)
		return -1;
	if (argc - optind != 1)
		return verb_misused(&verb_image_inspect, fault);
	if (store_open(&store, STORE_LOOK, fault) < 0)
		return -1;
	id = image_find(&store, argv[optind], fault);
	facts = id ? store_facts(&store, STORE_IMAGE, id, fault) : NULL;
	if (!facts || image_sizes(&store, id, &all, &own, fault) < 0)
		return -1;
	json_array_foreach(json_object_get(facts, "layers"), i, layer) {
		json_t *one = store_facts(&store, STORE_LAYER, json_string_value(layer), fault);
		AUTO_FREE char *path = store_path(&store, STORE_LAYER, json_string_value(layer),
						  "tree");

		if (!one || !path || json_set(one, "path", json_string(path), fault) < 0)
			return -1;
		json_array_append_new(layers, one);
	}
	if (json_set(facts, "names", image_names(&store, id, fault), fault) < 0 ||
	    json_set(facts, "layers", json_incref(layers), fault) < 0 ||
	    json_set(facts, "bytes", json_integer(all), fault) < 0 ||
	    json_set(facts, "bytes_own", json_integer(own), fault) < 0 ||
	    json_set(facts, "config", image_config(&store, id, fault), fault) < 0)
		return -1;
	return json_print(facts, fault);
}

const struct verb verb_image_inspect = {
	.name = "image inspect",
	.usage = "IMAGE",
	.summary = "all that is known of an image, as JSON",
	.help = "IMAGE is a name, an id or the beginning of one.\n",
	.run = run,
};
