/* SPDX-License-Identifier: GPL-2.0-only */
/* The upper and its workdir: checked, claimed and made ready for a mount. */
#ifndef VENEER_WORKDIR_H
#define VENEER_WORKDIR_H

#include "mount.h"

int veneer_workdir_check(struct fs_context *fc,
			 const struct veneer_options *options);
int veneer_flush_live_layers(struct fs_context *fc,
			     const struct veneer_options *options);
int veneer_workdir_prepare(struct fs_context *fc, struct veneer_mount *m);
void veneer_unclaim(struct veneer_mount *m);

#endif
