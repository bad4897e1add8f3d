/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SHA-256 of a stream of bytes. */
#ifndef VENEER_DIGEST_H
#define VENEER_DIGEST_H

#include "base/fault.h"

struct digest;

enum { DIGEST_TEXT_SIZE = 7 + 64 + 1 };	/* "sha256:", hexadecimal, NUL */

struct digest *digest_new(struct fault *fault);
void digest_add(struct digest *digest, const void *bytes, size_t length);
void digest_text(struct digest *digest, char text[DIGEST_TEXT_SIZE]);
/* Of all bytes of a file, from the beginning, where it is left standing again. */
int digest_file(int fd, char text[DIGEST_TEXT_SIZE], struct fault *fault);

/* Of bytes in memory. */
int digest_bytes(const void *bytes, size_t length, char text[DIGEST_TEXT_SIZE],
		 struct fault *fault);

/* Whether it is "sha256:" and 64 small hexadecimal digits. */
bool digest_is_valid(const char *text);

void digest_free(struct digest *digest);

static inline void cleanup_digest(struct digest **digest)
{
	digest_free(*digest);
}

#endif
