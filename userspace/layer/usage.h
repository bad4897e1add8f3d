/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much space a tree takes. */
#ifndef VENEER_USAGE_H
#define VENEER_USAGE_H

#include <stdint.h>

#include "base/fault.h"

/* Bytes on the disk; a file with several names counts once. */
int usage_of_path(const char *path, uint64_t *bytes, struct fault *fault);

#endif
