/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A limit for what a container's upper holds, by project quota. */
#ifndef VENEER_QUOTA_H
#define VENEER_QUOTA_H

#include <stdint.h>

#include "base/fault.h"

/* @object holds "upper" and "work", both still empty. */
int quota_set(int object, uint32_t project, uint64_t bytes, struct fault *fault);

/*
 * Who has CAP_SYS_RESOURCE is not held to a quota by ext4, and a mount writes with
 * the credentials of who made it: so mount without. Returns whether it was there,
 * for quota_regain().
 */
bool quota_submit(void);
void quota_regain(bool had);

/* Forget the limit of a project. */
void quota_clear(int fd, uint32_t project);

#endif
