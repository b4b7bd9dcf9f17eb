/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Process numbers, each with what was seen of it, found again in the time that
 * takes whatever their number.
 */
#ifndef PT_SIGHTINGS_H
#define PT_SIGHTINGS_H

#include <sys/types.h>

#include "base.h"

struct pidtrack_process;

struct pt_sighting {
	pid_t pid;	/* 0: nothing is here */
	uint32_t round; /* in which it was seen last */
	bool proven;	/* to descend from one of ours */
	bool settled;	/* there is nothing more to do about it */
	uint32_t has;	/* PT_HAS_: what its identity is */
	int64_t ns;
	uint64_t identity; /* of who has the number */
	const struct pidtrack_process *process;
};

/* Zero is none. */
struct pt_sightings {
	struct pt_sighting *places;
	size_t size; /* of @places: 0, or a power of two */
	size_t n;
};

void pt_sightings_done(struct pt_sightings *sightings);

/* NULL if it was not seen.  Valid until one is added. */
struct pt_sighting *pt_sightings_find(const struct pt_sightings *sightings,
				      pid_t pid);

/* The one there is, or a new one; NULL: no memory. */
struct pt_sighting *pt_sightings_add(struct pt_sightings *sightings, pid_t pid);

/* Forgets those that were seen last in a round before @round. */
void pt_sightings_forget(struct pt_sightings *sightings, uint32_t round);

#endif
