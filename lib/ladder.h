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
#include "stop.h"

/*
 * Watches what wakes ladders up, as EDGES of @cookie: when there is something
 * new to watch, or all anew on another ring.
 */
int pt_ladder_watch(struct pt_stops *stops, struct pt_ring *ring,
		    uint32_t cookie);

/*
 * Has a process end: takes the first step; what was begun before is over.
 *
 * Return: 0; else nothing was begun, see pidtrack_process_stop().
 */
int pt_ladder_begin(struct pt_stops *stops, struct pt_ring *ring,
		    uint32_t cookie, struct pidtrack_process *process,
		    const struct pidtrack_stop_options *options);

/* The watch says that it is time. */
void pt_ladder_woken(struct pt_stops *stops);

/*
 * Takes the next step that is due.
 *
 * Return: the process, of which there is something to tell; NULL if there is
 *         none, and when the next is due is taken care of.
 */
struct pidtrack_process *pt_ladder_due(struct pt_stops *stops);

/*
 * One thing of what the ladder of a process has come to.
 *
 * Return: whether there is one.
 */
bool pt_ladder_tell(struct pt_stops *stops, struct pidtrack_process *process,
		    struct pidtrack_event *ret_event);

/* The process has ended; but what was done to it is still to be told. */
void pt_ladder_ended(struct pt_stops *stops, struct pidtrack_process *process);

#endif
