/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON in files, and what is looked up in it. */
#ifndef VENEER_JSONFILE_H
#define VENEER_JSONFILE_H

#include <jansson.h>

#include "base/fault.h"

static inline void cleanup_json(json_t **json)
{
	json_decref(*json);
}

#define AUTO_JSON CLEANUP(cleanup_json) json_t

/* More than this no document of an image has; a larger one is refused. */
enum { JSONFILE_MAX = 16 << 20 };

/* Read an object from what @fd is open on. NULL with @fault set. */
json_t *jsonfile_read_fd(int fd, struct fault *fault);
json_t *jsonfile_read(int directory, const char *name, struct fault *fault);

/* Parse bytes from outside. */
json_t *jsonfile_parse(const char *bytes, size_t length, struct fault *fault);

/* All of a file, with a zero behind it. NULL with @fault set. */
char *jsonfile_slurp(int fd, size_t *length, struct fault *fault);

/* Replace the file at once, and make its content durable. */
int jsonfile_write(int directory, const char *name, const json_t *json,
		   struct fault *fault);
int jsonfile_write_bytes(int directory, const char *name, const char *bytes,
			 size_t length, struct fault *fault);

/* The member @key if it is text, else "". */
const char *json_text(const json_t *object, const char *key);

/* The member @key if it is a number that is not negative, else 0. */
json_int_t json_number(const json_t *object, const char *key);

/* Print to stdout, with a line's end. */
int json_print(const json_t *json, struct fault *fault);

/* json_object_set_new(), with running out of memory told. */
int json_set(json_t *object, const char *key, json_t *value, struct fault *fault);

#endif
