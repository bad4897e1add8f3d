// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mounts by ordinary users: only where the administrator has allowed them.
 *
 * Who is root in a user namespace of his own may mount what says FS_USERNS_MOUNT,
 * and every user can make such a namespace.  He then chooses layers and upper, a
 * filesystem that he serves himself among them, and all that the module reads
 * from them is his.  So it is off until somebody turns it on.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/fs_context.h>
#include <linux/moduleparam.h>

#include "log.h"
#include "usermount.h"

static bool user_mounts;
module_param(user_mounts, bool, 0644);
MODULE_PARM_DESC(user_mounts, "Let users mount in user namespaces of their own (default: N)");

/**
 * veneer_user_mounts - may ordinary users mount?
 */
bool veneer_user_mounts(void)
{
	return READ_ONCE(user_mounts);
}

/**
 * veneer_usermount_check - may whoever began a mount go on?
 * @fc: the context; a message tells it why not
 *
 * A context can be made, and given options, by who may not mount with it, one
 * for a remount of root's mount too, so this is asked before the first option is
 * looked at.  When it mounts, the VFS asks for CAP_SYS_ADMIN, too, and the LSMs.
 *
 * Return: 0, or %-EPERM.
 */
int veneer_usermount_check(struct fs_context *fc)
{
	if (fc->cred->user_ns == &init_user_ns &&
	    cap_raised(fc->cred->cap_effective, CAP_SYS_ADMIN))
		return 0;
	if (veneer_user_mounts())
		return 0;

	veneer_fc_err(fc, "mounts in user namespaces are not allowed; root of the host can allow them: echo 1 > /sys/module/veneer/parameters/user_mounts");
	return -EPERM;
}
