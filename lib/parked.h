/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Processes whose pidfds are parked, see lots.h: by PIDTRACK_PARK, all but a
 * few.  A pidfd is parked behind its watch, which needs no descriptor; whoever
 * needs one is lent it for as long as that takes.  A child that has ended comes
 * back: to wait for it takes a descriptor again, until it is reaped.
 *
 * Once it was parked, a pidfd stays so while the process is tracked, whether it
 * is a descriptor as well or not, unless the host asks for it.  Without
 * PIDTRACK_PARK each is one, always.
 */
#ifndef PT_PARKED_H
#define PT_PARKED_H

#include "base.h"
#include "lots.h"
#include "process.h"
#include "ring.h"
#include "slots.h"

#define PT_PARKED_OPEN 8    /* are not parked */
#define PT_PARKED_LEAVING 8 /* are parked together */

struct pt_parked {
	struct pt_slots *slots;
	struct pt_ring *ring;
	struct pt_lots lots;
	bool parks; /* else all that follows is of no use */
	int spare;  /* owned: closed when there is no other descriptor; or -1 */
	uint32_t n_open; /* of the pidfds, how many are descriptors */
	uint32_t n_leaving;
	uint32_t leaving[PT_PARKED_LEAVING]; /* slots */
	uint32_t first; /* slot of the first that came back; or none */
	uint32_t last;
};

/*
 * @park: whether to, where that is possible
 */
void pt_parked_init(struct pt_parked *parked, struct pt_slots *slots,
		    struct pt_ring *ring, bool park);

/* All processes are gone. */
void pt_parked_done(struct pt_parked *parked);
void pt_parked_abandon(struct pt_parked *parked);

/* The process has this pidfd, which it owns from now on. */
void pt_parked_own(struct pt_parked *parked, struct pidtrack_process *process,
		   int pidfd);

/* The process is gone, and there is no watch on it. */
void pt_parked_end(struct pt_parked *parked, struct pidtrack_process *process);

/* Whether who is watched from now on is to be parked. */
static inline bool pt_parked_is_full(const struct pt_parked *parked)
{
	return parked->parks && parked->n_open > PT_PARKED_OPEN;
}

/* Its pidfd is to be parked, by ENDS or EDGES it is watched. */
void pt_parked_leave(struct pt_parked *parked,
		     struct pidtrack_process *process);

/* Parks some, if that is worth it; when the ring has been flushed. */
void pt_parked_go(struct pt_parked *parked);
static inline void pt_parked_settle(struct pt_parked *parked)
{
	if (parked->n_leaving == PT_PARKED_LEAVING)
		pt_parked_go(parked);
}

/*
 * Makes process->pidfd a descriptor, until pt_parked_back(); never by the spare
 * one, without which no end could be told.
 *
 * Return: 0; -EMFILE, -ENFILE, -ENOMEM.
 */
int pt_parked_fetch(struct pt_parked *parked, struct pidtrack_process *process);
static inline int pt_parked_open(struct pt_parked *parked,
				 struct pidtrack_process *process)
{
	return process->pidfd >= 0 ? 0 : pt_parked_fetch(parked, process);
}

/*
 * The host has its descriptor, which stays one.  It is parked no more: who has
 * it in an epoll of his own has closed it for good once it is closed, and that
 * it would not be while a lot has the file.
 *
 * Return: as pt_parked_open().
 */
int pt_parked_give(struct pt_parked *parked, struct pidtrack_process *process);

/* pt_parked_open() of all; of some, if it fails. */
int pt_parked_open_all(struct pt_parked *parked);

/* Its descriptor is closed, if it is parked and nothing needs the other. */
void pt_parked_return(struct pt_parked *parked,
		      struct pidtrack_process *process);
static inline void pt_parked_back(struct pt_parked *parked,
				  struct pidtrack_process *process)
{
	if (process->parked)
		pt_parked_return(parked, process);
}

void pt_parked_back_all(struct pt_parked *parked);

/* A pidfd for a moment. */
struct pt_lent {
	int fd;		      /* as of pt_parked_open() if negative */
	struct pt_parked *of; /* to be closed; or NULL */
};

struct pt_lent pt_parked_borrow(struct pt_parked *parked,
				const struct pidtrack_process *process);
static inline struct pt_lent
pt_parked_lend(struct pt_parked *parked, const struct pidtrack_process *process)
{
	return process->pidfd >= 0 ? (struct pt_lent){ process->pidfd, NULL } :
				     pt_parked_borrow(parked, process);
}

void pt_lent_end(struct pt_lent *lent);
static inline void pt_lent_done(struct pt_lent *lent)
{
	if (lent->of)
		pt_lent_end(lent);
}

/* It stays until pt_parked_back(), be it the spare one. */
void pt_parked_keep(struct pt_lent *lent, struct pidtrack_process *process);

/* The child has ended, and is to come back. */
void pt_parked_arrive(struct pt_parked *parked,
		      struct pidtrack_process *process);
static inline bool pt_parked_have_arrived(const struct pt_parked *parked)
{
	return parked->parks && parked->first != PT_SLOT_NONE;
}

/*
 * Those that have come back now, some at a time, each with a descriptor.
 *
 * Return: how many; 0 if there is none, or no descriptor.
 */
size_t
pt_parked_take_arrived(struct pt_parked *parked,
		       struct pidtrack_process *ret_arrived[PT_PARCELS_MAX]);

#endif
