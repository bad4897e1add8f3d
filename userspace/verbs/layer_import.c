// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer layer import */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/config.h"
#include "base/interrupt.h"
#include "layer/import.h"
#include "verbs/verb.h"

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* One line on the terminal, written over itself. */
static void show_progress(const struct unpack *unpack)
{
	static double next;

	if (now() < next)
		return;
	next = now() + 0.2;
	fprintf(stderr, "\r%lu entries, %llu MiB \033[K", unpack->entries,
		(unsigned long long)unpack->bytes >> 20);
}

static int open_archive(const char *name, struct fault *fault)
{
	int fd;

	if (!strcmp(name, "-")) {
		if (isatty(STDIN_FILENO))
			return fault_set(fault, EXIT_USAGE,
					 "standard input is a terminal; pipe an archive into it");
		return fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	}
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot open \"%s\"", name);
	return fd;
}

static void print_json(const struct import_result *result)
{
	printf("{\"diff_id\":\"%s\",\"entries\":%lu,\"bytes\":%llu,"
	       "\"archive_bytes\":%llu,\"whiteouts\":%lu,\"opaque\":%lu,"
	       "\"implied_directories\":%lu}\n", result->diff_id, result->entries,
	       (unsigned long long)result->bytes,
	       (unsigned long long)result->archive_bytes, result->whiteouts,
	       result->opaque, result->implied);
}

static void print_text(const char *directory, const struct import_result *result)
{
	printf("%s: %lu entries, %llu bytes in files, %lu whiteouts, %lu opaque directories\n"
	       "%s\n", directory, result->entries, (unsigned long long)result->bytes,
	       result->whiteouts, result->opaque, result->diff_id);
}

static int run(int argc, char **argv, struct fault *fault)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	const struct config *config = config_get(fault);
	struct import_result result = { 0 };
	struct unpack_limits limits;
	struct import_how how = { .limits = &limits };
	bool json = false, terminal = isatty(STDERR_FILENO);
	AUTO_FD archive = -1;
	int option, code;

	if (!config)
		return -1;
	limits = (struct unpack_limits){ config->layer_bytes, config->layer_entries,
					 config->layer_devices };
	while ((option = verb_option(argc, argv, ":", options, fault)) != -1) {
		if (option == '?')
			return -1;
		json = true;
	}
	if (argc - optind != 2)
		return verb_misused(&verb_layer_import, fault);
	archive = open_archive(argv[optind], fault);
	if (archive < 0)
		return -1;
	interrupt_catch();
	how.progress = terminal ? show_progress : NULL;
	code = import_layer(archive, argv[optind + 1], &how, &result, fault);
	if (terminal)
		fprintf(stderr, "\r\033[K");
	if (code < 0)
		return fault_wrap(fault, "cannot import \"%s\"", argv[optind]);
	if (result.implied)
		notice("%lu directories are not in the archive themselves; they are made as root:root 0755 and hide the mode of those below",
		       result.implied);
	if (json)
		print_json(&result);
	else
		print_text(argv[optind + 1], &result);
	return 0;
}

const struct verb verb_layer_import = {
	.name = "layer import",
	.usage = "[--json] TAR DIR",
	.summary = "make a layer from an archive",
	.help =
"TAR is a tar archive, plain or compressed (gzip, zstd, xz, bzip2); \"-\" reads\n"
"standard input. DIR is made, completely or not at all. Owner, mode, times,\n"
"xattrs, ACLs, hard links, devices and holes are kept, and OCI whiteouts become\n"
"the filesystem's. Names that leave the layer are refused.\n\n"
"  --json   print the result for a script: diff_id (SHA-256 of the archive, not\n"
"           compressed), entries, bytes, archive_bytes, whiteouts, opaque,\n"
"           implied_directories\n",
	.run = run,
};
