// SPDX-License-Identifier: GPL-2.0-or-later
/* Extended attributes, those of the caller and those that must not be seen. */
#include "testing.h"

#include <linux/capability.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

WORLD_FIXTURE(xattr);

FIXTURE_SETUP(xattr)
{
	struct world *w = &self->w;

	OK(world_begin(w, variant->where));
	OK(put_dir(w, "d", 0755));
	OK(put_xattr(w, "d", "user.dir", "directory", 9));
	OK(put_text(w, "d/file", "a file\n"));
	OK(put_xattr(w, "d/file", "user.one", "1", 1));
	OK(put_xattr(w, "d/file", "user.empty", "", 0));
	OK(put_xattr(w, "d/file", "trusted.two", "22", 2));
	OK(put_xattr(w, "d/file", "security.three", "333", 3));
	OK(put_pattern(w, "d/bare", 100000, 1));
	OK(put_symlink(w, "d/link", "file"));
	OK(put_xattr(w, "d/link", "trusted.onlink", "l", 1));
	OK(put_node(w, "d/fifo", S_IFIFO | 0644, 0));
	OK(world_mount(w));
}

WORLD_TEARDOWN(xattr)

static bool from_layer(struct world *w, const char *path)
{
	return exists(join(w->layer[w->nlayers - 1], path));
}

TEST_F(xattr, get)
{
	struct world *w = &self->w;
	char buf[256];

	SAME(getxattr(P("d/file"), "user.one", buf, sizeof(buf)));
	SAME(getxattr(P("d/file"), "user.one", NULL, 0));
	SAME(getxattr(P("d/file"), "user.empty", buf, sizeof(buf)));
	BOTH_FAIL(ERANGE, getxattr(P("d/file"), "security.three", buf, 2));
	BOTH_FAIL(ENODATA, getxattr(P("d/file"), "user.none", buf, sizeof(buf)));
	BOTH_FAIL(EOPNOTSUPP, getxattr(P("d/file"), "none.none", buf, sizeof(buf)));
	BOTH_FAIL(ENODATA, getxattr(P("d/bare"), "user.one", NULL, 0));
	SAME(lgetxattr(P("d/link"), "trusted.onlink", buf, sizeof(buf)));
	SAME(getxattr(P("d"), "user.dir", buf, sizeof(buf)));
	BOTH_FAIL(ERANGE, listxattr(P("d/file"), buf, 5));
	SAME(listxattr(P("d/file"), buf, sizeof(buf)));
	SAME(listxattr(P("d/bare"), buf, sizeof(buf)));
	/* A size that is asked for may be too large, not too small. */
	CHECK(OK(listxattr(M("d/file"), NULL, 0)) >= OK(listxattr(M("d/file"), buf, sizeof(buf))),
	      "the size is too small");
	if (variant->where == IN_LAYER)
		CHECK(!exists(U("d")), "reading copied up");
}

TEST_F(xattr, set)
{
	struct world *w = &self->w;
	struct stat st;

	BOTH_OK(setxattr(P("d/file"), "user.one", "changed", 7, 0));
	BOTH_OK(setxattr(P("d/file"), "user.new", "n", 1, 0));
	BOTH_OK(setxattr(P("d/bare"), "trusted.new", "n", 1, XATTR_CREATE));
	BOTH_OK(setxattr(P("d/bare"), "security.new", "n", 1, 0));
	BOTH_FAIL(EEXIST, setxattr(P("d/file"), "trusted.two", "x", 1, XATTR_CREATE));
	BOTH_FAIL(ENODATA, setxattr(P("d/file"), "user.none", "x", 1, XATTR_REPLACE));
	BOTH_OK(setxattr(P("d/file"), "trusted.two", "other", 5, XATTR_REPLACE));
	BOTH_OK(setxattr(P("d"), "user.dir", "", 0, 0));
	BOTH_OK(setxattr(P("."), "user.root", "r", 1, 0));
	BOTH_OK(lsetxattr(P("d/link"), "trusted.onlink", "changed", 7, 0));
	BOTH_FAIL(EPERM, lsetxattr(P("d/link"), "user.x", "x", 1, 0));
	BOTH_FAIL(EPERM, setxattr(P("d/fifo"), "user.x", "x", 1, 0));
	BOTH_OK(setxattr(P("d/fifo"), "trusted.x", "x", 1, 0));
	BOTH_FAIL(EOPNOTSUPP, setxattr(P("d/file"), "none.none", "x", 1, 0));
	BOTH_FAIL(ENOENT, setxattr(P("d/none"), "user.x", "x", 1, 0));
	if (from_layer(w, "d/bare")) {
		OK(lstat(U("d/bare"), &st));
		CHECK(st.st_blocks * 512 < st.st_size, "setxattr copied the data");
	}
}

TEST_F(xattr, remove)
{
	struct world *w = &self->w;

	BOTH_OK(removexattr(P("d/file"), "user.one"));
	BOTH_FAIL(ENODATA, removexattr(P("d/file"), "user.one"));
	BOTH_FAIL(ENODATA, removexattr(P("d/bare"), "user.one"));
	BOTH_OK(removexattr(P("d/file"), "trusted.two"));
	BOTH_OK(lremovexattr(P("d/link"), "trusted.onlink"));
	BOTH_OK(removexattr(P("d"), "user.dir"));
	SAME_TREES(w);
	OK(world_remount(w));
	BOTH_FAIL(ENODATA, removexattr(P("d/file"), "user.one"));
}

TEST_F(xattr, by_descriptor)
{
	struct world *w = &self->w;
	char buf[256];
	int fd[2];

	fd[0] = OK(openat(w->mfd, "d/file", O_RDONLY | O_CLOEXEC));
	fd[1] = OK(openat(w->pfd, "d/file", O_RDONLY | O_CLOEXEC));
	BOTH_OK(fsetxattr(fd[at == w->pfd], "user.fd", "x", 1, 0));
	BOTH_OK(fremovexattr(fd[at == w->pfd], "user.one"));
	SAME(fgetxattr(fd[at == w->pfd], "user.fd", NULL, 0));
	SAME(flistxattr(fd[at == w->pfd], buf, sizeof(buf)));
	BOTH_FAIL(ENODATA, fgetxattr(fd[at == w->pfd], "user.one", NULL, 0));
	close(fd[0]);
	close(fd[1]);
}

TEST_F(xattr, sizes)
{
	struct world *w = &self->w;
	static char big[65536 + 1], back[65536];
	char name[300];

	memset(big, 'v', sizeof(big));
	SAME(setxattr(P("d/file"), "user.big", big, 2000, 0));
	SAME(getxattr(P("d/file"), "user.big", back, sizeof(back)));
	BOTH_FAIL(E2BIG, setxattr(P("d/file"), "user.big", big, sizeof(big), 0));
	/* Whatever the file system below thinks of 64 KiB. */
	SAME(setxattr(P("d/bare"), "user.big", big, 65536, 0));
	strcpy(name, "user.");
	memset(name + 5, 'n', 250);
	name[255] = 0;
	BOTH_OK(setxattr(P("d/bare"), name, "x", 1, 0));
	name[255] = 'n';
	name[256] = 0;
	BOTH_FAIL(ERANGE, setxattr(P("d/bare"), name, "x", 1, 0));
}

/* The marks of the mount, seen by nobody. */
TEST_F(xattr, hidden)
{
	struct world *w = &self->w;
	char list[4096];
	ssize_t n;

	BOTH_OK(renameat(at, "d", at, "moved"));
	BOTH_OK(fchmodat(at, "moved/bare", 0600, 0));
	BOTH_OK(fchmodat(at, "moved/file", 0600, 0));
	BOTH_OK(mkdirat(at, "d", 0755));
	for (int i = 0; i < 4; i++) {
		static const char *const name[] = { "moved", "moved/bare", "d", "." };
		const char *path = M(name[i]);

		n = OK(listxattr(path, list, sizeof(list)));
		for (char *p = list; p < list + n; p += strlen(p) + 1)
			CHECK(!strstr(p, "overlay") && !strstr(p, "veneer"),
			      "%s shows %s", name[i], p);
		FAILS(ENODATA, getxattr(path, "trusted.overlay.opaque", NULL, 0));
		FAILS(ENODATA, getxattr(path, "trusted.overlay.redirect", NULL, 0));
		FAILS(ENODATA, getxattr(path, "trusted.overlay.metacopy", NULL, 0));
		FAILS(ENODATA, getxattr(path, "trusted.overlay.origin", NULL, 0));
		if (VENEER_ONLY("knows nothing of trusted.veneer")) {
			FAILS(ENODATA, getxattr(path, "trusted.veneer.origin", NULL, 0));
			FAILS(ENODATA, getxattr(path, "trusted.veneer.split", NULL, 0));
		}
	}
}

/* And yet a user of the mount may use these names, for a mount inside it. */
TEST_F(xattr, escaped)
{
	struct world *w = &self->w;
	static const char *const name[] = {
		"trusted.overlay.opaque", "trusted.overlay.redirect",
		"trusted.overlay.metacopy", "trusted.overlay.whiteout",
		"trusted.overlay.overlay.opaque", "trusted.overlay.x",
	};

	for (size_t i = 0; i < ARRAY_SIZE(name); i++) {
		BOTH_OK(setxattr(P("d"), name[i], "y", 1, 0));
		BOTH_OK(setxattr(P("d/file"), name[i], "/yy", 3, 0));
		SAME(getxattr(P("d/file"), name[i], NULL, 0));
	}
	BOTH_FAIL(EEXIST, setxattr(P("d"), name[0], "y", 1, XATTR_CREATE));
	/* It says nothing to the mount itself: names are still there. */
	SAME_TREES(w);
	OK(world_remount(w));
	SAME_TREES(w);
	BOTH_OK(removexattr(P("d/file"), name[1]));
	BOTH_OK(removexattr(P("d"), name[0]));
	BOTH_FAIL(ENODATA, removexattr(P("d"), name[0]));
}

TEST_F(xattr, escaped_own)
{
	struct world *w = &self->w;

	if (world_is_overlay())
		SKIP(return, "overlayfs: trusted.veneer.* is nothing special");
	BOTH_OK(setxattr(P("d/file"), "trusted.veneer.split", "garbage", 7, 0));
	BOTH_OK(setxattr(P("d/bare"), "trusted.veneer.origin", "garbage", 7, 0));
	BOTH_OK(setxattr(P("d"), "trusted.veneer.x", "y", 1, 0));
	SAME_TREES(w);
	OK(world_remount(w));
	SAME_TREES(w);
	BOTH_OK(removexattr(P("d/file"), "trusted.veneer.split"));
}

/* A file's capability goes with the first write, as anywhere. */
TEST_F(xattr, capability)
{
	struct world *w = &self->w;
	struct vfs_cap_data cap = {
		.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
		.data[0].permitted = 1 << CAP_NET_RAW,
	};

	/* Writes before it: that there was nothing to take may be remembered. */
	for (int i = 0; i < 3; i++)
		BOTH_OK(write_text(P("d/file"), "nothing yet"));
	BOTH_OK(setxattr(P("d/file"), "security.capability", &cap,
			 XATTR_CAPS_SZ_2, 0));
	BOTH_OK(setxattr(P("d/bare"), "security.capability", &cap,
			 XATTR_CAPS_SZ_2, 0));
	SAME_TREES(w);
	SAME(getxattr(P("d/file"), "security.capability", NULL, 0));
	BOTH_OK(write_text(P("d/file"), "changed"));
	BOTH_FAIL(ENODATA, getxattr(P("d/file"), "security.capability", NULL, 0));
	BOTH_OK(chown(P("d/bare"), 3, 4));
	BOTH_FAIL(ENODATA, getxattr(P("d/bare"), "security.capability", NULL, 0));
}

/* One that no kernel can read is still one, with which nothing can be executed. */
TEST_F(xattr, damaged_capability)
{
	struct world *w = &self->w;
	char list[256];

	if (!VENEER_ONLY("EINVAL from every copy-up of it"))
		return;
	BOTH_OK(setxattr(P("d/bare"), "security.capability", "", 0, 0));
	OK(world_deepen(w));
	BOTH_FAIL(EINVAL, getxattr(P("d/bare"), "security.capability", NULL, 0));
	BOTH_OK(fchmodat(at, "d/bare", 0711, 0));
	BOTH_FAIL(EINVAL, getxattr(P("d/bare"), "security.capability", NULL, 0));
	SAME(listxattr(P("d/bare"), list, sizeof(list)));
	BOTH_OK(write_text(P("d/bare"), "changed"));
	SAME(getxattr(P("d/bare"), "security.capability", NULL, 0));
}

/* trusted.* is for the privileged, user.* for whom the mode lets. */
TEST_F(xattr, unprivileged)
{
	struct world *w = &self->w;
	char buf[256];

	BOTH_OK(fchmodat(at, "d/bare", 0600, 0));
	CHECK(!IN_CHILD({
		if (setresuid(77, 77, 77))
			_exit(1);
		BOTH_FAIL(ENODATA, getxattr(P("d/file"), "trusted.two", NULL, 0));
		BOTH_FAIL(EPERM, setxattr(P("d/file"), "trusted.two", "x", 1, 0));
		BOTH_FAIL(EACCES, setxattr(P("d/file"), "user.one", "x", 1, 0));
		SAME(getxattr(P("d/file"), "user.one", NULL, 0));
		BOTH_FAIL(EACCES, getxattr(P("d/bare"), "user.one", NULL, 0));
		SAME(listxattr(P("d/file"), buf, sizeof(buf)));
		if (_metadata->exit_code)
			_exit(2);
	}), "as another user");
}

TEST_HARNESS_MAIN
