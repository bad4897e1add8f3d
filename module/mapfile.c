// SPDX-License-Identifier: GPL-2.0-only
/*
 * Map file: a block map on disk, .veneer/map/UUID under the root of an upper
 * or of a layer.
 *
 * One is made in work/, complete but for the bits, and gets its name by a
 * rename.  Callers run with the mounter's credentials, and without write access
 * to the upper's mount.
 */
#include <linux/crc32.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "apart.h"
#include "compat.h"
#include "format.h"
#include "inode.h"
#include "log.h"
#include "mapfile.h"
#include "real.h"
#include "split.h"
#include "upper.h"

#define UUID_NAME_SIZE	(UUID_STRING_LEN + 1)

static loff_t bitmap_pos(u8 block_shift)
{
	return 1LL << block_shift;
}

static loff_t mapfile_size(u8 block_shift, u64 nr)
{
	return bitmap_pos(block_shift) + DIV_ROUND_UP_ULL(nr, 64) * 8;
}

static u32 header_crc(const struct veneer_map_disk *disk)
{
	struct veneer_map_disk copy = *disk;

	copy.crc = 0;
	return crc32_le(~0, (const u8 *)&copy, sizeof(copy));
}

static const char *header_fault(const struct veneer_map_disk *disk,
				const struct veneer_record *record,
				loff_t size)
{
	u64 nr = le64_to_cpu(disk->nr_blocks);
	u8 uuid[UUID_SIZE];

	export_uuid(uuid, &record->uuid);
	if (le32_to_cpu(disk->magic) != VENEER_MAP_MAGIC)
		return "is not one";
	if (disk->version != VENEER_MAP_VERSION || disk->flags)
		return "is of another version";
	if (header_crc(disk) != le32_to_cpu(disk->crc))
		return "has a wrong checksum";
	if (memcmp(disk->uuid, uuid, UUID_SIZE) ||
	    disk->block_shift != record->block_shift)
		return "belongs to another file";
	if (nr > DIV_ROUND_UP_ULL(MAX_LFS_FILESIZE,
				  1ULL << record->block_shift) ||
	    nr < DIV_ROUND_UP_ULL(record->below_size,
				  1ULL << record->block_shift))
		return "has too few or too many blocks";
	if (size != mapfile_size(record->block_shift, nr))
		return "has the wrong length";
	return NULL;
}

/* Reads all of @len bytes. */
static int read_all(struct file *file, void *buf, size_t len, loff_t pos)
{
	while (len) {
		ssize_t ret = kernel_read(file, buf, len, &pos);

		if (ret <= 0)
			return ret ? : -EIO;
		buf += ret;
		len -= ret;
	}
	return 0;
}

/* The pieces of the bitmap that are no holes. */
static int load_bitmap(struct file *file, u8 block_shift,
		       struct veneer_blockmap *map)
{
	const loff_t start = bitmap_pos(block_shift);
	const loff_t end = mapfile_size(block_shift, map->nr);
	loff_t pos = start;
	void *buf;
	int err = 0;

	buf = kmalloc(VENEER_CHUNK_BYTES, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	while (!err && pos < end) {
		loff_t data = vfs_llseek(file, pos, SEEK_DATA);
		size_t len;

		if (data == -ENXIO)
			break;
		if (data > pos)
			pos = start + round_down(data - start,
						 VENEER_CHUNK_BYTES);
		/* A filesystem may say so, whatever it means. */
		if (pos >= end)
			break;
		len = min(end - pos, (loff_t)VENEER_CHUNK_BYTES);
		memset(buf + len, 0, VENEER_CHUNK_BYTES - len);
		err = read_all(file, buf, len, pos);
		if (!err)
			err = veneer_blockmap_put(map, (pos - start) /
						  VENEER_CHUNK_BYTES, buf);
		pos += len;
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	kfree(buf);
	return err;
}

static int load_from(struct file *file, const struct dentry *user,
		     const struct veneer_record *record,
		     struct veneer_blockmap *map)
{
	struct veneer_map_disk disk;
	const char *fault = NULL;
	loff_t size = i_size_read(file_inode(file));
	int err = 0;

	if (size < sizeof(disk))
		fault = "has the wrong length";
	else
		err = read_all(file, &disk, sizeof(disk), 0);
	if (err)
		return err;
	if (!fault)
		fault = header_fault(&disk, record, size);
	if (!fault) {
		veneer_blockmap_init(map, le64_to_cpu(disk.nr_blocks));
		err = load_bitmap(file, record->block_shift, map);
		if (err)
			veneer_blockmap_free(map);
		if (err == -EUCLEAN)
			fault = "has bits past its end";
	}
	if (!fault)
		return err;
	veneer_err_ratelimited("%pd2: block map %pU %s; the file cannot be read\n",
			       user, &record->uuid, fault);
	return -EUCLEAN;
}

/* .veneer/map/NAME; just the folder for an empty name.  %NULL for none. */
static struct dentry *find_map(const struct path *root, const char *name)
{
	const char * const names[] = { VENEER_DIR_NAME, VENEER_MAP_DIR_NAME,
				       name };
	struct dentry *at = dget(root->dentry);

	for (int i = 0; i < ARRAY_SIZE(names) && *names[i]; i++) {
		const umode_t type = names[i] == name ? S_IFREG : S_IFDIR;
		struct dentry *next = veneer_real_find(root->mnt, at, names[i],
						       type);

		dput(at);
		if (IS_ERR_OR_NULL(next))
			return next;
		at = next;
	}
	return at;
}

/**
 * veneer_mapfile_load - read a block map
 * @root: root of the upper, or of the layer
 * @user: the split file, for messages
 * @record: its record, which has a map
 * @map: receives the map; not yet begun
 * @object: receives what it is in, for iput(), and %NULL when it was never
 *	saved; may be %NULL
 *
 * A map that was never saved has no bit set.
 *
 * Return: 0; %-EIO for a map that is lost, %-EUCLEAN for one that cannot be
 * trusted, with a line in the log; or another negative error.
 */
int veneer_mapfile_load(const struct path *root, const struct dentry *user,
			const struct veneer_record *record,
			struct veneer_blockmap *map, struct inode **object)
{
	char name[UUID_NAME_SIZE];
	struct dentry *dentry;
	struct path path;
	struct file *file;
	int err;

	snprintf(name, sizeof(name), "%pU", &record->uuid);
	dentry = find_map(root, name);
	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	if (!dentry) {
		if (record->flags & VENEER_SPLIT_SAVED) {
			veneer_err_ratelimited("%pd2: block map .veneer/map/%s is missing; the file cannot be read\n",
					       user, name);
			return -EIO;
		}
		veneer_blockmap_init(map,
				     DIV_ROUND_UP_ULL(record->below_size,
						      1ULL << record->block_shift));
		return 0;
	}

	path = (struct path) { .mnt = root->mnt, .dentry = dentry };
	file = veneer_real_open(&path, S_IFREG, O_RDONLY);
	dput(dentry);
	if (IS_ERR(file))
		return PTR_ERR(file);
	err = load_from(file, user, record, map);
	if (!err && object) {
		*object = file_inode(file);
		ihold(*object);
	}
	__fput_sync(file);
	return err;
}

static struct dentry *dir_get(struct veneer_mount *m, struct dentry *parent,
			      const char *name)
{
	const struct veneer_new new = { .mode = S_IFDIR | 0700 };
	struct dentry *dir;
	int err;

	dir = veneer_real_find(m->upper, parent, name, S_IFDIR);
	if (dir)
		return dir;
	err = mnt_want_write(m->upper);
	if (err)
		return ERR_PTR(err);
	dir = veneer_upper_make_unseen(m, parent, name, &new);
	mnt_drop_write(m->upper);
	if (dir != ERR_PTR(-EEXIST))
		return dir;
	/* Somebody else has made it, or takes it away all the time. */
	return veneer_real_find(m->upper, parent, name, S_IFDIR) ? :
	       ERR_PTR(-ESTALE);
}

static struct dentry *map_dir_get(struct veneer_mount *m)
{
	struct dentry *own, *dir;

	own = dir_get(m, m->upper->mnt_root, VENEER_DIR_NAME);
	if (IS_ERR(own))
		return own;
	dir = dir_get(m, own, VENEER_MAP_DIR_NAME);
	dput(own);
	return dir;
}

static int write_all(struct file *file, const void *buf, size_t len, loff_t pos)
{
	ssize_t ret = veneer_own_write(file, buf, len, &pos);

	return ret < 0 ? ret : ret == len ? 0 : -ENOSPC;
}

static int write_header(struct file *file, const struct veneer_record *record,
			u64 nr)
{
	struct veneer_map_disk disk = {
		.magic		= cpu_to_le32(VENEER_MAP_MAGIC),
		.version	= VENEER_MAP_VERSION,
		.block_shift	= record->block_shift,
		.nr_blocks	= cpu_to_le64(nr),
	};
	int err;

	export_uuid(disk.uuid, &record->uuid);
	disk.crc = cpu_to_le32(header_crc(&disk));
	err = veneer_own_truncate(&file->f_path,
				  mapfile_size(record->block_shift, nr));
	return err ? : write_all(file, &disk, sizeof(disk), 0);
}

static struct file *open_map(struct veneer_mount *m, struct dentry *dentry)
{
	const struct path path = veneer_upper_path(m, dentry);
	int flags = O_RDWR;

	if (veneer_must_not_wait(m))
		flags |= O_NONBLOCK;
	return veneer_real_open(&path, S_IFREG, flags);
}

/*
 * Is this the map that was read, or made?  To write anything else could be to
 * write somebody else's file, that was moved there or has a second name there.
 */
static int judge_map(const struct veneer_split *split,
		     const struct dentry *dentry)
{
	const char *fault = NULL;
	int err = -ESTALE;

	if (!dentry && split->map_inode) {
		fault = "is gone";
	} else if (dentry && d_inode(dentry) != split->map_inode) {
		fault = "is not the one that was there before";
	} else if (dentry && d_inode(dentry)->i_nlink != 1) {
		fault = "has another name";
		err = -EUCLEAN;
	}
	if (!fault)
		return 0;
	veneer_err_ratelimited("%pd2: block map .veneer/map/%pU %s; it is not written\n",
			       veneer_upper(split->inode), &split->record.uuid,
			       fault);
	return err;
}

/* A map of the upper, to change it; -ENOENT when there is none yet. */
static struct file *open_named(struct veneer_mount *m,
			       const struct veneer_split *split)
{
	const struct path root = veneer_upper_path(m, m->upper->mnt_root);
	char name[UUID_NAME_SIZE];
	struct dentry *dentry;
	struct file *file;
	int err;

	snprintf(name, sizeof(name), "%pU", &split->record.uuid);
	dentry = find_map(&root, name);
	if (IS_ERR(dentry))
		return ERR_CAST(dentry);
	err = judge_map(split, dentry);
	if (err)
		file = ERR_PTR(err);
	else
		file = dentry ? open_map(m, dentry) : ERR_PTR(-ENOENT);
	dput(dentry);
	return file;
}

/* A map without a name and without a set bit, not durable. */
static struct file *make_map(struct veneer_mount *m,
			     const struct veneer_record *record, u64 nr,
			     struct dentry **temp)
{
	const struct veneer_new new = { .mode = S_IFREG | 0600 };
	struct dentry *made;
	struct file *file;
	int err;

	err = mnt_want_write(m->upper);
	if (err)
		return ERR_PTR(err);
	made = veneer_temp_make(m, &new);
	mnt_drop_write(m->upper);
	if (IS_ERR(made))
		return ERR_CAST(made);

	file = open_map(m, made);
	err = PTR_ERR_OR_ZERO(file);
	if (!err)
		err = write_header(file, record, nr);
	if (err) {
		veneer_mapfile_discard(m, made);
		if (!IS_ERR(file))
			__fput_sync(file);
		return ERR_PTR(err);
	}
	*temp = made;
	return file;
}

/**
 * veneer_mapfile_discard - a block map that was made gets no name
 * @m: the mount
 * @temp: from veneer_mapfile_get()
 */
void veneer_mapfile_discard(struct veneer_mount *m, struct dentry *temp)
{
	/* The temporary object must go even when the upper turned read-only. */
	if (!mnt_want_write(m->upper)) {
		veneer_temp_discard(m, temp);
		mnt_drop_write(m->upper);
	}
	dput(temp);
}

/**
 * veneer_mapfile_get - open a block map of the upper to change it, or make it
 * @m: the mount
 * @split: the file that it belongs to, flush_lock held; no bit is set in one that
 *	is made
 * @temp: of a map that was made, which is not durable and has no name, this is
 *	for veneer_mapfile_install() or veneer_mapfile_discard(); %NULL of one
 *	that was there
 * @map: receives the file, for __fput_sync(); %NULL with an error
 */
int veneer_mapfile_get(struct veneer_mount *m, const struct veneer_split *split,
		       struct dentry **temp, struct file **map)
{
	struct file *file;

	lockdep_assert_held(&split->flush_lock);
	file = open_named(m, split);

	*temp = NULL;
	if (file == ERR_PTR(-ENOENT))
		file = make_map(m, &split->record, split->map.nr, temp);
	*map = IS_ERR(file) ? NULL : file;
	return PTR_ERR_OR_ZERO(file);
}

/**
 * veneer_mapfile_install - give a block map its name
 * @m: the mount
 * @split: the file that it belongs to, flush_lock held
 * @temp: from veneer_mapfile_get(), durable or on its way: at the disk, and made
 *	so by whatever makes the name durable; given back, whatever is returned
 */
int veneer_mapfile_install(struct veneer_mount *m, struct veneer_split *split,
			   struct dentry *temp)
{
	char name[UUID_NAME_SIZE];
	struct dentry *dir;
	int err;

	lockdep_assert_held(&split->flush_lock);
	dir = map_dir_get(m);
	err = PTR_ERR_OR_ZERO(dir);
	if (!err) {
		snprintf(name, sizeof(name), "%pU", &split->record.uuid);
		err = mnt_want_write(m->upper);
		if (!err) {
			err = veneer_temp_install(m, temp, dir, name);
			mnt_drop_write(m->upper);
		}
		dput(dir);
	}
	if (err) {
		veneer_mapfile_discard(m, temp);
		return err;
	}
	/* There was none; a name that is taken is an error. */
	split->map_inode = d_inode(temp);
	ihold(split->map_inode);
	dput(temp);
	return 0;
}

/**
 * veneer_mapfile_write - write a piece of a block map
 * @file: the map's file
 * @block_shift: log2 of the block size
 * @map: the map
 * @index: which piece
 * @bytes: VENEER_CHUNK_BYTES of it
 */
int veneer_mapfile_write(struct file *file, u8 block_shift,
			 struct veneer_blockmap *map,
			 unsigned long index, const void *bytes)
{
	const loff_t pos = bitmap_pos(block_shift) +
			   (loff_t)index * VENEER_CHUNK_BYTES;
	const loff_t end = mapfile_size(block_shift, map->nr);

	return write_all(file, bytes,
			 min(end - pos, (loff_t)VENEER_CHUNK_BYTES), pos);
}

/**
 * veneer_mapfile_remove - remove the block map of a file that has no use for
 * one any more
 * @m: the mount
 * @record: the record that the file had
 *
 * Return: 0 also when there is none.
 */
int veneer_mapfile_remove(struct veneer_mount *m,
			  const struct veneer_record *record)
{
	const struct path root = veneer_upper_path(m, m->upper->mnt_root);
	char name[UUID_NAME_SIZE];
	struct dentry *dir, *dentry;
	int err = 0;

	dir = find_map(&root, "");
	if (IS_ERR_OR_NULL(dir))
		return PTR_ERR_OR_ZERO(dir);
	snprintf(name, sizeof(name), "%pU", &record->uuid);
	dentry = veneer_real_find(m->upper, dir, name, S_IFREG);
	if (IS_ERR(dentry)) {
		err = PTR_ERR(dentry);
	} else if (dentry) {
		err = mnt_want_write(m->upper);
		if (!err) {
			inode_lock_nested(d_inode(dir), I_MUTEX_PARENT);
			if (dentry->d_parent == dir && !d_unhashed(dentry))
				err = vfs_unlink(mnt_idmap(root.mnt),
						 d_inode(dir), dentry, NULL);
			inode_unlock(d_inode(dir));
			mnt_drop_write(m->upper);
		}
		dput(dentry);
	}
	dput(dir);
	return err;
}

/**
 * veneer_mapfile_forget - a file's block map has been removed
 * @split: the file, flush_lock held
 */
void veneer_mapfile_forget(struct veneer_split *split)
{
	lockdep_assert_held(&split->flush_lock);
	iput(split->map_inode);
	split->map_inode = NULL;
}
