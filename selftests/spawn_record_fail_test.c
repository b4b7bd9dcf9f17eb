/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Launching with a record, and failing: the directory is as it was before.
 */
#include <pthread.h>

#include "launch.h"
#include "seccomp.h"

#define BEFORE "12345\n67890\nwritten=before\n"
#define MEANWHILE "12\n34\nwritten=meanwhile\n"

FIXTURE(record)
{
	struct directory directory;
	struct path path;
};

FIXTURE_SETUP(record)
{
	directory_make(_metadata, &self->directory);
	self->path = path_in(&self->directory, "record");
}

FIXTURE_TEARDOWN(record)
{
	directory_remove(&self->directory);
}

/* ---- a launch that fails ---- */

/* Whatever goes wrong after the record may have been written. */
static void launches_that_fail(struct __test_metadata *_metadata,
			       const char *record)
{
	static const struct pidtrack_rlimit rlimit = {
		.resource = RLIMIT_NOFILE, .soft = 2, .hard = 1
	};
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .record = record);

	options.program = "/is/not/there";
	spawn_fails(_metadata, &options, -ENOENT, PIDTRACK_STAGE_EXEC);
	options.program = "/dev/null";
	spawn_fails(_metadata, &options, -EACCES, PIDTRACK_STAGE_EXEC);
	options.program = NULL;
	options.cwd = "/is/not/there";
	spawn_fails(_metadata, &options, -ENOENT, PIDTRACK_STAGE_CWD);
	options.cwd = NULL;
	options.caps = "nonsense";
	spawn_fails(_metadata, &options, -EINVAL, PIDTRACK_STAGE_CAPS);
	options.caps = NULL;
	options.rlimits = &rlimit;
	options.n_rlimits = 1;
	spawn_fails(_metadata, &options, -EINVAL, PIDTRACK_STAGE_LIMITS);
}

TEST_F(record, a_failed_launch_leaves_none)
{
	launches_that_fail(_metadata, self->path.text);
	EXPECT_STREQ("", directory_list(&self->directory));
}

TEST_F(record, a_failed_launch_leaves_the_previous_one)
{
	struct stat before, after;

	file_text(_metadata, self->path.text, BEFORE, 0644);
	ASSERT_EQ(0, stat(self->path.text, &before));
	launches_that_fail(_metadata, self->path.text);
	EXPECT_STREQ("record ", directory_list(&self->directory));
	EXPECT_STREQ(BEFORE, file_read(_metadata, self->path.text));
	ASSERT_EQ(0, stat(self->path.text, &after));
	EXPECT_EQ(before.st_ino, after.st_ino);
	EXPECT_EQ(before.st_mode, after.st_mode);
}

TEST_F(record, a_failed_launch_leaves_a_symlink_as_it_was)
{
	struct path target = path_in(&self->directory, "target");
	struct stat st;

	file_text(_metadata, target.text, BEFORE, 0644);
	ASSERT_EQ(0, symlink("target", self->path.text));
	launches_that_fail(_metadata, self->path.text);
	EXPECT_STREQ("record target ", directory_list(&self->directory));
	ASSERT_EQ(0, lstat(self->path.text, &st));
	EXPECT_TRUE(S_ISLNK(st.st_mode));
	EXPECT_STREQ(BEFORE, file_read(_metadata, target.text));
}

/* The shim's rights do not suffice to undo what the host's did. */
TEST_F(record, a_failed_launch_as_another_user_leaves_none)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .program = "/is/not/there",
				       .record = self->path.text,
				       .flags = PIDTRACK_SPAWN_UID |
						PIDTRACK_SPAWN_GID |
						PIDTRACK_SPAWN_GROUPS,
				       .uid = NOBODY, .gid = NOBODY,
				       .caps = "=");

	if (geteuid())
		SKIP(return, "wants root");
	ASSERT_EQ(0, chmod(self->directory.path, 0700));
	spawn_fails(_metadata, &options, -ENOENT, PIDTRACK_STAGE_EXEC);
	EXPECT_STREQ("", directory_list(&self->directory));
	file_text(_metadata, self->path.text, BEFORE, 0600);
	spawn_fails(_metadata, &options, -ENOENT, PIDTRACK_STAGE_EXEC);
	EXPECT_STREQ("record ", directory_list(&self->directory));
	EXPECT_STREQ(BEFORE, file_read(_metadata, self->path.text));
}

/* One that is killed with no say in what it leaves. */
static void launch_killed(struct __test_metadata *_metadata, const char *record)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .record = record, .cwd = "/");

	ASSERT_EQ(0, seccomp_kill(SYS_chdir));
	spawn_fails(_metadata, &options, -ECANCELED, PIDTRACK_STAGE_CWD);
}

TEST_F(record, a_child_killed_before_it_executes_leaves_none)
{
	launch_killed(_metadata, self->path.text);
	EXPECT_STREQ("", directory_list(&self->directory));
}

TEST_F(record, a_child_killed_before_it_executes_leaves_the_previous_one)
{
	file_text(_metadata, self->path.text, BEFORE, 0644);
	launch_killed(_metadata, self->path.text);
	EXPECT_STREQ("record ", directory_list(&self->directory));
	EXPECT_STREQ(BEFORE, file_read(_metadata, self->path.text));
}

/* As on file systems that cannot exchange two names, of which there are some.
 */
TEST_F(record, where_names_cannot_be_exchanged_none_is_left_either)
{
	ASSERT_EQ(0, seccomp_refuse_bits(SYS_renameat2, 4,
					 RENAME_EXCHANGE | RENAME_NOREPLACE,
					 EINVAL));
	launches_that_fail(_metadata, self->path.text);
	EXPECT_STREQ("", directory_list(&self->directory));
}

TEST_F(record, where_names_cannot_be_exchanged_the_previous_one_is_left_too)
{
	if (sandbox_refuses("linkat"))
		SKIP(return, "the sandbox refuses the other way");
	ASSERT_EQ(0, seccomp_refuse_bits(SYS_renameat2, 4,
					 RENAME_EXCHANGE | RENAME_NOREPLACE,
					 EINVAL));
	file_text(_metadata, self->path.text, BEFORE, 0644);
	launches_that_fail(_metadata, self->path.text);
	EXPECT_STREQ("record ", directory_list(&self->directory));
	EXPECT_STREQ(BEFORE, file_read(_metadata, self->path.text));
}

/* ---- a child killed just when its record has got its name ---- */

struct killer {
	pthread_t thread;
	const struct directory *directory;
	const char *record;
	int ready[2]; /* the listener's number comes here */
	unsigned int flags;
};

/* Gives the record its name in the child's place, and kills that one. */
static void *killer_run(void *arg)
{
	struct killer *killer = arg;
	struct path temporary;
	const char *names;
	uint64_t id;
	int listener;
	pid_t pid;

	if (read(killer->ready[0], &listener, sizeof(listener)) !=
		    sizeof(listener) ||
	    listener < 0)
		return NULL;
	pid = seccomp_stopped(listener, &id);
	names = directory_list(killer->directory);
	temporary = path_in(killer->directory, names);
	temporary.text[strcspn(temporary.text, " ")] = '\0';
	if (pid <= 0 || syscall(SYS_renameat2, AT_FDCWD, temporary.text,
				AT_FDCWD, killer->record, killer->flags) < 0)
		abort();
	kill(pid, SIGKILL);
	/* the host's own */
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	for (;;) {
		if (seccomp_stopped(listener, &id) > 0)
			seccomp_go(listener, id);
	}
	return NULL;
}

static void launch_killed_at_rename(struct __test_metadata *_metadata,
				    const struct directory *directory,
				    const char *record, unsigned int flags)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .record = record);
	struct killer killer = { .directory = directory,
				 .record = record,
				 .flags = flags };
	int listener;

	ASSERT_EQ(0, pipe2(killer.ready, O_CLOEXEC));
	/* before the filter, which is not for this thread */
	ASSERT_EQ(0, pthread_create(&killer.thread, NULL, killer_run, &killer));
	listener = seccomp_stop(SYS_renameat2);
	ASSERT_EQ(sizeof(listener),
		  write(killer.ready[1], &listener, sizeof(listener)));
	if (listener >= 0)
		spawn_fails(_metadata, &options, -ECANCELED,
			    PIDTRACK_STAGE_RECORD);
	pthread_cancel(killer.thread);
	pthread_join(killer.thread, NULL);
	close(killer.ready[0]);
	close(killer.ready[1]);
	if (listener < 0)
		SKIP(return, "no listeners of seccomp (Linux 5.5)");
	close(listener);
}

TEST_F(record, a_child_killed_when_its_record_is_placed_leaves_none)
{
	launch_killed_at_rename(_metadata, &self->directory, self->path.text,
				0);
	EXPECT_STREQ("", directory_list(&self->directory));
}

TEST_F(record, a_child_killed_when_its_record_is_exchanged_leaves_the_previous)
{
	file_text(_metadata, self->path.text, BEFORE, 0644);
	launch_killed_at_rename(_metadata, &self->directory, self->path.text,
				RENAME_EXCHANGE);
	EXPECT_STREQ("record ", directory_list(&self->directory));
	EXPECT_STREQ(BEFORE, file_read(_metadata, self->path.text));
}

/* ---- a record that cannot be written ---- */

TEST_F(record, without_its_directory_nothing_runs)
{
	struct path path = path_in(&self->directory, "missing/record");
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .record = path.text);

	spawn_fails(_metadata, &options, -ENOENT, PIDTRACK_STAGE_RECORD);
	EXPECT_STREQ("", directory_list(&self->directory));
	file_text(_metadata, path_in(&self->directory, "missing").text, BEFORE,
		  0644);
	spawn_fails(_metadata, &options, -ENOTDIR, PIDTRACK_STAGE_RECORD);
	EXPECT_STREQ("missing ", directory_list(&self->directory));
}

static void launch_without_right(struct __test_metadata *_metadata, void *path)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .program = "/bin/true", .record = path);

	become_nobody(_metadata);
	spawn_fails(_metadata, &options, -EACCES, PIDTRACK_STAGE_RECORD);
}

TEST_F(record, without_the_right_to_write_it_nothing_runs)
{
	if (geteuid())
		SKIP(return, "wants root");
	host_run(_metadata, launch_without_right, self->path.text);
	EXPECT_STREQ("", directory_list(&self->directory));
}

TEST_F(record, in_the_place_of_a_directory_nothing_runs)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .record = self->path.text);
	struct launch launch = LAUNCH_NULL;
	struct stat st;

	ASSERT_EQ(0, mkdir(self->path.text, 0755));
	launch_open(_metadata, &launch);
	EXPECT_LT(launch_spawn(_metadata, &launch, &options), 0);
	EXPECT_EQ(PIDTRACK_STAGE_RECORD, launch.stage);
	EXPECT_STREQ("", launch_said(_metadata, &launch));
	launch_close(&launch);
	EXPECT_STREQ("record ", directory_list(&self->directory));
	ASSERT_EQ(0, stat(self->path.text, &st));
	EXPECT_TRUE(S_ISDIR(st.st_mode));
}

TEST_F(record, a_path_that_names_no_file_is_refused)
{
	static char longest[8192];
	const char *paths[] = { "", "/", ".", "..", "", longest };
	char slash[300];
	size_t i;

	memset(longest, 'x', sizeof(longest) - 1);
	longest[0] = '/';
	snprintf(slash, sizeof(slash), "%s/", self->path.text);
	paths[4] = slash;
	for (i = 0; i < 6; i++) {
		struct pidtrack_spawn_options options =
			PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
					       .record = paths[i]);
		struct launch launch = LAUNCH_NULL;

		launch_open(_metadata, &launch);
		EXPECT_LT(launch_spawn(_metadata, &launch, &options), 0)
		{
			TH_LOG("'%.80s'", paths[i]);
		}
		EXPECT_STREQ("", launch_said(_metadata, &launch));
		launch_close(&launch);
		EXPECT_STREQ("", directory_list(&self->directory));
	}
}

/* ---- a record somebody else wrote ---- */

struct rival {
	pthread_t thread;
	struct __test_metadata *metadata;
	int listener;
};

/* Another host has the same idea meanwhile, and its launch does not fail. */
static void *rival_run(void *arg)
{
	struct rival *rival = arg;
	struct __test_metadata *_metadata = rival->metadata;
	uint64_t id;

	EXPECT_GT(seccomp_stopped(rival->listener, &id), 0);
	file_text(_metadata, "rival", MEANWHILE, 0600);
	EXPECT_EQ(0, rename("rival", "record"));
	seccomp_go(rival->listener, id);
	return NULL;
}

/* The failed launch undoes what it did itself, and that was replaced. */
static void launch_beside_rival(struct __test_metadata *_metadata,
				const struct directory *directory)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .program = "/is/not/there",
				       .record = "record");
	struct rival rival = { .metadata = _metadata };

	rival.listener = seccomp_stop_exec();
	if (rival.listener < 0)
		SKIP(return, "no listeners of seccomp (Linux 5.5)");
	ASSERT_EQ(0, chdir(directory->path));
	ASSERT_EQ(0, pthread_create(&rival.thread, NULL, rival_run, &rival));
	spawn_fails(_metadata, &options, -ENOENT, PIDTRACK_STAGE_EXEC);
	pthread_join(rival.thread, NULL);
	close(rival.listener);
	EXPECT_STREQ("record ", directory_list(directory));
	EXPECT_STREQ(MEANWHILE, file_read(_metadata, "record"));
	ASSERT_EQ(0, chdir("/"));
}

TEST_F(record, a_failed_launch_leaves_one_that_was_written_meanwhile)
{
	launch_beside_rival(_metadata, &self->directory);
}

TEST_F(record, a_failed_launch_leaves_one_that_replaced_another_meanwhile)
{
	file_text(_metadata, self->path.text, BEFORE, 0644);
	launch_beside_rival(_metadata, &self->directory);
}

TEST_HARNESS_MAIN
