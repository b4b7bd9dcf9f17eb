/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Processes for tests to watch, made with fork and sockets alone: nothing of
 * the library under test.  A child lives until it is told how to end; nobody
 * sleeps.  Calls return 0 or what they say, and a negative errno.
 *
 *	struct child child;
 *
 *	ASSERT_EQ(0, child_start(&child));
 *	ASSERT_EQ(0, child_exit(&child, 7));	or child_raise(&child, SIGKILL)
 *	ASSERT_EQ(0, child_await_exit(&child));	a zombie now
 *	ASSERT_EQ(7 << 8, child_reap(&child));	or whoever else reaps it
 *	child_close(&child);			the descriptors
 *
 * A foreign process is the child of a child: it lives, ends, and is reaped by
 * its parent, each when told.  An orphan's parent has ended; it is a child of
 * the nearest subreaper now, which a test's process is.
 */
#ifndef CHILDREN_H
#define CHILDREN_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "refusal.h"

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424 /* Linux 5.1 */
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434 /* Linux 5.3 */
#endif
#ifndef SYS_close_range
#define SYS_close_range 436 /* Linux 5.9 */
#endif

struct child {
	pid_t pid;
	int pidfd;
	int socket; /* to tell it what to do */
};

#define CHILD_NULL                                  \
	{                                           \
		.pid = 0, .pidfd = -1, .socket = -1 \
	}

struct foreign {
	struct child parent; /* a child of ours */
	struct child child;  /* not of ours */
};

#define FOREIGN_NULL                                      \
	{                                                 \
		.parent = CHILD_NULL, .child = CHILD_NULL \
	}

/* ---- what they are told ---- */

enum child_word {
	CHILD_EXIT = 1, /* with a code */
	CHILD_RAISE,	/* a signal, at its default disposition */
	CHILD_FORK,	/* a child that obeys the given descriptor */
	CHILD_REAP,	/* its child, and answer with the status */
};

struct child_message {
	int word;
	int argument;
};

static inline int child_tell(const struct child *child, enum child_word word,
			     int argument)
{
	struct child_message message = { (int)word, argument };

	if (send(child->socket, &message, sizeof(message), MSG_NOSIGNAL) < 0)
		return -errno;
	return 0;
}

/* Its answer, which is never negative but for an errno. */
static inline int child_answer(const struct child *child)
{
	int answer;
	ssize_t n;

	do
		n = recv(child->socket, &answer, sizeof(answer), 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n == sizeof(answer) ? answer : -ECONNRESET;
}

static inline void child_keep_only(int a, int b)
{
	int low = a < b ? a : b, high = a < b ? b : a, fd;

	if (!syscall(SYS_close_range, high + 1, ~0U, 0)) {
		for (fd = 3; fd < high; fd++)
			if (fd != low)
				close(fd);
		return;
	}
	for (fd = 3; fd < 4096; fd++)
		if (fd != low && fd != high)
			close(fd);
}

static inline void child_raise_here(int signal_)
{
	sigset_t set;

	signal(signal_, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, signal_);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(signal_);
}

static inline int child_reap_here(void)
{
	int status;

	return wait(&status) < 0 ? -errno : status;
}

/* The life of one: obeys until it is told to end, or nobody is left to. */
static inline void __attribute__((noreturn)) child_live(int self, int spare)
{
	child_keep_only(self, spare < 0 ? self : spare);
	for (;;) {
		struct child_message message;
		ssize_t n = recv(self, &message, sizeof(message), 0);
		int answer = 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n != sizeof(message))
			_exit(99);
		switch (message.word) {
		case CHILD_EXIT:
			_exit(message.argument);
		case CHILD_RAISE:
			child_raise_here(message.argument);
			continue;
		case CHILD_FORK:
			answer = fork();
			if (!answer)
				child_live(message.argument, -1);
			answer = answer < 0 ? -errno : answer;
			break;
		case CHILD_REAP:
			answer = child_reap_here();
			break;
		default:
			_exit(98);
		}
		if (send(self, &answer, sizeof(answer), MSG_NOSIGNAL) < 0)
			_exit(97);
	}
}

/* ---- children ---- */

/* Its descriptors; what it is doing stays as it is.  Again is fine. */
static inline void child_close(struct child *child)
{
	if (child->pidfd >= 0)
		close(child->pidfd);
	if (child->socket >= 0)
		close(child->socket);
	child->pidfd = -1;
	child->socket = -1;
}

static inline int child_open(struct child *child, int pid)
{
	if (pid < 0)
		return pid;
	child->pid = pid;
	child->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	return child->pidfd < 0 ? -errno : 0;
}

/* One that has @spare too, if that is a descriptor. */
static inline int child_start_with(struct child *ret_child, int spare)
{
	struct child child = CHILD_NULL;
	int pair[2], r;
	pid_t pid;

	*ret_child = child;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	pid = fork();
	if (!pid)
		child_live(pair[1], spare);
	r = pid < 0 ? -errno : pid;
	close(pair[1]);
	child.socket = pair[0];
	r = child_open(&child, r);
	if (r < 0)
		child_close(&child);
	*ret_child = child;
	return r;
}

static inline int child_start(struct child *ret_child)
{
	return child_start_with(ret_child, -1);
}

/* Tells it to end; it may live a moment longer. */
static inline int child_exit(const struct child *child, int code)
{
	return child_tell(child, CHILD_EXIT, code);
}

/* Tells it to send itself a signal. */
static inline int child_raise(const struct child *child, int signal_)
{
	return child_tell(child, CHILD_RAISE, signal_);
}

static inline int child_signal(const struct child *child, int signal_)
{
	if (syscall(SYS_pidfd_send_signal, child->pidfd, signal_, NULL, 0) < 0)
		return -errno;
	return 0;
}

/* Which of @events @fd has; 0 if none within @timeout_ms, which may be -1. */
static inline int await_fd(int fd, short events, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };
	int r;

	do
		r = poll(&poll_fd, 1, timeout_ms);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : poll_fd.revents;
}

/* Until it has ended; it is not reaped. */
static inline int child_await_exit(const struct child *child)
{
	int r = await_fd(child->pidfd, POLLIN, -1);

	return r < 0 ? r : 0;
}

/* Reaps a child of ours: its status as of wait(2). */
static inline int child_reap(const struct child *child)
{
	int status;

	while (waitpid(child->pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return status;
}

/* Kills, reaps and closes a child of ours, however far it is. */
static inline void child_end(struct child *child)
{
	if (child->pidfd >= 0) {
		child_signal(child, SIGKILL);
		child_reap(child);
	}
	child_close(child);
}

/* ---- foreign processes and orphans ---- */

static inline int foreign_start(struct foreign *ret_foreign)
{
	struct foreign foreign = FOREIGN_NULL;
	int pair[2], r;

	*ret_foreign = foreign;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	r = child_start_with(&foreign.parent, pair[1]);
	if (!r)
		r = child_tell(&foreign.parent, CHILD_FORK, pair[1]);
	if (!r)
		r = child_open(&foreign.child, child_answer(&foreign.parent));
	close(pair[1]);
	foreign.child.socket = pair[0];
	*ret_foreign = foreign;
	return r;
}

/* Its parent reaps it, once it has ended: its status as of wait(2). */
static inline int foreign_reap(const struct foreign *foreign)
{
	int r = child_tell(&foreign->parent, CHILD_REAP, 0);

	return r < 0 ? r : child_answer(&foreign->parent);
}

/* Ends its parent, and reaps that: now it is an orphan of ours. */
static inline int foreign_orphan(struct foreign *foreign)
{
	int r = child_exit(&foreign->parent, 0);

	if (r < 0)
		return r;
	r = child_reap(&foreign->parent);
	child_close(&foreign->parent);
	return r;
}

/* Kills both and closes; the test's process reaps them if they are its own. */
static inline void foreign_end(struct foreign *foreign)
{
	if (foreign->child.pidfd >= 0)
		child_signal(&foreign->child, SIGKILL);
	child_end(&foreign->parent);
	if (foreign->child.pidfd >= 0)
		child_reap(&foreign->child);
	child_close(&foreign->child);
}

/* A process without the parent that started it. */
static inline int orphan_start(struct child *ret_orphan)
{
	struct foreign foreign;
	int r = foreign_start(&foreign);

	if (!r)
		r = foreign_orphan(&foreign);
	*ret_orphan = foreign.child;
	return r;
}

/* ---- what is there ---- */

/* A child of ours that ended and was not reaped; 0: none is. */
static inline pid_t zombie_find(void)
{
	siginfo_t info = { 0 };

	if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
		return 0;
	return info.si_pid;
}

/* Whether there is a child of ours, ended or not. */
static inline int child_is_any(void)
{
	siginfo_t info = { 0 };

	return !waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT);
}

/* How many descriptors are open; without /proc, by trying each. */
static inline int fds_count(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = -3, fd; /* ".", ".." and this one */

	if (!dir) {
		for (n = fd = 0; fd < 65536; fd++)
			n += fcntl(fd, F_GETFD) >= 0;
		return n;
	}
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* Goes on in mounts of its own, where /proc is empty; or errno says why not. */
static inline bool proc_hide(void)
{
	return !unshare(CLONE_NEWNS) &&
	       !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	       !mount("none", "/proc", "tmpfs", MS_RDONLY, NULL);
}

/* For TEST_WANTS; wants_one_and_another, and so on: */
#define WANTS_BOTH(one, another)                                    \
	static inline const char *wants_##one##_and_##another(void) \
	{                                                           \
		const char *wanting = wants_##one();                \
                                                                    \
		return wanting ? wanting : wants_##another();       \
	}

static inline const char *wants_proc(void)
{
	if (sandbox_refuses("openat") || sandbox_refuses("read") ||
	    sandbox_refuses("getpid"))
		return "the sandbox has the library not read /proc";
	return access("/proc/self/stat", R_OK) ? "no /proc is mounted here" :
						 NULL;
}

static inline const char *wants_removal(void)
{
	return sandbox_refuses("unlinkat") ?
		       "the sandbox has the library remove no names" :
		       NULL;
}

/* Without them the library does not learn either who is gone. */
static inline const char *wants_signals(void)
{
	return sandbox_refuses("pidfd_send_signal") ?
		       "the sandbox has the library signal nobody" :
		       NULL;
}

WANTS_BOTH(proc, signals)

/* Who descends from whom, and can be sent a signal. */
static inline const char *wants_listing(void)
{
	return sandbox_refuses("getdents64") ?
		       "the sandbox has the library list nobody" :
		       wants_proc_and_signals();
}

/* The limit of the sizes of files: beyond it a write is a signal. */
static inline const char *wants_limits(void)
{
	return sandbox_refuses("prlimit64") ?
		       "the sandbox has the library know no limits" :
		       NULL;
}

/* Some hundreds at once, or of high numbers. */
static inline const char *wants_descriptors(void)
{
	struct rlimit limit;

	return !getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_max < 4096 ?
		       "few descriptors are to be had here: RLIMIT_NOFILE" :
		       NULL;
}

WANTS_BOTH(descriptors, limits)

/* What is seen of a process may be another's in the next boot. */
static inline const char *wants_boot_id(void)
{
	const char *wanting = wants_proc();

	if (!wanting && access("/proc/sys/kernel/random/boot_id", R_OK))
		wanting = "no boot id here: no fingerprint proves anything";
	return wanting;
}

WANTS_BOTH(boot_id, limits)

WANTS_BOTH(boot_id, removal)

/* Who is found by a number, and proven. */
static inline const char *wants_numbers(void)
{
	return sandbox_refuses("pidfd_open") ?
		       "the sandbox has the library open nobody by number" :
		       wants_boot_id();
}

WANTS_BOTH(numbers, signals)

/* What a process executes. */
static inline const char *wants_program(void)
{
	return sandbox_refuses("readlink") ?
		       "the sandbox has the library read no links" :
		       wants_numbers();
}

static inline int child_exit_0(void *argument)
{
	(void)argument;
	return 0;
}

/*
 * Whether a child may be started in namespaces of its own, CLONE_NEW*: as root,
 * but not in Docker.  0, or the -errno it is refused with.
 */
static inline int namespaces_try(int namespaces)
{
	_Alignas(16) char stack[16384];
	pid_t pid = clone(child_exit_0, stack + sizeof(stack),
			  namespaces | SIGCHLD, NULL);

	if (pid < 0)
		return -errno;
	return waitpid(pid, NULL, 0) == pid ? 0 : -errno;
}

#define SKIP_WITHOUT_NAMESPACES(namespaces)                      \
	do {                                                     \
		int refused = namespaces_try(namespaces);        \
                                                                 \
		if (refused)                                     \
			SKIP(return,                             \
				   "no namespaces (" #namespaces \
				   ") are to be had here: %s",   \
				   strerror(-refused));          \
	} while (0)

#define SKIP_WITHOUT_PID_NAMESPACES() SKIP_WITHOUT_NAMESPACES(CLONE_NEWPID)

/* Whether a child may be traced: 0, or the -errno it is refused with. */
static inline int trace_try(void)
{
	struct child child;
	int r = child_start(&child);

	if (!r && ptrace(PTRACE_SEIZE, child.pid, NULL, NULL) < 0)
		r = -errno;
	child_end(&child);
	return r;
}

#define SKIP_WITHOUT_TRACING()                                   \
	do {                                                     \
		int refused = trace_try();                       \
                                                                 \
		if (refused)                                     \
			SKIP(return, "not allowed to trace: %s", \
				   strerror(-refused));          \
	} while (0)

/* The program that does as its arguments say, see shim.c. */
static inline const char *shim_path(void)
{
	const char *path = getenv("PIDTRACK_TEST_SHIM");

	return path ? path : "./pt-shim";
}

#endif
