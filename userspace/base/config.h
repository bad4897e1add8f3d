/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an administrator decides: /etc/veneer/veneer.conf, overridden by the
 * environment, overridden by options. veneer.conf(5) documents every key.
 */
#ifndef VENEER_CONFIG_H
#define VENEER_CONFIG_H

#include <stdint.h>

#include "base/fault.h"

#define CONFIG_FILE "/etc/veneer/veneer.conf"

struct config {
	char *root;		/* where the store is */
	char *plugin_path;	/* directories of volume plug-ins, with ":" between */
	char *runtime;		/* what "run" starts commands with */
	char *mount_options;	/* for every container, as for mount(8) */
	uint64_t layer_bytes;	/* the most that one layer's files may add up to */
	uint64_t layer_entries;
	uint64_t layer_devices;
	uint64_t layer_delta;	/* what a split file of a layer saves at least; 0: none */
	uint64_t project_first;	/* the first id for project quotas */
};

/* The configuration, read once. NULL with @fault set. */
const struct config *config_get(struct fault *fault);

/* An option of the command line: as in the file, with the last word. */
int config_override(const char *key, const char *value, struct fault *fault);

/* "4096", "10M", "2G": a number of bytes. */
int config_size(const char *text, uint64_t *size);

#endif
