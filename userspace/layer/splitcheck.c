// SPDX-License-Identifier: GPL-2.0-or-later
/* Looking at all split files of a tree; see splitcheck.h. */
#include "layer/splitcheck.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "layer/marks.h"
#include "layer/splitfile.h"
#include "layer/walk.h"

struct job {
	int maps;			/* the folder of the maps; -1: there is none */
	splitcheck_fn *tell;
	void *context;
	unsigned long *files;
	char (*used)[SPLIT_UUID_NAME];	/* names of the maps that files have; sorted at the end */
	size_t used_count;
};

static void free_job(struct job *job)
{
	cleanup_fd(&job->maps);
	free(job->used);
}

static int note_used(struct job *job, const char *name, struct fault *fault)
{
	size_t count = job->used_count;
	void *grown = count & (count - 1) ? job->used :
		reallocarray(job->used, count ? 2 * count : 1, sizeof(*job->used));

	if (!grown)
		return fault_no_memory(fault);
	job->used = grown;
	strcpy(job->used[job->used_count++], name);
	return 0;
}

static int check_file(void *context, const struct visit *visit, struct fault *fault)
{
	struct job *job = context;
	AUTO_FREE struct veneer_split_disk *record = NULL;
	char name[SPLIT_UUID_NAME];
	const char *problem;
	uint64_t blocks;
	size_t size;
	int found;

	if (!strcmp(visit->path, VENEER_DIR_NAME))
		return 1;
	if (!S_ISREG(visit->status.st_mode))
		return 0;
	found = split_record(visit->node, &record, &size);
	if (found < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot read its split record");
	if (!found)
		return 0;
	++*job->files;
	problem = split_record_problem(record, size);
	if (!problem && le32toh(record->flags) & VENEER_SPLIT_MAP) {
		split_map_name(record->uuid, name);
		problem = split_map_read(job->maps, record, NULL, &blocks);
		if (note_used(job, name, fault) < 0)
			return -1;
	}
	return problem ? job->tell(job->context, visit->path, problem, fault) : 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

static bool is_used(const struct job *job, const char *name)
{
	return job->used_count &&
	       bsearch(name, job->used, job->used_count, sizeof(*job->used), compare_names);
}

static int check_map(void *context, const struct visit *visit, struct fault *fault)
{
	struct job *job = context;
	AUTO_FREE char *path = NULL;

	if (!*visit->path || is_used(job, visit->path))
		return 0;
	if (asprintf(&path, MAP_DIRECTORY "/%s", visit->path) < 0) {
		path = NULL;
		return fault_no_memory(fault);
	}
	return job->tell(job->context, path, "no file has this block map", fault);
}

int splitcheck(int upper, splitcheck_fn *tell, void *context, unsigned long *files,
	       struct fault *fault)
{
	CLEANUP(free_job) struct job job = {
		.maps = split_maps(upper),
		.tell = tell, .context = context, .files = files,
	};

	if (walk(upper, check_file, &job, fault) < 0)
		return -1;
	if (job.used_count)
		qsort(job.used, job.used_count, sizeof(*job.used), compare_names);
	return job.maps < 0 ? 0 : walk(job.maps, check_map, &job, fault);
}

/* A problem with a map's path is one that nobody has: all of them are new. */
static int remove_unused(void *context, const char *path, const char *problem,
			 struct fault *fault)
{
	if (strncmp(path, MAP_DIRECTORY "/", strlen(MAP_DIRECTORY "/")))
		return fault_set(fault, EXIT_BUG, "\"%s\": %s", path, problem);
	if (unlinkat(*(int *)context, path, 0) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot remove \"%s\"", path);
	return 0;
}

int split_tidy(int tree, struct fault *fault)
{
	unsigned long files = 0;

	if (splitcheck(tree, remove_unused, &tree, &files, fault) < 0)
		return -1;
	if (unlinkat(tree, MAP_DIRECTORY, AT_REMOVEDIR) < 0)
		return errno == ENOTEMPTY || errno == ENOENT ? 0 :
			fault_errno(fault, EXIT_SYSTEM, errno, "cannot remove the folder of the block maps");
	unlinkat(tree, VENEER_DIR_NAME, AT_REMOVEDIR);
	return 0;
}
