// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What overlayfs was caught at, tried here: by an ordinary user, root of a user
 * namespace of his own in which nobody but himself is mapped.  Where an upper is
 * looked at for what must not be in it, it is first seen that the look finds that.
 */
#include "testing.h"

#include <dirent.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "userns.h"

#define USER 1000
#define CAPS "security.capability"

PLAIN_FIXTURE(cves);

/* cap_net_raw=ep, for whoever runs it in the first namespace. */
static const struct vfs_cap_data caps = {
	.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
	.data[0].permitted = 1 << CAP_NET_RAW,
};

static int give(const char *path)
{
	return lchown(path, USER, USER);
}

/* The layer: a mount that honours no privileges, as a user's FUSE or stick has. */
FIXTURE_SETUP(cves)
{
	struct world *w = &self->w;

	OK(userns_allow_mounts(true));
	OK(world_begin(w, IN_LAYER));
	OK(mount("none", w->layer[0], "tmpfs", MS_NOSUID | MS_NODEV, "mode=755"));
	OK(mkdir(L("d"), 0755));
	OK(write_text(L("d/mine"), "the user's\n"));
	OK(give(L("d")) ?: give(L("d/mine")) ?: give(w->layer[0]));
	OK(give(w->upper) ?: give(w->work));
	if (world_is_overlay()) {
		w->no_defaults = true;
		w->option[0][0] = "userxattr";
	}
	w->no_compare = true;
}

FIXTURE_TEARDOWN(cves)
{
	CHECK(!userns_allow_mounts(false), "");
	FINISH(&self->w);
}

/* What unshare(1) does for whoever calls it. */
static int become_user(void)
{
	if (setgroups(0, NULL) || setresgid(USER, USER, USER) ||
	    setresuid(USER, USER, USER) || prctl(PR_SET_DUMPABLE, 1) ||
	    unshare(CLONE_NEWUSER | CLONE_NEWNS) ||
	    write_text("/proc/self/setgroups", "deny") ||
	    write_text("/proc/self/uid_map", "0 1000 1") ||
	    write_text("/proc/self/gid_map", "0 1000 1"))
		return -1;
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

#define AS_USER(...) do {						\
	int __x;							\
	OK(world_seal(w));						\
	__x = IN_CHILD(OK(become_user()); __VA_ARGS__;			\
		       _exit(_metadata->exit_code != KSFT_PASS));	\
	CHECK(!__x, "as the user: status %d", __x);			\
} while (0)

/* One object: does it give the user what he had not? */
static bool gains(const char *path)
{
	struct vfs_ns_cap_data ns = { };
	const char *what = NULL;
	struct stat st;
	ssize_t len;

	if (lstat(path, &st))
		return false;
	len = lgetxattr(path, CAPS, &ns, sizeof(ns));
	if (st.st_uid != USER && (st.st_mode & S_ISUID))
		what = "is setuid of another";
	else if (st.st_gid != USER && (st.st_mode & S_ISGID))
		what = "is setgid of another";
	else if ((S_ISBLK(st.st_mode) || S_ISCHR(st.st_mode)) && st.st_rdev)
		what = "is a device";
	else if (len > 0 && (len != XATTR_CAPS_SZ_3 || ns.rootid != USER))
		what = "has capabilities for all";
	if (what)
		printf("# %s %s\n", path, what);
	return what;
}

/* How many such objects are in a tree. */
static int all_gains(const char *root)
{
	DIR *dir = opendir(root);
	char path[PATH_MAX];
	struct dirent *de;
	int n = gains(root);

	while (dir && (de = readdir(dir))) {
		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		snprintf(path, sizeof(path), "%s/%s", root, de->d_name);
		n += de->d_type == DT_DIR ? all_gains(path) : gains(path);
	}
	if (dir)
		closedir(dir);
	return n;
}

/* Everything that makes a copy of an object in the upper; what fails, fails. */
static void copy_up(struct world *w, const char *path)
{
	const char *moved = join(w->mnt, "d/moved");
	int fd;

	chmod(join(w->mnt, path), 06755);
	utimensat(w->mfd, path, NULL, 0);
	fchownat(w->mfd, path, 0, 0, 0);
	setxattr(join(w->mnt, path), "user.test", "x", 1, 0);
	fd = openat(w->mfd, path, O_RDWR | O_CLOEXEC);
	if (fd >= 0) {
		pwrite(fd, "x", 1, 0);
		close(fd);
	}
	truncate(join(w->mnt, path), 3);
	if (!linkat(w->mfd, path, w->mfd, "d/second", 0))
		unlinkat(w->mfd, "d/second", 0);
	if (!rename(join(w->mnt, path), moved))
		rename(moved, join(w->mnt, path));
}

static void cve_2015_1328(struct __test_metadata *_metadata, struct world *w)
{
	char upper[WORLD_PATH];

	OK(world_mount(w));
	FAILS(EACCES, openat(w->mfd, "root/preload", O_WRONLY | O_CREAT, 0644));
	FAILS(EACCES, renameat(w->mfd, "d/mine", w->mfd, "root/preload"));
	FAILS(EACCES, linkat(w->mfd, "d/mine", w->mfd, "root/preload", 0));
	FAILS(EACCES, mkdirat(w->mfd, "below/dir", 0755));
	FAILS(EACCES, renameat(w->mfd, "d/mine", w->mfd, "below/preload"));
	OK(world_umount(w));
	/* That directory itself as an upper. */
	memcpy(upper, w->upper, sizeof(upper));
	strcat(w->upper, "/root");
	FAILS(EACCES, world_mount(w));
	memcpy(w->upper, upper, sizeof(upper));
}

/* Files made in an upper's directory by who may not write there. */
TEST_F(cves, cve_2015_1328)
{
	struct world *w = &self->w;

	OK(mkdir(U("root"), 0755));
	OK(mkdir(L("below"), 0755));
	AS_USER(cve_2015_1328(_metadata, w));
	CHECK(!exists(U("root/preload")) && !exists(U("below")), "made all the same");
	/* By who may, they are. */
	OK(chown(U("root"), USER, USER));
	CHECK(!IN_CHILD(OK(become_user()); OK(world_mount(w));
			OK(renameat(w->mfd, "d/mine", w->mfd, "root/preload"));
			OK(world_umount(w)); _exit(_metadata->exit_code != KSFT_PASS)),
	      "in a directory of his");
	CHECK(exists(U("root/preload")), "not made");
}

static void try_suid(struct __test_metadata *_metadata, struct world *w)
{
	OK(world_mount(w));
	copy_up(w, "d/suid");
	copy_up(w, "d/sgid");
	copy_up(w, "d/mine");
	OK(world_umount(w));
}

/* A setuid program of root's, out of a user's own FUSE, made real by a copy-up. */
TEST_F(cves, cve_2016_1576)
{
	struct world *w = &self->w;

	OK(write_text(L("d/suid"), "#!\n"));
	OK(chmod(L("d/suid"), 04755));
	OK(write_text(L("d/sgid"), "#!\n"));
	OK(chown(L("d/sgid"), USER, 0));
	OK(chmod(L("d/sgid"), 02755));
	EXPECT_EQ(2, all_gains(w->layer[0]));
	AS_USER(try_suid(_metadata, w));
	EXPECT_EQ(0, all_gains(w->upper));
	EXPECT_EQ(0, all_gains(w->work));
	CHECK(exists(U("d/mine")), "nothing was copied up");
}

static void cve_2020_16120(struct __test_metadata *_metadata, struct world *w)
{
	static const char *const path[] = { "d/secret", "d/other", "d/shut/inside" };

	OK(world_mount(w));
	for (size_t i = 0; i < ARRAY_SIZE(path); i++) {
		FAILS(EACCES, openat(w->mfd, path[i], O_RDONLY | O_CLOEXEC));
		FAILS(EACCES, openat(w->mfd, path[i], O_RDWR | O_CLOEXEC));
		copy_up(w, path[i]);
		FAILS(EACCES, openat(w->mfd, path[i], O_RDONLY | O_CLOEXEC));
	}
	FAILS(EACCES, openat(w->mfd, "d/shut", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	OK(world_umount(w));
}

/* Who may not read a file gets it by its copy-up. */
TEST_F(cves, cve_2020_16120)
{
	struct world *w = &self->w;

	OK(write_text(L("d/secret"), "secret\n"));
	OK(chmod(L("d/secret"), 0600));
	OK(write_text(L("d/other"), "secret\n"));
	OK(chown(L("d/other"), USER + 1, USER + 1));
	OK(chmod(L("d/other"), 0640));
	OK(mkdir(L("d/shut"), 0700));
	OK(write_text(L("d/shut/inside"), "secret\n"));
	AS_USER(cve_2020_16120(_metadata, w));
	CHECK(!exists(U("d/secret")) && !exists(U("d/other")) && !exists(U("d/shut")),
	      "there is a copy");
	/* A mount by who may read does show it, and copies it. */
	OK(world_mount(w));
	EXPECT_EQ(0, same_bytes(M("d/secret"), "secret\n", 7));
	OK(chmod(M("d/secret"), 0644));
	CHECK(exists(U("d/secret")), "there is no copy");
	OK(world_umount(w));
}

static void set_caps(struct __test_metadata *_metadata, struct world *w)
{
	OK(world_mount(w));
	OK(write_text(M("d/new"), "new\n"));
	OK(setxattr(M("d/new"), CAPS, &caps, sizeof(caps), 0));
	OK(setxattr(M("d/mine"), CAPS, &caps, sizeof(caps), 0));
	OK(rename(M("d/mine"), M("d/moved")));
	OK(world_umount(w));
}

/* File capabilities that a user sets count in his namespace only. */
TEST_F(cves, cve_2021_3493)
{
	struct world *w = &self->w;

	OK(write_text(U("control"), ""));
	OK(setxattr(U("control"), CAPS, &caps, sizeof(caps), 0));
	EXPECT_EQ(1, all_gains(w->upper));
	OK(unlink(U("control")));
	AS_USER(set_caps(_metadata, w));
	EXPECT_EQ(0, all_gains(w->upper));
	EXPECT_EQ(XATTR_CAPS_SZ_3, (int)getxattr(U("d/new"), CAPS, NULL, 0));
	EXPECT_EQ(XATTR_CAPS_SZ_3, (int)getxattr(U("d/moved"), CAPS, NULL, 0));
}

static void uncover(struct __test_metadata *_metadata, struct world *w)
{
	char dir[WORLD_PATH];

	/* Here he can see what covers it, and not take that away. */
	CHECK(!exists(L("d/cover/hidden")), "it is not covered");
	FAILS(EINVAL, umount2(L("d/cover"), MNT_DETACH));
	FAILS(EINVAL, world_mount(w));
	memcpy(dir, w->layer[0], sizeof(dir));
	strcat(w->layer[0], "/d");
	FAILS(EINVAL, world_mount(w));
	memcpy(w->layer[0], dir, sizeof(dir));
	/* The same place as the upper. */
	strcpy(w->layer[0], w->plain);
	strcpy(w->upper, dir);
	strcpy(w->work, join(dir, "work"));
	CHECK(world_mount(w), "the upper shows what is covered");
}

/* What root has covered by a mount is not uncovered by mounting what is below. */
TEST_F(cves, cve_2021_3732)
{
	struct world *w = &self->w;

	OK(mkdir(L("work"), 0755));
	OK(give(L("work")));
	OK(mkdir(L("d/cover"), 0755));
	OK(write_text(L("d/cover/hidden"), "hidden\n"));
	/* Sealed without the cover, which is a mount of this test. */
	OK(world_seal(w));
	OK(mount("none", L("d/cover"), "tmpfs", 0, "mode=755"));
	CHECK(!IN_CHILD(OK(become_user()); uncover(_metadata, w);
			_exit(_metadata->exit_code != KSFT_PASS)), "as the user");
	/* Who could take the cover away may look below it, too. */
	OK(world_mount(w));
	CHECK(exists(M("d/cover/hidden")), "nothing to hide");
	OK(world_umount(w));
	OK(umount2(L("d/cover"), 0));
}

static void touch_caps(struct __test_metadata *_metadata, struct world *w)
{
	OK(world_mount(w));
	OK(utimensat(w->mfd, "d/capable", NULL, 0));
	OK(rename(M("d/capable2"), M("d/moved")));
	OK(link(M("d/capable3"), M("d/linked")));
	OK(world_umount(w));
}

/* Capabilities of a mount that honours none are not copied to one that does. */
TEST_F(cves, cve_2021_3847)
{
	struct world *w = &self->w;
	static const char *const path[] = { "d/capable", "d/capable2", "d/capable3" };

	for (size_t i = 0; i < ARRAY_SIZE(path); i++) {
		OK(write_text(L(path[i]), "#!\n"));
		OK(give(L(path[i])));
		OK(setxattr(L(path[i]), CAPS, &caps, sizeof(caps), 0));
	}
	EXPECT_EQ(3, all_gains(w->layer[0]));
	AS_USER(touch_caps(_metadata, w));
	CHECK(exists(U("d/capable")) && exists(U("d/moved")), "nothing was copied up");
	EXPECT_EQ(0, all_gains(w->upper));
	EXPECT_EQ(0, all_gains(w->work));
}

static void cve_2023_0386(struct __test_metadata *_metadata, struct world *w)
{
	OK(world_mount(w));
	/* The directory is his, so the names are his to change; the owner is not. */
	CHECK(rename(M("d/suid"), M("d/moved")), "a copy of an owner who is nobody here");
	CHECK(rename(M("d/group"), M("d/moved")), "a copy of a group that is none here");
	CHECK(link(M("d/suid"), M("d/linked")), "a copy of an owner who is nobody here");
	copy_up(w, "d/suid");
	copy_up(w, "d/group");
	OK(unlink(M("d/suid")));
	OK(world_umount(w));
}

/* An owner who is not mapped becomes the owner of the copy. */
TEST_F(cves, cve_2023_0386)
{
	struct world *w = &self->w;

	OK(write_text(L("d/suid"), "#!\n"));
	OK(chmod(L("d/suid"), 06777));
	OK(write_text(L("d/group"), "#!\n"));
	OK(chown(L("d/group"), USER, 0));
	OK(chmod(L("d/group"), 02777));
	EXPECT_EQ(2, all_gains(w->layer[0]));
	AS_USER(cve_2023_0386(_metadata, w));
	EXPECT_EQ(0, all_gains(w->upper));
	EXPECT_EQ(0, all_gains(w->work));
}

static void cve_2023_2640(struct __test_metadata *_metadata, struct world *w)
{
	static const char *const name[] = {
		"trusted.test", "trusted.overlay.metacopy", "trusted.overlay.opaque",
		"trusted.veneer.split",
	};

	OK(world_mount(w));
	OK(write_text(M("d/new"), "new\n"));
	for (size_t i = 0; i < ARRAY_SIZE(name); i++) {
		FAILS(EPERM, setxattr(M("d/new"), name[i], "y", 1, 0));
		FAILS(EPERM, setxattr(M("d/mine"), name[i], "y", 1, 0));
		FAILS(EPERM, setxattr(M("d"), name[i], "y", 1, 0));
	}
	OK(setxattr(M("d/new"), CAPS, &caps, sizeof(caps), 0));
	OK(world_umount(w));
}

/* Attributes that take a privilege, set on the upper without it. */
TEST_F(cves, cve_2023_2640)
{
	struct world *w = &self->w;
	char list[256];

	AS_USER(cve_2023_2640(_metadata, w));
	EXPECT_EQ(0, all_gains(w->upper));
	for (const char *const *p = (const char *const []) { "d", "d/new", "d/mine", NULL }; *p; p++) {
		ssize_t len = listxattr(U(*p), list, sizeof(list));

		for (char *n = list; n < list + len; n += strlen(n) + 1)
			CHECK(strncmp(n, "trusted.", 8), "%s has %s", *p, n);
	}
}

static void cve_2023_32629(struct __test_metadata *_metadata, struct world *w)
{
	static const char *const path[] = { "d/small", "d/large" };

	OK(world_mount(w));
	for (size_t i = 0; i < ARRAY_SIZE(path); i++) {
		int fd;

		/* The metadata first, and then the data. */
		OK(fchmodat(w->mfd, path[i], 0755, 0));
		CHECK(getxattr(M(path[i]), CAPS, NULL, 0) > 0, "%s has lost them", path[i]);
		fd = OK(openat(w->mfd, path[i], O_RDWR | O_CLOEXEC));
		OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 4096));
		close(fd);
	}
	OK(world_umount(w));
}

/* The data is copied after the metadata, and the capabilities are set once more. */
TEST_F(cves, cve_2023_32629)
{
	struct world *w = &self->w;
	static char data[1 << 20];

	OK(write_text(L("d/small"), "#!\n"));
	OK(write_file(L("d/large"), data, sizeof(data)));
	for (int i = 0; i < 2; i++) {
		const char *path = i ? L("d/small") : L("d/large");

		OK(give(path));
		OK(setxattr(path, CAPS, &caps, sizeof(caps), 0));
	}
	EXPECT_EQ(2, all_gains(w->layer[0]));
	AS_USER(cve_2023_32629(_metadata, w));
	CHECK(exists(U("d/small")) && exists(U("d/large")), "nothing was copied up");
	EXPECT_EQ(0, all_gains(w->upper));
	EXPECT_EQ(0, all_gains(w->work));
}

TEST_HARNESS_MAIN
