// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control.h"

int control_open(void)
{
	int fd = open("/dev/veneer", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		printf("# control: cannot open /dev/veneer: %s\n", strerror(errno));
	return fd;
}

int stack_open(int dev, const char *const *layers, unsigned int nr,
	       unsigned int flags)
{
	struct veneer_stack_open arg = { .size = sizeof(arg), .flags = flags };
	int fds[4096], ret = -1, err;
	unsigned int n;

	for (n = 0; n < nr && n < sizeof(fds) / sizeof(*fds); n++) {
		fds[n] = open(layers[n], O_PATH | O_CLOEXEC);
		if (fds[n] < 0)
			break;
	}
	if (n == nr) {
		arg.fds = (uintptr_t)fds;
		arg.nr = nr;
		ret = ioctl(dev, VENEER_IOC_STACK_OPEN, &arg);
	}
	err = errno;
	while (n)
		close(fds[--n]);
	errno = err;
	return ret;
}

long stack_id(int fd)
{
	struct veneer_stack_info info = { .size = sizeof(info) };

	return ioctl(fd, VENEER_IOC_STACK_INFO, &info) ? -1 : (long)info.id;
}
