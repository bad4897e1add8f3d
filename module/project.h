/* SPDX-License-Identifier: GPL-2.0-only */
/* Project ids: of objects that move between work/ and the upper. */
#ifndef VENEER_PROJECT_H
#define VENEER_PROJECT_H

#include <linux/fs.h>

#include "mount.h"

int veneer_project_adopt(const struct veneer_mount *m, struct dentry *temp,
			 struct dentry *dir);
int veneer_project_give_up(const struct veneer_mount *m, struct dentry *upper);

#endif
