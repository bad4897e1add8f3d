// SPDX-License-Identifier: GPL-2.0-or-later
/* Mounts by ordinary users are refused until root allows them. */
#include "testing.h"

#include <sys/socket.h>

#include "userns.h"

/* The user's root is this one outside. */
#define BASE 100000
#define PARAMETER "/sys/module/veneer/parameters/user_mounts"
#define SHOWN "/sys/fs/veneer/user_mounts"

PLAIN_FIXTURE(usermount);

FIXTURE_SETUP(usermount)
{
	struct world *w = &self->w;

	if (world_is_overlay())
		SKIP(return, "overlayfs has no such parameter");
	OK(userns_allow_mounts(false));
	OK(world_begin(w, IN_LAYER));
	OK(put_text(w, "file", "a file\n"));
	OK(lchown(w->upper, BASE, BASE));
	OK(lchown(w->work, BASE, BASE));
	w->no_compare = true;
}

FIXTURE_TEARDOWN(usermount)
{
	if (world_is_overlay())
		return;
	CHECK(!userns_allow_mounts(false), "");
	FINISH(&self->w);
}

#define AS_USER(...)							\
	CHECK(!IN_CHILD(OK(userns_enter(BASE)); __VA_ARGS__;		\
			_exit(_metadata->exit_code != KSFT_PASS)), "as the user")

static bool says(const char *path, const char *text)
{
	char buf[16];

	return read_text(path, buf, sizeof(buf)) > 0 && !strcmp(buf, text);
}

/* By mount(2), which has no log of its own. */
static int old_mount(struct world *w)
{
	char options[3 * PATH_MAX];

	snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s",
		 w->layer[0], w->upper, w->work);
	return mount("none", w->mnt, "veneer", 0, options);
}

TEST_F(usermount, parameter)
{
	struct stat st;

	OK(stat(PARAMETER, &st));
	EXPECT_EQ(0644, st.st_mode & 07777);
	OK(stat(SHOWN, &st));
	EXPECT_EQ(0444, st.st_mode & 07777);
	CHECK(says(PARAMETER, "N\n") && says(SHOWN, "N\n"), "it is off");
	OK(userns_allow_mounts(true));
	CHECK(says(PARAMETER, "Y\n") && says(SHOWN, "Y\n"), "it is on");
	AS_USER(FAILS(EACCES, open(PARAMETER, O_WRONLY | O_CLOEXEC)));
}

static void refused(struct __test_metadata *_metadata, struct world *w)
{
	FAILS(EPERM, world_mount(w));
	CHECK(strstr(w->log, "user_mounts"), "the message: %s", w->log);
	FAILS(EPERM, old_mount(w));
	w->no_upper = true;
	FAILS(EPERM, world_mount(w));
}

TEST_F(usermount, refused)
{
	struct world *w = &self->w;

	OK(world_seal(w));
	AS_USER(refused(_metadata, w));
	/* It concerns nobody else. */
	OK(old_mount(w));
	OK(umount(w->mnt));
	OK(world_mount(w));
}

static void no_options(struct __test_metadata *_metadata, struct world *w)
{
	static const char *const option[] = {
		"lowerdir", "lowerdir+", "lowerfile", "upperdir", "workdir",
		"blocksize", "whole_limit",
	};
	char log[512] = "";
	int fd;

	/* In a context of his own, and in one for a remount of root's mount. */
	for (int i = 0; i < 2; i++) {
		fd = OK(i ? fspick(AT_FDCWD, w->mnt, FSPICK_CLOEXEC) :
			fsopen("veneer", FSOPEN_CLOEXEC));
		for (size_t o = 0; o < ARRAY_SIZE(option); o++) {
			FAILS(EPERM, fsconfig(fd, FSCONFIG_SET_STRING, option[o],
					      "/nowhere", 0));
			OK(read(fd, log, sizeof(log) - 1));
			CHECK(strstr(log, "user_mounts"), "%s: %s", option[o], log);
		}
		FAILS(EPERM, fsconfig(fd, FSCONFIG_SET_FLAG, "userxattr", NULL, 0));
		close(fd);
	}
}

/* Nothing of what he says is looked at. */
TEST_F(usermount, no_options)
{
	struct world *w = &self->w;

	OK(world_mount(w));
	AS_USER(no_options(_metadata, w));
}

static void begun(struct __test_metadata *_metadata, struct world *w, int go[2])
{
	int fd = OK(fsopen("veneer", FSOPEN_CLOEXEC));
	char c;

	OK(fsconfig(fd, FSCONFIG_SET_STRING, "lowerdir", w->layer[0], 0));
	OK(write(go[1], "", 1));
	OK(read(go[1], &c, 1));
	FAILS(EPERM, fsconfig(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	close(fd);
}

/* It counts when the mount is made, whatever it was before. */
TEST_F(usermount, turned_off)
{
	struct world *w = &self->w;
	int go[2], status;
	pid_t pid;
	char c;

	OK(userns_allow_mounts(true));
	OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, go));
	fflush(NULL);
	pid = OK(fork());
	if (!pid) {
		OK(userns_enter(BASE));
		begun(_metadata, w, go);
		_exit(_metadata->exit_code != KSFT_PASS);
	}
	OK(read(go[0], &c, 1));
	OK(userns_allow_mounts(false));
	OK(write(go[0], "", 1));
	OK(waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	close(go[0]);
	close(go[1]);
}

static void goes_on(struct __test_metadata *_metadata, struct world *w, int go[2])
{
	char c;

	OK(world_mount(w));
	OK(write(go[1], "", 1));
	OK(read(go[1], &c, 1));
	OK(write_text(M("new"), "new\n"));
	EXPECT_EQ(0, same_bytes(M("file"), "a file\n", 7));
	OK(mount(NULL, w->mnt, NULL, MS_REMOUNT | MS_RDONLY, NULL));
	FAILS(EROFS, open(M("new"), O_WRONLY | O_CLOEXEC));
	OK(world_umount(w));
	FAILS(EPERM, world_mount(w));
}

/* What is mounted stays, and its owner can make it read-only. */
TEST_F(usermount, goes_on)
{
	struct world *w = &self->w;
	int go[2], status;
	pid_t pid;
	char c;

	OK(world_seal(w));
	OK(userns_allow_mounts(true));
	OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, go));
	fflush(NULL);
	pid = OK(fork());
	if (!pid) {
		OK(userns_enter(BASE));
		goes_on(_metadata, w, go);
		_exit(_metadata->exit_code != KSFT_PASS);
	}
	OK(read(go[0], &c, 1));
	OK(userns_allow_mounts(false));
	OK(write(go[0], "", 1));
	OK(waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	close(go[0]);
	close(go[1]);
}

TEST_HARNESS_MAIN
