/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every test program includes: the kernel's kselftest harness, worlds,
 * and a few macros that say more on failure than a bare ASSERT.
 *
 * Inside a test, `w` is the world. A call that is made both in the mount and in
 * the plain directory is written once, with `at` (the root's file descriptor)
 * and `in` (the root's path) standing for whichever of the two it is:
 *
 *	BOTH(mkdirat(at, "d/new", 0755));
 *	BOTH(truncate(P("d/file"), 10));
 */
#ifndef VENEER_TESTS_TESTING_H
#define VENEER_TESTS_TESTING_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "world.h"

/* An emulated guest with every debug option on takes its time. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 600

#define P(rel) join(in, rel)		/* inside BOTH and SAME */
#define M(rel) join(w->mnt, rel)
#define U(rel) join(w->upper, rel)
#define L(rel) join(w->layer[0], rel)

static inline const char *err_name(long err)
{
	return err ? strerrorname_np(err) ?: "?" : "success";
}

#define __FAIL(stop, fmt, ...) do {				\
	TH_LOG(fmt, ##__VA_ARGS__);				\
	fflush(NULL);						\
	_metadata->exit_code = KSFT_FAIL;			\
	if (stop)						\
		__bail(1, _metadata);				\
} while (0)

/* The call must not fail (-1); its value. Ends the test if it does. */
#define OK(call) ({						\
	errno = 0;						\
	long __r = (long)(call);				\
	if (__r == -1)						\
		__FAIL(1, "%s: %s", #call, err_name(errno));	\
	__r;							\
})

/* The call must fail with this errno; the test goes on in any case. */
#define FAILS(err, call) do {					\
	errno = 0;						\
	long __r = (long)(call);				\
	int __e = __r == -1 ? errno : 0;			\
	if (__e != (err))					\
		__FAIL(0, "%s: expected %s, got %s", #call,	\
		       err_name(err), err_name(__e));		\
} while (0)

/* A condition, with words of one's own. The test goes on. */
#define CHECK(cond, fmt, ...) do {				\
	if (!(cond))						\
		__FAIL(0, "%.50s: " fmt, #cond, ##__VA_ARGS__);	\
} while (0)

#define __BOTH(call, value, text) ({				\
	long __m, __p;						\
	{							\
		int at __attribute__((unused)) = w->mfd;	\
		const char *in __attribute__((unused)) = w->mnt;	\
		errno = 0;					\
		__m = (long)(call);				\
		__m = __m == -1 ? -errno : value ? __m : 0;	\
	}							\
	{							\
		int at __attribute__((unused)) = w->pfd;	\
		const char *in __attribute__((unused)) = w->plain;	\
		errno = 0;					\
		__p = (long)(call);				\
		__p = __p == -1 ? -errno : value ? __p : 0;	\
	}							\
	if (__m != __p)						\
		__FAIL(0, "%s: %ld (%s) in the mount, %ld (%s) on a plain directory", \
		       text, __m, err_name(__m < 0 ? -__m : 0),	\
		       __p, err_name(__p < 0 ? -__p : 0));	\
	__m;							\
})

/*
 * Makes the call in the mount and on the plain directory: both succeed, or
 * both fail with the same errno. The value is 0 or -errno.
 */
#define BOTH(call) __BOTH(call, 0, #call)
/* The same, and the numbers that are returned are the same. */
#define SAME(call) __BOTH(call, 1, #call)
/* Both succeed. */
#define BOTH_OK(call) do {					\
	long __b = __BOTH(call, 0, #call);			\
	if (__b)						\
		__FAIL(0, "%s: %s", #call, err_name(-__b));	\
} while (0)
/* Both fail, with this errno: for what the test itself must be sure of. */
#define BOTH_FAIL(err, call) do {				\
	long __b = __BOTH(call, 0, #call);			\
	if (__b != -(err))					\
		__FAIL(0, "%s: expected %s, got %s", #call,	\
		       err_name(err), err_name(-__b));		\
} while (0)

/*
 * A pair of descriptors, of the mount's object and of the plain one; inside
 * BOTH and SAME, F(fd) is the one that is meant.
 */
#define F(fd) ((fd)[at == w->pfd])
#define OPEN_BOTH(fd, path, flags) do {				\
	(fd)[0] = OK(openat(w->mfd, path, (flags) | O_CLOEXEC));	\
	(fd)[1] = OK(openat(w->pfd, path, (flags) | O_CLOEXEC));	\
} while (0)
#define CLOSE_BOTH(fd) do {					\
	close((fd)[0]);						\
	close((fd)[1]);						\
} while (0)

/* The mount and the plain directory hold the same. */
#define __SAME_TREES(w, when) do {				\
	if (tree_compare((w)->mnt,				\
			 TREE_CHECK | TREE_NLINK | (w)->tree_flags,	\
			 (w)->plain, TREE_NLINK | (w)->tree_flags))	\
		__FAIL(0, "the mount differs from plain " when);	\
} while (0)
#define SAME_TREES(w) __SAME_TREES(w, "now")

/* What a test ends with: compared, remounted, compared, without caches too. */
#define FINISH(w) do {						\
	/* A test that stopped half-way may keep the mount busy. */	\
	if (_metadata->exit_code == KSFT_FAIL && (w)->mounted &&	\
	    !umount2((w)->mnt, MNT_DETACH))			\
		(w)->mounted = false;				\
	if (_metadata->exit_code == KSFT_PASS && (w)->mounted &&	\
	    !(w)->no_compare) {					\
		__SAME_TREES(w, "at the end");			\
		CHECK(!world_remount(w), "after the test");	\
		__SAME_TREES(w, "after a remount");		\
		CHECK(!drop_caches(), "");			\
		__SAME_TREES(w, "with cold caches");		\
	}							\
	CHECK(!world_end(w), "the world did not end well");	\
} while (0)

/* A fixture whose objects are in the layer, the lower layer, the upper, both. */
#define WORLD_FIXTURE(name)					\
	FIXTURE(name) {						\
		struct world w;					\
	};							\
	FIXTURE_VARIANT(name) {					\
		enum where where;				\
	};							\
	FIXTURE_VARIANT_ADD(name, layer) { .where = IN_LAYER };	\
	FIXTURE_VARIANT_ADD(name, lower) { .where = IN_LOWER };	\
	FIXTURE_VARIANT_ADD(name, upper) { .where = IN_UPPER };	\
	FIXTURE_VARIANT_ADD(name, merged) { .where = MERGED }

/* The same without a choice. */
#define PLAIN_FIXTURE(name)					\
	FIXTURE(name) {						\
		struct world w;					\
	}

#define WORLD_TEARDOWN(name)					\
	FIXTURE_TEARDOWN(name)					\
	{							\
		FINISH(&self->w);				\
	}

/*
 * One check inside a test that overlayfs, standing in for Veneer, is known not
 * to pass, and why. A whole test says so by SKIP when world_is_overlay().
 */
#define VENEER_ONLY(why)						\
	(!world_is_overlay() ||						\
	 (({ TH_LOG("not checked, overlayfs: " why); }), false))

/* Runs code in a child; 0 if it left with 0, the exit status, or -1. */
#define IN_CHILD(...) ({					\
	int __s;						\
	pid_t __c;						\
	fflush(NULL);						\
	__c = fork();						\
	if (!__c) {						\
		__VA_ARGS__;					\
		_exit(0);					\
	}							\
	__c < 0 || waitpid(__c, &__s, 0) != __c ? -1 :		\
		WIFEXITED(__s) ? WEXITSTATUS(__s) : -1;		\
})

#endif
