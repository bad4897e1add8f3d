// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What users of a mount may because its mounter may: nothing. And what one view of
 * an upper may because another one may.
 */
#include "testing.h"

#include <grp.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

#include "dm.h"
#include "userns.h"

#define USER 1000
#define BASE 100000
#define IMAGE (48 << 20)
#define BIG (1 << 20)
#define PAGE 4096

PLAIN_FIXTURE(rights);

FIXTURE_SETUP(rights)
{
	OK(world_begin(&self->w, IN_LAYER));
	self->w.no_compare = true;
}

WORLD_TEARDOWN(rights)

/* A disk */

static int attach_disk(struct world *w, char loop[64])
{
	char command[2 * PATH_MAX];
	const char *image = join(w->root, "image");
	int fd = open(image, O_RDWR | O_CREAT | O_CLOEXEC, 0600), ret;

	if (fd < 0 || ftruncate(fd, IMAGE))
		return -1;
	snprintf(command, sizeof(command),
		 "mkfs.ext4 -q -F -m 40 %s >/dev/null 2>&1", image);
	ret = system(command) ? -1 : loop_attach(fd, loop);
	close(fd);
	return ret < 0 ? -1 : 0;
}

static void become_user(void)
{
	if (setgroups(0, NULL) || setresgid(USER, USER, USER) ||
	    setresuid(USER, USER, USER))
		_exit(100);
}

/* Writes to a file until an error comes, which it returns; or 0 after max bytes. */
static int fill(const char *path, size_t max)
{
	static char buf[65536];
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	int err = fd < 0 ? errno : 0;

	memset(buf, 'x', sizeof(buf));
	for (size_t size = sizeof(buf); !err && max && size >= 512;) {
		ssize_t n = write(fd, buf, size < max ? size : max);

		if (n < 0 && size > 512)
			size /= 2;
		else if (n < 0)
			err = errno;
		else
			max -= n;
	}
	if (!err && fsync(fd))
		err = errno;
	close(fd);
	return err;
}

/* Where there is no room, the store itself may be refused, by a signal. */
static void refused(int sig)
{
	_exit(ENOSPC);
}

static int store_mapped_here(const char *path, off_t off)
{
	int fd = open(path, O_RDWR | O_CLOEXEC), err = 0;
	char *p;

	if (fd < 0)
		return errno;
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, off);
	if (p == MAP_FAILED) {
		err = errno;
	} else {
		*p = 'm';
		if (msync(p, PAGE, MS_SYNC))
			err = errno;
		munmap(p, PAGE);
	}
	close(fd);
	return err;
}

static int store_mapped(const char *path, off_t off)
{
	return IN_CHILD(signal(SIGBUS, refused); _exit(store_mapped_here(path, off)));
}

static int store_direct(const char *path, off_t off)
{
	static char buf[PAGE] __attribute__((aligned(PAGE)));
	int fd = open(path, O_WRONLY | O_DIRECT | O_CLOEXEC);
	int err = fd < 0 ? errno : 0;

	if (!err && pwrite(fd, buf, PAGE, off) != PAGE)
		err = errno;
	close(fd);
	return err;
}

static int allocate(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err = fd < 0 || fallocate(fd, 0, 0, BIG) ? errno : 0;

	close(fd);
	return err;
}

static long room(const char *path)
{
	struct statvfs st;

	return statvfs(path, &st) ? -1 : (long)st.f_bfree;
}

/* All that stores something: the errors of the first and of the last try. */
static void use_up(struct __test_metadata *_metadata, struct world *w, int err)
{
	char name[32];
	int last = 0;

#define EXPECTED(call) do {						\
	int __e = (call);						\
	if (__e != err)							\
		__FAIL(0, #call ": %s, not %s", err_name(__e), err_name(err));	\
} while (0)
	EXPECTED(fill(M("new"), BIG));
	EXPECTED(fill(M("big"), BIG));
	EXPECTED(store_direct(M("big"), 8 * PAGE));
	EXPECTED(allocate(M("empty")));
	EXPECTED(store_mapped(M("big"), 64 * PAGE));
	/* A copy-up stores a whole small file. */
	for (int i = 0; i < 40 && !last; i++) {
		snprintf(name, sizeof(name), "small%d", i);
		last = fill(M(name), 1);
	}
	if (last != err)
		__FAIL(0, "copy-ups: %s, not %s", err_name(last), err_name(err));
}

/* What a disk keeps for root is root's, through a mount of root's, too. */
TEST_F(rights, reserve)
{
	struct world *w = &self->w;
	char loop[64], disk[WORLD_PATH + 8], name[32], buf[PAGE];
	long before, after;

	load_module("loop");
	if (access("/dev/loop-control", F_OK))
		SKIP(return, "this kernel has no loop devices");
	memset(buf, 's', sizeof(buf));
	OK(put_pattern(w, "big", BIG, 1));
	OK(put_mode(w, "big", 0666));
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "small%d", i);
		OK(put_file(w, name, 0666, buf, sizeof(buf)));
	}
	snprintf(disk, sizeof(disk), "%s/disk", w->root);
	OK(mkdir(disk, 0755));
	if (attach_disk(w, loop))
		SKIP(return, "no mkfs.ext4, or no loop device is free");
	if (mount(loop, disk, "ext4", 0, NULL)) {
		loop_detach(loop);
		SKIP(return, "this kernel has no ext4");
	}
	strcpy(w->upper, join(disk, "upper"));
	strcpy(w->work, join(disk, "work"));
	OK(mkdir(w->upper, 0777));
	OK(chmod(w->upper, 0777));
	OK(mkdir(w->work, 0755));
	if (world_is_overlay())
		w->no_defaults = true;
	OK(world_mount(w));
	OK(write_text(M("empty"), ""));
	OK(chmod(M("empty"), 0666));
	/* The directory is not to grow. */
	OK(write_text(M("big2"), ""));
	OK(unlink(M("big2")));
	/* As the disk itself has it. */
	CHECK(!IN_CHILD(become_user(); _exit(fill(join(w->upper, "fill"), IMAGE) != ENOSPC)),
	      "the disk is full for a user");
	sync();
	before = room(disk);
	CHECK(before > IMAGE / PAGE / 4, "%ld blocks for root", before);
	if (world_is_overlay()) {
		TH_LOG("overlayfs: a user stores what he likes");
	} else {
		CHECK(!IN_CHILD(become_user(); use_up(_metadata, w, ENOSPC);
				_exit(_metadata->exit_code != KSFT_PASS)), "a user");
		sync();
		after = room(disk);
		CHECK(before - after < 40, "%ld of root's blocks are gone", before - after);
	}
	use_up(_metadata, w, 0);
	EXPECT_EQ(0, room(disk) < before ? 0 : 1);
	OK(world_umount(w));
	OK(umount_patiently(disk));
	loop_detach(loop);
	strcpy(w->upper, join(w->root, "upper"));
	strcpy(w->work, join(w->root, "work"));
}

/* Owners */

#define AS_USER(...)							\
	CHECK(!IN_CHILD(OK(userns_enter(BASE)); __VA_ARGS__;		\
			_exit(_metadata->exit_code != KSFT_PASS)), "as the user")

static void copy_up_ids(struct __test_metadata *_metadata, struct world *w)
{
	OK(world_mount(w));
	FAILS(EOVERFLOW, fchmodat(w->mfd, "group", 0640, 0));
	FAILS(EOVERFLOW, truncate(M("group"), 0));
	FAILS(EOVERFLOW, utimensat(w->mfd, "group", NULL, 0));
	FAILS(EOVERFLOW, setxattr(M("dir"), "user.x", "x", 1, 0));
	FAILS(EOVERFLOW, truncate(M("owner"), 1));
	OK(fchmodat(w->mfd, "mine", 0640, 0));
	OK(world_umount(w));
}

/* An owner or a group that the mounter's namespace does not know. */
TEST_F(rights, unknown_ids)
{
	struct world *w = &self->w;

	OK(userns_allow_mounts(true));
	OK(put_text(w, "group", "data"));
	OK(put_text(w, "owner", "data"));
	OK(put_text(w, "mine", "data"));
	OK(put_dir(w, "dir", 0755));
	OK(lchown(w->layer[0], BASE, BASE));
	OK(lchown(L("group"), BASE, 7));
	OK(chmod(L("group"), 06755));
	OK(lchown(L("dir"), BASE, 7));
	OK(lchown(L("owner"), 7, BASE));
	OK(chmod(L("owner"), 0666));
	OK(lchown(L("mine"), BASE, BASE));
	OK(lchown(w->upper, BASE, BASE));
	OK(lchown(w->work, BASE, BASE));
	if (world_is_overlay()) {
		w->no_defaults = true;
		w->option[0][0] = "userxattr";
	}
	OK(world_seal(w));
	AS_USER(copy_up_ids(_metadata, w));
	FAILS(ENOENT, access(U("group"), F_OK));
	FAILS(ENOENT, access(U("owner"), F_OK));
	FAILS(ENOENT, access(U("dir"), F_OK));
	OK(userns_allow_mounts(false));
}

/* Privileges of files */

static const char *const way_name[] = {
	"write", "cached", "truncate", "open", "fallocate", "splice", "copy",
};

static int write_suid(const char *in, const char *name)
{
	char path[PATH_MAX], text[] = "written";
	int way = 0, fd, p[2], ret = -1;
	off_t off = 0;
	char *map;

	snprintf(path, sizeof(path), "%s/%s", in, name);
	while (strcmp(way_name[way], name))
		way++;
	if (way == 2)
		return truncate(path, 2);
	fd = open(path, O_RDWR | O_CLOEXEC | (way == 3 ? O_TRUNC : 0));
	if (fd < 0)
		return -1;
	switch (way) {
	case 0:
		ret = pwrite(fd, text, 7, 0) != 7;
		break;
	case 1:
		map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		ret = map == MAP_FAILED || pwrite(fd, text, 7, 0) != 7 ||
		      munmap(map, PAGE);
		break;
	case 3:
		ret = 0;
		break;
	case 4:
		ret = fallocate(fd, 0, 0, PAGE);
		break;
	case 5:
		ret = pipe(p) || write(p[1], text, 7) != 7 ||
		      splice(p[0], NULL, fd, &off, 7, 0) != 7;
		break;
	case 6:
		snprintf(path, sizeof(path), "%s/from", in);
		p[0] = open(path, O_RDONLY | O_CLOEXEC);
		ret = copy_file_range(p[0], NULL, fd, &off, 4, 0) != 4;
		break;
	}
	close(fd);
	return ret ? -1 : 0;
}

static void as_id(unsigned int id)
{
	if (setgroups(0, NULL) || setresgid(id, id, id) || setresuid(id, id, id))
		_exit(100);
}

static void suid(struct __test_metadata *_metadata, struct world *w)
{
	OK(world_mount(w));
	/* As somebody else, as the owner, and as the namespace's root. */
	for (int id = 6; id >= 0; id -= id == 6 ? 1 : 5) {
		for (size_t i = 0; i < ARRAY_SIZE(way_name); i++) {
			const char *const name = way_name[i];

			BOTH_OK(fchmodat(at, name, 06777, 0));
			CHECK(!IN_CHILD({
				if (id)
					as_id(id);
				BOTH_OK(write_suid(in, name));
				_exit(_metadata->exit_code != KSFT_PASS);
			}), "%s as %d", name, id);
		}
		SAME_TREES(w);
	}
	OK(world_umount(w));
}

static const char *root_of(const struct world *w, int i)
{
	return i ? w->plain : w->layer[0];
}

/* Who writes to a setuid file takes that away, through his own mount as well. */
TEST_F(rights, setuid)
{
	struct world *w = &self->w;

	OK(userns_allow_mounts(true));
	OK(put_text(w, "from", "from"));
	for (size_t i = 0; i < ARRAY_SIZE(way_name); i++)
		OK(put_pattern(w, way_name[i], 100000, i));
	for (int i = 0; i < 2; i++) {
		OK(lchown(root_of(w, i), BASE, BASE));
		OK(lchown(join(root_of(w, i), "from"), BASE, BASE));
		for (size_t n = 0; n < ARRAY_SIZE(way_name); n++)
			OK(lchown(join(root_of(w, i), way_name[n]), BASE + 5, BASE + 5));
	}
	OK(lchown(w->upper, BASE, BASE));
	OK(lchown(w->work, BASE, BASE));
	if (world_is_overlay()) {
		w->no_defaults = true;
		w->option[0][0] = "userxattr";
	}
	OK(world_seal(w));
	AS_USER(suid(_metadata, w));
	OK(userns_allow_mounts(false));
}

/* Views */

static int view(struct world *w, const char *at, bool ro)
{
	const char *option[][2] = {
		{ "source", "view" }, { "lowerdir+", w->layer[0] },
		{ "upperdir", w->upper }, { "workdir", w->work },
		{ ro ? "ro" : NULL }, { }
	};
	int fd = fs_mount(world_fstype(), option, 0, at, w->log, sizeof(w->log));

	if (fd < 0) {
		errno = -fd;
		return -1;
	}
	close(fd);
	return 0;
}

static void begin_views(struct __test_metadata *_metadata, struct world *w, char *second)
{
	OK(put_text(w, "file", "a file\n"));
	OK(world_seal(w));
	sprintf(second, "%s/second", w->root);
	OK(mkdir(second, 0755));
}

/* A filesystem that is read-only stays so, whoever mounts its upper again. */
TEST_F(rights, read_only_first)
{
	struct world *w = &self->w;
	char second[WORLD_PATH + 8];

	if (world_is_overlay())
		SKIP(return, "overlayfs: two superblocks");
	begin_views(_metadata, w, second);
	OK(view(w, w->mnt, true));
	FAILS(EROFS, mkdir(M("x"), 0755));
	FAILS(EBUSY, view(w, second, false));
	CHECK(strstr(w->log, "read-only"), "the log says: %s", w->log);
	FAILS(EROFS, mkdir(M("x"), 0755));
	OK(view(w, second, true));
	FAILS(EBUSY, mount(NULL, second, NULL, MS_REMOUNT, NULL));
	FAILS(EROFS, mkdir(M("x"), 0755));
	OK(umount(second));
	/* With nobody else there. */
	OK(mount(NULL, w->mnt, NULL, MS_REMOUNT, NULL));
	OK(mkdir(M("x"), 0755));
	OK(view(w, second, false));
	OK(mkdir(join(second, "y"), 0755));
	OK(umount(second));
	OK(umount(w->mnt));
}

/* Made read-only by mount(2), it is that view alone. */
TEST_F(rights, remount_one)
{
	struct world *w = &self->w;
	char second[WORLD_PATH + 8];

	if (world_is_overlay())
		SKIP(return, "overlayfs: two superblocks");
	begin_views(_metadata, w, second);
	OK(view(w, w->mnt, false));
	OK(view(w, second, false));
	OK(mount(NULL, second, NULL, MS_REMOUNT | MS_RDONLY, NULL));
	FAILS(EROFS, mkdir(join(second, "x"), 0755));
	OK(mkdir(M("x"), 0755));
	OK(mount(NULL, second, NULL, MS_REMOUNT, NULL));
	OK(mkdir(join(second, "y"), 0755));
	OK(umount(second));
	OK(mount(NULL, w->mnt, NULL, MS_REMOUNT | MS_RDONLY, NULL));
	FAILS(EROFS, mkdir(M("z"), 0755));
	OK(view(w, second, false));
	FAILS(EROFS, mkdir(M("z"), 0755));
	OK(mkdir(join(second, "z"), 0755));
	OK(umount(second));
	OK(umount(w->mnt));
}

static unsigned int crc32(const unsigned char *p, size_t len)
{
	unsigned int crc = ~0U;

	while (len--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return crc;
}

/* Says in the record of a split file that it was being cut to this size. */
static int interrupt_cut(const char *path, unsigned long long size)
{
	unsigned char record[PATH_MAX];
	ssize_t len = getxattr(path, "trusted.veneer.split", record, sizeof(record));
	unsigned int crc;

	if (len < 48)
		return -1;
	record[8] |= 4;
	memcpy(record + 16, &size, 8);
	memset(record + 12, 0, 4);
	crc = crc32(record, len);
	memcpy(record + 12, &crc, 4);
	return setxattr(path, "trusted.veneer.split", record, len, XATTR_REPLACE);
}

/* An interrupted truncation is not finished where nothing may be written. */
TEST_F(rights, read_only_cut)
{
	struct world *w = &self->w;
	struct stat st;

	if (world_is_overlay())
		SKIP(return, "overlayfs has no such files");
	OK(put_pattern(w, "big", BIG, 1));
	OK(world_mount(w));
	OK(store_at(M("big"), "changed", 7, 5000));
	OK(world_umount(w));
	OK(interrupt_cut(U("big"), 10000));
	w->option[0][0] = "ro";
	OK(world_mount(w));
	FAILS(EROFS, stat(M("big"), &st));
	FAILS(EROFS, open(M("big"), O_RDONLY | O_CLOEXEC));
	OK(stat(U("big"), &st));
	EXPECT_EQ(BIG, st.st_size);
	OK(mount(NULL, w->mnt, NULL, MS_REMOUNT, NULL));
	OK(stat(M("big"), &st));
	EXPECT_EQ(10000, st.st_size);
	OK(stat(U("big"), &st));
	EXPECT_EQ(10000, st.st_size);
}

TEST_HARNESS_MAIN
