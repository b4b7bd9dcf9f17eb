/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Numbers that are claimed, and launches that are waited for. */
#include <limits.h>
#include <pthread.h>

#include "children.h"
#include "claims.h"
#include "harness.h"
#include "sys.h"

static void begin(struct __test_metadata *_metadata)
{
	ASSERT_EQ(0, pt_claims_ready());
	ASSERT_EQ(0, pt_claims_ready());
}

TEST(before_anybody_is_ready_all_numbers_are_claimed)
{
	EXPECT_TRUE(pt_claims_has(2));
	pt_claims_end(pt_claims_begin());
}

TEST(a_number_is_claimed_until_the_last_has_dropped_it)
{
	begin(_metadata);
	EXPECT_FALSE(pt_claims_has(4000));
	pt_claims_add(4000);
	pt_claims_add(4000);
	pt_claims_drop(4000);
	EXPECT_TRUE(pt_claims_has(4000));
	EXPECT_FALSE(pt_claims_has(3999));
	EXPECT_FALSE(pt_claims_has(4001));
	pt_claims_drop(4000);
	EXPECT_FALSE(pt_claims_has(4000));
	pt_claims_drop(4000);
	EXPECT_FALSE(pt_claims_has(4000));
}

TEST(the_last_number_there_is_can_be_claimed)
{
	const pid_t last = (1 << 22) - 1;

	begin(_metadata);
	pt_claims_add(last);
	EXPECT_TRUE(pt_claims_has(last));
	pt_claims_drop(last);
	EXPECT_FALSE(pt_claims_has(last));
}

TEST(what_is_no_number_is_claimed)
{
	begin(_metadata);
	pt_claims_drop(0);
	pt_claims_drop(-1);
	pt_claims_drop(1 << 22);
	EXPECT_TRUE(pt_claims_has(0));
	EXPECT_TRUE(pt_claims_has(-1));
	EXPECT_TRUE(pt_claims_has(1 << 22));
	EXPECT_TRUE(pt_claims_has(INT_MAX));
}

/* As many as nobody counts: rather for ever than not. */
TEST(one_with_more_claims_than_can_be_counted_stays_claimed)
{
	int i;

	begin(_metadata);
	for (i = 0; i < 300; i++)
		pt_claims_add(5);
	for (i = 0; i < 300; i++)
		pt_claims_drop(5);
	EXPECT_TRUE(pt_claims_has(5));
}

TEST(a_child_of_fork_begins_with_none)
{
	int status;
	pid_t pid;

	begin(_metadata);
	pt_claims_add(77);
	pt_claims_begin();
	pid = fork();
	if (!pid) {
		struct pt_calm calm = { { 0 } };

		EXPECT_EQ(0, pt_claims_ready());
		EXPECT_FALSE(pt_claims_has(77));
		EXPECT_TRUE(pt_claims_are_calm(&calm, sys_now_ns()));
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(pt_claims_has(77));
}

TEST(it_is_not_calm_until_a_launch_is_over)
{
	struct pt_calm calm = { { 0 } };
	int64_t since;
	int begun;

	begin(_metadata);
	begun = pt_claims_begin();
	since = sys_now_ns();
	EXPECT_FALSE(pt_claims_are_calm(&calm, since));
	EXPECT_FALSE(pt_claims_are_calm(&calm, since));
	pt_claims_end(begun);
	EXPECT_TRUE(pt_claims_are_calm(&calm, since));
	EXPECT_TRUE(pt_claims_are_calm(&calm, since));
}

/* Two that take turns, so that there is always one. */
TEST(it_becomes_calm_though_there_is_always_a_launch)
{
	struct pt_calm calm = { { 0 } };
	int first, second, i;
	int64_t since;

	begin(_metadata);
	first = pt_claims_begin();
	since = sys_now_ns();
	for (i = 0; !pt_claims_are_calm(&calm, since); i++) {
		ASSERT_LT(i, 10);
		second = pt_claims_begin();
		pt_claims_are_calm(&calm, since);
		pt_claims_end(first);
		first = second;
	}
	EXPECT_GT(i, 0);
	pt_claims_end(first);
}

TEST(one_that_began_later_is_not_waited_for)
{
	struct pt_calm calm = { { 0 } };
	const int64_t since = sys_now_ns();
	int begun;

	begin(_metadata);
	EXPECT_TRUE(pt_claims_are_calm(&calm, since));
	begun = pt_claims_begin();
	EXPECT_TRUE(pt_claims_are_calm(&calm, since));
	EXPECT_FALSE(pt_claims_are_calm(&calm, sys_now_ns()));
	pt_claims_end(begun);
}

static void *claim_and_drop(void *arg)
{
	int i;

	for (i = 0; i < 100000; i++) {
		int begun = pt_claims_begin();

		pt_claims_add(9);
		pt_claims_end(begun);
		if (!pt_claims_has(9))
			return arg;
		pt_claims_drop(9);
	}
	return NULL;
}

TEST(any_thread_claims)
{
	struct pt_calm calm = { { 0 } };
	pthread_t threads[4];
	void *failed;
	size_t i;

	begin(_metadata);
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, claim_and_drop,
					    &calm));
	for (i = 0; i < 4; i++) {
		pthread_join(threads[i], &failed);
		EXPECT_NULL(failed);
	}
	EXPECT_FALSE(pt_claims_has(9));
	EXPECT_TRUE(pt_claims_are_calm(&calm, sys_now_ns()));
}

/* In a page for each 4096 numbers, and no more. */
TEST(claims_cost_little_memory)
{
	long before, after;
	FILE *file;

	begin(_metadata);
	file = fopen("/proc/self/statm", "re");
	if (!file)
		SKIP(return, "no /proc");
	ASSERT_EQ(1, fscanf(file, "%*d %ld", &before));
	pt_claims_add(100);
	rewind(file);
	fflush(file);
	ASSERT_EQ(1, fscanf(file, "%*d %ld", &after));
	fclose(file);
	EXPECT_LE(after - before, 256);
}

TEST_HARNESS_MAIN
