/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program in a world that tests execute: a copy of the test itself. Run so, it
 * does nothing but call program_leave().
 */
#ifndef VENEER_TESTS_PROGRAM_H
#define VENEER_TESTS_PROGRAM_H

#include "world.h"

/* What a program that did run exits with. */
#define PROGRAM_RAN 42

/* Makes the program, as put_file() does. */
int put_program(struct world *w, const char *path);
/* Its exit status: PROGRAM_RAN, 26 for ETXTBSY, 1 for another reason; or -1. */
int program_run(const char *path);
/* Where a program ends, for who wants to see it get there. */
void program_leave(void);

#endif
