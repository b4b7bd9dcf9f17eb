/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "seen.h"

#include "ladder.h"
#include "probes.h"
#include "status.h"
#include "sys.h"

int pt_set_write_end(struct pt_set *set, struct pidtrack_process *process)
{
	int r;

	if (!process->ending)
		return 0;
	r = pt_ending_write(process->ending, process->status, process->source);
	if (r < 0)
		set->statistics.unrecorded++;
	process->ending = pt_ending_free(process->ending);
	return r;
}

/* It need not be found again: the host knows its end, or is done with it. */
static void let_go(struct pt_set *set, struct pidtrack_process *process)
{
	uint64_t inode;

	if (!process->kept || process->state != PT_STATE_REAPED)
		return;
	process->kept = false;
	if (pt_set_inode(set, process, &inode) >= 0)
		pt_keeper_let_go(&set->keeper, process->label, inode);
}

void pt_set_acknowledge(struct pt_set *set, struct pidtrack_process *process)
{
	struct pt_cell cell = pt_process_after(process->state, PT_SEEN_ACK);

	process->state = cell.state;
	let_go(set, process);
	if (cell.does & PT_DO_REAP) {
		pt_set_unclaim_later(set, process);
		pt_ring_reap(set->ring, process->pidfd);
		PROBE2(reaped, process->pid, 1);
	}
	if (process->state == PT_STATE_REAPED)
		pt_parked_back(&set->parked, process);
}

/* ---- one process ---- */

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

	cell = pt_process_after(process->state, seen);
	process->state = cell.state;
	if (process->state == PT_STATE_REAPED) {
		PROBE2(reaped, process->pid, 0);
		pt_set_unclaim(set, process);
	}
	if (process->source == PIDTRACK_SOURCE_UNKNOWN &&
	    source != PIDTRACK_SOURCE_UNKNOWN) {
		process->status = status;
		process->source = (uint8_t)source;
	}
	if (cell.does & PT_DO_EXITED) {
		if (process->ending)
			pt_ending_see(process->ending);
		pt_set_end_stops(set, process);
		pt_ladder_ended(&set->stops, process);
		process->tell |= PT_TELL_EXITED;
		PROBE3(exited, process->pid, process->status, process->source);
	}
	if (cell.does & PT_DO_REAPED)
		process->tell |= PT_TELL_REAPED;

	if (process->released || process->last) {
		process->tell &= process->released ? 0 : PT_TELL_LADDER;
		pt_set_write_end(set, process);
		pt_set_acknowledge(set, process);
	}
	if (process->tell != 0)
		pt_told_add(&set->told, process);
	if (pt_process_is_settled(process) || !pt_process_is_awaited(process))
		pt_set_unwatch(set, process);
}

/* Whom we trace we can wait for, too, but it is its parent's to reap. */
static bool is_only_traced(const struct pidtrack_process *process, int pidfd)
{
	return !process->child && !process->observed &&
	       !pt_status_is_child(pidfd);
}

/*
 * A child that ended and cannot be waited for is, by a thief or for want of
 * SIGCHLD: the next change tells its status.
 */
static bool is_being_reaped(const struct pt_set *set,
			    const struct pidtrack_process *process, int pidfd)
{
	return process->child &&
	       (set->place.pidfs || pt_status_reaping_is_told(pidfd));
}

/* Its pidfd is readable. */
static void look(struct pt_set *set, struct pidtrack_process *process)
{
	CLEANUP(pt_lent_done)
	struct pt_lent lent = pt_parked_lend(&set->parked, process);
	uint32_t source = PIDTRACK_SOURCE_UNKNOWN;
	int status = -1, r = lent.fd;

	if (r >= 0)
		r = pt_process_look(lent.fd, &status, &source);
	if (lent.fd < 0 || (r < 0 && process->child)) {
		pt_set_look_again(set, process);
		return;
	}
	if (r == PT_SEEN_STATUS && is_only_traced(process, lent.fd))
		r = PT_SEEN_EXIT;
	/* one that became our child is to be reaped by it */
	if (r == PT_SEEN_STATUS && !process->observed)
		pt_parked_keep(&lent, process);
	if (process->watch != PT_WATCH_NONE)
		pt_set_untick(set, process);
	if (r == PT_SEEN_EXIT && is_being_reaped(set, process, lent.fd))
		return;
	see(set, process, r < 0 ? PT_SEEN_EXIT : (enum pt_seen)r, status,
	    source);
}

/*
 * Its watch was cancelled, or the kernel could not make it or go on with it: by
 * the next call it is looked at, and watched again.  Watched at once it might
 * be refused at once, for ever.
 */
static void watch_later(struct pt_set *set, struct pidtrack_process *process)
{
	set->statistics.rearmed++;
	pt_set_look_again(set, process);
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
		watch_later(set, process);
		return;
	}
	/*
	 * Not our child any more, or nothing to wait for although it is
	 * readable: now every change counts, and the first has come.
	 */
	pt_set_watch_for(set, process, PT_WATCH_EDGES);
}

/* Of a child that is parked: it has to be waited for, as those that are not. */
static void happened_to_end(struct pt_set *set,
			    struct pidtrack_process *process, int result)
{
	if (pt_process_is_settled(process) || !pt_process_is_awaited(process))
		return;
	if (result >= 0) {
		pt_parked_arrive(&set->parked, process);
		return;
	}
	watch_later(set, process);
}

static void happened_to_edges(struct pt_set *set,
			      struct pidtrack_process *process, int result)
{
	/* who was freed is nobody's, though something of it comes late */
	if (result >= 0 && result & POLLIN && pt_process_is_awaited(process))
		look(set, process);
	if (process->watch != PT_WATCH_NONE || pt_process_is_settled(process) ||
	    !pt_process_is_awaited(process) || result == -EBADF)
		return;
	watch_later(set, process);
}

static void happened_to_stops(struct pt_set *set,
			      struct pidtrack_process *process)
{
	process->stops_watch = false;
	if (process->stops == 0) {
		pt_parked_back(&set->parked, process);
		return;
	}
	process->tell |= PT_TELL_STOPS;
	pt_told_add(&set->told, process);
}

/* ---- many ---- */

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

static bool is_readable(struct pt_set *set,
			const struct pidtrack_process *process)
{
	CLEANUP(pt_lent_done)
	struct pt_lent lent = pt_parked_lend(&set->parked, process);
	struct pollfd readable = { .fd = lent.fd, .events = POLLIN };

	return lent.fd >= 0 && sys_ppoll_now(&readable) > 0;
}

void pt_set_look_last(struct pt_set *set, struct pidtrack_process *process)
{
	if (process->kept && !process->child && is_readable(set, process))
		look(set, process);
}

void pt_set_happened_to_all(struct pt_set *set)
{
	for (uint32_t slot = 0; slot < set->slots.n; slot++) {
		struct pidtrack_process *process =
			pt_slots_at(&set->slots, slot);

		if (!pt_process_is_there(process))
			continue;
		if (process->stops_lame) {
			process->tell |= PT_TELL_STOPS;
			pt_told_add(&set->told, process);
			pt_set_retry_stops(set, process);
		}
		if (!process->lame)
			continue;
		if (is_readable(set, process))
			look(set, process);
		if (process->lame && process->watch == PT_WATCH_NONE &&
		    !pt_process_is_settled(process))
			pt_set_watch(set, process);
		pt_set_finish(set, process);
	}
}

void pt_set_happen(struct pt_set *set, const struct pt_happened *happened)
{
	struct pidtrack_process *process;

	if (happened->watch == PT_WATCH_TICK) {
		pt_set_happened_to_all(set);
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
	} else if (happened->watch == PT_WATCH_CHILD ||
		   happened->watch == PT_WATCH_STATUS) {
		process->watch = PT_WATCH_NONE;
		happened_to_child(set, process, happened->result);
	} else if (happened->watch == PT_WATCH_ENDS) {
		process->watch = PT_WATCH_NONE;
		happened_to_end(set, process, happened->result);
	} else {
		if (happened->ended)
			process->watch = PT_WATCH_NONE;
		happened_to_edges(set, process, happened->result);
	}
	pt_set_finish(set, process);
}
