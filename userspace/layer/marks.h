/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The filesystem's marks on an object of a layer, or of an upper: every name that
 * they have on the disk, and what they say.
 */
#ifndef VENEER_MARKS_H
#define VENEER_MARKS_H

#include <linux/types.h>
#include <sys/stat.h>

#include "base/common.h"
#include "module/format.h"

#define TRUSTED_OWN "trusted." VENEER_XATTR_OWN
#define TRUSTED_OVERLAY "trusted." VENEER_XATTR_OVERLAY

#define OPAQUE_XATTR TRUSTED_OVERLAY "opaque"
#define REDIRECT_XATTR TRUSTED_OVERLAY "redirect"
#define WHITEOUT_XATTR TRUSTED_OVERLAY "whiteout"
#define METACOPY_XATTR TRUSTED_OVERLAY "metacopy"
#define SPLIT_XATTR TRUSTED_OWN "split"

/* The filesystem's own folders, from the root of the upper or layer. */
#define MAP_DIRECTORY VENEER_DIR_NAME "/" VENEER_MAP_DIR_NAME
#define LINKS_DIRECTORY VENEER_DIR_NAME "/" VENEER_LINKS_DIR_NAME

/* Whether a node (O_PATH is enough) has the mark, of any value. */
bool has_mark(int node, const char *name);

/* Whether nothing from below shows in this directory. */
bool is_opaque(int node);

/* Whether it deletes its name below, in either form. */
bool is_whiteout(int node, const struct stat *status);

/* Whether some of this regular file's data, or all, is below. */
bool is_partial(int node);

/* Whether the name of an xattr is of those that have a meaning in a layer. */
bool is_mark_name(const char *name);

#endif
