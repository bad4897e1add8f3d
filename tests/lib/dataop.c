// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../../module/uapi/veneer.h"
#include "dataop.h"
#include "world.h"

const char *const op_name[OP_KINDS] = {
	"open", "close", "pread", "read", "pwrite", "write", "truncate",
	"ftruncate", "fallocate", "seek", "fiemap", "aio", "uring", "splice_in",
	"splice_out", "sendfile", "copy", "clone", "dedupe", "mmap", "munmap",
	"load", "store", "msync", "madvise", "mlock", "mprotect", "mremap",
	"map_write", "map_read", "sync", "advise", "meta", "stat", "rename",
	"link", "unlink", "exec", "whole", "crowd", "check", "drop", "remount",
	"readonly", "freeze", "second", "deepen",
};

unsigned char op_data[DATA_BUF] __attribute__((aligned(DATA_PAGE)));
#define data op_data

int view_open(struct view *v, const char *root)
{
	*v = (struct view) { .root = root };
	for (int i = 0; i < DATA_SLOTS; i++)
		v->fd[i] = -1;
	if (syscall(SYS_io_setup, 4, &v->aio))
		return -1;
	v->has_ring = !uring_open(&v->ring);
	return pipe2(v->pipe, O_CLOEXEC);
}

void view_let_go(struct view *v)
{
	for (int i = 0; i < DATA_SLOTS; i++) {
		if (v->fd[i] >= 0)
			close(v->fd[i]);
		v->fd[i] = -1;
	}
	for (int i = 0; i < DATA_MAPS; i++)
		op_unmap(&v->map[i]);
}

void view_close(struct view *v)
{
	view_let_go(v);
	syscall(SYS_io_destroy, v->aio);
	if (v->has_ring)
		uring_close(&v->ring);
	close(v->pipe[0]);
	close(v->pipe[1]);
}

void print_op(FILE *to, const struct op *op)
{
	fprintf(to, "op %s %u %u %lld %u %#x %lld\n", op_name[op->kind], op->file,
		op->slot, op->off, op->len, op->x, op->off2);
}

bool parse_op(const char *line, struct op *op)
{
	char name[32];

	*op = (struct op) { };
	if (sscanf(line, "op %31s %u %u %lld %u %x %lld", name, &op->file, &op->slot,
		   &op->off, &op->len, &op->x, &op->off2) != 7)
		return false;
	while (op->kind < OP_KINDS && strcmp(op_name[op->kind], name))
		op->kind++;
	return op->kind < OP_KINDS && op->file < DATA_FILES && op->slot < DATA_SLOTS &&
		op->len <= DATA_BUF && op->off >= 0 && op->off2 >= 0;
}

const char *view_path(const struct view *v, unsigned int file, unsigned int x)
{
	char name[8];

	snprintf(name, sizeof(name), "f%u%s", file, x & (1u << 20) ? ".a" : "");
	return join(x & OP_THROUGH_SECOND && v->second ? v->second : v->root, name);
}

void op_put(struct op_out *out, const void *p, ssize_t n)
{
	if (n <= 0)
		return;
	if ((size_t)n > sizeof(out->buf) - out->len)
		n = sizeof(out->buf) - out->len;
	memcpy(out->buf + out->len, p, n);
	out->len += n;
}

bool op_direct(int fd)
{
	return fcntl(fd, F_GETFL) & O_DIRECT;
}

/* Bytes that hang on the operation alone; now and then zeros. */
void op_fill(const struct op *op, size_t len)
{
	if (op->x % 16 == 5)
		memset(data, 0, len);
	else
		fill_pattern(data, len, op->off, op->x & 0xffff);
}

/* O_DIRECT wants sectors, and mostly gets pages. */
static void place(const struct op *op, int fd, off_t *off, size_t *len)
{
	size_t unit = op->x & 0x100 ? 512 : DATA_PAGE;

	*off = op->off;
	*len = op->len;
	if (!op_direct(fd))
		return;
	*off -= *off % unit;
	*len = (*len + unit - 1) / unit * unit;
}

static int open_flags(unsigned int x)
{
	static const int flags[] = {
		O_RDWR, O_RDWR, O_RDWR, O_RDWR, O_RDONLY, O_RDONLY, O_RDONLY, O_WRONLY,
		O_RDWR | O_APPEND, O_RDWR | O_DIRECT, O_RDWR | O_DIRECT, O_RDONLY | O_DIRECT,
		O_RDWR | O_SYNC, O_RDWR | O_DSYNC, O_RDWR | O_DIRECT | O_DSYNC,
		O_RDWR | O_CREAT, O_RDONLY | O_NOATIME, O_RDWR | O_TRUNC,
	};

	return flags[x % (sizeof(flags) / sizeof(*flags))] | O_CLOEXEC;
}

static long op_open(struct view *v, const struct op *op)
{
	int *fd = &v->fd[op->slot];

	if (*fd >= 0)
		close(*fd);
	*fd = open(view_path(v, op->file, op->x), open_flags(op->x), 0644);
	v->of[op->slot] = op->file;
	return *fd < 0 ? -1 : 0;
}

static long op_pread(int fd, const struct op *op, struct op_out *out)
{
	struct iovec iov[3];
	ssize_t n;
	size_t len;
	off_t off;

	place(op, fd, &off, &len);
	if (op->x % 8 == 1 && !op_direct(fd)) {
		iov[0] = (struct iovec) { data, len / 3 };
		iov[1] = (struct iovec) { data + len / 3, len / 3 };
		iov[2] = (struct iovec) { data + len / 3 * 2, len - len / 3 * 2 };
		n = preadv(fd, iov, 3, off);
	} else if (op->x % 8 == 2) {
		/* As much as can be had without waiting, then the rest. */
		ssize_t rest;

		iov[0] = (struct iovec) { data, len };
		n = preadv2(fd, iov, 1, off, RWF_NOWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EOPNOTSUPP))
			n = 0;
		if (n >= 0 && op_direct(fd))
			n = 0;
		if (n >= 0) {
			rest = pread(fd, data + n, len - n, off + n);
			n = rest < 0 ? -1 : n + rest;
		}
	} else {
		n = pread(fd, data, len, off);
	}
	op_put(out, data, n);
	return n;
}

static long op_read(int fd, const struct op *op, struct op_out *out)
{
	size_t len;
	off_t off;
	ssize_t n;

	place(op, fd, &off, &len);
	if (lseek(fd, off, SEEK_SET) < 0)
		return -1;
	n = read(fd, data, len);
	op_put(out, data, n);
	off = lseek(fd, 0, SEEK_CUR);
	op_put(out, &off, sizeof(off));
	return n;
}

static long op_pwrite(int fd, const struct op *op)
{
	static const int flags[] = { 0, 0, RWF_DSYNC, RWF_SYNC, RWF_APPEND };
	struct iovec iov[2];
	size_t len;
	off_t off;
	ssize_t n;

	place(op, fd, &off, &len);
	op_fill(op, len);
	if (op->x % 4 == 0 || op_direct(fd))
		return pwrite(fd, data, len, off);
	if (op->x % 32 == 1) {
		iov[0] = (struct iovec) { data, len };
		n = pwritev2(fd, iov, 1, off, RWF_NOWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EOPNOTSUPP))
			n = 0;
		if (n >= 0 && n < (ssize_t)len) {
			ssize_t rest = pwrite(fd, data + n, len - n, off + n);

			n = rest < 0 ? -1 : n + rest;
		}
		return n;
	}
	iov[0] = (struct iovec) { data, len / 2 };
	iov[1] = (struct iovec) { data + len / 2, len - len / 2 };
	return pwritev2(fd, iov, 2, off, flags[(op->x >> 5) % 5]);
}

static long op_write(int fd, const struct op *op, struct op_out *out)
{
	size_t len;
	off_t off;
	ssize_t n;

	place(op, fd, &off, &len);
	if (lseek(fd, off, SEEK_SET) < 0)
		return -1;
	op_fill(op, len);
	/* With O_DIRECT past the end, ext4 may move the end all the same. */
	n = op->x % 7 || op_direct(fd) ? write(fd, data, len) : write(fd, NULL, len);
	off = lseek(fd, 0, SEEK_CUR);
	op_put(out, &off, sizeof(off));
	return n;
}

static long op_fallocate(int fd, const struct op *op)
{
	static const int mode[] = {
		0, FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE, FALLOC_FL_UNSHARE_RANGE,
		FALLOC_FL_PUNCH_HOLE,	/* without KEEP_SIZE: refused */
	};
	int m = mode[op->x % 10];
	off_t off = op->off;
	off_t len = op->len;

	/* Those two move blocks. */
	if (m & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE) && op->x & 0x700) {
		off -= off % DATA_PAGE;
		len = len / 4 / DATA_PAGE * DATA_PAGE;
	}
	return fallocate(fd, m, off, len);
}

static long op_aio(struct view *v, int fd, const struct op *op, struct op_out *out)
{
	static const int how[] = {
		IOCB_CMD_PREAD, IOCB_CMD_PWRITE, IOCB_CMD_PWRITE, IOCB_CMD_FSYNC,
		IOCB_CMD_FDSYNC,
	};
	struct iocb cb[3] = { }, *list[3] = { &cb[0], &cb[1], &cb[2] };
	int cmd = how[op->x % 5], count = 1;
	struct io_event event[3];
	size_t len;
	off_t off;

	place(op, fd, &off, &len);
	if (cmd == IOCB_CMD_PWRITE)
		op_fill(op, len);
	/* Three at once, one behind the other. */
	if (cmd == IOCB_CMD_PWRITE && op->x & 0x200 && len >= 3 * DATA_PAGE &&
	    !(fcntl(fd, F_GETFL) & O_APPEND))
		count = 3;
	for (int i = 0; i < count; i++) {
		size_t part = len / count / DATA_PAGE * DATA_PAGE;

		cb[i].aio_fildes = fd;
		cb[i].aio_lio_opcode = cmd;
		cb[i].aio_buf = (unsigned long)(data + i * part);
		cb[i].aio_nbytes = i == count - 1 ? len - i * part : part;
		cb[i].aio_offset = off + i * part;
		if (cmd == IOCB_CMD_FSYNC || cmd == IOCB_CMD_FDSYNC)
			cb[i].aio_buf = cb[i].aio_nbytes = cb[i].aio_offset = 0;
	}
	count = syscall(SYS_io_submit, v->aio, (long)count, list);
	if (count <= 0)
		return -1;
	/* Work that the kernel has left for this process looks like a signal. */
	for (long got = 0, n; got < count; got += n) {
		n = syscall(SYS_io_getevents, v->aio, 1L, (long)count - got, event + got, NULL);
		if (n < 0 && errno != EINTR)
			return -1;
		n = n < 0 ? 0 : n;
	}
	len = 0;
	for (int i = 0; i < count; i++) {
		if ((long)event[i].res < 0) {
			errno = -event[i].res;
			return -1;
		}
		len += event[i].res;
	}
	if (cmd == IOCB_CMD_PREAD)
		op_put(out, data, len);
	return len;
}

static long op_uring(struct view *v, int fd, const struct op *op, struct op_out *out)
{
	static const int how[] = {
		IORING_OP_READ, IORING_OP_WRITE, IORING_OP_WRITE, IORING_OP_FSYNC,
		IORING_OP_FALLOCATE,
	};
	struct io_uring_sqe sqe = { .opcode = how[op->x % 5], .fd = fd };
	size_t len;
	off_t off;
	int ret;

	if (!v->has_ring)
		return 0;
	place(op, fd, &off, &len);
	sqe.off = off;
	switch (sqe.opcode) {
	case IORING_OP_WRITE:
		op_fill(op, len);
		/* fall through */
	case IORING_OP_READ:
		sqe.addr = (unsigned long)data;
		sqe.len = len;
		/* By a thread of the kernel's own. */
		if (op->x & 0x200)
			sqe.flags = IOSQE_ASYNC;
		break;
	case IORING_OP_FSYNC:
		sqe.off = 0;
		sqe.fsync_flags = op->x & 0x200 ? IORING_FSYNC_DATASYNC : 0;
		break;
	case IORING_OP_FALLOCATE:
		sqe.addr = len;	/* the length; len is the mode */
		sqe.len = op->x & 0x200 ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE : 0;
		break;
	}
	ret = uring_do(&v->ring, &sqe);
	if (ret < 0) {
		errno = -ret;
		return -1;
	}
	if (sqe.opcode == IORING_OP_READ)
		op_put(out, data, ret);
	return ret;
}

/* What a pipe holds at once. */
#define PIPE_ROOM 65536

static long op_splice_in(struct view *v, int fd, const struct op *op)
{
	size_t len = op->len < PIPE_ROOM ? op->len : PIPE_ROOM, done = 0;
	loff_t off = op->off;
	ssize_t n = 0, m;

	if (op_direct(fd))
		return 0;
	op_fill(op, len);
	if (write(v->pipe[1], data, len) != (ssize_t)len)
		abort();
	while (done < len) {
		n = splice(v->pipe[0], NULL, fd, &off, len - done, 0);
		if (n <= 0)
			break;
		done += n;
	}
	m = errno;
	/* What was not taken must not be the next one's. */
	for (size_t left = len - done; left; ) {
		ssize_t r = read(v->pipe[0], data, left);

		if (r <= 0)
			abort();
		left -= r;
	}
	errno = m;
	return done ? (long)done : n;
}

static long op_splice_out(struct view *v, int fd, const struct op *op, struct op_out *out)
{
	size_t len = op->len < PIPE_ROOM / 2 ? op->len : PIPE_ROOM / 2, done = 0;
	loff_t off = op->off;
	ssize_t n = 0;

	if (op_direct(fd))
		return 0;
	while (done < len) {
		n = splice(fd, &off, v->pipe[1], NULL, len - done, SPLICE_F_NONBLOCK);
		if (n <= 0)
			break;
		if (read(v->pipe[0], data, n) != n)
			abort();
		op_put(out, data, n);
		done += n;
	}
	return done ? (long)done : n;
}

static bool same_file(int a, int b)
{
	struct stat st[2];

	return !fstat(a, &st[0]) && !fstat(b, &st[1]) && st[0].st_ino == st[1].st_ino;
}

static long op_sendfile(int from, int to, const struct op *op)
{
	size_t done = 0;
	off_t off = op->off2;
	ssize_t n = 0;

	if (op_direct(from) || op_direct(to))
		return 0;
	/* What it reads would hang on how much it takes at a time. */
	if (same_file(from, to) && llabs(op->off - op->off2) <= (long long)op->len)
		return 0;
	if (lseek(to, op->off, SEEK_SET) < 0)
		return -1;
	while (done < op->len) {
		n = sendfile(to, from, &off, op->len - done);
		if (n <= 0)
			break;
		done += n;
	}
	return done ? (long)done : n;
}

static long op_copy(int from, int to, const struct op *op)
{
	loff_t off_in = op->off2, off_out = op->off;
	size_t done = 0, len = op->len;
	struct stat st;
	ssize_t n = 0;

	/* Where it cannot be aligned, how much is copied before that fails differs. */
	if ((fcntl(from, F_GETFL) | fcntl(to, F_GETFL)) & O_DIRECT) {
		off_in -= off_in % DATA_PAGE;
		off_out -= off_out % DATA_PAGE;
		len -= len % DATA_PAGE;
		if (fstat(from, &st) || off_in + (loff_t)len > st.st_size)
			return 0;
	}
	while (done < len) {
		n = copy_file_range(from, &off_in, to, &off_out, len - done, 0);
		if (n <= 0)
			break;
		done += n;
	}
	return done ? (long)done : n;
}

static long op_clone(int from, int to, const struct op *op)
{
	struct file_clone_range range = {
		.src_fd = from,
		.src_offset = op->off2 - op->off2 % DATA_PAGE,
		.src_length = op->len / DATA_PAGE * DATA_PAGE,
		.dest_offset = op->off - op->off % DATA_PAGE,
	};

	return op->x & 0x200 ? ioctl(to, FICLONE, from) : ioctl(to, FICLONERANGE, &range);
}

/* Changes no byte, whatever it says. */
static long op_dedupe(int from, int to, const struct op *op, struct op_out *out)
{
	union {
		struct file_dedupe_range range;
		char room[sizeof(struct file_dedupe_range) +
			  sizeof(struct file_dedupe_range_info)];
	} u = { .range = { .src_offset = op->off2 - op->off2 % DATA_PAGE,
			   .src_length = op->len / DATA_PAGE * DATA_PAGE,
			   .dest_count = 1 } };

	u.range.info[0].dest_fd = to;
	u.range.info[0].dest_offset = op->off - op->off % DATA_PAGE;
	out->loose = true;
	return ioctl(from, FIDEDUPERANGE, &u.range);
}

static long op_sync(int fd, const struct op *op)
{
	switch (op->x % 5) {
	case 0:
		return fdatasync(fd);
	case 1:
		return sync_file_range(fd, op->off, op->len, SYNC_FILE_RANGE_WRITE |
				       SYNC_FILE_RANGE_WAIT_AFTER);
	case 2:
		return op->x % 3 ? fsync(fd) : syncfs(fd);
	default:
		return fsync(fd);
	}
}

static long op_advise(int fd, const struct op *op)
{
	static const int advice[] = {
		POSIX_FADV_DONTNEED, POSIX_FADV_WILLNEED, POSIX_FADV_RANDOM,
		POSIX_FADV_SEQUENTIAL, POSIX_FADV_NORMAL,
	};

	if (op->x % 6 == 5)
		return readahead(fd, op->off, op->len);
	errno = posix_fadvise(fd, op->off, op->len, advice[op->x % 6]);
	return errno ? -1 : 0;
}

static long op_meta(const struct view *v, const struct op *op)
{
	struct timespec ts[2] = { { op->off, 7 }, { op->off2, 9 } };
	const char *path = view_path(v, op->file, op->x);

	switch (op->x % 4) {
	case 0:
		return chmod(path, 0600 + (op->x >> 8) % 0100);
	case 1:
		return utimensat(AT_FDCWD, path, ts, 0);
	case 2:
		return setxattr(path, "user.fuzz", "value", op->len % 6, 0);
	default:
		return chown(path, op->len % 3, op->len % 5);
	}
}

static long op_stat(const struct view *v, const struct op *op, struct op_out *out)
{
	struct stat st;
	char line[128];

	if (stat(view_path(v, op->file, op->x), &st))
		return -1;
	op_put(out, line, snprintf(line, sizeof(line), "mode %o owner %u:%u size %lld nlink %u",
				st.st_mode, st.st_uid, st.st_gid, (long long)st.st_size,
				(unsigned int)st.st_nlink));
	return 0;
}

static long op_exec(const struct view *v)
{
	const char *path = join(v->root, "prog");
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		execl(path, "true", (char *)NULL);
		_exit(100 + errno % 100);
	}
	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return status;
}

static long do_view_op(struct view *v, const struct op *op, struct op_out *out)
{
	unsigned int other = op->x % DATA_SLOTS;
	int fd = v->fd[op->slot];

	switch (op->kind) {
	case OP_OPEN:
		return op_open(v, op);
	case OP_TRUNCATE:
		return truncate(view_path(v, op->file, op->x), op->off);
	case OP_META:
		return op_meta(v, op);
	case OP_STAT:
		return op_stat(v, op, out);
	case OP_RENAME:
		return rename(view_path(v, op->file, op->x),
			      view_path(v, op->file, (op->x & OP_THROUGH_SECOND) |
					(~op->x & (1u << 20))));
	case OP_LINK:
		return link(view_path(v, op->file, op->x),
			    view_path(v, op->file, (op->x & OP_THROUGH_SECOND) |
				      (~op->x & (1u << 20))));
	case OP_UNLINK:
		return unlink(view_path(v, op->file, op->x));
	case OP_EXEC:
		return op_exec(v);
	case OP_MUNMAP: case OP_LOAD: case OP_STORE: case OP_MSYNC: case OP_MADVISE:
	case OP_MLOCK: case OP_MPROTECT: case OP_MREMAP:
		return op_map(v, op, out);
	}
	if (fd < 0) {
		errno = EBADF;
		return -1;
	}
	switch (op->kind) {
	case OP_CLOSE:
		v->fd[op->slot] = -1;
		return close(fd);
	case OP_PREAD:
		return op_pread(fd, op, out);
	case OP_READ:
		return op_read(fd, op, out);
	case OP_PWRITE:
		return op_pwrite(fd, op);
	case OP_WRITE:
		return op_write(fd, op, out);
	case OP_FTRUNCATE:
		return ftruncate(fd, op->off);
	case OP_FALLOCATE:
		return op_fallocate(fd, op);
	case OP_SEEK:
		return check_seek(fd, op->off);
	case OP_FIEMAP:
		return check_fiemap(fd, op->off, op->len);
	case OP_AIO:
		return op_aio(v, fd, op, out);
	case OP_URING:
		return op_uring(v, fd, op, out);
	case OP_SPLICE_IN:
		return op_splice_in(v, fd, op);
	case OP_SPLICE_OUT:
		return op_splice_out(v, fd, op, out);
	case OP_SENDFILE:
		return op_sendfile(v->fd[other], fd, op);
	case OP_COPY:
		return op_copy(v->fd[other], fd, op);
	case OP_CLONE:
		return op_clone(v->fd[other], fd, op);
	case OP_DEDUPE:
		return op_dedupe(v->fd[other], fd, op, out);
	case OP_MMAP:
		return op_mmap(v, fd, op, out);
	case OP_MAP_WRITE: case OP_MAP_READ:
		return op_map(v, op, out);
	case OP_SYNC:
		return op_sync(fd, op);
	case OP_WHOLE:
		/* Changes nothing that can be seen; not for the plain file. */
		if (v->plain || (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY)
			return 0;
		return ioctl(fd, VENEER_IOC_MAKE_WHOLE);
	case OP_ADVISE:
		return op_advise(fd, op);
	}
	abort();
}

void do_op(struct view *v, const struct op *op, struct op_out *out)
{
	out->len = 0;
	out->loose = false;
	errno = 0;
	out->ret = do_view_op(v, op, out);
	out->err = out->ret == -1 ? errno : 0;
}
