/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Marks: the facts that an object of a layer or of the upper carries in
 * extended attributes.
 */
#ifndef VENEER_MARKS_H
#define VENEER_MARKS_H

#include <linux/fs.h>
#include <linux/mount.h>

/**
 * enum veneer_mark - the marks there are
 * @VENEER_MARK_OPAQUE: on a directory: "y" hides what is under it, "x" says
 *	that whiteouts in the extended attribute form may be among its names
 * @VENEER_MARK_REDIRECT: on a directory: where the stack holds its lower part
 * @VENEER_MARK_WHITEOUT: on an empty file: it is a whiteout
 * @VENEER_MARK_METACOPY: on a file: its data is elsewhere; what keeps
 *	overlayfs from showing a sparse file as data
 * @VENEER_MARK_PROTATTR: on a file or directory: "i" it is immutable, "a" it
 *	can be added to only
 * @VENEER_MARK_ORIGIN: see struct veneer_origin_disk
 * @VENEER_MARK_SPLIT: see struct veneer_split_disk
 * @VENEER_MARK_IMPURE: on a directory of the upper: some of its names show
 *	other inode numbers or types than the upper's own
 * @VENEER_MARK_CDEV0: on an empty file: the mount shows a character device 0:0
 * @VENEER_MARK_LINKS: see struct veneer_links_disk
 * @VENEER_NR_MARKS: how many there are
 */
enum veneer_mark {
	VENEER_MARK_OPAQUE,
	VENEER_MARK_REDIRECT,
	VENEER_MARK_WHITEOUT,
	VENEER_MARK_METACOPY,
	VENEER_MARK_PROTATTR,
	VENEER_MARK_ORIGIN,
	VENEER_MARK_SPLIT,
	VENEER_MARK_IMPURE,
	VENEER_MARK_CDEV0,
	VENEER_MARK_LINKS,
	VENEER_NR_MARKS,
};

const char *veneer_mark_name(bool userxattr, enum veneer_mark mark);
ssize_t veneer_mark_get(const struct path *path, bool userxattr,
			enum veneer_mark mark, void *buf, size_t size);
void *veneer_mark_get_alloc(const struct path *path, bool userxattr,
			    enum veneer_mark mark, size_t *size);
int veneer_mark_set(const struct path *path, bool userxattr,
		    enum veneer_mark mark, const void *value, size_t size);
int veneer_mark_remove(const struct path *path, bool userxattr,
		       enum veneer_mark mark);
int veneer_mark_change(const struct path *path, bool userxattr,
		       enum veneer_mark mark, const void *value, size_t size);

int veneer_opaque_mark(const struct path *path, bool userxattr);
int veneer_is_metacopy(const struct path *path, bool userxattr);
int veneer_is_whiteout(const struct path *path, bool userxattr);
int veneer_is_cdev0(const struct path *path, bool userxattr);
int veneer_prot_get(const struct path *path, bool userxattr);
int veneer_prot_set(const struct path *path, bool userxattr, unsigned int prot);
char *veneer_redirect_get(const struct path *path, bool userxattr);
int veneer_origin_get(const struct path *path, bool userxattr, u64 *ino);
int veneer_origin_set(const struct path *path, bool userxattr, u64 ino);

#endif
