// SPDX-License-Identifier: GPL-2.0-or-later
/* JSON in files; see jsonfile.h. */
#include "base/jsonfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/files.h"

char *jsonfile_slurp(int fd, size_t *length, struct fault *fault)
{
	AUTO_FREE char *bytes = NULL;
	size_t room = 0;

	*length = 0;
	for (;;) {
		ssize_t got;

		if (room - *length < 2) {
			char *grown;

			room = room ? 2 * room : 8192;
			grown = realloc(bytes, room);
			if (!grown) {
				fault_no_memory(fault);
				return NULL;
			}
			bytes = grown;
		}
		got = read(fd, bytes + *length, room - *length - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			fault_errno(fault, EXIT_SYSTEM, errno, "cannot read it");
			return NULL;
		}
		if (!got)
			break;
		*length += got;
		if (*length > JSONFILE_MAX) {
			fault_set(fault, EXIT_ARCHIVE, "it is larger than %d MiB",
				  JSONFILE_MAX >> 20);
			return NULL;
		}
	}
	bytes[*length] = '\0';
	return take_string(&bytes);
}

json_t *jsonfile_parse(const char *bytes, size_t length, struct fault *fault)
{
	json_error_t error;
	json_t *json = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, &error);

	if (!json)
		fault_set(fault, EXIT_ARCHIVE, "it is not JSON: line %d: %s", error.line,
			  error.text);
	return json;
}

json_t *jsonfile_read_fd(int fd, struct fault *fault)
{
	size_t length;
	AUTO_FREE char *bytes = jsonfile_slurp(fd, &length, fault);

	return bytes ? jsonfile_parse(bytes, length, fault) : NULL;
}

json_t *jsonfile_read(int directory, const char *name, struct fault *fault)
{
	AUTO_FD fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	json_t *json;

	if (fd < 0) {
		fault_errno(fault, EXIT_SYSTEM, errno, "cannot open \"%s\"", name);
		return NULL;
	}
	json = jsonfile_read_fd(fd, fault);
	if (!json)
		fault_wrap(fault, "\"%s\"", name);
	return json;
}

int jsonfile_write_bytes(int directory, const char *name, const char *bytes,
			 size_t length, struct fault *fault)
{
	AUTO_FREE char *next = NULL;
	AUTO_FD fd = -1;

	/* One writer at a time, who may find what a killed one left. */
	if (asprintf(&next, "%s.new", name) < 0) {
		next = NULL;
		return fault_no_memory(fault);
	}
	fd = openat(directory, next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0 || write_all(fd, bytes, length) < 0 || fsync(fd) < 0 ||
	    renameat(directory, next, directory, name) < 0) {
		fault_errno(fault, EXIT_SYSTEM, errno, "cannot write \"%s\"", name);
		if (fd >= 0)
			unlinkat(directory, next, 0);
		return -1;
	}
	return 0;
}

int jsonfile_write(int directory, const char *name, const json_t *json,
		   struct fault *fault)
{
	AUTO_FREE char *text = json_dumps(json, JSON_INDENT(2) | JSON_PRESERVE_ORDER);

	if (!text)
		return fault_no_memory(fault);
	return jsonfile_write_bytes(directory, name, text, strlen(text), fault);
}

const char *json_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

json_int_t json_number(const json_t *object, const char *key)
{
	json_int_t number = json_integer_value(json_object_get(object, key));

	return number > 0 ? number : 0;
}

int json_print(const json_t *json, struct fault *fault)
{
	AUTO_FREE char *text = json_dumps(json, JSON_INDENT(2) | JSON_PRESERVE_ORDER |
					  JSON_ENCODE_ANY);

	if (!text)
		return fault_no_memory(fault);
	puts(text);
	return 0;
}

int json_set(json_t *object, const char *key, json_t *value, struct fault *fault)
{
	return value && !json_object_set_new(object, key, value) ? 0 : fault_no_memory(fault);
}
