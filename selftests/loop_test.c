/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* The one descriptor in a host's loop, and the call that waits. */
#include <pthread.h>
#include <sys/epoll.h>

#include "tracked.h"

/* ---- the descriptor ---- */

TEST(the_descriptor_is_readable_while_events_are_left_and_only_then)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *processes[3];
	const struct pidtrack_event *event;
	int i;

	for (i = 0; i < 3; i++)
		processes[i] = shim_start_at(_metadata, tracker, &gate, i);
	EXPECT_FALSE(tracker_is_readable(tracker));
	gate_open(&gate);
	for (i = 0; i < 3; i++)
		process_await_exit(processes[i]);
	ASSERT_TRUE(tracker_await(tracker));
	ASSERT_TRUE(tracker_is_readable(tracker));
	for (i = 0; i < 3; i++) {
		EXPECT_TRUE(tracker_await(tracker));
		ASSERT_EQ(1, pidtrack_next(tracker, &event));
	}
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(tracker_is_readable(tracker));
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(tracker_is_readable(tracker));
	pidtrack_free(tracker);
}

TEST(the_descriptor_is_readable_for_an_end_after_every_other)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	int i, fd = pidtrack_fd(tracker);
	struct pidtrack_process *process;
	const struct pidtrack_event *event;
	int r;

	for (i = 0; i < 300; i++) {
		process = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
				     SHIM("exit", "0"));
		ASSERT_TRUE(tracker_await(tracker));
		while ((r = pidtrack_next(tracker, &event)) == 0)
			ASSERT_TRUE(tracker_await(tracker));
		ASSERT_EQ(1, r);
		ASSERT_EVENT(event, process, PIDTRACK_EXITED,
			     PIDTRACK_EVENT_LAST, PIDTRACK_SOURCE_WAITED, 0);
		ASSERT_NO_EVENT(tracker);
		ASSERT_FALSE(tracker_is_readable(tracker));
		pidtrack_process_free(process);
		ASSERT_EQ(fd, pidtrack_fd(tracker));
	}
	pidtrack_free(tracker);
}

TEST(a_child_that_ended_before_it_was_attached_makes_it_readable)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	struct child child;

	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, child_exit(&child, 6));
	ASSERT_EQ(0, child_await_exit(&child));
	ASSERT_EQ(0, pidtrack_attach(tracker, child.pid, 0, 0, &process));
	ASSERT_TRUE(tracker_await(tracker));
	ASSERT_EXITED(tracker, process, 6 << 8);
	ASSERT_NO_EVENT(tracker);
	child_close(&child);
	pidtrack_free(tracker);
}

TEST(an_idle_tracker_is_not_readable)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;

	EXPECT_FALSE(tracker_is_readable(tracker));
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(tracker_is_readable(tracker));
	process = shim_start_at(_metadata, tracker, &gate, 0);
	EXPECT_EQ(0, await_fd(pidtrack_fd(tracker), POLLIN, 100));
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(tracker_is_readable(tracker));
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 0);
	pidtrack_free(tracker);
}

/* Go's, for one, takes no other. */
TEST(the_descriptor_is_one_that_every_loop_takes)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_registry *registry;

	EXPECT_TRUE(fcntl(pidtrack_fd(tracker), F_GETFL) & O_NONBLOCK);
	ASSERT_EQ(0, pidtrack_registry_open("/", PIDTRACK_REGISTRY_FOLLOW,
					    &registry));
	EXPECT_TRUE(fcntl(pidtrack_registry_fd(registry), F_GETFL) &
		    O_NONBLOCK);
	pidtrack_registry_free(registry);
	pidtrack_free(tracker);
}

TEST(it_works_inside_the_hosts_epoll)
{
	struct epoll_event interest = { .events = EPOLLIN }, ready;
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	int i, epoll = epoll_create1(EPOLL_CLOEXEC);
	struct pidtrack_process *processes[5];
	const struct pidtrack_event *event;

	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, pidtrack_fd(tracker),
			       &interest));
	for (i = 0; i < 5; i++)
		processes[i] = shim_start_at(_metadata, tracker, &gate, i);
	EXPECT_EQ(0, epoll_wait(epoll, &ready, 1, 0));
	gate_open(&gate);
	for (i = 0; i < 5; i++)
		process_await_exit(processes[i]);
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(1, epoll_wait(epoll, &ready, 1, awhile_ms()));
		EXPECT_EQ(EPOLLIN, ready.events);
		ASSERT_EQ(1, pidtrack_next(tracker, &event));
	}
	ASSERT_NO_EVENT(tracker);
	EXPECT_EQ(0, epoll_wait(epoll, &ready, 1, 0));
	close(epoll);
	pidtrack_free(tracker);
}

/* As a host with EPOLLET does: it asks until there is no more. */
TEST(it_works_inside_an_edge_triggered_epoll)
{
	struct epoll_event interest = { .events = EPOLLIN | EPOLLET }, ready;
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	int i, epoll = epoll_create1(EPOLL_CLOEXEC);
	const struct pidtrack_event *event;

	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, pidtrack_fd(tracker),
			       &interest));
	for (i = 0; i < 100; i++) {
		int n = 0;

		shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
			   SHIM("exit", "0"));
		while (!n) {
			ASSERT_EQ(1, epoll_wait(epoll, &ready, 1, awhile_ms()));
			while (pidtrack_next(tracker, &event) == 1)
				n++;
		}
		ASSERT_EQ(1, n);
	}
	close(epoll);
	pidtrack_free(tracker);
}

/* ---- waiting ---- */

TEST(waiting_gives_up_when_the_time_is_up)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	const struct pidtrack_event *event;
	int64_t start;

	start = now_ms();
	EXPECT_EQ(0, pidtrack_wait(tracker, 80, &event));
	EXPECT_GE(now_ms() - start, 79);

	process = shim_start_at(_metadata, tracker, &gate, 0);
	start = now_ms();
	EXPECT_EQ(0, pidtrack_wait(tracker, 80, &event));
	EXPECT_GE(now_ms() - start, 79);
	EXPECT_LT(now_ms() - start, awhile_ms());
	start = now_ms();
	EXPECT_EQ(0, pidtrack_wait(tracker, 0, &event));
	EXPECT_LT(now_ms() - start, awhile_ms());
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 0);
	pidtrack_free(tracker);
}

TEST(waiting_for_no_time_takes_what_is_there)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	const struct pidtrack_event *event;

	process = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
			     SHIM("exit", "4"));
	process_await_exit(process);
	ASSERT_EQ(1, pidtrack_wait(tracker, 0, &event));
	ASSERT_EVENT(event, process, PIDTRACK_EXITED, PIDTRACK_EVENT_LAST,
		     PIDTRACK_SOURCE_WAITED, 4 << 8);
	pidtrack_free(tracker);
}

/* Does something to a thread as soon as that sleeps. */
struct waker {
	pthread_t thread;
	pthread_t whom;
	pid_t whom_id;
	struct gate *gate; /* opened, if not NULL */
	int signal;	   /* sent again until @woken, if not 0 */
	int woken;
};

static void *waker_run(void *arg)
{
	struct waker *waker = arg;

	thread_await_asleep(waker->whom_id);
	if (waker->gate)
		gate_open(waker->gate);
	while (waker->signal &&
	       !__atomic_load_n(&waker->woken, __ATOMIC_SEQ_CST)) {
		pthread_kill(waker->whom, waker->signal);
		thread_await_asleep(waker->whom_id);
	}
	return NULL;
}

static void waker_start(struct waker *waker)
{
	waker->whom = pthread_self();
	waker->whom_id = thread_id();
	pthread_create(&waker->thread, NULL, waker_run, waker);
}

static void waker_end(struct waker *waker)
{
	__atomic_store_n(&waker->woken, 1, __ATOMIC_SEQ_CST);
	pthread_join(waker->thread, NULL);
}

TEST(waiting_for_ever_sees_what_happens_meanwhile)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct waker waker = { .gate = &gate };
	struct pidtrack_process *process;
	const struct pidtrack_event *event;

	process = shim_start_at(_metadata, tracker, &gate, 8);
	waker_start(&waker);
	ASSERT_EQ(1, pidtrack_wait(tracker, -1, &event));
	waker_end(&waker);
	ASSERT_EVENT(event, process, PIDTRACK_EXITED, PIDTRACK_EVENT_LAST,
		     PIDTRACK_SOURCE_WAITED, 8 << 8);
	pidtrack_free(tracker);
}

TEST(polling_for_ever_sees_what_happens_meanwhile)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct waker waker = { .gate = &gate };
	struct pidtrack_process *process;

	process = shim_start_at(_metadata, tracker, &gate, 8);
	waker_start(&waker);
	ASSERT_EQ(POLLIN, await_fd(pidtrack_fd(tracker), POLLIN, -1));
	waker_end(&waker);
	ASSERT_EXITED(tracker, process, 8 << 8);
	pidtrack_free(tracker);
}

static void nothing(int number)
{
}

static void check_interrupted(struct __test_metadata *_metadata, int flags,
			      int timeout_ms)
{
	struct sigaction action = { .sa_handler = nothing, .sa_flags = flags };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct waker waker = { .signal = SIGUSR1 };
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	const struct pidtrack_event *event;

	sigaction(SIGUSR1, &action, NULL);
	process = shim_start_at(_metadata, tracker, &gate, 2);
	waker_start(&waker);
	EXPECT_EQ(-EINTR, pidtrack_wait(tracker, timeout_ms, &event));
	waker_end(&waker);
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 2 << 8);
	pidtrack_free(tracker);
}

TEST(waiting_ends_when_a_handler_of_the_hosts_ran)
{
	check_interrupted(_metadata, 0, -1);
}

TEST(waiting_ends_when_a_handler_that_restarts_ran)
{
	check_interrupted(_metadata, SA_RESTART, -1);
}

TEST(waiting_some_time_ends_when_a_handler_ran)
{
	check_interrupted(_metadata, 0, awhile_ms());
}

/* ---- names ---- */

TEST(what_is_told_has_a_name)
{
	uint32_t i;

	for (i = PIDTRACK_EXITED; i <= PIDTRACK_CONTINUED; i++)
		EXPECT_STRNE("unknown", pidtrack_event_name(i));
	for (i = PIDTRACK_STATE_RUNNING; i <= PIDTRACK_STATE_REAPED; i++)
		EXPECT_STRNE("unknown", pidtrack_state_name(i));
	EXPECT_STREQ("waited", pidtrack_source_name(PIDTRACK_SOURCE_WAITED));
	EXPECT_STREQ("recovered",
		     pidtrack_source_name(PIDTRACK_SOURCE_RECOVERED));
	EXPECT_STREQ("unknown", pidtrack_source_name(PIDTRACK_SOURCE_UNKNOWN));
	EXPECT_STREQ("unknown", pidtrack_source_name(4711));
	EXPECT_STREQ("unknown", pidtrack_event_name(0));
	EXPECT_STREQ("unknown", pidtrack_event_name(UINT32_MAX));
	EXPECT_STREQ("unknown", pidtrack_state_name(0));
}

TEST_HARNESS_MAIN
