// SPDX-License-Identifier: GPL-2.0-or-later
/* Blobs; see blobs.h. */
#include "store/blobs.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/interrupt.h"
#include "layer/digest.h"
#include "layer/name.h"

/* An archive of an image has a few files a layer. */
enum { ENTRIES_MAX = 100000, LINKS_MAX = 8 };

static void cleanup_archive(struct archive **archive)
{
	archive_read_free(*archive);
}

int blobs_from_directory(struct blobs *blobs, const char *path, struct fault *fault)
{
	blobs->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (blobs->directory < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot open \"%s\"", path);
	return 0;
}

void blobs_close(struct blobs *blobs)
{
	cleanup_fd(&blobs->directory);
	json_decref(blobs->names);
}

static struct archive *open_tar(int fd, struct fault *fault)
{
	CLEANUP(cleanup_archive) struct archive *tar = archive_read_new();
	struct archive *opened;

	if (!tar) {
		fault_no_memory(fault);
		return NULL;
	}
	archive_read_support_format_tar(tar);
	archive_read_support_filter_gzip(tar);
	archive_read_support_filter_bzip2(tar);
	archive_read_support_filter_xz(tar);
	archive_read_support_filter_zstd(tar);
	if (lseek(fd, 0, SEEK_SET) < 0) {
		fault_errno(fault, EXIT_SYSTEM, errno, "cannot read the archive");
		return NULL;
	}
	if (archive_read_open_fd(tar, fd, 1 << 18) != ARCHIVE_OK) {
		fault_set(fault, EXIT_ARCHIVE, "this is not a tar archive: %s",
			  archive_error_string(tar));
		return NULL;
	}
	opened = tar;
	tar = NULL;
	return opened;
}

/* 1: an entry; 0: the end; -1. */
static int next_entry(struct archive *tar, struct archive_entry **entry,
		      struct fault *fault)
{
	int result;

	if (interrupted(fault))
		return -1;
	result = archive_read_next_header(tar, entry);
	if (result == ARCHIVE_OK || result == ARCHIVE_WARN)
		return 1;
	if (result == ARCHIVE_EOF)
		return 0;
	return fault_set(fault, EXIT_ARCHIVE, "the archive is damaged or truncated: %s",
			 archive_error_string(tar));
}

int blobs_is_image(int archive, bool *image, struct fault *fault)
{
	CLEANUP(cleanup_archive) struct archive *tar = open_tar(archive, fault);
	struct archive_entry *entry;
	int more = tar ? 1 : -1;

	*image = false;
	while (more > 0 && !*image && (more = next_entry(tar, &entry, fault)) > 0) {
		const char *name = archive_entry_pathname(entry);

		if (!name || archive_entry_filetype(entry) != AE_IFREG)
			continue;
		if (!strncmp(name, "./", 2))
			name += 2;
		*image = !strcmp(name, "manifest.json") || !strcmp(name, "oci-layout");
	}
	if (more < 0)
		return -1;
	if (lseek(archive, 0, SEEK_SET) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot read the archive");
	return 0;
}

/* Where the link @target in the directory of @name leads, within the archive. */
static char *resolve_link(const char *name, const char *target, struct fault *fault)
{
	AUTO_FREE char *joined = NULL;
	size_t parent, used = 0;
	char *result;

	name_last(name, &parent);
	if (*target == '/')
		parent = 0;
	if (asprintf(&joined, "%.*s/%s", (int)parent, name, target) < 0) {
		joined = NULL;
		fault_no_memory(fault);
		return NULL;
	}
	result = malloc(strlen(joined) + 1);
	if (!result) {
		fault_no_memory(fault);
		return NULL;
	}
	/* Components, one by one; ".." takes one away again. */
	for (char *part = joined; *part; part += strspn(part, "/")) {
		size_t length = strcspn(part, "/");

		if (length == 2 && !memcmp(part, "..", 2)) {
			while (used && result[--used] != '/')
				;
		} else if (length && !(length == 1 && *part == '.')) {
			if (used)
				result[used++] = '/';
			memcpy(result + used, part, length);
			used += length;
		}
		part += length;
	}
	result[used] = '\0';
	return result;
}

static int spool_content(struct archive *tar, int spool, const char *file,
			 struct fault *fault)
{
	AUTO_FD fd = openat(spool, file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int result;

	if (fd < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot make a file to copy it to");
	result = archive_read_data_into_fd(tar, fd);
	if (result == ARCHIVE_OK)
		return 0;
	return fault_set(fault, result == ARCHIVE_FATAL && archive_errno(tar) == ENOSPC ?
			 EXIT_SYSTEM : EXIT_ARCHIVE,
			 "it cannot be copied: %s", archive_error_string(tar));
}

/* What is known of one entry: {"file": "12"} or {"link": "NAME"}. */
static int spool_entry(struct blobs *blobs, struct archive *tar,
		       struct archive_entry *entry, const char *name, struct fault *fault)
{
	AUTO_FREE char *target = NULL;
	json_t *known;
	char file[16];

	if (archive_entry_hardlink(entry)) {
		target = name_clean(archive_entry_hardlink(entry), fault);
	} else if (archive_entry_filetype(entry) == AE_IFLNK) {
		target = resolve_link(name, archive_entry_symlink(entry) ? : "", fault);
	} else if (archive_entry_filetype(entry) == AE_IFREG) {
		snprintf(file, sizeof(file), "%zu", json_object_size(blobs->names));
		/* A second entry of a name would be another file than the first. */
		if (json_object_get(blobs->names, name))
			return fault_set(fault, EXIT_ARCHIVE, "it is there twice");
		if (spool_content(tar, blobs->directory, file, fault) < 0)
			return -1;
		known = json_pack("{ss}", "file", file);
		return json_set(blobs->names, name, known, fault);
	} else {
		return 0;
	}
	if (!target)
		return -1;
	return json_set(blobs->names, name, json_pack("{ss}", "link", target), fault);
}

int blobs_from_archive(struct blobs *blobs, int archive, int spool, struct fault *fault)
{
	CLEANUP(cleanup_archive) struct archive *tar = open_tar(archive, fault);
	struct archive_entry *entry;
	int more = tar ? 1 : -1;

	blobs->names = json_object();
	blobs->directory = openat(spool, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!blobs->names || blobs->directory < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot copy the archive");
	while (more > 0 && (more = next_entry(tar, &entry, fault)) > 0) {
		const char *raw = archive_entry_pathname(entry);
		AUTO_FREE char *name = NULL, *quoted = NULL;

		if (!raw || json_object_size(blobs->names) >= ENTRIES_MAX)
			return fault_set(fault, EXIT_ARCHIVE,
					 "this is not the archive of an image: it has %s",
					 raw ? "too many entries" : "an entry without a name");
		name = name_clean(raw, fault);
		if (name && !spool_entry(blobs, tar, entry, name, fault))
			continue;
		quoted = name_quote(raw);
		return fault_wrap(fault, "entry %s", quoted ? quoted : "?");
	}
	return more;
}

/* The file that has the content, or NULL. */
static const char *find_file(const struct blobs *blobs, const char *name)
{
	for (int links = 0; name && links < LINKS_MAX; links++) {
		const json_t *known = json_object_get(blobs->names, name);
		const char *file = json_string_value(json_object_get(known, "file"));

		if (file)
			return file;
		name = json_string_value(json_object_get(known, "link"));
	}
	return NULL;
}

static int open_file(const struct blobs *blobs, const char *name)
{
	/* A directory may be anybody's: no link in it leads out, no fifo blocks. */
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	const char *file = blobs->names ? find_file(blobs, name) : name;
	AUTO_FD fd = -1;
	struct stat status;

	if (!file) {
		errno = ENOENT;
		return -1;
	}
	fd = syscall(SYS_openat2, blobs->directory, file, &how, sizeof(how));
	if (fd < 0 || fstat(fd, &status) < 0)
		return -1;
	if (!S_ISREG(status.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	return take_fd(&fd);
}

bool blobs_have(const struct blobs *blobs, const char *name)
{
	AUTO_FD fd = open_file(blobs, name);

	return fd >= 0;
}

int blobs_open(const struct blobs *blobs, const char *name, struct fault *fault)
{
	int fd = open_file(blobs, name);

	if (fd >= 0)
		return fd;
	return fault_errno(fault, errno == ENOENT || errno == EINVAL || errno == EXDEV ||
			   errno == ELOOP ? EXIT_ARCHIVE : EXIT_SYSTEM, errno,
			   "cannot open \"%s\" of the image", name);
}

int blobs_open_digest(const struct blobs *blobs, const char *name, const char *digest,
		      struct fault *fault)
{
	AUTO_FD fd = blobs_open(blobs, name, fault);
	char found[DIGEST_TEXT_SIZE];

	if (fd < 0 || digest_file(fd, found, fault) < 0)
		return -1;
	if (strcmp(found, digest))
		return fault_set(fault, EXIT_ARCHIVE,
				 "\"%s\" of the image is damaged: its digest is %s, not %s",
				 name, found, digest);
	return take_fd(&fd);
}
