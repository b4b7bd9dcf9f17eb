// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Containers, with crun as the shim.  "crun run" returns what its container
 * did: its exit code, or 128 and the signal that killed it.
 */
#include "container.h"
#include "harness.h"
#include "pidtrack.h"

FIXTURE(crun)
{
	struct container container;
	int pid_pipe; /* where crun writes the pid of the container's init */
};

FIXTURE_SETUP(crun)
{
	struct container *container = &self->container;

	if (container_lacks(container, _metadata->reason,
			    sizeof(_metadata->reason))) {
		_metadata->skipped = true;
		return;
	}
	container_begin(_metadata, container);
	ASSERT_EQ(0, mkfifo("pid", 0600));
	self->pid_pipe = real_keep(_metadata, &container->real,
				   open("pid", O_RDWR | O_CLOEXEC));
}

FIXTURE_TEARDOWN(crun)
{
	real_end(&self->container.real);
}

/* crun says it when the container runs, and crun waits for its end. */
static pid_t crun_said_pid(struct __test_metadata *_metadata, int pid_pipe)
{
	char text[32] = "";
	int pid;

	ASSERT_NE(0, await_fd(pid_pipe, POLLIN, awhile_ms()));
	ASSERT_GT(read(pid_pipe, text, sizeof(text) - 1), 0);
	pid = atoi(text);
	ASSERT_GT(pid, 1);
	return pid;
}

/* A container that says "up", and its init, tracked besides its shim. */
#define CRUN_START(self, script, masked, ret_crun, ret_init)                  \
	do {                                                                  \
		container_write_config(_metadata, &(self)->container,         \
				       "echo up; " script);                   \
		container_spawn(_metadata, &(self)->container,                \
				CRUN(&(self)->container, "run", "--pid-file", \
				     "pid", "c"),                             \
				masked, ret_crun);                            \
		ASSERT_LINE("up", (self)->container.out.read);                \
		real_attach(_metadata, &(self)->container.real,               \
			    crun_said_pid(_metadata, (self)->pid_pipe),       \
			    ret_init);                                        \
	} while (0)

TEST_F(crun, returns_the_exit_code_of_its_container)
{
	struct container *container = &self->container;
	struct watched crun;

	container_write_config(_metadata, container, "exit 42");
	container_spawn(_metadata, container, CRUN(container, "run", "c"), 0,
			&crun);
	ASSERT_ENDED(&container->real, &crun, CODE(42));
}

TEST_F(crun, and_the_init_of_its_container_end_alike)
{
	struct real *real = &self->container.real;
	struct watched crun, init;

	CRUN_START(self, "read line; exit 42", 0, &crun, &init);
	EXPECT_TRUE(watched_runs(&crun));
	EXPECT_TRUE(watched_runs(&init));
	real_write(_metadata, self->container.in.write, "end\n");
	ASSERT_ENDED_ELSEWHERE(real, &init, CODE(42));
	ASSERT_ENDED(real, &crun, CODE(42));
}

TEST_F(crun, returns_137_for_a_container_that_was_killed)
{
	struct container *container = &self->container;
	struct watched crun, init;

	CRUN_START(self, "read line", 0, &crun, &init);
	container_crun(_metadata, container,
		       CRUN(container, "kill", "c", "KILL"));
	ASSERT_ENDED_ELSEWHERE(&container->real, &init, SIGNALLED(SIGKILL));
	ASSERT_ENDED(&container->real, &crun, CODE(128 + SIGKILL));
}

TEST_F(crun, passes_a_signal_on_to_its_container)
{
	struct real *real = &self->container.real;
	struct watched crun, init;

	/* crun takes signals by a signalfd of its own: early ones wait for it
	 */
	CRUN_START(self,
		   "trap 'exit 7' TERM; echo set; while :; do read line; done",
		   UINT64_C(1) << (SIGTERM - 1), &crun, &init);
	ASSERT_LINE("set", self->container.out.read);
	ASSERT_EQ(0, pidtrack_process_signal(crun.process, SIGTERM));
	ASSERT_ENDED_ELSEWHERE(real, &init, CODE(7));
	ASSERT_ENDED(real, &crun, CODE(7));
}

TEST_F(crun, killed_leaves_a_container_that_is_tracked_to_its_end)
{
	struct container *container = &self->container;
	struct watched crun, init;
	pid_t pid;

	CRUN_START(self, "read line; exit 42", 0, &crun, &init);
	ASSERT_EQ(0, pidtrack_process_signal(crun.process, SIGKILL));
	ASSERT_ENDED(&container->real, &crun, SIGNALLED(SIGKILL));

	/* it is an orphan now, and we its subreaper: our child */
	pid = pidtrack_process_pid(init.process);
	EXPECT_TRUE(watched_runs(&init));
	EXPECT_TRUE(container_is(_metadata, container, "running", pid));
	real_write(_metadata, container->in.write, "end\n");
	ASSERT_ENDED(&container->real, &init, CODE(42));
	EXPECT_TRUE(container_is(_metadata, container, "stopped", pid));
	container_crun(_metadata, container, CRUN(container, "delete", "c"));
}

TEST_F(crun, detached_leaves_a_container_that_is_tracked_to_its_end)
{
	struct container *container = &self->container;
	struct watched init;
	pid_t pid;

	container_write_config(_metadata, container, "read line; exit 42");
	container_crun(
		_metadata, container,
		CRUN(container, "run", "--detach", "--pid-file", "pid", "c"));
	pid = crun_said_pid(_metadata, self->pid_pipe);
	real_attach(_metadata, &container->real, pid, &init);
	real_reap_orphans(_metadata, &container->real);
	EXPECT_TRUE(container_is(_metadata, container, "running", pid));
	container_crun(_metadata, container,
		       CRUN(container, "kill", "c", "KILL"));
	ASSERT_ENDED(&container->real, &init, SIGNALLED(SIGKILL));
	container_crun(_metadata, container, CRUN(container, "delete", "c"));
}

TEST_F(crun, run_eight_times_at_once_returns_eight_codes)
{
	struct container *container = &self->container;
	struct watched crun[8];
	int in[ARRAY_SIZE(crun)];
	unsigned int i;
	char text[8];

	container_write_config(_metadata, container,
			       "echo up; read code; exit $code");
	for (i = 0; i < ARRAY_SIZE(crun); i++) {
		snprintf(text, sizeof(text), "c%u", i);
		container->in = real_pipe(_metadata, &container->real);
		in[i] = container->in.write;
		container_spawn(_metadata, container,
				CRUN(container, "run", text), 0, &crun[i]);
	}
	for (i = 0; i < ARRAY_SIZE(crun); i++)
		ASSERT_LINE("up", container->out.read);
	for (i = 0; i < ARRAY_SIZE(crun); i++) {
		snprintf(text, sizeof(text), "%u\n", 100 + i);
		real_write(_metadata, in[i], text);
	}
	for (i = 0; i < ARRAY_SIZE(crun); i++)
		ASSERT_ENDED(&container->real, &crun[i], CODE(100 + (int)i));
}

TEST_HARNESS_MAIN
