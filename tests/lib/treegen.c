// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "layers.h"
#include "treegen.h"
#include "world.h"

/* How often each kind comes. */
static const unsigned char weight[T_KINDS] = {
	[T_OPEN] = 120, [T_CLOSE] = 10, [T_MKDIR] = 52, [T_MKNOD] = 20, [T_SYMLINK] = 18,
	[T_LINK] = 52, [T_UNLINK] = 52, [T_RMDIR] = 32, [T_RENAME] = 120, [T_TMPFILE] = 14,
	[T_CHDIR] = 14, [T_CHMOD] = 28, [T_CHOWN] = 28, [T_TRUNCATE] = 24, [T_UTIMENS] = 24,
	[T_SETXATTR] = 32, [T_GETXATTR] = 12, [T_REMOVEXATTR] = 14, [T_LISTXATTR] = 10,
	[T_ACL] = 24, [T_READLINK] = 6, [T_LIST] = 28, [T_STATX] = 24, [T_ACCESS] = 12,
	[T_HANDLE] = 14, [T_BYHANDLE] = 14, [T_READ] = 32, [T_WRITE] = 40, [T_WRITE_ON] = 20,
	[T_FTRUNCATE] = 18, [T_FALLOCATE] = 20, [T_COPY] = 16, [T_SEEK] = 10, [T_SYNC] = 6,
	[T_WRITE_PATH] = 28, [T_CHECK] = 1, [T_DROP] = 2, [T_REMOUNT] = 3, [T_DEEPEN] = 2,
};

/* A path that is there, more often than not; or one that is not. */
static void pick(struct rng *r, const char *plain, int owner, bool want, char *path)
{
	struct stat st;

	for (int tries = 0; tries < 5; tries++) {
		random_path(r, owner, path);
		if (!lstat(join(plain, path), &st) == want)
			break;
	}
}

/* Where it leads is another object of the same owner, in the same or another place. */
static void link_target(struct rng *r, int owner, char *to)
{
	char name[3];

	random_name(r, owner, name);
	if (rng_under(r, 2)) {
		strcpy(to, name);
		return;
	}
	strcpy(to, "../");
	random_name(r, owner, to + 3);
	if (rng_under(r, 2))
		strcat(strcat(to, "/"), name);
}

static long long place_in_file(struct rng *r)
{
	long long off = rng_under(r, rng_under(r, 3) ? 30000 : 160000);

	switch (rng_under(r, 4)) {
	case 0:
		return off - off % 4096;
	case 1:
		off += 3 - off % 4096 - (int)rng_under(r, 7);
		return off < 0 ? 0 : off;
	case 2:
		return off % 300;
	}
	return off;
}

unsigned int treegen_actor(struct rng *r)
{
	static const unsigned char who[ACTORS] = { 4, 3, 2, 2, 2 };

	return rng_weighted(r, who, ACTORS);
}

void treegen(struct treeop *op, struct rng *r, unsigned int actor, const char *plain,
	     bool apart)
{
	int owner[2];
	bool there;

	*op = (struct treeop) { .kind = rng_weighted(r, weight, T_KINDS), .actor = actor };
	for (int i = 0; i < 2; i++)
		owner[i] = apart ? (int)op->actor : (int)rng_under(r, rng_under(r, 8) ? 2 : 5);
	op->slot = rng_under(r, TREEOP_SLOTS);
	op->x = rng_under(r, T_LOOK << 1);
	op->y = rng_under(r, 1u << 30);
	op->off = place_in_file(r);
	op->len = rng_under(r, 4) ? rng_under(r, 300) : rng_under(r, 20000);
	if (rng_under(r, 5) == 0)
		op->len -= op->len % 4096;
	if (rng_under(r, 5) == 0)
		op->x |= T_BY_SLOT;
	if (rng_under(r, 2))
		op->x |= T_FOLLOW;
	/* Modes that leave the others something to do. */
	if (rng_under(r, 3))
		op->y |= 0755;
	if (rng_under(r, 3))
		op->y &= ~07000;

	there = op->kind != T_MKDIR && op->kind != T_MKNOD && op->kind != T_SYMLINK;
	pick(r, plain, owner[0], rng_under(r, 8) ? there : !there, op->a);
	if (op->kind == T_SYMLINK)
		link_target(r, owner[0], op->b);
	else if (op->kind == T_LINK || op->kind == T_RENAME)
		pick(r, plain, owner[1], op->kind == T_RENAME && rng_under(r, 2), op->b);
	if (op->kind == T_TMPFILE && rng_under(r, 2))
		*strrchr(op->a, '/') = 0;
	/* From the working directory, a name or two. */
	if (rng_under(r, 10) == 0) {
		op->x |= T_RELATIVE;
		random_name(r, owner[0], op->a);
		if (*op->b && op->kind != T_SYMLINK)
			random_name(r, owner[1], op->b);
	}
	/*
	 * One that fails has moved the times of ext4's directory, of which others may
	 * have a name in their hands. Last, since which flags it has hangs on all of op->x.
	 */
	while (apart && op->kind == T_RENAME && treeop_rename_flags(op) & RENAME_WHITEOUT)
		op->x++;
	/* An operation on what is open has no path. */
	if (op->x & T_BY_SLOT && op->kind >= T_CHMOD && op->kind <= T_STATX &&
	    op->kind != T_TRUNCATE && op->kind != T_READLINK)
		*op->a = 0;
	if (op->kind >= T_READ && op->kind != T_WRITE_PATH)
		*op->a = 0;
}
