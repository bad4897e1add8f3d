/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which processes keep a mount busy. */
#ifndef VENEER_HOLDERS_H
#define VENEER_HOLDERS_H

#include "fault.h"

/*
 * Name some of them in @fault, as advice: working directory, root, program, open
 * and mapped files. Processes in another mount namespace may be missing.
 */
void holders_name(const char *target, struct fault *fault);

#endif
