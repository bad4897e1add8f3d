// SPDX-License-Identifier: GPL-2.0-or-later
/* How to mount, what is refused and with which words, and /proc/mounts. */
#include "testing.h"

#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define MANY 500

FIXTURE(options)
{
	struct world w;
	char opt[16384];
};

FIXTURE_SETUP(options)
{
	struct world *w = &self->w;

	OK(world_begin(w, IN_LOWER));
	OK(put_dir(w, "d", 0755));
	OK(put_text(w, "d/low", "low\n"));
	OK(write_text(L("d/high"), "high\n"));
	OK(write_text(join(w->plain, "d/high"), "high\n"));
	w->no_compare = true;
}

FIXTURE_TEARDOWN(options)
{
	while (!umount2(self->w.mnt, MNT_DETACH))
		;
	self->w.mounted = false;
	FINISH(&self->w);
}

#define FS world_fstype()

/* Mounted, is it the tree that it should be? */
#define SEEN() do {							\
	EXPECT_EQ(0, same_bytes(M("d/low"), "low\n", 4));		\
	EXPECT_EQ(0, same_bytes(M("d/high"), "high\n", 5));		\
} while (0)

TEST_F(options, mount2)
{
	struct world *w = &self->w;

	snprintf(self->opt, sizeof(self->opt),
		 "lowerdir=%s:%s,upperdir=%s,workdir=%s", w->layer[0],
		 w->layer[1], w->upper, w->work);
	OK(mount("none", w->mnt, FS, 0, self->opt));
	SEEN();
	OK(mkdir(M("d/new"), 0755));
	CHECK(exists(U("d/new")), "not in the upper");
	OK(umount(w->mnt));
	/* In the other order. */
	snprintf(self->opt, sizeof(self->opt),
		 "workdir=%s,upperdir=%s,lowerdir=%s:%s", w->work, w->upper,
		 w->layer[0], w->layer[1]);
	OK(mount("none", w->mnt, FS, MS_NODEV | MS_NOSUID, self->opt));
	SEEN();
	CHECK(exists(M("d/new")), "the upper is another one");
}

/* As runtimes write them: through symbolic links, with empty items. */
TEST_F(options, links_and_empty_items)
{
	struct world *w = &self->w;

	OK(symlink(w->layer[0], join(w->root, "l0")));
	OK(symlink("layer1", join(w->root, "l1")));
	snprintf(self->opt, sizeof(self->opt),
		 "lowerdir=%s/l0:%s/l1,,upperdir=%s,workdir=%s,,volatile,", w->root,
		 w->root, w->upper, w->work);
	OK(mount("none", w->mnt, FS, 0, self->opt));
	SEEN();
}

/* A mount inside a layer is no part of the layer. */
TEST_F(options, mount_inside_a_layer)
{
	struct world *w = &self->w;

	OK(mkdir(join(w->layer[1], "point"), 0755));
	OK(write_text(join(w->layer[1], "point/under"), "under"));
	OK(world_seal(w));
	OK(mount("none", join(w->layer[1], "point"), "tmpfs", 0, NULL));
	OK(write_text(join(w->layer[1], "point/over"), "over"));
	OK(world_mount(w));
	EXPECT_EQ(0, same_bytes(M("point/under"), "under", 5));
	FAILS(ENOENT, access(M("point/over"), F_OK));
	OK(unlink(M("point/under")));
	OK(umount(join(w->layer[1], "point")));
}

/* A layer on a mount that is read-only, and a layer that is given twice. */
TEST_F(options, read_only_layer)
{
	struct world *w = &self->w;

	OK(world_seal(w));
	OK(mount(w->layer[1], w->layer[1], NULL, MS_BIND, NULL));
	OK(mount(NULL, w->layer[1], NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	OK(world_mount(w));
	SEEN();
	OK(write_text(M("d/low"), "changed"));
	EXPECT_EQ(0, same_bytes(M("d/low"), "changed", 7));
	OK(world_umount(w));
	OK(umount(w->layer[1]));
}

TEST_F(options, relative_paths)
{
	struct world *w = &self->w;

	OK(chdir(w->root));
	OK(mount("none", w->mnt, FS, 0,
		 "lowerdir=layer0:layer1,upperdir=upper,workdir=work"));
	OK(chdir("/"));
	SEEN();
}

/* Only layers: the stack itself, which takes nothing. */
TEST_F(options, read_only_stack)
{
	struct world *w = &self->w;
	struct statvfs fs;

	snprintf(self->opt, sizeof(self->opt), "lowerdir=%s:%s", w->layer[0],
		 w->layer[1]);
	OK(mount("none", w->mnt, FS, 0, self->opt));
	SEEN();
	FAILS(EROFS, mkdir(M("new"), 0755));
	FAILS(EROFS, write_text(M("d/low"), "x"));
	FAILS(EROFS, unlink(M("d/low")));
	FAILS(EROFS, chmod(M("d/low"), 0600));
	FAILS(EROFS, setxattr(M("d/low"), "user.x", "x", 1, 0));
	OK(statvfs(w->mnt, &fs));
	CHECK(fs.f_flag & ST_RDONLY, "statvfs does not say read-only");
	CHECK(mount(NULL, w->mnt, NULL, MS_REMOUNT, NULL) && (errno == EROFS || errno == EINVAL),
	      "a stack can be remounted read-write");
	FAILS(EROFS, mkdir(M("new"), 0755));
}

TEST_F(options, single_layer)
{
	struct world *w = &self->w;

	if (world_is_overlay())
		SKIP(return, "overlayfs: wants two layers");
	snprintf(self->opt, sizeof(self->opt), "lowerdir=%s", w->layer[1]);
	OK(mount("none", w->mnt, FS, 0, self->opt));
	EXPECT_EQ(0, same_bytes(M("d/low"), "low\n", 4));
	FAILS(ENOENT, access(M("d/high"), F_OK));
	FAILS(EROFS, mkdir(M("new"), 0755));
}

TEST_F(options, read_only_and_back)
{
	struct world *w = &self->w;
	int fd;

	w->option[0][0] = "ro";
	OK(world_mount(w));
	SEEN();
	FAILS(EROFS, mkdir(M("new"), 0755));
	OK(mount(NULL, w->mnt, NULL, MS_REMOUNT, NULL));
	OK(mkdir(M("new"), 0755));
	fd = OK(open(M("d/low"), O_WRONLY | O_CLOEXEC));
	FAILS(EBUSY, mount(NULL, w->mnt, NULL, MS_REMOUNT | MS_RDONLY, NULL));
	close(fd);
	OK(mount(NULL, w->mnt, NULL, MS_REMOUNT | MS_RDONLY, NULL));
	FAILS(EROFS, mkdir(M("new2"), 0755));
	SEEN();
	OK(mount(NULL, w->mnt, NULL, MS_REMOUNT, NULL));
	OK(rmdir(M("new")));
}

/* mount(8) gives all options again when it remounts. */
TEST_F(options, remount_with_options)
{
	struct world *w = &self->w;

	snprintf(self->opt, sizeof(self->opt),
		 "lowerdir=%s:%s,upperdir=%s,workdir=%s", w->layer[0],
		 w->layer[1], w->upper, w->work);
	OK(mount("none", w->mnt, FS, 0, self->opt));
	OK(mount("none", w->mnt, FS, MS_REMOUNT | MS_RDONLY, self->opt));
	FAILS(EROFS, mkdir(M("new"), 0755));
	OK(mount("none", w->mnt, FS, MS_REMOUNT, self->opt));
	OK(mkdir(M("new"), 0755));
}

/* A volatile mount's mark in the workdir, taken away by who knows better. */
static int forgive_volatile(struct world *w)
{
	return remove_tree(join(w->work, "work/incompat"));
}

TEST_F(options, volatile_mount)
{
	struct world *w = &self->w;
	int fd;

	w->option[0][0] = "volatile";
	OK(world_mount(w));
	fd = OK(open(M("d/low"), O_WRONLY | O_CLOEXEC));
	EXPECT_EQ(1, OK(write(fd, "L", 1)));
	OK(fsync(fd));
	OK(syncfs(fd));
	close(fd);
	EXPECT_EQ(0, same_bytes(M("d/low"), "Low\n", 4));
	OK(world_umount(w));
	/* What was not synced may be gone: nobody mounts it by mistake. */
	w->option[0][0] = NULL;
	FAILS(EINVAL, world_mount(w));
	CHECK(world_is_overlay() || strstr(w->log, w->work), "the log says: %s", w->log);
	OK(forgive_volatile(w));
	OK(world_mount(w));
	EXPECT_EQ(0, same_bytes(M("d/low"), "Low\n", 4));
}

/* Of no use, and no harm. */
TEST_F(options, workdir_without_upper)
{
	struct world *w = &self->w;

	snprintf(self->opt, sizeof(self->opt), "lowerdir=%s:%s,workdir=%s",
		 w->layer[0], w->layer[1], w->work);
	OK(mount("none", w->mnt, FS, 0, self->opt));
	SEEN();
	FAILS(EROFS, mkdir(M("new"), 0755));
}

/* The names that need escapes: of layers, upper and workdir. */
static const char odd_name[] = "a:b\\c,d e\tf=g\\:h";

static void escape(char *to, const char *s, const char *special)
{
	for (; *s; *to++ = *s++)
		if (strchr(special, *s))
			*to++ = '\\';
	*to = 0;
}

TEST_F(options, escapes)
{
	struct world *w = &self->w;
	char odd[WORLD_PATH + 64], upper[WORLD_PATH + 64], work[WORLD_PATH + 64];
	char e[2 * WORLD_PATH], f[2 * WORLD_PATH], g[2 * WORLD_PATH];

	snprintf(odd, sizeof(odd), "%s/layer%s", w->root, odd_name);
	snprintf(upper, sizeof(upper), "%s/upper%s", w->root, odd_name);
	snprintf(work, sizeof(work), "%s/work%s", w->root, odd_name);
	OK(rename(w->layer[1], odd));
	OK(rename(w->upper, upper));
	OK(rename(w->work, work));
	escape(e, odd, ":,\\");
	escape(f, upper, ",\\");
	escape(g, work, ",\\");
	snprintf(self->opt, sizeof(self->opt), "lowerdir=%s:%s,upperdir=%s,workdir=%s",
		 w->layer[0], e, f, g);
	OK(mount("none", w->mnt, FS, 0, self->opt));
	SEEN();
	OK(mkdir(M("d/new"), 0755));
	CHECK(exists(join(upper, "d/new")), "another upper");
	OK(umount(w->mnt));
	OK(rename(odd, w->layer[1]));
	OK(rename(upper, w->upper));
	OK(rename(work, w->work));
}

/* The options of the topmost mount at path, as the kernel shows them. */
static int shown(const char *path, char *out, size_t size)
{
	static char all[1 << 20];
	char *line, *save = NULL, *field[4], *to = out;
	int found = 0;

	if (read_text("/proc/self/mounts", all, sizeof(all)) <= 0)
		return -1;
	for (line = strtok_r(all, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *word = line;

		for (int i = 0; i < 4; i++) {
			field[i] = word;
			word = strchr(word, ' ');
			if (word)
				*word++ = 0;
		}
		if (strcmp(field[1], path))
			continue;
		found = 1;
		to = out;
		for (char *p = field[3]; *p && to < out + size - 1;) {
			unsigned int c;

			/* Octal, for what would end a word here. */
			if (*p == '\\' && sscanf(p + 1, "%3o", &c) == 1) {
				*to++ = c;
				p += 4;
			} else {
				*to++ = *p++;
			}
		}
		*to = 0;
	}
	return found ? 0 : -1;
}

/* Leaves what is not a flag of mount(2). */
static void without_flags(char *options)
{
	static const char *const flag[] = { "rw", "ro", "relatime", "noatime", "nodev", "nosuid" };
	bool again = true;

	while (again) {
		again = false;
		for (size_t i = 0; i < ARRAY_SIZE(flag); i++) {
			size_t n = strlen(flag[i]);

			if (!strncmp(options, flag[i], n) &&
			    (options[n] == ',' || !options[n])) {
				memmove(options, options + n + !!options[n],
					strlen(options + n + !!options[n]) + 1);
				again = true;
			}
		}
	}
}

TEST_F(options, shown_options_mount_again)
{
	struct world *w = &self->w;

	for (int round = 0; round < 3; round++) {
		w->option[0][0] = round == 2 ? "volatile" : NULL;
		w->no_upper = round == 0;
		OK(world_mount(w));
		OK(shown(w->mnt, self->opt, sizeof(self->opt)));
		CHECK(strstr(self->opt, w->layer[0]) && strstr(self->opt, w->layer[1]),
		      "no layers in '%s'", self->opt);
		CHECK(w->no_upper || (strstr(self->opt, w->upper) && strstr(self->opt, w->work)),
		      "no upper in '%s'", self->opt);
		CHECK(round != 2 || strstr(self->opt, ",volatile") ||
		      strstr(self->opt, ",fsync=volatile"), "'%s'", self->opt);
		OK(world_umount(w));
		without_flags(self->opt);
		if (round == 2)
			OK(forgive_volatile(w));
		CHECK(!mount("none", w->mnt, FS, 0, self->opt), "'%s': %s", self->opt,
		      err_name(errno));
		SEEN();
		OK(umount(w->mnt));
	}
}

TEST_F(options, shown_odd_names)
{
	struct world *w = &self->w;
	char odd[WORLD_PATH + 64], e[2 * WORLD_PATH];

	if (world_is_overlay())
		SKIP(return, "overlayfs: shows names with a comma in a form that it does not take");
	snprintf(odd, sizeof(odd), "%s/layer%s", w->root, odd_name);
	OK(rename(w->layer[1], odd));
	escape(e, odd, ":,\\");
	snprintf(self->opt, sizeof(self->opt), "lowerdir=%s:%s", w->layer[0], e);
	OK(mount("none", w->mnt, FS, 0, self->opt));
	OK(shown(w->mnt, self->opt, sizeof(self->opt)));
	OK(umount(w->mnt));
	without_flags(self->opt);
	CHECK(!mount("none", w->mnt, FS, 0, self->opt), "'%s': %s", self->opt,
	      err_name(errno));
	SEEN();
	OK(umount(w->mnt));
	OK(rename(odd, w->layer[1]));
}

/* Five hundred layers, one by one. */
TEST_F(options, many_layers)
{
	struct world *w = &self->w;
	static const char *option[MANY + 8][2];
	static char path[MANY][WORLD_PATH + 32];
	char name[64];
	int fd, n = 0;

	option[n][0] = "source";
	option[n++][1] = "many";
	for (int i = 0; i < MANY; i++) {
		snprintf(path[i], sizeof(path[i]), "%s/many.%d", w->root, i);
		OK(mkdir(path[i], 0755));
		snprintf(name, sizeof(name), "own%d", i);
		OK(mknod(join(path[i], name), S_IFREG | 0644, 0));
		snprintf(name, sizeof(name), "%d\n", i);
		OK(write_text(join(path[i], "every"), name));
		OK(mkdir(join(path[i], "dir"), 0755));
		snprintf(name, sizeof(name), "dir/in%d", i);
		OK(mknod(join(path[i], name), S_IFREG | 0644, 0));
		option[n][0] = "lowerdir+";
		option[n++][1] = path[i];
	}
	option[n][0] = "upperdir";
	option[n++][1] = w->upper;
	option[n][0] = "workdir";
	option[n++][1] = w->work;
	if (world_is_overlay()) {
		option[n][0] = "redirect_dir";
		option[n++][1] = "on";
	}
	option[n][0] = NULL;
	fd = fs_mount(FS, option, 0, w->mnt, w->log, sizeof(w->log));
	CHECK(fd >= 0, "%s: %s", err_name(-fd), w->log);
	if (fd < 0)
		return;
	close(fd);
	EXPECT_EQ(0, same_bytes(M("every"), "0\n", 2));
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "own%d", i);
		CHECK(exists(M(name)), "layer %d is missing", i);
		snprintf(name, sizeof(name), "dir/in%d", i);
		CHECK(exists(M(name)), "layer %d is missing", i);
	}
	{
		struct tree t;

		OK(tree_scan(&t, M("dir"), 0));
		EXPECT_EQ(MANY + 1, t.count);
		tree_free(&t);
	}
	OK(unlink(M("dir/in499")));
	OK(rename(M("dir"), M("moved")));
	FAILS(ENOENT, access(M("dir"), F_OK));
}

/*
 * What cannot be mounted: the errno, and words in the context's log that name
 * the option and the path.
 */
struct refused {
	const char *what;
	const char *option[8][2];	/* %L %l %U %W %F %N stand for paths */
	int err[3];
	const char *names;		/* the option that must be named */
	char path;			/* the path that must be named, or 0 */
};

static const struct refused refused[] = {
	{ "nothing at all", { }, { EINVAL }, "lowerdir", 0 },
	{ "no layers", { { "upperdir", "%U" }, { "workdir", "%W" } },
	  { EINVAL }, "lowerdir", 0 },
	{ "a layer that is not there", { { "lowerdir+", "%N" } },
	  { ENOENT }, "lowerdir", 'N' },
	{ "a second layer that is not there", { { "lowerdir+", "%L" }, { "lowerdir+", "%N" } },
	  { ENOENT }, "lowerdir", 'N' },
	{ "a layer that is a file", { { "lowerdir+", "%F" } },
	  { ENOTDIR }, "lowerdir", 'F' },
	{ "an empty layer name", { { "lowerdir+", "" } }, { EINVAL, ENOENT }, "lowerdir", 0 },
	{ "an upper without a workdir", { { "lowerdir+", "%L" }, { "upperdir", "%U" } },
	  { EINVAL }, "workdir", 0 },
	{ "an upper that is not there",
	  { { "lowerdir+", "%L" }, { "upperdir", "%N" }, { "workdir", "%W" } },
	  { ENOENT }, "upperdir", 'N' },
	{ "a workdir that is not there",
	  { { "lowerdir+", "%L" }, { "upperdir", "%U" }, { "workdir", "%N" } },
	  { ENOENT }, "workdir", 'N' },
	{ "an upper that is a file",
	  { { "lowerdir+", "%L" }, { "upperdir", "%F" }, { "workdir", "%W" } },
	  { ENOTDIR }, "upperdir", 'F' },
	{ "a workdir on another file system",
	  { { "lowerdir+", "%L" }, { "upperdir", "%U" }, { "workdir", "%T" } },
	  { EINVAL, EXDEV }, "workdir", 'T' },
	{ "a workdir that is the upper",
	  { { "lowerdir+", "%L" }, { "upperdir", "%U" }, { "workdir", "%U" } },
	  { EINVAL, ELOOP }, "workdir", 'U' },
	{ "a workdir inside the upper",
	  { { "lowerdir+", "%L" }, { "upperdir", "%U" }, { "workdir", "%u" } },
	  { EINVAL, ELOOP }, "workdir", 'u' },
	{ "an upper inside the workdir",
	  { { "lowerdir+", "%L" }, { "upperdir", "%w" }, { "workdir", "%W" } },
	  { EINVAL, ELOOP }, "dir", 'w' },
	{ "an upper inside a layer",
	  { { "lowerdir+", "%L" }, { "upperdir", "%l" }, { "workdir", "%W" } },
	  { EINVAL, ELOOP }, "upperdir", 'l' },
	{ "an upper that is a layer",
	  { { "lowerdir+", "%L" }, { "upperdir", "%L" }, { "workdir", "%W" } },
	  { EINVAL, ELOOP }, "upperdir", 'L' },
	{ "a layer inside the upper",
	  { { "lowerdir+", "%u" }, { "upperdir", "%U" }, { "workdir", "%W" } },
	  { EINVAL, ELOOP }, "dir", 'u' },
	{ "a workdir inside a layer",
	  { { "lowerdir+", "%L" }, { "upperdir", "%U" }, { "workdir", "%l" } },
	  { EINVAL, ELOOP }, "workdir", 'l' },
	{ "an upper that is mounted read-only",
	  { { "lowerdir+", "%L" }, { "upperdir", "%R" }, { "workdir", "%W" } },
	  { EROFS, EINVAL }, "upperdir", 'R' },
	{ "a gap in the list of layers", { { "lowerdir", "/::/tmp" } },
	  { EINVAL }, "lowerdir", 0 },
	{ "an option that does not exist",
	  { { "lowerdir+", "%L" }, { "nonsense", "1" } }, { EINVAL }, "nonsense", 0 },
	{ "a flag with a value", { { "lowerdir+", "%L" }, { "volatile", "1" } },
	  { EINVAL }, "volatile", 0 },
	{ "a block that is no power of two",
	  { { "lowerdir+", "%L" }, { "blocksize", "5000" } }, { EINVAL }, "blocksize", 0 },
	{ "a block that is too small",
	  { { "lowerdir+", "%L" }, { "blocksize", "2048" } }, { EINVAL }, "blocksize", 0 },
	{ "a block that is too large",
	  { { "lowerdir+", "%L" }, { "blocksize", "4M" } }, { EINVAL }, "blocksize", 0 },
	{ "a block of no bytes",
	  { { "lowerdir+", "%L" }, { "blocksize", "0" } }, { EINVAL }, "blocksize", 0 },
	{ "a block of a word",
	  { { "lowerdir+", "%L" }, { "blocksize", "big" } }, { EINVAL }, "blocksize", 0 },
	{ "a limit that is no number",
	  { { "lowerdir+", "%L" }, { "whole_limit", "64x" } }, { EINVAL }, "whole_limit", 0 },
	{ "a limit below nothing",
	  { { "lowerdir+", "%L" }, { "whole_limit", "-1" } }, { EINVAL }, "whole_limit", 0 },
	{ "a limit beyond every file",
	  { { "lowerdir+", "%L" }, { "whole_limit", "8E" } }, { EINVAL }, "whole_limit", 0 },
	{ "an option without its value", { { "lowerdir+", "%L" }, { "upperdir", NULL } },
	  { EINVAL }, "upperdir", 0 },
};

/* What refused[] does when it is mounted; the path of %x. */
static const char *stands_for(struct world *w, char x)
{
	switch (x) {
	case 'L': return w->layer[0];
	case 'l': return L("d");
	case 'U': return w->upper;
	case 'u': return U("inside");
	case 'W': return w->work;
	case 'w': return join(w->work, "inside");
	case 'F': return L("d/high");
	case 'N': return join(w->root, "not-there");
	case 'T': return join(w->root, "other");
	case 'R': return join(w->root, "readonly");
	}
	abort();
}

TEST_F(options, refused)
{
	struct world *w = &self->w;

	OK(mkdir(U("inside"), 0755));
	OK(mkdir(join(w->work, "inside"), 0755));
	OK(mkdir(stands_for(w, 'T'), 0755));
	OK(mkdir(stands_for(w, 'R'), 0755));
	OK(mount("none", stands_for(w, 'T'), "ramfs", 0, NULL));
	OK(mount(w->upper, stands_for(w, 'R'), NULL, MS_BIND, NULL));
	OK(mount(NULL, stands_for(w, 'R'), NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		const struct refused *r = &refused[i];
		const char *option[10][2] = { { "source", "refused" } };
		bool expected = false;
		int fd;

		for (int j = 0; r->option[j][0]; j++) {
			const char *value = r->option[j][1];

			option[j + 1][0] = r->option[j][0];
			option[j + 1][1] = value && value[0] == '%' ?
				stands_for(w, value[1]) : value;
		}
		fd = fs_mount(FS, option, 0, NULL, w->log, sizeof(w->log));
		if (fd >= 0)
			close(fd);
		if (world_is_overlay())
			continue;	/* its own choice of errors and words */
		for (int j = 0; j < 3 && r->err[j]; j++)
			expected |= fd == -r->err[j];
		CHECK(expected, "%s: %s, expected %s", r->what,
		      fd < 0 ? err_name(-fd) : "mounted", err_name(r->err[0]));
		CHECK(strstr(w->log, r->names), "%s: no word of '%s' in '%s'",
		      r->what, r->names, w->log);
		if (r->path)
			CHECK(strstr(w->log, stands_for(w, r->path)),
			      "%s: no word of '%s' in '%s'", r->what,
			      stands_for(w, r->path), w->log);
	}
	OK(umount(stands_for(w, 'T')));
	OK(umount(stands_for(w, 'R')));
	if (world_is_overlay())
		SKIP(return, "overlayfs: its own choice of errors and words");
	/* None of it left the upper or workdir in use. */
	OK(world_mount(w));
	SEEN();
}

/* mount(2) has no words but those in the kernel's log. */
TEST_F(options, refused_in_kernel_log)
{
	struct world *w = &self->w;
	static char record[8192];
	bool found = false;
	int kmsg;

	if (world_is_overlay())
		SKIP(return, "overlayfs: its own choice of words");
	kmsg = OK(open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
	OK(lseek(kmsg, 0, SEEK_END));
	snprintf(self->opt, sizeof(self->opt), "lowerdir=%s:%s/not-there", w->layer[0],
		 w->root);
	FAILS(ENOENT, mount("none", w->mnt, FS, 0, self->opt));
	for (;;) {
		ssize_t n = read(kmsg, record, sizeof(record) - 1);

		if (n < 0 && errno == EPIPE)
			continue;
		if (n <= 0)
			break;
		record[n] = 0;
		found |= strstr(record, "lowerdir") && strstr(record, "/not-there") &&
			strstr(record, w->root);
	}
	close(kmsg);
	CHECK(found, "no line in the kernel's log names lowerdir and the path");
}

/* Marks in the user namespace of names. */
TEST_F(options, userxattr)
{
	struct world *w = &self->w;

	w->option[0][0] = "userxattr";
	w->no_defaults = true;
	OK(world_mount(w));
	SEEN();
	OK(shown(w->mnt, self->opt, sizeof(self->opt)));
	CHECK(strstr(self->opt, ",userxattr"), "'%s'", self->opt);
	OK(unlink(M("d/low")));
	OK(unlink(M("d/high")));
	OK(rmdir(M("d")));
	OK(mkdir(M("d"), 0755));
	CHECK(getxattr(U("d"), "user.overlay.opaque", NULL, 0) == 1, "no mark");
	FAILS(ENODATA, getxattr(M("d"), "user.overlay.opaque", NULL, 0));
	OK(world_umount(w));
}

/* The tunables as options: taken, shown, and changed by a remount. */
TEST_F(options, tunables)
{
	struct world *w = &self->w;
	int fs;

	if (world_is_overlay())
		SKIP(return, "overlayfs: has none");
	OK(world_mount(w));
	OK(shown(w->mnt, self->opt, sizeof(self->opt)));
	CHECK(!strstr(self->opt, "blocksize") && !strstr(self->opt, "whole_limit"),
	      "'%s'", self->opt);
	OK(world_umount(w));
	w->option[0][0] = "blocksize";
	w->option[0][1] = "64K";
	w->option[1][0] = "whole_limit";
	w->option[1][1] = "0";
	OK(world_mount(w));
	OK(shown(w->mnt, self->opt, sizeof(self->opt)));
	CHECK(strstr(self->opt, ",blocksize=65536,whole_limit=0"), "'%s'", self->opt);
	fs = OK(fspick(AT_FDCWD, w->mnt, FSPICK_CLOEXEC));
	OK(fsconfig(fs, FSCONFIG_SET_STRING, "blocksize", "131072", 0));
	OK(fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
	close(fs);
	OK(shown(w->mnt, self->opt, sizeof(self->opt)));
	CHECK(strstr(self->opt, ",blocksize=131072,whole_limit=0"), "'%s'", self->opt);
	OK(world_umount(w));
	/* What is shown mounts the same again. */
	without_flags(self->opt);
	OK(mount("none", w->mnt, FS, 0, self->opt));
	OK(shown(w->mnt, self->opt, sizeof(self->opt)));
	CHECK(strstr(self->opt, ",blocksize=131072,whole_limit=0"), "'%s'", self->opt);
	OK(umount(w->mnt));
}

TEST_HARNESS_MAIN
