/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* A tracker with a thread of its own, in hosts whose threads come and go. */
#include <pthread.h>

#include "tracked.h"

#define THREADS 8

struct worker {
	pthread_t thread;
	pid_t id;
	struct __test_metadata *_metadata;
	struct pidtrack *tracker;
	const struct gate *gate;
	int number;
	struct pidtrack_process *process;
	int (*run)(struct worker *worker); /* its answer in result */
	int result;
};

static void *worker_run(void *arg)
{
	struct worker *worker = arg;

	__atomic_store_n(&worker->id, thread_id(), __ATOMIC_SEQ_CST);
	worker->result = worker->run(worker);
	return NULL;
}

static void worker_start(struct __test_metadata *_metadata,
			 struct worker *worker)
{
	worker->_metadata = _metadata;
	ASSERT_EQ(0, pthread_create(&worker->thread, NULL, worker_run, worker));
}

/* Has ended, for the kernel too: signals for its end were sent. */
static int worker_end(struct worker *worker)
{
	pthread_join(worker->thread, NULL);
	thread_await_gone(worker->id);
	return worker->result;
}

/* ---- from any thread ---- */

static int spawn_bound(struct worker *worker)
{
	struct pidtrack_fd_map fds[] = { { 0, worker->gate->shim } };
	char code[16];
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.flags = PIDTRACK_SPAWN_BOUND,
				       .argv = SHIM("wait", "exit", code),
				       .fds = fds, .n_fds = 1);

	snprintf(code, sizeof(code), "%d", worker->number);
	return pidtrack_spawn(worker->tracker, &options, &worker->process,
			      NULL);
}

TEST(threads_that_come_and_go_launch_shims_that_stay)
{
	struct pidtrack *tracker = tracker_start(_metadata, PIDTRACK_THREAD);
	struct worker workers[THREADS];
	bool told[THREADS];
	int i, round, n;

	for (round = 0; round < 10; round++) {
		struct gate gate = gate_make(_metadata);

		for (i = 0; i < THREADS; i++) {
			workers[i] = (struct worker){ .tracker = tracker,
						      .gate = &gate,
						      .number = i,
						      .run = spawn_bound };
			worker_start(_metadata, &workers[i]);
		}
		for (i = 0; i < THREADS; i++) {
			ASSERT_EQ(0, worker_end(&workers[i]));
			pidtrack_process_set_userdata(workers[i].process,
						      (void *)(intptr_t)i);
			EXPECT_NE(PIDTRACK_BINDING_NONE,
				  pidtrack_process_binding(workers[i].process));
		}
		for (i = 0; i < THREADS; i++) {
			ASSERT_FALSE(pidfd_has_ended(
				pidtrack_process_pidfd(workers[i].process)));
			ASSERT_EQ(0, pidtrack_process_signal(workers[i].process,
							     0));
		}
		gate_open(&gate);
		memset(told, 0, sizeof(told));
		for (n = 0; n < THREADS; n++) {
			const struct pidtrack_event *event;

			ASSERT_EQ(1,
				  pidtrack_wait(tracker, awhile_ms(), &event));
			i = (int)(intptr_t)pidtrack_process_userdata(
				event->process);
			ASSERT_FALSE(told[i]);
			told[i] = true;
			ASSERT_EVENT(event, workers[i].process, PIDTRACK_EXITED,
				     PIDTRACK_EVENT_LAST,
				     PIDTRACK_SOURCE_WAITED, i << 8);
		}
		ASSERT_NO_EVENT(tracker);
		for (i = 0; i < THREADS; i++)
			pidtrack_process_free(workers[i].process);
		ASSERT_FALSE(child_is_any());
	}
	pidtrack_free(tracker);
}

/* Everything a thread may do, at the same time as others do it. */
static int do_all(struct worker *worker)
{
	struct __test_metadata *_metadata = worker->_metadata;
	struct pidtrack *tracker = worker->tracker;
	char text[PIDTRACK_FINGERPRINT_MAX];
	struct pidtrack_comparison comparison;
	struct pidtrack_process *process, *parent;
	struct pidtrack_statistics statistics;
	int i, status;

	for (i = 0; i < 20; i++) {
		char code[16];

		snprintf(code, sizeof(code), "%d", worker->number * 20 + i);
		process = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
				     SHIM("pause", "exit", code));
		EXPECT_EQ(0, pidtrack_process_signal(process, 0));
		EXPECT_EQ(PIDTRACK_STATE_RUNNING,
			  pidtrack_process_state(process));
		EXPECT_EQ(-EAGAIN, pidtrack_process_status(process, &status));
		EXPECT_GT(pidtrack_process_fingerprint(process, text,
						       sizeof(text)),
			  0);
		EXPECT_EQ(0,
			  pidtrack_process_compare(process, text, &comparison,
						   sizeof(comparison)));
		EXPECT_EQ(PIDTRACK_VERDICT_SAME, comparison.verdict);
		ASSERT_EQ(0,
			  pidtrack_attach(tracker, getppid(), 0, 0, &parent));
		EXPECT_GT(pidtrack_process_pid(parent), 0);
		pidtrack_process_free(parent);
		EXPECT_EQ(0, pidtrack_statistics(tracker, &statistics,
						 sizeof(statistics)));
		EXPECT_GE(pidtrack_fd(tracker), 0);
		EXPECT_EQ(0, pidtrack_process_signal(process, SIGTERM));
		/* it may be told to the other thread from here on */
	}
	return 0;
}

TEST_WANTS(eight_threads_do_everything_at_once_while_one_collects, boot_id)
{
	struct pidtrack *tracker = tracker_start(_metadata, PIDTRACK_THREAD);
	struct worker workers[THREADS];
	const struct pidtrack_event *event;
	int i;

	for (i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ .tracker = tracker,
					      .number = i,
					      .run = do_all };
		worker_start(_metadata, &workers[i]);
	}
	for (i = 0; i < THREADS * 20; i++) {
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		ASSERT_EVENT(event, event->process, PIDTRACK_EXITED,
			     PIDTRACK_EVENT_LAST, PIDTRACK_SOURCE_WAITED,
			     SIGTERM);
	}
	ASSERT_NO_EVENT(tracker);
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, worker_end(&workers[i]));
	EXPECT_FALSE(child_is_any());
	EXPECT_EQ(THREADS * 20, tracker_statistics(tracker).exits);
	EXPECT_EQ(THREADS * 20, tracker_statistics(tracker).tracked);
	pidtrack_free(tracker);
}

static int collect_one(struct worker *worker)
{
	const struct pidtrack_event *event;
	int r = pidtrack_wait(worker->tracker, awhile_ms(), &event);

	if (r < 0)
		return r;
	if (r != 1 || event->process != worker->process ||
	    event->kind != PIDTRACK_EXITED ||
	    event->flags != PIDTRACK_EVENT_LAST)
		return -1;
	return event->status;
}

TEST(each_event_is_collected_by_another_thread)
{
	struct pidtrack *tracker = tracker_start(_metadata, PIDTRACK_THREAD);
	int i;

	for (i = 0; i < 40; i++) {
		struct worker worker = { .tracker = tracker,
					 .run = collect_one };

		worker.process = shim_start(_metadata, tracker,
					    PIDTRACK_FD_NULL,
					    SHIM("exit", "3"));
		worker_start(_metadata, &worker);
		ASSERT_EQ(3 << 8, worker_end(&worker));
		/* another thread's event is acknowledged by this call */
		EXPECT_EQ(0, pidtrack_process_signal(worker.process, 0));
		ASSERT_NO_EVENT(tracker);
		EXPECT_EQ(-ESRCH, pidtrack_process_signal(worker.process, 0));
	}
	EXPECT_FALSE(child_is_any());
	pidtrack_free(tracker);
}

/* A thread that waits keeps no other from launching what it waits for. */
TEST(others_may_call_while_one_waits)
{
	struct pidtrack *tracker = tracker_start(_metadata, PIDTRACK_THREAD);
	struct gate gate = gate_make(_metadata);
	struct worker worker = { .tracker = tracker, .run = collect_one };
	struct pidtrack_process *process;

	worker.process = shim_start_at(_metadata, tracker, &gate, 4);
	worker_start(_metadata, &worker);
	while (!__atomic_load_n(&worker.id, __ATOMIC_SEQ_CST))
		sched_yield();
	thread_await_asleep(worker.id);
	process = shim_start_at(_metadata, tracker, &gate, 5);
	EXPECT_EQ(2, tracker_statistics(tracker).tracked);
	EXPECT_EQ(PIDTRACK_STATE_RUNNING, pidtrack_process_state(process));
	pidtrack_process_free(process);
	gate_open(&gate);
	EXPECT_EQ(4 << 8, worker_end(&worker));
	while (child_is_any()) {
		const struct pidtrack_event *event;

		ASSERT_EQ(0, pidtrack_wait(tracker, 10, &event));
	}
	pidtrack_free(tracker);
}

static int free_tracker(struct worker *worker)
{
	pidtrack_free(worker->tracker);
	return 0;
}

TEST(another_thread_than_its_maker_may_free_it)
{
	struct worker worker = { .run = free_tracker };
	int i;

	for (i = 0; i < 20; i++) {
		worker.tracker = tracker_start(_metadata, PIDTRACK_THREAD);
		ASSERT_EXITED(worker.tracker,
			      shim_start(_metadata, worker.tracker,
					 PIDTRACK_FD_NULL, SHIM("exit", "0")),
			      0);
		worker_start(_metadata, &worker);
		ASSERT_EQ(0, worker_end(&worker));
		ASSERT_FALSE(child_is_any());
	}
}

/* ---- the thread itself ---- */

static int count_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *name;
	int n = 0;

	while (dir && (name = readdir(dir)))
		n += name->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return n;
}

/* A sanitizer may have one of its own. */
TEST_WANTS(there_is_a_thread_only_if_asked_for, proc)
{
	struct pidtrack_options options =
		PIDTRACK_OPTIONS(.flags = PIDTRACK_THREAD);
	struct pidtrack *with, *without;
	struct worker warm_up = { .run = free_tracker };
	int before;

	worker_start(_metadata, &warm_up);
	worker_end(&warm_up);
	without = tracker_start(_metadata, 0);
	before = count_threads();
	ASSERT_EXITED(without,
		      shim_start(_metadata, without, PIDTRACK_FD_NULL,
				 SHIM("exit", "0")),
		      0);
	EXPECT_EQ(before, count_threads());
	pidtrack_free(without);

	ASSERT_EQ(0, pidtrack_new(&options, &with));
	EXPECT_EQ(before + 1, count_threads());
	pidtrack_free(with);
	while (count_threads() > before)
		sched_yield();
}

/* Field SigBlk of each. */
TEST_WANTS(the_trackers_thread_takes_no_signal_but_sigchld, proc)
{
	struct pidtrack *tracker = tracker_start(_metadata, PIDTRACK_THREAD);
	DIR *dir = opendir("/proc/self/task");
	struct dirent *name;
	unsigned long long blocked, wanted = 0;
	int i, n = 0;

	/* KILL and STOP cannot be; 32 and 33 are the C library's */
	for (i = 1; i <= 64; i++)
		if (i != SIGKILL && i != SIGSTOP && i != SIGCHLD && i != 32 &&
		    i != 33)
			wanted |= 1ULL << (i - 1);
	while ((name = readdir(dir))) {
		char path[300], line[256];
		FILE *file;

		if (name->d_name[0] == '.' || atoi(name->d_name) == getpid())
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%s/status",
			 name->d_name);
		file = fopen(path, "re");
		while (file && fgets(line, sizeof(line), file))
			if (sscanf(line, "SigBlk: %llx", &blocked) == 1 &&
			    (blocked & wanted) == wanted)
				n++;
		if (file)
			fclose(file);
	}
	closedir(dir);
	EXPECT_GE(n, 1);
	pidtrack_free(tracker);
}

TEST(a_burst_of_ends_is_told_truly_by_a_tracker_with_a_thread)
{
	enum { N = 300 };
	struct pidtrack *tracker = tracker_start(_metadata, PIDTRACK_THREAD);
	struct pidtrack_process *processes[N];
	const struct pidtrack_event *event;
	struct gate gate = gate_make(_metadata);
	int i, j;

	for (i = 0; i < N; i++) {
		processes[i] =
			shim_start_at(_metadata, tracker, &gate, i % 256);
		pidtrack_process_set_userdata(processes[i],
					      (void *)(intptr_t)i);
	}
	gate_open(&gate);
	for (i = 0; i < N; i++)
		process_await_exit(processes[i]);
	for (i = 0; i < N; i++) {
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		j = (int)(intptr_t)pidtrack_process_userdata(event->process);
		ASSERT_EVENT(event, processes[j], PIDTRACK_EXITED,
			     PIDTRACK_EVENT_LAST, PIDTRACK_SOURCE_WAITED,
			     (j % 256) << 8);
		/* acknowledged reaping holds here too */
		ASSERT_EQ(0, pidtrack_process_signal(event->process, 0));
	}
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(child_is_any());
	EXPECT_FALSE(tracker_is_readable(tracker));
	pidtrack_free(tracker);
}

TEST_HARNESS_MAIN
