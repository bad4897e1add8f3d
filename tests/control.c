// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The control interface: every ioctl on every kind of file, structs of other
 * sizes than today's, and every error. What a stack's descriptor is good for
 * is in stackfd.c.
 */
#include "testing.h"

#include <grp.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "control.h"

/* The kinds of files that there are. */
enum kind { DEVICE, STACK, FILE_, DIR_, OTHER, KINDS };

FIXTURE(control)
{
	struct world w;
	int fd[KINDS];
};

FIXTURE_SETUP(control)
{
	struct world *w = &self->w;
	const char *layers[2];

	for (int i = 0; i < KINDS; i++)
		self->fd[i] = -1;
	OK(world_begin(w, IN_LOWER));
	w->no_compare = true;
	if (world_is_overlay())
		SKIP(return, "overlayfs: has no control interface");
	OK(put_dir(w, "d", 0755));
	OK(put_text(w, "d/file", "a file\n"));
	OK(put_pattern(w, "d/big", 1 << 20, 1));
	OK(put_pattern(w, "d/more", 131000, 2));
	OK(put_text(w, "d/empty", ""));
	OK(write_text(L("d/upmost"), "in layer 0\n"));
	layers[0] = w->layer[0];
	layers[1] = w->layer[1];
	OK(world_mount(w));
	self->fd[DEVICE] = OK(control_open());
	self->fd[STACK] = OK(stack_open(self->fd[DEVICE], layers, 2, 0));
	self->fd[FILE_] = OK(open(M("d/file"), O_RDONLY | O_CLOEXEC));
	self->fd[DIR_] = OK(open(M("d"), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	self->fd[OTHER] = OK(open(w->plain, O_RDONLY | O_CLOEXEC));
}

FIXTURE_TEARDOWN(control)
{
	for (int i = 0; i < KINDS; i++)
		if (self->fd[i] >= 0)
			close(self->fd[i]);
	FINISH(&self->w);
}

static const struct {
	const char *name;
	unsigned long cmd;
	unsigned int size;		/* of its struct; 0: has none */
	enum cxx_struct cxx;
	bool on[KINDS];
} ioctls[] = {
	{ "VERSION", VENEER_IOC_VERSION, sizeof(struct veneer_version),
	  CXX_VERSION, { true, true, true, true, false } },
	{ "STACK_OPEN", VENEER_IOC_STACK_OPEN, sizeof(struct veneer_stack_open),
	  CXX_STACK_OPEN, { true, false, false, false, false } },
	{ "STACK_INFO", VENEER_IOC_STACK_INFO, sizeof(struct veneer_stack_info),
	  CXX_STACK_INFO, { false, true, true, true, false } },
	{ "STACK_LIST", VENEER_IOC_STACK_LIST, sizeof(struct veneer_stack_list),
	  CXX_STACK_LIST, { true, false, false, false, false } },
	{ "COUNTERS", VENEER_IOC_COUNTERS, sizeof(struct veneer_counters),
	  CXX_COUNTERS, { false, false, true, true, false } },
	{ "MAP", VENEER_IOC_MAP, sizeof(struct veneer_map),
	  CXX_MAP, { false, false, true, true, false } },
	{ "MAKE_WHOLE", VENEER_IOC_MAKE_WHOLE, 0,
	  0, { false, false, true, true, false } },
	{ "GET_TUNABLES", VENEER_IOC_GET_TUNABLES, sizeof(struct veneer_tunables),
	  CXX_TUNABLES, { false, false, true, true, false } },
	{ "SET_TUNABLES", VENEER_IOC_SET_TUNABLES, sizeof(struct veneer_tunables),
	  CXX_TUNABLES, { false, false, true, true, false } },
};

TEST_F(control, wrong_file)
{
	static const char *const kind[] = { "/dev/veneer", "a stack", "a file",
					    "a directory", "another filesystem's file" };

	for (size_t i = 0; i < ARRAY_SIZE(ioctls); i++) {
		for (int k = 0; k < KINDS; k++) {
			int err;

			errno = 0;
			/* No struct at all: EFAULT says that it was looked for. */
			err = ioctl(self->fd[k], ioctls[i].cmd, NULL) ? errno : 0;
			CHECK((err == ENOTTY) == !ioctls[i].on[k], "%s on %s: %s",
			      ioctls[i].name, kind[k], err_name(err));
			if (ioctls[i].on[k] && ioctls[i].size)
				CHECK(err == EFAULT, "%s on %s: %s",
				      ioctls[i].name, kind[k], err_name(err));
		}
	}
	for (int k = 0; k < KINDS; k++) {
		char buf[64] = { 64 };

		FAILS(ENOTTY, ioctl(self->fd[k], _IO(VENEER_IOC_MAGIC, 0x69), buf));
		FAILS(ENOTTY, ioctl(self->fd[k], _IO(VENEER_IOC_MAGIC, 0x5f), buf));
	}
}

/* Sizes that are none, for every ioctl that takes a struct. */
TEST_F(control, sizes)
{
	static const struct { unsigned int size; int err; } bad[] = {
		{ 0, EINVAL }, { 4, EINVAL }, { 7, EINVAL }, { 12, EINVAL },
		{ 13, EINVAL }, { 4104, E2BIG }, { 1U << 31, E2BIG }, { -8U, E2BIG },
	};
	union {
		__u32 size;
		char bytes[8192];
	} arg;

	for (size_t i = 0; i < ARRAY_SIZE(ioctls); i++) {
		int fd = self->fd[ioctls[i].on[DEVICE] ? DEVICE : FILE_];

		if (!ioctls[i].size)
			continue;
		CHECK(cxx_size(ioctls[i].cxx) == ioctls[i].size,
		      "%s: %u bytes in C++, %u in C", ioctls[i].name,
		      cxx_size(ioctls[i].cxx), ioctls[i].size);
		for (size_t j = 0; j < ARRAY_SIZE(bad); j++) {
			int err;

			memset(&arg, 0, sizeof(arg));
			arg.size = bad[j].size;
			err = ioctl(fd, ioctls[i].cmd, &arg) ? errno : 0;
			CHECK(err == bad[j].err, "%s of size %u: %s", ioctls[i].name,
			      bad[j].size, err_name(err));
		}
		/* A later version's field, used: in its first byte and in its last. */
		for (int last = 0; last < 2; last++) {
			int err;

			memset(&arg, 0, sizeof(arg));
			arg.size = ioctls[i].size + 16;
			arg.bytes[ioctls[i].size + last * 15] = 1;
			err = ioctl(fd, ioctls[i].cmd, &arg) ? errno : 0;
			CHECK(err == E2BIG, "%s, larger: %s", ioctls[i].name,
			      err_name(err));
		}
	}
	EXPECT_EQ(sizeof(struct veneer_range), cxx_size(CXX_RANGE));
}

/* What only tells, told to programs that know less and more than it does. */
TEST_F(control, smaller_and_larger)
{
	for (size_t i = 0; i < ARRAY_SIZE(ioctls); i++) {
		int fd = self->fd[ioctls[i].on[DEVICE] ? DEVICE : FILE_];
		union {
			__u32 size;
			unsigned char bytes[256];
		} small, exact = { }, large = { };

		switch (ioctls[i].cmd) {
		case VENEER_IOC_VERSION:
		case VENEER_IOC_STACK_INFO:
		case VENEER_IOC_COUNTERS:
		case VENEER_IOC_GET_TUNABLES:
			break;
		default:
			continue;
		}
		memset(&small, 0xee, sizeof(small));
		small.size = 8;
		exact.size = ioctls[i].size;
		large.size = ioctls[i].size + 64;
		OK(ioctl(fd, ioctls[i].cmd, &small));
		OK(ioctl(fd, ioctls[i].cmd, &exact));
		OK(ioctl(fd, ioctls[i].cmd, &large));
		/* Each is told what the module knows, and no byte too many. */
		EXPECT_EQ(ioctls[i].size, small.size);
		EXPECT_EQ(ioctls[i].size, exact.size);
		EXPECT_EQ(ioctls[i].size, large.size);
		CHECK(!memcmp(small.bytes, exact.bytes, 8), "%s", ioctls[i].name);
		CHECK(!memcmp(large.bytes, exact.bytes, ioctls[i].size), "%s",
		      ioctls[i].name);
		for (size_t j = 8; j < sizeof(small); j++)
			CHECK(small.bytes[j] == 0xee, "%s wrote byte %zu of 8",
			      ioctls[i].name, j);
		for (size_t j = ioctls[i].size; j < sizeof(large); j++)
			CHECK(!large.bytes[j], "%s wrote byte %zu", ioctls[i].name, j);
	}
}

/* A struct at the end of what can be read, or in what cannot be written. */
TEST_F(control, memory)
{
	struct veneer_counters *c;
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, p);
	OK(mprotect(p + 4096, 4096, PROT_NONE));
	c = (void *)(p + 4096 - sizeof(*c));
	c->size = sizeof(*c);
	OK(ioctl(self->fd[FILE_], VENEER_IOC_COUNTERS, c));
	c = (void *)(p + 4096 - 8);
	c->size = sizeof(*c);
	FAILS(EFAULT, ioctl(self->fd[FILE_], VENEER_IOC_COUNTERS, c));
	c = (void *)p;
	c->size = sizeof(*c);
	OK(mprotect(p, 4096, PROT_READ));
	FAILS(EFAULT, ioctl(self->fd[FILE_], VENEER_IOC_COUNTERS, c));
	OK(munmap(p, 8192));
}

TEST_F(control, version)
{
	struct veneer_version v = { .size = sizeof(v) };
	char loaded[64] = "";

	OK(ioctl(self->fd[DEVICE], VENEER_IOC_VERSION, &v));
	EXPECT_EQ(VENEER_API_VERSION, v.api);
	CHECK(v.features & VENEER_FEATURE_STACK_FD, "features %llx",
	      (unsigned long long)v.features);
	CHECK(v.features & VENEER_FEATURE_SPLIT, "features %llx",
	      (unsigned long long)v.features);
	CHECK(v.features & VENEER_FEATURE_MAP, "features %llx",
	      (unsigned long long)v.features);
	OK(read_text("/sys/module/veneer/version", loaded, sizeof(loaded)));
	strtok(loaded, "\n");
	EXPECT_STREQ(loaded, v.module);
}

/* Not root: asks, but neither opens, lists nor sets. */
TEST_F(control, privilege)
{
	int child = IN_CHILD({
		struct veneer_version v = { .size = sizeof(v) };
		struct veneer_stack_list list = { .size = sizeof(list) };
		struct veneer_tunables t = { .size = sizeof(t) };
		struct veneer_counters c = { .size = sizeof(c) };
		/* The right comes before the question which directories. */
		int dev, none = -1;
		struct veneer_stack_open o = {
			.size = sizeof(o), .nr = 1, .fds = (uintptr_t)&none,
		};

		OK(setgroups(0, NULL));
		OK(setgid(65534));
		OK(setuid(65534));
		dev = OK(control_open());
		OK(ioctl(dev, VENEER_IOC_VERSION, &v));
		FAILS(EPERM, ioctl(dev, VENEER_IOC_STACK_OPEN, &o));
		FAILS(EPERM, ioctl(dev, VENEER_IOC_STACK_LIST, &list));
		OK(ioctl(self->fd[DIR_], VENEER_IOC_COUNTERS, &c));
		OK(ioctl(self->fd[DIR_], VENEER_IOC_GET_TUNABLES, &t));
		FAILS(EPERM, ioctl(self->fd[DIR_], VENEER_IOC_SET_TUNABLES, &t));
		_exit(_metadata->exit_code);
	});

	EXPECT_EQ(0, child);
}

static struct veneer_counters counters(int fd)
{
	struct veneer_counters c = { .size = sizeof(c) };

	if (ioctl(fd, VENEER_IOC_COUNTERS, &c))
		memset(&c, 0xff, sizeof(c));
	return c;
}

TEST_F(control, counters)
{
	struct world *w = &self->w;
	struct veneer_counters before, after;

	before = counters(self->fd[DIR_]);
	EXPECT_EQ(0, before.flags);
	EXPECT_EQ(0, before.copied_up);
	for (int i = 0; i < 10; i++) {
		char name[32];

		sprintf(name, "d/missing.%d", i);
		FAILS(ENOENT, access(M(name), F_OK));
		/* Known by now. */
		FAILS(ENOENT, access(M(name), F_OK));
	}
	after = counters(self->fd[DIR_]);
	EXPECT_EQ(before.lookups + 10, after.lookups);
	EXPECT_EQ(0, after.copied_up);
	/* The file, and the directories over it: one. */
	OK(chmod(M("d/file"), 0600));
	EXPECT_EQ(2, counters(self->fd[DIR_]).copied_up);
	OK(chmod(M("d/file"), 0644));
	EXPECT_EQ(2, counters(self->fd[DIR_]).copied_up);
	/* What is new was not copied. */
	OK(mkdir(M("d/new"), 0755));
	EXPECT_EQ(2, counters(self->fd[DIR_]).copied_up);
}

TEST_F(control, counter_flags)
{
	struct world *w = &self->w;
	int fd;

	for (int i = 0; i < KINDS; i++) {
		close(self->fd[i]);
		self->fd[i] = -1;
	}
	OK(world_umount(w));
	w->no_upper = true;
	OK(world_mount(w));
	fd = OK(open(w->mnt, O_RDONLY | O_CLOEXEC));
	EXPECT_EQ(VENEER_COUNTERS_READONLY, counters(fd).flags);
	close(fd);
	OK(world_umount(w));
	w->no_upper = false;
	w->option[0][0] = "volatile";
	w->option[1][0] = "userxattr";
	OK(world_mount(w));
	fd = OK(open(w->mnt, O_RDONLY | O_CLOEXEC));
	EXPECT_EQ(VENEER_COUNTERS_VOLATILE | VENEER_COUNTERS_USERXATTR,
		  counters(fd).flags);
	close(fd);
}

#define SET_SIZED(...) ({					\
	struct veneer_tunables __t = { __VA_ARGS__ };		\
	ioctl(self->fd[FILE_], VENEER_IOC_SET_TUNABLES, &__t);	\
})
#define SET(...) SET_SIZED(.size = sizeof(struct veneer_tunables), __VA_ARGS__)

static struct veneer_tunables tunables(int fd)
{
	struct veneer_tunables t = { .size = sizeof(t) };

	if (ioctl(fd, VENEER_IOC_GET_TUNABLES, &t))
		memset(&t, 0xff, sizeof(t));
	return t;
}

TEST_F(control, tunables)
{
	struct world *w = &self->w;
	unsigned int least = 12;
	struct veneer_tunables t;

	while (1U << least < (unsigned int)getpagesize())
		least++;
	t = tunables(self->fd[FILE_]);
	EXPECT_EQ(least, t.block_shift);
	EXPECT_EQ(65536, t.whole_limit);

	OK(SET(.block_shift = 16, .whole_limit = 0));
	t = tunables(self->fd[DIR_]);
	EXPECT_EQ(16, t.block_shift);
	EXPECT_EQ(0, t.whole_limit);
	OK(SET(.block_shift = 21, .whole_limit = INT64_MAX));
	EXPECT_EQ(INT64_MAX, tunables(self->fd[DIR_]).whole_limit);

	/* A program that does not know the limit leaves it alone. */
	OK(SET(.block_shift = 16, .whole_limit = 12345));
	OK(SET_SIZED(.size = 8, .block_shift = 20, .whole_limit = 99));
	t = tunables(self->fd[DIR_]);
	EXPECT_EQ(20, t.block_shift);
	EXPECT_EQ(12345, t.whole_limit);

	FAILS(EINVAL, SET(.block_shift = 0, .whole_limit = 0));
	FAILS(EINVAL, SET(.block_shift = least - 1, .whole_limit = 0));
	FAILS(EINVAL, SET(.block_shift = 22, .whole_limit = 0));
	FAILS(EINVAL, SET(.block_shift = 12 + 256, .whole_limit = 0));
	FAILS(EINVAL, SET(.block_shift = 16, .whole_limit = 1ULL << 63));
	t = tunables(self->fd[DIR_]);
	EXPECT_EQ(20, t.block_shift);
	EXPECT_EQ(12345, t.whole_limit);

	/* Another mount has its own, and one without an upper has no use. */
	OK(umount2(w->mnt, MNT_DETACH));
	w->mounted = false;
	w->no_upper = true;
	OK(world_mount(w));
	EXPECT_EQ(least, tunables(w->mfd).block_shift);
	t = (struct veneer_tunables) { .size = sizeof(t), .block_shift = 16 };
	FAILS(EROFS, ioctl(w->mfd, VENEER_IOC_SET_TUNABLES, &t));
}

static int map(int fd, struct veneer_range *range, unsigned int nr, off_t start,
	       struct veneer_map *m)
{
	*m = (struct veneer_map) {
		.size = sizeof(*m),
		.nr = nr,
		.ranges = (uintptr_t)range,
		.start = start,
	};
	return ioctl(fd, VENEER_IOC_MAP, m);
}

TEST_F(control, map)
{
	struct world *w = &self->w;
	struct veneer_range r[8];
	struct veneer_map m;
	int fd;

	/* All of it in a layer: in the lower one, in the upper one. */
	fd = OK(open(M("d/big"), O_RDONLY | O_CLOEXEC));
	OK(map(fd, r, 8, 0, &m));
	EXPECT_EQ(sizeof(m), m.size);
	EXPECT_EQ(1, m.nr);
	EXPECT_EQ(VENEER_STATE_BELOW, m.state);
	EXPECT_EQ(1 << 20, m.file_size);
	EXPECT_EQ(1 << 20, m.start);
	EXPECT_EQ(1 << 20, m.below_size);
	EXPECT_EQ(0, m.block_size);
	EXPECT_EQ(0, r[0].offset);
	EXPECT_EQ(1 << 20, r[0].length);
	EXPECT_EQ(1, r[0].layer);
	EXPECT_EQ(0, r[0].reserved);
	/* From the middle, from the end, from beyond. */
	OK(map(fd, r, 8, 12345, &m));
	EXPECT_EQ(1, m.nr);
	EXPECT_EQ(12345, r[0].offset);
	EXPECT_EQ((1 << 20) - 12345, r[0].length);
	OK(map(fd, r, 8, 1 << 20, &m));
	EXPECT_EQ(0, m.nr);
	OK(map(fd, r, 8, INT64_MAX, &m));
	EXPECT_EQ(0, m.nr);
	close(fd);

	fd = OK(open(M("d/upmost"), O_RDONLY | O_CLOEXEC));
	OK(map(fd, r, 8, 0, &m));
	EXPECT_EQ(1, m.nr);
	EXPECT_EQ(0, r[0].layer);
	close(fd);

	fd = OK(open(M("d/empty"), O_RDONLY | O_CLOEXEC));
	OK(map(fd, r, 8, 0, &m));
	EXPECT_EQ(0, m.nr);
	EXPECT_EQ(0, m.file_size);
	close(fd);

	/* A file of the upper, seen by a descriptor for writing alone. */
	fd = OK(open(M("d/own"), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	OK(ftruncate(fd, 5000));
	OK(map(fd, r, 1, 0, &m));
	EXPECT_EQ(1, m.nr);
	EXPECT_EQ(VENEER_STATE_WHOLE, m.state);
	EXPECT_EQ(VENEER_RANGE_UPPER, r[0].layer);
	EXPECT_EQ(5000, r[0].length);
	close(fd);

	/* Metadata alone leaves the data where it is. */
	OK(chmod(M("d/big"), 0600));
	fd = OK(open(M("d/big"), O_RDONLY | O_CLOEXEC));
	OK(map(fd, r, 8, 0, &m));
	EXPECT_EQ(VENEER_STATE_BELOW, m.state);
	EXPECT_EQ(1, r[0].layer);
	close(fd);
}

TEST_F(control, map_errors)
{
	struct veneer_range r[1];
	struct veneer_map m;

	FAILS(EINVAL, map(self->fd[DIR_], r, 1, 0, &m));
	FAILS(EINVAL, map(self->fd[FILE_], r, 0, 0, &m));
	FAILS(EINVAL, map(self->fd[FILE_], r, 1, -1, &m));
	FAILS(EFAULT, map(self->fd[FILE_], NULL, 1, 0, &m));
	FAILS(EFAULT, map(self->fd[FILE_], (void *)-4096L, 1, 0, &m));
}

TEST_F(control, make_whole)
{
	struct world *w = &self->w;
	static char want[1 << 20];
	struct veneer_range r[1];
	struct veneer_map m;
	struct stat before, after;
	int ro, rw;

	fill_pattern(want, sizeof(want), 0, 1);
	ro = OK(open(M("d/big"), O_RDONLY | O_CLOEXEC));
	FAILS(EBADF, ioctl(ro, VENEER_IOC_MAKE_WHOLE));
	FAILS(EINVAL, ioctl(self->fd[DIR_], VENEER_IOC_MAKE_WHOLE));
	OK(map(ro, r, 1, 0, &m));
	EXPECT_EQ(VENEER_STATE_BELOW, m.state);

	rw = OK(open(M("d/big"), O_WRONLY | O_CLOEXEC));
	OK(fstat(rw, &before));
	OK(ioctl(rw, VENEER_IOC_MAKE_WHOLE));
	OK(ioctl(rw, VENEER_IOC_MAKE_WHOLE));
	OK(fstat(rw, &after));
	EXPECT_EQ(before.st_ino, after.st_ino);
	EXPECT_EQ(before.st_size, after.st_size);
	EXPECT_EQ(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
	EXPECT_EQ(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	/* For the descriptor from before, too. */
	OK(map(ro, r, 1, 0, &m));
	EXPECT_EQ(VENEER_STATE_WHOLE, m.state);
	EXPECT_EQ(VENEER_RANGE_UPPER, r[0].layer);
	EXPECT_EQ(0, same_bytes(M("d/big"), want, sizeof(want)));
	EXPECT_EQ(0, same_bytes(U("d/big"), want, sizeof(want)));
	close(ro);
	close(rw);
}

#define IS_RANGE(r, from, to, where) do {				\
	EXPECT_EQ(from, (r).offset);					\
	EXPECT_EQ((to) - (from), (r).length);				\
	EXPECT_EQ(where, (r).layer);					\
} while (0)

/* A file of which two blocks have been written, and what that is counted as. */
TEST_F(control, split)
{
	struct world *w = &self->w;
	const unsigned int block = getpagesize(), blocks = (1 << 20) / block;
	struct veneer_counters was, is;
	static char want[1 << 20];
	struct veneer_range r[8];
	struct veneer_map m;
	off_t pos = 0;
	int fd;

	fill_pattern(want, sizeof(want), 0, 1);
	memcpy(want + 2 * block + 100, "ten bytes.", 10);
	memset(want + 5 * block, 'x', block);
	was = counters(self->fd[DIR_]);
	fd = OK(open(M("d/big"), O_RDWR | O_CLOEXEC));
	is = counters(self->fd[DIR_]);
	EXPECT_EQ(0, is.copied_up);

	/* Part of a block: filled from below. */
	EXPECT_EQ(10, OK(pwrite(fd, want + 2 * block + 100, 10, 2 * block + 100)));
	is = counters(self->fd[DIR_]);
	EXPECT_EQ(was.files_split + 1, is.files_split);
	EXPECT_EQ(was.files_whole, is.files_whole);
	EXPECT_EQ(was.blocks_copied + 1, is.blocks_copied);
	EXPECT_EQ(was.bytes_copied + block, is.bytes_copied);
	EXPECT_EQ(was.bytes_shared + (1 << 20), is.bytes_shared);
	EXPECT_EQ(was.copied_up + 2, is.copied_up);
	/* All of one: not. */
	EXPECT_EQ(block, OK(pwrite(fd, want + 5 * block, block, 5 * block)));
	is = counters(self->fd[DIR_]);
	EXPECT_EQ(was.blocks_copied + 1, is.blocks_copied);
	EXPECT_EQ(was.files_split + 1, is.files_split);

	OK(map(fd, r, 8, 0, &m));
	EXPECT_EQ(VENEER_STATE_SPLIT, m.state);
	EXPECT_EQ(block, m.block_size);
	EXPECT_EQ(1 << 20, m.below_size);
	EXPECT_EQ(1 << 20, m.start);
	EXPECT_EQ(5, m.nr);
	IS_RANGE(r[0], 0, 2 * block, 1);
	IS_RANGE(r[1], 2 * block, 3 * block, VENEER_RANGE_UPPER);
	IS_RANGE(r[2], 3 * block, 5 * block, 1);
	IS_RANGE(r[3], 5 * block, 6 * block, VENEER_RANGE_UPPER);
	IS_RANGE(r[4], 6 * block, 1 << 20, 1);
	/* The same one by one, and from within a range. */
	for (int i = 0; i < 5; i++) {
		struct veneer_range one[2] = { [1] = { .offset = 99 } };

		OK(map(fd, one, 1, pos, &m));
		EXPECT_EQ(1, m.nr);
		CHECK(!memcmp(&one[0], &r[i], sizeof(*one)), "range %d differs", i);
		EXPECT_EQ(99, one[1].offset);
		pos = m.start;
	}
	EXPECT_EQ(1 << 20, pos);
	OK(map(fd, r, 1, 2 * block + 7, &m));
	IS_RANGE(r[0], 2 * block + 7, 3 * block, VENEER_RANGE_UPPER);

	/* One flush of a map with two bits. */
	OK(fsync(fd));
	was = is;
	is = counters(self->fd[DIR_]);
	CHECK(is.map_flushes > 0, "no flush of a map is counted");
	EXPECT_EQ(2 * is.map_flushes, is.map_bits);

	/* Whole: by copying the rest, or by sharing it. */
	OK(ioctl(fd, VENEER_IOC_MAKE_WHOLE));
	is = counters(self->fd[DIR_]);
	EXPECT_EQ(was.files_whole + 1, is.files_whole);
	CHECK(is.blocks_copied == was.blocks_copied + blocks - 2 ||
	      is.blocks_copied == was.blocks_copied, "%llu blocks were copied",
	      (unsigned long long)(is.blocks_copied - was.blocks_copied));
	EXPECT_EQ(is.blocks_copied * block, is.bytes_copied);
	OK(map(fd, r, 8, 0, &m));
	EXPECT_EQ(VENEER_STATE_WHOLE, m.state);
	EXPECT_EQ(0, m.block_size);
	EXPECT_EQ(1, m.nr);
	IS_RANGE(r[0], 0, 1 << 20, VENEER_RANGE_UPPER);
	close(fd);
	EXPECT_EQ(0, same_bytes(M("d/big"), want, sizeof(want)));
}

/* The tunables do what they say, to the file that is written next. */
TEST_F(control, tuned)
{
	struct world *w = &self->w;
	struct veneer_range r[8];
	struct veneer_map m;
	int fd;

	/* Large blocks, and not even a small file is copied whole. */
	OK(SET(.block_shift = 16, .whole_limit = 0));
	fd = OK(open(M("d/big"), O_RDWR | O_CLOEXEC));
	EXPECT_EQ(1, OK(pwrite(fd, "x", 1, 100000)));
	OK(map(fd, r, 8, 0, &m));
	EXPECT_EQ(VENEER_STATE_SPLIT, m.state);
	EXPECT_EQ(65536, m.block_size);
	EXPECT_EQ(3, m.nr);
	IS_RANGE(r[1], 65536, 131072, VENEER_RANGE_UPPER);
	/* What is split stays as it is. */
	OK(SET(.block_shift = 21, .whole_limit = 1 << 20));
	EXPECT_EQ(1, OK(pwrite(fd, "x", 1, 200000)));
	OK(map(fd, r, 8, 0, &m));
	EXPECT_EQ(65536, m.block_size);
	EXPECT_EQ(5, m.nr);
	IS_RANGE(r[3], 196608, 262144, VENEER_RANGE_UPPER);
	close(fd);
	/* Up to the limit, whole. */
	OK(SET(.block_shift = 21, .whole_limit = 11));
	fd = OK(open(M("d/upmost"), O_RDWR | O_CLOEXEC));
	EXPECT_EQ(1, OK(pwrite(fd, "I", 1, 0)));
	OK(map(fd, r, 8, 0, &m));
	EXPECT_EQ(VENEER_STATE_WHOLE, m.state);
	close(fd);
	EXPECT_EQ(0, same_bytes(M("d/upmost"), "In layer 0\n", 11));
	/* One byte more than the limit: its blocks. */
	OK(SET(.block_shift = 16, .whole_limit = 130999));
	fd = OK(open(M("d/more"), O_RDWR | O_CLOEXEC));
	EXPECT_EQ(1, OK(pwrite(fd, "x", 1, 0)));
	OK(map(fd, r, 8, 0, &m));
	EXPECT_EQ(VENEER_STATE_SPLIT, m.state);
	/* Its last block comes, and it needs the layer no more. */
	EXPECT_EQ(1, OK(pwrite(fd, "x", 1, 130999)));
	OK(map(fd, r, 8, 0, &m));
	EXPECT_EQ(VENEER_STATE_WHOLE, m.state);
	close(fd);
}

/* Is some of the file at path not on the disk yet? -1: cannot be told. */
static int is_delayed(const char *path)
{
	struct {
		struct fiemap map;
		struct fiemap_extent extent[16];
	} f = { .map = { .fm_length = FIEMAP_MAX_OFFSET, .fm_extent_count = 16 } };
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret = -1;

	if (fd >= 0 && !ioctl(fd, FS_IOC_FIEMAP, &f.map)) {
		ret = 0;
		for (unsigned int i = 0; i < f.map.fm_mapped_extents; i++)
			ret |= !!(f.extent[i].fe_flags & FIEMAP_EXTENT_DELALLOC);
	}
	close(fd);
	return ret;
}

/* An upper that becomes a layer while it is mounted is written back first. */
TEST_F(control, live_upper_is_flushed)
{
	struct world *w = &self->w;
	const char *layers[3] = { w->upper, w->layer[0], w->layer[1] };
	const char *const option[][2] = {
		{ "source", "live" }, { "lowerdir+", w->upper },
		{ "lowerdir+", w->layer[0] }, { "lowerdir+", w->layer[1] }, { }
	};
	static char data[1 << 16];
	int fd;

	for (int by_fd = 0; by_fd < 2; by_fd++) {
		char name[32];

		sprintf(name, "d/dirty.%d", by_fd);
		fill_pattern(data, sizeof(data), 0, by_fd);
		OK(write_file(M(name), data, sizeof(data)));
		if (is_delayed(U(name)) <= 0)
			SKIP(return, "the upper's filesystem does not tell what it delays");
		if (by_fd)
			fd = OK(stack_open(self->fd[DEVICE], layers, 3, 0));
		else
			fd = fs_mount(world_fstype(), option, 0, NULL, w->log,
				      sizeof(w->log));
		CHECK(fd >= 0, "%s", w->log);
		EXPECT_EQ(0, is_delayed(U(name)));
		if (!by_fd)
			EXPECT_EQ(0, faccessat(fd, name, F_OK, 0));
		close(fd);
	}
}

/* Its maps, too: a file that was changed a moment ago reads as it was left. */
TEST_F(control, live_upper_has_its_maps)
{
	struct world *w = &self->w;
	const char *const option[][2] = {
		{ "source", "live" }, { "lowerdir+", w->upper },
		{ "lowerdir+", w->layer[0] }, { "lowerdir+", w->layer[1] }, { }
	};
	static char want[1 << 20], is[1 << 20];
	int fd, mnt;

	fill_pattern(want, sizeof(want), 0, 1);
	memcpy(want + 300000, "changed", 7);
	fd = OK(open(M("d/big"), O_RDWR | O_CLOEXEC));
	EXPECT_EQ(7, OK(pwrite(fd, "changed", 7, 300000)));
	/* It stays open: nothing else has made its mount write anything. */
	mnt = fs_mount(world_fstype(), option, 0, NULL, w->log, sizeof(w->log));
	CHECK(mnt >= 0, "%s", w->log);
	close(fd);
	fd = OK(openat(mnt, "d/big", O_RDONLY | O_CLOEXEC));
	EXPECT_EQ(sizeof(is), OK(read(fd, is, sizeof(is))));
	CHECK(!memcmp(is, want, sizeof(is)), "the layer shows other bytes");
	close(fd);
	close(mnt);
}

TEST_HARNESS_MAIN
