/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The control interface of Veneer: ioctls of /dev/veneer, and of any file or
 * directory of a mount.
 *
 * Every struct begins with its size, which the caller sets to sizeof(struct)
 * as it was compiled: a multiple of 8, at least 8 (else EINVAL) and at most
 * 4096 (else E2BIG).  The kernel takes a smaller one than it knows (fields
 * that are not there are zero) and a larger one whose additional bytes are
 * zero (else E2BIG), writes back no more than it was given, and sets size to
 * what it knows.  Reserved fields must be zero (else EINVAL), so that they can
 * get a meaning later.  Numbers are in the machine's byte order and have the
 * same place in programs of 32 and of 64 bits; sizes and offsets are in bytes.
 *
 * Of every ioctl: EFAULT, memory that the caller does not have; ENOTTY, not
 * for this kind of file.  Documentation/control.rst says more.
 */
#ifndef _UAPI_VENEER_H
#define _UAPI_VENEER_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define VENEER_API_VERSION	1

/* Bits of veneer_version.features */
#define VENEER_FEATURE_SPLIT		0x1ULL	/* block maps */
#define VENEER_FEATURE_STACK_FD		0x2ULL	/* stacks from fds */
#define VENEER_FEATURE_MAP		0x4ULL	/* VENEER_IOC_MAP */

/**
 * struct veneer_version - VENEER_IOC_VERSION, on anything
 * @size: sizeof(struct veneer_version)
 * @api: out: VENEER_API_VERSION of the module
 * @features: out: VENEER_FEATURE_* bits
 * @module: out: the module's version, zero-terminated
 */
struct veneer_version {
	__u32	size;
	__u32	api;
	__aligned_u64	features;
	char	module[32];
};

/* Bits of veneer_stack_open.flags */
#define VENEER_STACK_USERXATTR		0x1U	/* marks in user.* */

/**
 * struct veneer_stack_open - VENEER_IOC_STACK_OPEN, on /dev/veneer
 * @size: sizeof(struct veneer_stack_open)
 * @flags: VENEER_STACK_* bits
 * @fds: address of an array of __s32: descriptors of the layers' directories,
 *	top first; O_PATH is enough
 * @nr: how many
 * @reserved: zero
 *
 * The ioctl returns a new descriptor (close-on-exec) that stands for the
 * stack: it keeps the stack and all that is known of it in memory until it is
 * closed, and fsconfig(FSCONFIG_SET_FD, "stack") gives it to a mount in the
 * place of lowerdir.  The layers' descriptors may be closed.
 *
 * Needs CAP_SYS_ADMIN.  EINVAL: no layer, too many, an unknown flag, a layer
 * on a mount that is not in the caller's namespace; EBADF: a descriptor that
 * is none; ENOTDIR: one that is no directory; ELOOP: one on filesystems that
 * are stacked too deep.  The kernel's log says which.
 */
struct veneer_stack_open {
	__u32	size;
	__u32	flags;
	__aligned_u64	fds;
	__u32	nr;
	__u32	reserved;
};

/**
 * struct veneer_stack_info - VENEER_IOC_STACK_INFO, on a stack's descriptor or
 * on any file of a mount
 * @size: sizeof(struct veneer_stack_info)
 * @layers: out: how many layers the stack was asked for with
 * @id: out: number of the stack, unique until the module is unloaded
 * @mounts: out: how many mounts use it
 * @pins: out: how many open descriptors keep it
 * @flags: out: VENEER_STACK_* bits
 * @reserved: zero
 */
struct veneer_stack_info {
	__u32	size;
	__u32	layers;
	__aligned_u64	id;
	__u32	mounts;
	__u32	pins;
	__u32	flags;
	__u32	reserved;
};

/**
 * struct veneer_stack_list - VENEER_IOC_STACK_LIST, on /dev/veneer
 * @size: sizeof(struct veneer_stack_list)
 * @nr: in: how many fit into @stacks; out: how many there are, which may be
 *	more than were written
 * @stacks: address of an array of struct veneer_stack_info, which is written
 * @entry_size: sizeof(struct veneer_stack_info), the step from one to the next
 * @reserved: zero
 *
 * Needs CAP_SYS_ADMIN.  EINVAL: @entry_size is no size of a struct, as above.
 */
struct veneer_stack_list {
	__u32	size;
	__u32	nr;
	__aligned_u64	stacks;
	__u32	entry_size;
	__u32	reserved;
};

/**
 * struct veneer_counters - VENEER_IOC_COUNTERS, on any file of a mount
 * @size: sizeof(struct veneer_counters)
 * @flags: out: VENEER_COUNTERS_* bits
 * @lookups: out: names asked of the upper and the stack
 * @copied_up: out: objects that got an upper
 * @files_split: out: files that became split
 * @files_whole: out: files that became whole
 * @blocks_copied: out: blocks filled from below, but for shared ones (reflink)
 * @bytes_copied: out: bytes of them, and of files copied whole
 * @bytes_shared: out: bytes that were left below by files becoming split
 * @map_flushes: out: block maps written
 * @map_bits: out: bits that were set in what was written of them
 *
 * All count from the first mount of the upper on.
 */
struct veneer_counters {
	__u32	size;
	__u32	flags;
	__aligned_u64	lookups;
	__aligned_u64	copied_up;
	__aligned_u64	files_split;
	__aligned_u64	files_whole;
	__aligned_u64	blocks_copied;
	__aligned_u64	bytes_copied;
	__aligned_u64	bytes_shared;
	__aligned_u64	map_flushes;
	__aligned_u64	map_bits;
};

#define VENEER_COUNTERS_READONLY	0x1U	/* no upper */
#define VENEER_COUNTERS_VOLATILE	0x2U
#define VENEER_COUNTERS_USERXATTR	0x4U

/* Values of veneer_map.state */
#define VENEER_STATE_BELOW	0	/* no data in the upper */
#define VENEER_STATE_SPLIT	1
#define VENEER_STATE_WHOLE	2

/* Values of veneer_range.layer, besides the index of a layer, 0 on top */
#define VENEER_RANGE_UPPER	(-1)

/**
 * struct veneer_range - where a range of a file comes from
 * @offset: where it begins
 * @length: how long it is
 * @layer: VENEER_RANGE_UPPER, or the index of a layer in the stack
 * @reserved: zero
 */
struct veneer_range {
	__aligned_u64	offset;
	__aligned_u64	length;
	__s32	layer;
	__u32	reserved;
};

/**
 * struct veneer_map - VENEER_IOC_MAP, on a regular file of a mount
 * @size: sizeof(struct veneer_map)
 * @nr: in: how many fit into @ranges; out: how many were written
 * @ranges: address of an array of struct veneer_range
 * @start: in: the offset to begin at; out: where to go on, the file's size
 *	when all has been told
 * @file_size: out: the file's size
 * @below_size: out: so many bytes can come from below
 * @block_size: out: bytes in a block of the map; 0 unless the file is split
 * @state: out: VENEER_STATE_*
 *
 * EINVAL: not a regular file, or @nr is 0; EIO, EUCLEAN: as opening it.
 */
struct veneer_map {
	__u32	size;
	__u32	nr;
	__aligned_u64	ranges;
	__aligned_u64	start;
	__aligned_u64	file_size;
	__aligned_u64	below_size;
	__u32	block_size;
	__u32	state;
};

/**
 * struct veneer_tunables - VENEER_IOC_GET_TUNABLES, VENEER_IOC_SET_TUNABLES,
 * on any file of a mount
 * @size: sizeof(struct veneer_tunables)
 * @block_shift: log2 of the block size of files that are split from now on;
 *	12 (or the page's, if larger) to 21
 * @whole_limit: files up to so many bytes are copied whole; less than 2^63
 *
 * Setting needs CAP_SYS_ADMIN.  A field that a smaller struct does not have
 * stays as it is.  EINVAL: out of range; EROFS: no upper.
 */
struct veneer_tunables {
	__u32	size;
	__u32	block_shift;
	__aligned_u64	whole_limit;
};

#define VENEER_IOC_MAGIC	'V'

/* Given the size, so that a larger struct later is the same request. */
#define VENEER_IOC_VERSION	_IO(VENEER_IOC_MAGIC, 0x60)
#define VENEER_IOC_STACK_OPEN	_IO(VENEER_IOC_MAGIC, 0x61)
#define VENEER_IOC_STACK_INFO	_IO(VENEER_IOC_MAGIC, 0x62)
#define VENEER_IOC_STACK_LIST	_IO(VENEER_IOC_MAGIC, 0x63)
#define VENEER_IOC_COUNTERS	_IO(VENEER_IOC_MAGIC, 0x64)
#define VENEER_IOC_MAP		_IO(VENEER_IOC_MAGIC, 0x65)
/*
 * On a regular file opened for writing: copies what is still below.  No
 * argument.  EBADF: not open for writing; EINTR: a fatal signal, what was
 * copied stays; and what a write can fail with.
 */
#define VENEER_IOC_MAKE_WHOLE	_IO(VENEER_IOC_MAGIC, 0x66)
#define VENEER_IOC_GET_TUNABLES	_IO(VENEER_IOC_MAGIC, 0x67)
#define VENEER_IOC_SET_TUNABLES	_IO(VENEER_IOC_MAGIC, 0x68)

#endif
