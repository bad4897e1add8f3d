// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the mounter may not read is there all the same: it can be looked at, as in
 * a plain directory, though none of its marks can.
 */
#include "testing.h"

#include <sys/xattr.h>

#include "userns.h"

/* The user's root is this one outside. */
#define BASE 100000

PLAIN_FIXTURE(unread);

static const char *const theirs[] = {
	"d/empty", "d/full", "d/big", "d/linked", "d/dir", "d/dir/inside", "d/shut",
};

FIXTURE_SETUP(unread)
{
	struct world *w = &self->w;

	OK(world_begin(w, IN_LAYER));
	OK(world_add_layer(w));
	OK(put_dir(w, "d", 0755));
	OK(put_text(w, "d/empty", ""));
	OK(put_text(w, "d/full", "secret\n"));
	OK(put_pattern(w, "d/big", 1 << 20, 1));
	OK(truncate(L("d/big"), 2 << 20));
	OK(truncate(join(w->plain, "d/big"), 2 << 20));
	OK(put_text(w, "d/linked", "two names\n"));
	OK(link(L("d/linked"), L("d/other")));
	OK(link(join(w->plain, "d/linked"), join(w->plain, "d/other")));
	OK(put_dir(w, "d/dir", 0755));
	OK(put_text(w, "d/dir/inside", "inside\n"));
	OK(put_dir(w, "d/shut", 0755));
	/* Search, but no reading; and not even that. */
	for (int i = 0; i < 2; i++) {
		const char *root = i ? w->plain : w->layer[0];

		for (size_t j = 0; j < ARRAY_SIZE(theirs); j++)
			OK(chmod(join(root, theirs[j]), 0600));
		OK(chmod(join(root, "d/dir"), 0711));
		OK(chmod(join(root, "d/shut"), 0700));
		OK(chown(root, BASE, BASE));
		OK(chown(join(root, "d"), BASE, BASE));
	}
	OK(chown(w->upper, BASE, BASE));
	OK(chown(w->work, BASE, BASE));
	w->no_compare = true;
	OK(userns_allow_mounts(true));
}

FIXTURE_TEARDOWN(unread)
{
	CHECK(!userns_allow_mounts(false), "");
	FINISH(&self->w);
}

static void look(struct __test_metadata *_metadata, struct world *w)
{
	for (size_t i = 0; i < ARRAY_SIZE(theirs); i++) {
		struct stat m, p;

		OK(fstatat(w->pfd, theirs[i], &p, AT_SYMLINK_NOFOLLOW));
		CHECK(!fstatat(w->mfd, theirs[i], &m, AT_SYMLINK_NOFOLLOW), "%s: %s",
		      theirs[i], err_name(errno));
		CHECK(m.st_mode == p.st_mode && m.st_size == p.st_size, "%s: mode %o, size %ld",
		      theirs[i], m.st_mode, (long)m.st_size);
		if (S_ISREG(p.st_mode)) {
			CHECK(m.st_nlink == p.st_nlink, "%s: %ld names", theirs[i],
			      (long)m.st_nlink);
			BOTH_FAIL(EACCES, openat(at, theirs[i], O_RDONLY | O_CLOEXEC));
			BOTH_FAIL(EACCES, openat(at, theirs[i], O_WRONLY | O_CLOEXEC));
		}
		BOTH_FAIL(EPERM, fchmodat(at, theirs[i], 0666, 0));
	}
	BOTH_FAIL(EACCES, faccessat(at, "d/shut/x", F_OK, 0));
}

static void as_user(struct __test_metadata *_metadata, struct world *w)
{
	OK(world_mount(w));
	look(_metadata, w);
	/* They can go, too: the directory is his. */
	BOTH_OK(unlinkat(at, "d/empty", 0));
	BOTH_FAIL(ENOENT, faccessat(at, "d/empty", F_OK, 0));
	OK(world_umount(w));
}

TEST_F(unread, in_layer)
{
	struct world *w = &self->w;
	int status;

	if (world_is_overlay())
		SKIP(return, "overlayfs: EACCES for directories");
	OK(world_seal(w));
	status = IN_CHILD(OK(userns_enter(BASE)); as_user(_metadata, w);
			  _exit(_metadata->exit_code != KSFT_PASS));
	CHECK(!status, "as the user: status %d", status);
}

/* The same objects in the upper, and one that says that its data is elsewhere. */
TEST_F(unread, in_upper)
{
	struct world *w = &self->w;
	char upper[WORLD_PATH];
	int status;

	if (world_is_overlay())
		SKIP(return, "overlayfs: EACCES for directories");
	OK(setxattr(L("d/full"), "user.veneer.split", "junk", 4, 0));
	memcpy(upper, w->upper, sizeof(upper));
	memcpy(w->upper, w->layer[0], sizeof(upper));
	memcpy(w->layer[0], upper, sizeof(upper));
	OK(world_seal(w));
	status = IN_CHILD(OK(userns_enter(BASE)); as_user(_metadata, w);
			  _exit(_metadata->exit_code != KSFT_PASS));
	CHECK(!status, "as the user: status %d", status);
}

TEST_HARNESS_MAIN
