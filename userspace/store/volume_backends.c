// SPDX-License-Identifier: GPL-2.0-or-later
/* Volumes that the helper itself keeps: directory, tmpfs, loop; see volume.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/command.h"
#include "mount/mountinfo.h"
#include "store/volume.h"

enum { LOOP_SIZE_MIN = 1 << 20 };

static char *join(const char *directory, const char *name, struct fault *fault)
{
	char *path;

	if (asprintf(&path, "%s/%s", directory, name) < 0) {
		fault_no_memory(fault);
		return NULL;
	}
	return path;
}

static int make_data(int directory, struct fault *fault)
{
	if (!mkdirat(directory, "data", 0755))
		return 0;
	return fault_errno(fault, EXIT_SYSTEM, errno, "cannot make its directory");
}

/* Whether something is mounted on @path itself. -1 with @fault set. */
static int is_mounted(const char *path, struct fault *fault)
{
	struct statx status;

	if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &status) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot look at \"%s\"", path);
	return !!(status.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

static int unmount_data(const char *directory, const json_t *facts, struct fault *fault)
{
	AUTO_FREE char *data = join(directory, "data", fault);
	int mounted = data ? is_mounted(data, fault) : -1;

	(void)facts;
	if (mounted <= 0 || !umount2(data, UMOUNT_NOFOLLOW))
		return mounted < 0 ? -1 : 0;
	return fault_errno(fault, errno == EBUSY ? EXIT_USED : EXIT_MOUNT, errno,
			   "cannot unmount \"%s\"", data);
}

static int directory_make(int directory, const json_t *facts, struct fault *fault)
{
	if (json_number(facts, "size_limit")) {
		fault_set(fault, EXIT_USAGE, "a volume of kind directory has no size limit");
		return fault_advise(fault, "take --backend loop or --backend tmpfs");
	}
	return make_data(directory, fault);
}

static char *directory_use(const char *directory, const json_t *facts, struct fault *fault)
{
	(void)facts;
	return join(directory, "data", fault);
}

static int directory_remove(const char *directory, const json_t *facts, struct fault *fault)
{
	(void)directory;
	(void)facts;
	(void)fault;
	return 0;
}

const struct volume_backend volume_directory = {
	.name = "directory",
	.make = directory_make,
	.use = directory_use,
	.remove = directory_remove,
};

static int tmpfs_make(int directory, const json_t *facts, struct fault *fault)
{
	(void)facts;
	return make_data(directory, fault);
}

static char *tmpfs_use(const char *directory, const json_t *facts, struct fault *fault)
{
	AUTO_FREE char *data = join(directory, "data", fault);
	char options[64] = "mode=0755";
	int mounted = data ? is_mounted(data, fault) : -1;

	if (mounted < 0)
		return NULL;
	if (json_number(facts, "size_limit"))
		snprintf(options, sizeof(options), "mode=0755,size=%lld",
			 (long long)json_number(facts, "size_limit"));
	if (!mounted && mount("veneer-volume", data, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0) {
		fault_errno(fault, EXIT_MOUNT, errno, "cannot mount a tmpfs on \"%s\"", data);
		return NULL;
	}
	return take_string(&data);
}

/* No release: what is in it stays until the volume is removed, or the machine stops. */
const struct volume_backend volume_tmpfs = {
	.name = "tmpfs",
	.make = tmpfs_make,
	.use = tmpfs_use,
	.remove = unmount_data,
};

static int loop_make(int directory, const json_t *facts, struct fault *fault)
{
	uint64_t size = json_number(facts, "size_limit");
	char path[FD_PATH_SIZE + 16];
	const char *const command[] = { "mkfs.ext4", "-q", "-F", "-m", "0", path, NULL };
	AUTO_FD image = -1;

	if (size < LOOP_SIZE_MIN) {
		fault_set(fault, EXIT_USAGE, "a volume of kind loop needs a size limit of at least 1M");
		return fault_advise(fault, "say how large with --size");
	}
	image = openat(directory, "image", O_RDWR | O_CREAT | O_EXCL, 0600);
	if (image < 0 || ftruncate(image, size) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot make its image file");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", image);
	if (command_run(command, fault) < 0)
		return -1;
	return make_data(directory, fault);
}

static char *loop_use(const char *directory, const json_t *facts, struct fault *fault)
{
	AUTO_FREE char *data = join(directory, "data", fault);
	AUTO_FREE char *image = join(directory, "image", fault);
	/* mount(8) finds a loop device and has it go away with the mount. */
	const char *const command[] = { "mount", "-t", "ext4", "-o", "loop,nodev,nosuid", image,
					data, NULL };
	int mounted = data && image ? is_mounted(data, fault) : -1;

	(void)facts;
	if (mounted < 0 || (!mounted && command_run(command, fault) < 0))
		return NULL;
	return take_string(&data);
}

const struct volume_backend volume_loop = {
	.name = "loop",
	.make = loop_make,
	.use = loop_use,
	.release = unmount_data,
	.remove = unmount_data,
};
