/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an image to import consists of, read from the manifests of an OCI layout
 * or of "docker save" and "podman save", before any layer is touched.
 */
#ifndef VENEER_PLAN_H
#define VENEER_PLAN_H

#include "layer/digest.h"
#include "store/blobs.h"
#include "store/store.h"

struct plan_layer {
	char *blob;			/* its name among the blobs */
	char digest[DIGEST_TEXT_SIZE];	/* of the blob; "": its manifest has none */
	char diff_id[DIGEST_TEXT_SIZE];	/* of the layer, not compressed */
	char id[ID_SIZE];		/* its chain: it and all below it */
};

struct plan {
	json_t *names;			/* an array */
	char *config;			/* as it is, byte by byte */
	size_t config_length;
	json_t *parsed;			/* the same, parsed */
	char id[ID_SIZE];		/* of the image: the config's digest */
	struct plan_layer *layers;	/* the lowest first */
	size_t layer_count;
};

struct plans {
	struct plan *plans;
	size_t count;
};

struct plan_choice {
	const char *source;		/* a name for what has only a tag */
	const char *os, *architecture, *variant;	/* NULL variant: any */
	const char *reference;		/* only the image so named; NULL: all */
};

int plans_read(struct plans *plans, const struct blobs *blobs,
	       const struct plan_choice *choice, struct fault *fault);

/* The plan of an image that has one layer, and nothing said about it. */
int plans_single(struct plans *plans, const char *diff_id,
		 const struct plan_choice *choice, struct fault *fault);

/* The plan of an image all of whose layers are there or staged. */
int plans_from_config(struct plans *plans, const json_t *config, struct fault *fault);

void plans_free(struct plans *plans);	/* for CLEANUP(), too */

/* The id of the layer @diff_id over the layer @parent ("": over none). */
int plan_chain(char id[ID_SIZE], const char *parent, const char *diff_id,
	       struct fault *fault);

/* This machine's word for its architecture, in images. */
const char *plan_architecture(void);

#endif
