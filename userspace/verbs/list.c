// SPDX-License-Identifier: GPL-2.0-or-later
/* Listing objects of the store; see list.h. */
#include "verbs/list.h"

#include <stdio.h>

enum { JSON = 1, QUIET = 2 };

/* @all: NULL unless it is wanted as JSON. */
static int list_one(const struct list *list, struct store *store, sqlite3_stmt *row,
		    int switches, json_t *all, struct fault *fault)
{
	AUTO_JSON *one = NULL;

	if (switches & QUIET)
		printf("%s\n", db_column(row, 0));
	if (switches == QUIET)
		return 0;
	one = list->describe(store, row, fault);
	if (!one)
		return -1;
	if (!switches)
		list->print(one);
	return all && json_array_append(all, one) ? fault_no_memory(fault) : 0;
}

int list_run(const struct list *list, int argc, char **argv, struct fault *fault)
{
	static const char *const known[] = { "json", "quiet", NULL };
	int switches = verb_switches(argc, argv, known, fault), more;
	AUTO_STORE store = STORE_INIT;
	AUTO_JSON *all = json_array();
	AUTO_QUERY *rows = NULL;

	if (switches < 0)
		return -1;
	if (argc != optind)
		return verb_misused(list->verb, fault);
	if (store_open(&store, STORE_LOOK, fault) < 0)
		return -1;
	rows = db_query(store.db, fault, list->sql, "");
	if (!rows)
		return -1;
	if (!switches)
		list->heading();
	while ((more = db_row(store.db, rows, fault)) > 0) {
		if (list_one(list, &store, rows, switches,
			     switches & JSON ? all : NULL, fault) < 0)
			return -1;
	}
	if (more < 0)
		return -1;
	return switches & JSON ? json_print(all, fault) : 0;
}
