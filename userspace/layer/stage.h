/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A directory that appears under its name only when it is complete: built as
 * NAME.tmp-XXXXXXXX beside it, made durable, then renamed.
 */
#ifndef VENEER_STAGE_H
#define VENEER_STAGE_H

#include "base/fault.h"

struct stage {
	int parent;
	int root;		/* where to build */
	char *name;		/* in parent, at the end */
	char *work_name;	/* in parent, until then; NULL: nothing to remove */
};

#define STAGE_INIT { .parent = -1, .root = -1 }

int stage_begin(struct stage *stage, const char *directory, struct fault *fault);
int stage_commit(struct stage *stage, struct fault *fault);

/* Removes what was not committed. */
void stage_end(struct stage *stage);

#endif
