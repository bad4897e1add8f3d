/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unmounting a container with everything mounted inside of it. */
#ifndef VENEER_UNMOUNT_H
#define VENEER_UNMOUNT_H

#include "base/fault.h"

/* If a process uses any of it, it is named and all stays, unless @lazy. */
int unmount(const char *path, bool lazy, struct fault *fault);

#endif
