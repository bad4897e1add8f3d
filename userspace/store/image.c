// SPDX-License-Identifier: GPL-2.0-or-later
/* Images of the store; see image.h. */
#include "store/image.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "store/index.h"

char *image_name(const char *name, struct fault *fault)
{
	const char *slash = strrchr(name, '/');
	char *whole;

	if (!*name || strlen(name) > 200 || *name == '-' || *name == '/') {
		fault_set(fault, EXIT_USAGE, "\"%s\" cannot be an image's name", name);
		return NULL;
	}
	for (const char *c = name; *c; c++) {
		if (*c <= ' ' || *c >= 0x7f || strchr("\"\\'", *c)) {
			fault_set(fault, EXIT_USAGE,
				  "an image's name has letters, digits and \"/:.@_-\" in it");
			return NULL;
		}
	}
	if (asprintf(&whole, "%s%s", name, strchr(slash ? slash : name, ':') ? "" : ":latest") < 0) {
		fault_no_memory(fault);
		return NULL;
	}
	return whole;
}

/* The name of a name's directory: what could mean something in a path is escaped. */
static char *name_id(const char *name, struct fault *fault)
{
	char *id = malloc(3 * strlen(name) + 1);
	char *to = id;

	if (!id) {
		fault_no_memory(fault);
		return NULL;
	}
	for (; *name; name++) {
		if (strchr("/%:", *name) || (*name == '.' && to == id))
			to += sprintf(to, "%%%02x", (unsigned char)*name);
		else
			*to++ = *name;
	}
	*to = '\0';
	if (strlen(id) > NAME_MAX) {
		fault_set(fault, EXIT_USAGE, "the image's name is too long");
		free(id);
		return NULL;
	}
	return id;
}

char *image_find(struct store *store, const char *word, struct fault *fault)
{
	AUTO_FREE char *name = NULL, *id = NULL, *other = NULL;
	const char *digits = strncmp(word, "sha256:", 7) ? word : word + 7;
	struct fault unnamed = { 0 };
	int found = 0;

	name = image_name(word, &unnamed);
	fault_clear(&unnamed);
	if (name)
		/* Other tools write the short names of one registry in full. */
		found = db_text(store->db, fault, &id,
				"SELECT image FROM names WHERE name IN (?1, 'docker.io/library/' || ?1,"
				" 'docker.io/' || ?1) ORDER BY length(name) LIMIT 1", "s", name);
	if (found < 0)
		return NULL;
	if (!id)
		id = index_find(store, STORE_IMAGE, digits, fault);
	if (!id && !fault->text) {
		fault_set(fault, EXIT_USAGE, "there is no image \"%s\"", word);
		fault_advise(fault, "veneer image ls shows those that are there");
	}
	return take_string(&id);
}

json_t *image_config(struct store *store, const char *id, struct fault *fault)
{
	AUTO_FD object = store_object(store, STORE_IMAGE, id, fault);

	return object < 0 ? NULL : jsonfile_read(object, "config.json", fault);
}

int image_tag(struct store *store, struct staging *staging, const char *id,
	      const char *name, struct fault *fault)
{
	AUTO_FREE char *whole = image_name(name, fault);
	AUTO_FREE char *directory = whole ? name_id(whole, fault) : NULL;
	AUTO_JSON *facts = NULL;
	AUTO_FD object = -1;
	struct stat status;

	if (!directory)
		return -1;
	facts = json_pack("{s:i, s:s, s:s}", "version", 1, "name", whole, "image", id);
	if (!facts)
		return fault_no_memory(fault);
	if (!fstatat(store->kinds[STORE_NAME], directory, &status, AT_SYMLINK_NOFOLLOW))
		return store_set_facts(store, STORE_NAME, directory, facts, fault);
	if (mkdirat(staging->fd, "name", 0700) < 0 ||
	    (object = openat(staging->fd, "name", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot make a name");
	if (jsonfile_write(object, FACTS, facts, fault) < 0)
		return -1;
	return store_publish(staging, "name", STORE_NAME, directory, fault);
}

static int remove_names(struct store *store, struct staging *staging, const char *id,
			struct fault *fault)
{
	for (;;) {
		AUTO_FREE char *name = NULL;
		int found = db_text(store->db, fault, &name,
				    "SELECT id FROM names WHERE image = ? LIMIT 1", "s", id);

		if (found <= 0)
			return found;
		if (store_withdraw(staging, STORE_NAME, name, fault) < 0)
			return -1;
	}
}

int image_prune_layers(struct store *store, struct staging *staging, unsigned long *count,
		       struct fault *fault)
{
	*count = 0;
	for (;;) {
		AUTO_FREE char *id = NULL;
		/* The topmost first: none is ever there without what is below it. */
		int found = db_text(store->db, fault, &id,
				    "SELECT id FROM layers AS l WHERE"
				    " NOT EXISTS (SELECT 1 FROM image_layers WHERE layer = l.id)"
				    " AND NOT EXISTS (SELECT 1 FROM container_layers WHERE layer = l.id)"
				    " AND NOT EXISTS (SELECT 1 FROM layers WHERE parent = l.id)"
				    " LIMIT 1", "");

		if (found <= 0)
			return found;
		if (store_withdraw(staging, STORE_LAYER, id, fault) < 0)
			return -1;
		++*count;
	}
}

static int refuse_used(struct store *store, const char *id, const char *word,
		       struct fault *fault)
{
	AUTO_FREE char *user = NULL;
	int found = db_text(store->db, fault, &user,
			    "SELECT name FROM containers WHERE image = ? LIMIT 1", "s", id);

	if (found <= 0)
		return found;
	fault_set(fault, EXIT_USED, "the image \"%s\" is used by the container \"%s\"", word, user);
	return fault_advise(fault, "remove the container first: veneer rm %s", user);
}

int image_remove(struct store *store, struct staging *staging, const char *word,
		 struct image_removal *removal, struct fault *fault)
{
	AUTO_FREE char *name = NULL, *directory = NULL;
	struct fault unnamed = { 0 };
	int64_t names = 0, by_name = 0;

	removal->id = image_find(store, word, fault);
	if (!removal->id)
		return -1;
	name = image_name(word, &unnamed);
	directory = name ? name_id(name, &unnamed) : NULL;
	fault_clear(&unnamed);
	if (directory && db_number(store->db, fault, &by_name,
				   "SELECT count(*) FROM names WHERE id = ?", "s", directory) < 0)
		return -1;
	if (db_number(store->db, fault, &names, "SELECT count(*) FROM names WHERE image = ?",
		      "s", removal->id) < 0)
		return -1;
	if (by_name && names > 1) {
		removal->name_gone = true;
		return store_withdraw(staging, STORE_NAME, directory, fault);
	}
	if (refuse_used(store, removal->id, word, fault) < 0)
		return -1;
	if (!by_name && names > 1) {
		fault_set(fault, EXIT_USED, "the image \"%s\" has %lld names", word,
			  (long long)names);
		return fault_advise(fault, "remove it by its names, one after the other");
	}
	if (remove_names(store, staging, removal->id, fault) < 0 ||
	    store_withdraw(staging, STORE_IMAGE, removal->id, fault) < 0)
		return -1;
	removal->name_gone = names;
	removal->image_gone = true;
	return image_prune_layers(store, staging, &removal->layers, fault);
}

json_t *image_names(struct store *store, const char *id, struct fault *fault)
{
	return db_texts(store->db, fault, "SELECT name FROM names WHERE image = ? ORDER BY name",
			"s", id);
}

int image_sizes(struct store *store, const char *id, int64_t *all, int64_t *own,
		struct fault *fault)
{
	if (db_number(store->db, fault, all,
		      "SELECT sum(bytes) FROM layers WHERE id IN"
		      " (SELECT layer FROM image_layers WHERE image = ?)", "s", id) < 0)
		return -1;
	return db_number(store->db, fault, own,
			 "SELECT sum(bytes - shared) FROM layers AS l WHERE id IN"
			 " (SELECT layer FROM image_layers WHERE image = ?1) AND NOT EXISTS"
			 " (SELECT 1 FROM image_layers WHERE layer = l.id AND image <> ?1)",
			 "s", id);
}
