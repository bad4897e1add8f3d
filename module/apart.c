// SPDX-License-Identifier: GPL-2.0-only
/*
 * Apart: what must be done, whatever the caller may do.
 *
 * A write makes us write more than the caller asked for: the rest of a block, a
 * block map, pages of a mapping.  The caller's limit for the size of a file
 * (ulimit -f) is not about that, but the filesystems of the upper ask for the
 * limit of whoever writes; a worker has none.
 *
 * A worker waits for as long as the upper or a layer does not answer, and that
 * may be a filesystem that a user serves.  So each mount has workers of its own,
 * and not many: nobody else, of another mount or of the kernel, waits for one.
 * Saving has others, see save.c: it does not wait for calls of this kind.  Nor
 * do those that only write to the upper wait for those that may read a layer:
 * locks that write-back takes are held over the former.  A worker that there is
 * no memory for is replaced by the queue's rescuer.
 *
 * A caller that is killed need not wait for longer than if he had made the call
 * himself: the signal is passed on to the worker, and what it calls returns when
 * it would have for him.
 *
 * What a worker allocates and writes is the caller's, as if he had done it.
 */
#include <linux/blk-cgroup.h>
#include <linux/cgroup.h>
#include <linux/completion.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/memcontrol.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uio.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "apart.h"
#include "compat.h"
#include "mount.h"

/* Calls of one mount that are made at a time; the others wait for these. */
#define APART_ACTIVE	16

/*
 * The queues of a mount.
 * calls: for veneer_apart(), and what may wait for a layer
 * writes: for what is written to the upper
 */
struct queues {
	struct workqueue_struct	*calls;
	struct workqueue_struct	*writes;
};

/*
 * By veneer_mount.upper, which every real file that is written knows; there as
 * long as the mount is.
 */
static DEFINE_XARRAY(all_queues);

/*
 * One call, on the stack of the thread that waits for it, which holds the
 * references of @cred, @memcg and @blkcg.
 * lock: protects @worker and @killed
 * worker: who makes the call, as long as he does
 * killed: the caller is
 */
struct apart {
	struct work_struct		work;
	struct completion		done;
	spinlock_t			lock;	/* as said above */
	struct task_struct		*worker;
	bool				killed;
	long				(*fn)(void *arg);
	void				*arg;
	const struct cred		*cred;
	struct mem_cgroup		*memcg;
	struct cgroup_subsys_state	*blkcg;
	long				ret;
};

static struct cgroup_subsys_state *blkcg_get(void)
{
#ifdef CONFIG_BLK_CGROUP
	return task_get_css(current, io_cgrp_id);
#else
	return NULL;
#endif
}

/* From now on the caller can have this worker's waits end. */
static void begin_call(struct apart *apart)
{
	allow_kernel_signal(SIGKILL);
	spin_lock(&apart->lock);
	apart->worker = current;
	if (apart->killed)
		send_sig(SIGKILL, current, 1);
	spin_unlock(&apart->lock);
}

/* The worker is as it was before, and ignores all signals. */
static void end_call(struct apart *apart)
{
	spin_lock(&apart->lock);
	apart->worker = NULL;
	spin_unlock(&apart->lock);
	disallow_signal(SIGKILL);
}

/* The caller has been killed: the call, which has begun, is to end. */
static void kill_call(struct apart *apart)
{
	spin_lock(&apart->lock);
	apart->killed = true;
	if (apart->worker)
		send_sig(SIGKILL, apart->worker, 1);
	spin_unlock(&apart->lock);
}

static void apart_worker(struct work_struct *work)
{
	struct apart *apart = container_of(work, struct apart, work);
	struct mem_cgroup *old = set_active_memcg(apart->memcg);

	begin_call(apart);
	kthread_associate_blkcg(apart->blkcg);
	{
		CLASS(veneer_cred, cred)(apart->cred);

		apart->ret = apart->fn(apart->arg);
	}
	kthread_associate_blkcg(NULL);
	end_call(apart);
	set_active_memcg(old);
	/* The last that is done with it. */
	complete(&apart->done);
}

/* With @cancel, the caller can be killed. */
static long call_apart(struct workqueue_struct *queue, long (*fn)(void *arg),
		       void *arg, bool *cancel)
{
	struct apart apart = { .fn = fn, .arg = arg, .cred = current_cred() };

	apart.memcg = get_mem_cgroup_from_mm(current->mm);
	apart.blkcg = blkcg_get();
	spin_lock_init(&apart.lock);
	init_completion(&apart.done);
	INIT_WORK_ONSTACK(&apart.work, apart_worker);
	queue_work(queue, &apart.work);
	if (!cancel) {
		wait_for_completion(&apart.done);
	} else if (wait_for_completion_killable(&apart.done)) {
		WRITE_ONCE(*cancel, true);
		kill_call(&apart);
		if (cancel_work(&apart.work))
			apart.ret = -EINTR;
		else
			wait_for_completion(&apart.done);
	}
	destroy_work_on_stack(&apart.work);
	if (apart.blkcg)
		css_put(apart.blkcg);
	mem_cgroup_put(apart.memcg);
	return apart.ret;
}

/**
 * veneer_apart_killable - call a function in another thread, and wait for it
 * @upper: veneer_mount.upper of the mount that it is for
 * @fn: the function, which runs with the caller's credentials; must not wait
 *	for another call of this kind
 * @arg: its argument
 * @cancel: set to true when the caller is killed: then @fn is to return soon.
 *	Or %NULL for a call that must be made
 *
 * A call that was not begun is not made when the caller is killed.  One that was
 * is waited for: it uses what the caller holds.  As long as it runs, the worker
 * has a fatal signal pending then.
 *
 * Return: what @fn returns; or %-EINTR or %-ENXIO.
 */
long veneer_apart_killable(const struct vfsmount *upper,
			   long (*fn)(void *arg), void *arg, bool *cancel)
{
	const struct queues *queues = xa_load(&all_queues,
					      (unsigned long)upper);

	if (WARN_ON_ONCE(!queues))
		return -ENXIO;
	return call_apart(queues->calls, fn, arg, cancel);
}

/**
 * veneer_apart - the same, for a call that must be made
 * @upper: as for veneer_apart_killable()
 * @fn: likewise
 * @arg: likewise
 */
long veneer_apart(const struct vfsmount *upper, long (*fn)(void *arg),
		  void *arg)
{
	return veneer_apart_killable(upper, fn, arg, NULL);
}

/* Writes to the upper, which whoever is killed need not wait for. */
static long write_apart(const struct vfsmount *upper, long (*fn)(void *arg),
			void *arg)
{
	const struct queues *queues = xa_load(&all_queues,
					      (unsigned long)upper);
	bool cancel = false;

	if (WARN_ON_ONCE(!queues))
		return -ENXIO;
	return call_apart(queues->writes, fn, arg, &cancel);
}

static void queues_free(struct queues *queues)
{
	if (queues->calls)
		destroy_workqueue(queues->calls);
	if (queues->writes)
		destroy_workqueue(queues->writes);
	kfree(queues);
}

/**
 * veneer_apart_init - a mount is being made
 * @m: the mount, with an upper
 * @nr: its number, for the workers' names
 */
int veneer_apart_init(struct veneer_mount *m, unsigned int nr)
{
	struct queues *queues = kzalloc(sizeof(*queues), GFP_KERNEL);
	int err = -ENOMEM;

	if (!queues)
		return -ENOMEM;
	queues->calls = alloc_workqueue("veneer-apart-%u",
					WQ_UNBOUND | WQ_MEM_RECLAIM,
					APART_ACTIVE, nr);
	queues->writes = alloc_workqueue("veneer-write-%u",
					 WQ_UNBOUND | WQ_MEM_RECLAIM,
					 APART_ACTIVE, nr);
	if (queues->calls && queues->writes)
		err = xa_insert(&all_queues, (unsigned long)m->upper, queues,
				GFP_KERNEL);
	if (err)
		queues_free(queues);
	return err;
}

/**
 * veneer_apart_exit - a mount that nobody uses any more goes
 * @m: the mount, maybe one that has no queues
 */
void veneer_apart_exit(struct veneer_mount *m)
{
	struct queues *queues = NULL;

	if (m->upper)
		queues = xa_erase(&all_queues, (unsigned long)m->upper);
	if (queues)
		queues_free(queues);
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
		return write_apart(file->f_path.mnt, own_write, &w);
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

	return over_limit(size) ? write_apart(path->mnt, own_truncate, &t) :
				  own_truncate(&t);
}
