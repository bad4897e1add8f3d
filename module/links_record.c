// SPDX-License-Identifier: GPL-2.0-only
/* The record that an object with several names below carries in the upper. */
#include <linux/crc32.h>
#include <linux/slab.h>

#include "format.h"
#include "links_record.h"
#include "log.h"
#include "marks.h"

/**
 * veneer_links_name - what an object's entry is called
 * @id: the object's number
 * @name: receives the name
 */
void veneer_links_name(u64 id, char name[VENEER_LINKS_NAME_LEN])
{
	snprintf(name, VENEER_LINKS_NAME_LEN, "%016llx", id);
}

static u32 links_crc(struct veneer_links_disk *disk, size_t size)
{
	__le32 saved = disk->crc;
	u32 crc;

	disk->crc = 0;
	crc = crc32_le(~0, (const u8 *)disk, size);
	disk->crc = saved;
	return crc;
}

static const char *links_fault(struct veneer_links_disk *disk, size_t size)
{
	if (size < sizeof(*disk) ||
	    le32_to_cpu(disk->magic) != VENEER_LINKS_MAGIC)
		return "is not one";
	if (disk->version != VENEER_LINKS_VERSION)
		return "is of another version";
	if (links_crc(disk, size) != le32_to_cpu(disk->crc))
		return "has a wrong checksum";
	if (le32_to_cpu(disk->path_len) != size - sizeof(*disk) ||
	    disk->path[0] != '/' ||
	    strnlen(disk->path, size - sizeof(*disk)) != size - sizeof(*disk))
		return "is damaged";
	return NULL;
}

/**
 * veneer_links_get - read a record
 * @path: an object of the upper or of a layer
 * @userxattr: which namespace
 * @links: receives the record
 * @below: receives its path, for the caller to kfree(); may be %NULL
 *
 * Return: 1 when there is one; 0 when not, or when it cannot be trusted, with
 * a line in the log; or a negative error.
 */
int veneer_links_get(const struct path *path, bool userxattr,
		     struct veneer_links *links, char **below)
{
	struct veneer_links_disk *disk;
	const char *fault;
	size_t size;
	int ret = 1;

	disk = veneer_mark_get_alloc(path, userxattr, VENEER_MARK_LINKS, &size);
	/* As with any mark of what the mounter may not read. */
	if (!disk || (userxattr && disk == ERR_PTR(-EACCES)))
		return 0;
	if (IS_ERR(disk))
		return PTR_ERR(disk);

	fault = links_fault(disk, size);
	if (fault) {
		veneer_err_ratelimited("%pd2: links record %s; its other names may show another file\n",
				       path->dentry, fault);
		ret = 0;
	} else {
		links->id = le64_to_cpu(disk->id);
		links->nlink = le32_to_cpu(disk->nlink);
		links->left = le32_to_cpu(disk->left);
		links->left_else = le32_to_cpu(disk->left_else);
	}
	if (ret && below) {
		*below = kmemdup_nul(disk->path, size - sizeof(*disk),
				     GFP_KERNEL);
		if (!*below)
			ret = -ENOMEM;
	}
	kvfree(disk);
	return ret;
}

/**
 * veneer_links_set - write a record
 * @path: an object of the upper, its inode not locked
 * @userxattr: which namespace
 * @links: the record
 * @below: its path
 */
int veneer_links_set(const struct path *path, bool userxattr,
		     const struct veneer_links *links, const char *below)
{
	size_t len = strlen(below);
	size_t size = sizeof(struct veneer_links_disk) + len;
	struct veneer_links_disk *disk = kzalloc(size, GFP_KERNEL);
	int err;

	if (!disk)
		return -ENOMEM;

	disk->magic = cpu_to_le32(VENEER_LINKS_MAGIC);
	disk->version = VENEER_LINKS_VERSION;
	disk->nlink = cpu_to_le32(links->nlink);
	disk->left = cpu_to_le32(links->left);
	disk->left_else = cpu_to_le32(links->left_else);
	disk->id = cpu_to_le64(links->id);
	disk->path_len = cpu_to_le32(len);
	memcpy(disk->path, below, len);
	disk->crc = cpu_to_le32(links_crc(disk, size));

	err = veneer_mark_set(path, userxattr, VENEER_MARK_LINKS, disk, size);
	kfree(disk);
	return err;
}
