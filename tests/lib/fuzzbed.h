/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a data fuzzer works in: files of a layer under a mount, and the same
 * files in a plain directory, with what can be done to the whole: mounted anew,
 * mounted twice, the upper made the top layer of another mount.
 */
#ifndef VENEER_TESTS_FUZZBED_H
#define VENEER_TESTS_FUZZBED_H

#include "dataop.h"
#include "random.h"

#define BED_LAYERS 4
#define BED_HOT 4
/* Larger than this, only the places where something happens are compared. */
#define BED_LARGE (64LL << 20)

struct fuzz_bed {
	char root[256];
	char layer[BED_LAYERS][256], upper[256], work[256];
	char mnt[256], mnt2[256], plain[256];
	int layers, uppers;
	const char *blocksize, *whole_limit;	/* or NULL */
	bool mounted, second;
	struct view view[2];	/* the mount, the plain directory */
	long long size[DATA_FILES];
	long long hot[DATA_FILES][BED_HOT];
	struct timespec made[BED_LAYERS][DATA_FILES];	/* mtime in the layer */
};

/* Chooses the files, makes them, mounts. 0, or -1 with a line printed. */
int bed_begin(struct fuzz_bed *b, const char *root, unsigned long long seed);
int bed_mount(struct fuzz_bed *b);
int bed_umount(struct fuzz_bed *b);
int bed_second(struct fuzz_bed *b);
int bed_deepen(struct fuzz_bed *b);
/* Unmounts and looks whether a layer was written. */
int bed_end(struct fuzz_bed *b);
/* All files hold the same: the number of differences, each printed. */
int bed_compare(struct fuzz_bed *b);
/* The same of two descriptors that can be read. */
int bed_compare_fds(struct fuzz_bed *b, unsigned int file, int mount, int plain,
		    const char *how);

#endif
