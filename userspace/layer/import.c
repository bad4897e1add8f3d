// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Import a layer; see import.h.
 *
 * The bytes flow: file -> stream (decompression) -> digest -> tar reader ->
 * unpack (one entry at a time) -> stage (a directory that gets its name last).
 */
#include "layer/import.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>

#include "layer/stage.h"
#include "layer/stream.h"

enum { TAR_BLOCK = 512 };

/* What the tar reader reads from, watched as it flows by. */
struct feed {
	struct stream *stream;
	struct digest *digest;
	struct fault *fault;
	uint64_t total;
	uint64_t trailing_zeros;
};

static void cleanup_archive(struct archive **archive)
{
	archive_read_free(*archive);
}

static void count_zeros(struct feed *feed, const unsigned char *bytes, size_t length)
{
	size_t zeros = 0;

	while (zeros < length && !bytes[length - 1 - zeros])
		zeros++;
	feed->trailing_zeros = zeros == length ? feed->trailing_zeros + zeros : zeros;
}

static int feed_next(struct feed *feed, const void **bytes, size_t *length)
{
	if (stream_next(feed->stream, bytes, length, feed->fault) < 0)
		return -1;
	digest_add(feed->digest, *bytes, *length);
	count_zeros(feed, *bytes, *length);
	feed->total += *length;
	return 0;
}

static la_ssize_t feed_tar(struct archive *tar, void *context, const void **bytes)
{
	struct feed *feed = context;
	size_t length;

	if (feed_next(feed, bytes, &length) < 0) {
		archive_set_error(tar, EIO, "%s", feed->fault->text);
		return -1;
	}
	return length;
}

/*
 * The library reads names as text of the locale's charset. This program never
 * leaves the C locale, so for a name that is not ASCII it complains and then
 * hands out the name's bytes as they are, which is just what a layer needs.
 */
static bool complaint_matters(struct archive *tar)
{
	const char *complaint = archive_error_string(tar);

	return complaint && !strstr(complaint, "can't be converted from");
}

/* The next entry. Returns 0 at the end, 1 for an entry, -1 for an error. */
static int next_entry(struct feed *feed, struct archive *tar,
		      struct archive_entry **entry)
{
	int result = archive_read_next_header(tar, entry);

	if (result == ARCHIVE_EOF)
		return 0;
	if (feed->fault->text)
		return -1;
	/* Some of what it cannot parse it drops, says so, and calls it success. */
	if ((result == ARCHIVE_OK || result == ARCHIVE_WARN) && !complaint_matters(tar))
		return 1;
	return fault_set(feed->fault, EXIT_ARCHIVE, "the archive is damaged or truncated: %s",
			 archive_error_string(tar));
}

/*
 * A tar archive ends with blocks of zeros. Without them it was cut off where an
 * entry ends, which the reader takes for the end. @header is where it looked for
 * the last header, @consumed how far it read.
 */
static bool has_end(const struct feed *feed, uint64_t header, uint64_t consumed)
{
	/* It stopped before the input did: so it has seen the blocks. */
	if (consumed < feed->total)
		return true;
	return feed->trailing_zeros >= TAR_BLOCK && feed->total - header >= TAR_BLOCK;
}

/* Behind the end there may be padding: it counts for the digest. */
static int drain(struct feed *feed)
{
	const void *bytes;
	size_t length;

	do {
		if (feed_next(feed, &bytes, &length) < 0)
			return -1;
	} while (length);
	return 0;
}

static int read_tar(struct feed *feed, struct unpack *unpack)
{
	CLEANUP(cleanup_archive) struct archive *tar = archive_read_new();
	struct archive_entry *entry;
	uint64_t header, consumed;
	int more;

	if (!tar)
		return fault_no_memory(feed->fault);
	archive_read_support_format_tar(tar);
	if (archive_read_open(tar, feed, NULL, feed_tar, NULL) != ARCHIVE_OK) {
		if (feed->fault->text)
			return -1;
		return fault_set(feed->fault, EXIT_ARCHIVE, "this is not a tar archive: %s",
				 archive_error_string(tar));
	}
	while ((more = next_entry(feed, tar, &entry)) > 0) {
		if (unpack_entry(unpack, tar, entry, feed->fault) < 0)
			return -1;
	}
	if (more < 0)
		return -1;
	header = archive_read_header_position(tar);
	consumed = archive_filter_bytes(tar, 0);
	if (drain(feed) < 0)
		return -1;
	if (!has_end(feed, header, consumed))
		return fault_set(feed->fault, EXIT_ARCHIVE,
				 "the archive is truncated: the blocks that end it are missing");
	return 0;
}

static int fill(int archive, struct unpack *unpack, struct import_result *result,
		struct fault *fault)
{
	CLEANUP(cleanup_stream) struct stream *stream = stream_open(archive, fault);
	CLEANUP(cleanup_digest) struct digest *digest = stream ? digest_new(fault) : NULL;
	struct feed feed = { .stream = stream, .digest = digest, .fault = fault };

	if (!digest || read_tar(&feed, unpack) < 0 || unpack_finish(unpack, fault) < 0)
		return -1;
	result->entries = unpack->entries;
	result->bytes = unpack->bytes;
	result->archive_bytes = feed.total;
	result->whiteouts = unpack->late.whiteouts;
	result->opaque = unpack->late.opaque;
	result->shared = unpack->shared;
	result->splits = unpack->splits;
	result->implied = unpack->late.implied;
	digest_text(digest, result->diff_id);
	return 0;
}

int import_into(int archive, int root, const struct import_how *how,
		struct import_result *result, struct fault *fault)
{
	CLEANUP(unpack_free) struct unpack unpack = {
		.root = root,
		.progress = how->progress,
		.limits = how->limits,
		.below = how->below,
		.deltas = how->deltas,
		.share = how->share, .share_context = how->share_context,
		.plain = how->plain,
	};

	return fill(archive, &unpack, result, fault);
}

int import_layer(int archive, const char *directory, const struct import_how *how,
		 struct import_result *result, struct fault *fault)
{
	CLEANUP(stage_end) struct stage stage = STAGE_INIT;

	if (stage_begin(&stage, directory, fault) < 0)
		return fault_wrap(fault, "layer \"%s\"", directory);
	if (import_into(archive, stage.root, how, result, fault) < 0)
		return -1;
	if (stage_commit(&stage, fault) < 0)
		return fault_wrap(fault, "layer \"%s\"", directory);
	return 0;
}
