// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lowerfile: layers named in a file, for one page of mount options.
 *
 * One layer a line, topmost first.  A line is a path as it is: a backslash
 * escapes only a backslash or, as "\n", a newline, and nothing else is special.
 * A path without a leading slash is taken from the folder that the file was
 * named in, so that a store can be moved.  The last line may or may not end in
 * a newline; an empty line, a zero byte and a backslash before anything else
 * are errors.
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/namei.h>
#include <linux/slab.h>
#include <linux/stringify.h>

#include "compat.h"
#include "log.h"
#include "lowerfile.h"
#include "options.h"
#include "real.h"

/* Room for as many layers as may be, with paths of 255 bytes each. */
#define MAX_SIZE	(VENEER_MAX_LAYERS * 256)

/*
 * As by open(2), the rights of the caller count, and those of whoever began the
 * mount, should that be somebody else.
 */
static struct file *open_as_both(const struct fs_context *fc,
				 const struct path *path)
{
	int err = veneer_real_may_open(path, S_IFREG, O_RDONLY);

	if (err)
		return ERR_PTR(err);
	CLASS(veneer_cred, cred)(fc->cred);
	err = veneer_real_may_open(path, S_IFREG, O_RDONLY);
	return err ? ERR_PTR(err) :
		     dentry_open(path, O_RDONLY | O_LARGEFILE, current_cred());
}

/* Its content, with a zero byte at the end; for kvfree(). */
static char *read_all(struct fs_context *fc, const char *name, size_t *size)
{
	struct file *file;
	struct path path;
	loff_t pos = 0;
	ssize_t len;
	char *buf;
	int err;

	err = kern_path(name, LOOKUP_FOLLOW, &path);
	if (err) {
		veneer_fc_err(fc, "lowerfile: cannot open '%s': error %d", name,
			      err);
		return ERR_PTR(err);
	}
	/* To open anything else may do something, or never return. */
	if (!d_is_reg(path.dentry)) {
		veneer_fc_err(fc, "lowerfile: '%s' is not a regular file", name);
		path_put(&path);
		return ERR_PTR(-EINVAL);
	}
	file = open_as_both(fc, &path);
	path_put(&path);
	if (IS_ERR(file)) {
		veneer_fc_err(fc, "lowerfile: cannot open '%s': error %ld", name,
			      PTR_ERR(file));
		return ERR_CAST(file);
	}

	/* One byte more than may be, to see that there is more. */
	buf = kvmalloc(MAX_SIZE + 1, GFP_KERNEL);
	if (!buf) {
		fput(file);
		return ERR_PTR(-ENOMEM);
	}
	for (*size = 0; *size <= MAX_SIZE; *size += len) {
		len = kernel_read(file, buf + *size, MAX_SIZE + 1 - *size, &pos);
		if (len <= 0)
			break;
	}
	fput(file);

	err = min(len, 0);
	if (err)
		veneer_fc_err(fc, "lowerfile: cannot read '%s': error %d", name,
			      err);
	if (!err && *size > MAX_SIZE) {
		veneer_fc_err(fc, "lowerfile: '%s' has more than %d bytes", name,
			      MAX_SIZE);
		err = -EFBIG;
	}
	if (err) {
		kvfree(buf);
		return ERR_PTR(err);
	}
	buf[*size] = '\0';
	return buf;
}

/* Removes the escapes of a line. */
static bool unescape(char *line)
{
	char *to = line;

	for (; *line; line++) {
		if (*line == '\\') {
			line++;
			if (*line != '\\' && *line != 'n')
				return false;
			*to++ = *line == 'n' ? '\n' : '\\';
		} else {
			*to++ = *line;
		}
	}
	*to = '\0';
	return true;
}

static int add_line(struct fs_context *fc, struct veneer_options *options,
		    const char *name, const char *line)
{
	const char *slash = strrchr(name, '/');
	char *full;
	int err;

	if (*line == '/' || !slash)
		return veneer_options_add_name(fc, options, NULL, line);

	full = kasprintf(GFP_KERNEL, "%.*s%s", (int)(slash + 1 - name), name,
			 line);
	if (!full)
		return -ENOMEM;
	err = veneer_options_add_name(fc, options, NULL, full);
	kfree(full);
	return err;
}

/*
 * What to say of a line that will not do, without what it says: the file may be
 * another than was meant, and messages may have other readers than the file.
 */
static const char *line_fault(const struct veneer_options *options, int err)
{
	if (err == -EINVAL && options->nr_layers == VENEER_MAX_LAYERS)
		return "there are more than " __stringify(VENEER_MAX_LAYERS) " layers";
	switch (err) {
	case -ENOENT:
		return "there is no such directory";
	case -ENOTDIR:
		return "it is not a directory";
	case -EACCES:
		return "you may not search the way to it";
	case -ELOOP:
		return "there are too many symbolic links on the way to it";
	case -ENAMETOOLONG:
		return "it has a name that is too long";
	default:
		return "it cannot be used as a layer";
	}
}

/**
 * veneer_lowerfile - take layers from a file, under those given so far
 * @fc: the context, for messages
 * @options: the options
 * @name: path of the file
 */
int veneer_lowerfile(struct fs_context *fc, struct veneer_options *options,
		     const char *name)
{
	char *buf, *rest, *line;
	unsigned int nr = 0;
	size_t size;
	int err = 0;

	buf = read_all(fc, name, &size);
	if (IS_ERR(buf))
		return PTR_ERR(buf);

	if (memchr(buf, '\0', size)) {
		veneer_fc_err(fc, "lowerfile: '%s' has a zero byte; it must be text, one layer a line",
			      name);
		err = -EINVAL;
	}
	if (size && buf[size - 1] == '\n')
		buf[size - 1] = '\0';

	rest = buf;
	while (!err && (line = strsep(&rest, "\n"))) {
		nr++;
		if (!*line) {
			veneer_fc_err(fc, "lowerfile: line %u of '%s' is empty",
				      nr, name);
			err = -EINVAL;
		} else if (!unescape(line)) {
			veneer_fc_err(fc, "lowerfile: line %u of '%s' has a backslash before something else than a backslash or n",
				      nr, name);
			err = -EINVAL;
		} else if (strlen(line) >= PATH_MAX) {
			veneer_fc_err(fc, "lowerfile: line %u of '%s' is longer than a path can be",
				      nr, name);
			err = -ENAMETOOLONG;
		} else {
			err = add_line(fc, options, name, line);
			if (err)
				veneer_fc_err(fc, "lowerfile: line %u of '%s': %s (error %d)",
					      nr, name, line_fault(options, err),
					      err);
		}
	}
	kvfree(buf);
	return err;
}
