/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an upper, or a layer, says about what is below it: the filesystem's marks
 * understood, in one place, for diff, commit and export.
 */
#ifndef VENEER_CHANGES_H
#define VENEER_CHANGES_H

#include "layer/chain.h"
#include "layer/walk.h"

enum change {
	CHANGE_NODE,		/* it is here: visit tells of it */
	CHANGE_DELETED,		/* nothing of this name from below */
	CHANGE_OPAQUE,		/* nothing from below in this directory; follows its node */
};

struct changes {
	/* The layers below it, for data that is there. NULL: ask the view. */
	struct below *below;
	/*
	 * What the layer looks like over those below it, for directories that were
	 * renamed, and for what @below cannot tell. Called once, when it is needed.
	 */
	int (*open_view)(void *context, struct fault *fault);
	/*
	 * @data: where a file's content is, or NULL: in the node itself. Paths are as the
	 * mount shows them. In a directory that was renamed, all are told of.
	 */
	int (*each)(void *context, enum change change, const struct visit *visit,
		    const struct chain *data, struct fault *fault);
	bool no_data;		/* nobody wants to know where data is */
	void *context;
	int layer;		/* being walked; set by changes_walk() */
	int view;		/* -1 until it is needed; closed by changes_walk() */
};

int changes_walk(int layer, struct changes *changes, struct fault *fault);

#endif
