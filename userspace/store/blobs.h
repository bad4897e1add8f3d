/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files that an image is distributed in: a directory, or an archive, whose
 * files are copied into a directory under names of our own, so that no name in
 * the archive ever becomes a path.
 */
#ifndef VENEER_BLOBS_H
#define VENEER_BLOBS_H

#include "base/jsonfile.h"

struct blobs {
	int directory;
	json_t *names;		/* archive: name -> file, or the name it links to */
};

#define BLOBS_INIT { .directory = -1 }

int blobs_from_directory(struct blobs *blobs, const char *path, struct fault *fault);

/* Copies into @spool, an empty directory of the caller's. */
int blobs_from_archive(struct blobs *blobs, int archive, int spool, struct fault *fault);

void blobs_close(struct blobs *blobs);	/* for CLEANUP(), too */

bool blobs_have(const struct blobs *blobs, const char *name);

/* Open one for reading. */
int blobs_open(const struct blobs *blobs, const char *name, struct fault *fault);

/*
 * Open one and compare its SHA-256 with "sha256:...", as all that comes from a
 * manifest has to be. The descriptor stands at the beginning.
 */
int blobs_open_digest(const struct blobs *blobs, const char *name, const char *digest,
		      struct fault *fault);

/* Whether an archive holds an image's manifest, and is not itself a root's tar. */
int blobs_is_image(int archive, bool *image, struct fault *fault);

#endif
