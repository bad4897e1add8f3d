// SPDX-License-Identifier: GPL-2.0-or-later
/* Devices, fifos and sockets: what is behind them is not the file system's. */
#include "testing.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

WORLD_FIXTURE(special);

FIXTURE_SETUP(special)
{
	struct world *w = &self->w;

	OK(world_begin(w, variant->where));
	OK(put_dir(w, "d", 0755));
	OK(put_node(w, "d/fifo", S_IFIFO | 0644, 0));
	OK(put_node(w, "d/null", S_IFCHR | 0666, makedev(1, 3)));
	OK(put_node(w, "d/zero", S_IFCHR | 0644, makedev(1, 5)));
	OK(put_node(w, "d/nodev", S_IFCHR | 0644, makedev(240, 77)));
	OK(put_node(w, "d/blk", S_IFBLK | 0640, makedev(7, 200)));
	OK(put_node(w, "d/sock", S_IFSOCK | 0755, 0));
	OK(world_mount(w));
}

WORLD_TEARDOWN(special)

TEST_F(special, devices)
{
	struct world *w = &self->w;
	char buf[16];
	int fd;

	memset(buf, 'x', sizeof(buf));
	fd = OK(openat(w->mfd, "d/zero", O_RDONLY | O_CLOEXEC));
	EXPECT_EQ(16, OK(read(fd, buf, sizeof(buf))));
	for (int i = 0; i < 16; i++)
		EXPECT_EQ(0, buf[i]);
	close(fd);
	fd = OK(openat(w->mfd, "d/null", O_RDWR | O_CLOEXEC));
	EXPECT_EQ(16, OK(write(fd, buf, 16)));
	EXPECT_EQ(0, OK(read(fd, buf, 16)));
	close(fd);
	BOTH_FAIL(ENXIO, openat(at, "d/nodev", O_RDONLY));
	if (variant->where == IN_LAYER)
		CHECK(!exists(U("d")), "writing to a device copied it up");
}

TEST_F(special, nodev)
{
	struct world *w = &self->w;

	OK(mount(NULL, w->mnt, NULL, MS_REMOUNT | MS_BIND | MS_NODEV, NULL));
	FAILS(EACCES, openat(w->mfd, "d/null", O_RDONLY));
	OK(mount(NULL, w->mnt, NULL, MS_REMOUNT | MS_BIND, NULL));
	close(OK(openat(w->mfd, "d/null", O_RDONLY)));
}

/* Both ends of one fifo, one opened before and one after its copy-up. */
TEST_F(special, fifo)
{
	struct world *w = &self->w;
	char buf[16];
	int r, wr;

	FAILS(ENXIO, openat(w->mfd, "d/fifo", O_WRONLY | O_NONBLOCK));
	r = OK(openat(w->mfd, "d/fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
	BOTH_OK(fchmodat(at, "d/fifo", 0600, 0));
	BOTH_OK(renameat(at, "d/fifo", at, "d/fifo2"));
	wr = OK(openat(w->mfd, "d/fifo2", O_WRONLY | O_NONBLOCK | O_CLOEXEC));
	EXPECT_EQ(5, OK(write(wr, "hello", 5)));
	EXPECT_EQ(5, OK(read(r, buf, sizeof(buf))));
	EXPECT_EQ(0, memcmp(buf, "hello", 5));
	close(wr);
	EXPECT_EQ(0, OK(read(r, buf, sizeof(buf))));
	close(r);
}

static int name_socket(struct sockaddr_un *sa, const char *name)
{
	*sa = (struct sockaddr_un) { .sun_family = AF_UNIX };
	strcpy(sa->sun_path, name);
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

TEST_F(special, socket)
{
	struct world *w = &self->w;
	struct sockaddr_un sa;
	int s, c, a;
	char buf[8];

	/* A socket that is only a name: nobody listens. */
	OK(fchdir(w->mfd));
	c = OK(name_socket(&sa, "d/sock"));
	FAILS(ECONNREFUSED, connect(c, (struct sockaddr *)&sa, sizeof(sa)));
	close(c);
	BOTH_OK(unlinkat(at, "d/sock", 0));
	s = OK(name_socket(&sa, "d/sock"));
	OK(bind(s, (struct sockaddr *)&sa, sizeof(sa)));
	OK(listen(s, 1));
	for (int i = 0; i < 3; i++) {
		c = OK(name_socket(&sa, "d/sock"));
		OK(connect(c, (struct sockaddr *)&sa, sizeof(sa)));
		a = OK(accept(s, NULL, NULL));
		EXPECT_EQ(2, OK(write(c, "hi", 2)));
		EXPECT_EQ(2, OK(read(a, buf, sizeof(buf))));
		close(a);
		close(c);
		/* Still the same one with other metadata and cold caches. */
		if (i == 0)
			OK(fchmodat(w->mfd, "d/sock", 0777, 0));
		else
			OK(drop_caches());
	}
	close(s);
	OK(unlinkat(w->mfd, "d/sock", 0));
	OK(chdir("/"));
}

TEST_F(special, metadata)
{
	struct world *w = &self->w;
	static const char *const name[] = { "fifo", "null", "nodev", "blk", "sock" };
	struct timespec ts[2] = { { 1, 2 }, { 3, 4 } };

	w->tree_flags |= TREE_MTIME;
	for (size_t i = 0; i < ARRAY_SIZE(name); i++) {
		const char *path = join("d", name[i]);

		BOTH_OK(fchmodat(at, path, 0611, 0));
		BOTH_OK(fchownat(at, path, 5, 6, 0));
		BOTH_OK(utimensat(at, path, ts, 0));
	}
	SAME_TREES(w);
	for (size_t i = 0; i < ARRAY_SIZE(name); i++) {
		BOTH_OK(linkat(at, join("d", name[i]), at, name[i], 0));
		BOTH_OK(unlinkat(at, join("d", name[i]), 0));
	}
}

/* The device that whiteouts look like, made by a user: an object as any other. */
TEST_F(special, device_zero)
{
	struct world *w = &self->w;

	if (world_is_overlay())
		SKIP(return, "overlayfs: does not make it");
	BOTH_OK(mkdirat(at, "d/sub", 0755));
	BOTH_OK(mknodat(at, "d/zz", S_IFCHR | 0600, makedev(0, 0)));
	BOTH_OK(mknodat(at, "d/sub/zz", S_IFCHR | 0640, makedev(0, 0)));
	BOTH_OK(mknodat(at, "zz", S_IFCHR | 0604, makedev(0, 0)));
	SAME_TREES(w);
	OK(drop_caches());
	SAME_TREES(w);
	OK(world_remount(w));
	SAME_TREES(w);
	BOTH_OK(fchmodat(at, "d/zz", 0711, 0));
	BOTH_OK(fchownat(at, "d/zz", 3, 4, 0));
	BOTH_OK(linkat(at, "d/zz", at, "linked", 0));
	BOTH_OK(linkat(at, "zz", at, "d/linked", 0));
	BOTH_OK(mkdirat(at, "fresh", 0755));
	BOTH_OK(renameat(at, "d/sub/zz", at, "fresh/zz"));
	BOTH_OK(renameat(at, "fresh", at, "d/fresh"));
	SAME_TREES(w);
	OK(drop_caches());
	SAME_TREES(w);
	OK(world_remount(w));
	SAME_TREES(w);
	BOTH_OK(renameat(at, "d/fresh/zz", at, "d/sub/again"));
	BOTH_OK(renameat2(at, "d/null", at, "moved", RENAME_WHITEOUT));
	BOTH_OK(renameat2(at, "d/null", at, "d/sub/white", RENAME_WHITEOUT));
	BOTH_OK(renameat(at, "d/sub/white", at, "d/sub/black"));
	BOTH_OK(unlinkat(at, "d/linked", 0));
	BOTH_FAIL(ENXIO, openat(at, "d/sub/black", O_RDONLY));
}

/* The same in a layer, copied up from there, and that in a layer. */
TEST_F(special, device_zero_in_a_layer)
{
	struct world *w = &self->w;

	if (world_is_overlay())
		SKIP(return, "overlayfs: does not make it");
	BOTH_OK(mkdirat(at, "e", 0755));
	BOTH_OK(mknodat(at, "d/zz", S_IFCHR | 0600, makedev(0, 0)));
	BOTH_OK(mknodat(at, "d/yy", S_IFCHR | 0640, makedev(0, 0)));
	BOTH_OK(linkat(at, "d/yy", at, "e/linked", 0));
	OK(world_deepen(w));
	SAME_TREES(w);
	BOTH_OK(fchmodat(at, "d/zz", 0711, 0));
	SAME_TREES(w);
	OK(world_deepen(w));
	SAME_TREES(w);
	BOTH_OK(fchmodat(at, "e/linked", 0711, 0));
	BOTH_OK(linkat(at, "d/yy", at, "e/another", 0));
	SAME_TREES(w);
	OK(world_deepen(w));
}

TEST_HARNESS_MAIN
