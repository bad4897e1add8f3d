// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer image import */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/files.h"
#include "base/interrupt.h"
#include "store/image.h"
#include "verbs/progress.h"
#include "verbs/verb.h"

static struct {
	bool quiet, json, terminal;
	json_t *layers;		/* of the image that is being imported */
} output;

static void begin_layer(const struct plan_layer *layer, int fd)
{
	if (output.terminal)
		progress_begin(layer->diff_id, fd);
}

static void done_layer(const struct plan_layer *layer, bool there_already)
{
	progress_end();
	if (output.json)
		json_array_append_new(output.layers, json_pack("{s:s, s:s, s:b}", "id", layer->id,
							       "diff_id", layer->diff_id,
							       "existed", there_already));
	else if (!output.quiet)
		printf("%.19s: %s\n", layer->diff_id,
		       there_already ? "Already exists" : "Import complete");
}

/* The archive as something that can be read twice. */
static int open_archive(const char *source, int spool, struct fault *fault)
{
	AUTO_FD fd = strcmp(source, "-") ? open(source, O_RDONLY | O_CLOEXEC | O_NOCTTY) :
		fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	AUTO_FD copy = -1;
	char bytes[65536];
	ssize_t got;

	if (fd < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot open \"%s\"", source);
	if (lseek(fd, 0, SEEK_SET) == 0)
		return take_fd(&fd);
	if (isatty(fd))
		return fault_set(fault, EXIT_USAGE,
				 "standard input is a terminal; pipe an archive into it");
	copy = openat(spool, "archive", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (copy < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot keep the archive");
	while ((got = read(fd, bytes, sizeof(bytes)))) {
		if (interrupted(fault))
			return -1;
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 || write_all(copy, bytes, got) < 0)
			return fault_errno(fault, EXIT_SYSTEM, errno, "cannot keep the archive");
	}
	return take_fd(&copy);
}

static int report(const struct plan *plan, const struct image_import *how,
		  struct fault *fault)
{
	AUTO_JSON *names = json_array(), *json = NULL;
	json_t *name;
	size_t i;

	json_array_foreach(plan->names, i, name) {
		AUTO_FREE char *whole = image_name(json_string_value(name), fault);

		if (!how->name && whole)
			json_array_append_new(names, json_string(whole));
	}
	if (how->name) {
		AUTO_FREE char *whole = image_name(how->name, fault);

		json_array_append_new(names, json_string(whole));
	}
	if (output.json) {
		json = json_pack("{s:s, s:O, s:O}", "id", plan->id, "names", names, "layers",
				 output.layers);
		return json_print(json, fault);
	}
	if (output.quiet) {
		printf("%s\n", plan->id);
		return 0;
	}
	printf("Imported image %.12s", plan->id);
	json_array_foreach(names, i, name)
		printf("%s %s", i ? "," : ":", json_string_value(name));
	printf("\n");
	return 0;
}

static int import_plans(struct store *store, const struct plans *plans,
			const struct image_import *how, struct fault *fault)
{
	if (how->name && plans->count > 1)
		return fault_set(fault, EXIT_USAGE,
				 "it holds %zu images, and --name can name one; choose with --ref",
				 plans->count);
	for (size_t i = 0; i < plans->count; i++) {
		AUTO_JSON *layers = json_array();

		output.layers = layers;
		if (image_import(store, &plans->plans[i], how, fault) < 0 ||
		    report(&plans->plans[i], how, fault) < 0)
			return -1;
	}
	return 0;
}

static int import_single(struct staging *staging, int archive, const char *source,
			 const struct plan_choice *choice, const struct image_import *how,
			 struct fault *fault)
{
	CLEANUP(plans_free) struct plans plans = { 0 };
	AUTO_JSON *layers = json_array();
	char diff_id[DIGEST_TEXT_SIZE];

	if (!how->name) {
		fault_set(fault, EXIT_USAGE,
			  "\"%s\" is not an image's archive but one tar, which has no name", source);
		return fault_advise(fault, "name the image with --name");
	}
	output.layers = layers;
	if (output.terminal)
		progress_begin(source, archive);
	if (image_stage_single(staging, archive, how->progress, diff_id, fault) < 0 ||
	    plans_single(&plans, diff_id, choice, fault) < 0 ||
	    image_import_staged(staging, &plans.plans[0], how, fault) < 0)
		return -1;
	return report(&plans.plans[0], how, fault);
}

static int import_archive(struct store *store, const char *source,
			  const struct plan_choice *choice, struct image_import *how,
			  struct fault *fault)
{
	CLEANUP(blobs_close) struct blobs blobs = BLOBS_INIT;
	CLEANUP(plans_free) struct plans plans = { 0 };
	AUTO_STAGING staging = STAGING_INIT;
	AUTO_FD archive = -1, spool = -1;
	bool image;

	if (staging_begin(&staging, store, fault) < 0)
		return -1;
	archive = open_archive(source, staging.fd, fault);
	if (archive < 0 || blobs_is_image(archive, &image, fault) < 0)
		return -1;
	if (!image)
		return import_single(&staging, archive, source, choice, how, fault);
	if (mkdirat(staging.fd, "blobs", 0700) < 0 ||
	    (spool = openat(staging.fd, "blobs", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot copy the archive");
	how->blobs = &blobs;
	if (blobs_from_archive(&blobs, archive, spool, fault) < 0 ||
	    plans_read(&plans, &blobs, choice, fault) < 0)
		return -1;
	return import_plans(store, &plans, how, fault);
}

static int import_directory(struct store *store, const char *source,
			    const struct plan_choice *choice, struct image_import *how,
			    struct fault *fault)
{
	CLEANUP(blobs_close) struct blobs blobs = BLOBS_INIT;
	CLEANUP(plans_free) struct plans plans = { 0 };

	how->blobs = &blobs;
	if (blobs_from_directory(&blobs, source, fault) < 0 ||
	    plans_read(&plans, &blobs, choice, fault) < 0)
		return -1;
	return import_plans(store, &plans, how, fault);
}

/* "OS/ARCHITECTURE" or "OS/ARCHITECTURE/VARIANT", taken apart in place. */
static int parse_platform(char *text, struct plan_choice *choice, struct fault *fault)
{
	char *slash = strchr(text, '/');

	if (!slash || slash == text || !slash[1])
		return fault_set(fault, EXIT_USAGE,
				 "--platform: \"%s\" is not like linux/arm64 or linux/arm/v7", text);
	*slash = '\0';
	choice->os = text;
	choice->architecture = slash + 1;
	slash = strchr(slash + 1, '/');
	if (slash) {
		*slash = '\0';
		choice->variant = slash + 1;
	}
	return 0;
}

static int run(int argc, char **argv, struct fault *fault)
{
	static const struct option options[] = {
		{ "name", required_argument, NULL, 'n' },
		{ "ref", required_argument, NULL, 'R' },
		{ "platform", required_argument, NULL, 'p' },
		{ "json", no_argument, NULL, 'j' },
		{ "quiet", no_argument, NULL, 'q' },
		{ 0 },
	};
	struct plan_choice choice = { .os = "linux", .architecture = plan_architecture() };
	struct image_import how = { .begin = begin_layer, .done = done_layer };
	AUTO_STORE store = STORE_INIT;
	AUTO_FREE char *real = NULL;
	struct stat status;
	int option, result;

	while ((option = verb_option(argc, argv, ":n:q", options, fault)) != -1) {
		if (option == '?' ||
		    (option == 'p' && parse_platform(optarg, &choice, fault) < 0))
			return -1;
		if (option == 'n')
			how.name = optarg;
		if (option == 'R')
			choice.reference = optarg;
		output.json |= option == 'j';
		output.quiet |= option == 'q';
	}
	if (argc - optind != 1)
		return verb_misused(&verb_image_import, fault);
	output.terminal = isatty(STDERR_FILENO) && !output.quiet;
	how.progress = output.terminal ? progress_step : NULL;
	real = realpath(argv[optind], NULL);
	choice.source = real && strcmp(real, "/") ? strrchr(real, '/') + 1 : "image";
	interrupt_catch();
	if (store_open(&store, STORE_FREE, fault) < 0)
		return -1;
	if (!stat(argv[optind], &status) && S_ISDIR(status.st_mode))
		result = import_directory(&store, argv[optind], &choice, &how, fault);
	else
		result = import_archive(&store, argv[optind], &choice, &how, fault);
	progress_end();
	return result < 0 ? fault_wrap(fault, "cannot import \"%s\"", argv[optind]) : 0;
}

const struct verb verb_image_import = {
	.name = "image import",
	.usage = "[OPTION...] SOURCE",
	.summary = "import an image",
	.help =
"SOURCE is an OCI layout (a directory, or a tar of one), what docker save or\n"
"podman save wrote, or a single tar of a root; \"-\" reads standard input. Every\n"
"digest is checked before anything of the image is visible. Layers that the\n"
"store has are not stored again.\n\n"
"  -n, --name NAME     the image's name, instead of what SOURCE says\n"
"  --ref NAME          only the image of that name in SOURCE\n"
"  --platform OS/ARCH  of an image for several machines, that one (default: this\n"
"                      machine's)\n"
"  --json              print the result for a script\n"
"  -q, --quiet         print the image's id only\n",
	.run = run,
};
