/* SPDX-License-Identifier: GPL-2.0-only */
/* Fill: bytes of a file, from wherever they are, for the mount's own memory. */
#ifndef VENEER_FILL_H
#define VENEER_FILL_H

#include <linux/fs.h>
#include <linux/pagemap.h>

#include "source.h"

ssize_t veneer_read_bytes(struct inode *inode, void *buf, size_t len,
			  loff_t pos);
int veneer_fill_run(struct inode *inode, const struct veneer_run *run,
		    void *buf, loff_t pos);
int veneer_fill_folio(struct inode *inode, struct folio *folio);

/* Address space operations */
int veneer_read_folio(struct file *file, struct folio *folio);
void veneer_readahead(struct readahead_control *rac);

#endif
