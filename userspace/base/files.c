// SPDX-License-Identifier: GPL-2.0-or-later
/* All of a write, all names of a directory; see files.h. */
#include "base/files.h"

#include <errno.h>

/* Part of it. @at: NULL for where the file stands. As write(2), but never 0. */
static ssize_t write_some(int fd, const char *bytes, size_t length, const off_t *at)
{
	ssize_t done;

	do {
		done = at ? pwrite(fd, bytes, length, *at) : write(fd, bytes, length);
	} while (done < 0 && errno == EINTR);
	if (!done) {
		errno = EIO;
		return -1;
	}
	return done;
}

int write_all(int fd, const void *bytes, size_t length)
{
	for (size_t done = 0; done < length;) {
		ssize_t some = write_some(fd, (const char *)bytes + done, length - done, NULL);

		if (some < 0)
			return -1;
		done += some;
	}
	return 0;
}

int write_all_at(int fd, const void *bytes, size_t length, off_t at)
{
	for (size_t done = 0; done < length;) {
		const off_t next = at + done;
		ssize_t some = write_some(fd, (const char *)bytes + done, length - done, &next);

		if (some < 0)
			return -1;
		done += some;
	}
	return 0;
}

DIR *names_open(int fd)
{
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);

	if (!stream)
		cleanup_fd(&fd);
	return stream;
}

const char *names_next(DIR *stream)
{
	const struct dirent *entry;

	do {
		errno = 0;
		entry = readdir(stream);
	} while (entry && (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")));
	return entry ? entry->d_name : NULL;
}
