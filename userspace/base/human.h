/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What people read. */
#ifndef VENEER_HUMAN_H
#define VENEER_HUMAN_H

#include <stdint.h>

#include "base/common.h"

enum { SIZE_TEXT = 24, SHORT_ID = 12 };

/* "3.4 MiB" */
const char *human_size(uint64_t bytes, char text[SIZE_TEXT]);

/* Ask on the terminal. Without one the answer is no. */
bool human_agrees(const char *question);

#endif
