// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Importing an image; see image.h. All layers that the store lacks are unpacked
 * and checked in staging; then, under the lock, everything appears.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/config.h"
#include "layer/import.h"
#include "layer/tree.h"
#include "mount/fsmount.h"
#include "store/image.h"
#include "store/twins.h"

static int make_object(struct staging *staging, const char *name, int *tree,
		       struct fault *fault)
{
	AUTO_FD object = -1;

	if (mkdirat(staging->fd, name, 0711) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot make a directory in staging");
	object = openat(staging->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (object < 0 || !tree)
		return object < 0 ? fault_errno(fault, EXIT_SYSTEM, errno, "staging") :
			take_fd(&object);
	if (mkdirat(object, "tree", 0755) < 0 ||
	    (*tree = openat(object, "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot make a directory in staging");
	return take_fd(&object);
}

static int write_layer_facts(int object, const char *id, const char *parent,
			     const struct import_result *result, struct fault *fault)
{
	char now[TIME_SIZE];
	AUTO_JSON *facts = NULL;

	store_now(now);
	facts = json_pack("{s:i, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:s}", "version", 1, "id", id,
			  "parent", parent, "diff_id", result->diff_id,
			  "bytes", (json_int_t)result->bytes,
			  "shared", (json_int_t)result->shared,
			  "split_files", (json_int_t)result->splits,
			  "entries", (json_int_t)result->entries, "imported", now);
	return facts ? jsonfile_write(object, FACTS, facts, fault) : fault_no_memory(fault);
}

static int unpack_layer(int archive, int tree, struct below *below, struct twins *twins,
			void (*progress)(const struct unpack *),
			struct import_result *result, struct fault *fault)
{
	const struct config *config = config_get(fault);
	const struct unpack_limits limits = {
		config->layer_bytes, config->layer_entries, config->layer_devices,
	};
	/* Why these numbers: "How much is enough" in Documentation/helper.rst. */
	const struct delta_policy deltas = {
		.split = config->layer_delta, .piece = config->layer_delta / 8 + 1, .same = 8192,
	};
	const struct import_how how = {
		.limits = &limits, .progress = progress, .below = below,
		.share = twins_share, .share_context = twins,
		/* Nothing but the module can read split files. */
		.deltas = config->layer_delta && !strcmp(fsmount_type(), "veneer") ? &deltas : NULL,
	};

	return import_into(archive, tree, &how, result, fault);
}

static int stage_layer(struct staging *staging, const struct plan_layer *layer,
		       const char *parent, struct below *below, struct twins *twins,
		       const struct image_import *how, struct fault *fault)
{
	struct import_result result = { 0 };
	AUTO_FD archive = -1, object = -1, tree = -1;

	archive = *layer->digest ?
		blobs_open_digest(how->blobs, layer->blob, layer->digest, fault) :
		blobs_open(how->blobs, layer->blob, fault);
	if (archive < 0)
		return -1;
	object = make_object(staging, layer->id, &tree, fault);
	if (object < 0 || twins_begin_layer(twins, object, layer->id, fault) < 0)
		return -1;
	if (how->begin)
		how->begin(layer, archive);
	if (unpack_layer(archive, tree, below, twins, how->progress, &result, fault) < 0 ||
	    twins_end_layer(twins, fault) < 0)
		return -1;
	if (strcmp(result.diff_id, layer->diff_id))
		return fault_set(fault, EXIT_ARCHIVE,
				 "its content is not what the image's configuration says: the diffID is %s, not %s",
				 result.diff_id, layer->diff_id);
	return write_layer_facts(object, layer->id, parent, &result, fault);
}

static bool is_there(int directory, const char *id)
{
	struct stat status;

	return !fstatat(directory, id, &status, AT_SYMLINK_NOFOLLOW);
}

/* The layer, in the store or in staging, is what those over it are compared with. */
static int add_below(struct staging *staging, const struct plan_layer *layer,
		     struct below *below, struct fault *fault)
{
	int at = is_there(staging->fd, layer->id) ? staging->fd :
		staging->store->kinds[STORE_LAYER];
	char path[ID_SIZE + 8];
	int tree;

	snprintf(path, sizeof(path), "%s/tree", layer->id);
	tree = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return tree < 0 ? fault_errno(fault, EXIT_SYSTEM, errno, "a layer below") :
		below_add(below, tree, fault);
}

/* Unpack what neither the store nor staging has. */
static int stage_missing(struct staging *staging, const struct plan *plan, struct below *below,
			 const struct image_import *how, struct fault *fault)
{
	CLEANUP(twins_close) struct twins twins = { 0 };
	struct store *store = staging->store;

	if (how->blobs && twins_open(&twins, store, staging, fault) < 0)
		return -1;
	below_reserve(plan->layer_count);
	for (size_t i = 0; i < plan->layer_count; i++) {
		const struct plan_layer *layer = &plan->layers[i];

		if (is_there(store->kinds[STORE_LAYER], layer->id) ||
		    is_there(staging->fd, layer->id)) {
			if (add_below(staging, layer, below, fault) < 0)
				return -1;
			continue;
		}
		if (!how->blobs)
			return fault_set(fault, EXIT_USED,
					 "a layer below was removed meanwhile; nothing was stored");
		if (stage_layer(staging, layer, i ? plan->layers[i - 1].id : "", below, &twins,
				how, fault) < 0 ||
		    add_below(staging, layer, below, fault) < 0)
			return fault_wrap(fault, "layer %zu of %zu (%.19s)", i + 1,
					  plan->layer_count, layer->diff_id);
	}
	return 0;
}

/*
 * Under the lock: whether each layer of the store is still the very directory that
 * the staged ones were compared with. One that was being removed shows less than it
 * is, even if it has come back since.
 */
static bool all_same(const struct staging *staging, const struct plan *plan,
		     const struct below *below)
{
	for (size_t i = 0; i < plan->layer_count; i++) {
		struct stat then, now;
		char path[ID_SIZE + 8];

		if (is_there(staging->fd, plan->layers[i].id))
			continue;
		snprintf(path, sizeof(path), "%s/tree", plan->layers[i].id);
		if (fstat(below->layers[i].tree, &then) < 0 ||
		    fstatat(staging->store->kinds[STORE_LAYER], path, &now, AT_SYMLINK_NOFOLLOW) < 0 ||
		    then.st_dev != now.st_dev || then.st_ino != now.st_ino)
			return false;
	}
	return true;
}

/* What was compared with a layer that has gone is of no use. */
static int unstage(struct staging *staging, const struct plan *plan, struct fault *fault)
{
	for (size_t i = 0; i < plan->layer_count; i++) {
		if (is_there(staging->fd, plan->layers[i].id) &&
		    tree_remove(staging->fd, plan->layers[i].id) < 0)
			return fault_errno(fault, EXIT_SYSTEM, errno, "staging");
	}
	return 0;
}

static int stage_image(struct staging *staging, const struct plan *plan, struct fault *fault)
{
	AUTO_JSON *facts = NULL, *layers = json_array();
	AUTO_FD object = -1;
	char now[TIME_SIZE];

	object = make_object(staging, "image", NULL, fault);
	if (object < 0)
		return -1;
	for (size_t i = 0; i < plan->layer_count; i++)
		json_array_append_new(layers, json_string(plan->layers[i].id));
	store_now(now);
	facts = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:O}", "version", 1, "id", plan->id,
			  "created", json_text(plan->parsed, "created"), "imported", now,
			  "architecture", json_text(plan->parsed, "architecture"),
			  "os", json_text(plan->parsed, "os"), "layers", layers);
	if (!facts)
		return fault_no_memory(fault);
	if (jsonfile_write_bytes(object, "config.json", plan->config, plan->config_length,
				 fault) < 0)
		return -1;
	return jsonfile_write(object, FACTS, facts, fault);
}

/* Under the lock. */
static int publish(struct staging *staging, const struct plan *plan,
		   const struct image_import *how, struct fault *fault)
{
	struct store *store = staging->store;
	json_t *name;
	size_t i;

	for (i = 0; i < plan->layer_count; i++) {
		const struct plan_layer *layer = &plan->layers[i];
		bool there = is_there(store->kinds[STORE_LAYER], layer->id);

		if (!there && store_publish(staging, layer->id, STORE_LAYER, layer->id, fault) < 0)
			return -1;
		if (how->done)
			how->done(layer, there);
	}
	if (!is_there(store->kinds[STORE_IMAGE], plan->id) &&
	    store_publish(staging, "image", STORE_IMAGE, plan->id, fault) < 0)
		return -1;
	if (how->name)
		return image_tag(store, staging, plan->id, how->name, fault);
	json_array_foreach(plan->names, i, name) {
		if (image_tag(store, staging, plan->id, json_string_value(name), fault) < 0)
			return -1;
	}
	return 0;
}

static int check_names(const struct plan *plan, const struct image_import *how,
		       struct fault *fault)
{
	json_t *name;
	size_t i;

	if (how->name) {
		AUTO_FREE char *whole = image_name(how->name, fault);

		return whole ? 0 : -1;
	}
	json_array_foreach(plan->names, i, name) {
		AUTO_FREE char *whole = image_name(json_string_value(name), fault);

		if (!whole) {
			fault->code = EXIT_ARCHIVE;
			return fault_advise(fault, "choose another name with --name");
		}
	}
	return 0;
}

/* 1: a layer has gone meanwhile. */
static int stage_and_publish(struct staging *staging, const struct plan *plan,
			     const struct image_import *how, struct fault *fault)
{
	CLEANUP(below_free) struct below below = { 0 };
	struct store *store = staging->store;

	if (store_access(store, STORE_FREE, fault) < 0 ||
	    stage_missing(staging, plan, &below, how, fault) < 0)
		return -1;
	if (syncfs(staging->fd) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot write the image to the disk");
	if (store_access(store, STORE_CHANGE, fault) < 0)
		return -1;
	if (all_same(staging, plan, &below))
		return publish(staging, plan, how, fault);
	/* Without blobs the layers are not made of what is below: they just lack it. */
	if (!how->blobs)
		return fault_set(fault, EXIT_USED,
				 "a layer below was removed meanwhile; nothing was stored");
	return unstage(staging, plan, fault) < 0 ? -1 : 1;
}

int image_import_staged(struct staging *staging, const struct plan *plan,
			const struct image_import *how, struct fault *fault)
{
	struct store *store = staging->store;
	int result;

	if (check_names(plan, how, fault) < 0 || stage_image(staging, plan, fault) < 0)
		return -1;
	do {
		result = stage_and_publish(staging, plan, how, fault);
	} while (result > 0);
	if (result < 0 || store_finish(store, fault) < 0)
		return -1;
	return store_access(store, STORE_FREE, fault);
}

int image_import(struct store *store, const struct plan *plan,
		 const struct image_import *how, struct fault *fault)
{
	AUTO_STAGING staging = STAGING_INIT;

	if (staging_begin(&staging, store, fault) < 0)
		return -1;
	return image_import_staged(&staging, plan, how, fault);
}

int image_stage_single(struct staging *staging, int archive,
		       void (*progress)(const struct unpack *unpack),
		       char diff_id[DIGEST_TEXT_SIZE], struct fault *fault)
{
	CLEANUP(twins_close) struct twins twins = { 0 };
	struct import_result result = { 0 };
	AUTO_FD object = -1, tree = -1;

	object = make_object(staging, "single", &tree, fault);
	if (object < 0 || twins_open(&twins, staging->store, staging, fault) < 0 ||
	    twins_begin_layer(&twins, object, "single", fault) < 0 ||
	    unpack_layer(archive, tree, NULL, &twins, progress, &result, fault) < 0 ||
	    twins_end_layer(&twins, fault) < 0 ||
	    write_layer_facts(object, result.diff_id + 7, "", &result, fault) < 0)
		return -1;
	if (renameat(staging->fd, "single", staging->fd, result.diff_id + 7) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot name the layer");
	strcpy(diff_id, result.diff_id);
	return 0;
}
