/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Ladders of tracked processes: begun, climbed when it is time, and told of.
 */
#ifndef PT_LADDER_H
#define PT_LADDER_H

#include "base.h"
#include "pidtrack.h"
#include "process.h"
#include "ring.h"
#include "slots.h"
#include "stop.h"

/* In the place of a slot: what wakes ladders up. */
#define PT_LADDER_TIMER (PT_SLOT_NONE - 1)
#define PT_LADDER_ENDS (PT_SLOT_NONE - 2)

/* Watches them, as EDGES; on another ring anew. */
int pt_ladder_watch(struct pt_stops *stops, struct pt_ring *ring);

/*
 * Has a process end: takes the first step; what was begun before is over.
 *
 * Return: 0; else nothing was begun, see pidtrack_process_stop().
 */
int pt_ladder_begin(struct pt_stops *stops, struct pt_ring *ring,
		    const struct pt_place *place,
		    struct pidtrack_process *process,
		    const struct pidtrack_stop_options *options);

/*
 * One of the watches says so; if it is @over, it is made again.
 *
 * Return: 0; or that could not be done: the ring is of no use.
 */
int pt_ladder_woken(struct pt_stops *stops, struct pt_ring *ring,
		    uint32_t cookie, bool over);

/*
 * Does what is due at @now_ns.
 *
 * Return: a process of which there is something to tell; NULL if there is none
 *         any more, or this takes long, and when the next is due is taken care
 *         of.
 */
struct pidtrack_process *pt_ladder_due(struct pt_stops *stops, int64_t now_ns);

/*
 * One thing of what the ladder of a process has come to.
 *
 * Return: whether there is one.
 */
bool pt_ladder_tell(struct pt_stops *stops, struct pidtrack_process *process,
		    struct pidtrack_event *ret_event);

/* The process has ended; but what was done to it is still to be told. */
void pt_ladder_ended(struct pt_stops *stops, struct pidtrack_process *process);

/*
 * A process has the ladder @as once more, with another deadline; -ENOMEM,
 * -EMFILE and the like.
 */
int pt_ladder_restore(struct pt_stops *stops, struct pt_ring *ring,
		      struct pidtrack_process *process,
		      const struct pt_stop *as);

/* Whether there is something that pt_ladder_tell() would tell. */
bool pt_ladder_untold(const struct pidtrack_process *process);

/* Whether a ladder will tell more, when the process has ended too. */
bool pt_ladder_outlives(const struct pidtrack_process *process);

#endif
