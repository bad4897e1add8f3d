// SPDX-License-Identifier: GPL-2.0-or-later
/* Where the store has what; see place.h. */
#include "store/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

static const struct {
	const char *name, *directory;
} kinds[STORE_KINDS] = {
	[STORE_LAYER] = { "layer", "layers" },
	[STORE_IMAGE] = { "image", "images" },
	[STORE_NAME] = { "name", "names" },
	[STORE_CONTAINER] = { "container", "containers" },
	[STORE_VOLUME] = { "volume", "volumes" },
};

const char *store_kind_name(enum store_kind kind)
{
	return kinds[kind].name;
}

const char *store_kind_directory(enum store_kind kind)
{
	return kinds[kind].directory;
}

char *store_path(struct store *store, enum store_kind kind, const char *id,
		 const char *rest)
{
	char *path;

	if (asprintf(&path, "%s/%s/%s%s%s", store->path, kinds[kind].directory, id,
		     *rest ? "/" : "", rest) < 0)
		return NULL;
	return path;
}

int store_object(struct store *store, enum store_kind kind, const char *id,
		 struct fault *fault)
{
	int fd = openat(store->kinds[kind], id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	return fault_errno(fault, EXIT_SYSTEM, errno, "%s \"%s\"", kinds[kind].name, id);
}

json_t *store_facts(struct store *store, enum store_kind kind, const char *id,
		    struct fault *fault)
{
	AUTO_FD object = store_object(store, kind, id, fault);
	json_t *facts = object < 0 ? NULL : jsonfile_read(object, FACTS, fault);

	if (object >= 0 && !facts)
		fault_wrap(fault, "%s \"%s\"", kinds[kind].name, id);
	return facts;
}

int store_new_id(char id[ID_SIZE], struct fault *fault)
{
	unsigned char bytes[32];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return fault_errno(fault, EXIT_SYSTEM, errno, "no random number");
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(id + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

void store_now(char text[TIME_SIZE])
{
	time_t now = time(NULL);
	struct tm parts;

	gmtime_r(&now, &parts);
	strftime(text, TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts);
}
