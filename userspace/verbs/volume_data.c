// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer volume backup, restore, clone */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/interrupt.h"
#include "layer/copytree.h"
#include "layer/import.h"
#include "layer/tarfile.h"
#include "store/volume.h"
#include "verbs/verb.h"

static int open_data(struct store *store, const char *name, struct fault *fault)
{
	AUTO_FREE char *path = NULL;
	int fd;

	if (volume_check(store, name, fault) < 0)
		return -1;
	path = volume_use(store, name, fault);
	if (!path)
		return -1;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? fault_errno(fault, EXIT_SYSTEM, errno, "cannot open \"%s\"", path) : fd;
}

static int run_backup(int argc, char **argv, struct fault *fault)
{
	static const char *const known[] = { NULL };
	AUTO_STORE store = STORE_INIT;
	AUTO_FD data = -1;

	if (verb_switches(argc, argv, known, fault) < 0)
		return -1;
	if (argc - optind != 2)
		return verb_misused(&verb_volume_backup, fault);
	interrupt_catch();
	if (store_open(&store, STORE_CHANGE, fault) < 0)
		return -1;
	data = open_data(&store, argv[optind], fault);
	if (data < 0 || store_access(&store, STORE_FREE, fault) < 0)
		return -1;
	return tarfile_write(argv[optind + 1], data, fault);
}

const struct verb verb_volume_backup = {
	.name = "volume backup",
	.usage = "VOLUME TAR",
	.summary = "write what is in a volume as a tar",
	.help =
"TAR is made, completely or not at all; \"-\" is standard output. Any tar reads it.\n"
"Of a file that is being written, any mix of old and new may be in it.\n",
	.run = run_backup,
};

/*
 * A new volume whose data is filled by @fill. While that lasts the volume is in
 * staging: it appears with all of its data, or not at all. So its data has to be
 * in its own directory.
 */
static int new_volume(const char *name, int (*fill)(int data, void *context, struct fault *fault),
		      void *context, struct fault *fault)
{
	AUTO_STORE store = STORE_INIT;
	AUTO_STAGING staging = STAGING_INIT;
	const struct volume_spec spec = { .name = name, .fill = fill, .context = context };
	AUTO_FREE char *made = NULL;

	if (store_open(&store, STORE_CHANGE, fault) < 0 ||
	    staging_begin(&staging, &store, fault) < 0 ||
	    volume_create(&staging, &spec, &made, fault) < 0 || store_finish(&store, fault) < 0)
		return -1;
	printf("%s\n", made);
	return 0;
}

static int fill_from_tar(int data, void *context, struct fault *fault)
{
	const struct import_how how = { .plain = true };
	struct import_result result;

	return import_into(*(int *)context, data, &how, &result, fault);
}

static int run_restore(int argc, char **argv, struct fault *fault)
{
	static const char *const known[] = { NULL };
	AUTO_FD archive = -1;

	if (verb_switches(argc, argv, known, fault) < 0)
		return -1;
	if (argc - optind != 2)
		return verb_misused(&verb_volume_restore, fault);
	interrupt_catch();
	archive = strcmp(argv[optind + 1], "-") ?
		open(argv[optind + 1], O_RDONLY | O_CLOEXEC | O_NOCTTY) :
		fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	if (archive < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot open \"%s\"", argv[optind + 1]);
	if (new_volume(argv[optind], fill_from_tar, &archive, fault) < 0)
		return fault_wrap(fault, "cannot restore \"%s\"", argv[optind + 1]);
	return 0;
}

const struct verb verb_volume_restore = {
	.name = "volume restore",
	.usage = "VOLUME TAR",
	.summary = "make a volume of what is in a tar",
	.help =
"The volume must not be there yet; it appears with all of its data or not at all.\n"
"TAR may be compressed; \"-\" is standard input.\n",
	.run = run_restore,
};

static int fill_from_volume(int data, void *context, struct fault *fault)
{
	struct copied copied = { 0 };

	return copytree(*(int *)context, data, &copied, fault);
}

static int run_clone(int argc, char **argv, struct fault *fault)
{
	static const char *const known[] = { NULL };
	AUTO_FD data = -1;

	if (verb_switches(argc, argv, known, fault) < 0)
		return -1;
	if (argc - optind != 2)
		return verb_misused(&verb_volume_clone, fault);
	interrupt_catch();
	{
		AUTO_STORE store = STORE_INIT;

		if (store_open(&store, STORE_CHANGE, fault) < 0)
			return -1;
		data = open_data(&store, argv[optind], fault);
		if (data < 0)
			return -1;
	}
	return new_volume(argv[optind + 1], fill_from_volume, &data, fault);
}

const struct verb verb_volume_clone = {
	.name = "volume clone",
	.usage = "VOLUME NAME",
	.summary = "make a volume with the same data",
	.help =
"The copy shares its blocks with the original where the filesystem can (xfs,\n"
"btrfs). It is kept in a directory, whatever the original is kept in.\n",
	.run = run_clone,
};
