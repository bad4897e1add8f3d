// SPDX-License-Identifier: GPL-2.0-or-later
/* For people; see human.h. */
#include "base/human.h"

#include <stdio.h>

const char *human_size(uint64_t bytes, char text[SIZE_TEXT])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double size = bytes;
	int unit = 0;

	while (size >= 1024 && unit < 6) {
		size /= 1024;
		unit++;
	}
	snprintf(text, SIZE_TEXT, unit && size < 100 ? "%.1f %s" : "%.0f %s", size, units[unit]);
	return text;
}

bool human_agrees(const char *question)
{
	char answer[16];

	if (!isatty(STDIN_FILENO))
		return false;
	fprintf(stderr, "%s [y/N] ", question);
	return fgets(answer, sizeof(answer), stdin) && (*answer == 'y' || *answer == 'Y');
}
