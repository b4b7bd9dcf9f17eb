// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Containers kept by conmon, as podman and CRI-O have them: conmon has crun
 * create the container, says its pid by a pipe, waits for its end as its
 * subreaper, and writes the exit code (or 128 and the signal) to a file.  With
 * --sync it is the shim itself and returns the same; without, the process that
 * was launched exits at once, and another one, named in a pid file, is the
 * shim.
 */
#include "container.h"
#include "harness.h"
#include "pidtrack.h"

#define SYNC_FD 3

struct keeper {
	struct container container;
	char conmon[PATH_MAX];
};

FIXTURE(conmon)
{
	struct keeper keeper;
};

FIXTURE_SETUP(conmon)
{
	struct keeper *keeper = &self->keeper;

	if (!program_find("conmon", keeper->conmon, sizeof(keeper->conmon)))
		SKIP(return, "conmon is not installed");
	if (container_lacks(&keeper->container, _metadata->reason,
			    sizeof(_metadata->reason))) {
		_metadata->skipped = true;
		return;
	}
	container_begin(_metadata, &keeper->container);
	ASSERT_EQ(0, mkdir("exits", 0700));
	ASSERT_EQ(0, mkdir("sockets", 0700));
	ASSERT_EQ(0, setenv("_OCI_SYNCPIPE", "3", 1));
}

FIXTURE_TEARDOWN(conmon)
{
	real_end(&self->keeper.container.real);
}

/* In the end: --sync or nothing. */
#define CONMON(keeper, log, ...)                                               \
	ON_CGROUP2((keeper)->conmon, "--api-version", "--cid", "c", "--cuuid", \
		   "c", "--runtime", (keeper)->container.crun,                 \
		   "--runtime-arg", CRUN_ROOT, "--runtime-arg", CRUN_CGROUPS,  \
		   "--bundle", ".", "--container-pidfile", "pid",              \
		   "--conmon-pidfile", "conmon-pid", "--exit-dir", "exits",    \
		   "--socket-dir-path", "sockets", "--log-path", log,          \
		   ##__VA_ARGS__)

/*
 * Launches conmon, and returns the pid of the init of its container, which is
 * created then but not started.
 */
static pid_t keeper_spawn(struct __test_metadata *_metadata,
			  struct keeper *keeper, const char *const *argv,
			  struct watched *ret_conmon)
{
	struct container *container = &keeper->container;
	struct real_pipe said = real_pipe(_metadata, &container->real);
	struct pidtrack_fd_map fds[] = {
		{ .child_fd = 0, .fd = container->in.read },
		{ .child_fd = 1, .fd = container->out.write },
		{ .child_fd = SYNC_FD, .fd = said.write },
	};
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = argv, .fds = fds,
				       .n_fds = ARRAY_SIZE(fds),
				       .namespaces = CLONE_NEWNS,
				       .flags = PIDTRACK_SPAWN_DETACHED);
	char line[256];
	int pid = -1;

	real_spawn(_metadata, &container->real, &options, ret_conmon);
	real_close(&container->real, said.write);
	real_line(_metadata, said.read, line, sizeof(line));
	ASSERT_EQ(1, sscanf(line, "{\"data\": %d}", &pid));
	ASSERT_GT(pid, 1);
	return pid;
}

/* Tracks that container's init, and starts the container. */
static void keeper_start(struct __test_metadata *_metadata,
			 struct keeper *keeper, pid_t pid,
			 struct watched *ret_init)
{
	struct container *container = &keeper->container;

	real_attach(_metadata, &container->real, pid, ret_init);
	EXPECT_TRUE(container_is(_metadata, container, "created", pid));
	container_crun(_metadata, container, CRUN(container, "start", "c"));
}

/* The same for one that says "up"; returns the pid of its init. */
#define KEEPER_START(keeper, script, ret_conmon, ret_init)                   \
	({                                                                   \
		pid_t pid_;                                                  \
                                                                             \
		container_write_config(_metadata, &(keeper)->container,      \
				       script);                              \
		pid_ = keeper_spawn(_metadata, keeper,                       \
				    CONMON(keeper, "passthrough", "--sync"), \
				    ret_conmon);                             \
		keeper_start(_metadata, keeper, pid_, ret_init);             \
		ASSERT_LINE("up", (keeper)->container.out.read);             \
		pid_;                                                        \
	})

/* crun forgets the container, which has stopped. */
static void keeper_delete(struct __test_metadata *_metadata,
			  struct keeper *keeper, pid_t pid)
{
	struct container *container = &keeper->container;

	EXPECT_TRUE(container_is(_metadata, container, "stopped", pid));
	container_crun(_metadata, container, CRUN(container, "delete", "c"));
}

#define EXPECT_EXIT_FILE(expected)                                        \
	do {                                                              \
		char text_[64];                                           \
                                                                          \
		EXPECT_STREQ(expected,                                    \
			     file_text("exits/c", text_, sizeof(text_))); \
	} while (0)

TEST_F(conmon, writes_and_returns_the_exit_code_of_its_container)
{
	struct keeper *keeper = &self->keeper;
	struct real *real = &keeper->container.real;
	struct watched conmon, init;
	char log[256];
	pid_t pid;

	container_write_config(_metadata, &keeper->container,
			       "echo words; exit 42");
	pid = keeper_spawn(_metadata, keeper,
			   CONMON(keeper, "k8s-file:log", "--sync"), &conmon);
	keeper_start(_metadata, keeper, pid, &init);
	ASSERT_ENDED_ELSEWHERE(real, &init, CODE(42));
	ASSERT_ENDED(real, &conmon, CODE(42));
	EXPECT_EXIT_FILE("42");
	EXPECT_TRUE(strstr(file_text("log", log, sizeof(log)), "words") !=
		    NULL);
	keeper_delete(_metadata, keeper, pid);
}

TEST_F(conmon, writes_and_returns_137_for_a_container_that_was_killed)
{
	struct keeper *keeper = &self->keeper;
	struct container *container = &keeper->container;
	struct watched conmon, init;
	pid_t pid;

	pid = KEEPER_START(keeper, "echo up; read line", &conmon, &init);
	EXPECT_TRUE(container_is(_metadata, container, "running", pid));
	container_crun(_metadata, container,
		       CRUN(container, "kill", "c", "KILL"));
	ASSERT_ENDED_ELSEWHERE(&container->real, &init, SIGNALLED(SIGKILL));
	ASSERT_ENDED(&container->real, &conmon, CODE(128 + SIGKILL));
	EXPECT_EXIT_FILE("137");
	keeper_delete(_metadata, keeper, pid);
}

TEST_F(conmon, passes_a_signal_on_to_its_container)
{
	struct keeper *keeper = &self->keeper;
	struct real *real = &keeper->container.real;
	struct watched conmon, init;
	pid_t pid;

	pid = KEEPER_START(keeper,
			   "trap 'exit 7' TERM; echo up; "
			   "while :; do read line; done",
			   &conmon, &init);
	ASSERT_EQ(0, pidtrack_process_signal(conmon.process, SIGTERM));
	ASSERT_ENDED_ELSEWHERE(real, &init, CODE(7));
	ASSERT_ENDED(real, &conmon, CODE(7));
	EXPECT_EXIT_FILE("7");
	keeper_delete(_metadata, keeper, pid);
}

TEST_F(conmon, killed_writes_nothing_and_its_container_is_tracked_to_its_end)
{
	struct keeper *keeper = &self->keeper;
	struct container *container = &keeper->container;
	struct watched conmon, init;
	pid_t pid;

	pid = KEEPER_START(keeper, "echo up; read line; exit 42", &conmon,
			   &init);
	ASSERT_EQ(0, pidtrack_process_signal(conmon.process, SIGKILL));
	ASSERT_ENDED(&container->real, &conmon, SIGNALLED(SIGKILL));

	/* an orphan, and we its subreaper: our child */
	EXPECT_TRUE(watched_runs(&init));
	EXPECT_TRUE(container_is(_metadata, container, "running", pid));
	real_write(_metadata, container->in.write, "end\n");
	ASSERT_ENDED(&container->real, &init, CODE(42));
	EXPECT_EQ(-1, access("exits/c", F_OK));
	keeper_delete(_metadata, keeper, pid);
}

TEST_F(conmon, daemonized_is_tracked_by_its_pid_file)
{
	struct keeper *keeper = &self->keeper;
	struct container *container = &keeper->container;
	struct watched launched, conmon, init;
	pid_t pid;

	container_write_config(_metadata, container,
			       "echo up; read line; exit 42");
	pid = keeper_spawn(_metadata, keeper, CONMON(keeper, "passthrough"),
			   &launched);
	ASSERT_ENDED(&container->real, &launched, CODE(0));
	real_attach(_metadata, &container->real,
		    file_pid(_metadata, "conmon-pid"), &conmon);
	keeper_start(_metadata, keeper, pid, &init);
	ASSERT_LINE("up", container->out.read);
	EXPECT_TRUE(watched_runs(&conmon));

	real_write(_metadata, container->in.write, "end\n");
	ASSERT_ENDED_ELSEWHERE(&container->real, &init, CODE(42));
	ASSERT_ENDED(&container->real, &conmon, CODE(42));
	EXPECT_EXIT_FILE("42");
	keeper_delete(_metadata, keeper, pid);
}

TEST_HARNESS_MAIN
