// SPDX-License-Identifier: GPL-2.0-only
/* Options of a mount: from strings to paths, and back in /proc/mounts. */
#include <linux/cred.h>
#include <linux/ctype.h>
#include <linux/file.h>
#include <linux/fs_parser.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/namei.h>
#include <linux/slab.h>

#include "log.h"
#include "lowerfile.h"
#include "mount.h"
#include "options.h"
#include "stack_fd.h"
#include "usermount.h"

enum option {
	OPT_LOWERDIR,
	OPT_LOWERDIR_ADD,
	OPT_LOWERFILE,
	OPT_STACK,
	OPT_UPPERDIR,
	OPT_WORKDIR,
	OPT_VOLATILE,
	OPT_USERXATTR,
	OPT_BLOCKSIZE,
	OPT_WHOLE_LIMIT,
};

static const struct fs_parameter_spec veneer_parameters[] = {
	fsparam_string("lowerdir",	OPT_LOWERDIR),
	fsparam_string("lowerdir+",	OPT_LOWERDIR_ADD),
	fsparam_string("lowerfile",	OPT_LOWERFILE),
	fsparam_fd("stack",		OPT_STACK),
	fsparam_string("upperdir",	OPT_UPPERDIR),
	fsparam_string("workdir",	OPT_WORKDIR),
	fsparam_flag("volatile",	OPT_VOLATILE),
	fsparam_flag("userxattr",	OPT_USERXATTR),
	fsparam_string("blocksize",	OPT_BLOCKSIZE),
	fsparam_string("whole_limit",	OPT_WHOLE_LIMIT),
	{}
};

/* Removes backslashes that make the character after them an ordinary one. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (*s == '\\' && s[1])
			s++;
		*to++ = *s;
	}
	*to = '\0';
}

/*
 * Sees that a directory will do, and finds out what it is called from the root,
 * for /proc/mounts.
 */
static int judge_dir(struct fs_context *fc, const char *option,
		     const char *name, const struct path *path,
		     char **full_name)
{
	char *buf, *full;

	if (!d_can_lookup(path->dentry)) {
		if (option)
			veneer_fc_err(fc, "%s: %s is not a directory", option,
				      name);
		return -ENOTDIR;
	}
	if (path->dentry->d_flags & (DCACHE_OP_HASH | DCACHE_OP_COMPARE)) {
		if (option)
			veneer_fc_err(fc, "%s: '%s' is on a filesystem with its own rules for names",
				      option, name);
		return -EINVAL;
	}

	buf = kmalloc(PATH_MAX, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	full = d_path(path, buf, PATH_MAX);
	*full_name = kstrdup(IS_ERR(full) ? name : full, GFP_KERNEL);
	kfree(buf);
	return *full_name ? 0 : -ENOMEM;
}

static int open_dir(struct fs_context *fc, const char *option, const char *name,
		    struct path *path)
{
	int err;

	if (!*name) {
		if (option)
			veneer_fc_err(fc, "%s: empty path", option);
		return -EINVAL;
	}

	err = kern_path(name, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, path);
	if (err && option)
		veneer_fc_err(fc, "%s: cannot open directory '%s': error %d",
			      option, name, err);
	return err;
}

static int options_make_room(struct veneer_options *options)
{
	unsigned int room = options->room ? 2 * options->room : 16;
	struct path *layers;
	char **names;

	if (options->nr_layers < options->room)
		return 0;

	layers = kvrealloc(options->layers, room * sizeof(*layers), GFP_KERNEL);
	if (!layers)
		return -ENOMEM;
	options->layers = layers;
	names = kvrealloc(options->layer_names, room * sizeof(*names),
			  GFP_KERNEL);
	if (!names)
		return -ENOMEM;
	options->layer_names = names;
	options->room = room;
	return 0;
}

/**
 * veneer_options_add_path - one more layer, under those given so far
 * @fc: the context, for messages
 * @options: the options
 * @option: the option that it comes from, for messages
 * @name: what to call it in messages
 * @path: the layer; the caller keeps its reference
 */
int veneer_options_add_path(struct fs_context *fc,
			    struct veneer_options *options, const char *option,
			    const char *name, const struct path *path)
{
	unsigned int nr = options->nr_layers;
	int err;

	if (nr == VENEER_MAX_LAYERS) {
		if (option)
			veneer_fc_err(fc, "%s: more than %u layers, at '%s'",
				      option, VENEER_MAX_LAYERS, name);
		return -EINVAL;
	}

	err = options_make_room(options);
	if (!err)
		err = judge_dir(fc, option, name, path,
				&options->layer_names[nr]);
	if (err)
		return err;
	path_get(path);
	options->layers[nr] = *path;
	options->nr_layers++;
	return 0;
}

/**
 * veneer_options_add_name - one more layer, under those given so far
 * @fc: the context, for messages
 * @options: the options
 * @option: the option that it comes from, for messages; %NULL to leave them to
 *	the caller, who must not repeat @name
 * @name: its path
 */
int veneer_options_add_name(struct fs_context *fc,
			    struct veneer_options *options, const char *option,
			    const char *name)
{
	struct path path;
	int err;

	err = open_dir(fc, option, name, &path);
	if (err)
		return err;
	err = veneer_options_add_path(fc, options, option, name, &path);
	path_put(&path);
	return err;
}

static void drop_layers(struct veneer_options *options)
{
	while (options->nr_layers) {
		options->nr_layers--;
		if (options->layers)
			path_put(&options->layers[options->nr_layers]);
		kfree(options->layer_names[options->nr_layers]);
	}
}

/* "A:B:C", top first; a backslash makes the next character an ordinary one. */
static int parse_lowerdir(struct fs_context *fc, struct veneer_options *options,
			  char *value)
{
	char *start = value;
	int err;

	/* As with any option, the last one given counts. */
	drop_layers(options);

	for (char *p = value;; p++) {
		bool last = !*p;

		if (*p == '\\' && p[1]) {
			p++;
			continue;
		}
		if (*p && *p != ':')
			continue;

		*p = '\0';
		unescape(start);
		err = veneer_options_add_name(fc, options, "lowerdir", start);
		if (err || last)
			return err;
		start = p + 1;
	}
}

static int set_dir(struct fs_context *fc, const char *option, char *value,
		   struct path *path, char **name)
{
	struct path new_path;
	char *new_name;
	int err;

	unescape(value);
	err = open_dir(fc, option, value, &new_path);
	if (err)
		return err;
	err = judge_dir(fc, option, value, &new_path, &new_name);
	if (err) {
		path_put(&new_path);
		return err;
	}

	path_put(path);
	kfree(*name);
	*path = new_path;
	*name = new_name;
	return 0;
}

/* @fd counts when the number came as a string, as it does from mount(2). */
static int set_stack(struct fs_context *fc, struct veneer_options *options,
		     const struct fs_parameter *param, unsigned int fd)
{
	struct file *file = param->type == fs_value_is_file ?
			    get_file(param->file) : fget(fd);

	if (!file) {
		veneer_fc_err(fc, "stack: there is no descriptor %u", fd);
		return -EBADF;
	}
	if (!veneer_stack_of_file(file)) {
		veneer_fc_err(fc, "stack: descriptor %u is not one that VENEER_IOC_STACK_OPEN has returned",
			      fd);
		fput(file);
		return -EINVAL;
	}
	if (options->stack_file)
		fput(options->stack_file);
	options->stack_file = file;
	return 0;
}

/* A number of bytes, with a suffix such as K if one likes. */
static bool parse_bytes(const char *value, u64 *bytes)
{
	char *end;

	if (!isdigit(*value))
		return false;
	*bytes = memparse(value, &end);
	return !*end;
}

static int parse_blocksize(struct fs_context *fc, struct veneer_options *options,
			   const char *value)
{
	u64 size;

	if (!parse_bytes(value, &size) || !is_power_of_2(size) ||
	    !veneer_block_shift_ok(ilog2(size))) {
		veneer_fc_err(fc, "blocksize: '%s' is not a power of two from %lu to %lu",
			      value, 1UL << VENEER_MIN_BLOCK_SHIFT,
			      1UL << VENEER_MAX_BLOCK_SHIFT);
		return -EINVAL;
	}
	options->block_shift = ilog2(size);
	return 0;
}

static int parse_whole_limit(struct fs_context *fc,
			     struct veneer_options *options, const char *value)
{
	u64 limit;

	if (!parse_bytes(value, &limit) || !veneer_whole_limit_ok(limit)) {
		veneer_fc_err(fc, "whole_limit: '%s' is not a number of bytes, from 0 to %lld",
			      value, (long long)MAX_LFS_FILESIZE);
		return -EINVAL;
	}
	options->has_whole_limit = true;
	options->whole_limit = limit;
	return 0;
}

static int veneer_parse_param(struct fs_context *fc, struct fs_parameter *param)
{
	struct veneer_options *options = fc->fs_private;
	struct fs_parse_result result;
	int opt, err;

	opt = fs_parse(fc, veneer_parameters, param, &result);
	/*
	 * mount(8) repeats every option when it remounts.  By mount(2) they may
	 * be cut short, so they count for nothing there.
	 */
	if (opt >= 0 && fc->purpose == FS_CONTEXT_FOR_RECONFIGURE && fc->oldapi)
		return 0;
	if (opt < 0)
		return opt;
	err = veneer_usermount_check(fc);
	if (err)
		return err;

	switch (opt) {
	case OPT_LOWERDIR:
		return parse_lowerdir(fc, options, param->string);
	case OPT_LOWERDIR_ADD:
		return veneer_options_add_name(fc, options, "lowerdir+", param->string);
	case OPT_LOWERFILE:
		return veneer_lowerfile(fc, options, param->string);
	case OPT_STACK:
		return set_stack(fc, options, param, result.uint_32);
	case OPT_UPPERDIR:
		return set_dir(fc, "upperdir", param->string, &options->upper,
			       &options->upper_name);
	case OPT_WORKDIR:
		return set_dir(fc, "workdir", param->string, &options->work,
			       &options->work_name);
	case OPT_VOLATILE:
		options->is_volatile = true;
		return 0;
	case OPT_USERXATTR:
		options->userxattr = true;
		return 0;
	case OPT_BLOCKSIZE:
		return parse_blocksize(fc, options, param->string);
	case OPT_WHOLE_LIMIT:
		return parse_whole_limit(fc, options, param->string);
	default:
		return opt;
	}
}

/*
 * Cuts the next option off mount(2)'s string.  A backslash keeps a comma in an
 * option; the pair becomes a plain comma here, since only this level has a
 * meaning for it.  Every other pair is the option's own.
 */
static char *next_option(char **rest)
{
	char *start = *rest;
	char *to = start;

	if (!start)
		return NULL;

	for (char *p = start;; p++) {
		if (*p == '\\' && p[1]) {
			if (p[1] != ',')
				*to++ = *p;
			*to++ = *++p;
			continue;
		}
		if (!*p || *p == ',') {
			*rest = *p ? p + 1 : NULL;
			*to = '\0';
			return start;
		}
		*to++ = *p;
	}
}

static int veneer_parse_monolithic(struct fs_context *fc, void *data)
{
	return vfs_parse_monolithic_sep(fc, data, next_option);
}

static bool differs(const char *given, const char *now)
{
	return given && (!now || strcmp(given, now));
}

/* Which of the options given would have to be changed; %NULL for none. */
static const char *changed_option(const struct veneer_options *given,
				  const struct veneer_mount *m)
{
	const struct veneer_options *now = &m->options;

	if (given->stack_file &&
	    veneer_stack_of_file(given->stack_file) != m->stack)
		return "stack";
	if (given->nr_layers && given->nr_layers != now->nr_layers)
		return "lowerdir";
	for (unsigned int i = 0; i < given->nr_layers; i++) {
		if (differs(given->layer_names[i], now->layer_names[i]))
			return "lowerdir";
	}
	if (differs(given->upper_name, now->upper_name))
		return "upperdir";
	if (differs(given->work_name, now->work_name))
		return "workdir";
	if (given->is_volatile && !now->is_volatile)
		return "volatile";
	if (given->userxattr && !now->userxattr)
		return "userxattr";
	return NULL;
}

/**
 * veneer_set_tunables - give a mount the tunables that were asked for
 * @m: the mount
 * @options: what was asked for; what was not stays as it is
 */
void veneer_set_tunables(struct veneer_mount *m,
			 const struct veneer_options *options)
{
	if (options->block_shift)
		WRITE_ONCE(m->tunables.block_shift, options->block_shift);
	if (options->has_whole_limit)
		atomic64_set(&m->tunables.whole_limit, options->whole_limit);
}

/* The context has a reference, and each vfsmount. */
static bool is_shared(const struct super_block *sb)
{
	return atomic_read(&sb->s_active) > 2;
}

/*
 * Read-only is a vfsmount's own affair where the upper is mounted twice.  mount(2)
 * says it of both, and then the superblock stays as it is; fsconfig(2) says it of
 * the superblock alone, so all that show it are, until it is unsaid.
 */
static int change_read_only(struct fs_context *fc, struct super_block *sb)
{
	struct veneer_mount *m = veneer_mount(sb);

	if (!(fc->sb_flags_mask & SB_RDONLY))
		return 0;
	if (fc->sb_flags & SB_RDONLY) {
		if (!fc->oldapi)
			m->read_only = true;
		else if (!sb_rdonly(sb) && is_shared(sb))
			fc->sb_flags_mask &= ~SB_RDONLY;
		return 0;
	}
	if (sb_rdonly(sb) && m->read_only && is_shared(sb)) {
		veneer_fc_err(fc, "cannot be mounted read-write: the filesystem was made read-only, and is mounted elsewhere, too");
		return -EBUSY;
	}
	m->read_only = false;
	return 0;
}

static int veneer_reconfigure(struct fs_context *fc)
{
	struct super_block *sb = fc->root->d_sb;
	struct veneer_mount *m = veneer_mount(sb);
	const char *changed = changed_option(fc->fs_private, m);
	int err = 0;

	if (changed) {
		veneer_fc_err(fc, "%s: cannot be changed by a remount; unmount and mount again",
			      changed);
		return -EINVAL;
	}
	if (!(fc->sb_flags & SB_RDONLY) && !m->upper) {
		veneer_fc_err(fc, "cannot be mounted read-write: it has no upperdir");
		return -EROFS;
	}
	if (m->upper && fc->sb_flags & SB_RDONLY && !sb_rdonly(sb))
		err = sync_filesystem(sb);
	if (!err && m->upper)
		err = change_read_only(fc, sb);
	if (!err)
		veneer_set_tunables(m, fc->fs_private);
	return err;
}

static void veneer_free_fc(struct fs_context *fc)
{
	struct veneer_options *options = fc->fs_private;

	if (!options)
		return;
	veneer_options_free(options);
	kfree(options);
}

static const struct fs_context_operations veneer_context_operations = {
	.free			= veneer_free_fc,
	.parse_param		= veneer_parse_param,
	.parse_monolithic	= veneer_parse_monolithic,
	.get_tree		= veneer_get_tree,
	.reconfigure		= veneer_reconfigure,
};

/**
 * veneer_init_fs_context - begin a mount or a remount
 * @fc: the context
 */
int veneer_init_fs_context(struct fs_context *fc)
{
	struct veneer_options *options;

	fc->ops = &veneer_context_operations;
	options = kzalloc(sizeof(*options), GFP_KERNEL);
	fc->fs_private = options;
	if (!options)
		return -ENOMEM;
	/* There, trusted.* attributes can neither be read nor written. */
	options->userxattr = fc->user_ns != &init_user_ns;
	return 0;
}

/**
 * veneer_options_put_paths - give the paths back, keep their names
 * @options: the options
 */
void veneer_options_put_paths(struct veneer_options *options)
{
	for (unsigned int i = 0; options->layers && i < options->nr_layers; i++)
		path_put(&options->layers[i]);
	kvfree(options->layers);
	options->layers = NULL;
	if (options->stack_file)
		fput(options->stack_file);
	options->stack_file = NULL;
	path_put(&options->upper);
	options->upper = (struct path) {};
	path_put(&options->work);
	options->work = (struct path) {};
}

/**
 * veneer_options_free - give back all that the options hold
 * @options: the options; the struct itself is the caller's
 */
void veneer_options_free(struct veneer_options *options)
{
	drop_layers(options);
	veneer_options_put_paths(options);
	kvfree(options->layer_names);
	kfree(options->upper_name);
	kfree(options->work_name);
}

/* @name with a backslash before each of @special, as an option of @m. */
static void show_escaped(struct seq_file *m, const char *name,
			 const char *special)
{
	for (; *name; name++) {
		char c[2] = { *name };

		/* mount(8) undoes the octal form, the module the backslash. */
		if (strchr(special, *name))
			seq_puts(m, "\\134");
		seq_escape(m, c, ", \t\n\\");
	}
}

/**
 * veneer_show_options - the options, for /proc/mounts
 * @m: where to
 * @root: root of the mount
 *
 * What is shown mounts the same again.  The new mount API takes strings of
 * 255 bytes, so that longer lists of layers are shown one by one, however they
 * were given.
 */
int veneer_show_options(struct seq_file *m, struct dentry *root)
{
	const struct veneer_mount *vm = veneer_mount(root->d_sb);
	const struct veneer_options *o = &vm->options;
	size_t len = 0;
	bool single = false;

	for (unsigned int i = 0; i < o->nr_layers; i++) {
		len += strlen(o->layer_names[i]) + 1;
		/* "lowerdir+" has no way to write these. */
		if (strpbrk(o->layer_names[i], ",\\"))
			single = true;
	}

	for (unsigned int i = 0; i < o->nr_layers; i++) {
		if (!single && len > 200) {
			seq_show_option(m, "lowerdir+", o->layer_names[i]);
			continue;
		}
		seq_puts(m, i ? ":" : ",lowerdir=");
		show_escaped(m, o->layer_names[i], ":,\\");
	}
	if (o->upper_name) {
		seq_puts(m, ",upperdir=");
		show_escaped(m, o->upper_name, ",\\");
		seq_puts(m, ",workdir=");
		show_escaped(m, o->work_name, ",\\");
	}
	if (o->is_volatile)
		seq_puts(m, ",volatile");
	if (o->userxattr)
		seq_puts(m, ",userxattr");
	if (veneer_block_shift(vm) != VENEER_MIN_BLOCK_SHIFT)
		seq_printf(m, ",blocksize=%lu", 1UL << veneer_block_shift(vm));
	if (veneer_whole_limit(vm) != VENEER_DEFAULT_WHOLE_LIMIT)
		seq_printf(m, ",whole_limit=%lld", veneer_whole_limit(vm));
	return 0;
}

struct file_system_type veneer_fs_type = {
	.owner			= THIS_MODULE,
	.name			= "veneer",
	.init_fs_context	= veneer_init_fs_context,
	.parameters		= veneer_parameters,
	.kill_sb		= veneer_kill_sb,
	.fs_flags		= FS_USERNS_MOUNT | FS_ALLOW_IDMAP,
};
MODULE_ALIAS_FS("veneer");
