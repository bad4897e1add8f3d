// SPDX-License-Identifier: GPL-2.0-or-later
/* Volumes; see volume.h. */
#include "store/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/files.h"
#include "layer/copytree.h"
#include "layer/name.h"
#include "layer/tree.h"
#include "layer/usage.h"

/* Beside the data while an image's content is copied into it. */
#define POPULATING "populating"
/* Its time is when the volume was last used. */
#define LAST_USED "used"

static const struct volume_backend *const backends[] = {
	&volume_directory, &volume_tmpfs, &volume_loop,
};

const struct volume_backend *volume_backend(const char *name)
{
	for (size_t i = 0; i < sizeof(backends) / sizeof(*backends); i++) {
		if (!strcmp(backends[i]->name, name))
			return backends[i];
	}
	return &volume_plugin;
}

int volume_check(struct store *store, const char *name, struct fault *fault)
{
	int64_t count;

	if (db_number(store->db, fault, &count, "SELECT count(*) FROM volumes WHERE name = ?",
		      "s", name) < 0)
		return -1;
	if (count)
		return 0;
	fault_set(fault, EXIT_USAGE, "there is no volume \"%s\"", name);
	return fault_advise(fault, "veneer volume ls shows those that are there");
}

static int is_there(struct store *store, const char *name, bool *there, struct fault *fault)
{
	int64_t count = 0;
	int result = db_number(store->db, fault, &count,
			       "SELECT count(*) FROM volumes WHERE name = ?", "s", name);

	*there = count;
	return result < 0 ? -1 : 0;
}

static json_t *new_facts(const struct volume_spec *spec, const char *name)
{
	char now[TIME_SIZE];
	json_t *facts;

	store_now(now);
	facts = json_pack("{s:i, s:s, s:s, s:s, s:b, s:I}", "version", 1, "name", name,
			  "backend", spec->backend ? spec->backend : "directory",
			  "created", now, "anonymous", !spec->name,
			  "size_limit", (json_int_t)spec->size);
	if (facts && spec->options)
		json_object_set(facts, "options", (json_t *)spec->options);
	return facts;
}

static int fill(int object, const struct volume_spec *spec, struct fault *fault)
{
	AUTO_FD data = openat(object, "data", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (data < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "its data");
	if (spec->fill(data, spec->context, fault) < 0)
		return -1;
	return syncfs(data) < 0 ?
		fault_errno(fault, EXIT_SYSTEM, errno, "cannot write it to the disk") : 0;
}

int volume_create(struct staging *staging, const struct volume_spec *spec, char **name,
		  struct fault *fault)
{
	AUTO_JSON *facts = NULL;
	AUTO_FD object = -1;
	AUTO_FREE char *chosen = NULL;
	char id[ID_SIZE];
	bool there;

	if (store_new_id(id, fault) < 0)
		return -1;
	chosen = strdup(spec->name ? spec->name : id);
	if (!chosen)
		return fault_no_memory(fault);
	if (name_check_object("volume", chosen, fault) < 0 ||
	    is_there(staging->store, chosen, &there, fault) < 0)
		return -1;
	if (there)
		return fault_set(fault, EXIT_USED, "there is a volume \"%s\" already", chosen);
	facts = new_facts(spec, chosen);
	if (!facts)
		return fault_no_memory(fault);
	if (mkdirat(staging->fd, id, 0711) < 0 ||
	    (object = openat(staging->fd, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot make a volume");
	if (volume_backend(json_text(facts, "backend"))->make(object, facts, fault) < 0 ||
	    (spec->fill && fill(object, spec, fault) < 0) ||
	    jsonfile_write(object, FACTS, facts, fault) < 0 ||
	    store_publish(staging, id, STORE_VOLUME, chosen, fault) < 0)
		return fault_wrap(fault, "volume \"%s\"", chosen);
	*name = take_string(&chosen);
	return 0;
}

int volume_remove(struct staging *staging, const char *name, struct fault *fault)
{
	struct store *store = staging->store;
	AUTO_FREE char *user = NULL, *directory = NULL;
	AUTO_JSON *facts = NULL;
	int used;

	if (volume_check(store, name, fault) < 0)
		return -1;
	used = db_text(store->db, fault, &user,
		       "SELECT c.name FROM containers AS c JOIN container_volumes AS v"
		       " ON v.container = c.id WHERE v.volume = ? LIMIT 1", "s", name);
	if (used < 0)
		return -1;
	if (used) {
		fault_set(fault, EXIT_USED, "the volume \"%s\" is used by the container \"%s\"",
			  name, user);
		return fault_advise(fault, "remove the container first: veneer rm %s", user);
	}
	facts = store_facts(store, STORE_VOLUME, name, fault);
	directory = facts ? store_path(store, STORE_VOLUME, name, "") : NULL;
	if (!directory)
		return facts ? fault_no_memory(fault) : -1;
	if (volume_backend(json_text(facts, "backend"))->remove(directory, facts, fault) < 0)
		return fault_wrap(fault, "volume \"%s\"", name);
	return store_withdraw(staging, STORE_VOLUME, name, fault);
}

char *volume_use(struct store *store, const char *name, struct fault *fault)
{
	AUTO_JSON *facts = store_facts(store, STORE_VOLUME, name, fault);
	AUTO_FREE char *directory = store_path(store, STORE_VOLUME, name, "");
	AUTO_FD object = facts ? store_object(store, STORE_VOLUME, name, fault) : -1;
	AUTO_FD used = -1;
	char *data;

	if (object < 0)
		return NULL;
	used = openat(object, LAST_USED, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (used < 0 || futimens(used, NULL) < 0) {
		fault_errno(fault, EXIT_SYSTEM, errno, "volume \"%s\": cannot note its use", name);
		return NULL;
	}
	data = directory ? volume_backend(json_text(facts, "backend"))->use(directory, facts, fault) :
		NULL;
	if (!data)
		fault_wrap(fault, "volume \"%s\"", name);
	return data;
}

int volume_release(struct store *store, const char *name, struct fault *fault)
{
	AUTO_JSON *facts = store_facts(store, STORE_VOLUME, name, fault);
	AUTO_FREE char *directory = store_path(store, STORE_VOLUME, name, "");
	const struct volume_backend *backend;

	if (!facts || !directory)
		return -1;
	backend = volume_backend(json_text(facts, "backend"));
	if (!backend->release || !backend->release(directory, facts, fault))
		return 0;
	return fault_wrap(fault, "volume \"%s\"", name);
}

/* 1: nothing is in it, apart from what a fresh filesystem has. */
static int is_empty(int directory, struct fault *fault)
{
	CLEANUP(cleanup_dir) DIR *stream =
		names_open(openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	const char *name;

	if (!stream)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot read it");
	while ((name = names_next(stream))) {
		if (strcmp(name, "lost+found"))
			return 0;
	}
	return errno ? fault_errno(fault, EXIT_SYSTEM, errno, "cannot read it") : 1;
}

int volume_populate(struct store *store, const char *name, const char *data, int place,
		    struct fault *fault)
{
	AUTO_FD object = store_object(store, STORE_VOLUME, name, fault);
	AUTO_FD to = object < 0 ? -1 : open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_FD marker = -1;
	struct copied copied = { 0 };
	struct stat status;
	int result;

	if (to < 0)
		return object < 0 ? -1 :
			fault_errno(fault, EXIT_SYSTEM, errno, "volume \"%s\": \"%s\"", name, data);
	/* A process died over it. Nobody has seen the volume yet. */
	if (!fstatat(object, POPULATING, &status, AT_SYMLINK_NOFOLLOW) && tree_clear(to) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "volume \"%s\": cannot empty it", name);
	result = is_empty(to, fault);
	if (result <= 0)
		return result;
	marker = openat(object, POPULATING, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (marker < 0 || fsync(object) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "volume \"%s\"", name);
	if (copytree(place, to, &copied, fault) < 0)
		return fault_wrap(fault, "volume \"%s\": cannot copy the image's content", name);
	if (syncfs(to) < 0 || unlinkat(object, POPULATING, 0) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "volume \"%s\"", name);
	return 0;
}

static json_t *users_of(struct store *store, const char *name, struct fault *fault)
{
	return db_texts(store->db, fault, "SELECT DISTINCT c.name FROM containers AS c JOIN"
			" container_volumes AS v ON v.container = c.id"
			" WHERE v.volume = ? ORDER BY c.name", "s", name);
}

json_t *volume_describe(struct store *store, const char *name, struct fault *fault)
{
	AUTO_JSON *facts = store_facts(store, STORE_VOLUME, name, fault);
	AUTO_FREE char *used_file = store_path(store, STORE_VOLUME, name, LAST_USED);
	AUTO_FREE char *data = store_path(store, STORE_VOLUME, name, "data");
	json_t *users = facts ? users_of(store, name, fault) : NULL, *result;
	char used[TIME_SIZE] = "";
	struct stat status;
	uint64_t bytes = 0;

	if (!users || json_set(facts, "users", users, fault) < 0)
		return NULL;
	if (!stat(used_file, &status)) {
		struct tm parts;

		gmtime_r(&status.st_mtime, &parts);
		strftime(used, sizeof(used), "%Y-%m-%dT%H:%M:%SZ", &parts);
	}
	if (json_set(facts, "last_used", *used ? json_string(used) : json_null(), fault) < 0)
		return NULL;
	if (!access(data, F_OK)) {
		if (usage_of_path(data, &bytes, fault) < 0 ||
		    json_set(facts, "path", json_string(data), fault) < 0)
			return NULL;
	}
	if (json_set(facts, "bytes", json_integer(bytes), fault) < 0)
		return NULL;
	result = facts;
	facts = NULL;
	return result;
}

int volume_open(struct store *store, const char *name, struct fault *fault)
{
	AUTO_FREE char *path = NULL;
	int fd;

	if (volume_check(store, name, fault) < 0)
		return -1;
	path = volume_use(store, name, fault);
	if (!path)
		return -1;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? fault_errno(fault, EXIT_SYSTEM, errno, "cannot open \"%s\"", path) : fd;
}
