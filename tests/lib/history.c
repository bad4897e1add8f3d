// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "history.h"
#include "world.h"

static struct event *note(struct history *h, enum event_kind kind, int id)
{
	struct event *e = &h->event[h->count];

	if (h->count == HISTORY_EVENTS)
		abort();
	h->count++;
	*e = (struct event) { .kind = kind, .id = id };
	if (id >= 0)
		e->from = e->size = h->file[id].size;
	return e;
}

int history_file(struct history *h, int name, long long size, unsigned int salt)
{
	int id = h->ids++;

	h->file[id].first = h->file[id].size = size;
	h->file[id].salt = salt;
	h->now[name] = id;
	return id;
}

int history_create(struct history *h, int name)
{
	int id = h->ids++;

	if (h->ids > HISTORY_IDS)
		abort();
	history_name(h, name, id);
	return id;
}

void history_name(struct history *h, int name, int id)
{
	note(h, EVENT_NAME, id)->name = name;
	h->now[name] = id;
}

void history_write(struct history *h, int id, long long off, long long len, unsigned int salt)
{
	struct event *e = note(h, EVENT_WRITE, id);

	e->off = off;
	e->len = len;
	e->salt = salt;
	if (off + len > e->size)
		h->file[id].size = e->size = off + len;
}

void history_zero(struct history *h, int id, long long off, long long len)
{
	struct event *e = note(h, EVENT_ZERO, id);

	e->off = off;
	e->len = off + len > e->size ? e->size - off : len;
	if (e->len < 0)
		e->len = 0;
}

void history_size(struct history *h, int id, long long size)
{
	struct event *e = note(h, EVENT_SIZE, id);

	e->off = size;
	h->file[id].size = e->size = size;
}

void history_durable(struct history *h, int id)
{
	note(h, EVENT_DURABLE, id);
}

void history_durable_range(struct history *h, int id, long long off, long long len)
{
	struct event *e = note(h, EVENT_DURABLE_RANGE, id);

	e->off = off;
	e->len = len;
}

void history_durable_all(struct history *h)
{
	note(h, EVENT_DURABLE_ALL, -1);
}

static unsigned char found[HISTORY_SIZE + 1], now[HISTORY_SIZE], new[HISTORY_SIZE];
static bool possible[HISTORY_SIZE];

/* The bytes of a range are what new holds, or (unless it is sure) were not written. */
static void change(long long off, long long len, bool sure)
{
	for (long long i = off; i < off + len; i++) {
		now[i] = new[i];
		possible[i] = (possible[i] && !sure) || found[i] == now[i];
	}
}

static void change_to_zeros(long long off, long long len, bool sure)
{
	if (len <= 0)
		return;
	memset(new + off, 0, len);
	change(off, len, sure);
}

/* That a range is now durable: nothing else is possible any more. */
static void settle(long long off, long long len)
{
	for (long long i = off; i < off + len; i++)
		possible[i] = found[i] == now[i];
}

static bool about(const struct event *e, int id)
{
	return e->id == id || e->kind == EVENT_DURABLE_ALL;
}

/*
 * Up to which event the size has certainly changed, by the size that was found:
 * the earliest that explains it. -2: none does.
 */
static int last_size(const struct history *h, unsigned int n, int id, long long size)
{
	long long at = h->file[id].first;
	int sure = -1, last = -1;

	for (unsigned int i = 0; i < n; i++) {
		const struct event *e = &h->event[i];

		if (!about(e, id))
			continue;
		if (e->kind == EVENT_DURABLE || e->kind == EVENT_DURABLE_ALL)
			sure = last;
		/* The write before it, with the size that it made. */
		if (e->kind == EVENT_DURABLE_RANGE && i && last == (int)i - 1)
			sure = last;
		if (e->size != e->from && e->kind != EVENT_DURABLE_ALL)
			last = i;
	}
	if (sure >= 0)
		at = h->event[sure].size;
	if (at == size)
		return sure;
	for (unsigned int i = sure + 1; i < n; i++) {
		const struct event *e = &h->event[i];

		if (e->id != id || e->kind == EVENT_NAME || e->size == e->from)
			continue;
		/* A write that lets the file grow may do so bit by bit. */
		if (e->size == size ||
		    (e->kind == EVENT_WRITE && e->from < size && size < e->size))
			return i;
	}
	return -2;
}

/* How much behind a size that a file was cut to may be there again. */
static long long kept_tail(const struct history *h, long long size, long long limit)
{
	long long part = h->tail_block ? size % h->tail_block : 0;
	long long kept = part ? h->tail_block - part : 0;

	return kept < limit - size ? kept : limit - size;
}

static bool check_id(const struct history *h, unsigned int n, int id, long long size,
		     char *why, unsigned int room)
{
	int sized = last_size(h, n, id, size);
	long long before = h->file[id].first, limit = before > size ? before : size, kept;

	if (sized == -2) {
		snprintf(why, room, "file %d cannot have %lld bytes", id, size);
		return false;
	}
	for (unsigned int i = 0; i < n; i++)
		if (h->event[i].id == id && h->event[i].size > limit)
			limit = h->event[i].size;
	memset(now, 0, limit);
	fill_pattern(now, before, 0, h->file[id].salt);
	settle(0, limit);
	for (unsigned int i = 0; i < n; i++) {
		const struct event *e = &h->event[i];

		if (!about(e, id))
			continue;
		switch (e->kind) {
		case EVENT_WRITE:
			if (e->off > e->from)
				change_to_zeros(e->from, e->off - e->from, false);
			fill_pattern(new + e->off, e->len, e->off, e->salt);
			change(e->off, e->len, false);
			break;
		case EVENT_ZERO:
			change_to_zeros(e->off, e->len, false);
			break;
		case EVENT_SIZE:
			/* Once it was shorter, what was cut off is gone. */
			kept = kept_tail(h, e->size, limit);
			change_to_zeros(e->size, kept, false);
			change_to_zeros(e->size + kept, limit - e->size - kept,
					e->size < e->from && (int)i <= sized);
			if (e->size > e->from)
				change_to_zeros(e->from, e->size - e->from, false);
			break;
		case EVENT_DURABLE: case EVENT_DURABLE_ALL:
			settle(0, limit);
			break;
		case EVENT_DURABLE_RANGE:
			settle(e->off, e->len);
			break;
		case EVENT_NAME:
			break;
		}
	}
	for (long long i = 0; i < size; i++)
		if (!possible[i]) {
			snprintf(why, room, "file %d of %lld bytes: %02x at %lld was never there, or no longer; last written: %02x",
				 id, size, found[i], i, now[i]);
			return false;
		}
	return true;
}

bool history_check(const struct history *h, unsigned int n, const char *dir, int name,
		   char *why, unsigned int room)
{
	int first[HISTORY_NAMES], fd, err;
	const char *path;
	char text[8];
	ssize_t size = 0;
	int start = 0;

	snprintf(text, sizeof(text), "n%d", name);
	path = join(dir, text);
	fd = open(path, O_RDWR | O_CLOEXEC);
	err = fd < 0 ? errno : 0;
	for (ssize_t got = 1; fd >= 0 && got > 0 && size < (ssize_t)sizeof(found); size += got) {
		got = read(fd, found + size, sizeof(found) - size);
		if (got < 0) {
			err = errno;
			break;
		}
	}
	if (fd >= 0)
		close(fd);
	if ((err && err != ENOENT) || size > HISTORY_SIZE) {
		snprintf(why, room, "cannot be read: %s", strerror(err ?: EFBIG));
		return false;
	}
	/* What the name stood for when everything was last durable, and after that. */
	memset(first, -1, sizeof(first));
	for (int id = 0; id < HISTORY_NAMES && id < h->ids; id++)
		if (h->file[id].salt)	/* the layer's files have their names' numbers */
			first[id] = id;
	snprintf(why, room, "is missing, and never was");
	for (unsigned int i = 0; i < n; i++)
		if (h->event[i].kind == EVENT_DURABLE_ALL)
			start = i;
	for (int i = 0; i < start; i++)
		if (h->event[i].kind == EVENT_NAME)
			first[h->event[i].name] = h->event[i].id;
	for (unsigned int i = start; i <= n; i++) {
		int id = first[name];

		if (i > (unsigned int)start) {
			if (h->event[i - 1].kind != EVENT_NAME || h->event[i - 1].name != name)
				continue;
			id = h->event[i - 1].id;
		}
		if (id < 0 ? err == ENOENT : !err && check_id(h, n, id, size, why, room))
			return true;
	}
	return false;
}

void history_print(const struct history *h, unsigned int n, int name)
{
	static const char *const text[] = {
		"write", "zero", "size", "name", "durable", "durable range", "all durable",
	};
	bool has[HISTORY_IDS] = { };

	/* Every file that the name stood for at some time. */
	if (name < h->ids && h->file[name].salt)
		has[name] = true;
	for (unsigned int i = 0; i < n; i++)
		if (h->event[i].kind == EVENT_NAME && h->event[i].name == name &&
		    h->event[i].id >= 0)
			has[h->event[i].id] = true;
	for (unsigned int i = 0; i < n; i++) {
		const struct event *e = &h->event[i];

		if (e->kind == EVENT_NAME && e->name == name)
			printf("#   %u: the name is file %d\n", i, e->id);
		else if (e->kind == EVENT_DURABLE_ALL || (e->id >= 0 && has[e->id] &&
							  e->kind != EVENT_NAME))
			printf("#   %u: file %d: %s %lld + %lld, size %lld to %lld\n", i, e->id,
			       text[e->kind], e->off, e->len, e->from, e->size);
	}
}
