/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SHA-256 of a stream of bytes. */
#ifndef VENEER_DIGEST_H
#define VENEER_DIGEST_H

#include "fault.h"

struct digest;

enum { DIGEST_TEXT_SIZE = 7 + 64 + 1 };	/* "sha256:", hexadecimal, NUL */

struct digest *digest_new(struct fault *fault);
void digest_add(struct digest *digest, const void *bytes, size_t length);
void digest_text(struct digest *digest, char text[DIGEST_TEXT_SIZE]);
void digest_free(struct digest *digest);

static inline void cleanup_digest(struct digest **digest)
{
	digest_free(*digest);
}

#endif
