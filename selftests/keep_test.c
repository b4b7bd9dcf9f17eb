/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Keeping a process by a pin: from before it executes until its end is
 * acknowledged, and not a moment longer.
 */
#include <sched.h>

#include "files.h"
#include "kept.h"
#include "seccomp.h"

FIXTURE(keep)
{
	struct room room;
	struct gate gate;
	struct pidtrack *tracker;
	bool works;
};

FIXTURE_SETUP(keep)
{
	if (!kept_room_make(_metadata, &self->room))
		return;
	self->gate = gate_make(_metadata);
	self->tracker = kept_tracker(_metadata, &self->room);
	self->works = true;
}

FIXTURE_TEARDOWN(keep)
{
	if (self->works) {
		pidtrack_free(self->tracker);
		gate_open(&self->gate);
	}
	room_end(&self->room);
}

#define TEST_KEEP(test)                                             \
	static void test##_works(struct __test_metadata *_metadata, \
				 FIXTURE_DATA(keep) * self);        \
	TEST_F(keep, test)                                          \
	{                                                           \
		if (self->works)                                    \
			test##_works(_metadata, self);              \
	}                                                           \
	static void test##_works(struct __test_metadata *_metadata, \
				 FIXTURE_DATA(keep) * self)

static struct pidtrack_process *kept_at_gate(struct __test_metadata *_metadata,
					     FIXTURE_DATA(keep) * self,
					     const char *label)
{
	return kept_start(_metadata, self->tracker, self->gate.shim, label,
			  SHIM("wait", "exit", "7"));
}

static void free_tracker(struct __test_metadata *_metadata,
			 FIXTURE_DATA(keep) * self)
{
	self->tracker = pidtrack_free(self->tracker);
	EXPECT_NULL(self->tracker);
}

/* ---- as long as it is to be kept ---- */

TEST_KEEP(a_shim_is_pinned_before_it_executes)
{
	char script[200];
	struct pidtrack_process *process;
	const char *argv[] = { "/bin/sh", "-c", script, NULL };

	snprintf(script, sizeof(script),
		 "exec grep -q ' %s/web ' /proc/self/mountinfo",
		 self->room.pins);
	process = kept_start(_metadata, self->tracker, PIDTRACK_FD_NULL, "web",
			     argv);
	ASSERT_EXITED(self->tracker, process, 0);
}

TEST_KEEP(its_pin_goes_when_its_end_is_acknowledged)
{
	struct pidtrack_process *process = kept_at_gate(_metadata, self, "web");

	EXPECT_TRUE(is_pinned(&self->room, "web"));
	gate_open(&self->gate);
	ASSERT_EXITED(self->tracker, process, 7 << 8);
	EXPECT_TRUE(is_pinned(&self->room, "web"));
	ASSERT_NO_EVENT(self->tracker);
	EXPECT_FALSE(is_pinned(&self->room, "web"));
	EXPECT_EQ(-ESRCH, pidtrack_process_keep(process));
	pidtrack_process_free(process);
	free_tracker(_metadata, self);
	expect_clean(_metadata, &self->room);
}

TEST_KEEP(also_where_no_descriptor_is_left)
{
	struct pidtrack_process *process = kept_at_gate(_metadata, self, "web");
	struct rlimit before;

	gate_open(&self->gate);
	ASSERT_EXITED(self->tracker, process, 7 << 8);
	before = fds_leave(_metadata, 0);
	ASSERT_NO_EVENT(self->tracker);
	fds_restore(_metadata, before);
	EXPECT_FALSE(is_pinned(&self->room, "web"));
	free_tracker(_metadata, self);
	expect_clean(_metadata, &self->room);
}

TEST_KEEP(or_when_it_is_freed_after_that)
{
	struct pidtrack_process *process = kept_at_gate(_metadata, self, "web");

	gate_open(&self->gate);
	ASSERT_EXITED(self->tracker, process, 7 << 8);
	pidtrack_process_free(process);
	EXPECT_FALSE(is_pinned(&self->room, "web"));
	EXPECT_EQ(2, mounts_at(self->room.path));
}

TEST_KEEP(or_with_the_tracker_to_which_it_was_told)
{
	struct pidtrack_process *process = kept_at_gate(_metadata, self, "web");

	gate_open(&self->gate);
	ASSERT_EXITED(self->tracker, process, 7 << 8);
	free_tracker(_metadata, self);
	expect_clean(_metadata, &self->room);
}

TEST_KEEP(a_child_freed_while_it_runs_is_let_go_when_it_ends)
{
	struct pidtrack_process *process = kept_at_gate(_metadata, self, "web");
	int pidfd = dup(pidtrack_process_pidfd(process));

	pidtrack_process_free(process);
	EXPECT_TRUE(is_pinned(&self->room, "web"));
	gate_open(&self->gate);
	await_let_go(_metadata, self->tracker, &self->room, "web");
	/* the reaping follows with the next call */
	ASSERT_NO_EVENT(self->tracker);
	await_fd(pidfd, POLLHUP, -1);
	close(pidfd);
	free_tracker(_metadata, self);
	expect_clean(_metadata, &self->room);
}

TEST_KEEP(one_that_was_not_told_stays_pinned)
{
	struct pidtrack_process *process = kept_at_gate(_metadata, self, "web");
	pid_t pid = pidtrack_process_pid(process);
	int status;

	gate_open(&self->gate);
	process_await_exit(process);
	free_tracker(_metadata, self);
	EXPECT_TRUE(is_pinned(&self->room, "web"));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
}

TEST_KEEP(nor_is_one_that_was_stolen_before_it_was_told)
{
	struct pidtrack_process *process = kept_at_gate(_metadata, self, "web");
	pid_t pid = pidtrack_process_pid(process);
	int status;

	gate_open(&self->gate);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(is_pinned(&self->room, "web"));
	ASSERT_NEXT(self->tracker, process, PIDTRACK_EXITED,
		    PIDTRACK_EVENT_LAST, source_without_wait(), 7 << 8);
	EXPECT_TRUE(is_pinned(&self->room, "web"));
	ASSERT_NO_EVENT(self->tracker);
	EXPECT_FALSE(is_pinned(&self->room, "web"));
}

TEST_KEEP(a_hundred_come_and_go)
{
	struct pidtrack_process *processes[100];
	const struct pidtrack_event *event;
	char label[16];
	int i;

	for (i = 0; i < 100; i++) {
		snprintf(label, sizeof(label), "%d", i);
		processes[i] = kept_at_gate(_metadata, self, label);
	}
	EXPECT_EQ(102, mounts_at(self->room.path));
	gate_open(&self->gate);
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(1, pidtrack_wait(self->tracker, awhile_ms(), &event));
		EXPECT_EQ(7 << 8, event->status);
		EXPECT_EQ(102 - i, mounts_at(self->room.path));
	}
	free_tracker(_metadata, self);
	expect_clean(_metadata, &self->room);
	EXPECT_TRUE(processes[99] != NULL);
}

/* The next host's is another, of which that one would tell nothing. */
TEST_KEEP(who_follows_the_directory_is_told_when_it_is_given_up)
{
	struct pidtrack_process *process = kept_at_gate(_metadata, self, "web");
	struct pidtrack_registry *registry, *late;
	const struct pidtrack_found *found;

	ASSERT_EQ(0,
		  pidtrack_registry_open(self->room.pins,
					 PIDTRACK_REGISTRY_FOLLOW, &registry));
	ASSERT_EQ(0, pidtrack_registry_open(self->room.pins,
					    PIDTRACK_REGISTRY_FOLLOW, &late));
	ASSERT_EQ(1, pidtrack_registry_next(registry, NULL, &found));
	EXPECT_STREQ("web", found->name);
	EXPECT_EQ(0, pidtrack_registry_next(registry, NULL, &found));
	gate_open(&self->gate);
	ASSERT_EXITED(self->tracker, process, 7 << 8);
	free_tracker(_metadata, self);
	EXPECT_EQ(POLLIN, await_fd(pidtrack_registry_fd(registry), POLLIN,
				   awhile_ms()));
	ASSERT_EQ(1, pidtrack_registry_next(registry, NULL, &found));
	EXPECT_EQ(PIDTRACK_REMOVED, found->change);
	EXPECT_EQ(-ESTALE, pidtrack_registry_next(registry, NULL, &found));
	EXPECT_EQ(-ESTALE, pidtrack_registry_next(registry, NULL, &found));
	pidtrack_registry_free(registry);
	EXPECT_EQ(-ESTALE, pidtrack_registry_next(late, NULL, &found));
	pidtrack_registry_free(late);
	expect_clean(_metadata, &self->room);
}

TEST_KEEP(with_a_thread_of_its_own_it_is_the_same)
{
	struct pidtrack_process *process;

	pidtrack_free(self->tracker);
	ASSERT_EQ(0, kept_tracker_new(_metadata, &self->room, PIDTRACK_THREAD,
				      &self->tracker));
	process = kept_at_gate(_metadata, self, "web");
	EXPECT_TRUE(is_pinned(&self->room, "web"));
	gate_open(&self->gate);
	ASSERT_EXITED(self->tracker, process, 7 << 8);
	ASSERT_NO_EVENT(self->tracker);
	EXPECT_FALSE(is_pinned(&self->room, "web"));
	free_tracker(_metadata, self);
	expect_clean(_metadata, &self->room);
}

TEST_KEEP(a_child_of_fork_undoes_nothing)
{
	struct pidtrack_process *process = kept_at_gate(_metadata, self, "web");
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		EXPECT_NULL(pidtrack_free(self->tracker));
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(is_pinned(&self->room, "web"));
	gate_open(&self->gate);
	ASSERT_EXITED(self->tracker, process, 7 << 8);
	ASSERT_NO_EVENT(self->tracker);
	EXPECT_FALSE(is_pinned(&self->room, "web"));
}

/* ---- labels ---- */

TEST_KEEP(any_label_is_recovered_as_it_was)
{
	static char slashes[86], utf8[86], dots[256];
	static const char *const labels[] = {
		"/",   ".",	  "..", ".hidden", "%",	 "%2f", "a/../b",
		"a b", "a\"b\\c", "-x", slashes,   utf8, dots,
	};
	struct pidtrack_process *process;
	size_t i;

	memset(slashes, '/', 85);
	for (i = 0; i < 84; i += 2)
		memcpy(utf8 + i, "\xc3\xa9", 2);
	memset(dots, 'a', 255);
	for (i = 0; i < ARRAY_SIZE(labels); i++) {
		struct gate gate = gate_make(_metadata);
		pid_t pid;

		process = kept_start(_metadata, self->tracker, gate.shim,
				     labels[i], SHIM("wait"));
		pid = pidtrack_process_pid(process);
		EXPECT_EQ(3, mounts_at(self->room.path));
		pidtrack_free(self->tracker);
		self->tracker = kept_tracker(_metadata, &self->room);
		process = recover_one(_metadata, self->tracker, labels[i],
				      PIDTRACK_VERDICT_SAME);
		EXPECT_EQ(pid, pidtrack_process_pid(process));
		gate_open(&gate);
		ASSERT_EXITED(self->tracker, process, 0);
		ASSERT_NO_EVENT(self->tracker);
		EXPECT_EQ(2, mounts_at(self->room.path));
	}
}

TEST_KEEP(a_label_too_long_for_a_name_is_refused)
{
	struct pidtrack_process *process = NULL;
	char label[256] = "";
	uint32_t stage = 0;

	memset(label, '/', 255);
	EXPECT_EQ(-ENAMETOOLONG,
		  kept_spawn(self->tracker, PIDTRACK_FD_NULL, label,
			     SHIM("exit", "0"), &process, &stage));
	EXPECT_EQ(PIDTRACK_STAGE_KEEP, stage);
	EXPECT_FALSE(child_is_any());
}

/* ---- launches that fail ---- */

/* It fails so, and nothing is left of it: no pin, no file, no process. */
static void keep_fails(struct __test_metadata *_metadata,
		       FIXTURE_DATA(keep) * self,
		       const struct pidtrack_spawn_options *options, int r,
		       uint32_t stage)
{
	struct directory pins;
	struct pidtrack_process *process = NULL;
	uint32_t seen = 0;
	int fds = fds_count();

	snprintf(pins.path, sizeof(pins.path), "%.60s", self->room.pins);
	EXPECT_EQ(r, pidtrack_spawn(self->tracker, options, &process, &seen));
	EXPECT_STREQ(pidtrack_stage_name(stage), pidtrack_stage_name(seen));
	EXPECT_STREQ(".pidtrack-pins ", directory_list(&pins));
	EXPECT_EQ(2, mounts_at(self->room.path));
	EXPECT_FALSE(child_is_any());
	EXPECT_EQ(fds, fds_count());
}

TEST_KEEP(no_pin_is_left_of_a_launch_that_fails)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("exit", "0"), .flags = KEEP,
				       .label = "web");

	options.program = "/nonexistent";
	keep_fails(_metadata, self, &options, -ENOENT, PIDTRACK_STAGE_EXEC);
	options.program = NULL;
	options.cwd = "/nonexistent";
	keep_fails(_metadata, self, &options, -ENOENT, PIDTRACK_STAGE_CWD);
	options.cwd = NULL;
	options.record = "/nonexistent/record";
	keep_fails(_metadata, self, &options, -ENOENT, PIDTRACK_STAGE_RECORD);
	options.record = NULL;
	options.flags |= PIDTRACK_SPAWN_PGID;
	options.pgid = 1;
	keep_fails(_metadata, self, &options, -EPERM, PIDTRACK_STAGE_SESSION);
	options.flags = KEEP | PIDTRACK_SPAWN_UID;
	options.uid = 65534;
	options.program = "/nonexistent";
	keep_fails(_metadata, self, &options, -ENOENT, PIDTRACK_STAGE_EXEC);
}

TEST_KEEP(nor_of_one_for_want_of_a_descriptor)
{
	struct pidtrack_process *process = NULL;
	int n, r = -EMFILE;

	for (n = 0; r; n++) {
		struct rlimit before = fds_leave(_metadata, n);

		r = kept_spawn(self->tracker, PIDTRACK_FD_NULL, "web",
			       SHIM("exit", "0"), &process, NULL);
		fds_restore(_metadata, before);
		if (r)
			ASSERT_EQ(-EMFILE, r);
		if (r)
			EXPECT_FALSE(is_pinned(&self->room, "web"));
	}
	EXPECT_GT(n, 2);
	ASSERT_EXITED(self->tracker, process, 0);
}

TEST_KEEP(a_label_that_is_kept_is_refused_and_stays)
{
	struct pidtrack_process *process = kept_at_gate(_metadata, self, "web");
	struct pidtrack_process *other = NULL;
	uint32_t stage = 0;

	EXPECT_EQ(-EEXIST, kept_spawn(self->tracker, PIDTRACK_FD_NULL, "web",
				      SHIM("exit", "0"), &other, &stage));
	EXPECT_EQ(PIDTRACK_STAGE_KEEP, stage);
	EXPECT_TRUE(is_pinned(&self->room, "web"));
	gate_open(&self->gate);
	ASSERT_EXITED(self->tracker, process, 7 << 8);
	ASSERT_NO_EVENT(self->tracker);
	other = kept_start(_metadata, self->tracker, PIDTRACK_FD_NULL, "web",
			   SHIM("exit", "0"));
	ASSERT_EXITED(self->tracker, other, 0);
}

TEST_KEEP(where_there_may_be_no_more_mounts_it_fails)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("exit", "0"), .flags = KEEP,
				       .label = "web");

	ASSERT_EQ(0, seccomp_refuse(SYS_move_mount, ENOSPC));
	keep_fails(_metadata, self, &options, -ENOSPC, PIDTRACK_STAGE_KEEP);
	options.flags = 0;
	pidtrack_process_free(({
		struct pidtrack_process *process = NULL;

		ASSERT_EQ(0, pidtrack_spawn(self->tracker, &options, &process,
					    NULL));
		ASSERT_EXITED(self->tracker, process, 0);
		process;
	}));
}

TEST_KEEP(a_child_killed_as_it_is_pinned_leaves_nothing)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("exit", "0"), .flags = KEEP,
				       .label = "web");

	ASSERT_EQ(0, seccomp_kill(SYS_move_mount));
	keep_fails(_metadata, self, &options, -ECANCELED, PIDTRACK_STAGE_KEEP);
}

TEST_KEEP(a_child_killed_once_it_is_pinned_leaves_nothing)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("exit", "0"),
				       .flags = KEEP | PIDTRACK_SPAWN_UMASK,
				       .label = "web");

	ASSERT_EQ(0, seccomp_kill(SYS_umask));
	keep_fails(_metadata, self, &options, -ECANCELED,
		   PIDTRACK_STAGE_LIMITS);
}

TEST_KEEP(a_directory_that_was_unmounted_is_told)
{
	struct pidtrack_process *process = NULL;
	uint32_t stage = 0;

	ASSERT_EQ(0, umount2(self->room.pins, MNT_DETACH));
	EXPECT_EQ(-ESTALE, kept_spawn(self->tracker, PIDTRACK_FD_NULL, "web",
				      SHIM("exit", "0"), &process, &stage));
	EXPECT_EQ(PIDTRACK_STAGE_KEEP, stage);
	EXPECT_FALSE(child_is_any());
}

TEST_KEEP(in_every_way_of_cloning_it_is_pinned)
{
	static const int refused[] = { SYS_clone3, SYS_close_range };
	struct pidtrack_process *process;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(refused); i++) {
		struct gate gate = gate_make(_metadata);

		ASSERT_EQ(0, seccomp_refuse(refused[i], ENOSYS));
		process = kept_start(_metadata, self->tracker, gate.shim, "web",
				     SHIM("wait", "exit", "7"));
		EXPECT_TRUE(is_pinned(&self->room, "web"));
		gate_open(&gate);
		ASSERT_EXITED(self->tracker, process, 7 << 8);
		ASSERT_NO_EVENT(self->tracker);
	}
}

/* The lock is of the process: what its children close is not ours. */
TEST_KEEP(no_launch_gives_the_lock_away)
{
	struct pidtrack *other;
	int i, status;

	for (i = 0; i < 20; i++) {
		struct pidtrack_process *process =
			kept_start(_metadata, self->tracker, PIDTRACK_FD_NULL,
				   "web", SHIM("exit", "0"));
		pid_t pid;

		ASSERT_EXITED(self->tracker, process, 0);
		ASSERT_NO_EVENT(self->tracker);
		pid = fork();
		if (!pid) {
			EXPECT_EQ(-EBUSY,
				  kept_tracker_new(_metadata, &self->room, 0,
						   &other));
			_exit(0);
		}
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
	}
	EXPECT_EQ(-EBUSY, kept_tracker_new(_metadata, &self->room, 0, &other));
}

/* As a host that goes on in the background after it has made its tracker. */
static void go_on(struct __test_metadata *_metadata, FIXTURE_DATA(keep) * self,
		  pid_t parent)
{
	struct pidtrack *own, *other;
	int status;
	pid_t pid;

	while (getppid() == parent)
		sched_yield();
	ASSERT_EQ(0, kept_tracker_new(_metadata, &self->room, 0, &own));
	pidtrack_free(self->tracker);
	pid = fork();
	if (!pid) {
		EXPECT_EQ(-EBUSY,
			  kept_tracker_new(_metadata, &self->room, 0, &other));
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	pidtrack_free(own);
}

TEST_KEEP(nor_does_a_copy_that_is_freed)
{
	pid_t parent;
	int status;

	free_tracker(_metadata, self);
	parent = fork();
	if (!parent) {
		self->tracker = kept_tracker(_metadata, &self->room);
		parent = getpid();
		if (!fork())
			go_on(_metadata, self, parent);
		_exit(0);
	}
	while (waitpid(-1, &status, 0) > 0)
		EXPECT_EQ(0, status);
	expect_clean(_metadata, &self->room);
}

/* ---- namespaces ---- */

static void keep_in(struct __test_metadata *_metadata,
		    FIXTURE_DATA(keep) * self, uint64_t namespaces,
		    const char *record)
{
	struct pidtrack_fd_map fds[] = { { .child_fd = 0,
					   .fd = self->gate.shim } };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("wait", "exit", "7"),
				       .flags = KEEP, .label = "web",
				       .namespaces = namespaces, .fds = fds,
				       .n_fds = 1, .record = record);
	struct pidtrack_process *process = NULL;
	struct stat ours, its;
	uint32_t stage = 0;
	char path[64];

	if (sandbox_refuses("unshare"))
		SKIP(return, "the sandbox has no launch unshare anything");
	ASSERT_EQ(0, pidtrack_spawn(self->tracker, &options, &process, &stage))
	{
		TH_LOG("at stage %s", pidtrack_stage_name(stage));
	}
	EXPECT_TRUE(is_pinned(&self->room, "web"));
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt",
		 pidtrack_process_pid(process));
	ASSERT_EQ(0, stat("/proc/self/ns/mnt", &ours));
	ASSERT_EQ(0, stat(path, &its));
	EXPECT_EQ(!!(namespaces & CLONE_NEWNS), ours.st_ino != its.st_ino);
	gate_open(&self->gate);
	ASSERT_EXITED(self->tracker, process, 7 << 8);
	ASSERT_NO_EVENT(self->tracker);
	EXPECT_EQ(2, mounts_at(self->room.path));
	if (record)
		EXPECT_EQ(0, unlink(record));
}

TEST_KEEP(in_a_mount_namespace_of_its_own_it_is_pinned_in_ours)
{
	keep_in(_metadata, self, CLONE_NEWNS, NULL);
}

TEST_KEEP(in_others_of_its_own_it_is_too)
{
	char record[80];

	snprintf(record, sizeof(record), "%.60s/record", self->room.path);
	keep_in(_metadata, self,
		CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS,
		record);
}

TEST_KEEP(without_clone3_it_is_too)
{
	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, EPERM));
	keep_in(_metadata, self, CLONE_NEWNS | CLONE_NEWPID, NULL);
}

TEST_KEEP(in_a_user_namespace_of_its_own_it_cannot_be)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("exit", "7"), .flags = KEEP,
				       .label = "web",
				       .namespaces = CLONE_NEWUSER);
	struct pidtrack_process *process = NULL;
	uint32_t stage = 0;

	EXPECT_EQ(-EOPNOTSUPP,
		  pidtrack_spawn(self->tracker, &options, &process, &stage));
	EXPECT_EQ(PIDTRACK_STAGE_OPTIONS, stage);
	EXPECT_NULL(process);
	EXPECT_FALSE(is_pinned(&self->room, "web"));
}

/* ---- one that runs already ---- */

TEST_KEEP(one_that_runs_already_is_kept)
{
	struct pidtrack_fd_map fds[] = { { .child_fd = 0,
					   .fd = self->gate.shim } };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("wait", "exit", "7"),
				       .label = "web", .fds = fds, .n_fds = 1);
	struct pidtrack_process *process = NULL;

	ASSERT_EQ(0, pidtrack_spawn(self->tracker, &options, &process, NULL));
	EXPECT_EQ(2, mounts_at(self->room.path));
	EXPECT_EQ(0, pidtrack_process_keep(process));
	EXPECT_TRUE(is_pinned(&self->room, "web"));
	EXPECT_EQ(-EEXIST, pidtrack_process_keep(process));
	EXPECT_TRUE(is_pinned(&self->room, "web"));
	gate_open(&self->gate);
	ASSERT_EXITED(self->tracker, process, 7 << 8);
	ASSERT_NO_EVENT(self->tracker);
	free_tracker(_metadata, self);
	expect_clean(_metadata, &self->room);
}

TEST_KEEP(one_without_a_label_is_not)
{
	struct pidtrack_process *process = shim_start(
		_metadata, self->tracker, self->gate.shim, SHIM("wait"));

	EXPECT_EQ(-EINVAL, pidtrack_process_keep(process));
	gate_open(&self->gate);
	ASSERT_EXITED(self->tracker, process, 0);
}

TEST_KEEP(one_that_ended_can_be_kept_until_it_is_acknowledged)
{
	struct pidtrack_fd_map fds[] = { { .child_fd = 0,
					   .fd = self->gate.shim } };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("wait", "exit", "7"),
				       .label = "web", .fds = fds, .n_fds = 1);
	struct pidtrack_process *process = NULL;

	ASSERT_EQ(0, pidtrack_spawn(self->tracker, &options, &process, NULL));
	gate_open(&self->gate);
	process_await_exit(process);
	EXPECT_EQ(0, pidtrack_process_keep(process));
	ASSERT_EXITED(self->tracker, process, 7 << 8);
	EXPECT_TRUE(is_pinned(&self->room, "web"));
	ASSERT_NO_EVENT(self->tracker);
	EXPECT_FALSE(is_pinned(&self->room, "web"));
	EXPECT_EQ(-ESRCH, pidtrack_process_keep(process));
}

TEST_KEEP(where_that_fails_nothing_is_left)
{
	struct pidtrack_fd_map fds[] = { { .child_fd = 0,
					   .fd = self->gate.shim } };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("wait"), .label = "web",
				       .fds = fds, .n_fds = 1);
	struct pidtrack_process *process = NULL;
	char path[100];

	ASSERT_EQ(0, pidtrack_spawn(self->tracker, &options, &process, NULL));
	ASSERT_EQ(0, seccomp_refuse(SYS_move_mount, ENOSPC));
	EXPECT_EQ(-ENOSPC, pidtrack_process_keep(process));
	snprintf(path, sizeof(path), "%s/web", self->room.pins);
	EXPECT_FALSE(path_exists(path));
	gate_open(&self->gate);
	ASSERT_EXITED(self->tracker, process, 0);
}

/* Or half of what says whose the directory is would keep the next host out. */
TEST_KEEP(where_no_file_may_grow_there_is_no_directory)
{
	struct pidtrack_options options =
		PIDTRACK_OPTIONS(.pins = self->room.pins);
	struct rlimit few, before;
	const char *wanting = wants_limits();

	if (wanting)
		SKIP(return, "%s", wanting);
	free_tracker(_metadata, self);
	ASSERT_EQ(0, getrlimit(RLIMIT_FSIZE, &before));
	few = before;
	for (few.rlim_cur = 0; few.rlim_cur <= 20; few.rlim_cur += 20) {
		ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &few));
		EXPECT_EQ(-EFBIG, pidtrack_new(&options, &self->tracker));
	}
	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &before));
	self->tracker = kept_tracker(_metadata, &self->room);
	free_tracker(_metadata, self);
	expect_clean(_metadata, &self->room);
}

TEST(without_a_directory_nothing_is_kept)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("exit", "0"),
				       .label = "web");
	struct pidtrack_process *process = NULL;
	struct pidtrack_recovery *recovery = NULL;

	EXPECT_EQ(-EINVAL, pidtrack_recover(tracker, &recovery));
	ASSERT_EQ(0, pidtrack_spawn(tracker, &options, &process, NULL));
	EXPECT_EQ(-EINVAL, pidtrack_process_keep(process));
	ASSERT_EXITED(tracker, process, 0);
	pidtrack_free(tracker);
}

/* ---- what others do to it ---- */

TEST_KEEP(what_was_unmounted_and_removed_already_is_no_trouble)
{
	struct pidtrack_process *process = kept_at_gate(_metadata, self, "web");
	char path[100];

	snprintf(path, sizeof(path), "%s/web", self->room.pins);
	ASSERT_EQ(0, umount2(path, MNT_DETACH));
	ASSERT_EQ(0, unlink(path));
	gate_open(&self->gate);
	ASSERT_EXITED(self->tracker, process, 7 << 8);
	ASSERT_NO_EVENT(self->tracker);
	free_tracker(_metadata, self);
	expect_clean(_metadata, &self->room);
}

TEST_KEEP(what_others_mounted_there_is_never_unmounted)
{
	struct pidtrack_process *process = kept_at_gate(_metadata, self, "web");
	char path[100];

	snprintf(path, sizeof(path), "%s/web", self->room.pins);
	ASSERT_EQ(0, mount("/dev/null", path, NULL, MS_BIND, NULL));
	gate_open(&self->gate);
	ASSERT_EXITED(self->tracker, process, 7 << 8);
	ASSERT_NO_EVENT(self->tracker);
	EXPECT_EQ(2, mounts_at(path));
	free_tracker(_metadata, self);
	EXPECT_EQ(2, mounts_at(path));
}

/* ---- where it is refused ---- */

TEST_KEEP(without_the_right_a_tracker_says_so_and_works_without)
{
	struct pidtrack *tracker = NULL;

	free_tracker(_metadata, self);
	ASSERT_EQ(0, seccomp_refuse(SYS_open_tree, EPERM));
	EXPECT_EQ(-EPERM,
		  kept_tracker_new(_metadata, &self->room, 0, &tracker));
	expect_clean(_metadata, &self->room);
	tracker = tracker_start(_metadata, 0);
	ASSERT_EXITED(tracker,
		      shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
				 SHIM("exit", "3")),
		      3 << 8);
	pidtrack_free(tracker);
}

/* Or pins would stay, and the labels they are called by. */
TEST_KEEP(so_it_is_where_what_is_pinned_could_not_be_let_go)
{
	static const int refused[] = { SYS_umount2, SYS_unlinkat };
	size_t i;

	free_tracker(_metadata, self);
	for (i = 0; i < ARRAY_SIZE(refused); i++) {
		int status;
		pid_t pid = fork();

		if (!pid) {
			struct pidtrack *tracker = NULL;

			ASSERT_EQ(0, seccomp_refuse(refused[i], EPERM));
			EXPECT_EQ(-EOPNOTSUPP,
				  kept_tracker_new(_metadata, &self->room, 0,
						   &tracker));
			_exit(0);
		}
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(0, status);
		expect_clean(_metadata, &self->room);
	}
}

TEST_KEEP(as_another_user_a_tracker_says_so)
{
	struct pidtrack *tracker = NULL;
	int status;
	pid_t pid;

	free_tracker(_metadata, self);
	pid = fork();
	if (!pid) {
		ASSERT_EQ(0, syscall(SYS_setresuid, 65534, 65534, 65534));
		EXPECT_EQ(-EPERM, kept_tracker_new(_metadata, &self->room, 0,
						   &tracker));
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	expect_clean(_metadata, &self->room);
}

TEST_HARNESS_MAIN
