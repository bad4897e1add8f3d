// SPDX-License-Identifier: GPL-2.0-or-later
/* Mount and remount; see fsmount.h. */
#include "mount/fsmount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "mount/mountinfo.h"

/*
 * The longest string that fsconfig(2) takes, without its NUL. A longer path is
 * given as that of an open descriptor.
 */
enum { VALUE_MAX = 255 };

const char *fsmount_type(void)
{
	const char *type = secure_getenv("VENEER_FSTYPE");

	return type && *type ? type : "veneer";
}

/* Add what the kernel noted on the context: "e " errors, "w " warnings, "i " notes. */
static void add_log(int context, struct fault *fault)
{
	char line[1024];
	ssize_t length;

	while ((length = read(context, line, sizeof(line) - 1)) > 0) {
		line[length] = '\0';
		line[strcspn(line, "\n")] = '\0';
		if (length > 2 && line[1] == ' ')
			fault_advise(fault, "the kernel says: %s", line + 2);
	}
}

static void print_log(int context, bool all)
{
	char line[1024];
	ssize_t length;

	while ((length = read(context, line, sizeof(line) - 1)) > 0) {
		line[length] = '\0';
		line[strcspn(line, "\n")] = '\0';
		if (length > 2 && (all || line[0] != 'i'))
			notice("the kernel says: %s", line + 2);
	}
}

static int open_context(const char *type, struct fault *fault)
{
	int context = fsopen(type, FSOPEN_CLOEXEC);

	if (context >= 0)
		return context;
	if (errno == ENODEV) {
		fault_set(fault, EXIT_MOUNT, "the kernel does not know the filesystem \"%s\"",
			  type);
		return fault_advise(fault, "load its module: modprobe %s", type);
	}
	if (errno == EPERM) {
		fault_errno(fault, EXIT_USAGE, errno, "cannot mount");
		return fault_advise(fault, "run it as root (CAP_SYS_ADMIN is needed)");
	}
	return fault_errno(fault, EXIT_MOUNT, errno, "cannot open the filesystem \"%s\"", type);
}

/* An absolute path, so that it still means the same in /proc/mounts. */
static char *absolute(const char *path)
{
	AUTO_FREE char *here = NULL;
	char *whole;

	if (*path == '/' || !*path)
		return strdup(path);
	here = get_current_dir_name();
	if (!here || asprintf(&whole, "%s/%s", strcmp(here, "/") ? here : "", path) < 0)
		return NULL;
	return whole;
}

/* The kernel takes backslashes out of "upperdir" and "workdir", not of "lowerdir+". */
static char *escape_backslashes(const char *path)
{
	char *escaped = malloc(2 * strlen(path) + 1);
	char *to = escaped;

	for (; escaped && *path; path++) {
		if (*path == '\\')
			*to++ = '\\';
		*to++ = *path;
	}
	if (escaped)
		*to = '\0';
	return escaped;
}

static int set_directory(int context, const struct parameter *parameter,
			 struct fault *fault)
{
	AUTO_FREE char *path = absolute(parameter->value);
	AUTO_FREE char *escaped = NULL;
	const char *value = path;
	char short_path[FD_PATH_SIZE];
	AUTO_FD directory = -1;

	if (!path)
		return fault_no_memory(fault);
	if (strcmp(parameter->key, "lowerdir+")) {
		escaped = escape_backslashes(path);
		if (!escaped)
			return fault_no_memory(fault);
		value = escaped;
	}
	if (strlen(value) > VALUE_MAX) {
		directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		snprintf(short_path, sizeof(short_path), "/proc/self/fd/%d", directory);
		value = short_path;
	}
	if ((value != short_path || directory >= 0) &&
	    !fsconfig(context, FSCONFIG_SET_STRING, parameter->key, value, 0))
		return 0;
	fault_errno(fault, EXIT_MOUNT, errno, "option \"%s\": cannot use \"%s\"",
		    parameter->key, path);
	add_log(context, fault);
	return -1;
}

static int set_parameter(int context, const struct parameter *parameter,
			 struct fsmount_flags flags, struct fault *fault)
{
	int result;

	if (options_names_layers(parameter) && parameter->value)
		return set_directory(context, parameter, fault);
	result = fsconfig(context, parameter->value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG,
			  parameter->key, parameter->value, 0);
	if (!result)
		return 0;
	if (flags.sloppy && errno == EINVAL) {
		notice("option \"%s\" is left out: the filesystem does not know it",
		       parameter->key);
		return 0;
	}
	fault_errno(fault, EXIT_MOUNT, errno, "option \"%s%s%s\"", parameter->key,
		    parameter->value ? "=" : "", parameter->value ? parameter->value : "");
	add_log(context, fault);
	return -1;
}

static int set_flag(int context, const char *flag, struct fault *fault)
{
	if (!fsconfig(context, FSCONFIG_SET_FLAG, flag, NULL, 0))
		return 0;
	fault_errno(fault, EXIT_MOUNT, errno, "option \"%s\"", flag);
	add_log(context, fault);
	return -1;
}

static int set_propagation(int mount, const struct mount_options *options,
			   struct fault *fault)
{
	struct mount_attr attr = { .propagation = options->propagation };
	unsigned flags = AT_EMPTY_PATH | (options->propagation_recursive ? AT_RECURSIVE : 0);

	if (!options->propagation || !mount_setattr(mount, "", flags, &attr, sizeof(attr)))
		return 0;
	return fault_errno(fault, EXIT_MOUNT, errno, "cannot set the propagation");
}

/* Configure a context and make a mount of it that is not yet in any place. */
static int create(int context, const char *source, const struct mount_options *options,
		  struct fsmount_flags flags, struct fault *fault)
{
	int mount;

	if (fsconfig(context, FSCONFIG_SET_STRING, "source", source, 0) < 0)
		return fault_errno(fault, EXIT_MOUNT, errno, "source \"%s\"", source);
	for (size_t i = 0; i < options->parameter_count; i++) {
		if (set_parameter(context, &options->parameters[i], flags, fault) < 0)
			return -1;
	}
	if (options->read_only && set_flag(context, "ro", fault) < 0)
		return -1;
	if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
		fault_errno(fault, EXIT_MOUNT, errno, "the filesystem refuses the mount");
		if (errno == EPERM)
			fault_advise(fault, "run it as root (CAP_SYS_ADMIN is needed)");
		add_log(context, fault);
		return -1;
	}
	mount = fsmount(context, FSMOUNT_CLOEXEC, options->attr_set |
			(options->read_only ? MOUNT_ATTR_RDONLY : 0));
	if (mount < 0) {
		fault_errno(fault, EXIT_MOUNT, errno, "cannot make the mount");
		add_log(context, fault);
	}
	return mount;
}

int fsmount_new(const char *type, const char *source, const char *target,
		const struct mount_options *options, struct fsmount_flags flags,
		struct fault *fault)
{
	AUTO_FD place = open(target, O_PATH | O_CLOEXEC);
	AUTO_FD context = -1, mount = -1;

	if (place < 0) {
		fault_errno(fault, EXIT_MOUNT, errno, "cannot mount on \"%s\"", target);
		return errno == ENOENT ? fault_advise(fault, "make the directory first") : -1;
	}
	if (flags.fake)
		return 0;
	context = open_context(type, fault);
	if (context < 0)
		return -1;
	mount = create(context, source, options, flags, fault);
	if (mount < 0)
		return fault_wrap(fault, "cannot mount on \"%s\"", target);
	print_log(context, flags.verbose);
	if (move_mount(mount, "", place, "",
		       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return fault_errno(fault, EXIT_MOUNT, errno, "cannot mount on \"%s\"", target);
	return set_propagation(mount, options, fault);
}

int fsmount_detached(const char *type, const char *source,
		     const struct mount_options *options, struct fault *fault)
{
	AUTO_FD context = open_context(type, fault);
	int mount;

	if (context < 0)
		return -1;
	mount = create(context, source, options, (struct fsmount_flags){ 0 }, fault);
	if (mount >= 0)
		print_log(context, false);
	return mount;
}

/*
 * Whether what is mounted on @target has the parameter already: mount(8) repeats
 * what it finds in /proc/mounts, and a filesystem may refuse to be told again.
 */
static bool in_force(const char *target, const struct parameter *parameter)
{
	CLEANUP(cleanup_table) struct libmnt_table *table = NULL;
	AUTO_FREE char *real = realpath(target, NULL);
	struct fault unread = { 0 };
	struct libmnt_fs *fs;
	const char *options;
	char *value;
	size_t length;

	table = mountinfo_read(&unread);
	fault_clear(&unread);
	fs = table && real ? mountinfo_find(table, real) : NULL;
	options = fs ? mnt_fs_get_fs_options(fs) : NULL;
	if (!options || mnt_optstr_get_option(options, parameter->key, &value, &length))
		return false;
	if (!parameter->value)
		return !length;
	return strlen(parameter->value) == length && !memcmp(parameter->value, value, length);
}

/* The part of a remount that concerns the filesystem and all of its mounts. */
static int reconfigure(int place, const char *target, const struct mount_options *options,
		       struct fsmount_flags flags, struct fault *fault)
{
	AUTO_FD context = fspick(place, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH);

	if (context < 0)
		return fault_errno(fault, EXIT_MOUNT, errno, "cannot remount \"%s\"", target);
	for (size_t i = 0; i < options->parameter_count; i++) {
		/* No remount changes the layers, however they are written. */
		if (options_names_layers(&options->parameters[i]) ||
		    in_force(target, &options->parameters[i]))
			continue;
		if (set_parameter(context, &options->parameters[i], flags, fault) < 0)
			return fault_wrap(fault, "cannot remount \"%s\"", target);
	}
	if ((options->read_only && set_flag(context, "ro", fault) < 0) ||
	    (options->read_write && set_flag(context, "rw", fault) < 0))
		return fault_wrap(fault, "cannot remount \"%s\"", target);
	if (fsconfig(context, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0) {
		fault_errno(fault, EXIT_MOUNT, errno, "cannot remount \"%s\"", target);
		add_log(context, fault);
		return -1;
	}
	print_log(context, flags.verbose);
	return 0;
}

int fsmount_remount(const char *target, const struct mount_options *options,
		    struct fsmount_flags flags, struct fault *fault)
{
	AUTO_FD place = open(target, O_PATH | O_CLOEXEC);
	struct mount_attr attr = {
		.attr_set = options->attr_set,
		.attr_clr = options->attr_clear,
	};

	if (place < 0)
		return fault_errno(fault, EXIT_MOUNT, errno, "cannot remount \"%s\"", target);
	if (flags.fake)
		return 0;
	/* mount(2) sets both: the filesystem, unless "bind", and this mount. */
	if (options->read_only)
		attr.attr_set |= MOUNT_ATTR_RDONLY;
	else
		attr.attr_clr |= MOUNT_ATTR_RDONLY;
	if (!options->bind && reconfigure(place, target, options, flags, fault) < 0)
		return -1;
	if (mount_setattr(place, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return fault_errno(fault, EXIT_MOUNT, errno, "cannot remount \"%s\"", target);
	return set_propagation(place, options, fault);
}
