// SPDX-License-Identifier: GPL-2.0-only
/* VENEER_IOC_MAP and VENEER_IOC_MAKE_WHOLE: one file's data, seen from outside. */
#include <linux/fs.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "chain.h"
#include "control.h"
#include "inode.h"
#include "map_ioctl.h"
#include "range.h"
#include "source.h"
#include "split.h"
#include "uapi/veneer.h"

/* Where the run of bytes at @pos comes from, as the header has it. */
static int next_range(const struct inode *inode, loff_t pos, loff_t size,
		      struct veneer_range *range)
{
	const struct veneer_run run = veneer_source(inode, pos, size - pos);
	int layer = VENEER_RANGE_UPPER;

	if (run.where != VENEER_FROM_UPPER) {
		struct veneer_chain *chain = veneer_inode_chain(inode);

		if (IS_ERR(chain))
			return PTR_ERR(chain);
		layer = chain->link[run.where - VENEER_FROM_LINK(0)].at.layer;
	}
	*range = (struct veneer_range) {
		.offset	= pos,
		.length	= run.len,
		.layer	= layer,
	};
	return 0;
}

/* What can be said of the file as a whole. */
static void describe(const struct inode *inode, loff_t size,
		     struct veneer_map *k)
{
	struct veneer_split *split = veneer_inode_split(inode);

	k->size = sizeof(*k);
	k->file_size = size;
	k->block_size = 0;
	if (veneer_is_whole(inode)) {
		k->state = VENEER_STATE_WHOLE;
		k->below_size = 0;
	} else if (split) {
		k->state = VENEER_STATE_SPLIT;
		k->below_size = veneer_below_size(split);
		k->block_size = 1U << split->record.block_shift;
	} else {
		k->state = VENEER_STATE_BELOW;
		k->below_size = size;
	}
}

static int write_ranges(const struct inode *inode, struct veneer_map *k,
			loff_t size)
{
	struct veneer_range __user *to = u64_to_user_ptr(k->ranges);
	struct veneer_range range;
	loff_t pos = k->start;
	unsigned int nr;
	int err;

	for (nr = 0; nr < k->nr && pos < size; nr++) {
		err = next_range(inode, pos, size, &range);
		if (err)
			return err;
		if (copy_to_user(to + nr, &range, sizeof(range)))
			return -EFAULT;
		pos += range.length;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	k->start = pos;
	k->nr = nr;
	return 0;
}

/**
 * veneer_ioctl_map - VENEER_IOC_MAP
 * @file: a file of a mount
 * @arg: address of a struct veneer_map
 */
int veneer_ioctl_map(struct file *file, void __user *arg)
{
	const struct inode *inode = file_inode(file);
	const loff_t size = i_size_read(inode);
	struct veneer_map k;
	u32 given;
	int err;

	err = veneer_struct_in(&k, sizeof(k), arg, &given);
	if (err)
		return err;
	if (!S_ISREG(inode->i_mode) || !k.nr || k.start > MAX_LFS_FILESIZE)
		return -EINVAL;

	err = write_ranges(inode, &k, size);
	if (err)
		return err;
	describe(inode, size, &k);
	return veneer_struct_out(arg, given, &k, sizeof(k));
}

/**
 * veneer_ioctl_make_whole - VENEER_IOC_MAKE_WHOLE
 * @file: a file of a mount
 */
int veneer_ioctl_make_whole(struct file *file)
{
	int err;

	if (!S_ISREG(file_inode(file)->i_mode))
		return -EINVAL;
	if (!(file->f_mode & FMODE_WRITE))
		return -EBADF;

	file_start_write(file);
	err = veneer_make_whole(file);
	file_end_write(file);
	return err;
}
