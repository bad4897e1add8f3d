/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mount options: what "-o" holds, sorted into what concerns the mount (nosuid
 * and the like), its propagation, and what the filesystem itself is told.
 */
#ifndef VENEER_OPTIONS_H
#define VENEER_OPTIONS_H

#include <stdint.h>

#include "base/fault.h"

struct parameter {
	char *key;
	char *value;		/* NULL: a flag */
};

struct mount_options {
	uint64_t attr_set;	/* MOUNT_ATTR_*, for the mount */
	uint64_t attr_clear;
	uint64_t propagation;	/* MS_PRIVATE and the like, or 0 */
	bool propagation_recursive;
	bool read_only;		/* also told to the filesystem */
	bool read_write;	/* asked for, which matters to a remount */
	bool remount;
	bool bind;
	struct parameter *parameters;	/* in the order given; layers one by one */
	size_t parameter_count;
};

/*
 * Options as given to "-o". A backslash takes the meaning from the next
 * character; commas in double quotes do not separate.
 */
int options_parse(struct mount_options *options, const char *text,
		  struct fault *fault);

/* One parameter for the filesystem. */
int options_add(struct mount_options *options, const char *key, const char *value,
		struct fault *fault);

/* Whether a parameter describes the layers, which no remount changes. */
bool options_names_layers(const struct parameter *parameter);

void options_free(struct mount_options *options);	/* for CLEANUP(), too */

#endif
