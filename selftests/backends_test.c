/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* The ring and epoll tell the same, word for word. */
#include <stdarg.h>

#include "tracked.h"

/* What was told, a line an event. */
struct story {
	char text[8192];
	size_t size;
};

__attribute__((format(printf, 2, 3))) static void note(struct story *story,
						       const char *format, ...)
{
	va_list args;

	va_start(args, format);
	story->size += vsnprintf(story->text + story->size,
				 sizeof(story->text) - story->size, format,
				 args);
	va_end(args);
}

/* The next event, or that there is none. */
static void tell(struct __test_metadata *_metadata, struct story *story,
		 struct pidtrack *tracker, const char *name, int timeout_ms)
{
	const struct pidtrack_event *event;
	int status = -1, r = pidtrack_wait(tracker, timeout_ms, &event);

	harness_told(r, 0, "pidtrack_wait()");
	if (r != 1) {
		note(story, "%s: %d\n", name, r);
		return;
	}
	note(story, "%s: %s flags=%u source=%s status=%#x", name,
	     pidtrack_event_name(event->kind), event->flags,
	     pidtrack_source_name(event->source), event->status);
	r = pidtrack_process_status(event->process, &status);
	note(story, " state=%s sticky=%d:%#x\n",
	     pidtrack_state_name(pidtrack_process_state(event->process)), r,
	     status);
}

static void tell_statistics(struct __test_metadata *_metadata,
			    struct story *story, struct pidtrack *tracker)
{
	struct pidtrack_statistics statistics = tracker_statistics(tracker);

	note(story,
	     "tracked=%llu exits=%llu recovered=%llu unknown=%llu "
	     "unwatched=%llu\n",
	     (unsigned long long)statistics.tracked,
	     (unsigned long long)statistics.exits,
	     (unsigned long long)statistics.recovered,
	     (unsigned long long)statistics.unknown,
	     (unsigned long long)statistics.unwatched);
}

static void expect_same(struct __test_metadata *_metadata,
			struct story *expected, struct story *seen)
{
	char *a_rest, *b_rest;
	char *a = strtok_r(expected->text, "\n", &a_rest);
	char *b = strtok_r(seen->text, "\n", &b_rest);

	EXPECT_LT(expected->size, sizeof(expected->text));
	for (; a && b; b = strtok_r(NULL, "\n", &b_rest)) {
		EXPECT_STREQ(a, b);
		a = strtok_r(NULL, "\n", &a_rest);
	}
	EXPECT_NULL(a);
	EXPECT_NULL(b);
}

/* ---- chapters ---- */

static void shims(struct __test_metadata *_metadata, struct story *story,
		  struct pidtrack *tracker)
{
	struct pidtrack_process *process;

	shim_start(_metadata, tracker, PIDTRACK_FD_NULL, SHIM("exit", "7"));
	tell(_metadata, story, tracker, "exited", awhile_ms());
	tell(_metadata, story, tracker, "nothing", 0);
	shim_start(_metadata, tracker, PIDTRACK_FD_NULL, SHIM("kill", "KILL"));
	tell(_metadata, story, tracker, "killed", awhile_ms());
	process = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
			     SHIM("exit", "9"));
	process_await_exit(process);
	pidtrack_process_free(process);
	tell(_metadata, story, tracker, "freed", 100);
	signal(SIGCHLD, SIG_IGN);
	shim_start(_metadata, tracker, PIDTRACK_FD_NULL, SHIM("exit", "10"));
	tell(_metadata, story, tracker, "ignored", awhile_ms());
	signal(SIGCHLD, SIG_DFL);
	tell_statistics(_metadata, story, tracker);
}

/*
 * After the launch has returned, or the ring may have seen it; and a tracker
 * with a thread may see it before the thief at any time.
 */
static void thefts(struct __test_metadata *_metadata, struct story *story,
		   struct pidtrack *tracker)
{
	struct pidtrack_process *process;

	process =
		shim_start(_metadata, tracker, PIDTRACK_FD_NULL, SHIM("pause"));
	pidtrack_process_signal(process, SIGKILL);
	waitpid(pidtrack_process_pid(process), NULL, 0);
	tell(_metadata, story, tracker, "stolen", awhile_ms());
	tell(_metadata, story, tracker, "nothing", 0);
	tell_statistics(_metadata, story, tracker);
}

static void stops(struct __test_metadata *_metadata, struct story *story,
		  struct pidtrack *tracker)
{
	struct pidtrack_process *process;

	process =
		shim_start(_metadata, tracker, PIDTRACK_FD_NULL, SHIM("pause"));
	pidtrack_process_notify(process, 1 << PIDTRACK_STOPPED |
						 1 << PIDTRACK_CONTINUED);
	tell(_metadata, story, tracker, "running", 0);
	pidtrack_process_signal(process, SIGSTOP);
	tell(_metadata, story, tracker, "stopped", awhile_ms());
	pidtrack_process_signal(process, SIGCONT);
	tell(_metadata, story, tracker, "continued", awhile_ms());
	pidtrack_process_signal(process, SIGSTOP);
	tell(_metadata, story, tracker, "stopped", awhile_ms());
	pidtrack_process_signal(process, SIGKILL);
	tell(_metadata, story, tracker, "killed", awhile_ms());
	tell(_metadata, story, tracker, "nothing", 0);
	tell_statistics(_metadata, story, tracker);
}

/* Where it is not told, no longer than for anything else that does not come. */
static int reaping_ms(void)
{
	return reaping_is_told() ? awhile_ms() : 100;
}

static void others(struct __test_metadata *_metadata, struct story *story,
		   struct pidtrack *tracker)
{
	struct pidtrack_process *process;
	struct foreign foreign;
	struct child child;

	ASSERT_EQ(0, foreign_start(&foreign));
	ASSERT_EQ(0,
		  pidtrack_attach(tracker, foreign.child.pid, 0, 0, &process));
	ASSERT_EQ(0, child_exit(&foreign.child, 1));
	tell(_metadata, story, tracker, "ended", awhile_ms());
	tell(_metadata, story, tracker, "nothing", 0);
	ASSERT_EQ(1 << 8, foreign_reap(&foreign));
	tell(_metadata, story, tracker, "reaped", reaping_ms());
	tell(_metadata, story, tracker, "nothing", 0);
	foreign_end(&foreign);

	ASSERT_EQ(0, foreign_start(&foreign));
	ASSERT_EQ(0,
		  pidtrack_attach(tracker, foreign.child.pid, 0, 0, &process));
	ASSERT_EQ(0, child_exit(&foreign.child, 2));
	ASSERT_EQ(2 << 8, foreign_reap(&foreign));
	tell(_metadata, story, tracker, "ended, reaped", awhile_ms());
	tell(_metadata, story, tracker, "nothing", 0);
	foreign_end(&foreign);

	ASSERT_EQ(0, foreign_start(&foreign));
	ASSERT_EQ(0,
		  pidtrack_attach(tracker, foreign.child.pid, 0, 0, &process));
	ASSERT_EQ(0, child_exit(&foreign.child, 3));
	tell(_metadata, story, tracker, "ended", awhile_ms());
	ASSERT_EQ(0, foreign_orphan(&foreign));
	tell(_metadata, story, tracker, "adopted", reaping_ms());
	tell(_metadata, story, tracker, "nothing", 0);
	child_close(&foreign.child);

	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, pidtrack_attach(tracker, child.pid, 0,
				     PIDTRACK_ATTACH_OBSERVE, &process));
	ASSERT_EQ(0, child_exit(&child, 4));
	tell(_metadata, story, tracker, "observed", awhile_ms());
	tell(_metadata, story, tracker, "nothing", 0);
	ASSERT_EQ(4 << 8, child_reap(&child));
	tell(_metadata, story, tracker, "waited for by others", 100);
	child_close(&child);
	tell_statistics(_metadata, story, tracker);
}

static struct story story_of(struct __test_metadata *_metadata,
			     const char *backend, uint32_t flags)
{
	struct story story = { .size = 0 };
	struct pidtrack *tracker;

	setenv("PIDTRACK_BACKEND", backend, 1);
	tracker = tracker_start(_metadata, flags);
	EXPECT_STREQ(backend, pidtrack_backend(tracker));
	if (!flags)
		thefts(_metadata, &story, tracker);
	shims(_metadata, &story, tracker);
	stops(_metadata, &story, tracker);
	others(_metadata, &story, tracker);
	EXPECT_FALSE(child_is_any());
	pidtrack_free(tracker);
	return story;
}

TEST_WANTS(the_ring_and_epoll_tell_one_story, signals)
{
	struct story ring = story_of(_metadata, "uring", 0);
	struct story epoll = story_of(_metadata, "epoll", 0);

	expect_same(_metadata, &epoll, &ring);
}

TEST_WANTS(the_ring_and_epoll_tell_one_story_with_a_thread, signals)
{
	struct story ring = story_of(_metadata, "uring", PIDTRACK_THREAD);
	struct story epoll = story_of(_metadata, "epoll", PIDTRACK_THREAD);

	expect_same(_metadata, &epoll, &ring);
}

TEST(a_backend_that_is_none_is_refused_or_not_heard)
{
	struct pidtrack *tracker = NULL;

	setenv("PIDTRACK_BACKEND", "carrier-pigeons", 1);
	if (pidtrack_new(NULL, &tracker) == 0)
		EXPECT_TRUE(!strcmp("uring", pidtrack_backend(tracker)) ||
			    !strcmp("epoll", pidtrack_backend(tracker)));
	else
		EXPECT_NULL(tracker);
	pidtrack_free(tracker);
}

TEST(without_a_word_the_ring_is_taken_where_it_works)
{
	struct pidtrack *tracker;

	unsetenv("PIDTRACK_BACKEND");
	ASSERT_EQ(0, pidtrack_new(NULL, &tracker));
	EXPECT_STREQ(works(PIDTRACK_FEATURE_RING) &&
				     works(PIDTRACK_FEATURE_RING_WAITID) ?
			     "uring" :
			     "epoll",
		     pidtrack_backend(tracker));
	pidtrack_free(tracker);
}

TEST_HARNESS_MAIN
