/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of a file as they were before it was compressed: gzip, zstd, xz,
 * bzip2, or not compressed at all, told apart by the first bytes. Every
 * checksum the compressed form carries is verified.
 */
#ifndef VENEER_STREAM_H
#define VENEER_STREAM_H

#include "base/fault.h"

struct stream;

/* @fd stays the caller's, and must outlive the stream. */
struct stream *stream_open(int fd, struct fault *fault);

/* The next bytes, valid until the next call; *length is 0 at the end. */
int stream_next(struct stream *stream, const void **bytes, size_t *length,
		struct fault *fault);

void stream_close(struct stream *stream);

static inline void cleanup_stream(struct stream **stream)
{
	stream_close(*stream);
}

#endif
