/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Waiting on many pidfds at once, knowing nothing of processes: by io_uring, or
 * by epoll where that is refused.
 *
 * The ring is made with DEFER_TASKRUN and SINGLE_ISSUER, or not at all: every
 * other kind makes the host's own epoll_wait() fail with EINTR.  Such a ring is
 * no wake-up source, so an eventfd registered with it is what the host polls.
 * Without IORING_OP_WAITID (Linux 6.7) it would gain nothing over epoll.
 *
 * Each watch has a cookie of the caller's, which comes back with what happened.
 */
#ifndef PT_RING_H
#define PT_RING_H

#include <signal.h>

#include "base.h"
#include "watch.h"

enum pt_backend {
	PT_BACKEND_ANY, /* uring, or epoll where that is refused */
	PT_BACKEND_URING,
	PT_BACKEND_EPOLL,
};

struct pt_ring;

/* What io_uring gives here; 0 or the negative errno it is refused with. */
int pt_ring_probe(bool waitid);

int pt_ring_new(enum pt_backend backend, struct pt_ring **ret_ring);

/* Does what was asked for and not known to the kernel yet, then frees. */
struct pt_ring *pt_ring_free(struct pt_ring *ring);

/* Frees the copy of it that a child of fork() has; the ring goes on. */
struct pt_ring *pt_ring_abandon(struct pt_ring *ring);

/* "uring" or "epoll". */
const char *pt_ring_backend(const struct pt_ring *ring);

/* Level-triggered: readable while pt_ring_next() has something to tell. */
int pt_ring_fd(const struct pt_ring *ring);

/* Times it was found readable. */
uint64_t pt_ring_wakeups(const struct pt_ring *ring);

/* Whether PT_WATCH_CHILD can be had; else EDGES serves children too. */
bool pt_ring_waits(const struct pt_ring *ring);

/*
 * Makes a watch but for STOPS; nothing is told of it before pt_ring_flush() or
 * _next().
 *
 * @siginfo: for CHILD, alive until the watch has ended
 *
 * Return: 0; a negative errno if the kernel takes no more of them now.
 */
int pt_ring_watch(struct pt_ring *ring, enum pt_watch watch, int pidfd,
		  uint32_t cookie, siginfo_t *siginfo);

/*
 * Likewise for STOPS, which epoll has none of.
 *
 * @pid: 0 if it is not known here
 */
int pt_ring_watch_stops(struct pt_ring *ring, int pid, int pidfd,
			uint32_t cookie);

/*
 * Ends a watch early.
 *
 * Return: 1 if it has ended; 0 if pt_ring_next() will tell so, at the latest
 *         when the process ends.
 */
int pt_ring_unwatch(struct pt_ring *ring, enum pt_watch watch, int pidfd,
		    uint32_t cookie);

/* Reaps a child that has ended; or somebody else does, which is fine too. */
void pt_ring_reap(struct pt_ring *ring, int pidfd);

/* Closes a pidfd after what was asked for it before.  No watch may be on it. */
void pt_ring_close(struct pt_ring *ring, int pidfd);

/*
 * Whether TICKs are wanted.  They come every 50 ms on epoll; on a ring, which
 * could not watch for want of memory or of a descriptor, whoever calls
 * pt_ring_next() looks.
 */
void pt_ring_tick(struct pt_ring *ring, bool wanted);

/* The caller has something left to tell: readable until pt_ring_next(). */
void pt_ring_keep_readable(struct pt_ring *ring);

/* Whether pt_ring_next() has something to tell, or to do first. */
bool pt_ring_busy(const struct pt_ring *ring);

/* Whether reaps and closes that were asked for are still to be done. */
bool pt_ring_owes(const struct pt_ring *ring);

/* It is readable, whatever has happened, until pt_ring_next(). */
void pt_ring_rouse(struct pt_ring *ring);

/* Does what was asked for and is no watch: reaps and closes; never blocks. */
void pt_ring_settle(struct pt_ring *ring);

/* Has the kernel know of everything asked for; never blocks. */
int pt_ring_flush(struct pt_ring *ring);

/*
 * What happened next.
 *
 * Return: 1; 0 if nothing has; -EBADR if the kernel lost some, for want of
 *         memory: a new ring is needed.
 */
int pt_ring_next(struct pt_ring *ring, struct pt_happened *ret_happened);

/*
 * Makes a new ring for the calling thread, with the same descriptor to poll.
 * All watches are gone, none is in flight.
 */
int pt_ring_renew(struct pt_ring *ring);

#endif
