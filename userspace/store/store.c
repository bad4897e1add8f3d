// SPDX-License-Identifier: GPL-2.0-or-later
/* Looking, changing, and what a change is made of; see store.h. */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/config.h"
#include "base/files.h"
#include "layer/tree.h"
#include "store/index.h"

static int open_directory(int at, const char *name, mode_t mode)
{
	if (mkdirat(at, name, mode) < 0 && errno != EEXIST)
		return -1;
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int make_path(const char *path)
{
	AUTO_FREE char *copy = strdup(path);

	for (char *slash = copy ? strchr(copy + 1, '/') : NULL; slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return -1;
		*slash = '/';
	}
	return copy ? 0 : -1;
}

static int open_places(struct store *store, struct fault *fault)
{
	/* What is inside belongs to containers; nobody else's business. */
	if (make_path(store->path) < 0 ||
	    (store->root = open_directory(AT_FDCWD, store->path, 0711)) < 0) {
		fault_errno(fault, errno == EACCES ? EXIT_USAGE : EXIT_SYSTEM, errno,
			    "cannot open the store \"%s\"", store->path);
		return fault_advise(fault, "run it as root, or name another place with --root");
	}
	store->lock = openat(store->root, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (store->lock >= 0)
		store->staging = open_directory(store->root, "staging", 0700);
	for (int kind = 0; store->staging >= 0 && kind < STORE_KINDS; kind++) {
		store->kinds[kind] = open_directory(store->root, store_kind_directory(kind), 0711);
		if (store->kinds[kind] < 0)
			break;
	}
	if (store->kinds[STORE_KINDS - 1] >= 0)
		return 0;
	return fault_errno(fault, EXIT_SYSTEM, errno, "cannot open the store \"%s\"", store->path);
}

static int lock(int fd, int how)
{
	int result;

	do {
		result = flock(fd, how);
	} while (result < 0 && errno == EINTR);
	return result;
}

/* Bring the index in step, if it is not. Holds the lock as @access afterwards. */
static int recover(struct store *store, enum store_access access, struct fault *fault)
{
	bool stale;

	if (index_is_stale(store, &stale, fault) < 0)
		return -1;
	if (!stale)
		return 0;
	if (lock(store->lock, LOCK_EX) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot lock the store");
	/* Another process may have done it meanwhile. */
	if (index_is_stale(store, &stale, fault) < 0 ||
	    (stale && index_rebuild(store, fault) < 0))
		return -1;
	if (access != STORE_CHANGE && lock(store->lock, LOCK_SH) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot lock the store");
	return 0;
}

int store_access(struct store *store, enum store_access access, struct fault *fault)
{
	static const int how[] = {
		[STORE_FREE] = LOCK_UN, [STORE_LOOK] = LOCK_SH, [STORE_CHANGE] = LOCK_EX,
	};

	if (lock(store->lock, how[access]) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot lock the store");
	store->access = access;
	if (access == STORE_FREE)
		return 0;
	if (!store->db && index_open(store, fault) < 0)
		return -1;
	return recover(store, access, fault);
}

bool store_exists(void)
{
	struct fault ignored = { 0 };
	const struct config *config = config_get(&ignored);
	AUTO_FREE char *lock_file = NULL;

	fault_clear(&ignored);
	if (!config || asprintf(&lock_file, "%s/lock", config->root) < 0) {
		lock_file = NULL;
		return false;
	}
	return !access(lock_file, F_OK);
}

int store_open(struct store *store, enum store_access access, struct fault *fault)
{
	const struct config *config = config_get(fault);

	if (!config)
		return -1;
	store->path = config->root;
	if (open_places(store, fault) < 0)
		return -1;
	return store_access(store, access, fault);
}

void store_close(struct store *store)
{
	if (store->changing)
		sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	sqlite3_close(store->db);
	for (int kind = 0; kind < STORE_KINDS; kind++)
		cleanup_fd(&store->kinds[kind]);
	cleanup_fd(&store->staging);
	cleanup_fd(&store->lock);
	cleanup_fd(&store->root);
}

/* Before the first rename of a change. */
static int start_change(struct store *store, struct fault *fault)
{
	if (store->changing)
		return 0;
	if (index_mark(store, true, fault) < 0 ||
	    db_run(store->db, fault, "BEGIN IMMEDIATE", "") < 0)
		return -1;
	store->changing = true;
	return 0;
}

int store_finish(struct store *store, struct fault *fault)
{
	if (!store->changing)
		return 0;
	if (index_mark(store, false, fault) < 0 || db_run(store->db, fault, "COMMIT", "") < 0)
		return -1;
	store->changing = false;
	return 0;
}

int store_set_facts(struct store *store, enum store_kind kind, const char *id,
		    const json_t *facts, struct fault *fault)
{
	AUTO_FD object = store_object(store, kind, id, fault);

	if (object < 0 || start_change(store, fault) < 0 ||
	    jsonfile_write(object, FACTS, facts, fault) < 0)
		return -1;
	return index_add(store, kind, id, facts, fault);
}

int staging_begin(struct staging *staging, struct store *store, struct fault *fault)
{
	char id[ID_SIZE];
	/* Held by any other process that takes a staging directory for a leftover. */
	bool free = store->access == STORE_FREE;
	int result = 0;

	staging->store = store;
	if (store_new_id(id, fault) < 0)
		return -1;
	id[16] = '\0';
	if (free && lock(store->lock, LOCK_SH) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot lock the store");
	staging->fd = open_directory(store->staging, id, 0700);
	if (staging->fd < 0 || lock(staging->fd, LOCK_EX | LOCK_NB) < 0)
		result = fault_errno(fault, EXIT_SYSTEM, errno, "cannot make \"%s/staging/%s\"",
				     store->path, id);
	if (free)
		lock(store->lock, LOCK_UN);
	staging->name = strdup(id);
	return staging->name ? result : fault_no_memory(fault);
}

void staging_end(struct staging *staging)
{
	if (staging->fd >= 0 && staging->name &&
	    (tree_clear(staging->fd) < 0 ||
	     unlinkat(staging->store->staging, staging->name, AT_REMOVEDIR) < 0))
		notice("cannot remove \"%s/staging/%s\": %s; veneer check --repair tries again",
		       staging->store->path, staging->name, strerror(errno));
	cleanup_fd(&staging->fd);
	free(staging->name);
}

int store_publish(struct staging *staging, const char *name, enum store_kind kind,
		  const char *id, struct fault *fault)
{
	struct store *store = staging->store;
	AUTO_FD object = openat(staging->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_JSON *facts = object < 0 ? NULL : jsonfile_read(object, FACTS, fault);

	if (object < 0)
		return fault_errno(fault, EXIT_BUG, errno, "%s \"%s\" is not complete",
				   store_kind_name(kind), id);
	if (!facts || start_change(store, fault) < 0)
		return -1;
	if (renameat2(staging->fd, name, store->kinds[kind], id, RENAME_NOREPLACE) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot add the %s \"%s\"",
				   store_kind_name(kind), id);
	return index_add(store, kind, id, facts, fault);
}

int store_withdraw(struct staging *staging, enum store_kind kind, const char *id,
		   struct fault *fault)
{
	struct store *store = staging->store;
	AUTO_FREE char *name = NULL;

	if (asprintf(&name, "%s-%s", store_kind_name(kind), id) < 0) {
		name = NULL;
		return fault_no_memory(fault);
	}
	if (strlen(name) > NAME_MAX)
		name[NAME_MAX] = '\0';
	if (start_change(store, fault) < 0)
		return -1;
	if (renameat(store->kinds[kind], id, staging->fd, name) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot remove the %s \"%s\"",
				   store_kind_name(kind), id);
	return index_remove(store, kind, id, fault);
}

int store_leftovers(struct store *store, bool remove, unsigned long *count,
		    struct fault *fault)
{
	CLEANUP(cleanup_dir) DIR *stream =
		names_open(openat(store->staging, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	const char *name;

	*count = 0;
	if (!stream)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot read \"%s/staging\"",
				   store->path);
	while ((name = names_next(stream))) {
		AUTO_FD left = -1;

		if (*name == '.')
			continue;
		left = openat(store->staging, name,
			      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		/* Its process lives, or has removed it just now. */
		if (left < 0 || lock(left, LOCK_EX | LOCK_NB) < 0)
			continue;
		++*count;
		if (remove && tree_remove(store->staging, name) < 0)
			return fault_errno(fault, EXIT_SYSTEM, errno,
					   "cannot remove \"%s/staging/%s\"", store->path,
					   name);
	}
	return errno ? fault_errno(fault, EXIT_SYSTEM, errno, "cannot read \"%s/staging\"",
				   store->path) : 0;
}
