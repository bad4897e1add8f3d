/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Images of the store: their names, what they consist of, importing, removing. */
#ifndef VENEER_IMAGE_H
#define VENEER_IMAGE_H

#include "layer/unpack.h"
#include "store/plan.h"

/* A name as it is kept: with ":latest" unless it has a tag. To be freed. */
char *image_name(const char *name, struct fault *fault);

/* Which image is meant by a name, an id or the beginning of one. To be freed. */
char *image_find(struct store *store, const char *word, struct fault *fault);

/* Give a name to an image, taking it from another one. Needs STORE_CHANGE. */
int image_tag(struct store *store, struct staging *staging, const char *id,
	      const char *name, struct fault *fault);

/* The configuration, as it was imported. NULL with @fault set. */
json_t *image_config(struct store *store, const char *id, struct fault *fault);

/* All its names, an array. NULL with @fault set. */
json_t *image_names(struct store *store, const char *id, struct fault *fault);

/*
 * Bytes of an image's layers: all, and what it adds to the store: those that are
 * in no layer of another image, and not in a layer below either.
 */
int image_sizes(struct store *store, const char *id, int64_t *all, int64_t *own,
		struct fault *fault);

struct image_removal {
	bool name_gone, image_gone;
	unsigned long layers;
	char *id;
};

/*
 * Take away a name, and with the last one the image, and with that the layers
 * that nothing else uses. Needs STORE_CHANGE.
 */
int image_remove(struct store *store, struct staging *staging, const char *word,
		 struct image_removal *removal, struct fault *fault);

/* Remove the layers that neither an image nor a container uses. Needs STORE_CHANGE. */
int image_prune_layers(struct store *store, struct staging *staging, unsigned long *count,
		       struct fault *fault);

/* Told of each layer. */
typedef void image_layer_fn(const struct plan_layer *layer, bool there_already);

struct image_import {
	const struct blobs *blobs;
	void (*begin)(const struct plan_layer *layer, int fd);	/* before one is unpacked */
	void (*progress)(const struct unpack *unpack);
	image_layer_fn *done;
	const char *name;	/* instead of those of the plan; NULL */
};

/* In image_import.c. All of it, or nothing. The store must be open; its access changes. */
int image_import(struct store *store, const struct plan *plan,
		 const struct image_import *how, struct fault *fault);

/*
 * One tar is unpacked before its digest, and so the plan, is known: into
 * staging/"single", with the diffID in @diff_id.
 */
int image_stage_single(struct staging *staging, int archive,
		       void (*progress)(const struct unpack *unpack),
		       char diff_id[DIGEST_TEXT_SIZE], struct fault *fault);
int image_import_staged(struct staging *staging, const struct plan *plan,
			const struct image_import *how, struct fault *fault);

#endif
