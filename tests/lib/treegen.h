/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes operations on trees up. */
#ifndef VENEER_TESTS_TREEGEN_H
#define VENEER_TESTS_TREEGEN_H

#include "random.h"
#include "treeop.h"

/*
 * An operation by that actor on any object or, apart, on one that has a name of its
 * own. What is there already is seen in the directory plain.
 */
void treegen(struct treeop *op, struct rng *r, unsigned int actor, const char *plain,
	     bool apart);
/* Whose turn it is. */
unsigned int treegen_actor(struct rng *r);

#endif
