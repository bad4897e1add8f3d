// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mounts by an ordinary user in a user namespace: all that a mount does works,
 * and nothing can be had that the user could not have without it.
 */
#include "testing.h"

#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "userns.h"

/* The user's root is this one outside. */
#define BASE 100000

PLAIN_FIXTURE(userns);

static int give(const char *path)
{
	return lchown(path, BASE, BASE);
}

FIXTURE_SETUP(userns)
{
	struct world *w = &self->w;

	if (world_is_overlay())
		w->no_defaults = true;
	OK(userns_allow_mounts(true));
	OK(world_begin(w, IN_LOWER));
	OK(put_dir(w, "d", 0755));
	OK(put_dir(w, "d/sub", 0755));
	OK(put_dir(w, "replaced", 0755));
	OK(put_text(w, "d/file", "a file\n"));
	OK(put_text(w, "d/gone", "will be\n"));
	OK(put_text(w, "d/sub/inside", "inside\n"));
	OK(put_text(w, "replaced/old", "old\n"));
	OK(put_symlink(w, "d/link", "file"));
	OK(put_node(w, "d/fifo", S_IFIFO | 0644, 0));
	for (const char *const *p = (const char *const []) {
		     "", "d", "d/sub", "replaced", "d/file", "d/gone",
		     "d/sub/inside", "replaced/old", "d/link", "d/fifo", NULL }; *p; p++) {
		OK(give(join(w->plain, *p)));
		for (int i = 0; i < w->nlayers; i++)
			OK(give(join(w->layer[i], *p)) && errno != ENOENT ? -1 : 0);
	}
	OK(give(w->upper));
	OK(give(w->work));
	w->no_compare = true;
}

FIXTURE_TEARDOWN(userns)
{
	CHECK(!userns_allow_mounts(false), "");
	FINISH(&self->w);
}

/* Runs the rest of a test as the user. */
#define AS_USER(...) do {						\
	int __x;							\
	OK(world_seal(w));						\
	__x = IN_CHILD(OK(userns_enter(BASE)); __VA_ARGS__;		\
		       _exit(_metadata->exit_code != KSFT_PASS));	\
	CHECK(!__x, "as the user: status %d", __x);			\
} while (0)

static void everything(struct __test_metadata *_metadata, struct world *w)
{
	struct stat st;

	OK(world_mount(w));
	SAME_TREES(w);
	BOTH_OK(write_text(P("d/file"), "changed\n"));
	BOTH_OK(write_text(P("d/new"), "new\n"));
	BOTH_OK(mkdirat(at, "made", 0750));
	BOTH_OK(symlinkat("x", at, "made/link"));
	BOTH_OK(mknodat(at, "made/fifo", S_IFIFO | 0600, 0));
	BOTH_OK(unlinkat(at, "d/gone", 0));
	BOTH_OK(unlinkat(at, "replaced/old", 0));
	BOTH_OK(unlinkat(at, "replaced", AT_REMOVEDIR));
	BOTH_OK(mkdirat(at, "replaced", 0700));
	BOTH_OK(linkat(at, "d/file", at, "made/hard", 0));
	BOTH_OK(fchownat(at, "d/file", 5, 6, 0));
	BOTH_OK(fchmodat(at, "d/sub/inside", 0600, 0));
	BOTH_OK(fchownat(at, "d/link", 7, 8, AT_SYMLINK_NOFOLLOW));
	BOTH_OK(setxattr(P("d/file"), "user.test", "value", 5, 0));
	BOTH_FAIL(EINVAL, fchownat(at, "d/file", 70000, 0, 0));
	if (VENEER_ONLY("it cannot rename directories of layers here")) {
		BOTH_OK(renameat(at, "d/sub", at, "made/sub"));
		BOTH_OK(renameat(at, "d", at, "e"));
	}
	SAME_TREES(w);
	OK(world_remount(w));
	SAME_TREES(w);
	OK(fstatat(w->mfd, "made/hard", &st, 0));
	EXPECT_EQ(5, st.st_uid);
	EXPECT_EQ(2, st.st_nlink);
	BOTH_OK(unlinkat(at, "made/hard", 0));
	OK(world_umount(w));
}

TEST_F(userns, everything)
{
	struct world *w = &self->w;
	struct stat st;

	if (!world_is_overlay())
		CHECK(!w->option[0][0], "no option is needed");
	else
		w->option[0][0] = "userxattr";
	AS_USER(everything(_metadata, w));
	OK(lstat(U("replaced"), &st));
	EXPECT_EQ(BASE, st.st_uid);
	EXPECT_EQ(1, OK(getxattr(U("replaced"), "user.overlay.opaque", NULL, 0)));
	FAILS(ENODATA, getxattr(U("replaced"), "trusted.overlay.opaque", NULL, 0));
}

static void no_gain(struct __test_metadata *_metadata, struct world *w)
{
	char buf[64];
	int fd;

	OK(world_mount(w));
	/* What root has in a layer stays root's. */
	FAILS(EACCES, openat(w->mfd, "d/secret", O_RDONLY | O_CLOEXEC));
	FAILS(EPERM, fchmodat(w->mfd, "d/secret", 0644, 0));
	FAILS(EPERM, fchownat(w->mfd, "d/secret", 0, 0, 0));
	FAILS(EPERM, linkat(w->mfd, "d/suid", w->mfd, "d/suid2", 0) && errno != EPERM ?
	      0 : (errno = EPERM, -1));
	/* Devices are not devices. */
	FAILS(EACCES, openat(w->mfd, "d/null", O_RDONLY | O_CLOEXEC));
	FAILS(EPERM, mknodat(w->mfd, "d/mine", S_IFCHR | 0666, makedev(1, 3)));
	FAILS(EPERM, mknodat(w->mfd, "d/mine", S_IFBLK | 0666, makedev(8, 0)));
	/* trusted.* can neither be written nor seen, and means nothing. */
	FAILS(EPERM, setxattr(M("d/file"), "trusted.overlay.opaque", "y", 1, 0));
	FAILS(ENODATA, getxattr(M("d"), "trusted.overlay.opaque", buf, sizeof(buf)));
	OK(faccessat(w->mfd, "d/sub/inside", F_OK, 0));
	/* Nor can the marks that count be reached through the mount. */
	OK(setxattr(M("d/sub"), "user.overlay.opaque", "y", 1, 0));
	OK(faccessat(w->mfd, "d/sub/inside", F_OK, 0));
	OK(setxattr(M("d/file"), "user.veneer.split", "junk", 4, 0));
	OK(setxattr(M("d/file"), "user.overlay.metacopy", "", 0, 0));
	OK(world_remount(w));
	OK(faccessat(w->mfd, "d/sub/inside", F_OK, 0));
	EXPECT_EQ(0, same_bytes(M("d/file"), "a file\n", 7));
	/* A setuid file is of a user who is nobody here. */
	fd = OK(openat(w->mfd, "d/suid", O_PATH | O_CLOEXEC));
	close(fd);
	OK(world_umount(w));
}

TEST_F(userns, no_gain)
{
	struct world *w = &self->w;
	const char *low = w->layer[1];

	if (world_is_overlay())
		w->option[0][0] = "userxattr";
	OK(write_text(join(low, "d/secret"), "secret\n"));
	OK(chmod(join(low, "d/secret"), 0600));
	OK(write_text(join(low, "d/suid"), "#!\n"));
	OK(chmod(join(low, "d/suid"), 04755));
	OK(mknod(join(low, "d/null"), S_IFCHR | 0666, makedev(1, 3)));
	OK(chmod(join(low, "d/null"), 0666));
	OK(setxattr(join(w->layer[0], "d"), "trusted.overlay.opaque", "y", 1, 0));
	AS_USER(no_gain(_metadata, w));
}

static void refused(struct __test_metadata *_metadata, struct world *w)
{
	FAILS(EACCES, world_mount(w));
	CHECK(strstr(w->log, "upperdir"), "the message: %s", w->log);
}

/* Somebody else's directory is not to be claimed. */
TEST_F(userns, upper_of_others)
{
	struct world *w = &self->w;

	if (world_is_overlay())
		SKIP(return, "overlayfs claims what it cannot write to");
	OK(chown(w->upper, 0, 0));
	AS_USER(refused(_metadata, w));
	OK(world_mount(w));
}

static void hostile(struct __test_metadata *_metadata, struct world *w)
{
	OK(world_mount(w));
	FAILS(EUCLEAN, faccessat(w->mfd, "d/dots/etc", F_OK, 0));
	FAILS(EIO, faccessat(w->mfd, "d/away/etc", F_OK, 0));
	FAILS(EUCLEAN, faccessat(w->mfd, "d/up/x", F_OK, 0));
	/* Where nobody may look from outside nobody may by a redirect. */
	FAILS(EACCES, faccessat(w->mfd, "d/closed/inside", F_OK, 0));
	OK(world_umount(w));
}

/* Marks that a user has made up lead nowhere but into the layers. */
TEST_F(userns, hostile_marks)
{
	struct world *w = &self->w;
	static const char *const to[][2] = {
		{ "d/dots", "/../../etc" }, { "d/away", "/etc" },
		{ "d/up", "../x" }, { "d/closed", "/private/dir" },
	};

	if (world_is_overlay())
		SKIP(return, "overlayfs follows no redirect here");
	OK(mkdir(join(w->layer[1], "private"), 0700));
	OK(mkdir(join(w->layer[1], "private/dir"), 0755));
	OK(write_text(join(w->layer[1], "private/dir/inside"), "x"));
	for (size_t i = 0; i < ARRAY_SIZE(to); i++) {
		const char *path = L(to[i][0]);

		OK(mkdir(path, 0755));
		OK(give(path));
		OK(setxattr(path, "user.overlay.redirect", to[i][1],
			    strlen(to[i][1]), 0));
	}
	AS_USER(hostile(_metadata, w));
}

TEST_HARNESS_MAIN
