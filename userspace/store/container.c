// SPDX-License-Identifier: GPL-2.0-or-later
/* Containers; see container.h. */
#include "store/container.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/config.h"
#include "layer/copytree.h"
#include "layer/name.h"
#include "mount/quota.h"
#include "store/image.h"
#include "store/index.h"
#include "store/volume.h"

char *container_find(struct store *store, const char *word, struct fault *fault)
{
	AUTO_FREE char *id = NULL;

	if (db_text(store->db, fault, &id, "SELECT id FROM containers WHERE name = ?", "s",
		    word) < 0)
		return NULL;
	if (!id)
		id = index_find(store, STORE_CONTAINER, word, fault);
	if (!id && !fault->text) {
		fault_set(fault, EXIT_USAGE, "there is no container \"%s\"", word);
		fault_advise(fault, "veneer ls shows those that are there");
	}
	return take_string(&id);
}

static int check_name(struct store *store, const char *name, struct fault *fault)
{
	int64_t count;

	if (name_check_object("container", name, fault) < 0 ||
	    db_number(store->db, fault, &count,
		      "SELECT count(*) FROM containers WHERE name = ?", "s", name) < 0)
		return -1;
	if (!count)
		return 0;
	fault_set(fault, EXIT_USED, "there is a container \"%s\" already", name);
	return fault_advise(fault, "take another name, or remove it: veneer rm %s", name);
}

/* The volumes of a new container; those that are missing are made. */
static json_t *make_volumes(struct staging *staging, const json_t *asked, struct fault *fault)
{
	AUTO_JSON *volumes = json_array();
	json_t *one, *result;
	size_t i;

	json_array_foreach(asked, i, one) {
		const char *name = json_text(one, "volume");
		AUTO_FREE char *made = NULL;
		int64_t there = 0;

		if (*name && db_number(staging->store->db, fault, &there,
				       "SELECT count(*) FROM volumes WHERE name = ?", "s", name) < 0)
			return NULL;
		if (!there) {
			const struct volume_spec spec = { .name = *name ? name : NULL };

			if (volume_create(staging, &spec, &made, fault) < 0)
				return NULL;
		}
		if (json_array_append_new(volumes,
					  json_pack("{s:s, s:s, s:b}", "volume", made ? made : name,
						    "path", json_text(one, "path"), "read_only",
						    json_is_true(json_object_get(one, "read_only"))))) {
			fault_no_memory(fault);
			return NULL;
		}
	}
	result = volumes;
	volumes = NULL;
	return result;
}

static int next_project(struct store *store, int64_t *project, struct fault *fault)
{
	const struct config *config = config_get(fault);

	return db_number(store->db, fault, project,
			 "SELECT max(?, 1 + coalesce((SELECT max(project) FROM containers), 0))",
			 "i", (int64_t)config->project_first) < 0 ? -1 : 0;
}

/* The upper's root shows as the container's: it is to be like the image's. */
static int copy_root(struct store *store, int upper, const json_t *layers, struct fault *fault)
{
	const char *top = json_string_value(json_array_get(layers, json_array_size(layers) - 1));
	AUTO_FD layer = top ? store_object(store, STORE_LAYER, top, fault) : -1;
	AUTO_FD tree = layer < 0 ? -1 : openat(layer, "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (tree < 0)
		return fault->text ? -1 :
			fault_errno(fault, EXIT_SYSTEM, errno, "the image's topmost layer");
	return copy_attributes(tree, upper, fault);
}

static int fill(struct staging *staging, int object, const json_t *facts, struct fault *fault)
{
	AUTO_FD upper = -1;

	if (mkdirat(object, "upper", 0755) < 0 || mkdirat(object, "work", 0700) < 0 ||
	    mkdirat(object, "root", 0755) < 0 ||
	    (upper = openat(object, "upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot make its directories");
	if (copy_root(staging->store, upper, json_object_get(facts, "layers"), fault) < 0)
		return -1;
	if (json_number(facts, "size_limit") &&
	    quota_set(object, json_number(facts, "project"), json_number(facts, "size_limit"),
		      fault) < 0)
		return -1;
	return jsonfile_write(object, FACTS, facts, fault);
}

static json_t *new_facts(struct staging *staging, const struct container_spec *spec,
			 const char *id, struct fault *fault)
{
	struct store *store = staging->store;
	AUTO_FREE char *image = image_find(store, spec->image, fault);
	AUTO_JSON *image_facts = image ? store_facts(store, STORE_IMAGE, image, fault) : NULL;
	AUTO_JSON *volumes = NULL;
	char name[32], now[TIME_SIZE];
	int64_t project = 0;
	json_t *facts;

	if (!image_facts)
		return NULL;
	snprintf(name, sizeof(name), "c-%.8s", id);
	if (check_name(store, spec->name ? spec->name : name, fault) < 0 ||
	    (spec->size_limit && next_project(store, &project, fault) < 0))
		return NULL;
	volumes = make_volumes(staging, spec->volumes, fault);
	if (!volumes)
		return NULL;
	store_now(now);
	facts = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:O, s:O, s:I, s:I}", "version", 1,
			  "id", id, "name", spec->name ? spec->name : name, "image", image,
			  "image_name", spec->image, "created", now,
			  "layers", json_object_get(image_facts, "layers"), "volumes", volumes,
			  "size_limit", (json_int_t)spec->size_limit, "project",
			  (json_int_t)project);
	if (!facts)
		fault_no_memory(fault);
	return facts;
}

int container_create(struct staging *staging, const struct container_spec *spec,
		     char id[ID_SIZE], struct fault *fault)
{
	AUTO_JSON *facts = NULL;
	AUTO_FD object = -1;

	if (store_new_id(id, fault) < 0)
		return -1;
	facts = new_facts(staging, spec, id, fault);
	if (!facts)
		return -1;
	if (mkdirat(staging->fd, id, 0711) < 0 ||
	    (object = openat(staging->fd, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot make a container");
	if (fill(staging, object, facts, fault) < 0)
		return fault_wrap(fault, "container \"%s\"", json_text(facts, "name"));
	return store_publish(staging, id, STORE_CONTAINER, id, fault);
}

int container_remove(struct staging *staging, const char *id, bool force, struct fault *fault)
{
	struct store *store = staging->store;
	AUTO_JSON *facts = store_facts(store, STORE_CONTAINER, id, fault);
	int mounted = facts ? container_mounted(store, id, fault) : -1;

	if (mounted < 0)
		return -1;
	if (mounted && !force) {
		fault_set(fault, EXIT_USED, "the container \"%s\" is mounted",
			  json_text(facts, "name"));
		return fault_advise(fault, "unmount it first, or call veneer rm --force");
	}
	if (mounted && container_unmount(store, id, true, fault) < 0)
		return -1;
	if (json_number(facts, "size_limit"))
		quota_clear(store->root, json_number(facts, "project"));
	return store_withdraw(staging, STORE_CONTAINER, id, fault);
}

int container_rename(struct store *store, const char *id, const char *name,
		     struct fault *fault)
{
	AUTO_JSON *facts = store_facts(store, STORE_CONTAINER, id, fault);

	if (!facts)
		return -1;
	if (!strcmp(json_text(facts, "name"), name))
		return 0;
	if (check_name(store, name, fault) < 0 ||
	    json_set(facts, "name", json_string(name), fault) < 0)
		return -1;
	return store_set_facts(store, STORE_CONTAINER, id, facts, fault);
}

json_t *container_describe(struct store *store, const char *id, struct fault *fault)
{
	AUTO_JSON *facts = store_facts(store, STORE_CONTAINER, id, fault);
	AUTO_FREE char *root = store_path(store, STORE_CONTAINER, id, "root");
	AUTO_FREE char *upper = store_path(store, STORE_CONTAINER, id, "upper");
	int mounted = facts ? container_mounted(store, id, fault) : -1;
	json_t *result;

	if (mounted < 0 || json_set(facts, "mounted", json_boolean(mounted), fault) < 0 ||
	    json_set(facts, "root", json_string(root), fault) < 0 ||
	    json_set(facts, "upper", json_string(upper), fault) < 0)
		return NULL;
	result = facts;
	facts = NULL;
	return result;
}
