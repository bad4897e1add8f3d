// SPDX-License-Identifier: GPL-2.0-only
/*
 * Marks: the facts that an object of a layer or of the upper carries in
 * extended attributes.
 *
 * Callers run with the mounter's credentials.  A mark that is not there is
 * never an error here: most objects carry none.
 */
#include <linux/slab.h>
#include <linux/xattr.h>

#include "format.h"
#include "log.h"
#include "marks.h"
#include "times.h"
#include "xattr.h"

static const char * const mark_names[VENEER_NR_MARKS][2] = {
	[VENEER_MARK_OPAQUE] = {
		XATTR_TRUSTED_PREFIX VENEER_XATTR_OVERLAY "opaque",
		XATTR_USER_PREFIX VENEER_XATTR_OVERLAY "opaque",
	},
	[VENEER_MARK_REDIRECT] = {
		XATTR_TRUSTED_PREFIX VENEER_XATTR_OVERLAY "redirect",
		XATTR_USER_PREFIX VENEER_XATTR_OVERLAY "redirect",
	},
	[VENEER_MARK_WHITEOUT] = {
		XATTR_TRUSTED_PREFIX VENEER_XATTR_OVERLAY "whiteout",
		XATTR_USER_PREFIX VENEER_XATTR_OVERLAY "whiteout",
	},
	[VENEER_MARK_METACOPY] = {
		XATTR_TRUSTED_PREFIX VENEER_XATTR_OVERLAY "metacopy",
		XATTR_USER_PREFIX VENEER_XATTR_OVERLAY "metacopy",
	},
	[VENEER_MARK_PROTATTR] = {
		XATTR_TRUSTED_PREFIX VENEER_XATTR_OVERLAY "protattr",
		XATTR_USER_PREFIX VENEER_XATTR_OVERLAY "protattr",
	},
	[VENEER_MARK_ORIGIN] = {
		XATTR_TRUSTED_PREFIX VENEER_XATTR_OWN "origin",
		XATTR_USER_PREFIX VENEER_XATTR_OWN "origin",
	},
	[VENEER_MARK_SPLIT] = {
		XATTR_TRUSTED_PREFIX VENEER_XATTR_OWN "split",
		XATTR_USER_PREFIX VENEER_XATTR_OWN "split",
	},
	[VENEER_MARK_IMPURE] = {
		XATTR_TRUSTED_PREFIX VENEER_XATTR_OWN "impure",
		XATTR_USER_PREFIX VENEER_XATTR_OWN "impure",
	},
	[VENEER_MARK_CDEV0] = {
		XATTR_TRUSTED_PREFIX VENEER_XATTR_OWN "cdev0",
		XATTR_USER_PREFIX VENEER_XATTR_OWN "cdev0",
	},
	[VENEER_MARK_LINKS] = {
		XATTR_TRUSTED_PREFIX VENEER_XATTR_OWN "links",
		XATTR_USER_PREFIX VENEER_XATTR_OWN "links",
	},
};

/**
 * veneer_mark_name - the extended attribute's full name
 * @userxattr: in the user namespace rather than in trusted
 * @mark: which mark
 */
const char *veneer_mark_name(bool userxattr, enum veneer_mark mark)
{
	return mark_names[mark][userxattr];
}

/*
 * Is there no mark?  One in the user namespace takes the right to read its
 * object.  What the mounter may not read shows as one without marks: it can be
 * looked at, as on any filesystem, and is not read, whatever the marks say.
 */
static bool is_none(ssize_t len, bool userxattr)
{
	return len == -ENODATA || len == -EOPNOTSUPP ||
	       (userxattr && len == -EACCES);
}

/**
 * veneer_mark_get - read a mark
 * @path: the object
 * @userxattr: which namespace
 * @mark: which mark
 * @buf: receives the value
 * @size: size of @buf; 0 asks for the length
 *
 * Return: the value's length, 0 when the mark is not there (an empty value
 * means the same) or may not be read, or a negative error; %-ERANGE when @buf is too small.
 */
ssize_t veneer_mark_get(const struct path *path, bool userxattr,
			enum veneer_mark mark, void *buf, size_t size)
{
	ssize_t len = vfs_getxattr(mnt_idmap(path->mnt), path->dentry,
				   veneer_mark_name(userxattr, mark), buf, size);

	return is_none(len, userxattr) ? 0 : len;
}

/**
 * veneer_mark_get_alloc - read a mark of any length
 * @path: the object
 * @userxattr: which namespace
 * @mark: which mark
 * @size: receives the value's length
 *
 * Return: the value, for the caller to kvfree(); %NULL for none; or an
 * ERR_PTR(), %-EACCES for one that may not be read.
 */
void *veneer_mark_get_alloc(const struct path *path, bool userxattr,
			    enum veneer_mark mark, size_t *size)
{
	void *value = veneer_getxattr_alloc(path,
					    veneer_mark_name(userxattr, mark),
					    size);

	if (value == ERR_PTR(-ENODATA) || value == ERR_PTR(-EOPNOTSUPP))
		return NULL;
	return value;
}

/**
 * veneer_mark_set - write a mark
 * @path: an object of the upper, its inode not locked
 * @userxattr: which namespace
 * @mark: which mark
 * @value: the value
 * @size: its length
 */
int veneer_mark_set(const struct path *path, bool userxattr,
		    enum veneer_mark mark, const void *value, size_t size)
{
	return vfs_setxattr(mnt_idmap(path->mnt), path->dentry,
			    veneer_mark_name(userxattr, mark), value, size, 0);
}

/* A mark that was to be taken away and was not there is no error. */
static int none_is_fine(int err)
{
	return err == -ENODATA || err == -EOPNOTSUPP ? 0 : err;
}

/**
 * veneer_mark_remove - take a mark away
 * @path: an object of the upper, its inode not locked
 * @userxattr: which namespace
 * @mark: which mark
 *
 * Return: 0 also when there was none.
 */
int veneer_mark_remove(const struct path *path, bool userxattr,
		       enum veneer_mark mark)
{
	return none_is_fine(vfs_removexattr(mnt_idmap(path->mnt), path->dentry,
					    veneer_mark_name(userxattr, mark)));
}

/* With a value, or away with it; the inode is locked. */
static int change_locked(const struct path *path, const char *name,
			 const void *value, size_t size)
{
	struct mnt_idmap *idmap = mnt_idmap(path->mnt);

	return value ? __vfs_setxattr_locked(idmap, path->dentry, name, value,
					     size, 0, NULL) :
		       __vfs_removexattr_locked(idmap, path->dentry, name, NULL);
}

/**
 * veneer_mark_change - write a mark, or take it away, and leave ctime alone
 * @path: an object of the upper, its inode not locked
 * @userxattr: which namespace
 * @mark: which mark
 * @value: the value, or %NULL to take the mark away
 * @size: its length
 *
 * For a mark that changes when nothing has changed that a user of the mount
 * can see, who may compare ctimes.  Best effort: ctime moves when somebody has
 * a delegation.
 *
 * Return: 0 also when there was no mark to take away; or a negative error.
 */
int veneer_mark_change(const struct path *path, bool userxattr,
		       enum veneer_mark mark, const void *value, size_t size)
{
	const char *name = veneer_mark_name(userxattr, mark);
	struct inode *inode = d_inode(path->dentry);
	struct timespec64 ctime;
	int err;

	inode_lock(inode);
	ctime = inode_get_ctime(inode);
	err = change_locked(path, name, value, size);
	if (!err)
		veneer_ctime_put_back(inode, ctime);
	inode_unlock(inode);

	if (err == -EWOULDBLOCK)
		err = value ? veneer_mark_set(path, userxattr, mark, value, size) :
			      veneer_mark_remove(path, userxattr, mark);
	return value ? err : none_is_fine(err);
}

/**
 * veneer_opaque_mark - read a directory's opaque mark
 * @path: the directory
 * @userxattr: which namespace
 *
 * Return: 'y', 'x', 0 for neither, or a negative error.
 */
int veneer_opaque_mark(const struct path *path, bool userxattr)
{
	char value;
	ssize_t len = veneer_mark_get(path, userxattr, VENEER_MARK_OPAQUE,
				      &value, sizeof(value));

	if (len == -ERANGE)
		return 0;
	if (len <= 0)
		return len;
	return value == 'y' || value == 'x' ? value : 0;
}

/* Is there a mark of this kind, whose value may be empty? */
static int has_mark(const struct path *path, bool userxattr,
		    enum veneer_mark mark)
{
	ssize_t len = vfs_getxattr(mnt_idmap(path->mnt), path->dentry,
				   veneer_mark_name(userxattr, mark), NULL, 0);

	if (is_none(len, userxattr))
		return 0;
	return len < 0 ? len : 1;
}

/**
 * veneer_is_metacopy - is this file's data elsewhere?
 * @path: a regular file of a layer or of the upper
 * @userxattr: which namespace
 *
 * Where, a split record says; or overlayfs's rules, when there is none.
 *
 * Return: 1, 0, or a negative error.
 */
int veneer_is_metacopy(const struct path *path, bool userxattr)
{
	return has_mark(path, userxattr, VENEER_MARK_METACOPY);
}

/* Is this an empty regular file, which is what carries marks of this kind? */
static int empty_file_mark(const struct path *path, bool userxattr,
			   enum veneer_mark mark)
{
	const struct inode *inode = d_inode(path->dentry);

	if (!S_ISREG(inode->i_mode) || i_size_read(inode))
		return 0;
	return has_mark(path, userxattr, mark);
}

/**
 * veneer_is_whiteout - does this object delete the name below it?
 * @path: an object of a layer or of the upper
 * @userxattr: which namespace
 *
 * Return: 1, 0, or a negative error.
 */
int veneer_is_whiteout(const struct path *path, bool userxattr)
{
	if (IS_WHITEOUT(d_inode(path->dentry)))
		return 1;
	return empty_file_mark(path, userxattr, VENEER_MARK_WHITEOUT);
}

/**
 * veneer_is_cdev0 - does this file stand for a character device 0:0?
 * @path: an object of a layer or of the upper
 * @userxattr: which namespace
 *
 * A real one would be a whiteout, so a user's own is kept in this form.
 *
 * Return: 1, 0, or a negative error.
 */
int veneer_is_cdev0(const struct path *path, bool userxattr)
{
	return empty_file_mark(path, userxattr, VENEER_MARK_CDEV0);
}

/**
 * veneer_prot_get - is this object immutable, or append-only?
 * @path: an object of a layer or of the upper
 * @userxattr: which namespace
 *
 * Return: S_IMMUTABLE and S_APPEND, or a negative error.  Letters that are
 * unknown protect from nothing, but are reported.
 */
int veneer_prot_get(const struct path *path, bool userxattr)
{
	char value[8];
	ssize_t len = veneer_mark_get(path, userxattr, VENEER_MARK_PROTATTR,
				      value, sizeof(value));
	int prot = 0;

	/* Of what the mounter may not read, nothing will be changed either. */
	if (!len || len == -EACCES)
		return 0;
	if (len == -ERANGE)
		len = 0;
	else if (len < 0)
		return len;
	for (ssize_t i = 0; i < len; i++) {
		if (value[i] == 'i')
			prot |= S_IMMUTABLE;
		else if (value[i] == 'a')
			prot |= S_APPEND;
		else
			len = 0;
	}
	if (!len)
		veneer_err_ratelimited("%pd2: the mark of its protection is damaged\n",
				       path->dentry);
	return prot;
}

/**
 * veneer_prot_set - mark an object as immutable, or append-only
 * @path: an object of the upper, its inode not locked
 * @userxattr: which namespace
 * @prot: S_IMMUTABLE and S_APPEND, or 0 to take the mark away
 */
int veneer_prot_set(const struct path *path, bool userxattr, unsigned int prot)
{
	char value[2];
	size_t len = 0;

	if (prot & S_APPEND)
		value[len++] = 'a';
	if (prot & S_IMMUTABLE)
		value[len++] = 'i';
	if (!len)
		return veneer_mark_remove(path, userxattr, VENEER_MARK_PROTATTR);
	return veneer_mark_set(path, userxattr, VENEER_MARK_PROTATTR, value, len);
}

/**
 * veneer_redirect_get - read a directory's redirect
 * @path: the directory
 * @userxattr: which namespace
 *
 * Return: the path, absolute from the root of the stack or a single name
 * beside the directory's own, for the caller to kvfree(); %NULL for none; or
 * an ERR_PTR(), %-EUCLEAN for something that is neither.
 */
char *veneer_redirect_get(const struct path *path, bool userxattr)
{
	size_t size;
	char *to = veneer_mark_get_alloc(path, userxattr, VENEER_MARK_REDIRECT,
					 &size);

	if (IS_ERR_OR_NULL(to))
		return is_none(PTR_ERR(to), userxattr) ? NULL : to;

	if (!size || strlen(to) != size || (*to != '/' && strchr(to, '/')) ||
	    !strcmp(to, ".") || !strcmp(to, "..")) {
		veneer_err_ratelimited("%pd2: redirect is neither a name nor an absolute path\n",
				       path->dentry);
		kvfree(to);
		return ERR_PTR(-EUCLEAN);
	}
	return to;
}

/**
 * veneer_origin_get - read the inode number that an object had below
 * @path: an object of the upper
 * @userxattr: which namespace
 * @ino: receives the number
 *
 * Return: 1 when there is one, 0 when not, or a negative error.
 */
int veneer_origin_get(const struct path *path, bool userxattr, u64 *ino)
{
	struct veneer_origin_disk disk;
	ssize_t len = veneer_mark_get(path, userxattr, VENEER_MARK_ORIGIN,
				      &disk, sizeof(disk));

	if (!len)
		return 0;
	if (len != -ERANGE && len < 0)
		return len;
	if (len != sizeof(disk) || disk.version != VENEER_ORIGIN_VERSION) {
		veneer_err_ratelimited("%pd2: origin record is damaged or of another version\n",
				       path->dentry);
		return -EUCLEAN;
	}
	*ino = le64_to_cpu(disk.ino);
	return 1;
}

/**
 * veneer_origin_set - record the inode number that an object had below
 * @path: an object of the upper
 * @userxattr: which namespace
 * @ino: the number
 */
int veneer_origin_set(const struct path *path, bool userxattr, u64 ino)
{
	struct veneer_origin_disk disk = {
		.version = VENEER_ORIGIN_VERSION,
		.ino	 = cpu_to_le64(ino),
	};

	return veneer_mark_set(path, userxattr, VENEER_MARK_ORIGIN,
			       &disk, sizeof(disk));
}
