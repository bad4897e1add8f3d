// SPDX-License-Identifier: GPL-2.0-or-later
/* Project quotas; see quota.h. */
#include "mount/quota.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

static int control(int fd, int command, uint32_t project, void *argument)
{
	/* As QCMD() does, but on numbers that may be shifted so far. */
	unsigned both = (unsigned)command << SUBCMDSHIFT | (PRJQUOTA & SUBCMDMASK);

	return syscall(SYS_quotactl_fd, fd, both, project, argument);
}

static int join_project(int object, const char *name, uint32_t project, struct fault *fault)
{
	AUTO_FD fd = openat(object, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct fsxattr attributes;

	if (fd >= 0 && !ioctl(fd, FS_IOC_FSGETXATTR, &attributes)) {
		attributes.fsx_projid = project;
		attributes.fsx_xflags |= FS_XFLAG_PROJINHERIT;
		if (!ioctl(fd, FS_IOC_FSSETXATTR, &attributes))
			return 0;
	}
	fault_errno(fault, EXIT_SYSTEM, errno,
		    "a size limit needs project quotas, which the store's filesystem does not have");
	return fault_advise(fault, "ext4: tune2fs -O project,quota on the unmounted disk; xfs has them");
}

int quota_set(int object, uint32_t project, uint64_t bytes, struct fault *fault)
{
	struct if_dqblk limit = {
		.dqb_bhardlimit = (bytes + QIF_DQBLKSIZE - 1) / QIF_DQBLKSIZE,
		.dqb_bsoftlimit = 0,
		.dqb_valid = QIF_BLIMITS,
	};
	struct if_dqblk found = { 0 };

	/* The limit first: a project without one would grow unseen. */
	if (control(object, Q_SETQUOTA, project, &limit) < 0 ||
	    control(object, Q_GETQUOTA, project, &found) < 0 ||
	    found.dqb_bhardlimit != limit.dqb_bhardlimit) {
		fault_errno(fault, EXIT_SYSTEM, errno,
			    "a size limit needs project quotas, and those of the store's filesystem are off");
		return fault_advise(fault, "mount it with the option prjquota");
	}
	if (join_project(object, "upper", project, fault) < 0)
		return -1;
	return join_project(object, "work", project, fault);
}

void quota_clear(int fd, uint32_t project)
{
	struct if_dqblk none = { .dqb_valid = QIF_BLIMITS };

	control(fd, Q_SETQUOTA, project, &none);
}

/* Take the capability out of the effective set, or put it back. */
static bool set_resource(bool wanted)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	bool had;

	if (syscall(SYS_capget, &header, data) < 0)
		return false;
	had = data[0].effective & CAP_TO_MASK(CAP_SYS_RESOURCE);
	if (wanted)
		data[0].effective |= CAP_TO_MASK(CAP_SYS_RESOURCE);
	else
		data[0].effective &= ~CAP_TO_MASK(CAP_SYS_RESOURCE);
	syscall(SYS_capset, &header, data);
	return had;
}

bool quota_submit(void)
{
	return set_resource(false);
}

void quota_regain(bool had)
{
	if (had)
		set_resource(true);
}
