/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "set.h"

#include "claims.h"
#include "label.h"
#include "ladder.h"
#include "probes.h"
#include "status.h"
#include "sys.h"

/* ---- slots ---- */

static void free_label(struct pidtrack_process *process)
{
	free(process->label);
	process->label = NULL;
}

/* By its label it will be let go. */
static void free_texts(struct pidtrack_process *process)
{
	if (!process->kept)
		free_label(process);
	free(process->text);
	free(process->payload);
	process->text = NULL;
	process->payload = NULL;
}

static void free_ending(struct pidtrack_process *process)
{
	process->ending = pt_ending_free(process->ending);
}

void pt_set_drop(struct pt_set *set, struct pidtrack_process *process)
{
	free_texts(process);
	free_label(process);
	free_ending(process);
	set->statistics.tracked--;
	pt_slots_give(&set->slots, process);
}

/* ---- claims ---- */

/* Whoever looks for orphans passes it over from now on. */
static void claim(struct pt_set *set, struct pidtrack_process *process)
{
	if (process->claimed || process->state == PT_STATE_REAPED)
		return;
	process->claimed = true;
	pt_claims_add(process->pid);
	pt_orphans_join(set->orphans, process);
}

/* Its number may be anybody's now; or nobody's, who is told no more of it. */
static void unclaim(struct pt_set *set, struct pidtrack_process *process)
{
	if (!process->claimed)
		return;
	process->claimed = false;
	pt_orphans_leave(set->orphans, process);
	pt_claims_drop(process->pid);
}

/*
 * It is about to be reaped, perhaps only with the next submission: until then
 * another tracker would take it for an orphan.
 */
static void unclaim_later(struct pt_set *set, struct pidtrack_process *process)
{
	if (!process->claimed)
		return;
	if (pt_pids_add(&set->reaping, process->pid) < 0) {
		unclaim(set, process);
		return;
	}
	process->claimed = false;
	pt_orphans_leave(set->orphans, process);
}

static void unclaim_reaped(struct pt_set *set)
{
	if (set->ring && pt_ring_owes(set->ring))
		return;
	for (size_t i = 0; i < set->reaping.n; i++)
		pt_claims_drop(set->reaping.at[i]);
	set->reaping.n = 0;
}

/* ---- watches ---- */

static void want_tick(struct pt_set *set)
{
	if (set->n_ticks++ == 0)
		pt_ring_tick(set->ring, true);
}

static void want_no_tick(struct pt_set *set)
{
	if (--set->n_ticks == 0)
		pt_ring_tick(set->ring, false);
}

static void watch_by_tick(struct pt_set *set, struct pidtrack_process *process)
{
	if (process->lame)
		return;
	process->lame = true;
	set->statistics.unwatched++;
	want_tick(set);
}

static void unwatch_by_tick(struct pt_set *set,
			    struct pidtrack_process *process)
{
	if (!process->lame)
		return;
	process->lame = false;
	set->statistics.unwatched--;
	want_no_tick(set);
}

static void start_watch(struct pt_set *set, struct pidtrack_process *process,
			enum pt_watch watch)
{
	int r;

	r = pt_ring_watch(set->ring, watch, process->pidfd, process->slot,
			  &process->siginfo);
	if (r < 0) {
		watch_by_tick(set, process);
		return;
	}
	unwatch_by_tick(set, process);
	process->watch = (uint8_t)watch;
	PROBE3(armed, process->pid, process->pidfd, watch);
}

static void end_watch(struct pt_set *set, struct pidtrack_process *process)
{
	unwatch_by_tick(set, process);
	if (process->watch != PT_WATCH_NONE &&
	    pt_ring_unwatch(set->ring, process->watch, process->pidfd,
			    process->slot) > 0)
		process->watch = PT_WATCH_NONE;
}

static enum pt_watch fitting_watch(const struct pt_set *set,
				   const struct pidtrack_process *process)
{
	return process->child && pt_ring_waits(set->ring) ? PT_WATCH_CHILD :
							    PT_WATCH_EDGES;
}

void pt_set_watch(struct pt_set *set, struct pidtrack_process *process)
{
	claim(set, process);
	start_watch(set, process, fitting_watch(set, process));
}

/* Whether something may still come of the process that is worth a watch. */
static bool is_settled(const struct pidtrack_process *process)
{
	return process->state == PT_STATE_OURS ||
	       process->state == PT_STATE_REAPED;
}

/* Frees the slot of a released process once nothing needs it. */
static void finish(struct pt_set *set, struct pidtrack_process *process)
{
	if (pt_process_is_awaited(process))
		return;
	if (process->watch != PT_WATCH_NONE || process->stops_watch)
		return;
	unwatch_by_tick(set, process);
	free_label(process);
	free_ending(process);
	unclaim(set, process);
	pt_ring_close(set->ring, process->pidfd);
	pt_slots_give(&set->slots, process);
}

/* ---- exit records ---- */

/*
 * Writes down what is known of its end: before anybody is told, and so before
 * it is reaped.
 */
static int record_end(struct pt_set *set, struct pidtrack_process *process)
{
	int r;

	if (!process->ending)
		return 0;
	r = pt_ending_write(process->ending, process->status, process->source);
	if (r < 0)
		set->statistics.unrecorded++;
	free_ending(process);
	return r;
}

/* ---- what is seen ---- */

/* It need not be found again: the host knows its end, or is done with it. */
static void let_go(struct pt_set *set, struct pidtrack_process *process)
{
	uint64_t inode;

	if (!process->kept || process->state != PT_STATE_REAPED)
		return;
	process->kept = false;
	if (sys_inode(process->pidfd, &inode) >= 0)
		pt_keeper_let_go(&set->keeper, process->label, inode);
}

static void acknowledge(struct pt_set *set, struct pidtrack_process *process)
{
	struct pt_cell cell = pt_process_after(process->state, PT_SEEN_ACK);

	process->state = cell.state;
	let_go(set, process);
	if (!(cell.does & PT_DO_REAP))
		return;
	unclaim_later(set, process);
	pt_ring_reap(set->ring, process->pidfd);
	PROBE2(reaped, process->pid, 1);
}

static void end_stops(struct pt_set *set, struct pidtrack_process *process);

static void see(struct pt_set *set, struct pidtrack_process *process,
		enum pt_seen seen, int status, uint32_t source)
{
	struct pt_cell cell;

	if (seen == PT_SEEN_NONE)
		return;
	if (seen == PT_SEEN_STATUS && process->observed)
		seen = PT_SEEN_EXIT; /* to be told of, not to be reaped */
	if (seen == PT_SEEN_REAP && process->child)
		seen = PT_SEEN_STOLEN;
	/*
	 * A child that ended and cannot be waited for is just being reaped, by
	 * a thief or for want of SIGCHLD: the next change tells its status.
	 */
	if (seen == PT_SEEN_EXIT && process->child && set->place.pidfs)
		return;

	cell = pt_process_after(process->state, seen);
	process->state = cell.state;
	if (process->state == PT_STATE_REAPED) {
		PROBE2(reaped, process->pid, 0);
		unclaim(set, process);
	}
	if (process->source == PIDTRACK_SOURCE_UNKNOWN &&
	    source != PIDTRACK_SOURCE_UNKNOWN) {
		process->status = status;
		process->source = (uint8_t)source;
	}
	if (cell.does & PT_DO_EXITED) {
		if (process->ending)
			pt_ending_see(process->ending);
		end_stops(set, process);
		pt_ladder_ended(&set->stops, process);
		process->tell |= PT_TELL_EXITED;
		PROBE3(exited, process->pid, process->status, process->source);
	}
	if (cell.does & PT_DO_REAPED)
		process->tell |= PT_TELL_REAPED;

	if (process->released || process->last) {
		process->tell &= process->released ? 0 : PT_TELL_LADDER;
		record_end(set, process);
		acknowledge(set, process);
	}
	if (process->tell != 0)
		pt_told_add(&set->told, process);
	if (is_settled(process) || !pt_process_is_awaited(process))
		end_watch(set, process);
}

/* No change of it will tell again: look soon. */
static void look_again(struct pt_set *set, struct pidtrack_process *process)
{
	watch_by_tick(set, process);
	if (pt_ring_waits(set->ring))
		pt_ring_rouse(set->ring);
}

/* Its pidfd is readable. */
static void look(struct pt_set *set, struct pidtrack_process *process)
{
	uint32_t source = PIDTRACK_SOURCE_UNKNOWN;
	int status = -1, r;

	r = pt_process_look(process->pidfd, &status, &source);
	if (r < 0 && process->child) {
		look_again(set, process);
		return;
	}
	if (process->watch != PT_WATCH_NONE)
		unwatch_by_tick(set, process);
	see(set, process, r < 0 ? PT_SEEN_EXIT : (enum pt_seen)r, status,
	    source);
}

static void happened_to_child(struct pt_set *set,
			      struct pidtrack_process *process, int result)
{
	const siginfo_t *siginfo = &process->siginfo;

	if (result == 0 && siginfo->si_pid != 0) {
		see(set, process, PT_SEEN_STATUS, pt_status_of(siginfo),
		    PIDTRACK_SOURCE_WAITED);
		return;
	}
	if (process->released && process->state != PT_STATE_RUNNING)
		return;
	if (result == -ECANCELED || result == -EFAULT || result == -EINTR) {
		set->statistics.rearmed++;
		start_watch(set, process, PT_WATCH_CHILD);
		return;
	}
	/*
	 * Not our child any more, or nothing to wait for although it is
	 * readable: now every change counts, and the first has come.
	 */
	start_watch(set, process, PT_WATCH_EDGES);
}

static void happened_to_edges(struct pt_set *set,
			      struct pidtrack_process *process, int result)
{
	if (result >= 0 && result & POLLIN)
		look(set, process);
	if (process->watch != PT_WATCH_NONE || is_settled(process) ||
	    !pt_process_is_awaited(process) || result == -EBADF)
		return;
	if (result < 0)
		set->statistics.rearmed++;
	start_watch(set, process, PT_WATCH_EDGES);
}

/* ---- stops ---- */

static void start_stops(struct pt_set *set, struct pidtrack_process *process)
{
	if (process->stops == 0 || process->stops_watch ||
	    process->stops_lame || process->state != PT_STATE_RUNNING)
		return;
	if (pt_ring_waits(set->ring) &&
	    pt_ring_watch(set->ring, PT_WATCH_STOPS, process->pidfd,
			  process->slot, NULL) >= 0) {
		process->stops_watch = true;
		return;
	}
	process->stops_lame = true;
	want_tick(set);
}

/* On a ring it was for want of memory only. */
static void retry_stops(struct pt_set *set, struct pidtrack_process *process)
{
	if (!pt_ring_waits(set->ring))
		return;
	process->stops_lame = false;
	want_no_tick(set);
	start_stops(set, process);
}

static void end_stops(struct pt_set *set, struct pidtrack_process *process)
{
	process->tell &= (uint8_t)~PT_TELL_STOPS;
	process->stops = 0;
	if (process->stops_watch)
		pt_ring_unwatch(set->ring, PT_WATCH_STOPS, process->pidfd,
				process->slot);
	if (process->stops_lame) {
		process->stops_lame = false;
		want_no_tick(set);
	}
}

/* ---- ladders ---- */

static void happened_to_ladders(struct pt_set *set,
				const struct pt_happened *happened)
{
	struct pidtrack_process *process;
	int64_t now_ns;

	if (pt_ladder_woken(&set->stops, set->ring, happened->cookie,
			    happened->ended) < 0)
		set->renew_due = true;
	now_ns = sys_now_ns();
	while ((process = pt_ladder_due(&set->stops, now_ns))) {
		process->tell |= PT_TELL_LADDER;
		pt_told_add(&set->told, process);
	}
}

/* ---- another ring ---- */

static void watch_again(struct pt_set *set, struct pidtrack_process *process)
{
	process->stops_watch = false;
	start_stops(set, process);
	if (process->watch != PT_WATCH_NONE) {
		set->statistics.rearmed++;
		process->watch = PT_WATCH_NONE;
		if (!is_settled(process) && pt_process_is_awaited(process))
			pt_set_watch(set, process);
	}
	finish(set, process);
}

/* Makes the ring anew, if the one there is is of no use any more. */
static int ensure_ring(struct pt_set *set)
{
	int r;

	if (!set->renew_due)
		return 0;
	r = pt_ring_renew(set->ring);
	if (r < 0)
		return r;
	set->renew_due = false;
	if (!pt_ring_waits(set->ring))
		return 0;

	for (uint32_t slot = 0; slot < set->slots.n; slot++) {
		struct pidtrack_process *process =
			pt_slots_at(&set->slots, slot);

		if (process->pidfd >= 0)
			watch_again(set, process);
	}
	r = pt_ladder_watch(&set->stops, set->ring);
	if (r >= 0)
		r = pt_orphans_watch(set->orphans, set->ring);
	if (r < 0) {
		set->renew_due = true;
		return r;
	}
	return pt_ring_flush(set->ring);
}

void pt_set_moved(struct pt_set *set)
{
	set->renew_due = true;
}

/* ---- keeping ---- */

struct pt_keepsake pt_set_keepsake(const struct pidtrack_process *process)
{
	const struct pt_payload *payload = process->payload;

	return (struct pt_keepsake){
		.label = process->label,
		.payload = payload ? payload->bytes : NULL,
		.payload_size = payload ? payload->size : 0,
	};
}

int pt_set_keeper_ensure(struct pt_set *set)
{
	int r;

	r = pt_keeper_ensure(&set->keeper);
	if (r <= 0)
		return r;
	for (uint32_t slot = 0; slot < set->slots.n; slot++) {
		struct pidtrack_process *process =
			pt_slots_at(&set->slots, slot);
		struct pt_keepsake keepsake;

		if (process->pidfd < 0 || !process->kept)
			continue;
		keepsake = pt_set_keepsake(process);
		r = pt_keeper_keep_again(&set->keeper, &keepsake,
					 process->pidfd);
		if (r < 0) {
			pt_keeper_lose(&set->keeper);
			return r;
		}
	}
	return 0;
}

int pt_set_pay_keeper(struct pt_set *set,
		      const struct pidtrack_process *process)
{
	struct pt_keepsake keepsake = pt_set_keepsake(process);
	uint64_t inode;
	int r;

	if (!process->kept)
		return 0;
	r = sys_inode(process->pidfd, &inode);
	return r < 0 ? r : pt_keeper_pay(&set->keeper, &keepsake, inode);
}

/* ---- what the host asks for ---- */

int pt_set_reserve(struct pt_set *set, struct pidtrack_process **ret_process)
{
	int r;

	r = ensure_ring(set);
	if (r < 0)
		return r;
	r = pt_slots_take(&set->slots, ret_process);
	if (r < 0)
		return r;
	(*ret_process)->tracker = set->tracker;
	set->statistics.tracked++;
	return 0;
}

void pt_set_label(struct pt_set *set, const struct pidtrack_process *process)
{
	const struct pt_payload *payload = process->payload;
	int r;

	if (!set->place.pidfs || set->unlabelled || !process->label)
		return;
	r = pt_label_put(process->pidfd, process->label,
			 payload ? payload->bytes : NULL,
			 payload ? payload->size : 0);
	if (r == -EPERM || r == -EACCES || r == -EOPNOTSUPP || r == -ENOSYS)
		set->unlabelled = true;
}

int pt_set_notify(struct pt_set *set, struct pidtrack_process *process,
		  uint32_t kinds)
{
	int status, r;

	r = ensure_ring(set);
	if (r < 0)
		return r;
	if (process->state != PT_STATE_RUNNING)
		return -ESRCH;
	if (!process->child)
		return -ECHILD;
	if (kinds == 0) {
		end_stops(set, process);
		return pt_ring_flush(set->ring);
	}
	/* it is told of what happens from now on, or is still so */
	if (process->stops == 0)
		pt_status_stopped(process->pidfd, WCONTINUED, &status);
	process->stops = (uint8_t)kinds;
	start_stops(set, process);
	return pt_ring_flush(set->ring);
}

int pt_set_stop(struct pt_set *set, struct pidtrack_process *process,
		const struct pidtrack_stop_options *options)
{
	int r;

	r = ensure_ring(set);
	if (r < 0)
		return r;
	r = pt_ladder_begin(&set->stops, set->ring, &set->place, process,
			    options);
	if (r < 0)
		return r;
	return pt_ring_flush(set->ring);
}

/* One word of a stop or a continuation, of a kind that was asked for. */
static bool tell_stop(struct pidtrack_process *process,
		      struct pidtrack_event *event)
{
	int status;

	while (pt_status_stopped(process->pidfd, WSTOPPED | WCONTINUED,
				 &status) > 0) {
		uint32_t kind = WIFSTOPPED(status) ? PIDTRACK_STOPPED :
						     PIDTRACK_CONTINUED;

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
	return false;
}

static void happened_to_stops(struct pt_set *set,
			      struct pidtrack_process *process)
{
	process->stops_watch = false;
	if (process->stops == 0)
		return;
	process->tell |= PT_TELL_STOPS;
	pt_told_add(&set->told, process);
}

/* What the timer is for: those that could not be watched otherwise. */
static void happened_to_all(struct pt_set *set)
{
	for (uint32_t slot = 0; slot < set->slots.n; slot++) {
		struct pidtrack_process *process =
			pt_slots_at(&set->slots, slot);
		struct pollfd readable = {
			.fd = process->pidfd,
			.events = POLLIN,
		};

		if (process->pidfd < 0)
			continue;
		if (process->stops_lame) {
			process->tell |= PT_TELL_STOPS;
			pt_told_add(&set->told, process);
			retry_stops(set, process);
		}
		if (!process->lame)
			continue;
		if (sys_ppoll_now(&readable) > 0)
			look(set, process);
		if (process->lame && process->watch == PT_WATCH_NONE &&
		    !is_settled(process))
			pt_set_watch(set, process);
		finish(set, process);
	}
}

/* ---- telling ---- */

static void happen(struct pt_set *set, const struct pt_happened *happened)
{
	struct pidtrack_process *process;

	if (happened->watch == PT_WATCH_TICK) {
		happened_to_all(set);
		return;
	}

	if (happened->cookie == PT_ORPHANS_TIMER) {
		if (pt_orphans_woken(set->orphans, set->ring, happened->ended) <
		    0)
			set->renew_due = true;
		return;
	}

	if (happened->cookie >= PT_LADDER_ENDS) {
		happened_to_ladders(set, happened);
		return;
	}

	process = pt_slots_at(&set->slots, happened->cookie);
	if (happened->watch == PT_WATCH_STOPS) {
		happened_to_stops(set, process);
	} else if (happened->watch == PT_WATCH_CHILD) {
		process->watch = PT_WATCH_NONE;
		happened_to_child(set, process, happened->result);
	} else {
		if (happened->ended)
			process->watch = PT_WATCH_NONE;
		happened_to_edges(set, process, happened->result);
	}
	finish(set, process);
}

/*
 * Whether REAPED is still to come: for somebody else's zombie, if the kernel
 * tells when it is reaped, which it does since there is pidfs.
 */
static bool more_follows(const struct pt_set *set,
			 const struct pidtrack_process *process)
{
	return process->tell & PT_TELL_REAPED ||
	       (process->state == PT_STATE_ZOMBIE && set->place.pidfs);
}

int pt_set_record_end(struct pt_set *set, struct pidtrack_process *process,
		      struct pt_ending *ending)
{
	free_ending(process);
	process->ending = ending;
	if (process->state == PT_STATE_RUNNING)
		return 0;
	pt_ending_see(ending);
	if (process->tell & PT_TELL_EXITED || more_follows(set, process))
		return 0;
	return record_end(set, process);
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
	process->unrecorded = record_end(set, process) < 0;
	event->flags = flags_of(process);
}

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
		if (tell_stop(process, event))
			return true;
		process->tell &= (uint8_t)~PT_TELL_STOPS;
		start_stops(set, process);
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

static void acknowledge_handed(struct pt_set *set)
{
	if (!set->handed)
		return;
	/* what was handed out may be an event before its end */
	if (!(set->handed->tell & (PT_TELL_EXITED | PT_TELL_REAPED)))
		acknowledge(set, set->handed);
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

	r = ensure_ring(set);
	if (r < 0)
		return r;
	r = pt_ring_next(set->ring, &happened);
	if (r == -EBADR) {
		set->renew_due = true;
		return 1;
	}
	if (r > 0)
		happen(set, &happened);
	return r;
}

/* 1 and an event, or 0; some of them, the next time the others. */
static int look_for_orphans(struct pt_set *set,
			    struct pidtrack_event *ret_event)
{
	int r;

	/* whom we have asked to be reaped is none */
	r = pt_ring_flush(set->ring);
	if (r < 0)
		return r;
	return pt_orphans_look(set->orphans, &set->statistics.orphans,
			       ret_event);
}

static int next(struct pt_set *set, struct pidtrack_event *ret_event)
{
	int r;

	acknowledge_handed(set);
	/* a ring has no timer: it is signalled while it could not watch */
	if (set->n_ticks > 0 && pt_ring_waits(set->ring))
		happened_to_all(set);
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
	} while (r > 0);
	if (r == 0 && pt_orphans_are_due(set->orphans))
		return look_for_orphans(set, ret_event);
	return r;
}

int pt_set_next(struct pt_set *set, struct pidtrack_event *ret_event)
{
	int r = next(set, ret_event);

	unclaim_reaped(set);
	return r;
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
	free_texts(process);
	end_stops(set, process);
	process->stop = pt_stop_free(&set->stops, process->stop);
	if (process->state != PT_STATE_RUNNING)
		record_end(set, process);
	acknowledge(set, process);
	if (!process->child || process->state != PT_STATE_RUNNING)
		end_watch(set, process);
	finish(set, process);
	/* in the middle of a burst the next call takes it along */
	if (!pt_told_first(&set->told) && !pt_ring_busy(set->ring))
		pt_ring_flush(set->ring);
	unclaim_reaped(set);
}

/* ---- over exec ---- */

int pt_set_settle(struct pt_set *set)
{
	int r;

	r = ensure_ring(set);
	if (r < 0)
		return r;
	acknowledge_handed(set);
	pt_ring_settle(set->ring);
	return 0;
}

void pt_set_restore(struct pt_set *set, struct pidtrack_process *process)
{
	if (process->released)
		set->statistics.tracked--;
	if (pt_ladder_untold(process))
		process->tell |= PT_TELL_LADDER;
	if (process->tell != 0) {
		pt_told_add(&set->told, process);
		pt_ring_rouse(set->ring);
	}
	claim(set, process);
	if (!is_settled(process))
		pt_set_watch(set, process);
	start_stops(set, process);
}

void pt_set_forget(struct pt_set *set, struct pidtrack_process *process)
{
	process->stop = pt_stop_free(&set->stops, process->stop);
	pt_set_drop(set, process);
}

/* ---- the whole ---- */

int pt_set_init(struct pt_set *set, struct pidtrack *tracker,
		enum pt_backend backend)
{
	int r;

	set->tracker = tracker;
	pt_slots_init(&set->slots);
	pt_told_init(&set->told, &set->slots);
	pt_stops_init(&set->stops);
	r = pt_place_look(&set->place);
	if (r >= 0)
		r = pt_claims_ready();
	return r < 0 ? r : pt_ring_new(backend, &set->ring);
}

int pt_set_collect(struct pt_set *set, uint32_t policy, uint32_t time_ms)
{
	int r;

	r = pt_orphans_new(&set->place, policy, time_ms, &set->orphans);
	if (r >= 0)
		r = pt_orphans_watch(set->orphans, set->ring);
	return r < 0 ? r : pt_ring_flush(set->ring);
}

static void free_slots(struct pt_set *set)
{
	/* first: in a child of fork() it is the host's too, which goes on */
	pt_stops_done(&set->stops);
	set->orphans = pt_orphans_free(set->orphans);
	for (uint32_t slot = 0; slot < set->slots.n; slot++) {
		struct pidtrack_process *process =
			pt_slots_at(&set->slots, slot);

		if (process->pidfd >= 0) {
			fd_close(process->pidfd);
			free_texts(process);
			free_label(process);
			free_ending(process);
			pt_stop_free(&set->stops, process->stop);
		}
	}
	pt_slots_done(&set->slots);
	pt_pids_done(&set->reaping);
}

static void unclaim_all(struct pt_set *set)
{
	for (uint32_t slot = 0; slot < set->slots.n; slot++) {
		struct pidtrack_process *process =
			pt_slots_at(&set->slots, slot);

		if (process->pidfd >= 0)
			unclaim(set, process);
	}
	unclaim_reaped(set);
}

void pt_set_done(struct pt_set *set)
{
	acknowledge_handed(set);
	set->ring = pt_ring_free(set->ring);
	unclaim_all(set);
	free_slots(set);
	pt_keeper_close(&set->keeper);
}

void pt_set_abandon(struct pt_set *set)
{
	set->ring = pt_ring_abandon(set->ring);
	free_slots(set);
	pt_keeper_abandon(&set->keeper);
}
