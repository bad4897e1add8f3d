/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the module knows, by its ioctls. */
#ifndef VENEER_ASK_H
#define VENEER_ASK_H

#include "base/fault.h"

/* The ioctl @request of what @fd is open on, which the user calls @word. */
int ask(int fd, unsigned long request, void *answer, const char *word, struct fault *fault);

#endif
