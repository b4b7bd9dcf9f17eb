/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Waiting on pidfds of raw children by each backend.  What a watch for the end
 * of a child is differs between them; everything else must not.
 */
#include <limits.h>
#include <pthread.h>
#include <sys/epoll.h>

#include "children.h"
#include "harness.h"
#include "procfs.h"
#include "ring.h"
#include "seccomp.h"
#include "status.h"
#include "sys.h"

static int awhile_ms(void)
{
	return 15000 * harness_number_of("PIDTRACK_TEST_SLOW", 1);
}

/* A ring is closed for that, in time; on a machine that stood still later. */
#define URING_OR_SKIP()                                                \
	do {                                                           \
		int64_t began_ms_ = harness_now_ms();                  \
		int refused_ = pt_ring_probe(true);                    \
                                                                       \
		if (harness_now_ms() - began_ms_ >= 200)               \
			poll(NULL, 0, 1000);                           \
		if (refused_ < 0)                                      \
			SKIP(return,                                   \
				   "no ring that waits: Linux < 6.7, " \
				   "refused, or its eventfd does not " \
				   "tell each time: %s",               \
				   strerror(-refused_));               \
	} while (0)

static struct pt_ring *ring_start(struct __test_metadata *_metadata,
				  enum pt_backend backend)
{
	struct pt_ring *ring = NULL;

	ASSERT_EQ(0, pt_ring_new(backend, &ring));
	ASSERT_NE(NULL, ring);
	return ring;
}

/* A test of each backend. */
#define RING_TEST(test)                                                   \
	static void test(struct __test_metadata *_metadata,               \
			 struct pt_ring *ring);                           \
	TEST(test##_by_uring)                                             \
	{                                                                 \
		struct pt_ring *ring;                                     \
                                                                          \
		URING_OR_SKIP();                                          \
		ring = ring_start(_metadata, PT_BACKEND_URING);           \
		test(_metadata, ring);                                    \
	}                                                                 \
	TEST(test##_by_epoll)                                             \
	{                                                                 \
		test(_metadata, ring_start(_metadata, PT_BACKEND_EPOLL)); \
	}                                                                 \
	static void test(struct __test_metadata *_metadata,               \
			 struct pt_ring *ring)

/* ---- what happens ---- */

static bool readable(const struct pt_ring *ring)
{
	return await_fd(pt_ring_fd(ring), POLLIN, 0) & POLLIN;
}

/* The next thing that happens, whenever that is. */
static struct pt_happened next(struct __test_metadata *_metadata,
			       struct pt_ring *ring)
{
	struct pt_happened happened = { .cookie = 0 };
	int tries, r;

	for (tries = 0; tries < 100; tries++) {
		r = pt_ring_next(ring, &happened);
		ASSERT_GE(r, 0);
		if (r)
			return happened;
		ASSERT_TRUE(await_fd(pt_ring_fd(ring), POLLIN, awhile_ms()));
	}
	TH_LOG("readable again and again, with nothing to tell");
	ASSERT_LT(tries, 100);
	return happened;
}

#define EXPECT_NOTHING(ring)                                 \
	do {                                                 \
		struct pt_happened nothing_;                 \
                                                             \
		EXPECT_EQ(0, pt_ring_next(ring, &nothing_)); \
		EXPECT_FALSE(readable(ring));                \
	} while (0)

/* The watch for the end of a child. */
static enum pt_watch end_watch(const struct pt_ring *ring)
{
	return pt_ring_waits(ring) ? PT_WATCH_CHILD : PT_WATCH_EDGES;
}

#define ASSERT_WATCH(ring, child, cookie, siginfo)                        \
	ASSERT_EQ(0, pt_ring_watch(ring, end_watch(ring), (child)->pidfd, \
				   cookie, siginfo))

/* Ends a watch whose end nobody needs to be told of. */
static void unwatch(struct __test_metadata *_metadata, struct pt_ring *ring,
		    const struct child *child, uint32_t cookie)
{
	int r = pt_ring_unwatch(ring, end_watch(ring), child->pidfd, cookie);
	struct pt_happened happened;

	ASSERT_TRUE(r == 0 || r == 1);
	if (r == 1)
		return;
	do {
		happened = next(_metadata, ring);
		EXPECT_EQ(cookie, happened.cookie);
	} while (!happened.ended);
}

/* That this is the end of that child, which is a zombie still. */
static void is_end(struct __test_metadata *_metadata, struct pt_ring *ring,
		   const struct pt_happened *happened,
		   const struct child *child, const siginfo_t *siginfo,
		   int status)
{
	int seen = -2;

	EXPECT_EQ(end_watch(ring), happened->watch);
	if (pt_ring_waits(ring)) {
		EXPECT_TRUE(happened->ended);
		ASSERT_EQ(0, happened->result);
		ASSERT_EQ(child->pid, siginfo->si_pid);
		EXPECT_EQ(status, pt_status_of(siginfo));
	} else {
		ASSERT_GT(happened->result, 0);
		EXPECT_TRUE(happened->result & POLLIN);
	}
	EXPECT_EQ(1, pt_status_peek(child->pidfd, &seen));
	EXPECT_EQ(status, seen);
}

/* Reaps and closes by the ring; the watch has ended. */
static void see_off(struct __test_metadata *_metadata, struct pt_ring *ring,
		    struct child *child)
{
	pt_ring_reap(ring, child->pidfd);
	pt_ring_close(ring, child->pidfd);
	child->pidfd = -1;
	child_close(child);
	ASSERT_GE(pt_ring_flush(ring), 0);
}

/* Whether it was reaped, by whomever. */
static bool gone(pid_t pid)
{
	siginfo_t siginfo;

	return waitid(P_PID, (id_t)pid, &siginfo, WEXITED | WNOHANG | WNOWAIT) <
		       0 &&
	       errno == ECHILD;
}

/* ---- one child ---- */

RING_TEST(a_running_child_is_nothing_to_tell)
{
	siginfo_t siginfo;
	struct child child;

	ASSERT_EQ(0, child_start(&child));
	ASSERT_WATCH(ring, &child, 7, &siginfo);
	EXPECT_GE(pt_ring_flush(ring), 0);
	EXPECT_NOTHING(ring);
	EXPECT_NOTHING(ring);
	unwatch(_metadata, ring, &child, 7);
	pt_ring_free(ring);
	child_end(&child);
}

RING_TEST(the_end_of_a_child_is_told_and_it_is_a_zombie_then)
{
	struct pt_happened happened;
	siginfo_t siginfo;
	struct child child;

	ASSERT_EQ(0, child_start(&child));
	ASSERT_WATCH(ring, &child, UINT32_MAX, &siginfo);
	ASSERT_GE(pt_ring_flush(ring), 0);
	ASSERT_EQ(0, child_exit(&child, 7));
	happened = next(_metadata, ring);
	EXPECT_EQ(UINT32_MAX, happened.cookie);
	is_end(_metadata, ring, &happened, &child, &siginfo, 7 << 8);
	if (!happened.ended)
		unwatch(_metadata, ring, &child, UINT32_MAX);
	EXPECT_NOTHING(ring);
	see_off(_metadata, ring, &child);
	EXPECT_TRUE(gone(child.pid));
	pt_ring_free(ring);
}

RING_TEST(a_child_that_ended_before_it_was_watched_is_told)
{
	struct pt_happened happened;
	siginfo_t siginfo;
	struct child child;

	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, child_signal(&child, SIGKILL));
	ASSERT_EQ(0, child_await_exit(&child));
	ASSERT_WATCH(ring, &child, 0, &siginfo);
	happened = next(_metadata, ring);
	EXPECT_EQ(0, happened.cookie);
	is_end(_metadata, ring, &happened, &child, &siginfo, SIGKILL);
	if (!happened.ended)
		unwatch(_metadata, ring, &child, 0);
	see_off(_metadata, ring, &child);
	EXPECT_NOTHING(ring);
	pt_ring_free(ring);
}

/* A host polls in between; nothing may need a call of ours to show. */
RING_TEST(what_is_flushed_makes_the_descriptor_readable_by_itself)
{
	struct pt_happened happened;
	siginfo_t siginfo;
	struct child child;

	ASSERT_EQ(0, child_start(&child));
	ASSERT_WATCH(ring, &child, 1, &siginfo);
	ASSERT_GE(pt_ring_flush(ring), 0);
	EXPECT_FALSE(readable(ring));
	ASSERT_EQ(0, child_exit(&child, 0));
	EXPECT_EQ(POLLIN, await_fd(pt_ring_fd(ring), POLLIN, awhile_ms()));
	happened = next(_metadata, ring);
	is_end(_metadata, ring, &happened, &child, &siginfo, 0);
	if (!happened.ended)
		unwatch(_metadata, ring, &child, 1);
	see_off(_metadata, ring, &child);
	pt_ring_free(ring);
}

#define N_LEVEL 5

RING_TEST(the_descriptor_is_readable_until_all_is_told)
{
	siginfo_t siginfos[N_LEVEL];
	struct child children[N_LEVEL];
	struct pt_happened happened;
	int i;

	for (i = 0; i < N_LEVEL; i++) {
		ASSERT_EQ(0, child_start(&children[i]));
		ASSERT_WATCH(ring, &children[i], (uint32_t)i, &siginfos[i]);
	}
	ASSERT_GE(pt_ring_flush(ring), 0);
	for (i = 0; i < N_LEVEL; i++) {
		ASSERT_EQ(0, child_exit(&children[i], i));
		ASSERT_EQ(0, child_await_exit(&children[i]));
	}
	for (i = 0; i < N_LEVEL; i++) {
		EXPECT_TRUE(await_fd(pt_ring_fd(ring), POLLIN, awhile_ms()));
		happened = next(_metadata, ring);
		ASSERT_LT(happened.cookie, N_LEVEL);
		is_end(_metadata, ring, &happened, &children[happened.cookie],
		       &siginfos[happened.cookie], (int)happened.cookie << 8);
		if (i < N_LEVEL - 1)
			EXPECT_TRUE(readable(ring));
	}
	/* an edge may come again, of the last one's end: seen on 6.12 */
	if (!pt_ring_waits(ring))
		for (i = 0; i < N_LEVEL; i++)
			unwatch(_metadata, ring, &children[i], (uint32_t)i);
	EXPECT_NOTHING(ring);
	for (i = 0; i < N_LEVEL; i++)
		see_off(_metadata, ring, &children[i]);
	EXPECT_FALSE(child_is_any());
	pt_ring_free(ring);
}

RING_TEST(wakeups_are_counted_and_an_idle_ring_has_none)
{
	uint64_t wakeups = pt_ring_wakeups(ring);
	struct pt_happened happened;
	siginfo_t siginfo;
	struct child child;
	int i;

	ASSERT_EQ(0, child_start(&child));
	ASSERT_WATCH(ring, &child, 1, &siginfo);
	ASSERT_GE(pt_ring_flush(ring), 0);
	for (i = 0; i < 100; i++)
		EXPECT_NOTHING(ring);
	EXPECT_EQ(wakeups, pt_ring_wakeups(ring));
	ASSERT_EQ(0, child_exit(&child, 0));
	EXPECT_EQ(POLLIN, await_fd(pt_ring_fd(ring), POLLIN, awhile_ms()));
	happened = next(_metadata, ring);
	if (!happened.ended)
		unwatch(_metadata, ring, &child, 1);
	EXPECT_NOTHING(ring);
	EXPECT_EQ(wakeups + 1, pt_ring_wakeups(ring));
	see_off(_metadata, ring, &child);
	pt_ring_free(ring);
}

/* ---- watches that end early ---- */

/*
 * Unwatches all of @n and takes what is told until each has ended, as it must
 * once, whatever happened to its child meanwhile.
 */
static void unwatch_all(struct __test_metadata *_metadata, struct pt_ring *ring,
			const struct child *children, unsigned int *ended,
			unsigned int n)
{
	unsigned int i, left = 0;

	for (i = 0; i < n; i++) {
		int r = pt_ring_unwatch(ring, end_watch(ring),
					children[i].pidfd, i);

		ASSERT_TRUE(r == 0 || r == 1);
		ended[i] += r == 1;
		left += r == 0;
	}
	while (left > 0) {
		struct pt_happened happened = next(_metadata, ring);

		ASSERT_LT(happened.cookie, n);
		ended[happened.cookie] += happened.ended;
		left -= happened.ended;
	}
	EXPECT_NOTHING(ring);
	for (i = 0; i < n; i++)
		EXPECT_EQ(1, ended[i])
		{
			TH_LOG("watch %u", i);
		}
}

#define N_CANCEL 60

/* A third runs on, a third ends before the watch, a third between. */
static void cancel_test(struct __test_metadata *_metadata, struct pt_ring *ring,
			bool flush)
{
	static siginfo_t siginfos[N_CANCEL];
	struct child children[N_CANCEL];
	unsigned int ended[N_CANCEL] = { 0 };
	int i;

	for (i = 0; i < N_CANCEL; i++) {
		ASSERT_EQ(0, child_start(&children[i]));
		if (i % 3 == 1)
			ASSERT_EQ(0, child_exit(&children[i], i));
		if (i % 3 == 1)
			ASSERT_EQ(0, child_await_exit(&children[i]));
		ASSERT_WATCH(ring, &children[i], (uint32_t)i, &siginfos[i]);
	}
	if (flush)
		ASSERT_GE(pt_ring_flush(ring), 0);
	for (i = 2; i < N_CANCEL; i += 3) {
		ASSERT_EQ(0, child_exit(&children[i], i));
		ASSERT_EQ(0, child_await_exit(&children[i]));
	}
	unwatch_all(_metadata, ring, children, ended, N_CANCEL);

	/* nothing more of any of them, and all are there to be waited for */
	for (i = 0; i < N_CANCEL; i++)
		if (i % 3 == 0)
			ASSERT_EQ(0, child_exit(&children[i], i));
	for (i = 0; i < N_CANCEL; i++) {
		EXPECT_EQ(i << 8, child_reap(&children[i]));
		EXPECT_NOTHING(ring);
		child_close(&children[i]);
	}
	pt_ring_free(ring);
}

RING_TEST(a_watch_that_is_cancelled_in_flight_ends_once)
{
	cancel_test(_metadata, ring, true);
}

RING_TEST(a_watch_that_is_cancelled_before_a_flush_ends_once)
{
	cancel_test(_metadata, ring, false);
}

/* The kernel has told us already, and the host not yet. */
RING_TEST(a_watch_that_is_cancelled_before_it_is_told_ends_once)
{
	static siginfo_t siginfos[N_CANCEL];
	struct child children[N_CANCEL];
	unsigned int ended[N_CANCEL] = { 0 };
	bool silent[N_CANCEL] = { false };
	struct pt_happened happened;
	int i, left = 0;

	for (i = 0; i < N_CANCEL; i++) {
		ASSERT_EQ(0, child_start(&children[i]));
		ASSERT_EQ(0, child_exit(&children[i], i));
		ASSERT_EQ(0, child_await_exit(&children[i]));
		ASSERT_WATCH(ring, &children[i], (uint32_t)i, &siginfos[i]);
	}
	happened = next(_metadata, ring);
	ASSERT_LT(happened.cookie, N_CANCEL);
	ended[happened.cookie] += happened.ended;
	for (i = 0; i < N_CANCEL; i++) {
		if (ended[i])
			continue;
		silent[i] = pt_ring_unwatch(ring, end_watch(ring),
					    children[i].pidfd, (uint32_t)i);
		left += !silent[i];
	}
	while (left > 0) {
		happened = next(_metadata, ring);
		ASSERT_LT(happened.cookie, N_CANCEL);
		EXPECT_FALSE(silent[happened.cookie]);
		ended[happened.cookie] += happened.ended;
		left -= happened.ended;
	}
	EXPECT_NOTHING(ring);
	for (i = 0; i < N_CANCEL; i++) {
		EXPECT_EQ(1, ended[i] + silent[i]);
		EXPECT_EQ(i << 8, child_reap(&children[i]));
		child_close(&children[i]);
	}
	pt_ring_free(ring);
}

RING_TEST(a_watch_can_be_made_again_after_it_was_cancelled)
{
	struct pt_happened happened;
	siginfo_t siginfo;
	struct child child;
	int i;

	ASSERT_EQ(0, child_start(&child));
	for (i = 0; i < 20; i++) {
		ASSERT_WATCH(ring, &child, 3, &siginfo);
		if (i % 2)
			ASSERT_GE(pt_ring_flush(ring), 0);
		unwatch(_metadata, ring, &child, 3);
	}
	ASSERT_WATCH(ring, &child, 3, &siginfo);
	EXPECT_NOTHING(ring);
	ASSERT_EQ(0, child_exit(&child, 7));
	happened = next(_metadata, ring);
	is_end(_metadata, ring, &happened, &child, &siginfo, 7 << 8);
	if (!happened.ended)
		unwatch(_metadata, ring, &child, 3);
	see_off(_metadata, ring, &child);
	pt_ring_free(ring);
}

/* ---- reaping and closing ---- */

RING_TEST(a_reap_is_done_by_the_next_flush)
{
	struct child child;

	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, child_exit(&child, 0));
	ASSERT_EQ(0, child_await_exit(&child));
	EXPECT_FALSE(gone(child.pid));
	pt_ring_reap(ring, child.pidfd);
	ASSERT_GE(pt_ring_flush(ring), 0);
	EXPECT_TRUE(gone(child.pid));
	EXPECT_TRUE(pt_status_reaped(child.pidfd));
	EXPECT_NOTHING(ring);
	child_close(&child);
	pt_ring_free(ring);
}

RING_TEST(a_reap_that_somebody_else_did_is_fine_too)
{
	struct child child, other;

	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, child_start(&other));
	ASSERT_EQ(0, child_exit(&child, 0));
	ASSERT_EQ(0, child_exit(&other, 3));
	ASSERT_EQ(0, child_await_exit(&other));
	ASSERT_EQ(0, child_reap(&child));
	pt_ring_reap(ring, child.pidfd);
	ASSERT_GE(pt_ring_flush(ring), 0);
	EXPECT_NOTHING(ring);
	EXPECT_EQ(3 << 8, child_reap(&other));
	child_close(&child);
	child_close(&other);
	pt_ring_free(ring);
}

/* A reap is of a zombie; a child that runs is neither waited for nor hurt. */
RING_TEST(a_reap_of_a_running_child_neither_blocks_nor_lasts)
{
	struct child child;

	ASSERT_EQ(0, child_start(&child));
	pt_ring_reap(ring, child.pidfd);
	ASSERT_GE(pt_ring_flush(ring), 0);
	EXPECT_NOTHING(ring);
	ASSERT_EQ(0, child_exit(&child, 5));
	ASSERT_EQ(0, child_await_exit(&child));
	EXPECT_NOTHING(ring);
	EXPECT_EQ(5 << 8, child_reap(&child));
	child_close(&child);
	pt_ring_free(ring);
}

RING_TEST(a_closed_descriptor_is_free_after_a_flush)
{
	struct child child;

	ASSERT_EQ(0, child_start(&child));
	pt_ring_close(ring, child.pidfd);
	ASSERT_GE(pt_ring_flush(ring), 0);
	EXPECT_EQ(-1, fcntl(child.pidfd, F_GETFD));
	EXPECT_NOTHING(ring);
	child.pidfd = -1;
	ASSERT_EQ(0, child_exit(&child, 0));
	EXPECT_EQ(0, child_reap(&child));
	child_close(&child);
	pt_ring_free(ring);
}

#define N_REUSE 40

/*
 * The kernel looks a number up when a request runs.  New zombies take whatever
 * numbers are free between the asking and the doing.
 */
RING_TEST(a_reap_before_a_close_is_of_the_right_child)
{
	struct child old[N_REUSE], new[N_REUSE];
	int i;

	for (i = 0; i < N_REUSE; i++) {
		ASSERT_EQ(0, child_start(&old[i]));
		ASSERT_EQ(0, child_exit(&old[i], 1));
		ASSERT_EQ(0, child_await_exit(&old[i]));
	}
	for (i = 0; i < N_REUSE; i++) {
		pt_ring_reap(ring, old[i].pidfd);
		pt_ring_close(ring, old[i].pidfd);
		ASSERT_EQ(0, child_start(&new[i]));
		ASSERT_EQ(0, child_exit(&new[i], 2));
		ASSERT_EQ(0, child_await_exit(&new[i]));
		if (i % 4 == 3)
			ASSERT_GE(pt_ring_flush(ring), 0);
	}
	ASSERT_GE(pt_ring_flush(ring), 0);
	EXPECT_NOTHING(ring);
	for (i = 0; i < N_REUSE; i++) {
		EXPECT_TRUE(gone(old[i].pid));
		EXPECT_EQ(2 << 8, child_reap(&new[i]));
		child_close(&new[i]);
		old[i].pidfd = -1;
		child_close(&old[i]);
	}
	pt_ring_free(ring);
}

RING_TEST(freeing_does_what_was_asked_for_before)
{
	struct child child, other;
	siginfo_t siginfo;

	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, child_start(&other));
	ASSERT_EQ(0, child_exit(&child, 0));
	ASSERT_EQ(0, child_await_exit(&child));
	ASSERT_WATCH(ring, &other, 2, &siginfo);
	pt_ring_reap(ring, child.pidfd);
	pt_ring_close(ring, child.pidfd);
	EXPECT_NULL(pt_ring_free(ring));
	EXPECT_TRUE(gone(child.pid));
	EXPECT_EQ(-1, fcntl(child.pidfd, F_GETFD));
	child.pidfd = -1;
	child_close(&child);
	child_end(&other);
}

RING_TEST(freeing_leaves_those_that_are_watched_as_they_are)
{
	siginfo_t *siginfos = calloc(3, sizeof(*siginfos));
	struct child children[3];
	int i;

	ASSERT_NE(NULL, siginfos);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, child_start(&children[i]));
		ASSERT_WATCH(ring, &children[i], (uint32_t)i, &siginfos[i]);
	}
	ASSERT_GE(pt_ring_flush(ring), 0);
	ASSERT_EQ(0, child_exit(&children[1], 1));
	ASSERT_EQ(0, child_await_exit(&children[1]));
	EXPECT_NULL(pt_ring_free(ring));
	EXPECT_NULL(pt_ring_free(NULL));

	/* the kernel writes to it no more */
	memset(siginfos, 0x5a, 3 * sizeof(*siginfos));
	ASSERT_EQ(0, child_exit(&children[2], 2));
	ASSERT_EQ(0, child_exit(&children[0], 0));
	for (i = 0; i < 3; i++) {
		const unsigned char *bytes = (unsigned char *)&siginfos[i];
		size_t j;

		EXPECT_EQ(i << 8, child_reap(&children[i]));
		for (j = 0; j < sizeof(siginfos[i]); j++)
			EXPECT_EQ(0x5a, bytes[j]);
		child_close(&children[i]);
	}
	free(siginfos);
}

/* ---- processes of others ---- */

RING_TEST(every_change_of_a_foreign_process_is_told)
{
	struct pt_happened happened;
	struct foreign foreign;
	int flags;

	ASSERT_EQ(0, foreign_start(&foreign));
	ASSERT_EQ(0, pt_ring_watch(ring, PT_WATCH_EDGES, foreign.child.pidfd, 9,
				   NULL));
	EXPECT_NOTHING(ring);
	ASSERT_EQ(0, child_exit(&foreign.child, 1));
	happened = next(_metadata, ring);
	EXPECT_EQ(9, happened.cookie);
	EXPECT_EQ(PT_WATCH_EDGES, happened.watch);
	ASSERT_GT(happened.result, 0);
	EXPECT_TRUE(happened.result & POLLIN);
	EXPECT_FALSE(happened.ended);
	EXPECT_NOTHING(ring);

	ASSERT_EQ(1 << 8, foreign_reap(&foreign));
	flags = await_fd(foreign.child.pidfd, POLLIN, 0);
	/* kernels/like.c cannot take it away here */
	if (flags & POLLHUP || getenv("PIDTRACK_TEST_LIKE")) {
		happened = next(_metadata, ring);
		EXPECT_EQ(9, happened.cookie);
		ASSERT_GT(happened.result, 0);
		EXPECT_TRUE(happened.result & POLLHUP);
	}
	EXPECT_NOTHING(ring);
	if (!pt_ring_unwatch(ring, PT_WATCH_EDGES, foreign.child.pidfd, 9))
		EXPECT_TRUE(next(_metadata, ring).ended);
	pt_ring_free(ring);
	child_close(&foreign.child);
	foreign_end(&foreign);
	if (!(flags & POLLHUP))
		SKIP(return, "POLLHUP tells of a reap since Linux 6.9");
}

TEST(a_process_that_is_not_our_child_cannot_be_waited_for)
{
	struct pt_happened happened;
	struct foreign foreign;
	struct pt_ring *ring;
	siginfo_t siginfo;

	URING_OR_SKIP();
	ring = ring_start(_metadata, PT_BACKEND_URING);
	ASSERT_TRUE(pt_ring_waits(ring));
	ASSERT_EQ(0, foreign_start(&foreign));
	ASSERT_EQ(0, child_exit(&foreign.child, 1));
	ASSERT_EQ(0, child_await_exit(&foreign.child));
	ASSERT_EQ(0, pt_ring_watch(ring, PT_WATCH_CHILD, foreign.child.pidfd, 4,
				   &siginfo));
	happened = next(_metadata, ring);
	EXPECT_EQ(4, happened.cookie);
	EXPECT_EQ(-ECHILD, happened.result);
	EXPECT_TRUE(happened.ended);
	EXPECT_NOTHING(ring);
	EXPECT_EQ(1 << 8, foreign_reap(&foreign));
	pt_ring_free(ring);
	child_close(&foreign.child);
	foreign_end(&foreign);
}

/* ---- stops ---- */

static void await_stop_word(struct __test_metadata *_metadata,
			    struct pt_ring *ring, const struct child *child,
			    int signal_)
{
	struct pt_happened happened;
	int status = -2;

	ASSERT_EQ(0, child_signal(child, signal_));
	happened = next(_metadata, ring);
	EXPECT_EQ(6, happened.cookie);
	EXPECT_EQ(PT_WATCH_STOPS, happened.watch);
	EXPECT_TRUE(happened.ended);
	ASSERT_EQ(1, pt_status_stopped(child->pidfd, WSTOPPED | WCONTINUED,
				       &status));
	EXPECT_EQ(signal_ == SIGCONT, WIFCONTINUED(status));
	EXPECT_EQ(signal_ == SIGSTOP, WIFSTOPPED(status));
}

TEST(a_stop_and_a_continuation_are_told_and_left_to_be_asked_for)
{
	struct pt_ring *ring;
	siginfo_t siginfo;
	struct child child;
	int i;

	URING_OR_SKIP();
	ring = ring_start(_metadata, PT_BACKEND_URING);
	ASSERT_EQ(0, child_start(&child));
	ASSERT_WATCH(ring, &child, 6, &siginfo);
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0,
			  pt_ring_watch_stops(ring, child.pid, child.pidfd, 6));
		EXPECT_NOTHING(ring);
		await_stop_word(_metadata, ring, &child,
				i % 2 ? SIGCONT : SIGSTOP);
	}
	ASSERT_EQ(0, pt_ring_watch_stops(ring, 0, child.pidfd, 6));
	EXPECT_NOTHING(ring);
	if (!pt_ring_unwatch(ring, PT_WATCH_STOPS, child.pidfd, 6)) {
		struct pt_happened happened = next(_metadata, ring);

		EXPECT_EQ(PT_WATCH_STOPS, happened.watch);
		EXPECT_TRUE(happened.ended);
	}
	ASSERT_EQ(0, child_signal(&child, SIGSTOP));
	EXPECT_NOTHING(ring);
	unwatch(_metadata, ring, &child, 6);
	pt_ring_free(ring);
	child_end(&child);
}

/* ---- ticks ---- */

/* Only epoll needs them: it alone may refuse a watch. */
TEST(ticks_come_while_they_are_wanted)
{
	struct pt_ring *ring = ring_start(_metadata, PT_BACKEND_EPOLL);
	int64_t start = harness_now_ms();
	struct pt_happened happened;
	int i;

	EXPECT_NOTHING(ring);
	pt_ring_tick(ring, true);
	for (i = 0; i < 3; i++) {
		happened = next(_metadata, ring);
		EXPECT_EQ(PT_WATCH_TICK, happened.watch);
	}
	EXPECT_GE(harness_now_ms() - start, 100);
	pt_ring_tick(ring, false);
	while (pt_ring_next(ring, &happened) > 0)
		EXPECT_EQ(PT_WATCH_TICK, happened.watch);
	EXPECT_EQ(0, await_fd(pt_ring_fd(ring), POLLIN, 120));
	EXPECT_NOTHING(ring);

	pt_ring_tick(ring, true);
	happened = next(_metadata, ring);
	EXPECT_EQ(PT_WATCH_TICK, happened.watch);
	pt_ring_free(ring);
}

/* ---- another ring ---- */

/* By epoll a watch is of no thread, and is there still. */
#define ASSERT_WATCH_AGAIN(ring, child, cookie, siginfo)            \
	do {                                                        \
		if (pt_ring_waits(ring))                            \
			ASSERT_WATCH(ring, child, cookie, siginfo); \
	} while (0)

/* The kernel interrupts whoever had a ring, some time after that is closed. */
static int wait_outside(int epoll)
{
	struct epoll_event event;
	int r;

	do
		r = epoll_wait(epoll, &event, 1, awhile_ms());
	while (r < 0 && errno == EINTR);
	return r;
}

RING_TEST(renewing_keeps_the_descriptor)
{
	struct epoll_event event = { .events = EPOLLIN };
	int outside = epoll_create1(EPOLL_CLOEXEC), fd = pt_ring_fd(ring);
	struct pt_happened happened;
	siginfo_t siginfos[2];
	struct child children[2];

	ASSERT_EQ(0, epoll_ctl(outside, EPOLL_CTL_ADD, fd, &event));
	ASSERT_EQ(0, child_start(&children[0]));
	ASSERT_EQ(0, child_start(&children[1]));
	ASSERT_WATCH(ring, &children[0], 0, &siginfos[0]);
	ASSERT_WATCH(ring, &children[1], 1, &siginfos[1]);
	ASSERT_GE(pt_ring_flush(ring), 0);
	ASSERT_EQ(0, child_exit(&children[0], 1));
	ASSERT_EQ(0, child_await_exit(&children[0]));

	ASSERT_EQ(0, pt_ring_renew(ring));
	EXPECT_EQ(fd, pt_ring_fd(ring));
	if (!pt_ring_waits(ring)) {
		EXPECT_EQ(0, next(_metadata, ring).cookie);
		unwatch(_metadata, ring, &children[0], 0);
	}
	EXPECT_NOTHING(ring);
	EXPECT_EQ(1 << 8, child_reap(&children[0]));

	/* whoever polls it from outside need not know */
	ASSERT_WATCH_AGAIN(ring, &children[1], 1, &siginfos[1]);
	ASSERT_GE(pt_ring_flush(ring), 0);
	EXPECT_EQ(0, epoll_wait(outside, &event, 1, 0));
	ASSERT_EQ(0, child_exit(&children[1], 2));
	EXPECT_EQ(1, wait_outside(outside));
	happened = next(_metadata, ring);
	EXPECT_EQ(1, happened.cookie);
	is_end(_metadata, ring, &happened, &children[1], &siginfos[1], 2 << 8);
	if (!happened.ended)
		unwatch(_metadata, ring, &children[1], 1);
	see_off(_metadata, ring, &children[1]);
	child_close(&children[0]);
	close(outside);
	pt_ring_free(ring);
}

RING_TEST(renewing_again_and_again_leaves_nothing)
{
	int fds = fds_count(), i;
	siginfo_t siginfo;
	struct child child;

	ASSERT_EQ(0, child_start(&child));
	ASSERT_WATCH(ring, &child, 0, &siginfo);
	for (i = 0; i < 20; i++) {
		ASSERT_GE(pt_ring_flush(ring), 0);
		ASSERT_EQ(0, pt_ring_renew(ring));
		EXPECT_NOTHING(ring);
		ASSERT_WATCH_AGAIN(ring, &child, 0, &siginfo);
	}
	unwatch(_metadata, ring, &child, 0);
	child_end(&child);
	EXPECT_EQ(fds, fds_count());
	pt_ring_free(ring);
}

/* Made, and a child watched, by a thread that ends. */
struct maker {
	struct __test_metadata *_metadata;
	enum pt_backend backend;
	struct pt_ring *ring;
	struct child child;
	siginfo_t siginfo;
};

static void *make_and_end(void *argument)
{
	struct maker *maker = argument;
	struct __test_metadata *_metadata = maker->_metadata;

	maker->ring = ring_start(_metadata, maker->backend);
	ASSERT_WATCH(maker->ring, &maker->child, 1, &maker->siginfo);
	ASSERT_GE(pt_ring_flush(maker->ring), 0);
	return NULL;
}

static void inherit_test(struct __test_metadata *_metadata,
			 enum pt_backend backend)
{
	struct maker maker = { ._metadata = _metadata, .backend = backend };
	struct pt_happened happened;
	pthread_t thread;

	ASSERT_EQ(0, child_start(&maker.child));
	ASSERT_EQ(0, pthread_create(&thread, NULL, make_and_end, &maker));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_EQ(0, pt_ring_renew(maker.ring));
	EXPECT_EQ(0, pt_ring_next(maker.ring, &happened));
	ASSERT_WATCH_AGAIN(maker.ring, &maker.child, 1, &maker.siginfo);
	ASSERT_GE(pt_ring_flush(maker.ring), 0);
	ASSERT_EQ(0, child_exit(&maker.child, 3));
	happened = next(_metadata, maker.ring);
	EXPECT_EQ(1, happened.cookie);
	is_end(_metadata, maker.ring, &happened, &maker.child, &maker.siginfo,
	       3 << 8);
	if (!happened.ended)
		unwatch(_metadata, maker.ring, &maker.child, 1);
	see_off(_metadata, maker.ring, &maker.child);
	pt_ring_free(maker.ring);
}

TEST(another_thread_renews_when_the_first_has_ended_by_uring)
{
	URING_OR_SKIP();
	inherit_test(_metadata, PT_BACKEND_URING);
}

TEST(another_thread_renews_when_the_first_has_ended_by_epoll)
{
	inherit_test(_metadata, PT_BACKEND_EPOLL);
}

/*
 * The kernel takes the old ring apart later, in its own time, and that must not
 * leave the host with a descriptor that is readable for nothing.
 */
TEST(a_renewed_ring_does_not_wake_the_host_again_and_again)
{
	struct maker maker = { ._metadata = _metadata,
			       .backend = PT_BACKEND_URING };
	struct pt_happened happened;
	pthread_t thread;
	int i, n;

	URING_OR_SKIP();
	ASSERT_EQ(0, child_start(&maker.child));
	for (i = 0; i < 30; i++) {
		ASSERT_EQ(0,
			  pthread_create(&thread, NULL, make_and_end, &maker));
		ASSERT_EQ(0, pthread_join(thread, NULL));
		ASSERT_EQ(0, pt_ring_renew(maker.ring));
		ASSERT_WATCH(maker.ring, &maker.child, 1, &maker.siginfo);
		ASSERT_GE(pt_ring_flush(maker.ring), 0);
		for (n = 0; n < 10; n++) {
			if (!await_fd(pt_ring_fd(maker.ring), POLLIN, 50))
				break;
			EXPECT_EQ(0, pt_ring_next(maker.ring, &happened));
		}
		EXPECT_LT(n, 10);
		pt_ring_free(maker.ring);
	}
	child_end(&maker.child);
}

/* A reap that the thread which asked for it never had done. */
static void *ask_and_end(void *argument)
{
	struct maker *maker = argument;
	struct __test_metadata *_metadata = maker->_metadata;

	maker->ring = ring_start(_metadata, maker->backend);
	pt_ring_reap(maker->ring, maker->child.pidfd);
	pt_ring_close(maker->ring, maker->child.pidfd);
	return NULL;
}

static void bequeath_test(struct __test_metadata *_metadata,
			  enum pt_backend backend, bool renew)
{
	struct maker maker = { ._metadata = _metadata, .backend = backend };
	pthread_t thread;

	ASSERT_EQ(0, child_start(&maker.child));
	ASSERT_EQ(0, child_exit(&maker.child, 0));
	ASSERT_EQ(0, child_await_exit(&maker.child));
	ASSERT_EQ(0, pthread_create(&thread, NULL, ask_and_end, &maker));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	if (renew)
		ASSERT_EQ(0, pt_ring_renew(maker.ring));
	pt_ring_free(maker.ring);
	EXPECT_TRUE(gone(maker.child.pid));
	EXPECT_EQ(-1, fcntl(maker.child.pidfd, F_GETFD));
	maker.child.pidfd = -1;
	child_close(&maker.child);
}

TEST(a_reap_outlives_the_thread_that_asked_for_it_by_uring)
{
	URING_OR_SKIP();
	bequeath_test(_metadata, PT_BACKEND_URING, true);
	bequeath_test(_metadata, PT_BACKEND_URING, false);
}

TEST(a_reap_outlives_the_thread_that_asked_for_it_by_epoll)
{
	bequeath_test(_metadata, PT_BACKEND_EPOLL, true);
	bequeath_test(_metadata, PT_BACKEND_EPOLL, false);
}

/* ---- after fork() ---- */

RING_TEST(a_forked_copy_is_abandoned_and_the_ring_goes_on)
{
	struct pt_happened happened;
	siginfo_t siginfo;
	struct child child, copy = CHILD_NULL;

	ASSERT_EQ(0, child_start(&child));
	ASSERT_WATCH(ring, &child, 8, &siginfo);
	ASSERT_GE(pt_ring_flush(ring), 0);
	copy.pid = fork();
	ASSERT_GE(copy.pid, 0);
	if (!copy.pid)
		_exit(pt_ring_abandon(ring) ? 1 : 0);
	ASSERT_EQ(0, child_reap(&copy));
	EXPECT_NOTHING(ring);
	ASSERT_EQ(0, child_exit(&child, 7));
	happened = next(_metadata, ring);
	EXPECT_EQ(8, happened.cookie);
	is_end(_metadata, ring, &happened, &child, &siginfo, 7 << 8);
	if (!happened.ended)
		unwatch(_metadata, ring, &child, 8);
	see_off(_metadata, ring, &child);
	pt_ring_free(ring);
}

/* ---- many ---- */

#define N_CROWD 3000

struct crowd {
	int gate[2];
	struct child children[N_CROWD];
	siginfo_t siginfos[N_CROWD];
	unsigned char told[N_CROWD];
	unsigned char ended[N_CROWD];
};

/* One that ends when the gate is closed. */
static void crowd_start(struct __test_metadata *_metadata, struct crowd *crowd,
			int i)
{
	struct child *child = &crowd->children[i];
	pid_t pid = fork();
	char byte;

	child->socket = -1;
	if (!pid) {
		close(crowd->gate[1]);
		_exit(read(crowd->gate[0], &byte, 1) == 0 ? i % 256 : 255);
	}
	ASSERT_EQ(0, child_open(child, pid));
}

static bool crowd_fits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 ||
	    limit.rlim_max < N_CROWD + 64)
		return false;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

static void crowd_take(struct __test_metadata *_metadata, struct pt_ring *ring,
		       struct crowd *crowd)
{
	struct pt_happened happened = next(_metadata, ring);
	uint32_t i = happened.cookie;

	ASSERT_LT(i, N_CROWD);
	if (pt_ring_waits(ring)) {
		ASSERT_EQ(0, happened.result);
		ASSERT_EQ(crowd->children[i].pid, crowd->siginfos[i].si_pid);
		ASSERT_EQ((int)(i % 256), crowd->siginfos[i].si_status);
	}
	crowd->told[i]++;
	crowd->ended[i] |= happened.ended;
	ASSERT_EQ(1, crowd->told[i]);
	if (!happened.ended)
		ASSERT_EQ(1, pt_ring_unwatch(ring, end_watch(ring),
					     crowd->children[i].pidfd, i));
	pt_ring_reap(ring, crowd->children[i].pidfd);
	pt_ring_close(ring, crowd->children[i].pidfd);
}

static void crowd_start_all(struct __test_metadata *_metadata,
			    struct crowd *crowd)
{
	int i;

	ASSERT_EQ(0, pipe2(crowd->gate, O_CLOEXEC));
	for (i = 0; i < N_CROWD; i++)
		crowd_start(_metadata, crowd, i);
}

static void crowd_watch(struct __test_metadata *_metadata, struct pt_ring *ring,
			struct crowd *crowd)
{
	int i;

	for (i = 0; i < N_CROWD; i++)
		ASSERT_WATCH(ring, &crowd->children[i], (uint32_t)i,
			     &crowd->siginfos[i]);
	ASSERT_GE(pt_ring_flush(ring), 0);
}

static void crowd_end(struct crowd *crowd)
{
	close(crowd->gate[0]);
	close(crowd->gate[1]);
}

static void crowd_see_off(struct __test_metadata *_metadata,
			  struct pt_ring *ring, struct crowd *crowd, int fds)
{
	int i;

	for (i = 0; i < N_CROWD; i++)
		crowd_take(_metadata, ring, crowd);
	ASSERT_GE(pt_ring_flush(ring), 0);
	EXPECT_NOTHING(ring);
	EXPECT_FALSE(child_is_any());
	EXPECT_EQ(fds, fds_count());
	pt_ring_free(ring);
}

RING_TEST(three_thousand_at_once_are_told_reaped_and_closed)
{
	static struct crowd crowd;
	int fds = fds_count();

	if (!crowd_fits()) {
		pt_ring_free(ring);
		SKIP(return, "no more than a few descriptors are allowed");
	}
	crowd_start_all(_metadata, &crowd);
	crowd_watch(_metadata, ring, &crowd);
	EXPECT_NOTHING(ring);
	crowd_end(&crowd);
	crowd_see_off(_metadata, ring, &crowd, fds);
}

/* More than the ring has room for, from a host that asks for none of them. */
RING_TEST(three_thousand_that_have_ended_before_are_told_however_late)
{
	static struct crowd crowd;
	int fds = fds_count(), i;

	if (!crowd_fits()) {
		pt_ring_free(ring);
		SKIP(return, "no more than a few descriptors are allowed");
	}
	crowd_start_all(_metadata, &crowd);
	crowd_end(&crowd);
	for (i = 0; i < N_CROWD; i++)
		ASSERT_EQ(0, child_await_exit(&crowd.children[i]));
	crowd_watch(_metadata, ring, &crowd);
	EXPECT_TRUE(await_fd(pt_ring_fd(ring), POLLIN, awhile_ms()));
	crowd_see_off(_metadata, ring, &crowd, fds);
}

/* ---- what it costs ---- */

/* Whatever may ask the kernel for news, kills this thread's process. */
static void forbid_asking(struct __test_metadata *_metadata)
{
	static const int calls[] = {
#ifdef SYS_poll
		SYS_poll,
#endif
#ifdef SYS_epoll_wait
		SYS_epoll_wait,
#endif
		SYS_epoll_pwait,
		SYS_ppoll,
		SYS_read,
		SYS_io_uring_enter,
		SYS_io_uring_register,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(calls); i++)
		ASSERT_EQ(0, seccomp_kill(calls[i]));
}

static void *idle_without_asking(void *argument)
{
	struct maker *maker = argument;
	struct __test_metadata *_metadata = maker->_metadata;
	struct pt_happened happened;
	uint64_t before;
	int i;

	make_and_end(maker);
	/* and once more, for the kernel may signal it late */
	ASSERT_EQ(0, pt_ring_next(maker->ring, &happened));
	ASSERT_EQ(0, pt_ring_next(maker->ring, &happened));
	EXPECT_FALSE(pt_ring_busy(maker->ring));
	forbid_asking(_metadata);
	before = pt_sys_calls;
	for (i = 0; i < 1000; i++)
		EXPECT_EQ(0, pt_ring_next(maker->ring, &happened));
	EXPECT_EQ(before, pt_sys_calls);
	return NULL;
}

/* The filter is of the thread alone, which then ends. */
TEST(an_idle_ring_makes_no_system_calls)
{
	struct maker maker = { ._metadata = _metadata,
			       .backend = PT_BACKEND_URING };
	pthread_t thread;

	URING_OR_SKIP();
	ASSERT_EQ(0, child_start(&maker.child));
	ASSERT_EQ(0,
		  pthread_create(&thread, NULL, idle_without_asking, &maker));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	pt_ring_free(maker.ring);
	child_end(&maker.child);
}

/* By another process, once @host sleeps: ends the child, then writes. */
static void disturb(pid_t host, const struct child *child, int pipe)
{
	struct pt_procfs_stat stat;

	do
		sched_yield();
	while (pt_procfs_stat(host, &stat) == 0 && stat.state != 'S');
	if (child_exit(child, 0) == 0 && child_await_exit(child) == 0 &&
	    write(pipe, "x", 1) == 1)
		_exit(0);
	_exit(1);
}

RING_TEST(the_hosts_own_epoll_wait_is_not_disturbed)
{
	struct epoll_event event = { .events = EPOLLIN };
	int outside = epoll_create1(EPOLL_CLOEXEC), pipe[2];
	struct child child, other = CHILD_NULL;
	struct pt_happened happened;
	siginfo_t siginfo;

	ASSERT_EQ(0, pipe2(pipe, O_CLOEXEC));
	ASSERT_EQ(0, epoll_ctl(outside, EPOLL_CTL_ADD, pipe[0], &event));
	ASSERT_EQ(0, child_start(&child));
	ASSERT_WATCH(ring, &child, 1, &siginfo);
	ASSERT_GE(pt_ring_flush(ring), 0);
	other.pid = fork();
	ASSERT_GE(other.pid, 0);
	if (!other.pid)
		disturb(getppid(), &child, pipe[1]);
	errno = 0;
	EXPECT_EQ(1, epoll_wait(outside, &event, 1, awhile_ms()))
	{
		TH_LOG("%s", strerror(errno));
	}
	EXPECT_EQ(0, child_reap(&other));
	happened = next(_metadata, ring);
	EXPECT_EQ(1, happened.cookie);
	if (!happened.ended)
		unwatch(_metadata, ring, &child, 1);
	see_off(_metadata, ring, &child);
	close(outside);
	close(pipe[0]);
	close(pipe[1]);
	pt_ring_free(ring);
}

/* ---- making one ---- */

TEST(each_backend_says_what_it_is)
{
	struct pt_ring *ring = ring_start(_metadata, PT_BACKEND_EPOLL);

	EXPECT_STREQ("epoll", pt_ring_backend(ring));
	EXPECT_FALSE(pt_ring_waits(ring));
	pt_ring_free(ring);
	ring = ring_start(_metadata, PT_BACKEND_ANY);
	EXPECT_STREQ(pt_ring_probe(true) < 0 ? "epoll" : "uring",
		     pt_ring_backend(ring));
	EXPECT_EQ(pt_ring_probe(true) == 0, pt_ring_waits(ring));
	EXPECT_TRUE(fcntl(pt_ring_fd(ring), F_GETFD) & FD_CLOEXEC);
	pt_ring_free(ring);
}

TEST(any_is_epoll_where_io_uring_is_refused)
{
	struct pt_ring *ring = NULL;

	ASSERT_EQ(0, seccomp_refuse(SYS_io_uring_setup, EPERM));
	EXPECT_EQ(-EPERM, pt_ring_probe(false));
	EXPECT_EQ(-EPERM, pt_ring_probe(true));
	EXPECT_EQ(-EPERM, pt_ring_new(PT_BACKEND_URING, &ring));
	EXPECT_NULL(ring);
	ring = ring_start(_metadata, PT_BACKEND_ANY);
	EXPECT_STREQ("epoll", pt_ring_backend(ring));
	pt_ring_free(ring);
}

/* However many descriptors are left, making one works or leaves nothing. */
TEST(without_descriptors_no_ring_is_made_and_none_is_lost)
{
	static const enum pt_backend backends[] = { PT_BACKEND_URING,
						    PT_BACKEND_EPOLL };
	int first = open("/dev/null", O_RDONLY | O_CLOEXEC), n;
	struct rlimit before, limit;
	size_t i;

	ASSERT_GE(first, 0);
	close(first);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &before));
	limit = before;
	for (i = 0; i < ARRAY_SIZE(backends); i++) {
		if (backends[i] == PT_BACKEND_URING && pt_ring_probe(true) < 0)
			continue;
		for (n = 0; n < 6; n++) {
			struct pt_ring *ring = NULL;
			int r;

			limit.rlim_cur = (rlim_t)(first + n);
			ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
			r = pt_ring_new(backends[i], &ring);
			ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &before));
			EXPECT_TRUE(r == 0 || r == -EMFILE);
			if (n == 0)
				EXPECT_EQ(-EMFILE, r);
			EXPECT_EQ(r == 0, ring != NULL);
			pt_ring_free(ring);
		}
	}
}

TEST_HARNESS_MAIN
