/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A world is what one test runs in: layers, an upper, a workdir, a mount
 * point, and beside them a plain directory that is given the same objects, so
 * that a test can ask the file system below what the right answer is.
 *
 *	$VENEER_TEST_DIR/world.PID/
 *		layer0/ layer1/ ...	layer0 is the top one
 *		upper/ work/		the writable part
 *		mnt/			the mount
 *		plain/			the same tree, without any stacking
 *
 * A process that begins a world gets a mount namespace of its own, so nothing
 * stays mounted when it dies.
 */
#ifndef VENEER_TESTS_WORLD_H
#define VENEER_TESTS_WORLD_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "tree.h"

/* Where the objects that put_*() makes live before the first mount. */
enum where {
	IN_LAYER,	/* in the only layer */
	IN_LOWER,	/* in the lower of two layers, directories in both */
	IN_UPPER,	/* in the upper */
	MERGED,		/* directories everywhere, other objects in turns in
			 * the layer and in the upper */
};

#define WORLD_LAYERS 8
#define WORLD_PATH 256
#define WORLD_OPTIONS 8

struct world {
	enum where where;
	int nlayers;
	char root[WORLD_PATH];
	char layer[WORLD_LAYERS][WORLD_PATH];
	char upper[WORLD_PATH];
	char work[WORLD_PATH];
	char mnt[WORLD_PATH];
	char plain[WORLD_PATH];

	/* Set by a test before world_mount(). */
	bool no_upper;		/* mount the stack alone */
	bool no_compare;	/* plain does not follow what the test does */
	bool no_defaults;	/* on overlayfs: no metacopy, no redirect_dir */
	bool keep_times;	/* do not give all objects fixed times */
	unsigned int tree_flags;	/* more flags for comparing with plain */
	unsigned int attr;	/* of the mount, MOUNT_ATTR_* */
	const char *option[WORLD_OPTIONS][2];	/* more mount options */

	int mfd, pfd;		/* the roots of mnt and plain, or -1 */
	bool mounted;
	unsigned int turn;	/* whose turn it is in MERGED */
	struct tree sealed[WORLD_LAYERS];
	char log[2048];		/* what the kernel said of the last mount */
};

/*
 * All of these return 0, or -1 with errno set and a line printed that names
 * the object.
 */
int world_begin(struct world *w, enum where where);
/* One more layer under those that there are, before the mount. */
int world_add_layer(struct world *w);
/* Moves upper and workdir to a file system of their own, before the mount. */
int world_upper_on(struct world *w, const char *fstype, const char *options);
int world_seal(struct world *w);
int world_mount(struct world *w);
int world_umount(struct world *w);
int world_remount(struct world *w);
/* Makes the upper the topmost layer, under a new upper. */
int world_deepen(struct world *w);
int world_check_layers(struct world *w);
/* Unmounts, checks that no layer was written, removes everything. */
int world_end(struct world *w);

/* Make an object in the layer or upper that w->where says, and in plain. */
int put_dir(struct world *w, const char *path, mode_t mode);
int put_file(struct world *w, const char *path, mode_t mode,
	     const void *data, size_t size);
int put_text(struct world *w, const char *path, const char *text);
/* size bytes that differ from block to block and from seed to seed */
int put_pattern(struct world *w, const char *path, size_t size, unsigned seed);
int put_symlink(struct world *w, const char *path, const char *target);
int put_node(struct world *w, const char *path, mode_t mode, dev_t dev);
int put_xattr(struct world *w, const char *path, const char *name,
	      const void *value, size_t size);
int put_owner(struct world *w, const char *path, uid_t uid, gid_t gid);
int put_mode(struct world *w, const char *path, mode_t mode);

/* The path of the layer, upper, ... joined with rel; valid for 32 calls. */
const char *join(const char *root, const char *rel);

/* Small things that several tests need. */
int write_file(const char *path, const void *data, size_t size);
int write_text(const char *path, const char *text);
/* Into a file that is there. */
int store_at(const char *path, const void *data, size_t size, off_t off);
/* Returns the length, or -1; the text ends in NUL. */
ssize_t read_text(const char *path, char *buf, size_t size);
/* 0 if the file holds exactly these bytes; else 1 and a line that says where
 * it differs; -1 if it cannot be read. */
int same_bytes(const char *path, const void *data, size_t size);
void fill_pattern(void *buf, size_t size, off_t offset, unsigned seed);
int remove_tree(const char *path);
int drop_caches(void);
/* How many requests to read the disk of this file has had; -1 without a disk. */
long disk_reads(const char *path);
/* Where the kernel has this as a module, it is loaded if it can be. */
void load_module(const char *name);
/* Of a mount that somebody may let go of in the background: waits for seconds. */
int umount_patiently(const char *path);
bool exists(const char *path);
/* Makes a whiteout in a layer or upper, in overlayfs's form. */
int make_whiteout(const char *path);
int make_opaque(const char *path);
/* The xattr name prefix of the marks: "trusted.overlay." */
extern const char marks_prefix[];

/* The file system type under test, and whether that is overlayfs. */
const char *world_fstype(void);
bool world_is_overlay(void);
/* Does what RENAME_WHITEOUT leaves get the directory's ACL and group? Not on xfs. */
bool world_whiteouts_inherit(void);
/* On overlayfs: file handles. Before world_begin(). */
void world_want_handles(struct world *w);
/* The directory tests work in. */
const char *world_dir(void);

/*
 * Mounts with fsopen(2) and fsconfig(2): option is an array of {key, value}
 * that ends with a NULL key; a NULL value is a flag. attr is for fsmount(2).
 * target may be NULL: then the mount stays detached. Returns the mount's file
 * descriptor, or -errno; what the kernel logged is in log.
 */
int fs_mount(const char *type, const char *const option[][2],
	     unsigned int attr, const char *target, char *log, size_t size);

#endif
