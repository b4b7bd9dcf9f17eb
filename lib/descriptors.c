/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "descriptors.h"

#include <sched.h>

#include "sys.h"
#include "text.h"

/* One above the highest target. */
static int above_targets(const struct pt_descriptors *fds)
{
	return fds->moves[fds->n_moves - 1].target + 1;
}

/* One above the highest descriptor that is needed of the host's. */
static unsigned int above_sources(const struct pt_descriptors *fds)
{
	int highest = 2;

	for (size_t i = 0; i < fds->n_moves; i++)
		highest = MAX(highest, fds->moves[i].source);
	for (size_t i = 0; i < PT_SPECIAL_MAX; i++)
		highest = MAX(highest, fds->specials[i]);
	return (unsigned int)highest + 1;
}

/*
 * Makes the table ours; the copy ends where our needs do.  This is also what
 * closes the host's other descriptors, which are many, in one call.
 */
int pt_descriptors_own(struct pt_descriptors *fds)
{
	int r;

	if (!fds->shared)
		return 0;
	r = sys_close_range(above_sources(fds), ~0U, PT_CLOSE_RANGE_UNSHARE);
	return r < 0 ? sys_unshare(CLONE_FILES) : r;
}

/* A copy of @fd that is nobody's target, close-on-exec. */
static int set_aside(const struct pt_descriptors *fds, int fd)
{
	int r = sys_dup_above(fd, above_targets(fds));

	return r == -EINVAL ? -EMFILE : r; /* beyond RLIMIT_NOFILE */
}

static bool is_target(const struct pt_descriptors *fds, int fd)
{
	for (size_t i = 0; i < fds->n_moves; i++) {
		if (fds->moves[i].target == fd)
			return true;
	}
	return false;
}

/* Takes the descriptors we need ourselves out of the way of the targets. */
static int move_specials(struct pt_descriptors *fds)
{
	for (size_t i = 0; i < PT_SPECIAL_MAX; i++) {
		int *special = &fds->specials[i], r;

		if (*special < 0)
			continue;
		if (!is_target(fds, *special)) {
			/* whoever uses it finds out if it is closed */
			sys_set_cloexec(*special, true);
			continue;
		}
		r = set_aside(fds, *special);
		if (r < 0 && r != -EBADF)
			return r;
		*special = r;
	}
	return 0;
}

/* Whether a move that is still to be made needs @fd as it is. */
static bool is_needed(const struct pt_descriptors *fds, int fd)
{
	for (size_t i = 0; i < fds->n_moves; i++) {
		const struct pt_move *move = &fds->moves[i];

		if (move->source == fd && move->target != fd)
			return true;
	}
	return false;
}

static int move_null(int target)
{
	int fd, r;

	fd = sys_open(AT_FDCWD, "/dev/null", O_RDWR, 0);
	if (fd < 0)
		return fd;
	if (fd == target)
		return sys_set_cloexec(fd, false);

	r = sys_dup3(fd, target, 0);
	sys_close(fd);
	return r;
}

static int make_move(struct pt_move *move)
{
	int r;

	if (move->source == PT_SOURCE_NULL) {
		r = move_null(move->target);
	} else {
		r = sys_dup3(move->source, move->target, 0);
		/* the source is open, so it is the target that cannot be */
		if (r == -EBADF && sys_file_flags(move->source) >= 0)
			r = -EMFILE;
	}
	if (r < 0)
		return r;
	move->source = move->target;
	return 0;
}

/* Two that change places, or more in a ring: one steps aside. */
static int break_ring(struct pt_descriptors *fds, int source)
{
	int aside = set_aside(fds, source);

	if (aside < 0)
		return aside;
	for (size_t i = 0; i < fds->n_moves; i++) {
		if (fds->moves[i].source == source)
			fds->moves[i].source = aside;
	}
	return 0;
}

static bool is_made(const struct pt_move *move)
{
	return move->source == move->target || move->source == PT_SOURCE_SAME;
}

/* Makes the moves whose targets nobody needs any more; how many. */
static int make_moves(struct pt_descriptors *fds)
{
	int made = 0;

	for (size_t i = 0; i < fds->n_moves; i++) {
		struct pt_move *move = &fds->moves[i];
		int r;

		if (is_made(move) || is_needed(fds, move->target))
			continue;
		r = make_move(move);
		if (r < 0)
			return r;
		made++;
	}
	return made;
}

static struct pt_move *first_left(const struct pt_descriptors *fds)
{
	for (size_t i = 0; i < fds->n_moves; i++) {
		if (!is_made(&fds->moves[i]))
			return &fds->moves[i];
	}
	return NULL;
}

/* Those that are mapped to themselves must still survive the exec. */
static int keep_unmoved(struct pt_descriptors *fds)
{
	for (size_t i = 0; i < fds->n_moves; i++) {
		const struct pt_move *move = &fds->moves[i];
		int r;

		if (move->source != move->target)
			continue;
		r = sys_set_cloexec(move->target, false);
		if (r < 0)
			return r;
	}
	return 0;
}

static int move_all(struct pt_descriptors *fds)
{
	const struct pt_move *left;
	int r;

	r = keep_unmoved(fds);
	while (r >= 0 && (left = first_left(fds))) {
		r = make_moves(fds);
		if (r == 0)
			r = break_ring(fds, left->target);
	}
	return r;
}

static bool is_kept(const struct pt_descriptors *fds, int fd)
{
	for (size_t i = 0; i < PT_SPECIAL_MAX; i++) {
		if (fds->specials[i] == fd)
			return true;
	}
	for (size_t i = 0; i < fds->n_moves; i++) {
		if (fds->moves[i].target == fd)
			return true;
	}
	return false;
}

/* The lowest descriptor from @from on that is kept, or INT_MAX. */
static int next_kept(const struct pt_descriptors *fds, int from)
{
	int next = INT_MAX;

	for (size_t i = 0; i < PT_SPECIAL_MAX; i++) {
		if (fds->specials[i] >= from)
			next = MIN(next, fds->specials[i]);
	}
	/* targets are sorted */
	for (size_t i = 0; i < fds->n_moves; i++) {
		if (fds->moves[i].target >= from)
			return MIN(next, fds->moves[i].target);
	}
	return next;
}

/* Closes the gaps between those that are kept. */
static int close_gaps(const struct pt_descriptors *fds)
{
	int from = 0;

	for (;;) {
		int kept = next_kept(fds, from), r;

		if (kept > from) {
			r = sys_close_range(
				(unsigned int)from,
				kept == INT_MAX ? ~0U : (unsigned int)kept - 1,
				0);
			if (r < 0)
				return r;
		}
		if (kept == INT_MAX)
			return 0;
		from = kept + 1;
	}
}

static void close_listed(const struct pt_descriptors *fds, int listing,
			 const char *bytes, int n)
{
	while (n > 0) {
		const struct pt_listed *listed = (const void *)bytes;
		uint64_t fd;

		if (pt_text_parse_number(listed->name, strlen(listed->name),
					 &fd) == 0 &&
		    (int)fd != listing && !is_kept(fds, (int)fd))
			sys_close((int)fd);
		bytes += listed->length;
		n -= listed->length;
	}
}

/* The same without close_range(): as /proc lists them. */
static int close_by_list(const struct pt_descriptors *fds)
{
	_Alignas(struct pt_listed) char bytes[4096];
	int listing, n;

	listing =
		sys_open(AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY, 0);
	if (listing < 0)
		return listing;

	while ((n = sys_getdents(listing, bytes, sizeof(bytes))) > 0)
		close_listed(fds, listing, bytes, n);
	sys_close(listing);
	return n;
}

#define NUMBERS_MAX (1 << 20) /* of fs.nr_open's default */

/* And without /proc: every number there can be. */
static int close_by_number(const struct pt_descriptors *fds)
{
	uint64_t limit[2];
	int r;

	r = sys_prlimit(RLIMIT_NOFILE, NULL, limit);
	if (r < 0)
		return r;
	for (int fd = 0; fd < (int)MIN(limit[1], NUMBERS_MAX); fd++) {
		if (!is_kept(fds, fd))
			sys_close(fd);
	}
	return 0;
}

int pt_descriptors_move(struct pt_descriptors *fds)
{
	int r;

	r = move_specials(fds);
	if (r < 0)
		return r;
	r = move_all(fds);
	if (r < 0)
		return r;

	r = close_gaps(fds);
	if (r < 0)
		r = close_by_list(fds);
	if (r < 0)
		r = close_by_number(fds);
	return r;
}
