/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Where pidfds are parked: in tables of files that rings of ours have.  There
 * they are no descriptors: fork(2) does not copy them, RLIMIT_NOFILE does not
 * count them; and one can be made a descriptor again at any time.  Knows no
 * processes.  Linux 6.8 (IORING_OP_FIXED_FD_INSTALL).
 *
 * Each has a number of the caller's; as many rings are made as that takes.
 */
#ifndef PT_LOTS_H
#define PT_LOTS_H

#include "base.h"

struct pt_lot;

struct pt_lots {
	struct pt_lot **lots; /* owned; each may be NULL */
	uint32_t n;
	uint32_t room; /* of one */
	bool tried;    /* what is parked comes back here */
	int refused;   /* why none are to be had here; or 0 */
};

/* A pidfd to be parked, or to be lent. */
struct pt_parcel {
	uint32_t number;
	int fd; /* in: lent; out: owned */
};

#define PT_PARCELS_MAX 128 /* at a time */

/* The first is made, and tried with a pidfd of our own, when it is needed. */
void pt_lots_init(struct pt_lots *lots);

/* Return: 0, or what the kernel or a sandbox refuses it with. */
int pt_lots_probe(void);

/* Whoever called the others gets no EINTR from it later. */
void pt_lots_done(struct pt_lots *lots);

/* The same in a child of fork(), for its copy; the host's go on. */
void pt_lots_abandon(struct pt_lots *lots);

/*
 * Parks; each of @parcels becomes its number's, whatever that had before.  The
 * descriptor stays.
 *
 * @ret_results: 0, or a negative errno of each
 */
void pt_lots_put(struct pt_lots *lots, const struct pt_parcel *parcels,
		 size_t n, int *ret_results);

/*
 * Makes descriptors of what is parked, which stays so: close-on-exec, and each
 * a negative errno where there is none, as -EMFILE.
 */
void pt_lots_lend(struct pt_lots *lots, struct pt_parcel *parcels, size_t n);

/* It is let go of; with the next of the other calls, or of the next. */
void pt_lots_clear(struct pt_lots *lots, uint32_t number);
void pt_lots_flush(struct pt_lots *lots, uint32_t number);

#endif
