// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <endian.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "markval.h"

#define MAP_HEADER 40
#define MAP_CRC 12
#define SPLIT_CRC 12
#define LINKS_CRC 8
#define LONG_ENOUGH (MARKVAL_SIZE - 100)

static unsigned int under(struct markval *v, unsigned int n)
{
	return rng_under(v->r, n);
}

#define PICK(v, list) ((list)[under(v, sizeof(list) / sizeof(*(list)))])

const char *markval_name(enum markval_mark mark, bool trusted)
{
#define NAMES(name) { "user." name, "trusted." name }
	static const char *const names[MARKVAL_MARKS][2] = {
		[MARKVAL_OPAQUE] = NAMES("overlay.opaque"),
		[MARKVAL_REDIRECT] = NAMES("overlay.redirect"),
		[MARKVAL_WHITEOUT] = NAMES("overlay.whiteout"),
		[MARKVAL_METACOPY] = NAMES("overlay.metacopy"),
		[MARKVAL_PROTATTR] = NAMES("overlay.protattr"),
		[MARKVAL_ORIGIN] = NAMES("veneer.origin"),
		[MARKVAL_SPLIT] = NAMES("veneer.split"),
		[MARKVAL_IMPURE] = NAMES("veneer.impure"),
		[MARKVAL_CDEV0] = NAMES("veneer.cdev0"),
		[MARKVAL_LINKS] = NAMES("veneer.links"),
	};
#undef NAMES
	return names[mark][trusted];
}

static uint32_t crc32(const unsigned char *p, size_t n)
{
	uint32_t crc = ~0u;

	while (n--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
	}
	return crc;
}

static void sign(unsigned char *p, size_t n, int at)
{
	uint32_t crc;

	if (n < (size_t)at + 4)
		return;
	memset(p + at, 0, 4);
	crc = htole32(crc32(p, n));
	memcpy(p + at, &crc, 4);
}

static void put32(unsigned char *p, uint32_t n)
{
	n = htole32(n);
	memcpy(p, &n, 4);
}

static void put64(unsigned char *p, uint64_t n)
{
	n = htole64(n);
	memcpy(p, &n, 8);
}

void markval_uuid_text(const unsigned char *record, char text[37])
{
	const unsigned char *u = record + 24;

	snprintf(text, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12],
		 u[13], u[14], u[15]);
}

static void put_uuid(unsigned char *to, const char *text)
{
	for (int i = 0; i < 16; i++) {
		unsigned int byte = 0;

		if (*text == '-')
			text++;
		sscanf(text, "%2x", &byte);
		to[i] = byte;
		text += 2;
	}
}

/* The rest after the tree's own name: a path in the stack. */
static const char *in_stack(struct markval *v)
{
	const char *path = v->nr_paths ? v->paths[under(v, v->nr_paths)] : "/layer0/a0";
	const char *rest = strchr(path + 1, '/');

	return rest ?: "/";
}

static size_t repeat(char *to, const char *what, size_t size)
{
	size_t n = strlen(what), at = 0;

	while (at + n < size) {
		memcpy(to + at, what, n);
		at += n;
	}
	return at;
}

/* A path as a record or a redirect has it; without a zero byte at its end. */
static size_t some_path(struct markval *v, char *to, size_t room)
{
	static const char *const odd[] = {
		"/", "", "//", "/.", "/..", "/../..", "..", ".", "a0", "b0", "a0/c0", "/a0//c0",
		"/a0/./c0", "/a0/../b0", "/a0/c0/", "/.veneer", "/.veneer/map", ".veneer",
		"/.veneer/links", "/a1/under/a/file", "/nothing/there", "/a0/c0/d0", "\n\n",
		"/\377\376", "/a\nb", "/#1", "/work",
	};
	static const size_t sizes[] = { 255, 256, 4094, 4095, 4096, 8192, 40000, LONG_ENOUGH };
	size_t n = PICK(v, sizes);

	switch (under(v, 12)) {
	case 0: case 1:
		strcpy(to, PICK(v, odd));
		return strlen(to);
	case 2:
		/* Components, or one name, that are too long. */
		n = n < room ? n : room;
		*to = '/';
		return 1 + repeat(to + 1, under(v, 2) ? "a0/" : "n", n - 1);
	case 3:
		return sprintf(to, "%s/%s", in_stack(v), PICK(v, odd));
	case 4:
		return sprintf(to, "/.veneer/map/%s", v->uuid);
	case 5:
		/* A zero byte in the middle. */
		n = sprintf(to, "%s", in_stack(v));
		memcpy(to + n, "\0x", 2);
		return n + 2;
	case 6:
		/* One name, as a redirect may be. */
		return sprintf(to, "%s", strrchr(in_stack(v), '/') + 1);
	}
	return sprintf(to, "%s", in_stack(v));
}

static const long long some_size[] = {
	0, 1, 4095, 4096, 4097, 8192, 65536, 100000, 200000, 1 << 20, 1LL << 31, 1LL << 32,
	1LL << 40, 1LL << 44, 1LL << 62, 0x7fffffffffffffffLL, 0x7fffffffffff0000LL,
	0x7ffffffffffff000LL, -1,
	-4096, 1LL << 63,
};

static size_t make_split(struct markval *v, unsigned char *p)
{
	static const unsigned char shift[] = {
		12, 12, 12, 12, 13, 16, 20, 21, 0, 1, 11, 22, 31, 32, 63, 64, 255,
	};
	uint32_t flags = under(v, 3) ? 1 + 2 * under(v, 2) : under(v, 9);
	size_t n;

	memset(p, 0, MARKVAL_SPLIT_SIZE);
	put32(p, 0x53524e56);
	p[4] = 1;
	v->shift = flags & 1 || under(v, 3) == 0 ? PICK(v, shift) : 0;
	p[5] = v->shift;
	put32(p + 8, flags);
	v->below_size = PICK(v, some_size);
	if (under(v, 2))
		v->below_size = under(v, 300000);
	put64(p + 16, v->below_size);
	if (flags & 1 || under(v, 4) == 0)
		put_uuid(p + 24, v->uuid);
	n = some_path(v, (char *)p + MARKVAL_SPLIT_SIZE, LONG_ENOUGH);
	put32(p + 40, n);
	n += MARKVAL_SPLIT_SIZE;
	sign(p, n, SPLIT_CRC);
	return n;
}

static uint32_t some_count(struct markval *v)
{
	static const uint32_t count[] = { 0, 1, 2, 3, 0x7fffffff, 0x80000000, 0xffffffff };

	return under(v, 2) ? under(v, 4) : PICK(v, count);
}

static size_t make_links(struct markval *v, unsigned char *p)
{
	size_t n;

	memset(p, 0, MARKVAL_LINKS_SIZE);
	put32(p, 0x4c524e56);
	p[4] = 1;
	put32(p + 12, some_count(v));
	put32(p + 16, some_count(v));
	put32(p + 20, some_count(v));
	put64(p + 24, under(v, 10) ? v->id : ~0ULL - under(v, 2));
	n = some_path(v, (char *)p + MARKVAL_LINKS_SIZE, LONG_ENOUGH);
	put32(p + 32, n);
	n += MARKVAL_LINKS_SIZE;
	sign(p, n, LINKS_CRC);
	return n;
}

static size_t make_origin(struct markval *v, unsigned char *p)
{
	static const uint64_t ino[] = { 0, 1, 2, ~0ULL, 1ULL << 63, 1ULL << 32, 0xffffffff };

	memset(p, 0, 16);
	p[0] = under(v, 8) ? 1 : under(v, 256);
	put64(p + 8, under(v, 2) ? PICK(v, ino) : under(v, 300));
	return under(v, 8) ? 16 : under(v, 40);
}

static size_t random_bytes(struct markval *v, unsigned char *p)
{
	static const size_t size[] = {
		0, 1, 2, 7, 8, 9, 15, 16, 17, 39, 40, 47, 48, 49, 255, 4096, LONG_ENOUGH,
	};
	size_t n = PICK(v, size);

	for (size_t i = 0; i < n; i++)
		p[i] = under(v, 256);
	return n;
}

size_t markval_make(struct markval *v, enum markval_mark mark, unsigned char *value)
{
	char *text = (char *)value;

	if (under(v, 24) == 0)
		return random_bytes(v, value);
	switch (mark) {
	case MARKVAL_OPAQUE:
		return sprintf(text, "%s", PICK(v, ((const char *[]) { "y", "x", "yy", "n", "" })));
	case MARKVAL_REDIRECT:
		return some_path(v, text, LONG_ENOUGH);
	case MARKVAL_METACOPY:
		/* Empty, or overlayfs's header with a digest or without. */
		memcpy(value, "\0\4\0\0", 4);
		return PICK(v, ((size_t []) { 0, 0, 0, 4, 36, 68, 3, 1000 }));
	case MARKVAL_PROTATTR:
		return sprintf(text, "%s", PICK(v, ((const char *[]) { "i", "a", "ai", "ia", "z", "",
				"iiiiiiii", "aaaaaaaaaaaaaaaa" })));
	case MARKVAL_ORIGIN:
		return make_origin(v, value);
	case MARKVAL_SPLIT:
		return make_split(v, value);
	case MARKVAL_LINKS:
		return make_links(v, value);
	case MARKVAL_WHITEOUT:
	case MARKVAL_IMPURE:
	case MARKVAL_CDEV0:
	case MARKVAL_MARKS:
		break;
	}
	return sprintf(text, "%s", under(v, 2) ? "y" : "");
}

/* A few bytes of it, or its length; and the checksum is right again, mostly. */
size_t markval_damage(struct markval *v, enum markval_mark mark, unsigned char *value,
		      size_t n)
{
	switch (under(v, 4)) {
	case 0:
		n = under(v, n + 1);
		break;
	case 1:
		for (int more = under(v, 40); more > 0 && n < LONG_ENOUGH; more--)
			value[n++] = under(v, 3) ? 0 : 'x';
		break;
	default:
		for (int i = 1 + under(v, 3); i > 0 && n; i--)
			value[under(v, n < 80 ? n : 80)] = under(v, 2) ? under(v, 256) :
				PICK(v, ((unsigned char []) { 0, 1, 255, 128, '/', '.' }));
		break;
	}
	if (under(v, 6) && (mark == MARKVAL_SPLIT || mark == MARKVAL_LINKS))
		sign(value, n, mark == MARKVAL_SPLIT ? SPLIT_CRC : LINKS_CRC);
	return n;
}

/* The header, and a file that is as long as the header says, or not. */
static void write_map(struct markval *v, int fd, unsigned char *header, bool fitting)
{
	const int shift = header[5] < 40 ? header[5] : 12;
	uint64_t nr;
	off_t size;

	memcpy(&nr, header + 16, 8);
	nr = le64toh(nr);
	sign(header, MAP_HEADER, MAP_CRC);
	size = (1LL << shift) + (nr + 63) / 64 * 8;
	if (fitting && size >= 0 && ftruncate(fd, size))
		return;
	if (pwrite(fd, header, MAP_HEADER, 0) != MAP_HEADER)
		return;
	/* Bits: a few bytes at either end, or somewhere. */
	for (int i = under(v, 4); i > 0; i--) {
		unsigned char bits[8];
		off_t at = 1LL << shift;

		memset(bits, under(v, 2) ? 0xff : under(v, 256), sizeof(bits));
		if (under(v, 2) && size > at)
			at = size - 8;
		else
			at += under(v, 64) * 8;
		if (at + 8 <= size && pwrite(fd, bits, sizeof(bits), at) != sizeof(bits))
			return;
	}
}

void markval_make_map(struct markval *v, const char *path)
{
	unsigned char header[MAP_HEADER] = { };
	int shift = v->shift < 40 ? v->shift : 12;
	uint64_t nr = ((uint64_t)v->below_size + (1ULL << shift) - 1) >> shift;
	struct stat st;
	int fd;

	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return;
	}
	if (under(v, 6) == 0)
		nr += under(v, 200);
	if (under(v, 12) == 0)
		nr = PICK(v, some_size);
	put32(header, 0x4d524e56);
	header[4] = 1;
	header[5] = v->shift;
	put64(header + 16, nr);
	put_uuid(header + 24, v->uuid);
	write_map(v, fd, header, under(v, 8));
	close(fd);
}

void markval_damage_map(struct markval *v, const char *path)
{
	int fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	unsigned char header[MAP_HEADER];
	struct stat st;
	off_t size;

	if (fd < 0)
		return;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) ||
	    pread(fd, header, sizeof(header), 0) != sizeof(header)) {
		close(fd);
		return;
	}
	switch (under(v, 4)) {
	case 0:
		put64(header + 16, under(v, 2) ? PICK(v, some_size) : under(v, 1 << 20));
		break;
	case 1:
		header[under(v, MAP_HEADER)] ^= 1 << under(v, 8);
		break;
	case 2:
		size = under(v, 2) ? PICK(v, some_size) :
			under(v, st.st_size < 1 << 28 ? 2 * st.st_size + 1 : 99999);
		if (ftruncate(fd, size))
			size = -1;
		break;
	}
	write_map(v, fd, header, under(v, 2));
	close(fd);
}
