/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A filesystem used in every way, without a look at what comes of it: each object in
 * it is looked at, changed and synced. For a filesystem that may be damaged.
 */
#ifndef VENEER_TESTS_USEFS_H
#define VENEER_TESTS_USEFS_H

#include <stdbool.h>

#include "random.h"

/*
 * Makes so many calls or so, of which watch.h keeps count, in "/", which the caller
 * has made the filesystem's root by chroot(2). Nothing large is written.
 */
void usefs(struct rng *r, unsigned int calls, bool verbose);

#endif
