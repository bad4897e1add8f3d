// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Faults: the n-th allocation of an operation fails, or its n-th call into another
 * filesystem, or all calls from that on, or there is room, or a quota, for n blocks
 * or inodes more. After each, the tree is as it was or as the operation makes it, also
 * for whoever mounts it anew; and the operation, tried again, works.
 *
 * Allocations need a kernel with failslab, fail_page_alloc and /proc/PID/fail-nth,
 * that of the debug bed; calls a module that is built for it, see
 * tests/bed/README.md. VENEER_FAULTS=all makes every allocation fail, and has every
 * fault followed by everything that can follow it, on any filesystem. That takes
 * an hour: by default a few fail, on tmpfs alone.
 */
#include "testing.h"

#include <dirent.h>
#include <linux/magic.h>
#include <linux/quota.h>
#include <sys/quota.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include "faultop.h"

#define FAULTS 5000	/* more than any operation makes */
#define DEFAULT_FAULTS "2"

/*
 * What fails: an allocation, a call into another filesystem, or all from one on; or
 * the upper's filesystem has no more blocks, or inodes; or root may have no more.
 */
enum kind { ALLOCATION, CALL, CALLS_FROM, BLOCKS, INODES, BLOCK_QUOTA, INODE_QUOTA };

static const int kind_error[] = { ENOMEM, EIO, ENOSPC, ENOSPC, ENOSPC, EDQUOT, EDQUOT };
static const char *const kind_name[] = {
	"allocations", "calls", "calls", "blocks", "inodes", "blocks of quota",
	"inodes of quota",
};

/* Room on the filesystem of the upper that gets full, as long as it is not. */
#define ROOM "size=64m,nr_inodes=10000"
#define ROOM_STEPS 40	/* more than any operation needs */

/* What comes after a fault. */
enum next { RETRY, REMOUNT, DROP_CACHES, EXTEND, EXTEND_UNSYNCED, NEXTS };

/* What a file held: see fault_op.bytes. */
struct bytes {
	unsigned char *data;
	size_t size;
};

FIXTURE(faults) {
	struct world w;
	int control;		/* /proc/self/fail-nth, or the module's fault_nth */
	int hits;		/* the module's fault_hits, or -1 */
	struct tree before, after;	/* the plain directory */
	struct bytes old, new;
	long value;		/* what the operation returned there */
	bool worked;		/* did it, the last time? */
};

FIXTURE_VARIANT(faults) {
	const struct fault_op *op;
};

#define FAULT_OP_VARIANT(name) FIXTURE_VARIANT_ADD(faults, name) { .op = &fault_##name };
FAULT_OPS(FAULT_OP_VARIANT)

#define MODULE "/sys/module/veneer/parameters/"

/* Sets one of the numbers that say which allocations may fail. */
static int allow(const char *what, const char *value)
{
	int fd = open(join("/sys/kernel/debug", what), O_WRONLY | O_CLOEXEC);
	int ret = fd < 0 || write(fd, value, strlen(value)) < 0 ? -1 : 0;

	if (fd >= 0)
		close(fd);
	return ret;
}

/* All that may sleep, too, and without a line in the log. */
static int allow_all(void)
{
	return allow("failslab/ignore-gfp-wait", "N") ||
	       allow("failslab/verbose", "0") ||
	       allow("fail_page_alloc/ignore-gfp-wait", "N") ||
	       allow("fail_page_alloc/ignore-gfp-highmem", "N") ||
	       allow("fail_page_alloc/min-order", "0") ||
	       allow("fail_page_alloc/verbose", "0");
}

static int get_bytes(const char *path, struct bytes *b)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret = -1;

	*b = (struct bytes) { };
	if (fd < 0)
		return -1;
	if (!fstat(fd, &st)) {
		b->size = st.st_size;
		b->data = malloc(b->size + 1);
		if (b->data && read(fd, b->data, b->size) == st.st_size)
			ret = 0;
	}
	close(fd);
	return ret;
}

/* Every byte is an old or a new one. */
static bool either(const struct bytes *b, const struct bytes *old,
		   const struct bytes *new, bool cut)
{
	size_t least = old->size < new->size ? old->size : new->size;
	size_t most = old->size + new->size - least;

	if (cut ? b->size < least || b->size > most : b->size != old->size) {
		printf("# %zu bytes, were %zu, would be %zu\n", b->size, old->size,
		       new->size);
		return false;
	}
	for (size_t i = 0; i < b->size; i++) {
		if ((i < old->size && b->data[i] == old->data[i]) ||
		    (i < new->size && b->data[i] == new->data[i]))
			continue;
		printf("# byte %zu is %02x\n", i, b->data[i]);
		return false;
	}
	return true;
}

FIXTURE_SETUP(faults)
{
	struct world *w = &self->w;
	const struct fault_op *op = variant->op;
	struct fault_run run = { .w = w, .fd = -1 };
	unsigned int flags;

	self->hits = open(MODULE "fault_hits", O_RDWR | O_CLOEXEC);
	self->control = open(self->hits < 0 ? "/proc/self/fail-nth" : MODULE "fault_nth",
			     O_RDWR | O_CLOEXEC);
	if (self->control < 0 || (self->hits < 0 && allow_all()))
		SKIP(return, "this kernel makes no allocation fail");
	if (world_is_overlay())
		SKIP(return, "overlayfs has no layers with split files");
	OK(fault_world(w));
	flags = TREE_NLINK | w->tree_flags;
	OK(fault_stage(w->plain));
	OK(tree_scan(&self->before, w->plain, flags));
	if (op->bytes)
		OK(get_bytes(join(w->plain, op->bytes), &self->old));
	run.at = w->pfd;
	run.in = w->plain;
	if (!op->alone) {
		if (op->begin)
			OK(op->begin(&run));
		self->value = op->run(&run);
		ASSERT_LE(0, self->value)
			TH_LOG("%s", err_name(-self->value));
		fault_end(&run);
	}
	OK(tree_scan(&self->after, w->plain, flags));
	if (op->bytes)
		OK(get_bytes(join(w->plain, op->bytes), &self->new));
}

FIXTURE_TEARDOWN(faults)
{
	struct world *w = &self->w;

	if (!*w->root)
		return;
	/* The plain directory is compared all the time. */
	w->no_compare = true;
	FINISH(w);
	tree_free(&self->before);
	tree_free(&self->after);
}

/* Alike, but for what is said of one path. */
static bool same_tree(const struct tree *a, const struct tree *b, const char *but)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (strcmp(a->entry[i].path, b->entry[i].path))
			return false;
		if (but && !strcmp(a->entry[i].path, but))
			continue;
		if (strcmp(a->entry[i].desc, b->entry[i].desc))
			return false;
	}
	return true;
}

#define BEFORE	1
#define AFTER	2
#define BETWEEN	4	/* some bytes of a file are new ones */

/* In which of these states is the mount?  0, with the differences printed. */
static int state(FIXTURE_DATA(faults) *self, const struct fault_op *op)
{
	struct world *w = &self->w;
	struct bytes bytes;
	struct tree now;
	int ret = 0;

	if (tree_scan(&now, w->mnt, TREE_CHECK | TREE_NLINK | w->tree_flags))
		return 0;
	if (!now.problems && same_tree(&now, &self->before, NULL))
		ret |= BEFORE;
	if (!now.problems && same_tree(&now, &self->after, NULL))
		ret |= AFTER;
	if (!ret && op->bytes && same_tree(&now, &self->before, op->bytes) &&
	    !get_bytes(join(w->mnt, op->bytes), &bytes)) {
		if (either(&bytes, &self->old, &self->new, op->cut))
			ret = BETWEEN;
		free(bytes.data);
	}
	if (!ret) {
		tree_diff(&self->before, "before", &now, "now");
		tree_diff(&self->after, "after", &now, "now");
	}
	/* Not listed is not enough. */
	if (!faccessat(AT_FDCWD, join(w->mnt, FAULT_REMOVED), F_OK, AT_SYMLINK_NOFOLLOW)) {
		printf("# %s is there again\n", FAULT_REMOVED);
		ret = 0;
	}
	tree_free(&now);
	fflush(stdout);
	return ret;
}

/* The names in a directory of the upper or of work. */
static int count_names(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *de;
	int n = 0;

	while (dir && (de = readdir(dir)))
		n += de->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return n;
}

/* How many files of a tree have a record of where their data is. */
static int count_records(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *de;
	int n = 0;

	while (dir && (de = readdir(dir))) {
		char child[PATH_MAX];

		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		snprintf(child, sizeof(child), "%s/%s", path, de->d_name);
		if (de->d_type == DT_DIR)
			n += count_records(child);
		else if (de->d_type == DT_REG)
			n += getxattr(child, "trusted.veneer.split", NULL, 0) > 0;
	}
	if (dir)
		closedir(dir);
	return n;
}

/* An upper as it is before the operation, mounted. */
static void begin_again(struct __test_metadata *_metadata, FIXTURE_DATA(faults) *self,
			bool warm)
{
	struct world *w = &self->w;
	struct tree tree;

	OK(world_umount(w));
	OK(remove_tree(w->upper));
	OK(remove_tree(w->work));
	OK(mkdir(w->upper, 0755));
	OK(mkdir(w->work, 0755));
	OK(world_mount(w));
	OK(fault_stage(w->mnt));
	if (warm) {
		OK(tree_scan(&tree, w->mnt, 0));
		tree_free(&tree);
	} else {
		OK(world_remount(w));
	}
}

static void set_number(int fd, int n)
{
	char number[16];
	int len = snprintf(number, sizeof(number), "%d", n);

	if (pwrite(fd, number, len, 0) != len)
		abort();
}

static int get_number(int fd)
{
	char number[16] = "";

	if (pread(fd, number, sizeof(number) - 1, 0) <= 0)
		abort();
	return atoi(number);
}

/* The upper has a disk of its own, a tmpfs, with room for so much more. */
static void limit(struct world *w, enum kind kind, unsigned long long more)
{
	const char *disk = join(w->root, "disk");
	char options[64] = ROOM;
	struct statfs st;

	if (statfs(disk, &st))
		abort();
	if (kind == BLOCKS)
		snprintf(options, sizeof(options), "size=%llu",
			 ((st.f_blocks - st.f_bfree + more) ?: 1) * st.f_bsize);
	if (kind == INODES)
		snprintf(options, sizeof(options), "nr_inodes=%llu",
			 st.f_files - st.f_ffree + more);
	if (mount(NULL, disk, NULL, MS_REMOUNT, options))
		abort();
}

/* The same of what root may use there, or, of no kind, all that it wants. */
static void limit_root(struct world *w, enum kind kind, unsigned long long more)
{
	int disk = open(join(w->root, "disk"), O_RDONLY | O_CLOEXEC);
	struct dqblk q;
	struct statfs st;

	if (fstatfs(disk, &st) ||
	    syscall(SYS_quotactl_fd, disk, QCMD(Q_GETQUOTA, USRQUOTA), 0, &q))
		abort();
	q.dqb_valid = QIF_LIMITS;
	q.dqb_bhardlimit = 0;
	q.dqb_ihardlimit = 0;
	if (kind == BLOCK_QUOTA)
		q.dqb_bhardlimit = ((q.dqb_curspace + more * st.f_bsize) / 1024) ?: 1;
	if (kind == INODE_QUOTA)
		q.dqb_ihardlimit = q.dqb_curinodes + more;
	if (syscall(SYS_quotactl_fd, disk, QCMD(Q_SETQUOTA, USRQUOTA), 0, &q))
		abort();
	close(disk);
}

static void arm(FIXTURE_DATA(faults) *self, enum kind kind, int n)
{
	if (kind >= BLOCK_QUOTA)
		return limit_root(&self->w, kind, n);
	if (kind >= BLOCKS)
		return limit(&self->w, kind, n);
	if (self->hits >= 0)
		set_number(self->hits, 0);
	set_number(self->control, n);
}

/* How many are left until one fails?  0: it has. */
static int disarm(FIXTURE_DATA(faults) *self, enum kind kind)
{
	int left;

	if (kind >= BLOCK_QUOTA)
		return limit_root(&self->w, ALLOCATION, 0), 0;
	if (kind >= BLOCKS)
		return limit(&self->w, ALLOCATION, 0), 0;
	left = get_number(self->control);
	set_number(self->control, 0);
	return self->hits >= 0 && get_number(self->hits) ? 0 : left;
}

static void start(struct fault_run *run, struct world *w)
{
	run->at = w->mfd;
	run->in = w->mnt;
}

/*
 * The file that the operation would have cut is written to far past its end: that
 * stays, however far the cut has come.
 */
static void extend(struct __test_metadata *_metadata, FIXTURE_DATA(faults) *self,
		   const char *path, int n, bool sync)
{
	struct world *w = &self->w;
	int fd = OK(openat(w->mfd, path, O_WRONLY | O_CLOEXEC));
	struct stat st;
	char c = 0;

	OK(pwrite(fd, "x", 1, 100000));
	/* What the cut could not make durable is told once, to who syncs next. */
	if (sync && fsync(fd)) {
		CHECK(errno == EIO || errno == ENOSPC, "fault %d: %s", n, err_name(errno));
		OK(fsync(fd));
	}
	close(fd);
	OK(world_remount(w));
	fd = OK(openat(w->mfd, path, O_RDONLY | O_CLOEXEC));
	OK(fstat(fd, &st));
	CHECK(st.st_size == 100001 && pread(fd, &c, 1, 100000) == 1 && c == 'x',
	      "fault %d: what was written later is lost, size %ld", n, (long)st.st_size);
	close(fd);
}

/* The errors that may come of it. */
static bool expected(const struct fault_op *op, enum kind kind, long err)
{
	/* The kernel makes one error of most that a handle can give. */
	if (kind != ALLOCATION && err == ESTALE &&
	    (op == &fault_handle || op == &fault_handle_moved ||
	     op == &fault_handle_renamed))
		return true;
	if (err == kind_error[kind] || err == ENOMEM)
		return true;
	/* What proc says when it cannot have an inode for a file of a process. */
	if (kind == ALLOCATION && err == ENOENT && op == &fault_maps)
		return true;
	/* What tmpfs says when it cannot have an inode; an upper turned read-only. */
	return err == (kind == ALLOCATION ? ENOSPC : EROFS);
}

/* Makes the n-th one fail. Returns how many were missing to get there. */
static int fault(struct __test_metadata *_metadata, FIXTURE_DATA(faults) *self,
		 const struct fault_op *op, enum kind kind, bool warm, int n,
		 enum next next)
{
	struct world *w = &self->w;
	struct fault_run run = { .w = w, .fd = -1 };
	bool done;
	long value;
	int was, is, left;

	begin_again(_metadata, self, warm);
	start(&run, w);
	if (op->begin)
		OK(op->begin(&run));
	arm(self, kind, n);
	value = op->run(&run);
	left = disarm(self, kind);
	self->worked = value == self->value;
	if (left)
		CHECK(value == self->value, "without a fault: %ld, %s", value,
		      err_name(value < 0 ? -value : 0));
	if (value < 0)
		CHECK(expected(op, kind, -value), "fault %d: the error is %s", n,
		      err_name(-value));
	else if (value != self->value)
		CHECK(op->bytes && value < self->value, "fault %d: %ld instead of %ld",
		      n, value, self->value);

	if (op->alone && !w->mounted)
		OK(world_mount(w));
	if (next == DROP_CACHES)
		OK(drop_caches());
	was = state(self, op);
	CHECK(was, "fault %d, %s: neither as before nor as after it", n,
	      err_name(value < 0 ? -value : 0));
	if (value == self->value)
		CHECK(was & AFTER, "fault %d: it did not do what it says", n);
	if (value < 0 && op->intact)
		CHECK(was & BEFORE, "fault %d, %s: bytes have gone", n, err_name(-value));
	if (next == REMOUNT) {
		/* The cache keeps what the disk refused, as on any filesystem. */
		const bool forgets = run.map && value == -EIO;

		fault_end(&run);
		OK(world_remount(w));
		start(&run, w);
		is = state(self, op);
		CHECK(forgets ? is : is & was,
		      "fault %d: another tree after a remount (%d, was %d)", n, is, was);
	}

	if (next >= EXTEND) {
		fault_end(&run);
		extend(_metadata, self, op->bytes, n, next == EXTEND);
		OK(world_umount(w));
		return left;
	}

	done = value >= 0 || (was & ~BEFORE) == AFTER;
	if (!done) {
		if (next == REMOUNT && op->begin)
			OK(op->begin(&run));
		value = op->run(&run);
		CHECK(value == self->value, "after fault %d: %ld, %s", n, value,
		      err_name(value < 0 ? -value : 0));
	}
	fault_end(&run);
	if (op->alone && !w->mounted)
		OK(world_mount(w));
	OK(world_remount(w));
	if (value == self->value)
		CHECK(state(self, op) & AFTER, "after fault %d and a remount", n);
	CHECK(!count_names(join(w->work, "work")), "after fault %d something is in work/", n);
	OK(world_umount(w));
	CHECK(count_names(U(".veneer/map")) <= count_records(w->upper),
	      "after fault %d: a block map without a file", n);
	return left;
}

/*
 * With VENEER_FAULTS=all, every allocation fails, and once for everything that
 * can come after; else as many as that says fail, spread over the operation.
 */
static void all_faults(struct __test_metadata *_metadata, FIXTURE_DATA(faults) *self,
		       const struct fault_op *op, enum kind kind, bool warm)
{
	const char *how = getenv("VENEER_FAULTS") ?: DEFAULT_FAULTS;
	const bool all = !strcmp(how, "all");
	const int nr = FAULTS - fault(_metadata, self, op, kind, warm, FAULTS, RETRY);
	const int nexts = op->cut ? NEXTS : EXTEND;
	const int step = all ? 1 : nr / atoi(how) ?: 1;

	CHECK(nr < FAULTS, "there is no end of them");
	for (int n = 1 + step / 2; n <= nr; n += step)
		for (int next = 0; next < nexts; next++)
			if (all || n % nexts == next)
				fault(_metadata, self, op, kind, warm, n, next);
	for (int next = 0; op->tail && !all && next < nexts; next++)
		fault(_metadata, self, op, kind, warm, nr, next);
	TH_LOG("%d %s, %s", nr, kind_name[kind], warm ? "warm" : "cold");
}

TEST_F(faults, allocations)
{
	if (!self->before.count)
		return;
	if (self->hits >= 0)
		SKIP(return, "the module is the one that fails");
	all_faults(_metadata, self, variant->op, ALLOCATION, false);
	all_faults(_metadata, self, variant->op, ALLOCATION, true);
}

/* By default with none or little room only, and one thing after each. */
static void full_disk(struct __test_metadata *_metadata, FIXTURE_DATA(faults) *self,
		      const struct fault_op *op, enum kind kind)
{
	const bool all = !strcmp(getenv("VENEER_FAULTS") ?: "", "all");
	const int nexts = op->cut ? NEXTS : EXTEND;
	const int step = all || op->cut ? 1 : 2;
	const int most = all ? ROOM_STEPS : 4;
	int room = -step;

	do {
		room += step;
		for (int next = 0; next < nexts; next++)
			if (all || room / step % nexts == next)
				fault(_metadata, self, op, kind, true, room, next);
	} while (!self->worked && room + step < most);
	if (all)
		CHECK(self->worked, "it does not work with any room");
	TH_LOG("%s with %d %s", self->worked ? "works" : "fails", room, kind_name[kind]);
}

static void upper_on_tmpfs(struct __test_metadata *_metadata, FIXTURE_DATA(faults) *self,
			   const char *options)
{
	struct world *w = &self->w;

	OK(world_umount(w));
	OK(remove_tree(w->upper));
	OK(remove_tree(w->work));
	OK(world_upper_on(w, "tmpfs", options));
}

TEST_F(faults, full)
{
	if (!self->before.count)
		return;
	if (self->hits >= 0)
		SKIP(return, "the module is the one that fails");
	upper_on_tmpfs(_metadata, self, ROOM);
	full_disk(_metadata, self, variant->op, BLOCKS);
	full_disk(_metadata, self, variant->op, INODES);
}

/* Root is held to its quota, too: the mount has no CAP_SYS_RESOURCE. */
TEST_F(faults, quota)
{
	if (!self->before.count)
		return;
	if (self->hits >= 0)
		SKIP(return, "the module is the one that fails");
	upper_on_tmpfs(_metadata, self, ROOM ",usrquota");
	full_disk(_metadata, self, variant->op, BLOCK_QUOTA);
	full_disk(_metadata, self, variant->op, INODE_QUOTA);
}

static void tell_module(enum kind kind)
{
	int fd = open(MODULE "fault_error", O_WRONLY | O_CLOEXEC);

	set_number(fd, -kind_error[kind]);
	close(fd);
	fd = open(MODULE "fault_for_ever", O_WRONLY | O_CLOEXEC);
	set_number(fd, kind == CALLS_FROM);
	close(fd);
}

TEST_F(faults, calls)
{
	if (!self->before.count)
		return;
	if (self->hits < 0)
		SKIP(return, "the module is not one that fails");
	tell_module(CALL);
	all_faults(_metadata, self, variant->op, CALL, false);
	/* It is two renames, and nothing can take the first back then. */
	if (variant->op == &fault_whiteout)
		return;
	tell_module(CALLS_FROM);
	all_faults(_metadata, self, variant->op, CALLS_FROM, true);
}

int main(int argc, char **argv)
{
	/* What this module cannot show needs no worlds to be made for it. */
	char *args[] = {
		argv[0], access(MODULE "fault_hits", F_OK) ? "-T" : "-t", "calls", NULL
	};
	struct statfs st;

	mkdir(world_dir(), 0755);
	if (!getenv("VENEER_FAULTS") &&
	    (statfs(world_dir(), &st) || st.f_type != TMPFS_MAGIC)) {
		ksft_print_header();
		ksft_exit_skip("only on tmpfs, unless VENEER_FAULTS says how many\n");
	}
	return argc > 1 ? test_harness_run(argc, argv) : test_harness_run(3, args);
}
