/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One request at a time through io_uring, by raw system calls. */
#ifndef VENEER_TESTS_URING_H
#define VENEER_TESTS_URING_H

#include <linux/io_uring.h>

struct uring {
	int fd;
	unsigned int *sq_tail, *sq_mask, *sq_array;
	unsigned int *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	void *ring;
	size_t ring_size, sqe_size;
};

/* 0, or -1 with errno: ENOSYS and EPERM where the kernel has it switched off. */
int uring_open(struct uring *u);
void uring_close(struct uring *u);
/* Submits a copy of this request and waits; what it returned (or -errno). */
int uring_do(struct uring *u, const struct io_uring_sqe *sqe);

#endif
