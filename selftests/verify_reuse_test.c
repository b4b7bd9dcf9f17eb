/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Numbers in other hands: by choice, by thousands in a pid namespace of a few
 * hundred, and within one tick of the clock.  Nobody is taken for the one that
 * was recorded, and nobody is attached for it.
 *
 * Without pidfs a start time is all there is, and its tick is 10 ms: that hole
 * is measured here too, and that the evidence says how it was judged.
 */
#include <pthread.h>

#include "seccomp.h"
#include "verified.h"

#define STORM_MS 20000 /* at most, each */

/* A child that pauses, with that number if it is not 0.  Linux 5.5. */
static pid_t start_as(pid_t number)
{
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal,
			stack, stack_size, tls, set_tid, set_tid_size;
	} args = {
		.exit_signal = SIGCHLD,
		.set_tid = (uint64_t)(uintptr_t)&number,
		.set_tid_size = number > 0,
	};
	pid_t pid;

	if (number == 0)
		args.set_tid = 0;
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (!pid)
		for (;;)
			syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
	return pid < 0 ? -errno : pid;
}

/* One that had a number, and what is recorded of it. */
struct former {
	struct pidtrack_record *record;	 /* NULL: nobody had it */
	struct pidtrack_record *boxlite; /* pid and start time */
	struct pidtrack_record *number;	 /* that alone */
	unsigned long long start;
};

static struct former former_of(struct __test_metadata *_metadata,
			       struct pidtrack_process *process)
{
	pid_t pid = pidtrack_process_pid(process);

	return (struct former){
		.record = record_of(_metadata, process),
		.boxlite = boxlite_record_of(_metadata, pid),
		.number = record_of_text(_metadata, "%d\n", pid),
		.start = start_of(pid),
	};
}

static void former_free(struct former *former)
{
	pidtrack_record_free(former->record);
	pidtrack_record_free(former->boxlite);
	pidtrack_record_free(former->number);
}

struct storm {
	bool pidfs;
	struct pidtrack *tracker;
	int numbers;	/* that came again */
	int same_ticks; /* of these, within one tick */
	int taken;	/* of these, for the former */
};

/* The number of @former is @start's now. */
static void check_reused(struct __test_metadata *_metadata, struct storm *storm,
			 const struct former *former, unsigned long long start)
{
	struct pidtrack *tracker = storm->tracker;
	bool same_tick = former->start == start;
	struct pidtrack_comparison it;

	storm->numbers++;
	storm->same_ticks += same_tick;

	it = verify(_metadata, tracker, former->record);
	if (storm->pidfs) {
		ASSERT_EQ(PIDTRACK_VERDICT_REUSED, it.verdict);
		EXPECT_TRUE(it.evidence & INODE);
		expect_refused(_metadata, tracker, former->record, -ESTALE);
	} else {
		EXPECT_EQ(BOOT | PID | START, it.evidence);
		if (same_tick && it.verdict == PIDTRACK_VERDICT_SAME) {
			storm->taken++;
		} else {
			ASSERT_EQ(PIDTRACK_VERDICT_REUSED, it.verdict);
			expect_refused(_metadata, tracker, former->record,
				       -ESTALE);
		}
	}

	it = verify(_metadata, tracker, former->boxlite);
	EXPECT_EQ(PID | START, it.evidence);
	if (!same_tick) {
		ASSERT_EQ(PIDTRACK_VERDICT_REUSED, it.verdict);
		expect_refused(_metadata, tracker, former->boxlite, -ESTALE);
	}
	it = verify(_metadata, tracker, former->number);
	ASSERT_EQ(PIDTRACK_VERDICT_UNPROVEN, it.verdict);
	EXPECT_EQ(PID, it.evidence);
}

/* The one that has the number now is itself, and then gone. */
static void end_it(struct __test_metadata *_metadata, struct storm *storm,
		   struct pidtrack_process *process,
		   const struct former *former)
{
	struct pidtrack *tracker = storm->tracker;

	EXPECT_VERDICT(PIDTRACK_VERDICT_SAME, tracker, former->record);
	ASSERT_EQ(0, pidtrack_process_signal(process, SIGKILL));
	ASSERT_EXITED(tracker, process, SIGKILL);
	EXPECT_VERDICT(PIDTRACK_VERDICT_EXITED, tracker, former->record);
	pidtrack_process_free(process);
	ASSERT_NO_EVENT(tracker);
	EXPECT_PROOF(PIDTRACK_VERDICT_GONE, BOOT | PID, tracker,
		     former->record);
}

static void start_storm(struct __test_metadata *_metadata, struct storm *storm)
{
	if (!storm->pidfs)
		ASSERT_EQ(0, seccomp_refuse(SECCOMP_FSTATFS, ENOSYS));
	storm->tracker = tracker_start(_metadata, 0);
}

static void end_storm(struct __test_metadata *_metadata, struct storm *storm)
{
	TH_LOG("%d numbers came again, %d within a tick, %d taken for the former",
	       storm->numbers, storm->same_ticks, storm->taken);
	if (storm->pidfs)
		EXPECT_EQ(0, storm->taken);
	EXPECT_EQ(0, tracker_statistics(storm->tracker).tracked);
	pidtrack_free(storm->tracker);
}

/* ---- a few hundred numbers ---- */

#define NUMBERS 400
#define ROUNDS 10500

static void recycle(struct __test_metadata *_metadata, void *arg)
{
	static struct former formers[NUMBERS + 1];
	struct storm *storm = arg;
	int64_t until = now_ms() + STORM_MS;
	int i, fds;

	have_numbers_below(_metadata, "400");
	start_storm(_metadata, storm);
	fds = fds_count();
	for (i = 0; i < ROUNDS && now_ms() < until; i++) {
		pid_t pid = start_as(0);
		struct pidtrack_process *process;
		struct former *former = &formers[pid > 0 ? pid : 0];

		if (pid == -ENOSYS)
			SKIP(_exit(0), "no clone3: no pid can be chosen");
		ASSERT_GT(pid, 0);
		ASSERT_LE(pid, NUMBERS);
		if (former->record) {
			check_reused(_metadata, storm, former, start_of(pid));
			former_free(former);
		}
		ASSERT_EQ(0,
			  pidtrack_attach(storm->tracker, pid, 0, 0, &process));
		*former = former_of(_metadata, process);
		end_it(_metadata, storm, process, former);
		if (_metadata->failed)
			break;
	}
	EXPECT_EQ(fds, fds_count());
	EXPECT_GT(storm->numbers, 100);
	for (i = 0; i <= NUMBERS; i++)
		former_free(&formers[i]);
	end_storm(_metadata, storm);
}

TEST_WANTS(in_a_namespace_of_400_numbers_nobody_is_taken_for_another, numbers)
{
	struct storm storm = { .pidfs = true };

	if (!works(PIDTRACK_FEATURE_PIDFS) || !pid_max_is_of_namespaces())
		SKIP(return, "no pid_max of a namespace, Linux < 6.14");
	in_pid_namespace(_metadata, recycle, &storm);
}

TEST_WANTS(there_a_start_time_tells_all_but_those_of_one_tick, numbers)
{
	struct storm storm = { .pidfs = false };

	if (!pid_max_is_of_namespaces())
		SKIP(return, "no pid_max of a namespace, Linux < 6.14");
	in_pid_namespace(_metadata, recycle, &storm);
}

/* ---- the same number at once ---- */

#define TIMES 2000

static void hand_on(struct __test_metadata *_metadata, void *arg)
{
	struct storm *storm = arg;
	int64_t until = now_ms() + STORM_MS;
	struct former former = { .record = NULL };
	int i;

	start_storm(_metadata, storm);
	for (i = 0; i < TIMES && now_ms() < until; i++) {
		struct pidtrack_process *process;
		pid_t pid = start_as(301);

		if (pid < 0 && !i) {
			pidtrack_free(storm->tracker);
			SKIP(return, "no pid can be chosen: %s",
				   strerror(-pid));
		}
		ASSERT_EQ(301, pid);
		if (former.record)
			check_reused(_metadata, storm, &former, start_of(pid));
		former_free(&former);
		ASSERT_EQ(0,
			  pidtrack_attach(storm->tracker, pid, 0, 0, &process));
		former = former_of(_metadata, process);
		end_it(_metadata, storm, process, &former);
		if (_metadata->failed)
			break;
	}
	former_free(&former);
	end_storm(_metadata, storm);
}

TEST_WANTS(the_same_number_at_once_is_anothers, numbers)
{
	struct storm storm = { .pidfs = true };

	if (!works(PIDTRACK_FEATURE_PIDFS))
		SKIP(return, "no pidfs, Linux < 6.9");
	in_pid_namespace(_metadata, hand_on, &storm);
}

TEST_WANTS(and_by_start_time_if_it_is_another_tick, numbers)
{
	struct storm storm = { .pidfs = false };

	in_pid_namespace(_metadata, hand_on, &storm);
}

/* ---- native records of shims ---- */

static void replace_shims(struct __test_metadata *_metadata, void *arg)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	const char *path = path_make(_metadata);
	int i;

	(void)arg;
	for (i = 0; i < 50; i++) {
		struct gate gate = gate_make(_metadata);
		struct pidtrack_process *process;
		struct records records;
		pid_t number, pid;

		process = shim_start_recorded(_metadata, tracker, &gate, path);
		number = pidtrack_process_pid(process);
		records = records_of(_metadata, process, path);
		ASSERT_EQ(0, pidtrack_process_signal(process, SIGKILL));
		ASSERT_EXITED(tracker, process, SIGKILL);
		ASSERT_NO_EVENT(tracker);
		EXPECT_VERDICT(PIDTRACK_VERDICT_GONE, tracker, records.native);
		pid = start_as(number);
		if (pid < 0 && !i)
			SKIP(_exit(0), "no pid can be chosen: %s",
			     strerror(-pid));
		ASSERT_EQ(number, pid);
		EXPECT_PROOF(PIDTRACK_VERDICT_REUSED, BOOT | INODE, tracker,
			     records.native);
		expect_refused(_metadata, tracker, records.native, -ESTALE);
		expect_weak_unproven(_metadata, tracker, &records);
		/* by its program it is another's; what has a mere number asks
		 * for it */
		expect_refused(_metadata, tracker, records.brood_box, -ENODATA);
		expect_legacy(_metadata, tracker, records.number);

		/* a zombie is no less another's */
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(0, waitid(P_PID, pid, &(siginfo_t){ 0 },
				    WEXITED | WNOWAIT));
		EXPECT_VERDICT(PIDTRACK_VERDICT_REUSED, tracker,
			       records.native);
		expect_refused(_metadata, tracker, records.native, -ESTALE);
		ASSERT_EQ(pid, waitpid(pid, NULL, 0));
		EXPECT_VERDICT(PIDTRACK_VERDICT_GONE, tracker, records.native);
		records_free(&records);
		gate_open(&gate);
	}
	unlink(path);
	pidtrack_free(tracker);
}

TEST(a_shims_number_in_other_hands_is_no_shims)
{
	if (!works(PIDTRACK_FEATURE_PIDFS))
		SKIP(return, "no pidfs, Linux < 6.9");
	in_pid_namespace(_metadata, replace_shims, NULL);
}

/* ---- threads ---- */

struct thread {
	pthread_t thread;
	pid_t id;
	int told[2]; /* it tells its number */
	int end[2];  /* and ends when this does */
};

static void *tell_and_wait(void *arg)
{
	struct thread *thread = arg;
	pid_t id = thread_id();
	char byte;

	if (write(thread->told[1], &id, sizeof(id)) != sizeof(id))
		abort();
	if (read(thread->end[0], &byte, 1) < 0)
		abort();
	return NULL;
}

static void thread_start(struct __test_metadata *_metadata,
			 struct thread *thread)
{
	ASSERT_EQ(0, pipe2(thread->told, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(thread->end, O_CLOEXEC));
	ASSERT_EQ(0,
		  pthread_create(&thread->thread, NULL, tell_and_wait, thread));
	ASSERT_EQ((ssize_t)sizeof(thread->id),
		  read(thread->told[0], &thread->id, sizeof(thread->id)));
}

static void thread_end(struct thread *thread)
{
	close(thread->end[1]);
	pthread_join(thread->thread, NULL);
	close(thread->end[0]);
	close(thread->told[0]);
	close(thread->told[1]);
}

/* kill(2) takes it, /proc shows it: it is no process. */
TEST_WANTS(a_threads_number_is_no_process, numbers)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_record *records[3];
	struct thread thread;
	size_t i;

	thread_start(_metadata, &thread);
	ASSERT_NE(getpid(), thread.id);
	EXPECT_EQ(0, kill(thread.id, 0));
	records[0] = boxlite_record_of(_metadata, thread.id);
	records[1] = record_of_text(_metadata, "%d\n", thread.id);
	records[2] = record_of_text(_metadata, "%d\n/bin/x", thread.id);
	for (i = 0; i < 3; i++) {
		EXPECT_PROOF(PIDTRACK_VERDICT_REUSED, PID, tracker, records[i]);
		expect_refused(_metadata, tracker, records[i], -ESTALE);
		pidtrack_record_free(records[i]);
	}
	thread_end(&thread);
	pidtrack_free(tracker);
}

static void verify_old_thread(struct __test_metadata *_metadata, void *arg)
{
	struct thread *thread = arg;
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_record *record, *own;

	record = boxlite_record_of(_metadata, thread->id);
	own = boxlite_record_of(_metadata, getppid());
	ASSERT_EQ(0, seccomp_refuse(SYS_pidfd_open, EINVAL));
	EXPECT_VERDICT(PIDTRACK_VERDICT_REUSED, tracker, record);
	expect_refused(_metadata, tracker, record, -ESTALE);
	/* which the same answer does not say of a process */
	EXPECT_VERDICT(PIDTRACK_VERDICT_UNPROVEN, tracker, own);
	expect_refused(_metadata, tracker, own, -ENODATA);
	pidtrack_record_free(record);
	pidtrack_record_free(own);
	pidtrack_free(tracker);
}

/* Older kernels said EINVAL where newer ones say ENOENT. */
TEST_WANTS(nor_is_it_where_the_kernel_says_only_that_it_is_invalid, numbers)
{
	struct thread thread;

	thread_start(_metadata, &thread);
	apart(_metadata, verify_old_thread, &thread);
	thread_end(&thread);
}

/* A shim's number becomes that of a thread. */
static void give_to_thread(struct __test_metadata *_metadata, void *arg)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	struct thread thread = { .id = 0 };
	struct former former;
	pid_t pid;
	int i;

	(void)arg;
	have_numbers_below(_metadata, "400");
	pid = start_as(0);
	if (pid == -ENOSYS)
		SKIP(_exit(0), "no clone3: no pid can be chosen");
	ASSERT_GT(pid, 0);
	ASSERT_EQ(0, pidtrack_attach(tracker, pid, 0, 0, &process));
	former = former_of(_metadata, process);
	ASSERT_EQ(0, pidtrack_process_signal(process, SIGKILL));
	ASSERT_EXITED(tracker, process, SIGKILL);
	ASSERT_NO_EVENT(tracker);
	/* below 300 no number comes again: go round once */
	for (i = 0; i < 10 * NUMBERS && thread.id != pid; i++) {
		if (thread.id)
			thread_end(&thread);
		thread_start(_metadata, &thread);
		if (thread.id < 300 || pid >= 300)
			continue;
		/* the former needs a number that does */
		former_free(&former);
		pid = start_as(0);
		ASSERT_GE(pid, 300);
		ASSERT_EQ(0, pidtrack_attach(tracker, pid, 0, 0, &process));
		former = former_of(_metadata, process);
		ASSERT_EQ(0, pidtrack_process_signal(process, SIGKILL));
		ASSERT_EXITED(tracker, process, SIGKILL);
		ASSERT_NO_EVENT(tracker);
	}
	ASSERT_EQ(pid, thread.id);
	EXPECT_PROOF(PIDTRACK_VERDICT_REUSED, BOOT | PID, tracker,
		     former.record);
	EXPECT_VERDICT(PIDTRACK_VERDICT_REUSED, tracker, former.boxlite);
	EXPECT_VERDICT(PIDTRACK_VERDICT_REUSED, tracker, former.number);
	expect_refused(_metadata, tracker, former.record, -ESTALE);
	expect_refused(_metadata, tracker, former.number, -ESTALE);
	thread_end(&thread);
	former_free(&former);
	pidtrack_free(tracker);
}

TEST_WANTS(a_shims_number_that_a_thread_got_is_reused, numbers)
{
	if (!pid_max_is_of_namespaces())
		SKIP(return, "no pid_max of a namespace, Linux < 6.14");
	in_pid_namespace(_metadata, give_to_thread, NULL);
}

TEST_HARNESS_MAIN
