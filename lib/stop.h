/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Ladders: processes that are to end, with which signal next, and when.  Knows
 * no events and no watches; set.c does.
 */
#ifndef PT_STOP_H
#define PT_STOP_H

#include "base.h"
#include "pidtrack.h"
#include "tree.h"

#define PT_STOP_STEPS_MAX 16

struct pidtrack_process;
struct pt_parked;

/* One ladder; owned by its process. */
struct pt_stop {
	struct pt_stop *before; /* in the order of deadlines */
	struct pt_stop *after;
	struct pidtrack_process *process;
	int64_t deadline_ns; /* CLOCK_MONOTONIC; when to look at it */
	uint32_t n_steps;
	uint32_t at;	  /* steps taken */
	uint32_t told;	  /* of these, what the host knows of */
	bool waiting;	  /* it has a deadline, and a place in the order */
	bool failed;	  /* the time of the last step is up, or of those that
			     could not be taken */
	bool done;	  /* all have ended; of one with a tree */
	int64_t step_ns;  /* CLOCK_MONOTONIC: when the time of its step is up */
	int64_t want_ns;  /* how long the next one has wanted a descriptor */
	uint32_t reached; /* processes that were sent a signal */
	uint32_t flags;	  /* PIDTRACK_STOP_ */
	struct pt_tree *tree; /* owned: with whom it is to end; or NULL */
	struct pidtrack_stop_step steps[PT_STOP_STEPS_MAX];
};

/* All that wait for a deadline. */
struct pt_stops {
	struct pt_stop *first;
	struct pt_stop *last;
	int timer; /* owned: timerfd; -1 until it is needed */
	int ends;  /* owned: epoll, with pt_member; -1 until it is needed */
	struct pt_parked *parked; /* lent: where pidfds are from */
};

void pt_stops_init(struct pt_stops *stops, struct pt_parked *parked);
void pt_stops_done(struct pt_stops *stops);

/*
 * Makes the timer, or with @tree and after it what tells of the ends of others.
 *
 * Return: 1 if it is new, to be watched; 0; -EMFILE and the like; what setting
 *         the timer, or asking for ends, is refused with.
 */
int pt_stops_ready(struct pt_stops *stops, bool tree);
void pt_stops_unready(struct pt_stops *stops, bool tree);

/* Return: 0; -EINVAL, -E2BIG, -ENOMEM. */
int pt_stop_new(const struct pidtrack_stop_options *options,
		struct pidtrack_process *process, struct pt_stop **ret_stop,
		int *ret_cgroup_fd);
struct pt_stop *pt_stop_free(struct pt_stops *stops, struct pt_stop *stop);

/*
 * Takes the next step: sends its signal by @pidfd, which may be a negative
 * errno instead, and sets its deadline.  Where that is for want of room the
 * step is still to be taken, a while later; when the time of all that are left
 * has gone by so, the ladder has failed.
 *
 * Return: 0, or what sending fails with.
 */
int pt_stop_climb(struct pt_stops *stops, struct pt_stop *stop, int pidfd);

/* It is looked at again: at the end of its step, or when its tree wants it. */
void pt_stop_wait(struct pt_stops *stops, struct pt_stop *stop);

/* It is looked at now, not when it was to be. */
void pt_stop_hurry(struct pt_stops *stops, struct pt_stop *stop);

/* Whether the time of its step is up. */
bool pt_stop_is_up(const struct pt_stop *stop);

/* It has no more deadlines. */
void pt_stop_end(struct pt_stops *stops, struct pt_stop *stop);

/* The next whose time is up at @now_ns, which then has no deadline; or NULL. */
struct pt_stop *pt_stops_due(struct pt_stops *stops, int64_t now_ns);

/* Sets the timer for the first deadline there is. */
void pt_stops_arm(struct pt_stops *stops);

/* The same after a round of those that were due: not at once. */
void pt_stops_arm_again(struct pt_stops *stops);

#endif
