// SPDX-License-Identifier: GPL-2.0-or-later
/* Renaming: files and directories, from wherever; EXDEV is never the answer. */
#include "testing.h"

#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

WORLD_FIXTURE(rename);

FIXTURE_SETUP(rename)
{
	struct world *w = &self->w;

	OK(world_begin(w, variant->where));
	OK(put_dir(w, "a", 0755));
	OK(put_dir(w, "a/tree", 0751));
	OK(put_xattr(w, "a/tree", "user.kept", "yes", 3));
	OK(put_text(w, "a/tree/one", "1"));
	OK(put_text(w, "a/tree/two", "2"));
	OK(put_dir(w, "a/tree/deep", 0711));
	OK(put_dir(w, "a/tree/deep/deeper", 0755));
	OK(put_text(w, "a/tree/deep/deeper/three", "3"));
	OK(put_symlink(w, "a/tree/deep/link", "deeper/three"));
	OK(put_dir(w, "a/empty", 0755));
	OK(put_dir(w, "a/empty2", 0755));
	OK(put_dir(w, "b", 0755));
	OK(put_dir(w, "b/tree2", 0755));
	OK(put_text(w, "b/tree2/four", "4"));
	OK(put_text(w, "a/file", "a file\n"));
	OK(put_text(w, "a/gone", "will be\n"));
	OK(put_text(w, "b/file", "another\n"));
	OK(put_symlink(w, "a/link", "file"));
	OK(put_node(w, "a/fifo", S_IFIFO | 0644, 0));
	OK(put_node(w, "a/chr", S_IFCHR | 0644, makedev(1, 3)));
	OK(world_mount(w));
}

WORLD_TEARDOWN(rename)

static int ren(int at, const char *from, const char *to, unsigned int flags)
{
	return renameat2(at, from, at, to, flags);
}

/* Two errors that POSIX lets a file system choose from, alike on both sides. */
#define NOT_EMPTY(call) do {						\
	long __e = BOTH(errno_of_full(call));				\
	CHECK(__e == -ENOTEMPTY, "%s: %s", #call, err_name(-__e));	\
} while (0)

static int errno_of_full(int ret)
{
	if (ret < 0 && errno == EEXIST)
		errno = ENOTEMPTY;
	return ret;
}

TEST_F(rename, files)
{
	struct world *w = &self->w;

	BOTH_OK(ren(at, "a/file", "a/moved", 0));
	BOTH_FAIL(ENOENT, faccessat(at, "a/file", F_OK, 0));
	BOTH_OK(ren(at, "a/moved", "b/moved", 0));
	BOTH_OK(ren(at, "a/link", "b/link", 0));
	BOTH_OK(ren(at, "a/fifo", "fifo", 0));
	BOTH_OK(ren(at, "a/chr", "a/tree/deep/chr", 0));
	BOTH_OK(ren(at, "b/moved", "a/file", 0));
	EXPECT_EQ(0, same_bytes(M("a/file"), "a file\n", 7));
}

TEST_F(rename, replace)
{
	struct world *w = &self->w;

	BOTH_OK(ren(at, "a/file", "b/file", 0));
	EXPECT_EQ(0, same_bytes(M("b/file"), "a file\n", 7));
	BOTH_OK(ren(at, "a/link", "b/file", 0));
	BOTH_OK(ren(at, "a/tree/one", "a/tree/two", 0));
	BOTH_OK(ren(at, "a/fifo", "a/gone", 0));
	BOTH_FAIL(ENOENT, faccessat(at, "a/file", F_OK, 0));
}

TEST_F(rename, refused)
{
	struct world *w = &self->w;

	BOTH_FAIL(ENOENT, ren(at, "a/none", "a/x", 0));
	BOTH_FAIL(ENOENT, ren(at, "a/file", "none/x", 0));
	BOTH_FAIL(ENOTDIR, ren(at, "a/file", "b/file/x", 0));
	BOTH_FAIL(EISDIR, ren(at, "a/file", "a/tree", 0));
	BOTH_FAIL(EISDIR, ren(at, "a/file", "a/empty", 0));
	BOTH_FAIL(ENOTDIR, ren(at, "a/tree", "b/file", 0));
	NOT_EMPTY(ren(at, "a/tree", "b/tree2", 0));
	NOT_EMPTY(ren(at, "a/empty", "a/tree", 0));
	BOTH_FAIL(EINVAL, ren(at, "a/tree", "a/tree/deep/x", 0));
	NOT_EMPTY(ren(at, "a/tree/deep", "a/tree", 0));
	BOTH_FAIL(EBUSY, ren(at, "a/.", "b/x", 0));
	BOTH_FAIL(EINVAL, ren(at, "a/file", "a/x", RENAME_NOREPLACE | RENAME_EXCHANGE));
	BOTH_FAIL(EINVAL, ren(at, "a/file", "a/x", 1 << 10));
	FAILS(EXDEV, renameat(w->mfd, "a/file", w->pfd, "a/x"));
	BOTH_OK(ren(at, "a/file", "a/file", 0));
}

TEST_F(rename, directories)
{
	struct world *w = &self->w;

	BOTH_OK(ren(at, "a/tree", "a/moved", 0));
	EXPECT_EQ(0, same_bytes(M("a/moved/deep/deeper/three"), "3", 1));
	BOTH_FAIL(ENOENT, faccessat(at, "a/tree", F_OK, 0));
	SAME_TREES(w);
	BOTH_OK(ren(at, "a/moved", "b/moved", 0));
	SAME_TREES(w);
	BOTH_OK(ren(at, "b/moved/deep", "deep", 0));
	SAME_TREES(w);
	BOTH_OK(ren(at, "b", "a/b", 0));
	SAME_TREES(w);
	/* The whole of it as it was found on disk. */
	OK(world_remount(w));
	SAME_TREES(w);
	BOTH_OK(ren(at, "a/b/moved", "tree", 0));
	BOTH_OK(ren(at, "deep/deeper", "tree/deeper", 0));
	BOTH_OK(ren(at, "a", "z", 0));
}

/* A directory takes the place of one that was renamed away before. */
TEST_F(rename, into_the_old_place)
{
	struct world *w = &self->w;

	BOTH_OK(ren(at, "a/tree", "b/moved", 0));
	BOTH_OK(mkdirat(at, "a/tree", 0700));
	BOTH_FAIL(ENOENT, faccessat(at, "a/tree/one", F_OK, 0));
	BOTH_OK(mkdirat(at, "a/tree/deep", 0700));
	SAME_TREES(w);
	OK(world_remount(w));
	SAME_TREES(w);
	BOTH_OK(ren(at, "b/tree2", "b/away", 0));
	BOTH_OK(ren(at, "b/moved", "b/tree2", 0));
	BOTH_FAIL(ENOENT, faccessat(at, "b/tree2/four", F_OK, 0));
	SAME_TREES(w);
	OK(world_remount(w));
	/* And back to where it was in the first place. */
	BOTH_OK(unlinkat(at, "a/tree/deep", AT_REMOVEDIR));
	BOTH_OK(ren(at, "b/tree2", "a/tree", 0));
	BOTH_OK(ren(at, "b/away", "b/tree2", 0));
}

/* A merged directory moves with what was changed in it. */
TEST_F(rename, changed_inside)
{
	struct world *w = &self->w;

	BOTH_OK(unlinkat(at, "a/tree/one", 0));
	BOTH_OK(mkdirat(at, "a/tree/new", 0700));
	BOTH_OK(fchmodat(at, "a/tree/deep/deeper/three", 0600, 0));
	BOTH_OK(ren(at, "a/tree", "b/tree", 0));
	SAME_TREES(w);
	BOTH_OK(unlinkat(at, "b/tree/two", 0));
	BOTH_OK(write_text(P("b/tree/deep/deeper/three"), "changed"));
	BOTH_OK(ren(at, "b/tree/deep", "b/tree/new/deep", 0));
	BOTH_OK(ren(at, "b/tree", "b/again", 0));
	SAME_TREES(w);
	OK(world_remount(w));
	BOTH_OK(unlinkat(at, "b/again/new/deep/link", 0));
	BOTH_OK(ren(at, "b/again", "a/tree", 0));
}

TEST_F(rename, over_directories)
{
	struct world *w = &self->w;

	BOTH_OK(ren(at, "a/tree", "a/empty", 0));
	SAME_TREES(w);
	BOTH_OK(ren(at, "a/empty2", "a/tree", 0));
	SAME_TREES(w);
	/* Emptied in the mount, with names below: empty all the same. */
	BOTH_OK(unlinkat(at, "b/tree2/four", 0));
	BOTH_OK(ren(at, "a/empty", "b/tree2", 0));
	BOTH_FAIL(ENOENT, faccessat(at, "b/tree2/four", F_OK, 0));
}

TEST_F(rename, over_whiteouts)
{
	struct world *w = &self->w;

	BOTH_OK(unlinkat(at, "a/gone", 0));
	BOTH_OK(ren(at, "a/file", "a/gone", 0));
	BOTH_OK(unlinkat(at, "b/file", 0));
	BOTH_OK(ren(at, "a/tree", "b/file", 0));
	SAME_TREES(w);
	BOTH_OK(unlinkat(at, "b/tree2/four", 0));
	BOTH_OK(unlinkat(at, "b/tree2", AT_REMOVEDIR));
	BOTH_OK(ren(at, "b/file", "b/tree2", 0));
	SAME_TREES(w);
	BOTH_FAIL(ENOENT, faccessat(at, "b/tree2/four", F_OK, 0));
	/* Back over the whiteout that the first rename left. */
	BOTH_OK(ren(at, "a/gone", "a/file", 0));
	BOTH_OK(ren(at, "b/tree2", "a/tree", 0));
}

TEST_F(rename, noreplace)
{
	struct world *w = &self->w;

	BOTH_FAIL(EEXIST, ren(at, "a/file", "b/file", RENAME_NOREPLACE));
	BOTH_FAIL(EEXIST, ren(at, "a/tree", "a/empty", RENAME_NOREPLACE));
	BOTH_FAIL(EEXIST, ren(at, "a/file", "a/file", RENAME_NOREPLACE));
	BOTH_OK(ren(at, "a/file", "b/new", RENAME_NOREPLACE));
	BOTH_OK(ren(at, "a/tree", "b/newtree", RENAME_NOREPLACE));
	BOTH_OK(unlinkat(at, "a/gone", 0));
	BOTH_OK(ren(at, "b/new", "a/gone", RENAME_NOREPLACE));
	BOTH_OK(ren(at, "b/newtree", "a/file", RENAME_NOREPLACE));
}

TEST_F(rename, exchange)
{
	struct world *w = &self->w;

	BOTH_OK(ren(at, "a/file", "b/file", RENAME_EXCHANGE));
	EXPECT_EQ(0, same_bytes(M("a/file"), "another\n", 8));
	EXPECT_EQ(0, same_bytes(M("b/file"), "a file\n", 7));
	SAME_TREES(w);
	BOTH_OK(ren(at, "a/tree", "b/tree2", RENAME_EXCHANGE));
	SAME_TREES(w);
	BOTH_OK(ren(at, "a/tree", "a/link", RENAME_EXCHANGE));
	SAME_TREES(w);
	BOTH_OK(ren(at, "a/fifo", "b/tree2/deep", RENAME_EXCHANGE));
	SAME_TREES(w);
	BOTH_FAIL(ENOENT, ren(at, "a/file", "a/none", RENAME_EXCHANGE));
	BOTH_FAIL(EINVAL, ren(at, "b", "b/tree2", RENAME_EXCHANGE));
	OK(world_remount(w));
	SAME_TREES(w);
	BOTH_OK(ren(at, "a/link", "b/tree2", RENAME_EXCHANGE));
	BOTH_OK(ren(at, "a", "b", RENAME_EXCHANGE));
	BOTH_OK(ren(at, "a/file", "b/file", RENAME_EXCHANGE));
}

/* Siblings, both from the layer, exchanged and exchanged again. */
TEST_F(rename, exchange_twice)
{
	struct world *w = &self->w;

	BOTH_OK(ren(at, "a", "b", RENAME_EXCHANGE));
	SAME_TREES(w);
	BOTH_OK(unlinkat(at, "b/file", 0));
	OK(world_remount(w));
	SAME_TREES(w);
	BOTH_OK(ren(at, "a", "b", RENAME_EXCHANGE));
}

/* RENAME_WHITEOUT leaves a character device 0:0, which the mount shows. */
TEST_F(rename, whiteout)
{
	struct world *w = &self->w;
	struct stat st;

	if (world_is_overlay())
		SKIP(w->no_compare = true; return,
		     "overlayfs: does not take RENAME_WHITEOUT");
	BOTH_OK(ren(at, "a/file", "a/moved", RENAME_WHITEOUT));
	OK(fstatat(w->mfd, "a/file", &st, AT_SYMLINK_NOFOLLOW));
	CHECK(S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0),
	      "mode %o, device %lx", st.st_mode, (long)st.st_rdev);
	SAME_TREES(w);
	BOTH_OK(ren(at, "a/moved", "b/file", RENAME_WHITEOUT));
	BOTH_OK(ren(at, "a/tree", "b/tree", RENAME_WHITEOUT));
	BOTH_OK(ren(at, "b/tree/one", "b/tree/new", RENAME_WHITEOUT | RENAME_NOREPLACE));
	SAME_TREES(w);
	OK(world_remount(w));
	SAME_TREES(w);
	/* It is an object like any other. */
	BOTH_OK(ren(at, "a/file", "b/dev", 0));
	BOTH_OK(unlinkat(at, "a/tree", 0));
	BOTH_OK(mkdirat(at, "a/tree", 0700));
	BOTH_OK(mknodat(at, "b/dev2", S_IFCHR | 0600, makedev(0, 0)));
}

/* It belongs to who asked for it, and inherits what any new object would. */
TEST_F(rename, whiteout_of_a_user)
{
	struct world *w = &self->w;
	const struct {
		struct posix_acl_xattr_header header;
		struct posix_acl_xattr_entry entry[5];
	} acl = {
		.header.a_version = POSIX_ACL_XATTR_VERSION,
		.entry = {
			{ ACL_USER_OBJ, 7, ACL_UNDEFINED_ID }, { ACL_USER, 6, 77 },
			{ ACL_GROUP_OBJ, 5, ACL_UNDEFINED_ID },
			{ ACL_MASK, 7, ACL_UNDEFINED_ID }, { ACL_OTHER, 7, ACL_UNDEFINED_ID },
		},
	};

	if (world_is_overlay())
		SKIP(w->no_compare = true; return,
		     "overlayfs: does not take RENAME_WHITEOUT");
	if (world_whiteouts_inherit())
		BOTH_OK(setxattr(P("a"), "system.posix_acl_default", &acl, sizeof(acl), 0));
	BOTH_OK(fchmodat(at, "a", 0777, 0));
	BOTH_OK(fchmodat(at, "b", 0777, 0));
	EXPECT_EQ(0, IN_CHILD(
		if (setresgid(77, 77, 77) || setresuid(77, 77, 77) ||
		    ren(w->mfd, "a/file", "b/moved", RENAME_WHITEOUT) ||
		    ren(w->pfd, "a/file", "b/moved", RENAME_WHITEOUT))
			_exit(1)));
	SAME_TREES(w);
}

/* Descriptors and working directories go on where they are. */
TEST_F(rename, open_directory)
{
	struct world *w = &self->w;
	int fd, pfd;

	fd = OK(openat(w->mfd, "a/tree/deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	pfd = OK(openat(w->pfd, "a/tree/deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	BOTH_OK(ren(at, "a/tree", "b/moved", 0));
	BOTH_OK(mkdirat(at == w->mfd ? fd : pfd, "made", 0700));
	BOTH_OK(unlinkat(at == w->mfd ? fd : pfd, "link", 0));
	BOTH_OK(faccessat(at, "b/moved/deep/made", F_OK, 0));
	BOTH_OK(faccessat(at == w->mfd ? fd : pfd, "../one", F_OK, 0));
	close(fd);
	close(pfd);
}

TEST_F(rename, open_file)
{
	struct world *w = &self->w;
	struct stat a, b;
	char buf[16];
	int fd;

	fd = OK(openat(w->mfd, "a/file", O_RDWR | O_CLOEXEC));
	OK(fstat(fd, &a));
	BOTH_OK(ren(at, "a/file", "b/file", 0));
	OK(fstat(fd, &b));
	EXPECT_EQ(a.st_ino, b.st_ino);
	EXPECT_EQ(7, OK(read(fd, buf, sizeof(buf))));
	EXPECT_EQ(1, OK(pwrite(fd, "A", 1, 0)));
	close(fd);
	EXPECT_EQ(0, same_bytes(M("b/file"), "A file\n", 7));
	OK(write_text(join(w->plain, "b/file"), "A file\n"));
}

TEST_F(rename, ino)
{
	struct world *w = &self->w;
	struct stat before, after;

	OK(fstatat(w->mfd, "a/tree", &before, 0));
	BOTH_OK(ren(at, "a/tree", "b/tree", 0));
	OK(fstatat(w->mfd, "b/tree", &after, 0));
	EXPECT_EQ(before.st_ino, after.st_ino);
	OK(world_remount(w));
	OK(fstatat(w->mfd, "b/tree", &after, 0));
	EXPECT_EQ(before.st_ino, after.st_ino);
}

/* Many levels down, each renamed, from the outside in and back. */
TEST_F(rename, chain)
{
	struct world *w = &self->w;

	BOTH_OK(ren(at, "a", "A", 0));
	BOTH_OK(ren(at, "A/tree", "A/TREE", 0));
	BOTH_OK(ren(at, "A/TREE/deep", "A/TREE/DEEP", 0));
	BOTH_OK(ren(at, "A/TREE/DEEP/deeper", "A/TREE/DEEP/DEEPER", 0));
	SAME_TREES(w);
	OK(world_remount(w));
	SAME_TREES(w);
	BOTH_OK(ren(at, "A/TREE/DEEP/DEEPER", "x", 0));
	BOTH_OK(ren(at, "A/TREE/DEEP", "x/y", 0));
	BOTH_OK(ren(at, "A/TREE", "x/y/z", 0));
	BOTH_OK(ren(at, "A", "x/y/z/a", 0));
	SAME_TREES(w);
	OK(world_remount(w));
	SAME_TREES(w);
	BOTH_OK(mkdirat(at, "a", 0700));
	BOTH_OK(ren(at, "x/y/z/a", "a", 0));
}

/* The moved directory's metadata is its own, and its mtime stays. */
TEST_F(rename, keeps_times)
{
	struct world *w = &self->w;
	struct stat before, after;

	OK(fstatat(w->mfd, "a/tree", &before, 0));
	BOTH_OK(ren(at, "a/tree", "a/moved", 0));
	OK(fstatat(w->mfd, "a/moved", &after, 0));
	EXPECT_EQ(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
	EXPECT_EQ(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	OK(fstatat(w->mfd, "a/file", &before, 0));
	BOTH_OK(ren(at, "a/file", "b/moved", 0));
	OK(fstatat(w->mfd, "b/moved", &after, 0));
	EXPECT_EQ(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
	EXPECT_EQ(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}

/* A path of the greatest length as the place a directory came from. */
TEST_F(rename, far_away)
{
	struct world *w = &self->w;
	char path[PATH_MAX] = "", part[128];
	int depth = 20, m, p;

	if (world_is_overlay())
		SKIP(w->no_compare = true; return,
		     "overlayfs: redirects are short, EXDEV beyond");
	OK(world_umount(w));
	memset(part, 'p', 120);
	part[0] = '/';
	part[120] = 0;
	for (int i = 0; i < depth; i++) {
		strcat(path, part);
		OK(put_dir(w, path + 1, 0755));
	}
	for (int i = 0; i < WORLD_LAYERS; i++)
		tree_free(&w->sealed[i]);
	strcat(path, "/file");
	OK(put_text(w, path + 1, "far"));
	*strrchr(path, '/') = 0;
	OK(world_mount(w));
	BOTH_OK(ren(at, path + 1, "near", 0));
	EXPECT_EQ(0, same_bytes(M("near/file"), "far", 3));
	m = OK(openat(w->mfd, "near", O_PATH | O_CLOEXEC));
	p = OK(openat(w->pfd, "near", O_PATH | O_CLOEXEC));
	BOTH_OK(mkdirat(at == w->mfd ? m : p, "made", 0700));
	close(m);
	close(p);
}

TEST_HARNESS_MAIN
