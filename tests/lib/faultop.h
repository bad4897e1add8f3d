/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operations that a fault can hit: each is one system call, or one step that a
 * program takes as one, on a world that has something of everything.
 */
#ifndef VENEER_TESTS_FAULTOP_H
#define VENEER_TESTS_FAULTOP_H

#include "world.h"

/* A call's value, or -errno. */
#define SYS(call) ({ long __v = (long)(call); __v == -1 ? -errno : __v; })

/**
 * struct fault_run - an operation that is being made
 * @w: the world
 * @at: root of the tree that it is made in: the mount or the plain directory
 * @in: its path
 * @fd: what begin() opened, or -1
 * @map: what begin() mapped, or NULL
 */
struct fault_run {
	struct world *w;
	int at;
	const char *in;
	int fd;
	void *map;
};

/**
 * struct fault_op - an operation
 * @begin: what is there before, made without a fault; or NULL
 * @run: the operation: a value that is the same in every tree, or -errno
 * @alone: it makes, changes or ends the mount: not for the plain directory
 * @bytes: the file whose bytes change, some of them perhaps, when the operation
 *	fails or does less than it was told
 * @cut: that file gets another size, too
 * @intact: when it fails, that file has the bytes of before all the same
 * @tail: the last fault is tried by default, too: what is left over stays
 */
struct fault_op {
	int (*begin)(struct fault_run *r);
	long (*run)(struct fault_run *r);
	bool alone;
	const char *bytes;
	bool cut;
	bool intact;
	bool tail;
};

/* Layers, plain directory, and one layer that is the upper of an earlier mount. */
int fault_world(struct world *w);
/* What is in the upper before each operation, in the mount or in plain. */
int fault_stage(const char *in);
/* Of a layer, removed by that; no operation makes it again. */
#define FAULT_REMOVED "emptied/removed"
/* Ends what begin() began. */
void fault_end(struct fault_run *r);

#define FAULT_OPS(X)							\
	X(open_write) X(open_trunc) X(open_read) X(write_small)		\
	X(write_below) X(write_deep) X(write_split) X(write_many) X(write_meta)	\
	X(write_linked) X(write_chain) X(write_sync) X(append)		\
	X(write_setuid)							\
	X(store) X(msync) X(store_linked) X(load)			\
	X(write_mapped) X(append_mapped)				\
	X(truncate_small) X(truncate_below) X(truncate_split)		\
	X(truncate_up) X(truncate_meta) X(truncate_zero) X(truncate_linked)	\
	X(punch) X(allocate)						\
	X(fsync) X(fsync_deep) X(fdatasync) X(close) X(sync)		\
	X(make_whole) X(map) X(seek)					\
	X(copy_range) X(clone)						\
	X(read_below) X(read_split) X(read_chain)			\
	X(create) X(create_over) X(create_deep) X(mkdir) X(mkdir_over)	\
	X(mkdir_acl) X(mknod) X(mknod_over) X(cdev0) X(symlink)		\
	X(symlink_over)	X(tmpfile) X(link) X(link_over) X(link_linked)	\
	X(link_upper) X(link_tmpfile)					\
	X(unlink) X(unlink_upper) X(unlink_meta) X(unlink_split)	\
	X(unlink_linked) X(unlink_open) X(rmdir) X(rmdir_upper)		\
	X(rmdir_emptied)						\
	X(rename) X(rename_upper) X(rename_over) X(rename_split)	\
	X(rename_over_upper) X(rename_linked) X(rename_over_linked)	\
	X(rename_dir) X(rename_dir_again) X(rename_dir_deep)		\
	X(rename_dir_over) X(rename_dir_over_emptied)			\
	X(rename_upper_dir_over) X(rename_to_whiteout) X(rename_dir_to_whiteout)	\
	X(exchange) X(exchange_dirs) X(exchange_linked) X(whiteout)	\
	X(chmod) X(chmod_deep) X(chmod_dir) X(chmod_linked) X(chown)	\
	X(utimens) X(setxattr) X(setxattr_upper) X(removexattr)		\
	X(set_acl) X(set_default_acl) X(chattr)				\
	X(lookup) X(lookup_upper) X(lookup_linked) X(lookup_split)	\
	X(lookup_missing) X(list) X(list_root) X(list_moved) X(readlink)	\
	X(getxattr) X(listxattr) X(handle) X(handle_moved) X(handle_renamed)	\
	X(statfs) X(maps)						\
	X(mount) X(remount) X(umount)

#define FAULT_OP_DECLARE(name) extern const struct fault_op fault_##name;
FAULT_OPS(FAULT_OP_DECLARE)

#endif
