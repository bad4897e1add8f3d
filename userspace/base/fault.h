/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An error on its way up: what the program exits with, and a text that names
 * the object, the reason and what to do. The function that notices the error
 * sets it; each caller that knows more puts its own words in front.
 */
#ifndef VENEER_FAULT_H
#define VENEER_FAULT_H

#include "base/common.h"
#include "base/exitcode.h"

struct fault {
	enum exit_code code;
	char *text;		/* NULL: no error yet */
};

/* All of these return -1, so that "return fault_set(...)" reads well. */
int fault_set(struct fault *fault, enum exit_code code, const char *format, ...)
	PRINTF_LIKE(3, 4);

/* As fault_set(), with ": " and the text of @error behind. */
int fault_errno(struct fault *fault, enum exit_code code, int error,
		const char *format, ...) PRINTF_LIKE(4, 5);

/* Put words in front: "WORDS: what was there". */
int fault_wrap(struct fault *fault, const char *format, ...) PRINTF_LIKE(2, 3);

/* Put a line behind: what to do next. */
int fault_advise(struct fault *fault, const char *format, ...) PRINTF_LIKE(2, 3);

int fault_no_memory(struct fault *fault);

void fault_clear(struct fault *fault);

/* Print it to stderr after "PROGRAM: " and return the exit code. */
int fault_report(const struct fault *fault);

/* A warning or notice to stderr, after "PROGRAM: ". */
void notice(const char *format, ...) PRINTF_LIKE(1, 2);

#endif
