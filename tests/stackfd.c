// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Images without an option string: a stack's descriptor, which keeps the stack
 * warm and is given to mounts, and layers listed in a file.
 */
#include "testing.h"

#include <grp.h>
#include <stdint.h>
#include <sys/resource.h>

#include "control.h"

#define MANY 500

FIXTURE(stackfd)
{
	struct world w;
	int dev;
	const char *layers[2];
};

FIXTURE_SETUP(stackfd)
{
	struct world *w = &self->w;

	self->dev = -1;
	OK(world_begin(w, IN_LOWER));
	w->no_compare = true;
	if (world_is_overlay())
		SKIP(return, "overlayfs: has no control interface");
	OK(put_dir(w, "d", 0755));
	OK(put_text(w, "d/low", "low\n"));
	OK(write_text(L("d/high"), "high\n"));
	OK(world_seal(w));
	self->layers[0] = w->layer[0];
	self->layers[1] = w->layer[1];
	self->dev = OK(control_open());
}

FIXTURE_TEARDOWN(stackfd)
{
	if (self->dev >= 0)
		close(self->dev);
	while (!umount2(self->w.mnt, MNT_DETACH))
		;
	self->w.mounted = false;
	FINISH(&self->w);
}

#define SEEN() do {							\
	EXPECT_EQ(0, same_bytes(M("d/low"), "low\n", 4));		\
	EXPECT_EQ(0, same_bytes(M("d/high"), "high\n", 5));		\
} while (0)

static long stacks(void)
{
	char buf[32];

	if (read_text("/sys/fs/veneer/stacks", buf, sizeof(buf)) <= 0)
		return -1;
	return atol(buf);
}

/*
 * Mounts at the world's mnt with a stack's descriptor, and an upper if told;
 * more may be one option. 0 or -1 with errno set.
 */
static int mount_stack(struct world *w, int stack, bool upper,
		       const char *key, const char *value)
{
	int fd = fsopen("veneer", FSOPEN_CLOEXEC), mfd = -1, err;
	ssize_t n;

	if (fd < 0)
		return -1;
	err = fsconfig(fd, FSCONFIG_SET_FD, "stack", NULL, stack) ||
	      (upper && (fsconfig(fd, FSCONFIG_SET_STRING, "upperdir", w->upper, 0) ||
			 fsconfig(fd, FSCONFIG_SET_STRING, "workdir", w->work, 0))) ||
	      (key && fsconfig(fd, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG,
			       key, value, 0)) ||
	      fsconfig(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) ||
	      (mfd = fsmount(fd, FSMOUNT_CLOEXEC, 0)) < 0 ||
	      move_mount(mfd, "", AT_FDCWD, w->mnt, MOVE_MOUNT_F_EMPTY_PATH);
	err = err ? errno : 0;
	n = read(fd, w->log, sizeof(w->log) - 1);
	w->log[n > 0 ? n : 0] = 0;
	close(fd);
	if (mfd >= 0)
		close(mfd);
	errno = err;
	return err ? -1 : 0;
}

#define OPEN_STACK() OK(stack_open(self->dev, self->layers, 2, 0))

static struct veneer_stack_info info(int fd)
{
	struct veneer_stack_info i = { .size = sizeof(i) };

	if (ioctl(fd, VENEER_IOC_STACK_INFO, &i))
		memset(&i, 0xff, sizeof(i));
	return i;
}

TEST_F(stackfd, open_errors)
{
	struct world *w = &self->w;
	struct veneer_stack_open o;
	char file[WORLD_PATH + 16];
	int dir = OK(open(w->layer[0], O_PATH | O_CLOEXEC));
	int fds[2] = { dir, dir }, plain, child;
	long before = OK(stacks());

	snprintf(file, sizeof(file), "%s/d/high", w->layer[0]);
	plain = OK(open(file, O_RDONLY | O_NOATIME | O_CLOEXEC));
#define TRY(...) ({								\
	o = (struct veneer_stack_open) { __VA_ARGS__ };				\
	if (!o.size)								\
		o.size = sizeof(o);						\
	ioctl(self->dev, VENEER_IOC_STACK_OPEN, &o);				\
})
	FAILS(EINVAL, TRY(.fds = (uintptr_t)fds, .nr = 0));
	FAILS(EINVAL, TRY(.fds = (uintptr_t)fds, .nr = 4097));
	FAILS(EINVAL, TRY(.fds = (uintptr_t)fds, .nr = -1U));
	FAILS(EINVAL, TRY(.fds = (uintptr_t)fds, .nr = 2, .reserved = 1));
	FAILS(EINVAL, TRY(.fds = (uintptr_t)fds, .nr = 2, .flags = 2));
	FAILS(EINVAL, TRY(.fds = (uintptr_t)fds, .nr = 2, .flags = 1U << 31));
	FAILS(EFAULT, TRY(.fds = 0, .nr = 2));
	FAILS(EFAULT, TRY(.fds = -4096L, .nr = 2));
	/* A struct that ends before the number of layers has none. */
	FAILS(EINVAL, TRY(.size = 16, .fds = (uintptr_t)fds, .nr = 2));
	fds[1] = -1;
	FAILS(EBADF, TRY(.fds = (uintptr_t)fds, .nr = 2));
	fds[1] = 1 << 20;
	FAILS(EBADF, TRY(.fds = (uintptr_t)fds, .nr = 2));
	fds[1] = plain;
	FAILS(ENOTDIR, TRY(.fds = (uintptr_t)fds, .nr = 2));
	fds[1] = self->dev;
	FAILS(ENOTDIR, TRY(.fds = (uintptr_t)fds, .nr = 2));
	/* A directory that is mounted nowhere any more. */
	OK(mount("none", w->mnt, "tmpfs", 0, NULL));
	fds[1] = OK(open(w->mnt, O_PATH | O_CLOEXEC));
	OK(umount2(w->mnt, MNT_DETACH));
	FAILS(EINVAL, TRY(.fds = (uintptr_t)fds, .nr = 2));
	close(fds[1]);
	/* With no room for one more descriptor. */
	child = IN_CHILD({
		struct rlimit none = { 3, 3 };

		fds[1] = dir;
		OK(setrlimit(RLIMIT_NOFILE, &none));
		FAILS(EMFILE, TRY(.fds = (uintptr_t)fds, .nr = 2));
		_exit(_metadata->exit_code);
	});
	EXPECT_EQ(0, child);
	EXPECT_EQ(before, stacks());
	close(plain);
	close(dir);
}

/* The descriptor is one like any other: close-on-exec, nothing to read. */
TEST_F(stackfd, descriptor)
{
	long before = OK(stacks());
	char c, name[64];
	int fd = OPEN_STACK(), copy, n;

	EXPECT_EQ(before + 1, stacks());
	EXPECT_EQ(FD_CLOEXEC, OK(fcntl(fd, F_GETFD)));
	FAILS(EINVAL, read(fd, &c, 1));
	n = OK(readlink(join("/proc/self/fd", ({ sprintf(name, "%d", fd); name; })),
			name, sizeof(name) - 1));
	name[n] = 0;
	EXPECT_STREQ("anon_inode:[veneer-stack]", name);
	copy = OK(dup(fd));
	EXPECT_EQ(1, info(fd).pins);
	close(fd);
	EXPECT_EQ(before + 1, stacks());
	EXPECT_EQ(2, info(copy).layers);
	close(copy);
	EXPECT_EQ(before, stacks());
}

TEST_F(stackfd, info)
{
	struct world *w = &self->w;
	struct veneer_stack_info i = { .size = sizeof(i), .reserved = 1 };
	int a = OPEN_STACK(), b = OPEN_STACK(), other;
	long id = OK(stack_id(a));

	FAILS(EINVAL, ioctl(a, VENEER_IOC_STACK_INFO, &i));
	EXPECT_EQ(id, stack_id(b));
	EXPECT_EQ(2, info(a).layers);
	EXPECT_EQ(2, info(a).pins);
	EXPECT_EQ(0, info(a).mounts);
	EXPECT_EQ(0, info(a).flags);
	/* Another order, or another kind of marks, is another stack. */
	other = OK(stack_open(self->dev, self->layers, 1, 0));
	CHECK(stack_id(other) != id, "stacks of one and of two layers are one");
	EXPECT_EQ(1, info(other).layers);
	close(other);
	other = OK(stack_open(self->dev, self->layers, 2, VENEER_STACK_USERXATTR));
	CHECK(stack_id(other) != id, "stacks of two kinds of marks are one");
	EXPECT_EQ(VENEER_STACK_USERXATTR, info(other).flags);
	close(other);
	/* A mount by names finds it. */
	OK(world_mount(w));
	EXPECT_EQ(id, stack_id(w->mfd));
	EXPECT_EQ(1, info(a).mounts);
	close(b);
	EXPECT_EQ(1, info(w->mfd).pins);
	close(a);
	EXPECT_EQ(0, info(w->mfd).pins);
	EXPECT_EQ(id, stack_id(w->mfd));
}

static int list(int dev, void *to, unsigned int nr, unsigned int entry,
		unsigned int *found)
{
	struct veneer_stack_list l = {
		.size = sizeof(l),
		.nr = nr,
		.stacks = (uintptr_t)to,
		.entry_size = entry,
	};
	int ret = ioctl(dev, VENEER_IOC_STACK_LIST, &l);

	*found = l.nr;
	return ret;
}

TEST_F(stackfd, list)
{
	struct veneer_stack_info all[16];
	struct veneer_stack_list l = { .size = sizeof(l), .reserved = 1 };
	unsigned char large[16][64], small[16][8];
	const unsigned int entry = sizeof(*all);
	unsigned int before, nr;
	int a, b, found = 0;

	/* How many, without asking for any. */
	OK(list(self->dev, NULL, 0, 0, &before));
	EXPECT_EQ(stacks(), before);
	a = OPEN_STACK();
	b = OK(stack_open(self->dev, self->layers, 1, 0));
	OK(list(self->dev, all, 16, entry, &nr));
	EXPECT_EQ(before + 2, nr);
	for (unsigned int i = 0; i < nr; i++) {
		struct veneer_stack_info want = info((long)all[i].id == stack_id(a) ? a : b);

		EXPECT_EQ(sizeof(want), all[i].size);
		if ((long)all[i].id != stack_id(a) && (long)all[i].id != stack_id(b))
			continue;
		CHECK(!memcmp(&want, &all[i], sizeof(want)), "stack %llu differs",
		      (unsigned long long)all[i].id);
		found++;
	}
	EXPECT_EQ(2, found);
	/* Room for one: the rest is only counted, and nothing else written. */
	memset(all, 0xee, sizeof(all));
	OK(list(self->dev, all, 1, entry, &nr));
	EXPECT_EQ(before + 2, nr);
	EXPECT_EQ(sizeof(*all), all[0].size);
	EXPECT_EQ(0xeeeeeeee, all[1].size);
	/* Programs that know more, and less. */
	memset(large, 0xee, sizeof(large));
	memset(small, 0xee, sizeof(small));
	OK(list(self->dev, large, 16, sizeof(*large), &nr));
	OK(list(self->dev, small, 16, sizeof(*small), &nr));
	for (unsigned int i = 0; i < nr; i++) {
		CHECK(!memcmp(large[i], small[i], 8), "entry %u", i);
		for (unsigned int j = entry; j < sizeof(*large); j++)
			CHECK(!large[i][j], "byte %u of entry %u", j, i);
	}
	CHECK(small[nr][0] == 0xee && large[nr][0] == 0xee, "one entry too many");

	FAILS(EINVAL, ioctl(self->dev, VENEER_IOC_STACK_LIST, &l));
	FAILS(EINVAL, list(self->dev, all, 16, 0, &nr));
	FAILS(EINVAL, list(self->dev, all, 16, 12, &nr));
	FAILS(E2BIG, list(self->dev, all, 16, 4104, &nr));
	FAILS(EFAULT, list(self->dev, NULL, 16, entry, &nr));
	/* More room than there can be stacks costs nothing. */
	OK(list(self->dev, all, -1U, entry, &nr));
	close(a);
	close(b);
	OK(list(self->dev, NULL, 0, 0, &nr));
	EXPECT_EQ(before, nr);
}

TEST_F(stackfd, mounted)
{
	struct world *w = &self->w;
	int fd = OPEN_STACK();
	long id = stack_id(fd);

	/* Read-only, then with an upper, and that upper by the layers' names. */
	OK(mount_stack(w, fd, false, NULL, NULL));
	SEEN();
	FAILS(EROFS, mkdir(M("new"), 0755));
	OK(umount(w->mnt));
	OK(mount_stack(w, fd, true, NULL, NULL));
	SEEN();
	OK(mkdir(M("d/new"), 0755));
	CHECK(exists(U("d/new")), "not in the upper");
	/* The mount holds it: the descriptor can go. */
	close(fd);
	OK(drop_caches());
	SEEN();
	OK(world_mount(w));
	EXPECT_EQ(id, stack_id(w->mfd));
	CHECK(exists(M("d/new")), "another upper");
	close(w->mfd);
	w->mfd = -1;
	OK(umount(w->mnt));
	OK(umount(w->mnt));
	w->mounted = false;
	EXPECT_EQ(0, stacks());
}

/* mount(2) takes the descriptor's number. */
TEST_F(stackfd, mount2)
{
	struct world *w = &self->w;
	char opt[1024];
	int fd = OPEN_STACK();

	snprintf(opt, sizeof(opt), "stack=%d,upperdir=%s,workdir=%s", fd, w->upper, w->work);
	OK(mount("none", w->mnt, "veneer", 0, opt));
	close(fd);
	SEEN();
	OK(umount(w->mnt));
	FAILS(EBADF, mount("none", w->mnt, "veneer", 0, opt));
	FAILS(EINVAL, mount("none", w->mnt, "veneer", 0, "stack=no"));
	FAILS(EINVAL, mount("none", w->mnt, "veneer", 0, "stack"));
	snprintf(opt, sizeof(opt), "stack=%d", self->dev);
	FAILS(EINVAL, mount("none", w->mnt, "veneer", 0, opt));
}

/* The layers' names are shown, and mount the same again. */
TEST_F(stackfd, shown)
{
	struct world *w = &self->w;
	static char all[1 << 16];
	char opt[4 * WORLD_PATH], other[WORLD_PATH + 32], *line, *p;
	int fd = OPEN_STACK(), again;

	OK(mount_stack(w, fd, true, NULL, NULL));
	OK(read_text("/proc/self/mounts", all, sizeof(all)));
	line = strstr(all, w->mnt);
	ASSERT_NE(NULL, line);
	*strchr(line, '\n') = 0;
	CHECK(!strstr(line, "stack="), "%s", line);
	for (int i = 0; i < 2; i++)
		CHECK(strstr(line, w->layer[i]), "no layer %d in '%s'", i, line);
	/* "MNT veneer rw,relatime,lowerdir=... 0 0" */
	p = strstr(line, "lowerdir=");
	ASSERT_NE(NULL, p);
	*strchr(p, ' ') = 0;
	snprintf(opt, sizeof(opt), "%s", p);
	/* Elsewhere: one place takes the same filesystem but once. */
	snprintf(other, sizeof(other), "%s/other", w->root);
	OK(mkdir(other, 0755));
	CHECK(!mount("none", other, "veneer", 0, opt), "'%s': %s", opt, err_name(errno));
	again = OK(open(other, O_RDONLY | O_CLOEXEC));
	EXPECT_EQ(stack_id(fd), stack_id(again));
	EXPECT_EQ(1, info(fd).mounts);
	close(again);
	OK(umount(other));
	close(fd);
}

TEST_F(stackfd, mount_errors)
{
	struct world *w = &self->w;
	int fd = OPEN_STACK(), user, child;

	FAILS(EINVAL, mount_stack(w, fd, true, "lowerdir+", w->layer[0]));
	CHECK(strstr(w->log, "stack"), "%s", w->log);
	FAILS(EINVAL, mount_stack(w, self->dev, true, NULL, NULL));
	CHECK(strstr(w->log, "stack"), "%s", w->log);
	FAILS(EINVAL, mount_stack(w, w->pfd, true, NULL, NULL));
	FAILS(EBADF, mount_stack(w, 1 << 20, true, NULL, NULL));
	/* The kind of marks is the stack's. */
	FAILS(EINVAL, mount_stack(w, fd, true, "userxattr", NULL));
	CHECK(strstr(w->log, "userxattr"), "%s", w->log);
	user = OK(stack_open(self->dev, self->layers, 2, VENEER_STACK_USERXATTR));
	OK(mount_stack(w, user, true, NULL, NULL));
	SEEN();
	OK(umount(w->mnt));
	close(user);
	/* An upper within one of its layers. */
	{
		const char *layers[2] = { w->layer[0], w->root };
		int around = OK(stack_open(self->dev, layers, 2, 0));

		FAILS(ELOOP, mount_stack(w, around, true, NULL, NULL));
		CHECK(strstr(w->log, "upperdir"), "%s", w->log);
		close(around);
	}
	/* What the opener may see, another one may not. */
	child = IN_CHILD({
		gid_t group = 12345;

		OK(setgroups(1, &group));
		FAILS(EPERM, mount_stack(w, fd, true, NULL, NULL));
		CHECK(strstr(w->log, "credentials"), "%s", w->log);
		_exit(_metadata->exit_code);
	});
	EXPECT_EQ(0, child);
	/* None of it has kept the upper. */
	OK(mount_stack(w, fd, true, NULL, NULL));
	SEEN();
	close(fd);
}

/* A remount may name the stack that it has, and no other. */
TEST_F(stackfd, remount)
{
	struct world *w = &self->w;
	int fd = OPEN_STACK(), other = OK(stack_open(self->dev, self->layers, 1, 0));
	int fs;

	OK(mount_stack(w, fd, true, NULL, NULL));
	fs = OK(fspick(AT_FDCWD, w->mnt, FSPICK_CLOEXEC));
	OK(fsconfig(fs, FSCONFIG_SET_FD, "stack", NULL, fd));
	OK(fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
	close(fs);
	fs = OK(fspick(AT_FDCWD, w->mnt, FSPICK_CLOEXEC));
	OK(fsconfig(fs, FSCONFIG_SET_FD, "stack", NULL, other));
	FAILS(EINVAL, fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
	close(fs);
	close(fd);
	close(other);
	SEEN();
}

/*
 * Between two containers the image stays known. What shows it is a change of
 * the layer that nobody may make: the next mount does not look again.
 */
TEST_F(stackfd, warm)
{
	struct world *w = &self->w;
	char secret[WORLD_PATH + 32];
	int fd;

	for (int pinned = 1; pinned >= 0; pinned--) {
		long id;

		snprintf(secret, sizeof(secret), "%s/d/secret", w->layer[0]);
		fd = pinned ? OPEN_STACK() : -1;
		OK(world_mount(w));
		id = OK(stack_id(w->mfd));
		FAILS(ENOENT, access(M("d/secret"), F_OK));
		OK(world_umount(w));
		OK(write_text(secret, "made behind its back"));
		OK(world_mount(w));
		EXPECT_EQ(pinned, id == stack_id(w->mfd));
		EXPECT_EQ(!pinned, !access(M("d/secret"), F_OK));
		OK(world_umount(w));
		OK(unlink(secret));
		close(fd);
	}
	EXPECT_EQ(0, stacks());
	/* The folder's times have moved. */
	tree_free(&w->sealed[0]);
}

/* A layer that hides all under it: those are named, and not used. */
TEST_F(stackfd, opaque_root)
{
	struct world *w = &self->w;
	const char *layers[3];
	int fd;

	OK(world_add_layer(w));
	OK(make_opaque(w->layer[1]));
	OK(write_text(join(w->layer[2], "hidden"), "x"));
	for (int i = 0; i < 3; i++)
		layers[i] = w->layer[i];
	fd = OK(stack_open(self->dev, layers, 3, 0));
	EXPECT_EQ(3, info(fd).layers);
	OK(mount_stack(w, fd, true, NULL, NULL));
	SEEN();
	FAILS(ENOENT, access(M("hidden"), F_OK));
	/* By names it is the same stack. */
	tree_free(&w->sealed[1]);
	OK(world_mount(w));
	EXPECT_EQ(stack_id(fd), stack_id(w->mfd));
	close(w->mfd);
	w->mfd = -1;
	close(fd);
}

/* Layers of which each has a file of its own and one that all have. */
static int make_many(struct world *w, char (*path)[WORLD_PATH + 32])
{
	char name[64];

	for (int i = 0; i < MANY; i++) {
		snprintf(path[i], WORLD_PATH + 32, "%s/many.%d", w->root, i);
		snprintf(name, sizeof(name), "own%d", i);
		if (mkdir(path[i], 0755) ||
		    mknod(join(path[i], name), S_IFREG | 0644, 0))
			return -1;
		snprintf(name, sizeof(name), "%d\n", i);
		if (write_text(join(path[i], "every"), name))
			return -1;
	}
	return 0;
}

#define MANY_SEEN() do {						\
	EXPECT_EQ(0, same_bytes(M("every"), "0\n", 2));			\
	for (int i = 0; i < MANY; i++) {				\
		char name[64];						\
									\
		snprintf(name, sizeof(name), "own%d", i);		\
		CHECK(exists(M(name)), "layer %d is missing", i);	\
	}								\
} while (0)

TEST_F(stackfd, many_layers)
{
	struct world *w = &self->w;
	static char path[MANY][WORLD_PATH + 32];
	static const char *layers[MANY];
	int fd;

	OK(make_many(w, path));
	for (int i = 0; i < MANY; i++)
		layers[i] = path[i];
	fd = OK(stack_open(self->dev, layers, MANY, 0));
	EXPECT_EQ(MANY, info(fd).layers);
	OK(mount_stack(w, fd, true, NULL, NULL));
	close(fd);
	MANY_SEEN();
	OK(mkdir(M("new"), 0755));
}

/* A lowerfile of all those layers, and mount(2) with what fits into one page. */
TEST_F(stackfd, lowerfile)
{
	struct world *w = &self->w;
	static char path[MANY][WORLD_PATH + 32];
	char file[WORLD_PATH + 32], opt[4096];
	long id;
	FILE *f;
	int fd;

	OK(make_many(w, path));
	snprintf(file, sizeof(file), "%s/lowers", w->root);
	for (int relative = 0; relative < 2; relative++) {
		f = fopen(file, "w");
		ASSERT_NE(NULL, f);
		for (int i = 0; i < MANY; i++)
			fprintf(f, "%s%s", relative ? strrchr(path[i], '/') + 1 : path[i],
				relative && i == MANY - 1 ? "" : "\n");
		fclose(f);
		snprintf(opt, sizeof(opt), "lowerfile=%s,upperdir=%s,workdir=%s", file,
			 w->upper, w->work);
		OK(mount("none", w->mnt, "veneer", 0, opt));
		MANY_SEEN();
		/* The list has done its work. */
		OK(unlink(file));
		OK(mkdir(M("new"), 0755));
		OK(rmdir(M("new")));
		OK(umount(w->mnt));
	}
	/* From the folder that one is in, and a list under layers of one's own. */
	OK(write_text(file, "layer1\n"));
	OK(chdir(w->root));
	OK(mount("none", w->mnt, "veneer", 0, "lowerdir=layer0,lowerfile=lowers"));
	OK(chdir("/"));
	SEEN();
	fd = OK(open(w->mnt, O_RDONLY | O_CLOEXEC));
	id = stack_id(fd);
	close(fd);
	OK(world_mount(w));
	EXPECT_EQ(id, stack_id(w->mfd));
	close(w->mfd);
	w->mfd = -1;
}

TEST_F(stackfd, lowerfile_escapes)
{
	struct world *w = &self->w;
	static const char odd[] = "a:b\\c,d e\tf=g\nh #";
	char moved[WORLD_PATH + 64], file[WORLD_PATH + 32];
	char opt[2 * WORLD_PATH];

	snprintf(moved, sizeof(moved), "%s/%s", w->root, odd);
	snprintf(file, sizeof(file), "%s/lowers", w->root);
	OK(rename(w->layer[1], moved));
	OK(write_text(file, "./layer0\na:b\\\\c,d e\tf=g\\nh #\n"));
	snprintf(opt, sizeof(opt), "lowerfile=%s", file);
	OK(mount("none", w->mnt, "veneer", 0, opt));
	SEEN();
	OK(umount(w->mnt));
	OK(rename(moved, w->layer[1]));
	/* Its ctime has moved. */
	tree_free(&w->sealed[1]);
}

TEST_F(stackfd, lowerfile_errors)
{
	struct world *w = &self->w;
	static const struct {
		const char *text;
		int err;
		const char *words;
	} bad[] = {
		{ "", EINVAL, "line 1" },
		{ "\n", EINVAL, "line 1" },
		{ "layer0\n\nlayer1\n", EINVAL, "line 2" },
		{ "layer0\nlayer1\n\n", EINVAL, "line 3" },
		{ "layer0\nlayer\\1\n", EINVAL, "line 2" },
		{ "layer0\nlayer1\\", EINVAL, "line 2" },
		{ "layer0\nnot-there\n", ENOENT, "line 2" },
		{ "layer0\nlowers\n", ENOTDIR, "line 2" },
		{ "layer0\r\n", ENOENT, "line 1" },
	};
	static char large[4096 * 256 + 1];
	char file[WORLD_PATH + 32], none[WORLD_PATH + 32];
	const char *option[][2] = { { "source", "bad" }, { "lowerfile", file }, { } };
	static const char with_zero[] = "layer0\0\nlayer1\n", at_end[] = "layer0\0";
	char *p = large;

	snprintf(file, sizeof(file), "%s/lowers", w->root);
	snprintf(none, sizeof(none), "%s/none", w->root);
#define REFUSED(error, words) do {						\
	int __fd = fs_mount("veneer", option, 0, NULL, w->log, sizeof(w->log));	\
	CHECK(__fd == -(error), "%s: %s", __fd < 0 ? err_name(-__fd) : "mounted", w->log); \
	CHECK(strstr(w->log, "lowerfile") && strstr(w->log, words), "%s", w->log);	\
	if (__fd >= 0)								\
		close(__fd);							\
} while (0)
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		OK(write_text(file, bad[i].text));
		REFUSED(bad[i].err, bad[i].words);
		CHECK(strstr(w->log, file), "%s", w->log);
	}
	OK(write_file(file, with_zero, sizeof(with_zero) - 1));
	REFUSED(EINVAL, "zero byte");
	OK(write_file(file, at_end, sizeof(at_end) - 1));
	REFUSED(EINVAL, "zero byte");
	/* One layer too many, and one byte. */
	for (int i = 0; i < 4097; i++)
		p = stpcpy(p, "layer0\n");
	OK(write_file(file, large, p - large));
	REFUSED(EINVAL, "4096");
	memset(large, '/', sizeof(large));
	OK(write_file(file, large, sizeof(large)));
	REFUSED(EFBIG, "bytes");
	OK(write_file(file, large, sizeof(large) - 1));
	REFUSED(ENAMETOOLONG, "line 1");
	/* What is no file at all. */
	option[1][1] = none;
	REFUSED(ENOENT, none);
	OK(mkfifo(none, 0644));
	REFUSED(EINVAL, "regular");
	option[1][1] = w->root;
	REFUSED(EINVAL, "regular");
	option[1][1] = "";
	REFUSED(EINVAL, "lowerfile");
}

/* The nth allocation from now on fails, in this thread. */
static int fail_nth(int fd, unsigned int n)
{
	char text[16];
	int len = sprintf(text, "%u", n);

	return pwrite(fd, text, len, 0) == len ? 0 : -1;
}

/* Was there an nth allocation? Nothing fails any more. */
static bool has_failed(int fd)
{
	char text[16] = "";
	bool failed = pread(fd, text, sizeof(text) - 1, 0) > 0 && !atoi(text);

	fail_nth(fd, 0);
	return failed;
}

static int set_knob(const char *name, const char *value)
{
	int fd = open(join("/sys/kernel/debug/failslab", name), O_WRONLY | O_CLOEXEC);
	int ret = fd < 0 || write(fd, value, strlen(value)) < 0 ? -1 : 0;

	close(fd);
	return ret;
}

/* Memory runs out at every allocation of opening and of mounting a stack. */
TEST_F(stackfd, out_of_memory)
{
	struct world *w = &self->w;
	int nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	int dirs[2], fd, fs, mfd, err, opened = 0, mounted = 0;
	struct veneer_stack_open o = {
		.size = sizeof(o), .fds = (uintptr_t)dirs, .nr = 2,
	};
	long before = OK(stacks());

	if (nth < 0 || set_knob("ignore-gfp-wait", "N") || set_knob("verbose", "0"))
		SKIP(return, "this kernel injects no faults");
	for (int i = 0; i < 2; i++)
		dirs[i] = OK(open(w->layer[i], O_PATH | O_CLOEXEC));
	for (unsigned int n = 1; !opened; n++) {
		OK(fail_nth(nth, n));
		fd = ioctl(self->dev, VENEER_IOC_STACK_OPEN, &o);
		err = errno;
		opened = !has_failed(nth);
		CHECK(fd >= 0 || err == ENOMEM || err == ENFILE, "allocation %u: %s", n,
		      err_name(err));
		CHECK(fd >= 0 || !opened, "%s without a fault", err_name(err));
		if (fd >= 0)
			close(fd);
		EXPECT_EQ(before, stacks());
		CHECK(n < 10000, "there is no end to it");
	}
	fd = OPEN_STACK();
	for (unsigned int n = 1; !mounted; n++) {
		fs = OK(fsopen("veneer", FSOPEN_CLOEXEC));
		/* No upper: its filesystem would complain, and not we. */
		OK(fsconfig(fs, FSCONFIG_SET_FD, "stack", NULL, fd));
		OK(fail_nth(nth, n));
		err = fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) ? errno : 0;
		mounted = !has_failed(nth);
		/* The kernel's word for a device whose name found no memory. */
		CHECK(!err || err == ENOMEM || err == EINVAL, "allocation %u: %s", n,
		      err_name(err));
		CHECK(!err || !mounted, "%s without a fault", err_name(err));
		if (!err) {
			mfd = OK(fsmount(fs, FSMOUNT_CLOEXEC, 0));
			EXPECT_EQ(1, info(fd).mounts);
			CHECK(!faccessat(mfd, "d/high", F_OK, 0), "allocation %u", n);
			close(mfd);
		}
		close(fs);
		EXPECT_EQ(0, info(fd).mounts);
		CHECK(n < 10000, "there is no end to it");
	}
	EXPECT_EQ(1, info(fd).pins);
	close(fd);
	EXPECT_EQ(before, stacks());
	for (int i = 0; i < 2; i++)
		close(dirs[i]);
	close(nth);
}

TEST_HARNESS_MAIN
