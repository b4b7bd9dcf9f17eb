/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Stops and continuations, told to those who asked. */
#include <sys/epoll.h>

#include "seccomp.h"
#include "tracked.h"

#define STOPPED (1U << PIDTRACK_STOPPED)
#define CONTINUED (1U << PIDTRACK_CONTINUED)

/* As of wait(2). */
#define STATUS_STOPPED(number) ((number) << 8 | 0x7f)
#define STATUS_CONTINUED 0xffff

#define ASSERT_STOPPED(tracker, process, number)           \
	ASSERT_NEXT(tracker, process, PIDTRACK_STOPPED, 0, \
		    PIDTRACK_SOURCE_WAITED, STATUS_STOPPED(number))
#define ASSERT_CONTINUED(tracker, process)                   \
	ASSERT_NEXT(tracker, process, PIDTRACK_CONTINUED, 0, \
		    PIDTRACK_SOURCE_WAITED, STATUS_CONTINUED)

/* Spins until the kernel has stopped it, or it runs again. */
static void await_stopped(pid_t pid, bool stopped)
{
	char path[64], text[256], *end;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	for (;;) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

		if (fd >= 0)
			close(fd);
		text[n > 0 ? n : 0] = '\0';
		end = strrchr(text, ')');
		if (!end || (end[2] == 'T') == stopped)
			return;
		sched_yield();
	}
}

TEST(stops_and_continuations_are_told_in_order)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	int i, status;

	process = shim_start_at(_metadata, tracker, &gate, 3);
	ASSERT_EQ(0, pidtrack_process_notify(process, STOPPED | CONTINUED));
	ASSERT_NO_EVENT(tracker);
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, pidtrack_process_signal(process, SIGSTOP));
		ASSERT_STOPPED(tracker, process, SIGSTOP);
		ASSERT_NO_EVENT(tracker);
		EXPECT_EQ(PIDTRACK_STATE_RUNNING,
			  pidtrack_process_state(process));
		EXPECT_EQ(-EAGAIN, pidtrack_process_status(process, &status));
		ASSERT_EQ(0, pidtrack_process_signal(process, SIGCONT));
		ASSERT_CONTINUED(tracker, process);
		ASSERT_NO_EVENT(tracker);
	}
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 3 << 8);
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(child_is_any());
	pidtrack_free(tracker);
}

TEST(a_stop_makes_the_descriptor_readable)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;

	process = shim_start_at(_metadata, tracker, &gate, 3);
	ASSERT_EQ(0, pidtrack_process_notify(process, STOPPED | CONTINUED));
	ASSERT_EQ(0, pidtrack_process_signal(process, SIGSTOP));
	while (pidtrack_fd(tracker) >= 0) {
		const struct pidtrack_event *event;
		int r;

		ASSERT_TRUE(tracker_await(tracker));
		r = pidtrack_next(tracker, &event);
		ASSERT_GE(r, 0);
		if (!r)
			continue;
		ASSERT_EVENT(event, process, PIDTRACK_STOPPED, 0,
			     PIDTRACK_SOURCE_WAITED, STATUS_STOPPED(SIGSTOP));
		break;
	}
	ASSERT_EQ(0, pidtrack_process_signal(process, SIGKILL));
	ASSERT_EXITED(tracker, process, SIGKILL);
	gate_open(&gate);
	pidtrack_free(tracker);
}

TEST(the_signal_that_stopped_it_is_told)
{
	static const int numbers[] = { SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	size_t i;

	/* of a group that is not orphaned, where terminal stops count */
	process = shim_start_at(_metadata, tracker, &gate, 3);
	ASSERT_EQ(0, pidtrack_process_notify(process, STOPPED | CONTINUED));
	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		ASSERT_EQ(0, pidtrack_process_signal(process, numbers[i]));
		ASSERT_STOPPED(tracker, process, numbers[i]);
		ASSERT_EQ(0, pidtrack_process_signal(process, SIGCONT));
		ASSERT_CONTINUED(tracker, process);
	}
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 3 << 8);
	pidtrack_free(tracker);
}

TEST(nothing_is_told_of_stops_to_those_who_did_not_ask)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	siginfo_t info = { 0 };
	pid_t pid;

	process = shim_start_at(_metadata, tracker, &gate, 3);
	pid = pidtrack_process_pid(process);
	ASSERT_EQ(0, pidtrack_process_signal(process, SIGSTOP));
	await_stopped(pid, true);
	EXPECT_TRUE(tracker_stays_quiet(tracker, 100));
	ASSERT_NO_EVENT(tracker);
	/* and it is left for others to see */
	ASSERT_EQ(0, waitid(P_PID, pid, &info, WSTOPPED | WNOHANG));
	EXPECT_EQ(pid, info.si_pid);
	EXPECT_EQ(SIGSTOP, info.si_status);
	ASSERT_EQ(0, pidtrack_process_signal(process, SIGCONT));
	await_stopped(pid, false);
	ASSERT_NO_EVENT(tracker);
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 3 << 8);
	ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
}

TEST_WANTS(only_the_kinds_asked_for_are_told, proc)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	pid_t pid;

	process = shim_start_at(_metadata, tracker, &gate, 3);
	pid = pidtrack_process_pid(process);
	ASSERT_EQ(0, pidtrack_process_notify(process, CONTINUED));
	ASSERT_EQ(0, pidtrack_process_signal(process, SIGSTOP));
	await_stopped(pid, true);
	ASSERT_EQ(0, pidtrack_process_signal(process, SIGCONT));
	ASSERT_CONTINUED(tracker, process);

	ASSERT_EQ(0, pidtrack_process_notify(process, STOPPED));
	ASSERT_EQ(0, pidtrack_process_signal(process, SIGSTOP));
	ASSERT_STOPPED(tracker, process, SIGSTOP);
	ASSERT_EQ(0, pidtrack_process_signal(process, SIGCONT));
	await_stopped(pid, false);
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 3 << 8);
	ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
}

TEST(asking_for_nothing_ends_it)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	int i;

	process = shim_start_at(_metadata, tracker, &gate, 3);
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, pidtrack_process_notify(process,
						     STOPPED | CONTINUED));
		ASSERT_EQ(0, pidtrack_process_signal(process, SIGSTOP));
		ASSERT_STOPPED(tracker, process, SIGSTOP);
		ASSERT_EQ(0, pidtrack_process_signal(process, SIGCONT));
		ASSERT_CONTINUED(tracker, process);

		ASSERT_EQ(0, pidtrack_process_notify(process, 0));
		ASSERT_EQ(0, pidtrack_process_signal(process, SIGSTOP));
		await_stopped(pidtrack_process_pid(process), true);
		ASSERT_NO_EVENT(tracker);
		ASSERT_EQ(0, pidtrack_process_signal(process, SIGCONT));
		await_stopped(pidtrack_process_pid(process), false);
		ASSERT_NO_EVENT(tracker);
	}
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 3 << 8);
	ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
}

TEST(one_killed_while_stopped_is_told_after_its_stop)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;

	process = shim_start_at(_metadata, tracker, &gate, 3);
	ASSERT_EQ(0, pidtrack_process_notify(process, STOPPED | CONTINUED));
	ASSERT_EQ(0, pidtrack_process_signal(process, SIGSTOP));
	ASSERT_STOPPED(tracker, process, SIGSTOP);
	ASSERT_EQ(0, pidtrack_process_signal(process, SIGKILL));
	ASSERT_EXITED(tracker, process, SIGKILL);
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(child_is_any());
	gate_open(&gate);
	pidtrack_free(tracker);
}

/* Whether its stop is told depends on who looked first; its end comes last. */
TEST(one_stopped_and_killed_before_anybody_looked_is_told_truly)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	const struct pidtrack_event *event;

	process = shim_start_at(_metadata, tracker, &gate, 3);
	ASSERT_EQ(0, pidtrack_process_notify(process, STOPPED | CONTINUED));
	ASSERT_EQ(0, pidtrack_process_signal(process, SIGSTOP));
	await_stopped(pidtrack_process_pid(process), true);
	ASSERT_EQ(0, pidtrack_process_signal(process, SIGKILL));
	process_await_exit(process);
	ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
	if (event->kind == PIDTRACK_STOPPED) {
		EXPECT_EQ(STATUS_STOPPED(SIGSTOP), event->status);
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
	}
	ASSERT_EVENT(event, process, PIDTRACK_EXITED, PIDTRACK_EVENT_LAST,
		     PIDTRACK_SOURCE_WAITED, SIGKILL);
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(child_is_any());
	gate_open(&gate);
	pidtrack_free(tracker);
}

TEST(several_shims_are_told_each_of_its_own)
{
	enum { N = 25 };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *processes[N];
	const struct pidtrack_event *event;
	int i, j, told[N];

	for (i = 0; i < N; i++) {
		processes[i] = shim_start_at(_metadata, tracker, &gate, i);
		pidtrack_process_set_userdata(processes[i], &told[i]);
		ASSERT_EQ(0, pidtrack_process_notify(processes[i],
						     STOPPED | CONTINUED));
	}
	for (j = 0; j < 4; j++) {
		memset(told, 0, sizeof(told));
		for (i = 0; i < N; i++)
			ASSERT_EQ(0, pidtrack_process_signal(processes[i],
							     j % 2 ? SIGCONT :
								     SIGSTOP));
		for (i = 0; i < N; i++) {
			ASSERT_EQ(1,
				  pidtrack_wait(tracker, awhile_ms(), &event));
			EXPECT_EQ(j % 2 ? PIDTRACK_CONTINUED : PIDTRACK_STOPPED,
				  event->kind);
			(*(int *)pidtrack_process_userdata(event->process))++;
		}
		for (i = 0; i < N; i++)
			EXPECT_EQ(1, told[i]);
		ASSERT_NO_EVENT(tracker);
	}
	gate_open(&gate);
	for (i = 0; i < N; i++) {
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		j = (int)((int *)pidtrack_process_userdata(event->process) -
			  told);
		ASSERT_EVENT(event, processes[j], PIDTRACK_EXITED,
			     PIDTRACK_EVENT_LAST, PIDTRACK_SOURCE_WAITED,
			     j << 8);
	}
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(child_is_any());
	pidtrack_free(tracker);
}

TEST(a_shim_already_stopped_when_it_is_asked_for_is_told)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;

	process = shim_start_at(_metadata, tracker, &gate, 3);
	ASSERT_EQ(0, pidtrack_process_signal(process, SIGSTOP));
	await_stopped(pidtrack_process_pid(process), true);
	ASSERT_EQ(0, pidtrack_process_notify(process, STOPPED | CONTINUED));
	ASSERT_STOPPED(tracker, process, SIGSTOP);
	ASSERT_EQ(0, pidtrack_process_signal(process, SIGCONT));
	ASSERT_CONTINUED(tracker, process);
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 3 << 8);
	pidtrack_free(tracker);
}

TEST(a_child_attached_can_be_asked_for_too)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	struct child child;

	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, pidtrack_attach(tracker, child.pid, 0, 0, &process));
	ASSERT_EQ(0, pidtrack_process_notify(process, STOPPED));
	ASSERT_EQ(0, child_signal(&child, SIGSTOP));
	ASSERT_STOPPED(tracker, process, SIGSTOP);
	ASSERT_EQ(0, child_signal(&child, SIGKILL));
	ASSERT_EXITED(tracker, process, SIGKILL);
	child_close(&child);
	pidtrack_free(tracker);
}

/* As with fs.epoll.max_user_watches used up; on a ring it does not matter. */
TEST(where_nothing_more_can_be_watched_stops_and_ends_are_told)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process, *other;
	bool on_ring = tracker_is_on_ring(tracker);

	ASSERT_EQ(0,
		  seccomp_refuse_bits(SYS_epoll_ctl, 1, EPOLL_CTL_ADD, ENOSPC));
	process = shim_start_at(_metadata, tracker, &gate, 3);
	other = shim_start_at(_metadata, tracker, &gate, 4);
	EXPECT_EQ(on_ring ? 0 : 2, tracker_statistics(tracker).unwatched);
	ASSERT_EQ(0, pidtrack_process_notify(process, STOPPED | CONTINUED));
	ASSERT_EQ(0, pidtrack_process_notify(process, STOPPED));
	ASSERT_EQ(0, pidtrack_process_signal(process, SIGSTOP));
	ASSERT_STOPPED(tracker, process, SIGSTOP);
	ASSERT_EQ(0, pidtrack_process_signal(process, SIGCONT));
	ASSERT_EQ(0, pidtrack_process_notify(process, 0));
	pidtrack_process_free(other);
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 3 << 8);
	ASSERT_NO_EVENT(tracker);
	pidtrack_process_free(process);
	while (child_is_any())
		ASSERT_NO_EVENT(tracker);
	EXPECT_EQ(0, tracker_statistics(tracker).unwatched);
	pidtrack_free(tracker);
}

TEST(freeing_one_asked_for_leaves_nothing)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	int64_t until = now_ms() + awhile_ms();
	int i, pidfd;

	for (i = 0; i < 5; i++) {
		process = shim_start_at(_metadata, tracker, &gate, 3);
		ASSERT_EQ(0, pidtrack_process_notify(process,
						     STOPPED | CONTINUED));
		pidfd = dup(pidtrack_process_pidfd(process));
		ASSERT_EQ(0, pidtrack_process_signal(process, SIGSTOP));
		await_stopped(pidtrack_process_pid(process), true);
		pidtrack_process_free(process);
		ASSERT_NO_EVENT(tracker);
		ASSERT_EQ(0, syscall(SYS_pidfd_send_signal, pidfd, SIGKILL,
				     NULL, 0));
		close(pidfd);
	}
	while (child_is_any()) {
		ASSERT_LT(now_ms(), until);
		await_fd(pidtrack_fd(tracker), POLLIN, 50);
		ASSERT_NO_EVENT(tracker);
	}
	gate_open(&gate);
	pidtrack_free(tracker);
}

/* ---- where there is nothing to tell, or not yet ---- */

/*
 * Nothing is told, and not over and over: the ring waits, and wakes nobody;
 * without one it is looked at every 50 ms.
 */
static void check_quiet(struct __test_metadata *_metadata,
			struct pidtrack *tracker)
{
	uint64_t syscalls;

	ASSERT_NO_EVENT(tracker);
	if (!tracker_is_on_ring(tracker))
		return;
	EXPECT_TRUE(tracker_stays_quiet(tracker, 100));
	syscalls = tracker_statistics(tracker).syscalls;
	ASSERT_NO_EVENT(tracker);
	EXPECT_LE(tracker_statistics(tracker).syscalls - syscalls, 2);
}

/* Is told of, as often as it happens, and its end too. */
static void check_told(struct __test_metadata *_metadata,
		       struct pidtrack *tracker,
		       struct pidtrack_process *process)
{
	int i;

	for (i = 0; i < 3; i++) {
		check_quiet(_metadata, tracker);
		ASSERT_EQ(0, pidtrack_process_signal(process, SIGSTOP));
		ASSERT_STOPPED(tracker, process, SIGSTOP);
		check_quiet(_metadata, tracker);
		ASSERT_EQ(0, pidtrack_process_signal(process, SIGCONT));
		ASSERT_CONTINUED(tracker, process);
	}
	check_quiet(_metadata, tracker);
	ASSERT_EQ(0, pidtrack_process_signal(process, SIGKILL));
	ASSERT_EXITED(tracker, process, SIGKILL);
	ASSERT_NO_EVENT(tracker);
}

TEST(a_child_attached_by_a_pidfd_that_does_not_block_is_told)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	struct child child;

	ASSERT_EQ(0, child_start(&child));
	if (fcntl(child.pidfd, F_SETFL, O_NONBLOCK) < 0) {
		child_end(&child);
		pidtrack_free(tracker);
		SKIP(return, "no PIDFD_NONBLOCK, Linux < 5.10");
	}
	ASSERT_EQ(0, pidtrack_attach_pidfd(tracker, child.pidfd, 0, &process));
	ASSERT_EQ(0, pidtrack_process_notify(process, STOPPED | CONTINUED));
	check_told(_metadata, tracker, process);
	child_close(&child);
	pidtrack_free(tracker);
}

/* As the loops of some languages do with all that they are given. */
TEST(a_shim_whose_pidfd_the_host_made_nonblocking_is_told)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;

	process = shim_start_at(_metadata, tracker, &gate, 3);
	if (fcntl(pidtrack_process_pidfd(process), F_SETFL, O_NONBLOCK) < 0) {
		gate_open(&gate);
		ASSERT_EXITED(tracker, process, 3 << 8);
		pidtrack_free(tracker);
		SKIP(return, "no PIDFD_NONBLOCK, Linux < 5.10");
	}
	ASSERT_EQ(0, pidtrack_process_notify(process, STOPPED | CONTINUED));
	check_told(_metadata, tracker, process);
	gate_open(&gate);
	pidtrack_free(tracker);
}

/* What was made so while it was waited for already. */
TEST(a_pidfd_may_become_nonblocking_later)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;

	process = shim_start_at(_metadata, tracker, &gate, 3);
	ASSERT_EQ(0, pidtrack_process_notify(process, STOPPED | CONTINUED));
	ASSERT_NO_EVENT(tracker);
	fcntl(pidtrack_process_pidfd(process), F_SETFL, O_NONBLOCK);
	check_told(_metadata, tracker, process);
	gate_open(&gate);
	pidtrack_free(tracker);
}

/*
 * As a handler of SIGCHLD does that waits for whomever it finds: the ring has
 * seen the stop by then, for whatever else was asked of it.
 */
TEST_WANTS(what_the_host_took_itself_is_not_told_but_what_follows_is, proc)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process, *other;
	pid_t pid;
	int i;

	process = shim_start_at(_metadata, tracker, &gate, 3);
	other = shim_start_at(_metadata, tracker, &gate, 4);
	pid = pidtrack_process_pid(process);
	ASSERT_EQ(0, pidtrack_process_notify(process, STOPPED | CONTINUED));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, pidtrack_process_signal(process, SIGSTOP));
		await_stopped(pid, true);
		ASSERT_EQ(0,
			  pidtrack_process_notify(other, i % 2 ? 0 : STOPPED));
		ASSERT_EQ(pid, waitpid(pid, NULL, WUNTRACED));
		ASSERT_NO_EVENT(tracker);
		check_quiet(_metadata, tracker);
		ASSERT_EQ(0, pidtrack_process_signal(process, SIGCONT));
		ASSERT_CONTINUED(tracker, process);
		check_quiet(_metadata, tracker);
	}
	pidtrack_process_free(other);
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 3 << 8);
	while (child_is_any())
		ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
}

/* 0, with the tracee stopped and waited for; or what ptrace(2) said. */
static int trace_stopped(pid_t pid)
{
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0)
		return -errno;
	if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0)
		return -errno;
	return waitpid(pid, NULL, __WALL) < 0 ? -errno : 0;
}

/* Whom one traces one waits for, as for a child of one's own; for a while. */
TEST(one_that_is_only_traced_is_told_no_stops)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	struct foreign foreign;
	int r;

	ASSERT_EQ(0, foreign_start(&foreign));
	r = trace_stopped(foreign.child.pid);
	if (r == -EPERM) {
		foreign_end(&foreign);
		pidtrack_free(tracker);
		SKIP(return, "not allowed to trace");
	}
	ASSERT_EQ(0, r);
	ASSERT_EQ(0,
		  pidtrack_attach(tracker, foreign.child.pid, 0, 0, &process));
	EXPECT_EQ(-ECHILD, pidtrack_process_notify(process, STOPPED));
	ASSERT_NO_EVENT(tracker);
	ASSERT_EQ(0, ptrace(PTRACE_DETACH, foreign.child.pid, NULL, NULL));
	EXPECT_EQ(-ECHILD, pidtrack_process_notify(process, STOPPED));
	ASSERT_NO_EVENT(tracker);
	EXPECT_TRUE(tracker_stays_quiet(tracker, 100));
	foreign_end(&foreign);
	pidtrack_free(tracker);
}

TEST(what_cannot_be_told_is_refused)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	struct foreign foreign;

	process = shim_start_at(_metadata, tracker, &gate, 3);
	EXPECT_EQ(-EINVAL, pidtrack_process_notify(process, 1));
	EXPECT_EQ(-EINVAL,
		  pidtrack_process_notify(process, 1U << PIDTRACK_EXITED));
	EXPECT_EQ(-EINVAL, pidtrack_process_notify(
				   process, STOPPED | 1U << PIDTRACK_REAPED));
	EXPECT_EQ(-EINVAL, pidtrack_process_notify(process, 1U << 31));
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 3 << 8);
	EXPECT_EQ(-ESRCH, pidtrack_process_notify(process, STOPPED));
	ASSERT_NO_EVENT(tracker);
	EXPECT_EQ(-ESRCH, pidtrack_process_notify(process, STOPPED));

	ASSERT_EQ(0, foreign_start(&foreign));
	ASSERT_EQ(0,
		  pidtrack_attach(tracker, foreign.child.pid, 0, 0, &process));
	EXPECT_EQ(-ECHILD, pidtrack_process_notify(process, STOPPED));
	ASSERT_EQ(0, child_signal(&foreign.child, SIGSTOP));
	await_stopped(foreign.child.pid, true);
	ASSERT_NO_EVENT(tracker);
	foreign_end(&foreign);
	pidtrack_free(tracker);
}

TEST_HARNESS_MAIN
