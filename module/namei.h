/* SPDX-License-Identifier: GPL-2.0-only */
/* The namespace of a mount: names found, made, removed and renamed. */
#ifndef VENEER_NAMEI_H
#define VENEER_NAMEI_H

#include <linux/fs.h>

extern const struct inode_operations veneer_dir_inode_operations;

struct dentry *veneer_find_below(struct inode *dir, const struct dentry *dentry);
bool veneer_is_reserved(const struct inode *dir, const struct dentry *dentry);
struct inode *veneer_linked_inode(struct super_block *sb, struct dentry *entry);
struct inode *veneer_linked_inode_below(struct super_block *sb,
					struct dentry *below);
int veneer_root_inode(struct super_block *sb, struct inode **inode);

int veneer_create(struct mnt_idmap *idmap, struct inode *dir,
		  struct dentry *dentry, umode_t mode, bool excl);
int veneer_mkdir(struct mnt_idmap *idmap, struct inode *dir,
		 struct dentry *dentry, umode_t mode);
int veneer_mknod(struct mnt_idmap *idmap, struct inode *dir,
		 struct dentry *dentry, umode_t mode, dev_t rdev);
int veneer_symlink(struct mnt_idmap *idmap, struct inode *dir,
		   struct dentry *dentry, const char *link);
int veneer_link(struct dentry *old, struct inode *dir, struct dentry *dentry);
int veneer_tmpfile(struct mnt_idmap *idmap, struct inode *dir,
		   struct file *file, umode_t mode);
int veneer_unlink(struct inode *dir, struct dentry *dentry);
int veneer_rmdir(struct inode *dir, struct dentry *dentry);
int veneer_rename(struct mnt_idmap *idmap, struct inode *old_dir,
		  struct dentry *old, struct inode *new_dir, struct dentry *new,
		  unsigned int flags);

struct dentry *veneer_cdev0_make(struct mnt_idmap *idmap, struct inode *dir,
				 struct dentry *dentry);
int veneer_mark_impure(struct inode *dir);
int veneer_mark_impure_for(struct inode *dir, const struct inode *inode);

#endif
