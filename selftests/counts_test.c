/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What the library costs, without a look at the clock: system calls,
 * allocations, bytes and instructions, each as counts.txt has it.  They are
 * equal to what is recorded there, but for instructions, which may differ by a
 * twentieth.  What was seen is said in lines
 *
 *	... count NAME BACKEND BUILD VALUE
 *
 * from which counts.py records anew.  BUILD is "any" where the figure is the
 * same for all; instructions depend on the compiler, and are recorded for those
 * that counts.txt has.
 */
#include <malloc.h>

#include "tracer.h"
#include "verified.h"

#define BURST 1000
#define IDLE 100
#define MANY 1024

enum phase {
	PHASE_NONE,
	PHASE_LAUNCH,
	PHASE_EXIT,
	PHASE_VERIFY,
	PHASE_BURST,
	PHASE_IDLE,
};

/* ---- what is recorded ---- */

/* Return: whether it is; *ret_value. */
static bool recorded(struct __test_metadata *_metadata, const char *name,
		     const char *backend, const char *build, double *ret_value)
{
	const char *path = getenv("PIDTRACK_TEST_COUNTS");
	char line[256], names[3][64];
	FILE *file = fopen(path, "re");
	bool is = false;

	ASSERT_TRUE(file != NULL);
	while (!is && fgets(line, sizeof(line), file))
		is = sscanf(line, "%63s %63s %63s %lf", names[0], names[1],
			    names[2], ret_value) == 4 &&
		     !strcmp(names[0], name) && !strcmp(names[1], backend) &&
		     !strcmp(names[2], build);
	fclose(file);
	return is;
}

/* @part: how far it may be off, of what is recorded */
static void count_is(struct __test_metadata *_metadata, const char *name,
		     const char *build, uint64_t seen, double part)
{
	const char *backend = getenv("PIDTRACK_BACKEND");
	double value;

	TH_LOG("count %s %s %s %llu", name, backend, build,
	       (unsigned long long)seen);
	if (recorded(_metadata, name, backend, build, &value)) {
		EXPECT_TRUE((double)seen >= value * (1 - part) &&
			    (double)seen <= value * (1 + part))
		{
			TH_LOG("%s: %.0f is recorded", name, value);
		}
	} else if (!strcmp(build, "any")) {
		EXPECT_TRUE(false)
		{
			TH_LOG("%s is not recorded", name);
		}
	} else {
		SKIP(, "nothing is recorded for %s", build);
	}
}

static HARNESS_RARE __attribute__((noreturn)) void
skipped(struct __test_metadata *_metadata)
{
	_metadata->completed = true;
	fflush(NULL);
	_exit(0);
}

/*
 * Ends the test where others are counted, too, as with a sanitizer, and where
 * the kernel lacks something: there other ways are gone, by other calls.
 */
static void counted_or_skip(struct __test_metadata *_metadata)
{
	static const enum pidtrack_feature features[] = {
		PIDTRACK_FEATURE_CLONE3,      PIDTRACK_FEATURE_CLOSE_RANGE,
		PIDTRACK_FEATURE_PIDFD_OPEN,  PIDTRACK_FEATURE_PIDFD_WAIT,
		PIDTRACK_FEATURE_RING_WAITID, PIDTRACK_FEATURE_PIDFS,
		PIDTRACK_FEATURE_INFO,	      PIDTRACK_FEATURE_EXIT_INFO,
		PIDTRACK_FEATURE_HANDLE,      PIDTRACK_FEATURE_PROC,
	};
	size_t i;

	if (!getenv("PIDTRACK_TEST_COUNTS") || !getenv("PIDTRACK_TEST_BUILD") ||
	    !getenv("PIDTRACK_BACKEND")) {
		SKIP(, "a build that has more than the library in it");
		skipped(_metadata);
	}
	for (i = 0; i < ARRAY_SIZE(features); i++) {
		if (works(features[i]))
			continue;
		SKIP(, "recorded with %s, which is not here",
		     pidtrack_feature_name(features[i]));
		skipped(_metadata);
	}
}

/* As many descriptors, or the test ends. */
static void descriptors_or_skip(struct __test_metadata *_metadata, rlim_t n)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max < n) {
		SKIP(, "RLIMIT_NOFILE is too low");
		skipped(_metadata);
	}
	limit.rlim_cur = limit.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
}

/* ---- hosts ---- */

/* It ends after the launch, so that it costs the same each time. */
static void host_life(struct __test_metadata *_metadata, struct costs *costs,
		      struct pidtrack *tracker, bool counted)
{
	struct gate gate = gate_make(_metadata);
	struct pidtrack_fd_map fds[] = { { .child_fd = 0, .fd = gate.shim } };
	const char *const *argv = SHIM("wait", "exit", "7");
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = argv, .fds = fds, .n_fds = 1);
	struct pidtrack_process *process = NULL;
	const struct pidtrack_event *event;
	int r, last;

	costs_phase(costs, counted ? PHASE_LAUNCH : PHASE_NONE);
	r = pidtrack_spawn(tracker, &options, &process, NULL);
	costs_phase(costs, PHASE_NONE);
	gate_open(&gate);
	ASSERT_EQ(0, r);
	process_await_exit(process);
	ASSERT_TRUE(tracker_await(tracker));
	costs_phase(costs, counted ? PHASE_EXIT : PHASE_NONE);
	r = pidtrack_next(tracker, &event);
	pidtrack_process_free(process);
	last = pidtrack_next(tracker, &event);
	costs_phase(costs, PHASE_NONE);
	ASSERT_EQ(1, r);
	ASSERT_EQ(0, last);
	EXPECT_FALSE(child_is_any());
}

/* The second of two: what comes once is not counted. */
static void host_run_life(struct __test_metadata *_metadata,
			  struct costs *costs, void *unused)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);

	costs_start(_metadata, costs);
	host_life(_metadata, costs, tracker, false);
	host_life(_metadata, costs, tracker, true);
	pidtrack_free(tracker);
}

static void host_run_verify(struct __test_metadata *_metadata,
			    struct costs *costs, void *unused)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process =
		shim_start_at(_metadata, tracker, &gate, 7);
	struct pidtrack_record *record = record_of(_metadata, process);
	struct pidtrack_comparison comparison;
	int i, r;

	costs_start(_metadata, costs);
	for (i = 0; i < 2; i++) {
		costs_phase(costs, i ? PHASE_VERIFY : PHASE_NONE);
		r = pidtrack_verify(tracker, record, &comparison,
				    sizeof(comparison));
		costs_phase(costs, PHASE_NONE);
		ASSERT_EQ(0, r);
		EXPECT_EQ(PIDTRACK_VERDICT_SAME, comparison.verdict);
	}
	pidtrack_record_free(record);
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 7 << 8);
	pidtrack_free(tracker);
}

static void host_start(struct __test_metadata *_metadata,
		       struct pidtrack *tracker, const struct gate *gate, int n)
{
	while (n-- > 0)
		shim_start_at(_metadata, tracker, gate, 7);
}

/* As a host does: each is freed with its last event. */
static int host_collect(struct pidtrack *tracker)
{
	const struct pidtrack_event *event;
	int n = 0;

	while (pidtrack_next(tracker, &event) == 1) {
		n += event->status == 7 << 8;
		pidtrack_process_free(event->process);
	}
	return n;
}

static void host_run_burst(struct __test_metadata *_metadata,
			   struct costs *costs, void *n_ends)
{
	static struct pidtrack_process *processes[BURST];
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	int i, n = (int)(intptr_t)n_ends, told;

	for (i = 0; i < n; i++)
		processes[i] = shim_start_at(_metadata, tracker, &gate, 7);
	gate_open(&gate);
	for (i = 0; i < n; i++)
		process_await_exit(processes[i]);
	costs_start(_metadata, costs);
	costs_phase(costs, PHASE_BURST);
	told = host_collect(tracker);
	costs_phase(costs, PHASE_NONE);
	EXPECT_EQ(n, told);
	EXPECT_FALSE(child_is_any());
	pidtrack_free(tracker);
}

/* Descriptors that will become readable by time alone, and threads. */
static int wakers_count(void)
{
	int fd, n = -1;
	DIR *tasks = opendir("/proc/self/task");
	char path[64], text[512];

	for (fd = 3; fd < 3 + 2 * IDLE; fd++) {
		const char *at;
		ssize_t size;
		int info;

		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
		info = open(path, O_RDONLY | O_CLOEXEC);
		size = info < 0 ? 0 : read(info, text, sizeof(text) - 1);
		if (info >= 0)
			close(info);
		text[size > 0 ? size : 0] = '\0';
		at = strstr(text, "it_value: (");
		n += at && strncmp(at, "it_value: (0, 0)", 16);
	}
	for (struct dirent *task; tasks && (task = readdir(tasks));)
		n += task->d_name[0] != '.';
	if (tasks)
		closedir(tasks);
	return n;
}

struct idle {
	uint64_t calls; /* the library's word */
	int wakers;	/* beside this thread */
};

/*
 * A second shows that the host sleeps, and that nothing is armed, nor runs,
 * that it goes on to.
 */
static void host_run_idle(struct __test_metadata *_metadata,
			  struct costs *costs, void *argument)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pollfd poll_fd = { .events = POLLIN };
	struct idle *idle = argument;
	uint64_t calls;
	int n;

	host_start(_metadata, tracker, &gate, IDLE);
	ASSERT_NO_EVENT(tracker);
	poll_fd.fd = pidtrack_fd(tracker);
	calls = tracker_statistics(tracker).syscalls;
	costs_start(_metadata, costs);
	costs_phase(costs, PHASE_IDLE);
	n = poll(&poll_fd, 1, 1000);
	costs_phase(costs, PHASE_NONE);
	EXPECT_EQ(0, n);
	idle->calls = tracker_statistics(tracker).syscalls - calls;
	idle->wakers = wakers_count();
	gate_open(&gate);
	for (n = 0; n < IDLE;)
		if (tracker_await(tracker))
			n += host_collect(tracker);
	pidtrack_free(tracker);
}

/* ---- system calls ---- */

static void calls_are(struct __test_metadata *_metadata, const char *name,
		      const struct cost *cost)
{
	count_is(_metadata, name, "any", cost->calls + cost->closes, 0);
}

static void host_run(struct __test_metadata *_metadata, struct costs *costs,
		     enum tracing how,
		     void (*run)(struct __test_metadata *_metadata,
				 struct costs *costs, void *argument),
		     void *argument)
{
	struct traced host = traced_start(_metadata, costs, run, argument);

	traced_count(_metadata, &host, how);
}

TEST(a_launch_and_an_exit_make_the_system_calls_that_are_recorded)
{
	struct costs *costs;

	counted_or_skip(_metadata);
	costs = costs_new(_metadata);
	host_run(_metadata, costs, TRACE_CALLS, host_run_life, NULL);
	calls_are(_metadata, "launch-calls", &costs->host[PHASE_LAUNCH]);
	calls_are(_metadata, "launched-calls", &costs->launched[PHASE_LAUNCH]);
	calls_are(_metadata, "exit-calls", &costs->host[PHASE_EXIT]);
	costs_free(costs);
}

TEST(a_thousand_ends_make_the_system_calls_that_are_recorded)
{
	struct costs *costs;

	counted_or_skip(_metadata);
	descriptors_or_skip(_metadata, BURST + 100);
	costs = costs_new(_metadata);
	host_run(_metadata, costs, TRACE_CALLS, host_run_burst,
		 (void *)(intptr_t)BURST);
	calls_are(_metadata, "burst-calls", &costs->host[PHASE_BURST]);
	costs_free(costs);
}

TEST(a_verification_makes_the_system_calls_that_are_recorded)
{
	struct costs *costs;

	counted_or_skip(_metadata);
	costs = costs_new(_metadata);
	host_run(_metadata, costs, TRACE_CALLS, host_run_verify, NULL);
	calls_are(_metadata, "verify-calls", &costs->host[PHASE_VERIFY]);
	costs_free(costs);
}

TEST(an_idle_minute_costs_nothing)
{
	struct costs *costs;
	struct idle *idle;

	counted_or_skip(_metadata);
	costs = costs_new(_metadata);
	idle = mmap(NULL, sizeof(*idle), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)idle);
	host_run(_metadata, costs, TRACE_CALLS, host_run_idle, idle);
	costs->host[PHASE_IDLE].calls -= 1; /* the host's own poll */
	calls_are(_metadata, "idle-calls", &costs->host[PHASE_IDLE]);
	EXPECT_EQ(0, idle->calls);
	count_is(_metadata, "idle-wakers", "any", idle->wakers, 0);
	costs_free(costs);
	munmap(idle, sizeof(*idle));
}

/* ---- memory, and instructions ---- */

TEST(a_process_takes_the_memory_that_is_recorded)
{
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
	struct pidtrack *tracker;
	struct mallinfo2 before, after;
	struct gate gate;

	counted_or_skip(_metadata);
	descriptors_or_skip(_metadata, MANY + 100);
	gate = gate_make(_metadata);
	tracker = tracker_start(_metadata, 0);
	before = mallinfo2();
	host_start(_metadata, tracker, &gate, MANY);
	after = mallinfo2();
	count_is(_metadata, sizeof(void *) == 8 ? "bytes" : "bytes-32", "any",
		 (after.uordblks + after.hblkhd - before.uordblks -
		  before.hblkhd + MANY - 1) /
			 MANY,
		 0);
	gate_open(&gate);
	for (int n = 0; n < MANY;)
		if (tracker_await(tracker))
			n += host_collect(tracker);
	pidtrack_free(tracker);
#else
	SKIP(return, "malloc does not say how much there is");
#endif
}

static void allocations_are(struct __test_metadata *_metadata, const char *name,
			    const struct cost *cost)
{
	count_is(_metadata, name, "any", cost->allocations, 0);
}

TEST(a_life_has_the_instructions_and_allocations_that_are_recorded)
{
	const struct cost *launch, *exit;
	struct costs *costs;
	const char *build;

	counted_or_skip(_metadata);
	build = getenv("PIDTRACK_TEST_BUILD");
#ifndef __x86_64__
	SKIP(return, "one cannot step through what is atomic");
#endif
	costs = costs_new(_metadata);
	host_run(_metadata, costs, TRACE_STEPS, host_run_life, NULL);
	launch = &costs->host[PHASE_LAUNCH];
	exit = &costs->host[PHASE_EXIT];
	TH_LOG("launch %llu instructions and %llu elsewhere, exit %llu and "
	       "%llu",
	       (unsigned long long)launch->instructions,
	       (unsigned long long)launch->elsewhere,
	       (unsigned long long)exit->instructions,
	       (unsigned long long)exit->elsewhere);
	TH_LOG("launched %llu and %llu elsewhere",
	       (unsigned long long)costs->launched[PHASE_LAUNCH].instructions,
	       (unsigned long long)costs->launched[PHASE_LAUNCH].elsewhere);
	allocations_are(_metadata, "launch-allocations", launch);
	allocations_are(_metadata, "exit-allocations", exit);
	count_is(_metadata, "life-instructions", build,
		 launch->instructions + exit->instructions, 0.05);
	count_is(_metadata, "launched-instructions", build,
		 costs->launched[PHASE_LAUNCH].instructions, 0.05);
	costs_free(costs);
}

TEST_HARNESS_MAIN
