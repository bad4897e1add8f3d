/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The store's index: tables of sqlite that are made of the objects' facts. */
#ifndef VENEER_INDEX_H
#define VENEER_INDEX_H

#include "store/place.h"

/* Open, or make, the database. Never looks at the objects. */
int index_open(struct store *store, struct fault *fault);

/* Whether a change was cut off, or the machine was started since. */
int index_is_stale(struct store *store, bool *stale, struct fault *fault);
int index_mark(struct store *store, bool stale, struct fault *fault);

/* The rows of one object; those that were there are replaced. */
int index_add(struct store *store, enum store_kind kind, const char *id,
	      const json_t *facts, struct fault *fault);
int index_remove(struct store *store, enum store_kind kind, const char *id,
		 struct fault *fault);

/* All rows anew, from the objects. Damaged ones are left out, and told of. */
int index_rebuild(struct store *store, struct fault *fault);

/* A text that tells two contents of the index apart. To be freed. */
char *index_dump(struct store *store, struct fault *fault);

/*
 * The one image or container whose id begins with @digits; NULL: there is none, or
 * @fault is set, if there are several, too. To be freed.
 */
char *index_find(struct store *store, enum store_kind kind, const char *digits,
		 struct fault *fault);

#endif
