/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A layer as the tar that images are distributed in. */
#ifndef VENEER_LAYERTAR_H
#define VENEER_LAYERTAR_H

#include <stdint.h>

#include "layer/digest.h"
#include "store/store.h"

/*
 * Writes the layer in @tree, which is over the first @count of @layers, to @fd
 * (-1: nowhere). What it is, is in @diff_id and @bytes. @path is where it is.
 */
int layertar_write(struct store *store, const char *path, const json_t *layers,
		   size_t count, int fd, char diff_id[DIGEST_TEXT_SIZE], uint64_t *bytes,
		   struct fault *fault);

/*
 * What is to stand for the digest of the tar of a layer that is a container's upper:
 * the digest itself, or if the layer has files with data below, or directories that
 * were renamed, one of the difference: all that is in the layer, and no more. Either
 * way two layers over the same that differ have different ones.
 */
int layertar_identify(struct store *store, const char *path, const json_t *layers,
		      size_t count, char diff_id[DIGEST_TEXT_SIZE], bool *of_difference,
		      struct fault *fault);

#endif
