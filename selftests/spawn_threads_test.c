/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Launching from a host whose other threads do as they please: open and close,
 * fork, launch by other means or by a tracker of their own.
 */
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>

#include "launch.h"
#include "seccomp.h"

#define LAUNCHES 200

/* Threads that never sleep leave a busy machine little time: what it can do in
 * some seconds, but a few at least, is enough. */
static bool is_enough(int launches, int64_t until_ms)
{
	return launches >= LAUNCHES ||
	       (launches >= LAUNCHES / 10 && harness_now_ms() >= until_ms);
}

static int64_t until_when(void)
{
	return harness_now_ms() +
	       5000 * harness_number_of("PIDTRACK_TEST_SLOW", 1);
}

/* A thread that does one thing over and over until it is told to end. */
struct busy {
	pthread_t thread;
	struct __test_metadata *metadata;
	void (*act)(struct __test_metadata *_metadata);
	atomic_bool end;
	atomic_ulong rounds;
};

static void *busy_run(void *arg)
{
	struct busy *busy = arg;

	while (!atomic_load(&busy->end)) {
		busy->act(busy->metadata);
		atomic_fetch_add(&busy->rounds, 1);
	}
	return NULL;
}

/* It is at it when this returns. */
static void busy_start(struct __test_metadata *_metadata, struct busy *busy,
		       void (*act)(struct __test_metadata *_metadata))
{
	busy->metadata = _metadata;
	busy->act = act;
	atomic_init(&busy->end, false);
	atomic_init(&busy->rounds, 0);
	ASSERT_EQ(0, pthread_create(&busy->thread, NULL, busy_run, busy));
	while (atomic_load(&busy->rounds) == 0)
		sched_yield();
}

static void busy_end(struct busy *busy)
{
	atomic_store(&busy->end, true);
	pthread_join(busy->thread, NULL);
}

/* ---- opening and closing ---- */

static void open_and_close(struct __test_metadata *_metadata)
{
	int fds[8], pair[2], i;

	for (i = 0; i < 8; i++)
		fds[i] = open("/dev/null",
			      i % 2 ? O_RDONLY : O_RDWR | O_CLOEXEC);
	EXPECT_EQ(0, pipe(pair));
	for (i = 0; i < 8; i++)
		EXPECT_EQ(0, close(fds[i]));
	EXPECT_EQ(1, write(pair[1], "x", 1));
	EXPECT_EQ(1, read(pair[0], &i, 1));
	EXPECT_EQ(0, close(pair[0]));
	EXPECT_EQ(0, close(pair[1]));
}

TEST_WANTS(what_other_threads_open_does_not_reach_a_shim, proc)
{
	struct pidtrack_fd_map fds = { 9, PIDTRACK_FD_NULL };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("fds", "fd", "9"),
				       .fds = &fds, .n_fds = 1);
	struct launch launch = LAUNCH_NULL;
	int64_t until_ms = until_when();
	struct busy busy[3];
	int i;

	for (i = 0; i < 3; i++)
		busy_start(_metadata, &busy[i], open_and_close);
	launch_open(_metadata, &launch);
	for (i = 0; !is_enough(i, until_ms); i++) {
		ASSERT_EQ(0, launch_spawn(_metadata, &launch, &options));
		ASSERT_STREQ("0 1 2 9\n/dev/null\n",
			     launch_said(_metadata, &launch));
		ASSERT_EQ(0, launch_wait(_metadata, &launch));
		launch_reset(&launch);
	}
	launch_close(&launch);
	for (i = 0; i < 3; i++)
		busy_end(&busy[i]);
}

/* What a launch that fails undoes is its own alone. */
TEST(what_other_threads_open_survives_failed_launches)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("fds"),
				       .program = "/is/not/there");
	struct pidtrack_process *process;
	struct launch launch = LAUNCH_NULL;
	int64_t until_ms = until_when();
	struct busy busy[3];
	int i;

	for (i = 0; i < 3; i++)
		busy_start(_metadata, &busy[i], open_and_close);
	launch_open(_metadata, &launch);
	for (i = 0; !is_enough(i, until_ms); i++)
		ASSERT_EQ(-ENOENT, pidtrack_spawn(launch.tracker, &options,
						  &process, NULL));
	launch_close(&launch);
	for (i = 0; i < 3; i++)
		busy_end(&busy[i]);
}

/* ---- processes of others ---- */

/* Its status must be there for who made it. */
static void fork_and_wait(struct __test_metadata *_metadata)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid)
		_exit(42);
	EXPECT_GT(pid, 0);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(42 << 8, status);
}

static void posix_spawn_and_wait(struct __test_metadata *_metadata)
{
	char shim[4096], word[] = "exit", code[] = "43";
	char *argv[] = { shim, word, code, NULL };
	int status = -1;
	pid_t pid = -1;

	snprintf(shim, sizeof(shim), "%s", shim_path());
	EXPECT_EQ(0, posix_spawn(&pid, argv[0], NULL, NULL, argv, environ));
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(43 << 8, status);
}

static void launch_beside(struct __test_metadata *_metadata,
			  void (*act)(struct __test_metadata *_metadata))
{
	struct pidtrack_spawn_options good =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("fds", "exit", "7"));
	struct pidtrack_spawn_options bad =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("fds"),
				       .program = "/is/not/there");
	struct launch launch = LAUNCH_NULL;
	int64_t until_ms = until_when();
	struct busy busy;
	int i;

	launch_open(_metadata, &launch);
	busy_start(_metadata, &busy, act);
	for (i = 0; !is_enough(i, until_ms); i++) {
		ASSERT_EQ(0, launch_spawn(_metadata, &launch, &good));
		ASSERT_STREQ("0 1 2\n", launch_said(_metadata, &launch));
		ASSERT_EQ(7 << 8, launch_wait(_metadata, &launch));
		launch_reset(&launch);
		ASSERT_EQ(-ENOENT, launch_spawn(_metadata, &launch, &bad));
		launch_reset(&launch);
	}
	busy_end(&busy);
	launch_close(&launch);
}

TEST(children_forked_meanwhile_are_left_to_who_forked_them)
{
	launch_beside(_metadata, fork_and_wait);
}

TEST(children_spawned_meanwhile_are_left_to_who_spawned_them)
{
	launch_beside(_metadata, posix_spawn_and_wait);
}

/* ---- amid a launch ---- */

struct amid {
	pthread_t thread;
	struct __test_metadata *metadata;
	int listener;
	struct child child;
};

/* A fork of the host now has a copy of all that the launch has open. */
static void *fork_amid(void *arg)
{
	struct amid *amid = arg;
	struct __test_metadata *_metadata = amid->metadata;
	int pair[2];
	uint64_t id;

	EXPECT_GT(seccomp_stopped(amid->listener, &id), 0);
	EXPECT_EQ(0,
		  socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	amid->child.pid = fork();
	if (!amid->child.pid) {
		char byte;

		close(pair[0]);
		if (read(pair[1], &byte, 1) < 0)
			_exit(1);
		_exit(0);
	}
	close(pair[1]);
	amid->child.socket = pair[0];
	seccomp_go(amid->listener, id);
	return NULL;
}

static void spawn_amid_fork(struct __test_metadata *_metadata,
			    const struct pidtrack_spawn_options *options, int r)
{
	struct amid amid = { .metadata = _metadata, .child = CHILD_NULL };
	struct launch launch = LAUNCH_NULL;
	uint32_t stage = STAGE_UNTOUCHED;
	int seen;

	launch_open(_metadata, &launch);
	amid.listener = seccomp_stop_exec();
	if (amid.listener < 0)
		SKIP(return, "no listeners of seccomp (Linux 5.5)");
	ASSERT_EQ(0, pthread_create(&amid.thread, NULL, fork_amid, &amid));
	seen = pidtrack_spawn(launch.tracker, options, &launch.process, &stage);
	EXPECT_EQ(r, seen);
	EXPECT_EQ(r ? PIDTRACK_STAGE_EXEC : STAGE_UNTOUCHED, stage);
	pthread_join(amid.thread, NULL);
	if (!seen)
		EXPECT_EQ(7 << 8, launch_wait(_metadata, &launch));
	EXPECT_EQ(0, waitpid(amid.child.pid, NULL, WNOHANG));
	close(amid.child.socket);
	EXPECT_EQ(0, child_reap(&amid.child));
	close(amid.listener);
	launch_close(&launch);
}

TEST(a_launch_ends_although_the_host_forked_amid_it)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("exit", "7"));

	spawn_amid_fork(_metadata, &options, 0);
}

TEST(a_launch_fails_although_the_host_forked_amid_it)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("exit", "7"),
				       .program = "/is/not/there");

	spawn_amid_fork(_metadata, &options, -ENOENT);
}

/* That the others run on shows in that one of them lets the launch go on. */
static void *close_amid(void *arg)
{
	struct amid *amid = arg;
	struct __test_metadata *_metadata = amid->metadata;
	uint64_t id;
	int i;

	EXPECT_GT(seccomp_stopped(amid->listener, &id), 0);
	for (i = 0; i < 100; i++)
		open_and_close(_metadata);
	amid->child.socket = named_fd(_metadata, "amid", 0);
	EXPECT_EQ(0, close(amid->child.pidfd));
	seccomp_go(amid->listener, id);
	return NULL;
}

TEST_WANTS(what_the_host_opens_and_closes_amid_a_launch_is_its_own, proc)
{
	struct pidtrack_fd_map fds = { 9, -1 };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("fd", "9", "fds"),
				       .fds = &fds, .n_fds = 1);
	struct amid amid = { .metadata = _metadata };

	fds.fd = amid.child.pidfd = named_fd(_metadata, "mapped", 0);
	amid.listener = seccomp_stop_exec();
	if (amid.listener < 0)
		SKIP(return, "no listeners of seccomp (Linux 5.5)");
	ASSERT_EQ(0, pthread_create(&amid.thread, NULL, close_amid, &amid));
	EXPECT_STREQ("/memfd:mapped (deleted)\n0 1 2 9\n",
		     shim_said(_metadata, &options));
	pthread_join(amid.thread, NULL);
	EXPECT_EQ(0, close(amid.child.socket));
	close(amid.listener);
}

/* ---- many trackers ---- */

static void *launch_many(void *arg)
{
	struct __test_metadata *_metadata = arg;
	struct pidtrack_process *processes[40];
	const struct pidtrack_event *event;
	struct launch launch = LAUNCH_NULL;
	char code[16];
	intptr_t i;

	launch_open(_metadata, &launch);
	for (i = 0; i < 40; i++) {
		struct pidtrack_spawn_options options =
			PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("exit", code));

		snprintf(code, sizeof(code), "%d", (int)i);
		ASSERT_EQ(0, pidtrack_spawn(launch.tracker, &options,
					    &processes[i], NULL));
		pidtrack_process_set_userdata(processes[i], (void *)i);
		options.program = "/is/not/there";
		ASSERT_EQ(-ENOENT, pidtrack_spawn(launch.tracker, &options,
						  &processes[i], NULL));
	}
	for (i = 0; i < 40; i++) {
		ASSERT_EQ(1, pidtrack_wait(launch.tracker, -1, &event));
		EXPECT_EQ(PIDTRACK_SOURCE_WAITED, event->source);
		EXPECT_EQ((intptr_t)pidtrack_process_userdata(event->process)
				  << 8,
			  event->status);
		pidtrack_process_free(event->process);
	}
	launch_close(&launch);
	return NULL;
}

TEST(threads_with_a_tracker_each_launch_at_once)
{
	pthread_t threads[8];
	int i;

	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, launch_many,
					    _metadata));
	for (i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
}

TEST(threads_launch_at_once_without_clone3_too)
{
	pthread_t threads[8];
	int i;

	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, ENOSYS));
	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, launch_many,
					    _metadata));
	for (i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
}

/* ---- whose tracker it is ---- */

static void *spawn_elsewhere(void *arg)
{
	static int r;
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("exit", "0"));
	struct pidtrack_process *process;

	r = pidtrack_spawn(arg, &options, &process, NULL);
	return &r;
}

TEST(another_thread_may_not_launch)
{
	struct launch launch = LAUNCH_NULL;
	pthread_t thread;
	void *r;

	launch_open(_metadata, &launch);
	ASSERT_EQ(0, pthread_create(&thread, NULL, spawn_elsewhere,
				    launch.tracker));
	ASSERT_EQ(0, pthread_join(thread, &r));
	EXPECT_EQ(-EBUSY, *(int *)r);
	EXPECT_EQ(0, child_is_any());
	launch_close(&launch);
}

TEST(any_thread_launches_by_a_tracker_with_its_own_thread)
{
	struct pidtrack_options flags =
		PIDTRACK_OPTIONS(.flags = PIDTRACK_THREAD);
	struct pidtrack *tracker;
	pthread_t thread;
	void *r;

	ring_or_skip(_metadata);
	ASSERT_EQ(0, pidtrack_new(&flags, &tracker));
	ASSERT_EQ(0, pthread_create(&thread, NULL, spawn_elsewhere, tracker));
	ASSERT_EQ(0, pthread_join(thread, &r));
	EXPECT_EQ(0, *(int *)r);
	ASSERT_EQ(1, pidtrack_wait(tracker, -1,
				   &(const struct pidtrack_event *){ NULL }));
	pidtrack_free(tracker);
}

static void spawn_in_fork(struct __test_metadata *_metadata, void *tracker)
{
	EXPECT_EQ(-ECHILD, *(int *)spawn_elsewhere(tracker));
	EXPECT_EQ(0, child_is_any());
	pidtrack_free(tracker);
}

TEST(a_forked_copy_of_a_host_may_not_launch)
{
	struct launch launch = LAUNCH_NULL;

	launch_open(_metadata, &launch);
	host_run(_metadata, spawn_in_fork, launch.tracker);
	launch_close(&launch);
}

TEST_HARNESS_MAIN
