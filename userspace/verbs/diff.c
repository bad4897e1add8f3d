// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer diff */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "layer/changes.h"
#include "layer/name.h"
#include "store/container.h"
#include "store/view.h"
#include "verbs/verb.h"

struct diff {
	struct store *store;
	const char *id;
	const json_t *facts;
	int below;		/* the image */
	int view;		/* the container */
	bool json;
	json_t *list;
};

static int open_view(void *context, struct fault *fault)
{
	struct diff *diff = context;
	int view = fcntl(diff->view, F_DUPFD_CLOEXEC, 0);

	return view < 0 ? fault_errno(fault, EXIT_SYSTEM, errno, "the container's view") : view;
}

static int tell(struct diff *diff, char kind, const char *path, int64_t written,
		struct fault *fault)
{
	static const char *const words[] = { "added", "changed", "deleted" };
	AUTO_FREE char *quoted = NULL;
	char letter[2] = { kind, '\0' };
	json_t *one;

	if (!diff->json) {
		/* Plain names plainly: a script may read these lines, too. */
		quoted = name_quote(path);
		if (!quoted)
			return fault_no_memory(fault);
		quoted[strlen(quoted) - 1] = '\0';
		printf("%c /%s\n", kind, quoted + 1);
		return 0;
	}
	one = json_pack("{s:s, s:s*}", "change", words[strchr("ACD", *letter) - "ACD"], "path", path);
	if (!one || !json_object_get(one, "path")) {
		json_decref(one);
		return fault_set(fault, EXIT_SYSTEM,
				 "a name is not UTF-8 and cannot be in JSON; call it without --json");
	}
	if (written >= 0 && json_set(one, "bytes_written", json_integer(written), fault) < 0)
		return -1;
	return json_array_append_new(diff->list, one) ? fault_no_memory(fault) : 0;
}

/* Names of a directory below that an opaque one hides, and that it lacks itself. */
struct hidden {
	struct diff *diff;
	const char *prefix;
};

static int visit_hidden(void *context, const struct visit *visit, struct fault *fault)
{
	struct hidden *hidden = context;
	AUTO_FREE char *path = NULL;
	struct stat status;

	if (!*visit->path)
		return 0;
	if (asprintf(&path, "%s%s%s", hidden->prefix, *hidden->prefix ? "/" : "", visit->path) < 0) {
		path = NULL;
		return fault_no_memory(fault);
	}
	if (!fstatat(hidden->diff->view, path, &status, AT_SYMLINK_NOFOLLOW))
		return 0;
	return tell(hidden->diff, 'D', path, -1, fault) < 0 ? -1 : 1;
}

static int tell_hidden(struct diff *diff, const char *path, struct fault *fault)
{
	struct hidden hidden = { diff, path };
	AUTO_FD directory = openat(diff->below, *path ? path : ".",
				   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	/* It was no directory there, or not there. */
	return directory < 0 ? 0 : walk(directory, visit_hidden, &hidden, fault);
}

static bool same_times(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static int tell_change(void *context, enum change change, const struct visit *visit,
		       const struct chain *data, struct fault *fault)
{
	struct diff *diff = context;
	const struct stat *now = &visit->status;
	struct stat before;
	bool was = !fstatat(diff->below, *visit->path ? visit->path : ".", &before,
			    AT_SYMLINK_NOFOLLOW);
	int64_t written = -1;

	(void)data;
	if (change == CHANGE_DELETED)
		return was ? tell(diff, 'D', visit->path, -1, fault) : 0;
	if (change == CHANGE_OPAQUE)
		return tell_hidden(diff, visit->path, fault);
	/* The way to what has changed is no change. */
	if (!*visit->path || (was && S_ISDIR(now->st_mode) && S_ISDIR(before.st_mode) &&
			      now->st_mode == before.st_mode && now->st_uid == before.st_uid &&
			      now->st_gid == before.st_gid && same_times(&now->st_mtim, &before.st_mtim)))
		return 0;
	if (S_ISREG(now->st_mode))
		written = (int64_t)now->st_blocks * 512;
	return tell(diff, was ? 'C' : 'A', visit->path, written, fault);
}

static int diff(const char *word, bool json, struct fault *fault)
{
	AUTO_STORE store = STORE_INIT;
	AUTO_FREE char *id = NULL;
	AUTO_JSON *facts = NULL, *list = json_array();
	AUTO_FD object = -1, upper = -1, below = -1, view = -1;
	struct diff diff = { .store = &store, .json = json, .list = list };
	struct changes changes = {
		.open_view = open_view, .each = tell_change, .context = &diff, .no_data = true,
	};
	const json_t *layers;

	if (store_open(&store, STORE_LOOK, fault) < 0)
		return -1;
	id = container_find(&store, word, fault);
	facts = id ? store_facts(&store, STORE_CONTAINER, id, fault) : NULL;
	object = facts ? store_object(&store, STORE_CONTAINER, id, fault) : -1;
	if (object < 0)
		return -1;
	layers = json_object_get(facts, "layers");
	upper = openat(object, "upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (upper < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "its upper");
	below = view_layers(&store, layers, json_array_size(layers), NULL, fault);
	view = below < 0 ? -1 : view_container(&store, id, facts, fault);
	if (view < 0)
		return -1;
	diff.id = id;
	diff.facts = facts;
	diff.below = below;
	diff.view = view;
	if (changes_walk(upper, &changes, fault) < 0)
		return -1;
	return json ? json_print(list, fault) : 0;
}

static int run(int argc, char **argv, struct fault *fault)
{
	static const char *const known[] = { "json", NULL };
	int switches = verb_switches(argc, argv, known, fault);

	if (switches < 0)
		return -1;
	if (argc - optind != 1)
		return verb_misused(&verb_diff, fault);
	return diff(argv[optind], switches, fault);
}

const struct verb verb_diff = {
	.name = "diff",
	.usage = "[--json] CONTAINER",
	.summary = "what a container has changed of its image",
	.help =
"A line for each name: A for added, C for changed (owner, mode or times count), D\n"
"for deleted, with all that was in it.\n\n"
"  --json   for a script, with the bytes that a file takes in the container\n",
	.run = run,
};
