/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A limit for what a container's upper holds, by project quota. */
#ifndef VENEER_QUOTA_H
#define VENEER_QUOTA_H

#include <stdint.h>

#include "fault.h"

/* @object holds "upper" and "work", both still empty. */
int quota_set(int object, uint32_t project, uint64_t bytes, struct fault *fault);

/* Forget the limit of a project. */
void quota_clear(int fd, uint32_t project);

#endif
