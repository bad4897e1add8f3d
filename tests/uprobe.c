// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Probes in programs (perf, bpftrace): one that is set by a path of the mount is
 * hit by who executes that path, wherever the program's bytes are.
 */
#include "testing.h"
#include "program.h"

#define EVENTS "/sys/kernel/tracing/uprobe_events"
#define EVENT "/sys/kernel/tracing/events/veneer_test/hit"
#define TRACE "/sys/kernel/tracing/trace"
/*
 * With names of commands on record, the first event has probes put into the
 * scheduler. A machine that is emulated with two processors does not always
 * survive that the kernel's code is patched.
 */
#define RECORD_NAMES "/sys/kernel/tracing/options/record-cmd"

FIXTURE(uprobe) {
	struct world w;
	char names[8];	/* what RECORD_NAMES was */
};

/* Not by truncating: that would remove the probes of everybody. */
static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return n < 0 ? -1 : 0;
}

FIXTURE_SETUP(uprobe)
{
	struct world *w = &self->w;

	OK(world_begin(w, IN_LAYER));
	OK(put_dir(w, "d", 0755));
	/* Large enough to be split when it is written. */
	OK(put_program(w, "d/program"));
	OK(truncate(L("d/program"), 1 << 22));
	OK(truncate(join(w->plain, "d/program"), 1 << 22));
	OK(world_mount(w));
	if (access(EVENTS, W_OK))
		SKIP(return, "this kernel has no uprobe events");
	OK(read_text(RECORD_NAMES, self->names, sizeof(self->names)));
	OK(put(RECORD_NAMES, "0"));
}

/* Where in the program's file program_leave() is; 0 if that cannot be told. */
static unsigned long offset_of_leaving(void)
{
	const unsigned long addr = (unsigned long)program_leave;
	unsigned long from, to, offset, found = 0;
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[PATH_MAX];

	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %*s %lx", &from, &to, &offset) == 3 &&
		    addr >= from && addr < to)
			found = addr - from + offset;
	if (maps)
		fclose(maps);
	return found;
}

static int set_probe(const char *path)
{
	char text[PATH_MAX];

	snprintf(text, sizeof(text), "p:veneer_test/hit %s:%#lx", path, offset_of_leaving());
	return put(EVENTS, text) || put(EVENT "/enable", "1") || write_text(TRACE, "") ? -1 : 0;
}

static int remove_probe(void)
{
	return put(EVENT "/enable", "0") || put(EVENTS, "-:veneer_test/hit") ? -1 : 0;
}

FIXTURE_TEARDOWN(uprobe)
{
	remove_probe();
	if (*self->names)
		put(RECORD_NAMES, self->names);
	FINISH(&self->w);
}

static int hits(void)
{
	FILE *trace = fopen(TRACE, "re");
	char line[1024];
	int n = 0;

	while (trace && fgets(line, sizeof(line), trace))
		n += line[0] != '#' && strstr(line, " hit: ");
	if (trace)
		fclose(trace);
	return n;
}

/* Sets a probe and runs the program: it is hit once. */
#define IS_HIT(path, what) do {						\
	OK(set_probe(path));						\
	EXPECT_EQ(PROGRAM_RAN, program_run(path));					\
	CHECK(hits() == 1, "%s: %d hits", what, hits());		\
	OK(remove_probe());						\
} while (0)

TEST_F(uprobe, wherever_the_bytes_are)
{
	struct world *w = &self->w;
	const char *path = strdup(M("d/program"));

	IS_HIT(join(w->plain, "d/program"), "plain");
	IS_HIT(path, "of the layer");
	OK(world_remount(w));
	OK(drop_caches());
	IS_HIT(path, "of the layer, nothing of it in memory");
	BOTH_OK(fchmodat(at, "d/program", 0700, 0));
	IS_HIT(path, "with metadata in the upper");
	BOTH_OK(store_at(P("d/program"), "x", 1, (1 << 22) - 1));
	IS_HIT(path, "with one block in the upper");
	OK(world_remount(w));
	IS_HIT(path, "with one block in the upper, after a remount");
	OK(world_deepen(w));
	IS_HIT(path, "in two layers");
	OK(world_remount(w));
	OK(drop_caches());
	IS_HIT(path, "in two layers, nothing of it in memory");
	BOTH_OK(truncate(P("d/program"), (1 << 22) - 5000));
	IS_HIT(path, "in two layers and the upper");
	free((char *)path);
}

/* All of it in the upper. */
TEST_F(uprobe, whole)
{
	struct world *w = &self->w;
	const char *copy = strdup(M("d/copy"));
	static char buf[1 << 22];

	for (int i = 0; i < 2; i++) {
		const char *in = i ? w->plain : w->mnt;
		int from = OK(open(P("d/program"), O_RDONLY | O_CLOEXEC));
		int to = OK(open(P("d/copy"), O_WRONLY | O_CREAT | O_CLOEXEC, 0755));

		EXPECT_EQ(sizeof(buf), OK(read(from, buf, sizeof(buf))));
		EXPECT_EQ(sizeof(buf), OK(write(to, buf, sizeof(buf))));
		close(from);
		close(to);
	}
	IS_HIT(copy, "made in the mount");
	OK(world_remount(w));
	IS_HIT(copy, "made in the mount, after a remount");
	free((char *)copy);
}

TEST_HARNESS_MAIN
