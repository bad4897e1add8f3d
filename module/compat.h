/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel interfaces whose shape differs between versions, in the shape that
 * the rest of the module uses.  The only file that may ask for a version.
 */
#ifndef VENEER_COMPAT_H
#define VENEER_COMPAT_H

#include <linux/cleanup.h>
#include <linux/cred.h>
#include <linux/namei.h>
#include <linux/string.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#error "Veneer needs Linux 6.12 or newer"
#endif

/* Find a name, with the directory's lock not held. */
static inline struct dentry *veneer_lookup_unlocked(struct mnt_idmap *idmap,
						    const char *name,
						    struct dentry *dir)
{
	return lookup_one_unlocked(idmap, name, dir, strlen(name));
}

/* Find a name, with the directory's lock held. */
static inline struct dentry *veneer_lookup_locked(struct mnt_idmap *idmap,
						  const char *name,
						  struct dentry *dir)
{
	return lookup_one(idmap, name, dir, strlen(name));
}

/* Run the rest of a scope with other credentials. */
DEFINE_CLASS(veneer_cred, const struct cred *, revert_creds(_T),
	     override_creds(cred), const struct cred *cred)

#endif
