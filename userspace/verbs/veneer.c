// SPDX-License-Identifier: GPL-2.0-or-later
/* The command: finds the verb and runs it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/config.h"
#include "verbs/verb.h"

static const struct verb *const verbs[] = {
	&verb_image_import,
	&verb_image_ls,
	&verb_image_inspect,
	&verb_image_history,
	&verb_image_tag,
	&verb_image_export,
	&verb_image_rm,
	&verb_create,
	&verb_mount,
	&verb_run,
	&verb_ls,
	&verb_inspect,
	&verb_diff,
	&verb_commit,
	&verb_export,
	&verb_rename,
	&verb_umount,
	&verb_rm,
	&verb_volume_create,
	&verb_volume_ls,
	&verb_volume_inspect,
	&verb_volume_attach,
	&verb_volume_backup,
	&verb_volume_restore,
	&verb_volume_clone,
	&verb_volume_rm,
	&verb_volume_prune,
	&verb_layer_import,
	&verb_df,
	&verb_stat,
	&verb_map,
	&verb_check,
	&verb_prune,
};

static void print_help(void)
{
	printf("Usage: veneer VERB [OPTION...] [ARGUMENT...]\n\n"
	       "Layers, mounts and volumes of the veneer filesystem.\n\n");
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		printf("  %-15s %s\n", verbs[i]->name, verbs[i]->summary);
	printf("\n  --root DIR           where the store is (/var/lib/veneer)\n"
	       "  veneer VERB --help   what a verb takes\n"
	       "  veneer --version     this program's version\n\n"
	       "See veneer(8) for examples and exit codes.\n");
}

static int print_verb_help(const struct verb *verb)
{
	printf("Usage: veneer %s %s\n\n%s.\n\n%s", verb->name, verb->usage,
	       verb->summary, verb->help);
	return 0;
}

static int finish_output(struct fault *fault)
{
	if (fflush(stdout) || ferror(stdout))
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot write to standard output");
	return 0;
}

/* How many words of argv, from argv[1], are the verb's name; 0: they are not. */
static int match(const struct verb *verb, int argc, char **argv)
{
	const char *space = strchr(verb->name, ' ');
	size_t first = space ? (size_t)(space - verb->name) : strlen(verb->name);

	if (argc < 2 || strlen(argv[1]) != first || strncmp(argv[1], verb->name, first))
		return 0;
	if (!space)
		return 1;
	return argc > 2 && !strcmp(argv[2], space + 1) ? 2 : 0;
}

static bool asks_for_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return true;
	}
	return false;
}

/* From here on a path may be used anywhere. "" is no path, and refused where it is read. */
static int set_root(const char *value, struct fault *fault)
{
	AUTO_FREE char *here = NULL, *path = NULL;

	if (!*value || *value == '/')
		return config_override("root", value, fault);
	here = getcwd(NULL, 0);
	if (!here)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot tell where \"%s\" is", value);
	if (asprintf(&path, "%s/%s", here, value) < 0) {
		path = NULL;
		return fault_no_memory(fault);
	}
	return config_override("root", path, fault);
}

/* What may stand before the verb. Returns how many words it took, or -1. */
static int global_options(int argc, char **argv, struct fault *fault)
{
	int used = 0;

	while (argc > used + 1 && !strncmp(argv[used + 1], "--root", 6)) {
		const char *value = argv[used + 1] + 6;

		if (*value == '=') {
			value++;
			used++;
		} else if (*value) {
			break;
		} else if (argc > used + 2) {
			value = argv[used + 2];
			used += 2;
		} else {
			return fault_set(fault, EXIT_USAGE, "option --root needs a value");
		}
		if (set_root(value, fault) < 0)
			return -1;
	}
	return used;
}

static int run_verb(int argc, char **argv, struct fault *fault)
{
	int used = global_options(argc, argv, fault);

	if (used < 0)
		return -1;
	argc -= used;
	argv += used;
	if (argc == 2 && (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))) {
		printf("veneer %s\n", VENEER_VERSION);
		return 0;
	}
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
		int words = match(verbs[i], argc, argv);

		if (!words)
			continue;
		if (asks_for_help(argc - words, argv + words))
			return print_verb_help(verbs[i]);
		return verb_call(verbs[i], argc - words, argv + words, fault);
	}
	if (asks_for_help(argc, argv)) {
		print_help();
		return 0;
	}
	if (argc < 2)
		fault_set(fault, EXIT_USAGE, "a verb is missing");
	else
		fault_set(fault, EXIT_USAGE, "there is no verb \"%s%s%s\"", argv[1],
			  argc > 2 && *argv[2] != '-' ? " " : "",
			  argc > 2 && *argv[2] != '-' ? argv[2] : "");
	return fault_advise(fault, "see veneer --help");
}

int main(int argc, char **argv)
{
	struct fault fault = { 0 };
	bool helper = !strcmp(program_invocation_short_name, "mount.veneer");
	int code;

	/* No setlocale(): names are bytes here, see import.c. */
	umask(0);
	code = helper ? mount_helper(argc, argv, &fault) : run_verb(argc, argv, &fault);
	if (code >= 0 && finish_output(&fault) < 0)
		code = -1;
	if (code < 0)
		code = fault_report(&fault);
	fault_clear(&fault);
	return code;
}
