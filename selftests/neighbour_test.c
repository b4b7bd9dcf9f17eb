/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* A host that is not the tracker's alone: what is others' is not touched. */
#include <pthread.h>
#include <spawn.h>

#include "tracked.h"

/* ---- their children ---- */

static pid_t launch_by_posix_spawn(int code)
{
	char text[16], command[] = "exit";
	char *const argv[] = { (char *)(intptr_t)shim_path(), command, text,
			       NULL };
	pid_t pid;

	snprintf(text, sizeof(text), "%d", code);
	if (posix_spawn(&pid, argv[0], NULL, NULL, argv, environ))
		return -1;
	return pid;
}

static pid_t launch_by_fork(int code)
{
	pid_t pid = fork();

	if (!pid)
		syscall(SYS_exit_group, code);
	return pid;
}

static pid_t launch(int i)
{
	return i % 4 ? launch_by_fork(i % 256) : launch_by_posix_spawn(i % 256);
}

struct neighbour {
	pthread_t thread;
	int n;	   /* to launch and wait for */
	int wrong; /* of these, not there or with another status */
};

/* Leaves up to twenty of them unwaited for at any time. */
static void *neighbour_run(void *arg)
{
	struct neighbour *neighbour = arg;
	pid_t pids[20] = { 0 };
	int i, status;

	for (i = 0; i < neighbour->n + 20; i++) {
		int j = i - 20;
		pid_t *pid = &pids[i % 20];

		if (j >= 0 && (waitpid(*pid, &status, 0) != *pid ||
			       status != (j % 256) << 8))
			neighbour->wrong++;
		*pid = i < neighbour->n ? launch(i) : 0;
	}
	return NULL;
}

TEST(children_of_another_thread_are_never_waited_for)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	int slow = harness_number_of("PIDTRACK_TEST_SLOW", 1);
	struct neighbour neighbour = { .n = 3000 / slow };
	struct pidtrack_process *process;
	int i;

	ASSERT_EQ(0, pthread_create(&neighbour.thread, NULL, neighbour_run,
				    &neighbour));
	for (i = 0; i < 1000 / slow; i++) {
		char code[16];

		snprintf(code, sizeof(code), "%d", i % 256);
		process = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
				     SHIM("exit", code));
		ASSERT_EXITED(tracker, process, (i % 256) << 8);
		pidtrack_process_free(process);
	}
	pthread_join(neighbour.thread, NULL);
	EXPECT_EQ(0, neighbour.wrong);
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(child_is_any());
	pidtrack_free(tracker);
}

/* All ended before the tracker looks the first time. */
TEST(zombies_of_others_stay_theirs_whatever_the_tracker_does)
{
	enum { N = 500, SHIMS = 100 };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *processes[SHIMS];
	struct child children[N];
	int i;

	for (i = 0; i < N; i++) {
		children[i].pid = launch(i);
		ASSERT_GT(children[i].pid, 0);
		if (i < SHIMS)
			processes[i] = shim_start(_metadata, tracker,
						  PIDTRACK_FD_NULL,
						  SHIM("exit", "1"));
	}
	for (i = 0; i < SHIMS; i++)
		process_await_exit(processes[i]);
	for (i = 0; i < SHIMS; i++) {
		const struct pidtrack_event *event;

		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		if (i % 2)
			pidtrack_process_free(event->process);
	}
	ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
	for (i = 0; i < N; i++)
		EXPECT_EQ((i % 256) << 8, child_reap(&children[i]));
	EXPECT_FALSE(child_is_any());
}

TEST(the_pid_of_a_reaped_shim_in_anothers_hand_is_left_alone)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	struct child child;
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal,
			stack, stack_size, tls, set_tid, set_tid_size;
	} args = { .exit_signal = SIGCHLD, .set_tid_size = 1 };
	pid_t number;

	process = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
			     SHIM("exit", "1"));
	number = pidtrack_process_pid(process);
	ASSERT_EXITED(tracker, process, 1 << 8);
	ASSERT_NO_EVENT(tracker);

	/* clone3 is Linux 5.3, set_tid 5.5 */
	args.set_tid = (uint64_t)(uintptr_t)&number;
	child.pid = (pid_t)syscall(435, &args, sizeof(args));
	if (!child.pid)
		syscall(SYS_exit_group, 2);
	if (child.pid < 0) {
		int error = errno;

		pidtrack_free(tracker);
		SKIP(return, "no pid can be chosen: %s", strerror(error));
	}
	ASSERT_EQ(number, child.pid);
	EXPECT_EQ(-ESRCH, pidtrack_process_signal(process, SIGKILL));
	ASSERT_NO_EVENT(tracker);
	pidtrack_process_free(process);
	ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
	EXPECT_EQ(2 << 8, child_reap(&child));
}

/* ---- their signals ---- */

struct dispositions {
	struct sigaction actions[65];
	sigset_t mask;
};

static void dispositions_take(struct dispositions *ret_dispositions)
{
	int i;

	memset(ret_dispositions, 0, sizeof(*ret_dispositions));
	for (i = 1; i <= 64; i++)
		sigaction(i, NULL, &ret_dispositions->actions[i]);
	pthread_sigmask(SIG_SETMASK, NULL, &ret_dispositions->mask);
}

static void check_dispositions(struct __test_metadata *_metadata,
			       const struct dispositions *before)
{
	struct dispositions now;
	int i;

	dispositions_take(&now);
	for (i = 1; i <= 64; i++) {
		EXPECT_EQ((void *)(uintptr_t)before->actions[i].sa_handler,
			  (void *)(uintptr_t)now.actions[i].sa_handler);
		EXPECT_EQ(before->actions[i].sa_flags, now.actions[i].sa_flags);
		EXPECT_EQ(sigismember(&before->mask, i),
			  sigismember(&now.mask, i));
	}
}

static void check_untouched(struct __test_metadata *_metadata, uint32_t flags)
{
	struct dispositions before;
	struct pidtrack *tracker;
	struct pidtrack_process *process;

	dispositions_take(&before);
	tracker = tracker_start(_metadata, flags);
	check_dispositions(_metadata, &before);
	process = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
			     SHIM("exit", "0"));
	check_dispositions(_metadata, &before);
	ASSERT_EXITED(tracker, process, 0);
	ASSERT_NO_EVENT(tracker);
	check_dispositions(_metadata, &before);
	pidtrack_free(tracker);
	check_dispositions(_metadata, &before);
}

TEST(signal_handlers_and_the_mask_stay_as_they_are)
{
	sigset_t set;

	check_untouched(_metadata, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGUSR2, SIG_IGN);
	check_untouched(_metadata, 0);
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	check_untouched(_metadata, 0);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

TEST(so_they_do_with_a_thread_of_the_trackers)
{
	check_untouched(_metadata, PIDTRACK_THREAD);
}

TEST(a_blocked_sigchld_is_neither_needed_nor_taken)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	siginfo_t info;
	sigset_t set;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	process = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
			     SHIM("exit", "4"));
	pid = pidtrack_process_pid(process);
	ASSERT_EXITED(tracker, process, 4 << 8);
	ASSERT_NO_EVENT(tracker);
	sigemptyset(&set);
	sigpending(&set);
	EXPECT_TRUE(sigismember(&set, SIGCHLD));
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	EXPECT_EQ(SIGCHLD, sigwaitinfo(&set, &info));
	EXPECT_EQ(pid, info.si_pid);
	pidtrack_free(tracker);
}

static volatile sig_atomic_t sigchlds;

static void count_sigchld(int number)
{
	sigchlds++;
}

TEST(a_handler_of_the_hosts_for_sigchld_still_runs)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct sigaction action = { .sa_handler = count_sigchld,
				    .sa_flags = SA_RESTART };
	struct pidtrack_process *process;
	const struct pidtrack_event *event;
	int r;

	sigaction(SIGCHLD, &action, NULL);
	process = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
			     SHIM("exit", "4"));
	do
		r = pidtrack_wait(tracker, -1, &event);
	while (r == -EINTR);
	ASSERT_EQ(1, r);
	ASSERT_EVENT(event, process, PIDTRACK_EXITED, PIDTRACK_EVENT_LAST,
		     PIDTRACK_SOURCE_WAITED, 4 << 8);
	EXPECT_EQ(1, sigchlds);
	pidtrack_free(tracker);
}

TEST(a_failed_launch_leaves_no_child_and_no_event)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = (const char *const[]){
					       "/nonexistent", NULL });
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	int i;

	for (i = 0; i < 100; i++) {
		ASSERT_EQ(-ENOENT,
			  pidtrack_spawn(tracker, &options, &process, NULL));
		ASSERT_FALSE(child_is_any());
	}
	ASSERT_NO_EVENT(tracker);
	/* what made it readable is read away */
	EXPECT_TRUE(!tracker_is_readable(tracker) || sandbox_refuses("read"));
	EXPECT_EQ(0, tracker_statistics(tracker).exits);
	EXPECT_EQ(0, tracker_statistics(tracker).tracked);
	pidtrack_free(tracker);
}

TEST_HARNESS_MAIN
