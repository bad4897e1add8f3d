// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names found: one look into the upper, one into the stack.
 */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/slab.h>

#include "acl.h"
#include "attr.h"
#include "compat.h"
#include "dir.h"
#include "file.h"
#include "fileattr.h"
#include "format.h"
#include "inode.h"
#include "links.h"
#include "log.h"
#include "marks.h"
#include "namei.h"
#include "record.h"
#include "times.h"
#include "xattr.h"

/**
 * struct upper_facts - what the upper says about a name
 * @path: the object there; @path.dentry is a reference, or %NULL for none
 * @hides: what the stack has under this name does not show through
 * @redirect: where in the stack a directory's lower part is, for kvfree();
 *	%NULL for the same name
 * @record: a file's record of where its data is; @record.path is %NULL for
 *	none
 * @metacopy: a file's data is where overlayfs's rules say
 * @data_err: a file's data cannot be had, and why
 * @has_origin: @ino counts
 * @ino: the full inode number that it had below
 * @cdev0: it stands for a character device 0:0
 * @prot: S_IMMUTABLE and S_APPEND, as marked
 */
struct upper_facts {
	struct path		path;
	bool			hides;
	char			*redirect;
	struct veneer_record	record;
	bool			metacopy;
	int			data_err;
	bool			has_origin;
	u64			ino;
	bool			cdev0;
	unsigned int		prot;
};

/**
 * veneer_is_reserved - is this name kept for Veneer itself?
 * @dir: a directory of a mount
 * @dentry: the name
 */
bool veneer_is_reserved(const struct inode *dir, const struct dentry *dentry)
{
	return dir == d_inode(dir->i_sb->s_root) &&
	       dentry->d_name.len == strlen(VENEER_DIR_NAME) &&
	       !memcmp(dentry->d_name.name, VENEER_DIR_NAME,
		       strlen(VENEER_DIR_NAME));
}

/**
 * veneer_find_below - what the stack has under a name
 * @dir: a directory of a mount
 * @dentry: the name
 *
 * Return: the stack's object with a reference; %NULL for none; an ERR_PTR().
 * Runs with the mounter's credentials.
 */
struct dentry *veneer_find_below(struct inode *dir, const struct dentry *dentry)
{
	struct dentry *below = veneer_dir_below(dir);

	if (!below || veneer_is_reserved(dir, dentry))
		return NULL;
	return veneer_stack_find(below, dentry->d_name.name);
}

static void facts_put(struct upper_facts *facts)
{
	dput(facts->path.dentry);
	kvfree(facts->redirect);
	kfree(facts->record.path);
}

static int read_redirect(struct upper_facts *facts, bool userxattr)
{
	facts->redirect = veneer_redirect_get(&facts->path, userxattr);
	if (IS_ERR(facts->redirect)) {
		int err = PTR_ERR(facts->redirect);

		facts->redirect = NULL;
		return err;
	}
	return 0;
}

static int read_dir_marks(struct upper_facts *facts, bool userxattr)
{
	int opaque = veneer_opaque_mark(&facts->path, userxattr);

	if (opaque < 0)
		return opaque;
	facts->hides = opaque == 'y';
	return facts->hides ? 0 : read_redirect(facts, userxattr);
}

static int read_file_marks(struct upper_facts *facts, bool userxattr)
{
	int ret;

	ret = veneer_record_get(&facts->path, userxattr, &facts->record);
	/*
	 * Such a file can still be looked at, and removed.  So can one that the
	 * mounter may not read, nor know whether it is whole.
	 */
	if (ret == -EUCLEAN || (userxattr && ret == -EACCES)) {
		facts->data_err = ret;
		return 0;
	}
	if (ret)
		return min(ret, 0);

	ret = veneer_is_metacopy(&facts->path, userxattr);
	if (ret < 0)
		return ret;
	if (ret) {
		facts->metacopy = true;
		facts->hides = false;
		return read_redirect(facts, userxattr);
	}
	ret = veneer_is_cdev0(&facts->path, userxattr);
	facts->cdev0 = ret > 0;
	return min(ret, 0);
}

/* Only what can be opened for ioctl(2) has it. */
static int read_prot(struct upper_facts *facts, bool userxattr)
{
	int prot;

	if (!d_is_dir(facts->path.dentry) && !d_is_reg(facts->path.dentry))
		return 0;
	prot = veneer_prot_get(&facts->path, userxattr);
	if (prot < 0)
		return prot;
	facts->prot = prot;
	return 0;
}

/* Reads the marks of an object of the upper that is no whiteout. */
static int read_marks(struct upper_facts *facts, bool userxattr)
{
	int err = 0;

	if (d_is_dir(facts->path.dentry)) {
		err = read_dir_marks(facts, userxattr);
	} else {
		facts->hides = true;
		if (d_is_reg(facts->path.dentry))
			err = read_file_marks(facts, userxattr);
	}
	if (err)
		return err;

	err = veneer_origin_get(&facts->path, userxattr, &facts->ino);
	facts->has_origin = err > 0;
	/* A wrong number is a smaller evil than a file that cannot be had. */
	if (err < 0 && err != -EUCLEAN)
		return err;
	return read_prot(facts, userxattr);
}

/* Asks the upper about a name.  The caller ends it with facts_put(). */
static int ask_upper(struct veneer_mount *m, struct dentry *dir,
		     const char *name, struct upper_facts *facts)
{
	const bool userxattr = m->options.userxattr;
	struct dentry *dentry;
	int err;

	dentry = veneer_lookup_unlocked(veneer_upper_idmap(m), name, dir);
	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	if (d_is_negative(dentry)) {
		dput(dentry);
		return 0;
	}
	facts->path = veneer_upper_path(m, dentry);

	err = veneer_is_whiteout(&facts->path, userxattr);
	if (err) {
		dput(dentry);
		facts->path.dentry = NULL;
		facts->hides = true;
		return min(err, 0);
	}

	return read_marks(facts, userxattr);
}

/*
 * Finds what a record of the upper names, which must be there: for the data of a
 * file, %-ENODATA says that it is not.
 */
static struct dentry *follow_record(struct dentry *from,
				    const struct upper_facts *facts,
				    const char *path, bool dir)
{
	struct dentry *below = veneer_stack_walk(from, path);

	if (IS_ERR(below))
		return below;
	if (below && (dir ? d_is_dir(below) : d_is_reg(below)))
		return below;

	veneer_err_ratelimited("%pd2: %s '%s', which the layers do not have; were they changed?\n",
			       facts->path.dentry,
			       dir ? "continues" : "has its data in", path);
	dput(below);
	return ERR_PTR(dir ? -EIO : -ENODATA);
}

/* The file of the stack that has a file's data. */
static struct dentry *find_data(struct veneer_mount *m, struct inode *dir,
				const struct dentry *name,
				const struct upper_facts *facts)
{
	struct dentry *root = m->stack->s_root;
	const char *path = name->d_name.name;

	if (facts->record.path)
		return follow_record(root, facts, facts->record.path, false);
	if (facts->redirect && *facts->redirect == '/')
		return follow_record(root, facts, facts->redirect, false);
	if (!veneer_dir_below(dir))
		return ERR_PTR(-ENODATA);
	if (facts->redirect)
		path = facts->redirect;
	return follow_record(veneer_dir_below(dir), facts, path, false);
}

/* The object of the stack that this one covers, or %NULL. */
static struct dentry *ask_stack(struct veneer_mount *m, struct inode *dir,
				const struct dentry *name,
				struct upper_facts *facts)
{
	struct dentry *below;

	if (facts->data_err)
		return NULL;
	if (facts->record.path || facts->metacopy) {
		below = find_data(m, dir, name, facts);
		/* That a layer cannot be read may be over the next time. */
		if (below == ERR_PTR(-ENODATA))
			facts->data_err = -EIO;
		else if (below == ERR_PTR(-EUCLEAN))
			facts->data_err = -EUCLEAN;
		else
			return below;
		return NULL;
	}
	if (facts->redirect && *facts->redirect == '/')
		return follow_record(m->stack->s_root, facts, facts->redirect,
				     true);
	if (facts->hides || !veneer_dir_below(dir))
		return NULL;
	if (facts->redirect)
		return follow_record(veneer_dir_below(dir), facts,
				     facts->redirect, true);

	below = veneer_find_below(dir, name);
	/* Only directories merge. */
	if (!IS_ERR_OR_NULL(below) && facts->path.dentry && !d_is_dir(below)) {
		dput(below);
		return NULL;
	}
	return below;
}

static int found_below(struct veneer_mount *m, struct veneer_found *found)
{
	struct path real;
	int ret;

	found->ino = veneer_below_ino(m, found->below);
	if (!d_is_reg(found->below))
		return 0;

	veneer_stack_real(found->below, &real);
	ret = veneer_is_cdev0(&real, m->options.userxattr);
	found->cdev0 = ret > 0;
	return min(ret, 0);
}

/* What an object in the upper adds; takes its dentry over. */
static void found_upper(struct veneer_mount *m, struct upper_facts *facts,
			struct veneer_found *found)
{
	found->upper = facts->path.dentry;
	facts->path.dentry = NULL;
	found->cdev0 = facts->cdev0;
	found->prot = facts->prot;
	found->data_err = facts->data_err;
	found->has_map = facts->record.flags & VENEER_SPLIT_MAP;
	found->cut = facts->record.flags & VENEER_SPLIT_CUT;
	found->whole = !facts->record.path && !facts->metacopy &&
		       !facts->data_err;
	found->ino = facts->has_origin ? veneer_show_ino(m->nr_fs, facts->ino) :
					 veneer_upper_ino(m, found->upper);
}

/* Has the object been copied up through another of its names? */
static int find_upper(struct super_block *sb, struct veneer_found *found)
{
	struct veneer_mount *m = veneer_mount(sb);
	struct upper_facts facts = {};
	int err;

	err = veneer_links_find(m, found->below, &facts.path, &found->links);
	if (err <= 0)
		return err;
	err = read_marks(&facts, m->options.userxattr);
	if (!err)
		found_upper(m, &facts, found);
	facts_put(&facts);
	return err;
}

/* Turns both answers into an inode; %NULL when there is nothing. */
static struct inode *combine(struct super_block *sb, struct upper_facts *facts,
			     struct dentry *below)
{
	struct veneer_mount *m = veneer_mount(sb);
	struct veneer_found found = { .upper = facts->path.dentry,
				      .below = below };
	int err = 0;

	if (!found.upper && !found.below)
		return NULL;

	if (!found.upper) {
		err = found_below(m, &found);
		if (m->upper && veneer_links_wanted(m, below))
			found.complete = find_upper;
	} else if (!d_is_dir(found.upper) && d_inode(found.upper)->i_nlink > 1) {
		err = veneer_links_lookup(m, &facts->path, &found.below,
					  &found.links);
	}
	if (err < 0) {
		dput(found.below);
		return ERR_PTR(err);
	}
	if (found.upper)
		found_upper(m, facts, &found);
	return veneer_inode_get(sb, NULL, &found);
}

/**
 * veneer_linked_inode - the inode of an object that has several names below
 * @sb: the mount
 * @entry: the object's entry in the upper
 *
 * Return: the inode with a reference, or an ERR_PTR(); %-ESTALE for an entry
 * whose record leads nowhere.
 */
struct inode *veneer_linked_inode(struct super_block *sb, struct dentry *entry)
{
	struct veneer_mount *m = veneer_mount(sb);
	struct upper_facts facts = {
		.path = veneer_upper_path(m, dget(entry)),
	};
	struct veneer_found found = {};
	int err;

	err = read_marks(&facts, m->options.userxattr);
	if (!err)
		err = veneer_links_lookup(m, &facts.path, &found.below,
					  &found.links);
	if (err > 0)
		found_upper(m, &facts, &found);
	facts_put(&facts);
	if (err <= 0)
		return ERR_PTR(err ? err : -ESTALE);
	return veneer_inode_get(sb, NULL, &found);
}

/**
 * veneer_linked_inode_below - the same, by what is below
 * @sb: the mount
 * @below: an object of its stack whose names stay together
 *
 * Return: the inode with a reference, or an ERR_PTR().  It has an upper if the
 * object has been copied up.
 */
struct inode *veneer_linked_inode_below(struct super_block *sb,
					struct dentry *below)
{
	struct veneer_found found = {
		.below = dget(below),
		.complete = find_upper,
	};
	int err = found_below(veneer_mount(sb), &found);

	if (err) {
		dput(below);
		return ERR_PTR(err);
	}
	return veneer_inode_get(sb, NULL, &found);
}

static struct dentry *veneer_lookup(struct inode *dir, struct dentry *dentry,
				    unsigned int flags)
{
	struct veneer_mount *m = veneer_mount(dir->i_sb);
	struct dentry *upper_dir = veneer_upper(dir);
	struct upper_facts facts = {};
	struct inode *inode = NULL;
	struct dentry *below;
	int err = 0;

	if (dentry->d_name.len > m->namelen)
		return ERR_PTR(-ENAMETOOLONG);
	if (veneer_is_reserved(dir, dentry))
		return d_splice_alias(NULL, dentry);

	veneer_count(m, lookups, 1);
	CLASS(veneer_cred, cred)(m->cred);
	if (upper_dir)
		err = ask_upper(m, upper_dir, dentry->d_name.name, &facts);
	if (!err) {
		below = ask_stack(m, dir, dentry, &facts);
		inode = IS_ERR(below) ? ERR_CAST(below) :
					combine(dir->i_sb, &facts, below);
		err = PTR_ERR_OR_ZERO(inode);
	}
	facts_put(&facts);
	return err ? ERR_PTR(err) : d_splice_alias(inode, dentry);
}

/**
 * veneer_root_inode - make the inode of a mount's root
 * @sb: the mount
 * @inode: receives the inode
 */
int veneer_root_inode(struct super_block *sb, struct inode **inode)
{
	struct veneer_mount *m = veneer_mount(sb);
	struct veneer_found found = {
		.upper	= m->upper ? dget(m->upper->mnt_root) : NULL,
		.below	= dget(m->stack->s_root),
		.ino	= veneer_below_ino(m, m->stack->s_root),
	};

	if (m->upper) {
		const struct path path = veneer_upper_path(m, found.upper);
		int prot;

		CLASS(veneer_cred, cred)(m->cred);
		prot = veneer_prot_get(&path, m->options.userxattr);
		if (prot < 0) {
			dput(found.upper);
			dput(found.below);
			return prot;
		}
		found.prot = prot;
	}

	*inode = veneer_inode_get(sb, NULL, &found);
	return PTR_ERR_OR_ZERO(*inode);
}

const struct inode_operations veneer_dir_inode_operations = {
	.lookup		= veneer_lookup,
	.create		= veneer_create,
	.mkdir		= veneer_mkdir,
	.mknod		= veneer_mknod,
	.symlink	= veneer_symlink,
	.link		= veneer_link,
	.tmpfile	= veneer_tmpfile,
	.unlink		= veneer_unlink,
	.rmdir		= veneer_rmdir,
	.rename		= veneer_rename,
	.permission	= veneer_permission,
	.getattr	= veneer_getattr,
	.setattr	= veneer_setattr,
	.listxattr	= veneer_listxattr,
	.get_inode_acl	= veneer_get_inode_acl,
	.get_acl	= veneer_get_acl,
	.set_acl	= veneer_set_acl,
	.update_time	= veneer_update_time,
	.fileattr_get	= veneer_fileattr_get,
	.fileattr_set	= veneer_fileattr_set,
};
