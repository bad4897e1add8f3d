/* SPDX-License-Identifier: GPL-2.0-only */
/* The record that an object with several names below carries in the upper. */
#ifndef VENEER_LINKS_RECORD_H
#define VENEER_LINKS_RECORD_H

#include <linux/fs.h>
#include <linux/path.h>

/* 16 hexadecimal digits and a zero byte. */
#define VENEER_LINKS_NAME_LEN	17

/**
 * struct veneer_links - what an object's record says, without the path
 * @id: names its entry
 * @nlink: the object's own link count for which @left counts
 * @left: how many names it still has below
 * @left_else: the same for every other link count
 */
struct veneer_links {
	u64	id;
	u32	nlink;
	u32	left;
	u32	left_else;
};

/**
 * veneer_links_left - how many names an object has below
 * @links: its record
 * @nlink: its own link count
 */
static inline u32 veneer_links_left(const struct veneer_links *links, u32 nlink)
{
	return nlink == links->nlink ? links->left : links->left_else;
}

/**
 * veneer_links_count - how many names an object has in all
 * @links: its record
 * @nlink: its own link count, its entry included
 */
static inline u32 veneer_links_count(const struct veneer_links *links, u32 nlink)
{
	return nlink ? nlink - 1 + veneer_links_left(links, nlink) : 0;
}

void veneer_links_name(u64 id, char name[VENEER_LINKS_NAME_LEN]);
int veneer_links_get(const struct path *path, bool userxattr,
		     struct veneer_links *links, char **below);
int veneer_links_set(const struct path *path, bool userxattr,
		     const struct veneer_links *links, const char *below);

#endif
