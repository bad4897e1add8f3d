/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Users as whom a process of a test can act. */
#ifndef VENEER_TESTS_ACTOR_H
#define VENEER_TESTS_ACTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "random.h"

#define ACTORS 5

struct actor {
	const char *name;
	uid_t uid;
	gid_t gid;
	gid_t groups[2];
	int ngroups;
	uint64_t caps;	/* effective */
	mode_t umask;
};

/*
 * Root; an owner; another user; one of the owner's group; one with a few of root's
 * capabilities, which are random, as are the umasks.
 */
void choose_actors(struct rng *r, struct actor actor[ACTORS]);
/* From now on the process is that one; 0, or -1 with a line printed. */
int become(const struct actor *actor);
/* For what the test itself has to see: all capabilities, or the actor's own. */
void privileged(const struct actor *actor, bool on);

#endif
