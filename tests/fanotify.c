// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fanotify: a listener to an object, a mount or a whole filesystem hears of the
 * mount what it would hear of a plain directory, can find what it is told of, and
 * can forbid.
 */
#include "testing.h"

#include <signal.h>
#include <stdarg.h>
#include <sys/fanotify.h>
#include <sys/prctl.h>

WORLD_FIXTURE(fanotify);

FIXTURE_SETUP(fanotify)
{
	struct world *w = &self->w;

	world_want_handles(w);
	OK(world_begin(w, variant->where));
	OK(put_dir(w, "d", 0755));
	OK(put_dir(w, "d/sub", 0755));
	OK(put_text(w, "d/file", "a file that is listened to\n"));
	OK(put_text(w, "d/other", "another\n"));
	OK(put_pattern(w, "d/large", 300000, 1));
	OK(put_text(w, "d/sub/inside", "inside\n"));
	OK(world_mount(w));
}

WORLD_TEARDOWN(fanotify)

#define EVERYTHING (FAN_OPEN | FAN_ACCESS | FAN_MODIFY | FAN_CLOSE | FAN_ONDIR)
#define AND_NAMES (EVERYTHING | FAN_ATTRIB | FAN_CREATE | FAN_DELETE | FAN_DELETE_SELF | \
		   FAN_MOVE | FAN_MOVE_SELF | FAN_RENAME)
#define OF_A_FILE (EVERYTHING & ~FAN_ONDIR)
#define WITH_HANDLES (FAN_CLASS_NOTIF | FAN_REPORT_DFID_NAME_TARGET)

/* A story: text that grows. */
struct story {
	char text[16384];
	size_t len;
};

static void __attribute__((format(printf, 2, 3)))
tell(struct story *s, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(s->text + s->len, sizeof(s->text) - s->len, fmt, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(s->text) - s->len)
		abort();
	s->len += n;
}

static void tell_mask(struct story *s, unsigned long long mask)
{
	static const struct { unsigned long long bit; const char *word; } words[] = {
		{ FAN_ACCESS, "access" }, { FAN_MODIFY, "modify" },
		{ FAN_ATTRIB, "attrib" }, { FAN_CLOSE_WRITE, "close_write" },
		{ FAN_CLOSE_NOWRITE, "close" }, { FAN_OPEN, "open" },
		{ FAN_MOVED_FROM, "from" }, { FAN_MOVED_TO, "to" },
		{ FAN_CREATE, "create" }, { FAN_DELETE, "delete" },
		{ FAN_DELETE_SELF, "delete_self" }, { FAN_MOVE_SELF, "move_self" },
		{ FAN_RENAME, "rename" }, { FAN_OPEN_PERM, "may_open" },
		{ FAN_ACCESS_PERM, "may_read" }, { FAN_ONDIR, "directory" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (mask & words[i].bit)
			tell(s, " %s", words[i].word);
		mask &= ~words[i].bit;
	}
	if (mask)
		tell(s, " %#llx", mask);
}

/* Where a descriptor leads, seen from the root; NULL if it leads elsewhere. */
static const char *leads_to(int fd, const char *root)
{
	static char path[PATH_MAX];
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return NULL;
	path[n] = 0;
	if (strncmp(path, root, strlen(root)))
		return NULL;
	return path + strlen(root);
}

/* One record of an event: what its handle leads to, and the name in it. */
static bool tell_record(struct story *s, struct fanotify_event_info_fid *info, int at,
			const char *root)
{
	struct file_handle *fh = (void *)info->handle;
	const int type = info->hdr.info_type;
	const char *path;
	struct stat st;
	int fd;

	fd = open_by_handle_at(at, fh, O_PATH | O_CLOEXEC);
	if (fd < 0) {
		tell(s, " [%d %s", type, err_name(errno));
	} else {
		path = leads_to(fd, root);
		if (!path || fstat(fd, &st)) {
			close(fd);
			return false;
		}
		close(fd);
		/* Which of several names is found is left open. */
		if (!S_ISDIR(st.st_mode) && st.st_nlink > 1)
			path = "one of its names";
		tell(s, " [%d %s", type, path);
	}
	if (type != FAN_EVENT_INFO_TYPE_FID)
		tell(s, " %s", (char *)fh->f_handle + fh->handle_bytes);
	tell(s, "]");
	return true;
}

/*
 * Adds what the group has heard since the last time: a line for each event that
 * is about something under the root. The filesystem below hears of the upper and
 * of the layers, too, which are none of this.
 */
static void listen_to(struct story *s, int group, int at, const char *root)
{
	char buf[8192] __attribute__((aligned(8)));
	ssize_t n;

	while ((n = read(group, buf, sizeof(buf))) > 0) {
		struct fanotify_event_metadata *e = (void *)buf;

		for (; FAN_EVENT_OK(e, n); e = FAN_EVENT_NEXT(e, n)) {
			const size_t before = s->len;
			char *at_info = (char *)e + e->metadata_len;
			bool ours = true;

			tell_mask(s, e->mask);
			if (e->fd >= 0) {
				const char *path = leads_to(e->fd, root);

				close(e->fd);
				ours = path;
				tell(s, " [%s]", path ?: "");
			}
			while (ours && at_info < (char *)e + e->event_len) {
				struct fanotify_event_info_fid *info = (void *)at_info;

				ours = tell_record(s, info, at, root);
				at_info += info->hdr.len;
			}
			tell(s, "\n");
			if (!ours)
				s->text[s->len = before] = 0;
		}
	}
}

static int new_group(unsigned int class, const char *path, unsigned int how,
		     unsigned long long mask)
{
	const int group = fanotify_init(class | FAN_NONBLOCK | FAN_CLOEXEC |
					FAN_UNLIMITED_QUEUE, O_RDONLY | O_CLOEXEC);

	if (group < 0)
		return -1;
	if (fanotify_mark(group, FAN_MARK_ADD | how, mask, AT_FDCWD, path)) {
		close(group);
		return -1;
	}
	return group;
}

/* One thing that is done, and what is heard of it. */
#define THEN(call) do {							\
	if ((long)(call) == -1)						\
		tell(s, "%s: %s\n", #call, err_name(errno));		\
	tell(s, "%s:\n", #call);					\
	listen_to(s, group, at, in);					\
} while (0)

static int use(int at, const char *path, int flags, int (*how)(int fd))
{
	const int fd = openat(at, path, flags | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -1;
	ret = how(fd);
	return close(fd) ?: ret;
}

static int one_byte(int fd)
{
	char c;

	return read(fd, &c, 1) == 1 ? 0 : -1;
}

static int store_one(int fd)
{
	return pwrite(fd, "X", 1, 0) == 1 ? 0 : -1;
}

static int make_room(int fd)
{
	return fallocate(fd, 0, 0, 5000);
}

static int copy_to_itself(int fd)
{
	off_t from = 0, to = 8192;

	return copy_file_range(fd, &from, fd, &to, 4096, 0) == 4096 ? 0 : -1;
}

static int store_in_mapping(int fd)
{
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return -1;
	*p = 'M';
	return munmap(p, 4096);
}

static int touch_it(int fd)
{
	return futimens(fd, NULL);
}

static void do_things(struct story *s, int group, int at, const char *in)
{
	THEN(use(at, "d/file", O_RDONLY, one_byte));
	THEN(use(at, "d/file", O_WRONLY, store_one));
	THEN(use(at, "d/file", O_RDONLY, touch_it));
	THEN(use(at, "d/large", O_RDWR, store_one));
	THEN(use(at, "d/large", O_RDWR, make_room));
	THEN(use(at, "d/large", O_RDWR, copy_to_itself));
	THEN(use(at, "d/large", O_RDWR, store_in_mapping));
	THEN(truncate(P("d/large"), 7));
	THEN(fchmodat(at, "d/other", 0600, 0));
	THEN(linkat(at, "d/other", at, "d/sub/linked", 0));
	THEN(use(at, "d/sub/linked", O_WRONLY | O_TRUNC, store_one));
	THEN(unlinkat(at, "d/other", 0));
	THEN(drop_caches());
	THEN(use(at, "d/sub/linked", O_WRONLY, store_one));
	THEN(unlinkat(at, "d/sub/linked", 0));
	THEN(mkdirat(at, "d/new", 0755));
	THEN(mknodat(at, "d/new/fifo", S_IFIFO | 0600, 0));
	THEN(symlinkat("x", at, "d/new/link"));
	THEN(renameat(at, "d/file", at, "d/new/moved"));
	THEN(use(at, "d/new/moved", O_WRONLY, store_one));
	THEN(renameat(at, "d/sub", at, "sub"));
	THEN(drop_caches());
	THEN(use(at, "sub/inside", O_WRONLY, store_one));
	THEN(renameat2(at, "sub", at, "d/new", RENAME_EXCHANGE));
	THEN(unlinkat(at, "sub/fifo", 0));
	THEN(unlinkat(at, "sub/link", 0));
	THEN(unlinkat(at, "sub/moved", 0));
	THEN(unlinkat(at, "sub", AT_REMOVEDIR));
}

/* The lines in which the two differ, for a person. */
static void show_difference(const char *mount, const char *plain)
{
	while (*mount || *plain) {
		const size_t m = strcspn(mount, "\n"), p = strcspn(plain, "\n");

		if (m != p || memcmp(mount, plain, m))
			printf("# mount: %.*s\n# plain: %.*s\n", (int)m, mount, (int)p, plain);
		mount += m + !!mount[m];
		plain += p + !!plain[p];
	}
}

/* What was heard in the mount and in plain is the same; the stories are freed. */
#define SAME_STORIES(s) do {						\
	CHECK(strstr((s)[1]->text, " modify"), "nothing was heard");	\
	if (strcmp((s)[0]->text, (s)[1]->text)) {			\
		CHECK(false, "not the same is heard");			\
		show_difference((s)[0]->text, (s)[1]->text);		\
	}								\
	free((s)[0]);							\
	free((s)[1]);							\
} while (0)

/* The mark is set, things are done, and heard: in the mount, then in plain. */
#define SAME_STORY(class, how, mask) do {					\
	struct story *__s[2];						\
									\
	for (int __i = 0; __i < 2; __i++) {				\
		const char *__root = __i ? w->plain : w->mnt;		\
		int __group = OK(new_group(class, __root, how, mask));	\
									\
		__s[__i] = calloc(1, sizeof(**__s));			\
		do_things(__s[__i], __group, __i ? w->pfd : w->mfd, __root);	\
		close(__group);						\
		OK(syncfs(w->mfd));					\
	}								\
	SAME_STORIES(__s);						\
} while (0)

/* All of a filesystem, told by handles: those lead back to the objects. */
TEST_F(fanotify, filesystem)
{
	struct world *w = &self->w;

	/*
	 * The filesystem below hears of its layers, too, and to find by a handle
	 * what that was about is to read directories there.
	 */
	close(w->pfd);
	OK(mount(w->plain, w->plain, NULL, MS_BIND, NULL));
	OK(mount(NULL, w->plain, NULL, MS_BIND | MS_REMOUNT | MS_NOATIME, NULL));
	w->pfd = OK(open(w->plain, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	SAME_STORY(WITH_HANDLES, FAN_MARK_FILESYSTEM, AND_NAMES);
	close(w->pfd);
	OK(umount(w->plain));
	w->pfd = OK(open(w->plain, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

/* A mount, told by open descriptors, whose paths are the mount's. */
TEST_F(fanotify, mount)
{
	struct world *w = &self->w;

	SAME_STORY(FAN_CLASS_NOTIF, FAN_MARK_MOUNT, EVERYTHING);
}

/* Objects, marked before they are copied up. */
TEST_F(fanotify, objects)
{
	struct world *w = &self->w;
	struct story *s[2];

	for (int i = 0; i < 2; i++) {
		const char *in = i ? w->plain : w->mnt;
		const int at = i ? w->pfd : w->mfd;
		int group = OK(new_group(WITH_HANDLES, join(in, "d"), 0,
					 AND_NAMES | FAN_EVENT_ON_CHILD));

		OK(fanotify_mark(group, FAN_MARK_ADD, OF_A_FILE, AT_FDCWD,
				 join(in, "d/sub/inside")));
		OK(fanotify_mark(group, FAN_MARK_ADD, OF_A_FILE, AT_FDCWD,
				 join(in, "d/large")));
		OK(drop_caches());
		s[i] = calloc(1, sizeof(**s));
		do_things(s[i], group, at, in);
		close(group);
	}
	SAME_STORIES(s);
}

/* A child that answers every question of the group; it dies with the test. */
static pid_t answering(int group, unsigned int answer)
{
	const pid_t child = fork();
	struct fanotify_event_metadata e;

	if (child)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fcntl(group, F_SETFL, O_RDONLY);
	while (read(group, &e, sizeof(e)) == (ssize_t)sizeof(e)) {
		struct fanotify_response r = { .fd = e.fd, .response = answer };

		if (write(group, &r, sizeof(r)) != (ssize_t)sizeof(r))
			break;
		close(e.fd);
	}
	_exit(1);
}

static void no_more_answers(pid_t child, int group)
{
	/* Who still waits is let through when the group goes. */
	close(group);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* What the listener forbids is forbidden, before and after a copy-up. */
TEST_F(fanotify, open_denied)
{
	struct world *w = &self->w;
	pid_t child[2];
	int group[2];

	for (int i = 0; i < 2; i++) {
		group[i] = OK(new_group(FAN_CLASS_CONTENT, join(i ? w->plain : w->mnt, "d/file"),
					0, FAN_OPEN_PERM));
		child[i] = OK(answering(group[i], FAN_DENY));
	}
	BOTH_FAIL(EPERM, use(at, "d/file", O_RDONLY, one_byte));
	BOTH_FAIL(EPERM, use(at, "d/file", O_WRONLY, store_one));
	BOTH_FAIL(EPERM, use(at, "d/file", O_WRONLY | O_TRUNC, store_one));
	BOTH_OK(fchmodat(at, "d/file", 0640, 0));
	BOTH_FAIL(EPERM, use(at, "d/file", O_RDONLY, one_byte));
	BOTH_OK(linkat(at, "d/file", at, "d/linked", 0));
	OK(drop_caches());
	BOTH_FAIL(EPERM, use(at, "d/linked", O_RDWR, store_one));
	BOTH_OK(truncate(P("d/linked"), 3));
	BOTH_FAIL(EPERM, use(at, "d/linked", O_RDWR, store_one));
	BOTH_OK(use(at, "d/other", O_RDWR, store_one));
	for (int i = 0; i < 2; i++)
		no_more_answers(child[i], group[i]);
	BOTH_OK(use(at, "d/linked", O_RDWR, store_one));
}

/* Reading can be forbidden to descriptors that are open already. */
TEST_F(fanotify, read_denied)
{
	struct world *w = &self->w;
	int before[2], group[2];
	pid_t child[2];

	for (int i = 0; i < 2; i++) {
		group[i] = OK(new_group(FAN_CLASS_CONTENT, join(i ? w->plain : w->mnt, "d/large"),
					0, FAN_ACCESS_PERM));
		child[i] = OK(answering(group[i], FAN_DENY));
	}
	OPEN_BOTH(before, "d/large", O_RDONLY);
	BOTH_FAIL(EPERM, one_byte(F(before)));
	BOTH_OK(use(at, "d/large", O_WRONLY, store_one));
	BOTH_FAIL(EPERM, one_byte(F(before)));
	BOTH_FAIL(EPERM, use(at, "d/large", O_RDONLY, one_byte));
	BOTH_FAIL(EPERM, use(at, "d/large", O_RDWR, copy_to_itself));
	for (int i = 0; i < 2; i++)
		no_more_answers(child[i], group[i]);
	BOTH_OK(one_byte(F(before)));
	CLOSE_BOTH(before);
}

/* A listener does not keep a mount from going. */
TEST_F(fanotify, unmount)
{
	struct world *w = &self->w;
	int group, all;

	group = OK(new_group(WITH_HANDLES, M("d/file"), 0, OF_A_FILE));
	all = OK(new_group(WITH_HANDLES, w->mnt, FAN_MARK_FILESYSTEM, EVERYTHING));
	OK(world_umount(w));
	close(group);
	close(all);
	OK(world_mount(w));
}

TEST_HARNESS_MAIN
