/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What a sandbox does to system calls, done by a test to its own process and to
 * those it starts from then on: refusing one, killing for one, or stopping it
 * until another thread or process has looked.  Filters add up; the sternest
 * answer counts.
 */
#ifndef SECCOMP_H
#define SECCOMP_H

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_clone3
#define SYS_clone3 435 /* Linux 5.3 */
#endif
#ifndef SYS_close_range
#define SYS_close_range 436 /* Linux 5.9 */
#endif
/* fstatfs() of a file of any size */
#ifdef SYS_fstatfs64
#define SECCOMP_FSTATFS SYS_fstatfs64
#else
#define SECCOMP_FSTATFS SYS_fstatfs
#endif
#ifdef SYS_newfstatat
#define SECCOMP_FSTATAT SYS_newfstatat
#elif defined(SYS_fstatat64)
#define SECCOMP_FSTATAT SYS_fstatat64
#else
#define SECCOMP_FSTATAT SYS_statx
#endif
#ifndef SECCOMP_USER_NOTIF_FLAG_CONTINUE
#define SECCOMP_USER_NOTIF_FLAG_CONTINUE (1UL << 0) /* Linux 5.5 */
#endif

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define SECCOMP_LOW 4
#else
#define SECCOMP_LOW 0
#endif

/*
 * Of a sandbox that refuses one of two ways to the library: the test has the
 * other refused, too, and skips where it is told so (harness.h).
 */
static inline void sandbox_other_way_gone(void)
{
	const char *refused = getenv("PIDTRACK_TEST_OTHER_WAY");

	if (refused)
		setenv("PIDTRACK_TEST_REFUSED", refused, 1);
}

/* Returns a listener's descriptor with that flag, else 0; a negative errno. */
static inline int seccomp_install(struct sock_filter *filter,
				  unsigned short size, unsigned int flags)
{
	struct sock_fprog program = { .len = size, .filter = filter };
	int r;

	r = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
	if (r < 0 && errno == EACCES) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		r = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags,
				 &program);
	}
	if (r < 0)
		return -errno;
	sandbox_other_way_gone();
	return r;
}

/* @action for system call @nr; for others nothing changes. */
static inline int seccomp_on(int nr, uint32_t action, unsigned int flags)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	return seccomp_install(filter, sizeof(filter) / sizeof(filter[0]),
			       flags);
}

/* The same, where the low half of argument @n and @mask is @value. */
static inline int seccomp_on_argument(int nr, int n, uint32_t mask,
				      uint32_t value, uint32_t action,
				      unsigned int flags)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, args) +
				 8 * (unsigned int)n + SECCOMP_LOW),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	return seccomp_install(filter, sizeof(filter) / sizeof(filter[0]),
			       flags);
}

/* From now on @nr fails with @error (positive).  Return: 0 or -errno. */
static inline int seccomp_refuse(int nr, int error)
{
	return seccomp_on(nr, SECCOMP_RET_ERRNO | (uint32_t)error, 0);
}

/* The same of setting timers, by whichever name libc has for it. */
static inline int seccomp_refuse_timers(int error)
{
	int r = seccomp_refuse(SYS_timerfd_settime, error);

#ifdef SYS_timerfd_settime64
	if (!r)
		r = seccomp_refuse(SYS_timerfd_settime64, error);
#endif
	return r;
}

/* The same, where any bit of @bits is in the low half of argument @n. */
static inline int seccomp_refuse_bits(int nr, int n, uint32_t bits, int error)
{
	uint32_t bit;
	int r = 0;

	for (bit = 1; !r && bit; bit <<= 1)
		if (bits & bit)
			r = seccomp_on_argument(
				nr, n, bit, bit,
				SECCOMP_RET_ERRNO | (uint32_t)error, 0);
	return r;
}

/* From now on whoever calls @nr is killed by SIGSYS. */
static inline int seccomp_kill(int nr)
{
	return seccomp_on(nr, SECCOMP_RET_KILL_PROCESS, 0);
}

/*
 * From now on whoever calls @nr is stopped in it, until somebody answers: a
 * descriptor for seccomp_stopped() and _go().  One filter of a process may have
 * such a listener.  Linux 5.5.
 */
static inline int seccomp_stop(int nr)
{
	return seccomp_on(nr, SECCOMP_RET_USER_NOTIF,
			  SECCOMP_FILTER_FLAG_NEW_LISTENER);
}

/* The same for whoever executes a program. */
static inline int seccomp_stop_exec(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execveat, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	return seccomp_install(filter, sizeof(filter) / sizeof(filter[0]),
			       SECCOMP_FILTER_FLAG_NEW_LISTENER);
}

/* Waits for the next that is stopped: its pid, and what names it in *ret_id. */
static inline int seccomp_stopped(int listener, uint64_t *ret_id)
{
	struct seccomp_notif notice;
	int r;

	do {
		memset(&notice, 0, sizeof(notice));
		r = ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notice);
	} while (r < 0 && (errno == EINTR || errno == ENOENT));
	*ret_id = notice.id;
	return r < 0 ? -errno : (int)notice.pid;
}

/* It goes on as if it had not been stopped; -ENOENT if it is dead. */
static inline int seccomp_go(int listener, uint64_t id)
{
	struct seccomp_notif_resp answer = {
		.id = id,
		.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE,
	};

	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) < 0)
		return -errno;
	return 0;
}

/*
 * Ends who may not write any more, and would be killed for what a build with
 * coverage does in _exit(2).
 */
static inline void __attribute__((noreturn)) seccomp_exit(int status)
{
	for (;;)
		syscall(SYS_exit_group, status);
}

#endif
