// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Decompression; see stream.h.
 *
 * gzip goes through zlib itself, because libarchive's gzip filter does not
 * compare the checksum at the end of a member. The other formats go through
 * libarchive, whose libraries for them do.
 */
#include "layer/stream.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>
#include <zlib.h>

#include "base/interrupt.h"

enum { CHUNK = 128 * 1024 };

struct stream {
	int fd;
	bool input_ended;
	struct archive *raw;	/* the reader, unless the input is gzip */
	struct fault *fault;	/* where a failed read from raw's callback reports */
	z_stream zlib;
	bool gzip;
	bool between_members;	/* gzip: the last member is complete */
	size_t input_length;	/* bytes in input[] not yet handed on */
	unsigned char input[CHUNK];
	unsigned char output[CHUNK];
};

/* Fill input[] with something, unless the input has ended. */
static int refill(struct stream *stream, struct fault *fault)
{
	while (!stream->input_length && !stream->input_ended) {
		ssize_t got;

		if (interrupted(fault))
			return -1;
		got = read(stream->fd, stream->input, CHUNK);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fault_errno(fault, EXIT_SYSTEM, errno,
					   "cannot read the archive");
		stream->input_length = got;
		stream->input_ended = !got;
	}
	return 0;
}

static la_ssize_t feed_raw(struct archive *raw, void *context, const void **bytes)
{
	struct stream *stream = context;
	size_t length;

	if (refill(stream, stream->fault) < 0) {
		archive_set_error(raw, EIO, "%s", stream->fault->text);
		return -1;
	}
	*bytes = stream->input;
	length = stream->input_length;
	stream->input_length = 0;
	return length;
}

static int open_raw(struct stream *stream, struct fault *fault)
{
	struct archive_entry *entry;
	struct archive *raw;

	stream->raw = raw = archive_read_new();
	if (!raw)
		return fault_no_memory(fault);
	/* Not "all": some of those run external programs. */
	archive_read_support_filter_bzip2(raw);
	archive_read_support_filter_xz(raw);
	archive_read_support_filter_zstd(raw);
	archive_read_support_format_raw(raw);
	stream->fault = fault;
	if (archive_read_open(raw, stream, NULL, feed_raw, NULL) != ARCHIVE_OK ||
	    archive_read_next_header(raw, &entry) != ARCHIVE_OK) {
		if (fault->text)
			return -1;
		return fault_set(fault, EXIT_ARCHIVE, "cannot decompress the archive: %s",
				 archive_error_string(raw));
	}
	return 0;
}

static int open_gzip(struct stream *stream, struct fault *fault)
{
	stream->gzip = true;
	/* 15: the largest window; 16: expect a gzip header. */
	if (inflateInit2(&stream->zlib, 15 + 16) != Z_OK)
		return fault_no_memory(fault);
	stream->zlib.next_in = stream->input;
	stream->zlib.avail_in = stream->input_length;
	stream->input_length = 0;
	return 0;
}

/* A pipe may give one byte at a time; two tell gzip from the rest. */
static int read_magic(struct stream *stream, struct fault *fault)
{
	while (stream->input_length < 2 && !stream->input_ended) {
		ssize_t got;

		if (interrupted(fault))
			return -1;
		got = read(stream->fd, stream->input + stream->input_length,
			   CHUNK - stream->input_length);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fault_errno(fault, EXIT_SYSTEM, errno,
					   "cannot read the archive");
		stream->input_length += got;
		stream->input_ended = !got;
	}
	if (!stream->input_length)
		return fault_set(fault, EXIT_ARCHIVE, "the archive is empty (0 bytes)");
	return 0;
}

struct stream *stream_open(int fd, struct fault *fault)
{
	CLEANUP(cleanup_stream) struct stream *stream = calloc(1, sizeof(*stream));
	struct stream *opened;
	bool gzip;

	if (!stream) {
		fault_no_memory(fault);
		return NULL;
	}
	stream->fd = fd;
	if (read_magic(stream, fault) < 0)
		return NULL;
	gzip = stream->input_length >= 2 && !memcmp(stream->input, "\x1f\x8b", 2);
	if ((gzip ? open_gzip(stream, fault) : open_raw(stream, fault)) < 0)
		return NULL;
	opened = stream;
	stream = NULL;
	return opened;
}

/*
 * Between two members of a gzip file, or behind the last one. Zeros behind the
 * last one are padding; anything else that is not a member is damage.
 * Returns 1 when there is another member, 0 at the end.
 */
static int next_member(struct stream *stream, struct fault *fault)
{
	z_stream *zlib = &stream->zlib;

	for (;;) {
		if (!zlib->avail_in) {
			if (refill(stream, fault) < 0)
				return -1;
			if (stream->input_ended)
				return 0;
			zlib->next_in = stream->input;
			zlib->avail_in = stream->input_length;
			stream->input_length = 0;
		}
		if (*zlib->next_in == 0x1f)
			break;
		if (*zlib->next_in)
			return fault_set(fault, EXIT_ARCHIVE,
					 "the archive is damaged: bytes that are not gzip follow its end");
		zlib->next_in++;
		zlib->avail_in--;
	}
	inflateReset(zlib);
	stream->between_members = false;
	return 1;
}

static int next_gzip(struct stream *stream, const void **bytes, size_t *length,
		     struct fault *fault)
{
	z_stream *zlib = &stream->zlib;

	*bytes = stream->output;
	zlib->next_out = stream->output;
	zlib->avail_out = CHUNK;
	while (zlib->avail_out) {
		int result;

		if (stream->between_members) {
			int more = next_member(stream, fault);

			if (more < 0)
				return -1;
			if (!more)
				break;
		}
		if (!zlib->avail_in) {
			if (refill(stream, fault) < 0)
				return -1;
			if (stream->input_ended)
				return fault_set(fault, EXIT_ARCHIVE,
						 "the archive is truncated: its gzip data ends too early");
			zlib->next_in = stream->input;
			zlib->avail_in = stream->input_length;
			stream->input_length = 0;
		}
		result = inflate(zlib, Z_NO_FLUSH);
		if (result == Z_MEM_ERROR)
			return fault_no_memory(fault);
		if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
			return fault_set(fault, EXIT_ARCHIVE, "the archive is damaged: gzip: %s",
					 zlib->msg ? zlib->msg : "bad data");
		stream->between_members = result == Z_STREAM_END;
	}
	*length = CHUNK - zlib->avail_out;
	return 0;
}

int stream_next(struct stream *stream, const void **bytes, size_t *length,
		struct fault *fault)
{
	la_int64_t offset;
	int result;

	if (stream->gzip)
		return next_gzip(stream, bytes, length, fault);
	stream->fault = fault;
	do {
		result = archive_read_data_block(stream->raw, bytes, length, &offset);
	} while (result == ARCHIVE_OK && !*length);
	if (result == ARCHIVE_EOF) {
		*length = 0;
		return 0;
	}
	if (result == ARCHIVE_OK)
		return 0;
	if (fault->text)
		return -1;
	return fault_set(fault, EXIT_ARCHIVE, "the archive is damaged or truncated: %s",
			 archive_error_string(stream->raw));
}

void stream_close(struct stream *stream)
{
	if (!stream)
		return;
	archive_read_free(stream->raw);
	if (stream->gzip)
		inflateEnd(&stream->zlib);
	free(stream);
}
