// SPDX-License-Identifier: GPL-2.0-or-later
/* Locks and leases: they hold between all who see the file in the mount. */
#include "testing.h"

#include <signal.h>
#include <sys/file.h>

WORLD_FIXTURE(lock);

FIXTURE_SETUP(lock)
{
	struct world *w = &self->w;

	OK(world_begin(w, variant->where));
	OK(put_dir(w, "d", 0755));
	OK(put_text(w, "d/file", "a file that is locked\n"));
	OK(put_text(w, "d/lease", "a file that is leased\n"));
	OK(world_mount(w));
}

WORLD_TEARDOWN(lock)

TEST_F(lock, flock)
{
	struct world *w = &self->w;
	int a, b, c;

	a = OK(openat(w->mfd, "d/file", O_RDONLY | O_CLOEXEC));
	b = OK(openat(w->mfd, "d/file", O_RDWR | O_CLOEXEC));
	OK(flock(a, LOCK_EX | LOCK_NB));
	FAILS(EWOULDBLOCK, flock(b, LOCK_SH | LOCK_NB));
	/* It holds when the file moves to the upper under it. */
	BOTH_OK(fchmodat(at, "d/file", 0600, 0));
	FAILS(EWOULDBLOCK, flock(b, LOCK_EX | LOCK_NB));
	EXPECT_EQ(1, OK(pwrite(b, "A", 1, 0)));
	FAILS(EWOULDBLOCK, flock(b, LOCK_EX | LOCK_NB));
	c = OK(openat(w->mfd, "d/file", O_RDONLY | O_CLOEXEC));
	FAILS(EWOULDBLOCK, flock(c, LOCK_EX | LOCK_NB));
	OK(flock(a, LOCK_SH));
	OK(flock(b, LOCK_SH | LOCK_NB));
	OK(flock(c, LOCK_SH | LOCK_NB));
	close(a);
	close(b);
	OK(flock(c, LOCK_EX | LOCK_NB));
	close(c);
	OK(write_text(join(w->plain, "d/file"), "A file that is locked\n"));
}

static int set(int fd, int cmd, int type, off_t start, off_t len)
{
	struct flock fl = { .l_type = type, .l_start = start, .l_len = len };

	return fcntl(fd, cmd, &fl);
}

TEST_F(lock, open_file_description)
{
	struct world *w = &self->w;
	struct flock fl = { .l_type = F_WRLCK, .l_len = 10 };
	int a, b;

	a = OK(openat(w->mfd, "d/file", O_RDWR | O_CLOEXEC));
	b = OK(openat(w->mfd, "d/file", O_RDWR | O_CLOEXEC));
	OK(set(a, F_OFD_SETLK, F_WRLCK, 0, 10));
	OK(set(b, F_OFD_SETLK, F_WRLCK, 10, 10));
	FAILS(EAGAIN, set(b, F_OFD_SETLK, F_RDLCK, 5, 10));
	BOTH_OK(truncate(P("d/file"), 100));
	FAILS(EAGAIN, set(b, F_OFD_SETLK, F_RDLCK, 5, 10));
	OK(fcntl(b, F_OFD_GETLK, &fl));
	EXPECT_EQ(F_WRLCK, fl.l_type);
	EXPECT_EQ(-1, fl.l_pid);
	close(a);
	OK(set(b, F_OFD_SETLK, F_WRLCK, 0, 0));
	close(b);
}

TEST_F(lock, posix)
{
	struct world *w = &self->w;
	struct flock fl = { .l_type = F_RDLCK, .l_start = 3, .l_len = 1 };
	pid_t pid = getpid();
	int fd;

	fd = OK(openat(w->mfd, "d/file", O_RDWR | O_CLOEXEC));
	OK(set(fd, F_SETLK, F_WRLCK, 0, 5));
	EXPECT_EQ(0, IN_CHILD({
		int f = open(M("d/file"), O_RDWR);

		if (!set(f, F_SETLK, F_WRLCK, 0, 1) || errno != EAGAIN)
			_exit(1);
		if (set(f, F_SETLK, F_WRLCK, 5, 1))
			_exit(2);
		if (fcntl(f, F_GETLK, &fl) || fl.l_type != F_WRLCK || fl.l_pid != pid)
			_exit(3);
		/* Copied up by the one who has no lock. */
		if (pwrite(f, "Z", 1, 20) != 1)
			_exit(4);
		if (!set(f, F_SETLK, F_RDLCK, 4, 1) || errno != EAGAIN)
			_exit(5);
	}));
	/* POSIX: closing any descriptor of the file lets the locks go. */
	close(OK(openat(w->mfd, "d/file", O_RDONLY | O_CLOEXEC)));
	EXPECT_EQ(0, IN_CHILD({
		int f = open(M("d/file"), O_RDWR);

		if (set(f, F_SETLK, F_WRLCK, 0, 0))
			_exit(1);
	}));
	close(fd);
	w->no_compare = true;
}

/* Who waits for a lock gets it, and is not held up for ever. */
TEST_F(lock, wait)
{
	struct world *w = &self->w;
	int fd, status;
	char c = 0;
	pid_t pid;
	int p[2];

	OK(pipe(p));
	fd = OK(openat(w->mfd, "d/file", O_RDWR | O_CLOEXEC));
	OK(set(fd, F_SETLK, F_WRLCK, 0, 0));
	fflush(NULL);
	pid = OK(fork());
	if (!pid) {
		int f = open(M("d/file"), O_RDWR);

		if (f < 0 || write(p[1], "x", 1) != 1 ||
		    set(f, F_SETLKW, F_WRLCK, 0, 0))
			_exit(1);
		_exit(0);
	}
	EXPECT_EQ(1, OK(read(p[0], &c, 1)));
	BOTH_OK(write_text(P("d/lease"), "something else happens\n"));
	OK(set(fd, F_SETLK, F_UNLCK, 0, 0));
	OK(waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	close(fd);
	close(p[0]);
	close(p[1]);
}

static volatile sig_atomic_t broken;

static void on_break(int sig)
{
	broken = sig;
}

/*
 * A lease on the mount's file is broken by those who open it in the mount; and
 * it can only be had while nobody has it open in another way.
 */
TEST_F(lock, lease)
{
	struct world *w = &self->w;
	int fd;

	signal(SIGIO, on_break);
	fd = OK(openat(w->mfd, "d/lease", O_RDONLY | O_CLOEXEC));
	OK(fcntl(fd, F_SETLEASE, F_RDLCK));
	EXPECT_EQ(F_RDLCK, OK(fcntl(fd, F_GETLEASE)));
	/* A reader does not break a read lease. */
	close(OK(openat(w->mfd, "d/lease", O_RDONLY | O_CLOEXEC)));
	EXPECT_EQ(F_RDLCK, OK(fcntl(fd, F_GETLEASE)));
	broken = 0;
	FAILS(EWOULDBLOCK, openat(w->mfd, "d/lease", O_WRONLY | O_NONBLOCK));
	EXPECT_EQ(SIGIO, broken);
	OK(fcntl(fd, F_SETLEASE, F_UNLCK));
	close(OK(openat(w->mfd, "d/lease", O_WRONLY | O_CLOEXEC)));
	close(fd);
	/* A write lease, after the copy-up that writing makes. */
	fd = OK(openat(w->mfd, "d/lease", O_RDWR | O_CLOEXEC));
	EXPECT_EQ(1, OK(pwrite(fd, "a", 1, 0)));
	OK(fcntl(fd, F_SETLEASE, F_WRLCK));
	broken = 0;
	FAILS(EWOULDBLOCK, openat(w->mfd, "d/lease", O_RDONLY | O_NONBLOCK));
	EXPECT_EQ(SIGIO, broken);
	OK(fcntl(fd, F_SETLEASE, F_UNLCK));
	close(fd);
	fd = OK(openat(w->mfd, "d/lease", O_RDWR | O_CLOEXEC));
	FAILS(EAGAIN, fcntl(fd, F_SETLEASE, F_RDLCK));
	close(fd);
	signal(SIGIO, SIG_DFL);
}

TEST_HARNESS_MAIN
