/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Those whom the host is to be told of, first come, first told; what of each,
 * is in its tell.
 */
#ifndef PT_TOLD_H
#define PT_TOLD_H

#include "base.h"
#include "slots.h"

struct pt_told {
	const struct pt_slots *slots; /* lent: where they are */
	uint32_t first;		      /* slot, or PT_SLOT_NONE */
	uint32_t last;
};

void pt_told_init(struct pt_told *told, const struct pt_slots *slots);

/* At the end, unless it is on the list. */
void pt_told_add(struct pt_told *told, struct pidtrack_process *process);

/* NULL if there is nobody. */
struct pidtrack_process *pt_told_first(const struct pt_told *told);
void pt_told_take_first(struct pt_told *told);

/* Wherever it is; or is not. */
void pt_told_take(struct pt_told *told, struct pidtrack_process *process);

#endif
