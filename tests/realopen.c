// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the module itself opens: whatever is found at its own names, of whoever's
 * making, it reads and writes nothing that the mounter may not, nothing but
 * regular files and directories, and no other block map than the one it knows; and
 * nobody has a say in it.
 */
#include "testing.h"

#include <dirent.h>
#include <endian.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/loop.h>
#include <poll.h>
#include <stdint.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "userns.h"

/* The user's root is this one outside. */
#define BASE 100000
#define SIZE (4 << 20)
#define BLOCK 4096

/* Where things are: Documentation/on-disk-format.rst. */
enum { RECORD_FLAGS = 8, RECORD_CRC = 12 };
enum { FLAG_SAVED = 2 };

FIXTURE(realopen) {
	struct world w;
	int kmsg;
	char map[PATH_MAX];
};

FIXTURE_SETUP(realopen)
{
	struct world *w = &self->w;

	if (world_is_overlay())
		SKIP(return, "overlayfs has no block maps");
	OK(world_begin(w, IN_LOWER));
	OK(put_dir(w, "d", 0755));
	OK(put_pattern(w, "file", SIZE, 1));
	OK(put_text(w, "d/low", "low\n"));
	for (const char *const *p = (const char *const []) {
		     "", "file", "d", "d/low", NULL }; *p; p++)
		for (int i = 0; i < w->nlayers; i++)
			OK(lchown(join(w->layer[i], *p), BASE, BASE) &&
			   errno != ENOENT ? -1 : 0);
	OK(chown(w->upper, BASE, BASE));
	OK(chown(w->work, BASE, BASE));
	w->no_compare = true;
	/* A user may not set them. */
	w->keep_times = true;
	self->kmsg = OK(open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
}

FIXTURE_TEARDOWN(realopen)
{
	if (world_is_overlay())
		return;
	close(self->kmsg);
	FINISH(&self->w);
}

/* Is there a line of the module's with this in it since the last look? */
static bool logged(int kmsg, const char *what)
{
	char line[2048];
	bool found = false;
	ssize_t n;

	while ((n = read(kmsg, line, sizeof(line) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		if (n < 0)
			continue;
		line[n] = 0;
		found |= strstr(line, "veneer") && strstr(line, what);
	}
	return found;
}

/* The one map that the upper has. */
static int find_map(struct world *w, char path[PATH_MAX])
{
	DIR *dir = opendir(U(".veneer/map"));
	struct dirent *de;
	int n = 0;

	while (dir && (de = readdir(dir)))
		if (de->d_name[0] != '.') {
			snprintf(path, PATH_MAX, "%s/%s", U(".veneer/map"), de->d_name);
			n++;
		}
	if (dir)
		closedir(dir);
	return n == 1 ? 0 : -1;
}

static int change_block(struct world *w, unsigned int block, bool sync)
{
	int fd = open(M("file"), O_RDWR | O_CLOEXEC), ret = -1;

	if (fd >= 0 && pwrite(fd, "changed", 7, (off_t)block * BLOCK) == 7)
		ret = sync ? fsync(fd) : 0;
	if (fd >= 0)
		close(fd);
	return ret;
}

/* Splits the file. */
static void make_map(struct __test_metadata *_metadata, FIXTURE_DATA(realopen) *self)
{
	struct world *w = &self->w;

	OK(world_mount(w));
	OK(change_block(w, 0, true));
	OK(world_umount(w));
	OK(find_map(w, self->map));
}

static uint32_t crc32(const unsigned char *p, size_t n)
{
	uint32_t crc = ~0u;

	while (n--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
	}
	return crc;
}

/* The record says that the map was never saved. */
static int unsave(const char *path, const char *xattr)
{
	unsigned char record[512];
	ssize_t n = getxattr(path, xattr, record, sizeof(record));
	uint32_t crc;

	if (n < 0)
		return -1;
	record[RECORD_FLAGS] &= ~FLAG_SAVED;
	memset(record + RECORD_CRC, 0, 4);
	crc = htole32(crc32(record, n));
	memcpy(record + RECORD_CRC, &crc, 4);
	return setxattr(path, xattr, record, n, 0);
}

/* A block device with a file of its own; 0 where there is none. */
static dev_t make_loop(struct world *w, int *fd)
{
	char path[32];
	int control, nr, file;
	struct stat st;

	*fd = -1;
	load_module("loop");
	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return 0;
	nr = ioctl(control, LOOP_CTL_GET_FREE);
	close(control);
	snprintf(path, sizeof(path), "/dev/loop%d", nr);
	if (stat(path, &st))
		mknod(path, S_IFBLK | 0600, makedev(7, nr));
	file = open(join(w->root, "disk"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (file < 0 || ftruncate(file, 1 << 20))
		return 0;
	*fd = open(path, O_RDWR | O_CLOEXEC);
	if (*fd < 0 || ioctl(*fd, LOOP_SET_FD, file) || fstat(*fd, &st)) {
		close(file);
		return 0;
	}
	close(file);
	return st.st_rdev;
}

static void end_loop(struct world *w, int fd)
{
	if (fd < 0)
		return;
	ioctl(fd, LOOP_CLR_FD, 0);
	close(fd);
	unlink(join(w->root, "disk"));
}

static const struct kind {
	const char *what;
	mode_t mode;
} kinds[] = {
	{ "a directory", S_IFDIR | 0777 }, { "a symlink", S_IFLNK },
	{ "a FIFO", S_IFIFO | 0666 }, { "a socket", S_IFSOCK | 0666 },
	{ "a character device", S_IFCHR | 0666 }, { "a block device", S_IFBLK | 0666 },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static int put_kind(const char *path, const struct kind *kind, const char *target,
		    dev_t disk)
{
	int ret;

	if (S_ISDIR(kind->mode))
		return mkdir(path, 0777);
	if (S_ISLNK(kind->mode))
		return symlink(target, path);
	ret = mknod(path, kind->mode, S_ISBLK(kind->mode) ? disk : makedev(1, 3));
	return ret ? ret : chmod(path, 0666);
}

static bool all_zeros(int fd)
{
	static char buf[1 << 20];

	if (pread(fd, buf, sizeof(buf), 0) != sizeof(buf))
		return false;
	for (size_t i = 0; i < sizeof(buf); i++)
		if (buf[i])
			return false;
	return true;
}

/* Something else is at the map's name when the file is opened. */
TEST_F(realopen, found)
{
	struct world *w = &self->w;
	int disk_fd;
	dev_t disk = make_loop(w, &disk_fd);

	OK(write_text(join(w->root, "target"), "somebody's\n"));
	for (size_t i = 0; i < KINDS; i++) {
		make_map(_metadata, self);
		OK(unsave(U("file"), "trusted.veneer.split"));
		OK(unlink(self->map));
		OK(put_kind(self->map, &kinds[i], join(w->root, "target"), disk));
		OK(world_mount(w));
		logged(self->kmsg, "");
		errno = 0;
		change_block(w, 3, true);
		CHECK(errno == EUCLEAN, "%s: %s", kinds[i].what, err_name(errno));
		CHECK(i || logged(self->kmsg, strrchr(self->map, '/') + 1),
		      "%s: no line in the log names it", kinds[i].what);
		OK(world_umount(w));
		OK(remove(self->map));
		OK(unlink(U("file")));
	}
	CHECK(!same_bytes(join(w->root, "target"), "somebody's\n", 11), "");
	CHECK(disk_fd < 0 || all_zeros(disk_fd), "the disk was written");
	end_loop(w, disk_fd);
	OK(unlink(join(w->root, "target")));
}

/* It is put there while the file is in use. */
TEST_F(realopen, put_there)
{
	struct world *w = &self->w;
	int disk_fd;
	dev_t disk = make_loop(w, &disk_fd);

	OK(write_text(join(w->root, "target"), "somebody's\n"));
	for (size_t i = 0; i < KINDS; i++) {
		OK(world_mount(w));
		OK(change_block(w, 0, true));
		OK(find_map(w, self->map));
		OK(unlink(self->map));
		OK(put_kind(self->map, &kinds[i], join(w->root, "target"), disk));
		logged(self->kmsg, "");
		FAILS(EUCLEAN, change_block(w, 3, true));
		/* There are not as many lines as errors. */
		CHECK(i || logged(self->kmsg, strrchr(self->map, '/') + 1),
		      "%s: no line in the log names it", kinds[i].what);
		FAILS(EUCLEAN, syncfs(w->mfd));
		OK(world_umount(w));
		OK(remove(self->map));
		OK(unlink(U("file")));
	}
	CHECK(!same_bytes(join(w->root, "target"), "somebody's\n", 11), "");
	CHECK(disk_fd < 0 || all_zeros(disk_fd), "the disk was written");
	end_loop(w, disk_fd);
	OK(unlink(join(w->root, "target")));
}

/* Another regular file is there: what was read is what is written. */
TEST_F(realopen, another_file)
{
	static char before[1 << 16];
	struct world *w = &self->w;
	const char *other = join(w->root, "other");
	ssize_t n;

	for (int how = 0; how < 4; how++) {
		OK(world_mount(w));
		OK(change_block(w, 0, true));
		OK(find_map(w, self->map));
		n = OK(read_text(self->map, before, sizeof(before)));
		switch (how) {
		case 0:
			OK(unlink(self->map));
			OK(write_text(other, "somebody's\n"));
			OK(rename(other, self->map));
			FAILS(ESTALE, change_block(w, 3, true));
			CHECK(!same_bytes(self->map, "somebody's\n", 11), "");
			break;
		case 1:
			OK(write_file(other, before, n));
			OK(rename(other, self->map));
			FAILS(ESTALE, change_block(w, 3, true));
			CHECK(!same_bytes(self->map, before, n), "");
			break;
		case 2:
			OK(link(self->map, other));
			FAILS(EUCLEAN, change_block(w, 3, true));
			CHECK(!same_bytes(other, before, n), "");
			OK(unlink(other));
			OK(change_block(w, 4, true));
			break;
		case 3:
			OK(unlink(self->map));
			FAILS(ESTALE, change_block(w, 3, true));
			CHECK(!exists(self->map), "a map without the first bits");
			break;
		}
		OK(world_umount(w));
		OK(remove(self->map) && errno != ENOENT ? -1 : 0);
		OK(unlink(U("file")));
	}
}

/* Runs the rest of a test as the user. */
#define AS_USER(...) do {						\
	int __x;							\
	OK(userns_allow_mounts(true));					\
	__x = IN_CHILD(OK(userns_enter(BASE)); __VA_ARGS__;		\
		       _exit(_metadata->exit_code != KSFT_PASS));	\
	OK(userns_allow_mounts(false));					\
	CHECK(!__x, "as the user: status %d", __x);			\
} while (0)

/* world_mount() looks into the layers first. */
static int user_mount(struct world *w)
{
	char options[5 * WORLD_PATH];

	snprintf(options, sizeof(options), "lowerdir=%s:%s,upperdir=%s,workdir=%s",
		 w->layer[0], w->layer[1], w->upper, w->work);
	return mount("none", w->mnt, "veneer", 0, options);
}

/* A mount that is refused will do, too. */
static void try_it(struct __test_metadata *_metadata, struct world *w)
{
	if (user_mount(w)) {
		CHECK(errno == EUCLEAN || errno == ENOTDIR, "%s", err_name(errno));
		return;
	}
	errno = 0;
	change_block(w, 1, true);
	CHECK(errno == EUCLEAN, "%s", err_name(errno));
	OK(umount(w->mnt));
}

/* Our folders are something else. */
TEST_F(realopen, folders)
{
	struct world *w = &self->w;

	for (int is_map = 0; is_map < 2; is_map++) {
		for (size_t i = 0; i < KINDS; i++) {
			const char *name = is_map ? U(".veneer/map") : U(".veneer");

			if (is_map)
				OK(mkdir(U(".veneer"), 0755));
			if (S_ISDIR(kinds[i].mode))
				OK(write_text(name, "an executable\n") ||
				   chmod(name, 0777));
			else
				OK(put_kind(name, &kinds[i], w->root, 0));
			OK(lchown(name, BASE, BASE));
			OK(lchown(U(".veneer"), BASE, BASE));
			AS_USER(try_it(_metadata, w));
			OK(remove(name));
			if (is_map)
				OK(rmdir(U(".veneer")));
			OK(remove(U("file")) && errno != ENOENT ? -1 : 0);
		}
	}
}

/*
 * Makes this process an ordinary user who may mount, and see trusted.* attributes,
 * but may read no more than others.
 */
static int become_mounter(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {};

	data[0].permitted = data[0].effective = 1u << CAP_SYS_ADMIN;
	return prctl(PR_SET_KEEPCAPS, 1) || setgroups(0, NULL) ||
	       setresgid(BASE, BASE, BASE) || setresuid(BASE, BASE, BASE) ||
	       syscall(SYS_capset, &head, data) ? -1 : 0;
}

#define AS_MOUNTER(...) do {						\
	int __x = IN_CHILD(OK(become_mounter()); __VA_ARGS__;		\
			   _exit(_metadata->exit_code != KSFT_PASS));	\
	CHECK(!__x, "as the mounter: status %d", __x);			\
} while (0)

/* The upper, as one more layer. */
static int layer_mount(struct world *w)
{
	char options[4 * WORLD_PATH];

	snprintf(options, sizeof(options), "lowerdir=%s:%s:%s", w->upper, w->layer[0],
		 w->layer[1]);
	return mount("none", w->mnt, "veneer", 0, options);
}

/* The first block is in a file that he may read, the second in one that he may not. */
static void read_secret(struct __test_metadata *_metadata, struct world *w)
{
	int fd, pipefd[2];
	char buf[16];
	char *page;

	FAILS(EACCES, open(join(w->layer[1], "file"), O_RDONLY));
	OK(layer_mount(w));
	fd = OK(open(M("file"), O_RDONLY | O_CLOEXEC));
	OK(pread(fd, buf, 7, 0));
	CHECK(!memcmp(buf, "changed", 7), "");
	FAILS(EACCES, pread(fd, buf, 16, BLOCK));
	page = mmap(NULL, 2 * BLOCK, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, page);
	CHECK(!memcmp(page, "changed", 7), "");
	/* The kernel reads it, so that there is no signal. */
	OK(pipe2(pipefd, O_CLOEXEC));
	FAILS(EFAULT, write(pipefd[1], page + BLOCK, 16));
	munmap(page, 2 * BLOCK);
	close(fd);
	OK(umount(w->mnt));
}

TEST_F(realopen, rights)
{
	struct world *w = &self->w;

	make_map(_metadata, self);
	/* What was sealed is changed from here on. */
	tree_free(&w->sealed[1]);
	for (const char *const *p = (const char *const []) {
		     U("file"), U(".veneer"), U(".veneer/map"), self->map, NULL }; *p; p++)
		OK(chown(*p, BASE, BASE));
	OK(chown(join(w->layer[1], "file"), 0, 0));
	OK(chmod(join(w->layer[1], "file"), 0600));
	AS_MOUNTER(read_secret(_metadata, w));
}

static void list_names(struct __test_metadata *_metadata, struct world *w, bool user)
{
	struct dirent *de;
	DIR *dir;

	FAILS(EACCES, open(join(w->layer[1], "d"), O_RDONLY | O_DIRECTORY));
	OK(user ? user_mount(w) : layer_mount(w));
	dir = opendir(M("d"));
	errno = 0;
	while (dir && (de = readdir(dir)))
		CHECK(strcmp(de->d_name, "low"), "the name is seen");
	CHECK(errno == EACCES, "%s", err_name(errno));
	if (dir)
		closedir(dir);
	OK(umount(w->mnt));
}

/* A directory of the lower layer may be searched and not read. */
TEST_F(realopen, names)
{
	struct world *w = &self->w;

	OK(chown(join(w->layer[1], "d"), 0, 0));
	OK(chmod(join(w->layer[1], "d"), 0711));
	AS_USER(list_names(_metadata, w, true));
	AS_MOUNTER(list_names(_metadata, w, false));
}

/* A file of the options: not his, so not a word of it. */
static void name_layers(struct __test_metadata *_metadata, struct world *w,
			const char *path)
{
	const char *const option[][2] = { { "lowerfile", path }, { NULL, NULL } };
	char log[2048] = "";
	int ret = fs_mount("veneer", option, 0, NULL, log, sizeof(log));

	CHECK(ret == -EACCES, "%s", err_name(ret < 0 ? -ret : 0));
	CHECK(!strstr(log, "secret"), "%s", log);
}

TEST_F(realopen, lowerfile)
{
	struct world *w = &self->w;
	const char *path = join(w->root, "shadow");
	const char *const option[][2] = { { "lowerfile", path }, { NULL, NULL } };
	char log[2048] = "";

	OK(write_text(path, "/secret:of root\n"));
	OK(chmod(path, 0600));
	AS_USER(name_layers(_metadata, w, path));
	/* Who may read it is told where it is wrong, and not what it says. */
	logged(self->kmsg, "");
	EXPECT_EQ(-ENOENT, fs_mount("veneer", option, 0, NULL, log, sizeof(log)));
	CHECK(!strstr(log, "secret"), "%s", log);
	CHECK(!logged(self->kmsg, "secret"), "in the kernel's log");
	CHECK(strstr(log, "line 1"), "%s", log);
	OK(write_text(path, "/secret\\\n"));
	EXPECT_EQ(-EINVAL, fs_mount("veneer", option, 0, NULL, log, sizeof(log)));
	CHECK(!strstr(log, "secret"), "%s", log);
	OK(write_text(path, "/etc/passwd\n"));
	EXPECT_EQ(-ENOTDIR, fs_mount("veneer", option, 0, NULL, log, sizeof(log)));
	CHECK(!strstr(log, "passwd"), "%s", log);
	OK(unlink(path));
}

/* Everything that makes the module open a file of its own. */
static int do_all(struct world *w)
{
	struct dirent *de;
	volatile char *page;
	DIR *dir;
	int fd;

	if (change_block(w, 1, true) || change_block(w, 700, false))
		return 1;
	fd = open(M("file"), O_RDWR | O_CLOEXEC);
	page = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return 2;
	(void)page[0];
	(void)page[100 * BLOCK];
	page[5 * BLOCK] = 'x';
	if (fsync(fd) || ftruncate(fd, SIZE / 2 - 100) || fsync(fd))
		return 3;
	close(fd);
	if (write_text(M("d/low"), "other\n") || rename(M("d/low"), M("d/lower")))
		return 4;
	dir = opendir(M("d"));
	while (dir && (de = readdir(dir)))
		;
	if (!dir || fsync(dirfd(dir)))
		return 5;
	closedir(dir);
	return syncfs(w->mfd) ? 6 : 0;
}

/*
 * A listener that has a say in every use of the filesystem that all real objects
 * are on, and that never answers.
 */
TEST_F(realopen, nobody_asked)
{
	struct world *w = &self->w;
	struct pollfd poll_fd;
	int status = -1, go[2];
	pid_t child;

	poll_fd.fd = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY);
	if (poll_fd.fd < 0 && (errno == ENOSYS || errno == EINVAL))
		SKIP(return, "this kernel has no permission events");
	OK(poll_fd.fd);
	OK(world_mount(w));
	OK(pipe2(go, O_CLOEXEC));
	child = OK(fork());
	if (!child) {
		char c;

		close(poll_fd.fd);
		_exit(read(go[0], &c, 1) == 1 ? do_all(w) : 99);
	}
	OK(fanotify_mark(poll_fd.fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM,
			 FAN_OPEN_PERM | FAN_ACCESS_PERM | FAN_ONDIR, AT_FDCWD,
			 w->upper));
	OK(write(go[1], "", 1));
	poll_fd.events = POLLIN;
	for (int i = 0; i < 300 && waitpid(child, &status, WNOHANG) != child; i++) {
		if (poll(&poll_fd, 1, 100) > 0)
			break;
	}
	CHECK(poll(&poll_fd, 1, 0) == 0, "it is asked");
	close(poll_fd.fd);
	if (status == -1)
		OK(waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	close(go[0]);
	close(go[1]);
	OK(world_umount(w));
}

TEST_HARNESS_MAIN
