/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Children that nobody gave to us: found by looking from time to time, and
 * collected as the host's policy has it.  Only who was seen as our zombie, and
 * is still the same, is waited for, by its pidfd; never all, never a number.
 */
#ifndef PT_ORPHANS_H
#define PT_ORPHANS_H

#include "base.h"
#include "claims.h"
#include "fingerprint.h"
#include "pids.h"
#include "pidtrack.h"
#include "process.h"
#include "ring.h"
#include "sightings.h"
#include "slots.h"

/* In the place of a slot: what wakes us up. */
#define PT_ORPHANS_TIMER (PT_SLOT_NONE - 3)

/* All our children, looked at one after the other, in as many calls. */
struct pt_round {
	uint32_t number;
	bool begun;
	bool news;	    /* somebody was seen for the first time */
	uint32_t looks;	    /* children looked at */
	uint32_t collected; /* of these */
	int64_t next_ns; /* when the first of those seen is due; or INT64_MAX */
	int64_t busy_ns; /* what it took so far */
	int list;	 /* owned: being read; or -1 */
	struct pt_pids threads; /* whose lists there are */
	size_t thread;
	struct pt_number rest;
	struct pt_pids pids; /* a piece of the list */
	size_t at;
	size_t again; /* of those seen before, when all lists were read */
};

struct pt_orphans {
	struct pt_place place;	  /* no pidfs once inodes are refused */
	struct pt_parked *parked; /* lent */
	uint32_t policy;	  /* enum pidtrack_orphans */
	bool listed; /* the kernel lists children; else /proc does */
	bool due;
	uint32_t told;	     /* other events since it is due */
	int timer;	     /* owned: timerfd */
	int asked;	     /* owned: pidfd in the event; or -1 */
	int64_t time_ns;     /* from when it is seen */
	int64_t interval_ns; /* between two rounds */
	struct pt_round round;
	struct pt_calm calm;
	struct pt_sightings zombies; /* ns: when it was seen first */
	/*
	 * Those that processes of ours lead; ns: of CLOCK_BOOTTIME, when it was
	 * known last that the number is still theirs.
	 */
	struct pt_sightings sessions;
	uint32_t n_ended; /* of them, those of whom nobody is left */
};

/*
 * @parked: lent
 * @policy: not LEAVE
 * @time_ms: 0 for the usual
 *
 * Return: 0; -EINVAL; -EOPNOTSUPP if there is no /proc of ours to find them in;
 *         what listing, holding them or setting a timer is refused with, or for
 *         DESCENDANTS telling a session; -ENOMEM, -EMFILE, -ENFILE.
 */
int pt_orphans_new(const struct pt_place *place, struct pt_parked *parked,
		   uint32_t policy, uint32_t time_ms,
		   struct pt_orphans **ret_orphans);
struct pt_orphans *pt_orphans_free(struct pt_orphans *orphans);

/* The rest is for a NULL @orphans too, and then nothing. */

/* Watches the timer, as EDGES; on another ring anew. */
int pt_orphans_watch(struct pt_orphans *orphans, struct pt_ring *ring);

/*
 * The watch says so; if it is @over, it is made again.
 *
 * Return: 0; or that could not be done: the ring is of no use.
 */
int pt_orphans_woken(struct pt_orphans *orphans, struct pt_ring *ring,
		     bool over);

/* The tracker has a process from now on; or is about to reap it, or lost it. */
void pt_orphans_join(struct pt_orphans *orphans,
		     const struct pidtrack_process *process);
void pt_orphans_leave(struct pt_orphans *orphans,
		      const struct pidtrack_process *process);

/*
 * Whether it is time to look: when the host has heard everything else, or has
 * been told so many other things that it is our turn.
 */
bool pt_orphans_are_due(const struct pt_orphans *orphans);
bool pt_orphans_have_their_turn(struct pt_orphans *orphans);

/*
 * Looks at some of the children, the next time at those behind them.
 *
 * @collected: counts those that were
 *
 * Return: whether there is an event.
 */
bool pt_orphans_look(struct pt_orphans *orphans, uint64_t *collected,
		     struct pidtrack_event *ret_event);

#endif
