// SPDX-License-Identifier: GPL-2.0-or-later
/* Layers as tars; see layertar.h. */
#include "store/layertar.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "layer/changes.h"
#include "layer/marks.h"
#include "layer/name.h"
#include "layer/splitfile.h"
#include "layer/tarwrite.h"
#include "store/view.h"

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

static int note_difference(void *context, const struct visit *visit, struct fault *fault)
{
	bool *found = context;

	(void)fault;
	if (S_ISREG(visit->status.st_mode))
		*found |= is_partial(visit->node);
	else if (S_ISDIR(visit->status.st_mode))
		*found |= has_mark(visit->node, REDIRECT_XATTR);
	return 0;
}

/* The parts of a split file that are in its layer. */
static int own_extents(int tree, const struct visit *visit, struct extent **extents,
		       size_t *count, struct fault *fault)
{
	AUTO_FREE struct veneer_split_disk *record = NULL;
	AUTO_FREE unsigned char *bits = NULL;
	uint64_t size = visit->status.st_size, below, blocks = 0, block = 0;
	const char *problem;
	AUTO_FD maps = -1;
	size_t length;
	int found = split_record(visit->node, &record, &length);

	if (found < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot read its split record");
	*count = 0;
	*extents = malloc(sizeof(**extents));
	if (!*extents)
		return fault_no_memory(fault);
	if (!found) {
		/* With overlayfs's mark and no record all of it is below. */
		(*extents)[0] = (struct extent){ 0, size };
		*count = !has_mark(visit->node, METACOPY_XATTR);
		return 0;
	}
	problem = split_record_problem(record, length);
	if (!problem && le32toh(record->flags) & VENEER_SPLIT_MAP) {
		maps = split_maps(tree);
		problem = split_map_read(maps, record, &bits, &blocks);
	}
	if (problem)
		return fault_set(fault, EXIT_SYSTEM, "%s; see veneer check", problem);
	below = bits && le64toh(record->below_size) < size ? le64toh(record->below_size) : size;
	if (bits && blocks > split_blocks(below, record->block_shift))
		blocks = split_blocks(below, record->block_shift);
	while (block < blocks) {
		uint64_t first = block;
		struct extent *grown;

		while (block < blocks && split_bit(bits, block))
			block++;
		if (block == first) {
			block++;
			continue;
		}
		grown = reallocarray(*extents, *count + 2, sizeof(*grown));
		if (!grown)
			return fault_no_memory(fault);
		*extents = grown;
		grown[*count].at = first << record->block_shift;
		grown[*count].end = block << record->block_shift < below ?
			block << record->block_shift : below;
		++*count;
	}
	if (below < size)
		(*extents)[(*count)++] = (struct extent){ below, size };
	return 0;
}

struct raw {
	struct tarwrite *tar;
	int tree;
};

static int write_raw(void *context, const struct visit *visit, struct fault *fault)
{
	struct raw *raw = context;
	AUTO_FREE struct extent *extents = NULL;
	size_t count = 0;

	if (S_ISREG(visit->status.st_mode) &&
	    own_extents(raw->tree, visit, &extents, &count, fault) < 0)
		return -1;
	return tarwrite_raw(raw->tar, visit, extents, count, fault);
}

int layertar_identify(struct store *store, const char *path, const json_t *layers,
		      size_t count, char diff_id[DIGEST_TEXT_SIZE], bool *of_difference,
		      struct fault *fault)
{
	AUTO_FD tree = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(cleanup_digest) struct digest *digest = NULL;
	CLEANUP(cleanup_tarwrite) struct tarwrite *tar = NULL;
	struct raw raw = { .tree = tree };
	uint64_t bytes;

	if (tree < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot open \"%s\"", path);
	*of_difference = false;
	if (walk(tree, note_difference, of_difference, fault) < 0)
		return -1;
	if (!*of_difference)
		return layertar_write(store, path, layers, count, -1, diff_id, &bytes, fault);

	digest = digest_new(fault);
	tar = digest ? tarwrite_open(-1, digest, fault) : NULL;
	raw.tar = tar;
	if (!tar || walk(tree, write_raw, &raw, fault) < 0 || tarwrite_finish(tar, fault) < 0)
		return -1;
	digest_text(digest, diff_id);
	return 0;
}
