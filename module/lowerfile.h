/* SPDX-License-Identifier: GPL-2.0-only */
/* Lowerfile: layers named in a file, for one page of mount options. */
#ifndef VENEER_LOWERFILE_H
#define VENEER_LOWERFILE_H

struct fs_context;
struct veneer_options;

int veneer_lowerfile(struct fs_context *fc, struct veneer_options *options,
		     const char *name);

#endif
