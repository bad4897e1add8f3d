/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values of marks, and block maps: right ones, ones at the edge of what is right, and
 * damaged ones. What they are made of is told by Documentation/on-disk-format.rst.
 */
#ifndef VENEER_TESTS_MARKVAL_H
#define VENEER_TESTS_MARKVAL_H

#include <stdbool.h>
#include <stddef.h>

#include "random.h"

#define MARKVAL_SIZE (1 << 16)
#define MARKVAL_PATH 300
#define MARKVAL_SPLIT_SIZE 48
#define MARKVAL_LINKS_SIZE 40

enum markval_mark {
	MARKVAL_OPAQUE, MARKVAL_REDIRECT, MARKVAL_WHITEOUT, MARKVAL_METACOPY,
	MARKVAL_PROTATTR, MARKVAL_ORIGIN, MARKVAL_SPLIT, MARKVAL_IMPURE, MARKVAL_CDEV0,
	MARKVAL_LINKS, MARKVAL_MARKS
};

struct markval {
	struct rng *r;
	const char (*paths)[MARKVAL_PATH];	/* "/layer0/a/b": what is there */
	int nr_paths;
	const char *uuid;
	unsigned long long id;
	/* Of the last split record that was made. */
	unsigned char shift;
	long long below_size;
};

const char *markval_name(enum markval_mark mark, bool trusted);
/* Both return how many bytes of value count, at most MARKVAL_SIZE. */
size_t markval_make(struct markval *v, enum markval_mark mark, unsigned char *value);
size_t markval_damage(struct markval *v, enum markval_mark mark, unsigned char *value,
		      size_t n);
/* The map that belongs to the last split record, more or less. */
void markval_make_map(struct markval *v, const char *path);
void markval_damage_map(struct markval *v, const char *path);
/* The UUID in a split record, as the name of its map. */
void markval_uuid_text(const unsigned char *record, char text[37]);

#endif
