/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A line on the terminal about a file that is read, written over itself. */
#ifndef VENEER_PROGRESS_H
#define VENEER_PROGRESS_H

#include "layer/unpack.h"

void progress_begin(const char *label, int fd);
void progress_step(const struct unpack *unpack);
void progress_end(void);

#endif
