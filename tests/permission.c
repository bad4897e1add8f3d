// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who may do what: the caller by the mount's own modes and owners, the real
 * objects with the credentials of who mounted.
 */
#include "testing.h"

#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

WORLD_FIXTURE(permission);

FIXTURE_SETUP(permission)
{
	struct world *w = &self->w;

	OK(world_begin(w, variant->where));
	OK(put_dir(w, "d", 0755));
	OK(put_text(w, "d/none", "0"));
	OK(put_mode(w, "d/none", 0));
	OK(put_text(w, "d/read", "4"));
	OK(put_mode(w, "d/read", 0444));
	OK(put_text(w, "d/mine", "mine"));
	OK(put_owner(w, "d/mine", 77, 99));
	OK(put_mode(w, "d/mine", 0640));
	OK(put_text(w, "d/group", "group"));
	OK(put_owner(w, "d/group", 1, 99));
	OK(put_mode(w, "d/group", 0664));
	OK(put_text(w, "d/exec", "#!/bin/false\n"));
	OK(put_mode(w, "d/exec", 0754));
	OK(put_dir(w, "d/closed", 0700));
	OK(put_text(w, "d/closed/inside", "inside"));
	OK(put_dir(w, "d/search", 0711));
	OK(put_text(w, "d/search/inside", "inside"));
	OK(put_dir(w, "d/list", 0744));
	OK(put_text(w, "d/list/inside", "inside"));
	OK(put_dir(w, "d/open", 0777));
	OK(put_mode(w, "d/open", 0777));
	OK(put_text(w, "d/open/theirs", "theirs"));
	OK(put_mode(w, "d/open/theirs", 0600));
	OK(world_mount(w));
}

WORLD_TEARDOWN(permission)

static void become(uid_t uid, gid_t gid)
{
	if (setgroups(0, NULL) || setresgid(gid, gid, gid) ||
	    setresuid(uid, uid, uid))
		_exit(100);
}

#define AS(uid, gid, ...)						\
	CHECK(!IN_CHILD({						\
		become(uid, gid);					\
		__VA_ARGS__						\
		if (_metadata->exit_code)				\
			_exit(1);					\
	}), "as user %d", uid)

TEST_F(permission, stranger)
{
	struct world *w = &self->w;

	AS(50, 50, {
		BOTH_FAIL(EACCES, openat(at, "d/none", O_RDONLY));
		BOTH_OK(openat(at, "d/read", O_RDONLY));
		BOTH_FAIL(EACCES, openat(at, "d/read", O_WRONLY));
		BOTH_FAIL(EACCES, openat(at, "d/mine", O_RDONLY));
		BOTH_OK(openat(at, "d/group", O_RDONLY));
		BOTH_FAIL(EACCES, openat(at, "d/group", O_RDWR));
		BOTH_FAIL(EACCES, faccessat(at, "d/exec", X_OK, 0));
		BOTH_FAIL(EACCES, openat(at, "d/closed/inside", O_RDONLY));
		BOTH_FAIL(EACCES, openat(at, "d/closed", O_RDONLY | O_DIRECTORY));
		BOTH_OK(openat(at, "d/search/inside", O_RDONLY));
		BOTH_FAIL(EACCES, openat(at, "d/search", O_RDONLY | O_DIRECTORY));
		BOTH_OK(openat(at, "d/list", O_RDONLY | O_DIRECTORY));
		BOTH_FAIL(EACCES, openat(at, "d/list/inside", O_RDONLY));
		BOTH_FAIL(EACCES, mkdirat(at, "d/new", 0700));
		BOTH_FAIL(EACCES, unlinkat(at, "d/read", 0));
		BOTH_FAIL(EACCES, renameat(at, "d/read", at, "d/x"));
		/* EACCES or, with fs.protected_hardlinks, EPERM. */
		BOTH(linkat(at, "d/read", at, "d/x", 0));
		BOTH_FAIL(EPERM, fchmodat(at, "d/read", 0777, 0));
		BOTH_FAIL(EPERM, fchownat(at, "d/read", 50, 50, 0));
		BOTH_FAIL(EPERM, utimensat(at, "d/read", (struct timespec [2]) { }, 0));
		BOTH_FAIL(EACCES, utimensat(at, "d/read", NULL, 0));
		BOTH_FAIL(EACCES, truncate(P("d/read"), 0));
	});
	/* Nothing of it was copied up. */
	if (variant->where == IN_LAYER)
		CHECK(!exists(U("d")), "a refused call copied up");
}

TEST_F(permission, owner_and_group)
{
	struct world *w = &self->w;

	AS(77, 50, {
		BOTH_OK(openat(at, "d/mine", O_RDWR));
		BOTH_OK(fchmodat(at, "d/mine", 0600, 0));
		BOTH_FAIL(EPERM, fchownat(at, "d/mine", 78, -1, 0));
		BOTH_FAIL(EPERM, fchownat(at, "d/mine", -1, 51, 0));
		BOTH_OK(fchownat(at, "d/mine", -1, 50, 0));
		BOTH_OK(write_text(P("d/mine"), "written by its owner"));
		BOTH_FAIL(EPERM, setxattr(P("d/mine"), "trusted.x", "x", 1, 0));
		BOTH_OK(setxattr(P("d/mine"), "user.x", "x", 1, 0));
	});
	AS(51, 99, {
		BOTH_OK(openat(at, "d/group", O_RDWR));
		BOTH_FAIL(EPERM, fchmodat(at, "d/group", 0600, 0));
		BOTH_OK(utimensat(at, "d/group", NULL, 0));
		BOTH_FAIL(EACCES, openat(at, "d/mine", O_RDONLY));
		BOTH_OK(write_text(P("d/group"), "written by the group"));
	});
	AS(50, 0, {
		BOTH_OK(faccessat(at, "d/exec", R_OK | X_OK, 0));
		BOTH_FAIL(EACCES, faccessat(at, "d/exec", W_OK, 0));
	});
}

/* What a user makes is his, whoever mounted. */
TEST_F(permission, made_by_user)
{
	struct world *w = &self->w;
	struct stat st;

	AS(77, 99, {
		BOTH_OK(mkdirat(at, "d/open/dir", 0700));
		BOTH_OK(mknodat(at, "d/open/dir/file", S_IFREG | 0600, 0));
		BOTH_OK(symlinkat("x", at, "d/open/link"));
		BOTH_OK(mknodat(at, "d/open/fifo", S_IFIFO | 0600, 0));
		BOTH_FAIL(EPERM, mknodat(at, "d/open/dev", S_IFCHR | 0600, 0x103));
		BOTH_OK(unlinkat(at, "d/open/theirs", 0));
		BOTH_OK(mknodat(at, "d/open/theirs", S_IFREG | 0600, 0));
		BOTH_OK(renameat(at, "d/open/dir", at, "d/open/moved"));
		BOTH(openat(at, "d/open", O_TMPFILE | O_RDWR, 0600));
	});
	OK(fstatat(w->mfd, "d/open/theirs", &st, 0));
	EXPECT_EQ(77, st.st_uid);
	EXPECT_EQ(99, st.st_gid);
}

/* A copy-up by somebody else leaves the owner as he was. */
TEST_F(permission, copied_up_by_another)
{
	struct world *w = &self->w;
	struct stat st;

	AS(51, 99, {
		BOTH_OK(write_text(P("d/group"), "x"));
	});
	OK(fstatat(w->mfd, "d/group", &st, 0));
	EXPECT_EQ(1, st.st_uid);
	EXPECT_EQ(99, st.st_gid);
	EXPECT_EQ(0664, st.st_mode & 07777);
}

static int drop_capability(int cap)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &h, d))
		return -1;
	d[cap / 32].effective &= ~(1u << (cap % 32));
	d[cap / 32].permitted &= ~(1u << (cap % 32));
	d[cap / 32].inheritable &= ~(1u << (cap % 32));
	return syscall(SYS_capset, &h, d);
}

/* The real objects are touched as the mounter: that he could is enough. */
TEST_F(permission, without_capabilities)
{
	struct world *w = &self->w;

	OK(fchownat(w->mfd, "d/closed", 77, 77, 0));
	OK(fchownat(w->pfd, "d/closed", 77, 77, 0));
	CHECK(!IN_CHILD({
		if (drop_capability(CAP_SYS_ADMIN) || drop_capability(CAP_MKNOD) ||
		    drop_capability(CAP_DAC_OVERRIDE) ||
		    drop_capability(CAP_DAC_READ_SEARCH) ||
		    drop_capability(CAP_FOWNER) || drop_capability(CAP_CHOWN))
			_exit(100);
		become(77, 77);
		/* The upper's path itself is not his to walk or write. */
		BOTH_OK(unlinkat(at, "d/closed/inside", 0));
		BOTH_OK(mknodat(at, "d/closed/inside", S_IFREG | 0600, 0));
		BOTH_OK(unlinkat(at, "d/closed/inside", 0));
		BOTH_OK(mkdirat(at, "d/closed/new", 0700));
		BOTH_OK(renameat(at, "d/closed/new", at, "d/closed/newer"));
		if (_metadata->exit_code)
			_exit(1);
	}), "as a user without capabilities");
}

/* Who may give a file to a group that he is not in cannot give it setgid there. */
TEST_F(permission, setgid_to_another_group)
{
	static const mode_t modes[] = { 06777, 06766, 02766, 04766, 02777, 07266 };
	static const gid_t group = 99;
	struct world *w = &self->w;
	struct stat m, p;

	CHECK(!IN_CHILD({
		if (setgroups(1, &group) || drop_capability(CAP_FSETID))
			_exit(100);
		for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
			BOTH_OK(fchownat(at, "d/mine", 77, group, 0));
			BOTH_OK(fchmodat(at, "d/mine", modes[i], 0));
			BOTH_OK(fchownat(at, "d/mine", 77, 55, 0));
			OK(fstatat(w->mfd, "d/mine", &m, 0));
			OK(fstatat(w->pfd, "d/mine", &p, 0));
			CHECK(m.st_mode == p.st_mode, "%o has become %o, on plain %o",
			      modes[i], m.st_mode, p.st_mode);
		}
		if (_metadata->exit_code)
			_exit(1);
	}), "without CAP_FSETID");
}

/* The root of the file system decides too. */
TEST_F(permission, closed_root)
{
	struct world *w = &self->w;

	BOTH_OK(fchmodat(at, ".", 0700, 0));
	AS(50, 50, {
		BOTH_FAIL(EACCES, faccessat(at, "d", F_OK, 0));
		BOTH_FAIL(EACCES, openat(at, "d/read", O_RDONLY));
	});
	BOTH_OK(fchmodat(at, ".", 0755, 0));
	AS(50, 50, {
		BOTH_OK(openat(at, "d/read", O_RDONLY));
	});
}

#define LOOK (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define CHANGE (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |	\
		LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |	\
		LANDLOCK_ACCESS_FS_EXECUTE)

static int may(int rules, const char *path, uint64_t what)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = what };
	int ret;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return -1;
	ret = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	close(rule.parent_fd);
	return ret;
}

/*
 * A program that has shut itself in is held to what it said of the mount, also by
 * what the mount does below, and of an object that is copied up meanwhile.
 */
TEST_F(permission, landlock)
{
	struct landlock_ruleset_attr all = { .handled_access_fs = LOOK | CHANGE };
	struct world *w = &self->w;
	int rules, fd[2];

	rules = syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);
	if (rules < 0)
		SKIP(return, "this kernel has no landlock");
	BOTH_OK(may(rules, in, LOOK));
	BOTH_OK(may(rules, P("d/open"), LOOK | CHANGE));
	BOTH_OK(fchmodat(at, "d/read", 0555, 0));
	BOTH_OK(write_text(P("d/mine"), "once more"));
	CHECK(!IN_CHILD({
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		    syscall(SYS_landlock_restrict_self, rules, 0))
			_exit(100);
		BOTH_OK(openat(at, "d/read", O_RDONLY));
		BOTH_OK(openat(at, "d/mine", O_RDONLY));
		BOTH_OK(openat(at, "d", O_RDONLY | O_DIRECTORY));
		BOTH_FAIL(EACCES, openat(at, "d/read", O_RDWR));
		BOTH_FAIL(EACCES, openat(at, "d/mine", O_WRONLY | O_TRUNC));
		BOTH_FAIL(EACCES, unlinkat(at, "d/read", 0));
		BOTH_FAIL(EACCES, mkdirat(at, "d/new", 0700));
		BOTH_FAIL(EACCES, execl(P("d/read"), "read", NULL));
		BOTH(renameat(at, "d/open/theirs", at, "d/theirs"));
		BOTH_OK(write_text(P("d/open/theirs"), "written"));
		BOTH_OK(write_text(P("d/open/new"), "made"));
		BOTH_OK(renameat(at, "d/open/new", at, "d/open/newer"));
		BOTH_OK(unlinkat(at, "d/open/newer", 0));
		OPEN_BOTH(fd, "d/open/theirs", O_RDWR);
		BOTH(ftruncate(F(fd), 3));
		SAME(pwrite(F(fd), "more", 4, 5000));
		FAILS(EACCES, open(w->layer[0], O_RDONLY));
		FAILS(EACCES, open(w->upper, O_RDONLY));
		if (_metadata->exit_code)
			_exit(1);
	}), "shut in");
	close(rules);
	SAME_TREES(w);
}

TEST_HARNESS_MAIN
