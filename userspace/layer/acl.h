/* SPDX-License-Identifier: GPL-2.0-or-later */
/* POSIX ACLs of an archive's entry, in the form that the kernel's xattrs have. */
#ifndef VENEER_ACL_H
#define VENEER_ACL_H

#include "layer/meta.h"

#define ACL_ACCESS "system.posix_acl_access"
#define ACL_DEFAULT "system.posix_acl_default"

/* Fills in those that the entry has and that have no value yet. */
int acl_read(struct archive_entry *entry, struct xattr *access,
	     struct xattr *inherited, struct fault *fault);

/* Whether bytes have the form of such an xattr; the kernel checks the rest. */
bool acl_plausible(const void *value, size_t size);

#endif
