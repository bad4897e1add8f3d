// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer check */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "store/check.h"
#include "verbs/verb.h"

/* The files are the truth: an index that sqlite cannot read is made anew. */
static int drop_index(struct fault *fault)
{
	static const char *const names[] = { "index.db", "index.db-wal", "index.db-shm" };
	const struct config *config = config_get(fault);

	for (size_t i = 0; config && i < sizeof(names) / sizeof(*names); i++) {
		AUTO_FREE char *path = NULL;

		if (asprintf(&path, "%s/%s", config->root, names[i]) < 0) {
			path = NULL;
			return fault_no_memory(fault);
		}
		if (unlink(path) < 0 && errno != ENOENT)
			return fault_errno(fault, EXIT_SYSTEM, errno, "cannot remove \"%s\"", path);
	}
	return config ? 0 : -1;
}

static bool index_unreadable(const struct store *store)
{
	int code = store->db ? sqlite3_errcode(store->db) : SQLITE_OK;

	return code == SQLITE_NOTADB || code == SQLITE_CORRUPT;
}

static int check(struct check *check, struct fault *fault)
{
	for (int attempt = 0;; attempt++) {
		AUTO_STORE store = STORE_INIT;

		if (!store_open(&store, STORE_CHANGE, fault) &&
		    !check_store(&store, check, fault))
			return 0;
		if (attempt || !check->repair || !index_unreadable(&store))
			return -1;
		fault_clear(fault);
		json_array_clear(check->findings);
		if (drop_index(fault) < 0)
			return -1;
		json_array_append_new(check->findings,
				      json_pack("{s:s, s:s, s:s, s:b}", "what",
						"the index could not be read", "object", "index.db",
						"detail", "", "repaired", true));
	}
}

static int run(int argc, char **argv, struct fault *fault)
{
	static const char *const known[] = { "repair", "json", "quiet", NULL };
	int switches = verb_switches(argc, argv, known, fault);
	AUTO_JSON *findings = json_array();
	struct check job = { .repair = switches & 1, .findings = findings };
	bool left = false;
	json_t *finding;
	size_t i;

	if (switches < 0)
		return -1;
	if (argc != optind)
		return verb_misused(&verb_check, fault);
	if (check(&job, fault) < 0)
		return -1;
	json_array_foreach(findings, i, finding) {
		const char *detail = json_text(finding, "detail");
		bool repaired = json_is_true(json_object_get(finding, "repaired"));

		left |= !repaired;
		if (!(switches & 6))
			printf("%s: %s%s%s%s%s\n", json_text(finding, "object"),
			       json_text(finding, "what"), *detail ? " (" : "", detail,
			       *detail ? ")" : "", repaired ? ": repaired" : "");
	}
	if (switches & 2 && json_print(findings, fault) < 0)
		return -1;
	if (!(switches & 6) && !json_array_size(findings))
		printf("Nothing is wrong.\n");
	return left ? EXIT_DAMAGED : 0;
}

const struct verb verb_check = {
	.name = "check",
	.usage = "[--repair] [--json | --quiet]",
	.summary = "look whether the store is in order",
	.help =
"Looks at every object, at what processes that died left behind, and at the\n"
"index, which is made anew from the files if it is not what they say. Exits with\n"
"5 when something was found and not repaired.\n\n"
"  -r, --repair   remove leftovers, and names that lead nowhere; data is never\n"
"                 removed\n"
"  --json         for a script\n"
"  -q, --quiet    print nothing\n",
	.run = run,
};
