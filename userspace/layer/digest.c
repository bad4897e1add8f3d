// SPDX-License-Identifier: GPL-2.0-or-later
/* SHA-256 through libgcrypt; see digest.h. */
#include "layer/digest.h"

#include <errno.h>
#include <gcrypt.h>
#include <stdio.h>
#include <string.h>

#include "base/interrupt.h"

struct digest {
	gcry_md_hd_t handle;
};

static bool initialise(void)
{
	if (gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P))
		return true;
	if (!gcry_check_version(NULL))
		return false;
	/* Nothing here is secret: no need for locked memory. */
	gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
	gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
	return true;
}

struct digest *digest_new(struct fault *fault)
{
	CLEANUP(cleanup_digest) struct digest *digest = calloc(1, sizeof(*digest));
	struct digest *ready;
	gcry_error_t error;

	if (!digest) {
		fault_no_memory(fault);
		return NULL;
	}
	if (!initialise()) {
		fault_set(fault, EXIT_SYSTEM, "libgcrypt cannot be used");
		return NULL;
	}
	error = gcry_md_open(&digest->handle, GCRY_MD_SHA256, 0);
	if (error) {
		fault_set(fault, EXIT_SYSTEM, "SHA-256: %s", gcry_strerror(error));
		return NULL;
	}
	ready = digest;
	digest = NULL;
	return ready;
}

void digest_add(struct digest *digest, const void *bytes, size_t length)
{
	gcry_md_write(digest->handle, bytes, length);
}

void digest_text(struct digest *digest, char text[DIGEST_TEXT_SIZE])
{
	const unsigned char *bytes = gcry_md_read(digest->handle, GCRY_MD_SHA256);
	int length = sprintf(text, "sha256:");

	for (int i = 0; i < 32; i++)
		length += sprintf(text + length, "%02x", bytes[i]);
}

int digest_file(int fd, char text[DIGEST_TEXT_SIZE], struct fault *fault)
{
	CLEANUP(cleanup_digest) struct digest *digest = digest_new(fault);
	AUTO_FREE char *bytes = malloc(1 << 18);
	off_t at = 0;

	if (!digest)
		return -1;
	if (!bytes)
		return fault_no_memory(fault);
	for (;;) {
		ssize_t got;

		if (interrupted(fault))
			return -1;
		got = pread(fd, bytes, 1 << 18, at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fault_errno(fault, EXIT_SYSTEM, errno, "cannot read it");
		if (!got)
			break;
		digest_add(digest, bytes, got);
		at += got;
	}
	digest_text(digest, text);
	return 0;
}

int digest_bytes(const void *bytes, size_t length, char text[DIGEST_TEXT_SIZE],
		 struct fault *fault)
{
	CLEANUP(cleanup_digest) struct digest *digest = digest_new(fault);

	if (!digest)
		return -1;
	digest_add(digest, bytes, length);
	digest_text(digest, text);
	return 0;
}

bool digest_is_valid(const char *text)
{
	return !strncmp(text, "sha256:", 7) && strlen(text) == 7 + 64 &&
	       strspn(text + 7, "0123456789abcdef") == 64;
}

void digest_free(struct digest *digest)
{
	if (digest)
		gcry_md_close(digest->handle);
	free(digest);
}
