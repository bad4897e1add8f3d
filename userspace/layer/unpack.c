// SPDX-License-Identifier: GPL-2.0-or-later
/* Entries become nodes; see unpack.h. */
#include "layer/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <zlib.h>

#include "base/files.h"
#include "base/interrupt.h"
#include "layer/splitcheck.h"
#include "layer/tree.h"

/* The next part of a file's content. 1: there is one; 0: that was all. */
static int next_part(struct archive *archive, int64_t size, const void **bytes, size_t *length,
		     la_int64_t *offset, struct fault *fault)
{
	int result;

	if (interrupted(fault))
		return -1;
	result = archive_read_data_block(archive, bytes, length, offset);
	if (result == ARCHIVE_EOF)
		return 0;
	if (result != ARCHIVE_OK) {
		/* The stream below has told already, in its own words. */
		if (fault->text)
			return -1;
		return fault_set(fault, EXIT_ARCHIVE, "the archive is damaged or truncated: %s",
				 archive_error_string(archive));
	}
	if (*offset < 0 || *offset > size || (int64_t)*length > size - *offset)
		return fault_set(fault, EXIT_ARCHIVE, "its content reaches beyond its size");
	return 1;
}

/*
 * What the archive leaves out stays a hole. @delta: NULL if there is nothing below.
 * @checksum: of the content, if there are no holes, else left as it is.
 */
static int copy_content(struct unpack *unpack, struct archive *archive, int fd,
			int64_t size, struct delta *delta, uint32_t *checksum,
			struct fault *fault)
{
	la_int64_t offset, end = 0;
	uint32_t sum = 0;
	const void *bytes;
	size_t length;
	int more;

	while ((more = next_part(archive, size, &bytes, &length, &offset, fault)) > 0) {
		if (delta && delta_put(delta, bytes, length, offset, fault) < 0)
			return -1;
		if (!delta && write_all_at(fd, bytes, length, offset) < 0)
			return fault_errno(fault, EXIT_SYSTEM, errno, "cannot write it");
		if (unpack->share && offset == end)
			sum = crc32(sum, bytes, length);
		end = offset == end ? end + (la_int64_t)length : -1;
		unpack->bytes += length;
		if (unpack->progress)
			unpack->progress(unpack);
	}
	if (!more && end == size)
		*checksum = sum;
	if (more < 0 || delta)
		return more;
	if (ftruncate(fd, size) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot give it its size of %lld bytes",
				   (long long)size);
	return 0;
}

/* A record has to find room among the xattrs, which some filesystems have little of. */
static bool has_room(const struct meta *meta, const char *path)
{
	size_t size = strlen(path) + meta->acl_access.size;

	for (size_t i = 0; i < meta->xattr_count; i++)
		size += strlen(meta->xattrs[i].name) + meta->xattrs[i].size;
	return size <= 1024;
}

/* The content of a regular file: where it is worth it, as a difference, or shared. */
static int unpack_content(struct unpack *unpack, struct archive *archive, int fd, int64_t size,
			  const char *path, const struct meta *meta, struct fault *fault)
{
	CLEANUP(delta_free) struct delta delta = {
		.policy = unpack->deltas, .tree = unpack->root, .fd = fd,
	};
	uint32_t checksum = 0;
	uint64_t saved = 0;
	int64_t twin = 0;
	int below = 0;

	if (unpack->below && unpack->deltas && has_room(meta, path))
		below = delta_begin(&delta, unpack->below, path, size, fault);
	if (below < 0 ||
	    copy_content(unpack, archive, fd, size, below ? &delta : NULL, &checksum,
			 fault) < 0 ||
	    (below && delta_end(&delta, &saved, fault) < 0))
		return -1;
	/* A sum of 0 is as good as none: the file is stored by itself. */
	if (unpack->share && checksum && !saved)
		twin = unpack->share(unpack->share_context, fd, path, size, checksum, fault);
	if (twin < 0)
		return -1;
	unpack->shared += saved + twin;
	unpack->splits += !!saved;
	return 0;
}

/* Make the bare node. Returns a descriptor, or -1 with errno set. */
static int make_node(int directory, const char *name, struct archive_entry *entry,
		     const struct meta *meta)
{
	switch (meta->type) {
	case S_IFREG:
		return openat(directory, name,
			      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	case S_IFDIR:
		if (mkdirat(directory, name, 0700) < 0)
			return -1;
		break;
	case S_IFLNK:
		if (symlinkat(archive_entry_symlink(entry), directory, name) < 0)
			return -1;
		break;
	default:
		if (mknodat(directory, name, meta->type | 0600, archive_entry_rdev(entry)) < 0)
			return -1;
	}
	return openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

/* Make the node in the place of whatever an earlier entry put there. */
static int replace_node(struct unpack *unpack, int directory, const char *name,
			struct archive_entry *entry, const struct meta *meta,
			struct fault *fault)
{
	int fd = make_node(directory, name, entry, meta);

	if (fd < 0 && errno == EEXIST && meta->type == S_IFDIR) {
		/* A directory twice is one directory; the last entry describes it. */
		fd = openat(directory, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && meta_clear_xattrs(fd, fault) < 0) {
			close(fd);
			return -1;
		}
		if (fd < 0 && errno == ENOTDIR)
			errno = EEXIST;
	}
	if (fd < 0 && errno == EEXIST) {
		unpack->replaced = true;
		if (tree_remove(directory, name) < 0)
			return fault_errno(fault, EXIT_SYSTEM, errno,
					   "cannot remove what an earlier entry put in its place");
		fd = make_node(directory, name, entry, meta);
	}
	if (fd < 0)
		return fault_errno(fault, errno == ENAMETOOLONG || errno == ENOENT || errno == EINVAL ?
				   EXIT_ARCHIVE : EXIT_SYSTEM, errno, "cannot make it");
	return fd;
}

static int check_type(const struct unpack *unpack, struct archive_entry *entry,
		      const struct meta *meta, struct fault *fault)
{
	switch (meta->type) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFBLK:
	case S_IFIFO:
		return 0;
	case S_IFLNK:
		if (archive_entry_symlink(entry))
			return 0;
		return fault_set(fault, EXIT_ARCHIVE, "it is a symbolic link to nowhere");
	case S_IFCHR:
		if (unpack->plain || archive_entry_rdev(entry) != makedev(0, 0))
			return 0;
		return fault_set(fault, EXIT_ARCHIVE,
				 "a character device 0:0 would delete; an archive says so with a \".wh.\" name");
	default:
		return fault_set(fault, EXIT_ARCHIVE, "a layer cannot hold an entry of its type");
	}
}

static int check_limits(struct unpack *unpack, struct archive_entry *entry,
			const struct meta *meta, struct fault *fault)
{
	const struct unpack_limits *limits = unpack->limits;
	int64_t size = meta->type == S_IFREG ? archive_entry_size(entry) : 0;

	if (size < 0)
		return fault_set(fault, EXIT_ARCHIVE, "its size is negative");
	unpack->apparent += size;
	unpack->devices += meta->type == S_IFCHR || meta->type == S_IFBLK;
	if (!limits)
		return 0;
	if ((uint64_t)size > limits->bytes || unpack->apparent > limits->bytes) {
		fault_set(fault, EXIT_ARCHIVE,
			  "with it the files would be of more than %llu bytes, holes counted",
			  (unsigned long long)limits->bytes);
		return fault_advise(fault, "if that is meant, raise layer_bytes in veneer.conf");
	}
	if (unpack->devices > limits->devices) {
		fault_set(fault, EXIT_ARCHIVE, "it is one of more than %llu devices",
			  (unsigned long long)limits->devices);
		return fault_advise(fault, "if that is meant, raise layer_devices in veneer.conf");
	}
	return 0;
}

/*
 * A tree_made_fn: a directory that no entry describes (yet) is the one below, if
 * there is one, as it would be if the layers were unpacked over one another.
 */
static int made_directory(void *context, const char *path, struct fault *fault)
{
	struct unpack *unpack = context;
	CLEANUP(meta_free) struct meta meta = { 0 };
	struct below_found found = { .node = -1 };
	struct below *below = unpack->below;
	int result = below ? below_find(below, below->count, path, &found, fault) : 0;
	AUTO_FD node = found.node, made = -1;

	if (result < 0)
		return -1;
	if (!result || !S_ISDIR(found.status.st_mode))
		return late_add_implied(&unpack->late, path, fault);
	made = tree_open_directory(unpack->root, path);
	if (made < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot open the directory \"%s\"", path);
	if (meta_of_node(node, &meta, fault) < 0 || meta_apply(made, &meta, fault) < 0)
		return -1;
	return late_add_directory(&unpack->late, path, &meta, fault);
}

static int open_parent(struct unpack *unpack, const char *path, const char **name,
		       struct fault *fault)
{
	return tree_open_parent(unpack->root, path, name, made_directory, unpack, fault);
}

static int unpack_node(struct unpack *unpack, struct archive *archive,
		       struct archive_entry *entry, const char *path,
		       struct fault *fault)
{
	CLEANUP(meta_free) struct meta meta = { 0 };
	AUTO_FD directory = -1, fd = -1;
	const char *name;

	if (meta_read(entry, &meta, fault) < 0 || check_type(unpack, entry, &meta, fault) < 0 ||
	    check_limits(unpack, entry, &meta, fault) < 0)
		return -1;
	if (!*path) {
		if (meta.type != S_IFDIR)
			return fault_set(fault, EXIT_ARCHIVE,
					 "the root of a layer can only be a directory");
		unpack->has_root = true;
		fd = tree_open_directory(unpack->root, "");
		if (fd < 0)
			return fault_errno(fault, EXIT_SYSTEM, errno, "cannot open it");
		if (meta_clear_xattrs(fd, fault) < 0)
			return -1;
	} else {
		directory = open_parent(unpack, path, &name, fault);
		if (directory < 0)
			return -1;
		fd = replace_node(unpack, directory, name, entry, &meta, fault);
		if (fd < 0)
			return -1;
	}
	if (meta.type == S_IFREG &&
	    unpack_content(unpack, archive, fd, archive_entry_size(entry), path, &meta, fault) < 0)
		return -1;
	if (meta_apply(fd, &meta, fault) < 0)
		return -1;
	if (meta.type == S_IFDIR)
		return late_add_directory(&unpack->late, path, &meta, fault);
	return 0;
}

/* A second name for a node of this layer. */
static int unpack_hard_link(struct unpack *unpack, struct archive_entry *entry,
			    const char *path, struct fault *fault)
{
	AUTO_FREE char *target = name_clean(archive_entry_hardlink(entry), fault);
	AUTO_FREE char *quoted = name_quote(archive_entry_hardlink(entry));
	AUTO_FD from = -1, to = -1;
	const char *from_name, *to_name;

	if (!quoted)
		return fault_no_memory(fault);
	if (!target)
		return fault_wrap(fault, "it is a hard link to %s", quoted);
	if (archive_entry_size_is_set(entry) && archive_entry_size(entry) > 0)
		return fault_set(fault, EXIT_ARCHIVE, "it is a hard link with content of its own");
	if (!*path || !*target || !strcmp(path, target))
		return fault_set(fault, EXIT_ARCHIVE, "it is a hard link to %s, which cannot be",
				 quoted);
	from = open_parent(unpack, target, &from_name, fault);
	if (from < 0)
		return fault_wrap(fault, "it is a hard link to %s", quoted);
	to = open_parent(unpack, path, &to_name, fault);
	if (to < 0)
		return -1;
	if (!linkat(from, from_name, to, to_name, 0))
		return 0;
	if (errno == EEXIST) {
		unpack->replaced = true;
		if (tree_remove(to, to_name) < 0)
			return fault_errno(fault, EXIT_SYSTEM, errno,
					   "cannot remove what an earlier entry put in its place");
		if (!linkat(from, from_name, to, to_name, 0))
			return 0;
	}
	if (errno == ENOENT)
		return fault_set(fault, EXIT_ARCHIVE,
				 "it is a hard link to %s, which no earlier entry of this archive made; a layer must hold the file itself",
				 quoted);
	return fault_errno(fault, errno == EPERM ? EXIT_ARCHIVE : EXIT_SYSTEM, errno,
			   "cannot make the hard link to %s", quoted);
}

static int unpack_mark(struct unpack *unpack, struct archive_entry *entry,
		       enum mark mark, const char *path, struct fault *fault)
{
	/* Some tools write all their marks as hard links to one empty file. */
	if (!archive_entry_hardlink(entry) && archive_entry_filetype(entry) != AE_IFREG)
		return fault_set(fault, EXIT_ARCHIVE,
				 "a name that begins with \".wh.\" marks a deletion and must be a regular file");
	return late_add_mark(&unpack->late, mark, path, fault);
}

static int unpack_named(struct unpack *unpack, struct archive *archive,
			struct archive_entry *entry, const char *raw,
			struct fault *fault)
{
	AUTO_FREE char *path = name_clean(raw, fault);
	AUTO_FREE char *about = NULL;
	enum mark mark = MARK_NONE;

	if (!path || (!unpack->plain && name_mark(path, &mark, &about, fault) < 0))
		return -1;
	switch (mark) {
	case MARK_IGNORED:
		return 0;
	case MARK_WHITEOUT:
		return unpack_mark(unpack, entry, mark, about, fault);
	case MARK_OPAQUE:
		return unpack_mark(unpack, entry, mark, path, fault);
	case MARK_NONE:
		break;
	}
	if (archive_entry_hardlink(entry))
		return unpack_hard_link(unpack, entry, path, fault);
	return unpack_node(unpack, archive, entry, path, fault);
}

int unpack_entry(struct unpack *unpack, struct archive *archive,
		 struct archive_entry *entry, struct fault *fault)
{
	const char *raw = archive_entry_pathname(entry);
	AUTO_FREE char *quoted = NULL;

	unpack->entries++;
	if (unpack->progress)
		unpack->progress(unpack);
	if (!raw)
		return fault_set(fault, EXIT_ARCHIVE, "entry %lu has no name", unpack->entries);
	if (unpack->limits && unpack->entries > unpack->limits->entries) {
		fault_set(fault, EXIT_ARCHIVE, "it has more than %llu entries",
			  (unsigned long long)unpack->limits->entries);
		return fault_advise(fault, "if that is meant, raise layer_entries in veneer.conf");
	}
	if (!unpack_named(unpack, archive, entry, raw, fault))
		return 0;
	quoted = name_quote(raw);
	return fault_wrap(fault, "entry %s", quoted ? quoted : "?");
}

/* What the root gets when no entry describes it. */
static int finish_root(struct unpack *unpack, struct fault *fault)
{
	CLEANUP(meta_free) struct meta meta = { .type = S_IFDIR, .mode = 0755 };
	const struct below *below = unpack->below;

	if (unpack->has_root)
		return 0;
	if (below && below->count &&
	    (meta_of_node(below->layers[below->count - 1].tree, &meta, fault) < 0 ||
	     (meta.acl_default.name && meta_set_xattr(unpack->root, &meta.acl_default, fault) < 0)))
		return -1;
	return meta_apply(unpack->root, &meta, fault);
}

int unpack_finish(struct unpack *unpack, struct fault *fault)
{
	if (late_finish(&unpack->late, unpack->root, made_directory, unpack, fault) < 0 ||
	    (unpack->splits && unpack->replaced && split_tidy(unpack->root, fault) < 0))
		return -1;
	return finish_root(unpack, fault);
}

void unpack_free(struct unpack *unpack)
{
	late_free(&unpack->late);
}
