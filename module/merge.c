// SPDX-License-Identifier: GPL-2.0-only
/*
 * Merge: which objects of which layers stand behind one name.
 *
 * The rules are overlayfs's, so that its layers mean here what they mean
 * there: the topmost object wins; directories go on into the layers under
 * them until a whiteout, an opaque directory or something that is no
 * directory; a redirect says that a directory goes on under another name.
 *
 * Callers run with the mounter's credentials.
 */
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat.h"
#include "log.h"
#include "marks.h"
#include "merge.h"
#include "stack.h"

/* How long a path may get by redirects; a user could give none that is longer. */
#define MAX_WALK_PATH	PATH_MAX

/**
 * struct walk - the search for a name, or for a path, layer by layer
 * @stack: the stack
 * @path: what the next layer has it as: a name in the directory that is being
 *	searched, or a path from its root
 * @owned: memory of @path, if that is not the caller's
 * @out: receives the objects
 * @stop: no layer further down counts
 * @redirect: the directory whose redirect has led nowhere yet, a reference; or
 *	%NULL
 * @rest: how much of @path followed that directory's name
 */
struct walk {
	const struct veneer_stack	*stack;
	const char			*path;
	char				*owned;
	struct veneer_merge		*out;
	bool				stop;
	struct dentry			*redirect;
	size_t				rest;
};

/* Takes over the caller's reference to @dentry, whatever happens. */
static int merge_add(struct veneer_merge *merge, struct dentry *dentry,
		     unsigned int layer)
{
	if (merge->nr == merge->room) {
		unsigned int room = merge->room ? 2 * merge->room : 1;
		struct veneer_at *at = krealloc_array(merge->at, room,
						      sizeof(*at), GFP_KERNEL);

		if (!at) {
			dput(dentry);
			return -ENOMEM;
		}
		merge->at = at;
		merge->room = room;
	}
	merge->at[merge->nr++] = (struct veneer_at) { dentry, layer };
	return 0;
}

/**
 * veneer_merge_free - drop what a merge holds
 * @merge: what to empty; may be all zero
 */
void veneer_merge_free(struct veneer_merge *merge)
{
	for (unsigned int i = 0; i < merge->nr; i++)
		dput(merge->at[i].dentry);
	kfree(merge->at);
	*merge = (struct veneer_merge) {};
}

/**
 * veneer_merge_roots - the roots of the layers
 * @stack: the stack
 * @from: the first layer wanted
 * @out: receives the roots of that layer and of those under it
 */
int veneer_merge_roots(const struct veneer_stack *stack, unsigned int from,
		       struct veneer_merge *out)
{
	for (unsigned int i = from; i < stack->nr_layers; i++) {
		int err = merge_add(out, dget(stack->layers[i]->mnt_root), i);

		if (err)
			return err;
	}
	return 0;
}

/* What a directory found in a layer says about the layers under it. */
enum onward {
	ONWARD_SAME,		/* go on with the same name */
	ONWARD_STOP,		/* nothing under it counts */
	ONWARD_REDIRECT,	/* go on elsewhere */
};

static int judge_dir(const struct veneer_stack *stack, const struct path *path,
		     char **redirect)
{
	int opaque = veneer_opaque_mark(path, stack->userxattr);

	if (opaque < 0)
		return opaque;
	if (opaque == 'y')
		return ONWARD_STOP;

	*redirect = veneer_redirect_get(path, stack->userxattr);
	if (IS_ERR(*redirect))
		return PTR_ERR(*redirect);
	return *redirect ? ONWARD_REDIRECT : ONWARD_SAME;
}

static bool merge_is_weird(const struct dentry *dentry)
{
	return dentry->d_flags & (DCACHE_NEED_AUTOMOUNT |
				  DCACHE_MANAGE_TRANSIT |
				  DCACHE_OP_HASH | DCACHE_OP_COMPARE);
}

/* Takes @to over, which replaces the path up to @rest, or the last name of that. */
static int follow(struct walk *walk, struct dentry *dir, const char *name,
		  const char *rest, char *to)
{
	const int kept = *to == '/' ? 0 : name - walk->path;
	char *path;

	if (kept + strlen(to) + strlen(rest) >= MAX_WALK_PATH) {
		veneer_err_ratelimited("%pd2: redirect makes a path that is too long\n",
				       dir);
		kvfree(to);
		return -ELOOP;
	}
	path = kasprintf(GFP_KERNEL, "%.*s%s%s", kept, walk->path, to, rest);
	kvfree(to);
	if (!path)
		return -ENOMEM;

	walk->rest = strlen(rest);
	dput(walk->redirect);
	walk->redirect = dget(dir);
	kfree(walk->owned);
	walk->owned = path;
	walk->path = path;
	return 0;
}

/* Looks one name up; %NULL when it is not there. */
static struct dentry *look_up(const struct path *dir, const char *name)
{
	struct dentry *found = veneer_lookup_unlocked(mnt_idmap(dir->mnt), name,
						      dir->dentry);

	if (found == ERR_PTR(-ENAMETOOLONG))
		return NULL;
	if (IS_ERR(found))
		return found;
	if (d_is_negative(found)) {
		dput(found);
		return NULL;
	}
	if (merge_is_weird(found)) {
		dput(found);
		return ERR_PTR(-EREMOTE);
	}
	return found;
}

/*
 * Looks at what a layer has for one name of the path: @at, whose name begins at
 * @name, with @rest after it.  Does it count, and do the layers under it?
 *
 * Return: 1 when it is, 0 when not, or a negative error.
 */
static int judge(struct walk *walk, unsigned int layer, const struct path *at,
		 const char *name, const char *rest)
{
	const bool is_last = !*rest;
	char *redirect = NULL;
	int ret;

	ret = veneer_is_whiteout(at, walk->stack->userxattr);
	if (ret < 0)
		return ret;
	if (ret || (!d_is_dir(at->dentry) && (!is_last || walk->out->nr))) {
		walk->stop = true;
		return 0;
	}
	/* Here is what the redirect of a layer above leads to. */
	if (walk->redirect && strlen(rest) <= walk->rest) {
		dput(walk->redirect);
		walk->redirect = NULL;
	}
	if (!d_is_dir(at->dentry)) {
		walk->stop = true;
		return 1;
	}
	if (layer + 1 == walk->stack->nr_layers)
		return 1;

	ret = judge_dir(walk->stack, at, &redirect);
	if (ret == ONWARD_STOP)
		walk->stop = true;
	else if (ret == ONWARD_REDIRECT)
		ret = follow(walk, at->dentry, name, rest, redirect);
	return ret < 0 ? ret : 1;
}

/*
 * The next name of the path: where it begins, and where what follows it does,
 * which is the end when there is no other name.  Copied to @buf.
 */
static int next_name(const char **name, const char **rest, char *buf)
{
	size_t len;

	*name += strspn(*name, "/");
	len = strcspn(*name, "/");
	if (!len || len > NAME_MAX)
		return len ? -ENAMETOOLONG : -ENOENT;
	memcpy(buf, *name, len);
	buf[len] = '\0';
	*rest = *name + len;
	if (!(*rest)[strspn(*rest, "/")])
		*rest += strlen(*rest);
	return !strcmp(buf, ".") || !strcmp(buf, "..") ? -EUCLEAN : 0;
}

/* Goes along the path in one layer, from @base, and adds what it leads to. */
static int walk_layer(struct walk *walk, unsigned int layer,
		      struct dentry *base, char *buf)
{
	struct path at = {
		.mnt	= walk->stack->layers[layer],
		.dentry	= dget(base),
	};
	const char *name = walk->path, *rest;
	int ret = 1;

	while (ret > 0) {
		struct path next = { .mnt = at.mnt };
		size_t left;

		ret = next_name(&name, &rest, buf);
		/* There is no other: this is it. */
		if (ret == -ENOENT)
			return merge_add(walk->out, at.dentry, layer);
		if (ret == -ENAMETOOLONG || (!ret && !d_can_lookup(at.dentry))) {
			ret = 0;
			break;
		}
		if (!ret && fatal_signal_pending(current))
			ret = -EINTR;
		if (ret)
			break;

		next.dentry = look_up(&at, buf);
		if (IS_ERR_OR_NULL(next.dentry)) {
			ret = PTR_ERR_OR_ZERO(next.dentry);
			break;
		}
		/* A redirect changes what is before the rest. */
		left = strlen(rest);
		ret = judge(walk, layer, &next, name, rest);
		dput(at.dentry);
		at = next;
		name = walk->path + strlen(walk->path) - left;
		cond_resched();
	}
	dput(at.dentry);
	return ret;
}

/*
 * Finds what @walk->path is, in @in as long as that is a name, and from the
 * layer after as soon as it is a path.  A layer is gone through once, from its
 * top to its bottom: a redirect, which may be that of a directory on the way,
 * says by which path the layers under it have the rest.  That is overlayfs's
 * rule, and bounds the work by the number of layers and the length of the path.
 */
static int walk_layers(struct walk *walk, const struct veneer_at *in,
		       unsigned int nr, unsigned int layer)
{
	char *buf = NULL;
	int err = 0;

	while (!err && !walk->stop) {
		struct dentry *base;

		if (*walk->path != '/') {
			if (!nr)
				break;
			layer = in->layer;
			base = in->dentry;
			in++;
			nr--;
		} else if (layer < walk->stack->nr_layers) {
			base = walk->stack->layers[layer]->mnt_root;
		} else {
			break;
		}
		if (!buf)
			buf = kmalloc(NAME_MAX + 1, GFP_KERNEL);
		err = buf ? walk_layer(walk, layer, base, buf) : -ENOMEM;
		layer++;
	}
	kfree(buf);

	if (!err && walk->redirect && (!walk->rest || !walk->stop)) {
		veneer_err_ratelimited("%pd2: continues elsewhere by its redirect, where the layers under it have nothing\n",
				       walk->redirect);
		err = -EIO;
	}
	dput(walk->redirect);
	kfree(walk->owned);
	return err;
}

/**
 * veneer_merge_walk - find an object by its path
 * @stack: the stack
 * @from: the first layer to look in
 * @path: the path from the root of the stack
 * @out: receives the objects; none when the path does not exist
 */
int veneer_merge_walk(const struct veneer_stack *stack, unsigned int from,
		      const char *path, struct veneer_merge *out)
{
	struct walk walk = { .stack = stack, .out = out, .path = path };

	if (strlen(path) >= MAX_WALK_PATH)
		return -ENAMETOOLONG;
	if (*path != '/') {
		walk.owned = kasprintf(GFP_KERNEL, "/%s", path);
		if (!walk.owned)
			return -ENOMEM;
		walk.path = walk.owned;
	}
	return walk_layers(&walk, NULL, 0, from);
}

/**
 * veneer_merge_lookup - find a name in a merged directory
 * @stack: the stack
 * @in: the directory's objects, top first
 * @nr: how many
 * @name: the name
 * @out: receives the objects behind it; none when it does not exist
 *
 * Return: 0, also when the name does not exist; or a negative error, with
 * @out to be freed all the same.
 */
int veneer_merge_lookup(const struct veneer_stack *stack,
			const struct veneer_at *in, unsigned int nr,
			const char *name, struct veneer_merge *out)
{
	struct walk walk = { .stack = stack, .out = out, .path = name };

	return walk_layers(&walk, in, nr, 0);
}
