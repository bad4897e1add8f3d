// SPDX-License-Identifier: GPL-2.0-only
/*
 * Apart: what must be done, whatever the caller may do.
 *
 * A write makes us write more than the caller asked for: the rest of a block, a
 * block map, pages of a mapping.  The caller's limit for the size of a file
 * (ulimit -f) is not about that, but the filesystems of the upper ask for the
 * limit of whoever writes; a worker has none.
 */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/sched/signal.h>
#include <linux/uio.h>
#include <linux/workqueue.h>

#include "apart.h"
#include "compat.h"

/*
 * One call, on the stack of the thread that waits for it, which holds the
 * reference of @cred.
 */
struct apart {
	struct work_struct	work;
	long			(*fn)(void *arg);
	void			*arg;
	const struct cred	*cred;
	long			ret;
};

static void apart_worker(struct work_struct *work)
{
	struct apart *apart = container_of(work, struct apart, work);

	CLASS(veneer_cred, cred)(apart->cred);
	apart->ret = apart->fn(apart->arg);
}

/**
 * veneer_apart - call a function in another thread, and wait for it
 * @fn: the function, which runs with the caller's credentials; must not wait
 *	for another call of this kind
 * @arg: its argument
 */
long veneer_apart(long (*fn)(void *arg), void *arg)
{
	struct apart apart = { .fn = fn, .arg = arg, .cred = current_cred() };

	INIT_WORK_ONSTACK(&apart.work, apart_worker);
	queue_work(system_unbound_wq, &apart.work);
	flush_work(&apart.work);
	destroy_work_on_stack(&apart.work);
	return apart.ret;
}

static bool over_limit(loff_t end)
{
	return (u64)end > rlimit(RLIMIT_FSIZE);
}

struct own_write {
	struct file	*file;
	struct iov_iter	*iter;
	loff_t		*pos;
};

static long own_write(void *arg)
{
	const struct own_write *w = arg;

	return vfs_iter_write(w->file, w->iter, w->pos, 0);
}

/**
 * veneer_own_write_iter - write what is not the caller's to a real file
 * @file: the real file
 * @iter: the bytes, in memory of the kernel
 * @pos: where to; moves on
 *
 * Return: how many bytes were written, or a negative error.
 */
ssize_t veneer_own_write_iter(struct file *file, struct iov_iter *iter,
			      loff_t *pos)
{
	struct own_write w = { .file = file, .iter = iter, .pos = pos };

	if (over_limit(*pos + iov_iter_count(iter)))
		return veneer_apart(own_write, &w);
	return own_write(&w);
}

/**
 * veneer_own_write - write what is not the caller's to a real file
 * @file: the real file
 * @buf: the bytes
 * @len: how many
 * @pos: where to; moves on
 *
 * Return: how many bytes were written, or a negative error.
 */
ssize_t veneer_own_write(struct file *file, const void *buf, size_t len,
			 loff_t *pos)
{
	struct kvec vec = { .iov_base = (void *)buf, .iov_len = len };
	struct iov_iter iter;

	iov_iter_kvec(&iter, ITER_SOURCE, &vec, 1, len);
	return veneer_own_write_iter(file, &iter, pos);
}

struct own_truncate {
	const struct path	*path;
	loff_t			size;
};

static long own_truncate(void *arg)
{
	const struct own_truncate *t = arg;

	return vfs_truncate(t->path, t->size);
}

/**
 * veneer_own_truncate - set the size of a file that is not the caller's
 * @path: the real file
 * @size: the size
 */
int veneer_own_truncate(const struct path *path, loff_t size)
{
	struct own_truncate t = { .path = path, .size = size };

	return over_limit(size) ? veneer_apart(own_truncate, &t) :
				  own_truncate(&t);
}
