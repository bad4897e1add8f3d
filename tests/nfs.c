// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A mount, exported by NFS: the kernel's own server and client, in a network
 * namespace of their own, without any of the daemons: what those would answer is
 * told to the kernel beforehand.
 */
#include "testing.h"

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#define SERVER "/proc/fs/nfsd"
#define NEVER "2147483647"	/* when what is told expires */
/* NFSEXP_FSID, NFSEXP_NOSUBTREECHECK, NFSEXP_INSECURE_PORT */
#define FLAGS "9218"

FIXTURE(nfs) {
	struct world w;
	char client[WORLD_PATH];
	int cfd;		/* the root of the client's mount */
};

static int tell(const char *where, const char *fmt, ...)
{
	char text[PATH_MAX + 100];
	int fd = open(where, O_WRONLY | O_CLOEXEC), len, ret;
	va_list ap;

	if (fd < 0)
		return -1;
	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ret = write(fd, text, len) == len ? 0 : -1;
	if (ret)
		printf("# %s does not take %.*s: %s\n", where, len - 1, text, err_name(errno));
	close(fd);
	return ret;
}

/* Of a kernel that has it or can load it. */
static bool has_fs(const char *module, const char *fs)
{
	char line[128], name[64];
	bool found = false;
	FILE *f;

	load_module(module);
	f = fopen("/proc/filesystems", "re");
	while (f && !found && fgets(line, sizeof(line), f))
		found = sscanf(line, "nodev %63s", name) == 1 && !strcmp(name, fs);
	if (f)
		fclose(f);
	return found;
}

static int loopback_up(void)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret;

	if (fd < 0)
		return -1;
	ret = ioctl(fd, SIOCSIFFLAGS, &r);
	close(fd);
	return ret;
}

/*
 * Exports the mount to 127.0.0.1, as the root of all that there is. Nothing can be
 * opened for the first ten seconds, the least that a server gives old clients.
 */
static int serve(struct world *w)
{
	return tell("/proc/net/rpc/auth.unix.ip/channel", "nfsd 127.0.0.1 " NEVER " here\n") ||
	       tell("/proc/net/rpc/nfsd.export/channel",
		    "here %s " NEVER " " FLAGS " 65534 65534 0\n", w->mnt) ||
	       tell("/proc/net/rpc/nfsd.fh/channel", "here 1 \\x00000000 " NEVER " %s\n",
		    w->mnt) ||
	       /* The older ones need a port mapper. */
	       tell(SERVER "/versions", "-3 +4 +4.2\n") ||
	       tell(SERVER "/nfsv4leasetime", "10\n") || tell(SERVER "/nfsv4gracetime", "10\n") ||
	       tell(SERVER "/portlist", "tcp 2049\n") || tell(SERVER "/threads", "2\n") ?
	       -1 : 0;
}

/* Nothing that the server knows keeps the mount busy afterwards. */
static int serve_no_more(void)
{
	static const char *const caches[] = { "auth.unix.ip", "nfsd.fh", "nfsd.export" };
	int ret = tell(SERVER "/threads", "0\n");

	for (size_t i = 0; i < ARRAY_SIZE(caches); i++) {
		char flush[64];

		snprintf(flush, sizeof(flush), "/proc/net/rpc/%s/flush", caches[i]);
		ret |= tell(flush, "%ld\n", (long)time(NULL) + 1);
	}
	return ret ? -1 : 0;
}

/* The server lets go of its files in the background. */
static int umount_served(struct world *w)
{
	close(w->mfd);
	w->mfd = -1;
	if (umount_patiently(w->mnt))
		return -1;
	w->mounted = false;
	return 0;
}

FIXTURE_SETUP(nfs)
{
	struct world *w = &self->w;

	self->cfd = -1;
	if (world_is_overlay())
		SKIP(return, "about Veneer's handles");
	if (!has_fs("nfsd", "nfsd") || !has_fs("nfsv4", "nfs4"))
		SKIP(return, "this kernel has no NFS");
	OK(world_begin(w, IN_LOWER));
	OK(unshare(CLONE_NEWNET));
	OK(loopback_up());
	OK(mount("nfsd", SERVER, "nfsd", 0, NULL));
	OK(put_dir(w, "d", 0755));
	OK(put_dir(w, "d/sub", 0755));
	OK(put_text(w, "d/file", "a file\n"));
	OK(put_text(w, "d/sub/inside", "inside\n"));
	OK(put_pattern(w, "big", 1 << 20, 1));
	OK(world_mount(w));
	OK(serve(w));
	snprintf(self->client, sizeof(self->client), "%s", join(w->root, "client"));
	OK(mkdir(self->client, 0755));
	OK(mount("127.0.0.1:/", self->client, "nfs4", 0,
		 "vers=4.2,addr=127.0.0.1,clientaddr=127.0.0.1,port=2049,sec=sys,actimeo=0,"
		 "soft,timeo=50,retrans=2"));
	self->cfd = OK(open(self->client, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

FIXTURE_TEARDOWN(nfs)
{
	struct world *w = &self->w;

	if (!*w->root)
		return;
	if (self->cfd >= 0)
		close(self->cfd);
	if (*self->client)
		/* A test that stopped half-way may keep it busy. */
		umount2(self->client, _metadata->exit_code == KSFT_FAIL ?
			MNT_FORCE | MNT_DETACH : 0);
	if (w->mounted) {
		serve_no_more();
		/* FINISH finds it mounted, and not in use. */
		CHECK(!umount_served(w) && !world_mount(w), "still in use");
	}
	umount2(SERVER, MNT_DETACH);
	FINISH(w);
}

/* The client and the plain directory are given the same, and show the same. */
TEST_F(nfs, used)
{
	struct world *w = &self->w;
	unsigned int flags = w->tree_flags | TREE_NOXATTR;
	int own = w->mfd, fd[2];

	if (self->cfd < 0)
		return;
	w->mfd = self->cfd;
	BOTH_OK(mkdirat(at, "d/new", 0750));
	BOTH_OK(symlinkat("../d/file", at, "d/new/link"));
	BOTH_OK(mknodat(at, "d/new/fifo", S_IFIFO | 0600, 0));
	BOTH_OK(renameat(at, "d/sub", at, "d/new/sub"));
	BOTH_OK(linkat(at, "d/file", at, "d/new/file", 0));
	BOTH_OK(fchmodat(at, "d/file", 0640, 0));
	BOTH_OK(fchownat(at, "d/new/sub/inside", 12, 34, 0));
	BOTH_OK(unlinkat(at, "d/file", 0));
	OPEN_BOTH(fd, "big", O_RDWR);
	BOTH_OK(pwrite(F(fd), "changed", 7, 123456) - 7);
	BOTH_OK(ftruncate(F(fd), 900000));
	BOTH_OK(fallocate(F(fd), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8192, 100000));
	BOTH_OK(fsync(F(fd)));
	CLOSE_BOTH(fd);
	w->mfd = own;
	if (tree_compare(self->client, TREE_NLINK | flags, w->plain, TREE_NLINK | flags))
		CHECK(false, "the client sees something else");
	SAME_TREES(w);
}

/* The client goes on with what it has, whatever happens to that meanwhile. */
TEST_F(nfs, moved_meanwhile)
{
	struct world *w = &self->w;
	int big, file, sub, inside;
	char buf[16] = "";
	struct stat st;

	if (self->cfd < 0)
		return;
	big = OK(openat(self->cfd, "big", O_RDWR | O_CLOEXEC));
	file = OK(openat(self->cfd, "d/file", O_PATH | O_CLOEXEC));
	sub = OK(openat(self->cfd, "d/sub", O_PATH | O_CLOEXEC));
	BOTH_OK(renameat(at, "d/sub", at, "moved"));
	BOTH_OK(renameat(at, "d", at, "moved/d"));
	BOTH_OK(renameat(at, "big", at, "moved/large"));
	OK(drop_caches());
	EXPECT_EQ(7, OK(pwrite(big, "changed", 7, 5000)));
	OK(fsync(big));
	OK(drop_caches());
	EXPECT_EQ(7, OK(pread(big, buf, 7, 5000)));
	EXPECT_EQ(0, memcmp(buf, "changed", 7));
	close(big);
	big = OK(openat(w->pfd, "moved/large", O_WRONLY | O_CLOEXEC));
	EXPECT_EQ(7, OK(pwrite(big, "changed", 7, 5000)));
	close(big);
	inside = OK(openat(sub, "inside", O_RDONLY | O_CLOEXEC));
	EXPECT_EQ(7, OK(read(inside, buf, 7)));
	EXPECT_EQ(0, memcmp(buf, "inside\n", 7));
	close(inside);
	/* The server anew, on a mount that is new, too. */
	OK(serve_no_more());
	OK(umount_served(w));
	OK(world_mount(w));
	OK(serve(w));
	OK(drop_caches());
	OK(fstat(file, &st));
	EXPECT_EQ(7, st.st_size);
	OK(faccessat(sub, "inside", R_OK, 0));
	OK(fstat(sub, &st));
	CHECK(S_ISDIR(st.st_mode), "mode %o", st.st_mode);
	close(file);
	close(sub);
}

TEST_HARNESS_MAIN
