// SPDX-License-Identifier: GPL-2.0-or-later
/* Visiting a tree; see walk.h. */
#include "layer/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <search.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/files.h"
#include "base/interrupt.h"
#include "layer/name.h"

struct names {
	char **names;
	size_t count, room;
};

static void free_names(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->names[i]);
	free(names->names);
}

/* Takes @name, also when it fails. */
static int add_name(struct names *names, char *name, struct fault *fault)
{
	char **grown = names->names;

	if (name && names->count == names->room) {
		grown = reallocarray(grown, 2 * names->room + 16, sizeof(*grown));
		if (grown)
			names->room = 2 * names->room + 16;
	}
	if (!grown || !name) {
		free(name);
		return fault_no_memory(fault);
	}
	names->names = grown;
	names->names[names->count++] = name;
	return 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_names(int directory, struct names *names, struct fault *fault)
{
	CLEANUP(cleanup_dir) DIR *stream =
		names_open(openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOATIME));
	const char *name;

	if (!stream)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot read it");
	while ((name = names_next(stream))) {
		if (add_name(names, strdup(name), fault) < 0)
			return -1;
	}
	if (errno)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot read it");
	if (names->count)
		qsort(names->names, names->count, sizeof(*names->names), compare);
	return 0;
}

static int open_node(int root, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};

	return syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof(how));
}

/* What is in a directory comes next: on top of what waits. */
static int push_children(int node, const char *path, struct names *waiting,
			 struct fault *fault)
{
	CLEANUP(free_names) struct names names = { 0 };

	if (read_names(node, &names, fault) < 0)
		return -1;
	for (size_t i = names.count; i-- > 0;) {
		char *child;

		if (asprintf(&child, "%s%s%s", path, *path ? "/" : "", names.names[i]) < 0)
			child = NULL;
		if (add_name(waiting, child, fault) < 0)
			return -1;
	}
	return 0;
}

static int visit_path(int root, const char *path, visit_fn *each, void *context,
		      struct names *waiting, struct fault *fault)
{
	AUTO_FD node = open_node(root, path);
	struct visit visit = { .path = path, .node = node };
	int result;

	if (interrupted(fault))
		return -1;
	/* It was removed meanwhile, in a tree that is in use. */
	if (node < 0 && errno == ENOENT && *path)
		return 0;
	if (node < 0 || fstatat(node, "", &visit.status, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot open it");
	result = each(context, &visit, fault);
	if (result || !S_ISDIR(visit.status.st_mode))
		return result < 0 ? -1 : 0;
	return push_children(node, path, waiting, fault);
}

int walk(int root, visit_fn *each, void *context, struct fault *fault)
{
	CLEANUP(free_names) struct names waiting = { 0 };

	/* Not recursive: a tree can be deeper than there are descriptors. */
	if (add_name(&waiting, strdup(""), fault) < 0)
		return -1;
	while (waiting.count) {
		AUTO_FREE char *path = waiting.names[--waiting.count];
		AUTO_FREE char *quoted = NULL;

		if (!visit_path(root, path, each, context, &waiting, fault))
			continue;
		quoted = name_quote(path);
		return fault_wrap(fault, "%s", quoted ? quoted : path);
	}
	return 0;
}

struct known_link {
	dev_t device;
	ino_t inode;
	char path[];
};

static int compare_links(const void *a, const void *b)
{
	const struct known_link *left = a, *right = b;

	if (left->inode != right->inode)
		return left->inode < right->inode ? -1 : 1;
	return left->device < right->device ? -1 : left->device > right->device;
}

const char *link_table_seen(struct link_table *table, const struct visit *visit,
			    struct fault *fault)
{
	struct known_link *link, **found;

	if (visit->status.st_nlink < 2 || S_ISDIR(visit->status.st_mode))
		return NULL;
	link = malloc(sizeof(*link) + strlen(visit->path) + 1);
	if (link) {
		link->device = visit->status.st_dev;
		link->inode = visit->status.st_ino;
		strcpy(link->path, visit->path);
	}
	found = link ? tsearch(link, &table->tree, compare_links) : NULL;
	if (!found) {
		free(link);
		fault_no_memory(fault);
		return NULL;
	}
	if (*found == link)
		return NULL;
	free(link);
	return (*found)->path;
}

void link_table_free(struct link_table *table)
{
	tdestroy(table->tree, free);
}
