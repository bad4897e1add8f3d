/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A tree as a file: whole, or not there. */
#ifndef VENEER_TARFILE_H
#define VENEER_TARFILE_H

#include "base/fault.h"

/* @name "-" is standard output. */
int tarfile_write(const char *name, int tree, struct fault *fault);

#endif
