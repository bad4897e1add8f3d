/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The store: images, containers and volumes under one directory.
 *
 *   lock                   flock(2)ed: shared to look, exclusive to change
 *   index.db               sqlite: what is found quickly; made of the rest
 *   layers/ID/             facts.json, tree/, contents (see twins.h)
 *   images/ID/             facts.json, config.json
 *   names/NAME/            facts.json: which image has the name
 *   containers/ID/         facts.json, upper/, work/, root/
 *   volumes/NAME/          facts.json, and what its backend keeps
 *   staging/ANY/           what a process is working on, flock(2)ed by it
 *
 * The files are the truth. An object appears by one rename out of staging, when
 * it is complete, and disappears by one rename into staging, so that a process
 * may die at any moment. The index is marked as stale before the first rename
 * of a change and good again in the transaction that ends it; whoever opens a
 * store with a stale index, or with one from before the machine was started,
 * makes it anew.
 *
 * Order of changes: an object never names one that is not there. Layers appear
 * bottom first, then the image, then its name; they go the other way round.
 */
#ifndef VENEER_STORE_H
#define VENEER_STORE_H

#include "db.h"
#include "jsonfile.h"

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
#define AUTO_STORE CLEANUP(store_close) struct store

/* Whether there is one, where it is configured to be. Without: do not make one. */
bool store_exists(void);

int store_open(struct store *store, enum store_access access, struct fault *fault);

/* Changes what the lock is held for. To more: what was looked up is stale. */
int store_access(struct store *store, enum store_access access, struct fault *fault);

/* Undoes the index's part of a change that store_finish() has not ended. */
void store_close(struct store *store);

/* End of a change: the index is in step again. */
int store_finish(struct store *store, struct fault *fault);

const char *store_kind_name(enum store_kind kind);		/* "layer" */
const char *store_kind_directory(enum store_kind kind);		/* "layers" */

/* The facts of an object. NULL with @fault set. */
json_t *store_facts(struct store *store, enum store_kind kind, const char *id,
		    struct fault *fault);

/* Replace them, in the file and in the index. Needs STORE_CHANGE. */
int store_set_facts(struct store *store, enum store_kind kind, const char *id,
		    const json_t *facts, struct fault *fault);

/* The directory of an object, O_RDONLY. */
int store_object(struct store *store, enum store_kind kind, const char *id,
		 struct fault *fault);

/* "ROOT/layers/ID/REST", which has to be freed. */
char *store_path(struct store *store, enum store_kind kind, const char *id,
		 const char *rest);

/* A directory of this process in staging. Everything in it goes with it. */
struct staging {
	struct store *store;
	int fd;
	char *name;
};

#define AUTO_STAGING CLEANUP(staging_end) struct staging
#define STAGING_INIT { .fd = -1 }

int staging_begin(struct staging *staging, struct store *store, struct fault *fault);
void staging_end(struct staging *staging);

/* staging/@name becomes the object @id, whose facts.json is in it. Needs STORE_CHANGE. */
int store_publish(struct staging *staging, const char *name, enum store_kind kind,
		  const char *id, struct fault *fault);

/* The object disappears, into staging. Needs STORE_CHANGE. */
int store_withdraw(struct staging *staging, enum store_kind kind, const char *id,
		   struct fault *fault);

/* Remove what dead processes left in staging. Needs STORE_CHANGE. */
int store_leftovers(struct store *store, bool remove, unsigned long *count,
		    struct fault *fault);

/* 64 hexadecimal digits by chance. */
enum { ID_SIZE = 65 };
int store_new_id(char id[ID_SIZE], struct fault *fault);

/* Now, as RFC 3339 says, in UTC. */
enum { TIME_SIZE = 32 };
void store_now(char text[TIME_SIZE]);

#endif
