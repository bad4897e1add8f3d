/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a fuzzer of hostile input asks of every system call: that it ends soon, that
 * it can be killed while it has not, and that the kernel complains of nothing.
 *
 * Each process that makes calls has a slot in shared memory, where it says what it
 * is about to do; another process looks.
 */
#ifndef VENEER_TESTS_WATCH_H
#define VENEER_TESTS_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define WATCH_SLOTS 6
#define WATCH_TEXT 80

struct watch_slot {
	uint64_t since;		/* when the call began, in ns; 0: none is being made */
	unsigned long calls;	/* that were made */
	const char *name;	/* of the call; the same in every process */
	char text[WATCH_TEXT];	/* what it is about */
};

struct watch {
	struct watch_slot slot[WATCH_SLOTS];
	double bound;		/* seconds in which a call ends */
	double worst;		/* the slowest one, in seconds, and what it was */
	const char *worst_name;
	unsigned long slow;	/* calls that took longer than the bound */
};

/* Shared by all processes; NULL without memory. */
struct watch *watch_new(double bound);
/* The slot of this process from now on. */
void watch_use(struct watch *w, unsigned int slot);
void watch_begin(const char *name, const char *text);
void watch_end(void);
unsigned long watch_calls(const struct watch *w);

/* A call: its value, with errno. */
#define CALL(name, text, call) ({	\
	watch_begin(name, text);	\
	long __c = (long)(call);	\
	watch_end();			\
	__c;				\
})

/*
 * Waits for a child that leads a process group of its own. When a call in one of the
 * slots takes longer than the bound, or the whole longer than so many seconds, says
 * so and kills the group. The status; -1 when it was too slow; -2 when it has not
 * ended for as long again: then it cannot be killed.
 */
int watch_wait(struct watch *w, pid_t pid, unsigned int seconds);

/* The kernel's log, from now on; -1 when it cannot be read. */
int kmsg_open(void);
/* How often it has complained since the last look; each is printed. */
int kmsg_complaints(int fd);
/* A line in it, of what begins now: should the machine end there, too. */
void kmsg_say(const char *program, unsigned long long seed);

#endif
