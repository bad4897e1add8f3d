/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Volumes: data that outlives the containers it is attached to. */
#ifndef VENEER_VOLUME_H
#define VENEER_VOLUME_H

#include <stdint.h>

#include "store/store.h"

/*
 * Where a volume's data is. @directory is the volume's own in the store, @facts
 * what is known of it. All but make, remove and use may be NULL.
 */
struct volume_backend {
	const char *name;
	/* Prepare an empty volume in a directory that is still in staging. */
	int (*make)(int directory, const json_t *facts, struct fault *fault);
	/* Make the data reachable, at the path returned, which has to be freed. */
	char *(*use)(const char *directory, const json_t *facts, struct fault *fault);
	/* The opposite; harmless when it is not in use. */
	int (*release)(const char *directory, const json_t *facts, struct fault *fault);
	/* Before its directory is removed. */
	int (*remove)(const char *directory, const json_t *facts, struct fault *fault);
};

/* The last in volume_plugin.c, the others in volume_backends.c. */
extern const struct volume_backend volume_directory, volume_tmpfs, volume_loop,
	volume_plugin;

/* The backend of that name; anything unknown is a plug-in's. */
const struct volume_backend *volume_backend(const char *name);

struct volume_spec {
	const char *name;		/* NULL: anonymous, by chance */
	const char *backend;		/* NULL: "directory" */
	uint64_t size;			/* the limit; 0: none */
	const json_t *options;		/* for a plug-in; NULL */
	/* Puts data into it before it appears; NULL. For "directory" only. */
	int (*fill)(int data, void *context, struct fault *fault);
	void *context;
};

/* Needs STORE_CHANGE. @name, which has to be freed, is what it is called. */
int volume_create(struct staging *staging, const struct volume_spec *spec, char **name,
		  struct fault *fault);

/* Fails when there is none. */
int volume_check(struct store *store, const char *name, struct fault *fault);

/* Needs STORE_CHANGE. Refused while a container has it. */
int volume_remove(struct staging *staging, const char *name, struct fault *fault);

/* Where the data is; counts as using it. To be freed. */
char *volume_use(struct store *store, const char *name, struct fault *fault);

/* The data, which counts as using it: a descriptor of a directory. */
int volume_open(struct store *store, const char *name, struct fault *fault);

/* Its facts, who has it, where it is and what it takes. NULL with @fault set. */
json_t *volume_describe(struct store *store, const char *name, struct fault *fault);

/* Let go of what volume_use() set up, if nothing mounted needs it. */
int volume_release(struct store *store, const char *name, struct fault *fault);

/*
 * An empty volume gets a copy of what the container's image has at its place,
 * once. @place is open on that directory.
 */
int volume_populate(struct store *store, const char *name, const char *data, int place,
		    struct fault *fault);

#endif
