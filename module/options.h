/* SPDX-License-Identifier: GPL-2.0-only */
/* Options of a mount: from strings to paths, and back in /proc/mounts. */
#ifndef VENEER_OPTIONS_H
#define VENEER_OPTIONS_H

#include <linux/fs_context.h>
#include <linux/path.h>
#include <linux/seq_file.h>

/* Far above what runtimes need, far below what would hurt anybody else. */
#define VENEER_MAX_LAYERS	4096

/**
 * struct veneer_options - what a mount was asked for
 * @layers: the layers' directories, top first; references, dropped when the
 *	mount is made.  Of @stack_file: those that count, the rest all zero
 * @layer_names: their absolute paths
 * @nr_layers: how many
 * @room: how many fit
 * @stack_file: a stack's descriptor, given instead of layers; a reference,
 *	dropped with the paths; or %NULL
 * @upper: the upper directory; a reference, or all zero
 * @upper_name: its absolute path
 * @work: the working directory; a reference, or all zero
 * @work_name: its absolute path
 * @is_volatile: nothing is made durable
 * @userxattr: marks are in the user namespace
 * @has_whole_limit: @whole_limit was given
 * @block_shift: log2 of the block size of maps; 0 when none was given
 * @whole_limit: files up to so many bytes are copied whole
 */
struct veneer_options {
	struct path	*layers;
	char		**layer_names;
	unsigned int	nr_layers;
	unsigned int	room;
	struct file	*stack_file;
	struct path	upper;
	char		*upper_name;
	struct path	work;
	char		*work_name;
	bool		is_volatile;
	bool		userxattr;
	bool		has_whole_limit;
	unsigned int	block_shift;
	u64		whole_limit;
};

struct veneer_mount;

int veneer_options_add_name(struct fs_context *fc,
			    struct veneer_options *options, const char *option,
			    const char *name);
int veneer_options_add_path(struct fs_context *fc,
			    struct veneer_options *options, const char *option,
			    const char *name, const struct path *path);
int veneer_init_fs_context(struct fs_context *fc);
void veneer_options_put_paths(struct veneer_options *options);
void veneer_options_free(struct veneer_options *options);
void veneer_set_tunables(struct veneer_mount *m,
			 const struct veneer_options *options);
int veneer_show_options(struct seq_file *m, struct dentry *root);

#endif
