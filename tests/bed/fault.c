// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which call into a real filesystem fails: part of a module that is built to.
 *
 * fault_nth=N makes the N-th call from now on fail, and with fault_for_ever all
 * after it, too; fault_hits counts those that did. 0 ends it. It does not matter
 * who calls: a worker or the flusher may.
 */
#include <linux/module.h>
#include <linux/spinlock.h>

#include "fault.h"

static DEFINE_SPINLOCK(lock);	/* for the numbers here */
static int nth, hits, error = -EIO;
static bool for_ever;

module_param_named(fault_nth, nth, int, 0600);
module_param_named(fault_hits, hits, int, 0600);
module_param_named(fault_error, error, int, 0600);
module_param_named(fault_for_ever, for_ever, bool, 0600);

int veneer_test_fault(void)
{
	int err = 0;

	spin_lock(&lock);
	if (nth > 1) {
		nth--;
	} else if (nth == 1) {
		err = error;
		hits++;
		nth = for_ever;
	}
	spin_unlock(&lock);
	return err;
}
