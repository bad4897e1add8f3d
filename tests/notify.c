// SPDX-License-Identifier: GPL-2.0-or-later
/* inotify: who watches an object of the mount hears what happens to it there. */
#include "testing.h"

#include <poll.h>
#include <sys/inotify.h>

WORLD_FIXTURE(notify);

FIXTURE_SETUP(notify)
{
	struct world *w = &self->w;

	OK(world_begin(w, variant->where));
	OK(put_dir(w, "d", 0755));
	OK(put_dir(w, "d/sub", 0755));
	OK(put_text(w, "d/file", "a file that is watched\n"));
	OK(put_text(w, "d/other", "another\n"));
	OK(put_text(w, "d/sub/inside", "inside\n"));
	OK(world_mount(w));
}

WORLD_TEARDOWN(notify)

/*
 * What has been heard since the last time, in order: one letter for each event,
 * and the name where there is one. IN_ACCESS and the like are left to `mask`.
 */
static const char *heard(int fd)
{
	static const struct { unsigned int bit; char letter; } letters[] = {
		{ IN_ACCESS, 'a' }, { IN_MODIFY, 'm' }, { IN_ATTRIB, 't' },
		{ IN_CLOSE_WRITE, 'w' }, { IN_CLOSE_NOWRITE, 'n' },
		{ IN_OPEN, 'o' }, { IN_MOVED_FROM, 'f' }, { IN_MOVED_TO, 'T' },
		{ IN_CREATE, 'c' }, { IN_DELETE, 'd' }, { IN_DELETE_SELF, 'D' },
		{ IN_MOVE_SELF, 'M' }, { IN_IGNORED, 'I' }, { IN_UNMOUNT, 'U' },
	};
	static char text[2048];
	char buf[8192] __attribute__((aligned(8)));
	ssize_t n;
	char *end = text;

	*text = 0;
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (char *p = buf; p < buf + n;) {
			struct inotify_event *e = (void *)p;

			for (size_t i = 0; i < ARRAY_SIZE(letters); i++)
				if (e->mask & letters[i].bit)
					end += sprintf(end, "%c", letters[i].letter);
			if (e->mask & IN_ISDIR)
				end += sprintf(end, "/");
			if (e->len)
				end += sprintf(end, "(%s)", e->name);
			end += sprintf(end, " ");
			p += sizeof(*e) + e->len;
			if (end > text + sizeof(text) - 300)
				return text;
		}
	}
	return text;
}

/* The same is heard in the mount and on the plain directory. */
#define SAME_HEARD(fd) do {						\
	char *__m = strdup(heard((fd)[0]));				\
	EXPECT_STREQ(heard((fd)[1]), __m);				\
	free(__m);							\
} while (0)

static void both_watch(int fd[2], struct world *w, const char *path,
		       unsigned int mask)
{
	fd[0] = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	fd[1] = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (inotify_add_watch(fd[0], M(path), mask) < 0 ||
	    inotify_add_watch(fd[1], join(w->plain, path), mask) < 0)
		abort();
}

#define FILE_EVENTS (IN_MODIFY | IN_ATTRIB | IN_CLOSE | IN_OPEN | IN_DELETE_SELF | \
		     IN_MOVE_SELF)
#define DIR_EVENTS (IN_CREATE | IN_DELETE | IN_MOVE | IN_DELETE_SELF | IN_MOVE_SELF | \
		    IN_ATTRIB | IN_MODIFY | IN_CLOSE_WRITE)

static int write_at(int at, const char *path)
{
	int fd = openat(at, path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || pwrite(fd, "X", 1, 0) != 1)
		return -1;
	return close(fd);
}

static int read_at(int at, const char *path)
{
	char c;
	int fd = openat(at, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, &c, 1) != 1)
		return -1;
	return close(fd);
}

/* A watch set before the file is copied up hears what is written after. */
TEST_F(notify, file)
{
	struct world *w = &self->w;
	int in[2];

	both_watch(in, w, "d/file", FILE_EVENTS);
	BOTH_OK(read_at(at, "d/file"));
	SAME_HEARD(in);
	BOTH_OK(write_at(at, "d/file"));
	SAME_HEARD(in);
	BOTH_OK(fchmodat(at, "d/file", 0600, 0));
	SAME_HEARD(in);
	BOTH_OK(write_at(at, "d/file"));
	BOTH_OK(truncate(P("d/file"), 3));
	SAME_HEARD(in);
	BOTH_OK(renameat(at, "d/file", at, "d/sub/moved"));
	SAME_HEARD(in);
	BOTH_OK(write_at(at, "d/sub/moved"));
	SAME_HEARD(in);
	BOTH_OK(unlinkat(at, "d/sub/moved", 0));
	SAME_HEARD(in);
	CLOSE_BOTH(in);
}

/* Metadata first, data later: one object all along. */
TEST_F(notify, file_by_steps)
{
	struct world *w = &self->w;
	int in[2];

	both_watch(in, w, "d/file", FILE_EVENTS);
	BOTH_OK(fchownat(at, "d/file", 1, 2, 0));
	SAME_HEARD(in);
	BOTH_OK(linkat(at, "d/file", at, "d/linked", 0));
	SAME_HEARD(in);
	OK(drop_caches());
	BOTH_OK(write_at(at, "d/linked"));
	SAME_HEARD(in);
	CLOSE_BOTH(in);
}

TEST_F(notify, directory)
{
	struct world *w = &self->w;
	int in[2];

	both_watch(in, w, "d", DIR_EVENTS);
	BOTH_OK(mkdirat(at, "d/new", 0755));
	BOTH_OK(mknodat(at, "d/node", S_IFIFO | 0600, 0));
	BOTH_OK(symlinkat("x", at, "d/link"));
	SAME_HEARD(in);
	/* A copy-up is no event. */
	BOTH_OK(write_at(at, "d/file"));
	SAME_HEARD(in);
	BOTH_OK(fchmodat(at, "d/other", 0600, 0));
	SAME_HEARD(in);
	BOTH_OK(unlinkat(at, "d/other", 0));
	BOTH_OK(unlinkat(at, "d/new", AT_REMOVEDIR));
	SAME_HEARD(in);
	BOTH_OK(renameat(at, "d/file", at, "d/file2"));
	BOTH_OK(renameat(at, "d/sub", at, "sub2"));
	BOTH_OK(renameat(at, "sub2", at, "d/sub"));
	SAME_HEARD(in);
	BOTH_OK(renameat(at, "d", at, "e"));
	SAME_HEARD(in);
	BOTH_OK(mkdirat(at, "e/later", 0755));
	SAME_HEARD(in);
	CLOSE_BOTH(in);
}

TEST_F(notify, removed_directory)
{
	struct world *w = &self->w;
	int in[2];

	both_watch(in, w, "d/sub", DIR_EVENTS);
	BOTH_OK(unlinkat(at, "d/sub/inside", 0));
	BOTH_OK(unlinkat(at, "d/sub", AT_REMOVEDIR));
	SAME_HEARD(in);
	CLOSE_BOTH(in);
}

TEST_F(notify, unmount)
{
	struct world *w = &self->w;
	int fd;

	fd = OK(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
	OK(inotify_add_watch(fd, M("d/file"), IN_ALL_EVENTS));
	OK(world_umount(w));
	EXPECT_STREQ("U I ", heard(fd));
	close(fd);
	OK(world_mount(w));
}

/* A watch keeps its object, whatever the caches do. */
TEST_F(notify, dropped_caches)
{
	struct world *w = &self->w;
	int in[2];

	both_watch(in, w, "d/file", FILE_EVENTS);
	OK(drop_caches());
	OK(drop_caches());
	BOTH_OK(write_at(at, "d/file"));
	SAME_HEARD(in);
	CLOSE_BOTH(in);
}

TEST_HARNESS_MAIN
