/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Ladders of a process and of the process group that it leads. */
#include "family.h"
#include "seccomp.h"

#define GROUP PIDTRACK_STOP_GROUP
#define LAST PIDTRACK_EVENT_LAST

#define PROCESS_GROUP 4 /* PIDFD_SIGNAL_PROCESS_GROUP, Linux 6.9 */

static const struct pidtrack_stop_step term_then_kill[] = {
	{ SIGTERM, 20 },
	{ SIGKILL, 60000 },
};

/* As before Linux 6.9. */
static void refuse_group_signals(struct __test_metadata *_metadata)
{
	ASSERT_EQ(0, seccomp_refuse_bits(SYS_pidfd_send_signal, 3,
					 PROCESS_GROUP, EINVAL));
}

static bool group_signals_work(void)
{
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	int r = (int)syscall(SYS_pidfd_send_signal, pidfd, 0, NULL,
			     PROCESS_GROUP);

	close(pidfd);
	return !r;
}

/* A leader, which has @n children in its group. */
static pid_t group_start(struct family *family, int n)
{
	pid_t root = fork();
	int i;

	if (root)
		return root;
	setpgid(0, 0);
	if (family->stubborn)
		signal(SIGTERM, SIG_IGN);
	for (i = 0; i < n; i++)
		family_start(family, 0, 0);
	family_join(family);
	family_live();
}

static void whole_group_ends(struct __test_metadata *_metadata, uint32_t flags)
{
	struct pidtrack *tracker = tracker_start(_metadata, flags);
	struct family *family = family_make(_metadata);
	struct pidtrack_process *process;

	process = family_attach(_metadata, tracker, group_start(family, 5));
	family_await(_metadata, family, 6);
	ASSERT_EQ(0, family_stop(process, GROUP, NULL, 0));
	ASSERT_EXITED_AND_MORE(tracker, process, SIGTERM);
	ASSERT_LADDER(tracker, process, PIDTRACK_STOP_DONE, LAST, SIGTERM, 6);
	EXPECT_EQ(6, family_ended(family));
	ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
	family_end(_metadata, family);
}

TEST_WANTS(a_whole_group_ends_by_the_first_signal, proc)
{
	whole_group_ends(_metadata, 0);
}

TEST_WANTS(so_it_does_with_a_tracker_that_has_a_thread, proc)
{
	whole_group_ends(_metadata, PIDTRACK_THREAD);
}

TEST_WANTS(so_it_does_where_no_group_is_signalled_at_once, proc)
{
	refuse_group_signals(_metadata);
	whole_group_ends(_metadata, 0);
}

static void stubborn_group_ends(struct __test_metadata *_metadata)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct family *family = family_make(_metadata);
	struct pidtrack_process *process;

	family->stubborn = true;
	process = family_attach(_metadata, tracker, group_start(family, 5));
	family_await(_metadata, family, 6);
	ASSERT_EQ(0, family_stop(process, GROUP, term_then_kill, 2));
	ASSERT_LADDER(tracker, process, PIDTRACK_ESCALATED, 0, SIGKILL, 6);
	ASSERT_EXITED_AND_MORE(tracker, process, SIGKILL);
	ASSERT_LADDER(tracker, process, PIDTRACK_STOP_DONE, LAST, SIGKILL, 6);
	EXPECT_EQ(6, family_ended(family));
	pidtrack_free(tracker);
	family_end(_metadata, family);
}

TEST_WANTS(a_group_that_ignores_it_ends_by_the_next, proc)
{
	stubborn_group_ends(_metadata);
}

TEST_WANTS(so_does_one_that_is_not_signalled_at_once, proc)
{
	refuse_group_signals(_metadata);
	stubborn_group_ends(_metadata);
}

/* Those of the group alone: no descendant elsewhere, but one without parent. */
TEST_WANTS(who_is_in_the_group_is_no_matter_of_descent, proc)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct family *family = family_make(_metadata);
	struct pidtrack_process *process;
	pid_t root = fork();
	int elsewhere;

	if (!root) {
		setpgid(0, 0);
		if (!fork()) {
			family_start(family, 0, 0); /* an orphan soon */
			_exit(0);
		}
		wait(NULL);
		while (family->n < 1)
			sched_yield();
		if (!fork()) {
			setpgid(0, 0);
			family_join(family);
			family_live();
		}
		while (family->n < 2)
			sched_yield();
		family_join(family);
		family_live();
	}
	process = family_attach(_metadata, tracker, root);
	family_await(_metadata, family, 3);
	elsewhere = family->pidfds[1];
	ASSERT_EQ(0, family_stop(process, GROUP, NULL, 0));
	ASSERT_EXITED_AND_MORE(tracker, process, SIGTERM);
	ASSERT_LADDER(tracker, process, PIDTRACK_STOP_DONE, LAST, SIGTERM, 2);
	EXPECT_EQ(2, family_ended(family));
	EXPECT_FALSE(pidfd_has_ended(elsewhere));
	pidtrack_free(tracker);
	family_end(_metadata, family);
}

/* As the leader of a group of three. */
static void lead_two(struct family *family)
{
	setpgid(0, 0);
	family_start(family, 0, 0);
	family_start(family, 0, 0);
}

/* It is the host's then as well, who is not among them for that. */
TEST_WANTS(a_group_that_the_host_joins_ends_without_it, proc)
{
	const struct pidtrack_stop_step steps[] = { { 0, 300 },
						    { SIGKILL, 60000 } };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct family *family = family_make(_metadata);
	struct pidtrack_process *process;
	pid_t root = fork();

	if (!root) {
		lead_two(family);
		family_join(family);
		family_live();
	}
	process = family_attach(_metadata, tracker, root);
	family_await(_metadata, family, 3);
	ASSERT_EQ(0,
		  family_stop(process, GROUP | PIDTRACK_STOP_TREE, steps, 2));
	ASSERT_EQ(0, setpgid(0, root));
	ASSERT_LADDER(tracker, process, PIDTRACK_ESCALATED, 0, SIGKILL, 3);
	ASSERT_EXITED_AND_MORE(tracker, process, SIGKILL);
	ASSERT_EQ(0, setpgid(0, 0));
	ASSERT_LADDER(tracker, process, PIDTRACK_STOP_DONE, LAST, SIGKILL, 3);
	EXPECT_EQ(3, family_ended(family));
	pidtrack_free(tracker);
	family_end(_metadata, family);
}

/* ---- exactly once ---- */

static struct family *ours;

static void count(int signal_)
{
	(void)signal_;
	ours->signals++;
}

static void everyone_gets_one(struct __test_metadata *_metadata)
{
	const struct pidtrack_stop_step term[] = { { SIGTERM, 60000 } };
	const struct pidtrack_stop_step kill_[] = { { SIGKILL, 60000 } };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct family *family = family_make(_metadata);
	struct pidtrack_process *process;
	pid_t root;

	ours = family;
	root = fork();
	if (!root) {
		setpgid(0, 0);
		signal(SIGTERM, count);
		family_start(family, 1, 3);
		family_join(family);
		family_live();
	}
	process = family_attach(_metadata, tracker, root);
	family_await(_metadata, family, 5);
	ASSERT_EQ(0, family_stop(process, GROUP | PIDTRACK_STOP_TREE, term, 1));
	while (family->signals < 5)
		sched_yield();
	ASSERT_NO_EVENT(tracker);
	ASSERT_EQ(0, family_stop(process, GROUP, kill_, 1));
	ASSERT_EXITED_AND_MORE(tracker, process, SIGKILL);
	ASSERT_LADDER(tracker, process, PIDTRACK_STOP_DONE, LAST, SIGKILL, 5);
	EXPECT_EQ(5, family->signals);
	pidtrack_free(tracker);
	family_end(_metadata, family);
}

TEST_WANTS(each_is_sent_a_step_once_though_it_is_found_twice, proc)
{
	everyone_gets_one(_metadata);
}

TEST_WANTS(so_each_is_where_no_group_is_signalled_at_once, proc)
{
	refuse_group_signals(_metadata);
	everyone_gets_one(_metadata);
}

/* ---- a leader that ended before ---- */

static struct pidtrack_process *leaderless(struct __test_metadata *_metadata,
					   struct pidtrack *tracker,
					   struct family *family)
{
	struct pidtrack_process *process;
	pid_t root = fork();

	if (!root) {
		lead_two(family);
		while (family->n < 2)
			sched_yield();
		_exit(3);
	}
	process = family_attach(_metadata, tracker, root);
	family_await(_metadata, family, 2);
	ASSERT_EXITED(tracker, process, 3 << 8);
	ASSERT_NO_EVENT(tracker);
	return process;
}

TEST_WANTS(a_group_whose_leader_was_reaped_ends, proc_and_signals)
{
	struct pidtrack_process *process;
	struct pidtrack *tracker;
	struct family *family;

	if (!group_signals_work())
		SKIP(return, "no signals for groups by pidfd before Linux 6.9");
	tracker = tracker_start(_metadata, 0);
	family = family_make(_metadata);
	process = leaderless(_metadata, tracker, family);
	EXPECT_EQ(-ESRCH, family_stop(process, 0, NULL, 0));
	EXPECT_EQ(-ESRCH, family_stop(process, PIDTRACK_STOP_TREE, NULL, 0));
	ASSERT_EQ(0, family_stop(process, GROUP, NULL, 0));
	ASSERT_LADDER(tracker, process, PIDTRACK_STOP_DONE, LAST, SIGTERM, 2);
	EXPECT_EQ(2, family_ended(family));
	while (waitpid(-1, NULL, 0) > 0)
		;
	EXPECT_EQ(-ESRCH, family_stop(process, GROUP, NULL, 0));
	pidtrack_free(tracker);
	family_end(_metadata, family);
}

TEST_WANTS(before_linux_6_9_nobody_knows_whose_that_group_is, proc_and_signals)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct family *family = family_make(_metadata);
	struct pidtrack_process *process;

	process = leaderless(_metadata, tracker, family);
	refuse_group_signals(_metadata);
	EXPECT_EQ(-ESRCH, family_stop(process, GROUP, NULL, 0));
	EXPECT_EQ(0, family_ended(family));
	pidtrack_free(tracker);
	family_end(_metadata, family);
}

/* ---- what is refused ---- */

TEST_WANTS(our_own_group_is_refused, proc)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct family *family = family_make(_metadata);
	struct pidtrack_process *process;
	pid_t group = getpgrp();

	process = family_attach(_metadata, tracker, group_start(family, 1));
	family_await(_metadata, family, 2);
	ASSERT_EQ(0, setpgid(0, pidtrack_process_pid(process)));
	EXPECT_EQ(-EDEADLK, family_stop(process, GROUP, NULL, 0));
	EXPECT_EQ(-EDEADLK,
		  family_stop(process, GROUP | PIDTRACK_STOP_TREE, NULL, 0));
	EXPECT_EQ(0, family_ended(family));
	ASSERT_EQ(0, setpgid(0, group));
	pidtrack_free(tracker);
	family_end(_metadata, family);
}

TEST_WANTS(one_that_leads_no_group_is_refused, proc)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct family *family = family_make(_metadata);
	struct pidtrack_process *process;

	process = family_attach(_metadata, tracker, family_start(family, 1, 1));
	family_await(_metadata, family, 2);
	EXPECT_EQ(-EINVAL, family_stop(process, GROUP, NULL, 0));
	EXPECT_EQ(0, family_ended(family));
	pidtrack_free(tracker);
	family_end(_metadata, family);
}

TEST_WANTS(so_is_one_that_has_ended, proc)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process = shim_start(
		_metadata, tracker, PIDTRACK_FD_NULL, SHIM("exit", "7"));

	ASSERT_EXITED(tracker, process, 7 << 8);
	EXPECT_EQ(-EINVAL, family_stop(process, GROUP, NULL, 0));
	ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
}

/* Else ourselves would not be known to be in it. */
static void have_no_group(struct __test_metadata *_metadata, int error)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct family *family = family_make(_metadata);
	struct pidtrack_process *process;

	process = family_attach(_metadata, tracker, group_start(family, 1));
	family_await(_metadata, family, 2);
	ASSERT_EQ(0, seccomp_refuse(SYS_getpgid, error));
	EXPECT_EQ(-error, family_stop(process, GROUP, NULL, 0));
	EXPECT_EQ(0, family_ended(family));
	pidtrack_free(tracker);
	family_end(_metadata, family);
}

TEST_WANTS(where_groups_are_not_told_none_is_stopped, proc)
{
	have_no_group(_metadata, ENOSYS);
}

TEST_WANTS(nor_is_one_where_that_is_forbidden, proc)
{
	have_no_group(_metadata, EPERM);
}

/* All descend from it. */
TEST(the_first_process_is_refused)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;

	ASSERT_EQ(0, pidtrack_attach(tracker, 1, 0, PIDTRACK_ATTACH_OBSERVE,
				     &process));
	EXPECT_EQ(-EDEADLK, family_stop(process, GROUP, NULL, 0));
	EXPECT_EQ(-EDEADLK, family_stop(process, PIDTRACK_STOP_TREE, NULL, 0));
	pidtrack_free(tracker);
}

TEST_HARNESS_MAIN
