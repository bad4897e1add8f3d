// SPDX-License-Identifier: GPL-2.0-only
/*
 * Control: /dev/veneer, and the ioctls of a mount's files; see uapi/veneer.h.
 *
 * What each kind of file answers stands at the end; what needs more than a
 * few lines is in stack_fd.c and map_ioctl.c.
 */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "control.h"
#include "map_ioctl.h"
#include "mount.h"
#include "stack_fd.h"
#include "uapi/veneer.h"

/* Far above what any struct will have. */
#define MAX_STRUCT	4096

/**
 * veneer_struct_size_ok - can a struct of ours have this size?
 * @size: the size that a caller says
 *
 * Return: 0, %-EINVAL, or %-E2BIG.
 */
int veneer_struct_size_ok(u32 size)
{
	if (size > MAX_STRUCT)
		return -E2BIG;
	/* No field is ever cut in two. */
	return size >= 8 && size % 8 == 0 ? 0 : -EINVAL;
}

/**
 * veneer_struct_in - read a struct that begins with its size
 * @k: receives it; what the caller's does not have is zero
 * @known: size of @k
 * @arg: the caller's
 * @size: receives the size of the caller's; may be %NULL
 */
int veneer_struct_in(void *k, size_t known, const void __user *arg, u32 *size)
{
	u32 given;
	int err;

	if (get_user(given, (const u32 __user *)arg))
		return -EFAULT;
	err = veneer_struct_size_ok(given);
	if (err)
		return err;
	if (size)
		*size = given;
	return copy_struct_from_user(k, known, arg, given);
}

/**
 * veneer_struct_out - write a struct back
 * @arg: the caller's
 * @size: its size, from veneer_struct_in()
 * @k: what to write, of which the caller gets what it knows
 * @known: size of @k
 */
int veneer_struct_out(void __user *arg, u32 size, const void *k, size_t known)
{
	return copy_to_user(arg, k, min_t(size_t, size, known)) ? -EFAULT : 0;
}

static int ioctl_version(void __user *arg)
{
	struct veneer_version k;
	u32 size;
	int err;

	err = veneer_struct_in(&k, sizeof(k), arg, &size);
	if (err)
		return err;
	k = (struct veneer_version) {
		.size		= sizeof(k),
		.api		= VENEER_API_VERSION,
		.features	= VENEER_FEATURE_SPLIT |
				  VENEER_FEATURE_STACK_FD |
				  VENEER_FEATURE_MAP,
		.module		= VENEER_MODULE_VERSION,
	};
	return veneer_struct_out(arg, size, &k, sizeof(k));
}

static int ioctl_counters(const struct veneer_mount *m, void __user *arg)
{
	const struct veneer_stats *stats = &m->stats;
	struct veneer_counters k;
	u32 size;
	int err;

	err = veneer_struct_in(&k, sizeof(k), arg, &size);
	if (err)
		return err;
	k = (struct veneer_counters) {
		.size		= sizeof(k),
		.lookups	= atomic64_read(&stats->lookups),
		.copied_up	= atomic64_read(&stats->copied_up),
		.files_split	= atomic64_read(&stats->files_split),
		.files_whole	= atomic64_read(&stats->files_whole),
		.blocks_copied	= atomic64_read(&stats->blocks_copied),
		.bytes_copied	= atomic64_read(&stats->bytes_copied),
		.bytes_shared	= atomic64_read(&stats->bytes_shared),
		.map_flushes	= atomic64_read(&stats->map_flushes),
		.map_bits	= atomic64_read(&stats->map_bits),
	};
	if (!m->upper)
		k.flags |= VENEER_COUNTERS_READONLY;
	if (m->options.is_volatile)
		k.flags |= VENEER_COUNTERS_VOLATILE;
	if (m->options.userxattr)
		k.flags |= VENEER_COUNTERS_USERXATTR;
	return veneer_struct_out(arg, size, &k, sizeof(k));
}

static int ioctl_get_tunables(const struct veneer_mount *m, void __user *arg)
{
	struct veneer_tunables k;
	u32 size;
	int err;

	err = veneer_struct_in(&k, sizeof(k), arg, &size);
	if (err)
		return err;
	k = (struct veneer_tunables) {
		.size		= sizeof(k),
		.block_shift	= veneer_block_shift(m),
		.whole_limit	= veneer_whole_limit(m),
	};
	return veneer_struct_out(arg, size, &k, sizeof(k));
}

static int ioctl_set_tunables(const struct super_block *sb, void __user *arg)
{
	struct veneer_mount *m = veneer_mount(sb);
	struct veneer_options options = {};
	struct veneer_tunables k;
	u32 size;
	int err;

	err = veneer_struct_in(&k, sizeof(k), arg, &size);
	if (err)
		return err;
	if (!ns_capable(sb->s_user_ns, CAP_SYS_ADMIN))
		return -EPERM;
	if (!m->upper)
		return -EROFS;
	if (!veneer_block_shift_ok(k.block_shift) ||
	    !veneer_whole_limit_ok(k.whole_limit))
		return -EINVAL;

	options.block_shift = k.block_shift;
	options.has_whole_limit =
		size >= offsetofend(struct veneer_tunables, whole_limit);
	options.whole_limit = k.whole_limit;
	veneer_set_tunables(m, &options);
	return 0;
}

/**
 * veneer_ioctl - an ioctl of a file or directory of a mount
 * @file: the file
 * @cmd: VENEER_IOC_*
 * @arg: address of its struct
 */
long veneer_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	const struct super_block *sb = file_inode(file)->i_sb;
	const struct veneer_mount *m = veneer_mount(sb);
	void __user *p = (void __user *)arg;

	switch (cmd) {
	case VENEER_IOC_VERSION:
		return ioctl_version(p);
	case VENEER_IOC_STACK_INFO:
		return veneer_ioctl_stack_info(m->stack, p);
	case VENEER_IOC_COUNTERS:
		return ioctl_counters(m, p);
	case VENEER_IOC_MAP:
		return veneer_ioctl_map(file, p);
	case VENEER_IOC_MAKE_WHOLE:
		return veneer_ioctl_make_whole(file);
	case VENEER_IOC_GET_TUNABLES:
		return ioctl_get_tunables(m, p);
	case VENEER_IOC_SET_TUNABLES:
		return ioctl_set_tunables(sb, p);
	default:
		return -ENOTTY;
	}
}

/**
 * veneer_ioctl_on_stack - an ioctl of a stack's descriptor
 * @file: the file
 * @cmd: VENEER_IOC_*
 * @arg: address of its struct
 */
long veneer_ioctl_on_stack(struct file *file, unsigned int cmd,
			   unsigned long arg)
{
	void __user *p = (void __user *)arg;

	switch (cmd) {
	case VENEER_IOC_VERSION:
		return ioctl_version(p);
	case VENEER_IOC_STACK_INFO:
		return veneer_ioctl_stack_info(veneer_stack_of_file(file), p);
	default:
		return -ENOTTY;
	}
}

static long device_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *p = (void __user *)arg;

	switch (cmd) {
	case VENEER_IOC_VERSION:
		return ioctl_version(p);
	case VENEER_IOC_STACK_OPEN:
		return veneer_ioctl_stack_open(p);
	case VENEER_IOC_STACK_LIST:
		return veneer_ioctl_stack_list(p);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations device_operations = {
	.owner		= THIS_MODULE,
	.open		= nonseekable_open,
	.unlocked_ioctl	= device_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

/* Anybody may ask for the version; what needs a right asks for it. */
static struct miscdevice device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "veneer",
	.fops	= &device_operations,
	.mode	= 0444,
};

int veneer_control_init(void)
{
	/* Each struct in full, with nothing between its fields. */
	BUILD_BUG_ON(sizeof(struct veneer_version) != 48);
	BUILD_BUG_ON(sizeof(struct veneer_stack_open) != 24);
	BUILD_BUG_ON(sizeof(struct veneer_stack_info) != 32);
	BUILD_BUG_ON(sizeof(struct veneer_stack_list) != 24);
	BUILD_BUG_ON(sizeof(struct veneer_counters) != 80);
	BUILD_BUG_ON(sizeof(struct veneer_range) != 24);
	BUILD_BUG_ON(sizeof(struct veneer_map) != 48);
	BUILD_BUG_ON(sizeof(struct veneer_tunables) != 16);
	return misc_register(&device);
}

void veneer_control_exit(void)
{
	misc_deregister(&device);
}
