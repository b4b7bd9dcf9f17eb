/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Launching: a shim starts with clean signals whatever the host has done to its
 * own, and these stay as they were.
 */
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>

#include "launch.h"
#include "seccomp.h"

#define ALL_SIGNALS 64

static volatile sig_atomic_t handled;
static volatile sig_atomic_t handled_by;

static void on_signal(int signal)
{
	handled++;
	handled_by = getpid();
}

struct signals {
	sigset_t mask;
	struct sigaction actions[ALL_SIGNALS + 1];
};

static void signals_take(struct signals *ret_signals)
{
	int i;

	memset(ret_signals, 0, sizeof(*ret_signals));
	sigprocmask(SIG_SETMASK, NULL, &ret_signals->mask);
	for (i = 1; i <= ALL_SIGNALS; i++)
		sigaction(i, NULL, &ret_signals->actions[i]);
}

static void signals_compare(struct __test_metadata *_metadata,
			    const struct signals *before)
{
	struct signals now;
	int i;

	signals_take(&now);
	for (i = 1; i <= ALL_SIGNALS; i++) {
		EXPECT_EQ(sigismember(&before->mask, i),
			  sigismember(&now.mask, i));
		EXPECT_EQ((uintptr_t)before->actions[i].sa_handler,
			  (uintptr_t)now.actions[i].sa_handler);
		EXPECT_EQ(before->actions[i].sa_flags, now.actions[i].sa_flags);
	}
}

/* A host with handlers, ignored and blocked signals. */
static void signals_disturb(void)
{
	struct sigaction action = { .sa_handler = on_signal,
				    .sa_flags = SA_RESTART };
	sigset_t mask;

	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGCHLD, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGRTMIN, &action, NULL);
	sigaction(SIGRTMAX, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGRTMAX - 1, SIG_IGN);
	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGUSR2);
	sigaddset(&mask, SIGRTMAX);
	sigprocmask(SIG_BLOCK, &mask, NULL);
}

#define CLEAN_SIGNALS                                    \
	"blk 0000000000000000 ign 0000000000000000 cgt " \
	"0000000000000000\n"

TEST(a_shim_starts_with_clean_signals)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("sigs"));
	struct signals before;

	signals_disturb();
	signals_take(&before);
	EXPECT_STREQ(CLEAN_SIGNALS, shim_said(_metadata, &options));
	signals_compare(_metadata, &before);

	options.program = "/is/not/there";
	spawn_fails(_metadata, &options, -ENOENT, PIDTRACK_STAGE_EXEC);
	signals_compare(_metadata, &before);
}

TEST(a_shim_starts_with_clean_signals_without_clone3_too)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("sigs"));
	struct signals before;

	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, ENOSYS));
	signals_disturb();
	signals_take(&before);
	EXPECT_STREQ(CLEAN_SIGNALS, shim_said(_metadata, &options));
	signals_compare(_metadata, &before);
}

TEST(a_shim_has_the_mask_and_the_ignored_signals_asked_for)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("sigs"),
				       .signal_mask = UINT64_C(1)
							      << (SIGUSR1 - 1) |
						      UINT64_C(1) << 63,
				       .signal_ignore =
					       UINT64_C(1) << (SIGPIPE - 1) |
					       UINT64_C(1) << 62);
	struct signals before;

	signals_take(&before);
	EXPECT_STREQ("blk 8000000000000200 ign 4000000000001000 cgt "
		     "0000000000000000\n",
		     shim_said(_metadata, &options));
	signals_compare(_metadata, &before);
	signals_disturb();
	signals_take(&before);
	EXPECT_STREQ("blk 8000000000000200 ign 4000000000001000 cgt "
		     "0000000000000000\n",
		     shim_said(_metadata, &options));
	signals_compare(_metadata, &before);
}

/* Those of the C library's own, which its sigaction() will not touch. */
TEST(signals_of_the_c_library_are_set_too)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("sigs"),
				       .signal_mask = UINT64_C(3) << 31,
				       .signal_ignore = UINT64_C(3) << 31);

	EXPECT_STREQ("blk 0000000180000000 ign 0000000180000000 cgt "
		     "0000000000000000\n",
		     shim_said(_metadata, &options));
}

TEST(a_stop_signal_may_be_ignored_by_the_shim_alone)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("kill", "TSTP", "write",
						    "not stopped"),
				       .signal_ignore = UINT64_C(1)
							<< (SIGTSTP - 1));

	EXPECT_STREQ("not stopped\n", shim_said(_metadata, &options));
}

/* ---- signals that arrive amid a launch ---- */

struct amid {
	pthread_t thread;
	int listener;
	pid_t child;
	void (*act)(struct amid *amid);
};

/* Another thread of the host's, while the launching one waits for the exec. */
static void *amid_run(void *arg)
{
	struct amid *amid = arg;
	uint64_t id;

	amid->child = seccomp_stopped(amid->listener, &id);
	amid->act(amid);
	seccomp_go(amid->listener, id);
	return NULL;
}

static void amid_start(struct __test_metadata *_metadata, struct amid *amid,
		       int listener, void (*act)(struct amid *amid))
{
	sigset_t all, old;

	amid->act = act;
	amid->listener = listener;
	if (amid->listener < 0) {
		SKIP(, "no listeners of seccomp (Linux 5.5)");
		_metadata->completed = true;
		_exit(0);
	}
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	ASSERT_EQ(0, pthread_create(&amid->thread, NULL, amid_run, amid));
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static void amid_end(struct amid *amid)
{
	pthread_join(amid->thread, NULL);
	close(amid->listener);
}

static void signal_host(struct amid *amid)
{
	kill(getpid(), SIGUSR1);
}

/* Only the launching thread does not block it, so it is the one to handle it */
TEST(a_signal_to_the_host_amid_a_launch_is_the_hosts_alone)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "unharmed"));
	struct sigaction action = { .sa_handler = on_signal };
	struct amid amid;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	amid_start(_metadata, &amid, seccomp_stop_exec(), signal_host);
	EXPECT_STREQ("unharmed\n", shim_said(_metadata, &options));
	amid_end(&amid);
	EXPECT_EQ(1, handled);
	EXPECT_EQ(getpid(), handled_by);
}

/* Not twice the same: ThreadSanitizer makes one of them. */
static void signal_launching_thread(struct amid *amid)
{
	syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1);
	syscall(SYS_tgkill, getpid(), getpid(), SIGRTMIN);
	syscall(SYS_tgkill, getpid(), getpid(), SIGRTMIN + 1);
}

TEST(signals_to_the_launching_thread_wait_for_it)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "unharmed"));
	struct sigaction action = { .sa_handler = on_signal };
	struct amid amid;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	ASSERT_EQ(0, sigaction(SIGRTMIN, &action, NULL));
	ASSERT_EQ(0, sigaction(SIGRTMIN + 1, &action, NULL));
	amid_start(_metadata, &amid, seccomp_stop_exec(),
		   signal_launching_thread);
	EXPECT_STREQ("unharmed\n", shim_said(_metadata, &options));
	amid_end(&amid);
	EXPECT_EQ(3, handled);
	EXPECT_EQ(getpid(), handled_by);
}

/* A handler run in the child would be run in the host's memory. */
static void signal_child(struct amid *amid)
{
	kill(amid->child, SIGUSR1);
}

TEST(no_handler_of_the_hosts_runs_in_the_child)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"));
	struct sigaction action = { .sa_handler = on_signal };
	struct launch launch = LAUNCH_NULL;
	struct amid amid;
	int r;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	launch_open(_metadata, &launch);
	amid_start(_metadata, &amid, seccomp_stop_exec(), signal_child);
	r = launch_spawn(_metadata, &launch, &options);
	/* It ends the child; whether before the exec is the kernel's affair. */
	if (r)
		EXPECT_EQ(-ECANCELED, r);
	amid_end(&amid);
	EXPECT_EQ(0, handled);
	if (!r)
		EXPECT_EQ(SIGUSR1, launch_wait(_metadata, &launch));
	EXPECT_STREQ("", launch_said(_metadata, &launch));
	launch_close(&launch);
}

/* A shell's ^Z, again and again; with its group, which the sender is in. */
static void stop_group(int rounds)
{
	signal(SIGTSTP, SIG_IGN);
	while (rounds--) {
		kill(0, SIGTSTP);
		usleep(50);
	}
	_exit(0);
}

/* However often that is interrupted. */
static void launch_and_wait(struct __test_metadata *_metadata,
			    struct pidtrack *tracker,
			    const struct pidtrack_spawn_options *options)
{
	const struct pidtrack_event *event;
	struct pidtrack_process *process;
	int r;

	ASSERT_EQ(0, pidtrack_spawn(tracker, options, &process, NULL));
	do
		r = pidtrack_wait(tracker, -1, &event);
	while (r == -EINTR);
	ASSERT_EQ(1, r);
	EXPECT_EQ(process, event->process);
	EXPECT_EQ(0, event->status);
	pidtrack_process_free(process);
}

static const char *wants_masks(void)
{
	return sandbox_refuses("rt_sigprocmask") ?
		       "the sandbox has the library block no signals" :
		       NULL;
}

/* A child is in our group at first, and has no handler: we would wait. */
TEST_WANTS(a_stop_signal_that_the_host_handles_does_not_stop_a_launch, masks)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("exit", "0"),
				       .flags = PIDTRACK_SPAWN_SETSID);
	struct sigaction action = { .sa_handler = on_signal,
				    .sa_flags = SA_RESTART };
	struct launch launch = LAUNCH_NULL;
	pid_t sender;

	launch_open(_metadata, &launch);
	ASSERT_EQ(0, setpgid(0, 0));
	ASSERT_EQ(0, sigaction(SIGTSTP, &action, NULL));
	sender = fork();
	if (!sender)
		stop_group(2000);
	while (waitpid(sender, NULL, WNOHANG) == 0) {
		launch_and_wait(_metadata, launch.tracker, &options);
		pidtrack_feature_probe(PIDTRACK_FEATURE_EXIT_INFO);
	}
	EXPECT_GT(handled, 0);
	launch_close(&launch);
}

static void stop_child(struct amid *amid)
{
	kill(amid->child, SIGTSTP);
	kill(amid->child, SIGTTIN);
	kill(amid->child, SIGTTOU);
}

/* Where the child has the mask and all that of its own already. */
TEST(nor_does_one_that_comes_later)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "unharmed"),
				       .flags = PIDTRACK_SPAWN_UMASK);
	struct amid amid;

	amid_start(_metadata, &amid, seccomp_stop(SYS_umask), stop_child);
	EXPECT_STREQ("unharmed\n", shim_said(_metadata, &options));
	amid_end(&amid);
}

/* By a filter that does not let it change its directory. */
TEST(a_child_killed_before_it_executes_is_told_as_such)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .cwd = "/");

	ASSERT_EQ(0, seccomp_kill(SYS_chdir));
	spawn_fails(_metadata, &options, -ECANCELED, PIDTRACK_STAGE_CWD);
}

static void kill_child(struct amid *amid)
{
	kill(amid->child, SIGKILL);
}

/*
 * In the exec itself it is up to the kernel to let it be the old program or the
 * new one that dies, but it is told as either.
 */
static void launch_killed(struct __test_metadata *_metadata,
			  struct launch *launch, int status)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"));
	int r = launch_spawn(_metadata, launch, &options);

	EXPECT_STREQ("", launch_said(_metadata, launch));
	if (!r)
		EXPECT_EQ(status, launch_wait(_metadata, launch) & 0x7f);
	else
		EXPECT_EQ(-ECANCELED, r);
	launch_close(launch);
}

TEST(a_child_killed_in_its_exec_is_not_lost)
{
	struct launch launch = LAUNCH_NULL;
	struct amid amid;

	launch_open(_metadata, &launch);
	amid_start(_metadata, &amid, seccomp_stop_exec(), kill_child);
	launch_killed(_metadata, &launch, SIGKILL);
	amid_end(&amid);
}

TEST(a_child_killed_for_its_exec_is_not_lost)
{
	struct launch launch = LAUNCH_NULL;

	ASSERT_EQ(0, seccomp_kill(SYS_execve));
	ASSERT_EQ(0, seccomp_kill(SYS_execveat));
	launch_open(_metadata, &launch);
	launch_killed(_metadata, &launch, SIGSYS);
}

TEST_HARNESS_MAIN
