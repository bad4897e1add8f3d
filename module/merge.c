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
#include <linux/slab.h>

#include "compat.h"
#include "log.h"
#include "marks.h"
#include "merge.h"
#include "stack.h"

/*
 * A redirect's own path may lead through redirects.  Each step of that kind
 * goes into a deeper layer, so it ends; this only bounds our kernel stack.
 */
#define MAX_REDIRECT_DEPTH	8

static int merge_lookup(const struct veneer_stack *stack,
			const struct veneer_at *in, unsigned int nr,
			const char *name, struct veneer_merge *out, int depth);

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

/* Finds a directory by its path, in the layers from @from on. */
static int merge_walk(const struct veneer_stack *stack, unsigned int from,
		      const char *path, struct veneer_merge *out, int depth)
{
	char *copy, *rest, *name;
	int err;

	err = veneer_merge_roots(stack, from, out);
	if (err)
		return err;

	copy = kstrdup(path, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;

	rest = copy;
	while ((name = strsep(&rest, "/")) && out->nr) {
		struct veneer_merge next = {};

		if (!*name)
			continue;
		if (!strcmp(name, ".") || !strcmp(name, "..")) {
			err = -EUCLEAN;
			break;
		}
		if (!d_can_lookup(out->at[0].dentry)) {
			veneer_merge_free(out);
			break;
		}
		err = merge_lookup(stack, out->at, out->nr, name, &next, depth);
		veneer_merge_free(out);
		*out = next;
		if (err)
			break;
	}
	kfree(copy);
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
	return merge_walk(stack, from, path, out, 0);
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

/*
 * Turns an absolute redirect into the directory that holds its last name:
 * @parents, and *@redirect shortened to that name.
 */
static int follow_absolute(const struct veneer_stack *stack, unsigned int from,
			   char **redirect, struct veneer_merge *parents,
			   int depth)
{
	char *slash = strrchr(*redirect, '/');
	char *last;
	int err;

	if (depth == MAX_REDIRECT_DEPTH)
		return -ELOOP;

	last = kstrdup(slash + 1, GFP_KERNEL);
	if (!last)
		return -ENOMEM;

	*slash = '\0';
	err = merge_walk(stack, from, *redirect, parents, depth + 1);
	kvfree(*redirect);
	*redirect = last;
	return err;
}

static bool merge_is_weird(const struct dentry *dentry)
{
	return dentry->d_flags & (DCACHE_NEED_AUTOMOUNT |
				  DCACHE_MANAGE_TRANSIT |
				  DCACHE_OP_HASH | DCACHE_OP_COMPARE);
}

static int merge_lookup(const struct veneer_stack *stack,
			const struct veneer_at *in, unsigned int nr,
			const char *name, struct veneer_merge *out, int depth)
{
	/* After a redirect: where @in and @name point into. */
	struct veneer_merge parents = {};
	char *redirect = NULL;
	/* ... and how many objects there were before it. */
	unsigned int before = 0;
	int err = 0;

	while (nr) {
		const unsigned int layer = in->layer;
		struct path path = { .mnt = stack->layers[layer] };
		struct veneer_merge next = {};
		char *to = NULL;

		path.dentry = veneer_lookup_unlocked(mnt_idmap(path.mnt), name,
						     in->dentry);
		in++;
		nr--;
		if (IS_ERR(path.dentry)) {
			err = PTR_ERR(path.dentry);
			if (err == -ENAMETOOLONG) {
				err = 0;
				continue;
			}
			break;
		}
		if (d_is_negative(path.dentry)) {
			dput(path.dentry);
			continue;
		}
		if (merge_is_weird(path.dentry)) {
			err = -EREMOTE;
			dput(path.dentry);
			break;
		}

		err = veneer_is_whiteout(&path, stack->userxattr);
		if (err || (out->nr && !d_is_dir(path.dentry))) {
			dput(path.dentry);
			err = min(err, 0);
			break;
		}

		err = merge_add(out, path.dentry, layer);
		if (err || !d_is_dir(path.dentry) ||
		    layer + 1 == stack->nr_layers)
			break;

		err = judge_dir(stack, &path, &to);
		if (err == ONWARD_SAME)
			continue;
		if (err != ONWARD_REDIRECT) {
			err = min(err, 0);
			break;
		}

		err = 0;
		if (*to == '/') {
			err = follow_absolute(stack, layer + 1, &to, &next,
					      depth);
			veneer_merge_free(&parents);
			parents = next;
			in = parents.at;
			nr = parents.nr;
		}
		kvfree(redirect);
		redirect = to;
		name = to;
		before = out->nr;
		if (err || (nr && !d_can_lookup(in->dentry)))
			break;
	}

	if (!err && redirect && out->nr == before) {
		veneer_err_ratelimited("%pd2: continues as '%s', which the layers under it do not have\n",
				       out->at[before - 1].dentry, redirect);
		err = -EIO;
	}
	kvfree(redirect);
	veneer_merge_free(&parents);
	return err;
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
	return merge_lookup(stack, in, nr, name, out, 0);
}
