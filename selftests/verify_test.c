/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * From a record to the very process or to the reason why not: each verdict,
 * each way not to be able to tell, and that no stranger is ever taken for the
 * one that was recorded.
 */
#include <limits.h>
#include <pthread.h>
#include <sys/stat.h>

#include "seccomp.h"
#include "verified.h"

TEST_WANTS(a_shim_is_the_same_then_exited_then_gone, program)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	const char *path = path_make(_metadata);
	struct pidtrack_process *process;
	struct records records;

	process = shim_start_recorded(_metadata, tracker, &gate, path);
	records = records_of(_metadata, process, path);
	EXPECT_PROOF(PIDTRACK_VERDICT_SAME, evidence_expected(), tracker,
		     records.native);
	EXPECT_PROOF(PIDTRACK_VERDICT_SAME, evidence_expected(), tracker,
		     records.fingerprint);
	EXPECT_PROOF(PIDTRACK_VERDICT_SAME, PID | START, tracker,
		     records.boxlite);
	EXPECT_PROOF(PIDTRACK_VERDICT_UNPROVEN, PID | EXE, tracker,
		     records.brood_box);
	EXPECT_PROOF(PIDTRACK_VERDICT_UNPROVEN, PID, tracker, records.number);
	expect_weak_unproven(_metadata, tracker, &records);
	expect_legacy(_metadata, tracker, records.brood_box);
	expect_legacy(_metadata, tracker, records.number);
	expect_legacy(_metadata, tracker, records.capability);
	expect_refused(_metadata, tracker, records.other_exe, -ENODATA);

	ASSERT_EQ(0, pidtrack_process_signal(process, SIGSTOP));
	EXPECT_VERDICT(PIDTRACK_VERDICT_SAME, tracker, records.native);
	EXPECT_VERDICT(PIDTRACK_VERDICT_SAME, tracker, records.boxlite);
	ASSERT_EQ(0, pidtrack_process_signal(process, SIGCONT));

	gate_open(&gate);
	process_await_exit(process);
	EXPECT_PROOF(PIDTRACK_VERDICT_EXITED, evidence_expected(), tracker,
		     records.native);
	EXPECT_PROOF(PIDTRACK_VERDICT_EXITED, evidence_expected(), tracker,
		     records.fingerprint);
	EXPECT_PROOF(PIDTRACK_VERDICT_EXITED, PID | START, tracker,
		     records.boxlite);
	expect_weak_unproven(_metadata, tracker, &records);

	ASSERT_EXITED(tracker, process, 7 << 8);
	EXPECT_VERDICT(PIDTRACK_VERDICT_EXITED, tracker, records.native);
	ASSERT_NO_EVENT(tracker);
	expect_all(_metadata, tracker, &records, PIDTRACK_VERDICT_GONE);
	EXPECT_PROOF(PIDTRACK_VERDICT_GONE, BOOT | PID, tracker,
		     records.native);
	expect_refused(_metadata, tracker, records.native, -ESRCH);
	expect_refused(_metadata, tracker, records.boxlite, -ESRCH);
	expect_refused(_metadata, tracker, records.number, -ESRCH);
	records_free(&records);
	unlink(path);
	pidtrack_free(tracker);
}

/* By one that did not launch it, knows no more than the record, and has no
 * right to wait for it. */
TEST_WANTS(anybody_comes_to_the_same_verdict, boot_id)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	struct pidtrack_record *record, *boxlite;
	struct foreign foreign;

	ASSERT_EQ(0, foreign_start(&foreign));
	ASSERT_EQ(0,
		  pidtrack_attach(tracker, foreign.child.pid, 0, 0, &process));
	record = record_of(_metadata, process);
	pidtrack_process_free(process);
	boxlite = boxlite_record_of(_metadata, foreign.child.pid);
	EXPECT_VERDICT(PIDTRACK_VERDICT_SAME, tracker, record);
	EXPECT_VERDICT(PIDTRACK_VERDICT_SAME, tracker, boxlite);
	ASSERT_EQ(0, child_exit(&foreign.child, 0));
	ASSERT_EQ(0, child_await_exit(&foreign.child));
	EXPECT_VERDICT(PIDTRACK_VERDICT_EXITED, tracker, record);
	EXPECT_VERDICT(PIDTRACK_VERDICT_EXITED, tracker, boxlite);
	ASSERT_EQ(0, foreign_reap(&foreign));
	EXPECT_VERDICT(PIDTRACK_VERDICT_GONE, tracker, record);
	EXPECT_VERDICT(PIDTRACK_VERDICT_GONE, tracker, boxlite);
	foreign_end(&foreign);
	pidtrack_record_free(record);
	pidtrack_record_free(boxlite);
	pidtrack_free(tracker);
}

/* boxlite: "identity true for the shim, false for the caller itself", and
 * stop must not kill one whose start time is off by one. */
TEST_WANTS(a_start_time_off_by_one_is_anothers, numbers)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_record *record;
	unsigned long long start;
	struct child child;
	int by;

	ASSERT_EQ(0, child_start(&child));
	start = start_of(child.pid);
	for (by = -1; by <= 1; by += 2) {
		record = record_of_text(_metadata, "%d\n%llu\n", child.pid,
					start + by);
		EXPECT_PROOF(PIDTRACK_VERDICT_REUSED, PID | START, tracker,
			     record);
		expect_refused(_metadata, tracker, record, -ESTALE);
		pidtrack_record_free(record);
	}
	record = record_of_text(_metadata, "%d\n%llu\n", getpid(), start - 1);
	if (start_of(getpid()) != start - 1)
		EXPECT_VERDICT(PIDTRACK_VERDICT_REUSED, tracker, record);
	pidtrack_record_free(record);
	child_end(&child);
	pidtrack_free(tracker);
}

/* Of "4711\n8271123\n", written in place, there may be "4711\n827". */
TEST_WANTS(half_a_start_time_proves_nothing, numbers)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_record *record;
	unsigned long long start;
	struct child child;

	ASSERT_EQ(0, child_start(&child));
	for (start = start_of(child.pid) / 10; start; start /= 10) {
		record =
			record_of_text(_metadata, "%d\n%llu", child.pid, start);
		EXPECT_VERDICT(PIDTRACK_VERDICT_UNPROVEN, tracker, record);
		expect_refused(_metadata, tracker, record, -ENODATA);
		pidtrack_record_free(record);
	}
	record = record_of_text(_metadata, "%d\n%llu", child.pid,
				start_of(child.pid));
	EXPECT_VERDICT(PIDTRACK_VERDICT_SAME, tracker, record);
	pidtrack_record_free(record);
	child_end(&child);
	pidtrack_free(tracker);
}

/* After an update its program has no name, and is still what it was. */
TEST_WANTS(a_program_that_was_deleted_still_has_its_path, program)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	const char *path = path_make(_metadata);
	const char *argv[] = { path, "wait", NULL };
	struct pidtrack_process *process;
	struct pidtrack_record *record;
	char command[2 * PATH_MAX];

	snprintf(command, sizeof(command), "cp '%s' '%s'", shim_path(), path);
	ASSERT_EQ(0, system(command));
	process = shim_start(_metadata, tracker, gate.shim, argv);
	EXPECT_STREQ(path,
		     exe_of_shim(_metadata, pidtrack_process_pid(process)));
	record = record_of_text(_metadata, "%d\n%s",
				pidtrack_process_pid(process), path);
	EXPECT_PROOF(PIDTRACK_VERDICT_UNPROVEN, PID | EXE, tracker, record);
	expect_legacy(_metadata, tracker, record);
	ASSERT_EQ(0, unlink(path));
	EXPECT_PROOF(PIDTRACK_VERDICT_UNPROVEN, PID | EXE, tracker, record);
	expect_legacy(_metadata, tracker, record);
	pidtrack_record_free(record);
	record = record_of_text(_metadata, "%d\n%sx",
				pidtrack_process_pid(process), path);
	EXPECT_VERDICT(PIDTRACK_VERDICT_UNPROVEN, tracker, record);
	expect_refused(_metadata, tracker, record, -ENODATA);
	pidtrack_record_free(record);
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 0);
	pidtrack_free(tracker);
}

/* ---- only reading ---- */

TEST_WANTS(a_zombie_verified_can_be_waited_for, boot_id)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	struct pidtrack_record *records[3];
	struct child child;
	size_t i, n;
	int fds;

	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, pidtrack_attach(tracker, child.pid, 0,
				     PIDTRACK_ATTACH_OBSERVE, &process));
	records[0] = record_of(_metadata, process);
	pidtrack_process_free(process);
	records[1] = boxlite_record_of(_metadata, child.pid);
	records[2] = record_of_text(_metadata, "%d\n", child.pid);
	fds = fds_count();
	for (i = 0; i < 3; i++)
		for (n = 0; n < 100; n++)
			verify(_metadata, tracker, records[i]);
	ASSERT_EQ(0, child_exit(&child, 21));
	ASSERT_EQ(0, child_await_exit(&child));
	for (i = 0; i < 3; i++) {
		for (n = 0; n < 100; n++)
			verify(_metadata, tracker, records[i]);
		pidtrack_record_free(records[i]);
	}
	EXPECT_EQ(fds, fds_count());
	EXPECT_EQ(0, tracker_statistics(tracker).tracked);
	EXPECT_EQ(0, tracker_statistics(tracker).exits);
	ASSERT_NO_EVENT(tracker);
	EXPECT_EQ(child.pid, zombie_find());
	EXPECT_EQ(21 << 8, child_reap(&child));
	child_close(&child);
	pidtrack_free(tracker);
}

/* The sternest way to see that nobody was signalled, waited for or written. */
TEST_WANTS(verifying_signals_nobody_and_waits_for_nobody, boot_id)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	struct pidtrack_record *record, *boxlite;
	struct child child;
	pid_t pid;
	int r;

	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, pidtrack_attach(tracker, child.pid, 0,
				     PIDTRACK_ATTACH_OBSERVE, &process));
	record = record_of(_metadata, process);
	boxlite = boxlite_record_of(_metadata, child.pid);
	pid = fork();
	if (!pid) { /* whose copy of a tracker says -ECHILD: one of its own */
		struct pidtrack *own = tracker_start(_metadata, 0);
		int signal;

		r = seccomp_kill(SYS_waitid) | seccomp_kill(SYS_wait4) |
		    seccomp_kill(SYS_kill) | seccomp_kill(SYS_tgkill) |
		    seccomp_kill(SYS_write) | seccomp_kill(SYS_ptrace);
		for (signal = 1; signal < 65; signal++)
			r |= seccomp_on_argument(SYS_pidfd_send_signal, 1, ~0U,
						 signal,
						 SECCOMP_RET_KILL_PROCESS, 0);
		if (r)
			_exit(2);
		verify(_metadata, own, record);
		verify(_metadata, own, boxlite);
		seccomp_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &r, 0));
	EXPECT_EQ(0, r);
	pidtrack_record_free(record);
	pidtrack_record_free(boxlite);
	child_end(&child);
	pidtrack_free(tracker);
}

static void refuse_handles(struct __test_metadata *_metadata)
{
	ASSERT_EQ(0, seccomp_refuse(SYS_open_by_handle_at, EPERM));
}

/* Nothing of /proc, and a bound on what it costs. */
static void check_cost(struct __test_metadata *_metadata, bool handles,
		       uint64_t most)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	const char *path = path_make(_metadata);
	struct pidtrack_process *process;
	struct pidtrack_record *record;
	uint64_t before, idle, cost;
	int i;

	process = shim_start_recorded(_metadata, tracker, &gate, path);
	record = record_at(_metadata, path);
	unlink(path);
	if (!handles)
		refuse_handles(_metadata);
	ASSERT_EQ(0, seccomp_kill(SYS_openat));
#ifdef SYS_open
	ASSERT_EQ(0, seccomp_kill(SYS_open));
	ASSERT_EQ(0, seccomp_kill(SYS_readlink));
#endif
	ASSERT_EQ(0, seccomp_kill(SYS_readlinkat));
	ASSERT_EQ(0, seccomp_kill(SYS_read));
	before = tracker_statistics(tracker).syscalls;
	idle = tracker_statistics(tracker).syscalls - before;
	before += idle;
	for (i = 0; i < 100; i++)
		EXPECT_PROOF(PIDTRACK_VERDICT_SAME, BOOT | INODE, tracker,
			     record);
	cost = tracker_statistics(tracker).syscalls - before - idle;
	TH_LOG("%.2f system calls", (double)cost / 100);
	EXPECT_LE(cost, 100 * (most + sandbox_refuses("statx")));
	pidtrack_record_free(record);
	pidtrack_process_signal(process, SIGKILL);
	gate_open(&gate);
	waitpid(pidtrack_process_pid(process), NULL, 0);
	pidtrack_free(tracker);
	/* the harness could look at nothing here */
	seccomp_exit(_metadata->failed);
}

static void check_three(struct __test_metadata *_metadata, void *arg)
{
	(void)arg;
	check_cost(_metadata, true, 3);
}

static void check_five(struct __test_metadata *_metadata, void *arg)
{
	(void)arg;
	check_cost(_metadata, false, 5);
}

TEST_WANTS(a_native_record_is_verified_by_three_system_calls_and_no_proc,
	   boot_id)
{
	if (!inode_leads_to_it())
		SKIP(return, "no file handles of pidfds, Linux < 6.17");
	apart(_metadata, check_three, NULL);
}

TEST_WANTS(so_it_is_by_five_where_handles_cannot_be_opened, boot_id)
{
	if (!works(PIDTRACK_FEATURE_PIDFS))
		SKIP(return, "no pidfs, Linux < 6.9");
	apart(_metadata, check_five, NULL);
}

struct asked {
	struct pidtrack *tracker;
	struct pidtrack_record *record;
	struct pidtrack_comparison it;
	int result;
};

static void *ask(void *arg)
{
	struct asked *asked = arg;

	asked->result = pidtrack_verify(asked->tracker, asked->record,
					&asked->it, sizeof(asked->it));
	return NULL;
}

TEST_WANTS(any_thread_may_ask_but_no_copy_of_a_fork, numbers)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct asked asked = { .tracker = tracker };
	uint32_t verdict = 4711;
	pthread_t thread;
	int status;
	pid_t pid;

	asked.record = boxlite_record_of(_metadata, getpid());
	ASSERT_EQ(0, pthread_create(&thread, NULL, ask, &asked));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, asked.result);
	EXPECT_EQ(PIDTRACK_VERDICT_SAME, asked.it.verdict);
	/* one that knows less of the struct */
	EXPECT_EQ(0, pidtrack_verify(
			     tracker, asked.record,
			     (struct pidtrack_comparison *)(void *)&verdict,
			     sizeof(verdict)));
	EXPECT_EQ(PIDTRACK_VERDICT_SAME, verdict);
	pid = fork();
	if (!pid) {
		struct pidtrack_process *process;

		EXPECT_EQ(-ECHILD,
			  pidtrack_verify(tracker, asked.record, &asked.it,
					  sizeof(asked.it)));
		EXPECT_EQ(-ECHILD,
			  pidtrack_attach_record(tracker, asked.record, 0,
						 &process, NULL, 0));
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	pidtrack_record_free(asked.record);
	pidtrack_free(tracker);
}

/* Whether it runs could not be seen: then it is not said. */
static void verify_without_poll(struct __test_metadata *_metadata, void *arg)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	struct pidtrack_record *native, *boxlite;
	struct child child;

	(void)arg;
	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, pidtrack_attach(tracker, child.pid, 0,
				     PIDTRACK_ATTACH_OBSERVE, &process));
	native = record_of(_metadata, process);
	boxlite = boxlite_record_of(_metadata, child.pid);
	pidtrack_process_free(process);
	ASSERT_EQ(0, child_exit(&child, 0));
	ASSERT_EQ(0, child_await_exit(&child));
	ASSERT_EQ(0, seccomp_refuse(SYS_ppoll, EPERM));
	EXPECT_NE(PIDTRACK_VERDICT_SAME,
		  verify(_metadata, tracker, native).verdict);
	EXPECT_NE(PIDTRACK_VERDICT_SAME,
		  verify(_metadata, tracker, boxlite).verdict);
	pidtrack_record_free(native);
	pidtrack_record_free(boxlite);
	ASSERT_EQ(0, child_reap(&child));
	child_close(&child);
	pidtrack_free(tracker);
}

TEST_WANTS(where_polling_is_refused_a_zombie_is_not_said_to_run, boot_id)
{
	apart(_metadata, verify_without_poll, NULL);
}

/* ---- attached by a record ---- */

enum kind { NATIVE, BOXLITE, NUMBER, N_KINDS };

static struct pidtrack_record *record_of_kind(struct __test_metadata *_metadata,
					      struct pidtrack *tracker,
					      pid_t pid, enum kind kind)
{
	struct pidtrack_process *process;
	struct pidtrack_record *record;

	if (kind == NUMBER)
		return record_of_text(_metadata, "%d", pid);
	if (kind == BOXLITE)
		return boxlite_record_of(_metadata, pid);
	ASSERT_EQ(0, pidtrack_attach(tracker, pid, 0, PIDTRACK_ATTACH_OBSERVE,
				     &process));
	record = record_of(_metadata, process);
	pidtrack_process_free(process);
	return record;
}

static void check_attached_child(struct __test_metadata *_metadata,
				 enum kind kind, bool ended)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_comparison it = { 0 };
	struct pidtrack_process *process;
	struct pidtrack_record *record;
	struct child child;
	int status;

	ASSERT_EQ(0, child_start(&child));
	record = record_of_kind(_metadata, tracker, child.pid, kind);
	if (ended) {
		ASSERT_EQ(0, child_raise(&child, SIGTERM));
		ASSERT_EQ(0, child_await_exit(&child));
	}
	ASSERT_EQ(0, pidtrack_attach_record(tracker, record,
					    kind == NUMBER ? LEGACY : 0,
					    &process, &it, sizeof(it)));
	if (kind == NUMBER)
		EXPECT_EQ(PIDTRACK_VERDICT_UNPROVEN, it.verdict);
	else if (ended)
		EXPECT_EQ(PIDTRACK_VERDICT_EXITED, it.verdict);
	else
		EXPECT_EQ(PIDTRACK_VERDICT_SAME, it.verdict);
	pidtrack_record_free(record);

	EXPECT_EQ(child.pid, pidtrack_process_pid(process));
	if (!ended) {
		EXPECT_EQ(PIDTRACK_STATE_RUNNING,
			  pidtrack_process_state(process));
		EXPECT_EQ(-EAGAIN, pidtrack_process_status(process, &status));
		ASSERT_NO_EVENT(tracker);
		ASSERT_EQ(0, pidtrack_process_signal(process, 0));
		ASSERT_EQ(0, pidtrack_process_signal(process, SIGTERM));
	}
	ASSERT_EXITED(tracker, process, SIGTERM);
	EXPECT_EQ(PIDTRACK_SOURCE_WAITED,
		  pidtrack_process_status(process, &status));
	EXPECT_EQ(SIGTERM, status);
	ASSERT_NO_EVENT(tracker);
	EXPECT_EQ(PIDTRACK_STATE_REAPED, pidtrack_process_state(process));
	EXPECT_EQ(-ESRCH, pidtrack_process_signal(process, SIGTERM));
	EXPECT_EQ(-ECHILD, child_reap(&child));
	child_close(&child);
	pidtrack_free(tracker);
}

TEST_WANTS(a_child_attached_by_a_record_is_like_any_other, boot_id)
{
	int kind;

	for (kind = 0; kind < N_KINDS; kind++)
		check_attached_child(_metadata, kind, false);
}

TEST_WANTS(so_is_one_that_has_ended, boot_id)
{
	int kind;

	for (kind = 0; kind < N_KINDS; kind++)
		check_attached_child(_metadata, kind, true);
}

TEST_WANTS(an_observed_child_is_left_to_whoever_waits_for_it, boot_id)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	const struct pidtrack_event *event;
	struct pidtrack_record *record;
	struct child child;

	ASSERT_EQ(0, child_start(&child));
	record = record_of_kind(_metadata, tracker, child.pid, NATIVE);
	ASSERT_EQ(0, pidtrack_attach_record(tracker, record,
					    PIDTRACK_ATTACH_OBSERVE, &process,
					    NULL, 0));
	ASSERT_EQ(0, child_exit(&child, 3));
	ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
	EXPECT_EQ(PIDTRACK_EXITED, event->kind);
	pidtrack_process_free(process);
	ASSERT_NO_EVENT(tracker);
	EXPECT_EQ(3 << 8, child_reap(&child));
	pidtrack_record_free(record);
	child_close(&child);
	pidtrack_free(tracker);
}

/* As the host that comes after one that died finds it: no child of its own. */
TEST_WANTS(a_process_of_others_attached_by_a_record_is_like_any_other, boot_id)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	int kind;

	for (kind = 0; kind < N_KINDS; kind++) {
		struct pidtrack_process *process;
		const struct pidtrack_event *event;
		struct pidtrack_record *record;
		struct foreign foreign;
		int status = 0, r;

		ASSERT_EQ(0, foreign_start(&foreign));
		record = record_of_kind(_metadata, tracker, foreign.child.pid,
					kind);
		ASSERT_EQ(0, pidtrack_attach_record(tracker, record,
						    kind == NUMBER ? LEGACY : 0,
						    &process, NULL, 0));
		pidtrack_record_free(record);
		EXPECT_EQ(foreign.child.pid, pidtrack_process_pid(process));
		EXPECT_EQ(-EAGAIN, pidtrack_process_status(process, &status));
		ASSERT_EQ(0, pidtrack_process_signal(process, SIGTERM));
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		EXPECT_EQ(PIDTRACK_EXITED, event->kind);
		EXPECT_EQ(process, event->process);
		ASSERT_EQ(SIGTERM, foreign_reap(&foreign));
		while (!(event->flags & PIDTRACK_EVENT_LAST))
			ASSERT_EQ(1,
				  pidtrack_wait(tracker, awhile_ms(), &event));
		r = pidtrack_process_status(process, &status);
		if (reaping_is_told() && works(PIDTRACK_FEATURE_EXIT_INFO)) {
			EXPECT_EQ(PIDTRACK_SOURCE_RECOVERED, r);
			EXPECT_EQ(SIGTERM, status);
		} else {
			EXPECT_EQ(-ENODATA, r);
		}
		EXPECT_EQ(-ESRCH, pidtrack_process_signal(process, 0));
		pidtrack_process_free(process);
		foreign_end(&foreign);
	}
	ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
}

TEST_WANTS(what_attaching_does_not_know_is_refused, boot_id)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_record *record;
	struct pidtrack_process *process = NULL;
	struct pidtrack_comparison it = { .verdict = 4711 };
	int i;

	record = boxlite_record_of(_metadata, getpid());
	for (i = 2; i < 32; i++)
		EXPECT_EQ(-EINVAL, pidtrack_attach_record(
					   tracker, record, UINT32_C(1) << i,
					   &process, &it, sizeof(it)));
	EXPECT_EQ(4711, it.verdict);
	EXPECT_EQ(-EINVAL,
		  pidtrack_attach(tracker, getpid(), 0, LEGACY, &process));
	EXPECT_NULL(process);
	pidtrack_record_free(record);
	pidtrack_free(tracker);
}

/* ---- less to compare ---- */

/* The process's fingerprint without that key, or with another value. */
static struct pidtrack_record *record_with(struct __test_metadata *_metadata,
					   struct pidtrack_process *process,
					   const char *key, const char *value)
{
	char text[PIDTRACK_FINGERPRINT_MAX], find[32];
	const char *rest;
	char *at;

	ASSERT_GT(pidtrack_process_fingerprint(process, text, sizeof(text)), 0);
	snprintf(find, sizeof(find), ",%s=", key);
	at = strstr(text, find);
	if (!at)
		return NULL;
	rest = at + 1 + strcspn(at + 1, ",");
	return record_of_text(_metadata, "%.*s%s%s%s", (int)(at - text), text,
			      value ? find : "", value ? value : "", rest);
}

#define EXPECT_WITH(verdict, evidence, key, value)                       \
	do {                                                             \
		struct pidtrack_record *with_ =                          \
			record_with(_metadata, process, key, value);     \
		if (with_)                                               \
			EXPECT_PROOF(verdict, evidence, tracker, with_); \
		pidtrack_record_free(with_);                             \
	} while (0)

/* Written where there was less to see, or read where there is. */
static void verify_parts(struct __test_metadata *_metadata, void *arg)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	bool handles = *(bool *)arg && inode_leads_to_it();
	bool pidfs = works(PIDTRACK_FEATURE_PIDFS);
	struct pidtrack_process *process;

	process = shim_start_at(_metadata, tracker, &gate, 0);
	if (!handles)
		ASSERT_EQ(0, seccomp_refuse(SYS_open_by_handle_at, EPERM));
	EXPECT_WITH(PIDTRACK_VERDICT_SAME, BOOT | PID | START, "inode", NULL);
	if (pidfs)
		EXPECT_WITH(PIDTRACK_VERDICT_SAME, BOOT | INODE, "start", NULL);
	else
		EXPECT_WITH(PIDTRACK_VERDICT_UNPROVEN, 0, "start", NULL);
	EXPECT_WITH(PIDTRACK_VERDICT_UNPROVEN, 0, "boot", NULL);
	EXPECT_WITH(handles ? PIDTRACK_VERDICT_SAME : PIDTRACK_VERDICT_UNPROVEN,
		    0, "pidns", NULL);
	EXPECT_WITH(handles ? PIDTRACK_VERDICT_SAME : PIDTRACK_VERDICT_UNPROVEN,
		    0, "pidns", "1");
	EXPECT_WITH(PIDTRACK_VERDICT_REUSED, BOOT | INODE, "inode",
		    "18446744073709551615");
	EXPECT_WITH(PIDTRACK_VERDICT_REUSED, BOOT | INODE, "inode", "0");
	if (!pidfs)
		EXPECT_WITH(PIDTRACK_VERDICT_REUSED, BOOT | PID | START,
			    "start", "1");
	EXPECT_WITH(PIDTRACK_VERDICT_OTHER_BOOT, BOOT, "boot",
		    "00000000-0000-0000-0000-000000000000");
	ASSERT_EQ(0, pidtrack_process_signal(process, SIGKILL));
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, SIGKILL);
	pidtrack_free(tracker);
}

TEST_WANTS(what_there_is_of_a_fingerprint_decides, numbers)
{
	bool handles;

	handles = true;
	apart(_metadata, verify_parts, &handles);
	handles = false;
	apart(_metadata, verify_parts, &handles);
}

/* ---- a process in an odd state ---- */

static void *pause_for_ever(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

static void *exec_shim(void *arg)
{
	(void)arg;
	execl(shim_path(), shim_path(), "wait", NULL);
	_exit(1);
}

/* Its first thread ends, and another goes on: a zombie in /proc, and alive. */
TEST_WANTS(a_process_without_its_first_thread_is_the_same, boot_id)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_record *native, *boxlite;
	struct pidtrack_process *process;
	char path[64], stat[256], *end;
	pid_t pid;

	pid = fork();
	if (!pid) {
		pthread_t thread;

		pthread_create(&thread, NULL, pause_for_ever, NULL);
		syscall(SYS_exit, 0); /* this thread only */
	}
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	do {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n;

		ASSERT_GE(fd, 0);
		n = read(fd, stat, sizeof(stat) - 1);
		close(fd);
		ASSERT_GT(n, 0);
		stat[n] = '\0';
		end = strrchr(stat, ')');
	} while (end[2] != 'Z');
	ASSERT_EQ(0, pidtrack_attach(tracker, pid, 0, 0, &process));
	native = record_of(_metadata, process);
	boxlite = boxlite_record_of(_metadata, pid);
	EXPECT_VERDICT(PIDTRACK_VERDICT_SAME, tracker, native);
	EXPECT_VERDICT(PIDTRACK_VERDICT_SAME, tracker, boxlite);
	ASSERT_EQ(0, pidtrack_process_signal(process, SIGKILL));
	ASSERT_EXITED(tracker, process, SIGKILL);
	pidtrack_record_free(native);
	pidtrack_record_free(boxlite);
	pidtrack_free(tracker);
}

TEST_WANTS(a_process_whose_thread_executes_is_the_same, boot_id)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata), go = gate_make(_metadata);
	struct pidtrack_record *native, *boxlite;
	struct pidtrack_process *process;
	char link[64], exe[1024];
	pid_t pid;
	ssize_t n;

	pid = fork();
	if (!pid) {
		pthread_t thread;
		char byte;

		close(gate.host);
		close(go.host);
		dup2(gate.shim, 0);
		if (read(go.shim, &byte, 1) != 0)
			_exit(1);
		pthread_create(&thread, NULL, exec_shim, NULL);
		pause_for_ever(NULL);
	}
	ASSERT_EQ(0, pidtrack_attach(tracker, pid, 0, 0, &process));
	native = record_of(_metadata, process);
	boxlite = boxlite_record_of(_metadata, pid);
	gate_open(&go);
	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	do {
		EXPECT_VERDICT(PIDTRACK_VERDICT_SAME, tracker, native);
		EXPECT_VERDICT(PIDTRACK_VERDICT_SAME, tracker, boxlite);
		n = readlink(link, exe, sizeof(exe) - 1);
		exe[n > 0 ? n : 0] = '\0';
	} while (!_metadata->failed && !strstr(exe, "pt-shim"));
	EXPECT_VERDICT(PIDTRACK_VERDICT_SAME, tracker, native);
	EXPECT_VERDICT(PIDTRACK_VERDICT_SAME, tracker, boxlite);
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 0);
	pidtrack_record_free(native);
	pidtrack_record_free(boxlite);
	pidtrack_free(tracker);
}

/* ---- other boots ---- */

/* The text with another boot id, as it is nobody's. */
static struct pidtrack_record *
record_of_other_boot(struct __test_metadata *_metadata,
		     struct pidtrack_process *process)
{
	char text[PIDTRACK_FINGERPRINT_MAX];
	char *boot;

	ASSERT_GT(pidtrack_process_fingerprint(process, text, sizeof(text)), 0);
	boot = strstr(text, ",boot=");
	ASSERT_TRUE(boot != NULL);
	boot[6] = boot[6] == '0' ? '1' : '0';
	return record_of_text(_metadata, "%s", text);
}

TEST_WANTS(one_of_another_boot_is_told_so_live_or_not, boot_id)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	struct pidtrack_record *record;

	process = shim_start_at(_metadata, tracker, &gate, 0);
	record = record_of_other_boot(_metadata, process);
	EXPECT_PROOF(PIDTRACK_VERDICT_OTHER_BOOT, BOOT, tracker, record);
	expect_refused(_metadata, tracker, record, -ESTALE);
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 0);
	ASSERT_NO_EVENT(tracker);
	EXPECT_PROOF(PIDTRACK_VERDICT_OTHER_BOOT, BOOT, tracker, record);
	pidtrack_record_free(record);
	pidtrack_free(tracker);
}

/* A record without a boot id is known by its date, if it is a file. */
static struct pidtrack_record *old_file(struct __test_metadata *_metadata,
					const char *text)
{
	return file_of(_metadata, text, 1000000000);
}

/* Boots are alike: so may be the pid and the start time of two shims. */
TEST(a_file_older_than_this_boot_proves_nothing)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_record *record;
	struct child child;
	char text[64];

	ASSERT_EQ(0, child_start(&child));
	snprintf(text, sizeof(text), "%d\n%llu\n", child.pid,
		 start_of(child.pid));
	record = old_file(_metadata, text);
	EXPECT_VERDICT(PIDTRACK_VERDICT_UNPROVEN, tracker, record);
	expect_refused(_metadata, tracker, record, -ENODATA);
	pidtrack_record_free(record);
	child_end(&child);
	pidtrack_free(tracker);
}

/* Taken at its word it would be a stranger, for certain. */
TEST(a_number_older_than_this_boot_is_not_taken_at_its_word)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_record *record;
	struct child child;
	char text[64];

	ASSERT_EQ(0, child_start(&child));
	snprintf(text, sizeof(text), "%d\n", child.pid);
	record = old_file(_metadata, text);
	EXPECT_VERDICT(PIDTRACK_VERDICT_UNPROVEN, tracker, record);
	expect_refused(_metadata, tracker, record, -ENODATA);
	pidtrack_record_free(record);
	child_end(&child);
	pidtrack_free(tracker);
}

/* Somebody got the number after the file was written. */
TEST_WANTS(a_number_older_than_its_process_is_not_taken_at_its_word, numbers)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_comparison found;
	struct pidtrack_record *record;
	struct child child;
	char text[64];

	ASSERT_EQ(0, child_start(&child));
	snprintf(text, sizeof(text), "%d\n", child.pid);
	record = file_of(_metadata, text, time(NULL) - 60);
	found = verify(_metadata, tracker, record);
	EXPECT_EQ(PIDTRACK_VERDICT_UNPROVEN, found.verdict);
	EXPECT_EQ(0, found.evidence);
	expect_refused(_metadata, tracker, record, -ENODATA);
	pidtrack_record_free(record);

	record = file_of(_metadata, text, time(NULL) + 1);
	expect_legacy(_metadata, tracker, record);
	pidtrack_record_free(record);
	child_end(&child);
	pidtrack_free(tracker);
}

/* Nanoseconds from 1970 are 64 bits until 2262, and since 1678. */
TEST_WANTS(nor_is_one_of_a_date_that_is_too_far_off_for_another, numbers)
{
	const int64_t year_1653 = INT64_C(-10000000000);
	const int64_t year_2397 = INT64_C(13500000000);
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_record *record;
	struct child child;
	char text[64];

	if ((time_t)year_2397 != year_2397) {
		pidtrack_free(tracker);
		SKIP(return, "time_t has 32 bits");
	}
	ASSERT_EQ(0, child_start(&child));
	snprintf(text, sizeof(text), "%d\n", child.pid);
	record = file_of(_metadata, text, (time_t)year_1653);
	expect_refused(_metadata, tracker, record, -ENODATA);
	pidtrack_record_free(record);
	record = file_of(_metadata, text, (time_t)year_2397);
	expect_legacy(_metadata, tracker, record);
	pidtrack_record_free(record);
	child_end(&child);
	pidtrack_free(tracker);
}

/* ---- reaped while it is looked at ---- */

struct amid {
	pthread_t thread;
	_Atomic int listener;
	_Atomic bool over;
	pid_t pid;
};

/* Whoever asks whether it is still there asks in vain. */
static void *reap_amid(void *arg)
{
	struct amid *amid = arg;
	bool reaped = false;
	uint64_t id;

	while (amid->listener < 0)
		sched_yield();
	while (!amid->over) {
		if (!(await_fd(amid->listener, POLLIN, 10) & POLLIN) ||
		    seccomp_stopped(amid->listener, &id) < 0)
			continue;
		if (!reaped && !kill(amid->pid, SIGKILL))
			reaped = waitpid(amid->pid, NULL, 0) == amid->pid;
		seccomp_go(amid->listener, id);
	}
	return NULL;
}

/* From here on the call whose second argument is that one is held. */
static void amid_begin(struct __test_metadata *_metadata, struct amid *amid,
		       pid_t pid, int call, unsigned int argument)
{
	*amid = (struct amid){ .listener = -1, .pid = pid };
	ASSERT_EQ(0, pthread_create(&amid->thread, NULL, reap_amid, amid));
	amid->listener = seccomp_on_argument(call, 1, ~0U, argument,
					     SECCOMP_RET_USER_NOTIF,
					     SECCOMP_FILTER_FLAG_NEW_LISTENER);
	ASSERT_GE(amid->listener, 0);
}

static void amid_end(struct amid *amid)
{
	amid->over = true;
	pthread_join(amid->thread, NULL);
	close(amid->listener);
}

struct look {
	const char *without; /* of its fingerprint; NULL: a number alone */
	bool pidfs;
	uint32_t evidence;
};

static void verify_amid(struct __test_metadata *_metadata, void *arg)
{
	const struct look *look = arg;
	struct pidtrack_process *process;
	struct pidtrack_record *record;
	struct pidtrack *tracker;
	struct child child;
	struct amid amid;
	char text[64];

	if (!look->pidfs)
		ASSERT_EQ(0, seccomp_refuse(SECCOMP_FSTATFS, ENOSYS));
	tracker = tracker_start(_metadata, 0);
	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, pidtrack_attach(tracker, child.pid, 0, 0, &process));
	snprintf(text, sizeof(text), "%d\n", child.pid);
	record = look->without ?
			 record_with(_metadata, process, look->without, NULL) :
			 file_of(_metadata, text, time(NULL) + 1);
	if (!record) /* it has none in any case */
		record = record_of(_metadata, process);
	amid_begin(_metadata, &amid, child.pid, SYS_pidfd_send_signal, 0);
	EXPECT_PROOF(PIDTRACK_VERDICT_GONE, look->evidence, tracker, record);
	amid_end(&amid);
	pidtrack_record_free(record);
	child_close(&child);
	pidtrack_free(tracker);
}

TEST_WANTS(one_that_is_reaped_while_it_is_looked_at_is_gone,
	   numbers_and_signals)
{
	struct look without_pidfs = { "inode", false, BOOT | PID };
	struct look number = { NULL, true, PID };

	apart(_metadata, verify_amid, &without_pidfs);
	apart(_metadata, verify_amid, &number);
}

static void attach_amid(struct __test_metadata *_metadata, void *arg)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	const struct pidtrack_event *event;
	struct pidtrack_comparison it;
	struct pidtrack_record *record;
	struct child child;
	struct amid amid;
	int status = 0;

	(void)arg;
	ASSERT_EQ(0, child_start(&child));
	record = record_of_kind(_metadata, tracker, child.pid, NATIVE);
	amid_begin(_metadata, &amid, child.pid, SYS_ppoll, 1);
	ASSERT_EQ(0, pidtrack_attach_record(tracker, record, 0, &process, &it,
					    sizeof(it)));
	amid_end(&amid);
	pidtrack_record_free(record);
	EXPECT_EQ(PIDTRACK_VERDICT_EXITED, it.verdict);
	/* found by its number where handles cannot be opened */
	EXPECT_EQ(evidence_expected() | PID, it.evidence | PID);
	do
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
	while (!(event->flags & PIDTRACK_EVENT_LAST));
	EXPECT_EQ(PIDTRACK_SOURCE_RECOVERED,
		  pidtrack_process_status(process, &status));
	EXPECT_EQ(SIGKILL, status);
	child_close(&child);
	pidtrack_free(tracker);
}

TEST_WANTS(of_one_that_is_proven_the_kernel_still_tells_the_status, boot_id)
{
	if (!works(PIDTRACK_FEATURE_EXIT_INFO))
		SKIP(return, "no exit information here");
	apart(_metadata, attach_amid, NULL);
}

TEST_HARNESS_MAIN
