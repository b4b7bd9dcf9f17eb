/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Hosts of many, whose pidfds are parked: they are no descriptors, and for the
 * rest all is as it was.  Where nothing can be parked, on epoll, it is as it
 * was entirely.
 */
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "seccomp.h"
#include "tracked.h"

#define MANY 200
#define FEW 50	    /* descriptors that MANY processes may take */
#define BEYOND 1000 /* more than RLIMIT_NOFILE */
#define TIGHT 64    /* that limit */
#define ROOMY 300   /* one that even epoll has enough of */

/* ---- hosts ---- */

struct crowd {
	struct pidtrack *tracker;
	struct pidtrack_process *processes[BEYOND];
	bool told[BEYOND];
	struct gate gate;
	int n;
	int fds; /* before any */
};

static bool parks(const struct pidtrack *tracker)
{
	return tracker_is_on_ring(tracker) && works(PIDTRACK_FEATURE_PARK);
}

/* Up to @n that wait at one gate, each of which ends with a code of its own. */
static void crowd_grow(struct __test_metadata *_metadata, struct crowd *crowd,
		       int n)
{
	for (int i = crowd->n; i < n; i++) {
		crowd->processes[i] = shim_start_at(_metadata, crowd->tracker,
						    &crowd->gate, i % 256);
		pidtrack_process_set_userdata(crowd->processes[i],
					      (void *)(intptr_t)i);
	}
	crowd->n = n;
}

static void crowd_start(struct __test_metadata *_metadata, struct crowd *crowd,
			uint32_t flags, int n)
{
	memset(crowd, 0, sizeof(*crowd));
	crowd->tracker = tracker_start(_metadata, PIDTRACK_PARK | flags);
	crowd->gate = gate_make(_metadata);
	crowd->fds = fds_count();
	crowd_grow(_metadata, crowd, n);
}

static int index_of(const struct pidtrack_process *process)
{
	return (int)(intptr_t)pidtrack_process_userdata(process);
}

/* The ends of all that were not told yet, in any order, each once. */
static void crowd_collect(struct __test_metadata *_metadata,
			  struct crowd *crowd)
{
	const struct pidtrack_event *event;
	int n = 0;

	for (int i = 0; i < crowd->n; i++)
		n += crowd->processes[i] && !crowd->told[i];
	for (; n > 0; n--) {
		int i;

		ASSERT_EQ(1,
			  pidtrack_wait(crowd->tracker, awhile_ms(), &event));
		i = index_of(event->process);
		ASSERT_EVENT(event, crowd->processes[i], PIDTRACK_EXITED,
			     PIDTRACK_EVENT_LAST, PIDTRACK_SOURCE_WAITED,
			     (i % 256) << 8);
		ASSERT_FALSE(crowd->told[i]);
		crowd->told[i] = true;
	}
	ASSERT_NO_EVENT(crowd->tracker);
}

/* Nothing is left of it. */
static void crowd_end(struct __test_metadata *_metadata, struct crowd *crowd)
{
	EXPECT_FALSE(child_is_any());
	for (int i = 0; i < crowd->n; i++)
		pidtrack_process_free(crowd->processes[i]);
	if (crowd->gate.host >= 0)
		gate_open(&crowd->gate);
	/* the lots are the tracker's: it has them as long as it lives */
	EXPECT_GE(crowd->fds + 16, fds_count());
	pidtrack_free(crowd->tracker);
}

/* One that is parked: the last, as far as they are. */
static struct pidtrack_process *last_of(const struct crowd *crowd)
{
	return crowd->processes[crowd->n - 9];
}

/* ---- that they are parked ---- */

TEST(the_pidfds_of_many_are_few_descriptors)
{
	const int before = fds_count();
	static struct crowd crowd;

	crowd_start(_metadata, &crowd, 0, MANY);
	if (parks(crowd.tracker))
		EXPECT_GE(crowd.fds + FEW, fds_count());
	else
		EXPECT_EQ(crowd.fds + MANY, fds_count());
	gate_open(&crowd.gate);
	crowd_collect(_metadata, &crowd);
	crowd_end(_metadata, &crowd);
	EXPECT_EQ(before, fds_count());
}

TEST(without_the_flag_each_is_a_descriptor)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	const int before = fds_count();

	for (int i = 0; i < MANY; i++)
		shim_start_at(_metadata, tracker, &gate, 0);
	EXPECT_EQ(before + MANY, fds_count());
	gate_open(&gate);
	pidtrack_free(tracker);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

TEST(a_child_that_the_host_forks_has_none_of_them)
{
	static struct crowd crowd;
	int status;
	pid_t pid;

	crowd_start(_metadata, &crowd, 0, MANY);
	if (!parks(crowd.tracker))
		SKIP(goto end, "nothing is parked here");
	pid = fork();
	if (!pid) {
		bool few = fds_count() <= crowd.fds + FEW;

		few &= pidtrack_process_signal(last_of(&crowd), SIGKILL) ==
		       -ECHILD;
		few &= pidtrack_process_pidfd(last_of(&crowd)) == -ECHILD;
		pidtrack_free(crowd.tracker);
		_exit(few ? 0 : 1);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
end:
	gate_open(&crowd.gate);
	crowd_collect(_metadata, &crowd);
	crowd_end(_metadata, &crowd);
}

static void check_churn(struct __test_metadata *_metadata, uint32_t flags)
{
	static struct crowd crowd;
	const int before = fds_count();

	crowd_start(_metadata, &crowd, flags, MANY);
	for (int round = 0; round < 5; round++) {
		struct gate gate = gate_make(_metadata);

		gate_open(&crowd.gate);
		crowd_collect(_metadata, &crowd);
		for (int i = 0; i < MANY; i++)
			pidtrack_process_free(crowd.processes[i]);
		crowd.gate = gate;
		for (int i = 0; i < MANY; i++) {
			crowd.processes[i] = shim_start_at(
				_metadata, crowd.tracker, &gate, i % 256);
			pidtrack_process_set_userdata(crowd.processes[i],
						      (void *)(intptr_t)i);
			crowd.told[i] = false;
		}
	}
	gate_open(&crowd.gate);
	crowd_collect(_metadata, &crowd);
	crowd_end(_metadata, &crowd);
	EXPECT_EQ(before, fds_count());
}

TEST(those_who_come_after_have_their_places)
{
	check_churn(_metadata, 0);
}

TEST(so_they_have_with_a_thread_of_the_trackers_own)
{
	check_churn(_metadata, PIDTRACK_THREAD);
}

/* Eight are parked together; what has become of some by then is as it was. */
TEST(who_is_in_use_when_others_are_parked_stays_a_descriptor)
{
	static struct crowd crowd;
	int before, fd;

	crowd_start(_metadata, &crowd, 0, 15);
	fd = pidtrack_process_pidfd(crowd.processes[8]);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, pidtrack_process_notify(crowd.processes[9],
					     1U << PIDTRACK_STOPPED));
	ASSERT_EQ(0, pidtrack_process_signal(crowd.processes[10], SIGKILL));
	ASSERT_EXITED(crowd.tracker, crowd.processes[10], SIGKILL);
	crowd.told[10] = true; /* it is still to be reaped */
	before = fds_count();
	crowd_grow(_metadata, &crowd, 16);
	ASSERT_NO_EVENT(crowd.tracker);
	/* five of them, and where they are parked is one more */
	EXPECT_EQ(before + 1 - (parks(crowd.tracker) ? 5 - 1 : 0), fds_count());
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_FALSE(pidfd_has_ended(fd));
	ASSERT_EQ(0, pidtrack_process_signal(crowd.processes[9], SIGSTOP));
	ASSERT_NEXT(crowd.tracker, crowd.processes[9], PIDTRACK_STOPPED, 0,
		    PIDTRACK_SOURCE_WAITED, SIGSTOP << 8 | 0x7f);
	ASSERT_EQ(0, pidtrack_process_signal(crowd.processes[9], SIGCONT));
	gate_open(&crowd.gate);
	crowd_collect(_metadata, &crowd);
	EXPECT_TRUE(pidfd_is_reaped(fd));
	crowd_end(_metadata, &crowd);
}

/* Those that were to be parked are gone; who has their place now is not. */
TEST(who_comes_and_goes_before_any_is_parked_leaves_the_others_as_they_are)
{
	static struct crowd crowd;
	int before;

	crowd_start(_metadata, &crowd, 0, 17);
	before = fds_count();
	for (int i = 0; i < 7; i++) {
		struct pidtrack_process *process =
			shim_start_at(_metadata, crowd.tracker, &crowd.gate, 0);

		EXPECT_EQ(0, pidtrack_process_signal(process, SIGKILL));
		ASSERT_EXITED(crowd.tracker, process, SIGKILL);
		pidtrack_process_free(process);
		ASSERT_NO_EVENT(crowd.tracker);
	}
	/* and with the last of them the seventeenth was parked */
	EXPECT_EQ(before - parks(crowd.tracker), fds_count());
	gate_open(&crowd.gate);
	crowd_collect(_metadata, &crowd);
	crowd_end(_metadata, &crowd);
}

/* ---- more than RLIMIT_NOFILE ---- */

/* Skips where nothing is parked: then there may be no room for them. */
static void demand_parking(struct __test_metadata *_metadata)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	bool possible = parks(tracker);

	pidtrack_free(tracker);
	if (possible)
		return;
	SKIP(, "nothing is parked here");
	_metadata->completed = true;
	fflush(NULL);
	_exit(0);
}

static void crowd_start_beyond(struct __test_metadata *_metadata,
			       struct crowd *crowd)
{
	struct rlimit limit;

	demand_parking(_metadata);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = TIGHT;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	crowd_start(_metadata, crowd, 0, BEYOND);
}

TEST_WANTS(more_than_the_limit_of_descriptors_are_told_truly, limits)
{
	static struct crowd crowd;

	crowd_start_beyond(_metadata, &crowd);
	gate_open(&crowd.gate);
	crowd_collect(_metadata, &crowd);
	crowd_end(_metadata, &crowd);
}

TEST_WANTS(more_than_the_limit_of_descriptors_are_stopped, limits)
{
	const struct pidtrack_stop_step step = { SIGKILL, 60000 };
	struct pidtrack_stop_options options =
		PIDTRACK_STOP_OPTIONS(.steps = &step, .n_steps = 1);
	const struct pidtrack_event *event;
	static struct crowd crowd;

	crowd_start_beyond(_metadata, &crowd);
	for (int i = 0; i < crowd.n; i++)
		ASSERT_EQ(0,
			  pidtrack_process_stop(crowd.processes[i], &options));
	for (int i = 0; i < crowd.n; i++) {
		ASSERT_EQ(1, pidtrack_wait(crowd.tracker, awhile_ms(), &event));
		ASSERT_EVENT(event, event->process, PIDTRACK_EXITED,
			     PIDTRACK_EVENT_LAST, PIDTRACK_SOURCE_WAITED,
			     SIGKILL);
	}
	ASSERT_NO_EVENT(crowd.tracker);
	crowd_end(_metadata, &crowd);
}

TEST_WANTS(more_than_the_limit_cannot_be_handed_over_and_stay_as_they_are,
	   limits)
{
	static struct crowd crowd;
	int fd = -1, before;

	crowd_start_beyond(_metadata, &crowd);
	ASSERT_NO_EVENT(crowd.tracker);
	before = fds_count();
	EXPECT_EQ(-EMFILE, pidtrack_handoff_prepare(crowd.tracker, &fd));
	EXPECT_EQ(before, fds_count());
	gate_open(&crowd.gate);
	crowd_collect(_metadata, &crowd);
	crowd_end(_metadata, &crowd);
}

TEST_WANTS(no_more_so_when_they_have_ended, limits)
{
	const struct pidtrack_event *event;
	static struct crowd crowd;
	int fd = -1, before;

	crowd_start_beyond(_metadata, &crowd);
	gate_open(&crowd.gate);
	for (int i = 0; i < BEYOND; i++) {
		siginfo_t info;

		ASSERT_EQ(0,
			  waitid(P_PID,
				 (id_t)pidtrack_process_pid(crowd.processes[i]),
				 &info, WEXITED | WNOWAIT));
	}
	ASSERT_EQ(1, pidtrack_wait(crowd.tracker, awhile_ms(), &event));
	crowd.told[index_of(event->process)] = true;
	before = fds_count();
	EXPECT_EQ(-EMFILE, pidtrack_handoff_prepare(crowd.tracker, &fd));
	EXPECT_GE(before + 8, fds_count());
	crowd_collect(_metadata, &crowd);
	crowd_end(_metadata, &crowd);
}

/* ---- what it costs ---- */

static uint64_t calls_of(struct __test_metadata *_metadata,
			 struct pidtrack *tracker)
{
	return tracker_statistics(tracker).syscalls;
}

/* What the library's calls for @n launches are. */
static uint64_t launches_cost(struct __test_metadata *_metadata, uint32_t flags,
			      int n)
{
	struct pidtrack *tracker = tracker_start(_metadata, flags);
	struct gate gate = gate_make(_metadata);
	uint64_t before = calls_of(_metadata, tracker), after;

	for (int i = 0; i < n; i++)
		shim_start_at(_metadata, tracker, &gate, 0);
	after = calls_of(_metadata, tracker);
	gate_open(&gate);
	pidtrack_free(tracker);
	while (waitpid(-1, NULL, 0) > 0)
		;
	return after - before;
}

TEST(a_launch_costs_a_fifth_of_a_call_more)
{
	uint64_t parked = launches_cost(_metadata, PIDTRACK_PARK, MANY);

	EXPECT_LE(parked, launches_cost(_metadata, 0, MANY) + MANY / 5);
}

TEST_WANTS(an_end_costs_a_tenth_of_a_call, descriptors)
{
	static struct crowd crowd;
	const struct pidtrack_event *event;
	uint64_t before;
	int n = 0, r;

	demand_parking(_metadata);
	crowd_start(_metadata, &crowd, 0, BEYOND);
	before = calls_of(_metadata, crowd.tracker);
	gate_open(&crowd.gate);
	for (int i = 0; i < BEYOND; i++) {
		pid_t pid = pidtrack_process_pid(crowd.processes[i]);
		siginfo_t info;

		ASSERT_EQ(0,
			  waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
	}
	for (; (r = pidtrack_next(crowd.tracker, &event)) == 1; n++)
		crowd.told[index_of(event->process)] = true;
	ASSERT_EQ(0, r);
	EXPECT_EQ(BEYOND, n);
	EXPECT_LE(calls_of(_metadata, crowd.tracker) - before, BEYOND / 10);
	crowd_end(_metadata, &crowd);
}

/* ---- no descriptor left ---- */

/* The host has used up all there are. */
static int fds_exhaust(int *ret_fds, int max)
{
	int n = 0;

	while (n < max && (ret_fds[n] = dup(0)) >= 0)
		n++;
	return n;
}

/* What the host has used up, but for some. */
struct want {
	int fds[512];
	int n;
};

static void want_begin(struct __test_metadata *_metadata, struct want *want,
		       int left)
{
	want->n = fds_exhaust(want->fds, 512);
	ASSERT_LT(want->n, 512);
	while (left-- > 0)
		close(want->fds[--want->n]);
}

static void want_end(struct want *want)
{
	while (want->n > 0)
		close(want->fds[--want->n]);
}

static void limit_to(struct __test_metadata *_metadata, rlim_t n)
{
	struct rlimit limit;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = n;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
}

/* The number of what opens it is taken at once, so that there is none more. */
static void collect_in_want(struct __test_metadata *_metadata,
			    struct crowd *crowd, struct want *want)
{
	const int host = crowd->gate.host;

	crowd->gate.host = -1;
	ASSERT_EQ(host, dup2(0, host));
	crowd_collect(_metadata, crowd);
	close(host);
	close(crowd->gate.shim);
	want_end(want);
	crowd_end(_metadata, crowd);
}

TEST_WANTS(ends_are_told_while_the_host_has_no_descriptor_left, descriptors)
{
	static struct crowd crowd;
	struct want want;

	limit_to(_metadata, ROOMY);
	crowd_start(_metadata, &crowd, 0, MANY);
	ASSERT_NO_EVENT(crowd.tracker);
	want_begin(_metadata, &want, 0);
	EXPECT_EQ(0, pidtrack_process_signal(last_of(&crowd), 0));
	collect_in_want(_metadata, &crowd, &want);
}

TEST_WANTS(who_wants_a_descriptor_that_stays_does_not_get_the_last_one,
	   descriptors_and_limits)
{
	struct pidtrack_stop_options tree =
		PIDTRACK_STOP_OPTIONS(.flags = PIDTRACK_STOP_TREE);
	static struct crowd crowd;
	struct want want;

	demand_parking(_metadata);
	limit_to(_metadata, ROOMY);
	crowd_start(_metadata, &crowd, 0, MANY);
	ASSERT_NO_EVENT(crowd.tracker);
	want_begin(_metadata, &want, 0);
	EXPECT_EQ(-EMFILE, pidtrack_process_pidfd(last_of(&crowd)));
	EXPECT_EQ(-EMFILE, pidtrack_process_notify(last_of(&crowd),
						   1U << PIDTRACK_STOPPED));
	EXPECT_EQ(-EMFILE, pidtrack_process_stop(last_of(&crowd), &tree));
	EXPECT_EQ(0, pidtrack_process_signal(last_of(&crowd), 0));
	collect_in_want(_metadata, &crowd, &want);
}

/* Ended, and held by who traces it: its end takes the last one until then. */
static pid_t trace(struct __test_metadata *_metadata, pid_t pid)
{
	pid_t tracer;
	char byte;
	int fds[2];

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	tracer = fork();
	if (!tracer) {
		if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0 ||
		    write(fds[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(fds[1]);
	ASSERT_EQ(1, read(fds[0], &byte, 1));
	close(fds[0]);
	return tracer;
}

/* What was said to be sent was never sent, else. */
static void step_wants(struct __test_metadata *_metadata, uint32_t last_ms)
{
	const int time_ms = awhile_ms() / 4;
	const bool in_time = last_ms > 300;
	const struct pidtrack_stop_step steps[] = {
		{ 0, (uint32_t)time_ms },
		{ SIGKILL, last_ms },
	};
	struct pidtrack_stop_options options =
		PIDTRACK_STOP_OPTIONS(.steps = steps, .n_steps = 2);
	const struct pidtrack_event *event;
	struct pidtrack_process *process, *held;
	static struct crowd crowd;
	int64_t until_ms;
	struct want want;
	pid_t tracer;

	demand_parking(_metadata);
	SKIP_WITHOUT_TRACING();
	limit_to(_metadata, ROOMY);
	crowd_start(_metadata, &crowd, 0, MANY);
	ASSERT_NO_EVENT(crowd.tracker);
	process = last_of(&crowd);
	held = crowd.processes[MANY / 2];
	tracer = trace(_metadata, pidtrack_process_pid(held));
	ASSERT_EQ(0, pidtrack_process_stop(process, &options));
	want_begin(_metadata, &want, 0);
	ASSERT_EQ(0, kill(pidtrack_process_pid(held), SIGKILL));
	until_ms = harness_now_ms() + time_ms + 300;
	while (in_time && harness_now_ms() < until_ms)
		ASSERT_EQ(0, pidtrack_wait(crowd.tracker, 20, &event));
	if (in_time)
		want_end(&want);
	ASSERT_EQ(1, pidtrack_wait(crowd.tracker, awhile_ms(), &event));
	EXPECT_EQ(in_time ? PIDTRACK_ESCALATED : PIDTRACK_STOP_TIMED_OUT,
		  event->kind);
	EXPECT_EQ(in_time ? SIGKILL : 0, event->signal);
	EXPECT_EQ(in_time, event->reached);
	if (!in_time) {
		want_end(&want);
		EXPECT_EQ(0, pidtrack_process_signal(process, SIGKILL));
	}
	ASSERT_EXITED(crowd.tracker, process, SIGKILL);
	crowd.told[index_of(process)] = true;

	kill(tracer, SIGKILL);
	ASSERT_EQ(tracer, waitpid(tracer, NULL, 0));
	ASSERT_EXITED(crowd.tracker, held, SIGKILL);
	crowd.told[index_of(held)] = true;
	gate_open(&crowd.gate);
	crowd_collect(_metadata, &crowd);
	crowd_end(_metadata, &crowd);
}

TEST_WANTS(a_step_for_want_of_a_descriptor_is_taken_when_there_is_one,
	   descriptors)
{
	step_wants(_metadata, 60000);
}

TEST_WANTS(where_there_is_none_in_time_it_is_not_said_to_be_taken, descriptors)
{
	step_wants(_metadata, 100);
}

TEST_WANTS(nor_where_it_has_no_time, descriptors)
{
	step_wants(_metadata, 0);
}

/* Before the host has taken that of the process whose end was told. */
TEST_WANTS(another_is_held_back_once_an_end_was_told, descriptors)
{
	struct pidtrack_process *process;
	struct want want, more = { .n = 0 };
	static struct crowd crowd;

	limit_to(_metadata, ROOMY);
	crowd_start(_metadata, &crowd, 0, MANY);
	process = last_of(&crowd);
	ASSERT_NO_EVENT(crowd.tracker);
	want_begin(_metadata, &want, 0);
	EXPECT_EQ(0, pidtrack_process_signal(process, SIGKILL));
	ASSERT_EXITED(crowd.tracker, process, SIGKILL);
	crowd.told[index_of(process)] = true;
	ASSERT_NO_EVENT(crowd.tracker);
	want_begin(_metadata, &more, 0);
	EXPECT_EQ(0, pidtrack_process_signal(crowd.processes[MANY / 2], 0));
	want_end(&more);
	collect_in_want(_metadata, &crowd, &want);
}

/* Not even what is held back is of use where its number is beyond the limit. */
TEST_WANTS(under_a_lower_limit_nothing_is_lost, descriptors_and_limits)
{
	static struct crowd crowd;
	struct rlimit all;
	struct want want;

	demand_parking(_metadata);
	limit_to(_metadata, ROOMY);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &all));
	crowd_start(_metadata, &crowd, 0, MANY);
	ASSERT_NO_EVENT(crowd.tracker);
	limit_to(_metadata, 3);
	EXPECT_EQ(-EMFILE, pidtrack_process_signal(last_of(&crowd), SIGKILL));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &all));
	EXPECT_EQ(0, pidtrack_process_signal(last_of(&crowd), 0));
	/* another is held back by now */
	want_begin(_metadata, &want, 0);
	EXPECT_EQ(0, pidtrack_process_signal(last_of(&crowd), 0));
	collect_in_want(_metadata, &crowd, &want);
}

TEST(ends_under_a_lower_limit_are_told_once_it_is_higher)
{
	const struct pidtrack_event *event;
	static struct crowd crowd;
	struct rlimit all;
	int told = 0;

	demand_parking(_metadata);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &all));
	crowd_start(_metadata, &crowd, 0, MANY);
	ASSERT_NO_EVENT(crowd.tracker);
	limit_to(_metadata, 3);
	gate_open(&crowd.gate);
	for (int i = 0; i < MANY; i++) {
		siginfo_t info;

		ASSERT_EQ(0,
			  waitid(P_PID,
				 (id_t)pidtrack_process_pid(crowd.processes[i]),
				 &info, WEXITED | WNOWAIT));
	}
	/* the first few are descriptors as they are */
	while (pidtrack_next(crowd.tracker, &event) == 1) {
		crowd.told[index_of(event->process)] = true;
		told++;
	}
	EXPECT_GT(MANY, told);
	EXPECT_LE(8, told);
	EXPECT_TRUE(tracker_is_readable(crowd.tracker));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &all));
	crowd_collect(_metadata, &crowd);
	crowd_end(_metadata, &crowd);
}

/* ---- each call about one that is parked ---- */

TEST(a_parked_one_is_signalled)
{
	static struct crowd crowd;
	struct pidtrack_process *process;
	int before;

	crowd_start(_metadata, &crowd, 0, MANY);
	process = last_of(&crowd);
	ASSERT_NO_EVENT(crowd.tracker);
	before = fds_count();
	EXPECT_EQ(0, pidtrack_process_signal(process, 0));
	EXPECT_EQ(before, fds_count());
	EXPECT_EQ(0, pidtrack_process_signal(process, SIGKILL));
	ASSERT_EXITED(crowd.tracker, process, SIGKILL);
	crowd.told[index_of(process)] = true;
	gate_open(&crowd.gate);
	crowd_collect(_metadata, &crowd);
	EXPECT_EQ(-ESRCH, pidtrack_process_signal(process, 0));
	crowd_end(_metadata, &crowd);
}

TEST(its_descriptor_stays_once_the_host_has_it)
{
	static struct crowd crowd;
	struct pidtrack_process *process;
	int before, fd;

	crowd_start(_metadata, &crowd, 0, MANY);
	process = last_of(&crowd);
	ASSERT_NO_EVENT(crowd.tracker);
	before = fds_count();
	fd = pidtrack_process_pidfd(process);
	ASSERT_LE(0, fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	if (parks(crowd.tracker))
		EXPECT_EQ(before + 1, fds_count());
	EXPECT_EQ(fd, pidtrack_process_pidfd(process));
	EXPECT_FALSE(pidfd_has_ended(fd));
	gate_open(&crowd.gate);
	process_await_exit(process);
	crowd_collect(_metadata, &crowd);
	EXPECT_EQ(fd, pidtrack_process_pidfd(process));
	EXPECT_TRUE(pidfd_is_reaped(fd));
	pidtrack_process_free(process);
	crowd.processes[index_of(process)] = NULL;
	ASSERT_NO_EVENT(crowd.tracker);
	EXPECT_EQ(-1, fcntl(fd, F_GETFD));
	crowd_end(_metadata, &crowd);
}

/* To close it is enough for whoever polls it with others. */
TEST(nothing_is_left_of_its_descriptor_once_it_is_closed)
{
	struct epoll_event event = { .events = EPOLLIN };
	static struct crowd crowd;
	struct pidtrack_process *process;
	int all = epoll_create1(EPOLL_CLOEXEC), fd;

	ASSERT_LE(0, all);
	crowd_start(_metadata, &crowd, 0, MANY);
	process = last_of(&crowd);
	ASSERT_NO_EVENT(crowd.tracker);
	fd = pidtrack_process_pidfd(process);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, epoll_ctl(all, EPOLL_CTL_ADD, fd, &event));
	gate_open(&crowd.gate);
	crowd_collect(_metadata, &crowd);
	EXPECT_EQ(1, epoll_wait(all, &event, 1, 0));
	pidtrack_process_free(process);
	crowd.processes[index_of(process)] = NULL;
	ASSERT_NO_EVENT(crowd.tracker);
	EXPECT_EQ(-1, fcntl(fd, F_GETFD));
	EXPECT_EQ(0, epoll_wait(all, &event, 1, 0));
	close(all);
	crowd_end(_metadata, &crowd);
}

TEST(a_parked_one_is_stopped_step_by_step)
{
	const struct pidtrack_stop_step steps[] = { { SIGCONT, 1 },
						    { SIGKILL, 60000 } };
	struct pidtrack_stop_options options =
		PIDTRACK_STOP_OPTIONS(.steps = steps, .n_steps = 2);
	const struct pidtrack_event *event;
	struct pidtrack_process *process;
	static struct crowd crowd;

	crowd_start(_metadata, &crowd, 0, MANY);
	process = last_of(&crowd);
	ASSERT_EQ(0, pidtrack_process_stop(process, &options));
	ASSERT_EQ(1, pidtrack_wait(crowd.tracker, awhile_ms(), &event));
	EXPECT_EQ(PIDTRACK_ESCALATED, event->kind);
	EXPECT_EQ(process, event->process);
	ASSERT_EXITED(crowd.tracker, process, SIGKILL);
	crowd.told[index_of(process)] = true;
	gate_open(&crowd.gate);
	crowd_collect(_metadata, &crowd);
	crowd_end(_metadata, &crowd);
}

TEST_WANTS(a_parked_one_and_its_tree_are_stopped, proc)
{
	struct pidtrack_stop_options options =
		PIDTRACK_STOP_OPTIONS(.flags = PIDTRACK_STOP_TREE);
	const struct pidtrack_event *event;
	struct pidtrack_process *process;
	static struct crowd crowd;
	int r = 0;

	crowd_start(_metadata, &crowd, 0, MANY);
	process = last_of(&crowd);
	ASSERT_EQ(0, pidtrack_process_stop(process, &options));
	do {
		ASSERT_EQ(1, pidtrack_wait(crowd.tracker, awhile_ms(), &event));
		EXPECT_EQ(process, event->process);
		r++;
	} while (event->kind != PIDTRACK_STOP_DONE);
	EXPECT_EQ(2, r);
	EXPECT_TRUE(event->flags & PIDTRACK_EVENT_LAST);
	EXPECT_EQ(SIGTERM, event->status);
	crowd.told[index_of(process)] = true;
	gate_open(&crowd.gate);
	crowd_collect(_metadata, &crowd);
	crowd_end(_metadata, &crowd);
}

/* Of a ladder that did not come to be, or came to its end, nothing is left. */
TEST_WANTS(those_whose_trees_were_not_stopped_are_parked_again, proc)
{
	const struct pidtrack_stop_step steps[] = { { 0, 1 } };
	const struct pidtrack_stop_step lasting[] = { { 0, 60000 } };
	struct pidtrack_stop_options tree =
		PIDTRACK_STOP_OPTIONS(.flags = PIDTRACK_STOP_TREE,
				      .steps = steps, .n_steps = 1);
	struct pidtrack_stop_options goes_on = tree;
	struct pidtrack_stop_options group =
		PIDTRACK_STOP_OPTIONS(.flags = PIDTRACK_STOP_GROUP);
	const struct pidtrack_event *event;
	static struct crowd crowd;
	int before;

	goes_on.steps = lasting;
	crowd_start(_metadata, &crowd, 0, MANY);
	ASSERT_NO_EVENT(crowd.tracker);
	before = fds_count();
	for (int i = 0; i < 100; i++)
		EXPECT_EQ(-EINVAL,
			  pidtrack_process_stop(crowd.processes[i], &group));
	ASSERT_NO_EVENT(crowd.tracker);
	EXPECT_GE(before + 8, fds_count());

	for (int i = 0; i < 50; i++)
		ASSERT_EQ(0, pidtrack_process_stop(crowd.processes[i], &tree));
	for (int i = 0; i < 50; i++) {
		ASSERT_EQ(1, pidtrack_wait(crowd.tracker, awhile_ms(), &event));
		EXPECT_EQ(PIDTRACK_STOP_TIMED_OUT, event->kind);
	}
	ASSERT_NO_EVENT(crowd.tracker);
	EXPECT_GE(before + 8, fds_count());

	for (int i = 0; i < 50; i++) {
		ASSERT_EQ(0,
			  pidtrack_process_stop(crowd.processes[i], &goes_on));
		crowd.processes[i] = pidtrack_process_free(crowd.processes[i]);
	}
	ASSERT_NO_EVENT(crowd.tracker);
	EXPECT_GE(before + 8, fds_count());
	gate_open(&crowd.gate);
	crowd_collect(_metadata, &crowd);
	while (child_is_any()) {
		await_fd(pidtrack_fd(crowd.tracker), POLLIN, 50);
		ASSERT_NO_EVENT(crowd.tracker);
	}
	crowd_end(_metadata, &crowd);
}

TEST(of_a_parked_one_stops_are_told)
{
	static struct crowd crowd;
	struct pidtrack_process *process;
	const uint32_t kinds = 1U << PIDTRACK_STOPPED |
			       1U << PIDTRACK_CONTINUED;

	crowd_start(_metadata, &crowd, 0, MANY);
	process = last_of(&crowd);
	ASSERT_EQ(0, pidtrack_process_notify(process, kinds));
	ASSERT_EQ(0, pidtrack_process_signal(process, SIGSTOP));
	ASSERT_NEXT(crowd.tracker, process, PIDTRACK_STOPPED, 0,
		    PIDTRACK_SOURCE_WAITED, SIGSTOP << 8 | 0x7f);
	ASSERT_EQ(0, pidtrack_process_signal(process, SIGCONT));
	ASSERT_NEXT(crowd.tracker, process, PIDTRACK_CONTINUED, 0,
		    PIDTRACK_SOURCE_WAITED, 0xffff);
	gate_open(&crowd.gate);
	crowd_collect(_metadata, &crowd);
	crowd_end(_metadata, &crowd);
}

TEST(those_whose_stops_are_not_told_any_more_are_parked_again)
{
	const struct pidtrack_event *event;
	static struct crowd crowd;
	int before;

	crowd_start(_metadata, &crowd, 0, MANY);
	ASSERT_NO_EVENT(crowd.tracker);
	before = fds_count();
	for (int i = 20; i < 80; i++)
		ASSERT_EQ(0, pidtrack_process_notify(crowd.processes[i],
						     1U << PIDTRACK_STOPPED));
	ASSERT_NO_EVENT(crowd.tracker);
	if (parks(crowd.tracker))
		EXPECT_LE(before + 40, fds_count());
	for (int i = 20; i < 80; i++)
		ASSERT_EQ(0, pidtrack_process_notify(crowd.processes[i], 0));
	EXPECT_EQ(0, pidtrack_wait(crowd.tracker, 100, &event));
	EXPECT_GE(before + 8, fds_count());
	gate_open(&crowd.gate);
	crowd_collect(_metadata, &crowd);
	crowd_end(_metadata, &crowd);
}

TEST_WANTS(a_parked_one_has_a_fingerprint_that_is_its_own, boot_id)
{
	struct pidtrack_comparison comparison;
	char text[PIDTRACK_FINGERPRINT_MAX];
	struct pidtrack_process *process;
	static struct crowd crowd;

	crowd_start(_metadata, &crowd, 0, MANY);
	process = last_of(&crowd);
	ASSERT_LT(0, pidtrack_process_fingerprint(process, text, sizeof(text)));
	ASSERT_EQ(0, pidtrack_process_compare(process, text, &comparison,
					      sizeof(comparison)));
	EXPECT_EQ(PIDTRACK_VERDICT_SAME, comparison.verdict);
	ASSERT_EQ(0, pidtrack_process_compare(crowd.processes[MANY - 30], text,
					      &comparison, sizeof(comparison)));
	EXPECT_NE(PIDTRACK_VERDICT_SAME, comparison.verdict);
	gate_open(&crowd.gate);
	crowd_collect(_metadata, &crowd);
	ASSERT_EQ(0, pidtrack_process_compare(process, text, &comparison,
					      sizeof(comparison)));
	EXPECT_EQ(PIDTRACK_VERDICT_EXITED, comparison.verdict);
	crowd_end(_metadata, &crowd);
}

TEST(a_parked_one_that_still_runs_is_freed_and_reaped_in_the_end)
{
	static struct crowd crowd;

	crowd_start(_metadata, &crowd, 0, MANY);
	for (int i = 0; i < MANY; i++) {
		pidtrack_process_free(crowd.processes[i]);
		crowd.processes[i] = NULL;
	}
	gate_open(&crowd.gate);
	while (child_is_any()) {
		ASSERT_TRUE(tracker_await(crowd.tracker));
		ASSERT_NO_EVENT(crowd.tracker);
	}
	crowd_end(_metadata, &crowd);
}

/* ---- ends that are not as usual ---- */

TEST(of_a_parked_one_that_was_stolen_the_status_is_told)
{
	const uint32_t source = source_without_wait();
	struct pidtrack_process *process;
	static struct crowd crowd;
	int status;
	pid_t pid;

	crowd_start(_metadata, &crowd, 0, MANY);
	process = last_of(&crowd);
	pid = pidtrack_process_pid(process);
	ASSERT_EQ(0, pidtrack_process_signal(process, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(SIGKILL, status);
	ASSERT_NEXT(crowd.tracker, process, PIDTRACK_EXITED,
		    PIDTRACK_EVENT_LAST, source, SIGKILL);
	crowd.told[index_of(process)] = true;
	gate_open(&crowd.gate);
	crowd_collect(_metadata, &crowd);
	crowd_end(_metadata, &crowd);
}

/* It has come back, and then somebody else waits for it. */
TEST(ends_that_are_stolen_while_they_are_told_are_told_all_the_same)
{
	static struct crowd crowd;
	const struct pidtrack_event *event;
	int n = 0;

	crowd_start(_metadata, &crowd, 0, MANY);
	gate_open(&crowd.gate);
	while (n < MANY) {
		int i;

		ASSERT_EQ(1, pidtrack_wait(crowd.tracker, awhile_ms(), &event));
		i = index_of(event->process);
		ASSERT_EQ(PIDTRACK_EXITED, event->kind);
		ASSERT_FALSE(crowd.told[i]);
		if (works(PIDTRACK_FEATURE_EXIT_INFO))
			EXPECT_EQ((i % 256) << 8, event->status);
		crowd.told[i] = true;
		n++;
		waitpid(-1, NULL, WNOHANG);
	}
	ASSERT_NO_EVENT(crowd.tracker);
	crowd_end(_metadata, &crowd);
}

#define FOREIGNS 40

/* Children of others, after as many of the crowd. */
static void foreigns_start(struct __test_metadata *_metadata,
			   struct crowd *crowd, struct foreign *foreigns)
{
	int before;

	crowd_start(_metadata, crowd, 0, FOREIGNS);
	for (int i = 0; i < FOREIGNS; i++)
		ASSERT_EQ(0, foreign_start(&foreigns[i]));
	before = fds_count();
	for (int i = 0; i < FOREIGNS; i++)
		ASSERT_EQ(0, pidtrack_attach(crowd->tracker,
					     foreigns[i].child.pid, 0, 0,
					     &crowd->processes[FOREIGNS + i]));
	if (parks(crowd->tracker))
		EXPECT_GE(before + 8, fds_count());
}

/* One that has been told to end, with the code @i. */
static void foreign_collect(struct __test_metadata *_metadata,
			    struct crowd *crowd, struct foreign *foreign, int i)
{
	struct pidtrack_process *process = crowd->processes[FOREIGNS + i];

	ASSERT_NEXT(crowd->tracker, process, PIDTRACK_EXITED,
		    reaping_is_told() ? 0 : PIDTRACK_EVENT_LAST,
		    PIDTRACK_SOURCE_UNKNOWN, -1);
	ASSERT_EQ(i << 8, foreign_reap(foreign));
	if (reaping_is_told())
		ASSERT_NEXT(crowd->tracker, process, PIDTRACK_REAPED,
			    PIDTRACK_EVENT_LAST, source_without_wait(), i << 8);
	foreign_end(foreign);
	pidtrack_process_free(process);
}

static void foreigns_end(struct __test_metadata *_metadata, struct crowd *crowd,
			 struct foreign *foreigns)
{
	for (int i = 0; i < FOREIGNS; i++) {
		if (!foreigns[i].child.pid)
			continue;
		ASSERT_EQ(0, child_exit(&foreigns[i].child, i));
		foreign_collect(_metadata, crowd, &foreigns[i], i);
	}
	gate_open(&crowd->gate);
	crowd_collect(_metadata, crowd);
	crowd_end(_metadata, crowd);
}

TEST(another_processs_child_is_parked_and_its_end_is_told)
{
	static struct foreign foreigns[FOREIGNS];
	static struct crowd crowd;

	foreigns_start(_metadata, &crowd, foreigns);
	foreigns_end(_metadata, &crowd, foreigns);
}

TEST(under_a_lower_limit_its_end_is_told_once_that_is_higher)
{
	static struct foreign foreigns[FOREIGNS];
	static struct crowd crowd;
	struct rlimit all;

	demand_parking(_metadata);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &all));
	foreigns_start(_metadata, &crowd, foreigns);
	ASSERT_NO_EVENT(crowd.tracker);
	limit_to(_metadata, 3);
	ASSERT_EQ(0, child_exit(&foreigns[20].child, 20));
	ASSERT_TRUE(tracker_await(crowd.tracker));
	ASSERT_NO_EVENT(crowd.tracker);
	EXPECT_TRUE(tracker_is_readable(crowd.tracker));
	ASSERT_NO_EVENT(crowd.tracker);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &all));
	EXPECT_TRUE(tracker_is_readable(crowd.tracker));
	foreign_collect(_metadata, &crowd, &foreigns[20], 20);
	foreigns[20].child.pid = 0;
	foreigns_end(_metadata, &crowd, foreigns);
}

/* ---- over exec, and from one thread to the next ---- */

TEST(a_handoff_makes_them_descriptors_until_it_is_cancelled)
{
	static struct crowd crowd;
	int before, fd;

	crowd_start(_metadata, &crowd, 0, MANY);
	ASSERT_NO_EVENT(crowd.tracker);
	before = fds_count();
	ASSERT_EQ(0, pidtrack_handoff_prepare(crowd.tracker, &fd));
	EXPECT_LT(MANY, fds_count());
	EXPECT_LE(0, pidtrack_process_pidfd(crowd.processes[0]));
	ASSERT_EQ(0, pidtrack_handoff_cancel(crowd.tracker));
	EXPECT_EQ(before, fds_count());
	gate_open(&crowd.gate);
	crowd_collect(_metadata, &crowd);
	crowd_end(_metadata, &crowd);
}

struct start {
	struct __test_metadata *_metadata;
	struct crowd *crowd;
};

static void *start_crowd(void *argument)
{
	struct start *start = argument;

	crowd_start(start->_metadata, start->crowd, 0, MANY);
	return NULL;
}

TEST(when_the_thread_that_parked_them_has_ended_another_is_told)
{
	static struct crowd crowd;
	struct start start = { _metadata, &crowd };
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, start_crowd, &start));
	pthread_join(thread, NULL);
	ASSERT_EQ(0, pidtrack_process_signal(last_of(&crowd), 0));
	ASSERT_NO_EVENT(crowd.tracker);
	if (parks(crowd.tracker))
		EXPECT_GE(crowd.fds + FEW, fds_count());
	gate_open(&crowd.gate);
	crowd_collect(_metadata, &crowd);
	crowd_end(_metadata, &crowd);
}

/* By a thread of its own: a filter is for good. */
static void *grow_in_vain(void *argument)
{
	const struct start *start = argument;
	struct __test_metadata *_metadata = start->_metadata;

	crowd_start(_metadata, start->crowd, 0, 12);
	ASSERT_EQ(0, seccomp_on_argument(SYS_io_uring_enter, 0, UINT32_MAX,
					 (uint32_t)ring_find(),
					 SECCOMP_RET_ERRNO | EBUSY, 0));
	crowd_grow(_metadata, start->crowd, MANY);
	return NULL;
}

TEST_WANTS(while_the_ring_takes_nothing_none_is_parked_and_later_they_are, proc)
{
	static struct crowd crowd;
	struct start start = { _metadata, &crowd };
	pthread_t thread;

	demand_parking(_metadata);
	ASSERT_EQ(0, pthread_create(&thread, NULL, grow_in_vain, &start));
	pthread_join(thread, NULL);
	ASSERT_EQ(MANY, crowd.n);
	EXPECT_EQ(crowd.fds + MANY, fds_count());
	ASSERT_NO_EVENT(crowd.tracker);
	EXPECT_GE(crowd.fds + FEW, fds_count());
	gate_open(&crowd.gate);
	crowd_collect(_metadata, &crowd);
	crowd_end(_metadata, &crowd);
}

/* Enough of them for the new ring, but not to watch eight at a time. */
TEST_WANTS(another_thread_is_told_although_few_descriptors_are_left,
	   descriptors)
{
	static struct crowd crowd;
	struct start start = { _metadata, &crowd };
	struct pidtrack_statistics statistics;
	struct want want;
	pthread_t thread;

	demand_parking(_metadata);
	limit_to(_metadata, ROOMY);
	ASSERT_EQ(0, pthread_create(&thread, NULL, start_crowd, &start));
	pthread_join(thread, NULL);
	want_begin(_metadata, &want, 5);
	ASSERT_NO_EVENT(crowd.tracker);
	statistics = tracker_statistics(crowd.tracker);
	EXPECT_EQ(0, statistics.unwatched);
	collect_in_want(_metadata, &crowd, &want);
}

/* ---- where it is refused ---- */

TEST(where_no_table_is_to_be_had_each_is_a_descriptor)
{
	static struct crowd crowd;
	const unsigned int tables = 13; /* IORING_REGISTER_FILES2 */

	ASSERT_EQ(0, seccomp_on_argument(SYS_io_uring_register, 1, UINT32_MAX,
					 tables, SECCOMP_RET_ERRNO | EPERM, 0));
	crowd_start(_metadata, &crowd, 0, MANY);
	EXPECT_EQ(crowd.fds + MANY, fds_count());
	gate_open(&crowd.gate);
	crowd_collect(_metadata, &crowd);
	crowd_end(_metadata, &crowd);
}

TEST_HARNESS_MAIN
