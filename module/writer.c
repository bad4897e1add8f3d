// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writer: the credentials with which something is stored in the upper.
 *
 * All is done with the mounter's credentials.  But what he may, his users need
 * not: a disk keeps blocks for root, and knows him by his fsuid, his group or
 * CAP_SYS_RESOURCE.  So there is a second set of credentials, the same but for
 * these three, for what a user makes the mount store.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/highuid.h>

#include "compat.h"
#include "mount.h"
#include "writer.h"

/* Without these, only its owner may do to an object what the mounter may. */
static const int needed_caps[] = {
	CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID,
};

static bool has_needed_caps(const struct cred *cred)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(needed_caps); i++) {
		if (!cap_raised(cred->cap_effective, needed_caps[i]))
			return false;
	}
	return true;
}

/*
 * Is there a disk that may keep something?  A filesystem without one may be a
 * server's, which has ideas of its own about who sends it a request.
 */
static bool may_have_reserve(const struct super_block *upper_sb)
{
	return upper_sb->s_type->fs_flags & FS_REQUIRES_DEV ||
	       upper_sb->s_type == &veneer_fs_type;
}

/**
 * veneer_mounter_cred - the credentials of a mount
 * @fc: the context
 *
 * Those of the mounter, but for what lets one pass one's quota.
 *
 * Return: a reference, or %NULL without memory.
 */
const struct cred *veneer_mounter_cred(const struct fs_context *fc)
{
	struct cred *cred;

	CLASS(veneer_cred, old)(fc->cred);
	cred = prepare_creds();
	if (cred)
		cap_lower(cred->cap_effective, CAP_SYS_RESOURCE);
	return cred;
}

static struct cred *nobodys_cred(const struct cred *mounter)
{
	struct group_info *none;
	struct cred *cred;

	CLASS(veneer_cred, old)(mounter);
	none = groups_alloc(0);
	if (!none)
		return NULL;
	cred = prepare_creds();
	if (cred) {
		cred->fsuid = make_kuid(&init_user_ns, overflowuid);
		cred->fsgid = make_kgid(&init_user_ns, overflowgid);
		set_groups(cred, none);
	}
	put_group_info(none);
	return cred;
}

/**
 * veneer_writer_init - make the credentials of those who own no reserve
 * @m: the mount, with an upper
 */
int veneer_writer_init(struct veneer_mount *m)
{
	if (m->cred->user_ns != &init_user_ns || !has_needed_caps(m->cred) ||
	    !may_have_reserve(m->upper->mnt_sb)) {
		m->writer_cred = get_cred(m->cred);
		return 0;
	}
	m->writer_cred = nobodys_cred(m->cred);
	return m->writer_cred ? 0 : -ENOMEM;
}
