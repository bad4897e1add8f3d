/* SPDX-License-Identifier: GPL-2.0-only */
/* Copying the data of a file below into a new file of the upper. */
#ifndef VENEER_COPYDATA_H
#define VENEER_COPYDATA_H

#include "mount.h"

struct veneer_chain;

int veneer_copy_data(struct veneer_mount *m, struct veneer_chain *from,
		     struct dentry *upper, loff_t len, const bool *cancel);

#endif
