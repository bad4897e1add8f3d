/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A test as an ordinary user, who is root of a user namespace of his own. */
#ifndef VENEER_TESTS_USERNS_H
#define VENEER_TESTS_USERNS_H

#include <stdbool.h>
#include <sys/types.h>

/* How many ids the namespace has. */
#define USERNS_IDS 65536

/*
 * Makes this process root of a user namespace, and of a mount namespace that
 * belongs to it. Its ids are, from outside, base and those that follow. 0, or
 * -1 with errno set.
 */
int userns_enter(uid_t base);

/*
 * The module's parameter: may users mount in their namespaces? 0, or -1 with
 * errno set and a line printed. For overlayfs, and a module without it, there is
 * nothing to do.
 */
int userns_allow_mounts(bool yes);

#endif
