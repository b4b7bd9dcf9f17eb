/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* A tracker without a thread belongs to one thread, and outlives it. */
#include <pthread.h>
#include <sys/resource.h>

#include "seccomp.h"
#include "tracked.h"

/* ---- one owner ---- */

struct intruder {
	struct pidtrack *tracker;
	struct pidtrack_process *process;
	struct __test_metadata *_metadata;
	int expected;			     /* what each call returns */
	char text[PIDTRACK_FINGERPRINT_MAX]; /* the process' */
};

/* Every call there is but those that any thread may make. */
static void *intrude(void *arg)
{
	struct intruder *intruder = arg;
	struct __test_metadata *_metadata = intruder->_metadata;
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("exit", "0"));
	struct pidtrack *tracker = intruder->tracker;
	struct pidtrack_process *process = intruder->process, *none = NULL;
	char text[PIDTRACK_FINGERPRINT_MAX];
	struct pidtrack_statistics statistics;
	struct pidtrack_record_options record =
		PIDTRACK_RECORD_OPTIONS(.path = "/tmp/nobodys.record");
	struct pidtrack_record *parsed = NULL;
	struct pidtrack_recovery *recovery = NULL;
	struct pidtrack_comparison comparison;
	const struct pidtrack_event *event;
	int r = intruder->expected, status, fd = -1;
	uint32_t stage;

	EXPECT_EQ(r, pidtrack_next(tracker, &event));
	EXPECT_EQ(r, pidtrack_wait(tracker, 0, &event));
	EXPECT_EQ(r, pidtrack_wait(tracker, -1, &event));
	EXPECT_EQ(r, pidtrack_spawn(tracker, &options, &none, &stage));
	EXPECT_EQ(r, pidtrack_attach(tracker, getppid(), 0, 0, &none));
	EXPECT_EQ(r, pidtrack_attach_pidfd(tracker,
					   pidtrack_process_pidfd(process), 0,
					   &none));
	EXPECT_EQ(r, pidtrack_statistics(tracker, &statistics,
					 sizeof(statistics)));
	EXPECT_EQ(r, pidtrack_process_state(process));
	EXPECT_EQ(r, pidtrack_process_status(process, &status));
	EXPECT_EQ(r, pidtrack_process_signal(process, 0));
	EXPECT_EQ(r, pidtrack_process_signal(process, SIGKILL));
	EXPECT_EQ(r, pidtrack_process_notify(process, 1 << PIDTRACK_STOPPED));
	EXPECT_EQ(r, pidtrack_process_fingerprint(process, text, sizeof(text)));
	EXPECT_EQ(r, pidtrack_process_compare(process, intruder->text,
					      &comparison, sizeof(comparison)));
	EXPECT_EQ(r, pidtrack_process_stop(process, NULL));
	EXPECT_EQ(r, pidtrack_process_set_payload(process, "x", 1));
	EXPECT_EQ(r, pidtrack_process_record(process, &record));
	EXPECT_EQ(r, pidtrack_process_keep(process));
	EXPECT_EQ(r, pidtrack_recover(tracker, &recovery));
	EXPECT_EQ(r, pidtrack_handoff_prepare(tracker, &fd));
	EXPECT_EQ(r, pidtrack_handoff_cancel(tracker));
	EXPECT_EQ(r, pidtrack_handoff_resume(tracker, 0, &recovery));
	EXPECT_EQ(0, pidtrack_record_parse(intruder->text,
					   strlen(intruder->text), &parsed));
	EXPECT_EQ(r,
		  pidtrack_attach_record(tracker, parsed, 0, &none, NULL, 0));
	pidtrack_record_free(parsed);
	EXPECT_NULL(none);
	EXPECT_NULL(recovery);
	EXPECT_EQ(-1, fd);

	EXPECT_GE(pidtrack_fd(tracker), 0);
	EXPECT_GT(strlen(pidtrack_backend(tracker)), 0);
	EXPECT_GT(pidtrack_process_pid(process), 0);
	EXPECT_GE(pidtrack_process_pidfd(process), 0);
	EXPECT_NULL(pidtrack_process_label(process));
	EXPECT_EQ(PIDTRACK_BINDING_NONE, pidtrack_process_binding(process));
	return NULL;
}

static struct intruder intruder_make(struct __test_metadata *_metadata,
				     struct pidtrack *tracker,
				     struct pidtrack_process *process,
				     int expected)
{
	struct intruder intruder = { .tracker = tracker,
				     .process = process,
				     ._metadata = _metadata,
				     .expected = expected };

	ASSERT_GT(pidtrack_process_fingerprint(process, intruder.text,
					       sizeof(intruder.text)),
		  0);
	return intruder;
}

static void intrude_by_thread(struct __test_metadata *_metadata,
			      struct intruder *intruder)
{
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, intrude, intruder));
	pthread_join(thread, NULL);
}

TEST(another_thread_is_refused_while_the_owner_lives)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	struct intruder intruder;

	process = shim_start_at(_metadata, tracker, &gate, 1);
	intruder = intruder_make(_metadata, tracker, process, -EBUSY);
	intrude_by_thread(_metadata, &intruder);
	EXPECT_EQ(1, tracker_statistics(tracker).tracked);
	ASSERT_NO_EVENT(tracker);
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 1 << 8);
	ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
}

static void *free_it(void *arg)
{
	struct intruder *intruder = arg;
	struct __test_metadata *_metadata = intruder->_metadata;

	EXPECT_EQ(intruder->tracker, pidtrack_free(intruder->tracker));
	return NULL;
}

TEST(another_thread_cannot_free_it_while_the_owner_lives)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct intruder intruder = { .tracker = tracker,
				     ._metadata = _metadata };
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, free_it, &intruder));
	pthread_join(thread, NULL);
	ASSERT_EXITED(tracker,
		      shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
				 SHIM("exit", "1")),
		      1 << 8);
	EXPECT_NULL(pidtrack_free(tracker));
}

TEST(another_thread_that_was_refused_takes_no_event)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	struct intruder intruder;

	process = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
			     SHIM("exit", "2"));
	intruder = intruder_make(_metadata, tracker, process, -EBUSY);
	process_await_exit(process);
	ASSERT_TRUE(tracker_await(tracker));
	intrude_by_thread(_metadata, &intruder);
	ASSERT_TRUE(tracker_await(tracker));
	ASSERT_EXITED(tracker, process, 2 << 8);
	/* nor does it acknowledge one */
	intrude_by_thread(_metadata, &intruder);
	EXPECT_EQ(0, pidtrack_process_signal(process, 0));
	ASSERT_NO_EVENT(tracker);
	EXPECT_EQ(-ESRCH, pidtrack_process_signal(process, 0));
	pidtrack_free(tracker);
}

/* ---- the next owner ---- */

enum { SHIMS = 12 };

struct owner {
	pthread_t thread;
	pid_t id;
	struct __test_metadata *_metadata;
	struct pidtrack *tracker;
	struct gate gate;
	struct pidtrack_process *processes[SHIMS];
	int n_taken;	/* events it takes before it ends */
	bool open_gate; /* before it ends; they all end too then */
};

static void *owner_run(void *arg)
{
	struct owner *owner = arg;
	struct __test_metadata *_metadata = owner->_metadata;
	const struct pidtrack_event *event;
	int i;

	owner->id = thread_id();
	owner->tracker = tracker_start(_metadata, 0);
	for (i = 0; i < SHIMS; i++) {
		owner->processes[i] = shim_start_at(_metadata, owner->tracker,
						    &owner->gate, i);
		pidtrack_process_set_userdata(owner->processes[i],
					      (void *)(intptr_t)i);
	}
	if (owner->open_gate) {
		gate_open(&owner->gate);
		for (i = 0; i < SHIMS; i++)
			process_await_exit(owner->processes[i]);
	}
	for (i = 0; i < owner->n_taken; i++) {
		ASSERT_EQ(1,
			  pidtrack_wait(owner->tracker, awhile_ms(), &event));
		pidtrack_process_set_userdata(event->process, NULL);
	}
	return NULL;
}

/* Made, used, and left by a thread that has ended. */
static void owner_run_and_end(struct __test_metadata *_metadata,
			      struct owner *owner)
{
	owner->_metadata = _metadata;
	owner->gate = gate_make(_metadata);
	ASSERT_EQ(0, pthread_create(&owner->thread, NULL, owner_run, owner));
	pthread_join(owner->thread, NULL);
	thread_await_gone(owner->id);
}

static void check_left(struct __test_metadata *_metadata, struct owner *owner,
		       int n)
{
	struct pidtrack *tracker = owner->tracker;
	const struct pidtrack_event *event;
	bool told[SHIMS] = { false };
	int i;

	for (; n; n--) {
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		for (i = 0; i < SHIMS; i++)
			if (event->process == owner->processes[i])
				break;
		ASSERT_LT(i, SHIMS);
		ASSERT_FALSE(told[i]);
		told[i] = true;
		ASSERT_EVENT(event, owner->processes[i], PIDTRACK_EXITED,
			     PIDTRACK_EVENT_LAST, PIDTRACK_SOURCE_WAITED,
			     i << 8);
	}
	/* the ring of the owner before signals until the kernel is done with it
	 */
	do
		ASSERT_NO_EVENT(tracker);
	while (tracker_is_readable(tracker));
	EXPECT_FALSE(child_is_any());
}

TEST(what_ends_after_the_owner_did_is_told_to_the_next)
{
	struct owner owner = { .n_taken = 0 };
	int i, fd;

	owner_run_and_end(_metadata, &owner);
	fd = pidtrack_fd(owner.tracker);
	ASSERT_NO_EVENT(owner.tracker);
	if (tracker_is_on_ring(owner.tracker))
		EXPECT_GT(tracker_statistics(owner.tracker).rearmed, 0);
	for (i = 0; i < SHIMS; i++) {
		EXPECT_EQ(0, pidtrack_process_signal(owner.processes[i], 0));
		EXPECT_FALSE(pidfd_has_ended(
			pidtrack_process_pidfd(owner.processes[i])));
	}
	gate_open(&owner.gate);
	ASSERT_TRUE(tracker_await(owner.tracker));
	check_left(_metadata, &owner, SHIMS);
	EXPECT_EQ(fd, pidtrack_fd(owner.tracker));
	pidtrack_free(owner.tracker);
}

TEST(what_ends_between_the_owners_end_and_the_next_call_is_told)
{
	struct owner owner = { .n_taken = 0 };
	int i;

	owner_run_and_end(_metadata, &owner);
	gate_open(&owner.gate);
	for (i = 0; i < SHIMS; i++)
		process_await_exit(owner.processes[i]);
	check_left(_metadata, &owner, SHIMS);
	pidtrack_free(owner.tracker);
}

/* A host that only polls gets to know of it. */
TEST(what_ends_between_the_owners_end_and_the_next_call_wakes_the_descriptor)
{
	struct owner owner = { .n_taken = 0 };

	owner_run_and_end(_metadata, &owner);
	gate_open(&owner.gate);
	process_await_exit(owner.processes[0]);
	ASSERT_TRUE(tracker_await(owner.tracker));
	check_left(_metadata, &owner, SHIMS);
	pidtrack_free(owner.tracker);
}

TEST(what_ended_before_the_owner_did_is_told)
{
	struct owner owner = { .open_gate = true };

	owner_run_and_end(_metadata, &owner);
	ASSERT_TRUE(tracker_await(owner.tracker));
	check_left(_metadata, &owner, SHIMS);
	pidtrack_free(owner.tracker);
}

TEST(the_event_in_the_owners_hand_is_acknowledged_by_the_next)
{
	struct owner owner = { .open_gate = true, .n_taken = 1 };
	struct pidtrack_process *taken = NULL;
	int i, status;

	owner_run_and_end(_metadata, &owner);
	for (i = 0; i < SHIMS; i++)
		if (!pidtrack_process_userdata(owner.processes[i]) && i)
			taken = owner.processes[i];
	if (!taken)
		taken = owner.processes[0];
	EXPECT_FALSE(pidfd_is_reaped(pidtrack_process_pidfd(taken)));
	check_left(_metadata, &owner, SHIMS - 1);
	EXPECT_TRUE(pidfd_is_reaped(pidtrack_process_pidfd(taken)));
	EXPECT_EQ(PIDTRACK_SOURCE_WAITED,
		  pidtrack_process_status(taken, &status));
	pidtrack_free(owner.tracker);
}

TEST(some_told_to_the_owner_and_some_to_the_next)
{
	struct owner owner = { .open_gate = true, .n_taken = SHIMS / 2 };

	owner_run_and_end(_metadata, &owner);
	check_left(_metadata, &owner, SHIMS - SHIMS / 2);
	pidtrack_free(owner.tracker);
}

TEST(the_next_owner_launches_and_others_are_refused_again)
{
	struct owner owner = { .n_taken = 0 };
	struct pidtrack_process *process;
	struct intruder intruder;

	owner_run_and_end(_metadata, &owner);
	process = shim_start(_metadata, owner.tracker, PIDTRACK_FD_NULL,
			     SHIM("exit", "99"));
	ASSERT_EXITED(owner.tracker, process, 99 << 8);
	intruder = intruder_make(_metadata, owner.tracker, owner.processes[0],
				 -EBUSY);
	intrude_by_thread(_metadata, &intruder);
	gate_open(&owner.gate);
	check_left(_metadata, &owner, SHIMS);
	pidtrack_free(owner.tracker);
}

TEST(a_tracker_whose_owner_ended_can_be_freed)
{
	struct owner owner = { .n_taken = 0 };

	owner_run_and_end(_metadata, &owner);
	pidtrack_free(owner.tracker);
	gate_open(&owner.gate);
	while (waitpid(-1, NULL, 0) > 0)
		;
	EXPECT_EQ(ECHILD, errno);
}

/* No descriptor for another ring: that is told, nothing is lost, later it goes.
 */
TEST(an_owner_without_descriptors_frees_and_asks_and_takes_events_later)
{
	struct owner owner = { .open_gate = true };
	const struct pidtrack_event *event;
	struct pidtrack_process *process;
	struct rlimit before, none;
	bool on_ring;
	int r;

	owner_run_and_end(_metadata, &owner);
	on_ring = tracker_is_on_ring(owner.tracker);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &before));
	none = before;
	none.rlim_cur = 0;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	r = pidtrack_next(owner.tracker, &event);
	EXPECT_EQ(on_ring ? -EMFILE : 1, r);
	EXPECT_EQ(-EMFILE,
		  pidtrack_attach(owner.tracker, getpid(), 0, 0, &process));
	EXPECT_EQ(SHIMS, tracker_statistics(owner.tracker).tracked);
	process = owner.processes[SHIMS - 1];
	if (r > 0 && event->process == process)
		process = owner.processes[0];
	EXPECT_EQ(PIDTRACK_STATE_RUNNING, pidtrack_process_state(process));
	EXPECT_NULL(pidtrack_process_free(process));
	EXPECT_EQ(SHIMS - 1, tracker_statistics(owner.tracker).tracked);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &before));
	if (r > 0)
		pidtrack_process_free(event->process);
	check_left(_metadata, &owner, SHIMS - 1 - (r > 0));
	pidtrack_free(owner.tracker);
}

/* By a thread of its own, which ends, too: a filter is for good. */
static void *ask_in_vain(void *arg)
{
	struct owner *owner = arg;
	struct __test_metadata *_metadata = owner->_metadata;
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("exit", "0"));
	struct pidtrack_process *none = NULL;
	const struct pidtrack_event *event;
	int fd = -1;

	owner->id = thread_id();
	ASSERT_EQ(0, seccomp_refuse(SYS_io_uring_setup, ENOMEM));
	EXPECT_EQ(-ENOMEM, pidtrack_next(owner->tracker, &event));
	EXPECT_EQ(-ENOMEM,
		  pidtrack_spawn(owner->tracker, &options, &none, NULL));
	EXPECT_EQ(-ENOMEM, pidtrack_process_notify(owner->processes[1],
						   1U << PIDTRACK_STOPPED));
	EXPECT_EQ(-ENOMEM, pidtrack_process_stop(owner->processes[1], NULL));
	EXPECT_EQ(-ENOMEM, pidtrack_handoff_prepare(owner->tracker, &fd));
	EXPECT_NULL(none);
	EXPECT_EQ(-1, fd);
	return NULL;
}

/* Nothing is done by halves: nobody is launched, nor signalled. */
TEST(what_an_owner_without_a_ring_asks_for_is_done_by_the_next)
{
	struct owner owner = { .n_taken = 0 };
	struct pidtrack_process *process;
	int fds;

	owner_run_and_end(_metadata, &owner);
	process = owner.processes[1];
	fds = fds_count();
	if (!tracker_is_on_ring(owner.tracker))
		SKIP(goto end, "an epoll is any thread's");
	ASSERT_EQ(0, pthread_create(&owner.thread, NULL, ask_in_vain, &owner));
	pthread_join(owner.thread, NULL);
	thread_await_gone(owner.id);
	EXPECT_EQ(fds, fds_count());
	EXPECT_EQ(SHIMS, tracker_statistics(owner.tracker).tracked);
	ASSERT_EQ(0, pidtrack_process_notify(process, 1U << PIDTRACK_STOPPED));
	ASSERT_EQ(0, pidtrack_process_signal(process, SIGSTOP));
	ASSERT_NEXT(owner.tracker, process, PIDTRACK_STOPPED, 0,
		    PIDTRACK_SOURCE_WAITED, SIGSTOP << 8 | 0x7f);
	ASSERT_EQ(0, pidtrack_process_signal(process, SIGCONT));
end:
	gate_open(&owner.gate);
	check_left(_metadata, &owner, SHIMS);
	pidtrack_free(owner.tracker);
}

TEST(asked_for_stops_are_told_to_the_next_owner)
{
	struct owner owner = { .n_taken = 0 };
	struct pidtrack_process *process;

	owner_run_and_end(_metadata, &owner);
	process = owner.processes[3];
	ASSERT_EQ(0, pidtrack_process_notify(process, 1 << PIDTRACK_STOPPED));
	ASSERT_EQ(0, pidtrack_process_signal(process, SIGSTOP));
	ASSERT_NEXT(owner.tracker, process, PIDTRACK_STOPPED, 0,
		    PIDTRACK_SOURCE_WAITED, SIGSTOP << 8 | 0x7f);
	ASSERT_EQ(0, pidtrack_process_signal(process, SIGCONT));
	gate_open(&owner.gate);
	check_left(_metadata, &owner, SHIMS);
	pidtrack_free(owner.tracker);
}

/* ---- many owners ---- */

struct heir {
	struct __test_metadata *_metadata;
	struct pidtrack *tracker;
	struct pidtrack_process *process; /* launched by the one before */
	pid_t id;
};

/* Collects what the one before launched, and launches for the next. */
static void *heir_run(void *arg)
{
	struct heir *heir = arg;
	struct __test_metadata *_metadata = heir->_metadata;

	heir->id = thread_id();
	if (heir->process) {
		ASSERT_EXITED(heir->tracker, heir->process, 7 << 8);
		pidtrack_process_free(heir->process);
	}
	heir->process = shim_start(_metadata, heir->tracker, PIDTRACK_FD_NULL,
				   SHIM("exit", "7"));
	return NULL;
}

TEST(fifty_threads_inherit_it_one_after_the_other)
{
	struct heir heir = { ._metadata = _metadata };
	struct owner owner = { .n_taken = 0 };
	int i;

	owner_run_and_end(_metadata, &owner);
	heir.tracker = owner.tracker;
	for (i = 0; i < 50; i++) {
		pthread_t thread;

		ASSERT_EQ(0, pthread_create(&thread, NULL, heir_run, &heir));
		pthread_join(thread, NULL);
		thread_await_gone(heir.id);
	}
	ASSERT_EXITED(heir.tracker, heir.process, 7 << 8);
	gate_open(&owner.gate);
	check_left(_metadata, &owner, SHIMS);
	pidtrack_free(owner.tracker);
}

enum { CROWD = 300 };

struct crowd {
	struct __test_metadata *_metadata;
	struct pidtrack *tracker;
	struct pidtrack_process *processes[CROWD];
	pid_t id;
};

static void *crowd_run(void *arg)
{
	struct crowd *crowd = arg;
	struct __test_metadata *_metadata = crowd->_metadata;
	const struct pidtrack_event *event;
	int i;

	crowd->id = thread_id();
	crowd->tracker = tracker_start(_metadata, 0);
	for (i = 0; i < CROWD; i++)
		crowd->processes[i] = shim_start(_metadata, crowd->tracker,
						 PIDTRACK_FD_NULL,
						 SHIM("exit", "0"));
	for (i = 0; i < CROWD; i++)
		ASSERT_EQ(1,
			  pidtrack_wait(crowd->tracker, awhile_ms(), &event));
	return NULL;
}

/* More than the queue of the ring that nobody submits any more has room for. */
TEST(a_next_owner_that_frees_first_and_asks_later_leaves_no_descriptor)
{
	static struct crowd crowd;
	pthread_t thread;
	int i, before;

	crowd._metadata = _metadata;
	before = fds_count();
	ASSERT_EQ(0, pthread_create(&thread, NULL, crowd_run, &crowd));
	pthread_join(thread, NULL);
	thread_await_gone(crowd.id);
	for (i = 0; i < CROWD; i++)
		pidtrack_process_free(crowd.processes[i]);
	ASSERT_NO_EVENT(crowd.tracker);
	EXPECT_EQ(0, tracker_statistics(crowd.tracker).tracked);
	pidtrack_free(crowd.tracker);
	EXPECT_EQ(before, fds_count());
	EXPECT_FALSE(child_is_any());
}

/* ---- fork ---- */

static void forked(struct __test_metadata *_metadata, struct intruder *intruder)
{
	intrude(intruder);
	EXPECT_NULL(pidtrack_process_free(intruder->process));
	EXPECT_NULL(pidtrack_free(intruder->tracker));
}

static void check_forked(struct __test_metadata *_metadata, uint32_t flags,
			 bool ended)
{
	struct pidtrack *tracker = tracker_start(_metadata, flags);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process, *other;
	struct intruder intruder;
	const struct pidtrack_event *event;
	int i, status;
	pid_t pid;

	process = shim_start_at(_metadata, tracker, &gate, 6);
	other = shim_start_at(_metadata, tracker, &gate, 5);
	intruder = intruder_make(_metadata, tracker, process, -ECHILD);
	if (ended) {
		gate_open(&gate);
		process_await_exit(process);
		process_await_exit(other);
	}
	pid = fork();
	if (!pid) {
		forked(_metadata, &intruder);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);

	if (!ended) {
		ASSERT_NO_EVENT(tracker);
		EXPECT_EQ(0, pidtrack_process_signal(process, 0));
		EXPECT_FALSE(pidfd_has_ended(pidtrack_process_pidfd(process)));
		gate_open(&gate);
		ASSERT_TRUE(tracker_await(tracker));
		process_await_exit(process);
		process_await_exit(other);
	}
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		ASSERT_EVENT(event, event->process, PIDTRACK_EXITED,
			     PIDTRACK_EVENT_LAST, PIDTRACK_SOURCE_WAITED,
			     (event->process == process ? 6 : 5) << 8);
	}
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(child_is_any());
	EXPECT_EQ(2, tracker_statistics(tracker).tracked);
	process = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
			     SHIM("exit", "4"));
	ASSERT_EXITED(tracker, process, 4 << 8);
	pidtrack_free(tracker);
}

TEST(a_forked_copy_answers_echild_and_is_freed_without_harm)
{
	check_forked(_metadata, 0, false);
}

TEST(a_copy_forked_with_events_waiting_takes_none)
{
	check_forked(_metadata, 0, true);
}

TEST(a_forked_copy_of_one_with_a_thread_answers_echild)
{
	check_forked(_metadata, PIDTRACK_THREAD, false);
}

TEST(a_copy_of_one_with_a_thread_forked_with_events_takes_none)
{
	check_forked(_metadata, PIDTRACK_THREAD, true);
}

/* The child lives on, with all it inherited, and is a host itself. */
TEST(a_forked_child_can_be_a_host_with_a_tracker_of_its_own)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	int status;
	pid_t pid;

	process = shim_start_at(_metadata, tracker, &gate, 6);
	pid = fork();
	if (!pid) {
		struct pidtrack *own = tracker_start(_metadata, 0);

		gate_open(&gate);
		process = shim_start(_metadata, own, PIDTRACK_FD_NULL,
				     SHIM("exit", "3"));
		ASSERT_EXITED(own, process, 3 << 8);
		ASSERT_NO_EVENT(own);
		EXPECT_FALSE(child_is_any());
		pidtrack_free(own);
		pidtrack_free(tracker);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 6 << 8);
	ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
}

TEST_HARNESS_MAIN
