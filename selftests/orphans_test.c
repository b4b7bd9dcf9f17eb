/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Children that nobody gave to the tracker, with each policy: of a subreaper,
 * as every test is, and of the first process of a pid namespace.
 *
 * PIDTRACK_TEST_ORPHANS is how many there are at once where there are many.
 */
#include <pthread.h>
#include <sys/ptrace.h>
#include <sys/socket.h>

#include "seccomp.h"
#include "verified.h"

#define LEAVE PIDTRACK_ORPHANS_LEAVE
#define COLLECT PIDTRACK_ORPHANS_COLLECT
#define DESCENDANTS PIDTRACK_ORPHANS_DESCENDANTS
#define ASK PIDTRACK_ORPHANS_ASK

#define LONG_MS 3600000 /* nobody is collected */

static struct pidtrack *collector(struct __test_metadata *_metadata,
				  uint32_t orphans, uint32_t time_ms)
{
	struct pidtrack_options options =
		PIDTRACK_OPTIONS(.orphans = orphans, .orphan_time_ms = time_ms);

	return tracker_start_with(_metadata, &options);
}

/* What makes it cheaper to tell them apart. */
static bool inodes_are_told(void)
{
	char statx[256];

	return works(PIDTRACK_FEATURE_PIDFS) &&
	       !syscall(SYS_statx, AT_FDCWD, "/", 0, 0, statx);
}

/* ---- orphans ---- */

/* Without a sanitizer's word on the threads that fork has not copied. */
static void __attribute__((noreturn)) leave(int code)
{
	for (;;)
		syscall(SYS_exit_group, code);
}

/* So many, whose parent is gone; they end at once with @code. */
static void orphans_make(struct __test_metadata *_metadata, int n, int code)
{
	pid_t parent = fork();
	int i, status;

	ASSERT_GE(parent, 0);
	if (!parent) {
		for (i = 0; i < n; i++) {
			pid_t pid = fork();

			if (!pid)
				leave(code);
			if (pid < 0)
				leave(1);
		}
		leave(0);
	}
	ASSERT_EQ(parent, waitpid(parent, &status, 0));
	ASSERT_EQ(0, status);
}

/* A child of ours that ended, by our own fork. */
static struct child zombie_make(struct __test_metadata *_metadata, int code)
{
	struct child child;

	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, child_exit(&child, code));
	ASSERT_EQ(0, child_await_exit(&child));
	return child;
}

/* Until @n have been collected in all; nothing else is told. */
static void await_collected(struct __test_metadata *_metadata,
			    struct pidtrack *tracker, uint64_t n)
{
	while (tracker_statistics(tracker).orphans < n) {
		ASSERT_TRUE(tracker_await(tracker));
		ASSERT_NO_EVENT(tracker);
	}
	EXPECT_EQ(n, tracker_statistics(tracker).orphans);
}

/* One that comes now is collected, and so was whoever was to be before. */
static void await_another(struct __test_metadata *_metadata,
			  struct pidtrack *tracker)
{
	uint64_t n = tracker_statistics(tracker).orphans;
	int i;

	/* the second is seen when all others have been seen for long */
	for (i = 1; i <= 2; i++) {
		orphans_make(_metadata, 1, 0);
		await_collected(_metadata, tracker, n + i);
	}
}

/* ---- options ---- */

TEST(what_is_no_policy_is_refused)
{
	struct pidtrack_options options = PIDTRACK_OPTIONS(.orphans = 4);
	struct pidtrack *tracker = NULL;

	EXPECT_EQ(-EINVAL, pidtrack_new(&options, &tracker));
	options.orphans = LEAVE;
	options.orphan_time_ms = 1;
	EXPECT_EQ(-EINVAL, pidtrack_new(&options, &tracker));
	EXPECT_NULL(tracker);
}

TEST(without_a_policy_nobody_is_touched_and_nothing_is_done)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct child child = zombie_make(_metadata, 7);
	uint64_t syscalls;

	ASSERT_NO_EVENT(tracker);
	syscalls = tracker_statistics(tracker).syscalls;
	EXPECT_EQ(0, await_fd(pidtrack_fd(tracker), POLLIN, 1200));
	EXPECT_EQ(syscalls, tracker_statistics(tracker).syscalls);
	EXPECT_EQ(7 << 8, child_reap(&child));
	child_close(&child);
	pidtrack_free(tracker);
}

/* ---- collecting ---- */

TEST_WANTS(orphans_are_collected, proc)
{
	struct pidtrack *tracker = collector(_metadata, COLLECT, 1);

	orphans_make(_metadata, 1000, 5);
	await_collected(_metadata, tracker, 1000);
	EXPECT_FALSE(child_is_any());
	pidtrack_free(tracker);
}

TEST_WANTS(one_is_left_alone_until_its_time_is_up, proc)
{
	struct pidtrack *tracker = collector(_metadata, COLLECT, 300);
	int64_t start;

	ASSERT_NO_EVENT(tracker);
	orphans_make(_metadata, 1, 0);
	start = now_ms();
	await_collected(_metadata, tracker, 1);
	EXPECT_GE(now_ms() - start, 300);
	pidtrack_free(tracker);
}

/* It looks again and again meanwhile. */
TEST_WANTS(who_is_waited_for_in_time_is_its_hosts_own, proc)
{
	struct pidtrack *tracker = collector(_metadata, COLLECT, LONG_MS);
	struct child child = zombie_make(_metadata, 7);
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_TRUE(tracker_await(tracker));
		ASSERT_NO_EVENT(tracker);
	}
	EXPECT_EQ(7 << 8, child_reap(&child));
	child_close(&child);
	EXPECT_EQ(0, system("exit 0"));
	EXPECT_EQ(0, tracker_statistics(tracker).orphans);
	pidtrack_free(tracker);
}

static pid_t zombie_with(struct __test_metadata *_metadata, pid_t number)
{
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal,
			stack, stack_size, tls, set_tid, set_tid_size;
	} args = { .exit_signal = SIGCHLD, .set_tid_size = 1 };
	siginfo_t info;
	pid_t pid;

	args.set_tid = (uint64_t)(uintptr_t)&number;
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (!pid)
		_exit(7);
	if (pid < 0)
		SKIP(_exit(0), "no pid can be chosen: %s", strerror(errno));
	ASSERT_EQ(0, waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	return pid;
}

static void reuse_number(struct __test_metadata *_metadata, void *arg)
{
	/* a processor may stand still for a second, and it be collected */
	struct pidtrack *tracker = collector(_metadata, COLLECT, 3000);
	int64_t start, until;
	pid_t pid;

	(void)arg;
	pid = zombie_with(_metadata, 301);
	until = now_ms() + 2000;
	do {
		ASSERT_NO_EVENT(tracker);
		await_fd(pidtrack_fd(tracker), POLLIN, 10);
	} while (now_ms() < until);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	ASSERT_EQ(pid, zombie_with(_metadata, 301));
	start = now_ms();
	await_collected(_metadata, tracker, 1);
	EXPECT_GE(now_ms() - start, 3000);
	pidtrack_free(tracker);
}

/* The one before was seen with that number for most of the time. */
TEST(a_number_that_comes_again_has_all_its_time)
{
	in_pid_namespace(_metadata, reuse_number, NULL);
}

TEST_WANTS(a_child_with_another_signal_for_its_end_is_no_orphan, proc)
{
	struct pidtrack *tracker = collector(_metadata, COLLECT, 1);
	siginfo_t info;
	pid_t pid;

	signal(SIGUSR1, SIG_IGN);
	pid = (pid_t)syscall(SYS_clone, SIGUSR1, NULL, NULL, NULL, NULL);
	if (!pid)
		_exit(7);
	ASSERT_GT(pid, 0);
	ASSERT_EQ(0, waitid(P_PID, pid, &info, WEXITED | WNOWAIT | __WALL));
	await_another(_metadata, tracker);
	ASSERT_EQ(0, waitid(P_PID, pid, &info, WEXITED | __WALL));
	EXPECT_EQ(7, info.si_status);
	pidtrack_free(tracker);
}

TEST_WANTS(no_status_of_a_tracked_process_is_lost, proc)
{
	struct pidtrack *tracker = collector(_metadata, COLLECT, 1);
	struct pidtrack_process *processes[50];
	struct gate gate = gate_make(_metadata);
	int i;

	for (i = 0; i < 50; i++)
		processes[i] = shim_start_at(_metadata, tracker, &gate, i);
	orphans_make(_metadata, 100, 99);
	gate_open(&gate);
	for (i = 0; i < 50; i++)
		process_await_exit(processes[i]);
	for (i = 0; i < 50; i++) {
		const struct pidtrack_event *event;
		int at;

		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		EXPECT_EQ(PIDTRACK_SOURCE_WAITED, event->source);
		for (at = 0; processes[at] != event->process; at++)
			ASSERT_LT(at, 49);
		EXPECT_EQ(at << 8, event->status);
		orphans_make(_metadata, 10, 99);
	}
	await_collected(_metadata, tracker, 600);
	EXPECT_FALSE(child_is_any());
	pidtrack_free(tracker);
}

/* Told, but not acknowledged, and long ended. */
TEST_WANTS(a_tracked_zombie_is_left_for_its_host, proc)
{
	struct pidtrack *tracker = collector(_metadata, COLLECT, 1);
	struct pidtrack *other = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	struct child child;

	process = shim_start(_metadata, other, PIDTRACK_FD_NULL,
			     SHIM("exit", "7"));
	process_await_exit(process);
	await_another(_metadata, tracker);
	ASSERT_EXITED(other, process, 7 << 8);
	await_another(_metadata, tracker);
	EXPECT_FALSE(pidfd_is_reaped(pidtrack_process_pidfd(process)));
	ASSERT_NO_EVENT(other);
	EXPECT_TRUE(pidfd_is_reaped(pidtrack_process_pidfd(process)));

	/* attached, and another's word that it is not to be reaped */
	child = zombie_make(_metadata, 8);
	ASSERT_EQ(0, pidtrack_attach(other, child.pid, 0,
				     PIDTRACK_ATTACH_OBSERVE, &process));
	await_another(_metadata, tracker);
	EXPECT_EQ(8 << 8, child_reap(&child));
	child_close(&child);
	pidtrack_free(other);
	pidtrack_free(tracker);
}

/* Its reap is on its way, for when its tracker next asks the kernel anything.
 */
TEST_WANTS(one_that_was_acknowledged_is_no_orphan_to_another_tracker, proc)
{
	struct pidtrack *tracker = collector(_metadata, ASK, 1);
	struct pidtrack *other = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	const struct pidtrack_event *event;
	struct pidtrack_process *processes[8];
	pid_t pid;
	int i;

	for (i = 0; i < 8; i++)
		processes[i] = shim_start_at(_metadata, other, &gate, 7);
	gate_open(&gate);
	for (i = 0; i < 8; i++)
		process_await_exit(processes[i]);
	for (i = 0; i < 7; i++) {
		ASSERT_EQ(1, pidtrack_wait(other, awhile_ms(), &event));
		EXPECT_EQ(PIDTRACK_EXITED, event->kind);
	}
	/* the second is seen when all others have been seen for long */
	for (i = 0; i < 2; i++) {
		orphans_make(_metadata, 1, 9);
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		ASSERT_EQ(PIDTRACK_ORPHAN, event->kind);
		EXPECT_EQ(9 << 8, event->status);
		pid = event->pid;
		EXPECT_EQ(pid, waitpid(pid, NULL, 0));
	}
	ASSERT_EQ(1, pidtrack_wait(other, awhile_ms(), &event));
	pidtrack_free(other);
	pidtrack_free(tracker);
	EXPECT_FALSE(child_is_any());
}

/* As for any other who is nobody's. */
TEST_WANTS(what_a_tracker_leaves_behind_is_collected, proc)
{
	struct pidtrack *tracker = collector(_metadata, COLLECT, 1);
	struct pidtrack *other = tracker_start(_metadata, 0);
	struct pidtrack_process *process;

	process = shim_start(_metadata, other, PIDTRACK_FD_NULL,
			     SHIM("exit", "7"));
	process_await_exit(process);
	pidtrack_free(other);
	await_collected(_metadata, tracker, 1);
	EXPECT_FALSE(child_is_any());
	pidtrack_free(tracker);
}

static void number_again(struct __test_metadata *_metadata, void *arg)
{
	struct pidtrack *tracker = collector(_metadata, COLLECT, 1);
	struct pidtrack_process *process;
	pid_t number;

	(void)arg;
	process = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
			     SHIM("exit", "7"));
	number = pidtrack_process_pid(process);
	ASSERT_EXITED(tracker, process, 7 << 8);
	ASSERT_NO_EVENT(tracker);
	ASSERT_EQ(number, zombie_with(_metadata, number));
	await_collected(_metadata, tracker, 1);
	EXPECT_EQ(1, tracker_statistics(tracker).tracked);
	pidtrack_free(tracker);
}

/* Its object is kept: the number is not its own any more. */
TEST(a_number_that_a_tracked_process_had_may_be_an_orphans)
{
	in_pid_namespace(_metadata, number_again, NULL);
}

/* Of a launch that takes the number of an orphan that was seen for long. */
static void number_of_orphan(struct __test_metadata *_metadata, void *arg)
{
	struct pidtrack *tracker = collector(_metadata, COLLECT, 300);
	struct pidtrack *other = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	int64_t until = now_ms() + 280;
	pid_t pid;
	int fd;

	(void)arg;
	pid = zombie_with(_metadata, 301);
	do {
		ASSERT_NO_EVENT(tracker);
		await_fd(pidtrack_fd(tracker), POLLIN, 10);
	} while (now_ms() < until);
	fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		SKIP(_exit(0), "no pid can be chosen: %s", strerror(errno));
	if (waitpid(pid, NULL, 0) == pid) /* or it was collected already */
		EXPECT_EQ(0, tracker_statistics(tracker).orphans);
	ASSERT_EQ(3, pwrite(fd, "300", 3, 0));
	close(fd);
	process = shim_start(_metadata, other, PIDTRACK_FD_NULL,
			     SHIM("exit", "7"));
	EXPECT_EQ(301, pidtrack_process_pid(process));
	process_await_exit(process);
	await_another(_metadata, tracker);
	ASSERT_EXITED(other, process, 7 << 8);
	pidtrack_free(other);
	pidtrack_free(tracker);
}

TEST(a_tracked_process_with_the_number_of_an_orphan_is_left_for_its_host)
{
	in_pid_namespace(_metadata, number_of_orphan, NULL);
}

/* Of another thread, all the time, each left a zombie for a while. */
static void *launch_and_wait(void *arg)
{
	struct __test_metadata *_metadata = arg;
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	int i;

	for (i = 0; i < 100; i++) {
		const char *const nothing[] = { "/nonexistent", NULL };
		struct pidtrack_spawn_options options =
			PIDTRACK_SPAWN_OPTIONS(.argv = nothing);

		process = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
				     SHIM("exit", "7"));
		process_await_exit(process);
		EXPECT_EQ(-ENOENT,
			  pidtrack_spawn(tracker, &options, &process, NULL));
		works(PIDTRACK_FEATURE_CLONE_AUTOKILL);
		ASSERT_EXITED(tracker, process, 7 << 8);
		pidtrack_process_free(process);
	}
	pidtrack_free(tracker);
	return NULL;
}

TEST_WANTS(launches_of_other_threads_lose_nothing, proc)
{
	struct pidtrack *tracker = collector(_metadata, COLLECT, 1);
	pthread_t threads[2];
	int i, n;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, launch_and_wait,
					    _metadata));
	for (n = 0; n < 10; n++)
		await_another(_metadata, tracker);
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(20, tracker_statistics(tracker).orphans);
	EXPECT_FALSE(child_is_any());
	pidtrack_free(tracker);
}

/* ---- amid a launch ---- */

/* A thread with a tracker of its own, and a system call it is stopped in. */
struct side {
	pthread_t thread;
	struct __test_metadata *metadata;
	int listener;
	int test, here; /* its end: that the thread is to end */
};

static void side_say(struct __test_metadata *_metadata, const struct side *side,
		     int word)
{
	ASSERT_EQ((ssize_t)sizeof(word),
		  write(side->here, &word, sizeof(word)));
}

static int side_said(struct __test_metadata *_metadata, const struct side *side)
{
	int word = -1;

	ASSERT_TRUE(await_fd(side->test, POLLIN, awhile_ms()));
	ASSERT_EQ((ssize_t)sizeof(word), read(side->test, &word, sizeof(word)));
	return word;
}

static void side_start(struct __test_metadata *_metadata, struct side *side,
		       void *(*run)(void *))
{
	int pair[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	*side = (struct side){ .metadata = _metadata,
			       .test = pair[0],
			       .here = pair[1] };
	ASSERT_EQ(0, pthread_create(&side->thread, NULL, run, side));
	side->listener = side_said(_metadata, side);
}

/* Until it is stopped, or says something: whether it is stopped. */
static bool side_is_stopped(const struct side *side)
{
	struct pollfd either[] = { { side->listener, POLLIN, 0 },
				   { side->test, POLLIN, 0 } };

	poll(either, 2, awhile_ms());
	return either[0].revents & POLLIN;
}

static void side_end(struct side *side)
{
	close(side->test);
	pthread_join(side->thread, NULL);
	close(side->here);
	if (side->listener >= 0)
		close(side->listener);
}

/* In putting the label on the shim: that runs, and no tracker has it yet. */
static void *launch_stopped(void *arg)
{
	struct side *side = arg;
	struct __test_metadata *_metadata = side->metadata;
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("exit", "7"),
				       .label = "amid");
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;

	side_say(_metadata, side, seccomp_stop(SYS_fsetxattr));
	ASSERT_EQ(0, pidtrack_spawn(tracker, &options, &process, NULL));
	side_say(_metadata, side, 0);
	await_fd(side->here, POLLIN, -1);
	ASSERT_EXITED(tracker, process, 7 << 8);
	ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
	return NULL;
}

/* In waiting for the child that could not execute: nobody is told of it. */
static void *bury_stopped(void *arg)
{
	struct side *side = arg;
	struct __test_metadata *_metadata = side->metadata;
	const char *nowhere[] = { "/nowhere/shim", NULL };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = nowhere);
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;

	side_say(_metadata, side, seccomp_stop(SYS_waitid));
	ASSERT_EQ(-ENOENT, pidtrack_spawn(tracker, &options, &process, NULL));
	side_say(_metadata, side, 0);
	await_fd(side->here, POLLIN, -1);
	ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
	return NULL;
}

/* In opening whom it has found: each time it looks at one. */
static void *collect_stopped(void *arg)
{
	struct side *side = arg;
	struct __test_metadata *_metadata = side->metadata;
	struct pidtrack *tracker = collector(_metadata, COLLECT, 1);

	side_say(_metadata, side, seccomp_stop(SYS_pidfd_open));
	while (!await_fd(side->here, POLLIN, 0)) {
		await_fd(pidtrack_fd(tracker), POLLIN, 10);
		ASSERT_NO_EVENT(tracker);
	}
	EXPECT_EQ(0, tracker_statistics(tracker).orphans);
	pidtrack_free(tracker);
	return NULL;
}

/*
 * The shim has ended, and its launch has not: the collector looks so many times
 * meanwhile, and the launch is over before it goes on with the last.
 */
static void check_amid_launch(struct __test_metadata *_metadata,
			      void *(*launch_in)(void *), int looks)
{
	struct side launcher, looker;
	uint64_t launch, look;
	siginfo_t info;

	/* or it would not be skipped where there is none */
	pidtrack_free(collector(_metadata, COLLECT, 1));
	side_start(_metadata, &launcher, launch_in);
	if (!side_is_stopped(&launcher)) {
		side_end(&launcher);
		SKIP(return, "a launch cannot be stopped there: Linux < 6.9");
	}
	ASSERT_GT(seccomp_stopped(launcher.listener, &launch), 0);
	ASSERT_EQ(0, waitid(P_ALL, 0, &info, WEXITED | WNOWAIT));

	side_start(_metadata, &looker, collect_stopped);
	for (;; looks--) {
		ASSERT_TRUE(side_is_stopped(&looker));
		ASSERT_GT(seccomp_stopped(looker.listener, &look), 0);
		if (looks == 1)
			break;
		ASSERT_EQ(0, seccomp_go(looker.listener, look));
	}
	ASSERT_EQ(0, seccomp_go(launcher.listener, launch));
	ASSERT_EQ(0, side_said(_metadata, &launcher));
	ASSERT_EQ(0, seccomp_go(looker.listener, look));
	side_end(&looker);
	side_end(&launcher);
	EXPECT_FALSE(child_is_any());
}

/* By the second look its time is up; the third finds it still there. */
TEST_WANTS(a_shim_whose_launch_is_under_way_is_no_orphan, proc)
{
	check_amid_launch(_metadata, launch_stopped, 3);
}

TEST_WANTS(nor_is_the_child_of_a_launch_that_failed, proc)
{
	check_amid_launch(_metadata, bury_stopped, 3);
}

/* Nobody had it when it was found, and no launch is under way any more. */
TEST_WANTS(nor_is_one_whose_launch_ends_while_it_is_looked_at, proc)
{
	check_amid_launch(_metadata, launch_stopped, 2);
}

/* ---- whose children ---- */

static void *fork_and_stay(void *arg)
{
	struct gate *gate = arg;
	char byte;

	if (!fork())
		leave(0);
	if (read(gate->shim, &byte, 1) < 0)
		abort();
	return NULL;
}

TEST_WANTS(children_of_every_thread_are_collected, proc)
{
	struct pidtrack *tracker = collector(_metadata, COLLECT, 1);
	struct gate gate = gate_make(_metadata);
	pthread_t threads[8];
	int i;

	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, fork_and_stay,
					    &gate));
	await_collected(_metadata, tracker, 8);
	close(gate.host);
	for (i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	close(gate.shim);
	EXPECT_FALSE(child_is_any());
	pidtrack_free(tracker);
}

TEST_WANTS(a_tracker_with_a_thread_collects_those_of_others, proc)
{
	struct pidtrack_options options =
		PIDTRACK_OPTIONS(.flags = PIDTRACK_THREAD, .orphans = COLLECT,
				 .orphan_time_ms = 1);
	struct pidtrack *tracker = tracker_start_with(_metadata, &options);

	orphans_make(_metadata, 300, 0);
	await_collected(_metadata, tracker, 300);
	EXPECT_FALSE(child_is_any());
	pidtrack_free(tracker);
}

struct made {
	struct pidtrack *tracker;
	int r;
};

static void *make_tracker(void *arg)
{
	struct pidtrack_options options =
		PIDTRACK_OPTIONS(.orphans = COLLECT, .orphan_time_ms = 1);
	struct made *made = arg;

	made->r = pidtrack_new(&options, &made->tracker);
	return NULL;
}

TEST_WANTS(they_are_collected_when_the_owner_has_ended, proc)
{
	struct made made = { .tracker = NULL };
	pthread_t thread;

	/* or it would not be skipped where there is no ring */
	pidtrack_free(tracker_start(_metadata, 0));
	ASSERT_EQ(0, pthread_create(&thread, NULL, make_tracker, &made));
	pthread_join(thread, NULL);
	ASSERT_EQ(0, made.r);
	orphans_make(_metadata, 10, 0);
	ASSERT_NO_EVENT(made.tracker);
	await_collected(_metadata, made.tracker, 10);
	pidtrack_free(made.tracker);
}

#define EVENTS 80

struct heard {
	struct pidtrack *tracker;
	struct __test_metadata *metadata;
	int n; /* events to take */
};

static void *hear_some(void *arg)
{
	struct heard *heard = arg;
	struct __test_metadata *_metadata = heard->metadata;
	const struct pidtrack_event *event;
	struct pidtrack_process *last;
	int i;

	heard->tracker = collector(_metadata, COLLECT, 1);
	for (i = 0; i < EVENTS; i++)
		last = shim_start(_metadata, heard->tracker, PIDTRACK_FD_NULL,
				  SHIM("exit", "7"));
	process_await_exit(last);
	for (i = 0; i < heard->n; i++)
		EXPECT_EQ(1,
			  pidtrack_wait(heard->tracker, awhile_ms(), &event));
	return NULL;
}

/* After so many events it is the orphans' turn, whoever calls. */
TEST_WANTS(in_their_turn_the_next_owner_is_told_of_others, proc)
{
	struct heard heard = { .metadata = _metadata };
	const struct pidtrack_event *event;
	pthread_t thread;
	int i;

	/* or it would not be skipped where there is none */
	pidtrack_free(collector(_metadata, COLLECT, 1));
	for (heard.n = 60; heard.n < 70; heard.n++) {
		ASSERT_EQ(0, pthread_create(&thread, NULL, hear_some, &heard));
		pthread_join(thread, NULL);
		for (i = heard.n; i < EVENTS; i++)
			ASSERT_EQ(1, pidtrack_wait(heard.tracker, awhile_ms(),
						   &event));
		ASSERT_NO_EVENT(heard.tracker);
		EXPECT_FALSE(child_is_any());
		pidtrack_free(heard.tracker);
	}
}

/* A process of others, told and reaped as a child once it is one. */
TEST_WANTS(a_tracked_process_that_becomes_our_child_is_waited_for, proc)
{
	struct pidtrack *tracker = collector(_metadata, COLLECT, 1);
	struct pidtrack_process *process;
	struct foreign foreign;

	ASSERT_EQ(0, foreign_start(&foreign));
	ASSERT_EQ(0,
		  pidtrack_attach(tracker, foreign.child.pid, 0, 0, &process));
	ASSERT_EQ(0, foreign_orphan(&foreign));
	await_another(_metadata, tracker);
	ASSERT_EQ(0, child_exit(&foreign.child, 6));
	ASSERT_EQ(0, child_await_exit(&foreign.child));
	orphans_make(_metadata, 1, 0);
	ASSERT_EXITED(tracker, process, 6 << 8);
	ASSERT_NO_EVENT(tracker);
	EXPECT_TRUE(pidfd_is_reaped(pidtrack_process_pidfd(process)));
	child_close(&foreign.child);
	await_collected(_metadata, tracker, 3);
	EXPECT_FALSE(child_is_any());
	pidtrack_free(tracker);
}

/* ---- what is in the way of others ---- */

TEST_WANTS(one_that_is_traced_keeps_no_other_waiting, proc)
{
	struct pidtrack *tracker = collector(_metadata, COLLECT, 1);
	struct child traced;
	int to[2], from[2], r = 0;
	pid_t tracer;
	char byte;

	ASSERT_EQ(0, child_start(&traced));
	ASSERT_EQ(0, pipe2(to, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(from, O_CLOEXEC));
	tracer = fork();
	if (!tracer) {
		close(to[1]);
		r = ptrace(PTRACE_SEIZE, traced.pid, NULL, NULL) ? -errno : 0;
		if (write(from[1], &r, sizeof(r)) < 0)
			_exit(1);
		_exit(read(to[0], &byte, 1) != 0);
	}
	ASSERT_EQ((ssize_t)sizeof(r), read(from[0], &r, sizeof(r)));
	ASSERT_EQ(0, child_exit(&traced, 4));
	ASSERT_EQ(0, child_await_exit(&traced));
	if (!r) {
		await_another(_metadata, tracker);
		EXPECT_FALSE(pidfd_is_reaped(traced.pidfd));
	}
	close(to[0]);
	close(to[1]);
	close(from[0]);
	close(from[1]);
	await_collected(_metadata, tracker, r ? 2 : 4); /* and the tracer */
	EXPECT_TRUE(pidfd_is_reaped(traced.pidfd));
	child_close(&traced);
	EXPECT_FALSE(child_is_any());
	pidtrack_free(tracker);
	if (r)
		SKIP(return, "not allowed to trace");
}

#define AHEAD 1500

/* However many live before them in the lists; and a few hundred a call. */
TEST_WANTS(those_behind_many_who_live_are_collected_and_no_call_looks_at_all,
	   proc)
{
	struct pidtrack *tracker = collector(_metadata, COLLECT, 1);
	struct gate gate = gate_make(_metadata);
	uint64_t most = 0;
	char byte;
	int i;

	for (i = 0; i < AHEAD; i++) {
		pid_t pid = fork();

		if (!pid) {
			close(gate.host);
			_exit(read(gate.shim, &byte, 1) != 0);
		}
		ASSERT_GT(pid, 0);
	}
	orphans_make(_metadata, 500, 0);
	while (tracker_statistics(tracker).orphans < 500) {
		uint64_t before = tracker_statistics(tracker).syscalls, calls;

		ASSERT_TRUE(tracker_await(tracker));
		ASSERT_NO_EVENT(tracker);
		calls = tracker_statistics(tracker).syscalls - before;
		if (calls > most)
			most = calls;
	}
	/*
	 * 256 that are looked at, six calls each, and some lists; without
	 * inodes, start times are read, by three calls for one
	 */
	EXPECT_LE(most, 256 * (inodes_are_told() ? 6 : 8) + 64);
	gate_open(&gate);
	await_collected(_metadata, tracker, 500 + AHEAD);
	EXPECT_FALSE(child_is_any());
	pidtrack_free(tracker);
}

/* A host that never has heard all. */
TEST_WANTS(a_stream_of_events_does_not_keep_them_waiting, proc)
{
	struct pidtrack *tracker = collector(_metadata, COLLECT, 1);
	struct pidtrack_process *process;
	const struct pidtrack_event *event;
	int i;

	ASSERT_NO_EVENT(tracker);
	orphans_make(_metadata, 10, 0);
	for (i = 0; tracker_statistics(tracker).orphans < 10; i++) {
		process = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
				     SHIM("exit", "7"));
		process_await_exit(process);
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		ASSERT_EQ(process, event->process);
		pidtrack_process_free(process);
		ASSERT_LT(i, 20000);
	}
	ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
}

static void without_descriptors(struct __test_metadata *_metadata,
				struct rlimit *ret_before)
{
	struct rlimit none;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, ret_before));
	none = (struct rlimit){ 3, ret_before->rlim_max };
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
}

TEST_WANTS(without_a_descriptor_they_wait_until_there_is_one, proc)
{
	struct pidtrack *tracker = collector(_metadata, COLLECT, 1);
	struct rlimit before;
	int i;

	ASSERT_NO_EVENT(tracker);
	orphans_make(_metadata, 100, 0);
	without_descriptors(_metadata, &before);
	for (i = 0; i < 4; i++) {
		ASSERT_TRUE(tracker_await(tracker));
		ASSERT_NO_EVENT(tracker);
	}
	EXPECT_EQ(0, tracker_statistics(tracker).orphans);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &before));
	await_collected(_metadata, tracker, 100);
	pidtrack_free(tracker);
}

/* ---- how often ---- */

TEST_WANTS(while_there_are_none_it_wakes_up_once_a_second, proc)
{
	struct pidtrack *tracker = collector(_metadata, COLLECT, 20);
	const struct pidtrack_event *event;
	uint64_t wakeups, syscalls;

	/* less and less often */
	ASSERT_EQ(0, pidtrack_wait(tracker, 3000, &event));
	wakeups = tracker_statistics(tracker).wakeups;
	syscalls = tracker_statistics(tracker).syscalls;
	ASSERT_EQ(0, pidtrack_wait(tracker, 3000, &event));
	EXPECT_LE(tracker_statistics(tracker).wakeups - wakeups, 4);
	EXPECT_LE(tracker_statistics(tracker).syscalls - syscalls, 4 * 25);
	pidtrack_free(tracker);
}

/* ---- asking ---- */

#define ASSERT_ORPHAN(tracker, event, status_)                             \
	do {                                                               \
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event)); \
		ASSERT_EVENT(event, NULL, PIDTRACK_ORPHAN, 0,              \
			     PIDTRACK_SOURCE_WAITED, status_);             \
	} while (0)

TEST_WANTS(when_asked_its_host_attaches_it, proc)
{
	struct pidtrack *tracker = collector(_metadata, ASK, 1);
	const struct pidtrack_event *event;
	struct pidtrack_process *process;
	pid_t pid;

	orphans_make(_metadata, 1, 9);
	ASSERT_ORPHAN(tracker, event, 9 << 8);
	pid = event->pid;
	ASSERT_EQ(0, pidtrack_attach_pidfd(tracker, event->pidfd, 0, &process));
	EXPECT_EQ(pid, pidtrack_process_pid(process));
	ASSERT_EXITED(tracker, process, 9 << 8);
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(child_is_any());
	EXPECT_EQ(0, tracker_statistics(tracker).orphans);
	pidtrack_free(tracker);
}

TEST_WANTS(when_asked_its_host_leaves_it_and_is_not_asked_again, proc)
{
	struct pidtrack *tracker = collector(_metadata, ASK, 1);
	const struct pidtrack_event *event;
	struct child child = zombie_make(_metadata, 8);
	int i;

	ASSERT_ORPHAN(tracker, event, 8 << 8);
	EXPECT_EQ(child.pid, event->pid);
	for (i = 0; i < 3; i++) {
		ASSERT_NO_EVENT(tracker);
		ASSERT_TRUE(tracker_await(tracker));
	}
	orphans_make(_metadata, 1, 7);
	ASSERT_ORPHAN(tracker, event, 7 << 8);
	EXPECT_EQ(8 << 8, child_reap(&child));
	ASSERT_EQ(event->pid, waitpid(event->pid, NULL, 0));
	child_close(&child);
	pidtrack_free(tracker);
}

TEST_WANTS(it_is_asked_of_each_of_many_and_of_no_tracked_one, proc)
{
	struct pidtrack *tracker = collector(_metadata, ASK, 1);
	const struct pidtrack_event *event;
	struct pidtrack_process *process;
	int i, asked = 0, exited = 0;

	orphans_make(_metadata, 600, 3);
	for (i = 0; i < 50; i++)
		shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
			   SHIM("exit", "7"));
	while (asked < 600 || exited < 50 + 600) {
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		if (event->kind == PIDTRACK_ORPHAN) {
			asked++;
			ASSERT_EQ(0,
				  pidtrack_attach_pidfd(tracker, event->pidfd,
							0, &process));
			continue;
		}
		ASSERT_EQ(PIDTRACK_EXITED, event->kind);
		EXPECT_EQ(PIDTRACK_SOURCE_WAITED, event->source);
		pidtrack_process_free(event->process);
		exited++;
	}
	EXPECT_EQ(600, asked);
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(child_is_any());
	pidtrack_free(tracker);
}

/* ---- descendants ---- */

/* A shim with an orphan that ends when @in does; the orphan's number. */
static struct pidtrack_process *
shim_with_orphan(struct __test_metadata *_metadata, struct pidtrack *tracker,
		 uint32_t flags, int in, pid_t *ret_orphan)
{
	struct gate said = gate_make(_metadata);
	struct pidtrack_fd_map fds[] = { { 0, in }, { 1, said.host } };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("fork-orphan", "wait",
						    "exit", "7"),
				       .flags = flags, .fds = fds, .n_fds = 2);
	struct pidtrack_process *process = NULL;
	char text[32];
	ssize_t n;

	ASSERT_EQ(0, pidtrack_spawn(tracker, &options, &process, NULL));
	n = read(said.shim, text, sizeof(text) - 1);
	ASSERT_GT(n, 0);
	text[n] = '\0';
	*ret_orphan = atoi(text);
	close(said.shim);
	close(said.host);
	return process;
}

static void check_descendant(struct __test_metadata *_metadata, uint32_t flags,
			     bool outlives)
{
	struct pidtrack *tracker = collector(_metadata, DESCENDANTS, 1);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	struct child stranger;
	int64_t until;
	pid_t pid;

	process = shim_with_orphan(_metadata, tracker, flags, gate.shim, &pid);
	/* start times are told to 10 ms */
	for (until = now_ms() + 30; now_ms() < until;)
		sched_yield();
	stranger = zombie_make(_metadata, 8);
	if (outlives) {
		ASSERT_EQ(0, pidtrack_process_signal(process, SIGKILL));
		ASSERT_EXITED(tracker, process, SIGKILL);
		ASSERT_NO_EVENT(tracker);
		pidtrack_process_free(process);
	}
	gate_open(&gate);
	if (!outlives)
		ASSERT_EXITED(tracker, process, 7 << 8);
	await_collected(_metadata, tracker, 1);
	EXPECT_EQ(8 << 8, child_reap(&stranger));
	child_close(&stranger);
	EXPECT_EQ(-1, waitpid(pid, NULL, 0));
	if (!outlives)
		ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(child_is_any());
	pidtrack_free(tracker);
}

TEST_WANTS(a_descendant_of_a_tracked_process_is_collected_and_no_stranger, proc)
{
	check_descendant(_metadata, PIDTRACK_SPAWN_SETSID, false);
}

TEST_WANTS(so_is_one_who_outlived_it, proc)
{
	check_descendant(_metadata, PIDTRACK_SPAWN_DETACHED, true);
}

/* By what could it be known? */
TEST_WANTS(one_whose_shim_has_no_session_is_left, proc)
{
	struct pidtrack *tracker = collector(_metadata, DESCENDANTS, 1);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	pid_t pid;
	int i;

	process = shim_with_orphan(_metadata, tracker, 0, gate.shim, &pid);
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 7 << 8);
	for (i = 0; i < 4; i++) {
		ASSERT_NO_EVENT(tracker);
		ASSERT_TRUE(tracker_await(tracker));
	}
	EXPECT_EQ(0, tracker_statistics(tracker).orphans);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	pidtrack_free(tracker);
}

/*
 * In a namespace where numbers can be chosen: a stranger leads a session with
 * the number of a shim that is gone, and leaves an orphan.
 */
static void reuse_session(struct __test_metadata *_metadata, void *arg)
{
	struct pidtrack *tracker = collector(_metadata, DESCENDANTS, 1);
	struct pidtrack_process *process;
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("exit", "7"),
				       .flags = PIDTRACK_SPAWN_SETSID);
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal,
			stack, stack_size, tls, set_tid, set_tid_size;
	} args = { .exit_signal = SIGCHLD, .set_tid_size = 1 };
	siginfo_t info;
	pid_t number, pid;
	int i;

	(void)arg;
	ASSERT_EQ(0, pidtrack_spawn(tracker, &options, &process, NULL));
	number = pidtrack_process_pid(process);
	ASSERT_EXITED(tracker, process, 7 << 8);
	ASSERT_NO_EVENT(tracker);
	args.set_tid = (uint64_t)(uintptr_t)&number;
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (!pid) {
		setsid();
		if (!fork())
			_exit(4);
		_exit(3);
	}
	if (pid < 0)
		SKIP(_exit(0), "no pid can be chosen: %s", strerror(errno));
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	ASSERT_EQ(0, waitid(P_ALL, 0, &info, WEXITED | WNOWAIT));
	for (i = 0; i < 5; i++) {
		ASSERT_NO_EVENT(tracker);
		ASSERT_TRUE(tracker_await(tracker));
	}
	EXPECT_EQ(0, tracker_statistics(tracker).orphans);
	ASSERT_EQ(info.si_pid, waitpid(info.si_pid, &i, 0));
	EXPECT_EQ(4 << 8, i);
	pidtrack_free(tracker);
}

TEST(a_session_of_a_stranger_with_that_number_is_a_strangers)
{
	in_pid_namespace(_metadata, reuse_session, NULL);
}

/* ---- as the first process ---- */

#define SHIMS 20
#define AT_ONCE 10000 /* a machine may have numbers up to 32768 only */

struct many {
	struct pidtrack *tracker;
	struct pidtrack *beside; /* collects nothing, and is not asked */
	struct pidtrack_process *shims[SHIMS], *others[SHIMS];
	int n;
	int made;
	int exited;
};

static int collected(struct __test_metadata *_metadata, const struct many *many)
{
	return (int)tracker_statistics(many->tracker).orphans;
}

static void check_end(struct __test_metadata *_metadata,
		      const struct pidtrack_event *event,
		      struct pidtrack_process *const shims[SHIMS])
{
	int at = 0;

	ASSERT_EQ(PIDTRACK_EXITED, event->kind);
	EXPECT_EQ(PIDTRACK_SOURCE_WAITED, event->source);
	while (shims[at] != event->process)
		ASSERT_LT(at++, SHIMS - 1);
	EXPECT_EQ(at << 8, event->status);
}

/* What its descriptor is readable for. */
static void take_one(struct __test_metadata *_metadata, struct many *many)
{
	const struct pidtrack_event *event;

	ASSERT_TRUE(tracker_await(many->tracker));
	if (!pidtrack_next(many->tracker, &event))
		return;
	check_end(_metadata, event, many->shims);
	many->exited++;
}

/* Those of whom nobody has asked all the time: each is there with its status.
 */
static void expect_others(struct __test_metadata *_metadata, struct many *many)
{
	const struct pidtrack_event *event;
	int i;

	for (i = 0; i < SHIMS; i++)
		process_await_exit(many->others[i]);
	/* who comes after them is looked at after them */
	orphans_make(_metadata, 500, 5);
	many->n += 500;
	while (collected(_metadata, many) < many->n)
		take_one(_metadata, many);
	for (i = 0; i < SHIMS; i++) {
		ASSERT_EQ(1, pidtrack_wait(many->beside, awhile_ms(), &event));
		check_end(_metadata, event, many->others);
	}
	ASSERT_NO_EVENT(many->beside);
	pidtrack_free(many->beside);
}

static void collect_many(struct __test_metadata *_metadata, void *arg)
{
	struct many many = { .n = *(const int *)arg };
	struct gate gate = gate_make(_metadata);
	int64_t start = now_ms();
	int i;

	many.tracker = collector(_metadata, COLLECT, 20);
	for (i = 0; i < SHIMS; i++)
		many.shims[i] =
			shim_start_at(_metadata, many.tracker, &gate, i);
	many.beside = tracker_start(_metadata, 0);
	for (i = 0; i < SHIMS; i++)
		many.others[i] =
			shim_start_at(_metadata, many.beside, &gate, i);
	while (many.made < many.n) {
		orphans_make(_metadata, 500, 5);
		many.made += 500;
		if (many.made == many.n / 1000 * 500)
			gate_open(&gate);
		while (many.made - collected(_metadata, &many) > AT_ONCE)
			take_one(_metadata, &many);
	}
	while (many.exited < SHIMS || collected(_metadata, &many) < many.n)
		take_one(_metadata, &many);
	expect_others(_metadata, &many);
	EXPECT_EQ(many.n, collected(_metadata, &many));
	TH_LOG("%d orphans made and collected in %d ms by %d system calls",
	       many.n, (int)(now_ms() - start),
	       (int)tracker_statistics(many.tracker).syscalls);
	ASSERT_NO_EVENT(many.tracker);
	EXPECT_FALSE(child_is_any());
	pidtrack_free(many.tracker);
}

static int how_many(void)
{
	return harness_number_of("PIDTRACK_TEST_ORPHANS", 2000) / 1000 * 1000;
}

TEST(the_first_process_of_a_namespace_collects_many_and_loses_no_status)
{
	int n = how_many();

	in_pid_namespace(_metadata, collect_many, &n);
}

TEST_WANTS(a_subreaper_collects_many_and_loses_no_status, proc)
{
	int n = how_many();

	collect_many(_metadata, &n);
}

/* /proc has numbers of another namespace: nobody could be found by them. */
static void without_proc(struct __test_metadata *_metadata, void *arg)
{
	struct pidtrack_options options = PIDTRACK_OPTIONS(.orphans = COLLECT);
	struct pidtrack *tracker = NULL;

	(void)arg;
	ASSERT_EQ(0, umount2("/proc", MNT_DETACH));
	EXPECT_EQ(-EOPNOTSUPP, pidtrack_new(&options, &tracker));
	EXPECT_NULL(tracker);
}

TEST(without_a_proc_of_its_own_it_cannot_find_them)
{
	in_pid_namespace(_metadata, without_proc, NULL);
}

/* ---- where they could not be found, or not be collected ---- */

static void collector_refused(struct __test_metadata *_metadata,
			      uint32_t policy, int error)
{
	struct pidtrack_options options = PIDTRACK_OPTIONS(.orphans = policy);
	struct pidtrack *tracker = NULL;

	EXPECT_EQ(-error, pidtrack_new(&options, &tracker));
	EXPECT_NULL(tracker);
	pidtrack_free(tracker);
}

static void collectors_refused(struct __test_metadata *_metadata, int error)
{
	collector_refused(_metadata, COLLECT, error);
	collector_refused(_metadata, DESCENDANTS, error);
	collector_refused(_metadata, ASK, error);
}

/* The last of the errors is the one that counts. */
static const int refusals[] = { ENOSYS, EPERM };

TEST_WANTS(where_nobody_can_be_listed_orphans_are_refused, proc)
{
	pid_t pid = fork();
	size_t i;

	ASSERT_GE(pid, 0);
	/* ours are listed in the end, for what is left open */
	for (i = 0; !pid && i < ARRAY_SIZE(refusals); i++) {
		ASSERT_EQ(0, seccomp_refuse(SYS_getdents64, refusals[i]));
		collectors_refused(_metadata, refusals[i]);
		pidtrack_free(tracker_start(_metadata, 0));
	}
	if (!pid)
		leave(0);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
}

TEST_WANTS(so_they_are_where_nobody_can_be_held, proc)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(refusals); i++) {
		ASSERT_EQ(0, seccomp_refuse(SYS_pidfd_open, refusals[i]));
		collectors_refused(_metadata, refusals[i]);
		pidtrack_free(tracker_start(_metadata, 0));
	}
}

TEST_WANTS(so_they_are_where_no_time_can_be_set, proc)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(refusals); i++) {
		ASSERT_EQ(0, seccomp_refuse_timers(refusals[i]));
		collectors_refused(_metadata, refusals[i]);
	}
}

TEST_WANTS(where_sessions_are_not_told_only_descendants_are_refused, proc)
{
	struct pidtrack *tracker;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(refusals); i++) {
		ASSERT_EQ(0, seccomp_refuse(SYS_getsid, refusals[i]));
		collector_refused(_metadata, DESCENDANTS, refusals[i]);
	}
	tracker = collector(_metadata, COLLECT, 1);
	await_another(_metadata, tracker);
	pidtrack_free(tracker);
}

static int refuse_inodes(int error)
{
	int r = seccomp_refuse(SYS_statx, error);

	return r ? r : seccomp_refuse(SECCOMP_FSTATAT, error);
}

TEST_WANTS(where_inodes_are_not_told_orphans_are_known_by_when_they_began, proc)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(refusals); i++) {
		struct pidtrack *tracker;

		ASSERT_EQ(0, refuse_inodes(refusals[i]));
		tracker = collector(_metadata, COLLECT, 1);
		orphans_make(_metadata, 100, 5);
		await_collected(_metadata, tracker, 100);
		EXPECT_FALSE(child_is_any());
		pidtrack_free(tracker);
	}
}

static void reuse_number_by_start(struct __test_metadata *_metadata, void *arg)
{
	ASSERT_EQ(0, refuse_inodes(EPERM));
	reuse_number(_metadata, arg);
}

TEST(there_too_a_number_that_comes_again_has_all_its_time)
{
	in_pid_namespace(_metadata, reuse_number_by_start, NULL);
}

/* An inode that was seen is no start time: its time begins anew. */
TEST_WANTS(who_was_known_by_its_inode_is_collected_when_that_is_told_no_more,
	   proc)
{
	struct pidtrack *tracker = collector(_metadata, COLLECT, 600);
	int least_ms = inodes_are_told() ? 600 : 0;
	int64_t began = now_ms(), until, start;

	orphans_make(_metadata, 1, 5);
	until = now_ms() + 400;
	while (now_ms() < until) {
		await_fd(pidtrack_fd(tracker), POLLIN, 10);
		ASSERT_NO_EVENT(tracker);
	}
	ASSERT_EQ(0, refuse_inodes(ENOSYS));
	start = child_is_any() ? now_ms() : began; /* or it took that long */
	await_collected(_metadata, tracker, 1);
	EXPECT_GE(now_ms() - start, least_ms);
	pidtrack_free(tracker);
}

TEST_HARNESS_MAIN
