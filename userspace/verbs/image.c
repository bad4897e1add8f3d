// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer image ls, inspect, history, tag, rm */
#include <stdio.h>
#include <string.h>

#include "base/human.h"
#include "store/image.h"
#include "verbs/verb.h"

static const char *const json_quiet[] = { "json", "quiet", NULL };

enum { JSON = 1, QUIET = 2 };

static json_t *names_of(struct store *store, const char *id, struct fault *fault)
{
	AUTO_QUERY *rows = db_query(store->db, fault,
				    "SELECT name FROM names WHERE image = ? ORDER BY name", "s", id);
	AUTO_JSON *names = json_array();
	json_t *result;
	int more = rows && names ? 1 : -1;

	while (more > 0 && (more = db_row(store->db, rows, fault)) > 0)
		json_array_append_new(names, json_string(db_column(rows, 0)));
	if (more < 0)
		return NULL;
	result = names;
	names = NULL;
	return result;
}

/*
 * Bytes of an image's layers: all, and what it adds to the store: those that are
 * in no layer of another image, and not in a layer below either.
 */
static int sizes_of(struct store *store, const char *id, int64_t *all, int64_t *own,
		    struct fault *fault)
{
	if (db_number(store->db, fault, all,
		      "SELECT sum(bytes) FROM layers WHERE id IN"
		      " (SELECT layer FROM image_layers WHERE image = ?)", "s", id) < 0)
		return -1;
	return db_number(store->db, fault, own,
			 "SELECT sum(bytes - shared) FROM layers AS l WHERE id IN"
			 " (SELECT layer FROM image_layers WHERE image = ?1) AND NOT EXISTS"
			 " (SELECT 1 FROM image_layers WHERE layer = l.id AND image <> ?1)",
			 "s", id);
}

static int print_image(const json_t *image)
{
	char all[SIZE_TEXT], own[SIZE_TEXT], shared[SIZE_TEXT];
	const json_t *names = json_object_get(image, "names");
	size_t count = json_array_size(names);

	human_size(json_number(image, "bytes"), all);
	human_size(json_number(image, "bytes_own"), own);
	human_size(json_number(image, "bytes") - json_number(image, "bytes_own"), shared);
	for (size_t i = 0; i < (count ? count : 1); i++)
		printf("%-40s %.12s %6lld %10s %10s %10s\n",
		       count ? json_string_value(json_array_get(names, i)) : "-",
		       json_text(image, "id"), (long long)json_number(image, "layers"), all, own, shared);
	return 0;
}

static int run_ls(int argc, char **argv, struct fault *fault)
{
	int switches = verb_switches(argc, argv, json_quiet, fault);
	AUTO_STORE store = STORE_INIT;
	AUTO_JSON *list = json_array();
	AUTO_QUERY *rows = NULL;
	int more = 1;

	if (switches < 0)
		return -1;
	if (argc != optind)
		return verb_misused(&verb_image_ls, fault);
	if (store_open(&store, STORE_LOOK, fault) < 0)
		return -1;
	rows = db_query(store.db, fault,
			"SELECT id, created, (SELECT count(*) FROM image_layers WHERE image = id)"
			" FROM images ORDER BY imported, id", "");
	if (!rows)
		return -1;
	if (!(switches & (JSON | QUIET)))
		printf("%-40s %-12s %6s %10s %10s %10s\n", "NAME", "ID", "LAYERS", "SIZE", "ADDS",
		       "SHARED");
	while ((more = db_row(store.db, rows, fault)) > 0) {
		json_t *image, *names;
		int64_t all, own;

		names = names_of(&store, db_column(rows, 0), fault);
		if (!names || sizes_of(&store, db_column(rows, 0), &all, &own, fault) < 0)
			return -1;
		image = json_pack("{s:s, s:o, s:s, s:I, s:I, s:I}", "id", db_column(rows, 0),
				  "names", names, "created", db_column(rows, 1), "layers",
				  (json_int_t)sqlite3_column_int64(rows, 2), "bytes",
				  (json_int_t)all, "bytes_own", (json_int_t)own);
		if (!image || json_array_append_new(list, image))
			return fault_no_memory(fault);
		if (switches & QUIET)
			printf("%s\n", db_column(rows, 0));
		else if (!(switches & JSON))
			print_image(image);
	}
	if (more < 0)
		return -1;
	return switches & JSON ? json_print(list, fault) : 0;
}

const struct verb verb_image_ls = {
	.name = "image ls",
	.usage = "[--json | --quiet]",
	.summary = "list the images",
	.help =
"SIZE is the content of all its layers. ADDS is the part of it that no other image\n"
"has and no layer below; SHARED is the rest.\n\n"
"  --json        for a script\n"
"  -q, --quiet   ids only\n",
	.run = run_ls,
};

static int run_inspect(int argc, char **argv, struct fault *fault)
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
	if (!facts || sizes_of(&store, id, &all, &own, fault) < 0)
		return -1;
	json_array_foreach(json_object_get(facts, "layers"), i, layer) {
		json_t *one = store_facts(&store, STORE_LAYER, json_string_value(layer), fault);
		AUTO_FREE char *path = store_path(&store, STORE_LAYER, json_string_value(layer),
						  "tree");

		if (!one || !path || json_set(one, "path", json_string(path), fault) < 0)
			return -1;
		json_array_append_new(layers, one);
	}
	if (json_set(facts, "names", names_of(&store, id, fault), fault) < 0 ||
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
	.run = run_inspect,
};

static int run_history(int argc, char **argv, struct fault *fault)
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
	if (switches & JSON)
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
	.run = run_history,
};

static int run_tag(int argc, char **argv, struct fault *fault)
{
	static const char *const known[] = { NULL };
	AUTO_STORE store = STORE_INIT;
	AUTO_STAGING staging = STAGING_INIT;
	AUTO_FREE char *id = NULL;

	if (verb_switches(argc, argv, known, fault) < 0)
		return -1;
	if (argc - optind != 2)
		return verb_misused(&verb_image_tag, fault);
	if (store_open(&store, STORE_CHANGE, fault) < 0)
		return -1;
	id = image_find(&store, argv[optind], fault);
	if (!id || staging_begin(&staging, &store, fault) < 0 ||
	    image_tag(&store, &staging, id, argv[optind + 1], fault) < 0)
		return -1;
	return store_finish(&store, fault);
}

const struct verb verb_image_tag = {
	.name = "image tag",
	.usage = "IMAGE NAME",
	.summary = "give an image a name",
	.help = "NAME is taken from the image that had it. Without a tag it gets \":latest\".\n",
	.run = run_tag,
};

static int remove_one(const char *word, bool quiet, struct fault *fault)
{
	AUTO_STORE store = STORE_INIT;
	AUTO_STAGING staging = STAGING_INIT;
	struct image_removal removal = { 0 };
	AUTO_FREE char *id = NULL;

	if (store_open(&store, STORE_CHANGE, fault) < 0 ||
	    staging_begin(&staging, &store, fault) < 0)
		return -1;
	if (image_remove(&store, &staging, word, &removal, fault) < 0) {
		free(removal.id);
		return -1;
	}
	id = removal.id;
	/* Nobody has to wait while what was removed is deleted. */
	if (store_finish(&store, fault) < 0 || store_access(&store, STORE_FREE, fault) < 0)
		return -1;
	if (quiet)
		return 0;
	if (removal.image_gone)
		printf("Removed image %.12s and %lu of its layers\n", id, removal.layers);
	else
		printf("Removed the name \"%s\" of image %.12s\n", word, id);
	return 0;
}

static int run_rm(int argc, char **argv, struct fault *fault)
{
	static const char *const known[] = { "quiet", NULL };
	int switches = verb_switches(argc, argv, known, fault);

	if (switches < 0)
		return -1;
	if (argc - optind < 1)
		return verb_misused(&verb_image_rm, fault);
	for (int i = optind; i < argc; i++) {
		if (remove_one(argv[i], switches, fault) < 0)
			return -1;
	}
	return 0;
}

const struct verb verb_image_rm = {
	.name = "image rm",
	.usage = "[--quiet] IMAGE...",
	.summary = "remove a name of an image, and with the last one the image",
	.help =
"Layers go with the last image or container that uses them. An image that a\n"
"container uses is not removed.\n",
	.run = run_rm,
};
