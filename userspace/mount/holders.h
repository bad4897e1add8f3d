/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which processes keep mounts busy. */
#ifndef VENEER_HOLDERS_H
#define VENEER_HOLDERS_H

#include "base/fault.h"

/*
 * Add to @fault, as advice, some processes that use one of the mounts, given by
 * the numbers they have in mountinfo: as working directory, root, program, open
 * or mapped file. Processes in another mount namespace are missing: their mounts
 * have numbers of their own. Returns how many were added.
 */
int holders_name(const int *mounts, size_t count, struct fault *fault);

#endif
