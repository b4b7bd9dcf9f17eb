/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "set.h"

#include "claims.h"
#include "label.h"
#include "ladder.h"
#include "probes.h"
#include "status.h"
#include "sys.h"

/* ---- slots ---- */

/* Whoever keeps one is given them, too, also if it is released. */
static void free_keepsake(struct pidtrack_process *process)
{
	free(process->label);
	free(process->payload);
	process->label = NULL;
	process->payload = NULL;
}

void pt_set_free_texts(struct pidtrack_process *process)
{
	if (!process->kept)
		free_keepsake(process);
	free(process->text);
	process->text = NULL;
}

static void free_ending(struct pidtrack_process *process)
{
	process->ending = pt_ending_free(process->ending);
}

void pt_set_drop(struct pt_set *set, struct pidtrack_process *process)
{
	pt_set_free_texts(process);
	free_keepsake(process);
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

void pt_set_unclaim(struct pt_set *set, struct pidtrack_process *process)
{
	if (!process->claimed)
		return;
	process->claimed = false;
	pt_orphans_leave(set->orphans, process);
	pt_claims_drop(process->pid);
}

void pt_set_unclaim_later(struct pt_set *set, struct pidtrack_process *process)
{
	if (!process->claimed)
		return;
	if (pt_pids_add(&set->reaping, process->pid) < 0) {
		pt_set_unclaim(set, process);
		return;
	}
	process->claimed = false;
	pt_orphans_leave(set->orphans, process);
}

void pt_set_unclaim_reaped(struct pt_set *set)
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

void pt_set_untick(struct pt_set *set, struct pidtrack_process *process)
{
	if (!process->lame)
		return;
	process->lame = false;
	set->statistics.unwatched--;
	want_no_tick(set);
}

static bool is_to_park(const struct pt_set *set,
		       const struct pidtrack_process *process)
{
	return process->parked || pt_parked_is_full(&set->parked);
}

/* For want of any other, with a descriptor of those that are to be parked. */
static int open_to_watch(struct pt_set *set, struct pidtrack_process *process)
{
	int r = pt_parked_open(&set->parked, process);

	if (r != -EMFILE && r != -ENFILE)
		return r;
	pt_ring_flush(set->ring);
	pt_parked_go(&set->parked);
	pt_ring_flush(set->ring);
	return pt_parked_open(&set->parked, process);
}

void pt_set_watch_for(struct pt_set *set, struct pidtrack_process *process,
		      enum pt_watch watch)
{
	int r;

	r = open_to_watch(set, process);
	if (r >= 0)
		r = pt_ring_watch(set->ring, watch, process->pidfd,
				  process->slot, &process->siginfo);
	if (r < 0) {
		watch_by_tick(set, process);
		/* for want of a descriptor: nothing tells when there is one */
		if (process->pidfd < 0)
			pt_ring_rouse(set->ring);
		return;
	}
	pt_set_untick(set, process);
	process->watch = (uint8_t)watch;
	if (watch != PT_WATCH_CHILD && watch != PT_WATCH_STATUS &&
	    is_to_park(set, process))
		pt_parked_leave(&set->parked, process);
	PROBE3(armed, process->pid, process->pidfd, watch);
}

void pt_set_unwatch(struct pt_set *set, struct pidtrack_process *process)
{
	pt_set_untick(set, process);
	if (process->watch != PT_WATCH_NONE &&
	    pt_ring_unwatch(set->ring, process->watch, process->pidfd,
			    process->slot) > 0)
		process->watch = PT_WATCH_NONE;
}

void pt_set_look_again(struct pt_set *set, struct pidtrack_process *process)
{
	watch_by_tick(set, process);
	if (pt_ring_waits(set->ring))
		pt_ring_rouse(set->ring);
}

static enum pt_watch fitting_watch(const struct pt_set *set,
				   const struct pidtrack_process *process)
{
	if (!process->child || !pt_ring_waits(set->ring))
		return PT_WATCH_EDGES;
	return is_to_park(set, process) ? PT_WATCH_ENDS : PT_WATCH_CHILD;
}

void pt_set_watch(struct pt_set *set, struct pidtrack_process *process)
{
	claim(set, process);
	pt_set_watch_for(set, process, fitting_watch(set, process));
}

void pt_set_finish(struct pt_set *set, struct pidtrack_process *process)
{
	if (pt_process_is_awaited(process))
		return;
	if (process->watch != PT_WATCH_NONE || process->stops_watch ||
	    process->arrived)
		return;
	pt_set_untick(set, process);
	free_keepsake(process);
	free_ending(process);
	pt_set_unclaim(set, process);
	pt_parked_end(&set->parked, process);
	pt_slots_give(&set->slots, process);
}

/* ---- stops ---- */

static bool are_stops_unwatched(const struct pidtrack_process *process)
{
	return process->stops != 0 && !process->stops_watch &&
	       !process->stops_lame && !process->arrived &&
	       process->state == PT_STATE_RUNNING;
}

static void watch_stops_by_tick(struct pt_set *set,
				struct pidtrack_process *process)
{
	process->stops_lame = true;
	want_tick(set);
}

void pt_set_start_stops(struct pt_set *set, struct pidtrack_process *process)
{
	if (!are_stops_unwatched(process))
		return;
	if (pt_parked_open(&set->parked, process) >= 0 &&
	    pt_ring_watch_stops(set->ring, process->pid, process->pidfd,
				process->slot) >= 0) {
		process->stops_watch = true;
		process->stops_seen = false;
		return;
	}
	watch_stops_by_tick(set, process);
}

/*
 * A watch that found nothing may be refused rather than late, and the next one
 * too: made at once, again and again, they would keep the host for ever.
 */
void pt_set_renew_stops(struct pt_set *set, struct pidtrack_process *process)
{
	if (process->stops_seen)
		pt_set_start_stops(set, process);
	else if (are_stops_unwatched(process))
		watch_stops_by_tick(set, process);
}

/*
 * On a ring it was for want of memory, or of a descriptor, or because a watch
 * found nothing.
 */
void pt_set_retry_stops(struct pt_set *set, struct pidtrack_process *process)
{
	if (!pt_ring_waits(set->ring))
		return;
	process->stops_lame = false;
	want_no_tick(set);
	pt_set_start_stops(set, process);
}

void pt_set_end_stops(struct pt_set *set, struct pidtrack_process *process)
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

/* ---- another ring ---- */

static void watch_again(struct pt_set *set, struct pidtrack_process *process)
{
	process->stops_watch = false;
	pt_set_start_stops(set, process);
	if (process->watch != PT_WATCH_NONE) {
		set->statistics.rearmed++;
		process->watch = PT_WATCH_NONE;
		if (!pt_process_is_settled(process) &&
		    pt_process_is_awaited(process))
			pt_set_watch(set, process);
	}
	pt_set_finish(set, process);
}

/* Makes the ring anew, if the one there is is of no use any more. */
int pt_set_ensure_ring(struct pt_set *set)
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

		if (pt_process_is_there(process))
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

int pt_set_flush(struct pt_set *set)
{
	int r = pt_ring_flush(set->ring);

	pt_parked_settle(&set->parked);
	return r;
}

void pt_set_moved(struct pt_set *set)
{
	set->renew_due = true;
}

/* ---- keeping ---- */

int pt_set_inode(struct pt_set *set, const struct pidtrack_process *process,
		 uint64_t *ret_inode)
{
	CLEANUP(pt_lent_done)
	struct pt_lent lent = pt_parked_lend(&set->parked, process);

	return lent.fd < 0 ? lent.fd : sys_inode(lent.fd, ret_inode);
}

struct pt_keepsake pt_set_keepsake(const struct pidtrack_process *process)
{
	const struct pt_payload *payload = process->payload;

	return (struct pt_keepsake){
		.label = process->label,
		.payload = payload ? payload->bytes : NULL,
		.payload_size = payload ? payload->size : 0,
	};
}

static int keep_again(struct pt_set *set,
		      const struct pidtrack_process *process,
		      const struct pt_keepsake *keepsake)
{
	CLEANUP(pt_lent_done)
	struct pt_lent lent = pt_parked_lend(&set->parked, process);

	return lent.fd < 0 ?
		       lent.fd :
		       pt_keeper_keep_again(&set->keeper, keepsake, lent.fd);
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

		if (!pt_process_is_there(process) || !process->kept)
			continue;
		keepsake = pt_set_keepsake(process);
		r = keep_again(set, process, &keepsake);
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
	r = pt_set_inode(set, process, &inode);
	return r < 0 ? r : pt_keeper_pay(&set->keeper, &keepsake, inode);
}

/* ---- what the host asks for ---- */

int pt_set_reserve(struct pt_set *set, struct pidtrack_process **ret_process)
{
	int r;

	r = pt_set_ensure_ring(set);
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
	CLEANUP(pt_lent_done) struct pt_lent lent = { .fd = -1 };
	int r;

	if (!set->place.pidfs || set->unlabelled || !process->label)
		return;
	lent = pt_parked_lend(&set->parked, process);
	if (lent.fd < 0)
		return;
	r = pt_label_put(lent.fd, process->label,
			 payload ? payload->bytes : NULL,
			 payload ? payload->size : 0);
	if (r == -EPERM || r == -EACCES || r == -EOPNOTSUPP || r == -ENOSYS)
		set->unlabelled = true;
}

int pt_set_notify(struct pt_set *set, struct pidtrack_process *process,
		  uint32_t kinds)
{
	int status, r;

	r = pt_set_ensure_ring(set);
	if (r < 0)
		return r;
	if (process->state != PT_STATE_RUNNING)
		return -ESRCH;
	if (!process->child)
		return -ECHILD;
	if (kinds == 0) {
		pt_set_end_stops(set, process);
		return pt_ring_flush(set->ring);
	}
	r = pt_parked_open(&set->parked, process);
	if (r < 0)
		return r;
	/* it is told of what happens from now on, or is still so */
	if (process->stops == 0)
		pt_status_stopped(process->pidfd, WCONTINUED, &status);
	process->stops = (uint8_t)kinds;
	pt_set_start_stops(set, process);
	return pt_ring_flush(set->ring);
}

int pt_set_stop(struct pt_set *set, struct pidtrack_process *process,
		const struct pidtrack_stop_options *options)
{
	int r;

	r = pt_set_ensure_ring(set);
	if (r < 0)
		return r;
	r = pt_ladder_begin(&set->stops, set->ring, &set->place, process,
			    options);
	if (r < 0)
		return r;
	return pt_set_flush(set);
}

/* ---- over exec ---- */

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
	if (!pt_process_is_settled(process))
		pt_set_watch(set, process);
	pt_set_start_stops(set, process);
}

void pt_set_forget(struct pt_set *set, struct pidtrack_process *process)
{
	process->stop = pt_stop_free(&set->stops, process->stop);
	pt_set_drop(set, process);
}

/* ---- the whole ---- */

int pt_set_init(struct pt_set *set, struct pidtrack *tracker,
		enum pt_backend backend, bool park)
{
	int r;

	set->tracker = tracker;
	pt_slots_init(&set->slots);
	pt_told_init(&set->told, &set->slots);
	pt_stops_init(&set->stops, &set->parked);
	r = pt_place_look(&set->place);
	if (r >= 0)
		r = pt_claims_ready();
	if (r >= 0)
		r = pt_ring_new(backend, &set->ring);
	if (r >= 0)
		pt_parked_init(&set->parked, &set->slots, set->ring, park);
	return r;
}

int pt_set_collect(struct pt_set *set, uint32_t policy, uint32_t time_ms)
{
	int r;

	r = pt_orphans_new(&set->place, &set->parked, policy, time_ms,
			   &set->orphans);
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

		if (pt_process_is_there(process)) {
			fd_close(process->pidfd);
			pt_set_free_texts(process);
			free_keepsake(process);
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

		if (pt_process_is_there(process))
			pt_set_unclaim(set, process);
	}
	pt_set_unclaim_reaped(set);
}

void pt_set_done(struct pt_set *set)
{
	set->ring = pt_ring_free(set->ring);
	unclaim_all(set);
	free_slots(set);
	pt_parked_done(&set->parked);
	pt_keeper_close(&set->keeper);
}

void pt_set_abandon(struct pt_set *set)
{
	set->ring = pt_ring_abandon(set->ring);
	free_slots(set);
	pt_parked_abandon(&set->parked);
	pt_keeper_abandon(&set->keeper);
}
