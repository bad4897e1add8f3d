/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs of the command; each gets its own argc and argv, argv[0] the verb. */
#ifndef VENEER_VERB_H
#define VENEER_VERB_H

#include <getopt.h>

#include "base/fault.h"

struct verb {
	const char *name;	/* "mount", or "layer import" */
	const char *usage;	/* what follows the name in a call */
	const char *summary;	/* one line */
	const char *help;	/* the rest, for "--help" */
	/* Returns an exit code, or -1 with @fault set. */
	int (*run)(int argc, char **argv, struct fault *fault);
};

/*
 * Each in the file of its name; veneer.c has the table of them, in the order in which
 * --help lists them.
 */
extern const struct verb verb_image_import, verb_image_ls, verb_image_inspect,
	verb_image_history, verb_image_tag, verb_image_rm, verb_image_export;
extern const struct verb verb_create, verb_ls, verb_inspect, verb_rename, verb_rm, verb_run,
	verb_diff, verb_commit, verb_export;
extern const struct verb verb_volume_create, verb_volume_ls, verb_volume_inspect,
	verb_volume_rm, verb_volume_prune, verb_volume_backup, verb_volume_restore,
	verb_volume_clone;
extern const struct verb verb_layer_import;
extern const struct verb verb_mount;
extern const struct verb verb_umount;
extern const struct verb verb_volume_attach;
extern const struct verb verb_df, verb_stat, verb_map, verb_check, verb_prune;

/* Runs it; what is said about its arguments from now on names it. */
int verb_call(const struct verb *verb, int argc, char **argv, struct fault *fault);

/* As getopt_long(), but complaints go to @fault and the return value is '?'. */
int verb_option(int argc, char **argv, const char *letters,
		const struct option *options, struct fault *fault);

/*
 * For verbs whose options are among a few: "--json", "--quiet", "--force" and
 * others without a value. @known has a name for each bit of the result, NULL at
 * the end. -1 with @fault set.
 */
int verb_switches(int argc, char **argv, const char *const *known, struct fault *fault);

/* Wrong number of words after the options, or the like. Returns -1. */
int verb_misused(const struct verb *verb, struct fault *fault);

/* In mount_helper.c: the program as mount(8) calls it: mount.veneer SOURCE TARGET [-fnsv] [-o OPTIONS]. */
int mount_helper(int argc, char **argv, struct fault *fault);

#endif
