// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Syncs beside writers: whatever is written meanwhile, a sync has an end, and no
 * complaint.
 *
 * VENEER_SYNCS says how many there are to be at least, for a run by hand.
 */
#include "testing.h"

#include <signal.h>

#define BLOCK 4096
#define SIZE (1 << 20)
#define FILES 24
#define WRITERS 3

static const char *file_name(int writer, int nr)
{
	static char text[32];

	snprintf(text, sizeof(text), "f%d.%d", writer, nr);
	return text;
}

PLAIN_FIXTURE(sync);

FIXTURE_SETUP(sync)
{
	struct world *w = &self->w;

	OK(world_begin(w, IN_LAYER));
	w->no_compare = true;
	for (int i = 0; i < WRITERS * FILES; i++) {
		const char *path = L(file_name(i / FILES, i % FILES));
		int fd = OK(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));

		OK(ftruncate(fd, SIZE));
		close(fd);
	}
	OK(world_mount(w));
}

WORLD_TEARDOWN(sync)

/* Every block of its files, a file after the other, and over again. */
static void writer(const struct world *w, int nr, int rounds)
{
	char block[BLOCK];

	memset(block, 'a' + nr, BLOCK);
	for (int round = 0; round < rounds; round++) {
		for (int i = 0; i < FILES; i++) {
			int fd = open(M(file_name(nr, i)), O_WRONLY | O_CLOEXEC);

			for (int b = 0; b < 24; b++) {
				off_t at = (b * 7 + round) % (SIZE / BLOCK);

				if (pwrite(fd, block, BLOCK, at * BLOCK) != BLOCK)
					_exit(1);
			}
			close(fd);
		}
	}
	_exit(0);
}

TEST_F(sync, beside_writers)
{
	const char *wanted = getenv("VENEER_SYNCS");
	const long syncs = wanted ? atol(wanted) : 50;
	const int rounds = wanted ? 1 << 30 : 2;
	struct world *w = &self->w;
	int left = WRITERS, status;
	pid_t pid[WRITERS];
	long done = 0;

	fflush(NULL);
	for (int i = 0; i < WRITERS; i++) {
		pid[i] = fork();
		if (!pid[i])
			writer(w, i, rounds);
		ASSERT_LT(0, pid[i]);
	}
	while (left && (!wanted || done < syncs)) {
		OK(syncfs(w->mfd));
		done++;
		if (waitpid(-1, &status, WNOHANG) > 0) {
			EXPECT_EQ(0, status);
			left--;
		}
	}
	for (int i = 0; wanted && i < WRITERS; i++)
		kill(pid[i], SIGKILL);
	while (waitpid(-1, &status, 0) > 0)
		;
	for (; done < syncs; done++)
		OK(syncfs(w->mfd));
	if (wanted)
		TH_LOG("%ld syncs", done);
}

TEST_HARNESS_MAIN
