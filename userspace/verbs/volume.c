// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer volume create, ls, inspect, rm, prune */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/config.h"
#include "base/human.h"
#include "layer/usage.h"
#include "store/volume.h"
#include "verbs/verb.h"

enum { JSON = 1, QUIET = 2 };

/* "KEY=VALUE" for a plug-in. */
static int add_option(json_t *options, char *text, struct fault *fault)
{
	char *value = strchr(text, '=');

	if (!value)
		return fault_set(fault, EXIT_USAGE, "--opt: \"%s\" is not of the form KEY=VALUE",
				 text);
	*value++ = '\0';
	return json_set(options, text, json_string(value), fault);
}

static int create(const struct volume_spec *spec, struct fault *fault)
{
	AUTO_STORE store = STORE_INIT;
	AUTO_STAGING staging = STAGING_INIT;
	AUTO_FREE char *name = NULL;

	if (store_open(&store, STORE_CHANGE, fault) < 0 ||
	    staging_begin(&staging, &store, fault) < 0 ||
	    volume_create(&staging, spec, &name, fault) < 0 || store_finish(&store, fault) < 0)
		return -1;
	printf("%s\n", name);
	return 0;
}

static int run_create(int argc, char **argv, struct fault *fault)
{
	static const struct option options[] = {
		{ "backend", required_argument, NULL, 'b' },
		{ "size", required_argument, NULL, 's' },
		{ "opt", required_argument, NULL, 'o' },
		{ 0 },
	};
	AUTO_JSON *plugin = json_object();
	struct volume_spec spec = { .options = plugin };
	int option;

	while ((option = verb_option(argc, argv, ":b:s:o:", options, fault)) != -1) {
		switch (option) {
		case 'b':
			spec.backend = optarg;
			break;
		case 's':
			if (config_size(optarg, &spec.size) < 0)
				return fault_set(fault, EXIT_USAGE,
						 "--size: \"%s\" is not a size like 500M or 2G",
						 optarg);
			break;
		case 'o':
			if (add_option(plugin, optarg, fault) < 0)
				return -1;
			break;
		default:
			return -1;
		}
	}
	if (argc - optind > 1)
		return verb_misused(&verb_volume_create, fault);
	spec.name = argc > optind ? argv[optind] : NULL;
	return create(&spec, fault);
}

const struct verb verb_volume_create = {
	.name = "volume create",
	.usage = "[OPTION...] [NAME]",
	.summary = "make a volume",
	.help =
"Prints its name; without NAME it is one by chance.\n\n"
"  -b, --backend KIND   directory (default), tmpfs (gone when the machine stops),\n"
"                       loop (a filesystem in a file, with a limit), or the name of\n"
"                       an executable, see veneer-volume-plugin(7)\n"
"  -s, --size SIZE      the limit for tmpfs and loop: 500M, 2G\n"
"  -o, --opt KEY=VALUE  for such an executable; repeat for more\n",
	.run = run_create,
};

static json_t *users_of(struct store *store, const char *name, struct fault *fault)
{
	AUTO_QUERY *rows = db_query(store->db, fault,
				    "SELECT DISTINCT c.name FROM containers AS c JOIN"
				    " container_volumes AS v ON v.container = c.id"
				    " WHERE v.volume = ? ORDER BY c.name", "s", name);
	json_t *users = json_array();
	int more = rows ? 1 : -1;

	while (more > 0 && (more = db_row(store->db, rows, fault)) > 0)
		json_array_append_new(users, json_string(db_column(rows, 0)));
	if (more < 0) {
		json_decref(users);
		return NULL;
	}
	return users;
}

static json_t *describe(struct store *store, const char *name, struct fault *fault)
{
	AUTO_JSON *facts = store_facts(store, STORE_VOLUME, name, fault);
	AUTO_FREE char *used_file = store_path(store, STORE_VOLUME, name, "used");
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

static void print_volume(const json_t *one)
{
	const json_t *users = json_object_get(one, "users");
	char size[SIZE_TEXT];
	const char *used = json_text(one, "last_used");

	human_size(json_number(one, "bytes"), size);
	printf("%-24.24s %-10s %10s %-20s", json_text(one, "name"), json_text(one, "backend"),
	       size, *used ? used : "never");
	for (size_t i = 0; i < json_array_size(users); i++)
		printf("%s%s", i ? "," : " ", json_string_value(json_array_get(users, i)));
	printf("\n");
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
		return verb_misused(&verb_volume_ls, fault);
	if (store_open(&store, STORE_LOOK, fault) < 0)
		return -1;
	rows = db_query(store.db, fault, "SELECT name FROM volumes ORDER BY name", "");
	if (!rows)
		return -1;
	if (!(switches & (JSON | QUIET)))
		printf("%-24s %-10s %10s %-20s %s\n", "NAME", "BACKEND", "SIZE", "LAST USED",
		       "USERS");
	while ((more = db_row(store.db, rows, fault)) > 0) {
		json_t *one;

		if (switches & QUIET) {
			printf("%s\n", db_column(rows, 0));
			continue;
		}
		one = describe(&store, db_column(rows, 0), fault);
		if (!one)
			return -1;
		json_array_append_new(list, one);
		if (!(switches & JSON))
			print_volume(one);
	}
	if (more < 0)
		return -1;
	return switches & JSON ? json_print(list, fault) : 0;
}

const struct verb verb_volume_ls = {
	.name = "volume ls",
	.usage = "[--json | --quiet]",
	.summary = "list the volumes, with size, users and when last used",
	.help = "  --json        for a script\n  -q, --quiet   names only\n",
	.run = run_ls,
};

static int run_inspect(int argc, char **argv, struct fault *fault)
{
	static const char *const known[] = { NULL };
	AUTO_STORE store = STORE_INIT;
	AUTO_JSON *facts = NULL;

	if (verb_switches(argc, argv, known, fault) < 0)
		return -1;
	if (argc - optind != 1)
		return verb_misused(&verb_volume_inspect, fault);
	if (store_open(&store, STORE_LOOK, fault) < 0 ||
	    volume_check(&store, argv[optind], fault) < 0)
		return -1;
	facts = describe(&store, argv[optind], fault);
	return facts ? json_print(facts, fault) : -1;
}

const struct verb verb_volume_inspect = {
	.name = "volume inspect",
	.usage = "VOLUME",
	.summary = "all that is known of a volume, as JSON",
	.help = "",
	.run = run_inspect,
};

static int remove_one(const char *name, struct fault *fault)
{
	AUTO_STORE store = STORE_INIT;
	AUTO_STAGING staging = STAGING_INIT;

	if (store_open(&store, STORE_CHANGE, fault) < 0 ||
	    staging_begin(&staging, &store, fault) < 0 ||
	    volume_remove(&staging, name, fault) < 0 || store_finish(&store, fault) < 0)
		return -1;
	return store_access(&store, STORE_FREE, fault);
}

static int run_rm(int argc, char **argv, struct fault *fault)
{
	static const char *const known[] = { "quiet", NULL };
	int switches = verb_switches(argc, argv, known, fault);

	if (switches < 0)
		return -1;
	if (argc == optind)
		return verb_misused(&verb_volume_rm, fault);
	for (int i = optind; i < argc; i++) {
		if (remove_one(argv[i], fault) < 0)
			return -1;
		if (!switches)
			printf("Removed volume %s\n", argv[i]);
	}
	return 0;
}

const struct verb verb_volume_rm = {
	.name = "volume rm",
	.usage = "[--quiet] VOLUME...",
	.summary = "remove a volume and what is in it",
	.help = "One that a container has, mounted or not, is not removed.\n",
	.run = run_rm,
};

static const char unused[] =
	"SELECT name FROM volumes WHERE NOT EXISTS"
	" (SELECT 1 FROM container_volumes WHERE volume = name) ORDER BY name";

static int prune(bool ask, bool quiet, struct fault *fault)
{
	AUTO_STORE store = STORE_INIT;
	AUTO_STAGING staging = STAGING_INIT;
	AUTO_JSON *names = json_array();
	AUTO_QUERY *rows = NULL;
	json_t *name;
	size_t i;
	int more;

	if (store_open(&store, STORE_CHANGE, fault) < 0)
		return -1;
	rows = db_query(store.db, fault, unused, "");
	more = rows ? 1 : -1;
	while (more > 0 && (more = db_row(store.db, rows, fault)) > 0)
		json_array_append_new(names, json_string(db_column(rows, 0)));
	if (more < 0)
		return -1;
	sqlite3_reset(rows);
	if (!json_array_size(names)) {
		if (!quiet)
			printf("No volume is unused\n");
		return 0;
	}
	if (ask) {
		json_array_foreach(names, i, name)
			fprintf(stderr, "%s\n", json_string_value(name));
		if (!human_agrees("No container has these volumes. Remove them and all that is in them?")) {
			fault_set(fault, EXIT_USAGE, "nothing was removed");
			return fault_advise(fault, "without a terminal, say --force");
		}
	}
	if (staging_begin(&staging, &store, fault) < 0)
		return -1;
	json_array_foreach(names, i, name) {
		if (volume_remove(&staging, json_string_value(name), fault) < 0)
			return -1;
		if (!quiet)
			printf("Removed volume %s\n", json_string_value(name));
	}
	return store_finish(&store, fault) < 0 ? -1 : store_access(&store, STORE_FREE, fault);
}

static int run_prune(int argc, char **argv, struct fault *fault)
{
	static const char *const known[] = { "force", "quiet", NULL };
	int switches = verb_switches(argc, argv, known, fault);

	if (switches < 0)
		return -1;
	if (argc != optind)
		return verb_misused(&verb_volume_prune, fault);
	return prune(!(switches & 1), switches & 2, fault);
}

const struct verb verb_volume_prune = {
	.name = "volume prune",
	.usage = "[--force] [--quiet]",
	.summary = "remove the volumes that no container has",
	.help =
"Shows them and asks.\n\n"
"  -f, --force   do not ask\n"
"  -q, --quiet   do not say what was removed\n",
	.run = run_prune,
};
