/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What has to wait until all entries of a layer are there.
 *
 * Whiteouts and opaque marks speak of the layers below only, wherever in the
 * archive they stand; whether a whiteout becomes a whiteout or an opaque
 * directory depends on what else the archive holds. A directory's times change
 * with every name made in it, and its default ACL is handed down to them.
 */
#ifndef VENEER_LATE_H
#define VENEER_LATE_H

#include "layer/meta.h"
#include "layer/name.h"
#include "layer/tree.h"

struct late_mark {
	enum mark mark;
	char *path;		/* whiteout: what it deletes; opaque: the mark itself */
};

struct late_directory {
	char *path;
	struct timespec times[2];
	struct xattr acl_default;
	size_t order;		/* the last word about a path counts */
};

struct late {
	struct late_mark *marks;
	size_t mark_count;
	struct late_directory *directories;
	size_t directory_count;
	unsigned long implied;		/* directories that no entry describes */
	unsigned long whiteouts;	/* written by late_finish(), with the next */
	unsigned long opaque;
};

int late_add_mark(struct late *late, enum mark mark, const char *path,
		  struct fault *fault);

/* Takes the default ACL out of @meta. */
int late_add_directory(struct late *late, const char *path, struct meta *meta,
		       struct fault *fault);

/*
 * Note a directory that no entry describes (yet), nor anything below. Its times
 * will be 0, so that the same archive always makes the same layer.
 */
int late_add_implied(struct late *late, const char *path, struct fault *fault);

/* @made and its @context are told of directories that have to be made for a mark. */
int late_finish(struct late *late, int root, tree_made_fn *made, void *context,
		struct fault *fault);

void late_free(struct late *late);

#endif
