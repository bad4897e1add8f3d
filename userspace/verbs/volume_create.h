/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the verbs that make volumes share. */
#ifndef VENEER_VOLUME_CREATE_H
#define VENEER_VOLUME_CREATE_H

#include "store/volume.h"

/* Makes the volume and prints its name. It appears with all that fills it, or not at all. */
int volume_create_print(const struct volume_spec *spec, struct fault *fault);

#endif
