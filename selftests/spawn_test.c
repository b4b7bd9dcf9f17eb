/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Launching: what is executed, with which arguments and environment, in which
 * directory and session, and what the host is told of it.
 */
#include "launch.h"

/* ---- what is executed ---- */

TEST(a_shim_gets_its_arguments_as_they_are)
{
	struct pidtrack_spawn_options options = PIDTRACK_SPAWN_OPTIONS();
	const char *argv[] = { "any name", "write", "a b\t\"c\" $d *",
			       "write",	   "",	    "argv",
			       NULL };

	options.argv = argv;
	options.program = shim_path();
	EXPECT_STREQ("a b\t\"c\" $d *\n\n[any name] [write] [a b\t\"c\" $d *] "
		     "[write] [] [argv]\n",
		     shim_said(_metadata, &options));
}

TEST(without_a_program_the_first_argument_is_one)
{
	struct pidtrack_spawn_options options = PIDTRACK_SPAWN_OPTIONS();
	const char *argv[] = { shim_path(), "write", "it ran", NULL };

	options.argv = argv;
	EXPECT_STREQ("it ran\n", shim_said(_metadata, &options));
}

TEST(a_program_is_not_searched_for_in_PATH)
{
	const char *argv[] = { "true", NULL };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = argv, .cwd = "/");

	ASSERT_EQ(0, setenv("PATH", "/usr/bin:/bin", 1));
	spawn_fails(_metadata, &options, -ENOENT, PIDTRACK_STAGE_EXEC);
}

TEST(the_hosts_environment_is_inherited)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("env", "PIDTRACK_SEEN"));

	ASSERT_EQ(0, setenv("PIDTRACK_SEEN", "before", 1));
	EXPECT_STREQ("before\n", shim_said(_metadata, &options));
	ASSERT_EQ(0, setenv("PIDTRACK_SEEN", "after", 1));
	EXPECT_STREQ("after\n", shim_said(_metadata, &options));
}

/* The environment of a shim, as the kernel has it once it runs. */
static ssize_t environment(struct __test_metadata *_metadata,
			   const char *const *envp, char *ret_bytes,
			   size_t size)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "runs", "wait"),
				       .envp = envp);
	struct launch launch = LAUNCH_NULL;
	char path[64];
	ssize_t n;
	int fd;

	launch_open(_metadata, &launch);
	ASSERT_EQ(0, launch_spawn(_metadata, &launch, &options));
	ASSERT_STREQ("runs\n", launch_line(_metadata, &launch));
	snprintf(path, sizeof(path), "/proc/%d/environ",
		 pidtrack_process_pid(launch.process));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	n = read(fd, ret_bytes, size);
	close(fd);
	EXPECT_EQ(0, launch_wait(_metadata, &launch));
	launch_close(&launch);
	return n;
}

TEST_WANTS(an_environment_given_is_the_whole_environment, proc)
{
	static const char *const envp[] = { "A=1", "EMPTY=", "A=2", NULL };
	char bytes[4096];

	ASSERT_EQ(15, environment(_metadata, envp, bytes, sizeof(bytes)));
	EXPECT_EQ(0, memcmp("A=1\0EMPTY=\0A=2", bytes, 15));
}

TEST_WANTS(an_environment_may_be_empty, proc)
{
	static const char *const envp[] = { NULL };
	char bytes[4096];

	EXPECT_EQ(0, environment(_metadata, envp, bytes, sizeof(bytes)));
}

TEST(a_program_is_executed_by_its_descriptor)
{
	static const char *const argv[] = { "zero", "argv", "fds", NULL };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = argv,
				       .flags = PIDTRACK_SPAWN_PROGRAM_FD);
	static const int flags[] = { O_RDONLY, O_PATH, O_RDONLY | O_CLOEXEC,
				     O_PATH | O_CLOEXEC };
	size_t i;

	for (i = 0; i < 4; i++) {
		options.program_fd = open(shim_path(), flags[i]);
		ASSERT_GE(options.program_fd, 0);
		EXPECT_STREQ("[zero] [argv] [fds]\n0 1 2\n",
			     shim_said(_metadata, &options));
		close(options.program_fd);
	}
}

TEST_WANTS(a_program_without_a_name_is_executed_by_its_descriptor, proc)
{
	static const char *const argv[] = { "zero", "write", "it ran", NULL };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = argv,
				       .flags = PIDTRACK_SPAWN_PROGRAM_FD);
	int from = open(shim_path(), O_RDONLY | O_CLOEXEC), to;
	char bytes[65536];
	ssize_t n;

	ASSERT_GE(from, 0);
	to = named_fd(_metadata, "program", MFD_CLOEXEC);
	while ((n = read(from, bytes, sizeof(bytes))) > 0)
		ASSERT_EQ(n, write(to, bytes, n));
	close(from);
	/* What is open for writing is not executed, so once more, to read. */
	snprintf(bytes, sizeof(bytes), "/proc/self/fd/%d", to);
	from = open(bytes, O_RDONLY | O_CLOEXEC);
	ASSERT_GE(from, 0);
	close(to);

	options.program_fd = from;
	EXPECT_STREQ("it ran\n", shim_said(_metadata, &options));
	close(from);
}

FIXTURE(files)
{
	struct directory directory;
};

FIXTURE_SETUP(files)
{
	directory_make(_metadata, &self->directory);
}

FIXTURE_TEARDOWN(files)
{
	directory_remove(&self->directory);
}

TEST_F(files, a_script_is_executed)
{
	struct path path = path_in(&self->directory, "script");
	const char *argv[] = { path.text, "a", "b", NULL };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = argv);

	file_text(_metadata, path.text, "#!/bin/sh\necho \"$# $1 $2\"\n", 0755);
	EXPECT_STREQ("2 a b\n", shim_said(_metadata, &options));
}

/* Its interpreter opens it once more, as /dev/fd/N, so the shim must have N. */
TEST_F_WANTS(files, a_script_is_executed_by_a_descriptor_that_is_mapped, proc)
{
	static const char *const argv[] = { "script", "a", NULL };
	struct path path = path_in(&self->directory, "script");
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = argv,
				       .flags = PIDTRACK_SPAWN_PROGRAM_FD);
	struct pidtrack_fd_map fd;

	file_text(_metadata, path.text, "#!/bin/sh\necho \"$# $1\"\n", 0755);
	options.program_fd = open(path.text, O_RDONLY | O_CLOEXEC);
	ASSERT_GE(options.program_fd, 0);
	fd.fd = fd.child_fd = options.program_fd;
	options.fds = &fd;
	options.n_fds = 1;
	EXPECT_STREQ("1 a\n", shim_said(_metadata, &options));
	close(options.program_fd);
}

/* ---- where ---- */

TEST_F(files, a_shim_starts_in_the_directory_given)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("cwd"),
				       .cwd = self->directory.path);
	char expected[80], *real = realpath(self->directory.path, NULL);

	ASSERT_TRUE(real != NULL);
	snprintf(expected, sizeof(expected), "%s\n", real);
	free(real);
	options.program = realpath(shim_path(), NULL);
	ASSERT_TRUE(options.program != NULL);
	EXPECT_STREQ(expected, shim_said(_metadata, &options));
	free((void *)options.program);
}

TEST_F(files, a_relative_directory_is_the_hosts)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("cwd"), .cwd = "below");
	char *shim = realpath(shim_path(), NULL);
	struct path below = path_in(&self->directory, "below");
	char expected[300];

	ASSERT_TRUE(shim != NULL);
	ASSERT_EQ(0, mkdir(below.text, 0755));
	ASSERT_EQ(0, chdir(self->directory.path));
	options.program = shim;
	snprintf(expected, sizeof(expected), "%s\n", below.text);
	EXPECT_STREQ(expected, shim_said(_metadata, &options));
	free(shim);
	ASSERT_EQ(0, chdir("/"));
}

TEST(without_a_directory_it_is_the_hosts)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("cwd"));
	char *shim = realpath(shim_path(), NULL);

	ASSERT_TRUE(shim != NULL);
	options.program = shim;
	ASSERT_EQ(0, chdir("/usr"));
	EXPECT_STREQ("/usr\n", shim_said(_metadata, &options));
	free(shim);
}

/* ---- sessions and groups ---- */

struct session {
	int pid, ppid, pgid, sid;
};

static struct session session_said(struct __test_metadata *_metadata,
				   struct pidtrack_spawn_options *options)
{
	struct session session = { 0 };

	options->argv = SHIM("session");
	ASSERT_EQ(4, sscanf(shim_said(_metadata, options), "%d %d %d %d",
			    &session.pid, &session.ppid, &session.pgid,
			    &session.sid));
	EXPECT_EQ(getpid(), session.ppid);
	return session;
}

TEST(a_shim_is_a_child_in_the_hosts_session_and_group)
{
	struct pidtrack_spawn_options options = PIDTRACK_SPAWN_OPTIONS();
	struct session session = session_said(_metadata, &options);

	EXPECT_EQ(getpgrp(), session.pgid);
	EXPECT_EQ(getsid(0), session.sid);
}

TEST(a_shim_may_have_a_session_of_its_own)
{
	static const uint32_t flags[] = { PIDTRACK_SPAWN_SETSID,
					  PIDTRACK_SPAWN_DETACHED,
					  PIDTRACK_SPAWN_SETSID |
						  PIDTRACK_SPAWN_DETACHED };
	size_t i;

	for (i = 0; i < 3; i++) {
		struct pidtrack_spawn_options options =
			PIDTRACK_SPAWN_OPTIONS(.flags = flags[i]);
		struct session session = session_said(_metadata, &options);

		EXPECT_EQ(session.pid, session.pgid);
		EXPECT_EQ(session.pid, session.sid);
	}
}

TEST(a_shim_may_have_a_group_of_its_own)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.flags = PIDTRACK_SPAWN_PGID);
	struct session session = session_said(_metadata, &options);

	EXPECT_EQ(session.pid, session.pgid);
	EXPECT_EQ(getsid(0), session.sid);
}

TEST(a_shim_may_join_a_group)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("wait"),
				       .flags = PIDTRACK_SPAWN_PGID);
	struct launch leader = LAUNCH_NULL;
	struct session session;

	launch_open(_metadata, &leader);
	ASSERT_EQ(0, launch_spawn(_metadata, &leader, &options));
	options.pgid = pidtrack_process_pid(leader.process);
	session = session_said(_metadata, &options);
	EXPECT_EQ(options.pgid, session.pgid);
	EXPECT_EQ(getsid(0), session.sid);
	EXPECT_EQ(0, launch_wait(_metadata, &leader));
	launch_close(&leader);
}

TEST(a_group_that_is_not_there_cannot_be_joined)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .flags = PIDTRACK_SPAWN_PGID,
				       .pgid = INT32_MAX);

	spawn_fails(_metadata, &options, -EPERM, PIDTRACK_STAGE_SESSION);
}

/* ---- what the host is told ---- */

TEST(label_pid_and_pidfd_are_told)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("session", "wait"),
				       .label = "box \xc3\xa9 7");
	struct launch launch = LAUNCH_NULL;

	launch_open(_metadata, &launch);
	ASSERT_EQ(0, launch_spawn(_metadata, &launch, &options));
	EXPECT_STREQ("box \xc3\xa9 7", pidtrack_process_label(launch.process));
	EXPECT_EQ(atoi(launch_line(_metadata, &launch)),
		  pidtrack_process_pid(launch.process));
	EXPECT_EQ(FD_CLOEXEC,
		  fcntl(pidtrack_process_pidfd(launch.process), F_GETFD));
	EXPECT_EQ(PIDTRACK_BINDING_NONE,
		  pidtrack_process_binding(launch.process));
	EXPECT_EQ(PIDTRACK_STATE_RUNNING,
		  pidtrack_process_state(launch.process));
	EXPECT_EQ(0, launch_wait(_metadata, &launch));
	launch_close(&launch);
}

TEST(all_that_was_given_is_copied_or_done_with)
{
	char label[] = "a label", program[4096], argument[] = "wait";
	char *argv[] = { program, argument, NULL };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = (const char *const *)argv,
				       .label = label);
	struct launch launch = LAUNCH_NULL;

	snprintf(program, sizeof(program), "%s", shim_path());
	launch_open(_metadata, &launch);
	ASSERT_EQ(0, launch_spawn(_metadata, &launch, &options));
	memset(label, 'x', sizeof(label) - 1);
	memset(program, 'x', sizeof(program) - 1);
	memset(argument, 'x', sizeof(argument) - 1);
	memset(&options, 0xff, sizeof(options));
	EXPECT_STREQ("a label", pidtrack_process_label(launch.process));
	EXPECT_EQ(0, launch_wait(_metadata, &launch));
	launch_close(&launch);
}

TEST(a_stage_has_a_name)
{
	uint32_t i, k;

	for (i = PIDTRACK_STAGE_NONE; i <= PIDTRACK_STAGE_EXEC; i++) {
		EXPECT_STRNE("unknown", pidtrack_stage_name(i));
		for (k = 0; k < i; k++)
			EXPECT_STRNE(pidtrack_stage_name(k),
				     pidtrack_stage_name(i));
	}
	EXPECT_STREQ("unknown", pidtrack_stage_name(PIDTRACK_STAGE_KEEP + 1));
	EXPECT_STREQ("unknown", pidtrack_stage_name(UINT32_MAX));
}

TEST_HARNESS_MAIN
