/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an archive's entry says about a node besides its content. */
#ifndef VENEER_META_H
#define VENEER_META_H

#include <sys/types.h>
#include <time.h>

#include "base/fault.h"

struct archive_entry;

struct xattr {
	char *name;
	void *value;
	size_t size;
};

struct meta {
	mode_t type;			/* S_IFREG and the like */
	mode_t mode;			/* 07777 */
	uid_t uid;
	gid_t gid;
	struct timespec times[2];	/* access, modification; as for utimensat(2) */
	struct xattr *xattrs;		/* set before the mode */
	size_t xattr_count;
	struct xattr acl_access;	/* set after the mode; no name: there is none */
	struct xattr acl_default;	/* not set by meta_apply() */
};

/* Read and check it; xattrs that are the filesystem's own are refused. */
int meta_read(struct archive_entry *entry, struct meta *meta, struct fault *fault);

/* Those of a node that is there, but for what is the filesystem's own. */
int meta_of_node(int fd, struct meta *meta, struct fault *fault);
void meta_free(struct meta *meta);	/* for CLEANUP(), too */

/*
 * Give all of it, but for a default ACL, to the node that @fd is open on;
 * O_PATH is enough. A default ACL has to wait until the directory is complete,
 * since it would be handed down to everything that is made inside.
 */
int meta_apply(int fd, const struct meta *meta, struct fault *fault);

int meta_set_xattr(int fd, const struct xattr *xattr, struct fault *fault);
void meta_free_xattr(struct xattr *xattr);

/* Remove every xattr and ACL: for a directory that a second entry describes anew. */
int meta_clear_xattrs(int fd, struct fault *fault);

#endif
