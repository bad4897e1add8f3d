/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Uppers, workdirs and layers as somebody would make them who wants the module to
 * stumble: every kind of object at every name of ours, every mark with every value,
 * right checksums on wrong records, links into everything.
 *
 * All of it happens in "/", which the caller has made by chroot(2), so that no link
 * leads out of it:
 *
 *	/layer0 /layer1 ... /upper /work	what will be mounted
 *	/spare					objects to be put there, and put away
 */
#ifndef VENEER_TESTS_MARKSGEN_H
#define VENEER_TESTS_MARKSGEN_H

#include <stdbool.h>
#include <sys/types.h>

#include "random.h"

#define MARKS_PATHS 600
#define MARKS_PATH 300
#define MARKS_IDS 24

struct marksgen {
	struct rng r;
	bool trusted;		/* the mount reads marks in trusted, not in user */
	bool privileged;	/* runs as root: can make devices, and give away */
	bool spare_layers;	/* leaves them alone */
	bool verbose;
	int layers;
	uid_t uid;		/* whose all of it is */
	dev_t disk;		/* a block device; 0: none */
	const char *outside;	/* absolute path of the canaries, for links */

	/* What there is, found by marksgen_look(). */
	char path[MARKS_PATHS][MARKS_PATH];
	int paths;
	char uuid[MARKS_IDS][37];
	int uuids;
	unsigned long long id[MARKS_IDS];
	int ids;
	unsigned long changes;
};

/* Plain trees, with what a mount would be given. */
void marksgen_begin(struct marksgen *g);
/* Objects of every kind in /spare, by those who may make them. */
void marksgen_spare(struct marksgen *g);
/* Finds what there is. */
void marksgen_look(struct marksgen *g);
/* One change of one of the trees. */
void marksgen_change(struct marksgen *g);

#endif
