/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* What children.h promises; what harness.h does is seen by harness_test.sh. */
#include "children.h"
#include "harness.h"

TEST(a_child_exits_with_the_code_it_was_told)
{
	struct child child;

	ASSERT_EQ(0, child_start(&child));
	EXPECT_EQ(0, await_fd(child.pidfd, POLLIN, 0));
	EXPECT_TRUE(child_is_any());
	ASSERT_EQ(0, child_exit(&child, 7));
	ASSERT_EQ(0, child_await_exit(&child));
	EXPECT_EQ(child.pid, zombie_find());
	EXPECT_EQ(7 << 8, child_reap(&child));
	EXPECT_FALSE(child_is_any());
	EXPECT_EQ(0, zombie_find());
	child_close(&child);
}

TEST(a_child_dies_of_the_signal_it_was_told)
{
	struct child child;

	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, child_raise(&child, SIGUSR1));
	EXPECT_EQ(SIGUSR1, child_reap(&child));
	child_close(&child);
}

TEST(a_child_stops_and_goes_on)
{
	struct child child;
	siginfo_t info;

	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, child_signal(&child, SIGSTOP));
	ASSERT_EQ(0, waitid(P_PID, child.pid, &info, WSTOPPED));
	ASSERT_EQ(0, child_signal(&child, SIGCONT));
	ASSERT_EQ(0, waitid(P_PID, child.pid, &info, WCONTINUED));
	ASSERT_EQ(0, child_exit(&child, 0));
	EXPECT_EQ(0, child_reap(&child));
	child_close(&child);
}

TEST(a_child_ends_when_nobody_can_tell_it_more)
{
	struct child child;

	ASSERT_EQ(0, child_start(&child));
	close(child.socket);
	child.socket = -1;
	EXPECT_EQ(99 << 8, child_reap(&child));
	child_close(&child);
}

TEST(a_foreign_process_is_reaped_by_its_parent_when_told)
{
	struct foreign foreign;
	siginfo_t info;

	ASSERT_EQ(0, foreign_start(&foreign));
	EXPECT_EQ(-1, waitid(P_PID, foreign.child.pid, &info, WEXITED));
	EXPECT_EQ(ECHILD, errno);
	ASSERT_EQ(0, child_exit(&foreign.child, 9));
	ASSERT_EQ(0, child_await_exit(&foreign.child));
	EXPECT_EQ(0, child_signal(&foreign.child, 0));
	EXPECT_EQ(9 << 8, foreign_reap(&foreign));
	EXPECT_EQ(-ESRCH, child_signal(&foreign.child, 0));
	foreign_end(&foreign);
}

TEST(an_orphan_becomes_a_child_of_the_test)
{
	struct child orphan;

	ASSERT_EQ(0, orphan_start(&orphan));
	ASSERT_EQ(0, child_raise(&orphan, SIGTERM));
	EXPECT_EQ(SIGTERM, child_reap(&orphan));
	child_close(&orphan);
}

TEST(whatever_runs_can_be_ended)
{
	struct foreign foreign;
	struct child child;
	int n = fds_count();

	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, foreign_start(&foreign));
	EXPECT_EQ(n + 6, fds_count());
	child_end(&child);
	child_end(&child);
	foreign_end(&foreign);
	foreign_end(&foreign);
	EXPECT_EQ(n, fds_count());
}

TEST(a_thousand_children_know_nothing_of_one_another)
{
	enum { N = 1000 };
	static struct child children[N];
	struct rlimit limit;
	int i;

	/* two descriptors each */
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = limit.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	if (limit.rlim_max < 2 * N + 100)
		SKIP(return, "RLIMIT_NOFILE is too low");
	for (i = 0; i < N; i++)
		ASSERT_EQ(0, child_start(&children[i]));
	for (i = 0; i < N; i++)
		ASSERT_EQ(0, child_exit(&children[i], i % 100));
	for (i = 0; i < N; i++) {
		EXPECT_EQ((i % 100) << 8, child_reap(&children[i]));
		child_close(&children[i]);
	}
}

TEST_HARNESS_MAIN
