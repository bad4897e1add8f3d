// SPDX-License-Identifier: GPL-2.0-or-later
/* Marks and directories' last touches; see late.h. */
#include "layer/late.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "layer/marks.h"

/* Room for one more; the array doubles whenever the count is a power of two. */
static void *grow(void *array, size_t count, size_t size)
{
	if (count & (count - 1))
		return array;
	return reallocarray(array, count ? 2 * count : 1, size);
}

int late_add_mark(struct late *late, enum mark mark, const char *path,
		  struct fault *fault)
{
	struct late_mark *grown = grow(late->marks, late->mark_count, sizeof(*grown));
	char *copy = strdup(path);

	if (grown)
		late->marks = grown;
	if (!grown || !copy) {
		free(copy);
		return fault_no_memory(fault);
	}
	late->marks[late->mark_count++] = (struct late_mark){ mark, copy };
	return 0;
}

int late_add_directory(struct late *late, const char *path, struct meta *meta,
		       struct fault *fault)
{
	struct late_directory *grown = grow(late->directories, late->directory_count,
					    sizeof(*grown));
	char *copy = strdup(path);

	if (grown)
		late->directories = grown;
	if (!grown || !copy) {
		free(copy);
		return fault_no_memory(fault);
	}
	late->directories[late->directory_count] = (struct late_directory){
		.path = copy,
		.order = late->directory_count,
		.times = { meta->times[0], meta->times[1] },
		.acl_default = meta->acl_default,
	};
	late->directory_count++;
	meta->acl_default = (struct xattr){ 0 };
	return 0;
}

int late_add_implied(struct late *late, const char *path, struct fault *fault)
{
	struct meta nothing = { 0 };

	late->implied++;
	return late_add_directory(late, path, &nothing, fault);
}

static int set_opaque(struct late *late, int directory, struct fault *fault)
{
	const struct xattr opaque = { OPAQUE_XATTR, "y", 1 };

	late->opaque++;
	return meta_set_xattr(directory, &opaque, fault);
}

/* Nothing of that name in the layer: the deletion itself is what it holds. */
static int make_whiteout(struct late *late, int directory, const char *name,
			 struct fault *fault)
{
	static const struct timespec times[2] = { { 0, 0 }, { 0, 0 } };

	if (mknodat(directory, name, S_IFCHR, makedev(0, 0)) < 0 ||
	    fchownat(directory, name, 0, 0, AT_SYMLINK_NOFOLLOW) < 0 ||
	    utimensat(directory, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno,
				   "cannot make the whiteout (a character device 0:0)");
	late->whiteouts++;
	return 0;
}

static int finish_mark(struct late *late, const struct late_mark *mark, int root,
		       tree_made_fn *made, void *context, struct fault *fault)
{
	AUTO_FD directory = -1, same_name = -1;
	const char *name;

	directory = tree_open_parent(root, mark->path, &name, made, context, fault);
	if (directory < 0)
		return -1;
	if (mark->mark == MARK_OPAQUE)
		return set_opaque(late, directory, fault);

	same_name = openat(directory, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* A directory takes the deleted one's place: nothing shines through it. */
	if (same_name >= 0)
		return set_opaque(late, same_name, fault);
	if (errno == ENOENT)
		return make_whiteout(late, directory, name, fault);
	/* Anything but a directory hides what is below it anyway. */
	if (errno == ENOTDIR)
		return 0;
	return fault_errno(fault, EXIT_SYSTEM, errno, "cannot look it up");
}

static int finish_directory(const struct late_directory *directory, int root,
			    struct fault *fault)
{
	AUTO_FD fd = tree_open_directory(root, directory->path);

	/* A later entry has taken its place. */
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
		return 0;
	if (fd < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot open it again");
	if (directory->acl_default.name &&
	    meta_set_xattr(fd, &directory->acl_default, fault) < 0)
		return -1;
	if (utimensat(fd, "", directory->times, AT_EMPTY_PATH) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot set the times");
	return 0;
}

static int name_entry(struct fault *fault, const char *path)
{
	AUTO_FREE char *quoted = name_quote(path);

	return fault_wrap(fault, "entry %s", quoted ? quoted : "?");
}

static int compare_directories(const void *a, const void *b)
{
	const struct late_directory *left = a, *right = b;
	int order = strcmp(left->path, right->path);

	return order ? order : left->order < right->order ? -1 : left->order > right->order;
}

int late_finish(struct late *late, int root, tree_made_fn *made, void *context,
		struct fault *fault)
{
	for (size_t i = 0; i < late->mark_count; i++) {
		if (finish_mark(late, &late->marks[i], root, made, context, fault) < 0)
			return name_entry(fault, late->marks[i].path);
	}
	if (late->directory_count)
		qsort(late->directories, late->directory_count, sizeof(*late->directories),
		      compare_directories);
	for (size_t i = 0; i < late->directory_count; i++) {
		if (i + 1 < late->directory_count &&
		    !strcmp(late->directories[i].path, late->directories[i + 1].path))
			continue;
		if (finish_directory(&late->directories[i], root, fault) < 0)
			return name_entry(fault, late->directories[i].path);
	}
	return 0;
}

void late_free(struct late *late)
{
	for (size_t i = 0; i < late->mark_count; i++)
		free(late->marks[i].path);
	for (size_t i = 0; i < late->directory_count; i++) {
		free(late->directories[i].path);
		meta_free_xattr(&late->directories[i].acl_default);
	}
	free(late->marks);
	free(late->directories);
}
