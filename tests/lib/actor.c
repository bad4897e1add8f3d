// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "actor.h"

#define ALL_CAPS (~0ULL >> (63 - CAP_LAST_CAP))
#define CAP(name) (1ULL << CAP_##name)

void choose_actors(struct rng *r, struct actor actor[ACTORS])
{
	static const struct actor all[ACTORS] = {
		{ "root", 0, 0, { }, 0, ALL_CAPS, 022 },
		{ "owner", 1000, 1000, { }, 0, 0, 022 },
		{ "other", 1001, 1001, { }, 0, 0, 022 },
		{ "member", 1002, 1002, { 1000, 1003 }, 2, 0, 022 },
		{ "capable", 1003, 1003, { }, 0, 0, 022 },
	};
	static const uint64_t cap[] = {
		CAP(CHOWN), CAP(DAC_OVERRIDE), CAP(DAC_READ_SEARCH), CAP(FOWNER),
		CAP(FSETID), CAP(MKNOD), CAP(SYS_ADMIN), CAP(SETFCAP),
	};
	static const mode_t umasks[] = { 022, 0, 077, 002 };

	memcpy(actor, all, sizeof(all));
	for (unsigned int i = 0; i < sizeof(cap) / sizeof(*cap); i++)
		if (rng_under(r, 3) == 0)
			actor[ACTORS - 1].caps |= cap[i];
	for (int i = 0; i < ACTORS; i++)
		actor[i].umask = umasks[rng_under(r, 4)];
}

static int set_caps(uint64_t effective)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	for (int i = 0; i < 2; i++)
		data[i] = (struct __user_cap_data_struct) {
			.effective = effective >> (32 * i),
			.permitted = ALL_CAPS >> (32 * i),
		};
	return syscall(SYS_capset, &header, data);
}

int become(const struct actor *actor)
{
	umask(actor->umask);
	/* Permitted all remain, for privileged(): only effective ones count. */
	if (setgroups(actor->ngroups, actor->groups) ||
	    setresgid(actor->gid, actor->gid, actor->gid) ||
	    prctl(PR_SET_KEEPCAPS, 1) ||
	    setresuid(actor->uid, actor->uid, actor->uid) || set_caps(actor->caps)) {
		printf("# actor: cannot become %s: %s\n", actor->name, strerror(errno));
		return -1;
	}
	return 0;
}

void privileged(const struct actor *actor, bool on)
{
	if (actor->caps == ALL_CAPS)
		return;
	if (set_caps(on ? ALL_CAPS : actor->caps))
		abort();
}
