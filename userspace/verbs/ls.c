// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer ls */
#include <stdio.h>

#include "store/container.h"
#include "verbs/list.h"
#include "verbs/verb.h"

static json_t *describe(struct store *store, sqlite3_stmt *row, struct fault *fault)
{
	return container_describe(store, db_column(row, 0), fault);
}

static void heading(void)
{
	printf("%-24s %-12s %-32s %-20s %s\n", "NAME", "ID", "IMAGE", "CREATED", "MOUNTED");
}

static void print(const json_t *one)
{
	printf("%-24s %.12s %-32s %-20s %s\n", json_text(one, "name"), json_text(one, "id"),
	       json_text(one, "image_name"), json_text(one, "created"),
	       json_is_true(json_object_get(one, "mounted")) ? "yes" : "no");
}

static int run(int argc, char **argv, struct fault *fault)
{
	static const struct list list = {
		.verb = &verb_ls,
		.sql = "SELECT id FROM containers ORDER BY created, name",
		.describe = describe, .heading = heading, .print = print,
	};

	return list_run(&list, argc, argv, fault);
}

const struct verb verb_ls = {
	.name = "ls",
	.usage = "[--json | --quiet]",
	.summary = "list the containers",
	.help = "  --json        for a script\n  -q, --quiet   ids only\n",
	.run = run,
};
