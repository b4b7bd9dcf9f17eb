/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "lots.h"

#include <liburing.h>
#include <sys/resource.h>

#include "owner.h"
#include "sys.h"
#include "uring.h"

#define OP_FIXED_FD_INSTALL 54 /* Linux 6.8, io_uring.h */

#define SQ_ENTRIES 256
#define ROOM_MAX 4096
#define NOBODY UINT64_MAX

/* and as many that are let go of */
_Static_assert(SQ_ENTRIES >= 2 * PT_PARCELS_MAX, "all of them fit in");

struct pt_lot {
	struct io_uring ring;
	uint64_t thread; /* the last that gave it something to do; or 0 */
};

/* ---- one ---- */

/* Not by liburing, which raises RLIMIT_NOFILE where that is in its way. */
static int make_table(const struct pt_lot *lot, uint32_t room)
{
	const struct io_uring_rsrc_register table = {
		.nr = room,
		.flags = IORING_RSRC_REGISTER_SPARSE,
	};

	return sys_uring_register(lot->ring.ring_fd, IORING_REGISTER_FILES2,
				  &table, sizeof(table));
}

/* False: the kernel keeps it, for a copy of this process has it, too. */
static bool lot_free(struct pt_lot *lot)
{
	const bool ours = lot->thread == pt_owner_thread();

	io_uring_queue_exit(&lot->ring);
	free(lot);
	return !ours || pt_uring_await_end();
}

static int lot_new(uint32_t room, struct pt_lot **ret_lot)
{
	struct io_uring_params params = { 0 };
	struct pt_lot *lot;
	int r;

	lot = calloc(1, sizeof(*lot));
	if (!lot)
		return -ENOMEM;
	pt_sys_calls++;
	r = io_uring_queue_init_params(SQ_ENTRIES, &lot->ring, &params);
	if (r < 0) {
		free(lot);
		return r;
	}
	lot->thread = pt_owner_thread();
	r = make_table(lot, room);
	if (r < 0) {
		lot_free(lot);
		return r;
	}
	*ret_lot = lot;
	return 0;
}

/* What the kernel did not take is not to be done later, by what is no more. */
static void drop_queued(struct pt_lot *lot)
{
	const struct io_uring_sq *sq = &lot->ring.sq;

	for (unsigned int i = *sq->khead; i != sq->sqe_tail; i++) {
		struct io_uring_sqe *sqe = &sq->sqes[i & *sq->kring_mask];

		if (sqe->user_data == NOBODY)
			continue;
		io_uring_prep_nop(sqe);
		sqe->user_data = NOBODY;
	}
}

/* Has all that is queued done, at once; @n of it is waited for. */
static void run(struct pt_lot *lot, unsigned int n, int *ret_results)
{
	struct io_uring_cqe *cqe;
	unsigned int head, taken = 0;

	pt_sys_calls++;
	lot->thread = pt_owner_thread();
	io_uring_submit_and_wait(&lot->ring, n);
	drop_queued(lot);
	io_uring_for_each_cqe(&lot->ring, head, cqe)
	{
		if (cqe->user_data != NOBODY)
			ret_results[cqe->user_data] = cqe->res;
		taken++;
	}
	io_uring_cq_advance(&lot->ring, taken);
}

static struct io_uring_sqe *get_sqe(struct pt_lot *lot)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&lot->ring);

	if (sqe)
		return sqe;
	run(lot, 0, NULL);
	return io_uring_get_sqe(&lot->ring);
}

/* ---- all of them ---- */

static struct pt_lot *lot_of(const struct pt_lots *lots, uint32_t number)
{
	const uint32_t i = number / lots->room;

	return i < lots->n ? lots->lots[i] : NULL;
}

/* Runs those of @parcels that are of @lot. */
static void run_of(struct pt_lots *lots, struct pt_lot *lot,
		   struct pt_parcel *parcels, size_t n, bool put, int *results)
{
	unsigned int queued = 0;

	if (io_uring_sq_space_left(&lot->ring) < n)
		run(lot, 0, NULL);
	for (size_t i = 0; i < n; i++) {
		const uint32_t at = parcels[i].number % lots->room;
		struct io_uring_sqe *sqe;

		if (lot_of(lots, parcels[i].number) != lot)
			continue;
		sqe = io_uring_get_sqe(&lot->ring);
		if (!sqe)
			break;
		if (put) {
			io_uring_prep_files_update(sqe, &parcels[i].fd, 1,
						   (int)at);
		} else {
			io_uring_prep_rw(OP_FIXED_FD_INSTALL, sqe, (int)at,
					 NULL, 0, 0);
			sqe->flags |= IOSQE_FIXED_FILE;
		}
		sqe->user_data = i;
		queued++;
	}
	run(lot, queued, results);
}

/* Each lot once; what is not told of any is as if there were no memory. */
static void run_all(struct pt_lots *lots, struct pt_parcel *parcels, size_t n,
		    bool put, int *results)
{
	for (size_t i = 0; i < n; i++) {
		struct pt_lot *lot = lot_of(lots, parcels[i].number);
		bool done = false;

		for (size_t before = 0; before < i && !done; before++)
			done = lot_of(lots, parcels[before].number) == lot;
		if (lot && !done)
			run_of(lots, lot, parcels, n, put, results);
	}
}

static int make_list(struct pt_lots *lots, uint32_t n)
{
	struct pt_lot **more;

	if (n <= lots->n)
		return 0;
	more = reallocarray(lots->lots, n, sizeof(*more));
	if (!more)
		return -ENOMEM;
	memset(more + lots->n, 0, (n - lots->n) * sizeof(*more));
	lots->lots = more;
	lots->n = n;
	return 0;
}

/* Whether what is parked comes back. */
static int try(struct pt_lots *lots, uint32_t number)
{
	CLEANUP(fd_closep) int self = -1;
	struct pt_parcel parcel = { .number = number };
	int r = -EAGAIN;

	self = parcel.fd = sys_pidfd_open(sys_getpid(), 0);
	if (self < 0)
		return self;
	run_all(lots, &parcel, 1, true, &r);
	if (r < 0)
		return r;
	r = -EAGAIN;
	run_all(lots, &parcel, 1, false, &r);
	if (r < 0)
		return r;
	sys_close(r);
	lots->tried = true;
	return 0;
}

static uint64_t limit_of_files(void)
{
	uint64_t limit[2];

	return sys_prlimit(RLIMIT_NOFILE, NULL, limit) >= 0 ? limit[0] :
							      UINT64_MAX;
}

static bool is_want_of_room(int r)
{
	return is_short_of_room(r) || r == -EAGAIN;
}

/* Has a lot for @number. */
static int make_room(struct pt_lots *lots, uint32_t number)
{
	const uint32_t i = number / lots->room;
	int r = lots->refused;

	if (r >= 0)
		r = make_list(lots, i + 1);
	if (r < 0 || lots->lots[i])
		return r;
	if (limit_of_files() < lots->room)
		return -EMFILE; /* as its table would be, with more ado */
	r = lot_new(lots->room, &lots->lots[i]);
	if (r >= 0 && !lots->tried)
		r = try(lots, number);
	if (r >= 0)
		return r;
	if (lots->lots[i])
		lot_free(lots->lots[i]);
	lots->lots[i] = NULL;
	if (!is_want_of_room(r))
		lots->refused = r;
	return r;
}

void pt_lots_put(struct pt_lots *lots, const struct pt_parcel *parcels,
		 size_t n, int *ret_results)
{
	struct pt_parcel copies[PT_PARCELS_MAX];

	for (size_t i = 0; i < n; i++) {
		copies[i] = parcels[i];
		ret_results[i] = make_room(lots, parcels[i].number);
		if (ret_results[i] >= 0)
			ret_results[i] = -EAGAIN;
	}
	run_all(lots, copies, n, true, ret_results);
	for (size_t i = 0; i < n; i++) {
		if (ret_results[i] >= 0)
			ret_results[i] = ret_results[i] == 1 ? 0 : -EAGAIN;
	}
}

void pt_lots_lend(struct pt_lots *lots, struct pt_parcel *parcels, size_t n)
{
	int results[PT_PARCELS_MAX];

	/* what is not even tried is for want of memory */
	for (size_t i = 0; i < n; i++)
		results[i] = -ENOMEM;
	run_all(lots, parcels, n, false, results);
	for (size_t i = 0; i < n; i++)
		parcels[i].fd = results[i];
}

void pt_lots_clear(struct pt_lots *lots, uint32_t number)
{
	static const int nothing = -1;
	struct pt_lot *lot = lot_of(lots, number);
	struct io_uring_sqe *sqe = lot ? get_sqe(lot) : NULL;

	if (!sqe)
		return; /* until another has the number */
	io_uring_prep_files_update(sqe, (int *)&nothing, 1,
				   (int)(number % lots->room));
	sqe->user_data = NOBODY;
}

void pt_lots_flush(struct pt_lots *lots, uint32_t number)
{
	struct pt_lot *lot = lot_of(lots, number);

	if (lot && io_uring_sq_ready(&lot->ring) > 0)
		run(lot, 0, NULL);
}

/* ---- the whole ---- */

void pt_lots_init(struct pt_lots *lots)
{
	const uint64_t limit = limit_of_files();

	/* what a table may have; 0 is refused by itself */
	*lots = (struct pt_lots){ .room = MIN(MAX(limit, 1), ROOM_MAX) };
}

int pt_lots_probe(void)
{
	struct pt_lots lots;
	int r;

	pt_lots_init(&lots);
	r = make_room(&lots, 0);
	pt_lots_done(&lots);
	return r;
}

/* None of them is waited for when it is closed. */
static void forget_threads(struct pt_lots *lots)
{
	for (uint32_t i = 0; i < lots->n; i++) {
		if (lots->lots[i])
			lots->lots[i]->thread = 0;
	}
}

void pt_lots_done(struct pt_lots *lots)
{
	for (uint32_t i = 0; i < lots->n; i++) {
		struct pt_lot *lot = lots->lots[i];

		lots->lots[i] = NULL;
		if (lot && !lot_free(lot))
			forget_threads(lots);
	}
	free(lots->lots);
	*lots = (struct pt_lots){ .room = 1 };
}

void pt_lots_abandon(struct pt_lots *lots)
{
	forget_threads(lots);
	pt_lots_done(lots);
}
