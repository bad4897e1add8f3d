/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Running other programs. */
#ifndef VENEER_COMMAND_H
#define VENEER_COMMAND_H

#include "base/fault.h"

/* Run it to its end; one that fails is a fault. Without a slash PATH is searched. */
int command_run(const char *const argv[], struct fault *fault);

/* The same with this process's own input and output; *status as a shell says it. */
int command_pass(const char *const argv[], int *status, struct fault *fault);

/*
 * The same with @input on its standard input, and what it prints in *output,
 * which has to be freed. Its exit status in *status.
 */
int command_talk(const char *const argv[], const char *input, char **output, int *status,
		 struct fault *fault);

#endif
