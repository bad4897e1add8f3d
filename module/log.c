// SPDX-License-Identifier: GPL-2.0-only
/* Lines in the kernel log: always with our name, never as many as events. */
#include "log.h"

/**
 * veneer_fc_err - say why a mount is refused, to the caller and to the log
 * @fc: the mount's context
 * @fmt: which option, which path, why, and what to do; no newline
 *
 * errorfc() writes to the log by itself when the mount comes from mount(2).
 */
void veneer_fc_err(struct fs_context *fc, const char *fmt, ...)
{
	struct va_format vaf = { .fmt = fmt };
	va_list args;

	va_start(args, fmt);
	vaf.va = &args;
	errorfc(fc, "%pV", &vaf);
	va_end(args);
	if (!fc->log.log)
		return;

	va_start(args, fmt);
	vaf.va = &args;
	pr_err("veneer: %pV\n", &vaf);
	va_end(args);
}
