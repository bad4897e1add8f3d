// SPDX-License-Identifier: GPL-2.0-only
/* Copying the data of a file below into a new file of the upper. */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "apart.h"
#include "chain.h"
#include "compat.h"
#include "copydata.h"
#include "real.h"

#define COPY_CHUNK	SZ_256K

/*
 * Copies bytes from @pos up to @end.  Not by splice: a copy-up may be made in
 * the middle of one, and a task has a single pipe for them.
 */
static int copy_range(struct veneer_chain *from, struct file *to, loff_t pos,
		      loff_t end, void *buf, const bool *cancel)
{
	while (pos < end) {
		ssize_t len = min(end - pos, (loff_t)COPY_CHUNK);
		int err;

		if (fatal_signal_pending(current) ||
		    (cancel && READ_ONCE(*cancel)))
			return -EINTR;

		err = veneer_chain_read(from, buf, len, pos);
		if (err)
			return err;
		len = veneer_own_write(to, buf, len, &pos);
		if (len < 0)
			return len;
		cond_resched();
	}
	return 0;
}

/* The next range of data from @pos on; all of it, where holes are unknown. */
static bool next_data(struct veneer_chain *from, loff_t *pos, loff_t *end)
{
	const loff_t len = *end;
	struct file *file;
	loff_t data;

	if (from->nr > 1)
		return true;
	file = veneer_chain_file(from, 0);
	if (IS_ERR(file))
		return true;
	data = vfs_llseek(file, *pos, SEEK_DATA);
	if (data >= 0) {
		*pos = data;
		*end = vfs_llseek(file, data, SEEK_HOLE);
	}
	fput(file);
	if (data == -ENXIO)
		return false;
	if (*end <= *pos || *end > len)
		*end = len;
	return true;
}

static bool clone_all(struct veneer_chain *from, struct file *to, loff_t len)
{
	struct file *file;
	loff_t done;

	if (from->nr > 1)
		return false;
	file = veneer_chain_file(from, 0);
	if (IS_ERR(file))
		return false;
	done = vfs_clone_file_range(file, 0, to, 0, len, 0);
	fput(file);
	return done == len;
}

/* Copies @len bytes, holes as holes; @to has its size already. */
static int copy_bytes(struct veneer_chain *from, struct file *to, loff_t len,
		      const bool *cancel)
{
	loff_t pos = 0, end = len;
	void *buf;
	int err = 0;

	if (clone_all(from, to, len))
		return 0;

	buf = kvmalloc(min_t(loff_t, len, COPY_CHUNK), GFP_KERNEL);
	if (!buf)
		return -ENOMEM;

	while (pos < len && !err && next_data(from, &pos, &end)) {
		err = copy_range(from, to, pos, end, buf, cancel);
		pos = end;
		end = len;
	}
	kvfree(buf);
	return err;
}

/**
 * veneer_copy_data - copy the data of a file below
 * @m: the mount
 * @from: the files that have it
 * @upper: the new file, which has its size already
 * @len: how much of it is wanted
 * @cancel: set when nobody waits for the outcome any more; or %NULL
 *
 * Shares it on the disk where the filesystem can; keeps holes as holes.  The
 * data is durable afterwards, unless the mount is volatile.  Runs with the
 * mounter's credentials.
 *
 * Return: 0 or a negative error; %-EINTR for a fatal signal or @cancel.
 */
int veneer_copy_data(struct veneer_mount *m, struct veneer_chain *from,
		     struct dentry *upper, loff_t len, const bool *cancel)
{
	const struct path path = veneer_upper_path(m, upper);
	struct file *to;
	int err;

	to = veneer_real_open(&path, S_IFREG, O_WRONLY);
	if (IS_ERR(to))
		return PTR_ERR(to);

	err = copy_bytes(from, to, len, cancel);
	if (!err && !m->options.is_volatile)
		err = vfs_fsync(to, 0);
	fput(to);
	if (!err)
		veneer_count(m, bytes_copied, len);
	return err;
}
