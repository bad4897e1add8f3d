// SPDX-License-Identifier: GPL-2.0-or-later
/* The index; see index.h. */
#include "store/index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/files.h"

/* Raised whenever the tables change: an older file is thrown away. */
#define SCHEMA_VERSION "2"

static const char schema[] =
	"CREATE TABLE IF NOT EXISTS state(key TEXT PRIMARY KEY, value TEXT);"
	"CREATE TABLE IF NOT EXISTS layers(id TEXT PRIMARY KEY, parent TEXT, diff_id TEXT,"
	"  bytes INTEGER, shared INTEGER, entries INTEGER);"
	"CREATE TABLE IF NOT EXISTS images(id TEXT PRIMARY KEY, created TEXT, imported TEXT);"
	"CREATE TABLE IF NOT EXISTS image_layers(image TEXT, position INTEGER, layer TEXT,"
	"  PRIMARY KEY(image, position));"
	"CREATE INDEX IF NOT EXISTS image_layers_by_layer ON image_layers(layer);"
	"CREATE TABLE IF NOT EXISTS names(id TEXT PRIMARY KEY, name TEXT UNIQUE, image TEXT);"
	"CREATE INDEX IF NOT EXISTS names_by_image ON names(image);"
	"CREATE TABLE IF NOT EXISTS containers(id TEXT PRIMARY KEY, name TEXT UNIQUE, image TEXT,"
	"  created TEXT, size_limit INTEGER, project INTEGER);"
	"CREATE INDEX IF NOT EXISTS containers_by_image ON containers(image);"
	"CREATE TABLE IF NOT EXISTS container_layers(container TEXT, position INTEGER, layer TEXT,"
	"  PRIMARY KEY(container, position));"
	"CREATE INDEX IF NOT EXISTS container_layers_by_layer ON container_layers(layer);"
	"CREATE TABLE IF NOT EXISTS container_volumes(container TEXT, position INTEGER,"
	"  volume TEXT, path TEXT, read_only INTEGER, PRIMARY KEY(container, position));"
	"CREATE INDEX IF NOT EXISTS container_volumes_by_volume ON container_volumes(volume);"
	"CREATE TABLE IF NOT EXISTS volumes(name TEXT PRIMARY KEY, backend TEXT, created TEXT,"
	"  anonymous INTEGER);";

/* Every table but "state", and what its rows belong to. */
static const struct table {
	const char *name;
	enum store_kind kind;
	const char *owner;
} tables[] = {
	{ "layers", STORE_LAYER, "id" },
	{ "images", STORE_IMAGE, "id" },
	{ "image_layers", STORE_IMAGE, "image" },
	{ "names", STORE_NAME, "id" },
	{ "containers", STORE_CONTAINER, "id" },
	{ "container_layers", STORE_CONTAINER, "container" },
	{ "container_volumes", STORE_CONTAINER, "container" },
	{ "volumes", STORE_VOLUME, "name" },
};

enum { TABLES = sizeof(tables) / sizeof(*tables) };

static void read_boot_id(char id[64])
{
	AUTO_FD fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : read(fd, id, 63);

	id[length > 0 ? length : 0] = '\0';
	id[strcspn(id, "\n")] = '\0';
}

int index_open(struct store *store, struct fault *fault)
{
	/*
	 * A process that dies loses nothing that it committed. Losing the end at a
	 * power cut is why an index of another boot is stale.
	 */
	static const char settings[] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;";
	AUTO_FREE char *path = NULL;

	if (asprintf(&path, "%s/index.db", store->path) < 0) {
		path = NULL;
		return fault_no_memory(fault);
	}
	if (sqlite3_open(path, &store->db) != SQLITE_OK)
		return db_fault(store->db, fault, path);
	sqlite3_busy_timeout(store->db, 60000);
	if (sqlite3_exec(store->db, settings, NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_exec(store->db, schema, NULL, NULL, NULL) != SQLITE_OK)
		return db_fault(store->db, fault, path);
	return 0;
}

int index_is_stale(struct store *store, bool *stale, struct fault *fault)
{
	AUTO_FREE char *good = NULL;
	char boot[64];

	if (db_text(store->db, fault, &good, "SELECT value FROM state WHERE key = 'good'", "") < 0)
		return -1;
	read_boot_id(boot);
	*stale = !good || strncmp(good, SCHEMA_VERSION " ", 2) || strcmp(good + 2, boot);
	return 0;
}

int index_mark(struct store *store, bool stale, struct fault *fault)
{
	char good[80] = SCHEMA_VERSION " ", boot[64];

	read_boot_id(boot);
	strcat(good, boot);
	return db_run(store->db, fault, "REPLACE INTO state VALUES('good', ?)", "s",
		      stale ? "" : good);
}

int index_remove(struct store *store, enum store_kind kind, const char *id,
		 struct fault *fault)
{
	for (size_t i = 0; i < TABLES; i++) {
		char sql[100];

		if (tables[i].kind != kind)
			continue;
		snprintf(sql, sizeof(sql), "DELETE FROM %s WHERE %s = ?", tables[i].name,
			 tables[i].owner);
		if (db_run(store->db, fault, sql, "s", id) < 0)
			return -1;
	}
	return 0;
}

static int add_layers(struct store *store, const char *sql, const char *id,
		      const json_t *layers, struct fault *fault)
{
	size_t position;
	json_t *layer;

	json_array_foreach(layers, position, layer) {
		const char *text = json_string_value(layer);

		if (db_run(store->db, fault, sql, "sis", id, (int64_t)position,
			   text ? text : "") < 0)
			return -1;
	}
	return 0;
}

static int add_image(struct store *store, const char *id, const json_t *facts,
		     struct fault *fault)
{
	if (db_run(store->db, fault, "INSERT INTO images VALUES(?, ?, ?)", "sss", id,
		   json_text(facts, "created"), json_text(facts, "imported")) < 0)
		return -1;
	return add_layers(store, "INSERT INTO image_layers VALUES(?, ?, ?)", id,
			  json_object_get(facts, "layers"), fault);
}

static int add_container(struct store *store, const char *id, const json_t *facts,
			 struct fault *fault)
{
	size_t position;
	json_t *volume;

	if (db_run(store->db, fault, "INSERT INTO containers VALUES(?, ?, ?, ?, ?, ?)", "ssssii",
		   id, json_text(facts, "name"), json_text(facts, "image"),
		   json_text(facts, "created"), (int64_t)json_number(facts, "size_limit"),
		   (int64_t)json_number(facts, "project")) < 0)
		return -1;
	json_array_foreach(json_object_get(facts, "volumes"), position, volume) {
		if (db_run(store->db, fault,
			   "INSERT INTO container_volumes VALUES(?, ?, ?, ?, ?)", "sissi", id,
			   (int64_t)position, json_text(volume, "volume"),
			   json_text(volume, "path"),
			   (int64_t)json_is_true(json_object_get(volume, "read_only"))) < 0)
			return -1;
	}
	return add_layers(store, "INSERT INTO container_layers VALUES(?, ?, ?)", id,
			  json_object_get(facts, "layers"), fault);
}

int index_add(struct store *store, enum store_kind kind, const char *id,
	      const json_t *facts, struct fault *fault)
{
	if (index_remove(store, kind, id, fault) < 0)
		return -1;
	switch (kind) {
	case STORE_LAYER:
		return db_run(store->db, fault, "INSERT INTO layers VALUES(?, ?, ?, ?, ?, ?)",
			      "sssiii", id, json_text(facts, "parent"),
			      json_text(facts, "diff_id"), (int64_t)json_number(facts, "bytes"),
			      (int64_t)json_number(facts, "shared"),
			      (int64_t)json_number(facts, "entries"));
	case STORE_IMAGE:
		return add_image(store, id, facts, fault);
	case STORE_NAME:
		return db_run(store->db, fault, "INSERT INTO names VALUES(?, ?, ?)", "sss", id,
			      json_text(facts, "name"), json_text(facts, "image"));
	case STORE_CONTAINER:
		return add_container(store, id, facts, fault);
	case STORE_VOLUME:
		break;
	}
	return db_run(store->db, fault, "INSERT INTO volumes VALUES(?, ?, ?, ?)", "sssi", id,
		      json_text(facts, "backend"), json_text(facts, "created"),
		      (int64_t)json_is_true(json_object_get(facts, "anonymous")));
}

static int rebuild_kind(struct store *store, enum store_kind kind, struct fault *fault)
{
	CLEANUP(cleanup_dir) DIR *stream =
		names_open(openat(store->kinds[kind], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	const char *name;

	if (!stream)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot read \"%s\"",
				   store_kind_directory(kind));
	while ((name = names_next(stream))) {
		AUTO_JSON *facts = NULL;
		struct fault damage = { 0 };

		if (*name == '.')
			continue;
		facts = store_facts(store, kind, name, &damage);
		if (!facts || index_add(store, kind, name, facts, &damage) < 0) {
			notice("%s; see veneer check", damage.text);
			fault_clear(&damage);
		}
	}
	return errno ? fault_errno(fault, EXIT_SYSTEM, errno, "cannot read \"%s\"",
				   store_kind_directory(kind)) : 0;
}

int index_rebuild(struct store *store, struct fault *fault)
{
	if (db_run(store->db, fault, "BEGIN IMMEDIATE", "") < 0)
		return -1;
	for (size_t i = 0; i < TABLES; i++) {
		char sql[100];

		snprintf(sql, sizeof(sql), "DROP TABLE IF EXISTS %s", tables[i].name);
		if (db_run(store->db, fault, sql, "") < 0)
			return -1;
	}
	if (sqlite3_exec(store->db, schema, NULL, NULL, NULL) != SQLITE_OK)
		return db_fault(store->db, fault, "index.db");
	for (int kind = 0; kind < STORE_KINDS; kind++) {
		if (rebuild_kind(store, kind, fault) < 0)
			return -1;
	}
	if (index_mark(store, false, fault) < 0)
		return -1;
	return db_run(store->db, fault, "COMMIT", "");
}

char *index_dump(struct store *store, struct fault *fault)
{
	AUTO_FREE char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int result = out ? 0 : fault_no_memory(fault);

	for (size_t i = 0; i < TABLES && !result; i++) {
		AUTO_QUERY *rows = NULL;
		char sql[100];

		snprintf(sql, sizeof(sql), "SELECT * FROM %s ORDER BY 1, 2", tables[i].name);
		rows = db_query(store->db, fault, sql, "");
		if (!rows)
			result = -1;
		while (!result && (result = db_row(store->db, rows, fault)) > 0) {
			fprintf(out, "%s", tables[i].name);
			for (int c = 0; c < sqlite3_column_count(rows); c++)
				fprintf(out, "|%s", db_column(rows, c));
			fputc('\n', out);
			result = 0;
		}
	}
	if (out && fclose(out))
		result = fault_no_memory(fault);
	return result < 0 ? NULL : take_string(&text);
}

char *index_find(struct store *store, enum store_kind kind, const char *digits,
		 struct fault *fault)
{
	size_t length = strlen(digits);
	AUTO_FREE char *id = NULL;
	AUTO_QUERY *rows = NULL;
	char sql[100];
	int found;

	/* Less says too little, and anything else is a name. */
	if (length < 4 || strspn(digits, "0123456789abcdef") != length)
		return NULL;
	snprintf(sql, sizeof(sql), "SELECT id FROM %s WHERE substr(id, 1, ?) = ? LIMIT 2",
		 store_kind_directory(kind));
	rows = db_query(store->db, fault, sql, "is", (int64_t)length, digits);
	if (!rows || db_row(store->db, rows, fault) <= 0)
		return NULL;
	id = strdup(db_column(rows, 0));
	if (!id) {
		fault_no_memory(fault);
		return NULL;
	}
	found = db_row(store->db, rows, fault);
	if (found > 0)
		fault_set(fault, EXIT_USAGE, "several %s have ids that begin with \"%s\"",
			  store_kind_directory(kind), digits);
	return found ? NULL : take_string(&id);
}
