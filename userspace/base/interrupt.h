/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A signal that asks to stop becomes an error, so that clean-up runs. */
#ifndef VENEER_INTERRUPT_H
#define VENEER_INTERRUPT_H

#include "base/fault.h"

void interrupt_catch(void);

/* True, with @fault set, once SIGINT, SIGTERM or SIGHUP has arrived. */
bool interrupted(struct fault *fault);

#endif
