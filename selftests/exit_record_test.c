/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * How a process ended, beside its record: there before the host is told, and
 * never of another process.
 */
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <time.h>

#include "files.h"
#include "seccomp.h"
#include "verified.h"

FIXTURE(exit)
{
	struct pidtrack *tracker;
	struct gate gate;
	struct directory directory;
	struct path path;
	struct path exit;
	struct path previous;
};

FIXTURE_SETUP(exit)
{
	self->tracker = tracker_start(_metadata, 0);
	self->gate = gate_make(_metadata);
	directory_make(_metadata, &self->directory);
	self->path = path_in(&self->directory, "web");
	self->exit = path_in(&self->directory, "web.exit");
	self->previous = path_in(&self->directory, "web.exit.previous");
}

FIXTURE_TEARDOWN(exit)
{
	if (self->gate.host >= 0)
		gate_open(&self->gate);
	self->tracker = pidtrack_free(self->tracker);
	directory_remove(&self->directory);
}

#define EXIT_RECORD PIDTRACK_SPAWN_EXIT_RECORD

/* A shim that waits at @gate, with a record and @flags. */
static int launch(struct pidtrack *tracker, const struct gate *gate,
		  const char *path, const char *const *argv, uint32_t flags,
		  struct pidtrack_process **ret_process)
{
	struct pidtrack_fd_map fds[] = { { .child_fd = 0, .fd = gate->shim } };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.flags = flags, .argv = argv, .fds = fds,
				       .n_fds = 1, .record = path,
				       .label = "web 1");

	return pidtrack_spawn(tracker, &options, ret_process, NULL);
}

static struct pidtrack_process *start_exiting(struct __test_metadata *_metadata,
					      FIXTURE_DATA(exit) * self)
{
	struct pidtrack_process *process = NULL;

	ASSERT_EQ(0, launch(self->tracker, &self->gate, self->path.text,
			    SHIM("wait", "exit", "7"), EXIT_RECORD, &process));
	return process;
}

static struct gate *open_again(struct __test_metadata *_metadata,
			       FIXTURE_DATA(exit) * self)
{
	gate_open(&self->gate);
	self->gate = gate_make(_metadata);
	return &self->gate;
}

static int64_t realtime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static struct pidtrack_record *exit_record_at(struct __test_metadata *_metadata,
					      const char *path)
{
	struct pidtrack_record *record = NULL;

	ASSERT_EQ(0, pidtrack_record_read(path, &record))
	{
		TH_LOG("%s", path);
	}
	ASSERT_EQ(PIDTRACK_RECORD_EXIT, pidtrack_record_format(record));
	EXPECT_STREQ("exit", pidtrack_record_format_name(
				     pidtrack_record_format(record)));
	return record;
}

static struct pidtrack_ending ending_at(struct __test_metadata *_metadata,
					const char *path)
{
	struct pidtrack_record *record = exit_record_at(_metadata, path);
	struct pidtrack_ending ending = { 0 };

	EXPECT_EQ(0, pidtrack_record_ending(record, &ending, sizeof(ending)));
	pidtrack_record_free(record);
	return ending;
}

#define EXPECT_ENDING(path, source_, status_)                                \
	do {                                                                 \
		struct pidtrack_ending ending_ = ending_at(_metadata, path); \
		EXPECT_STREQ(pidtrack_source_name(source_),                  \
			     pidtrack_source_name(ending_.source));          \
		EXPECT_EQ((source_) == PIDTRACK_SOURCE_UNKNOWN ? -1 :        \
								 (status_),  \
			  ending_.status);                                   \
	} while (0)

/* What the call has to say of a record that was read from there. */
static int ending_of(FIXTURE_DATA(exit) * self,
		     const struct pidtrack_record *record,
		     struct pidtrack_ending *ret_ending)
{
	return pidtrack_ending_read(self->path.text, record, ret_ending,
				    sizeof(*ret_ending));
}

/* ---- when it is there ---- */

TEST_F_WANTS(exit, it_is_there_when_the_host_is_told, numbers)
{
	struct pidtrack_process *process = start_exiting(_metadata, self);
	struct pidtrack_record *record = record_at(_metadata, self->path.text);
	struct pidtrack_ending ending = { 0 };
	struct pidtrack_record *exit_record;
	int64_t before = realtime_ns();
	struct stat st;

	EXPECT_EQ(-ENOENT, ending_of(self, record, &ending));
	EXPECT_STREQ("web ", directory_list(&self->directory));
	gate_open(&self->gate);
	ASSERT_EXITED(self->tracker, process, 7 << 8);
	EXPECT_FALSE(pidfd_is_reaped(pidtrack_process_pidfd(process)));

	EXPECT_STREQ("web web.exit ", directory_list(&self->directory));
	ASSERT_EQ(0, lstat(self->exit.text, &st));
	EXPECT_EQ(S_IFREG | 0600, st.st_mode);
	exit_record = exit_record_at(_metadata, self->exit.text);
	EXPECT_STREQ("web 1", pidtrack_record_label(exit_record));
	EXPECT_EQ(pidtrack_record_pid(record),
		  pidtrack_record_pid(exit_record));
	EXPECT_STREQ(pidtrack_record_fingerprint(record),
		     pidtrack_record_fingerprint(exit_record));
	EXPECT_VERDICT(PIDTRACK_VERDICT_EXITED, self->tracker, exit_record);

	ASSERT_EQ(0, ending_of(self, record, &ending));
	EXPECT_EQ(7 << 8, ending.status);
	EXPECT_EQ(PIDTRACK_SOURCE_WAITED, ending.source);
	EXPECT_GE(ending.ended_ns, before);
	EXPECT_LE(ending.ended_ns, realtime_ns());
	EXPECT_LE(ending.started_ns, ending.ended_ns);
	EXPECT_GE(ending.started_ns, before - 60 * INT64_C(1000000000));
	ASSERT_NO_EVENT(self->tracker);
	EXPECT_VERDICT(PIDTRACK_VERDICT_GONE, self->tracker, exit_record);
	EXPECT_EQ(0, ending_of(self, record, &ending));
	EXPECT_EQ(0, tracker_statistics(self->tracker).unrecorded);
	pidtrack_record_free(exit_record);
	pidtrack_record_free(record);
}

TEST_F(exit, a_signal_is_recorded_as_the_status_it_is)
{
	struct pidtrack_process *process = start_exiting(_metadata, self);

	ASSERT_EQ(0, pidtrack_process_signal(process, SIGKILL));
	ASSERT_EXITED(self->tracker, process, SIGKILL);
	EXPECT_ENDING(self->exit.text, PIDTRACK_SOURCE_WAITED, SIGKILL);
}

TEST_F(exit, it_may_be_synchronous)
{
	struct pidtrack_process *process;

	ASSERT_EQ(0,
		  launch(self->tracker, &self->gate, self->path.text,
			 SHIM("wait", "exit", "7"),
			 EXIT_RECORD | PIDTRACK_SPAWN_RECORD_SYNC, &process));
	gate_open(&self->gate);
	ASSERT_EXITED(self->tracker, process, 7 << 8);
	EXPECT_ENDING(self->exit.text, PIDTRACK_SOURCE_WAITED, 7 << 8);
}

TEST_F(exit, there_is_none_unless_it_was_asked_for)
{
	struct pidtrack_process *process;

	ASSERT_EQ(0, launch(self->tracker, &self->gate, self->path.text,
			    SHIM("wait", "exit", "7"), 0, &process));
	gate_open(&self->gate);
	ASSERT_EXITED(self->tracker, process, 7 << 8);
	EXPECT_STREQ("web ", directory_list(&self->directory));
}

/* As every event of a child that is freed is silent, and it is reaped. */
static void await_reaped(struct __test_metadata *_metadata,
			 struct pidtrack *tracker, int pidfd)
{
	while (!pidfd_is_reaped(pidfd)) {
		ASSERT_TRUE(tracker_await(tracker));
		ASSERT_NO_EVENT(tracker);
	}
}

TEST_F(exit, of_a_child_freed_while_it_ran_it_is_there_all_the_same)
{
	struct pidtrack_process *process = start_exiting(_metadata, self);
	int pidfd = dup(pidtrack_process_pidfd(process));

	pidtrack_process_free(process);
	EXPECT_STREQ("web ", directory_list(&self->directory));
	gate_open(&self->gate);
	await_reaped(_metadata, self->tracker, pidfd);
	EXPECT_ENDING(self->exit.text, PIDTRACK_SOURCE_WAITED, 7 << 8);
	close(pidfd);
}

TEST_F(exit, of_one_freed_with_its_end_untold_it_is_there)
{
	struct pidtrack_process *first = start_exiting(_metadata, self);
	struct pidtrack_process *second = NULL, *other;
	struct path path = path_in(&self->directory, "db");
	const struct pidtrack_event *event;
	int pidfd;

	ASSERT_EQ(0, launch(self->tracker, &self->gate, path.text,
			    SHIM("wait", "exit", "7"), EXIT_RECORD, &second));
	gate_open(&self->gate);
	process_await_exit(first);
	process_await_exit(second);
	ASSERT_EQ(1, pidtrack_wait(self->tracker, awhile_ms(), &event));
	other = event->process == first ? second : first;
	pidfd = dup(pidtrack_process_pidfd(other));
	pidtrack_process_free(other);
	while (!pidfd_is_reaped(pidfd))
		ASSERT_NO_EVENT(self->tracker);
	EXPECT_STREQ("db db.exit web web.exit ",
		     directory_list(&self->directory));
	EXPECT_ENDING(self->exit.text, PIDTRACK_SOURCE_WAITED, 7 << 8);
	EXPECT_ENDING(path_in(&self->directory, "db.exit").text,
		      PIDTRACK_SOURCE_WAITED, 7 << 8);
	close(pidfd);
}

TEST_F(exit, a_tracker_that_is_freed_leaves_an_untold_end_untold)
{
	struct pidtrack_process *process = start_exiting(_metadata, self);
	pid_t pid = pidtrack_process_pid(process);

	gate_open(&self->gate);
	process_await_exit(process);
	self->tracker = pidtrack_free(self->tracker);
	EXPECT_STREQ("web ", directory_list(&self->directory));
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	self->tracker = NULL;
}

TEST_F(exit, a_copy_of_fork_records_nothing)
{
	struct pidtrack_process *process = start_exiting(_metadata, self);
	int status;
	pid_t pid;

	gate_open(&self->gate);
	process_await_exit(process);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		pidtrack_free(self->tracker);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_STREQ("web ", directory_list(&self->directory));
	ASSERT_EXITED(self->tracker, process, 7 << 8);
}

TEST_F(exit, with_a_thread_of_the_trackers_it_is_the_same)
{
	struct pidtrack_process *process;
	struct pidtrack *tracker = tracker_start(_metadata, PIDTRACK_THREAD);

	ASSERT_EQ(0, launch(tracker, &self->gate, self->path.text,
			    SHIM("wait", "exit", "7"), EXIT_RECORD, &process));
	gate_open(&self->gate);
	ASSERT_EXITED(tracker, process, 7 << 8);
	EXPECT_ENDING(self->exit.text, PIDTRACK_SOURCE_WAITED, 7 << 8);
	pidtrack_free(tracker);
}

/* ---- where it is ---- */

TEST_F(exit, a_relative_path_is_that_of_the_launch)
{
	struct pidtrack_process *process;

	ASSERT_EQ(0, chdir(self->directory.path));
	ASSERT_EQ(0, launch(self->tracker, &self->gate, "web",
			    (const char *const[]){ "/bin/sh", "-c",
						   "read x; exit 7", NULL },
			    EXIT_RECORD, &process));
	ASSERT_EQ(0, chdir("/"));
	gate_open(&self->gate);
	ASSERT_EXITED(self->tracker, process, 7 << 8);
	EXPECT_ENDING(self->exit.text, PIDTRACK_SOURCE_WAITED, 7 << 8);
}

TEST_F(exit, its_mode_is_nobodys_mask)
{
	struct pidtrack_process *process = start_exiting(_metadata, self);
	struct stat st;

	gate_open(&self->gate);
	umask(0277);
	ASSERT_EXITED(self->tracker, process, 7 << 8);
	umask(022);
	ASSERT_EQ(0, stat(self->exit.text, &st));
	EXPECT_EQ(S_IFREG | 0600, st.st_mode);
}

TEST_F(exit, it_wants_a_record_and_room_for_a_longer_name)
{
	char name[300], path[400];
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.flags = EXIT_RECORD,
				       .argv = SHIM("exit", "7"));
	struct pidtrack_process *process = NULL;
	uint32_t stage;

	EXPECT_EQ(-EINVAL,
		  pidtrack_spawn(self->tracker, &options, &process, &stage));
	EXPECT_EQ(PIDTRACK_STAGE_OPTIONS, stage);
	memset(name, 'x', sizeof(name));
	name[255 - strlen(".exit.previous") + 1] = '\0';
	snprintf(path, sizeof(path), "%s/%s", self->directory.path, name);
	options.record = path;
	EXPECT_EQ(-ENAMETOOLONG,
		  pidtrack_spawn(self->tracker, &options, &process, &stage));
	EXPECT_EQ(PIDTRACK_STAGE_RECORD, stage);
	EXPECT_STREQ("", directory_list(&self->directory));
	path[strlen(path) - 1] = '\0';
	ASSERT_EQ(0, pidtrack_spawn(self->tracker, &options, &process, &stage));
	ASSERT_EXITED(self->tracker, process, 7 << 8);
	memcpy(path + strlen(path), ".exit", 6);
	EXPECT_ENDING(path, PIDTRACK_SOURCE_WAITED, 7 << 8);
}

static void expect_refused_at(struct __test_metadata *_metadata,
			      FIXTURE_DATA(exit) * self, int r)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.flags = EXIT_RECORD,
				       .argv = SHIM("exit", "7"),
				       .record = self->path.text);
	struct pidtrack_process *process = NULL;
	uint32_t stage = 0;

	EXPECT_EQ(r, pidtrack_spawn(self->tracker, &options, &process, &stage));
	EXPECT_EQ(PIDTRACK_STAGE_RECORD, stage);
	EXPECT_NULL(process);
	EXPECT_STREQ("web.exit ", directory_list(&self->directory));
}

TEST_F(exit, what_is_no_file_is_not_set_aside_and_nothing_runs)
{
	ASSERT_EQ(0, mkdir(self->exit.text, 0700));
	expect_refused_at(_metadata, self, -EISDIR);
	ASSERT_EQ(0, rmdir(self->exit.text));
	ASSERT_EQ(0, mkfifo(self->exit.text, 0600));
	expect_refused_at(_metadata, self, -ENXIO);
}

/* ---- the one before ---- */

TEST_F_WANTS(exit, the_one_before_is_kept_to_the_byte, boot_id_and_removal)
{
	struct pidtrack_record *first, *second, *third;
	struct pidtrack_process *process = start_exiting(_metadata, self);
	struct pidtrack_ending ending;
	char *bytes;

	first = record_at(_metadata, self->path.text);
	open_again(_metadata, self);
	ASSERT_EXITED(self->tracker, process, 7 << 8);
	bytes = strdup(file_read(_metadata, self->exit.text));

	process = start_exiting(_metadata, self);
	EXPECT_STREQ("web web.exit.previous ",
		     directory_list(&self->directory));
	EXPECT_STREQ(bytes, file_read(_metadata, self->previous.text));
	second = record_at(_metadata, self->path.text);
	EXPECT_EQ(0, ending_of(self, first, &ending));
	EXPECT_EQ(7 << 8, ending.status);
	EXPECT_EQ(-ENOENT, ending_of(self, second, &ending));
	ASSERT_EQ(0, pidtrack_process_signal(process, SIGKILL));
	ASSERT_EXITED(self->tracker, process, SIGKILL);
	EXPECT_STREQ("web web.exit web.exit.previous ",
		     directory_list(&self->directory));
	EXPECT_STREQ(bytes, file_read(_metadata, self->previous.text));
	EXPECT_EQ(0, ending_of(self, first, &ending));
	EXPECT_EQ(7 << 8, ending.status);
	EXPECT_EQ(0, ending_of(self, second, &ending));
	EXPECT_EQ(SIGKILL, ending.status);

	/* and no more than one */
	process = start_exiting(_metadata, self);
	third = record_at(_metadata, self->path.text);
	EXPECT_EQ(-ENOENT, ending_of(self, first, &ending));
	EXPECT_EQ(0, ending_of(self, second, &ending));
	gate_open(&self->gate);
	ASSERT_EXITED(self->tracker, process, 7 << 8);
	EXPECT_EQ(-ESTALE, ending_of(self, first, &ending));
	EXPECT_EQ(0, ending_of(self, second, &ending));
	EXPECT_EQ(0, ending_of(self, third, &ending));
	pidtrack_record_free(first);
	pidtrack_record_free(second);
	pidtrack_record_free(third);
	free(bytes);
}

TEST_F(exit, a_failed_launch_changes_nothing)
{
	struct pidtrack_process *process = start_exiting(_metadata, self);
	char *record, *bytes;

	gate_open(&self->gate);
	ASSERT_EXITED(self->tracker, process, 7 << 8);
	record = strdup(file_read(_metadata, self->path.text));
	bytes = strdup(file_read(_metadata, self->exit.text));
	EXPECT_EQ(-ENOENT,
		  launch(self->tracker, &(struct gate){ -1, -1 },
			 self->path.text,
			 (const char *const[]){ "/is/not/there", NULL },
			 EXIT_RECORD, &process));
	EXPECT_STREQ("web web.exit ", directory_list(&self->directory));
	EXPECT_STREQ(bytes, file_read(_metadata, self->exit.text));
	EXPECT_STREQ(record, file_read(_metadata, self->path.text));
	free(bytes);
	free(record);
}

/* Who names records so has only a launch refused. */
TEST_F(exit, the_record_of_another_is_not_taken_for_one)
{
	struct pidtrack_process *other = NULL, *process = NULL;
	struct gate gate = gate_make(_metadata);
	char *record;

	ASSERT_EQ(0, launch(self->tracker, &gate, self->exit.text,
			    SHIM("wait", "exit", "0"), 0, &other));
	record = strdup(file_read(_metadata, self->exit.text));
	EXPECT_EQ(-EEXIST, launch(self->tracker, &self->gate, self->path.text,
				  SHIM("exit", "0"), EXIT_RECORD, &process));
	EXPECT_STREQ("web.exit ", directory_list(&self->directory));
	EXPECT_STREQ(record, file_read(_metadata, self->exit.text));
	gate_open(&gate);
	ASSERT_EXITED(self->tracker, other, 0);
	free(record);
}

/* Whoever put it there after the launch. */
TEST_F_WANTS(exit, what_has_the_name_at_the_end_is_kept_too, removal)
{
	static const char *const others[] = { "", "{\"type\":\"signal\"}",
					      "pidtrack-exit1\nnonsense\n" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(others); i++) {
		struct pidtrack_process *process =
			start_exiting(_metadata, self);

		file_text(_metadata, self->exit.text, others[i], 0640);
		open_again(_metadata, self);
		ASSERT_EXITED(self->tracker, process, 7 << 8);
		EXPECT_ENDING(self->exit.text, PIDTRACK_SOURCE_WAITED, 7 << 8);
		EXPECT_STREQ(others[i],
			     file_read(_metadata, self->previous.text));
	}
	EXPECT_STREQ("web web.exit web.exit.previous ",
		     directory_list(&self->directory));
}

TEST_F(exit, a_link_is_set_aside_and_never_followed)
{
	struct path target = path_in(&self->directory, "target");
	struct pidtrack_process *process;
	char text[16] = "";

	file_text(_metadata, target.text, "target", 0600);
	ASSERT_EQ(0, symlink("target", self->exit.text));
	process = start_exiting(_metadata, self);
	EXPECT_STREQ("target web web.exit.previous ",
		     directory_list(&self->directory));
	ASSERT_EQ(0, symlink("target", self->exit.text));
	gate_open(&self->gate);
	ASSERT_EXITED(self->tracker, process, 7 << 8);
	EXPECT_ENDING(self->exit.text, PIDTRACK_SOURCE_WAITED, 7 << 8);
	EXPECT_EQ(6, readlink(self->previous.text, text, sizeof(text)));
	EXPECT_STREQ("target", file_read(_metadata, target.text));
}

/* ---- when it cannot be ---- */

#define UNRECORDED PIDTRACK_EVENT_UNRECORDED

TEST_F(exit, an_end_that_cannot_be_recorded_is_told_all_the_same)
{
	struct pidtrack_process *process = start_exiting(_metadata, self);
	struct path moved = path_in(&self->directory, "../");
	int status;

	snprintf(moved.text, sizeof(moved.text), "%s-moved",
		 self->directory.path);
	ASSERT_EQ(0, rename(self->directory.path, moved.text));
	gate_open(&self->gate);
	ASSERT_NEXT(self->tracker, process, PIDTRACK_EXITED,
		    PIDTRACK_EVENT_LAST | UNRECORDED, PIDTRACK_SOURCE_WAITED,
		    7 << 8);
	EXPECT_EQ(PIDTRACK_SOURCE_WAITED,
		  pidtrack_process_status(process, &status));
	ASSERT_NO_EVENT(self->tracker);
	EXPECT_EQ(1, tracker_statistics(self->tracker).unrecorded);
	EXPECT_FALSE(child_is_any());
	ASSERT_EQ(0, rename(moved.text, self->directory.path));
	EXPECT_STREQ("web ", directory_list(&self->directory));
}

TEST_F(exit, of_one_that_was_freed_it_is_counted)
{
	struct pidtrack_process *process = start_exiting(_metadata, self);
	int pidfd = dup(pidtrack_process_pidfd(process));

	pidtrack_process_free(process);
	ASSERT_EQ(0, mkdir(self->exit.text, 0700));
	gate_open(&self->gate);
	await_reaped(_metadata, self->tracker, pidfd);
	EXPECT_EQ(1, tracker_statistics(self->tracker).unrecorded);
	close(pidfd);
}

/* A file system of our own, full, and then read-only. */
TEST_F_WANTS(exit, on_a_full_or_a_read_only_one_what_was_there_stays, removal)
{
	static const char zeros[4096];
	struct path filler = path_in(&self->directory, "filler");
	struct pidtrack_process *process;
	int i, fd;

	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("small", self->directory.path, "tmpfs", 0, "nr_blocks=4"))
		SKIP(return, "no tmpfs of our own: %s", strerror(errno));
	for (i = 0; i < 2; i++) {
		process = start_exiting(_metadata, self);
		file_text(_metadata, self->exit.text, "before", 0600);
		fd = open(filler.text, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		while (write(fd, zeros, sizeof(zeros)) > 0)
			;
		close(fd);
		if (i)
			ASSERT_EQ(0, mount(NULL, self->directory.path, NULL,
					   MS_REMOUNT | MS_BIND | MS_RDONLY,
					   NULL));
		open_again(_metadata, self);
		ASSERT_NEXT(self->tracker, process, PIDTRACK_EXITED,
			    PIDTRACK_EVENT_LAST | UNRECORDED,
			    PIDTRACK_SOURCE_WAITED, 7 << 8);
		EXPECT_STREQ("before", file_read(_metadata, self->exit.text));
		ASSERT_EQ(0, truncate(filler.text, 0) * !i);
		EXPECT_STREQ(i ? "filler web web.exit web.exit.previous " :
				 "filler web web.exit ",
			     directory_list(&self->directory));
	}
	ASSERT_EQ(0, umount(self->directory.path));
}

TEST_F_WANTS(exit, beyond_a_limit_of_the_hosts_it_is_not_killed, limits)
{
	struct pidtrack_process *process = start_exiting(_metadata, self);
	struct rlimit before, limit;

	ASSERT_EQ(0, getrlimit(RLIMIT_FSIZE, &before));
	limit = before;
	limit.rlim_cur = 16;
	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &limit));
	gate_open(&self->gate);
	ASSERT_NEXT(self->tracker, process, PIDTRACK_EXITED,
		    PIDTRACK_EVENT_LAST | UNRECORDED, PIDTRACK_SOURCE_WAITED,
		    7 << 8);
	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &before));
	EXPECT_STREQ("web ", directory_list(&self->directory));
}

/* ---- of any process ---- */

static int record_with_exit(FIXTURE_DATA(exit) * self,
			    struct pidtrack_process *process)
{
	struct pidtrack_record_options options =
		PIDTRACK_RECORD_OPTIONS(.flags = PIDTRACK_RECORD_WITH_EXIT,
					.path = self->path.text,
					.label = "db 2");

	return pidtrack_process_record(process, &options);
}

TEST_F_WANTS(exit, of_a_process_of_others_it_says_what_the_kernel_does, boot_id)
{
	struct pidtrack_process *process = NULL;
	struct pidtrack_record *record;
	struct foreign foreign;
	struct pidtrack_ending ending;

	if (!reaping_is_told())
		SKIP(return, "its reaping is not told before Linux 6.9");
	ASSERT_EQ(0, foreign_start(&foreign));
	ASSERT_EQ(0, pidtrack_attach(self->tracker, foreign.child.pid, 0, 0,
				     &process));
	ASSERT_EQ(0, record_with_exit(self, process));
	record = record_at(_metadata, self->path.text);
	ASSERT_EQ(0, child_exit(&foreign.child, 3));
	ASSERT_NEXT(self->tracker, process, PIDTRACK_EXITED, 0,
		    PIDTRACK_SOURCE_UNKNOWN, -1);
	EXPECT_STREQ("web ", directory_list(&self->directory));
	ASSERT_EQ(3 << 8, foreign_reap(&foreign));
	ASSERT_NEXT(self->tracker, process, PIDTRACK_REAPED,
		    PIDTRACK_EVENT_LAST, source_without_wait(), 3 << 8);
	EXPECT_ENDING(self->exit.text, source_without_wait(), 3 << 8);
	ASSERT_EQ(0, ending_of(self, record, &ending));
	EXPECT_NE(0, ending.started_ns);
	EXPECT_NE(0, ending.ended_ns);
	pidtrack_record_free(record);
	foreign_end(&foreign);
}

TEST_F_WANTS(exit,
	     what_nobody_can_tell_is_recorded_as_unknown_until_somebody_can,
	     boot_id)
{
	struct pidtrack_process *first = NULL, *second = NULL;
	struct foreign foreign;

	if (!reaping_is_told())
		SKIP(return, "its reaping is not told before Linux 6.9");
	ASSERT_EQ(0, foreign_start(&foreign));
	ASSERT_EQ(0, pidtrack_attach(self->tracker, foreign.child.pid, 0, 0,
				     &first));
	ASSERT_EQ(0, record_with_exit(self, first));
	ASSERT_EQ(0, child_exit(&foreign.child, 3));
	ASSERT_NEXT(self->tracker, first, PIDTRACK_EXITED, 0,
		    PIDTRACK_SOURCE_UNKNOWN, -1);
	pidtrack_process_free(first);
	EXPECT_ENDING(self->exit.text, PIDTRACK_SOURCE_UNKNOWN, -1);

	ASSERT_EQ(0, pidtrack_attach(self->tracker, foreign.child.pid, 0, 0,
				     &second));
	ASSERT_EQ(0, record_with_exit(self, second));
	ASSERT_NEXT(self->tracker, second, PIDTRACK_EXITED, 0,
		    PIDTRACK_SOURCE_UNKNOWN, -1);
	ASSERT_EQ(3 << 8, foreign_reap(&foreign));
	ASSERT_NEXT(self->tracker, second, PIDTRACK_REAPED, PIDTRACK_EVENT_LAST,
		    source_without_wait(), 3 << 8);
	EXPECT_ENDING(self->exit.text, source_without_wait(), 3 << 8);
	EXPECT_STREQ("web web.exit ", directory_list(&self->directory));
	foreign_end(&foreign);
}

TEST_F_WANTS(exit, one_that_has_its_status_stays_as_it_is, boot_id)
{
	struct pidtrack_process *process = start_exiting(_metadata, self);
	char *bytes;

	gate_open(&self->gate);
	ASSERT_EXITED(self->tracker, process, 7 << 8);
	bytes = strdup(file_read(_metadata, self->exit.text));
	ASSERT_EQ(0, record_with_exit(self, process));
	EXPECT_STREQ(bytes, file_read(_metadata, self->exit.text));
	EXPECT_STREQ("web web.exit ", directory_list(&self->directory));
	free(bytes);
}

TEST_F_WANTS(exit, asked_for_after_the_end_was_told_it_is_there_at_once,
	     boot_id)
{
	struct pidtrack_process *process;

	ASSERT_EQ(0, launch(self->tracker, &self->gate, self->path.text,
			    SHIM("wait", "exit", "7"), 0, &process));
	gate_open(&self->gate);
	ASSERT_EXITED(self->tracker, process, 7 << 8);
	ASSERT_EQ(0, record_with_exit(self, process));
	EXPECT_ENDING(self->exit.text, PIDTRACK_SOURCE_WAITED, 7 << 8);
	ASSERT_EQ(0, unlink(self->exit.text));
	ASSERT_NO_EVENT(self->tracker);
	EXPECT_STREQ("web ", directory_list(&self->directory));
}

TEST_F_WANTS(exit, the_last_place_it_was_asked_for_is_the_one, boot_id)
{
	struct path path = path_in(&self->directory, "db");
	struct pidtrack_process *process = start_exiting(_metadata, self);
	struct pidtrack_record_options options =
		PIDTRACK_RECORD_OPTIONS(.flags = PIDTRACK_RECORD_WITH_EXIT,
					.path = path.text);

	ASSERT_EQ(0, pidtrack_process_record(process, &options));
	options.flags = 0;
	options.path = self->path.text;
	ASSERT_EQ(0, pidtrack_process_record(process, &options));
	gate_open(&self->gate);
	ASSERT_EXITED(self->tracker, process, 7 << 8);
	EXPECT_STREQ("db db.exit web ", directory_list(&self->directory));
}

TEST_F(exit, a_stolen_status_is_recorded_as_recovered)
{
	struct pidtrack_process *process;

	if (!works(PIDTRACK_FEATURE_PIDFS))
		SKIP(return, "a theft is not told before Linux 6.9");
	process = start_exiting(_metadata, self);
	gate_open(&self->gate);
	process_await_exit(process);
	ASSERT_EQ(pidtrack_process_pid(process),
		  waitpid(pidtrack_process_pid(process), NULL, 0));
	ASSERT_EQ(1, pidtrack_wait(self->tracker, awhile_ms(),
				   &(const struct pidtrack_event *){ NULL }));
	/* what the event had to say, the record says */
	EXPECT_EQ(pidtrack_process_status(process, &(int){ 0 }) < 0 ?
			  PIDTRACK_SOURCE_UNKNOWN :
			  pidtrack_process_status(process, &(int){ 0 }),
		  ending_at(_metadata, self->exit.text).source);
}

/* ---- of which process ---- */

TEST_F_WANTS(exit, it_is_told_whose_it_is_not, boot_id)
{
	struct pidtrack_process *process = start_exiting(_metadata, self);
	struct pidtrack_process *other = NULL;
	struct path path = path_in(&self->directory, "db");
	struct pidtrack_record *record, *stranger, *number;
	struct pidtrack_ending ending = { .status = 4711 };
	static const unsigned char zeros[64];
	struct {
		struct pidtrack_ending ending;
		unsigned char later[sizeof(zeros)];
	} newer;

	ASSERT_EQ(0, launch(self->tracker, &self->gate, path.text,
			    SHIM("wait", "exit", "8"), 0, &other));
	record = record_at(_metadata, self->path.text);
	stranger = record_at(_metadata, path.text);
	number = record_of_text(_metadata, "%d\n",
				pidtrack_process_pid(process));
	gate_open(&self->gate);
	process_await_exit(process);
	process_await_exit(other);
	ASSERT_EQ(1, pidtrack_wait(self->tracker, awhile_ms(),
				   &(const struct pidtrack_event *){ NULL }));
	ASSERT_EQ(1, pidtrack_wait(self->tracker, awhile_ms(),
				   &(const struct pidtrack_event *){ NULL }));

	EXPECT_EQ(-ESTALE, ending_of(self, stranger, &ending));
	EXPECT_EQ(-ENODATA, ending_of(self, number, &ending));
	EXPECT_EQ(-ENODATA,
		  pidtrack_record_ending(record, &ending, sizeof(ending)));
	EXPECT_EQ(4711, ending.status);
	file_text(_metadata, self->previous.text,
		  file_read(_metadata, self->exit.text), 0600);
	file_text(_metadata, self->exit.text, "pidtrack-exit1\n", 0600);
	EXPECT_EQ(0, ending_of(self, record, &ending));
	EXPECT_EQ(7 << 8, ending.status);
	EXPECT_EQ(-EBADMSG, ending_of(self, stranger, &ending));
	/* of a caller older than us, and of one newer */
	ending.source = 4711;
	ending.ended_ns = 0;
	EXPECT_EQ(0, pidtrack_ending_read(self->path.text, record, &ending,
					  sizeof(ending.status)));
	EXPECT_EQ(4711, ending.source);
	memset(&newer, 0xff, sizeof(newer));
	EXPECT_EQ(0, pidtrack_ending_read(self->path.text, record,
					  &newer.ending, sizeof(newer)));
	EXPECT_EQ(7 << 8, newer.ending.status);
	EXPECT_EQ(0, memcmp(newer.later, zeros, sizeof(zeros)));
	pidtrack_record_free(record);
	pidtrack_record_free(stranger);
	pidtrack_record_free(number);
}

/* ---- a host that is killed ---- */

struct host {
	int64_t pid; /* of the shim; written by the host */
	int ready[2];
	int go[2];
	struct gate gate;
	const char *path;
};

/* Launches, waits until the shim has ended, and then is killed somewhere. */
static void host_run(struct __test_metadata *_metadata, struct host *host)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	const struct pidtrack_event *event;
	struct pidtrack_process *process;
	char byte = 0;

	ASSERT_EQ(0, launch(tracker, &host->gate, host->path,
			    SHIM("wait", "exit", "7"), EXIT_RECORD, &process));
	host->pid = pidtrack_process_pid(process);
	gate_open(&host->gate);
	process_await_exit(process);
	ASSERT_EQ(1, write(host->ready[1], &byte, 1));
	ASSERT_EQ(1, read(host->go[0], &byte, 1));
	while (pidtrack_wait(tracker, 0, &event) == 0)
		;
	pidtrack_next(tracker, &event);
	pidtrack_free(tracker);
}

/*
 * Kills it as it is about to make its @n-th system call after that.
 *
 * Return: whether it came so far.
 */
static bool kill_at(struct __test_metadata *_metadata, pid_t pid, int n)
{
	int status;

	while (n > 0) {
		int signal = 0;

		ASSERT_EQ(pid, waitpid(pid, &status, __WALL));
		if (!WIFSTOPPED(status))
			return false;
		if (WSTOPSIG(status) == (SIGTRAP | 0x80))
			n--;
		else if (!(status >> 16))
			signal = WSTOPSIG(status);
		if (n > 0)
			ASSERT_EQ(0, ptrace(PTRACE_SYSCALL, pid, NULL,
					    (void *)(intptr_t)signal));
	}
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, __WALL));
	return true;
}

/* Its shim is ours now: by its record, with all that is to be known. */
static void succeed_host(struct __test_metadata *_metadata,
			 FIXTURE_DATA(exit) * self, int *ret_left)
{
	struct pidtrack_record *record = record_at(_metadata, self->path.text);
	struct pidtrack_process *process = NULL;
	struct pidtrack_ending ending;
	int r;

	r = pidtrack_attach_record(self->tracker, record, 0, &process, NULL, 0);
	if (r == 0) {
		ASSERT_EQ(0, record_with_exit(self, process));
		ASSERT_EXITED(self->tracker, process, 7 << 8);
		ASSERT_NO_EVENT(self->tracker);
		pidtrack_process_free(process);
		(*ret_left)++;
	} else {
		ASSERT_EQ(-ESRCH, r);
	}
	ASSERT_EQ(0, ending_of(self, record, &ending));
	EXPECT_EQ(7 << 8, ending.status);
	EXPECT_EQ(PIDTRACK_SOURCE_WAITED, ending.source);
	pidtrack_record_free(record);
}

static bool kill_host_at(struct __test_metadata *_metadata,
			 FIXTURE_DATA(exit) * self, int n, int *ret_left)
{
	struct host host = { .path = self->path.text };
	bool killed;
	char byte = 0;
	pid_t pid;

	host.gate = gate_make(_metadata);
	ASSERT_EQ(0, pipe2(host.ready, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(host.go, O_CLOEXEC));
	pid = fork();
	if (!pid) {
		host_run(_metadata, &host);
		_exit(0);
	}
	gate_open(&host.gate);
	ASSERT_EQ(1, read(host.ready[0], &byte, 1));
	ASSERT_EQ(0,
		  ptrace(PTRACE_SEIZE, pid, NULL,
			 (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)));
	ASSERT_EQ(0, ptrace(PTRACE_INTERRUPT, pid, NULL, NULL));
	ASSERT_EQ(pid, waitpid(pid, NULL, __WALL));
	ASSERT_EQ(0, ptrace(PTRACE_SYSCALL, pid, NULL, NULL));
	ASSERT_EQ(1, write(host.go[1], &byte, 1));
	killed = kill_at(_metadata, pid, n);
	close(host.ready[0]);
	close(host.ready[1]);
	close(host.go[0]);
	close(host.go[1]);
	succeed_host(_metadata, self, ret_left);
	return killed;
}

/*
 * The test is the subreaper: what the host left unreaped is its own.  Either
 * that, with the status, or a record of the end, at whatever point.
 */
TEST_F_TIMEOUT(exit, a_host_killed_anywhere_loses_no_status, 120)
{
	const char *wanting = wants_numbers();
	int n = 1, left = 0;

	if (wanting)
		SKIP(return, "%s", wanting);
	SKIP_WITHOUT_TRACING();
	while (kill_host_at(_metadata, self, n, &left))
		n++;
	TH_LOG("killed at %d points, at %d of them before it had reaped", n - 1,
	       left);
	EXPECT_GT(n, 20);
	EXPECT_GT(left, 10);
	EXPECT_LT(left, n);
}

TEST_HARNESS_MAIN
