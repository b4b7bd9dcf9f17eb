/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Where processes are kept: objects that never move, each with a number that
 * the kernel can hold for us while something is in flight.
 */
#ifndef PT_SLOTS_H
#define PT_SLOTS_H

#include "base.h"
#include "process.h"

#define PT_SLOT_NONE UINT32_MAX

struct pt_slots {
	struct pidtrack_process **chunks;
	uint32_t n;    /* slots there are, free ones too: those are not there */
	uint32_t free; /* first of the list of free ones */
};

void pt_slots_init(struct pt_slots *slots);
void pt_slots_done(struct pt_slots *slots);

/* A running process of which nothing is known yet; -ENOMEM. */
int pt_slots_take(struct pt_slots *slots,
		  struct pidtrack_process **ret_process);
void pt_slots_give(struct pt_slots *slots, struct pidtrack_process *process);

struct pidtrack_process *pt_slots_at(const struct pt_slots *slots,
				     uint32_t slot);

#endif
