/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Tests that are wrong on purpose.  harness_test.sh knows what the harness must
 * say of each.
 */
#include "harness.h"

/* A child that lives until somebody kills it. */
static pid_t child_left(void)
{
	pid_t pid = fork();

	while (!pid)
		pause();
	return pid;
}

TEST(passes)
{
	EXPECT_EQ(1, 1);
	EXPECT_NE(NULL, _metadata);
	EXPECT_TRUE(true);
	EXPECT_STREQ("a", "a");
}

TEST(asserts_what_is_not)
{
	ASSERT_EQ(0, -ENOENT);
	abort();
}

TEST(expects_what_is_not_and_goes_on)
{
	uint64_t large = UINT64_MAX;

	EXPECT_EQ(1U, large);
	EXPECT_STREQ("one", "two");
	EXPECT_NULL(&large)
	{
		TH_LOG("a word more");
	}
	EXPECT_LT(2, 1);
}

TEST(a_child_of_it_expects_what_is_not)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		ASSERT_EQ(1, 2);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
}

TEST(leaves_a_descriptor)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	ASSERT_EQ(7, dup2(fd, 7));
	close(fd);
}

TEST(closes_a_descriptor_it_was_given)
{
	close(STDIN_FILENO);
}

TEST(fails_without_an_output)
{
	close(STDOUT_FILENO);
	ASSERT_EQ(1, 2);
}

TEST(leaves_a_child)
{
	ASSERT_GT(child_left(), 0);
}

TEST(leaves_an_orphan)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		child_left();
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
}

TEST(leaves_a_zombie)
{
	siginfo_t info;
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	ASSERT_EQ(0, waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
}

TEST(is_aborted)
{
	abort();
}

TEST(is_killed)
{
	child_left();
	raise(SIGKILL);
}

TEST(ends_its_process)
{
	exit(0);
}

TEST(returns_in_a_child)
{
	int status;
	pid_t pid = fork();

	if (pid)
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
}

/* Its child and grandchild outlive it, in a session of their own. */
TEST(takes_too_long)
{
	if (!fork()) {
		setsid();
		if (!fork())
			TH_LOG("waits");
		for (;;)
			pause();
	}
	for (;;)
		pause();
}

/* With AddressSanitizer this fails. */
TEST(loses_memory)
{
	char *volatile lost = malloc(33);

	ASSERT_NE(NULL, lost);
	lost = NULL;
}

TEST(skips)
{
	SKIP(return, "there is no %s", "moon");
	abort();
}

TEST(skips_and_leaves_a_child)
{
	child_left();
	SKIP(return, "for a reason");
}

static void skip_here(struct __test_metadata *_metadata)
{
	SKIP(_exit(0), "there is no sun");
}

TEST(skips_and_ends_its_process)
{
	skip_here(_metadata);
}

TEST(skips_and_ends_its_process_with_1)
{
	SKIP(_exit(1), "there is no sun");
}

TEST_SIGNAL(dies_as_it_should, SIGUSR1)
{
	raise(SIGUSR1);
}

TEST_SIGNAL(does_not_die_as_it_should, SIGUSR1)
{
}

FIXTURE(fixture)
{
	int fd;
};

FIXTURE_SETUP(fixture)
{
	self->fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ASSERT_GE(self->fd, 0);
}

FIXTURE_TEARDOWN(fixture)
{
	close(self->fd);
	TH_LOG("torn down");
}

TEST_F(fixture, is_torn_down)
{
	EXPECT_GE(self->fd, 0);
}

TEST_F(fixture, is_torn_down_after_a_failure)
{
	ASSERT_EQ(-1, self->fd);
}

static const char *wants_moon(void)
{
	return "there is no moon";
}

static const char *wants_sun(void)
{
	return NULL;
}

TEST_WANTS(wants_what_is_not_there, moon)
{
	EXPECT_EQ(0, 1);
}

TEST_WANTS(wants_what_is_there, sun)
{
}

TEST_F_WANTS(fixture, is_not_set_up_where_it_wants_what_is_not_there, moon)
{
	EXPECT_EQ(0, 1);
}

/* From here on a sandbox refuses something. */
TEST(waits_when_its_child_was_refused)
{
	if (!fork())
		ASSERT_EQ(0, -EPERM);
	for (;;)
		pause();
}

TEST(waits_though_nothing_failed)
{
	harness_told(-EPERM, 0, "it");
	for (;;)
		pause();
}

TEST(ends_its_process_where_it_was_told)
{
	harness_told(-EPERM, 0, "it");
	_exit(1);
}

FIXTURE(fixture_that_hangs)
{
	int nothing;
};

FIXTURE_SETUP(fixture_that_hangs)
{
	self->nothing = 0;
}

FIXTURE_TEARDOWN(fixture_that_hangs)
{
	for (;;)
		pause();
}

TEST_F(fixture_that_hangs, is_torn_down_where_it_was_refused)
{
	ASSERT_EQ(0, -EPERM);
}

TEST_HARNESS_MAIN
