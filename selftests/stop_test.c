/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Ladders: a signal, some time, the next signal; of children and others. */
#include <pthread.h>

#include "seccomp.h"
#include "tracked.h"

#define STEPS(...) ((const struct pidtrack_stop_step[]){ __VA_ARGS__ })
#define N_STEPS(steps) (sizeof(steps) / sizeof((steps)[0]))

/* One that ends by SIGKILL only. */
static struct pidtrack_process *
stubborn_start(struct __test_metadata *_metadata, struct pidtrack *tracker,
	       const struct gate *gate)
{
	struct pidtrack_fd_map fds[] = { { .child_fd = 0, .fd = gate->shim } };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("wait", "exit", "9"),
				       .fds = fds, .n_fds = 1,
				       .signal_ignore = UINT64_C(1)
							<< (SIGTERM - 1));
	struct pidtrack_process *process = NULL;

	ASSERT_EQ(0, pidtrack_spawn(tracker, &options, &process, NULL));
	return process;
}

static int stop(struct pidtrack_process *process,
		const struct pidtrack_stop_step *steps, uint32_t n)
{
	struct pidtrack_stop_options options =
		PIDTRACK_STOP_OPTIONS(.steps = steps, .n_steps = n);

	return pidtrack_process_stop(process, &options);
}

static void next_is(struct __test_metadata *_metadata, struct pidtrack *tracker,
		    struct pidtrack_process *process, uint32_t kind,
		    int signal_)
{
	const struct pidtrack_event *event = NULL;

	ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
	ASSERT_EVENT(event, process, kind, 0, PIDTRACK_SOURCE_UNKNOWN, -1);
	EXPECT_EQ(signal_, event->signal);
}

TEST(one_that_obeys_ends_by_the_first_signal)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;

	process = shim_start_at(_metadata, tracker, &gate, 0);
	ASSERT_EQ(0, pidtrack_process_stop(process, NULL));
	ASSERT_EXITED(tracker, process, SIGTERM);
	ASSERT_NO_EVENT(tracker);
	EXPECT_EQ(-ESRCH, pidtrack_process_stop(process, NULL));
	gate_open(&gate);
	pidtrack_free(tracker);
}

TEST(one_that_does_not_is_told_as_escalated_and_ends_by_the_next)
{
	const struct pidtrack_stop_step steps[] = { { SIGTERM, 20 },
						    { SIGTERM, 20 },
						    { SIGKILL, 60000 } };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	int64_t start = harness_now_ms();

	process = stubborn_start(_metadata, tracker, &gate);
	ASSERT_EQ(0, stop(process, steps, N_STEPS(steps)));
	next_is(_metadata, tracker, process, PIDTRACK_ESCALATED, SIGTERM);
	EXPECT_GE(harness_now_ms() - start, 20);
	next_is(_metadata, tracker, process, PIDTRACK_ESCALATED, SIGKILL);
	EXPECT_GE(harness_now_ms() - start, 40);
	ASSERT_EXITED(tracker, process, SIGKILL);
	ASSERT_NO_EVENT(tracker);
	gate_open(&gate);
	pidtrack_free(tracker);
}

TEST(one_that_ends_at_no_step_is_told_as_timed_out_and_lives)
{
	const struct pidtrack_stop_step steps[] = { { SIGTERM, 10 },
						    { 0, 10 } };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;

	process = stubborn_start(_metadata, tracker, &gate);
	ASSERT_EQ(0, stop(process, steps, N_STEPS(steps)));
	next_is(_metadata, tracker, process, PIDTRACK_ESCALATED, 0);
	next_is(_metadata, tracker, process, PIDTRACK_STOP_TIMED_OUT, 0);
	ASSERT_NO_EVENT(tracker);
	EXPECT_EQ(PIDTRACK_STATE_RUNNING, pidtrack_process_state(process));
	EXPECT_TRUE(tracker_stays_quiet(tracker, 40));
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 9 << 8);
	pidtrack_free(tracker);
}

/* Time passes whether the host looks or not; steps are not skipped for that. */
TEST(a_slow_host_is_told_of_each_step_and_then_of_the_end)
{
	const struct pidtrack_stop_step steps[] = { { SIGTERM, 1 },
						    { SIGUSR1, 60000 } };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;

	process = stubborn_start(_metadata, tracker, &gate);
	ASSERT_EQ(0, stop(process, steps, N_STEPS(steps)));
	ASSERT_TRUE(tracker_await(tracker));
	/* it has been found due now, and the next step taken */
	next_is(_metadata, tracker, process, PIDTRACK_ESCALATED, SIGUSR1);
	process_await_exit(process);
	ASSERT_EXITED(tracker, process, SIGUSR1);
	gate_open(&gate);
	pidtrack_free(tracker);
}

TEST(many_are_stopped_at_once_each_by_a_ladder_of_its_own)
{
	enum { N = 40 };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *processes[N];
	int i, escalated = 0, exited = 0;
	const struct pidtrack_event *event;

	for (i = 0; i < N; i++)
		processes[i] = stubborn_start(_metadata, tracker, &gate);
	for (i = 0; i < N; i++) {
		const struct pidtrack_stop_step steps[] = {
			{ SIGTERM, (uint32_t)((i * 7) % 23) },
			{ SIGKILL, 60000 },
		};

		ASSERT_EQ(0, stop(processes[i], steps, N_STEPS(steps)));
	}
	while (exited < N) {
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		if (event->kind == PIDTRACK_ESCALATED) {
			EXPECT_EQ(SIGKILL, event->signal);
			escalated++;
			continue;
		}
		ASSERT_EVENT(event, event->process, PIDTRACK_EXITED,
			     PIDTRACK_EVENT_LAST, PIDTRACK_SOURCE_WAITED,
			     SIGKILL);
		exited++;
	}
	EXPECT_EQ(N, escalated);
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(child_is_any());
	gate_open(&gate);
	pidtrack_free(tracker);
}

TEST(somebody_elses_child_is_stopped_the_same_way)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	const struct pidtrack_event *event;
	struct foreign foreign;

	ASSERT_EQ(0, foreign_start(&foreign));
	ASSERT_EQ(0,
		  pidtrack_attach(tracker, foreign.child.pid, 0, 0, &process));
	ASSERT_EQ(0, pidtrack_process_stop(process, NULL));
	ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
	EXPECT_EQ(PIDTRACK_EXITED, event->kind);
	EXPECT_EQ(SIGTERM, foreign_reap(&foreign));
	if (!(event->flags & PIDTRACK_EVENT_LAST)) {
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		EXPECT_EQ(PIDTRACK_EVENT_LAST, event->flags);
	}
	ASSERT_NO_EVENT(tracker);
	foreign_end(&foreign);
	pidtrack_free(tracker);
}

TEST(a_second_ladder_takes_the_place_of_the_first)
{
	const struct pidtrack_stop_step first[] = { { SIGTERM, 1 },
						    { SIGKILL, 60000 } };
	const struct pidtrack_stop_step second[] = { { SIGTERM, 60000 } };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;

	process = stubborn_start(_metadata, tracker, &gate);
	ASSERT_EQ(0, stop(process, first, N_STEPS(first)));
	ASSERT_EQ(0, stop(process, second, N_STEPS(second)));
	EXPECT_TRUE(tracker_stays_quiet(tracker, 30));
	ASSERT_NO_EVENT(tracker);
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 9 << 8);
	pidtrack_free(tracker);
}

TEST(one_that_is_freed_is_sent_nothing_more)
{
	const struct pidtrack_stop_step steps[] = { { SIGTERM, 1 },
						    { SIGKILL, 60000 } };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	int pidfd, status;
	pid_t pid;

	process = stubborn_start(_metadata, tracker, &gate);
	pid = pidtrack_process_pid(process);
	pidfd = fcntl(pidtrack_process_pidfd(process), F_DUPFD_CLOEXEC, 3);
	ASSERT_EQ(0, stop(process, steps, N_STEPS(steps)));
	pidtrack_process_free(process);
	EXPECT_TRUE(tracker_stays_quiet(tracker, 30));
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(pidfd_has_ended(pidfd));
	pidtrack_free(tracker);
	gate_open(&gate);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(9 << 8, status);
	close(pidfd);
}

/*
 * Freed at its ladder's event, it ends beside another: it is not told of, and
 * its place is given away once, without the other's.
 */
TEST(one_that_is_freed_when_its_time_is_up_takes_nobody_along)
{
	const struct pidtrack_stop_step steps[] = { { 0, 1 } };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata), other = gate_make(_metadata);
	struct pidtrack_process *freed, *kept, *later[4];
	int pidfd, i;

	/* the timer is watched; what is launched then cannot be */
	kept = shim_start_at(_metadata, tracker, &other, 0);
	ASSERT_EQ(0, stop(kept, steps, N_STEPS(steps)));
	next_is(_metadata, tracker, kept, PIDTRACK_STOP_TIMED_OUT, 0);
	if (!tracker_is_on_ring(tracker))
		ASSERT_EQ(0, seccomp_refuse(SYS_epoll_ctl, ENOSPC));
	freed = shim_start_at(_metadata, tracker, &gate, 1);
	kept = shim_start_at(_metadata, tracker, &gate, 2);
	pidfd = fcntl(pidtrack_process_pidfd(freed), F_DUPFD_CLOEXEC, 3);
	ASSERT_EQ(0, stop(freed, steps, N_STEPS(steps)));
	next_is(_metadata, tracker, freed, PIDTRACK_STOP_TIMED_OUT, 0);
	pidtrack_process_free(freed);

	gate_open(&gate);
	process_await_exit(kept);
	ASSERT_TRUE(await_fd(pidfd, POLLIN, awhile_ms()) > 0);
	close(pidfd);
	ASSERT_EXITED(tracker, kept, 2 << 8);
	for (i = 0; i < 4; i++) {
		later[i] = shim_start_at(_metadata, tracker, &other, 0);
		ASSERT_NE(kept, later[i]);
	}
	EXPECT_EQ(PIDTRACK_STATE_EXITED, pidtrack_process_state(kept));
	gate_open(&other);
	for (i = 0; i < 5; i++)
		ASSERT_EQ(1, pidtrack_wait(
				     tracker, awhile_ms(),
				     &(const struct pidtrack_event *){ NULL }));
	ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
}

struct owner {
	struct __test_metadata *_metadata;
	struct pidtrack *tracker;
	struct pidtrack_process *process;
	struct gate gate;
	pid_t id;
};

static void *owner_run(void *arg)
{
	const struct pidtrack_stop_step steps[] = { { SIGTERM, 30 },
						    { SIGKILL, 60000 } };
	struct owner *owner = arg;
	struct __test_metadata *_metadata = owner->_metadata;

	owner->id = thread_id();
	owner->tracker = tracker_start(_metadata, 0);
	owner->process =
		stubborn_start(_metadata, owner->tracker, &owner->gate);
	ASSERT_EQ(0, stop(owner->process, steps, N_STEPS(steps)));
	return NULL;
}

/* Who is freed while others are told of leaves the list as it was. */
TEST(of_several_whose_time_is_up_the_freed_are_not_told)
{
	const struct pidtrack_stop_step steps[] = { { 0, 1 } };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata), other = gate_make(_metadata);
	struct pidtrack_process *shims[4];
	int64_t end;
	int i;

	for (i = 0; i < 4; i++) {
		shims[i] = shim_start_at(_metadata, tracker,
					 i == 1 ? &other : &gate, i);
		ASSERT_EQ(0, stop(shims[i], steps, N_STEPS(steps)));
	}
	/* all at once, however late the first was begun */
	end = harness_now_ms() + 2;
	while (harness_now_ms() <= end)
		sched_yield();
	next_is(_metadata, tracker, shims[0], PIDTRACK_STOP_TIMED_OUT, 0);
	pidtrack_process_free(shims[2]); /* between two */
	pidtrack_process_free(shims[3]); /* the last */
	next_is(_metadata, tracker, shims[1], PIDTRACK_STOP_TIMED_OUT, 0);
	ASSERT_NO_EVENT(tracker);

	/* the end of the list is where the next is put */
	gate_open(&gate);
	ASSERT_EXITED(tracker, shims[0], 0);
	gate_open(&other);
	ASSERT_EXITED(tracker, shims[1], 1 << 8);
	ASSERT_NO_EVENT(tracker);
	while (child_is_any())
		ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
}

TEST(a_ladder_goes_on_when_its_thread_has_ended)
{
	struct owner owner = { ._metadata = _metadata,
			       .gate = gate_make(_metadata) };
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, owner_run, &owner));
	pthread_join(thread, NULL);
	thread_await_gone(owner.id);
	next_is(_metadata, owner.tracker, owner.process, PIDTRACK_ESCALATED,
		SIGKILL);
	ASSERT_EXITED(owner.tracker, owner.process, SIGKILL);
	gate_open(&owner.gate);
	pidtrack_free(owner.tracker);
}

TEST(what_is_no_ladder_is_refused_and_nothing_is_sent)
{
	const struct pidtrack_stop_step steps[17] = { { SIGKILL, 1 } };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_stop_options options = PIDTRACK_STOP_OPTIONS();
	struct pidtrack_process *process;

	process = shim_start_at(_metadata, tracker, &gate, 3);
	EXPECT_EQ(-EINVAL, stop(process, steps, 0));
	EXPECT_EQ(-EINVAL, stop(process, steps, 17));
	EXPECT_EQ(-EINVAL, stop(process, NULL, 1));
	EXPECT_EQ(-EINVAL, stop(process, STEPS({ 65, 1 }), 1));
	EXPECT_EQ(-EINVAL, stop(process, STEPS({ -1, 1 }), 1));
	options.flags = 1 << 3;
	EXPECT_EQ(-EINVAL, pidtrack_process_stop(process, &options));
	options.flags = 0;
	options.size = 4;
	EXPECT_EQ(-EINVAL, pidtrack_process_stop(process, &options));
	EXPECT_FALSE(pidfd_has_ended(pidtrack_process_pidfd(process)));
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 3 << 8);
	pidtrack_free(tracker);
}

TEST(one_that_may_not_be_signalled_is_not_ours_to_stop)
{
	struct pidtrack *tracker;
	struct pidtrack_process *process;

	if (geteuid())
		SKIP(return, "wants root");
	tracker = tracker_start(_metadata, 0);
	ASSERT_EQ(0, pidtrack_attach(tracker, 1, 0, PIDTRACK_ATTACH_OBSERVE,
				     &process));
	ASSERT_EQ(0, syscall(SYS_setresuid, 65534, 65534, 65534));
	/* SIGCONT would be allowed in a session that it is of */
	EXPECT_EQ(-EPERM, stop(process, STEPS({ SIGURG, 1 }), 1));
	EXPECT_TRUE(tracker_stays_quiet(tracker, 20));
	ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
}

/* Else it would be sent the first signal, and never another. */
static void have_no_ladder(struct __test_metadata *_metadata, int error)
{
	struct pidtrack_stop_options tree =
		PIDTRACK_STOP_OPTIONS(.flags = PIDTRACK_STOP_TREE);
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;

	process = shim_start_at(_metadata, tracker, &gate, 3);
	ASSERT_EQ(0, seccomp_refuse_timers(error));
	EXPECT_EQ(-error, pidtrack_process_stop(process, NULL));
	EXPECT_EQ(-error, pidtrack_process_stop(process, &tree));
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(pidfd_has_ended(pidtrack_process_pidfd(process)));
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 3 << 8);
	pidtrack_free(tracker);
}

TEST(where_no_time_can_be_set_there_is_no_ladder_and_nothing_is_sent)
{
	have_no_ladder(_metadata, ENOSYS);
}

TEST(nor_is_there_where_that_is_forbidden)
{
	have_no_ladder(_metadata, EPERM);
}

/* Of the ends of others: else they would be taken for alive. */
static void have_no_tree(struct __test_metadata *_metadata, int nr, int error)
{
	struct pidtrack_stop_options tree =
		PIDTRACK_STOP_OPTIONS(.flags = PIDTRACK_STOP_TREE);
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	pid_t pid;

	process = shim_start_at(_metadata, tracker, &gate, 3);
	pid = pidtrack_process_pid(process);
	ASSERT_EQ(0, seccomp_refuse(nr, error));
	EXPECT_EQ(-error, pidtrack_process_stop(process, &tree));
	EXPECT_FALSE(pidfd_has_ended(pidtrack_process_pidfd(process)));
	gate_open(&gate);
	process_await_exit(process);
	pidtrack_free(tracker);
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
}

TEST(where_epoll_could_not_be_asked_a_tree_has_no_ladder)
{
	have_no_tree(_metadata, SYS_epoll_pwait, ENOSYS);
}

TEST(nor_has_it_where_asking_it_is_forbidden)
{
	have_no_tree(_metadata, SYS_epoll_pwait, EPERM);
}

TEST(where_epoll_could_watch_nobody_a_tree_has_no_ladder)
{
	have_no_tree(_metadata, SYS_epoll_ctl, ENOSYS);
}

TEST(nor_has_it_where_watching_is_forbidden)
{
	have_no_tree(_metadata, SYS_epoll_ctl, EPERM);
}

TEST_HARNESS_MAIN
