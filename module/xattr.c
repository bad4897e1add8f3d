// SPDX-License-Identifier: GPL-2.0-only
/*
 * Extended attributes of a mount's objects.
 *
 * They are the real object's, but for the marks.  A user of the mount does
 * not see those, and may have attributes of the same names all the same (a
 * mount over this one has): "trusted.overlay.opaque" as seen here is
 * "trusted.overlay.overlay.opaque" on the real object, one more of the prefix
 * for each level, as overlayfs does it.
 */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/posix_acl_xattr.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/xattr.h>

#include "acl.h"
#include "compat.h"
#include "copyup.h"
#include "format.h"
#include "inode.h"
#include "writer.h"
#include "xattr.h"

static const char * const own_prefixes[] = {
	VENEER_XATTR_OWN,
	VENEER_XATTR_OVERLAY,
};

/*
 * If @name is of the kind that marks have: its part after the namespace, and
 * which of our prefixes that begins with.
 */
static const char *own_part(const struct super_block *sb, const char *name,
			    const char **prefix)
{
	const char *namespace = veneer_mount(sb)->options.userxattr ?
				XATTR_USER_PREFIX : XATTR_TRUSTED_PREFIX;
	size_t len = strlen(namespace);

	if (strncmp(name, namespace, len))
		return NULL;
	name += len;

	for (int i = 0; i < ARRAY_SIZE(own_prefixes); i++) {
		if (strncmp(name, own_prefixes[i], strlen(own_prefixes[i])))
			continue;
		*prefix = own_prefixes[i];
		return name;
	}
	return NULL;
}

/* What @name is called on the real object; may be @name itself. */
static const char *real_name(const struct super_block *sb, const char *name,
			     char **allocated)
{
	const char *prefix;
	const char *part = own_part(sb, name, &prefix);

	*allocated = NULL;
	if (!part)
		return name;

	*allocated = kasprintf(GFP_KERNEL, "%.*s%s%s", (int)(part - name), name,
			       prefix, part);
	if (!*allocated)
		return ERR_PTR(-ENOMEM);
	return strlen(*allocated) > XATTR_NAME_MAX ? ERR_PTR(-ERANGE) :
						     *allocated;
}

/*
 * Turns a real object's name into what a user sees, in place.
 * Return: the length without the zero byte, or 0 for a mark.
 */
static size_t shown_name(const struct super_block *sb, char *name)
{
	const char *prefix;
	char *part = (char *)own_part(sb, name, &prefix);
	size_t len;

	if (!part)
		return strlen(name);

	len = strlen(prefix);
	if (strncmp(part + len, prefix, len))
		return 0;
	memmove(part, part + len, strlen(part + len) + 1);
	return strlen(name);
}

static int xattr_get(const struct xattr_handler *handler, struct dentry *dentry,
		     struct inode *inode, const char *name, void *buf,
		     size_t size)
{
	struct path real;
	char *allocated;
	int ret;

	name = real_name(inode->i_sb, name, &allocated);
	if (IS_ERR(name)) {
		ret = PTR_ERR(name);
	} else {
		CLASS(veneer_cred, cred)(veneer_cred(inode->i_sb));

		veneer_inode_real(inode, &real);
		ret = vfs_getxattr(mnt_idmap(real.mnt), real.dentry, name, buf,
				   size);
	}
	kfree(allocated);
	return ret;
}

/* Taking away what is not there must not copy the object up. */
static int check_present(struct inode *inode, const char *name)
{
	struct path real;
	ssize_t ret;

	CLASS(veneer_cred, cred)(veneer_cred(inode->i_sb));
	veneer_inode_real(inode, &real);
	ret = vfs_getxattr(mnt_idmap(real.mnt), real.dentry, name, NULL, 0);
	return min(ret, 0);
}

static int set_on_upper(struct inode *inode, const char *name,
			const void *value, size_t size, int flags)
{
	struct veneer_mount *m = veneer_mount(inode->i_sb);
	struct mnt_idmap *idmap = veneer_upper_idmap(m);
	struct dentry *upper = veneer_upper(inode);
	int err;

	err = mnt_want_write(m->upper);
	if (err)
		return err;

	{
		CLASS(veneer_cred, cred)(veneer_writer_cred(m));

		if (value)
			err = vfs_setxattr(idmap, upper, name, value, size,
					   flags);
		else
			err = vfs_removexattr(idmap, upper, name);
	}
	mnt_drop_write(m->upper);
	/* The times moved. */
	if (!err)
		veneer_copyattr(inode);
	return err;
}

static int xattr_set(const struct xattr_handler *handler,
		     struct mnt_idmap *idmap, struct dentry *dentry,
		     struct inode *inode, const char *name, const void *value,
		     size_t size, int flags)
{
	char *allocated;
	int err = 0;

	name = real_name(inode->i_sb, name, &allocated);
	if (IS_ERR(name))
		err = PTR_ERR(name);
	else if (!value && !veneer_upper(inode))
		err = check_present(inode, name);
	if (!err)
		err = veneer_copy_up(dentry);
	if (!err)
		err = set_on_upper(inode, name, value, size, flags);
	kfree(allocated);
	return err;
}

static const struct xattr_handler veneer_xattr_handler = {
	.prefix	= "",	/* every name there is */
	.get	= xattr_get,
	.set	= xattr_set,
};

const struct xattr_handler * const veneer_xattr_handlers[] = {
	&veneer_xattr_handler,
	NULL
};

/**
 * veneer_getxattr_alloc - read a real object's attribute of any length
 * @path: the object
 * @name: the attribute's full name
 * @size: receives the value's length
 *
 * Return: the value with a zero byte after it, for the caller to kvfree(); or
 * an ERR_PTR(), %-ENODATA when there is none.
 */
void *veneer_getxattr_alloc(const struct path *path, const char *name,
			    size_t *size)
{
	struct mnt_idmap *idmap = mnt_idmap(path->mnt);
	ssize_t len = vfs_getxattr(idmap, path->dentry, name, NULL, 0);
	char *value;

	if (len < 0)
		return ERR_PTR(len);

	value = kvmalloc(len + 1, GFP_KERNEL);
	if (!value)
		return ERR_PTR(-ENOMEM);

	if (len)
		len = vfs_getxattr(idmap, path->dentry, name, value, len);
	if (len < 0) {
		kvfree(value);
		return ERR_PTR(len);
	}
	value[len] = '\0';
	*size = len;
	return value;
}

/* A real object's list of names, for the caller to kvfree(). */
static ssize_t list_alloc(struct dentry *real, char **list)
{
	ssize_t len = vfs_listxattr(real, NULL, 0);

	*list = NULL;
	if (len == -EOPNOTSUPP)
		return 0;
	if (len <= 0)
		return len;

	*list = kvzalloc(len + 1, GFP_KERNEL);
	if (!*list)
		return -ENOMEM;
	return vfs_listxattr(real, *list, len);
}

/* trusted.* is for those who may read it where they are. */
static bool may_list(const char *name)
{
	return strncmp(name, XATTR_TRUSTED_PREFIX, XATTR_TRUSTED_PREFIX_LEN) ||
	       ns_capable_noaudit(&init_user_ns, CAP_SYS_ADMIN);
}

ssize_t veneer_listxattr(struct dentry *dentry, char *list, size_t size)
{
	const struct super_block *sb = dentry->d_sb;
	ssize_t left, total = 0;
	struct path real;
	char *all;

	veneer_inode_real(d_inode(dentry), &real);
	{
		CLASS(veneer_cred, cred)(veneer_cred(sb));
		left = list_alloc(real.dentry, &all);
	}

	for (char *name = all; left > 0;) {
		size_t real_len = strlen(name) + 1;
		size_t len = may_list(name) ? shown_name(sb, name) : 0;

		if (len) {
			len++;
			if (size && total + len > size) {
				total = -ERANGE;
				break;
			}
			if (size)
				memcpy(list + total, name, len);
			total += len;
		}
		name += real_len;
		left -= real_len;
	}
	kvfree(all);
	return left < 0 ? left : total;
}

/* A mark says something about the place it was made in, so it stays there. */
static bool is_mark(const struct super_block *sb, const char *name)
{
	const char *prefix;
	const char *part = own_part(sb, name, &prefix);

	return part && strncmp(part + strlen(prefix), prefix, strlen(prefix));
}

/* Without these the copy would grant more than the original. */
static bool must_copy(const char *name)
{
	return !strncmp(name, XATTR_SECURITY_PREFIX, XATTR_SECURITY_PREFIX_LEN);
}

static int copy_one(const struct path *from, const struct path *to,
		    const char *name)
{
	size_t size;
	void *value = veneer_getxattr_alloc(from, name, &size);
	int err = PTR_ERR_OR_ZERO(value);

	if (err == -ENODATA)
		return 0;
	/*
	 * A capability that is damaged keeps a file from being executed.  So
	 * does an empty one, which is all that can be written of it.
	 */
	if (err == -EINVAL && !strcmp(name, XATTR_NAME_CAPS)) {
		value = NULL;
		size = 0;
	} else if (err) {
		return err;
	}

	err = vfs_setxattr(mnt_idmap(to->mnt), to->dentry, name, value, size,
			   0);
	kvfree(value);
	return err == -EOPNOTSUPP && !must_copy(name) ? 0 : err;
}

static int copy_acl(const struct path *from, const struct path *to,
		    const char *name)
{
	struct posix_acl *acl = veneer_real_acl(from, name);
	int err;

	if (IS_ERR_OR_NULL(acl))
		return PTR_ERR_OR_ZERO(acl);
	err = vfs_set_acl(mnt_idmap(to->mnt), to->dentry, name, acl);
	posix_acl_release(acl);
	return err;
}

/**
 * veneer_copy_xattrs - copy all attributes that are no marks
 * @sb: the mount
 * @from: a real object
 * @to: another one, in the upper
 *
 * Runs with the mounter's credentials.
 */
int veneer_copy_xattrs(struct super_block *sb, const struct path *from,
		       const struct path *to)
{
	ssize_t left;
	char *all;
	int err = 0;

	left = list_alloc(from->dentry, &all);
	for (char *name = all; left > 0 && !err;) {
		size_t len = strlen(name) + 1;

		if (!is_mark(sb, name)) {
			err = security_inode_copy_up_xattr(from->dentry, name);
			/* This one is the security module's to make. */
			if (err == -ECANCELED)
				err = 0;
			else if (err && err != -EOPNOTSUPP)
				break;
			else if (is_posix_acl_xattr(name))
				err = copy_acl(from, to, name);
			else
				err = copy_one(from, to, name);
		}
		name += len;
		left -= len;
	}
	kvfree(all);
	return left < 0 ? left : err;
}
