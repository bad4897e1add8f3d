// SPDX-License-Identifier: GPL-2.0-or-later
/* The operations on mappings. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dataop.h"

#define data op_data

static sigjmp_buf faulted;

static void on_fault(int sig __attribute__((unused)))
{
	siglongjmp(faulted, 1);
}

/* memcpy to or from a mapping; -1 with EFAULT where the kernel says SIGBUS. */
static int map_copy(void *to, const void *from, size_t n)
{
	struct sigaction sa = { .sa_handler = on_fault, .sa_flags = SA_NODEFER }, old;
	int ret = 0;

	sigaction(SIGBUS, &sa, &old);
	if (sigsetjmp(faulted, 1)) {
		errno = EFAULT;
		ret = -1;
	} else {
		memcpy(to, from, n);
	}
	sigaction(SIGBUS, &old, NULL);
	return ret;
}

void op_unmap(struct view_map *m)
{
	if (!m->addr)
		return;
	munmap(m->addr, m->len);
	close(m->fd);
	m->addr = NULL;
}

/* The part of a range that is in the mapping and in the file; 0: none of it. */
static size_t in_map(const struct view_map *m, const struct op *op, size_t *at)
{
	struct stat st;
	size_t len = op->len;

	*at = op->off % m->len;
	if (len > m->len - *at)
		len = m->len - *at;
	if (fstat(m->fd, &st) || m->off + (off_t)*at >= st.st_size)
		return 0;
	if (m->off + (off_t)(*at + len) > st.st_size)
		len = st.st_size - m->off - *at;
	return len;
}

long op_mmap(struct view *v, int fd, const struct op *op, struct op_out *out)
{
	struct view_map *m = &v->map[op->x % DATA_MAPS];
	struct op whole = { .len = DATA_BUF };
	size_t at, len;

	op_unmap(m);
	m->shared = op->x & 0x100;
	m->prot = op->x & 0x200 ? PROT_READ : PROT_READ | PROT_WRITE;
	m->off = op->off - op->off % DATA_PAGE;
	m->len = (op->len + 2 * DATA_PAGE) / DATA_PAGE * DATA_PAGE;
	if (m->len > DATA_BUF)
		m->len = DATA_BUF;
	m->of = v->of[op->slot];
	m->stale = !m->shared;
	m->addr = mmap(NULL, m->len, m->prot, (m->shared ? MAP_SHARED : MAP_PRIVATE) |
		       (op->x & 0x400 ? MAP_POPULATE : 0), fd, m->off);
	if (m->addr == MAP_FAILED) {
		m->addr = NULL;
		return -1;
	}
	m->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	/* Whatever it may show later, now it is what the file holds. */
	if (!m->shared || op->x & 0x800) {
		len = in_map(m, &whole, &at);
		if (len && map_copy(data, m->addr + at, len))
			return -1;
		op_put(out, data, len);
	}
	return 0;
}

static long op_load(struct view_map *m, const struct op *op, struct op_out *out)
{
	size_t at, len = in_map(m, op, &at);

	/* Made when the file was shorter, say, it may even end earlier. */
	if (m->stale) {
		map_copy(data, m->addr + at, len);
		return 0;
	}
	/* Past the end: SIGBUS in a page that has nothing of the file. */
	if (!len) {
		struct stat st;

		if (fstat(m->fd, &st))
			return 0;
		if (m->off + (off_t)at < (st.st_size + DATA_PAGE - 1) / DATA_PAGE * DATA_PAGE)
			return 0;
		return map_copy(data, m->addr + at, 1);
	}
	if (map_copy(data, m->addr + at, len))
		return -1;
	op_put(out, data, len);
	return len;
}

static long op_store(struct view_map *m, const struct op *op, struct op_out *out)
{
	size_t at, len = in_map(m, op, &at);

	if (!(m->prot & PROT_WRITE))
		return 0;
	op_fill(op, len);
	if (map_copy(m->addr + at, data, len))
		return out->loose = m->stale, -1;
	/* mtime moves when it is written, not later than this. */
	if (op->x & OP_TIMED)
		return msync(m->addr, m->len, MS_SYNC);
	if (map_copy(data, m->addr + at, len))
		return -1;
	op_put(out, data, len);
	out->loose = m->stale;
	return len;
}

static long op_madvise(struct view_map *m, const struct op *op, struct op_out *out)
{
	static const int advice[] = {
		MADV_DONTNEED, MADV_WILLNEED, MADV_RANDOM, MADV_NORMAL, MADV_SEQUENTIAL,
		MADV_COLD, MADV_PAGEOUT, MADV_POPULATE_READ, MADV_POPULATE_WRITE,
		MADV_REMOVE,
	};
	int how = advice[op->x % 10];
	size_t at = op->off % m->len / DATA_PAGE * DATA_PAGE, len;
	struct op range = { .off = at, .len = op->len };
	size_t part = in_map(m, &range, &at);

	/* A part that is in the file: populating past the end is EFAULT, late. */
	len = (part + DATA_PAGE - 1) / DATA_PAGE * DATA_PAGE;
	/* Takes a private mapping's changes with it. */
	if (how == MADV_DONTNEED && !m->shared)
		return 0;
	/* Of one whose writes are allowed, that is punching a hole. */
	if (how == MADV_REMOVE && (!m->shared || !(m->prot & PROT_WRITE)))
		return 0;
	out->loose = m->stale;
	return madvise(m->addr + at, len, how);
}

static long op_mremap(struct view_map *m, const struct op *op)
{
	size_t len = (op->len / DATA_PAGE + 1) * DATA_PAGE;
	void *addr;

	if (len > DATA_BUF)
		len = DATA_BUF;
	addr = mremap(m->addr, m->len, len, MREMAP_MAYMOVE);
	if (addr == MAP_FAILED)
		return -1;
	m->addr = addr;
	m->len = len;
	return 0;
}

/* Do the mapping's part and the range of the file have a page in common? */
static bool overlap(struct view *v, const struct op *op, const struct view_map *m,
		    size_t at, size_t len)
{
	off_t from = m->off + at;

	return v->of[op->slot] == m->of && from < op->off2 + (off_t)len + DATA_PAGE &&
		op->off2 < from + (off_t)len + DATA_PAGE;
}

/* From the mapping of one file into the same or another, or the other way. */
static long op_map_io(struct view *v, struct view_map *m, const struct op *op)
{
	int fd = v->fd[op->slot];
	size_t at, len = in_map(m, op, &at);

	if (!len || m->stale || op_direct(fd) || overlap(v, op, m, at, len) ||
	    fcntl(fd, F_GETFL) & O_APPEND)
		return 0;
	if (op->kind == OP_MAP_WRITE)
		return pwrite(fd, m->addr + at, len, op->off2);
	if (!(m->prot & PROT_WRITE))
		return 0;
	return pread(fd, m->addr + at, len, op->off2);
}

long op_map(struct view *v, const struct op *op, struct op_out *out)
{
	static const int how[] = { MS_SYNC, MS_ASYNC, MS_SYNC | MS_INVALIDATE };
	struct view_map *m = &v->map[(op->kind == OP_MAP_WRITE || op->kind == OP_MAP_READ ?
				      op->x : op->slot) % DATA_MAPS];
	long ret;

	if (!m->addr) {
		errno = EINVAL;
		return -1;
	}
	switch (op->kind) {
	case OP_MUNMAP:
		op_unmap(m);
		return 0;
	case OP_LOAD:
		return op_load(m, op, out);
	case OP_STORE:
		return op_store(m, op, out);
	case OP_MSYNC:
		return msync(m->addr, m->len, how[op->x % 3]);
	case OP_MADVISE:
		return op_madvise(m, op, out);
	case OP_MLOCK:
		/* Faults all in, as far as the file goes. */
		out->loose = true;
		return op->x & 0x100 ? munlock(m->addr, m->len) : mlock(m->addr, m->len);
	case OP_MPROTECT:
		ret = mprotect(m->addr, m->len, PROT_READ | PROT_WRITE);
		if (!ret)
			m->prot |= PROT_WRITE;
		return ret;
	case OP_MREMAP:
		return op_mremap(m, op);
	default:
		return op_map_io(v, m, op);
	}
}
