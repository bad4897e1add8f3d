// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writes tar archives that a well-behaved tar would not write, to stdout.
 *
 *   mktar ITEM...
 *
 *   file NAME CONTENT      dir NAME         symlink NAME TARGET
 *   link NAME TARGET       fifo NAME        char NAME MAJOR,MINOR
 *   type C NAME            an entry of type C
 *   pax KEY VALUE          an extended header for the next entry (repeat for more)
 *   global KEY VALUE       a global extended header
 *   owner UID,GID          of the next entry
 *   mode OCTAL             of the next entry
 *   size NUMBER            the next entry says it has that size
 *   sparse NUMBER          the next file is of that size (old GNU form) and has
 *                          its content at the end
 *   bad-checksum           of the next entry
 *   no-end                 no blocks at the end
 *   raw BYTES              as they are, padded to a block
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 512 };

static struct {
	unsigned uid, gid, mode;
	long long size, sparse;
	int bad_checksum, end;
	char pax[65536];
	size_t pax_length;
} state;

static void reset(void)
{
	state.uid = state.gid = 0;
	state.mode = 0;
	state.size = state.sparse = -1;
	state.bad_checksum = 0;
	state.pax_length = 0;
}

static void put(const void *bytes, size_t length)
{
	static const char zeros[BLOCK];

	if (length)
		fwrite(bytes, 1, length, stdout);
	if (length % BLOCK)
		fwrite(zeros, 1, BLOCK - length % BLOCK, stdout);
}

static void octal(char *field, size_t size, unsigned long long value)
{
	snprintf(field, size, "%0*llo", (int)size - 1, value);
}

static void header(char type, const char *name, const char *target, size_t length,
		   const char *device)
{
	char block[BLOCK] = { 0 };
	unsigned sum = 0, major, minor;
	long long size = state.size >= 0 ? state.size : (long long)length;

	strncpy(block, name, 100);
	octal(block + 100, 8, state.mode ? state.mode : type == '5' ? 0755 : 0644);
	octal(block + 108, 8, state.uid);
	octal(block + 116, 8, state.gid);
	octal(block + 124, 12, size);
	octal(block + 136, 12, 1000000000);
	memset(block + 148, ' ', 8);
	block[156] = type;
	strncpy(block + 157, target, 100);
	memcpy(block + 257, state.sparse >= 0 ? "ustar  " : "ustar\00000", 8);
	if (device && sscanf(device, "%u,%u", &major, &minor) == 2) {
		octal(block + 329, 8, major);
		octal(block + 337, 8, minor);
	}
	if (state.sparse >= 0) {
		octal(block + 386, 12, state.sparse - length);
		octal(block + 398, 12, length);
		octal(block + 483, 12, state.sparse);
	}
	for (int i = 0; i < BLOCK; i++)
		sum += (unsigned char)block[i];
	snprintf(block + 148, 8, "%06o", sum + !!state.bad_checksum);
	put(block, BLOCK);
}

/* "LENGTH KEY=VALUE\n", where LENGTH counts itself. */
static void pax_record(const char *key, const char *value)
{
	size_t rest = strlen(key) + strlen(value) + 3, length = rest + 1;
	char digits[16];

	while (rest + sprintf(digits, "%zu", length) != length)
		length = rest + strlen(digits);
	state.pax_length += snprintf(state.pax + state.pax_length,
				     sizeof(state.pax) - state.pax_length,
				     "%zu %s=%s\n", length, key, value);
}

static void pax_header(char type)
{
	long long size = state.size;
	int bad = state.bad_checksum;

	state.size = -1;
	state.bad_checksum = 0;
	header(type, "pax", "", state.pax_length, NULL);
	put(state.pax, state.pax_length);
	state.size = size;
	state.bad_checksum = bad;
	state.pax_length = 0;
}

static void entry(char type, const char *name, const char *target, const char *content,
		  const char *device)
{
	if (state.pax_length)
		pax_header('x');
	header(type, name, target, strlen(content), device);
	put(content, strlen(content));
	reset();
}

static char **next;

static const char *word(void)
{
	if (!*next) {
		fprintf(stderr, "mktar: a word is missing at the end\n");
		exit(1);
	}
	return *next++;
}

int main(int argc, char **argv)
{
	(void)argc;
	next = argv + 1;
	state.end = 1;
	reset();
	while (*next) {
		const char *item = word(), *name;

		if (!strcmp(item, "file")) {
			name = word();
			entry(state.sparse >= 0 ? 'S' : '0', name, "", word(), NULL);
		} else if (!strcmp(item, "dir")) {
			entry('5', word(), "", "", NULL);
		} else if (!strcmp(item, "symlink")) {
			name = word();
			entry('2', name, word(), "", NULL);
		} else if (!strcmp(item, "link")) {
			name = word();
			entry('1', name, word(), "", NULL);
		} else if (!strcmp(item, "fifo")) {
			entry('6', word(), "", "", NULL);
		} else if (!strcmp(item, "char")) {
			name = word();
			entry('3', name, "", "", word());
		} else if (!strcmp(item, "type")) {
			char type = *word();

			entry(type, word(), "", "", NULL);
		} else if (!strcmp(item, "pax")) {
			name = word();
			pax_record(name, word());
		} else if (!strcmp(item, "global")) {
			name = word();
			pax_record(name, word());
			pax_header('g');
		} else if (!strcmp(item, "owner")) {
			sscanf(word(), "%u,%u", &state.uid, &state.gid);
		} else if (!strcmp(item, "mode")) {
			state.mode = strtoul(word(), NULL, 8);
		} else if (!strcmp(item, "size")) {
			state.size = atoll(word());
		} else if (!strcmp(item, "sparse")) {
			state.sparse = atoll(word());
		} else if (!strcmp(item, "bad-checksum")) {
			state.bad_checksum = 1;
		} else if (!strcmp(item, "no-end")) {
			state.end = 0;
		} else if (!strcmp(item, "raw")) {
			name = word();
			put(name, strlen(name));
		} else {
			fprintf(stderr, "mktar: no item \"%s\"\n", item);
			return 1;
		}
	}
	if (state.end) {
		char zeros[2 * BLOCK] = { 0 };

		put(zeros, sizeof(zeros));
	}
	return 0;
}
