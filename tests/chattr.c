// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * chattr: immutable and append-only objects of layers and of the upper, and
 * the other flags that users may set, as on a plain directory.
 */
#include "testing.h"

#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

/* What has a meaning to a user; extents, inline data are the disk's affair. */
#define USERS	(FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL | FS_NOATIME_FL | \
		 FS_SYNC_FL | FS_DIRSYNC_FL)

static int get_flags(const char *path, int *flags)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int ret = fd < 0 ? -1 : ioctl(fd, FS_IOC_GETFLAGS, flags);

	close(fd);
	return ret;
}

static int change_flags(const char *path, int set, int clear)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int flags, ret;

	ret = fd < 0 ? -1 : ioctl(fd, FS_IOC_GETFLAGS, &flags);
	if (!ret) {
		flags = (flags & ~clear) | set;
		ret = ioctl(fd, FS_IOC_SETFLAGS, &flags);
	}
	close(fd);
	return ret;
}

static int users_flags(const char *path)
{
	int flags;

	return get_flags(path, &flags) ? -1 : flags & USERS;
}

static const char * const objects[] = {
	"fi", "fa", "fo", "big", "di", "di/x", "di/sub", "di/sub/x", "da", "da/x",
	"da/big", "dn", "dn/x",
};

WORLD_FIXTURE(chattr);

/* Sets a flag where the object is: in a layer, in plain. */
static int put_flags(struct world *w, const char *path, int set)
{
	const char *roots[] = { w->layer[0], w->layer[1], w->plain };

	for (int i = 0; i < 3; i++)
		if (*roots[i] && exists(join(roots[i], path)) &&
		    change_flags(join(roots[i], path), set, 0))
			return -1;
	return 0;
}

/* And the same by the mount where it is in the upper. */
static int put_flags_upper(struct world *w)
{
	int want, have;

	for (int i = 0; i < ARRAY_SIZE(objects); i++) {
		want = users_flags(join(w->plain, objects[i]));
		have = users_flags(M(objects[i]));
		if (want < 0 || have < 0 ||
		    (want != have && change_flags(M(objects[i]), want & ~have, 0)))
			return -1;
	}
	return 0;
}

FIXTURE_SETUP(chattr)
{
	struct world *w = &self->w;

	OK(world_begin(w, variant->where));
	if (change_flags(w->plain, FS_NODUMP_FL, 0)) {
		CHECK(!world_end(w), "");
		SKIP(return, "the file system below has no inode flags");
	}
	OK(change_flags(w->plain, 0, FS_NODUMP_FL));
	OK(put_text(w, "fi", "immutable\n"));
	OK(put_text(w, "fa", "append only\n"));
	OK(put_text(w, "fo", "other flags\n"));
	OK(put_pattern(w, "big", 200 << 10, 1));
	OK(put_dir(w, "di", 0755));
	OK(put_text(w, "di/x", "in an immutable one\n"));
	OK(put_dir(w, "di/sub", 0755));
	OK(put_text(w, "di/sub/x", "deep in an immutable one\n"));
	OK(put_dir(w, "da", 0755));
	OK(put_text(w, "da/x", "in an append-only one\n"));
	OK(put_pattern(w, "da/big", 200 << 10, 2));
	OK(put_dir(w, "dn", 0755));
	OK(put_text(w, "dn/x", "in one with other flags\n"));
	/* Objects with flags take no times. */
	w->keep_times = true;
	OK(put_flags(w, "fi", FS_IMMUTABLE_FL));
	OK(put_flags(w, "fa", FS_APPEND_FL));
	OK(put_flags(w, "big", FS_APPEND_FL));
	OK(put_flags(w, "fo", FS_NODUMP_FL | FS_NOATIME_FL));
	OK(put_flags(w, "di", FS_IMMUTABLE_FL));
	OK(put_flags(w, "da", FS_APPEND_FL));
	OK(put_flags(w, "dn", FS_NODUMP_FL));
	/* Not every file system has these. */
	put_flags(w, "fo", FS_SYNC_FL);
	put_flags(w, "dn", FS_DIRSYNC_FL);
	OK(world_mount(w));
	if (variant->where == IN_UPPER || variant->where == MERGED)
		OK(put_flags_upper(w));
}

static void clear(const char *root)
{
	for (int i = 0; i < ARRAY_SIZE(objects); i++)
		if (exists(join(root, objects[i])))
			change_flags(join(root, objects[i]), 0,
				     FS_IMMUTABLE_FL | FS_APPEND_FL);
}

FIXTURE_TEARDOWN(chattr)
{
	struct world *w = &self->w;

	if (!*w->root || !exists(w->root))
		return;
	if (w->mounted) {
		__SAME_TREES(w, "at the end");
		CHECK(!world_umount(w), "it is busy");
	}
	CHECK(!world_check_layers(w), "");
	for (int i = 0; i < w->nlayers; i++)
		clear(w->layer[i]);
	clear(w->upper);
	clear(w->plain);
	w->no_compare = true;
	FINISH(w);
}

/* One try after the other, the outcome being that of the plain directory. */
#define PROTECTED(file) do {						\
	BOTH(close(openat(at, file, O_RDONLY)));			\
	BOTH(close(openat(at, file, O_WRONLY)));			\
	BOTH(close(openat(at, file, O_RDWR | O_TRUNC)));		\
	BOTH(close(openat(at, file, O_WRONLY | O_APPEND)));		\
	BOTH(close(openat(at, file, O_RDWR | O_APPEND | O_TRUNC)));	\
	BOTH(append(at, file));						\
	BOTH(map_shared(at, file));					\
	BOTH(punch(at, file));						\
	BOTH(truncate(P(file), 3));					\
	BOTH(fchmodat(at, file, 0600, 0));				\
	BOTH(fchownat(at, file, 1, 1, 0));				\
	BOTH(utimensat(at, file, NULL, 0));				\
	BOTH(utimensat(at, file, fixed, 0));				\
	BOTH(setxattr(P(file), "user.x", "1", 1, 0));			\
	BOTH(removexattr(P(file), "user.x"));				\
	BOTH(linkat(at, file, at, "another", 0));			\
	BOTH(renameat(at, file, at, "moved"));				\
	BOTH(unlinkat(at, file, 0));					\
	EXPECT_EQ(users_flags(join(w->plain, file)), users_flags(M(file)));	\
} while (0)

static const struct timespec fixed[2] = { { 123456789, 0 }, { 234567890, 0 } };

static int append(int at, const char *name)
{
	int fd = openat(at, name, O_WRONLY | O_APPEND | O_CLOEXEC);
	int ret = fd < 0 ? -1 : write(fd, "more", 4) == 4 ? 0 : -1;

	if (!ret)
		ret = pwrite(fd, "MORE", 4, 0) == 4 ? 0 : -1;
	close(fd);
	return ret;
}

static int map_shared(int at, const char *name)
{
	int fd = openat(at, name, O_RDWR | O_APPEND | O_CLOEXEC);
	void *p = fd < 0 ? MAP_FAILED :
			   mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0);

	close(fd);
	return p == MAP_FAILED ? -1 : munmap(p, 4096);
}

static int punch(int at, const char *name)
{
	int fd = openat(at, name, O_WRONLY | O_APPEND | O_CLOEXEC);
	int ret = fd < 0 ? -1 :
		  fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, 4096);

	close(fd);
	return ret;
}

TEST_F(chattr, files)
{
	struct world *w = &self->w;

	for (int i = 0; i < 2; i++) {
		PROTECTED("fi");
		PROTECTED("fa");
		PROTECTED("big");
		SAME_TREES(w);
		OK(world_remount(w));
		OK(drop_caches());
	}
	/* What is protected on the plain directory: the test tests something. */
	FAILS(EPERM, unlinkat(w->mfd, "fi", 0));
	FAILS(EPERM, truncate(M("fa"), 0));
}

/* A directory's protection is of its names, not of what they name. */
TEST_F(chattr, directories)
{
	struct world *w = &self->w;

	for (int i = 0; i < 2; i++) {
		BOTH_OK(fchmodat(at, "di/x", 0600 + i, 0));
		BOTH_OK(write_text(P("di/sub/x"), "changed"));
		BOTH_OK(write_text(P("da/x"), i ? "again" : "changed"));
		BOTH_OK(append(at, "da/big"));
		BOTH_OK(mkdirat(at, i ? "di/sub/two" : "di/sub/one", 0755));
		BOTH_OK(mkdirat(at, i ? "da/two" : "da/one", 0755));
		BOTH_FAIL(EPERM, mkdirat(at, "di/new", 0755));
		BOTH_FAIL(EPERM, unlinkat(at, "di/x", 0));
		BOTH_FAIL(EPERM, unlinkat(at, "da/x", 0));
		BOTH(unlinkat(at, "di/sub", AT_REMOVEDIR));
		BOTH(renameat(at, "di/x", at, "x"));
		BOTH(renameat(at, "fo", at, "di/fo"));
		BOTH(renameat(at, "da/x", at, "x"));
		BOTH(renameat(at, "da/x", at, "da/y"));
		BOTH(renameat2(at, "da/x", at, "da/one", RENAME_EXCHANGE));
		BOTH(linkat(at, "fo", at, i ? "da/fo2" : "da/fo", 0));
		BOTH(linkat(at, "fo", at, "di/fo", 0));
		BOTH(fchmodat(at, "di", 0700, 0));
		BOTH(fchmodat(at, "da", 0700, 0));
		BOTH(renameat(at, "di", at, "di2"));
		BOTH(renameat(at, "da", at, "da2"));
		for (int j = 0; j < ARRAY_SIZE(objects); j++)
			CHECK(users_flags(M(objects[j])) ==
			      users_flags(join(w->plain, objects[j])),
			      "%s: %x in the mount, %x on a plain directory", objects[j],
			      users_flags(M(objects[j])),
			      users_flags(join(w->plain, objects[j])));
		SAME_TREES(w);
		OK(world_remount(w));
		OK(drop_caches());
	}
}

/* By the mount: on and off, and nothing copied up is kept from working. */
TEST_F(chattr, by_the_mount)
{
	struct world *w = &self->w;

	BOTH_OK(change_flags(P("dn"), FS_IMMUTABLE_FL, 0));
	BOTH_OK(change_flags(P("fo"), FS_APPEND_FL, FS_NOATIME_FL));
	BOTH_OK(change_flags(P("di"), FS_APPEND_FL, FS_IMMUTABLE_FL));
	BOTH_OK(change_flags(P("fi"), 0, FS_IMMUTABLE_FL));
	for (int i = 0; i < 2; i++) {
		BOTH_FAIL(EPERM, mkdirat(at, "dn/new", 0755));
		BOTH_FAIL(EPERM, unlinkat(at, "fo", 0));
		BOTH_FAIL(EPERM, unlinkat(at, "di/x", 0));
		BOTH_OK(write_text(P("dn/x"), i ? "again" : "changed"));
		BOTH_OK(write_text(P("fi"), i ? "again" : "changed"));
		BOTH_OK(append(at, "fo"));
		BOTH_OK(mkdirat(at, i ? "di/two" : "di/one", 0755));
		for (int j = 0; j < ARRAY_SIZE(objects); j++)
			EXPECT_EQ(users_flags(join(w->plain, objects[j])),
				  users_flags(M(objects[j])));
		OK(world_remount(w));
	}
	BOTH_OK(change_flags(P("dn"), 0, FS_IMMUTABLE_FL));
	BOTH_OK(change_flags(P("di"), 0, FS_APPEND_FL));
	BOTH_OK(unlinkat(at, "dn/x", 0));
	BOTH_OK(unlinkat(at, "di/x", 0));
}

TEST_F(chattr, statx)
{
	struct world *w = &self->w;
	const unsigned int mask = STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND |
				  STATX_ATTR_NODUMP;

	for (int i = 0; i < 2; i++) {
		for (int j = 0; j < ARRAY_SIZE(objects); j++) {
			struct statx m, p;

			OK(statx(w->mfd, objects[j], 0, STATX_BASIC_STATS, &m));
			OK(statx(w->pfd, objects[j], 0, STATX_BASIC_STATS, &p));
			CHECK((m.stx_attributes & mask) == (p.stx_attributes & mask),
			      "%s: %llx in the mount, %llx on a plain directory",
			      objects[j], m.stx_attributes, p.stx_attributes);
			CHECK((m.stx_attributes_mask & mask) == (p.stx_attributes_mask & mask),
			      "%s: it does not say which it knows", objects[j]);
		}
		BOTH_OK(fchmodat(at, "di/x", 0600, 0));
		BOTH_OK(fchmodat(at, "da/x", 0600, 0));
		BOTH_OK(fchmodat(at, "fo", 0600, 0));
	}
}

static int set_xflags(const char *path, unsigned int set, unsigned int clear)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct fsxattr x;
	int ret = fd < 0 ? -1 : ioctl(fd, FS_IOC_FSGETXATTR, &x);

	if (!ret) {
		x.fsx_xflags = (x.fsx_xflags & ~clear) | set;
		ret = ioctl(fd, FS_IOC_FSSETXATTR, &x);
	}
	close(fd);
	return ret;
}

TEST_F(chattr, extended)
{
	struct world *w = &self->w;

	BOTH(set_xflags(P("fo"), FS_XFLAG_IMMUTABLE, FS_XFLAG_NODUMP));
	BOTH(set_xflags(P("dn"), FS_XFLAG_APPEND, FS_XFLAG_NODUMP));
	BOTH(unlinkat(at, "dn/x", 0));
	BOTH(fchmodat(at, "fo", 0600, 0));
	EXPECT_EQ(users_flags(join(w->plain, "fo")), users_flags(M("fo")));
	EXPECT_EQ(users_flags(join(w->plain, "dn")), users_flags(M("dn")));
	BOTH(set_xflags(P("fo"), 0, FS_XFLAG_IMMUTABLE));
	BOTH(fchmodat(at, "fo", 0600, 0));
}

/* Not for everybody; a refusal changes nothing. */
TEST_F(chattr, refused)
{
	struct world *w = &self->w;

	BOTH_OK(fchownat(at, "fo", 1000, 1000, 0));
	CHECK(!IN_CHILD({
		if (setresuid(1000, 1000, 1000))
			_exit(1);
		BOTH_FAIL(EPERM, change_flags(P("fo"), FS_IMMUTABLE_FL, 0));
		BOTH_FAIL(EPERM, change_flags(P("fi"), 0, FS_IMMUTABLE_FL));
		BOTH_FAIL(EPERM, change_flags(P("dn/x"), FS_NODUMP_FL, 0));
		BOTH_OK(change_flags(P("fo"), 0, FS_NODUMP_FL));
		_exit(_metadata->exit_code);
	}), "as another user");
	BOTH(change_flags(P("fo"), FS_COMPR_FL, 0));
	EXPECT_EQ(users_flags(join(w->plain, "fo")), users_flags(M("fo")));
	EXPECT_EQ(users_flags(join(w->plain, "fi")), users_flags(M("fi")));
}

/* An upper with protected objects becomes a layer; they still are. */
TEST_F(chattr, upper_becomes_layer)
{
	struct world *w = &self->w;
	const char *option[][2] = {
		{ "source", "upper" }, { "lowerdir+", w->upper },
		{ "lowerdir+", w->layer[0] },
		{ w->nlayers > 1 ? "lowerdir+" : NULL, w->layer[1] }, { }
	};
	const int protected = FS_IMMUTABLE_FL | FS_APPEND_FL;
	int fd;

	OK(write_text(M("di/sub/x"), "changed"));
	OK(append(w->mfd, "fa"));
	OK(append(w->mfd, "big"));
	OK(change_flags(M("dn"), FS_APPEND_FL, 0));
	OK(world_umount(w));
	fd = fs_mount(world_fstype(), option, 0, w->mnt, w->log, sizeof(w->log));
	CHECK(fd >= 0, "%s: %s", err_name(-fd), w->log);
	close(fd);
	EXPECT_EQ(FS_IMMUTABLE_FL, users_flags(M("di")) & protected);
	EXPECT_EQ(FS_APPEND_FL, users_flags(M("fa")) & protected);
	EXPECT_EQ(FS_APPEND_FL, users_flags(M("big")) & protected);
	EXPECT_EQ(FS_APPEND_FL, users_flags(M("dn")) & protected);
	OK(umount(w->mnt));
	w->no_compare = true;
}

TEST_HARNESS_MAIN
