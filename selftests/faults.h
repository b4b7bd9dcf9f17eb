/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * One call of the library's to libc or the kernel that fails, or one request
 * of a ring's that comes to an error, whichever is wanted, in a program that is
 * linked with the static library and --wrap of each name below (meson.build has
 * them).  Calls are counted from 1 while faults are let in; those that cannot
 * fail, or whose failing nobody could notice, are not counted.
 *
 * A shim before it executes shares the memory of its host, and this: what it
 * calls is counted on.
 */
#ifndef FAULTS_H
#define FAULTS_H

#include <liburing.h>
#include <pthread.h>
#include <sched.h>
#include <sys/capability.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "harness.h"

#define FAULT_ERRORS 6
#define FAULT_OP_WAITID 50  /* Linux 6.7, io_uring.h */
#define FAULT_OP_INSTALL 54 /* Linux 6.8, likewise: a file's descriptor */
#define FAULT_NOP_RESULT 1U /* Linux 6.10, likewise: what "len" says */

/* What is not a number of a system call. */
enum fault_call {
	FAULT_MEMORY = -1,
	FAULT_CLONE = -2,
	FAULT_MMAP = -3,
	FAULT_MPROTECT = -4,
	FAULT_MADVISE = -5,
	FAULT_FSTATFS = -6,
	FAULT_FCNTL = -7,
	FAULT_RING_NEW = -8,
	FAULT_RING_ENTER = -9,
	FAULT_RING_EVENTFD = -10,
	FAULT_RING_CANCEL = -11,
	FAULT_INFO = -12, /* PIDFD_GET_INFO */
	FAULT_IOCTL = -13,
	FAULT_DUP = -14,
	FAULT_POLL = -15,
	FAULT_PEEK = -16, /* waitid(2) that does not wait, nor reap */
	FAULT_THREAD = -17,
	FAULT_REQUEST = -18, /* of a ring's: its result */
	FAULT_STAT = -19,    /* newfstatat, as the machine has it */
	FAULT_LINK = -20,    /* readlink, likewise */
	FAULT_NONE = -21,
};

struct fault_errors {
	long number;
	const char *name;
	int errors[FAULT_ERRORS]; /* that it sensibly gives; 0: no more */
};

/* In memory that all processes of a test share. */
struct fault {
	int at;	   /* which call fails; 0: none */
	int which; /* of the errors of that */
	int calls;
	pid_t host;
	int struck; /* from 1, of fault_table; 0: none has failed */
	int error;
	bool in_child;
	bool no_handles; /* before Linux 6.17: statx alone tells who is who */
};

static struct fault fault_unused;
static struct fault *fault = &fault_unused;
static bool fault_let_in;  /* not into what a test forks */
static bool fault_results; /* the kernel can make a request fail */

#define FAULTY(name, ...)           \
	{                           \
		SYS_##name, #name,  \
		{                   \
			__VA_ARGS__ \
		}                   \
	}

static const struct fault_errors fault_table[] = {
	{ FAULT_MEMORY, "allocation", { ENOMEM } },
	{ FAULT_CLONE, "clone", { EAGAIN, ENOMEM, EPERM } },
	{ FAULT_MMAP, "mmap", { ENOMEM, EAGAIN } },
	{ FAULT_MPROTECT, "mprotect", { ENOMEM } },
	{ FAULT_MADVISE, "madvise", { EINVAL, EAGAIN } },
	{ FAULT_FSTATFS, "fstatfs", { ENOSYS, EINTR, EIO } },
	{ FAULT_FCNTL, "fcntl", { ENOLCK, EINTR } },
	{ FAULT_RING_NEW, "io_uring_setup", { ENOMEM, EMFILE, EPERM, ENOSYS } },
	{ FAULT_RING_ENTER,
	  "io_uring_enter",
	  { EAGAIN, EINTR, EBUSY, ENOMEM } },
	{ FAULT_RING_EVENTFD, "io_uring_register", { ENOMEM, EINVAL } },
	{ FAULT_RING_CANCEL, "io_uring_register", { EINTR, ENOMEM, EINVAL } },
	{ FAULT_INFO, "PIDFD_GET_INFO", { ENOTTY, EPERM, ENOSYS, EINVAL } },
	{ FAULT_IOCTL, "ioctl", { ENOTTY, EPERM, EMFILE } },
	{ FAULT_DUP, "fcntl", { EMFILE, EPERM } },
	{ FAULT_POLL, "poll", { EINTR, ENOMEM } },
	{ FAULT_PEEK, "waitid", { EPERM } },
	{ FAULT_THREAD, "pthread_create", { EAGAIN } },
	{ FAULT_REQUEST, "request", { ENOMEM, ECANCELED, EINTR } },
	{ FAULT_STAT, "newfstatat", { EIO, ENOMEM, EACCES } },
	{ FAULT_LINK, "readlink", { EACCES, ENOENT, ENOMEM } },
	FAULTY(io_uring_register, ENOMEM, EMFILE, EPERM),
	FAULTY(pidfd_open, EMFILE, ENOMEM, EPERM, ENOSYS),
	FAULTY(pidfd_send_signal, EPERM, ENOSYS, EAGAIN),
	FAULTY(waitid, EINTR),
	FAULTY(clone3, EAGAIN, ENOMEM, EPERM, ENOSYS, EBUSY, ENOSPC),
	FAULTY(openat, EMFILE, ENFILE, ENOMEM, EIO),
	FAULTY(read, EIO, EINTR, ENOMEM),
	FAULTY(write, ENOSPC, EIO, EINTR),
	FAULTY(close, EIO, EINTR),
	FAULTY(close_range, ENOSYS, EPERM, ENOMEM),
	FAULTY(unshare, ENOMEM, EPERM, EMFILE),
	FAULTY(dup3, EMFILE, EBUSY, EINTR),
	FAULTY(pipe2, EMFILE, ENFILE),
	FAULTY(fsync, EIO, ENOSPC, EINTR),
	FAULTY(fchmod, EIO, EPERM),
	FAULTY(flock, ENOLCK, EINTR, ENOMEM),
	FAULTY(renameat2, ENOSPC, EIO, EACCES, EINVAL),
	FAULTY(linkat, ENOSPC, EPERM, EIO),
	FAULTY(unlinkat, EIO, EACCES),
	FAULTY(mkdirat, ENOSPC, EACCES, EIO),
	FAULTY(statx, EIO, ENOMEM, EACCES, ENOSYS),
	FAULTY(getdents64, EIO, ENOMEM),
	FAULTY(getcwd, ENOMEM, ENOENT),
	FAULTY(chdir, EACCES, EIO, ENOMEM),
	FAULTY(memfd_create, EMFILE, ENOMEM, EINVAL, ENOSYS),
	FAULTY(inotify_init1, EMFILE, ENOMEM),
	FAULTY(inotify_add_watch, ENOSPC, ENOMEM, EACCES),
	FAULTY(epoll_create1, EMFILE, ENOMEM),
	FAULTY(epoll_ctl, ENOMEM, ENOSPC),
	FAULTY(epoll_pwait, EINTR),
	FAULTY(eventfd2, EMFILE, ENOMEM),
	FAULTY(timerfd_create, EMFILE, ENOMEM),
	FAULTY(ppoll, EINTR, ENOMEM),
	FAULTY(socket, EMFILE, ENOBUFS),
	FAULTY(socketpair, EMFILE, ENFILE, ENOMEM),
	FAULTY(connect, ECONNREFUSED, EAGAIN),
	FAULTY(getpeername, ENOBUFS, EPERM),
	FAULTY(getsockopt, ENOMEM, EPERM),
	FAULTY(sendmsg, EAGAIN, EPIPE, ENOBUFS),
	FAULTY(recvmsg, ECONNRESET, EINTR, ENOMEM),
	FAULTY(execve, ENOENT, ENOMEM, EACCES),
	FAULTY(execveat, ENOENT, ENOMEM, EIO),
	FAULTY(prctl, EPERM, ENOSYS),
	FAULTY(prlimit64, EPERM),
	FAULTY(setsid, EPERM),
	FAULTY(setpgid, EPERM, EACCES),
	FAULTY(getsid, EPERM),
	FAULTY(getpgid, EPERM),
	FAULTY(setgroups, EPERM, ENOMEM),
	FAULTY(setresuid, EAGAIN, EPERM),
	FAULTY(setresgid, EPERM),
	FAULTY(capset, EPERM),
	FAULTY(name_to_handle_at, EOPNOTSUPP, ENOMEM, EPERM),
	FAULTY(open_by_handle_at, EMFILE, EPERM, ENOMEM),
	FAULTY(fsetxattr, ENOSPC, EPERM, EOPNOTSUPP),
	FAULTY(fgetxattr, ENODATA, EPERM, ENOMEM),
	FAULTY(fremovexattr, EPERM, EIO),
	FAULTY(umount2, EPERM, ENOMEM),
#ifdef SYS_open_tree
	FAULTY(open_tree, EMFILE, ENOMEM, EPERM, ENOSYS),
	FAULTY(move_mount, ENOSPC, ENOMEM, EPERM),
	FAULTY(fsopen, EMFILE, ENOMEM, EPERM, ENOSYS),
	FAULTY(fsconfig, ENOMEM, EINVAL, EPERM),
	FAULTY(fsmount, EMFILE, ENOMEM, EPERM),
#endif
#ifdef SYS_faccessat2
	FAULTY(faccessat2, EACCES, ENOSYS, EPERM, ENOMEM),
#endif
#ifdef SYS_mount_setattr
	FAULTY(mount_setattr, ENOMEM, ENOSYS, EPERM),
#endif
};

long __real_syscall(long number, ...);

/* How many errors the call may have. */
static int fault_errors_of(const struct fault_errors *it)
{
	int n = 0;

	while (n < FAULT_ERRORS && it->errors[n])
		n++;
	return n;
}

/* Whether this call is to fail: errno says why. */
static bool fault_strikes(long number)
{
	const struct fault_errors *it = fault_table;
	const struct fault_errors *end =
		it + sizeof(fault_table) / sizeof(fault_table[0]);

	if (!fault_let_in)
		return false;
	while (it < end && it->number != number)
		it++;
	if (it == end || ++fault->calls != fault->at)
		return false;
	fault->struck = (int)(it - fault_table) + 1;
	fault->error = it->errors[fault->which % fault_errors_of(it)];
	/* who is refused a look is refused all: see sandboxes */
	if ((number == SYS_statx || number == FAULT_STAT) && fault->no_handles)
		fault->error = ENOMEM;
	fault->in_child = __real_syscall(SYS_getpid) != fault->host;
	errno = fault->error;
	return true;
}

/* Whether it was a call of that kind that failed. */
static bool fault_struck(long number)
{
	return fault->struck && fault_table[fault->struck - 1].number == number;
}

/* ---- what is wrapped ---- */

static long fault_kind(long number, long first, long second, long fourth)
{
	/* of others a security module that forbids it forbids it for good */
	if (number == SYS_getsid && first != 0)
		return FAULT_NONE;
	/* what does not wait does not fail to reap what was seen before */
	if (number == SYS_waitid && fourth & WNOHANG)
		return fourth & WNOWAIT ? FAULT_PEEK : FAULT_NONE;
	if (number == SYS_ioctl)
		return second == (long)_IOWR(0xFF, 11, char[64]) ? FAULT_INFO :
								   FAULT_IOCTL;
	if (number == SYS_fcntl)
		return second == F_DUPFD_CLOEXEC ? FAULT_DUP : FAULT_NONE;
	return number;
}

long __wrap_syscall(long number, ...);
/* More words are taken than were passed. */
__attribute__((no_sanitize_address)) long __wrap_syscall(long number, ...)
{
	long words[6];
	va_list args;

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		words[i] = va_arg(args, long);
	va_end(args);
	if (fault_strikes(fault_kind(number, words[0], words[1], words[3]))) {
		/* it is closed whatever that says */
		if (number == SYS_close)
			__real_syscall(number, words[0]);
		errno = fault->error;
		return -1;
	}
	return __real_syscall(number, words[0], words[1], words[2], words[3],
			      words[4], words[5]);
}

int __wrap_asprintf(char **ret_text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
int __wrap_asprintf(char **ret_text, const char *format, ...)
{
	va_list args;
	int n;

	if (fault_strikes(FAULT_MEMORY))
		return -1;
	va_start(args, format);
	n = vasprintf(ret_text, format, args);
	va_end(args);
	return n;
}

/* What a request of a ring can fail with; to close and to reap cannot fail. */
static bool fault_may_be(const struct io_uring_sqe *sqe)
{
	return sqe->opcode == IORING_OP_POLL_ADD ||
	       sqe->opcode == IORING_OP_ASYNC_CANCEL ||
	       sqe->opcode == IORING_OP_FILES_UPDATE ||
	       sqe->opcode == FAULT_OP_INSTALL ||
	       (sqe->opcode == FAULT_OP_WAITID && !(sqe->file_index & WNOHANG));
}

/*
 * One of the requests that are queued comes to an error, which ends the chain
 * it is in, as the kernel does: Linux 6.10, and a success before.
 */
static long fault_queued(struct io_uring *ring)
{
	const struct io_uring_sq *sq = &ring->sq;
	struct io_uring_sqe *sqe;

	for (unsigned int i = *sq->khead; i != sq->sqe_tail; i++) {
		sqe = &sq->sqes[i & *sq->kring_mask];
		if (!fault_results || !fault_may_be(sqe) ||
		    !fault_strikes(FAULT_REQUEST))
			continue;
		sqe->opcode = IORING_OP_NOP;
		sqe->fd = -1;
		sqe->off = sqe->addr = sqe->addr3 = 0;
		sqe->file_index = 0;
		sqe->len = (unsigned int)-fault->error;
		sqe->rw_flags = FAULT_NOP_RESULT;
	}
	return FAULT_RING_ENTER;
}

#define FAULT_WRAP(kind, type, failed, name, parameters, arguments) \
	type __real_##name parameters;                              \
	type __wrap_##name parameters;                              \
	type __wrap_##name parameters                               \
	{                                                           \
		if (fault_strikes(kind))                            \
			return failed;                              \
		return __real_##name arguments;                     \
	}

FAULT_WRAP(FAULT_MEMORY, void *, NULL, malloc, (size_t size), (size))
FAULT_WRAP(FAULT_MEMORY, void *, NULL, calloc, (size_t n, size_t size),
	   (n, size))
FAULT_WRAP(FAULT_MEMORY, void *, NULL, realloc, (void *at, size_t size),
	   (at, size))
FAULT_WRAP(FAULT_MEMORY, void *, NULL, reallocarray,
	   (void *at, size_t n, size_t size), (at, n, size))
FAULT_WRAP(FAULT_MEMORY, char *, NULL, strdup, (const char *text), (text))
FAULT_WRAP(FAULT_MEMORY, char *, NULL, strndup, (const char *text, size_t size),
	   (text, size))
FAULT_WRAP(FAULT_MEMORY, cap_t, NULL, cap_from_text, (const char *text), (text))
FAULT_WRAP(FAULT_MMAP, void *, MAP_FAILED, mmap64,
	   (void *at, size_t size, int protection, int flags, int fd,
	    off64_t offset),
	   (at, size, protection, flags, fd, offset))
FAULT_WRAP(FAULT_MPROTECT, int, -1, mprotect,
	   (void *at, size_t size, int protection), (at, size, protection))
FAULT_WRAP(FAULT_MADVISE, int, -1, madvise, (void *at, size_t size, int advice),
	   (at, size, advice))
FAULT_WRAP(FAULT_FSTATFS, int, -1, fstatfs64, (int fd, struct statfs64 *buffer),
	   (fd, buffer))
FAULT_WRAP(FAULT_FCNTL, int, -1, fcntl64, (int fd, int command, void *argument),
	   (fd, command, argument))
FAULT_WRAP(FAULT_POLL, int, -1, poll, (struct pollfd * fds, nfds_t n, int ms),
	   (fds, n, ms))
FAULT_WRAP(FAULT_STAT, int, -1, fstatat64,
	   (int dir, const char *path, struct stat64 *found, int flags),
	   (dir, path, found, flags))
FAULT_WRAP(FAULT_LINK, ssize_t, -1, readlink,
	   (const char *path, char *target, size_t size), (path, target, size))
FAULT_WRAP(SYS_clone3, int, -fault->error, pt_clone3_run,
	   (const void *args, size_t size, void (*run)(void *), void *argument),
	   (args, size, run, argument))
FAULT_WRAP(FAULT_CLONE, int, -1, __clone,
	   (int (*run)(void *), void *stack, int flags, void *argument,
	    int *parent_tid, void *tls, int *child_tid),
	   (run, stack, flags, argument, parent_tid, tls, child_tid))
FAULT_WRAP(FAULT_RING_NEW, int, -fault->error, io_uring_queue_init_params,
	   (unsigned int entries, struct io_uring *ring,
	    struct io_uring_params *params),
	   (entries, ring, params))
FAULT_WRAP(FAULT_THREAD, int, fault->error, pthread_create,
	   (pthread_t * thread, const pthread_attr_t *attributes,
	    void *(*run)(void *), void *argument),
	   (thread, attributes, run, argument))
FAULT_WRAP(fault_queued(ring), int, -fault->error, io_uring_submit,
	   (struct io_uring * ring), (ring))
FAULT_WRAP(fault_queued(ring), int, -fault->error, io_uring_submit_and_wait,
	   (struct io_uring * ring, unsigned int n), (ring, n))
FAULT_WRAP(fault_queued(ring), int, -fault->error,
	   io_uring_submit_and_get_events, (struct io_uring * ring), (ring))
FAULT_WRAP(FAULT_RING_ENTER, int, -fault->error, io_uring_get_events,
	   (struct io_uring * ring), (ring))
FAULT_WRAP(FAULT_RING_EVENTFD, int, -fault->error, io_uring_register_eventfd,
	   (struct io_uring * ring, int fd), (ring, fd))
FAULT_WRAP(FAULT_RING_CANCEL, int, -fault->error, io_uring_register_sync_cancel,
	   (struct io_uring * ring, struct io_uring_sync_cancel_reg *request),
	   (ring, request))

/* Whether that can be done to requests. */
static inline bool fault_results_work(void)
{
	struct io_uring_params params = { 0 };
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe;
	struct io_uring ring;
	bool works = false;

	if (__real_io_uring_queue_init_params(4, &ring, &params) < 0)
		return false;
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_nop(sqe);
	sqe->len = (unsigned int)-EXDEV;
	sqe->rw_flags = FAULT_NOP_RESULT;
	if (__real_io_uring_submit_and_wait(&ring, 1) == 1 &&
	    io_uring_peek_cqe(&ring, &cqe) == 0)
		works = cqe->res == -EXDEV;
	io_uring_queue_exit(&ring);
	return works;
}

#endif
