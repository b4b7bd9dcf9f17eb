/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "parked.h"

#include <errno.h>

#include "sys.h"

/* ---- the whole ---- */

/* For when all others are the host's. */
static void take_spare(struct pt_parked *parked)
{
	if (parked->spare < 0)
		parked->spare = sys_dup_above(pt_ring_fd(parked->ring), 3);
}

void pt_parked_init(struct pt_parked *parked, struct pt_slots *slots,
		    struct pt_ring *ring, bool park)
{
	*parked = (struct pt_parked){
		.slots = slots,
		.ring = ring,
		.spare = -1,
		.first = PT_SLOT_NONE,
		.last = PT_SLOT_NONE,
	};
	/* where the ring is none of io_uring, neither are the lots */
	parked->parks = park && pt_ring_waits(ring);
	if (!parked->parks)
		return;
	pt_lots_init(&parked->lots);
	take_spare(parked);
}

void pt_parked_done(struct pt_parked *parked)
{
	if (!parked->parks)
		return;
	fd_close(parked->spare);
	pt_lots_done(&parked->lots);
}

void pt_parked_abandon(struct pt_parked *parked)
{
	if (!parked->parks)
		return;
	fd_close(parked->spare);
	pt_lots_abandon(&parked->lots);
}

/* ---- into the lots ---- */

void pt_parked_own(struct pt_parked *parked, struct pidtrack_process *process,
		   int pidfd)
{
	process->pidfd = pidfd;
	parked->n_open++;
}

/* Behind what was asked for it before. */
static void close_one(struct pt_parked *parked,
		      struct pidtrack_process *process)
{
	if (process->pidfd < 0)
		return;
	pt_ring_close(parked->ring, process->pidfd);
	process->pidfd = -1;
	parked->n_open--;
}

void pt_parked_end(struct pt_parked *parked, struct pidtrack_process *process)
{
	close_one(parked, process);
	if (process->parked)
		pt_lots_clear(&parked->lots, process->slot);
	process->parked = process->leaving = false;
}

/*
 * Whether nothing needs its descriptor: to be reaped it does; so do a chain and
 * a wait for stops, when they get to it; and so does a tree.
 */
static bool is_free(const struct pidtrack_process *process)
{
	return process->pidfd >= 0 && !process->lent && !process->arrived &&
	       process->state != PT_STATE_OURS &&
	       process->watch != PT_WATCH_CHILD &&
	       process->watch != PT_WATCH_STATUS && process->stops == 0 &&
	       !process->stops_watch && !process->lame &&
	       !(process->stop && process->stop->tree);
}

void pt_parked_leave(struct pt_parked *parked, struct pidtrack_process *process)
{
	if (!parked->parks || process->leaving)
		return;
	if (parked->n_leaving == ARRAY_SIZE(parked->leaving)) {
		pt_ring_flush(parked->ring);
		pt_parked_settle(parked);
	}
	if (parked->n_leaving == ARRAY_SIZE(parked->leaving))
		return; /* its descriptor stays */
	parked->leaving[parked->n_leaving++] = process->slot;
	process->leaving = true;
}

/* Who is still to leave: some are gone, or are in use. */
static size_t take_leaving(struct pt_parked *parked,
			   struct pidtrack_process **ret_leaving)
{
	size_t n = 0;

	for (uint32_t i = 0; i < parked->n_leaving; i++) {
		struct pidtrack_process *process =
			pt_slots_at(parked->slots, parked->leaving[i]);

		if (!process->leaving)
			continue;
		process->leaving = false;
		if (is_free(process))
			ret_leaving[n++] = process;
	}
	parked->n_leaving = 0;
	return n;
}

void pt_parked_go(struct pt_parked *parked)
{
	struct pidtrack_process *leaving[PT_PARKED_LEAVING];
	struct pt_parcel parcels[PT_PARKED_LEAVING] = { 0 };
	int results[PT_PARKED_LEAVING];
	size_t n, n_parcels = 0;

	/* a watch that is only queued would find another file there */
	if (pt_ring_owes(parked->ring))
		return;
	n = take_leaving(parked, leaving);
	for (size_t i = 0; i < n; i++) {
		if (!leaving[i]->parked)
			parcels[n_parcels++] = (struct pt_parcel){
				.number = leaving[i]->slot,
				.fd = leaving[i]->pidfd,
			};
	}
	pt_lots_put(&parked->lots, parcels, n_parcels, results);
	for (size_t i = 0; i < n_parcels; i++)
		pt_slots_at(parked->slots, parcels[i].number)->parked =
			results[i] >= 0;
	for (size_t i = 0; i < n; i++) {
		if (leaving[i]->parked)
			close_one(parked, leaving[i]);
	}
}

/* ---- out of them ---- */

static bool is_want_of_room(int r)
{
	return r == -EMFILE || r == -ENFILE;
}

/* Return: a descriptor; for want of any other the spare one's. */
static int lend(struct pt_parked *parked, uint32_t slot)
{
	struct pt_parcel parcel = { .number = slot };

	pt_lots_lend(&parked->lots, &parcel, 1);
	if (!is_want_of_room(parcel.fd) || parked->spare < 0)
		return parcel.fd;
	parked->spare = fd_close(parked->spare);
	pt_lots_lend(&parked->lots, &parcel, 1);
	if (parcel.fd < 0)
		take_spare(parked);
	return parcel.fd;
}

struct pt_lent pt_parked_borrow(struct pt_parked *parked,
				const struct pidtrack_process *process)
{
	struct pt_lent lent = { .fd = process->pidfd };

	if (!process->parked)
		return lent;
	lent.fd = lend(parked, process->slot);
	lent.of = parked;
	return lent;
}

void pt_parked_keep(struct pt_lent *lent, struct pidtrack_process *process)
{
	if (!lent->of)
		return;
	pt_parked_own(lent->of, process, lent->fd);
	lent->of = NULL;
}

void pt_lent_end(struct pt_lent *lent)
{
	fd_close(lent->fd);
	take_spare(lent->of);
}

int pt_parked_fetch(struct pt_parked *parked, struct pidtrack_process *process)
{
	struct pt_parcel parcel = { .number = process->slot };

	if (!process->parked)
		return -EBADF;
	/* without the spare one, which would not be back */
	pt_lots_lend(&parked->lots, &parcel, 1);
	if (parcel.fd < 0)
		return parcel.fd;
	pt_parked_own(parked, process, parcel.fd);
	return 0;
}

int pt_parked_give(struct pt_parked *parked, struct pidtrack_process *process)
{
	int r;

	r = pt_parked_open(parked, process);
	if (r < 0)
		return r;
	process->lent = true;
	if (!process->parked)
		return 0;
	pt_lots_clear(&parked->lots, process->slot);
	pt_lots_flush(&parked->lots, process->slot);
	process->parked = false;
	return 0;
}

int pt_parked_open_all(struct pt_parked *parked)
{
	int r = 0;

	if (!parked->parks)
		return 0;
	for (uint32_t slot = 0; slot < parked->slots->n && r >= 0; slot++) {
		struct pidtrack_process *process =
			pt_slots_at(parked->slots, slot);

		if (process->parked)
			r = pt_parked_open(parked, process);
	}
	return r;
}

void pt_parked_return(struct pt_parked *parked,
		      struct pidtrack_process *process)
{
	if (!is_free(process))
		return;
	close_one(parked, process);
	/* with none to spare, that one is wanted at once */
	if (parked->spare < 0)
		pt_ring_flush(parked->ring);
	take_spare(parked);
}

/* One that has arrived, too: it is opened again when it is its turn. */
static void back_at_once(struct pt_parked *parked,
			 struct pidtrack_process *process)
{
	const bool arrived = process->arrived;

	process->arrived = false;
	pt_parked_back(parked, process);
	process->arrived = arrived;
}

void pt_parked_back_all(struct pt_parked *parked)
{
	if (!parked->parks)
		return;
	for (uint32_t slot = 0; slot < parked->slots->n; slot++)
		back_at_once(parked, pt_slots_at(parked->slots, slot));
	pt_ring_flush(parked->ring);
	take_spare(parked);
}

/* ---- those that come back ---- */

void pt_parked_arrive(struct pt_parked *parked,
		      struct pidtrack_process *process)
{
	if (process->arrived)
		return;
	process->arrived = true;
	process->next_arrived = PT_SLOT_NONE;
	if (parked->first == PT_SLOT_NONE)
		parked->first = process->slot;
	else
		pt_slots_at(parked->slots, parked->last)->next_arrived =
			process->slot;
	parked->last = process->slot;
}

/* With the spare one, if there is no other. */
static void open_first(struct pt_parked *parked)
{
	struct pidtrack_process *process =
		pt_slots_at(parked->slots, parked->first);
	CLEANUP(pt_lent_done)
	struct pt_lent lent = pt_parked_lend(parked, process);

	if (lent.fd >= 0)
		pt_parked_keep(&lent, process);
}

/* Of the first @n, those that have none. */
static void open_some(struct pt_parked *parked, size_t n)
{
	struct pt_parcel parcels[PT_PARCELS_MAX] = { 0 };
	uint32_t slot = parked->first;
	size_t n_parcels = 0;

	for (size_t i = 0; i < n && slot != PT_SLOT_NONE; i++) {
		const struct pidtrack_process *process =
			pt_slots_at(parked->slots, slot);

		if (process->pidfd < 0)
			parcels[n_parcels++].number = slot;
		slot = process->next_arrived;
	}
	pt_lots_lend(&parked->lots, parcels, n_parcels);
	for (size_t i = 0; i < n_parcels; i++) {
		if (parcels[i].fd >= 0)
			pt_parked_own(
				parked,
				pt_slots_at(parked->slots, parcels[i].number),
				parcels[i].fd);
	}
}

size_t
pt_parked_take_arrived(struct pt_parked *parked,
		       struct pidtrack_process *ret_arrived[PT_PARCELS_MAX])
{
	size_t n = 0, most;

	if (!pt_parked_have_arrived(parked))
		return 0;
	take_spare(parked);
	/* not all that a small limit allows: the host has need of some */
	most = MIN(PT_PARCELS_MAX, MAX(parked->lots.room / 4, 1));
	open_some(parked, most);
	open_first(parked);
	while (n < most && parked->first != PT_SLOT_NONE) {
		struct pidtrack_process *process =
			pt_slots_at(parked->slots, parked->first);

		if (process->pidfd < 0)
			break;
		process->arrived = false;
		parked->first = process->next_arrived;
		ret_arrived[n++] = process;
	}
	return n;
}
