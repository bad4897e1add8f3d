// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * same A B: whether two trees are alike in names, types, modes, owners, sizes,
 * content, links and their number, devices and xattrs. Times are those of two
 * runs, and left out.
 */
#include <stdio.h>

#include "tree.h"

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: same A B\n");
		return 2;
	}
	return tree_compare(argv[1], TREE_NLINK, argv[2], TREE_NLINK | TREE_CHECK) ? 1 : 0;
}
