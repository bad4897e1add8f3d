/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random layers: each built over those below it, with files, directories,
 * links, fifos, whiteouts and opaque directories, while the plain directory is
 * given what the stack of them must look like.
 */
#ifndef VENEER_TESTS_LAYERS_H
#define VENEER_TESTS_LAYERS_H

#include <stdbool.h>

#include "actor.h"
#include "random.h"
#include "world.h"

/*
 * A name of one process, "a0" to "f0" or "a1" to "f1" and so on: what several do
 * at once then has one outcome, wherever the objects are moved.
 */
void random_name(struct rng *r, int owner, char name[3]);
/*
 * A path of that process: in its own directory "p0", "p1", ..., or in one of the
 * directories that all work in, "s", "s/x" (sticky) and "s/x/y" (set-group-id, and
 * with a default ACL).
 */
#define RANDOM_OWNERS ACTORS
#define RANDOM_PATH 64
void random_path(struct rng *r, int owner, char path[RANDOM_PATH]);

/*
 * Fills the world's layers, edits changes each; what is in them belongs to any of
 * the actors. With hard links only if told, and in the top layer: a name of one
 * that a layer above removes would go on being counted.
 */
int random_layers(struct world *w, struct rng *r, int edits, bool hard_links);

#endif
