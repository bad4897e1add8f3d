// SPDX-License-Identifier: GPL-2.0-or-later
/* Symbolic links of any length, followed, read, and copied up. */
#include "testing.h"

#include <sys/xattr.h>

static const int lengths[] = { 1, 2, 59, 60, 61, 255, 256, 1000, 4000, 4094, 4095 };

WORLD_FIXTURE(symlink);

FIXTURE_SETUP(symlink)
{
	struct world *w = &self->w;
	char target[PATH_MAX + 1], name[32];

	OK(world_begin(w, variant->where));
	OK(put_dir(w, "d", 0755));
	OK(put_dir(w, "d/sub", 0755));
	OK(put_text(w, "d/sub/file", "a file\n"));
	OK(put_symlink(w, "d/dir", "sub"));
	OK(put_symlink(w, "d/file", "dir/file"));
	OK(put_symlink(w, "d/dangling", "not/here"));
	OK(put_symlink(w, "d/up", "../d/sub/../dir/file"));
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		memset(target, 'a' + i, lengths[i]);
		for (int j = 100; j < lengths[i]; j += 100)
			target[j] = '/';
		target[lengths[i]] = 0;
		snprintf(name, sizeof(name), "d/len%d", lengths[i]);
		/* ext4 keeps a link in one block. */
		if (symlink(target, join(w->plain, name)))
			continue;
		OK(unlink(join(w->plain, name)));
		OK(put_symlink(w, name, target));
	}
	OK(world_mount(w));
}

WORLD_TEARDOWN(symlink)

TEST_F(symlink, read)
{
	struct world *w = &self->w;
	char buf[PATH_MAX + 1];
	struct stat st;

	SAME(readlinkat(at, "d/dir", buf, sizeof(buf)));
	SAME(readlinkat(at, "d/dir", buf, 2));
	BOTH_FAIL(EINVAL, readlinkat(at, "d/sub", buf, sizeof(buf)));
	BOTH_FAIL(EINVAL, readlinkat(at, "d/sub/file", buf, sizeof(buf)));
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		char name[32];

		snprintf(name, sizeof(name), "d/len%d", lengths[i]);
		if (SAME(readlinkat(at, name, buf, sizeof(buf))) < 0)
			continue;
		OK(fstatat(w->mfd, name, &st, AT_SYMLINK_NOFOLLOW));
		EXPECT_EQ(lengths[i], st.st_size);
	}
}

TEST_F(symlink, follow)
{
	struct world *w = &self->w;

	EXPECT_EQ(0, same_bytes(M("d/file"), "a file\n", 7));
	EXPECT_EQ(0, same_bytes(M("d/up"), "a file\n", 7));
	EXPECT_EQ(0, same_bytes(M("d/dir/file"), "a file\n", 7));
	BOTH_FAIL(ENOENT, openat(at, "d/dangling", O_RDONLY));
	BOTH_FAIL(ELOOP, openat(at, "d/file", O_RDONLY | O_NOFOLLOW));
	BOTH_FAIL(ENOTDIR, openat(at, "d/dir", O_RDONLY | O_NOFOLLOW | O_DIRECTORY));
	/* Writes go to the target. */
	BOTH_OK(write_text(P("d/file"), "written through"));
	EXPECT_EQ(0, same_bytes(M("d/sub/file"), "written through", 15));
	BOTH_OK(fchmodat(at, "d/up", 0600, 0));
}

/* A link is copied up by what changes the link itself. */
TEST_F(symlink, copy_up)
{
	struct world *w = &self->w;
	char name[32];

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		snprintf(name, sizeof(name), "d/len%d", lengths[i]);
		BOTH(fchownat(at, name, 5, 6, AT_SYMLINK_NOFOLLOW));
	}
	BOTH_OK(fchownat(at, "d/dangling", 7, 8, AT_SYMLINK_NOFOLLOW));
	BOTH_OK(fchownat(at, "d/dir", 7, 8, AT_SYMLINK_NOFOLLOW));
	BOTH_OK(lsetxattr(P("d/file"), "trusted.x", "x", 1, 0));
	EXPECT_EQ(0, same_bytes(M("d/file"), "a file\n", 7));
	SAME_TREES(w);
	BOTH_OK(renameat(at, "d/len255", at, "d/moved"));
	BOTH_OK(linkat(at, "d/len256", at, "d/linked", 0));
	BOTH_OK(unlinkat(at, "d/len60", 0));
}

TEST_F(symlink, make)
{
	struct world *w = &self->w;
	char target[PATH_MAX + 2], name[32];

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		memset(target, 'x', lengths[i]);
		target[lengths[i]] = 0;
		snprintf(name, sizeof(name), "d/new%d", lengths[i]);
		BOTH(symlinkat(target, at, name));
	}
	memset(target, 'x', PATH_MAX);
	target[PATH_MAX] = 0;
	BOTH_FAIL(ENAMETOOLONG, symlinkat(target, at, "d/toolong"));
	BOTH_OK(unlinkat(at, "d/len255", 0));
	BOTH_OK(symlinkat("replaced", at, "d/len255"));
}

TEST_HARNESS_MAIN
