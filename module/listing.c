// SPDX-License-Identifier: GPL-2.0-only
/*
 * Listing: the names of one merged directory of a stack, read once from the
 * layers and never changed.
 *
 * Layers are read top first.  A name that is known already is skipped;
 * whiteouts are kept until the end, so that they hide what is under them, and
 * then left out.  What a directory entry does not tell (is this character
 * device a whiteout?) is looked up once the layer's directory lock is free.
 */
#include <linux/fs.h>
#include <linux/hash.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/random.h>
#include <linux/sched/signal.h>
#include <linux/siphash.h>
#include <linux/slab.h>

#include "compat.h"
#include "format.h"
#include "listing.h"
#include "marks.h"
#include "real.h"
#include "stack.h"
#include "stack_links.h"

#define CHUNK_SIZE	SZ_4K
#define MIN_TABLE_BITS	5
/* No directory has so many names; one that never ends might. */
#define MAX_TABLE_BITS	30

struct veneer_chunk {
	struct veneer_chunk	*next;
	size_t			used;
	u8			data[] __aligned(8);
};

/* One pass over one layer's directory. */
struct read_ctx {
	struct dir_context	ctx;
	struct veneer_listing	*listing;
	const struct veneer_stack *stack;
	unsigned int		layer;
	bool			is_root;
	bool			look_at_files;
	unsigned int		seen;
	int			err;
};

static siphash_key_t hash_key __ro_after_init;

/**
 * veneer_name_hash_init - choose the hash of names
 */
void __init veneer_name_hash_init(void)
{
	get_random_bytes(&hash_key, sizeof(hash_key));
}

/**
 * veneer_name_hash - the hash by which names are found
 * @name: the name
 * @len: its length
 *
 * Whoever makes names chooses them, and must not know which ones meet.
 */
u32 veneer_name_hash(const char *name, unsigned int len)
{
	return siphash(name, len, &hash_key);
}

static struct veneer_name *name_alloc(struct veneer_listing *listing,
				      unsigned int len)
{
	size_t size = ALIGN(sizeof(struct veneer_name) + len + 1, 8);
	struct veneer_chunk *chunk = listing->chunks;
	struct veneer_name *name;

	if (!chunk || sizeof(*chunk) + chunk->used + size > CHUNK_SIZE) {
		chunk = kmalloc(CHUNK_SIZE, GFP_KERNEL_ACCOUNT);
		if (!chunk)
			return NULL;
		chunk->used = 0;
		chunk->next = listing->chunks;
		listing->chunks = chunk;
	}
	name = (struct veneer_name *)(chunk->data + chunk->used);
	chunk->used += size;
	return name;
}

static void table_insert(struct veneer_listing *listing, unsigned int index)
{
	u32 mask = BIT(listing->table_bits) - 1;
	u32 slot = hash_32(listing->names[index]->hash, listing->table_bits);

	while (listing->table[slot])
		slot = (slot + 1) & mask;
	listing->table[slot] = index + 1;
}

static int table_make(struct veneer_listing *listing, unsigned int bits)
{
	u32 *table = kvcalloc(BIT(bits), sizeof(*table), GFP_KERNEL_ACCOUNT);

	if (!table)
		return -ENOMEM;

	kvfree(listing->table);
	listing->table = table;
	listing->table_bits = bits;
	for (unsigned int i = 0; i < listing->nr; i++)
		table_insert(listing, i);
	return 0;
}

static int make_room(struct veneer_listing *listing)
{
	unsigned int bits = listing->table_bits;
	unsigned int room = 1U << (bits ? bits : MIN_TABLE_BITS - 1);
	struct veneer_name **names;

	/* The table is kept at least half empty: @room is half its size. */
	if (bits == MAX_TABLE_BITS)
		return -ENOMEM;
	names = kvrealloc(listing->names, room * sizeof(*names),
			  GFP_KERNEL_ACCOUNT);
	if (!names)
		return -ENOMEM;
	listing->names = names;
	listing->room = room;
	return table_make(listing, (bits ? bits : MIN_TABLE_BITS - 1) + 1);
}

static int listing_find(const struct veneer_listing *listing, u32 hash,
			const char *name, unsigned int len)
{
	u32 mask = BIT(listing->table_bits) - 1;
	u32 slot;

	if (!listing->table)
		return -ENOENT;

	slot = hash_32(hash, listing->table_bits);
	for (; listing->table[slot]; slot = (slot + 1) & mask) {
		const struct veneer_name *entry =
			listing->names[listing->table[slot] - 1];

		if (entry->hash == hash && entry->len == len &&
		    !memcmp(entry->name, name, len))
			return listing->table[slot] - 1;
	}
	return -ENOENT;
}

/**
 * veneer_listing_find - find a name
 * @listing: the listing
 * @name: the name
 * @len: its length
 *
 * Return: its index, or %-ENOENT.
 */
int veneer_listing_find(const struct veneer_listing *listing,
			const char *name, unsigned int len)
{
	return listing_find(listing, veneer_name_hash(name, len), name, len);
}

static bool is_hidden_name(const struct read_ctx *rc, const char *name, int len)
{
	return (len == 1 && name[0] == '.') ||
	       (len == 2 && name[0] == '.' && name[1] == '.') ||
	       (rc->is_root && len == strlen(VENEER_DIR_NAME) &&
		!memcmp(name, VENEER_DIR_NAME, len));
}

static bool read_actor(struct dir_context *ctx, const char *name, int len,
		       loff_t offset, u64 ino, unsigned int type)
{
	struct read_ctx *rc = container_of(ctx, struct read_ctx, ctx);
	struct veneer_listing *listing = rc->listing;
	struct veneer_name *entry;
	u32 hash;

	/* A directory of a filesystem that is served may never end. */
	if (fatal_signal_pending(current)) {
		rc->err = -EINTR;
		return false;
	}
	rc->seen++;
	if (is_hidden_name(rc, name, len))
		return true;
	hash = veneer_name_hash(name, len);
	if (listing_find(listing, hash, name, len) >= 0)
		return true;

	rc->err = -ENOMEM;
	if (listing->nr == listing->room && make_room(listing))
		return false;
	entry = name_alloc(listing, len);
	if (!entry)
		return false;
	rc->err = 0;

	entry->ino = veneer_stack_links_ino(rc->stack, rc->layer, ino);
	entry->hash = hash;
	entry->layer = rc->layer;
	entry->len = len;
	entry->type = type;
	entry->look = type == DT_CHR || type == DT_UNKNOWN ||
		      (type == DT_REG && rc->look_at_files);
	entry->gone = false;
	memcpy(entry->name, name, len);
	entry->name[len] = '\0';
	listing->names[listing->nr] = entry;
	table_insert(listing, listing->nr++);
	return true;
}

static int read_layer(struct read_ctx *rc, const struct path *dir)
{
	struct file *file = veneer_real_open(dir, S_IFDIR, O_RDONLY);
	int err;

	if (IS_ERR(file))
		return PTR_ERR(file);

	do {
		rc->seen = 0;
		err = iterate_dir(file, &rc->ctx);
		if (!err)
			err = rc->err;
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	} while (!err && rc->seen);
	fput(file);
	return err;
}

static int look_up_entry(const struct veneer_stack *stack,
			 const struct path *dir, struct veneer_name *entry)
{
	struct path path = { .mnt = dir->mnt };
	int ret = 0;

	path.dentry = veneer_lookup_unlocked(mnt_idmap(dir->mnt), entry->name,
					     dir->dentry);
	if (IS_ERR(path.dentry))
		return PTR_ERR(path.dentry);

	entry->look = false;
	if (d_is_negative(path.dentry)) {
		entry->gone = true;
	} else {
		ret = veneer_is_whiteout(&path, stack->userxattr);
		entry->gone = ret > 0;
		entry->type = fs_umode_to_dtype(d_inode(path.dentry)->i_mode);
		if (!ret) {
			ret = veneer_is_cdev0(&path, stack->userxattr);
			if (ret > 0)
				entry->type = DT_CHR;
		}
	}
	dput(path.dentry);
	return min(ret, 0);
}

static int add_layer(struct veneer_listing *listing,
		     const struct veneer_stack *stack,
		     const struct veneer_at *at, bool is_root)
{
	const struct path dir = {
		.mnt	= stack->layers[at->layer],
		.dentry	= at->dentry,
	};
	struct read_ctx rc = {
		.ctx.actor	= read_actor,
		.listing	= listing,
		.stack		= stack,
		.layer		= at->layer,
		.is_root	= is_root,
	};
	unsigned int first = listing->nr;
	ssize_t impure;
	int err;

	err = veneer_opaque_mark(&dir, stack->userxattr);
	if (err < 0)
		return err;
	impure = veneer_mark_get(&dir, stack->userxattr, VENEER_MARK_IMPURE,
				 NULL, 0);
	if (impure < 0)
		return impure;
	rc.look_at_files = err == 'x' || impure;

	err = veneer_stack_links_prepare(stack);
	if (!err)
		err = read_layer(&rc, &dir);
	for (unsigned int i = first; !err && i < listing->nr; i++) {
		if (listing->names[i]->look)
			err = look_up_entry(stack, &dir, listing->names[i]);
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	return err;
}

static int drop_whiteouts(struct veneer_listing *listing)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < listing->nr; i++) {
		if (!listing->names[i]->gone)
			listing->names[kept++] = listing->names[i];
	}
	if (kept == listing->nr)
		return 0;
	listing->nr = kept;
	return table_make(listing, listing->table_bits);
}

/**
 * veneer_listing_make - read a merged directory
 * @stack: the stack
 * @at: the directory's objects, top first
 * @nr: how many
 * @is_root: is it the root of the stack
 *
 * Return: the listing, for veneer_listing_free(); or an ERR_PTR().
 */
struct veneer_listing *veneer_listing_make(const struct veneer_stack *stack,
					   const struct veneer_at *at,
					   unsigned int nr, bool is_root)
{
	struct veneer_listing *listing = kzalloc(sizeof(*listing),
						 GFP_KERNEL_ACCOUNT);
	int err = 0;

	if (!listing)
		return ERR_PTR(-ENOMEM);

	for (unsigned int i = 0; i < nr && !err; i++)
		err = add_layer(listing, stack, &at[i], is_root);
	if (!err)
		err = drop_whiteouts(listing);
	if (err) {
		veneer_listing_free(listing);
		return ERR_PTR(err);
	}
	return listing;
}

/**
 * veneer_listing_free - forget a listing
 * @listing: may be %NULL
 */
void veneer_listing_free(struct veneer_listing *listing)
{
	if (!listing)
		return;

	while (listing->chunks) {
		struct veneer_chunk *chunk = listing->chunks;

		listing->chunks = chunk->next;
		kfree(chunk);
	}
	kvfree(listing->names);
	kvfree(listing->table);
	kfree(listing);
}
