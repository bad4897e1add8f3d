/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mounting through the kernel's filesystem contexts: no limit on the options. */
#ifndef VENEER_FSMOUNT_H
#define VENEER_FSMOUNT_H

#include "mount/options.h"

/*
 * The filesystem type: "veneer", unless VENEER_FSTYPE names another one that
 * takes the same options (overlay), for comparing the two.
 */
const char *fsmount_type(void);

struct fsmount_flags {
	bool fake;		/* do everything but the mount */
	bool sloppy;		/* options the filesystem does not know are left out */
	bool verbose;		/* show what the kernel noted */
};

int fsmount_new(const char *type, const char *source, const char *target,
		const struct mount_options *options, struct fsmount_flags flags,
		struct fault *fault);

/* A mount in no place, gone when the descriptor is closed unless it is moved. */
int fsmount_detached(const char *type, const char *source,
		     const struct mount_options *options, struct fault *fault);

int fsmount_remount(const char *target, const struct mount_options *options,
		    struct fsmount_flags flags, struct fault *fault);

#endif
