// SPDX-License-Identifier: GPL-2.0-or-later
/* Looking up what is below; see below.h. */
#include "layer/below.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "layer/marks.h"
#include "layer/name.h"

int below_add(struct below *below, int tree, struct fault *fault)
{
	struct below_layer *grown = reallocarray(below->layers, below->count + 1, sizeof(*grown));

	if (!grown) {
		close(tree);
		return fault_no_memory(fault);
	}
	below->layers = grown;
	grown[below->count++] = (struct below_layer){
		.tree = tree, .has_links = !faccessat(tree, LINKS_DIRECTORY, F_OK, 0),
	};
	return 0;
}

void below_reserve(size_t layers)
{
	struct rlimit limit;

	/* A descriptor for each, one for a directory in it, and some more. */
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || 4 * layers + 100 < limit.rlim_cur)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void free_directory(struct below_directory *directory)
{
	for (size_t i = 0; i < directory->count; i++)
		close(directory->parts[i].fd);
	free(directory->parts);
	free(directory->path);
	*directory = (struct below_directory){ 0 };
}

void below_free(struct below *below)
{
	free_directory(&below->last);
	for (size_t i = 0; i < below->count; i++)
		close(below->layers[i].tree);
	free(below->layers);
	*below = (struct below){ 0 };
}

/* Takes @fd. */
static int add_part(struct below_directory *directory, size_t layer, int fd,
		    struct fault *fault)
{
	struct below_part *grown = reallocarray(directory->parts, directory->count + 1,
						sizeof(*grown));

	if (fd < 0 || !grown) {
		if (fd >= 0)
			close(fd);
		return grown ? fault_errno(fault, EXIT_SYSTEM, errno, "a layer below") :
			fault_no_memory(fault);
	}
	directory->parts = grown;
	grown[directory->count++] = (struct below_part){ layer, fd };
	return 0;
}

/*
 * One name in a directory. The topmost node is @found, 1 is returned; if it is a
 * directory, its parts are added to @into, unless that is NULL.
 */
static int find_name(const struct below_directory *in, const char *name,
		     struct below_directory *into, struct below_found *found,
		     struct fault *fault)
{
	int result = 0;

	for (size_t i = 0; i < in->count; i++) {
		AUTO_FD node = openat(in->parts[i].fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		struct stat status;
		bool last;

		if (node < 0 && (errno == ENOENT || errno == ENAMETOOLONG))
			continue;
		if (node < 0 || fstatat(node, "", &status, AT_EMPTY_PATH) < 0)
			return fault_errno(fault, EXIT_SYSTEM, errno, "a layer below");
		if (is_whiteout(node, &status) || (result && !S_ISDIR(status.st_mode)))
			break;
		if (!result)
			*found = (struct below_found){ in->parts[i].layer, -1, status };
		last = !into || !S_ISDIR(status.st_mode) || is_opaque(node);
		if (into && S_ISDIR(status.st_mode)) {
			int part = fcntl(node, F_DUPFD_CLOEXEC, 0);

			/* A directory that was renamed: the rest of it is elsewhere. */
			if (has_mark(node, REDIRECT_XATTR))
				into->clear = false;
			if (add_part(into, in->parts[i].layer, part, fault) < 0)
				return -1;
		}
		if (!result)
			found->node = take_fd(&node);
		result = 1;
		if (last)
			break;
	}
	return result;
}

static int open_root(const struct below *below, size_t under, struct below_directory *root,
		     struct fault *fault)
{
	root->clear = true;
	for (size_t i = under; i-- > 0;) {
		if (add_part(root, i, fcntl(below->layers[i].tree, F_DUPFD_CLOEXEC, 0), fault) < 0)
			return -1;
		if (is_opaque(below->layers[i].tree))
			break;
	}
	return 0;
}

/* The directory @path, component by component: below->last. */
static int enter(struct below *below, size_t under, const char *path, struct fault *fault)
{
	CLEANUP(free_directory) struct below_directory here = { 0 };
	AUTO_FREE char *copy = strdup(path);
	char *rest = NULL;

	if (below->last.path && below->last.under == under && !strcmp(below->last.path, path))
		return 0;
	free_directory(&below->last);
	if (!copy)
		return fault_no_memory(fault);
	if (open_root(below, under, &here, fault) < 0)
		return -1;
	for (char *name = strtok_r(copy, "/", &rest); name; name = strtok_r(NULL, "/", &rest)) {
		struct below_directory next = { .clear = here.clear };
		struct below_found found = { .node = -1 };
		int result = find_name(&here, name, &next, &found, fault);

		cleanup_fd(&found.node);
		free_directory(&here);
		here = next;
		if (result < 0)
			return -1;
	}
	here.path = strdup(path);
	here.under = under;
	if (!here.path)
		return fault_no_memory(fault);
	below->last = here;
	here = (struct below_directory){ 0 };
	return 0;
}

/* A layer above has made the names of this object its own, perhaps. */
static bool may_be_linked(const struct below *below, size_t under,
			  const struct below_found *found)
{
	if (S_ISDIR(found->status.st_mode) || found->status.st_nlink < 2)
		return false;
	for (size_t i = found->layer + 1; i < under; i++) {
		if (below->layers[i].has_links)
			return true;
	}
	return false;
}

int below_find(struct below *below, size_t under, const char *path,
	       struct below_found *found, struct fault *fault)
{
	size_t parent_length;
	const char *name = name_last(path, &parent_length);
	AUTO_FREE char *parent = strndup(path, parent_length);
	int result;

	found->node = -1;
	if (!parent)
		return fault_no_memory(fault);
	/* The filesystem's own is nobody's. */
	if (!under || !*name || !strcmp(path, VENEER_DIR_NAME))
		return 0;
	if (enter(below, under, parent, fault) < 0)
		return -1;
	if (!below->last.clear)
		return 0;
	result = find_name(&below->last, name, NULL, found, fault);
	if (result > 0 && !may_be_linked(below, under, found))
		return 1;
	cleanup_fd(&found->node);
	return result < 0 ? -1 : 0;
}
