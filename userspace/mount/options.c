// SPDX-License-Identifier: GPL-2.0-or-later
/* Mount options; see options.h. */
#include "mount/options.h"

#include <string.h>
#include <sys/mount.h>

/* What an option does to the mount itself. */
static const struct {
	const char *name;
	uint64_t set;
	uint64_t clear;
} attributes[] = {
	{ "nosuid", MOUNT_ATTR_NOSUID, 0 },
	{ "suid", 0, MOUNT_ATTR_NOSUID },
	{ "nodev", MOUNT_ATTR_NODEV, 0 },
	{ "dev", 0, MOUNT_ATTR_NODEV },
	{ "noexec", MOUNT_ATTR_NOEXEC, 0 },
	{ "exec", 0, MOUNT_ATTR_NOEXEC },
	{ "nodiratime", MOUNT_ATTR_NODIRATIME, 0 },
	{ "diratime", 0, MOUNT_ATTR_NODIRATIME },
	{ "nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0 },
	{ "symfollow", 0, MOUNT_ATTR_NOSYMFOLLOW },
	/* Access times are one setting with three values: clear it, then set it. */
	{ "noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME },
	{ "relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME },
	{ "strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME },
	{ "atime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME },
	{ "norelatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME },
	{ "nostrictatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME },
};

static const struct {
	const char *name;
	uint64_t type;
	bool recursive;
} propagations[] = {
	{ "private", MS_PRIVATE, false },
	{ "rprivate", MS_PRIVATE, true },
	{ "slave", MS_SLAVE, false },
	{ "rslave", MS_SLAVE, true },
	{ "shared", MS_SHARED, false },
	{ "rshared", MS_SHARED, true },
	{ "unbindable", MS_UNBINDABLE, false },
	{ "runbindable", MS_UNBINDABLE, true },
};

/* Words for mount(8) and fstab, which mean nothing here. */
static const char *const ignored[] = {
	"defaults", "auto", "noauto", "user", "nouser", "users", "nousers", "owner",
	"noowner", "group", "nogroup", "_netdev", "nofail", "silent", "loud", "mand",
	"nomand", "iversion", "noiversion",
};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static bool is_comment(const char *key)
{
	return !strncmp(key, "x-", 2) || !strncmp(key, "X-", 2) || !strcmp(key, "comment");
}

/* Options of mount(8) that have no value. Returns false for any other. */
static bool apply_generic(struct mount_options *options, const char *key)
{
	if (!strcmp(key, "ro") || !strcmp(key, "rw")) {
		options->read_only = !strcmp(key, "ro");
		options->read_write = !options->read_only;
		return true;
	}
	if (!strcmp(key, "remount"))
		return options->remount = true;
	if (!strcmp(key, "bind") || !strcmp(key, "rbind"))
		return options->bind = true;
	for (size_t i = 0; i < COUNT(attributes); i++) {
		if (strcmp(key, attributes[i].name))
			continue;
		options->attr_set &= ~(attributes[i].clear | attributes[i].set);
		options->attr_set |= attributes[i].set;
		options->attr_clear |= attributes[i].clear | attributes[i].set;
		return true;
	}
	for (size_t i = 0; i < COUNT(propagations); i++) {
		if (strcmp(key, propagations[i].name))
			continue;
		options->propagation = propagations[i].type;
		options->propagation_recursive = propagations[i].recursive;
		return true;
	}
	for (size_t i = 0; i < COUNT(ignored); i++) {
		if (!strcmp(key, ignored[i]))
			return true;
	}
	return false;
}

int options_add(struct mount_options *options, const char *key, const char *value,
		struct fault *fault)
{
	struct parameter *grown = reallocarray(options->parameters,
					       options->parameter_count + 1, sizeof(*grown));
	struct parameter *added;

	if (!grown)
		return fault_no_memory(fault);
	options->parameters = grown;
	added = &grown[options->parameter_count++];
	*added = (struct parameter){ .key = strdup(key), .value = value ? strdup(value) : NULL };
	return !added->key || (value && !added->value) ? fault_no_memory(fault) : 0;
}

/* Take the backslashes out of text[0..length), and end it. */
static void unescape(char *text, size_t length)
{
	char *to = text;

	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\\' && i + 1 < length)
			i++;
		*to++ = text[i];
	}
	*to = '\0';
}

/* How far it is to the next @separator that no backslash or quote protects. */
static size_t span(const char *text, char separator, bool quotes)
{
	bool quoted = false;
	size_t i;

	for (i = 0; text[i]; i++) {
		if (text[i] == '\\' && text[i + 1])
			i++;
		else if (text[i] == '"' && quotes)
			quoted = !quoted;
		else if (text[i] == separator && !quoted)
			break;
	}
	return i;
}

/* "A:B:C", top first, each with escapes, becomes one parameter per layer. */
static int add_layers(struct mount_options *options, char *list, struct fault *fault)
{
	for (;;) {
		size_t length = span(list, ':', false);
		bool last = !list[length];

		if (!length)
			return fault_set(fault, EXIT_USAGE,
					 "option \"lowerdir\": a layer's name is empty; write \"\\:\" for a colon in a name");
		unescape(list, length);
		if (options_add(options, "lowerdir+", list, fault) < 0)
			return -1;
		if (last)
			return 0;
		list += length + 1;
	}
}

static int parse_one(struct mount_options *options, char *text, struct fault *fault)
{
	char *value = strchr(text, '=');
	size_t length;

	if (!value)
		return apply_generic(options, text) ? 0 :
			options_add(options, text, NULL, fault);
	*value++ = '\0';
	if (is_comment(text))
		return 0;
	if (!strcmp(text, "lowerdir"))
		return add_layers(options, value, fault);
	length = strlen(value);
	/* Quotes around a value protected its commas, and have done their work. */
	if (length >= 2 && value[0] == '"' && value[length - 1] == '"') {
		value++;
		length -= 2;
	}
	unescape(value, length);
	return options_add(options, text, value, fault);
}

int options_parse(struct mount_options *options, const char *text, struct fault *fault)
{
	AUTO_FREE char *copy = strdup(text);
	char *option = copy;

	if (!copy)
		return fault_no_memory(fault);
	for (;;) {
		size_t length = span(option, ',', true);
		bool last = !option[length];

		option[length] = '\0';
		/* Empty items occur in what programs put together. */
		if (length && !is_comment(option) && parse_one(options, option, fault) < 0)
			return -1;
		if (last)
			return 0;
		option += length + 1;
	}
}

bool options_names_layers(const struct parameter *parameter)
{
	return !strcmp(parameter->key, "lowerdir+") || !strcmp(parameter->key, "upperdir") ||
	       !strcmp(parameter->key, "workdir");
}

void options_free(struct mount_options *options)
{
	for (size_t i = 0; i < options->parameter_count; i++) {
		free(options->parameters[i].key);
		free(options->parameters[i].value);
	}
	free(options->parameters);
}
