// SPDX-License-Identifier: GPL-2.0-or-later
/* Making things: files, directories, nodes, symlinks, fifos, sockets. */
#include "testing.h"

#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <grp.h>

WORLD_FIXTURE(create);

FIXTURE_SETUP(create)
{
	struct world *w = &self->w;

	OK(world_begin(w, variant->where));
	OK(put_dir(w, "d", 0755));
	OK(put_dir(w, "d/sub", 0750));
	OK(put_dir(w, "d/setgid", 0755));
	OK(put_owner(w, "d/setgid", 12, 3400));
	OK(put_mode(w, "d/setgid", 02775));
	OK(put_text(w, "d/file", "a file\n"));
	OK(put_text(w, "d/other", "another\n"));
	OK(put_symlink(w, "d/link", "file"));
	OK(put_symlink(w, "d/dangling", "nothing"));
	OK(world_mount(w));
}

WORLD_TEARDOWN(create)

static int create_at(int at, const char *name, int flags, mode_t mode)
{
	int fd = openat(at, name, flags | O_CLOEXEC, mode);

	return fd < 0 ? -1 : close(fd);
}

TEST_F(create, file)
{
	struct world *w = &self->w;

	BOTH_OK(create_at(at, "new", O_CREAT | O_WRONLY, 0640));
	BOTH_OK(create_at(at, "d/new", O_CREAT | O_EXCL | O_RDWR, 0604));
	BOTH_OK(create_at(at, "d/sub/new", O_CREAT | O_EXCL | O_RDWR, 04755));
	BOTH_OK(create_at(at, "d/sub/readonly", O_CREAT | O_EXCL | O_RDWR, 0));
	BOTH_FAIL(EEXIST, create_at(at, "d/new", O_CREAT | O_EXCL | O_RDWR, 0600));
	BOTH_FAIL(EEXIST, create_at(at, "d/file", O_CREAT | O_EXCL | O_RDWR, 0600));
	BOTH_FAIL(EEXIST, create_at(at, "d/dangling", O_CREAT | O_EXCL | O_RDWR, 0600));
	BOTH_FAIL(EISDIR, create_at(at, "d/sub", O_CREAT | O_RDWR, 0600));
	BOTH_FAIL(ENOENT, create_at(at, "d/no/new", O_CREAT | O_RDWR, 0600));
	BOTH_FAIL(ENOTDIR, create_at(at, "d/file/new", O_CREAT | O_RDWR, 0600));
	/* An existing one is opened, its mode stays. */
	BOTH_OK(create_at(at, "d/file", O_CREAT | O_RDWR, 0777));
	/* Through a dangling link the target appears. */
	BOTH_OK(create_at(at, "d/dangling", O_CREAT | O_RDWR, 0600));
	BOTH_OK(create_at(at, "d/other", O_CREAT | O_TRUNC | O_RDWR, 0600));
}

TEST_F(create, long_names)
{
	struct world *w = &self->w;
	char name[260] = "d/";

	memset(name + 2, 'n', 255);
	name[257] = 0;
	BOTH_OK(create_at(at, name, O_CREAT | O_EXCL | O_RDWR, 0600));
	BOTH_OK(mkdirat(at, name + 2, 0700));
	name[257] = 'n';
	name[258] = 0;
	BOTH_FAIL(ENAMETOOLONG, create_at(at, name, O_CREAT | O_RDWR, 0600));
	BOTH_FAIL(ENAMETOOLONG, mkdirat(at, name + 2, 0700));
	BOTH_FAIL(ENAMETOOLONG, faccessat(at, name, F_OK, 0));
	/* Names are bytes. */
	BOTH_OK(create_at(at, "d/\xff\x01\n\\:,= ", O_CREAT | O_RDWR, 0600));
}

TEST_F(create, directory)
{
	struct world *w = &self->w;

	BOTH_OK(mkdirat(at, "new", 0700));
	BOTH_OK(mkdirat(at, "d/new", 01777));
	BOTH_OK(mkdirat(at, "d/sub/new", 0755));
	BOTH_OK(mkdirat(at, "d/sub/new/newer", 0755));
	BOTH_OK(create_at(at, "d/sub/new/newer/file", O_CREAT | O_RDWR, 0644));
	BOTH_FAIL(EEXIST, mkdirat(at, "d/new", 0700));
	BOTH_FAIL(EEXIST, mkdirat(at, "d/sub", 0700));
	BOTH_FAIL(EEXIST, mkdirat(at, "d/file", 0700));
	BOTH_FAIL(EEXIST, mkdirat(at, "d/dangling", 0700));
	BOTH_FAIL(ENOENT, mkdirat(at, "d/no/new", 0700));
	BOTH_FAIL(ENOTDIR, mkdirat(at, "d/file/new", 0700));
	BOTH_FAIL(EEXIST, mkdirat(at, ".", 0700));
}

TEST_F(create, nodes)
{
	struct world *w = &self->w;

	BOTH_OK(mknodat(at, "d/fifo", S_IFIFO | 0620, 0));
	BOTH_OK(mknodat(at, "d/sub/chr", S_IFCHR | 0600, makedev(1, 3)));
	BOTH_OK(mknodat(at, "d/sub/blk", S_IFBLK | 0660, makedev(259, 65537)));
	BOTH_OK(mknodat(at, "d/sock", S_IFSOCK | 0755, 0));
	BOTH_OK(mknodat(at, "d/reg", S_IFREG | 0644, 0));
	BOTH_OK(mknodat(at, "d/reg0", 0644, 0));
	BOTH_FAIL(EEXIST, mknodat(at, "d/file", S_IFIFO | 0600, 0));
	BOTH_FAIL(EEXIST, mknodat(at, "d/fifo", S_IFIFO | 0600, 0));
	BOTH_FAIL(EPERM, mknodat(at, "d/dir", S_IFDIR | 0700, 0));
	BOTH_FAIL(EINVAL, mknodat(at, "d/lnk", S_IFLNK | 0700, 0));
}

TEST_F(create, symlinks)
{
	struct world *w = &self->w;

	BOTH_OK(symlinkat("file", at, "d/new"));
	BOTH_OK(symlinkat("/absolute/and/dangling", at, "d/sub/new"));
	BOTH_OK(symlinkat("..", at, "d/sub/up"));
	BOTH_FAIL(EEXIST, symlinkat("x", at, "d/file"));
	BOTH_FAIL(EEXIST, symlinkat("x", at, "d/dangling"));
	BOTH_FAIL(ENOENT, symlinkat("", at, "d/empty"));
	BOTH_OK(faccessat(at, "d/sub/up/new", R_OK, 0));
}

static int bind_at(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd, ret, err;

	if (strlen(path) >= sizeof(sa.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(sa.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	ret = bind(fd, (struct sockaddr *)&sa, sizeof(sa));
	err = errno;
	close(fd);
	errno = err;
	return ret;
}

TEST_F(create, socket)
{
	struct world *w = &self->w;

	/* Relative: a socket's path is short. */
	BOTH_OK(fchdir(at) ?: bind_at("d/bound"));
	BOTH_OK(fchdir(at) ?: bind_at("d/sub/bound"));
	BOTH_FAIL(EADDRINUSE, fchdir(at) ?: bind_at("d/bound"));
	BOTH_FAIL(EADDRINUSE, fchdir(at) ?: bind_at("d/file"));
	OK(chdir("/"));
}

TEST_F(create, umask)
{
	struct world *w = &self->w;

	umask(0137);
	BOTH_OK(create_at(at, "d/file1", O_CREAT | O_RDWR, 0666));
	BOTH_OK(mkdirat(at, "d/dir1", 0777));
	BOTH_OK(mknodat(at, "d/fifo1", S_IFIFO | 0666, 0));
	umask(0);
	BOTH_OK(create_at(at, "d/file2", O_CREAT | O_RDWR, 06777));
	BOTH_OK(mkdirat(at, "d/dir2", 01777));
	BOTH_OK(symlinkat("file", at, "d/link2"));
	umask(0777);
	BOTH_OK(create_at(at, "d/file3", O_CREAT | O_RDWR, 06777));
	BOTH_OK(mkdirat(at, "d/dir3", 01777));
	umask(022);
}

TEST_F(create, setgid)
{
	struct world *w = &self->w;

	BOTH_OK(create_at(at, "d/setgid/file", O_CREAT | O_RDWR, 0664));
	BOTH_OK(mkdirat(at, "d/setgid/dir", 0755));
	BOTH_OK(mknodat(at, "d/setgid/fifo", S_IFIFO | 0644, 0));
	BOTH_OK(symlinkat("x", at, "d/setgid/link"));
	BOTH_OK(create_at(at, "d/setgid/dir/file", O_CREAT | O_RDWR, 0664));
}

/* Another user, not in the directory's group: mode bits that are not his. */
TEST_F(create, setgid_stranger)
{
	struct world *w = &self->w;

	BOTH_OK(fchmodat(at, "d/setgid", 02777, 0));
	CHECK(!IN_CHILD({
		if (setgroups(0, NULL) || setresgid(99, 99, 99) ||
		    setresuid(77, 77, 77))
			_exit(1);
		umask(0);
		BOTH_OK(create_at(at, "d/setgid/file", O_CREAT | O_RDWR, 02775));
		BOTH_OK(mkdirat(at, "d/setgid/dir", 0775));
		BOTH_OK(create_at(at, "d/setgid/dir/file", O_CREAT | O_RDWR, 02771));
		if (_metadata->exit_code)
			_exit(2);
	}), "as another user");
}

struct acl {
	struct posix_acl_xattr_header header;
	struct posix_acl_xattr_entry entry[5];
};

/* u::rwx u:77:rw- g::r-x m::rwx o::--- */
static const struct acl default_acl = {
	.header.a_version = POSIX_ACL_XATTR_VERSION,
	.entry = {
		{ ACL_USER_OBJ, 7, ACL_UNDEFINED_ID },
		{ ACL_USER, 6, 77 },
		{ ACL_GROUP_OBJ, 5, ACL_UNDEFINED_ID },
		{ ACL_MASK, 7, ACL_UNDEFINED_ID },
		{ ACL_OTHER, 0, ACL_UNDEFINED_ID },
	},
};

TEST_F(create, default_acl)
{
	struct world *w = &self->w;

	BOTH_OK(setxattr(P("d/sub"), "system.posix_acl_default", &default_acl,
			 sizeof(default_acl), 0));
	BOTH_OK(create_at(at, "d/sub/file", O_CREAT | O_RDWR, 0666));
	BOTH_OK(create_at(at, "d/sub/narrow", O_CREAT | O_RDWR, 0600));
	BOTH_OK(mkdirat(at, "d/sub/dir", 0777));
	BOTH_OK(mkdirat(at, "d/sub/dir/dir", 0755));
	BOTH_OK(create_at(at, "d/sub/dir/dir/file", O_CREAT | O_RDWR, 0666));
	BOTH_OK(mknodat(at, "d/sub/fifo", S_IFIFO | 0666, 0));
	BOTH_OK(symlinkat("x", at, "d/sub/link"));
	/* The umask is of no interest where there is a default ACL. */
	umask(0777);
	BOTH_OK(create_at(at, "d/sub/masked", O_CREAT | O_RDWR, 0666));
	BOTH_OK(mkdirat(at, "d/sub/maskeddir", 0777));
	umask(022);
}

TEST_F(create, parent_times)
{
	struct world *w = &self->w;
	struct stat before, after;

	OK(fstatat(w->mfd, "d/sub", &before, 0));
	BOTH_OK(create_at(at, "d/sub/new", O_CREAT | O_RDWR, 0666));
	OK(fstatat(w->mfd, "d/sub", &after, 0));
	CHECK(after.st_mtim.tv_sec > before.st_mtim.tv_sec, "mtime stayed");
	CHECK(after.st_ctim.tv_sec > before.st_mtim.tv_sec, "ctime stayed");
	CHECK(after.st_ino == before.st_ino, "%lu, was %lu",
	      (long)after.st_ino, (long)before.st_ino);
}

/* The stack alone, without an upper, takes nothing. */
TEST_F(create, read_only_stack)
{
	struct world *w = &self->w;

	if (variant->where == IN_UPPER || variant->where == MERGED)
		SKIP(return, "nothing of this is in the layers");
	OK(world_umount(w));
	w->no_upper = true;
	if (world_is_overlay() && w->nlayers < 2)
		SKIP(w->no_compare = true; return, "overlayfs: wants two layers");
	OK(world_mount(w));
	FAILS(EROFS, create_at(w->mfd, "d/new", O_CREAT | O_RDWR, 0600));
	FAILS(EROFS, mkdirat(w->mfd, "d/new", 0600));
	FAILS(EROFS, symlinkat("x", w->mfd, "d/new"));
	FAILS(EROFS, mknodat(w->mfd, "d/new", S_IFIFO | 0600, 0));
	FAILS(EROFS, create_at(w->mfd, "d/file", O_RDWR, 0));
	FAILS(EEXIST, mkdirat(w->mfd, "d/sub", 0600));
}

TEST_HARNESS_MAIN
