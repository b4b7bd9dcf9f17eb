/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A host is killed, and the next takes up what it has kept: every process, with
 * its status, whenever it has ended.
 */
#include <sched.h>

#include "files.h"
#include "kept.h"
#include "seccomp.h"

FIXTURE(recover)
{
	struct room room;
	struct gate gate;
	struct doomed doomed;
	bool works;
};

FIXTURE_SETUP(recover)
{
	if (!kept_room_make(_metadata, &self->room))
		return;
	/* here, where it can skip */
	pidtrack_free(kept_tracker(_metadata, &self->room));
	self->gate = gate_make(_metadata);
	self->works = true;
}

FIXTURE_TEARDOWN(recover)
{
	if (self->works)
		gate_open(&self->gate);
	room_end(&self->room);
}

#define TEST_RECOVER(test)                                          \
	static void test##_works(struct __test_metadata *_metadata, \
				 FIXTURE_DATA(recover) * self);     \
	TEST_F(recover, test)                                       \
	{                                                           \
		if (self->works)                                    \
			test##_works(_metadata, self);              \
	}                                                           \
	static void test##_works(struct __test_metadata *_metadata, \
				 FIXTURE_DATA(recover) * self)

static void launch_one(struct __test_metadata *_metadata,
		       struct pidtrack *tracker, int say, void *argument)
{
	const struct gate *gate = argument;

	doomed_say(_metadata, say,
		   kept_start(_metadata, tracker, gate->shim, "web",
			      SHIM("wait", "exit", "7")));
}

/* A host with one shim, "web", is killed: the pid of the shim. */
static pid_t kill_host(struct __test_metadata *_metadata,
		       FIXTURE_DATA(recover) * self)
{
	pid_t pid;

	doomed_start(_metadata, &self->doomed, &self->room, launch_one,
		     &self->gate);
	pid = doomed_said(_metadata, &self->doomed);
	doomed_kill(_metadata, &self->doomed);
	return pid;
}

static void await_zombie(struct __test_metadata *_metadata, pid_t pid)
{
	siginfo_t info;

	ASSERT_EQ(0, waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
}

static void end_cleanly(struct __test_metadata *_metadata,
			FIXTURE_DATA(recover) * self, struct pidtrack *tracker)
{
	ASSERT_NO_EVENT(tracker);
	expect_nothing_kept(_metadata, tracker);
	pidtrack_free(tracker);
	expect_clean(_metadata, &self->room);
}

TEST_RECOVER(a_shim_that_runs_is_the_same_and_ours_again)
{
	pid_t pid = kill_host(_metadata, self);
	struct pidtrack *tracker = kept_tracker(_metadata, &self->room);
	struct pidtrack_process *process =
		recover_one(_metadata, tracker, "web", PIDTRACK_VERDICT_SAME);

	EXPECT_EQ(pid, pidtrack_process_pid(process));
	EXPECT_EQ(PIDTRACK_STATE_RUNNING, pidtrack_process_state(process));
	ASSERT_NO_EVENT(tracker);
	gate_open(&self->gate);
	ASSERT_EXITED(tracker, process, 7 << 8);
	EXPECT_TRUE(is_pinned(&self->room, "web"));
	end_cleanly(_metadata, self, tracker);
}

TEST_RECOVER(one_that_ended_meanwhile_is_reaped_with_its_status)
{
	pid_t pid = kill_host(_metadata, self);
	struct pidtrack_process *process;
	struct pidtrack *tracker;

	gate_open(&self->gate);
	await_zombie(_metadata, pid);
	tracker = kept_tracker(_metadata, &self->room);
	process =
		recover_one(_metadata, tracker, "web", PIDTRACK_VERDICT_EXITED);
	ASSERT_EXITED(tracker, process, 7 << 8);
	end_cleanly(_metadata, self, tracker);
	EXPECT_FALSE(child_is_any());
}

TEST_RECOVER(one_that_was_reaped_meanwhile_has_its_status_all_the_same)
{
	pid_t pid = kill_host(_metadata, self);
	struct pidtrack_process *process;
	struct pidtrack *tracker;
	int status;

	gate_open(&self->gate);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	tracker = kept_tracker(_metadata, &self->room);
	process =
		recover_one(_metadata, tracker, "web", PIDTRACK_VERDICT_EXITED);
	EXPECT_EQ(0, pidtrack_process_pid(process));
	ASSERT_NEXT(tracker, process, PIDTRACK_EXITED, 0,
		    PIDTRACK_SOURCE_UNKNOWN, -1);
	ASSERT_NEXT(tracker, process, PIDTRACK_REAPED, PIDTRACK_EVENT_LAST,
		    source_without_wait(), 7 << 8);
	EXPECT_TRUE(is_pinned(&self->room, "web"));
	end_cleanly(_metadata, self, tracker);
}

static void be_anothers_child(struct __test_metadata *_metadata,
			      FIXTURE_DATA(recover) * self, bool free_first)
{
	struct pidtrack_process *process;
	struct pidtrack *tracker;
	int status, fds[2];
	pid_t reaper, pid;

	/* a subreaper between us and the host */
	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	reaper = fork();
	if (!reaper) {
		ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
		pid = kill_host(_metadata, self);
		ASSERT_EQ(1, write(fds[1], "", 1));
		gate_open(&self->gate);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		_exit(0);
	}
	ASSERT_EQ(1, read(fds[0], &status, 1));
	tracker = kept_tracker(_metadata, &self->room);
	process = recover_one(_metadata, tracker, "web", PIDTRACK_VERDICT_SAME);
	if (free_first) {
		pidtrack_process_free(process);
		process = recover_one(_metadata, tracker, "web",
				      PIDTRACK_VERDICT_SAME);
	}
	gate_open(&self->gate);
	ASSERT_NEXT(tracker, process, PIDTRACK_EXITED, 0,
		    PIDTRACK_SOURCE_UNKNOWN, -1);
	ASSERT_NEXT(tracker, process, PIDTRACK_REAPED, PIDTRACK_EVENT_LAST,
		    source_without_wait(), 7 << 8);
	end_cleanly(_metadata, self, tracker);
	ASSERT_EQ(reaper, waitpid(reaper, &status, 0));
	close(fds[0]);
	close(fds[1]);
}

TEST_RECOVER(one_that_is_anothers_child_by_now_is_told_of_as_such)
{
	be_anothers_child(_metadata, self, false);
}

TEST_RECOVER(so_is_one_that_was_recovered_and_freed_before)
{
	be_anothers_child(_metadata, self, true);
}

TEST_RECOVER(what_was_not_acknowledged_is_recovered_again)
{
	struct pidtrack_process *process;
	struct pidtrack *tracker;
	int status, i;
	pid_t pid = kill_host(_metadata, self);

	for (i = 0; i < 2; i++) {
		tracker = kept_tracker(_metadata, &self->room);
		recover_one(_metadata, tracker, "web", PIDTRACK_VERDICT_SAME);
		pidtrack_free(tracker);
	}
	gate_open(&self->gate);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	for (i = 0; i < 2; i++) {
		tracker = kept_tracker(_metadata, &self->room);
		process = recover_one(_metadata, tracker, "web",
				      PIDTRACK_VERDICT_EXITED);
		ASSERT_NEXT(tracker, process, PIDTRACK_EXITED, 0,
			    PIDTRACK_SOURCE_UNKNOWN, -1);
		pidtrack_free(tracker);
	}
	tracker = kept_tracker(_metadata, &self->room);
	process =
		recover_one(_metadata, tracker, "web", PIDTRACK_VERDICT_EXITED);
	ASSERT_NEXT(tracker, process, PIDTRACK_EXITED, 0,
		    PIDTRACK_SOURCE_UNKNOWN, -1);
	ASSERT_NEXT(tracker, process, PIDTRACK_REAPED, PIDTRACK_EVENT_LAST,
		    source_without_wait(), 7 << 8);
	pidtrack_process_free(process);
	end_cleanly(_metadata, self, tracker);
}

TEST_RECOVER(whom_the_tracker_has_is_not_recovered)
{
	struct pidtrack *tracker = kept_tracker(_metadata, &self->room);
	struct pidtrack_process *process =
		kept_start(_metadata, tracker, self->gate.shim, "web",
			   SHIM("wait", "exit", "7"));

	expect_nothing_kept(_metadata, tracker);
	pidtrack_process_free(process);
	expect_nothing_kept(_metadata, tracker);
	EXPECT_TRUE(is_pinned(&self->room, "web"));
	gate_open(&self->gate);
	await_let_go(_metadata, tracker, &self->room, "web");
	end_cleanly(_metadata, self, tracker);
}

TEST_RECOVER(one_that_is_freed_while_it_runs_is_let_go_in_the_end)
{
	struct pidtrack *tracker;

	kill_host(_metadata, self);
	tracker = kept_tracker(_metadata, &self->room);
	pidtrack_process_free(
		recover_one(_metadata, tracker, "web", PIDTRACK_VERDICT_SAME));
	EXPECT_TRUE(is_pinned(&self->room, "web"));
	gate_open(&self->gate);
	await_let_go(_metadata, tracker, &self->room, "web");
	end_cleanly(_metadata, self, tracker);
}

/* No child of the host's: its end is not awaited. */
TEST_RECOVER(one_that_is_freed_when_it_was_reaped_is_let_go_at_once)
{
	pid_t pid = kill_host(_metadata, self);
	struct pidtrack *tracker;
	int status;

	gate_open(&self->gate);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	tracker = kept_tracker(_metadata, &self->room);
	pidtrack_process_free(recover_one(_metadata, tracker, "web",
					  PIDTRACK_VERDICT_EXITED));
	EXPECT_FALSE(is_pinned(&self->room, "web"));
	end_cleanly(_metadata, self, tracker);
}

TEST_RECOVER(by_a_tracker_with_a_thread_it_is_the_same)
{
	struct pidtrack_process *process;
	struct pidtrack *tracker;

	kill_host(_metadata, self);
	ASSERT_EQ(0, kept_tracker_new(_metadata, &self->room, PIDTRACK_THREAD,
				      &tracker));
	process = recover_one(_metadata, tracker, "web", PIDTRACK_VERDICT_SAME);
	gate_open(&self->gate);
	ASSERT_EXITED(tracker, process, 7 << 8);
	end_cleanly(_metadata, self, tracker);
}

/* ---- many ---- */

#define MANY 60

static void launch_many(struct __test_metadata *_metadata,
			struct pidtrack *tracker, int say, void *argument)
{
	const struct gate *gate = argument;
	int i;

	for (i = 0; i < MANY; i++) {
		char label[16], code[16];

		snprintf(label, sizeof(label), "box/%d", i);
		snprintf(code, sizeof(code), "%d", i);
		doomed_say(_metadata, say,
			   kept_start(_metadata, tracker,
				      i % 3 ? PIDTRACK_FD_NULL : gate->shim,
				      label, SHIM("wait", "exit", code)));
	}
}

/* A third lives, a third are zombies, a third are reaped. */
TEST_RECOVER(of_many_each_has_its_own_status)
{
	struct pidtrack_recovery *recovery;
	const struct pidtrack_recovered *recovered;
	const struct pidtrack_event *event;
	struct pidtrack *tracker;
	bool seen[MANY] = { false };
	pid_t pids[MANY];
	int i, n = 0, status;

	doomed_start(_metadata, &self->doomed, &self->room, launch_many,
		     &self->gate);
	for (i = 0; i < MANY; i++)
		pids[i] = doomed_said(_metadata, &self->doomed);
	doomed_kill(_metadata, &self->doomed);
	for (i = 0; i < MANY; i++) {
		if (i % 3 == 1)
			ASSERT_EQ(pids[i], waitpid(pids[i], &status, 0));
		if (i % 3 == 2)
			await_zombie(_metadata, pids[i]);
	}

	tracker = kept_tracker(_metadata, &self->room);
	recovery = recover(_metadata, tracker);
	while (pidtrack_recovery_next(recovery, &recovered) > 0) {
		ASSERT_EQ(0, recovered->error);
		ASSERT_EQ(1, sscanf(recovered->label, "box/%d", &i));
		EXPECT_EQ(i % 3 ? PIDTRACK_VERDICT_EXITED :
				  PIDTRACK_VERDICT_SAME,
			  recovered->comparison->verdict);
		n++;
	}
	EXPECT_EQ(MANY, n);
	pidtrack_recovery_free(recovery);
	gate_open(&self->gate);
	for (n = 0; n < MANY;) {
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		if (!(event->flags & PIDTRACK_EVENT_LAST))
			continue;
		ASSERT_EQ(1, sscanf(pidtrack_process_label(event->process),
				    "box/%d", &i));
		EXPECT_EQ(i << 8, event->status);
		EXPECT_FALSE(seen[i]);
		seen[i] = true;
		n++;
	}
	end_cleanly(_metadata, self, tracker);
}

TEST_RECOVER(whom_there_is_no_room_for_is_told_and_stays)
{
	struct pidtrack_recovery *recovery;
	const struct pidtrack_recovered *recovered;
	const struct pidtrack_event *event;
	struct pidtrack *tracker;
	struct rlimit limit, few;
	int i, n = 0, left = 0;

	doomed_start(_metadata, &self->doomed, &self->room, launch_many,
		     &self->gate);
	for (i = 0; i < MANY; i++)
		doomed_said(_metadata, &self->doomed);
	doomed_kill(_metadata, &self->doomed);
	tracker = kept_tracker(_metadata, &self->room);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	few = limit;
	few.rlim_cur = (rlim_t)fds_count() + 20;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &few));
	recovery = recover(_metadata, tracker);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	while (pidtrack_recovery_next(recovery, &recovered) > 0) {
		n += recovered->error == 0;
		left += recovered->error == -EMFILE;
	}
	pidtrack_recovery_free(recovery);
	EXPECT_GT(n, 0);
	EXPECT_GT(left, 0);
	EXPECT_EQ(MANY, n + left);

	recovery = recover(_metadata, tracker);
	while (pidtrack_recovery_next(recovery, &recovered) > 0) {
		EXPECT_EQ(0, recovered->error);
		left--;
	}
	EXPECT_EQ(0, left);
	pidtrack_recovery_free(recovery);
	gate_open(&self->gate);
	for (n = 0; n < MANY; n += !!(event->flags & PIDTRACK_EVENT_LAST))
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
	end_cleanly(_metadata, self, tracker);
}

/* ---- hosts killed in the middle ---- */

/* It never comes back: the host is killed amid the launch. */
static void launch_and_stop(struct __test_metadata *_metadata,
			    struct pidtrack *tracker, int say, void *argument)
{
	const struct gate *gate = argument;

	kept_start(_metadata, tracker, gate->shim, "web",
		   SHIM("wait", "exit", "7"));
	close(say);
}

TEST_RECOVER(a_shim_whose_host_is_killed_before_it_executes_is_recovered)
{
	struct pidtrack_process *process;
	struct pidtrack *tracker;
	int listener;
	uint64_t id;
	pid_t pid;

	listener = seccomp_stop_exec();
	if (listener < 0)
		SKIP(return,
			   "no listener of seccomp: Linux < 5.5, or valgrind");
	doomed_start(_metadata, &self->doomed, &self->room, launch_and_stop,
		     &self->gate);
	pid = seccomp_stopped(listener, &id);
	ASSERT_GT(pid, 0);
	doomed_kill(_metadata, &self->doomed);

	tracker = kept_tracker(_metadata, &self->room);
	process = recover_one(_metadata, tracker, "web", PIDTRACK_VERDICT_SAME);
	EXPECT_EQ(pid, pidtrack_process_pid(process));
	ASSERT_EQ(0, seccomp_go(listener, id));
	gate_open(&self->gate);
	ASSERT_EXITED(tracker, process, 7 << 8);
	end_cleanly(_metadata, self, tracker);
	close(listener);
}

TEST_RECOVER(one_whose_host_is_killed_before_it_is_pinned_never_executes)
{
	struct pidtrack *tracker;
	uint64_t id, made_id;
	int listener, status;
	pid_t pid;

	if (sandbox_refuses("lseek"))
		SKIP(return, "the sandbox has the library list no pins");
	listener = seccomp_stop(SYS_move_mount);
	if (listener < 0)
		SKIP(return,
			   "no listener of seccomp: Linux < 5.5, or valgrind");
	doomed_start(_metadata, &self->doomed, &self->room, launch_and_stop,
		     &self->gate);
	/* that is the directory's */
	ASSERT_EQ(self->doomed.pid, seccomp_stopped(listener, &made_id));
	ASSERT_EQ(0, seccomp_go(listener, made_id));
	pid = seccomp_stopped(listener, &id);
	ASSERT_GT(pid, 0);
	ASSERT_NE(self->doomed.pid, pid);
	doomed_kill(_metadata, &self->doomed);

	tracker = kept_tracker(_metadata, &self->room);
	expect_unrecovered(_metadata, tracker, "web", -ENODATA);
	expect_nothing_kept(_metadata, tracker);
	ASSERT_EQ(0, seccomp_go(listener, id));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(127 << 8, status);
	end_cleanly(_metadata, self, tracker);
	close(listener);
}

/* Lets everybody else pass whom that listener stops. */
static pid_t let_others_pass(int listener)
{
	uint64_t id;
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (seccomp_stopped(listener, &id) > 0)
			seccomp_go(listener, id);
		_exit(1);
	}
	return pid;
}

TEST_RECOVER(and_takes_no_place_of_another_that_has_its_label)
{
	struct pidtrack *tracker;
	struct pidtrack_process *process;
	uint64_t id, made_id;
	int listener, status;
	pid_t pid, passing;

	if (sandbox_refuses("lseek"))
		SKIP(return, "the sandbox has the library list no pins");
	listener = seccomp_stop(SYS_move_mount);
	if (listener < 0)
		SKIP(return,
			   "no listener of seccomp: Linux < 5.5, or valgrind");
	doomed_start(_metadata, &self->doomed, &self->room, launch_and_stop,
		     &self->gate);
	seccomp_stopped(listener, &made_id);
	ASSERT_EQ(0, seccomp_go(listener, made_id));
	pid = seccomp_stopped(listener, &id);
	ASSERT_GT(pid, 0);
	doomed_kill(_metadata, &self->doomed);

	tracker = kept_tracker(_metadata, &self->room);
	expect_unrecovered(_metadata, tracker, "web", -ENODATA);
	passing = let_others_pass(listener);
	process = kept_start(_metadata, tracker, self->gate.shim, "web",
			     SHIM("wait", "exit", "7"));
	ASSERT_EQ(0, kill(passing, SIGKILL));
	ASSERT_EQ(passing, waitpid(passing, NULL, 0));
	ASSERT_EQ(0, seccomp_go(listener, id));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(127 << 8, status);
	EXPECT_TRUE(is_pinned(&self->room, "web"));
	gate_open(&self->gate);
	ASSERT_EXITED(tracker, process, 7 << 8);
	end_cleanly(_metadata, self, tracker);
	close(listener);
}

TEST_RECOVER(one_whose_host_is_killed_as_it_lets_it_go_is_not_recovered)
{
	const struct pidtrack_event *event;
	struct pidtrack *tracker;
	int status;
	pid_t host;

	host = fork();
	if (!host) {
		tracker = kept_tracker(_metadata, &self->room);
		ASSERT_EXITED(tracker,
			      kept_start(_metadata, tracker, PIDTRACK_FD_NULL,
					 "web", SHIM("exit", "7")),
			      7 << 8);
		ASSERT_EQ(0, seccomp_kill(SYS_unlinkat));
		pidtrack_next(tracker, &event);
		_exit(0);
	}
	ASSERT_EQ(host, waitpid(host, &status, 0));
	ASSERT_EQ(SIGSYS, WTERMSIG(status));
	while (waitpid(-1, &status, 0) > 0)
		;
	EXPECT_FALSE(is_pinned(&self->room, "web"));
	tracker = kept_tracker(_metadata, &self->room);
	end_cleanly(_metadata, self, tracker);
}

TEST_RECOVER(one_whose_host_is_killed_between_event_and_acknowledgement)
{
	/* the same host, in a process that takes the event and no more */
	struct pidtrack_process *process;
	struct pidtrack *tracker;
	int fds[2], status;
	pid_t host;

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	host = fork();
	if (!host) {
		tracker = kept_tracker(_metadata, &self->room);
		process = kept_start(_metadata, tracker, PIDTRACK_FD_NULL,
				     "web", SHIM("exit", "7"));
		ASSERT_EXITED(tracker, process, 7 << 8);
		ASSERT_EQ(1, write(fds[1], "", 1));
		for (;;)
			pause();
	}
	ASSERT_EQ(1, read(fds[0], &status, 1));
	ASSERT_EQ(0, kill(host, SIGKILL));
	ASSERT_EQ(host, waitpid(host, &status, 0));
	tracker = kept_tracker(_metadata, &self->room);
	process =
		recover_one(_metadata, tracker, "web", PIDTRACK_VERDICT_EXITED);
	ASSERT_EXITED(tracker, process, 7 << 8);
	end_cleanly(_metadata, self, tracker);
	close(fds[0]);
	close(fds[1]);
}

/* ---- one alone, told elsewhere ---- */

static void path_of(const FIXTURE_DATA(recover) * self, const char *name,
		    char path[200])
{
	snprintf(path, 200, "%s/%s", self->room.pins, name);
}

/* The others' ends are acknowledged by nobody. */
TEST_RECOVER(a_pin_is_removed_once_its_process_was_reaped)
{
	pid_t pid = kill_host(_metadata, self);
	struct pidtrack *tracker = kept_tracker(_metadata, &self->room);
	struct pidtrack_record *record;
	char path[200];
	int status;

	path_of(self, "web", path);
	ASSERT_EQ(0, pidtrack_record_read(path, &record));
	EXPECT_EQ(-EBUSY, pidtrack_record_remove(path, record));
	gate_open(&self->gate);
	await_zombie(_metadata, pid);
	EXPECT_EQ(-EBUSY, pidtrack_record_remove(path, record));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(is_pinned(&self->room, "web"));
	EXPECT_EQ(0, pidtrack_record_remove(path, record));
	EXPECT_FALSE(path_exists(path));
	EXPECT_EQ(-ENOENT, pidtrack_record_remove(path, record));
	pidtrack_record_free(record);
	end_cleanly(_metadata, self, tracker);
}

TEST_RECOVER(another_pin_of_the_name_is_not_removed)
{
	pid_t pid = kill_host(_metadata, self);
	struct pidtrack *tracker = kept_tracker(_metadata, &self->room);
	struct pidtrack_process *process;
	struct pidtrack_record *record;
	char path[200];
	int status;

	path_of(self, "web", path);
	ASSERT_EQ(0, pidtrack_record_read(path, &record));
	gate_open(&self->gate);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, pidtrack_record_remove(path, record));
	process = kept_start(_metadata, tracker, self->gate.shim, "web",
			     SHIM("exit", "3"));
	EXPECT_EQ(-ESTALE, pidtrack_record_remove(path, record));
	EXPECT_TRUE(is_pinned(&self->room, "web"));
	ASSERT_EXITED(tracker, process, 3 << 8);
	ASSERT_NO_EVENT(tracker);
	file_text(_metadata, path, "", 0600);
	EXPECT_EQ(-ESTALE, pidtrack_record_remove(path, record));
	ASSERT_EQ(0, unlink(path));
	pidtrack_record_free(record);
	end_cleanly(_metadata, self, tracker);
}

TEST_RECOVER(who_has_not_the_directory_removes_no_pin)
{
	pid_t pid = kill_host(_metadata, self);
	struct pidtrack_record *record;
	struct pidtrack *tracker;
	char path[200];
	int status;

	path_of(self, "web", path);
	gate_open(&self->gate);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, pidtrack_record_read(path, &record));
	EXPECT_EQ(-EINVAL, pidtrack_record_remove(path, record));
	tracker = kept_tracker(_metadata, &self->room);
	pidtrack_free(tracker);
	EXPECT_EQ(-EINVAL, pidtrack_record_remove(path, record));
	EXPECT_TRUE(is_pinned(&self->room, "web"));
	tracker = kept_tracker(_metadata, &self->room);
	EXPECT_EQ(0, pidtrack_record_remove(path, record));
	pidtrack_record_free(record);
	end_cleanly(_metadata, self, tracker);
}

/* ---- what is no pin of ours ---- */

TEST_RECOVER(half_a_pin_is_told_and_removed)
{
	struct pidtrack *tracker = kept_tracker(_metadata, &self->room);
	char path[200];

	path_of(self, "web", path);
	file_text(_metadata, path, "", 0600);
	expect_unrecovered(_metadata, tracker, "web", -ENODATA);
	EXPECT_FALSE(path_exists(path));
	end_cleanly(_metadata, self, tracker);
}

/* Who was to be pinned on it may execute yet. */
TEST_RECOVER(one_that_cannot_be_removed_is_not_said_to_be_nobodys)
{
	struct pidtrack *tracker = kept_tracker(_metadata, &self->room);
	char path[200];

	path_of(self, "web", path);
	file_text(_metadata, path, "", 0600);
	ASSERT_EQ(0, seccomp_refuse(SYS_unlinkat, EROFS));
	expect_unrecovered(_metadata, tracker, "web", -EROFS);
	EXPECT_TRUE(path_exists(path));
	pidtrack_free(tracker);
}

TEST_RECOVER(what_is_no_pidfd_is_told_and_left_alone)
{
	struct pidtrack *tracker = kept_tracker(_metadata, &self->room);
	char path[200];
	int i;

	path_of(self, "web", path);
	file_text(_metadata, path, "", 0600);
	ASSERT_EQ(0, mount("/dev/null", path, NULL, MS_BIND, NULL));
	for (i = 0; i < 2; i++)
		expect_unrecovered(_metadata, tracker, "web", -EBADF);
	pidtrack_free(tracker);
	EXPECT_EQ(1, mounts_at(path));
}

TEST_RECOVER(what_somebody_wrote_to_is_told_and_left_alone)
{
	struct pidtrack *tracker = kept_tracker(_metadata, &self->room);
	char path[200];

	path_of(self, "notes", path);
	file_text(_metadata, path, "of somebody's\n", 0600);
	expect_unrecovered(_metadata, tracker, "notes", -EBADF);
	EXPECT_TRUE(path_exists(path));
	ASSERT_EQ(0, unlink(path));
	end_cleanly(_metadata, self, tracker);
}

TEST_RECOVER(what_is_named_as_no_label_is_told_and_left_alone)
{
	struct pidtrack *tracker = kept_tracker(_metadata, &self->room);
	char path[200];

	path_of(self, "a%2F", path);
	file_text(_metadata, path, "", 0600);
	expect_unrecovered(_metadata, tracker, "a%2F", -EBADMSG);
	EXPECT_TRUE(path_exists(path));
	ASSERT_EQ(0, unlink(path));
	path_of(self, "a%0ab", path);
	file_text(_metadata, path, "", 0600);
	expect_unrecovered(_metadata, tracker, "a%0ab", -EBADMSG);
	pidtrack_free(tracker);
	EXPECT_EQ(2, mounts_at(self->room.path));
}

/* But nobody else is pinned. */
TEST_RECOVER(where_nothing_can_be_let_go_what_is_kept_is_recovered)
{
	struct pidtrack_process *process = NULL;
	struct pidtrack *tracker;
	uint32_t stage = 0;

	kill_host(_metadata, self);
	ASSERT_EQ(0, seccomp_refuse(SYS_umount2, EPERM));
	tracker = kept_tracker(_metadata, &self->room);
	EXPECT_EQ(-EOPNOTSUPP, kept_spawn(tracker, PIDTRACK_FD_NULL, "other",
					  SHIM("exit", "0"), &process, &stage));
	EXPECT_STREQ("keep", pidtrack_stage_name(stage));
	process = recover_one(_metadata, tracker, "web", PIDTRACK_VERDICT_SAME);
	gate_open(&self->gate);
	ASSERT_EXITED(tracker, process, 7 << 8);
	pidtrack_free(tracker);
}

TEST_RECOVER(a_second_host_is_refused_while_the_first_lives)
{
	struct pidtrack_process *process;
	struct pidtrack *tracker;

	doomed_start(_metadata, &self->doomed, &self->room, launch_one,
		     &self->gate);
	doomed_said(_metadata, &self->doomed);
	EXPECT_EQ(-EBUSY,
		  kept_tracker_new(_metadata, &self->room, 0, &tracker));
	doomed_kill(_metadata, &self->doomed);
	tracker = kept_tracker(_metadata, &self->room);
	process = recover_one(_metadata, tracker, "web", PIDTRACK_VERDICT_SAME);
	gate_open(&self->gate);
	ASSERT_EXITED(tracker, process, 7 << 8);
	end_cleanly(_metadata, self, tracker);
}

TEST_HARNESS_MAIN
