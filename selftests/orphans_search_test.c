/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Looking for orphans by hand: where the kernel lists children, and where it
 * does not and all processes are asked.
 */
#include <sys/mount.h>
#include <sys/ptrace.h>

#include "children.h"
#include "harness.h"
#include "orphans.h"
#include "procfs.h"
#include "seccomp.h"
#include "sys.h"

#define COLLECT PIDTRACK_ORPHANS_COLLECT
#define ASK PIDTRACK_ORPHANS_ASK

static struct pt_orphans *start(struct __test_metadata *_metadata,
				struct pt_place *place, uint32_t policy,
				bool listed)
{
	struct pt_orphans *orphans;

	ASSERT_EQ(0, pt_claims_ready());
	pt_place_look(place);
	ASSERT_EQ(0, pt_orphans_new(place, NULL, policy, 1, &orphans));
	if (listed && !orphans->listed)
		SKIP(_exit(0), "the kernel lists no children");
	orphans->listed = listed;
	return orphans;
}

/* Until that many are collected. */
static void look_until(struct __test_metadata *_metadata,
		       struct pt_orphans *orphans, uint64_t n)
{
	struct pidtrack_event event;
	uint64_t collected = 0;

	while (collected < n) {
		ASSERT_TRUE(await_fd(orphans->timer, POLLIN, -1) & POLLIN);
		ASSERT_FALSE(pt_orphans_look(orphans, &collected, &event));
	}
	EXPECT_EQ(n, collected);
}

/* So many children of ours that have ended; their numbers for who wants them.
 */
static void zombies_make(struct __test_metadata *_metadata, int n, pid_t *pids)
{
	siginfo_t info;
	int i;

	for (i = 0; i < n; i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(0);
		ASSERT_GT(pid, 0);
		ASSERT_EQ(0,
			  waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
		if (pids)
			pids[i] = pid;
	}
}

static void check_found(struct __test_metadata *_metadata, bool listed)
{
	struct pt_place place;
	struct pt_orphans *orphans = start(_metadata, &place, COLLECT, listed);
	struct child claimed, running;

	ASSERT_EQ(0, child_start(&claimed));
	ASSERT_EQ(0, child_start(&running));
	pt_claims_add(claimed.pid);
	ASSERT_EQ(0, child_exit(&claimed, 3));
	ASSERT_EQ(0, child_await_exit(&claimed));
	zombies_make(_metadata, 700, NULL);
	look_until(_metadata, orphans, 700);
	EXPECT_EQ(3 << 8, child_reap(&claimed));
	pt_claims_drop(claimed.pid);
	child_close(&claimed);
	child_end(&running);
	pt_orphans_free(orphans);
}

TEST_WANTS(all_are_found_where_the_kernel_lists_children, proc)
{
	check_found(_metadata, true);
}

TEST_WANTS(all_are_found_where_it_does_not, proc)
{
	check_found(_metadata, false);
}

/* One that is under way could be of any that was made meanwhile. */
TEST_WANTS(while_a_launch_is_under_way_nobody_is_collected, proc)
{
	struct pt_place place;
	struct pt_orphans *orphans = start(_metadata, &place, COLLECT, true);
	struct pidtrack_event event;
	uint64_t collected = 0;
	struct child child;
	int begun, i;

	begun = pt_claims_begin();
	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, child_exit(&child, 3));
	ASSERT_EQ(0, child_await_exit(&child));
	for (i = 0; i < 10; i++) {
		ASSERT_TRUE(await_fd(orphans->timer, POLLIN, -1) & POLLIN);
		ASSERT_FALSE(pt_orphans_look(orphans, &collected, &event));
	}
	EXPECT_EQ(0, collected);
	pt_claims_end(begun);
	look_until(_metadata, orphans, 1);
	child_close(&child);
	pt_orphans_free(orphans);
}

/* Whom we trace we could wait for, but it is its parent's. */
static void check_traced(struct __test_metadata *_metadata, bool listed)
{
	struct pt_place place;
	struct pt_orphans *orphans = start(_metadata, &place, COLLECT, listed);
	struct foreign foreign;
	pid_t pid;
	int i, status;

	ASSERT_EQ(0, foreign_start(&foreign));
	pid = foreign.child.pid;
	ASSERT_EQ(0, ptrace(PTRACE_SEIZE, pid, NULL, NULL));
	ASSERT_EQ(0, child_exit(&foreign.child, 4));
	ASSERT_EQ(0, child_await_exit(&foreign.child));
	/* the second is seen when it has been seen for long */
	for (i = 0; i < 2; i++) {
		zombies_make(_metadata, 1, NULL);
		look_until(_metadata, orphans, 1);
	}
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(4 << 8, status);
	foreign_end(&foreign);
	pt_orphans_free(orphans);
}

TEST_WANTS(one_of_others_that_its_host_traces_is_no_orphan, proc)
{
	SKIP_WITHOUT_TRACING();
	check_traced(_metadata, true);
}

TEST_WANTS(one_of_others_that_its_host_traces_is_none_where_all_are_asked, proc)
{
	SKIP_WITHOUT_TRACING();
	check_traced(_metadata, false);
}

/* As before Linux 6.13. */
TEST_WANTS(nor_is_it_where_pidfds_do_not_tell_whose_child_it_is, proc)
{
	SKIP_WITHOUT_TRACING();
	ASSERT_EQ(0, seccomp_refuse(SYS_ioctl, ENOTTY));
	check_traced(_metadata, false);
}

/* A zombie of ours that /proc does not show us, if it can be had; else why. */
static const char *zombie_hide(void)
{
	struct pt_pidfd_info told;
	struct pt_procfs_stat stat;
	siginfo_t info;
	pid_t pid;
	int pidfd, r;

	if (geteuid())
		return "wants root";
	pid = fork();
	if (!pid)
		_exit(setresuid(65533, 65533, 65533) != 0);
	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) ||
	    unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("proc", "/proc", "proc", 0, "hidepid=1") ||
	    setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
		return strerror(errno);
	if (pt_procfs_stat(pid, &stat) >= 0)
		return "/proc hides nobody";
	pidfd = sys_pidfd_open(pid, 0);
	r = sys_pidfd_info(pidfd, PT_PIDFD_INFO_PID, &told);
	sys_close(pidfd);
	return r < 0 ? "pidfds do not tell the parent" : NULL;
}

TEST(one_of_another_user_is_found_where_proc_hides_what_it_is)
{
	struct pt_place place;
	struct pt_orphans *orphans;
	const char *why = zombie_hide();

	if (why) {
		waitpid(-1, NULL, 0);
		SKIP(return, "%s", why);
	}
	orphans = start(_metadata, &place, COLLECT, false);
	look_until(_metadata, orphans, 1);
	pt_orphans_free(orphans);
}

#define MANY 1200 /* in more than one piece */

/* The next one that is told of, in as many looks as @looks; or 0. */
static pid_t told_next(struct __test_metadata *_metadata,
		       struct pt_orphans *orphans, int looks)
{
	struct pidtrack_event event;
	uint64_t collected = 0;

	while (looks-- > 0) {
		ASSERT_TRUE(await_fd(orphans->timer, POLLIN, -1) & POLLIN);
		if (pt_orphans_look(orphans, &collected, &event))
			return event.pid;
	}
	EXPECT_EQ(0, collected);
	return 0;
}

/*
 * The list is read piece by piece: when those in front go, who comes next is
 * passed over.
 */
TEST_WANTS(who_was_told_of_is_not_told_of_again_when_the_list_moves, proc)
{
	struct pt_place place;
	struct pt_orphans *orphans = start(_metadata, &place, ASK, true);
	static pid_t pids[MANY];
	uint32_t round;
	int i, status;

	zombies_make(_metadata, MANY, pids);
	for (i = 0; i < MANY; i++)
		ASSERT_GT(told_next(_metadata, orphans, 2 * MANY), 0);
	for (round = orphans->round.number; orphans->round.number == round;)
		ASSERT_EQ(0, told_next(_metadata, orphans, 1));
	for (i = 0; i < MANY / 5; i++)
		ASSERT_EQ(pids[i], waitpid(pids[i], &status, 0));
	EXPECT_EQ(0, told_next(_metadata, orphans, 40));
	for (; i < MANY; i++)
		ASSERT_EQ(pids[i], waitpid(pids[i], &status, 0));
	for (i = 0; i < 20 && orphans->zombies.n > 0; i++)
		EXPECT_EQ(0, told_next(_metadata, orphans, 1));
	EXPECT_EQ(0, orphans->zombies.n);
	pt_orphans_free(orphans);
}

TEST_HARNESS_MAIN
