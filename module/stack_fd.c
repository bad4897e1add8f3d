// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stack descriptors: open files that keep a stack, and what is known of it.
 *
 * Such a file has nothing to read; it can be closed, asked about, and given to
 * a mount in the place of the layers' names.
 */
#include <linux/anon_inodes.h>
#include <linux/capability.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/slab.h>

#include "control.h"
#include "log.h"
#include "mount.h"
#include "options.h"
#include "stack.h"
#include "stack_fd.h"
#include "uapi/veneer.h"
#include "workdir.h"

/* How many stacks VENEER_IOC_STACK_LIST writes at most. */
#define MAX_LISTED	65536

/**
 * struct veneer_pin - a stack that is kept, the private_data of its file
 * @stack: the stack; an active reference
 * @names: the layers' absolute paths when it was opened, as many as the stack
 *	was asked for with
 *
 * Never changes; lives as long as the file.
 */
struct veneer_pin {
	struct super_block	*stack;
	char			**names;
};

static void pin_free(struct veneer_pin *pin)
{
	if (pin->stack) {
		const unsigned int nr = veneer_stack(pin->stack)->nr_keys;

		for (unsigned int i = 0; pin->names && i < nr; i++)
			kfree(pin->names[i]);
		veneer_stack_count_pins(pin->stack, -1);
		veneer_stack_put(pin->stack);
	}
	kvfree(pin->names);
	kfree(pin);
}

static int pin_release(struct inode *inode, struct file *file)
{
	pin_free(file->private_data);
	return 0;
}

static const struct file_operations pin_operations = {
	.owner		= THIS_MODULE,
	.release	= pin_release,
	.unlocked_ioctl	= veneer_ioctl_on_stack,
	.compat_ioctl	= compat_ptr_ioctl,
	.llseek		= noop_llseek,
};

/**
 * veneer_stack_of_file - the stack that an open file keeps
 * @file: any file
 *
 * Return: the stack, which lives as long as @file; %NULL when it keeps none.
 */
struct super_block *veneer_stack_of_file(const struct file *file)
{
	const struct veneer_pin *pin = file->private_data;

	return file->f_op == &pin_operations ? pin->stack : NULL;
}

static int check_stack_file(struct fs_context *fc,
			    const struct veneer_options *options,
			    const struct super_block *stack)
{
	if (options->nr_layers) {
		veneer_fc_err(fc, "stack: layers are given besides it; name them once");
		return -EINVAL;
	}
	/* What it knows was found out with its opener's rights. */
	if (!veneer_stack_may_use(stack, fc->cred)) {
		veneer_fc_err(fc, "stack: was opened with other credentials; open it with those of the mounter");
		return -EPERM;
	}
	if (options->userxattr && !veneer_stack(stack)->userxattr) {
		veneer_fc_err(fc, "userxattr: the stack was opened without; open it with VENEER_STACK_USERXATTR");
		return -EINVAL;
	}
	return 0;
}

/**
 * veneer_stack_file_layers - take the layers from a stack's descriptor
 * @fc: the context, for messages
 * @options: the options, with a stack_file
 *
 * A layer that the stack has no use for has a name, but no path.
 */
int veneer_stack_file_layers(struct fs_context *fc,
			     struct veneer_options *options)
{
	const struct veneer_pin *pin = options->stack_file->private_data;
	const struct veneer_stack *stack = veneer_stack(pin->stack);
	int err;

	err = check_stack_file(fc, options, pin->stack);
	if (err)
		return err;

	/* There may be room already, for layers that were taken back. */
	kvfree(options->layers);
	kvfree(options->layer_names);
	options->room = 0;
	options->layers = kvcalloc(stack->nr_keys, sizeof(*options->layers),
				   GFP_KERNEL);
	options->layer_names = kvcalloc(stack->nr_keys,
					sizeof(*options->layer_names),
					GFP_KERNEL);
	if (!options->layers || !options->layer_names)
		return -ENOMEM;
	options->room = stack->nr_keys;
	options->userxattr = stack->userxattr;

	for (unsigned int i = 0; i < stack->nr_keys; i++) {
		options->layer_names[i] = kstrdup(pin->names[i], GFP_KERNEL);
		if (!options->layer_names[i])
			return -ENOMEM;
		if (i < stack->nr_layers) {
			options->layers[i].mnt = stack->layers[i];
			options->layers[i].dentry = stack->layers[i]->mnt_root;
			path_get(&options->layers[i]);
		}
		options->nr_layers++;
	}
	return 0;
}

static int add_fd(struct fs_context *fc, int fd)
{
	struct file *file = fget_raw(fd);
	char name[32];
	int err;

	snprintf(name, sizeof(name), "descriptor %d", fd);
	if (!file) {
		veneer_fc_err(fc, "stack: there is no %s", name);
		return -EBADF;
	}
	err = veneer_options_add_path(fc, fc->fs_private, "stack", name,
				      &file->f_path);
	fput(file);
	return err;
}

static int add_fds(struct fs_context *fc, const struct veneer_stack_open *arg)
{
	const s32 __user *fds = u64_to_user_ptr(arg->fds);
	int err = 0;

	for (unsigned int i = 0; i < arg->nr && !err; i++) {
		s32 fd;

		err = get_user(fd, fds + i) ? -EFAULT : add_fd(fc, fd);
	}
	return err;
}

static struct veneer_pin *pin_make(struct fs_context *fc,
				   const struct veneer_stack_open *arg)
{
	struct veneer_options *options = fc->fs_private;
	struct veneer_pin *pin;
	struct super_block *stack;
	int err;

	err = add_fds(fc, arg);
	if (!err)
		err = veneer_flush_live_layers(fc, options);
	if (err)
		return ERR_PTR(err);

	pin = kzalloc(sizeof(*pin), GFP_KERNEL);
	if (!pin)
		return ERR_PTR(-ENOMEM);
	stack = veneer_stack_get(fc, options->layers, options->nr_layers,
				 arg->flags & VENEER_STACK_USERXATTR);
	if (IS_ERR(stack)) {
		kfree(pin);
		return ERR_CAST(stack);
	}

	pin->stack = stack;
	veneer_stack_count_pins(stack, 1);
	veneer_options_put_paths(options);
	pin->names = options->layer_names;
	options->layer_names = NULL;
	options->nr_layers = 0;
	return pin;
}

/**
 * veneer_ioctl_stack_open - VENEER_IOC_STACK_OPEN
 * @arg: address of a struct veneer_stack_open
 *
 * Return: a descriptor, or a negative error.
 */
int veneer_ioctl_stack_open(void __user *arg)
{
	struct veneer_stack_open k;
	struct veneer_pin *pin;
	struct fs_context *fc;
	struct file *file;
	int fd, err;

	err = veneer_struct_in(&k, sizeof(k), arg, NULL);
	if (err)
		return err;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (k.flags & ~VENEER_STACK_USERXATTR || k.reserved || !k.nr ||
	    k.nr > VENEER_MAX_LAYERS)
		return -EINVAL;

	/* As a mount by this caller would have it. */
	fc = fs_context_for_mount(&veneer_fs_type, SB_RDONLY);
	if (IS_ERR(fc))
		return PTR_ERR(fc);
	pin = pin_make(fc, &k);
	put_fs_context(fc);
	if (IS_ERR(pin))
		return PTR_ERR(pin);

	file = anon_inode_getfile("[veneer-stack]", &pin_operations, pin,
				  O_RDONLY);
	if (IS_ERR(file)) {
		pin_free(pin);
		return PTR_ERR(file);
	}
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		fput(file);
	else
		fd_install(fd, file);
	return fd;
}

static void fill_info(const struct veneer_stack *stack,
		      struct veneer_stack_info *info)
{
	*info = (struct veneer_stack_info) {
		.size	= sizeof(*info),
		.layers	= stack->nr_keys,
		.id	= stack->id,
		.mounts	= atomic_read(&stack->mounts),
		.pins	= atomic_read(&stack->pins),
		.flags	= stack->userxattr ? VENEER_STACK_USERXATTR : 0,
	};
}

/**
 * veneer_ioctl_stack_info - VENEER_IOC_STACK_INFO
 * @stack: the stack
 * @arg: address of a struct veneer_stack_info
 */
int veneer_ioctl_stack_info(struct super_block *stack, void __user *arg)
{
	struct veneer_stack_info k;
	u32 size;
	int err;

	err = veneer_struct_in(&k, sizeof(k), arg, &size);
	if (err)
		return err;
	if (k.reserved)
		return -EINVAL;
	fill_info(veneer_stack(stack), &k);
	return veneer_struct_out(arg, size, &k, sizeof(k));
}

struct stack_listing {
	struct veneer_stack_info	*info;
	unsigned int			room;
	unsigned int			nr;
};

static void list_one(const struct veneer_stack *stack, void *arg)
{
	struct stack_listing *listing = arg;

	if (listing->nr < listing->room)
		fill_info(stack, &listing->info[listing->nr]);
	listing->nr++;
}

/* Writes the entries, each as long as the caller knows them. */
static int write_entries(const struct stack_listing *listing,
			 const struct veneer_stack_list *k)
{
	void __user *to = u64_to_user_ptr(k->stacks);
	const unsigned int nr = min(listing->nr, listing->room);
	const size_t known = sizeof(*listing->info);
	int err = 0;

	for (unsigned int i = 0; i < nr && !err; i++, to += k->entry_size) {
		err = veneer_struct_out(to, k->entry_size, &listing->info[i],
					known);
		if (!err && k->entry_size > known &&
		    clear_user(to + known, k->entry_size - known))
			err = -EFAULT;
	}
	return err;
}

/**
 * veneer_ioctl_stack_list - VENEER_IOC_STACK_LIST
 * @arg: address of a struct veneer_stack_list
 */
int veneer_ioctl_stack_list(void __user *arg)
{
	struct stack_listing listing = {};
	struct veneer_stack_list k;
	u32 size;
	int err;

	err = veneer_struct_in(&k, sizeof(k), arg, &size);
	if (err)
		return err;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (k.reserved)
		return -EINVAL;
	err = k.nr ? veneer_struct_size_ok(k.entry_size) : 0;
	if (err)
		return err;

	/* Nothing may fault while the list is held. */
	listing.room = min3(k.nr, veneer_stack_count() + 16U, MAX_LISTED + 0U);
	if (listing.room) {
		listing.info = kvcalloc(listing.room, sizeof(*listing.info),
					GFP_KERNEL);
		if (!listing.info)
			return -ENOMEM;
	}
	veneer_stack_for_each(list_one, &listing);
	err = write_entries(&listing, &k);
	kvfree(listing.info);
	if (err)
		return err;
	k.size = sizeof(k);
	k.nr = listing.nr;
	return veneer_struct_out(arg, size, &k, sizeof(k));
}
