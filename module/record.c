// SPDX-License-Identifier: GPL-2.0-only
/*
 * Record: what a file says of where its data is.
 *
 * Callers run with the mounter's credentials.
 */
#include <linux/crc32.h>
#include <linux/slab.h>

#include "log.h"
#include "marks.h"
#include "record.h"

static u32 record_crc(struct veneer_split_disk *disk, size_t size)
{
	__le32 saved = disk->crc;
	u32 crc;

	disk->crc = 0;
	crc = crc32_le(~0, (const u8 *)disk, size);
	disk->crc = saved;
	return crc;
}

static bool map_fields_fit(const struct veneer_split_disk *disk)
{
	const u32 flags = le32_to_cpu(disk->flags);

	if (!(flags & VENEER_SPLIT_MAP))
		return !flags && !disk->block_shift;
	return disk->block_shift >= VENEER_BLOCK_SHIFT_MIN &&
	       disk->block_shift <= VENEER_BLOCK_SHIFT_MAX;
}

static const char *record_fault(struct veneer_split_disk *disk, size_t size)
{
	if (size < sizeof(*disk) ||
	    le32_to_cpu(disk->magic) != VENEER_SPLIT_MAGIC)
		return "is not one";
	if (disk->version != VENEER_SPLIT_VERSION)
		return "is of another version";
	if (record_crc(disk, size) != le32_to_cpu(disk->crc))
		return "has a wrong checksum";
	if (le32_to_cpu(disk->flags) & ~VENEER_SPLIT_FLAGS)
		return "uses features that this version does not have";
	if (le32_to_cpu(disk->path_len) != size - sizeof(*disk) ||
	    le64_to_cpu(disk->below_size) > MAX_LFS_FILESIZE ||
	    disk->path[0] != '/' ||
	    strnlen(disk->path, size - sizeof(*disk)) != size - sizeof(*disk) ||
	    !map_fields_fit(disk))
		return "is damaged";
	return NULL;
}

/**
 * veneer_record_get - read a split record
 * @path: a regular file of the upper or of a layer
 * @userxattr: which namespace
 * @record: receives the record; the caller kfree()s its path
 *
 * Return: 1 when there is one, 0 when not, or a negative error; %-EUCLEAN,
 * and a line in the log, for one that cannot be trusted; %-EACCES for one that
 * the mounter may not read.
 */
int veneer_record_get(const struct path *path, bool userxattr,
		      struct veneer_record *record)
{
	struct veneer_split_disk *disk;
	const char *fault;
	size_t size;

	disk = veneer_mark_get_alloc(path, userxattr, VENEER_MARK_SPLIT, &size);
	if (!disk)
		return 0;
	if (IS_ERR(disk))
		return PTR_ERR(disk);

	fault = record_fault(disk, size);
	if (fault) {
		veneer_err_ratelimited("%pd2: split record %s; the file cannot be read\n",
				       path->dentry, fault);
		kvfree(disk);
		return -EUCLEAN;
	}

	record->below_size = le64_to_cpu(disk->below_size);
	record->flags = le32_to_cpu(disk->flags);
	record->block_shift = disk->block_shift;
	import_uuid(&record->uuid, disk->uuid);
	record->path = kmemdup_nul(disk->path, size - sizeof(*disk), GFP_KERNEL);
	kvfree(disk);
	return record->path ? 1 : -ENOMEM;
}

/**
 * veneer_record_set - write a split record, in one step
 * @path: a regular file of the upper
 * @userxattr: which namespace
 * @record: the record
 *
 * The first one comes with the mark that stops overlayfs.  Others may be written
 * long after the change that they are about: ctime does not move.
 */
int veneer_record_set(const struct path *path, bool userxattr,
		      const struct veneer_record *record)
{
	size_t path_len = strlen(record->path);
	size_t size = sizeof(struct veneer_split_disk) + path_len;
	struct veneer_split_disk *disk;
	int err;

	/* Empty is the form that every version of overlayfs understands. */
	err = veneer_is_metacopy(path, userxattr);
	if (!err)
		err = veneer_mark_set(path, userxattr, VENEER_MARK_METACOPY,
				      "", 0);
	if (err < 0)
		return err;

	disk = kzalloc(size, GFP_KERNEL);
	if (!disk)
		return -ENOMEM;

	disk->magic = cpu_to_le32(VENEER_SPLIT_MAGIC);
	disk->version = VENEER_SPLIT_VERSION;
	disk->block_shift = record->block_shift;
	disk->flags = cpu_to_le32(record->flags);
	disk->below_size = cpu_to_le64(record->below_size);
	export_uuid(disk->uuid, &record->uuid);
	disk->path_len = cpu_to_le32(path_len);
	memcpy(disk->path, record->path, path_len);
	disk->crc = cpu_to_le32(record_crc(disk, size));

	err = veneer_mark_change(path, userxattr, VENEER_MARK_SPLIT, disk, size);
	kfree(disk);
	return err;
}

/**
 * veneer_record_remove - take a split record away: the file is whole
 * @path: a regular file of the upper
 * @userxattr: which namespace
 *
 * The record goes last: as long as it is there, it counts.  ctime does not move.
 */
int veneer_record_remove(const struct path *path, bool userxattr)
{
	int err = veneer_mark_change(path, userxattr, VENEER_MARK_METACOPY,
				     NULL, 0);

	return err ? : veneer_mark_change(path, userxattr, VENEER_MARK_SPLIT,
					  NULL, 0);
}
