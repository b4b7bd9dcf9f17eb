/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "slots.h"

#include <errno.h>

#include "checked.h"

#define CHUNK 64 /* slots that come at a time */

void pt_slots_init(struct pt_slots *slots)
{
	*slots = (struct pt_slots){ .free = PT_SLOT_NONE };
}

void pt_slots_done(struct pt_slots *slots)
{
	for (uint32_t i = 0; i < slots->n / CHUNK; i++)
		pt_checked_free(slots->chunks[i]);
	free(slots->chunks);
}

struct pidtrack_process *pt_slots_at(const struct pt_slots *slots,
				     uint32_t slot)
{
	return &slots->chunks[slot / CHUNK][slot % CHUNK];
}

static void put(struct pt_slots *slots, struct pidtrack_process *process)
{
	process->pidfd = -1;
	process->next = slots->free;
	slots->free = process->slot;
}

void pt_slots_give(struct pt_slots *slots, struct pidtrack_process *process)
{
	process->parked = false;
	if (PT_KEEPS_FREED)
		process->pidfd = -1;
	else
		put(slots, process);
}

static int grow(struct pt_slots *slots)
{
	size_t n_chunks = slots->n / CHUNK;
	struct pidtrack_process **chunks, *chunk;

	chunk = calloc(CHUNK, sizeof(*chunk));
	if (!chunk)
		return -ENOMEM;
	chunks = reallocarray(slots->chunks, n_chunks + 1, sizeof(*chunks));
	if (!chunks) {
		free(chunk);
		return -ENOMEM;
	}

	slots->chunks = chunks;
	chunks[n_chunks] = chunk;
	slots->n += CHUNK;
	/* so that the lowest is taken first */
	for (uint32_t i = CHUNK; i-- > 0;) {
		chunk[i].slot = slots->n - CHUNK + i;
		put(slots, &chunk[i]);
	}
	return 0;
}

int pt_slots_take(struct pt_slots *slots, struct pidtrack_process **ret_process)
{
	struct pidtrack_process *process;

	if (slots->free == PT_SLOT_NONE) {
		int r = grow(slots);

		if (r < 0)
			return r;
	}

	process = pt_slots_at(slots, slots->free);
	slots->free = process->next;
	*process = (struct pidtrack_process){
		.slot = process->slot,
		.next = PT_SLOT_NONE,
		.pidfd = -1,
		.status = -1,
		.state = PT_STATE_RUNNING,
	};
	*ret_process = process;
	return 0;
}
