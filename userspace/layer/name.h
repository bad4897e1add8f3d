/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names in a layer's archive: what they may be, and which of them are marks. */
#ifndef VENEER_NAME_H
#define VENEER_NAME_H

#include "base/fault.h"

/*
 * The name of an entry as a path from the layer's root, without "." and double
 * slashes; "" is the root. Refused, because they would leave the layer or hide
 * in it: absolute names, "..", and a ".veneer" at the top.
 */
char *name_clean(const char *raw, struct fault *fault);

/* What the OCI image specification makes of a name. */
enum mark {
	MARK_NONE,
	MARK_WHITEOUT,		/* .wh.NAME: NAME is deleted here */
	MARK_OPAQUE,		/* .wh..wh..opq: nothing shines through its directory */
	MARK_IGNORED,		/* .wh..wh.*: an older tool's own notes */
};

/*
 * Which mark a clean name is. For a whiteout, *about becomes the path of what is
 * deleted. -1: the name begins with ".wh." where no mark can be.
 */
int name_mark(const char *path, enum mark *mark, char **about, struct fault *fault);

/* The last component, and the length of what is before it (0: the root). */
const char *name_last(const char *path, size_t *parent_length);

/* Whether a container or a volume may have this name. -1 with @fault set. */
int name_check_object(const char *kind, const char *name, struct fault *fault);

/*
 * A name as it may be shown: in quotes, with what a terminal would obey escaped.
 * An archive can name its entries as it likes.
 */
char *name_quote(const char *raw);

#endif
