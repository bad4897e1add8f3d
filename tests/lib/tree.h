/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a directory tree looks like, as a sorted list that can be compared with
 * another one.
 */
#ifndef VENEER_TESTS_TREE_H
#define VENEER_TESTS_TREE_H

#include <stddef.h>
#include <sys/types.h>

enum {
	TREE_MTIME	= 1 << 0,	/* mtime of everything but directories */
	TREE_DIRTIME	= 1 << 1,	/* mtime of directories */
	TREE_SEAL	= 1 << 2,	/* also inode number, atime, ctime */
	TREE_SEALING	= 1 << 3,	/* undo the atime that reading a link sets */
	TREE_CHECK	= 1 << 4,	/* report what no tree may show: d_type or
					 * d_ino that is not stat's, a name
					 * twice, another st_dev */
	TREE_NLINK	= 1 << 5,	/* nlink of non-directories */
	TREE_NOXATTR	= 1 << 6,
	TREE_NODINO	= 1 << 7,	/* TREE_CHECK without d_ino */
	TREE_SETTIMES	= 1 << 8,	/* mtime of everything, and atime of what is
					 * no directory, if set to a time long ago */
};

/* Nothing that a test does happens before this time, and nothing sets a later one. */
#define TREE_LONG_AGO 1500000000

struct tree_entry {
	char *path;
	char *desc;
	ino_t ino;
};

struct tree {
	struct tree_entry *entry;
	size_t count;
	size_t room;
	size_t problems;	/* found by TREE_CHECK, each has been printed */
};

/* 0, or -1 with a line printed that says what could not be read. */
int tree_scan(struct tree *t, const char *root, unsigned int flags);
void tree_free(struct tree *t);
/* The number of differences; the first 20 are printed. */
size_t tree_diff(const struct tree *a, const char *name_a,
		 const struct tree *b, const char *name_b);
/* Scan both, compare, free: 0 when alike. */
int tree_compare(const char *a, unsigned int flags_a, const char *b,
		 unsigned int flags_b);
/*
 * Of two trees that do not differ: names of one object in one of them are names of
 * one object in the other. The number of those that are not, each printed.
 */
size_t tree_diff_links(struct tree *a, const char *name_a, struct tree *b,
		       const char *name_b);
/* Of two views of one tree: every object has the same number in both. */
size_t tree_diff_numbers(const struct tree *a, const struct tree *b);
/* The xattrs of an object, sorted, with their values; NULL with a line printed. */
char *tree_xattrs(const char *path);

#endif
