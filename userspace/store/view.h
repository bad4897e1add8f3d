/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looking at what a mount shows, without anybody else seeing the mount. */
#ifndef VENEER_VIEW_H
#define VENEER_VIEW_H

#include "store/store.h"

/*
 * The merge of the first @count layers of a list, the lowest first, under a
 * @top directory, or NULL. A descriptor of its root, read-only.
 */
int view_layers(struct store *store, const json_t *layers, size_t count, const char *top,
		struct fault *fault);

/* A container without its volumes, as it is now: read-only unless it is mounted. */
int view_container(struct store *store, const char *id, const json_t *facts,
		   struct fault *fault);

#endif
