/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The server's own process, for server.c. */
#ifndef VENEER_TESTS_SERVEROPS_H
#define VENEER_TESTS_SERVEROPS_H

#include <stdatomic.h>

#include "server.h"

/* What the test and its server share. */
struct server_shared {
	atomic_uint nr;		/* of the entries that count */
	atomic_uint released;	/* how often who waits was let go; a futex */
	struct {
		struct server_rule rule;
		atomic_uint seen, met;
	} entry[SERVER_RULES];
};

bool server_is_built_in(void);
/* Serves the directory root until the filesystem is unmounted; an exit status. */
int server_serve(int fuse, int root, struct server_shared *shared);
void server_let_go(struct server_shared *shared);

#endif
