/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Ladders: processes that are to end, with which signal next, and when.  Knows
 * no events and no watches; set.c does.
 */
#ifndef PT_STOP_H
#define PT_STOP_H

#include "base.h"
#include "pidtrack.h"

#define PT_STOP_STEPS_MAX 16

struct pidtrack_process;

/* One ladder; owned by its process. */
struct pt_stop {
	struct pt_stop *before; /* in the order of deadlines */
	struct pt_stop *after;
	struct pidtrack_process *process;
	int64_t deadline_ns; /* CLOCK_MONOTONIC; of the step it is at */
	uint32_t n_steps;
	uint32_t at;   /* steps taken */
	uint32_t told; /* of these, what the host knows of */
	bool waiting;  /* it has a deadline, and a place in the order */
	bool failed;   /* the time of the last step is up */
	struct pidtrack_stop_step steps[PT_STOP_STEPS_MAX];
};

/* All that wait for a deadline. */
struct pt_stops {
	struct pt_stop *first;
	struct pt_stop *last;
	int timer; /* owned: timerfd; -1 until it is needed */
};

void pt_stops_init(struct pt_stops *stops);
void pt_stops_done(struct pt_stops *stops);

/* Return: 1 if the timer is new, to be watched; 0; -EMFILE and the like. */
int pt_stops_ready(struct pt_stops *stops);

/* Return: 0; -EINVAL, -E2BIG, -ENOMEM. */
int pt_stop_new(const struct pidtrack_stop_options *options,
		struct pidtrack_process *process, struct pt_stop **ret_stop);
struct pt_stop *pt_stop_free(struct pt_stops *stops, struct pt_stop *stop);

/*
 * Takes the next step: sends its signal by @pidfd, and sets its deadline.
 *
 * Return: 0, or what sending fails with; the step is taken either way.
 */
int pt_stop_climb(struct pt_stops *stops, struct pt_stop *stop, int pidfd);

/* It has no more deadlines. */
void pt_stop_end(struct pt_stops *stops, struct pt_stop *stop);

/* The next whose time is up, which then has no deadline; or NULL. */
struct pt_stop *pt_stops_due(struct pt_stops *stops);

/* Sets the timer for the first deadline there is. */
void pt_stops_arm(struct pt_stops *stops);

#endif
