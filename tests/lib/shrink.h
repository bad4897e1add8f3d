/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VENEER_TESTS_SHRINK_H
#define VENEER_TESTS_SHRINK_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Leaves out of the list, of *count elements of so many bytes, what is not needed
 * for fails() to be true of it, in smaller and smaller parts, as long as there is
 * time. fails() may not change the list.
 */
void shrink(void *list, size_t size, unsigned int *count, unsigned int seconds,
	    bool (*fails)(void *), void *arg);

#endif
