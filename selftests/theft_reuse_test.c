/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * The number of a shim that was stolen, in the hands of another child of ours
 * at once: before the host has heard of the end of the first, by choice, and by
 * thousands in a namespace of a few numbers.
 */
#include "strangers.h"
#include "verified.h"

/* ---- by choice ---- */

#define TIMES 100

struct theft {
	struct pidtrack *tracker;
	struct pidtrack_process *stolen;
	struct child next; /* who has its number, a child of ours too */
	int code;	   /* of the first */
};

/* A shim ends, is stolen, and its number is another's. */
static void theft_start(struct __test_metadata *_metadata, struct theft *theft,
			int code)
{
	struct pidtrack *tracker = theft->tracker;
	struct gate gate = gate_make(_metadata);
	struct child next = CHILD_NULL;
	int status;

	theft->code = code;
	theft->stolen = shim_start_at(_metadata, tracker, &gate, code);
	next.pid = pidtrack_process_pid(theft->stolen);
	gate_open(&gate);
	ASSERT_EQ(next.pid, waitpid(-1, &status, 0));
	ASSERT_EQ(code << 8, status);
	ASSERT_EQ(next.pid, stranger_start(next.pid));
	next.pidfd = (int)syscall(SYS_pidfd_open, next.pid, 0);
	ASSERT_GE(next.pidfd, 0);
	theft->next = next;
}

/* The end of the first is told, and touches nobody. */
static void theft_tell(struct __test_metadata *_metadata, struct theft *theft)
{
	EXPECT_EQ(-ESRCH, pidtrack_process_signal(theft->stolen, SIGKILL));
	ASSERT_NEXT(theft->tracker, theft->stolen, PIDTRACK_EXITED,
		    PIDTRACK_EVENT_LAST, source_without_wait(),
		    theft->code << 8);
	EXPECT_EQ(-ESRCH, pidtrack_process_signal(theft->stolen, SIGKILL));
	EXPECT_EQ(-ESRCH, pidtrack_process_stop(theft->stolen, NULL));
	pidtrack_process_free(theft->stolen);
	ASSERT_NO_EVENT(theft->tracker);
	EXPECT_FALSE(pidfd_has_ended(theft->next.pidfd));
}

/* The next is the tracker's as well. */
static struct pidtrack_process *theft_attach(struct __test_metadata *_metadata,
					     struct theft *theft)
{
	struct pidtrack_process *process;

	ASSERT_EQ(0, pidtrack_attach(theft->tracker, theft->next.pid, 0, 0,
				     &process));
	EXPECT_EQ(PIDTRACK_STATE_RUNNING, pidtrack_process_state(process));
	return process;
}

static void theft_end(struct __test_metadata *_metadata, struct theft *theft,
		      struct pidtrack_process *process)
{
	ASSERT_EQ(0, pidtrack_process_signal(process, SIGTERM));
	ASSERT_EXITED(theft->tracker, process, SIGTERM);
	pidtrack_process_free(process);
	ASSERT_NO_EVENT(theft->tracker);
	EXPECT_FALSE(child_is_any());
}

FIXTURE(reuse)
{
	struct theft theft;
};

FIXTURE_SETUP(reuse)
{
	if (!works(PIDTRACK_FEATURE_PIDFS))
		SKIP(return, "no pidfs: nobody tells when it is reaped");
	if (!numbers_can_be_had())
		SKIP(return, "no pid can be chosen");
	self->theft.tracker = tracker_start(_metadata, 0);
}

FIXTURE_TEARDOWN(reuse)
{
	pidtrack_free(self->theft.tracker);
}

TEST_F(reuse, one_who_is_nobodys_shim_is_left_alone)
{
	struct theft *theft = &self->theft;
	int i;

	for (i = 0; i < TIMES; i++) {
		theft_start(_metadata, theft, 1 + i);
		theft_tell(_metadata, theft);
		ASSERT_EQ(0, child_signal(&theft->next, SIGTERM));
		child_await_exit(&theft->next);
		ASSERT_NO_EVENT(theft->tracker);
		EXPECT_EQ(SIGTERM, child_reap(&theft->next));
		child_close(&theft->next);
	}
}

/* A zombie is what a wait by number would take. */
TEST_F(reuse, nor_is_it_reaped_when_it_has_ended_too)
{
	struct theft *theft = &self->theft;
	int i;

	for (i = 0; i < TIMES; i++) {
		theft_start(_metadata, theft, 1 + i);
		ASSERT_EQ(0, child_signal(&theft->next, SIGTERM));
		child_await_exit(&theft->next);
		ASSERT_NEXT(theft->tracker, theft->stolen, PIDTRACK_EXITED,
			    PIDTRACK_EVENT_LAST, source_without_wait(),
			    (1 + i) << 8);
		if (i % 2)
			pidtrack_process_free(theft->stolen);
		ASSERT_NO_EVENT(theft->tracker);
		EXPECT_EQ(SIGTERM, child_reap(&theft->next));
		child_close(&theft->next);
	}
}

TEST_F(reuse, attached_before_the_first_is_told_it_is_another)
{
	struct theft *theft = &self->theft;
	int i;

	for (i = 0; i < TIMES; i++) {
		struct pidtrack_process *process;

		theft_start(_metadata, theft, 1 + i);
		process = theft_attach(_metadata, theft);
		theft_tell(_metadata, theft);
		theft_end(_metadata, theft, process);
		child_close(&theft->next);
	}
}

TEST_F(reuse, attached_after_the_first_was_told_it_is_another)
{
	struct theft *theft = &self->theft;
	int i;

	for (i = 0; i < TIMES; i++) {
		theft_start(_metadata, theft, 1 + i);
		theft_tell(_metadata, theft);
		theft_end(_metadata, theft, theft_attach(_metadata, theft));
		child_close(&theft->next);
	}
}

/* Both zombies, and the host hears of both at once. */
TEST_F(reuse, that_has_ended_before_either_is_told_each_has_its_own_status)
{
	struct theft *theft = &self->theft;
	int i, j;

	for (i = 0; i < TIMES; i++) {
		struct pidtrack_process *process;
		const struct pidtrack_event *event;

		theft_start(_metadata, theft, 1 + i);
		process = theft_attach(_metadata, theft);
		ASSERT_EQ(0, pidtrack_process_signal(process, SIGKILL));
		process_await_exit(process);
		for (j = 0; j < 2; j++) {
			ASSERT_EQ(1, pidtrack_wait(theft->tracker, awhile_ms(),
						   &event));
			if (event->process == process)
				ASSERT_EVENT(event, process, PIDTRACK_EXITED,
					     PIDTRACK_EVENT_LAST,
					     PIDTRACK_SOURCE_WAITED, SIGKILL);
			else
				ASSERT_EVENT(
					event, theft->stolen, PIDTRACK_EXITED,
					PIDTRACK_EVENT_LAST,
					source_without_wait(), (1 + i) << 8);
			pidtrack_process_free(event->process);
		}
		ASSERT_NO_EVENT(theft->tracker);
		EXPECT_FALSE(child_is_any());
		child_close(&theft->next);
	}
}

/* ---- by thousands ---- */

/* Four numbers, 300 to 303, which are six shims' in turn. */
#define PID_MAX "304"
#define UNTOLD 6

struct crowd {
	struct pidtrack *tracker;
	int launched, told, stolen;
	int again; /* had the number of one whose end was not told yet */
	struct {
		struct pidtrack_process *process;
		pid_t pid;
		int code;
	} untold[UNTOLD];
};

static void *thief_run(void *arg)
{
	int *stop = arg;

	while (!__atomic_load_n(stop, __ATOMIC_SEQ_CST))
		if (waitpid(-1, NULL, 0) <= 0)
			sched_yield();
	return NULL;
}

/* Ends, is reaped by somebody else, and is not told. */
static void crowd_launch(struct __test_metadata *_metadata, struct crowd *crowd)
{
	int i, place = crowd->launched % UNTOLD, code = crowd->launched % 251;
	struct pidtrack_process *process;
	char text[16];

	snprintf(text, sizeof(text), "%d", code);
	process = shim_start(_metadata, crowd->tracker, PIDTRACK_FD_NULL,
			     SHIM("exit", text));
	while (!pidfd_is_reaped(pidtrack_process_pidfd(process)))
		sched_yield();
	pidtrack_process_set_userdata(process, (void *)(intptr_t)place);
	crowd->untold[place].process = process;
	crowd->untold[place].pid = pidtrack_process_pid(process);
	crowd->untold[place].code = code;
	for (i = 0; i < place; i++)
		if (crowd->untold[i].pid == crowd->untold[place].pid) {
			crowd->again++;
			break;
		}
	crowd->launched++;
}

static void crowd_tell(struct __test_metadata *_metadata, struct crowd *crowd)
{
	const struct pidtrack_event *event;
	int i;

	for (i = 0; i < UNTOLD; i++) {
		intptr_t place;

		ASSERT_EQ(1,
			  pidtrack_wait(crowd->tracker, awhile_ms(), &event));
		place = (intptr_t)pidtrack_process_userdata(event->process);
		ASSERT_EVENT(event, crowd->untold[place].process,
			     PIDTRACK_EXITED, PIDTRACK_EVENT_LAST,
			     event->source, crowd->untold[place].code << 8);
		ASSERT_NE(PIDTRACK_SOURCE_UNKNOWN, event->source);
		ASSERT_EQ(crowd->untold[place].pid,
			  pidtrack_process_pid(event->process));
		crowd->untold[place].process = NULL;
		crowd->stolen += event->source == PIDTRACK_SOURCE_RECOVERED;
		crowd->told++;
		pidtrack_process_free(event->process);
	}
	ASSERT_NO_EVENT(crowd->tracker);
}

/* Numbers below 300 are given once. */
static void use_up_the_first_numbers(struct __test_metadata *_metadata)
{
	pid_t pid;

	do {
		pid = fork();
		if (!pid)
			syscall(SYS_exit_group, 0);
		ASSERT_GT(pid, 0);
		ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	} while (pid < 300);
}

static void crowd_run(struct __test_metadata *_metadata, void *arg)
{
	int slow = harness_number_of("PIDTRACK_TEST_SLOW", 1), stop = 0;
	int n = harness_number_of("PIDTRACK_TEST_STORM", 1500) / slow;
	struct crowd *crowd = arg;
	pthread_t thread;

	have_numbers_below(_metadata, PID_MAX);
	crowd->tracker = tracker_start(_metadata, 0);
	use_up_the_first_numbers(_metadata);
	ASSERT_EQ(0, pthread_create(&thread, NULL, thief_run, &stop));
	while (crowd->launched < n) {
		do
			crowd_launch(_metadata, crowd);
		while (crowd->launched % UNTOLD);
		crowd_tell(_metadata, crowd);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
	pthread_join(thread, NULL);
	TH_LOG("%d ends told truly, %d of them stolen, %d of a number that "
	       "another had whose end was not told",
	       crowd->told, crowd->stolen, crowd->again);
	EXPECT_GE(crowd->again, crowd->told / 4);
	EXPECT_FALSE(child_is_any());
	EXPECT_EQ(0, tracker_statistics(crowd->tracker).tracked);
	pidtrack_free(crowd->tracker);
}

TEST(of_thousands_with_four_numbers_nobody_is_taken_for_another)
{
	struct crowd crowd = { .launched = 0 };

	if (!works(PIDTRACK_FEATURE_EXIT_INFO) || !pid_max_is_of_namespaces())
		SKIP(return, "no exit info, Linux < 6.15");
	pidtrack_free(tracker_start(_metadata, 0)); /* or skip */
	in_pid_namespace(_metadata, crowd_run, &crowd);
}

TEST_HARNESS_MAIN
