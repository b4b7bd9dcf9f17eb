/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * All peers, each a process, as a job has them work.  When the job ends,
 * however that is, so do they, and then the children that they have.
 */
#ifndef CREW_H
#define CREW_H

#include "bench.h"
#include "orders.h"

#define CREW_MAX 16

struct member {
	const char *name;
	bool slow;  /* it sleeps, so it is asked for less */
	bool there; /* it does as it is told */
	pid_t pid;
	int socket;
};

/* What is counted where nothing is timed; -1 where it cannot be. */
struct tally {
	int64_t syscalls;
	int64_t with_children; /* system calls, and those of who has ended */
	int64_t allocations;
};

extern struct member crew[CREW_MAX];
extern unsigned int crew_size;
extern struct slot *crew_slots;

/* Says which there are, and leaves out who is not built. The first is 1. */
void crew_begin(const struct bench_asked *asked);

/* Starts it, or leaves it out. @counted: allocations and system calls are */
void crew_start(struct member *member, bool counted);
void crew_end(struct member *member);

/*
 * crew_tell() and crew_hear().  Who does not answer, or is gone, is dropped,
 * and has told of nobody.
 *
 * Return: 0, or a negative errno of theirs; -ETIMEDOUT, -ECHILD if it was
 *         dropped, or before.
 */
int crew_order(struct member *member, const struct order *order,
	       struct answer *ret_answer);
void crew_tell(struct member *member, const struct order *order);
int crew_hear(struct member *member, struct answer *ret_answer);

/* Until it sleeps: in its loop, or for want of an order. */
void crew_await_sleep(const struct member *member);

/* One that cannot do it, at @x or 0, does no more. */
void crew_drop(struct member *member, uint64_t x, int error);

/* Of the one that was started last, and is counted; while it has no order. */
struct tally crew_tally(const struct member *member);

/* What it was for one of @n, without what giving @orders orders took. */
void crew_count(struct bench_row *row, const struct tally *before,
		const struct tally *after, unsigned int orders, uint64_t n);

/* Of one of @n children, from clone to its end. */
void crew_count_children(struct bench_row *row, const struct tally *before,
			 const struct tally *after, uint64_t n);

/*
 * The same as crew_order(), of a member that has no other order, and counts
 * what it executes in user space: by perf, or instruction by instruction where
 * the machine does not count them.
 *
 * Return: how many; -1 if that cannot be, or they were more than @most.
 */
int64_t crew_instructions(struct member *member, const struct order *order,
			  struct answer *ret_answer, int64_t most);

#endif
