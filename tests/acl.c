// SPDX-License-Identifier: GPL-2.0-or-later
/* POSIX access control lists: kept by copy-up, honoured, inherited. */
#include "testing.h"

#include <linux/magic.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <sys/statfs.h>
#include <sys/xattr.h>

#define ACCESS_NAME "system.posix_acl_access"
#define DEFAULT_NAME "system.posix_acl_default"

struct acl {
	struct posix_acl_xattr_header header;
	struct posix_acl_xattr_entry entry[5];
};

/* u::PERM u:77:USER g::GROUP m::rwx o::--- */
static struct acl acl(int perm, int user, int group)
{
	return (struct acl) {
		.header.a_version = POSIX_ACL_XATTR_VERSION,
		.entry = {
			{ ACL_USER_OBJ, perm, ACL_UNDEFINED_ID },
			{ ACL_USER, user, 77 },
			{ ACL_GROUP_OBJ, group, ACL_UNDEFINED_ID },
			{ ACL_MASK, 7, ACL_UNDEFINED_ID },
			{ ACL_OTHER, 0, ACL_UNDEFINED_ID },
		},
	};
}

WORLD_FIXTURE(acl);

FIXTURE_SETUP(acl)
{
	struct world *w = &self->w;
	struct acl a = acl(6, 4, 0), d = acl(7, 7, 5);

	OK(world_begin(w, variant->where));
	OK(put_dir(w, "d", 0755));
	OK(put_dir(w, "d/inherit", 0755));
	OK(put_xattr(w, "d/inherit", DEFAULT_NAME, &d, sizeof(d)));
	OK(put_text(w, "d/file", "a file\n"));
	OK(put_xattr(w, "d/file", ACCESS_NAME, &a, sizeof(a)));
	OK(put_text(w, "d/bare", "without\n"));
	OK(put_symlink(w, "d/link", "file"));
	OK(world_mount(w));
}

WORLD_TEARDOWN(acl)

TEST_F(acl, get)
{
	struct world *w = &self->w;
	struct acl a = { };
	char list[256];

	SAME(getxattr(P("d/file"), ACCESS_NAME, &a, sizeof(a)));
	EXPECT_EQ(77, a.entry[1].e_id);
	BOTH_FAIL(ENODATA, getxattr(P("d/bare"), ACCESS_NAME, &a, sizeof(a)));
	BOTH_FAIL(ENODATA, getxattr(P("d"), DEFAULT_NAME, &a, sizeof(a)));
	BOTH_FAIL(ERANGE, getxattr(P("d/file"), ACCESS_NAME, &a, 3));
	SAME(listxattr(P("d/file"), list, sizeof(list)));
}

/* Who may what follows the list, before and after the copy-up. */
TEST_F(acl, permission)
{
	struct world *w = &self->w;

	for (int i = 0; i < 2; i++) {
		CHECK(!IN_CHILD({
			if (setresgid(99, 99, 99) || setresuid(77, 77, 77))
				_exit(1);
			BOTH_OK(openat(at, "d/file", O_RDONLY));
			BOTH_FAIL(EACCES, openat(at, "d/file", O_WRONLY));
			if (_metadata->exit_code)
				_exit(2);
		}), "as the list's user, round %d", i);
		CHECK(!IN_CHILD({
			if (setresgid(99, 99, 99) || setresuid(78, 78, 78))
				_exit(1);
			BOTH_FAIL(EACCES, openat(at, "d/file", O_RDONLY));
			if (_metadata->exit_code)
				_exit(2);
		}), "as another user, round %d", i);
		BOTH_OK(setxattr(P("d/file"), "user.x", "x", 1, 0));
	}
}

TEST_F(acl, set)
{
	struct world *w = &self->w;
	struct acl a = acl(7, 6, 5), bad = a;
	struct stat st;

	BOTH_OK(setxattr(P("d/bare"), ACCESS_NAME, &a, sizeof(a), 0));
	BOTH_OK(setxattr(P("d/file"), ACCESS_NAME, &a, sizeof(a), 0));
	BOTH_OK(setxattr(P("d"), DEFAULT_NAME, &a, sizeof(a), 0));
	BOTH_OK(setxattr(P("d/inherit"), ACCESS_NAME, &a, sizeof(a), 0));
	/* The mode follows. */
	OK(fstatat(w->mfd, "d/bare", &st, 0));
	EXPECT_EQ(0770, st.st_mode & 07777);
	BOTH_FAIL(EACCES, setxattr(P("d/file"), DEFAULT_NAME, &a, sizeof(a), 0));
	bad.entry[1].e_tag = 0x77;
	BOTH_FAIL(EINVAL, setxattr(P("d/file"), ACCESS_NAME, &bad, sizeof(bad), 0));
	BOTH_FAIL(EOPNOTSUPP, lsetxattr(P("d/link"), ACCESS_NAME, &a, sizeof(a), 0));
	/* And the list follows the mode. */
	BOTH_OK(fchmodat(at, "d/bare", 0640, 0));
	SAME(getxattr(P("d/bare"), ACCESS_NAME, &a, sizeof(a)));
}

/* Nobody but the owner sets a list. */
TEST_F(acl, set_by_others)
{
	struct world *w = &self->w;
	struct acl a = acl(7, 6, 5);

	BOTH_OK(fchownat(at, "d/bare", 88, 88, 0));
	CHECK(!IN_CHILD({
		if (setresuid(77, 77, 77))
			_exit(1);
		BOTH_FAIL(EPERM, setxattr(P("d/file"), ACCESS_NAME, &a, sizeof(a), 0));
		BOTH_FAIL(EPERM, removexattr(P("d/file"), ACCESS_NAME));
		if (_metadata->exit_code)
			_exit(2);
	}), "as another user");
	CHECK(!IN_CHILD({
		if (setresuid(88, 88, 88))
			_exit(1);
		BOTH_OK(setxattr(P("d/bare"), ACCESS_NAME, &a, sizeof(a), 0));
		if (_metadata->exit_code)
			_exit(2);
	}), "as the owner");
}

TEST_F(acl, remove)
{
	struct world *w = &self->w;

	BOTH_OK(removexattr(P("d/file"), ACCESS_NAME));
	BOTH_FAIL(ENODATA, getxattr(P("d/file"), ACCESS_NAME, NULL, 0));
	BOTH_OK(removexattr(P("d/inherit"), DEFAULT_NAME));
	BOTH_OK(mkdirat(at, "d/inherit/not", 0700));
	if (VENEER_ONLY("wants to find the list that it removes")) {
		SAME(removexattr(P("d/bare"), ACCESS_NAME));
		SAME(removexattr(P("d/bare"), DEFAULT_NAME));
	}
}

/* To set a list asks whether the caller may have setgid; to take it away does not. */
TEST_F(acl, setgid)
{
	struct world *w = &self->w;
	struct acl a = acl(7, 6, 5);
	struct statfs sf;

	OK(statfs(w->plain, &sf));
	if (sf.f_type == TMPFS_MAGIC)
		SKIP(return, "tmpfs asks both times");
	if (!VENEER_ONLY("asks both times"))
		return;
	BOTH_OK(fchownat(at, "d/bare", 88, 66, 0));
	BOTH_OK(fchmodat(at, "d/bare", 02755, 0));
	BOTH_OK(fchownat(at, "d/file", 88, 66, 0));
	BOTH_OK(fchmodat(at, "d/file", 02755, 0));
	CHECK(!IN_CHILD({
		if (setresgid(88, 88, 88) || setresuid(88, 88, 88))
			_exit(1);
		BOTH_OK(removexattr(P("d/file"), ACCESS_NAME));
		BOTH_OK(setxattr(P("d/bare"), ACCESS_NAME, &a, sizeof(a), 0));
		if (_metadata->exit_code)
			_exit(2);
	}), "as the owner, who is not in the group");
	SAME_TREES(w);
}

TEST_F(acl, inherit)
{
	struct world *w = &self->w;

	BOTH_OK(mknodat(at, "d/inherit/file", S_IFREG | 0666, 0));
	BOTH_OK(mkdirat(at, "d/inherit/dir", 0777));
	BOTH_OK(mknodat(at, "d/inherit/dir/file", S_IFREG | 0600, 0));
	BOTH_OK(renameat(at, "d/inherit", at, "d/moved"));
	BOTH_OK(mknodat(at, "d/moved/dir/file2", S_IFREG | 0660, 0));
	/* What moves in keeps what it had. */
	BOTH_OK(renameat(at, "d/bare", at, "d/moved/bare"));
	BOTH_OK(renameat(at, "d/file", at, "d/moved/dir/file3"));
}

/* Where the objects that make a directory come from lists, they stay theirs. */
TEST_F(acl, copied_parent)
{
	struct world *w = &self->w;

	BOTH_OK(fchmodat(at, "d/file", 0660, 0));
	BOTH_OK(write_text(P("d/bare"), "changed"));
	SAME(getxattr(P("d/bare"), ACCESS_NAME, NULL, 0));
	SAME(getxattr(P("d/file"), ACCESS_NAME, NULL, 0));
}

/* What is made in the workdir first has nothing of the workdir's. */
TEST_F(acl, workdir_that_inherits)
{
	struct world *w = &self->w;
	struct acl d = acl(7, 7, 5);
	struct stat st;

	OK(world_umount(w));
	OK(chown(w->work, 0, 66));
	OK(chmod(w->work, 02755));
	OK(setxattr(w->work, DEFAULT_NAME, &d, sizeof(d), 0));
	OK(world_mount(w));
	OK(stat(join(w->work, "work"), &st));
	EXPECT_EQ(S_IFDIR, st.st_mode);
	CHECK(getxattr(join(w->work, "work"), ACCESS_NAME, NULL, 0) == -1 && errno == ENODATA,
	      "the access list of work/");
	CHECK(getxattr(join(w->work, "work"), DEFAULT_NAME, NULL, 0) == -1 && errno == ENODATA,
	      "the default list of work/");

	BOTH_OK(fchmodat(at, "d/file", 0660, 0));
	BOTH_OK(write_text(P("d/bare"), "changed"));
	BOTH_OK(mkdirat(at, "d/new", 0755));
	BOTH_OK(mknodat(at, "d/new/file", S_IFREG | 0644, 0));
	SAME(getxattr(P("d/bare"), ACCESS_NAME, NULL, 0));
	SAME(getxattr(P("d/new"), DEFAULT_NAME, NULL, 0));
}

TEST_HARNESS_MAIN
