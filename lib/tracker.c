/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * The set: made, freed, counted, waited for.  The file to read first.
 */
#include "tracker.h"

#include <limits.h>

#include "base.h"
#include "checked.h"
#include "options.h"
#include "sys.h"
#include "telling.h"

PUBLIC const char *pidtrack_version(void)
{
	return PIDTRACK_VERSION;
}

/* ---- into the owner ---- */

struct call {
	struct pidtrack *tracker;
	int (*run)(struct pidtrack *tracker, void *argument);
	void *argument;
	bool frozen; /* while a handoff is prepared, too */
};

static int run_call(void *argument)
{
	struct call *call = argument;
	struct pidtrack *tracker = call->tracker;
	uint64_t before = pt_sys_calls;
	int r;

	if (tracker->handoff >= 0 && !call->frozen)
		return -EINPROGRESS;
	if (tracker->owner.moved) {
		/* the thread before took its requests along when it ended */
		pt_set_moved(&tracker->set);
		tracker->owner.moved = false;
	}
	r = call->run(tracker, call->argument);
	tracker->syscalls += pt_sys_calls - before;
	return r;
}

/* Whether there is one: a process that was freed has none any more. */
static bool is_there(const struct pidtrack *tracker)
{
	pt_checked(tracker && !tracker->freed);
	return tracker;
}

int pt_tracker_call(struct pidtrack *tracker,
		    int (*run)(struct pidtrack *tracker, void *argument),
		    void *argument)
{
	struct call it = { tracker, run, argument, false };

	return is_there(tracker) ?
		       pt_owner_call(&tracker->owner, run_call, &it) :
		       -EINVAL;
}

int pt_tracker_call_frozen(struct pidtrack *tracker,
			   int (*run)(struct pidtrack *tracker, void *argument),
			   void *argument)
{
	struct call it = { tracker, run, argument, true };

	return is_there(tracker) ?
		       pt_owner_call(&tracker->owner, run_call, &it) :
		       -EINVAL;
}

/* ---- the tracker ---- */

static int wanted_backend(enum pt_backend *ret_backend)
{
	const char *name = secure_getenv("PIDTRACK_BACKEND");

	if (!name || !name[0])
		*ret_backend = PT_BACKEND_ANY;
	else if (strcmp(name, "uring") == 0)
		*ret_backend = PT_BACKEND_URING;
	else if (strcmp(name, "epoll") == 0)
		*ret_backend = PT_BACKEND_EPOLL;
	else
		return -EINVAL;
	return 0;
}

/* In the owner: the ring belongs to the thread that makes it. */
static int init_set(struct pidtrack *tracker, void *argument)
{
	const struct pidtrack_options *options = argument;
	enum pt_backend backend;
	int r;

	r = wanted_backend(&backend);
	if (r < 0)
		return r;
	r = pt_keeper_open(&tracker->set.keeper, options->pins, options->store);
	if (r < 0)
		return r;
	r = pt_set_init(&tracker->set, tracker, backend,
			options->flags & PIDTRACK_PARK);
	if (r < 0) {
		pt_keeper_close(&tracker->set.keeper);
		return r;
	}
	if (options->orphans == PIDTRACK_ORPHANS_LEAVE)
		return r;
	r = pt_set_collect(&tracker->set, options->orphans,
			   options->orphan_time_ms);
	if (r < 0)
		pt_set_done(&tracker->set);
	return r;
}

static int done_set(struct pidtrack *tracker, void *argument)
{
	(void)argument;
	pt_set_acknowledge_handed(&tracker->set);
	pt_set_done(&tracker->set);
	return 0;
}

static int init_tracker(struct pidtrack *tracker,
			struct pidtrack_options *options)
{
	int r;

	r = pt_launchpad_new(&tracker->pad);
	if (r < 0)
		return r;
	r = pt_owner_init(&tracker->owner, options->flags & PIDTRACK_THREAD);
	if (r < 0) {
		pt_launchpad_done(&tracker->pad);
		return r;
	}
	r = pt_tracker_call(tracker, init_set, options);
	if (r < 0) {
		pt_owner_done(&tracker->owner);
		pt_launchpad_done(&tracker->pad);
	}
	return r;
}

/*
 * The floor: without waitid(2) for pidfds no end could be told, and no child be
 * reaped.  A number that is no descriptor's is looked at only where there is.
 */
static int check_floor(void)
{
	int r = sys_waitid(PT_P_PIDFD, INT_MAX, NULL, WEXITED | WNOHANG);

	return r == -EBADF ? 0 : r;
}

static int check(const struct pidtrack_options *options)
{
	if (options->flags & ~(PIDTRACK_THREAD | PIDTRACK_PARK) ||
	    options->orphans > PIDTRACK_ORPHANS_ASK)
		return -EINVAL;
	if (options->orphans == PIDTRACK_ORPHANS_LEAVE &&
	    options->orphan_time_ms > 0)
		return -EINVAL;
	return 0;
}

PUBLIC int pidtrack_new(const struct pidtrack_options *options,
			struct pidtrack **ret_tracker)
{
	struct pidtrack_options copied = { 0 };
	struct pidtrack *tracker;
	int r;

	if (options) {
		r = pt_options_copy(
			&copied, sizeof(copied), options, options->size,
			offsetofend(struct pidtrack_options, flags));
		if (r < 0)
			return r;
	}
	r = check(&copied);
	if (r >= 0)
		r = check_floor();
	if (r < 0)
		return r;

	tracker = calloc(1, sizeof(*tracker));
	if (!tracker)
		return -ENOMEM;
	tracker->handoff = -1;
	r = init_tracker(tracker, &copied);
	if (r < 0) {
		free(tracker);
		return r;
	}
	*ret_tracker = tracker;
	return 0;
}

PUBLIC struct pidtrack *pidtrack_free(struct pidtrack *tracker)
{
	if (!tracker)
		return NULL;
	pt_checked(!tracker->freed);
	if (pt_owner_take(&tracker->owner) == -EBUSY)
		return tracker;

	/* in the owner, while there is one: what is in flight is its own */
	if (pt_tracker_call_frozen(tracker, done_set, NULL) == -ECHILD)
		pt_set_abandon(&tracker->set);
	pt_owner_done(&tracker->owner);
	pt_launchpad_done(&tracker->pad);
	fd_close(tracker->handoff);
	tracker->freed = true;
	pt_checked_free(tracker);
	return NULL;
}

PUBLIC int pidtrack_fd(const struct pidtrack *tracker)
{
	pt_checked(!tracker->freed);
	return pt_ring_fd(tracker->set.ring);
}

PUBLIC const char *pidtrack_backend(const struct pidtrack *tracker)
{
	pt_checked(!tracker->freed);
	return pt_ring_backend(tracker->set.ring);
}

static int do_statistics(struct pidtrack *tracker, void *argument)
{
	struct pidtrack_statistics *statistics = argument;

	*statistics = tracker->set.statistics;
	statistics->wakeups = pt_ring_wakeups(tracker->set.ring);
	statistics->syscalls = tracker->syscalls;
	return 0;
}

PUBLIC int pidtrack_statistics(struct pidtrack *tracker,
			       struct pidtrack_statistics *ret_statistics,
			       size_t size)
{
	struct pidtrack_statistics statistics;
	int r;

	r = pt_tracker_call(tracker, do_statistics, &statistics);
	if (r < 0)
		return r;
	pt_options_give(ret_statistics, size, &statistics, sizeof(statistics));
	return 0;
}

/* ---- waiting ---- */

static int do_next(struct pidtrack *tracker, void *argument)
{
	(void)argument;
	return pt_set_next(&tracker->set, &tracker->event);
}

PUBLIC int pidtrack_next(struct pidtrack *tracker,
			 const struct pidtrack_event **ret_event)
{
	int r;

	r = pt_tracker_call(tracker, do_next, NULL);
	if (r > 0)
		*ret_event = &tracker->event;
	return r;
}

static int64_t now_ms(void)
{
	return sys_now_ns() / 1000000;
}

/* What is left of @timeout_ms since @start, for poll(2). */
static int time_left(int timeout_ms, int64_t start)
{
	int64_t left;

	if (timeout_ms <= 0)
		return timeout_ms;
	left = start + timeout_ms - now_ms();
	return left > 0 ? (int)left : 0;
}

PUBLIC int pidtrack_wait(struct pidtrack *tracker, int timeout_ms,
			 const struct pidtrack_event **ret_event)
{
	const int64_t start = timeout_ms > 0 ? now_ms() : 0;

	for (;;) {
		struct pollfd readable = { .events = POLLIN };
		int left, r;

		r = pidtrack_next(tracker, ret_event);
		if (r != 0)
			return r;
		left = time_left(timeout_ms, start);
		if (left == 0)
			return 0;

		readable.fd = pidtrack_fd(tracker);
		tracker->syscalls++;
		r = sys_poll(&readable, 1, left);
		if (r < 0)
			return r;
	}
}
