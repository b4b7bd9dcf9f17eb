/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "attempt.h"

#include "clone.h"
#include "quiet.h"
#include "sys.h"

NEVER_RETURNS static void run_child(void *argument)
{
	struct pt_attempt *attempt = argument;

	/* not even a stack of the host's tells that of a fork */
	if (!attempt->child.held)
		*(volatile bool *)&attempt->memory_shared = true;
	pt_child_run(&attempt->child);
}

NEVER_RETURNS static int run_cloned(void *argument)
{
	run_child(argument);
	return 127;
}

static int clone_by_clone3(struct pt_attempt *attempt, int *ret_pidfd)
{
	struct pt_report *report = attempt->child.report;
	struct pt_clone_args args = {
		.flags = CLONE_VM | CLONE_VFORK | PT_CLONE_PIDFD |
			 CLONE_PARENT_SETTID | attempt->namespaces,
		.pidfd = (uintptr_t)ret_pidfd,
		.parent_tid = (uintptr_t)&report->pid,
		.exit_signal = SIGCHLD,
		.stack = (uintptr_t)attempt->stack,
		.stack_size = PT_STACK_SIZE,
	};
	size_t size = PT_CLONE_ARGS_SIZE_VER0;

	if (attempt->child.fds.shared)
		args.flags |= CLONE_FILES;
	if (attempt->ways & PT_WAY_CLEAR_SIGHAND)
		args.flags |= PT_CLONE_CLEAR_SIGHAND;
	if (attempt->ways & PT_WAY_AUTOKILL) {
		args.flags |= PT_CLONE_PIDFD_AUTOKILL | PT_CLONE_AUTOREAP;
		args.exit_signal = 0;
	}
	if (attempt->ways & PT_WAY_INTO_CGROUP) {
		args.flags |= PT_CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)attempt->options->cgroup_fd;
		size = sizeof(args);
	}
	return pt_clone3_run(&args, size, run_child, attempt);
}

/*
 * A pidfd of the number, if that is still the child's: a wait for children of
 * this thread alone finds no other, as it has made none since; that it was left
 * one by another thread, with that number, is all that could be.
 */
static int open_number(pid_t pid)
{
	int fd, r;

	fd = sys_pidfd_open(pid, 0);
	if (fd < 0)
		return fd;
	r = sys_waitid(PT_P_PIDFD, fd, NULL,
		       WEXITED | WNOHANG | WNOWAIT | __WALL | __WNOTHREAD);
	if (r >= 0)
		return fd;
	sys_close(fd);
	return r;
}

/* Lets the child begin if there is a pidfd of it, and end if not. */
static int open_held(struct pt_attempt *attempt, pid_t pid)
{
	uint64_t verdict = 1;
	int pidfd;

	/* there is room for one then */
	attempt->exec_pipe[1] = fd_close(attempt->exec_pipe[1]);
	pidfd = open_number(pid);
	if (pidfd < 0)
		verdict += (uint64_t)-pidfd;
	if (sys_write(attempt->child.gate, &verdict, sizeof(verdict)) < 0 &&
	    pidfd >= 0)
		sys_pidfd_send_signal(pidfd, SIGKILL);
	return pidfd;
}

static int clone_by_libc(struct pt_attempt *attempt, int *ret_pidfd)
{
	struct pt_report *report = attempt->child.report;
	void *stack_end = (char *)attempt->stack + PT_STACK_SIZE;
	int flags = (int)(SIGCHLD | attempt->namespaces);
	int r;

	if (!attempt->child.held)
		flags |= CLONE_VM | CLONE_VFORK;
	if (attempt->child.fds.shared)
		flags |= CLONE_FILES;
	if (attempt->ways & PT_WAY_PIDFD)
		return sys_clone(run_cloned, stack_end,
				 flags | (int)PT_CLONE_PIDFD, attempt,
				 ret_pidfd);

	r = sys_clone(run_cloned, stack_end, flags | CLONE_PARENT_SETTID,
		      attempt, (int *)&report->pid);
	if (attempt->child.opens_self)
		*ret_pidfd = report->pidfd;
	else if (r > 0)
		*ret_pidfd = open_held(attempt, r);
	return r;
}

/*
 * Waits until the child has executed or ended.  A vfork-style clone returns
 * only then, but valgrind and qemu-user make it a fork, and who is held is one:
 * memory tells.  A fork is waited for as long as there is one of another thread
 * that has copied the pipe.
 */
static void await_exec(struct pt_attempt *attempt, int pipe_read)
{
	char byte;

	if (attempt->memory_shared)
		attempt->suspends = true;
	else if (pipe_read >= 0)
		while (sys_read(pipe_read, &byte, 1) == -EINTR)
			;
}

/*
 * Keeps handlers from running in the child, on the memory two share.  Where the
 * clone itself clears them, only what would stop the child is blocked.
 */
static int block_signals(const struct pt_attempt *attempt, uint64_t *ret_mask,
			 bool *ret_blocked)
{
	int r = 0;

	if (attempt->ways & PT_WAY_CLEAR_SIGHAND) {
		*ret_blocked = pt_quiet_stops(ret_mask);
	} else {
		r = pt_quiet_enter(ret_mask);
		*ret_blocked = r >= 0;
	}
	return r;
}

static int clone_guarded(struct pt_attempt *attempt, int *ret_pidfd)
{
	uint64_t mask, calls;
	bool blocked;
	int r;

	r = block_signals(attempt, &mask, &blocked);
	if (r < 0)
		return r;

	calls = pt_sys_calls;
	r = attempt->ways & PT_WAY_CLONE3 ?
		    clone_by_clone3(attempt, ret_pidfd) :
		    clone_by_libc(attempt, ret_pidfd);
	pt_sys_calls = calls + 1; /* the child's are not ours */

	if (blocked)
		sys_signal_mask(&mask, NULL);
	return r;
}

static int open_signs(struct pt_attempt *attempt)
{
	struct pt_child *child = &attempt->child;
	int r = 0;

	/* who honours CLONE_FILES is no emulator: it will suspend us */
	if (child->held || (!child->fds.shared && !attempt->suspends))
		r = sys_pipe(&attempt->exec_pipe[0], &attempt->exec_pipe[1]);
	if (r >= 0 && child->held)
		r = child->gate = sys_eventfd();
	child->fds.specials[PT_SPECIAL_PIPE] = attempt->exec_pipe[1];
	return r;
}

int pt_attempt_clone(struct pt_attempt *attempt, int *ret_pidfd)
{
	int r;

	attempt->exec_pipe[0] = attempt->exec_pipe[1] = -1;
	attempt->child.gate = -1;
	r = open_signs(attempt);
	if (r >= 0)
		r = clone_guarded(attempt, ret_pidfd);
	attempt->exec_pipe[1] = fd_close(attempt->exec_pipe[1]);
	attempt->child.gate = fd_close(attempt->child.gate);
	if (r > 0)
		await_exec(attempt, attempt->exec_pipe[0]);
	attempt->exec_pipe[0] = fd_close(attempt->exec_pipe[0]);
	return r;
}
