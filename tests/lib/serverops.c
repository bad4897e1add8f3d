// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The requests, each with a thread of its own for as long as it takes. Every object
 * that was looked up stays open, so its path is what /proc says of it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "serverops.h"

void server_let_go(struct server_shared *shared)
{
	atomic_fetch_add(&shared->released, 1);
	syscall(SYS_futex, &shared->released, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

#if !__has_include(<fuse3/fuse_lowlevel.h>)

bool server_is_built_in(void)
{
	return false;
}

int server_serve(int fuse, int root, struct server_shared *shared)
{
	return 1;
}

#else

#define FUSE_USE_VERSION 312
#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <fuse3/fuse_lowlevel.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <time.h>

/* What one process works on: its number is the place, but for the root. */
#define NODES 60000
#define THREADS 1500

static struct node {
	int fd;
	dev_t dev;
	ino_t ino;
} nodes[NODES];

static size_t nr_nodes;
static pthread_mutex_t nodes_lock = PTHREAD_MUTEX_INITIALIZER;
static struct server_shared *shared;
static char root_path[PATH_MAX];

/* Enough of them for a path each, and the call after it. */
static const char *proc_path(char buf[64], int fd)
{
	snprintf(buf, 64, "/proc/self/fd/%d", fd);
	return buf;
}

static int node_fd(fuse_ino_t ino)
{
	return nodes[ino - FUSE_ROOT_ID].fd;
}

/* The number of what fd, which this takes, is open on; 0 without room. */
static fuse_ino_t node_get(int fd, const struct stat *st)
{
	size_t i;

	pthread_mutex_lock(&nodes_lock);
	for (i = 0; i < nr_nodes; i++)
		if (nodes[i].dev == st->st_dev && nodes[i].ino == st->st_ino)
			break;
	if (i < nr_nodes || i == NODES)
		close(fd);
	else
		nodes[nr_nodes++] = (struct node) { fd, st->st_dev, st->st_ino };
	pthread_mutex_unlock(&nodes_lock);
	return i == NODES ? 0 : i + FUSE_ROOT_ID;
}

/* The object's path from the root, and of a name in it. */
static void path_of(fuse_ino_t ino, const char *name, char path[PATH_MAX])
{
	char full[PATH_MAX], buf[64];
	ssize_t n = readlink(proc_path(buf, node_fd(ino)), full, sizeof(full) - 1);
	size_t root = strlen(root_path);
	const char *rel;

	full[n < 0 ? 0 : n] = 0;
	rel = strlen(full) > root ? full + root + 1 : "";
	snprintf(path, PATH_MAX, "%.2048s%s%.255s", rel, *rel && name ? "/" : "", name ?: "");
}

static void wait_for_release(void)
{
	unsigned int before = atomic_load(&shared->released);

	while (atomic_load(&shared->released) == before)
		syscall(SYS_futex, &shared->released, FUTEX_WAIT, before, NULL, NULL, 0);
}

static void move_away(const char *path)
{
	char from[PATH_MAX + 64], to[PATH_MAX + 64];

	snprintf(from, sizeof(from), "%s/%s", root_path, path);
	snprintf(to, sizeof(to), "%s/%s.away", root_path, path);
	rename(from, to);
}

static const struct server_rule honest;

/*
 * The rule for this request, once its time has come. The caller answers it, in an
 * honest way if that is &honest; %NULL says that it has been answered.
 */
static const struct server_rule *rule_for(fuse_req_t req, unsigned int on, fuse_ino_t ino,
					  const char *name)
{
	unsigned int nr = atomic_load(&shared->nr);
	char path[PATH_MAX] = "";

	if (nr)
		path_of(ino, name, path);
	for (unsigned int i = 0; i < nr; i++) {
		const struct server_rule *rule = &shared->entry[i].rule;
		unsigned int n;

		if (!(rule->on & on) || fnmatch(rule->path, path, 0))
			continue;
		n = atomic_fetch_add(&shared->entry[i].seen, 1);
		if (n < rule->skip || (rule->times && n >= rule->skip + rule->times))
			continue;
		atomic_fetch_add(&shared->entry[i].met, 1);
		if (rule->late)
			usleep(rule->late * 1000);
		if (rule->never)
			wait_for_release();
		if (rule->lie & LIE_AWAY)
			move_away(path);
		if (rule->err) {
			fuse_reply_err(req, rule->err);
			return NULL;
		}
		return rule;
	}
	return &honest;
}

static void lie_about(struct stat *st, const struct server_rule *rule)
{
	if (rule->lie & LIE_TYPE) {
		st->st_mode = (st->st_mode & 07777) | rule->type;
		st->st_rdev = rule->device;
	}
	if (rule->lie & LIE_OWNER) {
		st->st_uid = geteuid();
		st->st_gid = getegid();
		st->st_mode |= 0777;
	}
	if (rule->lie & LIE_SIZE)
		st->st_size = rule->size;
	if (rule->lie & LIE_INO)
		st->st_ino = rule->ino;
	if (rule->lie & LIE_NLINK)
		st->st_nlink = rule->nlink;
}

static void reply(fuse_req_t req, int ret)
{
	fuse_reply_err(req, ret < 0 ? errno : 0);
}

/* What a name stands for, as the answer. */
static void reply_entry(fuse_req_t req, fuse_ino_t parent, const char *name,
			const struct server_rule *rule)
{
	int fd = openat(node_fd(parent), name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct fuse_entry_param e = { .generation = 1 };

	if (fd < 0 || fstat(fd, &e.attr)) {
		fuse_reply_err(req, errno);
		if (fd >= 0)
			close(fd);
		return;
	}
	e.ino = node_get(fd, &e.attr);
	lie_about(&e.attr, rule);
	if (e.ino)
		fuse_reply_entry(req, &e);
	else
		fuse_reply_err(req, ENFILE);
}

static void do_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	const struct server_rule *rule = rule_for(req, ON_LOOKUP, parent, name);

	if (rule)
		reply_entry(req, parent, name, rule);
}

static void reply_attr(fuse_req_t req, fuse_ino_t ino, const struct server_rule *rule)
{
	struct stat st;

	if (fstat(node_fd(ino), &st)) {
		fuse_reply_err(req, errno);
		return;
	}
	lie_about(&st, rule);
	fuse_reply_attr(req, &st, 0);
}

static void do_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct server_rule *rule = rule_for(req, ON_GETATTR, ino, NULL);

	if (rule)
		reply_attr(req, ino, rule);
}

static struct timespec time_to_set(const struct timespec *ts, int set, int now)
{
	struct timespec new = *ts;

	if (!set)
		new.tv_nsec = UTIME_OMIT;
	else if (now)
		new.tv_nsec = UTIME_NOW;
	return new;
}

static int set_attr(int fd, const struct stat *st, int set)
{
	struct timespec ts[2] = {
		time_to_set(&st->st_atim, set & FUSE_SET_ATTR_ATIME, set & FUSE_SET_ATTR_ATIME_NOW),
		time_to_set(&st->st_mtim, set & FUSE_SET_ATTR_MTIME, set & FUSE_SET_ATTR_MTIME_NOW),
	};
	char path[64];

	proc_path(path, fd);
	if ((set & FUSE_SET_ATTR_SIZE) && truncate(path, st->st_size))
		return -1;
	if ((set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) &&
	    fchownat(fd, "", set & FUSE_SET_ATTR_UID ? st->st_uid : (uid_t)-1,
		     set & FUSE_SET_ATTR_GID ? st->st_gid : (gid_t)-1, AT_EMPTY_PATH))
		return -1;
	if ((set & FUSE_SET_ATTR_MODE) && chmod(path, st->st_mode & 07777))
		return -1;
	if (set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME))
		return utimensat(AT_FDCWD, path, ts, 0);
	return 0;
}

static void do_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int set,
		       struct fuse_file_info *fi)
{
	const struct server_rule *rule = rule_for(req, ON_SETATTR, ino, NULL);

	if (!rule)
		return;
	if (set_attr(node_fd(ino), st, set))
		fuse_reply_err(req, errno);
	else
		reply_attr(req, ino, rule);
}

static void do_readlink(fuse_req_t req, fuse_ino_t ino)
{
	char target[PATH_MAX];
	ssize_t n;

	if (!rule_for(req, ON_READLINK, ino, NULL))
		return;
	n = readlinkat(node_fd(ino), "", target, sizeof(target) - 1);
	target[n < 0 ? 0 : n] = 0;
	if (n < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_readlink(req, target);
}

static void made(fuse_req_t req, fuse_ino_t parent, const char *name, int ret,
		 const struct server_rule *rule)
{
	if (ret)
		fuse_reply_err(req, errno);
	else
		reply_entry(req, parent, name, rule);
}

static void do_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t dev)
{
	const struct server_rule *rule = rule_for(req, ON_MAKE, parent, name);

	if (rule)
		made(req, parent, name, mknodat(node_fd(parent), name, mode, dev), rule);
}

static void do_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	const struct server_rule *rule = rule_for(req, ON_MAKE, parent, name);

	if (rule)
		made(req, parent, name, mkdirat(node_fd(parent), name, mode), rule);
}

static void do_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	const struct server_rule *rule = rule_for(req, ON_MAKE, parent, name);

	if (rule)
		made(req, parent, name, symlinkat(target, node_fd(parent), name), rule);
}

static void do_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	const struct server_rule *rule = rule_for(req, ON_MAKE, parent, name);
	char path[64];

	if (rule)
		made(req, parent, name,
		     linkat(AT_FDCWD, proc_path(path, node_fd(ino)), node_fd(parent), name,
			    AT_SYMLINK_FOLLOW), rule);
}

static void do_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	if (rule_for(req, ON_REMOVE, parent, name))
		reply(req, unlinkat(node_fd(parent), name, 0));
}

static void do_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	if (rule_for(req, ON_REMOVE, parent, name))
		reply(req, unlinkat(node_fd(parent), name, AT_REMOVEDIR));
}

static void do_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to,
		      const char *to_name, unsigned int flags)
{
	if (rule_for(req, ON_RENAME, parent, name))
		reply(req, renameat2(node_fd(parent), name, node_fd(to), to_name, flags));
}

static void do_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	char path[64];
	int fd;

	if (!rule_for(req, ON_OPEN, ino, NULL))
		return;
	fd = open(proc_path(path, node_fd(ino)),
		  (fi->flags & ~(O_NOFOLLOW | O_CREAT | O_DIRECT)) | O_CLOEXEC);
	fi->fh = fd;
	if (fd < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_open(req, fi);
}

static void do_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	const struct server_rule *rule = rule_for(req, ON_READ, ino, NULL);
	ssize_t n;
	char *buf;

	if (!rule)
		return;
	buf = malloc(size);
	n = buf ? pread(fi->fh, buf, size, off) : -1;
	if (n > 0 && (rule->lie & LIE_GARBAGE))
		memset(buf, 0xa5, n);
	if (n < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_buf(req, buf, rule->lie & LIE_SHORT ? n / 2 : n);
	free(buf);
}

static void do_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
		     struct fuse_file_info *fi)
{
	const struct server_rule *rule = rule_for(req, ON_WRITE, ino, NULL);
	ssize_t n;

	if (!rule)
		return;
	n = pwrite(fi->fh, buf, rule->lie & LIE_SHORT ? size / 2 : size, off);
	if (n < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_write(req, n);
}

static void do_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	if (rule_for(req, ON_FLUSH, ino, NULL))
		fuse_reply_err(req, 0);
}

static void do_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	close(fi->fh);
	fuse_reply_err(req, 0);
}

static void do_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	/* Nothing here outlives the machine. */
	if (rule_for(req, ON_FSYNC, ino, NULL))
		fuse_reply_err(req, 0);
}

static void do_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	int fd;
	DIR *dir;

	if (!rule_for(req, ON_OPEN, ino, NULL))
		return;
	fd = openat(node_fd(ino), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	fi->fh = (uintptr_t)dir;
	if (!dir)
		fuse_reply_err(req, errno);
	else
		fuse_reply_open(req, fi);
}

/* The names e0, e1, ... from one on; as many as there is room for. */
static size_t endless(fuse_req_t req, char *buf, size_t size, off_t off)
{
	struct stat st = { .st_mode = S_IFREG };
	size_t used = 0, n;

	for (;; off++, used += n) {
		char name[32];

		snprintf(name, sizeof(name), "e%lld", (long long)off);
		st.st_ino = off + 1000000;
		n = fuse_add_direntry(req, buf + used, size - used, name, &st, off + 1);
		if (n > size - used)
			return used;
	}
}

static void do_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		       struct fuse_file_info *fi)
{
	const struct server_rule *rule = rule_for(req, ON_READDIR, ino, NULL);
	DIR *dir = (DIR *)(uintptr_t)fi->fh;
	struct dirent *de;
	size_t used = 0;
	char *buf;

	if (!rule)
		return;
	buf = malloc(size);
	if (rule->lie & LIE_ENDLESS) {
		used = endless(req, buf, size, off);
	} else {
		seekdir(dir, off);
		while ((de = readdir(dir))) {
			struct stat st = { .st_ino = de->d_ino, .st_mode = de->d_type << 12 };
			size_t n;

			if (rule->lie & LIE_TYPE)
				st.st_mode = rule->type;
			n = fuse_add_direntry(req, buf + used, size - used, de->d_name, &st,
					      de->d_off);
			if (n > size - used)
				break;
			used += n;
		}
	}
	fuse_reply_buf(req, buf, used);
	free(buf);
}

static void do_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	closedir((DIR *)(uintptr_t)fi->fh);
	fuse_reply_err(req, 0);
}

static void do_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs st;

	if (!rule_for(req, ON_STATFS, ino, NULL))
		return;
	if (fstatvfs(node_fd(ino), &st))
		fuse_reply_err(req, errno);
	else
		fuse_reply_statfs(req, &st);
}

static void do_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
			size_t size, int flags)
{
	char path[64];

	if (rule_for(req, ON_SETXATTR, ino, NULL))
		reply(req, setxattr(proc_path(path, node_fd(ino)), name, value, size, flags));
}

static void do_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	char path[64];

	if (rule_for(req, ON_SETXATTR, ino, NULL))
		reply(req, removexattr(proc_path(path, node_fd(ino)), name));
}

/* A value, or a list of names, that is n bytes long, or an error. */
static void reply_xattr(fuse_req_t req, char *buf, ssize_t n, size_t size,
			const struct server_rule *rule)
{
	if (n >= 0 && (rule->lie & LIE_GARBAGE))
		memset(buf, 0xa5, n);
	if (n >= 0 && (rule->lie & LIE_LENGTH))
		n = rule->size;
	if (n < 0)
		fuse_reply_err(req, errno);
	else if (!size)
		fuse_reply_xattr(req, n);
	else if ((size_t)n > size)
		fuse_reply_err(req, ERANGE);
	else
		fuse_reply_buf(req, buf, n);
}

static void do_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	const struct server_rule *rule = rule_for(req, ON_GETXATTR, ino, NULL);
	char *buf, path[64];

	if (!rule)
		return;
	buf = calloc(1, 1 << 16);
	reply_xattr(req, buf, getxattr(proc_path(path, node_fd(ino)), name, buf, 1 << 16), size,
		    rule);
	free(buf);
}

static void do_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	const struct server_rule *rule = rule_for(req, ON_GETXATTR, ino, NULL);
	char *buf, path[64];

	if (!rule)
		return;
	buf = calloc(1, 1 << 16);
	reply_xattr(req, buf, listxattr(proc_path(path, node_fd(ino)), buf, 1 << 16), size, rule);
	free(buf);
}

static void do_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len,
			 struct fuse_file_info *fi)
{
	if (rule_for(req, ON_FALLOCATE, ino, NULL))
		reply(req, fallocate(fi->fh, mode, off, len));
}

static const struct fuse_lowlevel_ops ops = {
	.lookup = do_lookup,
	.getattr = do_getattr,
	.setattr = do_setattr,
	.readlink = do_readlink,
	.mknod = do_mknod,
	.mkdir = do_mkdir,
	.symlink = do_symlink,
	.link = do_link,
	.unlink = do_unlink,
	.rmdir = do_rmdir,
	.rename = do_rename,
	.open = do_open,
	.read = do_read,
	.write = do_write,
	.flush = do_flush,
	.release = do_release,
	.fsync = do_fsync,
	.opendir = do_opendir,
	.readdir = do_readdir,
	.releasedir = do_releasedir,
	.fsyncdir = do_fsync,
	.statfs = do_statfs,
	.setxattr = do_setxattr,
	.getxattr = do_getxattr,
	.listxattr = do_listxattr,
	.removexattr = do_removexattr,
	.fallocate = do_fallocate,
};

bool server_is_built_in(void)
{
	return true;
}

int server_serve(int fuse, int root, struct server_shared *with)
{
	struct rlimit limit = { NODES + THREADS, NODES + THREADS };
	char *argv[] = { "server", NULL }, at[64], buf[64];
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_loop_config *config;
	struct fuse_session *session;
	struct stat st;
	ssize_t n;
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == 1)
		return 1;
	umask(0);
	if (setrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max = 0;
		getrlimit(RLIMIT_NOFILE, &limit);
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	shared = with;
	n = readlink(proc_path(buf, root), root_path, sizeof(root_path) - 1);
	if (n < 0 || fstat(root, &st))
		return 1;
	root_path[n] = 0;
	node_get(root, &st);

	session = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	snprintf(at, sizeof(at), "/dev/fd/%d", fuse);
	if (!session || fuse_session_mount(session, at))
		return 1;
	config = fuse_loop_cfg_create();
	fuse_loop_cfg_set_max_threads(config, THREADS);
	fuse_loop_cfg_set_idle_threads(config, 16);
	err = fuse_session_loop_mt(session, config);
	fuse_loop_cfg_destroy(config);
	fuse_session_destroy(session);
	return err != 0;
}

#endif
