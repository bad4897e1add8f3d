// SPDX-License-Identifier: GPL-2.0-or-later
/* Mounting containers with their volumes; see container.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/config.h"
#include "mount/attach.h"
#include "mount/fsmount.h"
#include "mount/quota.h"
#include "mount/unmount.h"
#include "store/container.h"
#include "store/volume.h"

/* In a container's directory as long as it is to be mounted: also after a boot. */
#define WANTED "mounted"

static int is_mount_root(int fd, struct fault *fault)
{
	struct statx status;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &status) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot look at it");
	return !!(status.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

int container_mounted(struct store *store, const char *id, struct fault *fault)
{
	AUTO_FD object = store_object(store, STORE_CONTAINER, id, fault);
	AUTO_FD root = object < 0 ? -1 : openat(object, "root", O_PATH | O_CLOEXEC);

	if (root < 0)
		return object < 0 ? -1 :
			fault_errno(fault, EXIT_SYSTEM, errno, "container \"%s\": its root", id);
	return is_mount_root(root, fault);
}

bool container_wants_mount(struct store *store, const char *id)
{
	AUTO_FREE char *path = store_path(store, STORE_CONTAINER, id, WANTED);

	return path && !access(path, F_OK);
}

static int add_directory(struct mount_options *options, const char *key, char *path,
			 struct fault *fault)
{
	int result = path ? options_add(options, key, path, fault) : fault_no_memory(fault);

	free(path);
	return result;
}

static int add_layers(struct store *store, struct mount_options *options,
		      const json_t *layers, struct fault *fault)
{
	for (size_t i = json_array_size(layers); i-- > 0;) {
		const char *layer = json_string_value(json_array_get(layers, i));

		if (add_directory(options, "lowerdir+",
				  store_path(store, STORE_LAYER, layer ? layer : "", "tree"),
				  fault) < 0)
			return -1;
	}
	return 0;
}

static int mount_root(struct store *store, const char *id, const json_t *facts,
		      const char *root, struct fault *fault)
{
	CLEANUP(options_free) struct mount_options options = { 0 };
	const struct config *config = config_get(fault);
	bool limited = json_number(facts, "size_limit"), had;
	int result;

	if (options_parse(&options, config->mount_options, fault) < 0)
		return fault_wrap(fault, "mount_options in veneer.conf");
	if (add_layers(store, &options, json_object_get(facts, "layers"), fault) < 0 ||
	    add_directory(&options, "upperdir", store_path(store, STORE_CONTAINER, id, "upper"),
			  fault) < 0 ||
	    add_directory(&options, "workdir", store_path(store, STORE_CONTAINER, id, "work"),
			  fault) < 0)
		return -1;
	had = limited && quota_submit();
	result = fsmount_new(fsmount_type(), "veneer", root, &options,
			     (struct fsmount_flags){ 0 }, fault);
	quota_regain(had);
	return result;
}

static int attach_volume(struct store *store, const json_t *volume, int root,
			 struct fault *fault)
{
	const char *path = json_text(volume, "path");
	AUTO_FD place = attach_open(root, path, O_PATH | O_DIRECTORY);
	AUTO_FREE char *data = NULL;
	int there = place < 0 ? 0 : is_mount_root(place, fault);

	/* Somebody died between mounting the container and this, or did this. */
	if (there)
		return there < 0 ? -1 : 0;
	data = volume_use(store, json_text(volume, "volume"), fault);
	if (!data)
		return -1;
	if (place >= 0 &&
	    volume_populate(store, json_text(volume, "volume"), data, place, fault) < 0)
		return -1;
	return attach_inside(data, root, path,
			     json_is_true(json_object_get(volume, "read_only")), fault);
}

static int attach_volumes(struct store *store, const json_t *facts, const char *path,
			  struct fault *fault)
{
	AUTO_FD root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	json_t *volume;
	size_t i;

	if (root < 0)
		return fault_errno(fault, EXIT_MOUNT, errno, "cannot open \"%s\"", path);
	json_array_foreach(json_object_get(facts, "volumes"), i, volume) {
		if (attach_volume(store, volume, root, fault) < 0)
			return fault_wrap(fault, "cannot attach the volume \"%s\" at \"%s\"",
					  json_text(volume, "volume"), json_text(volume, "path"));
	}
	return 0;
}

static int want(struct store *store, const char *id, struct fault *fault)
{
	AUTO_FREE char *path = store_path(store, STORE_CONTAINER, id, WANTED);
	AUTO_FD fd = path ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644) : -1;

	return fd < 0 ? fault_errno(fault, EXIT_SYSTEM, errno, "cannot note that it is mounted") : 0;
}

int container_mount(struct store *store, const char *id, char **path, struct fault *fault)
{
	AUTO_JSON *facts = store_facts(store, STORE_CONTAINER, id, fault);
	AUTO_FREE char *root = store_path(store, STORE_CONTAINER, id, "root");
	int mounted = facts ? container_mounted(store, id, fault) : -1;

	if (mounted < 0 || want(store, id, fault) < 0)
		return -1;
	if ((!mounted && mount_root(store, id, facts, root, fault) < 0) ||
	    attach_volumes(store, facts, root, fault) < 0) {
		/* Without its volumes a container would write where it should not. */
		if (!mounted)
			umount2(root, MNT_DETACH | UMOUNT_NOFOLLOW);
		return fault_wrap(fault, "container \"%s\"", json_text(facts, "name"));
	}
	*path = take_string(&root);
	return 0;
}

/* Which volumes only this container had mounted. */
static int release_volumes(struct store *store, const char *id, const json_t *facts,
			   struct fault *fault)
{
	json_t *volume;
	size_t i;

	json_array_foreach(json_object_get(facts, "volumes"), i, volume) {
		const char *name = json_text(volume, "volume");
		AUTO_QUERY *rows = db_query(store->db, fault,
					    "SELECT container FROM container_volumes"
					    " WHERE volume = ? AND container <> ?", "ss", name, id);
		bool used = false;
		int more = rows ? 1 : -1;

		while (more > 0 && !used && (more = db_row(store->db, rows, fault)) > 0) {
			int mounted = container_mounted(store, db_column(rows, 0), fault);

			if (mounted < 0)
				return -1;
			used = mounted;
		}
		if (more < 0 || (!used && volume_release(store, name, fault) < 0))
			return -1;
	}
	return 0;
}

int container_unmount(struct store *store, const char *id, bool lazy, struct fault *fault)
{
	AUTO_JSON *facts = store_facts(store, STORE_CONTAINER, id, fault);
	AUTO_FREE char *root = store_path(store, STORE_CONTAINER, id, "root");
	AUTO_FREE char *wanted = store_path(store, STORE_CONTAINER, id, WANTED);
	int mounted = facts ? container_mounted(store, id, fault) : -1;

	if (mounted < 0)
		return -1;
	if (mounted && unmount(root, lazy, fault) < 0)
		return fault_wrap(fault, "container \"%s\"", json_text(facts, "name"));
	if (unlink(wanted) < 0 && errno != ENOENT)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot remove \"%s\"", wanted);
	return lazy ? 0 : release_volumes(store, id, facts, fault);
}
