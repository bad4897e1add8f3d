/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether the store is what it should be. */
#ifndef VENEER_CHECK_H
#define VENEER_CHECK_H

#include "store/store.h"

struct check {
	bool repair;
	json_t *findings;	/* an array of objects: what, object, repaired */
};

/* Needs STORE_CHANGE. Findings are no fault; being unable to look is one. */
int check_store(struct store *store, struct check *check, struct fault *fault);

#endif
