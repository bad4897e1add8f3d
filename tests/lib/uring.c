// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "uring.h"

int uring_open(struct uring *u)
{
	struct io_uring_params p = { };
	char *ring;

	u->fd = syscall(SYS_io_uring_setup, 4, &p);
	if (u->fd < 0)
		return -1;
	if (!(p.features & IORING_FEAT_SINGLE_MMAP)) {
		close(u->fd);
		errno = ENOSYS;
		return -1;
	}
	u->ring_size = p.sq_off.array + p.sq_entries * sizeof(unsigned int);
	if (u->ring_size < p.cq_off.cqes + p.cq_entries * sizeof(*u->cqe))
		u->ring_size = p.cq_off.cqes + p.cq_entries * sizeof(*u->cqe);
	u->sqe_size = p.sq_entries * sizeof(*u->sqe);
	ring = u->ring = mmap(NULL, u->ring_size, PROT_READ | PROT_WRITE,
			      MAP_SHARED, u->fd, IORING_OFF_SQ_RING);
	u->sqe = mmap(NULL, u->sqe_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		      u->fd, IORING_OFF_SQES);
	if (u->ring == MAP_FAILED || u->sqe == MAP_FAILED)
		return -1;
	u->sq_tail = (void *)(ring + p.sq_off.tail);
	u->sq_mask = (void *)(ring + p.sq_off.ring_mask);
	u->sq_array = (void *)(ring + p.sq_off.array);
	u->cq_head = (void *)(ring + p.cq_off.head);
	u->cq_tail = (void *)(ring + p.cq_off.tail);
	u->cq_mask = (void *)(ring + p.cq_off.ring_mask);
	u->cqe = (void *)(ring + p.cq_off.cqes);
	return 0;
}

void uring_close(struct uring *u)
{
	munmap(u->ring, u->ring_size);
	munmap(u->sqe, u->sqe_size);
	close(u->fd);
}

int uring_do(struct uring *u, const struct io_uring_sqe *sqe)
{
	unsigned int tail = *u->sq_tail, slot = tail & *u->sq_mask, head;
	int ret;

	u->sqe[slot] = *sqe;
	u->sq_array[slot] = slot;
	__atomic_store_n(u->sq_tail, tail + 1, __ATOMIC_RELEASE);
	do {
		ret = syscall(SYS_io_uring_enter, u->fd, 1, 1,
			      IORING_ENTER_GETEVENTS, NULL, 0);
	} while (ret < 0 && errno == EINTR);
	if (ret < 0)
		return -errno;
	head = *u->cq_head;
	if (head == __atomic_load_n(u->cq_tail, __ATOMIC_ACQUIRE))
		return -EIO;
	ret = u->cqe[head & *u->cq_mask].res;
	__atomic_store_n(u->cq_head, head + 1, __ATOMIC_RELEASE);
	return ret;
}
