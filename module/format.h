/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everything that Veneer leaves on a disk, and everything that it reads there
 * from others.  Numbers are little-endian.  Documentation/on-disk-format.rst
 * says the same in prose.
 */
#ifndef VENEER_FORMAT_H
#define VENEER_FORMAT_H

#include <linux/build_bug.h>
#include <linux/types.h>

/*
 * Extended attributes of our own and of overlayfs.  Each stands in the
 * trusted namespace, or in the user namespace on a mount with "userxattr":
 * these are the parts after the first dot.
 */
#define VENEER_XATTR_OWN	"veneer."
#define VENEER_XATTR_OVERLAY	"overlay."

/* The folder under the upper's root that holds Veneer's own files. */
#define VENEER_DIR_NAME		".veneer"

/**
 * struct veneer_origin_disk - value of "veneer.origin"
 * @version: %VENEER_ORIGIN_VERSION
 * @pad: zero
 * @ino: the full inode number before the copy-up, see ino.c
 *
 * Carried by an object of the upper that was copied up from the stack.
 */
struct veneer_origin_disk {
	__u8	version;
	__u8	pad[7];
	__le64	ino;
} __packed;
static_assert(sizeof(struct veneer_origin_disk) == 16);

#define VENEER_ORIGIN_VERSION	1

/**
 * struct veneer_links_disk - value of "veneer.links"
 * @magic: %VENEER_LINKS_MAGIC
 * @version: %VENEER_LINKS_VERSION
 * @pad: zero
 * @crc: crc32 (little-endian, seed ~0) of the whole value with this field zero
 * @nlink: the object's link count for which @left counts
 * @left: how many names it still has below, and shows by those
 * @left_else: the same for every other link count
 * @id: its entry in the folder "links" is this number in 16 hexadecimal digits
 * @path_len: length of @path
 * @pad2: zero
 * @path: one of its names below, from the root of the stack, with a leading
 *	slash and without a trailing zero
 *
 * Carried by an object of the upper that has several names below.  The two
 * counts make one step of two: a name is added here and taken away below by
 * the link that changes the link count.
 */
struct veneer_links_disk {
	__le32	magic;
	__u8	version;
	__u8	pad[3];
	__le32	crc;
	__le32	nlink;
	__le32	left;
	__le32	left_else;
	__le64	id;
	__le32	path_len;
	__le32	pad2;
	__u8	path[];
} __packed;
static_assert(sizeof(struct veneer_links_disk) == 40);

#define VENEER_LINKS_MAGIC	0x4c524e56	/* "VNRL" */
#define VENEER_LINKS_VERSION	1

/* The folder in VENEER_DIR_NAME with an entry for each such object. */
#define VENEER_LINKS_DIR_NAME	"links"

/**
 * struct veneer_split_disk - value of "veneer.split"
 * @magic: %VENEER_SPLIT_MAGIC
 * @version: %VENEER_SPLIT_VERSION
 * @block_shift: log2 of the block size that the map counts in; 0 without a map
 * @pad: zero
 * @flags: VENEER_SPLIT_* bits; an unknown one makes the file unreadable
 * @crc: crc32 (little-endian, seed ~0) of the whole value with this field zero
 * @below_size: bytes of the file below that are visible through this one
 * @uuid: names the block map; all zero without a map
 * @path_len: length of @path
 * @pad2: zero
 * @path: path of the file below from the root of the stack, with a leading
 *	slash and without a trailing zero
 *
 * Carried by a regular file of the upper whose data, or some of it, is still
 * below.  Without %VENEER_SPLIT_MAP none of it has been copied: the file holds
 * changed metadata only.
 */
struct veneer_split_disk {
	__le32	magic;
	__u8	version;
	__u8	block_shift;
	__u8	pad[2];
	__le32	flags;
	__le32	crc;
	__le64	below_size;
	__u8	uuid[16];
	__le32	path_len;
	__le32	pad2;
	__u8	path[];
} __packed;
static_assert(sizeof(struct veneer_split_disk) == 48);

#define VENEER_SPLIT_MAGIC	0x53524e56	/* "VNRS" */
#define VENEER_SPLIT_VERSION	1

/* The file is split: it has a block map, if one without any bit set. */
#define VENEER_SPLIT_MAP	0x00000001
/* The map is on disk: that it is missing means that something was lost. */
#define VENEER_SPLIT_SAVED	0x00000002
/* The file was being cut to below_size: bytes past that are gone. */
#define VENEER_SPLIT_CUT	0x00000004
#define VENEER_SPLIT_FLAGS	(VENEER_SPLIT_MAP | VENEER_SPLIT_SAVED | \
				 VENEER_SPLIT_CUT)

#define VENEER_BLOCK_SHIFT_MIN	12
#define VENEER_BLOCK_SHIFT_MAX	21

/* The folder in .veneer that holds the block maps, each named by its UUID. */
#define VENEER_MAP_DIR_NAME	"map"

/**
 * struct veneer_map_disk - the beginning of a block map
 * @magic: %VENEER_MAP_MAGIC
 * @version: %VENEER_MAP_VERSION
 * @block_shift: log2 of the block size; as in the record
 * @pad: zero
 * @flags: zero
 * @crc: crc32 (little-endian, seed ~0) of this struct with this field zero
 * @nr_blocks: how many bits the map has
 * @uuid: the map's name
 *
 * It stands at the beginning of the file's first block, whose rest is zero.
 * The bitmap follows in the second block: bit n is bit n % 8 of byte n / 8,
 * and is set when block n is in this layer.  The file ends with the bitmap,
 * whose length is rounded up to 8 bytes; bits past @nr_blocks are zero.
 */
struct veneer_map_disk {
	__le32	magic;
	__u8	version;
	__u8	block_shift;
	__u8	pad[2];
	__le32	flags;
	__le32	crc;
	__le64	nr_blocks;
	__u8	uuid[16];
} __packed;
static_assert(sizeof(struct veneer_map_disk) == 40);

#define VENEER_MAP_MAGIC	0x4d524e56	/* "VNRM" */
#define VENEER_MAP_VERSION	1

#endif
