// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "control.h"
#include "faultop.h"

/* More than WHOLE_LIMIT: such files are split; they are small enough to be read often. */
#define BIG	60000
#define MANY	30000	/* of its bytes, over the ends of blocks */
#define WHOLE_LIMIT "8192"
#define RW	(O_RDWR | O_CLOEXEC)

static struct {
	struct posix_acl_xattr_header header;
	struct posix_acl_xattr_entry entry[5];
} acl = {
	.header.a_version = POSIX_ACL_XATTR_VERSION,
	.entry = {
		{ ACL_USER_OBJ, 6, ACL_UNDEFINED_ID },
		{ ACL_USER, 4, 77 },
		{ ACL_GROUP_OBJ, 4, ACL_UNDEFINED_ID },
		{ ACL_MASK, 6, ACL_UNDEFINED_ID },
		{ ACL_OTHER, 0, ACL_UNDEFINED_ID },
	},
};

static int put_link(struct world *w, const char *from, const char *to)
{
	const char *layer = w->layer[w->nlayers - 1];

	return link(join(layer, from), join(layer, to)) ||
	       link(join(w->plain, from), join(w->plain, to));
}

static int put_objects(struct world *w)
{
	return put_dir(w, "d", 0755) || put_dir(w, "d/sub", 0755) ||
	       put_text(w, "d/sub/inside", "inside\n") ||
	       put_text(w, "d/x", "x\n") || put_text(w, "d/gone", "gone\n") ||
	       put_dir(w, "d/gonedir", 0755) ||
	       put_dir(w, "empty", 0755) || put_dir(w, "inherit", 0755) ||
	       put_xattr(w, "inherit", "system.posix_acl_default", &acl, sizeof(acl)) ||
	       put_text(w, "inherit/gone", "gone\n") ||
	       put_dir(w, "emptied", 0755) || put_text(w, FAULT_REMOVED, "x\n") ||
	       put_dir(w, "origin", 0755) || put_text(w, "origin/x", "x\n") ||
	       put_dir(w, "before", 0755) || put_text(w, "before/x", "x\n") ||
	       put_dir(w, "e", 0755) || put_dir(w, "e/a", 0755) ||
	       put_pattern(w, "e/a/big", BIG, 1) ||
	       put_pattern(w, "small", 3000, 2) || put_owner(w, "small", 12, 34) ||
	       put_mode(w, "small", 04755) ||
	       put_xattr(w, "small", "user.kept", "kept", 4) ||
	       put_pattern(w, "big", BIG, 3) || put_pattern(w, "chain", BIG, 4) ||
	       put_pattern(w, "split", BIG, 5) || put_pattern(w, "meta", 3000, 6) ||
	       put_pattern(w, "d/linked", BIG, 7) || put_link(w, "d/linked", "linked") ||
	       put_link(w, "d/linked", "e/linked") ||
	       put_symlink(w, "link", "small") ||
	       put_node(w, "fifo", S_IFIFO | 0644, 0);
}

static int write_at(const char *path, off_t pos, size_t len, unsigned int seed)
{
	int fd = open(path, RW), ret;
	static char buf[MANY];

	if (fd < 0)
		return -1;
	fill_pattern(buf, len, 0, seed);
	ret = pwrite(fd, buf, len, pos) == (ssize_t)len ? 0 : -1;
	return close(fd) ?: ret;
}

int fault_world(struct world *w)
{
	if (world_begin(w, IN_LOWER))
		return -1;
	w->option[0][0] = "whole_limit";
	w->option[0][1] = WHOLE_LIMIT;
	if (put_objects(w) || world_mount(w) ||
	    write_at(join(w->mnt, "chain"), 20000, 5000, 11) ||
	    write_at(join(w->plain, "chain"), 20000, 5000, 11) ||
	    rename(join(w->mnt, "before"), join(w->mnt, "renamed")) ||
	    rename(join(w->plain, "before"), join(w->plain, "renamed")))
		return -1;
	return world_deepen(w);
}

int fault_stage(const char *in)
{
	return write_at(join(in, "split"), 10000, 100, 12) ||
	       chmod(join(in, "meta"), 0600) ||
	       unlink(join(in, "d/gone")) || rmdir(join(in, "d/gonedir")) ||
	       unlink(join(in, "inherit/gone")) ||
	       unlink(join(in, FAULT_REMOVED)) ||
	       rename(join(in, "origin"), join(in, "moved")) ||
	       mkdir(join(in, "up"), 0755) || mkdir(join(in, "up/empty"), 0755) ||
	       write_text(join(in, "up/f"), "a file of the upper\n") ||
	       write_text(join(in, "up/g"), "another\n") ||
	       setxattr(join(in, "up/f"), "user.there", "there", 5, 0);
}

/* Writing takes the bit away from the file of whoever has not this capability. */
static int set_fsetid(bool on)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		return -1;
	if (on)
		data[0].effective |= 1 << CAP_FSETID;
	else
		data[0].effective &= ~(1 << CAP_FSETID);
	return syscall(SYS_capset, &header, data);
}

void fault_end(struct fault_run *r)
{
	if (r->map)
		munmap(r->map, BIG);
	if (r->fd >= 0)
		close(r->fd);
	set_fsetid(true);
	r->map = NULL;
	r->fd = -1;
}

/* What an operation is: a call, what was opened before it, what else is to say. */
#define OP(name, call, ...)						\
	static long run_##name(struct fault_run *r)			\
	{								\
		return SYS(call);					\
	}								\
	const struct fault_op fault_##name = { .run = run_##name, __VA_ARGS__ }

#define OPENED(name, path, flags, call, ...)				\
	static int begin_##name(struct fault_run *r)			\
	{								\
		r->fd = openat(r->at, path, (flags) | O_CLOEXEC, 0640);	\
		return r->fd < 0 ? -1 : 0;				\
	}								\
	OP(name, call, .begin = begin_##name, __VA_ARGS__)

#define P(rel) join(r->in, rel)

/* Opened and closed again; closing has no part in it. */
static int opens(int fd)
{
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static long write_some(int fd, size_t len, off_t pos, unsigned int seed)
{
	static char buf[MANY];

	if (fd < 0)
		return -1;
	fill_pattern(buf, len, 0, seed);
	return pos < 0 ? write(fd, buf, len) : pwrite(fd, buf, len, pos);
}

static long open_and_write(int at, const char *path, off_t pos)
{
	int fd = openat(at, path, O_WRONLY | O_CLOEXEC), err;
	long ret = write_some(fd, 100, pos, 21);

	err = errno;
	if (fd >= 0)
		close(fd);
	errno = err;
	return ret;
}

OP(open_write, opens(openat(r->at, "e/a/big", RW)));
OP(open_trunc, opens(openat(r->at, "big", RW | O_TRUNC)), .bytes = "big", .cut = true,
   .intact = true);
OP(open_read, opens(openat(r->at, "chain", O_RDONLY | O_CLOEXEC)));
OPENED(write_small, "small", O_RDWR, write_some(r->fd, 100, 50, 21), .bytes = "small");
OPENED(write_below, "big", O_RDWR, write_some(r->fd, 100, 10000, 21), .bytes = "big");
OP(write_deep, open_and_write(r->at, "e/a/big", 10000), .bytes = "e/a/big");
OPENED(write_split, "split", O_RDWR, write_some(r->fd, 100, 30000, 21), .bytes = "split");
OPENED(write_many, "split", O_RDWR, write_some(r->fd, MANY, 10000, 21), .bytes = "split");
OP(write_meta, open_and_write(r->at, "meta", 50), .bytes = "meta");
OP(write_linked, open_and_write(r->at, "linked", 10000), .bytes = "d/linked");
OP(write_chain, open_and_write(r->at, "chain", 22000), .bytes = "chain");
OPENED(write_sync, "big", O_RDWR | O_SYNC, write_some(r->fd, 100, 10000, 21), .bytes = "big");
OPENED(append, "big", O_RDWR | O_APPEND, write_some(r->fd, 5000, -1, 21),
       .bytes = "big", .cut = true);
static int begin_write_setuid(struct fault_run *r)
{
	r->fd = openat(r->at, "small", RW);
	return r->fd < 0 || set_fsetid(false) ? -1 : 0;
}

OP(write_setuid, write_some(r->fd, 100, 50, 21), .begin = begin_write_setuid,
   .bytes = "small");

/* Memory of a mapping is read or written, and a fault may end in a signal. */
static sigjmp_buf no_page;

static void on_bus(int sig)
{
	siglongjmp(no_page, 1);
}

static int map_file(struct fault_run *r, const char *path, int flags, int prot)
{
	r->fd = openat(r->at, path, flags | O_CLOEXEC);
	if (r->fd < 0)
		return -1;
	r->map = mmap(NULL, BIG, prot, MAP_SHARED, r->fd, 0);
	if (r->map == MAP_FAILED)
		r->map = NULL;
	signal(SIGBUS, on_bus);
	return r->map ? 0 : -1;
}

static int store(struct fault_run *r)
{
	if (sigsetjmp(no_page, 1)) {
		errno = ENOMEM;
		return -1;
	}
	memset((char *)r->map + 10000, 'm', 100);
	return 0;
}

static long load(struct fault_run *r)
{
	const unsigned char *p = r->map;
	long sum = 0;

	if (sigsetjmp(no_page, 1)) {
		errno = ENOMEM;
		return -1;
	}
	for (int i = 0; i < BIG; i += 1000)
		sum += p[i];
	return sum;
}

static int begin_store(struct fault_run *r)
{
	return map_file(r, "big", O_RDWR, PROT_READ | PROT_WRITE);
}

static int begin_append_mapped(struct fault_run *r)
{
	return map_file(r, "big", O_RDWR | O_APPEND, PROT_READ | PROT_WRITE);
}

static int begin_msync(struct fault_run *r)
{
	return begin_store(r) ?: store(r);
}

static int begin_store_linked(struct fault_run *r)
{
	return map_file(r, "linked", O_RDWR, PROT_READ | PROT_WRITE);
}

static int begin_load(struct fault_run *r)
{
	return map_file(r, "chain", O_RDONLY, PROT_READ);
}

OP(store, store(r), .begin = begin_store, .bytes = "big");
OP(msync, msync(r->map, BIG, MS_SYNC), .begin = begin_msync, .bytes = "big");
OP(write_mapped, write_some(r->fd, 20000, 10000, 21), .begin = begin_store, .bytes = "big");
OP(append_mapped, write_some(r->fd, 20000, -1, 21), .begin = begin_append_mapped,
   .bytes = "big", .cut = true);
OP(store_linked, store(r), .begin = begin_store_linked, .bytes = "d/linked");
OP(load, load(r), .begin = begin_load);

OP(truncate_small, truncate(P("small"), 1000), .bytes = "small", .cut = true,
   .intact = true);
OP(truncate_below, truncate(P("big"), 20001), .bytes = "big", .cut = true,
   .intact = true);
OP(truncate_split, truncate(P("split"), 20001), .bytes = "split", .cut = true);
OP(truncate_up, truncate(P("split"), 80001), .bytes = "split", .cut = true);
OP(truncate_meta, truncate(P("meta"), 1000), .bytes = "meta", .cut = true);
OPENED(truncate_zero, "split", O_RDWR, ftruncate(r->fd, 0), .bytes = "split", .cut = true);
OP(truncate_linked, truncate(P("linked"), 20001), .bytes = "d/linked", .cut = true,
   .intact = true);
OPENED(punch, "big", O_RDWR,
       fallocate(r->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 10000, 10000),
       .bytes = "big");
OPENED(allocate, "split", O_RDWR, fallocate(r->fd, 0, 10000, 60000),
       .bytes = "split", .cut = true);

static int begin_fsync(struct fault_run *r)
{
	r->fd = openat(r->at, "big", RW);
	return r->fd < 0 || write_some(r->fd, 100, 10000, 21) < 0 ? -1 : 0;
}

static int begin_fsync_deep(struct fault_run *r)
{
	r->fd = openat(r->at, "e/a/big", RW);
	return r->fd < 0 || write_some(r->fd, 100, 10000, 21) < 0 ? -1 : 0;
}

/* Its last block is in the upper with this: the map has no use any more. */
static int begin_fdatasync(struct fault_run *r)
{
	r->fd = openat(r->at, "split", RW);
	return r->fd < 0 || write_some(r->fd, MANY, 0, 22) < 0 ||
	       write_some(r->fd, BIG - MANY, MANY, 23) < 0 ? -1 : 0;
}

static long close_it(struct fault_run *r)
{
	int fd = r->fd;

	r->fd = -1;
	return fd < 0 ? 0 : close(fd);
}

OP(fsync, fsync(r->fd), .begin = begin_fsync);
OP(fsync_deep, fsync(r->fd), .begin = begin_fsync_deep);
OP(fdatasync, fdatasync(r->fd), .begin = begin_fdatasync);
OP(close, close_it(r), .begin = begin_fsync);
OP(sync, syncfs(r->fd), .begin = begin_fsync);

/* What the module alone has is nothing to the plain directory. */
static bool is_plain(const struct fault_run *r)
{
	return r->in == r->w->plain;
}

static int map_of(int fd)
{
	struct veneer_range range[8];
	struct veneer_map arg = {
		.size = sizeof(arg), .nr = 8, .ranges = (uintptr_t)range,
	};

	return ioctl(fd, VENEER_IOC_MAP, &arg);
}

OPENED(make_whole, "split", O_RDWR, is_plain(r) ? 0 : ioctl(r->fd, VENEER_IOC_MAKE_WHOLE));
OPENED(map, "split", O_RDONLY, is_plain(r) ? 0 : map_of(r->fd));
OPENED(seek, "split", O_RDONLY, lseek(r->fd, 0, SEEK_DATA));

static long copy_range(struct fault_run *r)
{
	int from = openat(r->at, "chain", O_RDONLY | O_CLOEXEC), err;
	off_t in = 10000, out = 20000;
	long ret = from < 0 ? -1 : copy_file_range(from, &in, r->fd, &out, 20000, 0);

	err = errno;
	if (from >= 0)
		close(from);
	errno = err;
	return ret;
}

/* A filesystem that cannot is as good as one that has done nothing. */
static int clone(struct fault_run *r)
{
	int from = openat(r->at, "up/f", O_RDONLY | O_CLOEXEC), ret, err;

	if (from < 0)
		return -1;
	ret = ioctl(r->fd, FICLONE, from);
	err = errno;
	close(from);
	errno = err;
	return ret && err == EOPNOTSUPP ? 0 : ret;
}

OPENED(copy_range, "split", O_RDWR, copy_range(r), .bytes = "split");
OPENED(clone, "up/g", O_RDWR, clone(r), .bytes = "up/g", .cut = true);

/* To the end, in as many steps as it takes. */
static long sum_of(int fd)
{
	static unsigned char buf[BIG];
	long sum = 0;
	off_t pos = 0;
	ssize_t n;

	while ((n = pread(fd, buf, BIG, pos)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			sum = (sum * 31 + buf[i]) & 0xffffff;
		pos += n;
	}
	return n < 0 ? -1 : sum;
}

OPENED(read_below, "big", O_RDONLY, sum_of(r->fd));
OPENED(read_split, "split", O_RDONLY, sum_of(r->fd));
OPENED(read_chain, "chain", O_RDONLY, sum_of(r->fd));

#define CREATE (O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC)

OP(create, opens(openat(r->at, "d/new", CREATE, 0640)));
OP(create_over, opens(openat(r->at, "d/gone", CREATE, 0640)));
OP(create_deep, opens(openat(r->at, "e/a/new", CREATE, 0640)));
OP(mkdir, mkdirat(r->at, "d/new", 0750));
OP(mkdir_over, mkdirat(r->at, "d/gonedir", 0750));
OP(mkdir_acl, mkdirat(r->at, "inherit/gone", 0770));
OP(mknod, mknodat(r->at, "empty/new", S_IFIFO | 0640, 0));
OP(mknod_over, mknodat(r->at, "inherit/gone", S_IFCHR | 0640, makedev(1, 3)));
OP(cdev0, mknodat(r->at, "d/new", S_IFCHR | 0640, makedev(0, 0)));
OP(symlink, symlinkat("target", r->at, "d/new"));
OP(symlink_over, symlinkat("target", r->at, "d/gone"));
OP(tmpfile, opens(openat(r->at, "e", O_TMPFILE | RW, 0640)));
OP(link, linkat(r->at, "e/a/big", r->at, "d/new", 0));
OP(link_over, linkat(r->at, "small", r->at, "d/gone", 0), .tail = true);
OP(link_linked, linkat(r->at, "linked", r->at, "d/new", 0));
OP(link_upper, linkat(r->at, "up/f", r->at, "up/new", 0));

static int begin_link_tmpfile(struct fault_run *r)
{
	r->fd = openat(r->at, "d", O_TMPFILE | RW, 0640);
	return r->fd < 0 || write(r->fd, "nameless", 8) != 8 ? -1 : 0;
}

OP(link_tmpfile, linkat(r->fd, "", r->at, "d/gone", AT_EMPTY_PATH),
   .begin = begin_link_tmpfile, .tail = true);

OP(unlink, unlinkat(r->at, "d/x", 0));
OP(unlink_upper, unlinkat(r->at, "up/f", 0));
OP(unlink_meta, unlinkat(r->at, "meta", 0));
OP(unlink_split, unlinkat(r->at, "split", 0));
OP(unlink_linked, unlinkat(r->at, "d/linked", 0), .tail = true);
OPENED(unlink_open, "split", O_RDWR, unlinkat(r->at, "split", 0));
OP(rmdir, unlinkat(r->at, "empty", AT_REMOVEDIR));
OP(rmdir_upper, unlinkat(r->at, "up/empty", AT_REMOVEDIR));
OP(rmdir_emptied, unlinkat(r->at, "emptied", AT_REMOVEDIR));

#define RENAME(name, from, to, flags)					\
	OP(name, renameat2(r->at, from, r->at, to, flags))

RENAME(rename, "small", "d/new", 0);
RENAME(rename_upper, "up/f", "up/new", 0);
RENAME(rename_over, "d/x", "big", 0);
RENAME(rename_split, "split", "e/a/new", RENAME_NOREPLACE);
RENAME(rename_over_upper, "big", "up/f", 0);
RENAME(rename_linked, "d/linked", "new", 0);
RENAME(rename_over_linked, "small", "linked", 0);
RENAME(rename_dir, "d", "new", 0);
RENAME(rename_dir_again, "moved", "up/new", 0);
RENAME(rename_dir_deep, "e/a", "d/new", 0);
RENAME(rename_dir_over, "d/sub", "empty", 0);
RENAME(rename_dir_over_emptied, "d", "emptied", 0);
RENAME(rename_upper_dir_over, "up", "empty", 0);
RENAME(rename_to_whiteout, "big", "d/gone", 0);
RENAME(rename_dir_to_whiteout, "up", "d/gonedir", 0);
RENAME(exchange, "small", "d", RENAME_EXCHANGE);
RENAME(exchange_dirs, "e/a", "up", RENAME_EXCHANGE);
RENAME(exchange_linked, "linked", "up/f", RENAME_EXCHANGE);
RENAME(whiteout, "d/x", "up/new", RENAME_WHITEOUT);

static const struct timespec fixed[2] = { { 1000, 1000 }, { 2000, 2000 } };

static int set_flag(int fd)
{
	int flags;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags))
		return -1;
	flags |= FS_NODUMP_FL;
	return ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

OP(chmod, fchmodat(r->at, "small", 0600, 0));
OP(chmod_deep, fchmodat(r->at, "e/a/big", 0600, 0));
OP(chmod_dir, fchmodat(r->at, "e/a", 0700, 0));
OP(chmod_linked, fchmodat(r->at, "e/linked", 0600, 0));
OP(chown, fchownat(r->at, "link", 7, 8, AT_SYMLINK_NOFOLLOW));
OP(utimens, utimensat(r->at, "e/a", fixed, 0));
OP(setxattr, setxattr(P("small"), "user.new", "value", 5, 0));
OP(setxattr_upper, setxattr(P("up/f"), "user.there", "another", 7, XATTR_REPLACE));
OP(removexattr, removexattr(P("small"), "user.kept"));
OP(set_acl, setxattr(P("big"), "system.posix_acl_access", &acl, sizeof(acl), 0));
OP(set_default_acl, setxattr(P("e"), "system.posix_acl_default", &acl, sizeof(acl), 0));
OPENED(chattr, "e/a", O_RDONLY, set_flag(r->fd));

static long look(int at, const char *path)
{
	struct stat st;

	if (fstatat(at, path, &st, AT_SYMLINK_NOFOLLOW))
		return -1;
	return st.st_mode + 10000 * (S_ISREG(st.st_mode) ? st.st_size : 0);
}

/* The sum does not depend on the order. */
static long list(int at, const char *path)
{
	char buf[1024];
	long n, sum = 0;
	int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;

	if (fd < 0)
		return -1;
	while ((n = getdents64(fd, buf, sizeof(buf))) > 0) {
		struct dirent64 *de;

		for (long i = 0; i < n; i += de->d_reclen) {
			long h = 0;

			de = (void *)(buf + i);
			for (const char *p = de->d_name; *p; p++)
				h = (h * 31 + *p) & 0xffff;
			sum += h * 16 + de->d_type;
		}
	}
	err = errno;
	close(fd);
	errno = err;
	return n < 0 ? -1 : sum;
}

static int handle(int at, const char *path, bool cold)
{
	struct {
		struct file_handle fh;
		unsigned char space[MAX_HANDLE_SZ];
	} h = { .fh.handle_bytes = MAX_HANDLE_SZ };
	int mount_id;

	if (name_to_handle_at(at, path, &h.fh, &mount_id, 0) || (cold && drop_caches()))
		return -1;
	return opens(open_by_handle_at(at, &h.fh, O_PATH | O_CLOEXEC));
}

static long read_link(int at)
{
	char buf[64];

	return readlinkat(at, "link", buf, sizeof(buf));
}

static long get_xattr(const char *path)
{
	char buf[64];

	return getxattr(path, "user.kept", buf, sizeof(buf));
}

static long list_xattr(const char *path)
{
	char buf[1024];
	long n = listxattr(path, buf, sizeof(buf));

	/* A security module has names of its own: only that it can be done. */
	return n < 0 ? -1 : 0;
}

static long stat_fs(const char *path)
{
	struct statfs st;

	return statfs(path, &st);
}

static long look_for_missing(int at)
{
	long ret = look(at, "e/a/missing");

	return ret == -1 && errno == ENOENT ? 0 : -1;
}

OP(lookup, look(r->at, "e/a/big"));
OP(lookup_upper, look(r->at, "up/f"));
OP(lookup_linked, look(r->at, "e/linked"));
OP(lookup_split, look(r->at, "split"));
OP(lookup_missing, look_for_missing(r->at));
OP(list, list(r->at, "d"));
OP(list_root, list(r->at, "."));
OP(list_moved, list(r->at, "moved"));
OP(readlink, read_link(r->at));
OP(getxattr, get_xattr(P("small")));
OP(listxattr, list_xattr(P("small")));
OP(handle, handle(r->at, "e/a/big", false));
OP(handle_moved, handle(r->at, "moved/x", true));
OP(handle_renamed, handle(r->at, "renamed/x", true));
OP(statfs, stat_fs(P("e")));

static long read_maps(struct fault_run *r)
{
	char buf[4096];
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC), err;
	long n = 1;

	while (fd >= 0 && n > 0)
		n = read(fd, buf, sizeof(buf));
	err = errno;
	if (fd >= 0)
		close(fd);
	errno = err;
	return fd < 0 ? -1 : n;
}

OP(maps, read_maps(r), .begin = begin_load);

static int begin_mount(struct fault_run *r)
{
	return world_umount(r->w);
}

static int mount_it(struct fault_run *r)
{
	/* What came half of the way before. */
	if (r->w->mounted)
		world_umount(r->w);
	return world_mount(r->w);
}

static int umount_it(struct fault_run *r)
{
	return world_umount(r->w);
}

static int remount_it(struct fault_run *r)
{
	return mount(NULL, r->in, NULL, MS_REMOUNT | MS_RDONLY, NULL) ?:
		mount(NULL, r->in, NULL, MS_REMOUNT, NULL);
}

OP(mount, mount_it(r), .begin = begin_mount, .alone = true);
OP(remount, remount_it(r), .alone = true);
/* What is not written yet is lost when it cannot be; nobody is told by this call. */
static int begin_umount(struct fault_run *r)
{
	return syncfs(r->at);
}

OP(umount, umount_it(r), .begin = begin_umount, .alone = true);
