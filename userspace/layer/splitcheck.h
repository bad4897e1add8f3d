/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether the split files of an upper, or a layer, have good records and maps. */
#ifndef VENEER_SPLITCHECK_H
#define VENEER_SPLITCHECK_H

#include "base/fault.h"

/* Told of each problem. @path is from the upper's root. */
typedef int splitcheck_fn(void *context, const char *path, const char *problem,
			  struct fault *fault);

/*
 * @upper must not be mounted: a map is written behind its file. @files counts the
 * split files seen.
 */
int splitcheck(int upper, splitcheck_fn *tell, void *context, unsigned long *files,
	       struct fault *fault);

/* Removes maps that no file of the layer has, and the folder if none is left. */
int split_tidy(int tree, struct fault *fault);

#endif
