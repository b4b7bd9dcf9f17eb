/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * The processes of a tracker: their slots and their watches.  What comes of
 * what happened to them: seen.h; what the host is told of it: telling.h.  Knows
 * no threads and no options; tracker.c does.
 */
#ifndef PT_SET_H
#define PT_SET_H

#include "base.h"
#include "fingerprint.h"
#include "keeper.h"
#include "orphans.h"
#include "parked.h"
#include "pidtrack.h"
#include "process.h"
#include "ring.h"
#include "slots.h"
#include "told.h"

struct pt_set {
	struct pidtrack *tracker; /* for its processes */
	struct pt_ring *ring;
	struct pt_parked parked;
	struct pt_place place;
	struct pt_keeper keeper; /* open before pt_set_init() */

	struct pt_slots slots;
	struct pt_stops stops;
	struct pt_told told;
	struct pt_orphans *orphans; /* owned; NULL: they are left alone */
	struct pt_pids reaping; /* still claimed: the ring is to reap them */
	uint32_t n_ticks;	/* things that are looked at by the timer */
	bool renew_due;		/* the ring is of no use until it is renewed */
	bool unlabelled;	/* processes cannot carry labels here */

	struct pidtrack_process *handed; /* in the event last handed out */
	struct pidtrack_statistics statistics;
};

int pt_set_init(struct pt_set *set, struct pidtrack *tracker,
		enum pt_backend backend, bool park);

/* Children that nobody gave to us, see struct pidtrack_options. */
int pt_set_collect(struct pt_set *set, uint32_t policy, uint32_t time_ms);

/*
 * Reaps what was acknowledged, closes the pidfds, frees everything, the keeper
 * too.
 */
void pt_set_done(struct pt_set *set);

/* The same in a child of fork(), for its copies. */
void pt_set_abandon(struct pt_set *set);

/*
 * A slot for a process to be; pt_set_drop() if nothing comes of it.  -ENOMEM,
 * -EMFILE and the like.
 */
int pt_set_reserve(struct pt_set *set, struct pidtrack_process **ret_process);
void pt_set_drop(struct pt_set *set, struct pidtrack_process *process);

/* The inode of its pidfd. */
int pt_set_inode(struct pt_set *set, const struct pidtrack_process *process,
		 uint64_t *ret_inode);

/* What goes to the keeper with a process; lent. */
struct pt_keepsake pt_set_keepsake(const struct pidtrack_process *process);

/*
 * Before something is kept: where the store was begun anew, all that is to be
 * kept is given to it again.
 */
int pt_set_keeper_ensure(struct pt_set *set);

/* The payload of a process is another now: tells who keeps it. */
int pt_set_pay_keeper(struct pt_set *set,
		      const struct pidtrack_process *process);

/* Watches a process from now on; its pid, pidfd and child are set. */
void pt_set_watch(struct pt_set *set, struct pidtrack_process *process);

/* Has a process carry its label and payload itself, if that is possible. */
void pt_set_label(struct pt_set *set, const struct pidtrack_process *process);

/* Asks for stops and continuations, or no longer. */
int pt_set_notify(struct pt_set *set, struct pidtrack_process *process,
		  uint32_t kinds);

/* Has a process end; see pidtrack_process_stop(). */
int pt_set_stop(struct pt_set *set, struct pidtrack_process *process,
		const struct pidtrack_stop_options *options);

/*
 * A process that was another set's: all of it is as it was there, but for what
 * waits on it.  It is told of, and watched, from now on.
 */
void pt_set_restore(struct pt_set *set, struct pidtrack_process *process);

/* The reverse of pt_set_reserve(), with the ladder it may have been given. */
void pt_set_forget(struct pt_set *set, struct pidtrack_process *process);

/* Has the kernel know of everything asked for, and parks some; never blocks. */
int pt_set_flush(struct pt_set *set);

/*
 * The thread that submitted has ended: before anything new is watched or taken,
 * there has to be another ring, and everything is watched again.
 */
void pt_set_moved(struct pt_set *set);

/* Does that, if it is so. */
int pt_set_ensure_ring(struct pt_set *set);

/* ---- for who sees and tells ---- */

/* Its number may be anybody's now; or nobody's, who is told no more of it. */
void pt_set_unclaim(struct pt_set *set, struct pidtrack_process *process);

/*
 * It is about to be reaped, perhaps only with the next submission: until then
 * another tracker would take it for an orphan.
 */
void pt_set_unclaim_later(struct pt_set *set, struct pidtrack_process *process);

/* What the ring was to reap it has reaped. */
void pt_set_unclaim_reaped(struct pt_set *set);

/* Watches its end in just this way, or else by the timer; or no longer. */
void pt_set_watch_for(struct pt_set *set, struct pidtrack_process *process,
		      enum pt_watch watch);
void pt_set_unwatch(struct pt_set *set, struct pidtrack_process *process);

/* No change of it will tell again: look soon; or the timer is not needed. */
void pt_set_look_again(struct pt_set *set, struct pidtrack_process *process);
void pt_set_untick(struct pt_set *set, struct pidtrack_process *process);

/*
 * Watches its stops and continuations, if they are asked for; when all that a
 * watch told of has been asked for; as the timer has had to, by the ring again;
 * or none any more.
 */
void pt_set_start_stops(struct pt_set *set, struct pidtrack_process *process);
void pt_set_renew_stops(struct pt_set *set, struct pidtrack_process *process);
void pt_set_retry_stops(struct pt_set *set, struct pidtrack_process *process);
void pt_set_end_stops(struct pt_set *set, struct pidtrack_process *process);

/* Frees the slot of a released process once nothing needs it. */
void pt_set_finish(struct pt_set *set, struct pidtrack_process *process);

/* But for its label, by which it will be let go if it is kept. */
void pt_set_free_texts(struct pidtrack_process *process);

#endif
