// SPDX-License-Identifier: GPL-2.0-or-later
/* Configuration; see config.h. */
#include "base/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct config config;
static bool loaded;

/* Every key there is: in the file as written here, in the environment as VENEER_KEY. */
static const struct key {
	const char *name;
	const char *environment;
	const char *standard;
	char **text;		/* one of these two */
	uint64_t *number;
} keys[] = {
	{ "root", "VENEER_ROOT", "/var/lib/veneer", &config.root, NULL },
	{ "plugin_path", "VENEER_PLUGIN_PATH",
	  "/usr/local/libexec/veneer/volume:/usr/libexec/veneer/volume",
	  &config.plugin_path, NULL },
	{ "runtime", "VENEER_RUNTIME", "unshare", &config.runtime, NULL },
	{ "mount_options", "VENEER_MOUNT_OPTIONS", "", &config.mount_options, NULL },
	{ "layer_bytes", "VENEER_LAYER_BYTES", "256G", NULL, &config.layer_bytes },
	{ "layer_entries", "VENEER_LAYER_ENTRIES", "10M", NULL, &config.layer_entries },
	{ "layer_devices", "VENEER_LAYER_DEVICES", "4K", NULL, &config.layer_devices },
	{ "layer_delta", "VENEER_LAYER_DELTA", "256K", NULL, &config.layer_delta },
	{ "project_first", "VENEER_PROJECT_FIRST", "1000000", NULL, &config.project_first },
};

enum { KEYS = sizeof(keys) / sizeof(*keys) };

/* What the command line said, kept until the file has been read. */
static char *overrides[KEYS];

int config_size(const char *text, uint64_t *size)
{
	static const char units[] = "KMGTP";
	unsigned long long number;
	unsigned shift = 0;
	const char *unit;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -1;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno)
		return -1;
	unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
	if (unit) {
		shift = 10 * (unit - units + 1);
		end++;
	}
	if (*end || number > UINT64_MAX >> shift)
		return -1;
	*size = number << shift;
	return 0;
}

static const struct key *find(const char *name, size_t length)
{
	for (size_t i = 0; i < KEYS; i++) {
		if (strlen(keys[i].name) == length && !memcmp(keys[i].name, name, length))
			return &keys[i];
	}
	return NULL;
}

static int set(const struct key *key, const char *value, const char *where,
	       struct fault *fault)
{
	char *copy;

	if (key->number) {
		if (!config_size(value, key->number))
			return 0;
		return fault_set(fault, EXIT_USAGE,
				 "%s: \"%s\" is not a number for %s; write one like 4096, 10M or 2G",
				 where, value, key->name);
	}
	copy = strdup(value);
	if (!copy)
		return fault_no_memory(fault);
	free(*key->text);
	*key->text = copy;
	return 0;
}

static char *trim(char *text)
{
	char *end;

	text += strspn(text, " \t\r\n");
	end = text + strlen(text);
	while (end > text && strchr(" \t\r\n", end[-1]))
		*--end = '\0';
	return text;
}

static int read_line(char *line, const char *where, struct fault *fault)
{
	const struct key *key;
	char *value, *name;

	line = trim(line);
	if (!*line || *line == '#')
		return 0;
	value = strchr(line, '=');
	if (!value)
		return fault_set(fault, EXIT_USAGE, "%s: \"%s\" is not of the form KEY = VALUE",
				 where, line);
	*value++ = '\0';
	name = trim(line);
	key = find(name, strlen(name));
	if (!key) {
		fault_set(fault, EXIT_USAGE, "%s: there is no key \"%s\"", where, name);
		return fault_advise(fault, "see veneer.conf(5)");
	}
	return set(key, trim(value), where, fault);
}

static void cleanup_file(FILE **file)
{
	if (*file)
		fclose(*file);
}

static int read_file(const char *path, bool needed, struct fault *fault)
{
	CLEANUP(cleanup_file) FILE *file = fopen(path, "re");
	AUTO_FREE char *line = NULL;
	size_t room = 0, number = 0;

	if (!file && errno == ENOENT && !needed)
		return 0;
	if (!file)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot read \"%s\"", path);
	while (getline(&line, &room, file) > 0) {
		AUTO_FREE char *where = NULL;

		if (asprintf(&where, "%s:%zu", path, ++number) < 0) {
			where = NULL;
			return fault_no_memory(fault);
		}
		if (read_line(line, where, fault) < 0)
			return -1;
	}
	if (ferror(file))
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot read \"%s\"", path);
	return 0;
}

static int load(struct fault *fault)
{
	const char *path = secure_getenv("VENEER_CONF");

	for (size_t i = 0; i < KEYS; i++) {
		if (set(&keys[i], keys[i].standard, "the built-in value", fault) < 0)
			return -1;
	}
	if (read_file(path && *path ? path : CONFIG_FILE, path && *path, fault) < 0)
		return -1;
	for (size_t i = 0; i < KEYS; i++) {
		const char *value = secure_getenv(keys[i].environment);

		if (value && *value && set(&keys[i], value, keys[i].environment, fault) < 0)
			return -1;
		if (overrides[i] && set(&keys[i], overrides[i], "the command line", fault) < 0)
			return -1;
	}
	if (*config.root != '/')
		return fault_set(fault, EXIT_USAGE,
				 "root: \"%s\" is not an absolute path", config.root);
	return 0;
}

const struct config *config_get(struct fault *fault)
{
	if (!loaded && load(fault) < 0)
		return NULL;
	loaded = true;
	return &config;
}

int config_override(const char *key, const char *value, struct fault *fault)
{
	const struct key *known = find(key, strlen(key));
	char *copy = strdup(value);

	if (!copy)
		return fault_no_memory(fault);
	free(overrides[known - keys]);
	overrides[known - keys] = copy;
	return 0;
}
