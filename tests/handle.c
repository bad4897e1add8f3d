// SPDX-License-Identifier: GPL-2.0-or-later
/* File handles: an object found again, whatever has happened to it since. */
#include "testing.h"

#include <sys/sysmacros.h>

WORLD_FIXTURE(handle);

static const char *const name[] = {
	"d", "d/sub", "d/file", "d/link", "d/fifo", "d/sub/inside", "top", ".",
};

#define NAMES (int)ARRAY_SIZE(name)

struct handle {
	struct file_handle fh;
	unsigned char space[MAX_HANDLE_SZ];
	ino_t ino;
};

FIXTURE_SETUP(handle)
{
	struct world *w = &self->w;

	world_want_handles(w);
	OK(world_begin(w, variant->where));
	OK(put_dir(w, "d", 0755));
	OK(put_dir(w, "d/sub", 0755));
	OK(put_text(w, "d/file", "a file\n"));
	OK(put_symlink(w, "d/link", "file"));
	OK(put_node(w, "d/fifo", S_IFIFO | 0644, 0));
	OK(put_text(w, "d/sub/inside", "inside\n"));
	OK(put_text(w, "top", "top\n"));
	OK(world_mount(w));
}

WORLD_TEARDOWN(handle)

static int get(struct world *w, const char *path, struct handle *h)
{
	struct stat st;
	int mount_id;

	memset(h, 0, sizeof(*h));
	h->fh.handle_bytes = MAX_HANDLE_SZ;
	if (name_to_handle_at(w->mfd, path, &h->fh, &mount_id, 0) ||
	    fstatat(w->mfd, path, &st, AT_SYMLINK_NOFOLLOW))
		return -1;
	h->ino = st.st_ino;
	return 0;
}

static int get_back(struct world *w, struct handle *h, int flags)
{
	return open_by_handle_at(w->mfd, &h->fh, flags | O_CLOEXEC);
}

/* The handle leads to an object with the number that it had. */
#define LEADS(h, what) do {						\
	struct stat __st;						\
	int __fd = get_back(w, h, O_PATH | O_NOFOLLOW);			\
									\
	CHECK(__fd >= 0, "%s: %s", what, err_name(errno));		\
	if (__fd >= 0) {						\
		OK(fstat(__fd, &__st));					\
		CHECK(__st.st_ino == (h)->ino, "%s is %lu, was %lu", what,	\
		      (long)__st.st_ino, (long)(h)->ino);		\
		close(__fd);						\
	}								\
} while (0)

#define ALL_LEAD(handle) do {						\
	for (int __i = 0; __i < NAMES; __i++)				\
		LEADS(&(handle)[__i], name[__i]);			\
} while (0)

TEST_F(handle, found_again)
{
	struct world *w = &self->w;
	struct handle h[NAMES];

	for (int i = 0; i < NAMES; i++)
		OK(get(w, name[i], &h[i]));
	ALL_LEAD(h);
	OK(drop_caches());
	ALL_LEAD(h);
	OK(world_remount(w));
	ALL_LEAD(h);
	/* By a handle that was read with cold caches, too. */
	OK(drop_caches());
	for (int i = 0; i < NAMES; i++)
		OK(get(w, name[i], &h[i]));
	ALL_LEAD(h);
}

/* Taken before the copy-up, used after it, and the other way round. */
TEST_F(handle, across_copy_up)
{
	struct world *w = &self->w;
	struct handle h[NAMES], later[NAMES];

	for (int i = 0; i < NAMES; i++)
		OK(get(w, name[i], &h[i]));
	for (int i = 0; i < NAMES; i++) {
		BOTH_OK(fchownat(at, name[i], 3, 4, AT_SYMLINK_NOFOLLOW));
		LEADS(&h[i], name[i]);
	}
	BOTH_OK(write_text(P("d/file"), "changed\n"));
	for (int i = 0; i < NAMES; i++)
		OK(get(w, name[i], &later[i]));
	for (int round = 0; round < 4; round++) {
		ALL_LEAD(h);
		ALL_LEAD(later);
		if (round == 1)
			OK(world_remount(w));
		else
			OK(drop_caches());
	}
}

/* Who asks again is given the same: programs know objects by their handles. */
#define SAME_HANDLES(h, dirs_only, when) do {				\
	for (int __i = 0; __i < NAMES; __i++) {				\
		struct handle __now;					\
									\
		if ((dirs_only) && !is_dir(w, name[__i]))		\
			continue;					\
		OK(get(w, name[__i], &__now));				\
		CHECK(!memcmp(&__now, &(h)[__i], sizeof(__now)),	\
		      "%s has another handle " when, name[__i]);	\
	}								\
} while (0)

static bool is_dir(struct world *w, const char *path)
{
	struct stat st;

	return !fstatat(w->mfd, path, &st, AT_SYMLINK_NOFOLLOW) && S_ISDIR(st.st_mode);
}

TEST_F(handle, stays_the_same)
{
	struct world *w = &self->w;
	static const char *const moved[] = { "sub/d", "sub" };
	struct handle h[NAMES];
	int held[NAMES];

	if (world_is_overlay())
		SKIP(return, "overlayfs: the handle of a directory changes with the copy-up");
	for (int i = 0; i < NAMES; i++) {
		OK(get(w, name[i], &h[i]));
		held[i] = OK(openat(w->mfd, name[i], O_PATH | O_NOFOLLOW | O_CLOEXEC));
	}
	BOTH_OK(write_text(P("d/new"), "new\n"));
	BOTH_OK(write_text(P("d/sub/new"), "new\n"));
	SAME_HANDLES(h, false, "when its directory has got another name");
	for (int i = 0; i < NAMES; i++)
		BOTH_OK(fchownat(at, name[i], 3, 4, AT_SYMLINK_NOFOLLOW));
	SAME_HANDLES(h, false, "after a change of its owner");
	BOTH_OK(write_text(P("d/file"), "changed\n"));
	OK(drop_caches());
	SAME_HANDLES(h, false, "after a change of its data");
	for (int i = 0; i < NAMES; i++)
		close(held[i]);
	OK(drop_caches());
	OK(world_remount(w));
	SAME_HANDLES(h, true, "after a remount");
	BOTH_OK(renameat(at, "d/sub", at, "sub"));
	BOTH_OK(renameat(at, "d", at, "sub/d"));
	OK(world_remount(w));
	for (int i = 0; i < 2; i++) {
		struct handle now;

		OK(get(w, moved[i], &now));
		CHECK(!memcmp(&now, &h[i], sizeof(now)), "%s has another handle after it was moved",
		      moved[i]);
		LEADS(&h[i], moved[i]);
	}
}

TEST_F(handle, reads_and_writes)
{
	struct world *w = &self->w;
	struct handle h;
	char buf[16];
	int fd;

	OK(get(w, "d/file", &h));
	OK(world_remount(w));
	OK(drop_caches());
	fd = OK(get_back(w, &h, O_RDWR));
	EXPECT_EQ(7, OK(read(fd, buf, sizeof(buf))));
	EXPECT_EQ(0, memcmp(buf, "a file\n", 7));
	EXPECT_EQ(1, OK(pwrite(fd, "A", 1, 0)));
	close(fd);
	EXPECT_EQ(0, same_bytes(M("d/file"), "A file\n", 7));
	OK(write_text(join(w->plain, "d/file"), "A file\n"));
	fd = OK(get_back(w, &h, O_RDONLY));
	EXPECT_EQ(7, OK(read(fd, buf, sizeof(buf))));
	EXPECT_EQ(0, memcmp(buf, "A file\n", 7));
	close(fd);
}

/* Copied up, then moved: the handle of now goes along. */
TEST_F(handle, moved)
{
	struct world *w = &self->w;
	struct handle dir, inside, new;

	BOTH_OK(fchmodat(at, "d/sub/inside", 0600, 0));
	BOTH_OK(write_text(P("d/sub/new"), "new\n"));
	OK(get(w, "d/sub", &dir));
	OK(get(w, "d/sub/inside", &inside));
	OK(get(w, "d/sub/new", &new));
	BOTH_OK(renameat(at, "d/sub", at, "moved"));
	BOTH_OK(renameat(at, "moved/new", at, "moved/newer"));
	for (int i = 0; i < 3; i++) {
		LEADS(&dir, "the directory");
		LEADS(&inside, "what is in it");
		LEADS(&new, "what was made in it");
		if (i)
			OK(world_remount(w));
		else
			OK(drop_caches());
	}
}

/* Taken of what is below, and then that is moved, or what is over it. */
TEST_F(handle, moved_from_below)
{
	struct world *w = &self->w;
	struct handle h[NAMES];

	/* All directories have been read before the first change. */
	SAME_TREES(w);
	for (int i = 0; i < NAMES; i++)
		OK(get(w, name[i], &h[i]));
	for (int round = 0; round < 6; round++) {
		switch (round) {
		case 0:
			BOTH_OK(renameat(at, "d/file", at, "file"));
			BOTH_OK(renameat(at, "d/link", at, "d/sub/link"));
			BOTH_OK(renameat(at, "d/fifo", at, "d/fifo2"));
			break;
		case 1:
			BOTH_OK(renameat(at, "d/sub", at, "sub"));
			BOTH_OK(renameat2(at, "file", at, "top", RENAME_EXCHANGE));
			break;
		case 2:
			BOTH_OK(renameat(at, "d", at, "sub/d"));
			break;
		case 3:
			BOTH_OK(mkdirat(at, "d", 0755));
			BOTH_OK(write_text(P("d/file"), "another\n"));
			BOTH_OK(renameat(at, "sub/inside", at, "d/inside"));
			break;
		case 4:
			BOTH_OK(renameat(at, "d", at, "e"));
			BOTH_OK(renameat(at, "sub/d/fifo2", at, "e/fifo3"));
			break;
		}
		ALL_LEAD(h);
		if (round & 1)
			OK(drop_caches());
		else if (round)
			OK(world_remount(w));
		ALL_LEAD(h);
	}
}

/* Moved to another directory, and in no cache. */
TEST_F(handle, moved_in_the_upper)
{
	struct world *w = &self->w;
	struct handle h, below;

	OK(get(w, "top", &below));
	BOTH_OK(write_text(P("d/sub/new"), "new\n"));
	BOTH_OK(fchmodat(at, "top", 0600, 0));
	OK(get(w, "d/sub/new", &h));
	OK(world_remount(w));
	BOTH_OK(renameat(at, "d/sub/new", at, "d/newer"));
	BOTH_OK(renameat(at, "top", at, "d/sub/top"));
	for (int i = 0; i < 3; i++) {
		LEADS(&h, "what was made");
		LEADS(&below, "what was copied");
		OK(world_remount(w));
		OK(drop_caches());
		if (i)
			continue;
		BOTH_OK(renameat(at, "d/newer", at, "newest"));
		BOTH_OK(renameat(at, "d/sub/top", at, "d/top"));
		OK(drop_caches());
	}
}

/* Open, so it is there still; a write finds it, too. */
TEST_F(handle, without_a_name)
{
	struct world *w = &self->w;
	struct handle h, made;
	int fd[2], other, other2;
	char buf[16] = "";

	BOTH_OK(write_text(P("new"), "new\n"));
	OK(get(w, "d/file", &h));
	OK(get(w, "new", &made));
	fd[0] = OK(openat(w->mfd, "d/file", O_RDONLY | O_CLOEXEC));
	fd[1] = OK(openat(w->mfd, "new", O_RDONLY | O_CLOEXEC));
	BOTH_OK(unlinkat(at, "d/file", 0));
	BOTH_OK(unlinkat(at, "new", 0));
	LEADS(&h, "what was below");
	LEADS(&made, "what was made");
	other = OK(get_back(w, &h, O_RDWR));
	other2 = OK(get_back(w, &made, O_RDWR));
	EXPECT_EQ(2, OK(pwrite(other, "A ", 2, 0)));
	EXPECT_EQ(2, OK(pwrite(other2, "NE", 2, 0)));
	EXPECT_EQ(7, OK(pread(fd[0], buf, sizeof(buf), 0)));
	EXPECT_EQ(0, memcmp(buf, "A file\n", 7));
	EXPECT_EQ(4, OK(pread(fd[1], buf, sizeof(buf), 0)));
	EXPECT_EQ(0, memcmp(buf, "NEw\n", 4));
	LEADS(&h, "what was below and has changed");
	LEADS(&made, "what was made and has changed");
	close(other);
	close(other2);
	CLOSE_BOTH(fd);
	FAILS(ESTALE, get_back(w, &h, O_RDONLY));
	FAILS(ESTALE, get_back(w, &made, O_RDONLY));
}

/* Copied up, still open, and another has taken its name. */
TEST_F(handle, replaced)
{
	struct world *w = &self->w;
	struct handle h, new;
	int fd;

	OK(get(w, "d/file", &h));
	BOTH_OK(write_text(P("d/file"), "changed\n"));
	fd = OK(openat(w->mfd, "d/file", O_RDONLY | O_CLOEXEC));
	BOTH_OK(write_text(P("d/new"), "new\n"));
	BOTH_OK(renameat(at, "d/new", at, "d/file"));
	OK(get(w, "d/file", &new));
	OK(drop_caches());
	LEADS(&h, "what was replaced");
	LEADS(&new, "what has replaced it");
	close(fd);
	OK(drop_caches());
	FAILS(ESTALE, get_back(w, &h, O_RDONLY));
	LEADS(&new, "what has replaced it");
}

/* A layer has renamed a directory: what is under it has another path below. */
TEST_F(handle, renamed_by_a_layer)
{
	struct world *w = &self->w;
	struct handle dir, file;

	BOTH_OK(renameat(at, "d/sub", at, "renamed"));
	OK(world_deepen(w));
	BOTH_OK(write_text(P("renamed/inside"), "changed\n"));
	for (int i = 0; i < 3; i++) {
		OK(get(w, "renamed", &dir));
		OK(get(w, "renamed/inside", &file));
		LEADS(&dir, "the directory");
		LEADS(&file, "what is in it");
		OK(drop_caches());
		LEADS(&dir, "the directory");
		LEADS(&file, "what is in it");
		OK(world_remount(w));
		LEADS(&dir, "the directory");
		LEADS(&file, "what is in it");
		if (i)
			continue;
		BOTH_OK(renameat(at, "renamed", at, "d/again"));
		BOTH_OK(renameat(at, "d/again", at, "renamed"));
	}
}

/*
 * Layers have renamed directories, one within another, and something else is under the
 * name that it had. Nothing is copied up when the handles are taken.
 */
TEST_F(handle, under_a_renamed_directory)
{
	static const char *const now[] = {
		"e", "e/file", "e/hard", "e/link", "e/fifo", "e/f", "e/f/inside", "e/f/g",
		"e/f/g/deep",
	};
	struct handle h[ARRAY_SIZE(now)], again;
	struct world *w = &self->w;

	if (world_is_overlay())
		SKIP(return, "overlayfs: what a layer has renamed is not found by its handle");
	BOTH_OK(mkdirat(at, "d/sub/g", 0755));
	BOTH_OK(write_text(P("d/sub/g/deep"), "deep\n"));
	BOTH_OK(linkat(at, "d/file", at, "d/hard", 0));
	OK(world_deepen(w));
	BOTH_OK(renameat(at, "d/sub", at, "d/f"));
	BOTH_OK(mkdirat(at, "d/sub", 0755));
	BOTH_OK(write_text(P("d/sub/inside"), "another\n"));
	OK(world_deepen(w));
	BOTH_OK(renameat(at, "d", at, "e"));
	BOTH_OK(mkdirat(at, "d", 0755));
	BOTH_OK(write_text(P("d/file"), "another\n"));
	OK(world_deepen(w));
	for (size_t i = 0; i < ARRAY_SIZE(now); i++)
		OK(get(w, now[i], &h[i]));
	for (int round = 0; round < 5; round++) {
		switch (round) {
		case 1:
			OK(drop_caches());
			break;
		case 2:
			OK(world_remount(w));
			break;
		case 3:
			for (size_t i = 0; i < ARRAY_SIZE(now); i++)
				BOTH_OK(fchownat(at, now[i], 3, 4, AT_SYMLINK_NOFOLLOW));
			break;
		case 4:
			BOTH_OK(renameat(at, "e/f", at, "f"));
			OK(world_remount(w));
			break;
		}
		for (size_t i = 0; i < ARRAY_SIZE(now); i++)
			LEADS(&h[i], now[i]);
	}
	/* A directory keeps its handle for good. */
	OK(get(w, "e", &again));
	CHECK(!memcmp(&again, &h[0], sizeof(again)), "the directory has another handle");
	OK(get(w, "f", &again));
	CHECK(!memcmp(&again, &h[5], sizeof(again)), "the moved directory has another handle");
}

/* An object that is gone is not found, and neither is another in its place. */
TEST_F(handle, gone)
{
	struct world *w = &self->w;
	struct handle file, inside, dir;

	OK(get(w, "top", &file));
	OK(get(w, "d/sub/inside", &inside));
	OK(get(w, "d/sub", &dir));
	BOTH_OK(unlinkat(at, "top", 0));
	BOTH_OK(unlinkat(at, "d/sub/inside", 0));
	BOTH_OK(unlinkat(at, "d/sub", AT_REMOVEDIR));
	for (int i = 0; i < 3; i++) {
		FAILS(ESTALE, get_back(w, &file, O_RDONLY));
		FAILS(ESTALE, get_back(w, &inside, O_RDONLY));
		FAILS(ESTALE, get_back(w, &dir, O_RDONLY));
		if (i == 0) {
			BOTH_OK(write_text(P("top"), "another\n"));
			BOTH_OK(mkdirat(at, "d/sub", 0755));
			BOTH_OK(write_text(P("d/sub/inside"), "another\n"));
		} else {
			OK(world_remount(w));
		}
	}
}

/* Names of a hard link in a layer. */
TEST_F(handle, hard_links)
{
	struct world *w = &self->w;
	const char *layer = w->layer[w->nlayers - 1];
	struct handle h, later;
	struct stat st;

	if (variant->where != IN_LAYER)
		SKIP(return, "one place is enough");
	OK(world_umount(w));
	OK(world_check_layers(w));
	OK(write_text(join(layer, "one"), "linked\n"));
	OK(link(join(layer, "one"), join(layer, "d/two")));
	OK(write_text(join(w->plain, "one"), "linked\n"));
	OK(link(join(w->plain, "one"), join(w->plain, "d/two")));
	memset(w->sealed, 0, sizeof(w->sealed));
	OK(world_mount(w));
	OK(get(w, "one", &h));
	BOTH_OK(fchmodat(at, "d/two", 0600, 0));
	OK(get(w, "one", &later));
	LEADS(&h, "one");
	OK(world_remount(w));
	OK(drop_caches());
	LEADS(&later, "one, copied up");
	LEADS(&h, "one");
	/* The name that it was taken by is gone, the other one is not. */
	BOTH_OK(unlinkat(at, "one", 0));
	OK(world_remount(w));
	OK(drop_caches());
	LEADS(&h, "one that is two");
	LEADS(&later, "one that is two, copied up");
	OK(fstatat(w->mfd, "d/two", &st, 0));
	EXPECT_EQ(st.st_ino, h.ino);
	BOTH_OK(unlinkat(at, "d/two", 0));
	FAILS(ESTALE, get_back(w, &h, O_RDONLY));
	FAILS(ESTALE, get_back(w, &later, O_RDONLY));
}

/* What was made up leads nowhere, and breaks nothing. */
TEST_F(handle, made_up)
{
	struct world *w = &self->w;
	struct handle h, own;
	unsigned int r = 1;
	int mount_id;

	OK(get(w, "d/file", &h));
	/* A directory of the same filesystem that is not in the mount. */
	own = h;
	for (int i = 0; i < 4000; i++) {
		struct handle bad = h;
		int fd;

		r = r * 1103515245 + 12345;
		bad.fh.handle_bytes = 1 + (r >> 8) % MAX_HANDLE_SZ;
		if (i & 1)
			bad.fh.handle_bytes = h.fh.handle_bytes;
		bad.space[(r >> 16) % h.fh.handle_bytes] ^= r >> 24;
		if ((i & 15) == 3)
			bad.fh.handle_type = r & 0xff;
		fd = get_back(w, &bad, O_PATH | O_NOFOLLOW);
		if (fd >= 0) {
			char proc[64], path[PATH_MAX] = "";

			snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
			OK(readlink(proc, path, sizeof(path) - 1));
			CHECK(!strncmp(path, w->mnt, strlen(w->mnt)),
			      "leads to %s", path);
			close(fd);
		}
	}
	/* One of the real filesystem's own. */
	own.fh.handle_bytes = MAX_HANDLE_SZ;
	OK(name_to_handle_at(AT_FDCWD, w->root, &own.fh, &mount_id, 0));
	FAILS(ESTALE, get_back(w, &own, O_PATH));
	LEADS(&h, "d/file");
}

/*
 * To tell that an object is not in the upper, the names that lead to it are read; no
 * atime moves by that.
 */
TEST_F(handle, made_up_of_another)
{
	struct world *w = &self->w;
	char outside[PATH_MAX], inside[PATH_MAX + 8];
	struct handle real = {}, h = {};
	struct stat before, after;
	struct { __u8 below, type; __u16 layer; } head = {};
	int mount_id;

	snprintf(outside, sizeof(outside), "%s/other", w->root);
	snprintf(inside, sizeof(inside), "%s/dir", outside);
	OK(mkdir(outside, 0755));
	OK(mkdir(inside, 0755));
	real.fh.handle_bytes = MAX_HANDLE_SZ;
	OK(name_to_handle_at(AT_FDCWD, inside, &real.fh, &mount_id, 0));
	w->no_compare = true;
	OK(mkdirat(w->mfd, "own", 0755));
	OK(get(w, "own", &h));

	head.type = real.fh.handle_type;
	memcpy(h.fh.f_handle, &head, sizeof(head));
	memcpy(h.fh.f_handle + sizeof(head), real.fh.f_handle, real.fh.handle_bytes);
	h.fh.handle_bytes = sizeof(head) + real.fh.handle_bytes;
	OK(stat(outside, &before));
	usleep(21000);
	OK(drop_caches());
	FAILS(ESTALE, get_back(w, &h, O_PATH));
	OK(stat(outside, &after));
	CHECK(!memcmp(&before.st_atim, &after.st_atim, sizeof(before.st_atim)),
	      "the directory that holds it was read, and its atime moved");
	OK(rmdir(inside));
	OK(rmdir(outside));
}

TEST_HARNESS_MAIN
