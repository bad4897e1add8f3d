// SPDX-License-Identifier: GPL-2.0-only
/*
 * Veneer: a stackable copy-on-write filesystem for container hosts.
 *
 * Two rooms.  The stack (stack.c and what it calls) merges read-only layers,
 * once for every mount that uses the same ones.  The mount (super.c, namei.c,
 * file.c and the rest) puts one upper over one stack, and never counts layers.
 * mount.h has the order of their locks.
 */
#include <linux/fs.h>
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/sysfs.h>

#include "control.h"
#include "inode.h"
#include "kept.h"
#include "listing.h"
#include "mount.h"
#include "stack.h"
#include "usermount.h"

static struct kobject *veneer_kobj;

static ssize_t stacks_show(struct kobject *kobj, struct kobj_attribute *attr,
			   char *buf)
{
	return sysfs_emit(buf, "%u\n", veneer_stack_count());
}

static ssize_t mounts_show(struct kobject *kobj, struct kobj_attribute *attr,
			   char *buf)
{
	return sysfs_emit(buf, "%u\n", veneer_mount_count());
}

static ssize_t kept_files_show(struct kobject *kobj, struct kobj_attribute *attr,
			       char *buf)
{
	return sysfs_emit(buf, "%u\n", veneer_kept_count());
}

/* The same letter as the module's parameter, where it can be changed. */
static ssize_t user_mounts_show(struct kobject *kobj,
				struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%c\n", veneer_user_mounts() ? 'Y' : 'N');
}

static struct kobj_attribute stacks_attribute = __ATTR_RO(stacks);
static struct kobj_attribute mounts_attribute = __ATTR_RO(mounts);
static struct kobj_attribute kept_files_attribute = __ATTR_RO(kept_files);
static struct kobj_attribute user_mounts_attribute = __ATTR_RO(user_mounts);

static const struct attribute * const veneer_attributes[] = {
	&stacks_attribute.attr,
	&mounts_attribute.attr,
	&kept_files_attribute.attr,
	&user_mounts_attribute.attr,
	NULL
};

static int __init veneer_sysfs_init(void)
{
	int err;

	veneer_kobj = kobject_create_and_add("veneer", fs_kobj);
	if (!veneer_kobj)
		return -ENOMEM;

	err = sysfs_create_files(veneer_kobj, veneer_attributes);
	if (err)
		kobject_put(veneer_kobj);
	return err;
}

static int __init veneer_init(void)
{
	int err;

	veneer_name_hash_init();
	err = veneer_kept_init();
	if (err)
		return err;
	err = veneer_stack_init();
	if (err)
		goto err_stack;
	err = veneer_inode_init();
	if (err)
		goto err_inode;
	err = veneer_sysfs_init();
	if (err)
		goto err_sysfs;
	err = register_filesystem(&veneer_fs_type);
	if (err)
		goto err_register;
	/* Last: it can be used as soon as it is there. */
	err = veneer_control_init();
	if (err)
		goto err_control;
	return 0;

err_control:
	unregister_filesystem(&veneer_fs_type);
err_register:
	kobject_put(veneer_kobj);
err_sysfs:
	veneer_inode_exit();
err_inode:
	veneer_stack_exit();
err_stack:
	veneer_kept_exit();
	return err;
}

static void __exit veneer_exit(void)
{
	veneer_control_exit();
	unregister_filesystem(&veneer_fs_type);
	kobject_put(veneer_kobj);
	veneer_inode_exit();
	veneer_stack_exit();
	veneer_kept_exit();
}

module_init(veneer_init);
module_exit(veneer_exit);

MODULE_DESCRIPTION("Stackable copy-on-write filesystem for container hosts");
MODULE_AUTHOR("The Veneer developers");
MODULE_LICENSE("GPL");
MODULE_VERSION(VENEER_MODULE_VERSION);
