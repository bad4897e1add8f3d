// SPDX-License-Identifier: GPL-2.0-or-later
/* Mounts that are in no place; see view.h. */
#include "store/view.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "mount/fsmount.h"
#include "store/container.h"

static int add(struct mount_options *options, const char *key, char *path,
	       struct fault *fault)
{
	int result = path ? options_add(options, key, path, fault) : fault_no_memory(fault);

	free(path);
	return result;
}

static int add_layers(struct store *store, struct mount_options *options,
		      const json_t *layers, size_t count, struct fault *fault)
{
	for (size_t i = count; i-- > 0;) {
		const char *id = json_string_value(json_array_get(layers, i));

		if (add(options, "lowerdir+", store_path(store, STORE_LAYER, id ? id : "", "tree"),
			fault) < 0)
			return -1;
	}
	return 0;
}

int view_layers(struct store *store, const json_t *layers, size_t count, const char *top,
		struct fault *fault)
{
	CLEANUP(options_free) struct mount_options options = { .read_only = true };

	/* overlayfs does not mount one layer alone. It has no marks that matter. */
	if (count + !!top == 1 && strcmp(fsmount_type(), "veneer")) {
		AUTO_FREE char *path = top ? strdup(top) :
			store_path(store, STORE_LAYER,
				   json_string_value(json_array_get(layers, 0)), "tree");
		int fd = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

		return fd < 0 ? fault_errno(fault, EXIT_SYSTEM, errno, "cannot open a layer") : fd;
	}
	if ((top && add(&options, "lowerdir+", strdup(top), fault) < 0) ||
	    add_layers(store, &options, layers, count, fault) < 0)
		return -1;
	return fsmount_detached(fsmount_type(), "veneer", &options, fault);
}

int view_container(struct store *store, const char *id, const json_t *facts,
		   struct fault *fault)
{
	CLEANUP(options_free) struct mount_options options = { .read_only = true };
	const json_t *layers = json_object_get(facts, "layers");
	int mounted = container_mounted(store, id, fault);

	if (mounted < 0)
		return -1;
	if (mounted) {
		AUTO_FREE char *root = store_path(store, STORE_CONTAINER, id, "root");
		/* Not recursive: what its volumes cover shows, as it does in its layer. */
		int tree = root ? open_tree(AT_FDCWD, root, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC) : -1;

		return tree < 0 ? fault_errno(fault, EXIT_MOUNT, errno,
					      "cannot look at the container's mount") : tree;
	}
	if (add_layers(store, &options, layers, json_array_size(layers), fault) < 0 ||
	    add(&options, "upperdir", store_path(store, STORE_CONTAINER, id, "upper"), fault) < 0 ||
	    add(&options, "workdir", store_path(store, STORE_CONTAINER, id, "work"), fault) < 0)
		return -1;
	return fsmount_detached(fsmount_type(), "veneer", &options, fault);
}
