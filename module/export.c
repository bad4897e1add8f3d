// SPDX-License-Identifier: GPL-2.0-only
/*
 * File handles: objects of a mount found again without their names.
 *
 * A handle of ours holds one of a real filesystem: of the layer's object if
 * there is one, else of the upper's.  The real object that it leads to must be
 * within the upper, or the layer; the names that lead to it there are looked up
 * in the mount, and what is found must be what was meant.  So a handle that was
 * made up leads nowhere that a path does not.
 *
 * It should not change while somebody could compare it with another: programs
 * that watch a filesystem, and NFS clients, know objects by their handles.  What
 * is below never changes, so a copy-up leaves a handle as it is; what is below a
 * file that was copied whole is not known any more when its inode is a new one.
 *
 * An object that was moved since is found all the same: by its inode while that
 * is in use, else by a search.
 */
#include <linux/cred.h>
#include <linux/exportfs.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/slab.h>

#include "compat.h"
#include "export.h"
#include "file.h"
#include "format.h"
#include "inode.h"
#include "links.h"
#include "marks.h"
#include "mount.h"
#include "namei.h"
#include "search.h"

/* A type that no filesystem of the kernel uses. */
#define VENEER_FILEID	0x76

/**
 * struct handle - a handle
 * @below: the real object is in a layer
 * @type: type of the real handle
 * @layer: which layer
 * @real: the real handle
 *
 * Only this machine reads it, and not after the layers of a mount have changed.
 */
struct handle {
	u8	below;
	u8	type;
	u16	layer;
	u32	real[];
};

#define HEADER_WORDS	(sizeof(struct handle) / sizeof(u32))

/* Does the handle of what is below, or was, lead to this object and no other? */
static bool is_known_by_below(const struct inode *inode)
{
	const struct veneer_inode *vi = veneer_inode(inode);

	if (!vi->below ||
	    inode->i_ino != veneer_below_ino(veneer_mount(inode->i_sb), vi->below))
		return false;
	/* One of several names that part at the copy-up: all show one number. */
	if (!S_ISDIR(inode->i_mode) && !vi->links &&
	    veneer_stack_nlink(vi->below) > 1)
		return false;
	/* Without a mark it shows another number when its inode is a new one. */
	if (!S_ISDIR(inode->i_mode) && !S_ISREG(inode->i_mode) &&
	    veneer_mount(inode->i_sb)->options.userxattr)
		return false;
	return veneer_stack_can_find(vi->below);
}

static int veneer_encode_fh(struct inode *inode, u32 *fh, int *max_len,
			    struct inode *parent)
{
	struct handle *handle = (struct handle *)fh;
	struct dentry *upper = veneer_upper(inode);
	int words = max(*max_len - (int)HEADER_WORDS, 0);
	unsigned int layer = 0;
	struct path real;
	u32 none;
	int type;

	if (upper && is_known_by_below(inode))
		upper = NULL;
	if (upper)
		real = veneer_upper_path(veneer_mount(inode->i_sb), upper);
	else
		layer = veneer_stack_place(veneer_inode(inode)->below, &real);

	/* With its parent: within a layer, names are how it is found. */
	type = exportfs_encode_fh(real.dentry,
				  (struct fid *)(words ? handle->real : &none),
				  &words, EXPORT_FH_CONNECTABLE);
	if (type < 0)
		return type;
	if (words + (int)HEADER_WORDS > *max_len)
		type = FILEID_INVALID;
	*max_len = words + HEADER_WORDS;
	if (type == FILEID_INVALID)
		return FILEID_INVALID;

	handle->below = !upper;
	handle->type = type;
	handle->layer = layer;
	return VENEER_FILEID;
}

/* Follows a path of names from the root of a mount. */
static struct dentry *walk(struct super_block *sb, char *path)
{
	struct dentry *at = dget(sb->s_root);
	char *name;

	while ((name = strsep(&path, "/")) && !IS_ERR(at)) {
		struct dentry *next = ERR_PTR(-ESTALE);

		if (!*name)
			continue;
		if (d_can_lookup(at))
			next = veneer_lookup_unlocked(&nop_mnt_idmap, name, at);
		dput(at);
		at = next;
	}
	if (!IS_ERR(at) && d_is_negative(at)) {
		dput(at);
		at = ERR_PTR(-ESTALE);
	}
	return at;
}

/* Follows the names of a real object, or of one of the stack, from @root. */
static struct dentry *walk_like(struct super_block *sb, struct dentry *like,
				struct dentry *root)
{
	struct dentry *found;
	char *buf, *path;

	if (like->d_sb != root->d_sb || !is_subdir(like, root))
		return ERR_PTR(-ESTALE);
	buf = kmalloc(2 * PATH_MAX, GFP_KERNEL);
	if (!buf)
		return ERR_PTR(-ENOMEM);

	path = veneer_path_from(like, root, buf);
	found = IS_ERR(path) ? ERR_PTR(-ESTALE) : walk(sb, path);
	kfree(buf);
	return found;
}

/* Makes sure that what was found is what was meant. */
static struct dentry *check(struct dentry *found, bool right)
{
	if (right)
		return found;
	dput(found);
	return ERR_PTR(-ESTALE);
}

static int in_upper(void *root, struct dentry *dentry)
{
	return is_subdir(dentry, root);
}

static int anywhere(void *context, struct dentry *dentry)
{
	return 1;
}

static struct dentry *decode_upper(struct veneer_mount *m,
				   struct handle *handle, int words)
{
	struct fid *fid = (struct fid *)handle->real;
	struct dentry *real;

	real = exportfs_decode_fh(m->upper, fid, words, handle->type, in_upper,
				  m->upper->mnt_root);
	/*
	 * It was moved to another directory, or has no name any more, and what
	 * would lead there is in no cache.  That it is ours is seen later.
	 */
	if (real == ERR_PTR(-ESTALE))
		real = exportfs_decode_fh(m->upper, fid, words, handle->type,
					  anywhere, NULL);
	return real;
}

/* An object that somebody uses, under the name it was found by or without any. */
static struct dentry *find_in_use(struct super_block *sb, struct dentry *upper,
				  struct dentry *below)
{
	struct inode *inode = veneer_inode_find(sb, upper, below);
	struct dentry *found;

	if (!inode && !upper)
		inode = veneer_search_cached(sb, below);
	if (!inode)
		return ERR_PTR(-ESTALE);
	found = d_find_any_alias(inode);
	/* Whatever has a name may need it for a copy-up. */
	if (!found && !S_ISDIR(inode->i_mode) && !inode->i_nlink)
		return d_obtain_alias(inode);
	iput(inode);
	return found ? : ERR_PTR(-ESTALE);
}

static struct dentry *search_upper(struct super_block *sb, struct dentry *real)
{
	struct veneer_mount *m = veneer_mount(sb);
	const struct path path = veneer_upper_path(m, real);
	u64 ino = veneer_map_ino(m->upper_fsid, d_inode(real)->i_ino);
	struct dentry *found, *upper;
	int ret;

	if (!d_inode(real)->i_nlink)
		return ERR_PTR(-ESTALE);
	ret = veneer_origin_get(&path, m->options.userxattr, &ino);
	if (ret < 0 && ret != -EUCLEAN)
		return ERR_PTR(ret);
	found = veneer_search(sb, veneer_show_ino(m->nr_fs, ino));
	if (IS_ERR(found))
		return found;
	upper = veneer_upper(d_inode(found));
	return check(found, upper && d_inode(upper) == d_inode(real));
}

static struct dentry *find_upper(struct super_block *sb, struct handle *handle,
				 int words)
{
	struct veneer_mount *m = veneer_mount(sb);
	struct dentry *real, *found;
	struct inode *upper;
	int ret;

	if (!m->upper)
		return ERR_PTR(-ESTALE);
	real = decode_upper(m, handle, words);
	if (IS_ERR_OR_NULL(real))
		return real;

	/* All names of one of these may be below: it is the entry that counts. */
	ret = veneer_links_is_entry(m, real);
	if (ret) {
		found = ret < 0 ? ERR_PTR(ret) :
			d_obtain_alias(veneer_linked_inode(sb, real));
		dput(real);
		return found;
	}

	found = walk_like(sb, real, m->upper->mnt_root);
	if (!IS_ERR(found)) {
		upper = d_inode(veneer_upper(d_inode(found)) ? : found);
		found = check(found, upper == d_inode(real));
	}
	if (found == ERR_PTR(-ESTALE))
		found = find_in_use(sb, real, NULL);
	if (found == ERR_PTR(-ESTALE))
		found = search_upper(sb, real);
	dput(real);
	return found;
}

static struct dentry *find_below(struct super_block *sb, struct handle *handle,
				 int words)
{
	struct veneer_mount *m = veneer_mount(sb);
	struct dentry *below, *found;
	struct inode *inode;

	below = veneer_stack_decode(m->stack, handle->layer, handle->real,
				    words, handle->type);
	if (IS_ERR(below))
		return below;

	found = walk_like(sb, below, m->stack->s_root);
	if (!IS_ERR(found))
		found = check(found, d_inode(found)->i_ino ==
				     veneer_below_ino(m, below));
	/* One of its names is gone, but maybe not all. */
	if (found == ERR_PTR(-ESTALE) && m->upper &&
	    veneer_links_wanted(m, below)) {
		inode = veneer_linked_inode_below(sb, below);
		if (!IS_ERR(inode) && !veneer_upper(inode)) {
			iput(inode);
			inode = ERR_PTR(-ESTALE);
		}
		found = d_obtain_alias(inode);
	}
	if (found == ERR_PTR(-ESTALE))
		found = find_in_use(sb, NULL, below);
	if (found == ERR_PTR(-ESTALE) && m->upper)
		found = veneer_search_below(sb, below);
	dput(below);
	return found;
}

static struct dentry *veneer_fh_to_dentry(struct super_block *sb,
					  struct fid *fid, int len, int type)
{
	struct handle *handle = (struct handle *)fid;

	if (type != VENEER_FILEID || len <= (int)HEADER_WORDS)
		return ERR_PTR(-ESTALE);
	len -= HEADER_WORDS;

	CLASS(veneer_cred, cred)(veneer_cred(sb));
	return handle->below ? find_below(sb, handle, len) :
			       find_upper(sb, handle, len);
}

/* A directory of a mount is never without its parents. */
static struct dentry *veneer_get_parent(struct dentry *dentry)
{
	return dget_parent(dentry);
}

/*
 * nfsd asks for this after each change that it answers, instead of an fsync: what
 * is to be durable is metadata, and that is the upper's.  Its filesystem does
 * with the object what nfsd would do there.  What a copy-up did before, in
 * directories and with records, is in the same journal, and older.
 */
static int veneer_commit_metadata(struct inode *inode)
{
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	struct dentry *upper = veneer_upper(inode);
	const struct export_operations *ops;
	int err = veneer_sync_status(m);

	if (err <= 0 || !upper)
		return min(err, 0);
	CLASS(veneer_cred, cred)(m->cred);
	ops = d_inode(upper)->i_sb->s_export_op;
	if (ops && ops->commit_metadata)
		return ops->commit_metadata(d_inode(upper));
	return sync_inode_metadata(d_inode(upper), 1);
}

static const struct export_operations veneer_export_operations = {
	.encode_fh	= veneer_encode_fh,
	.fh_to_dentry	= veneer_fh_to_dentry,
	.get_parent	= veneer_get_parent,
	.commit_metadata = veneer_commit_metadata,
};

/**
 * veneer_export_init - let a mount make handles, if all real filesystems do
 * @sb: the mount
 */
void veneer_export_init(struct super_block *sb)
{
	const struct veneer_mount *m = veneer_mount(sb);

	if (veneer_stack_can_decode(m->stack) &&
	    (!m->upper ||
	     exportfs_can_decode_fh(m->upper->mnt_sb->s_export_op)))
		sb->s_export_op = &veneer_export_operations;
}
