/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Launching: shims that outlive their host and shims that die with it, however
 * suddenly it ends.
 */
#include <pthread.h>

#include "launch.h"
#include "seccomp.h"

/*
 * A host of its own, to be killed, and its shim, which is the test's child
 * afterwards.  The test has the ends of the shim's standard input and output.
 */
struct fatal {
	struct pidtrack_spawn_options options;
	struct pidtrack_fd_map fds[2];
	uint32_t tracker_flags;
	int in[2], out[2], told[2]; /* pipes; binding and pid, from the host */
	pid_t host, shim;
	int shim_pidfd, binding;
	bool later; /* than another */
};

/* That is not bound; until it has ended. */
static void launch_another(struct __test_metadata *_metadata,
			   struct pidtrack *tracker)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("exit", "0"));
	struct pidtrack_process *process;
	const struct pidtrack_event *event;

	ASSERT_EQ(0, pidtrack_spawn(tracker, &options, &process, NULL));
	ASSERT_EQ(1, pidtrack_wait(tracker, -1, &event));
	pidtrack_process_free(process);
}

static void fatal_host(struct __test_metadata *_metadata, void *arg)
{
	struct fatal *fatal = arg;
	struct pidtrack_options options =
		PIDTRACK_OPTIONS(.flags = fatal->tracker_flags);
	struct pidtrack_process *process;
	struct pidtrack *tracker;
	char text[64];
	int n;

	close(fatal->in[1]);
	close(fatal->out[0]);
	ASSERT_EQ(0, pidtrack_new(&options, &tracker));
	if (fatal->later)
		launch_another(_metadata, tracker);
	ASSERT_EQ(0, pidtrack_spawn(tracker, &fatal->options, &process, NULL));
	close(fatal->in[0]);
	close(fatal->out[1]);
	n = snprintf(text, sizeof(text), "%d %d\n",
		     pidtrack_process_binding(process),
		     pidtrack_process_pid(process));
	ASSERT_EQ(n, write(fatal->told[1], text, n));
	for (;;)
		pause();
}

static void fatal_start(struct __test_metadata *_metadata, struct fatal *fatal,
			const struct pidtrack_spawn_options *options)
{
	ASSERT_EQ(0, pipe2(fatal->in, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(fatal->out, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(fatal->told, O_CLOEXEC));
	fatal->fds[0] = (struct pidtrack_fd_map){ 0, fatal->in[0] };
	fatal->fds[1] = (struct pidtrack_fd_map){ 1, fatal->out[1] };
	fatal->options = *options;
	fatal->options.fds = fatal->fds;
	fatal->options.n_fds = 2;
	fatal->host = host_start(_metadata, fatal_host, fatal);
	close(fatal->in[0]);
	close(fatal->out[1]);
	close(fatal->told[1]);
}

/* Until the host says that its shim runs. */
static void fatal_await(struct __test_metadata *_metadata, struct fatal *fatal)
{
	ASSERT_EQ(2, sscanf(fd_text(_metadata, fatal->told[0], true), "%d %d",
			    &fatal->binding, &fatal->shim));
	fatal->shim_pidfd = pidfd_of(_metadata, fatal->shim);
}

static void fatal_kill(struct __test_metadata *_metadata, struct fatal *fatal)
{
	int status;

	ASSERT_EQ(0, kill(fatal->host, SIGKILL));
	ASSERT_EQ(fatal->host, waitpid(fatal->host, &status, 0));
	EXPECT_EQ(SIGKILL, status);
}

/* How the shim ended, now a child of the test. */
static int fatal_end(struct __test_metadata *_metadata, struct fatal *fatal)
{
	int status = -1;

	ASSERT_EQ(fatal->shim, waitpid(fatal->shim, &status, 0));
	close(fatal->shim_pidfd);
	close(fatal->out[0]);
	close(fatal->told[0]);
	return status;
}

TEST(a_bound_shim_dies_with_its_host)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("wait"),
				       .flags = PIDTRACK_SPAWN_BOUND);
	struct fatal fatal = { 0 };

	fatal_start(_metadata, &fatal, &options);
	fatal_await(_metadata, &fatal);
	EXPECT_EQ(0, await_fd(fatal.shim_pidfd, POLLIN, 0));
	EXPECT_NE(PIDTRACK_BINDING_NONE, fatal.binding);
	EXPECT_LE(fatal.binding, PIDTRACK_BINDING_AUTOKILL);
	fatal_kill(_metadata, &fatal);
	EXPECT_EQ(SIGKILL, fatal_end(_metadata, &fatal));
	close(fatal.in[1]);
}

TEST(a_bound_shim_of_another_user_dies_with_its_host)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("wait"),
				       .flags = PIDTRACK_SPAWN_BOUND |
						PIDTRACK_SPAWN_UID |
						PIDTRACK_SPAWN_GID |
						PIDTRACK_SPAWN_PROGRAM_FD,
				       .uid = NOBODY, .gid = NOBODY);
	struct fatal fatal = { 0 };

	if (geteuid())
		SKIP(return, "wants root");
	options.program_fd = open(shim_path(), O_PATH | O_CLOEXEC);
	ASSERT_GE(options.program_fd, 0);
	fatal_start(_metadata, &fatal, &options);
	fatal_await(_metadata, &fatal);
	EXPECT_NE(PIDTRACK_BINDING_NONE, fatal.binding);
	fatal_kill(_metadata, &fatal);
	EXPECT_EQ(SIGKILL, fatal_end(_metadata, &fatal));
	close(fatal.in[1]);
	close(options.program_fd);
}

static void check_without_clone3(struct __test_metadata *_metadata, bool later)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("wait"),
				       .flags = PIDTRACK_SPAWN_BOUND);
	struct fatal fatal = { .later = later };

	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, EPERM));
	fatal_start(_metadata, &fatal, &options);
	fatal_await(_metadata, &fatal);
	EXPECT_EQ(PIDTRACK_BINDING_PARENT_DEATH, fatal.binding);
	fatal_kill(_metadata, &fatal);
	EXPECT_EQ(SIGKILL, fatal_end(_metadata, &fatal));
	close(fatal.in[1]);
}

TEST(a_bound_shim_dies_with_its_host_without_clone3)
{
	check_without_clone3(_metadata, false);
}

/* The tracker has learned from the first what is refused. */
TEST(so_does_one_after_one_that_was_not_bound)
{
	check_without_clone3(_metadata, true);
}

/* Signals it has asked to be deaf to change nothing. */
TEST(a_bound_shim_that_ignores_signals_dies_with_its_host)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("wait"),
				       .flags = PIDTRACK_SPAWN_BOUND |
						PIDTRACK_SPAWN_SETSID,
				       .signal_mask = ~UINT64_C(0));
	struct fatal fatal = { 0 };

	fatal_start(_metadata, &fatal, &options);
	fatal_await(_metadata, &fatal);
	fatal_kill(_metadata, &fatal);
	EXPECT_EQ(SIGKILL, fatal_end(_metadata, &fatal));
	close(fatal.in[1]);
}

TEST(a_detached_shim_outlives_its_host)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("pdeathsig", "wait",
						    "write", "outlived", "exit",
						    "7"),
				       .flags = PIDTRACK_SPAWN_DETACHED);
	struct fatal fatal = { 0 };

	fatal_start(_metadata, &fatal, &options);
	fatal_await(_metadata, &fatal);
	EXPECT_EQ(PIDTRACK_BINDING_NONE, fatal.binding);
	EXPECT_STREQ("0\n", fd_text(_metadata, fatal.out[0], true));
	fatal_kill(_metadata, &fatal);
	close(fatal.in[1]);
	EXPECT_STREQ("outlived\n", fd_text(_metadata, fatal.out[0], false));
	EXPECT_EQ(7 << 8, fatal_end(_metadata, &fatal));
}

/* It is in no group or session that a signal to the host's would reach. */
TEST(a_detached_shim_outlives_its_hosts_group)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("wait", "write",
						    "outlived"),
				       .flags = PIDTRACK_SPAWN_DETACHED);
	struct fatal fatal = { 0 };
	int status;

	signal(SIGHUP, SIG_DFL); /* who runs the tests may ignore it */
	fatal_start(_metadata, &fatal, &options);
	ASSERT_EQ(0, setpgid(fatal.host, fatal.host));
	fatal_await(_metadata, &fatal);
	ASSERT_EQ(0, kill(-fatal.host, SIGHUP));
	ASSERT_EQ(fatal.host, waitpid(fatal.host, &status, 0));
	EXPECT_EQ(SIGHUP, status);
	close(fatal.in[1]);
	EXPECT_STREQ("outlived\n", fd_text(_metadata, fatal.out[0], false));
	EXPECT_EQ(0, fatal_end(_metadata, &fatal));
}

struct ended {
	struct __test_metadata *metadata;
	struct launch *launch;
	pid_t tid;
};

static void *launch_and_end(void *arg)
{
	struct ended *ended = arg;
	struct __test_metadata *_metadata = ended->metadata;
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("wait", "write",
						    "outlived"),
				       .flags = PIDTRACK_SPAWN_BOUND);

	ended->tid = (pid_t)syscall(SYS_gettid);
	EXPECT_EQ(0, launch_spawn(_metadata, ended->launch, &options));
	return NULL;
}

/* It is bound to the host, and that is what the tracker's own thread is. */
TEST(a_bound_shim_outlives_the_thread_that_asked_for_it)
{
	struct pidtrack_options options =
		PIDTRACK_OPTIONS(.flags = PIDTRACK_THREAD);
	struct launch launch = LAUNCH_NULL;
	struct ended ended = { .metadata = _metadata, .launch = &launch };
	pthread_t thread;

	ring_or_skip(_metadata);
	ASSERT_EQ(0, pidtrack_new(&options, &launch.tracker));
	ASSERT_EQ(0, pthread_create(&thread, NULL, launch_and_end, &ended));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	while (!syscall(SYS_tgkill, getpid(), ended.tid, 0))
		sched_yield(); /* joined, and gone a moment later */
	EXPECT_EQ(0, launch_wait(_metadata, &launch));
	EXPECT_STREQ("outlived\n", launch_said(_metadata, &launch));
	launch_close(&launch);
}

/* ---- a parent-death signal by number ---- */

TEST(a_parent_death_signal_is_set)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("pdeathsig"),
				       .parent_death_signal = SIGUSR1);
	char expected[16];

	snprintf(expected, sizeof(expected), "%d\n", SIGUSR1);
	EXPECT_STREQ(expected, shim_said(_metadata, &options));
	options.parent_death_signal = 0;
	EXPECT_STREQ("0\n", shim_said(_metadata, &options));
}

TEST(a_parent_death_signal_is_sent)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("wait"),
				       .parent_death_signal = SIGUSR1);
	struct fatal fatal = { 0 };

	fatal_start(_metadata, &fatal, &options);
	fatal_await(_metadata, &fatal);
	EXPECT_EQ(PIDTRACK_BINDING_NONE, fatal.binding);
	fatal_kill(_metadata, &fatal);
	EXPECT_EQ(SIGUSR1, fatal_end(_metadata, &fatal));
	close(fatal.in[1]);
}

/* ---- a host that dies amid the launch ---- */

/* The shim is stopped in @nr; the host is killed; the shim goes on. */
static void fatal_kill_amid(struct __test_metadata *_metadata,
			    struct fatal *fatal, int listener)
{
	uint64_t id;

	fatal->shim = seccomp_stopped(listener, &id);
	ASSERT_GT(fatal->shim, 0);
	EXPECT_NE(fatal->host, fatal->shim);
	fatal->shim_pidfd = pidfd_of(_metadata, fatal->shim);
	fatal_kill(_metadata, fatal);
	seccomp_go(listener, id);
}

/* Too late for the kernel to tell it of its parent's death. */
TEST(a_bound_shim_does_not_run_if_its_host_died_before_it_was_bound)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran", "wait"),
				       .flags = PIDTRACK_SPAWN_BOUND);
	struct fatal fatal = { 0 };
	int listener, status;

	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, ENOSYS));
	listener = seccomp_on_argument(SYS_prctl, 0, ~0U, PR_SET_PDEATHSIG,
				       SECCOMP_RET_USER_NOTIF,
				       SECCOMP_FILTER_FLAG_NEW_LISTENER);
	if (listener < 0)
		SKIP(return, "no listeners of seccomp (Linux 5.5)");
	fatal_start(_metadata, &fatal, &options);
	fatal_kill_amid(_metadata, &fatal, listener);
	EXPECT_STREQ("", fd_text(_metadata, fatal.out[0], false));
	status = fatal_end(_metadata, &fatal);
	EXPECT_TRUE(WIFEXITED(status) || status == SIGKILL);
	close(fatal.in[1]);
	close(listener);
}

TEST(a_bound_shim_does_not_run_if_its_host_died_before_the_exec)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran", "wait"),
				       .flags = PIDTRACK_SPAWN_BOUND);
	struct fatal fatal = { 0 };
	int listener = seccomp_stop_exec();

	if (listener < 0)
		SKIP(return, "no listeners of seccomp (Linux 5.5)");
	fatal_start(_metadata, &fatal, &options);
	fatal_kill_amid(_metadata, &fatal, listener);
	EXPECT_STREQ("", fd_text(_metadata, fatal.out[0], false));
	EXPECT_EQ(SIGKILL, fatal_end(_metadata, &fatal));
	close(fatal.in[1]);
	close(listener);
}

/* The record was written before the exec, so nobody runs unrecorded. */
TEST_WANTS(a_detached_shim_whose_host_died_before_the_exec_runs_recorded, proc)
{
	struct directory directory;
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("wait", "write", "ran"),
				       .flags = PIDTRACK_SPAWN_DETACHED);
	struct fatal fatal = { 0 };
	struct path record;
	const char *text;
	int listener, pid = -1;
	uint64_t start = 0;

	directory_make(_metadata, &directory);
	record = path_in(&directory, "record");
	options.record = record.text;
	listener = seccomp_stop_exec();
	if (listener < 0)
		SKIP(return, "no listeners of seccomp (Linux 5.5)");
	fatal_start(_metadata, &fatal, &options);
	fatal_kill_amid(_metadata, &fatal, listener);
	EXPECT_STREQ("record ", directory_list(&directory));
	text = file_read(_metadata, record.text);
	EXPECT_TRUE(text != NULL);
	if (text)
		EXPECT_EQ(2, sscanf(text, "%d\n%" SCNu64 "\n", &pid, &start));
	EXPECT_EQ(fatal.shim, pid);
	EXPECT_EQ(proc_start(_metadata, fatal.shim), start);
	close(fatal.in[1]);
	EXPECT_STREQ("ran\n", fd_text(_metadata, fatal.out[0], false));
	EXPECT_EQ(0, fatal_end(_metadata, &fatal));
	close(listener);
	directory_remove(&directory);
}

TEST_HARNESS_MAIN
