/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening the store (place.h says what is where in it), and changing it.
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

#include "store/place.h"

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

/* Replace the facts of an object, in the file and in the index. Needs STORE_CHANGE. */
int store_set_facts(struct store *store, enum store_kind kind, const char *id,
		    const json_t *facts, struct fault *fault);

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

#endif
