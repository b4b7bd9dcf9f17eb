/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Others of the host's process who wait for our shims, by mistake or by habit:
 * the end is told all the same, with the true status where the kernel still
 * knows it (Linux 6.15), and never does anybody hang.
 */
#include <pthread.h>

#include "seccomp.h"
#include "tracked.h"

/* ---- before the tracker looks ---- */

enum thief {
	THIEF_WAITPID_ANY,
	THIEF_WAITPID,
	THIEF_WAITID_ALL,
	THIEF_WAITID_PID,
	THIEF_WAITID_PIDFD,
	THIEF_WAITID_OWN_PIDFD,
};

struct theft {
	enum thief thief;
	pid_t pid;
	int pidfd;
	int status; /* what the thief got; -1: nothing */
};

static int status_of(const siginfo_t *info)
{
	if (info->si_code == CLD_EXITED)
		return info->si_status << 8;
	return info->si_status | (info->si_code == CLD_DUMPED ? 0x80 : 0);
}

static int wait_by_own_pidfd(pid_t pid, siginfo_t *info)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int r = waitid(P_PIDFD, pidfd, info, WEXITED);

	close(pidfd);
	return r;
}

static void *theft_run(void *arg)
{
	struct theft *theft = arg;
	siginfo_t info = { 0 };
	int r = -1;

	theft->status = -1;
	switch (theft->thief) {
	case THIEF_WAITPID_ANY:
		if (waitpid(-1, &theft->status, 0) != theft->pid)
			theft->status = -1;
		return NULL;
	case THIEF_WAITPID:
		if (waitpid(theft->pid, &theft->status, 0) != theft->pid)
			theft->status = -1;
		return NULL;
	case THIEF_WAITID_ALL:
		r = waitid(P_ALL, 0, &info, WEXITED);
		break;
	case THIEF_WAITID_PID:
		r = waitid(P_PID, theft->pid, &info, WEXITED);
		break;
	case THIEF_WAITID_PIDFD:
		r = waitid(P_PIDFD, theft->pidfd, &info, WEXITED);
		break;
	case THIEF_WAITID_OWN_PIDFD:
		r = wait_by_own_pidfd(theft->pid, &info);
		break;
	}
	if (!r && info.si_pid == theft->pid)
		theft->status = status_of(&info);
	return NULL;
}

/* Has stolen it by the time this returns. */
static void steal(struct __test_metadata *_metadata,
		  struct pidtrack_process *process, enum thief thief,
		  bool in_thread, int status)
{
	struct theft theft = {
		.thief = thief,
		.pid = pidtrack_process_pid(process),
		.pidfd = pidtrack_process_pidfd(process),
	};
	pthread_t thread;

	if (in_thread) {
		ASSERT_EQ(0, pthread_create(&thread, NULL, theft_run, &theft));
		pthread_join(thread, NULL);
	} else {
		theft_run(&theft);
	}
	ASSERT_EQ(status, theft.status);
}

static void check_stolen(struct __test_metadata *_metadata, enum thief thief,
			 bool in_thread)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	uint32_t source = source_without_wait();
	struct pidtrack_statistics statistics;
	struct pidtrack_process *process;
	struct gate gate = gate_make(_metadata);
	int i, status;

	process = shim_start_at(_metadata, tracker, &gate, 42);
	gate_open(&gate);
	steal(_metadata, process, thief, in_thread, 42 << 8);
	ASSERT_TRUE(tracker_await(tracker));
	ASSERT_NEXT(tracker, process, PIDTRACK_EXITED, PIDTRACK_EVENT_LAST,
		    source, 42 << 8);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(PIDTRACK_STATE_REAPED,
			  pidtrack_process_state(process));
		if (source) {
			EXPECT_EQ((int)source,
				  pidtrack_process_status(process, &status));
			EXPECT_EQ(42 << 8, status);
		} else {
			EXPECT_EQ(-ENODATA,
				  pidtrack_process_status(process, &status));
		}
		EXPECT_EQ(-ESRCH, pidtrack_process_signal(process, 0));
		ASSERT_NO_EVENT(tracker);
	}
	EXPECT_FALSE(tracker_is_readable(tracker));
	statistics = tracker_statistics(tracker);
	EXPECT_EQ(1, statistics.exits);
	EXPECT_EQ(source ? 1 : 0, statistics.recovered);
	EXPECT_EQ(source ? 0 : 1, statistics.unknown);
	pidtrack_free(tracker);
}

TEST(an_end_stolen_by_waitpid_any_is_recovered)
{
	check_stolen(_metadata, THIEF_WAITPID_ANY, false);
}

TEST(an_end_stolen_by_waitpid_any_of_another_thread_is_recovered)
{
	check_stolen(_metadata, THIEF_WAITPID_ANY, true);
}

TEST(an_end_stolen_by_waitpid_of_another_thread_is_recovered)
{
	check_stolen(_metadata, THIEF_WAITPID, true);
}

TEST(an_end_stolen_by_waitid_all_is_recovered)
{
	check_stolen(_metadata, THIEF_WAITID_ALL, false);
}

TEST(an_end_stolen_by_waitid_all_of_another_thread_is_recovered)
{
	check_stolen(_metadata, THIEF_WAITID_ALL, true);
}

TEST(an_end_stolen_by_waitid_of_its_number_is_recovered)
{
	check_stolen(_metadata, THIEF_WAITID_PID, false);
}

TEST(an_end_stolen_by_waitid_of_its_number_by_another_thread_is_recovered)
{
	check_stolen(_metadata, THIEF_WAITID_PID, true);
}

TEST(an_end_stolen_through_a_pidfd_of_the_thiefs_own_is_recovered)
{
	check_stolen(_metadata, THIEF_WAITID_OWN_PIDFD, true);
}

TEST(an_end_stolen_through_the_pidfd_itself_is_recovered)
{
	check_stolen(_metadata, THIEF_WAITID_PIDFD, false);
}

TEST(an_end_stolen_through_the_pidfd_by_another_thread_is_recovered)
{
	check_stolen(_metadata, THIEF_WAITID_PIDFD, true);
}

TEST(a_signal_is_recovered_too)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	struct gate gate = gate_make(_metadata);

	process = shim_start_at(_metadata, tracker, &gate, 0);
	ASSERT_EQ(0, pidtrack_process_signal(process, SIGKILL));
	steal(_metadata, process, THIEF_WAITPID, false, SIGKILL);
	ASSERT_NEXT(tracker, process, PIDTRACK_EXITED, PIDTRACK_EVENT_LAST,
		    source_without_wait(), SIGKILL);
	gate_open(&gate);
	pidtrack_free(tracker);
}

TEST(that_of_a_child_attached_is_recovered_too)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	struct child child;

	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, pidtrack_attach(tracker, child.pid, 0, 0, &process));
	ASSERT_EQ(0, child_exit(&child, 42));
	steal(_metadata, process, THIEF_WAITPID_ANY, true, 42 << 8);
	ASSERT_NEXT(tracker, process, PIDTRACK_EXITED, PIDTRACK_EVENT_LAST,
		    source_without_wait(), 42 << 8);
	child_close(&child);
	pidtrack_free(tracker);
}

TEST(of_many_those_not_stolen_are_waited_for)
{
	enum { N = 60 };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	uint32_t source = source_without_wait();
	struct pidtrack_process *processes[N];
	struct gate gate = gate_make(_metadata);
	const struct pidtrack_event *event;
	int i;

	for (i = 0; i < N; i++) {
		processes[i] = shim_start_at(_metadata, tracker, &gate, i);
		pidtrack_process_set_userdata(processes[i],
					      (void *)(intptr_t)i);
	}
	gate_open(&gate);
	for (i = 0; i < N; i++)
		process_await_exit(processes[i]);
	for (i = 0; i < N; i += 2)
		steal(_metadata, processes[i], THIEF_WAITPID, false, i << 8);
	for (i = 0; i < N; i++) {
		intptr_t j;

		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		j = (intptr_t)pidtrack_process_userdata(event->process);
		ASSERT_EVENT(event, processes[j], PIDTRACK_EXITED,
			     PIDTRACK_EVENT_LAST,
			     j % 2 ? PIDTRACK_SOURCE_WAITED : source,
			     (int)j << 8);
	}
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(child_is_any());
	pidtrack_free(tracker);
}

/* ---- after ---- */

TEST(an_end_stolen_after_it_was_told_troubles_nobody)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	int i, status;

	for (i = 0; i < 10; i++) {
		process = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
				     SHIM("exit", "11"));
		ASSERT_EXITED(tracker, process, 11 << 8);
		steal(_metadata, process, THIEF_WAITPID_ANY, i % 2, 11 << 8);
		ASSERT_NO_EVENT(tracker);
		ASSERT_NO_EVENT(tracker);
		EXPECT_FALSE(tracker_is_readable(tracker));
		EXPECT_EQ(PIDTRACK_STATE_REAPED,
			  pidtrack_process_state(process));
		EXPECT_EQ(PIDTRACK_SOURCE_WAITED,
			  pidtrack_process_status(process, &status));
		EXPECT_EQ(11 << 8, status);
		pidtrack_process_free(process);
	}
	EXPECT_EQ(10, tracker_statistics(tracker).exits);
	EXPECT_EQ(0, tracker_statistics(tracker).recovered);
	pidtrack_free(tracker);
}

/* Seen by the tracker, perhaps, when it looked for the first. */
TEST(an_end_stolen_before_it_was_told_and_maybe_seen_is_told_truly)
{
	enum { N = 8 };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *processes[N];
	struct gate gate = gate_make(_metadata);
	const struct pidtrack_event *event;
	bool told[N] = { false };
	int i, j;

	for (i = 0; i < N; i++) {
		processes[i] = shim_start_at(_metadata, tracker, &gate, 3);
		pidtrack_process_set_userdata(processes[i],
					      (void *)(intptr_t)i);
	}
	gate_open(&gate);
	for (i = 0; i < N; i++)
		process_await_exit(processes[i]);
	ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
	told[(intptr_t)pidtrack_process_userdata(event->process)] = true;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	for (i = 1; i < N; i++) {
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		j = (int)(intptr_t)pidtrack_process_userdata(event->process);
		ASSERT_FALSE(told[j]);
		told[j] = true;
		EXPECT_EQ(PIDTRACK_EXITED, event->kind);
		EXPECT_EQ(PIDTRACK_EVENT_LAST, event->flags);
		if (event->source == PIDTRACK_SOURCE_UNKNOWN)
			EXPECT_EQ(PIDTRACK_SOURCE_UNKNOWN,
				  source_without_wait());
		else
			EXPECT_EQ(3 << 8, event->status);
	}
	ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
}

/* ---- SIGCHLD that makes no zombies ---- */

static void check_no_zombies(struct __test_metadata *_metadata,
			     const struct sigaction *action)
{
	uint32_t source = source_without_wait();
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	struct gate gate = gate_make(_metadata);
	struct pidtrack_statistics statistics;
	int i;

	ASSERT_EQ(0, sigaction(SIGCHLD, action, NULL));
	process = shim_start_at(_metadata, tracker, &gate, 77);
	gate_open(&gate);
	process_await_exit(process);
	ASSERT_NEXT(tracker, process, PIDTRACK_EXITED, PIDTRACK_EVENT_LAST,
		    source, 77 << 8);
	ASSERT_NO_EVENT(tracker);
	for (i = 0; i < 20; i++) {
		process = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
				     SHIM("kill", "KILL"));
		ASSERT_TRUE(tracker_await(tracker));
		ASSERT_NEXT(tracker, process, PIDTRACK_EXITED,
			    PIDTRACK_EVENT_LAST, source, SIGKILL);
		pidtrack_process_free(process);
	}
	ASSERT_NO_EVENT(tracker);
	statistics = tracker_statistics(tracker);
	EXPECT_EQ(21, statistics.exits);
	EXPECT_EQ(source ? 21 : 0, statistics.recovered);
	pidtrack_free(tracker);
}

TEST(with_sigchld_ignored_every_end_is_recovered)
{
	struct sigaction action = { .sa_handler = SIG_IGN };

	check_no_zombies(_metadata, &action);
}

TEST(with_sa_nocldwait_every_end_is_recovered)
{
	struct sigaction action = { .sa_handler = SIG_DFL,
				    .sa_flags = SA_NOCLDWAIT };

	check_no_zombies(_metadata, &action);
}

/*
 * Until it has ended and the kernel has looked at what SIGCHLD is: it does so
 * after the pidfd is readable, if but for a moment.
 */
static void await_disposed(const struct pidtrack_process *process, bool stays)
{
	int pidfd = pidtrack_process_pidfd(process);
	siginfo_t info;

	if (stays)
		waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOWAIT);
	while (!stays && !pidfd_is_reaped(pidfd))
		sched_yield();
}

TEST(sigchld_ignored_while_it_ran_hides_no_end)
{
	uint32_t source = source_without_wait();
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process, *early;
	struct gate gate = gate_make(_metadata);
	const struct pidtrack_event *event;
	int i;

	early = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
			   SHIM("exit", "1"));
	await_disposed(early, true);
	process = shim_start_at(_metadata, tracker, &gate, 2);
	signal(SIGCHLD, SIG_IGN);
	gate_open(&gate);
	await_disposed(process, false);
	signal(SIGCHLD, SIG_DFL);
	/* one is a zombie, the other never was; in whichever order */
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		if (event->process == early)
			ASSERT_EVENT(event, early, PIDTRACK_EXITED,
				     PIDTRACK_EVENT_LAST,
				     PIDTRACK_SOURCE_WAITED, 1 << 8);
		else
			ASSERT_EVENT(event, process, PIDTRACK_EXITED,
				     PIDTRACK_EVENT_LAST, source, 2 << 8);
	}
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(child_is_any());
	pidtrack_free(tracker);
}

/* What SIGCHLD is to a host at some time. */
static void dispose(int how)
{
	static const struct sigaction actions[] = {
		{ .sa_handler = SIG_DFL },
		{ .sa_handler = SIG_IGN },
		{ .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT },
	};

	sigaction(SIGCHLD, &actions[how], NULL);
}

TEST(whatever_sigchld_is_before_and_after_an_end_it_is_told_truly)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	int launched, ended, told;

	for (launched = 0; launched < 3; launched++)
		for (ended = 0; ended < 3; ended++)
			for (told = 0; told < 3; told++) {
				struct gate gate = gate_make(_metadata);
				struct pidtrack_process *process;

				dispose(launched);
				process = shim_start_at(_metadata, tracker,
							&gate, 21);
				dispose(ended);
				gate_open(&gate);
				await_disposed(process, !ended);
				dispose(told);
				ASSERT_NEXT(tracker, process, PIDTRACK_EXITED,
					    PIDTRACK_EVENT_LAST,
					    ended ? source_without_wait() :
						    PIDTRACK_SOURCE_WAITED,
					    21 << 8);
				pidtrack_process_free(process);
				ASSERT_NO_EVENT(tracker);
				EXPECT_FALSE(child_is_any());
			}
	pidtrack_free(tracker);
}

/* ---- launches ---- */

static void check_failed_launches(struct __test_metadata *_metadata)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = (const char *const[]){
					       "/nonexistent", NULL });
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	uint32_t stage;
	int i;

	for (i = 0; i < 200; i++) {
		stage = PIDTRACK_STAGE_NONE;
		ASSERT_EQ(-ENOENT,
			  pidtrack_spawn(tracker, &options, &process, &stage));
		ASSERT_EQ(PIDTRACK_STAGE_EXEC, stage);
	}
	ASSERT_NO_EVENT(tracker);
	EXPECT_EQ(0, tracker_statistics(tracker).exits);
	EXPECT_EQ(0, tracker_statistics(tracker).tracked);
	pidtrack_free(tracker);
}

TEST(with_sigchld_ignored_a_launch_that_fails_tells_why)
{
	dispose(1);
	check_failed_launches(_metadata);
	dispose(2);
	check_failed_launches(_metadata);
}

/* ---- in the middle of a theft ---- */

/*
 * Whoever reaps a child, the kernel says first that it cannot be waited for and
 * then, a little later, its status.  Here the time between is made long.
 */
static void see_middle_of_theft(struct __test_metadata *_metadata)
{
	uint32_t source = source_without_wait();
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;

	if (tracker_is_on_ring(tracker) && works(PIDTRACK_FEATURE_RING_WAITID))
		source = PIDTRACK_SOURCE_WAITED;
	process = shim_start_at(_metadata, tracker, &gate, 23);
	if (source != PIDTRACK_SOURCE_WAITED)
		ASSERT_EQ(0, seccomp_refuse(SYS_waitid, ECHILD));
	gate_open(&gate);
	process_await_exit(process);
	if (source != PIDTRACK_SOURCE_WAITED) {
		ASSERT_NO_EVENT(tracker);
		EXPECT_EQ(PIDTRACK_STATE_RUNNING,
			  pidtrack_process_state(process));
		ASSERT_EQ(pidtrack_process_pid(process),
			  waitpid(pidtrack_process_pid(process), NULL, 0));
	}
	ASSERT_TRUE(tracker_await(tracker));
	ASSERT_NEXT(tracker, process, PIDTRACK_EXITED, PIDTRACK_EVENT_LAST,
		    source, 23 << 8);
	ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
}

TEST(an_end_seen_in_the_middle_of_a_theft_is_told_once_and_truly)
{
	if (!works(PIDTRACK_FEATURE_PIDFS))
		SKIP(return, "no pidfs: nobody tells when it is reaped");
	see_middle_of_theft(_metadata);
}

TEST(so_it_is_where_a_sandbox_hides_that_there_is_pidfs)
{
	if (!works(PIDTRACK_FEATURE_EXIT_INFO))
		SKIP(return, "no exit info: nobody tells how it ended");
	ASSERT_EQ(0, seccomp_refuse(SYS_pidfd_open, EPERM));
	see_middle_of_theft(_metadata);
}

/* ---- a thief that never stops ---- */

static void *thief_run(void *arg)
{
	int *stop = arg;

	while (!__atomic_load_n(stop, __ATOMIC_SEQ_CST))
		if (waitpid(-1, NULL, WNOHANG) <= 0)
			sched_yield();
	return NULL;
}

/* The last of one that somebody may have stolen: whether somebody has. */
static bool told_truly(struct __test_metadata *_metadata,
		       const struct pidtrack_event *event, int status)
{
	ASSERT_EQ(PIDTRACK_EVENT_LAST, event->flags);
	if (works(PIDTRACK_FEATURE_EXIT_INFO))
		ASSERT_NE(PIDTRACK_SOURCE_UNKNOWN, event->source);
	if (event->source == PIDTRACK_SOURCE_UNKNOWN)
		ASSERT_EQ(-1, event->status);
	else
		ASSERT_EQ(status, event->status);
	return event->source != PIDTRACK_SOURCE_WAITED;
}

/* The next that is the last of its process. */
static const struct pidtrack_event *take_last(struct __test_metadata *_metadata,
					      struct pidtrack *tracker)
{
	const struct pidtrack_event *event;
	int r;

	for (;;) {
		do /* a handler of the host's may run */
			r = pidtrack_wait(tracker, awhile_ms(), &event);
		while (r == -EINTR);
		ASSERT_EQ(1, r);
		if (reaping_is_told() || event->flags & PIDTRACK_EVENT_LAST)
			break;
		/* seen just while the thief was about it */
		ASSERT_EQ(PIDTRACK_EXITED, event->kind);
		ASSERT_EQ(PIDTRACK_SOURCE_UNKNOWN, event->source);
	}
	if (reaping_is_told())
		ASSERT_EQ(PIDTRACK_EXITED, event->kind);
	return event;
}

/* Whoever of the two is first, each time. */
TEST(against_a_thief_that_never_stops_every_end_is_told_truly)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	const struct pidtrack_event *event;
	pthread_t thread;
	int i, stop = 0;

	ASSERT_EQ(0, pthread_create(&thread, NULL, thief_run, &stop));
	for (i = 0; i < 300; i++) {
		process = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
				     SHIM("exit", "19"));
		event = take_last(_metadata, tracker);
		ASSERT_EQ(process, event->process);
		told_truly(_metadata, event, 19 << 8);
		ASSERT_NO_EVENT(tracker);
		pidtrack_process_free(process);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
	pthread_join(thread, NULL);
	pidtrack_free(tracker);
}

TEST(against_it_a_launch_that_fails_tells_why)
{
	pthread_t thread;
	int stop = 0;

	ASSERT_EQ(0, pthread_create(&thread, NULL, thief_run, &stop));
	check_failed_launches(_metadata);
	__atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
	pthread_join(thread, NULL);
}

/* ---- storms ---- */

#define AT_ONCE 64

/* The @i-th of a storm, and how it will end. */
static int launch_one(struct __test_metadata *_metadata,
		      struct pidtrack *tracker, int i)
{
	bool killed = i % 8 == 0;
	int status = killed ? SIGKILL : (i % 251) << 8;
	struct pidtrack_process *process;
	char code[16];

	snprintf(code, sizeof(code), "%d", i % 251);
	process =
		shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
			   killed ? SHIM("kill", "KILL") : SHIM("exit", code));
	pidtrack_process_set_userdata(process, (void *)(intptr_t)status);
	return 1;
}

/*
 * Thousands that end by every status there is, while somebody else of this
 * process is about to wait for each.
 */
static void storm(struct __test_metadata *_metadata, uint32_t flags)
{
	int n = harness_number_of("PIDTRACK_TEST_STORM", 1500) /
		harness_number_of("PIDTRACK_TEST_SLOW", 1);
	struct pidtrack *tracker = tracker_start(_metadata, flags);
	int launched = 0, told, stolen = 0;

	for (told = 0; told < n; told++) {
		const struct pidtrack_event *event;
		void *status;

		while (launched < n && launched - told < AT_ONCE)
			launched += launch_one(_metadata, tracker, launched);
		event = take_last(_metadata, tracker);
		status = pidtrack_process_userdata(event->process);
		stolen += told_truly(_metadata, event, (int)(intptr_t)status);
		pidtrack_process_free(event->process);
	}
	ASSERT_NO_EVENT(tracker);
	TH_LOG("%d ends told truly, %d of them stolen", told, stolen);
	EXPECT_EQ(n, tracker_statistics(tracker).exits);
	EXPECT_EQ(0, tracker_statistics(tracker).tracked);
	pidtrack_free(tracker);
}

struct reaper {
	pthread_t thread;
	int stop;
	int taken;
};

static void *reaper_run(void *arg)
{
	struct reaper *reaper = arg;

	while (!__atomic_load_n(&reaper->stop, __ATOMIC_SEQ_CST))
		if (waitpid(-1, NULL, 0) <= 0)
			sched_yield();
		else
			reaper->taken++;
	return NULL;
}

static void check_storm(struct __test_metadata *_metadata,
			struct reaper *reaper, uint32_t flags)
{
	ASSERT_EQ(0, pthread_create(&reaper->thread, NULL, reaper_run, reaper));
	storm(_metadata, flags);
	__atomic_store_n(&reaper->stop, 1, __ATOMIC_SEQ_CST);
	pthread_join(reaper->thread, NULL);
	EXPECT_GT(reaper->taken, 0);
	EXPECT_FALSE(child_is_any());
}

FIXTURE(storm)
{
	struct reaper reaper;
};

FIXTURE_SETUP(storm)
{
}

FIXTURE_TEARDOWN(storm)
{
}

TEST_F_TIMEOUT(storm, of_thousands_that_a_thread_waits_for_none_is_lost, 120)
{
	check_storm(_metadata, &self->reaper, 0);
}

TEST_F_TIMEOUT(storm, nor_is_one_of_a_tracker_with_a_thread, 120)
{
	check_storm(_metadata, &self->reaper, PIDTRACK_THREAD);
}

TEST_F_TIMEOUT(storm, nor_is_one_that_makes_no_zombie, 120)
{
	dispose(1);
	storm(_metadata, 0);
	EXPECT_FALSE(child_is_any());
}

/* ---- runtimes that reap ---- */

static _Atomic int reaped_by_handler; /* on any thread */

static void reap_all(int number)
{
	int before = errno;

	while (waitpid(-1, NULL, WNOHANG) > 0)
		reaped_by_handler++;
	errno = before;
}

static void check_reaping_handler(struct __test_metadata *_metadata,
				  uint32_t flags)
{
	struct sigaction action = { .sa_handler = reap_all,
				    .sa_flags = SA_RESTART | SA_NOCLDSTOP };

	sigaction(SIGCHLD, &action, NULL);
	storm(_metadata, flags);
	EXPECT_GT(reaped_by_handler, 0);
	EXPECT_FALSE(child_is_any());
}

TEST_F_TIMEOUT(storm, of_thousands_that_a_handler_reaps_none_is_lost, 120)
{
	check_reaping_handler(_metadata, 0);
}

TEST_F_TIMEOUT(storm, nor_is_one_of_a_handler_and_a_tracker_with_a_thread, 120)
{
	check_reaping_handler(_metadata, PIDTRACK_THREAD);
}

static void *signals_run(void *arg)
{
	struct reaper *runtime = arg;
	sigset_t set;
	int number;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	while (!__atomic_load_n(&runtime->stop, __ATOMIC_SEQ_CST)) {
		sigwait(&set, &number);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			runtime->taken++;
	}
	return NULL;
}

/* As Go's, or a signalfd's: SIGCHLD blocked, and a thread that waits for it. */
TEST_F_TIMEOUT(storm, nor_is_one_that_a_runtimes_signal_thread_reaps, 120)
{
	struct reaper *runtime = &self->reaper;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	ASSERT_EQ(0, pthread_sigmask(SIG_BLOCK, &set, NULL));
	ASSERT_EQ(0,
		  pthread_create(&runtime->thread, NULL, signals_run, runtime));
	storm(_metadata, 0);
	__atomic_store_n(&runtime->stop, 1, __ATOMIC_SEQ_CST);
	kill(getpid(), SIGCHLD);
	pthread_join(runtime->thread, NULL);
	EXPECT_GT(runtime->taken, 0);
	EXPECT_FALSE(child_is_any());
}

TEST_HARNESS_MAIN
