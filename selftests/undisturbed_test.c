/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A host that sleeps in an epoll_wait of its own is not woken by us: neither by
 * a ring's work nor by a SIGCHLD that it ignores.
 */
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#include "seccomp.h"
#include "tracked.h"

/* Whether a SIGCHLD is under way to any thread of this process. */
static bool sigchld_is_pending(void)
{
	char line[256];
	unsigned long long pending = 0;
	FILE *file = fopen("/proc/self/status", "re");

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "ShdPnd: %llx", &pending) == 1)
			break;
	if (file)
		fclose(file);
	return pending & 1ULL << (SIGCHLD - 1);
}

/*
 * Until a child has ended and all that its end does to this process was done.
 * waitid() looks under the lock that is held while the signal is sent.
 */
static void await_end_and_its_signal(int pidfd)
{
	siginfo_t info;

	waitid(P_PIDFD, pidfd, &info, WEXITED | WNOWAIT);
	while (sigchld_is_pending())
		sched_yield();
}

/* ---- in the thread that has the tracker ---- */

struct disturbance {
	pthread_t thread;
	pid_t host;    /* its thread */
	int pidfds[8]; /* whose ends are to happen while the host sleeps */
	struct gate gate;
	int wake; /* an eventfd that the host waits for */
};

static void *disturb(void *arg)
{
	struct disturbance *disturbance = arg;
	uint64_t one = 1;
	size_t i;

	thread_await_epoll(disturbance->host);
	gate_open(&disturbance->gate);
	for (i = 0; i < ARRAY_SIZE(disturbance->pidfds); i++)
		await_end_and_its_signal(disturbance->pidfds[i]);
	if (write(disturbance->wake, &one, sizeof(one)) < 0)
		abort();
	return NULL;
}

/* Returns what epoll_wait did on a descriptor of the host's own. */
static int wait_disturbed(struct __test_metadata *_metadata,
			  struct pidtrack *tracker, int timeout_ms)
{
	struct epoll_event interest = { .events = EPOLLIN }, ready;
	struct disturbance disturbance = {
		.host = thread_id(),
		.gate = gate_make(_metadata),
		.wake = eventfd(0, EFD_CLOEXEC),
	};
	int epoll = epoll_create1(EPOLL_CLOEXEC), r;
	const struct pidtrack_event *event;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(disturbance.pidfds); i++)
		disturbance.pidfds[i] = pidtrack_process_pidfd(shim_start_at(
			_metadata, tracker, &disturbance.gate, 0));
	ASSERT_EQ(0,
		  epoll_ctl(epoll, EPOLL_CTL_ADD, disturbance.wake, &interest));
	ASSERT_EQ(0, pthread_create(&disturbance.thread, NULL, disturb,
				    &disturbance));
	r = epoll_wait(epoll, &ready, 1, timeout_ms);
	if (r < 0)
		r = -errno;
	pthread_join(disturbance.thread, NULL);
	for (i = 0; i < ARRAY_SIZE(disturbance.pidfds); i++) {
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		pidtrack_process_free(event->process);
	}
	ASSERT_NO_EVENT(tracker);
	close(disturbance.wake);
	close(epoll);
	return r;
}

TEST(the_hosts_own_epoll_wait_is_never_interrupted)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	int i;

	for (i = 0; i < 30; i++)
		ASSERT_EQ(1, wait_disturbed(_metadata, tracker,
					    i % 2 ? -1 : awhile_ms()));
	pidtrack_free(tracker);
}

TEST(it_is_not_interrupted_by_a_tracker_with_a_thread)
{
	struct pidtrack *tracker = tracker_start(_metadata, PIDTRACK_THREAD);
	int i;

	for (i = 0; i < 10; i++)
		ASSERT_EQ(1, wait_disturbed(_metadata, tracker, -1));
	pidtrack_free(tracker);
}

TEST(it_is_not_interrupted_by_requests_for_stops)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;

	process = shim_start_at(_metadata, tracker, &gate, 0);
	ASSERT_EQ(0, pidtrack_process_notify(process,
					     1 << PIDTRACK_STOPPED |
						     1 << PIDTRACK_CONTINUED));
	ASSERT_EQ(1, wait_disturbed(_metadata, tracker, -1));
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 0);
	pidtrack_free(tracker);
}

/* ---- in another thread ---- */

/*
 * Launches in a thread of its own; the shim is stopped in setsid(2), and the
 * thread with it, in whatever state it launches.
 */
struct launching {
	pthread_t thread;
	struct __test_metadata *_metadata;
	struct pidtrack *tracker; /* its own */
	struct gate gate;
	int pidfd;    /* of a shim that waits at the gate */
	int listener; /* of the filter: the launch is under way */
	int pair[2];  /* the listener is there; and go */
};

static void *launching_run(void *arg)
{
	struct launching *launching = arg;
	struct __test_metadata *_metadata = launching->_metadata;
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.flags = PIDTRACK_SPAWN_SETSID,
				       .argv = SHIM("exit", "0"));
	const struct pidtrack_event *event;
	struct pidtrack_process *process;
	char byte = 0;
	int i;

	launching->tracker = tracker_start(_metadata, 0);
	launching->pidfd = pidtrack_process_pidfd(shim_start_at(
		_metadata, launching->tracker, &launching->gate, 0));
	launching->listener = seccomp_stop(SYS_setsid);
	ASSERT_EQ(1, write(launching->pair[1], &byte, 1));
	if (launching->listener < 0)
		return NULL;
	ASSERT_EQ(0,
		  pidtrack_spawn(launching->tracker, &options, &process, NULL));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(1, pidtrack_wait(launching->tracker, awhile_ms(),
					   &event));
	ASSERT_NO_EVENT(launching->tracker);
	pidtrack_free(launching->tracker);
	return NULL;
}

struct ending {
	pthread_t thread;
	pid_t host;
	struct launching *launching;
	int wake;
};

/* One shim ends while the other is being launched. */
static void *ending_run(void *arg)
{
	struct ending *ending = arg;
	struct launching *launching = ending->launching;
	uint64_t id, one = 1;
	sigset_t all;

	/* so that whatever comes, comes to the host's thread */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	if (seccomp_stopped(launching->listener, &id) < 0)
		abort();
	thread_await_epoll(ending->host);
	gate_open(&launching->gate);
	await_end_and_its_signal(launching->pidfd);
	if (write(ending->wake, &one, sizeof(one)) < 0)
		abort();
	seccomp_go(launching->listener, id);
	return NULL;
}

static void make_tracker(struct __test_metadata *_metadata)
{
	pidtrack_free(tracker_start(_metadata, 0));
}

/*
 * Closes rings.  For the kernel to take one apart the library waits 200 ms, no
 * longer, where a machine stands still: then it is done again.
 */
static void in_time(struct __test_metadata *_metadata,
		    void (*act)(struct __test_metadata *_metadata))
{
	int64_t began_ms, until_ms = harness_now_ms() + awhile_ms();

	for (;;) {
		began_ms = harness_now_ms();
		act(_metadata);
		if (harness_now_ms() - began_ms < 200 || began_ms >= until_ms)
			return;
		poll(NULL, 0, 1000); /* until that is gone, too */
	}
}

TEST(it_is_not_interrupted_by_an_end_while_another_thread_launches)
{
	struct epoll_event interest = { .events = EPOLLIN }, ready;
	struct launching launching = { ._metadata = _metadata,
				       .gate = gate_make(_metadata) };
	struct ending ending = { .host = thread_id(),
				 .launching = &launching,
				 .wake = eventfd(0, EFD_CLOEXEC) };
	int r, epoll = epoll_create1(EPOLL_CLOEXEC);
	char byte;

	in_time(_metadata, make_tracker); /* or skip */
	ASSERT_EQ(0, pipe2(launching.pair, O_CLOEXEC));
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, ending.wake, &interest));
	ASSERT_EQ(0, pthread_create(&launching.thread, NULL, launching_run,
				    &launching));
	ASSERT_EQ(1, read(launching.pair[0], &byte, 1));
	if (launching.listener < 0)
		SKIP((_metadata->completed = true, _exit(0)),
		     "no seccomp notification before Linux 5.5");
	ASSERT_EQ(0, pthread_create(&ending.thread, NULL, ending_run, &ending));
	r = epoll_wait(epoll, &ready, 1, -1);
	EXPECT_EQ(1, r)
	{
		TH_LOG("%s", strerror(errno));
	}
	pthread_join(ending.thread, NULL);
	pthread_join(launching.thread, NULL);
	close(launching.pair[0]);
	close(launching.pair[1]);
	close(launching.listener);
	close(ending.wake);
	close(epoll);
}

/* ---- rings that are closed ---- */

/*
 * The kernel takes a ring apart some 16 ms after it was closed, and interrupts
 * whose it was then: waiting for longer is the only way to see that.
 */
static void expect_undisturbed(struct __test_metadata *_metadata,
			       void (*act)(struct __test_metadata *_metadata))
{
	struct epoll_event event;
	int outside;

	if (sandbox_refuses("rt_sigprocmask"))
		SKIP(return, "who may not block signals is interrupted");
	outside = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_GE(outside, 0);
	in_time(_metadata, act);
	errno = 0;
	EXPECT_EQ(0, epoll_wait(outside, &event, 1, 250))
	{
		TH_LOG("%s", strerror(errno));
	}
	close(outside);
}

TEST(it_is_not_interrupted_after_a_tracker_is_freed)
{
	expect_undisturbed(_metadata, make_tracker);
}

static void make_tracker_with_thread(struct __test_metadata *_metadata)
{
	pidtrack_free(tracker_start(_metadata, PIDTRACK_THREAD));
}

TEST(it_is_not_interrupted_after_a_tracker_with_a_thread_is_freed)
{
	expect_undisturbed(_metadata, make_tracker_with_thread);
}

static void probe(struct __test_metadata *_metadata)
{
	uint32_t feature;

	(void)_metadata;
	for (feature = 0; pidtrack_feature_name(feature); feature++)
		pidtrack_feature_probe(feature);
}

TEST(it_is_not_interrupted_after_features_are_probed)
{
	expect_undisturbed(_metadata, probe);
}

TEST(it_is_not_interrupted_after_a_ring_was_refused)
{
	ASSERT_EQ(0, unsetenv("PIDTRACK_BACKEND"));
	ASSERT_EQ(0, seccomp_refuse(SYS_io_uring_register, EPERM));
	expect_undisturbed(_metadata, make_tracker);
}

/* ---- hosts that read SIGCHLD themselves, for children of their own ---- */

/* A signalfd of SIGCHLD, which is blocked from then on. */
static int sigchld_open(struct __test_metadata *_metadata)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	ASSERT_GE(fd, 0);
	return fd;
}

static bool sigchld_read(int fd)
{
	struct signalfd_siginfo info;

	return read(fd, &info, sizeof(info)) == sizeof(info);
}

TEST(a_host_with_a_signalfd_is_told_of_its_own_children)
{
	int i, fd = sigchld_open(_metadata);
	struct pidtrack *tracker = tracker_start(_metadata, PIDTRACK_THREAD);
	struct child child;

	for (i = 0; i < 50; i++) {
		ASSERT_EQ(0, child_start(&child));
		ASSERT_EQ(0, child_exit(&child, 0));
		ASSERT_EQ(0, child_await_exit(&child));
		EXPECT_TRUE(await_fd(fd, POLLIN, awhile_ms()) & POLLIN);
		EXPECT_TRUE(sigchld_read(fd));
		EXPECT_EQ(0, child_reap(&child));
		child_close(&child);
	}
	pidtrack_free(tracker);
	close(fd);
}

TEST_WANTS(a_launch_leaves_a_pending_sigchld_to_the_hosts_signalfd, proc)
{
	int i, fd = sigchld_open(_metadata);
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	struct gate gate;
	struct child child;

	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, ENOSYS));
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, child_start(&child));
		ASSERT_EQ(0, child_exit(&child, 0));
		ASSERT_EQ(0, child_await_exit(&child));
		while (!sigchld_is_pending())
			sched_yield();
		gate = gate_make(_metadata);
		process = shim_start_at(_metadata, tracker, &gate, 0);
		EXPECT_TRUE(sigchld_read(fd));
		EXPECT_EQ(0, child_reap(&child));
		child_close(&child);
		gate_open(&gate);
		ASSERT_EXITED(tracker, process, 0);
		pidtrack_process_free(process);
		while (sigchld_read(fd))
			;
	}
	pidtrack_free(tracker);
	close(fd);
}

struct waiting {
	pid_t id;
	int wake;
	int interrupted;
};

static void *waiting_run(void *arg)
{
	struct waiting *waiting = arg;
	struct epoll_event interest = { .events = EPOLLIN }, ready;
	int r, epoll = epoll_create1(EPOLL_CLOEXEC);

	epoll_ctl(epoll, EPOLL_CTL_ADD, waiting->wake, &interest);
	__atomic_store_n(&waiting->id, thread_id(), __ATOMIC_SEQ_CST);
	while ((r = epoll_wait(epoll, &ready, 1, -1)) != 1)
		waiting->interrupted += r < 0 && errno == EINTR;
	close(epoll);
	return NULL;
}

/* A child that ends on its own, some milliseconds from now. */
static pid_t child_ending_soon(void)
{
	pid_t pid = fork();

	if (!pid) {
		poll(NULL, 0, 6);
		_exit(0);
	}
	return pid;
}

TEST(the_end_of_a_child_while_a_tracker_is_freed_interrupts_no_other_thread)
{
	struct waiting waiting = { 0 };
	uint64_t one = 1;
	pthread_t thread;
	int i;

	if (sandbox_refuses("rt_sigaction"))
		SKIP(return, "who may not ask for a handler thinks of one");
	waiting.wake = eventfd(0, EFD_CLOEXEC);
	pidtrack_free(tracker_start(_metadata, 0)); /* or skip */
	ASSERT_EQ(0, pthread_create(&thread, NULL, waiting_run, &waiting));
	while (!__atomic_load_n(&waiting.id, __ATOMIC_SEQ_CST))
		sched_yield();
	for (i = 0; i < 20; i++) {
		struct pidtrack *tracker = tracker_start(_metadata, 0);
		pid_t pid = child_ending_soon();

		ASSERT_GE(pid, 0);
		thread_await_epoll(waiting.id);
		pidtrack_free(tracker);
		EXPECT_EQ(pid, waitpid(pid, NULL, 0));
	}
	ASSERT_EQ(sizeof(one), write(waiting.wake, &one, sizeof(one)));
	pthread_join(thread, NULL);
	EXPECT_EQ(0, waiting.interrupted);
	close(waiting.wake);
}

TEST_HARNESS_MAIN
