/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starting a command in a container's tree. */
#ifndef VENEER_RUNTIME_H
#define VENEER_RUNTIME_H

#include "base/jsonfile.h"

struct runtime_command {
	const char *root;		/* where the container is mounted */
	const char *hostname;
	const json_t *config;		/* the image's: Env, Cmd, WorkingDir, User */
	char **argv;			/* instead of the image's Cmd, unless empty */
};

/* Runs to its end. *status is as a shell would say it. */
int runtime_run(const char *runtime, const char *id, const struct runtime_command *command,
		int *status, struct fault *fault);

#endif
