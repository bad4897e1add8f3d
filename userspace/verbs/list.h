/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the verbs that list objects share: ls, image ls, volume ls. */
#ifndef VENEER_LIST_H
#define VENEER_LIST_H

#include "store/store.h"
#include "verbs/verb.h"

struct list {
	const struct verb *verb;
	const char *sql;		/* the first column is what --quiet prints */
	json_t *(*describe)(struct store *store, sqlite3_stmt *row, struct fault *fault);
	void (*heading)(void);
	void (*print)(const json_t *one);
};

/* The verb, with "--json" and "--quiet". */
int list_run(const struct list *list, int argc, char **argv, struct fault *fault);

#endif
