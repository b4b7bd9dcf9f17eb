/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What is seen of the processes of a tracker: from a watch that says so, or a
 * look at a pidfd, to the state and what follows from it.
 */
#ifndef PT_SEEN_H
#define PT_SEEN_H

#include "base.h"
#include "process.h"
#include "ring.h"
#include "set.h"

/*
 * Writes down what is known of its end: before anybody is told, and so before
 * it is reaped.
 *
 * Return: 0; else it could not be written, and is not tried again.
 */
int pt_set_write_end(struct pt_set *set, struct pidtrack_process *process);

/* The host knows all there was to know: it is reaped, if that is ours to do. */
void pt_set_acknowledge(struct pt_set *set, struct pidtrack_process *process);

/* One thing of the ring's; what is to be told of it is on the list. */
void pt_set_happen(struct pt_set *set, const struct pt_happened *happened);

/*
 * For one that is released.  Of a child the end is awaited; one that is kept,
 * and was reaped by its parent, would stay so: this is its last chance.
 */
void pt_set_look_last(struct pt_set *set, struct pidtrack_process *process);

/* What the timer is for: those that could not be watched otherwise. */
void pt_set_happened_to_all(struct pt_set *set);

#endif
