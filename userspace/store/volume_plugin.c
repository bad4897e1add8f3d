// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Volumes that an executable provides: PLUGIN create|use|release|remove, with
 * what is known of the volume as JSON on its standard input, and an answer in
 * JSON from its standard output. See veneer-volume-plugin(7).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/command.h"
#include "base/config.h"
#include "store/volume.h"

/* The first executable of that name in the directories of plugin_path. */
static char *find_plugin(const char *name, struct fault *fault)
{
	const struct config *config = config_get(fault);
	const char *path = config ? config->plugin_path : "";

	for (; *path; path += strspn(path, ":")) {
		size_t length = strcspn(path, ":");
		AUTO_FREE char *file = NULL;

		if (asprintf(&file, "%.*s/%s", (int)length, path, name) < 0) {
			file = NULL;
			fault_no_memory(fault);
			return NULL;
		}
		if (!strchr(name, '/') && *name != '.' && !access(file, X_OK))
			return take_string(&file);
		path += length;
	}
	if (config) {
		fault_set(fault, EXIT_USAGE, "there is no backend \"%s\"", name);
		fault_advise(fault, "there are directory, tmpfs and loop, and executables in %s",
			     config->plugin_path);
	}
	return NULL;
}

/* The answer, an object without "error". NULL with @fault set. */
static json_t *ask(const char *verb, const json_t *facts, struct fault *fault)
{
	AUTO_FREE char *plugin = find_plugin(json_text(facts, "backend"), fault);
	AUTO_FREE char *question = json_dumps(facts, JSON_COMPACT);
	AUTO_FREE char *text = NULL;
	const char *const argv[] = { plugin, verb, NULL };
	AUTO_JSON *answer = NULL;
	json_t *result;
	int status;

	if (!plugin || !question || command_talk(argv, question, &text, &status, fault) < 0)
		return NULL;
	answer = *text ? jsonfile_parse(text, strlen(text), fault) : json_object();
	if (!answer) {
		fault->code = EXIT_SYSTEM;
		fault_wrap(fault, "the answer of \"%s %s\"", plugin, verb);
		return NULL;
	}
	if (*json_text(answer, "error") || status) {
		fault_set(fault, EXIT_SYSTEM, "\"%s %s\" failed with status %d: %s", plugin, verb,
			  status, *json_text(answer, "error") ? json_text(answer, "error") :
			  "it does not say why");
		return NULL;
	}
	result = answer;
	answer = NULL;
	return result;
}

static int plugin_make(int directory, const json_t *facts, struct fault *fault)
{
	AUTO_JSON *answer = ask("create", facts, fault);

	(void)directory;
	return answer ? 0 : -1;
}

static char *plugin_use(const char *directory, const json_t *facts, struct fault *fault)
{
	AUTO_JSON *answer = ask("use", facts, fault);
	const char *path = json_text(answer, "path");
	struct stat status;
	char *copy;

	(void)directory;
	if (!answer)
		return NULL;
	if (*path != '/' || stat(path, &status) < 0 || !S_ISDIR(status.st_mode)) {
		fault_set(fault, EXIT_SYSTEM,
			  "the backend \"%s\" answers with the path \"%s\", which is not a directory",
			  json_text(facts, "backend"), path);
		return NULL;
	}
	copy = strdup(path);
	if (!copy)
		fault_no_memory(fault);
	return copy;
}

static int plugin_release(const char *directory, const json_t *facts, struct fault *fault)
{
	AUTO_JSON *answer = ask("release", facts, fault);

	(void)directory;
	return answer ? 0 : -1;
}

static int plugin_remove(const char *directory, const json_t *facts, struct fault *fault)
{
	AUTO_JSON *answer = ask("remove", facts, fault);

	(void)directory;
	return answer ? 0 : -1;
}

const struct volume_backend volume_plugin = {
	.name = "plugin",
	.make = plugin_make,
	.use = plugin_use,
	.release = plugin_release,
	.remove = plugin_remove,
};
