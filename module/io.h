/* SPDX-License-Identifier: GPL-2.0-only */
/* I/O: reading and writing regular files of a mount. */
#ifndef VENEER_IO_H
#define VENEER_IO_H

#include <linux/fs.h>

ssize_t veneer_read_iter(struct kiocb *iocb, struct iov_iter *iter);
ssize_t veneer_write_iter(struct kiocb *iocb, struct iov_iter *iter);
ssize_t veneer_splice_read(struct file *file, loff_t *ppos,
			   struct pipe_inode_info *pipe, size_t len,
			   unsigned int flags);
ssize_t veneer_splice_write(struct pipe_inode_info *pipe, struct file *file,
			    loff_t *ppos, size_t len, unsigned int flags);
struct backing_file_ctx veneer_file_ctx(struct file *file);
struct backing_file_ctx veneer_write_ctx(struct file *file);

#endif
