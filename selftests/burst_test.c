/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Many ends at once, and a host that is busy elsewhere meanwhile.  What the
 * library costs is counted from outside: a tracer counts the system calls that
 * the host makes between two marks.
 */
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>

#include "tracer.h"
#include "tracked.h"

#define BURST 1000

/* Room for that many pidfds and the rest; false: not allowed. */
static bool fds_allow(unsigned int n)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max < n)
		return false;
	limit.rlim_cur = limit.rlim_max;
	return !setrlimit(RLIMIT_NOFILE, &limit);
}

/* ---- the host ---- */

struct burst {
	struct pidtrack_process *processes[BURST];
	bool told[BURST];
	int fds; /* open before */
};

static void burst_start(struct __test_metadata *_metadata, struct burst *burst,
			struct pidtrack *tracker)
{
	struct gate gate = gate_make(_metadata);
	int i;

	burst->fds = fds_count() - 2; /* the gate's */
	for (i = 0; i < BURST; i++) {
		burst->processes[i] =
			shim_start_at(_metadata, tracker, &gate, i % 256);
		pidtrack_process_set_userdata(burst->processes[i],
					      (void *)(intptr_t)i);
	}
	gate_open(&gate);
	for (i = 0; i < BURST; i++)
		process_await_exit(burst->processes[i]);
}

/* Makes no system call but by the library. */
static void burst_collect(struct __test_metadata *_metadata,
			  struct burst *burst, struct pidtrack *tracker,
			  bool free_at_once)
{
	const struct pidtrack_event *event;
	int n = 0, r;

	while ((r = pidtrack_next(tracker, &event)) == 1) {
		struct pidtrack_process *process = event->process;
		intptr_t i = (intptr_t)pidtrack_process_userdata(process);

		ASSERT_EVENT(event, burst->processes[i], PIDTRACK_EXITED,
			     PIDTRACK_EVENT_LAST, PIDTRACK_SOURCE_WAITED,
			     (int)(i % 256) << 8);
		ASSERT_FALSE(burst->told[i]);
		burst->told[i] = true;
		n++;
		if (free_at_once)
			pidtrack_process_free(process);
	}
	ASSERT_EQ(0, r);
	ASSERT_EQ(BURST, n);
}

static void burst_end(struct __test_metadata *_metadata, struct burst *burst,
		      struct pidtrack *tracker, bool free_at_once)
{
	int i;

	EXPECT_FALSE(child_is_any());
	for (i = 0; i < BURST && !free_at_once; i++)
		pidtrack_process_free(burst->processes[i]);
	EXPECT_EQ(burst->fds, fds_count());
}

enum { PHASE_COLLECT = 1 };

struct host {
	bool free_at_once;
	uint64_t counted; /* by the library */
	bool on_ring;
};

static void host_run(struct __test_metadata *_metadata, struct costs *costs,
		     void *argument)
{
	static struct burst burst;
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_statistics before, after;
	struct host *host = argument;

	host->on_ring = tracker_is_on_ring(tracker);
	burst_start(_metadata, &burst, tracker);
	before = tracker_statistics(tracker);
	costs_start(_metadata, costs);
	costs_phase(costs, PHASE_COLLECT);
	burst_collect(_metadata, &burst, tracker, host->free_at_once);
	costs_phase(costs, 0);
	after = tracker_statistics(tracker);
	EXPECT_EQ(BURST, after.exits - before.exits);
	burst_end(_metadata, &burst, tracker, host->free_at_once);
	pidtrack_free(tracker);
	host->counted = after.syscalls - before.syscalls;
}

static void check_cost(struct __test_metadata *_metadata, bool free_at_once)
{
	const struct cost *cost;
	struct traced traced;
	struct costs *costs;
	struct host *host;

	if (!fds_allow(BURST + 100))
		SKIP(return, "RLIMIT_NOFILE is too low");
	SKIP_WITHOUT_TRACING();
	pidtrack_free(tracker_start(_metadata, 0)); /* or skip */
	host = mmap(NULL, sizeof(*host), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	host->free_at_once = free_at_once;
	costs = costs_new(_metadata);
	traced = traced_start(_metadata, costs, host_run, host);
	traced_count(_metadata, &traced, TRACE_CALLS);

	cost = &costs->host[PHASE_COLLECT];
	TH_LOG("%s, %d ends: %llu system calls, and %llu close, %llu memory",
	       host->on_ring ? "ring" : "epoll", BURST,
	       (unsigned long long)cost->calls,
	       (unsigned long long)cost->closes,
	       (unsigned long long)cost->memory);
	if (free_at_once)
		EXPECT_LE(cost->closes, BURST);
	else
		EXPECT_EQ(cost->calls + cost->closes, host->counted);
	if (host->on_ring && works(PIDTRACK_FEATURE_RING_WAITID))
		EXPECT_LE(cost->calls, BURST / 10);
	costs_free(costs);
	munmap(host, sizeof(*host));
}

TEST(a_thousand_ends_cost_the_ring_a_tenth_of_a_call_each)
{
	check_cost(_metadata, false);
}

TEST(so_they_do_when_each_process_is_freed_with_its_last_event)
{
	check_cost(_metadata, true);
}

/* ---- without the tracer ---- */

TEST(a_thousand_ends_while_the_host_is_busy_are_all_told_truly)
{
	static struct burst burst;
	struct pidtrack *tracker;
	int i;

	if (!fds_allow(BURST + 100))
		SKIP(return, "RLIMIT_NOFILE is too low");
	tracker = tracker_start(_metadata, 0);
	for (i = 0; i < 3; i++) {
		memset(&burst, 0, sizeof(burst));
		burst_start(_metadata, &burst, tracker);
		burst_collect(_metadata, &burst, tracker, i % 2);
		burst_end(_metadata, &burst, tracker, i % 2);
	}
	pidtrack_free(tracker);
}

/* ---- a host that is away ---- */

/*
 * How many outcomes the kernel keeps that the queue of @ring has no room for;
 * -1: it does not say.
 */
static int overflow_of(int ring)
{
	char path[64], line[256];
	FILE *file;
	int n = -1;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", ring);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, "CqOverflowList:", 15))
			n = 0;
		else if (n >= 0 && strstr(line, "user_data="))
			n++;
	}
	if (file)
		fclose(file);
	return n;
}

static int ring_overflow(void)
{
	int ring = ring_find();

	return ring < 0 ? -1 : overflow_of(ring);
}

/* Whether the kernel does say it, of a ring that is not ours. */
static bool overflow_is_told(void)
{
	struct io_uring_params params = { .flags = 0 };
	int ring = (int)syscall(SYS_io_uring_setup, 1, &params);
	bool told;

	if (ring < 0)
		return false;
	told = overflow_of(ring) == 0;
	close(ring);
	return told;
}

/* A tenth of a MiB each, with what the kernel has of it. */
static bool memory_allows(int n)
{
	struct sysinfo memory;

	return !sysinfo(&memory) &&
	       (uint64_t)memory.freeram * memory.mem_unit / 400000 >
		       (uint64_t)n;
}

FIXTURE(many)
{
	struct pidtrack *tracker;
};

FIXTURE_SETUP(many)
{
	if (!fds_allow(5000 + 100))
		SKIP(return, "RLIMIT_NOFILE is too low");
	self->tracker = tracker_start(_metadata, 0);
}

FIXTURE_TEARDOWN(many)
{
	self->tracker = pidtrack_free(self->tracker);
}

/*
 * Half of them end while the host launches others: then the kernel tells, and
 * more than the queue of a ring has room for.  The others end while it calls
 * nothing, for as many seconds as PIDTRACK_TEST_AWAY says.
 */
TEST_F_TIMEOUT(many, ends_before_the_first_look_are_all_told_truly, 240)
{
	enum { N = 5000, GATES = 10 };
	int away = harness_number_of("PIDTRACK_TEST_AWAY", 0);
	static struct pidtrack_process *processes[N];
	static bool told[N];
	const struct pidtrack_event *event;
	struct pidtrack *tracker = self->tracker;
	struct gate gates[GATES];
	int i, first, overflow;

	first = memory_allows(N / 2) ? N / 2 : N;
	for (i = 0; i < GATES; i++)
		gates[i] = gate_make(_metadata);
	for (i = 0; i < N; i++) {
		char code[16];

		snprintf(code, sizeof(code), "%d", i % 251);
		processes[i] =
			i < first ?
				shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
					   SHIM("exit", code)) :
				shim_start_at(_metadata, tracker,
					      &gates[i % GATES], i % 251);
		pidtrack_process_set_userdata(processes[i],
					      (void *)(intptr_t)i);
	}
	for (i = 0; i < GATES; i++) {
		gate_open(&gates[i]);
		poll(NULL, 0, away * 1000 / GATES);
	}
	for (i = 0; i < N; i++)
		process_await_exit(processes[i]);
	overflow = ring_overflow();
	TH_LOG("%s, away for %d s: %d ends, %d beyond the queue of the ring",
	       pidtrack_backend(tracker), away, N, overflow);
	if (tracker_is_on_ring(tracker) && overflow_is_told())
		EXPECT_GT(overflow, 0);
	for (i = 0; i < N; i++) {
		intptr_t j;

		ASSERT_EQ(1, pidtrack_next(tracker, &event));
		j = (intptr_t)pidtrack_process_userdata(event->process);
		ASSERT_FALSE(told[j]);
		told[j] = true;
		ASSERT_EVENT(event, processes[j], PIDTRACK_EXITED,
			     PIDTRACK_EVENT_LAST, PIDTRACK_SOURCE_WAITED,
			     (int)(j % 251) << 8);
	}
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(child_is_any());
	EXPECT_LE(ring_overflow(), 0);
}

/*
 * As it is another's to reap, nothing is asked of the kernel when an end is
 * told, which would have it tell the rest: that there is any is only its word,
 * IORING_SQ_CQ_OVERFLOW.
 */
TEST_F_TIMEOUT(many, ends_that_nobody_is_to_reap_are_all_told, 120)
{
	enum { N = 1500 };
	struct pidtrack *tracker = self->tracker;
	static bool told[N];
	struct child child;
	int overflow;

	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, child_exit(&child, 7));
	ASSERT_EQ(0, child_await_exit(&child));
	for (int i = 0; i < N; i++) {
		struct pidtrack_process *process;

		ASSERT_EQ(0,
			  pidtrack_attach(tracker, child.pid, 0,
					  PIDTRACK_ATTACH_OBSERVE, &process));
		pidtrack_process_set_userdata(process, (void *)(intptr_t)i);
	}
	overflow = ring_overflow();
	TH_LOG("%s: %d ends, %d beyond the queue of the ring",
	       pidtrack_backend(tracker), N, overflow);
	if (tracker_is_on_ring(tracker) && overflow_is_told())
		EXPECT_GT(overflow, 0);
	for (int n = 0; n < N; n++) {
		const struct pidtrack_event *event;
		intptr_t i;

		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		ASSERT_EQ(PIDTRACK_EXITED, event->kind);
		EXPECT_EQ(7 << 8, event->status);
		i = (intptr_t)pidtrack_process_userdata(event->process);
		ASSERT_FALSE(told[i]);
		told[i] = true;
	}
	ASSERT_EQ(7 << 8, child_reap(&child));
	child_close(&child);
}

/* What the kernel and the library share; of every ring in the same place. */
static struct ring_shared {
	uint32_t *head, *tail, *overflow;
	uint32_t *flags; /* of submission */
	uint32_t *mask;
	struct io_uring_cqe *cqes; /* the first 200 of them */
	void *memory;
} ring_share(struct __test_metadata *_metadata)
{
	struct io_uring_params params = { .flags = 0 };
	struct ring_shared shared;
	int other, ring = ring_find();
	char *memory;

	ASSERT_GE(ring, 0);
	other = (int)syscall(SYS_io_uring_setup, 1, &params);
	ASSERT_GE(other, 0);
	close(other);
	memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring,
		      IORING_OFF_CQ_RING);
	ASSERT_NE(MAP_FAILED, (void *)memory);
	shared.memory = memory;
	shared.head = (uint32_t *)(memory + params.cq_off.head);
	shared.tail = (uint32_t *)(memory + params.cq_off.tail);
	shared.overflow = (uint32_t *)(memory + params.cq_off.overflow);
	shared.flags = (uint32_t *)(memory + params.sq_off.flags);
	shared.mask = (uint32_t *)(memory + params.cq_off.ring_mask);
	shared.cqes = (struct io_uring_cqe *)(memory + params.cq_off.cqes);
	return shared;
}

/* Without memory for what the queue has no room for, the kernel drops it. */
/* Each ends at once, with its number. */
static void launch_numbered(struct __test_metadata *_metadata,
			    struct pidtrack *tracker, int n)
{
	for (int i = 0; i < n; i++) {
		char code[16];

		snprintf(code, sizeof(code), "%d", i);
		pidtrack_process_set_userdata(shim_start(_metadata, tracker,
							 PIDTRACK_FD_NULL,
							 SHIM("exit", code)),
					      (void *)(intptr_t)i);
	}
}

static void hear_numbered(struct __test_metadata *_metadata,
			  struct pidtrack *tracker, int n)
{
	const struct pidtrack_event *event;
	bool told[256] = { false };

	for (int left = n; left > 0; left--) {
		int i;

		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		i = (int)(intptr_t)pidtrack_process_userdata(event->process);
		ASSERT_FALSE(told[i]);
		told[i] = true;
		ASSERT_EVENT(event, event->process, PIDTRACK_EXITED,
			     PIDTRACK_EVENT_LAST, PIDTRACK_SOURCE_WAITED,
			     i << 8);
	}
}

TEST_WANTS(what_the_kernel_dropped_is_told_all_the_same, proc)
{
	enum { N = 200 };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct ring_shared shared;
	uint32_t lost;

	if (!tracker_is_on_ring(tracker)) {
		pidtrack_free(tracker);
		SKIP(return, "epoll has no queue");
	}
	launch_numbered(_metadata, tracker, N);
	shared = ring_share(_metadata);
	lost = *shared.tail - *shared.head;
	*shared.head = *shared.tail;
	*shared.overflow += lost;
	munmap(shared.memory, 4096);
	TH_LOG("%u of %d dropped", lost, N);
	EXPECT_GT(lost, 0);

	hear_numbered(_metadata, tracker, N);
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(child_is_any());
	EXPECT_GT(tracker_statistics(tracker).rearmed, 0);
	pidtrack_free(tracker);
}

/* As if somebody had cancelled whatever the kernel has told of. */
static uint32_t ring_cancel(struct __test_metadata *_metadata)
{
	struct ring_shared shared = ring_share(_metadata);
	uint32_t n = *shared.tail - *shared.head;

	ASSERT_LE(*shared.tail, 200);
	for (uint32_t i = *shared.head; i != *shared.tail; i++)
		shared.cqes[i & *shared.mask].res = -ECANCELED;
	munmap(shared.memory, 4096);
	return n;
}

static void check_cancelled(struct __test_metadata *_metadata, uint32_t flags)
{
	enum { N = 60 };
	struct pidtrack *tracker = tracker_start(_metadata, flags);
	uint32_t cancelled;

	if (!tracker_is_on_ring(tracker)) {
		pidtrack_free(tracker);
		SKIP(return, "epoll has no queue");
	}
	launch_numbered(_metadata, tracker, N);
	cancelled = ring_cancel(_metadata);
	TH_LOG("%u of %d cancelled", cancelled, N);
	EXPECT_GT(cancelled, 0);

	hear_numbered(_metadata, tracker, N);
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(child_is_any());
	EXPECT_EQ(cancelled, tracker_statistics(tracker).rearmed);
	EXPECT_EQ(0, tracker_statistics(tracker).unwatched);
	/* once more, perhaps: the ring's signal may be late */
	if (tracker_is_readable(tracker))
		ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(tracker_is_readable(tracker));
	pidtrack_free(tracker);
}

TEST_WANTS(what_was_cancelled_is_told_all_the_same, proc)
{
	check_cancelled(_metadata, 0);
}

TEST_WANTS(nor_is_the_end_of_one_that_is_parked_lost_for_that, proc)
{
	check_cancelled(_metadata, PIDTRACK_PARK);
}

/* How many children were ours to reap. */
static int children_reap(void)
{
	int n = 0;

	while (waitpid(-1, NULL, 0) > 0)
		n++;
	return n;
}

/*
 * The kernel says that there is work to do only when that is in the list: it
 * may have been done by then.
 */
TEST_WANTS(what_the_ring_says_too_late_holds_nobody_up, proc)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	struct ring_shared shared;

	if (!tracker_is_on_ring(tracker)) {
		pidtrack_free(tracker);
		gate_open(&gate);
		SKIP(return, "epoll has no flags");
	}
	process = shim_start_at(_metadata, tracker, &gate, 7);
	shared = ring_share(_metadata);
	__atomic_or_fetch(shared.flags, IORING_SQ_TASKRUN, __ATOMIC_SEQ_CST);
	ASSERT_NO_EVENT(tracker);
	ASSERT_NO_EVENT(tracker);
	EXPECT_EQ(0, *shared.flags);
	gate_open(&gate);
	process_await_exit(process);
	ASSERT_EXITED(tracker, process, 7 << 8);

	process = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
			     SHIM("exit", "0"));
	process_await_exit(process);
	__atomic_or_fetch(shared.flags, IORING_SQ_TASKRUN, __ATOMIC_SEQ_CST);
	munmap(shared.memory, 4096);
	pidtrack_free(tracker);
	EXPECT_EQ(1, children_reap());
}

/* The kernel signals last: after somebody has found the work, and done it. */
TEST(what_the_ring_signals_too_late_wakes_the_host_once)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	uint64_t count = 1;

	if (!tracker_is_on_ring(tracker)) {
		pidtrack_free(tracker);
		SKIP(return, "epoll has no signals");
	}
	process = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
			     SHIM("exit", "7"));
	ASSERT_EXITED(tracker, process, 7 << 8);
	ASSERT_NO_EVENT(tracker);
	ASSERT_EQ(sizeof(count),
		  write(pidtrack_fd(tracker), &count, sizeof(count)));
	EXPECT_TRUE(tracker_is_readable(tracker));
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(tracker_is_readable(tracker));
	pidtrack_free(tracker);
}

/* Nor does what was told to nobody, and is more than the queue has room for. */
TEST(a_tracker_with_many_ends_untold_can_be_freed)
{
	enum { N = 1500 };
	struct pidtrack *tracker;

	if (!fds_allow(N + 100))
		SKIP(return, "RLIMIT_NOFILE is too low");
	tracker = tracker_start(_metadata, 0);
	for (int i = 0; i < N; i++)
		shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
			   SHIM("exit", "0"));
	TH_LOG("%d beyond the queue of the ring", ring_overflow());
	pidtrack_free(tracker);
	EXPECT_EQ(N, children_reap());
}

/* As a host does that polls, and takes one event each time. */
TEST(a_host_that_takes_one_event_a_turn_gets_them_all)
{
	enum { N = 500 };
	struct pidtrack *tracker;
	const struct pidtrack_event *event;
	struct gate gate;
	int i, n = 0;

	if (!fds_allow(N + 100))
		SKIP(return, "RLIMIT_NOFILE is too low");
	gate = gate_make(_metadata);
	tracker = tracker_start(_metadata, 0);
	for (i = 0; i < N; i++)
		shim_start_at(_metadata, tracker, &gate, 7);
	gate_open(&gate);
	while (n < N) {
		ASSERT_TRUE(tracker_await(tracker));
		if (pidtrack_next(tracker, &event) == 0)
			continue;
		ASSERT_EVENT(event, event->process, PIDTRACK_EXITED,
			     PIDTRACK_EVENT_LAST, PIDTRACK_SOURCE_WAITED,
			     7 << 8);
		pidtrack_process_free(event->process);
		n++;
	}
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(child_is_any());
	pidtrack_free(tracker);
}

TEST_HARNESS_MAIN
