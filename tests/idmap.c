// SPDX-License-Identifier: GPL-2.0-or-later
/* Id mappings: of layers, and of the mount itself. */
#include "testing.h"

#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

/* What is 0 on the disk is shown as this. */
#define BASE 100000

PLAIN_FIXTURE(idmap);

FIXTURE_SETUP(idmap)
{
	struct world *w = &self->w;

	OK(world_begin(w, IN_LAYER));
	OK(put_dir(w, "d", 0777));
	OK(put_text(w, "d/file", "a file\n"));
	OK(put_text(w, "d/fifth", "of user 5\n"));
	OK(put_owner(w, "d/fifth", 5, 6));
	OK(put_text(w, "d/beyond", "of a user who is not mapped\n"));
	OK(put_owner(w, "d/beyond", 200000, 200000));
	OK(put_mode(w, "d/beyond", 0600));
	w->no_compare = true;
}

WORLD_TEARDOWN(idmap)

/* A user namespace whose 0 to 65535 are BASE and up, as a descriptor. */
static int userns_fd(void)
{
	char path[64], map[64];
	int fd, ready[2];
	pid_t pid;
	char c;

	if (pipe(ready))
		return -1;
	fflush(NULL);
	pid = fork();
	if (!pid) {
		if (unshare(CLONE_NEWUSER) || write(ready[1], "", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	if (read(ready[0], &c, 1) != 1)
		return -1;
	snprintf(map, sizeof(map), "0 %d 65536\n", BASE);
	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	if (write_text(path, map))
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	if (write_text(path, map))
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	close(ready[1]);
	return fd;
}

/* Puts a clone of what is at @from at @to, seen through the mapping. */
static int mount_mapped(const char *from, const char *to)
{
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_IDMAP,
		.userns_fd = userns_fd(),
	};
	int fd, ret;

	fd = syscall(SYS_open_tree, AT_FDCWD, from,
		     OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (fd < 0)
		return -1;
	ret = syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) ||
	      syscall(SYS_move_mount, fd, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH);
	close(attr.userns_fd);
	close(fd);
	return ret ? -1 : 0;
}

static void owner_is(struct __test_metadata *_metadata, const char *path,
		     unsigned int uid, unsigned int gid)
{
	struct stat st;

	OK(lstat(path, &st));
	CHECK(st.st_uid == uid && st.st_gid == gid, "%s: %u:%u, not %u:%u", path,
	      st.st_uid, st.st_gid, uid, gid);
}
#define OWNER(path, uid, gid) owner_is(_metadata, path, uid, gid)

/* The mount itself: what is stored is not what is shown. */
TEST_F(idmap, of_the_mount)
{
	struct world *w = &self->w;
	const char *seen = join(w->root, "seen");
	char path[PATH_MAX];
	int status;

	if (world_is_overlay())
		SKIP(return, "overlayfs cannot be mounted so");
	OK(world_mount(w));
	OK(mkdir(seen, 0755));
	OK(mount_mapped(w->mnt, seen));
	snprintf(path, sizeof(path), "%s/d/", seen);
	seen = path;

	OWNER(join(seen, "file"), BASE, BASE);
	OWNER(join(seen, "fifth"), BASE + 5, BASE + 6);
	OWNER(join(seen, "beyond"), 65534, 65534);
	/* A user of the range makes and changes objects. */
	status = IN_CHILD(
		OK(setresgid(BASE + 7, BASE + 7, BASE + 7));
		OK(setresuid(BASE + 7, BASE + 7, BASE + 7));
		OK(write_text(join(seen, "new"), "new\n"));
		OK(mkdir(join(seen, "dir"), 0755));
		OK(symlink("x", join(seen, "link")));
		OK(chmod(join(seen, "new"), 0640));
		OK(setxattr(join(seen, "new"), "user.test", "x", 1, 0));
		FAILS(EPERM, chmod(join(seen, "fifth"), 0600));
		FAILS(EACCES, open(join(seen, "beyond"), O_RDONLY | O_CLOEXEC));
		FAILS(EPERM, chown(join(seen, "new"), BASE + 8, -1));
		_exit(_metadata->exit_code != KSFT_PASS));
	EXPECT_EQ(0, status);
	/* Nobody outside of the range can own anything here. */
	FAILS(EOVERFLOW, mkdir(join(seen, "by_root"), 0755));
	OK(chown(join(seen, "fifth"), BASE + 8, BASE + 9));
	FAILS(EOVERFLOW, chown(join(seen, "fifth"), 8, -1));
	for (int i = 0; i < 2; i++) {
		OWNER(M("d/new"), 7, 7);
		OWNER(M("d/dir"), 7, 7);
		OWNER(M("d/link"), 7, 7);
		OWNER(M("d/fifth"), 8, 9);
		OWNER(U("d/fifth"), 8, 9);
		OWNER(join(seen, "new"), BASE + 7, BASE + 7);
		OWNER(join(seen, "fifth"), BASE + 8, BASE + 9);
		if (!i)
			OK(drop_caches());
	}
	OK(umount2(join(w->root, "seen"), 0));
}

/* A layer that is seen so already; the upper is not. */
TEST_F(idmap, of_a_layer)
{
	struct world *w = &self->w;
	char mapped[WORLD_PATH];
	struct stat a, b;

	OK(world_seal(w));
	snprintf(mapped, sizeof(mapped), "%.200s/mapped", w->root);
	OK(mkdir(mapped, 0755));
	OK(mount_mapped(w->layer[0], mapped));
	memcpy(w->layer[0], mapped, sizeof(mapped));
	OK(world_mount(w));
	/* It is kept by the mount, not by its name. */
	OK(umount2(mapped, MNT_DETACH));
	OWNER(M("d"), BASE, BASE);
	OWNER(M("d/file"), BASE, BASE);
	OWNER(M("d/fifth"), BASE + 5, BASE + 6);
	OWNER(M("d/beyond"), 65534, 65534);
	OK(stat(M("d/fifth"), &a));
	OK(write_text(M("d/file"), "changed\n"));
	OK(chmod(M("d/fifth"), 0600));
	OWNER(M("d/file"), BASE, BASE);
	OWNER(M("d/fifth"), BASE + 5, BASE + 6);
	OWNER(U("d/file"), BASE, BASE);
	OWNER(U("d/fifth"), BASE + 5, BASE + 6);
	OWNER(U("d"), BASE, BASE);
	OK(stat(M("d/fifth"), &b));
	EXPECT_EQ(a.st_ino, b.st_ino);
	/* An owner who is nobody cannot be copied. */
	FAILS(EOVERFLOW, chmod(M("d/beyond"), 0644));
	CHECK(!exists(U("d/beyond")), "copied up, for somebody else");
	OK(world_umount(w));
	memset(&w->sealed, 0, sizeof(w->sealed));
}

/* The upper again, through another mapping: not what is mounted. */
TEST_F(idmap, upper_mapped_otherwise)
{
	struct world *w = &self->w;
	char parent[WORLD_PATH + 16], mapped[WORLD_PATH + 16], second[WORLD_PATH + 16];
	char upper[WORLD_PATH + 32], work[WORLD_PATH + 32];
	const char *option[][2] = {
		{ "source", "idmap" }, { "lowerdir+", w->layer[0] },
		{ "upperdir", upper }, { "workdir", work }, { }
	};
	int fd;

	if (world_is_overlay())
		SKIP(return, "overlayfs: two superblocks");
	snprintf(parent, sizeof(parent), "%s/both", w->root);
	snprintf(mapped, sizeof(mapped), "%s/mapped", w->root);
	snprintf(second, sizeof(second), "%s/second", w->root);
	OK(mkdir(parent, 0755));
	OK(mkdir(join(parent, "upper"), 0755));
	OK(mkdir(join(parent, "work"), 0755));
	OK(mkdir(mapped, 0755));
	OK(mkdir(second, 0755));
	if (mount_mapped(parent, mapped))
		SKIP(return, "the file system cannot be mapped");
	snprintf(upper, sizeof(upper), "%s/upper", parent);
	snprintf(work, sizeof(work), "%s/work", parent);
	fd = fs_mount(world_fstype(), option, 0, w->mnt, w->log, sizeof(w->log));
	CHECK(fd >= 0, "%s: %s", err_name(-fd), w->log);
	close(fd);
	snprintf(upper, sizeof(upper), "%s/upper", mapped);
	snprintf(work, sizeof(work), "%s/work", mapped);
	fd = fs_mount(world_fstype(), option, 0, second, w->log, sizeof(w->log));
	EXPECT_EQ(-EBUSY, fd);
	CHECK(strstr(w->log, "id mapping"), "the log says: %s", w->log);
	if (fd >= 0) {
		close(fd);
		umount(second);
	}
	OK(umount(w->mnt));
	OK(umount(mapped));
}

TEST_HARNESS_MAIN
