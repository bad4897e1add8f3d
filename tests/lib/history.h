/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was done to files, and what may therefore be left of them when the power
 * goes: of every byte the last value that was made durable, or one that was
 * written to that place since.
 *
 * An event is noted before the call that it stands for is made; one that says
 * that something is durable, after the call that made it so has returned.
 */
#ifndef VENEER_TESTS_HISTORY_H
#define VENEER_TESTS_HISTORY_H

#include <stdbool.h>

#define HISTORY_NAMES 12
#define HISTORY_IDS 400
#define HISTORY_EVENTS 8192
#define HISTORY_SIZE (256 << 10)	/* no file is larger */

enum event_kind {
	EVENT_WRITE,	/* fill_pattern(salt) at off; grows the file if need be */
	EVENT_ZERO,	/* zeros within the file */
	EVENT_SIZE,	/* off is the new size */
	EVENT_NAME,	/* the name stands for id; -1: for nothing */
	/* From here on: something is durable. */
	EVENT_DURABLE,	/* the file id as it is */
	EVENT_DURABLE_RANGE,	/* the same of a range, which the event before wrote */
	EVENT_DURABLE_ALL,
};

struct event {
	enum event_kind kind;
	int id, name;
	unsigned int salt;
	long long off, len;
	long long from, size;	/* of the file before and after it */
};

struct history {
	unsigned int count;
	struct event event[HISTORY_EVENTS];
	/*
	 * Not 0: the filesystem writes the zeros behind the end of a file that was
	 * cut within a block no sooner than the next size, so that of this block
	 * what was cut off may be there again.
	 */
	unsigned int tail_block;
	int now[HISTORY_NAMES];		/* which file a name stands for, or -1 */
	int ids;
	struct {
		long long first, size;	/* when it began, and now */
		unsigned int salt;	/* of what it held when it began */
	} file[HISTORY_IDS];
};

/* A file that was there before; its id. */
int history_file(struct history *h, int name, long long size, unsigned int salt);
/* A file that is made now. */
int history_create(struct history *h, int name);
void history_name(struct history *h, int name, int id);
void history_write(struct history *h, int id, long long off, long long len, unsigned int salt);
void history_zero(struct history *h, int id, long long off, long long len);
void history_size(struct history *h, int id, long long size);
void history_durable(struct history *h, int id);
void history_durable_range(struct history *h, int id, long long off, long long len);
void history_durable_all(struct history *h);

/*
 * Is what the name stands for in this directory possible after the first n events?
 * If not, why has a line that says so.
 */
bool history_check(const struct history *h, unsigned int n, const char *dir, int name,
		   char *why, unsigned int size);
/* What happened to what the name stands for, as lines that begin with "#". */
void history_print(const struct history *h, unsigned int n, int name);

#endif
