// SPDX-License-Identifier: GPL-2.0-or-later
/* Names in a layer's archive; see name.h. */
#include "layer/name.h"

#include <stdio.h>
#include <string.h>

#include "layer/marks.h"

#define WHITEOUT ".wh."
#define WHITEOUT_META ".wh..wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"

static bool starts_with(const char *string, const char *start)
{
	return !strncmp(string, start, strlen(start));
}

static bool component_is(const char *component, size_t length, const char *word)
{
	return length == strlen(word) && !memcmp(component, word, length);
}

char *name_clean(const char *raw, struct fault *fault)
{
	AUTO_FREE char *clean = malloc(strlen(raw) + 1);
	const char *from = raw;
	char *to = clean;

	if (!clean) {
		fault_no_memory(fault);
		return NULL;
	}
	if (*raw == '/') {
		fault_set(fault, EXIT_ARCHIVE,
			  "the name is absolute; names in a layer start at its root without \"/\"");
		return NULL;
	}
	if (!*raw) {
		fault_set(fault, EXIT_ARCHIVE, "the name is empty");
		return NULL;
	}
	while (*from) {
		size_t length = strcspn(from, "/");

		if (component_is(from, length, "..")) {
			fault_set(fault, EXIT_ARCHIVE,
				  "\"..\" in the name would leave the layer");
			return NULL;
		}
		if (length && !component_is(from, length, ".")) {
			if (to != clean)
				*to++ = '/';
			memcpy(to, from, length);
			to += length;
		}
		from += length;
		from += strspn(from, "/");
	}
	*to = '\0';
	if (component_is(clean, strcspn(clean, "/"), VENEER_DIR_NAME)) {
		fault_set(fault, EXIT_ARCHIVE,
			  "\"" VENEER_DIR_NAME "\" at the top of a layer is reserved");
		return NULL;
	}
	return take_string(&clean);
}

const char *name_last(const char *path, size_t *parent_length)
{
	const char *slash = strrchr(path, '/');

	*parent_length = slash ? (size_t)(slash - path) : 0;
	return slash ? slash + 1 : path;
}

/* The path @path[0..parent_length) with @name behind it. */
static char *join(const char *path, size_t parent_length, const char *name)
{
	char *joined;

	if (asprintf(&joined, "%.*s%s%s", (int)parent_length, path,
		     parent_length ? "/" : "", name) < 0)
		return NULL;
	return joined;
}

/* What a whiteout called @last speaks of. */
static int whiteout_victim(const char *last, bool at_top, const char **victim,
			   struct fault *fault)
{
	*victim = last + strlen(WHITEOUT);
	if (!**victim || !strcmp(*victim, ".") || !strcmp(*victim, ".."))
		return fault_set(fault, EXIT_ARCHIVE,
				 "the mark names nothing that could be deleted");
	if (at_top && !strcmp(*victim, VENEER_DIR_NAME))
		return fault_set(fault, EXIT_ARCHIVE,
				 "\"" VENEER_DIR_NAME "\" at the top of a layer is reserved");
	return 0;
}

int name_mark(const char *path, enum mark *mark, char **about, struct fault *fault)
{
	const char *component = path;
	const char *last, *victim;
	size_t parent_length;

	*mark = MARK_NONE;
	*about = NULL;
	last = name_last(path, &parent_length);
	for (; component < last; component = strchr(component, '/') + 1) {
		if (starts_with(component, WHITEOUT_META)) {
			*mark = MARK_IGNORED;
			return 0;
		}
		if (starts_with(component, WHITEOUT))
			return fault_set(fault, EXIT_ARCHIVE,
					 "a name that begins with \"" WHITEOUT
					 "\" marks a deletion and cannot be a directory");
	}
	if (!starts_with(last, WHITEOUT))
		return 0;
	if (!strcmp(last, WHITEOUT_OPAQUE)) {
		*mark = MARK_OPAQUE;
		return 0;
	}
	if (starts_with(last, WHITEOUT_META)) {
		*mark = MARK_IGNORED;
		return 0;
	}
	if (whiteout_victim(last, !parent_length, &victim, fault) < 0)
		return -1;
	*mark = MARK_WHITEOUT;
	*about = join(path, parent_length, victim);
	return *about ? 0 : fault_no_memory(fault);
}

int name_check_object(const char *kind, const char *name, struct fault *fault)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	size_t length = strlen(name);
	AUTO_FREE char *quoted = NULL;

	if (length >= 1 && length <= 128 && strchr(letters, *name)) {
		const char *c = name;

		while (*c && (strchr(letters, *c) || strchr("_.-", *c)))
			c++;
		if (!*c)
			return 0;
	}
	quoted = name_quote(name);
	return fault_set(fault, EXIT_USAGE,
			 "%s cannot be the name of a %s: it has 1 to 128 letters, digits and \"_.-\", and begins with a letter or a digit",
			 quoted ? quoted : "?", kind);
}

char *name_quote(const char *raw)
{
	char *quoted = malloc(4 * strlen(raw) + 3);
	char *to = quoted;

	if (!quoted)
		return NULL;
	*to++ = '"';
	for (const unsigned char *from = (const unsigned char *)raw; *from; from++) {
		if (*from == '"' || *from == '\\') {
			*to++ = '\\';
			*to++ = *from;
		} else if (*from < ' ' || *from == 0x7f ||
			   (*from >= 0x80 && *from < 0xa0 &&
			    (from == (const unsigned char *)raw || from[-1] < 0x80))) {
			to += sprintf(to, "\\%03o", *from);
		} else {
			*to++ = *from;
		}
	}
	*to++ = '"';
	*to = '\0';
	return quoted;
}
