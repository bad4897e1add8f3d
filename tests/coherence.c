// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whoever looks at a file sees what was written last: descriptors and mappings
 * from before the first write, through another mount, in the same page.
 */
#include "testing.h"

#include <signal.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define SIZE (2 << 20)
#define PAGE 4096

FIXTURE(coherence) {
	struct world w;
	char second[WORLD_PATH];
};

FIXTURE_SETUP(coherence)
{
	struct world *w = &self->w;

	if (world_is_overlay())
		SKIP(return, "overlayfs shows the layer's file to who opened it before");
	OK(world_begin(w, IN_LAYER));
	OK(put_pattern(w, "file", SIZE, 1));
	OK(world_mount(w));
	snprintf(self->second, sizeof(self->second), "%s", join(w->root, "second"));
	OK(mkdir(self->second, 0755));
	w->no_compare = true;
}

FIXTURE_TEARDOWN(coherence)
{
	if (!world_is_overlay()) {
		umount2(self->second, 0);
		FINISH(&self->w);
	}
}

static int mount_second(struct world *w, const char *at)
{
	const char *option[][2] = {
		{ "source", "none" }, { "lowerdir+", w->layer[0] }, { "upperdir", w->upper },
		{ "workdir", w->work }, { },
	};
	int fd = fs_mount(world_fstype(), option, 0, at, w->log, sizeof(w->log));

	return fd < 0 ? fd : close(fd);
}

static void *map(int fd, int prot)
{
	void *p = mmap(NULL, SIZE, prot, MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

static bool reads(int fd, off_t off, const char *text)
{
	char buf[32];
	int len = strlen(text);

	return pread(fd, buf, len, off) == len && !memcmp(buf, text, len);
}

TEST_F(coherence, descriptors)
{
	struct world *w = &self->w;
	int before, direct, writer, other, after;

	OK(mount_second(w, self->second));
	before = OK(openat(w->mfd, "file", O_RDONLY | O_CLOEXEC));
	other = OK(open(join(self->second, "file"), O_RDONLY | O_CLOEXEC));
	writer = OK(openat(w->mfd, "file", O_RDWR | O_CLOEXEC));
	direct = openat(w->mfd, "file", O_RDWR | O_DIRECT | O_CLOEXEC);
	/* In one page, in two, in a page that was read already, at the end. */
	for (int i = 0; i < 4; i++) {
		static const off_t off[] = { 100, 3 * PAGE - 2, 100 + 10 * PAGE, SIZE - 3 };
		char text[] = "write 0";

		text[6] += i;
		CHECK(!reads(before, off[i], text), "the test is no test");
		OK(pwrite(writer, text, 7, off[i]));
		after = OK(openat(w->mfd, "file", O_RDONLY | O_CLOEXEC));
		CHECK(reads(writer, off[i], text), "%d: not to the writer", i);
		CHECK(reads(before, off[i], text), "%d: not to one from before", i);
		CHECK(reads(other, off[i], text), "%d: not through another mount", i);
		CHECK(reads(after, off[i], text), "%d: not to a new one", i);
		close(after);
	}
	if (direct >= 0) {
		static char block[PAGE] __attribute__((aligned(PAGE)));

		memset(block, 'd', sizeof(block));
		OK(pwrite(direct, block, PAGE, 20 * PAGE));
		CHECK(reads(before, 20 * PAGE + 5, "ddd"), "O_DIRECT, from before");
		CHECK(reads(other, 20 * PAGE + 5, "ddd"), "O_DIRECT, another mount");
		OK(pwrite(writer, "buffered", 8, 20 * PAGE));
		OK(pread(direct, block, PAGE, 20 * PAGE));
		CHECK(!memcmp(block, "buffered", 8), "buffered, read with O_DIRECT");
		close(direct);
	}
	close(before);
	close(other);
	close(writer);
}

TEST_F(coherence, writable_mappings)
{
	struct world *w = &self->w;
	int fd = OK(openat(w->mfd, "file", O_RDWR | O_CLOEXEC)), other;
	char *a, *b;

	OK(mount_second(w, self->second));
	other = OK(open(join(self->second, "file"), O_RDWR | O_CLOEXEC));
	a = map(fd, PROT_READ | PROT_WRITE);
	b = map(other, PROT_READ | PROT_WRITE);
	ASSERT_NE(NULL, a);
	ASSERT_NE(NULL, b);
	/* A store and a write in one page: neither is lost. */
	for (int i = 0; i < 8; i++) {
		off_t at = i * 5 * PAGE;

		a[at + 10] = 'a';
		OK(pwrite(fd, "written", 7, at + 100));
		b[at + 20] = 'b';
		OK(pwrite(other, "WRITTEN", 7, at + 200));
		CHECK(a[at + 10] == 'a' && b[at + 10] == 'a', "page %d: a store is lost", i);
		CHECK(a[at + 20] == 'b' && b[at + 20] == 'b', "page %d: a store is lost", i);
		CHECK(!memcmp(a + at + 100, "written", 7) && !memcmp(b + at + 200, "WRITTEN", 7),
		      "page %d: a mapping does not see a write", i);
		CHECK(reads(fd, at + 10, "a") && reads(other, at + 20, "b") &&
		      reads(fd, at + 200, "WRITTEN"), "page %d: read", i);
		OK(msync(a, SIZE, MS_SYNC));
		CHECK(reads(other, at + 10, "a"), "page %d: after msync", i);
	}
	munmap(a, SIZE);
	munmap(b, SIZE);
	close(fd);
	close(other);
	OK(umount2(self->second, 0));
	OK(world_remount(w));
	fd = OK(openat(w->mfd, "file", O_RDONLY | O_CLOEXEC));
	for (int i = 0; i < 8; i++)
		CHECK(reads(fd, i * 5 * PAGE + 10, "a") && reads(fd, i * 5 * PAGE + 20, "b") &&
		      reads(fd, i * 5 * PAGE + 100, "written") &&
		      reads(fd, i * 5 * PAGE + 200, "WRITTEN"), "page %d after a remount", i);
	close(fd);
}

/* The bytes of a page beside those that were stored are those below. */
TEST_F(coherence, rest_of_the_page)
{
	struct world *w = &self->w;
	int fd = OK(openat(w->mfd, "file", O_RDWR | O_CLOEXEC));
	int plain = OK(openat(w->pfd, "file", O_RDWR | O_CLOEXEC));
	char *m = map(fd, PROT_READ | PROT_WRITE);

	ASSERT_NE(NULL, m);
	for (int i = 0; i < 32; i++) {
		off_t off = i * 7 * PAGE + i * 100;

		if (i & 1)
			m[off] = 'm';
		else
			OK(pwrite(fd, "m", 1, off));
		OK(pwrite(plain, "m", 1, off));
	}
	close(fd);
	close(plain);
	CHECK(!tree_compare(w->mnt, 0, w->plain, 0), "with dirty pages");
	munmap(m, SIZE);
	OK(world_remount(w));
	CHECK(!tree_compare(w->mnt, 0, w->plain, 0), "after a remount");
}

/* Shrinking takes pages out of mappings, and growing brings zeros. */
TEST_F(coherence, truncate_under_a_mapping)
{
	struct world *w = &self->w;
	int fd = OK(openat(w->mfd, "file", O_RDWR | O_CLOEXEC)), status;
	char *m = map(fd, PROT_READ | PROT_WRITE);

	ASSERT_NE(NULL, m);
	m[10 * PAGE] = 'x';
	m[9 * PAGE + 200] = 'x';
	OK(ftruncate(fd, 9 * PAGE + 100));
	status = IN_CHILD({
		signal(SIGBUS, SIG_DFL);
		_exit(m[10 * PAGE]);
	});
	EXPECT_EQ(-1, status);
	OK(ftruncate(fd, SIZE));
	EXPECT_EQ(0, m[10 * PAGE]);
	EXPECT_EQ(0, m[9 * PAGE + 200]);
	EXPECT_EQ(0, m[SIZE - 1]);
	munmap(m, SIZE);
	close(fd);
}

/* A time that was set stays, whenever stored bytes get to the upper. */
TEST_F(coherence, time_set_after_a_store)
{
	const struct timespec set[2] = { { .tv_sec = 1000 }, { .tv_sec = 2000 } };
	struct world *w = &self->w;
	int fd = OK(openat(w->mfd, "file", O_RDWR | O_CLOEXEC));
	char *m = map(fd, PROT_READ | PROT_WRITE);
	struct stat st;

	ASSERT_NE(NULL, m);
	m[PAGE] = 's';
	OK(futimens(fd, set));
	OK(msync(m, SIZE, MS_SYNC));
	OK(fsync(fd));
	OK(fstat(fd, &st));
	EXPECT_EQ(2000, st.st_mtime);
	munmap(m, SIZE);
	close(fd);
	OK(world_remount(w));
	OK(fstatat(w->mfd, "file", &st, 0));
	EXPECT_EQ(2000, st.st_mtime);
}

/*
 * Into a pipe, what a mapping has written and no file has yet. In an order in which
 * lockdep would see a pipe wait for who writes back, and the other way round.
 */
TEST_F(coherence, pipe_of_stored_bytes)
{
	static char block[PAGE] __attribute__((aligned(PAGE)));
	struct world *w = &self->w;
	int fd = OK(openat(w->mfd, "file", O_RDWR | O_CLOEXEC));
	int direct = openat(w->mfd, "file", O_RDONLY | O_DIRECT | O_CLOEXEC);
	char *m = map(fd, PROT_READ | PROT_WRITE);
	loff_t off = 50 * PAGE + 10;
	int p[2];

	ASSERT_NE(NULL, m);
	OK(pipe2(p, O_CLOEXEC));
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 60 * PAGE + 1, 100));
	ASSERT_EQ(4, write(p[1], "into", 4));
	EXPECT_EQ(4, OK(splice(p[0], NULL, fd, &off, 4, 0)));

	memcpy(m + PAGE, "stored", 6);
	off = PAGE;
	EXPECT_EQ(PAGE, OK(splice(fd, &off, p[1], NULL, PAGE, 0)));
	EXPECT_EQ(PAGE, OK(read(p[0], block, PAGE)));
	CHECK(!memcmp(block, "stored", 6), "old bytes came out of the pipe");
	if (direct >= 0) {
		memcpy(m + PAGE, "direct", 6);
		off = PAGE;
		EXPECT_EQ(PAGE, OK(splice(direct, &off, p[1], NULL, PAGE, 0)));
		EXPECT_EQ(PAGE, OK(read(p[0], block, PAGE)));
		CHECK(!memcmp(block, "direct", 6), "old bytes came, with O_DIRECT");
		close(direct);
	}
	CHECK(reads(fd, 50 * PAGE + 10, "into"), "not what the pipe held");
	munmap(m, SIZE);
	close(fd);
	close(p[0]);
	close(p[1]);
}

/* A read-only mapping from before the first write shows that, and ends as the file does. */
TEST_F(coherence, read_only_mapping)
{
	struct world *w = &self->w;
	int fd = OK(openat(w->mfd, "file", O_RDONLY | O_CLOEXEC));
	int writer = OK(openat(w->mfd, "file", O_RDWR | O_CLOEXEC));
	volatile char *m = mmap(NULL, 3 * PAGE, PROT_READ, MAP_SHARED, fd, 10 * PAGE);
	char first;

	ASSERT_NE(MAP_FAILED, (void *)m);
	first = m[PAGE];
	/* Moved, and longer: the new page has never been looked at. */
	m = mremap((void *)m, 3 * PAGE, 4 * PAGE, MREMAP_MAYMOVE);
	ASSERT_NE(MAP_FAILED, (void *)m);
	EXPECT_EQ(first, m[PAGE]);
	OK(pwrite(writer, "written", 7, 11 * PAGE));
	CHECK(!memcmp((char *)m + PAGE, "written", 7), "a page that was mapped is old");
	OK(pwrite(writer, "written", 7, 13 * PAGE));
	CHECK(!memcmp((char *)m + 3 * PAGE, "written", 7), "a page that came later is old");
	OK(pwrite(writer, "again", 5, 11 * PAGE));
	CHECK(!memcmp((char *)m + PAGE, "againen", 7), "the second write is not there");
	close(OK(openat(w->mfd, "file", O_WRONLY | O_TRUNC | O_CLOEXEC)));
	EXPECT_EQ(-1, IN_CHILD({
		signal(SIGBUS, SIG_DFL);
		_exit(m[PAGE]);
	}));
	munmap((void *)m, 4 * PAGE);
	close(fd);
	close(writer);
}

/* How many zeros does somebody meet who reads what others append, as it comes? */
static int follow(int at)
{
	static char part[16 * PAGE], buf[64 * PAGE];
	const off_t end = SIZE + 60 * (off_t)sizeof(part);
	int fd = openat(at, "file", O_RDWR | O_APPEND | O_CLOEXEC), status = 0;
	char *m = map(fd, PROT_READ | PROT_WRITE);
	pid_t reader;

	if (!m)
		return -1;
	m[PAGE] = 'm';
	reader = fork();
	if (reader < 0)
		return -1;
	if (!reader) {
		off_t pos = SIZE;
		int zeros = 0;

		while (pos < end) {
			ssize_t n = pread(fd, buf, sizeof(buf), pos);

			if (n < 0)
				_exit(255);
			for (ssize_t i = 0; i < n; i++)
				zeros += !buf[i];
			pos += n;
		}
		_exit(zeros > 254 ? 254 : zeros);
	}
	memset(part, 'a', sizeof(part));
	for (off_t pos = SIZE; pos < end; pos += sizeof(part))
		if (write(fd, part, sizeof(part)) != sizeof(part)) {
			kill(reader, SIGKILL);
			break;
		}
	waitpid(reader, &status, 0);
	munmap(m, SIZE);
	close(fd);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Also while the file is mapped, it gets longer when its bytes are there. */
TEST_F(coherence, follow_what_is_appended)
{
	struct world *w = &self->w;

	EXPECT_EQ(0, follow(w->pfd));
	EXPECT_EQ(0, follow(w->mfd));
}

/* A private mapping's own changes stay its own. */
TEST_F(coherence, private)
{
	struct world *w = &self->w;
	int fd = OK(openat(w->mfd, "file", O_RDWR | O_CLOEXEC));
	char *m = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	ASSERT_NE(MAP_FAILED, m);
	memcpy(m + PAGE, "private", 7);
	CHECK(!reads(fd, PAGE, "private"), "a private store is in the file");
	OK(pwrite(fd, "file", 4, PAGE));
	CHECK(!memcmp(m + PAGE, "private", 7), "a write is in a private page");
	munmap(m, SIZE);
	/* Made after the first write, it shows that. */
	m = mmap(NULL, SIZE, PROT_READ, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, m);
	CHECK(!memcmp(m + PAGE, "file", 4), "a new private mapping shows old bytes");
	munmap(m, SIZE);
	close(fd);
}

TEST_HARNESS_MAIN
