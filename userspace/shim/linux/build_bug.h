/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What module/format.h needs of the kernel's header of this name, in a program. */
#ifndef VENEER_SHIM_BUILD_BUG_H
#define VENEER_SHIM_BUILD_BUG_H

#include <assert.h>

#define __packed __attribute__((packed))

#endif
