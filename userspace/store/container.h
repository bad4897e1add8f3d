/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Containers: a writable directory over the layers of an image, and volumes. */
#ifndef VENEER_CONTAINER_H
#define VENEER_CONTAINER_H

#include <stdint.h>

#include "store/store.h"

struct container_spec {
	const char *image;
	const char *name;		/* NULL: one by chance */
	const json_t *volumes;		/* [{"volume", "path", "read_only"}]; no "volume": anonymous */
	uint64_t size_limit;		/* 0: none */
};

/* Which container is meant by a name, an id or its beginning. To be freed. */
char *container_find(struct store *store, const char *word, struct fault *fault);

/* Needs STORE_CHANGE. Volumes that are not there are made. */
int container_create(struct staging *staging, const struct container_spec *spec,
		     char id[ID_SIZE], struct fault *fault);

/* Mounting, in container_mount.c. Whether it is: 1, 0, or -1 with @fault set. */
int container_mounted(struct store *store, const char *id, struct fault *fault);

/*
 * Needs STORE_CHANGE. Both do nothing when it is so already, but for volumes
 * that are missing. *path, which has to be freed, is where it is.
 */
int container_mount(struct store *store, const char *id, char **path, struct fault *fault);
int container_unmount(struct store *store, const char *id, bool lazy, struct fault *fault);

/* Whether it was mounted when last something was done with it: to mount again. */
bool container_wants_mount(struct store *store, const char *id);

/* Needs STORE_CHANGE. Refused while it is mounted, unless @force. */
int container_remove(struct staging *staging, const char *id, bool force,
		     struct fault *fault);

/* Its facts, whether it is mounted, and where. NULL with @fault set. */
json_t *container_describe(struct store *store, const char *id, struct fault *fault);

int container_rename(struct store *store, const char *id, const char *name,
		     struct fault *fault);

#endif
