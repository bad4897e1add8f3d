// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who waits for a layer, or an upper, that somebody serves and that does not answer:
 * he who asks for it, as long as he is not killed; and nobody else's sync.
 */
#include "testing.h"

#include <signal.h>
#include <sys/xattr.h>
#include <time.h>

#include "server.h"

#define PAGE 4096
#define SIZE (4 << 20)
#define SMALL (16 * PAGE)
#define FAR (3 << 20)
/* Of what must not be waited for; an emulated guest takes its time. */
#define LIMIT_MS 60000

FIXTURE(waitsfuse)
{
	struct world w;
	struct server s;
	char back[WORLD_PATH], served[WORLD_PATH];
	pid_t held;
};

FIXTURE_SETUP(waitsfuse)
{
	static const char *const dirs[] = { "", "layer", "upper", "work", NULL };
	static char bytes[SIZE];
	struct world *w = &self->w;

	self->held = 0;
	memset(&self->s, 0, sizeof(self->s));
	OK(world_begin(w, IN_LAYER));
	w->no_compare = true;
	if (server_allow())
		SKIP(return, "no FUSE, or built without libfuse");
	strcpy(self->back, join(w->root, "back"));
	strcpy(self->served, join(w->root, "served"));
	OK(mkdir(self->served, 0755));
	for (const char *const *p = dirs; *p; p++)
		OK(mkdir(join(self->back, *p), 0755));
	fill_pattern(bytes, SIZE, 0, 1);
	OK(write_file(join(self->back, "layer/file"), bytes, SIZE));
	OK(write_file(join(self->back, "layer/small"), bytes, SMALL));
	if (server_start(&self->s, self->back, self->served)) {
		if (errno == ENOSYS || errno == ENODEV || errno == ENXIO)
			SKIP(return, "no FUSE, or built without libfuse");
		OK(-1);
	}
	strcpy(w->layer[0], join(self->served, "layer"));
	w->sealed[0].count = 0;
}

FIXTURE_TEARDOWN(waitsfuse)
{
	if (self->s.shared)
		server_honest(&self->s);
	if (self->held > 0) {
		kill(self->held, SIGKILL);
		waitpid(self->held, NULL, 0);
	}
	if (self->w.mounted)
		umount_patiently(self->w.mnt);
	self->w.mounted = false;
	server_end(&self->s);
	FINISH(&self->w);
}

static void mount_it(struct __test_metadata *_metadata, struct world *w, const char *blocksize)
{
	const char *option[][2] = {
		{ "source", "waitsfuse" }, { "lowerdir+", w->layer[0] },
		{ "upperdir", w->upper }, { "workdir", w->work }, { "blocksize", blocksize }, { },
	};
	int fd = fs_mount("veneer", option, 0, w->mnt, w->log, sizeof(w->log));

	CHECK(fd >= 0, "%s, %s", err_name(-fd), w->log);
	if (fd < 0)
		return;
	close(fd);
	w->mounted = true;
}

/* Where a process that does not end waits, for the log. */
static void say_where(pid_t pid)
{
	char path[64], text[4096];

	snprintf(path, sizeof(path), "/proc/%d/stack", pid);
	if (read_text(path, text, sizeof(text)) > 0)
		printf("# it waits in:\n%s", text);
	fflush(stdout);
}

static bool ends(pid_t pid, int *status)
{
	for (int i = 0; i < LIMIT_MS / 10; i++) {
		pid_t got = waitpid(pid, status, WNOHANG);

		if (got)
			return got == pid;
		usleep(10000);
	}
	say_where(pid);
	return false;
}

/* What must end all the same. */
#define IN_TIME(...) ({							\
	int __status = -1;						\
	pid_t __pid;							\
	fflush(NULL);							\
	__pid = OK(fork());							\
	if (!__pid) {							\
		__VA_ARGS__;						\
		_exit(0);						\
	}								\
	CHECK(ends(__pid, &__status), "waits: %.60s", #__VA_ARGS__);	\
	CHECK(!__status, "fails: %.60s", #__VA_ARGS__);			\
	!__status;							\
})

/* A process that is held up by the server, once the rule has been met. */
#define HOLD(rule, ...) ({						\
	unsigned int __rule = (rule);					\
	fflush(NULL);							\
	self->held = OK(fork());						\
	if (!self->held) {						\
		__VA_ARGS__;						\
		_exit(0);						\
	}								\
	CHECK(!server_wait(&self->s, __rule, 1), "it was not asked");	\
	usleep(200000);							\
})

static void let_go(struct __test_metadata *_metadata, FIXTURE_DATA(waitsfuse) *self)
{
	int status = -1;

	server_honest(&self->s);
	CHECK(ends(self->held, &status) && !status, "who was held up: %x", status);
	self->held = 0;
}

/* A block is filled from a layer that does not answer. */
TEST_F(waitsfuse, fill)
{
	static char want[SIZE];
	struct world *w = &self->w;

	mount_it(_metadata, w, "4096");
	OK(store_at(M("file"), "z", 1, 100));
	HOLD(RULE(&self->s, .on = ON_READ, .path = "layer/file", .never = true),
	     store_at(M("file"), "z", 1, FAR + 100));
	IN_TIME(sync());
	IN_TIME(if (syncfs(open(w->mnt, O_RDONLY))) _exit(1));
	IN_TIME(if (fsync(open(M("file"), O_RDONLY))) _exit(1));
	/* Lets go of the mount, while somebody is in it. */
	IN_TIME(if (umount2(w->mnt, MNT_DETACH)) _exit(1));
	w->mounted = false;
	IN_TIME(sync());
	let_go(_metadata, self);
	FAILS(EINVAL, umount_patiently(w->mnt));
	mount_it(_metadata, w, "4096");
	fill_pattern(want, SIZE, 0, 1);
	want[100] = 'z';
	want[FAR + 100] = 'z';
	CHECK(!same_bytes(M("file"), want, SIZE), "");
}

/* A page of a mapping is written back; its block is larger. */
TEST_F(waitsfuse, large_block)
{
	static char want[SIZE];
	struct world *w = &self->w;
	char *m;
	int fd;

	mount_it(_metadata, w, "65536");
	fd = OK(open(M("file"), O_RDWR | O_CLOEXEC));
	m = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, m);
	m[0] = 'A';
	m[FAR + 5 * PAGE] = 'B';
	OK(drop_caches());
	RULE(&self->s, .on = ON_READ, .path = "layer/file", .never = true);
	IN_TIME(sync());
	IN_TIME(if (fsync(fd)) _exit(1));
	server_honest(&self->s);
	fill_pattern(want, SIZE, 0, 1);
	want[0] = 'A';
	want[FAR + 5 * PAGE] = 'B';
	munmap(m, SIZE);
	close(fd);
	OK(umount_patiently(w->mnt));
	mount_it(_metadata, w, "65536");
	CHECK(!same_bytes(M("file"), want, SIZE), "");
}

/* An upper does not answer what is asked of it in somebody's time. */
static void use_upper(struct world *w)
{
	int fd = open(M("file"), O_RDWR | O_CLOEXEC);
	char *m = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (m != MAP_FAILED)
		m[FAR] = 'A';
	if (pwrite(fd, "x", 1, 100) == 1)
		fsync(fd);
	fallocate(fd, 0, 0, SIZE);
	close(fd);
	unlink(M("small"));
}

TEST_F(waitsfuse, upper)
{
	static const unsigned int on[] = { ON_WRITE, ON_FSYNC, ON_MAKE, ON_RENAME };
	struct world *w = &self->w;

	strcpy(w->upper, join(self->served, "upper"));
	strcpy(w->work, join(self->served, "work"));
	for (size_t i = 0; i < sizeof(on) / sizeof(on[0]); i++) {
		mount_it(_metadata, w, "4096");
		OK(store_at(M("file"), "y", 1, 2 * FAR / 3));
		unlink(M("small"));
		HOLD(RULE(&self->s, .on = on[i], .path = "*", .never = true),
		     close(open(M("new"), O_WRONLY | O_CREAT | O_EXCL, 0600));
		     setxattr(M("new"), "user.x", "value", 5, 0);
		     rename(M("new"), M("newer")); use_upper(w));
		if (!IN_TIME(sync()))
			TH_LOG("request %zu", i);
		IN_TIME(if (umount2(w->mnt, MNT_DETACH)) _exit(1));
		w->mounted = false;
		IN_TIME(sync());
		let_go(_metadata, self);
		FAILS(EINVAL, umount_patiently(w->mnt));
		unlink(join(self->back, "upper/newer"));
		unlink(join(self->back, "upper/file"));
	}
}

/* What a mapping has stored is to be written to it. */
TEST_F(waitsfuse, upper_of_mapping)
{
	struct world *w = &self->w;
	char *m, *r;
	int fd, ro;

	strcpy(w->upper, join(self->served, "upper"));
	strcpy(w->work, join(self->served, "work"));
	mount_it(_metadata, w, "4096");
	/* One that was there before has pages of a layer. */
	ro = OK(open(M("file"), O_RDONLY | O_CLOEXEC));
	r = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, ro, 0);
	ASSERT_NE(MAP_FAILED, r);
	EXPECT_EQ(r[0], *(volatile char *)r);
	fd = OK(open(M("file"), O_RDWR | O_CLOEXEC));
	m = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, m);
	m[0] = 'A';
	m[FAR] = 'B';
	/* Who closes a file of FUSE waits for it, and each child would. */
	close(fd);
	close(ro);
	RULE(&self->s, .on = ON_WRITE | ON_FSYNC, .path = "*", .never = true);
	IN_TIME(sync());
	munmap(m, SIZE);
	munmap(r, SIZE);
	IN_TIME(sync());
	server_honest(&self->s);
	fd = OK(open(M("file"), O_RDWR | O_CLOEXEC));
	OK(fsync(fd));
	close(fd);
	OK(umount_patiently(w->mnt));
	w->mounted = false;
	mount_it(_metadata, w, "4096");
	fd = OK(open(M("file"), O_RDONLY | O_CLOEXEC));
	m = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	EXPECT_EQ('A', m[0]);
	EXPECT_EQ('B', m[FAR]);
	munmap(m, SIZE);
	close(fd);
}

/* A store to a mapping has a file copied by another thread: whoever stores is killed. */
TEST_F(waitsfuse, killed)
{
	struct world *w = &self->w;
	int ready[2], go[2], status = -1;
	pid_t pid;
	char c;

	mount_it(_metadata, w, "4096");
	OK(pipe2(ready, O_CLOEXEC));
	OK(pipe2(go, O_CLOEXEC));
	fflush(NULL);
	pid = OK(fork());
	if (!pid) {
		int fd = open(M("small"), O_RDWR | O_CLOEXEC);
		volatile char *m = mmap(NULL, SMALL, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		c = m[0];
		/* FUSE waits for that, whatever comes. */
		close(fd);
		write(ready[1], &c, 1);
		read(go[0], &c, 1);
		m[0] = 'A';
		_exit(0);
	}
	close(ready[1]);
	OK(read(ready[0], &c, 1));
	/* Not even taken, so that a process can be killed where it asks itself. */
	OK(kill(self->s.pid, SIGSTOP));
	usleep(100000);
	OK(write(go[1], &c, 1));
	usleep(800000);
	EXPECT_EQ(0, waitpid(pid, &status, WNOHANG));
	OK(kill(pid, SIGKILL));
	CHECK(ends(pid, &status), "it is not killed");
	OK(kill(self->s.pid, SIGCONT));
	close(ready[0]);
	close(go[0]);
	close(go[1]);
}

TEST_HARNESS_MAIN
