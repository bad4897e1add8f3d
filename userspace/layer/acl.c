// SPDX-License-Identifier: GPL-2.0-or-later
/* ACLs from archive to xattr; see acl.h. */
#include "layer/acl.h"

#include <archive.h>
#include <archive_entry.h>
#include <endian.h>
#include <errno.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdint.h>
#include <string.h>

static int tag_from_archive(int tag)
{
	switch (tag) {
	case ARCHIVE_ENTRY_ACL_USER_OBJ:
		return ACL_USER_OBJ;
	case ARCHIVE_ENTRY_ACL_USER:
		return ACL_USER;
	case ARCHIVE_ENTRY_ACL_GROUP_OBJ:
		return ACL_GROUP_OBJ;
	case ARCHIVE_ENTRY_ACL_GROUP:
		return ACL_GROUP;
	case ARCHIVE_ENTRY_ACL_MASK:
		return ACL_MASK;
	case ARCHIVE_ENTRY_ACL_OTHER:
		return ACL_OTHER;
	default:
		return 0;
	}
}

static unsigned permissions_from_archive(int permissions)
{
	return (permissions & ARCHIVE_ENTRY_ACL_READ ? ACL_READ : 0) |
	       (permissions & ARCHIVE_ENTRY_ACL_WRITE ? ACL_WRITE : 0) |
	       (permissions & ARCHIVE_ENTRY_ACL_EXECUTE ? ACL_EXECUTE : 0);
}

/*
 * The id of a named user or group. Names are the host's business, not the
 * layer's, so only numbers count, and the one name that is the same everywhere.
 */
static int id_from_archive(int id, const char *name, uint32_t *result,
			   struct fault *fault)
{
	char *end;
	unsigned long number;

	if (id >= 0) {
		*result = id;
		return 0;
	}
	if (name && !strcmp(name, "root")) {
		*result = 0;
		return 0;
	}
	errno = 0;
	number = name && *name >= '0' && *name <= '9' ? strtoul(name, &end, 10) : 0;
	if (name && *name >= '0' && *name <= '9' && !errno && !*end && number < UINT32_MAX) {
		*result = number;
		return 0;
	}
	return fault_set(fault, EXIT_ARCHIVE,
			 "its ACL names \"%s\" without a number; make the archive with numeric owners",
			 name ? name : "");
}

/* The kernel wants the entries in the order of their tags. */
static int compare_entries(const void *a, const void *b)
{
	const struct posix_acl_xattr_entry *left = a, *right = b;

	if (left->e_tag != right->e_tag)
		return le16toh(left->e_tag) < le16toh(right->e_tag) ? -1 : 1;
	if (left->e_id != right->e_id)
		return le32toh(left->e_id) < le32toh(right->e_id) ? -1 : 1;
	return 0;
}

bool acl_plausible(const void *value, size_t size)
{
	struct posix_acl_xattr_header header;

	if (size < sizeof(header))
		return false;
	memcpy(&header, value, sizeof(header));
	return le32toh(header.a_version) == POSIX_ACL_XATTR_VERSION;
}

static int read_one(struct archive_entry *entry, int want, const char *xattr_name,
		    struct xattr *xattr, struct fault *fault)
{
	int count = archive_entry_acl_reset(entry, want);
	int type, permissions, tag, id, used = 0;
	AUTO_FREE struct posix_acl_xattr_header *header = NULL;
	struct posix_acl_xattr_entry *entries;
	const char *name;

	if (count <= 0 || xattr->name)
		return 0;
	header = calloc(1, sizeof(*header) + count * sizeof(*entries));
	if (!header)
		return fault_no_memory(fault);
	header->a_version = htole32(POSIX_ACL_XATTR_VERSION);
	entries = (void *)(header + 1);
	while (used < count &&
	       archive_entry_acl_next(entry, want, &type, &permissions, &tag, &id,
				      &name) == ARCHIVE_OK) {
		int kernel_tag = tag_from_archive(tag);
		uint32_t number = ACL_UNDEFINED_ID;

		if (!kernel_tag)
			return fault_set(fault, EXIT_ARCHIVE, "its ACL is not a POSIX ACL");
		if ((kernel_tag == ACL_USER || kernel_tag == ACL_GROUP) &&
		    id_from_archive(id, name, &number, fault) < 0)
			return -1;
		entries[used++] = (struct posix_acl_xattr_entry){
			.e_tag = htole16(kernel_tag),
			.e_perm = htole16(permissions_from_archive(permissions)),
			.e_id = htole32(number),
		};
	}
	qsort(entries, used, sizeof(*entries), compare_entries);
	xattr->name = strdup(xattr_name);
	if (!xattr->name)
		return fault_no_memory(fault);
	xattr->size = sizeof(*header) + used * sizeof(*entries);
	xattr->value = header;
	header = NULL;
	return 0;
}

int acl_read(struct archive_entry *entry, struct xattr *access,
	     struct xattr *inherited, struct fault *fault)
{
	if (archive_entry_acl_types(entry) & ARCHIVE_ENTRY_ACL_TYPE_NFS4)
		return fault_set(fault, EXIT_ARCHIVE,
				 "it has an NFSv4 ACL, which Linux filesystems cannot hold");
	if (read_one(entry, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, ACL_ACCESS, access, fault) < 0)
		return -1;
	return read_one(entry, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, ACL_DEFAULT, inherited, fault);
}
