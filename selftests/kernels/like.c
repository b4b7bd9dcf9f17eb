/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * To be preloaded: calls of libc that answer as on an older kernel of which no
 * distribution has a package, while a younger one runs.  PIDTRACK_TEST_LIKE
 *says which:
 *
 *	6.7	io_uring's WAITID, and no pidfs: a pidfd has no inode of its
 *		own, no ioctl, and does not tell that it was reaped
 *	6.13	PIDFD_GET_INFO without PIDFD_INFO_EXIT, and neither handles nor
 *		mounts nor attributes of a pidfd
 *	qemu	the second, and PIDFD_GET_INFO is -ENOSYS, as under qemu-user
 *
 * Not hidden: what io_uring and epoll say in memory (POLLHUP of one that was
 * reaped), and all that static programs see.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define PIDFS_MAGIC 0x50494446	    /* Linux 6.9, magic.h */
#define ANON_INODE_MAGIC 0x09041934 /* magic.h */
#define ANON_INODE 1057		    /* all have that one, whatever it is */
#define PIDFD_IOCTL 0xff	    /* the type of a pidfd's; Linux 6.9 */
#define PIDFD_INFO_NR 11	    /* Linux 6.13, pidfd.h */
#define PIDFD_INFO_EXIT (1U << 3)   /* Linux 6.15, pidfd.h */
#define PIDFS_ROOT (-10002)	    /* Linux 6.17, fcntl.h */
#define OPEN_TREE 428		    /* Linux 5.2 */

static struct like {
	bool pidfs;
	int info; /* what PIDFD_GET_INFO says; 0: it works, without EXIT */
	long (*syscall)(long, ...);
} like;

/* Not at the first call, which may be a child's that shares our memory. */
__attribute__((constructor)) static void like_what(void)
{
	const char *version = getenv("PIDTRACK_TEST_LIKE");

	like.syscall = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	if (version && !strcmp(version, "6.7"))
		like.info = ENOTTY;
	else if (version && !strcmp(version, "6.13"))
		like.pidfs = true;
	else if (version && !strcmp(version, "qemu"))
		like = (struct like){ true, ENOSYS, like.syscall };
	else
		abort();
}

static long fails(int error)
{
	errno = error;
	return -1;
}

/* Whether it is a pidfd; errno stays. */
static bool is_pidfd(long fd)
{
	int error = errno;
	struct statfs fs;
	bool is = fd >= 0 && !like.syscall(SYS_fstatfs, fd, &fs) &&
		  fs.f_type == PIDFS_MAGIC;

	errno = error;
	return is;
}

/* ---- inodes ---- */

static long like_fstatfs(int fd, struct statfs *fs)
{
	long r = like.syscall(SYS_fstatfs, fd, fs);

	if (!r && fs->f_type == PIDFS_MAGIC && !like.pidfs)
		fs->f_type = ANON_INODE_MAGIC;
	return r;
}

static long like_statx(const long *args)
{
	long r = like.syscall(SYS_statx, args[0], args[1], args[2], args[3],
			      args[4]);

	if (!r && !like.pidfs && is_pidfd(args[0]) && !*(const char *)args[1])
		((struct statx *)args[4])->stx_ino = ANON_INODE;
	return r;
}

static long like_fstat(int fd, struct stat *stat)
{
	long r = like.syscall(SYS_fstat, fd, stat);

	if (!r && !like.pidfs && is_pidfd(fd))
		stat->st_ino = ANON_INODE;
	return r;
}

/* ---- what it tells ---- */

static long like_info(long fd, long request, uint64_t *info)
{
	if (like.info)
		return fails(like.info);
	*info &= ~(uint64_t)PIDFD_INFO_EXIT;
	return like.syscall(SYS_ioctl, fd, request, info);
}

static long like_ioctl(long fd, long request, long argument)
{
	if (_IOC_TYPE(request) != PIDFD_IOCTL || !is_pidfd(fd))
		return like.syscall(SYS_ioctl, fd, request, argument);
	if (!like.pidfs)
		return fails(ENOTTY);
	if (_IOC_NR(request) == PIDFD_INFO_NR)
		return like_info(fd, request, (uint64_t *)argument);
	return like.syscall(SYS_ioctl, fd, request, argument);
}

/* That it is readable stays, that it was reaped goes. */
static long like_ppoll(const long *args)
{
	struct pollfd *fds = (struct pollfd *)args[0];
	long r = like.syscall(SYS_ppoll, args[0], args[1], args[2], args[3],
			      args[4]);

	for (long i = 0; r > 0 && i < args[1]; i++) {
		bool was = fds[i].revents;

		if (like.pidfs || !(fds[i].revents & POLLHUP) ||
		    !is_pidfd(fds[i].fd))
			continue;
		fds[i].revents &= ~POLLHUP;
		r -= was && !fds[i].revents;
	}
	return r;
}

/* ---- all of them ---- */

/* Calls that a pidfd answers in one way only. */
static int refused(long number, const long *args)
{
	switch (number) {
	case SYS_name_to_handle_at:
	case SYS_fsetxattr:
	case SYS_fgetxattr:
	case SYS_fremovexattr:
		return is_pidfd(args[0]) ? EOPNOTSUPP : 0;
	case SYS_open_by_handle_at:
		return args[0] == PIDFS_ROOT ? EBADF : 0;
	case OPEN_TREE:
		return is_pidfd(args[0]) ? EINVAL : 0;
	case SYS_pidfd_open:
		return !like.pidfs && args[1] & O_EXCL ? EINVAL : 0;
	case SYS_pidfd_send_signal:
		return !like.pidfs && args[3] ? EINVAL : 0;
	default:
		return 0;
	}
}

static long like_call(long number, const long *args)
{
	int error = refused(number, args);

	if (error)
		return fails(error);
	switch (number) {
	case SYS_fstatfs:
		return like_fstatfs((int)args[0], (struct statfs *)args[1]);
	case SYS_statx:
		return like_statx(args);
	case SYS_ioctl:
		return like_ioctl((int)args[0], args[1], args[2]);
	case SYS_ppoll:
		return like_ppoll(args);
	default:
		return like.syscall(number, args[0], args[1], args[2], args[3],
				    args[4], args[5]);
	}
}

long syscall(long number, ...)
{
	long args[6];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		args[i] = va_arg(list, long);
	va_end(list);
	return like_call(number, args);
}

/* As tests call them. */

int fstatfs(int fd, struct statfs *fs)
{
	return (int)like_fstatfs(fd, fs);
}

int fstat(int fd, struct stat *stat)
{
	return (int)like_fstat(fd, stat);
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list list;
	long argument;

	va_start(list, request);
	argument = va_arg(list, long);
	va_end(list);
	return (int)like_ioctl(fd, (long)request, argument);
}

int poll(struct pollfd *fds, nfds_t n, int ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000L };
	const long args[5] = { (long)fds, (long)n, ms < 0 ? 0 : (long)&time };

	return (int)like_ppoll(args);
}

int fsetxattr(int fd, const char *name, const void *value, size_t size,
	      int flags)
{
	const long args[6] = { fd, (long)name, (long)value, (long)size, flags };

	return (int)like_call(SYS_fsetxattr, args);
}

ssize_t fgetxattr(int fd, const char *name, void *value, size_t size)
{
	const long args[6] = { fd, (long)name, (long)value, (long)size };

	return like_call(SYS_fgetxattr, args);
}
