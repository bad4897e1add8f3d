// SPDX-License-Identifier: GPL-2.0-or-later
/* All-or-nothing directories; see stage.h. */
#include "layer/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "layer/acl.h"
#include "layer/tree.h"

/* Split "a/b/" into the directory "a", opened, and the name "b". */
static int open_parent(struct stage *stage, const char *directory, struct fault *fault)
{
	AUTO_FREE char *path = strdup(directory);
	const char *parent = ".";
	size_t length;
	char *slash;

	if (!path)
		return fault_no_memory(fault);
	length = strlen(path);
	while (length > 1 && path[length - 1] == '/')
		path[--length] = '\0';
	slash = strrchr(path, '/');
	stage->name = strdup(slash ? slash + 1 : path);
	if (!stage->name)
		return fault_no_memory(fault);
	if (!*stage->name || !strcmp(stage->name, ".") || !strcmp(stage->name, ".."))
		return fault_set(fault, EXIT_USAGE,
				 "a directory that does not exist yet has to be named");
	if (slash) {
		*slash = '\0';
		parent = *path ? path : "/";
	}
	stage->parent = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (stage->parent < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot open \"%s\"", parent);
	return 0;
}

static int make_work_directory(struct stage *stage, struct fault *fault)
{
	for (int attempt = 0; attempt < 100; attempt++) {
		AUTO_FREE char *name = NULL;
		uint32_t number;

		if (getrandom(&number, sizeof(number), 0) != sizeof(number))
			return fault_errno(fault, EXIT_SYSTEM, errno, "no random number");
		if (asprintf(&name, "%s.tmp-%08x", stage->name, number) < 0) {
			name = NULL;
			return fault_no_memory(fault);
		}
		/* Nobody else looks inside before it is complete. */
		if (!mkdirat(stage->parent, name, 0700)) {
			stage->work_name = take_string(&name);
			return 0;
		}
		if (errno != EEXIST)
			break;
	}
	return fault_errno(fault, EXIT_SYSTEM, errno, "cannot make a directory beside it");
}

int stage_begin(struct stage *stage, const char *directory, struct fault *fault)
{
	struct stat there;

	if (open_parent(stage, directory, fault) < 0)
		return -1;
	if (!fstatat(stage->parent, stage->name, &there, AT_SYMLINK_NOFOLLOW))
		return fault_set(fault, EXIT_SYSTEM,
				 "it exists already; name a directory that does not, or remove it");
	if (make_work_directory(stage, fault) < 0)
		return -1;
	stage->root = openat(stage->parent, stage->work_name,
			     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (stage->root < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot open \"%s\"",
				   stage->work_name);
	/* A default ACL on the parent must not reach into what is built here. */
	return meta_clear_xattrs(stage->root, fault);
}

int stage_commit(struct stage *stage, struct fault *fault)
{
	if (syncfs(stage->root) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot write it to the disk");
	if (renameat2(stage->parent, stage->work_name, stage->parent, stage->name,
		      RENAME_NOREPLACE) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot give it its name");
	/* From here on, that is the name to remove if the next step fails. */
	free(stage->work_name);
	stage->work_name = strdup(stage->name);
	if (fsync(stage->parent) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno,
				   "cannot write its name to the disk");
	free(stage->work_name);
	stage->work_name = NULL;
	return 0;
}

void stage_end(struct stage *stage)
{
	if (stage->work_name &&
	    ((stage->root >= 0 && tree_clear(stage->root) < 0) ||
	     unlinkat(stage->parent, stage->work_name, AT_REMOVEDIR) < 0))
		notice("cannot remove \"%s\", which is left behind and incomplete: %s",
		       stage->work_name, strerror(errno));
	free(stage->work_name);
	free(stage->name);
	if (stage->root >= 0)
		close(stage->root);
	if (stage->parent >= 0)
		close(stage->parent);
}
