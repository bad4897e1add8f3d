// SPDX-License-Identifier: GPL-2.0-or-later
/* Writing tars; see tarwrite.h. */
#include "layer/tarwrite.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/files.h"
#include "base/interrupt.h"
#include "layer/marks.h"
#include "layer/xattrs.h"

enum { CHUNK = 1 << 18 };

struct tarwrite {
	struct archive *archive;
	struct digest *digest;
	int fd;
	int error;		/* of the last write */
	bool raw;		/* the filesystem's own xattrs, too */
	uint64_t bytes;
	struct link_table links;
	char *buffer;
};

static la_ssize_t put(struct archive *archive, void *context, const void *bytes, size_t length)
{
	struct tarwrite *tar = context;

	(void)archive;
	if (tar->digest)
		digest_add(tar->digest, bytes, length);
	tar->bytes += length;
	if (tar->fd >= 0 && write_all(tar->fd, bytes, length) < 0) {
		tar->error = errno;
		return -1;
	}
	return length;
}

static int failed(struct tarwrite *tar, struct fault *fault)
{
	if (tar->error)
		return fault_errno(fault, EXIT_SYSTEM, tar->error, "cannot write the archive");
	return fault_set(fault, EXIT_SYSTEM, "cannot write the archive: %s",
			 archive_error_string(tar->archive));
}

struct tarwrite *tarwrite_open(int fd, struct digest *digest, struct fault *fault)
{
	CLEANUP(cleanup_tarwrite) struct tarwrite *tar = calloc(1, sizeof(*tar));
	struct tarwrite *opened;

	if (tar) {
		tar->fd = fd;
		tar->digest = digest;
		tar->archive = archive_write_new();
		tar->buffer = malloc(CHUNK);
	}
	if (!tar || !tar->archive || !tar->buffer) {
		fault_no_memory(fault);
		return NULL;
	}
	archive_write_set_format_pax(tar->archive);
	/* One form of an xattr is enough, and everybody reads this one. */
	archive_write_set_options(tar->archive, "xattrheader=SCHILY");
	archive_write_set_bytes_per_block(tar->archive, 65536);
	archive_write_set_bytes_in_last_block(tar->archive, 512);
	if (archive_write_open(tar->archive, tar, NULL, put, NULL) != ARCHIVE_OK) {
		failed(tar, fault);
		return NULL;
	}
	opened = tar;
	tar = NULL;
	return opened;
}

void tarwrite_close(struct tarwrite *tar)
{
	if (!tar)
		return;
	if (tar->archive) {
		/* What is not finished is not to look as if it were. */
		archive_write_fail(tar->archive);
		archive_write_free(tar->archive);
	}
	link_table_free(&tar->links);
	free(tar->buffer);
	free(tar);
}

uint64_t tarwrite_bytes(const struct tarwrite *tar)
{
	return tar->bytes;
}

int tarwrite_finish(struct tarwrite *tar, struct fault *fault)
{
	return archive_write_close(tar->archive) == ARCHIVE_OK ? 0 : failed(tar, fault);
}

static void free_entry(struct archive_entry **entry)
{
	archive_entry_free(*entry);
}

/* The filesystem's own, unless @raw, and a security module's label, which is the host's. */
static bool stays(const char *name, bool raw)
{
	return (!raw && is_mark_name(name)) || !strcmp(name, "security.selinux");
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_xattr(struct archive_entry *entry, const char *path, const char *name,
		     struct fault *fault)
{
	AUTO_FREE char *value = NULL;
	size_t size;
	int found = xattrs_read(path, name, &value, &size, fault);

	if (found > 0)
		archive_entry_xattr_add_entry(entry, name, value, size);
	return found < 0 ? -1 : 0;
}

static int add_xattrs(struct archive_entry *entry, int node, bool raw, struct fault *fault)
{
	AUTO_FREE char *names = NULL;
	AUTO_FREE char **sorted = NULL;
	char path[FD_PATH_SIZE];
	size_t count = 0;
	ssize_t size;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", node);
	size = xattrs_list(path, &names, fault);
	if (size <= 0)
		return size;
	sorted = calloc(size, sizeof(*sorted));
	if (!sorted)
		return fault_no_memory(fault);
	for (char *name = names; name < names + size; name += strlen(name) + 1) {
		if (!stays(name, raw))
			sorted[count++] = name;
	}
	qsort(sorted, count, sizeof(*sorted), compare_names);
	for (size_t i = 0; i < count; i++) {
		if (add_xattr(entry, path, sorted[i], fault) < 0)
			return -1;
	}
	return 0;
}

static int write_content(struct tarwrite *tar, const struct chain *data, off_t at, off_t size,
			 struct fault *fault)
{
	while (at < size) {
		ssize_t got;

		if (interrupted(fault))
			return -1;
		got = chain_read(data, tar->buffer, size - at < CHUNK ? size - at : CHUNK, at);
		if (got < 0)
			return fault_errno(fault, EXIT_SYSTEM, errno, "cannot read it");
		if (!got)
			return fault_set(fault, EXIT_SYSTEM, "it became shorter while it was read");
		if (archive_write_data(tar->archive, tar->buffer, got) != got)
			return failed(tar, fault);
		at += got;
	}
	return 0;
}

static int set_target(struct archive_entry *entry, int node, struct fault *fault)
{
	char target[PATH_MAX + 1];
	ssize_t length = readlinkat(node, "", target, PATH_MAX);

	if (length < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot read the link");
	target[length] = '\0';
	archive_entry_set_symlink(entry, target);
	return 0;
}

static int write_header(struct tarwrite *tar, struct archive_entry *entry,
			const struct visit *visit, const char *seen, struct fault *fault)
{
	const struct stat *status = &visit->status;

	archive_entry_set_pathname(entry, *visit->path ? visit->path : "./");
	archive_entry_set_filetype(entry, status->st_mode & S_IFMT);
	archive_entry_set_perm(entry, status->st_mode & 07777);
	archive_entry_set_uid(entry, status->st_uid);
	archive_entry_set_gid(entry, status->st_gid);
	archive_entry_set_mtime(entry, status->st_mtim.tv_sec, status->st_mtim.tv_nsec);
	archive_entry_set_size(entry, 0);
	if (seen) {
		archive_entry_set_hardlink(entry, seen);
	} else {
		if (S_ISREG(status->st_mode))
			archive_entry_set_size(entry, status->st_size);
		if (S_ISCHR(status->st_mode) || S_ISBLK(status->st_mode))
			archive_entry_set_rdev(entry, status->st_rdev);
		if (S_ISLNK(status->st_mode) && set_target(entry, visit->node, fault) < 0)
			return -1;
		if (add_xattrs(entry, visit->node, tar->raw, fault) < 0)
			return -1;
	}
	/* It warns of names that are not ASCII, and writes them as they are. */
	return archive_write_header(tar->archive, entry) < ARCHIVE_WARN ? failed(tar, fault) : 0;
}

static int open_node(int node, struct fault *fault)
{
	char path[FD_PATH_SIZE];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", node);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOATIME);
	return fd < 0 ? fault_errno(fault, EXIT_SYSTEM, errno, "cannot open it") : fd;
}

int tarwrite_node(struct tarwrite *tar, const struct visit *visit,
		  const struct chain *data, struct fault *fault)
{
	CLEANUP(free_entry) struct archive_entry *entry = archive_entry_new();
	struct chain_link itself = { .fd = -1 };
	const struct chain whole = { &itself, 1 };
	const char *seen;
	AUTO_FD fd = -1;

	if (!entry)
		return fault_no_memory(fault);
	if (S_ISSOCK(visit->status.st_mode))
		return 0;	/* of a program that runs; no archive can hold it */
	seen = link_table_seen(&tar->links, visit, fault);
	if (fault->text || write_header(tar, entry, visit, seen, fault) < 0)
		return -1;
	if (seen || !S_ISREG(visit->status.st_mode))
		return 0;
	if (!data) {
		itself.fd = fd = open_node(visit->node, fault);
		if (fd < 0)
			return -1;
		data = &whole;
	}
	return write_content(tar, data, 0, visit->status.st_size, fault);
}

int tarwrite_raw(struct tarwrite *tar, const struct visit *visit, const struct extent *extents,
		 size_t count, struct fault *fault)
{
	CLEANUP(free_entry) struct archive_entry *entry = archive_entry_new();
	struct chain_link itself = { .fd = -1 };
	const struct chain whole = { &itself, 1 };
	struct visit part = *visit;
	const char *seen;
	AUTO_FD fd = -1;

	if (!entry)
		return fault_no_memory(fault);
	if (S_ISSOCK(visit->status.st_mode))
		return 0;
	if (S_ISREG(visit->status.st_mode)) {
		part.status.st_size = 0;
		for (size_t i = 0; i < count; i++)
			part.status.st_size += extents[i].end - extents[i].at;
	}
	tar->raw = true;
	seen = link_table_seen(&tar->links, visit, fault);
	if (fault->text || write_header(tar, entry, &part, seen, fault) < 0)
		return -1;
	if (seen || !part.status.st_size || !S_ISREG(visit->status.st_mode))
		return 0;
	itself.fd = fd = open_node(visit->node, fault);
	if (fd < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (write_content(tar, &whole, extents[i].at, extents[i].end, fault) < 0)
			return -1;
	}
	return 0;
}

int tarwrite_mark(struct tarwrite *tar, const char *path, struct fault *fault)
{
	CLEANUP(free_entry) struct archive_entry *entry = archive_entry_new();

	if (!entry)
		return fault_no_memory(fault);
	archive_entry_set_pathname(entry, path);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0);
	archive_entry_set_size(entry, 0);
	archive_entry_set_mtime(entry, 0, 0);
	return archive_write_header(tar->archive, entry) < ARCHIVE_WARN ? failed(tar, fault) : 0;
}

static int write_visit(void *context, const struct visit *visit, struct fault *fault)
{
	return tarwrite_node(context, visit, NULL, fault);
}

int tarwrite_tree(int root, int fd, struct fault *fault)
{
	CLEANUP(cleanup_tarwrite) struct tarwrite *tar = tarwrite_open(fd, NULL, fault);

	if (!tar || walk(root, write_visit, tar, fault) < 0)
		return -1;
	return tarwrite_finish(tar, fault);
}
