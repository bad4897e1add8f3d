// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer volume ls */
#include <stdio.h>

#include "base/human.h"
#include "store/volume.h"
#include "verbs/list.h"
#include "verbs/verb.h"

static json_t *describe(struct store *store, sqlite3_stmt *row, struct fault *fault)
{
	return volume_describe(store, db_column(row, 0), fault);
}

static void heading(void)
{
	printf("%-24s %-10s %10s %-20s %s\n", "NAME", "BACKEND", "SIZE", "LAST USED", "USERS");
}

static void print(const json_t *one)
{
	const json_t *users = json_object_get(one, "users");
	char size[SIZE_TEXT];
	const char *used = json_text(one, "last_used");

	human_size(json_number(one, "bytes"), size);
	printf("%-24.24s %-10s %10s %-20s", json_text(one, "name"), json_text(one, "backend"),
	       size, *used ? used : "never");
	for (size_t i = 0; i < json_array_size(users); i++)
		printf("%s%s", i ? "," : " ", json_string_value(json_array_get(users, i)));
	printf("\n");
}

static int run(int argc, char **argv, struct fault *fault)
{
	static const struct list list = {
		.verb = &verb_volume_ls,
		.sql = "SELECT name FROM volumes ORDER BY name",
		.describe = describe, .heading = heading, .print = print,
	};

	return list_run(&list, argc, argv, fault);
}

const struct verb verb_volume_ls = {
	.name = "volume ls",
	.usage = "[--json | --quiet]",
	.summary = "list the volumes, with size, users and when last used",
	.help = "  --json        for a script\n  -q, --quiet   names only\n",
	.run = run,
};
