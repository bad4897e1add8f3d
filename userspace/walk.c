// SPDX-License-Identifier: GPL-2.0-or-later
/* Visiting a tree; see walk.h. */
#include "walk.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <string.h>

#include "interrupt.h"
#include "name.h"
#include "tree.h"

struct names {
	char **names;
	size_t count;
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

	if (name && !(names->count & (names->count - 1)))
		grown = reallocarray(grown, names->count ? 2 * names->count : 1, sizeof(*grown));
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
	AUTO_FD fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOATIME);
	CLEANUP(cleanup_dir) DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!stream)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot read it");
	fd = -1;
	while (errno = 0, (entry = readdir(stream))) {
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") &&
		    add_name(names, strdup(entry->d_name), fault) < 0)
			return -1;
	}
	if (errno)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot read it");
	if (names->count)
		qsort(names->names, names->count, sizeof(*names->names), compare);
	return 0;
}

static int visit_node(int node, const char *path, visit_fn *each, void *context,
		      struct names *queue, struct fault *fault)
{
	struct visit visit = { .path = path, .node = node };
	int result;

	if (interrupted(fault))
		return -1;
	if (fstatat(node, "", &visit.status, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot look at it");
	result = each(context, &visit, fault);
	if (result || !S_ISDIR(visit.status.st_mode))
		return result < 0 ? -1 : 0;
	return add_name(queue, strdup(path), fault);
}

static int walk_directory(int root, const char *path, visit_fn *each, void *context,
			  struct names *queue, struct fault *fault)
{
	CLEANUP(free_names) struct names names = { 0 };
	AUTO_FD directory = tree_open_directory(root, path);

	if (directory < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot open it");
	if (read_names(directory, &names, fault) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		AUTO_FREE char *child = NULL;
		AUTO_FD node = openat(directory, names.names[i], O_PATH | O_NOFOLLOW | O_CLOEXEC);

		/* It was removed meanwhile, in a tree that is in use. */
		if (node < 0 && errno == ENOENT)
			continue;
		if (asprintf(&child, "%s%s%s", path, *path ? "/" : "", names.names[i]) < 0) {
			child = NULL;
			return fault_no_memory(fault);
		}
		if (node < 0 || visit_node(node, child, each, context, queue, fault) < 0) {
			AUTO_FREE char *quoted = name_quote(child);

			if (!fault->text)
				fault_errno(fault, EXIT_SYSTEM, errno, "cannot open it");
			return fault_wrap(fault, "%s", quoted ? quoted : child);
		}
	}
	return 0;
}

int walk(int root, visit_fn *each, void *context, struct fault *fault)
{
	CLEANUP(free_names) struct names queue = { 0 };
	AUTO_FD node = tree_open_directory(root, "");

	if (node < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot open the tree");
	if (visit_node(node, "", each, context, &queue, fault) < 0)
		return -1;
	for (size_t i = 0; i < queue.count; i++) {
		if (walk_directory(root, queue.names[i], each, context, &queue, fault) < 0)
			return -1;
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
