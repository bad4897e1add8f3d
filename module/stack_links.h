/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hard links of a stack: a layer that was an upper may hold an object of which
 * the layers under it have other names.
 */
#ifndef VENEER_STACK_LINKS_H
#define VENEER_STACK_LINKS_H

#include "merge.h"

struct veneer_stack;

struct veneer_stack_links *veneer_stack_links_alloc(int depth);
void veneer_stack_links_free(struct veneer_stack_links *links);
int veneer_stack_links_prepare(const struct veneer_stack *stack);
int veneer_stack_links_apply(const struct veneer_stack *stack,
			     unsigned int from, struct veneer_merge *merge);
u64 veneer_stack_links_ino(const struct veneer_stack *stack,
			   unsigned int layer, u64 ino);

#endif
