/* SPDX-License-Identifier: GPL-2.0-only */
/* Writer: the credentials with which something is stored in the upper. */
#ifndef VENEER_WRITER_H
#define VENEER_WRITER_H

#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>

#include "inode.h"
#include "mount.h"

/**
 * veneer_may_use_reserve - may the caller have what the mounter may of a disk?
 * @m: the mount
 *
 * The same user may, and who may on any disk.  Once the mounter's credentials, or
 * the writer's, are the caller's, it stays as it was.
 */
static inline bool veneer_may_use_reserve(const struct veneer_mount *m)
{
	const struct cred *caller = current_cred();

	return uid_eq(caller->fsuid, m->cred->fsuid) ||
	       (caller->user_ns == &init_user_ns &&
		cap_raised(caller->cap_effective, CAP_SYS_RESOURCE));
}

/**
 * veneer_writer_cred - with which credentials to store what the caller wants
 * @m: the mount, which has an upper
 *
 * What serves all users, a block map say, is stored with the mounter's.
 */
static inline const struct cred *veneer_writer_cred(const struct veneer_mount *m)
{
	return veneer_may_use_reserve(m) ? m->cred : m->writer_cred;
}

/**
 * veneer_note_writer - the caller makes pages of the mount's page cache dirty
 * @inode: a regular file of a mount that has an upper
 */
static inline void veneer_note_writer(struct inode *inode)
{
	WRITE_ONCE(veneer_inode(inode)->use_reserve,
		   veneer_may_use_reserve(veneer_mount(inode->i_sb)));
}

/**
 * veneer_pages_cred - with which credentials to write those pages back
 * @inode: the file
 */
static inline const struct cred *veneer_pages_cred(const struct inode *inode)
{
	const struct veneer_mount *m = veneer_mount(inode->i_sb);

	return READ_ONCE(veneer_inode(inode)->use_reserve) ? m->cred :
							     m->writer_cred;
}

const struct cred *veneer_mounter_cred(const struct fs_context *fc);
int veneer_writer_init(struct veneer_mount *m);

#endif
