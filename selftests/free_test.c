/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Letting go: of one process, of the tracker, at any moment of their lives. */
#include "tracked.h"

/*
 * Until the kernel has no child of ours left, as a host would wait for it: only
 * when the descriptor says so.  Nothing may be told meanwhile.
 */
static void await_childless(struct __test_metadata *_metadata,
			    struct pidtrack *tracker)
{
	int64_t until = now_ms() + awhile_ms();

	while (child_is_any()) {
		ASSERT_LT(now_ms(), until);
		await_fd(pidtrack_fd(tracker), POLLIN, 50);
		ASSERT_NO_EVENT(tracker);
	}
}

TEST(freeing_nothing_is_fine)
{
	EXPECT_NULL(pidtrack_free(NULL));
	EXPECT_NULL(pidtrack_process_free(NULL));
}

/* ---- one process ---- */

TEST(a_freed_shim_runs_on_and_is_reaped_in_silence_when_it_ends)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	struct pidtrack_statistics statistics;
	int pidfd;

	process = shim_start_at(_metadata, tracker, &gate, 1);
	pidfd = dup(pidtrack_process_pidfd(process));
	EXPECT_NULL(pidtrack_process_free(process));
	statistics = tracker_statistics(tracker);
	EXPECT_EQ(0, statistics.tracked);
	ASSERT_NO_EVENT(tracker);
	EXPECT_EQ(0, syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0));

	gate_open(&gate);
	await_fd(pidfd, POLLIN, -1);
	await_childless(_metadata, tracker);
	EXPECT_TRUE(pidfd_is_reaped(pidfd));
	close(pidfd);
	pidtrack_free(tracker);
}

TEST(a_shim_freed_after_it_ended_and_before_that_was_told_is_reaped)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;

	process = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
			     SHIM("exit", "0"));
	process_await_exit(process);
	pidtrack_process_free(process);
	await_childless(_metadata, tracker);
	pidtrack_free(tracker);
}

TEST(a_shim_freed_when_its_descriptor_was_readable_is_never_told)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;

	process = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
			     SHIM("exit", "0"));
	ASSERT_TRUE(tracker_await(tracker));
	pidtrack_process_free(process);
	await_childless(_metadata, tracker);
	EXPECT_FALSE(tracker_is_readable(tracker));
	pidtrack_free(tracker);
}

TEST(a_shim_freed_with_its_last_event_in_hand_is_reaped_by_the_next_call)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	int i;

	for (i = 0; i < 50; i++) {
		process = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
				     SHIM("exit", "5"));
		ASSERT_EXITED(tracker, process, 5 << 8);
		pidtrack_process_free(process);
		ASSERT_NO_EVENT(tracker);
		ASSERT_FALSE(child_is_any());
	}
	pidtrack_free(tracker);
}

TEST(freeing_one_leaves_the_others_as_they_are)
{
	enum { N = 30 };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *processes[N];
	struct gate gate = gate_make(_metadata);
	const struct pidtrack_event *event;
	bool told[N] = { false };
	intptr_t number;
	int i;

	for (i = 0; i < N; i++) {
		processes[i] = shim_start_at(_metadata, tracker, &gate, i);
		pidtrack_process_set_userdata(processes[i],
					      (void *)(intptr_t)i);
	}
	for (i = 0; i < N; i += 3) /* before they end */
		pidtrack_process_free(processes[i]);
	gate_open(&gate);
	for (i = 0; i < N; i++)
		if (i % 3)
			process_await_exit(processes[i]);
	for (i = 1; i < N; i += 3) /* after, untold */
		pidtrack_process_free(processes[i]);
	for (i = 2; i < N; i += 3) {
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		number = (intptr_t)pidtrack_process_userdata(event->process);
		ASSERT_EQ(2, number % 3);
		ASSERT_FALSE(told[number]);
		told[number] = true;
		ASSERT_EVENT(event, processes[number], PIDTRACK_EXITED,
			     PIDTRACK_EVENT_LAST, PIDTRACK_SOURCE_WAITED,
			     (int)number << 8);
	}
	await_childless(_metadata, tracker);
	pidtrack_free(tracker);
}

/* A late word of one that was freed is not taken for one of its successor. */
TEST(the_end_of_a_freed_shim_is_never_told_of_the_next)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	struct gate gate;
	int i;

	for (i = 0; i < 100; i++) {
		process = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
				     SHIM("exit", "1"));
		process_await_exit(process);
		pidtrack_process_free(process);

		gate = gate_make(_metadata);
		process = shim_start_at(_metadata, tracker, &gate, 2);
		ASSERT_NO_EVENT(tracker);
		ASSERT_EQ(PIDTRACK_STATE_RUNNING,
			  pidtrack_process_state(process));
		gate_open(&gate);
		ASSERT_EXITED(tracker, process, 2 << 8);
		pidtrack_process_free(process);
	}
	await_childless(_metadata, tracker);
	pidtrack_free(tracker);
}

TEST(a_process_that_is_not_a_child_is_freed_and_not_touched)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	struct foreign foreign;

	ASSERT_EQ(0, foreign_start(&foreign));
	ASSERT_EQ(0,
		  pidtrack_attach(tracker, foreign.child.pid, 0, 0, &process));
	pidtrack_process_free(process);
	ASSERT_NO_EVENT(tracker);
	ASSERT_EQ(0, child_exit(&foreign.child, 7));
	ASSERT_EQ(0, child_await_exit(&foreign.child));
	ASSERT_NO_EVENT(tracker);
	EXPECT_EQ(7 << 8, foreign_reap(&foreign));
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(tracker_is_readable(tracker));
	foreign_end(&foreign);
	pidtrack_free(tracker);
}

TEST(one_freed_between_its_end_and_its_reaping_tells_nothing_more)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	struct foreign foreign;

	if (!reaping_is_told()) {
		pidtrack_free(tracker);
		SKIP(return, "reaping by others is not told before Linux 6.9");
	}
	ASSERT_EQ(0, foreign_start(&foreign));
	ASSERT_EQ(0,
		  pidtrack_attach(tracker, foreign.child.pid, 0, 0, &process));
	ASSERT_EQ(0, child_exit(&foreign.child, 7));
	ASSERT_NEXT(tracker, process, PIDTRACK_EXITED, 0,
		    PIDTRACK_SOURCE_UNKNOWN, -1);
	pidtrack_process_free(process);
	EXPECT_EQ(7 << 8, foreign_reap(&foreign));
	ASSERT_NO_EVENT(tracker);
	EXPECT_EQ(0, await_fd(pidtrack_fd(tracker), POLLIN, 50));
	foreign_end(&foreign);
	pidtrack_free(tracker);
}

/*
 * Its end is known to the kernel's queue already, behind others', when it is
 * freed; by then it is our child, and nobody's but ours.
 */
static void check_freed_late(struct __test_metadata *_metadata, bool again)
{
	enum { N = 3 };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process, *first;
	const struct pidtrack_event *event;
	struct child before[N];
	struct foreign foreign;
	int i, told = 0;

	ASSERT_EQ(0, foreign_start(&foreign));
	ASSERT_EQ(0,
		  pidtrack_attach(tracker, foreign.child.pid, 0, 0, &process));
	for (i = 0; i < N; i++) {
		ASSERT_EQ(0, child_start(&before[i]));
		ASSERT_EQ(0, pidtrack_attach(tracker, before[i].pid, 0,
					     PIDTRACK_ATTACH_OBSERVE, &first));
	}
	ASSERT_NO_EVENT(tracker);
	ASSERT_EQ(0, foreign_orphan(&foreign));
	for (i = 0; i < N; i++) {
		ASSERT_EQ(0, child_exit(&before[i], 1));
		ASSERT_EQ(0, child_await_exit(&before[i]));
	}
	ASSERT_EQ(0, child_exit(&foreign.child, 6));
	ASSERT_EQ(0, child_await_exit(&foreign.child));
	ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
	ASSERT_NE((void *)process, (void *)event->process);

	pidtrack_process_free(process);
	if (again)
		ASSERT_EQ(0,
			  pidtrack_attach(tracker, foreign.child.pid, 0,
					  PIDTRACK_ATTACH_OBSERVE, &process));
	while (pidtrack_wait(tracker, again && !told ? awhile_ms() : 100,
			     &event) > 0)
		told += event->process == process;
	EXPECT_EQ(again ? 1 : 0, told);
	EXPECT_EQ(6 << 8, child_reap(&foreign.child));
	child_close(&foreign.child);
	for (i = 0; i < N; i++)
		child_end(&before[i]);
	pidtrack_free(tracker);
}

TEST(one_that_became_our_child_and_was_freed_is_left_to_the_host)
{
	check_freed_late(_metadata, false);
}

TEST(so_it_is_if_it_is_observed_from_then_on)
{
	check_freed_late(_metadata, true);
}

/*
 * A child of the host's that has not executed holds every descriptor open that
 * the host has had; what was closed here is not closed for the kernel.
 */
TEST(a_forked_child_that_keeps_all_descriptors_keeps_nothing_going)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *processes[4], *next;
	int i, keeper[2], pidfd;
	int64_t until_ms;
	char byte;
	pid_t pid;

	for (i = 0; i < 4; i++)
		processes[i] = shim_start_at(_metadata, tracker, &gate, i);
	ASSERT_EQ(0, pipe2(keeper, O_CLOEXEC));
	pid = fork();
	if (!pid) {
		close(gate.host);
		close(keeper[1]);
		syscall(SYS_exit_group, (int)read(keeper[0], &byte, 1));
	}
	pidfd = fcntl(pidtrack_process_pidfd(processes[3]), F_DUPFD_CLOEXEC, 3);
	ASSERT_GE(pidfd, 0);
	pidtrack_process_free(processes[3]);
	gate_open(&gate);
	for (i = 0; i < 3; i++) {
		const struct pidtrack_event *event;

		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		pidtrack_process_free(event->process);
	}
	until_ms = harness_now_ms() + awhile_ms();
	do {
		ASSERT_LT(harness_now_ms(), until_ms);
		ASSERT_NO_EVENT(tracker);
	} while (await_fd(pidtrack_fd(tracker), POLLIN, 50) & POLLIN ||
		 !pidfd_is_reaped(pidfd));
	close(pidfd);
	for (i = 0; i < 20; i++) {
		next = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
				  SHIM("exit", "8"));
		ASSERT_EXITED(tracker, next, 8 << 8);
		pidtrack_process_free(next);
		ASSERT_NO_EVENT(tracker);
		ASSERT_FALSE(tracker_is_readable(tracker));
	}
	close(keeper[0]);
	close(keeper[1]);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_FALSE(child_is_any());
	pidtrack_free(tracker);
}

/* ---- the tracker ---- */

TEST(shims_run_on_when_the_tracker_is_freed_and_the_host_can_wait_for_them)
{
	enum { N = 10 };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	struct child children[N];
	int i;

	for (i = 0; i < N; i++) {
		process = shim_start_at(_metadata, tracker, &gate, i);
		children[i].pid = pidtrack_process_pid(process);
		children[i].pidfd = dup(pidtrack_process_pidfd(process));
		children[i].socket = -1;
	}
	pidtrack_free(tracker);
	for (i = 0; i < N; i++) {
		EXPECT_EQ(0, child_signal(&children[i], 0));
		EXPECT_FALSE(pidfd_has_ended(children[i].pidfd));
	}
	gate_open(&gate);
	for (i = 0; i < N; i++) {
		EXPECT_EQ(i << 8, child_reap(&children[i]));
		child_close(&children[i]);
	}
}

TEST(an_end_untold_when_the_tracker_is_freed_is_left_to_the_host)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *told, *untold;
	struct child child = CHILD_NULL;
	int status;

	told = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
			  SHIM("exit", "1"));
	ASSERT_EXITED(tracker, told, 1 << 8);
	untold = shim_start_at(_metadata, tracker, &gate, 2);
	child.pid = pidtrack_process_pid(untold);
	gate_open(&gate);
	process_await_exit(untold);
	ASSERT_TRUE(tracker_await(tracker));
	pidtrack_free(tracker);

	/* what was handed out is reaped, what was not is there */
	EXPECT_EQ(2 << 8, child_reap(&child));
	EXPECT_EQ(-1, waitpid(-1, &status, WNOHANG));
	EXPECT_EQ(ECHILD, errno);
}

/* The tracker has seen all three by the time it hands out the first. */
TEST(ends_seen_and_untold_when_the_tracker_is_freed_are_left_to_the_host)
{
	enum { N = 5 };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *processes[N];
	const struct pidtrack_event *event;
	struct child children[N];
	pid_t handed_out;
	int i;

	for (i = 0; i < N; i++) {
		processes[i] = shim_start_at(_metadata, tracker, &gate, i);
		children[i].pid = pidtrack_process_pid(processes[i]);
	}
	gate_open(&gate);
	for (i = 0; i < N; i++)
		process_await_exit(processes[i]);
	ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
	handed_out = pidtrack_process_pid(event->process);
	pidtrack_free(tracker);
	for (i = 0; i < N; i++)
		EXPECT_EQ(children[i].pid == handed_out ? -ECHILD : i << 8,
			  child_reap(&children[i]));
}

TEST(a_tracker_with_all_sorts_of_processes_is_freed_without_a_trace)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	struct foreign foreign;
	struct child child;
	int i;

	ASSERT_EQ(0, foreign_start(&foreign));
	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0,
		  pidtrack_attach(tracker, foreign.child.pid, 0, 0, &process));
	ASSERT_EQ(0, pidtrack_attach(tracker, child.pid, 0,
				     PIDTRACK_ATTACH_OBSERVE, &process));
	ASSERT_EQ(0, pidtrack_attach(tracker, getppid(), 0, 0, &process));
	process = shim_start_at(_metadata, tracker, &gate, 0);
	ASSERT_EQ(0, pidtrack_process_notify(process, 1 << PIDTRACK_STOPPED));
	for (i = 0; i < 10; i++)
		process = shim_start_at(_metadata, tracker, &gate, 0);
	pidtrack_process_free(process);
	pidtrack_free(tracker);

	EXPECT_EQ(0, child_signal(&foreign.child, 0));
	EXPECT_EQ(0, child_signal(&child, 0));
	gate_open(&gate);
	foreign_end(&foreign);
	child_end(&child);
	while (waitpid(-1, NULL, 0) > 0)
		;
	EXPECT_EQ(ECHILD, errno);
}

TEST(trackers_do_not_know_of_each_other)
{
	struct pidtrack *one = tracker_start(_metadata, 0);
	struct pidtrack *other = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *mine, *yours;

	mine = shim_start_at(_metadata, one, &gate, 1);
	yours = shim_start_at(_metadata, other, &gate, 2);
	gate_open(&gate);
	process_await_exit(mine);
	process_await_exit(yours);
	ASSERT_EXITED(one, mine, 1 << 8);
	ASSERT_NO_EVENT(one);
	EXPECT_EQ(0, pidtrack_process_signal(yours, 0));
	pidtrack_free(one);
	ASSERT_EXITED(other, yours, 2 << 8);
	ASSERT_NO_EVENT(other);
	pidtrack_free(other);
}

/*
 * Each takes a while to free: the kernel takes its ring apart.  It is 200 ms
 * where a sandbox refuses epoll.
 */
TEST_TIMEOUT(trackers_come_and_go_two_hundred_times, 120)
{
	int i;

	for (i = 0; i < 200; i++) {
		struct pidtrack *tracker = tracker_start(_metadata, 0);

		if (i % 10 == 0)
			ASSERT_EXITED(tracker,
				      shim_start(_metadata, tracker,
						 PIDTRACK_FD_NULL,
						 SHIM("exit", "0")),
				      0);
		pidtrack_free(tracker);
		ASSERT_FALSE(child_is_any());
	}
}

TEST_HARNESS_MAIN
