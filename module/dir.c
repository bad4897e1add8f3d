// SPDX-License-Identifier: GPL-2.0-only
/*
 * Directories of a mount, read.
 *
 * Positions: 0 and 1 are the dots; then come the stack's names, each at its
 * place in the listing whether it shows or not; then the names that only the
 * upper has, each at its index.  So a position means the same name for as
 * long as the directory is open, whatever comes and goes.
 */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/mount.h>

#include "compat.h"
#include "control.h"
#include "dir.h"
#include "file.h"
#include "inode.h"
#include "real.h"
#include "wberr.h"

#define NR_DOTS	2

/**
 * veneer_dir_halves - both halves of a directory
 * @dir: the directory, locked, if only for reading
 * @listing: receives the stack's names, or %NULL
 * @names: receives those of the upper, or %NULL
 *
 * Runs with the mounter's credentials.
 */
int veneer_dir_halves(struct inode *dir, const struct veneer_listing **listing,
		      struct veneer_names **names)
{
	struct dentry *below = veneer_dir_below(dir);

	*listing = below ? veneer_stack_listing(below) : NULL;
	if (IS_ERR(*listing))
		return PTR_ERR(*listing);
	*names = veneer_upper(dir) ? veneer_names_get(dir, *listing) : NULL;
	return PTR_ERR_OR_ZERO(*names);
}

static bool emit_below(const struct veneer_mount *m,
		       const struct veneer_listing *listing,
		       const struct veneer_names *names,
		       struct dir_context *ctx)
{
	for (; ctx->pos - NR_DOTS < listing->nr; ctx->pos++) {
		const struct veneer_name *name =
			listing->names[ctx->pos - NR_DOTS];
		const struct veneer_names_entry *entry = NULL;

		if (names)
			entry = veneer_names_find(names, name->hash, name->name,
						  name->len);
		/* Of names that do not show there may be many. */
		if (fatal_signal_pending(current))
			return false;
		if (entry && entry->hidden)
			continue;
		if (!dir_emit(ctx, name->name, name->len,
			      entry ? entry->ino :
				      veneer_show_ino(m->nr_fs, name->ino),
			      entry ? entry->type : name->type))
			return false;
	}
	return true;
}

/*
 * Up to @end only: a name that came after the reader had begun may be left
 * out, and must be, for a reader that makes a name for each one it reads.
 */
static void emit_extra(struct veneer_names *names, loff_t first,
		       unsigned long end, struct dir_context *ctx)
{
	struct veneer_names_entry *entry;
	unsigned long index = ctx->pos - first;

	for (entry = xa_find(&names->extra, &index, end, XA_PRESENT);
	     entry && index < end;
	     entry = xa_find_after(&names->extra, &index, end, XA_PRESENT)) {
		ctx->pos = first + index;
		if (!dir_emit(ctx, entry->name, entry->len, entry->ino,
			      entry->type))
			return;
		ctx->pos++;
	}
	if (ctx->pos < first + end)
		ctx->pos = first + end;
}

/*
 * Where this reader's names end, plus one; 0 until it begins.  Kept in
 * file->private_data, under the file's position lock.
 */
static unsigned long reader_end(struct file *file,
				const struct veneer_names *names)
{
	if (!file->private_data)
		file->private_data = (void *)(names->next + 1);
	return (unsigned long)file->private_data - 1;
}

static int veneer_iterate(struct file *file, struct dir_context *ctx)
{
	struct inode *dir = file_inode(file);
	const struct veneer_listing *listing;
	struct veneer_names *names;
	loff_t first = NR_DOTS;
	int err;

	{
		CLASS(veneer_cred, cred)(veneer_cred(dir->i_sb));
		err = veneer_dir_halves(dir, &listing, &names);
	}
	if (err)
		return err;
	if (!dir_emit_dots(file, ctx))
		return 0;

	if (listing) {
		first += listing->nr;
		if (!emit_below(veneer_mount(dir->i_sb), listing, names, ctx))
			return 0;
	}
	if (names)
		emit_extra(names, first, reader_end(file, names), ctx);
	return 0;
}

static loff_t veneer_dir_llseek(struct file *file, loff_t offset, int whence)
{
	switch (whence) {
	case SEEK_SET:
		break;
	case SEEK_CUR:
		offset += file->f_pos;
		break;
	case SEEK_END:
		/* Where no name can be, as ext4 has it. */
		if (offset > 0)
			return -EINVAL;
		offset += MAX_LFS_FILESIZE;
		break;
	default:
		return -EINVAL;
	}
	if (offset < 0)
		return -EINVAL;

	/* To begin again is to see what came in the meantime. */
	if (!offset)
		file->private_data = NULL;
	return vfs_setpos(file, offset, MAX_LFS_FILESIZE);
}

static int veneer_dir_fsync(struct file *file, loff_t start, loff_t end,
			    int datasync)
{
	struct inode *dir = file_inode(file);
	struct veneer_mount *m = veneer_mount(dir->i_sb);
	struct dentry *upper = veneer_upper(dir);
	struct file *real;
	struct path path;
	int err;

	err = veneer_sync_status(m);
	if (err <= 0 || !upper)
		return err < 0 ? err : 0;

	CLASS(veneer_cred, cred)(m->cred);
	path = veneer_upper_path(m, upper);
	real = veneer_real_open(&path, S_IFDIR, O_RDONLY);
	if (IS_ERR(real))
		return PTR_ERR(real);
	err = veneer_wberr_fsync(dir, real, start, end, datasync);
	fput(real);
	/* Also of what failed before that was opened. */
	return veneer_wberr_tell(file, err);
}

const struct file_operations veneer_dir_operations = {
	.read		= generic_read_dir,
	.iterate_shared	= veneer_iterate,
	.llseek		= veneer_dir_llseek,
	.fsync		= veneer_dir_fsync,
	.unlocked_ioctl	= veneer_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

/**
 * veneer_dir_check_empty - does a directory show no name at all?
 * @dir: a directory of a mount, locked
 *
 * Return: 0, %-ENOTEMPTY, or another negative error.
 */
int veneer_dir_check_empty(struct inode *dir)
{
	const struct veneer_listing *listing;
	struct veneer_names *names;
	int err;

	CLASS(veneer_cred, cred)(veneer_cred(dir->i_sb));
	err = veneer_dir_halves(dir, &listing, &names);
	if (err)
		return err;
	if (names && names->nr_extra)
		return -ENOTEMPTY;
	if (listing && listing->nr != (names ? names->nr_hidden : 0))
		return -ENOTEMPTY;
	return 0;
}
