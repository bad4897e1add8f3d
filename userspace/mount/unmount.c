// SPDX-License-Identifier: GPL-2.0-or-later
/* Unmounting a container and what is in it; see unmount.h. */
#include "mount/unmount.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>

#include "mount/fsmount.h"
#include "mount/holders.h"
#include "mount/mountinfo.h"

/* A mount and everything mounted inside, each after what it is mounted in. */
struct tree {
	struct libmnt_fs **mounts;
	int *ids;
	size_t count;
};

static void cleanup_tree(struct tree *tree)
{
	free(tree->mounts);
	free(tree->ids);
}

static void cleanup_iterator(struct libmnt_iter **iterator)
{
	mnt_free_iter(*iterator);
}

static int collect(struct libmnt_table *table, struct libmnt_fs *root, struct tree *tree,
		   struct fault *fault)
{
	size_t room = mnt_table_get_nents(table);

	tree->mounts = calloc(room, sizeof(*tree->mounts));
	tree->ids = calloc(room, sizeof(*tree->ids));
	if (!tree->mounts || !tree->ids)
		return fault_no_memory(fault);
	tree->mounts[tree->count++] = root;
	for (size_t i = 0; i < tree->count; i++) {
		CLEANUP(cleanup_iterator) struct libmnt_iter *iterator =
			mnt_new_iter(MNT_ITER_FORWARD);
		struct libmnt_fs *child;

		if (!iterator)
			return fault_no_memory(fault);
		tree->ids[i] = mnt_fs_get_id(tree->mounts[i]);
		while (tree->count < room &&
		       !mnt_table_next_child_fs(table, iterator, tree->mounts[i], &child))
			tree->mounts[tree->count++] = child;
	}
	return 0;
}

/* Find the mount on top of @target; it has to be one of ours. */
static struct libmnt_fs *find(struct libmnt_table *table, const char *target,
			      struct fault *fault)
{
	struct libmnt_fs *fs = mountinfo_find(table, target);

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

static int advise_when_busy(struct fault *fault)
{
	return fault_advise(fault, "end what uses it, or call veneer umount --lazy");
}

static int unmount_one(const char *target, int id, int flags, struct fault *fault)
{
	if (!umount2(target, flags | UMOUNT_NOFOLLOW))
		return 0;
	if (errno == EBUSY) {
		fault_set(fault, EXIT_MOUNT, "\"%s\" is busy", target);
		holders_name(&id, 1, fault);
		return advise_when_busy(fault);
	}
	return fault_errno(fault, errno == EPERM ? EXIT_USAGE : EXIT_MOUNT, errno,
			   "cannot unmount \"%s\"", target);
}

/*
 * A container that goes on running must not lose its volumes: it would write to
 * what they cover. The kernel can only tell mount by mount, so look before.
 */
static int check_unused(const struct tree *tree, struct fault *fault)
{
	if (tree->count < 2)
		return 0;
	fault_set(fault, EXIT_MOUNT, "\"%s\" is busy, and left as it is",
		  mnt_fs_get_target(tree->mounts[0]));
	if (holders_name(tree->ids, tree->count, fault))
		return advise_when_busy(fault);
	fault_clear(fault);
	return 0;
}

static int unmount_tree(struct libmnt_table *table, struct libmnt_fs *root,
			struct fault *fault)
{
	CLEANUP(cleanup_tree) struct tree tree = { 0 };

	if (collect(table, root, &tree, fault) < 0 || check_unused(&tree, fault) < 0)
		return -1;
	for (size_t i = tree.count; i-- > 0;) {
		if (unmount_one(mnt_fs_get_target(tree.mounts[i]), tree.ids[i], 0, fault) < 0)
			return -1;
	}
	return 0;
}

int unmount(const char *path, bool lazy, struct fault *fault)
{
	CLEANUP(cleanup_table) struct libmnt_table *table = NULL;
	AUTO_FREE char *target = realpath(path, NULL);
	struct libmnt_fs *fs;

	if (!target)
		return fault_errno(fault, EXIT_MOUNT, errno, "cannot unmount \"%s\"", path);
	table = mountinfo_read(fault);
	fs = table ? find(table, target, fault) : NULL;
	if (!fs)
		return -1;
	/* Lazily, the kernel takes the whole tree at once. */
	if (lazy)
		return unmount_one(target, mnt_fs_get_id(fs), MNT_DETACH, fault);
	return unmount_tree(table, fs, fault);
}
