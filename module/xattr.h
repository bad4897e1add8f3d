/* SPDX-License-Identifier: GPL-2.0-only */
/* Extended attributes of a mount's objects. */
#ifndef VENEER_XATTR_H
#define VENEER_XATTR_H

#include <linux/fs.h>
#include <linux/path.h>

extern const struct xattr_handler * const veneer_xattr_handlers[];

void *veneer_getxattr_alloc(const struct path *path, const char *name,
			    size_t *size);
ssize_t veneer_listxattr(struct dentry *dentry, char *list, size_t size);
int veneer_copy_xattrs(struct super_block *sb, const struct path *from,
		       const struct path *to);

#endif
