/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Numbers that become a stranger's just when a host is about to open them.
 *
 *	struct swap swap = { .pid = pid, .pidfd = pidfd };
 *
 *	swap_begin(_metadata, &swap, true);
 *	...				the number is opened
 *	swap_end(_metadata, &swap);	and was another's by then
 *	stranger_end(_metadata, &swap);	who lives
 *
 * Whoever had the number is to be reaped at once when it ends, by its parent.
 */
#ifndef STRANGERS_H
#define STRANGERS_H

#include <pthread.h>

#include "seccomp.h"
#include "tracked.h"

/* A child that has the number @pid. */
static inline pid_t stranger_start(pid_t pid)
{
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal,
			stack, stack_size, tls, set_tid, set_tid_size;
	} args = {
		.exit_signal = SIGCHLD,
		.set_tid = (uint64_t)(uintptr_t)&pid,
		.set_tid_size = 1,
	};
	pid_t child;

	do
		child = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	while (child < 0 && errno == EEXIST); /* not free for a moment yet */
	if (!child)
		for (;;)
			syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
	return child;
}

static inline bool numbers_can_be_had(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
	pid = stranger_start(pid);
	if (pid < 0)
		return false;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return true;
}

struct swap {
	pthread_t thread;
	_Atomic int listener;
	int pidfd; /* of whom will have ended */
	pid_t pid;
	pid_t stranger;
};

/* While the host is about to open @pid, that becomes another. */
static inline void *swap_run(void *arg)
{
	struct swap *swap = arg;
	uint64_t id;

	while (swap->listener < 0)
		sched_yield();
	if (seccomp_stopped(swap->listener, &id) < 0)
		return NULL;
	syscall(SYS_pidfd_send_signal, swap->pidfd, SIGKILL, NULL, 0);
	while (!pidfd_is_reaped(swap->pidfd))
		sched_yield();
	swap->stranger = stranger_start(swap->pid);
	seccomp_go(swap->listener, id);
	return NULL;
}

/* @asks: whether pidfds tell anything; from here on for good */
static inline void swap_begin(struct __test_metadata *_metadata,
			      struct swap *swap, bool asks)
{
	swap->listener = -1;
	ASSERT_EQ(0, pthread_create(&swap->thread, NULL, swap_run, swap));
	if (!asks)
		ASSERT_EQ(0, seccomp_refuse(SYS_ioctl, ENOTTY));
	swap->listener = seccomp_on_argument(
		SYS_pidfd_open, 0, ~0U, (uint32_t)swap->pid,
		SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
	ASSERT_GE(swap->listener, 0);
}

/* From here on nobody is stopped any more, but refused. */
static inline void swap_end(struct __test_metadata *_metadata,
			    struct swap *swap)
{
	pthread_join(swap->thread, NULL);
	close(swap->listener);
	ASSERT_EQ(swap->pid, swap->stranger);
}

static inline void stranger_end(struct __test_metadata *_metadata,
				const struct swap *swap)
{
	int status = -1;

	EXPECT_EQ(0, waitpid(swap->stranger, &status, WNOHANG));
	kill(swap->stranger, SIGTERM);
	ASSERT_EQ(swap->stranger, waitpid(swap->stranger, &status, 0));
	EXPECT_EQ(SIGTERM, status);
}

#endif
