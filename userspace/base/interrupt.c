// SPDX-License-Identifier: GPL-2.0-or-later
/* Signals that ask to stop; see interrupt.h. */
#include "base/interrupt.h"

#include <signal.h>

static volatile sig_atomic_t arrived;

static void note_signal(int signal)
{
	arrived = signal;
}

void interrupt_catch(void)
{
	/* No SA_RESTART: a read from a pipe that stays silent must return. */
	struct sigaction action = { .sa_handler = note_signal };
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		struct sigaction old;

		/* What the caller had ignored (nohup) stays ignored. */
		if (!sigaction(signals[i], NULL, &old) && old.sa_handler == SIG_IGN)
			continue;
		sigaction(signals[i], &action, NULL);
	}
}

bool interrupted(struct fault *fault)
{
	if (!arrived)
		return false;
	fault_set(fault, EXIT_INTERRUPTED, "interrupted by signal %d", (int)arrived);
	return true;
}
