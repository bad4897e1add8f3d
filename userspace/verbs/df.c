// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer df */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/human.h"
#include "layer/usage.h"
#include "store/container.h"
#include "verbs/verb.h"

static int measure(struct store *store, enum store_kind kind, const char *id, const char *rest,
		   uint64_t *bytes, struct fault *fault)
{
	AUTO_FREE char *path = store_path(store, kind, id, rest);

	*bytes = 0;
	/* A volume that a plug-in has is not here. */
	if (path && access(path, F_OK) && errno == ENOENT)
		return 0;
	return path ? usage_of_path(path, bytes, fault) : fault_no_memory(fault);
}

/* Rows of @sql: an id, a name and a number of users. */
static json_t *list(struct store *store, enum store_kind kind, const char *rest, const char *sql,
		    struct fault *fault)
{
	AUTO_QUERY *rows = db_query(store->db, fault, sql, "");
	AUTO_JSON *items = json_array();
	json_t *result;
	int more = rows ? 1 : -1;

	while (more > 0 && (more = db_row(store->db, rows, fault)) > 0) {
		uint64_t bytes;
		json_t *one;

		if (measure(store, kind, db_column(rows, 0), rest, &bytes, fault) < 0)
			return NULL;
		one = json_pack("{s:s, s:s, s:I, s:I}", "id", db_column(rows, 0), "name",
				db_column(rows, 1), "users",
				(json_int_t)db_integer(rows, 2), "bytes",
				(json_int_t)bytes);
		if (!one || json_array_append_new(items, one)) {
			fault_no_memory(fault);
			return NULL;
		}
	}
	if (more < 0)
		return NULL;
	result = items;
	items = NULL;
	return result;
}

/* The sum of all with at least @least and at most @most users. */
static uint64_t sum(const json_t *items, json_int_t least, json_int_t most)
{
	uint64_t bytes = 0;
	json_t *one;
	size_t i;

	json_array_foreach(items, i, one) {
		json_int_t users = json_number(one, "users");

		if (users >= least && users <= most)
			bytes += json_number(one, "bytes");
	}
	return bytes;
}

static void print_sum(const char *what, size_t count, uint64_t bytes, uint64_t reclaimable)
{
	char all[SIZE_TEXT], free[SIZE_TEXT];

	printf("%-24s %6zu %12s %12s\n", what, count, human_size(bytes, all),
	       human_size(reclaimable, free));
}

static void print_items(const char *title, const json_t *items)
{
	char size[SIZE_TEXT];
	json_t *one;
	size_t i;

	if (!json_array_size(items))
		return;
	printf("\n%s\n", title);
	json_array_foreach(items, i, one)
		printf("  %-40.40s %12s\n", json_text(one, "name"),
		       human_size(json_number(one, "bytes"), size));
}

static const json_int_t any = (json_int_t)1 << 40;

static int run(int argc, char **argv, struct fault *fault)
{
	static const char *const known[] = { "json", NULL };
	int switches = verb_switches(argc, argv, known, fault);
	AUTO_STORE store = STORE_INIT;
	char shared[SIZE_TEXT];
	AUTO_JSON *layers = NULL, *containers = NULL, *volumes = NULL, *json = NULL;

	if (switches < 0)
		return -1;
	if (argc != optind)
		return verb_misused(&verb_df, fault);
	if (store_open(&store, STORE_LOOK, fault) < 0)
		return -1;
	layers = list(&store, STORE_LAYER, "tree",
		      "SELECT id, substr(id, 1, 12), (SELECT count(*) FROM image_layers WHERE layer = id)"
		      " + (SELECT count(*) FROM container_layers AS c WHERE layer = layers.id AND NOT EXISTS"
		      "  (SELECT 1 FROM image_layers WHERE layer = c.layer)) FROM layers ORDER BY id", fault);
	containers = layers ? list(&store, STORE_CONTAINER, "upper",
				   "SELECT id, name, 1 FROM containers ORDER BY name", fault) : NULL;
	volumes = containers ? list(&store, STORE_VOLUME, "data",
				    "SELECT name, name, (SELECT count(DISTINCT container) FROM"
				    " container_volumes WHERE volume = name) FROM volumes ORDER BY name",
				    fault) : NULL;
	if (!volumes)
		return -1;
	if (switches) {
		json = json_pack("{s:I, s:I, s:I, s:I, s:I, s:O, s:O, s:O}",
				 "layer_bytes", (json_int_t)sum(layers, 0, any),
				 "shared_bytes", (json_int_t)sum(layers, 2, any),
				 "container_bytes", (json_int_t)sum(containers, 0, any),
				 "volume_bytes", (json_int_t)sum(volumes, 0, any),
				 "reclaimable_bytes",
				 (json_int_t)(sum(layers, 0, 0) + sum(volumes, 0, 0)),
				 "layers", layers, "containers", containers, "volumes", volumes);
		return json_print(json, fault);
	}
	printf("%-24s %6s %12s %12s\n", "", "COUNT", "SIZE", "RECLAIMABLE");
	print_sum("Layers", json_array_size(layers), sum(layers, 0, any), sum(layers, 0, 0));
	printf("%-24s %6s %12s\n", "  of several images", "",
	       human_size(sum(layers, 2, any), shared));
	print_sum("Containers", json_array_size(containers), sum(containers, 0, any), 0);
	print_sum("Volumes", json_array_size(volumes), sum(volumes, 0, any), sum(volumes, 0, 0));
	print_items("Containers", containers);
	print_items("Volumes", volumes);
	return 0;
}

const struct verb verb_df = {
	.name = "df",
	.usage = "[--json]",
	.summary = "the space that layers, containers and volumes take",
	.help =
"On the disk, as du(1) counts. Reclaimable are layers that nothing uses (veneer\n"
"prune) and volumes that no container has (veneer volume prune).\n\n"
"  --json   for a script\n",
	.run = run,
};
