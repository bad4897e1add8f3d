// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer umount */
#include <errno.h>
#include <libmount.h>
#include <string.h>
#include <sys/mount.h>

#include "fsmount.h"
#include "holders.h"
#include "verb.h"

static void cleanup_table(struct libmnt_table **table)
{
	mnt_unref_table(*table);
}

static void cleanup_iterator(struct libmnt_iter **iterator)
{
	mnt_free_iter(*iterator);
}

/* Find the mount on top of @target; it has to be one of ours. */
static struct libmnt_fs *find(struct libmnt_table *table, const char *target,
			      struct fault *fault)
{
	/* Backwards: the last one mounted there is the one that shows. */
	struct libmnt_fs *fs = mnt_table_find_target(table, target, MNT_ITER_BACKWARD);

	if (!fs) {
		fault_set(fault, EXIT_MOUNT, "nothing is mounted on \"%s\"", target);
		return NULL;
	}
	if (strcmp(mnt_fs_get_fstype(fs), fsmount_type())) {
		fault_set(fault, EXIT_MOUNT, "what is mounted on \"%s\" is of type %s, not %s",
			  target, mnt_fs_get_fstype(fs), fsmount_type());
		fault_advise(fault, "umount(8) unmounts any type");
		return NULL;
	}
	return fs;
}

static int unmount_one(const char *target, int flags, struct fault *fault)
{
	if (!umount2(target, flags | UMOUNT_NOFOLLOW))
		return 0;
	if (errno == EBUSY) {
		fault_set(fault, EXIT_MOUNT, "\"%s\" is busy", target);
		holders_name(target, fault);
		return fault_advise(fault, "end what uses it, or call veneer umount --lazy");
	}
	return fault_errno(fault, errno == EPERM ? EXIT_USAGE : EXIT_MOUNT, errno,
			   "cannot unmount \"%s\"", target);
}

/* What is mounted inside first, the latest first. */
static int unmount_tree(struct libmnt_table *table, struct libmnt_fs *fs,
			struct fault *fault)
{
	CLEANUP(cleanup_iterator) struct libmnt_iter *iterator =
		mnt_new_iter(MNT_ITER_BACKWARD);
	struct libmnt_fs *child;

	if (!iterator)
		return fault_no_memory(fault);
	while (!mnt_table_next_child_fs(table, iterator, fs, &child)) {
		if (unmount_tree(table, child, fault) < 0)
			return -1;
	}
	return unmount_one(mnt_fs_get_target(fs), 0, fault);
}

static int run(int argc, char **argv, struct fault *fault)
{
	static const struct option options[] = {
		{ "lazy", no_argument, NULL, 'l' },
		{ 0 },
	};
	CLEANUP(cleanup_table) struct libmnt_table *table = NULL;
	AUTO_FREE char *target = NULL;
	struct libmnt_fs *fs;
	bool lazy = false;
	int option;

	while ((option = verb_option(argc, argv, ":l", options, fault)) != -1) {
		if (option == '?')
			return -1;
		lazy = true;
	}
	if (argc - optind != 1)
		return verb_misused(&verb_umount, fault);
	target = realpath(argv[optind], NULL);
	if (!target)
		return fault_errno(fault, EXIT_MOUNT, errno, "cannot unmount \"%s\"", argv[optind]);
	table = mnt_new_table_from_file("/proc/self/mountinfo");
	if (!table)
		return fault_set(fault, EXIT_SYSTEM, "cannot read /proc/self/mountinfo");
	fs = find(table, target, fault);
	if (!fs)
		return -1;
	/* Lazily, the kernel takes the whole tree at once. */
	return lazy ? unmount_one(target, MNT_DETACH, fault) : unmount_tree(table, fs, fault);
}

const struct verb verb_umount = {
	.name = "umount",
	.usage = "[--lazy] TARGET",
	.summary = "unmount a container and its volumes",
	.help =
"Unmounts what is mounted on TARGET and everything mounted inside of it.\n\n"
"  -l, --lazy   take it out of sight now, and let it go when nothing uses it any more\n",
	.run = run,
};
