// SPDX-License-Identifier: GPL-2.0-or-later
/* Checking the store; see check.h. */
#include "store/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/files.h"
#include "layer/digest.h"
#include "layer/splitcheck.h"
#include "store/container.h"
#include "store/index.h"
#include "store/plan.h"

static int find(struct check *check, const char *what, const char *object,
		const char *detail, bool repaired, struct fault *fault)
{
	json_t *finding = json_pack("{s:s, s:s, s:s, s:b}", "what", what, "object", object,
				    "detail", detail, "repaired", repaired);

	return finding && !json_array_append_new(check->findings, finding) ? 0 :
		fault_no_memory(fault);
}

static bool has(struct store *store, enum store_kind kind, const char *id, const char *name)
{
	AUTO_FREE char *path = NULL;
	struct stat status;

	if (asprintf(&path, "%s/%s", id, name) < 0) {
		path = NULL;
		return false;
	}
	return *id && !fstatat(store->kinds[kind], path, &status, AT_SYMLINK_NOFOLLOW);
}

/* Which layer of a list is not there; NULL: all are. */
static const char *missing_layer(struct store *store, const json_t *facts)
{
	const json_t *layer;
	size_t i;

	json_array_foreach(json_object_get(facts, "layers"), i, layer) {
		const char *id = json_string_value(layer);

		if (!id || !has(store, STORE_LAYER, id, "tree"))
			return id ? id : "(no text)";
	}
	return NULL;
}

/* The configuration is named by its digest, so damage shows. */
static const char *config_problem(struct store *store, const char *id)
{
	struct fault unread = { 0 };
	AUTO_FD object = store_object(store, STORE_IMAGE, id, &unread);
	AUTO_FD fd = object < 0 ? -1 : openat(object, "config.json", O_RDONLY | O_CLOEXEC);
	char digest[DIGEST_TEXT_SIZE];
	int result = fd < 0 ? -1 : digest_file(fd, digest, &unread);

	fault_clear(&unread);
	if (result < 0)
		return "its config.json cannot be read";
	return strcmp(digest + 7, id) ? "its config.json is not what its id says" : NULL;
}

static const char *layer_problem(struct store *store, const char *id, const json_t *facts)
{
	const char *parent = json_text(facts, "parent");
	const char *diff_id = json_text(facts, "diff_id");
	struct fault unread = { 0 };
	char chain[ID_SIZE];

	if (!has(store, STORE_LAYER, id, "tree"))
		return "its tree is missing";
	if (*parent && !has(store, STORE_LAYER, parent, "tree"))
		return "the layer below it is missing";
	if (!digest_is_valid(diff_id))
		return *diff_id ? "its diffID is not a digest" : NULL;
	if (!plan_chain(chain, parent, diff_id, &unread) && strcmp(chain, id))
		return "its diffID and the layer below it do not give its id";
	fault_clear(&unread);
	return NULL;
}

static const char *problem_of(struct store *store, enum store_kind kind, const char *id,
			      const json_t *facts)
{
	switch (kind) {
	case STORE_LAYER:
		return layer_problem(store, id, facts);
	case STORE_IMAGE:
		if (missing_layer(store, facts))
			return "a layer of it is missing";
		return config_problem(store, id);
	case STORE_NAME:
		return has(store, STORE_IMAGE, json_text(facts, "image"), FACTS) ? NULL :
			"the image it names is missing";
	case STORE_CONTAINER:
		if (!has(store, kind, id, "upper") || !has(store, kind, id, "work") ||
		    !has(store, kind, id, "root"))
			return "a directory of it is missing";
		return missing_layer(store, facts) ? "a layer of it is missing" : NULL;
	case STORE_VOLUME:
		break;
	}
	return NULL;
}

static int check_object(struct store *store, struct staging *staging, struct check *check,
			enum store_kind kind, const char *id, struct fault *fault)
{
	AUTO_FREE char *object = NULL;
	struct fault unread = { 0 };
	AUTO_JSON *facts = store_facts(store, kind, id, &unread);
	AUTO_FREE char *text = unread.text;
	const char *problem = facts ? problem_of(store, kind, id, facts) :
		"its facts.json cannot be read";
	/* A name says nothing but what it leads to; all else may hold somebody's data. */
	bool repair = check->repair && kind == STORE_NAME;

	if (asprintf(&object, "%s/%s", store_kind_directory(kind), id) < 0) {
		object = NULL;
		return fault_no_memory(fault);
	}
	/* Where facts.json was being replaced when a process died. */
	if (facts && has(store, kind, id, FACTS ".new")) {
		AUTO_FREE char *path = store_path(store, kind, id, FACTS ".new");

		if (find(check, "an unfinished file is left over", object, FACTS ".new",
			 check->repair && path && !unlink(path), fault) < 0)
			return -1;
	}
	if (!problem)
		return 0;
	if (repair && store_withdraw(staging, kind, id, fault) < 0)
		return -1;
	return find(check, problem, object, facts ? "" : text, repair, fault);
}

struct split {
	struct check *check;
	const char *object;
};

static int tell_split(void *context, const char *path, const char *problem,
		      struct fault *fault)
{
	struct split *split = context;

	/* JSON is UTF-8, names are bytes. */
	if (!find(split->check, problem, split->object, path, false, fault))
		return 0;
	fault_clear(fault);
	return find(split->check, problem, split->object, "a name that is not UTF-8", false, fault);
}

/* The block maps of a layer, or of a container that is not mounted. */
static int check_maps(struct store *store, struct check *check, enum store_kind kind,
		      const char *id, struct fault *fault)
{
	AUTO_FREE char *path = store_path(store, kind, id, kind == STORE_LAYER ? "tree" : "upper");
	AUTO_FD tree = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	struct split split = { check, path + strlen(store->path) + 1 };
	unsigned long files = 0;

	/* What is missing has been told of. */
	if (tree < 0)
		return 0;
	if (kind == STORE_CONTAINER) {
		int mounted = container_mounted(store, id, fault);

		if (mounted)
			return mounted < 0 ? -1 : 0;
	}
	return splitcheck(tree, tell_split, &split, &files, fault);
}

static int check_kind(struct store *store, struct staging *staging, struct check *check,
		      enum store_kind kind, struct fault *fault)
{
	CLEANUP(cleanup_dir) DIR *stream =
		names_open(openat(store->kinds[kind], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	const char *name;

	if (!stream)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot read \"%s\"",
				   store_kind_directory(kind));
	while ((name = names_next(stream))) {
		if (check_object(store, staging, check, kind, name, fault) < 0)
			return -1;
		if ((kind == STORE_LAYER || kind == STORE_CONTAINER) &&
		    check_maps(store, check, kind, name, fault) < 0)
			return -1;
	}
	return errno ? fault_errno(fault, EXIT_SYSTEM, errno, "cannot read \"%s\"",
				   store_kind_directory(kind)) : 0;
}

static int check_unused(struct store *store, struct check *check, struct fault *fault)
{
	AUTO_QUERY *rows = db_query(store->db, fault,
				    "SELECT id FROM layers WHERE id NOT IN"
				    " (SELECT layer FROM image_layers UNION"
				    "  SELECT layer FROM container_layers) ORDER BY id", "");
	int more = rows ? 1 : -1;

	while (more > 0 && (more = db_row(store->db, rows, fault)) > 0) {
		AUTO_FREE char *object = NULL;

		if (asprintf(&object, "layers/%s", db_column(rows, 0)) < 0) {
			object = NULL;
			return fault_no_memory(fault);
		}
		if (find(check, "no image and no container uses it", object,
			 "veneer prune removes it", false, fault) < 0)
			return -1;
	}
	return more;
}

static int check_index(struct store *store, struct check *check, struct fault *fault)
{
	AUTO_FREE char *before = NULL, *after = NULL, *verdict = NULL;

	if (db_text(store->db, fault, &verdict, "PRAGMA integrity_check", "") < 0)
		return -1;
	if (strcmp(verdict ? verdict : "", "ok") &&
	    find(check, "the index is damaged", "index.db", verdict ? verdict : "", false, fault) < 0)
		return -1;
	before = index_dump(store, fault);
	if (!before || index_rebuild(store, fault) < 0)
		return -1;
	after = index_dump(store, fault);
	if (!after)
		return -1;
	if (!strcmp(before, after))
		return 0;
	return find(check, "the index was not what the files say", "index.db", "", true, fault);
}

int check_store(struct store *store, struct check *check, struct fault *fault)
{
	AUTO_STAGING staging = STAGING_INIT;
	unsigned long leftovers;

	if (check_index(store, check, fault) < 0 ||
	    store_leftovers(store, check->repair, &leftovers, fault) < 0)
		return -1;
	if (leftovers) {
		char count[64];

		snprintf(count, sizeof(count), "%lu", leftovers);
		if (find(check, "left behind by processes that died", "staging", count,
			 check->repair, fault) < 0)
			return -1;
	}
	if (staging_begin(&staging, store, fault) < 0)
		return -1;
	for (int kind = 0; kind < STORE_KINDS; kind++) {
		if (check_kind(store, &staging, check, kind, fault) < 0)
			return -1;
	}
	if (store_finish(store, fault) < 0)
		return -1;
	return check_unused(store, check, fault);
}
