/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One operation on the data of a file, as numbers: so that it can be made in
 * two places, written down, read back, and left out.
 *
 * A view is one of the places: it holds the descriptors and mappings that the
 * operations open, use and close, by number.
 */
#ifndef VENEER_TESTS_DATAOP_H
#define VENEER_TESTS_DATAOP_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <linux/aio_abi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>

#include "uring.h"

#define DATA_FILES 4	/* named f0, f1, ...; each may have a name f0.a, ... too */
#define DATA_SLOTS 6
#define DATA_MAPS 4
#define DATA_BUF (1 << 17)
#define DATA_PAGE 4096

enum op_kind {
	OP_OPEN, OP_CLOSE, OP_PREAD, OP_READ, OP_PWRITE, OP_WRITE, OP_TRUNCATE,
	OP_FTRUNCATE, OP_FALLOCATE, OP_SEEK, OP_FIEMAP, OP_AIO, OP_URING,
	OP_SPLICE_IN, OP_SPLICE_OUT, OP_SENDFILE, OP_COPY, OP_CLONE, OP_DEDUPE,
	OP_MMAP, OP_MUNMAP, OP_LOAD, OP_STORE, OP_MSYNC, OP_MADVISE, OP_MLOCK,
	OP_MPROTECT, OP_MREMAP, OP_MAP_WRITE, OP_MAP_READ, OP_SYNC, OP_ADVISE,
	OP_META, OP_STAT, OP_RENAME, OP_LINK, OP_UNLINK, OP_EXEC, OP_WHOLE,
	OP_VIEW_KINDS,
	/* These are about the whole world, and not done by do_op(). */
	OP_CROWD = OP_VIEW_KINDS, OP_CHECK, OP_DROP, OP_REMOUNT, OP_READONLY,
	OP_FREEZE, OP_SECOND, OP_DEEPEN,
	OP_KINDS
};

extern const char *const op_name[OP_KINDS];

/* In x: made through the second mount, if there is one. */
#define OP_THROUGH_SECOND	(1u << 29)
/* In x: look whether it moved mtime and ctime. */
#define OP_TIMED		(1u << 30)

struct op {
	int kind;
	unsigned int file, slot, len, x;
	long long off, off2;
};

/* What an operation found out, besides what it returned. */
struct op_out {
	long ret;
	int err;
	bool loose;	/* what it returned need not agree */
	size_t len;
	unsigned char buf[DATA_BUF];
};

struct view {
	const char *root, *second;
	int fd[DATA_SLOTS];
	unsigned int of[DATA_SLOTS];	/* which file a slot is open on */
	struct view_map {
		unsigned char *addr;	/* NULL: none */
		size_t len;
		off_t off;
		int fd, prot;
		unsigned int of;
		bool shared;
		bool stale;	/* what it shows need not be what the file holds */
	} map[DATA_MAPS];
	aio_context_t aio;
	struct uring ring;
	bool has_ring;
	bool plain;	/* not Veneer's */
	int pipe[2];
};

/* 0, or -1 with errno. */
int view_open(struct view *v, const char *root);
/* Closes the descriptors and mappings, all that holds the place busy. */
void view_let_go(struct view *v);
void view_close(struct view *v);

void do_op(struct view *v, const struct op *op, struct op_out *out);
/* "op NAME file slot off len x off2"; parsing fails with false. */
void print_op(FILE *to, const struct op *op);
bool parse_op(const char *line, struct op *op);

/* The path of a file, by its first or second name. */
const char *view_path(const struct view *v, unsigned int file, unsigned int x);
/*
 * Are these bytes zeros where lseek and FIEMAP say that nothing is there? 0, or
 * -1 with a line printed.
 */
int check_seek(int fd, off_t off);
int check_fiemap(int fd, off_t off, size_t len);

/* What dataop.c and datamap.c share. */
extern unsigned char op_data[DATA_BUF];
void op_fill(const struct op *op, size_t len);
void op_put(struct op_out *out, const void *p, ssize_t n);
bool op_direct(int fd);
void op_unmap(struct view_map *m);
long op_mmap(struct view *v, int fd, const struct op *op, struct op_out *out);
long op_map(struct view *v, const struct op *op, struct op_out *out);

#endif
