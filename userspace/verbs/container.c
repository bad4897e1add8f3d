// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer ls, inspect, rename, rm */
#include <stdio.h>
#include <string.h>

#include "store/container.h"
#include "verbs/verb.h"

enum { JSON = 1, QUIET = 2 };

static json_t *describe(struct store *store, const char *id, struct fault *fault)
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

static int run_ls(int argc, char **argv, struct fault *fault)
{
	static const char *const known[] = { "json", "quiet", NULL };
	int switches = verb_switches(argc, argv, known, fault), more;
	AUTO_STORE store = STORE_INIT;
	AUTO_JSON *list = json_array();
	AUTO_QUERY *rows = NULL;

	if (switches < 0)
		return -1;
	if (argc != optind)
		return verb_misused(&verb_ls, fault);
	if (store_open(&store, STORE_LOOK, fault) < 0)
		return -1;
	rows = db_query(store.db, fault, "SELECT id FROM containers ORDER BY created, name", "");
	if (!rows)
		return -1;
	if (!(switches & (JSON | QUIET)))
		printf("%-24s %-12s %-32s %-20s %s\n", "NAME", "ID", "IMAGE", "CREATED", "MOUNTED");
	while ((more = db_row(store.db, rows, fault)) > 0) {
		json_t *one = describe(&store, db_column(rows, 0), fault);

		if (!one)
			return -1;
		json_array_append_new(list, one);
		if (switches & QUIET)
			printf("%s\n", json_text(one, "id"));
		else if (!(switches & JSON))
			printf("%-24s %.12s %-32s %-20s %s\n", json_text(one, "name"),
			       json_text(one, "id"), json_text(one, "image_name"),
			       json_text(one, "created"),
			       json_is_true(json_object_get(one, "mounted")) ? "yes" : "no");
	}
	if (more < 0)
		return -1;
	return switches & JSON ? json_print(list, fault) : 0;
}

const struct verb verb_ls = {
	.name = "ls",
	.usage = "[--json | --quiet]",
	.summary = "list the containers",
	.help = "  --json        for a script\n  -q, --quiet   ids only\n",
	.run = run_ls,
};

static int run_inspect(int argc, char **argv, struct fault *fault)
{
	static const char *const known[] = { NULL };
	AUTO_STORE store = STORE_INIT;
	AUTO_FREE char *id = NULL;
	AUTO_JSON *facts = NULL;

	if (verb_switches(argc, argv, known, fault) < 0)
		return -1;
	if (argc - optind != 1)
		return verb_misused(&verb_inspect, fault);
	if (store_open(&store, STORE_LOOK, fault) < 0)
		return -1;
	id = container_find(&store, argv[optind], fault);
	facts = id ? describe(&store, id, fault) : NULL;
	return facts ? json_print(facts, fault) : -1;
}

const struct verb verb_inspect = {
	.name = "inspect",
	.usage = "CONTAINER",
	.summary = "all that is known of a container, as JSON",
	.help = "CONTAINER is a name, an id or the beginning of one.\n",
	.run = run_inspect,
};

static int run_rename(int argc, char **argv, struct fault *fault)
{
	static const char *const known[] = { NULL };
	AUTO_STORE store = STORE_INIT;
	AUTO_FREE char *id = NULL;

	if (verb_switches(argc, argv, known, fault) < 0)
		return -1;
	if (argc - optind != 2)
		return verb_misused(&verb_rename, fault);
	if (store_open(&store, STORE_CHANGE, fault) < 0)
		return -1;
	id = container_find(&store, argv[optind], fault);
	if (!id || container_rename(&store, id, argv[optind + 1], fault) < 0)
		return -1;
	return store_finish(&store, fault);
}

const struct verb verb_rename = {
	.name = "rename",
	.usage = "CONTAINER NAME",
	.summary = "give a container another name",
	.help = "It stays mounted if it is.\n",
	.run = run_rename,
};

static int remove_one(const char *word, bool force, bool quiet, struct fault *fault)
{
	AUTO_STORE store = STORE_INIT;
	AUTO_STAGING staging = STAGING_INIT;
	AUTO_FREE char *id = NULL;

	if (store_open(&store, STORE_CHANGE, fault) < 0)
		return -1;
	id = container_find(&store, word, fault);
	if (!id || staging_begin(&staging, &store, fault) < 0 ||
	    container_remove(&staging, id, force, fault) < 0 ||
	    store_finish(&store, fault) < 0 || store_access(&store, STORE_FREE, fault) < 0)
		return -1;
	if (!quiet)
		printf("Removed container %s\n", word);
	return 0;
}

static int run_rm(int argc, char **argv, struct fault *fault)
{
	static const char *const known[] = { "force", "quiet", NULL };
	int switches = verb_switches(argc, argv, known, fault);

	if (switches < 0)
		return -1;
	if (argc == optind)
		return verb_misused(&verb_rm, fault);
	for (int i = optind; i < argc; i++) {
		if (remove_one(argv[i], switches & 1, switches & 2, fault) < 0)
			return -1;
	}
	return 0;
}

const struct verb verb_rm = {
	.name = "rm",
	.usage = "[--force] [--quiet] CONTAINER...",
	.summary = "remove a container and what it has written",
	.help =
"Its volumes stay, anonymous ones too; see volume prune.\n\n"
"  -f, --force   also when it is mounted\n"
"  -q, --quiet   print nothing\n",
	.run = run_rm,
};
