/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Numbers and what was seen of each, found again among many. */
#include "harness.h"
#include "sightings.h"

TEST(of_none_nothing_is_found)
{
	struct pt_sightings sightings = { 0 };

	EXPECT_NULL(pt_sightings_find(&sightings, 7));
	pt_sightings_forget(&sightings, 1);
	pt_sightings_done(&sightings);
}

TEST(each_of_many_is_found_with_what_was_seen_of_it)
{
	struct pt_sightings sightings = { 0 };
	struct pt_sighting *seen;
	pid_t pid;

	/* some of them the same but for the bits that say where */
	for (pid = 1; pid <= 20000; pid++) {
		seen = pt_sightings_add(&sightings, pid * 64);
		ASSERT_TRUE(seen != NULL);
		EXPECT_EQ(0, seen->identity);
		seen->identity = (uint64_t)pid;
	}
	EXPECT_EQ(20000, sightings.n);
	for (pid = 1; pid <= 20000; pid++) {
		seen = pt_sightings_find(&sightings, pid * 64);
		ASSERT_TRUE(seen != NULL);
		EXPECT_EQ(pid * 64, seen->pid);
		EXPECT_EQ((uint64_t)pid, seen->identity);
		EXPECT_NULL(pt_sightings_find(&sightings, pid * 64 + 1));
	}
	pt_sightings_done(&sightings);
}

TEST(one_that_is_there_is_not_added_twice)
{
	struct pt_sightings sightings = { 0 };

	pt_sightings_add(&sightings, 5)->ns = 6;
	EXPECT_EQ(6, pt_sightings_add(&sightings, 5)->ns);
	EXPECT_EQ(1, sightings.n);
	pt_sightings_done(&sightings);
}

TEST(those_of_earlier_rounds_are_forgotten_and_their_room_is_given_back)
{
	struct pt_sightings sightings = { 0 };
	pid_t pid;

	for (pid = 1; pid <= 10000; pid++)
		pt_sightings_add(&sightings, pid)->round = pid % 100 ? 3 : 4;
	pt_sightings_forget(&sightings, 3);
	EXPECT_EQ(10000, sightings.n);
	pt_sightings_forget(&sightings, 4);
	EXPECT_EQ(100, sightings.n);
	EXPECT_LE(sightings.size, 512);
	EXPECT_TRUE(pt_sightings_find(&sightings, 700) != NULL);
	EXPECT_NULL(pt_sightings_find(&sightings, 701));
	pt_sightings_forget(&sightings, 5);
	EXPECT_EQ(0, sightings.n);
	EXPECT_EQ(0, sightings.size);
}

TEST_HARNESS_MAIN
