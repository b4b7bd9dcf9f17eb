/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "told.h"

void pt_told_init(struct pt_told *told, const struct pt_slots *slots)
{
	told->slots = slots;
	told->first = told->last = PT_SLOT_NONE;
}

void pt_told_add(struct pt_told *told, struct pidtrack_process *process)
{
	if (process->queued)
		return;
	process->queued = true;
	process->next = PT_SLOT_NONE;
	if (told->first == PT_SLOT_NONE)
		told->first = process->slot;
	else
		pt_slots_at(told->slots, told->last)->next = process->slot;
	told->last = process->slot;
}

struct pidtrack_process *pt_told_first(const struct pt_told *told)
{
	return told->first == PT_SLOT_NONE ?
		       NULL :
		       pt_slots_at(told->slots, told->first);
}

void pt_told_take_first(struct pt_told *told)
{
	struct pidtrack_process *process = pt_told_first(told);

	process->queued = false;
	told->first = process->next;
}

void pt_told_take(struct pt_told *told, struct pidtrack_process *process)
{
	uint32_t before = PT_SLOT_NONE, slot;

	if (!process->queued)
		return;
	for (slot = told->first; slot != process->slot;
	     slot = pt_slots_at(told->slots, slot)->next)
		before = slot;

	process->queued = false;
	if (before == PT_SLOT_NONE)
		told->first = process->next;
	else
		pt_slots_at(told->slots, before)->next = process->next;
	if (told->last == process->slot)
		told->last = before;
}
