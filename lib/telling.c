/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "telling.h"

#include "ladder.h"
#include "seen.h"
#include "status.h"

/* ---- stops ---- */

/* One word of a stop or a continuation, of a kind that was asked for. */
static bool tell_stop(struct pt_set *set, struct pidtrack_process *process,
		      struct pidtrack_event *event)
{
	int status, r;

	while ((r = pt_status_stopped(process->pidfd, WSTOPPED | WCONTINUED,
				      &status)) > 0) {
		uint32_t kind = WIFSTOPPED(status) ? PIDTRACK_STOPPED :
						     PIDTRACK_CONTINUED;

		process->stops_seen = true;
		if (!(process->stops & BIT(kind)))
			continue;
		*event = (struct pidtrack_event){
			.kind = kind,
			.status = status,
			.source = PIDTRACK_SOURCE_WAITED,
			.process = process,
		};
		return true;
	}
	/* it has ended, or is not ours: nothing of this is to come */
	if (r == -ECHILD) {
		pt_set_end_stops(set, process);
		pt_parked_back(&set->parked, process);
	}
	return false;
}

/* ---- ends ---- */

static bool reaping_is_told(struct pt_set *set,
			    const struct pidtrack_process *process)
{
	CLEANUP(pt_lent_done) struct pt_lent lent = { .fd = -1 };

	if (set->place.pidfs)
		return true;
	lent = pt_parked_lend(&set->parked, process);
	return lent.fd >= 0 && pt_status_reaping_is_told(lent.fd);
}

/* Whether REAPED is still to come: for somebody else's zombie. */
static bool more_follows(struct pt_set *set,
			 const struct pidtrack_process *process)
{
	return process->tell & PT_TELL_REAPED ||
	       (process->state == PT_STATE_ZOMBIE &&
		reaping_is_told(set, process));
}

int pt_set_record_end(struct pt_set *set, struct pidtrack_process *process,
		      struct pt_ending *ending)
{
	pt_ending_free(process->ending);
	process->ending = ending;
	if (process->state == PT_STATE_RUNNING)
		return 0;
	pt_ending_see(ending);
	if (process->tell & PT_TELL_EXITED || more_follows(set, process))
		return 0;
	return pt_set_write_end(set, process);
}

static void count_status(struct pt_set *set, uint32_t source)
{
	if (source == PIDTRACK_SOURCE_RECOVERED)
		set->statistics.recovered++;
	if (source == PIDTRACK_SOURCE_UNKNOWN)
		set->statistics.unknown++;
}

static void tell_exited(struct pt_set *set, struct pidtrack_process *process,
			struct pidtrack_event *event)
{
	process->tell &= (uint8_t)~PT_TELL_EXITED;
	process->last = !more_follows(set, process);
	set->statistics.exits++;
	*event = (struct pidtrack_event){
		.kind = PIDTRACK_EXITED,
		.status = process->status,
		.source = process->source,
		.process = process,
	};
	/* the status of whom others reap comes with REAPED, always */
	if (!process->last && event->source == PIDTRACK_SOURCE_RECOVERED) {
		event->status = -1;
		event->source = PIDTRACK_SOURCE_UNKNOWN;
	}
}

static void tell_reaped(struct pidtrack_process *process,
			struct pidtrack_event *event)
{
	process->tell &= (uint8_t)~PT_TELL_REAPED;
	process->last = true;
	*event = (struct pidtrack_event){
		.kind = PIDTRACK_REAPED,
		.status = process->status,
		.source = process->source,
		.process = process,
	};
}

/* Of an event of one whose end was told. */
static uint32_t flags_of(const struct pidtrack_process *process)
{
	uint32_t flags = 0;

	if (!pt_ladder_outlives(process))
		flags |= PIDTRACK_EVENT_LAST;
	if (process->unrecorded)
		flags |= PIDTRACK_EVENT_UNRECORDED;
	return flags;
}

static void tell_end(struct pt_set *set, struct pidtrack_process *process,
		     struct pidtrack_event *event)
{
	if (process->tell & PT_TELL_EXITED)
		tell_exited(set, process, event);
	else
		tell_reaped(process, event);
	if (!process->last)
		return;
	count_status(set, process->source);
	process->unrecorded = pt_set_write_end(set, process) < 0;
	event->flags = flags_of(process);
}

/* ---- which first ---- */

static bool tell_ladder(struct pt_set *set, struct pidtrack_process *process,
			struct pidtrack_event *event)
{
	if (!pt_ladder_tell(&set->stops, process, event))
		return false;
	if (process->last && !pt_ladder_outlives(process)) {
		/* for who looks at nothing but the last event */
		event->flags = flags_of(process);
		event->status = process->status;
		event->source = process->source;
	}
	return true;
}

/* Takes one event off the list; false if the first of it came to nothing. */
static bool tell(struct pt_set *set, struct pidtrack_event *event)
{
	struct pidtrack_process *process = pt_told_first(&set->told);

	if (process->tell & PT_TELL_STOPS) {
		if (tell_stop(set, process, event))
			return true;
		process->tell &= (uint8_t)~PT_TELL_STOPS;
		pt_set_renew_stops(set, process);
	}
	if (process->tell & PT_TELL_LADDER) {
		if (tell_ladder(set, process, event))
			return true;
		process->tell &= (uint8_t)~PT_TELL_LADDER;
	}
	if (process->tell == 0) {
		pt_told_take_first(&set->told);
		return false;
	}
	tell_end(set, process, event);
	if (process->tell == 0)
		pt_told_take_first(&set->told);
	return true;
}

void pt_set_acknowledge_handed(struct pt_set *set)
{
	if (!set->handed)
		return;
	/* what was handed out may be an event before its end */
	if (!(set->handed->tell & (PT_TELL_EXITED | PT_TELL_REAPED)))
		pt_set_acknowledge(set, set->handed);
	set->handed = NULL;
}

/* Whatever is to be told now. */
static bool tell_any(struct pt_set *set, struct pidtrack_event *ret_event)
{
	while (pt_told_first(&set->told)) {
		if (tell(set, ret_event))
			return true;
	}
	return false;
}

/* Lets one thing happen: 1, 0 if there is none, or a negative errno. */
static int advance(struct pt_set *set)
{
	struct pt_happened happened;
	int r;

	r = pt_set_ensure_ring(set);
	if (r < 0)
		return r;
	r = pt_ring_next(set->ring, &happened);
	if (r == -EBADR) {
		set->renew_due = true;
		return 1;
	}
	if (r > 0)
		pt_set_happen(set, &happened);
	return r;
}

/*
 * Has some of those that came back waited for: 1; 0 if there are none, or there
 * is no descriptor for any now.
 */
static int let_arrive(struct pt_set *set)
{
	struct pidtrack_process *arrived[PT_PARCELS_MAX];
	size_t n;

	if (!pt_parked_have_arrived(&set->parked) || pt_ring_owes(set->ring))
		return 0;
	n = pt_parked_take_arrived(&set->parked, arrived);
	for (size_t i = 0; i < n; i++)
		pt_set_watch_for(set, arrived[i], PT_WATCH_STATUS);
	/* else what comes of these makes it readable */
	if (n == 0)
		pt_ring_rouse(set->ring);
	return n > 0;
}

/* 1 and an event, or 0; some of them, the next time the others. */
static int look_for_orphans(struct pt_set *set,
			    struct pidtrack_event *ret_event)
{
	int r;

	/* whom we have asked to be reaped is none */
	r = pt_set_ensure_ring(set);
	if (r >= 0)
		r = pt_ring_flush(set->ring);
	if (r < 0)
		return r;
	return pt_orphans_look(set->orphans, &set->statistics.orphans,
			       ret_event);
}

static int next(struct pt_set *set, struct pidtrack_event *ret_event)
{
	int r;

	pt_set_acknowledge_handed(set);
	if (set->n_ticks > 0 && pt_ring_waits(set->ring))
		pt_set_happened_to_all(set);
	if (pt_orphans_have_their_turn(set->orphans)) {
		r = look_for_orphans(set, ret_event);
		if (r != 0)
			return r;
	}
	do {
		if (tell_any(set, ret_event)) {
			set->handed = ret_event->process;
			if (pt_told_first(&set->told))
				pt_ring_keep_readable(set->ring);
			return 1;
		}
		r = advance(set);
		if (r == 0)
			r = let_arrive(set);
	} while (r > 0);
	/*
	 * A ring has no timer: it is signalled while there is one it could not
	 * watch; here, for before it may have been read again.
	 */
	if (r == 0 && set->n_ticks > 0 && pt_ring_waits(set->ring))
		pt_ring_rouse(set->ring);
	if (r == 0 && pt_orphans_are_due(set->orphans))
		return look_for_orphans(set, ret_event);
	return r;
}

int pt_set_next(struct pt_set *set, struct pidtrack_event *ret_event)
{
	int r = next(set, ret_event);

	pt_set_unclaim_reaped(set);
	return r;
}

/* ---- no more ---- */

int pt_set_settle(struct pt_set *set)
{
	int r;

	r = pt_set_ensure_ring(set);
	if (r < 0)
		return r;
	pt_set_acknowledge_handed(set);
	pt_ring_settle(set->ring);
	return 0;
}

void pt_set_release(struct pt_set *set, struct pidtrack_process *process)
{
	process->released = true;
	process->tracker = NULL; /* whoever uses it from now on is wrong */
	set->statistics.tracked--;
	if (set->handed == process)
		set->handed = NULL;
	pt_told_take(&set->told, process);
	process->tell = 0; /* or its end would put it back there */
	pt_set_free_texts(process);
	pt_set_end_stops(set, process);
	process->stop = pt_stop_free(&set->stops, process->stop);
	pt_parked_back(&set->parked, process);
	pt_set_look_last(set, process);
	if (process->state != PT_STATE_RUNNING)
		pt_set_write_end(set, process);
	pt_set_acknowledge(set, process);
	if (!process->child || process->state != PT_STATE_RUNNING)
		pt_set_unwatch(set, process);
	pt_set_finish(set, process);
	/* in the middle of a burst the next call takes it along */
	if (!pt_told_first(&set->told) && !pt_ring_busy(set->ring))
		pt_ring_flush(set->ring);
	pt_set_unclaim_reaped(set);
}
