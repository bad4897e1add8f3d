// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer image ls */
#include <stdio.h>

#include "base/human.h"
#include "store/image.h"
#include "verbs/list.h"
#include "verbs/verb.h"

static json_t *describe(struct store *store, sqlite3_stmt *row, struct fault *fault)
{
	const char *id = db_column(row, 0);
	json_t *names = image_names(store, id, fault), *image;
	int64_t all, own;

	if (!names || image_sizes(store, id, &all, &own, fault) < 0) {
		json_decref(names);
		return NULL;
	}
	image = json_pack("{s:s, s:o, s:s, s:I, s:I, s:I}", "id", id, "names", names,
			  "created", db_column(row, 1), "layers", (json_int_t)db_integer(row, 2),
			  "bytes", (json_int_t)all, "bytes_own", (json_int_t)own);
	if (!image)
		fault_no_memory(fault);
	return image;
}

static void heading(void)
{
	printf("%-40s %-12s %6s %10s %10s %10s\n", "NAME", "ID", "LAYERS", "SIZE", "ADDS",
	       "SHARED");
}

static void print(const json_t *image)
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
}

static int run(int argc, char **argv, struct fault *fault)
{
	static const struct list list = {
		.verb = &verb_image_ls,
		.sql = "SELECT id, created, (SELECT count(*) FROM image_layers WHERE image = id)"
		       " FROM images ORDER BY imported, id",
		.describe = describe, .heading = heading, .print = print,
	};

	return list_run(&list, argc, argv, fault);
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
	.run = run,
};
