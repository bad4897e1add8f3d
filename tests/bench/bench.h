/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Measures Veneer beside overlayfs, in the same kernel, in the same minute. */
#ifndef VENEER_BENCH_H
#define VENEER_BENCH_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATH 512

/* The file systems that are compared; PLAIN is the one under both. */
enum { VENEER, OVERLAY, STACKED, PLAIN = STACKED, SYSTEMS };
extern const char *const system_name[SYSTEMS];

extern char work_dir[PATH];	/* everything happens under here */
extern unsigned int rounds;	/* each thing is measured so many times */
extern unsigned int containers;	/* so many are started */

/* Nanoseconds; instructions, where the machine's clock counts those. */
uint64_t now(void);
/* Prints what could not be done and why, and ends the program. */
_Noreturn void die(const char *what, const char *path);
#define MUST(call, what, path) do { if ((call) < 0) die(what, path); } while (0)

/*
 * Which system is the ith of a round? Who comes first pays for the change of job, and
 * who comes after a neighbour finds the layer's pages in the processor's caches: each
 * is everywhere, after each of the others, in so many rounds.
 */
#define ORDERS 6
int take_turns(int i, unsigned int round);
/* The middle one of n, which are sorted. */
uint64_t median(uint64_t *figure, unsigned int n);

void make_dir(const char *path);

/*
 * A mount of layers (top first) with a new upper, called name, of the given
 * system, at work_dir/name/mnt. The time it took.
 */
uint64_t mount_image(int system, const char *const *layer, unsigned int layers,
		     const char *name);
/* The same of Veneer, by a stack's descriptor. */
uint64_t mount_stack(int stack, const char *name);
/* The same, with this option of Veneer's, if it is not NULL. */
uint64_t mount_limit(int system, const char *const *layer, unsigned int layers,
		     const char *name, const char *whole_limit);
/* The time it took; upper and workdir stay. */
uint64_t unmount_only(const char *name);
void unmount_image(const char *name);
/* The mount point; valid for 32 calls. */
const char *image_root(const char *name);
/* The same of an image that has its system's name, or work_dir/plain. */
const char *system_root(int system);

#define MIB (1ULL << 20)

/* The nth file of a directory; valid for 32 calls. */
const char *file_name(const char *root, unsigned int n);
/* Makes a file of that size, of which the first data bytes are no hole; no sync. */
void make_file(const char *path, unsigned long long size, unsigned long long data);
/*
 * Makes directories, layer[0] and so on, to be freed, and files spread over them: of
 * every directory each layer has some.
 */
void make_layers(const char *root, char **layer, unsigned int layers, unsigned int dirs,
		 unsigned int files, void (*make)(const char *path));
/* The blocks of all that is under a path, in KiB, each file once. */
unsigned long long used(int at, const char *name);
/* What is in the page cache. */
unsigned long long cached_kib(void);

void bench_walk(void);
void bench_io(void);
void bench_split(void);
void bench_steady(void);
void bench_start(void);
void bench_sync(void);
void bench_limit(void);
void bench_clone(void);

#endif
