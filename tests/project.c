// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Directories that hand their project on: on xfs and ext4 they take in by a
 * rename only what has it already, and work/ has another.
 */
#include "testing.h"

#include <linux/fs.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

#include "userns.h"

#define PROJECT 4711
#define BASE 100000

PLAIN_FIXTURE(project);

/* A directory's project; 0 is none, and is not handed on. */
static int set_project(const char *path, unsigned int id)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret;
	struct fsxattr fa = { };

	ret = fd < 0 ? -1 : ioctl(fd, FS_IOC_FSGETXATTR, &fa);
	fa.fsx_projid = id;
	fa.fsx_xflags &= ~FS_XFLAG_PROJINHERIT;
	if (id)
		fa.fsx_xflags |= FS_XFLAG_PROJINHERIT;
	ret = ret ?: ioctl(fd, FS_IOC_FSSETXATTR, &fa);
	close(fd);
	return ret;
}

static long project_of(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct fsxattr fa;
	int ret = fd < 0 ? -1 : ioctl(fd, FS_IOC_FSGETXATTR, &fa);

	close(fd);
	return ret ? -1L : (long)fa.fsx_projid;
}

static int run(const char *const argv[])
{
	char path[64];
	int status;
	pid_t pid;

	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", i ? "/usr/sbin" : "/bin", argv[0]);
		if (!access(path, X_OK) &&
		    !posix_spawn(&pid, path, NULL, NULL, (char *const *)argv, environ))
			return waitpid(pid, &status, 0) == pid && !status ? 0 : -1;
	}
	return -1;
}

/* The upper on a filesystem that has projects: this one, or an ext4 of its own. */
static bool has_projects(struct world *w)
{
	const char *image = join(w->root, "image"), *disk = join(w->root, "disk");

	if (!set_project(w->upper, PROJECT))
		return !set_project(w->upper, 0);
	if (write_text(image, "") || truncate(image, 64 << 20) || mkdir(disk, 0755))
		return false;
	load_module("loop");
	if (run((const char *const []) { "mkfs.ext4", "-q", "-I", "256", "-O", "project,quota",
					 image, NULL }) ||
	    run((const char *const []) { "mount", "-o", "loop", image, disk, NULL }))
		return false;
	strcpy(w->upper, join(disk, "upper"));
	strcpy(w->work, join(disk, "work"));
	return !mkdir(w->upper, 0755) && !mkdir(w->work, 0755) && !set_project(w->upper, PROJECT) &&
	       !set_project(w->upper, 0);
}

FIXTURE_SETUP(project)
{
	struct world *w = &self->w;

	OK(world_begin(w, IN_LAYER));
	OK(put_dir(w, "d", 0755));
	OK(put_dir(w, "d/sub", 0755));
	OK(put_dir(w, "other", 0755));
	OK(put_pattern(w, "d/big", 1 << 20, 1));
	OK(put_text(w, "d/file", "a file\n"));
	OK(put_text(w, "d/file2", "another\n"));
	OK(put_text(w, "d/sub/inside", "inside\n"));
	OK(put_text(w, "other/file", "of the other\n"));
	if (!has_projects(w))
		SKIP(return, "no filesystem with projects, and none can be made");
}

WORLD_TEARDOWN(project)

#define HAS_PROJECT(path, id) do {					\
	long __p = project_of(U(path));					\
	CHECK(__p == (id), "%s has project %ld", path, __p);		\
} while (0)

/* Everything that a user of the mount does below such a directory. */
static void everything(struct __test_metadata *_metadata, struct world *w, bool exchange)
{
	int fd[2];

	BOTH_OK(fchmodat(at, "d/file", 0600, 0));
	BOTH_OK(write_text(P("d/file2"), "written\n"));
	OPEN_BOTH(fd, "d/big", O_RDWR);
	BOTH_OK(pwrite(F(fd), "block", 5, 500000) == 5 ? 0 : -1);
	CLOSE_BOTH(fd);
	BOTH_OK(write_text(P("d/sub/inside"), "written\n"));
	BOTH_OK(write_text(P("d/new"), "new\n"));
	BOTH_OK(mkdirat(at, "d/made", 0755));
	BOTH_OK(renameat(at, "d/file", at, "d/moved"));
	BOTH_OK(unlinkat(at, "d/file2", 0));
	BOTH_OK(write_text(P("d/file2"), "again\n"));
	BOTH_OK(unlinkat(at, "d/file2", 0));
	if (exchange)
		BOTH_OK(mkdirat(at, "d/file2", 0755));
	BOTH_OK(renameat(at, "d/sub", at, "d/sub2"));
	BOTH_OK(unlinkat(at, "d/sub2/inside", 0));
	BOTH_OK(unlinkat(at, "d/sub2", AT_REMOVEDIR));
	if (exchange)
		BOTH_OK(mkdirat(at, "d/sub", 0755));
	SAME_TREES(w);
}

TEST_F(project, inherited)
{
	struct world *w = &self->w;

	OK(world_mount(w));
	BOTH_OK(fchmodat(at, "d", 0700, 0));
	OK(set_project(U("d"), PROJECT));
	everything(_metadata, w, true);
	for (const char *const *p = (const char *const []) {
		     "d/moved", "d/big", "d/new", "d/made", "d/sub", "d/file2", NULL }; *p; p++)
		HAS_PROJECT(*p, PROJECT);
	/* And what is made in a directory that was copied up, or made, there. */
	BOTH_OK(write_text(P("d/sub/x"), "x"));
	HAS_PROJECT("d/sub/x", PROJECT);
	HAS_PROJECT("other", -1);
	BOTH_OK(write_text(P("other/file"), "changed\n"));
	HAS_PROJECT("other/file", 0);
}

/* What is removed goes through work/, which may have a project of its own. */
TEST_F(project, of_work)
{
	struct world *w = &self->w;

	OK(set_project(w->work, PROJECT + 1));
	OK(world_mount(w));
	BOTH_OK(fchmodat(at, "d", 0700, 0));
	OK(set_project(U("d"), PROJECT));
	/* A directory and a whiteout change places, of which ext4 asks both. */
	everything(_metadata, w, false);
	BOTH_OK(write_text(P("other/file"), "changed\n"));
	BOTH_OK(unlinkat(at, "other/file", 0));
	BOTH_OK(unlinkat(at, "other", AT_REMOVEDIR));
}

/* A user's mount, where nobody may set a project. */
TEST_F(project, by_user)
{
	struct world *w = &self->w;
	int status;

	if (world_is_overlay())
		SKIP(return, "overlayfs: EXDEV");
	for (const char *const *p = (const char *const []) {
		     "", "d", "d/sub", "d/big", "d/file", "d/file2", "d/sub/inside", "other",
		     "other/file", NULL }; *p; p++) {
		OK(lchown(L(*p), BASE, BASE));
		OK(lchown(join(w->plain, *p), BASE, BASE));
	}
	OK(mkdir(U("d"), 0755));
	OK(set_project(U("d"), PROJECT));
	for (const char *const *p = (const char *const []) {
		     w->upper, U("d"), w->work, NULL }; *p; p++)
		OK(chown(*p, BASE, BASE));
	OK(world_seal(w));
	OK(userns_allow_mounts(true));
	status = IN_CHILD({
		OK(userns_enter(BASE));
		OK(world_mount(w));
		everything(_metadata, w, true);
		OK(world_umount(w));
		_exit(_metadata->exit_code != KSFT_PASS);
	});
	CHECK(!userns_allow_mounts(false), "");
	CHECK(!status, "as the user: status %d", status);
	HAS_PROJECT("d/moved", PROJECT);
	HAS_PROJECT("d/made", PROJECT);
	w->no_compare = true;
}

TEST_HARNESS_MAIN
