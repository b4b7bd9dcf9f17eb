/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Launches that fail for what they are to execute and for want of resources:
 * each with its stage and its errno, and nothing left of it.
 */
#include <sys/resource.h>

#include "launch.h"
#include "seccomp.h"

/* ---- programs and directories ---- */

FIXTURE(files)
{
	struct directory directory;
	struct path path;
};

FIXTURE_SETUP(files)
{
	directory_make(_metadata, &self->directory);
	self->path = path_in(&self->directory, "program");
}

FIXTURE_TEARDOWN(files)
{
	directory_remove(&self->directory);
}

static void exec_fails(struct __test_metadata *_metadata, const char *program,
		       int r)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .program = program);

	spawn_fails(_metadata, &options, r, PIDTRACK_STAGE_EXEC);
}

TEST_F(files, a_program_that_cannot_be_executed_tells_why)
{
	struct path loop = path_in(&self->directory, "loop");
	struct path below = path_in(&self->directory, "program/below");

	exec_fails(_metadata, self->path.text, -ENOENT);
	exec_fails(_metadata, "", -ENOENT);
	file_text(_metadata, self->path.text, "#!/bin/sh\necho ran\n", 0644);
	exec_fails(_metadata, self->path.text, -EACCES);
	exec_fails(_metadata, self->directory.path, -EACCES);
	exec_fails(_metadata, below.text, -ENOTDIR);
	ASSERT_EQ(0, symlink("loop", loop.text));
	exec_fails(_metadata, loop.text, -ELOOP);
}

TEST_F(files, a_program_in_no_known_format_is_not_given_to_a_shell)
{
	file_text(_metadata, self->path.text, "echo ran\n", 0755);
	exec_fails(_metadata, self->path.text, -ENOEXEC);
	file_text(_metadata, self->path.text, "", 0755);
	exec_fails(_metadata, self->path.text, -ENOEXEC);
}

TEST_F(files, an_interpreter_that_is_not_there_is_no_program)
{
	file_text(_metadata, self->path.text, "#!/is/not/there\necho ran\n",
		  0755);
	exec_fails(_metadata, self->path.text, -ENOENT);
}

TEST_F(files, a_program_open_for_writing_is_busy)
{
	struct path shim = shim_copy(_metadata, &self->directory);
	int fd = open(shim.text, O_WRONLY | O_CLOEXEC);

	ASSERT_GE(fd, 0);
	exec_fails(_metadata, shim.text, -ETXTBSY);
	close(fd);
}

TEST_F(files, a_descriptor_that_is_no_program_is_not_executed)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .flags = PIDTRACK_SPAWN_PROGRAM_FD);

	options.program_fd = open(self->directory.path, O_RDONLY | O_CLOEXEC);
	spawn_fails(_metadata, &options, -EACCES, PIDTRACK_STAGE_EXEC);
	close(options.program_fd);
	options.program_fd = 9999;
	spawn_fails(_metadata, &options, -EBADF, PIDTRACK_STAGE_EXEC);
	options.program_fd = -1;
	spawn_fails(_metadata, &options, -EBADF, PIDTRACK_STAGE_EXEC);
}

TEST(arguments_that_are_too_big_are_told_as_such)
{
	static char big[200000];
	const char *argv[] = { shim_path(), "write", big, NULL };
	const char *envp[] = { big, NULL };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = argv);

	memset(big, 'x', sizeof(big) - 1);
	spawn_fails(_metadata, &options, -E2BIG, PIDTRACK_STAGE_EXEC);
	argv[2] = "ran";
	options.envp = envp;
	spawn_fails(_metadata, &options, -E2BIG, PIDTRACK_STAGE_EXEC);
}

TEST_F(files, a_directory_that_cannot_be_entered_tells_why)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .cwd = "relative/and/not/there");

	spawn_fails(_metadata, &options, -ENOENT, PIDTRACK_STAGE_CWD);
	options.cwd = "";
	spawn_fails(_metadata, &options, -ENOENT, PIDTRACK_STAGE_CWD);
	file_text(_metadata, self->path.text, "", 0644);
	options.cwd = self->path.text;
	spawn_fails(_metadata, &options, -ENOTDIR, PIDTRACK_STAGE_CWD);
}

TEST_F(files, the_shims_user_must_have_the_right_to_its_directory)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .flags = PIDTRACK_SPAWN_UID |
						PIDTRACK_SPAWN_GID |
						PIDTRACK_SPAWN_GROUPS,
				       .uid = NOBODY, .gid = NOBODY,
				       .cwd = self->path.text);

	if (geteuid())
		SKIP(return, "wants root");
	ASSERT_EQ(0, mkdir(self->path.text, 0700));
	spawn_fails(_metadata, &options, -EACCES, PIDTRACK_STAGE_CWD);
}

/* ---- over and over ---- */

TEST(ten_thousand_failed_launches_leave_nothing)
{
	struct directory directory;
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .program = "/is/not/there",
				       .label = "a label");
	struct pidtrack_process *process = NULL;
	struct pidtrack_statistics statistics;
	struct launch launch = LAUNCH_NULL;
	struct path record;
	char *before, *after;
	int i;

	directory_make(_metadata, &directory);
	record = path_in(&directory, "record");
	launch_open(_metadata, &launch);
	before = fds_text(_metadata);
	for (i = 0; i < 10000; i++) {
		uint32_t stage = STAGE_UNTOUCHED;

		options.record = i % 10 ? NULL : record.text;
		ASSERT_EQ(-ENOENT, pidtrack_spawn(launch.tracker, &options,
						  &process, &stage));
		ASSERT_EQ(PIDTRACK_STAGE_EXEC, stage);
	}
	after = fds_text(_metadata);
	EXPECT_STREQ(before, after);
	EXPECT_EQ(0, child_is_any());
	EXPECT_STREQ("", directory_list(&directory));
	ASSERT_EQ(0, pidtrack_statistics(launch.tracker, &statistics,
					 sizeof(statistics)));
	EXPECT_EQ(0, statistics.tracked);
	EXPECT_EQ(0, statistics.exits);
	EXPECT_EQ(0, pidtrack_next(launch.tracker,
				   &(const struct pidtrack_event *){ NULL }));
	launch_close(&launch);
	directory_remove(&directory);
	free(before);
	free(after);
}

/* ---- want of resources ---- */

/* Until the numbers up to the highest one are all taken: one above it. */
static int fds_fill(struct __test_metadata *_metadata)
{
	int fd, end = 0;

	for (fd = 0; fd < 4096; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			end = fd + 1;
	while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) < end)
		ASSERT_GE(fd, 0);
	close(fd);
	return end;
}

static void fds_limit(struct __test_metadata *_metadata, int end)
{
	struct rlimit limit;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = end;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
}

/*
 * With 0, 1, 2… descriptors left: it is launched, or it is not, and then before
 * there was a child, or so that none is left.
 */
static void launch_low(struct __test_metadata *_metadata, void *arg)
{
	struct directory *directory = arg;
	struct path record = path_in(directory, "record");
	struct pidtrack_fd_map fds[2] = { { 1 }, { 3, PIDTRACK_FD_NULL } };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .record = record.text, .fds = fds,
				       .n_fds = 2);
	struct launch launch = LAUNCH_NULL;
	uint32_t stage = STAGE_UNTOUCHED;
	int left, end, out[2], r = -1;

	launch_open(_metadata, &launch);
	ASSERT_EQ(0, pipe2(out, O_CLOEXEC));
	fds[0].fd = out[1];
	end = fds_fill(_metadata);
	for (left = 0; r; left++) {
		char *before = fds_text(_metadata), *after;

		ASSERT_LT(left, 16);
		fds_limit(_metadata, end + left);
		r = pidtrack_spawn(launch.tracker, &options, &launch.process,
				   &stage);
		fds_limit(_metadata, 1024);
		after = fds_text(_metadata);
		if (r) {
			EXPECT_EQ(-EMFILE, r);
			EXPECT_NULL(launch.process);
			EXPECT_EQ(0, child_is_any());
			EXPECT_STREQ(before, after);
			EXPECT_STREQ("", directory_list(directory));
		}
		if (!left)
			EXPECT_TRUE(stage == PIDTRACK_STAGE_RESERVE ||
				    stage == PIDTRACK_STAGE_CLONE);
		free(before);
		free(after);
	}
	close(out[1]);
	EXPECT_STREQ("ran\n", fd_text(_metadata, out[0], false));
	EXPECT_EQ(0, launch_wait(_metadata, &launch));
	launch_close(&launch);
}

TEST_F_WANTS(files, for_want_of_descriptors_nothing_is_launched, descriptors)
{
	host_run(_metadata, launch_low, &self->directory);
}

static void launch_without_processes(struct __test_metadata *_metadata,
				     void *shim)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .program = shim);
	struct rlimit limit = { 0, 0 };

	become_nobody(_metadata);
	ASSERT_EQ(0, setrlimit(RLIMIT_NPROC, &limit));
	spawn_fails(_metadata, &options, -EAGAIN, PIDTRACK_STAGE_CLONE);
	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, ENOSYS));
	spawn_fails(_metadata, &options, -EAGAIN, PIDTRACK_STAGE_CLONE);
}

TEST_F(files, for_want_of_processes_nothing_is_launched)
{
	struct path shim;

	if (geteuid())
		SKIP(return, "wants root");
	shim = shim_copy(_metadata, &self->directory);
	host_run(_metadata, launch_without_processes, shim.text);
}

TEST_HARNESS_MAIN
