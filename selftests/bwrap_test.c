// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Sandboxes, with bwrap as the shim: it returns what its command did, by the
 * shell's rule (the code, or 128 and the signal), and says the same by
 * --json-status-fd.  Between the two it has a process of its own, the first of
 * the sandbox, which tells it the status and ends; bwrap does not always wait
 * for that.  With --die-with-parent all of them die one after the other.
 */
#include "harness.h"
#include "pidtrack.h"
#include "real.h"

#define JSON_FD 3

struct sandbox {
	struct real real;
	char bwrap[PATH_MAX];
	struct real_pipe in;
	struct real_pipe out;
	struct real_pipe json;
};

FIXTURE(bwrap)
{
	struct sandbox sandbox;
};

FIXTURE_SETUP(bwrap)
{
	struct sandbox *sandbox = &self->sandbox;
	int error, flags = CLONE_NEWNS | CLONE_NEWPID;

	if (!program_find("bwrap", sandbox->bwrap, sizeof(sandbox->bwrap)))
		SKIP(return, "bwrap is not installed");
	error = namespaces_work(geteuid() ? flags | CLONE_NEWUSER : flags,
				false);
	if (error)
		SKIP(return, "no namespaces: %s", strerror(error));

	real_begin(_metadata, &sandbox->real);
	sandbox->in = real_pipe(_metadata, &sandbox->real);
	sandbox->out = real_pipe(_metadata, &sandbox->real);
	sandbox->json = real_pipe(_metadata, &sandbox->real);
}

FIXTURE_TEARDOWN(bwrap)
{
	real_end(&self->sandbox.real);
}

#define SANDBOX_ARGV(sandbox, script)                                     \
	{                                                                 \
		(sandbox)->bwrap, "--ro-bind", "/", "/", "--dev", "/dev", \
			"--proc", "/proc", "--unshare-pid",               \
			"--die-with-parent", "--json-status-fd", "3",     \
			"/bin/sh", "-c", script, NULL                     \
	}

#define SANDBOX_FDS(sandbox)                                                  \
	{                                                                     \
		{ .child_fd = 0, .fd = (sandbox)->in.read },                  \
			{ .child_fd = 1, .fd = (sandbox)->out.write },        \
			{ .child_fd = JSON_FD, .fd = (sandbox)->json.write }, \
	}

static void sandbox_spawn(struct __test_metadata *_metadata,
			  struct sandbox *sandbox, const char *script,
			  struct watched *ret_bwrap)
{
	const char *const argv[] = SANDBOX_ARGV(sandbox, script);
	struct pidtrack_fd_map fds[] = SANDBOX_FDS(sandbox);
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = argv, .fds = fds,
				       .n_fds = ARRAY_SIZE(fds));

	real_spawn(_metadata, &sandbox->real, &options, ret_bwrap);
}

/* The next number that bwrap tells of this name. */
static int sandbox_said(struct __test_metadata *_metadata,
			const struct sandbox *sandbox, const char *name)
{
	char line[512], *at;

	real_line(_metadata, sandbox->json.read, line, sizeof(line));
	at = strstr(line, name);
	if (!at)
		TH_LOG("bwrap did not say %s but %s", name, line);
	ASSERT_TRUE(at != NULL);
	return atoi(at + strlen(name));
}

#define SANDBOX_PID "\"child-pid\": "
#define SANDBOX_CODE "\"exit-code\": "

/*
 * What runs in a sandbox that said "up", seen from here.  The first process
 * asks to die with bwrap only after it has forked the command, and then waits.
 */
static void sandbox_attach(struct __test_metadata *_metadata,
			   struct sandbox *sandbox, struct watched *ret_first,
			   struct watched *ret_command)
{
	pid_t pid = sandbox_said(_metadata, sandbox, SANDBOX_PID);

	ASSERT_LINE("up", sandbox->out.read);
	pid_await_asleep(pid);
	real_attach(_metadata, &sandbox->real, pid, ret_first);
	real_attach(_metadata, &sandbox->real, child_of(_metadata, pid),
		    ret_command);
}

/*
 * The first process tells bwrap its code and ends with it; bwrap may be faster,
 * and as its parent kill it then, and leave it to us.
 */
static void sandbox_await_first(struct __test_metadata *_metadata,
				struct sandbox *sandbox,
				const struct watched *first, int code)
{
	real_await_last(_metadata, &sandbox->real, first);
	if (first->status == SIGNALLED(SIGKILL))
		EXPECT_EQ(PIDTRACK_SOURCE_WAITED, first->source);
	else if (first->source != PIDTRACK_SOURCE_UNKNOWN)
		EXPECT_EQ(CODE(code), first->status);
	else
		EXPECT_EQ(source_without_wait(), first->source);
}

static const struct {
	const char *script;
	int code;
} ends[] = {
	{ "exit 0", 0 },
	{ "exit 5", 5 },
	{ "exit 255", 255 },
	{ "kill -TERM $$", 128 + SIGTERM },
	{ "kill -KILL $$", 128 + SIGKILL },
};

TEST_F(bwrap, returns_what_its_command_did)
{
	struct sandbox *sandbox = &self->sandbox;
	struct watched bwrap;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		sandbox_spawn(_metadata, sandbox, ends[i].script, &bwrap);
		ASSERT_GT(sandbox_said(_metadata, sandbox, SANDBOX_PID), 1);
		EXPECT_EQ(ends[i].code,
			  sandbox_said(_metadata, sandbox, SANDBOX_CODE));
		ASSERT_ENDED(&sandbox->real, &bwrap, CODE(ends[i].code));
		real_reap_orphans(_metadata, &sandbox->real);
	}
}

TEST_F(bwrap, and_its_command_end_alike)
{
	struct sandbox *sandbox = &self->sandbox;
	struct watched bwrap, first, command;

	sandbox_spawn(_metadata, sandbox, "echo up; read line; exit 42",
		      &bwrap);
	sandbox_attach(_metadata, sandbox, &first, &command);
	EXPECT_TRUE(watched_runs(&command));
	real_write(_metadata, sandbox->in.write, "end\n");
	ASSERT_ENDED_ELSEWHERE(&sandbox->real, &command, CODE(42));
	sandbox_await_first(_metadata, sandbox, &first, 42);
	ASSERT_ENDED(&sandbox->real, &bwrap, CODE(42));
}

TEST_F(bwrap, returns_137_for_a_command_that_was_killed)
{
	struct sandbox *sandbox = &self->sandbox;
	struct watched bwrap, first, command;

	sandbox_spawn(_metadata, sandbox, "echo up; read line", &bwrap);
	sandbox_attach(_metadata, sandbox, &first, &command);
	ASSERT_EQ(0, pidtrack_process_signal(command.process, SIGKILL));
	ASSERT_ENDED_ELSEWHERE(&sandbox->real, &command, SIGNALLED(SIGKILL));
	sandbox_await_first(_metadata, sandbox, &first, 128 + SIGKILL);
	ASSERT_ENDED(&sandbox->real, &bwrap, CODE(128 + SIGKILL));
	EXPECT_EQ(128 + SIGKILL,
		  sandbox_said(_metadata, sandbox, SANDBOX_CODE));
}

TEST_F(bwrap, killed_takes_all_of_its_sandbox_with_it)
{
	struct sandbox *sandbox = &self->sandbox;
	struct watched bwrap, first, command;

	sandbox_spawn(_metadata, sandbox, "echo up; read line", &bwrap);
	sandbox_attach(_metadata, sandbox, &first, &command);
	ASSERT_EQ(0, pidtrack_process_signal(bwrap.process, SIGKILL));
	ASSERT_ENDED(&sandbox->real, &bwrap, SIGNALLED(SIGKILL));
	/* an orphan, and so ours; the command is reaped with its namespace */
	ASSERT_ENDED(&sandbox->real, &first, SIGNALLED(SIGKILL));
	ASSERT_ENDED_ELSEWHERE(&sandbox->real, &command, SIGNALLED(SIGKILL));
}

/* A host that launches a sandbox bound to it, says its pid, and waits. */
static void __attribute__((noreturn))
host_live(const struct sandbox *sandbox, int said)
{
	const char *const argv[] = SANDBOX_ARGV(sandbox, "echo up; read line");
	struct pidtrack_fd_map fds[] = SANDBOX_FDS(sandbox);
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = argv, .fds = fds,
				       .n_fds = ARRAY_SIZE(fds),
				       .flags = PIDTRACK_SPAWN_BOUND);
	struct pidtrack_process *process;
	struct pidtrack *tracker;

	if (pidtrack_new(NULL, &tracker) ||
	    pidtrack_spawn(tracker, &options, &process, NULL))
		_exit(1);
	dprintf(said, "%d\n", pidtrack_process_pid(process));
	for (;;)
		pause();
}

TEST_F(bwrap, bound_to_a_host_dies_with_all_of_its_sandbox_when_that_is_killed)
{
	struct sandbox *sandbox = &self->sandbox;
	struct watched host, bwrap, first, command;
	struct real_pipe said = real_pipe(_metadata, &sandbox->real);
	char line[32];
	pid_t pid;

	pid = fork();
	if (!pid)
		host_live(sandbox, said.write);
	ASSERT_GT(pid, 0);
	real_close(&sandbox->real, said.write);
	real_attach(_metadata, &sandbox->real, pid, &host);
	pid = atoi(real_line(_metadata, said.read, line, sizeof(line)));
	ASSERT_GT(pid, 1);
	real_attach(_metadata, &sandbox->real, pid, &bwrap);
	sandbox_attach(_metadata, sandbox, &first, &command);

	ASSERT_EQ(0, pidtrack_process_signal(host.process, SIGKILL));
	ASSERT_ENDED(&sandbox->real, &host, SIGNALLED(SIGKILL));
	ASSERT_ENDED(&sandbox->real, &bwrap, SIGNALLED(SIGKILL));
	ASSERT_ENDED(&sandbox->real, &first, SIGNALLED(SIGKILL));
	ASSERT_ENDED_ELSEWHERE(&sandbox->real, &command, SIGNALLED(SIGKILL));
}

TEST_HARNESS_MAIN
