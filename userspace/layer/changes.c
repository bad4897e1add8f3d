// SPDX-License-Identifier: GPL-2.0-or-later
/* What a layer changes; see changes.h. */
#include "layer/changes.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "layer/marks.h"
#include "layer/tree.h"

static int need_view(struct changes *changes, struct fault *fault)
{
	if (changes->view < 0)
		changes->view = changes->open_view(changes->context, fault);
	return changes->view < 0 ? -1 : 0;
}

static int open_in_view(int view, const char *path, int flags)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC | O_NOFOLLOW,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};

	return syscall(SYS_openat2, view, path, &how, sizeof(how));
}

/* A visit of a tree within the view, with @prefix before the paths. */
struct subtree {
	struct changes *changes;
	const char *prefix;
};

static int visit_subtree(void *context, const struct visit *visit, struct fault *fault)
{
	struct subtree *subtree = context;
	struct changes *changes = subtree->changes;
	struct visit inner = *visit;
	AUTO_FREE char *path = NULL;

	if (!*visit->path)
		return 0;	/* told already */
	if (asprintf(&path, "%s/%s", subtree->prefix, visit->path) < 0) {
		path = NULL;
		return fault_no_memory(fault);
	}
	inner.path = path;
	return changes->each(changes->context, CHANGE_NODE, &inner, NULL, fault);
}

/* A directory with a past elsewhere: no name of it is told by the layer alone. */
static int renamed_directory(struct changes *changes, const struct visit *visit,
			     struct fault *fault)
{
	struct subtree subtree = { changes, visit->path };
	AUTO_FD directory = -1;

	if (need_view(changes, fault) < 0)
		return -1;
	directory = tree_open_directory(changes->view, visit->path);
	if (directory < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot open it in the merged tree");
	if (changes->each(changes->context, CHANGE_NODE, visit, NULL, fault) < 0 ||
	    changes->each(changes->context, CHANGE_OPAQUE, visit, NULL, fault) < 0 ||
	    walk(directory, visit_subtree, &subtree, fault) < 0)
		return -1;
	return 1;
}

static int visit_directory(struct changes *changes, const struct visit *visit,
			   struct fault *fault)
{
	if (has_mark(visit->node, REDIRECT_XATTR))
		return renamed_directory(changes, visit, fault);
	if (changes->each(changes->context, CHANGE_NODE, visit, NULL, fault) < 0)
		return -1;
	return is_opaque(visit->node) ?
		changes->each(changes->context, CHANGE_OPAQUE, visit, NULL, fault) : 0;
}

/* All of its data, as the merged tree has it. 1; -1. */
static int chain_of_view(struct changes *changes, const char *path, struct chain *chain,
			 struct fault *fault)
{
	AUTO_FD data = -1;

	if (need_view(changes, fault) < 0)
		return -1;
	data = open_in_view(changes->view, path, O_RDONLY);
	if (data < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot open it in the merged tree");
	chain->links = calloc(1, sizeof(*chain->links));
	if (!chain->links)
		return fault_no_memory(fault);
	chain->links[0].fd = take_fd(&data);
	chain->count = 1;
	return 1;
}

/* Some of its data, or all, is below. */
static int visit_partial_file(struct changes *changes, const struct visit *visit,
			      struct fault *fault)
{
	CLEANUP(chain_close) struct chain chain = { 0 };
	int found = 0;

	if (changes->no_data)
		return changes->each(changes->context, CHANGE_NODE, visit, NULL, fault);
	if (changes->below)
		found = chain_open(&chain, changes->below, changes->layer,
				   changes->below->count, visit->node, fault);
	if (!found) {
		chain_close(&chain);
		found = chain_of_view(changes, visit->path, &chain, fault);
	}
	return found < 0 ? -1 :
		changes->each(changes->context, CHANGE_NODE, visit, &chain, fault);
}

static int visit_node(void *context, const struct visit *visit, struct fault *fault)
{
	struct changes *changes = context;
	const struct stat *status = &visit->status;

	/* The filesystem's own folder. */
	if (!strcmp(visit->path, VENEER_DIR_NAME))
		return 1;
	if (S_ISDIR(status->st_mode))
		return visit_directory(changes, visit, fault);
	if (is_whiteout(visit->node, status))
		return changes->each(changes->context, CHANGE_DELETED, visit, NULL, fault);
	if (S_ISREG(status->st_mode) && is_partial(visit->node))
		return visit_partial_file(changes, visit, fault);
	return changes->each(changes->context, CHANGE_NODE, visit, NULL, fault);
}

int changes_walk(int layer, struct changes *changes, struct fault *fault)
{
	int result;

	changes->view = -1;
	changes->layer = layer;
	result = walk(layer, visit_node, changes, fault);
	cleanup_fd(&changes->view);
	return result;
}
