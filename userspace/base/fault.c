// SPDX-License-Identifier: GPL-2.0-or-later
/* Errors that carry context; see fault.h. */
#include "base/fault.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Used when there is no memory for a better text. Never freed. */
static char no_memory[] = "out of memory";

static void replace_text(struct fault *fault, char *text)
{
	if (fault->text != no_memory)
		free(fault->text);
	fault->text = text ? text : no_memory;
}

static char *format_text(const char *format, va_list args)
{
	char *text;

	return vasprintf(&text, format, args) < 0 ? NULL : text;
}

int fault_set(struct fault *fault, enum exit_code code, const char *format, ...)
{
	va_list args;

	fault->code = code;
	va_start(args, format);
	replace_text(fault, format_text(format, args));
	va_end(args);
	return -1;
}

int fault_errno(struct fault *fault, enum exit_code code, int error,
		const char *format, ...)
{
	AUTO_FREE char *front = NULL;
	char *whole;
	va_list args;

	fault->code = code;
	va_start(args, format);
	front = format_text(format, args);
	va_end(args);
	if (!front || asprintf(&whole, "%s: %s", front, strerror(error)) < 0)
		whole = NULL;
	replace_text(fault, whole);
	return -1;
}

int fault_wrap(struct fault *fault, const char *format, ...)
{
	AUTO_FREE char *front = NULL;
	char *whole;
	va_list args;

	va_start(args, format);
	front = format_text(format, args);
	va_end(args);
	if (!front || asprintf(&whole, "%s: %s", front, fault->text) < 0)
		return -1;
	replace_text(fault, whole);
	return -1;
}

int fault_advise(struct fault *fault, const char *format, ...)
{
	AUTO_FREE char *advice = NULL;
	char *whole;
	va_list args;

	va_start(args, format);
	advice = format_text(format, args);
	va_end(args);
	if (!advice || asprintf(&whole, "%s\n  %s", fault->text, advice) < 0)
		return -1;
	replace_text(fault, whole);
	return -1;
}

int fault_no_memory(struct fault *fault)
{
	fault->code = EXIT_SYSTEM;
	replace_text(fault, NULL);
	return -1;
}

void fault_clear(struct fault *fault)
{
	if (fault->text != no_memory)
		free(fault->text);
	fault->text = NULL;
}

int fault_report(const struct fault *fault)
{
	fprintf(stderr, "%s: %s\n", program_invocation_short_name, fault->text);
	return fault->code;
}

void notice(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}
