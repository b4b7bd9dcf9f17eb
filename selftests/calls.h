/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * The system calls of the library, for sandboxes that refuse one of them, and
 * so that faults forgets none.
 * sandbox.sh finds what is missing here.
 */
#ifndef CALLS_H
#define CALLS_H

#include <stdbool.h>
#include <sys/syscall.h>

#ifndef SYS_fsopen
#define SYS_open_tree 428 /* Linux 5.2 */
#define SYS_move_mount 429
#define SYS_fsopen 430
#define SYS_fsconfig 431
#define SYS_fsmount 432
#endif
#ifndef SYS_faccessat2
#define SYS_faccessat2 439 /* Linux 5.8 */
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442 /* Linux 5.12 */
#endif
#ifdef SYS_getuid32
#define CALL_32(name) SYS_##name##32
#else
#define CALL_32(name) SYS_##name
#endif
#ifdef SYS_fcntl64
#define CALL_64(name) SYS_##name##64
#else
#define CALL_64(name) SYS_##name
#endif
#ifdef SYS_mmap2
#define CALL_MMAP SYS_mmap2
#else
#define CALL_MMAP SYS_mmap
#endif
#ifdef SYS__llseek
#define CALL_SEEK SYS__llseek
#else
#define CALL_SEEK SYS_lseek
#endif
#ifdef SYS_readlink
#define CALL_READLINK SYS_readlink
#else
#define CALL_READLINK SYS_readlinkat
#endif
#ifdef SYS_poll
#define CALL_POLL SYS_poll
#else
#define CALL_POLL SYS_ppoll
#endif

#ifdef SYS_newfstatat
#define CALL_FSTATAT SYS_newfstatat
#elif defined(SYS_fstatat64)
#define CALL_FSTATAT SYS_fstatat64
#else
#define CALL_FSTATAT SYS_statx
#endif

#define CALLS_MAX 4096 /* numbers of system calls are below */

enum whose {
	ANYBODYS,   /* a program starts without it, and can test */
	PAST_LIBC,  /* likewise; made past libc: not to be refused alone */
	EVERYBODYS, /* it does not: refused to the library alone */
	NOBODYS, /* nothing that is held could be given back, no process end */
};

/* What needs a pidfd of ourselves. */
#define OF_PIDFDS "pidfd-open pidfs handle handle-open info pin xattr"

static const struct call {
	const char *name;
	int number;
	enum whose whose;
	bool other_way;	  /* the library has one: nothing but speed is lost */
	const char *lost; /* of pidtrack features; with the errno if another,
			     and "?" if that depends on the kernel */
} calls[] = {
	{ "capset", SYS_capset, ANYBODYS, false, "" },
	{ "chdir", SYS_chdir, ANYBODYS, false, "" },
	{ "clone", SYS_clone, EVERYBODYS, true, "" },
	{ "clone3", SYS_clone3, PAST_LIBC, true,
	  "clone3 clone-into-cgroup clone-autokill" },
	{ "close", SYS_close, NOBODYS, false, "" },
	{ "close_range", SYS_close_range, ANYBODYS, true, "close-range" },
	{ "connect", SYS_connect, ANYBODYS, false, "" },
	{ "dup3", SYS_dup3, ANYBODYS, false, "" },
	{ "epoll_create1", SYS_epoll_create1, ANYBODYS, false, "" },
	{ "epoll_ctl", SYS_epoll_ctl, ANYBODYS, false, "" },
	{ "epoll_pwait", SYS_epoll_pwait, ANYBODYS, false, "" },
	{ "eventfd2", SYS_eventfd2, ANYBODYS, false, "ring ring-waitid" },
	{ "execve", SYS_execve, EVERYBODYS, false, "" },
	{ "execveat", SYS_execveat, ANYBODYS, false, "" },
	{ "exit_group", SYS_exit_group, NOBODYS, false, "" },
	{ "faccessat2", SYS_faccessat2, ANYBODYS, true, "" },
	{ "fchmod", SYS_fchmod, ANYBODYS, false, "" },
	{ "fcntl", CALL_64(fcntl), EVERYBODYS, false, "" },
	{ "fgetxattr", SYS_fgetxattr, ANYBODYS, false, "xattr" },
	{ "flock", SYS_flock, ANYBODYS, false, "" },
	{ "fremovexattr", SYS_fremovexattr, ANYBODYS, false, "xattr" },
	{ "fsconfig", SYS_fsconfig, ANYBODYS, false, "" },
	{ "fsetxattr", SYS_fsetxattr, ANYBODYS, true, "xattr" },
	{ "fsmount", SYS_fsmount, ANYBODYS, false, "" },
	{ "fsopen", SYS_fsopen, ANYBODYS, false, "" },
	{ "fstatfs", CALL_64(fstatfs), ANYBODYS, false, "pidfs pin xattr" },
	{ "fsync", SYS_fsync, ANYBODYS, false, "" },
	{ "getcwd", SYS_getcwd, ANYBODYS, false, "" },
	{ "getdents64", SYS_getdents64, EVERYBODYS, false, "" },
	{ "geteuid", CALL_32(geteuid), ANYBODYS, false, "" },
	{ "getgid", CALL_32(getgid), ANYBODYS, false, "" },
	{ "getpeername", SYS_getpeername, ANYBODYS, false, "" },
	{ "getpgid", SYS_getpgid, ANYBODYS, false, "" },
	{ "getpid", SYS_getpid, EVERYBODYS, false,
	  "pidfd-open=EINVAL pidfs=EINVAL handle=EINVAL handle-open=EINVAL info=EINVAL pin=EINVAL xattr=EINVAL park=EINVAL" },
	{ "getppid", SYS_getppid, EVERYBODYS, false, "" },
	{ "getsid", SYS_getsid, ANYBODYS, false, "" },
	{ "getsockopt", SYS_getsockopt, ANYBODYS, false, "" },
	{ "gettid", SYS_gettid, ANYBODYS, true, "" },
	{ "getuid", CALL_32(getuid), ANYBODYS, false, "" },
	{ "inotify_add_watch", SYS_inotify_add_watch, ANYBODYS, false, "" },
	{ "inotify_init1", SYS_inotify_init1, ANYBODYS, false, "" },
	{ "io_uring_enter", SYS_io_uring_enter, PAST_LIBC, true,
	  "ring-waitid park=EAGAIN" },
	{ "io_uring_register", SYS_io_uring_register, PAST_LIBC, true,
	  "ring-waitid park" },
	{ "io_uring_setup", SYS_io_uring_setup, PAST_LIBC, true,
	  "ring ring-waitid park" },
	{ "ioctl", SYS_ioctl, ANYBODYS, true, "info exit-info pin" },
	{ "linkat", SYS_linkat, ANYBODYS, false, "" },
	{ "lseek", CALL_SEEK, EVERYBODYS, false, "" },
	{ "madvise", SYS_madvise, EVERYBODYS, false, "" },
	{ "memfd_create", SYS_memfd_create, ANYBODYS, false, "" },
	{ "mkdirat", SYS_mkdirat, ANYBODYS, false, "" },
	{ "mmap", CALL_MMAP, EVERYBODYS, false, "" },
	{ "mount_setattr", SYS_mount_setattr, ANYBODYS, false, "" },
	{ "move_mount", SYS_move_mount, ANYBODYS, false, "" },
	{ "mprotect", SYS_mprotect, EVERYBODYS, false, "" },
	{ "munmap", SYS_munmap, EVERYBODYS, true, "" },
	{ "name_to_handle_at", SYS_name_to_handle_at, ANYBODYS, true,
	  "handle handle-open" },
	{ "newfstatat", CALL_FSTATAT, EVERYBODYS, true, "" },
	{ "open_by_handle_at", SYS_open_by_handle_at, ANYBODYS, true,
	  "handle-open" },
	{ "open_tree", SYS_open_tree, ANYBODYS, false, "pin" },
	{ "openat", SYS_openat, EVERYBODYS, false, "proc" },
	{ "pidfd_open", SYS_pidfd_open, ANYBODYS, false, OF_PIDFDS " park" },
	{ "pidfd_send_signal", SYS_pidfd_send_signal, ANYBODYS, false, "" },
	{ "pipe2", SYS_pipe2, EVERYBODYS, false, "ring-waitid" },
	{ "poll", CALL_POLL, EVERYBODYS, false, "" },
	{ "ppoll", SYS_ppoll, EVERYBODYS, false, "ring-waitid" },
	{ "prctl", SYS_prctl, EVERYBODYS, false, "" },
	{ "prlimit64", SYS_prlimit64, EVERYBODYS, false, "" },
	{ "read", SYS_read, EVERYBODYS, false, "proc ring-waitid" },
	{ "readlink", CALL_READLINK, EVERYBODYS, false, "" },
	{ "recvmsg", SYS_recvmsg, ANYBODYS, false, "" },
	{ "renameat2", SYS_renameat2, ANYBODYS, false, "" },
	{ "rt_sigaction", SYS_rt_sigaction, EVERYBODYS, false, "" },
	{ "rt_sigprocmask", SYS_rt_sigprocmask, EVERYBODYS, false, "" },
	{ "sched_yield", SYS_sched_yield, ANYBODYS, true, "" },
	{ "sendmsg", SYS_sendmsg, ANYBODYS, false, "" },
	{ "setgroups", CALL_32(setgroups), ANYBODYS, false, "" },
	{ "setpgid", SYS_setpgid, EVERYBODYS, false, "" },
	{ "setresgid", CALL_32(setresgid), ANYBODYS, false, "" },
	{ "setresuid", CALL_32(setresuid), ANYBODYS, false, "" },
	{ "setsid", SYS_setsid, ANYBODYS, false, "" },
	{ "socket", SYS_socket, ANYBODYS, false, "" },
	{ "socketpair", SYS_socketpair, ANYBODYS, false, "" },
	{ "statx", SYS_statx, ANYBODYS, true, "" },
	{ "timerfd_create", SYS_timerfd_create, ANYBODYS, false, "" },
	{ "timerfd_settime", SYS_timerfd_settime, ANYBODYS, false, "" },
	{ "umask", SYS_umask, ANYBODYS, false, "" },
	{ "umount2", SYS_umount2, ANYBODYS, false, "pin" },
	{ "unlinkat", SYS_unlinkat, ANYBODYS, false, "pin" },
	{ "unshare", SYS_unshare, ANYBODYS, true, "" },
	{ "waitid", SYS_waitid, EVERYBODYS, false,
	  "pidfd-wait exit-info xattr" },
	{ "write", SYS_write, EVERYBODYS, false, "ring-waitid" },
};

#endif
