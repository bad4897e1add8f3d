/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the verbs that make containers share. */
#ifndef VENEER_CREATE_H
#define VENEER_CREATE_H

#include "base/jsonfile.h"

/* In verb_create.c: "[VOLUME:]/PATH[:ro]", for container_spec.volumes. */
int create_add_volume(json_t *volumes, const char *text, struct fault *fault);

#endif
