// SPDX-License-Identifier: GPL-2.0-or-later
/* Asking the module; see ask.h. */
#include "verbs/ask.h"

#include <errno.h>
#include <sys/ioctl.h>

int ask(int fd, unsigned long request, void *answer, const char *word, struct fault *fault)
{
	int error;

	if (!ioctl(fd, request, answer))
		return 0;
	error = errno;
	fault_errno(fault, error == EPERM ? EXIT_USAGE : EXIT_SYSTEM, error,
		    "cannot ask about \"%s\"", word);
	if (error == ENOTTY)
		fault_advise(fault, "it is not on a mount of the veneer filesystem, or the module is older than this program");
	return -1;
}
