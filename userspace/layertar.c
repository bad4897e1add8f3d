// SPDX-License-Identifier: GPL-2.0-or-later
/* Layers as tars; see layertar.h. */
#include "layertar.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "changes.h"
#include "name.h"
#include "tarwrite.h"
#include "view.h"

struct layer {
	struct store *store;
	const char *path;
	const json_t *layers;
	size_t count;
	struct tarwrite *tar;
};

static int open_view(void *context, struct fault *fault)
{
	struct layer *layer = context;

	return view_layers(layer->store, layer->layers, layer->count, layer->path, fault);
}

static int write_mark(struct tarwrite *tar, const struct visit *visit, struct fault *fault)
{
	AUTO_FREE char *path = NULL;
	size_t parent;
	const char *name = name_last(visit->path, &parent);

	if (asprintf(&path, "%.*s%s.wh.%s", (int)parent, visit->path, parent ? "/" : "", name) < 0) {
		path = NULL;
		return fault_no_memory(fault);
	}
	return tarwrite_mark(tar, path, fault);
}

static int write_change(void *context, enum change change, const struct visit *visit,
			const struct chain *data, struct fault *fault)
{
	struct layer *layer = context;
	AUTO_FREE char *path = NULL;

	switch (change) {
	case CHANGE_NODE:
		return tarwrite_node(layer->tar, visit, data, fault);
	case CHANGE_DELETED:
		return write_mark(layer->tar, visit, fault);
	case CHANGE_OPAQUE:
		break;
	}
	if (asprintf(&path, "%s%s.wh..wh..opq", visit->path, *visit->path ? "/" : "") < 0) {
		path = NULL;
		return fault_no_memory(fault);
	}
	return tarwrite_mark(layer->tar, path, fault);
}

static int open_below(struct store *store, const json_t *layers, size_t count,
		      struct below *below, struct fault *fault)
{
	below_reserve(count);
	for (size_t i = 0; i < count; i++) {
		const char *id = json_string_value(json_array_get(layers, i));
		AUTO_FREE char *path = store_path(store, STORE_LAYER, id ? id : "", "tree");
		int tree = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

		if (tree < 0)
			return fault_errno(fault, EXIT_SYSTEM, errno, "layer %.12s", id ? id : "");
		if (below_add(below, tree, fault) < 0)
			return -1;
	}
	return 0;
}

int layertar_write(struct store *store, const char *path, const json_t *layers,
		   size_t count, int fd, char diff_id[DIGEST_TEXT_SIZE], uint64_t *bytes,
		   struct fault *fault)
{
	CLEANUP(cleanup_digest) struct digest *digest = digest_new(fault);
	CLEANUP(cleanup_tarwrite) struct tarwrite *tar = digest ?
		tarwrite_open(fd, digest, fault) : NULL;
	CLEANUP(below_free) struct below below = { 0 };
	struct layer layer = { store, path, layers, count, tar };
	struct changes changes = {
		.below = &below, .open_view = open_view, .each = write_change, .context = &layer,
	};
	AUTO_FD tree = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (tree < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot open \"%s\"", path);
	if (!tar || open_below(store, layers, count, &below, fault) < 0 ||
	    changes_walk(tree, &changes, fault) < 0 || tarwrite_finish(tar, fault) < 0)
		return -1;
	digest_text(digest, diff_id);
	*bytes = tarwrite_bytes(tar);
	return 0;
}
