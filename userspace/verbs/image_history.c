// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer image history */
#include <stdio.h>

#include "base/human.h"
#include "layer/name.h"
#include "store/image.h"
#include "verbs/verb.h"

static int run(int argc, char **argv, struct fault *fault)
{
	static const char *const known[] = { "json", NULL };
	int switches = verb_switches(argc, argv, known, fault);
	AUTO_STORE store = STORE_INIT;
	AUTO_JSON *facts = NULL, *config = NULL;
	AUTO_FREE char *id = NULL;
	const json_t *history, *layers;
	size_t used = 0, i;
	json_t *step;

	if (switches < 0)
		return -1;
	if (argc - optind != 1)
		return verb_misused(&verb_image_history, fault);
	if (store_open(&store, STORE_LOOK, fault) < 0)
		return -1;
	id = image_find(&store, argv[optind], fault);
	facts = id ? store_facts(&store, STORE_IMAGE, id, fault) : NULL;
	config = facts ? image_config(&store, id, fault) : NULL;
	if (!config)
		return -1;
	history = json_object_get(config, "history");
	layers = json_object_get(facts, "layers");
	if (switches)
		return json_print(history ? history : json_array(), fault);
	json_array_foreach(history, i, step) {
		const char *layer = "";
		char size[SIZE_TEXT] = "0 B";
		AUTO_FREE char *by = name_quote(json_text(step, "created_by"));
		int64_t bytes;

		if (!json_is_true(json_object_get(step, "empty_layer")) &&
		    used < json_array_size(layers)) {
			layer = json_string_value(json_array_get(layers, used++));
			if (db_number(store.db, fault, &bytes,
				      "SELECT bytes FROM layers WHERE id = ?", "s", layer) < 0)
				return -1;
			human_size(bytes, size);
		}
		printf("%-12.12s %-20.20s %10s %s\n", *layer ? layer : "-",
		       json_text(step, "created"), size, by ? by : "");
	}
	/* An image need not have a history of all its layers. */
	for (; used < json_array_size(layers); used++)
		printf("%-12.12s %-20s\n", json_string_value(json_array_get(layers, used)), "-");
	return 0;
}

const struct verb verb_image_history = {
	.name = "image history",
	.usage = "[--json] IMAGE",
	.summary = "how an image was made, the oldest step first",
	.help = "  --json   for a script\n",
	.run = run,
};
