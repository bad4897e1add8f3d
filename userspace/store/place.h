/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The store as a place: images, containers and volumes under one directory.
 *
 *   lock                   flock(2)ed: shared to look, exclusive to change
 *   index.db               sqlite: what is found quickly; made of the rest
 *   layers/ID/             facts.json, tree/, contents (see twins.h)
 *   images/ID/             facts.json, config.json
 *   names/NAME/            facts.json: which image has the name
 *   containers/ID/         facts.json, upper/, work/, root/
 *   volumes/NAME/          facts.json, and what its backend keeps
 *   staging/ANY/           what a process is working on, flock(2)ed by it
 */
#ifndef VENEER_PLACE_H
#define VENEER_PLACE_H

#include "base/jsonfile.h"
#include "store/db.h"

#define FACTS "facts.json"

enum store_kind { STORE_LAYER, STORE_IMAGE, STORE_NAME, STORE_CONTAINER, STORE_VOLUME };

enum { STORE_KINDS = STORE_VOLUME + 1 };

enum store_access { STORE_FREE, STORE_LOOK, STORE_CHANGE };

struct store {
	int root;
	int lock;
	int kinds[STORE_KINDS];		/* the directories */
	int staging;
	enum store_access access;	/* what the lock is held for */
	bool changing;			/* a transaction is open, the index marked stale */
	sqlite3 *db;
	const char *path;
};

#define STORE_INIT { .root = -1, .lock = -1, .staging = -1, .kinds = { -1, -1, -1, -1, -1 } }
const char *store_kind_name(enum store_kind kind);		/* "layer" */
const char *store_kind_directory(enum store_kind kind);		/* "layers" */

/* The facts of an object. NULL with @fault set. */
json_t *store_facts(struct store *store, enum store_kind kind, const char *id,
		    struct fault *fault);

/* The directory of an object, O_RDONLY. */
int store_object(struct store *store, enum store_kind kind, const char *id,
		 struct fault *fault);

/* "ROOT/layers/ID/REST", which has to be freed. */
char *store_path(struct store *store, enum store_kind kind, const char *id,
		 const char *rest);

/* 64 hexadecimal digits by chance. */
enum { ID_SIZE = 65 };
int store_new_id(char id[ID_SIZE], struct fault *fault);

/* Now, as RFC 3339 says, in UTC. */
enum { TIME_SIZE = 32 };
void store_now(char text[TIME_SIZE]);

#endif
