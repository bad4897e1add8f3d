// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shrink.h"

void shrink(void *list, size_t size, unsigned int *count, unsigned int seconds,
	    bool (*fails)(void *), void *arg)
{
	time_t end = time(NULL) + seconds;
	unsigned int left = *count;
	char *all = list, *best = malloc(left * size);

	if (!best)
		return;
	memcpy(best, all, left * size);
	for (unsigned int part = left / 2; part; part /= 2)
		for (unsigned int at = 0; at < left && time(NULL) < end; ) {
			unsigned int n = part < left - at ? part : left - at;

			memcpy(all, best, at * size);
			memcpy(all + at * size, best + (at + n) * size, (left - at - n) * size);
			*count = left - n;
			if (*count && fails(arg)) {
				left = *count;
				memcpy(best, all, left * size);
			} else {
				at += n;
			}
		}
	memcpy(all, best, left * size);
	*count = left;
	free(best);
}
