// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The power goes. A mount's upper is on a disk whose writes and flushes are
 * recorded; files of a layer are written, cut, punched, renamed, made durable.
 * Then the disk is made again as it was at a moment: everything before the last
 * flush, and of what was written since, any part. It is mounted, which replays
 * its journal, Veneer over it, and every file is looked at (lib/history.h says
 * what may be in it).
 *
 *	-s SEED  -n POINTS  -t SECONDS	   which, how many, for how long at most
 *	-f				   a disk that lies: of what was flushed, a
 *					   write is lost now and then. To see the
 *					   test fail; the filesystem complains too
 *	-p				   the filesystem alone, without Veneer: what
 *					   it does itself is no finding
 *
 * or VENEER_POWERCUT_SEED (else VENEER_FUZZ_SEED), _POINTS, _SECONDS
 * and _PLAIN. The filesystem is the one that the test runs on, ext4 or xfs; all
 * else is in memory.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dm.h"
#include "history.h"
#include "kselftest.h"
#include "logwrites.h"
#include "random.h"
#include "world.h"

#define LAYER_FILES 7
#define STEPS 140	/* operations of a session */
#define LOG_SIZE (4ULL << 30)

struct cut {
	struct rng r;
	unsigned long long seed;
	const char *fs;
	unsigned long long size;	/* of the disk */
	char root[200], device[64], base_path[256];
	int base, scratch, log;		/* files */
	char disk_loop[64], log_loop[64], scratch_loop[64];
	bool layer_on_disk, lies, plain;
	struct history h;
};

static struct cut cut;
static const char *const dm_name = "veneer-powercut";

static int cannot(const char *what, const char *path)
{
	printf("# powercut: cannot %s %s: %s\n", what, path, strerror(errno));
	return -1;
}

static const char *in(const char *rel)
{
	return join(cut.root, rel);
}

static const char *name_path(const char *dir, int name)
{
	char text[8];

	snprintf(text, sizeof(text), "n%d", name);
	return join(dir, text);
}

static int command(const char *const argv[])
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, 1);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

static int set_sysctl(const char *name, const char *value, char *old, size_t room)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/vm/%s", name);
	if (old && read_text(path, old, room) < 0)
		return -1;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		return cannot("set", path);
	return close(fd);
}

static int mount_disk(const char *device)
{
	const char *options = !strcmp(cut.fs, "xfs") ? "nouuid" : "";

	return mount(device, in("disk"), cut.fs, 0, options) ? cannot("mount", device) : 0;
}

static const char *layer(void)
{
	if (cut.plain)
		return in("disk/upper");
	return cut.layer_on_disk ? in("disk/layer") : in("layer");
}

static int mount_veneer(void)
{
	const char *option[][2] = {
		{ "source", "powercut" }, { "lowerdir+", layer() },
		{ "upperdir", in("disk/upper") }, { "workdir", in("disk/work") }, { },
	};
	static char log[2048];
	int fd;

	if (cut.plain)
		return mount(in("disk/upper"), in("mnt"), NULL, MS_BIND, NULL) ?
			cannot("mount", in("disk/upper")) : 0;
	fd = fs_mount(world_fstype(), option, 0, in("mnt"), log, sizeof(log));
	if (fd < 0) {
		errno = -fd;
		cannot("mount", "the upper");
		printf("# the kernel said: %s\n", log);
		return -1;
	}
	return close(fd);
}

static int make_file(const char *path, unsigned long long size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, size))
		return cannot("make", path);
	return fd;
}

/* Makes holes of the zeros that mkfs wrote: there are many in a log. */
static int dig(int fd, unsigned long long size)
{
	static char buf[1 << 16], zero[1 << 16];

	for (unsigned long long at = 0; at < size; at += sizeof(buf)) {
		if (pread(fd, buf, sizeof(buf), at) != sizeof(buf))
			return -1;
		if (!memcmp(buf, zero, sizeof(buf)) &&
		    fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, sizeof(buf)))
			return -1;
	}
	return 0;
}

/* A file that holds what another does, holes and all. */
static int copy_file(int from, int to, unsigned long long size)
{
	static char buf[1 << 20];
	off_t at = 0, end;

	if (ftruncate(to, 0) || ftruncate(to, size))
		return -1;
	while ((at = lseek(from, at, SEEK_DATA)) >= 0) {
		end = lseek(from, at, SEEK_HOLE);
		while (at < end) {
			size_t want = end - at < (off_t)sizeof(buf) ? end - at : (off_t)sizeof(buf);
			ssize_t n = pread(from, buf, want, at);

			if (n <= 0 || pwrite(to, buf, n, at) != n)
				return -1;
			at += n;
		}
	}
	return errno == ENXIO ? 0 : -1;
}

static int make_layer(void)
{
	static unsigned char buf[HISTORY_SIZE];

	if (!cut.plain && mkdir(layer(), 0755))
		return cannot("make", layer());
	for (int name = 0; name < LAYER_FILES; name++) {
		/* Some small enough to be copied whole. */
		long long size = name < 2 ? rng_under(&cut.r, 12000) :
			20000 + rng_under(&cut.r, name < 5 ? 60000 : 150000);
		unsigned int salt = 1 + rng_under(&cut.r, 60000);

		history_file(&cut.h, name, size, salt);
		fill_pattern(buf, size, 0, salt);
		if (write_file(name_path(layer(), name), buf, size))
			return -1;
	}
	for (int name = LAYER_FILES; name < HISTORY_NAMES; name++)
		cut.h.now[name] = -1;
	return 0;
}

/* What has been noted so far is about to happen, or has. */
static int mark(void)
{
	unsigned int n = cut.h.count;

	if (n && cut.h.event[n - 1].kind >= EVENT_DURABLE && record_settle(dm_name))
		return cannot("settle", dm_name);
	return record_mark(dm_name, n) ? cannot("write a mark into", "the log") : 0;
}

static long long random_off(long long size)
{
	long long off = size ? rng_under(&cut.r, size) : 0;

	return rng_under(&cut.r, 3) ? off : off - off % 4096;
}

static long long random_len(void)
{
	switch (rng_under(&cut.r, 4)) {
	case 0:
		return 4096 * (1 + rng_under(&cut.r, 3));
	case 1:
		return 1 + rng_under(&cut.r, 20000);
	}
	return 1 + rng_under(&cut.r, 3000);
}

static int splice_all(int fd, off_t off, const unsigned char *buf, size_t len)
{
	int pipes[2], ret = 0;

	if (pipe2(pipes, O_CLOEXEC))
		return -1;
	while (len && !ret) {
		ssize_t n = write(pipes[1], buf, len < 16384 ? len : 16384);

		ret = n > 0 ? 0 : -1;
		buf += n;
		len -= n;
		while (n > 0 && !ret) {
			ssize_t done = splice(pipes[0], NULL, fd, &off, n, 0);

			ret = done > 0 ? 0 : -1;
			n -= done;
		}
	}
	close(pipes[0]);
	close(pipes[1]);
	return ret;
}

/* From another file of the mount, which nobody looks at. */
static int copy_all(int fd, off_t off, const unsigned char *buf, size_t len)
{
	const char *path = in("mnt/source");
	int source = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	off_t at = 0;
	int ret;

	if (source < 0)
		return -1;
	ret = write(source, buf, len) == (ssize_t)len ? 0 : -1;
	while (len && !ret) {
		ssize_t done = copy_file_range(source, &at, fd, &off, len, 0);

		ret = done > 0 ? 0 : -1;
		len -= done;
	}
	close(source);
	return ret;
}

/* Each of these has to keep what O_DSYNC promises. */
static int put(int fd, long long off, long long len, unsigned int salt)
{
	static unsigned char buf[HISTORY_SIZE];
	int ret;

	fill_pattern(buf, len, off, salt);
	switch (rng_under(&cut.r, 6)) {
	case 0:
		ret = splice_all(fd, off, buf, len);
		break;
	case 1:
		ret = copy_all(fd, off, buf, len);
		break;
	default:
		ret = pwrite(fd, buf, len, off) == len ? 0 : -1;
	}
	return ret ? cannot("write", "a file") : 0;
}

static int write_step(int fd, int id, bool sync)
{
	long long size = cut.h.file[id].size, len = random_len();
	long long off = rng_under(&cut.r, 6) ? random_off(size) : size;
	unsigned int salt = 1 + rng_under(&cut.r, 60000);

	if (off + len > HISTORY_SIZE - 4096)
		return 0;
	history_write(&cut.h, id, off, len, salt);
	if (mark() || put(fd, off, len, salt))
		return -1;
	if (sync)
		history_durable_range(&cut.h, id, off, len);
	return 0;
}

static int map_step(int fd, int id, bool sync)
{
	long long size = cut.h.file[id].size, off = random_off(size), len = random_len();
	unsigned int salt = 1 + rng_under(&cut.r, 60000);
	unsigned char *map;

	if (off + len > size)
		len = size - off;
	if (len <= 0)
		return 0;
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return cannot("map", "a file");
	history_write(&cut.h, id, off, len, salt);
	if (mark())
		return -1;
	fill_pattern(map + off, len, off, salt);
	if (sync) {
		if (msync(map, size, MS_SYNC))
			return cannot("msync", "a file");
		history_durable_range(&cut.h, id, off, len);
	}
	munmap(map, size);
	return 0;
}

static int size_step(int fd, int id, bool up)
{
	long long size = cut.h.file[id].size;

	size = up ? size + 1 + rng_under(&cut.r, 30000) : random_off(size);
	if (size > HISTORY_SIZE - 4096)
		return 0;
	history_size(&cut.h, id, size);
	return mark() || ftruncate(fd, size) ? cannot("truncate", "a file") : 0;
}

static int zero_step(int fd, int id, int mode)
{
	long long off = random_off(cut.h.file[id].size), len = random_len() * 3;

	history_zero(&cut.h, id, off, len);
	if (mark())
		return -1;
	if (fallocate(fd, mode | FALLOC_FL_KEEP_SIZE, off, len) && errno != EOPNOTSUPP)
		return cannot("punch", "a file");
	return 0;
}

static int sync_step(int fd, int id, bool data_only)
{
	if (data_only ? fdatasync(fd) : fsync(fd))
		return cannot("sync", "a file");
	history_durable(&cut.h, id);
	return 0;
}

static int mode_step(int fd)
{
	return fchmod(fd, 0600 + rng_under(&cut.r, 0100)) ?
		cannot("change the mode of", "a file") : 0;
}

static int rename_step(int from, int to)
{
	int id = cut.h.now[from];

	if (from == to || cut.h.now[to] == id)
		return 0;
	/* At once: with either event alone, a name is a file too many. */
	history_name(&cut.h, to, id);
	history_name(&cut.h, from, -1);
	if (mark())
		return -1;
	return rename(name_path(in("mnt"), from), name_path(in("mnt"), to)) ?
		cannot("rename", "a file") : 0;
}

static int link_step(int from, int to)
{
	if (cut.h.now[to] >= 0)
		return 0;
	history_name(&cut.h, to, cut.h.now[from]);
	if (mark())
		return -1;
	return link(name_path(in("mnt"), from), name_path(in("mnt"), to)) ?
		cannot("link", "a file") : 0;
}

static int create_step(int name)
{
	int fd, id, ret;

	if (cut.h.now[name] >= 0)
		return 0;
	id = history_create(&cut.h, name);
	if (mark())
		return -1;
	fd = open(name_path(in("mnt"), name), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return cannot("create", "a file");
	ret = write_step(fd, id, false);
	close(fd);
	return ret;
}

/*
 * xfs's sync leaves a block that was overwritten in the disk's cache when its log
 * is clean, which a plain file on it meets as well.
 */
static int sync_all(void)
{
	int fd, ret;

	sync();
	if (strcmp(cut.fs, "xfs"))
		return 0;
	fd = open(cut.device, O_RDONLY | O_CLOEXEC);
	ret = fsync(fd) ? cannot("flush", cut.device) : 0;
	close(fd);
	return ret;
}

static int step(void)
{
	unsigned int kind = rng_under(&cut.r, 100);
	int name = rng_under(&cut.r, HISTORY_NAMES), other = rng_under(&cut.r, HISTORY_NAMES);
	int id = cut.h.now[name], fd, ret = 0;
	bool dsync = kind >= 30 && kind < 40;

	if (kind >= 97) {
		if (sync_all())
			return -1;
		history_durable_all(&cut.h);
		return mark();
	}
	if (id < 0)
		return rng_under(&cut.r, 3) ? 0 : create_step(name);
	fd = open(name_path(in("mnt"), name), O_RDWR | O_CLOEXEC | (dsync ? O_DSYNC : 0));
	if (fd < 0)
		return cannot("open", name_path(in("mnt"), name));
	if (kind < 40)
		ret = write_step(fd, id, dsync);
	else if (kind < 50)
		ret = map_step(fd, id, rng_under(&cut.r, 2));
	else if (kind < 58)
		ret = size_step(fd, id, false);
	else if (kind < 61)
		ret = size_step(fd, id, true);
	else if (kind < 66)
		ret = zero_step(fd, id, FALLOC_FL_PUNCH_HOLE);
	else if (kind < 68)
		ret = zero_step(fd, id, FALLOC_FL_ZERO_RANGE);
	else if (kind < 82)
		ret = sync_step(fd, id, kind & 1);
	else if (kind < 85)
		ret = rename_step(name, other);
	else if (kind < 87)
		ret = link_step(name, other);
	else if (kind < 88)
		ret = mode_step(fd);
	else
		usleep(rng_under(&cut.r, 60000));
	close(fd);
	return ret ?: mark();
}

/*
 * How a session begins: a file of the layer is in the upper, durably, all but its
 * data. The first change to that is to be durable, too.
 */
static int first_step(int id)
{
	int fd = open(name_path(in("mnt"), id), O_RDWR | O_DSYNC | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return cannot("open", name_path(in("mnt"), id));
	ret = mode_step(fd) ?: sync_step(fd, id, false) ?:
		rng_under(&cut.r, 3) ? write_step(fd, id, true) : map_step(fd, id, true);
	close(fd);
	return ret ?: mark();
}

/* All of a session up to the cuts: what is left is the log, and the history. */
static int record(void)
{
	static const char *const mkfs[2][10] = {
		{ "mkfs.ext4", "-q", "-F", "-J", "size=4", "-E", "lazy_itable_init=1,nodiscard", cut.base_path },
		{ "mkfs.xfs", "-q", "-f", "-K", cut.base_path },
	};
	bool xfs = !strcmp(cut.fs, "xfs");
	int disk, ret = -1;
	char expire[32], interval[32];

	cut.size = (xfs ? 320ULL : 64ULL) << 20;
	cut.base = make_file(cut.base_path, cut.size);
	disk = make_file(in("disk.img"), cut.size);
	cut.log = make_file(in("log.img"), LOG_SIZE);
	cut.scratch = make_file(in("scratch.img"), cut.size);
	if (cut.base < 0 || disk < 0 || cut.log < 0 || cut.scratch < 0)
		return -1;
	if (command(mkfs[xfs])) {
		errno = ENOEXEC;
		return cannot("run", mkfs[xfs][0]);
	}
	/* What is there before the recording begins. */
	if (loop_attach(cut.base, cut.scratch_loop) < 0 || mount_disk(cut.scratch_loop) ||
	    mkdir(in("disk/upper"), 0755) || mkdir(in("disk/work"), 0755) || make_layer() ||
	    umount2(in("disk"), 0))
		return cannot("prepare", "the disk");
	loop_detach(cut.scratch_loop);
	if (dig(cut.base, cut.size) || copy_file(cut.base, disk, cut.size) ||
	    loop_attach(disk, cut.disk_loop) < 0 || loop_attach(cut.log, cut.log_loop) < 0 ||
	    loop_attach(cut.scratch, cut.scratch_loop) < 0)
		return cannot("prepare", "the disk");
	if (record_start(dm_name, cut.disk_loop, cut.log_loop, cut.size, cut.device)) {
		if (errno == ENOENT || errno == ENXIO || errno == ENODEV)
			ksft_exit_skip("the kernel does not record writes (dm-log-writes)\n");
		return cannot("record", cut.disk_loop);
	}
	set_sysctl("dirty_expire_centisecs", "5", expire, sizeof(expire));
	set_sysctl("dirty_writeback_centisecs", "5", interval, sizeof(interval));
	if (!mount_disk(cut.device) && !mount_veneer()) {
		ret = mark() ?: first_step(rng_under(&cut.r, LAYER_FILES));
		for (int i = 0; i < STEPS && !ret; i++)
			ret = step();
		if (umount2(in("mnt"), 0))
			ret = cannot("unmount", in("mnt"));
	}
	if (umount2(in("disk"), 0))
		ret = cannot("unmount", cut.device);
	set_sysctl("dirty_expire_centisecs", expire, NULL, 0);
	set_sysctl("dirty_writeback_centisecs", interval, NULL, 0);
	if (record_stop(dm_name))
		ret = cannot("remove", dm_name);
	loop_detach(cut.disk_loop);
	loop_detach(cut.log_loop);
	close(disk);
	return ret;
}

/* The disk in scratch is mounted, and every name looked at. */
static int look(unsigned int n, long point)
{
	static char why[400];
	int bad = 0;

	if (mount_disk(cut.scratch_loop))
		return 1;
	if (mount_veneer()) {
		bad++;
	} else {
		for (int name = 0; name < HISTORY_NAMES; name++) {
			if (history_check(&cut.h, n, in("mnt"), name, why, sizeof(why)))
				continue;
			printf("# seed %llu, cut at entry %ld, after event %u: n%d: %s\n", cut.seed,
			       point, n, name, why);
			if (!bad++)
				history_print(&cut.h, n, name);
		}
		if (umount2(in("mnt"), 0))
			bad += !!cannot("unmount", in("mnt"));
	}
	if (umount2(in("disk"), 0))
		bad += !!cannot("unmount", in("disk"));
	return bad;
}

/* What is around an entry, for whoever asks why something is not on the disk. */
static void print_log(const struct log_entry *entry, long count, long point)
{
	for (long i = point < 40 ? 0 : point - 40; i < count && i < point + 40; i++) {
		const struct log_entry *e = &entry[i];

		printf("# %c%6ld%s%s", i == point ? '>' : ' ', i, e->flags & LOG_FLUSH ? " flush" : "",
		       e->flags & LOG_FUA ? " fua" : "");
		if (e->flags & LOG_MARK)
			printf(" mark %u\n", e->mark);
		else
			printf(" %llu+%llu\n", e->to, e->len);
	}
}

/* Cuts at every flush, and as often between them; at most so many in all. */
static int replay(unsigned long long limit, time_t end, unsigned long long *points)
{
	struct log_entry *entry;
	long count = log_read(cut.log, &entry), based = 0, flush = -1, flushes = 0;
	unsigned int n = 0;
	int bad = 0;

	if (count < 0)
		return cannot("read", "the log");
	for (long i = 0; i < count; i++)
		flushes += entry[i].flags & LOG_FLUSH ? 1 : 0;
	for (long i = 0; i < count && *points < limit && time(NULL) < end && !bad; i++) {
		const struct log_entry *e = &entry[i];

		if (e->flags & LOG_MARK) {
			if (e->mark > n)
				n = e->mark;
			continue;
		}
		if (e->flags & LOG_FLUSH)
			flush = i;
		if (!(e->flags & (LOG_FLUSH | LOG_FUA)) && rng_under(&cut.r, 3))
			continue;
		/* What is before the flush is on the disk. */
		for (; based < flush; based++) {
			if (cut.lies && !(entry[based].flags & (LOG_FLUSH | LOG_FUA)) &&
			    rng_under(&cut.r, 12) == 0)
				continue;
			if (log_apply(cut.log, &entry[based], cut.base))
				return cannot("write", "the disk");
		}
		for (int way = 0; way < 2; way++) {
			/* All that was written since; or some of it. */
			if (way && i - based < 2)
				break;
			if (copy_file(cut.base, cut.scratch, cut.size))
				return cannot("copy", "the disk");
			for (long k = based; k <= i; k++)
				if ((!way || entry[k].flags & LOG_FUA || rng_under(&cut.r, 2)) &&
				    log_apply(cut.log, &entry[k], cut.scratch))
					return cannot("write", "the disk");
			if (look(n, i) && !bad++)
				print_log(entry, count, i);
			++*points;
		}
	}
	free(entry);
	printf("# session %llu%s: %u events, %ld writes, %ld flushes; %llu cuts so far\n", cut.seed,
	       cut.layer_on_disk ? ", layer on the same disk" : "", cut.h.count, count, flushes,
	       *points);
	return bad;
}

static int session(const char *root, const char *fs, unsigned long long seed, bool lies,
		   bool plain, unsigned long long limit, time_t end, unsigned long long *points)
{
	static const char *const dirs[] = { "disk", "mnt" };
	int bad;

	memset(&cut, 0, sizeof(cut));
	cut.r = rng_seed(seed);
	cut.seed = seed;
	cut.fs = fs;
	cut.lies = lies;
	cut.plain = plain;
	/* Seen of xfs alone, with -p; ext4 orders the two. */
	cut.h.tail_block = strcmp(fs, "xfs") ? 0 : 4096;
	cut.layer_on_disk = seed & 1;
	snprintf(cut.root, sizeof(cut.root), "%s", root);
	snprintf(cut.base_path, sizeof(cut.base_path), "%s/base.img", root);
	for (int i = 0; i < 2; i++)
		if (mkdir(in(dirs[i]), 0755) && errno != EEXIST)
			return cannot("make", dirs[i]);
	bad = record();
	if (!bad)
		bad = replay(limit, end, points);
	loop_detach(cut.scratch_loop);
	close(cut.base);
	close(cut.scratch);
	close(cut.log);
	if (!cut.plain && !cut.layer_on_disk && remove_tree(in("layer")))
		bad++;
	return bad;
}

/* The filesystem that the test is run on, if it is one that has a disk. */
static const char *filesystem(void)
{
	struct statfs sf;

	if (statfs(world_dir(), &sf))
		return NULL;
	return sf.f_type == EXT4_SUPER_MAGIC ? "ext4" : sf.f_type == XFS_SUPER_MAGIC ? "xfs" : NULL;
}

int main(int argc, char **argv)
{
	unsigned long long seed = strtoull(getenv("VENEER_POWERCUT_SEED") ?:
					   getenv("VENEER_FUZZ_SEED") ?: "0", NULL, 0);
	unsigned long long limit = strtoull(getenv("VENEER_POWERCUT_POINTS") ?: "0", NULL, 0);
	unsigned int seconds = atoi(getenv("VENEER_POWERCUT_SECONDS") ?: "240");
	unsigned long long points = 0, sessions = 0;
	char root[] = "/tmp/powercut.XXXXXX";
	const char *fs;
	bool lies = false, plain = !!getenv("VENEER_POWERCUT_PLAIN");
	int opt, bad = 0;
	time_t end;

	while ((opt = getopt(argc, argv, "s:n:t:fp")) != -1) {
		switch (opt) {
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'n':
			limit = strtoull(optarg, NULL, 0);
			break;
		case 't':
			seconds = atoi(optarg);
			break;
		case 'f':
			lies = true;
			break;
		case 'p':
			plain = true;
			break;
		default:
			fprintf(stderr, "usage: powercut [-s SEED] [-n POINTS] [-t SECONDS] [-f] [-p]\n");
			return 2;
		}
	}
	if (!seed)
		seed = (unsigned long long)time(NULL) * 100;
	setvbuf(stdout, NULL, _IOLBF, 0);
	ksft_print_header();
	ksft_set_plan(1);
	if (mkdir(world_dir(), 0755) && errno != EEXIST)
		ksft_exit_fail_msg("cannot make %s\n", world_dir());
	fs = filesystem();
	if (!fs)
		ksft_exit_skip("only of ext4 and xfs\n");
	/* xfs takes its time to replay a log. */
	if (!limit)
		limit = *fs == 'x' ? 700 : 1500;
	if (access("/proc/self/ns/mnt", F_OK) || unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || !mkdtemp(root) ||
	    mount("none", root, "tmpfs", 0, "size=90%"))
		ksft_exit_fail_msg("no place to work in: %s\n", strerror(errno));
	/* Both are modules of the stock kernel, and part of the debug kernel. */
	load_module("loop");
	load_module("dm-log-writes");
	printf("# seed %llu, %s\n", seed, fs);
	end = time(NULL) + seconds;
	for (; !bad && points < limit && time(NULL) < end; sessions++)
		bad = session(root, fs, seed + sessions, lies, plain, limit, end, &points);
	umount2(root, MNT_DETACH);
	rmdir(root);
	ksft_test_result(!bad && points, "%llu cuts in %llu sessions from seed %llu\n", points,
			 sessions, seed);
	ksft_finished();
}
