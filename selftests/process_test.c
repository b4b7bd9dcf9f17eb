/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What a process becomes by what is seen: the table, every path through it of
 * up to six steps, and what a readable pidfd means.
 */
#include <sys/wait.h>

#include "children.h"
#include "harness.h"
#include "process.h"

/* ---- the table ---- */

#define FOR_EACH_STATE(state) \
	for (state = PT_STATE_NONE + 1; state < PT_STATE_MAX; state++)
#define FOR_EACH_SEEN(seen) \
	for (seen = PT_SEEN_NONE + 1; seen < PT_SEEN_MAX; seen++)

static struct pt_cell after(unsigned int state, unsigned int seen)
{
	return pt_process_after((enum pt_state)state, (enum pt_seen)seen);
}

TEST(every_cell_is_filled_in)
{
	unsigned int state, seen;

	FOR_EACH_STATE(state)
	FOR_EACH_SEEN(seen)
	{
		struct pt_cell cell = after(state, seen);

		EXPECT_NE(PT_STATE_NONE, cell.state);
		EXPECT_LT(cell.state, PT_STATE_MAX);
		EXPECT_EQ(0, cell.does & ~(PT_DO_EXITED | PT_DO_REAPED |
					   PT_DO_REAP))
		{
			TH_LOG("state %u, seen %u", state, seen);
		}
	}
}

TEST(a_running_process_ends_as_it_is_seen_to)
{
	struct pt_cell cell;

	cell = after(PT_STATE_RUNNING, PT_SEEN_STATUS);
	EXPECT_EQ(PT_STATE_OURS, cell.state);
	EXPECT_EQ(PT_DO_EXITED, cell.does);

	cell = after(PT_STATE_RUNNING, PT_SEEN_EXIT);
	EXPECT_EQ(PT_STATE_ZOMBIE, cell.state);
	EXPECT_EQ(PT_DO_EXITED, cell.does);

	cell = after(PT_STATE_RUNNING, PT_SEEN_REAP);
	EXPECT_EQ(PT_STATE_REAPED, cell.state);
	EXPECT_EQ(PT_DO_EXITED | PT_DO_REAPED, cell.does);

	cell = after(PT_STATE_RUNNING, PT_SEEN_STOLEN);
	EXPECT_EQ(PT_STATE_REAPED, cell.state);
	EXPECT_EQ(PT_DO_EXITED, cell.does);

	cell = after(PT_STATE_RUNNING, PT_SEEN_ACK);
	EXPECT_EQ(PT_STATE_RUNNING, cell.state);
	EXPECT_EQ(0, cell.does);
}

TEST(what_ended_never_runs_again)
{
	unsigned int state, seen;

	FOR_EACH_STATE(state)
	FOR_EACH_SEEN(seen)
	{
		if (state != PT_STATE_RUNNING)
			EXPECT_NE(PT_STATE_RUNNING, after(state, seen).state);
	}
}

TEST(what_is_reaped_stays_so_and_nothing_follows)
{
	unsigned int seen;

	FOR_EACH_SEEN(seen)
	{
		struct pt_cell cell = after(PT_STATE_REAPED, seen);

		EXPECT_EQ(PT_STATE_REAPED, cell.state);
		EXPECT_EQ(0, cell.does);
	}
}

/* The zombie keeps the pid from becoming another's, until the host knows. */
TEST(what_we_are_to_reap_is_reaped_once_the_host_knows_and_not_before)
{
	unsigned int state, seen;

	FOR_EACH_STATE(state)
	FOR_EACH_SEEN(seen)
	{
		struct pt_cell cell = after(state, seen);
		bool now = state == PT_STATE_OURS && seen == PT_SEEN_ACK;

		EXPECT_EQ(now, !!(cell.does & PT_DO_REAP));
		if (state == PT_STATE_OURS)
			EXPECT_EQ(now ? PT_STATE_REAPED : PT_STATE_OURS,
				  cell.state);
	}
}

/* ---- all paths ---- */

struct path {
	unsigned int state;
	unsigned int exited, reaped, reaps; /* times it was said, or done */
	unsigned int end; /* how it was first seen to have ended */
	unsigned int n;
	unsigned char seen[8];
};

static void path_log(struct __test_metadata *_metadata, const struct path *path)
{
	char text[64] = "";
	unsigned int i;

	for (i = 0; i < path->n; i++)
		sprintf(text + strlen(text), " %u", path->seen[i]);
	TH_LOG("after%s: state %u", text, path->state);
}

static void step(struct __test_metadata *_metadata, struct path *path,
		 unsigned int seen)
{
	struct pt_cell cell = after(path->state, seen);
	bool ended = cell.state != PT_STATE_RUNNING;
	bool failed = _metadata->failed;

	_metadata->failed = false;
	path->seen[path->n++] = (unsigned char)seen;
	path->exited += !!(cell.does & PT_DO_EXITED);
	path->reaped += !!(cell.does & PT_DO_REAPED);
	path->reaps += !!(cell.does & PT_DO_REAP);
	if (cell.does & PT_DO_EXITED)
		path->end = seen;

	/* its end is told when it has ended, and once */
	EXPECT_EQ(ended ? 1 : 0, path->exited);
	EXPECT_LE(path->reaped, 1);
	EXPECT_LE(path->reaped, path->exited);
	/* we reap once, what we may, when the host has been told */
	EXPECT_LE(path->reaps, 1);
	if (cell.does & PT_DO_REAP)
		EXPECT_EQ(PT_STATE_OURS, path->state);
	if (cell.does & PT_DO_REAP)
		EXPECT_EQ(PT_SEEN_ACK, seen);
	/* somebody's zombie is told to be reaped when it is not that any more
	 */
	if (cell.does & PT_DO_REAPED)
		EXPECT_NE(PT_STATE_ZOMBIE, cell.state);
	if (path->state == PT_STATE_OURS && seen != PT_SEEN_ACK)
		EXPECT_EQ(PT_STATE_OURS, cell.state);

	path->state = cell.state;
	if (_metadata->failed)
		path_log(_metadata, path);
	_metadata->failed |= failed;
}

/* Whether the host has been told all there is to know, and no more. */
static void arrive(struct __test_metadata *_metadata, const struct path *path)
{
	bool by_others = path->end == PT_SEEN_EXIT || path->end == PT_SEEN_REAP;

	if (path->state != PT_STATE_REAPED)
		return;
	EXPECT_EQ(1, path->exited);
	EXPECT_EQ(by_others, path->reaped)
	{
		path_log(_metadata, path);
	}
}

#define N_STEPS 6
#define N_SEEN (PT_SEEN_MAX - PT_SEEN_NONE - 1)

TEST(every_path_tells_each_thing_once_and_in_order)
{
	unsigned int n = 1, i, j;

	for (i = 0; i < N_STEPS; i++)
		n *= N_SEEN;
	ASSERT_EQ(15625, n);
	for (i = 0; i < n && !_metadata->failed; i++) {
		struct path path = { .state = PT_STATE_RUNNING };
		unsigned int rest = i;

		for (j = 0; j < N_STEPS; j++) {
			step(_metadata, &path,
			     PT_SEEN_NONE + 1 + rest % N_SEEN);
			arrive(_metadata, &path);
			rest /= N_SEEN;
		}
	}
}

/* The life of a foreign process that becomes an orphan of ours. */
TEST(a_zombie_that_becomes_our_child_is_reaped_by_us)
{
	struct path path = { .state = PT_STATE_RUNNING };

	step(_metadata, &path, PT_SEEN_EXIT);
	EXPECT_EQ(PT_STATE_ZOMBIE, path.state);
	step(_metadata, &path, PT_SEEN_ACK);
	EXPECT_EQ(PT_STATE_ZOMBIE, path.state);
	step(_metadata, &path, PT_SEEN_STATUS);
	step(_metadata, &path, PT_SEEN_ACK);
	EXPECT_EQ(PT_STATE_REAPED, path.state);
	EXPECT_EQ(1, path.exited);
	EXPECT_EQ(1, path.reaps);
}

/* ---- what a readable pidfd means ---- */

struct look {
	enum pt_seen seen;
	int status;
	uint32_t source;
};

static struct look look(const struct child *child)
{
	struct look it = { .status = -2, .source = 99 };

	it.seen = pt_process_look(child->pidfd, &it.status, &it.source);
	return it;
}

#define EXPECT_LOOK(child, seen_, source_, status_)               \
	do {                                                      \
		struct look it_ = look(child);                    \
                                                                  \
		EXPECT_EQ(seen_, it_.seen);                       \
		EXPECT_EQ(PIDTRACK_SOURCE_##source_, it_.source); \
		EXPECT_EQ(status_, it_.status);                   \
	} while (0)

TEST(a_running_child_is_nothing_new)
{
	struct child child;

	ASSERT_EQ(0, child_start(&child));
	EXPECT_EQ(PT_SEEN_NONE, look(&child).seen);
	ASSERT_EQ(0, child_signal(&child, SIGSTOP));
	EXPECT_EQ(PT_SEEN_NONE, look(&child).seen);
	child_end(&child);
}

TEST(a_child_that_ended_has_its_status_as_often_as_it_is_looked_at)
{
	struct child child;

	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, child_exit(&child, 7));
	ASSERT_EQ(0, child_await_exit(&child));
	EXPECT_LOOK(&child, PT_SEEN_STATUS, WAITED, 7 << 8);
	EXPECT_LOOK(&child, PT_SEEN_STATUS, WAITED, 7 << 8);
	EXPECT_EQ(7 << 8, child_reap(&child));
	child_close(&child);
}

/* Exit info is there since Linux 6.15; else nobody can tell. */
static void look_at_stolen(struct __test_metadata *_metadata,
			   const struct child *child, int status)
{
	struct look it = look(child);

	EXPECT_EQ(PT_SEEN_REAP, it.seen);
	if (it.source == PIDTRACK_SOURCE_UNKNOWN)
		return;
	EXPECT_EQ(PIDTRACK_SOURCE_RECOVERED, it.source);
	EXPECT_EQ(status, it.status);
}

TEST(a_child_that_somebody_else_reaped_is_recovered)
{
	struct child child;

	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, child_signal(&child, SIGKILL));
	ASSERT_EQ(SIGKILL, child_reap(&child));
	look_at_stolen(_metadata, &child, SIGKILL);
	look_at_stolen(_metadata, &child, SIGKILL);
	child_close(&child);
}

TEST(a_process_of_others_is_a_zombie_until_they_reap_it)
{
	struct foreign foreign;

	ASSERT_EQ(0, foreign_start(&foreign));
	ASSERT_EQ(0, child_exit(&foreign.child, 3));
	ASSERT_EQ(0, child_await_exit(&foreign.child));
	EXPECT_EQ(PT_SEEN_EXIT, look(&foreign.child).seen);
	ASSERT_EQ(3 << 8, foreign_reap(&foreign));
	look_at_stolen(_metadata, &foreign.child, 3 << 8);
	child_close(&foreign.child);
	foreign_end(&foreign);
}

TEST(a_zombie_that_we_inherit_has_a_status)
{
	struct foreign foreign;

	ASSERT_EQ(0, foreign_start(&foreign));
	ASSERT_EQ(0, child_exit(&foreign.child, 4));
	ASSERT_EQ(0, child_await_exit(&foreign.child));
	EXPECT_EQ(PT_SEEN_EXIT, look(&foreign.child).seen);
	ASSERT_EQ(0, foreign_orphan(&foreign));
	EXPECT_LOOK(&foreign.child, PT_SEEN_STATUS, WAITED, 4 << 8);
	EXPECT_EQ(4 << 8, child_reap(&foreign.child));
	child_close(&foreign.child);
}

/* ---- as the host knows it ---- */

TEST(the_host_knows_no_more_than_events_told)
{
	struct pidtrack_process process = { .state = PT_STATE_RUNNING };

	EXPECT_EQ(PIDTRACK_STATE_RUNNING, pt_process_state(&process));
	process.state = PT_STATE_ZOMBIE;
	EXPECT_EQ(PIDTRACK_STATE_EXITED, pt_process_state(&process));
	process.state = PT_STATE_OURS;
	EXPECT_EQ(PIDTRACK_STATE_EXITED, pt_process_state(&process));
	process.state = PT_STATE_REAPED;
	EXPECT_EQ(PIDTRACK_STATE_REAPED, pt_process_state(&process));

	/* seen, and still to be told of */
	process.state = PT_STATE_OURS;
	process.tell = PT_TELL_EXITED;
	EXPECT_EQ(PIDTRACK_STATE_RUNNING, pt_process_state(&process));
	process.state = PT_STATE_ZOMBIE;
	EXPECT_EQ(PIDTRACK_STATE_RUNNING, pt_process_state(&process));
	process.state = PT_STATE_REAPED;
	process.tell = PT_TELL_EXITED | PT_TELL_REAPED;
	EXPECT_EQ(PIDTRACK_STATE_RUNNING, pt_process_state(&process));
	process.tell = PT_TELL_REAPED;
	EXPECT_EQ(PIDTRACK_STATE_EXITED, pt_process_state(&process));
	process.tell = PT_TELL_STOPS;
	process.state = PT_STATE_RUNNING;
	EXPECT_EQ(PIDTRACK_STATE_RUNNING, pt_process_state(&process));
}

TEST(a_process_costs_us_256_bytes_at_most)
{
	EXPECT_LE(sizeof(struct pidtrack_process), 256);
}

TEST_HARNESS_MAIN
