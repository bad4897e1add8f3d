/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Included before everything else in a module that is built to fail: each call
 * into a real filesystem first asks whether it is the one that is to.
 *
 * The headers come first, so that what they declare, and call themselves, is left
 * alone.
 */
#ifndef VENEER_TEST_FAULT_H
#define VENEER_TEST_FAULT_H

#include <linux/backing-file.h>
#include <linux/exportfs.h>
#include <linux/file.h>
#include <linux/fileattr.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/pagemap.h>
#include <linux/posix_acl.h>
#include <linux/splice.h>
#include <linux/statfs.h>
#include <linux/uio.h>
#include <linux/xattr.h>

/* 0, or the error that this call is to fail with. */
int veneer_test_fault(void);

#define OR_FAIL(call)		(veneer_test_fault() ?: (call))
#define OR_FAIL_PTR(call) ({						\
	int __fault = veneer_test_fault();				\
	__fault ? ERR_PTR(__fault) : (call);				\
})

/* Names */
#define lookup_one(...)		OR_FAIL_PTR(lookup_one(__VA_ARGS__))
#define lookup_one_unlocked(...) OR_FAIL_PTR(lookup_one_unlocked(__VA_ARGS__))
#define vfs_create(...)		OR_FAIL(vfs_create(__VA_ARGS__))
#define vfs_mkdir(...)		OR_FAIL(vfs_mkdir(__VA_ARGS__))
#define vfs_mknod(...)		OR_FAIL(vfs_mknod(__VA_ARGS__))
#define vfs_symlink(...)	OR_FAIL(vfs_symlink(__VA_ARGS__))
#define vfs_link(...)		OR_FAIL(vfs_link(__VA_ARGS__))
#define vfs_unlink(...)		OR_FAIL(vfs_unlink(__VA_ARGS__))
#define vfs_rmdir(...)		OR_FAIL(vfs_rmdir(__VA_ARGS__))
#define vfs_rename(...)		OR_FAIL(vfs_rename(__VA_ARGS__))
#define iterate_dir(...)	OR_FAIL(iterate_dir(__VA_ARGS__))

/* Metadata */
/* It has but one error. */
#define mnt_want_write(...)						\
	(veneer_test_fault() ? -EROFS : mnt_want_write(__VA_ARGS__))
#define notify_change(...)	OR_FAIL(notify_change(__VA_ARGS__))
#define vfs_getattr(...)	OR_FAIL(vfs_getattr(__VA_ARGS__))
#define vfs_statfs(...)		OR_FAIL(vfs_statfs(__VA_ARGS__))
#define vfs_get_link(...)	OR_FAIL_PTR(vfs_get_link(__VA_ARGS__))
#define vfs_getxattr(...)	OR_FAIL(vfs_getxattr(__VA_ARGS__))
#define vfs_setxattr(...)	OR_FAIL(vfs_setxattr(__VA_ARGS__))
#define vfs_removexattr(...)	OR_FAIL(vfs_removexattr(__VA_ARGS__))
#define __vfs_setxattr_locked(...) \
	OR_FAIL(__vfs_setxattr_locked(__VA_ARGS__))
#define __vfs_removexattr_locked(...) \
	OR_FAIL(__vfs_removexattr_locked(__VA_ARGS__))
#define vfs_listxattr(...)	OR_FAIL(vfs_listxattr(__VA_ARGS__))
#define vfs_get_acl(...)	OR_FAIL_PTR(vfs_get_acl(__VA_ARGS__))
#define vfs_set_acl(...)	OR_FAIL(vfs_set_acl(__VA_ARGS__))
#define vfs_remove_acl(...)	OR_FAIL(vfs_remove_acl(__VA_ARGS__))
#define vfs_fileattr_get(...)	OR_FAIL(vfs_fileattr_get(__VA_ARGS__))
#define vfs_fileattr_set(...)	OR_FAIL(vfs_fileattr_set(__VA_ARGS__))

/* Data */
#define dentry_open(...)	OR_FAIL_PTR(dentry_open(__VA_ARGS__))
#define backing_file_open(...)	OR_FAIL_PTR(backing_file_open(__VA_ARGS__))
#define backing_tmpfile_open(...) OR_FAIL_PTR(backing_tmpfile_open(__VA_ARGS__))
#define backing_file_read_iter(...) OR_FAIL(backing_file_read_iter(__VA_ARGS__))
#define backing_file_write_iter(...) OR_FAIL(backing_file_write_iter(__VA_ARGS__))
#define backing_file_mmap(...)	OR_FAIL(backing_file_mmap(__VA_ARGS__))
#define kernel_read(...)	OR_FAIL(kernel_read(__VA_ARGS__))
#define kernel_write(...)	OR_FAIL(kernel_write(__VA_ARGS__))
#define vfs_iter_write(...)	OR_FAIL(vfs_iter_write(__VA_ARGS__))
#define read_cache_folio(...)	OR_FAIL_PTR(read_cache_folio(__VA_ARGS__))
#define vfs_truncate(...)	OR_FAIL(vfs_truncate(__VA_ARGS__))
#define vfs_fallocate(...)	OR_FAIL(vfs_fallocate(__VA_ARGS__))
#define vfs_llseek(...)		OR_FAIL(vfs_llseek(__VA_ARGS__))
#define vfs_fsync(...)		OR_FAIL(vfs_fsync(__VA_ARGS__))
#define vfs_fsync_range(...)	OR_FAIL(vfs_fsync_range(__VA_ARGS__))
#define vfs_clone_file_range(...) OR_FAIL(vfs_clone_file_range(__VA_ARGS__))
#define vfs_copy_file_range(...) OR_FAIL(vfs_copy_file_range(__VA_ARGS__))
#define sync_filesystem(...)	OR_FAIL(sync_filesystem(__VA_ARGS__))

#endif
