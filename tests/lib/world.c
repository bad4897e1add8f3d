// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "world.h"

const char *world_fstype(void)
{
	return getenv("VENEER_TEST_FSTYPE") ?: "veneer";
}

void world_want_handles(struct world *w)
{
	if (!world_is_overlay())
		return;
	w->option[0][0] = "index", w->option[0][1] = "on";
	w->option[1][0] = "nfs_export", w->option[1][1] = "on";
	w->no_defaults = true;
}

bool world_is_overlay(void)
{
	return !strcmp(world_fstype(), "overlay");
}

bool world_whiteouts_inherit(void)
{
	struct statfs st;

	return statfs(world_dir(), &st) || st.f_type != XFS_SUPER_MAGIC;
}

const char *world_dir(void)
{
	return getenv("VENEER_TEST_DIR") ?: "/tmp";
}

static int cannot(const char *what, const char *path)
{
	int err = errno;

	printf("# world: cannot %s %s: %s\n", what, path, strerror(err));
	errno = err;
	return -1;
}

/* Removes what tests left behind that were killed. */
static void sweep(const char *dir)
{
	char path[PATH_MAX];
	struct dirent *de;
	DIR *d = opendir(dir);
	int pid, end;

	if (!d)
		return;
	while ((de = readdir(d))) {
		end = 0;
		if (sscanf(de->d_name, "world.%d%n", &pid, &end) != 1 ||
		    de->d_name[end] || !kill(pid, 0) || errno != ESRCH)
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, de->d_name);
		remove_tree(path);
	}
	closedir(d);
}

static int make_dir(char *path, const char *root, const char *name)
{
	if (snprintf(path, WORLD_PATH, "%s/%s", root, name) >= WORLD_PATH) {
		errno = ENAMETOOLONG;
		return cannot("make", name);
	}
	if (mkdir(path, 0755) || chmod(path, 0755))
		return cannot("make", path);
	return 0;
}

int world_add_layer(struct world *w)
{
	char name[32];

	if (w->nlayers == WORLD_LAYERS) {
		errno = E2BIG;
		return cannot("add a layer to", w->root);
	}
	snprintf(name, sizeof(name), "layer%d", w->nlayers);
	return make_dir(w->layer[w->nlayers++], w->root, name);
}

int world_begin(struct world *w, enum where where)
{
	char name[32];

	umask(022);
	*w = (struct world) { .where = where, .mfd = -1, .pfd = -1 };
	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return cannot("get a mount namespace for", "this test");
	if (mkdir(world_dir(), 0755) && errno != EEXIST)
		return cannot("make", world_dir());
	sweep(world_dir());
	snprintf(name, sizeof(name), "world.%d", getpid());
	if (make_dir(w->root, world_dir(), name))
		return -1;
	for (int i = where == IN_LOWER ? 2 : 1; i; i--)
		if (world_add_layer(w))
			return -1;
	if (make_dir(w->upper, w->root, "upper") ||
	    make_dir(w->work, w->root, "work") ||
	    make_dir(w->mnt, w->root, "mnt") ||
	    make_dir(w->plain, w->root, "plain"))
		return -1;
	/*
	 * Where a directory was in layer and upper before the first mount,
	 * overlayfs lists the number that it has in the upper and stats the
	 * one that it has below, or the other way around.
	 */
	if (world_is_overlay())
		w->tree_flags |= TREE_NODINO;
	w->pfd = open(w->plain, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return w->pfd < 0 ? cannot("open", w->plain) : 0;
}

int world_upper_on(struct world *w, const char *fstype, const char *options)
{
	char disk[WORLD_PATH];

	if (make_dir(disk, w->root, "disk"))
		return -1;
	if (mount("none", disk, fstype, 0, options))
		return cannot("mount", disk);
	/* overlayfs keeps to one st_dev only when it is told. */
	if (world_is_overlay()) {
		w->option[WORLD_OPTIONS - 1][0] = "xino";
		w->option[WORLD_OPTIONS - 1][1] = "on";
	}
	return make_dir(w->upper, disk, "upper") ?:
		make_dir(w->work, disk, "work");
}

/*
 * Old times that depend on the path alone, atime older than mtime: then a read
 * that forgets O_NOATIME shows even where the disk is mounted with relatime.
 */
static int set_times(const char *root, const char *rel)
{
	char path[PATH_MAX], child[PATH_MAX];
	struct timespec ts[2] = { { 1000000000, 111111111 }, { 1100000000, 0 } };
	struct dirent *de;
	struct stat st;
	int fd, ret = 0;
	DIR *d;

	snprintf(path, sizeof(path), "%s/%s", root, rel);
	if (lstat(path, &st))
		return cannot("stat", path);
	/* Which of its names is the last one seen hangs on the filesystem. */
	for (const char *p = S_ISDIR(st.st_mode) || st.st_nlink == 1 ? rel : ""; *p; p++)
		ts[1].tv_nsec = (ts[1].tv_nsec * 31 + *p) % 1000000000;
	if (utimensat(AT_FDCWD, path, ts, AT_SYMLINK_NOFOLLOW))
		return cannot("set the times of", path);
	if (!S_ISDIR(st.st_mode))
		return 0;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOATIME | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return cannot("read", path);
	while (!ret && (de = readdir(d))) {
		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		snprintf(child, sizeof(child), "%s%s%s", rel, *rel ? "/" : "",
			 de->d_name);
		ret = set_times(root, child);
	}
	closedir(d);
	return ret;
}

static int seal(struct world *w, int layer)
{
	return tree_scan(&w->sealed[layer], w->layer[layer], TREE_MTIME | TREE_DIRTIME |
			 TREE_SEAL | TREE_NLINK | TREE_SEALING);
}

int world_seal(struct world *w)
{
	for (int i = 0; i < w->nlayers; i++) {
		if (!w->keep_times && set_times(w->layer[i], ""))
			return -1;
		if (seal(w, i))
			return -1;
	}
	if (w->keep_times)
		return 0;
	return set_times(w->upper, "") || set_times(w->plain, "") ? -1 : 0;
}

int world_check_layers(struct world *w)
{
	int ret = 0;

	for (int i = 0; i < w->nlayers; i++) {
		struct tree now = { };

		if (!w->sealed[i].count)
			continue;
		if (tree_scan(&now, w->layer[i], TREE_MTIME | TREE_DIRTIME |
			      TREE_SEAL | TREE_NLINK))
			return -1;
		if (tree_diff(&w->sealed[i], "the layer before", &now,
			      "the layer now")) {
			printf("# world: %s was changed\n", w->layer[i]);
			errno = EUCLEAN;
			ret = -1;
		}
		/* A second look would see the first one's atimes. */
		tree_free(&now);
		tree_free(&w->sealed[i]);
	}
	return ret;
}

static void read_log(int fd, char *log, size_t size)
{
	size_t len = 0;
	ssize_t n;

	if (!size)
		return;
	while (len + 1 < size && (n = read(fd, log + len, size - 1 - len)) > 0) {
		len += n;
		if (len + 1 < size && log[len - 1] != '\n')
			log[len++] = '\n';
	}
	log[len] = 0;
}

static int configure(int fd, const char *const option[][2])
{
	for (; (*option)[0]; option++) {
		const char *key = (*option)[0], *value = (*option)[1];
		unsigned int cmd = value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG;

		if (fsconfig(fd, cmd, key, value, 0))
			return -errno;
	}
	return fsconfig(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) ? -errno : 0;
}

int fs_mount(const char *type, const char *const option[][2],
	     unsigned int attr, const char *target, char *log, size_t size)
{
	int fd, mfd = -1, err;

	if (size)
		*log = 0;
	fd = fsopen(type, FSOPEN_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = configure(fd, option);
	if (!err) {
		mfd = fsmount(fd, FSMOUNT_CLOEXEC, attr);
		if (mfd < 0)
			err = -errno;
	}
	read_log(fd, log, size);
	close(fd);
	if (!err && target &&
	    move_mount(mfd, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH))
		err = -errno;
	if (err && mfd >= 0)
		close(mfd);
	return err ?: mfd;
}

int world_mount(struct world *w)
{
	const char *option[WORLD_LAYERS + WORLD_OPTIONS + 8][2] = { };
	int n = 0, fd;

	if (!w->sealed[0].count && world_seal(w))
		return -1;
	option[n][0] = "source";
	option[n++][1] = "world";
	for (int i = 0; i < w->nlayers; i++) {
		option[n][0] = "lowerdir+";
		option[n++][1] = w->layer[i];
	}
	if (!w->no_upper) {
		option[n][0] = "upperdir";
		option[n++][1] = w->upper;
		option[n][0] = "workdir";
		option[n++][1] = w->work;
	}
	if (world_is_overlay() && !w->no_defaults) {
		/* As near to Veneer as overlayfs comes. */
		option[n][0] = "metacopy";
		option[n++][1] = "on";
		option[n][0] = "redirect_dir";
		option[n++][1] = w->no_upper ? "follow" : "on";
	}
	for (int i = 0; i < WORLD_OPTIONS; i++)
		if (w->option[i][0])
			memcpy(option[n++], w->option[i], sizeof(option[n]));
	fd = fs_mount(world_fstype(), option, w->attr, w->mnt, w->log, sizeof(w->log));
	if (fd < 0) {
		errno = -fd;
		cannot("mount", w->mnt);
		printf("# the kernel said: %s\n", *w->log ? w->log : "(nothing)");
		fflush(stdout);
		errno = -fd;
		return -1;
	}
	close(fd);
	w->mounted = true;
	w->mfd = open(w->mnt, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return w->mfd < 0 ? cannot("open", w->mnt) : 0;
}

int umount_patiently(const char *path)
{
	int ret = -1;

	for (int i = 0; i < 500 && ret; i++) {
		if (i)
			usleep(10000);
		ret = umount2(path, 0);
		if (ret && errno != EBUSY)
			break;
	}
	return ret;
}

int world_umount(struct world *w)
{
	if (w->mfd >= 0)
		close(w->mfd);
	w->mfd = -1;
	if (w->mounted && umount2(w->mnt, 0))
		return cannot("unmount", w->mnt);
	w->mounted = false;
	return 0;
}

int world_remount(struct world *w)
{
	return world_umount(w) ?: world_mount(w);
}

int world_deepen(struct world *w)
{
	struct timespec ts[2];
	struct stat st;
	char name[32];

	if (w->nlayers == WORLD_LAYERS) {
		errno = E2BIG;
		return cannot("add a layer to", w->root);
	}
	if (world_umount(w))
		return -1;
	if (stat(w->upper, &st))
		return cannot("stat", w->upper);
	memmove(w->layer[1], w->layer[0], w->nlayers * sizeof(w->layer[0]));
	memmove(&w->sealed[1], &w->sealed[0], w->nlayers * sizeof(w->sealed[0]));
	memcpy(w->layer[0], w->upper, sizeof(w->upper));
	snprintf(name, sizeof(name), "upper%d", w->nlayers++);
	if (seal(w, 0) || make_dir(w->upper, w->root, name))
		return -1;
	/* A mount's root is its upper's. */
	ts[0] = st.st_atim;
	ts[1] = st.st_mtim;
	if (utimensat(AT_FDCWD, w->upper, ts, 0))
		return cannot("set the times of", w->upper);
	return world_mount(w);
}

int world_end(struct world *w)
{
	int ret;

	ret = world_umount(w);
	/* Busy: something still works there. Out of sight is good enough to
	 * clean up, the failure has been noted. */
	if (ret)
		umount2(w->mnt, MNT_DETACH);
	if (w->pfd >= 0)
		close(w->pfd);
	w->pfd = -1;
	if (world_check_layers(w))
		ret = -1;
	for (int i = 0; i < WORLD_LAYERS; i++)
		tree_free(&w->sealed[i]);
	/* What a test may have mounted to put them there; not an error else. */
	for (int i = 0; i < w->nlayers; i++)
		umount2(w->layer[i], MNT_DETACH);
	umount2(join(w->root, "disk"), MNT_DETACH);
	if (*w->root && remove_tree(w->root))
		ret = -1;
	fflush(stdout);
	return ret;
}

static int remove_at(int dirfd, const char *name)
{
	struct dirent *de;
	int fd, ret = 0;
	DIR *d;

	if (!unlinkat(dirfd, name, 0))
		return 0;
	if (errno != EISDIR)
		return -1;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return -1;
	while (!ret && (de = readdir(d)))
		if (strcmp(de->d_name, ".") && strcmp(de->d_name, ".."))
			ret = remove_at(fd, de->d_name);
	closedir(d);
	return ret ?: unlinkat(dirfd, name, AT_REMOVEDIR);
}

int remove_tree(const char *path)
{
	return remove_at(AT_FDCWD, path) ? cannot("remove", path) : 0;
}

int drop_caches(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return cannot("open", "/proc/sys/vm/drop_caches");
	ret = write(fd, "3", 1) == 1 ? 0 : cannot("drop", "caches");
	close(fd);
	return ret;
}

long disk_reads(const char *path)
{
	char name[64];
	struct stat st;
	long n = -1;
	FILE *f;

	if (stat(path, &st))
		return -1;
	snprintf(name, sizeof(name), "/sys/dev/block/%u:%u/stat", major(st.st_dev),
		 minor(st.st_dev));
	f = fopen(name, "re");
	if (f && fscanf(f, "%ld", &n) != 1)
		n = -1;
	if (f)
		fclose(f);
	return n;
}

void load_module(const char *name)
{
	char *const argv[] = { "/sbin/modprobe", "-q", (char *)name, NULL };
	pid_t pid;

	if (!posix_spawn(&pid, argv[0], NULL, NULL, argv, environ))
		waitpid(pid, NULL, 0);
}

const char *join(const char *root, const char *rel)
{
	static char path[32][PATH_MAX];
	static unsigned int n;
	char *p = path[n++ % 32];

	snprintf(p, PATH_MAX, "%s%s%s", root, *rel ? "/" : "", rel);
	return p;
}
