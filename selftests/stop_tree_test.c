/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Ladders of a process and of all that descends from it. */
#include <pthread.h>

#include "family.h"

#define TREE PIDTRACK_STOP_TREE

TEST(a_whole_tree_ends_by_the_first_signal)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct family *family = family_make(_metadata);
	struct pidtrack_process *process;

	process = family_attach(_metadata, tracker, family_start(family, 2, 3));
	family_await(_metadata, family, 15);
	ASSERT_EQ(0, family_stop(process, TREE, NULL, 0));
	ASSERT_EXITED_AND_MORE(tracker, process, SIGTERM);
	ASSERT_LADDER(tracker, process, PIDTRACK_STOP_DONE, PIDTRACK_EVENT_LAST,
		      SIGTERM, 15);
	EXPECT_EQ(15, family_ended(family));
	ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
	family_end(_metadata, family);
}

TEST(a_tree_that_ignores_it_ends_by_the_next)
{
	const struct pidtrack_stop_step steps[] = { { SIGTERM, 20 },
						    { SIGKILL, 60000 } };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct family *family = family_make(_metadata);
	struct pidtrack_process *process;

	family->stubborn = true;
	process = family_attach(_metadata, tracker, family_start(family, 2, 2));
	family_await(_metadata, family, 7);
	ASSERT_EQ(0, family_stop(process, TREE, steps, 2));
	ASSERT_LADDER(tracker, process, PIDTRACK_ESCALATED, 0, SIGKILL, 7);
	ASSERT_EXITED_AND_MORE(tracker, process, SIGKILL);
	ASSERT_LADDER(tracker, process, PIDTRACK_STOP_DONE, PIDTRACK_EVENT_LAST,
		      SIGKILL, 7);
	EXPECT_EQ(7, family_ended(family));
	pidtrack_free(tracker);
	family_end(_metadata, family);
}

TEST_HARNESS_MAIN
